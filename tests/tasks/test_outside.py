"""A task folder, which may be a stranger's, is read from itself alone."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.tasks.catalogue import load_task
from benchmarks.tasks.loading import BUNDLED_FOLDERS, load_folder, read_spec
from strategies.errors import DataError

SPEC = "id: t\ntitle: T\nkind: qa\ninstruction: Answer.\nmetric: exact_match\n"
ITEM = '{"input": "How many days?", "output": "two"}\n'
SECRET = "The secret is 4711."


def a_task(folder: Path, further: str = "") -> Path:
    folder.mkdir(parents=True)
    (folder / "task.yaml").write_text(SPEC + further)
    (folder / "test.jsonl").write_text(ITEM)
    return folder


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    folder = tmp_path / "secret"
    folder.mkdir()
    (folder / "notes.md").write_text(SECRET)
    (folder / "data.db").write_bytes(b"")
    (folder / "items.jsonl").write_text(ITEM.replace("two", "secret"))
    (folder / "task.yaml").write_text(SPEC)
    return folder


@pytest.mark.parametrize(
    "further",
    [
        "corpus: ../secret",
        "corpus: {}",
        "corpus: inner/../../secret",
        "corpus: ..",
        "database: ../secret/data.db",
        "database: {}/data.db",
        "hashes: {{../secret/notes.md: ab}}",
        "hashes: {{'{}/notes.md': ab}}",
    ],
)
def test_a_path_that_leads_out_of_a_task_folder_is_refused(
    tmp_path: Path, secret: Path, further: str
) -> None:
    folder = a_task(tmp_path / "task", further.format(secret))
    with pytest.raises(DataError) as raised:
        load_folder(folder)
    said = str(raised.value)
    assert said.count("\n") == 2, said
    assert "leads out of the task folder" in said
    assert SECRET not in said


def linked(place: str, target: str) -> Callable[[Path, Path], None]:
    def make(folder: Path, secret: Path) -> None:
        link = folder / place
        link.parent.mkdir(exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(secret / target)

    return make


@pytest.mark.parametrize(
    "make",
    [
        linked("test.jsonl", "items.jsonl"),
        linked("train.jsonl", "items.jsonl"),
        linked("corpus", ""),
        linked("corpus/a.md", "notes.md"),
        linked("task.yaml", "task.yaml"),
        linked("corpus", "../task/corpus"),
    ],
    ids=["test", "train", "corpus", "page", "spec", "loop"],
)
def test_a_link_out_of_a_task_folder_is_refused(
    tmp_path: Path, secret: Path, make: Callable[[Path, Path], None]
) -> None:
    folder = a_task(tmp_path / "task", "corpus: corpus\n")
    make(folder, secret)
    with pytest.raises(DataError) as raised:
        load_folder(folder)
    assert "leads out of the task folder" in str(raised.value)
    assert SECRET not in str(raised.value)


def test_links_within_a_task_folder_and_to_it_are_fine(tmp_path: Path) -> None:
    folder = a_task(tmp_path / "task", "corpus: pages\n")
    (folder / "store").mkdir()
    (folder / "store" / "a.md").write_text("A page.")
    (folder / "pages").symlink_to("store")
    (folder / "validation.jsonl").symlink_to("other.jsonl")
    (folder / "other.jsonl").write_text(ITEM.replace("How", "So how"))
    (tmp_path / "linked").symlink_to(folder)
    task = load_folder(tmp_path / "linked")
    assert [passage.text for passage in task.corpus] == ["A page."]
    assert len(task.validation) == 1


def test_a_bundled_corpus_is_named_by_its_task(tmp_path: Path) -> None:
    task = load_folder(a_task(tmp_path / "task", "corpus: bundled:handbook-qa\n"))
    assert task.corpus == load_task("handbook-qa").corpus


@pytest.mark.parametrize("name", ["", "..", "no-such-task", "../../x", "ticket-triage"])
def test_an_unknown_bundled_corpus_is_refused_with_those_that_are(
    tmp_path: Path, name: str
) -> None:
    folder = a_task(tmp_path / "task", f"corpus: 'bundled:{name}'\n")
    with pytest.raises(DataError, match="is no bundled one; these are: bundled:handbook-qa"):
        load_folder(folder)


def test_a_bundled_task_that_shares_a_corpus_can_be_copied_and_keeps_its_hash(
    tmp_path: Path,
) -> None:
    # The hash of the committed run of reports/runs/handbook-reply.
    before = "6ea54b6023eb6e47dd8e5f4db97ab02b3ec9fc4bec1ecbedc2fe6eb34ed42a5a"
    task = load_task("handbook-reply")
    assert task.sha256 == before
    shutil.copytree(BUNDLED_FOLDERS / "handbook-reply", tmp_path / "mine")
    assert load_folder(tmp_path / "mine").corpus == task.corpus
    assert read_spec(tmp_path / "mine").corpus == "bundled:handbook-qa"
