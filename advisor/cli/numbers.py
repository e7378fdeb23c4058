"""Options that are numbers: a value that cannot be is named with the range that is allowed."""

from __future__ import annotations

import math
from typing import Any

import typer

# As many as nobody has: beyond it a value is a slip, and arithmetic with it takes for ever.
MANY = 10**9


def whole(least: int, most: int, *names: str, **option: Any) -> Any:
    """An option that takes a whole number from `least` to `most`; more goes to `typer.Option`."""

    def parse(value: str | int) -> int:
        try:
            number = int(value)
        except ValueError:
            number = least - 1
        if not least <= number <= most:
            raise typer.BadParameter(f"{value}: give a whole number from {least:,} to {most:,}")
        return number

    return typer.Option(*names, parser=parse, metavar="<int>", **option)


def real(least: float, most: float, *names: str, above: bool = False, **option: Any) -> Any:
    """An option that takes a number from `least`, or above it, to `most`."""

    def parse(value: str | float) -> float:
        number = _float(value)
        if not (least < number if above else least <= number) or number > most:
            start = f"above {least:,.15g} and up to" if above else f"from {least:,.15g} to"
            raise typer.BadParameter(f"{value}: give a number {start} {most:,.15g}")
        return number

    return typer.Option(*names, parser=parse, metavar="<float>", **option)


def _float(value: str | float) -> float:
    try:
        return float(value)
    except ValueError:
        return math.nan
