"""Makes a method ready for a task, and answers items with it."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.environment import peak_memory_bytes, setting_of
from benchmarks.fingerprint import weights_fingerprint
from benchmarks.plan import Plan
from benchmarks.records import Cost, CurvePoint, Response
from benchmarks.store import Artifact, ArtifactStore
from benchmarks.tasks.task import Item, Task
from strategies.data import Prompt
from strategies.device import resolve_device, set_threads, torch_dtype
from strategies.embedding import load_embedder
from strategies.errors import NotApplicableError
from strategies.method import Method, Prompter
from strategies.models import load_model, load_tokenizer, resolve
from strategies.progress import Progress
from strategies.settings import Precision

if TYPE_CHECKING:
    from strategies.inference import Engine
    from strategies.training import TrainingJob

_WEIGHTS, _CURVE = "weights", "curve.jsonl"


@dataclass(frozen=True)
class Prepared:
    """A method ready to answer.

    Attributes:
        answerer: answers items.
        cost: training, indexing and artifact figures; the rest is measured while answering.
        curve: the training curve, empty when nothing trains.
        reused: ``weights`` when they came out of the artifact store.
    """

    answerer: StrategyAnswerer
    cost: Cost
    curve: tuple[CurvePoint, ...] = ()
    reused: tuple[str, ...] = ()


class StrategyAnswerer:
    """Answers items with a model and a prompting."""

    def __init__(
        self, engine: Engine, prompter: Prompter, max_new_tokens: int, stop: Sequence[str] = ()
    ) -> None:
        """Compose what the model is with what it is shown.

        Args:
            engine: the loaded model.
            prompter: renders items.
            max_new_tokens: longest generated answer.
            stop: a generated answer ends before the first of these texts.
        """
        self._engine = engine
        self._prompter = prompter
        self._max_new_tokens = max_new_tokens
        self._stop = tuple(stop)

    def answer(
        self, items: Sequence[Item], *, free: bool = False, known: Collection[str] = ()
    ) -> Iterator[Response]:
        """Answer items, each as soon as its batch is done.

        Args:
            items: closed ones get the choice of highest likelihood, others a generated answer.
            free: generate also where a closed set of choices is given.
            known: ids of items that keep their place in a batch and get no response.
        """
        closed = [item for item in items if item.choices and not free]
        opened = [item for item in items if not item.choices or free]
        for some, answers in ((closed, self._choose), (opened, self._generate)):
            skip = {n for n, item in enumerate(some) if item.id in known}
            if len(skip) < len(some):
                yield from (r for r in answers(some, skip) if r.id not in known)

    def _choose(self, items: Sequence[Item], skip: Collection[int]) -> Iterator[Response]:
        """Pick the choice of highest log-likelihood."""
        start = time.perf_counter()
        prompts = self._prompter.prompts(items)
        renderer = self._engine.renderer
        contexts, continuations, cut = [], [], []
        for item, prompt in zip(items, prompts, strict=True):
            tokens, answers = renderer.encode_choices(prompt, item.choices or ())
            # The last token of a choice is scored and never read.
            context, truncated = self._fit(tokens, max(map(len, answers)) - 1)
            contexts.append(context)
            continuations.append(answers)
            cut.append(truncated)
        rendering = (time.perf_counter() - start) / len(items)
        for scores in self._engine.score(contexts, continuations, skip):
            n = scores.index
            choices = items[n].choices or ()
            best = max(range(len(choices)), key=lambda i: scores.logprobs[i])
            yield _response(items[n], prompts[n], len(contexts[n]), cut[n]).model_copy(
                update={
                    "text": choices[best],
                    "choice_logprobs": scores.logprobs,
                    "choice_is_greedy": scores.greedy,
                    "margin": _margin(scores.logprobs),
                    "seconds": scores.seconds + rendering,
                }
            )

    def _generate(self, items: Sequence[Item], skip: Collection[int]) -> Iterator[Response]:
        """Generate greedily."""
        start = time.perf_counter()
        prompts = self._prompter.prompts(items)
        renderer = self._engine.renderer
        fitted = [
            self._fit(renderer.encode_prompt(prompt), self._max_new_tokens) for prompt in prompts
        ]
        contexts = [tokens for tokens, _ in fitted]
        rendering = (time.perf_counter() - start) / len(items)
        for made in self._engine.generate(contexts, self._max_new_tokens, self._stop, skip):
            n = made.index
            yield _response(items[n], prompts[n], len(contexts[n]), fitted[n][1]).model_copy(
                update={
                    "text": made.text,
                    "output_tokens": len(made.tokens),
                    "margin": min(made.margins),
                    "seconds": made.seconds + rendering,
                }
            )

    def _fit(self, tokens: list[int], room: int) -> tuple[list[int], bool]:
        """The end of a prompt that leaves room for its answer, as lm-eval's ``HFLM`` cuts it.

        Raises:
            NotApplicableError: the answer alone would fill the model's context.
        """
        most = self._engine.max_tokens - room
        if most < 1:
            raise NotApplicableError(
                f"an answer may have {room} tokens, and the model's context holds "
                f"{self._engine.max_tokens}"
            )
        return tokens[-most:], len(tokens) > most


def _response(item: Item, prompt: Prompt, tokens: int, truncated: bool) -> Response:
    return Response(
        id=item.id,
        text="",
        prompt_tokens=tokens,
        demonstrations=prompt.demonstrations,
        passages=prompt.passages,
        truncated=truncated,
    )


def _margin(values: Sequence[float]) -> float | None:
    if len(values) < 2:
        return None
    first, second = sorted(values, reverse=True)[:2]
    return first - second


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
        return Prepared(
            answerer=StrategyAnswerer(self._engine(artifact), prompter, longest, self.task.stop),
            cost=trained.model_copy(
                update={"index_seconds": index_seconds, "artifact_bytes": size + index_bytes}
            ),
            curve=_curve(artifact.path) if artifact else (),
            reused=("weights",) if artifact and artifact.reused else (),
        )

    def _weights(self, artifacts: ArtifactStore, progress: Progress) -> Artifact:
        setting = setting_of(self.plan, self.model.sha256, self.embedder.sha256)
        fingerprint = weights_fingerprint(setting, self.task, self.method, self.seed)
        scratch = artifacts.scratch("weights", fingerprint)
        return artifacts.obtain(
            "weights", fingerprint, lambda draft: self._train(scratch, draft, progress)
        )

    def _train(self, scratch: Path, folder: Path, progress: Progress) -> Cost:
        from strategies.training import train

        job = self._job()
        trained = train(job, scratch / "checkpoints", folder / _WEIGHTS, progress)
        points = [CurvePoint.model_validate(point) for point in trained.curve]
        (folder / _CURVE).write_text(
            "".join(point.model_dump_json() + "\n" for point in points), encoding="utf-8"
        )
        return Cost(
            train_seconds=trained.seconds,
            trainable_parameters=trained.trainable_parameters,
            peak_memory_bytes=peak_memory_bytes(),
        )

    def _job(self) -> TrainingJob:
        from strategies.rendering import Renderer
        from strategies.training import TrainingJob

        rendered = self.method.rendered_for_training
        prompter = rendered.prepare(self.data, self.embedder, self.seed)
        train, validation = self.data.train, self.data.validation
        return TrainingJob(
            weights=self.method.weights,
            load_base=self._load_base,
            renderer=Renderer(self.tokenizer),
            examples=list(zip(prompter.prompts(train, training=True), train, strict=True)),
            validation=list(
                zip(prompter.prompts(validation, training=True), validation, strict=True)
            )
            if validation
            else [],
            seed=self.seed,
            precision=self.precision,
            device=self.device,
        )

    def _load_base(self) -> Any:
        return load_model(self.model, "fp32", self.device)

    def _engine(self, artifact: Artifact | None) -> Engine:
        from strategies.inference import Engine

        if artifact is None:
            model = load_model(self.model, self.precision, self.device)
        else:
            # An adapter is merged in fp32 and rounded once, whatever the precision.
            model = self.method.weights.load(self._load_base, artifact.path / _WEIGHTS)
        return Engine(
            model.to(device=self.device, dtype=torch_dtype(self.precision)).eval(), self.tokenizer
        )


def _index_cost(prompter: Prompter) -> tuple[float | None, int]:
    """Seconds and bytes of a prompter's index; None and 0 where there is none."""
    return getattr(prompter, "index_seconds", None), getattr(prompter, "index_bytes", 0)


def _curve(folder: Path) -> tuple[CurvePoint, ...]:
    lines = (folder / _CURVE).read_text(encoding="utf-8").splitlines()
    return tuple(CurvePoint.model_validate_json(line) for line in lines)
