"""Makes a task folder out of a file of labelled lines that a user already has."""

from __future__ import annotations

import csv
import json
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from benchmarks.tasks.authoring import split_by_group
from benchmarks.tasks.corpus import corpus_files, read_corpus, slug
from benchmarks.tasks.loading import load_folder, normal_input, parse_items
from benchmarks.tasks.metrics import parse_object
from benchmarks.tasks.problems import Problems
from benchmarks.tasks.reading import Record, read_records
from benchmarks.tasks.recipes.recipe import classify
from benchmarks.tasks.task import SPLITS, Item, Kind, Split, Task, TaskSpec
from strategies.errors import DataError

NEXT_STEP = (
    "Nothing was written. Correct these and run the same command again. "
    "Other column names are given with --input-column and --output-column."
)
FEWEST_LINES = 10
TEST_SHARE = 0.3
VALIDATION_SHARE = 0.1

# A closed set of answers: few, short, and each used several times.
MOST_LABELS = 100
LONGEST_LABEL = 60
FEWEST_LINES_A_LABEL = 3
# Answers of up to so many words look like facts, longer ones like prose.
LONGEST_FACT_WORDS = 6

KINDS: tuple[Kind, ...] = ("classification", "qa", "extraction", "rewriting", "generation")
_METRICS: dict[str, tuple[str, ...]] = {
    "classification": ("accuracy", "macro_f1"),
    "qa": ("token_f1", "exact_match", "answer_contained"),
    "extraction": ("field_f1", "json_validity"),
    "rewriting": ("rouge_l", "bleu"),
    "generation": ("rouge_l", "bleu"),
}
_INSTRUCTIONS = {
    "qa": "Answer the question with the shortest phrase that answers it.",
    "extraction": "Extract the fields from the text. Answer with one JSON object only.",
    "rewriting": "Rewrite the text.",
    "generation": "Write the answer to this input.",
}
_COPIED = ("input", "output", "outputs", "group")
_BEHAVIOUR = {
    "classification": ["label_set"],
    "qa": [],
    "extraction": ["format"],
    "rewriting": ["style"],
    "generation": ["style"],
}


_LONGEST_HEADER = 10_000
_USUAL_COLUMNS = (
    ("input", "output"),
    ("text", "label"),
    ("text", "category"),
    ("question", "answer"),
    ("prompt", "completion"),
)


@dataclass(frozen=True)
class Source:
    """What a task folder is made from.

    Attributes:
        file: .csv, .tsv, .jsonl, or chat .jsonl with ``messages``.
        columns: names that the file uses for ``input`` and ``output``.
        kind: kind of task; None guesses it from the answers.
        corpus: folder of documents to copy into the task; None is none.
        instruction: what to do; None takes the chats' system message or a usual sentence.
    """

    file: Path
    columns: dict[str, str] = field(default_factory=dict)
    kind: Kind | None = None
    corpus: Path | None = None
    instruction: str | None = None


@dataclass(frozen=True)
class Scaffolded:
    """A task folder that was written, and what its maker should know.

    Attributes:
        task: the task as it loads from the folder.
        guessed: whether the kind was guessed.
        notes: lines that were left out, and why.
    """

    task: Task
    guessed: bool
    notes: tuple[str, ...]


def scaffold(folder: Path, source: Source) -> Scaffolded:
    """Write a task folder: ``task.yaml``, seeded splits of 60, 10 and 30 %, and the corpus.

    Raises:
        DataError: the input cannot be used or the folder is not empty. Nothing is written
            then; the message lists every problem.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise DataError(f"{folder} is not empty. Choose another folder, or empty this one first.")
    problems = Problems(f"Cannot make a task from {source.file}", NEXT_STEP)
    items, system = _read(source, problems)
    if source.corpus is not None:
        read_corpus(source.corpus, problems)
    usable, notes = _without_repeats(items)
    if items and len(usable) < FEWEST_LINES:
        text = f"holds {len(usable)} different labelled lines; at least {FEWEST_LINES} are needed"
        problems.add(source.file, text)
    problems.raise_if_any()
    spec = _spec(folder, source, usable, system)
    splits = split_by_group(usable, _sizes(len(usable)))
    _write_whole(folder, spec, splits, source)
    return Scaffolded(load_folder(folder), source.kind is None, tuple(notes))


def usual_columns(file: Path) -> dict[str, str]:
    """The first pair of usual names for input and output that a table's header holds.

    Returns:
        ``input`` and ``output`` with the names in the file; {} when it is no table, cannot be
        read or has none of them.
    """
    if file.suffix not in (".csv", ".tsv") or not file.is_file():
        return {}
    with file.open(encoding="utf-8-sig", errors="replace", newline="") as lines:
        first = lines.readline(_LONGEST_HEADER)
    header = next(csv.reader([first], delimiter="\t" if file.suffix == ".tsv" else ","), [])
    for theirs in _USUAL_COLUMNS:
        if set(theirs) <= set(header):
            return dict(zip(("input", "output"), theirs, strict=True))
    return {}


def guess_kind(outputs: Sequence[str]) -> Kind:
    """The kind of task that answers like these come from.

    Few short answers that repeat are labels, JSON objects are extractions, a few words are
    facts, and everything else is prose.
    """
    labels = set(outputs)
    short = all(len(label) <= LONGEST_LABEL and "\n" not in label for label in labels)
    few = 2 <= len(labels) <= min(MOST_LABELS, len(outputs) / FEWEST_LINES_A_LABEL)
    if short and few:
        return "classification"
    if all(parse_object(output) is not None for output in outputs):
        return "extraction"
    words = sorted(len(output.split()) for output in outputs)
    return "qa" if words[len(words) // 2] <= LONGEST_FACT_WORDS else "generation"


def _read(source: Source, problems: Problems) -> tuple[list[Item], str]:
    records = read_records(source.file, problems, source.columns)
    if not records and not problems:
        problems.add(source.file, "holds no labelled line")
    known = [_known_fields(record) for record in records]
    systems = {record.system for record in records}
    if len(systems) > 1 and source.instruction is None:
        problems.add(source.file, "system messages differ; name one task with --instruction")
    # Any kind will do here: labels are known only after reading.
    kind: Kind = "extraction" if source.kind in (None, "extraction") else "generation"
    reading = TaskSpec(id="x", title="", kind=kind, instruction="", metric="rouge_l")
    items, _ = parse_items(known, reading, "train", source.file, problems)
    return items, next(iter(systems), "")


def _known_fields(record: Record) -> Record:
    kept = {name: _stripped(record.fields[name]) for name in _COPIED if name in record.fields}
    return Record(record.line, kept | {"id": str(record.line)}, record.system)


def _stripped(value: object) -> object:
    return value.strip() if isinstance(value, str) else value


def _without_repeats(items: Sequence[Item]) -> tuple[list[Item], list[str]]:
    same_input: dict[str, list[Item]] = defaultdict(list)
    for item in items:
        same_input[normal_input(item.input)].append(item)
    kept, repeated, contradicting = [], [], []
    for alike in same_input.values():
        if len({item.outputs for item in alike}) > 1:
            contradicting += [item.id for item in alike]
        else:
            kept.append(alike[0])
            repeated += [item.id for item in alike[1:]]
    notes = [
        *_note(repeated, "repeat another line"),
        *_note(contradicting, "have the input of another line and a different answer"),
    ]
    return kept, notes


def _note(lines: Sequence[str], reason: str) -> list[str]:
    listed = ", ".join(sorted(lines, key=int)[:12]) + (", …" if len(lines) > 12 else "")
    return [f"{len(lines)} lines {reason} and were left out: {listed}"] if lines else []


def _sizes(count: int) -> dict[Split, int]:
    test = round(count * TEST_SHARE)
    validation = max(1, round(count * VALIDATION_SHARE))
    return {"train": count - test - validation, "validation": validation, "test": test}


def _spec(folder: Path, source: Source, items: Sequence[Item], system: str) -> TaskSpec:
    outputs = [output for item in items for output in item.outputs]
    kind = source.kind or guess_kind(outputs)
    labels = tuple(sorted(set(outputs))) if kind == "classification" else ()
    if kind == "classification" and len(labels) < 2:
        raise DataError(
            f"{source.file}: all lines have the answer {outputs[0]!r}; a classification needs "
            "two labels or more. Nothing was written. Name another kind with --kind."
        )
    usual = _INSTRUCTIONS.get(kind) or classify("Classify the text.", labels)
    metric, *further = _METRICS[kind]
    return TaskSpec(
        id=slug(folder.resolve().name) or "task",
        title=folder.resolve().name,
        kind=kind,
        instruction=source.instruction or system or usual,
        labels=labels,
        metric=metric,
        metrics=tuple(further),
        max_new_tokens=_longest_answer_tokens(outputs),
        source=source.file.name,
        corpus="corpus" if source.corpus is not None else None,
        answers=_answers(kind, items, labels, source),
    )


def _answers(
    kind: Kind, items: Sequence[Item], labels: Sequence[str], source: Source
) -> dict[str, bool | int | float | str | list[str] | None]:
    sizes = _sizes(len(items))
    known: dict[str, bool | int | float | str | list[str] | None] = {
        "task_kind": kind,
        "labelled_examples": sizes["train"] + sizes["validation"],
        "eval_items": sizes["test"],
        "behaviour": list(_BEHAVIOUR[kind]),
    }
    if labels:
        known["classes"] = len(labels)
    if source.corpus is not None:
        size_bytes = sum(file.stat().st_size for file in corpus_files(source.corpus))
        # English text has about four bytes a token.
        known |= {"knowledge": "static", "knowledge_tokens": size_bytes // 4}
    return known


def _longest_answer_tokens(outputs: Iterable[str]) -> int:
    # Two characters a token is a careful estimate: names and codes cut into short tokens.
    longest = max(len(output) for output in outputs) // 2 + 4
    return min(512, max(8, longest))


def _write_whole(
    folder: Path, spec: TaskSpec, splits: dict[Split, list[Item]], source: Source
) -> None:
    folder = folder.resolve()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as draft:
        made = Path(draft) / "task"
        made.mkdir()
        for split in SPLITS:
            lines = [_line(item, split) for item in splits[split]]
            (made / f"{split}.jsonl").write_text("".join(lines), encoding="utf-8")
        if source.corpus is not None:
            (made / "corpus").mkdir()
            for file in corpus_files(source.corpus):
                shutil.copyfile(file, made / "corpus" / file.name)
        (made / "task.yaml").write_text(_yaml(spec), encoding="utf-8")
        load_folder(made)
        if not folder.exists():
            made.rename(folder)
            return
        for part in sorted(made.iterdir()):
            part.rename(folder / part.name)


def _line(item: Item, split: Split) -> str:
    fields: dict[str, object] = {"id": f"{split}-{item.id}", "input": item.input}
    if len(item.outputs) == 1:
        fields["output"] = item.output
    else:
        fields["outputs"] = list(item.outputs)
    if item.group:
        fields["group"] = item.group
    return json.dumps(fields, ensure_ascii=False) + "\n"


def _yaml(spec: TaskSpec) -> str:
    blocks = []
    for name, comment in _COMMENTS.items():
        value = spec.model_dump(mode="json")[name]
        if value in (None, [], "") and name not in ("licence",):
            continue
        written = yaml.safe_dump({name: value}, allow_unicode=True, sort_keys=False, width=96)
        blocks.append(f"# {comment}\n{written}" if comment else written)
    return "".join(blocks)


_COMMENTS = {
    "schema_version": "",
    "id": "",
    "title": "What reports call this task.",
    "kind": f"One of: {', '.join(KINDS)} (also: multiple-choice, sql).",
    "instruction": "Put before every input under every method; say here exactly what you want.",
    "labels": "The closed set of answers.",
    "metric": "Decides which method is best; the further metrics are reported beside it.",
    "metrics": "",
    "max_new_tokens": "The longest answer that a model may generate.",
    "licence": "Of the data.",
    "source": "",
    "corpus": "Documents to retrieve from: .md, .txt, .jsonl (id, title, text).",
    "answers": "What `advisor ask` knows of this task; add what you know, leave out the rest.",
}
