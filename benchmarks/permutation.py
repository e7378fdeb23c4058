"""Permutation tests that are drawn until the decision that rests on them is safe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from benchmarks.results import ALPHA
from benchmarks.statistics import Floats, Outcomes, holm, repeated

FIRST_DRAWS = 10_000
GROWTH = 4
MOST_DRAWS = FIRST_DRAWS * GROWTH**4
"""2,560,000: a p-value of .05 is known to ± .0005 then."""
RISK = 0.001
"""Chance that the bounds of a p-value miss it at any of the stages."""
_STAGES = 5
_CELLS = 600_000
"""Draws times units that are held at once."""
_ROUNDING = 1e-9


class SignificanceTest(Protocol):
    """A p-value that may be known within bounds only."""

    @property
    def p_value(self) -> float:
        """Two-sided."""
        ...

    @property
    def bounds(self) -> tuple[float, float]:
        """Between which the p-value without chance of drawing lies; equal where it is exact."""
        ...

    def draw_more(self) -> bool:
        """Narrow the bounds; False when that is not possible."""
        ...


@dataclass(frozen=True)
class Exact:
    """A p-value that needs no drawing."""

    p_value: float

    @property
    def bounds(self) -> tuple[float, float]:
        """See `SignificanceTest`."""
        return self.p_value, self.p_value

    def draw_more(self) -> bool:
        """See `SignificanceTest`."""
        return False


@dataclass
class PairedPermutation:
    """How often swapping a and b within units separates them as far as they are.

    For a mean this is the sign-flip test of the paired differences. Where there are no more ways
    to swap than are drawn first, all are enumerated.

    Attributes:
        a: one method.
        b: another over the same units.
        seed: of the drawing.

    Source: Fisher 1935; Yeh 2000, COLING (approximate randomisation). Bounds by Clopper and
    Pearson 1934, Biometrika 26:404-413.
    """

    a: Outcomes
    b: Outcomes
    seed: int = 0
    draws: int = field(default=0, init=False)
    _beyond: int = field(default=0, init=False)
    _exact: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        width = int(np.lcm(self.a.seeds, self.b.seeds))
        self._wide = repeated(self.a, width)
        other = repeated(self.b, width)
        moved = self._wide.sums - other.sums
        # A unit on which the sums are equal may be swapped or not: nothing changes.
        self._moved = moved[np.abs(moved).max(axis=1) > 0]
        self._total_b = other.sums.sum(axis=0)
        self._both = self._wide.sums.sum(axis=0) + self._total_b
        self._far = abs(float(self._gaps(np.ones((1, len(self._moved))))[0])) - _ROUNDING
        self._random = np.random.default_rng(self.seed)
        self.draw_more()

    @property
    def p_value(self) -> float:
        """See `SignificanceTest`; the arrangement that was observed counts as drawn."""
        if self._exact:
            return self._beyond / self.draws
        return (self._beyond + 1) / (self.draws + 1)

    @property
    def bounds(self) -> tuple[float, float]:
        """See `SignificanceTest`."""
        if self._exact:
            return self.p_value, self.p_value
        return clopper_pearson(self._beyond, self.draws, RISK / _STAGES)

    def draw_more(self) -> bool:
        """See `SignificanceTest`."""
        if self._exact or self.draws >= MOST_DRAWS:
            return False
        units = len(self._moved)
        if 2**units <= FIRST_DRAWS:
            self._count((np.arange(2**units)[:, None] >> np.arange(units)) & 1)
            self._exact = True
            return True
        missing = max(FIRST_DRAWS, self.draws * GROWTH) - self.draws
        while missing:
            batch = min(missing, max(1, _CELLS // units))
            self._count(self._random.integers(0, 2, (batch, units), dtype=np.uint8))
            missing -= batch
        return True

    def _count(self, kept: NDArray[Any]) -> None:
        """Count arrangements: (draws, units that differ), 1 where a unit is not swapped."""
        self._beyond += int((np.abs(self._gaps(kept.astype(float))) >= self._far).sum())
        self.draws += len(kept)

    def _gaps(self, kept: Floats) -> Floats:
        first = self._total_b + kept @ self._moved
        gaps: Floats = self._wide.fold_totals(first) - self._wide.fold_totals(self._both - first)
        return gaps


@dataclass
class UnpairedPermutation:
    """How often units dealt anew to both sides differ as far in score as they do.

    Attributes:
        a: over some units.
        b: over others, drawn apart from them.
        seed: of the dealing.

    Source: Fisher 1935. Bounds by Clopper and Pearson 1934, Biometrika 26:404-413.
    """

    a: Outcomes
    b: Outcomes
    seed: int = 0
    draws: int = field(default=0, init=False)
    _above: int = field(default=0, init=False)
    _below: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        width = int(np.lcm(self.a.seeds, self.b.seeds))
        self._wide, other = repeated(self.a, width), repeated(self.b, width)
        self._sums = np.vstack([self._wide.sums, other.sums])
        self._first = np.arange(len(self._sums)) < self.a.units
        self._gap = float(self._gaps(self._first[None])[0])
        self._random = np.random.default_rng(self.seed)
        self.draw_more()

    @property
    def p_value(self) -> float:
        """Twice the share of the rarer side; the arrangement that was observed counts as drawn."""
        return min(1.0, 2 * (min(self._above, self._below) + 1) / (self.draws + 1))

    @property
    def bounds(self) -> tuple[float, float]:
        """See `SignificanceTest`."""
        rarer = min(self._above, self._below)
        low, high = clopper_pearson(rarer, self.draws, RISK / _STAGES)
        return min(1.0, 2 * low), min(1.0, 2 * high)

    def draw_more(self) -> bool:
        """See `SignificanceTest`."""
        if self.draws >= MOST_DRAWS:
            return False
        missing = max(FIRST_DRAWS, self.draws * GROWTH) - self.draws
        while missing:
            batch = min(missing, max(1, _CELLS // len(self._sums)))
            dealt = self._random.permuted(np.tile(self._first, (batch, 1)), axis=1)
            gaps = self._gaps(dealt)
            self._above += int((gaps >= self._gap - _ROUNDING).sum())
            self._below += int((gaps <= self._gap + _ROUNDING).sum())
            self.draws += batch
            missing -= batch
        return True

    def _gaps(self, first: NDArray[Any]) -> Floats:
        totals = first.astype(float) @ self._sums
        rest = self._sums.sum(axis=0) - totals
        gaps: Floats = self._wide.fold_totals(totals) - self._wide.fold_totals(rest)
        return gaps


def paired(a: Outcomes, b: Outcomes) -> SignificanceTest:
    """The test of two methods over the same units; a single unit cannot tell anything apart."""
    return PairedPermutation(a, b) if a.units > 1 else Exact(1.0)


def unpaired(a: Outcomes, b: Outcomes) -> SignificanceTest:
    """The test of two samples; a single unit on either side cannot tell anything apart."""
    return UnpairedPermutation(a, b) if min(a.units, b.units) > 1 else Exact(1.0)


def decide(tests: Sequence[SignificanceTest], untested: int = 0) -> list[float]:
    """P-values corrected by Holm, drawn until no decision at 5 % can change, in the same order.

    Where the most draws are made, a p-value may stay within its bounds of the limit. `unsafe`
    says of which tests that is so.

    Args:
        tests: that share the 5 %.
        untested: further tests that might have been made; each counts as not separated.
    """
    while any([tests[place].draw_more() for place in unsafe(tests, untested)]):
        pass
    return _corrected([test.p_value for test in tests], untested)


def unsafe(tests: Sequence[SignificanceTest], untested: int = 0) -> list[int]:
    """Places of the tests whose decision could change within the bounds of the p-values."""
    lows = _corrected([test.bounds[0] for test in tests], untested)
    highs = _corrected([test.bounds[1] for test in tests], untested)
    return [
        place
        for place, (low, high) in enumerate(zip(lows, highs, strict=True))
        if low < ALPHA <= high
    ]


def _corrected(p_values: Sequence[float], untested: int) -> list[float]:
    return holm([*p_values, *[1.0] * untested])[: len(p_values)]


def clopper_pearson(hits: int, trials: int, risk: float) -> tuple[float, float]:
    """Bounds of a share that miss it with at most this risk.

    Source: Clopper and Pearson 1934; by scipy.
    """
    found = stats.binomtest(hits, trials).proportion_ci(1 - risk, method="exact")
    return float(found.low), float(found.high)
