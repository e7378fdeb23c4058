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

_OTHER_FILES = {
    (".xlsx", ".xls", ".ods", ".numbers"): "; export the sheet as CSV",
    (".txt", ".tab"): "; if it is a table, rename it: .csv, or .tsv if tabs separate its cells",
}
_DELIMITERS = (",", ";", "\t", "|")
# Parts of what the csv module says, in plain words.
_CSV_ERRORS = {
    "expected after": 'a quotation mark inside a quoted cell has to be doubled ("")',
    "unexpected end of data": "a quoted cell that begins here does not end",
    "field larger than": f"a cell is longer than {LINE_LIMIT_BYTES:,} characters; is a quotation "
    "mark missing?",
}
# Parts of what the json module says, in plain words.
_JSON_ERRORS = {
    "Expecting value": "a value is missing, or is not in the form of JSON",
    "Expecting property name": "a field's name in double quotation marks has to stand here",
    "Expecting ':'": "a colon is missing after a field's name",
    "Expecting ','": "a comma or a closing bracket is missing",
    "Illegal trailing comma": "nothing may follow the last comma but a value",
    "Extra data": "something follows the end of the value",
    "Unterminated string": "a text that begins here does not end",
    "Invalid control character": "a text holds a line break or another control character, or "
    "does not end",
    "Invalid \\u": r"a \u in a text needs four hexadecimal digits",
    "Invalid \\e": "a backslash in a text has to be doubled",
}
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
# Excel names the delimiter in a line before the header; other programs fill that line up with it.
_SEPARATOR_LINE = re.compile(r'"?sep=(.)"?\1*[\r\n]*', re.IGNORECASE)


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
    path: Path,
    problems: Problems,
    columns: Mapping[str, str] | None = None,
    *,
    usual: bool = False,
) -> list[Record]:
    """All records of a file that can be read; the rest is noted in `problems`.

    Args:
        path: a .jsonl, .json, .csv, .tsv or .parquet file; .gz may follow all but the last.
        problems: where to note what is wrong.
        columns: names that this file uses for ``input``, ``output`` or another field; a
            field of the file that is called like one of these gives way. A name such as
            ``data.text`` reaches into objects and lists.
        usual: whether columns that nobody named were looked for by their usual names, which a
            message then says.
    """
    suffix, renamed = suffix_of(path), dict(columns or {})
    if is_table(path):
        return list(_table_records(path, problems, renamed, usual=usual))
    if suffix in READ_SUFFIXES:
        return list(_object_records(path, problems, renamed))
    hint = next((said for kinds, said in _OTHER_FILES.items() if suffix in kinds), "")
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
            names, unnamed, _ = _header(_rows(path, unheard))
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
        # A line break behind a text that was cut would stand inside it.
        return json.loads(text.rstrip())
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except json.JSONDecodeError as error:
        plain = (ours for part, ours in _JSON_ERRORS.items() if error.msg.startswith(part))
        line = f"line {error.lineno} " if error.lineno > 1 else ""
        raise ValueError(f"at {line}column {error.colno}, {next(plain, error.msg)}") from None


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
                problems.add(path, f"begins an object that is not JSON: in it, {error}", begun)
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
    if not text.strip():
        problems.add(path, "is empty")
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
    if wrong := unusable([chat.fields, chat.system]):
        problems.add(path, f"a message {wrong}; correct it, or leave the chat out", raw.line)
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


def _table_records(
    path: Path, problems: Problems, columns: dict[str, str], *, usual: bool
) -> Iterator[Record]:
    with _field_limit(LINE_LIMIT_BYTES):
        rows = _rows(path, problems)
        names, unnamed, header_line = _header(rows)
        unread = problems.first_line(path)
        if problems.about(path) and (not names or (unread or header_line) < header_line):
            # The line that names the columns cannot be read; what is wrong elsewhere is noted too.
            for _ in rows:
                pass
            return
        if not names:
            problems.add(path, "is empty; the first line has to name the columns")
            return
        if _header_is_wrong(path, (names, unnamed), columns, problems, usual=usual):
            return
        width = max(place for place, name in enumerate(names, 1) if name not in unnamed)
        for line, row in rows:
            cells = [*row, *[""] * (len(names) - len(row))]
            if not any(map(str.strip, row)):
                problems.note(path, "the row is blank and was left out", line)
            elif len(row) < width or any(map(str.strip, cells[len(names) :])):
                problems.add(path, _wrong_width(len(row), width), line)
            else:
                fields = {
                    name: cell
                    for name, cell in zip(names, cells, strict=False)
                    if name not in unnamed or cell.strip()
                }
                yield Record(line, _renamed(fields, columns))


def _wrong_width(cells: int, width: int) -> str:
    has = f"has {cells} column{'' if cells == 1 else 's'}, the header has {width}"
    if cells < width:
        return f"{has}; fill it up, or take it out"
    return f"{has}; a cell that holds the delimiter needs quotation marks"


def _header(rows: Iterator[tuple[int, list[str]]]) -> tuple[list[str], frozenset[str], int]:
    """The names of the columns, those of them that we gave to columns without one, and the line."""
    line, first = next(((n, row) for n, row in rows if any(map(str.strip, row))), (0, []))
    names = [name.strip() or f"column {place}" for place, name in enumerate(first, 1)]
    unnamed = (name for name, given in zip(names, first, strict=True) if not given.strip())
    return names, frozenset(unnamed), line


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
    path: Path,
    header: tuple[list[str], frozenset[str]],
    columns: dict[str, str],
    problems: Problems,
    *,
    usual: bool,
) -> bool:
    names, unnamed = header
    roles = [role for role in ("input", "output") if role not in columns]
    sought = [*columns.values(), *([] if usual else roles)]
    missing = [shown(name) for name in sought if name not in names]
    such = {"input": "input (such as text)", "output": "output (such as label)"}
    unsure = [such[role] for role in roles if usual and role not in names]
    # A name with a comma is quoted, or it would read as two.
    told = (shown(name) if "," in name else name for name in names if name not in unnamed)
    found = ", ".join(told) or "none"
    if missing:
        # The file of a task folder says nothing of its columns itself.
        step = "" if usual else "; name yours under 'columns' in task.yaml"
        problems.add(path, f"has no column {', '.join(missing)}; found: {found}{step}", 1)
    if unsure:
        text = f"has no column with a usual name for the {' and the '.join(unsure)}"
        problems.add(path, f"{text}; found: {found}", 1)
    twice = [name for name, uses in Counter(names).items() if uses > 1]
    if twice:
        listed = ", ".join(map(shown, twice))
        problems.add(path, f"a column name is used twice: {listed}; rename one of the columns", 1)
    return bool(missing or unsure or twice)


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
