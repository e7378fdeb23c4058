"""Metrics against published examples, reference implementations and hand calculations."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.tasks import sql
from benchmarks.tasks.checks import Check
from benchmarks.tasks.metrics import (
    METRICS,
    aggregate,
    contains_answer,
    field_f1,
    macro_f1,
    score_item,
    squad_normal_form,
    token_f1,
)
from benchmarks.tasks.task import Item, Kind, Task


def make_task(kind: Kind = "qa", metric: str = "token_f1", **fields: object) -> Task:
    return Task.model_validate(
        {
            "id": "t",
            "title": "T",
            "kind": kind,
            "instruction": "Do it.",
            "metric": metric,
            "sha256": "0",
            **fields,
        }
    )


def item(*outputs: str, **fields: object) -> Item:
    return Item.model_validate({"id": "1", "input": "i", "outputs": outputs, **fields})


# --- SQuAD -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("The  Eiffel Tower!", "eiffel tower"),
        ("an apple, a pear", "apple pear"),
        ("U.S.A.", "usa"),
        ("another theme", "another theme"),
        ("Saint-Denis", "saintdenis"),
    ],
)
def test_squad_normalisation_follows_the_official_script(text: str, normal: str) -> None:
    assert squad_normal_form(text) == normal


def test_token_f1_is_the_harmonic_mean_of_precision_and_recall() -> None:
    # Two of three predicted words are right (2/3), two of two wanted words are found (1): 4/5.
    assert token_f1("in October 1973", "October 1973") == pytest.approx(0.8)


def test_token_f1_counts_a_repeated_word_as_often_as_both_have_it() -> None:
    # Shared: one "no"; precision 1/3, recall 1/1, F1 = 2 * 1 / (3 + 1).
    assert token_f1("no no no", "no") == pytest.approx(0.5)


def test_two_answers_that_normalise_to_nothing_are_equal() -> None:
    assert token_f1("the", "a") == 1.0
    assert token_f1("the", "dog") == 0.0


def test_the_best_of_several_references_counts() -> None:
    scores = score_item(
        make_task(metrics=("exact_match", "answer_contained")),
        item("nearly $12", "$12"),
        "The price was $12.",
    )
    assert scores == {
        # Shared with "$12": one word of three ("price was 12"), 2 * 1 / (3 + 1).
        "token_f1": pytest.approx(0.5),
        "exact_match": 0.0,
        "answer_contained": 1.0,
    }


def test_the_primary_metric_comes_first() -> None:
    task = make_task(metric="exact_match", metrics=("token_f1",))
    assert list(score_item(task, item("x"), "x")) == ["exact_match", "token_f1"]


@pytest.mark.parametrize(
    ("text", "answer", "found"),
    [
        ("It is 25 days a year.", "25 days", True),
        ("It is 125 days a year.", "25 days", False),
        ("days: 25", "25 days", False),
        ("anything", "the", False),
        ("the end", "the", True),
    ],
)
def test_an_answer_is_contained_as_whole_words_in_order(
    text: str, answer: str, found: bool
) -> None:
    assert contains_answer(text, answer) is found


# --- labels ----------------------------------------------------------------------------------


def test_macro_f1_of_a_hand_calculated_confusion() -> None:
    references = ["a", "a", "a", "b", "b", "c"]
    predictions = ["a", "a", "b", "b", "c", "c"]
    # a: 2*2/(2+3) = .8; b: 2*1/(2+2) = .5; c: 2*1/(2+1) = 2/3.
    wanted = (0.8 + 0.5 + 2 / 3) / 3
    assert macro_f1(predictions, references, ["a", "b", "c"]) == pytest.approx(wanted)


@settings(deadline=None)  # the first example imports the reference
@given(st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("abcd")), min_size=1))
def test_macro_f1_equals_scikit_learns(pairs: list[tuple[str, str]]) -> None:
    from sklearn.metrics import f1_score

    references, predictions = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    wanted = f1_score(references, predictions, average="macro", zero_division=0)
    assert macro_f1(predictions, references, list("abcd")) == pytest.approx(wanted)


def test_a_prediction_that_is_no_label_only_misses() -> None:
    # a: one of two found, nobody else is called a: 2*1/(1+2).
    assert macro_f1(["a", "banana"], ["a", "a"], ["a", "b"]) == pytest.approx(2 / 3)


def test_macro_f1_has_no_value_for_one_item() -> None:
    task = make_task("classification", "macro_f1", labels=("a", "b"))
    assert score_item(task, item("a"), "a") == {"macro_f1": None}
    assert METRICS["macro_f1"].needs_pairs


def test_accuracy_ignores_white_space_around_an_answer_and_nothing_else() -> None:
    task = make_task("classification", "accuracy")
    texts = [" joy\n", "Joy", "joy", ""]
    assert aggregate(task, "accuracy", [item("joy")] * 4, texts) == 0.5


def test_nothing_to_score_is_undefined_for_every_metric() -> None:
    for name in METRICS:
        assert aggregate(make_task(), name, [], []) is None


# --- JSON ------------------------------------------------------------------------------------


def test_field_f1_of_a_hand_calculated_object() -> None:
    wanted = {"version": "2.1", "breaking": True, "changes": ["fix login", "add export"]}
    found = {"version": "2.1", "breaking": False, "changes": ["add export"], "date": None}
    # Leaves wanted: 4, found: 4, shared: version and "add export".
    assert field_f1(json.dumps(found), json.dumps(wanted)) == pytest.approx(2 * 2 / (4 + 4))


@pytest.mark.parametrize(
    ("found", "score"),
    [
        ('{"a": 1, "b": ["x", "y"]}', 1.0),
        ('{"b": ["y", " X "], "a": 1.0}', 1.0),
        ('Here it is: {"a": 1, "b": ["x", "y"]} Done.', 1.0),
        ('{"a": true, "b": ["x", "y"]}', 2 / 3),
        ('{"a": "1", "b": ["x", "y"]}', 2 / 3),
        ('{"a": 1, "b": ["x", "y"', 0.0),
        ("[1, 2]", 0.0),
        ("", 0.0),
    ],
)
def test_field_f1_forgives_order_case_and_text_around_but_no_type(found: str, score: float) -> None:
    assert field_f1(found, '{"a": 1, "b": ["x", "y"]}') == pytest.approx(score)


def test_field_f1_is_undefined_when_the_reference_is_no_object() -> None:
    assert field_f1("{}", "not json") is None


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ('{"a": 1}', 1.0),
        (' {"a": [null]}\n', 1.0),
        ('```json\n{"a": 1}\n```', 0.0),
        ('{"a": NaN}', 0.0),
        ("{'a': 1}", 0.0),
        ("[1]", 0.0),
        ("[" * 100_000, 0.0),
    ],
)
def test_valid_json_is_one_object_and_nothing_else(text: str, valid: float) -> None:
    assert score_item(make_task("extraction", "json_validity"), item("{}"), text) == {
        "json_validity": valid
    }


# --- checks ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("check", "text", "holds"),
    [
        ({"kind": "contains", "any": ["14 days", "two weeks"]}, "within TWO\n weeks.", True),
        ({"kind": "contains", "any": ["4 days"]}, "within 14 days", False),
        ({"kind": "contains", "any": ["300"]}, "costs 1,300 or 300.50", False),
        ({"kind": "contains", "any": ["300"]}, "It costs €300.", True),
        ({"kind": "contains", "any": ["don't"]}, "We don’t.", True),
        ({"kind": "lacks", "any": ["sorry"]}, "Sorry for that", False),
        ({"kind": "lacks", "any": ["arm"]}, "an alarm", True),
        ({"kind": "matches", "pattern": r"^Hello \w+,$"}, "Hello Ada,\nthanks", True),
        ({"kind": "lacks_pattern", "pattern": "!"}, "Great!", False),
        ({"kind": "max_words", "limit": 3}, "one two three", True),
        ({"kind": "max_words", "limit": 2}, "one two three", False),
        ({"kind": "min_words", "limit": 4}, "one two three", False),
    ],
)
def test_a_check_says_what_it_was_written_for(
    check: dict[str, object], text: str, holds: bool
) -> None:
    assert Check.model_validate({"name": "c", **check}).holds(text) is holds


@pytest.mark.parametrize(
    "check",
    [
        {"kind": "contains"},
        {"kind": "contains", "any": []},
        {"kind": "contains", "any": ["x"], "limit": 3},
        {"kind": "matches", "pattern": "("},
        {"kind": "matches", "pattern": ""},
        {"kind": "max_words", "limit": -1},
        {"kind": "startswith", "any": ["x"]},
    ],
)
def test_a_check_that_cannot_work_is_refused(check: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"1 validation error"):
        Check.model_validate({"name": "c", **check})


def test_the_score_is_the_share_of_shared_and_own_checks_that_hold() -> None:
    polite = Check(name="polite", kind="contains", any=("kind regards",))
    short = Check(name="short", kind="max_words", limit=5)
    fact = Check(name="fact", kind="contains", any=("25 days",))
    task = make_task("generation", "checks", checks=(polite, short))
    scores = score_item(task, item("x", checks=(fact,)), "You have 25 days. Kind regards")
    assert scores == {"checks": pytest.approx(2 / 3)}
    assert score_item(make_task("generation", "checks"), item("x"), "y") == {"checks": None}


# --- SQL -------------------------------------------------------------------------------------


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "shop.sqlite"
    connection = sqlite3.connect(path)
    connection.executescript(
        "create table city(name text, people int, area real);"
        "insert into city values ('a', 10, 1.5), ('b', 20, 2.5), ('c', 30, 3.5);"
    )
    connection.close()
    return path


@pytest.mark.parametrize(
    ("answer", "score"),
    [
        ("select name from city where people > 15", 1.0),
        ("SELECT name FROM city WHERE people >= 20 ORDER BY name DESC", 1.0),
        ("```sql\nselect name from city where people > 15;\n```", 1.0),
        ("select name from city", 0.0),
        ("select name from city where people > 15 union all select 'b'", 0.0),
        ("select nothing from nowhere", 0.0),
        ("select 1; select name from city where people > 15", 0.0),
        ("drop table city", 0.0),
        ("pragma user_version", 0.0),
        ("attach 'x.db' as x", 0.0),
        ("select '\0'", 0.0),
        ("", 0.0),
    ],
)
def test_sql_is_right_when_it_returns_the_same_rows(
    database: Path, answer: str, score: float
) -> None:
    task = make_task("sql", "execution_match", database=database)
    gold = item("select name from city where people in (20, 30)")
    assert score_item(task, gold, answer) == {"execution_match": score}
    assert sql.rows(database, "select count(*) from city") == [(3,)]


def test_order_counts_when_the_reference_asks_for_one(database: Path) -> None:
    task = make_task("sql", "execution_match", database=database)
    gold = item("select name from city order by people desc")
    assert score_item(task, gold, "select name from city order by people") == {
        "execution_match": 0.0
    }
    assert not sql.is_ordered("select * from (select 1 order by 1)")


def test_a_query_without_end_is_stopped(database: Path) -> None:
    endless = "with recursive n(x) as (select 1 union all select x + 1 from n) select max(x) from n"
    begun = time.monotonic()
    assert sql.rows(database, endless, seconds=0.2) is None
    assert time.monotonic() - begun < 2


@pytest.mark.parametrize(
    "query",
    [
        "with recursive n(x) as (select 1 union all select x + 1 from n) select x from n",
        "select zeroblob(1000000000)",
    ],
)
def test_a_query_with_too_large_a_result_fails(database: Path, query: str) -> None:
    assert sql.rows(database, query) is None


def test_an_item_whose_reference_does_not_run_is_undefined(database: Path) -> None:
    task = make_task("sql", "execution_match", database=database)
    assert score_item(task, item("select broken"), "select 1") == {"execution_match": None}
    assert aggregate(task, "execution_match", [item("select broken")], ["select 1"]) is None


# --- text overlap ----------------------------------------------------------------------------


def test_corpus_bleu_equals_sacrebleus_documented_example() -> None:
    # sacrebleu's README: this system output against these two references has BLEU 48.53.
    answers = [
        "The dog bit the man.",
        "It wasn't surprising.",
        "The man had just bitten him.",
    ]
    references = [
        ("The dog bit the man.", "The dog had bit the man."),
        ("It was not unexpected.", "No one was surprised."),
        ("The man bit him first.", "The man had bitten the dog."),
    ]
    items = [item(*outputs) for outputs in references]
    task = make_task("generation", "bleu")
    assert aggregate(task, "bleu", items, answers) == pytest.approx(0.4853, abs=5e-5)


def test_bleu_takes_items_with_different_numbers_of_references() -> None:
    task = make_task("generation", "bleu")
    items = [item("the cat sat on the mat", "a cat sat"), item("there is a dog here")]
    assert aggregate(task, "bleu", items, [i.output for i in items]) == pytest.approx(1.0)


def test_rouge_l_of_the_example_of_its_paper() -> None:
    # Lin 2004, section 3.1: "police killed the gunman" against "police kill the gunman" has a
    # longest common subsequence of 3 of 4 words without stemming, and of 4 with it; "the gunman
    # kill police" has 2 of 4.
    task = make_task("generation", "rouge_l")
    gold = item("police killed the gunman")
    assert score_item(task, gold, "police kill the gunman") == {"rouge_l": pytest.approx(1.0)}
    assert score_item(task, gold, "the gunman kill police") == {"rouge_l": pytest.approx(0.5)}


@settings(deadline=None)  # the first example imports the references
@given(st.text(max_size=60), st.text(min_size=1, max_size=60))
def test_every_value_lies_between_zero_and_one(text: str, output: str) -> None:
    task = make_task(metrics=tuple(name for name in METRICS if name != "token_f1"))
    for value in score_item(task, item(output), text).values():
        assert value is None or 0 <= value <= 1


def test_metrics_import_nothing_heavy() -> None:
    code = (
        "import sys, benchmarks.tasks.catalogue\n"
        "heavy = {'torch', 'numpy', 'sacrebleu', 'rouge_score', 'datasketch', 'nltk', 'sklearn'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
