"""``advisor bench``: really runs methods on a task and reports what came out."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from advisor.cli.numbers import MANY, real, whole
from advisor.cli.output import remark, tell
from advisor.cli.screen import screen
from advisor.cli.tables import show
from advisor.cli.trust import Trust, settle_trust
from advisor.cli.watching import LiveWatcher, PlainWatcher, live
from advisor.cli.writing import writing
from strategies.visible import one_line, shell_line, shell_path, shown

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

    from benchmarks.plan import Plan
    from benchmarks.results import Comparison, MethodResult, Problem
    from benchmarks.runner import Means
    from strategies.errors import UserError

_PLAN_SUFFIXES = (".yaml", ".yml")


class Executor(StrEnum):
    """What does the arms of a run."""

    local = "local"
    ray = "ray"


def bench(
    target: Annotated[
        str | None,
        typer.Argument(metavar="PLAN|TASK", help="A plan (.yaml or .yml), or a task."),
    ] = None,
    *,
    methods: Annotated[str | None, typer.Option(help="Names, separated by commas.")] = None,
    model: Annotated[
        str | None,
        typer.Option(help="Packaged model, folder of a model or adapter, .gguf file or hub id."),
    ] = None,
    seeds: Annotated[str | None, typer.Option(help="Numbers, separated by commas.")] = None,
    limit: Annotated[int | None, whole(1, MANY, help="Test items to use.")] = None,
    train_limit: Annotated[int | None, whole(1, MANY, help="Training items to use.")] = None,
    epochs: Annotated[int | None, whole(1, 1000, help="Passes over the training items.")] = None,
    budget_minutes: Annotated[
        float | None,
        real(
            0,
            10_000_000,
            above=True,
            help="No method starts after it, and in ten minutes all end.",
        ),
    ] = None,
    margin: Annotated[
        float | None,
        typer.Option(help="Good enough is at most so many points behind the best."),
    ] = None,
    resume: Annotated[Path | None, typer.Option(help="Go on with this run folder.")] = None,
    data_dir: Annotated[
        Path | None, typer.Option(help="Where recipes find their public files.")
    ] = None,
    shard: Annotated[
        str | None, typer.Option(help="Run a part only, such as 2/3, for: advisor merge")
    ] = None,
    executor: Annotated[
        Executor, typer.Option(help="local: here, one by one. ray: on a Ray cluster.")
    ] = Executor.local,
    out: Annotated[Path | None, typer.Option(help="Run folder to make.")] = None,
    trust: Trust = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print the report's path only.")
    ] = False,
) -> None:
    """Run methods on a task and compare them: quality, cost, memory, latency.

    PLAN is a .yaml or .yml file that `advisor ask --plan` wrote. TASK is a name, a task folder
    or lm-eval:FILE.yaml, and runs every known method unless --methods chooses. Ctrl-C loses no
    finished answer.

    Where a method fails, the others are reported and the exit code is 10. A method that the task
    does not suit, or that the time budget leaves out, has not failed.

    For example:

      advisor bench plan.yaml

      advisor bench ticket-triage --methods zero-shot,icl-nearest,lora --limit 60 --epochs 1

      advisor bench my-task/ --seeds 0,1,2 --budget-minutes 90 --out runs/mine

      advisor bench my-task/ --margin 3

      advisor bench --resume runs/mine

      advisor bench plan.yaml --shard 1/3 --out runs/part-1

      RAY_ADDRESS=10.0.0.7:6379 advisor bench plan.yaml --executor ray --out /shared/runs/mine
    """
    from benchmarks.tasks.extra import need_the_extra

    need_the_extra("advisor bench", "torch", "lm_eval", "faiss")
    if executor is Executor.ray:
        from benchmarks.on_ray import need_ray

        need_ray()
    use_data_dir(data_dir)
    console = screen(quiet=quiet)
    if resume is not None:
        given = (target, methods, model, seeds, limit, train_limit, epochs, shard, out, margin)
        _refuse_with_resume(*given)
        _settle_trust_of(resume, trust=trust)
        folder, going = resume, _going_on(resume, budget_minutes)
    elif target is None:
        raise typer.BadParameter("give a plan or a task, or go on with --resume RUN")
    else:
        plan = _changed(_plan_of(target, methods, model), model, seeds, budget_minutes)
        plan = _with_margin(_cut(plan, limit, train_limit, epochs), margin)
        settle_trust(plan.task, trust=trust)
        folder, going = _beginning(plan, Path(target), out, shard, console)
    option = "" if executor is Executor.local else f" --executor {executor}"
    trusted = " --trust" if trust else ""
    again = f"advisor bench --resume {shell_path(folder)}{option}{trusted}"
    work(again, lambda means: going(_done_by(executor, means)), console)
    show_report(folder, console)


def _settle_trust_of(run: Path, *, trust: bool) -> None:
    """Trust is of a call: nothing that a run folder says gives it."""
    from benchmarks.store import read_plan

    if (run / "run.json").is_file():
        settle_trust(read_plan(run / "plan.yaml").task, trust=trust)


def _done_by(executor: Executor, means: Means) -> Means:
    if executor is Executor.local:
        return means
    from benchmarks.on_ray import on_ray

    return replace(means, executor=on_ray)


def use_data_dir(folder: Path | None) -> None:
    """Let recipes, also in workers, find their public files in a folder."""
    if folder is not None:
        from benchmarks.tasks.catalogue import DATA_DIR_VARIABLE

        os.environ[DATA_DIR_VARIABLE] = str(folder.resolve())


# ---------------------------------------------------------------- what to run


def _refuse_with_resume(*given: object) -> None:
    if any(value is not None for value in given):
        raise typer.BadParameter(
            "--resume goes on with the run's own plan: leave out PLAN|TASK, --methods, --model, "
            "--seeds, --limit, --train-limit, --epochs, --margin, --shard and --out"
        )


def _plan_of(target: str, methods: str | None, model: str | None) -> Plan:
    from benchmarks.plan import Plan
    from benchmarks.store import read_plan
    from strategies.errors import UserError
    from strategies.method import registry

    if _names_a_plan(target):
        plan = read_plan(Path(target))
    else:
        plan = Plan(task=target, methods=tuple(registry().methods.values()))
    if not methods:
        return plan
    try:
        return _with_methods(plan, methods)
    except UserError as error:
        _raise_with_what_else_is_wrong(error, plan, model or plan.model)
        raise


def _raise_with_what_else_is_wrong(error: UserError, plan: Plan, model: str) -> None:
    """A user who named a wrong method reads at once whether task and model can be used."""
    from benchmarks.readiness import load_checked
    from benchmarks.worker import load_cut
    from strategies.errors import all_at_once

    def tell() -> None:
        raise error

    all_at_once(tell, lambda: load_checked(lambda: load_cut(plan), model, plan.embedder))


def _names_a_plan(target: str) -> bool:
    """Whether a target is a plan file; a task is a name, a folder or ``lm-eval:FILE.yaml``."""
    from benchmarks.tasks.catalogue import known_tasks
    from benchmarks.tasks.foreign_code import LM_EVAL
    from strategies.errors import UserError

    path = Path(target)
    if target in known_tasks() or target.startswith(LM_EVAL) or path.is_dir():
        return False
    if path.is_file() and path.suffix not in _PLAN_SUFFIXES:
        raise UserError(
            f"{target} is no plan. A plan is a .yaml or .yml file that lists a task and methods; "
            "`advisor ask --task TASK --plan plan.yaml` writes one. "
            "Of labelled lines, make a task first: advisor init my-task --from FILE"
        )
    if path.name == "task.yaml" and any(path.parent.glob("test.*")):
        raise UserError(
            f"{target} describes a task and is no plan. Name its folder: "
            f"advisor bench {shell_path(path.parent)}"
        )
    return path.suffix in _PLAN_SUFFIXES


def _with_methods(plan: Plan, names: str) -> Plan:
    from benchmarks.plan import Plan
    from strategies.errors import UserError
    from strategies.method import registry

    known = {**registry().methods, **{method.name: method for method in plan.methods}}
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    unknown = [name for name in wanted if name not in known]
    if unknown or not wanted:
        raise UserError(
            f"--methods {names}: {', '.join(unknown) or 'nothing'} is unknown. "
            f"Known: {', '.join(sorted(known))}. Run: advisor methods"
        )
    fields = dict(plan) | {"methods": tuple(known[name] for name in dict.fromkeys(wanted))}
    return Plan.model_validate(fields)


def _changed(
    plan: Plan,
    model: str | None,
    seeds: str | None,
    budget_minutes: float | None,
) -> Plan:
    from benchmarks.plan import Plan

    changes: dict[str, Any] = {
        "task": _whole_task_path(plan.task),
        "model": _whole_model_path(model or plan.model),
    }
    if seeds is not None:
        changes["seeds"] = _numbers(seeds)
    if budget_minutes is not None:
        changes["budget_minutes"] = budget_minutes
    return Plan.model_validate(dict(plan) | changes)


def _cut(plan: Plan, test: int | None, train: int | None, epochs: int | None) -> Plan:
    """The same plan on fewer items or with fewer passes over them."""
    asked = {"test": test, "train": train}
    limits = {name: number for name, number in asked.items() if number is not None}
    methods = plan.methods
    if epochs is not None:
        methods = tuple(method.with_training(epochs=epochs) for method in methods)
    return plan.model_copy(
        update={"limits": plan.limits.model_copy(update=limits), "methods": methods}
    )


def _with_margin(plan: Plan, points: float | None) -> Plan:
    from advisor.cli.report import check_margin

    check_margin(points)
    return plan if points is None else plan.model_copy(update={"margin": points})


def _numbers(text: str) -> tuple[int, ...]:
    try:
        numbers = tuple(int(part) for part in text.split(","))
    except ValueError:
        raise typer.BadParameter(f"--seeds {text}: give whole numbers, such as 0,1,2") from None
    if not all(0 <= number < 2**32 for number in numbers):
        raise typer.BadParameter(f"--seeds {text}: a seed is at least 0 and below {2**32}")
    if len(set(numbers)) != len(numbers):
        raise typer.BadParameter(f"--seeds {text}: give every seed once")
    return numbers


def _whole_task_path(name: str) -> str:
    """A run is resumed from anywhere, so a folder or file is kept as a whole path."""
    from benchmarks.tasks.catalogue import folder_argument, known_tasks
    from benchmarks.tasks.foreign_code import LM_EVAL

    path = Path(name.removeprefix(LM_EVAL)).expanduser()
    if name.startswith(LM_EVAL):
        return f"{LM_EVAL}{path.resolve()}" if path.suffix in _PLAN_SUFFIXES else name
    if name in known_tasks():
        if path.is_dir():
            text = f"{name} is the task that `advisor tasks` lists; the folder of that name here is"
            remark(f"{text} {shell_path(folder_argument(path))}")
        return name
    return str(path.resolve()) if path.is_dir() else name


def _whole_model_path(name: str) -> str:
    from strategies.models import PACKAGED

    path = Path(name).expanduser()
    return str(path.resolve()) if name not in PACKAGED and path.exists() else name


# ---------------------------------------------------------------- running


def _beginning(
    plan: Plan, target: Path, out: Path | None, shard: str | None, console: Console
) -> tuple[Path, Callable[[Means], None]]:
    from benchmarks.runner import Origin, resolve, run
    from benchmarks.sharding import Shard
    from strategies.home import check_out

    part = Shard.parse(shard) if shard else None
    check_out(out or Path("runs"))
    resolved = resolve(plan, console.print)
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    folder = out or Path("runs") / f"{_as_folder(resolved.task.id)}-{stamp}"
    with writing(folder):
        folder.mkdir(exist_ok=True)
    for note in resolved.task.language_notes():
        console.print(f"Note: {one_line(note)}")
    origin = Origin(
        command=recorded_command(),
        recommendation=_recommendation_beside(target),
        shard=part,
    )
    return folder, lambda means: run(resolved, folder, means, origin)


def command_line() -> str:
    """The command that was called, as one would type it."""
    return shell_line(["advisor", *sys.argv[1:]])


def recorded_command() -> str:
    """The command that was called, as one would type it elsewhere; reports show it."""
    from benchmarks.portable import portable_command

    return portable_command(["advisor", *sys.argv[1:]], Path.cwd())


def _as_folder(task: str) -> str:
    """A task's id as part of a file name; ``lm-eval:FILE.yaml`` holds a path."""
    from benchmarks.tasks.corpus import slug

    return slug(task.rpartition("/")[2])


def _going_on(folder: Path, budget_minutes: float | None) -> Callable[[Means], None]:
    from benchmarks.runner import resume

    return lambda means: resume(folder, means, budget_minutes)


def _recommendation_beside(plan: Path) -> str | None:
    """``plan.recommendation.json`` beside ``plan.yaml``: the advice that the plan came from."""
    path = plan.with_suffix(".recommendation.json")
    return path.read_text(encoding="utf-8") if plan.suffix and path.is_file() else None


def work(go_on: str, going: Callable[[Means], None], console: Console) -> None:
    """Run or resume, showing how it moves on; Ctrl-C ends it with what to do next.

    Args:
        go_on: the command that goes on with it.
        going: runs with the means that it is given.
        console: where to show it.
    """
    from benchmarks.runner import Means

    try:
        if console.is_terminal and not console.quiet:
            with live(console) as progress:
                going(Means(watcher=LiveWatcher(progress)))
        else:
            going(Means(watcher=PlainWatcher(console)))
    except KeyboardInterrupt:
        remark(f"Interrupted; no finished answer is lost. Go on: {go_on}")
        raise typer.Exit(130) from None


# ---------------------------------------------------------------- results


def show_report(folder: Path, console: Console) -> None:
    """Write the report of a run and print its table.

    Raises:
        FailedMethodsError: a method failed; the message says which and why.
        RunError: no method finished.
    """
    from advisor.cli.report import write_report
    from benchmarks.results import Comparison
    from benchmarks.store import read_record
    from strategies.errors import RunError

    report, *_ = write_report(folder)
    comparison = read_record(folder / "comparison.json", Comparison)
    if not console.quiet:
        _show(comparison)
    tell(shown(report) if console.quiet else f"Report: {shown(report)}")
    _refuse_failures(comparison, folder)
    # What is refused needs no other try; a shard may hold nothing else.
    methods = [r for r in comparison.methods if not r.floor and r.status != "refused"]
    if methods and not any(result.status in ("finished", "partial") for result in methods):
        raise RunError(
            "No method finished; the report says why. "
            f"Try again: advisor bench --resume {shell_path(folder)}"
        )


def _refuse_failures(comparison: Comparison, folder: Path) -> None:
    from strategies.errors import FailedMethodsError

    failed = {
        result.name: [problem for problem in result.problems if problem.status == "failed"]
        for result in comparison.methods
    }
    failed = {name: problems for name, problems in failed.items() if problems}
    if not failed:
        return
    lines = [
        f"  {_failure(f'{name}-s{problem.seed}', problem, folder)}"
        for name, problems in failed.items()
        for problem in problems
    ]
    raise FailedMethodsError(
        "\n".join(
            [
                f"Failed: {len(failed)} of {len(comparison.methods)} methods.",
                *lines,
                f"Try them again: advisor bench --resume {shell_path(folder)}",
            ]
        )
    )


def _failure(arm: str, problem: Problem, folder: Path) -> str:
    from benchmarks.report.document import excerpt

    why = excerpt(one_line(f"{problem.kind}: {problem.message}"), 300)
    return f"{one_line(arm)}: {why} (log: {shown(folder / 'arms' / arm / 'log.txt')})"


def _show(comparison: Comparison) -> None:
    scored = ["training", "peak memory", "one answer", "prompt tokens"]
    heads = ["method", comparison.run.task.metric, "95 %", "standing", *scored]
    rows = [_row(result) for result in comparison.methods]
    show(heads, rows, right={*heads[1:3], *scored})
    for result in comparison.methods:
        if result.unimproved:
            tell(
                f"{result.name}: training did not improve on the start, so its score says nothing "
                "about the method. The report shows what was tried."
            )


def _row(result: MethodResult) -> list[str]:
    from benchmarks.report import numbers

    interval, cost = result.interval, result.cost
    return [
        f"{result.name} (floor)" if result.floor else result.name,
        _number(result.score, ".3f"),
        f"{interval.low:.3f} to {interval.high:.3f}" if interval else "–",
        {"tied": "not separated"}.get(result.standing or "", result.standing or result.status),
        numbers.duration(cost.train_seconds),
        numbers.size(cost.peak_memory_bytes),
        numbers.duration(cost.latency_p50_seconds),
        _number(cost.prompt_tokens, ".0f"),
    ]


def _number(value: float | None, form: str) -> str:
    return "–" if value is None else format(value, form)
