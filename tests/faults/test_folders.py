"""Folders that cannot be written, are written by two, or hold what nobody expects."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from advisor.cli.app import app
from benchmarks.runner import resume
from benchmarks.store import arm_folder, read_run
from strategies.errors import RunError
from tests.runner import material
from tests.runner.test_runner import answers

BENCH = [sys.executable, "-m", "tests.runner.bench_process"]
ENVIRONMENT = {**os.environ, "FAKE_ITEMS": "30", "PYTHONPATH": str(material.ROOT)}
_DROP_CAPABILITY, _OVERRIDE_PERMISSIONS = 24, 1


def _obeying_permissions() -> None:
    """Take the right to write anywhere from what is executed next, which root would have."""
    ctypes.CDLL(None).prctl(_DROP_CAPABILITY, _OVERRIDE_PERMISSIONS, 0, 0, 0)


def _bench(folder: Path, store: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*BENCH, str(folder), str(store)],
        env=ENVIRONMENT | variables,
        preexec_fn=_obeying_permissions,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def undisturbed(tmp_path: Path) -> dict[str, list[tuple[str, str]]]:
    assert _bench(tmp_path / "undisturbed", tmp_path / "store-0").returncode == 0
    return answers(read_run(tmp_path / "undisturbed"))


@pytest.mark.slow
@pytest.mark.fault("a run folder becomes read-only in the middle of a run")
def test_a_run_in_a_folder_that_becomes_read_only_goes_on_when_it_is_writable(
    tmp_path: Path, undisturbed: dict[str, list[tuple[str, str]]]
) -> None:
    run, store = tmp_path / "run", tmp_path / "store"
    bench = subprocess.Popen(
        [*BENCH, str(run), str(store)],
        env={**ENVIRONMENT, "FAKE_PAUSE_SECONDS": "0.1"},
        preexec_fn=_obeying_permissions,  # noqa: PLW1509
        stderr=subprocess.PIPE,
        text=True,
    )
    arm = arm_folder(run, "zero-shot-s0")
    while not (arm / "responses.jsonl").exists() or len((arm / "responses.jsonl").read_bytes()) < 9:
        time.sleep(0.02)
    folders = [arm, *arm.parent.iterdir()]
    for folder in folders:
        folder.chmod(0o555)
    try:
        assert bench.wait(60) == 6
    finally:
        for folder in folders:
            folder.chmod(0o755)
    assert bench.stderr is not None
    said = bench.stderr.read().strip()
    bench.stderr.close()
    assert "Permission denied" in said.splitlines()[-1]
    assert "What was written before is kept" in said.splitlines()[-1]
    assert _bench(run, store).returncode == 0
    assert answers(read_run(run)) == undisturbed


@pytest.mark.slow
@pytest.mark.fault("a task folder is to be made where nothing may be written")
def test_a_folder_that_cannot_be_made_is_one_message(tmp_path: Path) -> None:
    lines, closed = tmp_path / "lines.csv", tmp_path / "closed"
    lines.write_text("\n".join(["question,answer", *(f"q {n},a {n}" for n in range(40))]))
    closed.mkdir()
    closed.chmod(0o555)
    done = subprocess.run(
        [sys.executable, "-m", "advisor.cli.app", "init", str(closed / "task"), "--from",
         str(lines)],
        preexec_fn=_obeying_permissions,
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode != 0
    assert "Traceback" not in done.stderr
    assert done.stderr.count("\n") == 1
    assert "cannot be written: Permission denied" in done.stderr


@pytest.mark.slow
@pytest.mark.fault("a second bench begins on a folder in which one is at work")
def test_a_second_bench_on_a_folder_is_refused_and_the_first_is_not_disturbed(
    tmp_path: Path, undisturbed: dict[str, list[tuple[str, str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_ITEMS", ENVIRONMENT["FAKE_ITEMS"])
    run, store = tmp_path / "run", tmp_path / "store"
    first = subprocess.Popen(
        [*BENCH, str(run), str(store)], env={**ENVIRONMENT, "FAKE_PAUSE_SECONDS": "0.1"}
    )
    while not (arm_folder(run, "zero-shot-s0") / "responses.jsonl").exists():
        time.sleep(0.02)
    with pytest.raises(RunError, match=f"is being written by process {first.pid}") as refused:
        resume(run, material.means(store))
    assert refused.value.exit_code == 6
    assert first.wait(120) == 0
    assert answers(read_run(run)) == undisturbed


@pytest.mark.slow
@pytest.mark.fault("Python's clock of the day goes back by a day at every look")
def test_a_clock_that_goes_back_changes_nothing(
    tmp_path: Path, undisturbed: dict[str, list[tuple[str, str]]]
) -> None:
    # Every Python process imports this first. Durations have to come from another clock.
    clock = tmp_path / "clock"
    clock.mkdir()
    (clock / "sitecustomize.py").write_text(
        "import datetime, itertools, time\n"
        "real, days = time.time_ns, itertools.count()\n"
        "time.time_ns = lambda: real() - 86400 * 10**9 * next(days)\n"
        "time.time = lambda: time.time_ns() / 1e9\n"
        "class Backwards(datetime.datetime):\n"
        "    @classmethod\n"
        "    def now(cls, tz=None):\n"
        "        return cls.fromtimestamp(time.time(), tz)\n"
        "datetime.datetime = Backwards\n"
    )
    done = _bench(
        tmp_path / "run", tmp_path / "store", PYTHONPATH=f"{clock}{os.pathsep}{material.ROOT}"
    )
    assert done.returncode == 0, done.stderr
    found = read_run(tmp_path / "run")
    assert answers(found) == undisturbed
    for result in found.arms:
        assert (result.arm.cost.latency_p50_seconds or 0.0) >= 0.0


@pytest.mark.fault("a corpus holds pictures, and text files with bytes that are no text")
def test_binary_files_in_a_corpus_are_named_and_left_out(tmp_path: Path) -> None:
    corpus = tmp_path / "books"
    corpus.mkdir()
    (corpus / "good.md").write_text("# Leave\n\nTwenty days a year.")
    (corpus / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n\x00\x00\xff")
    (corpus / "torn.md").write_bytes(b"# Pay\n\nOn the \xff\xfe last day.")
    lines = tmp_path / "qa.csv"
    rows = [f"question {n},answer {n}" for n in range(40)]
    lines.write_text("\n".join(["question,answer", *rows]))
    made = CliRunner().invoke(
        app, ["init", str(tmp_path / "task"), "--from", str(lines), "--corpus", str(corpus)]
    )
    assert made.exit_code == 0
    assert "Note: picture.png: holds no text to search and was left out" in made.output
    assert "Note: torn.md line 3: is not UTF-8 (byte 0xff)" in made.output
    assert "the file was left out" in made.output
    assert "1 passages" in made.output
