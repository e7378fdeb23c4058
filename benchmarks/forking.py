"""The process that the workers of a run are forked from, so that it imports libraries once.

It reads the names of arms, one a line, from standard input and works on one at a time, each in
a fork: peak memory is measurable, and a crash costs one arm. Progress goes to standard output
as JSON lines; what libraries print goes to the log of the arm.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import IO

from benchmarks.store import arm_folder
from strategies.progress import Progress

LOG = "log.txt"


def serve(run: Path, prepare: Callable[[], None], work: Callable[[str, Progress], None]) -> None:
    """Work on arms until standard input ends.

    Args:
        run: the run folder.
        prepare: imports what every arm needs; called once.
        work: does one arm; never raises for what befalls the arm alone.
    """
    stream: IO[str] = os.fdopen(os.dup(1), "w", encoding="utf-8")
    sys.stdout.flush()
    os.dup2(2, 1)
    _quietly(prepare)
    for line in sys.stdin:
        name = line.strip()
        code = _in_a_fork(partial(_work, run, name, stream, work))
        _tell(stream, {"event": "ended", "code": code})


def _quietly(prepare: Callable[[], None]) -> None:
    """What cannot be imported now fails again, with a message, in the arm that needs it."""
    try:
        prepare()
    except Exception as error:
        sys.stderr.write(f"{error}\n")


def _in_a_fork(work: Callable[[], None]) -> int:
    """Exit code of a child that does some work; negative when a signal ended it."""
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            work()
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


def _work(run: Path, name: str, stream: IO[str], work: Callable[[str, Progress], None]) -> None:
    _end_with_the_bench()
    log = os.open(arm_folder(run, name) / LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    os.dup2(log, 1)
    os.dup2(log, 2)

    def progress(phase: str, done: int, total: int) -> None:
        _tell(stream, {"event": "advance", "phase": phase, "done": done, "total": total})

    work(name, progress)


def _tell(stream: IO[str], event: dict[str, object]) -> None:
    stream.write(json.dumps(event) + "\n")
    stream.flush()


def _end_with_the_bench() -> None:
    """End this process when the bench does, even by kill -9: its end of our input closes."""

    def wait() -> None:
        while os.read(0, 1024):
            pass
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()
