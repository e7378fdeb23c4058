"""Thousands of broken and hostile files: each is read, or refused with one clear message, in time.

`make fuzz` runs all trials. ``ADVISOR_FUZZ_SEED`` draws others; ``ADVISOR_FUZZ_TRIALS`` multiplies
their number.
"""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from advisor.estimates.prices import load_prices
from advisor.flowchart import load_flowchart
from advisor.questionnaire import load_answers
from advisor.recommend import recommend
from benchmarks.store import read_plan, write_plan
from benchmarks.tasks.loading import load_folder
from benchmarks.tasks.scaffold import Source, scaffold
from strategies.checksums import sealed
from strategies.errors import UserError
from strategies.model_checks import look_at_model
from strategies.models import load_config, load_tokenizer, resolve
from tests.comparison.runs import Made, make_run
from tests.fuzz.mutations import VALUES, broken
from tests.fuzz.trials import CommandEnd, command, message_of, wrong_with_message
from tests.runner.material import plan
from tests.tiny import make_tiny_model

pytestmark = [pytest.mark.fuzz, pytest.mark.timeout(0)]

SEED = int(os.environ.get("ADVISOR_FUZZ_SEED", "1"))
FACTOR = float(os.environ.get("ADVISOR_FUZZ_TRIALS", "1"))
ROOT = Path(__file__).resolve().parents[2]
CASES = ROOT / "tests" / "cases"
# As the help of ``advisor`` lists them; 1 is a bug.
EXIT_CODES = {0, *range(2, 11)}


def drawings(name: str, trials: int) -> Iterator[random.Random]:
    """A generator of random numbers for each trial of a test."""
    for number in range(max(1, int(trials * FACTOR))):
        yield random.Random(f"{SEED}/{name}/{number}")


def hold(call: Callable[[], Any], content: object) -> None:
    """A call returns or ends with a message that has nothing wrong; the trial is shown if not."""
    try:
        found = wrong_with_message(message_of(call))
    except BaseException as error:
        raise AssertionError(f"{type(error).__name__}: {error}\non {shown(content)}") from error
    assert not found, (found, message_of(call), shown(content))


def shown(content: object) -> str:
    text = repr(content)
    return text if len(text) < 3_000 else f"{text[:1500]} … {text[-1500:]}"


def hold_end(end: CommandEnd, content: object) -> None:
    found = wrong_with_message(end.text) if end.text.strip() else []
    assert end.code in EXIT_CODES, (end.code, end.text, shown(content))
    assert "Traceback (most recent call last)" not in end.text, (end.text, shown(content))
    assert not found, (found, end.text, shown(content))


def test_plans_are_read_or_refused(tmp_path: Path) -> None:
    write_plan(tmp_path / "good.yaml", plan("zero-shot", "lora", "rag"))
    good = (tmp_path / "good.yaml").read_bytes()
    for drawing in drawings("plans", 700):
        content = broken("plan.yaml", good, drawing)
        (tmp_path / "plan.yaml").write_bytes(content)
        hold(lambda: read_plan(tmp_path / "plan.yaml"), content)


def test_prices_are_read_or_refused(tmp_path: Path) -> None:
    good = (ROOT / "advisor" / "estimates" / "prices.yaml").read_bytes()
    short = {name: part for name, part in yaml.safe_load(good).items()}
    small = yaml.safe_dump(short).encode()
    for drawing in drawings("prices", 400):
        content = broken("prices.yaml", small, drawing)
        (tmp_path / "prices.yaml").write_bytes(content)
        hold(lambda: load_prices(tmp_path / "prices.yaml"), content)


def test_flowcharts_are_read_or_refused(tmp_path: Path) -> None:
    folder = ROOT / "advisor"
    for name in ("flowchart.yaml", "evidence.yaml"):
        found = next(folder.rglob(name))
        shutil.copy(found, tmp_path / name)
    good = (tmp_path / "flowchart.yaml").read_bytes()
    for drawing in drawings("flowcharts", 250):
        content = broken("flowchart.yaml", good, drawing)
        (tmp_path / "flowchart.yaml").write_bytes(content)
        hold(lambda: load_flowchart(tmp_path / "flowchart.yaml"), content)


def test_answers_give_advice_or_are_refused(tmp_path: Path) -> None:
    chart = load_flowchart()
    examples = sorted((ROOT / "examples").glob("answers-*.yaml"))
    for drawing in drawings("answers", 700):
        content = broken("answers.yaml", drawing.choice(examples).read_bytes(), drawing)
        (tmp_path / "answers.yaml").write_bytes(content)
        hold(lambda: recommend(load_answers(tmp_path / "answers.yaml"), chart), content)


def _one_broken(folder: Path, drawing: random.Random) -> tuple[str, bytes]:
    """Break one file of a folder; its name and what it holds now."""
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    file = drawing.choice(files)
    content = broken(file.name, file.read_bytes(), drawing)
    file.write_bytes(content)
    return str(file.relative_to(folder)), content


def _resealed(content: bytes) -> bytes:
    """A record of a run folder with a checksum that fits, as a stranger would write it."""
    try:
        record = json.loads(content)
        record.pop("crc32", None)
        return sealed(json.dumps(record)).encode()
    except (ValueError, TypeError, AttributeError):
        return content


def _reseal(file: Path) -> None:
    lines = file.read_bytes().splitlines() if file.suffix == ".jsonl" else [file.read_bytes()]
    file.write_bytes(b"\n".join(_resealed(line) for line in lines) + b"\n")


def _small(folder: Path, lines: int = 12) -> Path:
    """Shorten the files of lines below a folder, so that a fault is met often."""
    for file in folder.rglob("*.jsonl"):
        kept = file.read_bytes().splitlines(keepends=True)[:lines]
        file.write_bytes(b"".join(kept))
    return folder


def test_task_folders_are_read_or_refused(tmp_path: Path) -> None:
    bundled = sorted((ROOT / "benchmarks" / "tasks" / "bundled").glob("*/task.yaml"))
    for number, drawing in enumerate(drawings("tasks", 600)):
        folder = tmp_path / str(number)
        shutil.copytree(drawing.choice(bundled).parent, folder)
        _small(folder)
        broken_file = _one_broken(folder, drawing)
        hold(partial(load_folder, folder), broken_file)
        shutil.rmtree(folder)


def test_files_of_lines_become_tasks_or_are_refused(tmp_path: Path) -> None:
    files = [file for file in sorted(CASES.iterdir()) if file.is_file()]
    for number, drawing in enumerate(drawings("lines", 900)):
        chosen = drawing.choice(files)
        content = broken(chosen.name, chosen.read_bytes(), drawing)
        path = tmp_path / f"{number}-{chosen.name}"
        path.write_bytes(content)
        made = tmp_path / f"{number}-task"

        def make(path: Path = path, made: Path = made) -> None:
            scaffold(made, Source(file=path))
            load_folder(made)

        hold(make, (chosen.name, content))
        shutil.rmtree(made, ignore_errors=True)
        path.unlink()


READERS = (
    ("report", "{run}"), ("report", "{run}", "-f", "json"), ("report", "{run}", "-f", "html"),
    ("compare", "{run}", "{good}"), ("verify", "{run}"), ("merge", "{run}", "--out", "{out}"),
    ("ask", "--answers", str(ROOT / "examples" / "answers-triage.yaml"), "--no-input",
     "--evidence", "{run}"),
    ("watch", "{run}", "--items", "{run}/run.json"), ("reproduce", "{run}"),
)  # fmt: skip


def test_run_folders_are_read_or_refused_and_nothing_is_written_beside_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    _refuse_to_run(monkeypatch)
    made = [Made("zero-shot", [1.0, 0.0] * 6), Made("lora", [1.0, 1.0] * 6)]
    good = tmp_path / "good"
    make_run(good, made)
    for number, drawing in enumerate(drawings("runs", 500)):
        place = tmp_path / f"{number}"
        run = place / "run"
        shutil.copytree(good, run)
        what = _one_broken(run, drawing)
        if what[0].endswith((".json", ".jsonl")) and drawing.random() < 0.7:
            _reseal(run / what[0])
        words = drawing.choice(READERS)
        filled = [word.format(run=run, good=good, out=place / "out") for word in words]
        try:
            end = command(filled)
        except BaseException as error:
            raise AssertionError(f"{type(error).__name__}: {filled} on {shown(what)}") from error
        hold_end(end, (filled, what))
        assert {entry.name for entry in place.iterdir()} <= {"run", "out"}
        assert {entry.name for entry in tmp_path.iterdir()} == {"good", str(number)}
        shutil.rmtree(place)


def _refuse_to_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """No trial may start to train or to answer: that is what is refused here."""
    import benchmarks.runner

    def refuse(*_: Any, **__: Any) -> None:
        raise UserError("Stopped before anything is run.")

    monkeypatch.setattr(benchmarks.runner, "resolve", refuse)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_tiny_model(tmp_path_factory.mktemp("tiny"))


def _inspect(folder: Path) -> None:
    look_at_model(str(folder))
    resolved = resolve(str(folder))
    load_config(resolved)
    load_tokenizer(resolved)


def test_model_folders_are_read_or_refused(tmp_path: Path, tiny: Path) -> None:
    for number, drawing in enumerate(drawings("models", 400)):
        folder = tmp_path / str(number)
        shutil.copytree(tiny, folder)
        what = _one_broken(folder, drawing)
        hold(partial(_inspect, folder), what)
        shutil.rmtree(folder)


COMMANDS = (
    ("ask", "--answers", "{answers}", "--no-input"),
    ("ask", "--answers", "{answers}", "--no-input", "--json"),
    ("ask", "--answers", "{answers}", "--no-input", "--flowchart", "{chart}"),
    ("flowchart", "--answers", "{answers}"), ("flowchart", "--flowchart", "{chart}"),
    ("bench", "{plan}", "--out", "{out}"), ("bench", "{plan}", "--limit", "{value}"),
    ("bench", "{plan}", "--epochs", "{value}"), ("bench", "{value}", "--methods", "{value}"),
    ("tasks", "{task}"), ("tasks", "{value}"), ("init", "{out}", "--from", "{lines}"),
    ("init", "{value}", "--from", "{lines}"), ("methods",), ("models", "list"),
    ("models", "info", "{value}"), ("power", "--items", "{value}"), ("power", "--task", "{value}"),
    ("probe", "{value}"), ("report", "{value}"), ("compare", "{value}", "{value}"),
    ("verify", "{value}"), ("merge", "{value}", "--out", "{out}"), ("reproduce", "{value}"),
    ("watch", "{value}", "--items", "{lines}"),
    ("estimate", "memory", "{value}"), ("estimate", "memory", "llama-2-7b", "--batch", "{value}"),
    ("estimate", "memory", "llama-2-7b", "--rank", "{value}", "--method", "lora"),
    ("estimate", "time", "llama-2-7b", "--gpu", "H100", "--epochs", "{value}"),
    ("estimate", "time", "llama-2-7b", "--gpu", "H100", "--data", "{lines}"),
    ("estimate", "cost", "llama-2-7b", "--gpu", "H100", "--prices", "{prices}"),
    ("estimate", "cost", "llama-2-7b", "--gpu", "{value}", "--queries", "{value}"),
    ("{value}",),
)  # fmt: skip


def _argument(drawing: random.Random) -> str:
    """A value as a shell can hand it over: any text without a NUL."""
    text = str(drawing.choice(VALUES)).replace("\x00", "0")
    return text.encode("utf-8", "surrogateescape" if "\ud800" not in text else "replace").decode()


def test_commands_end_with_a_documented_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    _refuse_to_run(monkeypatch)
    monkeypatch.setattr("strategies.models.pull", _no_download)
    write_plan(tmp_path / "plan.yaml", plan("zero-shot", "lora"))
    chart = next((ROOT / "advisor").rglob("flowchart.yaml"))
    shutil.copy(next((ROOT / "advisor").rglob("evidence.yaml")), tmp_path / "evidence.yaml")
    prices = ROOT / "advisor" / "estimates" / "prices.yaml"
    kinds = {
        "answers": [ROOT / "examples" / "answers-triage.yaml"],
        "chart": [chart],
        "plan": [tmp_path / "plan.yaml"],
        "prices": [prices],
        "lines": [file for file in sorted(CASES.iterdir()) if file.is_file()],
    }
    for number, drawing in enumerate(drawings("commands", 600)):
        words = drawing.choice(COMMANDS)
        place = tmp_path / f"trial-{number}"
        place.mkdir()
        given: dict[str, str] = {"out": str(place / "out"), "task": str(place)}
        for kind, files in kinds.items():
            file = drawing.choice(files)
            made = place / f"{kind}{file.suffix}"
            content = file.read_bytes()
            whole = drawing.random() < 0.3
            made.write_bytes(content if whole else broken(file.name, content, drawing))
            given[kind] = str(made)
        filled = [word.format(**given, value=_argument(drawing)) for word in words]
        try:
            end = command(filled)
        except BaseException as error:
            raise AssertionError(f"{type(error).__name__}: {error}: {filled}") from error
        hold_end(end, filled)
        shutil.rmtree(place)


def _no_download(*_: Any, **__: Any) -> Path:
    raise UserError("Nothing is fetched in a test.")
