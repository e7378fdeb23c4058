"""Memory without activations, against arithmetic done by hand for a model of 6.74 billion."""

from __future__ import annotations

import pytest

from advisor.estimates.memory import Use, memory_bytes

LLAMA_2_7B = 6_740_000_000


@pytest.mark.parametrize(
    ("use", "gigabytes"),
    [
        # 6.74 billion times 2 bytes.
        ("inference", 13.48),
        # fp32 weights, gradients and two moments: 4 times 4 bytes.
        ("full", 107.84),
        # 4-bit weights with double quantisation and 16-bit embeddings take 3.9 GB; the adapter
        # is counted as 2 % of the parameters at 16 bytes, 2.16 GB.
        ("qlora", 3.91 + 2.16),
        ("lora", 13.48 + 2.16),
    ],
)
def test_memory_is_that_of_the_formats(use: Use, gigabytes: float) -> None:
    assert memory_bytes(LLAMA_2_7B, use) / 1e9 == pytest.approx(gigabytes, abs=0.01)


def test_the_order_of_means_is_that_of_their_memory() -> None:
    uses: list[Use] = ["qlora", "inference", "lora", "full"]
    sizes = [memory_bytes(135_000_000, use) for use in uses]
    assert sizes == sorted(sizes)
