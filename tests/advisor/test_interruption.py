"""Ctrl-C ends a command with one line and exit code 130, whatever it was doing."""

from __future__ import annotations

import sys

import pexpect
import pytest
import typer
from typer.testing import CliRunner

from advisor.cli.app import app
from advisor.errors import InterruptionError


@pytest.mark.parametrize("key", ["\x03", "\x04"], ids=["Ctrl-C", "end of input"])
def test_stopping_the_interview_leaves_one_line_and_exit_code_130(key: str) -> None:
    child = pexpect.spawn(
        sys.executable, ["-m", "advisor.cli.app", "ask"], encoding="utf-8", timeout=30
    )
    child.expect(r"\[\?\]: ")
    child.send(key)
    child.expect(pexpect.EOF)
    child.close()
    assert child.before.count("Interrupted. What was finished is kept.") == 1
    assert "Traceback" not in child.before
    assert child.exitstatus == 130


@pytest.mark.parametrize("stop", [KeyboardInterrupt, typer.Abort])
def test_stopping_any_other_command_is_the_same(
    monkeypatch: pytest.MonkeyPatch, stop: type[BaseException]
) -> None:
    def stopped(*_: object, **__: object) -> None:
        raise stop

    monkeypatch.setattr("advisor.flowchart.load_flowchart", stopped)
    with pytest.raises(InterruptionError):
        CliRunner().invoke(app, ["ask", "--no-input"], catch_exceptions=False)
