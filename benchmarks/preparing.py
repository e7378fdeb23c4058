"""Makes a method ready for a task: settles its learning rate, trains, indexes, loads."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.answerer import StrategyAnswerer
from benchmarks.environment import peak_memory_bytes, setting_of
from benchmarks.fingerprint import Setting, start_fingerprint, weights_fingerprint
from benchmarks.plan import Plan
from benchmarks.records import Cost, CurvePoint
from benchmarks.store import Artifact, ArtifactStore, read_record, write_record
from benchmarks.tasks.foreign_code import LM_EVAL
from benchmarks.tasks.metrics import METRICS, aggregate
from benchmarks.tasks.task import Item, Task, fixed_order
from strategies.data import Example, Prompt
from strategies.device import resolve_device, set_threads, torch_dtype
from strategies.embedding import load_embedder
from strategies.errors import NotApplicableError
from strategies.method import Method, Prompter
from strategies.models import load_config, load_model, load_tokenizer, resolve, rounded
from strategies.progress import Progress
from strategies.settings import Precision
from strategies.training_record import RateChoice, Scored, TrainingRecord

if TYPE_CHECKING:
    from strategies.inference import Engine
    from strategies.training import TrainingJob

_WEIGHTS, _CURVE, _RECORD, _RATE = "weights", "curve.jsonl", "training.json", "rate.json"
_START = "start.json"
# Validation items on which the task's metric is measured, before and after training: answers are
# generated one token at a time.
_MOST_METRIC_ITEMS = 100
# Without a validation split, this share of the training items stands in for one, if they are so
# many at least.
_HELD_OUT_SHARE, _LEAST_TO_SPLIT = 0.2, 20
# A learning rate is settled once for all seeds, with this one.
_RATE_SEED = 0


@dataclass(frozen=True)
class Prepared:
    """A method ready to answer.

    Attributes:
        answerer: answers items.
        cost: training, indexing and artifact figures; the rest is measured while answering.
        curve: the training curve, empty when nothing trains.
        training: how the weights came about; None when nothing trains.
        reused: ``weights`` when they came out of the artifact store.
    """

    answerer: StrategyAnswerer
    cost: Cost
    curve: tuple[CurvePoint, ...] = ()
    training: TrainingRecord | None = None
    reused: tuple[str, ...] = ()


def prepare_arm(
    plan: Plan,
    task: Task,
    method: Method,
    seed: int,
    artifacts: ArtifactStore,
    progress: Progress,
) -> Prepared:
    """Train or find a method's weights, build its index, load its model.

    Args:
        plan: resolved: its precision is not ``auto`` and its threads are given.
        task: cut to the plan's limits.
        method: one of the plan's.
        seed: of this arm.
        artifacts: where trained weights are kept for every run that needs the same.
        progress: told of training steps.

    Raises:
        NotApplicableError: the task does not bring what the method needs.
    """
    missing = method.missing(task.data())
    if missing:
        raise NotApplicableError(f"{method.name} needs {', '.join(missing)}, which {task.id} lacks")
    return _Preparation(plan, task, method, seed).prepared(artifacts, progress)


class _Preparation:
    """The making of one arm."""

    def __init__(self, plan: Plan, task: Task, method: Method, seed: int) -> None:
        if plan.precision == "auto" or plan.threads is None:
            raise TypeError("a plan is resolved before its arms are prepared")
        self.plan, self.task, self.method, self.seed = plan, task, method, seed
        self.precision: Precision = plan.precision
        self.data = task.data()
        self.device = resolve_device()
        self.model = resolve(plan.model)
        self.embedder = load_embedder(plan.embedder)
        self.tokenizer = load_tokenizer(self.model)
        set_threads(plan.threads, seed)

    def prepared(self, artifacts: ArtifactStore, progress: Progress) -> Prepared:
        artifact = self._weights(artifacts, progress) if self.method.trains else None
        prompter = self.method.prompting.prepare(self.data, self.embedder, self.seed)
        index_seconds, index_bytes = _index_cost(prompter)
        trained = artifact.cost if artifact else Cost(trainable_parameters=0, artifact_bytes=0)
        size = artifact.bytes if artifact else 0
        longest = self.plan.max_new_tokens or self.task.max_new_tokens
        engine = self._engine(artifact.path / _WEIGHTS if artifact else None)
        return Prepared(
            answerer=StrategyAnswerer(
                engine, prompter, longest, self.task.stop, tuned=artifact is not None
            ),
            cost=trained.model_copy(
                update={"index_seconds": index_seconds, "artifact_bytes": size + index_bytes}
            ),
            curve=_curve(artifact.path) if artifact else (),
            training=read_record(artifact.path / _RECORD, TrainingRecord) if artifact else None,
            reused=("weights",) if artifact and artifact.reused else (),
        )

    def _weights(self, artifacts: ArtifactStore, progress: Progress) -> Artifact:
        setting = setting_of(self.plan, self.model.sha256, self.embedder.sha256)
        fingerprint = weights_fingerprint(setting, self.task, self.method, self.seed)

        def make(draft: Path) -> Cost:
            scratch = artifacts.scratch("weights", fingerprint)
            choice = self._rate(setting, artifacts, progress)
            start = self._start_metric(setting, artifacts)
            return self._train(choice, start, scratch, draft, progress)

        return artifacts.obtain("weights", fingerprint, make)

    def _rate(
        self, setting: Setting, artifacts: ArtifactStore, progress: Progress
    ) -> RateChoice | None:
        """The settled learning rate; None where the plan fixes it or nothing can be validated."""
        from strategies.rate_search import choose_rate

        if not self._automatic or not self._splits()[1]:
            return None
        fingerprint = weights_fingerprint(setting, self.task, self.method, None)

        def make(draft: Path) -> Cost:
            scratch = artifacts.scratch("rates", fingerprint)
            job = self._job(_RATE_SEED)
            choice = choose_rate(job, scratch, scratch / "trial", progress)
            write_record(draft / _RATE, choice)
            return Cost(train_seconds=choice.seconds)

        return read_record(artifacts.obtain("rates", fingerprint, make).path / _RATE, RateChoice)

    def _start_metric(self, setting: Setting, artifacts: ArtifactStore) -> Scored:
        """The task's metric on validation items before training, the same for many methods."""
        fingerprint = start_fingerprint(setting, self.task, self.method, self.seed)

        def make(draft: Path) -> Cost:
            write_record(draft / _START, self._metric(None))
            return Cost()

        return read_record(artifacts.obtain("starts", fingerprint, make).path / _START, Scored)

    def _train(
        self,
        choice: RateChoice | None,
        start: Scored,
        scratch: Path,
        folder: Path,
        progress: Progress,
    ) -> Cost:
        from strategies.attempts import Check, train_until_improved

        job = self._job(self.seed)
        fixed = not self._automatic
        if not fixed:
            job = job.at_rate(
                choice.rate if choice else job.weights.first_rate(load_config(self.model))
            )
        check = Check(start if start.items else None, self._metric, repeat=not fixed)
        outcome = train_until_improved(job, check, scratch, folder / _WEIGHTS, progress)
        # The loss of a training that diverged is no number.
        points = [
            CurvePoint.model_validate({k: v for k, v in point.items() if math.isfinite(v)})
            for point in outcome.trained.curve
        ]
        (folder / _CURVE).write_text(
            "".join(point.model_dump_json() + "\n" for point in points), encoding="utf-8"
        )
        record = TrainingRecord(
            choice=choice,
            validation_items=len(job.validation),
            held_out=0 if self.data.validation else len(job.validation),
            metric_items=len(start.items),
            start_loss=outcome.trained.start_loss,
            start_metric=start.value,
            attempts=outcome.attempts,
            kept=outcome.kept,
            left_out=outcome.trained.left_out,
        )
        write_record(folder / _RECORD, record)
        searched = choice.seconds if choice else 0.0
        return Cost(
            train_seconds=searched + sum(attempt.seconds for attempt in outcome.attempts),
            trainable_parameters=outcome.trained.trainable_parameters,
            peak_memory_bytes=peak_memory_bytes(),
        )

    def _job(self, seed: int) -> TrainingJob:
        from strategies.rendering import Renderer
        from strategies.training import TrainingJob

        train, validation = self._splits()
        return TrainingJob(
            weights=self.method.weights,
            load_base=self._load_base,
            renderer=Renderer(self.tokenizer),
            examples=self._rendered(train, seed),
            validation=self._rendered(validation, seed),
            seed=seed,
            precision=self.precision,
            device=self.device,
        )

    def _rendered(self, items: Sequence[Item], seed: int) -> list[tuple[Prompt, Example]]:
        if not items:
            return []
        prompter = self.method.rendered_for_training.prepare(self.data, self.embedder, seed)
        return list(zip(prompter.prompts(items, training=True), items, strict=True))

    def _splits(self) -> tuple[Sequence[Item], Sequence[Item]]:
        """Training and validation items; without a validation split, some of the former."""
        train, validation = self.task.train, self.task.validation
        if validation or len(train) < _LEAST_TO_SPLIT:
            return train, validation
        return split_off(train, _HELD_OUT_SHARE)

    @property
    def _automatic(self) -> bool:
        """Whether the plan leaves the learning rate open."""
        settings = self.method.weights.training
        return settings is not None and settings.learning_rate == "auto"

    def _metric_items(self) -> Sequence[Item]:
        """Validation items that the task's metric is measured on, before and after training."""
        if self.task.id.startswith(LM_EVAL):
            return ()  # lm-eval scores the items of its own test split alone.
        return self._splits()[1][:_MOST_METRIC_ITEMS]

    def _metric(self, saved: Path | None) -> Scored:
        """The task's metric on validation items, answered as the training examples are shown."""
        from strategies.training import release_memory

        items = self._metric_items()
        if not items:
            return Scored(value=None)
        answerer = StrategyAnswerer(
            self._engine(saved),
            _ShownAsInTraining(
                self.method.rendered_for_training.prepare(self.data, self.embedder, self.seed)
            ),
            self.task.max_new_tokens,
            self.task.stop,
            tuned=saved is not None,
        )
        answers = {response.id: response.text for response in answerer.answer(items)}
        del answerer  # with its model, before another one is loaded
        release_memory()
        texts = [answers[item.id] for item in items]
        # An item has no macro-F1 of its own: it is right or wrong.
        name = "accuracy" if self.task.metric == "macro_f1" else self.task.metric
        value = METRICS[name].item
        each = [value(self.task, item, text) for item, text in zip(items, texts, strict=True)]
        return Scored(
            value=aggregate(self.task, self.task.metric, items, texts),
            items=tuple(found or 0.0 for found in each),
        )

    def _load_base(self) -> Any:
        return load_model(self.model, "fp32", self.device)

    def _engine(self, saved: Path | None) -> Engine:
        """The model to answer with.

        Args:
            saved: folder of trained weights; None is the model as it comes.
        """
        from strategies.inference import Engine

        if saved is None:
            model = load_model(self.model, self.precision, self.device)
        else:
            # An adapter is merged in fp32 and rounded once, whatever the precision.
            model = self.method.weights.load(self._load_base, saved)
        model = rounded(model, torch_dtype(self.precision))
        return Engine(model.to(self.device).eval(), self.tokenizer)


@dataclass(frozen=True)
class _ShownAsInTraining:
    """A prompter that shows items as it shows training examples."""

    prompter: Prompter

    def prompts(self, examples: Sequence[Example], *, training: bool = True) -> list[Prompt]:
        return self.prompter.prompts(examples, training=True)


def split_off(items: Sequence[Item], share: float) -> tuple[list[Item], list[Item]]:
    """Divide items into those to train on and those to validate on; groups stay together.

    Args:
        items: at least two.
        share: of the items that are set aside, about.
    """
    wanted = max(1, round(share * len(items)))
    aside: set[str] = set()
    groups: dict[str, list[Item]] = {}
    for item in items:
        groups.setdefault(item.group or f"item {item.id}", []).append(item)
    for name in sorted(groups, key=fixed_order):
        if len(aside) < wanted and len(aside) + len(groups[name]) < len(items):
            aside.update(item.id for item in groups[name])
    return (
        [item for item in items if item.id not in aside],
        [item for item in items if item.id in aside],
    )


def _index_cost(prompter: Prompter) -> tuple[float | None, int]:
    """Seconds and bytes of a prompter's index; None and 0 where there is none."""
    return getattr(prompter, "index_seconds", None), getattr(prompter, "index_bytes", 0)


def _curve(folder: Path) -> tuple[CurvePoint, ...]:
    lines = (folder / _CURVE).read_text(encoding="utf-8").splitlines()
    return tuple(CurvePoint.model_validate_json(line) for line in lines)
