"""Reports: a `Comparison` laid out as Markdown, HTML or JSON. Computes nothing."""

from __future__ import annotations

from typing import Literal

from benchmarks.results import Comparison

Format = Literal["md", "html", "json"]


def render(comparison: Comparison, form: Format, stem: str = "report") -> dict[str, bytes]:
    """The files of a report by relative name, the report itself first.

    The same comparison gives the same bytes.

    Args:
        comparison: what to lay out.
        form: ``md`` comes with SVG figures beside it; ``html`` and ``json`` are one file.
        stem: name of the report without its ending.
    """
    if form == "json":
        return {f"{stem}.json": (comparison.model_dump_json(indent=2) + "\n").encode()}
    from benchmarks.report.content import report_blocks
    from benchmarks.report.figures import draw_figures
    from benchmarks.report.html import html_page
    from benchmarks.report.markdown import markdown_text

    figures = draw_figures(comparison)
    blocks = report_blocks(comparison, tuple(figures))
    if form == "html":
        return {f"{stem}.html": html_page(blocks, figures).encode()}
    folder = f"{stem}-figures"
    text = markdown_text(blocks, folder)
    return {
        f"{stem}.md": text.encode(),
        **{f"{folder}/{name}.svg": figure for name, figure in figures.items()},
    }
