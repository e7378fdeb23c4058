"""Files as other tools write them, through ``advisor init`` and back from the folder it makes."""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError
from pydantic_core._pydantic_core import list_all_errors
from typer.testing import CliRunner

from advisor.cli.app import app
from advisor.limited_files import yaml_line
from advisor.wording import plain_errors
from benchmarks.tasks.corpus import read_corpus, split_html
from benchmarks.tasks.loading import load_folder
from benchmarks.tasks.metrics import METRICS, field_f1
from benchmarks.tasks.problems import Problems
from benchmarks.tasks.scaffold import guess_kind
from benchmarks.tasks.task import SPLITS, Item, Kind, Task
from strategies.errors import DataError

CASES = Path(__file__).parent.parent / "cases"
COUNT = 30
ROWS = [{"text": f"mail {n}", "label": f"q{n % 3}"} for n in range(COUNT)]
LABELLED = {f"mail {n}": (f"q{n % 3}",) for n in range(COUNT)}
ANSWERED = {f"q {n}": (f"a {n}",) for n in range(COUNT)}
CSV = "text,label\n" + "".join(f"{row['text']},{row['label']}\n" for row in ROWS)


def init(tmp_path: Path, file: Path, *options: str) -> tuple[Task, str]:
    """The task that `advisor init` makes of a file, as it loads, and what the command printed."""
    folder = tmp_path / "made"
    done = CliRunner().invoke(app, ["init", str(folder), "--from", str(file), *options])
    if done.exception is not None:
        raise done.exception
    return load_folder(folder), done.output


def pairs(task: Task) -> dict[str, tuple[str, ...]]:
    return {item.input: item.outputs for split in SPLITS for item in getattr(task, split)}


def written(tmp_path: Path, name: str, content: str | bytes) -> Path:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def json_lines(rows: Sequence[object]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def user(n: int) -> dict[str, Any]:
    return {"role": "user", "content": f"q {n}"}


def assistant(n: int) -> dict[str, Any]:
    return {"role": "assistant", "content": f"a {n}"}


def part(text: str) -> list[dict[str, str]]:
    return [{"type": "text", "text": text}]


# --- the cases, through the command -------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "options", "count", "one", "answer"),
    [
        ("alpaca.json", (), 22, "Give the plural.\n\nword 1", "out 1"),
        ("blank_rows.csv", (), 30, "mail 4", "q1"),
        ("bool_labels.jsonl", (), None, "note 1", "false"),
        ("chat_parts.jsonl", (), 30, "question 2", "answer 2"),
        ("chat_weight_zero.jsonl", (), 24, "q 1", "a 1"),
        ("cr_only.csv", (), 30, "mail 29", "q2"),
        ("semicolon_quoted_header.csv", (), 30, "mail 5, second part", "q2"),
        ("sharegpt.json", (), 30, "question 3", "answer 3"),
        ("trailing_columns.csv", (), 30, "mail 6", "q0"),
    ],
)
def test_a_case_comes_back_from_the_folder_that_init_makes(
    tmp_path: Path, name: str, options: tuple[str, ...], count: int | None, one: str, answer: str
) -> None:
    task, _ = init(tmp_path, CASES / name, *options)
    found = pairs(task)
    assert found[one] == (answer,)
    assert count is None or len(found) == count


@pytest.mark.parametrize("name", ["chat_tools.jsonl", "nan_label.jsonl", "surrogate.jsonl"])
def test_a_case_that_is_refused_writes_nothing_and_names_its_lines(
    tmp_path: Path, name: str
) -> None:
    with pytest.raises(DataError, match=rf"{name} lines? \d+"):
        init(tmp_path, CASES / name)
    assert not (tmp_path / "made").exists()


# --- one table, as tools write it ---------------------------------------------------------------

BY_COLUMN = {name: {str(n): row[name] for n, row in enumerate(ROWS)} for name in ROWS[0]}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        # pandas: to_json() with each orient, to_csv() with its index, to_csv(encoding="utf-16").
        ("columns.json", json.dumps(BY_COLUMN)),
        ("index.json", json.dumps({str(n): row for n, row in enumerate(ROWS)})),
        (
            "split.json",
            json.dumps(
                {
                    "columns": ["text", "label"],
                    "index": list(range(COUNT)),
                    "data": [list(row.values()) for row in ROWS],
                }
            ),
        ),
        ("table.json", json.dumps({"schema": {"fields": []}, "data": ROWS})),
        ("index.csv", ",text,label\n" + "".join(f"{n},mail {n},q{n % 3}\n" for n in range(COUNT))),
        ("utf16.csv", CSV.encode("utf-16")),
        ("be.csv", b"\xfe\xff" + CSV.encode("utf-16-be")),
        ("no_mark_le.csv", CSV.encode("utf-16-le")),
        ("no_mark_be.csv", CSV.encode("utf-16-be")),
        # Hugging Face's to_dict().
        ("dict.json", json.dumps({name: [row[name] for row in ROWS] for name in ROWS[0]})),
        # jq without -c, and json.dumps(indent=4) one after the other.
        ("jq.jsonl", "".join(json.dumps(row, indent=2) + "\n" for row in ROWS)),
        ("jq.json", "".join(json.dumps({**row, "m": [{"a": 1}]}, indent=4) + "\n" for row in ROWS)),
        ("pretty.json", json.dumps({"data": ROWS}, indent=2)),
        ("blank_lines.jsonl", json_lines(ROWS).replace("\n", "\n\n")),
        ("packed.jsonl.gz", gzip.compress(json_lines(ROWS).encode(), mtime=0)),
        ("packed.json.gz", gzip.compress(json.dumps(ROWS).encode(), mtime=0)),
        ("packed.csv.gz", gzip.compress(CSV.encode(), mtime=0)),
        ("packed.tsv.gz", gzip.compress(CSV.replace(",", "\t").encode(), mtime=0)),
        # Google Sheets with empty rows below; R's write.csv; Excel in German.
        ("sheets.csv", CSV.replace("\n", "\r\n") + ",\r\n" * 4),
        ("r.csv", '"","text","label"\n' + "".join(f'"1","mail {n}",q{n % 3}\n' for n in range(30))),
        (
            "excel_de.csv",
            "text;Betrag;label\r\n" + "".join(f"mail {n};{n},5;q{n % 3}\r\n" for n in range(COUNT)),
        ),
        ("spaced.jsonl", json_lines([{"Text ": r["text"], "LABEL": r["label"]} for r in ROWS])),
        # doccano
        (
            "doccano.jsonl",
            json_lines([{"id": 1, "text": r["text"], "label": [r["label"]]} for r in ROWS]),
        ),
    ],
)  # fmt: skip
def test_a_table_is_read_as_other_tools_write_it(
    tmp_path: Path, name: str, content: str | bytes
) -> None:
    task, _ = init(tmp_path, written(tmp_path, name, content))
    assert pairs(task) == LABELLED
    assert task.labels == ("q0", "q1", "q2")


def test_a_comma_in_a_name_that_excel_leaves_unquoted_is_no_delimiter(tmp_path: Path) -> None:
    rows = "".join(f"Mail {n}, bitte;q{n % 3}\n" for n in range(COUNT))
    task, _ = init(tmp_path, written(tmp_path, "a.csv", "Text, wie gesendet;Label\n" + rows))
    assert pairs(task) == {f"Mail {n}, bitte": (f"q{n % 3}",) for n in range(COUNT)}


def test_quotation_marks_in_a_table_with_tabs_may_be_text(tmp_path: Path) -> None:
    rows = "".join(f'"hi" he said {n}\tq{n % 3}\n' for n in range(COUNT))
    task, told = init(tmp_path, written(tmp_path, "a.tsv", "text\tlabel\n" + rows))
    assert pairs(task) == {f'"hi" he said {n}': (f"q{n % 3}",) for n in range(COUNT)}
    assert "its quotation marks do not enclose cells and were read as text" in told


@pytest.mark.parametrize(
    ("file", "given"),
    [
        (
            {"data": {"text": "?"}, "annotations": [{"result": [{"value": {"choices": ["!"]}}]}]},
            ("data.text", "annotations.0.result.0.value.choices.0"),
        ),
        (
            {"fields": {"text": "?"}, "responses": {"label": [{"value": "!"}]}},
            ("fields.text", "responses.label.0.value"),
        ),
    ],
    ids=["Label Studio", "Argilla"],
)  # fmt: skip
def test_a_field_within_fields_is_offered_and_can_be_named(
    tmp_path: Path, file: dict[str, Any], given: tuple[str, str]
) -> None:
    form = json.dumps(file)
    rows = [form.replace("?", row["text"]).replace("!", row["label"]) for row in ROWS]
    path = written(tmp_path, "a.json", f"[{','.join(rows)}]")
    with pytest.raises(DataError) as caught:
        init(tmp_path, path)
    for name in given:
        assert name in str(caught.value)
    task, _ = init(tmp_path, path, "--input-column", given[0], "--output-column", given[1])
    assert pairs(task) == LABELLED


def test_a_group_that_no_object_has_is_told_even_where_there_is_another(tmp_path: Path) -> None:
    path = written(tmp_path, "a.jsonl", json_lines([{**row, "group": "x"} for row in ROWS]))
    with pytest.raises(DataError, match="has no field 'customer' for the group; found: "):
        init(tmp_path, path, "--group-column", "customer")


# --- Parquet ------------------------------------------------------------------------------------


def parquet(path: Path, columns: dict[str, Any], metadata: dict[str, str] | None = None) -> Path:
    arrow = pytest.importorskip("pyarrow")
    pytest.importorskip("pyarrow.parquet").write_table(
        arrow.table(columns).replace_schema_metadata(metadata), path
    )
    return path


def test_parquet_is_read_with_the_names_of_its_classes(tmp_path: Path) -> None:
    plain = parquet(tmp_path / "a.parquet", {k: [row[k] for row in ROWS] for k in ROWS[0]})
    assert pairs(init(tmp_path, plain)[0]) == LABELLED
    features = {"label": {"names": ["q0", "q1", "q2"], "_type": "ClassLabel"}}
    numbers = {"text": [row["text"] for row in ROWS], "label": [n % 3 for n in range(COUNT)]}
    noted = {"huggingface": json.dumps({"info": {"features": features}})}
    (tmp_path / "b").mkdir()
    named = parquet(tmp_path / "b" / "b.parquet", numbers, noted)
    assert pairs(init(tmp_path / "b", named)[0]) == LABELLED


def test_chats_in_parquet_are_read(tmp_path: Path) -> None:
    chats = [[user(n), assistant(n)] for n in range(COUNT)]
    task, _ = init(tmp_path, parquet(tmp_path / "a.parquet", {"messages": chats}))
    assert pairs(task) == ANSWERED


def test_a_parquet_that_is_broken_or_cannot_be_read_here_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = written(tmp_path, "a.parquet", b"PAR1 not really")
    pytest.importorskip("pyarrow")
    with pytest.raises(DataError, match=r"a\.parquet: is not a whole Parquet file: it broke off; "):
        init(tmp_path, broken)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(DataError, match=r"pyarrow, .*, is not installed: pip install 'adaptation-"):
        init(tmp_path, broken)


# --- chats --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "instruction"),
    [
        (lambda n: {"system": "Be brief.", "messages": [user(n), assistant(n)]}, "Be brief."),
        (
            lambda n: {
                "system": part("Be brief."),
                "messages": [user(n), {"role": "assistant", "content": part(f"a {n}")}],
            },
            "Be brief.",
        ),
        (
            lambda n: {
                "systemInstruction": {"parts": [{"text": "Be brief."}]},
                "contents": [
                    {"role": "user", "parts": [{"text": f"q {n}"}]},
                    {"role": "model", "parts": [{"text": f"a {n}"}]},
                ],
            },
            "Be brief.",
        ),
        (lambda n: {"prompt": f"q {n}", "completion": f"a {n}"}, None),
        (
            lambda n: {
                "prompt": [{"role": "system", "content": "Be brief."}, user(n)],
                "completion": [assistant(n)],
            },
            "Be brief.",
        ),
        (lambda n: {"prompt": [user(n)], "completion": f"a {n}"}, None),
        (lambda n: {"prompt": [user(n)], "chosen": [assistant(n)], "rejected": []}, None),
        (lambda n: {"chosen": [user(n), assistant(n)], "rejected": [user(n)]}, None),
        (lambda n: {"prompt": f"q {n}", "chosen": f"a {n}", "rejected": "b"}, None),
        (
            lambda n: {
                "messages": [{"role": "developer", "content": "Be brief."}, user(n), assistant(n)],
                "tools": [{"type": "function"}],
            },
            "Be brief.",
        ),
        (
            lambda n: {
                "conversations": [
                    {"from": "system", "value": "Be brief."},
                    {"from": "human", "value": f"q {n}"},
                    {"from": "gpt", "value": f"a {n}"},
                    {"from": "human", "value": "And?"},
                ]
            },
            "Be brief.",
        ),
    ],
    ids=[
        "Anthropic", "Anthropic's parts", "Gemini", "TRL texts", "TRL messages", "TRL both",
        "TRL preference", "TRL implicit prompt", "DPO texts", "OpenAI developer", "ShareGPT",
    ],
)  # fmt: skip
def test_a_chat_is_read_as_other_tools_write_it(
    tmp_path: Path, row: Any, instruction: str | None
) -> None:
    path = written(tmp_path, "a.jsonl", json_lines([row(n) for n in range(COUNT)]))
    task, _ = init(tmp_path, path)
    assert pairs(task) == ANSWERED
    assert instruction is None or task.instruction == instruction


@pytest.mark.parametrize(
    "turn",
    [
        {"role": "assistant", "content": [{"type": "tool_use", "name": "x", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "x"}]},
        {"role": "model", "parts": [{"functionCall": {"name": "x"}}]},
        {"role": "assistant", "content": None, "function_call": {"name": "x"}},
    ],
)
def test_calls_of_tools_are_refused_in_the_same_sentence_for_every_tool(
    tmp_path: Path, turn: dict[str, Any]
) -> None:
    field = "contents" if "parts" in turn else "messages"
    path = written(tmp_path, "a.jsonl", json_lines([{field: [user(1), turn, assistant(1)]}]))
    with pytest.raises(DataError, match=r"a\.jsonl line 1: the chat calls tools, and only answers"):
        init(tmp_path, path)


def test_what_follows_the_last_answer_is_left_out_with_a_note(tmp_path: Path) -> None:
    rows = [{"messages": [user(n), assistant(n), user(n)]} for n in range(COUNT)]
    _, told = init(tmp_path, written(tmp_path, "a.jsonl", json_lines(rows)))
    assert "what was said after the last answer was left out" in told


# --- answers ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("output", "wanted"),
    [
        ({"who": "Zoë", "items": [1, None]}, '{"who": "Zoë", "items": [1, null]}'),
        ([{"who": "Zoë"}, {"who": "Al"}], '[{"who": "Zoë"}, {"who": "Al"}]'),
        ([[0, 4, "PERSON"]], '[[0, 4, "PERSON"]]'),
    ],
)
def test_objects_and_lists_are_answers_of_extraction(
    tmp_path: Path, output: object, wanted: str
) -> None:
    rows = [{"text": f"mail {n}", "label": output} for n in range(COUNT)]
    task, _ = init(tmp_path, written(tmp_path, "a.jsonl", json_lines(rows)))
    assert task.kind == "extraction"
    assert set(pairs(task).values()) == {(wanted,)}
    assert ("list" in task.instruction) == isinstance(output, list)
    assert METRICS["json_validity"].item(task, task.test[0], wanted) == 1
    assert field_f1(wanted, wanted) == 1


def test_several_labels_a_line_are_kept_as_lists(tmp_path: Path) -> None:
    rows = [{"text": f"mail {n}", "label": ["a", "b"] if n % 2 else ["a"]} for n in range(COUNT)]
    task, _ = init(tmp_path, written(tmp_path, "a.jsonl", json_lines(rows)))
    assert task.kind == "extraction"
    assert pairs(task)["mail 3"] == ('["a", "b"]',)
    # One of two labels found and nothing else: precision 1, recall 1/2, F1 2/3.
    assert field_f1('["a"]', '["b", "a"]') == pytest.approx(2 / 3)
    assert field_f1('{"a": 1}', '["a"]') == 0


def test_squads_answers_and_contexts_reach_the_model(tmp_path: Path) -> None:
    rows = [
        {
            "question": f"Who {n}?",
            "context": f"Al or Bo {n}.",
            "answers": {"text": [f"Al {n}", "Al"][: n % 2 + 1], "answer_start": [0]},
        }
        for n in range(COUNT)
    ]
    task, told = init(tmp_path, written(tmp_path, "a.jsonl", json_lines(rows)))
    assert pairs(task)["Who 3?\n\nAl or Bo 3."] == ("Al 3", "Al")
    assert "the context of a line was put behind its question" in told


@pytest.mark.parametrize("answer", [lambda n: n % 4, lambda n: "ABCD"[n % 4]])
def test_an_answer_may_be_the_place_or_the_letter_of_a_choice(tmp_path: Path, answer: Any) -> None:
    rows = [
        {"question": f"q {n}?", "choices": ["w", "x", "y", "z"], "answer": answer(n)}
        for n in range(COUNT)
    ]
    task, told = init(tmp_path, written(tmp_path, "a.jsonl", json_lines(rows)))
    assert (task.kind, pairs(task)["q 6?"]) == ("multiple-choice", ("y",))
    assert "every answer was taken as a choice's" in told


@pytest.mark.parametrize(
    ("rows", "kind"),
    [
        ([("she go to school by bus", "She goes to school by bus.")] * 9, "rewriting"),
        ([("雨が降って、中止になったです。", "雨が降って、中止になりました。")] * 9, "rewriting"),
        ([("Who wrote the first report?", "a clerk of the court")] * 9, "qa"),
        ([("The report by a clerk was long. " * 9 + "Who wrote?", "a clerk of it")] * 9, "qa"),
        ([("she go to school by bus", "elle va à l'école en bus")] * 9, "qa"),
        ([("hello anna", "Hello, Anna.")] * 9, "rewriting"),
        ([("the red books", "the red book")] * 9, "rewriting"),
        ([("Smith, Anna", "Anna Smith")] * 9, "rewriting"),
        ([("Who wrote the first report?", "Al wrote the first report.")] * 9, "qa"),
        ([("誰が最初の書類を書きましたか？", "林が最初の書類を書きました。")] * 9, "generation"),
        ([("who wrote first report?", "Who wrote the first report?")] * 9, "rewriting"),
        ([("Rome is big. Where is Anna, in Rome?", "in Rome")] * 9, "qa"),
        ([("teh", "the")] * 9, "qa"),
    ],
)  # fmt: skip
def test_an_answer_that_shares_most_of_its_text_with_the_input_rewrites_it(
    rows: list[tuple[str, str]], kind: Kind
) -> None:
    assert guess_kind([output for _, output in rows], [text for text, _ in rows]) == kind


def test_a_short_text_that_was_rewritten_is_not_measured_by_sequences_of_four_words(
    tmp_path: Path,
) -> None:
    names = [f"{first} {last}" for first in ("Anna", "Ben", "Carl") for last in "defghijklm"]
    rows = [{"input": f"hello {name}", "output": f"Hello, {name}!"} for name in names]
    task, _ = init(tmp_path, written(tmp_path, "a.jsonl", json_lines(rows)))
    assert (task.kind, task.metric, task.metrics) == ("rewriting", "rouge_l", ("exact_match",))


def test_an_empty_list_says_that_there_is_nothing_to_extract(tmp_path: Path) -> None:
    rows = [{"text": f"mail {n}", "output": ["a"] if n % 3 else []} for n in range(COUNT)]
    task, _ = init(tmp_path, written(tmp_path, "a.jsonl", json_lines(rows)))
    assert (task.kind, pairs(task)["mail 3"]) == ("extraction", ("[]",))
    assert field_f1("[]", "[]") == 1
    assert field_f1('["a"]', "[]") == 0


def test_answers_that_cannot_be_compared_by_field_are_refused_with_their_lines(
    tmp_path: Path,
) -> None:
    with pytest.raises(
        DataError, match=r"a\.csv lines 2, 3, 4, .* an answer is neither a JSON obj"
    ):
        init(tmp_path, written(tmp_path, "a.csv", CSV), "--kind", "extraction")


def test_one_answer_that_is_no_object_is_the_one_that_is_told(tmp_path: Path) -> None:
    rows = [{"text": f"mail {n}", "output": {"a": n} if n != 4 else "none"} for n in range(COUNT)]
    text = refused(tmp_path, "a.jsonl", json_lines(rows))
    assert "a.jsonl line 5: an answer is neither a JSON object nor a JSON list, and metric" in text
    assert ": 1 problem." in text


def test_one_label_that_is_a_list_is_the_one_that_is_told(tmp_path: Path) -> None:
    rows = [{"text": f"mail {n}", "label": "ab"[n % 2] if n != 4 else ["a", "b"]} for n in range(9)]
    text = refused(tmp_path, "a.jsonl", json_lines(rows))
    assert 'a.jsonl line 5: "label" holds a list; expected a text' in text


# --- messages in the words of the file ----------------------------------------------------------


def refused(tmp_path: Path, name: str, content: str | bytes, *options: str) -> str:
    with pytest.raises(DataError) as caught:
        init(tmp_path, written(tmp_path, name, content), *options)
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "wanted"),
    [
        (
            "a.csv",
            CSV + "x,\n",
            'line 32: "label" is missing or empty; every line needs "text" and',
        ),
        ("a.csv", CSV + ",q1\n", 'line 32: "text" is missing or empty'),
        ("a.jsonl", json_lines([*ROWS, {"text": {}, "label": "a"}]), '"text" holds an object'),
        (
            "a.jsonl",
            json_lines([*ROWS, {"text": "a", "label": None}]),
            '"label" is missing or empty',
        ),
    ],
)
def test_a_field_is_called_as_the_file_calls_it(
    tmp_path: Path, name: str, content: str, wanted: str
) -> None:
    text = refused(tmp_path, name, content)
    assert wanted in text
    assert '"input"' not in text
    assert '"output"' not in text
    # Every column was found, so their options are no help.
    assert "--input-column" not in text


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        (
            [user(1), {"role": "assistant", "content": " "}],
            "the assistant's answer is empty; write",
        ),
        ([{"role": "user", "content": ""}, assistant(1)], "the user's message is empty; write it"),
        (
            [user(1), {"role": "assistant", "content": "\ud83d"}],
            "a message holds '\\ud83d', half of",
        ),
        ([user(1)], "has no answer of the assistant to a message of the user; write one, or leave"),
    ],
)
def test_a_chat_that_lacks_something_is_told_as_a_chat(
    tmp_path: Path, said: list[dict[str, Any]], wanted: str
) -> None:
    chats = [{"messages": [user(n), assistant(n)]} for n in range(COUNT)]
    text = refused(tmp_path, "a.jsonl", json_lines([*chats, {"messages": said}]))
    assert "a.jsonl line 31: " in text
    assert wanted in text
    assert '"output"' not in text


def test_roles_may_be_written_with_capitals(tmp_path: Path) -> None:
    rows = [
        {"messages": [user(n) | {"role": "User"}, assistant(n) | {"role": " ASSISTANT"}]}
        for n in range(COUNT)
    ]
    task, _ = init(tmp_path, written(tmp_path, "a.jsonl", json_lines(rows)))
    assert pairs(task) == ANSWERED


def test_columns_without_a_usual_name_are_listed_as_the_file_has_them(tmp_path: Path) -> None:
    rows = "".join(f"mail {n};q{n % 3};1,5;;\n" for n in range(COUNT))
    text = refused(tmp_path, "a.csv", '"Text, kurz";Bereich;Betrag;;\n' + rows)
    assert (
        "a.csv line 1: has no column with a usual name for the input (such as text) and the output "
        "(such as label); found: 'Text, kurz', Bereich, Betrag\n"
    ) in text
    assert "--input-column" in text
    named = ("--input-column", "Text, kurz", "--output-column", "Bereich")
    task, _ = init(tmp_path, tmp_path / "a.csv", *named)
    assert pairs(task) == LABELLED


def test_a_header_in_another_encoding_is_not_replaced_by_the_next_row(tmp_path: Path) -> None:
    text = refused(tmp_path, "a.csv", ("größe,label\n" + CSV + "für,q1\n").encode("cp1252"))
    assert "a.csv lines 1, 33: is not UTF-8 (byte 0xf6), which is 'ö' in Windows-1252" in text
    assert "1 problem" not in text
    assert "no column" not in text


def test_everything_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    rows = json_lines(ROWS).splitlines()
    rows[2], rows[4], rows[6] = '{"text": "a', '{"text": "\\ud83d", "label": "b"}', "[]"
    text = refused(tmp_path, "a.jsonl", "\n".join(rows))
    assert "a.jsonl line 3: is not JSON: at column 10, a text that begins here does not end" in text
    assert "a.jsonl line 5: \"text\" holds '\\ud83d', half of a character" in text
    assert "a.jsonl line 7: is not a JSON object" in text


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        (
            "{'text': 'a'}",
            "at column 2, a field's name in double quotation marks has to stand here",
        ),
        ('{"text": a}', "at column 10, a value is missing, or is not in the form of JSON"),
        ('{"text" "a"}', "at column 9, a colon is missing after a field's name"),
        ('{"text": "a" "b": 1}', "at column 14, a comma or a closing bracket is missing"),
        ('{"text": "a"},', "at column 14, something follows the end of the value"),
        (
            '{"text": "a\tb"}',
            "at column 12, a text holds a line break or another control character",
        ),
        (r'{"text": "C:\q"}', "at column 13, a backslash in a text has to be doubled"),
        (r'{"text": "\u12"}', r"a \u in a text needs four hexadecimal digits"),
        ("[" * 100_000, "it is nested too deeply"),
    ],
)
def test_a_line_that_is_no_json_is_told_in_plain_words(
    tmp_path: Path, line: str, wanted: str
) -> None:
    text = refused(tmp_path, "a.jsonl", json_lines(ROWS) + line + "\n")
    assert "a.jsonl line 31: is not JSON: " in text
    assert wanted in text


def test_lines_are_listed_in_their_order(tmp_path: Path) -> None:
    rows = [{"text": f"mail {n}", "label": "a", "choices": ["a"]} for n in range(12)]
    text = refused(tmp_path, "a.jsonl", json_lines(rows), "--kind", "multiple-choice")
    assert 'lines 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12: "choices" needs at least two' in text


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.json", "a.parquet"])
def test_a_pointer_of_git_lfs_is_named(tmp_path: Path, name: str) -> None:
    pytest.importorskip("pyarrow")
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"
    text = refused(tmp_path, name, pointer)
    assert f"{name}: is the pointer of Git LFS to a file and not the file itself; fetch it" in text
    assert ": 1 problem." in text


def test_a_line_that_names_the_delimiter_may_be_filled_up_with_it(tmp_path: Path) -> None:
    content = "sep=;;\r\n" + CSV.replace(",", ";").replace("\n", "\r\n")
    assert pairs(init(tmp_path, written(tmp_path, "a.csv", content))[0]) == LABELLED


def test_parquets_bytes_that_are_text_are_read_as_text(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    columns = {name: [row[name].encode() for row in ROWS] for name in ("text", "label")}
    columns["logo"] = [b"\x89PNG\xff"] * COUNT
    parquet.write_table(pyarrow.table(columns), tmp_path / "a.parquet")
    assert pairs(init(tmp_path, tmp_path / "a.parquet")[0]) == LABELLED


def test_a_passage_without_text_is_left_out_and_a_missing_one_is_told_with_names_that_exist(
    tmp_path: Path,
) -> None:
    pages = tmp_path / "pages"
    pages.mkdir()
    (pages / "a.jsonl").write_text('{"id": "fees", "text": "3 euros"}\n{"id": "no", "text": " "}\n')
    rows = [{"input": f"q {n}", "output": f"a {n}", "passages": ["fee"]} for n in range(COUNT)]
    text = refused(tmp_path, "b.jsonl", json_lines(rows), "--corpus", str(pages))
    assert "gold passage 'fee' is not in the corpus, whose passages are called 'fees'\n" in text
    assert "Note: a.jsonl line 2: the passage holds no text and was left out" in text


def test_documents_that_differ_by_their_suffix_only_are_both_read(tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    written(docs, "fees.md", "# Fees\nIntro.\n## Late\n5 euros.\n")
    written(docs, "fees.txt", "3 euros.")
    written(docs, "leave.md", "25 days.")
    written(docs, "leave.txt", " ")
    task, told = init(tmp_path, written(tmp_path, "a.csv", CSV), "--corpus", str(docs))
    assert {passage.id: passage.text for passage in task.corpus} == {
        "fees.md": "Intro.",
        "fees.md#late": "5 euros.",
        "fees.txt": "3 euros.",
        "leave": "25 days.",
    }
    assert "fees.txt: another document has this name, so its passages are called 'fees.tx" in told


def test_a_passage_id_that_is_used_twice_is_told_with_its_files(tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    written(docs, "a.jsonl", '{"id": "fees", "text": "x"}\n')
    written(docs, "b.jsonl", '{"id": "fees", "text": "y"}\n')
    text = refused(tmp_path, "c.csv", CSV, "--corpus", str(docs))
    assert "passage id 'fees' is used 2 times in a.jsonl and b.jsonl; give every passage" in text


def test_one_column_cannot_be_input_and_output(tmp_path: Path) -> None:
    named = ("--input-column", "text", "--output-column", "text")
    assert refused(tmp_path, "a.csv", CSV, *named).startswith("Column 'text' cannot be input and")


def test_an_empty_instruction_leaves_that_of_the_file(tmp_path: Path) -> None:
    chats = [
        {"messages": [{"role": "system", "content": "Be brief."}, user(n), assistant(n)]}
        for n in range(COUNT)
    ]
    file = written(tmp_path, "a.jsonl", json_lines(chats))
    task, told = init(tmp_path, file, "--instruction", "")
    assert task.instruction == "Be brief."
    assert "gives way" not in told


# --- bytes that are no text ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content", "wanted"),
    [
        (
            "a.csv",
            "text;label\nMäuse;a\nGrüße;b\nplain;c\n".encode("cp1252"),
            r"a.csv lines 2, 3: is not UTF-8 \(byte 0xe4\), which is 'ä' in Windows-1252; save",
        ),
        ("a.csv", CSV.replace("mail 7", "mail\0 7"), r"a.csv line 9: holds a NUL character"),
        ("a.jsonl", '{"text": "a\0", "label": "b"}\n', r"a.jsonl line 1: holds a NUL character"),
        ("a.jsonl", r'{"text": "a\u0000", "label": "b"}', 'line 1: "text" holds a NUL character'),
        ("a.csv", b"PK\x03\x04\x14\0\x06\0", "not a text file but a ZIP archive, or a spreadsheet"),
        ("a.jsonl", b"%PDF-1.7\n%\xe2\xe3\n", "not a text file but a PDF document"),
        ("a.csv.gz", b"text,label\n", "a.csv.gz: cannot be unpacked; pack it again"),
        ("a.csv.gz", gzip.compress(CSV.encode(), mtime=0)[:60], "a.csv.gz: cannot be unpacked"),
        ("a.csv", 'text,label\n"say \\"hi\\"",b\n', r"line 2: is not CSV: a quotation mark inside"),
        ("a.csv", 'text,label\nx,y\n"open,b\n', r"line 3: is not CSV: a quoted cell that begins"),
        ("a.csv", "text,label,label\n", "line 1: a column name is used twice: 'label'"),
        (
            "a.csv",
            "text,label\na,b\nc\n",
            "a.csv line 3: has 1 column, the header has 2; fill it up",
        ),
        ("a.jsonl", '{\n "text": "a"\n}\n{\n "text" "b"\n}\n', "line 4: begins an object that is"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_line_and_what_to_do(
    tmp_path: Path, name: str, content: str | bytes, wanted: str
) -> None:
    with pytest.raises(DataError, match=wanted):
        init(tmp_path, written(tmp_path, name, content))


def test_a_packed_file_that_unpacks_to_too_much_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.tasks.lines.WHOLE_LIMIT_BYTES", 10_000)
    packed = gzip.compress(("text,label\n" + "mail,q\n" * 10_000).encode(), mtime=0)
    with pytest.raises(DataError, match=r"a\.csv\.gz: is larger than"):
        init(tmp_path, written(tmp_path, "a.csv.gz", packed))


# --- documents ----------------------------------------------------------------------------------


def test_documents_that_cannot_be_read_are_told_and_the_others_are_kept(tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    (docs / ".git").mkdir(parents=True)
    for name, content in {
        "good.md": "# Leave\n\n25 days.\n",
        "latin.txt": "caf\xe9".encode("latin-1"),
        "picture.txt": b"\x89PNG\r\n\x1a\n\0\0",
        "logo.png": b"\x89PNG\r\n\x1a\n\0\0",
        "empty.md": "\n",
        "bare.md": "# Only a heading\n",
        "paper.pdf": b"%PDF-1.7",
        ".DS_Store": b"\0\0\0\1Bud1",
        ".git/notes.md": "no",
    }.items():
        written(docs, name, content)
    path = written(tmp_path, "a.csv", CSV)
    task, told = init(tmp_path, path, "--corpus", str(docs))
    assert [(passage.id, passage.text) for passage in task.corpus] == [("good", "25 days.")]
    notes = [line.removeprefix("Note: ") for line in told.splitlines() if line.startswith("Note")]
    assert [note.split(":")[0] for note in notes] == [
        "bare.md", "empty.md", "latin.txt line 1", "logo.png", "paper.pdf", "picture.txt",
    ]  # fmt: skip
    assert "holds no text below its headings and was left out" in notes[0]
    assert "is empty and was left out" in notes[1]
    assert "is not UTF-8 (byte 0xe9)" in notes[2]
    assert notes[2].endswith("the file was left out")
    assert "is not a text file but an image" in notes[5]


@pytest.mark.parametrize(
    ("page", "texts"),
    [
        ("<h1>Pay<p>On the last day.<p>More", ["On the last day.\nMore"]),
        ("<h1>Pay on the last day", ["Pay on the last day"]),
        ("<h2>A</h2>a<h2>B<ul><li>b</ul><h2>C</h2>c", ["a", "- b", "c"]),
        ("<title>Pay<body><p>On the last day.", ["On the last day."]),
        ("<p>a<svg><path><p>b<p>c", ["a\nb\nc"]),
        ("<p>a<noscript>b", ["ab"]),
        ("<p>a<svg><title>icon</title></svg><template>no</template><p>b", ["a\nb"]),
    ],
)
def test_a_tag_that_is_not_closed_loses_no_text(page: str, texts: list[str]) -> None:
    assert [passage.text for passage in split_html("a", page)] == texts


def test_a_heading_may_hold_blocks_and_line_breaks(tmp_path: Path) -> None:
    (one,) = split_html("a", "<h1><div>Pay<br>day</div></h1><p>text")
    assert (one.title, one.text) == ("Pay day", "text")


def test_a_document_on_one_long_line_without_spaces_is_split(tmp_path: Path) -> None:
    written(tmp_path, "a.txt", "x" * 1_200_000)
    problems = Problems("", "")
    (passage,) = read_corpus(tmp_path, problems)
    assert max(map(len, passage.text.splitlines())) == 10_000
    assert passage.text.replace("\n", "") == "x" * 1_200_000


# --- what pydantic says, in plain words ---------------------------------------------------------

PYDANTIC_WORDS = (
    "Input should", "validation", "Extra inputs", "Field required", "Tuple", "tuple", "dictionary",
    "valid ", "instance", "pydantic", "Unable to", "_type",
)  # fmt: skip
ALL_ERRORS = [error for error in list_all_errors() if error["type"] != "custom_error"]


@pytest.mark.parametrize("error", ALL_ERRORS, ids=[error["type"] for error in ALL_ERRORS])
@pytest.mark.parametrize("value", ["", None, [], {}, 3, float("nan"), "x" * 999])
def test_every_error_that_pydantic_knows_is_told_in_plain_words(error: Any, value: object) -> None:
    detail = InitErrorDetails(type=error["type"], loc=("choices", 2), input=value)
    if "example_context" in error and error["example_context"] is not None:
        detail["ctx"] = error["example_context"]
    found = ValidationError.from_exception_data("Item", [detail])
    ((place, said),) = plain_errors(found, Item)
    assert place == ("choices", 2)
    assert said.startswith("choices.2: ")
    assert len(said) < 200
    if error["type"] not in ("value_error", "assertion_error"):
        assert not [word for word in PYDANTIC_WORDS if word in said]


def test_an_error_of_a_type_unknown_to_us_is_told_too() -> None:
    strange = PydanticCustomError("brand_new", "Input should be new")
    found = ValidationError.from_exception_data(
        "Item", [InitErrorDetails(type=strange, loc=("input",), input="x")]
    )
    assert [said for _, said in plain_errors(found, Item)] == [
        "input: is 'x', which cannot be used here"
    ]


SPEC = {
    "id": "t", "title": "T", "kind": "qa", "instruction": "Answer.", "metric": "token_f1",
}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "line", "wanted"),
    [
        ({"kind": "quiz"}, 3, "kind: is 'quiz'; allowed: 'classification', "),
        ({"metrik": 1}, 6, "metrik: is no known field; allowed: schema_version, id, "),
        ({"max_new_tokens": 0}, 6, "max_new_tokens: is 0; it has to be at least 1"),
        ({"max_new_tokens": "many"}, 6, "max_new_tokens: is 'many'; expected a whole number"),
        ({"misspell_rate": 2}, 6, "misspell_rate: is 2; it has to be at most 1"),
        ({"labels": "a"}, 6, "labels: is 'a'; expected a list"),
        ({"id": ""}, 1, "id: is empty; write something, or leave it out"),
        ({"columns": ["a"]}, 6, "columns: holds a list; expected fields with their values"),
        ({"title": 3}, 2, "title: 3 is not text; write it in quotes"),
        ({"checks": [{"name": "a", "kind": "is"}]}, 8, "checks.0.kind: is 'is'; allowed: 'cont"),
        ({"checks": [{"name": "a", "al": 1}]}, 8, "checks.0.al: is no known field; allowed: name"),
        ({"language": "Klingonese"}, 6, "language: "),
    ],
)  # fmt: skip
def test_a_wrong_description_is_told_with_its_line_and_field(
    tmp_path: Path, change: dict[str, object], line: int, wanted: str
) -> None:
    written(tmp_path, "task.yaml", yaml.safe_dump(SPEC | change, sort_keys=False))
    with pytest.raises(DataError) as caught:
        load_folder(tmp_path)
    assert f"task.yaml line {line}: {wanted}" in str(caught.value)
    assert not [word for word in PYDANTIC_WORDS if word in str(caught.value)]


def test_a_field_that_is_missing_has_no_line(tmp_path: Path) -> None:
    written(tmp_path, "task.yaml", yaml.safe_dump({"id": "t"}))
    with pytest.raises(DataError, match=r"task\.yaml: kind: is missing; write it"):
        load_folder(tmp_path)
    assert yaml_line("a: [", ("a",)) is None
    assert yaml_line("a: [1]", ("a", 3)) == 1


@pytest.mark.parametrize(
    "row",
    [
        {"input": "a", "outputs": []},
        {"input": "a", "output": "b", "choices": {"a": 1}},
        {"input": "a", "output": "b", "choices": ["b", ["c"]]},
        {"input": "a", "output": "b", "choices": ["b", None]},
        {"input": "a", "output": "b", "passages": "x"},
        {"input": "a", "output": "b", "passages": [3]},
        {"input": "a", "output": "b", "group": [1]},
        {"input": "a", "output": "b", "group": 1},
        {"input": "a", "output": "b", "id": 1.5},
        {"input": "a", "output": "b", "checks": {}},
        {"input": "a", "output": "b", "checks": [{"name": ""}]},
        {"input": "a", "output": "b", "checks": ["short"]},
        {"input": "a", "output": "b", "checks": [{"name": "c", "kind": "max_words", "limit": "x"}]},
    ],
)
def test_a_wrong_line_of_a_split_is_told_with_its_line_and_field(
    tmp_path: Path, row: dict[str, object]
) -> None:
    written(tmp_path, "task.yaml", yaml.safe_dump(SPEC))
    written(tmp_path, "test.jsonl", json_lines([{"input": "fine", "output": "x"}, row]))
    with pytest.raises(DataError, match=r"test\.jsonl line 2: ") as caught:
        load_folder(tmp_path)
    assert not [word for word in PYDANTIC_WORDS if word in str(caught.value)]


def test_a_passage_that_is_wrong_is_told_with_its_line_and_field(tmp_path: Path) -> None:
    written(tmp_path, "a.jsonl", '{"id": 1, "text": "x"}\n{"id": "b"}\n[]\n')
    problems = Problems("", "")
    read_corpus(tmp_path, problems)
    for wanted in (
        "a.jsonl line 1: id: 1 is not text",
        "a.jsonl line 2: text: is missing; write it",
        "a.jsonl line 3: content: holds a list; expected fields with their values",
    ):
        assert wanted in problems.text()


def test_test_items_in_another_kind_of_file_are_pointed_at(tmp_path: Path) -> None:
    written(tmp_path, "task.yaml", yaml.safe_dump(SPEC))
    written(tmp_path, "test.json", json.dumps(ROWS))
    with pytest.raises(DataError, match=r"test\.json has to be one of: \.jsonl, \.csv, \.tsv"):
        load_folder(tmp_path)
