"""Japanese says all that English says, and nothing else: the same advice in other words."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, get_args
from xml.etree import ElementTree

import pytest
import yaml
from typer.testing import CliRunner

from advisor import mermaid
from advisor.cases import compare_with_cases, evidence_lines, evidence_sections, load_cases
from advisor.cli.app import app
from advisor.drawing import outline, svg
from advisor.estimates.gpus import Fits
from advisor.flowchart import Claim, Verdict, load_flowchart, texts_of
from advisor.language import ENGLISH, Language, language
from advisor.questionnaire import (
    Answers,
    allowed,
    detail,
    load_answers,
    parse_answers,
    questions,
    template,
)
from advisor.recommend import Recommendation, recommend
from advisor.render import decision_record
from advisor.sizing import estimate_method

ROOT = Path(__file__).parents[2]
RUNS = ROOT / "reports" / "runs"
EXAMPLES = sorted(ROOT.glob("examples/answers-*.yaml"))
JAPANESE = language("ja")
TABLE: dict[str, str] = yaml.safe_load(
    files("advisor").joinpath("texts.ja.yaml").read_text(encoding="utf-8")
)
# Units, and what Japanese engineers call by its English name.
ALIKE = {"USD", "GiB"}
# Outcomes as lines for other programs have them.
OUTCOMES = tuple(verdict.replace("_", " ") for verdict in get_args(Verdict))
# What stands in a Mermaid drawing beside its labels.
MERMAID = ("classDef lit fill",)
# With the examples, they bring about every kind of thing that an advice has to say.
SAMPLES: tuple[dict[str, Any], ...] = (
    {
        "model": "llama-3.1-8b",
        "gpu": "L4",
        "queries_per_day": 20000,
        "prompt_tokens": 300,
        "answer_tokens": 20,
        "knowledge": "changing",
        "knowledge_tokens": 1_000_000,
        "labelled_examples": 300,
        "behaviour": ["label_set"],
        "classes": 40,
        "usd_per_label": 2,
    },
    {"model": "gpt-4.1-mini", "model_access": "hosted", "queries_per_day": 500},
    {"model": "llama-3.1-8b", "gpu": "T4", "labelled_examples": 50_000, "behaviour": ["tone"]},
    {"model": "llama-3.1-8b", "gpu_count": 0, "labelled_examples": 5},
    {"model_access": "hosted", "data_may_leave": False},
)


# ---------------------------------------------------------------- what can be said


@cache
def _sayable() -> dict[str, str]:
    """Every text that can be said, and where."""
    return {**_of_code(), **_heard(), **_of_estimates(), **_of_chart(), **_of_questions()}


def _of_questions() -> dict[str, str]:
    """The questions' texts and the values to choose from, but for names of GPUs."""
    found: dict[str, str] = {}
    for name, field in questions().items():
        texts = [field.description, detail(field, "why"), detail(field, "unit")]
        if name != "gpu":
            texts += [value for value in allowed(field) if isinstance(value, str)]
        found |= {text: f"question {name}" for text in texts if text}
    return found


def _of_chart() -> dict[str, str]:
    chart = load_flowchart().model_dump(by_alias=True)
    texts = dict.fromkeys(filter(None, texts_of(chart)), "the flowchart or its claims")
    return texts | dict.fromkeys(get_args(Claim.model_fields["how"].annotation), "Claim.how")


def _of_estimates() -> dict[str, str]:
    found = dict.fromkeys(get_args(Fits), "estimates.gpus.Fits")
    for answers in _answers():
        for method in load_flowchart().methods:
            estimate = estimate_method(method, answers)
            parts = [
                *(estimate.memory.parts if estimate.memory else ()),
                *(estimate.training.parts if estimate.training else ()),
                *(estimate.cost.lines if estimate.cost else ()),
            ]
            found |= {part.name: "a part of an estimate" for part in parts}
    return found


def _of_code() -> dict[str, str]:
    """The texts in the code that are given to ``say``."""
    found: dict[str, str] = {}
    for file in sorted((ROOT / "advisor").rglob("*.py")):
        body = ast.parse(file.read_text(encoding="utf-8")).body
        constants = [part for part in body if isinstance(part, ast.Assign | ast.AnnAssign)]
        for part in body:
            bound = _bound([*constants, part])
            for call in ast.walk(part):
                if isinstance(call, ast.Call) and call.args and _says(call.func):
                    where = f"{file.relative_to(ROOT)}:{call.lineno}"
                    found |= dict.fromkeys(_strings(call.args[0], bound), where)
    return found


def _says(called: ast.expr) -> bool:
    name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
    return name in ("say", "_say")


def _bound(parts: Iterable[ast.stmt]) -> dict[str, list[ast.expr]]:
    """What each name in parts of a module stands for, one thing after another in a loop."""
    found: dict[str, list[ast.expr]] = {}
    for node in (node for part in parts for node in ast.walk(part)):
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                found.setdefault(name, []).append(value)
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                found.setdefault(name, []).append(value)
            case ast.For(target=ast.Name(id=name), iter=value):
                found.setdefault(name, []).append(value)
            case ast.comprehension(target=ast.Name(id=name), iter=value):
                found.setdefault(name, []).append(value)
            case ast.For(
                target=ast.Tuple(elts=[_, ast.Name(id=name)]),
                iter=ast.Call(func=ast.Attribute(value=value, attr="items")),
            ):
                found.setdefault(name, []).append(value)
    return found


def _strings(given: ast.expr, bound: Mapping[str, list[ast.expr]]) -> Iterator[str]:
    """The texts that an expression may stand for, as far as they are written in the code."""
    inner: Iterable[ast.expr] = ()
    match given:
        case ast.Constant(value=str() as text):
            yield text
        case ast.Name(id=name):
            inner = bound.get(name, ())
            bound = {other: values for other, values in bound.items() if other != name}
        case ast.IfExp(body=body, orelse=orelse):
            inner = (body, orelse)
        case ast.Tuple(elts=inner) | ast.List(elts=inner) | ast.BoolOp(values=inner):
            pass
        case ast.Dict(values=inner):
            pass
        case ast.Subscript(value=value):
            inner = (value,)
    for expression in inner:
        yield from _strings(expression, bound)


class _Listening(Language):
    """Keeps what it is asked to say."""

    def __init__(self) -> None:
        super().__init__("ja", TABLE)
        self.heard: dict[str, None] = {}

    def __call__(self, text: str, **values: object) -> str:
        self.heard[text] = None
        return super().__call__(text, **values)


def _heard() -> dict[str, str]:
    """What is said of the examples and the samples, wherever the text comes from."""
    listening = _Listening()
    template(listening)
    chart = load_flowchart().in_language(listening)
    for answers in _answers():
        decision_record(recommend(answers, chart, listening), listening)
        svg.draw(chart, chart.walk(answers), listening)
        outline.outline(chart, chart.walk(answers), listening)
        evidence = compare_with_cases(answers, chart, load_cases([RUNS]))
        evidence_sections(evidence, say=listening)
    named = {"", *chart.methods, *allowed(questions()["gpu"])}
    named |= {str(answers.model) for answers in _answers()}
    return dict.fromkeys((text for text in listening.heard if text not in named), "an advice")


def _answers() -> list[Answers]:
    samples = (parse_answers(sample, "sample") for sample in SAMPLES)
    return [*map(load_answers, EXAMPLES), *samples]


def _listed(texts: Iterable[str]) -> str:
    return "\n".join(f"  {text!r} ({_sayable().get(text, 'said nowhere')})" for text in texts)


# ---------------------------------------------------------------- the table


def test_every_text_that_can_be_said_has_a_translation() -> None:
    missing = [text for text in _sayable() if text not in TABLE]
    assert not missing, f"texts.ja.yaml lacks {len(missing)}:\n{_listed(missing)}"


def test_every_translation_is_of_a_text_that_can_be_said() -> None:
    unused = [text for text in TABLE if text not in _sayable()]
    assert not unused, f"texts.ja.yaml has {len(unused)} too many:\n{_listed(unused)}"


def test_no_text_is_translated_twice() -> None:
    keys = [key.value for key, _ in yaml.compose(_text_of_table()).value]
    assert sorted({key for key in keys if keys.count(key) > 1}) == []


def _text_of_table() -> str:
    return files("advisor").joinpath("texts.ja.yaml").read_text(encoding="utf-8")


def test_a_translation_has_the_places_of_its_text() -> None:
    def places(text: str) -> list[str]:
        return sorted(re.findall(r"\{[^}]*\}", text))

    wrong = [text for text, said in TABLE.items() if places(text) != places(said)]
    assert not wrong, f"other places:\n{_listed(wrong)}"


def test_a_translation_is_not_its_english_text() -> None:
    same = [text for text, said in TABLE.items() if text == said]
    assert set(same) == ALIKE, _listed(set(same) ^ ALIKE)


# ---------------------------------------------------------------- the advice

THREE_WORDS = re.compile(r"[A-Za-z][A-Za-z']*(?: [A-Za-z][A-Za-z']*){2,}")


def _run(*arguments: str) -> str:
    result = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout_bytes.decode("utf-8")


def _english_left(text: str, names: Iterable[str] = ()) -> list[str]:
    """Three English words and more in a row that are no name and no claim's source."""
    sources = [claim.source for claim in load_flowchart().claims.values()]
    for name in sorted([*sources, *MERMAID, *names], key=len, reverse=True):
        text = text.replace(name, "")
    return THREE_WORDS.findall(text)


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda path: path.stem)
def test_no_english_sentence_is_left_in_a_japanese_advice(file: Path, tmp_path: Path) -> None:
    report = tmp_path / "report.md"
    ask = ("ask", "--answers", str(file), "--no-input", "--lang", "ja")
    assert _english_left(_run(*ask, "--report", str(report)), OUTCOMES) == []
    assert _english_left(report.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda path: path.stem)
def test_no_english_sentence_is_left_in_what_cases_say_in_japanese(file: Path) -> None:
    chart = load_flowchart().in_language(JAPANESE)
    evidence = compare_with_cases(load_answers(file), chart, load_cases([RUNS]))
    for section in evidence_sections(evidence, most=len(evidence.near), say=JAPANESE):
        assert _english_left(section.model_dump_json()) == []


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda path: path.stem)
def test_what_cases_say_has_the_same_numbers_in_both_languages(file: Path) -> None:
    numbers = []
    for say in (ENGLISH, JAPANESE):
        chart = load_flowchart().in_language(say)
        evidence = compare_with_cases(load_answers(file), chart, load_cases([RUNS]))
        said = "\n".join(evidence_lines(evidence, len(evidence.near), say))
        numbers.append(sorted(re.findall(r"\d+(?:[.,]\d+)*", said)))
    assert numbers[0] == numbers[1]
    assert len(numbers[0]) > 100


@pytest.mark.parametrize("form", ["text", "mermaid", "svg"])
def test_no_english_sentence_is_left_in_a_japanese_drawing(form: str) -> None:
    drawn = _run("flowchart", "--lang", "ja", "--answers", str(EXAMPLES[0]), "--format", form)
    if form == "svg":
        root = ElementTree.fromstring(drawn)
        drawn = "\n".join(str(element.text) for element in root.iter() if element.text)
    assert _english_left(drawn) == []
    assert load_flowchart().in_language(JAPANESE).nodes[0].question in drawn


def _advice(file: Path, say: Language) -> Recommendation:
    return recommend(load_answers(file), load_flowchart().in_language(say), say)


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda path: path.stem)
def test_an_advice_is_the_same_in_both_languages_but_for_its_texts(file: Path) -> None:
    english, japanese = _advice(file, ENGLISH), _advice(file, JAPANESE)
    assert japanese.first == english.first
    assert [step.node for step in japanese.path] == [step.node for step in english.path]
    # json.loads makes lists of tuples.
    both = [json.loads(advice.model_dump_json()) for advice in (english, japanese)]
    texts = [pair for pair in _different(*both) if pair[0] != both[0]["mermaid"]]
    assert len(texts) > 40
    for text, said in texts:
        assert re.search("[ぁ-んァ-ン一-龯]", said), text
        assert _ids(said) == _ids(text)


def _different(one: Any, other: Any) -> Iterator[tuple[str, str]]:
    """Texts that differ; whatever else differs fails."""
    if isinstance(one, dict):
        assert list(one) == list(other)
        for key in one:
            yield from _different(one[key], other[key])
    elif isinstance(one, list):
        assert len(one) == len(other)
        for a, b in zip(one, other, strict=True):
            yield from _different(a, b)
    elif one != other:
        assert isinstance(one, str)
        yield one, other


def _ids(text: str) -> list[str]:
    """Ids of claims at the end of a text."""
    return re.findall(r"\[[A-Z0-9, -]+\]$", text)


def test_a_drawing_lights_the_same_way_in_both_languages() -> None:
    answers = load_answers(EXAMPLES[0])
    lit = []
    for say in (ENGLISH, JAPANESE):
        chart = load_flowchart().in_language(say)
        lines = mermaid.draw(chart, chart.walk(answers), say).splitlines()
        lit.append([line for line in lines if line.startswith(("  class ", "  linkStyle "))])
    assert lit[0] == lit[1]
    assert len(lit[0]) == 2


def test_the_language_of_a_drawing_can_be_set_for_a_whole_session() -> None:
    result = CliRunner().invoke(app, ["flowchart"], env={"ADVISOR_LANG": "ja"})
    assert result.stdout_bytes.decode("utf-8") == _run("flowchart", "--lang", "ja")
    assert _run("flowchart") != _run("flowchart", "--lang", "ja")
