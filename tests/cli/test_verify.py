from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from advisor.cli.app import app
from advisor.errors import AdvisorError
from benchmarks.verification import Verification
from strategies.errors import RunError
from tests.comparison.runs import Made, Material, make_run

CHART = """
schema_version: 1
methods: [zero-shot, lora, full]
start: labels
nodes:
  - id: labels
    question: Are there labels?
    branches:
      - label: many
        when: {answer: labelled_examples, at_least: 1000}
        next: end
        effects:
          - {for: [full], strength: 2, reason: "Many labels.", evidence: [MINE]}
          - {block: [zero-shot], reason: "Never plain.", evidence: [MINE]}
      - label: some
        otherwise: true
        next: end
        effects:
          - {for: [lora], strength: 1, reason: "Some labels.", evidence: [MINE]}
          - {against: [full], strength: 3, reason: "Too few labels.", evidence: [MINE]}
claims:
  MINE: {how: note, source: a note, finding: a finding}
"""


def right(count: int, items: int = 40) -> list[float]:
    return [1.0] * count + [0.0] * (items - count)


ARMS = [Made("zero-shot", right(5)), Made("lora", right(12)), Made("full", right(35))]


def made(folder: Path, labels: int = 20, stored: str | None = "lora", task: str = "letters") -> str:
    """A run whose answers count so many labels; its stored advice names a method."""
    answers = {"labelled_examples": labels}
    kept = {"answers": answers, "verdict": "adapt", "ranked": [{"method": stored}]}
    material = Material(answers=answers, task=task, run_id=folder.name)
    make_run(folder, ARMS, material, json.dumps(kept) if stored else None)
    return str(folder)


@pytest.fixture
def chart(tmp_path: Path) -> str:
    path = tmp_path / "chart.yaml"
    path.write_text(CHART)
    return str(path)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["verify", *arguments])


def test_the_advice_of_the_given_flowchart_is_tested_and_not_the_stored_one(
    tmp_path: Path, chart: str
) -> None:
    result = run(made(tmp_path / "a", labels=1000), "--flowchart", chart)
    assert result.exit_code == 0
    assert "a\tfull\tfull 0.875 (0.739 to 0.945)\t0.0, at most 0.0\thit\tnone" in result.output
    assert "a: full today, lora when the run was planned." in result.output


def test_a_miss_is_printed_with_its_path_and_arguments(tmp_path: Path, chart: str) -> None:
    result = run(made(tmp_path / "a"), "--flowchart", chart)
    assert "Miss in a: lora advised, full measured." in result.output
    assert "  labels: some\n" in result.output
    assert "  full  -3  labels  Too few labels. [MINE]\n" in result.output
    assert "  lora  +1  labels  Some labels. [MINE]\n" in result.output


def test_answers_of_the_task_are_used_where_no_advice_was_kept(tmp_path: Path, chart: str) -> None:
    result = run(made(tmp_path / "a", labels=1000, stored=None), "--flowchart", chart, "--json")
    found = Verification.model_validate_json(result.output)
    assert found.runs[0].advised.said == "full"
    assert found.runs[0].stored is None


def test_what_the_chart_says_for_the_labels_of_the_run_is_found_by_walking_again(
    tmp_path: Path, chart: str
) -> None:
    result = run(made(tmp_path / "a", labels=1000), "--flowchart", chart)
    # The run trained on 20.
    assert (
        "a: The answers count 1,000 labelled examples and the run trained on 20. For so many the "
        "flowchart says: lora."
    ) in result.output


def test_json_holds_the_blocked_methods_out_of_the_rivals(tmp_path: Path, chart: str) -> None:
    result = run(made(tmp_path / "a", labels=1000), "--flowchart", chart, "--json")
    found = json.loads(result.output)
    assert found["flowchart"] == "chart.yaml"
    assert set(found["runs"][0]["rivals"]) == {"lora", "full"}


def test_quiet_prints_the_two_tables_alone(tmp_path: Path, chart: str) -> None:
    lines = run(made(tmp_path / "a"), "--flowchart", chart, "--quiet").output.splitlines()
    assert lines[0].startswith("run\tadvised")
    assert lines[3].startswith("policy\tmean regret\t")
    # The advisor, six policies and the best in hindsight.
    assert len(lines) == 4 + 8


def test_published_cases_are_printed_with_total_baseline_and_what_is_in_sample() -> None:
    result = run("--published")
    assert result.exit_code == 0
    lines = result.output.splitlines()
    assert lines[0].split("\t")[:4] == ["case", "study", "recommended", "measured best"]
    assert len([line for line in lines if "\t" in line]) == 17
    assert any(line.startswith("Total: the flowchart") and "of 16 (95 %" in line for line in lines)
    assert any(line.startswith("Three questions") and "10 of 16" in line for line in lines)
    assert "All of these cases are in sample" in result.output
    assert "Before they were in view it hit 12 of 16." in result.output


def test_published_cases_are_walked_through_the_given_flowchart(chart: str) -> None:
    found = json.loads(run("--published", "--flowchart", chart, "--json").output)
    chosen = {one["case"]["id"]: one["chosen"] for one in found["cases"]}
    # The chart above: full from 1,000 labels on, else lora; it holds no retrieval.
    assert (chosen["bucher-encoder"], chosen["self-route"]) == ("full", "lora")
    reachable = {one["case"]["id"] for one in found["cases"] if one["reachable"]}
    assert "soudani-7b" not in reachable


def test_published_cases_are_not_mixed_with_runs(tmp_path: Path) -> None:
    with pytest.raises(AdvisorError, match=r"no run folders, --report"):
        CliRunner().invoke(
            app,
            ["verify", str(tmp_path), "--published", "--report", "a.md"],
            catch_exceptions=False,
        )


def test_nothing_to_verify_says_what_can_be_given() -> None:
    with pytest.raises(AdvisorError, match="give run folders, or --published"):
        CliRunner().invoke(app, ["verify"], catch_exceptions=False)


def test_runs_that_are_in_sample_are_named_by_folder_or_id_or_all_at_once(
    tmp_path: Path, chart: str
) -> None:
    folders = [made(tmp_path / "a"), made(tmp_path / "b", task="numbers")]

    def seen(*named: str) -> list[bool | None]:
        options = [option for name in named for option in ("--in-sample", name)]
        result = run(*folders, "--flowchart", chart, "--json", *options)
        assert result.exit_code == 0
        return [one.in_sample for one in Verification.model_validate_json(result.output).runs]

    assert seen() == [None, None]
    assert seen("b") == [False, True]
    assert seen(folders[0], "b") == seen("all") == [True, True]
    assert seen("none") == [False, False]


def test_a_run_that_is_not_verified_cannot_be_in_sample(tmp_path: Path, chart: str) -> None:
    error = run(made(tmp_path / "a"), "--flowchart", chart, "--in-sample", "c").exception
    assert isinstance(error, AdvisorError)
    assert str(error) == (
        "--in-sample c: none of the runs that are verified. Give the folder or id of one of these, "
        "or alone: all, none. They are a."
    )


def test_the_built_in_flowchart_is_the_default(tmp_path: Path) -> None:
    result = run(made(tmp_path / "a"), "--json")
    assert Verification.model_validate_json(result.output).flowchart == "the built-in one"


@pytest.mark.parametrize("suffix", ["md", "html"])
def test_a_report_has_the_same_bytes_for_the_same_runs(
    tmp_path: Path, chart: str, suffix: str
) -> None:
    folders = [made(tmp_path / "a"), made(tmp_path / "b", task="numbers")]
    written = []
    for place in ("one", "two"):
        out = tmp_path / place / f"v.{suffix}"
        assert run(*folders, "--flowchart", chart, "--report", str(out), "-q").exit_code == 0
        files = sorted(path for path in out.parent.rglob("*") if path.is_file())
        written.append([path.read_bytes() for path in files])
    assert written[0] == written[1]
    assert len(written[0]) == (2 if suffix == "md" else 1)


def test_a_report_of_another_kind_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    result = run(str(tmp_path / "none"), "--report", str(tmp_path / "v.pdf"))
    assert isinstance(result.exception, AdvisorError)
    assert str(result.exception).endswith("v.pdf: a report is written as .md or .html")


def test_every_folder_that_cannot_be_used_is_named_at_once(tmp_path: Path, chart: str) -> None:
    good = made(tmp_path / "good")
    pending = str(tmp_path / "pending")
    make_run(Path(pending), [ARMS[0], Made("lora", status="pending")], Material(answers={"x": 1}))
    silent = str(tmp_path / "silent")
    make_run(Path(silent), ARMS)
    wrong = str(tmp_path / "wrong")
    make_run(Path(wrong), ARMS, Material(answers={"labelled_examples": -3}))
    damaged = tmp_path / "damaged"
    made(damaged)
    (damaged / "run.json").write_text("{}")
    folders = [good, str(tmp_path / "none"), pending, silent, wrong, str(damaged), good]
    error = run(*folders, "--flowchart", chart).exception
    assert isinstance(error, RunError)
    assert error.exit_code == 6
    text = str(error)
    assert f"{tmp_path}/none is no run folder" in text
    assert f"{pending} is not finished: lora-s0 did not run yet." in text
    assert f"advisor bench --resume {pending}" in text
    assert f"{silent} holds no answers" in text
    assert f"{wrong}, answers: 1 problem(s)" in text
    assert f"{damaged}/run.json is damaged" in text
    assert f"{good} is given twice." in text


def test_a_report_that_cannot_be_written_is_one_clear_error(tmp_path: Path, chart: str) -> None:
    (tmp_path / "file").write_text("")
    out = tmp_path / "file" / "v.md"
    error = run(made(tmp_path / "a"), "--flowchart", chart, "--report", str(out)).exception
    assert isinstance(error, AdvisorError)
    assert "cannot be written: a file stands in its way" in str(error)
