"""Labels that are probably one label, written in several ways: told, and merged if wanted."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence

from benchmarks.tasks.normal_form import near_labels, spelt_out
from benchmarks.tasks.task import Item

# Line numbers shown for each label.
PLACES_SHOWN = 3

# What spreadsheets and data frames write for a value that is not there.
_MISSING_VALUES = frozenset({"nan", "null", "none", "n/a", "#n/a", "na", "<na>", "nat", "nil"})

Places = Mapping[str, Sequence[int]]


def label_notes(labels: Iterable[str], told: Callable[[str], str] = spelt_out) -> list[str]:
    """A note on labels that are probably one and count as several; [] when there are none.

    Args:
        labels: all labels.
        told: how the note names a label.
    """
    groups = [" and ".join(map(told, group)) for group in near_labels(labels)]
    reason = "differ only in case, spaces, Unicode form or number format, and count as different"
    return [f"labels that {reason}: {'; '.join(groups)}"] if groups else []


def doubtful_labels(items: Sequence[Item], spaced: Places, units: str) -> list[str]:
    """Notes on the labels of items that were read from a file.

    Args:
        items: their ids are line numbers.
        spaced: labels that some lines have with spaces around them, with those lines.
        units: what the numbers count, "lines" or "entries".
    """
    places = label_places(items)
    told = label_notes(places, lambda label: _told(label, places[label], units))
    around = [_told(label, lines, units) for label, lines in spaced.items()]
    if around:
        told.append(f"labels whose spaces around them do not count: {', '.join(around)}")
    odd = [
        _told(label, lines, units)
        for label, lines in places.items()
        if label.casefold() in _MISSING_VALUES
    ]
    if odd:
        told.append(f"labels that may stand for a missing value: {', '.join(odd)}")
    return told


def merged_labels(items: Sequence[Item], units: str) -> tuple[list[Item], list[str]]:
    """The items with each group of near labels made the one that most lines have, and notes."""
    places = label_places(items)
    kept_for: dict[str, str] = {}
    told = []
    for group in near_labels(places):
        kept = max(group, key=lambda label: len(places[label]))
        kept_for |= dict.fromkeys(group, kept)
        others = ", ".join(_told(label, places[label], units) for label in group if label != kept)
        told.append(f"merged into label {spelt_out(kept)}: {others}")
    merged = [
        item.model_copy(
            update={"outputs": tuple(dict.fromkeys(kept_for.get(x, x) for x in item.outputs))}
        )
        for item in items
    ]
    return merged, told


def label_places(items: Sequence[Item]) -> dict[str, list[int]]:
    """The lines of each label, in the order of their first line; ids are line numbers."""
    places: dict[str, list[int]] = defaultdict(list)
    for item in items:
        for output in item.outputs:
            places[output].append(int(item.id))
    return dict(places)


def _told(label: str, lines: Sequence[int], units: str) -> str:
    more = ", …" if len(lines) > PLACES_SHOWN else ""
    listed = ", ".join(map(str, lines[:PLACES_SHOWN])) + more
    return f"{spelt_out(label)} ({len(lines)} {units}: {listed})"
