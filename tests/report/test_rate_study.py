"""The study of learning rates: what it keeps, and what it says."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from benchmarks import rate_study
from benchmarks.rate_study import Cell
from benchmarks.report.rates import gap_to_best, rates_report, summary
from benchmarks.store import write_record
from strategies.errors import RunError
from strategies.training_record import Attempt, TrainingRecord


def attempt(rate: float, loss: float | None) -> Attempt:
    return Attempt(
        rate=rate, best_loss=loss, metric=None, spiked=loss is None, improved=loss is not None,
        seconds=1.0,
    )  # fmt: skip


def cell(settled: float | None, quarter: float | None, four: float | None) -> Cell:
    return Cell(
        model="m",
        task="t",
        method="lora",
        train=100,
        validation=100,
        precision="fp32",
        record=TrainingRecord(start_loss=2.0, attempts=(attempt(4e-4, settled),)),
        neighbours={"0.25": attempt(1e-4, quarter), "4": attempt(1.6e-3, four)},
    )


def test_a_settled_rate_that_diverged_is_counted_and_is_not_near_the_best() -> None:
    diverged, near = cell(None, 1.0, None), cell(1.01, 1.0, None)
    assert gap_to_best(diverged) == math.inf
    assert gap_to_best(near) == pytest.approx(0.01)
    assert summary([diverged, near])[1].endswith("in 1 of 2 cells.")
    assert "| inf |" in rates_report([diverged])


def test_a_cell_that_was_measured_on_other_items_is_not_taken_for_this_one(tmp_path: Path) -> None:
    kept = cell(1.0, 1.1, 1.2).model_copy(update={"precision": "bf16"})
    write_record(tmp_path / "m-t-lora.json", kept)
    with pytest.raises(RunError, match=r"measured with train 100, not 50"):
        rate_study.main(
            ["--models", "m=m", "--tasks", "t", "--methods", "lora", "--train", "50",
             "--out", str(tmp_path)]
        )  # fmt: skip


def test_the_neighbours_are_of_the_settled_rate_even_where_a_lower_one_was_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[float | None] = []

    def train(cell: Cell, model: str, rate: float | None) -> tuple[TrainingRecord, float]:
        asked.append(rate)
        attempts = (attempt(4e-4, 2.1), attempt(1e-4, 1.9))
        return TrainingRecord(start_loss=2.0, attempts=attempts, kept=1), 1.0

    monkeypatch.setattr(rate_study, "_train", train)
    rate_study.main(["--tasks", "ticket-triage", "--methods", "lora", "--out", str(tmp_path)])
    assert asked == [None, pytest.approx(1e-4), pytest.approx(1.6e-3)]
