"""The flowchart as an SVG that stands alone: no script, no font, no other file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape

from advisor.drawing.cards import Box, Card, Text
from advisor.drawing.effects import HOW_TO_READ, in_full
from advisor.drawing.labels import plain, shortened
from advisor.drawing.layout import Layout, Point, lay_out
from advisor.drawing.order import layers, numbers, taken
from advisor.flowchart import END, Flowchart, Node, Step
from advisor.language import ENGLISH, Language

_FONTS = (
    "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', 'Noto Sans', "
    "'Hiragino Sans', 'Yu Gothic', 'Noto Sans CJK JP', 'DejaVu Sans', sans-serif"
)
# Texts have a contrast of 7 to 1 and more with what is below them, lines of 4 to 1.
_INK, _LINE, _RULE, _TINT = "#1f2933", "#6b7785", "#dde2e8", "#eef2f7"
_LIT, _LIT_TINT = "#b45309", "#fff3d6"
_RADIUS, _ARROW = 8, 9
_TITLE = "Decision flowchart"


def draw(chart: Flowchart, steps: Sequence[Step] = (), say: Language = ENGLISH) -> str:
    """The SVG, the same text for the same chart, steps and language.

    Each node and branch has a tooltip with all that is said there, and ids in ``data-`` names.

    Args:
        chart: a checked flowchart.
        steps: a walk through it, which is lit.
        say: the language of what is added to the chart's own texts.
    """
    return "\n".join(_lines(chart, steps, say)) + "\n"


def _lines(chart: Flowchart, steps: Sequence[Step], say: Language) -> Iterator[str]:
    ways = taken(steps)
    notes = [say(line) for line in HOW_TO_READ]
    if steps:
        notes.append(say("The thick coloured line is the way of the given answers."))
    layout = lay_out(chart, say(_TITLE), notes, say)
    yield _start(layout, say)
    yield f'<title id="flowchart-title">{say(_TITLE)}</title>'
    yield f'<desc id="flowchart-desc">{_escaped(_description(chart, steps, say))}</desc>'
    yield f'<rect width="{layout.width:g}" height="{layout.height:g}" fill="#ffffff"/>'
    yield from _texts(layout.heading)
    for node in chart.nodes:
        yield from _card(node, layout.cards[node.id], ways.get(node.id), say)
    yield from _end(layout.cards[END], lit=bool(steps))
    yield from _edges(chart, layout, ways)
    yield "</svg>"


def _start(layout: Layout, say: Language) -> str:
    width, height = f"{layout.width:g}", f"{layout.height:g}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" role="img" font-family="{_FONTS}" fill="{_INK}" '
        f'xml:lang="{say.code}" aria-labelledby="flowchart-title flowchart-desc">'
    )


def _description(chart: Flowchart, steps: Sequence[Step], say: Language) -> str:
    """The chart for those who cannot see it."""
    names = numbers(chart, say)
    if steps:
        way = (f"{names[s.node.id]}. {s.node.question} {s.branch.label}" for s in steps)
        return say("The way of the given answers: {way}; advice.", way="; ".join(way))
    questions = (f"{names[node.id]}. {node.question}" for layer in layers(chart) for node in layer)
    return say("Questions that lead to advice: {questions}", questions="; ".join(questions))


# ---------------------------------------------------------------- cards


def _card(node: Node, card: Card, way: int | None, say: Language) -> Iterator[str]:
    lit = way is not None
    box, heading = card.box, card.heading
    yield f'<g class="node{_class(lit)}" data-node="{node.id}">'
    yield _tooltip([node.question, *(in_full(effect, say) for effect in node.effects)])
    yield _rounded(box, "#ffffff", "none")
    yield f'<path d="{_tab(heading.box)}" fill="{_LIT_TINT if lit else _TINT}"/>'
    yield from _texts(heading.texts)
    for place, branch in enumerate(node.branches):
        tooltip = _tooltip([branch.label, *(in_full(effect, say) for effect in branch.effects)])
        yield from _row(tooltip, card, place, lit=place == way)
    if card.footing:
        yield _rule(box, card.rows[-1].box.bottom)
        yield from _texts(card.footing)
    yield _rounded(box, "none", _LIT if lit else _LINE, 2.5 if lit else 1)
    yield "</g>"


def _row(tooltip: str, card: Card, place: int, *, lit: bool) -> Iterator[str]:
    box, texts = card.rows[place]
    yield f'<g class="branch{_class(lit)}" data-branch="{place}">'
    yield tooltip
    yield _rule(card.box, box.y)
    if lit:
        size = f'x="{box.x:g}" y="{box.y:g}" width="{box.width:g}" height="{box.height:g}"'
        yield f'<rect {size} fill="{_LIT_TINT}"/>'
        yield f'<path d="{_arrow((box.x + 22, box.middle[1]), 1, 0)}" fill="{_LIT}"/>'
    yield from _texts(texts)
    yield "</g>"


def _end(card: Card, *, lit: bool) -> Iterator[str]:
    yield f'<g class="node{_class(lit)}" data-node="{END}">'
    fill, line = (_LIT_TINT, _LIT) if lit else (_TINT, _LINE)
    yield _rounded(card.box, fill, line, 2.5 if lit else 1)
    yield from _texts(card.heading.texts)
    yield "</g>"


# ---------------------------------------------------------------- lines


def _edges(chart: Flowchart, layout: Layout, ways: Mapping[str, int]) -> Iterator[str]:
    """The lines of all branches; those that are lit lie on top."""
    edges = [(node, place) for node in chart.nodes for place in range(len(node.branches))]
    for node, place in sorted(edges, key=lambda edge: ways.get(edge[0].id) == edge[1]):
        lit = ways.get(node.id) == place
        *points, (x, tip) = layout.routes[node.id, place]
        line = _rounded_line([*points, (x, tip - _ARROW)])
        colour = _LIT if lit else _LINE
        yield (
            f'<g class="edge{_class(lit)}" data-from="{node.id}" data-branch="{place}" '
            f'data-to="{node.branches[place].next}">'
        )
        yield (
            f'<path d="{line}" fill="none" stroke="{colour}" stroke-width="{4 if lit else 1.5}"/>'
        )
        yield f'<path d="{_arrow((x, tip), 0, 1)}" fill="{colour}"/>'
        yield "</g>"


def _rounded_line(points: Sequence[Point]) -> str:
    """The path along these points: round corners tell a line that turns from one that crosses."""
    path = [f"M{points[0][0]:g},{points[0][1]:g}"]
    for before, here, after in zip(points, points[1:], points[2:], strict=False):
        (ax, ay), (bx, by) = _towards(here, before), _towards(here, after)
        path.append(f"L{ax:g},{ay:g} Q{here[0]:g},{here[1]:g} {bx:g},{by:g}")
    return " ".join([*path, f"L{points[-1][0]:g},{points[-1][1]:g}"])


def _towards(here: Point, there: Point) -> Point:
    """Where the corner here begins, at most halfway there; one of the two coordinates is shared."""
    right, down = there[0] - here[0], there[1] - here[1]
    share = min(_RADIUS / (abs(right) + abs(down)), 0.5)
    return here[0] + share * right, here[1] + share * down


def _arrow(tip: Point, right: int, down: int) -> str:
    """The path of an arrowhead that points right or down."""
    (x, y), half = tip, _ARROW * 0.6
    back_x, back_y = x - right * _ARROW, y - down * _ARROW
    return (
        f"M{x:g},{y:g} L{back_x + down * half:g},{back_y + right * half:g} "
        f"L{back_x - down * half:g},{back_y - right * half:g} Z"
    )


def _tab(box: Box) -> str:
    """The path of a box of which the upper corners are round."""
    r = _RADIUS
    return (
        f"M{box.x:g},{box.bottom:g} V{box.y + r:g} a{r},{r} 0 0 1 {r},{-r} "
        f"H{box.right - r:g} a{r},{r} 0 0 1 {r},{r} V{box.bottom:g} Z"
    )


def _rounded(box: Box, fill: str, stroke: str, thick: float = 1) -> str:
    return (
        f'<rect x="{box.x:g}" y="{box.y:g}" width="{box.width:g}" height="{box.height:g}" '
        f'rx="{_RADIUS}" fill="{fill}" stroke="{stroke}" stroke-width="{thick:g}"/>'
    )


def _rule(box: Box, y: float) -> str:
    """A thin line across a card."""
    return f'<path d="M{box.x:g},{y:g} H{box.right:g}" stroke="{_RULE}"/>'


# ---------------------------------------------------------------- texts


def _texts(texts: Iterable[Text]) -> Iterator[str]:
    for text in texts:
        bold = ' font-weight="bold"' if text.font.bold else ""
        yield (
            f'<text x="{text.x:g}" y="{text.y:g}" font-size="{text.font.size:g}"{bold}>'
            f"{escape(text.text)}</text>"
        )


def _tooltip(paragraphs: Iterable[str]) -> str:
    return f"<title>{'&#10;'.join(escape(shortened(text, 600)) for text in paragraphs)}</title>"


def _escaped(text: str) -> str:
    return escape(plain(text))


def _class(lit: bool) -> str:
    return " lit" if lit else ""
