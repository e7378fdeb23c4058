"""The files of a model's folder that decide its answers, and their digest."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from pydantic import Field

from strategies.checked_files import (
    FileSum,
    damage,
    read_json,
    set_aside,
    share,
    sums_of,
    write_json,
)
from strategies.data import Frozen
from strategies.errors import ModelError
from strategies.hashing import sha256_of_data, sha256_of_file, sha256_of_files
from strategies.home import home

log = logging.getLogger(__name__)
# In a folder that we made: checksums of its files. Hidden, so that it is no part of the model.
SUMS = ".sha256.json"
# Files whose sizes, times and inodes stay the same are hashed again after this time: 500 MB take
# more than a second, and each worker asks for the digest when it starts.
HASHED_ANEW_SECONDS = 24 * 3600.0

# Weights in other formats than safetensors. Most can run code when they are read; none is read.
_OTHER_WEIGHTS = (
    "*.bin",
    "*.bin.index.json",
    "*.pt",
    "*.pth",
    "*.ckpt",
    "*.h5",
    "*.msgpack",
    "*.ot",
    "*.onnx",
    "*.onnx_data",
    "*.tflite",
    "*.gguf",
)
# No loader reads these. Anything else may be read: a tokenizer's vocabulary has many suffixes.
NOT_READ = (
    *_OTHER_WEIGHTS,
    "checkpoint-*/*",  # of a training that was interrupted
    "*.md",
    "README*",
    "*/README*",
    "LICENSE*",
    "*/LICENSE*",
    "LICENCE*",
    "*/LICENCE*",
    "NOTICE*",
    "*.pdf",
    "*.png",
    "*.jpg",
    "*.jpeg",
    "*.gif",
    "*.svg",
    "*.webp",
    "*.log",
    "*.lock",
    "*.pyc",
    ".*",  # caches and notes of git and the hub
    "*/.*",
)
# Written by a trainer beside the weights.
_TRAINER_FILES = ("training_args*", "optimizer*", "scheduler*", "rng_state*", "scaler*")

_CONVERT_MODEL = (
    "from transformers import AutoModelForCausalLM as M; "
    "M.from_pretrained('{folder}').save_pretrained('{folder}')"
)
_CONVERT_EMBEDDER = (
    "from sentence_transformers import SentenceTransformer as M; M('{folder}').save('{folder}')"
)


def read_files(folder: Path) -> list[Path]:
    """The files of a folder that a loader may read, sorted."""
    return sorted(file for file in _files(folder) if file.is_file() and _is_read(folder, file))


def _files(folder: Path) -> Iterator[Path]:
    """Files of a folder and of all folders in it; links are followed, and a loop of them ends."""
    seen = set()
    for place, folders, names in os.walk(folder, followlinks=True):
        seen.add(os.path.realpath(place))
        folders[:] = sorted(
            name for name in folders if os.path.realpath(Path(place, name)) not in seen
        )
        yield from (Path(place, name) for name in names)


def _is_read(folder: Path, file: Path) -> bool:
    name = file.relative_to(folder).as_posix()
    return not any(fnmatchcase(name, pattern) for pattern in NOT_READ)


def bytes_of(files: Sequence[Path]) -> int:
    """Size of some files together."""
    return sum(file.stat().st_size for file in files)


def has_weights(folder: Path) -> bool:
    """Whether a folder itself holds safetensors of a whole model."""
    return any(file.name != "adapter_model.safetensors" for file in folder.glob("*.safetensors"))


def refuse_other_weights(folder: Path) -> None:
    """Check that the folder of a whole model holds weights as safetensors.

    Raises:
        ModelError: it does not; the message names what is there and how to convert it.
    """
    if has_weights(folder):
        return
    found = other_weights(folder)
    if any(name.endswith(".gguf") for name in found):
        raise ModelError(
            f"{folder} holds no safetensors, but {_listed(found)}. Give the path of the GGUF file "
            "instead of its folder."
        )
    there = f"its weights are in {_listed(found)}" if found else "there are none"
    raise ModelError(
        f"{folder} holds no weights as safetensors; {there}. {_how_to_convert(folder)}"
    )


def refuse_other_weights_of_modules(folder: Path) -> None:
    """Check that no module of a sentence-transformers model has weights as ``.bin`` alone.

    Raises:
        ModelError: one has; the message says how to convert the model.
    """
    for file in sorted(folder.rglob("pytorch_model.bin")):
        if not has_weights(file.parent):
            raise ModelError(
                f"{file} is not read, and no safetensors lie beside it. {_how_to_convert(folder)}"
            )


def _how_to_convert(folder: Path) -> str:
    modules = (folder / "modules.json").is_file()
    code = (_CONVERT_EMBEDDER if modules else _CONVERT_MODEL).format(folder=folder)
    return (
        "Other formats are not read, because most of them can run code when they are loaded. "
        f'Convert weights that you trust with: python -c "{code}"'
    )


def other_weights(folder: Path) -> list[str]:
    """Names of the files in a folder that hold weights in other formats than safetensors."""
    return sorted(
        file.name
        for pattern in _OTHER_WEIGHTS
        for file in folder.glob(pattern)
        if not any(fnmatchcase(file.name, own) for own in _TRAINER_FILES)
    )


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


def digest_of_folder(folder: Path, files: Sequence[Path]) -> str:
    """Digest over relative names and contents of a folder's files."""
    return _remembered(files, lambda: sha256_of_files(folder, list(files)))


def digest_of_file(file: Path) -> str:
    """SHA-256 of a file's bytes."""
    return _remembered([file], lambda: sha256_of_file(file), "file")


def _remembered(files: Sequence[Path], digest: Callable[[], str], kind: str = "folder") -> str:
    """A digest, computed once a day for a given state of its files.

    The time of the last change of the inode (ctime) is part of the state, because a program can
    set the modification time back, as ``cp -p`` and ``rsync`` do. A disk that fails changes
    contents alone.
    """
    state = sha256_of_data([kind, *([str(file), *_state(file)] for file in files)])
    note = home() / "digests" / f"{state}.json"
    known, now = _noted(note), time.time()
    if known and 0 <= now - known.hashed < HASHED_ANEW_SECONDS:
        return known.sha256
    found = digest()
    if known and found != known.sha256:
        day = time.strftime("%Y-%m-%d", time.localtime(known.hashed))
        log.warning(
            "%s has other contents than on %s, though sizes, times and inodes are the same, as a "
            "failing disk or file server leaves it. Compare it with its source.",
            os.path.commonpath(files),
            day,
        )
    _note(note, _Digest(sha256=found, hashed=now))
    return found


class _Digest(Frozen):
    """What is noted of a digest; `hashed` is in seconds since 1970."""

    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    hashed: float


def _noted(note: Path) -> _Digest | None:
    try:
        return _Digest.model_validate(read_json(note))
    except FileNotFoundError:
        return None
    except ValueError:
        log.warning("%s is damaged or cannot be read. The model is hashed again.", note)
        return None


def _note(note: Path, digest: _Digest) -> None:
    try:
        note.parent.mkdir(exist_ok=True)
        if note.is_dir():
            set_aside(note, f"{note} is no file")
        write_json(note, digest.model_dump())
    except OSError as error:
        log.warning(
            "%s cannot be written: %s. Models are hashed at each start until it can.",
            note,
            error.strerror,
        )


def _state(file: Path) -> list[int]:
    found = file.stat()
    return [found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino, found.st_dev]


# ---------------------------------------------------------------- folders that we made


def seal(folder: Path) -> None:
    """Note the checksums of a model that was fetched or converted."""
    sums = sums_of(folder, read_files(folder))
    write_json(folder / SUMS, {"files": {name: each.model_dump() for name, each in sums.items()}})
    share(folder, folder / SUMS)


def damage_of(folder: Path) -> str | None:
    """What is wrong with a model's folder since `seal`; None where nothing is.

    Its files are hashed as `digest_of_folder` does it, so at most once a day while sizes, times
    and inodes stay the same.

    Raises:
        FileNotFoundError: it was never sealed.
    """
    try:
        files = read_json(folder / SUMS)["files"]
        sums = {name: FileSum.model_validate(each) for name, each in files.items()}
    except FileNotFoundError:
        raise
    except (ValueError, LookupError, AttributeError):
        return f"{folder / SUMS} is damaged or cannot be read"
    found = read_files(folder)
    wanted = sha256_of_data({name: each.sha256 for name, each in sums.items()})
    try:
        if digest_of_folder(folder, found) == wanted:
            return None
    except OSError as error:
        log.debug("%s", error)  # `damage` names the file
    foreign = [file for file in found if file.relative_to(folder).as_posix() not in sums]
    return damage(folder, sums) or (f"{foreign[0]} is no part of the model" if foreign else None)
