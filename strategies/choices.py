"""Closed sets of choices as a tree of tokens: what they share is read once, leaves never."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class ChoiceTree:
    """The continuations of one context.

    A node is a token behind which another one follows; the last token of a continuation is
    scored and never read. Parents stand before their children.

    Attributes:
        tokens: token of every node.
        parents: parent of every node; -1 is the context.
        depths: 0 for a node that follows the context.
        steps: for every continuation, its tokens, each with the row that predicts it: 0 is the
            end of the context, n + 1 is node n.
    """

    tokens: tuple[int, ...]
    parents: tuple[int, ...]
    depths: tuple[int, ...]
    steps: tuple[tuple[tuple[int, int], ...], ...]

    @cached_property
    def ancestry(self) -> torch.Tensor:
        """Which nodes each node attends to, itself among them: bool of shape (nodes, nodes)."""
        import torch

        seen = torch.eye(len(self.tokens), dtype=torch.bool)
        for node, parent in enumerate(self.parents):
            if parent >= 0:
                seen[node] |= seen[parent]
        return seen


def begins_another(continuations: Sequence[Sequence[int]]) -> bool:
    """Whether some continuation is the beginning of a longer one; an empty one always counts."""
    distinct = sorted({tuple(each) for each in continuations})
    # In lexicographic order a sequence stands right before those that it begins.
    pairs = pairwise(distinct)
    return () in distinct or any(after[: len(each)] == each for each, after in pairs)


def choice_tree(continuations: Sequence[Sequence[int]]) -> ChoiceTree:
    """The tree of some continuations, at least one token each."""
    nodes: dict[tuple[int, ...], int] = {}
    tokens: list[int] = []
    parents: list[int] = []
    depths: list[int] = []
    steps = []
    for continuation in continuations:
        row = 0
        path: list[tuple[int, int]] = []
        for place, token in enumerate(continuation):
            path.append((row, token))
            if place + 1 == len(continuation):
                break
            key = tuple(continuation[: place + 1])
            if key not in nodes:
                nodes[key] = len(tokens)
                tokens.append(token)
                parents.append(row - 1)
                depths.append(place)
            row = nodes[key] + 1
        steps.append(tuple(path))
    return ChoiceTree(tuple(tokens), tuple(parents), tuple(depths), tuple(steps))
