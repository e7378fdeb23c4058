"""What a walk through the flowchart says of each method, and the outcome that follows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from advisor.flowchart import Effect, Flowchart, Step, Verdict, facts_of
from advisor.questionnaire import Answers

REFERENCE = "zero-shot"


class Said(NamedTuple):
    """An effect, and the node where it was said."""

    node: str
    effect: Effect


class Place(NamedTuple):
    """A method with the sum of its strengths, and whether anything blocks it."""

    method: str
    strength: int
    blocked: bool


def said_on(steps: Iterable[Step]) -> list[Said]:
    """All that is said on a walk, in its order."""
    return [Said(step.node.id, effect) for step in steps for effect in step.effects]


def places(chart: Flowchart, said: Sequence[Said]) -> list[Place]:
    """Usable methods first, by strength; equals in the chart's order, cheapest first."""
    strength = dict.fromkeys(chart.methods, 0)
    blocked: set[str] = set()
    for _, effect in said:
        for name in effect.for_ or ():
            strength[name] += effect.strength
        for name in effect.against or ():
            strength[name] -= effect.strength
        blocked.update(effect.block or ())
    found = (Place(name, strength[name], name in blocked) for name in chart.methods)
    return ordered(found)


def ordered(found: Iterable[Place]) -> list[Place]:
    """Usable methods first, by strength; equals as they come."""
    return sorted(found, key=lambda place: (place.blocked, -place.strength))


def tied(ranked: Sequence[Place], said: Sequence[Said]) -> tuple[str, ...]:
    """The usable methods that are as strong as the first, the first among them.

    A method for which nothing speaks is nobody's equal. Empty where the first has no equal.
    """
    first = ranked[0]
    favoured = {name for one in said for name in one.effect.for_ or ()}
    equals = [
        place.method
        for place in ranked[1:]
        if not place.blocked and place.strength == first.strength and place.method in favoured
    ]
    return (first.method, *equals) if equals and not first.blocked else ()


def verdict_of(said: Sequence[Said], ranked: Sequence[Place]) -> Verdict:
    """The kind of outcome: what the chart says first, else whether any method can be used.

    No method gets there where the plain prompt is still the best although more speaks against it
    than for it.
    """
    for _, effect in said:
        if effect.verdict is not None:
            return effect.verdict
    first = ranked[0]
    if first.blocked:
        return "no_method_fits"
    beaten = first.method == REFERENCE and first.strength < 0
    return "no_method_reaches" if beaten else "adapt"


def outcome(answers: Answers, chart: Flowchart) -> str:
    """The first method, or the verdict where the walk ends in another one."""
    facts = facts_of(answers)
    # As `walk` has it, but for what moves no method: this is asked for hundreds of times.
    said = [
        Said(node.id, effect)
        for node, branch in chart.ways(facts)
        for effect in (*branch.effects, *node.effects)
        if (effect.methods or effect.verdict) and effect.said(facts)
    ]
    ranked = places(chart, said)
    verdict = verdict_of(said, ranked)
    return ranked[0].method if verdict == "adapt" else verdict.replace("_", " ")
