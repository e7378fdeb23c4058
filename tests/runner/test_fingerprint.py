from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.fingerprint import (
    answers_fingerprint,
    floor_fingerprint,
    scored_fingerprint,
    start_fingerprint,
    weights_fingerprint,
)
from benchmarks.tasks.checks import Check
from strategies.data import Passage
from strategies.method import registry
from tests.runner import material

CORPUS = material.task(corpus=True)


def answers(name: str = "zero-shot", task=CORPUS, seed: int = 0, setting=None, **plan) -> str:
    method = registry().method(name)
    return answers_fingerprint(
        setting or material.setting(), material.plan(**plan), task, method, seed
    )


def weights(name: str, task=CORPUS, seed: int = 0) -> str:
    return weights_fingerprint(material.setting(), task, registry().method(name), seed)


def start(name: str, task=CORPUS, seed: int = 0) -> str:
    return start_fingerprint(material.setting(), task, registry().method(name), seed)


def changed(split: str, **fields):
    first, *rest = getattr(CORPUS, split)
    return CORPUS.model_copy(update={split: (first.model_copy(update=fields), *rest)})


@pytest.mark.parametrize(
    "setting",
    [
        {"model_sha256": "3" * 64},
        {"precision": "bf16"},
        {"threads": 2},
        {"device": "a GPU"},
        {"libraries": {"torch": "2.13.1"}},
    ],
)
def test_whatever_changes_the_arithmetic_changes_the_answers(setting: dict[str, object]) -> None:
    assert answers(setting=material.setting(**setting)) != answers()


def test_questions_instruction_and_longest_answer_change_the_answers() -> None:
    assert answers(task=changed("test", input="another question")) != answers()
    assert answers(task=changed("test", choices=("billing",))) != answers()
    assert answers(task=CORPUS.model_copy(update={"instruction": "Other."})) != answers()
    assert answers(max_new_tokens=7) != answers()


def test_what_counts_as_right_changes_the_scores_alone() -> None:
    other = changed("test", outputs=("delivery",))
    assert answers(task=other) == answers()
    plan = material.plan()
    assert scored_fingerprint("a", plan, other, {}) != scored_fingerprint("a", plan, CORPUS, {})
    assert scored_fingerprint("a", plan, CORPUS, {}) != scored_fingerprint("b", plan, CORPUS, {})


def test_a_title_or_a_timing_changes_no_answers() -> None:
    titled = CORPUS.model_copy(update={"title": "Other", "licence": "Other"})
    assert answers(task=titled, latency_items=9) == answers()


def test_training_items_matter_to_those_that_see_them() -> None:
    other = changed("train", outputs=("delivery",))
    assert answers("zero-shot", other) == answers("zero-shot")
    for name in ("icl-random", "lora", "full", "rag+lora"):
        assert answers(name, other) != answers(name)


def test_the_corpus_matters_to_those_that_retrieve() -> None:
    other = CORPUS.model_copy(update={"corpus": (Passage(id="book#a", text="Three days."),)})
    assert answers("lora", other) == answers("lora")
    assert answers("rag", other) != answers("rag")
    assert weights("rag+lora", other) == weights("rag+lora")
    assert weights("raft", other) != weights("raft")


def test_a_plain_adapter_is_shared_between_lora_and_rag_lora() -> None:
    assert weights("lora") == weights("rag+lora")
    assert weights("lora") != weights("raft")
    assert weights("lora") != weights("full")
    assert weights("lora") != weights("lora", seed=1)


def test_whatever_decides_whether_a_training_helped_changes_the_weights() -> None:
    check = Check(name="short", kind="max_words", limit=3)
    others = [
        # Items of one group are set aside together where there is no validation split.
        changed("train", group="one incident"),
        changed("validation", checks=(check,)),
        CORPUS.model_copy(update={"checks": (check,)}),
        CORPUS.model_copy(update={"language": "tr"}),
        CORPUS.model_copy(update={"labels": ("billing",)}),
    ]
    for other in others:
        assert weights("lora", other) != weights("lora")
        assert start("lora", other) != start("lora")


def test_a_changed_database_changes_the_weights_that_are_judged_by_it(tmp_path: Path) -> None:
    database = tmp_path / "facts.sqlite"
    judged = CORPUS.model_copy(update={"metric": "execution_match", "database": database})
    database.write_bytes(b"one")
    before = weights("lora", judged), start("lora", judged)
    database.write_bytes(b"two")
    assert weights("lora", judged) != before[0]
    assert start("lora", judged) != before[1]


def test_slices_change_no_weights() -> None:
    assert weights("lora", changed("train", slices=(("channel", "mail"),))) == weights("lora")


def test_floors_do_not_depend_on_the_language_model() -> None:
    one = floor_fingerprint(material.setting(), CORPUS, "majority", 1)
    assert one == floor_fingerprint(
        material.setting(model_sha256="4" * 64, precision="bf16"), CORPUS, "majority", 1
    )
    assert one != floor_fingerprint(material.setting(), CORPUS, "nearest-answer", 1)
    assert one != floor_fingerprint(material.setting(), CORPUS, "majority", 2)


def test_fingerprints_are_pinned() -> None:
    """They change only together with what they hash: a schema, a default, a prompt's text.

    Whoever changes one of those on purpose renews these values; nobody else should have to.
    """
    zero_shot = answers("zero-shot")
    assert zero_shot == "bf79fcb4e466b50ce0783cd912933eea936a52256128f2d8ada3f4a3326fe661"
    assert (
        scored_fingerprint("a", material.plan(), material.task(), {})
        == "bb710fab17eaf44f36cc7adc0d3f82e19c0c1105f9b280ac1838249377ba7904"
    )
    assert weights("lora") == "8786d9bacd74cc51c97e308bfd33f717f948386498384d0f25496426aabc6662"
    assert (
        floor_fingerprint(material.setting(), CORPUS, "majority", 1)
        == "1fa28cf61a3feee4ea25752578b9a05a47ec52f3dd91ed73f76d6afeb1e816eb"
    )
