"""Score against what is paid once and what is paid for every answer."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.results import MethodResult, ParetoPoint

ANSWERS = 1000


def pareto_points(results: Sequence[MethodResult]) -> tuple[ParetoPoint, ...]:
    """Methods with a full result and measured times, cheapest answers first."""
    known = [
        ParetoPoint(
            name=r.name,
            floor=r.floor,
            score=r.score,
            once_seconds=(r.cost.train_seconds or 0.0) + (r.cost.index_seconds or 0.0),
            thousand_seconds=ANSWERS * r.cost.answer_seconds / r.items,
            efficient=True,
        )
        for r in results
        if r.status == "finished"
        and r.score is not None
        and r.items
        and r.cost.answer_seconds is not None
    ]
    points = [
        point.model_copy(update={"efficient": not any(_dominates(p, point) for p in known)})
        for point in known
    ]
    return tuple(sorted(points, key=lambda p: (p.thousand_seconds, p.once_seconds, p.name)))


def _dominates(other: ParetoPoint, point: ParetoPoint) -> bool:
    ahead, behind = ((-p.score, p.once_seconds, p.thousand_seconds) for p in (other, point))
    return ahead != behind and all(a <= b for a, b in zip(ahead, behind, strict=True))
