"""Time of training and of answering, from arithmetic and a stated utilisation.

Training and reading a prompt are bound by matrix products: operations over the GPU's peak times
its utilisation. Writing an answer reads every weight for each token and is bound by memory:
bytes over bandwidth times its utilisation.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from advisor.errors import EstimateError
from advisor.estimates.gpus import Gpu
from advisor.estimates.memory import (
    Range,
    kv_cache_bytes,
    trainable_parameters,
    weights,
)
from advisor.estimates.setup import Setup
from advisor.estimates.shapes import ModelShape

# Share of the peak that training reaches, from published throughputs and the operations below.
# low: .104, full fine-tuning of Llama-3.2-3B in bf16, batch 4, not packed, on an L40S: 4,198,051
# tokens in 2,147 s (PEFT's method comparison, 5d602fd). likely: .24, its LoRA, 6,750 tokens/s in
# the timed steps (0a179c1). high: .48, full fine-tuning of Llama-3.1-8B, packed and compiled, on
# an RTX 4090: 1,650 tokens/s (torchtune's README, 0031bfb). Llama 3's own training reached .38 to
# .43 (arXiv:2407.21783, table 4).
COMPUTE_UTILISATION = Range(0.10, 0.24, 0.48)
# Share of the bandwidth that generation of one sequence reaches, Llama-2-7B in 16 bits. low and
# likely: 25.5 and 107 tokens/s on an A100-80GB, plain and compiled ("Accelerating Generative AI
# with PyTorch II", pytorch.org, 30 November 2023). high: 65 tokens/s on an RTX 4090
# (pytorch-labs/gpt-fast, issue 27).
BANDWIDTH_UTILISATION = Range(0.17, 0.71, 0.87)
# Llama-3.1-8B on one RTX 4090: LoRA 3,083 tokens/s, QLoRA 2,413. Source: torchtune's README,
# 0031bfb.
QLORA_SLOWDOWN = 3083 / 2413


@dataclass(frozen=True)
class TimedPart:
    """Seconds of one kind of work, and its operations or bytes."""

    name: str
    seconds: Range
    amount: float
    unit: str


@dataclass(frozen=True)
class TimeEstimate:
    """Seconds of some work on one GPU.

    Attributes:
        total: low is the fastest, high the slowest.
        tokens: that the work has.
    """

    parts: tuple[TimedPart, ...]
    total: Range
    tokens: int


def slowdown(amount: float, peak: float, utilisation: Range) -> Range:
    """Seconds for an amount of work at a peak a second; low utilisation is high time."""
    return Range(
        low=amount / (peak * utilisation.high),
        likely=amount / (peak * utilisation.likely),
        high=amount / (peak * utilisation.low),
    )


def checked_utilisation(value: float | None, default: Range) -> Range:
    """A stated utilisation instead of the default one.

    Raises:
        EstimateError: it is not above 0 and at most 1.
    """
    if value is None:
        return default
    if not 0 < value <= 1:
        raise EstimateError(f"Utilisation {value} must be above 0 and at most 1, as in 0.4.")
    return Range.same(value)


# ---------------------------------------------------------------- operations


def forward_flops(shape: ModelShape, context: float) -> float:
    """Operations of one token's forward pass: 2 a parameter, and attention's 4 L q s.

    Args:
        shape: of the model.
        context: tokens it attends to, s; masked ones are computed by most kernels' arithmetic
            convention, so they count.

    Source: Kaplan et al. 2020, arXiv:2001.08361, section 2.1; attention as in Chowdhery et al.
    2022, arXiv:2204.02311, appendix B.
    """
    return 2 * shape.matmul_parameters + 4 * shape.layers * shape.query_width * context


def backward_flops(shape: ModelShape, setup: Setup) -> float:
    """Operations of one token's backward pass.

    Full fine-tuning: twice the forward pass, once for activations and once for weights. PEFT:
    once, for activations alone, and the attention's twice; then 4 a trained parameter beside the
    2 of its forward pass.
    """
    attention = 4 * shape.layers * shape.query_width * setup.sequence
    if setup.method == "full":
        return 2 * forward_flops(shape, setup.sequence)
    return 2 * shape.matmul_parameters + 2 * attention + 4 * trainable_parameters(shape, setup)


def training_flops(shape: ModelShape, setup: Setup, tokens: int) -> dict[str, float]:
    """Operations of training on so many tokens: 6 N a token in full, 4 N with PEFT.

    Checkpointing computes the forward pass once more.
    """
    adapters = 0 if setup.method == "full" else 2 * trainable_parameters(shape, setup)
    forward = forward_flops(shape, setup.sequence) + adapters
    flops = {"forward": forward * tokens, "backward": backward_flops(shape, setup) * tokens}
    if setup.checkpointing:
        flops["computed again"] = forward * tokens
    return flops


# ---------------------------------------------------------------- estimates


def training_time(
    shape: ModelShape, setup: Setup, gpu: Gpu, tokens: int, utilisation: Range | None = None
) -> TimeEstimate:
    """Time of training on so many tokens, epochs counted.

    Raises:
        EstimateError: nothing is trained, or no token.
    """
    if not setup.trains:
        raise EstimateError("Inference trains nothing: choose a training method.")
    if tokens < 1:
        raise EstimateError("Training needs at least one token.")
    used = utilisation or COMPUTE_UTILISATION
    peak = gpu.bf16_tflops * 1e12 / (QLORA_SLOWDOWN if setup.quantized else 1)
    parts = tuple(
        TimedPart(name, slowdown(flops, peak, used), flops, "FLOP")
        for name, flops in training_flops(shape, setup, tokens).items()
    )
    return _estimate(parts, tokens)


def answering_time(
    shape: ModelShape,
    setup: Setup,
    gpu: Gpu,
    queries: int = 1,
    utilisation: Range | None = None,
) -> TimeEstimate:
    """Time of so many queries, computed in batches of ``setup.batch``.

    Args:
        shape: of the model.
        setup: its sequence is the prompt, its output_tokens the answer.
        gpu: that answers.
        queries: to answer.
        utilisation: of compute; the bandwidth's stays.

    Raises:
        EstimateError: no query.
    """
    if queries < 1:
        raise EstimateError("At least one query is needed.")
    prompt, answer = setup.sequence, setup.output_tokens
    flops = forward_flops(shape, prompt) * prompt * queries
    parts = [
        TimedPart(
            "prompt",
            slowdown(flops, gpu.bf16_tflops * 1e12, utilisation or COMPUTE_UTILISATION),
            flops,
            "FLOP",
        )
    ]
    if answer:
        moved = bytes_a_step(shape, setup) * answer * queries / setup.batch
        seconds = slowdown(moved, gpu.bandwidth_gb_s * 1e9, BANDWIDTH_UTILISATION)
        parts.append(TimedPart("answer", seconds, moved, "byte"))
    return _estimate(tuple(parts), (prompt + answer) * queries)


def bytes_a_step(shape: ModelShape, setup: Setup) -> float:
    """Bytes read to write one token of every sequence of the batch: weights and half-full cache.

    The input embedding is looked up, not read. Source: Pope et al. 2022, arXiv:2211.05102,
    section 2.1.
    """
    looked_up = (shape.parameters - shape.matmul_parameters) * setup.base_bytes
    read = weights(shape, replace(setup, method="inference", four_bit=setup.quantized)).likely
    halfway = replace(setup, output_tokens=setup.output_tokens // 2)
    return read - looked_up + kv_cache_bytes(shape, halfway)


def _estimate(parts: tuple[TimedPart, ...], tokens: int) -> TimeEstimate:
    total = Range.same(0.0)
    for part in parts:
        total += part.seconds
    return TimeEstimate(parts=parts, total=total, tokens=tokens)
