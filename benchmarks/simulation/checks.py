"""What a report would have said of a drawn comparison, held against the truth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from scipy import stats

from benchmarks.drift import unpaired
from benchmarks.pairing import differences_between, interval_between
from benchmarks.results import ALPHA
from benchmarks.simulation.draws import World, draw, true_difference
from benchmarks.statistics import regret_without_interval, wilson_interval
from strategies.data import Frozen

Question = Literal["false positives", "coverage", "false alarms", "regret"]

WATCHED = 150
"""Items of the run that fresh ones are held against."""

FEW_PAIRS = 10
"""Below so many expected discordant pairs an interval may cover more than it says."""
LEAST, MOST = 0.93, 0.97
"""Shares of 95 % intervals that hold the truth, between which they are called right."""
_REFUTED = 0.01
_QUANTILE = float(stats.norm.ppf(1 - _REFUTED / 2))


class Case(Frozen):
    """A question put to comparisons of one world."""

    question: Question
    world: World


class Count(Frozen):
    """How often something happened in how many draws."""

    hits: int
    draws: int

    @property
    def share(self) -> float:
        """Hits over draws."""
        return self.hits / self.draws

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's interval of the share."""
        return wilson_interval(self.hits, self.draws)


class Mean(Frozen):
    """Mean and standard error of a regret, in shares of the score."""

    mean: float
    error: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Mean:
        """The mean of so many draws."""
        return cls(mean=float(np.mean(values)), error=float(stats.sem(values)))


class Counted(Frozen):
    """How many draws of a case had it.

    Attributes:
        case: what was asked.
        count: reports with a false claim, or intervals that hold the truth.
    """

    case: Case
    count: Count

    @property
    def holds(self) -> bool:
        """Whether the draws agree with what a report promises, chance at 1 % aside."""
        if self.case.question != "coverage":
            return _not_above(self.count, ALPHA)
        misses = Count(hits=self.count.draws - self.count.hits, draws=self.count.draws)
        few = self.case.world.discordant_pairs < FEW_PAIRS
        return _not_above(misses, 1 - LEAST) and (few or _not_above(self.count, MOST))


class Regretted(Frozen):
    """The regret of one among equal methods, whose true regret is 0.

    Attributes:
        case: what was asked.
        cross_fitted: what a report shows.
        naive: the best score minus its own, on the same items.
    """

    case: Case
    cross_fitted: Mean
    naive: Mean

    @property
    def holds(self) -> bool:
        """Whether the mean lies at 0, chance at 1 % aside."""
        return abs(self.cross_fitted.mean) <= _QUANTILE * self.cross_fitted.error


Finding = Counted | Regretted


def _not_above(count: Count, most: float) -> bool:
    test = stats.binomtest(count.hits, count.draws, most, alternative="greater")
    return bool(test.pvalue >= _REFUTED)


def answer(case: Case, draws: int, seed: int) -> Finding:
    """Draw comparisons and count; the same seed draws the same."""
    rng = np.random.default_rng(seed)
    if case.question == "regret":
        return _regret(case, draws, rng)
    asked = {
        "false positives": _claims_something,
        "coverage": _covers,
        "false alarms": _alarms,
    }
    hits = sum(asked[case.question](case.world, rng) for _ in range(draws))
    return Counted(case=case, count=Count(hits=hits, draws=draws))


def _claims_something(world: World, rng: np.random.Generator) -> bool:
    """Whether a report of methods that are all alike separates any two, floors included."""
    sides = draw(world, rng)
    split = world.methods - world.floors
    return any(d.separated for d in differences_between(sides[:split], sides[split:]))


def _covers(world: World, rng: np.random.Generator) -> bool:
    one, other = draw(world, rng)
    interval = interval_between(one, other)
    return interval.low - 1e-12 <= true_difference(world) <= interval.high + 1e-12


def _alarms(world: World, rng: np.random.Generator) -> bool:
    """Whether a method that does as well as ever is said to have drifted."""
    (before,) = draw(world.model_copy(update={"items": WATCHED}), rng)
    (after,) = draw(world, rng)
    _, p_value, _ = unpaired(before, after)
    return p_value < ALPHA


def _regret(case: Case, draws: int, rng: np.random.Generator) -> Regretted:
    found = []
    for seed in range(draws):
        outcomes = {side.name: side.outcomes for side in draw(case.world, rng)}
        regret = regret_without_interval(outcomes, min(outcomes), seed)
        if regret is None:
            raise ValueError(f"{case.world.items} items are too few to split into halves")
        found.append(regret)
    return Regretted(
        case=case,
        cross_fitted=Mean.of([regret.cross_fitted for regret in found]),
        naive=Mean.of([regret.naive for regret in found]),
    )
