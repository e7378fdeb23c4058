"""``advisor estimate`` as it is typed."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from advisor.cli.app import app

MODEL = ("llama-2-7b",)


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["estimate", *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def as_json(*arguments: str) -> Any:
    return json.loads(run(*arguments, "--json"))


def test_memory_prints_lines_with_tabs_when_read_by_a_program() -> None:
    lines = [line.split("\t") for line in run("memory", *MODEL, "--gpu", "L4").splitlines()]
    assert lines[0] == ["# llama-2-7b: 6,738,415,616 parameters, 39,976,960 more learned"]
    table = {line[0]: line[1:] for line in lines[1:]}
    assert table["GiB"] == ["low", "likely", "high", "at the peak"]
    assert table["weights"][0] == "12.70"
    assert table["L4"][:2] == ["22.5", "yes"]


def test_memory_as_json_holds_model_setup_parts_and_verdicts() -> None:
    told = as_json("memory", *MODEL, "--method", "full", "--precision", "bf16-mixed")
    assert told["schema_version"] == 1
    assert told["model"]["layers"] == 32
    assert told["setup"]["precision"] == "bf16-mixed"
    parts = {part["name"]: part["bytes"]["likely"] for part in told["estimate"]["parts"]}
    assert parts["optimiser"] == 8 * 6_738_415_616
    assert {gpu["fits"] for gpu in told["gpus"] if gpu["gpu"] in ("T4", "H100")} == {"no"}


def test_a_model_can_be_given_by_hand() -> None:
    numbers = ["--layers", "32", "--hidden", "4096", "--heads", "32", "--intermediate", "11008"]
    told = as_json("memory", *numbers, "--vocab", "32000", "--method", "inference")
    assert told["estimate"]["parameters"] == 6_738_415_616


def test_time_counts_the_tokens_of_a_file(tmp_path: Path) -> None:
    data = tmp_path / "train.jsonl"
    data.write_text('{"input": "abcdefg", "output": "hi", "id": "x"}\n\n', encoding="utf-8")
    told = as_json("time", *MODEL, "--data", str(data), "--epochs", "2")
    # Seven bytes are two tokens, two are one; twice.
    assert told["estimate"]["tokens"] == 6
    assert told["tokens"] == "estimated at 4 bytes a token: no tokenizer given"


def test_time_of_answering_names_prompt_and_answer() -> None:
    out = run("time", *MODEL, "--method", "inference", "--output", "50", "--utilisation", "0.4")
    assert "utilisation 40%" in out
    assert [line.split("\t")[0] for line in out.splitlines()[1:]] == [
        "seconds", "prompt", "answer", "total",
    ]  # fmt: skip


def test_cost_compares_the_ways_and_names_its_prices() -> None:
    out = run("cost", *MODEL, "--gpu", "L40S")
    assert "prices of 2026-05-07" in out
    told = as_json("cost", *MODEL, "--gpu", "L40S")
    assert [cost["method"] for cost in told["costs"]] == ["icl", "rag", "tuned", "rag+tuned"]
    assert len(told["break_evens"]) == 6
    assert told["prices"]["gpu_hour"]["L40S"]["usd"] == 1.9512


def test_the_plot_is_a_figure(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    file = tmp_path / "costs.svg"
    run("cost", *MODEL, "--plot", str(file))
    assert "</svg>" in file.read_text(encoding="utf-8")


def test_a_plot_without_matplotlib_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    result = CliRunner().invoke(
        app, ["estimate", "cost", *MODEL, "--plot", str(tmp_path / "costs.svg")]
    )
    assert "--plot needs matplotlib. Install it" in str(result.exception)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["memory"], "Name a model"),
        (["memory", "nothing-9b"], "'nothing-9b' is neither a folder"),
        (["memory", *MODEL, "--layers", "3"], "already has --layers"),
        (["memory", "--layers", "3"], "also needs --hidden, --heads"),
        (["memory", *MODEL, "--precision", "fp8"], "'fp8' is not one of fp32"),
        (["memory", *MODEL, "--gpu", "Z"], "not in the catalogue"),
        (["time", *MODEL, "--data", "missing.jsonl"], r"missing\.jsonl cannot be read"),
        (["cost", *MODEL, "--hosted", "none-1"], "no hosted_million_tokens price for none-1"),
        (["cost", *MODEL, "--gpu", "H200"], "no gpu_hour price for H200"),
    ],
)
def test_wrong_use_is_one_message_that_says_what_to_do(arguments: list[str], message: str) -> None:
    result = CliRunner().invoke(app, ["estimate", *arguments])
    error = result.exception
    assert getattr(error, "exit_code", None) == 2
    assert re.search(message, str(error))


@pytest.mark.parametrize("command", ["time", "cost"])
def test_lines_without_input_and_output_are_named(tmp_path: Path, command: str) -> None:
    data = tmp_path / "train.jsonl"
    data.write_text('{"input": "a", "output": "b"}\n{\n["a"]\n{"input": "a"}\n', encoding="utf-8")
    result = CliRunner().invoke(app, ["estimate", command, *MODEL, "--data", str(data)])
    assert "3 lines lack them (2, 3, 4)" in str(result.exception)


def test_cost_counts_questions_answers_and_documents(tmp_path: Path) -> None:
    data, corpus = tmp_path / "train.jsonl", tmp_path / "corpus"
    lines = [{"input": "x" * 40, "outputs": ["y" * 8, "z"]}, {"input": "x" * 80, "output": 1}]
    data.write_text("\n".join(json.dumps(line) for line in lines), encoding="utf-8")
    corpus.mkdir()
    (corpus / "a.md").write_text("w" * 4000, encoding="utf-8")
    (corpus / "b.csv").write_text("not counted", encoding="utf-8")
    files = ["--data", str(data), "--corpus", str(corpus)]
    told = as_json("cost", *MODEL, *files, "--instruction", "100", "--epochs", "1")
    # 120 bytes are 30 tokens, 15 a question; 9 bytes are 3, so 2 an answer.
    assert told["workload"]["prompt"]["instruction"] == 115
    assert told["workload"]["prompt"]["answer"] == 2
    assert told["workload"]["prompt"]["demonstration"] == 17
    assert told["workload"]["train_tokens"] == 2 * 117
    assert told["workload"]["corpus_tokens"] == 1000
    assert told["tokens"].startswith("estimated at 4 bytes a token")


def test_a_folder_without_text_is_a_message(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["estimate", "cost", *MODEL, "--corpus", str(tmp_path)])
    assert "holds no .txt or .md file" in str(result.exception)


def test_estimates_load_nothing_heavy() -> None:
    code = (
        "import sys; import advisor.recommend; "
        "import advisor.estimates.cost, advisor.estimates.plot, advisor.cli.estimate; "
        "heavy = {'numpy', 'torch', 'matplotlib', 'transformers'} & set(sys.modules); "
        "sys.exit(str(heavy) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
