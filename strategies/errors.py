"""Errors a user can act on: each names the value, what is allowed and the next step.

The command line prints the message without a traceback and ends with ``exit_code``;
every other exception is a bug and keeps its traceback.
"""

from __future__ import annotations

import errno
from collections.abc import Callable


class UserError(Exception):
    """A problem that the user can solve; the message says how."""

    exit_code = 2


class DataError(UserError):
    """Input data that cannot be used: every problem of a file is listed at once."""

    exit_code = 3


class ModelError(UserError):
    """A model that cannot be found, fetched or loaded."""

    exit_code = 4


class NotApplicableError(UserError):
    """A method whose needs (training items, corpus, labels) the task does not meet."""

    exit_code = 5


class RunError(UserError):
    """A run folder that is locked, damaged or of another plan."""

    exit_code = 6


class StorageError(UserError):
    """A folder for models and results that cannot be written."""

    exit_code = 6


class CacheError(UserError):
    """A cached file that is damaged and cannot be made again."""

    exit_code = 6


class FailedMethodsError(RunError):
    """A bench that is reported, but in which a method failed.

    A method that was refused by its needs, or left out by the budget, did not fail.
    """

    exit_code = 10


_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_DENIED = {errno.EACCES, errno.EPERM}
_NAMES = {errno.ENAMETOOLONG, errno.ELOOP, errno.ENOTDIR, errno.EISDIR}
_NAME_SHOWN = 60
_STORAGE = {*_FULL, *_DENIED, errno.EROFS, errno.EIO}


def storage_trouble(error: BaseException) -> str | None:
    """What to tell a user whose disk is full, closed or broken; None for any other error."""
    if not isinstance(error, OSError) or error.errno not in _STORAGE:
        return None
    where = f"{error.filename}: " if error.filename else ""
    mend = "make room" if error.errno in _FULL else "see to the disk"
    if error.errno in _DENIED:
        mend = "see that you may read and write it"
    return (
        f"{where}{error.strerror}. What was written before is kept: {mend}, then go on with "
        "advisor bench --resume, or call the command again."
    )


def name_trouble(error: BaseException) -> str | None:
    """What to tell a user who gave a name that no file can have; None for any other error."""
    if not isinstance(error, OSError) or error.errno not in _NAMES:
        return None
    name = str(error.filename or "a name")
    short = name if len(name) <= _NAME_SHOWN else f"{name[:_NAME_SHOWN]}…"
    return f"{short}: {error.strerror}. Give the name of another file or folder."


def all_at_once(*steps: Callable[[], object]) -> None:
    """Do every step, so that a user reads of all problems together.

    Raises:
        UserError: of the kind that the first failing step raised, with the messages of all.
    """
    errors = []
    for step in steps:
        try:
            step()
        except UserError as error:
            errors.append(error)
    if len(errors) == 1:
        raise errors[0]
    if errors:
        raise type(errors[0])("\n".join(map(str, errors))) from None
