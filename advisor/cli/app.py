"""The ``advisor`` command: registers every command and turns errors into messages."""

from __future__ import annotations

import sys
from typing import Any

import typer
from typer.core import TyperGroup

from advisor.cli.ask import ask
from advisor.cli.bench import bench
from advisor.cli.compare import compare
from advisor.cli.init import init
from advisor.cli.methods import methods
from advisor.cli.models import models_app
from advisor.cli.report import report
from advisor.cli.tasks import tasks
from advisor.errors import InterruptionError

# A paragraph is one line: typer keeps the breaks inside it.
HELP = (
    "Prompt it, retrieve for it, tune it, or combine them?\n\n"
    "ask gives advice with evidence, bench runs the candidates on one eval set, report writes "
    "the decision down. estimate says beforehand what memory, time and money it takes.\n\n"
    "Exit codes: 0 done, 1 a bug, 2 wrong use, 3 unusable data or answers, 4 model not found, "
    "5 no method fits the task, 6 run folder locked or damaged, 7 flowchart unusable, "
    "130 interrupted."
)


class _Commands(TyperGroup):
    """The commands; Ctrl-C, also in a prompt, ends every one of them in the same way.

    ``estimate`` is made when it is asked for: its options would slow every other command down.
    """

    def list_commands(self, ctx: Any) -> list[str]:
        return [*super().list_commands(ctx), "estimate"]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name != "estimate":
            return super().get_command(ctx, cmd_name)
        from advisor.cli.estimate import estimate_app

        command = typer.main.get_command(estimate_app)
        command.name = cmd_name
        return command

    def invoke(self, ctx: Any) -> Any:
        # typer itself ends a prompt with exit code 1, and anything else without a word.
        try:
            return super().invoke(ctx)
        except (KeyboardInterrupt, typer.Abort):
            raise InterruptionError("\nInterrupted. What was finished is kept.") from None


app = typer.Typer(cls=_Commands, help=HELP, no_args_is_help=True, pretty_exceptions_enable=False)
for command in (ask, bench, report, compare, tasks, methods, init):
    app.command()(command)
app.add_typer(models_app, name="models")


def main() -> None:
    """Run the command line; errors that a user can solve end without a traceback."""
    try:
        app()
    except Exception as error:
        code = getattr(error, "exit_code", None)
        if not isinstance(code, int):
            raise
        sys.stderr.write(f"{error}\n")
        sys.exit(code)


if __name__ == "__main__":
    main()
