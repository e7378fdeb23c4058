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


def said_points(value: float) -> str:
    """A size in points for a sentence: ``13 points``, ``5.5 points``, ``1 point``."""
    size = 100 * value
    text = f"{size:.0f}" if abs(size) >= 9.95 else _trimmed(size)
    return f"{text} point" if text == "1" else f"{text} points"


def duration(seconds: float | None) -> str:
    """A time as people say it: ``12 ms``, ``2.3 s``, ``2 min 35 s``, ``3 h 5 min``."""
    if seconds is None:
        return UNDEFINED
    if seconds < 0.9995:
        return _below_a_second(1000 * seconds)
    whole = round(seconds)
    if whole < 60:
        return f"{_two_digits(seconds)} s"
    if whole < 3600:
        return _two(whole, 60, "min", "s")
    minutes = round(seconds / 60)
    if minutes < 24 * 60:
        return _two(minutes, 60, "h", "min")
    return _two(round(seconds / 3600), 24, "d", "h")


def _below_a_second(thousandths: float) -> str:
    if 0 < thousandths < 0.05:
        return "< 0.1 ms"
    return f"{_two_digits(thousandths)} ms" if thousandths else "0 s"


def _two(value: int, many: int, unit: str, smaller: str) -> str:
    large, rest = divmod(value, many)
    return f"{large} {unit} {rest} {smaller}" if rest else f"{large} {unit}"


def _trimmed(value: float) -> str:
    """One decimal, unless it is 0."""
    return f"{value:.1f}".removesuffix(".0")


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


def parameters(value: int | None) -> str:
    """A number of parameters: ``460,800``, ``135 million``, ``7.2 billion``."""
    if value is None or value < 10**6:
        return count(value)
    if value < 999.5 * 10**6:
        return f"{_two_digits(value / 10**6)} million"
    return f"{_two_digits(value / 10**9)} billion"


def size(value: float | None) -> str:
    """Bytes in decimal units: ``8.1 GB``, ``512 MB``; 1 GB is 10^9 bytes."""
    if value is None:
        return UNDEFINED
    for unit in ("B", "kB", "MB", "GB"):
        if value < 999.5:
            return f"{_two_digits(value)} {unit}"
        value /= 1000
    return f"{_two_digits(value)} TB"


def _two_digits(value: float) -> str:
    return _trimmed(value) if value < 9.95 else f"{value:,.0f}"


def _signed(value: float) -> str:
    text = f"{value:+.1f}"
    return "0.0" if text in ("+0.0", "-0.0") else text
