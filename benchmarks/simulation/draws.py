"""Draws the item scores of methods whose true difference is known."""

from __future__ import annotations

import math
from functools import cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from benchmarks import statistics
from benchmarks.pairing import Side
from benchmarks.statistics import (
    Outcomes,
    bleu_outcomes,
    macro_f1_outcomes,
    mean_outcomes,
    noise_of,
)
from strategies.data import Frozen

Kind = Literal[
    "right or wrong",
    "graded",
    "in groups",
    "in uneven groups",
    "in small groups",
    "macro-F1",
    "BLEU",
    "over seeds",
    "over seeds, in groups",
]
GROUPED: tuple[Kind, ...] = (
    "in groups",
    "in uneven groups",
    "in small groups",
    "over seeds, in groups",
)
SEEDED: tuple[Kind, ...] = ("over seeds", "over seeds, in groups")

_GROUP = 5
_SMALL_GROUP = 1.2
_LABELS = ("common", "usual", "rarer", "rarest")
_LABEL_SHARES = (0.48, 0.24, 0.16, 0.12)
# Share of the n-grams of a wrong answer, of one word to four, that the reference has.
_MATCHING = (0.6, 0.35, 0.2, 0.1)
# Share of a discordance that a whole group has together, the rest being each item's own.
_TOGETHER = 0.5
_SEEDS = 3
# Standard deviation of the true score over seeds.
_SEED_SPREAD = 0.03


class World(Frozen):
    """What the methods of a comparison are like.

    Attributes:
        kind: scores of 0 or 1; scores between with many zeros, as token F1 gives; right or wrong
            where five items, or five or 1.2 in the mean, share a document and go right and wrong
            together; macro-F1 of four labels, the rarest an eighth of the items; BLEU of answers
            that match the reference in all or in some words; or right or wrong by adapters of
            three seeds, which are not equally good, on single items or in groups of five.
        items: of the eval set.
        discordance: share of items, in expectation, on which two methods differ.
        difference: by how much the first method is truly better than every other.
        methods: how many.
        floors: how many of them are baselines without a language model.
        slices: parts of the items, of equal size.
        lift: by how much the first method is better than the others, on the first slice alone.
        behind: by how many right answers, as a share of the items, all methods but the first are
            truly worse than it.
        rate: share of right answers of a method like the others; macro-F1 and BLEU have .5.
        spread: by how much the share of right answers of a method may truly lie off the usual
            one; how much is drawn anew for every comparison and method.
    """

    kind: Kind
    items: int
    discordance: float
    difference: float = 0.0
    methods: int = 2
    floors: int = 0
    slices: int = 1
    lift: float = 0.0
    behind: float = 0.0
    spread: float = 0.0
    rate: float = 0.5

    @property
    def discordant_pairs(self) -> float:
        """Items on which two methods are expected to differ."""
        return self.items * self.discordance


def draw(world: World, rng: np.random.Generator) -> list[Side]:
    """One comparison: the methods of a world, the floors last.

    Raises:
        ValueError: as `draw_slices`.
    """
    return draw_slices(world, rng)[0]


def draw_with_truth(
    world: World, rng: np.random.Generator
) -> tuple[list[Side], NDArray[np.float64]]:
    """One comparison, and by how much each method's true share of right answers is off the usual.

    A method with a higher share truly scores higher, whatever the kind of score.

    Raises:
        ValueError: as `draw_slices`.
    """
    off = rng.uniform(0, world.spread) * rng.uniform(-1, 1, world.methods)
    off[1:] -= world.behind
    return draw_slices(world, rng, off)[0], off


def draw_slices(
    world: World, rng: np.random.Generator, off: NDArray[np.float64] | None = None
) -> list[list[Side]]:
    """One comparison on all items, and the same on every slice where there are several.

    Args:
        world: what the methods are like; its `behind` and `spread` are drawn by
            `draw_with_truth`.
        rng: draws.
        off: by how much each method's true share of right answers is off the usual.

    Raises:
        ValueError: a difference is wanted of more than two methods, or of other than single
            items, or is larger than the discordance; or slices of scores that are not right or
            wrong.
    """
    if world.difference and (world.methods > 2 or world.kind not in ("right or wrong", "graded")):
        raise ValueError("a true difference is drawn between two methods on single items alone")
    if world.difference > world.discordance:
        raise ValueError(f"{world.difference:g} is more than the discordance allows")
    if world.slices > 1 and world.kind != "right or wrong":
        raise ValueError("slices are drawn of scores that are right or wrong")
    off = np.zeros(world.methods) if off is None else off
    if abs(off).max() > _turn(world):
        raise ValueError(f"{abs(off).max():g} off the usual is more than the discordance allows")
    if world.rate != 1 / 2 and not _turn(world) < world.rate < 1 - _turn(world):
        raise ValueError(f"a rate of {world.rate:g} is too extreme for the discordance")
    if world.kind in SEEDED:
        return [_seeded(world, rng, off)]
    units = _units(world, rng)
    two = world.difference > 0
    values = _two_that_differ(world, rng) if two else _turned(world, units, rng, off)
    if world.kind == "macro-F1":
        return [_labelled(values, rng)]
    if world.kind == "BLEU":
        return [_worded(values, rng)]
    where = np.arange(world.items) % world.slices
    better = (where == 0) & (rng.random(world.items) < world.lift / (1 - world.rate))
    values[0] = np.where(better, 1.0, values[0])
    parts = [np.flatnonzero(where == part) for part in range(world.slices)]
    exact = world.kind == "right or wrong"
    every = _sides(values, units, exact=exact)
    if world.slices == 1:
        return [every]
    return [every, *(_sides(values[:, part], np.arange(len(part)), exact=exact) for part in parts)]


def _units(world: World, rng: np.random.Generator) -> NDArray[np.int64]:
    if world.kind in ("in groups", "over seeds, in groups"):
        return np.arange(world.items) // _GROUP
    if world.kind in ("in uneven groups", "in small groups"):
        mean = _GROUP if world.kind == "in uneven groups" else _SMALL_GROUP
        sizes = rng.geometric(1 / mean, world.items)
        return np.repeat(np.arange(world.items), sizes)[: world.items]
    return np.arange(world.items)


def _sides(values: NDArray[np.float64], units: NDArray[np.int64], *, exact: bool) -> list[Side]:
    return [
        _side(n, row, mean_outcomes(row.tolist(), units.tolist()), exact=exact)
        for n, row in enumerate(values)
    ]


def _side(number: int, values: NDArray[np.float64], outcomes: Outcomes, *, exact: bool) -> Side:
    return Side(f"method-{number}", tuple(map(float, values)), outcomes, exact)


def _labelled(values: NDArray[np.float64], rng: np.random.Generator) -> list[Side]:
    """Macro-F1 of methods that are right and wrong as given; one wrong label an item."""
    items = values.shape[1]
    true = rng.choice(len(_LABELS), (items,), p=_LABEL_SHARES)
    wrong = (true + rng.integers(1, len(_LABELS), (items,))) % len(_LABELS)
    references = [_LABELS[label] for label in true]
    return [
        _side(
            n,
            row,
            macro_f1_outcomes(
                references,
                [[_LABELS[t if r else w] for r, t, w in zip(row > 0, true, wrong, strict=True)]],
                _LABELS,
                range(items),
            ),
            exact=False,
        )
        for n, row in enumerate(values)
    ]


def _seeded(world: World, rng: np.random.Generator, off: NDArray[np.float64]) -> list[Side]:
    right = rng.random(world.items) < _right_at_first(world)
    units, chance = _units(world, rng), rng.random((world.methods, _SEEDS, world.items))
    if world.kind in GROUPED:
        first = np.searchsorted(units, units)
        together = (rng.random(world.items) < _TOGETHER)[first]
        right, chance = right[first], np.where(together, chance[..., first], chance)
    turned = chance < _turn(world)
    better = rng.normal(off[:, None, None], _SEED_SPREAD, (world.methods, _SEEDS, 1))
    # Of the wrong answers, or of the right ones, so many change.
    changed = rng.random(turned.shape) < abs(better) / np.where(
        better > 0, 1 - world.rate, world.rate
    )
    values = np.where(changed, better > 0, right ^ turned).astype(float)
    noise = noise_of(values.mean(axis=2).tolist())
    return [
        Side(
            f"method-{n}",
            tuple(map(float, means)),
            mean_outcomes(means.tolist(), units.tolist()),
            right_or_wrong=False,
            noise=noise and noise.in_mean_of(_SEEDS),
        )
        for n, means in enumerate(values.mean(axis=1))
    ]


def _worded(values: NDArray[np.float64], rng: np.random.Generator) -> list[Side]:
    """BLEU of methods that are right and wrong as given; one wrong answer an item."""
    items = values.shape[1]
    words = rng.integers(8, 20, items)
    grams = np.column_stack([words - shorter for shorter in range(4)])
    wrong = rng.binomial(grams, _MATCHING)
    lengths = np.column_stack([words, words])
    return [
        _side(
            n,
            row,
            bleu_outcomes(
                [np.hstack([np.where(row[:, None] > 0, grams, wrong), grams, lengths]).tolist()],
                range(items),
            ),
            exact=False,
        )
        for n, row in enumerate(values)
    ]


def _two_that_differ(world: World, rng: np.random.Generator) -> NDArray[np.float64]:
    """Each of the discordant items favours the first method more often than the second."""
    first = (world.discordance + world.difference) / 2
    second = (world.discordance - world.difference) / 2
    where = rng.random(world.items)
    right = (world.rate - world.discordance / 2) / (1 - world.discordance)
    shared = rng.random(world.items) < right
    a = np.where(where < first, 1.0, np.where(where < first + second, 0.0, shared))
    b = np.where(where < first, 0.0, np.where(where < first + second, 1.0, shared))
    both = np.stack([a, b])
    return both * _parts(rng, world.items) if world.kind == "graded" else both


def _parts(rng: np.random.Generator, *shape: int) -> NDArray[np.float64]:
    """What an answer that is not wrong is worth: all in half the cases, a part in the others."""
    return np.where(rng.random(shape) < 1 / 2, 1.0, rng.beta(2, 2, shape))


_MEAN_PART = 3 / 4


def true_difference(world: World) -> float:
    """First minus second method, in expectation."""
    return world.difference * (_MEAN_PART if world.kind == "graded" else 1.0)


def true_margin(world: World) -> float:
    """By how much the score of all methods but the first is worse; of sums, by 300,000 items."""
    if world.kind in ("macro-F1", "BLEU"):
        return _margin_of_sums(world.model_copy(update={"items": 300_000, "methods": 2}))
    return world.behind * (_MEAN_PART if world.kind == "graded" else 1.0)


@cache
def _margin_of_sums(world: World) -> float:
    first, second = draw_with_truth(world, np.random.default_rng(0))[0]
    return first.outcomes.score - second.outcomes.score


@cache
def findable(world: World) -> World:
    """The same two methods, as far apart as a report says it finds with 80 % power.

    Raises:
        ValueError: a report says that no difference is found.
    """
    found = statistics.detectable_difference(world.items, world.discordance)
    if world.kind == "graded":
        # The error of a difference hangs a little on how large the difference is.
        many = world.model_copy(update={"items": 100_000, "difference": found or 0.0})
        one, other = draw(many, np.random.default_rng(0))
        error, _ = statistics.difference_error(one.outcomes, other.outcomes)
        error *= math.sqrt(many.items / world.items)
        found = (statistics.detectable_from_error(error) or 0.0) / _MEAN_PART
    if found is None:
        raise ValueError(f"no difference is found on {world.items} items")
    return world.model_copy(update={"difference": found})


def true_score(world: World) -> float:
    """A method's score where it is as good as the others; of sums, by a million items."""
    if world.kind in ("macro-F1", "BLEU"):
        return _score_of_sums(world.kind)
    return world.rate * (_MEAN_PART if world.kind == "graded" else 1.0)


@cache
def _score_of_sums(kind: Kind) -> float:
    one = World(kind=kind, items=1_000_000, discordance=0.0, methods=1)
    return draw(one, np.random.default_rng(0))[0].outcomes.score


def _turned(
    world: World, units: NDArray[np.int64], rng: np.random.Generator, off: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Every method turns what is right into wrong and the reverse, each on its own items."""
    shape = (world.methods, world.items)
    right = rng.random(world.items) < _right_at_first(world)
    often = _turn(world) + off[:, None] * np.where(right, -1, 1)
    chance = rng.random(shape)
    turned = chance < often
    if world.kind in GROUPED:
        # The first item of every item's group.
        first = np.searchsorted(units, units)
        together = (rng.random(world.items) < _TOGETHER)[first]
        right, often = right[first], often[:, first]
        turned = np.where(together, chance[:, first], chance) < often
    values = (right ^ turned).astype(float)
    if world.kind == "graded":
        # Methods that agree on an item give the same part of its answer.
        values *= np.where(turned, _parts(rng, *shape), _parts(rng, world.items))
    return values


def _turn(world: World) -> float:
    """How often one method turns an item, so that two methods differ as often as they should."""
    return (1 - math.sqrt(1 - 2 * world.discordance)) / 2


def _right_at_first(world: World) -> float:
    """Share of items that are right before any is turned, so that the rate is right afterwards."""
    turn = _turn(world)
    return (world.rate - turn) / (1 - 2 * turn)
