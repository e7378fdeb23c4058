"""The process of one side: ``python -m benchmarks.speed.side CASE SIDE SETTING.json OUT.json``."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.environment import gpu_name, peak_memory_bytes
from benchmarks.speed.case import Outcome, Setting, SideName
from benchmarks.store import read_record, write_record
from strategies.device import resolve_device, set_threads
from strategies.models import load_model, load_tokenizer, resolve

if TYPE_CHECKING:
    from strategies.inference import Engine


def engine_of(setting: Setting) -> Engine:
    """Our engine on the setting's model."""
    from strategies.inference import Engine

    resolved = resolve(setting.model)
    model = load_model(resolved, setting.precision, resolve_device())
    return Engine(model, load_tokenizer(resolved))


def measure(case: str, side: SideName, setting: Setting) -> Outcome:
    """Do one side's work once, in this process."""
    from benchmarks.speed.cases import CASES

    set_threads(setting.threads, seed=0)
    work = CASES[case].sides[side](setting)
    start = time.perf_counter()
    answers = work()
    seconds = time.perf_counter() - start
    return Outcome(seconds=seconds, peak_memory_bytes=_peak(), answers=tuple(answers))


def _peak() -> int:
    """Peak memory of this process or of the largest that it started; on a GPU, of this one's."""
    if gpu_name() is not None:
        return peak_memory_bytes()
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return max(peak_memory_bytes(), children if sys.platform == "darwin" else children * 1024)


def main(arguments: Sequence[str]) -> None:
    """Measure one side and write the outcome."""
    case, side, setting, out = arguments
    name: SideName = "peer" if side == "peer" else "ours"
    write_record(Path(out), measure(case, name, read_record(Path(setting), Setting)))


if __name__ == "__main__":
    main(sys.argv[1:])
