"""TweetEval emotion: tweets into anger, joy, optimism or sadness.

Source: Barbieri et al. 2020, arXiv:2010.12421; SemEval-2018 task 1, Mohammad et al. 2018.
"""

from __future__ import annotations

from benchmarks.tasks.recipes.recipe import (
    Files,
    Recipe,
    classify,
    from_github,
    without_leaks,
)
from benchmarks.tasks.task import Item, Splits, TaskSpec

LABELS = ("anger", "joy", "optimism", "sadness")
FOLDER = "tweeteval/emotion"
REPOSITORY = "cardiffnlp/tweeteval"
COMMIT = "4fbd22cd78421f05b1ecdb4fc5725bc7a7bd8f66"
SHA256 = {
    "train_text.txt": "2c62f67aeb3eac1aea0e5a9c3d0f4bc337992581f3f858061786a1fb4d79d95e",
    "train_labels.txt": "987e767d8679e18abdf7de37a6d2bcd0a40a296ddd704e8d515cf0e3033c8d9c",
    "val_text.txt": "e2e30c86b8cbb97944d6543aedc06eace3bb275cb2f381aba787b838b4f23ca5",
    "val_labels.txt": "313730630160b7e0a6b4235b800c76683f4aeeb72d094eb69646630cd5cfe338",
    "test_text.txt": "7e1070f5d3e3fcece5bc73680bff9981e90d8f7b2f1009bfe7a01d059d1c6091",
    "test_labels.txt": "245072348c711961785be6d395997f97cf7fcda3effeae7805664171dc75f913",
}


def convert(files: Files) -> Splits:
    """The published splits; training tweets that stand in another split are left out."""
    validation, test = _items(files, "val"), _items(files, "test")
    train = without_leaks(_items(files, "train"), validation, test)
    return Splits(train=train, validation=without_leaks(validation, test), test=test)


def _items(files: Files, split: str) -> tuple[Item, ...]:
    texts = files[f"{FOLDER}/{split}_text.txt"].read_text(encoding="utf-8").split("\n")
    labels = files[f"{FOLDER}/{split}_labels.txt"].read_text(encoding="utf-8").split()
    return tuple(
        Item(id=f"{split}-{number}", input=text.strip(), outputs=(LABELS[int(label)],))
        for number, (text, label) in enumerate(zip(texts, labels, strict=False), start=1)
    )


RECIPE = Recipe(
    spec=TaskSpec(
        id="tweeteval-emotion",
        title="Emotion of a tweet (TweetEval)",
        kind="classification",
        instruction=classify("Which emotion does this tweet express?", LABELS),
        labels=LABELS,
        metric="accuracy",
        metrics=("macro_f1",),
        max_new_tokens=8,
        language="en",
        licence="no extra restrictions by TweetEval; Twitter's terms apply",
        source=f"https://github.com/{REPOSITORY}/tree/{COMMIT}/datasets/emotion",
        answers={
            "task_kind": "classification",
            "knowledge": "none",
            "behaviour": ["label_set"],
            "classes": len(LABELS),
            "labelled_examples": 3257,
            "eval_items": 1421,
        },
    ),
    variants=(from_github(REPOSITORY, COMMIT, "datasets/emotion/", FOLDER, SHA256),),
    convert=convert,
)
