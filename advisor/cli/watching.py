"""How a run moves on, shown on a terminal or said in lines."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    TaskID,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from advisor.cli.screen import bars, word
from strategies.visible import one_line

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

    from benchmarks.records import Arm, Failure

# How often a long phase says where it is when nobody looks at a terminal.
_PLAIN_SECONDS = 30.0


def live(console: Console) -> Progress:
    """The bars that a `LiveWatcher` moves."""
    return bars(
        console,
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        word("left"),
        TimeRemainingColumn(),
    )


class LiveWatcher:
    """Shows the arms, and the phase of each arm that runs, with the time left."""

    def __init__(self, progress: Progress) -> None:
        """A watcher that draws on a running progress display."""
        self._progress = progress
        self._arms = progress.add_task("arms", total=None)
        self._phases: dict[str, tuple[str, TaskID]] = {}

    def started(self, arm: Arm, number: int, total: int) -> None:
        """See `benchmarks.workers.Watcher`."""
        self._progress.update(self._arms, total=total, completed=number - 1)

    def advanced(self, arm: Arm, phase: str, done: int, total: int) -> None:
        """See `benchmarks.workers.Watcher`."""
        if self._phases.get(arm.folder, ("",))[0] != phase:
            self._clear(arm)
            bar = self._progress.add_task(f"{arm.folder}: {phase}", total=total)
            self._phases[arm.folder] = phase, bar
        self._progress.update(self._phases[arm.folder][1], completed=done, total=total)

    def noted(self, arm: Arm, text: str) -> None:
        """See `benchmarks.workers.Watcher`."""
        self._progress.console.print(note(arm, text))

    def ended(self, arm: Arm) -> None:
        """See `benchmarks.workers.Watcher`."""
        self._clear(arm)
        self._progress.advance(self._arms)
        self._progress.console.print(outcome(arm))

    def _clear(self, arm: Arm) -> None:
        if arm.folder in self._phases:
            self._progress.remove_task(self._phases.pop(arm.folder)[1])


@dataclass
class _Phase:
    """A phase of an arm, how much of it was done when it began, and when it was last told."""

    name: str
    first: int
    began: float = field(default_factory=time.monotonic)
    said: float = field(default_factory=time.monotonic)


class PlainWatcher:
    """Says a line when an arm starts or ends, and now and then in a long phase."""

    def __init__(self, console: Console) -> None:
        """A watcher that prints lines."""
        self._console = console
        self._latest = ""
        self._phases: dict[str, _Phase] = {}

    def started(self, arm: Arm, number: int, total: int) -> None:
        """See `benchmarks.workers.Watcher`."""
        self._latest = arm.folder
        if arm.status == "pending":
            self._console.print(f"[{number}/{total}] {arm.folder}")

    def advanced(self, arm: Arm, phase: str, done: int, total: int) -> None:
        """See `benchmarks.workers.Watcher`."""
        # Arms that run side by side are named.
        of = phase if arm.folder == self._latest else f"{arm.folder}: {phase}"
        now = time.monotonic()
        before = self._phases.get(arm.folder)
        if before is None or before.name != phase:
            self._phases[arm.folder] = _Phase(phase, done)
            self._console.print(f"  {of}: {total}")
        elif now - before.said >= _PLAIN_SECONDS and done > before.first:
            left = (now - before.began) / (done - before.first) * (total - done)
            before.said = now
            self._console.print(f"  {of}: {done} of {total}, about {left:.0f} s left")

    def noted(self, arm: Arm, text: str) -> None:
        """See `benchmarks.workers.Watcher`."""
        self._console.print(f"  {note(arm, text)}", soft_wrap=True)

    def ended(self, arm: Arm) -> None:
        """See `benchmarks.workers.Watcher`."""
        self._phases.pop(arm.folder, None)
        self._console.print(f"  {outcome(arm)}", soft_wrap=True)


def note(arm: Arm, text: str) -> str:
    """One line on what happened in an arm."""
    return f"{arm.folder}: Note: {one_line(text)}"


def outcome(arm: Arm) -> str:
    """One line on how an arm ended."""
    if arm.status != "finished":
        return f"{arm.folder}: {arm.status}: {_why(arm.reason, arm.failure)}"
    metric, score = next(iter(arm.scores.items()))
    reused = f" ({', '.join(arm.reused)} reused)" if arm.reused else ""
    return f"{arm.folder}: {metric} {'–' if score is None else f'{score:.3f}'}{reused}"


def _why(reason: str, failure: Failure | None) -> str:
    return one_line(f"{failure.kind}: {failure.message}" if failure else reason)
