"""``advisor methods``: what can be compared, and what each method needs."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from advisor.cli.output import tell, tell_json
from advisor.cli.tables import show


def methods(
    as_json: Annotated[bool, typer.Option("--json", help="Print full configurations.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print the names only.")] = False,
) -> None:
    """List the methods that a bench can run, built in and from plug-ins.

    For example:

      advisor methods

      advisor methods --json
    """
    from strategies.method import registry

    known = registry().methods
    if as_json:
        tell_json(json.dumps([m.model_dump(mode="json") for m in known.values()], indent=2))
        return
    if quiet:
        tell("\n".join(known))
        return
    rows = [
        (
            method.name,
            method.prompting.kind,
            method.weights.kind,
            ", ".join(sorted(method.needs)) or "nothing",
            method.summary,
        )
        for method in known.values()
    ]
    show(("method", "prompting", "weights", "needs", "what it does"), rows)
