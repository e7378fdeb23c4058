"""``advisor flowchart`` as a user runs it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pexpect
import pytest
from typer.testing import CliRunner

from advisor.cli.app import app, main
from advisor.errors import AdvisorError
from advisor.flowchart import load_flowchart
from advisor.questionnaire import load_answers

EXAMPLE = Path(__file__).parents[2] / "examples" / "answers-handbook.yaml"
OWN = """
methods: [zero-shot]
start: first
nodes:
  - id: first
    question: 知識が必要ですか？
    branches:
      - {label: はい, when: {answer: tasks, at_least: 2}, next: second}
      - {label: いいえ, otherwise: true, next: end}
  - {id: second, question: And then?, branches: [{label: then, otherwise: true, next: end}]}
"""


def _run(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["flowchart", *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout_bytes.decode("utf-8")


def _ended(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> object:
    """The exit code of a command that ends with a message."""
    monkeypatch.setattr(sys, "argv", ["advisor", "flowchart", *arguments])
    with pytest.raises(SystemExit) as end:
        main()
    return end.value.code


def test_without_options_the_built_in_chart_is_printed_as_plain_text() -> None:
    said = _run()
    chart = load_flowchart()
    assert all(node.question in said for node in chart.nodes)
    assert all(branch.label in said for node in chart.nodes for branch in node.branches)
    assert "\x1b" not in said
    assert "▶" not in said


def test_with_answers_the_way_taken_is_marked() -> None:
    marked = [line for line in _run("--answers", str(EXAMPLE)).splitlines() if line[:2] == "▶ "]
    steps = load_flowchart().walk(load_answers(EXAMPLE))
    labels = [line[2:].strip().rsplit(" → ")[0] for line in marked if " → " in line]
    assert labels == [step.branch.label for step in steps]


def test_on_a_terminal_the_marked_lines_are_bold_and_fit() -> None:
    command = f"{sys.executable} -m advisor.cli.app flowchart --answers {EXAMPLE}"
    said, status = pexpect.run(
        command, encoding="utf-8", withexitstatus=True, dimensions=(24, 70), env={"TERM": "xterm"}
    )
    assert status == 0
    lines = str(said).splitlines()
    assert max(len(re.sub(r"\x1b\[[0-9;]*m", "", line)) for line in lines) <= 70
    marked = [line for line in lines if "▶" in line and "marks the way" not in line]
    assert marked
    assert all(line.startswith("\x1b[1m▶ ") for line in marked)


def test_mermaid_and_svg_are_printed_and_written_alike(tmp_path: Path) -> None:
    for form in ("mermaid", "svg", "text"):
        file = tmp_path / "new" / f"chart.{form}"
        said = _run("--answers", str(EXAMPLE), "--format", form, "--out", str(file))
        assert said.strip() == str(file)
        assert file.read_bytes().decode() == _run("--answers", str(EXAMPLE), "-f", form)
    assert _run("--format", "mermaid").startswith("flowchart TD\n")
    root = ElementTree.fromstring((tmp_path / "new" / "chart.svg").read_bytes())
    assert len([g for g in root.iter() if g.get("class") == "branch lit"]) == len(
        load_flowchart().walk(load_answers(EXAMPLE))
    )


def test_an_existing_file_is_written_anew(tmp_path: Path) -> None:
    file = tmp_path / "chart.svg"
    file.write_text("old")
    _run("--format", "svg", "--out", str(file))
    assert file.read_text(encoding="utf-8").startswith("<svg ")


@pytest.mark.parametrize("form", ["text", "mermaid", "svg"])
def test_a_users_own_chart_is_drawn(tmp_path: Path, form: str) -> None:
    chart, answers = tmp_path / "chart.yaml", tmp_path / "answers.yaml"
    chart.write_text(OWN, encoding="utf-8")
    answers.write_text("tasks: 3")
    said = _run("--flowchart", str(chart), "--answers", str(answers), "--format", form)
    assert "知識が必要ですか？" in said
    assert "いいえ" in said


def test_a_broken_chart_ends_with_its_own_exit_code_and_one_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    chart = tmp_path / "chart.yaml"
    chart.write_text(OWN.replace("next: second", "next: nowhere"), encoding="utf-8")
    assert _ended(monkeypatch, "--flowchart", str(chart)) == 7
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.count("next 'nowhere' is no node") == 1
    assert "Traceback" not in shown.err


def test_answers_that_cannot_be_read_end_with_their_own_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _ended(monkeypatch, "--answers", str(tmp_path / "none.yaml")) == 3
    assert "none.yaml" in capsys.readouterr().err


def test_a_file_that_cannot_be_written_gives_one_message(tmp_path: Path) -> None:
    with pytest.raises(AdvisorError, match="cannot be written"):
        _run("--format", "svg", "--out", str(tmp_path))


@pytest.mark.parametrize("name", ["chart.svg", "chart.SVG"])
def test_a_name_that_promises_an_svg_is_refused_for_another_format(
    tmp_path: Path, name: str
) -> None:
    with pytest.raises(AdvisorError, match="Add --format svg"):
        _run("--out", str(tmp_path / name))
    assert list(tmp_path.iterdir()) == []


def test_nothing_heavy_is_imported() -> None:
    script = (
        "import sys; sys.argv = ['advisor', 'flowchart', '--format', 'svg']\n"
        "from advisor.cli.app import main\n"
        "try: main()\nexcept SystemExit as end: assert not end.code\n"
        "print([m for m in ('torch', 'numpy', 'matplotlib', 'benchmarks') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"
