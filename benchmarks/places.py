"""Names and paths that come from somebody else's files: they stay inside the folder they name.

A run folder or a task folder may be a stranger's, so nothing in it, neither a name nor a symbolic
link, may lead out of it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator

# What the file systems in use take for one name.
NAME_LIMIT_BYTES = 255


def plain_name(name: str) -> str:
    """The name, if it is one of a file or folder and no path.

    Raises:
        ValueError: it is empty, ``.`` or ``..``, too long, or holds ``/``, a backslash or a control
            character.
    """
    if name in ("", ".", ".."):
        raise ValueError(f"{name!r} is no name of a file")
    bad = sorted({c for c in name if c in "/\\" or ord(c) < 32 or ord(c) == 127})
    if bad:
        raise ValueError(f"a plain name holds no {' and no '.join(map(repr, bad))}")
    if len(name.encode("utf-8", "surrogatepass")) > NAME_LIMIT_BYTES:
        raise ValueError(f"a plain name has at most {NAME_LIMIT_BYTES} bytes")
    return name


FolderName = Annotated[str, AfterValidator(plain_name)]
"""A string that names one file or folder below another and cannot lead anywhere else."""


def is_inside(path: Path, folder: Path) -> bool:
    """Whether a path, its symbolic links followed, lies in a folder or is it.

    False as well for what no path can be, such as a loop of links. What is missing may be inside.
    """
    try:
        return path.resolve().is_relative_to(folder.resolve())
    except (OSError, ValueError, RuntimeError):
        return False


def links_out_of(folder: Path) -> list[Path]:
    """Symbolic links in a folder that lead out of it, in order of path; hidden ones are left out.

    A repetition of a run keeps a home of its own in a hidden folder, whose models are links.
    """
    return sorted(p for p in _seen(folder) if p.is_symlink() and not is_inside(p, folder))


def no_files(folder: Path) -> list[Path]:
    """What is neither a file nor a folder, in order of path; hidden ones are left out.

    A pipe, which an archive can hold, would be waited for without end.
    """
    return sorted(p for p in _seen(folder) if p.exists() and not (p.is_file() or p.is_dir()))


def _seen(folder: Path) -> list[Path]:
    return [p for entry in folder.glob("[!.]*") for p in (entry, *entry.rglob("*"))]
