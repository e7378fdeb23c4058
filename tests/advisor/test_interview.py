"""The interview in a real terminal: asking again, going back, stopping and going on."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pexpect
import pytest
import yaml
from typer.testing import CliRunner

from advisor import language as languages
from advisor.cli.app import app
from advisor.cli.interview import KEPT, parsed
from advisor.errors import AdvisorError
from advisor.flowchart import load_flowchart
from advisor.questionnaire import Answers, load_answers, parse_answers, questions

PROMPT = r"\[[^\]\r\n]*\]: $"


def _spawn(*arguments: str, folder: Path | None = None) -> Any:
    child = pexpect.spawn(
        sys.executable,
        ["-m", "advisor.cli.app", "ask", *arguments],
        encoding="utf-8",
        timeout=30,
        cwd=folder,
        dimensions=(50, 200),
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
    )
    child.delaybeforesend = None
    return child


def _answer(child: Any, question: str, text: str) -> None:
    child.expect_exact(question)
    child.expect(PROMPT)
    child.sendline(text)


def _to_the_end(child: Any, text: str = "?") -> str:
    """Every other question answered alike; what was said on the way."""
    said = ""
    while child.expect([PROMPT, pexpect.EOF]) == 0:
        said += child.before
        child.sendline(text)
    child.close()
    return said + child.before


def test_a_wrong_answer_is_asked_again_and_answers_are_saved(tmp_path: Path) -> None:
    saved = tmp_path / "answers.yaml"
    child = _spawn("--save", str(saved), "--quiet")
    _answer(child, "What kind of task", "poetry")
    _answer(child, "Allowed: classification", "1")
    _answer(child, "What does an answer look like", "label")
    _answer(child, "How many items", "150")
    _answer(child, "Which score on it", "0,8")
    _answer(child, "'0,8' is no number here", "0.8")
    _to_the_end(child)
    assert child.exitstatus == 0
    assert yaml.safe_load(saved.read_text()) == {
        "schema_version": 1,
        "task_kind": "classification",
        "output": "label",
        "eval_items": 150,
        "target_score": 0.8,
    }


def test_enter_takes_what_stands_in_brackets(tmp_path: Path) -> None:
    saved = tmp_path / "answers.yaml"
    child = _spawn("--save", str(saved), "--quiet")
    said = _to_the_end(child, "")
    assert child.exitstatus == 0
    answers = load_answers(saved)
    assert answers.model_access == "open"
    assert answers.labelled_examples is None
    assert "Are these tasks alike?" not in said


def test_going_back_asks_the_last_question_again(tmp_path: Path) -> None:
    saved = tmp_path / "answers.yaml"
    child = _spawn("--save", str(saved), "--quiet")
    _answer(child, "What kind of task", "<")
    _answer(child, "This is the first question", "qa")
    _answer(child, "What does an answer look like", "2")
    _answer(child, "How many items", "<")
    _answer(child, "What does an answer look like", "<")
    _answer(child, "What kind of task", "extraction")
    _answer(child, "What does an answer look like", "structured")
    _to_the_end(child)
    assert load_answers(saved) == Answers(task_kind="extraction", output="structured")


def test_only_what_can_still_change_the_advice_is_asked(tmp_path: Path) -> None:
    # A hosted model and data that may not leave end the walk: what is left decides the first step.
    known = tmp_path / "answers.yaml"
    known.write_text("model_access: hosted\ndata_may_leave: false\n")
    child = _spawn("--answers", str(known))
    _answer(child, "How many items", "150")
    _answer(child, "Which score on it", "0.8")
    said = _to_the_end(child)
    assert child.exitstatus == 0
    assert " more at most]" not in said
    assert "Choose a model with open weights" in said


def test_what_an_answer_settles_is_not_asked() -> None:
    chart, every = load_flowchart(), set(questions())

    def asked(**known: object) -> set[str]:
        return chart.open_questions(parse_answers(known, "test"), every - set(known))

    assert asked() == every
    hosted = asked(model="gpt-4.1", data_may_leave=True, knowledge="none")
    assert not hosted & {"model_access", "gpu", "gpu_hours", "training_skill", "knowledge_private"}
    assert "tasks_alike" not in asked(tasks=1)
    assert "knowledge_tokens" not in asked(knowledge="none")
    assert "gpu_memory_gib" not in asked(gpu="L40S")
    # A name or a size will do.
    assert "model" not in asked(model_parameters=8_000_000_000)


@pytest.mark.parametrize("language", ["en", "ja"])
def test_what_was_answered_before_ctrl_c_goes_on(
    tmp_path: Path, language: languages.LanguageCode
) -> None:
    say = languages.language(language)
    first, third = (
        say(questions()[name].description or "") for name in ("task_kind", "eval_items")
    )
    assert (first == "What kind of task is it?") == (language == "en")
    saved = tmp_path / "answers.yaml"
    command = ("--save", str(saved), "--lang", language)
    child = _spawn(*command)
    _answer(child, first, "qa")
    child.expect(PROMPT)
    child.sendline("<")
    _answer(child, first, "3")
    child.expect(PROMPT)
    child.sendline("short_text")
    child.expect_exact(third)
    child.send("\x03")
    child.expect(f"--answers {saved}")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 130
    assert load_answers(saved) == Answers(task_kind="qa", output="short_text")

    with pytest.raises(AdvisorError, match="Go on with it: --answers"):
        CliRunner().invoke(app, ["ask", "--save", str(saved)], catch_exceptions=False)

    child = _spawn(*command, "--answers", str(saved))
    _answer(child, third, "150")
    said = _to_the_end(child)
    assert child.exitstatus == 0
    assert first not in said
    assert load_answers(saved).eval_items == 150


def test_ctrl_c_keeps_answers_that_were_to_be_saved_nowhere(tmp_path: Path) -> None:
    for name in (KEPT.name, f"{KEPT.stem}-2{KEPT.suffix}"):
        child = _spawn(folder=tmp_path)
        _answer(child, "What kind of task", "qa")
        child.expect("What does an answer")
        child.send("\x03")
        child.expect(f"go on with --answers {name}")
        child.expect(pexpect.EOF)
        assert load_answers(tmp_path / name) == Answers(task_kind="qa")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("none", []),
        ("tone, 3", ["tone", "format"]),
        ("1", ["tone"]),
        ("9", ["9"]),
    ],
)
def test_choices_are_named_or_numbered(text: str, value: list[str]) -> None:
    assert parsed(text, questions()["behaviour"]) == value


@pytest.mark.parametrize(("text", "value"), [("はい", True), ("n", False), ("maybe", "maybe")])
def test_yes_and_no_are_understood_in_both_languages(text: str, value: object) -> None:
    assert parsed(text, questions()["data_may_leave"]) == value
