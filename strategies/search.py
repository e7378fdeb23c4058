"""Searches over settings: measures points on validation items and records every trial."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from strategies.checked_files import write_atomic
from strategies.checksums import sealed, unsealed
from strategies.data import Frozen

log = logging.getLogger(__name__)
Value = float | int | str | bool
Point = Mapping[str, Value]


class Measured(Frozen):
    """What a point was worth.

    Attributes:
        value: lower is better; None where the point has no value, such as a diverged training.
        items: the value of each validation item, so that two points can be compared in pairs.
    """

    value: float | None
    items: tuple[float, ...] = ()


class Trial(Frozen):
    """One point that was measured.

    Attributes:
        point: setting to value.
        measured: what it was worth.
        seconds: wall time of the measurement.
    """

    point: dict[str, Value]
    measured: Measured
    seconds: float


Propose = Callable[[Sequence[Trial]], Point | None]


class Search:
    """Measures one point after another until there is none left to try.

    Every trial is appended to a file as soon as it is finished. A search that was interrupted
    takes the recorded trials as they are and continues with the next point.
    """

    def __init__(self, record: Path, budget_seconds: float | None = None) -> None:
        """A search.

        Args:
            record: JSON lines of trials; need not exist.
            budget_seconds: no further point is tried once the trials took this long, those
                of earlier sessions included; None is no limit. At least one is tried.
        """
        self._record = record
        self._budget = budget_seconds

    def run(self, propose: Propose, measure: Callable[[Point], Measured]) -> tuple[Trial, ...]:
        """Try points until `propose` has no more.

        Args:
            propose: the next point, given all trials so far; None ends the search. The same
                trials must give the same point.
            measure: measures a point.

        Returns:
            all trials, in the order in which they were made.
        """
        trials = self._recorded()
        while not trials or not self._used_up(trials):
            point = propose(trials)
            if point is None:
                break
            start = time.perf_counter()
            measured = measure(point)
            seconds = time.perf_counter() - start
            trials.append(Trial(point=dict(point), measured=measured, seconds=seconds))
            self._append(trials[-1])
        return tuple(trials)

    def _used_up(self, trials: Sequence[Trial]) -> bool:
        return self._budget is not None and sum(t.seconds for t in trials) >= self._budget

    def _append(self, trial: Trial) -> None:
        self._record.parent.mkdir(parents=True, exist_ok=True)
        with self._record.open("a", encoding="utf-8") as file:
            file.write(sealed(trial.model_dump_json()) + "\n")

    def _recorded(self) -> list[Trial]:
        if not self._record.is_file():
            return []
        lines = self._record.read_bytes().split(b"\n")
        trials = []
        for number, line in enumerate(lines[:-1], start=1):
            try:
                trials.append(Trial.model_validate_json(unsealed(line, required=True)))
            except ValueError:
                # Later trials were chosen by this one.
                log.warning(
                    "%s line %d is damaged; it and later trials are measured again",
                    self._record,
                    number,
                )
                break
        if len(trials) < len(lines) - 1 or lines[-1]:
            # A line that a kill cut short is measured again, too.
            whole = b"".join(line + b"\n" for line in lines[: len(trials)])
            write_atomic(self._record, whole.decode("utf-8"))
        return trials


def best_trial(trials: Sequence[Trial]) -> Trial | None:
    """The trial of lowest value, the earliest of equals; None where no trial has a value."""
    worth = [trial for trial in trials if trial.measured.value is not None]
    return min(worth, key=lambda trial: trial.measured.value or 0.0, default=None)


def _no_limit() -> float:
    return math.inf


def geometric(
    name: str, first: float, factor: float, most: int, below: Callable[[], float] = _no_limit
) -> Propose:
    """Proposes a setting in steps of a factor around a first guess.

    The guess and its lower neighbour come first. While the lowest value is at an edge, the next
    step beyond that edge follows. While no value is low enough, ever lower settings follow.

    Args:
        name: of the setting.
        first: the guess, greater than 0.
        factor: ratio of neighbours, greater than 1.
        most: trials at most.
        below: what a value has to be below to be low enough; asked after two trials.
    """

    def propose(trials: Sequence[Trial]) -> Point | None:
        values = [float(trial.point[name]) for trial in trials]
        if len(values) < 2:
            return {name: first / factor if values else first}
        best = best_trial(trials)
        if len(trials) >= most:
            return None
        if best is None or (best.measured.value or 0.0) >= below():
            return {name: min(values) / factor}
        value = float(best.point[name])
        if _close(value, min(values)):
            return {name: value / factor}
        return {name: value * factor} if _close(value, max(values)) else None

    return propose


def _close(a: float, b: float) -> bool:
    return abs(a - b) <= 1e-6 * max(a, b)
