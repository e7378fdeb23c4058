"""``advisor compare``: two runs of one task, method by method, on the items both answered."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from advisor.cli.output import tell, tell_json
from advisor.cli.tables import show

if TYPE_CHECKING:
    from benchmarks.results import RunsComparison

_HEAD = ("method", "run a", "run b", "b minus a, points", "p (Holm)", "")


def compare(
    run_a: Annotated[Path, typer.Argument(help="Run folder to compare with.")],
    run_b: Annotated[Path, typer.Argument(help="Run folder that is compared.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print the table's lines only.")
    ] = False,
) -> None:
    """Compare two runs of one task, paired on the same items only.

    Differences are run b minus run a, with 95 % intervals and p-values corrected for the
    number of methods.

    For example:

      advisor compare runs/before runs/after

      advisor compare runs/before runs/after --json
    """
    from benchmarks.tasks.extra import need_the_extra

    need_the_extra("advisor compare", "scipy", "statsmodels")
    from benchmarks.comparison import compare_runs
    from benchmarks.store import read_run

    found = compare_runs(read_run(run_a), read_run(run_b))
    if as_json:
        tell_json(found.model_dump_json(indent=2))
        return
    if not quiet:
        tell(
            f"{found.run_a.task.id}, {found.metric}: {found.items} shared items "
            f"(only in a: {found.only_a}, only in b: {found.only_b}, changed: {found.changed})"
        )
    show(_HEAD, _rows(found), right=_HEAD[1:-1])
    if not quiet:
        _print_rest(found)


def _rows(found: RunsComparison) -> list[tuple[str, ...]]:
    from benchmarks.report import numbers

    return [
        (
            common.name,
            numbers.score(common.score_a),
            numbers.score(common.score_b),
            numbers.points_between(common.difference.difference, common.difference.interval),
            numbers.p_value(common.difference.p_holm),
            "separated" if common.difference.separated else "not separated",
        )
        for common in found.methods
    ]


def _print_rest(found: RunsComparison) -> None:
    for run, names in (("a", found.methods_only_a), ("b", found.methods_only_b)):
        if names:
            tell(f"Only in run {run}: {', '.join(names)}")
    for note in found.notes:
        tell(note)
