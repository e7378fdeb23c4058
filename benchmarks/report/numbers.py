"""How figures are written; an undefined figure is a dash, never a zero."""

from __future__ import annotations

from benchmarks.results import Interval

UNDEFINED = "–"


def score(value: float | None, interval: Interval | None = None) -> str:
    """A score, with its interval when there is one: ``0.480 (0.401 to 0.560)``."""
    if value is None:
        return UNDEFINED
    if interval is None:
        return f"{value:.3f}"
    return f"{value:.3f} ({interval.low:.3f} to {interval.high:.3f})"


def points(value: float | None) -> str:
    """A difference in points, signed: ``+3.2``."""
    return UNDEFINED if value is None else _signed(100 * value)


def points_between(value: float, interval: Interval) -> str:
    """A difference in points with its interval: ``+3.2 (-1.0 to +7.4)``."""
    return f"{points(value)} ({points(interval.low)} to {points(interval.high)})"


def unsigned_points(value: float | None) -> str:
    """A size in points: ``11.3``."""
    return UNDEFINED if value is None else f"{100 * value:.1f}"


def regret(estimate: float, at_most: float, unit: str = "") -> str:
    """A regret in points with its upper bound: ``0.4, at most 6.2``."""
    return f"{100 * estimate:.1f}{unit}, at most {100 * at_most:.1f}{unit}"


def signed_share(value: float) -> str:
    """A difference of shares in per cent, signed: ``-3.2 %``."""
    return f"{points(value)} %"


def p_value(value: float) -> str:
    """A p-value: ``0.034``, ``< 0.001``."""
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def share(value: float | None) -> str:
    """A share in per cent."""
    return UNDEFINED if value is None else f"{100 * value:.1f} %"


def seconds(value: float | None) -> str:
    """Seconds with three significant digits."""
    return significant(value)


def significant(value: float | None) -> str:
    """A figure with three significant digits, whole from 100 on."""
    if value is None:
        return UNDEFINED
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def count(value: int | None) -> str:
    """A whole number with thousands separated."""
    return UNDEFINED if value is None else f"{value:,}"


def counted(value: int, one: str, many: str) -> str:
    """A count and what is counted: ``1 item``, ``1,200 items``."""
    return f"{count(value)} {one if value == 1 else many}"


def mebibytes(value: int | None) -> str:
    """Bytes as MiB."""
    return significant(None if value is None else value / 2**20)


def gibibytes(value: int) -> str:
    """Bytes as GiB."""
    return f"{value / 2**30:.1f} GiB"


def _signed(value: float) -> str:
    text = f"{value:+.1f}"
    return "0.0" if text in ("+0.0", "-0.0") else text
