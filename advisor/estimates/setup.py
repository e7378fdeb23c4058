"""What is run on the model: the choices that decide memory and time."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cache
from typing import Literal, get_args, get_type_hints

from advisor.errors import EstimateError

Method = Literal["inference", "full", "lora", "qlora", "ia3", "prompt-tuning", "prefix-tuning"]
Precision = Literal["fp32", "bf16-mixed", "bf16"]
Optimizer = Literal["adamw", "adamw-fused", "adamw-8bit", "paged-adamw-8bit", "sgd", "adafactor"]
AttentionKernel = Literal["eager", "sdpa", "flash"]


@dataclass(frozen=True)
class Setup:
    """How a model is trained or asked.

    Attributes:
        precision: ``fp32``; ``bf16-mixed``: autocast, what transformers' ``bf16=True`` does
            (full fine-tuning keeps fp32 weights; PEFT a 16-bit base); ``bf16``: weights,
            gradients and moments in 16 bits, fp32 adapters as PEFT makes them.
        batch: sequences computed at once.
        sequence: tokens of each: prompt and answer in training, the prompt in inference.
        output_tokens: tokens to generate; inference alone.
        rank: of LoRA.
        targets: ``all-linear``, ``attention``, ``mlp`` or module names.
        dora: LoRA with magnitudes of its own.
        four_bit: base weights in NF4 with double quantisation (always so for ``qlora``).
        virtual_tokens: of prompt and prefix tuning.
        checkpointing: keep the inputs of layers alone, compute the rest again.
        attention: ``eager``, ``sdpa`` (padded batches), ``flash`` (keys not repeated).
        accumulate: gradients of earlier micro-batches are kept.
        logit_positions: positions of a sequence whose logits are computed; None: all in
            training, the last in inference.
    """

    method: Method = "lora"
    precision: Precision = "bf16"
    batch: int = 1
    sequence: int = 512
    output_tokens: int = 0
    rank: int = 16
    targets: str = "all-linear"
    dora: bool = False
    four_bit: bool = False
    virtual_tokens: int = 20
    optimizer: Optimizer = "adamw"
    checkpointing: bool = False
    attention: AttentionKernel = "sdpa"
    accumulate: bool = False
    logit_positions: int | None = None

    def __post_init__(self) -> None:
        """Raise EstimateError with every value that is not allowed."""
        wrong = [*_wrong_words(self), *_wrong_numbers(self)]
        if self.dora and self.method not in ("lora", "qlora"):
            wrong.append("dora needs method lora or qlora")
        if self.four_bit and self.method == "full":
            wrong.append("4-bit weights cannot be trained in full: take qlora")
        if wrong:
            raise EstimateError("; ".join(wrong) + ".")

    @property
    def quantized(self) -> bool:
        """Whether the linear weights of the layers lie in 4 bits."""
        return self.four_bit or self.method == "qlora"

    @property
    def trains(self) -> bool:
        """Whether anything is learned."""
        return self.method != "inference"

    @property
    def low_rank(self) -> bool:
        """Whether LoRA adapters are trained."""
        return self.method in ("lora", "qlora")

    @property
    def compute_bytes(self) -> int:
        """Bytes of a number in matrix products."""
        return 4 if self.precision == "fp32" else 2

    @property
    def base_bytes(self) -> int:
        """Bytes of a stored base weight that is not quantised."""
        mixed_full = self.precision == "bf16-mixed" and self.method == "full"
        return 4 if self.precision == "fp32" or mixed_full else 2

    @property
    def trainable_bytes(self) -> int:
        """Bytes of a trained parameter: PEFT holds those of a 16-bit model in fp32.

        Source: PEFT's ``autocast_adapter_dtype``, true by default.
        """
        return self.base_bytes if self.method == "full" else 4

    @property
    def tokens(self) -> int:
        """Tokens computed at once; virtual tokens of prompt tuning are tokens."""
        virtual = self.virtual_tokens if self.method == "prompt-tuning" else 0
        return self.batch * (self.sequence + virtual)

    @property
    def positions_with_logits(self) -> int:
        """Positions, over the batch, whose logits are computed."""
        if self.logit_positions is not None:
            return self.batch * min(self.logit_positions, self.tokens // self.batch)
        return self.tokens if self.trains else self.batch


def _wrong_words(setup: Setup) -> list[str]:
    wrong = []
    for name, allowed in _words().items():
        value = getattr(setup, name)
        if allowed and isinstance(value, str) and value not in allowed:
            wrong.append(f"{name} {value!r} is not one of {', '.join(allowed)}")
    return wrong


@cache
def _words() -> dict[str, tuple[str, ...]]:
    """The words that each choice allows."""
    hints = get_type_hints(Setup)
    return {field.name: get_args(hints[field.name]) for field in fields(Setup)}


def _wrong_numbers(setup: Setup) -> list[str]:
    least = {"batch": 1, "sequence": 1, "output_tokens": 0, "rank": 1, "virtual_tokens": 1}
    numbers: dict[str, int] = {name: getattr(setup, name) for name in least}
    if setup.logit_positions is not None:
        least["logit_positions"], numbers["logit_positions"] = 1, setup.logit_positions
    return [
        f"{name} is {number}, and must be at least {least[name]}"
        for name, number in numbers.items()
        if number < least[name]
    ]
