"""Scores of one method at growing numbers of labels, and what more of them may bring."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchmarks.statistics import Floats, Outcomes, score_interval
from strategies.data import Frozen

_DRAWS = 2000
_DOUBLINGS = 3


class Range(Frozen):
    """A figure with its 95 % interval."""

    likely: float
    low: float
    high: float


class LearningCurve(Frozen):
    """A straight line through the scores over the doublings of labels.

    Attributes:
        labels: how many were trained on, growing.
        scores: what each reached.
        gain: score that a doubling of labels adds.
        twice: score expected of twice the labels, if the gain stays; curves flatten, so it is
            more often less.
        pays: whether the gain is told apart from none.
    """

    labels: tuple[int, ...]
    scores: tuple[Range, ...]
    gain: Range
    twice: Range
    pays: bool

    def labels_for(self, target: float) -> int | None:
        """Labels at which the line meets a score.

        None where no doubling is seen to help, or more than three would be needed: so far no
        line can be trusted.
        """
        last = self.scores[-1].likely
        if last >= target:
            return self.labels[-1]
        if not self.pays:
            return None
        doublings = (target - last) / self.gain.likely
        return round(self.labels[-1] * 2.0**doublings) if doublings <= _DOUBLINGS else None


def fit_curve(labels: Sequence[int], outcomes: Sequence[Outcomes], seed: int = 0) -> LearningCurve:
    """The line through the scores over log2 of the labels, by least squares.

    Intervals of gain and forecast are percentiles over resampled items, the same ones for all
    numbers of labels. They hold what the choice of items may change, not what other labels or
    another seed would.

    Args:
        labels: at least two, growing.
        outcomes: of a training on each, over the same units.
        seed: of the resampling.
    """
    drawing = np.random.default_rng(seed)
    units = outcomes[0].units
    weights = drawing.multinomial(units, np.full(units, 1 / units), size=_DRAWS).astype(float)
    drawn = np.array([one.fold_totals(weights @ one.sums) for one in outcomes])
    point = np.array([[one.score] for one in outcomes])
    gain, last = _line(labels, point)
    gains, lasts = _line(labels, drawn)
    gained = _range(float(gain[0]), gains)
    return LearningCurve(
        labels=tuple(labels),
        scores=tuple(_with_interval(one) for one in outcomes),
        gain=gained,
        twice=_capped(_range(float(last[0] + gain[0]), lasts + gains)),
        pays=gained.low > 0,
    )


def _line(labels: Sequence[int], scores: Floats) -> tuple[Floats, Floats]:
    """Gains a doubling and values at the last number of labels, one a column of scores."""
    slope, constant = np.polyfit(np.log2(labels), scores, deg=1)
    return slope, constant + slope * np.log2(labels[-1])


def _range(likely: float, drawn: Floats) -> Range:
    low, high = np.nanpercentile(drawn, [2.5, 97.5])
    return Range(likely=likely, low=float(low), high=float(high))


def _capped(values: Range) -> Range:
    return Range(**{name: min(1.0, max(0.0, value)) for name, value in values})


def _with_interval(outcomes: Outcomes) -> Range:
    low, high = score_interval(outcomes)
    return Range(likely=outcomes.score, low=low, high=high)
