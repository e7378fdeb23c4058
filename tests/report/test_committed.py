"""The committed reports are what their committed runs give, byte for byte."""

from __future__ import annotations

from pathlib import Path

import pytest

from advisor.cli.report import inputs_of
from benchmarks.comparison import compare
from benchmarks.report import render
from benchmarks.store import read_plan, read_run
from benchmarks.tasks.catalogue import bundled_tasks

RUNS = Path(__file__).parents[2] / "reports" / "runs"
PLANS = RUNS.parent / "plans"
# The inputs that a report quotes are in the checkout for bundled tasks alone.
BUNDLED = [spec.id for spec in bundled_tasks() if (RUNS / spec.id / "run.json").is_file()]


@pytest.mark.slow
@pytest.mark.parametrize("name", BUNDLED)
def test_a_committed_run_gives_its_committed_report(name: str) -> None:
    run = read_run(RUNS / name)
    files = render(compare(run, inputs_of(run, None)), "md")
    assert files
    for file, content in files.items():
        assert (RUNS / name / file).read_bytes() == content, file


@pytest.mark.parametrize("name", sorted(path.name for path in RUNS.glob("*")))
def test_a_committed_run_ran_its_committed_plan(name: str) -> None:
    ran, planned = read_plan(RUNS / name / "plan.yaml"), read_plan(PLANS / f"{name}.yaml")
    machine = {"precision": ran.precision, "threads": ran.threads}
    assert ran == planned.model_copy(update=machine)
