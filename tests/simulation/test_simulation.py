"""Simulated comparisons: their truth is what it should be, and a wrong report is found out."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from scipy import stats

from benchmarks import permutation, statistics
from benchmarks.pairing import interval_of_score
from benchmarks.permutation import FIRST_DRAWS
from benchmarks.simulation.__main__ import Findings, simulate
from benchmarks.simulation.cases import cases
from benchmarks.simulation.checks import Limits, answer
from benchmarks.simulation.draws import (
    Kind,
    World,
    draw,
    draw_slices,
    draw_with_truth,
    findable,
    true_difference,
    true_score,
)
from benchmarks.simulation.findings import (
    Calibrated,
    Case,
    Counted,
    Estimated,
    Finding,
    Mean,
    Question,
    Regretted,
    counted,
)
from benchmarks.simulation.report import write_report
from benchmarks.simulation.sequential import CLAIMS, MISSES, OVERSIGHTS, WIDTH, Sequential
from benchmarks.verification import surely_reaches

NULL = Case(
    question="false positives",
    world=World(kind="right or wrong", items=150, discordance=0.2, methods=9, floors=2),
)
COVERED = Case(
    question="coverage",
    world=World(kind="graded", items=150, discordance=0.2, difference=0.1),
)


@pytest.mark.parametrize("kind", ["right or wrong", "graded", "in groups"])
def test_methods_that_are_alike_differ_as_often_as_they_should_and_score_the_same(
    kind: Kind,
) -> None:
    world = World(kind=kind, items=40_000, discordance=0.2, methods=3)
    sides = draw(world, np.random.default_rng(0))
    scores = [side.outcomes.score for side in sides]
    assert max(scores) - min(scores) < 0.02
    for one, other in pairwise(sides):
        differ = np.mean([a != b for a, b in zip(one.values, other.values, strict=True)])
        assert differ == pytest.approx(0.2, abs=0.01)


def test_items_of_a_group_are_one_unit_and_go_wrong_together() -> None:
    world = World(kind="in groups", items=5_000, discordance=0.2)
    (one, other) = draw(world, np.random.default_rng(0))
    assert one.outcomes.units == 1_000
    apart = np.subtract(one.values, other.values).reshape(-1, 5)
    # Were the five independent, all would differ alike in .1^5 of the groups, both ways.
    assert (abs(apart.sum(axis=1)) == 5).mean() > 0.03


@pytest.mark.parametrize("kind", ["right or wrong", "graded"])
def test_two_methods_are_as_far_apart_as_is_said(kind: Kind) -> None:
    world = World(kind=kind, items=200_000, discordance=0.2, difference=0.1)
    a, b = draw(world, np.random.default_rng(0))
    found = a.outcomes.score - b.outcomes.score
    assert found == pytest.approx(true_difference(world), abs=0.004)


def test_seeds_of_a_method_differ_in_their_true_score() -> None:
    world = World(kind="over seeds", items=20_000, discordance=0.2, methods=60)
    sides = draw(world, np.random.default_rng(0))
    scores = [side.outcomes.score for side in sides]
    # Means of three seeds whose true scores have the standard deviation .03.
    assert np.mean(scores) == pytest.approx(0.5, abs=0.01)
    assert np.std(scores, ddof=1) == pytest.approx(0.03 / 3**0.5, rel=0.3)
    assert sides[0].noise is not None
    assert sides[0].noise.variance == pytest.approx(0.03**2 / 3, rel=0.3)
    assert sides[0].noise.freedom == 120


def test_a_difference_that_cannot_be_drawn_is_refused() -> None:
    for wrong in (
        World(kind="in groups", items=30, discordance=0.2, difference=0.1),
        World(kind="graded", items=30, discordance=0.2, slices=2),
        World(kind="graded", items=30, discordance=0.2, difference=0.1, methods=3),
        World(kind="graded", items=30, discordance=0.1, difference=0.2),
    ):
        with pytest.raises(ValueError, match=r"differ|discordance|slices"):
            draw(wrong, np.random.default_rng(0))


def _limits(draws: int) -> Limits:
    return Limits(of_a_promise=draws, of_means=draws)


def _shares(test: Sequential, rate: float) -> tuple[float, float]:
    """How often a test passes a method with this rate, and how often it refutes it."""
    rng = np.random.default_rng(0)
    said = []
    for _ in range(150):
        hits = np.cumsum(rng.random(10_000) < rate).tolist()
        decisions = (test.decide(seen, n) for n, seen in enumerate(hits, 1))
        said.append(next((each for each in decisions if each is not None), None))
    return said.count(True) / 150, said.count(False) / 150


@pytest.mark.parametrize(
    ("test", "kept", "refuted"),
    [
        (CLAIMS, 0.05, 0.07),
        (MISSES, 0.05, 0.08),
        (WIDTH, 0.05, 0.02),
        (OVERSIGHTS, 0.2, 0.24),
    ],
    ids=["false claims", "coverage", "width", "power"],
)
def test_what_is_kept_passes_and_what_errs_too_often_is_refuted(
    test: Sequential, kept: float, refuted: float
) -> None:
    assert _shares(test, kept)[0] >= 0.98
    # 90 %, less what 150 trials may be off.
    assert _shares(test, refuted)[1] >= stats.binom.ppf(0.001, 150, 0.9) / 150


def test_a_sequential_test_ends_on_the_lines_of_wald() -> None:
    # Errors of .001 and .1: limits of ln(.9 / .001) = 6.802 and ln(.1 / .999) = -2.3016. A hit
    # adds ln(.07 / .05) = .33647, and every other draw ln(.93 / .95) = -.021277.
    assert CLAIMS.decide(0, 108) is None  # -2.2979
    assert CLAIMS.decide(0, 109) is True  # -2.3192
    assert CLAIMS.decide(20, 20) is None  # 6.7294
    assert CLAIMS.decide(21, 21) is False  # 7.0659


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_alarms_at_seven_per_cent_are_found_out_and_those_at_five_pass(
    monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    case = Case(
        question="false alarms",
        world=World(kind="right or wrong", items=1000, discordance=0.2, methods=1),
    )
    right = answer(case, Limits(), seed)
    assert isinstance(right, Counted) and right.kept
    monkeypatch.setattr("benchmarks.simulation.checks.ALPHA", 0.07)
    wrong = answer(case, Limits(), seed)
    assert isinstance(wrong, Counted) and wrong.kept is False and not wrong.holds


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_intervals_that_hold_the_truth_in_92_of_100_are_found_out(
    monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    case = Case(
        question="coverage of a score",
        world=World(kind="graded", items=150, discordance=0.2, methods=1),
    )
    right = answer(case, Limits(), seed)
    assert isinstance(right, Counted) and right.holds and right.settled
    whole = statistics.score_interval
    shrunk = (1 - stats.norm.ppf(0.955) / stats.norm.ppf(0.975)) / 2

    def narrow(*given: object) -> tuple[float, float]:
        low, high = whole(*given)  # type: ignore[arg-type]
        return low + shrunk * (high - low), high - shrunk * (high - low)

    monkeypatch.setattr(statistics, "score_interval", narrow)
    assert not answer(case, Limits(), seed).holds


def test_what_is_too_wide_is_refuted_only_where_it_may_not_be() -> None:
    assert not counted(COVERED, 990, 1000).holds
    rare = Case(question="coverage", world=World(kind="graded", items=30, discordance=0.1))
    assert counted(rare, 1000, 1000).holds
    assert counted(rare, 1000, 1000).wide
    grouped = Case(question="coverage", world=World(kind="in groups", items=150, discordance=0.4))
    assert counted(grouped, 990, 1000).holds


def test_what_ran_out_of_draws_or_of_time_is_not_settled() -> None:
    few = counted(NULL, 0, 50)
    assert few.kept is None and few.holds and not few.settled
    late = answer(NULL, Limits(until=0.0), 0)
    assert isinstance(late, Counted) and late.count.draws == 1 and not late.settled


def test_regret_is_right_as_long_as_chance_explains_it() -> None:
    equal = Mean(mean=0.002, error=0.001)
    assert Regretted(case=NULL, cross_fitted=equal, naive=equal).holds
    far = Mean(mean=0.003, error=0.001)
    wrong = Regretted(case=NULL, cross_fitted=far, naive=far)
    assert not wrong.holds
    # 2.576 + 1.282 standard errors.
    assert wrong.found_out == pytest.approx(0.003858, abs=1e-6)


def test_fewer_permutations_are_drawn_only_while_counting() -> None:
    answer(COVERED, _limits(2), 0)
    assert permutation.FIRST_DRAWS == FIRST_DRAWS == 10_000


@pytest.mark.parametrize("kind", ["right or wrong", "graded", "in small groups", "over seeds"])
@pytest.mark.parametrize(("rate", "discordance"), [(0.05, 0.04), (0.9, 0.1)])
def test_answers_are_right_as_often_as_is_said(kind: Kind, rate: float, discordance: float) -> None:
    world = World(kind=kind, items=60_000, discordance=discordance, rate=rate, methods=2)
    if kind == "over seeds":
        world = world.model_copy(update={"methods": 30, "items": 5_000})
    sides = draw(world, np.random.default_rng(0))
    mean = float(np.mean([side.outcomes.score for side in sides]))
    # Answers of which half are worth all and half 1/2 on average are worth 3/4.
    assert mean == pytest.approx(rate * (0.75 if kind == "graded" else 1), abs=0.01)
    assert true_score(world) == pytest.approx(rate * (0.75 if kind == "graded" else 1))


def test_a_rate_that_cannot_be_drawn_is_refused() -> None:
    world = World(kind="graded", items=30, discordance=0.2, rate=0.05)
    with pytest.raises(ValueError, match=r"0\.05 is too extreme"):
        draw(world, np.random.default_rng(0))


def test_small_groups_have_one_item_and_a_fifth_on_average() -> None:
    world = World(kind="in small groups", items=12_000, discordance=0.2)
    (one, _) = draw(world, np.random.default_rng(0))
    assert 12_000 / one.outcomes.units == pytest.approx(1.2, abs=0.02)


def test_seeds_of_grouped_items_share_their_groups() -> None:
    world = World(kind="over seeds, in groups", items=1_000, discordance=0.2)
    (one, _) = draw(world, np.random.default_rng(0))
    assert one.outcomes.units == 200
    assert one.noise is not None


def test_what_a_report_says_it_finds_is_what_is_drawn() -> None:
    world = World(kind="right or wrong", items=150, discordance=0.2)
    # Exact McNemar finds 10.6 points of 150 items with 80 % power.
    assert findable(world).difference == pytest.approx(0.106, abs=0.001)
    nothing = world.model_copy(update={"items": 4})
    with pytest.raises(ValueError, match="no difference is found on 4 items"):
        findable(nothing)


def test_power_that_is_promised_and_not_there_is_found_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World(kind="right or wrong", items=150, discordance=0.2)
    case = Case(question="differences missed", world=world)
    assert answer(case, Limits(), 0).holds
    less = world.model_copy(update={"difference": findable(world).difference - 0.015})
    monkeypatch.setattr("benchmarks.simulation.checks.findable", lambda _: less)
    assert not answer(case, Limits(), 0).holds


def test_a_bound_of_regret_that_is_an_estimate_is_found_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World(kind="right or wrong", items=60, discordance=0.2, methods=2, behind=0.05)
    case = Case(question="regret bounds", world=world)
    assert answer(case, _limits(300), 0).holds
    monkeypatch.setattr(statistics, "upper_difference", lambda a, b, _: a.score - b.score)
    assert not answer(case, _limits(300), 0).holds


def test_verify_that_calls_every_other_winner_a_miss_is_found_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World(kind="right or wrong", items=30, discordance=0.4, methods=3)
    case = Case(question="false misses", world=world)
    assert answer(case, _limits(150), 0).holds
    monkeypatch.setattr(
        "benchmarks.simulation.checks.outcome_of", lambda won, _: "hit" if won else "miss"
    )
    assert not answer(case, _limits(150), 0).holds


def test_nine_methods_that_just_miss_a_target_are_seldom_said_to_reach_it() -> None:
    world = World(kind="right or wrong", items=150, discordance=0.4, methods=9)
    rng = np.random.default_rng(0)
    corrected = alone = 0
    for _ in range(600):
        best = max(draw(world, rng), key=lambda side: side.outcomes.score)
        score, low = best.outcomes.score, interval_of_score(best).low
        corrected += surely_reaches(score, low, true_score(world), 9)
        alone += surely_reaches(score, low, true_score(world), 1)
    assert CLAIMS.decide(corrected, 600) is not False
    assert CLAIMS.decide(alone, 600) is False


@pytest.mark.slow
def test_a_report_that_does_not_correct_for_the_number_of_tests_is_found_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    few = NULL.model_copy(update={"world": NULL.world.model_copy(update={"methods": 6})})
    honest = answer(few, _limits(40), 0)
    monkeypatch.setattr(permutation, "holm", lambda p_values: p_values)
    careless = answer(few, _limits(150), 0)
    assert isinstance(honest, Counted) and isinstance(careless, Counted)
    assert honest.holds and honest.count.hits <= 6
    assert not careless.holds


def test_an_interval_that_is_too_narrow_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    assert answer(COVERED, _limits(200), 0).holds
    whole = statistics.difference_interval

    def narrow(*given: object) -> tuple[float, float]:
        low, high = whole(*given)  # type: ignore[arg-type]
        return low + (high - low) / 6, high - (high - low) / 6

    monkeypatch.setattr(statistics, "difference_interval", narrow)
    assert not answer(COVERED, _limits(200), 0).holds


@pytest.mark.parametrize("kind", ["right or wrong", "graded", "in groups"])
def test_ten_fresh_items_alarm_no_more_often_than_they_may(kind: Kind) -> None:
    world = World(kind=kind, items=10, discordance=0.2, methods=1)
    assert answer(Case(question="false alarms", world=world), _limits(400), 0).holds


def test_naive_regret_among_equals_is_found_out_and_cross_fitted_regret_is_not() -> None:
    world = World(kind="right or wrong", items=150, discordance=0.2, methods=7)
    found = answer(Case(question="regret", world=world), _limits(100), 0)
    assert isinstance(found, Regretted)
    assert found.holds
    assert not found.model_copy(update={"cross_fitted": found.naive}).holds


def test_every_question_is_asked_at_every_size_and_of_every_kind() -> None:
    asked = cases()
    assert len(set(asked)) == len(asked)
    asks = (
        ("false positives", 9),
        ("coverage", 9),
        ("coverage of a score", 9),
        ("false alarms", 7),
        ("regret", 1),
    )
    for question, kinds in asks:
        worlds = [case.world for case in asked if case.question == question]
        assert {world.items for world in worlds} >= {30, 150, 1000}
        assert len({world.kind for world in worlds}) == kinds
    sliced = [case for case in asked if case.world.slices > 1]
    assert {case.question for case in sliced} == {"false positives", "false claims of slices"}


def test_groups_are_uneven_where_they_are_said_to_be() -> None:
    world = World(kind="in uneven groups", items=5_000, discordance=0.2)
    (one, _) = draw(world, np.random.default_rng(0))
    sizes = one.outcomes.sums[:, 1]
    assert sizes.sum() == 5_000
    assert sizes.mean() == pytest.approx(5, abs=0.5)
    assert sizes.std() > 3


@pytest.mark.parametrize("kind", ["macro-F1", "BLEU"])
def test_scores_of_sums_are_alike_too(kind: Kind) -> None:
    world = World(kind=kind, items=40_000, discordance=0.2)
    one, other = (side.outcomes.score for side in draw(world, np.random.default_rng(0)))
    assert one == pytest.approx(other, abs=0.02)
    assert one == pytest.approx(true_score(world), abs=0.02)
    assert 0.3 < one < 0.8


def test_a_lift_moves_one_method_on_one_slice() -> None:
    world = World(
        kind="right or wrong", items=80_000, discordance=0.2, methods=3, slices=4, lift=0.2
    )
    every, *slices = draw_slices(world, np.random.default_rng(0))
    assert [len(part[0].values) for part in slices] == [20_000] * 4
    scores = np.array([[side.outcomes.score for side in part] for part in slices])
    lifted = scores[:, 0] - scores[:, 1]
    assert lifted == pytest.approx([0.2, 0, 0, 0], abs=0.015)
    assert scores[:, 1] - scores[:, 2] == pytest.approx([0] * 4, abs=0.015)
    assert every[0].outcomes.score == pytest.approx(scores[:, 0].mean())


@pytest.mark.slow
def test_slices_that_are_tested_without_correction_are_found_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World(kind="right or wrong", items=600, discordance=0.3, methods=5, slices=4, lift=0.4)
    case = Case(question="false claims of slices", world=world)
    assert answer(case, _limits(60), 0).holds
    monkeypatch.setattr(permutation, "holm", lambda p_values: p_values)
    assert not answer(case, _limits(60), 0).holds


@pytest.mark.parametrize("kind", get_args(Kind))
def test_intervals_of_a_score_hold_the_truth(kind: Kind) -> None:
    world = World(kind=kind, items=30, discordance=0.2, methods=4)
    assert answer(Case(question="coverage of a score", world=world), _limits(100), 0).holds


@pytest.mark.parametrize("kind", ["right or wrong", "in groups", "over seeds"])
def test_methods_are_as_far_behind_as_is_said(kind: Kind) -> None:
    world = World(kind=kind, items=100_000, discordance=0.2, methods=8, behind=0.05)
    sides, off = draw_with_truth(world, np.random.default_rng(0))
    assert off.tolist() == [0.0] + [-0.05] * 7
    worse = float(np.mean([side.outcomes.score for side in sides[1:]]))
    # Three seeds that scatter by .03 each.
    assert worse == pytest.approx(0.45, abs=0.03 if kind == "over seeds" else 0.006)


def test_calling_whoever_scores_near_the_leader_good_enough_is_found_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World(kind="right or wrong", items=150, discordance=0.2, behind=0.05)
    case = Case(question="false good enough", world=world)
    assert answer(case, _limits(300), 0).holds
    monkeypatch.setattr(
        "benchmarks.margins.chance_behind", lambda pair, margin: float(pair.centre < -margin)
    )
    assert not answer(case, _limits(300), 0).holds


@pytest.mark.parametrize("question", ["chance of being best", "chance of reaching a target"])
def test_chances_that_are_pushed_to_certainty_are_found_out(question: Question) -> None:
    world = World(kind="right or wrong", items=30, discordance=0.4, methods=4, spread=0.2)
    found = answer(Case(question=question, world=world), _limits(200), 0)
    assert isinstance(found, Calibrated)
    assert found.holds
    pushed = [
        each.model_copy(update={"mean": 0.99 if each.mean > 0.5 else 0.01}) for each in found.bins
    ]
    assert not found.model_copy(update={"bins": tuple(pushed)}).holds


def test_kappa_and_correlation_are_what_is_known_of_them() -> None:
    asked = [case for case in cases() if case.question in ("kappa", "intraclass correlation")]
    for case in asked:
        found = answer(case, _limits(60), 0)
        assert isinstance(found, Estimated)
        assert found.holds, case
        assert not found.model_copy(update={"truth": found.truth + 0.05}).holds


@pytest.mark.slow
def test_cases_run_on_all_cores_and_are_reported(tmp_path: Path) -> None:
    equal = Case(question="regret", world=NULL.world)
    asked, kept = (NULL, COVERED, equal), list[Finding]()
    simulate(asked, _limits(20), 0, [NULL], kept.append)
    found = sorted(kept, key=lambda each: asked.index(each.case))
    assert [each.case for each in found] == [COVERED, equal]
    assert found[0] == answer(COVERED, _limits(20), 1)
    text = write_report(tmp_path, found, _limits(20), 0).read_text()
    assert "1 of 2 promises hold, and 1 are not settled" in text
    record = Findings(
        draws=20,
        most=20,
        seed=0,
        code_sha256="0" * 64,
        findings=tuple(found),
    )
    assert Findings.model_validate_json(record.model_dump_json()) == record


def test_the_committed_report_is_of_these_questions_and_all_hold(tmp_path: Path) -> None:
    committed = Path(__file__).parents[2] / "reports" / "simulation"
    record = (committed / "findings.json").read_text(encoding="utf-8")
    found = Findings.model_validate_json(record)
    assert found.draws >= 1000
    assert [each.case for each in found.findings] == list(cases())
    assert [each.case for each in found.findings if not each.holds] == []
    again = write_report(tmp_path, found.findings, Limits(found.most, found.draws), found.seed)
    assert again.read_bytes() == (committed / "report.md").read_bytes()
