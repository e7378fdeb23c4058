"""All that a flowchart can say: every cell of its conditions, node by node.

A cell is a set of facts between which no condition of the chart tells. A node is entered with
every combination of the facts that it looks at. Facts that are ``shared`` are alike in all nodes;
every other one may be anything wherever it is looked at, which makes more combinations than there
are, never fewer.
"""

from __future__ import annotations

from itertools import product
from typing import Any, NamedTuple

from advisor.flowchart import END, Effect, Flowchart, Node
from advisor.questionnaire import allowed, questions, takes_many
from advisor.ranking import Place, Said, ordered, places, verdict_of

Cell = dict[str, Any]


class Way(NamedTuple):
    """What a node says in some cell, and where it leads."""

    onward: str
    strengths: tuple[int, ...]
    blocked: frozenset[str]
    verdict: str | None


class End(NamedTuple):
    """What a whole walk has said."""

    strengths: tuple[int, ...]
    blocked: frozenset[str]
    verdict: str | None

    def ranked(self, chart: Flowchart) -> list[Place]:
        """Methods in their places, as a recommendation has them."""
        return ordered(
            Place(name, strength, name in self.blocked)
            for name, strength in zip(chart.methods, self.strengths, strict=True)
        )

    def first(self, chart: Flowchart) -> str:
        """The first method, or the verdict."""
        ranked = self.ranked(chart)
        verdict = self.verdict or verdict_of((), ranked)
        return ranked[0].method if verdict == "adapt" else verdict


def values(chart: Flowchart, fact: str) -> list[Any]:
    """One value of each cell of a fact, None for 'not known' among them."""
    field = questions().get(fact)
    parts = [part for part in chart.comparisons() if fact in part.names()]
    if field is not None and takes_many(field):
        named = sorted({part.contains for part in parts if part.contains})
        chosen = product(*((False, True) for _ in named))
        members = [tuple(n for n, on in zip(named, one, strict=True) if on) for one in chosen]
        other = [(name,) for name in allowed(field) if name not in named][:1]
        return [None, *members, *other]
    if field is not None and allowed(field):
        return [None, *allowed(field)]
    limits = {t for part in parts for t in (part.below, part.at_least) if t is not None}
    if any(part.at_least_answer for part in parts):
        limits |= {0.5}
    return [None, *sorted({v for t in limits for v in (t, 0.9 * t if t > 1 else t - 0.1)})]


def ways(chart: Flowchart, node: Node, shared: Cell) -> set[Way]:
    """All that a node can say, and lead to, where the shared facts are as they are."""
    known = _Settled(shared)
    found: set[Way] = set()
    for branch in node.branches:
        possible = branch.when.possible(known, known.lacks) if branch.when else frozenset((True,))
        if True in possible:
            effects = (*branch.effects, *node.effects)
            said = (_sayings(effect, known) for effect in effects)
            found |= {_way(chart, branch.next, one) for one in set(product(*said))}
        if possible == {True}:
            break
    return found


class _Settled(dict[str, Any]):
    """Shared facts; every other one may be anything."""

    def lacks(self, fact: str) -> bool:
        return fact not in self


def _sayings(effect: Effect, known: _Settled) -> list[Effect | None]:
    """The effect where it may be said, and None where it may not."""
    if not (effect.methods or effect.verdict):
        return [None]
    possible = effect.when.possible(known, known.lacks) if effect.when else {True}
    may = [effect] if True in possible else []
    return [*may, None] if possible - {True} or not may else list(may)


def _way(chart: Flowchart, onward: str, said: tuple[Effect | None, ...]) -> Way:
    effects = [Said("", effect) for effect in said if effect is not None]
    found = {place.method: place for place in places(chart, effects)}
    return Way(
        onward=onward,
        strengths=tuple(found[name].strength for name in chart.methods),
        blocked=frozenset(name for name in chart.methods if found[name].blocked),
        verdict=next((effect.verdict for _, effect in effects if effect.verdict), None),
    )


def ends(chart: Flowchart, shared: Cell) -> set[End]:
    """All that a walk can end in, where the shared facts are as they are."""
    nodes = {node.id: node for node in chart.nodes}
    nothing = End((0,) * len(chart.methods), frozenset(), None)
    at: dict[str, set[End]] = {chart.start: {nothing}}
    # The nodes stand in an order in which each leads to later ones alone.
    for node in chart.nodes:
        reached = at.pop(node.id, set())
        if not reached:
            continue
        for way in ways(chart, nodes[node.id], shared):
            at.setdefault(way.onward, set()).update(_joined(end, way) for end in reached)
    return at[END]


def _joined(end: End, way: Way) -> End:
    return End(
        tuple(a + b for a, b in zip(end.strengths, way.strengths, strict=True)),
        end.blocked | way.blocked,
        end.verdict or way.verdict,
    )
