"""What a report is made of. No block holds markup: a renderer escapes every piece of text."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Code:
    """Text to show letter by letter: model output, names, hashes."""

    text: str


@dataclass(frozen=True)
class Strong:
    """Text that stands out."""

    text: str


Inline = str | Code | Strong
Text = Sequence[Inline] | Inline


@dataclass(frozen=True)
class Heading:
    """A heading; level 1 is the title."""

    level: int
    text: str


@dataclass(frozen=True)
class Paragraph:
    """A paragraph."""

    text: Text


@dataclass(frozen=True)
class Bullets:
    """A list; ordered when the order says something."""

    items: Sequence[Text]
    ordered: bool = False


@dataclass(frozen=True)
class Table:
    """A table; the first column is text, the others are figures when `figures` is set."""

    head: Sequence[str]
    rows: Sequence[Sequence[Text]]
    figures: bool = False


@dataclass(frozen=True)
class Figure:
    """A drawn figure by its name."""

    name: str
    caption: str


@dataclass(frozen=True)
class Fence:
    """A block of text kept line by line."""

    text: str
    language: str = ""


Block = Heading | Paragraph | Bullets | Table | Figure | Fence


def inlines(text: Text) -> tuple[Inline, ...]:
    """The pieces of a text."""
    return (text,) if isinstance(text, str | Code | Strong) else tuple(text)


def visible(text: str, *, keep_lines: bool = False) -> str:
    r"""Text in which nothing is invisible or moves the cursor.

    Line breaks become ⏎ unless kept. Control, format (such as text direction), surrogate and
    private characters become their code point, ``\x1b`` or ``\u202e``.
    """
    text = text.replace("\r\n", "\n")
    return "".join(_visible(character, keep_lines) for character in text)


def _visible(character: str, keep_lines: bool) -> str:
    if character == "\n":
        return "\n" if keep_lines else "⏎"
    if character == "\t":
        return "    " if keep_lines else " "
    if unicodedata.category(character) in {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}:
        return character.encode("unicode_escape", "surrogatepass").decode()
    return character


def excerpt(text: str, length: int) -> str:
    """The beginning of a text, with … where it was cut."""
    text = text.strip()
    return text if len(text) <= length else text[: length - 1].rstrip() + "…"
