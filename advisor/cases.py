"""Measured runs as evidence: which cases are near, and which rules of the flowchart they bear out.

A case is learned from the ``comparison.json`` of a run folder, whose types are in
`benchmarks.results`; only the fields that are needed here are read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PureWindowsPath
from typing import Annotated, Any, Literal, NamedTuple, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from advisor.errors import AdvisorError, AnswersError, EstimateError
from advisor.flowchart import Condition, Effect, Facts, Flowchart, facts_of
from advisor.language import ENGLISH, Language
from advisor.limited_files import FileError, read_text
from advisor.questionnaire import Answers, as_text, parse_answers, questions
from advisor.ranking import REFERENCE
from advisor.wording import plain_problems

_FILE = "comparison.json"
_LIMIT_BYTES = 50_000_000
# Either one makes a folder a run's; a plan may also lie in a folder above its runs.
_OF_A_RUN = (_FILE, "run.json")
# The level that a comparison itself holds its corrected p-values against.
_ALPHA = 0.05

Verdict = Literal["confirmed", "contradicted", "undecided"]


class CasesError(AdvisorError):
    """Run folders that cannot serve as evidence; every one is listed."""

    exit_code = 6


def _visible(text: str) -> str:
    r"""Text of a run with every control character as its code, such as ``\x1b``."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


_Text = Annotated[str, AfterValidator(_visible)]


class _Read(BaseModel):
    """A part of a run's file, which says more than is needed here."""

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


# ---------------------------------------------------------------- what was measured


class Interval(_Read):
    """A 95 % confidence interval."""

    low: float
    high: float


class Measured(_Read):
    """How a method or a floor came out on the primary metric.

    Attributes:
        floor: a baseline without a language model.
        status: as the run says it; only ``finished`` has a result of all seeds.
        score: None where it is undefined.
        interval: None where the score is not a mean of item values.
    """

    name: _Text
    floor: bool
    status: _Text
    score: float | None = None
    interval: Interval | None = None

    @property
    def scored(self) -> bool:
        """Whether there is a full result to compare."""
        return self.status == "finished" and self.score is not None


class Paired(_Read):
    """A paired difference on the primary metric, a minus b.

    Attributes:
        interval: of the difference, not corrected for the number of comparisons.
        p_holm: corrected over all pairs of the same family.
    """

    a: _Text
    b: _Text
    difference: float
    interval: Interval
    p_holm: float

    @property
    def separated(self) -> bool:
        """Whether the two can be told apart after correction."""
        return self.p_holm < _ALPHA

    def turned(self) -> Paired:
        """The same difference as b minus a."""
        interval = Interval(low=-self.interval.high, high=-self.interval.low)
        return Paired(
            a=self.b,
            b=self.a,
            difference=-self.difference,
            interval=interval,
            p_holm=self.p_holm,
        )


class Case(_Record):
    """A measured run.

    Attributes:
        name: id of the task.
        run: id of the run.
        model: the model that was adapted.
        items: test items that count.
        seeds: seeds that every method ran with.
        metric: the primary metric.
        answers: what the run really had, as answers to the questionnaire; see `load_cases`.
        methods: methods and floors, with or without a result.
        leader: the best method.
        tied: methods not separated from the leader, the leader first.
        differences: paired, between methods and between methods and floors.
    """

    name: str
    run: str
    model: str
    items: int
    seeds: int
    metric: str
    answers: Answers
    methods: tuple[Measured, ...]
    leader: str
    tied: tuple[str, ...]
    differences: tuple[Paired, ...]

    @property
    def label(self) -> str:
        """The task, and the run where it has another name."""
        return self.name if self.run == self.name else f"{self.name} (run {self.run})"

    @property
    def parameters(self) -> int | None:
        """Parameters of the model; None where they are not known."""
        return self.answers.model_parameters

    def scored(self, *, floor: bool = False) -> list[Measured]:
        """Methods, or floors, with a full result, best first."""
        full = [m for m in self.methods if m.scored and m.floor is floor]
        return sorted(full, key=lambda measured: -(measured.score or 0.0))

    def paired(self, a: str, b: str) -> Paired | None:
        """The difference a minus b, or None when it was not measured."""
        for paired in self.differences:
            if (paired.a, paired.b) == (a, b):
                return paired
            if (paired.a, paired.b) == (b, a):
                return paired.turned()
        return None


# ---------------------------------------------------------------- reading runs


class _Task(_Read):
    id: _Text
    metric: _Text
    train: int
    validation: int
    answers: dict[str, Any] = Field(default_factory=dict)


class _Run(_Read):
    id: _Text
    task: _Task
    model: _Text


class _Comparison(_Read):
    schema_version: Literal[1]
    run: _Run
    seeds: tuple[int, ...]
    items: int
    methods: tuple[Measured, ...]
    leader: _Text | None
    tied: tuple[_Text, ...]
    differences: tuple[Paired, ...]

    @model_validator(mode="after")
    def _names_what_it_has(self) -> Self:
        full = {measured.name for measured in self.methods if measured.scored}
        unknown = {*self.tied, *([self.leader] if self.leader else [])} - full
        if unknown:
            raise ValueError(f"leads without a score: {', '.join(sorted(unknown))}")
        return self


def load_cases(paths: Iterable[Path]) -> tuple[Case, ...]:
    """The measured cases of some run folders; the same measurement counts once.

    A case's answers are those that its task states, except where the run itself knows: labelled
    examples (those used for training and validation), items of the eval set, the model's
    parameters and context (not known for a model outside the catalogue), and the scores of the
    plain prompt and of the best floor (not known where they did not run; of the same items that
    test the rules). An answer to a question that is not asked here is left out.

    Args:
        paths: run folders, or folders of run folders.

    Raises:
        CasesError: lists every folder that is missing, foreign, damaged or not finished.
    """
    folders = dict.fromkeys(folder for path in paths for folder in _run_folders(path))
    cases: list[Case] = []
    problems: list[str] = []
    for folder in folders:
        try:
            cases.append(_case(folder))
        except CasesError as error:
            problems.append(f"  {folder}: {error}")
    if problems:
        said = f"{len(problems)} of {len(folders)} folder(s) cannot serve as evidence:"
        step = (
            "Name folders of finished runs. `advisor report RUN` writes a run's comparison.json, "
            "and `advisor bench --resume RUN` ends a run that was interrupted."
        )
        raise CasesError("\n".join([said, *problems, step]))
    return tuple(dict.fromkeys(cases))


def _run_folders(path: Path) -> list[Path]:
    """The path, or the folders in it when it is no run folder itself."""
    try:
        if not path.is_dir() or any((path / name).exists() for name in _OF_A_RUN):
            return [path]
        inner = sorted(p for p in path.iterdir() if p.is_dir() and not p.name.startswith("."))
    except OSError:
        # Reading it as a run says what is wrong with it.
        return [path]
    return inner or [path]


def _case(folder: Path) -> Case:
    """The case of one run folder; a CasesError says what is wrong with it."""
    found = _comparison(folder)
    pending = [measured.name for measured in found.methods if measured.status == "pending"]
    if pending:
        raise CasesError(f"the run is not finished; still to run: {', '.join(pending)}")
    if found.leader is None:
        raise CasesError("no method of the run has a result")
    return Case(
        name=found.run.task.id,
        run=found.run.id,
        model=found.run.model,
        items=found.items,
        seeds=len(found.seeds),
        metric=found.run.task.metric,
        answers=_answers(found),
        methods=found.methods,
        leader=found.leader,
        tied=found.tied,
        differences=found.differences,
    )


def _comparison(folder: Path) -> _Comparison:
    try:
        text = read_text(folder / _FILE, _LIMIT_BYTES)
    except FileNotFoundError:
        if not folder.is_dir():
            raise CasesError("there is no such folder") from None
        is_run = any((folder / name).exists() for name in _OF_A_RUN)
        raise CasesError(
            f"{_FILE} is missing" if is_run else f"it is no run folder: {_FILE} is missing"
        ) from None
    except OSError as error:
        raise CasesError(f"{_FILE} cannot be read: {error.strerror}") from None
    except FileError as error:
        raise CasesError(f"{_FILE}: {error}") from None
    try:
        return _Comparison.model_validate_json(text)
    except ValidationError as error:
        problems = plain_problems(error, _Comparison)
    more = f" and {len(problems) - 3} more" if len(problems) > 3 else ""
    raise CasesError(
        f"{_FILE} is not that of a run, or of another version: {'; '.join(problems[:3])}{more}"
    )


def _answers(found: _Comparison) -> Answers:
    task = found.run.task
    parameters, context = _size(found.run.model)
    full = [measured for measured in found.methods if measured.scored]
    had = {
        "labelled_examples": task.train + task.validation,
        "eval_items": found.items,
        "model": None,
        "model_parameters": parameters,
        "context_length": context,
        "current_score": _best_share(m for m in full if m.name == REFERENCE),
        "classical_score": _best_share(m for m in full if m.floor),
    }
    said = {name: value for name, value in task.answers.items() if name in questions()}
    try:
        return parse_answers({**said, **had}, _FILE)
    except AnswersError as error:
        problems = [line.strip() for line in str(error).splitlines()[1:]]
        raise CasesError(f"answers of the task: {' '.join(problems)}") from None


def _best_share(measured: Iterable[Measured]) -> float | None:
    """The best score; None without one, or on a metric that is no share, as answers ask for."""
    best = max((m.score for m in measured if m.score is not None), default=None)
    return best if best is not None and 0 <= best <= 1 else None


def _size(model: str) -> tuple[int | None, int | None]:
    """Parameters and context of a model that the catalogue knows by the last part of its name.

    What a run names is not opened: it may be a path of another computer.
    """
    from advisor.estimates.shapes import load_shape

    try:
        shape = load_shape(PureWindowsPath(model).name)
    except (EstimateError, OSError):
        return None, None
    return shape.parameters, shape.positions


# ---------------------------------------------------------------- comparing


class Compared(_Record):
    """A fact of the flowchart that is known here and in a case, as people read it."""

    fact: str
    here: str
    there: str


class NearCase(_Record):
    """A case beside the answers.

    Attributes:
        alike: facts that are known in both and that no condition of the chart tells apart.
        differs: facts that are known in both and that some condition tells apart.
        same: how many of those alike are equal.
    """

    case: Case
    alike: tuple[Compared, ...]
    differs: tuple[Compared, ...]
    same: int

    @property
    def known(self) -> int:
        """How many facts are known in both."""
        return len(self.alike) + len(self.differs)

    @property
    def share(self) -> float:
        """Share of the facts known in both that are alike; 0 when none is."""
        return len(self.alike) / self.known if self.known else 0.0


class Finding(_Record):
    """What decided about a rule in one case.

    Attributes:
        case: the case's label.
        rival: what the method was compared with.
        difference: method minus rival on the primary metric.
        low: of its 95 % interval, not corrected for the number of comparisons.
        high: likewise.
        p_holm: corrected over all pairs of methods of the run.
    """

    case: str
    rival: str
    difference: float
    low: float
    high: float
    p_holm: float


class RuleCheck(_Record):
    """What the chart says of a method for these answers, beside what was measured.

    Attributes:
        node: where the chart says it.
        branch: label of the branch that says it; "" where the node says it on every branch.
        says: for, against or block.
        evidence: ids of the claims that the rule cites.
        confirmed: by these cases; likewise the others. All three are empty when no case could
            test the rule.
    """

    node: str
    branch: str
    says: Literal["for", "against", "block"]
    method: str
    strength: int
    reason: str
    evidence: tuple[str, ...]
    confirmed: tuple[Finding, ...] = ()
    contradicted: tuple[Finding, ...] = ()
    undecided: tuple[Finding, ...] = ()

    @property
    def tested(self) -> int:
        """Cases that could test the rule."""
        return len(self.confirmed) + len(self.contradicted) + len(self.undecided)


class Evidence(_Record):
    """What measured cases say: all of them, nearest first, and the rules on the walk."""

    near: tuple[NearCase, ...]
    rules: tuple[RuleCheck, ...]


def compare_with_cases(answers: Answers, chart: Flowchart, cases: Sequence[Case]) -> Evidence:
    """How near the cases are, and what they say of the rules that hold for these answers.

    Facts are compared, not answers: 198 labels of 12 classes are like 66 of 4. Two values are
    alike when every condition of the chart holds for both or for neither; a condition that also
    needs a fact which is unknown on a side tells nothing. Cases are ordered by how many facts
    are alike, then by their share of those known in both, then by how many are equal.

    A rule is an effect for, against or blocking a method; of a method that is blocked for these
    answers, the block alone. A case can test it when its own walk says the same effect on the
    same branch of the same node (on any branch, if the node itself says it), and the method has
    a full result. One paired difference decides, corrected as the run's comparison has it:

    * ``for m``: m against zero-shot. Confirmed when m is separated above it, contradicted when
      below. A rule for zero-shot itself cannot be tested.
    * ``against m``, and a block of a method that ran all the same: m against the best of the
      methods that these answers allow and the effect is not about. Confirmed when m is
      separated below it; contradicted when above it, since whoever obeys the rule loses. That m
      leads, or cannot be told from the leader, contradicts nothing by itself.

    Else it is undecided. A rule for a method and one against it can both be confirmed: it is
    better than the plain prompt, and not the best. What is tested is where a rule points, by
    score; not its reason, nor what cost, skill or freshness would say.
    """
    facts = facts_of(answers)
    near = [_near(chart, facts, case) for case in cases]
    near.sort(key=lambda n: (-len(n.alike), -n.share, -n.same, n.case.name, n.case.run))
    return Evidence(near=tuple(near), rules=tuple(_rules(answers, chart, cases)))


def _near(chart: Flowchart, here: Facts, case: Case) -> NearCase:
    there = facts_of(case.answers)
    conditions: dict[str, list[Condition]] = {}
    for part in chart.comparisons():
        for fact in filter(None, (part.answer, part.at_least_answer)):
            conditions.setdefault(fact, []).append(part)
    both = [fact for fact in conditions if _known(fact, here, there)]
    apart = {fact for fact in both if any(_tells_apart(c, here, there) for c in conditions[fact])}
    return NearCase(
        case=case,
        alike=tuple(_compared(fact, here, there) for fact in both if fact not in apart),
        differs=tuple(_compared(fact, here, there) for fact in both if fact in apart),
        same=sum(here[fact] == there[fact] for fact in both if fact not in apart),
    )


def _known(fact: str, here: Facts, there: Facts) -> bool:
    return here.get(fact) is not None and there.get(fact) is not None


def _tells_apart(part: Condition, here: Facts, there: Facts) -> bool:
    if not all(_known(f, here, there) for f in (part.answer, part.at_least_answer) if f):
        return False
    return part.holds(here) != part.holds(there)


def _compared(fact: str, here: Facts, there: Facts) -> Compared:
    return Compared(fact=fact, here=_value(here[fact]), there=_value(there[fact]))


def _value(value: object) -> str:
    # Derived facts are quotients with endless decimals.
    return as_text(round(value, 4) if isinstance(value, float) else value)


class _Rule(NamedTuple):
    """An effect on methods and where it is said; what a node says itself is of no branch."""

    node: str
    branch: str
    effect: Effect


def _said(answers: Answers, chart: Flowchart) -> list[_Rule]:
    return [
        _Rule(step.node.id, "" if effect in step.node.effects else step.branch.label, effect)
        for step in chart.walk(answers)
        for effect in step.effects
        if effect.methods
    ]


def _rules(answers: Answers, chart: Flowchart, cases: Sequence[Case]) -> Iterator[RuleCheck]:
    said = [(case, set(_said(case.answers, chart))) for case in cases]
    rules = _said(answers, chart)
    blocked = {method for rule in rules for method in rule.effect.block or ()}
    for rule in rules:
        effect = rule.effect
        testers = [case for case, there in said if rule in there]
        for method in effect.methods:
            if effect.block or method not in blocked:
                decisive = [(case, _decisive(effect, method, blocked, case)) for case in testers]
                yield _check(rule, method, [(case, p) for case, p in decisive if p is not None])


def _decisive(effect: Effect, method: str, blocked: set[str], case: Case) -> Paired | None:
    """The difference that decides, method minus rival; None where the case has none."""
    scored = [measured.name for measured in case.scored()]
    left = [name for name in scored if name not in {*effect.methods, *blocked}]
    rivals = [REFERENCE] if effect.for_ else left[:1]
    if not rivals or not {method, *rivals} <= set(scored):
        return None
    return case.paired(method, rivals[0])


def _check(rule: _Rule, method: str, decisive: Iterable[tuple[Case, Paired]]) -> RuleCheck:
    effect = rule.effect
    found: dict[Verdict, list[Finding]] = {"confirmed": [], "contradicted": [], "undecided": []}
    for case, paired in decisive:
        found[_verdict(effect, paired)].append(_finding(case, paired))
    return RuleCheck(
        node=rule.node,
        branch=rule.branch,
        says="for" if effect.for_ else "against" if effect.against else "block",
        method=method,
        strength=effect.strength,
        reason=effect.reason,
        evidence=effect.evidence,
        confirmed=tuple(found["confirmed"]),
        contradicted=tuple(found["contradicted"]),
        undecided=tuple(found["undecided"]),
    )


def _verdict(effect: Effect, paired: Paired) -> Verdict:
    if not paired.separated:
        return "undecided"
    return "confirmed" if (paired.difference > 0) == bool(effect.for_) else "contradicted"


def _finding(case: Case, paired: Paired) -> Finding:
    return Finding(
        case=case.label,
        rival=paired.b,
        difference=paired.difference,
        low=paired.interval.low,
        high=paired.interval.high,
        p_holm=paired.p_holm,
    )


# ---------------------------------------------------------------- for people


class Line(_Record):
    """A statement and what it rests on."""

    text: str
    details: tuple[str, ...] = ()


class Section(_Record):
    """A part of the evidence as plain text, in which nothing is escaped."""

    title: str
    note: str
    lines: tuple[Line, ...]


def evidence_sections(
    evidence: Evidence, most: int = 3, say: Language = ENGLISH
) -> tuple[Section, ...]:
    """The evidence in words: the nearest cases, then the rules.

    Args:
        evidence: what was compared, by a chart in the same language.
        most: cases to show; the rules rest on all.
        say: the language of the words.
    """
    shown, number = evidence.near[:most], len(evidence.near)
    near = Section(
        title=say("Nearest measured cases ({shown} of {number})", shown=len(shown), number=number),
        note=say(
            "Compared is what the flowchart asks for and derives. Two answers are alike when none "
            "of its conditions tells them apart."
        ),
        lines=tuple(_near_line(near, say) for near in shown),
    )
    rules = Section(
        title=say("What measured cases say of the rules"),
        note=_rules_note(evidence, say),
        lines=tuple(_rule_lines(evidence.rules, say)),
    )
    return (near, rules)


def evidence_lines(evidence: Evidence, most: int = 3, say: Language = ENGLISH) -> list[str]:
    """The evidence as lines for a terminal."""
    written = []
    for section in evidence_sections(evidence, most, say):
        written += ["", section.title, section.note]
        for place, line in enumerate(section.lines, start=1):
            written += [f"{place:>2}. {line.text}", *(f"    {said}" for said in line.details)]
    return written


def evidence_markdown(evidence: Evidence, most: int = 3, say: Language = ENGLISH) -> list[str]:
    """The evidence as lines of Markdown; text of runs cannot become markup."""
    written = []
    for section in evidence_sections(evidence, most, say):
        written += ["", f"## {section.title}", "", _escaped(section.note), ""]
        for line in section.lines:
            details = (f"  - {_escaped(said)}" for said in line.details)
            written += [f"- {_escaped(line.text)}", *details]
    return written


def _near_line(near: NearCase, say: Language) -> Line:
    text = say(
        "{alike} of {known} answers known in both are alike: {case}. {outcome}.",
        alike=len(near.alike),
        known=near.known,
        case=near.case.label,
        outcome="; ".join(_outcome(near.case, say)),
    )
    details = [_setting(near.case, say)]
    if near.alike:
        details.insert(0, say("Alike: {facts}.", facts=_listed(near.alike, say)))
    if near.differs:
        details.insert(0, say("Differs: {facts}.", facts=_listed(near.differs, say)))
    return Line(text=text, details=tuple(details))


def _listed(facts: Sequence[Compared], say: Language) -> str:
    return "; ".join(
        f"{c.fact} {c.here}"
        if c.here == c.there
        else say("{fact} {here} here, {there} there", **c.model_dump())
        for c in facts
    )


def _outcome(case: Case, say: Language) -> Iterator[str]:
    """Who leads, who cannot be told from it, the plain prompt, the best without a model."""
    scores = {measured.name: measured for measured in case.methods if measured.scored}
    best = _score(scores[case.leader], say)
    yield say("Best there: {score} {metric}", score=best, metric=case.metric)
    others = [_score(scores[name], say) for name in case.tied if name != case.leader]
    if others:
        yield say("not separated from it: {scores}", scores=", ".join(others))
    if REFERENCE in scores and REFERENCE not in case.tied:
        yield say("plain prompt: {score}", score=_score(scores[REFERENCE], say))
    floors = case.scored(floor=True)
    if floors:
        yield say("without a language model: {score}", score=_standing(case, floors[0], say))


def _score(measured: Measured, say: Language) -> str:
    said = f"{measured.name} {measured.score:.3f}"
    if measured.interval is None:
        return said
    low, high = f"{measured.interval.low:.3f}", f"{measured.interval.high:.3f}"
    return say("{score} ({low} to {high})", score=said, low=low, high=high)


def _standing(case: Case, floor: Measured, say: Language) -> str:
    """A floor's score, and how it stands to the leader's where that was measured."""
    score, paired = _score(floor, say), case.paired(floor.name, case.leader)
    if paired is None:
        return score
    if not paired.separated:
        return say("{score}, not separated from the best", score=score)
    if paired.difference > 0:
        return say("{score}, above the best", score=score)
    return say("{score}, below the best", score=score)


def _setting(case: Case, say: Language) -> str:
    model = case.model
    if case.parameters:
        size = as_text(case.parameters)
        model = say("{model} ({parameters} parameters)", model=model, parameters=size)
    seeds = say("1 seed") if case.seeds == 1 else say("{number} seeds", number=case.seeds)
    return say(
        "Measured on {items} items with {seeds} and {model}.",
        items=case.items,
        seeds=seeds,
        model=model,
    )


def _rules_note(evidence: Evidence, say: Language) -> str:
    models = ", ".join(dict.fromkeys(near.case.model for near in evidence.near))
    return say(
        "A rule for a method compares it with the plain prompt, a rule against it with the best "
        "other method that can be used here; so both can be confirmed. A case decides only where "
        "the paired difference is separated after Holm's correction. Differences are in points, "
        "with 95 % intervals that are not corrected. Scores test where a rule points, not its "
        "reason, and tell nothing of cost, skill or freshness. Measured with: {models}.",
        models=models or say("no model"),
    )


def _rule_lines(rules: Sequence[RuleCheck], say: Language) -> Iterator[Line]:
    """What is tested, a line for all methods of an effect; what is not, in the last line.

    Contradictions come first, then what is confirmed, each in the chart's order.
    """
    tested = _by_effect(rule for rule in rules if rule.tested)
    for checks in sorted(tested, key=_urgency):
        details = tuple(_check_text(check, say) for check in checks)
        yield Line(text=_effect_text(checks, say), details=details)
    untested = _by_effect(rule for rule in rules if not rule.tested)
    if untested:
        yield Line(
            text=say("Tested by none of these cases:"),
            details=tuple(_effect_text(checks, say) for checks in untested),
        )


def _by_effect(rules: Iterable[RuleCheck]) -> list[list[RuleCheck]]:
    effects: dict[tuple[str, str, str], list[RuleCheck]] = {}
    for rule in rules:
        effects.setdefault((rule.node, rule.says, rule.reason), []).append(rule)
    return list(effects.values())


def _urgency(checks: Sequence[RuleCheck]) -> tuple[bool, bool]:
    return (not any(c.contradicted for c in checks), not any(c.confirmed for c in checks))


_SAYS = {
    "for": "{node}, for {methods}: {reason}",
    "against": "{node}, against {methods}: {reason}",
    "block": "{node}, block {methods}: {reason}",
}


def _effect_text(checks: Sequence[RuleCheck], say: Language) -> str:
    rule = checks[0]
    return say(
        _SAYS[rule.says],
        node=rule.node,
        methods=", ".join(check.method for check in checks),
        reason=" ".join(rule.reason.split()),
    )


_CAME_OUT: dict[Verdict, str] = {
    "contradicted": "contradicted {number} of {tested}: {findings}",
    "confirmed": "confirmed {number} of {tested}: {findings}",
    "undecided": "not decided {number} of {tested}: {findings}",
}


def _check_text(rule: RuleCheck, say: Language) -> str:
    said = []
    for verdict, text in _CAME_OUT.items():
        found: tuple[Finding, ...] = getattr(rule, verdict)
        if found:
            findings = ", ".join(_finding_text(rule, finding, say) for finding in found)
            counted = {"number": len(found), "tested": rule.tested}
            said.append(say(text, findings=findings, **counted))
    return f"{rule.method} {'; '.join(said)}"


def _finding_text(rule: RuleCheck, finding: Finding, say: Language) -> str:
    points = {name: _points(getattr(finding, name)) for name in ("difference", "low", "high")}
    # A rule for a method always has the plain prompt as its rival.
    if rule.says == "for":
        return say("{case} {difference} ({low} to {high})", case=finding.case, **points)
    return say(
        "{case} {difference} ({low} to {high}) beside {rival}",
        case=finding.case,
        rival=finding.rival,
        **points,
    )


def _points(value: float) -> str:
    # Adding 0 makes -0.0 positive.
    return f"{round(100 * value, 1) + 0:+.1f}"


# What Markdown, its tables or GitHub could read as markup: also math, mentions and bare links.
_MARKUP = re.compile(r"[&<>|`\\*~\[\]$@#!]|\b_|_\b|(?<=:)/|(?<=www)\.", re.IGNORECASE)


def _escaped(text: str) -> str:
    """Markdown that shows this text; references, as a backslash cannot undo them."""
    return _MARKUP.sub(lambda found: f"&#{ord(found.group())};", text)
