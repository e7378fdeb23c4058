"""``advisor methods``: what can be compared, and what each method needs."""

from __future__ import annotations

import json
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table


def methods(
    as_json: Annotated[bool, typer.Option("--json", help="Print full configurations.")] = False,
) -> None:
    """List the methods that a bench can run, built in and from plug-ins.

    For example:

      advisor methods

      advisor methods --json
    """
    from strategies.method import registry

    known = registry().methods
    if as_json:
        typer.echo(json.dumps([m.model_dump(mode="json") for m in known.values()], indent=2))
        return
    table = Table(box=None, pad_edge=False)
    for column in ("method", "prompting", "weights", "needs", "what it does"):
        table.add_column(column, overflow="fold")
    for method in known.values():
        needs = ", ".join(sorted(method.needs)) or "nothing"
        row = (method.name, method.prompting.kind, method.weights.kind, needs, method.summary)
        table.add_row(*row)
    Console().print(table)
