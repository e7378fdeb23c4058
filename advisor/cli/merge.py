"""``advisor merge``: the shards of a plan become one run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from advisor.cli.writing import writing


def merge(
    runs: Annotated[list[Path], typer.Argument(help="Run folders, all shards of one plan.")],
    out: Annotated[Path, typer.Option(help="Run folder to make.")],
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print the report's path only.")
    ] = False,
) -> None:
    """Merge the shards of a plan into one run, and report it.

    Each shard is a bench of its own, on a machine of its own: a job of a batch queue, say. The
    machines need the same task folder, libraries, threads and precision. An arm that did not
    finish can be gone on with in the merged run.

    For example:

      advisor bench plan.yaml --shard 1/2 --out runs/part-1

      advisor bench plan.yaml --shard 2/2 --out runs/part-2

      advisor merge runs/part-1 runs/part-2 --out runs/whole
    """
    from benchmarks.tasks.extra import need_the_extra

    need_the_extra("advisor merge", "scipy", "statsmodels", "matplotlib")
    from advisor.cli.bench import recorded_command, show_report
    from advisor.cli.screen import screen
    from benchmarks.sharding import merge as merge_shards
    from benchmarks.store import read_run

    shards = [read_run(run) for run in runs]
    with writing(out):
        merge_shards(shards, out, recorded_command())
    show_report(out, screen(quiet=quiet))
