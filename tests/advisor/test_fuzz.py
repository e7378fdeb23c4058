"""A thousand answers files, most of them wrong: advice, or one clear message."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import yaml

from advisor.errors import AnswersError
from advisor.flowchart import load_flowchart
from advisor.questionnaire import allowed, largest, least, load_answers, questions, takes_many
from advisor.ranking import outcome
from advisor.recommend import recommend
from advisor.render import decision_record

CHART = load_flowchart()
FILES = 1_000
OUTCOMES = {
    *CHART.methods, "no_adaptation", "no_language_model", "no_method_fits", "no_method_reaches",
}  # fmt: skip
_ODD: tuple[Any, ...] = (
    "", " ", "yes", "?", "none", "NaN", ".inf", "-1", "1e400", "0x10", "1_000", "é\u202e", "\x07",
    -1, 0, 1.5, 10**30, True, None, [], [[]], {}, {"a": 1}, ["tone", "tone"], ["tone", 7],
    float("nan"), float("inf"), "x" * 5_000, "../../etc/passwd", "gpt-4.1", "L40S",
)  # fmt: skip
_TEXTS = (
    b"\xff\xfe", b"a: [", b"- 1\n- 2", b"&a [*a]", b"!!python/object:os.system x", b"\x00",
    b"? [a]\n: b", b"<<: {knowledge: none}", b"a: &x 1\nb: *x", b"knowledge: !!int x",
)  # fmt: skip


def _usual(name: str, drawing: random.Random) -> Any:
    field = questions()[name]
    if takes_many(field):
        return drawing.sample(allowed(field), drawing.randint(0, 2))
    if allowed(field):
        return drawing.choice(allowed(field))
    if name == "model":
        return "qwen2.5-7b"
    return drawing.uniform(least(field), min(largest(field), 10 ** drawing.randint(0, 12)))


def _file(number: int) -> bytes:
    """An answers file; one in four has nothing odd in it."""
    drawing = random.Random(number)
    if drawing.random() < 0.05:
        return drawing.choice(_TEXTS)
    names = drawing.sample([*questions()], drawing.randint(0, 12))
    values = {name: _usual(name, drawing) for name in names}
    for name, value in values.items():
        if isinstance(value, float) and drawing.random() < 0.8:
            values[name] = int(value)
    if drawing.random() < 0.7:
        for name in drawing.sample([*questions(), "labels", "", "schema_version"], 2):
            values[name] = drawing.choice(_ODD)
    return yaml.safe_dump(values, allow_unicode=True).encode("utf-8", "surrogatepass")


def test_a_thousand_answers_files_give_advice_or_one_message(tmp_path: Path) -> None:
    file = tmp_path / "answers.yaml"
    advised = refused = 0
    for number in range(FILES):
        file.write_bytes(_file(number))
        try:
            answers = load_answers(file)
        except AnswersError as error:
            refused += 1
            assert str(error).startswith(str(file)), number
            continue
        advised += 1
        assert outcome(answers, CHART).replace(" ", "_") in OUTCOMES
        if number % 20 == 0:
            assert decision_record(recommend(answers, CHART)).startswith("# Which")
    assert advised > FILES / 10
    assert refused > FILES / 10
