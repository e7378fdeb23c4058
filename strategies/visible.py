"""Text of strangers, made safe to show: nothing in it moves a cursor, hides or turns around."""

from __future__ import annotations

import re
import shlex
import unicodedata
from collections.abc import Iterable
from pathlib import Path

_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Control, format (such as text direction), surrogate, private and unknown; line separators."""
_KEPT = frozenset("\n\t\u200c\u200d")
"""Line breaks and tabs; the two joiners, without which Persian and Hindi are misspelt."""


def visible(text: str) -> str:
    r"""The same text with a code in place of each character that acts instead of being seen.

    An escape becomes ``\x1b``, a carriage return ``\r``, a change of text direction ``\u202e``,
    a byte of a file name that is no UTF-8 ``\udcff``. Tabs and line breaks stay, also those of
    Windows, as ``\n``.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_coded(c) if is_unseen(c) else c for c in text.replace("\r\n", "\n"))


def is_unseen(character: str) -> bool:
    """Whether a character acts on the text around it, or on the terminal, and is not seen."""
    return unicodedata.category(character) in _UNSEEN and character not in _KEPT


def _coded(character: str) -> str:
    return character.encode("unicode_escape", "surrogatepass").decode()


def visible_json(text: str) -> str:
    """JSON that reads as the same values, with every unseen character as JSON's own escape."""
    if text.isascii() and "\x7f" not in text:
        return text
    return "".join(_json_coded(c) if is_unseen(c) else c for c in text)


def _json_coded(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))


def one_line(text: object) -> str:
    """A text in one line, so that it cannot pass for lines of ours."""
    return " ".join(visible(str(text)).split())


def shown(path: Path | str) -> str:
    r"""A path for people, in which also a line break has its code, ``\n``."""
    return "".join(_coded(c) if is_unseen(c) or c in "\n\t" else c for c in str(path))


def shell_word(text: object) -> str:
    r"""A word of a command that can be copied: quoted where a shell would take it otherwise.

    With unseen characters or line breaks it is written ``$'a\nb'``, which bash, zsh and ksh read.
    """
    word = str(text)
    if not any(is_unseen(c) or c in "\n\t" for c in word):
        return shlex.quote(word)
    quoted = re.sub(r"([\\'])", r"\\\1", word)
    return "$'" + "".join(_shell_coded(c) for c in quoted) + "'"


def _shell_coded(character: str) -> str:
    code = ord(character)
    if character in "\n\t\r":
        return _coded(character)
    if not is_unseen(character):
        return character
    if 0xDC80 <= code <= 0xDCFF:  # A byte that is no UTF-8, as Python keeps it in a file name.
        return f"\\x{code - 0xDC00:02x}"
    return f"\\x{code:02x}" if code < 0x80 else f"\\U{code:08x}"


def shell_path(path: Path | str) -> str:
    """A path as a word of a command; one that begins with a dash is not taken for an option."""
    return shell_word(f"./{path}" if str(path).startswith("-") else path)


def shell_line(words: Iterable[str]) -> str:
    """A command as one would type it."""
    return " ".join(map(shell_word, words))
