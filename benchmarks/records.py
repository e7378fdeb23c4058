"""What a run leaves behind: answers, scores, costs, curves, failures. JSON a person can read.

Run folder::

    plan.yaml  run.json  recommendation.json (optional)  lock  comparison.json
    inputs.jsonl (where a report could not read them: of a task of lm-eval's, or a committed run)
    arms/<arm>/  arm.json  responses.jsonl  free.jsonl  latency.jsonl  scores.jsonl

An *arm* is one method at one seed, or one floor; its folder is ``<name>-s<seed>``.
"""

from __future__ import annotations

from collections import Counter
from typing import Literal, Self

from pydantic import Field, model_validator

from benchmarks.places import FolderName
from strategies.data import Finite, Frozen, Real, Whole
from strategies.training_record import TrainingRecord


class Response(Finite):
    """One answer to one item: a line of ``responses.jsonl``, append-only.

    Attributes:
        id: the item's id.
        text: the chosen label or the generated text.
        choice_logprobs: log-likelihood of every choice, in the order of the item's choices;
            None when the answer was generated, or when a training diverged and they are no numbers.
        choice_is_greedy: whether greedy decoding would have produced each choice.
        prompt_tokens: tokens of the rendered prompt.
        output_tokens: tokens generated; 0 when a choice was scored.
        seconds: wall time; in a batch, the batch's time divided by its size.
        demonstrations: ids of the training examples shown.
        passages: ids of the chunks shown, best first.
        margin: smallest gap between the two best tokens (generation, in logits) or the two
            best choices (in log-likelihood); None where it is not defined.
        truncated: whether something was left out of the prompt, so that it fits the context.
        left_out: how many demonstrations and passages that were.
        refused: why nothing was answered, as the prompt does not fit even so; the item counts
            as wrong. "" when it was answered.
    """

    id: str
    text: str
    choice_logprobs: tuple[Real, ...] | None = None
    choice_is_greedy: tuple[bool, ...] | None = None
    prompt_tokens: Whole = 0
    output_tokens: Whole = 0
    seconds: Real = 0.0
    demonstrations: tuple[str, ...] = ()
    passages: tuple[str, ...] = ()
    margin: Real | None = None
    truncated: bool = False
    left_out: Whole = 0
    refused: str = ""


class ItemInput(Frozen):
    """What one item asks: a line of ``inputs.jsonl``, which few run folders have."""

    id: str
    input: str


class ItemScore(Finite):
    """How one item came out: a line of ``scores.jsonl``.

    Attributes:
        id: the item's id.
        group: items that share a document or an incident share a group; None stands alone.
        slices: what a report tells items apart by, to this item's value.
        metrics: metric name to this item's value in [0, 1]; None is undefined.
        reference: the first accepted answer, for the report's examples.
        references: all accepted answers, so that a run can be scored again without its task; ()
            in runs of older versions, which kept the first alone (`benchmarks.references`).
        prediction: what the arm answered.
        input_sha256: of what was asked, so that two runs pair only what is the same.
        sums: metric name to what is summed over items before a score is taken of it, where
            that is not the mean of items: for BLEU the matches and n-grams of each order, the
            length of the answer and of the reference.
    """

    id: str
    group: str | None = None
    slices: dict[str, str] = Field(default_factory=dict)
    metrics: dict[str, Real | None]
    reference: str
    references: tuple[str, ...] = ()
    prediction: str
    input_sha256: str = ""
    sums: dict[str, tuple[Real, ...]] = Field(default_factory=dict)


class CurvePoint(Finite):
    """A point of a training curve; a loss that was not measured at this step is None."""

    step: Whole
    epoch: Real
    train_loss: Real | None = None
    validation_loss: Real | None = None
    learning_rate: Real | None = None


class Cost(Finite):
    """What an arm cost, measured. Reused work keeps the cost it once had. None: not measured.

    Attributes:
        train_seconds: wall time of training: the search for a learning rate, repeated trainings
            and validation included.
        index_seconds: wall time of chunking, embedding and indexing.
        answer_seconds: wall time of answering all test items in batches.
        peak_memory_bytes: peak resident memory of the arm's process (GPU peak when on GPU).
        trainable_parameters: parameters that training changed; 0 when nothing trains.
        artifact_bytes: size on disk of what the method adds: adapter or model, plus index.
        prompt_tokens: mean per item.
        output_tokens: mean per item.
        latency_p50_seconds: median time of one item alone.
        latency_p95_seconds: 95th percentile of the same.
        items_per_second: in batches.
    """

    train_seconds: Real | None = None
    index_seconds: Real | None = None
    answer_seconds: Real | None = None
    peak_memory_bytes: Whole | None = None
    trainable_parameters: Whole | None = None
    artifact_bytes: Whole | None = None
    prompt_tokens: Real | None = None
    output_tokens: Real | None = None
    latency_p50_seconds: Real | None = None
    latency_p95_seconds: Real | None = None
    items_per_second: Real | None = None


class Failure(Finite):
    """Why an arm has no result."""

    kind: str
    message: str
    traceback: str = ""


class Arm(Finite):
    """One method at one seed, or one floor: ``arm.json``, written atomically.

    Attributes:
        name: the method's or the floor's name.
        seed: the seed of its draws and its training.
        floor: True for a baseline without a language model.
        fingerprint: hash of everything that can change this arm's answers.
        status: ``refused`` when the task does not meet the method's needs.
        reason: why it was refused.
        scores: metric name to the aggregate over all test items, as lm-eval computed it.
        format_validity: share of free generations that keep the answer format; None when
            not measured.
        recall_at_k: share of items with gold passages for which a gold passage was shown.
        curve: the training curve, [] when nothing trained.
        training: how the weights came about; None when nothing trained, or not recorded.
        reused: what came out of the artifact store: ``weights``, ``answers``.
    """

    schema_version: Literal[1] = 1
    name: FolderName
    seed: Whole = 0
    floor: bool = False
    fingerprint: str = ""
    status: Literal["pending", "finished", "failed", "refused", "skipped"] = "pending"
    reason: str = ""
    scores: dict[str, Real | None] = Field(default_factory=dict)
    format_validity: Real | None = None
    recall_at_k: Real | None = None
    cost: Cost = Cost()
    curve: tuple[CurvePoint, ...] = ()
    training: TrainingRecord | None = None
    reused: tuple[str, ...] = ()
    failure: Failure | None = None

    @property
    def folder(self) -> str:
        """Name of this arm's folder below ``arms/``."""
        return f"{self.name}-s{self.seed}"


class Environment(Finite):
    """Where the numbers were measured."""

    python: str
    platform: str
    cpu: str
    cores: Whole
    threads: Whole
    memory_bytes: Whole
    gpu: str | None
    precision: str
    libraries: dict[str, str]


class TaskCard(Finite):
    """What a report says of the task.

    Attributes:
        train_with_gold: training items that name their gold passages; None where not counted.
        language: tag of the texts' language; "" where it is not said.
        notes: what a reader of its scores has to know.
    """

    id: str
    title: str
    kind: str
    metric: str
    metrics: tuple[str, ...]
    licence: str
    source: str
    sha256: str
    train: Whole
    validation: Whole
    test: Whole
    corpus: Whole
    train_with_gold: Whole | None = None
    answers: dict[str, object] = Field(default_factory=dict)
    language: str = ""
    notes: tuple[str, ...] = ()


class RunManifest(Finite):
    """``run.json``: the run as a whole, written atomically.

    Attributes:
        arms: folders of the arms that run here.
        plan_arms: folders of all arms of the plan, in order, where this is a shard of it.
        executor: ``local``, or what else did arms of this run.
    """

    schema_version: Literal[1] = 1
    id: FolderName
    created: str
    plan_sha256: str
    task: TaskCard
    model: str
    model_sha256: str
    embedder_sha256: str
    environment: Environment
    command: str
    arms: tuple[FolderName, ...]
    plan_arms: tuple[FolderName, ...] = ()
    executor: str = "local"
    commit: str | None = None

    @model_validator(mode="after")
    def _arms_differ(self) -> Self:
        for arms in (self.arms, self.plan_arms):
            twice = sorted(name for name, count in Counter(arms).items() if count > 1)
            if twice:
                raise ValueError(f"arms are listed twice: {', '.join(twice)}")
        return self
