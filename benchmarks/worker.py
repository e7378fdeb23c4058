"""The work on one arm, and the process that does it: ``python -m benchmarks.worker RUN_FOLDER``."""

from __future__ import annotations

import statistics
import sys
import time
import traceback
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Protocol

from benchmarks.answering import Answerer
from benchmarks.environment import peak_memory_bytes
from benchmarks.forking import Channel, serve
from benchmarks.plan import Plan
from benchmarks.records import (
    Arm,
    Cost,
    CurvePoint,
    Failure,
    ItemScore,
    Response,
    RunManifest,
)
from benchmarks.store import (
    Appender,
    ArtifactStore,
    arm_folder,
    read_plan_of_run,
    read_record,
    write_lines,
    write_sealed,
)
from benchmarks.tasks.foreign_code import LM_EVAL
from benchmarks.tasks.languages import label_form
from benchmarks.tasks.task import Item, Task
from strategies.errors import DataError, NotApplicableError, UserError, storage_trouble
from strategies.progress import Progress
from strategies.prompting.retrieval import is_gold
from strategies.training_record import TrainingRecord

Scores = dict[str, float | None]


@dataclass(frozen=True)
class Ready:
    """An arm that can answer, and what it took to get there."""

    answerer: Answerer
    cost: Cost = field(default_factory=Cost)
    curve: tuple[CurvePoint, ...] = ()
    training: TrainingRecord | None = None
    reused: tuple[str, ...] = ()


class Evaluate(Protocol):
    """Answers what is not known yet and scores everything."""

    def __call__(
        self,
        task: Task,
        answerer: Answerer,
        known: Mapping[str, Response],
        record: Callable[[Response], None],
    ) -> tuple[Scores, list[ItemScore]]:
        """Scores over all test items, and one score an item."""
        ...


@dataclass(frozen=True)
class Parts:
    """The heavy parts of a worker.

    Attributes:
        preload: imports what all arms of a plan need.
        load: the task of a plan, cut to size.
        prepare: trains and indexes what an arm needs.
        evaluate: answers and scores.
    """

    preload: Callable[[Plan], None]
    load: Callable[[Plan], Task]
    prepare: Callable[[Plan, Task, Arm, Progress], Ready]
    evaluate: Evaluate


# ---------------------------------------------------------------- the real parts


def real_parts() -> Parts:
    """The parts that a bench uses; they import torch and lm_eval when they are called."""
    return Parts(preload=_preload, load=load_cut, prepare=_prepare, evaluate=_evaluate)


def _preload(plan: Plan) -> None:
    from benchmarks import evaluation, preparing  # noqa: F401
    from strategies import inference  # noqa: F401
    from strategies.models import import_architecture, resolve

    import_architecture(resolve(plan.model))
    if any(method.trains for method in plan.methods):
        from strategies import attempts, rate_search  # noqa: F401


def load_cut(plan: Plan) -> Task:
    """The task of a plan, cut to the plan's limits.

    Raises:
        DataError: it cannot be found or used.
        UntrustedCodeError: it is a file of lm-eval's that names code which was not trusted.
    """
    from benchmarks.tasks.catalogue import load_task

    if plan.fresh_items is not None:
        refuse_fresh_items_of_lm_eval(plan.task)
    return _cut(load_task(plan.task), plan)


def read_cut(plan: Plan) -> Task:
    """The task of a plan as `load_cut` gives it, for who reads a run that may be a stranger's.

    Raises:
        DataError: it is one of lm-eval's, or it cannot be found or used.
    """
    from benchmarks.tasks.catalogue import read_task

    return _cut(read_task(plan.task), plan)


def _cut(task: Task, plan: Plan) -> Task:
    from benchmarks.tasks.loading import with_fresh_items

    if plan.fresh_items is not None:
        task = with_fresh_items(task, Path(plan.fresh_items))
    return task.cut(plan.limits)


def refuse_fresh_items_of_lm_eval(task: str) -> None:
    """Check that a task can be asked other items than its own.

    Raises:
        DataError: it is one of lm-eval's.
    """
    if task.startswith(LM_EVAL):
        raise DataError(f"{task}: lm-eval scores the items of its own tasks and no fresh ones")


def _prepare(plan: Plan, task: Task, arm: Arm, progress: Progress) -> Ready:
    if arm.floor:
        from benchmarks.floors import prepare_floor
        from strategies.embedding import load_embedder

        floor = prepare_floor(arm.name, task, lambda: load_embedder(plan.embedder))
        return Ready(answerer=floor, cost=floor.cost)
    from benchmarks.preparing import prepare_arm

    method = next(method for method in plan.methods if method.name == arm.name)
    made = prepare_arm(plan, task, method, arm.seed, ArtifactStore(), progress)
    return Ready(made.answerer, made.cost, tuple(made.curve), made.training, tuple(made.reused))


def _evaluate(
    task: Task,
    answerer: Answerer,
    known: Mapping[str, Response],
    record: Callable[[Response], None],
) -> tuple[Scores, list[ItemScore]]:
    from benchmarks.evaluation import evaluate_arm

    return evaluate_arm(task, answerer, known, record)


# ---------------------------------------------------------------- one arm


class _Lazy:
    """An answerer that is prepared when the first answer is wanted, if ever."""

    def __init__(self, prepare: Callable[[], Answerer]) -> None:
        self._prepare = prepare
        self._answerer: Answerer | None = None

    def answer(
        self, items: Sequence[Item], *, free: bool = False, known: Collection[str] = ()
    ) -> Iterator[Response]:
        return self.prepared().answer(items, free=free, known=known)

    def prepared(self) -> Answerer:
        """The answerer, prepared now if it is not yet."""
        if self._answerer is None:
            self._answerer = self._prepare()
        return self._answerer


class ArmWork:
    """One arm, from what is known already to ``arm.json`` finished."""

    def __init__(self, run: Path, name: str, parts: Parts, progress: Progress) -> None:
        """The work of an arm whose ``arm.json`` says pending."""
        self.folder = arm_folder(run, name)
        self.plan = read_plan_of_run(run)
        self.arm = read_record(self.folder / "arm.json", Arm)
        self.parts = parts
        self.progress = progress
        self.manifest = read_record(run / "run.json", RunManifest)
        self.answerer = _Lazy(self._prepare)

    @cached_property
    def task(self) -> Task:
        """The task, which must be the one that the run was begun with.

        Raises:
            DataError: it has changed, or cannot be used any more.
        """
        task = self.parts.load(self.plan)
        if task.sha256 != self.manifest.task.sha256:
            raise DataError(
                f"Task {task.id} has changed since the run began: answers of one run must be "
                "comparable. Put it back, or begin a new run."
            )
        return task

    def finish(self) -> None:
        """Answer, score and measure everything that is missing, then write the results."""
        if self.arm.cost == Cost():
            # Also where all answers are there and arm.json had to be written anew.
            self.answerer.prepared()
        scores, items, responses = self._answer_all()
        free = self._answer_freely()
        latency = self._measure_latency()
        write_lines(self.folder / "scores.jsonl", items)
        self._keep(
            status="finished",
            scores=scores,
            format_validity=format_validity(self.task, free, responses),
            recall_at_k=recall_at_k(self.task.test, responses),
            cost=self._cost(responses, latency),
        )

    def fail(self, error: BaseException) -> None:
        """Write down why there is no result."""
        if isinstance(error, NotApplicableError):
            self._keep(status="refused", reason=str(error))
        else:
            self._keep(status="failed", failure=failure_of(error))

    def _prepare(self) -> Answerer:
        ready = self.parts.prepare(self.plan, self.task, self.arm, self.progress)
        reused = tuple(sorted({*self.arm.reused, *ready.reused}))
        peak = _largest(self.arm.cost.peak_memory_bytes, ready.cost.peak_memory_bytes)
        cost = ready.cost.model_copy(update={"peak_memory_bytes": peak})
        self._keep(cost=cost, curve=ready.curve, training=ready.training, reused=reused)
        return ready.answerer

    def _answer_all(self) -> tuple[Scores, list[ItemScore], tuple[Response, ...]]:
        with Appender(self.folder / "responses.jsonl", Response) as file:
            known = {response.id: response for response in file.records}

            def record(response: Response) -> None:
                file.append(response)
                self.progress("answering", len(file.records), len(self.task.test))

            scores, items = self.parts.evaluate(self.task, self.answerer, known, record)
            answered = {response.id: response for response in file.records}
        self._keep(cost=self.arm.cost.model_copy(update={"peak_memory_bytes": self._peak()}))
        return scores, items, tuple(answered[item.id] for item in self.task.test)

    def _answer_freely(self) -> tuple[Response, ...]:
        if not self.task.closed or self.arm.floor:
            return ()
        with Appender(self.folder / "free.jsonl", Response) as file:
            known = {response.id for response in file.records}
            items = self.task.test if len(known) < len(self.task.test) else ()
            for response in self.answerer.answer(items, free=True, known=known) if items else ():
                file.append(response)
                self.progress("free answers", len(file.records), len(self.task.test))
            return tuple(file.records)

    def _measure_latency(self) -> tuple[Response, ...]:
        items = self.task.test[: self.plan.latency_items]
        with Appender(self.folder / "latency.jsonl", Response) as file:
            known = {response.id for response in file.records}
            missing = [item for item in items if item.id not in known]
            if missing:
                # The first answers pay for lazy set-up and for what all prompts share, whether or
                # not this process answered anything before.
                list(self.answerer.answer(items[:2]))
            for item in missing:
                file.append(self._answer_alone(item))
                self.progress("latency", len(file.records), len(items))
            wanted = {item.id for item in items}
            return tuple(response for response in file.records if response.id in wanted)

    def _answer_alone(self, item: Item) -> Response:
        start = time.perf_counter()
        (response,) = self.answerer.answer([item])
        return response.model_copy(update={"seconds": time.perf_counter() - start})

    def _cost(self, responses: Sequence[Response], latency: Sequence[Response]) -> Cost:
        seconds = sum(response.seconds for response in responses)
        alone = [response.seconds for response in latency if not response.refused]
        return self.arm.cost.model_copy(
            update={
                "answer_seconds": seconds,
                "peak_memory_bytes": self._peak(),
                "prompt_tokens": _mean([r.prompt_tokens for r in responses]),
                "output_tokens": _mean([r.output_tokens for r in responses]),
                "latency_p50_seconds": percentile(alone, 50),
                "latency_p95_seconds": percentile(alone, 95),
                "items_per_second": len(responses) / seconds if seconds > 0 else None,
            }
        )

    def _peak(self) -> int | None:
        # An arm that had nothing to answer has loaded nothing: its own peak says nothing.
        own = peak_memory_bytes() if "answers" not in self.arm.reused else None
        return _largest(self.arm.cost.peak_memory_bytes, own)

    def _keep(self, **changes: object) -> None:
        self.arm = self.arm.model_copy(update=changes)
        write_sealed(self.folder / "arm.json", self.arm)


# ---------------------------------------------------------------- figures


def format_validity(
    task: Task, free: Sequence[Response], responses: Sequence[Response]
) -> float | None:
    """Share of answers that keep the answer format; None where the task has none.

    Args:
        task: closed tasks ask for one of the choices, extraction asks for a JSON object.
        free: free generations of a closed task.
        responses: the answers that were scored.
    """
    if task.kind == "extraction":
        from benchmarks.tasks.metrics import METRICS

        valid = METRICS["json_validity"].item
        items = {item.id: item for item in task.test}
        return _mean([valid(task, items[r.id], r.text) or 0.0 for r in responses])
    choices = {item.id: set(map(label_form, item.choices or ())) for item in task.test}
    return _mean([float(label_form(r.text) in choices[r.id]) for r in free if r.id in choices])


def recall_at_k(items: Iterable[Item], responses: Sequence[Response]) -> float | None:
    """Share of the items with gold passages that were shown one; None when nothing was shown."""
    shown = {response.id: response.passages for response in responses}
    if not any(shown.values()):
        return None
    hits = [
        any(is_gold(chunk, item.passages) for chunk in shown.get(item.id, ()))
        for item in items
        if item.passages
    ]
    return _mean(hits)


def percentile(values: Sequence[float], share: float) -> float | None:
    """The percentile (0 to 100) by linear interpolation; None when there are no values."""
    if not values:
        return None
    ordered = sorted(values)
    place = (len(ordered) - 1) * share / 100
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def _mean(values: Sequence[float]) -> float | None:
    return statistics.fmean(values) if values else None


def _largest(*values: int | None) -> int | None:
    return max((value for value in values if value is not None), default=None)


def failure_of(error: BaseException) -> Failure:
    """What a report says of an exception; running out of memory is named as such."""
    name = type(error).__name__
    storage = storage_trouble(error)
    if isinstance(error, MemoryError) or name == "OutOfMemoryError":
        kind = "out-of-memory"
    elif storage:
        kind = "storage"
    else:
        kind = "user-error" if isinstance(error, UserError) else name
    return Failure(
        kind=kind,
        message=storage or str(error) or name,
        traceback="".join(traceback.format_exception(error)),
    )


# ---------------------------------------------------------------- process


def main(arguments: Sequence[str], parts: Parts | None = None) -> int:
    """Work on the arms whose names come in; each ends in its ``arm.json``, also as failed.

    Args:
        arguments: the run folder and those of a `Channel`.
        parts: replaced by tests and by nobody else.
    """
    run = Path(arguments[0])
    used = parts or real_parts()

    def work(name: str, progress: Progress) -> None:
        arm = ArmWork(run, name, used, progress)
        try:
            arm.finish()
        except Exception as error:
            traceback.print_exc()
            arm.fail(error)

    channel = Channel.parse(arguments[1:])
    serve(run, channel, lambda: used.preload(read_plan_of_run(run)), work)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
