"""How methods score on parts of the test items, and where that sets them apart."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from benchmarks.pairing import ScoreTable, differences_on_parts, side_of
from benchmarks.results import Difference, Slice

MOST_SLICES = 12
"""So many slices of a kind are shown, those with most items."""
LEAST_ITEMS = 10
"""On fewer items nothing is tested."""
RIGHT_ANSWER = "right answer"
WITHOUT = "–"
"""Stands for items that have no value where others have one."""


def slices_of(
    table: ScoreTable, differences: Sequence[Difference], *, by_answer: bool
) -> tuple[tuple[Slice, ...], dict[str, int]]:
    """The slices of a run, and how many smaller ones of each kind are left out.

    Args:
        table: item scores of the run.
        differences: on all items; pairs of methods that are separated there are tested on slices.
        by_answer: whether the right answer tells items apart, as in a classification.
    """
    plain = table.item_by_item()
    kinds = _kinds(plain, by_answer=by_answer)
    shown = [
        (by, value, ids) for by, values in kinds.items() for value, ids in values[:MOST_SLICES]
    ]
    sides = [{name: side_of(plain, name, ids, []) for name in plain.complete} for *_, ids in shown]
    methods = [name for name in plain.complete if not plain.is_floor(name)]
    tested = [number for number, (*_, ids) in enumerate(shown) if len(ids) >= LEAST_ITEMS]
    pairs = [(d.a, d.b) for d in differences if d.family == "methods" and d.separated]
    found: dict[int, list[Difference]] = defaultdict(list)
    parts = [{name: sides[number][name] for name in methods} for number in tested]
    for place, difference in differences_on_parts(parts, pairs):
        found[tested[place]].append(difference)
    slices = tuple(
        Slice(
            by=by,
            value=value,
            items=len(ids),
            scores={name: side.outcomes.score for name, side in sides[number].items()},
            differences=tuple(found[number]),
        )
        for number, (by, value, ids) in enumerate(shown)
    )
    return slices, {
        by: len(values) - MOST_SLICES for by, values in kinds.items() if len(values) > MOST_SLICES
    }


def _kinds(table: ScoreTable, *, by_answer: bool) -> dict[str, list[tuple[str, list[str]]]]:
    """What tells items apart, to its values and their items, those with most items first."""
    kinds: dict[str, dict[str, list[str]]] = {}
    named = dict.fromkeys(by for item in table.ids for by in table.slices[item])
    for by in named:
        kinds[by] = defaultdict(list)
        for item in table.ids:
            kinds[by][table.slices[item].get(by, WITHOUT)].append(item)
    if by_answer and RIGHT_ANSWER not in kinds:
        kinds[RIGHT_ANSWER] = defaultdict(list)
        for item in table.ids:
            kinds[RIGHT_ANSWER][table.references[item]].append(item)
    return {
        by: sorted(values.items(), key=lambda entry: (-len(entry[1]), entry[0]))
        for by, values in kinds.items()
        if len(values) > 1
    }
