"""Draws the item scores of methods whose true difference is known."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from benchmarks.pairing import Side
from benchmarks.statistics import mean_outcomes, noise_of
from strategies.data import Frozen

Kind = Literal["right or wrong", "graded", "in groups", "over seeds"]

_GROUP = 5
# Share of a discordance that a whole group has together, the rest being each item's own.
_TOGETHER = 0.5
_RIGHT = 0.5
_SEEDS = 3
# Standard deviation of the true score over seeds.
_SEED_SPREAD = 0.03


class World(Frozen):
    """What the methods of a comparison are like.

    Attributes:
        kind: scores of 0 or 1; scores between with many zeros, as token F1 gives; right or wrong
            where five items share a document and go right and wrong together; or right or wrong
            by adapters of three seeds, which are not equally good.
        items: of the eval set.
        discordance: share of items, in expectation, on which two methods differ.
        difference: by how much the first method is truly better than every other.
        methods: how many.
        floors: how many of them are baselines without a language model.
    """

    kind: Kind
    items: int
    discordance: float
    difference: float = 0.0
    methods: int = 2
    floors: int = 0

    @property
    def discordant_pairs(self) -> float:
        """Items on which two methods are expected to differ."""
        return self.items * self.discordance


def draw(world: World, rng: np.random.Generator) -> list[Side]:
    """One comparison: the methods of a world, the floors last.

    Raises:
        ValueError: a difference is wanted of more than two methods, in groups or over seeds, or is
            larger than the discordance.
    """
    if world.difference and (world.methods > 2 or world.kind in ("in groups", "over seeds")):
        raise ValueError("a true difference is drawn between two methods on single items alone")
    if world.difference > world.discordance:
        raise ValueError(f"{world.difference:g} is more than the discordance allows")
    if world.kind == "over seeds":
        return _seeded(world, rng)
    values = (_two_that_differ if world.difference else _alike)(world, rng)
    units = np.arange(world.items) // (_GROUP if world.kind == "in groups" else 1)
    exact = world.kind == "right or wrong"
    return [
        Side(
            f"method-{n}",
            tuple(map(float, row)),
            mean_outcomes(row.tolist(), units.tolist()),
            exact,
        )
        for n, row in enumerate(values)
    ]


def _seeded(world: World, rng: np.random.Generator) -> list[Side]:
    right = rng.random(world.items) < _RIGHT
    turned = rng.random((world.methods, _SEEDS, world.items)) < _turn(world)
    better = rng.normal(0, _SEED_SPREAD, (world.methods, _SEEDS, 1))
    # Half the items are wrong, and half are right: of these so many change.
    changed = rng.random(turned.shape) < 2 * abs(better)
    values = np.where(changed, better > 0, right ^ turned).astype(float)
    noise = noise_of(values.mean(axis=2).tolist())
    return [
        Side(
            f"method-{n}",
            tuple(map(float, means)),
            mean_outcomes(means.tolist(), range(world.items)),
            right_or_wrong=False,
            noise=noise and noise.in_mean_of(_SEEDS),
        )
        for n, means in enumerate(values.mean(axis=1))
    ]


def _two_that_differ(world: World, rng: np.random.Generator) -> NDArray[np.float64]:
    """Each of the discordant items favours the first method more often than the second."""
    first = (world.discordance + world.difference) / 2
    second = (world.discordance - world.difference) / 2
    where = rng.random(world.items)
    shared = rng.random(world.items) < _RIGHT
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


def _alike(world: World, rng: np.random.Generator) -> NDArray[np.float64]:
    """Every method turns what is right into wrong and the reverse, each on its own items."""
    shape = (world.methods, world.items)
    right = rng.random(world.items) < _RIGHT
    turned = rng.random(shape) < _turn(world)
    if world.kind == "in groups":
        first = np.arange(world.items) // _GROUP * _GROUP
        together = (rng.random(world.items) < _TOGETHER)[first]
        right, turned = right[first], np.where(together, turned[:, first], turned)
    values = (right ^ turned).astype(float)
    if world.kind == "graded":
        # Methods that agree on an item give the same part of its answer.
        values *= np.where(turned, _parts(rng, *shape), _parts(rng, world.items))
    return values


def _turn(world: World) -> float:
    """How often one method turns an item, so that two methods differ as often as they should."""
    return (1 - math.sqrt(1 - 2 * world.discordance)) / 2
