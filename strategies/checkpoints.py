"""Resumable state of training: whole and unchanged, or not used."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from strategies.hashing import sha256_of_file

_SUMS = "sha256.json"
_STATE = "trainer_state.json"
# A pickle of the arguments; nothing reads it, and nobody should.
_PICKLE = "training_args.bin"


def seal(checkpoint: Path) -> None:
    """Note the hash of every file of a checkpoint, which makes it a whole one."""
    (checkpoint / _PICKLE).unlink(missing_ok=True)
    write_json(checkpoint / _SUMS, _hashes(checkpoint))


def write_json(path: Path, value: object) -> None:
    """Write a small JSON file that is whole or, after a kill, the one before."""
    part = path.with_name(f"{path.name}.part")
    part.write_text(json.dumps(value), encoding="utf-8")
    part.replace(path)


def last_whole_checkpoint(checkpoints: Path) -> str | None:
    """The newest checkpoint that is as it was sealed, or None; others are removed.

    None, too, where the best one so far is lost: training that went on could not end with it.

    Args:
        checkpoints: folder of ``checkpoint-STEP`` folders; may be missing.
    """
    if not checkpoints.is_dir():
        return None
    found = list(checkpoints.glob("checkpoint-*"))
    whole = {folder.name: folder for folder in found if _is_whole(folder)}
    newest = max(whole.values(), key=lambda folder: int(folder.name.split("-")[1]), default=None)
    if newest and _best(newest) not in (None, *whole):
        newest, whole = None, {}
    for folder in found:
        if folder.name not in whole:
            shutil.rmtree(folder)
    return str(newest) if newest else None


def _best(checkpoint: Path) -> str | None:
    """Name of the best checkpoint so far; None where nothing is validated."""
    path = json.loads((checkpoint / _STATE).read_text())["best_model_checkpoint"]
    return Path(path).name if path else None


def _is_whole(checkpoint: Path) -> bool:
    try:
        noted = json.loads((checkpoint / _SUMS).read_text())
    except (OSError, ValueError):
        return False
    return bool(noted == _hashes(checkpoint))


def _hashes(checkpoint: Path) -> dict[str, str]:
    files = [path for path in sorted(checkpoint.rglob("*")) if path.is_file()]
    return {
        path.relative_to(checkpoint).as_posix(): sha256_of_file(path)
        for path in files
        if not path.name.startswith(_SUMS)
    }
