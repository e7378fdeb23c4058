"""``advisor tasks``: lists the bundled tasks and the recipes, or shows one of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from advisor.cli.output import remark, tell, tell_json
from advisor.cli.tables import show
from advisor.cli.trust import Trust, settle_trust
from strategies.visible import one_line

if TYPE_CHECKING:
    from benchmarks.records import TaskCard


def tasks(
    name: Annotated[str | None, typer.Argument(help="A task, a recipe or a task folder.")] = None,
    data_dir: Annotated[
        Path | None, typer.Option(help="Where recipes find their public files.")
    ] = None,
    trust: Trust = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print the names only.")] = False,
) -> None:
    """List the bundled tasks and the recipes for public sets, or show one task.

    With a NAME or a task folder, shows that task, or says what its data lacks.

    For example:

      advisor tasks

      advisor tasks handbook-qa

      advisor tasks squad-v2 --data-dir ~/data

      advisor tasks --json
    """
    from benchmarks.tasks.catalogue import load_task

    if name is not None:
        settle_trust(name, trust=trust)
        task = load_task(name, data_dir)
        if quiet:
            tell(task.id)
            return
        _show_card(task.card(), as_json=as_json)
        for note in task.notes:
            remark(f"Note: {one_line(note)}")
        return
    rows = _rows(data_dir)
    if as_json:
        tell_json(json.dumps(rows, indent=2, ensure_ascii=False))
    elif quiet:
        tell("\n".join(row["id"] for row in rows))
    else:
        show(list(rows[0]), [list(row.values()) for row in rows])
        if any(row["data"] == "no" for row in rows):
            remark("Where to get data that is not here: advisor tasks NAME")


def _rows(data_dir: Path | None) -> list[dict[str, Any]]:
    from benchmarks.tasks.catalogue import bundled_tasks, default_data_dir, recipes

    known = [(spec, "bundled", "yes") for spec in bundled_tasks()]
    for recipe in recipes().values():
        there = recipe.present(data_dir or default_data_dir())
        known.append((recipe.spec, "recipe", "yes" if there else "no"))
    return [
        {
            "id": spec.id,
            "kind": spec.kind,
            "metric": spec.metric,
            "from": origin,
            "data": there,
            "licence": spec.licence,
            "title": spec.title,
        }
        for spec, origin, there in known
    ]


def _show_card(card: TaskCard, *, as_json: bool) -> None:
    fields = card.model_dump(mode="json")
    if as_json:
        tell_json(json.dumps(fields, indent=2, ensure_ascii=False))
        return
    for name, value in fields.items():
        written = json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else value
        shown = ", ".join(map(str, written)) if isinstance(written, list) else written
        tell(f"{name + ':':12} {one_line(shown)}")
