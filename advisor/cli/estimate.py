"""``advisor estimate``: memory, time and cost of a model, before anything is run."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from advisor.cli.numbers import MANY, real, whole
from advisor.cli.output import tell, tell_json
from advisor.cli.tables import show

if TYPE_CHECKING:
    from advisor.estimates.cost import BreakEven, MethodCost, Workload
    from advisor.estimates.gpus import Gpu, Verdict
    from advisor.estimates.memory import MemoryEstimate, Range
    from advisor.estimates.prices import Prices
    from advisor.estimates.setup import Setup
    from advisor.estimates.shapes import ModelShape
    from advisor.estimates.time import TimeEstimate

estimate_app = typer.Typer(
    help="Estimate memory, time and cost of adapting a model, each part shown.",
    no_args_is_help=True,
)

_MOST_EPOCHS = 1_000_000
_SHAPE, _SETUP, _PROMPT = "The model by hand", "How it is run", "What a query shows"

Model = Annotated[
    str | None,
    typer.Argument(help="Folder with config.json, such a file, or a name of the catalogue."),
]
Parameters = Annotated[
    int | None, whole(1, MANY * MANY, help="Taken instead of the count.", rich_help_panel=_SHAPE)
]
Layers = Annotated[int | None, whole(1, 10_000, rich_help_panel=_SHAPE)]
Hidden = Annotated[int | None, whole(1, 1_000_000, help="Width.", rich_help_panel=_SHAPE)]
Heads = Annotated[int | None, whole(1, 100_000, rich_help_panel=_SHAPE)]
KvHeads = Annotated[int | None, whole(1, 100_000, help="As --heads.", rich_help_panel=_SHAPE)]
Intermediate = Annotated[
    int | None, whole(1, 10_000_000, help="Feed-forward width.", rich_help_panel=_SHAPE)
]
Vocab = Annotated[int | None, whole(1, MANY, help="Vocabulary.", rich_help_panel=_SHAPE)]
Method = Annotated[
    str,
    typer.Option(
        help="inference, full, lora, qlora, ia3, prompt-tuning, prefix-tuning.",
        rich_help_panel=_SETUP,
    ),
]
Precision = Annotated[
    str,
    typer.Option(help="fp32, bf16-mixed (autocast), bf16 (all of it).", rich_help_panel=_SETUP),
]
Batch = Annotated[int, whole(1, 1_000_000, help="Sequences at once.", rich_help_panel=_SETUP)]
Sequence_ = Annotated[
    int,
    whole(1, MANY, "--sequence", help="Tokens of a sequence, or prompt.", rich_help_panel=_SETUP),
]
Output = Annotated[
    int, whole(0, MANY, "--output", help="Tokens to generate.", rich_help_panel=_SETUP)
]
Rank = Annotated[int, whole(1, 65_536, help="Of LoRA.", rich_help_panel=_SETUP)]
Targets = Annotated[
    str,
    typer.Option(
        help="all-linear, attention, mlp, or module names: q_proj,v_proj.", rich_help_panel=_SETUP
    ),
]
Dora = Annotated[bool, typer.Option("--dora", help="LoRA as DoRA.", rich_help_panel=_SETUP)]
FourBit = Annotated[
    bool, typer.Option("--four-bit", help="Base weights in 4 bits (NF4).", rich_help_panel=_SETUP)
]
Virtual = Annotated[
    int,
    whole(
        1,
        1_000_000,
        "--virtual-tokens",
        help="Of prompt and prefix tuning.",
        rich_help_panel=_SETUP,
    ),
]
Optimizer = Annotated[
    str,
    typer.Option(
        help="adamw, adamw-fused, adamw-8bit, paged-adamw-8bit, sgd, adafactor.",
        rich_help_panel=_SETUP,
    ),
]
Checkpointing = Annotated[
    bool,
    typer.Option("--checkpointing", help="Gradient checkpointing.", rich_help_panel=_SETUP),
]
Attention = Annotated[str, typer.Option(help="eager, sdpa, flash.", rich_help_panel=_SETUP)]
Accumulate = Annotated[
    bool,
    typer.Option("--accumulate", help="Gradients of micro-batches add up.", rich_help_panel=_SETUP),
]
LogitPositions = Annotated[
    int | None,
    whole(
        1,
        MANY,
        help="Positions of a sequence with logits; in training all, else the last.",
        rich_help_panel=_SETUP,
    ),
]
GpuName = Annotated[
    list[str] | None, typer.Option("--gpu", help="Of the catalogue; again for more; all.")
]
OneGpu = Annotated[str, typer.Option("--gpu", help="GPU of the catalogue.")]
Utilisation = Annotated[
    float | None,
    real(
        0, 1, above=True, help="Share of the GPU's peak that is reached; low, likely and high else."
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


# ---------------------------------------------------------------- memory


@estimate_app.command()
def memory(
    model: Model = None,
    *,
    method: Method = "lora",
    precision: Precision = "bf16",
    batch: Batch = 1,
    sequence: Sequence_ = 512,
    output: Output = 0,
    rank: Rank = 16,
    targets: Targets = "all-linear",
    dora: Dora = False,
    four_bit: FourBit = False,
    virtual_tokens: Virtual = 20,
    optimizer: Optimizer = "adamw",
    checkpointing: Checkpointing = False,
    attention: Attention = "sdpa",
    accumulate: Accumulate = False,
    logit_positions: LogitPositions = None,
    parameters: Parameters = None,
    layers: Layers = None,
    hidden: Hidden = None,
    heads: Heads = None,
    kv_heads: KvHeads = None,
    intermediate: Intermediate = None,
    vocab: Vocab = None,
    gpu: GpuName = None,
    as_json: AsJson = False,
) -> None:
    """Memory of training a model or answering with it, part by part, and which GPUs hold it.

    low is the tensors alone, as PyTorch counts them; likely and high add what the allocator and
    CUDA take.

    For example:

      advisor estimate memory llama-2-7b --method qlora --batch 4 --sequence 1024 --checkpointing

      advisor estimate memory ./my-model --method inference --sequence 4000 --output 500

      advisor estimate memory qwen2.5-7b --method full --precision bf16-mixed --gpu H100

      advisor estimate memory --layers 40 --hidden 5120 --heads 40 --intermediate 13824
      --vocab 32000
    """
    from advisor.estimates.gpus import verdict
    from advisor.estimates.memory import estimate_memory

    values = locals()
    shape, setup = _shape(values), _setup(values)
    estimate = estimate_memory(shape, setup)
    verdicts = [verdict(shape, setup, estimate, one) for one in _gpus(gpu)]
    if as_json:
        _print_json(shape, setup, estimate=asdict(estimate), gpus=[asdict(v) for v in verdicts])
        return
    _print_memory(shape, setup, estimate, verdicts)


def _print_memory(
    shape: ModelShape, setup: Setup, estimate: MemoryEstimate, verdicts: list[Verdict]
) -> None:
    learned = f", {estimate.trainable_parameters:,} of them learned" if setup.trains else ""
    if setup.trains and setup.method != "full":
        learned = f", {estimate.trainable_parameters:,} more learned"
    _title(f"{shape.name}: {estimate.parameters:,} parameters{learned}")
    rows = [
        (part.name, *_gib(part.bytes), "yes" if part.at_peak else "no") for part in estimate.parts
    ]
    rows.append(("total", *_gib(estimate.total), estimate.peak))
    _table(("GiB", "low", "likely", "high", "at the peak"), rows)
    _table(
        ("GPU", "GiB", "fits", "largest batch", "largest sequence"),
        [
            (
                _gpu_name(v, setup),
                f"{v.memory_gib:.1f}",
                v.fits,
                str(v.largest_batch),
                str(v.largest_sequence),
            )
            for v in verdicts
        ],
    )


def _gpu_name(verdict: Verdict, setup: Setup) -> str:
    lacks = not verdict.bf16 and setup.precision != "fp32"
    return f"{verdict.gpu} (fp16: it has no bf16)" if lacks else verdict.gpu


# ---------------------------------------------------------------- time


@estimate_app.command()
def time(
    model: Model = None,
    *,
    gpu: OneGpu = "L40S",
    method: Method = "lora",
    precision: Precision = "bf16",
    batch: Batch = 1,
    sequence: Sequence_ = 512,
    output: Output = 0,
    rank: Rank = 16,
    targets: Targets = "all-linear",
    dora: Dora = False,
    four_bit: FourBit = False,
    virtual_tokens: Virtual = 20,
    checkpointing: Checkpointing = False,
    examples: Annotated[int, whole(1, MANY, help="Training examples.")] = 1000,
    epochs: Annotated[float, real(0, 1000, above=True, help="Passes over them.")] = 3,
    data: Annotated[
        Path | None, typer.Option(help="JSON lines with input and output, counted instead.")
    ] = None,
    tokenizer: Annotated[
        Path | None, typer.Option(help="tokenizer.json, or its folder; else 4 bytes a token.")
    ] = None,
    queries: Annotated[int, whole(1, MANY, help="To answer, with --method inference.")] = 1000,
    utilisation: Utilisation = None,
    parameters: Parameters = None,
    layers: Layers = None,
    hidden: Hidden = None,
    heads: Heads = None,
    kv_heads: KvHeads = None,
    intermediate: Intermediate = None,
    vocab: Vocab = None,
    as_json: AsJson = False,
) -> None:
    """Time of training, or of answering, on one GPU.

    For example:

      advisor estimate time llama-3.2-3b --gpu L40S --examples 20000 --epochs 1 --sequence 210

      advisor estimate time ./my-model --data train.jsonl --tokenizer ./my-model --gpu A100-80GB

      advisor estimate time qwen2.5-7b --method inference --sequence 2000 --output 200 --gpu H100
    """
    from advisor.estimates.gpus import find_gpu
    from advisor.estimates.time import (
        COMPUTE_UTILISATION,
        answering_time,
        checked_utilisation,
        training_time,
    )

    values = locals()
    shape, setup, device = _shape(values), _setup(values), find_gpu(gpu)
    used = checked_utilisation(utilisation, COMPUTE_UTILISATION)
    if setup.trains:
        tokens, how = _train_tokens(data, tokenizer, examples * sequence, epochs)
        estimate = training_time(shape, setup, device, tokens, used)
    else:
        how = "stated"
        estimate = answering_time(shape, setup, device, queries, used)
    if as_json:
        said = {"gpu": device.model_dump(mode="json"), "utilisation": asdict(used), "tokens": how}
        _print_json(shape, setup, estimate=asdict(estimate), **said)
        return
    _print_time(shape, setup, device, estimate, f"{how}; utilisation {_shares(used)}")


def _train_tokens(
    data: Path | None, tokenizer: Path | None, stated: int, epochs: float
) -> tuple[int, str]:
    """Tokens of a training, epochs counted, and how they were counted."""
    from advisor.errors import EstimateError

    if not 0 < epochs <= _MOST_EPOCHS:
        raise EstimateError(f"--epochs {epochs} must be above 0 and at most {_MOST_EPOCHS:,}.")
    if data is None:
        return int(stated * epochs), "examples times --sequence"
    from advisor.estimates.tokens import example_tokens

    count = example_tokens(data, tokenizer)
    return int((count.inputs + count.outputs) * epochs), count.how


def _print_time(
    shape: ModelShape, setup: Setup, device: Gpu, estimate: TimeEstimate, how: str
) -> None:
    _title(f"{shape.name}, {setup.method} on {device.name}: {estimate.tokens:,} tokens ({how})")
    rows = [
        (part.name, *_seconds(part.seconds), f"{part.amount:.3g} {part.unit}")
        for part in estimate.parts
    ]
    rows.append(("total", *_seconds(estimate.total), ""))
    _table(("seconds", "low", "likely", "high", "work"), rows)


# ---------------------------------------------------------------- cost


@estimate_app.command()
def cost(
    model: Model = None,
    *,
    gpu: OneGpu = "L40S",
    queries_a_month: Annotated[int, whole(1, MANY, "--queries", help="A month.")] = 10_000,
    instruction: Annotated[
        int | None,
        whole(
            0,
            MANY,
            help="Tokens of instruction and query (200); with --data of the instruction alone (0).",
            rich_help_panel=_PROMPT,
        ),
    ] = None,
    answer: Annotated[
        int | None, whole(0, MANY, help="Tokens (100, or as in --data).", rich_help_panel=_PROMPT)
    ] = None,
    demonstrations: Annotated[int, whole(0, MANY, help="Shown.", rich_help_panel=_PROMPT)] = 8,
    demonstration: Annotated[
        int | None,
        whole(0, MANY, help="Tokens of one (150, or as in --data).", rich_help_panel=_PROMPT),
    ] = None,
    passages: Annotated[int, whole(0, MANY, help="Shown.", rich_help_panel=_PROMPT)] = 4,
    passage: Annotated[int, whole(0, MANY, help="Tokens of one.", rich_help_panel=_PROMPT)] = 250,
    data: Annotated[
        Path | None,
        typer.Option(help="JSON lines with input and output, whose tokens are counted."),
    ] = None,
    corpus: Annotated[
        Path | None, typer.Option(help="Text file, or folder of .txt and .md, counted as well.")
    ] = None,
    tokenizer: Annotated[
        Path | None, typer.Option(help="tokenizer.json, or its folder; else 4 bytes a token.")
    ] = None,
    examples: Annotated[
        int | None,
        whole(0, MANY, help="Training examples (1000, or as in --data); 0: no tuning."),
    ] = None,
    epochs: Annotated[float, real(0, 1000, above=True, help="Passes over them.")] = 3,
    retrainings: Annotated[float, real(0, 1_000_000, help="A month, after the first.")] = 0,
    corpus_tokens: Annotated[
        int | None, whole(0, MANY * 1000, help="Of the documents (1,000,000, or as in --corpus).")
    ] = None,
    reindexings: Annotated[float, real(0, 1_000_000, help="A month, after the first.")] = 0,
    months: Annotated[int, whole(1, 1200, help="Over which first costs are spread.")] = 12,
    always_on: Annotated[
        bool, typer.Option("--always-on", help="The GPU is paid for all month.")
    ] = False,
    hosted: Annotated[
        str | None, typer.Option(help="Hosted model that answers where nothing is tuned.")
    ] = None,
    serving_batch: Annotated[int, whole(1, 1_000_000, help="Queries answered at once.")] = 1,
    prices: Annotated[
        Path | None, typer.Option(help="YAML with prices of your own; they go first.")
    ] = None,
    method: Method = "lora",
    precision: Precision = "bf16",
    rank: Rank = 16,
    targets: Targets = "all-linear",
    dora: Dora = False,
    virtual_tokens: Virtual = 20,
    checkpointing: Checkpointing = False,
    parameters: Parameters = None,
    layers: Layers = None,
    hidden: Hidden = None,
    heads: Heads = None,
    kv_heads: KvHeads = None,
    intermediate: Intermediate = None,
    vocab: Vocab = None,
    plot: Annotated[Path | None, typer.Option(help="Draw costs over volume: out.svg.")] = None,
    as_json: AsJson = False,
) -> None:
    """Cost of in-context learning, retrieval and tuning, and the volumes where they break even.

    Prices are dated; --prices FILE puts yours in their place.

    For example:

      advisor estimate cost qwen2.5-7b --gpu L40S --queries 50000 --plot costs.svg

      advisor estimate cost llama-3.1-8b --hosted gpt-4.1-mini --reindexings 4 --retrainings 1

      advisor estimate cost ./my-model --data train.jsonl --corpus docs --tokenizer ./my-model
    """
    from advisor.estimates.cost import Means, break_evens, estimate_costs
    from advisor.estimates.gpus import find_gpu
    from advisor.estimates.prices import load_prices

    values = locals()
    workload, how = _workload(values)
    tuned = workload.prompt.instruction + workload.prompt.answer
    shape, setup = _shape(values), _setup({**values, "sequence": tuned})
    known = load_prices(prices)
    answers = known.price("hosted_million_tokens", hosted) if hosted else None
    means = Means(shape, setup, find_gpu(gpu), known, answers, serving_batch)
    costs = estimate_costs(workload, means)
    evens = break_evens(costs)
    if plot is not None:
        from advisor.estimates.plot import plot_costs

        plot_costs(costs, evens, plot)
    if as_json:
        told = {"prices": known.model_dump(mode="json"), "workload": asdict(workload)}
        results = {"costs": [asdict(c) for c in costs], "break_evens": [asdict(e) for e in evens]}
        _print_json(shape, setup, **told, tokens=how, **results)
        return
    _print_costs(costs, evens, f"{_price_dates(known, gpu, hosted)}; tokens {how}")


def _workload(values: dict[str, Any]) -> tuple[Workload, str]:
    """The workload of the options, with tokens counted where files are given, and how."""
    from advisor.estimates.cost import Workload
    from advisor.estimates.tokens import PromptShape, corpus_tokens, example_tokens

    tokenizer, documents = values["tokenizer"], values["corpus_tokens"]
    question, answer, examples, how = 200, 100, 1000, "stated"
    demonstration = 150
    if values["data"] is not None:
        counted = example_tokens(values["data"], tokenizer)
        question, answer, examples = counted.question, counted.answer, counted.examples
        demonstration, how = question + answer, counted.how
        question += values["instruction"] or 0
    elif values["instruction"] is not None:
        question = values["instruction"]
    if values["corpus"] is not None and documents is None:
        count = corpus_tokens(values["corpus"], tokenizer)
        documents, how = count.tokens, count.how
    prompt = PromptShape(
        instruction=question,
        answer=_or(values["answer"], answer),
        demonstrations=values["demonstrations"],
        demonstration=_or(values["demonstration"], demonstration),
        passages=values["passages"],
        passage=values["passage"],
    )
    stated = _or(values["examples"], examples) * (prompt.instruction + prompt.answer)
    return Workload(
        prompt=prompt,
        queries_a_month=values["queries_a_month"],
        train_tokens=_train_tokens(None, None, stated, values["epochs"])[0],
        retrainings=values["retrainings"],
        corpus_tokens=_or(documents, 1_000_000),
        reindexings=values["reindexings"],
        months=values["months"],
        always_on=values["always_on"],
    ), how


def _or(given: int | None, otherwise: int) -> int:
    return otherwise if given is None else given


def _price_dates(known: Prices, gpu: str, hosted: str | None) -> str:
    used = [known.price("gpu_hour", gpu)]
    if hosted:
        used.append(known.price("hosted_million_tokens", hosted))
    return "; ".join(f"{price.date}, {price.source}" for price in used)


def _print_costs(costs: tuple[MethodCost, ...], evens: tuple[BreakEven, ...], prices: str) -> None:
    _title(f"US dollars; prices of {prices}")
    rows = [
        (cost.method, line.name, *_usd(line.monthly), *_usd(line.a_query.times(1000)))
        for cost in costs
        for line in cost.lines
    ]
    ends = ("low", "likely", "high")
    per = [f"{end} {unit}" for unit in ("a month", "per 1,000") for end in ends]
    _table(("method", "part", *per), rows)
    totals = [(c.method, *_usd(c.per_month), *_usd(c.per_1000_queries)) for c in costs]
    _table(("all in", *per), totals)
    _table(
        ("compared", "break-even queries a month", "cheaper below", "above"),
        [(f"{e.first} and {e.second}", _volume(e), e.below, e.above) for e in evens],
    )


def _volume(even: BreakEven) -> str:
    return "none" if even.queries_a_month is None else f"{even.queries_a_month:,.0f}"


# ---------------------------------------------------------------- what goes in, what comes out

_BY_HAND = ("parameters", "layers", "hidden", "heads", "kv_heads", "intermediate", "vocab")


def _shape(values: dict[str, Any]) -> ModelShape:
    """The model that was named, or its numbers by hand; --parameters goes with either."""
    from advisor.errors import EstimateError
    from advisor.estimates.shapes import load_shape, shape_by_hand

    numbers: dict[str, int | None] = {name: values[name] for name in _BY_HAND}
    given = [f"--{name.replace('_', '-')}" for name, number in numbers.items() if number]
    if values["model"] is None and not given:
        raise EstimateError(
            "Name a model: a folder with config.json or a name of the catalogue, as in "
            "llama-2-7b; or give --layers, --hidden, --heads, --intermediate and --vocab."
        )
    if values["model"] is None:
        return shape_by_hand(numbers)
    if given not in ([], ["--parameters"]):
        raise EstimateError(
            f"{values['model']} already has {', '.join(given)}. Leave out the one or the other."
        )
    return load_shape(values["model"]).model_copy(
        update={"stated_parameters": values["parameters"]}
    )


def _setup(values: dict[str, Any]) -> Setup:
    """The choices among an option list; what a command does not ask for stays as it is."""
    from dataclasses import fields

    from advisor.estimates.setup import Setup

    known = {**values, "output_tokens": values.get("output", 0)}
    return Setup(**{f.name: known[f.name] for f in fields(Setup) if f.name in known})


def _gpus(names: list[str] | None) -> list[Gpu]:
    from advisor.estimates.gpus import catalogue, find_gpu

    return [find_gpu(name) for name in names] if names else list(catalogue().values())


def _gib(size: Range) -> tuple[str, str, str]:
    from advisor.estimates.memory import GIB

    return _three(size.times(1 / GIB), ".2f")


def _seconds(seconds: Range) -> tuple[str, str, str]:
    return _three(seconds, ",.4g" if seconds.high < 100 else ",.0f")


def _usd(amount: Range) -> tuple[str, str, str]:
    return _three(amount, ".4g" if amount.high < 1 else ",.2f")


def _three(values: Range, form: str) -> tuple[str, str, str]:
    return tuple(format(v, form) for v in (values.low, values.likely, values.high))  # type: ignore[return-value]


def _shares(used: Range) -> str:
    if used.low == used.high:
        return f"{used.likely:.0%}"
    return f"{used.low:.0%} to {used.high:.0%}, likely {used.likely:.0%}"


def _print_json(shape: ModelShape, setup: Setup, **results: Any) -> None:
    from advisor.estimates.memory import SCHEMA_VERSION

    told = {"schema_version": SCHEMA_VERSION, "model": shape.model_dump(), "setup": asdict(setup)}
    tell_json(json.dumps({**told, **results}, indent=2))


def _title(text: str) -> None:
    from advisor.cli.screen import screen

    console = screen()
    if console.is_terminal:
        console.print(text, style="bold")
    else:
        tell(f"# {text}")


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table, and on a terminal an empty line behind it."""
    show(columns, rows, right=columns[1:])
    if sys.stdout.isatty():
        tell()
