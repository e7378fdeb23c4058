"""What the model reads: templates with and without a system role, BOS, the split before answers."""

from __future__ import annotations

from pathlib import Path

import pytest
from lm_eval.api.model import TemplateLM

from strategies.data import Example, Message, Passage, Prompt
from strategies.errors import DataError
from strategies.models import ResolvedModel, load_tokenizer
from strategies.prompting.demonstrations import demonstrate
from strategies.prompting.retrieval import PassagePrompt
from strategies.rendering import Renderer
from strategies.training import encode_example, fit_example

PROMPT = Prompt(
    messages=(
        Message(role="system", content="Sort the message."),
        Message(role="user", content="the sea is blue"),
    )
)


def _renderer(folder: Path) -> Renderer:
    return Renderer(load_tokenizer(ResolvedModel("tiny", folder, "0")))


def test_a_chat_prompt_follows_the_template(tiny_model: Path) -> None:
    assert _renderer(tiny_model).text(PROMPT) == (
        "<|im_start|>system\nSort the message.<|im_end|>\n"
        "<|im_start|>user\nthe sea is blue<|im_end|>\n<|im_start|>assistant\n"
    )


def test_a_template_that_refuses_a_system_role_gets_the_instruction_with_the_first_input(
    tiny_model: Path,
) -> None:
    renderer = _renderer(tiny_model)
    refusing = (
        "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system') }}{% endif %}"
    )
    renderer.tokenizer.chat_template = refusing + renderer.tokenizer.chat_template
    assert renderer.text(PROMPT) == (
        "<|im_start|>user\nSort the message.\n\nthe sea is blue<|im_end|>\n<|im_start|>assistant\n"
    )


def test_what_ends_an_answer_is_found_in_the_template(tiny_model: Path) -> None:
    renderer = _renderer(tiny_model)
    assert renderer.ending == "<|im_end|>"
    assert renderer.stop_ids == {renderer.tokenizer.convert_tokens_to_ids("<|im_end|>")}


def test_a_template_that_drops_a_system_role_gets_the_instruction_with_the_first_input(
    tiny_model: Path,
) -> None:
    renderer = _renderer(tiny_model)
    renderer.tokenizer.chat_template = (
        "{% for m in messages if m['role'] != 'system' %}[{{ m['content'] }}]{% endfor %}"
    )
    assert renderer.text(PROMPT) == "[Sort the message.\n\nthe sea is blue]"


def test_what_a_template_puts_before_an_answer_belongs_to_it(tiny_model: Path) -> None:
    renderer = _renderer(tiny_model)
    renderer.tokenizer.chat_template = (
        "{% for m in messages %}{% if m['role'] == 'assistant' %} {{ m['content'] }}<|im_end|>"
        "{% else %}[INST] {{ m['content'] }} [/INST]{% endif %}{% endfor %}"
    )
    assert renderer.continuation("blue") == " blue"
    assert renderer.ending == "<|im_end|>"


def test_an_ending_of_several_tokens_ends_at_its_first(tiny_model: Path) -> None:
    renderer = _renderer(tiny_model)
    renderer.tokenizer.chat_template = renderer.tokenizer.chat_template.replace(
        "<|im_end|>", "<|im_end|> the sea"
    )
    assert renderer.ending.startswith("<|im_end|> the sea")
    assert renderer.tokenizer.convert_tokens_to_ids("<|im_end|>") in renderer.stop_ids


def test_a_prompt_is_the_same_on_every_day_and_does_not_think(tiny_model: Path) -> None:
    renderer = _renderer(tiny_model)
    renderer.tokenizer.chat_template = (
        "{{ strftime_now('%Y') }} {{ date_string }} {{ enable_thinking }}"
        "{% for m in messages %} {{ m['content'] }}{% endfor %}"
    )
    assert renderer.text(PROMPT).startswith("26 Jul 2024 26 Jul 2024 False Sort the message.")


@pytest.mark.parametrize("answer", ["blue", "a ripe tomato", "{}"])
def test_prompt_and_answer_have_lm_evals_tokens_and_the_newline_stays_with_the_prompt(
    tiny_model: Path, answer: str
) -> None:
    renderer = _renderer(tiny_model)

    class Reference(TemplateLM):
        eot_token_id = 0
        _loglikelihood_tokens = loglikelihood_rolling = generate_until = lambda *_: []

        def tok_encode(
            self, string: str, add_special_tokens: bool | None = None, **_: object
        ) -> list[int]:
            ids: list[int] = renderer.tokenizer.encode(string)
            return ids

    first, (second, other) = renderer.encode_answers(PROMPT, [answer, "sea"])
    newline = renderer.tokenizer.encode("\n")
    for text, tokens in ((answer, second), ("sea", other)):
        before, after = Reference()._encode_pair(renderer.text(PROMPT), text)
        assert (first, tokens) == ([*before, *newline], after[1:])
    assert renderer.tokenizer.decode(second) == answer


def test_an_answer_whose_first_token_would_swallow_the_end_of_the_prompt_begins_behind_it(
    tiny_model: Path,
) -> None:
    renderer = _renderer(tiny_model)
    renderer.tokenizer.chat_template = "{{ messages[-1]['content'] }} t"
    prompt = Prompt(messages=(Message(role="user", content="a"),))
    first, (answer,) = renderer.encode_answers(prompt, ["he"])
    assert renderer.tokenizer.decode(renderer.encode("a the")[:-1]) == "a"
    assert first == renderer.encode("a t")
    assert renderer.tokenizer.decode(answer) == "he"


@pytest.mark.parametrize("fixture", ["tiny_model", "plain_model"])
def test_what_stands_behind_a_prompt_in_training_is_what_is_scored(
    fixture: str, request: pytest.FixtureRequest
) -> None:
    renderer = _renderer(request.getfixturevalue(fixture))
    eos = renderer.tokenizer.eos_token_id
    for choices, ended in ((["1", "10"], [eos]), (["1", "20"], [])):
        context, answers = renderer.encode_choices(PROMPT, choices)
        for choice, answer in zip(choices, answers, strict=True):
            row = encode_example(renderer, PROMPT, choice, 200)
            trained = [token for token in row["labels"] if token != -100]
            assert row["input_ids"] == [*context, *trained]
            assert [*answer, *([] if ended else [eos])] == trained


def test_training_tokens_are_the_prompt_then_the_labelled_answer(tiny_model: Path) -> None:
    renderer = _renderer(tiny_model)
    row = encode_example(renderer, PROMPT, "blue", 200)
    prompt = renderer.encode(renderer.text(PROMPT))
    assert row["input_ids"][: len(prompt)] == prompt
    assert row["labels"][: len(prompt)] == [-100] * len(prompt)
    assert renderer.tokenizer.decode(row["input_ids"][len(prompt) :]) == "blue<|im_end|>"
    assert row["labels"][len(prompt) :] == row["input_ids"][len(prompt) :]


def test_a_long_example_loses_its_first_demonstrations_and_neither_instruction_nor_answer(
    tiny_model: Path,
) -> None:
    renderer = _renderer(tiny_model)
    shown = [Example(id=f"d{n}", input=f"tomato {n}", outputs=("red",)) for n in range(4)]
    prompt = demonstrate("Sort the message.", shown, "the sea is blue")
    bare = encode_example(
        renderer, demonstrate("Sort the message.", [], "the sea is blue"), "a", 99
    )
    for kept in (4, 2, 1, 0):
        shorter = demonstrate("Sort the message.", shown[4 - kept :], "the sea is blue")
        expected = encode_example(renderer, shorter, "a", 500)
        assert fit_example(renderer, prompt, "a", len(expected["input_ids"])) == expected
    assert fit_example(renderer, prompt, "a", len(bare["input_ids"])) == bare
    assert fit_example(renderer, prompt, "a", len(bare["input_ids"]) - 1) is None
    with pytest.raises(DataError, match="more than 20 tokens"):
        encode_example(renderer, prompt, "a", 20)


def test_a_prompt_gives_up_its_last_passage_first_and_what_it_needs_last() -> None:
    passages = [Passage(id=f"{name}#s/0", text=f"text of {name}") for name in "abc"]
    instruction = Message(role="system", content="Answer.")
    found = PassagePrompt.of(instruction, "Why?", passages)
    assert [prompt.passages for prompt in found.shortened()] == [
        ("a#s/0", "b#s/0", "c#s/0"),
        ("a#s/0", "b#s/0"),
        ("a#s/0",),
        (),
    ]
    contents = [prompt.messages[-1].content for prompt in found.shortened()]
    assert contents[1:] == [
        "[1] text of a\n\n[2] text of b\n\nWhy?",
        "[1] text of a\n\nWhy?",
        "Why?",
    ]
    mixed = PassagePrompt.of(instruction, "Why?", passages, needed=["c"])
    *_, last, none = mixed.shortened()
    assert (last.passages, none.passages) == (("c#s/0",), ())


def test_a_prompt_of_another_shape_is_not_cut() -> None:
    turns = (Message(role="user", content="a"), Message(role="user", content="b"))
    assert Prompt(messages=turns, demonstrations=("x",)).shorter() is None


def test_a_text_that_a_demonstrated_answer_contains_ends_no_answer(plain_model: Path) -> None:
    renderer = _renderer(plain_model)
    for answer, stops in (
        ("one line", ("\nInput:", "\n\n")),
        ("two\n\nparagraphs", ("\nInput:",)),
        ("Name: x\nInput: y", ("\n\n",)),
    ):
        shown = [Example(id="d", input="sea", outputs=(answer,))]
        assert renderer.stops(demonstrate("Write.", shown, "sky")) == stops
