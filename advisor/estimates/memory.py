"""Memory that a model takes, part by part, when it answers or is trained on one device.

A training step has moments, and memory peaks in one of them: when the loss has been computed
(activations and logits are there, gradients not yet), when the backward pass begins or computes
checkpointed layers again, when it ends (gradients are there, activations gone), or in the
optimiser's step. Every part is shown, and which of them are there at the peak.

``low`` is the arithmetic of the tensors, what ``torch.cuda.max_memory_allocated`` counts;
``likely`` and ``high`` add what the allocator holds beyond them and the CUDA context, as
``nvidia-smi`` shows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from advisor.errors import EstimateError

if TYPE_CHECKING:
    from advisor.estimates.setup import Setup
    from advisor.estimates.shapes import ModelShape

GIB = 2**30

# ---------------------------------------------------------------- an estimate

# Of the estimates that are printed as JSON.
SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Range:
    """Three answers to one question, in the unit that its holder names."""

    low: float
    likely: float
    high: float

    @classmethod
    def same(cls, value: float) -> Range:
        """A figure without doubt."""
        return cls(value, value, value)

    def __add__(self, other: Range) -> Range:
        return Range(self.low + other.low, self.likely + other.likely, self.high + other.high)

    def times(self, factor: float) -> Range:
        """Each of the three, times a factor."""
        return Range(self.low * factor, self.likely * factor, self.high * factor)


@dataclass(frozen=True)
class Part:
    """Bytes of one kind.

    Attributes:
        at_peak: whether it is there when memory peaks, and so in the total.
    """

    name: str
    bytes: Range
    at_peak: bool


@dataclass(frozen=True)
class MemoryEstimate:
    """What a model takes on one device.

    Attributes:
        peak: the moment at which memory peaks.
        total: bytes at the peak; each of low, likely and high at its own.
        parameters: of the base model.
        trainable_parameters: those that are learned.
    """

    parts: tuple[Part, ...]
    peak: str
    total: Range
    parameters: int
    trainable_parameters: int


# One CUDA context with PyTorch's kernels. Source: transformers' "Model training anatomy", where
# a first tensor of one number makes 1,343 MB occupied; less where kernels are loaded lazily.
CONTEXT_BYTES = 1343 * 2**20
# What the caching allocator holds beyond the tensors: PEFT's method comparison (0a179c1,
# Llama-3.2-3B in full) reserved 33.10 GB where the tensors of the optimiser's step are 32.13 GB
# and the kept logits .36 GB; high is the excess of its largest run (see design/0009).
_ALLOCATOR = Range(0.0, 0.02, 0.06)

# Parts that are there at each moment.
_TRAINING_MOMENTS: dict[str, tuple[str, ...]] = {
    "loss computed": ("weights", "cast weights", "optimiser", "activations", "logits"),
    "backward pass begins": ("weights", "cast weights", "optimiser", "activations", "buffers"),
    "layers computed again": ("weights", "optimiser", "activations", "one layer", "buffers"),
    "end of backward pass": ("weights", "optimiser", "gradients", "one layer", "buffers"),
    "optimiser step": ("weights", "optimiser", "gradients", "optimiser workspace"),
}
_INFERENCE_MOMENTS: dict[str, tuple[str, ...]] = {
    "generation": ("weights", "KV cache", "activations", "logits", "buffers"),
}


def estimate_memory(shape: ModelShape, setup: Setup) -> MemoryEstimate:
    """Memory of a model under a setup, in bytes, part by part.

    Raises:
        EstimateError: a target module that the model lacks, or stated parameters that are fewer
            than the layers hold.
    """
    if shape.parameters < shape.layer_linear_parameters:
        raise EstimateError(
            f"--parameters {shape.parameters:,} is less than the layers alone hold, "
            f"{shape.layer_linear_parameters:,}. Leave it out, or correct the other numbers."
        )
    sizes = _training_sizes(shape, setup) if setup.trains else _inference_sizes(shape, setup)
    moments = _moments(setup)
    sums = {moment: _sum(sizes, there) for moment, there in moments.items()}
    peak = max(sums, key=lambda moment: sums[moment].likely)
    tensors = Range(*(max(getattr(s, end) for s in sums.values()) for end in _ENDS))
    overhead = {
        "allocator": Range(*(getattr(tensors, end) * getattr(_ALLOCATOR, end) for end in _ENDS)),
        "CUDA context": Range(0.0, CONTEXT_BYTES, CONTEXT_BYTES),
    }
    there = {*moments[peak], *overhead}
    parts = (Part(n, b, n in there) for n, b in (sizes | overhead).items() if b.high)
    return MemoryEstimate(
        parts=tuple(parts),
        peak=peak,
        total=tensors + overhead["allocator"] + overhead["CUDA context"],
        parameters=shape.parameters,
        trainable_parameters=trainable_parameters(shape, setup),
    )


_ENDS = ("low", "likely", "high")


def _moments(setup: Setup) -> dict[str, tuple[str, ...]]:
    if not setup.trains:
        return _INFERENCE_MOMENTS
    moments = dict(_TRAINING_MOMENTS)
    del moments["backward pass begins" if setup.checkpointing else "layers computed again"]
    if setup.accumulate:
        return {m: tuple(dict.fromkeys((*there, "gradients"))) for m, there in moments.items()}
    return moments


def _sum(sizes: dict[str, Range], names: tuple[str, ...]) -> Range:
    total = Range.same(0.0)
    for name in names:
        total += sizes[name]
    return total


def _training_sizes(shape: ModelShape, setup: Setup) -> dict[str, Range]:
    from advisor.estimates.activations import layer_bytes, logit_bytes

    trained = trainable_parameters(shape, setup)
    one_layer = setup.tokens * layer_bytes(shape, setup)
    logits = setup.positions_with_logits * shape.vocab * logit_bytes(shape, setup)
    return {
        "weights": weights(shape, setup),
        "cast weights": Range.same(_cast_bytes(shape, setup)),
        "gradients": Range.same(trained * setup.trainable_bytes),
        "optimiser": optimizer_state(shape, setup),
        "optimiser workspace": Range.same(_optimizer_workspace(shape, setup)),
        "activations": _activations(shape, setup),
        "one layer": Range.same(one_layer),
        "logits": Range.same(logits),
        "buffers": Range.same(_buffers(shape, setup)),
    }


def _inference_sizes(shape: ModelShape, setup: Setup) -> dict[str, Range]:
    return {
        "weights": weights(shape, setup),
        "KV cache": Range.same(kv_cache_bytes(shape, setup)),
        "activations": Range.same(_prefill_bytes(shape, setup)),
        "logits": Range.same(setup.positions_with_logits * shape.vocab * (setup.compute_bytes + 4)),
        "buffers": Range.same(_buffers(shape, setup)),
    }


# ---------------------------------------------------------------- the parts

# NF4: half a byte; one 8-bit constant for 64 weights, one fp32 constant for 256 of those.
# Source: Dettmers et al. 2023, arXiv:2305.14314, section 3.
NF4_BYTES = 0.5 + 1 / 64 + 4 / (64 * 256)


def trainable_parameters(shape: ModelShape, setup: Setup) -> int:
    """Parameters that are learned.

    LoRA: r (d_in + d_out) a wrapped weight (Hu et al. 2021, arXiv:2106.09685, section 4.1), DoRA
    d_out more (Liu et al. 2024, arXiv:2402.09353); IA3: one a channel it scales
    (arXiv:2205.05638); prompt tuning: one vector a virtual token (Lester et al. 2021,
    arXiv:2104.08691); prefix tuning: keys and values in every layer (Li and Liang 2021,
    arXiv:2101.00190, without the projection).
    """
    from advisor.estimates.activations import ia3_targets
    from advisor.estimates.shapes import targets

    if setup.method == "inference":
        return 0
    if setup.method == "full":
        return shape.parameters
    if setup.method == "prompt-tuning":
        return setup.virtual_tokens * shape.hidden
    if setup.method == "prefix-tuning":
        return setup.virtual_tokens * shape.layers * 2 * shape.kv_width
    if setup.method == "ia3":
        scaled = (x.d_in if x.block == "mlp" else x.d_out for x in ia3_targets(shape))
        return shape.layers * sum(scaled)
    wrapped = targets(shape, setup.targets)
    low_rank = sum(setup.rank * (linear.d_in + linear.d_out) for linear in wrapped)
    magnitudes = sum(linear.d_out for linear in wrapped) if setup.dora else 0
    return shape.layers * (low_rank + magnitudes)


def weights(shape: ModelShape, setup: Setup) -> Range:
    """Bytes of the base model's weights and, if PEFT trains, of its adapters.

    Of a 4-bit model, the linear weights of the layers are quantised; embeddings, output layer
    and norms stay in 16 bits, or in 32 (high) where PEFT's ``prepare_model_for_kbit_training``
    has been called.
    """
    adapters = 0 if setup.method == "full" else trainable_parameters(shape, setup)
    added = Range.same(adapters * setup.trainable_bytes)
    if not setup.quantized:
        return Range.same(shape.parameters * setup.base_bytes) + added
    linear = shape.layer_linear_parameters
    rest = shape.parameters - linear
    usual = linear * NF4_BYTES + rest * setup.base_bytes
    upcast = linear * NF4_BYTES + rest * (4 if setup.trains else setup.base_bytes)
    return Range(usual, usual, upcast) + added


def _cast_bytes(shape: ModelShape, setup: Setup) -> int:
    """16-bit copies that autocast makes of fp32 weights that are trained, and holds.

    Source: the weight cache of ``torch.autocast``, which keeps casts of leaves that need a
    gradient until the outermost context ends; the graph holds them after that.
    """
    if setup.precision != "bf16-mixed":
        return 0
    full = shape.layer_linear_parameters + shape.vocab * shape.hidden
    return 2 * (full if setup.method == "full" else trainable_parameters(shape, setup))


def optimizer_state(shape: ModelShape, setup: Setup) -> Range:
    """Bytes of the optimiser's state.

    AdamW keeps two moments in the parameters' precision. 8-bit AdamW keeps each in a byte and an
    fp32 constant for 256 of them (Dettmers et al. 2021, arXiv:2110.02861); its paged version may
    lie in the host's memory (low 0). Adafactor keeps fp32 sums of rows and columns (Shazeer and
    Stern 2018, arXiv:1804.04235). SGD without momentum keeps nothing.
    """
    trained = trainable_parameters(shape, setup)
    if setup.optimizer in ("adamw", "adamw-fused"):
        return Range.same(2 * trained * setup.trainable_bytes)
    if setup.optimizer == "sgd":
        return Range.same(0)
    if setup.optimizer == "adafactor":
        return Range.same(_adafactor_state(shape, setup))
    eight_bit = 2 * trained * (1 + 4 / 256)
    return Range(0 if setup.optimizer == "paged-adamw-8bit" else eight_bit, eight_bit, eight_bit)


def _adafactor_state(shape: ModelShape, setup: Setup) -> int:
    from advisor.estimates.shapes import targets

    if setup.method == "full":
        sums = sum(linear.d_in + linear.d_out for linear in shape.linears)
        outer = (1 if shape.tied else 2) * (shape.vocab + shape.hidden)
        return 4 * (shape.layers * sums + outer)
    if setup.low_rank:
        wrapped = targets(shape, setup.targets)
        sums = sum(2 * setup.rank + linear.d_in + linear.d_out for linear in wrapped)
        return 4 * shape.layers * sums
    return 4 * trainable_parameters(shape, setup)


def _optimizer_workspace(shape: ModelShape, setup: Setup) -> int:
    """Bytes that the optimiser's step needs for itself.

    PyTorch's AdamW without ``fused`` computes the roots of all second moments at once, a copy of
    the parameters' size. Source: the note on ``foreach`` in the documentation of
    ``torch.optim.AdamW``.
    """
    if setup.optimizer != "adamw":
        return 0
    return trainable_parameters(shape, setup) * setup.trainable_bytes


def _activations(shape: ModelShape, setup: Setup) -> Range:
    """What is kept of all layers; low: of batches without padding."""
    from advisor.estimates.activations import layer_bytes, outer_bytes

    outer = setup.tokens * outer_bytes(shape, setup)
    if setup.checkpointing:
        kept = shape.layers * setup.tokens * shape.hidden * setup.base_bytes
        return Range.same(kept + outer)
    usual = shape.layers * setup.tokens * layer_bytes(shape, setup) + outer
    grouped = layer_bytes(shape, setup, padded=False)
    return Range(shape.layers * setup.tokens * grouped + outer, usual, usual)


def _buffers(shape: ModelShape, setup: Setup) -> int:
    """Whole weights that are made for a moment, in bytes.

    bitsandbytes dequantises a 4-bit weight to 16 bits before it multiplies; DoRA makes the fp32
    weight, its update and their sum to take a norm. Source: ``MatMul4Bit`` and PEFT's
    ``lora/dora.py``.
    """
    from advisor.estimates.shapes import targets

    dequantised = setup.compute_bytes * shape.widest_linear if setup.quantized else 0
    if not setup.dora:
        return dequantised
    largest = max(linear.d_in * linear.d_out for linear in targets(shape, setup.targets))
    return max(dequantised, 3 * 4 * largest)


def kv_cache_bytes(shape: ModelShape, setup: Setup) -> int:
    """Keys and values of prompt and answer in every layer.

    Layers with a sliding window may keep less. Source: Shazeer 2019, arXiv:1911.02150.
    """
    virtual = setup.virtual_tokens if setup.method == "prefix-tuning" else 0
    tokens = setup.batch * (setup.sequence + setup.output_tokens + virtual)
    return 2 * shape.layers * shape.kv_width * tokens * setup.compute_bytes


def _prefill_bytes(shape: ModelShape, setup: Setup) -> int:
    """What is alive at once while a layer reads the prompt: two streams and the feed-forward.

    ``eager`` attention has the scores and their fp32 softmax instead, where these are more.
    """
    c, f = setup.compute_bytes, shape.intermediate
    feed_forward = c * (2 * shape.hidden + (3 if shape.layout.gated else 2) * f)
    if setup.attention != "eager":
        return setup.tokens * feed_forward
    scores = shape.heads * setup.sequence * (4 + c) + c * 2 * shape.hidden
    return setup.tokens * max(feed_forward, scores)
