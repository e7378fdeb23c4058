"""``advisor reproduce``: runs a report again and says, number by number, what agreed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from advisor.cli.output import tell, tell_json
from advisor.cli.trust import Trust, settle_trust
from advisor.cli.writing import writing

if TYPE_CHECKING:
    from benchmarks.store import Run

_HOME = ".home"
DIFFERS = 9
"""Exit code when a number did not come out again."""


def reproduce(
    report: Annotated[
        Path, typer.Argument(exists=True, help="Report of a run, or its run folder.")
    ],
    out: Annotated[Path | None, typer.Option(help="Run folder to make or to go on with.")] = None,
    data_dir: Annotated[
        Path | None, typer.Option(help="Where recipes find their public files.")
    ] = None,
    trust: Trust = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Run a report again, with nothing reused, and say number by number what agreed.

    The plan, the task and the models must have the hashes of the report. Numbers of methods that
    train nothing come out exactly where their fingerprints are the same; those of trained ones,
    and of any that this version computes in another way, exactly or within noise. Writes
    reproduction.md.

    For example:

      advisor reproduce reports/runs/ticket-triage/report.md --out runs/again
    """
    from benchmarks.tasks.extra import need_the_extra

    need_the_extra("advisor reproduce", "torch", "lm_eval", "scipy", "statsmodels")
    from advisor.cli.bench import use_data_dir
    from benchmarks.report.reproduction import reproduction_markdown
    from benchmarks.reproduction import reproduction
    from benchmarks.store import read_run, write_atomic

    use_data_dir(data_dir)
    before = read_run(report if report.is_dir() else report.parent)
    settle_trust(before.plan.task, trust=trust)
    again = out or Path("runs") / f"{before.manifest.id}-again"
    _run_again(before, again)
    found = reproduction(before, read_run(again))
    text = reproduction_markdown(found)
    with writing(again / "reproduction.md"):
        write_atomic(again / "reproduction.md", text)
    if as_json:
        tell_json(found.model_dump_json(indent=2))
    else:
        tell(text)
    if not found.agrees:
        raise typer.Exit(DIFFERS)


def _run_again(before: Run, folder: Path) -> None:
    """Run the plan with a home of its own, or go on where an earlier call ended."""
    from dataclasses import replace

    from advisor.cli.bench import command_line, recorded_command, work
    from advisor.cli.screen import screen
    from benchmarks.runner import Means, Origin, refuse_other_ground, resolve, resume, run
    from benchmarks.sharding import refuse_shard
    from benchmarks.store import ArtifactStore, read_plan_of_run, recommendation_text
    from strategies.errors import RunError
    from strategies.home import HOME_VARIABLE, make_fresh_home

    refuse_shard(before)
    refuse_other_ground(before)
    console = screen(err=True)
    home = folder / _HOME
    begun = (folder / "run.json").is_file()
    if begun and not home.is_dir():
        raise RunError(f"{folder} holds a run that is no repetition. Name another folder: --out")
    plan = before.plan.model_copy(update={"budget_minutes": None})
    resolved = resolve(plan, console.print)
    if begun and read_plan_of_run(folder) != resolved.plan:
        raise RunError(f"{folder} repeats another run. Name another folder: --out")
    with writing(folder):
        folder.mkdir(exist_ok=True)
        make_fresh_home(home)
    origin = Origin(command=recorded_command(), recommendation=recommendation_text(before.path))

    def going(means: Means) -> None:
        store = ArtifactStore(home.resolve() / "artifacts")
        alone = replace(means, artifacts=store, variables={HOME_VARIABLE: str(home.resolve())})
        if begun:
            resume(folder, alone)
        else:
            run(resolved, folder, alone, origin)

    work(command_line(), going, console)
