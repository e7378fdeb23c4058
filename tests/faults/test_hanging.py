"""Workers that are stopped or never end do not hold up a bench, and none outlives it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from benchmarks.holders import holders_of
from benchmarks.runner import resume, run
from benchmarks.store import Lock, read_run
from benchmarks.workers import Patience
from strategies.errors import RunError
from tests.runner import material
from tests.runner.test_runner import BENCH, answers, bench, faulty, wait_until

SHORT = Patience(beat_seconds=0.2, silence_seconds=6, grace_seconds=1, stop_seconds=1)
pytestmark = pytest.mark.timeout(120)


def _of(folder: Path) -> list[int]:
    """Ids of the worker processes of a run folder."""
    return [
        process.pid
        for process in psutil.process_iter(["cmdline"])
        if str(folder) in (process.info["cmdline"] or []) and "fake_worker.py" in str(process.info)
    ]


def _start(folder: Path, fault: str) -> subprocess.Popen[bytes]:
    """A bench whose first worker suffers a fault, once it has begun to answer."""
    process = subprocess.Popen(
        [*BENCH, str(folder), str(folder.with_name("store"))],
        env={**os.environ, **faulty("zero-shot-s0", fault)},
        stderr=subprocess.DEVNULL,
    )
    responses = folder / "arms" / "zero-shot-s0" / "responses.jsonl"
    wait_until(lambda: responses.exists() and responses.read_bytes().count(b"\n") == 3)
    if fault == "stop":
        wait_until(lambda: any(psutil.Process(pid).status() == "stopped" for pid in _of(folder)))
    return process


@pytest.mark.fault("a worker is stopped (SIGSTOP) in the middle of an arm")
def test_a_stopped_worker_fails_its_arm_and_the_next_one_runs(tmp_path: Path) -> None:
    folder, store = tmp_path / "run", tmp_path / "store"
    variables = faulty("zero-shot-s0", "stop")
    done = bench(folder, store, variables=variables, patience=SHORT)
    first, second = done.arms
    assert (first.arm.status, second.arm.status) == ("failed", "finished")
    assert first.arm.failure is not None
    assert first.arm.failure.kind == "hung"
    assert "gave no sign of life for 0.1 minutes" in first.arm.failure.message
    assert "was stopped (SIGSTOP)" in first.arm.failure.message
    assert _of(folder) == []
    resume(folder, material.means(store))
    assert answers(read_run(folder)) == answers(bench(tmp_path / "calm", tmp_path / "calm-store"))


def test_a_slow_worker_that_is_alive_is_not_ended(tmp_path: Path) -> None:
    variables = faulty("zero-shot-s0", "nap")  # of nine seconds
    done = bench(tmp_path / "run", tmp_path / "store", variables=variables, patience=SHORT)
    assert [result.arm.status for result in done.arms] == ["finished", "finished"]


@pytest.mark.fault("an arm that is alive never ends, and there is a budget")
def test_an_arm_that_outlasts_the_budget_is_skipped_and_can_be_resumed(tmp_path: Path) -> None:
    folder, store = tmp_path / "run", tmp_path / "store"
    resolved = material.resolve(material.plan(budget_minutes=0.2))
    means = material.means(store, variables=faulty("zero-shot-s0", "endless"), patience=SHORT)
    began = time.monotonic()
    run(resolved, folder, means)
    assert time.monotonic() - began < 60
    arms = [result.arm for result in read_run(folder).arms]
    assert [arm.status for arm in arms] == ["skipped", "skipped"]
    assert "after the budget was used up, and was ended" in arms[0].reason
    assert len(read_run(folder).arms[0].responses) == 3
    resume(folder, material.means(store), budget_minutes=60)
    assert answers(read_run(folder)) == answers(bench(tmp_path / "calm", tmp_path / "calm-store"))


@pytest.mark.fault("Ctrl-C, and kill -9 of the bench, while its worker is stopped")
@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGKILL, signal.SIGTERM])
def test_no_stopped_worker_outlives_its_bench(tmp_path: Path, end: signal.Signals) -> None:
    folder = tmp_path / "run"
    process = _start(folder, "stop")
    process.send_signal(end)
    assert process.wait(20) == (130 if end == signal.SIGINT else -end)
    wait_until(lambda: _of(folder) == [])
    assert holders_of(folder / "lock") == []
    resume(folder, material.means(tmp_path / "store"))
    assert answers(read_run(folder)) == answers(bench(tmp_path / "calm", tmp_path / "calm-store"))


@pytest.mark.fault("a library asks a question, and prints")
def test_a_library_can_neither_read_orders_nor_write_events(tmp_path: Path) -> None:
    variables = faulty("zero-shot-s0", "ask")
    done = bench(tmp_path / "run", tmp_path / "store", variables=variables)
    first, second = (result.arm for result in done.arms)
    assert first.failure is not None
    assert first.failure.kind == "EOFError"
    assert second.status == "finished"
    log = (tmp_path / "run" / "arms" / "zero-shot-s0" / "log.txt").read_text()
    assert "a library prints to standard output" in log
    assert "Do you wish to run the custom code?" in log


HOLD = """
import os, subprocess, sys, time
from pathlib import Path
from benchmarks.store import Lock
lock = Lock(Path(sys.argv[1]))
child = subprocess.Popen(["sleep", "60"], pass_fds=(lock.handle,))
print(child.pid, flush=True)
"""


@pytest.mark.fault("a worker of a bench that is dead is stopped and holds the lock")
def test_who_really_holds_a_lock_is_named_and_how_to_end_it(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    owner = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE, cwd=material.ROOT
    )
    assert owner.stdout is not None
    child = psutil.Process(int(owner.stdout.readline()))
    owner.wait()
    owner.stdout.close()
    child.suspend()
    try:
        with pytest.raises(RunError) as refused:
            Lock(path, wait_seconds=0.1)
        said = str(refused.value)
        assert f"is locked by process {child.pid}, which is stopped" in said
        assert f"process {owner.pid}, has ended" in said
        assert f"kill -9 {child.pid}" in said
    finally:
        child.kill()
    wait_until(lambda: holders_of(path) == [])
    Lock(path).release()
