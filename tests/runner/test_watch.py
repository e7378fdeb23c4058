"""A finished method answers fresh items with the weights that it was trained to."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from advisor.cli.app import app
from benchmarks.store import read_run
from benchmarks.tasks.catalogue import load_task
from benchmarks.tasks.loading import with_fresh_items
from strategies.errors import DataError, RunError
from strategies.home import home

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
    with pytest.raises(DataError, match="is no file of items"):
        with_fresh_items(load_task(TRIAGE), tmp_path / "missing.jsonl")


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
    answered = read_run(tmp_path / "run-lora-on-week")
    assert [result.arm.reused for result in answered.arms] == [("weights",)]
    # A second call has nothing left to answer and says the same.
    assert json.loads(advisor(*watch).stdout) == found
    other = written(tmp_path / "month.jsonl", *items)
    mixed = advisor(*watch[:3], other, *watch[4:], "--out", tmp_path / "run-lora-on-week")
    assert isinstance(mixed.exception, RunError)
    assert "answers to other items" in str(mixed.exception)
