"""What each method would take for a use case: memory, hours and money, out of its answers.

The flowchart's facts about means and the figures beside each recommended method come from here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from math import inf, log
from typing import TYPE_CHECKING, Literal

from advisor.errors import EstimateError
from advisor.estimates.cost import BreakEven, Means, MethodCost, Workload, break_evens, method_cost
from advisor.estimates.gpus import Fits, Gpu, find_gpu, fits
from advisor.estimates.memory import GIB, MemoryEstimate, Part, Range, estimate_memory
from advisor.estimates.prices import Price, Prices, load_prices
from advisor.estimates.setup import Setup
from advisor.estimates.shapes import ModelShape, catalogue, load_shape
from advisor.estimates.time import TimeEstimate, training_time
from advisor.estimates.tokens import PromptShape

if TYPE_CHECKING:
    from advisor.questionnaire import Answers

Use = Literal["inference", "inference_4bit", "lora", "qlora", "full"]
USES: tuple[Use, ...] = ("inference", "inference_4bit", "lora", "qlora", "full")
# What stands in a prompt beside instruction and input: demonstrations or passages.
Shown = Literal["plain", "icl", "rag"]
# What the methods of this project show and do: four demonstrations, two passages of 200 tokens,
# five epochs.
_DEMONSTRATIONS, _PASSAGES, _PASSAGE_TOKENS, _EPOCHS = 4, 2, 200, 5
# A range test tries three learning rates and more, each with at most 100 steps of two examples.
_RATE_TRIALS, _MOST_TRIAL_EXAMPLES = 3, 200
# Taken where nothing is answered; each estimate names those that it rests on.
_ASSUMED = {"prompt_tokens": 200, "answer_tokens": 100}
_DAYS_A_MONTH = 365 / 12
# Labels that the flowchart asks for before anything is tuned, in all or of a label set per class.
_LABELS_TO_TUNE, _LABELS_PER_CLASS = 50, 10
_Training = Literal["lora", "full"]
_TRAINED: dict[str, _Training] = {
    "lora": "lora", "rag+lora": "lora", "raft": "lora", "full": "full",
}  # fmt: skip


@dataclass(frozen=True)
class MethodEstimate:
    """What a method would take; None where the answers do not say enough.

    Attributes:
        memory: bytes of training it, or of answering if nothing trains; batches of one.
        bits: of the stored base weights: 4 where 16 exceed the GPU and 4 do not.
        fits: whether the memory fits all GPUs together.
        prompt_tokens: that a query shows the model.
        training: seconds on one GPU.
        cost: US dollars a month and a query.
        assumed: what was taken for answers that are not known.
    """

    memory: MemoryEstimate | None
    bits: Literal[4, 16]
    fits: Fits | None
    prompt_tokens: int
    training: TimeEstimate | None
    cost: MethodCost | None
    assumed: tuple[str, ...]


# ---------------------------------------------------------------- the model and the GPU


@cache
def shape_named(model: str) -> ModelShape | None:
    """Shape of a model, None of one that is hosted.

    Raises:
        EstimateError: it is no folder with config.json, and in no catalogue.
    """
    return None if _is_hosted(model) else load_shape(model)


@cache
def _prices() -> Prices:
    return load_prices()


@cache
def _nearest(parameters: int) -> ModelShape:
    """The model of the catalogue that is nearest in size, by ratio."""
    shapes = catalogue().values()
    return min(shapes, key=lambda shape: abs(log(shape.parameters / parameters)))


def parameters_of(answers: Answers) -> int | None:
    """Parameters of the base model: counted if it is named, else as answered."""
    shape = shape_named(answers.model) if answers.model else None
    return shape.parameters if shape else answers.model_parameters


def access_of(answers: Answers) -> str | None:
    """Whether the model is open or hosted.

    A name that providers sell is hosted; any other is open on a GPU of one's own, unless it is
    said to be asked through an API.
    """
    if answers.model and _is_hosted(answers.model):
        return "hosted"
    return answers.model_access or ("open" if answers.gpu else None)


def _is_hosted(model: str) -> bool:
    return _hosted_price(model) is not None


def context_of(answers: Answers) -> int | None:
    """Longest sequence of the base model, in tokens: as answered, else by its config.json."""
    if answers.context_length is not None or not answers.model:
        return answers.context_length
    shape = shape_named(answers.model)
    return shape.positions if shape else None


def gpu_bytes_of(answers: Answers) -> float | None:
    """Memory of one GPU: as answered, else the catalogue's; 0 without any."""
    if answers.gpu_count == 0:
        return 0.0
    if answers.gpu_memory_gib is not None:
        return answers.gpu_memory_gib * GIB
    return find_gpu(answers.gpu).memory_bytes if answers.gpu else None


def _all_gpu_bytes(answers: Answers) -> float | None:
    one = gpu_bytes_of(answers)
    return one * (answers.gpu_count or 1) if one is not None else None


# ---------------------------------------------------------------- memory


def memory_of(answers: Answers, use: Use, shown: Shown = "plain") -> MemoryEstimate | None:
    """Memory of answering or training, in batches of one; None if hosted or of unknown size.

    Of a model whose size alone is known, that of the catalogue's nearest, in proportion.

    Args:
        answers: of the use case.
        use: what is done with the model.
        shown: what a query shows it; training always shows passages.
    """
    parameters = parameters_of(answers)
    if not parameters or access_of(answers) == "hosted":
        return None
    on_cpu = gpu_bytes_of(answers) == 0
    return _memory(answers.model, parameters, _setup(use, answers, shown), on_cpu)


def _on_cpu(estimate: MemoryEstimate) -> MemoryEstimate:
    parts = tuple(part for part in estimate.parts if part.name != "CUDA context")
    return replace(estimate, parts=parts, total=_sum(part for part in parts if part.at_peak))


@cache
def _memory(model: str | None, parameters: int, setup: Setup, on_cpu: bool) -> MemoryEstimate:
    shape = shape_named(model) if model else None
    nearest = shape or _nearest(parameters)
    found = estimate_memory(nearest, setup)
    if shape is None:
        found = _scaled(found, parameters / nearest.parameters)
    return _on_cpu(found) if on_cpu else found


def _setup(use: Use, answers: Answers, shown: Shown = "plain") -> Setup:
    """Batches of one; a prompt beyond the context is cut, so that it takes no more than that."""
    prompt, answer = _tokens(answers, "prompt_tokens"), _tokens(answers, "answer_tokens")
    context = context_of(answers)
    if use in ("inference", "inference_4bit"):
        return _setup_of(use, _within(_shown_tokens(shown, prompt, answer), context), answer)
    return _setup_of(use, _within(prompt + answer + _PASSAGES * _PASSAGE_TOKENS, context), 0)


@cache
def _setup_of(use: Use, sequence: int, output_tokens: int) -> Setup:
    if use == "inference" or use == "inference_4bit":  # noqa: PLR1714, for the type checker
        return Setup(
            method="inference",
            sequence=sequence,
            output_tokens=output_tokens,
            four_bit=use == "inference_4bit",
        )
    precision: Literal["bf16-mixed", "bf16"] = "bf16-mixed" if use == "full" else "bf16"
    return Setup(method=use, precision=precision, sequence=sequence, checkpointing=True)


def _within(tokens: int, context: int | None) -> int:
    return min(tokens, context) if context else tokens


def _shown_tokens(shown: Shown, prompt_tokens: int, answer_tokens: int) -> int:
    more = {
        "plain": 0,
        "icl": _DEMONSTRATIONS * (prompt_tokens + answer_tokens),
        "rag": _PASSAGES * _PASSAGE_TOKENS,
    }
    return prompt_tokens + more[shown]


def context_share(answers: Answers, shown: Shown) -> float | None:
    """Prompt and answer as a share of the context; None if either is not known."""
    context = context_of(answers)
    if context is None or answers.prompt_tokens is None:
        return None
    answer = _tokens(answers, "answer_tokens")
    return (_shown_tokens(shown, answers.prompt_tokens, answer) + answer) / context


def _scaled(estimate: MemoryEstimate, factor: float) -> MemoryEstimate:
    """In proportion, but for the CUDA context, which every model takes alike."""
    parts = tuple(
        part if part.name == "CUDA context" else replace(part, bytes=part.bytes.times(factor))
        for part in estimate.parts
    )
    return replace(
        estimate,
        parts=parts,
        total=_sum(part for part in parts if part.at_peak),
        parameters=round(estimate.parameters * factor),
        trainable_parameters=round(estimate.trainable_parameters * factor),
    )


def _sum(parts: Iterator[Part]) -> Range:
    total = Range.same(0.0)
    for part in parts:
        total += part.bytes
    return total


# ---------------------------------------------------------------- facts of the flowchart


def memory_share(answers: Answers, use: Use) -> float | None:
    """Likely memory as a share of all GPUs'; None if it is not known, or there is no GPU."""
    return _of_all_gpus(memory_of(answers, use), answers)


def shown_memory_share(answers: Answers, shown: Shown) -> float | None:
    """Likely memory of a prompt with what is shown in it, as a share of all GPUs'.

    With 4-bit weights where the plain prompt does not fit with 16-bit ones.
    """
    return _of_all_gpus(_answering(answers, shown)[0], answers)


def _of_all_gpus(memory: MemoryEstimate | None, answers: Answers) -> float | None:
    room = _all_gpu_bytes(answers)
    return memory.total.likely / room if memory and room else None


def hours_share(answers: Answers, use: _Training) -> float | None:
    """Likely hours of training as a share of those at hand; None if either is not known.

    Of training on the fewest labels that tuning asks for: of more, a part can be taken.
    """
    time = _training(answers, use, labels_to_tune(answers))
    return _share(time.total.likely / 3600, _gpu_hours(answers)) if time else None


def all_hours_share(answers: Answers) -> float | None:
    """Likely hours of LoRA on all labels, as a share of those at hand; None if not known."""
    time = _training(answers, "lora", answers.labelled_examples)
    return _share(time.total.likely / 3600, _gpu_hours(answers)) if time else None


def _gpu_hours(answers: Answers) -> float | None:
    """Hours of all GPUs together."""
    if answers.gpu_hours is None:
        return None
    return answers.gpu_hours * (answers.gpu_count or 1)


def _share(amount: float, of: float | None) -> float | None:
    """Part of what is at hand; anything is infinitely much of nothing."""
    if of is None:
        return None
    return amount / of if of else inf


def tuning_cost_share(answers: Answers) -> float | None:
    """Cost of the labels that are missing, and of training on the fewest that tuning asks for.

    As a share of the budget; None if neither cost is known, or the budget is not.
    """
    labels, training = (
        label_cost_usd(answers),
        _training(answers, "lora", labels_to_tune(answers)),
    )
    hour = _gpu_hour(answers)
    if labels is None and (training is None or hour is None):
        return None
    trained = training.total.likely / 3600 * hour.usd if training and hour else 0.0
    return _share((labels or 0.0) + trained, answers.budget_usd)


def labels_to_tune(answers: Answers) -> int:
    """The fewest labelled examples that tuning asks for."""
    if answers.classes and (
        "label_set" in (answers.behaviour or ())
        or answers.task_kind == "classification"
        or answers.output == "label"
    ):
        return max(_LABELS_TO_TUNE, _LABELS_PER_CLASS * answers.classes)
    return _LABELS_TO_TUNE


def labels_missing(answers: Answers) -> int | None:
    """Labelled examples to collect before tuning is worth it; None if they are not counted."""
    if answers.labelled_examples is None:
        return None
    return max(0, labels_to_tune(answers) - answers.labelled_examples)


def label_cost_usd(answers: Answers) -> float | None:
    """US dollars that the missing labels cost; None if their number or price is not known."""
    missing = labels_missing(answers)
    if missing == 0:
        return 0.0
    if missing is None or answers.usd_per_label is None:
        return None
    return missing * answers.usd_per_label


# ---------------------------------------------------------------- one method


def estimate_method(name: str, answers: Answers) -> MethodEstimate:
    """Memory, time and cost of a method.

    Args:
        name: of the flowchart's methods; one that is not known here counts as answering alone.
        answers: of the use case.
    """
    memory, bits = _fitting(name, answers)
    room = _all_gpu_bytes(answers)
    learns = _TRAINED.get(name)
    return MethodEstimate(
        memory=memory,
        bits=bits,
        fits=fits(memory.total, room) if memory and room else None,
        prompt_tokens=_shown(name, answers).prompt_tokens,
        training=_training(answers, learns, answers.labelled_examples, retrieves=name == "raft")
        if learns
        else None,
        cost=_cost(name, answers),
        assumed=tuple(
            f"{key.replace('_', ' ')}: {value}"
            for key, value in _ASSUMED.items()
            if getattr(answers, key) is None
        ),
    )


def _fitting(name: str, answers: Answers) -> tuple[MemoryEstimate | None, Literal[4, 16]]:
    """Memory with 16-bit weights, or with 4-bit ones where those alone fit the GPU."""
    training = _TRAINED.get(name)
    if training is None:
        return _answering(answers, _shows(name))
    memory, room = memory_of(answers, training), _all_gpu_bytes(answers)
    if training == "full" or _fits(memory, room):
        return memory, 16
    smaller = memory_of(answers, "qlora")
    return (smaller, 4) if _fits(smaller, room) else (memory, 16)


def _answering(answers: Answers, shown: Shown) -> tuple[MemoryEstimate | None, Literal[4, 16]]:
    room = _all_gpu_bytes(answers)
    plain, plain_4bit = (memory_of(answers, use) for use in ("inference", "inference_4bit"))
    if _fits(plain, room) or not _fits(plain_4bit, room):
        return memory_of(answers, "inference", shown), 16
    return memory_of(answers, "inference_4bit", shown), 4


def _fits(memory: MemoryEstimate | None, room: float | None) -> bool:
    """Whether it fits; where nothing is known, nothing speaks against it."""
    return memory is None or not room or memory.total.likely < room


def _shows(name: str) -> Shown:
    if name.startswith("icl"):
        return "icl"
    return "rag" if _retrieves(name) else "plain"


def _tokens(answers: Answers, key: Literal["prompt_tokens", "answer_tokens"]) -> int:
    return getattr(answers, key) or _ASSUMED[key]


def _shown(name: str, answers: Answers) -> PromptShape:
    instruction, answer = _tokens(answers, "prompt_tokens"), _tokens(answers, "answer_tokens")
    return PromptShape(
        instruction=instruction,
        answer=answer,
        demonstrations=_DEMONSTRATIONS if name.startswith("icl") else 0,
        demonstration=instruction + answer,
        passages=_PASSAGES if _retrieves(name) else 0,
        passage=_PASSAGE_TOKENS,
    )


def _retrieves(name: str) -> bool:
    return name.startswith(("rag", "raft"))


def _train_tokens(answers: Answers, examples: int | None, *, retrieves: bool) -> int:
    passages = _PASSAGES * _PASSAGE_TOKENS if retrieves else 0
    a_step = _tokens(answers, "prompt_tokens") + _tokens(answers, "answer_tokens") + passages
    # A trial of the range test is the beginning of the training.
    trial = min((examples or 0) * _EPOCHS / 5, _MOST_TRIAL_EXAMPLES)
    return round(((examples or 0) * _EPOCHS + _RATE_TRIALS * trial) * a_step)


def _training(
    answers: Answers, use: _Training, examples: int | None, *, retrieves: bool = False
) -> TimeEstimate | None:
    """Seconds of training on one GPU; None without labels, a model of known shape, or a GPU."""
    shape, gpu = _shape(answers), _gpu(answers)
    tokens = _train_tokens(answers, examples, retrieves=retrieves)
    if shape is None or gpu is None or not tokens:
        return None
    return training_time(shape, _setup(use, answers), gpu, tokens)


def _shape(answers: Answers) -> ModelShape | None:
    """The named model's, or of one that is known by size the nearest with that size."""
    if answers.model:
        return shape_named(answers.model)
    return _shape_of_size(answers.model_parameters) if answers.model_parameters else None


@cache
def _shape_of_size(parameters: int) -> ModelShape:
    return _nearest(parameters).model_copy(update={"stated_parameters": parameters})


def _gpu(answers: Answers) -> Gpu | None:
    return find_gpu(answers.gpu) if answers.gpu and answers.gpu_count != 0 else None


def _gpu_hour(answers: Answers) -> Price | None:
    return _prices().gpu_hour.get(answers.gpu or "")


def _cost(name: str, answers: Answers) -> MethodCost | None:
    """US dollars a month and a query; None where volume, model or a price is not known."""
    if not answers.queries_per_day:
        return None
    means = _means(name, answers)
    learns = name in _TRAINED
    if means is None or (learns and (means.hosted or not answers.labelled_examples)):
        return None
    workload = Workload(
        prompt=_shown(name, answers),
        queries_a_month=max(1, round(answers.queries_per_day * _DAYS_A_MONTH)),
        train_tokens=_train_tokens(answers, answers.labelled_examples, retrieves=name == "raft"),
        retrainings=answers.behaviour_updates_per_month or 0.0,
        corpus_tokens=answers.knowledge_tokens or 0,
        reindexings=answers.knowledge_updates_per_month or 0.0,
    )
    return method_cost(name, workload, means, tuned=learns, retrieves=_retrieves(name))


def _means(name: str, answers: Answers) -> Means | None:
    hosted = _hosted_price(answers.model or "")
    shape, gpu = _shape(answers), _gpu(answers)
    if hosted is not None:
        # What a hosted model costs does not depend on its shape or on a GPU.
        shape, gpu = next(iter(catalogue().values())), find_gpu("L4")
    elif shape is None or gpu is None or _gpu_hour(answers) is None:
        return None
    setup = _setup(_TRAINED.get(name, "lora"), answers)
    return Means(shape, setup, gpu, _prices(), hosted)


def _hosted_price(model: str) -> Price | None:
    known = _prices().hosted_million_tokens
    return next((price for name, price in known.items() if name.lower() == model.lower()), None)


def break_evens_of(estimates: Mapping[str, MethodEstimate]) -> tuple[BreakEven, ...]:
    """Monthly volumes at which in-context learning, retrieval and tuning cost the same."""
    wanted = ("icl-nearest", "rag", "lora", "raft")
    costs = [estimates[name].cost for name in wanted if name in estimates]
    return break_evens(tuple(cost for cost in costs if cost is not None))


def model_problem(model: str) -> str | None:
    """What is wrong with a model's name, None if nothing is."""
    try:
        shape_named(model)
    except (EstimateError, OSError, ValueError) as error:
        return str(error)
    return None
