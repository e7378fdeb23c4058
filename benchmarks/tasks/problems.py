"""Collects what is wrong with input data, and what a user should know of it, with its lines."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from strategies.errors import DataError

LINES_SHOWN = 12
VALUE_SHOWN = 60


class Problems:
    """Problems and notes by file and message; the lines that share one are listed together.

    A problem stops the reading. A note does not: it says what was left out or taken otherwise.
    """

    def __init__(self, subject: str, next_step: str) -> None:
        """An empty list.

        Args:
            subject: what is being read, for the headline.
            next_step: what the user should do about it.
        """
        self.subject = subject
        self.next_step = next_step
        self._lines: dict[tuple[str, str], list[int]] = {}
        self._notes: dict[tuple[str, str], list[int]] = {}
        self._units: dict[str, str] = {}
        self._names: dict[Path, str] = {}

    def __bool__(self) -> bool:
        """Whether there is any problem."""
        return bool(self._lines)

    def about(self, file: Path) -> bool:
        """Whether there is any problem of this file."""
        return any(name == self._name(file) for name, _ in self._lines)

    def first_line(self, file: Path) -> int | None:
        """The first line of this file that has a problem, None when no line has one."""
        found = (n for (name, _), ns in self._lines.items() for n in ns if name == self._name(file))
        return min(found, default=None)

    def call(self, file: Path, name: str) -> None:
        """Name a file so in messages; others are named without their folders."""
        self._names[file] = name

    def _name(self, file: Path | str) -> str:
        return file if isinstance(file, str) else self._names.get(file, file.name)

    def add(self, file: Path | str, message: str, line: int | None = None) -> None:
        """Note a problem of a file, or of one of its lines (counted from 1)."""
        lines = self._lines.setdefault((self._name(file), message), [])
        if line is not None:
            lines.append(line)

    def note(self, file: Path | str, message: str, line: int | None = None) -> None:
        """Note what a user should know of a file, or of one of its lines (counted from 1)."""
        lines = self._notes.setdefault((self._name(file), message), [])
        if line is not None:
            lines.append(line)

    def notes(self) -> tuple[str, ...]:
        """All notes, each with its file and lines."""
        return tuple(
            f"{self._place(file, lines)}{message}" for (file, message), lines in self._notes.items()
        )

    def leave_out(self, file: Path, found: Problems) -> None:
        """Note what was found wrong with a file as the reason why it was left out."""
        for (_, message), lines in found._lines.items():
            text = f"{message}; the file was left out"
            self._notes.setdefault((self._name(file), text), []).extend(lines)

    def take_notes(self, file: Path, found: Problems) -> None:
        """Take over the notes on a file that was read on its own."""
        for (_, message), lines in found._notes.items():
            self._notes.setdefault((self._name(file), message), []).extend(lines)

    def count_entries(self, file: Path) -> None:
        """Say that the numbers of this file count the entries of a JSON list, not lines."""
        self._units[self._name(file)] = "entry"

    def unit(self, file: Path | str, count: int) -> str:
        """What the numbers of a file count: "line" or "entry", in the plural where needed."""
        unit = self._units.get(self._name(file), "line")
        return unit if count == 1 else plural(unit)

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
        found = [
            f"  {self._place(file, lines)}{message}"
            for (file, message), lines in self._lines.items()
        ]
        notes = [f"  Note: {note}" for note in self.notes()]
        return "\n".join([f"{self.subject}: {count} {noun}.", *found, *notes, self.next_step])

    def _place(self, file: str, lines: list[int]) -> str:
        if not lines:
            return f"{file}: "
        return f"{file} {self.unit(file, len(lines))} {listed_lines(sorted(lines))}: "


def plural(unit: str) -> str:
    """The plural of "line" or "entry"."""
    return {"line": "lines", "entry": "entries"}[unit]


def listed_lines(lines: Sequence[int]) -> str:
    """Line numbers as a message lists them: the first ones, and how many more there are."""
    more = f" and {len(lines) - LINES_SHOWN} more" if len(lines) > LINES_SHOWN else ""
    return ", ".join(str(line) for line in lines[:LINES_SHOWN]) + more


def shown(value: object) -> str:
    """A value as a message may quote it: on one line, and not too long."""
    text = repr(value)
    return text if len(text) <= VALUE_SHOWN else text[: VALUE_SHOWN - 1] + "…"
