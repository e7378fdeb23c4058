"""What a comparison can show, before it is run."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.statistics import detectable_difference, items_needed
from strategies.data import Frozen


class PowerRow(Frozen):
    """What can be seen at one discordance.

    Attributes:
        discordance: share of items on which two methods differ.
        detectable: smallest difference that is found with 80 % power, as a share; None when
            even the largest there can be would be missed.
        detectable_corrected: the same when all pairs are tested.
        needed: items that find the wanted difference; None where none is wanted, or where it
            is larger than the discordance.
        needed_corrected: the same when all pairs are tested.
    """

    discordance: float
    detectable: float | None
    detectable_corrected: float | None
    needed: int | None = None
    needed_corrected: int | None = None


class Power(Frozen):
    """What an eval set can tell apart.

    Attributes:
        items: of the eval set.
        pairs: how many differences are tested.
        difference: the one that is wanted, as a share, if any.
        rows: one a discordance.
    """

    items: int
    pairs: int
    difference: float | None
    rows: tuple[PowerRow, ...]


def power_of(
    items: int, pairs: int, discordances: Sequence[float], difference: float | None = None
) -> Power:
    """The power of McNemar's test at 5 %, of one pair and after correction for all pairs."""
    return Power(
        items=items,
        pairs=pairs,
        difference=difference,
        rows=tuple(_row(items, pairs, share, difference) for share in discordances),
    )


def _row(items: int, pairs: int, share: float, difference: float | None) -> PowerRow:
    return PowerRow(
        discordance=share,
        detectable=detectable_difference(items, share),
        detectable_corrected=detectable_difference(items, share, pairs),
        needed=difference and items_needed(difference, share),
        needed_corrected=difference and items_needed(difference, share, pairs),
    )
