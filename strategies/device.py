"""Where and how exactly the arithmetic is done: device, precision, threads."""

from __future__ import annotations

from typing import Any, Literal

from strategies.settings import Precision


def resolve_device() -> str:
    """``cuda`` when a GPU is there, else ``cpu``."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def resolve_precision(wanted: Precision | Literal["auto"]) -> Precision:
    """The precision to compute in; ``auto`` takes bf16 where the hardware has it.

    A CPU without bf16 instructions emulates them, slower than fp32, so it is asked.
    """
    if wanted != "auto":
        return wanted
    import torch

    if torch.cuda.is_available():
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    capabilities = torch.cpu.get_capabilities()
    return "bf16" if capabilities.get("avx512_bf16") or capabilities.get("bf16") else "fp32"


def torch_dtype(precision: Precision) -> Any:
    """The torch dtype of a precision."""
    import torch

    return {"fp32": torch.float32, "bf16": torch.bfloat16}[precision]


def set_threads(threads: int, seed: int) -> None:
    """Fix what makes a repeated run equal: torch's threads and every random generator."""
    import torch
    from transformers import set_seed

    torch.set_num_threads(threads)
    set_seed(seed)
