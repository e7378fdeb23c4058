"""``advisor init``: makes a task folder from the user's own labelled lines."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from advisor.cli.output import tell
from advisor.cli.writing import writing
from strategies.visible import one_line, shell_path, shown


def init(
    folder: Annotated[Path, typer.Argument(help="Folder to make; must not exist or be empty.")],
    source: Annotated[
        Path,
        typer.Option(
            "--from",
            help="Labelled lines: .csv, .tsv, .jsonl, .json or .parquet (objects or chats).",
        ),
    ],
    *,
    input_column: Annotated[
        str | None,
        typer.Option(help="Column or field (such as data.text) with the input; else guessed."),
    ] = None,
    output_column: Annotated[
        str | None,
        typer.Option(help="Column or field (such as labels.0) with the answer; else guessed."),
    ] = None,
    group_column: Annotated[
        str | None,
        typer.Option(help="Column of what several lines share; they stay in one split."),
    ] = None,
    slice_columns: Annotated[
        str | None,
        typer.Option(help="Columns, separated by commas, that reports tell items apart by."),
    ] = None,
    kind: Annotated[
        str | None,
        typer.Option(
            help="classification, multiple-choice, qa, extraction, rewriting or generation; "
            "else guessed."
        ),
    ] = None,
    corpus: Annotated[
        Path | None, typer.Option(help="Folder of documents (.md, .txt, .html, .jsonl) to search.")
    ] = None,
    instruction: Annotated[str | None, typer.Option(help="What the model has to do.")] = None,
    merge_labels: Annotated[
        bool,
        typer.Option(
            "--merge-labels",
            help="Make one of labels that differ only in case, spaces, Unicode form or number "
            "format.",
        ),
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print the folder only.")] = False,
) -> None:
    """Make a task folder from a file of labelled lines.

    The lines are split into train, validation and test (60, 10 and 30 %), always the same way.
    Lines about one customer, document or incident belong together: name their --group-column.
    A line of .jsonl may bring its own group, outputs, choices and passages. What was left out or
    taken otherwise is told as a note.

    For example:

      advisor init my-task --from tickets.csv

      advisor init my-task --from tickets.csv --input-column body --output-column queue

      advisor init my-task --from tickets.csv --group-column customer --slice-columns channel

      advisor init faq --from chats.jsonl --corpus handbook/ --kind qa
    """
    from benchmarks.tasks.catalogue import folder_argument
    from benchmarks.tasks.scaffold import KINDS, Source, scaffold

    chosen = next((known for known in KINDS if known == kind), None)
    if kind is not None and chosen is None:
        raise typer.BadParameter(f"{kind!r} is none of: {', '.join(KINDS)}", param_hint="--kind")
    named = {"input": input_column, "output": output_column, "group": group_column}
    columns = {ours: name for ours, name in named.items() if name}
    slices = tuple(name.strip() for name in (slice_columns or "").split(",") if name.strip())
    with writing(folder):
        made = scaffold(
            folder,
            Source(source, columns, slices, chosen, corpus, instruction, merge_labels),
        )
    if quiet:
        tell(shown(folder))
        return
    task = made.task
    for note in made.notes:
        tell(f"Note: {one_line(note)}")
    if made.near:
        tell("To make one label of each group, make the task again with --merge-labels.")
    how = "guessed from the answers; change it with --kind" if made.guessed else "as you said"
    tell(f"{shown(folder)}: {task.kind} ({how}), metric {task.metric}")
    sizes = f"{len(task.train)} train, {len(task.validation)} validation, {len(task.test)} test"
    documents = f", {len(task.corpus)} passages" if task.corpus else ""
    tell(f"Items: {sizes}{documents}")
    command = f"advisor bench {shell_path(folder_argument(folder))}"
    tell(f"Look at {shown(folder / 'task.yaml')}, then run: {command}")
