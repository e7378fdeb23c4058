"""The committed reports are what their committed runs give, byte for byte."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from advisor.cli.app import app
from advisor.cli.report import inputs_of
from benchmarks.comparison import compare
from benchmarks.report import render
from benchmarks.results import Comparison
from benchmarks.store import read_plan, read_record, read_run
from tests.report.claims.records import IN_SAMPLE

RUNS = Path(__file__).parents[2] / "reports" / "runs"
PLANS = RUNS.parent / "plans"
COMMITTED = sorted(path.name for path in RUNS.glob("*"))


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMITTED)
def test_a_committed_run_gives_its_committed_report_without_other_data(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ADVISOR_DATA_DIR", raising=False)
    run = read_run(RUNS / name)
    comparison = compare(run, inputs_of(run, None))
    assert read_record(RUNS / name / "comparison.json", Comparison) == comparison
    files = render(comparison, "md")
    assert files
    for file, content in files.items():
        assert (RUNS / name / file).read_bytes() == content, file


@pytest.mark.parametrize("name", COMMITTED)
def test_a_committed_run_ran_its_committed_plan(name: str) -> None:
    ran, planned = read_plan(RUNS / name / "plan.yaml"), read_plan(PLANS / f"{name}.yaml")
    machine = {"precision": ran.precision, "threads": ran.threads}
    assert ran == planned.model_copy(update=machine)


@pytest.mark.slow
def test_the_committed_test_of_the_advice_is_that_of_the_committed_runs(tmp_path: Path) -> None:
    seen = [word for run in IN_SAMPLE for word in ("--in-sample", run)]
    runs = [str(RUNS / name) for name in COMMITTED]
    result = CliRunner().invoke(
        app, ["verify", *runs, *seen, "--quiet", "--report", str(tmp_path / "advice.md")]
    )
    assert result.exit_code == 0, result.output
    made = [path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file()]
    assert len(made) == 2
    for path in made:
        assert (RUNS.parent / path).read_bytes() == (tmp_path / path).read_bytes(), path
