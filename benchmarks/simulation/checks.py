"""What a report would have said of a drawn comparison, held against the truth."""

from __future__ import annotations

import numpy as np

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
    true_difference,
    true_score,
)
from benchmarks.simulation.findings import Case, Count, Counted, Finding, Mean, Regretted
from benchmarks.statistics import cross_fitted_regret

_FIRST = "method-0"
_SPLITS = 100
"""Fewer than a report takes: a mean over so many draws hangs little on the halves of each."""
WATCHED = 150
"""Items of the run that fresh ones are held against."""


def answer(case: Case, draws: int, seed: int) -> Finding:
    """Draw comparisons and count; the same seed draws the same."""
    rng = np.random.default_rng(seed)
    if case.question == "regret":
        return _regret(case, draws, rng)
    if case.question in ("chance of being best", "chance of reaching a target"):
        return calibrated(case, draws, rng)
    if case.question in ("expected loss", "kappa", "intraclass correlation"):
        return estimated(case, draws, rng)
    asked = {
        "false positives": _claims_something,
        "false claims of slices": _claims_of_slices,
        "coverage": _covers,
        "coverage of a score": _covers_score,
        "false alarms": _alarms,
        "false good enough": calls_worse_good_enough,
    }
    hits = sum(asked[case.question](case.world, rng) for _ in range(draws))
    return Counted(case=case, count=Count(hits=hits, draws=draws))


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
    return interval.low - 1e-12 <= true_score(world.kind) <= interval.high + 1e-12


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
        regret = cross_fitted_regret(outcomes, min(outcomes), seed=seed, splits=_SPLITS)
        if regret is None:
            raise ValueError(f"{case.world.items} items are too few to split into halves")
        found.append(regret)
    return Regretted(
        case=case,
        cross_fitted=Mean.of([regret.cross_fitted for regret in found]),
        naive=Mean.of([regret.naive for regret in found]),
    )
