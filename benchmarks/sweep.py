"""Chooses learning rates on validation loss: ``python -m benchmarks.sweep``.

Trains every method at every rate on each task and keeps the rate with the lowest validation
loss, averaged over the tasks relative to each task's best. No test item is looked at.
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

_VALIDATION = 20
_RATES = {"lora": (3e-4, 1e-3, 3e-3), "full": (3e-5, 1e-4, 3e-4)}


class Trial(Frozen):
    """One training: the lowest validation loss it reached."""

    method: str
    task: str
    learning_rate: float
    epochs: int
    train: int
    validation_loss: float


def main(arguments: Sequence[str]) -> None:
    """Run the sweep and write its trials as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tasks", default="ticket-triage,release-json")
    parser.add_argument("--methods", default="lora,full")
    parser.add_argument("--train", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("reports/learning-rates.json"))
    given = parser.parse_args(arguments)
    trials = []
    for task in given.tasks.split(","):
        for name in given.methods.split(","):
            for rate in _RATES[name]:
                trials.append(_trial(task, name, rate, given.train, given.epochs))
                print(trials[-1].model_dump_json(), flush=True)  # noqa: T201
    chosen = {name: best_rate(trials, name) for name in given.methods.split(",")}
    record = {"chosen": chosen, "trials": [trial.model_dump() for trial in trials]}
    write_atomic(given.out, json.dumps(record, indent=2) + "\n")


def _trial(task_name: str, method_name: str, rate: float, train: int, epochs: int) -> Trial:
    plan = Plan(
        task=task_name,
        methods=(registry().method(method_name).with_training(learning_rate=rate, epochs=epochs),),
        precision=resolve_precision("auto"),
        threads=allowed_cores(),
        limits=Limits(train=train, validation=_VALIDATION),
    )
    task = load_task(task_name).cut(plan.limits)
    made = prepare_arm(plan, task, plan.methods[0], 0, ArtifactStore(), silent)
    losses = [point.validation_loss for point in made.curve if point.validation_loss is not None]
    return Trial(
        method=method_name,
        task=task_name,
        learning_rate=rate,
        epochs=epochs,
        train=len(task.train),
        validation_loss=min(losses),
    )


def best_rate(trials: Sequence[Trial], method: str) -> float:
    """The learning rate whose loss is lowest on average, each task's losses over its best."""
    mine = [trial for trial in trials if trial.method == method]
    best = {
        task: min(t.validation_loss for t in mine if t.task == task)
        for task in {t.task for t in mine}
    }
    rates = {trial.learning_rate for trial in mine}
    return min(
        rates,
        key=lambda rate: statistics.fmean(
            t.validation_loss / best[t.task] for t in mine if t.learning_rate == rate
        ),
    )


if __name__ == "__main__":
    main(sys.argv[1:])
