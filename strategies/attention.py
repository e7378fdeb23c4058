"""Attention that reads the keys and values of a shared beginning once for all rows.

Tokens attend to the beginning and to their own row apart, and the two are joined by their
softmax sums, which is exact (Hydragen; Juravsky et al. 2024, arXiv:2402.05099). Without it every
row needs a copy of the beginning, and every step reads all copies.
"""

from __future__ import annotations

from collections import UserList
from typing import Any

import torch
from transformers import AttentionInterface, AttentionMaskInterface, DynamicCache
from transformers.integrations.sdpa_attention import repeat_kv, sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from strategies.prefix import Prefix, States

_NAME = "shared_beginning"
# What some architectures add to attention; it cannot be split here.
_UNSUPPORTED = ("softcap", "s_aux", "position_bias")


def can_share(model: Any) -> bool:
    """Make a model take ``beginning`` in its forward: states of tokens that all rows begin with.

    Two short forward passes try it out: every layer must bring its beginning to this attention,
    with nothing on top. A model that does not stays as it was, as does one on a GPU, where torch's
    kernels keep to themselves the softmax sums that joining takes.
    """
    before = model.config._attn_implementation
    if before == _NAME:
        return True
    if model.device.type != "cpu" or before != "sdpa":
        return False
    AttentionInterface.register(_NAME, _attend)
    AttentionMaskInterface.register(_NAME, sdpa_mask)
    model.set_attn_implementation(_NAME)
    if _every_layer_shares(model):
        return True
    model.set_attn_implementation(before)
    return False


def _every_layer_shares(model: Any) -> bool:
    first, cache = torch.zeros((1, 1), dtype=torch.long), DynamicCache(config=model.config)
    try:
        with torch.inference_mode():
            model(input_ids=first, past_key_values=cache, use_cache=True)
            states = _Watched(Prefix.of(cache, [0]).states)
            model(
                input_ids=first,
                position_ids=torch.ones_like(first),
                past_key_values=DynamicCache(config=model.config),
                use_cache=True,
                beginning=states,
            )
    except Exception:  # an unknown architecture may raise anything
        return False
    return states.asked == set(range(len(states)))


class _Watched(UserList[States]):
    """States that remember which layers asked for theirs."""

    def __init__(self, states: Any) -> None:
        super().__init__(states)
        self.asked: set[int] = set()

    def __getitem__(self, layer: Any) -> Any:
        self.asked.add(layer)
        return super().__getitem__(layer)


class _UnsupportedError(Exception):
    """This model's attention cannot be split."""


def _attend(
    module: Any,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """What transformers calls in every layer.

    Args:
        module: the layer.
        query: (rows, heads, queries, head size).
        key: (rows, key-value heads, keys, head size), those of the beginning left out.
        value: the same.
        attention_mask: (rows or 1, 1, queries, keys), True or 0 where a key is seen; None where
            every query sees the keys up to its own, a single one all of them.
        kwargs: what else transformers gives; ``beginning`` holds keys and values of every layer,
            (1, key-value heads, tokens, head size) each.

    Returns:
        (rows, queries, heads, head size), and no weights.
    """
    beginning = kwargs.pop("beginning", None)
    if beginning is None:
        plain: tuple[torch.Tensor, None] = sdpa_attention_forward(
            module, query, key, value, attention_mask, **kwargs
        )
        return plain
    if any(kwargs.get(name) is not None for name in _UNSUPPORTED):
        raise _UnsupportedError
    scaling = kwargs["scaling"]
    own, own_sums = _to_own_row(query, key, value, attention_mask, scaling)
    keys, values = beginning[module.layer_idx]
    first, first_sums = _to_beginning(query, keys, values, scaling)
    share = torch.sigmoid(own_sums - first_sums)[..., None]
    joined = torch.lerp(first.float(), own.float(), share).to(query.dtype)
    return joined.transpose(1, 2), None


# Attended values, as the query, and logarithms of softmax sums, (rows, heads, queries) in fp32.
_Attended = tuple[torch.Tensor, torch.Tensor]


def _to_own_row(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    mask: torch.Tensor | None,
    scaling: float,
) -> _Attended:
    rows, heads, queries, size = query.shape
    groups = heads // key.shape[1]
    if mask is None and queries > 1:
        key, value = repeat_kv(key, groups), repeat_kv(value, groups)
        return _with_sums(query, key, value, scale=scaling, is_causal=True)
    if mask is not None:
        mask = additive(mask, query.dtype) if mask.dtype == torch.bool else mask
        mask = mask.repeat(1, 1, groups, 1)
    # Query heads that share keys stand in line.
    line = query.reshape(rows, heads // groups, groups * queries, size)
    out, sums = _with_sums(line, key, value, scale=scaling, attn_mask=mask)
    return out.reshape(query.shape), sums.reshape(query.shape[:-1])


def _to_beginning(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scaling: float
) -> _Attended:
    rows, heads, queries, size = query.shape
    shared = key.shape[1]
    # All rows stand in line before the one beginning.
    line = query.reshape(rows, shared, -1, size).transpose(0, 1).reshape(1, shared, -1, size)
    out, sums = _with_sums(line, key, value, scale=scaling)
    out = out.reshape(shared, rows, -1, size).transpose(0, 1)
    sums = sums.reshape(shared, rows, -1).transpose(0, 1)
    return out.reshape(query.shape), sums.reshape(rows, heads, queries)


def additive(seen: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """A mask as every attention kernel takes it: 0 where a key is seen, else the lowest number."""
    return torch.zeros_like(seen, dtype=dtype).masked_fill(~seen, torch.finfo(dtype).min)


def _with_sums(*states: torch.Tensor, **kwargs: Any) -> _Attended:
    out, sums = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(*states, **kwargs)
    return out, sums
