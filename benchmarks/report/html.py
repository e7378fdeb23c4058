"""A report as one HTML page that loads nothing and runs nothing."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from functools import singledispatch
from html import escape as escape_html

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
from benchmarks.report.flowchart import flowchart_svg

_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
"""Should escaping ever fail, the browser still runs and loads nothing."""

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 1.5rem auto;
       padding: 0 1rem; color: #1a1a1a; background: #fff; overflow-wrap: break-word; }
h1 { font-size: 1.7rem; line-height: 1.25; margin: 0 0 .75rem; }
h2 { font-size: 1.3rem; margin: 2.2rem 0 .5rem; } h3 { font-size: 1.05rem; margin: 1.5rem 0 .4rem; }
h1 + h2 { margin-top: 1rem; }
p, ul, ol { max-width: 46rem; } ul, ol { padding-left: 1.4rem; }
.table { overflow-x: auto; margin: 1rem 0; }
table { border-collapse: collapse; font-size: .9375rem; }
th, td { border: 1px solid #ccc; padding: .25rem .6rem; text-align: left; vertical-align: top; }
th { background: #f5f5f5; }
table.figures td { white-space: nowrap; }
table.figures td + td, table.figures th + th { text-align: right; }
code { background: #f2f2f2; padding: 0 .2em; }
p code, li code { overflow-wrap: anywhere; }
pre { background: #f2f2f2; padding: .8rem; overflow-x: auto; }
figure { margin: 1.25rem 0; } figure img { width: 100%; max-width: 40rem; }
figure svg { max-width: 100%; height: auto; }
figcaption { color: #404040; font-size: .9rem; max-width: 46rem; }
@media (max-width: 40rem) {
  body { margin-top: 1rem; } h1 { font-size: 1.35rem; } h2 { font-size: 1.15rem; }
  table { font-size: .875rem; } th, td { padding: .25rem .4rem; }
  td { min-width: 3.5rem; } td:nth-child(n+3) { min-width: 7rem; }
  table.figures td, table.figures td:nth-child(n+3) { white-space: normal; min-width: 4.4rem; }
  table.figures td:nth-child(2) { min-width: 7.2rem; }
}
"""


def html_page(blocks: Sequence[Block], figures: Mapping[str, bytes]) -> str:
    """The page of a report, its SVG figures embedded."""
    title = next((block.text for block in blocks if isinstance(block, Heading)), "Report")
    body = "\n".join(
        _figure(block, figures[block.name]) if isinstance(block, Figure) else _html(block)
        for block in blocks
    )
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f"{body}\n</body>\n</html>\n"
    )


def escape(text: str) -> str:
    """One line of HTML that shows exactly this text."""
    return escape_html(visible(text))


def _text(text: Text) -> str:
    return "".join(
        f"<code>{escape(piece.text)}</code>"
        if isinstance(piece, Code)
        else f"<strong>{escape(piece.text)}</strong>"
        if isinstance(piece, Strong)
        else escape(piece)
        for piece in inlines(text)
    )


def _figure(block: Figure, svg: bytes) -> str:
    # An image cannot run scripts, inline SVG could.
    source = f"data:image/svg+xml;base64,{base64.b64encode(svg).decode()}"
    caption = escape(block.caption)
    return (
        f'<figure><img src="{source}" alt="{caption}"><figcaption>{caption}</figcaption></figure>'
    )


_WAY = "The way of the given answers through the flowchart is highlighted."
# With a tab index the box can be scrolled by keys.
_SCROLLS = '<div class="table" tabindex="0">'


@singledispatch
def _html(block: Block) -> str:
    raise TypeError(f"no HTML for {type(block).__name__}")


@_html.register
def _(block: Heading) -> str:
    return f"<h{block.level}>{escape(block.text)}</h{block.level}>"


@_html.register
def _(block: Paragraph) -> str:
    return f"<p>{_text(block.text)}</p>"


@_html.register
def _(block: Bullets) -> str:
    tag = "ol" if block.ordered else "ul"
    items = "".join(f"<li>{_text(item)}</li>" for item in block.items)
    return f"<{tag}>{items}</{tag}>"


@_html.register
def _(block: Table) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in block.head)
    rows = "\n".join(
        f"<tr>{''.join(f'<td>{_text(cell)}</td>' for cell in row)}</tr>" for row in block.rows
    )
    kind = ' class="figures"' if block.figures else ""
    table = f"<table{kind}><thead><tr>{head}</tr></thead>\n<tbody>{rows}</tbody></table>"
    # The box scrolls, not the page.
    return f"{_SCROLLS}{table}</div>"


@_html.register
def _(block: Fence) -> str:
    picture = flowchart_svg(block.text) if block.language == "mermaid" else None
    if picture is not None:
        return f"<figure>{picture}<figcaption>{_WAY}</figcaption></figure>"
    kind = f' class="{escape(block.language)}"' if block.language else ""
    return f"<pre{kind}>{escape_html(visible(block.text, keep_lines=True))}</pre>"
