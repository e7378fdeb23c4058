"""Time: operations by hand, published throughputs, and tokens counted or estimated."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advisor.errors import EstimateError
from advisor.estimates.gpus import find_gpu
from advisor.estimates.memory import Range
from advisor.estimates.setup import Setup
from advisor.estimates.shapes import load_shape
from advisor.estimates.time import (
    answering_time,
    bytes_a_step,
    checked_utilisation,
    training_flops,
    training_time,
)
from advisor.estimates.tokens import PromptShape, count_tokens, method_prompts

LLAMA = load_shape("llama-2-7b")


def test_full_training_takes_six_operations_a_parameter_and_token() -> None:
    setup = Setup(method="full", sequence=1)
    flops = sum(training_flops(LLAMA, setup, 1000).values())
    looked_up = 32000 * 4096
    assert flops == pytest.approx(6 * (LLAMA.parameters - looked_up) * 1000, rel=0.001)


def test_lora_takes_four_and_six_of_its_own() -> None:
    plain = Setup(rank=1, targets="q_proj", sequence=1)
    flops = sum(training_flops(LLAMA, plain, 1).values())
    adapters = 32 * (4096 + 4096)
    products = LLAMA.parameters - 32000 * 4096
    attention = 3 * 4 * 32 * 4096
    assert flops == 4 * products + 6 * adapters + attention


def test_checkpointing_computes_the_forward_pass_again() -> None:
    plain = training_flops(LLAMA, Setup(method="full"), 10)
    again = training_flops(LLAMA, Setup(method="full", checkpointing=True), 10)
    assert again["computed again"] == plain["forward"]


@pytest.mark.parametrize(
    ("method", "seconds"),
    [
        # PEFT's method comparison at 5d602fd, Llama-3.2-3B on an L40S, 4,198,051 tokens of 20,000
        # examples. LoRA's is no point of the calibration; full's is the slow end of it.
        ("lora", 942),
        ("full", 2147),
    ],
)
def test_published_training_times_lie_between_low_and_high(method: str, seconds: float) -> None:
    setup = Setup(method=method, rank=32, targets="q_proj,v_proj", batch=4, sequence=210)  # type: ignore[arg-type]
    estimate = training_time(load_shape("llama-3.2-3b"), setup, find_gpu("L40S"), 4_198_051)
    assert estimate.total.low <= seconds <= estimate.total.high


@pytest.mark.parametrize(("method", "tokens_a_second"), [("lora", 3083), ("qlora", 2413)])
def test_torchtunes_throughput_lies_between_low_and_high(
    method: str, tokens_a_second: float
) -> None:
    """README at 0031bfb: Llama 3.1 8B, rank 8, packed to 2048, checkpointed, one RTX 4090."""
    setup = Setup(method=method, rank=8, batch=2, sequence=2048, checkpointing=True)  # type: ignore[arg-type]
    estimate = training_time(load_shape("llama-3.1-8b"), setup, find_gpu("RTX-4090"), 100_000)
    assert 100_000 / tokens_a_second <= estimate.total.likely
    # Compiled and packed, it is faster than the fastest run that the range was made from.
    assert 100_000 / tokens_a_second >= 0.5 * estimate.total.low


def test_generation_reads_the_weights_for_every_token() -> None:
    """Llama-2-7B: 13.2 GB without the embedding that is looked up, and .5 MiB a token of cache."""
    setup = Setup(method="inference", sequence=1, output_tokens=2)
    weights = (6_738_415_616 - 32000 * 4096) * 2
    assert bytes_a_step(LLAMA, setup) == weights + 2 * 2**19


@pytest.mark.parametrize(("name", "rate"), [("A100-80GB", 107.0), ("RTX-4090", 65.0)])
def test_published_generation_lies_between_low_and_high(name: str, rate: float) -> None:
    setup = Setup(method="inference", sequence=5, output_tokens=200)
    estimate = answering_time(LLAMA, setup, find_gpu(name))
    assert estimate.total.low <= 200 / rate <= estimate.total.high


def test_a_batch_shares_the_reading_of_the_weights() -> None:
    setup = Setup(method="inference", sequence=10, output_tokens=100)
    one = answering_time(LLAMA, setup, find_gpu("L40S"), 8).total.likely
    eight = answering_time(LLAMA, replace(setup, batch=8), find_gpu("L40S"), 8).total.likely
    assert one / 8 < eight < one / 5


def test_a_stated_utilisation_leaves_no_range() -> None:
    estimate = training_time(LLAMA, Setup(method="full"), find_gpu("H100"), 1000, Range.same(0.5))
    assert estimate.total.low == estimate.total.high
    flops = sum(training_flops(LLAMA, Setup(method="full"), 1000).values())
    assert estimate.total.likely == pytest.approx(flops / (989e12 * 0.5))


@pytest.mark.parametrize("share", [0.0, -0.1, 1.01, float("nan")])
def test_a_utilisation_is_a_share(share: float) -> None:
    with pytest.raises(EstimateError, match="above 0 and at most 1"):
        checked_utilisation(share, Range.same(0.5))


def test_no_time_without_work() -> None:
    gpu = find_gpu("T4")
    with pytest.raises(EstimateError, match="at least one token"):
        training_time(LLAMA, Setup(), gpu, 0)
    with pytest.raises(EstimateError, match="Inference trains nothing"):
        training_time(LLAMA, Setup(method="inference"), gpu, 5)
    with pytest.raises(EstimateError, match="At least one query"):
        answering_time(LLAMA, Setup(method="inference"), gpu, 0)


@given(st.integers(1, 10**9), st.sampled_from(["full", "lora", "qlora", "ia3"]))
@settings(deadline=None)
def test_more_tokens_take_longer_and_full_longest(tokens: int, method: str) -> None:
    gpu, setup = find_gpu("A10"), Setup(method=method)  # type: ignore[arg-type]
    estimate = training_time(LLAMA, setup, gpu, tokens).total
    assert estimate.low < estimate.likely < estimate.high
    assert training_time(LLAMA, setup, gpu, tokens + 1).total.likely > estimate.likely
    # QLoRA's dequantisation may make it slower than full.
    if method != "qlora":
        assert training_time(LLAMA, Setup(method="full"), gpu, tokens).total.likely >= (
            estimate.likely
        )


# ---------------------------------------------------------------- tokens


def test_a_prompt_holds_what_its_method_shows() -> None:
    shown = method_prompts(PromptShape(100, 20, 8, 50, 4, 250))
    tokens = {name: prompt.prompt_tokens for name, prompt in shown.items()}
    assert tokens == {"icl": 500, "rag": 1100, "tuned": 100, "rag+tuned": 1100}


def test_without_a_tokenizer_four_bytes_are_a_token_and_it_is_said() -> None:
    count = count_tokens(["abcd", "ab"], None)
    assert count.tokens == 2
    assert count.how == "estimated at 4 bytes a token: no tokenizer given"


WORDS = (
    '{"version": "1.0", "truncation": null, "padding": null, "added_tokens": [],'
    ' "normalizer": null, "pre_tokenizer": {"type": "Whitespace"}, "post_processor": null,'
    ' "decoder": null, "model": {"type": "WordLevel", "vocab": {"[UNK]": 0, "one": 1},'
    ' "unk_token": "[UNK]"}}'
)


def test_a_tokenizer_counts(tmp_path: Path) -> None:
    pytest.importorskip("tokenizers")
    (tmp_path / "tokenizer.json").write_text(WORDS, encoding="utf-8")
    assert count_tokens(["one two one", "one"], tmp_path).tokens == 4
    assert "counted by" in count_tokens([], tmp_path / "tokenizer.json").how


def test_a_tokenizer_without_its_package_is_estimated_and_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tokenizer.json").write_text(WORDS, encoding="utf-8")
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    assert "'tokenizers' is not installed" in count_tokens(["abcd"], tmp_path).how


def test_a_broken_tokenizer_is_a_message(tmp_path: Path) -> None:
    pytest.importorskip("tokenizers")
    (tmp_path / "tokenizer.json").write_text("{}", encoding="utf-8")
    with pytest.raises(EstimateError, match=r"is no tokenizer\.json"):
        count_tokens(["a"], tmp_path)
    with pytest.raises(EstimateError, match="cannot be read"):
        count_tokens(["a"], tmp_path / "missing.json")


def test_a_prompt_is_never_empty_or_negative() -> None:
    with pytest.raises(EstimateError, match="passages -1"):
        PromptShape(1, 1, passages=-1)
    with pytest.raises(EstimateError, match="at least one token"):
        PromptShape(0, 1)
