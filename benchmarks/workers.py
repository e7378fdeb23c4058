"""The processes that work on the arms of a run, each told of one arm after the other."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from benchmarks.forking import LOG
from benchmarks.records import Arm, Failure
from benchmarks.store import RunFolder, arm_folder

# Every answer is on disk already, so a worker that does not go can be killed.
_STOP_SECONDS = 5.0


class Watcher(Protocol):
    """Is told how a run moves on."""

    def started(self, arm: Arm, number: int, total: int) -> None:
        """An arm begins; numbers count from 1."""
        ...

    def advanced(self, arm: Arm, phase: str, done: int, total: int) -> None:
        """An arm moved on."""
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

    def ended(self, arm: Arm) -> None:
        """See `Watcher`."""


class Workers:
    """The process that works on arms, started when the first one needs it."""

    def __init__(
        self,
        folder: RunFolder,
        command: Sequence[str],
        variables: Mapping[str, str],
        watcher: Watcher,
    ) -> None:
        """Workers of a run folder whose lock is held; nothing is started yet.

        Args:
            folder: whose arms they work on.
            command: that, given a run folder, works on the arms that it is told of.
            variables: their environment.
            watcher: told how an arm moves on.
        """
        self.folder = folder
        self.command = command
        self.variables = variables
        self.watcher = watcher
        self.process: subprocess.Popen[bytes] | None = None

    def work_on(self, arm: Arm) -> Arm:
        """What ``arm.json`` says after the arm was worked on."""
        log = arm_folder(self.folder.path, arm.folder) / LOG
        process = self._running(log)
        assert process.stdin is not None
        try:
            process.stdin.write(f"{arm.folder}\n".encode())
            process.stdin.flush()
        except BrokenPipeError:
            pass  # It ended before it was asked: its exit code says how.
        code = _follow(process, arm, self.watcher)
        if code is None:
            code = process.wait()
            self.stop()
        ended = self.folder.read_arm(arm.folder)
        if ended.status == "pending":
            failure = _failure_of_exit(code, log)
            ended = ended.model_copy(update={"status": "failed", "failure": failure})
            self.folder.write_arm(ended)
        return ended

    def _running(self, log_path: Path) -> subprocess.Popen[bytes]:
        if self.process is None:
            with log_path.open("ab") as log:
                self.process = subprocess.Popen(
                    [*self.command, str(self.folder.path.resolve())],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    env=self.variables,
                    pass_fds=(self.folder.lock.handle,),
                    # Ctrl-C reaches this process alone, which then stops the workers in order.
                    start_new_session=True,
                )
        return self.process

    def stop(self) -> None:
        """End the process and the arm it works on; nothing that was finished is lost."""
        process, self.process = self.process, None
        if process is None:
            return
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with suppress(BrokenPipeError):
                    pipe.close()
        for end in (signal.SIGTERM, signal.SIGKILL):
            with suppress(ProcessLookupError):
                os.killpg(process.pid, end)
            try:
                process.wait(_STOP_SECONDS)
                return
            except subprocess.TimeoutExpired:
                continue


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


def _follow(process: subprocess.Popen[bytes], arm: Arm, watcher: Watcher) -> int | None:
    """Exit code of the worker on an arm; None when the whole process ended without a word."""
    assert process.stdout is not None
    for line in process.stdout:
        try:
            event = json.loads(line)
        except ValueError:
            continue  # The last line of a worker that was killed may be cut off.
        if event["event"] == "ended":
            return int(event["code"])
        watcher.advanced(arm, event["phase"], event["done"], event["total"])
    return None


def _failure_of_exit(code: int, log: Path) -> Failure:
    """What a report says of a worker that ended without a word."""
    tail = "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-30:])
    if code >= 0:
        message = f"the worker ended with exit code {code} before it was done; see {log.name}"
        return Failure(kind="crashed", message=message, traceback=tail)
    name = signal.Signals(-code).name
    hint = ", as the system does when memory runs out" if name == "SIGKILL" else ""
    message = f"the worker was ended by {name}{hint}; answers given so far are kept"
    return Failure(kind="killed", message=message, traceback=tail)
