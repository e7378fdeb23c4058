"""Makes a task folder out of a file of labelled lines that a user already has."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import yaml

from benchmarks.tasks.authoring import item_line, split_by_group
from benchmarks.tasks.corpus import document_files, read_corpus, slug
from benchmarks.tasks.labels import doubtful_labels, merged_labels
from benchmarks.tasks.languages import language_of_script, word_estimate
from benchmarks.tasks.lengths import longest_answer_tokens
from benchmarks.tasks.loading import (
    CORPUS_FOLDER,
    FIELDS,
    Places,
    check_splits,
    load_folder,
    parse_items,
)
from benchmarks.tasks.metrics import parse_structure
from benchmarks.tasks.normal_form import near_labels, normal_input
from benchmarks.tasks.problems import LINES_SHOWN, Problems, plural, shown
from benchmarks.tasks.reading import Record, field_names, is_table, read_records
from benchmarks.tasks.recipes.recipe import classify
from benchmarks.tasks.shapes import leaves
from benchmarks.tasks.task import SPLITS, AnswerValue, Item, Kind, Splits, Task, TaskSpec
from strategies.data import Passage
from strategies.errors import DataError

NEXT_STEP = "Nothing was written. Correct these and run the same command again."
COLUMNS_STEP = (
    "Nothing was written. Name the columns or fields of your file with --input-column, "
    "--output-column and --group-column, or correct these and run the same command again."
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
# An answer that shares more than this of its character trigrams with its input rewrites it.
REWRITTEN_SHARE = 0.5
# A single word that was rewritten is right or wrong as a whole.
FEWEST_REWRITTEN_WORDS = 2
# BLEU counts sequences of four words, and shorter answers have none.
FEWEST_BLEU_WORDS = 4
_QUESTION_MARKS = ("?", "？", "؟")

KINDS: tuple[Kind, ...] = (
    "classification",
    "multiple-choice",
    "qa",
    "extraction",
    "rewriting",
    "generation",
)
_METRICS: dict[str, tuple[str, ...]] = {
    "classification": ("accuracy", "macro_f1"),
    "multiple-choice": ("accuracy",),
    "qa": ("token_f1", "exact_match", "answer_contained"),
    "extraction": ("field_f1", "json_validity"),
    "rewriting": ("rouge_l", "bleu"),
    "generation": ("rouge_l", "bleu"),
}
_INSTRUCTIONS = {
    "multiple-choice": "Answer the question.",
    "qa": "Answer the question with the shortest phrase that answers it.",
    "extraction": "Extract the fields from the text. Answer with one JSON object only.",
    "rewriting": "Rewrite the text.",
    "generation": "Write the answer to this input.",
}
_LIST = "Extract what is asked for from the text. Answer with one JSON list only."
# For inputs that say themselves what to do.
_FOLLOW = "Follow the instruction."
_BEHAVIOUR = {
    "classification": ["label_set"],
    "multiple-choice": [],
    "qa": [],
    "extraction": ["format"],
    "rewriting": ["style"],
    "generation": ["style"],
}

# Columns that the input is put together from, where a file has them.
_INSTRUCTION, _QUESTION, _CONTEXT = "instruction", "question", "context"

# Best first; letter case does not matter.
_USUAL_NAMES = {
    "input": (
        "input", "text", "question", "prompt", "sentence", "body", "message", "instruction",
    ),
    "output": (
        "output", "label", "answer", "completion", "response", "target", "category", "class",
        "intent", "chosen",
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Source:
    """What a task folder is made from.

    Attributes:
        file: .csv, .tsv, or .jsonl, .json or .parquet of objects or chats.
        columns: names that the file uses for ``input``, ``output`` and ``group``; input and
            output are else found by their usual names.
        slices: further columns that a report tells items apart by.
        kind: kind of task; None guesses it.
        corpus: folder of documents to copy into the task; None is none.
        instruction: what to do; None takes the chats' system message, the instruction that all
            lines share, or a usual sentence.
        merge_labels: labels that differ only in case, spaces, Unicode form or number format
            become the one that most lines have.
    """

    file: Path
    columns: dict[str, str] = field(default_factory=dict)
    slices: tuple[str, ...] = ()
    kind: Kind | None = None
    corpus: Path | None = None
    instruction: str | None = None
    merge_labels: bool = False


@dataclass(frozen=True)
class _Lines:
    """What was read from a source.

    Attributes:
        instruction: what the file itself says to do, "" when it does not.
        instructed: whether every input has an instruction of its own.
        structured: whether answers are objects and lists; a few that are not are told as wrong.
        spaced: answers that other lines have without spaces around them, with their lines.
    """

    items: list[Item]
    instruction: str
    instructed: bool
    structured: bool
    spaced: dict[str, list[int]]
    notes: list[str]


@dataclass(frozen=True)
class Scaffolded:
    """A task folder that was written, and what its maker should know.

    Attributes:
        task: the task as it loads from the folder.
        guessed: whether the kind was guessed.
        notes: what was left out or taken otherwise, and why.
        near: whether there are labels that are probably one and were not merged.
    """

    task: Task
    guessed: bool
    notes: tuple[str, ...]
    near: bool = False


def scaffold(folder: Path, source: Source) -> Scaffolded:
    """Write a task folder: ``task.yaml``, seeded splits of 60, 10 and 30 %, and the corpus.

    Raises:
        DataError: the input cannot be used or the folder is not empty. Nothing is written
            then; the message lists every problem.
    """
    if folder.exists() and not folder.is_dir():
        raise DataError(f"{folder} is a file. Name a folder to make.")
    if folder.exists() and any(folder.iterdir()):
        raise DataError(f"{folder} is not empty. Choose another folder, or empty this one first.")
    if source.columns.get("input", "") == source.columns.get("output"):
        column = shown(source.columns["input"])
        raise DataError(f"Column {column} cannot be input and output at once. Name two columns.")
    problems = Problems(f"Cannot make a task from {source.file}", NEXT_STEP)
    lines = _read(source, problems)
    corpus = read_corpus(source.corpus, problems) if source.corpus is not None else ()
    usable, kind, notes = _usable(source, lines, problems.unit(source.file, 1))
    if lines.items and len(usable) < FEWEST_LINES:
        count = f"{len(usable)} labelled {'line' if len(usable) == 1 else 'lines'}"
        text = f"holds {count} that can be used; at least {FEWEST_LINES} different ones are needed"
        problems.add(source.file, text)
        for note in (*lines.notes, *notes):
            problems.note(source.file, note)
    problems.raise_if_any()
    splits = _split(source, usable, corpus, problems)
    spec = _spec(folder, source, splits, kind, lines)
    places: Places = {
        split: [(source.file.name, int(item.id)) for item in getattr(splits, split)]
        for split in SPLITS
    }
    check_splits(spec, splits, places, problems)
    problems.raise_if_any()
    task = _write_whole(folder, spec, splits, source)
    told = (*problems.notes(), *lines.notes, *notes, *task.language_notes())
    return Scaffolded(task, source.kind is None, told, bool(near_labels(spec.labels)))


def usual_columns(names: Sequence[str], named: Mapping[str, str]) -> dict[str, str]:
    """The names that a file uses for ``input`` and ``output``, as far as they can be told.

    Args:
        names: the fields of the file.
        named: what the user said; a role that is missing here is looked up by its usual names.
    """
    found = dict(named)
    for role, usual in _USUAL_NAMES.items():
        if role in found or (role == "output" and "outputs" in names):
            continue
        free = {name.strip().lower(): name for name in names if name not in found.values()}
        known = [free[name] for name in usual if name in free]
        if known:
            found[role] = known[0]
    return found


def guess_kind(outputs: Sequence[str], inputs: Sequence[str] = ()) -> Kind:
    """The kind of task that answers like these come from.

    JSON objects and lists are extractions, few short answers that repeat are labels, answers that
    share most of their text with their inputs and answer no question are rewritten ones, a few
    words are facts, and everything else is prose.

    Args:
        outputs: the answers.
        inputs: what each of them answers; () when that is not known.
    """
    if all(parse_structure(output) is not None for output in outputs):
        return "extraction"
    labels = set(outputs)
    short = all(len(label) <= LONGEST_LABEL and "\n" not in label for label in labels)
    few = 2 <= len(labels) <= min(MOST_LABELS, len(outputs) / FEWEST_LINES_A_LABEL)
    if short and few:
        return "classification"
    words = _median([word_estimate(output) for output in outputs])
    if words >= FEWEST_REWRITTEN_WORDS and _are_rewritten(list(zip(inputs, outputs, strict=False))):
        return "rewriting"
    return "qa" if words <= LONGEST_FACT_WORDS else "generation"


def _are_rewritten(pairs: Sequence[tuple[str, str]]) -> bool:
    """Whether outputs share most of their text with their inputs and do not answer questions."""
    answers = [_asks(text) and not _asks(output) for text, output in pairs]
    shares = [_shared_trigrams(*pair) for pair in pairs]
    return bool(pairs) and _median(shares) > REWRITTEN_SHARE and not _median(answers)


def _asks(text: str) -> bool:
    return text.rstrip().endswith(_QUESTION_MARKS)


def _median(values: Sequence[float]) -> float:
    return sorted(values)[len(values) // 2]


def _shared_trigrams(one: str, other: str) -> float:
    """F1 of the character trigrams of two texts: 1 when they are alike, 0 with none in common."""
    first, second = _trigrams(one), _trigrams(other)
    return 2 * (first & second).total() / (first.total() + second.total())


def _trigrams(text: str) -> Counter[str]:
    folded = text.casefold()
    return Counter(folded[place : place + 3] for place in range(max(1, len(folded) - 2)))


def _read(source: Source, problems: Problems) -> _Lines:
    """The items of the file, and what it says beside them."""
    columns, notes = _columns(source)
    records = read_records(source.file, problems, columns, usual=True)
    if not records and not problems:
        problems.add(source.file, "holds no labelled line")
    sought, there = {"input", "output", *columns}, field_names(source.file)
    if is_table(source.file) and there and not {columns.get(r, r) for r in sought} <= {*there}:
        problems.next_step = COLUMNS_STEP
    _note_missing_fields(source, columns, records, problems)
    for unpacked in (_single_answers, _chosen_answers):
        records, told = unpacked(records)
        notes += told
    records, shared, instructed = _with_instructions(records, columns, source.slices)
    notes += instructed
    systems = {record.system for record in records}
    if len(systems) > 1 and not source.instruction:
        problems.add(source.file, "system messages differ; name one task with --instruction")
    if source.instruction and (any(systems) or shared):
        notes.append("the instruction of the file gives way to the one that you named")
    used = _used_fields(source, records)
    # Of all kinds, extraction alone takes objects and lists; labels are known only after reading.
    structured = source.kind is None and _are_structured(records)
    kind: Kind = "extraction" if structured or source.kind == "extraction" else "generation"
    reading = TaskSpec(
        id="x",
        title="",
        kind=kind,
        instruction="",
        metric="rouge_l",
        # In messages, fields are called as the file calls them.
        columns={role: name for role, name in columns.items() if role in ("input", "output")},
        slices=source.slices,
    )
    _note_wrong_slices(source, set(columns.values()), records, problems)
    known = [_known_fields(record, used) for record in records]
    items, _ = parse_items(known, reading, "train", source.file, problems)
    unused = sorted({name for record in records for name in record.fields} - used)
    if unused:
        notes.append(f"fields that are not used: {_listed(unused)}")
    instruction = "\n\n".join(filter(None, (next(iter(systems), ""), shared)))
    spaced = _spaced_labels(records)
    return _Lines(items, instruction, shared is None, structured, spaced, notes)


def _note_missing_fields(
    source: Source, columns: Mapping[str, str], records: Sequence[Record], problems: Problems
) -> None:
    """Note the roles that no object has a field for, with the fields that there are.

    Raises:
        DataError: there are such roles; every line would lack them.
    """
    if not records or is_table(source.file):
        return
    there = {name for record in records for name in record.fields}
    outputs = {"output", "outputs"} if "output" not in source.columns else {"output"}
    wanted = {"input": {"input"}, "output": outputs} | {
        role: {role} for role in source.columns if role not in ("input", "output")
    }
    for role, names in wanted.items():
        if not names & there:
            named = f"field {source.columns[role]!r}" if role in source.columns else "usual field"
            fields = {columns.get(name, name): value for name, value in records[0].fields.items()}
            found = _listed(leaves(fields)) or "none"
            problems.add(source.file, f"has no {named} for the {role}; found: {found}")
            problems.next_step = COLUMNS_STEP
    if problems.next_step == COLUMNS_STEP:
        problems.raise_if_any()


def _single_answers(records: Sequence[Record]) -> tuple[list[Record], list[str]]:
    """The records with the one entry of their answer in place of the list, if all hold one."""
    answers = [record.fields.get("output") for record in records]
    single = [answer[0] for answer in answers if isinstance(answer, list) and len(answer) == 1]
    texts = all(isinstance(entry, str | int | float) for entry in single)
    if not records or len(single) < len(records) or not texts:
        return list(records), []
    taken = [
        replace(record, fields=record.fields | {"output": answer})
        for record, answer in zip(records, single, strict=True)
    ]
    return taken, ["every answer is a list of one entry, which was taken as the answer"]


def _chosen_answers(records: Sequence[Record]) -> tuple[list[Record], list[str]]:
    """The records with the choice itself as answer, where all name it by its place or letter."""
    for how, place in (("place, counted from 0", _place), ("letter", _letter)):
        chosen = [_choice(record.fields, place(record.fields.get("output"))) for record in records]
        if records and all(answer is not None for answer in chosen):
            taken = [
                replace(record, fields=record.fields | {"output": answer})
                for record, answer in zip(records, chosen, strict=True)
            ]
            return taken, [f"every answer was taken as a choice's {how}"]
    return list(records), []


def _choice(fields: Mapping[str, object], place: int | None) -> object:
    choices = fields.get("choices")
    if not isinstance(choices, list) or place is None or fields.get("output") in choices:
        return None
    return choices[place] if 0 <= place < len(choices) else None


def _place(answer: object) -> int | None:
    return answer if isinstance(answer, int) and not isinstance(answer, bool) else None


def _letter(answer: object) -> int | None:
    # find() is -1 for anything but one of these letters.
    return "ABCDEFGH".find(answer) if isinstance(answer, str) and len(answer) == 1 else None


def _are_structured(records: Sequence[Record]) -> bool:
    """Whether all answers are objects or lists, or JSON texts of them, or most are no texts."""
    answers = [record.fields.get("outputs", [record.fields.get("output")]) for record in records]
    each = [answer for own in answers for answer in (own if isinstance(own, list) else [own])]
    bare = sum(isinstance(answer, dict | list) for answer in each)
    return 2 * bare > len(each) or all(
        isinstance(answer, dict | list)
        or (isinstance(answer, str) and parse_structure(answer) is not None)
        for answer in each
    )


def _columns(source: Source) -> tuple[dict[str, str], list[str]]:
    """The columns of the file by role, and a note where they were guessed by their place."""
    names = field_names(source.file)
    columns = usual_columns(names, source.columns)
    if "output" not in columns and "outputs" not in names and "answers" in names:
        # SQuAD has its accepted answers there.
        columns["outputs"] = "answers.text"
    free = [name for name in names if name not in columns.values()]
    missing = [role for role in ("input", "output") if role not in columns]
    if not (is_table(source.file) and len(names) == 2 and missing and len(free) == len(missing)):
        return columns, []
    guessed = dict(zip(missing, free, strict=True))
    words = {"input": "the input", "output": "the answer"}
    told = " and ".join(f"{name!r} is taken as {words[role]}" for role, name in guessed.items())
    note = f"no column has a usual name for this, so {told}; the first line has to name columns"
    return columns | guessed, [note]


def _with_instructions(
    records: Sequence[Record], columns: Mapping[str, str], slices: Sequence[str]
) -> tuple[list[Record], str | None, list[str]]:
    """The records with their own instruction before the input, if their instructions differ.

    Alpaca's files have an ``instruction`` and an ``input`` that may be empty; Dolly's have a
    ``context`` instead, and so do questions such as SQuAD's.

    Returns:
        the records; the instruction that all share, "" for none and None when each has its own;
        a note.
    """
    asked = columns.get("input", "").lower()
    if asked in (_INSTRUCTION, _QUESTION):
        own = None if asked == _INSTRUCTION else ""
        if not any(str(record.fields.get(_CONTEXT) or "").strip() for record in records):
            return list(records), own, []
        note = f"the {_CONTEXT} of a line was put behind its {asked}"
        return [_joined(record, "input", _CONTEXT, slices) for record in records], own, [note]
    names = (name for record in records for name in record.fields)
    name = next((name for name in names if name.lower() == _INSTRUCTION), None)
    if name is None:
        return list(records), "", []
    given = {str(record.fields.get(name) or "").strip() for record in records}
    if len(given) == 1:
        return [_without(record, name, slices) for record in records], given.pop(), []
    note = "the instructions of the lines differ, so each was put before the input of its line"
    return [_joined(record, name, "input", slices) for record in records], None, [note]


def _joined(record: Record, first: str, second: str, slices: Sequence[str]) -> Record:
    """The record with two of its fields as its input, as far as they hold something."""
    values = (record.fields.get(name) for name in (first, second))
    parts = [value for value in values if value is not None and str(value).strip()]
    text = parts[0] if len(parts) == 1 else "\n\n".join(str(part).strip() for part in parts)
    rest = _without(record, first if second == "input" else second, slices)
    return replace(rest, fields=rest.fields | {"input": text})


def _without(record: Record, name: str, slices: Sequence[str]) -> Record:
    if name in slices:
        return record
    fields = {other: value for other, value in record.fields.items() if other != name}
    return replace(record, fields=fields)


def _spaced_labels(records: Sequence[Record]) -> dict[str, list[int]]:
    """Answers that some records have with spaces around them and others without: where they do."""
    places: dict[str, list[int]] = defaultdict(list)
    texts = [(record.line, record.fields.get("output")) for record in records]
    plain = {text for _, text in texts if isinstance(text, str) and text == text.strip()}
    for line, text in texts:
        if isinstance(text, str) and text not in plain and text.strip() in plain:
            places[text.strip()].append(line)
    return dict(places)


def _usable(source: Source, lines: _Lines, unit: str) -> tuple[list[Item], Kind, list[str]]:
    """The items without repeats, their labels merged if that is wanted, their kind, and notes."""
    merged, told = (
        merged_labels(lines.items, plural(unit)) if source.merge_labels else (lines.items, [])
    )
    usable, repeats = _without_repeats(merged, unit)
    kind = source.kind or _kind_of(usable, structured=lines.structured)
    if kind == "classification":
        return usable, kind, [*told, *doubtful_labels(usable, lines.spaced, plural(unit)), *repeats]
    if source.merge_labels:
        usable, repeats = _without_repeats(lines.items, unit)
        repeats.insert(0, "nothing was merged: the answers are no labels")
    return usable, kind, repeats


def _kind_of(items: Sequence[Item], *, structured: bool) -> Kind:
    if items and all(item.choices for item in items):
        return "multiple-choice"
    if structured:
        return "extraction"
    pairs = [(output, item.input) for item in items for output in item.outputs]
    outputs, inputs = [output for output, _ in pairs], [text for _, text in pairs]
    return guess_kind(outputs, inputs) if items else "qa"


def _note_wrong_slices(
    source: Source, taken: set[str], records: Sequence[Record], problems: Problems
) -> None:
    there = {name for record in records for name in record.fields}
    wrong = []
    for name in dict.fromkeys(source.slices):
        if name in taken or name in FIELDS:
            wrong.append(f"column {shown(name)} is used otherwise and cannot slice")
        elif name not in there:
            found = _listed(sorted(there - FIELDS)) or "none"
            wrong.append(f"has no column {shown(name)} to slice by; found: {found}")
    if len(set(source.slices)) != len(source.slices):
        wrong.append("name every column to slice by once")
    for text in wrong:
        problems.add(source.file, text)
    if wrong:
        problems.raise_if_any()


def _used_fields(source: Source, records: Sequence[Record]) -> set[str]:
    used = {"input", "output", *source.columns, *source.slices}
    if is_table(source.file):
        return used
    used |= {"group"} if "output" in source.columns else {"group", "outputs"}
    if source.corpus is not None:
        used.add("passages")
    all_choose = all(record.fields.get("choices") for record in records)
    if source.kind == "multiple-choice" or (source.kind is None and all_choose):
        used.add("choices")
    return used


def _known_fields(record: Record, used: set[str]) -> Record:
    kept = {name: _stripped(value) for name, value in record.fields.items() if name in used}
    if isinstance(kept.get("group"), int | float):
        kept["group"] = str(kept["group"])
    return Record(record.line, kept | {"id": str(record.line)}, record.system)


def _stripped(value: object) -> object:
    return value.strip() if isinstance(value, str) else value


def _without_repeats(items: Sequence[Item], unit: str) -> tuple[list[Item], list[str]]:
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
        *_note(repeated, unit, "repeats" if len(repeated) == 1 else "repeat", ""),
        *_note(contradicting, unit, "have the input of", " and a different answer"),
    ]
    return kept, notes


def _note(lines: Sequence[str], unit: str, verb: str, rest: str) -> list[str]:
    if not lines:
        return []
    units = unit if len(lines) == 1 else plural(unit)
    were = "was" if len(lines) == 1 else "were"
    listed = _listed(sorted(lines, key=int))
    return [f"{len(lines)} {units} {verb} another {unit}{rest} and {were} left out: {listed}"]


def _listed(names: Sequence[str]) -> str:
    listed = ", ".join(names[:LINES_SHOWN]) + (", …" if len(names) > LINES_SHOWN else "")
    # A name may hold half of a character, which no terminal can show.
    return listed.encode("utf-8", "backslashreplace").decode("utf-8")


def _split(
    source: Source, items: Sequence[Item], corpus: tuple[Passage, ...], problems: Problems
) -> Splits:
    test = round(len(items) * TEST_SHARE)
    validation = max(1, round(len(items) * VALIDATION_SHARE))
    train = len(items) - test - validation
    found = split_by_group(items, {"train": train, "validation": validation, "test": test})
    empty = [split for split in SPLITS if not found[split]]
    if empty:
        problems.add(
            source.file,
            f"leaves no line for {' and '.join(empty)}: lines of one group stay together, and "
            "these groups are too large. Name a finer --group-column, or leave the groups out",
        )
    problems.raise_if_any()
    return Splits(
        train=tuple(found["train"]),
        validation=tuple(found["validation"]),
        test=tuple(found["test"]),
        corpus=corpus,
    )


def _spec(folder: Path, source: Source, splits: Splits, kind: Kind, lines: _Lines) -> TaskSpec:
    items = [item for split in SPLITS for item in getattr(splits, split)]
    outputs = [output for item in items for output in item.outputs]
    labels = tuple(sorted(set(outputs))) if kind == "classification" else ()
    if kind == "classification" and len(labels) < 2:
        raise DataError(
            f"{source.file}: all lines have the answer {outputs[0]!r}; a classification needs "
            "two labels or more. Nothing was written. Name another kind with --kind."
        )
    usual = _INSTRUCTIONS.get(kind) or classify("Classify the text.", labels)
    if kind == "extraction" and all(
        isinstance(parse_structure(output), list) for output in outputs
    ):
        usual = _LIST
    if lines.instructed and not labels:
        usual = _FOLLOW
    metric, *further = _METRICS[kind]
    if kind == "rewriting" and _median(list(map(word_estimate, outputs))) < FEWEST_BLEU_WORDS:
        further = ["exact_match"]
    return TaskSpec(
        id=slug(folder.resolve().name) or "task",
        title=folder.resolve().name,
        kind=kind,
        instruction=source.instruction or lines.instruction or usual,
        labels=labels,
        metric=metric,
        metrics=tuple(further),
        max_new_tokens=longest_answer_tokens(outputs),
        language=language_of_script([*(item.input for item in items), *outputs]),
        source=source.file.name,
        corpus=CORPUS_FOLDER if source.corpus is not None else None,
        slices=source.slices,
        answers=_answers(kind, splits, labels, source),
    )


def _answers(
    kind: Kind, splits: Splits, labels: Sequence[str], source: Source
) -> dict[str, AnswerValue]:
    known: dict[str, AnswerValue] = {
        "task_kind": "qa" if kind == "multiple-choice" else kind,
        "labelled_examples": len(splits.train) + len(splits.validation),
        "eval_items": len(splits.test),
        "behaviour": list(_BEHAVIOUR[kind]),
    }
    if labels:
        known["classes"] = len(labels)
    if source.corpus is not None:
        size_bytes = sum(file.stat().st_size for file in document_files(source.corpus))
        # English text has about four bytes a token.
        known |= {"knowledge": "static", "knowledge_tokens": size_bytes // 4}
    return known


def _write_whole(folder: Path, spec: TaskSpec, splits: Splits, source: Source) -> Task:
    folder = folder.resolve()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as draft:
        made = Path(draft) / "task"
        made.mkdir()
        for split in SPLITS:
            items: tuple[Item, ...] = getattr(splits, split)
            named = [item.model_copy(update={"id": f"{split}-{item.id}"}) for item in items]
            lines = "".join(map(item_line, named))
            (made / f"{split}.jsonl").write_text(lines, encoding="utf-8")
        if source.corpus is not None:
            for file in document_files(source.corpus):
                copy = made / CORPUS_FOLDER / file.relative_to(source.corpus)
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, copy)
        (made / "task.yaml").write_text(_yaml(spec), encoding="utf-8")
        task = load_folder(made)
        if folder.exists():
            for part in sorted(made.iterdir()):
                part.rename(folder / part.name)
        else:
            made.rename(folder)
    return task


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
    "kind": f"One of: {', '.join(KINDS)} (also: sql).",
    "instruction": "Put before every input under every method; say here exactly what you want.",
    "labels": "The closed set of answers.",
    "metric": "Decides which method is best; the further metrics are reported beside it.",
    "metrics": "",
    "max_new_tokens": "The longest answer that a model may generate.",
    "language": "Of the texts: a code such as ja, or its English name.",
    "licence": "Of the data.",
    "source": "",
    "slices": "Fields that a report tells the test items apart by.",
    "corpus": "Documents to retrieve from: .md, .txt, .html, .jsonl (id, title, text).",
    "answers": "What `advisor ask` knows of this task; add what you know, leave out the rest.",
}
