"""Reads files in lm-eval's format without importing the Python code that they name.

Such a file may name functions, in itself or in files that it includes, and lm-eval imports them
as it reads. So we read first, list what would be imported, and hand lm-eval the file itself only
when this very code was trusted.
"""

from __future__ import annotations

import os
from collections.abc import Container, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from advisor.limited_files import read_text, yaml_data
from benchmarks.tasks.problems import shown
from strategies.errors import DataError, UserError
from strategies.hashing import sha256_of_data, sha256_of_file

LM_EVAL = "lm-eval:"
# Holds the hash of the code that was trusted; workers inherit it, and no run folder can set it.
TRUST_VARIABLE = "ADVISOR_TRUSTED_CODE"
_SUFFIXES = (".yaml", ".yml")
_FUNCTION = "!function"
_FILE_LIMIT = 100


class UntrustedCodeError(UserError):
    """A file names code that nobody trusted yet; the message lists the code."""


@dataclass(frozen=True)
class Code:
    """Something that reading a task would import.

    Attributes:
        what: a function with its module, or a script.
        named_in: the YAML file that names it.
        module: the Python file that holds it; None where it is looked for elsewhere.
    """

    what: str
    named_in: Path
    module: Path | None = None

    def __str__(self) -> str:
        """One line for people."""
        return f"{self.named_in} names {self.what} ({self.module or 'from an installed package'})"


@dataclass(frozen=True)
class TaskFile:
    """A file in lm-eval's format with all that it includes.

    Attributes:
        path: the file.
        config: what it says, as lm-eval merges it; the name of a function stands for it.
        files: this file and those that it includes, in the order in which they are read.
        code: what lm-eval would import.
    """

    path: Path
    config: dict[str, Any]
    files: tuple[Path, ...]
    code: tuple[Code, ...]

    @property
    def read_files(self) -> tuple[Path, ...]:
        """All files that can change the task: this one, Python files beside it, then others."""
        found = [file for each in self.files for file in (each, *sorted(each.parent.glob("*.py")))]
        return tuple(dict.fromkeys([*found, *(code.module for code in self.code if code.module)]))

    @property
    def sha256(self) -> str:
        """Of the code, where it lies, and the files that name it."""
        hashes = [[str(file), sha256_of_file(file)] for file in self.read_files]
        return sha256_of_data([hashes, [str(code) for code in self.code]])

    @property
    def trusted(self) -> bool:
        """Whether there is no code to import, or this very code was trusted."""
        return not self.code or os.environ.get(TRUST_VARIABLE) == self.sha256

    def trust(self) -> None:
        """Trust the code as it stands now, in this process and those that it starts."""
        os.environ[TRUST_VARIABLE] = self.sha256

    def listed(self) -> str:
        """The code, a line each."""
        return "\n".join(f"  {code}" for code in self.code)

    def refuse_untrusted(self) -> None:
        """Check that nothing would be imported without trust.

        Raises:
            UntrustedCodeError: something would be.
        """
        if not self.trusted:
            raise UntrustedCodeError(
                f"Task {LM_EVAL}{self.path} imports Python code, which can do all that you can do, "
                f"and it has not been trusted:\n{self.listed()}\n"
                "Read it first. Nothing was imported."
            )


def file_named(task: str) -> Path | None:
    """The file of a task ``lm-eval:FILE.yaml``; None for any other task."""
    if not task.startswith(LM_EVAL):
        return None
    file = Path(task.removeprefix(LM_EVAL)).expanduser()
    return file if file.suffix.lower() in _SUFFIXES else None


def read_task_file(path: Path, known_metrics: Container[str]) -> TaskFile:
    """What a file in lm-eval's format says; nothing that it names is imported.

    Args:
        path: a YAML file.
        known_metrics: names that lm-eval has metrics for; scripts are run for others.

    Raises:
        DataError: it, or a file that it includes, is missing or cannot be used.
    """
    path, reading = path.expanduser().resolve(), _Reading()
    try:
        config = reading.merged(path)
    except (OSError, ValueError, TypeError) as error:
        raise DataError(f"lm-eval file {path} cannot be read: {error}") from error
    kwargs = config.get("dataset_kwargs")
    if isinstance(kwargs, dict):
        # Asks old versions of datasets to run a script that comes with the data.
        kwargs.pop("trust_remote_code", None)
    if "group" in config or not isinstance(config.get("task"), str):
        raise DataError(
            f"{path} describes no single task. It needs 'task: NAME', and neither 'group:' nor a "
            "list of tasks."
        )
    scripts = _scripts(config, path, known_metrics)
    return TaskFile(path, config, tuple(reading.seen), (*reading.code, *scripts))


class _Reading:
    """Reads files as lm-eval does, but for functions, of which it notes the names."""

    def __init__(self) -> None:
        self.seen: list[Path] = []
        self.code: list[Code] = []

    def merged(self, path: Path) -> dict[str, Any]:
        if path in self.seen:
            raise ValueError(f"{path} is included twice")
        if len(self.seen) == _FILE_LIMIT:
            raise ValueError(f"more than {_FILE_LIMIT} files are included")
        if path.exists() and not path.is_file():
            # A pipe would be waited for without end.
            raise ValueError(f"{path} is no file")
        self.seen.append(path)
        own = yaml_data(read_text(path), {_FUNCTION: partial(self._note, path)})
        if not isinstance(own, dict):
            raise ValueError(f"{path} holds no mapping of keys to values")
        includes = own.pop("include", None) or []
        found: dict[str, Any] = {}
        for name in includes if isinstance(includes, list) else [includes]:
            if not isinstance(name, str):
                raise ValueError(f"{path} includes {shown(name)}, which is no name of a file")
            included = self.merged((path.parent / name).resolve())
            # It lists tasks of the included file and of no other.
            included.pop("task_list", None)
            found |= included
        return found | own

    def _note(self, path: Path, name: str) -> str:
        module = name.rpartition(".")[0].replace(".", "/")
        file = (path.parent / f"{module}.py").resolve()
        code = Code(f"{_FUNCTION} {name}", path, file if file.is_file() else None)
        if code not in self.code:
            self.code.append(code)
        return name


def _scripts(config: Mapping[str, Any], path: Path, known_metrics: Container[str]) -> list[Code]:
    """Code that lm-eval or its libraries would run because of a plain name."""
    metrics = config.get("metric_list")
    found = [
        Code(f"metric {entry['metric']}, a script of the evaluate library", path)
        # A function of the file's own takes the place of its metrics.
        for entry in (metrics if config.get("process_results") is None else None) or ()
        if isinstance(entry, dict) and isinstance(entry.get("metric"), str)
        if entry.get("hf_evaluate") or entry["metric"] not in known_metrics
    ]
    if config.get("dataset_path") == "pandas":
        found.append(Code("dataset_path pandas, which reads pickled objects", path))
    return found
