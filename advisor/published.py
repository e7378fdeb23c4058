"""The flowchart against comparisons that others published, beside a rule of three questions.

A published case gives answers and the family of methods that was measured best. It holds no item
scores, so a choice is a hit or a miss, and nothing is known of how far a miss lies behind.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from statistics import NormalDist, fmean
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from advisor.flowchart import Flowchart
from advisor.limited_files import own_yaml
from advisor.questionnaire import Answers, parse_answers
from advisor.ranking import places, said_on, tied, verdict_of

Family = Literal[
    "prompted", "demonstrations", "rag", "tuned", "hybrid", "corpus-in-prompt", "small-encoder"
]
FAMILIES: dict[str, tuple[Family, ...]] = {
    "zero-shot": ("prompted",),
    "icl-random": ("prompted", "demonstrations"),
    "icl-nearest": ("prompted", "demonstrations"),
    "rag": ("rag",),
    "lora": ("tuned",),
    "full": ("tuned",),
    "rag+lora": ("hybrid",),
    "raft": ("hybrid",),
}
"""The families to which the choice of a method belongs."""
ENOUGH_LABELS = 50
RULE = (
    "outside knowledge: rag; else a hosted model or fewer than fifty labels: icl-nearest, or "
    "zero-shot where there are none; else lora"
)
IN_SAMPLE = (
    "All of these cases are in sample for the built-in flowchart: it was corrected with them in "
    "view, so that its agreement here is no test on anything new."
)


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PublishedCase(_Record):
    """What others compared.

    Attributes:
        study: cases of one study are not independent.
        source: where it was published, and what came out.
        measured_best: in the source's words.
        best: families whose choice counts as right.
        at_first: what the flowchart said before the cases were in view.
        answers: what is known of the use case.
    """

    id: str
    study: str
    source: str
    measured_best: str
    best: tuple[Family, ...]
    at_first: str
    answers: dict[str, Any]

    @property
    def known(self) -> Answers:
        """The answers, checked."""
        return parse_answers(self.answers, f"published case {self.id}")


class Judged(_Record):
    """What was chosen for a case, and how that came out.

    Attributes:
        chosen: the flowchart's first method, or its verdict.
        equals: methods that are as strong by the answers; empty without a tie.
        reachable: whether the flowchart holds a method of a family that was measured best.
        by_rule: what the rule of three questions chooses.
    """

    case: PublishedCase
    chosen: str
    equals: tuple[str, ...]
    reachable: bool
    by_rule: str

    @property
    def hit(self) -> bool:
        """Whether the flowchart's choice is of a family that was measured best."""
        return _is_of(self.chosen, self.case.best)

    @property
    def rule_hit(self) -> bool:
        """The same of the rule's choice."""
        return _is_of(self.by_rule, self.case.best)


class Rate(_Record):
    """How often a choice was right.

    Attributes:
        low: of the 95 % interval of the share, a study counting as one trial.
        high: of the same.
    """

    hits: int
    cases: int
    studies: int
    low: float
    high: float


class PublishedCheck(_Record):
    """All published cases against one flowchart.

    Attributes:
        rate: of the flowchart.
        rule_rate: of the rule of three questions.
        at_first: hits before the cases were in view.
        only_advisor: cases that the flowchart hits and the rule misses.
        only_rule: the other way round.
        p_value: of an exact sign test of these two numbers.
    """

    schema_version: Literal[1] = 1
    flowchart: str
    cases: tuple[Judged, ...]
    rate: Rate
    rule_rate: Rate
    at_first: int
    only_advisor: int
    only_rule: int
    p_value: float
    rule: str = RULE
    in_sample: str = IN_SAMPLE


@cache
def published_cases() -> tuple[PublishedCase, ...]:
    """The cases that come with the package."""
    data = own_yaml(files("advisor").joinpath("published.yaml").read_text(encoding="utf-8"))
    return tuple(PublishedCase.model_validate(case) for case in data)


def three_questions(answers: Answers) -> str:
    """The method of a rule that asks for outside knowledge, a hosted model and fifty labels."""
    if answers.knowledge in ("static", "changing"):
        return "rag"
    labels = answers.labelled_examples or 0
    if answers.model_access == "hosted" or labels < ENOUGH_LABELS:
        return "icl-nearest" if labels else "zero-shot"
    return "lora"


def check_published(chart: Flowchart, name: str) -> PublishedCheck:
    """The flowchart's choice for every published case against what was measured.

    Args:
        chart: the flowchart to walk.
        name: what to call it.
    """
    judged = tuple(_judged(case, chart) for case in published_cases())
    only_advisor = sum(one.hit and not one.rule_hit for one in judged)
    only_rule = sum(one.rule_hit and not one.hit for one in judged)
    studies = [one.case.study for one in judged]
    return PublishedCheck(
        flowchart=name,
        cases=judged,
        rate=_rate([one.hit for one in judged], studies),
        rule_rate=_rate([one.rule_hit for one in judged], studies),
        at_first=sum(_is_of(one.case.at_first, one.case.best) for one in judged),
        only_advisor=only_advisor,
        only_rule=only_rule,
        p_value=_sign_test(only_advisor, only_rule),
    )


def _judged(case: PublishedCase, chart: Flowchart) -> Judged:
    said = said_on(chart.walk(case.known))
    ranked = places(chart, said)
    verdict = verdict_of(said, ranked)
    return Judged(
        case=case,
        chosen=ranked[0].method if verdict == "adapt" else verdict.replace("_", " "),
        equals=tied(ranked, said)[1:] if verdict == "adapt" else (),
        reachable=any(_is_of(method, case.best) for method in chart.methods),
        by_rule=three_questions(case.known),
    )


def _is_of(method: str, families: Sequence[Family]) -> bool:
    return any(family in families for family in FAMILIES.get(method, ()))


def _rate(hits: Sequence[bool], studies: Sequence[str]) -> Rate:
    """The hits, with Wilson's interval of the mean share of hits of a study."""
    pairs = list(zip(hits, studies, strict=True))
    names = dict.fromkeys(studies)
    share = fmean(fmean(hit for hit, study in pairs if study == name) for name in names)
    low, high = _wilson(share, len(names))
    return Rate(hits=sum(hits), cases=len(hits), studies=len(names), low=low, high=high)


def _wilson(share: float, trials: int) -> tuple[float, float]:
    """Wilson's score interval at 95 %, by Wilson 1927; the share need not be a whole count."""
    z = NormalDist().inv_cdf(0.975)
    shrunk = 1 + z * z / trials
    middle = (share + z * z / (2 * trials)) / shrunk
    half = z / shrunk * math.sqrt(share * (1 - share) / trials + (z / (2 * trials)) ** 2)
    return max(0.0, middle - half), min(1.0, middle + half)


def _sign_test(one: int, other: int) -> float:
    """Two-sided p-value of the exact sign test of two counts."""
    number = one + other
    tail = sum(math.comb(number, few) for few in range(min(one, other) + 1))
    return min(1.0, math.ldexp(tail, 1 - number))
