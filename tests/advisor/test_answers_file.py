"""A file of answers that cannot be used gives one message, never a traceback."""

from __future__ import annotations

from pathlib import Path

import pytest

from advisor.errors import AnswersError, FlowchartError
from advisor.flowchart import load_flowchart
from advisor.language import LanguageCode, language
from advisor.questionnaire import Answers, load_answers, questions, template


def _refused(tmp_path: Path, text: str) -> str:
    file = tmp_path / "answers.yaml"
    file.write_text(text)
    with pytest.raises(AnswersError) as caught:
        load_answers(file)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("labelled_examples: yes", "labelled_examples: is True; expected a number. Unit: exam"),
        ("labelled_examples: " + "9" * 30, "at most 1,000,000,000,000,000,000"),
        ("tasks: '" + "9" * 400 + "'", "at most 1,000,000,000,000,000,000"),
        ("queries_per_day: .inf", "finite number"),
        ("behaviour: 3", "is 3; expected a list such as [tone, format]"),
        ("behaviour: rude", "is 'rude'. Allowed: tone, style"),
        ("schema_version: 2", "schema_version: is 2; allowed: 1"),
        ("tasks: 1\nknowledge: none\ntasks: 2", "line 3: 'tasks' is there twice, first in line 1"),
        ("tasks: 2026-13-45", "cannot be read as YAML"),
        ("tasks: " + "[" * 5_000, "cannot be read as YAML"),
        ("tasks: !!python/object:os.system x", "cannot be read as YAML"),
        ("tasks: " + "9" * 5_000, "cannot be read as YAML"),
        ('tasks: !!int ""', "fits no type, or not its tag"),
        ("tasks: !!bool maybe", "fits no type, or not its tag"),
        ("tasks: !!timestamp soon", "fits no type, or not its tag"),
        ("tasks: !!map [a]", "line 1: expected a mapping node, but found sequence"),
    ],
    ids=lambda text: text[:24],
)
def test_what_is_wrong_with_an_answer_is_said(tmp_path: Path, text: str, says: str) -> None:
    assert says in _refused(tmp_path, text)


@pytest.mark.parametrize("code", ["en", "ja"])
def test_the_template_holds_every_question_and_knows_nothing(
    tmp_path: Path, code: LanguageCode
) -> None:
    file = tmp_path / "answers.yaml"
    file.write_text(template(language(code)), encoding="utf-8")
    assert load_answers(file) == Answers()
    lines = file.read_text(encoding="utf-8").splitlines()
    assert [line[:-1] for line in lines if line.endswith(":")] == list(questions())
    filled = "\n".join("tasks: 3" if line == "tasks:" else line for line in lines)
    file.write_text(filled, encoding="utf-8")
    assert load_answers(file) == Answers(tasks=3)


def test_answers_in_another_encoding_give_one_message(tmp_path: Path) -> None:
    file = tmp_path / "answers.yaml"
    file.write_bytes("# Größe\ntasks: 1".encode("latin-1"))
    with pytest.raises(AnswersError, match="cannot be read as YAML"):
        load_answers(file)


@pytest.mark.parametrize(
    ("text", "behaviour"),
    [("none", ()), ("tone", ("tone",)), ("tone, format", ("tone", "format")), ("[]", ())],
)
def test_a_behaviour_is_written_as_a_list_or_as_its_names(
    tmp_path: Path, text: str, behaviour: tuple[str, ...]
) -> None:
    file = tmp_path / "answers.yaml"
    file.write_text(f"behaviour: {text}")
    assert load_answers(file).behaviour == behaviour


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("start: 2026-13-45", "is no flowchart: line 1: '2026-13-45' fits no type"),
        ('start: !!int ""', "is no flowchart: line 1: '' fits no type"),
        ("start: !!bool maybe", "is no flowchart: line 1: 'maybe' fits no type"),
        ("[" * 5_000, "is no flowchart"),
        ("- a", "expected a mapping with the keys schema_version, methods, start, nodes"),
        ("just words", "expected a mapping"),
        ("# nothing yet", "expected a mapping"),
        ("claims: [a]", "claims needs an id with how, source and finding"),
    ],
    ids=lambda text: text[:24],
)
def test_a_text_that_is_no_chart_gives_one_message(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "chart.yaml"
    file.write_text(text)
    with pytest.raises(FlowchartError, match=says):
        load_flowchart(file)
