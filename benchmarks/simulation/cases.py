"""The questions that ``make simulate`` asks."""

from __future__ import annotations

from itertools import product

from benchmarks.simulation.checks import Case
from benchmarks.simulation.draws import Kind, World

_ITEMS = (30, 150, 1000)
_DISCORDANCES = (0.04, 0.1, 0.2, 0.4)
_KINDS: tuple[Kind, ...] = ("right or wrong", "graded", "in groups", "over seeds")


def cases() -> tuple[Case, ...]:
    """All of them, those that take longest first."""
    return (*_permuted(), *_exact(), *_covering(), *_watched(), *_regretted())


def _permuted() -> list[Case]:
    """Permutation tests take so long that few methods have to do."""
    few = [(1000, 2), (150, 3), (30, 4)]
    return [
        Case(
            question="false positives",
            world=World(kind=kind, items=items, discordance=0.2, methods=methods),
        )
        for (items, methods), kind in product(few, _KINDS[1:])
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


def _covering() -> list[Case]:
    return [
        Case(
            question="coverage",
            world=World(kind=kind, items=items, discordance=apart, difference=share * apart),
        )
        for kind, items, apart, share in product(_KINDS, _ITEMS, _DISCORDANCES, (0, 0.5))
        if not (share and kind in ("in groups", "over seeds"))
    ]


def _watched() -> list[Case]:
    return [
        Case(
            question="false alarms",
            world=World(kind=kind, items=items, discordance=0.2, methods=1),
        )
        for kind, items in product(_KINDS[:3], (10, *_ITEMS))
    ]


def _regretted() -> list[Case]:
    return [
        Case(
            question="regret",
            world=World(kind="right or wrong", items=items, discordance=apart, methods=7),
        )
        for items, apart in product(_ITEMS, _DISCORDANCES)
    ]
