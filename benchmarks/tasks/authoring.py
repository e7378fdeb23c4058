"""Turns what was written for a bundled task into its frozen splits.

``python -m benchmarks.tasks.authoring FOLDER`` reads ``authored.jsonl``, misspells inputs at
the rate that ``task.yaml`` asks for, splits by ``group``, writes ``train.jsonl``,
``validation.jsonl`` and ``test.jsonl``, and pins their SHA-256 in ``task.yaml``. The same
input gives the same bytes.
"""

from __future__ import annotations

import json
import random
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.tasks.corpus import corpus_files
from benchmarks.tasks.loading import (
    BUNDLED_CORPUS,
    CORPUS_FOLDER,
    NEXT_STEP,
    SPEC_FILE,
    corpus_folder,
    parse_items,
    read_spec,
)
from benchmarks.tasks.problems import Problems
from benchmarks.tasks.reading import read_records
from benchmarks.tasks.task import SPLITS, Item, Split, TaskSpec, fixed_order
from strategies.errors import DataError
from strategies.hashing import sha256_of_file
from strategies.visible import shown, visible

AUTHORED_FILE = "authored.jsonl"
SEED = 20
TEST_ITEMS = 150
VALIDATION_ITEMS = 40

# What stands beside a key on a QWERTY keyboard.
_NEIGHBOURS = {
    "a": "sqz", "b": "vgn", "c": "xvd", "d": "sfe", "e": "wrd", "f": "dgr", "g": "fht",
    "h": "gjy", "i": "uok", "j": "hku", "k": "jli", "l": "kop", "m": "nj", "n": "bmh",
    "o": "ipl", "p": "ol", "q": "wa", "r": "etf", "s": "adw", "t": "ryg", "u": "yij",
    "v": "cbf", "w": "qes", "x": "zcs", "y": "tuh", "z": "xa",
}  # fmt: skip
# A plain lower-case word of four letters or more; names, codes and addresses stay as they are.
_WORD = re.compile(r"(?<![\w@/.\-'#:])[a-z]{4,}(?![\w@/\-'])(?!\.\w)")


def author(folder: Path) -> dict[Split, int]:
    """Write the splits of a bundled task and pin them.

    Args:
        folder: holds ``task.yaml`` and ``authored.jsonl``.

    Returns:
        The number of items of each split.

    Raises:
        DataError: something in the folder cannot be used; nothing is written then.
    """
    spec = read_spec(folder)
    items = _authored(folder, spec)
    splits = split_by_group(items, _targets(len(items)))
    for name in SPLITS:
        written = [item_line(misspelt(item, spec.misspell_rate)) for item in splits[name]]
        (folder / f"{name}.jsonl").write_text("".join(written), encoding="utf-8", newline="\n")
    _pin(folder, spec)
    return {name: len(splits[name]) for name in SPLITS}


def misspelt(item: Item, rate: float) -> Item:
    """The item with each plain word of its input misspelt with probability `rate`.

    A misspelling swaps, drops or doubles a letter or hits a neighbouring key; the first
    letter stays. The same id and input give the same misspellings.
    """
    draw = random.Random(fixed_order(item.id, SEED))

    def change(found: re.Match[str]) -> str:
        word = found.group()
        return _typo(word, draw) if draw.random() < rate else word

    return item.model_copy(update={"input": _WORD.sub(change, item.input)})


def split_by_group(items: Sequence[Item], targets: Mapping[Split, int]) -> dict[Split, list[Item]]:
    """Splits of about the wanted sizes in which every label has about its share.

    Items of one group stay together; an item without a group is a group of its own. Large
    groups are placed first, each where its labels are missed most.

    Args:
        items: what to split; the first output counts as the label.
        targets: wanted number of items of each split, together the number of items.
    """
    strata = _strata(items)
    missing = {
        split: {label: size * count / len(items) for label, count in Counter(strata).items()}
        for split, size in targets.items()
    }
    label_of = {item.id: label for item, label in zip(items, strata, strict=True)}
    room = dict(targets)
    splits: dict[Split, list[Item]] = {split: [] for split in SPLITS}
    for group in _groups(items):
        labels = [label_of[item.id] for item in group]
        split = _neediest(labels, missing, room)
        splits[split] += group
        room[split] -= len(group)
        for label in labels:
            missing[split][label] -= 1
    return {split: sorted(found, key=_order) for split, found in splits.items()}


def item_line(item: Item) -> str:
    """An item as a line of a split's .jsonl file."""
    fields: dict[str, object] = {"id": item.id, "input": item.input}
    if len(item.outputs) == 1:
        fields["output"] = item.output
    else:
        fields["outputs"] = list(item.outputs)
    if item.passages:
        fields["passages"] = list(item.passages)
    if item.choices:
        fields["choices"] = list(item.choices)
    if item.group:
        fields["group"] = item.group
    if item.checks:
        fields["checks"] = [
            check.model_dump(mode="json", exclude_defaults=True) for check in item.checks
        ]
    return json.dumps(fields | dict(item.slices), ensure_ascii=False) + "\n"


def _authored(folder: Path, spec: TaskSpec) -> list[Item]:
    path = folder / AUTHORED_FILE
    problems = Problems(f"Task folder {folder}", NEXT_STEP)
    items, _ = parse_items(read_records(path, problems), spec, "train", path, problems)
    if len(items) <= TEST_ITEMS + VALIDATION_ITEMS:
        wanted = TEST_ITEMS + VALIDATION_ITEMS
        problems.add(path, f"holds {len(items)} items; more than {wanted} are needed")
    problems.raise_if_any()
    return items


def _targets(count: int) -> dict[Split, int]:
    train = count - TEST_ITEMS - VALIDATION_ITEMS
    return {"train": train, "validation": VALIDATION_ITEMS, "test": TEST_ITEMS}


def _groups(items: Sequence[Item]) -> list[list[Item]]:
    members: dict[str, list[Item]] = defaultdict(list)
    for item in items:
        members[f"group {item.group}" if item.group else f"item {item.id}"].append(item)
    names = sorted(members, key=lambda name: (-len(members[name]), fixed_order(name, SEED)))
    return [members[name] for name in names]


def _neediest(
    labels: Sequence[str],
    missing: Mapping[Split, Mapping[str, float]],
    room: Mapping[Split, int],
) -> Split:
    fitting = [split for split in SPLITS if room[split] >= len(labels)]

    def need(split: Split) -> tuple[float, float]:
        wanted = sum(missing[split].values()) or 1.0
        return sum(missing[split][label] for label in labels) / wanted, room[split]

    return max(fitting, key=need) if fitting else "train"


def _strata(items: Sequence[Item]) -> list[str]:
    outputs = [item.output for item in items]
    # Open answers are nearly all different, and a stratum of one cannot be split.
    return outputs if len(set(outputs)) <= len(items) / 5 else [""] * len(items)


def _order(item: Item) -> str:
    return fixed_order(item.id, SEED)


def _typo(word: str, draw: random.Random) -> str:
    place = draw.randrange(1, len(word))
    kind = draw.choice(("swap", "drop", "double", "neighbour"))
    before, letter, after = word[:place], word[place], word[place + 1 :]
    if kind == "swap" and after and after[0] != letter:
        return before + after[0] + letter + after[1:]
    if kind == "drop":
        return before + after
    if kind == "double":
        return before + letter + letter + after
    return before + draw.choice(_NEIGHBOURS[letter]) + after


def _pin(folder: Path, spec: TaskSpec) -> None:
    path = folder / SPEC_FILE
    files = {f"{split}.jsonl": folder / f"{split}.jsonl" for split in SPLITS}
    if spec.corpus is not None:
        corpus = corpus_folder(folder, spec.corpus)
        called = CORPUS_FOLDER if spec.corpus.startswith(BUNDLED_CORPUS) else spec.corpus
        for file in corpus_files(corpus):
            files[(Path(called) / file.relative_to(corpus)).as_posix()] = file
    pinned = "".join(f"  {name}: {sha256_of_file(file)}\n" for name, file in files.items())
    kept = re.sub(r"^hashes:.*\n(?:[ \t]+.*\n|\n(?=[ \t]))*", "", _read(path), flags=re.MULTILINE)
    block = f"hashes:\n{pinned}"
    path.write_text(kept.rstrip("\n") + "\n" + block, encoding="utf-8", newline="\n")


def _read(path: Path) -> str:
    text = path.read_text(encoding="utf-8")
    return text if text.endswith("\n") else text + "\n"


def main(arguments: Sequence[str]) -> int:
    """Author the folders named on the command line; 0, or the exit code of the first error."""
    if not arguments:
        sys.stderr.write("usage: python -m benchmarks.tasks.authoring FOLDER...\n")
        return 2
    for name in arguments:
        try:
            sizes = author(Path(name))
        except DataError as error:
            sys.stderr.write(f"{visible(str(error))}\n")
            return error.exit_code
        listed = ", ".join(f"{split} {size}" for split, size in sizes.items())
        sys.stdout.write(f"{shown(name)}: {listed}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
