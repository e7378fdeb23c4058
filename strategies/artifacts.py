"""Results of work that are kept for every run that needs the same, each in a folder of its own.

A folder holds a manifest with the checksums of its files. It is checked at each use; a damaged
folder is moved aside and made again.
"""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar

from pydantic import BaseModel, Field

from strategies.checked_files import (
    FileSum,
    damage,
    set_aside,
    share,
    sums_of,
    sync_folder,
    write_atomic,
)
from strategies.checksums import sealed, unsealed
from strategies.data import Frozen
from strategies.errors import CacheError

C = TypeVar("C", bound=BaseModel)
MANIFEST = "manifest.json"


class ArtifactManifest(Frozen):
    """``manifest.json`` of an artifact; the cost is what making it once took."""

    schema_version: Literal[1] = 1
    kind: str
    fingerprint: str
    cost: dict[str, Any] = Field(default_factory=dict)
    files: dict[str, FileSum]


@dataclass(frozen=True)
class Kept(Generic[C]):
    """Something made once and used by every run that needs the same.

    Attributes:
        path: its folder; read only.
        cost: what it took when it was made.
        bytes: size of its files.
        reused: False when this very call made it.
    """

    path: Path
    cost: C
    bytes: int
    reused: bool


class CheckedFolders(Generic[C]):
    """Folders named by the hash of everything that made them; they appear whole or not at all."""

    def __init__(self, root: Path, cost: type[C]) -> None:
        """Folders of several kinds below a root, each with its cost."""
        self.root = root
        self._cost = cost

    def find(self, kind: str, fingerprint: str) -> Kept[C] | None:
        """The artifact, its hashes checked; a damaged one is set aside and None comes back."""
        with self.held(kind, fingerprint) as found:
            return found

    @contextmanager
    def held(self, kind: str, fingerprint: str) -> Iterator[Kept[C] | None]:
        """What `find` finds; nobody replaces it meanwhile."""
        with self._alone(kind, fingerprint):
            yield self._found(kind, fingerprint)

    def obtain(self, kind: str, fingerprint: str, make: Callable[[Path], C]) -> Kept[C]:
        """The artifact, made now if it is not there.

        Args:
            kind: such as ``weights``, ``indexes``, ``answers``.
            fingerprint: hash of everything that can change it.
            make: fills an empty folder and returns what that cost. Another process that
                wants the same waits meanwhile.

        Raises:
            CacheError: a damaged one can be neither used nor moved aside.
        """
        with self._alone(kind, fingerprint):
            found = self._found(kind, fingerprint)
            return found or self._publish(kind, fingerprint, make)

    def replace(self, kind: str, fingerprint: str, make: Callable[[Path], C]) -> Kept[C]:
        """The artifact, made now whether it is there or not; see `obtain`."""
        with self._alone(kind, fingerprint):
            return self._publish(kind, fingerprint, make)

    def scratch(self, kind: str, fingerprint: str) -> Path:
        """A folder for checkpoints that outlives a kill; `obtain` removes it when it is done."""
        folder = self.root / kind / f".{fingerprint}.scratch"
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _folder(self, kind: str, fingerprint: str) -> Path:
        return self.root / kind / fingerprint

    def _found(self, kind: str, fingerprint: str) -> Kept[C] | None:
        folder = self._folder(kind, fingerprint)
        if not os.path.lexists(folder):
            return None
        try:
            content = (folder / MANIFEST).read_bytes()
            manifest = ArtifactManifest.model_validate_json(unsealed(content))
            cost = self._cost.model_validate(manifest.cost)
        except FileNotFoundError:
            why = f"{folder / MANIFEST} is missing, so that its files cannot be checked"
        except OSError as error:
            why = f"{folder / MANIFEST} cannot be read: {error.strerror}"
        except ValueError:
            why = f"{folder / MANIFEST} is damaged"
        else:
            named = (manifest.kind, manifest.fingerprint) == (kind, fingerprint)
            found = damage(folder, manifest.files)
            if named and found is None:
                return _kept(folder, cost, manifest, reused=True)
            why = found or f"{folder / MANIFEST} belongs to another folder"
        set_aside(folder, why)
        return None

    def _publish(self, kind: str, fingerprint: str, make: Callable[[Path], C]) -> Kept[C]:
        folder = self._folder(kind, fingerprint)
        draft = folder.with_name(f".{fingerprint[:16]}.{secrets.token_hex(4)}")
        draft.mkdir()
        try:
            cost = make(draft)
            manifest = ArtifactManifest(
                kind=kind,
                fingerprint=fingerprint,
                cost=cost.model_dump(mode="json"),
                files=sums_of(draft),
            )
            write_atomic(draft / MANIFEST, sealed(manifest.model_dump_json(indent=2)) + "\n")
            share(draft, draft / MANIFEST)
            shutil.rmtree(folder, ignore_errors=True)
            if os.path.lexists(folder):
                set_aside(folder, f"{folder} is no folder, or not all of it can be deleted")
            draft.rename(folder)
        finally:
            shutil.rmtree(draft, ignore_errors=True)
        sync_folder(folder.parent)
        shutil.rmtree(self.root / kind / f".{fingerprint}.scratch", ignore_errors=True)
        return _kept(folder, cost, manifest, reused=False)

    @contextmanager
    def _alone(self, kind: str, fingerprint: str) -> Iterator[None]:
        path = self.root / kind / f".{fingerprint}.lock"
        handle = self._opened(path, self._folder(kind, fingerprint))
        try:
            if handle is not None:
                fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            if handle is not None:
                os.close(handle)

    def _opened(self, lock: Path, folder: Path) -> int | None:
        """The lock file; None where nobody can write, so that what is there can be read."""
        try:
            lock.parent.mkdir(parents=True, exist_ok=True)
            return os.open(lock, os.O_RDWR | os.O_CREAT, 0o666)
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EROFS) and folder.is_dir():
                return None
            if error.errno in (errno.EISDIR, errno.ENOTDIR, errno.EEXIST):
                raise CacheError(
                    f"{lock} must be a file in a folder, and something else stands in its place. "
                    f"Delete that and call the command again."
                ) from error
            raise


def _kept(folder: Path, cost: C, manifest: ArtifactManifest, *, reused: bool) -> Kept[C]:
    size = sum(file.bytes for file in manifest.files.values())
    return Kept(path=folder, cost=cost, bytes=size, reused=reused)
