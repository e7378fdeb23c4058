from __future__ import annotations

import io
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner

from advisor.cli.bench import _as_folder, bench
from advisor.cli.watching import LiveWatcher, PlainWatcher, live, outcome
from advisor.errors import AdvisorError
from benchmarks.plan import Plan
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
        (("letters", "--methods", "lora", "--seeds", "0,one"), "--seeds 0,one: give whole"),
        (("letters", "--seeds", "-1"), "--seeds -1: a seed is at least 0"),
        (("letters", "--seeds", "0,4294967296"), "and below 4294967296"),
        (("letters", "--seeds", "1,0,1"), "give every seed once"),
        (("letters", "--budget-minutes", "0"), "0: give a number above 0"),
        (("letters", "--budget-minutes", "-1"), "-1: give a number above 0"),
        (("letters", "--budget-minutes", "nan"), "nan: give a number above 0"),
        (("--resume", "runs/x", "--budget-minutes", "0"), "0: give a number above 0"),
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


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[Plan]:
    """The plans that a bench would have run."""
    plans: list[Plan] = []

    def remember(plan: Plan, say: object) -> None:
        plans.append(plan)
        raise UserError("enough")

    monkeypatch.setattr("benchmarks.runner.resolve", remember)
    return plans


def test_options_override_the_plan(tmp_path: Path, seen: list[Plan]) -> None:
    write_plan(tmp_path / "plan.yaml", material.plan("zero-shot", "rag"))
    options = ["--methods", "lora", "--seeds", "3,4", "--limit", "9", "--budget-minutes", "2"]
    invoke(str(tmp_path / "plan.yaml"), *options)
    (plan,) = seen
    assert [method.name for method in plan.methods] == ["lora"]
    assert (plan.seeds, plan.limits.test, plan.budget_minutes) == ((3, 4), 9, 2.0)


@pytest.mark.parametrize(
    ("target", "task"),
    [
        ("lm-eval:my-task.yaml", "lm-eval:{0}/my-task.yaml"),
        ("lm-eval:arc_easy", "lm-eval:arc_easy"),
        ("mine", "{0}/mine"),
        ("mine.yaml", "{0}/mine.yaml"),
        ("./banking77", "{0}/banking77"),
        ("banking77", "banking77"),
        ("squad-v2", "squad-v2"),
        ("plan.yml", "letters"),
    ],
)
def test_a_target_is_a_plan_a_name_or_a_folder_that_is_kept_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seen: list[Plan], target: str, task: str
) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in ("mine", "mine.yaml", "banking77"):
        (tmp_path / folder).mkdir()
    (tmp_path / "squad-v2").write_text("")
    (tmp_path / "my-task.yaml").write_text("task: mine")
    plan = material.plan("zero-shot").model_copy(update={"task": "letters"})
    write_plan(tmp_path / "plan.yml", plan)
    told = invoke(target).stderr
    assert [plan.task for plan in seen] == [task.format(tmp_path)]
    assert ("the folder of that name here is ./banking77" in told) == (target == "banking77")


def test_a_file_that_is_no_plan_is_told_what_a_plan_is(tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_text("{}")
    error = invoke(str(tmp_path / "plan.json")).exception
    assert isinstance(error, UserError)
    assert "is no plan. A plan is a .yaml or .yml file that lists a task and methods" in str(error)
    assert "make a task first: advisor init my-task --from FILE" in str(error)


def test_a_description_of_a_task_in_place_of_its_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "task.yaml").write_text("id: mine\nkind: qa\n")
    (tmp_path / "test.jsonl").write_text("{}\n")
    error = invoke(str(tmp_path / "task.yaml")).exception
    assert isinstance(error, UserError)
    assert f"is no plan. Name its folder: advisor bench {tmp_path}" in str(error)


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("epochs: 1", "epochs: 0", "epochs: is 0; it has to be at least 1"),
        (
            "learning_rate: auto",
            "learning_rate: fast",
            "is 'fast'; expected a number or allowed: 'auto'",
        ),
        (
            "learning_rate: auto",
            "learning_rate: -1",
            "is -1; it has to be greater than 0 or allowed: 'auto'",
        ),
    ],
)
def test_what_is_wrong_in_a_plan_is_named_with_its_value(
    tmp_path: Path, before: str, after: str, said: str
) -> None:
    path = tmp_path / "plan.yaml"
    write_plan(path, material.plan("lora"))
    text = re.sub(r"epochs: \d+", "epochs: 1", path.read_text())
    text = re.sub(r"learning_rate: \S+", "learning_rate: auto", text)
    path.write_text(text.replace(before, after))
    error = str(invoke(str(path)).exception)
    assert error.startswith(
        f"{path} is no plan: methods.0.weights.training.{before.split(':', maxsplit=1)[0]}:"
    )
    assert error.endswith(said)


def test_a_run_folder_that_cannot_be_made_is_one_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolved = SimpleNamespace(task=SimpleNamespace(id="letters"))
    monkeypatch.setattr("benchmarks.runner.resolve", lambda plan, say: resolved)
    (tmp_path / "file").write_text("")
    error = invoke("letters", "--out", str(tmp_path / "file" / "run")).exception
    assert isinstance(error, AdvisorError)
    assert "file/run cannot be written: a file stands in its way" in str(error)


@pytest.mark.parametrize(
    ("task", "folder"),
    [
        ("handbook-qa", "handbook-qa"),
        ("lm-eval:arc_easy", "lm-eval-arc-easy"),
        ("lm-eval:/home/me/my-task.yaml", "my-task-yaml"),
    ],
)
def test_a_run_folder_is_called_after_its_task(task: str, folder: str) -> None:
    assert _as_folder(task) == folder


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


def test_plain_progress_names_arms_that_run_side_by_side() -> None:
    text = io.StringIO()
    watcher = PlainWatcher(Console(file=text, highlight=False, markup=False))
    for _ in range(2):
        watcher.advanced(FINISHED, "answering", 1, 3)
        watcher.advanced(Arm(name="rag"), "answering", 2, 3)
    assert text.getvalue() == "  lora-s0: answering: 3\n  rag-s0: answering: 3\n"


def test_live_progress_shows_the_arms_and_the_phase() -> None:
    text = io.StringIO()
    console = Console(file=text, force_terminal=True, width=100, highlight=False, markup=False)
    with live(console) as progress:
        watcher = LiveWatcher(progress)
        watcher.started(FINISHED, 1, 2)
        watcher.advanced(FINISHED, "training", 5, 10)
        watcher.advanced(Arm(name="rag"), "answering", 1, 3)
        watcher.advanced(FINISHED, "training", 6, 10)
        described = [task.description for task in progress.tasks]
        assert described == ["arms", "lora-s0: training", "rag-s0: answering"]
        assert (progress.tasks[1].completed, progress.tasks[1].total) == (6, 10)
        watcher.advanced(Arm(name="rag"), "latency", 1, 3)
        watcher.ended(Arm(name="rag", status="skipped"))
        watcher.ended(FINISHED)
        assert [(task.completed, task.total) for task in progress.tasks] == [(2, 2)]
    assert "lora-s0: accuracy 0.500" in text.getvalue()
