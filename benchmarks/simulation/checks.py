"""What a report would have said of a drawn comparison, held against the truth."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple
from unittest.mock import patch

import numpy as np

from benchmarks import pairing, permutation
from benchmarks.drift import unpaired
from benchmarks.pairing import (
    differences_between,
    differences_on_parts,
    interval_between,
    interval_of_score,
)
from benchmarks.results import ALPHA, Difference
from benchmarks.simulation.choosing import calibrated, calls_worse_good_enough, estimated
from benchmarks.simulation.draws import (
    World,
    draw,
    draw_slices,
    draw_with_truth,
    findable,
    true_difference,
    true_margin,
    true_score,
)
from benchmarks.simulation.findings import (
    COVERAGES,
    Case,
    Counted,
    Finding,
    Mean,
    Regretted,
    counted,
)
from benchmarks.statistics import cross_fitted_regret
from benchmarks.verification import outcome_of

_FIRST, _SECOND = "method-0", "method-1"
_SPLITS = 100
"""Fewer than a report takes: a mean over so many draws hangs little on the halves of each."""
_PERMUTATIONS = 1_999
WATCHED = 150
"""Items of the run that fresh ones are held against."""


class Limits(NamedTuple):
    """Of the drawing for one case.

    Attributes:
        of_a_promise: comparisons at most, where a sequential test decides.
        of_means: comparisons, where a mean or a chance is held against the truth.
        until: when drawing ends, in seconds since the epoch.
    """

    of_a_promise: int = 6_000
    of_means: int = 1_000
    until: float = math.inf


def answer(case: Case, limits: Limits, seed: int) -> Finding:
    """Draw comparisons and count; the same seed draws the same, but for the time it has.

    Args:
        case: what is asked.
        limits: of the drawing.
        seed: of the draws.
    """
    rng = np.random.default_rng(seed)
    if case.question == "regret":
        return _regret(case, limits.of_means, rng)
    if case.question in ("chance of being best", "chance of reaching a target"):
        return calibrated(case, limits.of_means, rng)
    if case.question in ("expected loss", "kappa", "intraclass correlation"):
        return estimated(case, limits.of_means, rng)
    asked = {
        "false positives": _claims_something,
        "false claims of slices": _claims_of_slices,
        "coverage": _covers,
        "coverage of a score": _covers_score,
        "false alarms": _alarms,
        "regret bounds": _bounds_too_low,
        "differences missed": _overlooks,
        "false misses": _judges_a_miss,
        "false hits": _judges_a_hit,
        "false good enough": calls_worse_good_enough,
    }
    with _only_what_decides():
        return _until_settled(case, lambda: asked[case.question](case.world, rng), limits)


def _until_settled(case: Case, happens: Callable[[], bool], limits: Limits) -> Counted:
    """Draw until the sequential tests have decided; each keeps the decision that it came to."""
    hits, kept, wide = 0, None, None
    found = counted(case, 0, 0)
    for draws in range(1, limits.of_a_promise + 1):
        hits += happens()
        found = counted(case, hits, draws)
        kept = found.kept if kept is None else kept
        wide = found.wide if wide is None else wide
        decided = kept is not None and (wide is not None or case.question not in COVERAGES)
        if decided or time.time() > limits.until:
            break
    return found.model_copy(update={"kept": kept, "wide": wide})


@contextmanager
def _only_what_decides() -> Iterator[None]:
    """Permutation tests with fewer draws, and no smallest differences, which decide nothing.

    A permutation test keeps its level with any number of draws. A report draws until it is sure
    which side of 5 % the p-value lies on, which is seldom another than that of so few draws.
    """
    with (
        patch.object(permutation, "FIRST_DRAWS", _PERMUTATIONS),
        patch.object(permutation, "MOST_DRAWS", _PERMUTATIONS),
        patch.object(pairing, "_detectable", lambda *_: None),
    ):
        yield


def _claims_something(world: World, rng: np.random.Generator) -> bool:
    """Whether a report of methods that are all alike separates any two, floors included."""
    return any(difference.separated for _, difference in _claims(world, rng))


def _claims_of_slices(world: World, rng: np.random.Generator) -> bool:
    """Whether a report separates two on a slice on which they are alike."""
    return any(
        difference.separated
        for slice_, difference in _claims(world, rng)
        if slice_ is not None and (slice_ > 0 or _FIRST not in (difference.a, difference.b))
    )


def _claims(world: World, rng: np.random.Generator) -> list[tuple[int | None, Difference]]:
    """All differences of a report: on all items, and then on slices, which are numbered."""
    sides, *slices = draw_slices(world, rng)
    split = world.methods - world.floors
    whole = differences_between(sides[:split], sides[split:])
    pairs = [(d.a, d.b) for d in whole if d.family == "methods" and d.separated]
    parts = [{side.name: side for side in part[:split]} for part in slices]
    return [*((None, d) for d in whole), *differences_on_parts(parts, pairs)]


def _covers(world: World, rng: np.random.Generator) -> bool:
    one, other = draw(world, rng)
    interval = interval_between(one, other)
    return interval.low - 1e-12 <= true_difference(world) <= interval.high + 1e-12


def _covers_score(world: World, rng: np.random.Generator) -> bool:
    side = draw(world, rng)[0]
    interval = interval_of_score(side)
    return interval.low - 1e-12 <= true_score(world) <= interval.high + 1e-12


def _alarms(world: World, rng: np.random.Generator) -> bool:
    """Whether a method that does as well as ever is said to have drifted."""
    (before,) = draw(world.model_copy(update={"items": WATCHED}), rng)
    (after,) = draw(world, rng)
    _, p_value, _ = unpaired(before, after)
    return p_value < ALPHA


def _overlooks(world: World, rng: np.random.Generator) -> bool:
    """Whether a report does not separate two that differ by what it says it finds."""
    (difference,) = differences_between(draw(findable(world), rng), ())
    return not difference.separated


def _judged(world: World, advised: str, rng: np.random.Generator) -> str:
    """How `advisor verify` calls advice of a method: a hit, a tie or a miss."""
    sides, _ = draw_with_truth(world, rng)
    winner = max(sides, key=lambda side: side.outcomes.score).name
    behind = [d for d in differences_between(sides, ()) if {d.a, d.b} == {winner, advised}]
    return outcome_of(winner == advised, next(iter(behind), None))


def _judges_a_miss(world: World, rng: np.random.Generator) -> bool:
    """Of advice that was right: no method is truly better than the first."""
    return _judged(world, _FIRST, rng) == "miss"


def _judges_a_hit(world: World, rng: np.random.Generator) -> bool:
    """Of advice that was wrong: the first method is truly better than the second."""
    return _judged(world, _SECOND, rng) == "hit"


def _bounds_too_low(world: World, rng: np.random.Generator) -> bool:
    """Whether the upper bound of the second method's regret is below what it truly is.

    Where there are so few units that a report states no bound, none is too low.
    """
    sides, _ = draw_with_truth(world, rng)
    outcomes = {side.name: side.outcomes for side in sides}
    noises = {side.name: side.noise for side in sides}
    regret = cross_fitted_regret(outcomes, _SECOND, noises, splits=_SPLITS)
    return regret is not None and regret.at_most < true_margin(world) - 1e-12


def _regret(case: Case, draws: int, rng: np.random.Generator) -> Regretted:
    found = []
    for seed in range(draws):
        outcomes = {side.name: side.outcomes for side in draw(case.world, rng)}
        regret = cross_fitted_regret(outcomes, min(outcomes), seed=seed, splits=_SPLITS)
        if regret is None:
            raise ValueError(f"{case.world.items} items are too few to split into halves")
        found.append(regret)
    return Regretted(
        case=case,
        cross_fitted=Mean.of([regret.cross_fitted for regret in found]),
        naive=Mean.of([regret.naive for regret in found]),
    )
