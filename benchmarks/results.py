"""The types of a comparison: made by `benchmarks.comparison`, laid out by `benchmarks.report`."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Literal

from pydantic import Field

from benchmarks.plan import Limits
from benchmarks.records import Cost, CurvePoint, RunManifest
from strategies.data import Frozen
from strategies.training_record import TrainingRecord

ALPHA = 0.05
MATTERS = 0.1
"""A difference in score that would be worth a language model: no need of one is claimed only
where the sample rules out that any method is better than a floor by that much."""

Status = Literal["finished", "partial", "failed", "refused", "skipped", "pending"]
Standing = Literal["leader", "tied", "behind", "ahead"]


class Interval(Frozen):
    """A 95 % confidence interval and how it was computed."""

    low: float
    high: float
    method: str


class SeedScore(Frozen):
    """The primary score of one arm; None when that arm has none."""

    seed: int
    status: str
    score: float | None = None


class Agreement(Frozen):
    """How often two give the same label; `kappa` is what is beyond chance, None if undefined."""

    same: float
    kappa: float | None


class Clustering(Frozen):
    """How alike items of one group come out, and how many independent items they are worth."""

    correlation: float
    design_effect: float
    effective_items: float


class GoodEnough(Frozen):
    """Whether a method is less than a margin behind every other one.

    Attributes:
        behind: by how much it is behind the best at most, with 95 % confidence; for this method
            alone, not corrected for the number of methods.
        p_value: one-sided, the largest over all others.
        p_holm: the same, corrected for the number of methods.
    """

    name: str
    behind: float
    p_value: float
    p_holm: float

    @property
    def shown(self) -> bool:
        """Whether the sample shows it after correction."""
        return self.p_holm < ALPHA


class Margin(Frozen):
    """How far behind the best a method may be, and which are shown not to be farther.

    Attributes:
        margin: as a share of the score.
        planned: whether the plan named it before the run.
        methods: cheapest first.
    """

    margin: float
    planned: bool
    methods: tuple[GoodEnough, ...]


class HourPrice(Frozen):
    """What an hour of the machine costs: US dollars, of what, read where and when."""

    usd: float = Field(ge=0)
    name: str
    source: str
    date: str


class Problem(Frozen):
    """Why an arm has no result."""

    seed: int
    status: str
    kind: str = ""
    message: str = ""


class MethodResult(Frozen):
    """How one method or floor came out, over all its seeds.

    Attributes:
        summary: one line for people.
        parts: what it is made of, such as its prompting, with all settings; {} for a floor.
        status: ``partial`` when some seeds finished and some did not.
        standing: against the leading method; None for a method without a full result. Only a
            floor can be ``ahead``.
        score: mean over finished seeds of the primary metric; None is undefined.
        interval: of `score`; None when the score is not a function of the items' values.
        seed_spread: standard deviation over seeds; None with fewer than two.
        scores: every metric, mean over finished seeds.
        probability_best: that its true score is the highest of all methods and floors; None
            without a full result. Like the next two it is about samples of items, given these
            weights.
        probability_target: that its true score reaches the run's target; None without one.
        expected_loss: by how much the best is better than it, on average; a share of the score.
        agreement: of answers with references, mean over seeds; None unless it is a
            classification.
        clustering: of item values in groups; None where items stand alone.
        format_validity: share of free generations that keep the answer format.
        recall_at_k: share of items with gold passages for which one was shown.
        items: items that count.
        unanswered: items without a value that other methods have; they count as 0.
        truncated: prompts that were cut and then fit, over all seeds.
        unimproved: whether training did not improve on the start at some seed; then no
            conclusion about the method is drawn from its score.
        cost: mean over finished seeds; memory is the largest.
        reused: what came out of the artifact store; its cost is what it first took.
        fingerprints: of the arms, in order of seeds.
    """

    name: str
    summary: str = ""
    parts: dict[str, str] = Field(default_factory=dict)
    floor: bool
    status: Status
    standing: Standing | None = None
    score: float | None = None
    interval: Interval | None = None
    seeds: tuple[SeedScore, ...]
    seed_spread: float | None = None
    scores: dict[str, float | None] = Field(default_factory=dict)
    probability_best: float | None = None
    probability_target: float | None = None
    expected_loss: float | None = None
    agreement: Agreement | None = None
    clustering: Clustering | None = None
    format_validity: float | None = None
    recall_at_k: float | None = None
    items: int = 0
    unanswered: int = 0
    truncated: int = 0
    unimproved: bool = False
    cost: Cost = Cost()
    reused: tuple[str, ...] = ()
    fingerprints: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()


class Difference(Frozen):
    """A paired difference on the primary metric, a minus b.

    Attributes:
        interval: of the difference, not corrected for the number of comparisons.
        family: what stands against what; all differences of a report are corrected together.
        p_bounds: between which `p_value` would lie after unlimited draws; both are equal where
            it is exact. None in comparisons that older versions wrote.
        p_holm: `p_value`, corrected.
        safe: whether more draws could not change that the two are separated, or are not.
        test: name of the test.
        discordance: share of items on which the two differ.
        detectable: smallest difference that this sample finds with 80 % power; None when
            there is none.
        detectable_corrected: the same at the strictest level of the correction.
    """

    a: str
    b: str
    family: Literal["methods", "floors", "runs", "slices"]
    difference: float
    interval: Interval
    p_value: float
    p_bounds: tuple[float, float] | None = None
    p_holm: float
    safe: bool = True
    test: str
    items: int
    discordance: float
    detectable: float | None
    detectable_corrected: float | None

    @property
    def separated(self) -> bool:
        """Whether the two can be told apart after correction."""
        return self.p_holm < ALPHA

    def seen_from(self, name: str) -> Difference:
        """The same difference with `name` as a."""
        if name == self.a:
            return self
        turned = Interval(
            low=-self.interval.high, high=-self.interval.low, method=self.interval.method
        )
        return self.model_copy(
            update={
                "a": self.b,
                "b": self.a,
                "difference": -self.difference,
                "interval": turned,
            }
        )


class Slice(Frozen):
    """Test items that share a property, and how the methods score on them.

    Attributes:
        by: what the items share, such as a channel or the right answer.
        value: the one that these have.
        items: how many.
        scores: method or floor to its score on them; the share of right answers where the
            task's metric is macro-F1.
        differences: of the pairs that are separated on all items; empty where the items are too
            few to be tested.
    """

    by: str
    value: str
    items: int
    scores: dict[str, float]
    differences: tuple[Difference, ...] = ()


class Flip(Frozen):
    """One item on which a method and the baseline differ.

    Attributes:
        input: what was asked; None when the task could not be read.
        reference: the first accepted answer.
        before: the baseline's answer.
        after: the method's answer.
    """

    id: str
    input: str | None
    reference: str
    before: str
    after: str
    before_value: float
    after_value: float


class Flips(Frozen):
    """What a method fixed and broke against the baseline; counts of items.

    Attributes:
        agreement: of the two methods' answers, first seeds; None unless it is a classification.
    """

    method: str
    baseline: str
    fixed: int
    broken: int
    unchanged: int
    agreement: Agreement | None = None
    fixed_examples: tuple[Flip, ...]
    broken_examples: tuple[Flip, ...]


class FrontierPoint(Frozen):
    """A method's cost in seconds and its score; whether nothing is better on both."""

    name: str
    floor: bool
    cost_seconds: float
    score: float
    efficient: bool


class Frontier(Frozen):
    """Score against one kind of cost."""

    cost: Literal["total_seconds", "latency_p50_seconds"]
    points: tuple[FrontierPoint, ...]


class ParetoPoint(Frozen):
    """A method's score, and what it costs once and for every answer.

    Attributes:
        once_seconds: to train and to index.
        thousand_seconds: for a thousand answers in batches.
        efficient: whether nothing is as good or better in all three and better in one.
    """

    name: str
    floor: bool
    score: float
    once_seconds: float
    thousand_seconds: float
    efficient: bool


class Regret(Frozen):
    """What following the advice cost, in score.

    Attributes:
        naive: best score minus the recommended method's; biased upward.
        cross_fitted: the same with the winner picked on other items than those compared on; 0
            where that came out below 0, as no true regret is negative.
        at_most: one-sided 95 % upper bound of the true regret.
        wins: method to the share of random halves on which it was picked.
    """

    naive: float
    cross_fitted: float
    at_most: float
    wins: dict[str, float]


class Advice(Frozen):
    """The recommended method beside the measured winner.

    Attributes:
        recommended: first of the ranking that the answers allow; None when there is none.
        compared: what `regret` is of: the first allowed method of the ranking that ran.
        allowed: methods of this run that the answers allow.
        winner: the best of `allowed` on all items.
        regret: None when it cannot be computed; `notes` says why.
    """

    recommended: str | None
    compared: str | None
    allowed: tuple[str, ...]
    winner: str | None
    regret: Regret | None
    notes: tuple[str, ...] = ()


class Curve(Frozen):
    """The training curve of one arm."""

    method: str
    seed: int
    points: tuple[CurvePoint, ...]


class Training(Frozen):
    """How the weights of one arm came about."""

    method: str
    seed: int
    record: TrainingRecord


class Comparison(Frozen):
    """All that a report says of a run; written as ``comparison.json``.

    Attributes:
        recommendation: the advice that the plan came from, as the advisor wrote it.
        methods: best first, then what has no score; floors after methods.
        leader: the best method; None when none finished.
        tied: methods not separated from the leader, the leader first.
        best_floor: the best baseline without a language model.
        above_floor: methods separated above the best floor.
        differences: all pairs of methods, and every method against every floor.
        slices: those with most items first.
        slices_left_out: what items are told apart by, to how many smaller slices it has.
        items: test items that count.
        units: what is resampled; fewer than `items` when items share groups.
        target: the score that was called good enough before the run; None if none was.
        margin: who is good enough; None when no margin was named, or nothing can be compared.
        hour_price: what an hour of the machine costs; None when no price is known.
        typical_detectable: median over pairs of methods of the smallest difference that the
            sample finds with 80 % power.
        notes: what a reader has to know to read the figures right.
    """

    schema_version: Literal[1] = 1
    run: RunManifest
    seeds: tuple[int, ...]
    limits: Limits
    latency_items: int
    recommendation: dict[str, Any] | None
    methods: tuple[MethodResult, ...]
    leader: str | None
    tied: tuple[str, ...]
    best_floor: str | None
    above_floor: tuple[str, ...]
    differences: tuple[Difference, ...]
    items: int
    units: int
    target: float | None = None
    margin: Margin | None = None
    hour_price: HourPrice | None = None
    typical_detectable: float | None
    typical_detectable_corrected: float | None
    frontiers: tuple[Frontier, ...]
    pareto: tuple[ParetoPoint, ...] = ()
    flips: tuple[Flips, ...]
    slices: tuple[Slice, ...] = ()
    slices_left_out: dict[str, int] = Field(default_factory=dict)
    advice: Advice | None
    curves: tuple[Curve, ...]
    trainings: tuple[Training, ...] = ()
    notes: tuple[str, ...]

    def method(self, name: str) -> MethodResult:
        """The result of that name."""
        return next(result for result in self.methods if result.name == name)

    def may_matter(self, names: Collection[str]) -> Difference | None:
        """The method that may still be above the best floor by what matters.

        Whichever method is truly best, its own interval holds, so their number needs no
        correction.

        Args:
            names: the methods that count.

        Returns:
            Its difference from the best floor, of several the one with the highest interval;
            None where the sample rules out as much for all of them.
        """
        found = [
            d
            for name in names
            for d in self.against(name)
            if d.family == "floors" and d.b == self.best_floor and d.interval.high >= MATTERS
        ]
        return max(found, key=lambda d: (d.interval.high, d.a), default=None)

    def against(self, name: str) -> list[Difference]:
        """All differences of one method, with that method as a."""
        return [d.seen_from(name) for d in self.differences if name in (d.a, d.b)]


class CommonMethod(Frozen):
    """A method that finished in both runs, on the items both share."""

    name: str
    score_a: float
    score_b: float
    difference: Difference


class RunsComparison(Frozen):
    """Two runs of one task, paired on the items that both answered.

    Attributes:
        methods: differences are run b minus run a.
        items: shared items.
        only_a: items, then methods, that only run a has; likewise `only_b`.
        changed: items of one id whose input or reference differs; left out.
    """

    schema_version: Literal[1] = 1
    run_a: RunManifest
    run_b: RunManifest
    metric: str
    items: int
    only_a: int
    only_b: int
    changed: int
    methods: tuple[CommonMethod, ...]
    methods_only_a: tuple[str, ...]
    methods_only_b: tuple[str, ...]
    notes: tuple[str, ...]
