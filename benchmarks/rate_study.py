"""Checks how learning rates are settled: ``python -m benchmarks.rate_study --out FOLDER``.

Every cell is a model, a task and a method. The method is trained as a bench trains it, then at a
quarter and at four times the rate that was settled. No test item is looked at. A cell is a JSON
file; pieces that are there are not measured again, so a study can be interrupted and widened.
"""

from __future__ import annotations

import argparse
import gc
import sys
from collections.abc import Sequence
from pathlib import Path

from pydantic import Field

from benchmarks.environment import allowed_cores
from benchmarks.plan import Limits, Plan
from benchmarks.preparing import prepare_arm
from benchmarks.store import ArtifactStore, read_record, write_record
from benchmarks.tasks.catalogue import load_task
from strategies.data import Frozen
from strategies.device import resolve_precision
from strategies.errors import RunError
from strategies.method import registry
from strategies.settings import TRAINING_VERSION
from strategies.training_record import Attempt, TrainingRecord

# The settled rate is compared with these multiples of it.
FACTORS = (0.25, 4.0)


class Cell(Frozen):
    """One model, task and method.

    Attributes:
        model: short name of the model.
        training_version: of the code that trains; another one may give other weights.
        metric: name of the task's metric.
        record: of the training with the settled rate; None before it was made.
        seconds: wall time of that training, the search for the rate included.
        neighbours: factor of the settled rate to the one attempt at that rate.
    """

    model: str
    task: str
    method: str
    train: int
    validation: int
    precision: str
    training_version: int = TRAINING_VERSION
    metric: str = ""
    record: TrainingRecord | None = None
    seconds: float | None = None
    neighbours: dict[str, Attempt] = Field(default_factory=dict)

    @property
    def file_name(self) -> str:
        """Where the cell is kept below the study's folder."""
        return f"{self.model}-{self.task}-{self.method}.json"


def main(arguments: Sequence[str]) -> None:
    """Measure the cells that are missing and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--models",
        nargs="+",
        default=["135m=smollm2-135m-instruct"],
        metavar="NAME=MODEL",
        help="a short name and a packaged model, folder, GGUF file or hub id",
    )
    parser.add_argument("--tasks", nargs="+", default=["ticket-triage", "release-json"])
    parser.add_argument("--methods", nargs="+", default=["lora", "full"])
    parser.add_argument("--train", type=int, default=100)
    parser.add_argument("--validation", type=int, default=100)
    parser.add_argument("--out", type=Path, default=Path("reports/learning-rates"))
    parser.add_argument("--table-only", action="store_true", help="measure nothing")
    given = parser.parse_args(arguments)
    for model in () if given.table_only else given.models:
        name, _, path = model.partition("=")
        for task in given.tasks:
            for method in given.methods:
                _measure(given, name, path, task, method)
    from benchmarks.report.rates import rates_report

    cells = [read_record(path, Cell) for path in sorted(given.out.glob("*.json"))]
    (given.out / "report.md").write_text(rates_report(cells), encoding="utf-8")


def _measure(given: argparse.Namespace, name: str, path: str, task: str, method: str) -> None:
    cell = Cell(
        model=name,
        task=task,
        method=method,
        train=given.train,
        validation=given.validation,
        precision=resolve_precision("auto"),
    )
    file = given.out / cell.file_name
    cell = _as_kept(file, cell) if file.exists() else cell
    if cell.record is None:
        record, seconds = _train(cell, path, None)
        cell = cell.model_copy(
            update={"record": record, "seconds": seconds, "metric": load_task(task).metric}
        )
        _keep(file, cell)
    for factor in FACTORS:
        if f"{factor:g}" not in cell.neighbours and cell.record is not None:
            # Of the settled rate, which a repetition may have lowered before weights were kept.
            record, _ = _train(cell, path, cell.record.attempts[0].rate * factor)
            neighbours = {**cell.neighbours, f"{factor:g}": record.attempts[record.kept]}
            cell = cell.model_copy(update={"neighbours": neighbours})
            _keep(file, cell)


def _as_kept(file: Path, wanted: Cell) -> Cell:
    """The cell of a file.

    Raises:
        RunError: it was measured in another way than is wanted.
    """
    kept = read_record(file, Cell)
    for name in ("train", "validation", "precision", "training_version"):
        there, asked = getattr(kept, name), getattr(wanted, name)
        if there != asked:
            raise RunError(
                f"{file} was measured with {name} {there}, not {asked}. Ask for {there}, or give "
                "another folder with --out."
            )
    return kept


def _keep(file: Path, cell: Cell) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    write_record(file, cell)


def _train(cell: Cell, model: str, rate: float | None) -> tuple[TrainingRecord, float | None]:
    method = registry().method(cell.method)
    if rate is not None:
        method = method.with_training(learning_rate=rate)
    plan = Plan(
        task=cell.task,
        model=model,
        methods=(method,),
        precision=resolve_precision("auto"),
        threads=allowed_cores(),
        limits=Limits(train=cell.train, validation=cell.validation),
    )
    task = load_task(cell.task).cut(plan.limits)
    made = prepare_arm(plan, task, method, 0, ArtifactStore(), _Told(cell, rate))
    record, seconds = made.training, made.cost.train_seconds
    del made
    gc.collect()
    if record is None:
        raise TypeError(f"{cell.method} trains nothing")
    return record, seconds


class _Told:
    """Prints every tenth of a training's steps."""

    def __init__(self, cell: Cell, rate: float | None) -> None:
        self._name = f"{cell.model} {cell.task} {cell.method} {rate or 'settled'}"

    def __call__(self, phase: str, done: int, total: int) -> None:
        if done % max(1, total // 10) == 0:
            print(f"{self._name}: {phase} {done} of {total}", flush=True)  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1:])
