"""Collects what is wrong with input data, so that one message can list it all."""

from __future__ import annotations

from pathlib import Path

from strategies.errors import DataError

LINES_SHOWN = 12
VALUE_SHOWN = 60


class Problems:
    """Problems by file and message; the lines that share a problem are listed together."""

    def __init__(self, subject: str, next_step: str) -> None:
        """An empty list.

        Args:
            subject: what is being read, for the headline.
            next_step: what the user should do about it.
        """
        self.subject = subject
        self.next_step = next_step
        self._lines: dict[tuple[str, str], list[int]] = {}

    def __bool__(self) -> bool:
        """Whether there is any problem."""
        return bool(self._lines)

    def about(self, file: Path) -> bool:
        """Whether there is any problem of this file."""
        return any(name == file.name for name, _ in self._lines)

    def add(self, file: Path | str, message: str, line: int | None = None) -> None:
        """Note a problem of a file, or of one of its lines (counted from 1)."""
        name = file if isinstance(file, str) else file.name
        lines = self._lines.setdefault((name, message), [])
        if line is not None:
            lines.append(line)

    def raise_if_any(self) -> None:
        """Raise all that was noted.

        Raises:
            DataError: something was noted.
        """
        if self._lines:
            raise DataError(self.text())

    def text(self) -> str:
        """The message: a headline, one line a problem, the next step."""
        count = sum(max(1, len(lines)) for lines in self._lines.values())
        noun = "problem" if count == 1 else "problems"
        found = [_place(file, lines) + message for (file, message), lines in self._lines.items()]
        return "\n".join([f"{self.subject}: {count} {noun}.", *found, self.next_step])


def shown(value: object) -> str:
    """A value as a message may quote it: on one line, and not too long."""
    text = repr(value)
    return text if len(text) <= VALUE_SHOWN else text[: VALUE_SHOWN - 1] + "…"


def _place(file: str, lines: list[int]) -> str:
    if not lines:
        return f"  {file}: "
    listed = ", ".join(str(line) for line in lines[:LINES_SHOWN])
    more = f" and {len(lines) - LINES_SHOWN} more" if len(lines) > LINES_SHOWN else ""
    return f"  {file} line{'s' if len(lines) > 1 else ''} {listed}{more}: "
