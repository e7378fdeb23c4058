"""``python -m benchmarks.simulation``: draws, counts, and writes the report."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path

from rich.progress import track

from benchmarks.environment import allowed_cores
from benchmarks.simulation.cases import cases
from benchmarks.simulation.checks import Limits, answer
from benchmarks.simulation.findings import Case, Finding
from benchmarks.simulation.report import write_report
from benchmarks.store import read_record, write_record
from benchmarks.tasks.task import combined_sha256
from strategies.data import Frozen
from strategies.errors import RunError
from strategies.hashing import sha256_of_file

_BENCHMARKS = Path(__file__).parents[1]


class Findings(Frozen):
    """What was found, and how; cases that are finished are kept, and not drawn again.

    Attributes:
        draws: comparisons of a case whose mean or whose chances are held against the truth.
        most: comparisons of a promise that a sequential test decides, at most.
        seed: of the first case; every other has the next.
        code_sha256: digest of the code that draws and counts; of other code nothing is kept.
        findings: in the order of the cases.
    """

    draws: int
    most: int
    seed: int
    code_sha256: str
    findings: tuple[Finding, ...]


def main(arguments: Sequence[str]) -> int:
    """Simulate every case; 1 when a promise does not hold."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.simulation", description=__doc__)
    parser.add_argument("--draws", type=int, default=1000, help="comparisons of a case with a mean")
    parser.add_argument("--most", type=int, default=6_000, help="comparisons of a promise at most")
    parser.add_argument("--minutes", type=float, default=120, help="after which drawing ends")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("reports/simulation"))
    given = parser.parse_args(arguments)
    # A process a core: threads of the matrix library would be in each other's way.
    os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    given.out.mkdir(parents=True, exist_ok=True)
    file = given.out / "findings.json"
    nothing = Findings(
        draws=given.draws,
        most=given.most,
        seed=given.seed,
        code_sha256=_code_sha256(),
        findings=(),
    )
    limits = Limits(given.most, given.draws, time.time() + 60 * given.minutes)
    known = _known(file, nothing)

    def keep(finding: Finding) -> None:
        known[finding.case] = finding
        listed = tuple(known[case] for case in cases() if case in known)
        write_record(file, nothing.model_copy(update={"findings": listed}))

    simulate(cases(), limits, given.seed, known, keep)
    found = [known[case] for case in cases()]
    report = write_report(given.out, found, limits, given.seed)
    print(f"Report: {report}")  # noqa: T201
    return 0 if all(each.holds for each in found) else 1


def _known(file: Path, like: Findings) -> dict[Case, Finding]:
    """What an earlier call found with the same draws, seed and code."""
    try:
        before = read_record(file, Findings)
    except RunError:
        # There is none, or it is of another version.
        return {}
    same = before.model_copy(update={"findings": ()}) == like
    return {finding.case: finding for finding in before.findings} if same else {}


def _code_sha256() -> str:
    room = _BENCHMARKS / "simulation"
    tried = (
        "statistics", "pairing", "drift", "margins", "agreement", "permutation", "chances",
        "verification",
    )  # fmt: skip
    drawing = ("cases", "checks", "choosing", "draws", "sequential")
    files = [
        *(_BENCHMARKS / f"{name}.py" for name in tried),
        *(room / f"{name}.py" for name in drawing),
    ]
    return combined_sha256({file.name: sha256_of_file(file) for file in files})


def simulate(
    asked: Sequence[Case],
    limits: Limits,
    seed: int,
    known: Collection[Case],
    keep: Callable[[Finding], None],
) -> None:
    """Draw every case that is not known; cases share the cores.

    Args:
        asked: all cases; the place of each among them gives its seed.
        limits: of the drawing.
        seed: of the first.
        known: those that are done.
        keep: told of every finding as it comes.
    """
    # Spawned, so that each reads how many threads it may have.
    with ProcessPoolExecutor(allowed_cores(), get_context("spawn")) as pool:
        running = [
            pool.submit(answer, case, limits, seed + place)
            for place, case in enumerate(asked)
            if case not in known
        ]
        for future in track(as_completed(running), "Simulating", len(running)):
            keep(future.result())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
