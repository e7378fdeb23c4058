"""What must be true of the advice in every cell of the flowchart's conditions."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advisor.flowchart import facts_of, load_flowchart
from advisor.questionnaire import (
    allowed,
    is_text,
    is_whole,
    largest,
    least,
    parse_answers,
    questions,
    takes_many,
)
from advisor.ranking import outcome, places, said_on
from advisor.recommend import recommend
from advisor.sizing import estimate_method
from tests.advisor.cells import ends, values, ways

CHART = load_flowchart()
PEFT = {"lora", "rag+lora", "raft"}
TUNED = {*PEFT, "full"}
RETRIEVING = {"rag", "rag+lora", "raft"}
VERDICTS = {"no_adaptation", "no_language_model", "no_method_fits", "no_method_reaches"}


def _firsts(**shared: Any) -> set[str]:
    return {end.first(CHART) for end in ends(CHART, shared)}


@pytest.mark.slow
def test_every_cell_has_an_outcome_and_every_outcome_a_cell() -> None:
    found: set[str] = set()
    for knowledge in ("none", "changing"):
        for labels in (9, 2_000):
            found |= _firsts(knowledge=knowledge, labelled_examples=labels)
    assert found <= {*CHART.methods, *VERDICTS}
    # Random demonstrations are there to be compared with nearest ones.
    assert {*CHART.methods, *VERDICTS} - found == {"icl-random"}


@pytest.mark.slow
@pytest.mark.parametrize("labels", [None, 0, 9, 45, 90, 1_800, 2_000])
@pytest.mark.parametrize(
    ("fits", "retrieves"),
    [
        ({"rag_context_share": 0.9, "rag_memory_share": 0.9}, True),
        ({"rag_context_share": 1.0}, False),
        ({"rag_context_share": 0.9, "rag_memory_share": 1.0, "model_parameters": 3e9}, False),
        ({"rag_context_share": 0.9, "rag_memory_share": 1.0, "model_parameters": 4e8}, True),
    ],
)
def test_changing_knowledge_is_never_injected_by_tuning(
    labels: int | None, fits: dict[str, float], retrieves: bool
) -> None:
    firsts = _firsts(knowledge="changing", labelled_examples=labels, **fits)
    assert bool(firsts & RETRIEVING) == retrieves
    assert not firsts & {"lora", "full"}


@pytest.mark.parametrize("leave", [False, None])
def test_private_data_are_never_for_a_hosted_model(leave: bool | None) -> None:
    private = {"model_access": "hosted", "data_may_leave": leave, "knowledge_private": True}
    for knowledge in (None, "static", "changing"):
        found = ends(CHART, {**private, "knowledge": knowledge})
        assert {end.first(CHART) for end in found} == {"no_method_fits"}
        assert all(end.blocked == set(CHART.methods) for end in found)


def test_a_name_that_providers_sell_is_a_hosted_model() -> None:
    for access in (None, "open", "hosted"):
        values = {"model": "gpt-4.1", "model_access": access, "data_may_leave": False}
        assert outcome(parse_answers(values, "test"), CHART) == "no method fits"


@pytest.mark.slow
def test_a_plain_prompt_that_is_known_to_miss_is_never_first() -> None:
    for knowledge in ("none", "changing"):
        missing = {"current_score": 0.4, "target_score": 0.5, "knowledge": knowledge}
        assert "zero-shot" not in _firsts(**missing)


@pytest.mark.slow
def test_a_model_that_exceeds_the_gpu_is_never_first() -> None:
    large = {"model_parameters": 3e9, "model_access": "open", "labelled_examples": 2_000}
    none = {"inference_memory_share": 1.0, "inference_4bit_memory_share": 1.0}
    assert _firsts(**large, **none) == {"no_method_fits"}
    answers = {"inference_memory_share": 0.9, "inference_4bit_memory_share": 0.9}
    untrainable = {"full_memory_share": 1.0, "lora_memory_share": 1.0, "qlora_memory_share": 1.0}
    assert not _firsts(**large, **answers, **untrainable, knowledge="none") & TUNED
    assert not _firsts(**large, **answers, **untrainable, knowledge="static") & TUNED
    too_full = {"full_memory_share": 1.0, "lora_memory_share": 0.9, "qlora_memory_share": 0.9}
    assert "full" not in _firsts(**large, **answers, **too_full, knowledge="none")


@pytest.mark.parametrize("behaviour", [None, (), ("style",), ("label_set",)])
def test_more_labels_never_block_peft(behaviour: Any) -> None:
    node = next(node for node in CHART.nodes if node.id == "behaviour")

    def blocked(labels: int) -> set[str]:
        found = ways(CHART, node, {"behaviour": behaviour, "labelled_examples": labels})
        return {name for way in found for name in way.blocked}

    labels = values(CHART, "labelled_examples")[1:]
    sets = [blocked(number) for number in labels]
    assert all(later <= earlier for earlier, later in pairwise(sets))
    assert sets[0] >= PEFT
    assert not sets[-1]


def _values() -> st.SearchStrategy[dict[str, Any]]:
    kinds: dict[str, st.SearchStrategy[Any]] = {}
    for name, field in questions().items():
        if takes_many(field):
            some: st.SearchStrategy[Any] = st.lists(st.sampled_from(allowed(field)), unique=True)
        elif allowed(field):
            some = st.sampled_from(allowed(field))
        elif is_text(field):
            some = st.sampled_from(["llama-3.1-8b", "smollm2-135m", "gpt-4.1"])
        elif is_whole(field):
            some = st.integers(least(field), 10**11)
        else:
            lowest = 0.0 if least(field) == 0 else 0.001
            some = st.floats(lowest, min(largest(field), 1e6), allow_nan=False)
        kinds[name] = st.none() | some
    return st.fixed_dictionaries(kinds)


@settings(max_examples=200, deadline=None)
@given(values=_values(), labels=st.tuples(st.integers(0, 6_000), st.integers(0, 6_000)))
def test_more_labels_never_turn_from_tuning_to_prompting(
    values: dict[str, Any], labels: tuple[int, int]
) -> None:
    few, more = (
        outcome(parse_answers({**values, "labelled_examples": number}, "fuzz"), CHART)
        for number in sorted(labels)
    )
    assert few not in TUNED or more in TUNED


@settings(max_examples=300, deadline=None)
@given(values=_values())
def test_between_the_cells_the_same_holds(values: dict[str, Any]) -> None:
    answers = parse_answers(values, "fuzz")
    said = said_on(CHART.walk(answers))
    ranked = places(CHART, said)
    first = outcome(answers, CHART)
    assert first in {*CHART.methods, *(verdict.replace("_", " ") for verdict in VERDICTS)}
    if answers.knowledge == "changing":
        assert first not in ("lora", "full")
    if facts_of(answers)["model_access"] == "hosted":
        assert first not in TUNED
        if answers.data_may_leave is False:
            assert all(place.blocked for place in ranked)
    if answers.current_score is not None and answers.current_score < (answers.target_score or 0):
        assert first != "zero-shot"
    small = (facts_of(answers)["model_parameters"] or 0) < 500_000_000
    if first in CHART.methods and not small:
        assert estimate_method(first, answers).fits in (None, "yes", "likely")


@settings(max_examples=8, deadline=None)
@given(values=_values(), seed=st.randoms(use_true_random=False))
def test_every_answers_file_has_an_outcome_and_its_order_does_not_matter(
    values: dict[str, Any], seed: Any
) -> None:
    advice = recommend(parse_answers(values, "fuzz"), CHART)
    assert len(advice.ranked) == len(CHART.methods)
    blocked = all(ranked.blockers for ranked in advice.ranked)
    none_needed = advice.verdict in ("no_language_model", "no_method_reaches")
    assert (advice.first is None) == (blocked or none_needed)
    assert 0 <= advice.confidence.share <= 1
    assert advice.candidates[0] == "zero-shot"
    mixed = list(values.items())
    seed.shuffle(mixed)
    assert recommend(parse_answers(dict(mixed), "fuzz"), CHART) == advice
