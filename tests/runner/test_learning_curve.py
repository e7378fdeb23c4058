"""The line through a learning curve, by hand, and what its interval holds."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.learning_curve import fit_curve
from benchmarks.statistics import mean_outcomes


def _outcomes(right: int, of: int) -> object:
    return mean_outcomes([1.0] * right + [0.0] * (of - right), range(of))


def test_a_gain_of_ten_points_a_doubling_is_found_and_goes_on() -> None:
    # .4, .5 and .6 at 25, 50 and 100 labels; .7 at 200, .8 at 400.
    curve = fit_curve([25, 50, 100], [_outcomes(n, 100) for n in (40, 50, 60)])  # type: ignore[misc]
    assert curve.gain.likely == pytest.approx(0.1)
    assert curve.twice.likely == pytest.approx(0.7)
    assert curve.pays
    assert curve.labels_for(0.8) == 400
    assert curve.labels_for(0.6) == 100


def test_a_flat_curve_does_not_pay_and_reaches_nothing_more() -> None:
    flat = fit_curve([25, 50, 100], [_outcomes(50, 100)] * 3)  # type: ignore[list-item]
    assert flat.gain.likely == pytest.approx(0)
    assert not flat.pays
    assert flat.labels_for(0.9) is None


def test_no_score_beyond_one_is_expected() -> None:
    steep = fit_curve([50, 100], [_outcomes(50, 100), _outcomes(95, 100)])  # type: ignore[list-item]
    assert steep.twice.likely == 1


@pytest.mark.slow
def test_the_interval_of_the_gain_holds_it_as_often_as_it_says() -> None:
    drawing, held, true = np.random.default_rng(0), 0, 0.05
    for _ in range(200):
        chances = (0.5, 0.5 + true, 0.5 + 2 * true)
        values = [(drawing.random(60) < p).astype(float) for p in chances]
        curve = fit_curve([25, 50, 100], [mean_outcomes(list(v), range(60)) for v in values])
        held += curve.gain.low <= true <= curve.gain.high
    # 95 % of 200 are 190; four standard deviations less are 178.
    assert held >= 178
