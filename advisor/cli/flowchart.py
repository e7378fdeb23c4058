"""``advisor flowchart``: draws the decision flowchart, and the way that answers take through it."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from advisor.cli.lang import Lang
from advisor.cli.output import tell, tell_file
from advisor.cli.screen import screen
from advisor.cli.writing import writing
from strategies.visible import shown, visible

if TYPE_CHECKING:
    from rich.console import Console

    from advisor.flowchart import Flowchart, Step
    from advisor.language import Language


class DrawingFormat(StrEnum):
    """What a flowchart can be drawn as."""

    text = "text"
    mermaid = "mermaid"
    svg = "svg"


def flowchart(
    answers: Annotated[
        Path | None, typer.Option(help="YAML file with answers: their way is lit.")
    ] = None,
    flowchart: Annotated[Path | None, typer.Option(help="Draw this flowchart instead.")] = None,
    form: Annotated[
        DrawingFormat, typer.Option("--format", "-f", help="What to draw it as.")
    ] = DrawingFormat.text,
    out: Annotated[Path | None, typer.Option(help="File to write; without it, printed.")] = None,
    lang: Annotated[
        Lang, typer.Option(envvar="ADVISOR_LANG", help="Language of the flowchart.")
    ] = Lang.en,
) -> None:
    """Draw the decision flowchart; with answers, the way that they take through it.

    As text it says all that it has to say, with its evidence. Mermaid is for
    Markdown, SVG for a browser. The same input gives the same bytes.

    For example:

      advisor flowchart

      advisor flowchart --answers examples/answers-handbook.yaml --format svg --out path.svg

      advisor flowchart --lang ja

      advisor flowchart --flowchart my-chart.yaml --format mermaid
    """
    from advisor.errors import AdvisorError
    from advisor.flowchart import load_flowchart
    from advisor.language import language
    from advisor.questionnaire import load_answers

    if out is not None and out.suffix.lower() == ".svg" and form is not DrawingFormat.svg:
        raise AdvisorError(
            f"--out {out}: with --format {form} it would be no SVG. Add --format svg, or name "
            "another file."
        )
    say = language(lang.value)
    chart = load_flowchart(flowchart).in_language(say)
    steps = chart.walk(load_answers(answers)) if answers is not None else []
    console = screen()
    if out is not None:
        # Bytes keep the line ends as they are on every system.
        with writing(out):
            out.write_bytes(visible(_drawn(chart, steps, form, say)).encode())
        tell(shown(out))
    elif form is DrawingFormat.text and console.is_terminal:
        _show(chart, steps, console, say)
    else:
        tell_file(_drawn(chart, steps, form, say))


def _drawn(chart: Flowchart, steps: Sequence[Step], form: DrawingFormat, say: Language) -> str:
    from advisor import mermaid
    from advisor.drawing import outline, svg

    if form is DrawingFormat.mermaid:
        return f"{mermaid.draw(chart, steps, say)}\n"
    if form is DrawingFormat.svg:
        return svg.draw(chart, steps, say)
    return outline.as_text(outline.outline(chart, steps, say))


def _show(chart: Flowchart, steps: Sequence[Step], console: Console, say: Language) -> None:
    """The outline on a terminal; lit lines are bold, beside their mark."""
    from advisor.drawing.outline import outline, rows

    for row, lit in rows(outline(chart, steps, say), console.width):
        console.print(row, style="bold" if lit else None, soft_wrap=True)
