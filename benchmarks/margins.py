"""Whether a method is good enough: at most a margin behind the best, whichever that is.

The best method is not known, only the one that led on these items. So a method is held against
every other one, and is good enough if none of them is more than the margin better
(intersection-union test): the true best is among them, and picking it needs no correction.
Over methods the p-values are corrected by Holm's method, so that at most 5 % of reports call any
method good enough that is not.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import optimize, special

from benchmarks.pairing import Side
from benchmarks.results import ALPHA, GoodEnough
from benchmarks.statistics import Noise, combined_error, noise_between, pseudo_differences

_SHARE_AGAINST = 0.5
"""Share of the squares of a method that is just the margin behind, added to those seen: a sample
that shows few of its losses shows little variance as well, and would call it good enough too
often. Enumerated for right and wrong answers (30 to 400 items, margins of 2 to 10 points, any
discordance), the test errs in at most 6 % of samples with it and in up to 16 % without it."""


def good_enough(
    sides: Sequence[Side], margin: float, candidates: Collection[str]
) -> tuple[GoodEnough, ...]:
    """Every candidate against all others, in their order.

    Args:
        sides: all that could be best, over the same items.
        margin: by how much a method may be behind the best, in (0, 1).
        candidates: names of those that are asked about.

    Source: Berger 1982, Technometrics 24:295-300 (intersection-union); Hsu 1984, Annals of
    Statistics 12:1136-1144 (comparison with the best); Holm 1979.
    """
    asked = [side for side in sides if side.name in candidates]
    if len(sides) < 2:
        return ()
    against = [[paired(side, other) for other in sides if other is not side] for side in asked]
    p_values = [max(chance_behind(pair, margin) for pair in pairs) for pairs in against]
    corrected = _corrected(p_values, len(sides) - 1)
    return tuple(
        GoodEnough(
            name=side.name,
            behind=max(most_behind(pair) for pair in pairs),
            p_value=p_value,
            p_holm=p_holm,
        )
        for side, pairs, p_value, p_holm in zip(asked, against, p_values, corrected, strict=True)
    )


@dataclass(frozen=True)
class Paired:
    """What is known of a method's score minus another's.

    Attributes:
        units: that were resampled.
        centre: of the difference, with two units that are not there.
        squares: of the differences of all units, those two included.
        weight: mean square of the units on which the two differ.
        noise: of seeds, if there are several.
    """

    units: int
    centre: float
    squares: float
    weight: float
    noise: Noise | None


def paired(side: Side, rival: Side) -> Paired:
    """A method and another one over the same items.

    Source: Agresti and Min 2005, Statistics in Medicine 24:729-740, for the two units that are
    not there; Tukey 1958 (jackknife), for scores that are functions of sums.
    """
    values = pseudo_differences(side.outcomes, rival.outcomes)
    squares = float((values**2).sum())
    weight = float((values**4).sum()) / squares if squares > 0 else 1.0
    return Paired(
        units=len(values),
        centre=float(values.sum()) / (len(values) + 2),
        squares=squares + weight,
        weight=weight,
        noise=noise_between(side.noise, rival.noise),
    )


def chance_behind(pair: Paired, margin: float) -> float:
    """One-sided p-value of the claim that a method is less than the margin behind another.

    It is the t-test of paired differences over units, and over seeds where there are several. 1
    for a single unit.

    Args:
        pair: the two.
        margin: in [0, 1].

    Source: Blackwelder 1982, Controlled Clinical Trials 3:345-353.
    """
    if pair.units < 2:
        return 1.0
    lost = _SHARE_AGAINST * pair.units * margin * math.sqrt(pair.weight)
    rest = pair.squares + lost - (pair.units + 2) * pair.centre**2
    items = Noise(rest / (pair.units + 1) / (pair.units + 2), pair.units - 1)
    error, freedom = combined_error(items, pair.noise)
    return float(special.stdtr(freedom, -(pair.centre + margin) / error))


def most_behind(pair: Paired) -> float:
    """The smallest margin that the method is shown, with 95 % confidence, to be within; [0, 1]."""

    def excess(margin: float) -> float:
        return chance_behind(pair, margin) - ALPHA

    if excess(0.0) <= 0:
        return 0.0
    return float(optimize.brentq(excess, 0.0, 1.0, xtol=1e-6)) if excess(1.0) < 0 else 1.0


def _corrected(p_values: Sequence[float], rivals: int) -> list[float]:
    """By Holm's method; whatever is true, one is the best, so no more than `rivals` can be false.

    Source: Shaffer 1986, Journal of the American Statistical Association 81:826-831.
    """
    order = np.argsort(p_values, kind="stable")
    left = np.minimum(np.arange(len(p_values), 0, -1), rivals)
    raised = np.minimum(np.maximum.accumulate(np.asarray(p_values)[order] * left), 1.0)
    corrected = np.empty(len(p_values))
    corrected[order] = raised
    return [float(p) for p in corrected]
