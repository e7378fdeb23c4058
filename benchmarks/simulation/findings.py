"""What a simulation asks and finds, and whether that is what a report promises."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
from scipy import stats

from benchmarks.results import ALPHA
from benchmarks.simulation.draws import Kind, World
from benchmarks.statistics import wilson_interval
from strategies.data import Frozen

Question = Literal[
    "false positives",
    "false claims of slices",
    "coverage",
    "coverage of a score",
    "false alarms",
    "regret",
    "false good enough",
    "chance of being best",
    "chance of reaching a target",
    "expected loss",
    "kappa",
    "intraclass correlation",
]
COVERAGES: tuple[Question, ...] = ("coverage", "coverage of a score")

FEW_PAIRS = 10
"""Below so many expected discordant pairs an interval may cover more than it says."""
LEAST, MOST = 0.93, 0.97
"""Shares of 95 % intervals that hold the truth, between which they are called right."""
_MAY_BE_WIDE: tuple[Kind, ...] = ("in groups", "in uneven groups", "over seeds")
"""Where units are few, groups or seeds, their intervals may be wider than they say."""
BINS = (0.05, 0.2, 0.5, 0.8, 0.95)
"""Where stated chances are parted."""
MOST_OFF = 0.05
"""So far from the truth may a stated chance be, on average over comparisons."""
FEW_STATED = 50
"""A share of fewer stated chances shows nothing."""
ESTIMATE_OFF = 0.01
"""So far from the truth may an estimate be, on average."""
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
        if self.case.question not in COVERAGES:
            return _not_above(self.count, ALPHA)
        misses = Count(hits=self.count.draws - self.count.hits, draws=self.count.draws)
        return _not_above(misses, 1 - LEAST) and (self._may_be_wide or not self.wide)

    @property
    def wide(self) -> bool:
        """Whether intervals hold the truth more often than 95 % ones should, chance aside."""
        return self.case.question in COVERAGES and not _not_above(self.count, MOST)

    @property
    def _may_be_wide(self) -> bool:
        few = self.case.world.discordant_pairs < FEW_PAIRS and self.case.question == "coverage"
        return few or self.case.world.kind in _MAY_BE_WIDE


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


class Stated(Frozen):
    """Chances that were stated, from one limit to the next.

    Attributes:
        mean: of the chances.
        true: how many of how many came true.
    """

    mean: float
    true: Count

    @property
    def off(self) -> float:
        """By how much the stated chance is above the share that came true."""
        return self.mean - self.true.share

    @property
    def holds(self) -> bool:
        """Whether the chances are about right, chance at 1 % aside."""
        if self.true.draws < FEW_STATED:
            return True
        error = math.sqrt(self.mean * (1 - self.mean) / self.true.draws)
        return abs(self.off) <= MOST_OFF + _QUANTILE * error


class Calibrated(Frozen):
    """How often what was given a chance is true, by the chance; only bins that hold any."""

    case: Case
    bins: tuple[Stated, ...]

    @classmethod
    def of(cls, case: Case, stated: Sequence[float], true: Sequence[bool]) -> Calibrated:
        """Chances and whether each came true."""
        places = np.digitize(stated, BINS)
        bins = []
        for place in np.unique(places):
            mine = places == place
            count = Count(hits=int(np.asarray(true)[mine].sum()), draws=int(mine.sum()))
            bins.append(Stated(mean=float(np.asarray(stated)[mine].mean()), true=count))
        return cls(case=case, bins=tuple(bins))

    @property
    def holds(self) -> bool:
        """Whether all stated chances are about right."""
        return all(each.holds for each in self.bins)

    @property
    def off(self) -> float:
        """Mean distance of stated chances from what came true (expected calibration error)."""
        total = sum(each.true.draws for each in self.bins)
        return sum(abs(each.off) * each.true.draws for each in self.bins) / total


class Estimated(Frozen):
    """An estimate of something that is known."""

    case: Case
    estimate: Mean
    truth: float

    @property
    def holds(self) -> bool:
        """Whether it is right on average, chance at 1 % aside."""
        far = abs(self.estimate.mean - self.truth)
        return far <= ESTIMATE_OFF + _QUANTILE * self.estimate.error


Finding = Counted | Regretted | Calibrated | Estimated


def _not_above(count: Count, most: float) -> bool:
    test = stats.binomtest(count.hits, count.draws, most, alternative="greater")
    return bool(test.pvalue >= _REFUTED)
