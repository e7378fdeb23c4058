"""GPUs of the catalogue: whether a setup fits, and the largest that does."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Literal

from pydantic import Field

from advisor.errors import EstimateError
from advisor.estimates.catalogues import Entry, mapping, own_text
from advisor.estimates.memory import GIB, MemoryEstimate, Range, estimate_memory
from advisor.estimates.setup import Setup
from advisor.estimates.shapes import ModelShape

Fits = Literal["yes", "likely", "unlikely", "no"]
# No sequence or batch beyond this is looked for.
_MOST = 2**20


class Gpu(Entry):
    """One device.

    Attributes:
        memory_mib: memory that programs can take, in MiB.
        bf16_tflops: dense matrix products, 10^12 a second.
        bandwidth_gb_s: of its memory, 10^9 bytes a second.
        bf16: whether it computes in bf16; else the figure is that of fp16.
        source: where the figures stand.
    """

    name: str
    memory_mib: float = Field(gt=0)
    bf16_tflops: float = Field(gt=0)
    bandwidth_gb_s: float = Field(gt=0)
    bf16: bool = True
    source: str

    @property
    def memory_bytes(self) -> float:
        """Memory in bytes."""
        return self.memory_mib * 2**20


@dataclass(frozen=True)
class Verdict:
    """Whether a setup fits a GPU.

    Attributes:
        fits: ``yes``: also the high estimate; ``likely``; ``unlikely``: the low one alone; ``no``.
        bf16: whether the GPU computes in bf16 at all.
        largest_batch: whose likely estimate fits, at the same sequence; 0: none.
        largest_sequence: the same for the sequence, at the same batch, up to the model's longest.
    """

    gpu: str
    memory_gib: float
    fits: Fits
    bf16: bool
    largest_batch: int
    largest_sequence: int


@cache
def catalogue() -> dict[str, Gpu]:
    """The GPUs by name, smallest memory first, from gpus.yaml."""
    entries = mapping(own_text("gpus.yaml"), "gpus.yaml")["gpus"]
    gpus = [Gpu(name=name, **values) for name, values in entries.items()]
    return {gpu.name: gpu for gpu in sorted(gpus, key=lambda gpu: gpu.memory_mib)}


def find_gpu(name: str) -> Gpu:
    """A GPU of the catalogue; case does not matter.

    Raises:
        EstimateError: it is not there.
    """
    for known, gpu in catalogue().items():
        if known.lower() == name.lower():
            return gpu
    raise EstimateError(f"GPU {name!r} is not in the catalogue: {', '.join(catalogue())}.")


def fits(total: Range, room: float) -> Fits:
    """Whether so many bytes fit a GPU whose memory has ``room`` bytes."""
    if total.high <= room:
        return "yes"
    if total.likely <= room:
        return "likely"
    return "unlikely" if total.low <= room else "no"


def verdict(shape: ModelShape, setup: Setup, estimate: MemoryEstimate, gpu: Gpu) -> Verdict:
    """Whether an estimate fits a GPU, and how far batch or sequence could grow."""
    longest = max(shape.positions or _MOST, setup.sequence)

    def batch_fits(batch: int) -> bool:
        return _likely(shape, replace(setup, batch=batch)) <= gpu.memory_bytes

    def sequence_fits(sequence: int) -> bool:
        return _likely(shape, replace(setup, sequence=sequence)) <= gpu.memory_bytes

    return Verdict(
        gpu=gpu.name,
        memory_gib=gpu.memory_bytes / GIB,
        fits=fits(estimate.total, gpu.memory_bytes),
        bf16=gpu.bf16,
        largest_batch=largest(batch_fits, _MOST),
        largest_sequence=largest(sequence_fits, longest),
    )


def _likely(shape: ModelShape, setup: Setup) -> float:
    return estimate_memory(shape, setup).total.likely


def largest(holds: Callable[[int], bool], most: int) -> int:
    """Largest number from 1 to ``most`` for which a condition holds, 0 if it does for none.

    It must hold for every number below one for which it holds.
    """
    if not holds(1):
        return 0
    good, bad = 1, most + 1
    while bad - good > 1:
        middle = min(2 * good, (good + bad) // 2)
        if holds(middle):
            good = middle
        else:
            bad = middle
    return good
