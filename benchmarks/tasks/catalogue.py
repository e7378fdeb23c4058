"""Finds tasks by name: bundled ones, recipes for public sets, and the user's own folders."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

from benchmarks.tasks.extra import need_the_extra
from benchmarks.tasks.foreign_code import LM_EVAL, TaskFile, file_named
from benchmarks.tasks.loading import BUNDLED_FOLDERS, load_folder, read_spec
from benchmarks.tasks.recipes import RECIPES
from benchmarks.tasks.recipes.recipe import Recipe
from benchmarks.tasks.task import AnswerValue, Task, TaskSpec
from strategies.errors import DataError

# A task whose files were rewritten without a change to what it asks keeps its hash, so that runs
# from before stay comparable: handbook-reply came to name its corpus instead of a path to it.
_REWRITTEN = {
    "835b70120cb0fc1ea4f71c12f824a31dc6eeec257cefe9b7d0b455827ddfeebe": (
        "6ea54b6023eb6e47dd8e5f4db97ab02b3ec9fc4bec1ecbedc2fe6eb34ed42a5a"
    ),
}
DATA_DIR_VARIABLE = "ADVISOR_DATA_DIR"


def load_task(name: str, data_dir: Path | None = None) -> Task:
    """The task of that name, checked.

    Args:
        name: as `read_task` takes it, or ``lm-eval:NAME`` for a task that comes with lm-eval, or
            ``lm-eval:FILE.yaml``.
        data_dir: where a recipe finds its public files; None takes the folder named by the
            environment variable ``ADVISOR_DATA_DIR``.

    Raises:
        DataError: there is no such task, or its data cannot be used; lists every problem.
        UntrustedCodeError: an lm-eval file names code that was not trusted.
        UserError: it is a task of lm-eval, which is not installed.
    """
    if not name.startswith(LM_EVAL):
        return read_task(name, data_dir)
    need_the_extra(f"Task {name}", "lm_eval", "datasets")
    # lm-eval takes seconds to import, and only its own tasks need it to be loaded.
    from benchmarks.evaluation import installed_task

    return installed_task(name)


def read_task(name: str, data_dir: Path | None = None) -> Task:
    """A task that is read as data alone: none of lm-eval's, whose files may name code.

    Args:
        name: id of a bundled task, id of a recipe, or path of a task folder. A known id wins over
            a folder of that name; ``./ID`` is the folder.
        data_dir: see `load_task`.

    Raises:
        DataError: there is no such task, or its data cannot be used; lists every problem.
    """
    if name in _bundled_folders():
        return _bundled_task(name)
    if name in RECIPES:
        return RECIPES[name].load(data_dir or default_data_dir())
    folder = Path(name).expanduser()
    if folder.is_dir() and not name.startswith(LM_EVAL):
        return load_folder(folder)
    raise DataError(
        f"Task {name!r} is neither a known task nor a folder. Known: {', '.join(known_tasks())}. "
        "Run: advisor tasks, or make a folder of your own with: advisor init"
    )


def untrusted_code(name: str) -> TaskFile | None:
    """The file of an lm-eval task that names code which was not trusted; None for other tasks.

    Raises:
        DataError: the file cannot be read.
        UserError: lm-eval is not installed.
    """
    if file_named(name) is None:
        return None
    need_the_extra(f"Task {name}", "lm_eval", "datasets")
    from benchmarks.evaluation import task_file

    found = task_file(name)
    return None if found is None or found.trusted else found


def known_tasks() -> list[str]:
    """Ids of the bundled tasks and of the recipes."""
    return [*_bundled_folders(), *RECIPES]


def folder_argument(folder: Path) -> str:
    """How a task folder is named so that `load_task` takes it for nothing else."""
    return f"./{folder}" if str(folder) in known_tasks() else str(folder)


def bundled_tasks() -> list[TaskSpec]:
    """What ``task.yaml`` says of every bundled task, in order of id."""
    return [read_spec(folder) for folder in _bundled_folders().values()]


def task_answers(name: str) -> dict[str, AnswerValue]:
    """The questionnaire answers that describe a task; its data is not read.

    Raises:
        DataError: there is no such task.
    """
    if name in RECIPES:
        return dict(RECIPES[name].spec.answers)
    folder = _bundled_folders().get(name) or Path(name).expanduser()
    return dict((read_spec(folder) if folder.is_dir() else load_task(name)).answers)


def bundled_folder(name: str) -> Path:
    """The folder of a bundled task.

    Raises:
        KeyError: there is no such task.
    """
    return _bundled_folders()[name]


def recipes() -> dict[str, Recipe]:
    """The recipes for public sets by id."""
    return dict(RECIPES)


def default_data_dir() -> Path | None:
    """The folder named by ``ADVISOR_DATA_DIR``, or None."""
    named = os.environ.get(DATA_DIR_VARIABLE)
    return Path(named) if named else None


@cache
def _bundled_folders() -> dict[str, Path]:
    found = sorted(BUNDLED_FOLDERS.glob("*/task.yaml"))
    return {path.parent.name: path.parent for path in found}


def _bundled_task(name: str) -> Task:
    task = load_folder(_bundled_folders()[name])
    return task.model_copy(update={"sha256": _REWRITTEN.get(task.sha256, task.sha256)})
