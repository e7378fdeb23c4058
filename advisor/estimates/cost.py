"""What each way to adapt a model costs a month, and at what volume one overtakes another.

A month costs what it takes whether anyone asks or not (training, index, storage, a GPU that is
always on) and what every query takes (GPU seconds, or tokens of a hosted model).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import combinations

from advisor.errors import EstimateError
from advisor.estimates.gpus import Gpu
from advisor.estimates.memory import Range, trainable_parameters
from advisor.estimates.prices import Price, Prices
from advisor.estimates.setup import Setup
from advisor.estimates.shapes import ModelShape
from advisor.estimates.time import answering_time, training_time
from advisor.estimates.tokens import PromptShape, method_prompts

GB = 1e9
# Mean hours of a month: 365 days of 24 hours over 12.
MONTH_HOURS = 730.0
# Numbers of a vector of text-embedding-3-small; fp32. Source: OpenAI's embeddings guide.
VECTOR_BYTES = 1536 * 4


@dataclass(frozen=True)
class Workload:
    """What is asked for, and how often what it rests on changes.

    Attributes:
        prompt: all pieces that a query may show.
        train_tokens: of one training, epochs counted.
        retrainings: a month; the first is spread over ``months``.
        corpus_tokens: of the documents that are searched.
        reindexings: of the whole corpus, a month; the first is spread over ``months``.
        months: for which the system is planned.
        always_on: one GPU is paid for all month, whatever the volume.
    """

    prompt: PromptShape
    queries_a_month: int
    train_tokens: int = 0
    retrainings: float = 0.0
    corpus_tokens: int = 0
    reindexings: float = 0.0
    months: int = 12
    always_on: bool = False

    def __post_init__(self) -> None:
        """Raise EstimateError for numbers that cannot be."""
        least = {"queries_a_month": 1, "months": 1}
        numbers = {n: v for n, v in vars(self).items() if n not in ("prompt", "always_on")}
        wrong = [f"{n} is {v}" for n, v in numbers.items() if v < least.get(n, 0)]
        if wrong:
            raise EstimateError(f"{', '.join(wrong)}: queries and months need 1, others 0.")


@dataclass(frozen=True)
class Means:
    """What answers and what trains.

    Attributes:
        setup: of the training; its quantisation and batch are those of answering too.
        hosted: prices of a hosted model that answers in place of the own one, where nothing is
            tuned.
    """

    shape: ModelShape
    setup: Setup
    gpu: Gpu
    prices: Prices
    hosted: Price | None = None
    serving_batch: int = 1


@dataclass(frozen=True)
class CostLine:
    """US dollars of one kind.

    Attributes:
        monthly: fixed, a month.
        a_query: for each query.
    """

    name: str
    monthly: Range
    a_query: Range


@dataclass(frozen=True)
class MethodCost:
    """What one way to adapt costs.

    Attributes:
        per_1000_queries: all costs of the month over its queries, times 1,000, US dollars.
        per_month: US dollars at the stated volume.
    """

    method: str
    lines: tuple[CostLine, ...]
    fixed: Range
    a_query: Range
    per_month: Range
    per_1000_queries: Range


@dataclass(frozen=True)
class BreakEven:
    """Where two ways cost the same, by their likely costs.

    Attributes:
        queries_a_month: at which they cost the same; None: one is never dearer.
        below: the cheaper one under that volume, and everywhere if there is no such volume.
        above: the cheaper one over it.
    """

    first: str
    second: str
    queries_a_month: float | None
    below: str
    above: str


_FREE = Range.same(0.0)


def estimate_costs(workload: Workload, means: Means) -> tuple[MethodCost, ...]:
    """What in-context learning, retrieval, tuning, and both cost, in US dollars.

    A way that shows nothing (no demonstrations, no passages, no training) is left out.
    """
    prompts = method_prompts(workload.prompt)
    wanted = {
        "icl": workload.prompt.demonstrations > 0,
        "rag": workload.prompt.passages > 0,
        "tuned": workload.train_tokens > 0,
        "rag+tuned": workload.prompt.passages > 0 and workload.train_tokens > 0,
    }
    if not any(wanted.values()):
        raise EstimateError(
            "There is nothing to compare: give demonstrations, passages or training examples."
        )
    return tuple(
        method_cost(
            name,
            replace(workload, prompt=prompts[name]),
            means,
            tuned="tuned" in name,
            retrieves="rag" in name,
        )
        for name, is_in in wanted.items()
        if is_in
    )


def method_cost(
    name: str, workload: Workload, means: Means, *, tuned: bool, retrieves: bool
) -> MethodCost:
    """What one way to adapt costs, in US dollars.

    Args:
        name: of the way.
        workload: its prompt is what this way shows.
        means: what answers and what trains.
        tuned: whether weights are trained.
        retrieves: whether passages are searched.
    """
    lines = [*_answering(workload.prompt, workload, means, tuned=tuned)]
    if tuned:
        lines += _tuning(workload, means)
    if retrieves:
        lines += _retrieval(workload.prompt, workload, means.prices)
    fixed, a_query = _FREE, _FREE
    for line in lines:
        fixed, a_query = fixed + line.monthly, a_query + line.a_query
    month = fixed + a_query.times(workload.queries_a_month)
    return MethodCost(
        method=name,
        lines=tuple(lines),
        fixed=fixed,
        a_query=a_query,
        per_month=month,
        per_1000_queries=month.times(1000 / workload.queries_a_month),
    )


def _answering(
    prompt: PromptShape, workload: Workload, means: Means, *, tuned: bool
) -> Iterator[CostLine]:
    if means.hosted is not None and not tuned:
        hosted = means.hosted
        if hosted.output_usd is None:
            raise EstimateError("The hosted model's price lacks output_usd. Add it to --prices.")
        read = prompt.prompt_tokens * hosted.usd / 1e6
        written = prompt.answer * hosted.output_usd / 1e6
        yield CostLine("prompt tokens", _FREE, Range.same(read))
        yield CostLine("answer tokens", _FREE, Range.same(written))
        return
    hour = means.prices.price("gpu_hour", means.gpu.name).usd
    if workload.always_on:
        yield CostLine("GPU always on", Range.same(hour * MONTH_HOURS), _FREE)
        return
    asked = replace(
        means.setup,
        method="inference",
        dora=False,
        four_bit=means.setup.quantized,
        batch=means.serving_batch,
        sequence=prompt.prompt_tokens,
        output_tokens=prompt.answer,
    )
    for part in answering_time(means.shape, asked, means.gpu).parts:
        yield CostLine(f"GPU: {part.name}", _FREE, part.seconds.times(hour / 3600))


def _tuning(workload: Workload, means: Means) -> Iterator[CostLine]:
    hour = means.prices.price("gpu_hour", means.gpu.name).usd
    once = training_time(means.shape, means.setup, means.gpu, workload.train_tokens)
    trainings = workload.retrainings + 1 / workload.months
    yield CostLine("training", once.total.times(trainings * hour / 3600), _FREE)
    trained = trainable_parameters(means.shape, means.setup) * means.setup.trainable_bytes
    price = means.prices.price("storage_gb_month").usd
    yield CostLine("storage of weights", Range.same(trained / GB * price), _FREE)


def _retrieval(prompt: PromptShape, workload: Workload, prices: Prices) -> Iterator[CostLine]:
    embedding = prices.price("embedding_million_tokens").usd / 1e6
    indexings = workload.reindexings + 1 / workload.months
    yield CostLine(
        "embedding",
        Range.same(workload.corpus_tokens * embedding * indexings),
        Range.same(prompt.instruction * embedding),
    )
    passages = workload.corpus_tokens / prompt.passage if prompt.passage else 0
    stored = passages * VECTOR_BYTES / GB * prices.price("index_gb_month").usd
    yield CostLine("index", Range.same(stored), _FREE)


def break_evens(costs: tuple[MethodCost, ...]) -> tuple[BreakEven, ...]:
    """Where every two of the ways cost the same: F1 + V1 q = F2 + V2 q, by their likely costs."""
    return tuple(_break_even(first, second) for first, second in combinations(costs, 2))


def _break_even(first: MethodCost, second: MethodCost) -> BreakEven:
    fixed = second.fixed.likely - first.fixed.likely
    a_query = first.a_query.likely - second.a_query.likely
    volume = fixed / a_query if a_query else None
    if volume is None or volume <= 0:
        cheaper = _always_cheaper(first, second)
        return BreakEven(first.method, second.method, None, cheaper, cheaper)
    below, above = (first, second) if fixed > 0 else (second, first)
    return BreakEven(first.method, second.method, volume, below.method, above.method)


def _always_cheaper(first: MethodCost, second: MethodCost) -> str:
    def order(cost: MethodCost) -> tuple[float, float]:
        return cost.a_query.likely, cost.fixed.likely

    return min(first, second, key=order).method


def monthly(costs: tuple[MethodCost, ...], queries: float) -> Mapping[str, Range]:
    """US dollars a month of each way at another volume."""
    return {cost.method: cost.fixed + cost.a_query.times(queries) for cost in costs}
