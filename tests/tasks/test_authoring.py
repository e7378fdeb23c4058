"""From what was written to frozen splits: deterministic, grouped, stratified, plausible typos."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.tasks.authoring import author, main, misspelt, split_by_group
from benchmarks.tasks.loading import BUNDLED_FOLDERS, load_folder
from benchmarks.tasks.task import SPLITS, Item, Split
from strategies.errors import DataError
from strategies.hashing import sha256_of_file

LABELS = ("billing", "access", "stock")
TARGETS: dict[Split, int] = {"train": 60, "validation": 20, "test": 40}


def items(count: int, group_size: int = 1) -> list[Item]:
    return [
        Item(
            id=f"i{n}",
            input=f"please look at the broken printer number {n} on the second floor",
            outputs=(LABELS[(n // group_size) % 3],),
            group=f"g{n // group_size}",
        )
        for n in range(count)
    ]


def authored_folder(folder: Path, count: int = 240) -> Path:
    folder.mkdir()
    spec = {
        "id": "t",
        "title": "T",
        "kind": "classification",
        "instruction": "Route it.",
        "labels": list(LABELS),
        "metric": "accuracy",
        "misspell_rate": 0.1,
    }
    (folder / "task.yaml").write_text("# A comment to keep.\n" + yaml.safe_dump(spec))
    rows = [
        {"id": i.id, "input": i.input, "output": i.output, "group": i.group}
        for i in items(count, 2)
    ]
    (folder / "authored.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


@pytest.mark.parametrize("group_size", [1, 2, 4])
def test_no_group_straddles_splits_and_sizes_are_met(group_size: int) -> None:
    splits = split_by_group(items(120, group_size), TARGETS)
    assert {split: len(found) for split, found in splits.items()} == TARGETS
    places: dict[str | None, set[str]] = {}
    for split in SPLITS:
        for item in splits[split]:
            places.setdefault(item.group, set()).add(split)
    assert all(len(where) == 1 for where in places.values())


def test_every_split_has_every_label_in_its_share() -> None:
    splits = split_by_group(items(120), TARGETS)
    for split, size in TARGETS.items():
        counts = Counter(item.output for item in splits[split])
        assert all(abs(counts[label] - size / 3) <= 1 for label in LABELS), split


def test_the_order_in_which_items_were_written_does_not_matter() -> None:
    written = items(120, 2)
    assert split_by_group(written, TARGETS) == split_by_group(written[::-1], TARGETS)


@given(st.text(max_size=200), st.floats(min_value=0, max_value=1))
def test_misspelling_keeps_digits_codes_and_short_words(text: str, rate: float) -> None:
    item = Item(
        id="x", input="PRN-7731 at 10:45, ask bob@corp.example/path " + text, outputs=("y",)
    )
    changed = misspelt(item, rate).input
    assert changed.startswith("PRN-7731 at 10:45, ask bob@corp.example/path ")
    assert [c for c in changed if c.isdigit()] == [c for c in item.input if c.isdigit()]
    assert len(changed.split()) == len(item.input.split())


def test_the_rate_is_the_share_of_words_and_typos_are_one_step_away() -> None:
    words = " ".join(["keyboard"] * 4000)
    item = Item(id="x", input=words, outputs=("y",))
    changed = [word for word in misspelt(item, 0.1).input.split() if word != "keyboard"]
    # Binomial(4000, .1): four standard deviations are 76.
    assert abs(len(changed) - 400) < 76
    assert all(word[0] == "k" and 7 <= len(word) <= 9 for word in changed)
    assert misspelt(item, 0.0) == item
    assert misspelt(item, 0.1) == misspelt(item, 0.1)


def test_authoring_writes_a_task_that_loads_and_the_same_bytes_again(tmp_path: Path) -> None:
    folder = authored_folder(tmp_path / "t")
    assert author(folder) == {"train": 50, "validation": 40, "test": 150}
    first = {path.name: path.read_bytes() for path in folder.iterdir()}
    author(folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == first
    assert b"# A comment to keep." in first["task.yaml"]
    assert len(load_folder(folder).test) == 150


def test_the_pages_of_a_corpus_are_pinned_too(tmp_path: Path) -> None:
    folder = authored_folder(tmp_path / "t")
    page = folder / "docs" / "house" / "a.md"
    page.parent.mkdir(parents=True)
    page.write_text("A page.")
    with (folder / "task.yaml").open("a") as stream:
        stream.write("corpus: docs\n")
    author(folder)
    assert "  docs/house/a.md: " in (folder / "task.yaml").read_text()
    page.write_text("Another page.")
    with pytest.raises(DataError, match=r"docs/house/a\.md: has SHA-256"):
        load_folder(folder)


def test_the_pages_of_a_bundled_corpus_are_pinned_too(tmp_path: Path) -> None:
    folder = authored_folder(tmp_path / "t")
    with (folder / "task.yaml").open("a") as stream:
        stream.write("corpus: bundled:handbook-qa\n")
    author(folder)
    text = (folder / "task.yaml").read_text()
    page = next(iter(sorted((BUNDLED_FOLDERS / "handbook-qa" / "corpus").glob("*.md"))))
    assert f"  corpus/{page.name}: {sha256_of_file(page)}\n" in text
    assert load_folder(folder).corpus
    (folder / "task.yaml").write_text(text.replace(sha256_of_file(page), "a" * 64))
    with pytest.raises(DataError, match=f"corpus/{page.name}: has SHA-256"):
        load_folder(folder)


def test_a_split_edited_by_hand_is_noticed(tmp_path: Path) -> None:
    folder = authored_folder(tmp_path / "t")
    author(folder)
    with (folder / "test.jsonl").open("a") as stream:
        stream.write('{"id": "extra", "input": "quite new", "output": "stock"}\n')
    with pytest.raises(DataError, match=r"test\.jsonl: has SHA-256"):
        load_folder(folder)


def test_too_few_written_items_are_refused_and_nothing_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = authored_folder(tmp_path / "t", 100)
    assert main([str(folder)]) == DataError.exit_code
    assert "holds 100 items; more than 190 are needed" in capsys.readouterr().err
    assert not (folder / "test.jsonl").exists()
