"""Draws until it is known, with stated errors, whether a promise about a rate holds."""

from __future__ import annotations

import math
from dataclasses import dataclass

from benchmarks.results import ALPHA

FALSE_REJECTION = 0.001
"""Risk of refuting a promise that is kept with nothing to spare."""
MISSED = 0.1
"""Risk of passing a method at the rate that is to be refuted."""


@dataclass(frozen=True)
class Sequential:
    """A sequential probability ratio test of a rate.

    Nothing is promised about rates between the two: such a method is passed or refuted, the more
    likely the nearer it is to either.

    Attributes:
        kept: the rate at which the promise is just kept.
        refuted: the rate that is to be found out.

    Source: Wald 1945, Annals of Mathematical Statistics 16:117-186. His limits keep both risks.
    """

    kept: float
    refuted: float

    def decide(self, hits: int, draws: int) -> bool | None:
        """True when the promise holds, False when it is refuted, None while neither is known."""
        others = math.log((1 - self.refuted) / (1 - self.kept))
        ratio = hits * math.log(self.refuted / self.kept) + (draws - hits) * others
        if ratio >= math.log((1 - MISSED) / FALSE_REJECTION):
            return False
        return True if ratio <= math.log(MISSED / (1 - FALSE_REJECTION)) else None


CLAIMS = Sequential(ALPHA, 0.07)
"""Of false claims, false alarms, and bounds that are below the truth."""
MISSES = Sequential(ALPHA, 0.08)
"""Of intervals that do not hold the truth: a coverage of .95 against .92."""
WIDTH = Sequential(ALPHA, 0.02)
"""Of the same: a coverage of .95 against .98."""
OVERSIGHTS = Sequential(0.2, 0.24)
"""Of differences that are found with 80 % power: not found in 20 % against 24 %."""
