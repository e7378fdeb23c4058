"""Good enough, likely the best, agreement beyond chance: against figures from elsewhere."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from scipy import integrate, stats
from sklearn.metrics import cohen_kappa_score
from statsmodels.stats.weightstats import ttost_paired

from benchmarks.agreement import agreement, clustering
from benchmarks.chances import chance_of_reaching, chances_of_being_best
from benchmarks.comparison import Wishes, compare
from benchmarks.margins import chance_behind, good_enough, most_behind, paired
from benchmarks.pairing import Side
from benchmarks.permutation import PairedPermutation
from benchmarks.report import render
from benchmarks.results import HourPrice
from benchmarks.statistics import Noise, mean_outcomes
from tests.comparison.runs import Made, Material, make_run


def side(
    name: str, values: list[float], *, exact: bool = False, noise: Noise | None = None
) -> Side:
    outcomes = mean_outcomes(values, range(len(values)))
    return Side(name, tuple(values), outcomes, exact, noise)


def test_the_margin_test_of_many_graded_scores_is_statsmodels_one_sided_test() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.random(3000), rng.random(3000)
    pair = paired(side("a", a.tolist()), side("b", b.tolist()))
    _, (_, lower, _), _ = ttost_paired(a, b, -0.02, 0.02)
    # The textbook's test has no squares added: half of those that a loss of .02 would bring. The
    # difference of two uniform scores has the mean square 1/6 and the mean fourth power 1/15.
    wider = np.sqrt(1 + 0.5 * 0.02 * np.sqrt(6 / 15) * 6)
    expected = stats.norm.sf(stats.norm.isf(lower) / wider)
    assert chance_behind(pair, 0.02) == pytest.approx(float(expected), rel=0.03)
    bound = stats.ttest_1samp(a - b, 0).confidence_interval(0.9).low
    assert most_behind(pair) == pytest.approx(-bound, abs=0.001)


def test_a_method_is_good_enough_only_if_it_is_against_every_other() -> None:
    rng = np.random.default_rng(1)
    best = rng.random(600) < 0.8
    near = np.where(rng.random(600) < 0.01, ~best, best)
    poor = rng.random(600) < 0.5
    sides = [
        side(n, v.astype(float).tolist()) for n, v in zip("bnp", (best, near, poor), strict=True)
    ]
    found = {each.name: each for each in good_enough(sides, 0.05, "bnp")}
    assert found["n"].shown and found["b"].shown
    assert found["n"].behind < 0.05
    assert not found["p"].shown and found["p"].p_holm > 0.9
    # Against the poor one alone the near one would be ahead; the best is what it is held against.
    assert found["n"].p_value == chance_behind(paired(sides[1], sides[0]), 0.05)


def test_a_clear_method_is_the_best_and_methods_that_are_alike_share_the_chance() -> None:
    items = [1.0, 0.0] * 50
    alike = chances_of_being_best([side(name, items) for name in "abcd"])
    assert [each.best for each in alike.values()] == pytest.approx([0.25] * 4, abs=0.03)
    assert sum(each.best for each in alike.values()) == pytest.approx(1.0)
    clear = chances_of_being_best([side("good", [1.0] * 100), side("bad", [0.0] * 100)])
    assert clear["good"].best > 0.999
    assert clear["bad"].loss == pytest.approx(1.0, abs=0.03)


def test_a_lead_of_three_items_of_thirty_is_far_from_certain() -> None:
    rest = [1.0] * 14 + [0.0] * 13
    lead = chances_of_being_best([side("a", [1.0] * 3 + rest), side("b", [0.0] * 3 + rest)])
    # Three right answers of three: without a prior opinion of ties, 15 of 16 is the most.
    assert 0.6 < lead["a"].best < 15 / 16


def test_noise_of_seeds_makes_a_lead_less_certain() -> None:
    rng = np.random.default_rng(0)
    a, b = (rng.random(300) < 0.6).astype(float), (rng.random(300) < 0.45).astype(float)
    noise = Noise(0.05**2, 4)
    sure = chances_of_being_best([side("a", a.tolist()), side("b", b.tolist())])
    unsure = chances_of_being_best(
        [side("a", a.tolist(), noise=noise), side("b", b.tolist(), noise=noise)]
    )
    assert 0.5 < unsure["a"].best < sure["a"].best - 0.02


def test_the_chance_of_reaching_a_target_is_that_of_its_integral() -> None:
    values = np.random.default_rng(0).random(4000)
    seen, error = 0.006, float(stats.sem(values))

    def likely(spread: float) -> float:
        return float(
            stats.halfcauchy.pdf(spread, scale=0.1)
            * stats.norm.pdf(seen, scale=np.hypot(spread, error))
        )

    def above(spread: float) -> float:
        return float(stats.norm.cdf(spread / np.hypot(spread, error) * seen / error))

    total = integrate.quad(likely, 0, 5, points=[0.01, 0.1, 1])[0]
    wanted = integrate.quad(lambda t: likely(t) * above(t), 0, 5, points=[0.01, 0.1, 1])[0] / total
    found = chance_of_reaching(side("a", values.tolist()), float(values.mean()) - seen)
    assert found == pytest.approx(wanted, abs=0.01)


def test_a_target_that_is_just_met_is_reached_by_chance_alone() -> None:
    assert chance_of_reaching(side("a", [1.0, 0.0] * 15), 0.5) == pytest.approx(0.5)
    assert chance_of_reaching(side("a", [1.0]), 0.5) is None
    assert chance_of_reaching(side("a", [1.0, 0.0, 1.0] * 3), 0.5) is None
    assert not chances_of_being_best([side("a", [1.0] * 9), side("b", [0.0] * 9)])


@pytest.mark.parametrize("seed", range(3))
def test_kappa_is_scikit_learns(seed: int) -> None:
    rng = np.random.default_rng(seed)
    one = rng.choice(list("abc"), 60).tolist()
    other = [x if rng.random() < 0.5 else str(rng.choice(list("abcd"))) for x in one]
    found = agreement(one, other)
    assert found.kappa == pytest.approx(float(cohen_kappa_score(one, other)))


def test_kappa_of_a_single_label_is_undefined() -> None:
    assert agreement(["a"] * 5, ["a"] * 5).kappa is None


def test_the_intraclass_correlation_is_that_of_shrout_and_fleiss() -> None:
    # Shrout and Fleiss 1979, Psychological Bulletin 86:420-428, tables 2 to 4: ICC(1,1) = .17.
    ratings = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
    values = [float(v) for row in ratings for v in row]
    found = clustering(values, [n // 4 for n in range(24)])
    assert found is not None
    assert found.correlation == pytest.approx(0.166, abs=0.001)
    assert found.design_effect == pytest.approx(1 + 3 * 0.1657, abs=0.001)
    assert found.effective_items == pytest.approx(24 / 1.497, abs=0.01)


def test_groups_that_come_out_as_one_are_worth_one_item_each() -> None:
    found = clustering([1.0] * 4 + [0.0] * 4 + [1.0] * 4, [0] * 4 + [1] * 4 + [2] * 4)
    assert found is not None
    assert found.correlation == pytest.approx(1.0)
    assert found.effective_items == pytest.approx(3.0)
    assert clustering([1.0, 0.0, 1.0], [0, 1, 2]) is None


def test_a_report_names_the_cheapest_that_is_good_enough_and_dollars(tmp_path: Path) -> None:
    right = [1.0] * 180 + [0.0] * 20
    arms = [Made("lora", right), Made("zero-shot", right), Made("icl-nearest", [0.0] * 200)]
    price = HourPrice(usd=36.0, name="box", source="a quote", date="2026-01-31")
    comparison = compare(make_run(tmp_path / "r", arms), None, Wishes(5, price))
    text = render(comparison, "md")["report.md"].decode()
    assert comparison.margin is not None and not comparison.margin.planned
    assert re.search(r"\| <code>zero-shot</code> \| 0.900 \| yes \(at most \d\.\d behind\)", text)
    assert "not shown" in text
    assert "The cheapest method that is good enough within 5 points is" in text
    assert "chance of being the best" in text


def test_without_a_margin_nobody_is_called_good_enough(tmp_path: Path) -> None:
    run = make_run(tmp_path / "r", [Made("lora", [1.0, 0.0] * 5), Made("rag", [0.0] * 10)])
    text = render(compare(run), "md")["report.md"].decode()
    assert compare(run).margin is None
    assert "Good enough" not in text


def test_a_single_method_cannot_be_tested_against_a_margin(tmp_path: Path) -> None:
    run = make_run(tmp_path / "r", [Made("lora", [1.0, 0.0] * 5)])
    text = render(compare(run, None, Wishes(3)), "md")["report.md"].decode()
    assert "less than 3 points behind the best cannot be tested" in text


def test_grouped_items_say_how_many_independent_ones_they_are_worth(tmp_path: Path) -> None:
    values = [1.0] * 5 + [0.0] * 5 + [1.0] * 5
    material = Material(groups=[str(n // 5) for n in range(15)])
    run = make_run(tmp_path / "r", [Made("lora", values)], material)
    assert any("lora 1.00, 5.00, 3" in note for note in compare(run).notes)


def test_a_p_value_that_no_draws_could_settle_is_marked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(0)
    arms = [Made(name, rng.random(40).tolist()) for name in ("lora", "rag")]
    run = make_run(tmp_path / "r", arms, Material(metric="token_f1"))
    monkeypatch.setattr(PairedPermutation, "bounds", property(lambda self: (0.01, 0.2)))
    monkeypatch.setattr(PairedPermutation, "draw_more", lambda self: False)
    monkeypatch.setattr(PairedPermutation, "p_value", property(lambda self: 0.04))
    text = render(compare(run), "md")["report.md"].decode()
    assert "0.040 (not settled)" in text
    assert "1 difference marked “not settled” could not be decided so" in text
