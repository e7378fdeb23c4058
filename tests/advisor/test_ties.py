"""Methods between which the answers do not decide are all named, with what decides."""

from __future__ import annotations

import json
import sys
from collections import Counter
from itertools import product
from pathlib import Path
from typing import Any

import pexpect
import pytest
import yaml
from typer.testing import CliRunner

from advisor.cli.app import app
from advisor.flowchart import load_flowchart
from advisor.questionnaire import parse_answers
from advisor.ranking import Place, Said, places, said_on, tied
from advisor.recommend import Recommendation, recommend
from advisor.render import decision_record

CHART = load_flowchart()
# LoRA against similar demonstrations: the plain prompt misses its target, and lacks no facts.
EQUAL: dict[str, Any] = {
    "eval_items": 150,
    "target_score": 0.8,
    "current_score": 0.6,
    "model_access": "open",
    "model_parameters": 8_000_000_000,
    "knowledge": "none",
    "behaviour": [],
    "labelled_examples": 5_000,
}
NAMES = ("icl-nearest", "lora")


def _advice(**values: Any) -> Recommendation:
    return recommend(parse_answers(values, "test"), CHART)


def test_both_methods_and_the_deciding_measurement_are_named() -> None:
    advice = _advice(**EQUAL)
    assert advice.tied == NAMES
    assert all(name in advice.text and name in advice.decided_by for name in NAMES)
    assert "paired difference" in advice.decided_by
    assert "reaches 0.8" in advice.decided_by
    assert set(NAMES) <= set(advice.candidates)


def test_without_a_target_the_paired_difference_alone_decides() -> None:
    values = {**EQUAL, "target_score": None, "behaviour": None}
    values |= {"labelled_examples": 200, "model_parameters": 135_000_000, "queries_per_day": 50}
    advice = _advice(**values)
    assert advice.tied == NAMES
    assert "reaches" not in advice.decided_by
    assert "paired difference" in advice.decided_by


def test_the_ladder_leads_past_every_method_that_ties() -> None:
    rungs = [step for step in _advice(**EQUAL).ladder if step.method]
    assert tuple(step.method for step in rungs)[-2:] == NAMES
    assert rungs[-2].otherwise == "climb to lora"
    assert "paired difference from icl-nearest" in rungs[-1].measure


def test_without_a_tie_nothing_is_said_of_one() -> None:
    advice = _advice(**{**EQUAL, "behaviour": ["style"]})
    assert (advice.first, advice.tied, advice.decided_by) == ("lora", (), "")
    assert "speak equally" not in decision_record(advice)


def test_what_nothing_speaks_for_is_nobodys_equal() -> None:
    # Without labels and facts the plain prompt stands at 0, and so do methods nobody spoke of.
    advice = _advice(knowledge="none", behaviour=[], labelled_examples=0)
    assert (advice.first, advice.tied) == ("zero-shot", ())
    order = [Place("zero-shot", 0, False), Place("full", 0, False), Place("lora", 0, True)]
    favour = next(e for node in CHART.nodes for e in node.all_effects() if e.for_ == ("lora",))
    assert tied(order, [Said("", favour)]) == ()


def test_a_tie_is_named_whenever_the_strengths_are_equal_and_never_else() -> None:
    found: Counter[int] = Counter()
    grid = product(
        ("none", "static", "changing", None), (0, 5, 30, 500), ([], ["style"], None),
        ("hosted", "open"), (135_000_000, 8_000_000_000), (10, 50_000),
    )  # fmt: skip
    for knowledge, labels, behaviour, access, parameters, queries in grid:
        values = {
            "knowledge": knowledge, "labelled_examples": labels, "behaviour": behaviour,
            "model_access": access, "model_parameters": parameters, "queries_per_day": queries,
        }  # fmt: skip
        said = said_on(CHART.walk(parse_answers(values, "test")))
        expected = _equals(said)
        assert tied(places(CHART, said), said) == expected, values
        found[len(expected)] += 1
    assert found[0] > found[2] > 0


def _equals(said: list[Said]) -> tuple[str, ...]:
    """What ties, counted apart from the code."""
    effects = [effect for _, effect in said]
    strength = {
        name: sum(e.strength for e in effects if name in (e.for_ or ()))
        - sum(e.strength for e in effects if name in (e.against or ()))
        for name in CHART.methods
    }
    blocked = {name for effect in effects for name in effect.block or ()}
    usable = [name for name in CHART.methods if name not in blocked]
    if not usable:
        return ()
    first, *others = [n for n in usable if strength[n] == max(strength[u] for u in usable)]
    favoured = [n for n in others if any(n in (effect.for_ or ()) for effect in effects)]
    return (first, *favoured) if favoured else ()


# ---------------------------------------------------------------- where it is printed


@pytest.fixture
def answers(tmp_path: Path) -> str:
    path = tmp_path / "answers.yaml"
    path.write_text(yaml.safe_dump({**EQUAL, "behaviour": "none"}))
    return str(path)


def _ask(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["ask", *arguments, "--no-input"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_json_and_lines_for_programs_name_both(answers: str) -> None:
    told = json.loads(_ask("--answers", answers, "--json"))
    assert tuple(told["tied"]) == NAMES
    assert "paired difference" in told["decided_by"]
    lines = [line.split("\t") for line in _ask("--answers", answers).splitlines()]
    (line,) = [line for line in lines if line[0] == "tied"]
    assert line[1:] == ["icl-nearest, lora", told["decided_by"]]


def test_the_terminal_names_both(answers: str) -> None:
    command = ["-m", "advisor.cli.app", "ask", "--answers", answers, "--no-input"]
    said, status = pexpect.run(
        f"{sys.executable} {' '.join(command)}", encoding="utf-8", withexitstatus=True
    )
    assert status == 0
    plain = " ".join(str(said).split())
    assert "These answers speak equally for icl-nearest and lora" in plain
    assert "What decides between icl-nearest and lora: whether icl-nearest reaches 0.8" in plain


def test_the_decision_record_names_both(answers: str, tmp_path: Path) -> None:
    record = tmp_path / "record.md"
    _ask("--answers", answers, "--report", str(record))
    text = record.read_text()
    assert "**These answers speak equally for icl-nearest and lora:" in text
    assert "What decides between icl-nearest and lora: whether icl-nearest reaches 0.8" in text


def test_quiet_prints_the_one_to_begin_with(answers: str) -> None:
    assert _ask("--answers", answers, "--quiet") == "icl-nearest\n"
