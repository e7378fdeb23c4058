"""Says what pydantic found wrong with a value, in the words of its user."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

_SHOWN_CHARACTERS = 60
# More problems than anybody reads at once; a file with one slip in every line has thousands.
PROBLEMS_SHOWN = 20
# What pydantic calls the branches of a union is no place in a file.
_BRANCH = re.compile(r"[\w-]+[\[(].*[\])]|function-\w+|constrained-\w+|str|int|float|bool")
_Context = Mapping[str, Any]
_Words = Callable[[Any, _Context], str]

Place = tuple[int | str, ...]


def plain_errors(error: ValidationError, model: type[BaseModel]) -> Iterator[tuple[Place, str]]:
    """The place of every error, and a message with the name of the field.

    Args:
        error: what pydantic raised.
        model: what was validated; its fields are listed where one is unknown.
    """
    for entry in error.errors(include_url=False):
        place = entry["loc"]
        context = {**entry.get("ctx", {}), "fields": _fields(model, place[:-1])}
        words = _WORDS.get(entry["type"], _any_other)
        field = ".".join(_in_place(part) for part in place if not _BRANCH.fullmatch(str(part)))
        yield place, f"{field or 'content'}: {words(entry['input'], context)}"


def plain_problems(error: ValidationError, model: type[BaseModel]) -> list[str]:
    """Every message of `plain_errors`, those of one place in one line.

    A value that may be of several types is wrong once for each of them: those are joined by "or".
    A list whose items are wrong is also called too short; that is left out. Beyond the first
    `PROBLEMS_SHOWN` they are counted.
    """
    said: dict[str, list[str]] = {}
    for _, message in plain_errors(error, model):
        field, _, words = message.partition(": ")
        if words not in said.setdefault(field, []):
            said[field].append(words)
    fields = sorted(said)
    told = [
        f"{field}: {_joined(words)}"
        for field, words in said.items()
        if not _begins_another(f"{field}.", fields)
    ]
    more = len(told) - PROBLEMS_SHOWN
    return told if more <= 0 else [*told[:PROBLEMS_SHOWN], f"and {more:,} more problems"]


def _begins_another(start: str, fields: Sequence[str]) -> bool:
    """Whether one of many sorted fields begins so."""
    place = bisect_left(fields, start)
    return place < len(fields) and fields[place].startswith(start)


def _in_place(part: int | str) -> str:
    """A name of the user's file, or what Python writes for one that cannot be printed."""
    return _cut(part if isinstance(part, str) and part.isprintable() else repr(part))


def _joined(words: Sequence[str]) -> str:
    """What several types want of one value, which is named once."""
    if len(words) == 1:
        return words[0]
    leads, tails = zip(*(each.partition("; ")[::2] for each in words), strict=True)
    return f"{leads[0]}; {' or '.join(tails)}" if len(set(leads)) == 1 else " or ".join(words)


def _fields(model: type[BaseModel], place: Place) -> tuple[str, ...]:
    """The fields of a model, or of the one at a place in it."""
    found: Any = model
    for part in place:
        if isinstance(part, str):
            known = getattr(found, "model_fields", {})
            found = known[part].annotation if part in known else None
        elif get_args(found):
            found = get_args(found)[0]
    return tuple(getattr(found, "model_fields", ()))


def _not_text(value: Any, context: _Context) -> str:
    if value is None:
        return "is empty; write text, or leave it out"
    if isinstance(value, list | dict):
        return f"holds {_kind(value)}; expected a text"
    # YAML reads no, yes, on and 1 as something else than text: no is also Norwegian's code.
    return f"{_shown(value)} is not text; write it in quotes"


def _kind(value: Any) -> str:
    return "a list" if isinstance(value, list | tuple) else "an object"


def _named(value: Any) -> str:
    if value is None:
        return "is empty"
    return (
        f"holds {_kind(value)}" if isinstance(value, list | dict | tuple) else f"is {_shown(value)}"
    )


def _unknown(value: Any, context: _Context) -> str:
    allowed = ", ".join(context["fields"])
    return "is no known field" + (f"; allowed: {allowed}" if allowed else "; take it out")


def _choice(value: Any, context: _Context) -> str:
    return f"{_named(value)}; allowed: {context.get('expected', 'another value')}"


def _too_short(value: Any, context: _Context) -> str:
    if not value:
        return "is empty; write something, or leave it out"
    return f"is too short; at least {context.get('min_length', 1)} are needed"


def _too_long(value: Any, context: _Context) -> str:
    return f"is too long; at most {context.get('max_length', 'fewer')} are allowed"


def _bound(word: str, name: str) -> _Words:
    return lambda value, context: f"{_named(value)}; it has to be {word} {_number(context, name)}"


def _number(context: _Context, name: str) -> str:
    bound = context.get(name)
    return f"{bound:g}" if isinstance(bound, float) else str(bound)


def _expected(what: str) -> _Words:
    return lambda value, context: f"{_named(value)}; expected {what}"


def _own_words(value: Any, context: _Context) -> str:
    # Our own models say what is wrong; pydantic only passes it on.
    return str(context.get("error") or "cannot be used")


def _any_other(value: Any, context: _Context) -> str:
    return f"{_named(value)}, which cannot be used here"


def _shown(value: object) -> str:
    """A value as a message may quote it: on one line, and not too long."""
    if isinstance(value, str | bytes):
        value = value[:_SHOWN_CHARACTERS]
    try:
        return _cut(repr(value))
    except ValueError:  # Python writes no whole number of more than 4,300 digits.
        return "a number of very many digits"


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 1] + "…"


_LIST, _OBJECT = _expected("a list"), _expected("fields with their values")
_WHOLE, _NUMBER = _expected("a whole number"), _expected("a number")
_YES_NO = _expected("true or false")

# By the type of pydantic's error; all others are told as a value that cannot be used.
_WORDS: dict[str, _Words] = {
    "missing": lambda value, context: "is missing; write it",
    "extra_forbidden": _unknown,
    "string_type": _not_text,
    "string_sub_type": _not_text,
    "string_unicode": _expected("whole characters"),
    "string_too_short": _too_short,
    "string_too_long": _too_long,
    "too_short": _too_short,
    "too_long": _too_long,
    "literal_error": _choice,
    "enum": _choice,
    "none_required": _expected("nothing"),
    "greater_than": _bound("greater than", "gt"),
    "greater_than_equal": _bound("at least", "ge"),
    "less_than": _bound("less than", "lt"),
    "less_than_equal": _bound("at most", "le"),
    "finite_number": _expected("a finite number"),
    "json_invalid": lambda value, context: f"is no JSON: {context.get('error')}",
    "value_error": _own_words,
    "assertion_error": _own_words,
} | {
    kind: words
    for words, kinds in (
        (_LIST, "list_type tuple_type set_type frozen_set_type iterable_type"),
        (_OBJECT, "dict_type mapping_type model_type model_attributes_type dataclass_type"),
        (_WHOLE, "int_type int_parsing int_parsing_size int_from_float"),
        (_NUMBER, "float_type float_parsing decimal_type decimal_parsing"),
        (_YES_NO, "bool_type bool_parsing"),
    )
    for kind in kinds.split()
}
