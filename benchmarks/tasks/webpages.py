"""Reads a web page as text: blocks by heading, without scripts, styles and markup."""

from __future__ import annotations

import re
from html.parser import HTMLParser

_HIDDEN = frozenset({"script", "style", "template", "noscript", "svg", "math"})
_HEADINGS = {"h1": 1, "h2": 2}
# These begin a new line; everything else stands within one.
_BLOCKS = frozenset(
    tag
    for line in (
        "address article aside blockquote body br caption dd details div dl dt fieldset",
        "figcaption figure footer form h3 h4 h5 h6 header hr html legend li main nav ol option",
        "p pre section summary table tbody tfoot thead title tr ul",
    )
    for tag in line.split()
)
_CELLS = frozenset({"td", "th"})
# A line break belongs to the heading that it stands in.
_ENDS_HEADINGS = (_BLOCKS | _HEADINGS.keys() | {"body"}) - {"br"}
# The parser itself reads these to their end, so that text behind one left open cannot be found.
_RAW = frozenset({"script", "style"})


class _Page(HTMLParser):
    """The title of a page, and its blocks as (level, heading, lines); level 0 has no heading."""

    def __init__(self, hidden: frozenset[str]) -> None:
        super().__init__(convert_charrefs=True)
        # Elements whose text is not shown, and those among them that are open now.
        self._hides = hidden
        self.open_hidden: list[str] = []
        self.title = ""
        self.blocks: list[tuple[int, str, list[str]]] = [(0, "", [""])]
        self._preformatted = 0
        self._heading: tuple[str, list[str]] | None = None
        self._in_title = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        # A title, or a heading with text in it, ends at the latest where another block begins.
        if tag in _ENDS_HEADINGS:
            self._in_title = False
            if self._heading is not None and "".join(self._heading[1]).strip():
                self._end_heading()
        if tag in self._hides:
            self.open_hidden.append(tag)
        elif tag == "title":
            self._in_title = not self.title
        elif tag in _HEADINGS:
            self._end_heading()
            self._heading = (tag, [])
        elif tag == "pre":
            self._preformatted += 1
        if tag in _BLOCKS:
            self._line()
        if tag == "li":
            self._add("- ")
        elif tag in _CELLS:
            self._add(" ")

    def handle_endtag(self, tag: str) -> None:
        if tag in self.open_hidden:
            # What was opened inside it and not closed ends with it.
            while self.open_hidden.pop() != tag:
                pass
        elif tag == "title":
            self._in_title = False
        elif tag in _HEADINGS:
            self._end_heading()
        elif tag == "pre":
            self._preformatted = max(0, self._preformatted - 1)
        if tag in _BLOCKS:
            self._line()

    def handle_data(self, data: str) -> None:
        if self.open_hidden:
            return
        if self._in_title:
            self.title += data
        elif self._preformatted and self._heading is None:
            first, *more = data.split("\n")
            self._add(first)
            for line in more:
                self._line(keep=True)
                self._add(line)
        else:
            self._add(re.sub(r"\s+", " ", data))

    def close(self) -> None:
        super().close()
        if self._heading is not None:
            # It was never closed, so what stands in it is text as far as anyone can tell.
            self.blocks.append((0, "", ["".join(self._heading[1])]))
            self._heading = None

    def _add(self, text: str) -> None:
        if self._heading is not None:
            self._heading[1].append(text)
        else:
            self.blocks[-1][2][-1] += text

    def _line(self, *, keep: bool = False) -> None:
        if self._heading is not None:
            self._heading[1].append(" ")
            return
        lines = self.blocks[-1][2]
        if keep or lines[-1].strip():
            lines.append("")

    def _end_heading(self) -> None:
        if self._heading is not None:
            tag, parts = self._heading
            self._heading = None
            self.blocks.append((_HEADINGS[tag], " ".join("".join(parts).split()), [""]))


def _read(text: str, hidden: frozenset[str]) -> _Page:
    page = _Page(hidden)
    page.feed(text)
    page.close()
    return page


def html_blocks(text: str) -> tuple[str, list[tuple[int, str, str]]]:
    """The title of a page, and (level, heading, text) for each of its first two heading levels.

    Text before the first heading has level 0 and no heading.

    Raises:
        ValueError: it cannot be read as HTML.
    """
    try:
        page = _read(text, _HIDDEN)
        if left_open := frozenset(page.open_hidden) - _RAW:
            # It would hide the rest of the page.
            page = _read(text, _HIDDEN - left_open)
    except AssertionError as error:  # what html.parser raises for a broken declaration
        raise ValueError(str(error)) from None
    blocks = [
        (level, heading, "\n".join(line.rstrip() for line in lines).strip())
        for level, heading, lines in page.blocks
    ]
    return " ".join(page.title.split()), blocks
