"""Processor seconds that commands take before they do anything, but for compiling our modules.

Python keeps what it compiled at the first call, as pip did for the libraries.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.store import read_record, write_record
from strategies.data import Frozen

_TIMES = 5
_ADVISOR = (sys.executable, "-m", "advisor.cli.app")
_ANSWERS = "examples/answers-handbook.yaml"
COMMANDS: dict[str, tuple[str, ...]] = {
    "advisor --help": (*_ADVISOR, "--help"),
    f"advisor ask --answers {_ANSWERS} --no-input": (
        *_ADVISOR, "ask", "--answers", _ANSWERS, "--no-input",
    ),
    "the imports that a bench of any method needs": (
        sys.executable, "-c",
        "import torch, peft, lm_eval.evaluator, transformers.models.llama.modeling_llama",
    ),
    "the same, as a bench imports them": (
        sys.executable, "-c",
        "import benchmarks.evaluation, benchmarks.preparing, strategies.inference;"
        "import advisor.cli.bench, peft, transformers.models.llama.modeling_llama",
    ),
}  # fmt: skip
GOALS = dict(zip(COMMANDS, ("0.3", "0.3", "", "3 more than the line above"), strict=True))


class Started(Frozen):
    """Processor seconds of a command, user and system, one a call."""

    command: str
    cpu_seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle one."""
        return statistics.median(self.cpu_seconds)


class Starts(Frozen):
    """All commands, at one state of the code."""

    code_sha256: str
    commands: tuple[Started, ...]


def measure_starts(folder: Path, code_sha256: str) -> Starts:
    """Every command, several times; what was measured of the same code is not repeated."""
    file = folder / "startup.json"
    if file.exists() and (known := read_record(file, Starts)).code_sha256 == code_sha256:
        return known
    found = Starts(
        code_sha256=code_sha256,
        commands=tuple(
            Started(command=name, cpu_seconds=_after_the_first(words))
            for name, words in COMMANDS.items()
        ),
    )
    write_record(file, found)
    return found


def _after_the_first(command: Sequence[str]) -> tuple[float, ...]:
    _, *later = (_cpu_seconds(command) for _ in range(1 + _TIMES))
    return tuple(later)


def _cpu_seconds(command: Sequence[str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    quiet = {**os.environ, "TERM": "dumb", "PYTHONDONTWRITEBYTECODE": ""}
    subprocess.run(command, check=True, capture_output=True, env=quiet)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
