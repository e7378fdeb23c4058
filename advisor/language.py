"""The languages that people read: English stands in the code, others in a table beside it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Literal

from advisor.limited_files import own_yaml

LanguageCode = Literal["en", "ja"]


class Language:
    """Says texts in a language; one that its table lacks is said in English.

    Args:
        code: of the language.
        table: English text, with its ``{places}``, to the same text in that language.
    """

    def __init__(self, code: LanguageCode, table: Mapping[str, str]) -> None:
        self.code = code
        self._table = table

    def __call__(self, text: str, **values: object) -> str:
        """A text in this language, with values in its places."""
        said = self._table.get(text, text)
        return said.format(**values) if values else said

    def glossed(self, name: str) -> str:
        """A name that answers files have, and what it is called where that differs."""
        return name if self(name) == name else f"{name} ({self(name)})"


ENGLISH = Language("en", {})


@cache
def language(code: LanguageCode) -> Language:
    """A language by its code."""
    if code == "en":
        return ENGLISH
    text = files("advisor").joinpath(f"texts.{code}.yaml").read_text(encoding="utf-8")
    return Language(code, own_yaml(text))
