"""Code that an lm-eval file names is imported after its user trusted it, and never before."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import typer
import yaml
from typer.testing import CliRunner

from advisor.cli.app import app
from advisor.cli.trust import settle_trust
from benchmarks.evaluation import evaluate_arm, task_file
from benchmarks.store import read_plan, recorded_inputs, write_plan
from benchmarks.tasks.catalogue import load_task, untrusted_code
from benchmarks.tasks.foreign_code import TRUST_VARIABLE, UntrustedCodeError
from strategies.errors import DataError
from tests.evaluation.test_evaluation import AlwaysFirst
from tests.runner import material
from tests.runner.test_runner import bench

pytestmark = pytest.mark.filterwarnings("ignore")

MODULE = """
from pathlib import Path
Path(__file__).with_name("imported").touch()

def ask(doc):
    return "Sum of " + doc["question"]

def text(doc):
    return doc["question"]
"""
CLASS = """
from lm_eval.api.task import ConfigurableTask

class Sums(ConfigurableTask):
    def __init__(self, config=None):
        super().__init__(config={k: v for k, v in config.items() if k != "class"})
"""


@pytest.fixture(autouse=True)
def _nothing_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    # Set and taken back, so that what a test trusts is forgotten after it.
    monkeypatch.setenv(TRUST_VARIABLE, "")


def task_text(folder: Path, *lines: str, **config: object) -> str:
    """A task of two sums in lm-eval's format; `lines` are YAML and may hold tags."""
    data = folder / "rows.jsonl"
    rows = [{"question": f"{n} and {n}", "answer": str(2 * n)} for n in (1, 2)]
    data.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    settings: dict[str, object] = {
        "task": "sums",
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": str(data)}},
        "test_split": "test",
        "doc_to_text": "{{question}}",
        "doc_to_target": "{{answer}}",
        "output_type": "generate_until",
        "generation_kwargs": {"until": ["\n"], "max_gen_toks": 4},
        "metric_list": [{"metric": "exact_match"}],
    }
    named = {line.partition(":")[0] for line in lines}
    kept = {k: v for k, v in {**settings, **config}.items() if k not in named}
    return "\n".join([*lines, yaml.safe_dump(kept)])


def in_the_file(folder: Path) -> Path:
    file = folder / "own.yaml"
    file.write_text(task_text(folder, "doc_to_text: !function functions.ask"))
    (folder / "functions.py").write_text(MODULE)
    return file


def in_an_included_file(folder: Path) -> Path:
    file, part = folder / "own.yaml", folder / "parts" / "deep" / "part.yaml"
    part.parent.mkdir(parents=True)
    file.write_text("include: parts/middle.yaml\ntask: sums\n")
    (folder / "parts" / "middle.yaml").write_text("include: [deep/part.yaml]\n")
    part.write_text(task_text(folder, "doc_to_text: !function code.functions.ask"))
    (part.parent / "code").mkdir()
    (part.parent / "code" / "functions.py").write_text(MODULE)
    return file


def as_a_class(folder: Path) -> Path:
    file = folder / "own.yml"
    lines = ("class: !function functions.Sums", "doc_to_text: Sum of {{question}}")
    file.write_text(task_text(folder, *lines))
    (folder / "functions.py").write_text(MODULE + CLASS)
    return file


Making = Callable[[Path], Path]
MAKINGS = pytest.mark.parametrize("make", [in_the_file, in_an_included_file, as_a_class])


def imported(folder: Path) -> bool:
    return any(folder.rglob("imported"))


@MAKINGS
def test_code_is_listed_and_not_imported_without_trust(tmp_path: Path, make: Making) -> None:
    file = make(tmp_path)
    with pytest.raises(UntrustedCodeError) as raised:
        load_task(f"lm-eval:{file}")
    (module,) = tmp_path.rglob("functions.py")
    assert str(module) in str(raised.value)
    assert "!function" in str(raised.value)
    assert not imported(tmp_path)


@MAKINGS
def test_a_task_with_code_works_once_it_is_trusted(tmp_path: Path, make: Making) -> None:
    name = f"lm-eval:{make(tmp_path)}"
    settle_trust(name, trust=True)
    task = load_task(name)
    assert [item.input for item in task.test] == ["Sum of 1 and 1", "Sum of 2 and 2"]
    scores, _ = evaluate_arm(task, AlwaysFirst(), {}, lambda response: None)
    # "four" is the answer to neither "2" nor "4".
    assert scores == {"exact_match": 0.0}
    assert imported(tmp_path)


def test_a_process_that_is_started_trusts_what_was_trusted_and_no_other_code(
    tmp_path: Path,
) -> None:
    file = in_the_file(tmp_path)
    found = untrusted_code(f"lm-eval:{file}")
    assert found is not None
    found.trust()
    say = f"import benchmarks.evaluation as e; print(e.task_file('lm-eval:{file}').trusted)"
    run = [sys.executable, "-c", say]
    assert subprocess.run(run, capture_output=True, text=True, check=True).stdout == "True\n"
    (tmp_path / "functions.py").write_text(MODULE + "\n# changed")
    assert untrusted_code(f"lm-eval:{file}") is not None


def test_the_hash_of_a_task_covers_the_files_that_it_includes(tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    file.write_text("include: part.yaml\n")
    (tmp_path / "part.yaml").write_text(task_text(tmp_path))
    before = load_task(f"lm-eval:{file}").sha256
    (tmp_path / "part.yaml").write_text(task_text(tmp_path, metadata={"version": 2}))
    assert load_task(f"lm-eval:{file}").sha256 != before


ESCAPE = "{{ cycler.__init__.__globals__.os.system('touch IMPORTED') }}"


def test_a_template_cannot_reach_python(tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    text = ESCAPE.replace("IMPORTED", str(tmp_path / "imported"))
    file.write_text(task_text(tmp_path, doc_to_text=text))
    with pytest.raises(DataError, match="unsafe"):
        load_task(f"lm-eval:{file}")
    assert not imported(tmp_path)


@pytest.mark.parametrize(
    "config",
    [
        {"doc_to_text": "{% for n in range(10 ** 9) %}{% endfor %}"},
        {"doc_to_text": "{{ 1 // 0 }}"},
        {"doc_to_text": "{% if %}"},
        {"dataset_path": "script"},
    ],
)
def test_what_goes_wrong_in_a_task_file_is_one_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, config: dict[str, str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "script").mkdir()
    (tmp_path / "script" / "script.py").write_text("import os")
    file = tmp_path / "own.yaml"
    file.write_text(task_text(tmp_path, **config))
    with pytest.raises(DataError, match="lm-eval cannot load") as caught:
        load_task(f"lm-eval:{file}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("include", "said"),
    [
        ("{a: b}", "which is no name of a file"),
        ("5", "which is no name of a file"),
        ("[own.yaml, 5]", "included twice"),
        ("pipe", "pipe is no file"),
        ("/dev/zero", "/dev/zero is no file"),
        ("chain-0.yaml", "more than 100 files are included"),
    ],
)
def test_an_include_that_cannot_be_read_is_one_message(
    tmp_path: Path, include: str, said: str
) -> None:
    os.mkfifo(tmp_path / "pipe")
    for number in range(120):
        (tmp_path / f"chain-{number}.yaml").write_text(f"include: chain-{number + 1}.yaml")
    file = tmp_path / "own.yaml"
    file.write_text(f"task: sums\ninclude: {include}")
    with pytest.raises(DataError, match=said):
        task_file(f"lm-eval:{file}")


@pytest.mark.parametrize("entry", [{"metric": "./script"}, {"metric": "acc", "hf_evaluate": True}])
def test_a_metric_that_is_a_script_needs_trust(tmp_path: Path, entry: dict[str, object]) -> None:
    file = tmp_path / "own.yaml"
    file.write_text(task_text(tmp_path, metric_list=[entry]))
    with pytest.raises(UntrustedCodeError, match="a script of the evaluate library"):
        load_task(f"lm-eval:{file}")


def test_a_file_of_another_ending_is_no_name_of_a_task(tmp_path: Path) -> None:
    file = in_the_file(tmp_path)
    other = file.rename(file.with_suffix(".txt"))
    with pytest.raises(DataError, match="no task of that name comes with lm-eval"):
        load_task(f"lm-eval:{other}")
    assert not imported(tmp_path)


def test_another_file_of_the_same_task_name_is_not_loaded_instead(tmp_path: Path) -> None:
    file = tmp_path / "own.yaml"
    file.write_text(task_text(tmp_path))
    (tmp_path / "functions.py").write_text(MODULE)
    first = tmp_path / "a.yaml"
    first.write_text(task_text(tmp_path, "doc_to_text: !function functions.ask"))
    assert load_task(f"lm-eval:{file}").test[0].input == "1 and 1"
    assert not imported(tmp_path)


@pytest.mark.parametrize(
    "text",
    ["include: own.yaml\ntask: sums", "task: [a, b]", "group: g\ntask: sums", "- 1", "task: !x y"],
)
def test_a_file_that_is_no_task_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "own.yaml").write_text(text)
    with pytest.raises(DataError):
        task_file(f"lm-eval:{tmp_path / 'own.yaml'}")


# ---------------------------------------------------------------- commands


@pytest.mark.parametrize("command", ["bench", "tasks"])
def test_a_command_that_loads_a_task_says_how_to_trust_its_code(
    tmp_path: Path, command: str
) -> None:
    file = in_an_included_file(tmp_path)
    error = CliRunner().invoke(app, [command, f"lm-eval:{file}"]).exception
    assert isinstance(error, UntrustedCodeError)
    assert "code.functions.ask" in str(error)
    assert str(error).endswith("To import it, add: --trust")
    assert error.exit_code == 2
    assert not imported(tmp_path)


def test_tasks_shows_a_task_whose_code_is_trusted(tmp_path: Path) -> None:
    said = CliRunner().invoke(app, ["tasks", f"lm-eval:{in_the_file(tmp_path)}", "--trust"])
    assert said.exit_code == 0
    assert "lm-eval task sums" in said.stdout


@pytest.mark.parametrize("yes", [True, False])
def test_somebody_at_a_terminal_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, yes: bool
) -> None:
    name = f"lm-eval:{in_the_file(tmp_path)}"
    for stream in ("stdin", "stderr"):
        monkeypatch.setattr(f"sys.{stream}.isatty", lambda: True, raising=False)
    monkeypatch.setattr(typer, "confirm", lambda text, err: yes)
    if yes:
        settle_trust(name, trust=False)
        assert load_task(name).test[0].input == "Sum of 1 and 1"
    else:
        with pytest.raises(UntrustedCodeError):
            settle_trust(name, trust=False)
        assert not imported(tmp_path)


@pytest.fixture
def strangers(tmp_path: Path) -> list[Path]:
    """Two run folders whose plans name a file with code; the second is a shard."""
    folders = []
    for name in ("one", "other"):
        bench(tmp_path / name, tmp_path / "store", "zero-shot", "icl-random")
        plan = read_plan(tmp_path / name / "plan.yaml")
        file = tmp_path / f"{name}-task" / "own.yaml"
        file.parent.mkdir()
        in_the_file(file.parent)
        changed = plan.model_copy(update={"task": f"lm-eval:{file}"})
        write_plan(tmp_path / name / "plan.yaml", changed)
        folders.append(tmp_path / name)
    return folders


@pytest.mark.parametrize(
    "command",
    [
        "report {0}",
        "report {0} --format html",
        "compare {0} {1}",
        "verify {0} {1} --report {0}/advice.md",
        "merge {0} {1} --out {0}-merged",
        "ask --no-input --evidence {0}",
        "watch {0} --with {0}/plan.yaml",
        "reproduce {0} --out {0}-again",
        "bench --resume {0}",
    ],
)
def test_a_command_imports_nothing_that_a_strangers_run_folder_names(
    tmp_path: Path, strangers: list[Path], command: str
) -> None:
    words = command.format(*strangers).split()
    done = CliRunner().invoke(app, words)
    assert not isinstance(done.exception, ImportError | AttributeError), done.exception
    assert not imported(tmp_path)


def test_a_report_says_that_the_run_folder_keeps_no_inputs(strangers: list[Path]) -> None:
    assert CliRunner().invoke(app, ["report", str(strangers[0])]).exit_code == 0
    text = (strangers[0] / "report.md").read_text(encoding="utf-8")
    assert "keeps no inputs of this task of lm-eval" in text


@pytest.mark.slow
def test_a_bench_with_trusted_code_keeps_the_inputs_for_its_report(
    tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    name, out = f"lm-eval:{in_the_file(tmp_path)}", tmp_path / "run"
    words = ["bench", name, "--methods", "zero-shot", "--model", str(tiny_model), "--out", str(out)]
    done = subprocess.run(
        [sys.executable, "-m", "advisor.cli.app", *words, "--trust"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(material.ROOT)},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert set((recorded_inputs(out) or {}).values()) == {"Sum of 1 and 1", "Sum of 2 and 2"}
    assert str(tmp_path) not in (out / "report.md").read_text(encoding="utf-8")
    again = [sys.executable, "-m", "advisor.cli.app", "bench", "--resume", str(out)]
    environment = {**os.environ, "PYTHONPATH": str(material.ROOT)}
    refused = subprocess.run(
        again,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    assert refused.returncode == 2
    assert "has not been trusted" in refused.stderr
