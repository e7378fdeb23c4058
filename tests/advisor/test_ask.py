"""``advisor ask`` as a user runs it."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pexpect
import pytest
import yaml
from typer.testing import CliRunner

import advisor
from advisor.cli.app import app
from advisor.errors import AdvisorError
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
    with pytest.raises(AdvisorError, match="cannot be written"):
        _run("ask", "--task", "ticket-triage", "--no-input", option, str(tmp_path))


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_gets_advice(file: Path) -> None:
    advice = json.loads(_run("ask", "--answers", str(file), "--no-input", "--json"))
    assert advice["verdict"] == "adapt"
    assert advice["path"]


def test_the_table_says_why() -> None:
    said = _run("ask", "--task", "ticket-triage", "--no-input")
    assert "Small models gain more from tuning" in " ".join(said.split())


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


def test_the_interview_asks_again_after_a_wrong_answer_and_saves(tmp_path: Path) -> None:
    saved = tmp_path / "answers.yaml"
    arguments = ["-m", "advisor.cli.app", "ask", "--save", str(saved), "--quiet"]
    child = pexpect.spawn(sys.executable, arguments, encoding="utf-8", timeout=30)
    child.expect("What kind of task")
    child.sendline("poetry")
    child.expect("Allowed: classification")
    child.sendline("classification")
    child.expect("How many items")
    child.sendline("150")
    while child.expect([r"Enter: not known\)", pexpect.EOF]) == 0:
        child.sendline("")
    child.close()
    assert child.exitstatus == 0
    values = yaml.safe_load(saved.read_text())
    assert values == {"schema_version": 1, "task_kind": "classification", "eval_items": 150}
