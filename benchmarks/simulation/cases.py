"""The questions that ``make simulate`` asks."""

from __future__ import annotations

from itertools import product
from typing import get_args

from benchmarks.simulation.draws import SEEDED, Kind, World
from benchmarks.simulation.findings import Case, Question

_ITEMS = (30, 150, 1000)
_DISCORDANCES = (0.04, 0.1, 0.2, 0.4)
_FEW_DISCORDANCES = (0.1, 0.4)
KINDS: tuple[Kind, ...] = get_args(Kind)


def cases() -> tuple[Case, ...]:
    """All of them, those that take longest first."""
    return (
        *_permuted(),
        *_exact(),
        *_sliced(),
        *_covering(),
        *_covering_scores(),
        *_rare_and_common(),
        *_watched(),
        *_found(),
        *_verified(),
        *_bounded(),
        *_regretted(),
        *_good_enough(),
        *_calibrated(),
        *_estimated(),
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
        if items < 1000 or kind in ("graded", *SEEDED)
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
        if items < 1000 or discordance in _FEW_DISCORDANCES
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
        if items < 1000 or lift < 0.4
    ]


def _covering() -> list[Case]:
    return [
        Case(
            question="coverage",
            world=World(kind=kind, items=items, discordance=apart, difference=share * apart),
        )
        for kind, items, apart, share in product(KINDS, _ITEMS, _DISCORDANCES, (0, 0.5))
        if kind in ("right or wrong", "graded") or (not share and apart in _FEW_DISCORDANCES)
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
        if kind not in SEEDED
        if items < 1000 or kind in ("right or wrong", "graded", "in groups")
    ]


def _rare_and_common() -> list[Case]:
    """Base rates far from a half: one answer in twenty is right, and nine in ten."""
    questions: tuple[Question, ...] = (
        "false positives",
        "coverage",
        "coverage of a score",
        "false alarms",
    )
    kinds: tuple[Kind, ...] = ("right or wrong", "graded", "in groups")
    return [
        Case(
            question=question,
            world=World(
                kind=kind,
                items=items,
                discordance=apart,
                rate=rate,
                methods=1 if question == "false alarms" else 2,
            ),
        )
        for question, kind, items, (rate, apart) in product(
            questions, kinds, (30, 150, 1000), ((0.05, 0.04), (0.9, 0.1))
        )
        if items < 1000 or question in ("coverage", "coverage of a score")
    ]


def _found() -> list[Case]:
    """Two methods that differ by what a report says it finds with 80 % power."""
    worlds = [
        *(("right or wrong", n, d) for n, d in product((150, 1000), (0.1, 0.2, 0.4))),
        *(("graded", n, 0.2) for n in (150, 1000)),
    ]
    return [
        Case(question="differences missed", world=World(kind=kind, items=items, discordance=apart))
        for kind, items, apart in worlds
    ]


def _verified() -> list[Case]:
    """Advice that was right, one among equals or the best, and advice 20 points off."""
    kinds: tuple[Kind, ...] = ("right or wrong", "over seeds", "over seeds, in groups")
    truths: list[tuple[Question, float]] = [
        ("false misses", 0.0),
        ("false misses", 0.05),
        ("false hits", 0.2),
    ]
    return [
        Case(
            question=question,
            world=World(kind=kind, items=items, discordance=0.4, methods=5, behind=behind),
        )
        for (question, behind), kind, items in product(truths, kinds, (30, 150))
    ]


def _bounded() -> list[Case]:
    """The second of five methods and of two was advised, and the first is better.

    Of the two one loses nearly all items on which they differ.
    """
    worlds = [
        *(
            World(kind=kind, items=items, discordance=0.2, methods=5, behind=0.05)
            for kind, items in product(KINDS, (60, 150))
        ),
        *(
            World(kind=kind, items=items, discordance=0.1, behind=0.05)
            for kind, items in product(("right or wrong", "graded", "in groups"), (60, 150, 1000))
        ),
    ]
    return [Case(question="regret bounds", world=world) for world in worlds]


def _regretted() -> list[Case]:
    return [
        Case(
            question="regret",
            world=World(kind="right or wrong", items=items, discordance=apart, methods=7),
        )
        for items, apart in product(_ITEMS, _FEW_DISCORDANCES)
    ]


def _good_enough() -> list[Case]:
    """Two methods and five, all but the first worse by the margin.

    Last come those of which a worse one loses nearly all items on which the two differ.
    """
    worlds = [
        *(
            World(kind=kind, items=items, discordance=0.2, methods=methods, behind=0.05)
            for kind, items, methods in product(KINDS, (30, 150), (2, 5))
        ),
        *(
            World(kind=kind, items=1000, discordance=0.2, behind=0.03)
            for kind in ("right or wrong", "graded")
        ),
        *(
            World(kind=kind, items=items, discordance=0.1, behind=0.05)
            for kind, items in product(("right or wrong", "graded", "in groups"), (30, 150))
        ),
    ]
    return [Case(question="false good enough", world=world) for world in worlds]


def _calibrated() -> list[Case]:
    sizes = [*product(KINDS, (30, 150)), ("right or wrong", 1000)]
    questions: tuple[Question, ...] = ("chance of being best", "chance of reaching a target")
    return [
        Case(
            question=question,
            world=World(kind=kind, items=items, discordance=0.4, methods=4, spread=0.2),
        )
        for question, (kind, items) in product(questions, sizes)
        if question == questions[1] or items == 30 or kind in ("right or wrong", "graded", "BLEU")
    ]


def _estimated() -> list[Case]:
    losing = World(kind="right or wrong", items=150, discordance=0.4, methods=4, spread=0.2)
    grouped: tuple[Kind, ...] = ("in groups", "in uneven groups", "in small groups")
    return [
        *(
            Case(question="expected loss", world=losing.model_copy(update={"items": items}))
            for items in _ITEMS
        ),
        *(
            Case(question="kappa", world=World(kind="right or wrong", items=150, discordance=d))
            for d in (0.1, 0.4)
        ),
        *(
            Case(
                question="intraclass correlation",
                world=World(kind=kind, items=1000, discordance=d, methods=1),
            )
            for kind, d in product(grouped, (0.1, 0.4))
        ),
    ]
