"""``advisor watch``: whether a method of a finished run still does as well on fresh items."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from advisor.cli.output import tell, tell_json
from advisor.cli.writing import writing
from strategies.visible import shown

if TYPE_CHECKING:
    from benchmarks.drift import Drift
    from benchmarks.store import Run

DRIFTED = 8
"""Exit code of ``--fail-if-worse``."""


def watch(
    run: Annotated[Path, typer.Argument(help="Run folder of a finished bench.")],
    *,
    fresh: Annotated[
        Path, typer.Option("--with", help="Fresh items with their answers: .jsonl, .csv or .tsv.")
    ],
    method: Annotated[
        str | None, typer.Option(help="Method to watch; without it, the run's best.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Run folder to make or to go on with.")] = None,
    data_dir: Annotated[
        Path | None, typer.Option(help="Where recipes find their public files.")
    ] = None,
    fail_if_worse: Annotated[
        bool, typer.Option("--fail-if-worse", help=f"End with exit code {DRIFTED} when it is.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Watch a method after release: does it still do as well, on items of today?

    The method answers the fresh items as it answered the run's, with the weights that it was
    trained to then, if they are kept still. The items differ, so the test is unpaired and needs
    more of them than a comparison does.

    For example:

      advisor watch runs/mine --with this-week.jsonl

      advisor watch runs/mine --with this-week.jsonl --method raft --fail-if-worse
    """
    from benchmarks.tasks.extra import need_the_extra

    need_the_extra("advisor watch", "torch", "lm_eval", "scipy", "statsmodels")
    from advisor.cli.bench import use_data_dir
    from benchmarks.drift import drift_between, leader_of
    from benchmarks.store import read_run
    from benchmarks.worker import refuse_fresh_items_of_lm_eval
    from strategies.hashing import sha256_of_file

    use_data_dir(data_dir)
    before = read_run(run)
    refuse_fresh_items_of_lm_eval(before.plan.task)
    watched = method or leader_of(before)
    digest = sha256_of_file(fresh)[:8] if fresh.is_file() else "missing"
    name = f"{before.manifest.id}-{watched}-on-{fresh.stem}-{digest}"
    folder = out or run.parent / name
    _answer(before, watched, fresh, folder)
    found = drift_between(before, read_run(folder), watched)
    if as_json:
        tell_json(found.model_dump_json(indent=2))
    else:
        tell(_said(found, folder))
    if fail_if_worse and found.verdict == "worse":
        raise typer.Exit(DRIFTED)


def _answer(before: Run, method: str, fresh: Path, folder: Path) -> None:
    """Run the method on the fresh items, or go on where an earlier call ended."""
    from advisor.cli.bench import command_line, recorded_command, work
    from advisor.cli.screen import screen
    from benchmarks.runner import Origin, refuse_other_ground, resolve, resume, run
    from benchmarks.store import read_plan_of_run
    from strategies.errors import RunError

    chosen = tuple(m for m in before.plan.methods if m.name == method)
    if not chosen:
        names = ", ".join(m.name for m in before.plan.methods)
        raise RunError(f"Run {before.manifest.id} has no method {method}. It has: {names}")
    changes = {
        "methods": chosen,
        "floors": False,
        "limits": before.plan.limits.model_copy(update={"test": None}),
        "budget_minutes": None,
        "fresh_items": str(fresh.resolve()),
    }
    plan = before.plan.model_copy(update=changes)
    console = screen(err=True)
    refuse_other_ground(before)
    if (folder / "run.json").is_file():
        if read_plan_of_run(folder) != plan:
            raise RunError(f"{folder} holds another run. Name another folder: --out")
        work(command_line(), lambda means: resume(folder, means), console)
        return
    resolved = resolve(plan, console.print)
    with writing(folder):
        folder.mkdir(exist_ok=True)
    origin = Origin(command=recorded_command())
    work(command_line(), lambda means: run(resolved, folder, means, origin), console)


def _said(found: Drift, folder: Path) -> str:
    from benchmarks.report import numbers

    before, after = found.before, found.after
    lines = [
        f"{found.method}, {found.metric}: {numbers.score(before.score)} on {before.items:,} items, "
        f"{numbers.score(after.score)} on {after.items:,} fresh ones",
        f"After minus before: {numbers.points_between(found.difference, found.interval)} points, "
        f"p {numbers.p_value(found.p_value)} ({found.test})",
        {
            "worse": "It does worse than it did.",
            "better": "It does better than it did.",
            "no drift seen": "No drift is seen.",
        }[found.verdict],
    ]
    if found.detectable is not None:
        lines.append(
            f"So many items show a drift of {numbers.said_points(found.detectable)} and "
            "more with 80 % power; a smaller one may stay unseen."
        )
    if found.retrained:
        lines.append("The weights of then were not kept: others were trained in the same way.")
    if found.shared:
        lines.append(f"{found.shared:,} of the fresh items were in the run's test split already.")
    return "\n".join([*lines, f"Answers: {shown(folder)}"])
