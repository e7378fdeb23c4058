"""Which processes of this machine hold a lock or are stopped, as ``/proc`` of Linux says."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_PROC = Path("/proc")
_STOPPED = ("T", "t")
_STATE, _GROUP = 0, 2  # fields of /proc/PID/stat behind the name of the program


def holders_of(lock: Path) -> list[int]:
    """Ids of the processes that hold the flock of a file, as far as this user may see them.

    ``/proc/locks`` names the process that took a lock, which a worker that inherited it can
    outlive; an open file says itself whether it holds one.
    """
    there = lock.stat()
    return sorted({pid for pid, opened in _open_files() if _holds(opened, there)})


def is_stopped(pid: int) -> bool:
    """Whether a process is stopped, as by SIGSTOP or a debugger."""
    fields = _stat(pid)
    return bool(fields) and fields[_STATE] in _STOPPED


def stopped_of_group(group: int) -> list[int]:
    """Ids of the stopped processes of a process group."""
    members = [pid for pid in _processes() if (_stat(pid) or ["", "", ""])[_GROUP] == str(group)]
    return [pid for pid in members if is_stopped(pid)]


def _processes() -> Iterator[int]:
    entries = _PROC.iterdir() if _PROC.is_dir() else ()
    return (int(entry.name) for entry in entries if entry.name.isdecimal())


def _stat(pid: int) -> list[str]:
    """Fields of a process behind its name, [] when it is gone."""
    try:
        text = (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    return text.rpartition(")")[2].split()


def _open_files() -> Iterator[tuple[int, Path]]:
    for pid in _processes():
        with suppress(OSError):  # It is another user's, or gone.
            yield from ((pid, opened) for opened in (_PROC / str(pid) / "fd").iterdir())


def _holds(opened: Path, lock: os.stat_result) -> bool:
    try:
        found = opened.stat()
        if (found.st_dev, found.st_ino) != (lock.st_dev, lock.st_ino):
            return False
        told = opened.parent.with_name("fdinfo") / opened.name
        return "FLOCK" in told.read_text(encoding="ascii", errors="replace")
    except OSError:
        return False
