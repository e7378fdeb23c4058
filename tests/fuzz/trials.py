"""One trial: a call that returns, or ends with one clear message, in time."""

from __future__ import annotations

import contextlib
import io
import re
import resource
import signal
import sys
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import psutil

from advisor.errors import AdvisorError
from strategies.errors import UserError

SECONDS = 20  # A loader takes far less; a shared machine may stand still for a while.
_PYDANTIC = re.compile(r"validation error|pydantic|Input should be|type=\w+, input")


class HangError(BaseException):
    """A call ran past its time; no handler of ours catches it."""


@contextlib.contextmanager
def in_memory(gibibytes: int = 4) -> Iterator[None]:
    """Let a block take so much more memory than the process has now; then it meets MemoryError."""
    used = psutil.Process().memory_info().vms
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (used + gibibytes * 2**30, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


@contextlib.contextmanager
def in_time(seconds: int = SECONDS) -> Iterator[None]:
    """Raise `HangError` in a block that runs longer."""

    def stop(*_: Any) -> None:
        raise HangError(f"ran past {seconds} seconds")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def message_of(call: Callable[[], Any]) -> str | None:
    """The message of the error that a call ends with; None when it returns.

    Any other exception than the two trees of errors that a user can act on is let through.
    """
    with in_time(), in_memory():
        try:
            call()
        except (UserError, AdvisorError) as error:
            return str(error)
    return None


def wrong_with_message(message: str | None) -> list[str]:
    """What a message lacks, or holds that nobody should have to read."""
    if message is None:
        return []
    found = [] if message.strip() else ["it is empty"]
    found += [f"it holds {part.group()!r}" for part in _PYDANTIC.finditer(message)]
    return found + raw_controls(message)


def raw_controls(text: str) -> list[str]:
    """Control and direction characters that would reach a terminal."""
    odd = {c for c in text if unicodedata.category(c) in {"Cc", "Cs"} and c not in "\n\t"}
    odd |= set(text) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
    return [f"it holds the character U+{ord(c):04X}" for c in sorted(odd)]


class CommandEnd:
    """How a command ended: exit code and everything that it printed."""

    def __init__(self, code: int, text: str) -> None:
        self.code = code
        self.text = text


def command(arguments: Sequence[str]) -> CommandEnd:
    """Run ``advisor`` in this process as the shell would; a bug is let through as it is."""
    from advisor.cli.app import main

    printed = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors="surrogatepass")
    before, sys.argv = sys.argv, ["advisor", *arguments]
    code = 0
    try:
        with (
            in_time(),
            in_memory(),
            contextlib.redirect_stdout(printed),
            contextlib.redirect_stderr(printed),
        ):
            main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    finally:
        sys.argv = before
    printed.flush()
    text = printed.buffer.getvalue().decode("utf-8", "surrogatepass")  # type: ignore[attr-defined]
    return CommandEnd(code, text)


def write(folder: Path, name: str, content: bytes) -> Path:
    """Write a file of a trial."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path
