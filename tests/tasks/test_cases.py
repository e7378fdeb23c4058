"""Files as users have them, each read as its user means it, or refused with its lines."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from advisor.cli.app import app
from benchmarks.tasks.corpus import read_corpus
from benchmarks.tasks.loading import load_folder, with_fresh_items
from benchmarks.tasks.problems import Problems
from benchmarks.tasks.scaffold import Scaffolded, Source, scaffold
from benchmarks.tasks.task import SPLITS, Item
from strategies.errors import DataError

CASES = Path(__file__).parent.parent / "cases"


def made(tmp_path: Path, file: Path | str, **more: Any) -> Scaffolded:
    source = CASES / file if isinstance(file, str) else file
    return scaffold(tmp_path / "t", Source(source, **more))


def items(scaffolded: Scaffolded) -> dict[str, Item]:
    """Every item of a task by its input."""
    return {item.input: item for split in SPLITS for item in getattr(scaffolded.task, split)}


def refused(tmp_path: Path, file: Path | str, **more: Any) -> str:
    with pytest.raises(DataError) as caught:
        made(tmp_path, file, **more)
    assert not (tmp_path / "t").exists()
    return str(caught.value)


def jsonl(tmp_path: Path, *values: object) -> Path:
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps(value) + "\n" for value in values))
    return path


def table(tmp_path: Path, content: str | bytes, name: str = "a.csv") -> Path:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


# --- the same input -----------------------------------------------------------------------------


def test_lines_that_differ_in_a_symbol_or_a_vowel_sign_are_all_kept(tmp_path: Path) -> None:
    found = made(tmp_path, "same_or_not.csv")
    # 13 lines, of which "see ya!" alone repeats another.
    assert len(items(found)) == 12
    assert {"What is C?", "What is C++?", "What is C#?"} <= items(found).keys()
    assert "1 line repeats another line and was left out: 14" in found.notes


# --- labels -------------------------------------------------------------------------------------


def test_labels_that_are_probably_one_are_told_with_their_lines(tmp_path: Path) -> None:
    found = made(tmp_path, "near_labels.csv")
    (note,) = found.notes
    assert found.near
    assert note.startswith("labels that differ only in case, spaces, Unicode form or number format")
    for pair in (
        "'Positive' (3 lines: 2, 14, 26) and 'positive' (3 lines: 3, 15, 27)",
        "'Negative' (3 lines: 4, 16, 28) and 'negative' (3 lines: 5, 17, 29)",
        r"'Café' (3 lines: 6, 18, 30) and 'Cafe\u0301' (3 lines: 7, 19, 31)",
        r"'spam' (3 lines: 8, 20, 32) and 'spam\u200b' (3 lines: 9, 21, 33)",
        "'1' (3 lines: 10, 22, 34) and '1.0' (3 lines: 11, 23, 35)",
        "'0' (3 lines: 12, 24, 36) and '0.0' (3 lines: 13, 25, 37)",
    ):
        assert pair in note


def test_labels_that_are_probably_one_become_one_on_demand(tmp_path: Path) -> None:
    found = made(tmp_path, "near_labels.csv", merge_labels=True)
    assert found.task.labels == ("0", "1", "Café", "Negative", "Positive", "spam")
    assert not found.near
    assert Counter(item.output for item in items(found).values()) == dict.fromkeys(
        found.task.labels, 6
    )
    assert "merged into label 'Positive': 'positive' (3 lines: 3, 15, 27)" in found.notes
    assert load_folder(tmp_path / "t").notes == ()


def test_the_spelling_that_most_lines_have_wins(tmp_path: Path) -> None:
    rows = "".join(f"mail {n},{'yes' if n % 5 else 'Yes'}\nnote {n},no\n" for n in range(20))
    found = made(tmp_path, table(tmp_path, "text,label\n" + rows), merge_labels=True)
    assert found.task.labels == ("no", "yes")


def test_the_same_input_with_two_spellings_of_a_label_is_a_repeat_once_they_are_merged(
    tmp_path: Path,
) -> None:
    rows = "".join(f"mail {n},{'ab'[n % 2]}\n" for n in range(20)) + "mail 0,A\n"
    file = table(tmp_path, "text,label\n" + rows)
    assert (
        "1 line repeats another line and was left out: 22"
        in made(tmp_path, file, merge_labels=True).notes
    )
    (apart,) = scaffold(tmp_path / "u", Source(file)).notes
    assert apart.startswith("2 lines have the input of another line and a different answer")


def test_a_finished_task_with_near_labels_gives_a_note_under_every_command(tmp_path: Path) -> None:
    made(tmp_path, "near_labels.csv")
    (note,) = load_folder(tmp_path / "t").notes
    assert "'Positive' and 'positive'" in note
    shown = CliRunner().invoke(app, ["tasks", str(tmp_path / "t")])
    assert f"Note: {note}" in shown.output
    fresh = tmp_path / "fresh.jsonl"
    fresh.write_text('{"input": "new", "output": "Positive"}\n')
    assert with_fresh_items(load_folder(tmp_path / "t"), fresh).notes == (note,)


def test_init_offers_to_merge_labels_and_does_it(tmp_path: Path) -> None:
    source = ["--from", str(CASES / "near_labels.csv")]
    told = CliRunner().invoke(app, ["init", str(tmp_path / "t"), *source])
    assert "--merge-labels" in told.output
    done = CliRunner().invoke(app, ["init", str(tmp_path / "u"), *source, "--merge-labels"])
    assert done.exit_code == 0
    written = yaml.safe_load((tmp_path / "u" / "task.yaml").read_text(encoding="utf-8"))
    assert written["labels"] == ["0", "1", "Café", "Negative", "Positive", "spam"]


def test_a_label_that_is_nearly_a_known_one_is_named_with_it(tmp_path: Path) -> None:
    made(tmp_path, "bool_labels.jsonl")
    with (tmp_path / "t" / "train.jsonl").open("a") as stream:
        stream.write('{"input": "x", "output": "True"}\n')
    with pytest.raises(DataError, match=r"label 'True' is not in .*; nearly the same is 'true'"):
        load_folder(tmp_path / "t")


def test_leading_zeros_make_another_label_and_other_numbers_are_told(tmp_path: Path) -> None:
    rows = "".join(f"mail {n},{('007', '7', '07')[n % 3]}\n" for n in range(30))
    assert made(tmp_path, table(tmp_path, "text,label\n" + rows)).notes == ()
    numbers = [{"text": f"mail {n}", "label": [1, 1.0, 2, 2.5][n % 4]} for n in range(40)]
    (note,) = scaffold(tmp_path / "u", Source(jsonl(tmp_path, *numbers))).notes
    assert note.endswith("'1' (10 lines: 1, 5, 9, …) and '1.0' (10 lines: 2, 6, 10, …)")


def test_spaces_around_a_label_do_not_count_and_are_told(tmp_path: Path) -> None:
    rows = "".join(f"mail {n},{('a', 'a ', 'b')[n % 3]}\n" for n in range(30))
    found = made(tmp_path, table(tmp_path, "text,label\n" + rows))
    assert found.task.labels == ("a", "b")
    assert found.notes == (
        "labels whose spaces around them do not count: 'a' (10 lines: 3, 6, 9, …)",
    )


def test_true_and_false_are_labels(tmp_path: Path) -> None:
    found = made(tmp_path, "bool_labels.jsonl")
    assert (found.task.kind, found.task.labels) == ("classification", ("false", "true"))
    assert items(found)["note 0"].output == "true"
    assert found.notes == ()


def test_a_label_that_stands_for_a_missing_value_in_a_table_is_told(tmp_path: Path) -> None:
    rows = "".join(f"mail {n},{('nan', 'yes', 'no')[n % 3]}\n" for n in range(30))
    (note,) = made(tmp_path, table(tmp_path, "text,label\n" + rows)).notes
    assert note == "labels that may stand for a missing value: 'nan' (10 lines: 2, 5, 8, …)"


def test_nan_is_named_with_its_lines(tmp_path: Path) -> None:
    text = refused(tmp_path, "nan_label.jsonl")
    assert 'nan_label.jsonl lines 1, 8, 15, 22, 29: "label" holds NaN' in text


@pytest.mark.parametrize(
    "bad",
    [
        '{"text": "x", "label": Infinity}',
        '{"text": "x", "label": -1e999}',
        '{"text": "x", "outputs": ["a", Infinity]}',
    ],
)
def test_infinity_is_no_label(tmp_path: Path, bad: str) -> None:
    good = [{"text": f"mail {n}", "label": n % 2} for n in range(20)]
    path = jsonl(tmp_path, *good)
    path.write_text(path.read_text() + bad + "\n")
    assert "a.jsonl line 21: " in (text := refused(tmp_path, path))
    assert "holds Infinity, which is not a value" in text


def test_nan_in_a_field_that_is_not_used_does_no_harm(tmp_path: Path) -> None:
    rows = [{"text": f"mail {n}", "label": "ab"[n % 2], "score": float("nan")} for n in range(20)]
    assert made(tmp_path, jsonl(tmp_path, *rows)).notes == ("fields that are not used: score",)


def test_half_a_character_is_named_with_its_line(tmp_path: Path) -> None:
    text = refused(tmp_path, "surrogate.jsonl")
    assert r"""surrogate.jsonl line 8: "text" holds '\ud83d', half of a character""" in text
    told = CliRunner().invoke(
        app, ["init", str(tmp_path / "t"), "--from", str(CASES / "surrogate.jsonl")]
    )
    assert isinstance(told.exception, DataError)


@pytest.mark.parametrize("field", ["outputs", "group", "choices", "channel"])
def test_half_a_character_is_found_in_every_field_that_is_used(tmp_path: Path, field: str) -> None:
    rows = [{"input": f"mail {n}", "outputs": ["a"], "channel": "x"} for n in range(20)]
    value = "cut \ud83d"
    bad = {"input": "mail", "outputs": ["a"], "choices": ["a", "b"], "channel": "x"} | {
        field: value if field in ("group", "channel") else ["a", value]
    }
    kind = "multiple-choice" if field == "choices" else "qa"
    file = jsonl(tmp_path, *rows, bad)
    text = refused(tmp_path, file, kind=kind, slices=("channel",))
    assert f'a.jsonl line 21: "{field}" holds' in text


def test_a_field_whose_name_holds_half_a_character_can_be_shown(tmp_path: Path) -> None:
    rows = [{"text": f"mail {n}", "label": "ab"[n % 2], "\ud83d": 1} for n in range(20)]
    source = ["--from", str(jsonl(tmp_path, *rows))]
    told = CliRunner().invoke(app, ["init", str(tmp_path / "t"), *source])
    assert told.exit_code == 0
    assert r"fields that are not used: \ud83d" in told.output


# --- chats --------------------------------------------------------------------------------------


def chat(*turns: dict[str, object], **more: object) -> dict[str, object]:
    return {"messages": list(turns), **more}


def asked(text: object) -> dict[str, object]:
    return {"role": "user", "content": text}


def said(text: object, **more: object) -> dict[str, object]:
    return {"role": "assistant", "content": text, **more}


def test_an_answer_of_weight_zero_is_never_truth(tmp_path: Path) -> None:
    found = made(tmp_path, "chat_weight_zero.jsonl")
    assert len(items(found)) == 24
    assert all(item.output != "garbage" for item in items(found).values())
    assert found.notes == (
        "chat_weight_zero.jsonl lines 1, 6, 11, 16, 21, 26: the answer has weight 0 and does not "
        "count, so the chat was left out",
    )


def test_weight_zero_counts_in_sharegpt_chats_too(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    chats = [
        {
            "conversations": [
                {"from": "human", "value": f"q {n}"},
                {"from": "gpt", "value": f"a {n}", "weight": n % 2},
            ]
        }
        for n in range(40)
    ]
    path.write_text(json.dumps(chats))
    found = made(tmp_path, path)
    assert set(items(found)) == {f"q {n}" for n in range(1, 40, 2)}
    assert found.notes[0].startswith("a.json entries 1, 3, 5, ")


def test_a_chat_ends_with_its_last_answer_that_counts(tmp_path: Path) -> None:
    chats = [
        chat(asked(f"q {n}"), said(f"a {n}", weight=1), asked("more"), said("garbage", weight=0))
        for n in range(20)
    ]
    found = made(tmp_path, jsonl(tmp_path, *chats))
    assert items(found)["q 3"].output == "a 3"
    assert "the chat ends with an earlier answer" in found.notes[0]


def test_an_earlier_answer_of_weight_zero_stays_in_what_was_said(tmp_path: Path) -> None:
    chats = [
        chat(asked(f"q {n}"), said("oops", weight=0), asked("again"), said(f"a {n}"))
        for n in range(20)
    ]
    found = made(tmp_path, jsonl(tmp_path, *chats))
    assert "User: q 3\n\nAssistant: oops\n\nUser: again" in items(found)
    assert found.notes == ()


def test_another_weight_is_told(tmp_path: Path) -> None:
    chats = [chat(asked(f"q {n}"), said(f"a {n}", weight=0.5)) for n in range(20)]
    assert made(tmp_path, jsonl(tmp_path, *chats)).notes[0].endswith("other than 0 count as 1")


@pytest.mark.parametrize("weight", ["0", -1, float("nan"), float("inf"), [0]])
def test_a_weight_that_is_none_is_refused(tmp_path: Path, weight: object) -> None:
    text = refused(tmp_path, jsonl(tmp_path, chat(asked("q"), said("a", weight=weight))))
    assert "is no weight; allowed: 0 and 1" in text


def test_a_file_whose_answers_all_have_weight_zero_says_so(tmp_path: Path) -> None:
    text = refused(tmp_path, jsonl(tmp_path, *[chat(asked("q"), said("a", weight=0))] * 3))
    assert "holds no labelled line" in text
    assert "a.jsonl lines 1, 2, 3: the answer has weight 0" in text


def test_text_parts_and_developer_messages_are_read(tmp_path: Path) -> None:
    found = made(tmp_path, "chat_parts.jsonl")
    assert found.task.instruction == "Answer briefly."
    assert items(found)["question 0"].output == "answer 0"
    assert len(items(found)) == 30


@pytest.mark.parametrize("kind", ["image_url", "input_audio", "file", None])
def test_a_part_that_is_no_text_is_refused_in_one_sentence(
    tmp_path: Path, kind: str | None
) -> None:
    part = {"type": kind, "image_url": {"url": "x"}}
    chats = [chat(asked([{"type": "text", "text": "q"}, part]), said("a"))] * 3
    text = refused(tmp_path, jsonl(tmp_path, *chats))
    assert f"lines 1, 2, 3: a message has a part of type {kind!r}, and only text can be" in text
    assert "leave the chat out" in text


def test_tool_calls_are_refused_in_one_sentence(tmp_path: Path) -> None:
    lines = refused(tmp_path, "chat_tools.jsonl").splitlines()
    assert len(lines) == 3
    assert "and 18 more: the chat calls tools, and only answers in text can be compared" in lines[1]


def test_sharegpt_is_read(tmp_path: Path) -> None:
    found = made(tmp_path, "sharegpt.json")
    assert len(items(found)) == 30
    assert items(found)["question 7"].output == "answer 7"
    assert found.notes == ()


def test_the_system_message_beside_a_sharegpt_chat_is_the_instruction(tmp_path: Path) -> None:
    turns = [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}]
    chats = [
        {"system": "Be kind.", "conversations": [{**turns[0], "value": f"q {n}"}, turns[1]]}
        for n in range(20)
    ]
    found = made(tmp_path, jsonl(tmp_path, *chats))
    assert found.task.instruction == "Be kind."
    named = scaffold(tmp_path / "u", Source(tmp_path / "a.jsonl", instruction="Be brief."))
    assert named.task.instruction == "Be brief."
    assert named.notes == ("the instruction of the file gives way to the one that you named",)


# --- instructions -------------------------------------------------------------------------------


def test_the_instruction_and_the_input_of_alpaca_both_reach_the_model(tmp_path: Path) -> None:
    found = made(tmp_path, "alpaca.json")
    assert items(found)["Give the plural.\n\nword 1"].output == "out 1"
    assert found.task.instruction == "Follow the instruction."
    assert "each was put before the input of its line" in found.notes[0]
    # Entries without an input repeat their instruction with other answers.
    assert found.notes[1].endswith("were left out: 1, 5, 9, 13, 17, 21, 25, 29")
    assert len(items(found)) == 22


def test_an_instruction_that_all_lines_share_is_that_of_the_task(tmp_path: Path) -> None:
    rows = [{"instruction": "Add s.", "input": f"w {n}", "output": f"w {n}s"} for n in range(20)]
    found = made(tmp_path, jsonl(tmp_path, *rows))
    assert found.task.instruction == "Add s."
    assert items(found)["w 3"].output == "w 3s"
    assert found.notes == ()


def test_an_instruction_without_an_input_is_the_input(tmp_path: Path) -> None:
    rows = [{"instruction": f"Say {n}.", "input": "", "output": f"{n}!"} for n in range(20)]
    assert items(made(tmp_path, jsonl(tmp_path, *rows)))["Say 3."].output == "3!"


def test_the_context_of_an_instruction_reaches_the_model(tmp_path: Path) -> None:
    rows = [
        {"instruction": f"Sum up {n}.", "context": f"long {n}" if n % 2 else "", "response": "s"}
        for n in range(20)
    ]
    found = items(made(tmp_path, jsonl(tmp_path, *rows)))
    assert {"Sum up 1.\n\nlong 1", "Sum up 2."} <= found.keys()


# --- tables -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "notes"),
    [
        ("trailing_columns.csv", ()),
        ("blank_rows.csv", ("blank_rows.csv lines 32, 33, 34: the row is blank and was left out",)),
        ("cr_only.csv", ()),
    ],
)
def test_a_spreadsheets_csv_is_read(tmp_path: Path, name: str, notes: tuple[str, ...]) -> None:
    found = made(tmp_path, name)
    assert {text: item.output for text, item in items(found).items()} == {
        f"mail {n}": f"q{n % 3}" for n in range(30)
    }
    assert found.notes == notes


def test_commas_in_a_quoted_header_do_not_hide_the_semicolons(tmp_path: Path) -> None:
    named = {"input": "Text, as sent", "output": "Queue, final"}
    found = made(tmp_path, "semicolon_quoted_header.csv", columns=named)
    wanted = {f"mail {n}, second part": f"q{n % 3}" for n in range(30)}
    assert {text: item.output for text, item in items(found).items()} == wanted
    assert found.notes == ()
    guessed = scaffold(tmp_path / "u", Source(CASES / "semicolon_quoted_header.csv"))
    assert items(guessed).keys() == wanted.keys()
    assert "'Text, as sent' is taken as the input and 'Queue, final' is" in guessed.notes[0]


TABLE = "text\tlabel\n" + "".join(f"mail {n}\tq{n % 3}\n" for n in range(30))


@pytest.mark.parametrize(
    "content",
    [
        ("\ufeff" + TABLE).encode(),
        TABLE.encode("utf-16"),
        b"\xfe\xff" + TABLE.encode("utf-16-be"),
        TABLE.encode("utf-32"),
        TABLE.replace("\n", "\r\n").encode(),
        TABLE.replace("\t", "|").encode(),
        TABLE.replace("\t", ",").encode(),
        ("sep=;\r\n" + TABLE.replace("\t", ";")).encode(),
        (",,\n" + TABLE.replace("\t", ",")).encode(),
        TABLE.replace("\t", ",").replace("\n", ",\n").encode(),
        TABLE.replace("\t", ",").replace("\n", ",,\n").replace("label,,", "label").encode(),
    ],
)
def test_a_table_is_read_in_every_usual_form(tmp_path: Path, content: bytes) -> None:
    found = items(made(tmp_path, table(tmp_path, content)))
    assert {text: item.output for text, item in found.items()} == {
        f"mail {n}": f"q{n % 3}" for n in range(30)
    }


def test_a_line_break_in_a_cell_is_kept_where_rows_end_with_cr(tmp_path: Path) -> None:
    rows = "".join(f'"mail {n}\nsecond",q{n % 3}\r' for n in range(30))
    assert "mail 3\nsecond" in items(made(tmp_path, table(tmp_path, "text,label\r" + rows)))


def test_a_value_below_no_name_is_told(tmp_path: Path) -> None:
    rows = "".join(f"mail {n},q{n % 3},,{'look' if n == 3 else ''}\n" for n in range(30))
    found = made(tmp_path, table(tmp_path, "text,label,,\n" + rows))
    assert found.notes == ("fields that are not used: column 4",)


@pytest.mark.parametrize(
    ("content", "wanted"),
    [
        ("text,label,a,a\nx,y,,\n", "a column name is used twice: 'a'; rename one"),
        ("text,label,a\nx,y\n", "line 2: has 2 columns, the header has 3"),
        ("text,label,,\nx,y,,,z\n", "line 2: has 5 columns, the header has 2"),
        (
            '"a, b",c,d\nx,y,z\n',
            "for the input (such as text) and the output (such as label); found: 'a, b', c, d",
        ),
        (TABLE.encode("utf-16")[:-1], "breaks off inside a character; save the file as UTF-8"),
        (b"PK\x03\x04\x00\x00", "is not a text file"),
    ],
)
def test_a_table_that_may_mean_two_things_is_refused(
    tmp_path: Path, content: str | bytes, wanted: str
) -> None:
    assert wanted in refused(tmp_path, table(tmp_path, content))


# --- JSON ---------------------------------------------------------------------------------------

ROWS = [{"text": f"mail {n}", "label": f"q{n % 3}"} for n in range(30)]
LINES = "".join(json.dumps(row) + "\n" for row in ROWS)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.json", json.dumps(ROWS)),
        ("a.json", json.dumps(ROWS, indent=2)),
        ("a.jsonl", json.dumps(ROWS)),
        ("a.jsonl", "\n" + json.dumps(ROWS, indent=2)),
        ("a.json", LINES),
        ("a.JSON", "\ufeff" + LINES),
        ("a.jsonl", LINES.replace("\n", "\r")),
        ("a.json", json.dumps({"version": 1, "data": ROWS, "about": []})),
    ],
)
def test_json_is_read_as_a_list_and_as_lines(tmp_path: Path, name: str, content: str) -> None:
    assert items(made(tmp_path, table(tmp_path, content, name))).keys() == {
        f"mail {n}" for n in range(30)
    }


def test_a_long_list_on_one_line_is_read(tmp_path: Path) -> None:
    rows = [{"text": f"mail {n} " + "x" * 2000, "label": f"q{n % 3}"} for n in range(600)]
    assert len(items(made(tmp_path, table(tmp_path, json.dumps(rows), "a.json")))) == 600


@pytest.mark.parametrize(
    ("name", "content", "wanted"),
    [
        ("a.json", "", "a.json: is empty"),
        ("a.json", "3", "a.json: holds no list of objects; expected [{...}, ...]"),
        ("a.json", '{"text": {"a": ["b"]}, "n": 1}', "a.json: holds no list of objects"),
        ("a.json", '{"a": [{"b": 1}], "c": [{"d": 2}]}', "holds several lists ('a', 'c'); save"),
        ("a.json", '[\n{"text": "a",\n]', "at line 3 column 1, a field's name in double"),
        ("a.json", "[1, {}]", "a.json entry 1: is not a JSON object; expected {...}"),
        ("a.jsonl", "[1]\n[2]\n", "a.jsonl lines 1, 2: is not a JSON object"),
        (
            "a.json",
            json.dumps([{"text": "a"}] * 2),
            "a.json: has no usual field for the output; found: text\n",
        ),
    ],
)
def test_json_that_cannot_be_used_says_where(
    tmp_path: Path, name: str, content: str, wanted: str
) -> None:
    assert wanted in refused(tmp_path, table(tmp_path, content, name))


# --- documents ----------------------------------------------------------------------------------


def test_a_folder_of_all_sorts_becomes_a_corpus(tmp_path: Path) -> None:
    corpus = tmp_path / "mixed_corpus"
    shutil.copytree(CASES / "mixed_corpus", corpus)
    long = "The desk opens at nine. " * 60_000
    (corpus / "one_line.txt").write_text(long)
    found = made(tmp_path, "chat_parts.jsonl", corpus=corpus)
    passages = {passage.id: passage for passage in found.task.corpus}
    assert passages.keys() == {"leave", "one_line", "page"}
    assert passages["page"].title == "Pay"
    assert passages["page"].text == "On the last working day."
    assert passages["leave"].text == "Twenty-seven days a year."
    assert passages["one_line"].text.split() == long.split()
    assert max(map(len, passages["one_line"].text.splitlines())) <= 10_000
    assert found.notes == (
        "logo.png: holds no text to search and was left out",
        "one_line.txt line 1: is longer than 1,000,000 bytes and was split into several lines",
    )
    assert not (tmp_path / "t" / "corpus" / "logo.png").exists()


def test_an_image_in_the_corpus_of_a_finished_task_is_a_note(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.md").write_text("text")
    made(tmp_path, "chat_parts.jsonl", corpus=tmp_path / "docs")
    (tmp_path / "t" / "corpus" / "b.png").write_bytes(b"\x89PNG\x00")
    assert load_folder(tmp_path / "t").notes == ("b.png: holds no text to search and was left out",)


def test_a_page_is_cut_at_its_headings_and_its_markup_is_gone(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text(
        "<!doctype html><html><head><title>T &amp; x</title><style>p {}</style></head><body>"
        "Intro <b>bo</b>ld<ul><li>one<li>two</ul><script>alert('<p>no')</script>"
        "<h2>Fees &euro;</h2><table><tr><td>a</td><td>b</td></tr></table>"
        "<pre># no\n  heading</pre><p>x<br>y</p></body></html>"
    )
    problems = Problems("", "")
    intro, fees = read_corpus(tmp_path, problems)
    assert (intro.id, intro.title, intro.text) == ("a", "T & x", "Intro bold\n- one\n- two")
    assert (fees.id, fees.title) == ("a#fees", "T & x: Fees €")
    assert fees.text == "a b\n# no\n  heading\nx\ny"
    assert not problems


def test_a_document_that_needs_converting_is_left_out_with_what_to_do(tmp_path: Path) -> None:
    for name in ("a.pdf", "b.docx", "c.xyz"):
        (tmp_path / name).write_bytes(b"%PDF")
    (tmp_path / "d.md").write_text("text")
    problems = Problems("", "")
    assert [passage.id for passage in read_corpus(tmp_path, problems)] == ["d"]
    assert not problems
    pdf, docx, other = problems.notes()
    assert pdf.startswith("a.pdf: cannot be read as a document and was left out; convert it to")
    assert "pdftotext" in pdf
    assert "pandoc" in docx
    assert other.endswith("convert it to one of: .md, .markdown, .txt, .html, .htm, .xhtml, .jsonl")
    missing = Problems("", "")
    read_corpus(tmp_path / "gone", missing)
    assert "is no folder, and so holds no passage" in missing.text()


def test_documents_of_one_name_in_several_folders_are_told_apart(tmp_path: Path) -> None:
    for folder in ("north", "south"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "hours.md").write_bytes(
            b"Open until 6\n" if folder == "north" else b"\xe9"
        )
    problems = Problems("", "")
    read_corpus(tmp_path, problems)
    assert "south/hours.md line 1: is not UTF-8" in problems.text()


def test_half_a_character_in_a_corpus_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"id": "a", "text": "x"}\n{"id": "b", "text": "\\ud83d"}\n')
    problems = Problems("", "")
    read_corpus(tmp_path, problems)
    assert r"a.jsonl line 2: holds '\ud83d', half of a character" in problems.text()


@pytest.mark.parametrize(
    ("row", "wanted"),
    [
        ({"input": ["a"], "output": "x"}, '"input" holds a list; expected a text'),
        ({"input": "a", "outputs": ["x", ["y"]]}, '"outputs" holds a list; expected a text'),
        ({"input": {"a": 1}, "output": "x"}, '"input" holds an object; expected a text'),
    ],
)
def test_a_value_that_is_no_text_is_told_in_plain_words(
    tmp_path: Path, row: dict[str, object], wanted: str
) -> None:
    lines = refused(tmp_path, jsonl(tmp_path, row, row)).splitlines()
    assert lines[1] == f"  a.jsonl lines 1, 2: {wanted}"


def test_numbers_and_truth_values_may_be_inputs_and_choices(tmp_path: Path) -> None:
    rows = [{"input": n, "output": n % 2, "choices": [0, 1]} for n in range(20)]
    found = made(tmp_path, jsonl(tmp_path, *rows))
    assert items(found)["3"].output == "1"
    assert items(found)["3"].choices == ("0", "1")


def test_labels_that_yaml_reads_as_something_else_are_told(tmp_path: Path) -> None:
    made(tmp_path, "bool_labels.jsonl")
    spec = tmp_path / "t" / "task.yaml"
    spec.write_text(spec.read_text().replace("'false'", "no"))
    with pytest.raises(DataError, match=r"labels\.0: .*; write it in quotes"):
        load_folder(tmp_path / "t")
