"""What an answerer makes of items: prompts that do not fit are cut as lm-eval's ``HFLM`` cuts."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks.answerer import StrategyAnswerer
from benchmarks.tasks.task import Item
from strategies.data import TaskData
from strategies.errors import NotApplicableError
from strategies.inference import Engine
from strategies.models import ResolvedModel, load_model, load_tokenizer
from strategies.prompting.instruction import InstructionPrompting
from strategies.rendering import Renderer
from strategies.training import encode_example
from tests.tiny import HashingEmbedder

LONG = "the sea " * 900


def _answerer(folder: Path, new_tokens: int) -> StrategyAnswerer:
    resolved = ResolvedModel("tiny", folder, "0")
    engine = Engine(load_model(resolved, "fp32", "cpu"), load_tokenizer(resolved))
    data = TaskData(instruction="Sort the message.")
    prompter = InstructionPrompting().prepare(data, HashingEmbedder(), 0)
    return StrategyAnswerer(engine, prompter, new_tokens)


def test_a_prompt_that_does_not_fit_loses_its_beginning_and_says_so(tiny_model: Path) -> None:
    items = [
        Item(id="long", input=LONG, outputs=("red",)),
        Item(id="short", input="the sea", outputs=("red",)),
    ]
    made = {response.id: response for response in _answerer(tiny_model, 8).answer(items)}
    assert (made["long"].truncated, made["short"].truncated) == (True, False)
    assert made["long"].prompt_tokens == 512 - 8


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
    item = Item(id="long", input=LONG, outputs=("AB",), choices=("AB", "BA"))
    (response,) = _answerer(tiny_model, 8).answer([item])
    assert response.prompt_tokens == 512 - 1


def test_an_answer_as_long_as_the_context_is_refused(tiny_model: Path) -> None:
    item = Item(id="any", input="the sea", outputs=("red",))
    with pytest.raises(NotApplicableError, match="512 tokens, and the model's context holds 512"):
        list(_answerer(tiny_model, 512).answer([item]))


INPUTS = {"1": "a loud night", "10": "the best stay", "100": "blue sea, no wind"}
CHOICES = tuple(INPUTS)


def _tuned(folder: Path) -> Any:
    """The tiny model, trained on the inputs above until it knows their answers by heart."""
    resolved = ResolvedModel("tiny", folder, "0")
    model, renderer = load_model(resolved, "fp32", "cpu"), Renderer(load_tokenizer(resolved))
    data = TaskData(instruction="Sort the message.")
    prompter = InstructionPrompting().prepare(data, HashingEmbedder(), 0)
    prompts = prompter.prompts(_reviews())
    rows = [
        encode_example(renderer, p, i.output, 200) for p, i in zip(prompts, _reviews(), strict=True)
    ]
    optimiser = torch.optim.AdamW(model.parameters(), lr=3e-3)
    for _ in range(60):
        for row in rows:
            batch = {name: torch.tensor([ids]) for name, ids in row.items()}
            model(**batch).loss.backward()
            optimiser.step()
            optimiser.zero_grad()
    return model.eval()


def _reviews() -> list[Item]:
    return [
        Item(id=answer, input=text, outputs=(answer,), choices=CHOICES)
        for answer, text in INPUTS.items()
    ]


@pytest.mark.parametrize("fixture", ["tiny_model", "plain_model"])
def test_a_label_that_begins_another_is_chosen_when_it_is_right_and_the_longer_one_too(
    fixture: str, request: pytest.FixtureRequest
) -> None:
    folder = request.getfixturevalue(fixture)
    engine = Engine(_tuned(folder), load_tokenizer(ResolvedModel("tiny", folder, "0")))
    data = TaskData(instruction="Sort the message.")
    prompter = InstructionPrompting().prepare(data, HashingEmbedder(), 0)
    answerer = StrategyAnswerer(engine, prompter, 8)
    written = {r.id: r.text for r in answerer.answer(_reviews(), free=True)}
    chosen = {r.id: r for r in answerer.answer(_reviews())}
    assert written == {answer: answer for answer in CHOICES}
    assert {name: r.text for name, r in chosen.items()} == written
    for place, answer in enumerate(CHOICES):
        logprobs = chosen[answer].choice_logprobs or ()
        # Each was 0.9 and more: without the end their sum was near 3.
        assert 0.9 < sum(map(math.exp, logprobs)) <= 1
        assert chosen[answer].choice_is_greedy == tuple(n == place for n in range(3))


def test_a_score_is_the_likelihood_of_the_tokens_that_training_covers(tiny_model: Path) -> None:
    resolved = ResolvedModel("tiny", tiny_model, "0")
    model, renderer = load_model(resolved, "fp32", "cpu"), Renderer(load_tokenizer(resolved))
    data = TaskData(instruction="Sort the message.")
    prompter = InstructionPrompting().prepare(data, HashingEmbedder(), 0)
    (response,) = _answerer(tiny_model, 8).answer(_reviews()[:1])
    (prompt,) = prompter.prompts(_reviews()[:1])
    for choice, logprob in zip(CHOICES, response.choice_logprobs or (), strict=True):
        row = encode_example(renderer, prompt, choice, 200)
        batch = {name: torch.tensor([ids]) for name, ids in row.items()}
        trained = sum(label != -100 for label in row["labels"])
        with torch.inference_mode():
            loss = float(model(**batch).loss)  # a mean over the trained tokens
        assert logprob == pytest.approx(-loss * trained, abs=1e-3)
