from __future__ import annotations

import json
import random
import re
import unicodedata
from dataclasses import replace
from pathlib import Path

import pytest
import sacrebleu
from sklearn.metrics import f1_score

from benchmarks.comparison import compare, compare_runs
from benchmarks.records import Cost, CurvePoint, Failure
from benchmarks.results import Comparison, Difference
from benchmarks.store import read_run
from strategies.errors import RunError
from tests.comparison.runs import Made, Material, make_run, trained


def right(count: int, items: int = 40) -> list[float]:
    return [1.0] * count + [0.0] * (items - count)


def test_scores_come_with_wilson_intervals_and_stand_best_first(tmp_path: Path) -> None:
    run = make_run(tmp_path / "r", [Made("zero-shot", right(10)), Made("lora", right(30))])
    found = compare(run)
    assert [r.name for r in found.methods] == ["lora", "zero-shot"]
    best = found.method("lora")
    assert best.score == 0.75
    assert best.interval is not None
    # Wilson 1927 by hand: (30 + z²/2 ± z sqrt(30·10/40 + z²/4)) / (40 + z²).
    assert (best.interval.low, best.interval.high) == pytest.approx((0.5981, 0.8581), abs=5e-5)
    assert best.interval.method == "Wilson score"


def test_a_large_difference_is_separated_and_a_small_one_is_a_tie(tmp_path: Path) -> None:
    arms = [Made("zero-shot", right(5)), Made("lora", right(30)), Made("full", right(28))]
    found = compare(make_run(tmp_path / "r", arms))
    assert found.leader == "lora"
    assert found.tied == ("lora", "full")
    assert found.method("zero-shot").standing == "behind"
    # 25 items only lora got right, none the other way: 2 / 2^25, times the three pairs.
    pair = next(d for d in found.differences if {d.a, d.b} == {"lora", "zero-shot"})
    assert pair.test == "exact McNemar"
    assert pair.p_value == pytest.approx(2 / 2**25)
    assert pair.p_holm == pytest.approx(3 * 2 / 2**25)


def test_a_difference_seen_from_the_other_side_is_mirrored(tmp_path: Path) -> None:
    found = compare(make_run(tmp_path / "r", [Made("lora", right(30)), Made("full", right(22))]))
    one = found.differences[0].seen_from("lora")
    other = one.seen_from("full")
    assert other.difference == -one.difference
    assert (other.interval.low, other.interval.high) == (-one.interval.high, -one.interval.low)
    assert other.seen_from("lora") == one


def test_the_order_of_arms_and_items_does_not_matter(tmp_path: Path) -> None:
    luck = random.Random(1)
    arms = [Made(name, [luck.random() for _ in range(20)]) for name in ("lora", "full", "rag")]
    one = compare(make_run(tmp_path / "a", arms))
    two = compare(make_run(tmp_path / "b", arms[::-1]))
    assert one.methods == two.methods
    assert {frozenset((d.a, d.b)): d.p_holm for d in one.differences} == {
        frozenset((d.a, d.b)): d.p_holm for d in two.differences
    }


def test_a_failed_arm_has_no_score_cannot_lead_and_is_listed(tmp_path: Path) -> None:
    failure = Failure(kind="out of memory", message="needs 9 GiB")
    arms = [
        Made("zero-shot", right(10)),
        Made("lora", status="failed", failure=failure),
        Made("rag", status="refused", reason="the task has no corpus"),
        Made("full", status="skipped", reason="the budget ended"),
    ]
    found = compare(make_run(tmp_path / "r", arms))
    assert found.leader == "zero-shot"
    for name, status in (("lora", "failed"), ("rag", "refused"), ("full", "skipped")):
        result = found.method(name)
        assert (result.status, result.score, result.standing) == (status, None, None)
        assert result.problems[0].status == status
    assert found.method("lora").problems[0].message == "needs 9 GiB"
    assert found.method("rag").problems[0].message == "the task has no corpus"


def test_a_method_with_one_failed_seed_is_shown_but_cannot_lead(tmp_path: Path) -> None:
    arms = [
        Made("zero-shot", right(10)),
        Made("lora", right(30), seed=0),
        Made("lora", status="failed", seed=1, failure=Failure(kind="timeout", message="slow")),
    ]
    found = compare(make_run(tmp_path / "r", arms))
    assert found.leader == "zero-shot"
    assert found.method("lora").status == "partial"
    assert found.method("lora").score == 0.75
    assert found.differences == ()


def test_an_item_that_one_method_did_not_answer_counts_against_it(tmp_path: Path) -> None:
    arms = [Made("zero-shot", [1.0, 1.0, 0.0, 1.0]), Made("lora", [1.0, None, 1.0, 1.0])]
    found = compare(make_run(tmp_path / "r", arms))
    assert found.method("lora").score == 0.75
    assert found.method("lora").unanswered == 1
    assert any("1 of 4 items have no value" in note for note in found.notes)


def test_an_item_undefined_for_every_method_is_left_out_for_all(tmp_path: Path) -> None:
    arms = [Made("zero-shot", [1.0, None, 0.0]), Made("lora", [1.0, None, 1.0])]
    found = compare(make_run(tmp_path / "r", arms))
    assert found.items == 2
    assert found.method("lora").unanswered == 0


def test_a_run_without_a_single_defined_value_compares_nothing(tmp_path: Path) -> None:
    arms = [Made("zero-shot", [None, None]), Made("lora", [None, None])]
    found = compare(make_run(tmp_path / "r", arms))
    assert (found.items, found.differences) == (0, ())


def test_several_seeds_are_compared_by_item_means_and_show_their_spread(tmp_path: Path) -> None:
    arms = [
        Made("zero-shot", right(10)),
        Made("lora", right(20), seed=0),
        Made("lora", right(30), seed=1),
    ]
    found = compare(make_run(tmp_path / "r", arms))
    lora = found.method("lora")
    assert lora.score == pytest.approx(0.625)
    # Standard deviation of .5 and .75 by hand: .25 / sqrt(2).
    assert lora.seed_spread == pytest.approx(0.17678, abs=1e-5)
    assert found.differences[0].test == "t over items and seeds"
    assert found.differences[0].difference == pytest.approx(-0.375)
    # Two seeds .25 apart have a standard error of .125, with few degrees of freedom.
    detectable = found.differences[0].detectable
    assert detectable is not None and detectable > 2.8 * 2 * 0.125
    assert not any("One seed" in note for note in found.notes)


def test_two_seeds_that_lie_far_apart_leave_a_difference_open(tmp_path: Path) -> None:
    def difference(*correct: int) -> Difference:
        tuned = [Made("lora", right(count), seed=seed) for seed, count in enumerate(correct)]
        arms = [Made("zero-shot", right(10)), *tuned]
        return compare(make_run(tmp_path / str(len(correct)), arms)).differences[0]

    one, two, three = difference(25), difference(20, 30), difference(24, 25, 26)
    assert one.separated and three.separated and not two.separated
    # Of two seeds at .5 and .75 the mean has the standard error 1/8, with one degree of freedom;
    # with what the items add to it there are not quite two, t(.975, 2) being 4.303.
    assert two.interval.high - two.interval.low > 2 * 4.303 / 8
    assert three.interval.method == "paired jackknife and seeds"


def test_one_seed_is_said_to_be_one_trained_adapter(tmp_path: Path) -> None:
    found = compare(make_run(tmp_path / "r", [Made("lora", right(20))]))
    assert found.notes[0].startswith("One seed: a claim about a trained method is about this one")


def test_items_of_shared_groups_are_resampled_as_groups(tmp_path: Path) -> None:
    groups = [f"doc-{place // 4}" for place in range(40)]
    arms = [Made("zero-shot", right(10)), Made("lora", right(30))]
    found = compare(make_run(tmp_path / "r", arms, Material(groups=groups)))
    assert (found.items, found.units) == (40, 10)
    assert found.differences[0].test == "paired permutation of groups"
    assert found.differences[0].interval.method == "paired jackknife of groups"
    assert any("10 groups" in note for note in found.notes)


def test_macro_f1_is_compared_as_macro_f1(tmp_path: Path) -> None:
    luck = random.Random(3)
    references = [luck.choice("abc") for _ in range(60)]
    guesses = [luck.choice("abc") for _ in range(60)]
    better = [r if luck.random() < 0.7 else luck.choice("abc") for r in references]
    scores = [f1_score(references, said, average="macro") for said in (guesses, better)]
    arms = [
        Made("zero-shot", predictions=guesses, score=scores[0]),
        Made("lora", predictions=better, score=scores[1]),
    ]
    material = Material(metric="macro_f1", references=references)
    found = compare(make_run(tmp_path / "r", arms, material))
    assert found.method("lora").interval is not None
    assert found.differences[0].difference == pytest.approx(scores[0] - scores[1])
    assert found.flips[0].fixed == sum(
        a == r != b for r, a, b in zip(references, better, guesses, strict=True)
    )


def test_macro_f1_takes_composed_and_decomposed_labels_for_one(tmp_path: Path) -> None:
    references = ["Rückgabe", "Größe", "Farbe"] * 10
    decomposed = [unicodedata.normalize("NFD", text) + "\n" for text in references]
    arms = [
        Made("zero-shot", predictions=references, score=1.0),
        Made("lora", predictions=decomposed, score=1.0),
    ]
    material = Material(metric="macro_f1", references=references)
    found = compare(make_run(tmp_path / "r", arms, material))
    assert found.differences[0].difference == 0.0
    assert found.flips[0].fixed == found.flips[0].broken == 0


def test_what_a_task_says_of_its_language_stands_in_the_comparison(tmp_path: Path) -> None:
    run = make_run(tmp_path / "r", [Made("zero-shot", right(10)), Made("lora", right(30))])
    note = "bleu takes every character of Japanese for a word"
    card = run.manifest.task.model_copy(update={"notes": (note,)})
    told = replace(run, manifest=run.manifest.model_copy(update={"task": card}))
    assert note not in compare(run).notes
    assert note in compare(told).notes


def test_bleu_is_compared_as_bleu_of_all_answers(tmp_path: Path) -> None:
    references = [f"the {what} sat on the mat number {n}" for n, what in enumerate("abcdefgh" * 4)]
    worse = [text.replace("sat on", "was under") for text in references]
    better = [text if n % 2 else worse[n] for n, text in enumerate(references)]
    scores = [sacrebleu.corpus_bleu(said, [references]).score / 100 for said in (worse, better)]
    arms = [
        Made("zero-shot", [0.5] * 32, predictions=worse, score=scores[0]),
        Made("lora", [0.5] * 32, predictions=better, score=scores[1]),
    ]
    found = compare(make_run(tmp_path / "r", arms, Material(metric="bleu", references=references)))
    interval = found.method("lora").interval
    assert interval is not None and interval.low < scores[1] < interval.high
    assert found.differences[0].difference == pytest.approx(scores[0] - scores[1])
    assert found.differences[0].separated
    assert not any("no interval" in note for note in found.notes)


def test_a_score_that_is_no_function_of_items_has_no_interval(tmp_path: Path) -> None:
    # As runs of before sums were kept.
    run = make_run(
        tmp_path / "r", [Made("zero-shot", [0.5, 0.2, 0.3], score=0.9)], Material(metric="bleu")
    )
    for file in (tmp_path / "r").rglob("scores.jsonl"):
        file.write_text(re.sub(r'"sums":{[^}]*}', '"sums":{}', file.read_text()))
    found = compare(read_run(run.path))
    assert found.method("zero-shot").interval is None
    assert any("no interval" in note for note in found.notes)


def test_a_floor_is_compared_with_every_method_and_can_be_ahead(tmp_path: Path) -> None:
    arms = [
        Made("zero-shot", right(5)),
        Made("lora", right(8)),
        Made("tfidf-lr", right(38), floor=True),
        Made("majority", right(6), floor=True),
    ]
    found = compare(make_run(tmp_path / "r", arms))
    assert found.leader == "lora"
    assert found.best_floor == "tfidf-lr"
    assert found.above_floor == ()
    assert found.method("tfidf-lr").standing == "ahead"
    assert found.method("majority").standing == "tied"
    assert len([d for d in found.differences if d.family == "floors"]) == 4
    assert [r.name for r in found.methods][2:] == ["tfidf-lr", "majority"]


def test_the_frontier_keeps_what_nothing_beats_on_both(tmp_path: Path) -> None:
    def cost(seconds: float) -> Cost:
        return Cost(answer_seconds=seconds)

    arms = [
        Made("zero-shot", right(10), cost=cost(1)),
        Made("rag", right(8), cost=cost(5)),
        Made("lora", right(30), cost=Cost(answer_seconds=2, train_seconds=60)),
        Made("full", right(30)),
    ]
    (frontier,) = compare(make_run(tmp_path / "r", arms)).frontiers
    assert frontier.cost == "total_seconds"
    assert [(p.name, p.cost_seconds, p.efficient) for p in frontier.points] == [
        ("zero-shot", 1, True),
        ("rag", 5, False),
        ("lora", 62, True),
    ]


def test_flips_count_and_show_what_was_fixed_and_broken(tmp_path: Path) -> None:
    arms = [Made("zero-shot", [1, 0, 0, 1]), Made("lora", [0, 1, 1, 1])]
    found = compare(make_run(tmp_path / "r", arms), {"item-000": "the first input"})
    (flips,) = found.flips
    assert (flips.method, flips.fixed, flips.broken, flips.unchanged) == ("lora", 2, 1, 1)
    assert [flip.id for flip in flips.fixed_examples] == ["item-001", "item-002"]
    broken = flips.broken_examples[0]
    assert (broken.input, broken.before, broken.after) == ("the first input", "yes", "no")
    assert flips.fixed_examples[0].input is None


def test_the_advice_is_tested_only_against_allowed_methods(tmp_path: Path) -> None:
    ranked = [
        {"method": "zero-shot"},
        {"method": "rag"},
        {"method": "full", "blockers": ["too little memory"]},
    ]
    arms = [Made("zero-shot", right(10)), Made("rag", right(20)), Made("full", right(40))]
    run = make_run(tmp_path / "r", arms, recommendation=json.dumps({"ranked": ranked}))
    advice = compare(run).advice
    assert advice is not None
    assert (advice.recommended, advice.winner) == ("zero-shot", "rag")
    assert set(advice.allowed) == {"zero-shot", "rag"}
    assert advice.regret is not None
    assert advice.regret.naive == pytest.approx(0.25)
    assert set(advice.regret.wins) == {"zero-shot", "rag"}


def test_advice_that_failed_has_no_regret_and_says_so(tmp_path: Path) -> None:
    arms = [Made("zero-shot", right(10)), Made("lora", status="failed")]
    text = json.dumps({"ranked": [{"method": "lora"}, {"method": "zero-shot"}]})
    advice = compare(make_run(tmp_path / "r", arms, recommendation=text)).advice
    assert advice is not None
    assert advice.regret is None
    assert "counts against the advice" in advice.notes[0]


def test_advice_that_did_not_run_is_tested_by_the_next_that_did(tmp_path: Path) -> None:
    text = json.dumps({"ranked": [{"method": "raft"}, {"method": "zero-shot"}]})
    arms = [Made("zero-shot", right(10)), Made("lora", right(20))]
    advice = compare(make_run(tmp_path / "r", arms, recommendation=text)).advice
    assert advice is not None
    assert (advice.recommended, advice.compared) == ("raft", "zero-shot")
    assert advice.notes[0] == "raft was recommended first but is not in this run."


def test_advice_to_use_no_language_model_is_tested_by_the_best_floor(tmp_path: Path) -> None:
    text = json.dumps({"verdict": "no_language_model", "ranked": [{"method": "zero-shot"}]})
    arms = [
        Made("zero-shot", right(10)),
        Made("majority", right(5), floor=True),
        Made("nearest-answer", right(16), floor=True),
    ]
    advice = compare(make_run(tmp_path / "r", arms, recommendation=text)).advice
    assert advice is not None
    assert (advice.recommended, advice.winner) == ("nearest-answer", "nearest-answer")
    assert advice.regret is not None
    assert advice.regret.naive == 0
    assert "nearest-answer stands for it" in advice.notes[0]
    alone = make_run(tmp_path / "s", [Made("zero-shot", right(10))], recommendation=text)
    found = compare(alone).advice
    assert found is not None
    assert (found.recommended, found.regret) == (None, None)


def test_a_training_that_did_not_improve_keeps_its_score_and_tests_no_advice(
    tmp_path: Path,
) -> None:
    arms = [Made("zero-shot", right(30)), Made("lora", right(5), training=trained(improved=False))]
    ranked = [{"method": "lora"}, {"method": "zero-shot"}]
    text = json.dumps({"ranked": ranked})
    found = compare(make_run(tmp_path / "r", arms, recommendation=text))
    lora = found.method("lora")
    assert (lora.unimproved, lora.score, lora.standing) == (True, 0.125, "behind")
    assert found.advice is not None
    assert (found.advice.winner, found.advice.regret) == ("zero-shot", None)
    assert found.advice.notes[0] == (
        "lora was recommended, and its training did not improve on the start. So this run says "
        "nothing about the advice."
    )
    (training,) = found.trainings
    assert (training.method, training.record.improved) == ("lora", False)


def test_without_a_recommendation_there_is_no_advice_to_test(tmp_path: Path) -> None:
    assert compare(make_run(tmp_path / "r", [Made("zero-shot", right(10))])).advice is None


def test_a_run_that_has_not_begun_is_compared_without_scores(tmp_path: Path) -> None:
    run = make_run(tmp_path / "r", [Made("zero-shot", status="pending")])
    found = compare(run)
    assert (found.leader, found.items, found.differences) == (None, 0, ())
    assert any("not finished: zero-shot" in note for note in found.notes)


def test_curves_costs_and_reuse_are_carried_over(tmp_path: Path) -> None:
    curve = (CurvePoint(step=1, epoch=0.5, train_loss=2.0),)
    cost = Cost(train_seconds=12.0, peak_memory_bytes=100, trainable_parameters=7)
    arm = Made("lora", right(20), curve=curve, cost=cost, reused=("weights",), truncated=3)
    found = compare(make_run(tmp_path / "r", [arm]))
    assert found.curves[0].points == curve
    lora = found.method("lora")
    assert (lora.cost.train_seconds, lora.cost.trainable_parameters) == (12.0, 7)
    assert (lora.reused, lora.truncated) == (("weights",), 3)


def test_a_report_says_how_many_inputs_a_method_could_not_hold(tmp_path: Path) -> None:
    arms = [Made("zero-shot", right(20)), Made("icl-random", right(20), refused=3)]
    said = [note for note in compare(make_run(tmp_path / "r", arms)).notes if "not fit" in note]
    assert [note[:33] for note in said] == ["icl-random: 3 answers are missing"]


def test_a_comparison_survives_its_json(tmp_path: Path) -> None:
    found = compare(
        make_run(tmp_path / "r", [Made("zero-shot", right(10)), Made("lora", right(20))])
    )
    assert Comparison.model_validate_json(found.model_dump_json()) == found


def test_two_runs_are_paired_on_shared_items_only(tmp_path: Path) -> None:
    before = make_run(tmp_path / "a", [Made("lora", right(10, 30)), Made("rag", right(3, 30))])
    after = make_run(
        tmp_path / "b", [Made("lora", right(18, 20))], Material(run_id="run-2", model="other")
    )
    found = compare_runs(before, after)
    assert (found.items, found.only_a, found.only_b) == (20, 10, 0)
    (lora,) = found.methods
    assert (lora.score_a, lora.score_b) == (0.5, 0.9)
    assert lora.difference.difference == pytest.approx(0.4)
    assert lora.difference.p_value == pytest.approx(2 / 2**8)
    assert found.methods_only_a == ("rag",)
    assert "The model differs: tiny and other." in found.notes


def test_a_method_that_failed_in_one_of_two_runs_is_named(tmp_path: Path) -> None:
    arms = [Made("zero-shot", right(10)), Made("lora", right(20))]
    before = make_run(tmp_path / "a", arms)
    after = make_run(
        tmp_path / "b", [arms[0], Made("lora", [], status="failed")], Material(run_id="b")
    )
    found = compare_runs(before, after)
    assert [common.name for common in found.methods] == ["zero-shot"]
    assert "lora has no full result in b: failed." in found.notes


def test_an_item_whose_reference_changed_is_not_the_same_item(tmp_path: Path) -> None:
    arm = [Made("lora", [1.0, 0.0, 1.0])]
    before = make_run(tmp_path / "a", arm, Material(references=["x", "y", "z"]))
    after = make_run(tmp_path / "b", arm, Material(references=["x", "y", "other"]))
    found = compare_runs(before, after)
    assert (found.items, found.changed) == (2, 1)


def test_an_item_whose_input_changed_is_not_the_same_item(tmp_path: Path) -> None:
    arm = [Made("lora", [1.0, 0.0, 1.0])]
    before = make_run(tmp_path / "a", arm, Material(inputs=["x", "y", "z"]))
    after = make_run(tmp_path / "b", arm, Material(inputs=["x", "other", "z"]))
    found = compare_runs(before, after)
    assert (found.items, found.changed) == (2, 1)


def test_a_method_with_a_failed_seed_is_not_paired_between_runs(tmp_path: Path) -> None:
    whole = [Made("lora", right(10)), Made("rag", right(9))]
    torn = [*whole, Made("rag", seed=1, status="failed")]
    found = compare_runs(make_run(tmp_path / "a", whole), make_run(tmp_path / "b", torn))
    assert [method.name for method in found.methods] == ["lora"]


def test_runs_of_different_tasks_are_refused(tmp_path: Path) -> None:
    arm = [Made("lora", [1.0, 0.0])]
    one = make_run(tmp_path / "a", arm)
    two = make_run(tmp_path / "b", arm, Material(task="numbers"))
    with pytest.raises(RunError, match=r"letters .* numbers"):
        compare_runs(one, two)


def test_runs_without_a_common_method_are_refused(tmp_path: Path) -> None:
    one = make_run(tmp_path / "a", [Made("lora", [1.0, 0.0])])
    two = make_run(tmp_path / "b", [Made("rag", [1.0, 0.0])])
    with pytest.raises(RunError, match="2 items and 0 finished methods"):
        compare_runs(one, two)
