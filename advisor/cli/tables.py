"""Tables as every command prints them."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable, Sequence

from advisor.cli.output import tell
from strategies.visible import one_line


def on_terminal() -> bool:
    """Whether somebody looks at a terminal; known without waiting for rich."""
    return sys.stdout.isatty()


def show(heads: Sequence[str], rows: Iterable[Sequence[str]], right: Collection[str] = ()) -> None:
    """Print a table; where nobody looks at a terminal, as lines of tab-separated values.

    Args:
        heads: names of the columns, the first of which is never broken.
        rows: a text a column; brackets in it mean nothing.
        right: columns that are aligned at their right.
    """
    if not on_terminal():
        for row in (heads, *rows):
            tell("\t".join(map(one_line, row)))
        return
    from rich.table import Table

    from advisor.cli.screen import screen

    table = Table(box=None, header_style="bold", pad_edge=False)
    for place, head in enumerate(heads):
        table.add_column(
            head,
            justify="right" if head in right else "left",
            overflow="fold",
            no_wrap=place == 0,
        )
    for row in rows:
        table.add_row(*row)
    screen().print(table)
