"""``advisor probe``: measures in a few minutes what would otherwise be an opinion."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

from advisor.cli.numbers import MANY, whole
from advisor.cli.output import tell, tell_json
from advisor.cli.tables import show
from advisor.cli.writing import writing

if TYPE_CHECKING:
    from advisor.recommend import Recommendation
    from benchmarks.probe import Probe, Step
    from strategies.progress import Progress as Watch


def probe(
    task: Annotated[str, typer.Argument(help="Bundled task, recipe, or task folder.")],
    model: Annotated[str, typer.Option(help="Model to probe.")] = "smollm2-135m-instruct",
    items: Annotated[int, whole(10, MANY, help="Validation items to answer.")] = 50,
    train: Annotated[int, whole(0, MANY, help="Labels of the largest training.")] = 100,
    epochs: Annotated[int, whole(1, 1000, help="Of each training.")] = 3,
    *,
    answers: Annotated[Path | None, typer.Option(help="YAML file with further answers.")] = None,
    save: Annotated[
        Path | None, typer.Option(help="Write the answers, measured ones in, to this file.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder of the measurements.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Measure a task for a few minutes: what is reached now, what fails, would more labels pay.

    Only validation items are looked at, so the test items stay fresh for a bench. The plain
    prompt, gold passages (can it read?), retrieval (can it find?), demonstrations, baselines
    without a language model, and LoRA on a quarter, half and all of the labels. What is finished
    is kept: the same call goes on after Ctrl-C.

    For example:

      advisor probe ticket-triage --save answers.yaml

      advisor probe my-task --items 100 --train 200

      advisor ask --answers answers.yaml
    """
    from advisor.flowchart import load_flowchart
    from advisor.questionnaire import load_answers, parse_answers
    from advisor.recommend import recommend
    from benchmarks.probe import ProbeSetting, measured_answers, refuse_lm_eval
    from benchmarks.probe import probe as measure
    from benchmarks.tasks.catalogue import task_answers
    from strategies.home import check_out

    refuse_lm_eval(task)
    known = dict(task_answers(task))
    if answers is not None:
        known |= load_answers(answers).model_dump(exclude_none=True)
    before = parse_answers(known, f"task {task}")
    setting = ProbeSetting(task=task, model=model, items=items, train=train, epochs=epochs)
    folder = out or Path("runs") / f"probe-{Path(task).name}-{Path(model).name}"
    check_out(folder)
    with writing(folder):
        folder.mkdir(exist_ok=True)
    found = _watched(
        lambda progress, say: measure(setting, folder, progress, say),
        folder / "probe.log",
        quiet=as_json,
    )
    measured = measured_answers(found, before.target_score)
    failures = {*(before.failures or ()), *measured.get("failures", ())}
    if failures:
        measured["failures"] = sorted(failures)
    after = parse_answers(known | measured | _model_answers(model), f"task {task}")
    if save is not None:
        from advisor.cli.ask import save_answers

        save_answers(after, save)
    chart = load_flowchart()
    first, then = recommend(before, chart), recommend(after, chart)
    if as_json:
        _print_json(found, first, then)
        return
    _print(found, first, then, before.target_score)


def _model_answers(model: str) -> dict[str, Any]:
    """The model that was probed, and not the one that the task's own answers are about."""
    from advisor.sizing import model_problem

    known = model_problem(model) is None
    return {
        "model": model if known else None,
        "model_parameters": None,
        "context_length": None,
        "model_access": "open",
    }


@contextmanager
def _libraries_write_to(log: Path) -> Iterator[TextIO]:
    """Send what libraries print to a file; what comes back still writes to the terminal."""
    kept = [os.dup(1), os.dup(2)]
    with log.open("a", encoding="utf-8") as file, os.fdopen(os.dup(2), "w") as terminal:
        sys.stdout.flush()
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
        try:
            yield terminal
        finally:
            sys.stdout.flush()
            for number, descriptor in enumerate(kept, start=1):
                os.dup2(descriptor, number)
                os.close(descriptor)


def _watched(
    measure: Callable[[Watch, Callable[[Step], None]], Probe], log: Path, *, quiet: bool
) -> Probe:
    """Runs it with a bar for each phase, or a line a measurement where nobody watches."""
    from rich.progress import BarColumn, MofNCompleteColumn, TimeElapsedColumn

    from advisor.cli.screen import bars, screen

    columns = BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
    with (
        _libraries_write_to(log) as terminal,
        bars(console := screen(file=terminal, quiet=quiet), *columns, transient=True) as shown_bars,
    ):
        shown: dict[str, Any] = {}

        def progress(phase: str, done: int, total: int) -> None:
            if phase not in shown:
                for other in shown.values():
                    shown_bars.remove_task(other)
                shown.clear()
                shown[phase] = shown_bars.add_task(phase, total=total)
            shown_bars.update(shown[phase], completed=done, total=total)

        def say(step: Step) -> None:
            console.print(" ".join(_cells(step)))

        return measure(progress, say)


_HEADS = ("measured", "labels", "score", "over the plain prompt", "format", "recall@k")


def _cells(step: Step) -> tuple[str, ...]:
    gain, valid, recall = step.gain, step.format_validity, step.recall_at_k
    return (
        step.method,
        str(step.labels) if step.labels is not None else "–",
        f"{step.score.likely:.3f} ({step.score.low:.3f} to {step.score.high:.3f})",
        f"{gain.likely:+.3f} ({gain.low:+.3f} to {gain.high:+.3f})" if gain else "–",
        f"{valid:.0%}" if valid is not None else "–",
        f"{recall:.0%}" if recall is not None else "–",
    )


def _changes(first: Recommendation, then: Recommendation) -> list[tuple[str, str, str]]:
    """What the measured answers change: answers, the first method, confidence."""
    known = first.answers
    rows = [
        (name, str(known.get(name, "not known")), str(value))
        for name, value in then.answers.items()
        if known.get(name) != value
    ]
    rows.append(("advice", _advised(first), _advised(then)))
    before, after = (f"{advice.confidence.share:.0%}" for advice in (first, then))
    return [*rows, ("confidence", before, after)]


def _advised(advice: Recommendation) -> str:
    first = ", ".join(advice.tied) or advice.first if advice.verdict == "adapt" else None
    return first or advice.verdict


def _print(found: Probe, first: Recommendation, then: Recommendation, target: float | None) -> None:
    from benchmarks.probe import findings

    show(_HEADS, [_cells(step) for step in found.steps])
    tell()
    for sentence in findings(found, target):
        tell(sentence)
    tell()
    show(("answer", "before", "measured"), _changes(first, then))


def _print_json(found: Probe, first: Recommendation, then: Recommendation) -> None:
    import json

    told = {
        "probe": found.model_dump(mode="json"),
        "before": first.model_dump(mode="json"),
        "after": then.model_dump(mode="json"),
    }
    tell_json(json.dumps(told, indent=2, ensure_ascii=False))
