"""``advisor power``: what an eval set of some size can tell apart, before anything is run."""

from __future__ import annotations

from math import comb
from typing import TYPE_CHECKING, Annotated

import typer

from advisor.cli.numbers import MANY, real, whole
from advisor.cli.output import tell_json
from advisor.cli.tables import show

if TYPE_CHECKING:
    from benchmarks.power import Power


def power(
    items: Annotated[int, whole(1, MANY, help="Items of the eval set.")] = 150,
    methods: Annotated[int, whole(2, 1000, help="Methods that are compared.")] = 2,
    floors: Annotated[int, whole(0, 1000, help="Baselines that stand beside them.")] = 0,
    discordance: Annotated[
        str, typer.Option(help="Shares of items on which two methods differ, with commas.")
    ] = "0.05,0.1,0.2,0.3,0.4",
    difference: Annotated[
        float | None,
        real(0.1, 100, help="Points to be found: says how many items it takes."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say what can be told apart: the smallest difference that is found with 80 % power.

    For scores of right and wrong, by McNemar's test at 5 %. The discordance of two methods is
    the share of items that one gets right and the other wrong; reports of finished runs show it.
    A report corrects for all its pairs, so more methods leave less to be seen.

    For example:

      advisor power --items 150

      advisor power --items 150 --methods 7 --floors 3

      advisor power --difference 5 --methods 7
    """
    from benchmarks.tasks.extra import need_the_extra

    need_the_extra("advisor power", "scipy", "statsmodels")
    from benchmarks.power import power_of

    pairs = comb(methods, 2) + methods * floors
    found = power_of(items, pairs, _shares(discordance), difference and difference / 100)
    if as_json:
        tell_json(found.model_dump_json(indent=2))
    else:
        _print(found)


def _shares(text: str) -> list[float]:
    from strategies.errors import UserError

    try:
        shares = [float(part) for part in text.split(",")]
    except ValueError:
        shares = []
    if not shares or not all(0 < share <= 1 for share in shares):
        raise UserError(
            f"--discordance {text}: shares are numbers above 0 and up to 1, with commas between "
            "them, such as 0.1,0.2"
        )
    return shares


def _print(found: Power) -> None:
    heads = ["items that differ", f"points that {found.items:,} items show"]
    if found.pairs > 1:
        heads.append(f"corrected for {found.pairs} pairs")
    if found.difference is not None:
        heads.append(f"items that show {100 * found.difference:g} points")
    if found.difference is not None and found.pairs > 1:
        heads.append("corrected")
    rows = []
    for row in found.rows:
        cells = [_points(row.detectable), _points(row.detectable_corrected)][: min(found.pairs, 2)]
        if found.difference is not None:
            cells += [_count(row.needed), _count(row.needed_corrected)][: min(found.pairs, 2)]
        rows.append((f"{row.discordance:.0%}", *cells))
    show(heads, rows, right=heads[1:])


def _points(difference: float | None) -> str:
    return "–" if difference is None else f"{100 * difference:.1f}"


def _count(items: int | None) -> str:
    return "–" if items is None else f"{items:,}"
