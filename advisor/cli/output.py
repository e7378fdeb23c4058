"""What commands print as plain text: the only way out, besides `advisor.cli.screen`.

Much of it comes from strangers: names of files, labels, answers of models, notes of a run. No
control character of theirs reaches the terminal.
"""

from __future__ import annotations

import logging
import sys
import traceback
import warnings
from types import TracebackType
from typing import Any

import typer

from strategies.visible import visible, visible_json


def tell(text: object = "", *, end: str = "\n") -> None:
    """Print a result to standard output."""
    typer.echo(visible(f"{text}{end}"), nl=False)


def remark(text: object) -> None:
    """Print a remark or an error to standard error."""
    typer.echo(visible(str(text)), err=True)


def tell_json(text: str) -> None:
    """Print JSON, which stays the same JSON."""
    typer.echo(visible_json(text))


def tell_file(text: str) -> None:
    """Print what a file would hold: UTF-8 with its own line ends, whatever the terminal's are."""
    typer.echo(visible(text).encode(), nl=False)


def prompt(text: str, usual: str) -> str:
    """One line of the user's, or the usual one."""
    return str(typer.prompt(visible(text), default=visible(usual)))


def agreed(text: str) -> bool:
    """Whether the user says yes; asked on standard error."""
    return typer.confirm(visible(text), err=True)


def seen_through(error: BaseException) -> None:
    """Make the message of a wrong call visible, before typer prints it with its own console."""
    if hasattr(error, "format_message") and isinstance(getattr(error, "message", None), str):
        error.message = visible(error.message)  # type: ignore[attr-defined]


class _VisibleRecord(logging.LogRecord):
    def getMessage(self) -> str:  # noqa: N802 - the name that logging calls
        return visible(super().getMessage())


def guard_the_terminal() -> None:
    """Let warnings, logs and tracebacks, also of libraries, print nothing unseen."""
    logging.setLogRecordFactory(_VisibleRecord)
    written = warnings.formatwarning

    def formatted(*arguments: Any, **named: Any) -> str:
        return visible(written(*arguments, **named))

    warnings.formatwarning = formatted


def show_bug(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """What `sys.excepthook` does, with a message that is visible."""
    remark("".join(traceback.format_exception(kind, error, trace)).rstrip("\n"))
    sys.stderr.flush()
