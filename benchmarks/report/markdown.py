"""A report as GitHub-flavoured Markdown."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import singledispatch

from benchmarks.report.document import (
    Block,
    Bullets,
    Code,
    Fence,
    Figure,
    Heading,
    Paragraph,
    Strong,
    Table,
    Text,
    inlines,
    visible,
)

_SPECIAL = re.compile(
    r"[&<>|`\\*~\[\]$@#]|(?<![^\W_])_|_(?![^\W_])|(?<=:)/(?=/)|(?<=www)\.", re.IGNORECASE
)
"""What Markdown, its tables or GitHub could read as markup: also math, mentions, bare links."""
_BLOCK_START = re.compile(r"\s*(?:[-+=]|\d+(?=[.)]))")
"""What makes a line a list or the underline of a heading."""
_NAMED = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def markdown_text(blocks: Sequence[Block], figures_folder: str) -> str:
    """The Markdown of a report; its figures are links into a folder beside it."""
    parts = [
        f"![{block.name}]({figures_folder}/{block.name}.svg)\n\n{escape(block.caption)}"
        if isinstance(block, Figure)
        else _markdown(block)
        for block in blocks
    ]
    return "\n\n".join(parts) + "\n"


def escape(text: str) -> str:
    """One line of Markdown that shows exactly this text.

    Character references are used, not backslashes: every renderer reads them the same inside
    tables, and they cannot be undone by a backslash in the text.
    """
    return _SPECIAL.sub(_references, visible(text))


def _references(match: re.Match[str]) -> str:
    return "".join(_NAMED.get(character, f"&#{ord(character)};") for character in match.group())


def _line(text: Text) -> str:
    """A text that begins a line, which must not begin a list or underline a heading."""
    written = _text(text)
    start = _BLOCK_START.match(written)
    return _references(start) + written[start.end() :] if start else written


def _text(text: Text) -> str:
    return "".join(
        f"<code>{escape(piece.text)}</code>"
        if isinstance(piece, Code)
        else f"**{escape(piece.text)}**"
        if isinstance(piece, Strong)
        else escape(piece)
        for piece in inlines(text)
    )


@singledispatch
def _markdown(block: Block) -> str:
    raise TypeError(f"no Markdown for {type(block).__name__}")


@_markdown.register
def _(block: Heading) -> str:
    return f"{'#' * block.level} {escape(block.text)}"


@_markdown.register
def _(block: Paragraph) -> str:
    return _line(block.text)


@_markdown.register
def _(block: Bullets) -> str:
    marks = [f"{place}." if block.ordered else "-" for place in range(1, len(block.items) + 1)]
    return "\n".join(f"{mark} {_line(item)}" for mark, item in zip(marks, block.items, strict=True))


@_markdown.register
def _(block: Table) -> str:
    right = "---:" if block.figures else "---"
    lines = [
        [escape(name) for name in block.head],
        ["---", *[right] * (len(block.head) - 1)],
        *([_text(cell) for cell in row] for row in block.rows),
    ]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


@_markdown.register
def _(block: Fence) -> str:
    text = visible(block.text, keep_lines=True)
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{block.language}\n{text}\n{fence}"
