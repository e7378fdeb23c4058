"""Answers and a flowchart give a recommendation; a recommendation is found by walking alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from advisor.estimates.cost import BreakEven
from advisor.flowchart import Claim, Effect, Flowchart, Step, Verdict, citing
from advisor.language import ENGLISH, Language
from advisor.mermaid import draw
from advisor.questionnaire import Answers
from advisor.ranking import REFERENCE, Place, Said, places, said_on, tied, verdict_of
from advisor.sizing import (
    MethodEstimate,
    break_evens_of,
    estimate_method,
    label_cost_usd,
    labels_missing,
)
from advisor.what_if import Confidence, Unknown, WhatIf, confidence, unknown_that_matter, what_ifs

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
        estimate: what it would take.
    """

    method: str
    strength: int
    reasons_for: tuple[Reason, ...] = ()
    reasons_against: tuple[Reason, ...] = ()
    blockers: tuple[str, ...] = ()
    estimate: MethodEstimate


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


class Labels(_Record):
    """Labelled examples to collect before anything is tuned.

    Attributes:
        missing: how many; 0 when there are enough.
        cost_usd: what they cost; None when the price of one is not known.
    """

    missing: int
    cost_usd: float | None


class Recommendation(_Record):
    """The advice; a text that the flowchart says ends with the ids of its evidence.

    Attributes:
        answers: what was known.
        verdict: the kind of outcome.
        text: the outcome in a sentence.
        tied: methods between which the answers do not decide, cheapest first; empty without a tie.
        decided_by: the measurement that decides between those; empty without a tie.
        provisional: why the advice is provisional; empty when it is not.
        ranked: every method, usable ones first, best first.
        path: the nodes passed.
        ladder: steps from simple to complex.
        notes: what else to know.
        confidence: how often the advice stays as it is when what is unknown becomes known.
        what_ifs: smallest changes that flip the advice.
        unknown_that_matter: questions worth an answer.
        labels: what is missing before tuning; None when they are not counted.
        break_evens: queries a month at which two ways to adapt cost the same.
        candidates: methods worth a bench, the reference first.
        claims: the evidence cited, id to finding and source.
        mermaid: the flowchart with the path lit.
    """

    schema_version: Literal[2] = 2
    answers: dict[str, Any]
    verdict: Verdict
    text: str
    tied: tuple[str, ...] = ()
    decided_by: str = ""
    provisional: tuple[str, ...]
    ranked: tuple[RankedMethod, ...]
    path: tuple[PathStep, ...]
    ladder: tuple[LadderStep, ...]
    notes: tuple[str, ...]
    confidence: Confidence
    what_ifs: tuple[WhatIf, ...]
    unknown_that_matter: tuple[Unknown, ...]
    labels: Labels | None
    break_evens: tuple[BreakEven, ...]
    candidates: tuple[str, ...]
    claims: dict[str, str]
    mermaid: str

    @property
    def first(self) -> str | None:
        """The method to use, or None when none can be used, none will do, or none is needed."""
        if self.verdict in ("no_language_model", "no_method_reaches"):
            return None
        return next((ranked.method for ranked in self.ranked if not ranked.blockers), None)


def recommend(answers: Answers, chart: Flowchart, say: Language = ENGLISH) -> Recommendation:
    """The advice for a use case.

    Args:
        answers: what is known of it.
        chart: the flowchart to walk, in the same language.
        say: the language of what is added to the chart's own texts.
    """
    steps = chart.walk(answers)
    said = said_on(steps)
    order = places(chart, said)
    ranked = tuple(_ranked(place, said, answers) for place in order)
    verdict = verdict_of(said, order)
    adapts = verdict == "adapt"
    equals = tied(order, said) if adapts else ()
    cited = dict.fromkeys(claim for _, effect in said for claim in effect.evidence)
    return Recommendation(
        answers=answers.model_dump(mode="json", exclude_none=True, exclude={"schema_version"}),
        verdict=verdict,
        text=_text_of_tie(equals, say) if equals else _text(verdict, said, order, say),
        tied=equals,
        decided_by=_decided_by(equals, answers, say) if equals else "",
        provisional=tuple(citing(e.provisional, e.evidence) for _, e in said if e.provisional),
        ranked=ranked,
        path=tuple(_path_step(step) for step in steps),
        ladder=(
            *_to_do_first(said),
            *(_ladder(_rungs(chart, order, equals), equals, answers, say) if adapts else ()),
        ),
        notes=tuple(citing(e.note, e.evidence) for _, e in said if e.note),
        confidence=confidence(answers, chart),
        what_ifs=tuple(what_ifs(answers, chart)),
        unknown_that_matter=tuple(unknown_that_matter(answers, chart, say)),
        labels=_labels(answers),
        break_evens=break_evens_of({r.method: r.estimate for r in ranked if not r.blockers}),
        candidates=_candidates(chart, order),
        claims={claim: _cited(chart.claims[claim], say) for claim in cited},
        mermaid=draw(chart, steps, say),
    )


def _labels(answers: Answers) -> Labels | None:
    missing = labels_missing(answers)
    return (
        Labels(missing=missing, cost_usd=label_cost_usd(answers)) if missing is not None else None
    )


def _cited(claim: Claim, say: Language) -> str:
    return f"{claim.finding} ({say(claim.how)}: {claim.source})"


def _path_step(step: Step) -> PathStep:
    cited = dict.fromkeys(claim for effect in step.effects for claim in effect.evidence)
    return PathStep(
        node=step.node.id,
        question=step.node.question,
        branch=step.branch.label,
        evidence=tuple(cited),
    )


def _ranked(place: Place, said: Sequence[Said], answers: Answers) -> RankedMethod:
    name = place.method
    return RankedMethod(
        method=name,
        strength=place.strength,
        reasons_for=tuple(_reason(*one) for one in said if name in (one.effect.for_ or ())),
        reasons_against=tuple(_reason(*one) for one in said if name in (one.effect.against or ())),
        blockers=tuple(citing(e.reason, e.evidence) for _, e in said if name in (e.block or ())),
        estimate=estimate_method(name, answers),
    )


def _reason(node: str, effect: Effect) -> Reason:
    return Reason(text=effect.reason, node=node, strength=effect.strength, evidence=effect.evidence)


def _text(verdict: Verdict, said: Sequence[Said], order: Sequence[Place], say: Language) -> str:
    for _, effect in said:
        if effect.verdict is not None:
            return citing(effect.text, effect.evidence)
    if verdict == "no_method_fits":
        return say(
            "No method fits the means: take a smaller base model, or a hosted one where the data "
            "may leave the house, or change the means."
        )
    if verdict == "no_method_reaches":
        return say(
            "The plain prompt is not enough, and nothing that these answers allow promises more: "
            "collect labels or facts, or change the goal or the base model."
        )
    if order[0].method == REFERENCE:
        return say("Stay with the plain prompt: nothing in these answers calls for more.")
    return say(
        "Climb to {method}, step by step, and stop as soon as the target is reached.",
        method=order[0].method,
    )


def _text_of_tie(equals: Sequence[str], say: Language) -> str:
    return say(
        "These answers speak equally for {methods}: measure them, beginning with {first}, the "
        "cheapest to try.",
        methods=_listed(equals, say),
        first=equals[0],
    )


def _decided_by(equals: Sequence[str], answers: Answers, say: Language) -> str:
    """The measurement that decides between methods that the answers leave equal."""
    if answers.target_score is None:
        return say(
            "What decides between {methods}: the paired difference of their scores on the same "
            "eval items, in one bench. Keep {first} unless another one is separated above it.",
            methods=_listed(equals, say),
            first=equals[0],
        )
    return say(
        "What decides between {methods}: whether {first} reaches {target} on the eval set; if it "
        "does not, the paired difference of their scores on the same items, in one bench.",
        methods=_listed(equals, say),
        first=equals[0],
        target=f"{answers.target_score:g}",
    )


def _listed(names: Sequence[str], say: Language) -> str:
    if len(names) == 1:
        return names[0]
    return say("{some} and {last}", some=", ".join(names[:-1]), last=names[-1])


def _to_do_first(said: Sequence[Said]) -> Iterator[LadderStep]:
    for _, effect in said:
        if effect.first:
            yield LadderStep(do=citing(effect.first, effect.evidence))


def _ladder(
    rungs: Sequence[str], equals: Sequence[str], answers: Answers, say: Language
) -> Iterator[LadderStep]:
    """Usable methods up to the recommended one and its equals, cheapest first."""
    if answers.current_score is not None and len(rungs) > 1:
        # The plain prompt is measured already.
        rungs = [rung for rung in rungs if rung != REFERENCE]
    for place, rung in enumerate(rungs):
        above = rungs[place + 1] if place + 1 < len(rungs) else None
        before = [name for name in rungs[:place] if name in equals] if rung in equals else []
        yield LadderStep(
            do=say("Run {method}.", method=rung),
            method=rung,
            measure=_measure(before, say),
            stop_when=_goal(answers, say),
            otherwise=say("climb to {method}", method=above)
            if above
            else say("collect labels for what fails, or change the goal or the base model"),
        )


def _measure(equals: Sequence[str], say: Language) -> str:
    """What to measure on a rung, beside its equals that were measured before."""
    score = say("score on the eval set with its interval, cost per query, latency")
    if not equals:
        return score
    beside = say("paired difference from {methods}", methods=_listed(equals, say))
    return f"{score}, {beside}"


def _goal(answers: Answers, say: Language) -> str:
    if answers.target_score is None:
        return say("the score is good enough")
    return say("the score is {target} or more", target=f"{answers.target_score:g}")


def _rungs(chart: Flowchart, order: Sequence[Place], equals: Sequence[str]) -> list[str]:
    """A method that is cheaper but weaker than one already on the ladder is no rung of it."""
    usable = {place.method: place.strength for place in order if not place.blocked}
    rungs, best = [], None
    for name in chart.methods:
        if name not in usable:
            continue
        if name == REFERENCE or name in equals or best is None or usable[name] > best:
            rungs.append(name)
            best = usable[name] if best is None else max(best, usable[name])
    return rungs


def _candidates(chart: Flowchart, order: Sequence[Place]) -> tuple[str, ...]:
    """The reference, then the strongest usable methods, in the chart's order."""
    usable = [place.method for place in order if not place.blocked and place.method != REFERENCE]
    kept = {REFERENCE, *usable[: _MOST_CANDIDATES - 1]}
    return tuple(name for name in chart.methods if name in kept)
