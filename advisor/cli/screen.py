"""What commands print with rich: the only way out, besides `advisor.cli.output`.

Texts are shown letter by letter: brackets are no markup, ``:smile:`` is no emoji, and control
characters are shown by their codes. Style is given in arguments, never inside a text.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import IO, Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.progress import Progress, ProgressColumn, Task, TextColumn
from rich.segment import Segment
from rich.text import Text

from strategies.visible import visible


class Screen(Console):
    """A console on which text stays text."""

    def __init__(self, **options: Any) -> None:
        """See `rich.console.Console`; markup, highlighting and emoji are off."""
        super().__init__(**options, markup=False, highlight=False, emoji=False)

    def render_str(self, text: str, **options: Any) -> Text:
        """See `Console.render_str`; what is laid out is what will be seen."""
        return super().render_str(visible(text), **options)

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """See `Console.render`; catches what did not come as a plain string."""
        for segment in super().render(renderable, options):
            # Control segments are rich's own: they move the bars.
            if segment.control:
                yield segment
            else:
                style = segment.style
                yield Segment(visible(segment.text), style and style.update_link(None))


def screen(*, quiet: bool = False, err: bool = False, file: IO[str] | None = None) -> Screen:
    """A screen on standard output, on standard error or on a file."""
    return Screen(quiet=quiet, stderr=err, file=file)


class Described(ProgressColumn):
    """What a bar is about; rich's own column would read markup in it."""

    def render(self, task: Task) -> Text:
        """See `ProgressColumn.render`."""
        return Text(visible(task.description))


def word(text: str) -> ProgressColumn:
    """A column that says the same beside each bar."""
    return TextColumn(text, markup=False)


def bars(on: Console, *columns: ProgressColumn, transient: bool = False) -> Progress:
    """Bars, each with its description in front of the columns."""
    return Progress(Described(), *columns, console=on, transient=transient)
