"""Resumable state of training: whole and unchanged, or not used."""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path

from strategies.checked_files import FileSum, damage, read_json, sums_of, write_json

log = logging.getLogger(__name__)
_SUMS = "sha256.json"
_STATE = "trainer_state.json"
# A pickle of the arguments; nothing reads it, and nobody should.
_PICKLE = "training_args.bin"


def seal(checkpoint: Path) -> None:
    """Note the hash of every file of a checkpoint, which makes it a whole one."""
    (checkpoint / _PICKLE).unlink(missing_ok=True)
    sums = sums_of(checkpoint)
    write_json(checkpoint / _SUMS, {name: each.model_dump() for name, each in sums.items()})


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
        noted = read_json(checkpoint / _SUMS)
    except FileNotFoundError:
        return False  # as a kill in the middle of writing it leaves it
    except ValueError as error:
        why: str | None = str(error)
    else:
        why = damage(checkpoint, {n: FileSum.model_validate(each) for n, each in noted.items()})
    if why:
        log.warning("%s. Training goes on from an earlier checkpoint, or begins anew.", why)
    return why is None
