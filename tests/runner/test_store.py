from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from benchmarks.records import Cost, Response
from benchmarks.store import (
    Appender,
    ArtifactStore,
    Lock,
    read_lines,
    read_plan,
    scan_lines,
    write_atomic,
    write_plan,
)
from strategies.errors import DataError, RunError
from strategies.method import registry
from tests.runner import material


def responses(path: Path, count: int) -> None:
    with Appender(path, Response) as file:
        for number in range(count):
            file.append(Response(id=f"i{number}", text=f"Größe\u2028{number}\nnext"))


def test_what_was_appended_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "responses.jsonl"
    responses(path, 2)
    responses(path, 1)
    assert [r.id for r in read_lines(path, Response)] == ["i0", "i1", "i0"]
    assert read_lines(path, Response)[1].text == "Größe\u20281\nnext"
    assert len(path.read_bytes().split(b"\n")) == 4


def test_a_torn_last_line_is_recovered_wherever_it_was_torn(tmp_path: Path) -> None:
    path = tmp_path / "responses.jsonl"
    responses(path, 2)
    whole = path.read_bytes()
    first = whole.index(b"\n") + 1
    for end in range(first + 1, len(whole)):
        path.write_bytes(whole[:end])
        assert [r.id for r in read_lines(path, Response)] == ["i0"]
        with Appender(path, Response) as file:
            assert [r.id for r in file.records] == ["i0"]
            file.append(Response(id="again", text="x"))
        assert [r.id for r in read_lines(path, Response)] == ["i0", "again"]


def test_a_damaged_middle_line_is_named_and_the_rest_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "run" / "arms" / "a-s0" / "responses.jsonl"
    path.parent.mkdir(parents=True)
    responses(path, 4)
    lines = path.read_bytes().split(b"\n")
    lines[1] = b"\xff\x00 nonsense"
    path.write_bytes(b"\n".join(lines))
    with pytest.raises(RunError, match=r"responses\.jsonl line 2: damaged, 3 other") as caught:
        read_lines(path, Response)
    assert f"advisor bench --resume {tmp_path / 'run'}" in str(caught.value)

    with Appender(path, Response) as file:
        assert [r.id for r in file.records] == ["i0", "i2", "i3"]
    assert [r.id for r in read_lines(path, Response)] == ["i0", "i2", "i3"]
    assert (path.parent / "responses.jsonl.damaged").read_bytes() == lines[1] + b"\n"


def test_reading_does_not_touch_a_torn_file(tmp_path: Path) -> None:
    path = tmp_path / "responses.jsonl"
    responses(path, 1)
    with path.open("ab") as file:
        file.write(b'{"id": "half')
    before = path.read_bytes()
    found = scan_lines(path, Response)
    assert path.read_bytes() == before
    assert found.torn_at == before.index(b"\n") + 1
    assert not found.whole


def test_a_number_that_json_lacks_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    path = tmp_path / "responses.jsonl"
    with Appender(path, Response) as file, pytest.raises(ValueError, match="finite number"):
        file.append(Response(id="a", text="b", margin=float("inf")))
    assert path.read_bytes() == b""


def test_an_interrupted_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "arm.json"
    write_atomic(path, "old")
    with pytest.raises(UnicodeEncodeError):
        write_atomic(path, "half \ud800")
    assert path.read_text() == "old"
    write_atomic(path, "new")
    assert path.read_text() == "new"
    assert [entry.name for entry in tmp_path.iterdir()] == ["arm.json"]


def test_a_second_writer_is_told_who_is_first(tmp_path: Path) -> None:
    lock = Lock(tmp_path / "lock")
    with pytest.raises(RunError, match=f"written by process {os.getpid()}\\b"):
        Lock(tmp_path / "lock")
    lock.release()
    Lock(tmp_path / "lock").release()


def test_a_lock_ends_with_a_killed_process(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from benchmarks.store import Lock;"
        "lock = Lock(Path(sys.argv[1])); print('held', flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "lock")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=material.ROOT) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(RunError, match=f"process {holder.pid}\\b"):
            Lock(tmp_path / "lock")
        holder.kill()
        holder.wait()
        Lock(tmp_path / "lock").release()


def test_a_plan_comes_back_from_yaml_as_it_was(tmp_path: Path) -> None:
    plan = material.plan("zero-shot", "rag", "raft", seeds=(0, 3))
    write_plan(tmp_path / "plan.yaml", plan)
    assert read_plan(tmp_path / "plan.yaml") == plan


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("task: [", "no YAML"),
        ("just words", "no plan"),
        ("task: t\nsteps: 3\nmethods: []", "steps"),
    ],
)
def test_a_bad_plan_is_named(tmp_path: Path, text: str, named: str) -> None:
    (tmp_path / "plan.yaml").write_text(text)
    with pytest.raises(DataError, match=named):
        read_plan(tmp_path / "plan.yaml")


def test_every_problem_of_a_plan_is_listed(tmp_path: Path) -> None:
    (tmp_path / "plan.yaml").write_text("task: t\nsteps: 3\nmethods: []\nlatency_items: -1")
    with pytest.raises(DataError) as caught:
        read_plan(tmp_path / "plan.yaml")
    assert all(name in str(caught.value) for name in ("steps", "methods", "latency_items"))


# ---------------------------------------------------------------- artifacts


def make(text: str, cost: Cost | None = None):
    def fill(folder: Path) -> Cost:
        (folder / "deep").mkdir()
        (folder / "deep" / "weights.bin").write_text(text)
        return cost or Cost()

    return fill


def test_an_artifact_is_made_once_and_keeps_the_cost_it_once_had(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path)
    assert store.find("weights", "abc") is None
    first = store.obtain("weights", "abc", make("one", Cost(train_seconds=42.0)))
    second = store.obtain("weights", "abc", make("two"))
    assert not first.reused
    assert second.reused
    assert second.cost.train_seconds == 42.0
    assert second.bytes == 3
    assert (second.path / "deep" / "weights.bin").read_text() == "one"


def test_the_manifest_holds_the_sha256_of_every_file(tmp_path: Path) -> None:
    made = ArtifactStore(tmp_path).obtain("weights", "abc", make("one"))
    manifest = json.loads((made.path / "manifest.json").read_text())
    wanted = hashlib.sha256(b"one").hexdigest()
    assert manifest["files"] == {"deep/weights.bin": {"sha256": wanted, "bytes": 3}}


@pytest.mark.parametrize("damage", ["other", "shorter", "gone", "manifest"])
def test_a_damaged_artifact_is_set_aside_and_made_again(tmp_path: Path, damage: str) -> None:
    store = ArtifactStore(tmp_path)
    file = store.obtain("weights", "abc", make("one")).path / "deep" / "weights.bin"
    if damage == "manifest":
        (file.parents[1] / "manifest.json").write_text("{")
    elif damage == "gone":
        file.unlink()
    else:
        file.write_text({"other": "eno", "shorter": "on"}[damage])
    assert store.find("weights", "abc") is None
    aside = [path.name for path in (tmp_path / "weights").iterdir() if "damaged" in path.name]
    assert len(aside) == 1
    again = store.obtain("weights", "abc", make("one"))
    assert not again.reused


def test_a_failed_making_leaves_nothing_but_its_scratch(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path)
    (store.scratch("weights", "abc") / "checkpoint").write_text("half way")

    def fail(folder: Path) -> Cost:
        (folder / "part").write_text("x")
        raise RuntimeError("the disk is full")

    with pytest.raises(RuntimeError, match="the disk is full"):
        store.obtain("weights", "abc", fail)
    assert store.find("weights", "abc") is None
    assert (store.scratch("weights", "abc") / "checkpoint").read_text() == "half way"
    made = store.obtain("weights", "abc", make("one"))
    kept = {path.name for path in (tmp_path / "weights").iterdir()}
    assert kept == {"abc", ".abc.lock"}
    assert made.path.name == "abc"


def test_the_store_lies_below_advisor_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ADVISOR_HOME", str(tmp_path))
    assert ArtifactStore().root == tmp_path.resolve() / "artifacts"


def test_a_plan_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="advisor ask --plan"):
        read_plan(tmp_path / "none.yaml")


def test_an_artifact_is_replaced_whole_and_never_while_it_is_held(tmp_path: Path) -> None:
    store = ArtifactStore(tmp_path)

    def fill(text: str) -> Callable[[Path], Cost]:
        def make(draft: Path) -> Cost:
            (draft / "answer.txt").write_text(text)
            return Cost()

        return make

    store.obtain("answers", "a" * 64, fill("old"))
    replacing = threading.Thread(target=store.replace, args=("answers", "a" * 64, fill("new")))
    with store.held("answers", "a" * 64) as held:
        assert held is not None
        replacing.start()
        replacing.join(0.2)
        assert replacing.is_alive()
        assert (held.path / "answer.txt").read_text() == "old"
    replacing.join()
    found = store.find("answers", "a" * 64)
    assert found is not None
    assert (found.path / "answer.txt").read_text() == "new"


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"seeds": [-1]}, "seeds.0"),
        ({"seeds": [2**32]}, "seeds.0"),
        ({"methods": [registry().method("zero-shot").model_dump() | {"name": "copy"}]}, "copy"),
    ],
)
def test_a_plan_refuses_what_could_not_run(
    tmp_path: Path, change: dict[str, object], named: str
) -> None:
    value = material.plan().model_dump(mode="json")
    (tmp_path / "plan.yaml").write_text(yaml.safe_dump(value | change))
    with pytest.raises(DataError, match=named):
        read_plan(tmp_path / "plan.yaml")
