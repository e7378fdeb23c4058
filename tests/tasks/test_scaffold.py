"""From a user's own file to a task folder, and the two commands that show tasks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
import yaml
from typer.testing import CliRunner

from advisor.cli.init import init
from advisor.cli.tasks import tasks
from benchmarks.tasks.loading import load_folder
from benchmarks.tasks.scaffold import Source, guess_kind, scaffold, usual_columns
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
        "1 lines repeat another line and were left out: 202",
        "2 lines have the input of another line and a different answer and were left out: 3, 203",
    )


@pytest.mark.parametrize(
    ("content", "wanted"),
    [
        ("text,label\n", "holds no labelled line"),
        ("", "has no column"),
        ("text,label\na,b\n", "holds 1 different labelled lines; at least 10 are needed"),
        ("a,b\nx,y\n", "has no column 'text', 'label'; found: a, b"),
        ("text,label\n" + "x,\n" * 3, 'lines 2, 3, 4: "output" is missing'),
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
    assert "'sql' is none of: classification, qa" in result.output


def test_tasks_lists_bundled_tasks_and_recipes(app: typer.Typer, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["tasks", "--data-dir", str(tmp_path), "--json"])
    rows = {row["id"]: row for row in json.loads(result.output)}
    assert rows["squad-v2"]["data"] == "no"
    assert {row["from"] for row in rows.values()} == {"bundled", "recipe"}
    plain = CliRunner().invoke(app, ["tasks"]).output.splitlines()
    assert plain[0].split("\t")[:3] == ["id", "kind", "metric"]
    assert CliRunner().invoke(app, ["tasks", "--quiet"]).output.splitlines() == list(rows)


def test_the_usual_names_of_columns_are_found(tmp_path: Path) -> None:
    file = tmp_path / "lines.csv"
    file.write_text("id,text,label\n1,hello,greeting\n", encoding="utf-8")
    assert usual_columns(file) == {"input": "text", "output": "label"}
    file.write_text("a,b\n1,2\n", encoding="utf-8")
    assert usual_columns(file) == {}
