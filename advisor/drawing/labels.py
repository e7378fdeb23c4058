"""Texts of a chart made fit for a drawing: printable, of bounded length, broken into lines."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

# What XML 1.0 forbids (section 2.2) or a terminal would obey; white space is gone by then.
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_NARROW = frozenset(" !'(),-./:;IJ[\\]fijlrt|\xad")
_BROAD, _BROADEST = frozenset("CDGHMNOQUw&#+<=>^~"), frozenset("mW@%")
_BOLDER = 1.18
# No line begins with these, and none ends with those: JIS X 4051, the usual cases.
_NOT_FIRST = frozenset(
    "、。，．・：；？！）」』】〉》〕］｝ー々…ぁぃぅぇぉっゃゅょァィゥェォッャュョ"
)
_NOT_LAST = frozenset("（「『【〈《〔［｛")


class Font(NamedTuple):
    """How a text is set.

    Attributes:
        size: of the font, in px.
        bold: whether it is bold.
    """

    size: float
    bold: bool = False

    @property
    def line(self) -> int:
        """Height of a line, in px."""
        return round(1.4 * self.size)


def plain(text: str) -> str:
    """The text on one line; what cannot be printed becomes U+FFFD."""
    return _UNPRINTABLE.sub("\ufffd", " ".join(text.split()))


def shortened(text: str, most: int) -> str:
    """The text on one line, of no more characters than that; an ellipsis says what was cut."""
    line = plain(text)
    if len(line) <= most:
        return line
    cut = line[: most - 1]
    words_end = cut.rfind(" ")
    return f"{cut[:words_end] if words_end > most // 2 else cut}…"


def text_width(text: str, font: Font) -> float:
    """A width in px that the text stays below, whichever usual font a viewer has.

    Letters of ASCII and accented ones are taken as wide as the widest of their group in DejaVu
    Sans, the widest of the usual fonts; Chinese, Japanese and Korean ones fill their square.
    """
    return sum(map(_em, text)) * font.size * (_BOLDER if font.bold else 1)


@lru_cache(maxsize=4096)
def _em(char: str) -> float:
    """Width of a character in font sizes."""
    if char in _NARROW:
        return 0.42
    if unicodedata.category(char) in ("Mn", "Me", "Cf"):
        return 0
    if _is_square(char):
        return 1 if char < "\U0001f000" else 1.4  # beyond are emoji
    base = unicodedata.normalize("NFD", char)[0]
    if base > "~":
        return 1.05 if base.islower() else 1.25
    if base in _BROAD:
        return 0.87
    return 1 if base in _BROADEST else 0.7


def _is_square(char: str) -> bool:
    return unicodedata.east_asian_width(char) in "WF"


def wrapped(text: str, width: float, measure: Callable[[str], float]) -> list[str]:
    """The text in lines of no more than that width; none is empty.

    A line breaks at a space or beside a Chinese, Japanese or Korean character, and anywhere in a
    word that is wider than a line.

    Args:
        text: white space in it is one space.
        width: in the unit of the measure; a character that is wider has a line of its own.
        measure: gives the width of a text.
    """
    lines: list[str] = []
    for piece in _pieces(plain(text)):
        if lines and measure(f"{lines[-1]}{piece}".rstrip()) <= width:
            lines[-1] += piece
        else:
            lines.extend(_cut(piece, width, measure))
    return [line.rstrip() for line in lines]


def _pieces(text: str) -> Iterator[str]:
    """What no line break should part, with the space behind it."""
    piece = ""
    for before, here in pairwise(f" {text}"):
        if piece and _may_break(before, here):
            yield piece
            piece = ""
        piece += here
    if piece:
        yield piece


def _may_break(before: str, here: str) -> bool:
    if here == " " or here in _NOT_FIRST or before in _NOT_LAST or _em(here) == 0:
        return False
    return before == " " or _is_square(before) or _is_square(here)


def _cut(piece: str, width: float, measure: Callable[[str], float]) -> Iterator[str]:
    """A piece in parts that fit."""
    part = ""
    for char in piece:
        if part and char != " " and measure(part + char) > width:
            yield part
            part = ""
        part += char
    yield part
