"""Scores and differences on parts of the test items."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from advisor.cli.app import app
from benchmarks.comparison import compare
from benchmarks.report.content import report_blocks
from benchmarks.report.markdown import markdown_text
from benchmarks.results import Comparison, Slice
from benchmarks.slices import LEAST_ITEMS, MOST_SLICES, WITHOUT
from benchmarks.store import Run
from benchmarks.tasks.loading import load_folder, with_fresh_items
from strategies.errors import DataError
from tests.comparison.runs import Made, Material, make_run

# 40 items of a chat, 30 of mail, 5 of a letter.
CHANNELS = ("chat",) * 40 + ("mail",) * 30 + ("letter",) * 5


def sliced(run: Run, **fields: tuple[str | None, ...]) -> Run:
    """The run with slices of its items, in the order of their ids; None leaves one out."""
    arms = []
    for result in run.arms:
        scores = sorted(result.scores, key=lambda score: int(score.id.rpartition("-")[2]))
        named = [
            score.model_copy(
                update={"slices": {by: of[n] for by, of in fields.items() if of[n] is not None}}
            )
            for n, score in enumerate(scores)
        ]
        arms.append(replace(result, scores=tuple(named)))
    return replace(run, arms=tuple(arms))


def found(tmp_path: Path, **values: tuple[float, ...]) -> Comparison:
    names = {name.replace("_", "-"): scores for name, scores in values.items()}
    run = make_run(tmp_path / "r", [Made(name, scores) for name, scores in names.items()])
    return compare(sliced(run, channel=CHANNELS))


def of(comparison: Comparison, value: str) -> Slice:
    return next(each for each in comparison.slices if each.value == value)


# All right on chats and on letters, all wrong on mails; and the reverse; and right on chats alone.
CHATS = (1.0,) * 40 + (0.0,) * 30 + (1.0,) * 5
NOTHING = (0.0,) * 75
HALF = (1.0, 0.0) * 20 + (0.0,) * 35


def test_slices_come_by_size_with_the_score_of_every_method(tmp_path: Path) -> None:
    comparison = found(tmp_path, zero_shot=NOTHING, lora=CHATS)
    assert [(each.by, each.value, each.items) for each in comparison.slices] == [
        ("channel", "chat", 40), ("channel", "mail", 30), ("channel", "letter", 5)
    ]  # fmt: skip
    assert of(comparison, "chat").scores == {"zero-shot": 0.0, "lora": 1.0}
    assert of(comparison, "mail").scores == {"zero-shot": 0.0, "lora": 0.0}


def test_a_pair_is_tested_on_slices_where_it_is_separated_on_all_items(tmp_path: Path) -> None:
    comparison = found(tmp_path, zero_shot=NOTHING, lora=CHATS, icl_random=NOTHING)
    pairs = {(d.a, d.b) for each in comparison.slices for d in each.differences}
    assert len(pairs) == 2
    assert all("lora" in pair for pair in pairs)
    assert all(d.separated for d in of(comparison, "chat").differences)
    assert not any(d.separated for d in of(comparison, "mail").differences)
    # Too few items to be tested.
    assert of(comparison, "letter").items < LEAST_ITEMS
    assert of(comparison, "letter").differences == ()


def test_the_correction_is_for_all_pairs_on_all_slices(tmp_path: Path) -> None:
    comparison = found(tmp_path, zero_shot=NOTHING, lora=CHATS, icl_random=NOTHING, full=HALF)
    chat = of(comparison, "chat").differences
    smallest = min(chat, key=lambda d: d.p_value)
    # Six pairs on the two slices that are large enough.
    assert smallest.p_holm == pytest.approx(12 * smallest.p_value)


def test_a_slice_of_macro_f1_shows_the_share_of_right_answers(tmp_path: Path) -> None:
    references = ("red",) * 20 + ("blue",) * 20
    answers = ("red",) * 30 + ("blue",) * 10
    run = make_run(
        tmp_path / "r",
        [Made("zero-shot", predictions=answers, score=0.7)],
        Material(metric="macro_f1", references=references),
    )
    comparison = compare(run)
    assert {each.value: each.scores["zero-shot"] for each in comparison.slices} == {
        "red": 1.0,
        "blue": 0.5,
    }
    assert {each.by for each in comparison.slices} == {"right answer"}


def test_what_does_not_tell_items_apart_is_no_slice_and_many_small_ones_are_left_out(
    tmp_path: Path,
) -> None:
    run = make_run(tmp_path / "r", [Made("zero-shot", NOTHING)])
    many = tuple(f"customer {n % 20}" for n in range(75))
    comparison = compare(sliced(run, language=("en",) * 75, customer=many))
    assert {each.by for each in comparison.slices} == {"customer"}
    assert len(comparison.slices) == MOST_SLICES
    assert comparison.slices_left_out == {"customer": 20 - MOST_SLICES}


def test_a_report_shows_slices_and_names_what_they_separate(tmp_path: Path) -> None:
    text = markdown_text(report_blocks(found(tmp_path, zero_shot=NOTHING, lora=CHATS), ()), "")
    section = text.split("## By slice")[1].split("\n## ")[0]
    assert "| <code>chat</code> | 40 | 1.000 | 0.000 |" in section
    assert "Of 2 tests of a pair on a slice these separate the two:" in section
    assert "channel: chat" in section
    without = markdown_text(report_blocks(found(tmp_path / "b", zero_shot=NOTHING), ()), "")
    assert "Of 0 tests of a pair on a slice none separates the two." in without


def test_a_task_names_its_slices_and_they_come_from_any_file(tmp_path: Path) -> None:
    rows = [f"text {n},{'a' if n % 2 else 'b'},{'web' if n % 3 else 'shop'}" for n in range(60)]
    lines = tmp_path / "lines.csv"
    lines.write_text("\n".join(["text,label,place", *rows]))
    task = tmp_path / "task"
    made = ["init", str(task), "--from", str(lines), "--kind", "classification"]
    done = CliRunner().invoke(app, [*made, "--slice-columns", "place"])
    assert done.exit_code == 0, done.output
    loaded = load_folder(task)
    assert {dict(item.slices)["place"] for item in loaded.test} == {"web", "shop"}
    fresh = tmp_path / "fresh.csv"
    fresh.write_text("input,output,place\nnew,a,van\n")
    assert with_fresh_items(loaded, fresh).test[0].slices == (("place", "van"),)
    refused = CliRunner().invoke(
        app, [*made[:1], str(tmp_path / "b"), *made[2:], "--slice-columns", "plaice"]
    )
    assert isinstance(refused.exception, DataError)
    assert "no column 'plaice' to slice by; found: place" in str(refused.exception)
    twice = CliRunner().invoke(
        app, [*made[:1], str(tmp_path / "c"), *made[2:], "--slice-columns", "text,place,place"]
    )
    assert "column 'text' is used otherwise" in str(twice.exception)
    assert "column to slice by once" in str(twice.exception)


@pytest.mark.parametrize("blank", ["", " ", None])
def test_items_without_a_value_are_a_slice_of_their_own(tmp_path: Path, blank: str | None) -> None:
    task = tmp_path / "task"
    task.mkdir()
    (task / "task.yaml").write_text(
        "id: t\ntitle: T\nkind: generation\ninstruction: Say it.\nmetric: exact_match\n"
        "slices: [vip, number]\n"
    )
    lines = [
        {"input": f"text {n}", "output": "a", "number": n % 2, "vip": True if n < 9 else blank}
        for n in range(30)
    ]
    (task / "test.jsonl").write_text("\n".join(map(json.dumps, lines)))
    loaded = load_folder(task)
    assert loaded.test[0].slices == (("vip", "True"), ("number", "0"))
    assert loaded.test[20].slices == (("number", "0"),)
    run = make_run(tmp_path / "r", [Made("zero-shot", NOTHING)])
    vips = tuple("yes" if n < 9 else None for n in range(75))
    comparison = compare(sliced(run, vip=vips))
    assert [(each.value, each.items) for each in comparison.slices] == [(WITHOUT, 66), ("yes", 9)]


def test_slices_keep_groups_and_seeds_in_their_tests(tmp_path: Path) -> None:
    groups = tuple(f"g{n // 5}" for n in range(75))
    arms = [Made("zero-shot", NOTHING), Made("lora", CHATS, seed=0), Made("lora", CHATS, seed=1)]
    run = make_run(tmp_path / "r", arms, Material(groups=groups))
    (difference,) = of(compare(sliced(run, channel=CHANNELS)), "chat").differences
    assert difference.test == "t over groups and seeds"
    assert difference.items == 40
