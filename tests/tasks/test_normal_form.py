"""Which texts count as the same input, and which labels are probably one."""

from __future__ import annotations

import csv
from itertools import pairwise
from pathlib import Path

import pytest

from benchmarks.tasks.normal_form import near_labels, normal_input, spelt_out

CASES = Path(__file__).parent.parent / "cases"


def test_texts_are_the_same_input_where_their_author_says_so() -> None:
    with (CASES / "same_or_not.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    pairs = [
        (above["text"], row["text"], row["same_as_line_above"])
        for above, row in pairwise(rows)
        if row["same_as_line_above"]
    ]
    assert len(pairs) == 7
    found = {
        (one, other): "yes" if normal_input(one) == normal_input(other) else "no"
        for one, other, _ in pairs
    }
    assert found == {(one, other): wanted for one, other, wanted in pairs}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("See ya", "  see   YA!!"),
        ("¿Qué?", "qué"),
        ("Don't", "don’t"),
        ("“Hi”, he said", 'hi he said"'),
        ("e-mail", "e mail"),
        ("self-made", "self–made"),
        ("covid-19", "covid 19"),
        ("wait - what", "wait, what"),
        ("Price:$5", "price: $ 5"),
        ("C ++", "C++"),
        ("7-6", "7 − 6"),
        ("Great!😀", "great 😀"),
        ("❤\ufe0f", "❤"),
        ("café", "cafe\u0301"),
        ("ＡＢＣ", "abc"),
        ("ｶﾞ", "ガ"),
        ("ﬁne", "fine"),
        ("Straße", "STRASSE"),
        ("a\u200bb", "a\u00adb"),
        ("\ufeff\u200fשלום", "שלום"),
        ("می\u200cخواهم", "میخواهم"),
        ("۳ نان", "3 نان"),
        ("नमस्ते।", "नमस्ते"),
        ("धीरे-धीरे", "धीरे धीरे"),
        ("東京 都", "東京都"),
        ("はい、いいえ。", "はい いいえ"),
    ],
)
def test_what_carries_no_meaning_does_not_make_another_input(one: str, other: str) -> None:
    assert normal_input(one) == normal_input(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("3.5", "35"),
        ("costs .5", "costs 5"),
        ("10:30", "1030"),
        ("1 2", "12"),
        ("1/2", "12"),
        ("½", "12"),
        ("x²", "x2"),
        ("$5", "5"),
        ("€5", "$5"),
        ("50%", "50"),
        ("5′", "5″"),
        ("-5", "5"),
        ("7 - 6", "7 6"),
        ("2020-01-01", "2020 01 01"),
        ("ls -l", "ls l"),
        ("a -> b", "a > b"),
        ("a != b", "a = b"),
        ("i++", "i--"),
        ("f[x]", "f(x)"),
        ("rm *", "rm"),
        ("@tom", "tom"),
        ("#tom", "@tom"),
        ("email", "e-mail"),
        ("we're", "were"),
        ("re-sign", "resign"),
        ("see you :)", "see you :("),
        ("see you :)", "see you ;)"),
        ("see you :)", "see you"),
        ("👍", "👍🏿"),
        ("🇩🇪", "🇫🇷"),
        ("👨\u200d👩\u200d👧", "👨👩👧"),
        ("مال", "مالٌ"),
        ("कमल", "कमाल"),
        ("ใกล", "ใกล้"),
        ("?", "!"),
    ],
)
def test_what_carries_meaning_makes_another_input(one: str, other: str) -> None:
    assert normal_input(one) != normal_input(other)


def test_labels_are_near_when_only_their_writing_differs() -> None:
    labels = ["Yes", "yes", "Café", "Cafe\u0301", "spam", "spam\u200b", "ＯＫ", "ok", "a b", "ab"]
    assert near_labels(labels) == [tuple(labels[n : n + 2]) for n in range(0, 10, 2)]
    assert near_labels(["1", "2", "1.0", "1,000", "1e3", "0", "-0.0"]) == [
        ("1", "1.0"),
        ("1,000", "1e3"),
        ("0", "-0.0"),
    ]


def test_labels_that_mean_different_things_are_not_near() -> None:
    assert near_labels(["7", "007", "07", "-7", "c", "c++", "c#", "e", "é", "true", "1"]) == []
    assert near_labels(["1" + "0" * 40, "1" + "0" * 39 + "1", "9" * 9999]) == []


def test_what_a_reader_cannot_see_in_a_label_is_spelt_out() -> None:
    assert spelt_out("spam\u200b") == r"'spam\u200b'"
    assert spelt_out("Cafe\u0301") == r"'Cafe\u0301'"
    assert spelt_out("Café") == "'Café'"


@pytest.mark.timeout(20)
@pytest.mark.parametrize("part", ["-", "a- ", " :", "\u200d", "'", "$ ", ". ", "1,"])
def test_the_normal_form_of_a_very_long_text_takes_no_quadratic_time(part: str) -> None:
    assert normal_input(part * 200_000) == normal_input(part * 200_000 + " ")
