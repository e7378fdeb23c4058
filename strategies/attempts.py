"""Trains until validation improves on the start: again at a lower rate, at most twice."""

from __future__ import annotations

import logging
import math
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import stdev

from strategies.checked_files import FileSum, damage, kept_json, sums_of, write_json
from strategies.progress import Progress, silent
from strategies.training import Trained, TrainingJob, release_memory, train
from strategies.training_record import Attempt, Scored

log = logging.getLogger(__name__)
# How often a training that did not help is repeated, and by how much its rate falls each time.
_REPEATS, _FACTOR = 2, 4.0
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Outcome:
    """What several attempts at a training left behind.

    Attributes:
        trained: of the attempt that was kept.
        attempts: all of them.
        kept: place of the one that was kept.
    """

    trained: Trained
    attempts: tuple[Attempt, ...]
    kept: int


@dataclass(frozen=True)
class Check:
    """What an attempt is judged by, beside the validation loss.

    Attributes:
        start: the task's metric on validation items before training; None where it is not
            measured.
        measure: the same of the weights in a folder.
        repeat: whether a training that did not help is repeated at a lower rate.
    """

    start: Scored | None
    measure: Callable[[Path], Scored]
    repeat: bool


def train_until_improved(
    job: TrainingJob, check: Check, scratch: Path, folder: Path, progress: Progress = silent
) -> Outcome:
    """Train, and repeat at a quarter of the rate while validation does not improve on the start.

    The weights of the first attempt that improves are kept; if none does, those of the lowest
    validation loss.

    Args:
        job: its learning rate is settled.
        check: how an attempt is judged.
        scratch: resumable state; whoever keeps the weights removes it.
        folder: where the kept weights are saved.
        progress: told of every optimiser step.
    """
    attempts: list[Attempt] = []
    done: list[Trained] = []
    while True:
        number = len(attempts)
        saved = scratch / f"attempt-{number}"
        trained = _trained_once(job, scratch / f"checkpoints-{number}", saved, progress)
        began = time.perf_counter()
        metric = None if check.start is None else check.measure(saved)
        checking = time.perf_counter() - began
        attempts.append(
            Attempt(
                rate=job.rate,
                best_loss=trained.best_loss,
                metric=metric.value if metric else None,
                spiked=trained.spiked,
                improved=_improved(trained, check.start, metric),
                seconds=trained.seconds + checking,
            )
        )
        done.append(trained)
        if attempts[-1].improved is not False or not check.repeat or number == _REPEATS:
            break
        job = job.at_rate(job.rate / _FACTOR)
    kept = number if attempts[-1].improved is not False else _lowest(attempts)
    shutil.rmtree(folder, ignore_errors=True)
    (scratch / f"attempt-{kept}").rename(folder)
    return Outcome(done[kept], tuple(attempts), kept)


def _trained_once(job: TrainingJob, checkpoints: Path, saved: Path, progress: Progress) -> Trained:
    """Train, or take what an earlier session finished and could not keep.

    A finished training is never resumed: one that stopped early would go on from its last
    checkpoint and end otherwise than without an interruption.
    """
    note = saved.with_suffix(".json")
    if os.path.lexists(note):
        known = kept_json(note)
        why = damage(saved, _sums(known["files"])) if known else None
        if known and not why:
            return Trained(**known["trained"])
        if why:
            log.warning("%s. The training is repeated.", why)
        note.unlink(missing_ok=True)
        for folder in (checkpoints, saved):
            shutil.rmtree(folder, ignore_errors=True)
    trained = train(job, checkpoints, saved, progress)
    release_memory()
    files = {name: each.model_dump() for name, each in sums_of(saved).items()}
    write_json(note, {"trained": asdict(trained), "files": files})
    return trained


def _sums(noted: dict[str, object]) -> dict[str, FileSum]:
    return {name: FileSum.model_validate(each) for name, each in noted.items()}


def _improved(trained: Trained, start: Scored | None, now: Scored | None) -> bool | None:
    """Whether validation is better than before the first step; None without validation.

    The loss must be lower, and the task's metric must not have fallen: a model that gives the most
    frequent label to everything can have a lower loss than an untrained one.
    """
    if trained.start_loss is None:
        return None
    best = trained.best_loss
    if trained.spiked or best is None or best >= trained.start_loss:
        return False
    return start is None or now is None or not has_fallen(start, now)


def has_fallen(start: Scored, now: Scored) -> bool:
    """Whether a metric is lower by more than the standard error of the difference.

    Args:
        start: before training.
        now: afterwards, on the same items.
    """
    if start.value is None or now.value is None:
        return False
    pairs = zip(start.items, now.items, strict=True)
    differences = [before - after for before, after in pairs]
    if len(differences) < 2:
        return now.value < start.value
    error = stdev(differences) / math.sqrt(len(differences))
    # The change of a single item equals its own standard error.
    return start.value - now.value > error + _ROUNDING


def _lowest(attempts: list[Attempt]) -> int:
    losses = [math.inf if a.best_loss is None else a.best_loss for a in attempts]
    return losses.index(min(losses))
