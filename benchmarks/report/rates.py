"""The table of a study of learning rates: did training help, and was the settled rate right?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from benchmarks.report.document import Block, Bullets, Heading, Paragraph, Table
from benchmarks.report.markdown import markdown_text

if TYPE_CHECKING:
    from benchmarks.rate_study import Cell
    from strategies.training_record import TrainingRecord

# A settled rate is good enough if no neighbour's validation loss is lower by more than this.
TOLERANCE_NATS = 0.02


def rates_report(cells: Sequence[Cell]) -> str:
    """The Markdown of a study.

    Args:
        cells: measured, at least in part.
    """
    blocks: list[Block] = [
        Heading(1, "Learning rates that are settled by a range test"),
        Paragraph(
            "Each row is one model, task and method. The first guess of the learning rate "
            "follows the model's family and width; a range test on validation items settles it. "
            "Then the whole training ran at the settled rate, at a quarter of it and at four "
            "times it. Losses are nats per token of the answers, on validation items; no test "
            "item was looked at. One seed. Written by python -m benchmarks.rate_study."
        ),
        Bullets(summary(cells)),
        _table(cells),
        Heading(2, "The range tests"),
        _trials(cells),
    ]
    return markdown_text(blocks, "")


def summary(cells: Sequence[Cell]) -> list[str]:
    """How many cells meet each criterion."""
    done = [cell for cell in cells if cell.record is not None]
    helped = [cell for cell in done if helped_at_once(cell)]
    judged = [cell for cell in done if gap_to_best(cell) is not None]
    near = [cell for cell in judged if (gap_to_best(cell) or 0.0) <= TOLERANCE_NATS]
    return [
        f"Training improved on the start without a fallback to a lower rate in {len(helped)} of "
        f"{len(done)} cells.",
        f"The settled rate's validation loss is within {TOLERANCE_NATS:g} nats per token of the "
        f"best of the three rates in {len(near)} of {len(judged)} cells.",
    ]


def helped_at_once(cell: Cell) -> bool:
    """Whether the first attempt improved on the start."""
    return cell.record is not None and bool(cell.record.attempts[0].improved)


def gap_to_best(cell: Cell) -> float | None:
    """By how much the best of the three rates has a lower loss, 0 where it is the settled one.

    Returns:
        nats per token; None while one of the neighbours is missing, or where no training reached
        a validation. Infinite where the training at the settled rate alone did not.
    """
    if cell.record is None or len(cell.neighbours) < 2:
        return None
    settled = cell.record.attempts[0].best_loss
    losses = [attempt.best_loss for attempt in cell.neighbours.values()]
    best = min((loss for loss in (settled, *losses) if loss is not None), default=None)
    if best is None:
        return None
    return math.inf if settled is None else settled - best


def _table(cells: Sequence[Cell]) -> Table:
    head = ("model", "task", "method", "guess", "settled", "start", "settled loss")
    return Table(
        head=(*head, "at 1/4", "at 4 times", "gap", "metric", "before", "after", "seconds"),
        rows=[_row(cell, cell.record) for cell in cells if cell.record is not None],
        figures=True,
    )


def _row(cell: Cell, record: TrainingRecord) -> tuple[str, ...]:
    first = record.attempts[0]
    quarter, four = (cell.neighbours.get(factor) for factor in ("0.25", "4"))
    return (
        cell.model,
        cell.task,
        cell.method,
        f"{record.choice.first_guess:.1e}" if record.choice else "–",
        f"{first.rate:.1e}",
        _loss(record.start_loss),
        _loss(first.best_loss),
        _loss(quarter.best_loss if quarter else None),
        _loss(four.best_loss if four else None),
        _loss(gap_to_best(cell)),
        cell.metric,
        _loss(record.start_metric),
        _loss(first.metric),
        f"{cell.seconds:.0f}" if cell.seconds else "–",
    )


def _trials(cells: Sequence[Cell]) -> Table:
    rows = []
    for cell in cells:
        choice = cell.record.choice if cell.record else None
        if choice:
            tried = ", ".join(
                f"{trial.rate:.1e}: {_loss(trial.loss)}"
                for trial in sorted(choice.trials, key=lambda trial: trial.rate)
            )
            margin = "–" if choice.margin is None else f"{choice.margin:.3f}"
            error = "–" if choice.margin_error is None else f"{choice.margin_error:.3f}"
            name = f"{cell.model} {cell.task} {cell.method}"
            rows.append((name, tried, f"{margin} ± {error}", str(choice.steps)))
    return Table(
        head=("cell", "rate: validation loss", "margin ± standard error", "steps"), rows=rows
    )


def _loss(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
