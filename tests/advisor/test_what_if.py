"""What-ifs are the smallest changes that flip the advice, and each of them does."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from advisor.cli.interview import parsed
from advisor.flowchart import Step, load_flowchart
from advisor.questionnaire import Answers, as_text, detail, parse_answers, questions
from advisor.recommend import Recommendation, recommend
from advisor.what_if import what_ifs

CHART = load_flowchart()
STYLE: dict[str, Any] = {
    "eval_items": 150,
    "target_score": 0.8,
    "knowledge": "none",
    "behaviour": ["style"],
    "labelled_examples": 400,
    "model_parameters": 6_740_000_000,
}


def _advice(**values: Any) -> Recommendation:
    return recommend(parse_answers(values, "test"), CHART)


def _then(advice: Recommendation, answer: str) -> str:
    return next(what.then for what in advice.what_ifs if what.answer == answer)


def test_a_gpu_too_small_is_told_how_large_it_has_to_be() -> None:
    advice = _advice(**STYLE, gpu_memory_gib=4)
    assert advice.verdict == "no_method_fits"
    enough = float(_then(advice, "gpu_memory_gib"))
    assert _advice(**STYLE, gpu_memory_gib=enough).verdict == "adapt"
    # Three digits: one unit of the last less is too little.
    assert _advice(**STYLE, gpu_memory_gib=enough - 0.01).verdict == "no_method_fits"


def test_a_nearer_number_is_found_between_two_that_are_alike() -> None:
    # Eight GPUs of 4.9 GiB change the advice as well, and between them and 16 it changes back.
    answers = Answers(
        target_score=0.75,
        current_score=0.3,
        prompt_tokens=100,
        answer_tokens=5,
        model_parameters=70_000_000_000,
        gpu_memory_gib=16,
        gpu_count=8,
    )
    found = {each.answer: each for each in what_ifs(answers, load_flowchart())}
    assert (found["gpu_memory_gib"].then, found["gpu_memory_gib"].first_then) == ("16.8", "lora")


def test_two_gpus_do_where_one_is_too_small() -> None:
    assert _then(_advice(**STYLE, gpu_memory_gib=4, gpu_count=1), "gpu_count") == "2"


def test_labels_are_told_how_many_more_are_needed_and_not_to_throw_them_away() -> None:
    # 77 classes: 50 for each are 3,850.
    banking = {**STYLE, "behaviour": ["label_set"], "classes": 77, "labelled_examples": 231}
    advice = _advice(**banking)
    assert advice.first == "icl-nearest"
    assert _then(advice, "labelled_examples") == "3,850"


def test_a_list_changes_by_one_member_first() -> None:
    banking = {**STYLE, "behaviour": ["label_set", "tone"], "classes": 77, "labelled_examples": 231}
    assert _then(_advice(**banking), "behaviour") == "tone"


def test_an_unknown_gpu_is_worth_finding_out_for_a_model_that_needs_one() -> None:
    found = {u.answer: u.could_lead_to for u in _advice(**STYLE).unknown_that_matter}
    assert set(found["gpu_memory_gib"]) == {"icl-nearest", "lora"}


@pytest.mark.parametrize("more", [{}, {"gpu_memory_gib": 4}, {"training_skill": "some"}])
def test_every_what_if_holds_when_it_is_answered(more: dict[str, Any]) -> None:
    values = {**STYLE, **more}
    advice = _advice(**values)
    for what in advice.what_ifs:
        text = what.then.replace(",", "") if what.then[0].isdigit() else what.then
        plain: Any = {"yes": True, "no": False}.get(text, text)
        if what.answer == "behaviour":
            plain = [] if text == "none" else text.split(", ")
        after = _advice(**{**values, what.answer: plain})
        assert what.first_then in (after.first, after.verdict.replace("_", " "))
        assert what.first_then != what.first_now


def test_skill_counts_beside_memory_that_is_too_small() -> None:
    small = {**STYLE, "gpu_memory_gib": 24}
    lora = {name: _strength(_advice(**small, training_skill=name)) for name in ("none", "some")}
    assert lora["none"] == lora["some"] - 1


def _strength(advice: Recommendation) -> int:
    return next(ranked.strength for ranked in advice.ranked if ranked.method == "lora")


def test_few_labels_beside_facts_retrieve_before_they_train() -> None:
    for labels in (12, 49):
        advice = _advice(**{**STYLE, "knowledge": "static", "labelled_examples": labels})
        assert advice.first == "rag"


def test_answers_that_must_be_cited_lean_to_retrieval_before_the_facts_are_known() -> None:
    assert _advice(citations_required=True, behaviour=[], labelled_examples=0).first == "rag"


def test_data_that_may_not_leave_are_never_for_a_hosted_model() -> None:
    advice = _advice(**STYLE, data_may_leave=False)
    assert any("hosted models are out" in note for note in advice.notes)
    hosted = _advice(**STYLE, data_may_leave=False, model_access="hosted")
    assert all(ranked.blockers for ranked in hosted.ranked)


def test_every_branch_of_the_chart_can_be_taken() -> None:
    taken: set[tuple[str, str]] = set()
    for answers in _cases():
        taken |= {_place(step) for step in CHART.walk(answers)}
    every = {(node.id, branch.label) for node in CHART.nodes for branch in node.branches}
    assert every - taken == set()


def _place(step: Step) -> tuple[str, str]:
    return step.node.id, step.branch.label


def _cases() -> list[Answers]:
    """Answers that vary a node's own questions, the others held where nothing stops the walk."""
    grids: list[dict[str, list[Any]]] = [
        {"eval_items": [None, 50, 150], "target_score": [None, 0.5], "current_score": [None, 0.6]},
        {"target_score": [0.5], "classical_score": [0.6]},
        {
            "knowledge": [None, "none", "static", "changing"],
            "citations_required": [None, True],
            "knowledge_tokens": [1_000, 1_000_000],
            "context_length": [8_192],
            "labelled_examples": [None, 20, 200],
            "failures": [None, ("lacks_facts",)],
        },
        {"target_score": [0.9], "annotator_agreement": [None, 0.8]},
        {
            "knowledge": ["static"],
            "labelled_examples": [200],
            "behaviour": [()],
            "model_parameters": [8_000_000_000],
        },
        {
            "labelled_examples": [None, 0, 5, 20, 200, 20_000],
            "behaviour": [None, (), ("style",)],
            "far_from_pretraining": [True],
            "keep_general_ability": [None, False],
        },
        {
            "labelled_examples": [200],
            "behaviour": [None, ()],
            "knowledge": ["none"],
            "current_score": [0.5],
            "target_score": [0.9],
        },
        {"queries_per_day": [None, 5.0, 50_000.0], "tasks": [1, 3], "keep_general_ability": [True]},
        {
            "model_parameters": [135_000_000, 600_000_000, 6_740_000_000],
            "gpu_memory_gib": [None, 0.0, 2.0, 2.5, 12.0, 24.0, 800.0],
            "model_access": [None, "hosted"],
            "data_may_leave": [None, False],
        },
        {"new_language_or_domain": [None, True], "raw_corpus_tokens": [None, 2_000_000_000]},
    ]
    return [
        Answers(**dict(zip(grid, values, strict=True)))
        for grid in grids
        for values in itertools.product(*grid.values())
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [(True, "yes"), ((), "none"), (["tone", "style"], "tone, style"), (134515008, "134,515,008")],
)
def test_answers_are_written_as_people_read_them(value: object, text: str) -> None:
    assert as_text(value) == text


def test_every_question_says_why_it_is_asked() -> None:
    for name, field in questions().items():
        extra = field.json_schema_extra
        assert field.description, name
        assert isinstance(extra, dict)
        assert extra["why"], name


def test_every_question_can_change_the_advice() -> None:
    every = set(questions())
    assert CHART.open_questions(Answers(), every) == every


def test_what_the_interview_suggests_can_be_answered() -> None:
    suggested = {name: detail(field, "suggested") for name, field in questions().items()}
    for name, text in suggested.items():
        if text:
            parse_answers({name: parsed(text, questions()[name])}, "suggested")
    assert {name: suggested[name] for name in ("tasks", "model_access")} == {
        "tasks": "1",
        "model_access": "open",
    }
    assert not suggested["gpu_memory_gib"]
    assert not suggested["labelled_examples"]
