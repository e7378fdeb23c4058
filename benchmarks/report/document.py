"""What a report is made of. No block holds markup: a renderer escapes every piece of text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from strategies import visible as characters


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
    r"""Text in which nothing is invisible or moves the cursor: see `strategies.visible`.

    Line breaks become ⏎ and tabs a space, unless lines are kept.
    """
    broken, tab = ("\n", "    ") if keep_lines else ("⏎", " ")
    plain = characters.visible(text)
    return plain.replace("\n", broken).replace("\t", tab)


def excerpt(text: str, length: int) -> str:
    """The beginning of a text, with … where it was cut."""
    text = text.strip()
    return text if len(text) <= length else text[: length - 1].rstrip() + "…"
