"""The cards of a drawn flowchart: a question with a row for each of its branches."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import NamedTuple

from advisor.drawing.effects import in_brief, moves
from advisor.drawing.labels import Font, shortened, text_width, wrapped
from advisor.flowchart import Branch, Node
from advisor.language import ENGLISH, Language

QUESTION, LABEL, SAID = Font(15, bold=True), Font(13), Font(11)
_PAD = 14
# Room for the mark of a lit row, and for the name of the card that a row leads to.
_MARK, _NEXT = 14, 76
_ROW_PAD, _COLUMN_GAP, _LABEL_SHARE = 6, 20, 0.48
# Enough for any sentence that a card is to be read by.
_MOST_CHARACTERS = 300


class Box(NamedTuple):
    """A rectangle, in px from the top left."""

    x: float
    y: float
    width: float
    height: float

    @property
    def right(self) -> float:
        """Its right edge."""
        return self.x + self.width

    @property
    def bottom(self) -> float:
        """Its lower edge."""
        return self.y + self.height

    @property
    def middle(self) -> tuple[float, float]:
        """Its middle."""
        return self.x + self.width / 2, self.y + self.height / 2

    def moved(self, right: float, down: float) -> Box:
        """The same elsewhere."""
        return self._replace(x=self.x + right, y=self.y + down)


class Text(NamedTuple):
    """A line of text; x is its left edge and y its baseline, in px."""

    text: str
    x: float
    y: float
    font: Font

    def moved(self, right: float, down: float) -> Text:
        """The same elsewhere."""
        return self._replace(x=self.x + right, y=self.y + down)


class Row(NamedTuple):
    """A branch on a card, or the heading of the card."""

    box: Box
    texts: tuple[Text, ...]

    def moved(self, right: float, down: float) -> Row:
        """The same elsewhere."""
        texts = tuple(text.moved(right, down) for text in self.texts)
        return Row(self.box.moved(right, down), texts)


class Card(NamedTuple):
    """A node as it is drawn.

    Attributes:
        box: its edge.
        heading: its number and question.
        rows: one for each branch, in their order.
        footing: what is said on every branch; empty for nothing.
    """

    box: Box
    heading: Row
    rows: tuple[Row, ...] = ()
    footing: tuple[Text, ...] = ()

    def moved(self, right: float, down: float) -> Card:
        """The same elsewhere."""
        return Card(
            self.box.moved(right, down),
            self.heading.moved(right, down),
            tuple(row.moved(right, down) for row in self.rows),
            tuple(text.moved(right, down) for text in self.footing),
        )


def node_card(node: Node, names: Mapping[str, str], width: float, say: Language = ENGLISH) -> Card:
    """The card of a node, at the origin.

    Args:
        node: with a label, and what moves the advice, for each branch.
        names: what the nodes are called.
        width: of the card, in px.
        say: the language of what is added to the node's own texts.
    """
    inner = width - 2 * _PAD
    asked, down = block([f"{names[node.id]}. {node.question}"], (_PAD, _PAD), inner, QUESTION)
    heading = Row(Box(0, 0, width, down + _PAD / 2), asked)
    down = heading.box.bottom
    rows = []
    for branch in node.branches:
        rows.append(_row(branch, names[branch.next], down, width, say))
        down = rows[-1].box.bottom
    footing: tuple[Text, ...] = ()
    if said := [in_brief(effect, say) for effect in node.effects if moves(effect)]:
        lines = [say("On every branch:"), *said]
        footing, down = block(lines, (_PAD + _MARK, down + _ROW_PAD), inner - _MARK, SAID)
    return Card(Box(0, 0, width, down + _PAD / 2), heading, tuple(rows), footing)


def end_card(name: str, width: float) -> Card:
    """The card that all branches lead to in the end, at the origin."""
    texts, down = block([name], (_PAD, _PAD / 2), width - 2 * _PAD, QUESTION)
    box = Box(0, 0, width, down + _PAD / 2)
    return Card(box, Row(box, texts))


def _row(branch: Branch, leads_to: str, top: float, width: float, say: Language) -> Row:
    """Label, what is said, and where it leads, side by side."""
    said = [in_brief(effect, say) for effect in branch.effects if moves(effect)]
    left, right = _PAD + _MARK, width - _NEXT
    label_width = (right - left - _COLUMN_GAP) * (_LABEL_SHARE if said else 1)
    beside = left + label_width + _COLUMN_GAP
    label, label_height = block([branch.label], (left, 0), label_width, LABEL)
    saying, said_height = block(said, (beside, 0), right - beside, SAID)
    box = Box(0, top, width, max(label_height, said_height) + 2 * _ROW_PAD)
    middle = box.middle[1]
    texts = [text.moved(0, middle - label_height / 2) for text in label]
    texts += [text.moved(0, middle - said_height / 2) for text in saying]
    leading = Text(f"→ {leads_to}", right + 8, middle + SAID.size / 3, SAID)
    return Row(box, (*texts, leading))


def block(
    paragraphs: Iterable[str], at: tuple[float, float], width: float, font: Font
) -> tuple[tuple[Text, ...], float]:
    """Paragraphs in lines of that width from a top left corner, and where they end below."""
    x, top = at
    measure = partial(text_width, font=font)
    lines = [
        line
        for text in paragraphs
        for line in wrapped(shortened(text, _MOST_CHARACTERS), width, measure) or [""]
    ]
    texts = (Text(line, x, top + font.line * (n + 0.76), font) for n, line in enumerate(lines))
    return tuple(text for text in texts if text.text), top + font.line * len(lines)
