"""A bench that is killed at random moments and resumed ends with the undisturbed comparison."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.comparison import compare
from benchmarks.records import Cost
from benchmarks.store import read_run
from strategies.home import home

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]
KILLS = 50
# What names a run, and what was timed.
THIS_RUN = ("id", "created", "command", "cost", "frontiers", "reused", "seconds")


def _environment(own_home: Path) -> dict[str, str]:
    own_home.mkdir()
    (own_home / "models").symlink_to(home() / "models")
    return {**os.environ, "ADVISOR_HOME": str(own_home), "OMP_NUM_THREADS": "1"}


def _start(environment: dict[str, str], *arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "advisor.cli.app", "bench", *arguments, "--quiet"],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _new(model: Path, out: Path) -> tuple[str, ...]:
    return (
        "handbook-qa", "--methods", "zero-shot,rag,lora", "--model", str(model),
        "--limit", "30", "--train-limit", "24", "--epochs", "2", "--out", str(out),
    )  # fmt: skip


def _comparison(out: Path) -> Any:
    """Without what was timed, by which methods with equal scores are ordered."""
    run = read_run(out)
    arms = [replace(r, arm=r.arm.model_copy(update={"cost": Cost()})) for r in run.arms]
    found = compare(replace(run, arms=tuple(arms)))
    return _without_timings(found.model_dump(mode="json"))


def _without_timings(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_timings(inner) for key, inner in value.items() if key not in THIS_RUN}
    if isinstance(value, list):
        return [_without_timings(inner) for inner in value]
    return value


@pytest.mark.fault("kill -9 at fifty random moments of indexing, training, answering and writing")
def test_fifty_kills_change_nothing_but_the_timings(tiny_model: Path, tmp_path: Path) -> None:
    undisturbed = tmp_path / "undisturbed"
    assert _start(_environment(tmp_path / "home-a"), *_new(tiny_model, undisturbed)).wait() == 0
    moments, kills, runs = random.Random(7), 0, 0
    while kills < KILLS:
        # A bench that ended before its last kill is compared, and another one begun.
        runs += 1
        killed, environment = tmp_path / f"killed-{runs}", _environment(tmp_path / f"home-{runs}")
        code = None
        while code != 0:
            begun = (killed / "run.json").exists()
            arguments = ("--resume", str(killed)) if begun else _new(tiny_model, killed)
            bench = _start(environment, *arguments)
            if kills < KILLS:
                time.sleep(moments.uniform(0.5, 6))
                if bench.poll() is None:
                    os.killpg(bench.pid, signal.SIGKILL)
                    kills += 1
            code = bench.wait()
            assert code in (0, -signal.SIGKILL)
        assert _comparison(killed) == _comparison(undisturbed)
