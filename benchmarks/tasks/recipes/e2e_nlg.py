"""E2E NLG: a restaurant's attributes into a sentence, with several references each.

The published training set is large and noisy; the development set is trained on instead.

Source: Novikova et al. 2017, arXiv:1706.09254.
"""

from __future__ import annotations

import csv
import re

from benchmarks.tasks.checks import Check
from benchmarks.tasks.recipes.recipe import Files, Recipe, from_github
from benchmarks.tasks.task import Item, Splits, TaskSpec, fixed_order

FOLDER = "e2e_nlg"
REPOSITORY = "tuetschek/e2e-dataset"
COMMIT = "ab0d967dd5729ce455ef14ba9ffafc456a335264"
SHA256 = {
    "devset.csv": "fc26b78cdb849c80545f513b223d1e051138b43882eeb79e3eb153e689c864f9",
    "testset_w_refs.csv": "edc8db685e39bb9824d5bd70c18b1c9b0412d14b527aa960e2d1c8251ee15ccd",
}
TEST_ITEMS = 200
VALIDATION_ITEMS = 60
# Writers copy names word for word; they put other values into words of their own.
COPIED_SLOTS = ("name", "near")

_SLOT = re.compile(r"(\w+)\[([^\]]*)\]")


def convert(files: Files) -> Splits:
    """One item a meaning representation, with all sentences written for it."""
    known = _items(files, "devset.csv", "dev")
    return Splits(
        train=known[VALIDATION_ITEMS:],
        validation=known[:VALIDATION_ITEMS],
        test=_items(files, "testset_w_refs.csv", "test")[:TEST_ITEMS],
    )


def _items(files: Files, name: str, prefix: str) -> tuple[Item, ...]:
    sentences: dict[str, list[str]] = {}
    with files[f"{FOLDER}/{name}"].open(encoding="utf-8", newline="") as stream:
        for row in csv.DictReader(stream):
            sentences.setdefault(row["mr"], []).append(row["ref"].strip())
    items = [
        Item(
            id=f"{prefix}-{number}",
            input=meaning,
            outputs=tuple(dict.fromkeys(written)),
            checks=slot_checks(meaning),
        )
        for number, (meaning, written) in enumerate(sentences.items(), start=1)
    ]
    return tuple(sorted(items, key=lambda item: fixed_order(item.id)))


def slot_checks(meaning: str) -> tuple[Check, ...]:
    """What an answer to a meaning representation has to contain word for word."""
    slots = dict(_SLOT.findall(meaning))
    return tuple(
        Check(name=slot, kind="contains", any=(slots[slot],))
        for slot in COPIED_SLOTS
        if slot in slots
    )


RECIPE = Recipe(
    spec=TaskSpec(
        id="e2e-nlg",
        title="Restaurant attributes into a sentence (E2E NLG)",
        kind="generation",
        instruction="Write one or two natural sentences that recommend the place and state all "
        "of these attributes, and nothing else.",
        metric="rouge_l",
        metrics=("bleu", "checks"),
        max_new_tokens=64,
        language="en",
        licence="CC BY-SA 4.0",
        source=f"https://github.com/{REPOSITORY}/tree/{COMMIT}",
        answers={
            "task_kind": "generation",
            "knowledge": "none",
            "behaviour": ["style", "format"],
            "labelled_examples": 487,
            "eval_items": TEST_ITEMS,
        },
    ),
    variants=(from_github(REPOSITORY, COMMIT, "", FOLDER, SHA256),),
    convert=convert,
)
