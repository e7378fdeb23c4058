"""Looks at files of weights without reading them whole: headers, names, some of the values."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from strategies.errors import ModelError, all_at_once

_AGAIN = "Copy or download it again."
# What stands at the beginning of a file that is saved in place of another.
_KINDS = (
    (b"version https://git-lfs", "a pointer of git-lfs: run `git lfs pull` in its folder"),
    (b"<", "a web page, perhaps a login or an error: download the file itself"),
    (b"PK\x03\x04", "a zip archive, as PyTorch's own format is"),
    (b"\x80", "a Python pickle, as PyTorch's own format is"),
    (b"GGUF", "a GGUF file: name it *.gguf and give its path as the model"),
)
# Values looked at in each of three places of a tensor, and tensors of a file at most.
_SAMPLE, _MOST_TENSORS = 1024, 400
_FLOATS = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2"}
_BF16_EXPONENT = 0x7F80
# Versions of the format that exist: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
# (2026-11-30). Nothing writes version 1 any more.
_GGUF_VERSIONS = (2, 3)


class Tensor(NamedTuple):
    """What the header of a safetensors file says of one tensor."""

    dtype: str
    shape: tuple[int, ...]
    start: int
    end: int


def what_it_is(file: Path) -> str:
    """What a file seems to be by its first bytes; "" where they do not tell."""
    with file.open("rb") as opened:
        head = opened.read(64)
    if not head:
        return "an empty file"
    return next((kind for start, kind in _KINDS if head.lstrip().startswith(start)), "")


# ---------------------------------------------------------------- safetensors


def tensors_of(folder: Path) -> dict[str, Tensor]:
    """What the weights of a model's folder are made of, by name.

    Reads ``model.safetensors``, or else what ``model.safetensors.index.json`` lists, as
    transformers does, and looks at a sample of the values.

    Raises:
        ModelError: a file is missing, damaged or not whole, or values are no numbers.
    """
    files = _weight_files(folder)
    found: dict[str, Tensor] = {}
    all_at_once(*(partial(_collect, file, found) for file in files))
    return found


def _collect(file: Path, found: dict[str, Tensor]) -> None:
    found.update(check_safetensors(file))


def check_safetensors(file: Path) -> dict[str, Tensor]:
    """The tensors of one safetensors file by name.

    Raises:
        ModelError: it is damaged or not whole, or values are NaN or infinite.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, framework="np"):
            pass
    except (SafetensorError, OSError) as error:
        kind = what_it_is(file)
        said = str(error).removeprefix("Error while deserializing header: ")
        why = f"it is {kind}" if kind else f"{said}; it has {file.stat().st_size:,} bytes"
        raise ModelError(
            f"{file}: the safetensors are damaged or not whole ({why}). {_AGAIN}"
        ) from None
    with file.open("rb") as opened:
        (length,) = struct.unpack("<Q", opened.read(8))
        header = json.loads(opened.read(length))
    header.pop("__metadata__", None)
    tensors = {name: _tensor(entry, 8 + length) for name, entry in header.items()}
    _refuse_no_numbers(file, tensors)
    return tensors


def _tensor(entry: dict[str, Any], offset: int) -> Tensor:
    start, end = (offset + place for place in entry["data_offsets"])
    return Tensor(entry["dtype"], tuple(entry["shape"]), start, end)


def _weight_files(folder: Path) -> list[Path]:
    whole, index = folder / "model.safetensors", folder / "model.safetensors.index.json"
    if whole.is_file():
        return [whole]
    if index.is_file():
        return _shards(index)
    there = sorted(file.name for file in folder.glob("*.safetensors"))
    raise ModelError(
        f"{folder} holds {', '.join(there[:3])}, but neither model.safetensors nor "
        "model.safetensors.index.json, which says what lies in which file. Download the index as "
        "well, or give a file that holds the whole model that name."
    )


def _shards(index: Path) -> list[Path]:
    places = read_object(index).get("weight_map")
    if not isinstance(places, dict) or not places:
        raise ModelError(f"{index} lists no files: it has no weight_map. {_AGAIN}")
    names = sorted({str(name) for name in places.values()})
    outside = [name for name in names if Path(name).name != name or name in ("", ".", "..")]
    if outside:
        raise ModelError(
            f"{index} names {', '.join(outside[:3])}, which is no file of its folder. Weights are "
            "read from the model's own folder alone; correct the index or download it again."
        )
    missing = [name for name in names if not (index.parent / name).is_file()]
    if missing:
        raise ModelError(
            f"{index} lists {len(names)} files, and these are missing: {', '.join(missing[:5])}"
            f"{', …' if len(missing) > 5 else ''}. Download them into {index.parent}."
        )
    return [index.parent / name for name in names]


def _refuse_no_numbers(file: Path, tensors: dict[str, Tensor]) -> None:
    names = [name for name in tensors if name.endswith((".weight", ".bias"))]
    wrong = []
    with file.open("rb") as opened:
        for name in names[:: max(1, len(names) // _MOST_TENSORS)]:
            if not all(_finite(tensors[name].dtype, raw) for raw in _sample(opened, tensors[name])):
                wrong.append(name)
    if wrong:
        raise ModelError(
            f"{file}: {len(wrong)} of the tensors looked at hold NaN or infinity, such as "
            f"{wrong[0]}. A model answers nothing with them: its training has diverged, or the "
            "file is damaged. Take an earlier checkpoint, or download it again."
        )


def _sample(opened: Any, tensor: Tensor) -> Iterator[bytes]:
    """Bytes of values at the beginning, in the middle and at the end of a tensor."""
    import numpy as np

    if tensor.dtype not in _FLOATS:
        return
    size = np.dtype(_FLOATS[tensor.dtype]).itemsize
    values = (tensor.end - tensor.start) // size
    last = max(0, values - _SAMPLE)
    for place in sorted({0, last // 2, last}):
        opened.seek(tensor.start + place * size)
        yield opened.read(min(values, _SAMPLE) * size)


def _finite(dtype: str, raw: bytes) -> bool:
    import numpy as np

    values = np.frombuffer(raw, _FLOATS[dtype])
    if dtype == "BF16":
        return not bool(((values & _BF16_EXPONENT) == _BF16_EXPONENT).any())
    return bool(np.isfinite(values).all())


# ---------------------------------------------------------------- GGUF


def check_gguf_start(gguf: Path) -> None:
    """Check the first bytes of a GGUF file.

    Raises:
        ModelError: it is no GGUF file, or of a version that is not read.
    """
    with gguf.open("rb") as opened:
        head = opened.read(8)
    if head[:4] != b"GGUF" or len(head) < 8:
        kind = what_it_is(gguf) or "something else"
        raise ModelError(
            f"{gguf} cannot be loaded as a model: it does not begin as GGUF files do; it is "
            f"{kind}. {_AGAIN}"
        )
    little, big = struct.unpack("<I", head[4:])[0], struct.unpack(">I", head[4:])[0]
    if little not in _GGUF_VERSIONS:
        what = "big-endian" if big in _GGUF_VERSIONS else f"of version {little}"
        raise ModelError(
            f"{gguf} cannot be loaded as a model: it is a GGUF file {what}, and little-endian "
            "files of version 2 or 3 are read. Convert it again with a current llama.cpp."
        )


def check_gguf(gguf: Path) -> None:
    """Check that all tensors of a GGUF file are there; this takes seconds.

    Raises:
        ModelError: it is no GGUF file, damaged or not whole.
    """
    from gguf import GGUFReader

    check_gguf_start(gguf)
    try:
        tensors = GGUFReader(gguf).tensors
    except (OSError, ValueError, LookupError, TypeError, OverflowError, struct.error) as error:
        raise ModelError(
            f"{gguf} cannot be loaded as a model: it is damaged or not whole ({error}). It has "
            f"{gguf.stat().st_size:,} bytes. {_AGAIN}"
        ) from error
    if not tensors:
        raise ModelError(
            f"{gguf} cannot be loaded as a model: it holds a vocabulary or metadata alone and no "
            "weights. Take the file of the whole model."
        )


# ---------------------------------------------------------------- JSON


def read_object(path: Path) -> dict[str, Any]:
    """The object that a JSON file of a model holds.

    Raises:
        ModelError: it is no JSON, or something else than an object.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        kind = what_it_is(path) if path.is_file() else ""
        raise ModelError(
            f"{path} is no JSON ({f'it is {kind}' if kind else error}). {_AGAIN}"
        ) from None
    if not isinstance(values, dict):
        name = "a list" if isinstance(values, list) else repr(values)[:40]
        raise ModelError(f"{path} must hold a JSON object and holds {name}. {_AGAIN}")
    return values
