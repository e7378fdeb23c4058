"""The bundled tasks: complete, licensed, pinned, and without near-duplicates across splits."""

from __future__ import annotations

import pytest

from benchmarks.tasks.authoring import AUTHORED_FILE
from benchmarks.tasks.catalogue import bundled_folder, bundled_tasks, load_task
from benchmarks.tasks.metrics import aggregate
from benchmarks.tasks.task import SPLITS, Item

NAMES = [spec.id for spec in bundled_tasks()]
SHINGLE_WORDS = 5
NEAR = 0.5


def test_the_four_bundled_tasks_are_there() -> None:
    assert NAMES == ["handbook-qa", "handbook-reply", "release-json", "ticket-triage"]


@pytest.mark.parametrize("name", NAMES)
def test_a_bundled_task_is_complete(name: str) -> None:
    task = load_task(name)
    folder = bundled_folder(name)
    assert task.id == folder.name
    assert (folder / AUTHORED_FILE).is_file()
    assert len(task.test) == 150
    assert len(task.validation) == 40
    assert len(task.train) >= 140
    assert task.licence
    assert task.answers


# As the committed runs know them.
PINNED = {
    "handbook-qa": "36acaaf25366b6f649fecb1b0dc9e860a765433b2a1c28633a5bdde2fe0758a4",
    "handbook-reply": "6ea54b6023eb6e47dd8e5f4db97ab02b3ec9fc4bec1ecbedc2fe6eb34ed42a5a",
    "release-json": "2270f76bab512fe7cae20404632c9327a68b2cbef6b9036d66e0e87ae283d876",
    "ticket-triage": "2a4ca9c38c81ebc03b7280b8b2888e816b9437f41ae3dc3f2199b415f3318000",
}


@pytest.mark.parametrize("name", NAMES)
def test_the_hash_of_a_bundled_task_stays(name: str) -> None:
    assert load_task(name).sha256 == PINNED[name]


@pytest.mark.parametrize("name", NAMES)
def test_no_group_of_a_bundled_task_straddles_splits(name: str) -> None:
    task = load_task(name)
    groups = [{item.group for item in getattr(task, split) if item.group} for split in SPLITS]
    train, validation, test = groups
    assert not (train & test or train & validation or validation & test)


@pytest.mark.parametrize("name", NAMES)
def test_near_duplicates_across_splits_stay_below_one_percent(name: str) -> None:
    from datasketch import MinHashLSH

    task = load_task(name)
    seen = MinHashLSH(threshold=NEAR, num_perm=128)
    for item in (*task.train, *task.validation):
        seen.insert(item.id, _signature(item))
    near = [item.id for item in task.test if seen.query(_signature(item))]
    assert len(near) / len(task.test) < 0.01, near


@pytest.mark.parametrize("name", NAMES)
def test_the_reference_answers_of_a_bundled_task_score_full_marks(name: str) -> None:
    task = load_task(name)
    texts = [item.output for item in task.test]
    assert aggregate(task, task.metric, task.test, texts) == 1.0


def _signature(item: Item):  # type: ignore[no-untyped-def]
    from datasketch import MinHash

    words = item.input.lower().split()
    last = max(1, len(words) - SHINGLE_WORDS + 1)
    signature = MinHash(num_perm=128, seed=1)
    for start in range(last):
        signature.update(" ".join(words[start : start + SHINGLE_WORDS]).encode())
    return signature
