"""A bench in a process of its own, to be killed: ``bench_process.py FOLDER STORE``."""

from __future__ import annotations

import sys
from pathlib import Path

from advisor.cli import app
from benchmarks.runner import resume, run
from tests.runner import material


def bench(folder: Path, store: Path) -> None:
    """Begin a run, or go on with it."""
    try:
        if (folder / "run.json").exists():
            resume(folder, material.means(store))
        else:
            run(material.resolve(material.plan()), folder, material.means(store))
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    # Errors end as they do on the command line.
    app.app = lambda: bench(Path(sys.argv[1]), Path(sys.argv[2]))  # type: ignore[assignment]
    app.main()
