"""Asks before the Python code that a task in lm-eval's format names is imported."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from advisor.cli.output import agreed, remark

Trust = Annotated[
    bool, typer.Option("--trust", help="Import the Python code that an lm-eval file names.")
]


def settle_trust(task: str, *, trust: bool) -> None:
    """Let a task that names code be loaded, if its user says so.

    Args:
        task: as `benchmarks.tasks.catalogue.load_task` takes it.
        trust: whether the user has said so already.

    Raises:
        UntrustedCodeError: the user does not, or cannot be asked; the message lists the code.
        DataError: the file cannot be read.
    """
    from benchmarks.tasks.catalogue import untrusted_code
    from benchmarks.tasks.foreign_code import UntrustedCodeError

    file = untrusted_code(task)
    if file is None:
        return
    if not trust and sys.stdin.isatty() and sys.stderr.isatty():
        remark(f"Task {task} imports Python code:\n{file.listed()}")
        trust = agreed("It can do all that you can do. Import it?")
    if not trust:
        try:
            file.refuse_untrusted()
        except UntrustedCodeError as error:
            raise UntrustedCodeError(f"{error} To import it, add: --trust") from None
    file.trust()
