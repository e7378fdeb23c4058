"""Advice against measurement: what a flowchart says of finished runs, beside fixed policies.

Only methods that the answers allow can win. Every choice, the advisor's and each policy's, is
compared on the same items and by the same random halves.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean
from typing import Any, Literal, NamedTuple

from scipy import stats

from benchmarks import statistics
from benchmarks.comparison import BASELINE, allowed_by, best_of, compare, measured_regret
from benchmarks.pairing import ScoreTable
from benchmarks.portable import portable
from benchmarks.records import RunManifest
from benchmarks.results import ALPHA, MATTERS, Difference, Interval, MethodResult, Regret
from benchmarks.sharding import refuse_shard
from benchmarks.store import Run
from strategies.data import Frozen

Verdict = Literal[
    "adapt", "no_adaptation", "no_language_model", "no_method_fits", "no_method_reaches"
]
Outcome = Literal["hit", "tied", "miss", "not tested"]
Kind = Literal["answers", "measurements", "hindsight"]
ADVISOR = "advisor"
RETRIEVAL = "rag"
TUNED_WITH_RETRIEVAL = ("raft", "rag+lora")
"""The hybrid that is trained on what it will be shown goes first: it is the usual way to train."""
TUNED_ALONE = ("lora",)
FEWEST_TASKS = 6
"""Of fewer tasks that all point the same way, a sign test gives p = 2 / 2^5 = .06 or more."""
_SAME = 1e-9
"""Regrets that differ by less are the same."""
_ADVISORS_RULE = "What the flowchart recommends from the answers; it sees no measurement."
_ALONE = "No other method that the answers allow has a full result."
_HAPPENED = {
    "failed": "failed",
    "refused": "was refused",
    "skipped": "was skipped",
    "pending": "has not run",
}


# ---------------------------------------------------------------- types


class Passed(Frozen):
    """A node of the flowchart and the branch that the answers took there."""

    node: str
    question: str
    branch: str


class Argument(Frozen):
    """What the flowchart says about a method; a strength below 0 speaks against it."""

    method: str
    node: str
    text: str
    strength: int
    evidence: tuple[str, ...]


class Advised(Frozen):
    """What a flowchart says of the answers that came with a run.

    Attributes:
        answers: the answers that were known.
        text: the outcome in a sentence.
        recommended: the first method that can be used; None when the verdict names none.
        allowed: methods that the answers allow, best first.
        path: the nodes passed.
        arguments: for and against all methods, in the order of the path.
        with_labels_of_run: what the flowchart says (as in `said`) when the answers count no more
            labelled examples than the run trained on; None when they do not count more.
    """

    answers: dict[str, Any]
    verdict: Verdict
    text: str
    recommended: str | None
    allowed: tuple[str, ...]
    path: tuple[Passed, ...] = ()
    arguments: tuple[Argument, ...] = ()
    with_labels_of_run: str | None = None

    @property
    def said(self) -> str:
        """The advice in a word or two."""
        return in_words(self.verdict, self.recommended)

    @property
    def target(self) -> float | None:
        """The score that was called good enough."""
        return self.answers.get("target_score")


class Choice(Frozen):
    """What the advisor or a policy chose in one run, and how that came out.

    Attributes:
        policy: whose choice it is.
        fell_back: whether the plain prompt stands in for a method that cannot be used.
        method: the method or floor that was chosen; None when there was none to choose.
        score: of `method`; None when it has no full result.
        reached: whether that is the target or more; None where either is not known.
        why: why this one or why this outcome, where the figures do not say it.
        behind: the winner minus `method`, corrected as in the run; None for the winner itself
            and for what has no full result.
        regret: None when it cannot be computed.
    """

    policy: str
    method: str | None
    outcome: Outcome
    fell_back: bool = False
    score: float | None = None
    reached: bool | None = None
    why: str = ""
    behind: Difference | None = None
    regret: Regret | None = None


class VerifiedRun(Frozen):
    """One run: what was advised, what was measured.

    Attributes:
        stored: the advice that was kept with the run; None when none was.
        in_sample: whether the flowchart was made or corrected with this run in view; None where
            that was not said.
        winner: the best of `rivals`; None when there is none.
        score: of the winner, with its interval.
        rivals: methods that can win: allowed by the answers, with a full result. A floor is one
            only where it stands for the advice, as nothing else can choose it.
        lead: the winner minus the next best of `rivals`; None with fewer than two.
        span: score of the winner minus that of the worst of `rivals`; None with fewer than two.
        above_floor: whether any of `rivals` is separated above the best floor; None without one.
        choices: the advisor's first, then the policies'.
    """

    run: RunManifest
    advised: Advised
    stored: str | None
    seeds: int
    items: int
    units: int
    winner: str | None
    score: float | None
    interval: Interval | None
    rivals: tuple[str, ...]
    lead: Difference | None
    span: float | None
    above_floor: bool | None
    in_sample: bool | None
    choices: tuple[Choice, ...]
    notes: tuple[str, ...] = ()

    def choice(self, policy: str) -> Choice:
        """What a policy chose here."""
        return next(choice for choice in self.choices if choice.policy == policy)

    def share(self, policy: str) -> tuple[float, float] | None:
        """A policy's regret and its upper bound, as shares of `span`.

        So 0 is the best method and 1 the worst, whatever the metric; no choice can cost more. None
        where the regret is not known, or all methods score alike.
        """
        regret = self.choice(policy).regret
        if regret is None or not self.span:
            return None
        return min(1.0, regret.cross_fitted / self.span), min(1.0, regret.at_most / self.span)


class Mean(Frozen):
    """A mean regret: over tasks, of the means of their runs.

    Attributes:
        value: as a share of the way from the worst method to the best, see `VerifiedRun.share`.
        at_most: mean of the runs' upper bounds. It bounds the true mean with at least 95 % where
            the errors of the runs are about normal, however they depend on one another: the
            standard error of a mean is at most the mean of the standard errors. The spans are
            taken as they were measured.
        points: the same in score, `value` and `at_most`; None where runs have different metrics.
        runs: in which it is known.
        tasks: of these runs.
    """

    value: float
    at_most: float
    points: tuple[float, float] | None
    runs: int
    tasks: int


class Paired(Frozen):
    """The advisor beside a policy, over the runs in which both regrets are known.

    Attributes:
        value: mean of the advisor's regret minus the policy's, as a share like `Mean.value`.
        better: runs in which the advisor's regret is the smaller one.
        same: runs in which both are the same.
        worse: runs in which the advisor's is the larger one.
        p_value: of an exact sign test over tasks; None where fewer than `FEWEST_TASKS` differ.
    """

    value: float
    better: int
    same: int
    worse: int
    p_value: float | None

    @property
    def runs(self) -> int:
        """How many runs there are."""
        return self.better + self.same + self.worse

    @property
    def separated(self) -> bool:
        """Whether the sign test tells the two apart."""
        return self.p_value is not None and self.p_value < ALPHA


class Summary(Frozen):
    """The advisor or a policy over all runs.

    Attributes:
        rule: how it chooses.
        kind: what it may look at: the answers alone, measurements too, or in hindsight the
            measurements that it is then judged by.
        outcomes: how often each outcome came, where it did not fall back.
        fell_back: runs in which the plain prompt stood in for what cannot be used.
        regret: mean over the runs in which it is known, those with a fallback too; None without
            such a run.
        beside: the advisor beside it; None for the advisor itself and without a run in which
            both regrets are known.
        same: runs in which it chose what the advisor chose.
    """

    policy: str
    rule: str
    kind: Kind
    outcomes: dict[Outcome, int]
    fell_back: int
    regret: Mean | None
    beside: Paired | None
    same: int


class Verification(Frozen):
    """Runs against the advice of one flowchart.

    Attributes:
        flowchart: where it came from.
        flowchart_sha256: of its data, evidence included.
        summaries: the advisor first.
        notes: what a reader has to know to read the figures right.
    """

    schema_version: Literal[1] = 1
    flowchart: str
    flowchart_sha256: str
    runs: tuple[VerifiedRun, ...]
    summaries: tuple[Summary, ...]
    notes: tuple[str, ...]


def in_words(verdict: str, first: str | None) -> str:
    """An advice in a word or two: its first method, or its verdict where that is another one."""
    return first if verdict == "adapt" and first else verdict.replace("_", " ")


# ---------------------------------------------------------------- verifying


def verify(
    cases: Sequence[tuple[Run, Advised]],
    flowchart: str,
    flowchart_sha256: str,
    in_sample: Collection[int] | None = None,
) -> Verification:
    """The advice for every run against what the run measured.

    Args:
        cases: finished runs, each with what the flowchart says of its answers.
        flowchart: where the flowchart came from.
        flowchart_sha256: of its data.
        in_sample: places, in `cases`, of the runs that were in view while the flowchart was made
            or corrected; None where that is not known.

    Raises:
        RunError: a run is a shard.
    """
    for run, _ in cases:
        refuse_shard(run)
    measured = [_Case(run, advised) for run, advised in cases]
    policies = [*POLICIES, *_in_hindsight(measured)]
    seen = [None if in_sample is None else place in in_sample for place in range(len(cases))]
    runs = tuple(
        _verified(case, policies).model_copy(update={"in_sample": was_seen})
        for case, was_seen in zip(measured, seen, strict=True)
    )
    return Verification(
        flowchart=flowchart,
        flowchart_sha256=flowchart_sha256,
        runs=runs,
        summaries=(
            _summary(ADVISOR, _ADVISORS_RULE, "answers", runs),
            *(_summary(policy.name, policy.rule, policy.kind, runs) for policy in policies),
        ),
        notes=tuple(_notes(runs)),
    )


class _Case:
    """A run with its advice, and all that the choices in it are judged by."""

    def __init__(self, run: Run, advised: Advised) -> None:
        self.run = run
        self.advised = advised
        self.comparison = compare(run)
        self.results = {result.name: result for result in self.comparison.methods}
        names = [name for name in self.results if name in advised.allowed]
        if self.advice is not None and self.advice not in names:
            names.append(self.advice)
        self.rivals = [name for name in names if self._is_full(name)]
        self.winner = best_of([self.results[name] for name in self.rivals])

    @property
    def advice(self) -> str | None:
        """What stands for the advice: the method, the plain prompt, the best floor or nothing."""
        stands_for: dict[Verdict, str | None] = {
            "adapt": self.advised.recommended,
            "no_adaptation": BASELINE,
            "no_language_model": self.comparison.best_floor,
        }
        return stands_for.get(self.advised.verdict)

    @cached_property
    def regrets(self) -> dict[str, Regret | None]:
        """The regret of every rival; of none where there is nothing to compare it with."""
        if len(self.rivals) < 2:
            return {}
        table = ScoreTable(self.run.arms, self.run.manifest.task.metric)
        return {name: measured_regret(name, self.rivals, table) for name in self.rivals}

    @property
    def next_best(self) -> str | None:
        """The best rival but the winner."""
        return best_of([self.results[name] for name in self.rivals if name != self.winner])

    @property
    def span(self) -> float | None:
        """Between the best and the worst rival; None with fewer than two."""
        scores = [score for name in self.rivals if (score := self.results[name].score) is not None]
        return max(scores) - min(scores) if len(scores) > 1 else None

    @property
    def above_floor(self) -> bool | None:
        """Whether a rival is separated above the best floor; None without one."""
        if self.comparison.best_floor is None:
            return None
        return bool(set(self.comparison.above_floor) & set(self.rivals))

    def can_use(self, method: str) -> bool:
        """Whether the answers allow a method and the task did not refuse it."""
        result = self.results.get(method)
        refused = result is not None and result.status == "refused"
        return method in self.advised.allowed and not refused

    def behind(self, method: str | None) -> Difference | None:
        """The paired difference of the winner and a method, winner minus method."""
        if self.winner is None:
            return None
        return next((d for d in self.comparison.against(self.winner) if d.b == method), None)

    def _is_full(self, name: str) -> bool:
        result = self.results.get(name)
        if result is None or result.status != "finished" or result.unimproved:
            return False
        return result.score is not None


def _verified(case: _Case, policies: Sequence[_Policy]) -> VerifiedRun:
    best = case.results[case.winner] if case.winner else None
    return VerifiedRun(
        run=portable(case.run.manifest),
        advised=case.advised,
        stored=_stored(case.run),
        seeds=len(case.run.plan.seeds),
        items=case.comparison.items,
        units=case.comparison.units,
        winner=case.winner,
        score=best.score if best else None,
        interval=best.interval if best else None,
        rivals=tuple(case.rivals),
        lead=case.behind(case.next_best),
        span=case.span,
        above_floor=case.above_floor,
        in_sample=None,
        choices=(_advisors(case), *(_choice(policy, case) for policy in policies)),
        notes=tuple(_notes_on(case)),
    )


def _stored(run: Run) -> str | None:
    if run.recommendation is None:
        return None
    first = next(iter(allowed_by(run.recommendation)), None)
    return in_words(str(run.recommendation.get("verdict", "adapt")), first)


# ---------------------------------------------------------------- choices


def _advisors(case: _Case) -> Choice:
    """The advisor's own choice; verdicts have tests of their own."""
    verdict = case.advised.verdict
    if verdict != "adapt" and case.advice is None:
        outcome, why = _without_choice(case)
        return Choice(policy=ADVISOR, method=None, outcome=outcome, why=why)
    judged = _judged(ADVISOR, case.advice, case)
    if verdict == "adapt" or case.advice not in case.rivals:
        return judged
    outcome, why = _good_enough(case.results[case.advice], case)
    return judged.model_copy(update={"outcome": outcome, "why": why})


def _without_choice(case: _Case) -> tuple[Outcome, str]:
    """The test of a verdict that nothing in the run stands for."""
    if case.advised.verdict == "no_method_fits":
        return "not tested", "The verdict is about the means at hand, which no run measures."
    if case.advised.verdict == "no_language_model":
        return "not tested", "No baseline without a language model finished."
    if case.winner is None or case.advised.target is None:
        return "not tested", "There is no target, or no method with a full result."
    best, target = case.results[case.winner], case.advised.target
    if not _reaches(best, target):
        return "hit", f"The best method, {best.name}, misses the target of {target:g}."
    said = f"{best.name} reaches the target of {target:g}{_how_surely(best, target)}."
    rivals = len(case.rivals)
    sure = best.interval is not None and surely_reaches(
        best.score or 0.0, best.interval.low, target, rivals
    )
    if not sure and _how_surely(best, target).startswith(" with"):
        said += f" As the best of {rivals}, it may owe that to chance."
    return "miss" if sure else "tied", said


def surely_reaches(score: float, low: float, target: float, methods: int) -> bool:
    """Whether the best of so many methods reaches a target with 95 % confidence.

    The best score of several is too high by chance, so its interval is widened for their number
    (Bonferroni). With its own interval a report on five methods that all just miss a target would
    say in 7 to 8 % that it is reached, and on nine in 11 to 13 % (1,000 draws each).

    Args:
        score: of the best method.
        low: lower end of its 95 % interval.
        target: a score.
        methods: how many it is the best of.
    """
    alone, widened = stats.norm.ppf([1 - ALPHA / 2, 1 - ALPHA / max(2, methods)])
    return bool(score - widened / alone * (score - low) >= target)


def _good_enough(stand_in: MethodResult, case: _Case) -> tuple[Outcome, str]:
    """The test of a verdict which claims that its stand-in is good enough, not that it is best.

    So it is a hit when the target is reached, and tied when it is missed (or was never named)
    but no allowed method is separated above. With no other method to be above, that is no test.
    """
    name, target = stand_in.name, case.advised.target
    if _reaches(stand_in, target):
        return "hit", f"{name} reaches the target of {target:g}{_how_surely(stand_in, target)}."
    said = "There is no target" if target is None else f"{name} misses the target of {target:g}"
    if case.rivals == [name]:
        return "not tested", f"{said}. {_ALONE}"
    above = _separated_above(name, case)
    if above:
        return "miss", f"{said}, and separated above {name}: {', '.join(above)}."
    return "tied", f"{said}, but no method that the answers allow is separated above {name}."


def _reaches(result: MethodResult, target: float | None) -> bool:
    return target is not None and result.score is not None and result.score >= target


def _how_surely(result: MethodResult, target: float | None) -> str:
    if target is None or result.interval is None:
        return ""
    sure = result.interval.low >= target
    return " with its whole interval" if sure else ", though its interval begins below"


def _separated_above(name: str, case: _Case) -> list[str]:
    against = [d for rival in case.rivals for d in case.comparison.against(rival) if d.b == name]
    return [d.a for d in against if d.separated and d.difference > 0]


def _judged(policy: str, method: str | None, case: _Case) -> Choice:
    """A choice of a method against the winner."""
    alone = case.rivals == [method]
    outcome, why = ("not tested", _ALONE) if alone else _without_result(method, case)
    behind = case.behind(method) if outcome is None else None
    if outcome is None:
        outcome = outcome_of(method == case.winner, behind)
    score = case.results[method].score if method in case.rivals else None
    target = case.advised.target
    return Choice(
        policy=policy,
        method=method,
        outcome=outcome,
        score=score,
        reached=None if score is None or target is None else score >= target,
        why=why,
        behind=behind,
        regret=case.regrets.get(method or ""),
    )


def outcome_of(is_winner: bool, behind: Difference | None) -> Outcome:
    """How a choice with a full result came out: what scores highest is a hit.

    Args:
        is_winner: whether the choice scores highest of what is allowed.
        behind: the winner's score minus its own, if both were compared.
    """
    if is_winner:
        return "hit"
    return "tied" if behind is not None and not behind.separated else "miss"


def _without_result(method: str | None, case: _Case) -> tuple[Outcome | None, str]:
    """How a choice without a full result counts, and why; (None, "") with one.

    What was tried and came to nothing counts against the choice. What was never tried says
    nothing about it.
    """
    if method in case.rivals:
        return None, ""
    if method is None or method not in case.advised.allowed:
        return "not tested", f"The answers do not allow {method or 'any method'}."
    result = case.results.get(method)
    if result is None:
        return "not tested", f"{method} is not in this run."
    if result.status == "finished":
        return "not tested", _why_untested(result)
    problem = result.problems[0]
    first_line = problem.message.partition("\n")[0].rstrip(".")
    said = f"{method} {_HAPPENED[problem.status]}{first_line and ': '}{first_line}."
    if result.status in ("skipped", "pending"):
        return "not tested", said
    return "miss", f"{said} That counts against it, and no regret can be computed."


def _why_untested(result: MethodResult) -> str:
    if result.unimproved:
        said = f"The training of {result.name} did not improve on the start"
        return f"{said}, so this run says nothing about it."
    return f"The score of {result.name} is not defined."


# ---------------------------------------------------------------- policies


class _Pick(NamedTuple):
    """What a policy picks, and why where that is not plain."""

    method: str
    why: str = ""
    fell_back: bool = False


@dataclass(frozen=True)
class _Policy:
    """A rule that is simpler than a flowchart."""

    name: str
    rule: str
    pick: Callable[[_Case], _Pick]
    kind: Kind = "answers"


def _choice(policy: _Policy, case: _Case) -> Choice:
    pick = policy.pick(case)
    judged = _judged(policy.name, pick.method, case)
    why = f"{pick.why} {judged.why}".strip()
    return judged.model_copy(update={"why": why, "fell_back": pick.fell_back})


def _or_plain(method: str, case: _Case) -> _Pick:
    """The method, or the plain prompt where it cannot be used."""
    if case.can_use(method):
        return _Pick(method)
    return _Pick(BASELINE, f"{method} cannot be used here, so {BASELINE} stands in.", True)


def _always(name: str, method: str) -> _Policy:
    rule = f"{method} on every task; {BASELINE} where {method} cannot be used."
    return _Policy(name, rule, lambda case: _or_plain(method, case))


def _retrieve_then_tune(case: _Case) -> _Pick:
    first, target = _or_plain(RETRIEVAL, case), case.advised.target
    result = case.results.get(first.method)
    score = result.score if result else None
    if score is None or (target is not None and score >= target):
        return first
    tuned = TUNED_ALONE if first.fell_back else TUNED_WITH_RETRIEVAL
    usable = _first_usable(tuned, case)
    if usable is None:
        return first._replace(why=f"{first.why} {' and '.join(tuned)} cannot be used.".strip())
    missed = "no target was named" if target is None else f"it misses the target of {target:g}"
    return _Pick(usable, f"{first.method} scores {score:.3f} and {missed}.")


def _first_usable(methods: Sequence[str], case: _Case) -> str | None:
    """The first that can be used and ran; without one, the first that can be used."""
    usable = [method for method in methods if case.can_use(method)]
    ran = [method for method in usable if method in case.rivals]
    return next(iter([*ran, *usable]), None)


def _by_knowledge(case: _Case) -> _Pick:
    knowledge = case.advised.answers.get("knowledge") in KNOWLEDGE
    wanted = (*TUNED_WITH_RETRIEVAL, RETRIEVAL) if knowledge else TUNED_ALONE
    usable = _first_usable(wanted, case)
    return _or_plain(wanted[0], case) if usable is None else _Pick(usable)


KNOWLEDGE = ("static", "changing")
"""Answers to the question for knowledge that say: the model lacks facts."""
POLICIES = (
    _always("always-ICL", "icl-nearest"),
    _always("always-RAG", RETRIEVAL),
    _always("always-LoRA", "lora"),
    _always("always-full", "full"),
    _Policy(
        "RAG first, then tune",
        f"{RETRIEVAL}, or {BASELINE} where nothing can be retrieved. Where its measured score "
        "misses the target, or no target was named, the tuned method that ran: "
        f"{' before '.join(TUNED_WITH_RETRIEVAL)}, and {TUNED_ALONE[0]} where nothing can be "
        "retrieved. It looks at measurements, which the advisor does not.",
        _retrieve_then_tune,
        "measurements",
    ),
    _Policy(
        "retrieval if knowledge, else LoRA",
        "Where the answers say that the model lacks facts, whether they change or not, the first "
        f"method with retrieval that ran: {', '.join((*TUNED_WITH_RETRIEVAL, RETRIEVAL))}. "
        f"Otherwise {TUNED_ALONE[0]}. {BASELINE} where none of these can be used.",
        _by_knowledge,
    ),
)


def _in_hindsight(cases: Sequence[_Case]) -> list[_Policy]:
    """The one method with the smallest mean regret, of those known wherever the advisor's is."""
    tested = [case for case in cases if _advisors(case).regret is not None and case.span]
    names = sorted({name for case in tested for name in case.rivals} & _allowed_anywhere(tested))
    means = {name: _mean_of(name, tested) for name in names}
    known = {name: mean for name, mean in means.items() if mean is not None}
    if not known:
        return []
    best = min(known, key=lambda name: (known[name], name))
    always = _always(f"best in hindsight: {best}", best)
    rule = (
        f"{always.rule} The one method with the smallest mean regret, found by the same "
        "measurements: a yardstick, no policy."
    )
    return [_Policy(always.name, rule, always.pick, "hindsight")]


def _allowed_anywhere(cases: Sequence[_Case]) -> set[str]:
    return {name for case in cases for name in case.advised.allowed}


def _mean_of(method: str, cases: Sequence[_Case]) -> float | None:
    pairs = [(_choice(_always(method, method), case).regret, case.span) for case in cases]
    known = [min(1.0, r.cross_fitted / span) for r, span in pairs if r is not None and span]
    return fmean(known) if known and len(known) == len(cases) else None


# ---------------------------------------------------------------- over all runs


def _summary(policy: str, rule: str, kind: Kind, runs: Sequence[VerifiedRun]) -> Summary:
    choices = [run.choice(policy) for run in runs]
    own = [choice.outcome for choice in choices if not choice.fell_back]
    pairs = zip([run.choice(ADVISOR) for run in runs], choices, strict=True)
    outcomes: tuple[Outcome, ...] = ("hit", "tied", "miss", "not tested")
    return Summary(
        policy=policy,
        rule=rule,
        kind=kind,
        outcomes={outcome: own.count(outcome) for outcome in outcomes},
        fell_back=len(choices) - len(own),
        regret=_mean_regret(policy, runs),
        beside=None if policy == ADVISOR else _beside(policy, runs),
        same=sum(one.method is not None and one.method == two.method for one, two in pairs),
    )


def _mean_regret(policy: str, runs: Sequence[VerifiedRun]) -> Mean | None:
    known = [(run, share) for run in runs if (share := run.share(policy)) is not None]
    if not known:
        return None
    regrets = [regret for run, _ in known if (regret := run.choice(policy).regret) is not None]
    one_metric = len({run.run.task.metric for run in runs}) == 1
    tasks = [run.run.task.id for run, _ in known]
    in_points = ([r.cross_fitted for r in regrets], [r.at_most for r in regrets])
    return Mean(
        value=_over_tasks([share for _, (share, _) in known], tasks),
        at_most=_over_tasks([bound for _, (_, bound) in known], tasks),
        points=(_over_tasks(in_points[0], tasks), _over_tasks(in_points[1], tasks))
        if one_metric
        else None,
        runs=len(known),
        tasks=len(set(tasks)),
    )


def _beside(policy: str, runs: Sequence[VerifiedRun]) -> Paired | None:
    known = [
        (run.run.task.id, advisor[0] - other[0])
        for run in runs
        if (advisor := run.share(ADVISOR)) and (other := run.share(policy))
    ]
    if not known:
        return None
    differences, tasks = [apart for _, apart in known], [task for task, _ in known]
    better, worse = _signs(differences)
    of_tasks = [fmean(apart for task, apart in known if task == one) for one in set(tasks)]
    tasks_better, tasks_worse = _signs(of_tasks)
    enough = tasks_better + tasks_worse >= FEWEST_TASKS
    return Paired(
        value=_over_tasks(differences, tasks),
        better=better,
        same=len(known) - better - worse,
        worse=worse,
        # McNemar's exact test is the sign test of two counts.
        p_value=statistics.mcnemar_exact(tasks_better, tasks_worse) if enough else None,
    )


def _signs(differences: Sequence[float]) -> tuple[int, int]:
    """How many lie below 0 and how many above it."""
    return sum(d < -_SAME for d in differences), sum(d > _SAME for d in differences)


def _over_tasks(values: Sequence[float], tasks: Sequence[str]) -> float:
    """The mean of a value a run, runs of one task being one unit."""
    pairs = list(zip(values, tasks, strict=True))
    by_task = [fmean(value for value, task in pairs if task == one) for one in dict.fromkeys(tasks)]
    return fmean(by_task)


def simple_rules_as_good(found: Verification) -> list[Summary]:
    """The policies whose mean regret is no larger than the advisor's, on all its tested runs.

    The best method in hindsight is none of them: it was found by what it would be judged by.
    """
    advisor, *policies = found.summaries
    return [
        policy
        for policy in policies
        if policy.kind != "hindsight"
        and policy.beside
        and advisor.regret
        and policy.beside.runs == advisor.regret.runs
        and policy.beside.value >= -_SAME
    ]


# ---------------------------------------------------------------- notes


def _notes_on(case: _Case) -> list[str]:
    """What the outcome of a run does not say."""
    leader, advised = case.comparison.leader, case.advised
    notes = []
    if leader is not None and leader not in case.rivals:
        notes.append(f"{leader} scores highest of all, but the answers do not allow it.")
    if advised.verdict == "adapt" and case.rivals:
        notes += _doubts_about_adapting(case)
    if advised.with_labels_of_run not in (None, advised.said):
        notes.append(
            f"The answers count {advised.answers['labelled_examples']:,} labelled examples and the "
            f"run trained on {case.run.manifest.task.train:,}. For so many the flowchart says: "
            f"{advised.with_labels_of_run}."
        )
    return notes


def _doubts_about_adapting(case: _Case) -> list[str]:
    target, floor, plain = case.advised.target, case.comparison.best_floor, BASELINE
    notes = [
        f"{name} reaches the target of {target:g}{_how_surely(case.results[name], target)}, "
        f"so {what}."
        for name, what in (
            (floor, "no language model was needed"),
            (plain, "nothing needed adapting"),
        )
        if name in case.results and _reaches(case.results[name], target)
    ]
    if floor is not None and not case.above_floor:
        notes.append(_nothing_above(floor, case))
    return notes


def _nothing_above(floor: str, case: _Case) -> str:
    said = (
        "No method that the answers allow is separated above the best floor without a language "
        f"model, {floor}"
    )
    may_be = case.comparison.may_matter(case.rivals)
    if may_be is None:
        return (
            f"{said}, and the intervals of their leads over it end below {100 * MATTERS:g} points: "
            "this sample shows no need for one."
        )
    return (
        f"{said}, but there are too few items to tell whether one is needed: {may_be.a} leads it "
        f"by {100 * may_be.difference:+.1f} points, and by up to {100 * may_be.interval.high:.1f} "
        "in its 95 % interval."
    )


def _notes(runs: Sequence[VerifiedRun]) -> list[str]:
    left_out = [run.run.id for run in runs if run.share(ADVISOR) is None]
    one_seed = sum(run.seeds == 1 for run in runs)
    notes = [_sample_note(runs)]
    if len(left_out) < len(runs):
        tasks = len({run.run.task.id for run in runs if run.run.id not in left_out})
        are = "is" if tasks == 1 else "are"
        notes.append(
            f"{_count(tasks, 'task')} {are} no random sample of all tasks: “at most” is about "
            "these, and nothing here is about tasks unlike them."
        )
    if one_seed:
        notes.append(
            f"{one_seed} of {len(runs)} runs have one seed: there a trained method is one trained "
            "adapter or model, and another seed could turn a close outcome."
        )
    if left_out:
        notes.append(f"The advisor's regret is not known, and left out: {', '.join(left_out)}.")
    return notes


def _sample_note(runs: Sequence[VerifiedRun]) -> str:
    seen = [run.run.id for run in runs if run.in_sample]
    if any(run.in_sample is None for run in runs):
        return (
            "It was not said which runs were in view while the flowchart was made or corrected "
            "(--in-sample). On such runs, agreement is no test on anything new."
        )
    if not seen:
        return "No run was in view while the flowchart was made or corrected."
    return (
        "In sample are runs that were in view while the flowchart was made or corrected, so that "
        f"their agreement is no test on anything new: {', '.join(seen)}."
    )


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
