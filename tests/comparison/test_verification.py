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
    verify,
)
from tests.comparison.runs import Made, Material, make_run, trained

pytestmark = pytest.mark.usefixtures("few_draws")

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
    arms = [Made("zero-shot", right(20)), Made("lora", right(39), training=trained(improved=False))]
    run = verified(tmp_path / "r", arms, advised("zero-shot", "lora"))
    assert (run.winner, run.choice(ADVISOR).outcome) == ("zero-shot", "hit")


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


def test_advice_to_adapt_says_when_nothing_is_separated_above_the_best_floor(
    tmp_path: Path,
) -> None:
    arms = [Made("lora", right(30)), Made("majority", right(29), floor=True)]
    notes = verified(tmp_path / "r", arms, advised(*ALL)).notes
    assert notes == (
        "No method that the answers allow is separated above the best floor without a language "
        "model, majority: this sample shows no need for one.",
    )


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
    assert (choice.outcome == "not tested") == (chosen not in (*ran, "zero-shot"))
    assert choice.fell_back == (chosen == "zero-shot")


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
    assert advisor.regret is not None and advisor.regret.interval is not None
    # lora: 0 and 10/40.
    assert advisor.regret.value == pytest.approx(0.125)
    # Two tasks leave one degree of freedom, whose quantile is 12.7: they say next to nothing.
    assert (advisor.regret.interval.low, advisor.regret.interval.high) == (-1.0, 1.0)
    assert rag.regret is not None and rag.advisor_minus is not None
    # zero-shot stands in for rag: 25/40 and 25/40 behind.
    assert rag.regret.value == pytest.approx(0.625)
    # 0 - .625 and .25 - .625.
    assert rag.advisor_minus.value == pytest.approx(-0.5)
    assert rag.advisor_minus.interval is not None
    assert rag.advisor_minus.interval.low == -1.0
    assert rag.advisor_minus.interval.high == 1.0
    assert (rag.advisor_minus.runs, rag.advisor_minus.tasks) == (2, 2)


def test_outcomes_are_counted_for_the_advisor_and_for_every_policy(tmp_path: Path) -> None:
    found = two_runs(tmp_path)
    counts = {"hit": 0, "tied": 0, "miss": 0, "not tested": 0}
    # In the first run full scores the same as lora: whoever wins, the other is not separated.
    advisor, full = summary(found, ADVISOR).outcomes, summary(found, "always-full").outcomes
    assert advisor["hit"] + advisor["tied"] == 1
    assert advisor["miss"] == 1
    assert full["hit"] + full["tied"] == 2
    assert summary(found, "always-RAG").outcomes == counts | {"miss": 2}


def test_the_best_single_method_in_hindsight_has_the_smallest_mean_regret(tmp_path: Path) -> None:
    found = two_runs(tmp_path)
    best = found.summaries[-1]
    # full: 0 and 0; lora: 0 and .25; zero-shot: .625 twice.
    assert best.policy == "best in hindsight: full"
    assert best.regret is not None and best.advisor_minus is not None
    assert best.regret.value == pytest.approx(0.0)
    assert best.advisor_minus.value == pytest.approx(0.125)
    assert "a yardstick, no policy" in best.rule


def test_the_same_choice_and_falling_back_are_counted(tmp_path: Path) -> None:
    found = two_runs(tmp_path)
    names = ("always-LoRA", "always-full", "always-RAG")
    assert [summary(found, name).same for name in names] == [2, 0, 0]
    assert [summary(found, name).fell_back for name in names] == [0, 0, 2]


def test_one_task_has_no_interval_however_often_it_was_run(tmp_path: Path) -> None:
    regret = summary(two_runs(tmp_path, ("letters", "letters")), ADVISOR).regret
    assert regret is not None
    assert (regret.value, regret.interval) == (pytest.approx(0.125), None)
    assert (regret.runs, regret.tasks) == (2, 1)


def test_a_run_without_a_known_regret_is_in_no_mean_and_that_is_said(tmp_path: Path) -> None:
    good = [Made("zero-shot", right(5)), Made("lora", right(30))]
    bad = [Made("zero-shot", right(5)), Made("lora", status="failed")]
    runs = [
        make_run(tmp_path / name, arms, Material(task=name, run_id=name))
        for name, arms in (("good", good), ("bad", bad))
    ]
    found = verify([(run, advised("lora", "zero-shot")) for run in runs], "a chart", "e" * 64)
    advisor, rag = summary(found, ADVISOR), summary(found, "always-RAG")
    assert advisor.outcomes == {"hit": 1, "tied": 0, "miss": 1, "not tested": 0}
    assert advisor.regret is not None and (advisor.regret.value, advisor.regret.runs) == (0.0, 1)
    assert rag.regret is not None and rag.advisor_minus is not None
    assert (rag.regret.runs, rag.advisor_minus.runs) == (2, 1)
    assert "The advisor's regret is not known, and left out: bad." in found.notes


def test_what_few_tasks_can_show_is_said(tmp_path: Path) -> None:
    # Two tasks that point the same way: 2 · (1/2)² by the two-sided sign test.
    assert "a sign test would give p = 0.5." in two_runs(tmp_path).notes[1]


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
