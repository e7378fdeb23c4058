"""Permutation tests are drawn until what they decide is safe."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from benchmarks import permutation
from benchmarks.comparison import compare
from benchmarks.permutation import Exact, PairedPermutation
from benchmarks.statistics import Outcomes, mean_outcomes
from benchmarks.store import read_run

RUNS = Path(__file__).resolve().parents[2] / "reports" / "runs"


def graded(shift: float, units: int = 60, seed: int = 3) -> tuple[Outcomes, Outcomes]:
    rng = np.random.default_rng(seed)
    gaps = rng.normal(0, 1, units)
    # A shift in standard errors of a mean of gaps whose sample mean is 0.
    gaps = (gaps - gaps.mean()) / gaps.std() + shift / np.sqrt(units)
    zeros = [0.0] * units
    return mean_outcomes(gaps.tolist(), range(units)), mean_outcomes(zeros, range(units))


def test_a_clear_case_is_settled_by_the_first_draws() -> None:
    test = permutation.paired(*graded(6.0))
    assert isinstance(test, PairedPermutation)
    permutation.decide([test])
    assert test.draws == permutation.FIRST_DRAWS


def test_a_case_near_the_limit_is_drawn_until_the_limit_is_outside_the_bounds() -> None:
    a, b = graded(1.97)
    test = permutation.paired(a, b)
    assert isinstance(test, PairedPermutation)
    (corrected,) = permutation.decide([test])
    low, high = test.bounds
    assert test.draws > permutation.FIRST_DRAWS
    assert permutation.unsafe([test]) == [] or test.draws == permutation.MOST_DRAWS
    # The sign-flip test of 60 nearly normal differences is close to a normal test.
    normal = 2 * stats.norm.sf(1.97 / np.sqrt(1 + 1.97**2 / 60))
    assert corrected == pytest.approx(normal, abs=0.003)
    assert low <= corrected <= high


def test_bounds_hold_the_p_value_of_many_more_draws() -> None:
    far = PairedPermutation(*graded(1.5))
    while far.draw_more():
        pass
    near = [PairedPermutation(*graded(1.5), seed=seed) for seed in range(40)]
    assert all(test.bounds[0] <= far.p_value <= test.bounds[1] for test in near)


def test_what_the_most_draws_cannot_settle_is_called_unsafe(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(permutation, "MOST_DRAWS", permutation.FIRST_DRAWS)
    test = permutation.paired(*graded(1.965))
    permutation.decide([test])
    assert test.bounds[0] < 0.05 <= test.bounds[1]
    assert permutation.unsafe([test]) == [0]


def test_only_tests_whose_decision_is_open_are_drawn_further() -> None:
    clear, close = permutation.paired(*graded(7.0)), permutation.paired(*graded(2.27))
    assert isinstance(clear, PairedPermutation)
    assert isinstance(close, PairedPermutation)
    # Second of two in Holm's order: its limit is .05 alone, and .0232 is below it.
    corrected = permutation.decide([clear, close, Exact(0.9)], untested=0)
    assert clear.draws == permutation.FIRST_DRAWS
    assert corrected[2] == 0.9


def test_two_p_values_of_the_published_runs_are_on_the_right_side_of_the_limit() -> None:
    # With 9,999 draws these were .066 and .048; two million draws gave .045 and .066.
    reply = compare(read_run(RUNS / "handbook-reply"))
    squad = compare(read_run(RUNS / "squad-v2"))
    (first,) = (d for d in reply.differences if (d.a, d.b) == ("icl-random", "full"))
    (second,) = (d for d in squad.differences if (d.a, d.b) == ("lora", "nearest-answer"))
    assert first.p_holm == pytest.approx(0.045, abs=0.005)
    assert second.p_holm == pytest.approx(0.066, abs=0.01)
    assert (first.separated, second.separated) == (True, False)
    assert first.safe
    assert second.safe
