"""Ctrl-C ends a command with one line and exit code 130, whatever it was doing."""

from __future__ import annotations

import sys
from pathlib import Path

import pexpect
import pytest
import typer
from typer.testing import CliRunner

from advisor.cli.app import app
from advisor.errors import AdvisorError, InterruptionError
from advisor.questionnaire import Answers, load_answers


@pytest.mark.parametrize("key", ["\x03", "\x04"], ids=["Ctrl-C", "end of input"])
def test_stopping_the_interview_leaves_one_line_and_exit_code_130(key: str) -> None:
    child = pexpect.spawn(
        sys.executable, ["-m", "advisor.cli.app", "ask"], encoding="utf-8", timeout=30
    )
    child.expect(r"\?: not known\)")
    child.send(key)
    child.expect(pexpect.EOF)
    child.close()
    assert child.before.count("Interrupted. What was finished is kept.") == 1
    assert "Traceback" not in child.before
    assert child.exitstatus == 130


def test_stopping_a_saved_interview_keeps_every_answer_and_goes_on_with_them(
    tmp_path: Path,
) -> None:
    saved = tmp_path / "answers.yaml"
    command = ["-m", "advisor.cli.app", "ask", "--save", str(saved)]
    child = pexpect.spawn(sys.executable, command, encoding="utf-8", timeout=30)
    child.expect("What kind of task")
    child.sendline("qa")
    child.expect("How many items")
    child.send("\x03")
    child.expect(f"go on with --answers {saved}")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 130
    assert load_answers(saved) == Answers(task_kind="qa")

    with pytest.raises(AdvisorError, match="Go on with it: --answers"):
        CliRunner().invoke(app, ["ask", "--save", str(saved)], catch_exceptions=False)

    child = pexpect.spawn(
        sys.executable, [*command, "--answers", str(saved)], encoding="utf-8", timeout=30
    )
    child.expect(r"\[1/\d+\] How many items")
    child.send("\x03")
    child.expect(pexpect.EOF)
    child.close()
    assert load_answers(saved) == Answers(task_kind="qa")


@pytest.mark.parametrize("stop", [KeyboardInterrupt, typer.Abort])
def test_stopping_any_other_command_is_the_same(
    monkeypatch: pytest.MonkeyPatch, stop: type[BaseException]
) -> None:
    def stopped(*_: object, **__: object) -> None:
        raise stop

    monkeypatch.setattr("advisor.flowchart.load_flowchart", stopped)
    with pytest.raises(InterruptionError):
        CliRunner().invoke(app, ["ask", "--no-input"], catch_exceptions=False)
