"""A probe looks at validation items alone, goes on where it stopped, and says what it saw."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from advisor.cli.app import app
from advisor.questionnaire import load_answers
from benchmarks import probe as probing
from benchmarks.learning_curve import Range
from benchmarks.probe import Probe, ProbeSetting, Step, findings, measured_answers, probe
from benchmarks.records import ItemScore
from benchmarks.tasks.catalogue import load_task
from strategies.errors import DataError
from strategies.progress import silent

SETTING = ProbeSetting(
    task="handbook-qa", model="smollm2-135m-instruct", items=20, train=40, epochs=1
)
RIGHT = {"plain": 2, "floor": 5, "gold": 16, "rag": 12, "icl": 3}


def _items(right: int, task: Any) -> tuple[ItemScore, ...]:
    return tuple(
        ItemScore(id=item.id, metrics={task.metric: float(n < right)}, reference="", prediction="")
        for n, item in enumerate(task.test)
    )


def _fake(calls: list[tuple[str, int | None]], stop_at: int | None = None) -> Any:
    def measured(name: Any, labels: int | None, task: Any, *_: Any) -> Step:
        if len(calls) == stop_at:
            raise KeyboardInterrupt
        calls.append((name, labels))
        right = RIGHT[name] if labels is None else {10: 4, 20: 8, 40: 12}[labels]
        return Step(
            name=name,
            method=name,
            labels=labels,
            score=Range(likely=right / 20, low=0, high=1),
            format_validity=0.5 if name == "plain" else None,
            recall_at_k=0.8 if name == "rag" else None,
            prompt_tokens=120,
            seconds=1.0,
            items=_items(right, task),
        )

    return measured


def _probed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Probe, list[Any]]:
    calls: list[tuple[str, int | None]] = []
    monkeypatch.setattr(probing, "_measured", _fake(calls))
    return probe(SETTING, folder, silent, lambda step: None), calls


def test_everything_that_can_be_measured_is_measured_cheap_things_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, calls = _probed(tmp_path, monkeypatch)
    assert calls == [
        ("plain", None), ("floor", None), ("gold", None), ("rag", None), ("icl", None),
        ("lora", 10), ("lora", 20), ("lora", 40),
    ]  # fmt: skip
    gold = found.step("gold")
    # 16 of 20 right against 2 of 20.
    assert gold is not None
    assert gold.gain is not None
    assert gold.gain.likely == pytest.approx(0.7)
    # 20 points more at each doubling: .8 at 80 labels.
    assert found.curve is not None
    assert found.curve.gain.likely == pytest.approx(0.2)
    assert found.curve.twice.likely == pytest.approx(0.8)


def test_no_test_item_is_looked_at() -> None:
    task = load_task("handbook-qa")
    cut = probing._cut(SETTING)
    assert {item.id for item in cut.test} <= {item.id for item in task.validation}
    assert {item.id for item in cut.train} <= {item.id for item in task.train}
    assert not cut.validation


def test_what_was_measured_is_not_measured_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[tuple[str, int | None]] = []
    monkeypatch.setattr(probing, "_measured", _fake(calls, stop_at=3))
    with pytest.raises(KeyboardInterrupt):
        probe(SETTING, tmp_path, silent, lambda step: None)
    said: list[str] = []
    rest: list[tuple[str, int | None]] = []
    monkeypatch.setattr(probing, "_measured", _fake(rest))
    probe(SETTING, tmp_path, silent, lambda step: said.append(step.name))
    assert [name for name, _ in calls] == ["plain", "floor", "gold"]
    assert [name for name, _ in rest] == ["rag", "icl", "lora", "lora", "lora"]
    assert len(said) == 8


def test_what_it_says_follows_from_what_it_saw(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, _ = _probed(tmp_path, monkeypatch)
    assert measured_answers(found, 0.8) == {
        "current_score": 0.1,
        "prompt_tokens": 120,
        "classical_score": 0.25,
        "failures": ["lacks_facts", "wrong_format"],
    }
    # The plain prompt's .1 is within .0 to 1: no proof that it meets a target of .05.
    assert "current_score" not in measured_answers(found, 0.05)
    said = " ".join(findings(found, 0.8))
    assert "It can read: gold passages add +70.0" in said
    assert "a gold passage for 80% of the items" in said
    assert "keep the format in 50%" in said
    assert "0.8 takes 80 labels or more" in said


def test_a_task_with_too_few_items_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="needs 10 or more"):
        probe(SETTING.model_copy(update={"items": 9}), tmp_path, silent, lambda step: None)
    with pytest.raises(DataError, match="task folder"):
        probe(SETTING.model_copy(update={"task": "lm-eval:x"}), tmp_path, silent, lambda _: None)


def test_the_command_saves_answers_and_says_what_they_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probing, "_measured", _fake([]))
    saved = tmp_path / "answers.yaml"
    sizes = ["--items", "20", "--train", "40", "--epochs", "1"]
    done = CliRunner().invoke(
        app,
        ["probe", "handbook-qa", *sizes, "--out", str(tmp_path), "--save", str(saved)],
        catch_exceptions=False,
    )
    assert done.exit_code == 0
    assert "current_score\tnot known\t0.1" in done.stdout
    assert load_answers(saved).failures == ("lacks_facts", "wrong_format")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*gradient_checkpointing:FutureWarning")
def test_a_real_probe_measures_and_ends(tmp_path: Path) -> None:
    setting = SETTING.model_copy(update={"items": 10, "train": 20})
    found = probe(setting, tmp_path, silent, lambda step: None)
    assert [step.name for step in found.steps][:5] == ["plain", "floor", "gold", "rag", "icl"]
    gold, rag = found.step("gold"), found.step("rag")
    assert gold is not None
    assert rag is not None
    assert gold.recall_at_k == 1
    assert rag.recall_at_k is not None
    again = probe(setting, tmp_path, silent, lambda step: None)
    assert again == found


@pytest.mark.parametrize("damage", ["a bit is flipped", "emptied", "a folder in its place"])
@pytest.mark.fault("the measurements of a probe are damaged")
def test_damaged_measurements_are_set_aside_and_made_again(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    damage: str,
) -> None:
    whole, _ = _probed(tmp_path, monkeypatch)
    file = tmp_path / "probe.json"
    content = file.read_bytes()
    # Still JSON and still measurements, but other ones.
    file.write_bytes(
        content.replace(b'"seconds": 1.0', b'"seconds": 0.0', 1) if damage[2] == "b" else b""
    )
    if damage.startswith("a folder"):
        file.unlink()
        file.mkdir()
    again, calls = _probed(tmp_path, monkeypatch)
    assert again == whole
    assert len(calls) == len(whole.steps)
    assert [str(file) in note for note in caplog.messages] == [True]
    caplog.clear()
    assert _probed(tmp_path, monkeypatch) == (whole, [])
    assert caplog.messages == []
