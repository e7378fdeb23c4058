from __future__ import annotations

import io
from pathlib import Path

import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner

from advisor.cli.bench import LiveWatcher, PlainWatcher, _live, bench, outcome
from benchmarks.records import Arm, Failure
from benchmarks.store import write_plan
from strategies.errors import RunError, UserError
from tests.runner import material

FINISHED = Arm(name="lora", status="finished", scores={"accuracy": 0.5, "macro_f1": 0.25})


def invoke(*arguments: str):
    app = typer.Typer(rich_markup_mode=None)
    app.command()(bench)
    return CliRunner().invoke(app, list(arguments))


def test_unknown_methods_are_named_with_the_known_ones() -> None:
    error = invoke("letters", "--methods", "zero-shot,magic,luck").exception
    assert isinstance(error, UserError)
    assert "magic, luck is unknown. Known: full, icl-nearest" in str(error)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ((), "give a plan or a task"),
        (("letters", "--resume", "runs/x"), "--resume goes on"),
        (("letters", "--methods", "lora", "--seeds", "0,one"), "--seeds 0,one"),
    ],
)
def test_a_wrong_call_is_explained(arguments: tuple[str, ...], named: str) -> None:
    result = invoke(*arguments)
    assert result.exit_code == 2
    shown = " ".join(result.output.replace("│", " ").split())
    assert named in shown


def test_what_is_no_run_cannot_be_resumed(tmp_path: Path) -> None:
    error = invoke("--resume", str(tmp_path)).exception
    assert isinstance(error, RunError)


def test_options_override_the_plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def remember(plan, say):
        seen.append(plan)
        raise UserError("enough")

    monkeypatch.setattr("benchmarks.runner.resolve", remember)
    write_plan(tmp_path / "plan.yaml", material.plan("zero-shot", "rag"))
    options = ["--methods", "lora", "--seeds", "3,4", "--limit", "9", "--budget-minutes", "2"]
    invoke(str(tmp_path / "plan.yaml"), *options)
    (plan,) = seen
    assert [method.name for method in plan.methods] == ["lora"]
    assert (plan.seeds, plan.limits.test, plan.budget_minutes) == ((3, 4), 9, 2.0)


def test_an_arm_is_told_in_a_line() -> None:
    assert outcome(FINISHED) == "lora-s0: accuracy 0.500"
    reused = FINISHED.model_copy(update={"reused": ("weights",)})
    assert outcome(reused) == "lora-s0: accuracy 0.500 (weights reused)"
    failed = Arm(name="x", status="failed", failure=Failure(kind="killed", message="by SIGKILL"))
    assert outcome(failed) == "x-s0: failed: killed: by SIGKILL"
    assert outcome(Arm(name="x", status="skipped", reason="late")) == "x-s0: skipped: late"


def test_plain_progress_says_a_line_a_phase() -> None:
    text = io.StringIO()
    watcher = PlainWatcher(Console(file=text, highlight=False, markup=False))
    watcher.started(Arm(name="lora"), 2, 3)
    for done in (1, 2, 3):
        watcher.advanced(FINISHED, "answering", done, 3)
    watcher.ended(FINISHED)
    assert text.getvalue() == "[2/3] lora-s0\n  answering: 3\n  lora-s0: accuracy 0.500\n"


def test_live_progress_shows_the_arms_and_the_phase() -> None:
    text = io.StringIO()
    console = Console(file=text, force_terminal=True, width=100, highlight=False, markup=False)
    with _live(console) as progress:
        watcher = LiveWatcher(progress)
        watcher.started(FINISHED, 1, 2)
        watcher.advanced(FINISHED, "training", 5, 10)
        assert [task.description for task in progress.tasks] == ["arms", "lora-s0: training"]
        assert (progress.tasks[1].completed, progress.tasks[1].total) == (5, 10)
        watcher.ended(FINISHED)
        assert [(task.completed, task.total) for task in progress.tasks] == [(1, 2)]
    assert "lora-s0: accuracy 0.500" in text.getvalue()
