"""A bench in a process of its own, to be killed: ``bench_process.py FOLDER STORE``."""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.runner import resume, run
from tests.runner import material

if __name__ == "__main__":
    folder, store = Path(sys.argv[1]), Path(sys.argv[2])
    try:
        if (folder / "run.json").exists():
            resume(folder, material.means(store))
        else:
            run(material.resolve(material.plan()), folder, material.means(store))
    except KeyboardInterrupt:
        sys.exit(130)
