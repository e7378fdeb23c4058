"""A cached file that is damaged is named, made again, and changes no answer."""

from __future__ import annotations

import logging
import os
import shutil
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.plan import Plan
from benchmarks.preparing import prepare_arm
from benchmarks.records import Cost
from benchmarks.store import ArtifactStore
from benchmarks.tasks.task import Item, Task
from strategies import model_files
from strategies.artifacts import CheckedFolders
from strategies.data import Example, Passage, TaskData
from strategies.embedding import Embedder
from strategies.errors import CacheError
from strategies.home import home
from strategies.method import registry
from strategies.models import ResolvedModel, resolve
from strategies.progress import silent
from strategies.prompting.retrieval import RetrievalPrompting
from strategies.search import Measured, Search, geometric
from tests.runner import material
from tests.runner.test_runner import answers, bench
from tests.tiny import HashingEmbedder, make_tiny_gguf

COLOURS = ("red", "blue")
CORPUS = tuple(
    Passage(id=f"d{n}#s", title=f"Part {n}", text=f"{word} is {COLOURS[n % 2]} here")
    for n, word in enumerate(["tomato", "sea", "brick", "sky", "fire", "ice"])
)
QUESTIONS = tuple(
    Example(id=f"q{n}", input=f"what colour has {p.text.split()[0]}", outputs=("red",))
    for n, p in enumerate(CORPUS)
)
DAMAGES: dict[str, Callable[[Path], object]] = {
    "a bit is flipped": lambda path: flip(path, len(path.read_bytes()) // 2),
    "emptied": lambda path: path.write_bytes(b""),
    "cut short": lambda path: path.write_bytes(path.read_bytes()[:-2]),
    "no JSON": lambda path: path.write_bytes(b"\x00{]" * 40),
    "gone": lambda path: path.unlink(),
    "a folder in its place": lambda path: (path.unlink(), path.mkdir()),
}


def flip(path: Path, place: int) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)


def cached_files(*, below: str = "") -> list[Path]:
    """Whatever a cache holds, damaged things that were moved aside and locks left out."""
    found = [path for path in (home() / below).rglob("*") if path.is_file()]
    return sorted(
        path
        for path in found
        if path.suffix != ".lock" and not any(part.startswith("damaged-") for part in path.parts)
    )


class CachedHashing(Embedder):
    """The real cache of embeddings, around vectors that need no model."""

    max_tokens = 64  # type: ignore[assignment]

    def __init__(self) -> None:
        super().__init__(ResolvedModel("hashing", Path(), "0" * 64), home() / "artifacts")

    def load(self) -> None:
        pass

    def count_tokens(self, text: str) -> int:
        return HashingEmbedder().count_tokens(text)

    def embed_fresh(self, texts: Sequence[str]) -> np.ndarray:
        return HashingEmbedder().embed(texts)


# ---------------------------------------------------------------- a tiny bench


def colours() -> Task:
    def items(split: str, count: int) -> tuple[Item, ...]:
        return tuple(
            Item(
                id=f"{split}-{n}",
                input=f"what colour has {CORPUS[n % 6].text.split()[0]} {n}",
                outputs=(COLOURS[n % 2],),
                choices=COLOURS,
            )
            for n in range(count)
        )

    return Task(
        id="colours",
        title="Colours",
        kind="classification",
        instruction="Answer with red or blue.",
        labels=COLOURS,
        metric="accuracy",
        sha256="0" * 64,
        max_new_tokens=4,
        train=items("train", 8),
        validation=items("validation", 4),
        test=items("test", 16),
        corpus=CORPUS,
    )


def answered(model: Path) -> list[dict[str, Any]]:
    """What retrieval with trained weights answers; timings aside."""
    method = registry().method("rag+lora").with_training(epochs=1, batch_size=4, max_tokens=64)
    plan = Plan(task="colours", model=str(model), methods=(method,), precision="fp32", threads=1)
    made = prepare_arm(plan, colours(), method, 0, ArtifactStore(), silent)
    given = [made.answerer.answer(colours().test, free=free) for free in (False, True)]
    return [each.model_dump(exclude={"seconds"}) for one in given for each in one]


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.fault("a bit of each file of each cache is flipped, one after the other")
def test_no_flipped_bit_of_a_cache_changes_an_answer(
    tiny_model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("ADVISOR_HOME", str(tmp_path / "home"))
    monkeypatch.setattr("benchmarks.preparing.load_embedder", lambda name: CachedHashing())
    model = make_tiny_gguf(tmp_path / "tiny.gguf", tiny_model)
    clean = answered(model)
    tops = {path.relative_to(home()).parts[0] for path in cached_files()}
    kinds = {
        path.relative_to(home() / "artifacts").parts[0] for path in cached_files(below="artifacts")
    }
    assert tops == {"artifacts", "digests", "models"}
    assert kinds == {"embeddings", "indexes", "rates", "starts", "weights"}
    for path in cached_files():
        flip(path, path.stat().st_size // 2)
        if path.is_relative_to(home() / "artifacts"):
            # A result hides those that it was made from.
            for kind in (home() / "artifacts").iterdir():
                if kind not in path.parents:
                    shutil.rmtree(kind)
        caplog.clear()
        assert answered(model) == clean, path
        notes = [note for note in caplog.messages if str(path) in note]
        # A digest that was noted of files since replaced is not read any more.
        assert len(notes) == 1 or "digests" in path.parts, path
        caplog.clear()
        assert answered(model) == clean, path
        assert caplog.messages == [], path


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", ["responses.jsonl", "scores.jsonl", "arm.json", "manifest.json"])
@pytest.mark.fault("answers that another run is to take are damaged")
def test_damaged_answers_of_another_run_are_not_taken(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str, damage: str
) -> None:
    store = tmp_path / "store"
    clean = answers(bench(tmp_path / "first", store, "zero-shot"))
    (folder,) = [path for path in (store / "answers").iterdir() if path.is_dir()]
    DAMAGES[damage](folder / name)
    assert answers(bench(tmp_path / "second", store, "zero-shot")) == clean
    assert [str(folder / name) in note for note in caplog.messages] == [True]
    caplog.clear()
    third = bench(tmp_path / "third", store, "zero-shot")
    assert answers(third) == clean
    assert [result.arm.reused for result in third.arms] == [("answers",)]
    assert caplog.messages == []


# ---------------------------------------------------------------- retrieval


def retrieved() -> list[tuple[str, ...]]:
    data = TaskData(instruction="Answer.", corpus=CORPUS)
    prompter = RetrievalPrompting(passages=2).prepare(data, CachedHashing(), 0)
    return [prompt.passages for prompt in prompter.prompts(QUESTIONS)]


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.fault("files of a retrieval index and of embeddings are damaged")
def test_a_damaged_index_or_embedding_is_made_again(
    caplog: pytest.LogCaptureFixture, damage: str
) -> None:
    clean = retrieved()
    assert clean[0][0] == "d0#s/0"
    paths = cached_files()
    assert {path.name for path in paths} == {
        "documents.jsonl",
        "index.faiss",
        "manifest.json",
        "vectors.npy",
    }
    for path in paths:
        caplog.clear()
        DAMAGES[damage](path)
        if "embeddings" in path.parts:
            shutil.rmtree(home() / "artifacts" / "indexes")
        assert retrieved() == clean
        assert [str(path) in note for note in caplog.messages] == [True]
        caplog.clear()
        assert retrieved() == clean
        assert caplog.messages == []


def test_an_artifact_under_the_name_of_another_is_not_used(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def make(draft: Path) -> Cost:
        (draft / "answer").write_text(draft.name)
        return Cost()

    store = ArtifactStore(tmp_path)
    one = store.obtain("answers", "a" * 64, make).path
    one.rename(one.with_name("b" * 64))
    assert store.find("answers", "b" * 64) is None
    assert "belongs to another folder" in caplog.text


def test_a_file_in_the_place_of_an_artifact_is_moved_aside(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path)
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "abc").write_text("no folder")
    assert store.obtain("weights", "abc", lambda draft: Cost()).path.is_dir()
    (tmp_path / "rates").write_text("no folder")
    with pytest.raises(CacheError, match="rates"):
        store.obtain("rates", "abc", lambda draft: Cost())


def test_an_artifact_of_before_manifests_had_checksums_of_their_own_is_kept(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    from strategies.checksums import unsealed

    store = ArtifactStore(tmp_path)
    manifest = store.obtain("weights", "abc", lambda draft: Cost(train_seconds=2.0)).path
    manifest /= "manifest.json"
    manifest.write_bytes(unsealed(manifest.read_bytes()))
    found = store.find("weights", "abc")
    assert found is not None
    assert found.cost.train_seconds == 2.0
    assert caplog.messages == []


_UNWRITABLE = """
import logging, os, sys
from pathlib import Path
from tests.faults.test_folders import _obeying_permissions
from strategies.artifacts import CheckedFolders
from strategies.errors import CacheError
from tests.faults.test_caches import Nothing
try:
    found = CheckedFolders(Path(sys.argv[1]), Nothing).obtain("indexes", "abc", None)
    print("used", found.reused)
except CacheError as error:
    print(error)
"""
Nothing = Cost


def _read_only(root: Path) -> str:
    from tests.faults.test_folders import _obeying_permissions

    done = subprocess.run(
        [sys.executable, "-c", _UNWRITABLE, str(root)],
        cwd=material.ROOT,
        preexec_fn=_obeying_permissions,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.fault("a shared cache may be read and not written, and a file of it is damaged")
def test_a_cache_that_cannot_be_written_is_used_and_one_message_names_what_is_damaged(
    tmp_path: Path,
) -> None:
    def make(draft: Path) -> Cost:
        (draft / "index").write_text("whole")
        return Cost()

    folder = CheckedFolders(tmp_path, Cost).obtain("indexes", "abc", make).path
    (folder.parent / ".abc.lock").unlink()
    folder.parent.chmod(0o555)
    try:
        assert _read_only(tmp_path) == "used True"
        (folder / "index").write_text("whqle")
        said = _read_only(tmp_path)
    finally:
        folder.parent.chmod(0o755)
    assert said.startswith(f"{folder / 'index'} is damaged")
    assert f"Get write permission for {folder.parent}, or delete {folder}" in said
    assert "\n" not in said


@pytest.mark.fault("a file of a cache may not be read")
def test_a_file_that_cannot_be_read_is_named_and_made_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def make(draft: Path) -> Cost:
        (draft / "index").write_text("whole")
        return Cost()

    store = ArtifactStore(tmp_path)
    path = store.obtain("indexes", "abc", make).path / "index"

    def denied(file: Path) -> str:
        raise PermissionError(13, "Permission denied", str(file))

    with monkeypatch.context() as patch:  # root may read everything
        patch.setattr("strategies.checked_files.sha256_of_file", denied)
        assert store.find("indexes", "abc") is None
    assert f"{path} cannot be read: Permission denied" in caplog.text
    assert not store.obtain("indexes", "abc", make).reused
    assert path.read_text() == "whole"


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o002, 0o664), (0o077, 0o600)])
def test_cached_files_have_the_permissions_of_the_umask(
    tmp_path: Path, umask: int, mode: int
) -> None:
    import torch
    from safetensors.torch import save_file

    def make(draft: Path) -> Cost:
        (draft / "weights").mkdir()
        save_file({"w": torch.zeros(2)}, draft / "weights" / "model.safetensors")
        return Cost()

    before = os.umask(umask)
    try:
        folder = ArtifactStore(tmp_path / "store").obtain("weights", "abc", make).path
    finally:
        os.umask(before)
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {mode}
    assert stat.S_IMODE(folder.stat().st_mode) == mode | (mode & 0o444) >> 2


@pytest.mark.fault("two processes want the same damaged artifact")
def test_a_damaged_artifact_that_two_want_is_made_again_once(tmp_path: Path) -> None:
    made: list[str] = []

    def make(draft: Path) -> Cost:
        made.append(draft.name)
        time.sleep(0.1)
        (draft / "index").write_text("whole")
        return Cost()

    path = ArtifactStore(tmp_path).obtain("indexes", "abc", make).path / "index"
    path.write_text("broken")
    both = [
        threading.Thread(target=lambda: ArtifactStore(tmp_path).obtain("indexes", "abc", make))
        for _ in range(2)
    ]
    for one in both:
        one.start()
    for one in both:
        one.join()
    assert len(made) == 2  # at first, and once more
    assert path.read_text() == "whole"


# ---------------------------------------------------------------- models and their digests


@pytest.fixture
def folder(tiny_model: Path, tmp_path: Path) -> Path:
    shutil.copytree(tiny_model, tmp_path / "model")
    return tmp_path / "model"


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Path]]:
    """Files of models that are hashed."""
    from strategies import hashing

    done: list[Path] = []
    real = hashing.sha256_of_file

    def count(path: Path) -> str:
        done.append(path)
        return real(path)

    for module in ("hashing", "checked_files", "model_files"):
        monkeypatch.setattr(f"strategies.{module}.sha256_of_file", count)
    yield done


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.fault("the note of a model's digest is damaged")
def test_a_damaged_note_of_a_digest_is_computed_again(
    folder: Path, caplog: pytest.LogCaptureFixture, damage: str
) -> None:
    clean = resolve(str(folder)).sha256
    assert len(clean) == 64
    (note,) = (home() / "digests").iterdir()
    DAMAGES[damage](note)
    assert resolve(str(folder)).sha256 == clean
    assert any(str(note) in text for text in caplog.messages) == (damage != "gone")
    caplog.clear()
    assert resolve(str(folder)).sha256 == clean
    assert caplog.messages == []


def test_no_flipped_bit_of_a_note_gives_another_digest(folder: Path) -> None:
    clean = resolve(str(folder)).sha256
    (note,) = (home() / "digests").iterdir()
    content = note.read_bytes()
    for place in range(len(content)):
        note.write_bytes(content)
        flip(note, place)
        assert resolve(str(folder)).sha256 == clean, place


def test_a_model_is_hashed_once_a_day(
    folder: Path, hashed: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    clean = resolve(str(folder)).sha256
    assert folder / "model.safetensors" in hashed
    hashed.clear()
    assert resolve(str(folder)).sha256 == clean
    assert hashed == []
    now = time.time()
    for later in (now + 25 * 3600, now - 25 * 3600):  # also where a clock went back
        monkeypatch.setattr(model_files.time, "time", lambda later=later: later)
        hashed.clear()
        assert resolve(str(folder)).sha256 == clean
        assert folder / "model.safetensors" in hashed


@pytest.mark.fault("a disk changes a model's weights and leaves size, times and inode")
def test_weights_that_a_disk_changed_are_noticed_within_a_day(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    clean = resolve(str(folder)).sha256
    state = {path: model_files._state(path) for path in folder.iterdir()}
    flip(folder / "model.safetensors", 5000)
    monkeypatch.setattr(model_files, "_state", state.__getitem__)
    later = time.time() + 25 * 3600
    monkeypatch.setattr(model_files.time, "time", lambda: later)
    assert resolve(str(folder)).sha256 != clean
    assert [str(folder) in note and "other contents" in note for note in caplog.messages] == [True]


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", ["model.safetensors", "config.json", ".sha256.json"])
@pytest.mark.fault("the folder that a GGUF file was converted to is damaged")
def test_a_damaged_conversion_is_made_again(
    tiny_model: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str, damage: str
) -> None:
    gguf = make_tiny_gguf(tmp_path / "tiny.gguf", tiny_model)
    found = resolve(str(gguf))
    clean = {path.name: path.read_bytes() for path in found.path.iterdir()}
    DAMAGES[damage](found.path / name)
    assert resolve(str(gguf)) == found
    assert {path.name: path.read_bytes() for path in found.path.iterdir()} == clean
    wanted = found.path if (name, damage) == (".sha256.json", "gone") else found.path / name
    assert [str(wanted) in note for note in caplog.messages] == [True]
    caplog.clear()
    assert resolve(str(gguf)) == found
    assert caplog.messages == []


def test_a_converted_model_is_not_hashed_at_each_start(
    tiny_model: Path, tmp_path: Path, hashed: list[Path]
) -> None:
    gguf = make_tiny_gguf(tmp_path / "tiny.gguf", tiny_model)
    found = resolve(str(gguf))
    resolve(str(gguf))
    assert found.path / "model.safetensors" in hashed
    hashed.clear()
    assert resolve(str(gguf)) == found
    assert hashed == []


# ---------------------------------------------------------------- a training that goes on


@pytest.mark.fault("the record of a search is damaged")
def test_a_damaged_trial_and_those_after_it_are_measured_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    record, measured = tmp_path / "trials.jsonl", list[float]()

    def measure(point: Any) -> Measured:
        measured.append(float(point["rate"]))
        return Measured(value=abs(float(point["rate"]) - 1e-3))

    def search() -> list[float | None]:
        trials = Search(record).run(geometric("rate", 1e-3, 4, 6), measure)
        return [trial.measured.value for trial in trials]

    clean = search()
    content = record.read_bytes()
    for place in range(0, len(content), 7):
        record.write_bytes(content)
        flip(record, place)
        assert search() == clean, place
        assert any(str(record) in note for note in caplog.messages) or content[place] == 10
        measured.clear()
        caplog.clear()
        assert search() == clean
        assert (measured, caplog.messages) == ([], [])


@pytest.mark.parametrize("name", ["attempt-0.json", "attempt-0/adapter_model.safetensors"])
@pytest.mark.fault("weights of a finished attempt are damaged before they are kept")
def test_a_damaged_attempt_is_trained_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    from strategies import attempts
    from strategies.training import Trained

    trained: list[Path] = []

    def train(job: object, checkpoints: Path, saved: Path, progress: object) -> Trained:
        trained.append(saved)
        saved.mkdir()
        (saved / "adapter_model.safetensors").write_bytes(bytes(range(200)))
        return Trained(seconds=1.0, trainable_parameters=5, curve=[])

    monkeypatch.setattr(attempts, "train", train)

    def once() -> Trained:
        saved = tmp_path / "attempt-0"
        return attempts._trained_once(None, tmp_path / "checkpoints-0", saved, silent)  # type: ignore[arg-type]

    clean = once()
    assert once() == clean
    assert len(trained) == 1
    flip(tmp_path / name, 100)
    assert once() == clean
    assert len(trained) == 2
    assert (tmp_path / "attempt-0" / "adapter_model.safetensors").read_bytes() == bytes(range(200))
    assert [str(tmp_path / name) in note for note in caplog.messages] == [True]
    caplog.clear()
    assert once() == clean
    assert caplog.messages == []


@pytest.fixture(autouse=True)
def _notes(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
