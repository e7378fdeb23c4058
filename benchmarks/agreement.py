"""Agreement beyond chance, and how much alike the items of a group come out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from benchmarks.results import Agreement, Clustering


def agreement(one: Sequence[str], other: Sequence[str]) -> Agreement:
    """Share of items with the same label, and Cohen's kappa.

    Args:
        one: a label an item.
        other: the same, at least one.

    Returns:
        Kappa is None where both give one and the same label to all items.

    Source: Cohen 1960, Educational and Psychological Measurement 20:37-46.
    """
    items = len(one)
    same = sum(a == b for a, b in zip(one, other, strict=True)) / items
    first, second = Counter(one), Counter(other)
    by_chance = sum(first[label] * second[label] for label in first) / items**2
    if by_chance == 1:
        return Agreement(same=same, kappa=None)
    return Agreement(same=same, kappa=(same - by_chance) / (1 - by_chance))


def clustering(values: Sequence[float], groups: Sequence[int]) -> Clustering | None:
    """Intraclass correlation of grouped values, and how many independent ones they are worth.

    The correlation is that of a one-way random effects model, by analysis of variance for groups
    of any size. The design effect is 1 + (m - 1) · ICC, where m is the size of the group that an
    item is in, on average; a negative correlation counts as 0 there.

    Args:
        values: one an item.
        groups: which group each item is in, 0, 1, 2 …

    Returns:
        None where there are fewer than two groups, no group has two items, or values do not vary.

    Source: Fisher 1925; Donner 1986, International Statistical Review 54:67-82 (groups of unequal
    size); Kish 1965, Survey Sampling, sections 5.4 and 8.2 (design effect).
    """
    scores, places = np.asarray(values, float), np.asarray(groups)
    sizes = np.bincount(places).astype(float)
    items, number = len(scores), len(sizes)
    if number < 2 or number == items or np.ptp(scores) == 0:
        return None
    means = np.bincount(places, scores) / sizes
    between = float((sizes * (means - scores.mean()) ** 2).sum()) / (number - 1)
    within = float(((scores - means[places]) ** 2).sum()) / (items - number)
    shared = float((sizes**2).sum()) / items
    usual = (items - shared) / (number - 1)
    correlation = (between - within) / (between + (usual - 1) * within)
    effect = 1 + (shared - 1) * max(0.0, correlation)
    return Clustering(correlation=correlation, design_effect=effect, effective_items=items / effect)
