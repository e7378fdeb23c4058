"""SHA-256 of files, folders and plain data."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path


def sha256_of_file(path: Path) -> str:
    """Hex digest of a file's bytes, read in blocks."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_of_data(data: object) -> str:
    """Hex digest of JSON-like data: keys sorted, no spaces, UTF-8, NaN refused."""
    text = json.dumps(
        data, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
    return hashlib.sha256(text.encode()).hexdigest()


def sha256_of_files(folder: Path, files: list[Path]) -> str:
    """Hex digest over relative names and contents of some files of a folder."""
    return sha256_of_data(
        {file.relative_to(folder).as_posix(): sha256_of_file(file) for file in files}
    )
