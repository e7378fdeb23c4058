"""Numbers that cannot be are named, with what is allowed, before anything is done."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError
from typer.testing import CliRunner

from advisor.cli.app import app
from benchmarks.plan import Plan
from benchmarks.store import read_plan
from strategies.errors import DataError, RunError
from strategies.method import registry
from strategies.settings import TrainingSettings

MODEL = ("estimate", "memory", "llama-2-7b")
TIME, COST = ("estimate", "time", "llama-2-7b"), ("estimate", "cost", "llama-2-7b")
BENCH, PROBE, POWER = ("bench", "ticket-triage"), ("probe", "ticket-triage"), ("power",)


@pytest.mark.parametrize(
    ("command", "option", "value", "allowed"),
    [
        (BENCH, "--limit", "-1", "from 1 to 1,000,000,000"),
        (BENCH, "--limit", "1e308", "from 1 to 1,000,000,000"),
        (BENCH, "--train-limit", "0", "from 1 to 1,000,000,000"),
        (BENCH, "--epochs", "1e308", "from 1 to 1,000"),
        (BENCH, "--epochs", "10000000000", "from 1 to 1,000"),
        (BENCH, "--budget-minutes", "inf", "above 0 and up to 10,000,000"),
        (PROBE, "--items", "9", "from 10 to 1,000,000,000"),
        (PROBE, "--train", "-1", "from 0 to 1,000,000,000"),
        (PROBE, "--epochs", "0.5", "from 1 to 1,000"),
        (MODEL, "--rank", "1" + "0" * 40, "from 1 to 65,536"),
        (MODEL, "--rank", "0", "from 1 to 65,536"),
        (MODEL, "--batch", "many", "from 1 to 1,000,000"),
        (MODEL, "--parameters", "0", "from 1 to 1,000,000,000,000,000,000"),
        (TIME, "--epochs", "1e308", "above 0 and up to 1,000"),
        (TIME, "--epochs", "nan", "above 0 and up to 1,000"),
        (TIME, "--epochs", "0", "above 0 and up to 1,000"),
        (TIME, "--utilisation", "40", "above 0 and up to 1"),
        (TIME, "--examples", "-5", "from 1 to 1,000,000,000"),
        (COST, "--retrainings", "nan", "from 0 to 1,000,000"),
        (COST, "--queries", "0", "from 1 to 1,000,000,000"),
        (COST, "--months", "0", "from 1 to 1,200"),
        (POWER, "--items", "0", "from 1 to 1,000,000,000"),
        (POWER, "--methods", "99999999", "from 2 to 1,000"),
        (POWER, "--difference", "nan", "from 0.1 to 100"),
    ],
)
def test_a_number_out_of_range_is_named_with_its_option_and_the_range(
    command: tuple[str, ...], option: str, value: str, allowed: str
) -> None:
    result = CliRunner().invoke(app, [*command, option, value], env={"COLUMNS": "200"})
    assert result.exit_code == 2
    shown = " ".join(result.output.replace("│", " ").split())
    assert f"Invalid value for '{option}': {value}: give a " in shown
    assert f"number {allowed}" in shown


def test_the_largest_number_of_epochs_is_the_one_that_a_plan_takes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[Plan] = []

    def remember(plan: Plan, say: object) -> None:
        asked.append(plan)
        raise RunError("enough")

    monkeypatch.setattr("benchmarks.runner.resolve", remember)
    CliRunner().invoke(app, [*BENCH, "--methods", "lora", "--epochs", "1000"])
    settings = asked[0].methods[0].weights.training
    assert settings is not None
    assert settings.epochs == 1000
    with pytest.raises(ValidationError):
        TrainingSettings(epochs=1001)


@pytest.mark.parametrize(
    ("place", "text"),
    [
        ("limits.test", "limits: {test: 100000000000000000000000000000}"),
        ("limits.train", "limits: {train: -1}"),
        ("budget_minutes", "budget_minutes: .inf"),
        ("budget_minutes", "budget_minutes: .nan"),
        ("max_new_tokens", "max_new_tokens: 1000000000000"),
        ("threads", "threads: 100000000"),
        ("latency_items", "latency_items: 1000000000000"),
    ],
)
def test_an_absurd_number_of_a_plan_is_named_with_its_place(
    tmp_path: Path, place: str, text: str
) -> None:
    method = registry().method("zero-shot").model_dump_json()
    path = tmp_path / "plan.yaml"
    path.write_text(f"task: ticket-triage\nmethods: [{method}]\n{text}\n")
    with pytest.raises(
        DataError, match=f"plan.yaml is no plan: {place}: is .*; (it has to|expected)"
    ):
        read_plan(path)


@pytest.mark.parametrize(
    ("method", "part", "field", "value"),
    [
        ("lora", "weights", "rank", 10**9),
        ("lora", "weights", "alpha", float("inf")),
        ("rag", "prompting", "passages", 10**12),
        ("icl-nearest", "prompting", "count", 10**12),
    ],
)
def test_an_absurd_number_of_a_method_is_refused(
    method: str, part: str, field: str, value: float
) -> None:
    config = getattr(registry().method(method), part)
    with pytest.raises(ValidationError, match=f"{field}\n"):
        type(config).model_validate(config.model_dump() | {field: value})
