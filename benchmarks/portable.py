"""What a report shows of places on somebody's disk: names, and no folder above them.

A report is read elsewhere, where an absolute path leads nowhere and tells who wrote it.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from benchmarks.records import RunManifest

# An absolute path of two parts or more, in quotes or up to a space; neither a part of a relative
# path or an address, nor a fraction.
_QUOTED = re.compile(r"""(?<=['"`])/[^/'"`\n]+/[^'"`\n]+(?=['"`])""")
_BARE = re.compile(r"""(?:file://|(?<![\w.~/]))/[^\s/'"`<>|]+/[^\s'"`<>|]+""")
_LM_EVAL_FILE = re.compile(r"(lm-eval:)?/")
T = TypeVar("T")


def without_folders(text: str) -> str:
    """A text in which the last part of every absolute path stands for it."""
    return _BARE.sub(_last_part, _QUOTED.sub(_last_part, text))


def all_without_folders(value: T) -> T:
    """A value of JSON with `without_folders` of every text in it."""
    if isinstance(value, str):
        return without_folders(value)  # type: ignore[return-value]
    if isinstance(value, dict):
        return {key: all_without_folders(each) for key, each in value.items()}  # type: ignore[return-value]
    if isinstance(value, list | tuple):
        return type(value)(map(all_without_folders, value))
    return value


def portable_command(words: Sequence[str], folder: Path | None = None) -> str:
    """A command as one would type it elsewhere.

    Args:
        words: the command; absolute paths among them, also after ``=`` or a colon, are shown by
            their last part.
        folder: paths in this folder are shown relative to it.
    """
    return shlex.join(_portable_word(word, folder) for word in words)


def portable(run: RunManifest) -> RunManifest:
    """A run's manifest as a report may show it."""
    task = run.task.model_copy(
        update={"id": _name(run.task.id), "source": without_folders(run.task.source)}
    )
    return run.model_copy(
        update={"task": task, "model": _name(run.model), "command": _shown_command(run.command)}
    )


def _shown_command(command: str) -> str:
    try:
        words = shlex.split(command)
    except ValueError:
        return without_folders(command)
    shown = [_portable_word(word, None) for word in words]
    # What needs no change keeps its quotes as they were written.
    return command if shown == words else shlex.join(shown)


def _portable_word(word: str, folder: Path | None) -> str:
    option, equals, value = word.partition("=") if word.startswith("-") else ("", "", word)
    prefix = "lm-eval:" if value.startswith("lm-eval:") else ""
    path = PurePosixPath(value.removeprefix(prefix))
    if not path.is_absolute():
        return word
    near = folder is not None and path.is_relative_to(folder)
    shown = path.relative_to(folder) if near and folder is not None else path.name
    return f"{option}{equals}{prefix}{shown}"


def _name(name: str) -> str:
    """The name of a task or a model, which may be a path."""
    found = _LM_EVAL_FILE.match(name)
    return f"{found[1] or ''}{PurePosixPath(name).name}" if found else name


def _last_part(found: re.Match[str]) -> str:
    return PurePosixPath(found.group()).name
