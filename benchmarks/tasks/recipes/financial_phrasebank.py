"""Financial PhraseBank: sentiment of sentences from financial news, in finBERT's splits.

Source: Malo et al. 2014, doi:10.1002/asi.23062; splits of Araci 2019, arXiv:1908.10063.
"""

from __future__ import annotations

import csv

from benchmarks.tasks.recipes.recipe import (
    Files,
    Recipe,
    classify,
    from_github,
    without_leaks,
)
from benchmarks.tasks.task import Item, Splits, TaskSpec

LABELS = ("negative", "neutral", "positive")
FOLDER = "financial_phrasebank"
REPOSITORY = "pkatwate/finBERT"
COMMIT = "1a1fb2d1392b8008ac5a26a677eaae8a5b3f4b18"
SHA256 = {
    "train.csv": "19e0f6b5ee9a81d47de1a2b5288020e2eb02798ba309465c3c17074cbdda3f71",
    "validation.csv": "1e6bd3d0f2cd15a8695dd3a3e80ec312af6e003f247e1b46d8c3a6e1c29e452b",
    "test.csv": "c2ab820008712511a7fbd8037f6db4ea5cb8ac0c501177beb27d458cc3502a3d",
}


def convert(files: Files) -> Splits:
    """The splits of finBERT; sentences that stand in a later split too are left out."""
    test = _items(files, "test")
    validation = without_leaks(_items(files, "validation"), test)
    train = without_leaks(_items(files, "train"), validation, test)
    return Splits(train=train, validation=validation, test=test)


def _items(files: Files, split: str) -> tuple[Item, ...]:
    with files[f"{FOLDER}/{split}.csv"].open(encoding="utf-8", newline="") as stream:
        return tuple(
            Item(id=f"{split}-{number}", input=row["text"].strip(), outputs=(row["label"],))
            for number, row in enumerate(csv.DictReader(stream, delimiter="\t"), start=1)
        )


RECIPE = Recipe(
    spec=TaskSpec(
        id="financial-phrasebank",
        title="Sentiment of financial news (Financial PhraseBank)",
        kind="classification",
        instruction=classify(
            "What does this sentence mean for the company's share price, seen by an investor?",
            LABELS,
        ),
        labels=LABELS,
        metric="accuracy",
        metrics=("macro_f1",),
        max_new_tokens=8,
        language="en",
        licence="CC BY-NC-SA 3.0 (not for commercial use)",
        source=f"https://github.com/{REPOSITORY}/tree/{COMMIT}/data/sentiment_data",
        answers={
            "task_kind": "classification",
            "knowledge": "none",
            "behaviour": ["label_set"],
            "classes": len(LABELS),
            "labelled_examples": 3488,
            "eval_items": 970,
        },
    ),
    variants=(from_github(REPOSITORY, COMMIT, "data/sentiment_data/", FOLDER, SHA256),),
    convert=convert,
)
