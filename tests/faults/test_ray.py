"""A run on a Ray cluster that loses a worker, or a machine, ends as if nothing had happened."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from benchmarks.on_ray import _STARTS, _count_starts, _ground, _refuse_other_machine, on_ray
from benchmarks.runner import resume, run
from benchmarks.store import Run, arm_folder, read_run
from strategies.errors import RunError, UserError
from tests.faults.ray_process import METHODS
from tests.runner import material
from tests.runner.test_runner import Notes, answers, bench, faulty

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
SLOWLY = {"FAKE_PAUSE_SECONDS": "0.2", "FAKE_ITEMS": "24"}


def _on_ray(folder: Path, nodes: int, disturb: Callable[[subprocess.Popen[bytes]], None]) -> Run:
    """A run on a cluster of so many machines, disturbed in the middle."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.faults.ray_process", folder, folder.with_name("ray-store")],
        env={**os.environ, **SLOWLY, "RAY_NODES": str(nodes), "PYTHONPATH": str(material.ROOT)},
        stdin=subprocess.PIPE,
    )
    try:
        disturb(process)
        assert process.wait(240) == 0
    finally:
        process.kill()
        process.communicate()
    return read_run(folder)


def _when_answering(folder: Path, arms: set[str]) -> None:
    """Wait until all of these have given a few answers."""
    files = [arm_folder(folder, name) / "responses.jsonl" for name in arms]
    deadline = time.monotonic() + 120
    while not all(file.exists() and len(file.read_bytes().splitlines()) > 3 for file in files):
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture
def undisturbed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("FAKE_ITEMS", SLOWLY["FAKE_ITEMS"])
    return bench(tmp_path / "undisturbed", tmp_path / "store", *METHODS)


def _begun(folder: Path) -> int:
    """How often a worker began to work on any arm."""
    logs = [arm_folder(folder, f"{name}-s0") / "log.txt" for name in METHODS]
    return sum(log.read_text().count("a library prints") for log in logs)


@pytest.mark.fault("kill -9 of one of two Ray workers in the middle of its task")
def test_a_task_whose_worker_is_killed_goes_on_elsewhere(tmp_path: Path, undisturbed: Run) -> None:
    folder = tmp_path / "on-ray"

    def kill(_: subprocess.Popen[bytes]) -> None:
        _when_answering(folder, {"zero-shot-s0"})
        # The lock names the process that holds it.
        ray_worker = int((arm_folder(folder, "zero-shot-s0") / "lock").read_text())
        os.kill(ray_worker, signal.SIGKILL)

    found = _on_ray(folder, 2, kill)
    assert _begun(folder) == len(METHODS) + 1
    assert answers(found) == answers(undisturbed)
    assert [result.arm.scores for result in found.arms] == [
        result.arm.scores for result in undisturbed.arms
    ]


@pytest.mark.fault("one of two machines of a Ray cluster goes down")
def test_a_machine_that_fails_is_done_without(tmp_path: Path, undisturbed: Run) -> None:
    folder = tmp_path / "on-ray"

    def power_off(process: subprocess.Popen[bytes]) -> None:
        _when_answering(folder, {"zero-shot-s0", "icl-random-s0"})
        assert process.stdin is not None
        process.stdin.write(b"off\n")
        process.stdin.flush()

    found = _on_ray(folder, 2, power_off)
    assert _begun(folder) == len(METHODS) + 1
    assert answers(found) == answers(undisturbed)
    assert {result.arm.status for result in found.arms} == {"finished"}


@pytest.mark.fault("Ctrl-C in a bench on Ray, and kill -9 of it")
@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGKILL])
def test_a_bench_on_ray_that_is_ended_is_gone_on_with_on_one_machine(
    tmp_path: Path, undisturbed: Run, end: signal.Signals
) -> None:
    folder = tmp_path / "on-ray"
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.faults.ray_process", folder, folder.with_name("ray-store")],
        env={**os.environ, **SLOWLY, "RAY_NODES": "1", "PYTHONPATH": str(material.ROOT)},
        stderr=subprocess.DEVNULL,
        stdin=subprocess.PIPE,
    )
    cluster: list[psutil.Process] = []
    try:
        _when_answering(folder, {"zero-shot-s0"})
        cluster = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(end)
        assert process.wait(60) != 0
        resume(folder, material.means(tmp_path / "ray-store"))
    finally:
        process.kill()
        process.communicate()
        for left in cluster:
            with suppress(psutil.NoSuchProcess):
                left.kill()
    assert answers(read_run(folder)) == answers(undisturbed)


def test_a_run_on_ray_is_told_budgeted_and_reused_as_on_one_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ray = pytest.importorskip("ray")
    ray.init("local", num_cpus=2, include_dashboard=False, log_to_driver=False)
    try:
        fault = {**faulty("icl-random-s0", "strange"), "FAKE_PAUSE_SECONDS": "0.2"}
        here = bench(tmp_path / "here", tmp_path / "store-0", *METHODS, variables=fault)
        notes, store = Notes(), tmp_path / "store-1"
        there = bench(
            tmp_path / "there", store, *METHODS, executor=on_ray, variables=fault, watcher=notes
        )
        assert answers(there) == answers(here)
        assert there.manifest.executor == "ray"
        assert {r.arm.folder: r.arm.failure and r.arm.failure.kind for r in there.arms} == {
            r.arm.folder: r.arm.failure and r.arm.failure.kind for r in here.arms
        }
        said = [line for line in notes.lines if "-s0" in line]
        assert [line.split()[0] for line in said[::2]] == ["1/4", "2/4", "3/4", "4/4"]
        assert any(line.startswith("answering ") for line in notes.lines)
        # What it finished is taken by a bench on one machine, and the reverse.
        again = bench(tmp_path / "again", store, "zero-shot", "lora")
        assert all(result.arm.reused == ("answers",) for result in again.arms)
        taken = bench(tmp_path / "taken", store, "zero-shot", "lora", executor=on_ray)
        assert answers(taken) == answers(again)
        # No arm is begun beyond the budget; a resume without one does them.
        short = material.resolve(material.plan("zero-shot", budget_minutes=1e-9))
        run(short, tmp_path / "short", material.means(tmp_path / "store-2", executor=on_ray))
        assert [r.arm.status for r in read_run(tmp_path / "short").arms] == ["skipped"]
        large = replace(material.resolve(material.plan("zero-shot")), model_bytes=2**50)
        with pytest.raises(UserError, match=r"No machine of the Ray cluster has 1 cores"):
            run(large, tmp_path / "large", material.means(tmp_path / "store-3", executor=on_ray))
    finally:
        ray.shutdown()


def test_a_cluster_that_is_not_there_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:1")
    with pytest.raises(UserError, match=r"RAY_ADDRESS 127\.0\.0\.1:1 cannot be reached"):
        bench(tmp_path / "run", tmp_path / "store", executor=on_ray)


def test_without_an_address_a_cluster_that_is_gone_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Ray's sockets allow no long path.
    with tempfile.TemporaryDirectory(dir="/tmp") as short:
        folder = Path(short)
        (folder / "ray").mkdir()
        (folder / "ray" / "ray_current_cluster").write_text("192.0.2.1:6379")
        monkeypatch.setenv("RAY_TMPDIR", short)
        monkeypatch.delenv("RAY_ADDRESS", raising=False)
        found = bench(folder / "run", folder / "store", "zero-shot", executor=on_ray)
        assert [result.arm.status for result in found.arms] == ["finished"]


def test_a_machine_that_is_not_like_the_first_is_refused() -> None:
    ground = _ground(gpu=False)
    _refuse_other_machine(ground)
    with pytest.raises(RunError, match=r"not like the one .* torch: 1\.0 -> \d"):
        _refuse_other_machine(ground | {"torch": "1.0"})
    with pytest.raises(RunError, match="GPU: an H200 -> "):
        _refuse_other_machine(ground | {"GPU": "an H200"})


def test_a_task_that_is_lost_again_and_again_is_given_up(tmp_path: Path) -> None:
    for _ in range(_STARTS):
        _count_starts(tmp_path / "starts.txt", "a task")
    _count_starts(tmp_path / "starts.txt", "another")
    with pytest.raises(RunError, match="begun 6 times"):
        _count_starts(tmp_path / "starts.txt", "a task")
