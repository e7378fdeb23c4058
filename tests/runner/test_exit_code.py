"""A bench in which a method failed says so, also to a script that reads the exit code alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from advisor.cli.app import HELP, app
from benchmarks.runner import Means
from benchmarks.store import write_plan
from strategies.errors import FailedMethodsError
from tests.runner import material
from tests.runner.test_runner import faulty


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """``advisor bench`` with the worker of the tests, in which a fault may befall an arm."""
    write_plan(tmp_path / "plan.yaml", material.plan(floors=True))
    monkeypatch.setattr("benchmarks.runner.resolve", lambda plan, say: material.resolve(plan))

    def call(*arguments: object, arm: str = "", fault: str = "") -> Result:
        def means(**given: object) -> Means:
            light = material.means(tmp_path / "store", variables=faulty(arm, fault))
            return replace(light, **given)

        monkeypatch.setattr("benchmarks.runner.Means", means)
        return CliRunner().invoke(app, ["bench", *map(str, arguments)])

    return call


def test_a_method_that_fails_ends_a_bench_with_its_own_exit_code(bench, tmp_path: Path) -> None:
    out = tmp_path / "a run"
    done = bench(tmp_path / "plan.yaml", "--out", out, arm="lora-s0", fault="memory")
    assert isinstance(done.exception, FailedMethodsError)
    assert done.exception.exit_code == 10
    first, why, how = str(done.exception).splitlines()
    assert first.startswith("Failed: 1 of ")
    assert why == f"  lora-s0: out-of-memory: 9 GiB wanted (log: {out}/arms/lora-s0/log.txt)"
    assert how == f"Try them again: advisor bench --resume '{out}'"
    # What the others reached is told before.
    assert "zero-shot-s0: accuracy 0." in done.stdout and "\nlora\t–\t" in done.stdout
    assert f"Report: {out}/report.md" in done.stdout
    # It fails again, and is named again, where only the path is printed too.
    again = bench("--resume", out, "-q", arm="lora-s0", fault="kill")
    assert again.stdout == f"{out}/report.md\n"
    assert isinstance(again.exception, FailedMethodsError)
    assert "lora-s0: killed: " in str(again.exception)
    # Nothing befalls it any more.
    assert bench("--resume", out, "-q").exit_code == 0
    assert bench("--resume", out, "-q").exit_code == 0


def test_a_method_that_the_task_does_not_suit_has_not_failed(bench, tmp_path: Path) -> None:
    done = bench(tmp_path / "plan.yaml", "--out", tmp_path / "r", arm="lora-s0", fault="refuse")
    assert "lora-s0: refused: this task is not for it" in done.stdout
    assert done.exit_code == 0


def test_exit_code_10_is_documented() -> None:
    assert "10 a method of a bench failed" in HELP
    said = " ".join(CliRunner().invoke(app, ["bench", "--help"]).output.replace("│", " ").split())
    assert "the exit code is 10" in said
