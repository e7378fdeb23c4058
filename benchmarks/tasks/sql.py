"""Runs SQL that a model wrote: read-only, with limits of time and size."""

from __future__ import annotations

import re
import sqlite3
from collections import Counter
from pathlib import Path

from benchmarks.tasks.limited_process import EndedError, FailedError, limited_process

TIME_LIMIT_SECONDS = 2.0

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
    but read, runs longer than `seconds`, needs more memory than `limited_child` may have, or
    returns more rows or bytes than it may. Asking another process adds .3 ms to a query that
    returns few rows (.15 ms here, .45 ms there; two busy cores, November 2026).

    Raises:
        sqlite3.OperationalError: the database cannot be opened.
    """
    uri = database.resolve().as_uri() + "?mode=ro"
    try:
        found = limited_process().ask({"uri": uri, "query": query}, seconds)
    except EndedError:
        return None
    except FailedError as error:
        raise sqlite3.OperationalError(f"{database}: {error}") from None
    return None if found is None else [tuple(map(_plain, row)) for row in found]


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


def _plain(value: object) -> object:
    if isinstance(value, dict):
        return bytes.fromhex(value["bytes"])
    # AVG and SUM may differ in the last bits between two equivalent queries.
    return float(f"{value:.9g}") if isinstance(value, float) else value
