"""Searches: what is proposed next, what is recorded, and going on after an interruption."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import pytest

from strategies.search import Measured, Point, Search, Trial, best_trial, geometric


def valley(lowest: float) -> Callable[[Point], Measured]:
    """A measurement whose value grows with the distance from a rate, in factors of four."""
    return lambda point: Measured(value=abs(math.log(float(point["rate"]) / lowest, 4)))


def rates(trials: tuple[Trial, ...]) -> list[float]:
    return [float(trial.point["rate"]) for trial in trials]


def test_a_guess_that_is_right_costs_three_trials(tmp_path: Path) -> None:
    trials = Search(tmp_path / "t.jsonl").run(geometric("rate", 1e-3, 4, 6), valley(1e-3))
    assert rates(trials) == pytest.approx([1e-3, 2.5e-4, 4e-3])


@pytest.mark.parametrize("lowest", [1e-3 / 16, 1e-3 * 16])
def test_the_search_goes_on_beyond_an_edge_until_the_lowest_value_has_two_neighbours(
    tmp_path: Path, lowest: float
) -> None:
    trials = Search(tmp_path / "t.jsonl").run(geometric("rate", 1e-3, 4, 6), valley(lowest))
    best = best_trial(trials)
    assert best is not None
    assert best.point["rate"] == pytest.approx(lowest)
    assert min(rates(trials)) < 0.9 * lowest
    assert max(rates(trials)) > 1.1 * lowest


def test_while_no_value_is_low_enough_lower_settings_follow(tmp_path: Path) -> None:
    # As full fine-tuning of a 0.5B model did: three rates were worse than no training at all.
    losses = {5.3e-5: 0.858, 1.325e-5: 0.835, 3.3125e-6: 0.938, 8.28125e-7: 0.62}

    def measure(point: Point) -> Measured:
        value = next((v for rate, v in losses.items() if math.isclose(rate, point["rate"])), 0.7)
        return Measured(value=value)

    propose = geometric("rate", 5.3e-5, 4, 6, below=lambda: 0.769)
    trials = Search(tmp_path / "t.jsonl").run(propose, measure)
    best = best_trial(trials)
    assert best is not None
    assert best.point["rate"] == pytest.approx(8.28125e-7)
    assert len(trials) == 5


def test_where_every_trial_diverges_lower_values_are_tried_up_to_the_limit(tmp_path: Path) -> None:
    def diverge(point: Point) -> Measured:
        return Measured(value=None)

    trials = Search(tmp_path / "t.jsonl").run(geometric("rate", 1e-3, 4, 5), diverge)
    assert len(trials) == 5
    assert min(rates(trials)) == pytest.approx(1e-3 / 4**4)
    assert best_trial(trials) is None


def test_an_interrupted_search_measures_no_point_twice(tmp_path: Path) -> None:
    record = tmp_path / "t.jsonl"
    measured: list[float] = []

    def measure(point: Point) -> Measured:
        if len(measured) == 2:
            measured.append(0.0)
            raise KeyboardInterrupt
        measured.append(float(point["rate"]))
        return valley(1e-3)(point)

    with pytest.raises(KeyboardInterrupt):
        Search(record).run(geometric("rate", 1e-3, 4, 6), measure)
    # As a kill in the middle of a write leaves it.
    record.write_text(record.read_text() + '{"point": {"ra')
    trials = Search(record).run(geometric("rate", 1e-3, 4, 6), measure)
    assert [rate for rate in measured if rate] == pytest.approx([1e-3, 2.5e-4, 4e-3])
    assert rates(trials) == pytest.approx([1e-3, 2.5e-4, 4e-3])
    again = Search(record).run(geometric("rate", 1e-3, 4, 6), measure)
    assert again == trials


def test_a_search_without_time_left_tries_one_point_and_no_more(tmp_path: Path) -> None:
    search = Search(tmp_path / "t.jsonl", budget_seconds=0.0)
    assert len(search.run(geometric("rate", 1e-3, 4, 6), valley(1.0))) == 1
