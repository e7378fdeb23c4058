"""Reads the rows of a Parquet file as objects, through pyarrow of the extra ``bench``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.tasks.lines import LFS_POINTER, WHOLE_LIMIT_BYTES, is_lfs_pointer
from benchmarks.tasks.problems import Problems

PARQUET = ".parquet"

_ROWS_AT_ONCE = 1024
# Parquet files begin and end with it.
_MARK = b"PAR1"


def parquet_rows(path: Path, problems: Problems) -> Iterator[tuple[int, dict[str, Any]]]:
    """The number (from 1) and the fields of every row; what is wrong goes into `problems`.

    Dates, decimals and bytes that are UTF-8 become text. A Hugging Face ``ClassLabel`` becomes the
    name of its class.
    """
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError:
        problems.add(
            path,
            "is a Parquet file, and pyarrow, which reads them, is not installed: "
            "pip install 'adaptation-advisor[bench]', or export the table as .jsonl or .csv",
        )
        return
    problems.count_entries(path)
    number, unpacked_bytes = 0, 0
    try:
        with parquet.ParquetFile(path) as file:
            names = _class_names(file.schema_arrow.metadata)
            for batch in file.iter_batches(batch_size=_ROWS_AT_ONCE):
                unpacked_bytes += batch.nbytes
                if unpacked_bytes > WHOLE_LIMIT_BYTES:
                    limit = f"{WHOLE_LIMIT_BYTES:,} bytes"
                    problems.add(path, f"unpacks to more than {limit}; split it into several files")
                    return
                for row in batch.to_pylist():
                    number += 1
                    yield number, {name: _plain(row[name], names.get(name)) for name in row}
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        problems.add(path, _unreadable(path, error))


def _unreadable(path: Path, error: Exception) -> str:
    """Why a file cannot be read, in plain words where the reason is a usual one."""
    try:
        with path.open("rb") as file:
            start = file.read(len(_MARK))
            file.seek(max(0, path.stat().st_size - len(_MARK)))
            whole = start == _MARK == file.read()
        if is_lfs_pointer(path):
            return LFS_POINTER
    except OSError as system_error:
        return f"cannot be read: {system_error.strerror or system_error}"
    if not whole:
        what = "broke off" if start == _MARK else "is of another kind or damaged"
        return f"is not a whole Parquet file: it {what}; export the table, or download it, again"
    said = str(error).split("\n", 1)[0].rstrip(".")
    return f"cannot be read as Parquet: {said}; export the table again"


def _text_or_bytes(value: bytes) -> str | bytes:
    """Text that was written without its type, as some tools do; other bytes as they are."""
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value


def _class_names(metadata: dict[bytes, bytes] | None) -> dict[str, list[str]]:
    """The classes of every ClassLabel column, from what Hugging Face's datasets notes of them."""
    try:
        features = json.loads((metadata or {})[b"huggingface"])["info"]["features"]
        return {
            name: feature["names"]
            for name, feature in features.items()
            if isinstance(feature, dict) and feature.get("_type") == "ClassLabel"
        }
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
        return {}


def _plain(value: Any, classes: list[str] | None = None) -> Any:
    if classes is not None and isinstance(value, int) and 0 <= value < len(classes):
        return str(classes[value])
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    if isinstance(value, bytes):
        return _text_or_bytes(value)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    # Dates and times.
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
