"""``python -m benchmarks.speed``: measures all cases and writes the report."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from benchmarks.environment import allowed_cores, collect, gpu_name, library_versions
from benchmarks.speed.case import Case, Setting
from benchmarks.speed.cases import CASES
from benchmarks.speed.growth import AXES, grow
from benchmarks.speed.pairs import best_batch_size, measure_pairs, measured_before
from benchmarks.speed.report import write_report
from benchmarks.speed.startup import measure_starts
from benchmarks.store import write_record
from strategies.device import resolve_precision
from strategies.hashing import sha256_of_files
from strategies.settings import Precision

_OF_THE_PEERS = ("trl", "accelerate", "datasets")


def main(arguments: Sequence[str]) -> None:
    """Measure what is missing, then write ``report.md`` into the folder."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed", description=__doc__)
    parser.add_argument("--cases", nargs="*", choices=sorted(CASES), default=list(CASES))
    parser.add_argument("--growth", nargs="*", choices=sorted(AXES), default=list(AXES))
    parser.add_argument("--pairs", type=int, default=5, help="pairs at the machine's precision")
    parser.add_argument("--model", default="smollm2-135m-instruct")
    parser.add_argument("--items", type=int, help="instead of the number that a case has")
    parser.add_argument("--out", type=Path, default=Path("reports/speed"))
    given = parser.parse_args(arguments)
    precision = resolve_precision("auto")
    given.out.mkdir(parents=True, exist_ok=True)
    for name in given.cases:
        _measure(CASES[name], given, precision)
    for axis in given.growth:
        grow(axis, _setting(given, precision), given.out, _say)
    measure_starts(given.out, _code_sha256())
    write_record(given.out / "environment.json", collect(precision, allowed_cores()))
    _say(f"Report: {write_report(given.out)}")


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201


def _setting(given: argparse.Namespace, precision: Precision) -> Setting:
    return Setting(
        model=given.model,
        precision=precision,
        threads=allowed_cores(),
        items=0,
        device=gpu_name() or "cpu",
        libraries=library_versions() | {name: version(name) for name in _OF_THE_PEERS},
        code_sha256=_code_sha256(),
    )


def _code_sha256() -> str:
    root = Path(__file__).resolve().parents[2]
    folders = (root / "strategies", root / "benchmarks")
    files = sorted(file for folder in folders for file in folder.rglob("*.py"))
    return sha256_of_files(root, files)


def _measure(case: Case, given: argparse.Namespace, precision: Precision) -> None:
    setting = _setting(given, precision)
    setting = setting.model_copy(update={"items": given.items or case.items})
    known = measured_before(case, setting, given.out)
    size = known.setting.peer_batch_size if known else best_batch_size(case, setting, _say)
    setting = setting.model_copy(update={"peer_batch_size": size})
    if case.goal is not None:
        measure_pairs(case, setting, min(given.pairs, case.pairs or given.pairs), given.out, _say)
    if precision != "fp32" or case.goal is None:
        # One pair shows whether answers differ by more than bf16 rounds away.
        exact = setting.model_copy(update={"precision": "fp32"})
        measure_pairs(case, exact, 1, given.out, _say)


if __name__ == "__main__":
    main(sys.argv[1:])
