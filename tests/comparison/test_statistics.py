from __future__ import annotations

import itertools
import math
import random
from collections.abc import Callable

import numpy as np
import pytest
import sacrebleu
from hypothesis import given, settings
from hypothesis import strategies as some
from numpy.typing import NDArray
from scipy import stats
from sklearn.metrics import f1_score
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

from benchmarks import permutation, statistics
from benchmarks.statistics import Outcomes, mean_outcomes
from benchmarks.tasks.metrics import METRICS
from benchmarks.tasks.task import Item

counts = some.integers(0, 40)
few_values = some.lists(some.sampled_from([0.0, 0.25, 0.5, 1.0]), min_size=8, max_size=20)


def alone(values: list[float]) -> Outcomes:
    return mean_outcomes(values, list(range(len(values))))


# Fagerland, Lydersen and Laake 2017, "Statistical Analysis of Contingency Tables", chapter 8:
# complete response before and after consolidation therapy (Cavo et al. 2012), 59 6 / 16 80, and
# airway hyper-responsiveness (Bentur et al. 2009), 1 1 / 7 12.
def test_the_exact_mcnemar_test_gives_the_published_p_values() -> None:
    assert statistics.mcnemar_exact(6, 16) == pytest.approx(0.052479, abs=1e-6)
    assert statistics.mcnemar_exact(1, 7) == pytest.approx(18 / 256)


def test_tangos_interval_gives_the_published_limits() -> None:
    assert statistics.tango_interval(6, 16, 161) == pytest.approx((-0.1240, -0.0054), abs=5e-5)
    assert statistics.tango_interval(1, 7, 21) == pytest.approx((-0.517, -0.026), abs=5e-4)


def test_tangos_limits_are_where_the_restricted_score_test_rejects() -> None:
    # Tango's variance from its definition: the likelihood of the discordant cells, maximised
    # numerically under p12 - p21 = difference.
    only_a, only_b, items = 9, 4, 50

    def score(difference: float) -> float:
        lowest = max(0.0, -difference) + 1e-9
        grid = np.linspace(lowest, (1 - difference) / 2 - 1e-9, 400_001)
        likelihood = (
            only_a * np.log(grid + difference)
            + only_b * np.log(grid)
            + (items - only_a - only_b) * np.log(1 - 2 * grid - difference)
        )
        p21 = grid[np.nanargmax(likelihood)]
        variance = (2 * p21 + difference - difference**2) / items
        return ((only_a - only_b) / items - difference) / math.sqrt(variance)

    low, high = statistics.tango_interval(only_a, only_b, items)
    with np.errstate(invalid="ignore", divide="ignore"):
        assert score(low) == pytest.approx(1.959964, abs=1e-3)
        assert score(high) == pytest.approx(-1.959964, abs=1e-3)


def test_without_discordant_items_tangos_interval_is_z_squared_over_n_plus_z_squared() -> None:
    z2 = 1.959964**2
    half = z2 / (10 + z2)
    assert statistics.tango_interval(0, 0, 10) == pytest.approx((-half, half), abs=1e-6)


@given(counts, counts, counts)
def test_swapping_the_methods_mirrors_tangos_interval(a: int, b: int, both: int) -> None:
    items = a + b + both + 1
    low, high = statistics.tango_interval(a, b, items)
    assert statistics.tango_interval(b, a, items) == pytest.approx((-high, -low), abs=1e-9)
    assert -1 <= low <= (a - b) / items <= high <= 1


@given(counts, counts)
def test_mcnemars_test_equals_the_binomial_test_and_ignores_order(a: int, b: int) -> None:
    expected = stats.binomtest(a, a + b).pvalue if a + b else 1.0
    assert statistics.mcnemar_exact(a, b) == pytest.approx(expected)
    assert statistics.mcnemar_exact(b, a) == pytest.approx(expected)


def test_wilsons_interval_gives_the_published_limits() -> None:
    # Newcombe 1998, Statistics in Medicine 17:857-872, table I: 81/263 and 15/148.
    assert statistics.wilson_interval(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert statistics.wilson_interval(15, 148) == pytest.approx((0.0624, 0.1605), abs=5e-5)


def test_holm_multiplies_step_by_step_and_never_falls() -> None:
    # By hand: .01*3, then .02*2 = .04, then max(.04, .03*1).
    assert statistics.holm([0.03, 0.01, 0.02]) == pytest.approx([0.04, 0.03, 0.04])
    assert statistics.holm([]) == []


@given(some.lists(some.floats(0, 1), min_size=1, max_size=60))
@settings(max_examples=30)
def test_holm_is_as_by_statsmodels(p_values: list[float]) -> None:
    theirs = multipletests(p_values, method="holm")[1]
    assert statistics.holm(p_values) == pytest.approx(theirs, rel=1e-15, abs=0)


def test_the_interval_of_right_and_wrong_is_agresti_and_mins_with_a_t_quantile() -> None:
    # Half an item is added to each of the four cells: 9 and 4 discordant ones of 50.
    only_a, only_b, items = 9, 4, 50
    right_a = [1.0] * only_a + [0.0] * only_b + [1.0] * 37
    right_b = [0.0] * only_a + [1.0] * only_b + [1.0] * 37
    share_a, share_b = (only_a + 0.5) / (items + 2), (only_b + 0.5) / (items + 2)
    variance = (share_a + share_b - (share_a - share_b) ** 2) / (items + 1)
    half = stats.t.ppf(0.975, items - 1) * math.sqrt(variance)
    found = statistics.difference_interval(alone(right_a), alone(right_b))
    assert found == pytest.approx((share_a - share_b - half, share_a - share_b + half))


def test_the_interval_of_many_graded_differences_is_students() -> None:
    rng = np.random.default_rng(5)
    a, b = rng.random(2000), rng.random(2000)
    mean, error = (a - b).mean(), stats.sem(a - b)
    low, high = stats.t.interval(0.95, 1999, mean, error)
    found = statistics.difference_interval(alone(list(a)), alone(list(b)))
    assert found == pytest.approx((low, high), abs=1e-4)


def test_the_interval_of_many_graded_scores_is_students() -> None:
    values = np.random.default_rng(1).normal(0.5, 0.1, 2000)
    low, high = stats.t.interval(0.95, 1999, values.mean(), stats.sem(values))
    found = statistics.score_interval(alone(list(values)))
    assert found == pytest.approx((low, high), abs=3e-4)


@pytest.mark.parametrize("right", [0, 30])
def test_the_interval_where_all_are_alike_is_wilsons_with_students_quantile(right: int) -> None:
    found = statistics.score_interval(alone([1.0] * right + [0.0] * (30 - right)))
    squared = stats.t.ppf(0.975, 29) ** 2
    wilson = proportion_confint(right, 30, 2 * stats.norm.sf(math.sqrt(squared)), "wilson")
    assert found == pytest.approx(wilson, abs=1e-9)


def test_partial_marks_that_are_all_alike_do_not_pass_for_certainty() -> None:
    low, high = statistics.score_interval(alone([0.3] * 20))
    # An answer in ten may be worth 1, the mean .37: twenty items show none in 12 % of samples.
    assert low < 0.3
    assert high > 0.37


def test_the_interval_of_a_single_scattered_sample_is_worked_out_by_hand() -> None:
    # Mean 1/2, squared deviations 1/4, 0, 0, 1/4: the unit added has the mean square 1/4.
    dispersion = (1 / 2 + 1.25 / 4) / (3 / 4)
    spread = stats.t.ppf(0.975, 3) ** 2 * dispersion / 4
    half = math.sqrt(spread / 4 + spread**2 / 4) / (1 + spread)
    found = statistics.score_interval(alone([0.0, 0.5, 0.5, 1.0]))
    assert found == pytest.approx((0.5 - half, 0.5 + half))


Draw = Callable[[np.random.Generator, int], NDArray[np.float64]]
_SCORES: dict[str, tuple[Draw, float]] = {
    "uniform": (lambda rng, n: rng.random(n), 0.5),
    "U-shaped": (lambda rng, n: rng.beta(0.5, 0.5, n), 0.5),
    "narrow": (lambda rng, n: rng.beta(20, 20, n), 0.5),
    "low": (lambda rng, n: rng.beta(2, 8, n), 0.2),
    "high": (lambda rng, n: rng.beta(8, 1, n), 8 / 9),
    "mostly 0": (lambda rng, n: rng.random(n) * (rng.random(n) < 0.1), 0.05),
    "mostly 1": (lambda rng, n: 1 - rng.random(n) * (rng.random(n) < 0.1), 0.95),
    "spikes": (lambda rng, n: np.clip(rng.uniform(-1.2, 2.2, n), 0, 1), 0.5),
}


@pytest.mark.parametrize("scores", _SCORES)
@pytest.mark.parametrize("grouped", [False, True])
def test_intervals_of_graded_scores_hold_the_truth_and_are_not_much_too_wide(
    scores: str, grouped: bool
) -> None:
    draw, truth = _SCORES[scores]
    rng, held = np.random.default_rng(0), 0
    for _ in range(1000):
        values = draw(rng, 30)
        units = list(range(30))
        if grouped:
            # One item in three repeats its neighbour: groups of 1.5 in the mean.
            units = list(np.cumsum(rng.random(30) > 1 / 3))
            units = [int(unit) - int(units[0]) for unit in units]
            values = values[[units.index(unit) for unit in units]]
        low, high = statistics.score_interval(mean_outcomes(list(values), units))
        held += low <= truth <= high
    # Of 1,000 draws .95 to .97 may be as few as 929 and as many as 985, in all but 1 of 400.
    assert 925 <= held <= 987


def test_equal_item_scores_leave_room_for_a_difference_that_so_few_cannot_show() -> None:
    one = alone([0.2, 0.4, 0.4, 1.0])
    # Four units and two halves of one that is not there: t(3) * sqrt(1/5 / 6).
    assert statistics.difference_interval(one, one) == pytest.approx((-0.5810, 0.5810), abs=1e-4)
    assert permutation.paired(one, one).p_value == 1.0


def test_a_single_group_tells_nothing_apart() -> None:
    a, b = (mean_outcomes(values, [0, 0, 0]) for values in ([1.0, 1.0, 0.5], [0.0, 0.0, 0.1]))
    assert permutation.paired(a, b).p_value == 1.0
    assert statistics.difference_interval(a, b) == (-1.0, 1.0)
    assert statistics.score_interval(a) == (0.0, 1.0)


def test_few_items_are_permuted_exactly() -> None:
    # Sign flips of six differences of one sign: two of 64 are as extreme.
    better = alone([0.6, 0.7, 0.8, 0.9, 0.5, 0.95])
    worse = alone([0.5, 0.5, 0.5, 0.5, 0.4, 0.5])
    assert permutation.paired(better, worse).p_value == pytest.approx(2 / 64)


def test_the_permutation_p_value_equals_an_enumeration_of_sign_flips() -> None:
    a, b = [0.1, 0.9, 0.4, 0.8, 0.65], [0.3, 0.2, 0.35, 0.1, 0.6]
    gaps = np.subtract(a, b)
    flips = [np.dot(gaps, signs) for signs in itertools.product([1, -1], repeat=5)]
    one_sided = sum(flip >= gaps.sum() - 1e-12 for flip in flips) / 32
    assert permutation.paired(alone(a), alone(b)).p_value == pytest.approx(2 * one_sided)


@settings(max_examples=25, deadline=None)
@given(few_values, some.randoms(use_true_random=False))
def test_the_p_value_does_not_depend_on_order_or_direction(
    values: list[float], luck: object
) -> None:
    other = list(values)
    luck.shuffle(other)  # type: ignore[attr-defined]
    forward = permutation.paired(alone(values[:8]), alone(other[:8])).p_value
    assert permutation.paired(alone(other[:8]), alone(values[:8])).p_value == forward
    turned = alone(values[:8][::-1]), alone(other[:8][::-1])
    assert permutation.paired(*turned).p_value == pytest.approx(forward)


def test_items_of_one_group_are_resampled_together() -> None:
    # Ten copies of each of 20 items carry the information of 20: the interval keeps its width.
    values = list(np.random.default_rng(3).random(20))
    copied = [value for value in values for _ in range(10)]
    groups = [unit for unit in range(20) for _ in range(10)]
    single = statistics.score_interval(alone(values))
    clustered = statistics.score_interval(mean_outcomes(copied, groups))
    assert clustered == pytest.approx(single, abs=1e-9)


def test_macro_f1_equals_scikit_learns() -> None:
    rng = np.random.default_rng(2)
    labels = ["a", "b", "c", "d"]
    references = [labels[n] for n in rng.integers(0, 3, 50)]
    answers = [labels[n] for n in rng.integers(0, 3, 50)]
    found = statistics.macro_f1_outcomes(references, [answers], labels, list(range(50)))
    assert found.score == pytest.approx(f1_score(references, answers, average="macro"))


def test_macro_f1_of_a_resample_equals_scikit_learns() -> None:
    rng = np.random.default_rng(4)
    labels = ["a", "b", "c"]
    references = [labels[n] for n in rng.integers(0, 3, 12)]
    answers = [labels[n] for n in rng.integers(0, 3, 12)]
    drawn = rng.integers(0, 12, 12)
    outcomes = statistics.macro_f1_outcomes(references, [answers], labels, list(range(12)))
    weights = np.bincount(drawn, minlength=12).astype(float)
    expected = f1_score(
        [references[n] for n in drawn], [answers[n] for n in drawn], average="macro"
    )
    assert float(outcomes.fold_totals(weights @ outcomes.sums)) == pytest.approx(expected)


def test_seeds_of_macro_f1_are_averaged_and_can_be_repeated() -> None:
    references, right, wrong = ["a", "b"], ["a", "b"], ["b", "a"]
    both = statistics.macro_f1_outcomes(references, [right, wrong], ["a", "b"], [0, 1])
    assert both.score == pytest.approx(0.5)
    assert statistics.repeated(both, 4).score == pytest.approx(0.5)
    with pytest.raises(ValueError, match="3 is not a multiple of 2"):
        statistics.repeated(both, 3)


def test_the_power_of_mcnemars_exact_test_is_that_of_an_enumeration() -> None:
    items, difference, discordance = 12, 0.3, 0.5
    only_a, only_b = (discordance + difference) / 2, (discordance - difference) / 2
    power = 0.0
    for a, b in itertools.product(range(items + 1), repeat=2):
        if a + b <= items and statistics.mcnemar_exact(a, b) < 0.05:
            power += stats.multinomial.pmf(
                [a, b, items - a - b], items, [only_a, only_b, 1 - discordance]
            )
    found = statistics.mcnemar_power(items, difference, discordance)
    assert found == pytest.approx(power, abs=1e-7)


def test_mcnemars_exact_test_has_less_power_than_connors_formula_promises() -> None:
    # 155 items are what Connor 1987 asks for 80 %; 200,000 simulated samples found .762.
    assert statistics.mcnemar_power(155, 0.1, 0.2) == pytest.approx(0.762, abs=0.003)


def test_the_detectable_difference_is_found_with_eighty_percent_power() -> None:
    difference = statistics.detectable_difference(150, 0.25, tests=21)
    assert difference is not None
    assert statistics.mcnemar_power(150, difference, 0.25, tests=21) == pytest.approx(0.8, abs=1e-3)


def test_correction_and_less_data_make_the_detectable_difference_larger() -> None:
    one = statistics.detectable_difference(150, 0.3)
    many = statistics.detectable_difference(150, 0.3, tests=21)
    small = statistics.detectable_difference(75, 0.3)
    assert one is not None
    assert many is not None
    assert small is not None
    assert one < many
    assert one < small


def test_a_difference_that_cannot_be_detected_is_undefined() -> None:
    assert statistics.detectable_difference(20, 0.05) is None
    assert statistics.detectable_difference(20, 0.0) is None
    assert statistics.detectable_from_error(0.0) is None


def test_the_jackknife_error_of_a_mean_is_the_textbook_one() -> None:
    values = [0.0, 0.5, 1.0, 0.25]
    zeros = alone([0.0] * 4)
    expected = np.std(values, ddof=1) / 2
    assert statistics.difference_error(alone(values), zeros)[0] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("items", "discordance"), [(30, 0.1), (30, 0.2), (30, 0.4), (150, 0.04), (150, 0.1)]
)
@pytest.mark.parametrize("share", [0.0, 0.5, 0.75])
def test_tangos_interval_holds_the_truth_as_often_as_promised(
    items: int, discordance: float, share: float
) -> None:
    # Every outcome there is, with its probability: nothing is left to chance.
    truth = share * discordance
    covered = 0.0
    for differ in range(items + 1):
        chance = stats.binom.pmf(differ, items, discordance)
        for only_a in range(differ + 1) if chance > 1e-6 else ():
            low, high = statistics.tango_interval(only_a, differ - only_a, items)
            held = low - 1e-12 <= truth <= high + 1e-12
            covered += held * chance * stats.binom.pmf(only_a, differ, (1 + share) / 2)
    assert covered >= 0.93
    assert covered <= 0.97 or items * discordance < 10


def test_what_is_detectable_over_seeds_is_no_less_than_their_noise_allows() -> None:
    rng = np.random.default_rng(0)
    one, other = (alone(rng.integers(0, 2, 1000).tolist()) for _ in range(2))
    noise = statistics.Noise(variance=0.05**2, freedom=4)
    error, freedom = statistics.difference_error(one, other, noise)
    items, many = statistics.difference_error(one, other)
    assert error == pytest.approx(np.hypot(items, 0.05))
    assert 4 < freedom < 10 and many == np.inf
    wanted = (stats.t.ppf(0.975, freedom) + stats.t.ppf(0.8, freedom)) * error
    assert statistics.detectable_from_error(error, 1, freedom) == pytest.approx(wanted)


@pytest.mark.slow
def test_regret_among_equal_methods_is_naively_positive_and_cross_fitted_near_zero() -> None:
    # DESIGN: among seven equal methods at 150 items the naive figure averages 3 points.
    rng = np.random.default_rng(0)
    naive, honest = [], []
    for _ in range(40):
        methods = {
            f"m{place}": alone(list((rng.random(150) < np.full(150, 0.5)).astype(float)))
            for place in range(7)
        }
        found = statistics.cross_fitted_regret(methods, "m0")
        assert found is not None
        naive.append(found.naive)
        honest.append(found.cross_fitted)
    assert np.mean(naive) > 0.03
    assert abs(np.mean(honest)) < 2.5 * np.std(honest) / math.sqrt(40)


def test_regret_finds_a_method_that_is_truly_better() -> None:
    rng = np.random.default_rng(1)
    methods = {
        "good": alone(list((rng.random(200) < 0.8).astype(float))),
        "poor": alone(list((rng.random(200) < 0.5).astype(float))),
    }
    found = statistics.cross_fitted_regret(methods, "poor")
    assert found is not None
    assert found.cross_fitted == pytest.approx(found.naive, abs=1e-9)
    # Above the difference that was seen, and above the true one of .3, by less than .1.
    assert max(found.naive, 0.3) < found.at_most < found.naive + 0.1
    assert found.wins == {"good": 1.0, "poor": 0.0}


def test_following_the_only_allowed_method_costs_nothing() -> None:
    found = statistics.cross_fitted_regret({"lora": alone([0.0, 1.0] * 10)}, "lora")
    assert found is not None
    assert (found.naive, found.cross_fitted, found.at_most) == (0.0, 0.0, 0.0)


def test_methods_that_tie_share_the_pick() -> None:
    same = [0.0, 1.0] * 10
    found = statistics.cross_fitted_regret({"a": alone(same), "b": alone(same)}, "b")
    assert found is not None
    assert found.wins == {"a": 0.5, "b": 0.5}


def test_too_few_items_have_no_regret() -> None:
    assert statistics.cross_fitted_regret({"a": alone([1.0] * 9)}, "a") is None


def test_methods_that_are_alike_on_few_items_leave_room_for_a_regret() -> None:
    alike = {"a": alone([1.0] * 10), "b": alone([1.0] * 10)}
    found = statistics.cross_fitted_regret(alike, "a")
    assert found is not None
    assert found.cross_fitted == 0.0
    # Of ten items that do not differ, 3 / 10 is not ruled out: .7^10 = .028, and .25 is: .056.
    assert 0.25 < found.at_most < 0.3


def test_chance_takes_the_figure_below_zero_and_the_bound_never_goes_there() -> None:
    ahead = [1.0] * 11 + [0.0] * 9
    methods = {"good": alone(ahead), "close": alone(ahead[::-1])}
    found = statistics.cross_fitted_regret(methods, "good")
    assert found is not None
    # Picked on one half, the other method is behind on the other: 11 and 9 of 20 sum to a tie.
    assert found.cross_fitted < 0 <= found.at_most


@pytest.mark.parametrize("items", [10, 30, 40, 80])
def test_the_upper_bound_of_a_difference_holds_the_truth_wherever_it_lies(items: int) -> None:
    """By enumeration: every count of items that one method, or the other, alone got right."""
    counts = [(a, b) for a in range(items + 1) for b in range(items + 1 - a)]
    bounds = np.array([bound_of(a, b, items) for a, b in counts])
    only_a, only_b = np.array(counts).T
    both = np.column_stack([only_a, only_b, items - only_a - only_b])
    for ahead, behind in itertools.product([0.02, 0.06, 0.1, 0.2, 0.5, 0.8], [0.0, 0.02, 0.1]):
        if ahead < behind or ahead + behind > 1:
            continue
        chance = stats.multinomial.pmf(both, items, [ahead, behind, 1 - ahead - behind])
        assert chance[bounds >= ahead - behind - 1e-12].sum() > 0.945, (ahead, behind)


def bound_of(only_a: int, only_b: int, items: int) -> float:
    rest = [0.0] * (items - only_a - only_b)
    a = alone([1.0] * only_a + [0.0] * only_b + rest)
    b = alone([0.0] * only_a + [1.0] * only_b + rest)
    return statistics.upper_difference(a, b)


def test_the_largest_bound_of_a_rival_holds_the_regret_as_often_as_promised() -> None:
    # Five methods that go right and wrong together, the advised one not the best.
    rng = np.random.default_rng(0)
    rates = {"a": 0.5, "b": 0.55, "c": 0.6, "d": 0.6, "e": 0.4}
    held = 0
    for draw in range(200):
        items = rng.normal(size=40)
        methods = {
            name: alone(
                list((0.7 * items + 0.714 * rng.normal(size=40) < stats.norm.ppf(rate)) * 1.0)
            )
            for name, rate in rates.items()
        }
        found = statistics.cross_fitted_regret(methods, "a", seed=draw, splits=2)
        assert found is not None
        held += found.at_most >= 0.1
    # Of 200 bounds that hold the truth in .95, 183 and fewer do so in 2.4 %.
    assert held > 183


def test_seeds_that_differ_widen_the_bound_of_a_regret() -> None:
    rng = np.random.default_rng(2)
    methods = {name: alone(list((rng.random(100) < 0.5).astype(float))) for name in "ab"}
    noise = {"a": statistics.Noise(0.05**2, 4)}
    without, with_seeds = (
        statistics.cross_fitted_regret(methods, "b", noises) for noises in (None, noise)
    )
    assert without is not None and with_seeds is not None
    assert with_seeds.at_most > without.at_most + 0.005
    assert with_seeds.cross_fitted == without.cross_fitted


# ---------------------------------------------------------------- BLEU

WORDS = ["the", "a", "cat", "dog", "sat", "ran", "on", "under", "mat", "tree", "and", "late"]


def sentences(luck: random.Random, count: int, longest: int = 9) -> list[str]:
    return [" ".join(luck.choices(WORDS, k=luck.randint(0, longest))) for _ in range(count)]


def bleu_sums(answers: list[str], references: list[tuple[str, ...]]) -> list[tuple[float, ...]]:
    sums = METRICS["bleu"].sums
    assert sums is not None
    return [
        sums(Item(id=str(n), input="", outputs=outputs), answer)
        for n, (answer, outputs) in enumerate(zip(answers, references, strict=True))
    ]


@pytest.mark.parametrize("seed", range(6))
def test_bleu_of_sums_is_sacrebleus_of_every_sample_of_items(seed: int) -> None:
    luck = random.Random(seed)
    # Few short sentences leave some orders without a match, and some without an n-gram.
    count, longest = (30, 9) if seed < 3 else (3, 4)
    answers = sentences(luck, count, longest)
    pairs = list(zip(sentences(luck, count), sentences(luck, count), strict=True))
    references = [(f"{one} cat", f"{two} dog") for one, two in pairs]
    outcomes = statistics.bleu_outcomes([bleu_sums(answers, references)], range(count))
    for _ in range(20):
        drawn = luck.choices(range(count), k=count)
        expected = sacrebleu.corpus_bleu(
            [answers[n] for n in drawn],
            [[references[n][which] for n in drawn] for which in (0, 1)],
        ).score
        found = outcomes.fold_totals(outcomes.sums[drawn].sum(axis=0))
        assert float(found) == pytest.approx(min(expected / 100, 1.0), abs=1e-9)


def test_bleu_of_several_seeds_is_the_mean_of_theirs() -> None:
    luck = random.Random(1)
    references = [(text + " it was late",) for text in sentences(luck, 20)]
    seeds = [bleu_sums(sentences(luck, 20), references) for _ in range(2)]
    apart = [statistics.bleu_outcomes([sums], range(20)).score for sums in seeds]
    both = statistics.bleu_outcomes(seeds, range(20))
    assert both.score == pytest.approx(sum(apart) / 2)
    alone = statistics.bleu_outcomes(seeds[:1], range(20))
    low, high = statistics.difference_interval(both, alone)
    assert low < both.score - alone.score < high
    assert 0 < permutation.paired(both, alone).p_value <= 1
