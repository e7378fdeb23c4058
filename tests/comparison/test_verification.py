from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.records import Failure
from benchmarks.verification import (
    ADVISOR,
    Advised,
    Choice,
    Summary,
    Verdict,
    Verification,
    VerifiedRun,
    simple_rules_as_good,
    surely_reaches,
    verify,
)
from tests.comparison.runs import Made, Material, make_run, trained

ALL = ("lora", "raft", "rag+lora", "rag", "full", "icl-nearest", "zero-shot")


def right(count: int, items: int = 40) -> list[float]:
    """The first items right, so that a method with more of them is ahead on every half."""
    return [1.0] * count + [0.0] * (items - count)


def advised(
    *allowed: str, verdict: Verdict = "adapt", target: float | None = None, labels: int = 20
) -> Advised:
    answers = {"target_score": target} if target is not None else {}
    return Advised(
        answers={**answers, "labelled_examples": labels},
        verdict=verdict,
        text="a text",
        recommended=allowed[0] if allowed and verdict == "adapt" else None,
        allowed=allowed,
    )


def verified(folder: Path, arms: list[Made], advice: Advised) -> VerifiedRun:
    return verify([(make_run(folder, arms), advice)], "a chart", "e" * 64).runs[0]


def advisors(folder: Path, arms: list[Made], advice: Advised) -> Choice:
    return verified(folder, arms, advice).choice(ADVISOR)


def policy(run: VerifiedRun, name: str) -> tuple[str | None, str]:
    choice = run.choice(name)
    return choice.method, choice.outcome


def summary(found: Verification, name: str) -> Summary:
    return next(one for one in found.summaries if one.policy == name)


# ---------------------------------------------------------------- hit, tied, miss


def test_the_best_measured_method_is_a_hit_without_regret(tmp_path: Path) -> None:
    arms = [Made("zero-shot", right(5)), Made("lora", right(30))]
    run = verified(tmp_path / "r", arms, advised(*ALL))
    choice = run.choice(ADVISOR)
    assert (run.winner, run.score, choice.outcome, choice.behind) == ("lora", 0.75, "hit", None)
    assert choice.regret is not None
    # lora is ahead on every half, so it is always picked and compared with itself.
    assert choice.regret.cross_fitted == 0.0


def test_a_method_that_is_not_separated_from_the_winner_is_tied(tmp_path: Path) -> None:
    arms = [Made("full", right(28)), Made("lora", right(30))]
    choice = advisors(tmp_path / "r", arms, advised("full", "lora"))
    assert choice.outcome == "tied"
    assert choice.behind is not None
    assert (choice.behind.a, choice.behind.b) == ("lora", "full")
    assert choice.behind.difference == pytest.approx(0.05)


def test_a_method_that_is_separated_from_the_winner_is_a_miss(tmp_path: Path) -> None:
    arms = [Made("zero-shot", right(5)), Made("lora", right(30)), Made("full", right(5))]
    choice = advisors(tmp_path / "r", arms, advised("zero-shot", "lora", "full"))
    assert choice.outcome == "miss"
    assert choice.behind is not None
    # 25 items that only lora got right: 2 / 2^25 by McNemar, times three pairs by Holm.
    assert choice.behind.p_holm == pytest.approx(3 * 2 / 2**25)
    assert choice.regret is not None
    # The winner is picked on every half, and two equal halves differ by 25 of 40 on average.
    assert choice.regret.cross_fitted == pytest.approx(0.625)
    assert choice.regret.naive == pytest.approx(0.625)


def test_the_outcome_hangs_on_the_difference_that_was_corrected(tmp_path: Path) -> None:
    # 7 discordant items: p = 2 / 2^7 = .016 alone, but .047 for three and .094 for six pairs.
    arms = [Made("zero-shot", right(23)), Made("lora", right(30)), Made("full", right(23))]
    three = advisors(tmp_path / "a", arms, advised("zero-shot", "lora"))
    assert three.outcome == "miss"
    six = advisors(tmp_path / "b", [*arms, Made("rag", right(23))], advised("zero-shot", "lora"))
    assert six.outcome == "tied"


def test_only_methods_that_the_answers_allow_can_win(tmp_path: Path) -> None:
    arms = [Made("zero-shot", right(5)), Made("lora", right(10)), Made("full", right(39))]
    run = verified(tmp_path / "r", arms, advised("lora", "zero-shot"))
    assert (run.winner, run.choice(ADVISOR).outcome) == ("lora", "hit")
    assert set(run.rivals) == {"lora", "zero-shot"}
    assert "full scores highest of all, but the answers do not allow it." in run.notes


def test_a_failed_method_cannot_win_and_is_a_miss_without_a_regret(tmp_path: Path) -> None:
    failure = Failure(kind="out of memory", message="needs 9 GiB\nat line 3")
    arms = [Made("zero-shot", right(5)), Made("lora", status="failed", failure=failure)]
    run = verified(tmp_path / "r", arms, advised("lora", "zero-shot"))
    choice = run.choice(ADVISOR)
    assert (run.winner, choice.outcome, choice.regret) == ("zero-shot", "miss", None)
    assert choice.why.startswith("lora failed: needs 9 GiB. That counts against it")


def test_nothing_is_concluded_from_a_training_that_did_not_improve_on_the_start(
    tmp_path: Path,
) -> None:
    failed = trained(improved=False)
    arms = [
        Made("zero-shot", right(20)),
        Made("lora", right(5), training=failed),
        Made("full", right(39), training=trained(improved=True)),
    ]
    run = verified(tmp_path / "r", arms, advised("lora", "full", "zero-shot"))
    choice = run.choice(ADVISOR)
    assert (choice.outcome, choice.regret) == ("not tested", None)
    assert choice.why == (
        "The training of lora did not improve on the start, so this run says nothing about it."
    )
    assert set(run.rivals) == {"full", "zero-shot"}
    assert policy(run, "always-LoRA") == ("lora", "not tested")


def test_a_method_whose_training_failed_wins_against_nobody(tmp_path: Path) -> None:
    failed = Made("lora", right(39), training=trained(improved=False))
    arms = [Made("zero-shot", right(20)), Made("rag", right(10)), failed]
    run = verified(tmp_path / "r", arms, advised("zero-shot", "rag", "lora"))
    assert (run.winner, run.choice(ADVISOR).outcome) == ("zero-shot", "hit")


def test_a_choice_that_nothing_else_was_measured_against_is_not_tested(tmp_path: Path) -> None:
    arms = [Made("lora", right(30)), Made("full", right(39))]
    # full is not allowed, and a floor cannot be chosen.
    floor = Made("majority", right(5), floor=True)
    run = verified(tmp_path / "r", [*arms, floor], advised("lora", "zero-shot"))
    choice = run.choice(ADVISOR)
    assert (choice.outcome, choice.regret) == ("not tested", None)
    assert choice.why == "No other method that the answers allow has a full result."
    assert run.choice("always-LoRA").outcome == "not tested"
    assert (run.lead, run.span) == (None, None)


def test_a_plain_prompt_alone_is_tested_by_the_target_it_reaches_and_by_nothing_else(
    tmp_path: Path,
) -> None:
    arms = [Made("zero-shot", right(20))]
    for place, (target, outcome) in enumerate(((0.4, "hit"), (0.6, "not tested"))):
        advice = advised(*ALL, verdict="no_adaptation", target=target)
        assert advisors(tmp_path / str(place), arms, advice).outcome == outcome


def test_a_method_with_one_failed_seed_is_a_miss(tmp_path: Path) -> None:
    failure = Failure(kind="timeout", message="slow")
    arms = [
        Made("zero-shot", right(5)),
        Made("lora", right(30)),
        Made("lora", status="failed", seed=1, failure=failure),
    ]
    run = verified(tmp_path / "r", arms, advised("lora", "zero-shot"))
    assert (run.winner, run.choice(ADVISOR).outcome) == ("zero-shot", "miss")


def test_a_method_that_the_task_refused_is_a_miss(tmp_path: Path) -> None:
    arms = [
        Made("zero-shot", right(5)),
        Made("rag", status="refused", reason="the task has no corpus"),
    ]
    choice = advisors(tmp_path / "r", arms, advised("rag", "zero-shot"))
    assert (choice.outcome, choice.regret) == ("miss", None)
    assert choice.why.startswith("rag was refused: the task has no corpus.")


@pytest.mark.parametrize(
    ("arm", "why"),
    [
        ([], "lora is not in this run."),
        (
            [Made("lora", status="skipped", reason="the budget ended")],
            "lora was skipped: the budget ended.",
        ),
        ([Made("lora", [None] * 40)], "The score of lora is not defined."),
    ],
)
def test_a_method_that_was_never_measured_is_not_tested(
    tmp_path: Path, arm: list[Made], why: str
) -> None:
    arms = [Made("zero-shot", right(5)), *arm]
    choice = advisors(tmp_path / "r", arms, advised("lora", "zero-shot"))
    assert (choice.outcome, choice.regret, choice.why) == ("not tested", None, why)


def test_a_run_with_too_few_items_has_an_outcome_and_no_regret(tmp_path: Path) -> None:
    arms = [Made("zero-shot", right(1, 9)), Made("lora", right(8, 9))]
    choice = advisors(tmp_path / "r", arms, advised("lora", "zero-shot"))
    assert (choice.outcome, choice.regret) == ("hit", None)


def test_items_of_a_group_stay_together_in_the_halves(tmp_path: Path) -> None:
    groups = [f"doc-{place // 5}" for place in range(40)]
    arms = [Made("zero-shot", right(5)), Made("lora", right(30))]
    made = make_run(tmp_path / "r", arms, Material(groups=groups))
    run = verify([(made, advised(*ALL))], "a chart", "e" * 64).runs[0]
    assert (run.items, run.units) == (40, 8)
    # Eight groups are too few to split, though forty items would not be.
    assert run.choice(ADVISOR).regret is None


def test_whether_the_advice_reaches_the_target_is_said_beside_the_outcome(tmp_path: Path) -> None:
    arms = [Made("zero-shot", right(5)), Made("lora", right(30))]
    for place, (target, reached) in enumerate(((0.75, True), (0.76, False), (None, None))):
        choice = advisors(tmp_path / str(place), arms, advised("lora", target=target))
        assert (choice.score, choice.reached) == (0.75, reached)


# ---------------------------------------------------------------- verdicts


FLOORED = [
    Made("zero-shot", right(5)),
    Made("lora", right(30)),
    Made("majority", right(2), floor=True),
    Made("nearest-answer", right(20), floor=True),
]


@pytest.mark.parametrize(
    ("floor", "target", "outcome", "why"),
    [
        (20, 0.5, "hit", "nearest-answer reaches the target of 0.5, though its interval begins"),
        (20, 0.3, "hit", "nearest-answer reaches the target of 0.3 with its whole interval."),
        (20, 0.6, "miss", "misses the target of 0.6, and separated above nearest-answer: lora."),
        (20, None, "miss", "There is no target, and separated above nearest-answer: lora."),
        (28, 0.9, "tied", "misses the target of 0.9, but no method that the answers allow is"),
    ],
)
def test_no_language_model_is_tested_against_the_target_and_what_lies_above_the_best_floor(
    tmp_path: Path, floor: int, target: float | None, outcome: str, why: str
) -> None:
    arms = [*FLOORED[:3], Made("nearest-answer", right(floor), floor=True)]
    advice = advised(*ALL, verdict="no_language_model", target=target)
    choice = advisors(tmp_path / "r", arms, advice)
    assert (choice.method, choice.outcome) == ("nearest-answer", outcome)
    assert why in choice.why


def test_no_language_model_costs_what_the_best_floor_is_behind(tmp_path: Path) -> None:
    advice = advised(*ALL, verdict="no_language_model", target=0.5)
    run = verified(tmp_path / "r", FLOORED, advice)
    regret = run.choice(ADVISOR).regret
    assert run.winner == "lora"
    assert regret is not None
    # lora has 10 of 40 more than the floor, on every pair of halves.
    assert regret.cross_fitted == pytest.approx(0.25)


def test_no_language_model_without_a_floor_is_not_tested(tmp_path: Path) -> None:
    advice = advised(*ALL, verdict="no_language_model", target=0.5)
    choice = advisors(tmp_path / "r", FLOORED[:2], advice)
    assert (choice.method, choice.outcome) == (None, "not tested")
    assert choice.why == "No baseline without a language model finished."


@pytest.mark.parametrize(
    ("plain", "target", "outcome"),
    [(5, 0.1, "hit"), (5, 0.5, "miss"), (28, 0.9, "tied"), (30, 0.9, "tied")],
)
def test_no_adaptation_is_tested_against_the_target_and_what_lies_above_the_plain_prompt(
    tmp_path: Path, plain: int, target: float, outcome: str
) -> None:
    arms = [Made("zero-shot", right(plain)), Made("lora", right(30))]
    choice = advisors(tmp_path / "r", arms, advised(*ALL, verdict="no_adaptation", target=target))
    assert (choice.method, choice.outcome) == ("zero-shot", outcome)


def test_no_adaptation_without_a_plain_prompt_is_not_tested(tmp_path: Path) -> None:
    advice = advised(*ALL, verdict="no_adaptation", target=0.5)
    choice = advisors(tmp_path / "r", [Made("lora", right(30))], advice)
    assert (choice.outcome, choice.why) == ("not tested", "zero-shot is not in this run.")


@pytest.mark.parametrize(
    ("target", "outcome"), [(0.9, "hit"), (0.7, "tied"), (0.5, "miss"), (None, "not tested")]
)
def test_no_method_reaches_is_tested_against_the_best_method_and_its_interval(
    tmp_path: Path, target: float | None, outcome: str
) -> None:
    # Wilson's interval of 30 of 40 is .598 to .858.
    advice = advised(*ALL, verdict="no_method_reaches", target=target)
    choice = advisors(tmp_path / "r", FLOORED, advice)
    assert (choice.method, choice.outcome, choice.regret) == (None, outcome, None)


def test_the_best_of_many_methods_needs_more_to_reach_a_target_for_sure() -> None:
    # 75 % of 40 have .598 as their lower end. For nine methods the quantile is 2.539 and not 1.960
    # (that of 1 - .05 / 9), so the end is .75 - .152 * 2.539 / 1.960 = .553.
    assert surely_reaches(0.75, 0.598, 0.59, 1)
    assert surely_reaches(0.75, 0.598, 0.59, 2)
    assert surely_reaches(0.75, 0.598, 0.552, 9)
    assert not surely_reaches(0.75, 0.598, 0.555, 9)


def test_no_method_fits_is_a_verdict_that_no_run_tests(tmp_path: Path) -> None:
    choice = advisors(tmp_path / "r", FLOORED, advised(verdict="no_method_fits", target=0.5))
    assert (choice.method, choice.outcome) == (None, "not tested")


def test_advice_to_adapt_says_when_the_target_was_reached_without(tmp_path: Path) -> None:
    notes = verified(tmp_path / "r", FLOORED, advised(*ALL, target=0.5)).notes
    assert len(notes) == 1
    assert notes[0].startswith("nearest-answer reaches the target of 0.5")
    assert notes[0].endswith("though its interval begins below, so no language model was needed.")
    low = verified(tmp_path / "s", FLOORED, advised(*ALL, target=0.05)).notes
    # Wilson's interval of 5 of 40 begins at .055.
    assert low[1] == (
        "zero-shot reaches the target of 0.05 with its whole interval, so nothing needed adapting."
    )


def test_a_sample_that_rules_out_a_lead_that_matters_shows_no_need_for_a_language_model(
    tmp_path: Path,
) -> None:
    arms = [Made("lora", right(30, 150)), Made("majority", right(30, 150), floor=True)]
    found = verified(tmp_path / "r", arms, advised(*ALL))
    # Tango's interval of 150 items that do not differ ends at z² / (n + z²) = .025.
    assert found.notes == (
        "No method that the answers allow is separated above the best floor without a language "
        "model, majority, and the intervals of their leads over it end below 10 points: this "
        "sample shows no need for one.",
    )
    assert found.above_floor is False


def test_too_few_items_show_no_need_of_anything(tmp_path: Path) -> None:
    # 5 of 40 items that lora alone got right: p = .06, and up to 26 points more, by Tango.
    arms = [Made("lora", right(20)), Made("majority", right(15), floor=True)]
    (note,) = verified(tmp_path / "r", arms, advised(*ALL)).notes
    assert "there are too few items to tell whether one is needed: lora leads it by +12.5" in note
    assert "shows no need" not in note


# ---------------------------------------------------------------- policies


def test_a_policy_falls_back_to_the_plain_prompt_where_its_method_cannot_be_used(
    tmp_path: Path,
) -> None:
    refused = Made("icl-nearest", status="refused", reason="no training items")
    arms = [Made("zero-shot", right(10)), Made("lora", right(30)), refused]
    run = verified(tmp_path / "r", arms, advised("lora", "icl-nearest", "zero-shot"))
    assert policy(run, "always-LoRA") == ("lora", "hit")
    assert not run.choice("always-LoRA").fell_back
    for name in ("always-RAG", "always-ICL"):
        assert policy(run, name) == ("zero-shot", "miss")
        assert run.choice(name).fell_back
        regret = run.choice(name).regret
        assert regret is not None
        # 20 of 40 items behind lora.
        assert regret.cross_fitted == pytest.approx(0.5)
    assert run.choice("always-RAG").why == "rag cannot be used here, so zero-shot stands in."


def test_a_policy_whose_method_is_allowed_and_not_in_the_run_is_not_tested(tmp_path: Path) -> None:
    run = verified(tmp_path / "r", FLOORED, advised(*ALL))
    assert policy(run, "always-full") == ("full", "not tested")
    assert run.choice("always-full").why == "full is not in this run."


@pytest.mark.parametrize(
    ("target", "ran", "allowed", "chosen"),
    [
        (0.5, ("rag", "raft", "rag+lora"), ALL, "rag"),
        (0.6, ("rag", "raft", "rag+lora"), ALL, "raft"),
        (None, ("rag", "raft", "rag+lora"), ALL, "raft"),
        (0.6, ("rag", "rag+lora"), ALL, "rag+lora"),
        (0.6, ("rag", "lora"), ALL, "raft"),
        (0.6, ("rag", "lora"), ("rag", "lora", "zero-shot"), "rag"),
        (0.6, ("lora",), ("lora", "zero-shot"), "lora"),
        (0.1, ("lora",), ("lora", "zero-shot"), "zero-shot"),
        (0.6, (), ("zero-shot",), "zero-shot"),
        (0.6, ("raft",), ALL, "rag"),
    ],
)
def test_rag_first_then_tune_climbs_where_its_first_step_misses_the_target(
    tmp_path: Path,
    target: float | None,
    ran: tuple[str, ...],
    allowed: tuple[str, ...],
    chosen: str,
) -> None:
    scores = {"rag": 20, "raft": 15, "rag+lora": 35, "lora": 30}
    arms = [Made("zero-shot", right(5)), *(Made(name, right(scores[name])) for name in ran)]
    run = verified(tmp_path / "r", arms, advised(*allowed, target=target))
    choice = run.choice("RAG first, then tune")
    assert choice.method == chosen
    # The plain prompt alone stands beside nothing.
    assert (choice.outcome == "not tested") == (not ran or chosen not in (*ran, "zero-shot"))
    assert choice.fell_back == (chosen == "zero-shot")


@pytest.mark.parametrize(
    ("knowledge", "ran", "allowed", "chosen"),
    [
        ("changing", ("rag", "raft", "lora"), ALL, "raft"),
        ("static", ("rag+lora", "rag", "lora"), ALL, "rag+lora"),
        ("static", ("rag", "lora"), ("rag", "lora", "zero-shot"), "rag"),
        ("changing", ("lora",), ("lora", "zero-shot"), "zero-shot"),
        ("none", ("rag", "raft", "lora"), ALL, "lora"),
        (None, ("rag", "raft", "lora"), ALL, "lora"),
        ("none", (), ("zero-shot",), "zero-shot"),
    ],
)
def test_retrieval_if_knowledge_reads_one_answer(
    tmp_path: Path,
    knowledge: str | None,
    ran: tuple[str, ...],
    allowed: tuple[str, ...],
    chosen: str,
) -> None:
    arms = [Made("zero-shot", right(5)), *(Made(name, right(20)) for name in ran)]
    advice = advised(*allowed)
    answers = {**advice.answers, **({"knowledge": knowledge} if knowledge else {})}
    run = verified(tmp_path / "r", arms, advice.model_copy(update={"answers": answers}))
    choice = run.choice("retrieval if knowledge, else LoRA")
    assert (choice.method, choice.fell_back) == (chosen, chosen == "zero-shot")


# ---------------------------------------------------------------- over all runs


def two_runs(folder: Path, tasks: tuple[str, str] = ("letters", "numbers")) -> Verification:
    """Advised: lora. In the first run it wins by 25 of 40 items, in the second it loses by 10."""
    one = [Made("zero-shot", right(5)), Made("lora", right(30)), Made("full", right(30))]
    two = [Made("zero-shot", right(5)), Made("lora", right(20)), Made("full", right(30))]
    cases = [
        make_run(folder / name, arms, Material(task=task, run_id=name))
        for name, arms, task in (("one", one, tasks[0]), ("two", two, tasks[1]))
    ]
    advice = advised("lora", "full", "zero-shot")
    return verify([(run, advice) for run in cases], "a chart", "e" * 64)


def test_means_over_runs_and_paired_differences_are_as_by_hand(tmp_path: Path) -> None:
    found = two_runs(tmp_path)
    advisor, rag = summary(found, ADVISOR), summary(found, "always-RAG")
    assert [run.span for run in found.runs] == [0.625, 0.625]
    assert advisor.regret is not None and advisor.regret.points is not None
    # lora: 0 and 10/40, of the 25/40 from the worst method to the best.
    assert advisor.regret.value == pytest.approx((0 + 10 / 25) / 2)
    assert advisor.regret.points[0] == pytest.approx(0.125)
    regrets = [run.choice(ADVISOR).regret for run in found.runs]
    bounds = [regret.at_most for regret in regrets if regret]
    assert advisor.regret.points[1] == pytest.approx(sum(bounds) / 2)
    assert advisor.regret.at_most == pytest.approx(sum(bounds) / 2 / 0.625)
    assert rag.regret is not None and rag.beside is not None
    # zero-shot stands in for rag: the worst method in both.
    assert rag.regret.value == pytest.approx(1.0)
    assert rag.regret.at_most == 1.0
    # 0 - 1 and .4 - 1.
    assert rag.beside.value == pytest.approx(-0.8)
    assert (rag.beside.better, rag.beside.same, rag.beside.worse) == (2, 0, 0)
    # Two tasks that agree are too few: 2 · (1/2)² = .5 by the two-sided sign test.
    assert rag.beside.p_value is None


def test_points_of_different_metrics_are_not_averaged(tmp_path: Path) -> None:
    arms = [Made("zero-shot", right(5)), Made("lora", right(30))]
    runs = [
        make_run(tmp_path / name, arms, Material(task=name, run_id=name, metric=metric))
        for name, metric in (("one", "accuracy"), ("two", "exact_match"))
    ]
    found = verify([(run, advised("zero-shot", "lora")) for run in runs], "a chart", "e" * 64)
    regret = summary(found, ADVISOR).regret
    assert regret is not None
    assert (regret.value, regret.points) == (pytest.approx(1.0), None)


def test_methods_that_all_score_alike_have_no_way_from_the_worst_to_the_best(
    tmp_path: Path,
) -> None:
    arms = [Made("zero-shot", right(20)), Made("lora", right(20))]
    found = verify([(make_run(tmp_path / "r", arms), advised(*ALL))], "a chart", "e" * 64)
    assert found.runs[0].choice(ADVISOR).regret is not None
    assert found.runs[0].share(ADVISOR) is None
    assert summary(found, ADVISOR).regret is None


def tasks_apart(folder: Path, behind: list[int]) -> Verification:
    """Runs of a task each: lora is advised, full is ahead by 10 of 40 items, or behind (-1)."""
    cases = []
    for place, sign in enumerate(behind):
        name = f"task-{place}"
        hits = {"zero-shot": 2, "lora": 20, "full": 20 + 10 * sign}
        arms = [Made(method, right(count)) for method, count in hits.items()]
        run = make_run(folder / name, arms, Material(task=name, run_id=name))
        cases.append((run, advised("lora", "full", "zero-shot")))
    return verify(cases, "a chart", "e" * 64)


@pytest.mark.parametrize(
    ("behind", "counts", "p_value"),
    [
        ([1] * 6, (0, 0, 6), 2 / 2**6),
        ([-1] * 6 + [0], (6, 1, 0), 2 / 2**6),
        ([-1] * 5 + [1] * 2, (5, 0, 2), 0.453125),
        ([-1] * 5 + [0] * 3, (5, 3, 0), None),
    ],
)
def test_runs_in_which_the_advisor_did_better_and_worse_are_counted_and_tested_by_signs(
    tmp_path: Path, behind: list[int], counts: tuple[int, int, int], p_value: float | None
) -> None:
    # Of seven signs, five and more or two and fewer come with (21 + 7 + 1) / 2^6 = .453125.
    beside = summary(tasks_apart(tmp_path, behind), "always-full").beside
    assert beside is not None
    assert (beside.better, beside.same, beside.worse) == counts
    assert beside.p_value == (None if p_value is None else pytest.approx(p_value))


def test_runs_of_one_task_are_one_sign(tmp_path: Path) -> None:
    arms = [Made("zero-shot", right(2)), Made("lora", right(20)), Made("full", right(30))]
    runs = [make_run(tmp_path / str(n), arms, Material(run_id=f"run-{n}")) for n in range(7)]
    advice = advised("lora", "full", "zero-shot")
    found = verify([(run, advice) for run in runs], "a chart", "e" * 64)
    beside = summary(found, "always-full").beside
    assert beside is not None
    assert (beside.worse, beside.p_value) == (7, None)


def test_a_simple_rule_that_does_as_well_is_found(tmp_path: Path) -> None:
    equal = tasks_apart(tmp_path / "a", [-1, 0])
    found = [policy.policy for policy in simple_rules_as_good(equal)]
    # In hindsight, lora is the best method; that is no rule that could have been followed.
    assert found == ["always-LoRA", "RAG first, then tune", "retrieval if knowledge, else LoRA"]
    better = tasks_apart(tmp_path / "b", [1, 1])
    assert "always-full" in [policy.policy for policy in simple_rules_as_good(better)]


def test_runs_in_view_while_the_chart_was_made_are_marked(tmp_path: Path) -> None:
    arms = [Made("zero-shot", right(5)), Made("lora", right(30))]
    runs = [make_run(tmp_path / name, arms, Material(run_id=name)) for name in ("old", "new")]
    cases = [(run, advised("lora", "zero-shot")) for run in runs]
    known = verify(cases, "a chart", "e" * 64, in_sample={0})
    assert [run.in_sample for run in known.runs] == [True, False]
    assert known.notes[0].endswith("no test on anything new: old.")
    assert verify(cases, "a chart", "e" * 64, in_sample=()).notes[0] == (
        "No run was in view while the flowchart was made or corrected."
    )
    assert verify(cases, "a chart", "e" * 64).notes[0].startswith("It was not said which runs")


def test_outcomes_are_counted_for_the_advisor_and_for_every_policy(tmp_path: Path) -> None:
    found = two_runs(tmp_path)
    counts = {"hit": 0, "tied": 0, "miss": 0, "not tested": 0}
    # In the first run full scores the same as lora: whoever wins, the other is not separated.
    advisor, full = summary(found, ADVISOR).outcomes, summary(found, "always-full").outcomes
    assert advisor["hit"] + advisor["tied"] == 1
    assert advisor["miss"] == 1
    assert full["hit"] + full["tied"] == 2
    # The plain prompt stood in for rag: that is no outcome of retrieval.
    assert summary(found, "always-RAG").outcomes == counts
    assert summary(found, "always-RAG").fell_back == 2


def test_the_best_single_method_in_hindsight_has_the_smallest_mean_regret(tmp_path: Path) -> None:
    found = two_runs(tmp_path)
    best = found.summaries[-1]
    # Of the way: full 0 and 0; lora 0 and .4; zero-shot 1 twice.
    assert best.policy == "best in hindsight: full"
    assert best.regret is not None and best.beside is not None
    assert best.regret.value == pytest.approx(0.0)
    assert best.beside.value == pytest.approx(0.2)
    assert "a yardstick, no policy" in best.rule


def test_the_same_choice_and_falling_back_are_counted(tmp_path: Path) -> None:
    found = two_runs(tmp_path)
    names = ("always-LoRA", "always-full", "always-RAG")
    assert [summary(found, name).same for name in names] == [2, 0, 0]
    assert [summary(found, name).fell_back for name in names] == [0, 0, 2]


def test_a_task_that_was_run_twice_counts_once(tmp_path: Path) -> None:
    regret = summary(two_runs(tmp_path, ("letters", "letters")), ADVISOR).regret
    assert regret is not None
    assert regret.value == pytest.approx(0.2)
    assert (regret.runs, regret.tasks) == (2, 1)


def test_a_run_without_a_known_regret_is_in_no_mean_and_that_is_said(tmp_path: Path) -> None:
    good = [Made("zero-shot", right(5)), Made("full", right(9)), Made("lora", right(30))]
    bad = [*good[:2], Made("lora", status="failed")]
    runs = [
        make_run(tmp_path / name, arms, Material(task=name, run_id=name))
        for name, arms in (("good", good), ("bad", bad))
    ]
    advice = advised("lora", "full", "zero-shot")
    found = verify([(run, advice) for run in runs], "a chart", "e" * 64)
    advisor, rag = summary(found, ADVISOR), summary(found, "always-RAG")
    assert advisor.outcomes == {"hit": 1, "tied": 0, "miss": 1, "not tested": 0}
    assert advisor.regret is not None and (advisor.regret.value, advisor.regret.runs) == (0.0, 1)
    assert rag.regret is not None and rag.beside is not None
    assert (rag.regret.runs, rag.beside.runs) == (2, 1)
    assert "The advisor's regret is not known, and left out: bad." in found.notes


def test_what_few_tasks_can_show_is_said(tmp_path: Path) -> None:
    assert two_runs(tmp_path).notes[1].startswith("2 tasks are no random sample of all tasks")


def test_no_reader_sees_a_negative_regret(tmp_path: Path) -> None:
    # Ahead by chance: picked on one half of the items, the other method loses on the other.
    ahead = right(11, 20)
    arms = [Made("lora", ahead), Made("full", ahead[::-1])]
    found = verify([(make_run(tmp_path / "r", arms), advised("lora", "full"))], "c", "e" * 64)
    regrets = [choice.regret for choice in found.runs[0].choices if choice.regret]
    assert len(regrets) > 2
    assert all(0 <= regret.cross_fitted <= regret.at_most for regret in regrets)


# ---------------------------------------------------------------- provenance


def test_the_advice_kept_with_a_run_counts_for_nothing_and_is_shown(tmp_path: Path) -> None:
    kept = {"verdict": "adapt", "ranked": [{"method": "full", "blockers": []}]}
    arms = [Made("full", right(5)), Made("lora", right(30))]
    run = make_run(tmp_path / "r", arms, recommendation=json.dumps(kept))
    found = verify([(run, advised("lora", "full"))], "a chart", "e" * 64).runs[0]
    assert (found.stored, found.advised.said, found.choice(ADVISOR).outcome) == (
        "full",
        "lora",
        "hit",
    )


def test_fewer_labels_in_the_run_than_in_the_answers_are_said_when_they_matter(
    tmp_path: Path,
) -> None:
    arms = [Made("lora", right(30))]
    advice = advised("lora", labels=4000)
    other = advice.model_copy(update={"with_labels_of_run": "icl-nearest"})
    same = advice.model_copy(update={"with_labels_of_run": "lora"})
    assert verified(tmp_path / "a", arms, other).notes == (
        "The answers count 4,000 labelled examples and the run trained on 20. For so many the "
        "flowchart says: icl-nearest.",
    )
    assert verified(tmp_path / "b", arms, same).notes == ()


def test_a_verification_comes_back_from_its_json(tmp_path: Path) -> None:
    found = two_runs(tmp_path)
    assert Verification.model_validate_json(found.model_dump_json()) == found


def test_the_same_runs_give_the_same_figures(tmp_path: Path) -> None:
    assert two_runs(tmp_path / "a") == two_runs(tmp_path / "b")
