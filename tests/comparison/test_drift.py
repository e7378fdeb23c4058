"""A finished method is held against fresh items by tests that know that the items differ."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.proportion import confint_proportions_2indep

from benchmarks import permutation, statistics
from benchmarks.drift import Drift, drift_between, leader_of
from benchmarks.records import Cost
from benchmarks.statistics import mean_outcomes
from strategies.errors import RunError
from tests.comparison.runs import Made, Material, make_run


def right(count: int, items: int) -> list[float]:
    return [1.0] * count + [0.0] * (items - count)


def drift(folder: Path, before: list[float], after: list[float]) -> Drift:
    runs = []
    for name, values in (("before", before), ("after", after)):
        inputs = [f"{name} {n}" for n in range(len(values))]
        runs.append(make_run(folder / name, [Made("lora", values)], Material(inputs=inputs)))
    return drift_between(runs[0], runs[1], "lora")


def test_the_interval_of_two_shares_gives_the_published_limits() -> None:
    # Newcombe 1998, Statistics in Medicine 17:873-890, table II, method 10: 56/70 minus 48/80.
    (low, high), p_value, test = statistics.unpaired_proportions(48, 80, 56, 70)
    assert (low, high) == pytest.approx((0.0524, 0.3339), abs=5e-5)
    assert test == "score test of two proportions"
    # The pooled score test is the chi-squared test without Yates's correction.
    table = [[56, 14], [48, 32]]
    assert p_value == pytest.approx(stats.chi2_contingency(table, correction=False).pvalue)


def test_two_shares_without_a_wrong_answer_differ_in_nothing() -> None:
    (low, high), p_value, _ = statistics.unpaired_proportions(30, 30, 20, 20)
    assert low < 0 < high
    assert p_value == 1.0


@pytest.mark.parametrize(("accuracy", "fresh"), [(0.7, 10), (0.9, 5), (0.95, 10), (0.99, 10)])
def test_shares_of_right_answers_give_no_more_alarms_than_one_in_twenty(
    accuracy: float, fresh: int
) -> None:
    # Every outcome there is, with its probability. The score test alone alarms in .065 to .094.
    before, after = (stats.binom.pmf(range(n + 1), n, accuracy) for n in (1000, fresh))
    alarms = 0.0
    for a in np.flatnonzero(before > 1e-5):
        for b in range(fresh + 1):
            _, p_value, _ = statistics.unpaired_proportions(int(a), 1000, b, fresh)
            alarms += before[a] * after[b] * (p_value < 0.05)
    assert alarms < 0.055


def test_many_graded_scores_on_different_items_are_compared_as_by_welch() -> None:
    rng = np.random.default_rng(2)
    a, b = rng.random(4000), rng.random(3000) * 0.97
    expected = stats.ttest_ind(b, a, equal_var=False)
    before, after = mean_outcomes(a.tolist(), range(4000)), mean_outcomes(b.tolist(), range(3000))
    found = statistics.unpaired_interval(before, after)
    assert found == pytest.approx(tuple(expected.confidence_interval()), abs=2e-4)
    assert permutation.unpaired(before, after).p_value == pytest.approx(expected.pvalue, abs=0.02)


def test_many_right_and_wrong_items_have_newcombes_interval() -> None:
    found = statistics.unpaired_interval(
        mean_outcomes(right(80, 400), range(400)), mean_outcomes(right(270, 300), range(300))
    )
    newcombe = confint_proportions_2indep(270, 300, 80, 400, method="newcomb", compare="diff")
    assert found == pytest.approx(newcombe, abs=1e-3)


def test_few_items_that_are_all_alike_leave_the_difference_open() -> None:
    # Wilson's intervals of 0 of 10 by Student's quantile 2.262 end at .338 and begin at 0.
    low, high = statistics.unpaired_interval(*[mean_outcomes([0.0] * 10, range(10))] * 2)
    end = 2.2622**2 / (10 + 2.2622**2)
    assert (low, high) == pytest.approx((-end, end), abs=1e-4)


def test_a_collapse_is_seen_and_three_zeros_are_not_taken_for_one(tmp_path: Path) -> None:
    before = mean_outcomes(right(40, 40), range(40))
    collapsed = mean_outcomes(right(0, 40), range(40))
    assert statistics.unpaired_interval(before, collapsed)[1] < -0.8
    assert permutation.unpaired(before, collapsed).p_value == pytest.approx(2 / 10_001)
    half = mean_outcomes(right(75, 150), range(150))
    assert permutation.unpaired(half, mean_outcomes([0.0] * 3, range(3))).p_value > 0.05


@pytest.mark.parametrize("fresh", [3, 5, 10, 30])
def test_where_nothing_drifted_alarms_are_rare_however_few_the_items(fresh: int) -> None:
    rng = np.random.default_rng(fresh)

    def scores(items: int) -> statistics.Outcomes:
        values = rng.random(items) * (rng.random(items) < 0.5)
        return mean_outcomes(values.tolist(), range(items))

    draws = [permutation.unpaired(scores(150), scores(fresh)).p_value for _ in range(150)]
    # 16 of 150 and more would be seen in .4 % of such tests at 5 %.
    assert sum(p_value < 0.05 for p_value in draws) < 16


def test_items_of_shared_documents_count_as_one_in_an_unpaired_test() -> None:
    values = right(20, 40)
    alone = mean_outcomes(values, range(40))
    grouped = mean_outcomes(values, [place // 4 for place in range(40)])
    narrow = statistics.unpaired_interval(alone, alone)
    wide = statistics.unpaired_interval(grouped, grouped)
    assert wide[1] - wide[0] > 1.8 * (narrow[1] - narrow[0])


@pytest.mark.parametrize(("now", "verdict"), [(48, "worse"), (78, "no drift seen"), (97, "better")])
def test_a_drift_is_seen_where_so_many_items_show_it(
    tmp_path: Path, now: int, verdict: str
) -> None:
    found = drift(tmp_path, right(80, 100), right(now, 100))
    assert found.verdict == verdict
    assert found.difference == pytest.approx(now / 100 - 0.8)
    assert found.interval.low < found.difference < found.interval.high
    assert found.shared == 0
    assert (found.before.run, found.before.items, found.after.items) == ("run-1", 100, 100)


@pytest.mark.parametrize(("took", "retrained"), [(12.345678, False), (12.345679, True)])
def test_weights_that_took_another_time_to_train_are_others(
    tmp_path: Path, took: float, retrained: bool
) -> None:
    runs = [
        make_run(
            tmp_path / name,
            [Made("lora", right(30, 40), cost=Cost(train_seconds=seconds))],
            Material(inputs=[f"{name} {n}" for n in range(40)]),
        )
        for name, seconds in (("before", 12.345678), ("after", took))
    ]
    assert drift_between(runs[0], runs[1], "lora").retrained is retrained


def test_what_is_detectable_is_2_8_standard_errors(tmp_path: Path) -> None:
    found = drift(tmp_path, right(80, 100), right(50, 100))
    # (1.960 + .842) * sqrt(p (1 - p) / 99) of 80 and 50 right of 100, and 1 to 2 % for rare ones.
    error = ((0.8 * 0.2 + 0.5 * 0.5) / 99) ** 0.5
    assert 2.8016 * error < found.detectable < 1.02 * 2.8016 * error


def test_items_that_were_tested_before_are_counted(tmp_path: Path) -> None:
    arms = [Made("lora", right(5, 10))]
    run = make_run(tmp_path / "r", arms, Material(inputs=[str(n) for n in range(10)]))
    assert drift_between(run, run, "lora").shared == 10


def test_a_method_without_a_full_result_cannot_be_watched(tmp_path: Path) -> None:
    arms = [Made("zero-shot", right(5, 10)), Made("lora", status="failed")]
    run = make_run(tmp_path / "r", arms)
    assert leader_of(run) == "zero-shot"
    with pytest.raises(RunError, match="no full result of lora"):
        drift_between(run, run, "lora")
