from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from benchmarks.floors import floors_for, prepare_floor, sentences
from benchmarks.tasks.task import Item, Task
from strategies.data import Passage
from tests.runner import material

WORDS = ("parcel", "invoice", "refund", "blue", "green", "days")


class CountingEmbedder:
    """Counts six words: texts with the same words point the same way."""

    seconds = 1.5

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        rows = np.array([[t.lower().count(w) + 1e-3 for w in WORDS] for t in texts])
        return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)

    embed_fresh = embed

    def load(self) -> None:
        pass


def no_embedder() -> CountingEmbedder:
    raise AssertionError("this floor needs no embedder")


def item(name: str, text: str, answer: str, choices: tuple[str, ...] | None = None) -> Item:
    return Item(id=name, input=text, outputs=(answer,), choices=choices)


def qa(train: Sequence[Item] = (), corpus: Sequence[Passage] = (), kind: str = "qa") -> Task:
    return Task(
        id="t",
        title="T",
        kind=kind,
        instruction="Answer.",
        metric="exact_match",
        sha256="0" * 64,
        train=tuple(train),
        test=(item("q", "When does my parcel come?", "in two days"),),
        corpus=tuple(corpus),
    )


def text_of(name: str, task: Task, asked: Item, embedder=CountingEmbedder) -> str:
    (response,) = prepare_floor(name, task, embedder).answer([asked])
    assert response.id == asked.id
    return response.text


@pytest.mark.parametrize(
    ("task", "wanted"),
    [
        (material.task(), ("majority", "tfidf-lr", "nearest-answer")),
        (qa(corpus=[Passage(id="a", text="x")]), ("best-sentence",)),
        (qa(train=[item("a", "b", "c")]), ("majority", "nearest-answer")),
        (qa(kind="rewriting"), ("copy",)),
        (qa(kind="extraction"), ()),
    ],
)
def test_a_task_gets_the_floors_that_its_kind_allows(task: Task, wanted: tuple[str, ...]) -> None:
    assert floors_for(task) == wanted


def test_no_logistic_regression_over_a_single_label() -> None:
    task = material.task()
    one = task.model_copy(update={"train": tuple(i for i in task.train if i.output == "billing")})
    assert "tfidf-lr" not in floors_for(one)


def test_the_majority_is_the_most_frequent_training_answer() -> None:
    # Of nine training items three are about billing.
    task = material.task()
    assert text_of("majority", task, task.test[0], no_embedder) == "delivery"
    open_task = qa([item("1", "x", "b"), item("2", "x", "a"), item("3", "x", "a")])
    assert text_of("majority", open_task, item("q", "?", ""), no_embedder) == "a"


def test_the_majority_of_a_multiple_choice_is_a_position() -> None:
    train = [
        item("1", "x", "cat", ("dog", "cat")),
        item("2", "x", "sun", ("moon", "sun")),
        item("3", "x", "tea", ("tea", "milk")),
    ]
    asked = item("q", "?", "red", ("red", "blue", "green"))
    assert text_of("majority", qa(train), asked, no_embedder) == "blue"


def test_a_copy_is_the_input() -> None:
    asked = item("q", "Dear all,\nhello", "")
    assert text_of("copy", qa(kind="rewriting"), asked, no_embedder) == "Dear all,\nhello"


def test_tfidf_finds_the_label_whose_words_the_input_has() -> None:
    task = material.task()
    for asked in task.test:
        assert text_of("tfidf-lr", task, asked, no_embedder) == asked.output


def test_the_nearest_answer_is_that_of_the_most_similar_input() -> None:
    train = [item("1", "my invoice", "pay it"), item("2", "a parcel", "wait")]
    assert text_of("nearest-answer", qa(train), item("q", "parcel parcel", "")) == "wait"


def test_the_nearest_answer_becomes_the_choice_most_like_it() -> None:
    train = [item("1", "my invoice", "green days"), item("2", "a parcel", "blue")]
    asked = item("q", "invoice", "x", ("blue refund", "green"))
    assert text_of("nearest-answer", qa(train), asked) == "green"


def test_the_best_sentence_comes_from_the_top_passage() -> None:
    corpus = [
        Passage(id="book#pay", text="An invoice is blue. Pay by days."),
        Passage(id="book#ship", text="A parcel is green. It takes 2.5 days! Ask for a refund?"),
    ]
    floor = prepare_floor("best-sentence", qa(corpus=corpus), CountingEmbedder)
    (response,) = floor.answer([item("q", "parcel days days", "")])
    assert response.text == "It takes 2.5 days!"
    assert response.passages == ("book#ship",)
    assert floor.cost.index_seconds == 1.5


def test_sentences_end_at_marks_before_white_space_alone() -> None:
    text = 'It costs 3.50 at example.com. Really?\nYes! "So be it." End'
    assert sentences(text) == [
        "It costs 3.50 at example.com.",
        "Really?",
        "Yes!",
        '"So be it." End',
    ]
