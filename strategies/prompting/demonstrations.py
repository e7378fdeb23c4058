"""In-context learning: solved examples are shown as earlier turns of the chat."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from strategies.data import Example, Message, Need, Prompt, TaskData
from strategies.embedding import Embedder
from strategies.method import Prompter, Prompting

if TYPE_CHECKING:
    import numpy as np


class DemonstrationPrompting(Prompting):
    """The instruction, k solved examples, then the input.

    Attributes:
        count: k, demonstrations a prompt.
        selection: ``balanced`` draws one set for all items, the answers of a closed set in
            turn; ``nearest`` takes for every item the training examples whose inputs are most
            similar, the most similar one last (Liu et al. 2022, arXiv:2101.06804).
    """

    kind: Literal["demonstrations"] = "demonstrations"
    count: int = Field(default=4, ge=1, le=100_000)
    selection: Literal["balanced", "nearest"] = "balanced"
    needs: ClassVar[frozenset[Need]] = frozenset({"train"})

    @property
    def seeded(self) -> bool:
        """See `Prompting.seeded`; the nearest examples are the same under every seed."""
        return self.selection == "balanced"

    def prepare(self, data: TaskData, embedder: Embedder, seed: int) -> Prompter:
        """See `Prompting.prepare`; the seed decides which balanced examples are drawn."""
        if self.selection == "nearest":
            return _NearestPrompter(data, self.count, embedder)
        return _BalancedPrompter(data, self.count, seed)


def demonstrate(instruction: str, shown: Sequence[Example], asked: str) -> Prompt:
    """A prompt in which solved examples precede the question as turns of the chat."""
    turns = [Message(role="system", content=instruction.strip())]
    for example in shown:
        turns.append(Message(role="user", content=example.input))
        turns.append(Message(role="assistant", content=example.output))
    turns.append(Message(role="user", content=asked))
    return Prompt(messages=tuple(turns), demonstrations=tuple(example.id for example in shown))


class _BalancedPrompter:
    def __init__(self, data: TaskData, count: int, seed: int) -> None:
        self._instruction = data.instruction
        self._count = count
        # One more than shown, so that a training example can be left out of its own prompt.
        self._drawn = list(islice(_round_robin(data.train, seed), count + 1))

    def prompts(self, examples: Sequence[Example], *, training: bool = False) -> list[Prompt]:
        return [
            demonstrate(self._instruction, self._shown_to(example, training), example.input)
            for example in examples
        ]

    def _shown_to(self, example: Example, training: bool) -> list[Example]:
        others = (shown for shown in self._drawn if not (training and shown.id == example.id))
        return list(islice(others, self._count))


def _round_robin(examples: Sequence[Example], seed: int) -> Iterator[Example]:
    """Examples in a seeded order in which the answers of a closed set take turns."""
    shuffled = random.Random(seed).sample(list(examples), len(examples))
    shelves: dict[str, list[Example]] = defaultdict(list)
    for example in shuffled:
        shelves[example.output if example.choices else ""].append(example)
    while shelves:
        for answer in list(shelves):
            yield shelves[answer].pop()
            if not shelves[answer]:
                del shelves[answer]


class _NearestPrompter:
    def __init__(self, data: TaskData, count: int, embedder: Embedder) -> None:
        self._instruction = data.instruction
        self._count = count
        self._train = data.train
        self._embedder = embedder
        embedder.load()
        spent = embedder.seconds
        self._vectors = embedder.embed([example.input for example in data.train])
        self.index_seconds = embedder.seconds - spent
        self.index_bytes = self._vectors.nbytes

    def prompts(self, examples: Sequence[Example], *, training: bool = False) -> list[Prompt]:
        queries = self._embedder.embed_fresh([example.input for example in examples])
        return [
            demonstrate(self._instruction, self._shown_to(example, scores, training), example.input)
            for example, scores in zip(examples, queries @ self._vectors.T, strict=True)
        ]

    def _shown_to(self, example: Example, scores: np.ndarray, training: bool) -> list[Example]:
        # Rounded, because a batch and a single text differ in the last bits of a float32.
        best_first = (self._train[i] for i in (-scores.round(5)).argsort(kind="stable"))
        others = (shown for shown in best_first if not (training and shown.id == example.id))
        return list(islice(others, self._count))[::-1]
