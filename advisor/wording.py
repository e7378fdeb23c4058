"""Says in plain words what is wrong with a value that a type does not take."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError

_SHOWN = 60

# By pydantic's type of an error; in braces stands what pydantic says of it.
_WORDS = {
    "missing": "is missing",
    "extra_forbidden": "is not known here",
    "none_required": "must be left out",
    "string_type": "must be text",
    "string_unicode": "must be text without broken characters",
    "string_too_short": "must have at least {min_length} character(s)",
    "string_too_long": "must have at most {max_length} characters",
    "string_pattern_mismatch": "must match the pattern {pattern}",
    "bytes_type": "must be text",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_parsing_size": "must be a whole number with fewer digits",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "decimal_type": "must be a number",
    "decimal_parsing": "must be a number",
    "finite_number": "must be a finite number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "greater_than": "must be above {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be below {lt}",
    "less_than_equal": "must be at most {le}",
    "multiple_of": "must be a multiple of {multiple_of}",
    "literal_error": "must be {expected}",
    "enum": "must be {expected}",
    "list_type": "must be a list",
    "tuple_type": "must be a list",
    "set_type": "must be a list",
    "frozen_set_type": "must be a list",
    "iterable_type": "must be a list",
    "dict_type": "must be a mapping of names to values",
    "mapping_type": "must be a mapping of names to values",
    "model_type": "must be a mapping of names to values",
    "model_attributes_type": "must be a mapping of names to values",
    "dataclass_type": "must be a mapping of names to values",
    "invalid_key": "must have text as its names",
    "too_short": "must have at least {min_length} value(s)",
    "too_long": "must have at most {max_length} values",
    "missing_argument": "is missing",
    "unexpected_keyword_argument": "is not known here",
    "union_tag_invalid": "needs {discriminator} to be one of {expected_tags}",
    "union_tag_not_found": "needs {discriminator}",
    "json_invalid": "is not JSON: {error}",
    "json_type": "must be JSON",
    "date_type": "must be a date such as 2026-01-31",
    "date_parsing": "must be a date such as 2026-01-31",
    "date_from_datetime_parsing": "must be a date such as 2026-01-31",
    "date_from_datetime_inexact": "must be a date without a time of day",
    "datetime_type": "must be a date and time such as 2026-01-31T12:00:00",
    "datetime_parsing": "must be a date and time such as 2026-01-31T12:00:00",
    "datetime_from_date_parsing": "must be a date and time such as 2026-01-31T12:00:00",
    "timezone_aware": "must be a date and time with its time zone",
}
# Where the value says more than its type: a missing one has none, a mapping is too long to show.
_WITHOUT_VALUE = {"missing", "extra_forbidden", "value_error", "assertion_error", "json_invalid"}
# What pydantic calls the branches of a union is no place in a file.
_BRANCH = re.compile(r".*[\[(].*[\])].*|function-\w+|constrained-\w+|str|int|float|bool|none")


def in_words(part: Mapping[str, Any]) -> str:
    """What is wrong with one value, without its place: "must be at least 1, not 0".

    Args:
        part: an entry of `pydantic.ValidationError.errors`.
    """
    kind, context = str(part["type"]), part.get("ctx") or {}
    words = _WORDS.get(kind)
    if words is None:
        words = str(part["msg"]).removeprefix("Value error, ").removeprefix("Assertion failed, ")
        words = words.replace("Input should be", "must be").replace("Input should", "must")
    else:
        words = words.format_map({name: _listed(value) for name, value in context.items()})
    value = part.get("input")
    if kind in _WITHOUT_VALUE or isinstance(value, dict | list | tuple):
        return words
    return f"{words}, not {shown(value)}"


def place_of(part: Mapping[str, Any]) -> str:
    """Where the value stands: names and positions joined by dots; "" for the whole."""
    return ".".join(str(each) for each in part["loc"] if not _BRANCH.fullmatch(str(each)))


def problems(error: ValidationError, whole: str = "the file") -> list[str]:
    """Every problem with its place, each place once.

    A value that may be of several types is wrong once for each of them: those are joined by "or".
    A list whose items are wrong is also called too short; that is left out.

    Args:
        error: from pydantic.
        whole: what a problem of no place in particular is a problem of.
    """
    said: dict[str, list[str]] = {}
    for part in error.errors():
        words = said.setdefault(place_of(part), [])
        if in_words(part) not in words:
            words.append(in_words(part))
    inner = [
        place for place in said if place and not any(each.startswith(f"{place}.") for each in said)
    ]
    chosen: Iterable[str] = inner or said
    return [f"{place or whole}: {' or '.join(said[place])}" for place in chosen]


def shown(value: object) -> str:
    """A value as a message may quote it: on one line, and not too long."""
    constants = {"True": "true", "False": "false", "None": "empty"}
    text = constants.get(repr(value)) or without_controls(repr(value))
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def without_controls(text: str) -> str:
    """Text whose unprintable characters are written as escapes, ESC as x1b after a backslash."""
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape", "surrogatepass").decode()
        for each in text
    )


def _listed(value: object) -> str:
    return str(value).replace("'", '"') if isinstance(value, str) else str(value)
