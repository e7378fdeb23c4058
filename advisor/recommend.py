"""Answers and a flowchart give a recommendation; a recommendation is found by walking alone."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from advisor.estimates.memory import GIB, Use, memory_bytes
from advisor.flowchart import Claim, Effect, Flowchart, Step, Verdict, citing, facts_of
from advisor.mermaid import draw
from advisor.questionnaire import (
    Answers,
    allowed,
    as_text,
    is_whole,
    least,
    questions,
    takes_many,
)

REFERENCE = "zero-shot"
_TRAINED: dict[str, Use] = {"lora": "lora", "rag+lora": "lora", "raft": "lora", "full": "full"}
# More candidates than this make a bench long; the cheap ones cost little to keep.
_MOST_CANDIDATES = 6


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Reason(_Record):
    """Why a method is more or less fit."""

    text: str
    node: str
    strength: int
    evidence: tuple[str, ...]


class RankedMethod(_Record):
    """A method in its place.

    Attributes:
        method: its name.
        strength: reasons for minus reasons against, by strength.
        blockers: why it cannot be used, with evidence ids; empty when it can.
        memory_gib: least memory of training it (answering with it, if nothing trains), without
            activations; None when the model's size is not known.
    """

    method: str
    strength: int
    reasons_for: tuple[Reason, ...] = ()
    reasons_against: tuple[Reason, ...] = ()
    blockers: tuple[str, ...] = ()
    memory_gib: float | None = None


class PathStep(_Record):
    """A node that was passed."""

    node: str
    question: str
    branch: str
    evidence: tuple[str, ...] = ()


class LadderStep(_Record):
    """A rung: what to do, what to measure, when to stop."""

    do: str
    method: str | None = None
    measure: str = ""
    stop_when: str = ""
    otherwise: str = ""


class WhatIf(_Record):
    """A single changed answer that changes the first method."""

    answer: str
    now: str
    then: str
    first_now: str
    first_then: str


class Unknown(_Record):
    """A question whose answer would matter."""

    answer: str
    question: str
    could_lead_to: tuple[str, ...]


class Recommendation(_Record):
    """The advice; a text that the flowchart says ends with the ids of its evidence.

    Attributes:
        answers: what was known.
        verdict: the kind of outcome.
        text: the outcome in a sentence.
        provisional: why the advice is provisional; empty when it is not.
        ranked: every method, usable ones first, best first.
        path: the nodes passed.
        ladder: steps from simple to complex.
        notes: what else to know.
        what_ifs: smallest changes that flip the advice.
        unknown_that_matter: questions worth an answer.
        candidates: methods worth a bench, the reference first.
        claims: the evidence cited, id to finding and source.
        mermaid: the flowchart with the path lit.
    """

    schema_version: Literal[1] = 1
    answers: dict[str, Any]
    verdict: Verdict
    text: str
    provisional: tuple[str, ...]
    ranked: tuple[RankedMethod, ...]
    path: tuple[PathStep, ...]
    ladder: tuple[LadderStep, ...]
    notes: tuple[str, ...]
    what_ifs: tuple[WhatIf, ...]
    unknown_that_matter: tuple[Unknown, ...]
    candidates: tuple[str, ...]
    claims: dict[str, str]
    mermaid: str

    @property
    def first(self) -> str | None:
        """The method to use, or None when none can be used or no language model is needed."""
        if self.verdict == "no_language_model":
            return None
        return next((ranked.method for ranked in self.ranked if not ranked.blockers), None)


def recommend(answers: Answers, chart: Flowchart) -> Recommendation:
    """The advice for a use case.

    Args:
        answers: what is known of it.
        chart: the flowchart to walk.
    """
    steps = chart.walk(answers)
    effects = [(step.node.id, effect) for step in steps for effect in step.effects]
    ranked = _rank(chart, effects, answers)
    verdict = _outcome(effects, ranked)
    cited = dict.fromkeys(claim for _, effect in effects for claim in effect.evidence)
    return Recommendation(
        answers=answers.model_dump(mode="json", exclude_none=True, exclude={"schema_version"}),
        verdict=verdict[0],
        text=verdict[1],
        provisional=tuple(citing(e.provisional, e.evidence) for _, e in effects if e.provisional),
        ranked=ranked,
        path=tuple(_path_step(step) for step in steps),
        ladder=tuple(_ladder(chart, ranked, effects, answers)),
        notes=tuple(citing(e.note, e.evidence) for _, e in effects if e.note),
        what_ifs=tuple(_what_ifs(answers, chart)),
        unknown_that_matter=tuple(_unknowns(answers, chart)),
        candidates=_candidates(chart, ranked),
        claims={claim: _cited(chart.claims[claim]) for claim in cited},
        mermaid=draw(chart, steps),
    )


def _cited(claim: Claim) -> str:
    return f"{claim.finding} ({claim.how}: {claim.source})"


def _path_step(step: Step) -> PathStep:
    cited = dict.fromkeys(claim for effect in step.effects for claim in effect.evidence)
    return PathStep(
        node=step.node.id,
        question=step.node.question,
        branch=step.branch.label,
        evidence=tuple(cited),
    )


def _rank(
    chart: Flowchart, effects: list[tuple[str, Effect]], answers: Answers
) -> tuple[RankedMethod, ...]:
    """Usable methods first, by strength; equals in the chart's order, cheapest first."""
    methods = [_ranked(name, effects, answers) for name in chart.methods]
    return tuple(sorted(methods, key=lambda m: (bool(m.blockers), -m.strength)))


def _ranked(name: str, effects: list[tuple[str, Effect]], answers: Answers) -> RankedMethod:
    pros = [(node, e) for node, e in effects if name in (e.for_ or ())]
    cons = [(node, e) for node, e in effects if name in (e.against or ())]
    use = _TRAINED.get(name, "inference")
    size = answers.model_parameters
    return RankedMethod(
        method=name,
        strength=sum(e.strength for _, e in pros) - sum(e.strength for _, e in cons),
        reasons_for=tuple(_reason(node, effect) for node, effect in pros),
        reasons_against=tuple(_reason(node, effect) for node, effect in cons),
        blockers=tuple(citing(e.reason, e.evidence) for _, e in effects if name in (e.block or ())),
        memory_gib=round(memory_bytes(size, use) / GIB, 2) if size else None,
    )


def _reason(node: str, effect: Effect) -> Reason:
    return Reason(text=effect.reason, node=node, strength=effect.strength, evidence=effect.evidence)


def _outcome(
    effects: list[tuple[str, Effect]], ranked: tuple[RankedMethod, ...]
) -> tuple[Verdict, str]:
    for _, effect in effects:
        if effect.verdict is not None:
            return effect.verdict, citing(effect.text, effect.evidence)
    first = next((r.method for r in ranked if not r.blockers), None)
    if first is None:
        return "no_method_fits", "No method fits the means: take a smaller model or change them."
    return "adapt", f"Climb to {first}, step by step, and stop as soon as the target is reached."


def _ladder(
    chart: Flowchart,
    ranked: tuple[RankedMethod, ...],
    effects: list[tuple[str, Effect]],
    answers: Answers,
) -> Iterator[LadderStep]:
    """What to do first, then the rungs: usable methods up to the recommended one, cheapest first.

    A method that is cheaper but weaker than one already on the ladder is no rung of it.
    """
    for _, effect in effects:
        if effect.first:
            yield LadderStep(do=citing(effect.first, effect.evidence))
    if any(effect.verdict for _, effect in effects):
        return
    target = answers.target_score
    goal = f"the score is {target:g} or more" if target is not None else "the score is good enough"
    rungs = _rungs(chart, ranked)
    for place, rung in enumerate(rungs):
        above = rungs[place + 1] if place + 1 < len(rungs) else None
        yield LadderStep(
            do=f"Run {rung}.",
            method=rung,
            measure="score on the eval set with its interval, cost per query, latency",
            stop_when=goal,
            otherwise=f"climb to {above}"
            if above
            else "collect labels for what fails, or change the goal or the base model",
        )


def _rungs(chart: Flowchart, ranked: tuple[RankedMethod, ...]) -> list[str]:
    usable = {r.method: r.strength for r in ranked if not r.blockers}
    rungs, best = [], None
    for name in chart.methods:
        if name in usable and (name == REFERENCE or best is None or usable[name] > best):
            rungs.append(name)
            best = usable[name] if best is None else max(best, usable[name])
    return rungs


def _candidates(chart: Flowchart, ranked: tuple[RankedMethod, ...]) -> tuple[str, ...]:
    """The reference, then the strongest usable methods, in the chart's order."""
    usable = [r.method for r in ranked if not r.blockers and r.method != REFERENCE]
    kept = {REFERENCE, *usable[: _MOST_CANDIDATES - 1]}
    return tuple(name for name in chart.methods if name in kept)


# ---------------------------------------------------------------- what if


def _first(answers: Answers, chart: Flowchart) -> str:
    """The first method, or the verdict where the walk ended in another one."""
    steps = chart.walk(answers)
    effects = [(step.node.id, effect) for step in steps for effect in step.effects]
    ranked = _rank(chart, effects, answers)
    verdict, _ = _outcome(effects, ranked)
    return ranked[0].method if verdict == "adapt" else verdict.replace("_", " ")


def _what_ifs(answers: Answers, chart: Flowchart) -> Iterator[WhatIf]:
    now = _first(answers, chart)
    for name in questions():
        value = getattr(answers, name)
        if value is None:
            continue
        for other in _near(name, value, answers, chart):
            then = _first(answers.model_copy(update={name: other}), chart)
            if then != now:
                yield WhatIf(
                    answer=name,
                    now=as_text(value),
                    then=as_text(other),
                    first_now=now,
                    first_then=then,
                )
                break


def _unknowns(answers: Answers, chart: Flowchart) -> Iterator[Unknown]:
    now = _first(answers, chart)
    for name, field in questions().items():
        if getattr(answers, name) is not None:
            continue
        values = _near(name, None, answers, chart)
        then = dict.fromkeys(_first(answers.model_copy(update={name: v}), chart) for v in values)
        if set(then) - {now}:
            yield Unknown(
                answer=name, question=field.description or name, could_lead_to=tuple(then)
            )


def _near(name: str, value: Any, answers: Answers, chart: Flowchart) -> list[Any]:
    """Other answers to a question, the nearest first."""
    field = questions()[name]
    if takes_many(field):
        # One member more or less is nearer than none at all.
        others: list[Any] = [*(_toggled(value or (), one) for one in allowed(field)), ()]
    else:
        others = list(allowed(field)) or _numbers(name, answers, chart)
        if not allowed(field) and value is not None:
            # By ratio: from 231 labels, 770 are nearer than none.
            others.sort(key=lambda other: abs(math.log1p(other) - math.log1p(value)))
    return [other for other in others if other != value]


def _numbers(name: str, answers: Answers, chart: Flowchart) -> list[float]:
    """Numbers on both sides of every threshold that the chart has for an answer."""
    found: set[float] = set()
    for part in chart.comparisons():
        for threshold in (part.below, part.at_least):
            if threshold is not None and part.answer == name:
                found |= _around(threshold, name)
            elif threshold and part.answer and part.answer not in questions():
                found |= _derived_around(threshold, part.answer, name, answers)
        if part.at_least_answer and name in (part.answer, part.at_least_answer):
            other = part.at_least_answer if name == part.answer else part.answer
            limit = getattr(answers, other or "", None)
            if limit is not None:
                found |= {limit, max(0.0, round(limit - 0.01, 4))}
    return sorted(found)


def _toggled(members: tuple[str, ...], one: str) -> tuple[str, ...]:
    return tuple(m for m in members if m != one) if one in members else (*members, one)


def _around(threshold: float, name: str) -> set[float]:
    if is_whole(questions()[name]):
        return {int(threshold), max(least(questions()[name]), int(threshold) - 1)}
    return {threshold, threshold / 2}


def _derived_around(threshold: float, fact: str, name: str, answers: Answers) -> set[float]:
    """Whole numbers for an answer on both sides of where a fact derived from it meets a threshold.

    Every derived fact is a share, so it rises or falls in proportion to each of its answers.
    """
    # A class count that is known belongs to the task: nobody can choose another one.
    if name == "classes" and answers.classes is not None:
        return set()
    # Large enough that bytes, which are whole, leave no trace of rounding.
    base = getattr(answers, name) or 2**30
    now, doubled = (
        facts_of(answers.model_copy(update={name: number}))[fact] for number in (base, 2 * base)
    )
    if not now or not doubled or now == doubled:
        return set()
    meets = base * (threshold / now if doubled > now else now / threshold)
    lowest = least(questions()[name])
    return {max(lowest, int(meets)), max(lowest, int(meets) + 1)}
