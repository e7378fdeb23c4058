"""Where downloads and finished work are kept between runs."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import platformdirs

from strategies.errors import StorageError

HOME_VARIABLE = "ADVISOR_HOME"
_FOLDERS = ("models", "digests", "downloads", "artifacts", "built")
# As much has to fit before anything is begun: 1 MiB. Weights need far more, and say so themselves.
_LEAST_BYTES = 2**20


def home() -> Path:
    """``$ADVISOR_HOME``, by default the platform's cache folder; created when missing.

    Raises:
        StorageError: it cannot be made, or a file is in its place.
    """
    folder = os.environ.get(HOME_VARIABLE) or platformdirs.user_cache_dir("adaptation-advisor")
    try:
        path = Path(folder).expanduser().resolve()
        path.mkdir(parents=True, exist_ok=True)
    except (OSError, RuntimeError) as error:  # RuntimeError: ~nobody, or links in a circle
        raise _unusable(folder, _why(error)) from None
    return path


def check_home() -> None:
    """Check that models and results can be kept, before anything is computed.

    Raises:
        StorageError: the home is full, closed, or not a folder.
    """
    path = home()
    for name in _FOLDERS:
        if (path / name).is_symlink() or (path / name).exists():
            if not (path / name).is_dir():
                raise _unusable(str(path), f"{path / name} is not a folder")
            _try_to_write(path / name, str(path))
    _try_to_write(path, str(path))


def check_out(path: Path) -> None:
    """Check that a folder for results, or the folder that it would be made in, can be written.

    Raises:
        StorageError: it is full or closed.
    """
    place = next((place for place in (path, *path.absolute().parents) if place.exists()), path)
    if not place.is_dir():
        return  # A file in the way is told where the folder is made.
    why = _why_not_written(place)
    if why:
        raise StorageError(
            f"{path} cannot be written: {why} ({place}). Nothing was run. Make room or allow "
            "writing there, or name another folder with --out."
        )


def _try_to_write(folder: Path, named: str) -> None:
    why = _why_not_written(folder)
    if why:
        raise _unusable(named, f"{why} ({folder})" if str(folder) != named else why)


def _why_not_written(folder: Path) -> str:
    """Why a file cannot be written into a folder; "" where it can."""
    try:
        with tempfile.TemporaryFile(dir=folder, prefix=".try-", buffering=0) as file:
            if file.write(bytes(_LEAST_BYTES)) < _LEAST_BYTES:
                return "its disk is full"
            os.fsync(file.fileno())
    except OSError as error:
        return _why(error)
    return ""


def _why(error: Exception) -> str:
    if isinstance(error, FileExistsError | NotADirectoryError):
        return "a file is in its place"
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def _unusable(folder: str, why: str) -> StorageError:
    if os.environ.get(HOME_VARIABLE):
        return StorageError(
            f"{HOME_VARIABLE} is {folder}, where models and results are kept, and it cannot be "
            f"used: {why}. Make room or allow writing there, or set {HOME_VARIABLE} to another "
            "folder."
        )
    return StorageError(
        f"{folder}, where models and results are kept, cannot be used: {why}. Make room or allow "
        f"writing there, or set {HOME_VARIABLE} to another folder."
    )


def make_fresh_home(folder: Path) -> Path:
    """A folder for `home` that has this one's models and nothing that was worked out before.

    Args:
        folder: made when missing; what it holds stays.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("models", "digests"):
        if not (folder / name).exists():
            (home() / name).mkdir(exist_ok=True)
            (folder / name).symlink_to(home() / name)
    return folder
