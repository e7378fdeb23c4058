"""A process of its own for what may take all time and memory; it is ended when it does."""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
import threading
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks.tasks import limited_child

# A request that its own limit ends is given this long to say so. A slow machine needs it.
_GRACE_SECONDS = 1.0
_START_SECONDS = 60.0


class EndedError(Exception):
    """The process was ended: the request took too long or too much memory."""


class FailedError(Exception):
    """The request cannot be met; the message says why."""


class LimitedProcess:
    """Runs `benchmarks.tasks.limited_child` and starts it again after it was ended.

    It ends with its parent, as its input is closed then, and it holds none of the parent's files,
    such as the lock of a run folder. A short search for a pattern takes .2 ms in all, a start
    140 ms (two busy cores, November 2026).
    """

    def __init__(self) -> None:
        """Starts nothing yet."""
        self._process: subprocess.Popen[str] | None = None
        self._owner = 0
        self._alone = threading.Lock()

    def ask(self, request: dict[str, Any], seconds: float) -> Any:
        """The reply to a request.

        Args:
            request: what `limited_child` understands.
            seconds: time limit.

        Raises:
            EndedError: it took longer, or too much memory.
            FailedError: it cannot be met.
        """
        line = json.dumps({**request, "seconds": seconds}) + "\n"
        with self._alone:
            answer = self._exchange(self._running(), line, seconds + _GRACE_SECONDS)
        reply = json.loads(answer) if answer.endswith("\n") else None
        if reply is None:
            raise EndedError
        if "error" in reply:
            raise FailedError(reply["error"])
        return reply["value"]

    def close(self) -> None:
        """End the process; the next request starts another."""
        process, self._process = self._process, None
        # A forked copy of this process shares the pipes and must leave the child alone.
        if process is None or self._owner != os.getpid():
            return
        process.kill()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                with suppress(OSError):
                    stream.close()
        process.wait()

    def _running(self) -> subprocess.Popen[str]:
        if self._process is None or self._process.poll() is not None:
            self.close()
            self._owner = os.getpid()
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(Path(limited_child.__file__).resolve())],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                encoding="ascii",
                close_fds=True,
                cwd=Path(sys.executable).anchor,
            )
            if self._exchange(self._process, "", _START_SECONDS) != "ready\n":
                self.close()
                raise RuntimeError(f"{sys.executable} cannot run {limited_child.__file__}")
        return self._process

    def _exchange(self, process: subprocess.Popen[str], line: str, seconds: float) -> str:
        """What the process says to a line; "" or less than a line when it ended."""
        assert process.stdin is not None
        assert process.stdout is not None
        late = threading.Event()

        def end() -> None:
            late.set()
            process.kill()

        timer = threading.Timer(seconds, end)
        timer.daemon = True
        timer.start()
        try:
            process.stdin.write(line)
            process.stdin.flush()
            answer = process.stdout.readline()
        except OSError:
            answer = ""
        except BaseException:
            # Whoever interrupts the exchange leaves a reply behind that belongs to no request.
            self.close()
            raise
        finally:
            timer.cancel()
            timer.join()
        if late.is_set() or not answer.endswith("\n"):
            self.close()
        return answer


@cache
def limited_process() -> LimitedProcess:
    """The one of this process; a forked copy of it gets its own."""
    os.register_at_fork(after_in_child=limited_process.cache_clear)
    process = LimitedProcess()
    atexit.register(process.close)
    return process
