"""``python -m benchmarks.references RUN...`` lets finished runs be scored from their own folder.

Runs of older versions kept the first accepted answer of several. This adds the others to
``scores.jsonl`` and what was asked to ``inputs.jsonl``, from the task as it was when the run was
made. No score changes. Whoever passes a completed run on passes these texts on: see the task's
licence first.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.records import ItemScore
from benchmarks.store import RunFolder, keep_inputs, read_lines, write_lines
from benchmarks.tasks.task import Item, Task
from benchmarks.worker import read_cut
from strategies.errors import RunError
from strategies.hashing import sha256_of_data


def complete_run(run: Path, task: Task) -> int:
    """Keep all accepted answers and all inputs in a run folder.

    Args:
        run: folder of a run that no other process writes.
        task: the one that the run was made with, cut as in its plan.

    Returns:
        how many lines of ``scores.jsonl`` were completed.

    Raises:
        RunError: the task is not as it was, or a score is of no item of it. Nothing is written.
    """
    with RunFolder.open(run) as folder:
        if task.sha256 != folder.manifest.task.sha256:
            raise RunError(
                f"{run} was made with task {folder.manifest.task.id} as SHA-256 "
                f"{folder.manifest.task.sha256}; it is {task.sha256} now. Give the data that the "
                "run was made with: --data-dir FOLDER"
            )
        items = {item.id: item for item in task.test}
        files = sorted(run.glob("arms/*/scores.jsonl"))
        completed = {
            file: [_completed(score, items, file) for score in read_lines(file, ItemScore)]
            for file in files
        }
        for file, scores in completed.items():
            write_lines(file, scores)
        keep_inputs(run, {item.id: item.input for item in task.test})
    return sum(map(len, completed.values()))


def _completed(score: ItemScore, items: Mapping[str, Item], file: Path) -> ItemScore:
    item = items.get(score.id)
    if item is None:
        raise RunError(f"{file}: item {score.id!r} is none of the task's test items")
    asked = sha256_of_data(item.input)
    if score.input_sha256 not in ("", asked) or score.reference != item.output:
        raise RunError(f"{file}: item {score.id!r} asked or accepted something else than the task")
    return score.model_copy(update={"references": item.outputs, "input_sha256": asked})


def main(arguments: Sequence[str]) -> None:
    """Complete every run folder that is named."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.references", description=__doc__)
    parser.add_argument("runs", nargs="+", type=Path)
    for run in parser.parse_args(arguments).runs:
        with RunFolder.open(run) as folder:
            plan = folder.plan
        complete_run(run, read_cut(plan))


if __name__ == "__main__":
    main(sys.argv[1:])
