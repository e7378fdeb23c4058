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
from advisor.cases import compare_with_cases, evidence_sections, load_cases
from advisor.cli.app import app
from advisor.drawing import outline, svg
from advisor.estimates.gpus import Fits
from advisor.flowchart import Claim, load_flowchart, texts_of
from advisor.language import ENGLISH, Language, language
from advisor.questionnaire import Answers, allowed, detail, load_answers, parse_answers, questions
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
# Names in Japanese texts that have three English words or more.
NAMES = ("LoRA without regret", "Thinking Machines")
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
    {"labelled_examples": 5, "model": "llama-3.1-8b", "gpu_count": 0},
    {"labelled_examples": 0, "data_may_leave": False, "model_access": "hosted"},
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
    texts = dict.fromkeys(texts_of(chart), "the flowchart or its claims")
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
        tree = ast.parse(file.read_text(encoding="utf-8"))
        bound = _bound(tree)
        for call in ast.walk(tree):
            if isinstance(call, ast.Call) and call.args and _says(call.func):
                where = f"{file.relative_to(ROOT)}:{call.lineno}"
                found |= dict.fromkeys(_strings(call.args[0], bound), where)
    return found


def _says(called: ast.expr) -> bool:
    name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
    return name in ("say", "_say")


def _bound(tree: ast.AST) -> dict[str, list[ast.expr]]:
    """What each name of a module stands for, one thing after another in a loop."""
    found: dict[str, list[ast.expr]] = {}
    for node in ast.walk(tree):
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                found.setdefault(name, []).append(value)
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                found.setdefault(name, []).append(value)
            case ast.For(target=ast.Name(id=name), iter=value):
                found.setdefault(name, []).append(value)
            case ast.comprehension(target=ast.Name(id=name), iter=value):
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
    chart = load_flowchart().in_language(listening)
    for answers in _answers():
        decision_record(recommend(answers, chart, listening), listening)
        svg.draw(chart, chart.walk(answers), listening)
        outline.outline(chart, chart.walk(answers), listening)
        evidence = compare_with_cases(answers, chart, load_cases([RUNS]))
        evidence_sections(evidence, say=listening)
    return dict.fromkeys(filter(None, listening.heard), "an advice")


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
