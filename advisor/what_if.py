"""What would change the advice: smallest changes, open questions, and how firm it is.

All of it is found by walking the flowchart again with other answers.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise, product
from typing import Any

from pydantic import BaseModel, ConfigDict

from advisor.flowchart import DERIVED, Flowchart
from advisor.language import ENGLISH, Language
from advisor.questionnaire import (
    Answers,
    allowed,
    as_text,
    is_text,
    is_whole,
    largest,
    least,
    questions,
    takes_many,
    typical,
)
from advisor.ranking import outcome

# So many completions show a share to within five points, 19 times of 20, where each value of an
# answer occurs equally often; 256 that are drawn one by one were out by up to six.
_COMPLETIONS = 128
# Where a fact meets a threshold is looked for between these numbers, to three digits.
_STEPS = tuple(4.0**power for power in range(-4, 24))
_CLOSE = 1e-3


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class WhatIf(_Record):
    """A single changed answer that changes the first method."""

    answer: str
    now: str
    then: str
    first_now: str
    first_then: str


class Unknown(_Record):
    """A question whose answer would matter."""

    answer: str
    question: str
    could_lead_to: tuple[str, ...]


class Confidence(_Record):
    """How firm the advice is.

    Attributes:
        share: of the completions of the unknown answers under which the advice stays the same.
            In a completion each unknown answer takes one of its allowed values, or for a number
            one of its typical ones, all with the same chance.
        completions: how many were walked.
        complete: whether these are all that there are, or drawn from them: each value of an
            answer equally often, as McKay et al. 1979 (Technometrics 21:239-245) have it.
        others: what the advice becomes under the rest, and its share, the largest first.
    """

    share: float
    completions: int
    complete: bool
    others: dict[str, float]


def confidence(answers: Answers, chart: Flowchart) -> Confidence:
    """Share of the completions of the unknown answers that leave the advice as it is."""
    now = outcome(answers, chart)
    values = _open_values(answers, chart)
    number = math.prod(len(found) for found in values.values())
    if number <= _COMPLETIONS:
        drawn: Iterator[tuple[Any, ...]] = product(*values.values())
    else:
        drawn = _draws(list(values.values()))
    then = Counter(
        outcome(answers.model_copy(update=dict(zip(values, one, strict=True))), chart)
        for one in drawn
    )
    walked = then.total()
    return Confidence(
        share=then.pop(now, 0) / walked,
        completions=walked,
        complete=number <= _COMPLETIONS,
        others={name: count / walked for name, count in then.most_common()},
    )


def _open_values(answers: Answers, chart: Flowchart) -> dict[str, list[Any]]:
    """The values that each unknown answer may take that can still matter."""
    unknown = {name for name in questions() if getattr(answers, name) is None}
    matter = chart.open_questions(answers, unknown)
    found = {name: _completing(name) for name in questions() if name in matter}
    return {name: values for name, values in found.items() if values}


def _completing(name: str) -> list[Any]:
    field = questions()[name]
    if takes_many(field):
        return [(), *((one,) for one in allowed(field))]
    return list(allowed(field)) or list(typical(field))


def _draws(values: list[list[Any]]) -> Iterator[tuple[Any, ...]]:
    drawing = random.Random(0)
    return zip(*(_balanced(of, drawing) for of in values), strict=True)


def _balanced(values: list[Any], drawing: random.Random) -> list[Any]:
    """Each value as often as any other, or once more, in an order of its own."""
    rounds, more = divmod(_COMPLETIONS, len(values))
    found = values * rounds + drawing.sample(values, more)
    drawing.shuffle(found)
    return found


# ---------------------------------------------------------------- one answer changed


def what_ifs(answers: Answers, chart: Flowchart) -> Iterator[WhatIf]:
    """For each known answer, the nearest other one that changes the advice."""
    now = outcome(answers, chart)
    for name in questions():
        value = getattr(answers, name)
        if value is None:
            continue
        for other in _near(name, value, answers, chart):
            then = outcome(answers.model_copy(update={name: other}), chart)
            if then != now:
                yield WhatIf(
                    answer=name,
                    now=as_text(value),
                    then=as_text(other),
                    first_now=now,
                    first_then=then,
                )
                break


def unknown_that_matter(
    answers: Answers, chart: Flowchart, say: Language = ENGLISH
) -> Iterator[Unknown]:
    """The open questions of which a typical answer, alone, changes the advice."""
    now = outcome(answers, chart)
    unknown = {name for name in questions() if getattr(answers, name) is None}
    matter = chart.open_questions(answers, unknown)
    for name, field in questions().items():
        if name not in matter:
            continue
        then = dict.fromkeys(
            outcome(answers.model_copy(update={name: value}), chart) for value in _completing(name)
        )
        if set(then) - {now}:
            yield Unknown(
                answer=name, question=say(field.description or name), could_lead_to=tuple(then)
            )


def _near(name: str, value: Any, answers: Answers, chart: Flowchart) -> list[Any]:
    """Other answers to a question, the nearest first."""
    field = questions()[name]
    others: list[Any] = list(allowed(field))
    if is_text(field):
        return []
    if takes_many(field):
        # One member more or less is nearer than none at all.
        others = [*(_toggled(value or (), one) for one in allowed(field)), ()]
    elif not others:
        others = _numbers(name, answers, chart)
        if value is not None:
            # By ratio: from 231 labels, 770 are nearer than none.
            others.sort(key=lambda other: abs(math.log1p(other) - math.log1p(value)))
    elif value is not None:
        # Allowed values stand in an order: the smallest GPU first, low before high.
        here = others.index(value)
        others.sort(key=lambda other: abs(allowed(field).index(other) - here))
    return [other for other in others if other != value]


def _numbers(name: str, answers: Answers, chart: Flowchart) -> list[float]:
    """Numbers on both sides of every threshold that the chart has for an answer."""
    found: set[float] = set()
    for part in chart.comparisons():
        for threshold in (part.below, part.at_least):
            if threshold is None or part.answer is None:
                continue
            if part.answer == name:
                found |= _around(threshold, name)
            elif part.answer in DERIVED and name in DERIVED[part.answer].sources:
                found |= _meeting(part.answer, threshold, name, answers)
        if part.at_least_answer and name in (part.answer, part.at_least_answer):
            other = part.at_least_answer if name == part.answer else part.answer
            limit = getattr(answers, other or "", None)
            if limit is not None:
                found |= {limit, max(0.0, round(limit - 0.01, 4))}
                found.add(min(largest(questions()[name]), round(limit + 0.01, 4)))
    return sorted(found)


def _toggled(members: tuple[str, ...], one: str) -> tuple[str, ...]:
    return tuple(m for m in members if m != one) if one in members else (*members, one)


def _around(threshold: float, name: str) -> set[float]:
    if is_whole(questions()[name]):
        return {int(threshold), max(least(questions()[name]), int(threshold) - 1)}
    return {threshold, threshold / 2}


def _meeting(fact: str, threshold: float, name: str, answers: Answers) -> set[float]:
    """Numbers for an answer on both sides of where a fact derived from it meets a threshold."""
    # A class count that is known belongs to the task: nobody can choose another one.
    if name == "classes" and answers.classes is not None:
        return set()
    field = questions()[name]

    def above(number: float) -> bool | None:
        value = int(number) if is_whole(field) else number
        fact_then = DERIVED[fact].of(answers.model_copy(update={name: value}))
        return None if fact_then is None else bool(fact_then >= threshold)

    steps = [step for step in _STEPS if least(field) <= step <= largest(field)]
    sides = [above(step) for step in steps]
    found: set[float] = set()
    for (low, here), (high, there) in pairwise(zip(steps, sides, strict=True)):
        if None not in (here, there) and here != there:
            found |= _narrowed(low, high, above, whole=is_whole(field))
    return found


def _narrowed(low: float, high: float, above: Any, *, whole: bool) -> set[float]:
    side = above(low)
    while high - low > (1 if whole else _CLOSE * low):
        middle = (low + high) // 2 if whole else (low + high) / 2
        if above(middle) == side:
            low = middle
        else:
            high = middle
    return {int(low), int(high)} if whole else {_shortest(low, up=False), _shortest(high, up=True)}


def _shortest(number: float, *, up: bool) -> float:
    """A number of three digits, rounded away from where a threshold was met."""
    digits = 2 - math.floor(math.log10(number))
    rounded = (math.ceil if up else math.floor)(number * 10.0**digits) / 10.0**digits
    return round(rounded, max(0, digits))
