"""Verdicts of GPUs, and the largest batch or sequence that fits."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.errors import EstimateError
from advisor.estimates.gpus import Gpu, catalogue, find_gpu, fits, largest, verdict
from advisor.estimates.memory import GIB, Range, estimate_memory
from advisor.estimates.setup import Setup
from advisor.estimates.shapes import load_shape


def gpu(gib: float) -> Gpu:
    return Gpu(name="x", memory_mib=gib * 1024, bf16_tflops=1, bandwidth_gb_s=1, source="a test")


@pytest.mark.parametrize(
    ("gib", "answer"), [(10, "yes"), (9.9, "likely"), (6, "likely"), (5, "unlikely"), (3, "no")]
)
def test_a_verdict_says_which_of_the_three_fits(gib: float, answer: str) -> None:
    assert fits(Range(4 * GIB, 6 * GIB, 10 * GIB), gpu(gib).memory_bytes) == answer


@given(st.integers(0, 3000), st.integers(1, 2000))
def test_the_largest_number_that_holds_is_found(limit: int, most: int) -> None:
    assert largest(lambda number: number <= limit, most) == min(limit, most)


def test_the_largest_batch_fits_and_the_next_does_not() -> None:
    shape, setup, device = load_shape("llama-2-7b"), Setup(method="qlora"), find_gpu("L4")
    found = verdict(shape, setup, estimate_memory(shape, setup), device)
    batch = found.largest_batch
    at, beyond = (
        estimate_memory(shape, replace(setup, batch=b)).total.likely for b in (batch, batch + 1)
    )
    assert at <= device.memory_bytes < beyond


def test_a_sequence_never_grows_beyond_the_models_own() -> None:
    shape, setup = load_shape("llama-2-7b"), Setup(method="inference")
    found = verdict(shape, setup, estimate_memory(shape, setup), find_gpu("H200"))
    assert found.largest_sequence == 4096


def test_what_fits_nowhere_has_no_largest_batch() -> None:
    shape, setup = load_shape("llama-2-70b"), Setup(method="full")
    found = verdict(shape, setup, estimate_memory(shape, setup), find_gpu("h200"))
    assert (found.fits, found.largest_batch, found.largest_sequence) == ("no", 0, 0)


def test_seven_billion_in_full_need_more_than_80_gib_and_qlora_fits_16() -> None:
    """16 bytes a parameter are 100 GiB; QLoRA fits 16 GB (arXiv:2305.14314 trains it on less)."""
    shape = load_shape("llama-2-7b")
    full = estimate_memory(shape, Setup(method="full", precision="bf16-mixed"))
    assert fits(full.total, find_gpu("A100-80GB").memory_bytes) == "no"
    qlora = estimate_memory(shape, Setup(method="qlora", checkpointing=True))
    assert fits(qlora.total, find_gpu("T4").memory_bytes) == "yes"


def test_an_unknown_gpu_names_the_known_ones() -> None:
    with pytest.raises(EstimateError, match=r"'Z1' is not in the catalogue: T4, "):
        find_gpu("Z1")


def test_every_gpu_has_a_source() -> None:
    assert all("NVIDIA" in device.source for device in catalogue().values())
