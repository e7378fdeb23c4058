"""A beginning that several prompts share: read once, its keys and values lent to every row."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

# Keys and values of a layer.
States = tuple["torch.Tensor", "torch.Tensor"]
# A shorter beginning is not worth a forward pass of its own.
LEAST_SHARED = 8


@dataclass(frozen=True)
class Prefix:
    """A beginning that prompts share, read once.

    Attributes:
        tokens: the beginning.
        states: keys and values of every layer, (1, heads, tokens, head size) each.
    """

    tokens: tuple[int, ...] = ()
    states: tuple[States, ...] = ()

    @classmethod
    def of(cls, cache: Any, tokens: Sequence[int]) -> Prefix:
        """What a cache holds after these tokens were read in one row."""
        return cls(tuple(tokens), tuple((layer.keys, layer.values) for layer in cache.layers))

    def cut(self, length: int) -> Prefix:
        """Its first tokens."""
        states = ((keys[:, :, :length], values[:, :, :length]) for keys, values in self.states)
        return Prefix(self.tokens[:length], tuple(states))

    def cache(self, rows: int, config: Any) -> Any:
        """A key-value cache that holds the beginning of every row."""
        from transformers import DynamicCache

        if not self.tokens:
            return DynamicCache(config=config)
        states = [
            (keys.expand(rows, -1, -1, -1), values.expand(rows, -1, -1, -1))
            for keys, values in self.states
        ]
        return DynamicCache(states, config=config)


def attends_fully(model: Any) -> bool:
    """Whether every token of a model sees all that is before it, at positions that are given.

    Not so where a layer sees a window or keeps a recurrent state, nor where positions are counted
    from the order of keys (ALiBi): there nothing may stand between a beginning and the rest.
    """
    from transformers import DynamicCache
    from transformers.cache_utils import DynamicLayer

    base = model.get_base_model() if hasattr(model, "get_base_model") else model
    config = base.config
    taken = inspect.signature(base.forward).parameters
    if not {"position_ids", "past_key_values", "logits_to_keep"} <= set(taken):
        return False
    # GPT-Neo's windows do not show in its cache.
    if getattr(config, "alibi", False) or config.model_type == "gpt_neo":
        return False
    layers = DynamicCache(config=config).layers
    return bool(layers) and all(type(layer) is DynamicLayer for layer in layers)


def common_beginning(first: Sequence[int], second: Sequence[int]) -> int:
    """Tokens that two sequences begin with alike."""
    pairs = enumerate(zip(first, second, strict=False))
    unlike = (place for place, (one, other) in pairs if one != other)
    return next(unlike, min(len(first), len(second)))
