"""Finds the records in a JSON value: a list of objects, or a table in one of its usual forms.

pandas writes a table by column, by row, or as names beside rows; Hugging Face's ``to_dict`` writes
a list for each column; other tools put the list of records into one field of an object.
"""

from __future__ import annotations

from typing import Any

from benchmarks.tasks.problems import shown

EXPECTED = "expected [{...}, ...], or one {...} a line"


def records_of(value: Any) -> tuple[list[Any], str | None]:
    """The records in a JSON value, and a note where the rest of it was not read.

    Raises:
        ValueError: it holds none; the message says why and what to do.
    """
    if isinstance(value, list):
        return value, None
    if not isinstance(value, dict) or not value:
        raise ValueError(f"holds no list of objects; {EXPECTED}")
    if table := _named_rows(value) or _columns(value) or _rows(value):
        return table, None
    lists = [name for name, found in value.items() if _are_objects(found)]
    if len(lists) > 1:
        listed = ", ".join(map(shown, lists))
        raise ValueError(f"holds several lists ({listed}); save the one you mean as its own file")
    if not lists:
        raise ValueError(f"holds no list of objects; {EXPECTED}")
    return value[lists[0]], f"only the list in its field {shown(lists[0])} was read"


def leaves(value: Any, path: str = "") -> list[str]:
    """The paths of all values in an object, such as ``data.text`` and ``labels.0``."""
    pairs: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        pairs = list(value.items())
    elif isinstance(value, list):
        # The first entry stands for the others.
        pairs = list(enumerate(value[:1]))
    if not pairs:
        return [path] if path else []
    return [
        leaf
        for name, inner in pairs
        for leaf in leaves(inner, f"{path}.{name}" if path else str(name))
    ]


def value_at(fields: Any, path: str) -> Any:
    """What an object holds at a path, such as ``data.text``; None where there is no such place."""
    for name in path.split("."):
        if isinstance(fields, dict):
            fields = fields.get(name)
        elif isinstance(fields, list) and name.isdecimal() and int(name) < len(fields):
            fields = fields[int(name)]
        else:
            return None
    return fields


def _are_objects(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(v, dict) for v in value)


def _named_rows(value: dict[str, Any]) -> list[Any] | None:
    """The form orient="split": the names of the columns, and rows of as many values."""
    names, rows = value.get("columns"), value.get("data")
    if not isinstance(names, list) or not isinstance(rows, list):
        return None
    if not all(isinstance(row, list) and len(row) == len(names) for row in rows):
        return None
    return [dict(zip(map(str, names), row, strict=True)) for row in rows]


def _columns(value: dict[str, Any]) -> list[Any] | None:
    """A list a column, or pandas' usual form: an object a column, with the rows by number."""
    columns = list(value.values())
    if all(isinstance(column, list) for column in columns):
        is_table = len(columns) > 1 and len({len(column) for column in columns}) == 1
        if not is_table or all(map(_are_objects, columns)):
            return None
        return [dict(zip(value, row, strict=True)) for row in zip(*columns, strict=True)]
    if not _alike(columns) or not _numbered(columns[0]) or _numbered(value):
        return None
    return [{name: column[row] for name, column in value.items()} for row in columns[0]]


def _rows(value: dict[str, Any]) -> list[Any] | None:
    """The form orient="index": an object a row, by the row's number or name."""
    rows = list(value.values())
    return rows if len(rows) > 1 and _alike(rows) else None


def _alike(objects: list[Any]) -> bool:
    """Whether these are objects that have the same fields."""
    if not all(isinstance(found, dict) and found for found in objects):
        return False
    return all(found.keys() == objects[0].keys() for found in objects)


def _numbered(value: dict[str, Any]) -> bool:
    return all(name.isdecimal() for name in value)
