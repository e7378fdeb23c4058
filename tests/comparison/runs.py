"""Run folders as a bench would leave them, written from the record types."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.plan import Plan
from benchmarks.records import (
    Arm,
    Cost,
    CurvePoint,
    Environment,
    Failure,
    ItemScore,
    Response,
    RunManifest,
    TaskCard,
)
from benchmarks.store import Run, RunFolder, arm_folder, read_run, write_atomic
from benchmarks.tasks.metrics import METRICS
from benchmarks.tasks.task import Item
from strategies.method import registry
from strategies.training_record import Attempt, RateChoice, RateTrial, TrainingRecord


@dataclass(frozen=True)
class Made:
    """An arm to write: item values, or references and predictions for macro-F1."""

    name: str
    values: Sequence[float | None] = ()
    seed: int = 0
    floor: bool = False
    status: str = "finished"
    predictions: Sequence[str] = ()
    score: float | None = None
    cost: Cost = field(default_factory=Cost)
    curve: tuple[CurvePoint, ...] = ()
    failure: Failure | None = None
    reason: str = ""
    reused: tuple[str, ...] = ()
    truncated: int = 0
    training: TrainingRecord | None = None
    refused: int = 0


def trained(*, improved: bool, items: int = 100) -> TrainingRecord:
    """A training whose rate a range test settled; it was repeated twice if it did not help."""
    attempts = [
        Attempt(
            rate=rate,
            best_loss=1.2 if improved else 2.4,
            metric=0.8 if improved else 0.1,
            spiked=False,
            improved=improved,
            seconds=10.0,
        )
        for rate in ([4e-4] if improved else [4e-4, 1e-4, 2.5e-5])
    ]
    choice = RateChoice(
        first_guess=1e-4,
        rate=4e-4,
        trials=tuple(
            RateTrial(rate=rate, loss=loss, seconds=5.0)
            for rate, loss in ((1e-4, 1.6), (4e-4, 1.5), (1.6e-3, 1.9))
        ),
        steps=20,
        items=items,
        margin=0.1,
        margin_error=0.08,
        seconds=15.0,
    )
    return TrainingRecord(
        choice=choice,
        validation_items=items,
        metric_items=items,
        start_loss=2.0,
        start_metric=0.5,
        attempts=tuple(attempts),
        kept=0,
    )


@dataclass(frozen=True)
class Material:
    """What all arms share."""

    metric: str = "accuracy"
    references: Sequence[str] = ()
    inputs: Sequence[str] = ()
    groups: Sequence[str | None] = ()
    run_id: str = "run-1"
    task: str = "letters"
    title: str = "Letters"
    model: str = "tiny"
    answers: Mapping[str, object] = field(default_factory=dict)


def make_run(
    folder: Path,
    arms: Sequence[Made],
    material: Material | None = None,
    recommendation: str | None = None,
) -> Run:
    material = material or Material()
    methods = dict.fromkeys(arm.name for arm in arms if not arm.floor)
    plan = Plan(
        task=material.task,
        methods=tuple(registry().method(name) for name in methods),
        seeds=tuple(sorted({arm.seed for arm in arms})),
        precision="fp32",
    )
    manifest = manifest_of(material, arms)
    with RunFolder.create(folder, plan, manifest, recommendation) as run:
        for arm in arms:
            run.write_arm(arm_of(arm, material.metric))
            write_lines(arm_folder(folder, f"{arm.name}-s{arm.seed}"), arm, material)
    return read_run(folder)


def arm_of(made: Made, metric: str) -> Arm:
    known = [value for value in made.values if value is not None]
    score = made.score if made.score is not None or not known else sum(known) / len(known)
    return Arm(
        name=made.name,
        seed=made.seed,
        floor=made.floor,
        fingerprint="f" * 64,
        status=made.status,  # type: ignore[arg-type]
        reason=made.reason,
        scores={metric: score} if made.status == "finished" else {},
        cost=made.cost,
        curve=made.curve,
        training=made.training,
        failure=made.failure,
        reused=made.reused,
    )


def bleu_sums(reference: str, said: str) -> dict[str, tuple[float, ...]]:
    sums = METRICS["bleu"].sums
    assert sums is not None
    return {"bleu": sums(Item(id="item", input="", outputs=(reference,)), said)}


def write_lines(folder: Path, made: Made, material: Material) -> None:
    if made.status != "finished":
        return
    scores, responses = [], []
    for place in range(max(len(made.values), len(made.predictions))):
        reference = material.references[place] if material.references else "yes"
        value = made.values[place] if made.values else None
        said = made.predictions[place] if made.predictions else ("yes" if value else "no")
        scores.append(
            ItemScore(
                id=f"item-{place:03}",
                group=material.groups[place] if material.groups else None,
                metrics={material.metric: value},
                reference=reference,
                prediction=said,
                input_sha256=material.inputs[place] if material.inputs else "",
                sums=bleu_sums(reference, said) if material.metric == "bleu" else {},
            )
        )
        responses.append(
            Response(
                id=f"item-{place:03}",
                text=said,
                truncated=place < made.truncated,
                refused="too long" if place < made.refused else "",
            )
        )
    write_atomic(folder / "scores.jsonl", "".join(s.model_dump_json() + "\n" for s in scores))
    write_atomic(folder / "responses.jsonl", "".join(r.model_dump_json() + "\n" for r in responses))


def manifest_of(material: Material, arms: Sequence[Made]) -> RunManifest:
    count = max((max(len(arm.values), len(arm.predictions)) for arm in arms), default=0)
    card = TaskCard(
        id=material.task,
        title=material.title,
        kind="classification",
        metric=material.metric,
        metrics=(),
        licence="CC0-1.0",
        source="written for the tests",
        sha256="a" * 64,
        train=20,
        validation=5,
        test=count,
        corpus=0,
        answers=dict(material.answers),
    )
    environment = Environment(
        python="3.11.7",
        platform="Linux",
        cpu="a processor",
        cores=2,
        threads=2,
        memory_bytes=8 * 2**30,
        gpu=None,
        precision="fp32",
        libraries={"torch": "2.8.0"},
    )
    return RunManifest(
        id=material.run_id,
        created="2026-01-02T03:04:05Z",
        plan_sha256="b" * 64,
        task=card,
        model=material.model,
        model_sha256="c" * 64,
        embedder_sha256="d" * 64,
        environment=environment,
        command="advisor bench plan.yaml",
        arms=tuple(f"{arm.name}-s{arm.seed}" for arm in arms),
        commit=None,
    )
