"""Broken and hostile variants of valid files, drawn from a seed."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import yaml

VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 1.5, 1e308, float("inf"), float("-inf"), float("nan"), 10**30,
    2**63, "", " ", ".", "..", "../../x", "/etc/passwd", "con", "\x00", "a\nb", "\r", "é",
    "e\u0301",
    "\x1b]0;owned\x07", "\x1b[2J", "\x9b31m", "[red]x[/red]", "[/nonsense]", "[link=http://x]y[/link]",
    "\u202egnp.exe", "\ufeff", "\ud800", "<script>x</script>", "`x`", "| a | b |", "%s %d {0} {x}",
    "^(a+)+$", "(", "lm-eval:x.yaml", "2026-13-45", "nan", ".inf", "0x10", "1_000", "x" * 5_000,
    [], [[]], [None], [{}], {}, {"": ""}, {"a": {"b": {"c": []}}}, ["a", 1, None, {}],
    ["../../x"], ["a"] * 300,
)  # fmt: skip

CHUNKS: tuple[bytes, ...] = (
    b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b"\xed\xa0\x80", b"\xc3", b"\r", b"\n\n", b"\t", b'"',
    b"'", b",", b";", b":", b": ",
    b"- ", b"{", b"}", b"[", b"]", b"#", b"&a [*a]", b"*a", b"<<: *a",
    b"!!int ''", b"!!python/object:os.system x", b"!!binary x", b"? [a]\n: b", b"? {}\n: b",
    b"a: 2026-13-45\n", b"x: " + b"9" * 5_000, b"[" * 2_000, b"{a: " * 2_000, b"- " * 2_000,
    b"NaN", b"-Infinity", b"1e999", b"\\ud800", b"\\u0000", b"null", b"true", b"...\n---\n",
    b"&a ['x']\nb: &b [*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b]\nd: [*c,*c,*c,*c,*c,*c]\n",
    b"!function x.y", b"include: ../x.yaml\n", b"\x1b]0;owned\x07", b"%YAML 9.9\n", b"sep=;\n",
)  # fmt: skip


def broken_bytes(content: bytes, drawing: random.Random) -> bytes:
    """The content with one to four faults: cut, flipped, repeated, or with a chunk put in."""
    for _ in range(drawing.randint(1, 4)):
        at = drawing.randint(0, len(content))
        upto = min(len(content), at + drawing.choice((1, 1, 8, 64, 512)))
        fault = drawing.randrange(6)
        if fault == 0:
            content = content[:at]
        elif fault == 1 and at < len(content):
            flipped = content[at] ^ (1 << drawing.randrange(8))
            content = content[:at] + bytes([flipped]) + content[at + 1 :]
        elif fault == 2:
            content = content[:upto] + content[at:]
        elif fault == 3:
            content = content[:at] + content[upto:]
        else:
            content = content[:at] + drawing.choice(CHUNKS) + content[at:]
    return content


def broken_data(data: Any, drawing: random.Random) -> Any:
    """A copy of nested data in which one to three values or keys are others."""
    made = json.loads(json.dumps(data, default=str))
    for _ in range(drawing.randint(1, 3)):
        places = _places(made)
        if not places:
            return deepcopy(drawing.choice(VALUES))
        holder, key = drawing.choice(places)
        fault = drawing.randrange(8)
        if fault == 0:
            del holder[key]
        elif fault == 1 and isinstance(holder, dict):
            holder[str(drawing.choice(VALUES))] = holder.pop(key)
        elif fault == 2 and isinstance(holder, list):
            holder.extend(holder[:])
        else:
            holder[key] = deepcopy(drawing.choice(VALUES))
    return made


def _places(data: Any) -> list[tuple[Any, Any]]:
    """Every holder (a mapping or a list) with every key of it."""
    found: list[tuple[Any, Any]] = []
    waiting = [data]
    while waiting:
        holder = waiting.pop()
        keys = holder.keys() if isinstance(holder, dict) else range(len(holder))
        found += [(holder, key) for key in keys]
        waiting += [
            holder[key] for key in keys if isinstance(holder[key], (dict, list)) and holder[key]
        ]
    return found


def _as_yaml(data: Any) -> bytes:
    return yaml.safe_dump(data, allow_unicode=True).encode("utf-8", "surrogatepass")


def _as_json(data: Any) -> bytes:
    return json.dumps(data).encode()


def broken_yaml(content: bytes, drawing: random.Random) -> bytes:
    """A valid YAML file, broken in its bytes or in its values."""
    return _broken(content, drawing, lambda: yaml.safe_load(content), _as_yaml)


def broken_json(content: bytes, drawing: random.Random) -> bytes:
    """A valid JSON file, broken in its bytes or in its values."""
    return _broken(content, drawing, lambda: json.loads(content), _as_json)


def broken_jsonl(content: bytes, drawing: random.Random) -> bytes:
    """A valid file of JSON lines in which one line is broken."""
    lines = content.splitlines(keepends=True)
    if not lines:
        return broken_bytes(content, drawing)
    at = drawing.randrange(len(lines))
    lines[at] = broken_json(lines[at].strip(), drawing) + b"\n"
    return b"".join(lines)


def _broken(
    content: bytes,
    drawing: random.Random,
    read: Callable[[], Any],
    write: Callable[[Any], bytes],
) -> bytes:
    if drawing.random() < 0.5:
        return broken_bytes(content, drawing)
    made = write(broken_data(read(), drawing))
    return broken_bytes(made, drawing) if drawing.random() < 0.1 else made


BY_SUFFIX = {
    ".yaml": broken_yaml, ".yml": broken_yaml, ".json": broken_json, ".jsonl": broken_jsonl,
}  # fmt: skip


def broken(name: str, content: bytes, drawing: random.Random) -> bytes:
    """A variant of a file, by the ending of its name; other files are broken in their bytes."""
    try:
        return BY_SUFFIX.get(f".{name.rpartition('.')[2]}", broken_bytes)(content, drawing)
    except (ValueError, yaml.YAMLError):
        return broken_bytes(content, drawing)  # It was not valid to begin with.
