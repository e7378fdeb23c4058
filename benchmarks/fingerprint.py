"""Hashes of everything that can change a result: the same fingerprint, the same result.

Three of them, each holding the one before: of trained weights, of an arm's answers, and of an
arm with its scores. A timing does not belong to any; a title does not either.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from benchmarks.plan import Plan
from benchmarks.tasks.task import Item, Task
from strategies.data import Example, Frozen
from strategies.hashing import sha256_of_data, sha256_of_file
from strategies.method import Method, Prompting
from strategies.settings import (
    INFERENCE_VERSION,
    RATE_SEARCH_VERSION,
    TRAINING_VERSION,
    Precision,
)

SCHEMA_VERSION = 1
# Raised whenever the scores of the same answers change.
SCORING_VERSION = 5


class Setting(Frozen):
    """What is the same for all arms of a run, resolved.

    Attributes:
        model_sha256: over the model's files.
        embedder_sha256: over the embedder's files.
        precision: never ``auto``.
        threads: of torch.
        device: ``cpu``, or the GPU's name.
        libraries: versions of those that take part in a result.
    """

    model_sha256: str
    embedder_sha256: str
    precision: Precision
    threads: int
    device: str
    libraries: dict[str, str]


def weights_fingerprint(setting: Setting, task: Task, method: Method, seed: int | None) -> str:
    """Hash of what can change trained weights: the prompting at inference does not.

    So ``lora`` and ``rag+lora`` share one adapter, where the latter trains without retrieval.
    A learning rate is settled for all seeds at once: for it, the seed is None.
    """
    return sha256_of_data(
        {
            **_validated(setting, task, method),
            "training_version": TRAINING_VERSION,
            **_searched(method),
            "weights": method.weights.model_dump(mode="json"),
            "seed": seed,
        }
    )


def _searched(method: Method) -> dict[str, int]:
    """What settles a learning rate that the plan leaves open."""
    settings = method.weights.training
    automatic = settings is not None and settings.learning_rate == "auto"
    return {"rate_search_version": RATE_SEARCH_VERSION} if automatic else {}


def start_fingerprint(setting: Setting, task: Task, method: Method, seed: int) -> str:
    """Hash of what can change the task's metric on validation items before training."""
    seeded = method.rendered_for_training.seeded
    return sha256_of_data({**_validated(setting, task, method), "seed": seed if seeded else None})


def answers_fingerprint(setting: Setting, plan: Plan, task: Task, arm: Method, seed: int) -> str:
    """Hash of what can change a method's answers; what counts as right does not."""
    prompting = arm.prompting
    return sha256_of_data(
        {
            "schema_version": SCHEMA_VERSION,
            "setting": _setting(setting, uses_embedder=bool(prompting.needs)),
            "inference_version": INFERENCE_VERSION,
            "weights": weights_fingerprint(setting, task, arm, seed)
            if arm.trains
            else arm.weights.model_dump(mode="json"),
            "prompting": _prompting(prompting),
            "instruction": task.instruction,
            "kind": task.kind,
            "train": _examples(task.train) if "train" in prompting.needs else None,
            "corpus": _corpus(task) if "corpus" in prompting.needs else None,
            "questions": _questions(task.test),
            "decode": {"greedy": True, "max_new_tokens": _longest(plan, task), "stop": task.stop},
            "seed": seed if arm.trains or prompting.seeded else None,
        }
    )


def floor_fingerprint(setting: Setting, task: Task, name: str, version: int) -> str:
    """Hash of what can change a floor's answers; no language model takes part."""
    return sha256_of_data(
        {
            "schema_version": SCHEMA_VERSION,
            "floor": name,
            "version": version,
            "embedder_sha256": setting.embedder_sha256,
            "libraries": setting.libraries,
            "kind": task.kind,
            "train": _examples(task.train),
            "corpus": _corpus(task),
            "questions": _questions(task.test),
        }
    )


def scored_fingerprint(answers: str, plan: Plan, task: Task, libraries: dict[str, str]) -> str:
    """Hash of an arm as it is reported: its answers, what counts as right, what is measured.

    Args:
        answers: fingerprint of the answers.
        libraries: versions of those that compute scores.
        plan: for the number of items whose latency is measured.
        task: for accepted answers, checks and metrics.
    """
    return sha256_of_data(
        {
            "answers": answers,
            "scoring_version": SCORING_VERSION,
            "libraries": libraries,
            "sources": task.sha256,
            "metrics": [task.metric, *task.metrics],
            "labels": list(task.labels),
            "checks": [check.model_dump(mode="json") for check in task.checks],
            "test": _items(task.test),
            "latency_items": plan.latency_items,
        }
    )


def _setting(setting: Setting, *, uses_embedder: bool) -> dict[str, Any]:
    value = setting.model_dump(mode="json")
    if not uses_embedder:
        value.pop("embedder_sha256")
    return value


def _prompting(prompting: Prompting) -> dict[str, Any]:
    return {"config": prompting.model_dump(mode="json"), "text_version": prompting.text_version}


def _validated(setting: Setting, task: Task, method: Method) -> dict[str, Any]:
    """What training reads, and what decides whether it improved on the start.

    Groups decide which training items stand in for a missing validation split. Whether a training
    is repeated depends on answers to validation items and on their scores, so the versions of
    inference and scoring belong here, and so does all that a metric looks at.
    """
    rendered = method.rendered_for_training
    scored_on = task.database if task.metric == "execution_match" else None
    return {
        "schema_version": SCHEMA_VERSION,
        "setting": _setting(setting, uses_embedder=bool(rendered.needs)),
        "inference_version": INFERENCE_VERSION,
        "scoring_version": SCORING_VERSION,
        "prompting": _prompting(rendered),
        "instruction": task.instruction,
        "kind": task.kind,
        "train": _items(task.train),
        "validation": _items(task.validation),
        "corpus": _corpus(task) if "corpus" in rendered.needs else None,
        "metric": task.metric,
        "labels": list(task.labels),
        "language": task.language,
        "checks": [check.model_dump(mode="json") for check in task.checks],
        "database": sha256_of_file(scored_on) if scored_on else None,
        "max_new_tokens": task.max_new_tokens,
        "stop": task.stop,
    }


def _examples(examples: Iterable[Example]) -> list[dict[str, Any]]:
    fields = set(Example.model_fields)
    return [example.model_dump(mode="json", include=fields) for example in examples]


def _items(items: Iterable[Item]) -> list[dict[str, Any]]:
    # Slices change what a report says of scores, and no score.
    return [item.model_dump(mode="json", exclude={"slices"}) for item in items]


def _questions(items: Iterable[Item]) -> list[dict[str, Any]]:
    return [item.model_dump(mode="json", include={"id", "input", "choices"}) for item in items]


def _corpus(task: Task) -> list[dict[str, Any]]:
    return [passage.model_dump(mode="json") for passage in task.corpus]


def _longest(plan: Plan, task: Task) -> int:
    return plan.max_new_tokens or task.max_new_tokens
