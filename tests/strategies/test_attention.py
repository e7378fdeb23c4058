"""A beginning that stands apart gives what a copy of it in every row gives."""

from __future__ import annotations

from copy import deepcopy
from inspect import signature
from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    DeepseekV3Config,
    DiffLlamaConfig,
    DogeConfig,
    Gemma2Config,
    GemmaConfig,
    GPTNeoXConfig,
    GptOssConfig,
    GraniteConfig,
    LlamaConfig,
    LlamaForCausalLM,
    MiniMaxConfig,
    MistralConfig,
    OlmoConfig,
    Phi3Config,
    PhiConfig,
    Qwen2Config,
    Qwen3Config,
    SmolLM3Config,
)

from strategies.attention import can_share
from strategies.errors import ModelError
from strategies.inference import Engine
from strategies.models import ResolvedModel, load_tokenizer
from tests.tiny import SHAPE

_SHAPE = {
    "vocab_size": 400,
    **SHAPE,
    "max_position_embeddings": 256,
    "initializer_range": 0.5,
    "pad_token_id": 0,
}
_GROUPED = {**_SHAPE, "num_key_value_heads": 2}
_SIZED = {**_GROUPED, "head_dim": 8}

SPLIT = (
    LlamaConfig(**_SHAPE, num_key_value_heads=4),
    LlamaConfig(**_SHAPE, num_key_value_heads=1),
    Qwen2Config(**_GROUPED),
    Qwen3Config(**_SIZED),
    MistralConfig(**_GROUPED, sliding_window=None),
    GemmaConfig(**_SIZED),
    PhiConfig(**_GROUPED),
    Phi3Config(**_GROUPED),
    GraniteConfig(**_GROUPED, attention_multiplier=0.3),
    OlmoConfig(**_GROUPED),
    SmolLM3Config(**_GROUPED),
    GPTNeoXConfig(**_SHAPE),
)
BEGINNING = list(range(20, 45))
PROMPTS = [[*BEGINNING, *rest] for rest in ([3, 4, 5, 6, 7], [8], [9, 10, 11], [12, 13])]


def _model(config: Any) -> Any:
    torch.manual_seed(0)
    return AutoModelForCausalLM.from_config(deepcopy(config)).eval()


@pytest.mark.parametrize("copied", [False, True])
@pytest.mark.parametrize("config", SPLIT, ids=lambda config: type(config).__name__)
def test_answers_are_those_of_plain_generate_and_of_a_full_reading(
    config: Any, tiny_model: Path, *, copied: bool
) -> None:
    plain, model = _model(config), _model(config)
    engine = Engine(model, load_tokenizer(ResolvedModel("tiny", tiny_model, "0")))
    assert engine._shares
    engine._shares = not copied  # as on a GPU
    _expect_plain_answers(engine, plain)


@pytest.mark.parametrize(
    "config",
    [
        # Values that attention takes are not those of the cache.
        DiffLlamaConfig(**_GROUPED),
        DogeConfig(**_GROUPED),
        # Keys are longer than values.
        DeepseekV3Config(
            **_SHAPE,
            num_key_value_heads=4,
            q_lora_rank=16,
            kv_lora_rank=16,
            qk_rope_head_dim=8,
            qk_nope_head_dim=8,
            v_head_dim=8,
            first_k_dense_replace=2,
        ),
    ],
    ids=lambda config: type(config).__name__,
)
def test_what_does_not_agree_with_a_plain_forward_pass_is_not_shared(
    config: Any, tiny_model: Path
) -> None:
    plain, model = _model(config), _model(config)
    engine = Engine(model, load_tokenizer(ResolvedModel("tiny", tiny_model, "0")))
    assert engine._attends_fully
    assert not engine._shares
    _expect_plain_answers(engine, plain)


def test_a_model_that_cannot_go_on_from_a_cache_is_refused(tiny_model: Path) -> None:
    model = _model(MiniMaxConfig(**_SIZED, num_local_experts=2, num_experts_per_tok=1))
    with pytest.raises(ModelError, match=r"MiniMaxForCausalLM cannot be .*: ValueError: MiniMax"):
        Engine(model, load_tokenizer(ResolvedModel("tiny", tiny_model, "0")))


def test_a_model_that_goes_on_wrongly_is_refused(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = _model(SPLIT[0])
    forward = LlamaForCausalLM.forward

    def forgetful(self: Any, attention_mask: Any = None, **kwargs: Any) -> Any:
        return forward(self, **{**kwargs, "position_ids": None})

    forgetful.__signature__ = signature(forward)  # type: ignore[attr-defined]
    monkeypatch.setattr(LlamaForCausalLM, "forward", forgetful)
    with pytest.raises(ModelError, match="goes on otherwise than in one forward pass"):
        Engine(model, load_tokenizer(ResolvedModel("tiny", tiny_model, "0")))


def _expect_plain_answers(engine: Engine, plain: Any) -> None:
    for made in engine.generate(PROMPTS, 8):
        prompt = PROMPTS[made.index]
        out = plain.generate(
            torch.tensor([prompt]), max_new_tokens=8, do_sample=False, pad_token_id=0
        )[0, len(prompt) :]
        going_on = takewhile(lambda token: token not in engine._stop_ids, out.tolist())
        assert list(made.tokens) == list(going_on)
    choices = [[5, 6, 7], [5, 6], [9], [5, 8, 7, 11]]
    for scores in engine.score(PROMPTS, [choices] * len(PROMPTS)):
        prompt = PROMPTS[scores.index]
        for choice, found in zip(choices, scores.logprobs, strict=True):
            with torch.inference_mode():
                logits = plain(torch.tensor([prompt + choice])).logits[0].log_softmax(-1)
            rows = logits[len(prompt) - 1 : -1]
            expected = sum(float(rows[n, token]) for n, token in enumerate(choice))
            assert found == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize(
    "config",
    [
        Gemma2Config(**_SIZED, attn_logit_softcapping=20.0),
        GptOssConfig(**_SIZED, num_local_experts=2, num_experts_per_tok=1),
    ],
    ids=lambda config: type(config).__name__,
)
def test_attention_with_more_in_it_is_left_as_it_was(config: Any) -> None:
    model = _model(config)
    before = model.config._attn_implementation
    assert not can_share(model)
    assert model.config._attn_implementation == before


def test_the_beginning_is_kept_once(tiny_model: Path) -> None:
    model = _model(SPLIT[0])
    engine = Engine(model, load_tokenizer(ResolvedModel("tiny", tiny_model, "0")))
    ((prefix, places),) = engine._grouped(PROMPTS)
    with torch.inference_mode():
        rows = engine._read_but_last([PROMPTS[n][len(BEGINNING) :] for n in places], prefix)
    assert rows.apart.tokens == tuple(BEGINNING)
    assert rows.cache.get_seq_length() == max(map(len, PROMPTS)) - len(BEGINNING) - 1
