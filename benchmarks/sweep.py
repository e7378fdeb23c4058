"""Chooses batch sizes and learning rates on validation: ``python -m benchmarks.sweep``.

Trains every method with every pair on each task and keeps the pair with the lowest validation
loss, averaged over the tasks relative to each task's best. No test item is looked at. Trials that
the output file holds are not repeated, so a grid can be widened and an interrupted sweep resumed.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.answerer import prepare_arm
from benchmarks.environment import allowed_cores
from benchmarks.plan import Limits, Plan
from benchmarks.store import ArtifactStore, write_atomic
from benchmarks.tasks.catalogue import load_task
from strategies.data import Frozen
from strategies.device import resolve_precision
from strategies.method import registry
from strategies.progress import silent

_RATES = {"lora": (5e-4, 1e-3, 2e-3), "full": (5e-5, 1e-4, 2e-4)}


class Setting(Frozen):
    """What a trial varies."""

    batch_size: int
    learning_rate: float


class Job(Frozen):
    """One training to try: up to ``epochs`` passes over ``train`` items of ``task``."""

    method: str
    task: str
    setting: Setting
    epochs: int
    train: int
    validation: int


class Trial(Frozen):
    """What one training reached: its lowest validation loss, and after how many epochs."""

    job: Job
    validation_loss: float
    best_epoch: float


def main(arguments: Sequence[str]) -> None:
    """Run the trials that are missing and write all of them as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tasks", nargs="+", default=["ticket-triage", "release-json"])
    parser.add_argument("--methods", nargs="+", default=["lora", "full"])
    parser.add_argument("--rates", nargs="+", type=float, help="instead of the method's own grid")
    parser.add_argument("--batch-sizes", nargs="+", type=int, default=[4])
    parser.add_argument("--train", type=int, default=150)
    parser.add_argument("--validation", type=int, default=24)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path("reports/learning-rates.json"))
    given = parser.parse_args(arguments)
    trials = read_trials(given.out)
    known = {trial.job for trial in trials}
    for job in _jobs(given):
        if job not in known:
            trials.append(_trial(job))
            print(trials[-1].model_dump_json(), flush=True)  # noqa: T201
            _write(given.out, trials)


def _jobs(given: argparse.Namespace) -> list[Job]:
    return [
        Job(
            method=method,
            task=task,
            setting=Setting(batch_size=batch_size, learning_rate=rate),
            epochs=given.epochs,
            train=given.train,
            validation=given.validation,
        )
        for task in given.tasks
        for method in given.methods
        for batch_size in given.batch_sizes
        for rate in given.rates or _RATES[method]
    ]


def read_trials(path: Path) -> list[Trial]:
    """The trials of an earlier sweep, none when there is no such file."""
    if not path.exists():
        return []
    return [Trial.model_validate(trial) for trial in json.loads(path.read_text())["trials"]]


def _write(path: Path, trials: Sequence[Trial]) -> None:
    methods = sorted({trial.job.method for trial in trials})
    chosen = {method: best_setting(trials, method).model_dump() for method in methods}
    record = {"chosen": chosen, "trials": [trial.model_dump() for trial in trials]}
    write_atomic(path, json.dumps(record, indent=2) + "\n")


def _trial(job: Job) -> Trial:
    method = registry().method(job.method)
    plan = Plan(
        task=job.task,
        methods=(method.with_training(epochs=job.epochs, **job.setting.model_dump()),),
        precision=resolve_precision("auto"),
        threads=allowed_cores(),
        limits=Limits(train=job.train, validation=job.validation),
    )
    task = load_task(job.task).cut(plan.limits)
    made = prepare_arm(plan, task, plan.methods[0], 0, ArtifactStore(), silent)
    loss, epoch = min(
        (point.validation_loss, point.epoch)
        for point in made.curve
        if point.validation_loss is not None
    )
    return Trial(job=job, validation_loss=loss, best_epoch=epoch)


def best_setting(trials: Sequence[Trial], method: str) -> Setting:
    """The setting whose loss is lowest on average, each task's losses over that task's best.

    Only settings tried on every task the method was tried on are compared, unless there is none.
    """
    mine = [trial for trial in trials if trial.job.method == method]
    tasks = {trial.job.task for trial in mine}
    best = {
        task: min(trial.validation_loss for trial in mine if trial.job.task == task)
        for task in tasks
    }
    relative: dict[Setting, dict[str, float]] = {}
    for trial in mine:
        losses = relative.setdefault(trial.job.setting, {})
        loss = trial.validation_loss / best[trial.job.task]
        losses[trial.job.task] = min(loss, losses.get(trial.job.task, loss))
    everywhere = {setting: losses for setting, losses in relative.items() if set(losses) == tasks}
    compared = everywhere or relative
    return min(compared, key=lambda setting: statistics.fmean(compared[setting].values()))


if __name__ == "__main__":
    main(sys.argv[1:])
