"""Reads files of examples: JSON lines, a list of JSON objects, chats of either, and CSV.

Nothing is trusted: a line has a size limit, bytes must be text, and whatever is wrong is
noted with its line instead of stopping at the first.
"""

from __future__ import annotations

import csv
import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

from benchmarks.tasks.chats import chat_field, read_chat
from benchmarks.tasks.lines import LINE_LIMIT_BYTES, first_character, read_lines, read_whole
from benchmarks.tasks.problems import Problems, shown

TABLE_SUFFIXES = (".csv", ".tsv")
# What a split of a task folder may be, and what else examples are read from.
SUFFIXES = (".jsonl", *TABLE_SUFFIXES)
READ_SUFFIXES = (".jsonl", ".json", *TABLE_SUFFIXES)
SNIFFED_LINES = 20

_SPREADSHEETS = (".xlsx", ".xls", ".ods", ".numbers")
_DELIMITERS = (",", ";", "\t", "|")
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
# Excel names the delimiter in a line before the header.
_SEPARATOR_LINE = re.compile(r'"?sep=(.)"?[\r\n]*', re.IGNORECASE)


@dataclass(frozen=True)
class Record:
    """One example as it stands in a file.

    Attributes:
        line: where it begins, counted from 1; in a JSON list, the number of its entry.
        fields: field name to value, with the columns renamed to ``input`` and ``output``.
        system: the system message of a chat, "" when there is none.
    """

    line: int
    fields: dict[str, Any]
    system: str = ""


def read_records(
    path: Path, problems: Problems, columns: Mapping[str, str] | None = None
) -> list[Record]:
    """All records of a file that can be read; the rest is noted in `problems`.

    Args:
        path: a .jsonl, .json, .csv or .tsv file.
        problems: where to note what is wrong.
        columns: names that this file uses for ``input``, ``output`` or another field; a
            field of the file that is called like one of these gives way.
    """
    suffix, renamed = path.suffix.lower(), dict(columns or {})
    if suffix in TABLE_SUFFIXES:
        return list(_table_records(path, problems, renamed))
    if suffix in READ_SUFFIXES:
        return list(_json_records(path, problems, renamed))
    hint = "; export the sheet as CSV" if suffix in _SPREADSHEETS else ""
    allowed = ", ".join(READ_SUFFIXES)
    problems.add(path, f"cannot be read as labelled lines; allowed: {allowed}{hint}")
    return []


def field_names(path: Path) -> list[str]:
    """The columns of a table that have a name, or the fields of the first object of a JSON file.

    Returns:
        [] when none can be read; `read_records` says why.
    """
    unheard = Problems("", "")
    suffix = path.suffix.lower()
    if suffix in TABLE_SUFFIXES:
        with _field_limit(LINE_LIMIT_BYTES):
            names, unnamed = _header(_rows(path, unheard))
            return [name for name in names if name not in unnamed]
    first = next(_json_records(path, unheard, {}), None) if suffix in READ_SUFFIXES else None
    return list(first.fields) if first else []


def is_file(path: Path) -> bool:
    """Whether a path names a file; False for names that no file can have."""
    try:
        return path.is_file()
    except OSError:
        return False


def parse_json(text: str) -> Any:
    """The value of a JSON text.

    Raises:
        ValueError: it is no JSON; the message says why.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except json.JSONDecodeError as error:
        line = f"line {error.lineno} " if error.lineno > 1 else ""
        raise ValueError(f"{error.msg} at {line}column {error.colno}") from None


def unusable(value: Any) -> str | None:
    """What a value from JSON holds that no file can keep, as a message; None when it is fine."""
    if isinstance(value, float) and not math.isfinite(value):
        name = "NaN" if math.isnan(value) else "Infinity"
        return f"holds {name}, which is not a value"
    if isinstance(value, str) and (half := _LONE_SURROGATE.search(value)):
        return f"holds {half.group()!a}, half of a character that was cut (a lone surrogate)"
    parts: Iterable[Any] = ()
    if isinstance(value, dict):
        parts = (*value.keys(), *value.values())
    elif isinstance(value, list):
        parts = value
    return next((found for part in parts if (found := unusable(part))), None)


def _json_records(path: Path, problems: Problems, columns: dict[str, str]) -> Iterator[Record]:
    found = _json_entries(path, problems) if _is_one_value(path) else _json_lines(path, problems)
    for number, value in found:
        if not isinstance(value, dict):
            problems.add(path, "is not a JSON object; expected {...}", number)
        elif field := chat_field(value):
            yield from _chat_record(path, problems, Record(number, value), field, columns)
        else:
            yield Record(number, _renamed(value, columns))


def _json_lines(path: Path, problems: Problems) -> Iterator[tuple[int, Any]]:
    for number, line in read_lines(path, problems):
        if not line.strip():
            continue
        try:
            yield number, parse_json(line)
        except ValueError as error:
            problems.add(path, f"is not JSON: {error}", number)


def _is_one_value(path: Path) -> bool:
    """Whether a file is one JSON value, such as a list of objects, instead of a value a line."""
    if path.suffix.lower() != ".json" and first_character(path) != "[":
        return False
    lines = (line for _, line in read_lines(path, Problems("", "")) if line.strip())
    first, second = next(lines, ""), next(lines, "")
    try:
        parse_json(first)
    except ValueError:
        return True
    return not second


def _json_entries(path: Path, problems: Problems) -> Iterator[tuple[int, Any]]:
    text = read_whole(path, problems)
    if problems.about(path):
        return
    try:
        value = parse_json(text)
    except ValueError as error:
        problems.add(path, f"is not JSON: {error}")
        return
    if isinstance(value, dict):
        value = _only_list(path, problems, value)
    if isinstance(value, list):
        problems.count_entries(path)
        yield from enumerate(value, 1)
    else:
        problems.add(path, "holds no list of objects; expected [{...}, ...], or one {...} a line")


def _only_list(path: Path, problems: Problems, value: dict[str, Any]) -> Any:
    """The list of objects in an object that holds just one, such as {"data": [...]}."""
    lists = {
        name: found
        for name, found in value.items()
        if isinstance(found, list) and found and all(isinstance(entry, dict) for entry in found)
    }
    if len(lists) != 1 or chat_field(value):
        return [value] if chat_field(value) else None
    ((name, found),) = lists.items()
    problems.note(path, f"only the list in its field {shown(name)} was read")
    return found


def _chat_record(
    path: Path, problems: Problems, raw: Record, field: str, columns: dict[str, str]
) -> Iterator[Record]:
    try:
        chat = read_chat(raw.fields, field)
    except ValueError as error:
        problems.add(path, str(error), raw.line)
        return
    for note in chat.notes:
        problems.note(path, note, raw.line)
    if chat.fields is None:
        return
    read = {field, "system"} if field == "conversations" else {field}
    rest = _renamed({key: raw.fields[key] for key in raw.fields if key not in read}, columns)
    yield Record(raw.line, rest | chat.fields, chat.system)


class _Lines:
    """Text lines for the csv module, which reads several for a row with quoted line breaks."""

    def __init__(self, lines: Iterator[tuple[int, str]]) -> None:
        self._lines = lines
        self.row_line: int | None = None

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        number, line = next(self._lines)
        if self.row_line is None:
            self.row_line = number
        return line


def _table_records(path: Path, problems: Problems, columns: dict[str, str]) -> Iterator[Record]:
    with _field_limit(LINE_LIMIT_BYTES):
        rows = _rows(path, problems)
        names, unnamed = _header(rows)
        if not names and problems.about(path):
            return
        if _header_is_wrong(path, names, columns, problems):
            return
        width = max(place for place, name in enumerate(names, 1) if name not in unnamed)
        for line, row in rows:
            cells = [*row, *[""] * (len(names) - len(row))]
            if not any(map(str.strip, row)):
                problems.note(path, "the row is blank and was left out", line)
            elif len(row) < width or any(map(str.strip, cells[len(names) :])):
                problems.add(path, f"has {len(row)} columns, the header has {width}", line)
            else:
                fields = {
                    name: cell
                    for name, cell in zip(names, cells, strict=False)
                    if name not in unnamed or cell.strip()
                }
                yield Record(line, _renamed(fields, columns))


def _header(rows: Iterator[tuple[int, list[str]]]) -> tuple[list[str], frozenset[str]]:
    """The names of the columns, and those among them that we gave to columns without a name."""
    first = next((row for _, row in rows if any(map(str.strip, row))), [])
    names = [name.strip() or f"column {place}" for place, name in enumerate(first, 1)]
    unnamed = (name for name, given in zip(names, first, strict=True) if not given.strip())
    return names, frozenset(unnamed)


def _rows(path: Path, problems: Problems) -> Iterator[tuple[int, list[str]]]:
    numbered = read_lines(path, problems)
    head = list(islice(numbered, SNIFFED_LINES))
    said = _SEPARATOR_LINE.fullmatch(head[0][1]) if head else None
    if said:
        head = head[1:]
    delimiter = said[1] if said else _delimiter(path, [line for _, line in head])
    lines = _Lines(chain(head, numbered))
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        try:
            row = next(reader, None)
        except csv.Error as error:
            problems.add(path, f"is not CSV: {error}", lines.row_line)
            return
        if row is None:
            return
        if row:
            yield lines.row_line or 1, row
        lines.row_line = None


def _delimiter(path: Path, head: list[str]) -> str:
    """The delimiter with which most rows have as many columns as the header, then most columns."""
    if path.suffix.lower() == ".tsv":
        return "\t"

    def fit(delimiter: str) -> tuple[int, int]:
        widths: list[int] = []
        reader = csv.reader(head, delimiter=delimiter, strict=True)
        # A row that goes on behind the last line here cannot be read to its end.
        with suppress(csv.Error):
            widths += (len(row) for row in reader if any(map(str.strip, row)))
        header = widths[0] if widths else 0
        return (widths.count(header) if header > 1 else 0), header

    return max(_DELIMITERS, key=fit)


def _header_is_wrong(
    path: Path, names: list[str], columns: dict[str, str], problems: Problems
) -> bool:
    wanted = {"input": "input", "output": "output", **columns}.values()
    missing = ", ".join(shown(name) for name in wanted if name not in names)
    if missing:
        # A name with a comma is quoted, or it would read as two.
        found = ", ".join(shown(name) if "," in name else name for name in names) or "none"
        problems.add(path, f"has no column {missing}; found: {found}", 1)
    twice = [name for name, uses in Counter(names).items() if uses > 1]
    if twice:
        listed = ", ".join(map(shown, twice))
        problems.add(path, f"a column name is used twice: {listed}; rename one of the columns", 1)
    return bool(missing or twice)


@contextmanager
def _field_limit(characters: int) -> Iterator[None]:
    # The csv module keeps this limit for the whole process.
    before = csv.field_size_limit(characters)
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _renamed(fields: dict[str, Any], columns: dict[str, str]) -> dict[str, Any]:
    named = {ours: fields[theirs] for ours, theirs in columns.items() if theirs in fields}
    rest = {name: value for name, value in fields.items() if name not in columns.values()}
    return rest | named
