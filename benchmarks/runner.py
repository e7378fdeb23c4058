"""Runs a plan: every arm in a process of its own, resumable, within a budget.

Finished arms are never repeated, not even by another run: an arm whose fingerprint is known
takes its answers, scores and costs from the artifact store.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import environment
from benchmarks.fingerprint import (
    Setting,
    answers_fingerprint,
    floor_fingerprint,
    scored_fingerprint,
)
from benchmarks.floors import FLOORS_VERSION, floors_for
from benchmarks.plan import Plan
from benchmarks.readiness import load_checked
from benchmarks.records import Arm, Cost, Environment, RunManifest
from benchmarks.sharding import Shard, in_shard
from benchmarks.store import (
    ANSWER_FILES,
    Artifact,
    ArtifactStore,
    Run,
    RunFolder,
    arm_folder,
    keep_inputs,
    read_record,
    run_id,
)
from benchmarks.tasks.foreign_code import LM_EVAL
from benchmarks.tasks.task import Task
from benchmarks.worker import load_cut
from benchmarks.workers import Patience, Silent, Watcher, Workers, environment_for
from strategies.errors import NotApplicableError, RunError
from strategies.method import Method
from strategies.visible import shell_path

_WORKER = (sys.executable, "-m", "benchmarks.worker")


@dataclass(frozen=True)
class Resolved:
    """A plan with nothing left open, on this machine.

    Attributes:
        plan: precision and threads are fixed.
        task: cut to the plan's limits.
        setting: what is the same for all arms.
        environment: where it will run.
        model_bytes: size of the model's files, those of an adapter's base included.
    """

    plan: Plan
    task: Task
    setting: Setting
    environment: Environment
    model_bytes: int = 0


# ---------------------------------------------------------------- before it starts


def resolve(plan: Plan, say: Callable[[str], None] = lambda text: None) -> Resolved:
    """Fix everything that a plan leaves open and check that it can run.

    Args:
        plan: what a person or ``advisor ask`` wrote.
        say: told what takes long, such as a download, and what was noted of the task.

    Raises:
        StorageError: models and results cannot be kept.
        DataError: the task cannot be used.
        ModelError: the model or the embedder cannot be found or used, or wants to run code.
        NotApplicableError: the task meets the needs of no method.
    """
    from strategies import models
    from strategies.device import resolve_precision
    from strategies.embedding import resolve_embedder
    from strategies.model_checks import look_at_fetched
    from strategies.strangers import refuse_programs
    from strategies.trial_build import check_that_it_builds

    task = load_checked(lambda: load_cut(plan), plan.model, plan.embedder)
    for note in task.notes:
        say(f"Note: {note}")
    refuse_if_nothing_runs(plan, task)
    precision = resolve_precision(plan.precision)
    threads = plan.threads or environment.allowed_cores()
    fixed = plan.model_copy(update={"precision": precision, "threads": threads})
    model, embedder = models.resolve(plan.model, say), resolve_embedder(plan.embedder, say)
    look_at_fetched(model, embedder)
    refuse_programs(model, embedder)
    check_that_it_builds(model)
    setting = environment.setting_of(fixed, model.sha256, embedder.sha256)
    found = environment.collect(precision, threads)
    return Resolved(fixed, task, setting, found, model.size_bytes)


def refuse_if_nothing_runs(plan: Plan, task: Task) -> None:
    """Check that at least one method can run.

    Raises:
        NotApplicableError: the task meets the needs of none; each is listed.
    """
    reasons = {method.name: why_refused(method, task) for method in plan.methods}
    if all(reasons.values()):
        listed = "\n".join(f"  {name}: {reason}" for name, reason in reasons.items())
        raise NotApplicableError(f"No method of the plan can run on task {task.id}:\n{listed}")


def why_refused(method: Method, task: Task) -> str:
    """Why a method cannot run on a task, "" when it can."""
    brings = {
        "train": "training items (train.jsonl)",
        "corpus": "a corpus to retrieve from (corpus: in task.yaml)",
    }
    missing = [brings[need] for need in method.missing(task.data())]
    return f"needs {' and '.join(missing)}, which the task does not have" if missing else ""


def arms_of(resolved: Resolved) -> tuple[Arm, ...]:
    """The arms of a plan in the order in which they run, cheap ones first.

    Methods that share trained weights follow each other, so that they are trained once. A
    method or floor that draws nothing runs at the first seed only.
    """
    plan, task = resolved.plan, resolved.task
    first = plan.seeds[0]
    floors = [_floor_arm(resolved, name, first) for name in floors_for(task) if plan.floors]
    ordered = _by_expense(plan.methods)
    arms = [
        _method_arm(resolved, method, seed)
        for seed in plan.seeds
        for method in ordered
        if seed == first or method.trains or method.prompting.seeded
    ]
    return (*floors, *arms)


def _by_expense(methods: Sequence[Method]) -> list[Method]:
    weights = [method.weights.model_dump_json() for method in methods]

    def expense(method: Method) -> tuple[bool, int, bool]:
        same_weights = weights.index(method.weights.model_dump_json())
        return method.trains, same_weights, method.train_prompting is not None

    return sorted(methods, key=expense)


def _floor_arm(resolved: Resolved, name: str, seed: int) -> Arm:
    answers = floor_fingerprint(resolved.setting, resolved.task, name, FLOORS_VERSION)
    return Arm(name=name, seed=seed, floor=True, fingerprint=_scored(resolved, answers))


def _method_arm(resolved: Resolved, method: Method, seed: int) -> Arm:
    reason = why_refused(method, resolved.task)
    if reason:
        return Arm(name=method.name, seed=seed, status="refused", reason=reason)
    scored = _scored(resolved, _answers_of(resolved, method, seed))
    return Arm(name=method.name, seed=seed, fingerprint=scored)


def _scored(resolved: Resolved, answers: str) -> str:
    libraries = resolved.environment.libraries
    return scored_fingerprint(answers, resolved.plan, resolved.task, libraries)


def _answers_of(resolved: Resolved, method: Method, seed: int) -> str:
    return answers_fingerprint(resolved.setting, resolved.plan, resolved.task, method, seed)


# ---------------------------------------------------------------- a run


@dataclass(frozen=True)
class Means:
    """What a run works with.

    Attributes:
        artifacts: shared between runs.
        watcher: told how it moves on.
        executor: does the pending arms of a bench; None does them here, one by one.
        worker: command that, given a run folder, works on the arms that it is told of.
        variables: added to the worker's environment.
        resolver: what a resumed run is checked with.
        patience: with a worker that is silent or late.
    """

    artifacts: ArtifactStore = field(default_factory=ArtifactStore)
    watcher: Watcher = field(default_factory=Silent)
    executor: Callable[[Bench], None] | None = None
    worker: Sequence[str] = _WORKER
    variables: Mapping[str, str] = field(default_factory=dict)
    resolver: Callable[[Plan], Resolved] = resolve
    patience: Patience = field(default_factory=Patience)


@dataclass(frozen=True)
class Origin:
    """Where a run comes from.

    Attributes:
        command: the command that reproduces it.
        recommendation: JSON of the advice that led to the plan.
        shard: which part of the plan this is; None is all of it.
    """

    command: str = ""
    recommendation: str | None = None
    shard: Shard | None = None


def run(resolved: Resolved, folder: Path, means: Means, origin: Origin | None = None) -> None:
    """Run a plan into a new folder.

    Args:
        resolved: from `resolve`.
        folder: does not exist yet or is empty.
        means: store, watcher and worker.
        origin: written into the manifest.

    Raises:
        RunError: the folder cannot be used.
        KeyboardInterrupt: after the worker was stopped; the run can be resumed.
    """
    origin = origin or Origin()
    every = arms_of(resolved)
    arms = in_shard(every, resolved.plan, origin.shard) if origin.shard else every
    manifest = _manifest(resolved, folder, arms, origin.command)
    if origin.shard:
        manifest = manifest.model_copy(update={"plan_arms": tuple(arm.folder for arm in every)})
    with RunFolder.create(folder, resolved.plan, manifest, origin.recommendation) as open_run:
        for arm in arms:
            open_run.write_arm(arm)
        Bench(resolved, open_run, means).work()


def resume(folder: Path, means: Means, budget_minutes: float | None = None) -> None:
    """Go on with a run: what is finished or refused stays, everything else is done.

    Args:
        folder: of a run that was begun.
        means: store, watcher and worker.
        budget_minutes: counted from now; None takes the plan's.

    Raises:
        RunError: it is no run folder, another process writes it, or plan, task, model, library
            versions or this code are no longer what it was begun with.
        KeyboardInterrupt: as in `run`.
    """
    with RunFolder.open(folder) as open_run:
        resolved = means.resolver(open_run.plan)
        _refuse_change(open_run.manifest, resolved, folder)
        minutes = budget_minutes or resolved.plan.budget_minutes
        plan = resolved.plan.model_copy(update={"budget_minutes": minutes})
        open_run.wait_for_tasks()
        bench = Bench(replace(resolved, plan=plan), open_run, means)
        here = set(open_run.manifest.arms)
        bench.reopen([arm for arm in arms_of(resolved) if arm.folder in here])
        bench.work()


def _refuse_change(manifest: RunManifest, resolved: Resolved, folder: Path) -> None:
    """Answers of one run must be comparable: nothing that changes them may have changed."""
    now = {
        "task": resolved.task.sha256,
        "model": resolved.setting.model_sha256,
        "embedder": resolved.setting.embedder_sha256,
        "GPU": resolved.environment.gpu,
        "plan.yaml": resolved.plan.sha256,
        **resolved.environment.libraries,
    }
    then = {
        "task": manifest.task.sha256,
        "model": manifest.model_sha256,
        "embedder": manifest.embedder_sha256,
        "GPU": manifest.environment.gpu,
        "plan.yaml": manifest.plan_sha256,
        **manifest.environment.libraries,
    }
    changed = environment.changes(then, now)
    if changed:
        raise _changed_since(folder, changed)


def refuse_other_ground(run: Run) -> None:
    """Check that task, model and embedder are still what a run rests on.

    Raises:
        RunError: each that is not is named.
    """
    from strategies import models
    from strategies.embedding import resolve_embedder

    manifest, plan = run.manifest, run.plan
    then = {
        "task": manifest.task.sha256,
        "model": manifest.model_sha256,
        "embedder": manifest.embedder_sha256,
    }
    now = {
        "task": load_cut(plan).sha256,
        "model": models.resolve(plan.model).sha256,
        "embedder": resolve_embedder(plan.embedder).sha256,
    }
    changed = environment.changes(then, now)
    if changed:
        raise RunError(f"{manifest.id} rests on what is no longer as it was:\n{_listed(changed)}")


def _changed_since(folder: Path, changed: Sequence[str]) -> RunError:
    return RunError(
        f"{folder} cannot be resumed, because this has changed since it was begun:\n"
        f"{_listed(changed)}\n"
        f"Start a new run: advisor bench {shell_path(folder / 'plan.yaml')} --out FOLDER"
    )


def _listed(changed: Sequence[str]) -> str:
    return "\n".join(f"  {change}" for change in changed)


def _manifest(resolved: Resolved, folder: Path, arms: Sequence[Arm], command: str) -> RunManifest:
    return RunManifest(
        id=run_id(folder),
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        plan_sha256=resolved.plan.sha256,
        task=resolved.task.card(),
        model=resolved.plan.model,
        model_sha256=resolved.setting.model_sha256,
        embedder_sha256=resolved.setting.embedder_sha256,
        environment=resolved.environment,
        command=command,
        arms=tuple(arm.folder for arm in arms),
        commit=_commit(),
    )


def _commit() -> str | None:
    """The commit of the checkout that this code runs from, None outside of one."""
    checkout = Path(__file__).resolve().parents[1]
    if not (checkout / ".git").exists() or shutil.which("git") is None:
        return None
    commit = _git(checkout, "rev-parse", "--verify", "HEAD")
    if not commit:
        return None
    # What a run writes is no change of the code.
    code = ("advisor", "strategies", "benchmarks", "pyproject.toml")
    changed = _git(checkout, "status", "--porcelain", "--", *code)
    return f"{commit}, with changes that are not committed" if changed else commit


def _git(checkout: Path, *arguments: str) -> str:
    command = ["git", "-C", str(checkout), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else ""


class Bench:
    """The arms of one opened run folder."""

    def __init__(self, resolved: Resolved, folder: RunFolder, means: Means) -> None:
        self.resolved = resolved
        self.folder = folder
        self.means = means
        self.names = folder.manifest.arms
        self.began = time.monotonic()

    def reopen(self, arms: Sequence[Arm]) -> None:
        """Set every arm that has to be done again to pending; its answers stay."""
        for fresh in arms:
            self.folder.restore_arm(fresh)
            whole = self.folder.repair_arm(fresh.folder, len(self.resolved.task.test))
            arm = self.folder.read_arm(fresh.folder)
            if arm.fingerprint != fresh.fingerprint:
                how = f"{arm.folder}: this version trains, answers or scores in another way"
                raise _changed_since(self.folder.path, [how])
            if arm.status in ("failed", "skipped") or (arm.status == "finished" and not whole):
                pending = arm.model_copy(
                    update={"status": "pending", "reason": "", "failure": None}
                )
                self.folder.write_arm(pending)

    def work(self) -> None:
        """Do every pending arm."""
        if self.resolved.task.id.startswith(LM_EVAL):
            inputs = {item.id: item.input for item in self.resolved.task.test}
            keep_inputs(self.folder.path, inputs)
        (self.means.executor or one_by_one)(self)

    @property
    def seconds_left(self) -> float | None:
        """Of the budget; None without one."""
        minutes = self.resolved.plan.budget_minutes
        return None if minutes is None else minutes * 60 - (time.monotonic() - self.began)

    @property
    def late(self) -> str:
        """Why an arm is skipped when the budget is used up."""
        minutes = self.resolved.plan.budget_minutes or 0.0
        return f"the budget of {minutes:g} minutes was used up before it could start"

    def skip_over_budget(self, arm: Arm) -> bool:
        """Whether the budget is used up, and the arm skipped for that."""
        left = self.seconds_left
        if left is None or left >= 0:
            return False
        self.folder.write_arm(arm.model_copy(update={"status": "skipped", "reason": self.late}))
        return True

    # ------------------------------------------------ answers of other runs

    def _answers_key(self, arm: Arm) -> str:
        if arm.floor:
            task = self.resolved.task
            return floor_fingerprint(self.resolved.setting, task, arm.name, FLOORS_VERSION)
        method = next(m for m in self.resolved.plan.methods if m.name == arm.name)
        return _answers_of(self.resolved, method, arm.seed)

    def is_known(self, arm: Arm) -> bool:
        """Whether another run gave its answers and scores, which are taken."""
        begun = arm_folder(self.folder.path, arm.folder) / "responses.jsonl"
        if begun.exists() and begun.stat().st_size > 0 and "answers" not in arm.reused:
            # With answers that it has begun to give itself, a run goes on.
            return False
        with self.means.artifacts.held("answers", self._answers_key(arm)) as known:
            return known is not None and self._take(arm, known)

    def _take(self, arm: Arm, known: Artifact) -> bool:
        """Use answers of another run; True when its scores hold for this one as well."""
        before = read_record(known.path / "arm.json", Arm)
        taken = {name: getattr(before, name) for name in ("cost", "curve", "training")}
        taken["reused"] = ("answers",)
        # First, so that a kill half-way leaves an arm that takes them again.
        self.folder.write_arm(arm.model_copy(update=taken))
        same_scores = before.fingerprint == arm.fingerprint
        for name in (*ANSWER_FILES, *(["scores.jsonl"] if same_scores else [])):
            if (known.path / name).exists():
                target = arm_folder(self.folder.path, arm.folder) / name
                shutil.copyfile(known.path / name, target)
        if same_scores:
            same = {"name": arm.name, "seed": arm.seed, "reused": ("answers",)}
            self.folder.write_arm(before.model_copy(update=same))
        return same_scores

    def publish(self, arm: Arm) -> None:
        """Let other runs take the answers of an arm that finished."""
        folder = arm_folder(self.folder.path, arm.folder)

        def fill(draft: Path) -> Cost:
            for name in (*ANSWER_FILES, "scores.jsonl", "arm.json"):
                if (folder / name).exists():
                    shutil.copyfile(folder / name, draft / name)
            return arm.cost

        # Other scores of the same answers replace the older ones.
        self.means.artifacts.replace("answers", self._answers_key(arm), fill)


def one_by_one(bench: Bench) -> None:
    """Do every pending arm on this machine, one after the other."""
    threads, means = bench.resolved.setting.threads, bench.means
    variables = environment_for(threads, means.variables)
    workers = Workers(bench.folder, means.worker, variables, means.watcher, means.patience)
    try:
        for number, name in enumerate(bench.names, start=1):
            arm = bench.folder.read_arm(name)
            means.watcher.started(arm, number, len(bench.names))
            if arm.status == "pending" and not (bench.is_known(arm) or bench.skip_over_budget(arm)):
                arm = workers.work_on(arm, bench.seconds_left)
                if arm.status == "finished":
                    bench.publish(arm)
            means.watcher.ended(bench.folder.read_arm(name))
    finally:
        workers.stop()
