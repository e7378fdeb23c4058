"""Loads a task folder and checks all of it: every problem of all its files in one message."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files as package_files
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from advisor.limited_files import FileError, read_text, yaml_data, yaml_line
from advisor.wording import plain_errors
from benchmarks.places import is_inside
from benchmarks.tasks.checks import Check, try_pattern
from benchmarks.tasks.corpus import corpus_files, read_corpus
from benchmarks.tasks.labels import label_notes
from benchmarks.tasks.metrics import METRICS, parse_structure
from benchmarks.tasks.normal_form import near_labels, normal_input, spelt_out
from benchmarks.tasks.problems import Problems, shown
from benchmarks.tasks.reading import (
    SUFFIXES,
    Record,
    is_file,
    is_table,
    read_records,
    unusable,
)
from benchmarks.tasks.task import (
    SPLITS,
    Item,
    Split,
    Splits,
    Task,
    TaskSpec,
    build_task,
    combined_sha256,
)
from strategies.data import Passage
from strategies.errors import DataError
from strategies.hashing import sha256_of_file

SPEC_FILE = "task.yaml"
CORPUS_FOLDER = "corpus"
# For trying all patterns of a task; usual ones take less than a millisecond each.
PATTERNS_LIMIT_SECONDS = 60.0
BUNDLED_FOLDERS = Path(str(package_files("benchmarks.tasks"))) / "bundled"
# ``corpus: bundled:NAME`` is the corpus of the bundled task of that name.
BUNDLED_CORPUS = "bundled:"
NEXT_STEP = "Nothing was read. Correct these and run the same command again."

# Names of passages that a message gives as examples.
PASSAGES_SHOWN = 4

Place = tuple[str, int]
Places = dict[Split, list[Place]]

FIELDS = frozenset({"id", "input", "output", "outputs", "passages", "choices", "group", "checks"})


def load_folder(folder: Path) -> Task:
    """The task in a folder.

    Args:
        folder: holds ``task.yaml``, ``test.jsonl`` and optionally ``train.jsonl``,
            ``validation.jsonl`` (each may be ``.csv`` or ``.tsv`` instead) and a corpus, which
            is the folder ``corpus`` when ``task.yaml`` does not name one.

    Raises:
        DataError: something cannot be used; the message lists every problem.
    """
    problems = Problems(f"Task folder {folder}", NEXT_STEP)
    spec = _spec(folder, problems)
    problems.raise_if_any()
    _refuse_outside(folder, spec, problems)
    files = _files(folder, spec, problems)
    splits, places = _splits(folder, spec, problems)
    check_splits(spec, splits, places, problems)
    problems.raise_if_any()
    hashes = {name: sha256_of_file(path) for name, path in files.items()}
    _compare_hashes(folder, spec, files, problems)
    problems.raise_if_any()
    database = (folder / spec.database).resolve() if spec.database else None
    task = build_task(spec, splits, combined_sha256(hashes), database)
    return task.model_copy(update={"notes": (*problems.notes(), *label_notes(spec.labels))})


def with_fresh_items(task: Task, path: Path) -> Task:
    """The task with a file's items as its test split.

    Args:
        task: loaded.
        path: ``.jsonl``, ``.csv`` or ``.tsv``, as a test split is written.

    Raises:
        DataError: something cannot be used, such as an item that is among those to train on; the
            message lists every problem.
    """
    problems = Problems(f"Fresh items {path}", NEXT_STEP)
    if not is_file(path):
        problems.add(path, "there is no such file")
    elif path.suffix not in SUFFIXES:
        problems.add(path, f"is no file of items; allowed: {', '.join(SUFFIXES)}")
    problems.raise_if_any()
    known = {name: getattr(task, name) for name in TaskSpec.model_fields if hasattr(task, name)}
    spec = TaskSpec(**{**known, "corpus": None, "database": None})
    records = read_records(path, problems, task.columns)
    items, places = parse_items(records, spec, "test", path, problems)
    if not items:
        problems.add(path, "holds no item that can be read")
    splits = Splits(
        train=task.train, validation=task.validation, test=tuple(items), corpus=task.corpus
    )
    old: Places = {
        split: [(f"{split} item", number) for number, _ in enumerate(getattr(task, split), 1)]
        for split in SPLITS
    }
    check_splits(spec, splits, {**old, "test": places}, problems)
    problems.raise_if_any()
    sha256 = combined_sha256({"task": task.sha256, "fresh items": sha256_of_file(path)})
    fresh = build_task(spec, splits, sha256, task.database).test
    notes = (*task.notes, *problems.notes())
    return task.model_copy(update={"test": fresh, "sha256": sha256, "notes": notes})


def corpus_folder(folder: Path, corpus: str) -> Path:
    """Where the corpus lies that ``task.yaml`` in a folder names."""
    if not corpus.startswith(BUNDLED_CORPUS):
        return folder / corpus
    return BUNDLED_FOLDERS / corpus.removeprefix(BUNDLED_CORPUS) / CORPUS_FOLDER


def read_spec(folder: Path) -> TaskSpec:
    """What ``task.yaml`` of a folder says.

    Raises:
        DataError: it is missing or wrong; the message lists every problem.
    """
    problems = Problems(f"Task folder {folder}", NEXT_STEP)
    spec = _spec(folder, problems)
    problems.raise_if_any()
    return spec


def parse_items(
    records: Sequence[Record], spec: TaskSpec, split: Split, path: Path, problems: Problems
) -> tuple[list[Item], list[Place]]:
    """The items of a file and their places; records that are no item go into `problems`."""
    items: list[Item] = []
    places: list[Place] = []
    for record in records:
        strict = not is_table(path)
        known = FIELDS.union(spec.slices)
        wrong = sorted(set(record.fields) - known) if strict else []
        if wrong:
            allowed = ", ".join(sorted(known))
            text = f"field {', '.join(map(shown, wrong))} is unknown; allowed: {allowed}"
            problems.add(path, text, record.line)
        item = _item(record, spec, split, path, problems)
        if item is not None:
            items.append(item)
            places.append((path.name, record.line))
    return items, places


def check_splits(spec: TaskSpec, splits: Splits, places: Places, problems: Problems) -> None:
    """Note what is wrong between items: ids, leaks, labels, gold passages, checks.

    Args:
        spec: the task's description.
        splits: the items read.
        places: file and line of every item, split by split.
        problems: where to note what is wrong.
    """
    _check_ids(splits, places, problems)
    _check_leaks(splits, places, problems)
    _check_patterns(spec, splits, places, problems)
    known = _passage_names(splits.corpus)
    for split in SPLITS:
        for place, item in zip(places[split], getattr(splits, split), strict=True):
            for text in _wrong_with_item(spec, item, known):
                problems.add(place[0], text, place[1])


def _spec(folder: Path, problems: Problems) -> TaskSpec:
    path = folder / SPEC_FILE
    if not is_file(path):
        problems.add(path, "is missing; every task folder needs one (see: advisor init --help)")
        problems.raise_if_any()
    if _leads_out(path, folder):
        problems.add(path, _OUTSIDE)
        problems.raise_if_any()
    spec = _parse_spec(path, problems)
    if spec is None:
        problems.raise_if_any()
        raise AssertionError("a description that cannot be read is a problem")
    for wrong in _wrong_with_spec(spec):
        problems.add(path, wrong)
    if "corpus" not in spec.model_fields_set and (folder / CORPUS_FOLDER).is_dir():
        return spec.model_copy(update={"corpus": CORPUS_FOLDER})
    return spec


def _parse_spec(path: Path, problems: Problems) -> TaskSpec | None:
    text = ""
    try:
        text = read_text(path)
        return TaskSpec.model_validate(yaml_data(text))
    except ValidationError as error:
        for place, said in plain_errors(error, TaskSpec):
            problems.add(path, said, yaml_line(text, place))
    except FileError as error:
        problems.add(path, f"is not YAML that can be used: {error.said}", error.line)
    except OSError as error:
        problems.add(path, f"cannot be read: {error.strerror or error}")
    return None


def _wrong_with_spec(spec: TaskSpec) -> list[str]:
    wrong = []
    names = (spec.metric, *spec.metrics)
    for name in names:
        if name not in METRICS:
            wrong.append(f"metric {shown(name)} is unknown; known: {', '.join(METRICS)}")
    if len(set(names)) != len(names):
        wrong.append("a metric is listed twice; 'metrics' lists those besides 'metric'")
    if spec.kind == "classification" and len(spec.labels) < 2:
        wrong.append("a classification needs at least two 'labels'")
    if len(set(spec.labels)) != len(spec.labels) or not all(map(str.strip, spec.labels)):
        wrong.append("'labels' must differ, and none may be empty")
    if not spec.columns.keys() <= {"input", "output"}:
        wrong.append("'columns' renames 'input' and 'output' and nothing else")
    if FIELDS.intersection(spec.slices) or len(set(spec.slices)) != len(spec.slices):
        wrong.append(f"'slices' names other fields than {', '.join(sorted(FIELDS))}, each once")
    if "execution_match" in names and spec.database is None:
        wrong.append("metric 'execution_match' needs a 'database'")
    return wrong


_OUTSIDE = "leads out of the task folder; a task reads its own folder alone, so copy it there"


def _leads_out(path: Path, folder: Path) -> bool:
    """Whether a path that a task folder names is elsewhere; of bundled tasks, none is.

    Some installers put a link to a cache in the place of every file of a package.
    """
    return folder.parent != BUNDLED_FOLDERS and not is_inside(path, folder)


def _refuse_outside(folder: Path, spec: TaskSpec, problems: Problems) -> None:
    """Check that a task is read from its folder alone, before anything is.

    Raises:
        DataError: something that it names leads elsewhere; the message lists it.
    """
    for name, path in _named_places(folder, spec, problems):
        if _leads_out(path, folder):
            problems.add(name, _OUTSIDE)
    problems.raise_if_any()
    if spec.corpus is None or spec.corpus.startswith(BUNDLED_CORPUS):
        return
    for path in corpus_files(folder / spec.corpus):
        if _leads_out(path, folder):
            problems.add(path, _OUTSIDE)
    problems.raise_if_any()


def _named_places(folder: Path, spec: TaskSpec, problems: Problems) -> Iterator[tuple[str, Path]]:
    """What the folder's files and ``task.yaml`` name beside the pages of the corpus."""
    for split in SPLITS:
        yield from ((path.name, path) for path in _split_files(folder, split))
    if spec.database is not None:
        yield f"database {shown(spec.database)}", folder / spec.database
    if spec.corpus is not None and spec.corpus.startswith(BUNDLED_CORPUS):
        _check_bundled_corpus(spec.corpus, problems)
    elif spec.corpus is not None:
        yield f"corpus {shown(spec.corpus)}", folder / spec.corpus
    yield from ((f"hash of {shown(name)}", folder / name) for name in spec.hashes)


def _check_bundled_corpus(corpus: str, problems: Problems) -> None:
    known = [path.parent.name for path in BUNDLED_FOLDERS.glob(f"*/{CORPUS_FOLDER}")]
    if corpus.removeprefix(BUNDLED_CORPUS) not in known:
        listed = ", ".join(f"{BUNDLED_CORPUS}{name}" for name in sorted(known))
        problems.add("corpus", f"{shown(corpus)} is no bundled one; these are: {listed}")


def _files(folder: Path, spec: TaskSpec, problems: Problems) -> dict[str, Path]:
    """All files that a task is read from, by the name under which they count in its hash."""
    files = [folder / SPEC_FILE]
    for split in SPLITS:
        files += _split_files(folder, split)
    if spec.database is not None:
        if is_file(folder / spec.database):
            files.append(folder / spec.database)
        else:
            problems.add(SPEC_FILE, f"database {shown(spec.database)} is missing")
    named = {_in(path.parent, folder) + path.name: path for path in files}
    if spec.corpus is not None:
        corpus = corpus_folder(folder, spec.corpus)
        for path in corpus_files(corpus):
            named[_in(corpus, folder) + path.relative_to(corpus).as_posix()] = path
    return named


def _in(place: Path, folder: Path) -> str:
    return "" if place == folder else f"{place.name}/"


def _split_files(folder: Path, split: Split) -> list[Path]:
    return [path for suffix in SUFFIXES if is_file(path := folder / f"{split}{suffix}")]


def _splits(folder: Path, spec: TaskSpec, problems: Problems) -> tuple[Splits, Places]:
    items: dict[str, tuple[Item, ...]] = {}
    places: Places = {}
    for split in SPLITS:
        found, places[split] = _read_split(folder, spec, split, problems)
        items[split] = tuple(found)
    corpus: tuple[Passage, ...] = ()
    if spec.corpus is not None:
        corpus = read_corpus(corpus_folder(folder, spec.corpus), problems)
    data = Splits(
        train=items["train"], validation=items["validation"], test=items["test"], corpus=corpus
    )
    return data, places


def _read_split(
    folder: Path, spec: TaskSpec, split: Split, problems: Problems
) -> tuple[list[Item], list[Place]]:
    paths = _split_files(folder, split)
    if not paths:
        if split == "test":
            problems.add("test.jsonl", f"is missing; a task needs items to test on{_near(folder)}")
        return [], []
    path = paths[0]
    if len(paths) > 1:
        problems.add(path, f"stands beside {paths[1].name}; keep one of them")
    records = read_records(path, problems, spec.columns)
    if not records and not problems.about(path):
        problems.add(path, "holds no item that can be read")
    if len({record.system for record in records}) > 1:
        problems.add(path, "system messages differ; put what all share into 'instruction'")
    return parse_items(records, spec, split, path, problems)


def _near(folder: Path) -> str:
    """A hint where the test items stand in a file that a task folder does not take."""
    found = sorted(path.name for path in folder.glob("test.*"))
    allowed = ", ".join(SUFFIXES)
    return f", and {found[0]} has to be one of: {allowed}" if found else ""


def _item(
    record: Record, spec: TaskSpec, split: Split, path: Path, problems: Problems
) -> Item | None:
    fields = {name: value for name, value in record.fields.items() if name in FIELDS}
    used = {name: record.fields[name] for name in spec.slices if name in record.fields} | fields
    wrong = [*_missing(fields, spec), *_unusable({**used, "system message": record.system}, spec)]
    wrong += _not_text(fields, spec)
    for text in wrong:
        problems.add(path, text, record.line)
    if wrong:
        return None
    output = fields.pop("output", None)
    if output is not None:
        fields["outputs"] = [output]
    fields["input"] = _scalar_as_text(fields["input"])
    fields["outputs"] = [_as_text(value, spec) for value in _as_list(fields["outputs"])]
    if isinstance(fields.get("choices"), list):
        fields["choices"] = [_scalar_as_text(value) for value in fields["choices"]]
    identifier = fields.get("id")
    if identifier in (None, ""):
        fields["id"] = f"{split}-{record.line}"
    elif isinstance(identifier, int) and not isinstance(identifier, bool):
        fields["id"] = str(identifier)
    fields["slices"] = tuple(
        (name, text)
        for name in spec.slices
        if (text := str(record.fields.get(name, "")).strip()) and record.fields[name] is not None
    )
    try:
        return Item.model_validate({k: v for k, v in fields.items() if v is not None})
    except ValidationError as error:
        for _, said in plain_errors(error, Item):
            problems.add(path, said, record.line)
        return None


def _own_name(field: str, spec: TaskSpec) -> str:
    """A field as the file calls it."""
    return f'"{spec.columns.get(field, field)}"'


def _missing(fields: dict[str, Any], spec: TaskSpec) -> list[str]:
    wrong = []
    asked, answer = _own_name("input", spec), _own_name("output", spec)
    needed = f"every line needs {asked} and {answer}"
    if not _has_text(fields.get("input")):
        wrong.append(f"{asked} is missing or empty; {needed}")
    output, outputs = fields.get("output"), fields.get("outputs")
    # A list is one answer there: an empty one says that there is nothing to extract.
    is_list = spec.kind == "extraction" and isinstance(output, list)
    if output is not None and outputs is not None:
        wrong.append(f'has {answer} and "outputs"; give one of the two')
    elif not (is_list or _has_answer(output) or _has_answer(outputs)):
        wrong.append(f"{answer} is missing or empty; {needed}")
    return wrong


def _has_text(value: object) -> bool:
    return value is not None and (not isinstance(value, str) or bool(value.strip()))


def _has_answer(value: object) -> bool:
    if isinstance(value, list):
        return bool(value) and all(map(_has_text, value))
    return _has_text(value)


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _as_text(value: Any, spec: TaskSpec) -> Any:
    if spec.kind == "extraction" and isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    return _scalar_as_text(value)


def _not_text(fields: Mapping[str, Any], spec: TaskSpec) -> list[str]:
    """A message for an input or an answer that is a list or an object instead of a text."""
    answers = [("output", fields.get("output"))]
    answers += [("outputs", value) for value in _as_list(fields.get("outputs"))]
    texts = [("input", fields.get("input")), *((n, _as_text(v, spec)) for n, v in answers)]
    kinds: dict[type, str] = {list: "a list", dict: "an object"}
    found = dict.fromkeys((name, kinds[type(v)]) for name, v in texts if type(v) in kinds)
    return [f"{_own_name(name, spec)} holds {kind}; expected a text" for name, kind in found]


def _scalar_as_text(value: Any) -> Any:
    # A label such as 1 or true is no text in JSON and is one in CSV.
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else value


def _unusable(fields: Mapping[str, Any], spec: TaskSpec) -> list[str]:
    """What fields hold that no file can keep, a message each."""
    found = ((name, unusable(value)) for name, value in fields.items())
    told = ((_own_name(name, spec), part) for name, part in found if part)
    return [f"{name} {part}; correct it, or leave it out" for name, part in told]


def _check_ids(splits: Splits, places: Places, problems: Problems) -> None:
    first: dict[str, Place] = {}
    for split in SPLITS:
        for place, item in zip(places[split], getattr(splits, split), strict=True):
            file, line = first.setdefault(item.id, place)
            if (file, line) != place:
                text = f"id {shown(item.id)} is already used at {file} line {line}"
                problems.add(place[0], text, place[1])


def _check_patterns(spec: TaskSpec, splits: Splits, places: Places, problems: Problems) -> None:
    found: list[tuple[Check, str, int | None]] = [(check, SPEC_FILE, None) for check in spec.checks]
    for split in SPLITS:
        for place, item in zip(places[split], getattr(splits, split), strict=True):
            found += [(check, *place) for check in item.checks]
    first = {check.pattern: (file, line) for check, file, line in reversed(found) if check.pattern}
    end = time.monotonic() + PATTERNS_LIMIT_SECONDS
    for pattern, (file, line) in first.items():
        if time.monotonic() > end:
            text = f"the patterns up to here took more than {PATTERNS_LIMIT_SECONDS:g} seconds"
            problems.add(file, f"{text}; write them another way", line)
            return
        try:
            try_pattern(pattern)
        except DataError as error:
            problems.add(file, str(error), line)
            # Each takes seconds; thousands of them would take hours.
            return


def _check_leaks(splits: Splits, places: Places, problems: Problems) -> None:
    first: dict[str, tuple[Split, Place]] = {}
    for split in SPLITS:
        for place, item in zip(places[split], getattr(splits, split), strict=True):
            other, (file, line) = first.setdefault(normal_input(item.input), (split, place))
            if other != split:
                text = f"has the input of {file} line {line}; splits must not share items"
                problems.add(place[0], text, place[1])


def _passage_names(corpus: Sequence[Passage]) -> frozenset[str]:
    documents = {passage.id.partition("#")[0] for passage in corpus}
    return frozenset(documents | {passage.id for passage in corpus})


def _wrong_with_item(spec: TaskSpec, item: Item, passages: frozenset[str]) -> list[str]:
    wrong = []
    if spec.kind == "classification":
        unknown = [output for output in item.outputs if output not in spec.labels]
        wrong += [_unknown_label(output, spec.labels) for output in unknown]
    if spec.kind == "multiple-choice":
        wrong += _wrong_with_choices(item)
    if "checks" in (spec.metric, *spec.metrics) and not (spec.checks or item.checks):
        wrong.append("has no checks, and metric 'checks' needs some")
    if "field_f1" in (spec.metric, *spec.metrics) and None in map(parse_structure, item.outputs):
        wrong.append(
            "an answer is neither a JSON object nor a JSON list, and metric 'field_f1' compares "
            "nothing else"
        )
    missing = [name for name in item.passages if name not in passages]
    known = ", ".join(map(shown, sorted(passages)[:PASSAGES_SHOWN]))
    more = ", …" if len(passages) > PASSAGES_SHOWN else ""
    such = f", whose passages are called {known}{more}" if known else ""
    wrong += [f"gold passage {shown(name)} is not in the corpus{such}" for name in missing]
    return wrong


def _unknown_label(label: str, known: Sequence[str]) -> str:
    near = next((group for group in near_labels([label, *known]) if label in group), ())
    listed = ", ".join(spelt_out(other) for other in near if other != label)
    hint = f"; nearly the same is {listed}" if listed else ""
    return f"label {shown(label)} is not in 'labels' of task.yaml{hint}"


def _wrong_with_choices(item: Item) -> list[str]:
    choices = item.choices or ()
    if len(choices) < 2 or len(set(choices)) != len(choices):
        return ['"choices" needs at least two different answers']
    strange = [output for output in item.outputs if output not in choices]
    return [f"answer {shown(output)} is none of the choices" for output in strange]


def _compare_hashes(
    folder: Path, spec: TaskSpec, files: Mapping[str, Path], problems: Problems
) -> None:
    for name, wanted in spec.hashes.items():
        # Pages of a bundled corpus are not in the folder, but count in the task's hash by name.
        path = files.get(name, folder / name)
        if not is_file(path):
            problems.add(name, "is missing; 'hashes' in task.yaml lists it")
        elif (found := sha256_of_file(path)) != wanted.lower():
            problems.add(
                name,
                f"has SHA-256 {found}, but 'hashes' in task.yaml says {wanted}; "
                "if the change was meant, update or remove that line",
            )
