"""Reads files of examples: JSON lines, one JSON value, chats of either, CSV and Parquet.

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

from benchmarks.tasks.chats import RawChat, find_chat, read_chat
from benchmarks.tasks.lines import (
    LINE_LIMIT_BYTES,
    first_character,
    read_lines,
    read_whole,
    suffix_of,
)
from benchmarks.tasks.parquet import PARQUET, parquet_rows
from benchmarks.tasks.problems import Problems, shown
from benchmarks.tasks.shapes import records_of, value_at

TABLE_SUFFIXES = (".csv", ".tsv")
# What a split of a task folder may be, and what else examples are read from.
SUFFIXES = (".jsonl", *TABLE_SUFFIXES)
READ_SUFFIXES = (".jsonl", ".json", *TABLE_SUFFIXES, PARQUET)
SNIFFED_LINES = 20

_SPREADSHEETS = (".xlsx", ".xls", ".ods", ".numbers")
_DELIMITERS = (",", ";", "\t", "|")
# Parts of what the csv module says, in plain words.
_CSV_ERRORS = {
    "expected after": 'a quotation mark inside a quoted cell has to be doubled ("")',
    "unexpected end of data": "a quoted cell that begins here does not end",
    "field larger than": f"a cell is longer than {LINE_LIMIT_BYTES:,} characters; is a quotation "
    "mark missing?",
}
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
        path: a .jsonl, .json, .csv, .tsv or .parquet file; .gz may follow all but the last.
        problems: where to note what is wrong.
        columns: names that this file uses for ``input``, ``output`` or another field; a
            field of the file that is called like one of these gives way. A name such as
            ``data.text`` reaches into objects and lists.
    """
    suffix, renamed = suffix_of(path), dict(columns or {})
    if is_table(path):
        return list(_table_records(path, problems, renamed))
    if suffix in READ_SUFFIXES:
        return list(_object_records(path, problems, renamed))
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
    if is_table(path):
        with _field_limit(LINE_LIMIT_BYTES):
            names, unnamed = _header(_rows(path, unheard))
            return [name for name in names if name not in unnamed]
    if suffix_of(path) not in READ_SUFFIXES:
        return []
    first = next(_object_records(path, unheard, {}), None)
    return list(first.fields) if first else []


def is_table(path: Path) -> bool:
    """Whether a file holds delimited text, whose header names the columns."""
    return suffix_of(path) in TABLE_SUFFIXES


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
    if isinstance(value, bytes):
        return "holds bytes, which are no text"
    if isinstance(value, str) and "\0" in value:
        return "holds a NUL character (0x00)"
    if isinstance(value, str) and (half := _LONE_SURROGATE.search(value)):
        return f"holds {half.group()!a}, half of a character that was cut (a lone surrogate)"
    parts: Iterable[Any] = ()
    if isinstance(value, dict):
        parts = (*value.keys(), *value.values())
    elif isinstance(value, list):
        parts = value
    return next((found for part in parts if (found := unusable(part))), None)


def _object_records(path: Path, problems: Problems, columns: dict[str, str]) -> Iterator[Record]:
    for number, value in _values(path, problems):
        if not isinstance(value, dict):
            problems.add(path, "is not a JSON object; expected {...}", number)
        elif chat := find_chat(value):
            yield from _chat_record(path, problems, Record(number, value), chat, columns)
        else:
            yield Record(number, _renamed(value, columns))


def _values(path: Path, problems: Problems) -> Iterator[tuple[int, Any]]:
    """Every value of a JSON or Parquet file, with its number."""
    if suffix_of(path) == PARQUET:
        return parquet_rows(path, problems)
    if _is_spread_out(path):
        return _spread_values(path, problems)
    return _json_entries(path, problems) if _is_one_value(path) else _json_lines(path, problems)


def _is_spread_out(path: Path) -> bool:
    """Whether a file holds several objects, each over several lines, as jq writes them."""
    if first_character(path) != "{":
        return False
    lines = (line for _, line in read_lines(path, Problems("", "")) if line.strip())
    return next(lines, "").strip() == "{" and any(line.startswith("{") for line in lines)


def _spread_values(path: Path, problems: Problems) -> Iterator[tuple[int, Any]]:
    """The objects of a file in which each begins with a line that is not indented."""
    begun, text = 1, ""
    for number, line in chain(read_lines(path, problems), [(0, "{")]):
        if line.startswith("{") and text.strip():
            try:
                yield begun, parse_json(text)
            except ValueError as error:
                problems.add(path, f"begins an object that is not JSON: {error} of it", begun)
            text = ""
        begun = begun if text else number
        text += line if line.strip() else "\n" * bool(text)


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
    if suffix_of(path) != ".json" and first_character(path) not in ("[", "{"):
        return False
    lines = (line for _, line in read_lines(path, Problems("", "")) if line.strip())
    first, second = next(lines, ""), next(lines, "")
    if suffix_of(path) != ".json" and first.lstrip().startswith("{"):
        return first.strip() == "{"
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
    if isinstance(value, dict) and (find_chat(value) or not _holds_values(value)):
        value = [value]
    try:
        records, note = records_of(value)
    except ValueError as error:
        problems.add(path, str(error))
        return
    if note:
        problems.note(path, note)
    problems.count_entries(path)
    yield from enumerate(records, 1)


def _holds_values(value: dict[str, Any]) -> bool:
    return any(isinstance(inner, dict | list) for inner in value.values())


def _chat_record(
    path: Path, problems: Problems, raw: Record, found: RawChat, columns: dict[str, str]
) -> Iterator[Record]:
    try:
        chat = read_chat(found)
    except ValueError as error:
        problems.add(path, str(error), raw.line)
        return
    for note in chat.notes:
        problems.note(path, note, raw.line)
    if chat.fields is None:
        return
    kept = {key: value for key, value in raw.fields.items() if key not in found.fields}
    yield Record(raw.line, _renamed(kept, columns) | chat.fields, chat.system)


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
    quoted = delimiter != "\t" or _quotes_cells(path)
    if not quoted:
        problems.note(path, "its quotation marks do not enclose cells and were read as text")
    reader = csv.reader(
        lines,
        delimiter=delimiter,
        strict=True,
        quoting=csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE,
    )
    while True:
        try:
            row = next(reader, None)
        except csv.Error as error:
            plain = (ours for part, ours in _CSV_ERRORS.items() if part in str(error))
            told = next(plain, str(error))
            problems.add(path, f"is not CSV: {told}", lines.row_line)
            return
        if row is None:
            return
        if row:
            yield lines.row_line or 1, row
        lines.row_line = None


def _quotes_cells(path: Path) -> bool:
    """Whether the quotation marks of a table with tabs can be read as those around cells."""
    lines = (line for _, line in read_lines(path, Problems("", "")))
    try:
        for _ in csv.reader(lines, delimiter="\t", strict=True):
            pass
    except csv.Error:
        return False
    return True


def _delimiter(path: Path, head: list[str]) -> str:
    """The delimiter with which most rows have as many columns as the header, then most columns.

    Where two fit alike, names that begin with a space decide: "Text, as sent;Label" has semicolons.
    """
    if suffix_of(path) == ".tsv":
        return "\t"

    def fit(delimiter: str) -> tuple[int, int, int]:
        rows: list[list[str]] = []
        reader = csv.reader(head, delimiter=delimiter, strict=True)
        # A row that goes on behind the last line here cannot be read to its end.
        with suppress(csv.Error):
            rows += (row for row in reader if any(map(str.strip, row)))
        header = rows[0] if rows else []
        alike = sum(len(row) == len(header) for row in rows) if len(header) > 1 else 0
        return alike, len(header), -sum(name.startswith(" ") for name in header)

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
    named = {}
    taken = {*columns, *columns.values()}
    for ours, theirs in columns.items():
        if theirs in fields:
            named[ours] = fields[theirs]
        elif "." in theirs and (found := value_at(fields, theirs)) is not None:
            named[ours] = found
            taken.add(theirs.partition(".")[0])
    return {name: value for name, value in fields.items() if name not in taken} | named
