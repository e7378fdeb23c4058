"""The decision flowchart: loaded from data, checked, and walked with a set of answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from advisor.errors import FlowchartError
from advisor.estimates.memory import GIB, Use, memory_bytes
from advisor.questionnaire import Answers, allowed, questions, takes_many, yaml_data

END = "end"
Facts = Mapping[str, Any]
Verdict = Literal["adapt", "no_adaptation", "no_language_model", "no_method_fits"]
_TRAININGS: tuple[Use, ...] = ("full", "lora", "qlora")


class _Data(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Condition(_Data):
    """A comparison with one answer or derived fact, or several conditions joined.

    A comparison with what is not known does not hold, and neither does its ``not``: only
    ``is: unknown`` does. So a condition is true, false or not known, and holds when it is true.

    Attributes:
        answer: a question of the questionnaire, or a derived fact.
        is_: a value; ``unknown``, ``known`` and ``empty`` (a list without members) are special.
        in_: one of these values.
        contains: the answer is a list that holds this.
        below: the answer is less than this number.
        at_least: the answer is this number or more.
        at_least_answer: the answer is at least what another answer says.
        all_: every one of these holds.
        any_: at least one of these holds.
        not_: this is false.
    """

    answer: str | None = None
    is_: bool | float | str | None = Field(default=None, alias="is")
    in_: tuple[str, ...] | None = Field(default=None, alias="in")
    contains: str | None = None
    below: float | None = None
    at_least: float | None = None
    at_least_answer: str | None = None
    all_: tuple[Condition, ...] | None = Field(default=None, alias="all")
    any_: tuple[Condition, ...] | None = Field(default=None, alias="any")
    not_: Condition | None = Field(default=None, alias="not")

    @model_validator(mode="after")
    def _says_one_thing(self) -> Self:
        joined = [part for part in (self.all_, self.any_, self.not_) if part is not None]
        compared = self._comparisons()
        if self.answer is None and (len(joined) != 1 or compared):
            raise ValueError("needs an answer to compare, or one of all, any, not")
        if self.answer is not None and (joined or len(compared) != 1):
            raise ValueError(
                f"{self.answer}: needs exactly one of is, in, contains, below, at_least, "
                "at_least_answer"
            )
        return self

    def _comparisons(self) -> list[object]:
        given = (self.is_, self.in_, self.contains, self.below, self.at_least, self.at_least_answer)
        return [comparison for comparison in given if comparison is not None]

    def holds(self, facts: Facts) -> bool:
        """Whether this is so, as far as is known."""
        return self._truth(facts) is True

    def _truth(self, facts: Facts) -> bool | None:
        """Kleene's logic; None is 'not known'."""
        if self.not_ is not None:
            inner = self.not_._truth(facts)
            return None if inner is None else not inner
        if self.answer is None:
            truths = [part._truth(facts) for part in self.any_ or self.all_ or ()]
            decisive = self.any_ is not None
            if decisive in truths:
                return decisive
            return None if None in truths else not decisive
        value = facts.get(self.answer)
        if self.is_ in ("unknown", "known"):
            return (value is None) == (self.is_ == "unknown")
        return None if value is None else self._compares(value, facts)

    def _compares(self, value: Any, facts: Facts) -> bool | None:
        if self.is_ is not None:
            return value == () if self.is_ == "empty" else bool(value == self.is_)
        if self.in_ is not None:
            return value in self.in_
        if self.contains is not None:
            return self.contains in value
        if self.below is not None:
            return bool(value < self.below)
        least = (
            self.at_least if self.at_least is not None else facts.get(self.at_least_answer or "")
        )
        return None if least is None else bool(value >= least)

    def parts(self) -> Iterator[Condition]:
        """The comparisons that this is made of."""
        inner = (*(self.all_ or ()), *(self.any_ or ()), *((self.not_,) if self.not_ else ()))
        if self.answer is not None:
            yield self
        for part in inner:
            yield from part.parts()


def citing(text: str, evidence: Sequence[str]) -> str:
    """A text that ends with the ids of the claims it rests on."""
    return f"{text} [{', '.join(evidence)}]"


class Effect(_Data):
    """What a branch or a node says; exactly one of for, against … provisional is given.

    Attributes:
        when: a condition of its own; without one it holds wherever it stands.
        for_: methods that gain strength.
        against: methods that lose strength.
        block: methods that cannot be used.
        verdict: an outcome other than a ranking.
        note: something to know.
        first: something to do before any method.
        provisional: why the advice is provisional.
        strength: 1 weak, 2 clear, 3 decisive.
        reason: for people.
        text: for people; a verdict needs one.
        evidence: ids of claims.
    """

    when: Condition | None = None
    for_: tuple[str, ...] | None = Field(default=None, alias="for")
    against: tuple[str, ...] | None = None
    block: tuple[str, ...] | None = None
    verdict: Verdict | None = None
    note: str | None = None
    first: str | None = None
    provisional: str | None = None
    strength: int = Field(default=0, ge=0, le=3)
    reason: str = ""
    text: str = ""
    evidence: tuple[str, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        about = (self.for_, self.against, self.block)
        said = (self.verdict, self.note, self.first, self.provisional)
        if sum(bool(kind) for kind in (*about, *said)) != 1:
            raise ValueError("needs one of for, against, block, verdict, note, first, provisional")
        if self.methods and not self.reason:
            raise ValueError(f"{', '.join(self.methods)}: a reason is missing")
        if (self.for_ or self.against) and not self.strength:
            raise ValueError(f"{', '.join(self.methods)}: a strength of 1 to 3 is missing")
        if self.verdict and not self.text:
            raise ValueError(f"verdict {self.verdict}: a text is missing")
        return self

    @property
    def methods(self) -> tuple[str, ...]:
        """The methods this is about."""
        return (*(self.for_ or ()), *(self.against or ()), *(self.block or ()))


class Branch(_Data):
    """One way out of a node."""

    label: str
    when: Condition | None = None
    otherwise: bool = False
    next: str
    effects: tuple[Effect, ...] = ()

    @model_validator(mode="after")
    def _has_a_condition(self) -> Self:
        if (self.when is None) != self.otherwise:
            raise ValueError(f"branch {self.label!r} needs either when or otherwise: true")
        return self

    def taken(self, facts: Facts) -> bool:
        """Whether this way is open."""
        return self.when is None or self.when.holds(facts)


class Node(_Data):
    """A question with its branches; the last one is always open.

    Attributes:
        id: lower-case words joined by hyphens; a drawing needs it so.
        question: what is decided here.
        branches: the ways out, tried in order.
        effects: what is said on every way out.
    """

    id: str = Field(pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$")
    question: str
    branches: tuple[Branch, ...] = Field(min_length=1)
    effects: tuple[Effect, ...] = ()

    @model_validator(mode="after")
    def _always_has_a_way_out(self) -> Self:
        otherwise = [branch.otherwise for branch in self.branches]
        if otherwise.count(True) != 1 or not otherwise[-1]:
            raise ValueError(f"node {self.id!r} needs 'otherwise: true' on its last branch alone")
        if self.id == END:
            raise ValueError(f"{END!r} names the end of the walk, and no node")
        return self

    def conditions(self) -> Iterator[Condition]:
        """The conditions of the branches and of the effects."""
        for branch in self.branches:
            yield from (effect.when for effect in branch.effects if effect.when)
            if branch.when:
                yield branch.when
        yield from (effect.when for effect in self.effects if effect.when)

    def all_effects(self) -> Iterator[Effect]:
        """The effects of the node and of its branches."""
        yield from self.effects
        for branch in self.branches:
            yield from branch.effects


class Claim(_Data):
    """A piece of evidence."""

    how: Literal["seed", "read", "note", "measured", "calculated"]
    source: str
    finding: str


class Step(_Data):
    """A node on the way, the branch that was taken, and what was said there."""

    node: Node
    branch: Branch
    effects: tuple[Effect, ...]


class Flowchart(_Data):
    """The whole chart.

    Attributes:
        methods: what can be recommended, cheapest first.
        start: id of the first node.
        nodes: each reachable from the start.
        claims: the evidence, by id.
    """

    schema_version: Literal[1] = 1
    methods: tuple[str, ...]
    start: str
    nodes: tuple[Node, ...]
    claims: dict[str, Claim]

    def walk(self, answers: Answers) -> list[Step]:
        """The nodes that these answers pass, in order."""
        facts = facts_of(answers)
        nodes = {node.id: node for node in self.nodes}
        steps, here = [], self.start
        while here != END:
            node = nodes[here]
            branch = next(branch for branch in node.branches if branch.taken(facts))
            said = (*branch.effects, *node.effects)
            effects = tuple(e for e in said if e.when is None or e.when.holds(facts))
            # Its parts are checked already, and a what-if walks often.
            steps.append(Step.model_construct(node=node, branch=branch, effects=effects))
            here = branch.next
        return steps

    def comparisons(self) -> Iterator[Condition]:
        """Every comparison in the chart."""
        for node in self.nodes:
            for condition in node.conditions():
                yield from condition.parts()


def facts_of(answers: Answers) -> dict[str, Any]:
    """The answers, and what follows from them; what does not follow is None."""
    facts = {name: getattr(answers, name) for name in questions()}
    if answers.gpu_count == 0:
        facts["gpu_memory_gib"] = 0.0
    gpus = answers.gpu_count if answers.gpu_count is not None else 1
    gpu_bytes = (answers.gpu_memory_gib or 0) * GIB * gpus
    parameters = answers.model_parameters
    known = parameters if gpu_bytes else None
    return {
        **facts,
        **{f"{use}_memory_share": _memory_share(known, use, gpu_bytes) for use in _TRAININGS},
        "labels_per_class": _share(answers.labelled_examples, answers.classes),
        "knowledge_share": _share(answers.knowledge_tokens, answers.context_length),
    }


def _memory_share(parameters: int | None, use: Use, gpu_bytes: float) -> float | None:
    return memory_bytes(parameters, use) / gpu_bytes if parameters else None


def _share(part: float | None, whole: float | None) -> float | None:
    return part / whole if part is not None and whole else None


def load_flowchart(path: Path | None = None) -> Flowchart:
    """The built-in flowchart, or a user's own, checked.

    A user's chart may cite the built-in claims, and its own ``claims`` go before those.

    Raises:
        FlowchartError: lists everything that is wrong with it.
    """
    built_in = _mapping(_own("evidence.yaml"), "evidence.yaml")
    if path is None:
        origin = "flowchart.yaml"
        data = {**_mapping(_own(origin), origin), "claims": built_in}
    else:
        origin, data = str(path), _mapping(_read(path), str(path))
    claims = data.get("claims") or {}
    if not isinstance(claims, dict):
        raise FlowchartError(f"{origin}: claims needs an id with how, source and finding a line")
    chart = _validated({**data, "claims": {**built_in, **claims}}, origin)
    problems = list(_problems(chart, set(claims)))
    if problems:
        raise _refusal(origin, problems)
    return chart


def _mapping(text: str, origin: str) -> dict[str, Any]:
    try:
        data = yaml_data(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except ValueError as error:
        raise FlowchartError(f"{origin} is no flowchart: {error}") from None
    if not isinstance(data, dict):
        keys = ", ".join(Flowchart.model_fields)
        raise FlowchartError(f"{origin} is no flowchart: expected a mapping with the keys {keys}")
    return data


def _validated(data: dict[str, Any], origin: str) -> Flowchart:
    try:
        return Flowchart.model_validate(data)
    except ValidationError as error:
        found = [f"{'.'.join(map(str, p['loc']))}: {p['msg']}" for p in error.errors()]
    raise _refusal(origin, found)


def _refusal(origin: str, problems: list[str]) -> FlowchartError:
    lines = [f"{origin}: {len(problems)} problem(s)", *(f"  {line}" for line in problems)]
    return FlowchartError("\n".join(lines))


def _own(name: str) -> str:
    return files("advisor").joinpath(name).read_text(encoding="utf-8")


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise FlowchartError(
            f"{path} cannot be read as UTF-8 text: {error}. Give a flowchart as YAML, or leave "
            "--flowchart out to use the built-in one."
        ) from None


def _problems(chart: Flowchart, brought: set[str]) -> Iterator[str]:
    """What contradicts itself; of the claims, only those brought with the chart must be used."""
    ids = [node.id for node in chart.nodes]
    yield from (
        f"node {name!r} is there twice" for name in sorted({i for i in ids if ids.count(i) > 1})
    )
    known = {*ids, END}
    for node in chart.nodes:
        for branch in node.branches:
            if branch.next not in known:
                yield f"node {node.id!r}: next {branch.next!r} is no node"
    if chart.start not in ids:
        yield f"start {chart.start!r} is no node"
        return
    if all(branch.next in known for node in chart.nodes for branch in node.branches):
        yield from _path_problems(chart)
    yield from _name_problems(chart, brought)


def _path_problems(chart: Flowchart) -> Iterator[str]:
    nodes = {node.id: node for node in chart.nodes}
    ways = {name: {branch.next for branch in node.branches} - {END} for name, node in nodes.items()}
    reached, waiting = set(), [chart.start]
    while waiting:
        here = waiting.pop()
        if here not in reached:
            reached.add(here)
            waiting.extend(ways[here])
    yield from (f"node {name!r} cannot be reached" for name in nodes if name not in reached)
    # A chart has a loop when, after all nodes without a way onward are taken out, some remain.
    left = dict(ways)
    while ended := [name for name, onward in left.items() if not onward & left.keys()]:
        for name in ended:
            del left[name]
    if left:
        yield f"nodes {', '.join(sorted(left))} lead in a circle"


def _name_problems(chart: Flowchart, brought: set[str]) -> Iterator[str]:
    answers = set(facts_of(Answers()))
    for part in chart.comparisons():
        for name in (part.answer, part.at_least_answer):
            if name is not None and name not in answers:
                yield f"answer {name!r} is unknown. Known: {', '.join(sorted(answers))}"
        if part.answer in answers and not _fits(part):
            yield f"answer {part.answer!r}: {_said(part)} never fits. It takes {_takes(part)}"
    effects = [effect for node in chart.nodes for effect in node.all_effects()]
    named = {method for effect in effects for method in effect.methods}
    yield from (f"method {name!r} is unknown" for name in sorted(named - set(chart.methods)))
    cited = {claim for effect in effects for claim in effect.evidence}
    yield from (f"evidence {name!r} is unknown" for name in sorted(cited - set(chart.claims)))
    yield from (f"evidence {name!r} is not used" for name in sorted(brought - cited))


def _fits(part: Condition) -> bool:
    """Whether a comparison suits the kind of its answer; derived facts are numbers."""
    if part.is_ in ("known", "unknown"):
        return True
    if part.at_least_answer is not None:
        return _is_number(part.answer or "") and _is_number(part.at_least_answer)
    if _is_number(part.answer or ""):
        return any(isinstance(limit, float) for limit in (part.is_, part.below, part.at_least))
    field = questions()[part.answer or ""]
    if takes_many(field):
        return part.is_ == "empty" or part.contains in allowed(field)
    wanted = part.in_ if part.in_ is not None else (part.is_,)
    return all(value in allowed(field) for value in wanted)


def _is_number(answer: str) -> bool:
    field = questions().get(answer)
    return field is None or not allowed(field)


def _said(part: Condition) -> str:
    given = part.model_dump(by_alias=True, exclude_none=True, exclude={"answer"})
    return ", ".join(f"{operator} {value!r}" for operator, value in given.items())


def _takes(part: Condition) -> str:
    field = questions().get(part.answer or "")
    if field is None or not allowed(field):
        return (
            "below or at_least with a number, at_least_answer with an answer that is one, or is "
            "with a number, known or unknown"
        )
    values = ", ".join(str(value).lower() for value in allowed(field))
    if takes_many(field):
        return f"contains with one of {values}, or is with empty, known or unknown"
    return f"is or in with {values}, known or unknown"
