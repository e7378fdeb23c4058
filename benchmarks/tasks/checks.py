"""Checks: rules in code that an open answer has to keep."""

from __future__ import annotations

import re
import time
from functools import lru_cache
from typing import Literal, Self

from pydantic import Field, model_validator

from benchmarks.tasks.languages import fold_case, whole_phrase, word_count
from benchmarks.tasks.limited_process import EndedError, FailedError, limited_process
from benchmarks.tasks.problems import shown
from strategies.data import Frozen
from strategies.errors import DataError

CheckKind = Literal["contains", "lacks", "matches", "lacks_pattern", "max_words", "min_words"]

PATTERN_LIMIT_SECONDS = 5.0
# For all patterns of a command; usual ones take a millisecond each.
COMPILING_LIMIT_SECONDS = 60.0
PATTERN_LIMIT_CHARACTERS = 10_000

_LETTERS_TRIED = 8

_FIELD_OF_KIND = {
    "contains": "any",
    "lacks": "any",
    "matches": "pattern",
    "lacks_pattern": "pattern",
    "max_words": "limit",
    "min_words": "limit",
}


class Check(Frozen):
    """One rule for an answer.

    Attributes:
        name: what a report calls it.
        kind: ``contains`` and ``lacks`` look for one of the phrases in `any`, ``matches`` and
            ``lacks_pattern`` search for the regular expression `pattern`, ``max_words`` and
            ``min_words`` compare the number of words with `limit`.
        any: phrases; letter case, runs of white space and curly quotes do not matter, and a
            phrase is found as whole words and whole numbers only. Between characters of a script
            without spaces between words it is found anywhere.
        pattern: a Python regular expression, searched with ``re.MULTILINE``.
        limit: words; characters where a script has no spaces between words.
    """

    name: str = Field(min_length=1)
    kind: CheckKind
    any: tuple[str, ...] = ()
    pattern: str = ""
    limit: int | None = Field(default=None, ge=0)

    @model_validator(mode="after")
    def _has_the_field_of_its_kind(self) -> Self:
        wanted = _FIELD_OF_KIND[self.kind]
        given = {name for name in ("any", "pattern", "limit") if name in self.model_fields_set}
        if given != {wanted}:
            raise ValueError(f"a check of kind {self.kind!r} takes {wanted!r} and nothing else")
        if wanted == "any" and not (self.any and all(phrase.strip() for phrase in self.any)):
            raise ValueError("'any' needs at least one phrase, none of them empty")
        return self

    @model_validator(mode="after")
    def _pattern_compiles(self) -> Self:
        if self.kind in ("matches", "lacks_pattern"):
            if not self.pattern:
                raise ValueError("'pattern' is empty")
            if len(self.pattern) > PATTERN_LIMIT_CHARACTERS:
                raise ValueError(
                    f"'pattern' is longer than {PATTERN_LIMIT_CHARACTERS:,} characters"
                )
            wrong = _why_not_compiled(self.pattern)
            if wrong:
                raise ValueError(f"pattern {shown(self.pattern)} {wrong}")
        return self

    def holds(self, text: str) -> bool:
        """Whether an answer keeps this rule.

        Raises:
            DataError: the search for the pattern does not end in time.
        """
        if self.kind in ("contains", "lacks"):
            found = any(_phrase(phrase).search(_plain(text)) for phrase in self.any)
            return found == (self.kind == "contains")
        if self.kind in ("matches", "lacks_pattern"):
            return found_in(self.pattern, text) == (self.kind == "matches")
        words = word_count(text)
        limit = self.limit or 0
        return words <= limit if self.kind == "max_words" else words >= limit


class _Compiling:
    """How long this process has waited for patterns to compile, in seconds."""

    spent = 0.0


@lru_cache(maxsize=4096)
def _why_not_compiled(pattern: str) -> str:
    r"""What is wrong with a pattern; "" where it compiles.

    It is compiled in a process that can be ended: 1,000 times ``[\0-\uffff]`` after ``(?i)`` take
    twelve seconds.
    """
    if _Compiling.spent > COMPILING_LIMIT_SECONDS:
        return "comes after others that took too long to compile; write those another way"
    begun = time.monotonic()
    try:
        limited_process().ask({"pattern": pattern, "text": ""}, PATTERN_LIMIT_SECONDS)
    except EndedError:
        return f"takes more than {PATTERN_LIMIT_SECONDS:g} seconds to compile"
    except FailedError as error:
        return f"does not compile: {error}"
    finally:
        _Compiling.spent += time.monotonic() - begun
    return ""


@lru_cache(maxsize=4096)
def found_in(pattern: str, text: str) -> bool:
    r"""Whether a pattern is found in a text, searched in a process that can be ended.

    A search in this process could not be stopped: for ``^(a+)+$`` the time doubles with every
    "a" before another letter. The package ``regex`` has a time limit, but its ``\w`` also takes
    the vowel signs of Hindi and 30,000 more characters that ``re`` does not, so that scores would
    change.

    Raises:
        DataError: it does not end in time. The answer is not called wrong, since that would make
            the score depend on the machine.
    """
    try:
        found = limited_process().ask({"pattern": pattern, "text": text}, PATTERN_LIMIT_SECONDS)
    except (EndedError, FailedError):
        raise DataError(
            f"The pattern {shown(pattern)} takes more than {PATTERN_LIMIT_SECONDS:g} seconds, or "
            f"too much memory, in the text {shown(text)}. It may repeat what is itself repeated, "
            "as in (a+)+: write it another way."
        ) from None
    return bool(found)


def try_pattern(pattern: str) -> None:
    """Search for a pattern in long runs of its own letters, where a bad one takes forever.

    Raises:
        DataError: a search does not end in time.
    """
    letters = dict.fromkeys(["a", *filter(str.isalnum, pattern)])
    for letter in list(letters)[:_LETTERS_TRIED]:
        found_in(pattern, letter * 50 + "\n" + f"{letter} " * 50 + "!")


def _plain(text: str) -> str:
    return " ".join(fold_case(text).split())


@lru_cache(maxsize=4096)
def _phrase(phrase: str) -> re.Pattern[str]:
    return whole_phrase(_plain(phrase))
