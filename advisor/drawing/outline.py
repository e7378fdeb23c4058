"""The flowchart as an outline, for a terminal or a file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from rich.cells import cell_len

from advisor.drawing.effects import HOW_TO_READ, in_full
from advisor.drawing.labels import shortened, wrapped
from advisor.drawing.order import layers, numbers, taken
from advisor.flowchart import Effect, Flowchart, Node, Step
from advisor.language import ENGLISH, Language

_LIT = "▶"
_MOST_CHARACTERS = 300
_INDENT = 3


class Line(NamedTuple):
    """A line of the outline.

    Attributes:
        text: without its indent.
        depth: 0 a question, 1 a branch, 2 what is said there.
        lit: whether the answers lead here.
    """

    text: str
    depth: int = 0
    lit: bool = False


def outline(
    chart: Flowchart, steps: Sequence[Step] = (), say: Language = ENGLISH
) -> tuple[Line, ...]:
    """The lines of the chart: every question, its branches, and what is said there.

    Args:
        chart: a checked flowchart.
        steps: a walk through it, which is lit.
        say: the language of what is added to the chart's own texts.
    """
    return tuple(_lines(chart, steps, say))


def as_text(lines: Sequence[Line]) -> str:
    """The lines as plain text, with a mark before those that are lit."""
    return "".join(f"{row}\n" for row, _ in rows(lines))


def rows(lines: Sequence[Line], width: int | None = None) -> Iterator[tuple[str, bool]]:
    """The lines as they are printed, each with whether it is lit.

    Args:
        lines: of one outline.
        width: columns of the terminal, to fold long lines at their indent; None for no folding.
    """
    gutter = len(_LIT) + 1 if any(line.lit for line in lines) else 0
    for line in lines:
        before = gutter + _INDENT * line.depth
        texts = [line.text]
        if width is not None and line.text:
            texts = wrapped(line.text, max(width - before, 1), cell_len)
        for place, text in enumerate(texts):
            mark = _LIT if line.lit and place == 0 else ""
            yield f"{mark.ljust(before)}{text}".rstrip(), line.lit


def _lines(chart: Flowchart, steps: Sequence[Step], say: Language) -> Iterator[Line]:
    ways = taken(steps)
    said = {step.node.id: step.effects for step in steps}
    yield Line(say("Decision flowchart"))
    yield from (Line(say(line)) for line in HOW_TO_READ)
    if steps:
        marked = "{mark} marks the way of the given answers, and what is said on it."
        yield Line(say(marked, mark=_LIT))
    names = numbers(chart, say)
    for layer in layers(chart):
        for node in layer:
            yield Line("")
            yield from _node(node, names, ways.get(node.id), said.get(node.id, ()), say)
    yield from (Line(""), Line(say("Advice"), lit=bool(steps)))


def _node(
    node: Node, names: dict[str, str], way: int | None, said: Sequence[Effect], say: Language
) -> Iterator[Line]:
    heading = f"{names[node.id]}. {shortened(node.question, _MOST_CHARACTERS)}"
    yield Line(heading, 0, way is not None)
    for place, branch in enumerate(node.branches):
        label = shortened(branch.label, _MOST_CHARACTERS)
        yield Line(f"{label} → {names[branch.next]}", 1, place == way)
        for effect in branch.effects:
            yield Line(in_full(effect, say), 2, place == way and effect in said)
    if node.effects:
        yield Line(say("on every branch"), 1, any(effect in said for effect in node.effects))
        for effect in node.effects:
            yield Line(in_full(effect, say), 2, effect in said)
