"""Runs SQL that a model wrote: read-only, with limits of time and size."""

from __future__ import annotations

import re
import sqlite3
import time
from collections import Counter
from contextlib import closing
from pathlib import Path

TIME_LIMIT_SECONDS = 2.0
ROW_LIMIT = 10_000
VALUE_LIMIT_BYTES = 1_000_000

_OPCODES_BETWEEN_CLOCK_CHECKS = 10_000
_READING = frozenset(
    {
        sqlite3.SQLITE_SELECT,
        sqlite3.SQLITE_READ,
        sqlite3.SQLITE_FUNCTION,
        sqlite3.SQLITE_RECURSIVE,
    }
)
_FENCE = re.compile(r"```(?:sql|sqlite)?[ \t]*\n(.*?)```", re.DOTALL | re.IGNORECASE)
_ORDER_BY = re.compile(r"\border\s+by\b", re.IGNORECASE)

Row = tuple[object, ...]


def statement(text: str) -> str:
    """The SQL in an answer: its first fenced block, or all of it."""
    fenced = _FENCE.search(text)
    return (fenced.group(1) if fenced else text).strip()


def rows(database: Path, query: str, seconds: float = TIME_LIMIT_SECONDS) -> list[Row] | None:
    """What a query returns, or None when it fails.

    A query fails when SQLite refuses it, when it is more than one statement, does anything
    but read, runs longer than `seconds`, or returns more than `ROW_LIMIT` rows.
    """
    uri = database.resolve().as_uri() + "?mode=ro"
    with closing(sqlite3.connect(uri, uri=True)) as connection:
        _limit(connection, time.monotonic() + seconds)
        try:
            found = connection.execute(query).fetchmany(ROW_LIMIT + 1)
        # Before Python 3.12 a second statement raises Warning, a NUL character ValueError.
        except (sqlite3.Error, sqlite3.Warning, ValueError, MemoryError):
            return None
    return None if len(found) > ROW_LIMIT else [tuple(map(_plain, row)) for row in found]


def same_rows(first: list[Row], second: list[Row], *, ordered: bool) -> bool:
    """Whether two results hold the same rows, each as often; in order too when `ordered`."""
    return first == second if ordered else Counter(first) == Counter(second)


def is_ordered(query: str) -> bool:
    """Whether the outermost SELECT of a query has an ORDER BY."""
    depth = 0
    outermost = []
    for character in query:
        depth += (character == "(") - (character == ")")
        outermost.append(character if depth == 0 else " ")
    return _ORDER_BY.search("".join(outermost)) is not None


def _limit(connection: sqlite3.Connection, deadline: float) -> None:
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, VALUE_LIMIT_BYTES)
    connection.set_authorizer(
        lambda action, *_: sqlite3.SQLITE_OK if action in _READING else sqlite3.SQLITE_DENY
    )
    connection.set_progress_handler(
        lambda: int(time.monotonic() > deadline), _OPCODES_BETWEEN_CLOCK_CHECKS
    )


def _plain(value: object) -> object:
    # AVG and SUM may differ in the last bits between two equivalent queries.
    return float(f"{value:.9g}") if isinstance(value, float) else value
