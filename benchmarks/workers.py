"""The processes that work on the arms of a run, each told of one arm after the other."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from benchmarks.forking import LOG, Channel
from benchmarks.holders import stopped_of_group
from benchmarks.records import Arm, Failure
from benchmarks.store import RunFolder, arm_folder


class Watcher(Protocol):
    """Is told how a run moves on."""

    def started(self, arm: Arm, number: int, total: int) -> None:
        """An arm begins; numbers count from 1."""
        ...

    def advanced(self, arm: Arm, phase: str, done: int, total: int) -> None:
        """An arm moved on."""
        ...

    def noted(self, arm: Arm, text: str) -> None:
        """Something happened in an arm that the user should know."""
        ...

    def ended(self, arm: Arm) -> None:
        """An arm is finished, failed, refused or skipped."""
        ...


class Silent:
    """A watcher that says nothing."""

    def started(self, arm: Arm, number: int, total: int) -> None:
        """See `Watcher`."""

    def advanced(self, arm: Arm, phase: str, done: int, total: int) -> None:
        """See `Watcher`."""

    def noted(self, arm: Arm, text: str) -> None:
        """See `Watcher`."""

    def ended(self, arm: Arm) -> None:
        """See `Watcher`."""


@dataclass(frozen=True)
class Patience:
    """How long a bench waits for a worker before it ends it.

    Attributes:
        beat_seconds: how often a worker says that it lives.
        silence_seconds: a worker that says nothing for so long is stopped or hangs. Slow work is
            not silent: a thread of the worker speaks while another one computes.
        grace_seconds: an arm that still runs so long after the budget was used up is ended.
        stop_seconds: how long a worker may take to end by itself. Every answer is on disk
            already, so one that does not can be killed.
    """

    beat_seconds: float = 5.0
    silence_seconds: float = 600.0
    grace_seconds: float = 600.0
    stop_seconds: float = 5.0


class Workers:
    """The process that works on arms, started when the first one needs it."""

    def __init__(
        self,
        folder: RunFolder,
        command: Sequence[str],
        variables: Mapping[str, str],
        watcher: Watcher,
        patience: Patience = Patience(),
    ) -> None:
        """Workers of a run folder whose lock is held; nothing is started yet.

        Args:
            folder: whose arms they work on.
            command: that, given a run folder, works on the arms that it is told of.
            variables: their environment.
            watcher: told how an arm moves on.
            patience: with a worker that is silent or late.
        """
        self.folder = folder
        self.command = command
        self.variables = variables
        self.watcher = watcher
        self.patience = patience
        self.process: _Process | None = None

    def work_on(self, arm: Arm, seconds_left: float | None = None) -> Arm:
        """What ``arm.json`` says after the arm was worked on.

        Args:
            arm: whose ``arm.json`` says pending.
            seconds_left: of the budget; None without one.
        """
        log = arm_folder(self.folder.path, arm.folder) / LOG
        process = self._running(log)
        process.order(arm.folder)
        ending = self._follow(process, arm, seconds_left)
        if not isinstance(ending, int):
            # The process ended without a word, or has to be ended.
            self.process = None
            code = process.end(self.patience.stop_seconds, gone=ending is None)
            ending = code if ending is None else ending
        ended = self.folder.read_arm(arm.folder)
        if ended.status == "pending":
            ended = ended.model_copy(update=_changes_of(ending, log))
            self.folder.write_arm(ended)
        return ended

    def _running(self, log: Path) -> _Process:
        if self.process is None:
            command = [*self.command, str(self.folder.path.resolve())]
            beat, lock = self.patience.beat_seconds, self.folder.lock.handle
            self.process = _Process(command, self.variables, log, lock, beat)
        return self.process

    def _follow(
        self, process: _Process, arm: Arm, seconds_left: float | None
    ) -> int | _Overdue | None:
        """Exit code of the worker on an arm; None when the whole process ended without a word."""
        silent, began = 0.0, time.monotonic()
        look = min(1.0, self.patience.silence_seconds / 5)
        while True:
            try:
                event = process.event(look)
            except EOFError:
                return None
            if event and event["event"] == "ended":
                return int(event["code"])
            if event and event["event"] == "advance":
                self.watcher.advanced(arm, event["phase"], event["done"], event["total"])
            if event and event["event"] == "note":
                self.watcher.noted(arm, str(event["text"]))
            # Looks are counted, and not the clock: while this process itself is stopped, or its
            # machine sleeps, no worker is to blame.
            silent = 0.0 if event else silent + look
            if silent >= self.patience.silence_seconds:
                return self._silence(process)
            if seconds_left is not None:
                over = time.monotonic() - began - seconds_left
                if over > self.patience.grace_seconds:
                    return _Overdue("skipped", overrun(self.patience))

    def _silence(self, process: _Process) -> _Overdue:
        stopped = process.stopped()
        minutes = self.patience.silence_seconds / 60
        why = f"process {stopped} was stopped (SIGSTOP)" if stopped else "it hung"
        message = (
            f"the worker gave no sign of life for {minutes:g} minutes, because {why}, and was "
            "ended; answers given so far are kept"
        )
        return _Overdue("failed", message)

    def stop(self) -> None:
        """End the process and the arm it works on; nothing that was finished is lost."""
        process, self.process = self.process, None
        if process is not None:
            process.end(self.patience.stop_seconds)


def overrun(patience: Patience) -> str:
    """Why an arm is skipped that was begun within the budget."""
    return (
        f"it was still running {patience.grace_seconds / 60:g} minutes after the budget was used "
        "up, and was ended; its answers so far are kept"
    )


@dataclass(frozen=True)
class _Overdue:
    """An arm that the bench ended, and what becomes of it."""

    status: Literal["failed", "skipped"]
    message: str


class _Process:
    """A worker's process, its group of processes, and the pipes to it."""

    def __init__(
        self,
        command: Sequence[str],
        variables: Mapping[str, str],
        log_path: Path,
        lock: int,
        beat_seconds: float,
    ) -> None:
        orders, self._orders = os.pipe()
        self._events, events = os.pipe()
        channel = Channel(orders, events, beat_seconds)
        try:
            with log_path.open("ab") as log:
                self._popen = subprocess.Popen(
                    [*command, *channel.arguments()],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env=variables,
                    pass_fds=(lock, orders, events),
                    # Ctrl-C reaches this process alone, which then stops the workers in order.
                    start_new_session=True,
                )
        finally:
            os.close(orders)
            os.close(events)
        self._poll = select.poll()
        self._poll.register(self._events, select.POLLIN)
        self._read = b""

    def order(self, arm: str) -> None:
        """Have it work on an arm."""
        with suppress(BrokenPipeError):  # It ended before it was asked: its exit code says how.
            os.write(self._orders, f"{arm}\n".encode())

    def event(self, seconds: float) -> dict[str, Any] | None:
        """The next event, None when none came for so long.

        Raises:
            EOFError: there will be no more: every process of the group has ended.
        """
        while b"\n" not in self._read:
            if not self._poll.poll(seconds * 1000):
                return None
            more = os.read(self._events, 65536)
            if not more:
                raise EOFError
            self._read += more
        line, _, self._read = self._read.partition(b"\n")
        event: dict[str, Any] = json.loads(line)
        return event

    def stopped(self) -> int | None:
        """The id of a process of the group that is stopped."""
        return next(iter(stopped_of_group(self._popen.pid)), None)

    def end(self, seconds: float, *, gone: bool = False) -> int:
        """End all processes of the group; the exit code of the first.

        Args:
            seconds: how long they may take before they are killed.
            gone: they end without being told.
        """
        os.close(self._orders)
        try:
            # A stopped process obeys SIGTERM only when it goes on.
            for each in () if gone else (signal.SIGTERM, signal.SIGCONT):
                self._signal(each)
            self._await(seconds)
        finally:
            # Also after a second Ctrl-C. The first process is not waited for yet, so that its id
            # still means this group.
            self._signal(signal.SIGKILL)
            os.close(self._events)
        return self._popen.wait()

    def _signal(self, number: signal.Signals) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._popen.pid, number)

    def _await(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        how = os.WEXITED | os.WNOWAIT | os.WNOHANG
        while os.waitid(os.P_PID, self._popen.pid, how) is None and time.monotonic() < until:
            time.sleep(0.02)


def environment_for(threads: int, further: Mapping[str, str]) -> dict[str, str]:
    """The environment of a worker with so many threads: this process's, and what is added."""
    return {
        **os.environ,
        "OMP_NUM_THREADS": str(threads),
        "MKL_NUM_THREADS": str(threads),
        "TOKENIZERS_PARALLELISM": "false",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        **further,
    }


def _changes_of(ending: int | _Overdue, log: Path) -> dict[str, object]:
    """What ``arm.json`` says of an arm whose worker wrote nothing there."""
    if isinstance(ending, int):
        return {"status": "failed", "failure": _failure_of_exit(ending, log)}
    if ending.status == "skipped":
        return {"status": "skipped", "reason": ending.message}
    failure = Failure(kind="hung", message=ending.message, traceback=_tail(log))
    return {"status": "failed", "failure": failure}


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-30:])


def _failure_of_exit(code: int, log: Path) -> Failure:
    """What a report says of a worker that ended without a word."""
    tail = _tail(log)
    if code >= 0:
        message = f"the worker ended with exit code {code} before it was done; see {log.name}"
        return Failure(kind="crashed", message=message, traceback=tail)
    name = signal.Signals(-code).name
    hint = ", as the system does when memory runs out" if name == "SIGKILL" else ""
    message = f"the worker was ended by {name}{hint}; answers given so far are kept"
    return Failure(kind="killed", message=message, traceback=tail)
