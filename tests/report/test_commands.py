from __future__ import annotations

import errno
import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from advisor.cli.compare import compare
from advisor.cli.report import inputs_of, report
from advisor.errors import AdvisorError
from strategies.errors import RunError
from tests.comparison.runs import Made, Material, make_run


def app() -> typer.Typer:
    made = typer.Typer()
    made.command()(report)
    made.command()(compare)
    return made


def test_report_prints_where_it_wrote(tmp_path: Path) -> None:
    make_run(tmp_path / "r", [Made("zero-shot", [1.0, 0.0] * 6)])
    result = CliRunner().invoke(app(), ["report", str(tmp_path / "r"), "--format", "html"])
    assert result.exit_code == 0
    assert result.output.strip().replace("\n", "") == str(tmp_path / "r" / "report.html")


def test_report_is_silent_when_quiet(tmp_path: Path) -> None:
    make_run(tmp_path / "r", [Made("zero-shot", [1.0, 0.0] * 6)])
    result = CliRunner().invoke(app(), ["report", str(tmp_path / "r"), "-f", "json", "--quiet"])
    assert (result.exit_code, result.output) == (0, "")
    assert json.loads((tmp_path / "r" / "report.json").read_text())["leader"] == "zero-shot"


def test_a_report_that_cannot_be_written_is_one_clear_error(tmp_path: Path) -> None:
    make_run(tmp_path / "r", [Made("zero-shot", [1.0, 0.0] * 6)])
    for out, why in (("r", "Is a directory"), ("r/run.json/x.md", "a file stands in its way")):
        options = ["--out", str(tmp_path / out), "-f", "json"]
        error = CliRunner().invoke(app(), ["report", str(tmp_path / "r"), *options]).exception
        assert isinstance(error, AdvisorError)
        assert str(error).startswith(f"{tmp_path / out} cannot be written: {why}")


def test_a_run_folder_that_may_not_be_written_is_one_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(path: Path, record: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    make_run(tmp_path / "r", [Made("zero-shot", [1.0, 0.0] * 6)])
    monkeypatch.setattr("benchmarks.store.write_record", refused)
    error = CliRunner().invoke(app(), ["report", str(tmp_path / "r")]).exception
    assert isinstance(error, AdvisorError)
    assert "comparison.json cannot be written: Permission denied" in str(error)


def test_a_folder_that_is_no_run_is_one_clear_error(tmp_path: Path) -> None:
    result = CliRunner().invoke(app(), ["report", str(tmp_path)])
    assert isinstance(result.exception, RunError)
    assert "no run.json" in str(result.exception)


def test_compare_prints_a_line_a_method(tmp_path: Path) -> None:
    make_run(tmp_path / "a", [Made("lora", [0.0] * 10), Made("rag", [1.0] * 10)])
    make_run(tmp_path / "b", [Made("lora", [1.0] * 10)], Material(model="other"))
    runs = [str(tmp_path / "a"), str(tmp_path / "b")]
    result = CliRunner().invoke(app(), ["compare", *runs])
    assert result.exit_code == 0
    assert "lora\t0.000\t1.000\t+100.0" in result.output
    assert "separated" in result.output
    assert "Only in run a: rag" in result.output
    assert "The model differs: tiny and other." in result.output
    quiet = CliRunner().invoke(app(), ["compare", *runs, "--quiet"])
    assert len(quiet.output.splitlines()) == 2


def test_compare_prints_json_on_request(tmp_path: Path) -> None:
    make_run(tmp_path / "a", [Made("lora", [0.0] * 10)])
    make_run(tmp_path / "b", [Made("lora", [1.0] * 10)])
    result = CliRunner().invoke(
        app(), ["compare", str(tmp_path / "a"), str(tmp_path / "b"), "--json"]
    )
    assert json.loads(result.output)["methods"][0]["difference"]["difference"] == 1.0


@pytest.mark.parametrize("task", ["no-such-task", "letters"])
def test_inputs_are_left_out_when_the_task_cannot_be_read(tmp_path: Path, task: str) -> None:
    run = make_run(tmp_path / "r", [Made("zero-shot", [1.0])], Material(task=task))
    assert inputs_of(run) is None


def test_inputs_of_a_changed_task_are_not_shown(tmp_path: Path) -> None:
    folder = tmp_path / "letters"
    folder.mkdir()
    (folder / "task.yaml").write_text(
        "id: letters\ntitle: Letters\nkind: qa\ninstruction: Answer.\nmetric: exact_match\n"
    )
    for split, count in (("train", 2), ("validation", 1), ("test", 2)):
        lines = [
            json.dumps({"id": f"{split}-{n}", "input": f"{split} question {n}", "output": "yes"})
            for n in range(count)
        ]
        (folder / f"{split}.jsonl").write_text("\n".join(lines) + "\n")
    run = make_run(tmp_path / "r", [Made("zero-shot", [1.0])], Material(task=str(folder)))
    assert inputs_of(run) is None
    from benchmarks.tasks.catalogue import load_task

    same = run.manifest.task.model_copy(update={"sha256": load_task(str(folder)).sha256})
    object.__setattr__(run, "manifest", run.manifest.model_copy(update={"task": same}))
    assert inputs_of(run) == {"test-0": "test question 0", "test-1": "test question 1"}
