"""What a report says to someone who chooses, held against the truth."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from benchmarks.agreement import agreement, clustering
from benchmarks.chances import chance_of_reaching, chances_of_being_best
from benchmarks.margins import good_enough
from benchmarks.simulation.draws import (
    World,
    draw,
    draw_with_truth,
    true_margin,
    true_score,
)
from benchmarks.simulation.findings import Calibrated, Case, Estimated, Mean

_DRAWS = 1000
"""Of true scores, for one comparison: a chance is then known to a point or two."""


def calls_worse_good_enough(world: World, rng: np.random.Generator) -> bool:
    """Whether a report calls any method good enough that is the margin worse than the best."""
    sides, _ = draw_with_truth(world, rng)
    found = good_enough(sides, true_margin(world), [side.name for side in sides])
    return any(each.shown for each in found[1:])


def calibrated(case: Case, draws: int, rng: np.random.Generator) -> Calibrated:
    """Stated chances of all methods of all comparisons, and which came true."""
    stated, true = list[float](), list[bool]()
    for seed in range(draws):
        sides, off = draw_with_truth(case.world, rng)
        if case.question == "chance of being best":
            chances = chances_of_being_best(sides, seed, _DRAWS)
            said = [chances[side.name].best if chances else None for side in sides]
            came_true = off == off.max()
        else:
            said = [chance_of_reaching(side, true_score(case.world)) for side in sides]
            came_true = off >= 0
        # Of items that all fell into one group nothing is said.
        both = zip(said, came_true, strict=True)
        known = [(chance, bool(t)) for chance, t in both if chance is not None]
        stated += [chance for chance, _ in known]
        true += [t for _, t in known]
    return Calibrated.of(case, stated, true)


def estimated(case: Case, draws: int, rng: np.random.Generator) -> Estimated:
    """The mean of an estimate, and what it should be."""
    estimates: dict[str, Callable[[Case, int, np.random.Generator], Estimated]] = {
        "expected loss": _losses,
        "kappa": _kappas,
        "intraclass correlation": _correlations,
    }
    return estimates[case.question](case, draws, rng)


def _losses(case: Case, draws: int, rng: np.random.Generator) -> Estimated:
    """Of choosing what scores highest, in scores that are shares of right answers."""
    stated, true = [], []
    for seed in range(draws):
        sides, off = draw_with_truth(case.world, rng)
        leader = int(np.argmax([side.outcomes.score for side in sides]))
        stated.append(chances_of_being_best(sides, seed, _DRAWS)[sides[leader].name].loss)
        true.append(off.max() - off[leader])
    apart = Mean.of(np.subtract(stated, true).tolist())
    truth = float(np.mean(true))
    return Estimated(
        case=case, estimate=Mean(mean=float(np.mean(stated)), error=apart.error), truth=truth
    )


def _kappas(case: Case, draws: int, rng: np.random.Generator) -> Estimated:
    """Of two methods that are right in half the items, and so agree by chance in half of them."""
    found = []
    for _ in range(draws):
        one, other = (list(map(str, side.values)) for side in draw(case.world, rng))
        kappa = agreement(one, other).kappa
        found.append(1.0 if kappa is None else kappa)
    return Estimated(case=case, estimate=Mean.of(found), truth=1 - 2 * case.world.discordance)


def _correlations(case: Case, draws: int, rng: np.random.Generator) -> Estimated:
    """Of groups that are right or wrong as a whole, half of which are turned item by item.

    Before the turning the correlation is 1. Where items turn on their own, with probability t,
    it is (1 - 2 t)², which is 1 - 2 d of a discordance d.
    """
    found = []
    for _ in range(draws):
        side = draw(case.world, rng)[0]
        sizes = side.outcomes.sums[:, 1].astype(int)
        measured = clustering(side.values, np.repeat(np.arange(len(sizes)), sizes).tolist())
        found.append(1.0 if measured is None else measured.correlation)
    return Estimated(case=case, estimate=Mean.of(found), truth=1 - case.world.discordance)
