"""What an answerer makes of items: prompts that do not fit are cut as lm-eval's ``HFLM`` cuts."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.answerer import StrategyAnswerer
from benchmarks.tasks.task import Item
from strategies.data import TaskData
from strategies.errors import NotApplicableError
from strategies.inference import Engine
from strategies.models import ResolvedModel, load_model, load_tokenizer
from strategies.prompting.instruction import InstructionPrompting
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
    item = Item(id="long", input=LONG, outputs=("A",), choices=("A", "B"))
    (response,) = _answerer(tiny_model, 8).answer([item])
    # The newline of the chat template is scored with the choice, so a choice has two tokens.
    assert response.prompt_tokens == 512 - 1


def test_an_answer_as_long_as_the_context_is_refused(tiny_model: Path) -> None:
    item = Item(id="any", input="the sea", outputs=("red",))
    with pytest.raises(NotApplicableError, match="512 tokens, and the model's context holds 512"):
        list(_answerer(tiny_model, 512).answer([item]))
