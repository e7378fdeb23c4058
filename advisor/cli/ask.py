"""``advisor ask``: asks, walks the flowchart, recommends, and writes a plan for a bench."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from advisor.cli.lang import Lang
from advisor.cli.output import tell, tell_json
from advisor.cli.tables import on_terminal, show
from advisor.cli.trust import Trust, settle_trust
from advisor.cli.writing import writing
from strategies.visible import one_line, shell_path, shown, visible

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from advisor.cases import Evidence
    from advisor.flowchart import Flowchart
    from advisor.language import Language
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
    template: Annotated[
        Path | None, typer.Option(help="Write every question to this YAML file, to be filled in.")
    ] = None,
    evidence: Annotated[
        list[Path] | None,
        typer.Option(help="Finished runs, or folders of them, to hold the advice against."),
    ] = None,
    trust: Trust = False,
    lang: Annotated[
        Lang, typer.Option(envvar="ADVISOR_LANG", help="Language of questions and advice.")
    ] = Lang.en,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print the method only, of equals the cheapest.")
    ] = False,
) -> None:
    """Recommend how to adapt a model: prompt, retrieve, tune, or combine.

    Without --no-input the questions that can still change the advice are asked: Enter takes the
    answer in brackets, ? means 'not known', < goes back. What --save wrote goes on with --answers.

    For example:

      advisor ask --save answers.yaml

      advisor ask --template answers.yaml

      advisor ask --answers examples/answers-handbook.yaml --no-input

      advisor ask --answers examples/answers-triage.yaml --no-input --lang ja

      advisor ask --task ticket-triage --no-input --plan plan.yaml

      advisor ask --answers answers.yaml --no-input --evidence reports/runs
    """
    from advisor.flowchart import load_flowchart
    from advisor.language import language
    from advisor.recommend import recommend

    _refuse_plan(plan, task)
    _refuse_to_lose(save, answers)
    say = language(lang.value)
    if template is not None:
        _refuse_to_lose(template, answers)
        from advisor.questionnaire import template as every_question

        _write(template, every_question(say))
        return
    chart = load_flowchart(flowchart).in_language(say)
    if task is not None:
        settle_trust(task, trust=trust)
    given = _given(answers, task)
    if not no_input:
        given = _interview(given, chart, say, save)
    if save is not None:
        save_answers(given, save)
    measured = _measured(evidence, given, chart)
    advice = recommend(given, chart, say)
    if plan is not None and task is not None:
        _write_plan(advice, task, plan)
    if report is not None:
        from advisor.render import decision_record
        from benchmarks.portable import without_folders

        _write(report, visible(without_folders(decision_record(advice, say, measured))))
    if as_json:
        _print_json(advice, measured)
    elif quiet:
        tell(advice.first if advice.verdict == "adapt" else advice.verdict)
    else:
        _print(advice, say, measured)


def _refuse_plan(plan: Path | None, task: str | None) -> None:
    from advisor.errors import AdvisorError

    if plan is not None and task is None:
        raise AdvisorError("--plan needs to know what to run: add --task NAME. Run: advisor tasks")
    if plan is not None and plan.suffix not in (".yaml", ".yml"):
        raise AdvisorError(f"--plan {plan}: advisor bench reads a plan from .yaml or .yml alone")


def _refuse_to_lose(save: Path | None, answers: Path | None) -> None:
    """Nothing is written over answers but those that were read."""
    from advisor.errors import AdvisorError

    if save is not None and save.is_file() and save != answers:
        raise AdvisorError(
            f"{shown(save)} exists. Go on with it: --answers {shell_path(save)}, or save elsewhere."
        )


def _measured(paths: list[Path] | None, given: Answers, chart: Flowchart) -> Evidence | None:
    """What finished runs say of the advice; None where none are named."""
    if not paths:
        return None
    from advisor.cases import compare_with_cases, load_cases

    return compare_with_cases(given, chart, load_cases(paths))


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


def _interview(known: Answers, chart: Flowchart, say: Language, save: Path | None) -> Answers:
    from advisor.cli.interview import Interview, interviewed

    saving = (lambda answers: save_answers(answers, save)) if save is not None else None
    return interviewed(known, Interview(chart, say, saving), save, save_answers)


def save_answers(answers: Answers, path: Path) -> None:
    """Write what is known to a YAML file, which ``--answers`` reads."""
    import yaml

    values = answers.model_dump(mode="json", exclude_none=True)
    _write(path, yaml.safe_dump(values, sort_keys=False, allow_unicode=True))


# ---------------------------------------------------------------- what comes out


def _write(path: Path, text: str) -> None:
    with writing(path):
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
        write_plan(path, Plan(task=task, methods=methods))
        write_atomic(beside, advice.model_dump_json(indent=2) + "\n")


def _print_json(advice: Recommendation, measured: Evidence | None) -> None:
    told = advice.model_dump(mode="json")
    if measured is not None:
        told["measured"] = measured.model_dump(mode="json")
    tell_json(json.dumps(told, indent=2, ensure_ascii=False))


def _print(advice: Recommendation, say: Language, measured: Evidence | None) -> None:
    from advisor.render import (
        ESTIMATE_HEADS,
        confidence_text,
        estimate_note,
        estimate_rows,
        lists,
        rung_text,
    )

    if not on_terminal():
        for record in (*_records(advice, say), *_evidence_records(measured, say)):
            tell("\t".join(map(one_line, record)))
        return
    from advisor.cli.screen import screen

    console = screen()
    console.print(advice.text, style="bold")
    if advice.decided_by:
        console.print(advice.decided_by)
    console.print(confidence_text(advice.confidence, say))
    for why in advice.provisional:
        console.print(say("Provisional: {why}", why=why))
    console.print()
    console.print(_methods_table(advice, say, console.width))
    console.print(f"\n{say('What each would take')}", style="bold")
    show([say(head) for head in ESTIMATE_HEADS], estimate_rows(advice, say))
    console.print(estimate_note(advice, say), style="dim")
    _print_list(console, say("The ladder"), [rung_text(step, say) for step in advice.ladder])
    for title, lines in lists(advice, say):
        _print_list(console, say(title), lines)
    if measured is not None:
        from advisor.cases import evidence_lines

        console.print()
        for line in evidence_lines(measured, say=say):
            console.print(line)


def _records(advice: Recommendation, say: Language) -> Iterator[tuple[str, ...]]:
    """The advice for other programs to read: what a line is, then what it says."""
    from advisor.render import estimate_rows, lists, rung_text

    firm, listed = advice.confidence, dict(lists(advice, say))
    yield "advice", advice.text
    if advice.tied:
        yield "tied", ", ".join(advice.tied), advice.decided_by
    yield "confidence", f"{firm.share:.3f}", str(firm.completions)
    yield from (("provisional", why) for why in advice.provisional)
    yield from (("method", *_cells(ranked, say)) for ranked in advice.ranked)
    yield from (("estimate", *row) for row in estimate_rows(advice, say))
    yield from (("step", rung_text(step, say)) for step in advice.ladder)
    yield from (("note", note) for note in listed.get("To know", ()))
    yield from (("break-even", line) for line in listed.get("Where costs break even", ()))
    yield from (("what-if", w.answer, w.now, w.then, w.first_then) for w in advice.what_ifs)
    for unknown in advice.unknown_that_matter:
        yield "unknown", unknown.answer, unknown.question, ", ".join(unknown.could_lead_to)


def _evidence_records(measured: Evidence | None, say: Language) -> Iterator[tuple[str, ...]]:
    if measured is None:
        return
    from advisor.cases import evidence_sections

    for section in evidence_sections(measured, say=say):
        yield from (("measured", section.title, line.text) for line in section.lines)


def _methods_table(advice: Recommendation, say: Language, width: int) -> Table:
    from rich.cells import cell_len
    from rich.table import Table

    heads = [say(column) for column in ("method", "strength", "why")]
    rows = [_cells(ranked, say) for ranked in advice.ranked]
    taken = sum(max(cell_len(row[place]) for row in (heads, *rows)) + 2 for place in (0, 1))
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for place, head in enumerate(heads):
        table.add_column(head, overflow="fold", no_wrap=place < 2)
    for method, strength, why in rows:
        lines = (_folded(line, width - taken) for line in why.splitlines())
        table.add_row(method, strength, "\n".join(lines))
    return table


def _folded(text: str, width: int) -> str:
    """A text in lines of that width, the later ones indented.

    rich breaks lines at spaces alone, which Japanese does not have.
    """
    from rich.cells import cell_len

    from advisor.drawing.labels import wrapped

    return "\n  ".join(wrapped(text, max(width - 2, 20), cell_len))


def _cells(ranked: RankedMethod, say: Language) -> tuple[str, str, str]:
    """Method, strength, and why, a reason a line."""
    from advisor.flowchart import citing

    pros = [f"+ {citing(reason.text, reason.evidence)}" for reason in ranked.reasons_for]
    cons = [f"- {citing(reason.text, reason.evidence)}" for reason in ranked.reasons_against]
    blocked = [f"x {why}" for why in ranked.blockers]
    strength = say("blocked") if blocked else f"{ranked.strength:+d}"
    return ranked.method, strength, "\n".join(blocked or [*pros, *cons])


def _print_list(console: Console, title: str, lines: list[str]) -> None:
    if lines:
        console.print(f"\n{title}", style="bold")
        for number, line in enumerate(lines, start=1):
            console.print(_folded(f"{number}. {line}", console.width))
