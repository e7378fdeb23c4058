"""RESTAURANTS-8K: the slots of a restaurant booking out of one turn of a guest, as JSON.

An eighth of the published training set, as its authors cut it, is trained and validated on.

Source: Coope et al. 2020, arXiv:2005.08866.
"""

from __future__ import annotations

import json
from typing import Any

from benchmarks.tasks.recipes.recipe import Files, Recipe, from_github, without_leaks
from benchmarks.tasks.task import Item, Splits, TaskSpec, fixed_order

FOLDER = "restaurant8k"
REPOSITORY = "PolyAI-LDN/task-specific-datasets"
COMMIT = "57ec275d8078af65b7731c2a98be812d844a6d6b"
SHA256 = {
    "train_3.json": "9eb9d0cfd4de0a73c702cb1f199bcac121966d19bdad31ed0d5aaae13fdd6fe3",
    "test.json": "31dbbb2fa36319f9f1f2c3ed441619ebf6e081f82aefd484b98caf86cd826ab0",
}
TEST_ITEMS = 200
VALIDATION_ITEMS = 120
SLOTS = ("people", "date", "time", "first_name", "last_name")


def convert(files: Files) -> Splits:
    """One item a turn; turns that only differ in case or punctuation are kept once."""
    test = without_leaks(_items(files, "test.json", "test"))[:TEST_ITEMS]
    known = without_leaks(_items(files, "train_3.json", "train"), test)
    return Splits(
        train=known[VALIDATION_ITEMS:],
        validation=known[:VALIDATION_ITEMS],
        test=test,
    )


def _items(files: Files, name: str, prefix: str) -> tuple[Item, ...]:
    turns = json.loads(files[f"{FOLDER}/{name}"].read_text(encoding="utf-8"))
    turns = turns["examples"] if isinstance(turns, dict) else turns
    items = [
        Item(id=f"{prefix}-{number}", input=_input(turn), outputs=(_output(turn),))
        for number, turn in enumerate(turns, start=1)
    ]
    return tuple(sorted(items, key=lambda item: fixed_order(item.id)))


def _input(turn: dict[str, Any]) -> str:
    asked = turn.get("context", {}).get("requestedSlots", [])
    said = f"Guest: {turn['userInput']['text']}"
    return f"Asked for: {', '.join(asked)}\n{said}" if asked else said


def _output(turn: dict[str, Any]) -> str:
    text = turn["userInput"]["text"]
    slots = {}
    for label in turn.get("labels", []):
        span = label["valueSpan"]
        # A span that begins with the text leaves its start out.
        slots[label["slot"]] = text[span.get("startIndex", 0) : span["endIndex"]]
    return json.dumps({slot: slots[slot] for slot in SLOTS if slot in slots}, ensure_ascii=False)


RECIPE = Recipe(
    spec=TaskSpec(
        id="restaurant8k",
        title="Slots of a restaurant booking as JSON (RESTAURANTS-8K)",
        kind="extraction",
        instruction="Extract what the guest says about the booking, word for word, as one JSON "
        f"object with these keys: {', '.join(SLOTS)}. Leave out keys that the guest says nothing "
        "about. Answer {} if there is nothing.",
        metric="field_f1",
        metrics=("json_validity",),
        max_new_tokens=64,
        licence="CC BY 4.0",
        source=f"https://github.com/{REPOSITORY}/tree/{COMMIT}/span_extraction/restaurant8k",
        answers={
            "task_kind": "extraction",
            "knowledge": "none",
            "behaviour": ["format"],
            "eval_items": TEST_ITEMS,
        },
    ),
    variants=(from_github(REPOSITORY, COMMIT, "span_extraction/restaurant8k/", FOLDER, SHA256),),
    convert=convert,
)
