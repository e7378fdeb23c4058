"""What a process of its own does: SQL that a model wrote, and patterns out of a user's files.

`benchmarks.tasks.limited_process` runs this file and may end it at any moment. A request is a
line of JSON, and so is its reply. Nothing but the standard library is imported, so that it starts
in little time.
"""

from __future__ import annotations

import json
import re
import signal
import sqlite3
import sys
import time
from contextlib import closing, suppress
from typing import Any

ROW_LIMIT = 10_000
VALUE_LIMIT_BYTES = 1_000_000
RESULT_LIMIT_BYTES = 20_000_000
MEMORY_LIMIT_BYTES = 500_000_000

_OPCODES_BETWEEN_CLOCK_CHECKS = 10_000
_READING = frozenset(
    {
        sqlite3.SQLITE_SELECT,
        sqlite3.SQLITE_READ,
        sqlite3.SQLITE_FUNCTION,
        sqlite3.SQLITE_RECURSIVE,
    }
)
_LIMITS = {
    sqlite3.SQLITE_LIMIT_LENGTH: VALUE_LIMIT_BYTES,
    sqlite3.SQLITE_LIMIT_SQL_LENGTH: 100_000,
    sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH: 1_000,
    sqlite3.SQLITE_LIMIT_ATTACHED: 0,
}


def rows_of(uri: str, query: str, seconds: float) -> list[list[object]] | None:
    """What a query returns, bytes as ``{"bytes": hex}``; None when it fails.

    Raises:
        sqlite3.OperationalError: the database cannot be opened.
    """
    with closing(sqlite3.connect(uri, uri=True)) as connection:
        _limit(connection, time.monotonic() + seconds)
        found: list[list[object]] = []
        size = 0
        # Before Python 3.12 a second statement raises Warning, a NUL character ValueError.
        with suppress(sqlite3.Error, sqlite3.Warning, ValueError, MemoryError):
            for row in connection.execute(query):
                size += sum(len(value) for value in row if isinstance(value, str | bytes))
                if len(found) == ROW_LIMIT or size > RESULT_LIMIT_BYTES:
                    return None
                found.append([_as_json(value) for value in row])
            return found
    return None


def is_found(pattern: str, text: str) -> bool:
    """Whether a pattern is found in a text, as ``re.MULTILINE`` reads it."""
    return re.search(pattern, text, re.MULTILINE) is not None


def _limit(connection: sqlite3.Connection, deadline: float) -> None:
    # Sorting in memory keeps to the limit of memory, and leaves nothing on the disk.
    connection.execute("PRAGMA temp_store = MEMORY")
    for limit, most in _LIMITS.items():
        connection.setlimit(limit, most)
    connection.set_authorizer(
        lambda action, *_: sqlite3.SQLITE_OK if action in _READING else sqlite3.SQLITE_DENY
    )
    connection.set_progress_handler(
        lambda: int(time.monotonic() > deadline), _OPCODES_BETWEEN_CLOCK_CHECKS
    )


def _as_json(value: object) -> object:
    return {"bytes": value.hex()} if isinstance(value, bytes) else value


def _limit_memory() -> None:
    # Windows has no such limit; there the time limit alone remains.
    with suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT_BYTES, MEMORY_LIMIT_BYTES))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _limit_processor_time(seconds: float) -> None:
    """End this process when it computes for longer, also when nobody is left to end it."""
    with suppress(ImportError, ValueError, OSError):
        import resource

        end = int(time.process_time() + seconds) + 2
        resource.setrlimit(resource.RLIMIT_CPU, (end, resource.getrlimit(resource.RLIMIT_CPU)[1]))


def _reply(request: dict[str, Any]) -> dict[str, Any]:
    try:
        if "pattern" in request:
            return {"value": is_found(request["pattern"], request["text"])}
        return {"value": rows_of(request["uri"], request["query"], request["seconds"])}
    except re.error as error:
        return {"error": str(error)}
    except (sqlite3.Error, MemoryError, RecursionError, OverflowError) as error:
        return {"error": f"{type(error).__name__}: {error}"}


def main() -> None:
    """Answer requests until the other end is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _limit_memory()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    for line in sys.stdin:
        request = json.loads(line)
        _limit_processor_time(request["seconds"])
        sys.stdout.write(json.dumps(_reply(request)) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
