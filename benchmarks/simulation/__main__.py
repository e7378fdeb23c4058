"""``python -m benchmarks.simulation``: draws, counts, and writes the report."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path

from rich.progress import track

from benchmarks.environment import allowed_cores
from benchmarks.simulation.cases import cases
from benchmarks.simulation.checks import Case, Finding, answer
from benchmarks.simulation.report import write_report
from benchmarks.store import write_record
from strategies.data import Frozen


class Findings(Frozen):
    """What was found, and how.

    Attributes:
        draws: comparisons of each case.
        seed: of the first case; every other has the next.
        findings: in the order of the cases.
    """

    draws: int
    seed: int
    findings: tuple[Finding, ...]


def main(arguments: Sequence[str]) -> int:
    """Simulate every case; 1 when a promise does not hold."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.simulation", description=__doc__)
    parser.add_argument("--draws", type=int, default=1000, help="comparisons of each case")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("reports/simulation"))
    given = parser.parse_args(arguments)
    # A process a core: threads of the matrix library would be in each other's way.
    os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    found = simulate(cases(), given.draws, given.seed)
    given.out.mkdir(parents=True, exist_ok=True)
    record = Findings(draws=given.draws, seed=given.seed, findings=found)
    write_record(given.out / "findings.json", record)
    report = write_report(given.out, found, given.draws, given.seed)
    print(f"Report: {report}")  # noqa: T201
    return 0 if all(each.holds for each in found) else 1


def simulate(asked: Sequence[Case], draws: int, seed: int) -> tuple[Finding, ...]:
    """What comes out of every case, in their order; cases share the cores."""
    # Spawned, so that each reads how many threads it may have.
    with ProcessPoolExecutor(allowed_cores(), get_context("spawn")) as pool:
        running = {
            pool.submit(answer, case, draws, seed + place): place
            for place, case in enumerate(asked)
        }
        done = track(as_completed(running), "Simulating", len(running))
        found = {running[future]: future.result() for future in done}
    return tuple(found[place] for place in range(len(asked)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
