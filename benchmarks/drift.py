"""Whether a method still does as well as it did: a finished run against one on fresh items."""

from __future__ import annotations

from typing import Literal

from benchmarks import permutation, statistics
from benchmarks.comparison import compare, tables_of
from benchmarks.pairing import Side, side_of
from benchmarks.results import ALPHA, Interval
from benchmarks.sharding import refuse_shard
from benchmarks.store import Run
from strategies.data import Frozen
from strategies.errors import RunError

Verdict = Literal["worse", "better", "no drift seen"]


class Sample(Frozen):
    """How a method did on some items."""

    run: str
    items: int
    score: float


class Drift(Frozen):
    """What became of a method's quality.

    Attributes:
        method: which was watched.
        metric: the task's primary one.
        before: in the finished run.
        after: on the fresh items.
        difference: after minus before, with its interval; the items differ, so it is unpaired.
        p_value: two-sided, of no difference.
        test: which.
        detectable: smallest drift that so many items show with 80 % power.
        shared: fresh items that the finished run was tested on as well, which tell nothing new.
        retrained: whether the weights of then were not kept, so that others were trained.
        verdict: at 5 %.
    """

    method: str
    metric: str
    before: Sample
    after: Sample
    difference: float
    interval: Interval
    p_value: float
    test: str
    detectable: float | None
    shared: int
    retrained: bool
    verdict: Verdict


def leader_of(run: Run) -> str:
    """The method that did best in a run.

    Raises:
        RunError: none has a full result, or it is a shard.
    """
    refuse_shard(run)
    leader = compare(run).leader
    if leader is None:
        raise RunError(f"No method of run {run.manifest.id} has a full result to watch.")
    return leader


def drift_between(before: Run, after: Run, method: str) -> Drift:
    """How a method's quality moved from one run to a run on other items.

    Raises:
        RunError: a run has no full result of the method.
    """
    metric = before.manifest.task.metric
    tables = tables_of((before, after), metric)
    for run, table in zip((before, after), tables, strict=True):
        if method not in table.complete or not table.ids:
            raise RunError(f"Run {run.manifest.id} has no full result of {method}.")
    labels = sorted({*tables[0].labels(), *tables[1].labels()}) if tables[0].macro else []
    then, now = (side_of(table, method, table.ids, labels) for table in tables)
    interval, p_value, test = unpaired(then, now)
    a, b = then.outcomes, now.outcomes
    difference = b.score - a.score
    return Drift(
        method=method,
        metric=metric,
        before=Sample(run=before.manifest.id, items=len(then.values), score=a.score),
        after=Sample(run=after.manifest.id, items=len(now.values), score=b.score),
        difference=difference,
        interval=interval,
        p_value=p_value,
        test=test,
        detectable=statistics.detectable_from_error(statistics.unpaired_error(a, b)),
        shared=len({*tables[0].asked.values()} & {*tables[1].asked.values()}),
        retrained=_retrained(before, after, method),
        verdict=_verdict(difference, p_value),
    )


def unpaired(before: Side, after: Side) -> tuple[Interval, float, str]:
    """Interval, p-value and name of the test of after minus before, on different items."""
    a, b = before.outcomes, after.outcomes
    if before.right_or_wrong and after.right_or_wrong:
        counts = [(round(side.score * side.units), side.units) for side in (a, b)]
        (low, high), p_value, test = statistics.unpaired_proportions(*counts[0], *counts[1])
        return Interval(low=low, high=high, method="Newcombe score"), p_value, test
    low, high = statistics.unpaired_interval(a, b)
    interval = Interval(low=low, high=high, method="jackknife, unpaired")
    return interval, permutation.decide([permutation.unpaired(a, b)])[0], "unpaired permutation"


def _retrained(before: Run, after: Run, method: str) -> bool:
    """Weights that are reused bring along what their training took, to the last digit."""
    trains = any(m.name == method and m.trains for m in after.plan.methods)
    took = [
        {r.arm.seed: r.arm.cost.train_seconds for r in run.arms if r.arm.name == method}
        for run in (before, after)
    ]
    return trains and took[0] != took[1]


def _verdict(difference: float, p_value: float) -> Verdict:
    if p_value >= ALPHA:
        return "no drift seen"
    return "better" if difference > 0 else "worse"
