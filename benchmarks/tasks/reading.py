"""Reads files of examples: JSONL, chat JSONL (``messages``) and CSV, one record a line.

Nothing is trusted: a line has a size limit, bytes must be UTF-8, and whatever is wrong is
noted with its line instead of stopping at the first.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

from benchmarks.tasks.problems import Problems, shown

LINE_LIMIT_BYTES = 1_000_000
TABLE_SUFFIXES = (".csv", ".tsv")
SUFFIXES = (".jsonl", *TABLE_SUFFIXES)

_ROLES = ("system", "user", "assistant")


@dataclass(frozen=True)
class Record:
    """One example as it stands in a file.

    Attributes:
        line: where it begins, counted from 1.
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
        path: a .jsonl, .csv or .tsv file.
        problems: where to note what is wrong.
        columns: names that this file uses for ``input``, ``output`` or another field; a
            field of the file that is called like one of these gives way.
    """
    suffix, renamed = path.suffix.lower(), dict(columns or {})
    if suffix in TABLE_SUFFIXES:
        return list(_table_records(path, problems, renamed))
    if suffix in SUFFIXES:
        return list(_json_records(path, problems, renamed))
    hint = "; write one JSON object a line and call it .jsonl" if suffix == ".json" else ""
    problems.add(path, f"cannot be read as labelled lines; allowed: {', '.join(SUFFIXES)}{hint}")
    return []


def field_names(path: Path) -> list[str]:
    """The columns of a table, or the fields of the first object of a .jsonl file.

    Returns:
        [] when none can be read; `read_records` says why.
    """
    unheard = Problems("", "")
    suffix = path.suffix.lower()
    if suffix in TABLE_SUFFIXES:
        with _field_limit(LINE_LIMIT_BYTES):
            return _header(_rows(path, _Lines(path, unheard), unheard))
    first = next(_json_records(path, unheard, {}), None) if suffix in SUFFIXES else None
    return list(first.fields) if first else []


def read_lines(path: Path, problems: Problems) -> Iterator[tuple[int, str]]:
    """Line number (from 1) and text of every line that is UTF-8 and within the size limit."""
    try:
        with path.open("rb") as stream:
            yield from _decoded(stream, path, problems)
    except OSError as error:
        problems.add(path, f"cannot be read: {error.strerror or error}")


def read_text(path: Path, problems: Problems) -> str:
    """The text of a file, without the lines that had to be noted as problems."""
    return "".join(line for _, line in read_lines(path, problems))


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
        raise ValueError(f"{error.msg} at column {error.colno}") from None


def _decoded(stream: BinaryIO, path: Path, problems: Problems) -> Iterator[tuple[int, str]]:
    number = 0
    while raw := stream.readline(LINE_LIMIT_BYTES + 1):
        number += 1
        if len(raw) > LINE_LIMIT_BYTES:
            problems.add(path, f"is longer than {LINE_LIMIT_BYTES:,} bytes", number)
            _skip_rest_of_line(stream, raw)
            continue
        try:
            yield number, raw.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            byte = f"0x{raw[error.start]:02x}"
            problems.add(path, f"is not UTF-8 (byte {byte}); save the file as UTF-8", number)


def _skip_rest_of_line(stream: BinaryIO, raw: bytes) -> None:
    while raw and not raw.endswith(b"\n"):
        raw = stream.readline(LINE_LIMIT_BYTES)


def _json_records(path: Path, problems: Problems, columns: dict[str, str]) -> Iterator[Record]:
    for number, line in read_lines(path, problems):
        if not line.strip():
            continue
        try:
            value = parse_json(line)
        except ValueError as error:
            problems.add(path, f"is not JSON: {error}", number)
            continue
        if not isinstance(value, dict):
            problems.add(path, "is not a JSON object; expected {...}", number)
        elif "messages" in value:
            yield from _chat_record(path, problems, number, value, columns)
        else:
            yield Record(number, _renamed(value, columns))


def _chat_record(
    path: Path, problems: Problems, number: int, value: dict[str, Any], columns: dict[str, str]
) -> Iterator[Record]:
    turns = value["messages"]
    wrong = _wrong_with_chat(turns)
    if wrong:
        problems.add(path, wrong, number)
        return
    system = "\n".join(turn["content"] for turn in turns if turn["role"] == "system")
    asked = [turn for turn in turns[:-1] if turn["role"] != "system"]
    rest = _renamed({key: value[key] for key in value if key != "messages"}, columns)
    said = {"input": _transcript(asked), "output": turns[-1]["content"]}
    yield Record(number, rest | said, system)


def _wrong_with_chat(turns: Any) -> str | None:
    if not isinstance(turns, list) or not turns:
        return '"messages" is not a list of messages'
    for turn in turns:
        if not isinstance(turn, dict) or not isinstance(turn.get("content"), str):
            return 'a message has no text "content"'
        if turn.get("role") not in _ROLES:
            return f"role {shown(turn.get('role'))} is unknown; allowed: {', '.join(_ROLES)}"
    if turns[-1]["role"] != "assistant" or not any(turn["role"] == "user" for turn in turns):
        return '"messages" needs a user message and ends with the assistant\'s answer'
    return None


def _transcript(turns: list[dict[str, Any]]) -> str:
    if len(turns) == 1:
        return str(turns[0]["content"])
    return "\n\n".join(f"{turn['role'].capitalize()}: {turn['content']}" for turn in turns)


class _Lines:
    """Text lines for the csv module, which reads several for a row with quoted line breaks."""

    def __init__(self, path: Path, problems: Problems) -> None:
        self._lines = read_lines(path, problems)
        self.row_line: int | None = None

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        number, line = next(self._lines)
        if self.row_line is None:
            self.row_line = number
        return line


def _table_records(path: Path, problems: Problems, columns: dict[str, str]) -> Iterator[Record]:
    lines = _Lines(path, problems)
    with _field_limit(LINE_LIMIT_BYTES):
        rows = _rows(path, lines, problems)
        names = _header(rows)
        if not names and problems.about(path):
            return
        if _header_is_wrong(path, names, columns, problems):
            return
        for line, row in rows:
            if len(row) != len(names):
                problems.add(path, f"has {len(row)} columns, the header has {len(names)}", line)
            else:
                yield Record(line, _renamed(dict(zip(names, row, strict=True)), columns))


def _header(rows: Iterator[tuple[int, list[str]]]) -> list[str]:
    _, names = next(rows, (1, []))
    return [name.strip() for name in names]


def _rows(path: Path, lines: _Lines, problems: Problems) -> Iterator[tuple[int, list[str]]]:
    header = next(lines, "")
    delimiter = "\t" if path.suffix.lower() == ".tsv" else max(",;\t", key=header.count)
    reader = csv.reader(chain([header], lines), delimiter=delimiter, strict=True)
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


def _header_is_wrong(
    path: Path, names: list[str], columns: dict[str, str], problems: Problems
) -> bool:
    wanted = {"input": "input", "output": "output", **columns}.values()
    missing = ", ".join(shown(name) for name in wanted if name not in names)
    if missing:
        found = ", ".join(names) or "none"
        problems.add(path, f"has no column {missing}; found: {found}", 1)
    if len(set(names)) != len(names):
        problems.add(path, "a column name is used twice", 1)
    return bool(missing) or len(set(names)) != len(names)


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
