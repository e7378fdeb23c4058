"""The decision flowchart: loaded from data, checked, and walked with a set of answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from advisor.errors import FlowchartError
from advisor.estimates.memory import GIB
from advisor.language import ENGLISH, Language
from advisor.limited_files import FileError, own_yaml, read_text, yaml_data
from advisor.questionnaire import Answers, allowed, is_text, questions, takes_many
from advisor.sizing import (
    USES,
    Use,
    access_of,
    all_hours_share,
    context_of,
    context_share,
    gpu_bytes_of,
    hours_share,
    memory_share,
    parameters_of,
    shown_memory_share,
    tuning_cost_share,
)
from advisor.wording import plain_problems

END = "end"
Facts = Mapping[str, Any]
Verdict = Literal[
    "adapt", "no_adaptation", "no_language_model", "no_method_fits", "no_method_reaches"
]
Truth = bool | None
_ANY_TRUTH: frozenset[Truth] = frozenset((True, False, None))


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

    def _truth(self, facts: Facts) -> Truth:
        """Kleene's logic; None is 'not known'."""
        if self.not_ is not None:
            inner = self.not_._truth(facts)
            return None if inner is None else not inner
        if self.answer is None:
            return self._joined_truth(facts)
        value = facts[self.answer]
        if self.is_ in ("unknown", "known"):
            return (value is None) == (self.is_ == "unknown")
        return None if value is None else self._compares(value, facts)

    def _joined_truth(self, facts: Facts) -> Truth:
        """Any or all of the parts; what comes behind one that decides is not looked at."""
        decisive, unknown = self.any_ is not None, False
        for part in self.any_ or self.all_ or ():
            truth = part._truth(facts)
            if truth is decisive:
                return decisive
            unknown = unknown or truth is None
        return None if unknown else not decisive

    def _compares(self, value: Any, facts: Facts) -> Truth:
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

    def possible(self, facts: Facts, free: Callable[[str], bool]) -> frozenset[Truth]:
        """What this may turn out to be.

        Args:
            facts: those that are settled.
            free: whether a fact may still take any value.
        """
        if self.not_ is not None:
            inner = self.not_.possible(facts, free)
            return frozenset(None if truth is None else not truth for truth in inner)
        if self.answer is None:
            return _joined(
                [part.possible(facts, free) for part in self.any_ or self.all_ or ()],
                decisive=self.any_ is not None,
            )
        if any(free(name) for name in self.names()):
            return _ANY_TRUTH
        return frozenset((self._truth(facts),))

    def names(self) -> tuple[str, ...]:
        """The answers and facts that a comparison looks at."""
        return tuple(name for name in (self.answer, self.at_least_answer) if name is not None)

    def parts(self) -> Iterator[Condition]:
        """The comparisons that this is made of."""
        inner = (*(self.all_ or ()), *(self.any_ or ()), *((self.not_,) if self.not_ else ()))
        if self.answer is not None:
            yield self
        for part in inner:
            yield from part.parts()


def _joined(parts: Sequence[frozenset[Truth]], *, decisive: bool) -> frozenset[Truth]:
    """What several conditions joined by any (decisive: True) or all (False) may turn out to be."""
    found: set[Truth] = set()
    if any(decisive in part for part in parts):
        found.add(decisive)
    if all((not decisive) in part for part in parts):
        found.add(not decisive)
    if any(None in part for part in parts) and all(part != {decisive} for part in parts):
        found.add(None)
    return frozenset(found)


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

    def said(self, facts: Facts) -> bool:
        """Whether it holds where it stands."""
        return self.when is None or self.when.holds(facts)

    @cached_property
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


def _step(node: Node, branch: Branch, facts: Facts) -> Step:
    said = (*branch.effects, *node.effects)
    return Step(node=node, branch=branch, effects=tuple(e for e in said if e.said(facts)))


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
        return [_step(node, branch, facts) for node, branch in self.ways(facts)]

    def ways(self, facts: Facts) -> Iterator[tuple[Node, Branch]]:
        """The nodes that are passed where these facts hold, each with the branch taken."""
        here = self.start
        while here != END:
            node = self._by_id[here]
            branch = next(branch for branch in node.branches if branch.taken(facts))
            yield node, branch
            here = branch.next

    @cached_property
    def _by_id(self) -> dict[str, Node]:
        return {node.id: node for node in self.nodes}

    def open_questions(self, answers: Answers, unasked: Set[str]) -> set[str]:
        """The questions, of those that nobody has asked yet, that can still change the walk."""
        facts = facts_of(answers)
        unasked = unasked - _settled(answers)
        found: set[str] = set()

        def free(fact: str) -> bool:
            return may_change(fact, facts, unasked)

        blocked = self._blocked(facts, free)

        passed, waiting = {END}, [self.start]
        while waiting:
            here = waiting.pop()
            if here in passed:
                continue
            passed.add(here)
            for condition, onward in _ways(self._by_id[here], facts, free, blocked):
                if onward is not None:
                    waiting.append(onward)
                if condition is not None and len(condition.possible(facts, free)) > 1:
                    looked_at = (name for part in condition.parts() for name in part.names())
                    found |= {one for name in looked_at if free(name) for one in sources(name)}
        return found & unasked

    def _blocked(self, facts: Facts, free: Callable[[str], bool]) -> set[str]:
        """Methods that are blocked whatever is answered, unless the walk ends before."""
        found: set[str] = set()
        here = self.start
        while here != END:
            node = self._by_id[here]
            branches = _possible_branches(node, facts, free)
            sure = branches[0].effects if len(branches) == 1 else ()
            for effect in (*sure, *node.effects):
                if effect.when is None or effect.when.possible(facts, free) == {True}:
                    found.update(effect.block or ())
            onward = {branch.next for branch in branches} - {END}
            if len(onward) != 1:
                break
            (here,) = onward
        return found

    def in_language(self, say: Language) -> Flowchart:
        """The same chart with its texts in a language; what that lacks stays as it is."""
        if say is ENGLISH:
            return self
        return Flowchart.model_validate(_said_in(self.model_dump(by_alias=True), say))

    def comparisons(self) -> Iterator[Condition]:
        """Every comparison in the chart."""
        for node in self.nodes:
            for condition in node.conditions():
                yield from condition.parts()


class Derived(NamedTuple):
    """A fact that follows from answers.

    Attributes:
        of: computes it; None if the answers do not say enough.
        sources: the questions it depends on.
        needs: those of them without which it cannot be known.
    """

    of: Callable[[Answers], Any]
    sources: tuple[str, ...]
    needs: tuple[str, ...] = ()


_SIZE = ("model", "model_parameters", "model_access", "prompt_tokens", "answer_tokens")
_GPU = ("gpu", "gpu_memory_gib", "gpu_count")
_TRAINING = (*_SIZE, "gpu", "gpu_count", "classes", "behaviour", "task_kind", "output")
_CONTEXT = ("model", "context_length", "prompt_tokens", "answer_tokens")


def _gpu_gib(answers: Answers) -> float | None:
    found = gpu_bytes_of(answers)
    return found / GIB if found is not None else None


def _memory_fact(use: Use) -> Derived:
    return Derived(lambda answers: memory_share(answers, use), (*_SIZE, *_GPU))


# The first four stand in the place of the answers of their name, which a model's or a GPU's name
# may give as well.
DERIVED: dict[str, Derived] = {
    "model_access": Derived(access_of, ("model", "model_access", "gpu")),
    "model_parameters": Derived(parameters_of, ("model", "model_parameters")),
    "context_length": Derived(context_of, ("model", "context_length")),
    "gpu_memory_gib": Derived(_gpu_gib, _GPU),
    "labels_per_class": Derived(
        lambda answers: _share(answers.labelled_examples, answers.classes),
        ("labelled_examples", "classes"),
        ("labelled_examples", "classes"),
    ),
    "knowledge_share": Derived(
        lambda answers: _share(answers.knowledge_tokens, context_of(answers)),
        ("knowledge_tokens", "model", "context_length"),
        ("knowledge_tokens",),
    ),
    **{f"{use}_memory_share": _memory_fact(use) for use in USES},
    "icl_memory_share": Derived(
        lambda answers: shown_memory_share(answers, "icl"), (*_SIZE, *_GPU, "context_length")
    ),
    "rag_memory_share": Derived(
        lambda answers: shown_memory_share(answers, "rag"), (*_SIZE, *_GPU, "context_length")
    ),
    "icl_context_share": Derived(
        lambda answers: context_share(answers, "icl"), _CONTEXT, ("prompt_tokens",)
    ),
    "rag_context_share": Derived(
        lambda answers: context_share(answers, "rag"), _CONTEXT, ("prompt_tokens",)
    ),
    "lora_all_hours_share": Derived(
        all_hours_share, (*_TRAINING, "gpu_hours", "labelled_examples"), ("gpu_hours",)
    ),
    "lora_hours_share": Derived(
        lambda answers: hours_share(answers, "lora"), (*_TRAINING, "gpu_hours"), ("gpu_hours",)
    ),
    "full_hours_share": Derived(
        lambda answers: hours_share(answers, "full"), (*_TRAINING, "gpu_hours"), ("gpu_hours",)
    ),
    "tuning_cost_share": Derived(
        tuning_cost_share,
        (*_TRAINING, "budget_usd", "usd_per_label", "labelled_examples"),
        ("budget_usd",),
    ),
}


def sources(fact: str) -> tuple[str, ...]:
    """The questions that a fact follows from; a question's own answer follows from itself."""
    return DERIVED[fact].sources if fact in DERIVED else (fact,)


# A name gives what could be asked for beside it, and a size does where no name is known; who names
# a GPU runs the model there.
_SETTLES = {
    "model": ("model_parameters", "context_length"),
    "model_parameters": ("model",),
    "gpu": ("gpu_memory_gib", "model_access"),
}

_OWN_GPUS = ("gpu", "gpu_memory_gib", "gpu_count", "gpu_hours")


def _settled(answers: Answers) -> set[str]:
    """Questions whose answers others have given."""
    given = [name for name in _SETTLES if getattr(answers, name) is not None]
    settled = {name for giving in given for name in _SETTLES[giving]}
    if access_of(answers) == "hosted":
        settled |= {"model", "model_access", *_OWN_GPUS}
    return settled


def may_change(fact: str, facts: Facts, unasked: Set[str]) -> bool:
    """Whether answers to questions that nobody has asked yet can change a fact."""
    if unasked.isdisjoint(sources(fact)):
        return False
    needs = DERIVED[fact].needs if fact in DERIVED else ()
    return all(facts[name] is not None or name in unasked for name in needs)


class _FactsOf(Mapping[str, Any]):
    """Answers and what follows from them, each computed when it is looked at."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers
        self._known: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._known:
            derived = DERIVED.get(name)
            known = derived.of(self._answers) if derived else getattr(self._answers, name)
            self._known[name] = known
        return self._known[name]

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys((*questions(), *DERIVED)))

    def __len__(self) -> int:
        return len(list(iter(self)))


def facts_of(answers: Answers) -> Facts:
    """The answers, and what follows from them; what does not follow is None."""
    return _FactsOf(answers)


def _share(part: float | None, whole: float | None) -> float | None:
    return part / whole if part is not None and whole else None


_TEXTS = ("question", "label", "reason", "text", "note", "first", "provisional", "finding")


def texts_of(data: Any) -> Iterator[str]:
    """The texts for people in a chart's plain data."""
    if isinstance(data, dict):
        for key, value in data.items():
            if key in _TEXTS and isinstance(value, str):
                yield value
            else:
                yield from texts_of(value)
    elif isinstance(data, list | tuple):
        for value in data:
            yield from texts_of(value)


def _said_in(data: Any, say: Language) -> Any:
    if isinstance(data, dict):
        return {
            key: say(value) if key in _TEXTS and isinstance(value, str) else _said_in(value, say)
            for key, value in data.items()
        }
    if isinstance(data, list | tuple):
        return [_said_in(value, say) for value in data]
    return data


def _possible_branches(node: Node, facts: Facts, free: Callable[[str], bool]) -> list[Branch]:
    """The ways out of a node that may be taken."""
    found = []
    for branch in node.branches:
        possible = branch.when.possible(facts, free) if branch.when else frozenset((True,))
        found += [branch] if True in possible else []
        if possible == {True}:
            break
    return found


def _ways(
    node: Node, facts: Facts, free: Callable[[str], bool], blocked: Set[str]
) -> Iterator[tuple[Condition | None, str | None]]:
    """Conditions that are looked at in a node, and the nodes to which it may lead.

    What is said of blocked methods alone matters to nobody.
    """
    branches = _possible_branches(node, facts, free)
    # Those before the last possible one were looked at as well, whether they can hold or not.
    for branch in node.branches[: node.branches.index(branches[-1]) + 1]:
        yield branch.when, branch.next if branch in branches else None
    effects = [effect for branch in branches for effect in branch.effects]
    for effect in (*effects, *node.effects):
        if not effect.methods or not blocked >= set(effect.methods):
            yield effect.when, None


def load_flowchart(path: Path | None = None) -> Flowchart:
    """The built-in flowchart, or a user's own, checked.

    A user's chart may cite the built-in claims, and its own ``claims`` go before those.

    Raises:
        FlowchartError: lists everything that is wrong with it.
    """
    built_in = _own("evidence.yaml")
    if path is None:
        origin = "flowchart.yaml"
        data = {**_own(origin), "claims": built_in}
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
        data = yaml_data(text)
    except FileError as error:
        raise FlowchartError(f"{origin} is no flowchart: {error}") from None
    if not isinstance(data, dict):
        keys = ", ".join(Flowchart.model_fields)
        raise FlowchartError(f"{origin} is no flowchart: expected a mapping with the keys {keys}")
    return data


def _validated(data: dict[str, Any], origin: str) -> Flowchart:
    try:
        return Flowchart.model_validate(data)
    except ValidationError as error:
        found = plain_problems(error, Flowchart)
    raise _refusal(origin, found)


def _refusal(origin: str, problems: list[str]) -> FlowchartError:
    lines = [f"{origin}: {len(problems)} problem(s)", *(f"  {line}" for line in problems)]
    return FlowchartError("\n".join(lines))


def _own(name: str) -> dict[str, Any]:
    return dict(own_yaml(files("advisor").joinpath(name).read_text(encoding="utf-8")))


def _read(path: Path) -> str:
    try:
        return read_text(path)
    except (OSError, ValueError) as error:
        raise FlowchartError(
            f"{path} cannot be read as text: {error}. Give a flowchart as YAML, or leave "
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
        for name in part.names():
            if name not in answers:
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
    if is_text(field):
        return False
    if takes_many(field):
        return part.is_ == "empty" or part.contains in allowed(field)
    wanted = part.in_ if part.in_ is not None else (part.is_,)
    return all(value in allowed(field) for value in wanted)


def _is_number(answer: str) -> bool:
    field = questions().get(answer)
    return field is None or not (allowed(field) or is_text(field))


def _said(part: Condition) -> str:
    given = part.model_dump(by_alias=True, exclude_none=True, exclude={"answer"})
    return ", ".join(f"{operator} {value!r}" for operator, value in given.items())


def _takes(part: Condition) -> str:
    field = questions().get(part.answer or "")
    if field is not None and is_text(field):
        return "is with known or unknown"
    if field is None or not allowed(field):
        return (
            "below or at_least with a number, at_least_answer with an answer that is one, or is "
            "with a number, known or unknown"
        )
    values = ", ".join(str(value).lower() for value in allowed(field))
    if takes_many(field):
        return f"contains with one of {values}, or is with empty, known or unknown"
    return f"is or in with {values}, known or unknown"
