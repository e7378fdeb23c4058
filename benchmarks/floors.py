"""Baselines without a language model: what an adaptation has to beat to be worth its cost."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Protocol

from benchmarks.plan import FLOORS
from benchmarks.records import Cost, Response
from benchmarks.tasks.languages import index_terms
from benchmarks.tasks.task import Item, Task

if TYPE_CHECKING:
    import numpy as np

# Raised whenever the answers of any floor change.
FLOORS_VERSION = 2

Answer = tuple[str, tuple[str, ...]]
AnswerOne = Callable[[Item], Answer]

# A cut after ASCII needs white space, so 3.5 and example.com stay whole. What ends a sentence in
# Chinese, Japanese, Hindi, Arabic, Urdu, Armenian, Burmese, Khmer and Amharic has no other use.
_SENTENCE_END = re.compile(
    r"(?<=[.!?…])\s+(?=[A-Z0-9\"'(]|[^\x00-\x7f])"
    r"|(?<=[。！？｡।॥؟۔։။។።])\s*(?![。！？」』）】》”’\"')])"
    r"|\n+"
)


class TextEmbedder(Protocol):
    """What a floor needs of an embedder; `strategies.embedding.Embedder` is one.

    Attributes:
        seconds: what the embeddings that `embed` handed out cost when they were computed.
    """

    seconds: float

    def load(self) -> None:
        """Load the model now, so that no answer is timed with it."""
        ...

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """Unit vectors of texts that are needed again, one row a text."""
        ...

    def embed_fresh(self, texts: Sequence[str]) -> np.ndarray:
        """Unit vectors of queries, never from a cache."""
        ...


class Floor:
    """Answers items one by one, with a function that returns a text and ids of passages.

    Attributes:
        cost: what it took to make it ready.
    """

    def __init__(self, answer_one: AnswerOne, cost: Cost | None = None) -> None:
        """A floor that answers with a function."""
        self._answer_one = answer_one
        self.cost = cost or Cost(train_seconds=0.0, index_seconds=0.0, artifact_bytes=0)

    def answer(
        self, items: Sequence[Item], *, free: bool = False, known: Collection[str] = ()
    ) -> Iterator[Response]:
        """One response an item, in order; a floor answers the same when it answers freely."""
        for item in items:
            if item.id in known:
                continue
            start = time.perf_counter()
            text, passages = self._answer_one(item)
            seconds = time.perf_counter() - start
            yield Response(id=item.id, text=text, seconds=seconds, passages=passages)


def floors_for(task: Task) -> tuple[str, ...]:
    """Names of the floors that a task allows, cheapest first."""
    allowed = {
        "majority": bool(task.train),
        "copy": task.kind in ("rewriting", "generation"),
        "tfidf-lr": task.kind == "classification" and len({i.output for i in task.train}) > 1,
        "nearest-answer": bool(task.train),
        "best-sentence": task.kind == "qa" and bool(task.corpus),
    }
    return tuple(name for name in FLOORS if allowed[name])


def prepare_floor(name: str, task: Task, embedder: Callable[[], TextEmbedder]) -> Floor:
    """A floor made ready for a task.

    Args:
        name: one of `floors_for`.
        task: what it may learn from.
        embedder: loads the embedder; not called by floors that need none.

    Raises:
        KeyError: there is no such floor.
    """
    makers: dict[str, Callable[[], Floor]] = {
        "majority": lambda: majority(task.train),
        "copy": copy,
        "tfidf-lr": lambda: tfidf_lr(task.train),
        "nearest-answer": lambda: nearest_answer(task.train, embedder()),
        "best-sentence": lambda: best_sentence(task, embedder()),
    }
    return makers[name]()


def majority(train: Sequence[Item]) -> Floor:
    """The most frequent training answer; where choices are given, the most frequent position.

    Of equally frequent answers the one that comes first in training is taken.
    """
    text = Counter(item.output for item in train).most_common(1)[0][0]
    positions = [position for item in train if (position := _position(item)) is not None]
    position = Counter(positions).most_common(1)[0][0] if positions else None

    def answer_one(item: Item) -> Answer:
        if item.choices is None or position is None:
            return text, ()
        return item.choices[min(position, len(item.choices) - 1)], ()

    return Floor(answer_one)


def _position(item: Item) -> int | None:
    if item.choices is None or item.output not in item.choices:
        return None
    return item.choices.index(item.output)


def copy() -> Floor:
    """The input as it stands."""
    return Floor(lambda item: (item.input, ()))


def tfidf_lr(train: Sequence[Item]) -> Floor:
    """Logistic regression over TF-IDF of words, scikit-learn's defaults.

    Scripts without spaces between words count by single characters and pairs of them.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    words = TfidfVectorizer(tokenizer=index_terms, token_pattern=None)
    model = make_pipeline(words, LogisticRegression(max_iter=1000))
    start = time.perf_counter()
    model.fit([item.input for item in train], [item.output for item in train])
    cost = Cost(train_seconds=time.perf_counter() - start, index_seconds=0.0)
    return Floor(lambda item: (str(model.predict([item.input])[0]), ()), cost)


def nearest_answer(train: Sequence[Item], embedder: TextEmbedder) -> Floor:
    """The answer of the most similar training input, or the choice that is most like it."""
    embedder.load()
    inputs = embedder.embed([item.input for item in train])
    cost = Cost(train_seconds=0.0, index_seconds=embedder.seconds, artifact_bytes=inputs.nbytes)

    def answer_one(item: Item) -> Answer:
        query = embedder.embed_fresh([item.input])[0]
        text = train[int((inputs @ query).argmax())].output
        if item.choices is None or text in item.choices:
            return text, ()
        wanted, *choices = embedder.embed_fresh([text, *item.choices])
        similar = [float(choice @ wanted) for choice in choices]
        return item.choices[similar.index(max(similar))], ()

    return Floor(answer_one, cost)


def best_sentence(task: Task, embedder: TextEmbedder) -> Floor:
    """The sentence most similar to the question, out of the most similar passage."""
    embedder.load()
    passages = embedder.embed([f"{passage.title}\n{passage.text}" for passage in task.corpus])
    cost = Cost(train_seconds=0.0, index_seconds=embedder.seconds, artifact_bytes=passages.nbytes)

    def answer_one(item: Item) -> Answer:
        query = embedder.embed_fresh([item.input])[0]
        passage = task.corpus[int((passages @ query).argmax())]
        found = sentences(passage.text) or [passage.text]
        best = int((embedder.embed_fresh(found) @ query).argmax())
        return found[best], (passage.id,)

    return Floor(answer_one, cost)


def sentences(text: str) -> list[str]:
    """The sentences of a text, cut after a full stop, an exclamation or a question mark."""
    begins = [0]
    for end in _SENTENCE_END.finditer(text):
        # A small letter goes on with the sentence: "Смотри стр. шесть".
        if not text[end.end() : end.end() + 1].islower() or "\n" in end.group():
            begins.append(end.end())
    parts = (text[start:end].strip() for start, end in pairwise([*begins, len(text)]))
    return [part for part in parts if part]
