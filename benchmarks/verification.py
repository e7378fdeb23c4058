"""Advice against measurement: what a flowchart says of finished runs, beside fixed policies.

Only methods that the answers allow can win. Every choice, the advisor's and each policy's, is
compared on the same items and by the same random halves.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean
from typing import Any, Literal, NamedTuple

from benchmarks import statistics
from benchmarks.comparison import BASELINE, allowed_by, best_of, compare, measured_regret
from benchmarks.pairing import ScoreTable
from benchmarks.portable import portable
from benchmarks.records import RunManifest
from benchmarks.results import Difference, Interval, MethodResult, Regret
from benchmarks.sharding import refuse_shard
from benchmarks.store import Run
from strategies.data import Frozen

Verdict = Literal[
    "adapt", "no_adaptation", "no_language_model", "no_method_fits", "no_method_reaches"
]
Outcome = Literal["hit", "tied", "miss", "not tested"]
ADVISOR = "advisor"
RETRIEVAL = "rag"
TUNED_WITH_RETRIEVAL = ("raft", "rag+lora")
"""The hybrid that is trained on what it will be shown goes first: it is the usual way to train."""
TUNED_ALONE = ("lora",)
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
        winner: the best of `rivals`; None when there is none.
        score: of the winner, with its interval.
        rivals: methods that can win: allowed by the answers, with a full result.
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
    choices: tuple[Choice, ...]
    notes: tuple[str, ...] = ()

    def choice(self, policy: str) -> Choice:
        """What a policy chose here."""
        return next(choice for choice in self.choices if choice.policy == policy)


class Mean(Frozen):
    """A mean over runs; its interval resamples tasks, and one task has none."""

    value: float
    interval: Interval | None
    runs: int
    tasks: int


class Summary(Frozen):
    """The advisor or a policy over all runs; regrets are shares of the score.

    Attributes:
        rule: how it chooses.
        outcomes: how often each outcome came.
        regret: mean over the runs in which it is known; None without such a run.
        advisor_minus: mean of the advisor's regret minus this one's, over the runs in which both
            are known; None for the advisor itself.
        same: runs in which it chose what the advisor chose.
        differing: tasks in which it chose something else and `advisor_minus` is known.
        fell_back: runs in which the plain prompt stood in for what cannot be used.
    """

    policy: str
    rule: str
    outcomes: dict[Outcome, int]
    regret: Mean | None
    advisor_minus: Mean | None
    same: int
    differing: int
    fell_back: int


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
    cases: Sequence[tuple[Run, Advised]], flowchart: str, flowchart_sha256: str
) -> Verification:
    """The advice for every run against what the run measured.

    Args:
        cases: finished runs, each with what the flowchart says of its answers.
        flowchart: where the flowchart came from.
        flowchart_sha256: of its data.

    Raises:
        RunError: a run is a shard.
    """
    for run, _ in cases:
        refuse_shard(run)
    measured = [_Case(run, advised) for run, advised in cases]
    policies = [*POLICIES, *_in_hindsight(measured)]
    runs = tuple(_verified(case, policies) for case in measured)
    rules = {ADVISOR: "What the flowchart recommends from the answers; it sees no measurement."}
    rules |= {policy.name: policy.rule for policy in policies}
    return Verification(
        flowchart=flowchart,
        flowchart_sha256=flowchart_sha256,
        runs=runs,
        summaries=tuple(_summary(name, rule, runs) for name, rule in rules.items()),
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
        """The regret of every rival."""
        table = ScoreTable(self.run.arms, self.run.manifest.task.metric)
        return {name: measured_regret(name, self.rivals, table) for name in self.rivals}

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
    sure = best.interval is not None and best.interval.low >= target
    said = f"{best.name} reaches the target of {target:g}{_how_surely(best, target)}."
    return "miss" if sure else "tied", said


def _good_enough(stand_in: MethodResult, case: _Case) -> tuple[Outcome, str]:
    """The test of a verdict which claims that its stand-in is good enough, not that it is best.

    So it is a hit when the target is reached, and tied when it is missed (or was never named)
    but no allowed method is separated above.
    """
    name, target = stand_in.name, case.advised.target
    if _reaches(stand_in, target):
        return "hit", f"{name} reaches the target of {target:g}{_how_surely(stand_in, target)}."
    said = "There is no target" if target is None else f"{name} misses the target of {target:g}"
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
    outcome, why = _without_result(method, case)
    behind = case.behind(method) if outcome is None else None
    if outcome is None:
        tied = behind is not None and not behind.separated
        outcome = "hit" if method == case.winner else "tied" if tied else "miss"
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
    """A rule that asks no questions."""

    name: str
    rule: str
    pick: Callable[[_Case], _Pick]


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
    usable = [method for method in tuned if case.can_use(method)]
    if not usable:
        return first._replace(why=f"{first.why} {' and '.join(tuned)} cannot be used.".strip())
    ran = [method for method in usable if method in case.rivals]
    missed = "no target was named" if target is None else f"it misses the target of {target:g}"
    return _Pick([*ran, *usable][0], f"{first.method} scores {score:.3f} and {missed}.")


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
    ),
)


def _in_hindsight(cases: Sequence[_Case]) -> list[_Policy]:
    """The one method with the smallest mean regret, of those known wherever the advisor's is."""
    tested = [case for case in cases if _advisors(case).regret is not None]
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
    return [_Policy(always.name, rule, always.pick)]


def _allowed_anywhere(cases: Sequence[_Case]) -> set[str]:
    return {name for case in cases for name in case.advised.allowed}


def _mean_of(method: str, cases: Sequence[_Case]) -> float | None:
    regrets = [_choice(_always(method, method), case).regret for case in cases]
    known = [regret.cross_fitted for regret in regrets if regret is not None]
    return fmean(known) if len(known) == len(cases) else None


# ---------------------------------------------------------------- over all runs


def _summary(policy: str, rule: str, runs: Sequence[VerifiedRun]) -> Summary:
    choices = [run.choice(policy) for run in runs]
    advisors = [run.choice(ADVISOR) for run in runs]
    pairs = list(zip(advisors, choices, strict=True))
    kinds: tuple[Outcome, ...] = ("hit", "tied", "miss", "not tested")
    return Summary(
        policy=policy,
        rule=rule,
        outcomes={kind: sum(choice.outcome == kind for choice in choices) for kind in kinds},
        regret=_mean_regret(policy, runs),
        advisor_minus=None if policy == ADVISOR else _advisor_minus(policy, runs),
        same=sum(one.method is not None and one.method == two.method for one, two in pairs),
        differing=len(_differing_tasks(policy, runs)),
        fell_back=sum(choice.fell_back for choice in choices),
    )


def _differing_tasks(policy: str, runs: Sequence[VerifiedRun]) -> set[str]:
    pairs = [(run.run.task.id, run.choice(ADVISOR), run.choice(policy)) for run in runs]
    return {
        task
        for task, advisor, other in pairs
        if advisor.regret and other.regret and advisor.method != other.method
    }


def _mean_regret(policy: str, runs: Sequence[VerifiedRun]) -> Mean | None:
    known = [run for run in runs if run.choice(policy).regret]
    if not known:
        return None
    return _mean([_cross_fitted(policy, run) for run in known], known)


def _advisor_minus(policy: str, runs: Sequence[VerifiedRun]) -> Mean | None:
    known = [run for run in runs if run.choice(policy).regret and run.choice(ADVISOR).regret]
    if not known:
        return None
    return _mean([_cross_fitted(ADVISOR, run) - _cross_fitted(policy, run) for run in known], known)


def _cross_fitted(policy: str, run: VerifiedRun) -> float:
    regret = run.choice(policy).regret
    assert regret is not None
    return regret.cross_fitted


def _mean(values: Sequence[float], runs: Sequence[VerifiedRun]) -> Mean:
    """The mean of a value a run, runs of one task being one unit."""
    tasks = list(dict.fromkeys(run.run.task.id for run in runs))
    pairs = list(zip(values, runs, strict=True))
    by_task = [fmean(value for value, run in pairs if run.run.task.id == task) for task in tasks]
    found = statistics.mean_interval(by_task)
    return Mean(
        value=fmean(by_task),
        interval=Interval(low=found[0], high=found[1], method="Student's t of tasks")
        if found
        else None,
        runs=len(runs),
        tasks=len(tasks),
    )


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
    if floor is not None and not set(case.comparison.above_floor) & set(case.rivals):
        notes.append(
            "No method that the answers allow is separated above the best floor without a "
            f"language model, {floor}: this sample shows no need for one."
        )
    return notes


def _notes(runs: Sequence[VerifiedRun]) -> list[str]:
    tested = [run for run in runs if run.choice(ADVISOR).regret]
    left_out = [run.run.id for run in runs if run not in tested]
    tasks = len({run.run.task.id for run in tested})
    metrics = sorted({run.run.task.metric for run in tested})
    one_seed = sum(run.seeds == 1 for run in runs)
    notes = [
        "A run that the flowchart's evidence was drawn from, or that it was corrected by, shows "
        "that advice and measurement agree, and is no test on anything new."
    ]
    if tasks:
        notes.append(
            f"An interval over {_count(tasks, 'task')} takes them for a sample of all there are, "
            "which they are not: it says nothing of tasks unlike them. Were all "
            f"{tasks} to point the same way, a sign test would give p = {2.0 ** (1 - tasks):.2g}."
        )
    if len(metrics) > 1:
        notes.append(f"Points of different metrics are averaged: {', '.join(metrics)}.")
    if one_seed:
        notes.append(
            f"{one_seed} of {len(runs)} runs have one seed: there a trained method is one trained "
            "adapter or model, and another seed could turn a close outcome."
        )
    if left_out:
        notes.append(f"The advisor's regret is not known, and left out: {', '.join(left_out)}.")
    return notes


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
