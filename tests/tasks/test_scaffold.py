"""From a user's own file to a task folder, and the two commands that show tasks."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
import typer
import yaml
from typer.testing import CliRunner

from advisor.cli.init import init
from advisor.cli.tasks import tasks
from advisor.errors import AdvisorError
from benchmarks.tasks.catalogue import load_task
from benchmarks.tasks.loading import load_folder
from benchmarks.tasks.scaffold import Source, guess_kind, scaffold, usual_columns
from benchmarks.tasks.task import SPLITS
from strategies.errors import DataError

COLUMNS = {"input": "text", "output": "label"}


def labelled_csv(path: Path, count: int = 200) -> Path:
    labels = ("billing", "access", "stock", "other")
    rows = [f'"ticket {n}, my order went missing",{labels[n % 4]},x\n' for n in range(count)]
    path.write_text("text,label,agent\n" + "".join(rows))
    return path


def test_a_csv_becomes_a_classification_of_60_10_and_30_percent(tmp_path: Path) -> None:
    made = scaffold(tmp_path / "t", Source(labelled_csv(tmp_path / "a.csv"), COLUMNS))
    task = load_folder(tmp_path / "t")
    assert made.guessed
    assert made.task == task
    assert (len(task.train), len(task.validation), len(task.test)) == (120, 20, 60)
    assert task.kind == "classification"
    assert task.labels == ("access", "billing", "other", "stock")
    assert all(label in task.instruction for label in task.labels)
    assert task.answers == {
        "task_kind": "classification",
        "labelled_examples": 140,
        "eval_items": 60,
        "behaviour": ["label_set"],
        "classes": 4,
    }
    for label in task.labels:
        assert sum(item.output == label for item in task.test) == 15


def test_the_same_file_gives_the_same_bytes(tmp_path: Path) -> None:
    source = Source(labelled_csv(tmp_path / "a.csv"), COLUMNS)
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    scaffold(tmp_path / "one" / "t", source)
    scaffold(tmp_path / "two" / "t", source)
    for name in ("task.yaml", "train.jsonl", "validation.jsonl", "test.jsonl"):
        first, second = (tmp_path / place / "t" / name for place in ("one", "two"))
        assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize(
    ("outputs", "kind"),
    [
        (["yes", "no"] * 10, "classification"),
        ([f"answer {n}" for n in range(20)], "qa"),
        ([json.dumps({"n": n}) for n in range(20)], "extraction"),
        ([f"Dear customer {n}, thank you for your kind letter." for n in range(20)], "generation"),
        (["same"] * 20, "qa"),
    ],
)
def test_the_kind_is_guessed_from_the_answers(outputs: list[str], kind: str) -> None:
    assert guess_kind(outputs) == kind


def test_chats_bring_their_system_message_as_instruction_and_a_corpus_is_copied(
    tmp_path: Path,
) -> None:
    chats = [
        {
            "messages": [
                {"role": "system", "content": "Answer from the handbook."},
                {"role": "user", "content": f"How many days for case {n}?"},
                {"role": "assistant", "content": f"{n} days"},
            ]
        }
        for n in range(20)
    ]
    source = tmp_path / "chats.jsonl"
    source.write_text("".join(json.dumps(chat) + "\n" for chat in chats))
    corpus = tmp_path / "handbook"
    corpus.mkdir()
    (corpus / "leave.md").write_text("# Leave\n\n## Annual\n\n25 days.\n")
    made = scaffold(tmp_path / "t", Source(source, corpus=corpus))
    assert made.task.instruction == "Answer from the handbook."
    assert made.task.kind == "qa"
    assert [passage.id for passage in made.task.corpus] == ["leave#annual"]
    assert made.task.answers["knowledge"] == "static"


def test_repeated_and_contradicting_lines_are_left_out_and_told(tmp_path: Path) -> None:
    source = labelled_csv(tmp_path / "a.csv")
    with source.open("a") as stream:
        stream.write('"TICKET 0, my order went missing!",billing,x\n')
        stream.write('"ticket 1, my order went missing",stock,x\n')
    made = scaffold(tmp_path / "t", Source(source, COLUMNS))
    # Line 2 is ticket 0 and line 3 is ticket 1; 202 lines less one repeat and two that differ.
    assert sum(len(getattr(made.task, s)) for s in ("train", "validation", "test")) == 199
    assert made.notes == (
        "fields that are not used: agent",
        "1 line repeats another line and was left out: 202",
        "2 lines have the input of another line and a different answer and were left out: 3, 203",
    )


@pytest.mark.parametrize(
    ("content", "wanted"),
    [
        ("text,label\n", "holds no labelled line"),
        ("", "a.csv: is empty; the first line has to name the columns"),
        ("\n\n", "a.csv: is empty; the first line has to name the columns"),
        ("text,label\na,b\n", "holds 1 labelled line that can be used; at least 10 different"),
        ("a,b\nx,y\n", "has no column 'text', 'label'; found: a, b"),
        ("text,label\n" + "x,\n" * 3, 'lines 2, 3, 4: "label" is missing'),
    ],
)
def test_bad_input_is_told_and_nothing_is_written(
    tmp_path: Path, content: str, wanted: str
) -> None:
    source = tmp_path / "a.csv"
    source.write_text(content)
    with pytest.raises(DataError) as caught:
        scaffold(tmp_path / "t", Source(source, COLUMNS))
    assert wanted in str(caught.value)
    assert "Nothing was written" in str(caught.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.csv"]


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    source = labelled_csv(tmp_path / "a.csv")
    with pytest.raises(DataError, match="is not empty"):
        scaffold(tmp_path, Source(source, COLUMNS))
    (tmp_path / "empty").mkdir()
    assert scaffold(tmp_path / "empty", Source(source, COLUMNS)).task.title == "empty"


def test_one_label_is_no_classification(tmp_path: Path) -> None:
    source = tmp_path / "a.csv"
    source.write_text("text,label\n" + "".join(f"line {n},same\n" for n in range(20)))
    with pytest.raises(DataError, match="two labels or more"):
        scaffold(tmp_path / "t", Source(source, COLUMNS, kind="classification"))
    assert not (tmp_path / "t").exists()


# --- commands --------------------------------------------------------------------------------


@pytest.fixture
def app() -> typer.Typer:
    made = typer.Typer()
    made.command("init")(init)
    made.command("tasks")(tasks)
    return made


def test_init_says_what_it_made_and_what_comes_next(app: typer.Typer, tmp_path: Path) -> None:
    source = labelled_csv(tmp_path / "a.csv")
    folder = tmp_path / "t"
    options = ["--input-column", "text", "--output-column", "label"]
    result = CliRunner().invoke(app, ["init", str(folder), "--from", str(source), *options])
    assert result.exit_code == 0, result.output
    assert "classification (guessed" in result.output
    assert "120 train, 20 validation, 60 test" in result.output
    assert f"advisor bench {folder}" in result.output
    written = yaml.safe_load((folder / "task.yaml").read_text())
    assert written["kind"] == "classification"
    shown = CliRunner().invoke(app, ["tasks", str(folder), "--json"])
    assert json.loads(shown.output)["test"] == 60


def test_init_refuses_a_kind_that_it_does_not_know(app: typer.Typer, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["init", str(tmp_path / "t"), "--from", "x", "--kind", "sql"])
    assert result.exit_code == 2
    assert "'sql' is none of: classification," in result.output


def test_tasks_lists_bundled_tasks_and_recipes(app: typer.Typer, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["tasks", "--data-dir", str(tmp_path), "--json"])
    rows = {row["id"]: row for row in json.loads(result.output)}
    assert rows["squad-v2"]["data"] == "no"
    assert {row["from"] for row in rows.values()} == {"bundled", "recipe"}
    plain = CliRunner().invoke(app, ["tasks"]).output.splitlines()
    assert plain[0].split("\t")[:3] == ["id", "kind", "metric"]
    assert CliRunner().invoke(app, ["tasks", "--quiet"]).output.splitlines() == list(rows)


@pytest.mark.parametrize(
    ("named", "taken"), [("banking77", "./banking77"), ("my task", "'my task'")]
)
def test_init_prints_a_command_that_runs_the_folder_it_made(
    app: typer.Typer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: str, taken: str
) -> None:
    monkeypatch.chdir(tmp_path)
    source = labelled_csv(tmp_path / "a.csv")
    result = CliRunner().invoke(app, ["init", named, "--from", str(source)])
    assert result.output.rstrip().endswith(f"advisor bench {taken}")
    (argument,) = shlex.split(taken)
    assert load_task(argument).source == "a.csv"


@pytest.mark.parametrize(
    ("folder", "why"),
    [("/proc/x/t", "No such file or directory"), ("a.csv/t", "a file stands in its way")],
)
def test_a_folder_that_cannot_be_made_is_one_clear_error(
    app: typer.Typer, tmp_path: Path, folder: str, why: str
) -> None:
    source = labelled_csv(tmp_path / "a.csv")
    error = CliRunner().invoke(app, ["init", str(tmp_path / folder), "--from", str(source)])
    assert isinstance(error.exception, AdvisorError)
    assert f"{folder} cannot be written: {why}. Name a place" in str(error.exception)


def test_init_keeps_the_lines_of_a_group_together(app: typer.Typer, tmp_path: Path) -> None:
    source = grouped_csv(tmp_path / "a.csv", groups=20)
    options = ["--from", str(source), "--group-column", "customer", "--quiet"]
    result = CliRunner().invoke(app, ["init", str(tmp_path / "t"), *options])
    assert result.output.split() == [str(tmp_path / "t")]
    task = load_folder(tmp_path / "t")
    places: dict[str | None, set[str]] = {}
    for split in SPLITS:
        for item in getattr(task, split):
            places.setdefault(item.group, set()).add(split)
    assert len(places) == 20
    assert all(len(where) == 1 for where in places.values())
    assert task.answers["eval_items"] == len(task.test)
    assert task.answers["labelled_examples"] == len(task.train) + len(task.validation)


# --- what a file may look like ------------------------------------------------------------------


def grouped_csv(path: Path, groups: int, column: str = "customer") -> Path:
    rows = [f"ticket {n},{'yes' if n % 3 else 'no'},c{n % groups}\n" for n in range(100)]
    path.write_text(f"text,label,{column}\n" + "".join(rows))
    return path


@pytest.mark.parametrize(
    ("names", "named", "found"),
    [
        ("id,text,label", {}, ("text", "label")),
        ("Text,LABEL", {}, ("Text", "LABEL")),
        ("prompt,completion,category", {}, ("prompt", "completion")),
        ("instruction,context,response,category", {}, ("instruction", "response")),
        ("body,class", {}, ("body", "class")),
        ("note,label,text", {"input": "note"}, ("note", "label")),
        ("text,queue", {"output": "queue"}, ("text", "queue")),
        ("text,question", {"output": "text"}, ("question", "text")),
        ("question,outputs,category", {}, ("question", None)),
        ("a,b", {}, (None, None)),
    ],
)
def test_the_usual_names_of_columns_are_found_each_on_its_own(
    names: str, named: dict[str, str], found: tuple[str | None, str | None]
) -> None:
    columns = usual_columns(names.split(","), named)
    assert (columns.get("input"), columns.get("output")) == found


@pytest.mark.parametrize(
    ("name", "head", "line", "named"),
    [
        ("s.csv", "text,label\n", "line {0},l{1}\n", {}),
        ("S.CSV", "text,label\n", "line {0},l{1}\n", {}),
        ("s.csv", "text;label\n", "line {0};l{1}\n", {}),
        ("s.csv", " text , label\n", "line {0}, l{1}\n", {}),
        ("s.tsv", "sentence\tintent\n", "line {0}\tl{1}\n", {}),
        ("s.csv", "note,text,label\n", "line {0},x,l{1}\n", {"input": "note"}),
        ("s.csv", "text,queue,label,output\n", "line {0},l{1},x,y\n", {"output": "queue"}),
        ("s.csv", "text,label,group\n", "line {0},l{1},g{1}\n", {}),
        ("s.jsonl", "", '{{"text": "line {0}", "label": "l{1}"}}\n', {}),
        ("s.jsonl", "", '{{"input": "line {0}", "output": "", "q": "l{1}"}}\n', {"output": "q"}),
        ("s.jsonl", "", '{{"text": "line {0}", "outputs": ["l{1}"], "category": "x"}}\n', {}),
    ],
)
def test_the_columns_of_every_kind_of_file_are_found(
    tmp_path: Path, name: str, head: str, line: str, named: dict[str, str]
) -> None:
    file = tmp_path / name
    file.write_text(head + "".join(line.format(n, n % 2) for n in range(20)))
    task = scaffold(tmp_path / "t", Source(file, named)).task
    assert task.labels == ("l0", "l1")
    assert {item.input for item in task.test} <= {f"line {n}" for n in range(20)}
    assert {item.group for item in task.test} == {None}


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("x.xlsx", "allowed: .jsonl, .json, .csv, .tsv, .parquet; export the sheet as CSV\n"),
        (
            "x.txt",
            "allowed: .jsonl, .json, .csv, .tsv, .parquet; if it is a table, rename it: .csv, or",
        ),
        (
            "x.json",
            "x.json line 2: is not UTF-8 (byte 0xff), which is 'ÿ' in Windows-1252; save the file",
        ),
        (
            "sheet.csv",
            "sheet.csv: is not a text file but a ZIP archive, or a spreadsheet",
        ),
        ("gone.csv", "gone.csv: cannot be read: No such file or directory"),
        ("folder.jsonl", "folder.jsonl: cannot be read: Is a directory"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_problem(tmp_path: Path, name: str, wanted: str) -> None:
    for made in ("x.xlsx", "x.txt", "x.json"):
        (tmp_path / made).write_bytes(b"[\n\xff\n]")
    (tmp_path / "sheet.csv").write_bytes(b"PK\x03\x04\x14\x00\x06\x00\x08\x00")
    (tmp_path / "folder.jsonl").mkdir()
    with pytest.raises(DataError) as caught:
        scaffold(tmp_path / "t", Source(tmp_path / name))
    assert wanted in str(caught.value)
    assert ": 1 problem." in str(caught.value)


def test_groups_that_are_too_large_are_told_with_the_name_of_the_file(tmp_path: Path) -> None:
    source = grouped_csv(tmp_path / "a.csv", groups=2)
    with pytest.raises(DataError) as caught:
        scaffold(tmp_path / "t", Source(source, {"group": "customer"}))
    assert "a.csv: leaves no line for validation" in str(caught.value)
    assert f"Cannot make a task from {source}" in str(caught.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.csv"]


def test_a_group_column_that_is_not_there_is_named(tmp_path: Path) -> None:
    source = labelled_csv(tmp_path / "a.csv")
    with pytest.raises(DataError, match="has no column 'customer'; found: text, label, agent"):
        scaffold(tmp_path / "t", Source(source, {"group": "customer"}))


def jsonl(path: Path, **fields: object) -> Path:
    lines = [{"input": f"case {n}?", "output": f"answer {n}"} | fields for n in range(20)]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_passages_and_the_tree_of_a_corpus_are_kept_and_what_is_not_is_told_once(
    tmp_path: Path,
) -> None:
    corpus = tmp_path / "handbook"
    (corpus / "people").mkdir(parents=True)
    (corpus / "people" / "leave.md").write_text("# Leave\n\n## Annual\n\n25 days.\n")
    check = {"name": "short", "kind": "max_words", "limit": 9}
    source = jsonl(tmp_path / "a.jsonl", passages=["people/leave#annual"], checks=[check], id="x")
    made = scaffold(tmp_path / "t", Source(source, corpus=corpus))
    assert made.task == load_folder(tmp_path / "t")
    assert made.task.test[0].passages == ("people/leave#annual",)
    assert made.notes == ("fields that are not used: checks, id",)
    without = scaffold(tmp_path / "u", Source(source))
    assert without.task.test[0].passages == ()
    assert without.notes == ("fields that are not used: checks, id, passages",)


def test_a_passage_that_is_not_in_the_corpus_is_told_with_the_line_of_the_file(
    tmp_path: Path,
) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.txt").write_text("text")
    source = jsonl(tmp_path / "a.jsonl", passages=["b"])
    with pytest.raises(
        DataError, match=r"a\.jsonl lines .*: gold passage 'b' is not in the corpus"
    ):
        scaffold(tmp_path / "t", Source(source, corpus=tmp_path / "docs"))
    assert not (tmp_path / "t").exists()


def test_lines_with_choices_are_multiple_choice(tmp_path: Path) -> None:
    choices = [f"answer {n}" for n in range(20)]
    made = scaffold(tmp_path / "t", Source(jsonl(tmp_path / "a.jsonl", choices=choices)))
    assert (made.task.kind, made.task.metric) == ("multiple-choice", "accuracy")
    assert made.task.test[0].choices == tuple(choices)
    told = scaffold(tmp_path / "u", Source(jsonl(tmp_path / "a.jsonl", choices=choices), kind="qa"))
    assert told.task.test[0].choices is None
    assert told.notes == ("fields that are not used: choices",)
