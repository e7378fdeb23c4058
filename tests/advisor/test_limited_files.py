"""YAML and JSON of strangers: a value, or one error with its line, in little time."""

from __future__ import annotations

import math
import time
from itertools import pairwise
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from advisor.errors import AnswersError, EstimateError, FlowchartError
from advisor.estimates.prices import load_prices
from advisor.estimates.shapes import load_shape
from advisor.flowchart import load_flowchart
from advisor.limited_files import FILE_LIMIT_BYTES, FileError, json_data, read_text, yaml_data
from advisor.questionnaire import load_answers

_DEEP = 200_000
_NAMES = "abcdefghi"


def _bomb(first: str, form: str) -> str:
    """Nine lines, each of which stands for ten times the one before."""
    lines = [f"a: &a {first}"]
    for before, name in pairwise(_NAMES):
        lines.append(f"{name}: &{name} " + form.format(", ".join([f"*{before}"] * 10)))
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (_bomb("[lol, lol]", "[{}]"), "aliases"),
        (_bomb("{x: 1}", "{{<<: [{}]}}"), "aliases"),
        ("a: &a " + "x" * 100_000 + "\nb: [" + "*a, " * 1_000 + "]", "aliases"),
        ("&a [*a]", r"line 1: \*a stands inside what it stands for"),
        ("[*a]", "line 1: found undefined alias"),
        ("[" * _DEEP, "line 1: is nested deeper than 64 levels"),
        ("{a: " * _DEEP, "line 1: is nested deeper than 64 levels"),
        ("- " * _DEEP, "line 1: is nested deeper than 64 levels"),
        ("? " * _DEEP, "line 1: is nested deeper than 64 levels"),
        ("\n".join(" " * n + "a:" for n in range(500)), "line 65: is nested deeper"),
        ("a: 1\nb: !!int ''", "line 2: '' fits no type"),
        ("a: 1\nb: 2026-13-45", "line 2: '2026-13-45' fits no type"),
        ("a: " + "9" * 5_000, "line 1: a number of 5,000 characters"),
        ("a: 0b" + "1" * 100_000, "a number of 100,002 characters"),
        ("a: " + "1:" * 100_000 + "1", "a number of 200,001 characters"),
        ("a: 1\n.nan: 2", "line 2: the name '.nan' is not text; write it in quotes"),
        ("no: 2", "the name 'no' is not text"),
        ("{a: 1}: 2", "line 1: a list or a mapping stands where a name belongs"),
        ("a: 1\nb: 2\na: 3", "line 3: 'a' is there twice, first in line 1"),
        ("{a: 1, a: 2}", "'a' is there twice"),
        ("a: \x00", r"line 1: holds the control character '\\x00'"),
        ('a: "\\0"', r"line 1: a text holds '\\x00'"),
        ('a: "\\ud800"', "line 1: "),
        ("a: !!python/object/apply:os.system [x]", "the tag '!!python/object/apply:os.system' is"),
        ("a: !function f.g", "the tag '!function' is not allowed"),
        ("a:\n\tb: 1", "line 2: .*indent with spaces, not with tabs"),
        ("a: 1\n---\nb: 1", "another document"),
        ("".join(f"%TAG !{n}! tag:{n}\n" for n in range(50_000)) + "--- a", "begin with %"),
        ("[" + "a," * 1_000_000 + "]", "more than 100,000 values"),
    ],
    ids=lambda text: text[:24],
)
def test_hostile_yaml_is_one_error_with_its_line_in_little_time(text: str, says: str) -> None:
    before = time.process_time()
    with pytest.raises(FileError, match=says):
        yaml_data(text)
    assert time.process_time() - before < 2


@pytest.mark.parametrize(
    "text",
    [
        "a: &a {x: 1, y: [1, 2.5, true, null, '1', 2026-01-31]}\nb: {<<: *a, x: 2}\nc: *a",
        "just text",
        "",
        "- |\n  several\n  lines\n- >-\n  folded\n- 'é 日本 😀'",
        '{"json": [1, {"too": "\\u00e9"}]}',
        "a: !!str 1\nb: !!set {x, y}",
    ],
)
def test_ordinary_yaml_is_read_as_before(text: str) -> None:
    assert yaml_data(text) == yaml.safe_load(text)


@pytest.mark.parametrize("brackets", [("[", "]"), ("{a: ", "}")])
def test_sixty_four_levels_are_read_and_sixty_five_are_not(brackets: tuple[str, str]) -> None:
    opening, closing = brackets
    for read, level in ((yaml_data, opening), (json_data, opening.replace("a", '"a"'))):
        assert read(level * 64 + "1" + closing * 64)
        with pytest.raises(FileError, match="nested deeper than 64 levels"):
            read(level * 65 + "1" + closing * 65)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_a_text_is_read_in_every_encoding_with_a_mark(tmp_path: Path, encoding: str) -> None:
    file = tmp_path / "file"
    file.write_bytes("a: é\r\nb: 1\r\n".encode(encoding))
    assert yaml_data(read_text(file)) == {"a": "é", "b": 1}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"a: 1\n\xff\xfa", "line 2: is not UTF-8 text"),
        (b"\xff\xfea", "is not UTF-8 text"),
        (b" " * (FILE_LIMIT_BYTES + 1), "is larger than 5,000,000 bytes"),
    ],
)
def test_what_is_no_text_or_too_large_is_refused(tmp_path: Path, content: bytes, says: str) -> None:
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(FileError, match=says):
        read_text(tmp_path / "file")


def test_a_file_of_a_gigabyte_is_refused_without_reading_it(tmp_path: Path) -> None:
    with (tmp_path / "file").open("wb") as stream:
        stream.truncate(10**9)
    before = time.process_time()
    with pytest.raises(FileError, match="is larger than"):
        read_text(tmp_path / "file")
    assert time.process_time() - before < 1


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[" * _DEEP, "nested deeper"),
        ('{"a": ' * 100 + "1" + "}" * 100, "nested deeper"),
        ("[1,\nNaN]", "NaN is not a number that can be used"),
        ("[-Infinity]", "-Infinity is not a number"),
        ("[1e999]", "'1e999' is too large a number"),
        ("[" + "9" * 5_000 + "]", "digits"),
        ("{'a': 1}", "line 1: Expecting property name"),
        ("", "line 1: Expecting value"),
    ],
    ids=lambda text: text[:12],
)
def test_hostile_json_is_one_error(text: str, says: str) -> None:
    with pytest.raises(FileError, match=says):
        json_data(text)


_PIECES = st.lists(
    st.sampled_from(
        ["a", ": ", "\n", " ", "- ", "? ", "[", "]", "{", "}", ", ", "&a ", "*a", "<<: ", "!!int ",
         "!!timestamp ", "!!map ", "!!omap ", "!!binary ", "!x ", "'", '"', "\\", "|\n", "%TAG ",
         "---\n", "\t", "#", "2026-13-45", "1:1", "0x", ".nan", "~", "é", "\x00", "9" * 5_000,
         "[" * 100, "1e999"]
    ),
    max_size=60,
).map(lambda pieces: "".join(pieces).encode())  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.one_of(_PIECES, st.binary(max_size=200)))
def test_any_bytes_are_a_value_or_the_one_error(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    file = tmp_path_factory.getbasetemp() / "fuzzed"
    file.write_bytes(content)
    before = time.process_time()
    for read in (yaml_data, json_data):
        try:
            repr(read(read_text(file)))
        except FileError as error:
            assert "\n" not in str(error)
    assert time.process_time() - before < 2


_HOSTILE = ("[" * _DEEP, _bomb("[lol, lol]", "[{}]"), "a: !!int ''", "a: 2026-13-45", "a: \x00")


@pytest.mark.parametrize("text", _HOSTILE, ids=lambda text: text[:12])
def test_every_reader_of_the_advisor_says_it_in_its_own_error(tmp_path: Path, text: str) -> None:
    file = tmp_path / "file.yaml"
    file.write_text(text)
    for read, kind in (
        (load_answers, AnswersError),
        (load_flowchart, FlowchartError),
        (load_prices, EstimateError),
    ):
        with pytest.raises(kind, match="line ") as caught:
            read(file)
        assert str(caught.value).startswith(str(file))


def test_a_deep_config_of_a_model_is_one_error(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("[" * _DEEP)
    with pytest.raises(EstimateError, match="nested deeper"):
        load_shape(tmp_path)


def test_numbers_stay_finite() -> None:
    assert json_data("[1.5, 1e300, 10]") == [1.5, 1e300, 10]
    assert math.isinf(yaml_data(".inf"))
