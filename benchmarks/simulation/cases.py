"""The questions that ``make simulate`` asks."""

from __future__ import annotations

from itertools import product
from typing import get_args

from benchmarks.simulation.draws import Kind, World
from benchmarks.simulation.findings import Case

_ITEMS = (30, 150, 1000)
_DISCORDANCES = (0.04, 0.1, 0.2, 0.4)
KINDS: tuple[Kind, ...] = get_args(Kind)


def cases() -> tuple[Case, ...]:
    """All of them, those that take longest first."""
    return (
        *_permuted(),
        *_exact(),
        *_sliced(),
        *_covering(),
        *_covering_scores(),
        *_watched(),
        *_regretted(),
    )


def _permuted() -> list[Case]:
    """Permutation tests take so long that few methods have to do, and of many items few kinds."""
    few = [(1000, 2), (150, 3), (30, 4)]
    return [
        Case(
            question="false positives",
            world=World(kind=kind, items=items, discordance=0.2, methods=methods),
        )
        for (items, methods), kind in product(few, KINDS[1:])
        if items < 1000 or kind in ("graded", "over seeds")
    ]


def _exact() -> list[Case]:
    return [
        Case(
            question="false positives",
            world=World(
                kind="right or wrong", items=items, discordance=discordance, methods=9, floors=2
            ),
        )
        for items, discordance in product(_ITEMS, _DISCORDANCES)
    ]


def _sliced() -> list[Case]:
    """Slices where no two methods differ, and where the first is better on one of them."""
    alike, lifted = "false positives", "false claims of slices"
    return [
        Case(
            question=alike if lift == 0 else lifted,
            world=World(
                kind="right or wrong", items=items, discordance=0.2, methods=6, slices=4, lift=lift
            ),
        )
        for items, lift in product((150, 1000), (0.0, 0.2, 0.4))
    ]


def _covering() -> list[Case]:
    return [
        Case(
            question="coverage",
            world=World(kind=kind, items=items, discordance=apart, difference=share * apart),
        )
        for kind, items, apart, share in product(KINDS, _ITEMS, _DISCORDANCES, (0, 0.5))
        if not share or kind in ("right or wrong", "graded")
    ]


def _covering_scores() -> list[Case]:
    return [
        Case(
            question="coverage of a score",
            world=World(kind=kind, items=items, discordance=0.2, methods=4),
        )
        for kind, items in product(KINDS, _ITEMS)
    ]


def _watched() -> list[Case]:
    return [
        Case(
            question="false alarms",
            world=World(kind=kind, items=items, discordance=0.2, methods=1),
        )
        for kind, items in product(KINDS, (10, *_ITEMS))
        if kind != "over seeds"
    ]


def _regretted() -> list[Case]:
    return [
        Case(
            question="regret",
            world=World(kind="right or wrong", items=items, discordance=apart, methods=7),
        )
        for items, apart in product(_ITEMS, _DISCORDANCES)
    ]
