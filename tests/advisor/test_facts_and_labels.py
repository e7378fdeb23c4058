"""Facts are retrieved, labels are counted, and few labels teach no language."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from advisor.flowchart import load_flowchart
from advisor.questionnaire import parse_answers
from advisor.recommend import Recommendation, recommend

CHART = load_flowchart()
RETRIEVING = {"rag", "rag+lora", "raft"}
TUNED = {"lora", "full", "rag+lora", "raft"}
SHOWING_NO_FACTS = ("zero-shot", "icl-random", "icl-nearest")

MANUAL: dict[str, Any] = {
    "eval_items": 150,
    "target_score": 0.8,
    "model_access": "hosted",
    "data_may_leave": True,
    "context_length": 128_000,
    "knowledge": "static",
    "knowledge_tokens": 5_000_000,
    "labelled_examples": 500,
    "failures": ["lacks_facts"],
}
LABELLED: dict[str, Any] = {
    "eval_items": 150,
    "target_score": 0.8,
    "model_access": "open",
    "model_parameters": 8_000_000_000,
    "knowledge": "none",
    "behaviour": [],
    "labelled_examples": 5_000,
}


def _advice(**values: Any) -> Recommendation:
    return recommend(parse_answers(values, "test"), CHART)


def _strength(advice: Recommendation, method: str) -> int:
    return next(ranked.strength for ranked in advice.ranked if ranked.method == method)


# ---------------------------------------------------------------- facts


def test_a_hosted_model_with_a_manual_of_five_million_tokens_retrieves_it() -> None:
    advice = _advice(**MANUAL)
    assert advice.first == "rag"
    assert not advice.tied


@pytest.mark.parametrize("knowledge", ["static", None])
@pytest.mark.parametrize("access", ["hosted", "open"])
def test_demonstrations_never_stand_in_for_facts_that_answers_were_seen_to_lack(
    knowledge: str | None, access: str
) -> None:
    grid = product((5, 30, 500, 5_000), ([], ["style"], None), (None, 5_000), (None, "some"))
    for labels, behaviour, queries, skill in grid:
        values = {
            **MANUAL,
            "knowledge": knowledge,
            "model_access": access,
            "model_parameters": 8_000_000_000 if access == "open" else None,
            "labelled_examples": labels,
            "behaviour": behaviour,
            "queries_per_day": queries,
            "retrieval_skill": skill,
        }
        advice = _advice(**values)
        best_shown = max(_strength(advice, name) for name in SHOWING_NO_FACTS)
        assert _strength(advice, "rag") > best_shown, values
        if knowledge == "static":
            assert advice.first in RETRIEVING, values


@pytest.mark.parametrize("labels", [5, 30, 500, 5_000])
def test_no_skill_in_search_and_few_queries_do_not_turn_a_lack_of_facts_round(labels: int) -> None:
    advice = _advice(
        **{**MANUAL, "labelled_examples": labels}, queries_per_day=5, retrieval_skill="none"
    )
    assert advice.first == "rag"


@pytest.mark.parametrize("method", SHOWING_NO_FACTS)
def test_static_knowledge_that_the_prompt_cannot_hold_counts_against_prompts_without_it(
    method: str,
) -> None:
    # As changing knowledge does: the facts are not in the prompt either way.
    changing, static, small = (
        _advice(**{**MANUAL, **more})
        for more in ({"knowledge": "changing"}, {}, {"knowledge_tokens": 10_000})
    )
    said = "The prompt lacks the facts."
    for advice, lacks in ((changing, True), (static, True), (small, False)):
        ranked = next(one for one in advice.ranked if one.method == method)
        assert (said in [reason.text for reason in ranked.reasons_against]) == lacks


# ---------------------------------------------------------------- labels without a named behaviour


def test_labels_are_counted_although_no_behaviour_is_named() -> None:
    few, some, many = (
        _advice(**{**LABELLED, "labelled_examples": labels}) for labels in (5, 20, 5_000)
    )
    assert [step.branch for step in many.path if step.node == "behaviour"] == [
        "50 and more, no behaviour named"
    ]
    assert _strength(few, "lora") < _strength(some, "lora") <= _strength(many, "lora")
    assert any("Measure the plain prompt against a target" in step.do for step in many.ladder)


@pytest.mark.parametrize("behaviour", [[], None])
def test_a_plain_prompt_that_misses_without_lacking_facts_leaves_tuning_no_weaker_than_prompts(
    behaviour: Any,
) -> None:
    for labels, score in product((50, 500, 50_000), (0.1, 0.49, 0.5, 0.79)):
        more = {"behaviour": behaviour, "labelled_examples": labels, "current_score": score}
        advice = _advice(**{**LABELLED, **more})
        assert advice.first == "lora" or "lora" in advice.tied, more
        if labels >= 100 and score < 0.5:
            assert (advice.first, advice.tied) == ("lora", ()), more


def test_where_facts_are_needed_a_miss_of_the_plain_prompt_is_no_reason_to_tune() -> None:
    facts = {"knowledge": "static", "knowledge_tokens": 5_000_000, "current_score": 0.3}
    advice = _advice(**{**LABELLED, **facts})
    assert advice.first == "rag"
    assert _strength(advice, "lora") < 0


def test_nobody_is_told_to_tune_for_a_behaviour_that_nobody_named_before_anything_is_measured() -> (
    None
):
    assert _advice(**LABELLED).first == "icl-nearest"
    assert _advice(**{**LABELLED, "labelled_examples": 0}).first == "zero-shot"


# ---------------------------------------------------------------- a language the model barely knows


@pytest.mark.parametrize("labels", [None, 5, 30, 300, 2_000])
def test_few_labels_in_a_language_that_the_model_barely_knows_do_not_count_for_tuning(
    labels: int | None,
) -> None:
    task = {**LABELLED, "behaviour": ["style"], "labelled_examples": labels}
    plain, language = _advice(**task), _advice(**task, new_language_or_domain=True)
    for method in TUNED:
        assert _strength(language, method) <= _strength(plain, method)
    if labels is not None:
        assert any("teach a task, not a language" in note for note in language.notes)


def test_thousands_of_labels_of_an_under_represented_domain_do_count_for_tuning() -> None:
    task = {**LABELLED, "labelled_examples": 5_000}
    plain, domain = _advice(**task), _advice(**task, new_language_or_domain=True)
    assert _strength(domain, "lora") == _strength(plain, "lora") + 1
    assert not any("teach a task, not a language" in note for note in domain.notes)
