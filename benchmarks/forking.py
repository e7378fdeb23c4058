"""The process that the workers of a run are forked from, so that it imports libraries once.

It reads the names of arms, one a line, and works on one at a time, each in a fork: peak memory
is measurable, and a crash costs one arm. Orders come in and events go out on descriptors of
their own. Standard input is empty and standard output is the arm's log, so no library can read
an order or write an event.
"""

from __future__ import annotations

import ctypes
import json
import logging
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from benchmarks.store import arm_folder
from strategies.progress import Progress

LOG = "log.txt"
# As JSON a character takes six bytes at most, and a pipe takes 4096 in one piece.
_NOTE_CHARACTERS = 600
_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG of prctl(2)


@dataclass(frozen=True)
class Channel:
    """How a worker process and the bench talk.

    Attributes:
        orders: descriptor that the names of arms come from.
        events: descriptor that JSON lines go to; each is shorter than a pipe writes at once.
        beat_seconds: how often the worker says that it lives.
    """

    orders: int
    events: int
    beat_seconds: float

    def arguments(self) -> list[str]:
        """What a worker's command is told, behind the run folder."""
        return [str(self.orders), str(self.events), str(self.beat_seconds)]

    @classmethod
    def parse(cls, arguments: Sequence[str]) -> Channel:
        """The reverse of `arguments`."""
        orders, events, beat = arguments
        return cls(int(orders), int(events), float(beat))

    def tell(self, event: dict[str, object]) -> None:
        """Write an event, in one piece also where two threads write."""
        os.write(self.events, json.dumps(event).encode() + b"\n")


def serve(
    run: Path, channel: Channel, prepare: Callable[[], None], work: Callable[[str, Progress], None]
) -> None:
    """Work on arms until no more orders can come.

    Args:
        run: the run folder.
        channel: to the bench.
        prepare: imports what every arm needs; called once.
        work: does one arm; never raises for what befalls the arm alone.
    """
    _end_with_parent()
    for descriptor in (channel.orders, channel.events):
        os.set_inheritable(descriptor, False)
    with _beating(channel):
        _quietly(prepare)
    with os.fdopen(channel.orders, encoding="utf-8", closefd=False) as orders:
        for line in orders:
            code = _in_a_fork(partial(_work, run, line.strip(), channel, work))
            channel.tell({"event": "ended", "code": code})


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


def _work(run: Path, name: str, channel: Channel, work: Callable[[str, Progress], None]) -> None:
    _end_with_parent()
    _end_with_the_bench(channel)
    log = os.open(arm_folder(run, name) / LOG, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    os.dup2(log, 1)
    os.dup2(log, 2)

    def progress(phase: str, done: int, total: int) -> None:
        channel.tell({"event": "advance", "phase": phase, "done": done, "total": total})

    tell_notes(channel)
    with _beating(channel):
        work(name, progress)


def tell_notes(channel: Channel) -> None:
    """Let warnings of ours reach the user, and the log; those of libraries reach the log alone."""
    for package in ("strategies", "benchmarks"):
        for handler in (_Noting(channel), logging.StreamHandler()):
            logging.getLogger(package).addHandler(handler)


class _Noting(logging.Handler):
    """Tells the bench what its user should know, such as that a damaged file is made again."""

    def __init__(self, channel: Channel) -> None:
        super().__init__(logging.WARNING)
        self._channel = channel

    def emit(self, record: logging.LogRecord) -> None:
        """Send a note; the rest of a very long one stands in the arm's log."""
        self._channel.tell({"event": "note", "text": record.getMessage()[:_NOTE_CHARACTERS]})


@contextmanager
def _beating(channel: Channel) -> Iterator[None]:
    """Say every few seconds that this process lives, whatever its main thread computes.

    A stopped process says nothing, and neither does one whose native code hangs and keeps the
    GIL. One that waits or computes for ever without the GIL goes on beating: the budget ends it.
    """
    ended = threading.Event()

    def beat() -> None:
        with suppress(OSError):  # The bench is gone.
            while not ended.wait(channel.beat_seconds):
                channel.tell({"event": "beat"})

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        # No thread may run when the next arm is forked.
        ended.set()
        thread.join()


def _end_with_parent() -> None:
    """Let the kernel kill this process when its parent ends, also while it is stopped."""
    with suppress(AttributeError, OSError):  # Linux alone has it.
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, int(signal.SIGKILL), 0, 0, 0)


def _end_with_the_bench(channel: Channel) -> None:
    """End this process when the bench does, even by kill -9: its end of our orders closes."""

    def wait() -> None:
        while os.read(channel.orders, 1024):
            pass
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()
