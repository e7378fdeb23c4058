"""Reads text files line by line; what cannot be read is noted with its line.

Lines end with LF, CR LF or CR alone. A file is UTF-8, or UTF-16 or UTF-32 with a byte order mark.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from benchmarks.tasks.problems import Problems

LINE_LIMIT_BYTES = 1_000_000
WHOLE_LIMIT_BYTES = 300_000_000
# Longest piece that a line over the limit is split into.
PIECE_CHARACTERS = 10_000

_SNIFFED_BYTES = 4096
_UTF8 = "utf-8-sig"
# The mark of UTF-32 begins with that of UTF-16.
_BYTE_ORDER_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
# What Python's "surrogateescape" makes of bytes that are no UTF-8.
_BAD_BYTE = re.compile("[\udc80-\udcff]")


def read_lines(path: Path, problems: Problems) -> Iterator[tuple[int, str]]:
    """Line number (from 1) and text of every line that can be decoded and is not too long."""
    return _decoded_lines(path, problems, LINE_LIMIT_BYTES)


def read_text(path: Path, problems: Problems) -> str:
    """The text of a file, without the lines that had to be noted as problems."""
    return "".join(line for _, line in read_lines(path, problems))


def read_whole(path: Path, problems: Problems) -> str:
    """The text of a file whose lines may be of any length; "" when it is too large."""
    return "".join(line for _, line in _whole_lines(path, problems))


def read_document(path: Path, problems: Problems) -> str:
    """The text of a document; a line over the limit is split into pieces, and a note says so."""
    lines: list[str] = []
    for number, line in _whole_lines(path, problems):
        if _is_longer(line, LINE_LIMIT_BYTES):
            text = f"is longer than {LINE_LIMIT_BYTES:,} bytes and was split into several lines"
            problems.note(path, text, number)
            lines += _pieces(line)
        else:
            lines.append(line)
    return "".join(lines)


def first_character(path: Path) -> str:
    """The first character of a file that is no white space, "" when there is none to be read."""
    try:
        with path.open(encoding=_encoding(path) or _UTF8, errors="replace") as stream:
            return stream.read(_SNIFFED_BYTES).lstrip()[:1]
    except (OSError, UnicodeError):
        return ""


def _whole_lines(path: Path, problems: Problems) -> Iterator[tuple[int, str]]:
    try:
        size_bytes = path.stat().st_size
    except OSError:
        size_bytes = 0
    if size_bytes <= WHOLE_LIMIT_BYTES:
        return _decoded_lines(path, problems, None)
    problems.add(path, f"is larger than {WHOLE_LIMIT_BYTES:,} bytes; split it into several files")
    return iter(())


def _decoded_lines(
    path: Path, problems: Problems, limit_bytes: int | None
) -> Iterator[tuple[int, str]]:
    try:
        encoding = _encoding(path)
        if encoding is None:
            problems.add(
                path, "is not a text file; export or convert it to text, and save it as UTF-8"
            )
            return
        errors = "surrogateescape" if encoding == _UTF8 else "strict"
        with path.open(encoding=encoding, errors=errors, newline="") as stream:
            yield from _checked_lines(stream, path, problems, limit_bytes)
    except UnicodeError:
        problems.add(path, "breaks off inside a character; save the file as UTF-8")
    except OSError as error:
        problems.add(path, f"cannot be read: {error.strerror or error}")


def _encoding(path: Path) -> str | None:
    """The encoding of a file, or None when it is no text."""
    with path.open("rb") as stream:
        start = stream.read(_SNIFFED_BYTES)
    for mark, encoding in _BYTE_ORDER_MARKS.items():
        if start.startswith(mark):
            return encoding
    return None if b"\0" in start else _UTF8


def _checked_lines(
    stream: TextIO, path: Path, problems: Problems, limit_bytes: int | None
) -> Iterator[tuple[int, str]]:
    number = 0
    while line := stream.readline(-1 if limit_bytes is None else limit_bytes + 1):
        number += 1
        if limit_bytes is not None and _is_longer(line, limit_bytes):
            problems.add(path, f"is longer than {limit_bytes:,} bytes", number)
            _skip_rest_of_line(stream, line, limit_bytes)
        elif bad := _BAD_BYTE.search(line):
            byte = f"0x{ord(bad.group()) - 0xDC00:02x}"
            problems.add(path, f"is not UTF-8 (byte {byte}); save the file as UTF-8", number)
        else:
            yield number, line


def _is_longer(line: str, limit_bytes: int) -> bool:
    # A character takes one to four bytes.
    if len(line) > limit_bytes or 4 * len(line) <= limit_bytes:
        return len(line) > limit_bytes
    return len(line.encode("utf-8", "surrogatepass")) > limit_bytes


def _skip_rest_of_line(stream: TextIO, line: str, limit_bytes: int) -> None:
    while line and not line.endswith(("\n", "\r")):
        line = stream.readline(limit_bytes)


def _pieces(line: str) -> Iterator[str]:
    """A long line cut at ends of sentences, else at spaces, else anywhere."""
    rest = line
    while len(rest) > PIECE_CHARACTERS:
        ends = (rest.rfind(end, 0, PIECE_CHARACTERS) for end in (". ", "。", " "))
        cut = next((end + 1 for end in ends if end > 0), PIECE_CHARACTERS)
        yield rest[:cut] + "\n"
        rest = rest[cut:].lstrip(" ")
    yield rest
