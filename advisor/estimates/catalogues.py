"""Reads the YAML catalogues of this package, and a user's own in their form."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from advisor.errors import EstimateError
from advisor.limited_files import FILE_LIMIT_BYTES, FileError, read_text, yaml_data

# Texts whose tokens are counted; they are held in memory.
_TEXT_LIMIT_BYTES = 300_000_000


class Entry(BaseModel):
    """A line of a catalogue: nothing in it may be misspelt, nothing changes it afterwards."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def own_text(name: str) -> str:
    """Text of a YAML file of this package."""
    return (files("advisor.estimates") / name).read_text(encoding="utf-8")


def user_text(path: Path, limit_bytes: int = _TEXT_LIMIT_BYTES) -> str:
    """Text of a user's file.

    Raises:
        EstimateError: it is not there, is too large or cannot be read.
    """
    try:
        return read_text(path, limit_bytes)
    except (OSError, ValueError) as error:
        raise EstimateError(f"{path} cannot be read as text: {error}. Name another file.") from None


def user_data_text(path: Path) -> str:
    """Text of a user's YAML or JSON file.

    Raises:
        EstimateError: it is not there, is too large or cannot be read.
    """
    return user_text(path, FILE_LIMIT_BYTES)


def mapping(text: str, name: str) -> dict[str, Any]:
    """The mapping that YAML (or JSON) text holds.

    Raises:
        EstimateError: it is no YAML, or no mapping.
    """
    try:
        values = yaml_data(text)
    except FileError as error:
        raise EstimateError(f"{name} is no YAML: {error}") from None
    if not isinstance(values, dict):
        raise EstimateError(f"{name} must be a mapping of names to values.")
    return values
