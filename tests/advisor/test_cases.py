"""Measured runs say how near they are and which rules they bear out; figures are by hand."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from advisor.cases import (
    Case,
    CasesError,
    Evidence,
    RuleCheck,
    compare_with_cases,
    evidence_lines,
    evidence_markdown,
    evidence_sections,
    load_cases,
)
from advisor.flowchart import Flowchart, load_flowchart
from advisor.questionnaire import Answers, load_answers, parse_answers

ROOT = Path(__file__).parents[2]
RUNS = ROOT / "reports" / "runs"
MODEL = "smollm2-135m-instruct"
PARAMETERS = 134_515_008
"""As its publisher counts them: huggingface.co/HuggingFaceTB/SmolLM2-135M-Instruct."""

CHART = """
methods: [zero-shot, icl-nearest, rag, lora, full]
start: knowledge
claims: {OWN: {how: measured, source: here, finding: something}}
nodes:
  - id: knowledge
    question: Are facts needed?
    branches:
      - label: "no"
        when: {answer: knowledge, is: none}
        next: labels
        effects: [{block: [rag], reason: Nothing to retrieve., evidence: [OWN]}]
      - label: "yes"
        otherwise: true
        next: labels
        effects:
          - {for: [rag], strength: 3, reason: Facts are fetched., evidence: [OWN]}
          - {against: [zero-shot], strength: 1, reason: It lacks the facts., evidence: [OWN]}
  - id: labels
    question: Are there labels?
    effects:
      - when: {answer: current_score, below: 0.5}
        for: [icl-nearest]
        strength: 1
        reason: Much is wrong.
        evidence: [OWN]
    branches:
      - label: few
        when: {any: [{answer: labelled_examples, below: 50}, {answer: labels_per_class, below: 50}]}
        next: score
        effects: [{against: [full, lora], strength: 2, reason: Too few., evidence: [OWN]}]
      - label: many
        otherwise: true
        next: score
        effects:
          - {for: [lora], strength: 3, reason: Enough., evidence: [OWN]}
          - {against: [full], strength: 1, reason: Too large., evidence: [OWN]}
  - id: score
    question: Is it reached?
    branches:
      - label: reached
        when: {answer: current_score, at_least_answer: target_score}
        next: end
        effects: [{verdict: no_adaptation, text: Done., evidence: [OWN]}]
      - label: small
        when: {answer: model_parameters, below: 3000000000}
        next: end
        effects: [{for: [zero-shot, rag], strength: 1, reason: It is small., evidence: [OWN]}]
      - {label: large, otherwise: true, next: end}
"""
MANY = {"knowledge": "none", "labelled_examples": 400}
SCORES = {"zero-shot": 0.3, "icl-nearest": 0.4, "lora": 0.6, "full": 0.5}


@pytest.fixture
def chart(tmp_path: Path) -> Flowchart:
    file = tmp_path / "chart.yaml"
    file.write_text(CHART)
    return load_flowchart(file)


def _measured(name: str, score: float | None, **other: Any) -> dict[str, Any]:
    interval = None if score is None else {"low": score - 0.1, "high": score + 0.1, "method": "x"}
    result = {"name": name, "floor": False, "status": "finished", "score": score}
    return {**result, "interval": interval, "cost": {"train_seconds": 1.0}, **other}


def _paired(a: str, b: str, difference: float, p_holm: float) -> dict[str, Any]:
    interval = {"low": difference - 0.05, "high": difference + 0.05, "method": "x"}
    return {
        "a": a,
        "b": b,
        "family": "methods",
        "difference": difference,
        "interval": interval,
        "p_value": p_holm / 10,
        "p_holm": p_holm,
    }


def _comparison(
    name: str = "mails",
    answers: Mapping[str, Any] = MANY,
    scores: Mapping[str, float] = SCORES,
    pairs: tuple[tuple[str, str, float, float], ...] = (),
    train: int = 300,
) -> dict[str, Any]:
    """A comparison.json of the fields that matter and a few that do not."""
    return {
        "schema_version": 1,
        "run": {
            "schema_version": 1,
            "id": name,
            "model": MODEL,
            "command": "advisor bench",
            "task": {
                "id": name,
                "metric": "accuracy",
                "train": train,
                "validation": 24,
                "answers": dict(answers),
            },
        },
        "seeds": [0],
        "items": 120,
        "methods": [_measured(method, score) for method, score in scores.items()],
        "leader": max(scores, key=lambda method: scores[method]),
        "tied": [max(scores, key=lambda method: scores[method])],
        "differences": [_paired(*pair) for pair in pairs],
        "notes": ["one seed"],
    }


def _write(folder: Path, comparison: Any) -> Path:
    folder.mkdir(parents=True)
    (folder / "comparison.json").write_text(json.dumps(comparison))
    return folder


def _loaded(tmp_path: Path, *comparisons: dict[str, Any]) -> tuple[Case, ...]:
    folders = [_write(tmp_path / f"run{n}", made) for n, made in enumerate(comparisons)]
    return load_cases(folders)


def _answers(**values: Any) -> Answers:
    return parse_answers(values, "test")


def _rule(evidence: Evidence, says: str, method: str, node: str = "labels") -> RuleCheck:
    (found,) = [
        rule
        for rule in evidence.rules
        if (rule.says, rule.method, rule.node) == (says, method, node)
    ]
    return found


def _counts(rule: RuleCheck) -> tuple[int, int, int]:
    return len(rule.confirmed), len(rule.contradicted), len(rule.undecided)


# ---------------------------------------------------------------- loading


def test_a_case_holds_what_the_run_really_had_and_not_what_its_task_claims(tmp_path: Path) -> None:
    claimed = {
        "knowledge": "none",
        "labelled_examples": 4000,
        "eval_items": 1700,
        "model": "llama-3.1-8b",
        "model_parameters": 8_000_000_000,
        "current_score": 0.9,
    }
    made = _comparison(answers=claimed, train=200)
    made["methods"] += [
        _measured("majority", 0.2, floor=True),
        _measured("tfidf-lr", 0.45, floor=True),
    ]
    (case,) = _loaded(tmp_path, made)
    assert case.answers.labelled_examples == 224
    assert case.answers.eval_items == 120
    assert case.parameters == PARAMETERS
    assert case.answers.context_length == 8192
    assert case.answers.model is None
    assert case.answers.current_score == 0.3
    assert case.answers.classical_score == 0.45
    assert case.answers.knowledge == "none"


def test_a_score_on_another_scale_than_answers_have_is_not_known(tmp_path: Path) -> None:
    (case,) = _loaded(tmp_path, _comparison(scores={"zero-shot": 21.3, "lora": 34.0}))
    assert case.answers.current_score is None
    assert case.leader == "lora"


def test_the_size_of_a_model_outside_the_catalogue_is_not_known(tmp_path: Path) -> None:
    made = _comparison(answers={"model_parameters": 7_000_000_000})
    made["run"]["model"] = "/home/somebody/models/our-own"
    (case,) = _loaded(tmp_path, made)
    assert case.parameters is None


@pytest.mark.parametrize(
    "model", ["HuggingFaceTB/SmolLM2-135M-Instruct", "C:\\models\\SmolLM2-135M"]
)
def test_a_model_is_known_by_the_last_part_of_its_name(tmp_path: Path, model: str) -> None:
    made = _comparison()
    made["run"]["model"] = model
    (case,) = _loaded(tmp_path, made)
    assert case.parameters == PARAMETERS


def test_questions_that_are_not_asked_here_are_left_out(tmp_path: Path) -> None:
    asked = {"knowledge": "static", "favourite_colour": "blue", "schema_version": 7}
    (case,) = _loaded(tmp_path, _comparison(answers=asked))
    assert case.answers.knowledge == "static"


def test_a_folder_of_run_folders_is_read_in_order_of_their_names(tmp_path: Path) -> None:
    for name in ("b", "a"):
        _write(tmp_path / "runs" / name, _comparison(name))
    (tmp_path / "runs" / ".hidden").mkdir()
    # A plan may lie above the runs that came from it.
    (tmp_path / "runs" / "plan.yaml").write_text("task: a\n")
    assert [case.name for case in load_cases([tmp_path / "runs"])] == ["a", "b"]


def test_the_same_measurement_counts_once(tmp_path: Path) -> None:
    run = _write(tmp_path / "runs" / "a", _comparison("a"))
    copy = _write(tmp_path / "copy", _comparison("a"))
    assert len(load_cases([run, tmp_path / "runs", copy])) == 1


def test_every_folder_that_cannot_be_used_is_named_in_one_message(tmp_path: Path) -> None:
    _write(tmp_path / "good", _comparison())
    (tmp_path / "started").mkdir()
    (tmp_path / "started" / "run.json").write_text("{}")
    (tmp_path / "holidays").mkdir()
    _write(tmp_path / "newer", {**_comparison(), "schema_version": 2})
    _write(tmp_path / "foreign", {"packages": []})
    _write(tmp_path / "garbled", _comparison())
    (tmp_path / "garbled" / "comparison.json").write_bytes(b'{"run": "\xff')
    pending = _comparison()
    pending["methods"].append(_measured("rag", None, status="pending"))
    _write(tmp_path / "interrupted", pending)
    _write(tmp_path / "fruitless", {**_comparison(), "leader": None, "tied": []})
    _write(tmp_path / "leaderless", {**_comparison(), "leader": "raft"})
    _write(tmp_path / "answered", _comparison(answers={"knowledge": "plenty"}))
    _write(tmp_path / "endless", {**_comparison(), "items": float("nan")})
    with pytest.raises(CasesError) as caught:
        load_cases([tmp_path, tmp_path / "nowhere"])
    first, *lines, step = str(caught.value).splitlines()
    said = {Path(line.split(": ")[0].strip()).name: line for line in lines}
    assert first == "11 of 12 folder(s) cannot serve as evidence:"
    assert set(said) == {
        *("started", "holidays", "newer", "foreign", "garbled", "interrupted"),
        *("fruitless", "leaderless", "answered", "endless", "nowhere"),
    }
    assert said["started"].endswith(": comparison.json is missing")
    assert "no run folder" in said["holidays"]
    assert "schema_version: is 2; allowed: 1" in said["newer"]
    assert "run: is missing" in said["foreign"]
    assert "line 1: is not UTF-8 text" in said["garbled"]
    assert "still to run: rag" in said["interrupted"]
    assert "no method of the run has a result" in said["fruitless"]
    assert "leads without a score: raft" in said["leaderless"]
    assert "knowledge" in said["answered"]
    assert "'plenty'" in said["answered"]
    assert "no such folder" in said["nowhere"]
    assert "advisor report RUN" in step


def test_a_file_in_place_of_a_folder_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("nothing")
    with pytest.raises(CasesError, match=r"notes\.txt: comparison\.json cannot be read"):
        load_cases([file])


# ---------------------------------------------------------------- nearness


def test_facts_are_compared_and_not_answers(tmp_path: Path, chart: Flowchart) -> None:
    # 198 / 12 = 16.5 labels a class, and (42 + 24) / 4 as well.
    made = _comparison(answers={"knowledge": "none", "classes": 4}, train=42)
    answers = _answers(knowledge="none", labelled_examples=198, classes=12)
    (near,) = compare_with_cases(answers, chart, _loaded(tmp_path, made)).near
    assert {fact.fact: (fact.here, fact.there) for fact in near.alike} == {
        "knowledge": ("none", "none"),
        "labelled_examples": ("198", "66"),
        "labels_per_class": ("16.5", "16.5"),
    }
    assert near.differs == ()
    assert near.same == 2


def test_a_threshold_of_the_chart_between_two_values_makes_them_differ(
    tmp_path: Path, chart: Flowchart
) -> None:
    answers = _answers(knowledge="changing", labelled_examples=49, model_parameters=8 * 10**9)
    made = _comparison(answers={"knowledge": "static"}, train=26)
    (near,) = compare_with_cases(answers, chart, _loaded(tmp_path, made)).near
    # The chart only asks whether knowledge is none; 49 labels are below 50, 26 + 24 are not.
    assert [fact.fact for fact in near.alike] == ["knowledge"]
    assert {fact.fact: (fact.here, fact.there) for fact in near.differs} == {
        "labelled_examples": ("49", "50"),
        "model_parameters": ("8,000,000,000", "134,515,008"),
    }
    assert near.known == 3
    assert near.share == pytest.approx(1 / 3)


def test_a_comparison_of_two_answers_tells_nothing_where_one_is_not_known(
    tmp_path: Path, chart: Flowchart
) -> None:
    unmeasured = _comparison("unmeasured", {"target_score": 0.7}, {"lora": 0.8})
    missed = _comparison("missed", {"target_score": 0.7}, {"zero-shot": 0.1})
    answers = _answers(target_score=0.8, current_score=0.9)
    evidence = compare_with_cases(answers, chart, _loaded(tmp_path, unmeasured, missed))
    near = {n.case.name: n for n in evidence.near}
    assert [fact.fact for fact in near["unmeasured"].alike] == ["target_score"]
    assert [fact.fact for fact in near["missed"].differs] == ["current_score", "target_score"]


def test_cases_are_ordered_by_facts_alike_then_share_then_equality_then_name(
    tmp_path: Path, chart: Flowchart
) -> None:
    answers = _answers(**MANY, classes=4, target_score=0.8)
    made = [
        _comparison("z-twin", {**MANY, "classes": 4}),
        _comparison("a-twin", {**MANY, "classes": 4}),
        # 324 / 4 = 81 and 324 / 5 = 64.8 labels a class are alike, and 324 / 10 = 32.4 is not.
        _comparison("fifths", {**MANY, "classes": 5, "target_score": 0.8}),
        _comparison("same", {**MANY, "classes": 5, "target_score": 0.8}, train=376),
        _comparison("tenths", {**MANY, "classes": 10}),
        _comparison("unclassed", {"knowledge": "none"}),
    ]
    evidence = compare_with_cases(answers, chart, _loaded(tmp_path, *made))
    assert [(n.case.name, len(n.alike), n.known) for n in evidence.near] == [
        ("same", 4, 4),
        ("fifths", 4, 4),
        ("a-twin", 3, 3),
        ("z-twin", 3, 3),
        ("unclassed", 2, 2),
        ("tenths", 2, 3),
    ]


def test_a_case_that_shares_no_known_answer_is_last_and_says_so(
    tmp_path: Path, chart: Flowchart
) -> None:
    (near,) = compare_with_cases(_answers(tasks=2), chart, _loaded(tmp_path, _comparison())).near
    assert (near.known, near.share) == (0, 0.0)


# ---------------------------------------------------------------- rules


@pytest.mark.parametrize(
    ("difference", "p_holm", "expected"),
    [
        (0.3, 0.049, (1, 0, 0)),
        (-0.3, 0.049, (0, 1, 0)),
        (0.3, 0.05, (0, 0, 1)),
        (-0.3, 0.05, (0, 0, 1)),
    ],
)
@pytest.mark.parametrize("turned", [False, True])
def test_a_rule_for_a_method_is_decided_against_the_plain_prompt(
    tmp_path: Path,
    chart: Flowchart,
    difference: float,
    p_holm: float,
    expected: tuple[int, int, int],
    turned: bool,
) -> None:
    pair = ("lora", "zero-shot", difference, p_holm)
    if turned:
        pair = ("zero-shot", "lora", -difference, p_holm)
    cases = _loaded(tmp_path, _comparison(pairs=(pair,)))
    rule = _rule(compare_with_cases(_answers(**MANY), chart, cases), "for", "lora")
    assert _counts(rule) == expected
    (finding,) = (*rule.confirmed, *rule.contradicted, *rule.undecided)
    assert (finding.case, finding.rival) == ("mails", "zero-shot")
    assert finding.difference == pytest.approx(difference)
    assert finding.low == pytest.approx(difference - 0.05)
    assert finding.high == pytest.approx(difference + 0.05)


@pytest.mark.parametrize(
    ("full", "p_holm", "expected"),
    [
        (0.5, 0.01, (1, 0, 0)),
        (0.5, 0.2, (0, 0, 1)),
        # That full leads contradicts the rule only where it is separated from the best other.
        (0.7, 0.2, (0, 0, 1)),
        (0.7, 0.01, (0, 1, 0)),
    ],
)
def test_a_rule_against_a_method_is_decided_against_the_best_of_the_others(
    tmp_path: Path,
    chart: Flowchart,
    full: float,
    p_holm: float,
    expected: tuple[int, int, int],
) -> None:
    pairs = (("full", "lora", full - 0.6, p_holm), ("full", "zero-shot", full - 0.3, 0.001))
    cases = _loaded(tmp_path, _comparison(scores={**SCORES, "full": full}, pairs=pairs))
    rule = _rule(compare_with_cases(_answers(**MANY), chart, cases), "against", "full")
    assert _counts(rule) == expected
    assert [f.rival for f in (*rule.confirmed, *rule.contradicted, *rule.undecided)] == ["lora"]


def test_methods_that_a_rule_is_against_together_are_no_rivals(
    tmp_path: Path, chart: Flowchart
) -> None:
    few = {"knowledge": "none", "labelled_examples": 40}
    pairs = (
        ("lora", "full", 0.1, 0.01),
        ("lora", "icl-nearest", 0.2, 0.01),
        ("full", "icl-nearest", 0.1, 0.3),
    )
    cases = _loaded(tmp_path, _comparison(answers=few, pairs=pairs, train=16))
    evidence = compare_with_cases(_answers(**few), chart, cases)
    assert _counts(_rule(evidence, "against", "lora")) == (0, 1, 0)
    assert _counts(_rule(evidence, "against", "full")) == (0, 0, 1)


def test_a_method_that_the_answers_block_is_no_rival_and_has_no_rule_but_the_block(
    tmp_path: Path, chart: Flowchart
) -> None:
    scores = {**SCORES, "rag": 0.9}
    pairs = (("full", "rag", -0.4, 0.01), ("full", "lora", -0.1, 0.4), ("lora", "rag", -0.3, 0.01))
    cases = _loaded(tmp_path, _comparison(scores=scores, pairs=pairs))
    # The size would speak for rag, too.
    evidence = compare_with_cases(_answers(**MANY, model_parameters=PARAMETERS), chart, cases)
    assert _counts(_rule(evidence, "against", "full")) == (0, 0, 1)
    # It ran all the same, and is separated above the best of the others.
    assert _counts(_rule(evidence, "block", "rag", "knowledge")) == (0, 1, 0)
    assert [rule.says for rule in evidence.rules if rule.method == "rag"] == ["block"]


def test_a_block_is_not_tested_where_the_method_did_not_run(
    tmp_path: Path, chart: Flowchart
) -> None:
    cases = _loaded(tmp_path, _comparison())
    rule = _rule(
        compare_with_cases(_answers(**MANY), chart, cases), "block", "rag", node="knowledge"
    )
    assert rule.tested == 0


@pytest.mark.parametrize("status", ["failed", "refused", "skipped", "partial"])
def test_a_method_without_a_full_result_tests_nothing(
    tmp_path: Path, chart: Flowchart, status: str
) -> None:
    made = _comparison(
        scores={**SCORES, "icl-nearest": 0.7}, pairs=(("lora", "zero-shot", 0.3, 0.01),)
    )
    made["methods"] = [
        {**method, "status": status} if method["name"] == "lora" else method
        for method in made["methods"]
    ]
    evidence = compare_with_cases(_answers(**MANY), chart, _loaded(tmp_path, made))
    assert _rule(evidence, "for", "lora").tested == 0


def test_the_plain_prompt_is_not_tested_against_itself(tmp_path: Path, chart: Flowchart) -> None:
    answers = _answers(**MANY, model_parameters=PARAMETERS)
    cases = _loaded(tmp_path, _comparison(pairs=(("lora", "zero-shot", 0.3, 0.01),)))
    evidence = compare_with_cases(answers, chart, cases)
    assert _rule(evidence, "for", "zero-shot", "score").tested == 0


def test_a_rule_is_tested_only_by_cases_of_the_same_branch_and_counted_over_them(
    tmp_path: Path, chart: Flowchart
) -> None:
    better = (("lora", "zero-shot", 0.3, 0.001),)
    worse = (("lora", "zero-shot", -0.2, 0.01),)
    # 44 labels pass the branch "few", where nothing is said for lora.
    made = [
        _comparison("one", pairs=better),
        _comparison("two", {"knowledge": "static"}, pairs=better),
        _comparison("three", pairs=worse),
        _comparison("small", pairs=better, train=20),
    ]
    evidence = compare_with_cases(_answers(**MANY), chart, _loaded(tmp_path, *made))
    rule = _rule(evidence, "for", "lora")
    assert [finding.case for finding in rule.confirmed] == ["one", "two"]
    assert [finding.case for finding in rule.contradicted] == ["three"]
    assert rule.tested == 3
    assert (rule.branch, rule.strength, rule.reason) == ("many", 3, "Enough.")
    assert rule.evidence == ("OWN",)


def test_what_a_node_says_itself_is_tested_on_any_branch_where_it_holds(
    tmp_path: Path, chart: Flowchart
) -> None:
    pairs = (("icl-nearest", "zero-shot", 0.1, 0.01),)
    made = [
        _comparison("many", pairs=pairs),
        _comparison("few", pairs=pairs, train=20),
        _comparison("good", scores={**SCORES, "zero-shot": 0.5}, pairs=pairs),
    ]
    answers = _answers(**MANY, current_score=0.2)
    rule = _rule(compare_with_cases(answers, chart, _loaded(tmp_path, *made)), "for", "icl-nearest")
    assert [finding.case for finding in rule.confirmed] == ["many", "few"]
    assert rule.branch == ""


def test_a_floor_is_no_rival(tmp_path: Path, chart: Flowchart) -> None:
    made = _comparison(pairs=(("full", "lora", -0.1, 0.4), ("full", "tfidf-lr", -0.45, 0.01)))
    made["methods"].append(_measured("tfidf-lr", 0.95, floor=True))
    evidence = compare_with_cases(_answers(**MANY), chart, _loaded(tmp_path, made))
    assert _counts(_rule(evidence, "against", "full")) == (0, 0, 1)


# ---------------------------------------------------------------- in words


def _in_words(tmp_path: Path, chart: Flowchart) -> Evidence:
    pairs = (
        ("lora", "zero-shot", 0.3, 0.001),
        ("full", "lora", -0.1, 0.4),
        ("lora", "nearest-answer", 0.25, 0.001),
    )
    made = _comparison(pairs=pairs)
    made["tied"] = ["lora", "full"]
    made["methods"].append(_measured("nearest-answer", 0.35, floor=True))
    worse = _comparison(
        "letters", {"knowledge": "none"}, pairs=(("lora", "zero-shot", -0.2, 0.01),)
    )
    return compare_with_cases(_answers(**MANY), chart, _loaded(tmp_path, made, worse))


def test_a_near_case_says_who_led_by_how_much_and_where_it_was_measured(
    tmp_path: Path, chart: Flowchart
) -> None:
    near, _ = evidence_sections(_in_words(tmp_path, chart), most=2)
    mails = next(line for line in near.lines if "mails" in line.text)
    assert near.title == "Nearest measured cases (2 of 2)"
    assert mails.text == (
        "2 of 2 answers known in both are alike: mails. Best there: lora 0.600 (0.500 to 0.700) "
        "accuracy; not separated from it: full 0.500 (0.400 to 0.600); plain prompt: zero-shot "
        "0.300 (0.200 to 0.400); without a language model: nearest-answer 0.350 (0.250 to 0.450), "
        "below the best."
    )
    assert mails.details == (
        "Alike: knowledge none; labelled_examples 400 here, 324 there.",
        f"Measured on 120 items with 1 seed and {MODEL} (134,515,008 parameters).",
    )


def test_a_contradicted_rule_comes_before_a_confirmed_one(tmp_path: Path, chart: Flowchart) -> None:
    pairs = (("lora", "zero-shot", 0.3, 0.001), ("full", "lora", 0.1, 0.01))
    cases = _loaded(tmp_path, _comparison(scores={**SCORES, "full": 0.7}, pairs=pairs))
    _, rules = evidence_sections(compare_with_cases(_answers(**MANY), chart, cases))
    assert [line.text for line in rules.lines[:2]] == [
        "labels, against full: Too large.",
        "labels, for lora: Enough.",
    ]


def test_a_rule_says_what_decided_it_in_every_case(tmp_path: Path, chart: Flowchart) -> None:
    _, rules = evidence_sections(_in_words(tmp_path, chart))
    assert [(line.text, line.details) for line in rules.lines] == [
        (
            "labels, for lora: Enough.",
            (
                "lora contradicted 1 of 2: letters -20.0 (-25.0 to -15.0); "
                "confirmed 1 of 2: mails +30.0 (+25.0 to +35.0)",
            ),
        ),
        (
            "labels, against full: Too large.",
            ("full not decided 1 of 1: mails -10.0 (-15.0 to -5.0) beside lora",),
        ),
        ("Tested by none of these cases:", ("knowledge, block rag: Nothing to retrieve.",)),
    ]
    assert rules.note.endswith(f"Measured with: {MODEL}.")


def test_only_as_many_cases_as_asked_for_are_shown_and_the_rules_rest_on_all(
    tmp_path: Path, chart: Flowchart
) -> None:
    lines = evidence_lines(_in_words(tmp_path, chart), most=1)
    assert "Nearest measured cases (1 of 2)" in lines
    assert sum("Best there" in line for line in lines) == 1
    assert any("letters -20.0" in line for line in lines)


def test_an_undefined_interval_is_left_out(tmp_path: Path, chart: Flowchart) -> None:
    made = _comparison()
    made["methods"] = [{**method, "interval": None} for method in made["methods"]]
    near, _ = evidence_sections(compare_with_cases(_answers(), chart, _loaded(tmp_path, made)))
    assert "Best there: lora 0.600 accuracy;" in near.lines[0].text


def test_another_run_of_a_task_is_told_apart_by_its_name(tmp_path: Path) -> None:
    made = _comparison()
    made["run"]["id"] = "larger-model"
    assert _loaded(tmp_path, made)[0].label == "mails (run larger-model)"


HOSTILE = "<script>x</script> | [a](http://b) ![i](j) `c` *d* _e_ @f #1 $g$ www.h.i\n## k\x1b[31m"


def test_names_of_a_run_become_neither_markup_nor_control_codes(
    tmp_path: Path, chart: Flowchart
) -> None:
    made = _comparison(HOSTILE, scores={"zero-shot": 0.3, HOSTILE: 0.6})
    made["run"]["model"] = made["run"]["task"]["metric"] = HOSTILE
    evidence = compare_with_cases(_answers(**MANY), chart, _loaded(tmp_path, made))
    plain = "\n".join(evidence_lines(evidence))
    assert "\x1b" not in plain
    assert "\\x1b[31m" in plain
    assert "\n## k" not in plain
    written = evidence_markdown(evidence)
    text = "\n".join(line for line in written if not line.startswith("## "))
    for markup in ("<", ">", "|", "[", "]", "`", "*", " _", "_ ", "@", "$", "://", "www.", "!"):
        assert markup not in text, markup
    assert " #1" not in text
    assert "&#60;script&#62;x&#60;/script&#62;" in text
    starts = ("## ", "- ", "  - ", "Compared is", "A rule for")
    assert all(line == "" or line.startswith(starts) for line in written)


def test_markdown_has_both_sections_with_a_bullet_a_statement(
    tmp_path: Path, chart: Flowchart
) -> None:
    written = evidence_markdown(_in_words(tmp_path, chart), most=1)
    assert [line for line in written if line.startswith("#")] == [
        "## Nearest measured cases (1 of 2)",
        "## What measured cases say of the rules",
    ]
    assert "- labels, for lora: Enough." in written
    assert "  - Alike: knowledge none; labelled_examples 400 here, 324 there." in written


# ---------------------------------------------------------------- the committed runs


def test_every_committed_run_is_a_case_of_the_model_that_ran() -> None:
    cases = load_cases([RUNS])
    assert [case.run for case in cases] == sorted(path.name for path in RUNS.iterdir())
    for case in cases:
        raw = json.loads((RUNS / case.run / "comparison.json").read_text())
        task = raw["run"]["task"]
        assert case.answers.labelled_examples == task["train"] + task["validation"]
        assert case.model != MODEL or case.parameters == PARAMETERS
        assert case.scored()[0].name == raw["leader"]


@pytest.mark.parametrize(
    ("file", "task"),
    [("triage", "ticket-triage"), ("handbook", "handbook-qa"), ("reply", "handbook-reply")],
)
def test_the_nearest_case_of_an_example_is_the_task_it_was_written_for(
    file: str, task: str
) -> None:
    answers = load_answers(ROOT / "examples" / f"answers-{file}.yaml")
    evidence = compare_with_cases(answers, load_flowchart(), load_cases([RUNS]))
    assert evidence.near[0].case.name == task
    assert evidence.near[0].differs == ()
    assert evidence_lines(evidence)


def test_what_a_committed_run_says_of_a_rule_is_the_difference_in_its_file() -> None:
    raw = json.loads((RUNS / "ticket-triage" / "comparison.json").read_text())
    (pair,) = [d for d in raw["differences"] if (d["a"], d["b"]) == ("zero-shot", "icl-nearest")]
    answers = load_answers(ROOT / "examples" / "answers-triage.yaml")
    evidence = compare_with_cases(answers, load_flowchart(), load_cases([RUNS / "ticket-triage"]))
    rules = [r for r in evidence.rules if (r.says, r.method) == ("for", "icl-nearest") and r.tested]
    assert rules
    for rule in rules:
        (finding,) = rule.confirmed
        assert finding.difference == -pair["difference"]
        assert (finding.low, finding.high) == (-pair["interval"]["high"], -pair["interval"]["low"])


def test_six_runs_are_read_and_compared_within_a_tenth_of_a_second() -> None:
    chart, answers = load_flowchart(), load_answers(ROOT / "examples" / "answers-triage.yaml")
    started = time.process_time()
    evidence = compare_with_cases(answers, chart, load_cases(sorted(RUNS.iterdir())[:6]))
    evidence_lines(evidence)
    assert time.process_time() - started < 0.1
    assert len(evidence.near) == 6


def test_reading_cases_imports_nothing_heavy() -> None:
    heavy = ("strategies", "benchmarks", "numpy", "scipy", "torch")
    check = (
        "import sys; from pathlib import Path; from advisor.cases import load_cases; "
        f"load_cases([Path({str(RUNS)!r})]); print([m for m in {heavy!r} if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", check], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.strip() == "[]"
