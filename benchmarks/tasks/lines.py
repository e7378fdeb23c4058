"""Reads text files line by line; what cannot be read is noted with its line.

Lines end with LF, CR LF or CR alone. A file is UTF-8, or UTF-16 or UTF-32 with a byte order mark;
UTF-16 without one is recognised where most of its characters are ASCII. Another encoding is
refused instead of guessed, because a wrong guess would change the text without a word. A file
whose name ends with .gz is unpacked while it is read.
"""

from __future__ import annotations

import codecs
import gzip
import io
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, TextIO, cast

from benchmarks.tasks.problems import Problems

LINE_LIMIT_BYTES = 1_000_000
WHOLE_LIMIT_BYTES = 300_000_000
# Longest piece that a line over the limit is split into.
PIECE_CHARACTERS = 10_000

_TOO_LARGE = f"is larger than {WHOLE_LIMIT_BYTES:,} bytes; split it into several files"

_SNIFFED_BYTES = 4096
_UTF8 = "utf-8-sig"
# The mark of UTF-32 begins with that of UTF-16.
_BYTE_ORDER_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
# What a file of another kind begins with, whatever its name says.
_MAGIC = {
    b"%PDF-": "a PDF document",
    b"PK\x03\x04": "a ZIP archive, or a spreadsheet or document in that form",
    b"\xd0\xcf\x11\xe0": "an Excel or Word file of the older kind",
    b"\x1f\x8b": "a gzip file",
    b"PAR1": "a Parquet file",
    b"SQLite format 3\0": "an SQLite database",
    b"{\\rtf": "an RTF document",
    b"\x89PNG": "an image",
    b"\xff\xd8\xff": "an image",
    b"GIF8": "an image",
}
# What Git has in place of a large file that was not fetched.
_LFS_POINTER = b"version https://git-lfs"
LFS_POINTER = "is the pointer of Git LFS to a file and not the file itself; fetch it: git lfs pull"
_PACKED = ".gz"
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
        with _opened(path, _encoding(_start(path)) or _UTF8, "replace") as stream:
            return stream.read(_SNIFFED_BYTES).lstrip()[:1]
    except (OSError, EOFError, zlib.error, UnicodeError):
        return ""


def is_lfs_pointer(path: Path) -> bool:
    """Whether a file is what Git LFS leaves in place of a large one.

    Raises:
        OSError: it cannot be read.
    """
    return _start(path).startswith(_LFS_POINTER)


def suffix_of(path: Path) -> str:
    """The suffix that says what a file holds, in lower case: that before .gz of a packed file."""
    inner = path.with_suffix("") if path.suffix.lower() == _PACKED else path
    return inner.suffix.lower()


def _whole_lines(path: Path, problems: Problems) -> Iterator[tuple[int, str]]:
    try:
        size_bytes = path.stat().st_size
    except OSError:
        size_bytes = 0
    if size_bytes <= WHOLE_LIMIT_BYTES:
        return _decoded_lines(path, problems, None)
    problems.add(path, _TOO_LARGE)
    return iter(())


def _decoded_lines(
    path: Path, problems: Problems, limit_bytes: int | None
) -> Iterator[tuple[int, str]]:
    try:
        start = _start(path)
        if start.startswith(_LFS_POINTER):
            problems.add(path, LFS_POINTER)
            return
        encoding = _encoding(start)
        if encoding is None:
            known = next((what for mark, what in _MAGIC.items() if start.startswith(mark)), "")
            but = f" but {known}" if known else ""
            text = f"is not a text file{but}; export or convert it to text, and save it as UTF-8"
            problems.add(path, text)
            return
        errors = "surrogateescape" if encoding == _UTF8 else "strict"
        with _opened(path, encoding, errors) as stream:
            yield from _checked_lines(stream, path, problems, limit_bytes)
    except UnicodeError:
        problems.add(path, "breaks off inside a character; save the file as UTF-8")
    except (EOFError, zlib.error, gzip.BadGzipFile):
        problems.add(path, "cannot be unpacked; pack it again with gzip, or name the plain file")
    except OSError as error:
        problems.add(path, f"cannot be read: {error.strerror or error}")


def _binary(path: Path) -> BinaryIO:
    if path.suffix.lower() == _PACKED:
        return cast(BinaryIO, gzip.open(path))
    return path.open("rb")


def _opened(path: Path, encoding: str, errors: str) -> TextIO:
    return io.TextIOWrapper(_binary(path), encoding=encoding, errors=errors, newline="")


def _start(path: Path) -> bytes:
    with _binary(path) as stream:
        return stream.read(_SNIFFED_BYTES)


def _encoding(start: bytes) -> str | None:
    """The encoding of a file that begins so, or None when it is no text."""
    for mark, encoding in _BYTE_ORDER_MARKS.items():
        if start.startswith(mark):
            return encoding
    if start.startswith(tuple(_MAGIC)):
        return None
    if b"\0" not in start:
        return _UTF8
    # Every second byte of ASCII letters in UTF-16 is zero.
    for encoding, zeros, letters in (("utf-16-le", 1, 0), ("utf-16-be", 0, 1)):
        if start[zeros::2].count(0) > len(start) / 4 and not start[letters::2].count(0):
            return encoding
    try:
        codecs.getincrementaldecoder("utf-8")().decode(start)
    except UnicodeDecodeError:
        return None
    return _UTF8 if start.count(0) < len(start) / 20 else None


def _checked_lines(
    stream: TextIO, path: Path, problems: Problems, limit_bytes: int | None
) -> Iterator[tuple[int, str]]:
    number, read, not_utf8 = 0, 0, ""
    longest = (WHOLE_LIMIT_BYTES if limit_bytes is None else limit_bytes) + 1
    bounded = limit_bytes is None or path.suffix.lower() == _PACKED
    while line := stream.readline(longest):
        number += 1
        read += len(line)
        if bounded and read > WHOLE_LIMIT_BYTES:
            problems.add(path, _TOO_LARGE)
            return
        if limit_bytes is not None and _is_longer(line, limit_bytes):
            text = f"is longer than {limit_bytes:,} bytes; shorten it, or leave it out"
            problems.add(path, text, number)
            _skip_rest_of_line(stream, line, limit_bytes)
        elif bad := _BAD_BYTE.search(line):
            # One message for all lines of the file, whatever the bytes of the others are.
            not_utf8 = not_utf8 or _not_utf8(ord(bad.group()) - 0xDC00)
            problems.add(path, not_utf8, number)
        elif "\0" in line:
            problems.add(path, "holds a NUL character (0x00); take it out", number)
        else:
            yield number, line


def _not_utf8(byte: int) -> str:
    letter = bytes([byte]).decode("cp1252", "ignore")
    hint = f", which is {letter!r} in Windows-1252" if letter else ""
    return (
        f"is not UTF-8 (byte 0x{byte:02x}){hint}; "
        "save the file as UTF-8 (Excel calls it 'CSV UTF-8')"
    )


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
