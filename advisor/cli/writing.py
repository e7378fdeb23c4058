"""What the commands say when a file or folder cannot be written."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from advisor.errors import AdvisorError
from strategies.visible import shown


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """A block that writes a file or folder; the folder that holds it is made.

    Raises:
        AdvisorError: the system refused; the message names the path and why.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        blocked = isinstance(error, FileExistsError | NotADirectoryError)
        why = "a file stands in its way" if blocked else error.strerror or str(error)
        raise AdvisorError(
            f"{shown(path)} cannot be written: {why}. Name a place where you may write."
        ) from None
