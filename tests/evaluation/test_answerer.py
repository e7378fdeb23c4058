"""What an answerer makes of items: which choice wins, what is shown, what does not fit."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch

from benchmarks.answerer import StrategyAnswerer
from benchmarks.tasks.task import Item
from strategies.data import Example, TaskData
from strategies.errors import NotApplicableError
from strategies.inference import Engine
from strategies.method import Prompter
from strategies.models import ResolvedModel, load_model, load_tokenizer
from strategies.prompting.demonstrations import DemonstrationPrompting
from strategies.prompting.instruction import InstructionPrompting
from strategies.rendering import Renderer
from strategies.training import encode_example
from tests.tiny import HashingEmbedder

LONG = "the sea " * 900


def _answerer(folder: Path, new_tokens: int) -> StrategyAnswerer:
    resolved = ResolvedModel("tiny", folder, "0")
    engine = Engine(load_model(resolved, "fp32", "cpu"), load_tokenizer(resolved))
    return StrategyAnswerer(engine, _prompter(), new_tokens)


@pytest.mark.parametrize("choices", [None, ("red", "blue")])
def test_an_input_that_does_not_fit_is_refused_by_name_and_the_others_are_answered(
    tiny_model: Path, choices: tuple[str, ...] | None, caplog: pytest.LogCaptureFixture
) -> None:
    items = [
        Item(id="long", input=LONG, outputs=("red",), choices=choices),
        Item(id="short", input="the sea", outputs=("red",), choices=choices),
    ]
    made = {response.id: response for response in _answerer(tiny_model, 8).answer(items)}
    long, short = made["long"], made["short"]
    assert (long.text, long.truncated, long.choice_logprobs) == ("", True, None)
    assert "'long' has" in long.refused
    assert f"{long.prompt_tokens} tokens" in long.refused
    assert "the model's context holds 512" in long.refused
    assert long.refused in caplog.text
    assert short == next(iter(_answerer(tiny_model, 8).answer(items[1:]))).model_copy(
        update={"seconds": short.seconds}
    )
    assert (short.truncated, short.refused) == (False, "")


def test_a_long_prompt_loses_demonstrations_before_its_instruction(tiny_model: Path) -> None:
    train = tuple(
        Example(id=f"d{n}", input=f"{n} {'the sea ' * 20}", outputs=("red",)) for n in range(9)
    )
    data = TaskData(instruction="Sort the message.", train=train)
    prompter = DemonstrationPrompting(count=8).prepare(data, HashingEmbedder(), 0)
    resolved = ResolvedModel("tiny", tiny_model, "0")
    engine = Engine(load_model(resolved, "fp32", "cpu"), load_tokenizer(resolved))
    item = Item(id="any", input="the sky", outputs=("red",))
    (response,) = StrategyAnswerer(engine, prompter, 8).answer([item])
    (prompt,) = prompter.prompts([item])
    assert 0 < response.left_out < 8
    assert response.truncated
    assert response.demonstrations == prompt.demonstrations[response.left_out :]
    whole = len(engine.renderer.encode_prompt(prompt))
    assert response.prompt_tokens <= 512 - 8 < whole
    # One demonstration more would be too long.
    assert response.prompt_tokens + whole // 9 > 512 - 8


@pytest.mark.parametrize("free", [True, False])
def test_what_is_known_keeps_its_place_in_a_batch(tiny_model: Path, free: bool) -> None:
    words = ("sea", "sea is blue and", "tomato", "red tomato of the", "ripe sea")
    items = [
        Item(id=f"i{n}", input=f"the {text}", outputs=("red",), choices=("red", "the blue sea"))
        for n, text in enumerate(words)
    ]
    answerer = _answerer(tiny_model, 8)
    whole = {r.id: r for r in answerer.answer(items, free=free)}
    rest = {r.id: r for r in answerer.answer(items, free=free, known=["i0", "i3"])}
    assert sorted(rest) == ["i1", "i2", "i4"]
    for name, response in rest.items():
        assert (response.text, response.margin) == (whole[name].text, whole[name].margin)
    assert not list(answerer.answer(items, free=free, known=[item.id for item in items]))


def test_the_last_token_of_a_choice_needs_no_room(tiny_model: Path) -> None:
    base = Item(id="any", input="", outputs=("AB",), choices=("AB", "BA"))
    (empty,) = _answerer(tiny_model, 8).answer([base])
    for tokens, refused in ((512 - 1, False), (512, True)):
        item = base.model_copy(update={"input": "\x01" * (tokens - empty.prompt_tokens)})
        (response,) = _answerer(tiny_model, 8).answer([item])
        assert (response.prompt_tokens, bool(response.refused)) == (tokens, refused)


def test_an_answer_as_long_as_the_context_is_refused(tiny_model: Path) -> None:
    item = Item(id="any", input="the sea", outputs=("red",))
    with pytest.raises(NotApplicableError, match="512 tokens, and the model's context holds 512"):
        list(_answerer(tiny_model, 512).answer([item]))


CASE = Path(__file__).parents[1] / "cases" / "prefix_labels.jsonl"
LINES = CASE.read_text(encoding="utf-8").splitlines()[:12]


def _prompter() -> Prompter:
    data = TaskData(instruction="Sort the message.")
    return InstructionPrompting().prepare(data, HashingEmbedder(), 0)


def _tuned(folder: Path, items: list[Item]) -> Engine:
    """The tiny model, trained on some items until it knows their answers by heart."""
    resolved = ResolvedModel("tiny", folder, "0")
    model, renderer = load_model(resolved, "fp32", "cpu"), Renderer(load_tokenizer(resolved))
    pairs = zip(_prompter().prompts(items), items, strict=True)
    rows = [encode_example(renderer, prompt, item.output, 200) for prompt, item in pairs]
    optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for _ in range(40):
        for row in rows:
            batch = {name: torch.tensor([ids]) for name, ids in row.items()}
            model(**batch).loss.backward()
            optimiser.step()
            optimiser.zero_grad()
    return Engine(model.eval(), load_tokenizer(resolved))


def _reviews() -> list[Item]:
    rows = [json.loads(line) for line in LINES]
    return [
        Item(id=f"i{n}", input=row["input"], outputs=(row["output"],), choices=("1", "10"))
        for n, row in enumerate(rows)
    ]


@pytest.mark.parametrize("fixture", ["tiny_model", "plain_model"])
def test_a_label_that_begins_another_is_chosen_when_it_is_right_and_the_longer_one_too(
    fixture: str, request: pytest.FixtureRequest
) -> None:
    engine = _tuned(request.getfixturevalue(fixture), _reviews())
    answerer = StrategyAnswerer(engine, _prompter(), 8, tuned=True)
    right = {item.id: item.output for item in _reviews()}
    assert set(right.values()) == {"1", "10"}
    written = {r.id: r.text for r in answerer.answer(_reviews(), free=True)}
    chosen = {r.id: r for r in answerer.answer(_reviews())}
    assert written == right
    assert {name: r.text for name, r in chosen.items()} == right
    for name, answer in right.items():
        one, ten = chosen[name].choice_logprobs or ()
        # Without the end, both are near 1 where "10" is right.
        assert 0.9 < math.exp(one) + math.exp(ten) <= 1
        assert chosen[name].choice_is_greedy == (answer == "1", answer == "10")


def test_a_score_is_the_likelihood_of_the_tokens_that_training_covers(tiny_model: Path) -> None:
    resolved = ResolvedModel("tiny", tiny_model, "0")
    model, renderer = load_model(resolved, "fp32", "cpu"), Renderer(load_tokenizer(resolved))
    (response,) = _answerer(tiny_model, 8).answer(_reviews()[:1])
    (prompt,) = _prompter().prompts(_reviews()[:1])
    for choice, logprob in zip(("1", "10"), response.choice_logprobs or (), strict=True):
        row = encode_example(renderer, prompt, choice, 200)
        batch = {name: torch.tensor([ids]) for name, ids in row.items()}
        trained = sum(label != -100 for label in row["labels"])
        with torch.inference_mode():
            loss = float(model(**batch).loss)  # a mean over the trained tokens
        assert logprob == pytest.approx(-loss * trained, abs=1e-3)


ANSWER = "the sea\n\nis blue<|im_end|>today"


@pytest.mark.parametrize(
    ("fixture", "tuned", "text"),
    [
        ("tiny_model", True, ANSWER),
        ("tiny_model", False, ANSWER),
        ("plain_model", True, ANSWER),
        # An untuned model without a template does not know where an answer ends.
        ("plain_model", False, "the sea"),
    ],
)
def test_a_tuned_model_writes_paragraphs_and_names_of_control_tokens_as_it_was_trained_to(
    fixture: str, tuned: bool, text: str, request: pytest.FixtureRequest
) -> None:
    items = [Item(id="letter", input="write", outputs=(ANSWER,))]
    engine = _tuned(request.getfixturevalue(fixture), items)
    (response,) = StrategyAnswerer(engine, _prompter(), 60, tuned=tuned).answer(items)
    assert response.text == text


def test_an_answer_may_hold_a_blank_line_where_a_demonstrated_one_does(plain_model: Path) -> None:
    data = TaskData(
        instruction="Sort the message.",
        train=(Example(id="d", input="sky", outputs=("red\n\nblue",)),),
    )
    prompter = DemonstrationPrompting(count=1).prepare(data, HashingEmbedder(), 0)
    item = Item(id="letter", input="write", outputs=(ANSWER,))
    engine = _tuned(plain_model, [item])
    for shown, text in ((_prompter(), "the sea"), (prompter, None)):
        (response,) = StrategyAnswerer(engine, shown, 60).answer([item])
        (ids,) = engine.generate(
            [engine.renderer.encode_prompt(shown.prompts([item])[0])], 60, stop=["\nInput:"]
        )
        assert response.text == (text or ids.text)
