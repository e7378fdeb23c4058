"""A finished method answers fresh items with the weights that it was trained to."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from advisor.cli.app import app
from benchmarks.plan import Plan
from benchmarks.store import read_run
from benchmarks.tasks.catalogue import load_task
from benchmarks.tasks.loading import with_fresh_items
from benchmarks.worker import load_cut
from strategies.errors import DataError, RunError
from strategies.home import home
from strategies.method import registry

TRIAGE = "ticket-triage"


def advisor(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def written(path: Path, *lines: dict[str, str]) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_fresh_items_stand_for_the_test_split(tmp_path: Path) -> None:
    file = written(tmp_path / "new.jsonl", {"input": "Where is my plant?", "output": "heron"})
    task = load_task(TRIAGE)
    fresh = with_fresh_items(task, file)
    (item,) = fresh.test
    assert (item.input, item.outputs, item.choices) == (
        "Where is my plant?",
        ("heron",),
        task.labels,
    )
    assert (fresh.train, fresh.validation) == (task.train, task.validation)
    assert fresh.sha256 != task.sha256


def test_what_is_wrong_with_fresh_items_is_listed(tmp_path: Path) -> None:
    trained_on = load_task(TRIAGE).train[0].input
    file = written(
        tmp_path / "new.jsonl",
        {"input": trained_on, "output": "heron"},
        {"input": "Where is my plant?", "output": "ostrich"},
    )
    with pytest.raises(DataError) as found:
        with_fresh_items(load_task(TRIAGE), file)
    assert "splits must not share items" in str(found.value)
    assert "ostrich" in str(found.value)
    with pytest.raises(DataError, match="there is no such file"):
        with_fresh_items(load_task(TRIAGE), tmp_path / "missing.jsonl")
    with pytest.raises(DataError, match="is no file of items; allowed"):
        with_fresh_items(load_task(TRIAGE), written(tmp_path / "new.txt", {"input": "Why?"}))


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_method_is_watched_with_the_weights_of_its_run(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "models").symlink_to(home() / "models")
    monkeypatch.setenv("ADVISOR_HOME", str(tmp_path / "home"))
    run = tmp_path / "run"
    bench = ("bench", TRIAGE, "--methods", "zero-shot,lora", "--model", tiny_model)
    small = ("--limit", 12, "--train-limit", 16, "--epochs", 1, "--out", run, "-q")
    assert advisor(*bench, *small).exit_code == 0
    items = [
        {"input": f"Ticket {n}: the box was empty.", "output": "heron" if n % 2 else "wren"}
        for n in range(12)
    ]
    fresh = written(tmp_path / "week.jsonl", *items)
    watch = ("watch", run, "--with", fresh, "--method", "lora", "--json")
    first = advisor(*watch)
    assert first.exit_code == 0, first.output
    found = json.loads(first.stdout)
    assert found["method"] == "lora"
    assert (found["before"]["items"], found["after"]["items"]) == (12, 12)
    assert not found["retrained"]
    (folder,) = tmp_path.glob("run-lora-on-week-*")
    answered = read_run(folder)
    assert [result.arm.reused for result in answered.arms] == [("weights",)]
    # A second call has nothing left to answer and says the same.
    assert json.loads(advisor(*watch).stdout) == found
    said = advisor(*watch[:-1])
    assert said.stdout.startswith("lora, accuracy: ") and str(folder) in said.stdout
    # The same file with other items has a folder of its own.
    written(fresh, *items[:11])
    assert advisor(*watch).exit_code == 0
    assert len(list(tmp_path.glob("run-lora-on-week-*"))) == 2
    right = tmp_path / "all-right"
    shutil.copytree(run, right)
    for path in (right / "arms" / "lora-s0").glob("scores.jsonl"):
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        for line in lines:
            line.pop("crc32")
            line["metrics"]["accuracy"] = 1.0
        written(path, *lines)
    watched = ("watch", right, "--with", fresh, "--method", "lora", "--fail-if-worse")
    worse = advisor(*watched, "--out", tmp_path / "worse")
    assert worse.exit_code == 8 and "It does worse than it did." in worse.stdout
    other = written(tmp_path / "month.jsonl", *items)
    mixed = advisor(*watch[:3], other, *watch[4:], "--out", folder)
    assert isinstance(mixed.exception, RunError)
    assert "holds another run" in str(mixed.exception)


def test_items_of_an_lm_eval_task_cannot_be_watched(tmp_path: Path) -> None:
    file = written(tmp_path / "new.jsonl", {"input": "Where?", "output": "here"})
    task = tmp_path / "mine.yaml"
    (tmp_path / "test.jsonl").write_text('{"q": "Where?", "a": "here"}\n')
    task.write_text(
        "task: mine\ndataset_path: json\ntest_split: test\noutput_type: generate_until\n"
        f"dataset_kwargs: {{data_files: {{test: {tmp_path}/test.jsonl}}}}\n"
        "doc_to_text: '{{q}}'\ndoc_to_target: '{{a}}'\n"
        "metric_list: [{metric: exact_match, aggregation: mean, higher_is_better: true}]\n"
    )
    methods = (registry().method("zero-shot"),)
    plan = Plan(task=f"lm-eval:{task}", methods=methods, fresh_items=str(file))
    with pytest.raises(DataError, match="items of its own tasks and no fresh ones"):
        load_cut(plan)


def test_a_table_of_fresh_items_has_the_columns_of_the_task(tmp_path: Path) -> None:
    folder = tmp_path / "task"
    folder.mkdir()
    (folder / "task.yaml").write_text(
        "id: mine\ntitle: Mine\nkind: qa\ninstruction: Answer.\nmetric: exact_match\n"
        "columns: {input: text, output: label}\n"
    )
    (folder / "test.csv").write_text("text,label\nWhere?,here\n")
    (tmp_path / "new.csv").write_text("text,label\nWhen?,now\n")
    (item,) = with_fresh_items(load_task(str(folder)), tmp_path / "new.csv").test
    assert (item.input, item.output) == ("When?", "now")
