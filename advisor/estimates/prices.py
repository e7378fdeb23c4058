"""Dated prices, and a user's own in their place."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError

from advisor.errors import EstimateError
from advisor.estimates.catalogues import Entry, mapping, own_text, user_data_text
from advisor.wording import plain_problems

Kind = Literal[
    "gpu_hour",
    "storage_gb_month",
    "index_gb_month",
    "embedding_million_tokens",
    "hosted_million_tokens",
]


class Price(Entry):
    """What one unit costs.

    Attributes:
        usd: US dollars a unit; of a hosted model, for a million tokens of input.
        output_usd: of a hosted model, for a million tokens of output.
        date: day on which the source was read or written.
    """

    usd: float = Field(ge=0)
    output_usd: float | None = Field(default=None, ge=0)
    date: datetime.date
    source: str


class Prices(Entry):
    """Prices of a kind by name."""

    gpu_hour: dict[str, Price] = Field(default_factory=dict)
    storage_gb_month: dict[str, Price] = Field(default_factory=dict)
    index_gb_month: dict[str, Price] = Field(default_factory=dict)
    embedding_million_tokens: dict[str, Price] = Field(default_factory=dict)
    hosted_million_tokens: dict[str, Price] = Field(default_factory=dict)

    def price(self, kind: Kind, name: str | None = None) -> Price:
        """The price of something; the first of its kind, if no name is given.

        Raises:
            EstimateError: there is none; says how to give one.
        """
        known: dict[str, Price] = getattr(self, kind)
        if name is None and known:
            return next(iter(known.values()))
        for candidate, price in known.items():
            if name is not None and candidate.lower() == name.lower():
                return price
        raise EstimateError(
            f"There is no {kind} price for {name or 'anything'}. Known: "
            f"{', '.join(known) or 'none'}. Give it in a file with --prices: "
            f"{kind}: {{{name or 'name'}: {{usd: 1.0, date: 2026-01-31, source: your quote}}}}"
        )


def load_prices(path: Path | None = None) -> Prices:
    """The built-in prices, replaced one by one by those of a user's file.

    Raises:
        EstimateError: lists every problem of the file.
    """
    values = mapping(own_text("prices.yaml"), "prices.yaml")
    if path is None:
        return _prices(values, "prices.yaml")
    own = _prices(mapping(user_data_text(path), str(path)), str(path))
    for kind, entries in own.model_dump(exclude_unset=True).items():
        # A user's price comes first, and so is the one taken where none is named.
        values[kind] = {**entries, **_without(values.get(kind, {}), entries)}
    return _prices(values, str(path))


def _without(known: dict[str, Any], replaced: dict[str, Any]) -> dict[str, Any]:
    lower = {name.lower() for name in replaced}
    return {name: price for name, price in known.items() if name.lower() not in lower}


def _prices(values: dict[str, Any], name: str) -> Prices:
    try:
        return Prices(**values)
    except (ValidationError, TypeError) as error:
        told = str(error)
        if isinstance(error, ValidationError):
            told = "; ".join(plain_problems(error, Prices))
        raise EstimateError(f"{name}: {told}") from None
