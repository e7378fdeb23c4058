"""In which language a command speaks."""

from __future__ import annotations

from enum import StrEnum


class Lang(StrEnum):
    """Languages of questions and advice."""

    en = "en"
    ja = "ja"
