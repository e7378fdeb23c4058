"""What a task folder may hold, and what is said when it holds something else."""

from __future__ import annotations

import json
from collections import Counter
from itertools import permutations
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.plan import Limits
from benchmarks.tasks.catalogue import load_task
from benchmarks.tasks.corpus import split_markdown
from benchmarks.tasks.loading import load_folder
from benchmarks.tasks.problems import Problems
from benchmarks.tasks.reading import read_records
from benchmarks.tasks.task import Task, combined_sha256
from strategies.errors import DataError
from strategies.hashing import sha256_of_file

SPEC = {
    "schema_version": 1,
    "id": "colours",
    "title": "Colours",
    "kind": "classification",
    "instruction": "Name the colour: red or blue.",
    "labels": ["red", "blue"],
    "metric": "accuracy",
    "metrics": ["macro_f1"],
}


def write(folder: Path, spec: dict[str, object] | None = None, **files: str | bytes) -> Path:
    """A task folder; a keyword `train_jsonl` is the file train.jsonl."""
    folder.mkdir(exist_ok=True)
    (folder / "task.yaml").write_text(yaml.safe_dump(SPEC if spec is None else spec))
    for name, content in files.items():
        path = folder / name.replace("__", "/").replace("_", ".")
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def lines(*records: object) -> str:
    return "".join(json.dumps(record) + "\n" for record in records)


def record(name: str, text: str, output: object = "red", **more: object) -> dict[str, object]:
    return {"id": name, "input": text, "output": output, **more}


GOOD = {
    "train_jsonl": lines(record("a", "a rose"), record("b", "the sea", "blue")),
    "validation_jsonl": lines(record("c", "blood")),
    "test_jsonl": lines(record("d", "the sky", "blue")),
}


def message(folder: Path) -> str:
    with pytest.raises(DataError) as caught:
        load_folder(folder)
    return str(caught.value)


def test_a_good_folder_loads(tmp_path: Path) -> None:
    task = load_task(str(write(tmp_path / "t", **GOOD)))
    assert [item.id for item in task.train] == ["a", "b"]
    assert task.test[0].outputs == ("blue",)
    assert task.test[0].choices == ("red", "blue")
    assert task.closed
    assert task.data().train == task.train
    assert task.card().test == 1


def test_a_folder_loads_the_same_from_csv_tsv_and_chat(tmp_path: Path) -> None:
    chat = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "the sky"},
        {"role": "assistant", "content": "blue"},
    ]
    folder = write(
        tmp_path / "t",
        SPEC | {"columns": {"input": "text", "output": "label"}},
        train_csv='text,label,note\n"a rose, or\ntwo",red,x\nthe sea,blue,y\n',
        validation_tsv="text\tlabel\nblood\tred\n",
        test_jsonl=lines({"messages": chat}),
    )
    task = load_folder(folder)
    assert [(i.id, i.input, i.output) for i in task.train] == [
        ("train-2", "a rose, or\ntwo", "red"),
        ("train-4", "the sea", "blue"),
    ]
    assert task.validation[0].input == "blood"
    assert (task.test[0].input, task.test[0].output) == ("the sky", "blue")


@pytest.mark.parametrize("order", list(permutations(["text", "label", "output", "input"])))
@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
def test_the_columns_that_are_named_win_in_every_order(
    tmp_path: Path, order: tuple[str, ...], suffix: str
) -> None:
    values = {"text": "the sky", "label": "blue", "output": "red", "input": "a rose"}
    row = {name: values[name] for name in order}
    table = f"{','.join(row)}\n{','.join(row.values())}\n"
    path = tmp_path / f"a.{suffix}"
    path.write_text(table if suffix == "csv" else lines(row))
    for columns in ({"input": "text", "output": "label"}, {"input": "output", "output": "input"}):
        (found,) = read_records(path, Problems("", ""), columns)
        wanted = {ours: values[theirs] for ours, theirs in columns.items()}
        assert wanted.items() <= found.fields.items()


def test_a_chat_of_several_turns_keeps_what_was_said_before(tmp_path: Path) -> None:
    chat = [
        {"role": "user", "content": "I like the sky."},
        {"role": "assistant", "content": "So do I."},
        {"role": "user", "content": "Its colour?"},
        {"role": "assistant", "content": "blue"},
    ]
    folder = write(tmp_path / "t", **GOOD | {"test_jsonl": lines({"messages": chat})})
    assert load_folder(folder).test[0].input == (
        "User: I like the sky.\n\nAssistant: So do I.\n\nUser: Its colour?"
    )


def test_every_problem_of_every_file_is_listed_at_once(tmp_path: Path) -> None:
    folder = write(
        tmp_path / "t",
        train_jsonl=lines(
            record("a", "a rose"),
            {"id": "b", "input": "the sea"},
            {"id": "c", "output": "red"},
            record("a", "a poppy"),
            record("e", "grass", "green"),
        )
        + "not json\n[1]\n",
        validation_jsonl="",
        test_jsonl=b'{"id": "x", "input": "caf\xe9", "output": "red"}\n'
        + lines(record("y", "A  ROSE!"), record("z", "sand", "red", chekcs=[])).encode(),
    )
    text = message(folder)
    for wanted in (
        'train.jsonl line 2: "output" is missing',
        'train.jsonl line 3: "input" is missing',
        "train.jsonl line 4: id 'a' is already used at train.jsonl line 1",
        "train.jsonl line 5: label 'green' is not in 'labels'",
        "train.jsonl line 6: is not JSON",
        "train.jsonl line 7: is not a JSON object",
        "validation.jsonl: holds no item",
        "test.jsonl line 1: is not UTF-8 (byte 0xe9)",
        "test.jsonl line 2: has the input of train.jsonl line 1",
        "test.jsonl line 3: field 'chekcs' is unknown",
    ):
        assert wanted in text
    assert "10 problems" in text


def test_lines_with_the_same_problem_are_listed_together(tmp_path: Path) -> None:
    bad = lines(*({"id": str(n), "input": f"thing {n}"} for n in range(20)))
    text = message(write(tmp_path / "t", **GOOD | {"train_jsonl": bad}))
    assert "train.jsonl lines 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 and 8 more:" in text


def test_a_200_mb_line_is_refused_without_being_held_in_memory(tmp_path: Path) -> None:
    import tracemalloc

    folder = write(tmp_path / "t", **GOOD)
    block = b"x" * 1_000_000
    with (folder / "train.jsonl").open("wb") as stream:
        stream.write(b'{"id": "a", "input": "')
        for _ in range(200):
            stream.write(block)
        stream.write(b'", "output": "red"}\n')
        stream.write(lines(record("b", "the sea", "green")).encode())
    tracemalloc.start()
    text = message(folder)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert "train.jsonl line 1: is longer than 1,000,000 bytes" in text
    assert "train.jsonl line 2: label 'green'" in text
    assert peak_bytes < 20_000_000


def test_a_byte_order_mark_is_no_part_of_the_first_line(tmp_path: Path) -> None:
    folder = write(tmp_path / "t", **GOOD | {"test_jsonl": "\ufeff" + GOOD["test_jsonl"]})
    assert load_folder(folder).test[0].id == "d"


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        ({"metric": "acuracy"}, "metric 'acuracy' is unknown; known: accuracy"),
        ({"metrics": ["accuracy"]}, "a metric is listed twice"),
        (
            {"kind": "classify"},
            "task.yaml line 3: kind: is 'classify'; allowed: 'classification', 'multiple-choice'",
        ),
        ({"labels": ["red"]}, "at least two 'labels'"),
        ({"labels": ["red", "red"]}, "'labels' must differ"),
        (
            {"metrik": "x"},
            "task.yaml line 10: metrik: is no known field; allowed: schema_version, id, title",
        ),
        ({"checks": [{"name": "c", "kind": "matches", "pattern": "("}]}, "does not compile"),
        ({"metrics": ["execution_match"]}, "needs a 'database'"),
        ({"metrics": ["execution_match"], "database": "x.db"}, "database 'x.db' is missing"),
        ({"metrics": ["checks"]}, "has no checks"),
        ({"corpus": "docs"}, "holds no passage"),
        ({"hashes": {"test.jsonl": "0" * 64}}, "test.jsonl: has SHA-256"),
        ({"hashes": {"gone.jsonl": "0" * 64}}, "gone.jsonl: is missing"),
        ({"columns": {"text": "x"}}, "'columns' renames"),
    ],
)
def test_a_wrong_description_is_named(
    tmp_path: Path, change: dict[str, object], wanted: str
) -> None:
    assert wanted in message(write(tmp_path / "t", SPEC | change, **GOOD))


def test_pinned_hashes_that_fit_are_accepted(tmp_path: Path) -> None:
    folder = write(tmp_path / "t", **GOOD)
    spec = SPEC | {"hashes": {"test.jsonl": sha256_of_file(folder / "test.jsonl")}}
    assert load_folder(write(folder, spec)).id == "colours"


@pytest.mark.parametrize(
    ("content", "wanted"),
    [
        ("input,output\n", "test.csv: holds no item"),
        ("text,label\nx,red\n", "test.csv line 1: has no column 'input', 'output'"),
        ("input,output\nx,red,more\n", "test.csv line 2: has 3 columns, the header has 2"),
        ('input,output\n"x,red\n', "test.csv line 2: is not CSV"),
        ("input,output\n,red\n", 'test.csv line 2: "input" is missing or empty'),
        ("input,input,output\n", "a column name is used twice"),
    ],
)
def test_a_table_that_cannot_be_read_says_where(tmp_path: Path, content: str, wanted: str) -> None:
    files = {name: text for name, text in GOOD.items() if name != "test_jsonl"}
    assert wanted in message(write(tmp_path / "t", **files, test_csv=content))


@pytest.mark.parametrize(
    ("messages", "wanted"),
    [
        ([], "is not a list of messages"),
        (
            [{"role": "user", "content": "x"}],
            "has no answer of the assistant to a message of the user",
        ),
        ([{"role": "tool", "content": "x"}], "the chat calls tools"),
        ([{"role": "narrator", "content": "x"}], "role 'narrator' is unknown; allowed: system,"),
        ([{"role": ["user", {}], "content": "x"}], "role ['user', {}] is unknown; allowed:"),
        (["x"], "a message is not a JSON object"),
        ([{"role": "user"}], 'has no text "content"'),
    ],
)
def test_a_chat_that_cannot_be_used_says_why(tmp_path: Path, messages: object, wanted: str) -> None:
    bad = lines({"messages": messages})
    assert wanted in message(write(tmp_path / "t", **GOOD | {"train_jsonl": bad}))


def test_missing_folders_and_names_are_told_with_what_is_known(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"neither a known task nor a folder.*squad-v2"):
        load_task("squad")
    with pytest.raises(DataError, match=r"task\.yaml: is missing"):
        load_task(str(tmp_path))


def test_a_gold_passage_has_to_be_in_the_corpus(tmp_path: Path) -> None:
    spec = SPEC | {"kind": "qa", "metric": "token_f1", "metrics": [], "corpus": "corpus"}
    files = {
        "corpus__leave_md": "# Leave\n\nIntro.\n\n## Annual leave\n\n25 days.\n",
        "test_jsonl": lines(
            record("d", "days?", "25", passages=["leave#annual-leave"]),
            record("e", "sick days?", "10", passages=["leave#sick", "leave"]),
        ),
    }
    text = message(write(tmp_path / "t", spec, **files))
    assert "test.jsonl line 2: gold passage 'leave#sick' is not in the corpus" in text
    assert "1 problem." in text


def test_a_corpus_is_read_with_its_folders_and_without_being_named(tmp_path: Path) -> None:
    spec = SPEC | {"kind": "qa", "metric": "token_f1", "metrics": []}
    folder = write(tmp_path / "t", spec, test_jsonl=lines(record("d", "days?", passages=["a/b/x"])))
    for name in ("leave.md", "a/leave.md", "a/b/x.txt", ".git/notes.txt", "a/.hidden.txt"):
        path = folder / "corpus" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("## Annual\n\n25 days.\n")
    task = load_folder(folder)
    ids = [passage.id for passage in task.corpus]
    assert ids == ["a/b/x", "a/leave#annual", "leave#annual"]
    files = ["task.yaml", "test.jsonl", "corpus/a/b/x.txt", "corpus/a/leave.md", "corpus/leave.md"]
    assert task.sha256 == combined_sha256({name: sha256_of_file(folder / name) for name in files})
    (folder / "corpus" / "a" / "b" / "x.pdf").write_text("")
    (note,) = load_folder(folder).notes
    assert note.startswith("a/b/x.pdf: cannot be read as a document and was left out")


def test_a_corpus_that_is_switched_off_is_not_read(tmp_path: Path) -> None:
    files = GOOD | {"corpus__a_md": "text"}
    assert load_folder(write(tmp_path / "t", SPEC, **files)).corpus
    assert not load_folder(write(tmp_path / "t", SPEC | {"corpus": None}, **files)).corpus


def test_markdown_is_cut_into_sections() -> None:
    text = (
        "# Time off\n\nWho it is for.\n\n## Annual leave\n\n25 days.\n\n### Carry over\n\n5 days."
        "\n\n## Empty\n\n## Annual leave\n\n```\n## not a heading\n```\n"
    )
    assert [(p.id, p.title, p.text) for p in split_markdown("time-off", text)] == [
        ("time-off", "Time off", "Who it is for."),
        (
            "time-off#annual-leave",
            "Time off: Annual leave",
            "25 days.\n\n### Carry over\n\n5 days.",
        ),
        ("time-off#annual-leave-2", "Time off: Annual leave", "```\n## not a heading\n```"),
    ]


def test_a_smaller_cut_is_the_beginning_of_a_larger_one(tmp_path: Path) -> None:
    train = lines(*(record(f"t{n}", f"thing {n}", "red" if n % 4 else "blue") for n in range(80)))
    task = load_folder(write(tmp_path / "t", **GOOD | {"train_jsonl": train}))
    small, large = task.cut(Limits(train=20)), task.cut(Limits(train=40))
    assert small.train == large.train[:20]
    assert Counter(item.output for item in small.train) == {"red": 15, "blue": 5}
    assert set(task.cut(Limits()).train) == set(task.train)


def test_the_order_of_a_cut_never_changes(tmp_path: Path) -> None:
    # Pinned: another order would make finished runs incomparable with new ones.
    test = lines(*(record(f"q{n}", f"question {n}") for n in range(6)))
    task = load_folder(write(tmp_path / "t", **GOOD | {"test_jsonl": test}))
    assert [item.id for item in task.cut(Limits(test=6)).test] == PINNED_ORDER


PINNED_ORDER = ["q4", "q5", "q0", "q2", "q1", "q3"]

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["id", "input", "output", "outputs", "messages", "checks", "role"]),
            inner,
        )
    ),
    max_leaves=8,
)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    content=st.binary(max_size=300)
    | st.text(max_size=300)
    | st.lists(JSON_VALUES, max_size=3).map(lambda values: lines(*values))
)
@pytest.mark.parametrize(
    "name",
    [
        "test_jsonl",
        "test_csv",
        "train_tsv",
        "task_yaml",
        "corpus__a_md",
        "corpus__b_jsonl",
        "corpus__c_html",
    ],
)
def test_any_bytes_give_a_task_or_a_data_error(
    tmp_path: Path, name: str, content: str | bytes
) -> None:
    folder = tmp_path / "t"
    spec = SPEC | {"corpus": "corpus"}
    files = GOOD if not name.endswith("csv") else {"train_jsonl": GOOD["train_jsonl"]}
    write(folder, spec, **{**files, "corpus__ok_md": "# A\n\ntext", name: content})
    try:
        assert isinstance(load_folder(folder), Task)
    except DataError as error:
        assert "problem" in str(error)
