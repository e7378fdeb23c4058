"""Reads the YAML catalogues of this package, and a user's own in their form."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from advisor.errors import EstimateError


class Entry(BaseModel):
    """A line of a catalogue: nothing in it may be misspelt, nothing changes it afterwards."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def own_text(name: str) -> str:
    """Text of a YAML file of this package."""
    return (files("advisor.estimates") / name).read_text(encoding="utf-8")


def user_text(path: Path) -> str:
    """Text of a user's file.

    Raises:
        EstimateError: it is not there or cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise EstimateError(f"{path} cannot be read as text: {error}. Name another file.") from None


def mapping(text: str, name: str) -> dict[str, Any]:
    """The mapping that YAML (or JSON) text holds.

    Raises:
        EstimateError: it is no YAML, or no mapping.
    """
    try:
        values = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.YAMLError as error:
        raise EstimateError(f"{name} is no YAML: {error}") from None
    if not isinstance(values, dict):
        raise EstimateError(f"{name} must be a mapping of names to values.")
    return values


def problems(error: ValidationError) -> str:
    """Every problem of an entry, with its place."""
    found = (
        ".".join(str(part) for part in e["loc"]) + ": " + e["msg"].removeprefix("Value error, ")
        for e in error.errors()
    )
    return "; ".join(found)
