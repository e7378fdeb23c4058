"""The arms of a run as tasks of a Ray cluster, whose machines share the run folder.

A task is a part of the plan: the arms of one method, or of all methods that share trained
weights, at one seed. It starts the same worker process as a bench on one machine, and what is
finished lies in the run folder: where a task is lost with its machine, Ray runs it again, and it
goes on where it was.
"""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from benchmarks.environment import (
    FURTHER_LIBRARIES,
    LIBRARIES,
    changes,
    gpu_name,
    library_versions,
)
from benchmarks.records import Arm, Failure
from benchmarks.sharding import parts_of
from benchmarks.store import (
    ORPHAN_SECONDS,
    RunFolder,
    TaskLock,
    arm_folder,
    read_record,
    write_record,
    write_sealed,
)
from benchmarks.tasks.extra import need_the_extra
from benchmarks.workers import Patience, Silent, Workers, environment_for, overrun
from strategies.data import Frozen
from strategies.errors import RunError, UserError
from strategies.home import HOME_VARIABLE, home

if TYPE_CHECKING:
    from benchmarks.runner import Bench

EXECUTOR = "ray"
_CONNECT_SECONDS = 10.0
_POLL_SECONDS = 0.5
_LOOK_SECONDS = 30.0
"""How often the cluster is looked at for a machine that is large enough."""
_STARTS = 6
"""A task that brought down so many machines or processes is given up."""
_STARTED = "starts.txt"
_NOTED = "progress.json"
_NOTE_SECONDS = 1.0
_LIBRARIES_BYTES = 2 * 2**30
_OWN = ("ADVISOR_", "HF_")


@dataclass(frozen=True)
class _Job:
    """What a task is told; it can be pickled.

    Attributes:
        name: of this task and no other.
        run: the run folder.
        arms: folders of the arms to do, in order.
        worker: command that works on them.
        threads: of each worker.
        ground: what its machine must have as the first one has it.
        variables: added to the worker's environment.
        until: seconds since the epoch after which no arm is begun.
        late: why an arm is skipped then.
        patience: with a worker that is silent or late.
    """

    name: str
    run: Path
    arms: tuple[str, ...]
    worker: tuple[str, ...]
    threads: int
    ground: Mapping[str, str | None]
    variables: Mapping[str, str]
    until: float | None
    late: str
    patience: Patience


class _Note(Frozen):
    """How far a phase of an arm is, left where the bench finds it."""

    phase: str
    done: int
    total: int


def on_ray(bench: Bench) -> None:
    """Do every pending arm of a bench on the cluster of ``RAY_ADDRESS``, or one of this machine.

    Raises:
        UserError: the cluster cannot be reached, or no machine of it is large enough.
        KeyboardInterrupt: after the tasks were stopped; the run can be resumed.
    """
    need_ray()
    import ray

    began = not ray.is_initialized()
    if began:
        _connect(ray)
    manifest = bench.folder.manifest.model_copy(update={"executor": EXECUTOR})
    write_sealed(bench.folder.path / "run.json", manifest)
    try:
        _work(ray, bench)
    finally:
        if began:
            ray.shutdown()
        # Those that take longer, the next bench waits for.
        with suppress(RunError):
            bench.folder.wait_for_tasks(ORPHAN_SECONDS)


def need_ray() -> None:
    """Check that Ray is installed.

    Raises:
        UserError: it is not.
    """
    need_the_extra("--executor ray", "ray", extra="ray")


def _connect(ray: Any) -> None:
    address = os.environ.get("RAY_ADDRESS", "")
    host, _, port = address.rpartition(":")
    try:
        if port.isdecimal() and "/" not in host:
            # Ray itself would try for minutes.
            socket.create_connection((host, int(port)), _CONNECT_SECONDS).close()
        # Without an address Ray would look for the cluster that was last here, and wait for it
        # also when it is gone.
        ray.init(
            address or "local",
            log_to_driver=False,
            logging_level=logging.ERROR,
            include_dashboard=False,
        )
    except (OSError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        cluster = f"The Ray cluster of RAY_ADDRESS {address}" if address else "A Ray cluster"
        raise UserError(f"{cluster} cannot be reached: {error}") from None


# ---------------------------------------------------------------- what a task takes


def _resources(bench: Bench, part: Sequence[Arm]) -> dict[str, float]:
    """What a task declares, for Ray to place it by; nothing holds it to that.

    Memory of the machine: the libraries, and the model's files twice, as files in 16 bits are
    computed in 32. Where every weight is trained without a GPU there are gradients and two
    moments beside them.
    """
    gpu = bench.resolved.environment.gpu is not None
    methods = {method.name: method for method in bench.resolved.plan.methods}
    whole = any(arm.name in methods and methods[arm.name].weights.kind == "full" for arm in part)
    return {
        "CPU": bench.resolved.setting.threads,
        "GPU": 1 if gpu else 0,
        "memory": _LIBRARIES_BYTES + (8 if whole and not gpu else 2) * bench.resolved.model_bytes,
    }


def _refuse_too_small(ray: Any, wanted: Sequence[Mapping[str, float]]) -> None:
    """Check that there is a machine for every task.

    Raises:
        UserError: there is none for one of them.
    """
    machines = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    for each in wanted:
        if not any(_holds(machine, each) for machine in machines):
            raise UserError(
                f"No machine of the Ray cluster has {_listed(each)}; there are "
                f"{'; '.join(map(_listed, machines)) or 'none'}. Add a machine; the cores are "
                "threads: of the plan. What is finished is kept."
            )


def _holds(machine: Mapping[str, float], wanted: Mapping[str, float]) -> bool:
    return all(machine.get(name, 0) >= amount for name, amount in wanted.items())


def _listed(resources: Mapping[str, float]) -> str:
    return (
        f"{resources.get('CPU', 0):g} cores, {resources.get('GPU', 0):g} GPUs and "
        f"{resources.get('memory', 0) / 2**30:.1f} GiB"
    )


# ---------------------------------------------------------------- here


def _work(ray: Any, bench: Bench) -> None:
    every = [bench.folder.read_arm(name) for name in bench.names]
    todo = {arm.folder: arm for arm in every if arm.status == "pending" and not bench.is_known(arm)}
    for arm in every:
        if arm.folder not in todo:
            _tell(bench, arm, len(todo))
    parts = parts_of(list(todo.values()), bench.resolved.plan)
    wanted = [_resources(bench, part) for part in parts]
    _refuse_too_small(ray, wanted)
    looked, notes = time.monotonic(), dict[str, _Note]()
    tasks = {_submit(ray, bench, *each): each[0] for each in zip(parts, wanted, strict=True)}
    try:
        while tasks:
            done, _ = ray.wait(list(tasks), num_returns=1, timeout=_POLL_SECONDS)
            for task in done:
                _settle(ray, bench, task, tasks.pop(task))
            _look_at(bench, todo, notes)
            if _is_overdue(bench):
                _skip_overdue(bench, tasks.values())
                break
            if time.monotonic() - looked > _LOOK_SECONDS:
                # A machine that was there may be gone for good.
                _refuse_too_small(ray, [_resources(bench, part) for part in tasks.values()])
                looked = time.monotonic()
    finally:
        for task in tasks:
            ray.cancel(task, force=True)


def _is_overdue(bench: Bench) -> bool:
    """Whether tasks should have ended by the budget long ago: their machines end them before."""
    left = bench.seconds_left
    patience = bench.means.patience
    return left is not None and -left > patience.grace_seconds + 12 * patience.stop_seconds


def _skip_overdue(bench: Bench, parts: Iterable[Sequence[Arm]]) -> None:
    for name in (arm.folder for part in parts for arm in part):
        arm = bench.folder.read_arm(name)
        if arm.status == "pending":
            skipped = {"status": "skipped", "reason": overrun(bench.means.patience)}
            bench.folder.write_arm(arm.model_copy(update=skipped))


def _look_at(bench: Bench, todo: dict[str, Arm], told: dict[str, _Note]) -> None:
    """Tell how far the arms are, and take those away that have ended."""
    for name, before in list(todo.items()):
        arm = bench.folder.read_arm(name)
        if arm.status == "pending":
            _tell_how_far(bench, arm, told)
            continue
        del todo[name]
        if arm.status == "finished":
            bench.publish(arm)
        _tell(bench, before, len(todo))


def _tell(bench: Bench, before: Arm, left: int) -> None:
    """An arm has ended; arms end in any order, so it counts as the last one so far."""
    total = len(bench.names)
    bench.means.watcher.started(before, total - left, total)
    bench.means.watcher.ended(bench.folder.read_arm(before.folder))


def _tell_how_far(bench: Bench, arm: Arm, told: dict[str, _Note]) -> None:
    file = arm_folder(bench.folder.path, arm.folder) / _NOTED
    with suppress(RunError):
        note = read_record(file, _Note)
        if told.get(arm.folder) != note:
            told[arm.folder] = note
            bench.means.watcher.advanced(arm, note.phase, note.done, note.total)


def _submit(ray: Any, bench: Bench, part: Sequence[Arm], resources: Mapping[str, float]) -> Any:
    left = bench.seconds_left
    job = _Job(
        name=uuid4().hex,
        run=bench.folder.path.resolve(),
        arms=tuple(arm.folder for arm in part),
        worker=tuple(bench.means.worker),
        threads=bench.resolved.setting.threads,
        ground=_ground(gpu=bench.resolved.environment.gpu is not None),
        variables={**_own_variables(), **bench.means.variables},
        until=None if left is None else time.time() + left,
        late=bench.late,
        patience=bench.means.patience,
    )
    task = ray.remote(_do).options(
        name=" ".join(job.arms),
        num_cpus=resources["CPU"],
        num_gpus=resources["GPU"],
        memory=resources["memory"],
        max_retries=-1,
    )
    return task.remote(job)


def _own_variables() -> dict[str, str]:
    """Where this process finds models, data and finished work; other machines need the same."""
    named = {key: value for key, value in os.environ.items() if key.startswith(_OWN)}
    return named | {HOME_VARIABLE: str(home())}


def _settle(ray: Any, bench: Bench, task: Any, part: Sequence[Arm]) -> None:
    """A task has ended; what it left undone has failed."""
    message, kind = "the task ended before it was done", "crashed"
    try:
        ray.get(task)
    except ray.exceptions.RayTaskError as error:
        message, kind = str(error.cause), type(error.cause).__name__
    except ray.exceptions.RayError as error:
        message, kind = str(error), type(error).__name__
    for name in (arm.folder for arm in part):
        arm = bench.folder.read_arm(name)
        if arm.status == "pending":
            failure = Failure(kind=kind, message=message)
            failed = arm.model_copy(update={"status": "failed", "failure": failure})
            bench.folder.write_arm(failed)


# ---------------------------------------------------------------- on a machine of the cluster


def _ground(*, gpu: bool) -> dict[str, str | None]:
    """What answers rest on beside the plan and the model: versions, and the GPU if one is used."""
    ground: dict[str, str | None] = {**library_versions(LIBRARIES + FURTHER_LIBRARIES)}
    return ground | ({"GPU": gpu_name()} if gpu else {})


def _refuse_other_machine(ground: Mapping[str, str | None]) -> None:
    """Check that this machine is like the one that began the run.

    Raises:
        RunError: each difference is named.
    """
    other = changes(ground, _ground(gpu="GPU" in ground))
    if other:
        raise RunError(
            f"machine {socket.gethostname()} of the Ray cluster is not like the one that began "
            f"the run: {'; '.join(other)}. Answers of one run must be comparable."
        )


class _Noting(Silent):
    """Notes how an arm moves on."""

    def __init__(self, run: Path) -> None:
        self._run = run
        self._noted = float("-inf")

    def advanced(self, arm: Arm, phase: str, done: int, total: int) -> None:
        if time.monotonic() - self._noted >= _NOTE_SECONDS:
            note = _Note(phase=phase, done=done, total=total)
            write_record(arm_folder(self._run, arm.folder) / _NOTED, note)
            self._noted = time.monotonic()


def _do(job: _Job) -> None:
    """Do the arms of a task that nobody did yet.

    Raises:
        RunError: the machine is not like the first, the task was started too often, or the
            workers of an earlier start do not end.
    """
    _refuse_other_machine(job.ground)
    first = arm_folder(job.run, job.arms[0])
    with RunFolder(job.run, TaskLock(first)) as folder:
        _count_starts(first / _STARTED, job.name)
        variables = environment_for(job.threads, job.variables)
        workers = Workers(folder, job.worker, variables, _Noting(job.run), job.patience)
        try:
            for name in job.arms:
                arm = folder.read_arm(name)
                if arm.status == "pending" and job.until and time.time() > job.until:
                    skipped = {"status": "skipped", "reason": job.late}
                    folder.write_arm(arm.model_copy(update=skipped))
                elif arm.status == "pending":
                    workers.work_on(arm, job.until and job.until - time.time())
        finally:
            workers.stop()


def _count_starts(file: Path, task: str) -> None:
    with file.open("a+", encoding="utf-8") as stream:
        stream.write(f"{task}\n")
        stream.seek(0)
        starts = stream.read().splitlines().count(task)
    if starts > _STARTS:
        raise RunError(f"it was begun {_STARTS} times, and each time its process or machine ended")
