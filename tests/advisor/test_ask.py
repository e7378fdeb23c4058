"""``advisor ask`` as a user runs it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pexpect
import pytest
from typer.testing import CliRunner

import advisor
from advisor.cli.app import app
from advisor.cli.interview import parsed
from advisor.errors import AdvisorError, AnswersError
from advisor.questionnaire import questions
from benchmarks.store import read_plan

EXAMPLES = sorted(Path(__file__).parents[2].glob("examples/answers-*.yaml"))
HEAVY = ("torch", "transformers", "langchain_core", "lm_eval", "numpy", "scipy", "faiss")


def _run(*arguments: str) -> str:
    result = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.parametrize("command", ["import advisor", "advisor ask"])
def test_nothing_heavy_is_imported(command: str) -> None:
    script = "import advisor"
    if command == "advisor ask":
        script = (
            "import sys; sys.argv = ['advisor', 'ask', '--answers', "
            f"{str(EXAMPLES[0])!r}, '--no-input', '--quiet']\n"
            "from advisor.cli.app import main\n"
            "try: main()\nexcept SystemExit as end: assert not end.code"
        )
    check = f"{script}\nimport sys; print([m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_the_version_is_that_of_the_installed_distribution() -> None:
    assert advisor.__version__ == version("adaptation-advisor")
    with pytest.raises(AttributeError, match="colour"):
        _ = advisor.colour


@pytest.mark.parametrize("option", ["--report", "--save", "--plan"])
def test_a_file_that_cannot_be_written_gives_one_message(tmp_path: Path, option: str) -> None:
    folder = tmp_path / "folder.yaml"
    folder.mkdir()
    with pytest.raises(AdvisorError, match="cannot be written"):
        _run("ask", "--task", "ticket-triage", "--no-input", option, str(folder))


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_gets_advice(file: Path) -> None:
    advice = json.loads(_run("ask", "--answers", str(file), "--no-input", "--json"))
    assert advice["verdict"] == "adapt"
    assert advice["path"]


def test_the_table_says_why() -> None:
    command = ["-m", "advisor.cli.app", "ask", "--task", "ticket-triage", "--no-input"]
    said, status = pexpect.run(
        f"{sys.executable} {' '.join(command)}", encoding="utf-8", withexitstatus=True
    )
    assert status == 0
    plain = re.sub(r"\x1b\[[0-9;]*m", "", str(said))
    assert max(len(line) for line in plain.splitlines()) <= 80
    assert "Demonstrations need a large model; tuning works on small ones. [MOSBACH23," in " ".join(
        plain.split()
    )


def test_without_a_terminal_each_thing_is_one_line_with_tabs() -> None:
    said = _run("ask", "--task", "ticket-triage", "--no-input")
    lines = [line.split("\t") for line in said.splitlines()]
    widths = {
        "advice": 2, "confidence": 3, "method": 4, "estimate": 8, "step": 2, "note": 2,
        "break-even": 2, "what-if": 5, "unknown": 4,
    }  # fmt: skip
    assert all(len(line) == widths[line[0]] for line in lines)
    assert lines[0][1].startswith("Climb to lora")
    methods = {line[1]: line for line in lines if line[0] == "method"}
    assert methods["rag"][2] == "blocked"
    assert (
        "Demonstrations need a large model; tuning works on small ones. [MOSBACH23, OURS-READ]"
        in methods["lora"][3]
    )


def test_a_plan_holds_the_candidates_and_the_advice_lies_beside_it(tmp_path: Path) -> None:
    plan = tmp_path / "plan.yaml"
    _run("ask", "--task", "handbook-qa", "--no-input", "--plan", str(plan), "--quiet")
    names = [method.name for method in read_plan(plan).methods]
    advice = json.loads((tmp_path / "plan.recommendation.json").read_text())
    assert names == advice["candidates"]
    assert "raft" in names


def test_a_plan_without_a_task_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AdvisorError, match="--task"):
        _run("ask", "--no-input", "--plan", str(tmp_path / "plan.yaml"))


@pytest.mark.parametrize("name", ["plan", "plan.json", "plan.YAML"])
def test_a_plan_that_a_bench_would_not_read_is_refused_before_anything_is_asked(
    tmp_path: Path, name: str
) -> None:
    with pytest.raises(AdvisorError, match=r"\.yaml or \.yml alone"):
        _run("ask", "--task", "ticket-triage", "--plan", str(tmp_path / name))


def test_a_decision_record_is_the_same_twice(tmp_path: Path) -> None:
    records = []
    for name in ("one.md", "two.md"):
        file = tmp_path / name
        _run("ask", "--answers", str(EXAMPLES[0]), "--no-input", "--report", str(file))
        records.append(file.read_bytes())
    assert records[0] == records[1]
    assert b"```mermaid" in records[0]


def test_without_a_terminal_asking_is_refused() -> None:
    with pytest.raises(AdvisorError, match="--no-input"):
        _run("ask")


@pytest.mark.parametrize(
    ("text", "value"),
    [("1500", "1500"), ("1,500", "1500"), ("1,234,567.5", "1234567.5"), ("1.5", "1.5")],
)
def test_commas_set_thousands_apart(text: str, value: str) -> None:
    assert parsed(text, questions()["queries_per_day"]) == value


@pytest.mark.parametrize("text", ["1,5", "1,50", "1500,000", "1,5000", "-1,5", ",500"])
def test_any_other_comma_in_a_number_is_refused(text: str) -> None:
    with pytest.raises(AnswersError, match=r"as in 1,500; .* as in 1\.5"):
        parsed(text, questions()["queries_per_day"])
