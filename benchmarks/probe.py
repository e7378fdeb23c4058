"""A few cheap measurements of a task instead of opinions about it.

Nothing here looks at a test item: what is measured is answered on validation items, or on part of
the training items where a task has none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any, Literal, NamedTuple

from benchmarks.answering import Answerer
from benchmarks.learning_curve import LearningCurve, Range, fit_curve
from benchmarks.pairing import ScoreTable
from benchmarks.plan import Limits, Plan
from benchmarks.readiness import load_checked
from benchmarks.records import Arm, ItemScore, Response
from benchmarks.statistics import Outcomes, difference_interval, score_interval
from benchmarks.store import ArmResult, read_record, write_sealed
from benchmarks.tasks.catalogue import load_task
from benchmarks.tasks.foreign_code import LM_EVAL
from benchmarks.tasks.task import Task
from strategies.checked_files import set_aside
from strategies.data import Frozen
from strategies.errors import DataError, RunError
from strategies.method import Method, registry
from strategies.progress import Progress

StepName = Literal["plain", "gold", "rag", "icl", "lora", "floor"]
# Where more answers than this break the format, that is what failures look like.
_BROKEN = 0.1
# Fewer items than this tell nothing apart.
_FEWEST_ITEMS = 10
_EMBEDDER = "all-minilm-l6-v2"


class ProbeSetting(Frozen):
    """What decides the figures of a probe.

    Attributes:
        items: validation items that are answered, at most.
        train: labels of the largest training of the learning curve, at most.
        epochs: of each training.
    """

    task: str
    task_sha256: str = ""
    model: str
    items: int
    train: int
    epochs: int
    seed: int = 0


class Step(Frozen):
    """One measurement.

    Attributes:
        method: what answered.
        labels: it was trained on; None where nothing trains.
        score: of the task's metric.
        gain: over the plain prompt, by the same items; None for the plain prompt itself.
    """

    name: StepName
    method: str
    labels: int | None = None
    score: Range
    gain: Range | None = None
    format_validity: float | None = None
    recall_at_k: float | None = None
    prompt_tokens: float | None = None
    seconds: float
    items: tuple[ItemScore, ...]


class Probe(Frozen):
    """All measurements so far; ``probe.json``.

    Attributes:
        closed: whether answers are choices, scored by likelihood.
    """

    schema_version: Literal[1] = 1
    setting: ProbeSetting
    metric: str
    closed: bool
    steps: tuple[Step, ...] = ()
    curve: LearningCurve | None = None

    def step(self, name: StepName) -> Step | None:
        """The last measurement of that name."""
        return next((step for step in reversed(self.steps) if step.name == name), None)


def probe(
    setting: ProbeSetting, folder: Path, progress: Progress, say: Callable[[Step], None]
) -> Probe:
    """Measure what is missing; each measurement is kept as soon as it is there.

    Args:
        setting: what to measure.
        folder: where ``probe.json`` is kept.
        progress: told of items and training steps.
        say: told of each measurement, also of those that an earlier call made.

    Raises:
        StorageError: models and results cannot be kept.
        DataError: the task cannot be probed.
        ModelError: the model cannot be used.
    """
    task = load_checked(lambda: _cut(setting), setting.model, _EMBEDDER)
    setting = setting.model_copy(update={"task_sha256": task.sha256})
    file = folder / "probe.json"
    found = Probe(setting=setting, metric=task.metric, closed=task.closed)
    known = _known(file)
    if known and known.setting == setting:
        found = known
    for number, (name, labels) in enumerate(_wanted(task, setting)):
        if number >= len(found.steps):
            step = _measured(name, labels, task, setting, progress)
            step = _beside_plain(step, found)
            found = found.model_copy(update={"steps": (*found.steps, step)})
            folder.mkdir(parents=True, exist_ok=True)
            write_sealed(file, found)
        say(found.steps[number])
    found = found.model_copy(update={"curve": _curve(found)})
    write_sealed(file, found)
    return found


def refuse_lm_eval(task: str) -> None:
    """Check that a task has splits that a probe can look at.

    Raises:
        DataError: it is one of lm-eval's.
    """
    if task.startswith(LM_EVAL):
        raise DataError("A probe needs a task of this project or a task folder, with its splits.")


def _known(file: Path) -> Probe | None:
    """What an earlier call measured; a damaged file is set aside."""
    if not file.exists():
        return None
    try:
        return read_record(file, Probe)
    except (RunError, OSError):
        set_aside(file, f"{file} is damaged or of another version")
        return None


def _cut(setting: ProbeSetting) -> Task:
    """The task with validation items, or the last training items, in the place of the test."""
    refuse_lm_eval(setting.task)
    task = load_task(setting.task).cut(Limits())
    train, asked = task.train, task.validation
    if not asked:
        # One in five, but enough to tell anything.
        kept = max(_FEWEST_ITEMS, len(train) // 5)
        train, asked = train[:-kept], train[-kept:]
    asked = asked[: setting.items]
    if len(asked) < _FEWEST_ITEMS:
        raise DataError(
            f"{setting.task} has {len(asked)} validation items; a probe needs {_FEWEST_ITEMS} or "
            "more. Add lines to validation.jsonl, or to train.jsonl where there is none."
        )
    return task.model_copy(
        update={"train": train[: setting.train], "validation": (), "test": asked}
    )


def _wanted(task: Task, setting: ProbeSetting) -> Iterator[tuple[StepName, int | None]]:
    """What can be measured of a task, cheap things first."""
    yield "plain", None
    if task.train:
        yield "floor", None
    if task.corpus:
        if any(item.passages for item in task.test):
            yield "gold", None
        yield "rag", None
    if task.train:
        yield "icl", None
    sizes = sorted({len(task.train) // share for share in (4, 2, 1)})
    # Training on less than a handful says nothing of the next label.
    if len(task.train) >= 20:
        yield from (("lora", size) for size in sizes)


# ---------------------------------------------------------------- one measurement


def _measured(
    name: StepName, labels: int | None, task: Task, setting: ProbeSetting, progress: Progress
) -> Step:
    from benchmarks.environment import allowed_cores
    from benchmarks.preparing import prepare_arm
    from benchmarks.store import ArtifactStore
    from strategies.device import resolve_precision
    from strategies.models import resolve
    from strategies.trial_build import check_that_it_builds

    if name == "floor":
        # A baseline costs nothing to train: it gets every label there is.
        every = load_task(setting.task).train
        asked = {item.id for item in task.test}
        train = tuple(item for item in every if item.id not in asked)
        return _floor(task.model_copy(update={"train": train}), progress)
    if labels is not None:
        task = task.model_copy(update={"train": task.train[:labels]})
    method = _method(name, setting)
    plan = Plan(
        task=setting.task,
        model=setting.model,
        methods=(method,),
        precision=resolve_precision("auto"),
        threads=allowed_cores(),
    )
    check_that_it_builds(resolve(setting.model))
    ready = prepare_arm(plan, task, method, setting.seed, ArtifactStore(), progress)
    return _answered(_Asked(name, method.name, labels), task, ready.answerer, progress)


def _method(name: StepName, setting: ProbeSetting) -> Method:
    from strategies.prompting.gold import GoldPrompting
    from strategies.weights.base import BaseWeights

    if name == "gold":
        return Method(name="gold-passages", prompting=GoldPrompting(), weights=BaseWeights())
    called = {"plain": "zero-shot", "icl": "icl-nearest"}.get(name, name)
    return registry().method(called).with_training(epochs=setting.epochs)


def _floor(task: Task, progress: Progress) -> Step:
    """The best baseline without a language model."""
    from benchmarks.floors import floors_for, prepare_floor
    from strategies.embedding import load_embedder

    embedder = load_embedder(_EMBEDDER)
    steps = [
        _answered(
            _Asked("floor", name), task, prepare_floor(name, task, lambda: embedder), progress
        )
        for name in floors_for(task)
    ]
    return max(steps, key=lambda step: step.score.likely)


class _Asked(NamedTuple):
    name: StepName
    method: str
    labels: int | None = None


def _answered(asked: _Asked, task: Task, answerer: Answerer, progress: Progress) -> Step:
    from benchmarks.evaluation import evaluate_arm
    from benchmarks.worker import format_validity, recall_at_k

    responses: list[Response] = []

    def record(response: Response) -> None:
        responses.append(response)
        progress(asked.method, len(responses), len(task.test))

    _, items = evaluate_arm(task, answerer, {}, record)
    free = asked.name == "plain" and task.closed
    freely = tuple(answerer.answer(task.test, free=True)) if free else ()
    (outcomes,) = _outcomes([items], task.metric)
    low, high = score_interval(outcomes)
    return Step(
        **asked._asdict(),
        score=Range(likely=outcomes.score, low=low, high=high),
        format_validity=format_validity(task, freely, responses),
        recall_at_k=recall_at_k(task.test, responses),
        prompt_tokens=fmean(r.prompt_tokens for r in responses) if asked.name != "floor" else None,
        seconds=sum(response.seconds for response in responses),
        items=tuple(items),
    )


# ---------------------------------------------------------------- together


def _outcomes(scored: Sequence[Sequence[ItemScore]], metric: str) -> list[Outcomes]:
    """Outcomes of several measurements over the items that all of them have."""
    arms = [
        ArmResult(
            arm=Arm(name=str(number), status="finished"),
            responses=(),
            free=(),
            latency=(),
            scores=tuple(items),
        )
        for number, items in enumerate(scored)
    ]
    table = ScoreTable(arms, metric)
    return [table.outcomes(name, table.ids, table.labels()) for name in table.names]


def _beside_plain(step: Step, found: Probe) -> Step:
    plain = found.step("plain")
    if plain is None:
        return step
    ours, base = _outcomes([step.items, plain.items], found.metric)
    low, high = difference_interval(ours, base)
    gain = Range(likely=ours.score - base.score, low=low, high=high)
    return step.model_copy(update={"gain": gain})


def _curve(found: Probe) -> LearningCurve | None:
    trained = [step for step in found.steps if step.name == "lora"]
    if len(trained) < 2:
        return None
    outcomes = _outcomes([step.items for step in trained], found.metric)
    return fit_curve([step.labels or 0 for step in trained], outcomes)


def measured_answers(found: Probe, target: float | None) -> dict[str, Any]:
    """The questionnaire's answers that a probe has measured.

    A score that meets the target is an answer only where its whole interval does: the end of a
    walk should not rest on the luck of a few items.
    """
    answers: dict[str, Any] = {}
    plain = found.step("plain")
    if plain is not None:
        answers["prompt_tokens"] = max(1, round(plain.prompt_tokens or 1))
    scored = ((plain, "current_score"), (found.step("floor"), "classical_score"))
    for step, key in scored:
        if step is not None and (
            target is None or not step.score.low < target <= step.score.likely
        ):
            answers[key] = _share(step.score.likely)
    failures = _failures(found)
    return answers | ({"failures": failures} if failures else {})


def _share(value: float) -> float:
    return round(min(1.0, max(0.0, value)), 4)


def _failures(found: Probe) -> list[str]:
    """What failures look like, as far as it can be measured."""
    gold, plain = found.step("gold"), found.step("plain")
    failures = []
    if gold is not None and gold.gain is not None and gold.gain.low > 0:
        failures.append("lacks_facts")
    # Where choices are scored by likelihood, no answer breaks the format.
    if plain is not None and plain.format_validity is not None and not found.closed:
        failures += ["wrong_format"] if plain.format_validity < 1 - _BROKEN else []
    return failures


def findings(found: Probe, target: float | None) -> list[str]:
    """What the measurements say, a sentence each."""
    return [
        *_reading(found),
        *_finding(found),
        *(_more_labels(found.curve, target) if found.curve else ()),
    ]


def _reading(found: Probe) -> Iterator[str]:
    gold = found.step("gold")
    if gold is None or gold.gain is None:
        return
    if gold.gain.low > 0:
        yield (
            f"It can read: gold passages add {_points(gold.gain)} points to the plain prompt, so "
            "answers lack facts."
        )
    else:
        yield (
            f"Gold passages add {_points(gold.gain)} points: on so few items it is not seen to "
            "read them, so retrieval alone may not help this model."
        )


def _finding(found: Probe) -> Iterator[str]:
    rag = found.step("rag")
    if rag is not None and rag.recall_at_k is not None:
        yield f"Retrieval shows a gold passage for {rag.recall_at_k:.0%} of the items."
    plain = found.step("plain")
    if plain is not None and plain.format_validity is not None:
        yield f"The plain prompt's free answers keep the format in {plain.format_validity:.0%}."


def _more_labels(curve: LearningCurve, target: float | None) -> Iterator[str]:
    yield (
        f"A doubling of labels adds {_points(curve.gain)} points to LoRA; twice as many would "
        f"reach {curve.twice.likely:.3f} ({curve.twice.low:.3f} to {curve.twice.high:.3f}) if "
        "that stays so, and curves flatten."
    )
    if not curve.pays:
        yield "More labels are not seen to pay."
        return
    needed = curve.labels_for(target) if target is not None else None
    if target is None:
        return
    if needed is None:
        yield f"{target:g} lies beyond what eight times the labels would bring at that rate."
    elif needed > curve.labels[-1]:
        yield f"At that rate {target:g} takes {needed:,} labels or more."


def _points(values: Range) -> str:
    return f"{100 * values.likely:+.1f} ({100 * values.low:+.1f} to {100 * values.high:+.1f})"
