"""Cached files carry checksums, which are checked before the files are used.

What does not fit is named in one note, moved aside and made again.

SHA-256 reads 410 MiB a second on one busy core with SHA instructions, SHA-1 430, BLAKE2b 220 and
SHA-512 195 (hashlib of Python 3.11, measured 2026-11-30). The results of work are small or take
longer to load than to hash, so they are hashed at each use; models are hashed once a day, see
`strategies.model_files`.
"""

from __future__ import annotations

import json
import logging
import os
import secrets
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import Field

from strategies.checksums import sealed, unsealed
from strategies.data import Frozen
from strategies.errors import CacheError
from strategies.hashing import sha256_of_file

log = logging.getLogger(__name__)


class FileSum(Frozen):
    """What is noted of a file when it is written."""

    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    bytes: int


def write_atomic(path: Path, text: str) -> None:
    """Replace a file so that a reader sees the old text or the new one, never a part.

    Its permissions are those that the umask gives to a new file.
    """
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with part.open("x", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    sync_folder(path.parent)


def write_json(path: Path, value: Mapping[str, object]) -> None:
    """Write a small JSON object, not empty, with a checksum; it may hold NaN."""
    write_atomic(path, sealed(json.dumps(value)) + "\n")


def read_json(path: Path) -> dict[str, Any]:
    """What `write_json` wrote.

    Raises:
        FileNotFoundError: it is not there.
        ValueError: it is damaged or cannot be read; the message names it.
    """
    try:
        return dict(json.loads(unsealed(path.read_bytes(), required=True)))
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, TypeError):
        raise ValueError(f"{path} is damaged") from None


def kept_json(path: Path) -> dict[str, Any] | None:
    """What `write_json` wrote; None where there is none, a damaged one is set aside."""
    try:
        return read_json(path)
    except FileNotFoundError:
        return None
    except ValueError as error:
        set_aside(path, str(error))
        return None


def sync_folder(folder: Path) -> None:
    """Wait until the disk has the names in a folder."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sums_of(folder: Path, files: Iterable[Path] | None = None) -> dict[str, FileSum]:
    """Checksums of files by their names relative to a folder, once the disk has them.

    Args:
        folder: where the files lie.
        files: in it or in folders below; None is all of them.
    """
    sums = {}
    for path in sorted(folder.rglob("*")) if files is None else files:
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())
            name = path.relative_to(folder).as_posix()
            sums[name] = FileSum(sha256=sha256_of_file(path), bytes=path.stat().st_size)
    return sums


def damage(folder: Path, sums: Mapping[str, FileSum]) -> str | None:
    """What is wrong with the first file that is not as it was noted; None where all are."""
    found = (_fault(folder / name, noted) for name, noted in sums.items())
    return next(filter(None, found), None)


def _fault(path: Path, noted: FileSum) -> str | None:
    try:
        if not path.is_file():
            return f"{path} is no file" if path.exists() else f"{path} is missing"
        size = path.stat().st_size
        if size != noted.bytes:
            return f"{path} is damaged: it holds {size} bytes instead of {noted.bytes}"
        if sha256_of_file(path) != noted.sha256:
            return f"{path} is damaged: its SHA-256 is not the one noted when it was written"
    except OSError as error:
        return f"{path} cannot be read: {error.strerror}"
    return None


def set_aside(path: Path, why: str) -> None:
    """Move a damaged file or folder out of the way, with a note.

    Args:
        path: what is made again, whole.
        why: names the damaged file; begins the note.

    Raises:
        CacheError: it cannot be moved.
    """
    aside = path.with_name(f"damaged-{path.name}-{secrets.token_hex(4)}")
    try:
        path.rename(aside)
    except FileNotFoundError:
        return  # another process was faster
    except OSError as error:
        raise CacheError(
            f"{why}. {path} cannot be moved aside to be made again: {error.strerror}. Get write "
            f"permission for {path.parent}, or delete {path} as its owner, and call the command "
            "again."
        ) from error
    log.warning("%s. %s was moved to %s and is made again.", why, path, aside.name)


def share(folder: Path, like: Path) -> None:
    """Give every file of a folder at least the permissions of one of them.

    safetensors 0.8 writes files that their owner alone may read, whatever the umask.
    """
    permissions = stat.S_IMODE(like.stat().st_mode) & 0o666
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            own = stat.S_IMODE(path.stat().st_mode)
            if own | permissions != own:
                path.chmod(own | permissions)
