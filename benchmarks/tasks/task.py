"""A task: an instruction, what counts as right, and frozen train, validation and test splits."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from benchmarks.plan import Limits
from benchmarks.records import TaskCard
from benchmarks.tasks.checks import Check
from benchmarks.tasks.languages import language_tag, suitability_notes
from strategies.data import Example, Frozen, Passage, TaskData

Kind = Literal[
    "classification", "multiple-choice", "qa", "extraction", "rewriting", "generation", "sql"
]
Split = Literal["train", "validation", "test"]
AnswerValue = bool | int | float | str | list[str] | None
Language = Annotated[str, AfterValidator(language_tag)]

SPLITS: tuple[Split, ...] = ("train", "validation", "test")
CUT_SEED = 0


class Item(Example):
    """An example of a task.

    Attributes:
        group: items that share a document, a fact or an incident share a group.
        checks: rules for the answer to this item alone.
        slices: what a report tells items apart by, such as a channel, and the item's value.
    """

    group: str | None = None
    checks: tuple[Check, ...] = ()
    slices: tuple[tuple[str, str], ...] = ()


class TaskSpec(Frozen):
    """What ``task.yaml`` says; paths are relative to the task's folder and lead nowhere else.

    Attributes:
        metric: the primary metric, which decides which method is best.
        metrics: further metrics to report.
        language: of the texts: a code such as ``ja``, its English name or a longer tag; "" leaves
            it to the texts' script.
        checks: rules for every answer.
        corpus: folder of documents to retrieve from, or ``bundled:NAME`` for the documents of a
            bundled task; left out, it is ``corpus`` where there is such a folder.
        database: SQLite file that SQL is run on.
        columns: names that the split files use for ``input`` and ``output``.
        slices: further fields of the test items that a report tells them apart by.
        misspell_rate: share of words that authoring misspells.
        hashes: file to SHA-256 (hexadecimal) of its bytes.
        answers: questionnaire answers that describe the task.
    """

    schema_version: Literal[1] = 1
    id: str = Field(min_length=1)
    title: str
    kind: Kind
    instruction: str
    labels: tuple[str, ...] = ()
    metric: str
    metrics: tuple[str, ...] = ()
    max_new_tokens: int = Field(default=64, ge=1)
    language: Language = ""
    licence: str = ""
    source: str = ""
    checks: tuple[Check, ...] = ()
    corpus: str | None = None
    database: str | None = None
    columns: dict[str, str] = Field(default_factory=dict)
    slices: tuple[str, ...] = ()
    misspell_rate: float = Field(default=0.0, ge=0, le=1)
    hashes: dict[str, str] = Field(default_factory=dict)
    answers: dict[str, AnswerValue] = Field(default_factory=dict)


class Splits(Frozen):
    """The data of a task."""

    train: tuple[Item, ...] = ()
    validation: tuple[Item, ...] = ()
    test: tuple[Item, ...] = ()
    corpus: tuple[Passage, ...] = ()


class Task(Splits):
    """A task, loaded and checked.

    Attributes:
        kind: what sort of answer is asked for.
        instruction: what to do, as it is put before every input.
        labels: the closed set of answers of a classification.
        metric: the primary metric.
        metrics: further metrics.
        max_new_tokens: the longest answer that a method may generate.
        stop: a generated answer ends before the first of these texts.
        language: tag of the texts' language; "" where it is not said.
        answers: questionnaire answers that describe the task.
        sha256: over all files that the task was read from.
        database: SQLite file that SQL is run on.
        columns: names that its files use for ``input`` and ``output``.
        slices: further fields of its items that a report tells them apart by.
        notes: what its user should know, such as files that were left out.
    """

    id: str
    title: str
    kind: Kind
    instruction: str
    labels: tuple[str, ...] = ()
    metric: str
    metrics: tuple[str, ...] = ()
    max_new_tokens: int = 64
    stop: tuple[str, ...] = ()
    language: Language = ""
    licence: str = ""
    source: str = ""
    checks: tuple[Check, ...] = ()
    answers: dict[str, AnswerValue] = Field(default_factory=dict)
    sha256: str
    database: Path | None = None
    columns: dict[str, str] = Field(default_factory=dict)
    slices: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def closed(self) -> bool:
        """Whether an answer is one of a closed set of choices."""
        return self.kind in ("classification", "multiple-choice")

    def data(self) -> TaskData:
        """All that a method may learn from; the test split is not in it."""
        return TaskData(
            instruction=self.instruction,
            train=self.train,
            validation=self.validation,
            corpus=self.corpus,
            max_new_tokens=self.max_new_tokens,
        )

    def cut(self, limits: Limits) -> Task:
        """This task with at most so many items a split, in a fixed order.

        The order depends on the items' ids alone, so a smaller cut is always the beginning
        of a larger one. The training items of a classification come stratified: every
        beginning has each label in about its share of the whole.
        """
        train = _stratified(self.train) if self.kind == "classification" else _mixed(self.train)
        return self.model_copy(
            update={
                "train": train[: limits.train],
                "validation": _mixed(self.validation)[: limits.validation],
                "test": _mixed(self.test)[: limits.test],
            }
        )

    def language_notes(self) -> tuple[str, ...]:
        """What a reader of the scores has to know of this task's language, in sentences."""
        items = [item for split in SPLITS for item in getattr(self, split)]
        return suitability_notes(
            self.language,
            (self.metric, *self.metrics),
            [item.input for item in items],
            [output for item in items for output in item.outputs],
        )

    def card(self) -> TaskCard:
        """What a report says of this task."""
        return TaskCard(
            id=self.id,
            title=self.title,
            kind=self.kind,
            metric=self.metric,
            metrics=self.metrics,
            licence=self.licence,
            source=self.source,
            sha256=self.sha256,
            train=len(self.train),
            validation=len(self.validation),
            test=len(self.test),
            corpus=len(self.corpus),
            train_with_gold=sum(bool(item.passages) for item in self.train),
            answers=dict(self.answers),
            language=self.language,
            notes=self.language_notes(),
        )


def build_task(spec: TaskSpec, splits: Splits, sha256: str, database: Path | None = None) -> Task:
    """A task out of its description and its data; labels become the items' choices."""
    if spec.kind == "classification":
        splits = splits.model_copy(
            update={name: _with_choices(getattr(splits, name), spec.labels) for name in SPLITS}
        )
    described = {
        name: getattr(spec, name)
        for name in Task.model_fields
        if name in TaskSpec.model_fields and name not in ("corpus", "database")
    }
    data = {name: getattr(splits, name) for name in Splits.model_fields}
    return Task(**described, **data, sha256=sha256, database=database)


def fixed_order(key: str, seed: int = CUT_SEED) -> str:
    """A sort key that mixes, the same on every machine and for any set of neighbours."""
    return hashlib.sha256(f"{seed}:{key}".encode("utf-8", "surrogatepass")).hexdigest()


def combined_sha256(hashes: Mapping[str, str]) -> str:
    """One SHA-256 (hexadecimal) over names and hashes of several files, in order of name."""
    lines = "".join(f"{hashes[name]}  {name}\n" for name in sorted(hashes))
    return hashlib.sha256(lines.encode("utf-8", "surrogatepass")).hexdigest()


def _with_choices(items: Sequence[Item], labels: tuple[str, ...]) -> tuple[Item, ...]:
    return tuple(item.model_copy(update={"choices": labels}) for item in items)


def _mixed(items: Sequence[Item]) -> tuple[Item, ...]:
    return tuple(sorted(items, key=lambda item: fixed_order(item.id)))


def _stratified(items: Sequence[Item]) -> tuple[Item, ...]:
    by_label: dict[str, list[Item]] = defaultdict(list)
    for item in _mixed(items):
        by_label[item.output].append(item)
    placed = [
        ((rank + 0.5) / len(members), fixed_order(item.id), item)
        for members in by_label.values()
        for rank, item in enumerate(members)
    ]
    return tuple(item for _, _, item in sorted(placed, key=lambda place: place[:2]))
