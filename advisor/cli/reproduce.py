"""``advisor reproduce``: runs a report again and says, number by number, what agreed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from advisor.cli.writing import writing

if TYPE_CHECKING:
    from benchmarks.store import Run

DIFFERS = 9
"""Exit code when a number did not come out again."""


def reproduce(
    report: Annotated[Path, typer.Argument(help="Report of a run, or its run folder.")],
    out: Annotated[Path | None, typer.Option(help="Run folder to make or to go on with.")] = None,
    data_dir: Annotated[
        Path | None, typer.Option(help="Where recipes find their public files.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Run a report again, with nothing reused, and say number by number what agreed.

    The plan, the task and the models must have the hashes of the report. Numbers of methods that
    train nothing come out exactly on the same machine and libraries; trained ones do where
    arithmetic is the same, and otherwise lie within noise. Writes reproduction.md.

    For example:

      advisor reproduce reports/runs/ticket-triage/report.md --out runs/again
    """
    import os

    from benchmarks.tasks.extra import need_the_extra

    need_the_extra("advisor reproduce", "torch", "lm_eval", "scipy", "statsmodels")
    from benchmarks.report.reproduction import reproduction_markdown
    from benchmarks.reproduction import reproduction
    from benchmarks.store import read_run, write_atomic

    if data_dir is not None:
        from benchmarks.tasks.catalogue import DATA_DIR_VARIABLE

        os.environ[DATA_DIR_VARIABLE] = str(data_dir.resolve())
    folder = report if report.is_dir() else report.parent
    before = read_run(folder)
    again = out or Path("runs") / f"{before.manifest.id}-again"
    _run_again(before, again)
    found = reproduction(before, read_run(again))
    text = reproduction_markdown(found)
    with writing(again / "reproduction.md"):
        write_atomic(again / "reproduction.md", text)
    typer.echo(found.model_dump_json(indent=2) if as_json else text)
    if not found.agrees:
        raise typer.Exit(DIFFERS)


def _run_again(before: Run, folder: Path) -> None:
    """Run the plan with a home of its own, or go on where an earlier call ended."""
    from dataclasses import replace

    from rich.console import Console

    from advisor.cli.bench import work
    from benchmarks.runner import Means, Origin, resolve, resume, run
    from benchmarks.store import ArtifactStore
    from strategies.errors import RunError
    from strategies.home import make_fresh_home

    console = Console(stderr=True, highlight=False, markup=False)
    resolved = resolve(before.plan, console.print)
    manifest = before.manifest
    hashes = {
        "task": (manifest.task.sha256, resolved.task.sha256),
        "model": (manifest.model_sha256, resolved.setting.model_sha256),
        "embedder": (manifest.embedder_sha256, resolved.setting.embedder_sha256),
    }
    other = [f"  {of}: {then} -> {now}" for of, (then, now) in hashes.items() if then != now]
    if other:
        raise RunError(
            f"{manifest.id} cannot be reproduced, because this is not what it rests on:\n"
            + "\n".join(other)
        )
    fresh = make_fresh_home(folder.with_name(f"{folder.name}-home").resolve())
    recommendation = before.path / "recommendation.json"
    origin = Origin(
        command=f"advisor reproduce {manifest.id}",
        recommendation=recommendation.read_text(encoding="utf-8")
        if recommendation.is_file()
        else None,
    )
    begun = (folder / "run.json").is_file()
    with writing(folder):
        folder.mkdir(exist_ok=True)

    def going(means: Means) -> None:
        alone = replace(
            means,
            artifacts=ArtifactStore(fresh / "artifacts"),
            variables={"ADVISOR_HOME": str(fresh)},
        )
        if begun:
            resume(folder, alone)
        else:
            run(resolved, folder, alone, origin)

    work(folder, going, console)
