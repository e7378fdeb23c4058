"""Memory of weights, gradients and optimiser; activations come on top and are not counted.

Bytes a parameter: 16-bit weights 2; full fine-tuning in mixed precision keeps fp32 weights,
gradients and Adam's two moments, 16; 4-bit weights 0.5, with double quantisation and 16-bit
embeddings .58. Source: arithmetic of the formats; for 4-bit Dettmers et al. 2023,
arXiv:2305.14314.
"""

from __future__ import annotations

from typing import Literal

GIB = 2**30
# LoRA of rank 16 on all linear layers adds about 1 % of the parameters (3.6 % at 135 million).
_ADAPTER_SHARE = 0.02
_BYTES: dict[str, float] = {
    "inference": 2.0,
    "full": 16.0,
    "lora": 2.0 + 16.0 * _ADAPTER_SHARE,
    "qlora": 0.58 + 16.0 * _ADAPTER_SHARE,
}

Use = Literal["inference", "full", "lora", "qlora"]


def memory_bytes(parameters: int, use: Use) -> int:
    """Least memory that a model of so many parameters takes, without activations.

    Args:
        parameters: of the base model.
        use: answer with it, or train it in full, by LoRA or by QLoRA (4-bit base weights).
    """
    return int(parameters * _BYTES[use])
