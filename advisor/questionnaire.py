"""The questions: what is asked, why, in which unit, and which answers are allowed.

One field of `Answers` is one question; prompts, error messages and documents read it from here.
"""

from __future__ import annotations

import shlex
import types
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Union, cast, get_args, get_origin

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic.fields import FieldInfo

from advisor.errors import AnswersError
from advisor.limited_files import read_text, yaml_data
from advisor.wording import plain_problems

if TYPE_CHECKING:
    from advisor.language import Language

Skill = Literal["none", "some", "expert"]
# More than any count of tokens or parameters there is; beyond it shares cannot be computed.
_MOST = 10**18
Behaviour = Literal["tone", "style", "format", "vocabulary", "label_set", "skill"]
Failure = Literal["lacks_facts", "wrong_format", "wrong_reasoning", "inconsistent"]
# Those of estimates/gpus.yaml, which the start of a command has no time to read.
GpuName = Literal[
    "T4",
    "A10",
    "L4",
    "RTX-4090",
    "RTX-3090",
    "A100-40GB",
    "L40S",
    "RTX-A6000",
    "H100",
    "A100-80GB",
    "H200",
]


def _ask(
    question: str,
    why: str,
    unit: str = "",
    *,
    suggested: str = "",
    typical: tuple[float, ...] = (),
    **limits: Any,
) -> Any:
    """A question; left out it is 'not known', whatever the interview suggests.

    Typical numbers stand for the answer where it is not known and all of them are tried.
    """
    extra: dict[str, Any] = {"why": why, "unit": unit, "suggested": suggested}
    extra["typical"] = list(typical)
    return Field(default=None, description=question, json_schema_extra=extra, **limits)


class Answers(BaseModel):
    """What is known of a use case; None means 'not known', and the order never matters."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    schema_version: Literal[1] = 1
    task_kind: (
        Literal[
            "classification", "extraction", "qa", "rewriting", "generation", "reasoning", "code"
        ]
        | None
    ) = _ask("What kind of task is it?", "Harder outputs need more examples.")
    output: Literal["label", "short_text", "long_text", "structured"] | None = _ask(
        "What does an answer look like?",
        "Long texts need more examples; structured ones (JSON, YAML, tables) can be checked.",
    )
    eval_items: int | None = _ask(
        "How many items does your eval set hold?",
        "Without one, no step of the ladder can be judged.",
        "items",
        ge=0,
        typical=(0, 50, 150, 1000),
    )
    target_score: float | None = _ask(
        "Which score on it is good enough?",
        "It says when to stop.",
        "share, 0 to 1",
        ge=0,
        le=1,
        typical=(0.6, 0.75, 0.9),
    )
    model: str | None = _ask(
        "Which base model is it?",
        "Its shape gives memory, time and context. Part of the catalogue, or a folder.",
        "name such as llama-3.1-8b, or a folder with config.json",
        max_length=200,
    )
    model_access: Literal["open", "hosted"] | None = _ask(
        "Are the weights at hand (open), or is the model behind an API (hosted)?",
        "Only weights at hand can be tuned freely.",
        suggested="open",
    )
    data_may_leave: bool | None = _ask(
        "May the data leave the house?", "If not, hosted models are out."
    )
    current_score: float | None = _ask(
        "Which score does the plain prompt reach?",
        "If it reaches the target, nothing needs adapting.",
        "share, 0 to 1",
        ge=0,
        le=1,
        typical=(0.1, 0.3, 0.5, 0.7),
    )
    classical_score: float | None = _ask(
        "Which score does a baseline without a language model reach (TF-IDF, nearest example)?",
        "If it reaches the target, no language model is needed.",
        "share, 0 to 1",
        ge=0,
        le=1,
        typical=(0.1, 0.3, 0.5, 0.7),
    )
    failures: tuple[Failure, ...] | None = _ask(
        "What is wrong with the plain prompt's answers, where they fail?",
        "Lacking facts are for retrieval; format, reasoning and consistency are for examples.",
        "several with commas, none for nothing",
    )
    knowledge: Literal["none", "static", "changing"] | None = _ask(
        "Do answers need facts that the model cannot know, and do these change?",
        "Facts are retrieved; tuning does not inject them well.",
    )
    knowledge_updates_per_month: float | None = _ask(
        "How often does that knowledge change?",
        "Every change is indexed again; tuned-in facts would be trained again.",
        "times a month",
        ge=0,
        typical=(0.1, 1, 30),
    )
    knowledge_tokens: int | None = _ask(
        "How large is that knowledge?",
        "What fits into the prompt need not be retrieved.",
        "tokens",
        ge=0,
        typical=(1000, 20_000, 1_000_000, 100_000_000),
    )
    knowledge_private: bool | None = _ask(
        "Is that knowledge private?",
        "Private facts cannot be in any model's weights.",
        suggested="no",
    )
    citations_required: bool | None = _ask(
        "Must answers cite their source?", "Retrieved passages can be cited.", suggested="no"
    )
    hallucination_tolerance: Literal["low", "medium", "high"] | None = _ask(
        "How much invention can be tolerated?",
        "A low tolerance asks for grounded answers.",
        suggested="medium",
    )
    behaviour: tuple[Behaviour, ...] | None = _ask(
        "What must the model learn that a prompt does not get?",
        "Tone, format, labels and skills are what tuning is good at.",
        "several with commas, none for nothing",
    )
    labelled_examples: int | None = _ask(
        "How many labelled examples are there?",
        "They decide what can be tuned.",
        "examples",
        ge=0,
        typical=(0, 5, 30, 200, 5000),
    )
    classes: int | None = _ask(
        "How many classes does the label set have?",
        "Labels per class decide, not labels.",
        "classes",
        ge=2,
        typical=(2, 10, 50),
    )
    label_quality: Literal["low", "medium", "high"] | None = _ask(
        "How good are the labels?",
        "Few clean examples beat many noisy ones.",
    )
    annotator_agreement: float | None = _ask(
        "How often do two people who label the same item agree?",
        "No method can be seen to do better than the labels agree.",
        "share, 0 to 1",
        ge=0,
        le=1,
        typical=(0.75, 0.9, 0.97),
    )
    usd_per_label: float | None = _ask(
        "What does one more labelled example cost?",
        "It says what the missing ones would cost.",
        "USD",
        ge=0,
        typical=(0.1, 1, 20),
    )
    behaviour_updates_per_month: float | None = _ask(
        "How often does what is to be learnt change (labels, style, rules)?",
        "Every change means training again; examples in a prompt change at once.",
        "times a month",
        ge=0,
        typical=(0.1, 1, 8),
    )
    tasks: int | None = _ask(
        "How many different tasks must one model do?",
        "Adapters can be swapped.",
        "tasks",
        suggested="1",
        ge=1,
        typical=(1, 3, 20),
    )
    tasks_alike: bool | None = _ask(
        "Are these tasks alike?",
        "Tasks that are alike can share one adapter; others get one each.",
    )
    keep_general_ability: bool | None = _ask(
        "Must the model keep its general abilities?",
        "Full fine-tuning forgets more than PEFT.",
        suggested="no",
    )
    far_from_pretraining: bool | None = _ask(
        "Is the task far from what models are trained on?",
        "A large shift favours full tuning.",
        suggested="no",
    )
    new_language_or_domain: bool | None = _ask(
        "Is the language or the domain under-represented in the model?",
        "Then tuning pays, and continued pre-training is worth a discussion.",
        suggested="no",
    )
    raw_corpus_tokens: int | None = _ask(
        "How much unlabelled text of that domain is there?",
        "Continued pre-training needs billions of tokens.",
        "tokens",
        ge=0,
        typical=(1_000_000, 2_000_000_000),
    )
    queries_per_day: float | None = _ask(
        "How many queries come in a day?",
        "Many queries pay back training.",
        "queries",
        ge=0,
        typical=(50, 1000, 50_000),
    )
    prompt_tokens: int | None = _ask(
        "How long is the plain prompt with its input?",
        "Long prompts cost with every query.",
        "tokens",
        ge=1,
        typical=(100, 500, 3000),
    )
    answer_tokens: int | None = _ask(
        "How long is an answer?",
        "Time and cost of a query grow with it.",
        "tokens",
        ge=1,
        typical=(5, 100, 500),
    )
    latency_p95_seconds: float | None = _ask(
        "How long may 95 % of the answers take?",
        "Tight limits forbid long prompts.",
        "s",
        gt=0,
        typical=(0.5, 2, 10),
    )
    model_parameters: int | None = _ask(
        "How many parameters does the base model have?",
        "Small models learn little from demonstrations.",
        "parameters",
        gt=0,
        typical=(134_515_008, 1_700_000_000, 8_000_000_000, 70_000_000_000),
    )
    context_length: int | None = _ask(
        "How long is the model's context?",
        "It bounds what can be shown.",
        "tokens",
        gt=0,
        typical=(4096, 32_768, 131_072),
    )
    gpu: GpuName | None = _ask(
        "Which GPU is at hand?", "It gives memory, speed and price; ? if it is none of these."
    )
    gpu_memory_gib: float | None = _ask(
        "How much memory does one GPU have? 0 for no GPU.",
        "It decides which training fits.",
        "GiB",
        ge=0,
        typical=(0, 16, 24, 80),
    )
    gpu_count: int | None = _ask(
        "How many such GPUs are there?",
        "Together they hold larger models.",
        "GPUs",
        suggested="1",
        ge=0,
        typical=(0, 1, 8),
    )
    gpu_hours: float | None = _ask(
        "For how many hours can they train?",
        "Training that takes longer does not fit.",
        "hours",
        ge=0,
        typical=(1, 10, 100),
    )
    budget_usd: float | None = _ask(
        "What may labels and training cost?",
        "Tuning that costs more does not fit.",
        "USD",
        ge=0,
        typical=(100, 1000, 10_000),
    )
    retrieval_skill: Skill | None = _ask(
        "How well does the team know search systems?", "Without any, retrieval costs more."
    )
    training_skill: Skill | None = _ask(
        "How well does the team know training?", "Without any, tuning costs more."
    )

    @field_validator("*", mode="before")
    @classmethod
    def _yes_is_no_number(cls, value: Any, info: ValidationInfo) -> Any:
        # pydantic would read "labelled_examples: yes" as one example.
        name = info.field_name
        if isinstance(value, bool) and name is not None and not allowed(cls.model_fields[name]):
            text = _kind(cls.model_fields[name]) is str
            raise ValueError(f"is {value}; expected a {'name' if text else 'number'}")
        return value

    @field_validator("behaviour", "failures", mode="before")
    @classmethod
    def _names_with_commas_are_a_list(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        return [] if value.strip() == "none" else [name.strip() for name in value.split(",")]

    @field_validator("model")
    @classmethod
    def _is_a_model(cls, value: str | None) -> str | None:
        from advisor.sizing import model_problem

        problem = model_problem(value) if value is not None else None
        if problem is not None:
            raise ValueError(problem)
        return value

    @field_validator("*")
    @classmethod
    def _is_a_number_to_reckon_with(cls, value: Any) -> Any:
        if isinstance(value, int | float) and value > _MOST:
            raise ValueError(f"expected at most {_MOST:,}")
        return value


def questions() -> dict[str, FieldInfo]:
    """The questions by key, in the order in which they are asked."""
    fields = Answers.model_fields
    return {name: field for name, field in fields.items() if name != "schema_version"}


def allowed(field: FieldInfo) -> tuple[Any, ...]:
    """The values that a question allows, () when any number in its range will do."""
    kind = _kind(field)
    if kind is bool:
        return (True, False)
    if get_origin(kind) is Literal:
        return get_args(kind)
    return get_args(get_args(kind)[0]) if get_origin(kind) is tuple else ()


def takes_many(field: FieldInfo) -> bool:
    """Whether an answer is a list of the allowed values."""
    return get_origin(_kind(field)) is tuple


def is_whole(field: FieldInfo) -> bool:
    """Whether an answer is a whole number."""
    return _kind(field) is int


def is_text(field: FieldInfo) -> bool:
    """Whether an answer is a name of any kind."""
    return _kind(field) is str


def least(field: FieldInfo) -> int:
    """The smallest whole number that a question allows: 1 where it asks for more than 0."""
    return next((int(limit.ge) for limit in field.metadata if hasattr(limit, "ge")), 1)


def largest(field: FieldInfo) -> float:
    """The largest number that a question allows."""
    return next((limit.le for limit in field.metadata if hasattr(limit, "le")), _MOST)


def typical(field: FieldInfo) -> tuple[float, ...]:
    """Typical numbers of a question's answer, () where it has none."""
    extra = field.json_schema_extra
    return tuple(cast(list[float], extra["typical"])) if isinstance(extra, dict) else ()


def _kind(field: FieldInfo) -> Any:
    if get_origin(field.annotation) in (Union, types.UnionType):
        return next(kind for kind in get_args(field.annotation) if kind is not type(None))
    return field.annotation


def detail(field: FieldInfo, key: Literal["why", "unit", "suggested"]) -> str:
    """Why a question is asked, the unit of its answer, or the usual answer; '' for none."""
    extra = field.json_schema_extra
    return str(extra[key]) if isinstance(extra, dict) else ""


def template(say: Language) -> str:
    """Every question as YAML, with why it is asked and what it allows, answered 'not known'."""
    lines = [f"# {say('Leave a line empty for: not known.')}", "schema_version: 1"]
    for name, field in questions().items():
        takes = ", ".join(
            say.glossed(as_text(v) if isinstance(v, bool) else v) for v in allowed(field)
        )
        such_as = ", ".join(map(str, typical(field)))
        told = (
            say(field.description or name),
            say(detail(field, "why")),
            say("Allowed: {values}.", values=takes) if takes else "",
            say("Unit: {unit}.", unit=say(detail(field, "unit"))) if detail(field, "unit") else "",
            say("Such as {values}.", values=such_as) if such_as else "",
        )
        lines += ["", *(f"# {text}" for text in told if text), f"{name}:"]
    return "\n".join(lines) + "\n"


def as_text(value: object) -> str:
    """An answer as people read it: yes and no, lists with commas, thousands apart."""
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value)) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.10g}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def parse_answers(values: Mapping[str, Any], origin: str) -> Answers:
    """Answers out of plain data.

    Args:
        values: question key to answer; None and missing keys are 'not known'.
        origin: named in the message, such as a file's name.

    Raises:
        AnswersError: lists every problem with what is allowed.
    """
    try:
        return Answers.model_validate(dict(values))
    except ValidationError as error:
        lines = [_problem(said) for said in plain_problems(error, Answers)]
        raise AnswersError("\n".join([f"{origin}: {len(lines)} problem(s)", *lines])) from None


def _problem(message: str) -> str:
    name, _, said = message.partition(": ")
    if name == "schema_version":
        return f"  {message}"
    field = questions().get(name.partition(".")[0])
    if field is None:
        return f"  {name}: there is no such question. Questions: {', '.join(questions())}"
    choices = allowed(field)
    hint = f" Allowed: {', '.join(str(choice).lower() for choice in choices)}." if choices else ""
    said = said.partition("; allowed:")[0]
    unit = f" Unit: {detail(field, 'unit')}." if detail(field, "unit") else ""
    said = said.replace("expected a list", "expected a list such as [tone, format]")
    return f"  {name}: {said}.{hint}{unit}"


def load_answers(path: Path) -> Answers:
    """The answers of a YAML file.

    Raises:
        AnswersError: the file cannot be read, is no YAML mapping, or has wrong answers.
    """
    try:
        values = yaml_data(read_text(path))
    except FileNotFoundError:
        raise AnswersError(
            f"{path} does not exist. Write one with: advisor ask --save {shlex.quote(str(path))}"
        ) from None
    except (OSError, ValueError) as error:
        raise AnswersError(f"{path} cannot be read as YAML: {error}") from None
    if values is None:
        return Answers()
    if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
        raise AnswersError(f"{path}: expected lines such as 'labelled_examples: 200'")
    return parse_answers(values, str(path))
