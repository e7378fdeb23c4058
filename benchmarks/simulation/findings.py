"""What a simulation asks and finds, and whether that is what a report promises."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np
from scipy import stats

from benchmarks.simulation.draws import GROUPED, SEEDED, World
from benchmarks.simulation.sequential import CLAIMS, MISSES, OVERSIGHTS, WIDTH, Sequential
from benchmarks.statistics import wilson_interval
from strategies.data import Frozen

Question = Literal[
    "false positives",
    "false claims of slices",
    "coverage",
    "coverage of a score",
    "false alarms",
    "regret",
    "regret bounds",
    "differences missed",
    "false misses",
    "false hits",
    "false good enough",
    "chance of being best",
    "chance of reaching a target",
    "expected loss",
    "kappa",
    "intraclass correlation",
]
COVERAGES: tuple[Question, ...] = ("coverage", "coverage of a score")

FEW = 15
"""Below so many expected discordant pairs an interval of a difference may cover more than it says,
and below so many right or wrong answers that of a score."""
_MAY_BE_WIDE = (*GROUPED, *SEEDED)
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
_FOUND = _QUANTILE + float(stats.norm.ppf(0.9))


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
    """How many draws of a case had it, drawn until a sequential test decided.

    Attributes:
        case: what was asked.
        count: reports with a false claim, bounds below the truth, or intervals that hold it.
        kept: whether the promise is kept; None where the draws were not enough to tell.
        wide: whether intervals hold the truth more often than they say; of coverages alone, and
            None where the draws were not enough to tell.
    """

    case: Case
    count: Count
    kept: bool | None
    wide: bool | None = None

    @property
    def holds(self) -> bool:
        """Whether nothing that was promised is refuted."""
        return self.kept is not False and not (self.wide and not self.may_be_wide)

    @property
    def settled(self) -> bool:
        """Whether all that was promised is known."""
        of_width = self.case.question in COVERAGES and not self.may_be_wide
        return self.kept is not None and not (of_width and self.wide is None)

    @property
    def may_be_wide(self) -> bool:
        """Whether an interval may hold the truth more often than it says."""
        world = self.case.world
        of_a_score = self.case.question == "coverage of a score"
        rarer = world.items * min(world.rate, 1 - world.rate)
        few = (rarer if of_a_score else world.discordant_pairs) < FEW
        return few or world.kind in _MAY_BE_WIDE


def test_of(question: Question) -> Sequential:
    """The sequential test of what is promised; coverages are tested by their misses."""
    if question in COVERAGES:
        return MISSES
    return OVERSIGHTS if question == "differences missed" else CLAIMS


def counted(case: Case, hits: int, draws: int) -> Counted:
    """What so many draws decide."""
    count = Count(hits=hits, draws=draws)
    if case.question not in COVERAGES:
        return Counted(case=case, count=count, kept=test_of(case.question).decide(hits, draws))
    usual = WIDTH.decide(draws - hits, draws)
    return Counted(
        case=case,
        count=count,
        kept=MISSES.decide(draws - hits, draws),
        wide=None if usual is None else not usual,
    )


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
    def found_out(self) -> float:
        """The mean that would be called wrong with 90 % probability, as a share of the score."""
        return _FOUND * self.cross_fitted.error

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
    def judged(self) -> bool:
        """Whether any chance was stated often enough to be judged."""
        return any(each.true.draws >= FEW_STATED for each in self.bins)

    @property
    def off(self) -> float:
        """Mean distance of stated chances from what came true (expected calibration error)."""
        total = max(1, sum(each.true.draws for each in self.bins))
        return sum(abs(each.off) * each.true.draws for each in self.bins) / total


class Estimated(Frozen):
    """An estimate of something that is known."""

    case: Case
    estimate: Mean
    truth: float

    @property
    def found_out(self) -> float:
        """The error that would be called one with 90 % probability."""
        return ESTIMATE_OFF + _FOUND * self.estimate.error

    @property
    def holds(self) -> bool:
        """Whether it is right on average, chance at 1 % aside."""
        far = abs(self.estimate.mean - self.truth)
        return far <= ESTIMATE_OFF + _QUANTILE * self.estimate.error


Finding = Counted | Regretted | Calibrated | Estimated
