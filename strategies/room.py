"""A key-value cache with room for tokens to come: a new one is written, nothing is copied."""

from __future__ import annotations

from typing import Any

import torch
from transformers.cache_utils import Cache, DynamicLayer


class RoomyLayer(DynamicLayer):
    """A layer whose keys and values, (rows, heads, tokens, head size) each, grow in place.

    transformers' own layer copies all of them for every token.
    """

    def __init__(self, layer: DynamicLayer, more: int) -> None:
        """Take over what a layer holds, with room for so many tokens more."""
        super().__init__()
        self.dtype, self.device = layer.dtype, layer.device
        self.is_initialized = True
        self._length = layer.get_seq_length()
        self._rooms = [_with_room(states, more) for states in (layer.keys, layer.values)]
        self._show()

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Write the states of new tokens; all states, as views."""
        start, self._length = self._length, self._length + key_states.shape[-2]
        for room, states in zip(self._rooms, (key_states, value_states), strict=True):
            room[:, :, start : self._length] = states
        self._show()
        return self.keys, self.values

    def reorder_cache(self, beam_idx: torch.Tensor) -> None:
        """Keep some rows; a row may move towards the beginning, never towards the end."""
        rows = beam_idx.tolist()
        for place, row in enumerate(rows):
            if place != row:
                for room in self._rooms:
                    room[place] = room[row]
        self._rooms = [room[: len(rows)] for room in self._rooms]
        self._show()

    def _show(self) -> None:
        self.keys, self.values = (room[:, :, : self._length] for room in self._rooms)


def make_room(cache: Cache, more: int) -> None:
    """Give every layer of a cache room for so many tokens more; layers that see a window stay."""
    cache.layers = [
        RoomyLayer(layer, more) if type(layer) is DynamicLayer else layer for layer in cache.layers
    ]


def _with_room(states: torch.Tensor, more: int) -> torch.Tensor:
    rows, heads, tokens, size = states.shape
    room = states.new_empty((rows, heads, tokens + more, size))
    room[:, :, :tokens] = states
    return room
