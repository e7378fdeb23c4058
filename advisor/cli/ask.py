"""``advisor ask``: asks, walks the flowchart, recommends, and writes a plan for a bench."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from advisor.cli.writing import writing

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

    from advisor.questionnaire import Answers
    from advisor.recommend import RankedMethod, Recommendation


def ask(
    answers: Annotated[Path | None, typer.Option(help="YAML file with answers.")] = None,
    task: Annotated[
        str | None, typer.Option(help="Task that the plan runs; brings its own answers.")
    ] = None,
    *,
    no_input: Annotated[bool, typer.Option("--no-input", help="Ask nothing.")] = False,
    save: Annotated[
        Path | None, typer.Option(help="Write the answers to this file, each as it is given.")
    ] = None,
    plan: Annotated[
        Path | None, typer.Option(help="Write a plan for a bench (needs --task).")
    ] = None,
    report: Annotated[Path | None, typer.Option(help="Write a decision record.")] = None,
    flowchart: Annotated[Path | None, typer.Option(help="Use this flowchart instead.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print the method only.")] = False,
) -> None:
    """Recommend how to adapt a model: prompt, retrieve, tune, or combine.

    Without --no-input every question that is still open is asked: Enter takes the answer in
    brackets, ? means 'not known'. What --save wrote goes on with --answers.

    For example:

      advisor ask --save answers.yaml

      advisor ask --answers examples/answers-handbook.yaml --no-input

      advisor ask --task ticket-triage --no-input --plan plan.yaml
    """
    from advisor.errors import AdvisorError
    from advisor.flowchart import load_flowchart
    from advisor.recommend import recommend

    if plan is not None and task is None:
        raise AdvisorError("--plan needs to know what to run: add --task NAME. Run: advisor tasks")
    if plan is not None and plan.suffix not in (".yaml", ".yml"):
        raise AdvisorError(f"--plan {plan}: advisor bench reads a plan from .yaml or .yml alone")
    if save is not None and answers is None and not no_input and save.is_file():
        raise AdvisorError(f"{save} exists. Go on with it: --answers {save}, or save elsewhere.")
    chart = load_flowchart(flowchart)
    given = _given(answers, task)
    if not no_input:
        given = _interview(given, save)
    if save is not None:
        _save(given, save)
    advice = recommend(given, chart)
    if plan is not None and task is not None:
        _write_plan(advice, task, plan)
    if report is not None:
        from advisor.render import decision_record

        _write(report, decision_record(advice))
    _print(advice, as_json=as_json, quiet=quiet)


def _given(file: Path | None, task: str | None) -> Answers:
    """Answers of the task, overridden by those of the file."""
    from advisor.questionnaire import load_answers, parse_answers

    values: dict[str, Any] = {}
    if task is not None:
        values |= _answers_of(task)
    if file is not None:
        values |= load_answers(file).model_dump(exclude_none=True)
    return parse_answers(values, f"task {task}" if task else str(file))


def _answers_of(task: str) -> dict[str, Any]:
    """What a task's own description answers; its data is not read."""
    from benchmarks.tasks.catalogue import task_answers

    return task_answers(task)


# ---------------------------------------------------------------- the interview


def _interview(known: Answers, save: Path | None) -> Answers:
    """The known answers and those to the open questions, saved one by one."""
    from advisor.errors import InterruptionError
    from advisor.questionnaire import questions

    console = Console(highlight=False, markup=False)
    open_questions = {n: f for n, f in questions().items() if getattr(known, n) is None}
    if open_questions and not sys.stdin.isatty():
        from advisor.errors import AdvisorError

        raise AdvisorError("There is no terminal to ask on. Add --no-input, or --answers FILE.")
    for place, (name, field) in enumerate(open_questions.items(), start=1):
        console.print(f"\n[{place}/{len(open_questions)}] {field.description}")
        try:
            known = known.model_copy(update={name: _one(name, field, console)})
        except (KeyboardInterrupt, typer.Abort):
            if save is None or place == 1:
                raise
            raise InterruptionError(
                f"\nInterrupted. The answers so far are in {save}: go on with --answers {save}"
            ) from None
        if save is not None:
            _save(known, save)
    return known


def _one(name: str, field: FieldInfo, console: Console) -> Any:
    """One answer, asked for until it is usable; None is 'not known'."""
    from advisor.errors import AnswersError
    from advisor.questionnaire import allowed, detail, parse_answers

    choices = ["yes", "no"] if allowed(field) == (True, False) else [str(c) for c in allowed(field)]
    console.print(f"  {detail(field, 'why')}", style="dim")
    hint = "; ".join(part for part in (" / ".join(choices), detail(field, "unit")) if part)
    usual = detail(field, "suggested") or "?"
    while True:
        text = typer.prompt(f"  {hint} (?: not known)", default=usual).strip()
        try:
            value = None if text == "?" else _parsed(text, field)
            return getattr(parse_answers({name: value}, "answer"), name)
        except AnswersError as error:
            console.print(str(error).splitlines()[-1], style="red")


def _parsed(text: str, field: FieldInfo) -> Any:
    from advisor.errors import AnswersError
    from advisor.questionnaire import allowed

    if allowed(field) == (True, False):
        return {"yes": True, "y": True, "no": False, "n": False}.get(text.lower(), text)
    if allowed(field) or "," not in text:
        return text
    if not re.fullmatch(r"\d{1,3}(,\d{3})+(\.\d+)?", text):
        raise AnswersError(
            f"  {text!r} is no number here: commas only set thousands apart, as in 1,500; "
            "write a fraction with a point, as in 1.5"
        )
    return text.replace(",", "")


def _save(answers: Answers, path: Path) -> None:
    import yaml

    values = answers.model_dump(mode="json", exclude_none=True)
    _write(path, yaml.safe_dump(values, sort_keys=False, allow_unicode=True))


# ---------------------------------------------------------------- what comes out


def _write(path: Path, text: str) -> None:
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def _write_plan(advice: Recommendation, task: str, path: Path) -> None:
    """The plan, and the advice beside it, which the bench keeps with the run."""
    from advisor.errors import AdvisorError
    from benchmarks.plan import Plan
    from benchmarks.store import write_atomic, write_plan
    from strategies.method import registry

    if not any(not ranked.blockers for ranked in advice.ranked):
        raise AdvisorError(f"There is nothing to plan: {advice.text}")
    methods = tuple(registry().method(name) for name in advice.candidates)
    beside = path.with_suffix(".recommendation.json")
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_plan(path, Plan(task=task, methods=methods))
        write_atomic(beside, advice.model_dump_json(indent=2) + "\n")


def _print(advice: Recommendation, *, as_json: bool, quiet: bool) -> None:
    if as_json:
        typer.echo(json.dumps(advice.model_dump(mode="json"), indent=2, ensure_ascii=False))
        return
    if quiet:
        typer.echo(advice.first if advice.verdict == "adapt" else advice.verdict)
        return
    console = Console(highlight=False, markup=False)
    if not console.is_terminal:
        for record in _records(advice):
            typer.echo("\t".join(" ".join(cell.split()) for cell in record))
        return
    console.print(advice.text, style="bold")
    for why in advice.provisional:
        console.print(f"Provisional: {why}")
    console.print(_methods_table(advice))
    _print_list(console, "Ladder", [_rung(step) for step in advice.ladder])
    _print_list(console, "To know", list(advice.notes))
    changes = [f"{w.answer} {w.then} (now {w.now}): {w.first_then}" for w in advice.what_ifs]
    _print_list(console, "What would change the advice", changes)
    open_ones = [f"{u.question} ({', '.join(u.could_lead_to)})" for u in advice.unknown_that_matter]
    _print_list(console, "Worth finding out", open_ones)


def _records(advice: Recommendation) -> Iterator[tuple[str, ...]]:
    """The advice for other programs to read: what a line is, then what it says."""
    yield "advice", advice.text
    yield from (("provisional", why) for why in advice.provisional)
    yield from (("method", *_cells(ranked)) for ranked in advice.ranked)
    yield from (("step", _rung(step)) for step in advice.ladder)
    yield from (("note", note) for note in advice.notes)
    yield from (("what-if", w.answer, w.now, w.then, w.first_then) for w in advice.what_ifs)
    for unknown in advice.unknown_that_matter:
        yield "unknown", unknown.answer, unknown.question, ", ".join(unknown.could_lead_to)


def _methods_table(advice: Recommendation) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in ("method", "strength", "memory", "why"):
        table.add_column(column, overflow="fold", no_wrap=column == "method")
    for ranked in advice.ranked:
        table.add_row(*_cells(ranked))
    return table


def _cells(ranked: RankedMethod) -> tuple[str, str, str, str]:
    """Method, strength, memory, and why, a reason a line."""
    from advisor.flowchart import citing

    pros = [f"+ {citing(reason.text, reason.evidence)}" for reason in ranked.reasons_for]
    cons = [f"- {citing(reason.text, reason.evidence)}" for reason in ranked.reasons_against]
    blocked = [f"x {why}" for why in ranked.blockers]
    memory = f"{ranked.memory_gib:g} GiB" if ranked.memory_gib is not None else "–"
    strength = "blocked" if blocked else f"{ranked.strength:+d}"
    return ranked.method, strength, memory, "\n".join(blocked or [*pros, *cons])


def _rung(step: Any) -> str:
    if step.method is None:
        return str(step.do)
    return f"{step.do} Stop when {step.stop_when}; otherwise {step.otherwise}."


def _print_list(console: Console, title: str, lines: list[str]) -> None:
    if lines:
        console.print(f"\n{title}", style="bold")
        for number, line in enumerate(lines, start=1):
            console.print(f"{number:>2}. {line}")
