"""The ``advisor`` command: registers every command and turns errors into messages."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

from advisor.cli.output import guard_the_terminal, remark, seen_through, show_bug
from advisor.errors import InterruptionError
from strategies.visible import visible

# A paragraph is one line: typer keeps the breaks inside it.
HELP = (
    "Prompt it, retrieve for it, tune it, or combine them?\n\n"
    "ask gives advice with evidence, bench runs the candidates on one eval set, report writes "
    "the decision down. estimate says beforehand what memory, time and money it takes.\n\n"
    "Exit codes: 0 done, 1 a bug, 2 wrong use, 3 unusable data or answers, 4 model not found or "
    "unusable, 5 no method fits the task, 6 run folder, home or cache locked, damaged or full, "
    "7 flowchart unusable, 8 a watched method does worse, 9 a number was not reproduced, "
    "10 a method of a bench failed, "
    "130 interrupted."
)


_COMMANDS = (
    "ask", "probe", "flowchart", "power", "bench", "merge", "report", "compare",
    "reproduce", "watch", "verify", "tasks", "methods", "init", "models", "estimate",
)  # fmt: skip


@contextmanager
def _wrong_calls_made_visible() -> Iterator[None]:
    """Typer prints the message of a wrong call itself, and with it what was typed."""
    try:
        yield
    except Exception as error:
        seen_through(error)
        raise


class _Commands(TyperGroup):
    """The commands; Ctrl-C, also in a prompt, ends every one of them in the same way.

    Each is a module of its own, imported when it is asked for, so that none slows another down.
    It holds a function of the command's name, or a typer application, ``NAME_app``.
    """

    def list_commands(self, ctx: Any) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in _COMMANDS:
            return None
        module = import_module(f"advisor.cli.{cmd_name}")
        made = getattr(module, f"{cmd_name}_app", None)
        if made is None:
            made = typer.Typer()
            made.command()(getattr(module, cmd_name))
        command = typer.main.get_command(made)
        command.name = cmd_name
        return command

    def make_context(
        self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any
    ) -> Any:
        with _wrong_calls_made_visible():
            return super().make_context(info_name and visible(info_name), args, parent, **extra)

    def invoke(self, ctx: Any) -> Any:
        # typer itself ends a prompt with exit code 1, and anything else without a word.
        try:
            with _wrong_calls_made_visible():
                return super().invoke(ctx)
        except (KeyboardInterrupt, typer.Abort):
            raise InterruptionError("\nInterrupted. What was finished is kept.") from None


app = typer.Typer(cls=_Commands, no_args_is_help=True, pretty_exceptions_enable=False)
app.callback(help=HELP)(lambda: None)


def _of_system(error: OSError) -> tuple[int | None, str]:
    """Exit code and message of a full disk or an impossible name; None for any other error."""
    from strategies.errors import name_trouble, storage_trouble

    trouble, name = storage_trouble(error), name_trouble(error)
    return (6, trouble) if trouble else (2, name) if name else (None, "")


def main() -> None:
    """Run the command line; errors that a user can solve end without a traceback."""
    # Little is thrown away while modules are imported and a chart is walked.
    gc.set_threshold(100_000)
    guard_the_terminal()
    try:
        app()
    except Exception as error:
        code, message = getattr(error, "exit_code", None), str(error)
        if isinstance(error, OSError):
            code, message = _of_system(error)
        if not isinstance(code, int):
            sys.excepthook = show_bug
            raise
        remark(message)
        sys.exit(code)


if __name__ == "__main__":
    main()
