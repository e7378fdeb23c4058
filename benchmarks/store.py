"""What is kept on disk: the run folder, and the artifacts that runs share.

Answers are appended one fsynced line at a time, manifests are replaced atomically, and a
lock keeps a second writer out; so a process can be killed at any moment and the run resumed.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Self, TypeVar

import yaml
from pydantic import ValidationError

from advisor.limited_files import FileError, json_data, read_text, yaml_data
from advisor.wording import plain_problems
from benchmarks.holders import holders_of, is_stopped
from benchmarks.places import links_out_of, no_files, plain_name
from benchmarks.plan import Plan
from benchmarks.records import Arm, Cost, ItemInput, ItemScore, Response, RunManifest
from benchmarks.tasks.problems import shown
from strategies.artifacts import CheckedFolders, Kept
from strategies.checked_files import write_atomic as write_atomic  # noqa: PLC0414
from strategies.checksums import sealed, unsealed
from strategies.data import Frozen
from strategies.errors import DataError, RunError
from strategies.home import home
from strategies.visible import shell_path

log = logging.getLogger(__name__)
T = TypeVar("T", bound=Frozen)

# How pydantic names the branches of a union of types that `benchmarks.plan` uses.
_HOW_MADE = "A run folder is made by: advisor bench PLAN --out FOLDER"
INPUTS = "inputs.jsonl"
ANSWER_FILES = ("responses.jsonl", "free.jsonl", "latency.jsonl")
# Far above what a bench of 100,000 items writes.
RECORD_LIMIT_BYTES = 100_000_000
LINES_LIMIT_BYTES = 1_000_000_000
# How long an orphaned worker may take to notice that its parent was killed.
ORPHAN_SECONDS = 15.0


# ---------------------------------------------------------------- files


def write_record(path: Path, record: Frozen) -> None:
    """Write one record as indented JSON, atomically."""
    write_atomic(path, _json(record, indent=2) + "\n")


def write_sealed(path: Path, record: Frozen) -> None:
    """As `write_record`, with a checksum that `read_record` looks at."""
    write_atomic(path, sealed(_json(record, indent=2)) + "\n")


def write_lines(path: Path, records: Iterable[Frozen]) -> None:
    """Write records as JSON lines with checksums, atomically."""
    write_atomic(path, "".join(sealed(_json(record)) + "\n" for record in records))


def _json(record: Frozen, indent: int | None = None) -> str:
    value = record.model_dump(mode="json")
    return json.dumps(value, indent=indent, ensure_ascii=False, allow_nan=False)


def read_record(path: Path, model: type[T]) -> T:
    """The record of a JSON file.

    Raises:
        RunError: the file is missing or is not such a record.
    """
    try:
        return model.model_validate_json(unsealed(_content(path, RECORD_LIMIT_BYTES)))
    except FileNotFoundError:
        raise RunError(f"{path} is missing. {_HOW_MADE}") from None
    except ValueError as error:
        said = [str(error)]
        if isinstance(error, ValidationError):
            said = plain_problems(error, model)
        raise RunError(f"{path} is damaged: {'; '.join(said)}. {_how_to_mend(path)}") from None


def _content(path: Path, limit_bytes: int) -> bytes:
    """What a file of a run folder holds.

    Raises:
        FileNotFoundError: it is missing.
        RunError: it is no file, or larger than a bench writes it.
    """
    try:
        with path.open("rb") as file:
            content = file.read(limit_bytes + 1)
    except IsADirectoryError:
        raise RunError(f"{path} is a folder, and a file belongs there. {_HOW_MADE}") from None
    if len(content) > limit_bytes:
        raise RunError(f"{path} is larger than {limit_bytes:,} bytes, the most that is read of it")
    return content


def _how_to_mend(path: Path) -> str:
    if path.name != "arm.json":
        return _HOW_MADE
    run = shell_path(path.parents[2])
    return f"Run: advisor bench --resume {run} (sets it aside and keeps the answers)"


# ---------------------------------------------------------------- lines


@dataclass(frozen=True)
class Lines(Generic[T]):
    """The records of a JSON-lines file.

    Attributes:
        records: those that could be read, in file order.
        damaged: numbers of the lines that could not, counted from 1.
        torn_at: byte offset of an unfinished last line, None when there is none.
    """

    records: tuple[T, ...]
    damaged: tuple[int, ...] = ()
    torn_at: int | None = None

    @property
    def whole(self) -> bool:
        """Whether every line could be read."""
        return not self.damaged and self.torn_at is None


def scan_lines(path: Path, model: type[T]) -> Lines[T]:
    """Read what can be read of a JSON-lines file; a missing file has no lines."""
    content = _content(path, LINES_LIMIT_BYTES) if path.exists() else b""
    *whole, rest = content.split(b"\n")
    records, damaged = [], []
    for number, line in enumerate(whole, start=1):
        try:
            records.append(model.model_validate_json(unsealed(line)))
        except ValueError:
            damaged.append(number)
    return Lines(tuple(records), tuple(damaged), len(content) - len(rest) if rest else None)


def read_lines(path: Path, model: type[T]) -> tuple[T, ...]:
    """The records of a JSON-lines file, without an unfinished last line.

    Raises:
        RunError: another line is damaged.
    """
    lines = scan_lines(path, model)
    if lines.damaged:
        numbers = ", ".join(map(str, lines.damaged))
        raise RunError(
            f"{path} line {numbers}: damaged, {len(lines.records)} other lines are good. "
            f"Run: advisor bench --resume {shell_path(path.parents[2])} "
            "(answers only these items again)"
        )
    return lines.records


def repair_lines(path: Path, model: type[T]) -> Lines[T]:
    """Make a JSON-lines file whole and say what was found.

    An unfinished last line is cut off; damaged lines move to ``<name>.damaged``, so that
    their items are answered again and nothing that was read is lost.
    """
    lines = scan_lines(path, model)
    if lines.torn_at is not None:
        os.truncate(path, lines.torn_at)
    if lines.damaged:
        _set_lines_aside(path, lines.damaged)
    return lines


def _set_lines_aside(path: Path, damaged: tuple[int, ...]) -> None:
    every = path.read_bytes().split(b"\n")[:-1]
    bad = [line for number, line in enumerate(every, start=1) if number in damaged]
    good = [line for number, line in enumerate(every, start=1) if number not in damaged]
    with path.with_name(path.name + ".damaged").open("ab") as file:
        file.write(b"".join(line + b"\n" for line in bad))
    write_atomic(path, b"".join(line + b"\n" for line in good).decode("utf-8"))
    log.warning("%s: damaged lines %s were set aside", path, ", ".join(map(str, damaged)))


class Appender(Generic[T]):
    """An append-only JSON-lines file; a line is on disk when `append` returns."""

    def __init__(self, path: Path, model: type[T]) -> None:
        """Open a file for appending, repaired first.

        Args:
            path: made when it is not there.
            model: type of its records.
        """
        self.records: list[T] = list(repair_lines(path, model).records)
        self._handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)

    def append(self, record: T) -> None:
        """Add one record and wait until the disk has it."""
        line = sealed(_json(record)).encode("utf-8") + b"\n"
        while line:
            line = line[os.write(self._handle, line) :]
        os.fsync(self._handle)
        self.records.append(record)

    def close(self) -> None:
        """Close the file."""
        os.close(self._handle)

    def __enter__(self) -> Self:
        """This appender."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        self.close()


# ---------------------------------------------------------------- lock


class Lock:
    """A lock file that one process and the workers it starts hold; gone when all have ended."""

    def __init__(self, path: Path, wait_seconds: float = ORPHAN_SECONDS) -> None:
        """Take the lock.

        Args:
            path: the lock file, made when it is not there; it holds the owner's process id.
            wait_seconds: how long to wait when the owner is dead but a worker of it is not yet.

        Raises:
            RunError: a living process holds it.
        """
        self.handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        deadline = time.monotonic() + wait_seconds
        while not self._taken():
            owner = _owner(path)
            if (owner is not None and _alive(owner)) or time.monotonic() > deadline:
                os.close(self.handle)
                raise RunError(_who_holds(path, owner))
            time.sleep(0.05)
        os.ftruncate(self.handle, 0)
        os.pwrite(self.handle, str(os.getpid()).encode(), 0)

    def _taken(self) -> bool:
        try:
            fcntl.flock(self.handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def release(self) -> None:
        """Give the lock back; a worker that inherited it keeps it until it ends."""
        os.close(self.handle)


class TaskLock(Lock):
    """The lock of a task on another machine: of its first arm, held by its workers as well."""

    NAME = "lock"
    LOST_SECONDS = 180.0
    """How long a file server may take to notice that the machine of an earlier start is gone."""

    def __init__(self, arm: Path, lost_seconds: float = LOST_SECONDS) -> None:
        """Take the lock, once the workers of an earlier start have ended.

        Args:
            arm: folder of the first arm.
            lost_seconds: how long to wait for that.

        Raises:
            RunError: they do not end.
        """
        deadline = time.monotonic() + lost_seconds
        while True:
            try:
                super().__init__(arm / self.NAME)
            except RunError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.5)
            else:
                return


def _owner(path: Path) -> int | None:
    text = path.read_text(encoding="ascii", errors="replace").strip()
    return int(text) if text.isdigit() else None


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _who_holds(path: Path, owner: int | None) -> str:
    """What a user is told whose run folder is locked."""
    holders = holders_of(path)
    if owner in holders or (not holders and owner is not None and _alive(owner)):
        wait = "Wait until it ends, or stop it"
        if owner is not None and is_stopped(owner):
            wait = f"It is stopped: let it go on with kill -CONT {owner}, or end it"
        return (
            f"{path.parent} is being written by process {owner}. {wait}, "
            "then call this command again."
        )
    begun = f" The bench that took it, process {owner}, has ended." if owner else ""
    if not holders:
        return (
            f"{path} is locked, but by no process that can be seen here.{begun} It may be on "
            "another machine, or belong to another user: end it there, then call this command "
            "again."
        )
    ids = " ".join(map(str, holders))
    stopped = ", which is stopped" if any(map(is_stopped, holders)) else ""
    several = "processes" if len(holders) > 1 else "process"
    return (
        f"{path.parent} is locked by {several} {ids}{stopped}.{begun} Wait until it ends, or end "
        f"it with: kill -9 {ids}. Then call this command again; answers on disk are kept."
    )


# ---------------------------------------------------------------- plan


def write_plan(path: Path, plan: Plan) -> None:
    """Write a plan as YAML that a person can edit."""
    value = plan.model_dump(mode="json")
    write_atomic(path, yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=100))


def read_plan(path: Path) -> Plan:
    """The plan of a YAML file.

    Raises:
        DataError: the file is missing, no YAML, or not a plan; every problem is listed.
    """
    try:
        return Plan.model_validate(yaml_data(read_text(path)))
    except FileNotFoundError:
        raise DataError(f"{path} is missing. A plan is made by: advisor ask --plan FILE") from None
    except FileError as error:
        raise DataError(f"{path} is no YAML text that can be used: {error}") from None
    except ValidationError as error:
        raise DataError(f"{path} is no plan: {'; '.join(plain_problems(error, Plan))}") from None


def read_plan_of_run(folder: Path) -> Plan:
    """The plan that a run folder keeps.

    Raises:
        RunError: it is missing or damaged.
    """
    try:
        return read_plan(folder / "plan.yaml")
    except DataError as error:
        raise RunError(f"{error}. {_HOW_MADE}") from None


# ---------------------------------------------------------------- run folder


class RunFolder:
    """A run folder opened for writing: use it as a context, so that the lock is given back."""

    def __init__(self, path: Path, lock: Lock) -> None:
        """A folder whose lock is held; call `create` or `open` instead."""
        self.path = path
        self.lock = lock

    @classmethod
    def create(
        cls, path: Path, plan: Plan, manifest: RunManifest, recommendation: str | None = None
    ) -> Self:
        """Make a run folder with all its arms pending.

        Args:
            path: a folder that does not exist or is empty.
            plan: what will run, already resolved.
            manifest: written last, so that a folder without it was never begun.
            recommendation: JSON of the advice that the plan came from.

        Raises:
            RunError: the folder holds something already, or another process writes it.
        """
        refuse_other_content(path)
        path.mkdir(parents=True, exist_ok=True)
        folder = cls(path, Lock(path / "lock"))
        write_plan(path / "plan.yaml", plan)
        if recommendation is not None:
            write_atomic(path / "recommendation.json", recommendation)
        (path / "arms").mkdir(exist_ok=True)
        write_sealed(path / "run.json", manifest)
        return folder

    @classmethod
    def open(cls, path: Path) -> Self:
        """Open a run folder to go on with it.

        Raises:
            RunError: it is no run folder, it is damaged, or another process writes it.
        """
        if not (path / "run.json").is_file():
            raise RunError(f"{path} is no run folder: it has no run.json. {_HOW_MADE}")
        refuse_what_leads_out(path)
        return cls(path, Lock(path / "lock"))

    def __enter__(self) -> Self:
        """This folder."""
        return self

    def __exit__(self, *_: object) -> None:
        """Give the lock back."""
        self.lock.release()

    @property
    def plan(self) -> Plan:
        """What runs here."""
        return read_plan_of_run(self.path)

    @property
    def manifest(self) -> RunManifest:
        """``run.json``."""
        return read_record(self.path / "run.json", RunManifest)

    def wait_for_tasks(self, seconds: float = TaskLock.LOST_SECONDS) -> None:
        """Wait until tasks of an earlier bench, on this machine or another, write no more.

        Args:
            seconds: how long to wait for each.

        Raises:
            RunError: one goes on writing.
        """
        for held in self.path.glob(f"arms/*/{TaskLock.NAME}"):
            TaskLock(held.parent, seconds).release()

    def write_arm(self, arm: Arm) -> None:
        """Write ``arm.json``, atomically."""
        folder = arm_folder(self.path, arm.folder)
        folder.mkdir(parents=True, exist_ok=True)
        write_sealed(folder / "arm.json", arm)

    def restore_arm(self, fresh: Arm) -> None:
        """Write an ``arm.json`` anew that is missing or damaged, which is set aside."""
        path = arm_folder(self.path, fresh.folder) / "arm.json"
        try:
            _arm_in(path.parent)
        except RunError as error:
            if path.exists():
                path.replace(path.with_name("arm.json.damaged"))
                log.warning("%s It was set aside.", error)
            self.write_arm(fresh)

    def read_arm(self, name: str) -> Arm:
        """``arm.json`` of an arm's folder."""
        return _arm_in(arm_folder(self.path, name))

    def repair_arm(self, name: str, items: int) -> bool:
        """Make an arm's files whole.

        Args:
            name: of the arm's folder.
            items: how many answers and scores a finished arm has.

        Returns:
            Whether nothing in them was damaged or missing.
        """
        folder = arm_folder(self.path, name)
        responses, *others = [repair_lines(folder / file, Response) for file in ANSWER_FILES]
        scores = repair_lines(folder / "scores.jsonl", ItemScore)
        complete = len(responses.records) == len(scores.records) == items
        return complete and scores.whole and all(lines.whole for lines in (responses, *others))


def arm_folder(run: Path, name: str) -> Path:
    """Where an arm's files lie below a run folder.

    Raises:
        RunError: the name would lead elsewhere.
    """
    try:
        return run / "arms" / plain_name(name)
    except ValueError as error:
        raise RunError(f"{shown(name)} is no arm of {run}: {error}") from None


def refuse_what_leads_out(run: Path) -> None:
    """Check that a run folder, which may be a stranger's, reads and writes itself alone.

    Raises:
        RunError: a symbolic link in it leads out of it, or something in it is no file.
    """
    found = links_out_of(run)
    if found:
        raise RunError(
            f"{run} holds a symbolic link that leads out of it: {found[0].relative_to(run)}. Put "
            "the file itself in its place."
        )
    found = no_files(run)
    if found:
        raise RunError(
            f"{found[0]} is neither a file nor a folder. Remove it, or put the file in its place."
        )


def run_id(path: Path) -> str:
    """The id of a run in a folder: the folder's name.

    Raises:
        RunError: others could not read it as a name.
    """
    try:
        return plain_name(path.resolve().name)
    except ValueError as error:
        raise RunError(f"{path} cannot be a run folder: {error}. Name another: --out") from None


def refuse_other_content(path: Path, *, hidden: bool = True) -> None:
    """Check that a run can be made in a folder.

    Args:
        path: of the folder, which need not exist.
        hidden: whether hidden files may stand there, as a kill leaves them of an atomic write.

    Raises:
        RunError: a run, other files or a file stand there.
    """
    run_id(path)
    begun = {"lock", "plan.yaml", "recommendation.json", "arms"}
    if (path / "run.json").exists():
        raise RunError(
            f"{path} holds a run already. Go on with it: "
            f"advisor bench --resume {shell_path(path)}. "
            "Or give another folder with --out."
        )
    if path.exists() and not path.is_dir():
        raise RunError(f"{path} is a file. Give a folder with --out.")
    found = {entry.name for entry in path.iterdir()} if path.exists() else set()
    other = {name for name in found - begun if not (hidden and name.startswith("."))}
    if other:
        raise RunError(
            f"{path} holds other files ({', '.join(sorted(other)[:3])}). "
            "Give an empty or a new folder with --out."
        )


@dataclass(frozen=True)
class ArmResult:
    """Everything that an arm left behind; what it has not written yet is empty."""

    arm: Arm
    responses: tuple[Response, ...]
    free: tuple[Response, ...]
    latency: tuple[Response, ...]
    scores: tuple[ItemScore, ...]


@dataclass(frozen=True)
class Run:
    """A run as a reader sees it.

    Attributes:
        path: its folder.
        plan: what was asked for, resolved.
        manifest: model, task, environment, hashes.
        arms: in the order in which they ran.
        recommendation: the advice the plan came from, as JSON, or None.
    """

    path: Path
    plan: Plan
    manifest: RunManifest
    arms: tuple[ArmResult, ...]
    recommendation: dict[str, Any] | None = None


def read_run(folder: Path) -> Run:
    """Read a run, finished or not, without a lock.

    Raises:
        RunError: it is no run folder, or a file in it is damaged.
    """
    if not (folder / "run.json").is_file():
        raise RunError(f"{folder} is no run folder: it has no run.json. {_HOW_MADE}")
    refuse_what_leads_out(folder)
    manifest = read_record(folder / "run.json", RunManifest)
    return Run(
        path=folder,
        plan=read_plan_of_run(folder),
        manifest=manifest,
        arms=tuple(_read_arm(arm_folder(folder, name)) for name in manifest.arms),
        recommendation=_read_recommendation(folder / "recommendation.json"),
    )


def keep_inputs(run: Path, inputs: Mapping[str, str]) -> None:
    """Keep what the items ask, by id, for reports; a run folder keeps it once."""
    if not (run / INPUTS).exists():
        write_lines(run / INPUTS, [ItemInput(id=name, input=text) for name, text in inputs.items()])


def recorded_inputs(run: Path) -> dict[str, str] | None:
    """Item id to its input as the run folder keeps them; None where it keeps none."""
    lines = scan_lines(run / INPUTS, ItemInput)
    return {line.id: line.input for line in lines.records} or None


def recommendation_text(run: Path) -> str | None:
    """The advice that came with a run, letter by letter; None where none did."""
    file = run / "recommendation.json"
    return file.read_text(encoding="utf-8") if file.is_file() else None


def _arm_in(folder: Path) -> Arm:
    """What ``arm.json`` says, which must be about the arm of this folder."""
    path = folder / "arm.json"
    arm = read_record(path, Arm)
    if arm.folder != folder.name:
        raise RunError(f"{path} is damaged: it is of arm {shown(arm.folder)}. {_how_to_mend(path)}")
    return arm


def _read_arm(folder: Path) -> ArmResult:
    return ArmResult(
        arm=_arm_in(folder),
        responses=read_lines(folder / "responses.jsonl", Response),
        free=read_lines(folder / "free.jsonl", Response),
        latency=read_lines(folder / "latency.jsonl", Response),
        scores=read_lines(folder / "scores.jsonl", ItemScore),
    )


def _read_recommendation(path: Path) -> dict[str, Any] | None:
    if not path.exists():
        return None
    try:
        value = json_data(read_text(path))
        if not isinstance(value, dict):
            raise FileError("it holds no JSON object")
    except FileError as error:
        raise RunError(f"{path} is damaged: {error}. Delete it; the run stays as it is.") from None
    return value


# ---------------------------------------------------------------- artifacts


Artifact = Kept[Cost]


class ArtifactStore(CheckedFolders[Cost]):
    """What arms share: answers, weights, settled rates, metrics before training."""

    def __init__(self, root: Path | None = None) -> None:
        """A store below a folder, ``$ADVISOR_HOME/artifacts`` unless told."""
        super().__init__(root or home() / "artifacts", Cost)
