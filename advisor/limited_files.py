"""Reads YAML and JSON files that anybody may have written: a value, or one clear error.

A small file can be made to exhaust memory (aliases of aliases), the stack (hundreds of thousands
of brackets) or the clock (numbers of many digits). Every such file is refused with its line.
"""

from __future__ import annotations

import codecs
import json
import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

import yaml
from yaml.composer import Composer
from yaml.constructor import SafeConstructor
from yaml.resolver import Resolver

FILE_LIMIT_BYTES = 5_000_000
# Real files have at most 10 levels, and what reads their values calls itself for each of them.
DEPTH_LIMIT = 64
# Values of a file with its aliases written out; a long text counts as several.
SIZE_LIMIT = 100_000
NUMBER_LIMIT_CHARACTERS = 400

_CHARACTERS_A_VALUE = 100
_DIRECTIVE_LIMIT = 10
_SHOWN_CHARACTERS = 60
# The mark of UTF-32 begins with that of UTF-16.
_BYTE_ORDER_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NO_CHARACTER = re.compile("[\0\ud800-\udfff]")
# libyaml compares each of these lines with all before it.
_DIRECTIVE = re.compile("^%", re.MULTILINE)
_TAB_INDENT = re.compile(r" *\t")
_NUMBERS = frozenset({"tag:yaml.org,2002:int", "tag:yaml.org,2002:float"})
_KEYS = frozenset({"tag:yaml.org,2002:str", "tag:yaml.org,2002:merge", "tag:yaml.org,2002:value"})
# What PyYAML lets out of a date that no calendar has, or of "!!int" before no number.
_VALUE_ERRORS = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError)


class FileError(ValueError):
    """What is wrong with a file, to be shown after the file's name.

    Attributes:
        said: what is wrong and what to do.
        line: where, counted from 1; None where no line can be named.
    """

    def __init__(self, said: str, line: int | None = None) -> None:
        super().__init__(said if line is None else f"line {line}: {said}")
        self.said = said
        self.line = line


def read_text(path: Path, limit_bytes: int = FILE_LIMIT_BYTES) -> str:
    """The text of a file in UTF-8, or in UTF-16 or UTF-32 with a byte order mark.

    Raises:
        OSError: it cannot be read.
        FileError: it is a folder, too large, or no text.
    """
    try:
        with path.open("rb") as stream:
            content = stream.read(limit_bytes + 1)
    except IsADirectoryError:
        raise FileError("is a folder, and a file belongs there") from None
    if len(content) > limit_bytes:
        raise FileError(
            f"is larger than {limit_bytes:,} bytes, the most that is read of such files"
        )
    marks = (name for mark, name in _BYTE_ORDER_MARKS.items() if content.startswith(mark))
    try:
        text = content.decode(next(marks, "utf-8"))
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise FileError("is not UTF-8 text; save the file as UTF-8", line) from None
    return text.replace("\r\n", "\n").replace("\r", "\n")


def yaml_data(text: str, tags: Mapping[str, Callable[[str], Any]] | None = None) -> Any:
    """The value of a YAML text, made of plain types; names in its mappings are text and differ.

    Args:
        text: of the file.
        tags: further tags that a single value may have, and what makes a value of its text.

    Raises:
        FileError: it is no YAML, or is larger or nested deeper than such files are.
    """
    _refuse_characters(text)
    if sum(1 for _ in _DIRECTIVE.finditer(text)) > _DIRECTIVE_LIMIT:
        raise FileError("has too many lines that begin with %; leave them out")
    try:
        loader = _Loader(text, tags or {})
        try:
            return loader.get_single_data()
        finally:
            loader.dispose()
    except FileError:
        raise
    except yaml.MarkedYAMLError as error:
        raise _as_problem(error, text) from None
    except (yaml.YAMLError, RecursionError, *_VALUE_ERRORS) as error:
        raise FileError(_one_line(str(error))) from None


def own_yaml(text: str) -> Any:
    """The value of a YAML file of this project, read without limits in half the time."""
    return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def json_data(text: str | bytes) -> Any:
    """The value of a JSON text; all its numbers are finite.

    Raises:
        FileError: it is no JSON, or is nested deeper than such files are.
    """
    try:
        value = json.loads(text, parse_constant=_refuse_constant, parse_float=_finite)
    except FileError:
        raise
    except RecursionError:
        raise _too_deep(None) from None
    except json.JSONDecodeError as error:
        raise FileError(f"{error.msg} at column {error.colno}", error.lineno) from None
    except ValueError as error:
        raise FileError(_one_line(str(error))) from None
    level = [value]
    for _ in range(DEPTH_LIMIT):
        level = [part for each in level for part in _parts(each)]
    if any(isinstance(each, dict | list) for each in level):
        raise _too_deep(None)
    return value


def _parts(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []


def _refuse_constant(name: str) -> NoReturn:
    raise FileError(f"{name} is not a number that can be used")


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise FileError(f"{_shown(digits)} is too large a number")
    return value


def _refuse_characters(text: str) -> None:
    wrong = _UNPRINTABLE.search(text)
    if wrong is not None:
        line = text.count("\n", 0, wrong.start()) + 1
        raise FileError(
            f"holds the control character {wrong.group()!a}, so that it is no text file", line
        )


def _as_problem(error: yaml.MarkedYAMLError, text: str) -> FileError:
    mark = error.problem_mark or error.context_mark
    if mark is None:
        return FileError(str(error.problem))
    lines = text.splitlines()
    near = lines[mark.line] if mark.line < len(lines) else ""
    hint = "; indent with spaces, not with tabs" if _TAB_INDENT.match(near) else ""
    return FileError(f"{_one_line(str(error.problem))}{hint}", mark.line + 1)


def _too_deep(line: int | None) -> FileError:
    return FileError(f"is nested deeper than {DEPTH_LIMIT} levels", line)


def _one_line(text: str) -> str:
    return " ".join(text.split())[:200]


def _shown(value: str) -> str:
    quoted = repr(value)
    return quoted if len(quoted) <= _SHOWN_CHARACTERS else quoted[: _SHOWN_CHARACTERS - 1] + "…"


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _parts_of_loader() -> Any:
    if not yaml.__with_libyaml__:
        return yaml.SafeLoader

    from yaml._yaml import CParser

    # libyaml reads the text without recursion. Its own composer does recurse, and ends the
    # process when a text is nested deeply; PyYAML's stands before it here.
    class Parts(Composer, CParser, SafeConstructor, Resolver):
        def __init__(self, text: str) -> None:
            CParser.__init__(self, text)
            Composer.__init__(self)
            SafeConstructor.__init__(self)
            Resolver.__init__(self)

    return Parts


_Parts: Any = _parts_of_loader()


class _Loader(_Parts):  # type: ignore[misc]
    """PyYAML's safe loader, which counts what it composes before it makes values of it."""

    def __init__(self, text: str, tags: Mapping[str, Callable[[str], Any]]) -> None:
        super().__init__(text)
        self._tags = tags
        self._depth = 0
        self._size = 0
        self._sizes: dict[int, int] = {}

    def compose_node(self, parent: Any, index: Any) -> Any:
        event = self.peek_event()
        line = event.start_mark.line + 1
        if isinstance(event, yaml.AliasEvent):
            node = super().compose_node(parent, index)
            if id(node) not in self._sizes:
                raise FileError(f"*{event.anchor} stands inside what it stands for", line)
            self._grow(self._sizes[id(node)], line)
            return node
        before = self._size
        levels = 0 if isinstance(event, yaml.ScalarEvent) else 1
        self._depth += levels
        if self._depth > DEPTH_LIMIT:
            raise _too_deep(line)
        node = super().compose_node(parent, index)
        self._depth -= levels
        self._grow(1, line)
        if event.anchor is not None:
            self._sizes[id(node)] = self._size - before
        return node

    def compose_scalar_node(self, anchor: Any) -> Any:
        node = super().compose_scalar_node(anchor)
        self._grow(len(node.value) // _CHARACTERS_A_VALUE, _line(node))
        if node.tag in _NUMBERS and len(node.value) > NUMBER_LIMIT_CHARACTERS:
            raise FileError(f"a number of {len(node.value):,} characters", _line(node))
        if wrong := _NO_CHARACTER.search(node.value):
            said = f"a text holds {wrong.group()!a}, which is not a character"
            raise FileError(said, _line(node))
        return node

    def compose_mapping_node(self, anchor: Any) -> Any:
        node = super().compose_mapping_node(anchor)
        first: dict[str, int] = {}
        for key, _ in node.value:
            line = _line(key)
            if not isinstance(key, yaml.ScalarNode):
                raise FileError("a list or a mapping stands where a name belongs", line)
            if key.tag not in _KEYS:
                said = f"the name {_shown(key.value)} is not text; write it in quotes"
                raise FileError(said, line)
            if key.value in first:
                said = f"{_shown(key.value)} is there twice, first in line {first[key.value]}"
                raise FileError(f"{said}; keep one of them", line)
            first[key.value] = line
        return node

    def construct_object(self, node: Any, deep: bool = False) -> Any:
        try:
            if isinstance(node, yaml.ScalarNode) and node.tag in self._tags:
                return self._tags[node.tag](node.value)
            return super().construct_object(node, deep)
        except FileError:
            raise
        except _VALUE_ERRORS:
            said = _shown(node.value) if isinstance(node, yaml.ScalarNode) else "a list or mapping"
            raise FileError(
                f"{said} fits no type, or not its tag such as !!int; write text in quotes",
                _line(node),
            ) from None

    def construct_undefined(self, node: Any) -> NoReturn:
        tag = node.tag.replace("tag:yaml.org,2002:", "!!")
        raise FileError(f"the tag {_shown(tag)} is not allowed; leave it out", _line(node))

    def _grow(self, count: int, line: int) -> None:
        self._size += count
        if self._size > SIZE_LIMIT:
            raise FileError(
                f"holds more than {SIZE_LIMIT:,} values when its aliases (*name) are written out",
                line,
            )


_Loader.add_constructor(None, _Loader.construct_undefined)


def yaml_line(text: str, place: tuple[int | str, ...]) -> int | None:
    """The line (from 1) of a YAML text where a place of its value stands; None when unknown."""
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, RecursionError):
        return None
    line = None
    for part in place:
        if isinstance(node, yaml.MappingNode):
            found = [(key, inner) for key, inner in node.value if key.value == str(part)]
            if not found:
                break
            key, node = found[0]
            line = key.start_mark.line + 1
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int):
            if part >= len(node.value):
                break
            node = node.value[part]
            line = node.start_mark.line + 1
    return line
