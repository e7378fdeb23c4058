"""SQuAD 2.0 (development set): answerable questions, with all its paragraphs to search.

The answers stand in the corpus, so this task asks what retrieval is worth. Articles, not
questions, are split: no test question is about an article that was trained on.

Source: Rajpurkar et al. 2018, arXiv:1806.03822.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.tasks.corpus import slug
from benchmarks.tasks.recipes.recipe import (
    Files,
    Recipe,
    SourceFile,
    open_unpacked,
    without_leaks,
)
from benchmarks.tasks.task import Item, Splits, TaskSpec, fixed_order
from strategies.data import Passage

TEST_ARTICLES = 10
VALIDATION_ARTICLES = 3

OFFICIAL = SourceFile(
    path="squad_v2_dev/dev-v2.0.json",
    # As pinned by facebookresearch/ParlAI, parlai/tasks/squad2/build.py.
    sha256="80a5225e94905956a6446d296ca1093975c4d3b3260f1d6c8f68bc2ab77182d8",
    url="https://rajpurkar.github.io/SQuAD-explorer/dataset/dev-v2.0.json",
)
# One question a line: id, title, para, question, answers, is_impossible, context.
FROM_EXPLORER = SourceFile(
    path="squad_v2_dev/squad_v2_dev.jsonl.gz",
    sha256="139abe9f6c68df7962b022f68aa99da1035d745d47c389af56ed487923fd9722",
    url="https://github.com/rajpurkar/SQuAD-explorer/tree/"
    "e0c66cfec263165fb3c15cb76a22175e371b71d7/explore/v2.0/dev (pages, converted to JSON lines)",
)


@dataclass(frozen=True)
class Question:
    """One question of the data set, whichever file it came from."""

    id: str
    title: str
    paragraph: int
    context: str
    text: str
    answers: tuple[str, ...]

    @property
    def passage(self) -> str:
        """Id of the paragraph that holds the answer."""
        return f"{slug(self.title)}#{self.paragraph}"


def convert(files: Files) -> Splits:
    """Ten articles to test on, three to validate on, the rest to train on; all are searched."""
    questions = sorted(_questions(files), key=lambda q: (q.title, q.paragraph, q.id))
    titles = sorted({question.title for question in questions}, key=fixed_order)
    test_titles = set(titles[:TEST_ARTICLES])
    held_out = set(titles[TEST_ARTICLES : TEST_ARTICLES + VALIDATION_ARTICLES])
    test = _items(questions, test_titles)
    validation = without_leaks(_items(questions, held_out), test)
    train = _items(questions, set(titles) - test_titles - held_out)
    return Splits(
        train=without_leaks(train, validation, test),
        validation=validation,
        test=test,
        corpus=_corpus(questions),
    )


def _questions(files: Files) -> list[Question]:
    if OFFICIAL.path in files:
        return list(_official(files[OFFICIAL.path]))
    return list(_from_explorer(files[FROM_EXPLORER.path]))


def _official(path: Path) -> Iterator[Question]:
    with path.open(encoding="utf-8") as stream:
        articles: list[dict[str, Any]] = json.load(stream)["data"]
    for article in articles:
        for number, paragraph in enumerate(article["paragraphs"]):
            for question in paragraph["qas"]:
                yield Question(
                    id=question["id"],
                    title=article["title"],
                    paragraph=number,
                    context=paragraph["context"],
                    text=question["question"],
                    answers=tuple(answer["text"] for answer in question["answers"]),
                )


def _from_explorer(path: Path) -> Iterator[Question]:
    with open_unpacked(path) as stream:
        for line in stream:
            row = json.loads(line)
            yield Question(
                id=row["id"],
                title=row["title"],
                paragraph=row["para"],
                context=row["context"],
                text=row["question"],
                answers=() if row["is_impossible"] else tuple(row["answers"]),
            )


def _items(questions: list[Question], titles: set[str]) -> tuple[Item, ...]:
    return tuple(
        Item(
            id=question.id,
            input=question.text.strip(),
            outputs=tuple(dict.fromkeys(question.answers)),
            passages=(question.passage,),
            group=question.passage,
        )
        for question in questions
        if question.title in titles and question.answers
    )


def _corpus(questions: list[Question]) -> tuple[Passage, ...]:
    passages = {
        question.passage: Passage(
            id=question.passage,
            title=question.title.replace("_", " "),
            text=question.context.strip(),
        )
        for question in questions
    }
    return tuple(passages.values())


RECIPE = Recipe(
    spec=TaskSpec(
        id="squad-v2",
        title="Questions about Wikipedia articles (SQuAD 2.0, answerable, split by article)",
        kind="qa",
        instruction="Answer the question with the shortest phrase that answers it.",
        metric="token_f1",
        metrics=("exact_match", "answer_contained"),
        max_new_tokens=32,
        language="en",
        licence="CC BY-SA 4.0",
        source="https://rajpurkar.github.io/SQuAD-explorer/",
        answers={
            "task_kind": "qa",
            "knowledge": "static",
            "knowledge_tokens": 210000,
            "knowledge_private": False,
            "behaviour": ["format"],
            "labelled_examples": 4000,
            "eval_items": 1700,
        },
    ),
    variants=((OFFICIAL,), (FROM_EXPLORER,)),
    convert=convert,
)
