"""Plans, task descriptions and run files with what no person meant: one message, its exit code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from benchmarks.records import Arm, Cost, ItemScore, Response
from benchmarks.store import (
    read_lines,
    read_plan,
    read_plan_of_run,
    read_record,
    write_plan,
    write_record,
)
from benchmarks.tasks.loading import load_folder
from strategies.errors import DataError, RunError
from tests.runner import material

_HOSTILE = (
    "[" * 200_000,
    "a: &a [x, x]\n" + "\n".join(f"b{n}: &a [{'*a, ' * 20}]" for n in range(9)),
    "task: !!int ''",
    "task: 2026-13-45",
    "task: " + "9" * 5_000,
    ".nan: 1",
    "task: a\ntask: b",
    "task: \x00",
    "task: !!python/object:os.system x",
)


@pytest.mark.parametrize("text", _HOSTILE, ids=lambda text: text[:16])
def test_a_hostile_plan_is_unusable_data_with_its_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text(text)
    with pytest.raises(DataError, match="is no YAML text that can be used: line ") as caught:
        read_plan(path)
    assert str(caught.value).startswith(str(path))
    assert caught.value.exit_code == 3


@pytest.mark.parametrize("text", _HOSTILE, ids=lambda text: text[:16])
def test_a_hostile_task_is_unusable_data_with_its_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "task.yaml").write_text(text)
    with pytest.raises(DataError, match=r"task.yaml line \d+: is not YAML"):
        load_folder(tmp_path)


def test_a_damaged_plan_of_a_run_is_a_damaged_run(tmp_path: Path) -> None:
    (tmp_path / "plan.yaml").write_text("[" * 200_000)
    with pytest.raises(RunError, match="line 1: is nested deeper") as caught:
        read_plan_of_run(tmp_path)
    assert caught.value.exit_code == 6


@pytest.mark.parametrize("kind", [{}, [], None, 1, {"a": 1}])
@pytest.mark.parametrize("part", ["prompting", "weights"])
def test_a_kind_that_is_no_name_is_a_problem_of_the_plan(
    tmp_path: Path, part: str, kind: object
) -> None:
    path = tmp_path / "plan.yaml"
    write_plan(path, material.plan("lora"))
    value = yaml.safe_load(path.read_text())
    value["methods"][0][part]["kind"] = kind
    path.write_text(yaml.safe_dump(value))
    with pytest.raises(DataError, match=rf"methods.0.{part}: kind .* is unknown; known: "):
        read_plan(path)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("epochs", 1e308), ("epochs", 10**300), ("epochs", "1e308"), ("patience", 10**12),
        ("learning_rate", float("inf")), ("learning_rate", 1e300), ("weight_decay", float("nan")),
        ("max_gradient_norm", float("inf")), ("batch_size", 10**20), ("max_tokens", 10**20),
    ],
)  # fmt: skip
def test_a_setting_that_no_run_can_have_names_file_and_field(
    tmp_path: Path, name: str, value: object
) -> None:
    path = tmp_path / "plan.yaml"
    write_plan(path, material.plan("lora"))
    written = yaml.safe_load(path.read_text())
    written["methods"][0]["weights"]["training"][name] = value
    path.write_text(yaml.safe_dump(written))
    with pytest.raises(DataError) as caught:
        read_plan(path)
    assert str(caught.value).startswith(f"{path} is no plan: methods.0.weights.training.{name}: ")


@pytest.mark.parametrize(
    ("name", "value"),
    [("budget_minutes", float("inf")), ("latency_items", 10**30), ("max_new_tokens", 10**30)],
)
def test_a_number_that_no_plan_can_have_names_file_and_field(
    tmp_path: Path, name: str, value: object
) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text(yaml.safe_dump(material.plan().model_dump(mode="json") | {name: value}))
    with pytest.raises(DataError, match=rf"is no plan: {name}: "):
        read_plan(path)


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", "1e999"])
@pytest.mark.parametrize("field", ["train_seconds", "latency_p50_seconds", "peak_memory_bytes"])
def test_a_cost_that_is_no_number_names_file_and_field(
    tmp_path: Path, field: str, text: str
) -> None:
    path = tmp_path / "arm.json"
    write_record(path, Arm(name="lora", cost=Cost(**{field: 77})))
    path.write_text(path.read_text().replace("77.0", text).replace("77", text))
    with pytest.raises(RunError, match=rf"arm.json is damaged: cost.{field}: ") as caught:
        read_record(path, Arm)
    assert caught.value.exit_code == 6


@pytest.mark.parametrize("value", [1e300, 10**400])
def test_a_cost_beyond_all_measure_names_file_and_field(tmp_path: Path, value: float) -> None:
    path = tmp_path / "arm.json"
    path.write_text(json.dumps({"name": "lora", "cost": {"peak_memory_bytes": value}}))
    with pytest.raises(RunError, match=r"arm.json is damaged: cost.peak_memory_bytes: "):
        read_record(path, Arm)


@pytest.mark.parametrize("text", ["NaN", "Infinity", "1e999"])
def test_a_line_of_a_run_with_no_number_is_damaged(tmp_path: Path, text: str) -> None:
    path = tmp_path / "run" / "arms" / "lora-s0" / "responses.jsonl"
    path.parent.mkdir(parents=True)
    path.write_text(f'{{"id": "a", "text": "b", "margin": {text}}}\n')
    with pytest.raises(RunError, match=r"responses.jsonl line 1: damaged"):
        read_lines(path, Response)
    scores = path.with_name("scores.jsonl")
    scores.write_text(
        f'{{"id": "a", "metrics": {{"accuracy": {text}}}, "reference": "", "prediction": ""}}\n'
    )
    with pytest.raises(RunError, match=r"scores.jsonl line 1: damaged"):
        read_lines(scores, ItemScore)


@pytest.mark.parametrize("text", ["[" * 200_000, "[]", "NaN", '{"a": Infinity}', "\xff"])
def test_a_hostile_recommendation_of_a_run_is_named(tmp_path: Path, text: str) -> None:
    from benchmarks.store import _read_recommendation

    path = tmp_path / "recommendation.json"
    path.write_text(text, encoding="latin-1")
    with pytest.raises(RunError, match=r"recommendation.json is damaged"):
        _read_recommendation(path)
