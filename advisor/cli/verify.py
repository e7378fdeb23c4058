"""``advisor verify``: what the flowchart says today against what finished runs measured."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from advisor.cli.output import tell, tell_json
from advisor.cli.published import verify_published
from advisor.cli.tables import show
from advisor.cli.writing import writing
from strategies.visible import shell_path

if TYPE_CHECKING:
    from advisor.flowchart import Flowchart
    from advisor.questionnaire import Answers
    from advisor.recommend import Recommendation
    from benchmarks.store import Run
    from benchmarks.verification import Advised, Argument, Verification


def verify(
    runs: Annotated[
        list[Path] | None, typer.Argument(help="Run folders of finished benches.")
    ] = None,
    *,
    published: Annotated[
        bool,
        typer.Option(
            "--published", help="Test it on comparisons that others published, without runs."
        ),
    ] = False,
    flowchart: Annotated[Path | None, typer.Option(help="Test this flowchart instead.")] = None,
    in_sample: Annotated[
        list[str] | None,
        typer.Option(
            metavar="RUN",
            help="A run that was in view while the flowchart was made or corrected, by its folder "
            "or id; can be repeated. Or: all, none.",
        ),
    ] = None,
    report: Annotated[
        Path | None, typer.Option(help="Write a report to this .md or .html file.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print the tables' lines only.")
    ] = False,
) -> None:
    """Test the advice: what the flowchart says today against what runs measured.

    The answers that came with a run go through the flowchart again; the advice that was kept
    with it counts for nothing. Regret is what following the advice cost, and stands beside that
    of simple policies such as always-RAG.

    For example:

      advisor verify reports/runs/*

      advisor verify runs/a runs/b --flowchart my-flowchart.yaml --report verification.md

      advisor verify --published
    """
    from advisor.errors import AdvisorError
    from benchmarks.tasks.extra import need_the_extra

    if published:
        _refuse_beside_published(runs, in_sample, report)
        verify_published(flowchart, as_json=as_json, quiet=quiet)
        return
    if not runs:
        raise AdvisorError("There is nothing to verify: give run folders, or --published.")
    need_the_extra("advisor verify", "scipy", "statsmodels", *(["matplotlib"] if report else []))
    if report is not None and report.suffix not in (".md", ".html"):
        raise AdvisorError(f"--report {report}: a report is written as .md or .html")
    found = _verified(runs, flowchart, in_sample)
    if report is not None:
        _write(found, report)
    if as_json:
        tell_json(found.model_dump_json(indent=2))
    else:
        _print(found, quiet=quiet)


def _refuse_beside_published(
    runs: list[Path] | None, in_sample: list[str] | None, report: Path | None
) -> None:
    from advisor.errors import AdvisorError

    given = {"run folders": runs, "--in-sample": in_sample, "--report": report}
    unused = [name for name, value in given.items() if value]
    if unused:
        raise AdvisorError(
            f"--published takes the cases that come with the package, and no {', '.join(unused)}: "
            "leave out one or the other."
        )


# ---------------------------------------------------------------- what is verified


def _verified(
    folders: list[Path], flowchart: Path | None, in_sample: list[str] | None
) -> Verification:
    from advisor.flowchart import load_flowchart
    from benchmarks.verification import verify as verify_runs
    from strategies.hashing import sha256_of_data

    chart = load_flowchart(flowchart)
    loaded = _loaded(folders)
    seen = _seen(in_sample, folders, [run.manifest.id for run, _ in loaded]) if in_sample else None
    cases = [(run, _advised(run, answers, chart)) for run, answers in loaded]
    name = "the built-in one" if flowchart is None else flowchart.name
    sha256 = sha256_of_data(chart.model_dump(mode="json", by_alias=True))
    return verify_runs(cases, name, sha256, seen)


def _seen(named: list[str], folders: list[Path], ids: list[str]) -> set[int]:
    """Places of the runs that are in sample.

    Raises:
        AdvisorError: a name is of no given run.
    """
    from advisor.errors import AdvisorError

    if named in (["all"], ["none"]):
        return set(range(len(folders))) if named == ["all"] else set()
    places = {
        name: [
            place
            for place, (folder, run_id) in enumerate(zip(folders, ids, strict=True))
            if name == run_id or Path(name).resolve() == folder.resolve()
        ]
        for name in named
    }
    unknown = [name for name, found in places.items() if not found]
    if unknown:
        raise AdvisorError(
            f"--in-sample {', '.join(unknown)}: none of the runs that are verified. Give the "
            f"folder or id of one of these, or alone: all, none. They are {', '.join(ids)}."
        )
    return {place for found in places.values() for place in found}


def _loaded(folders: list[Path]) -> list[tuple[Run, Answers]]:
    """The runs with the answers that came with them.

    Raises:
        RunError: lists every folder that cannot be used, and why.
    """
    from advisor.errors import AdvisorError
    from strategies.errors import RunError, UserError

    loaded, problems = [], []
    for place, folder in enumerate(folders):
        try:
            if folder.resolve() in [other.resolve() for other in folders[:place]]:
                raise RunError(f"{folder} is given twice. Give every run once.")
            loaded.append(_read(folder))
        except (UserError, AdvisorError) as error:
            problems.append(str(error))
    if problems:
        raise RunError("\n".join(problems))
    return loaded


def _read(folder: Path) -> tuple[Run, Answers]:
    from advisor.questionnaire import parse_answers
    from benchmarks.store import read_run
    from strategies.errors import RunError

    run = read_run(folder)
    pending = [result.arm.folder for result in run.arms if result.arm.status == "pending"]
    if pending:
        raise RunError(
            f"{folder} is not finished: {', '.join(pending)} did not run yet. "
            f"Go on with it: advisor bench --resume {shell_path(folder)}"
        )
    values = (run.recommendation or {}).get("answers") or run.manifest.task.answers
    if not values:
        raise RunError(
            f"{folder} holds no answers, neither with its advice nor with its task, so there is "
            "no advice to test. Bench a plan that was made by: advisor ask --plan FILE"
        )
    return run, parse_answers(values, f"{folder}, answers")


# ---------------------------------------------------------------- today's advice


def _advised(run: Run, answers: Answers, chart: Flowchart) -> Advised:
    from advisor.recommend import recommend
    from benchmarks.verification import Advised, Passed, in_words

    advice = recommend(answers, chart)
    fewer = _with_labels_of(run, answers)
    again = recommend(fewer, chart) if fewer else None
    return Advised(
        answers=advice.answers,
        verdict=advice.verdict,
        text=advice.text,
        recommended=advice.first,
        allowed=tuple(ranked.method for ranked in advice.ranked if not ranked.blockers),
        path=tuple(
            Passed(node=step.node, question=step.question, branch=step.branch)
            for step in advice.path
        ),
        arguments=tuple(_arguments(advice)),
        with_labels_of_run=in_words(again.verdict, again.first) if again else None,
    )


def _with_labels_of(run: Run, answers: Answers) -> Answers | None:
    """The answers with no more labelled examples than the run trained on; None if so already."""
    trained = run.manifest.task.train
    if answers.labelled_examples is None or answers.labelled_examples <= trained:
        return None
    return answers.model_copy(update={"labelled_examples": trained})


def _arguments(advice: Recommendation) -> list[Argument]:
    from benchmarks.verification import Argument

    return [
        Argument(
            method=ranked.method,
            node=reason.node,
            text=reason.text,
            strength=sign * reason.strength,
            evidence=reason.evidence,
        )
        for ranked in advice.ranked
        for sign, reasons in ((1, ranked.reasons_for), (-1, ranked.reasons_against))
        for reason in reasons
    ]


# ---------------------------------------------------------------- what comes out


def _write(found: Verification, report: Path) -> None:
    from benchmarks.report.verification import render_verification
    from benchmarks.store import write_atomic

    files = render_verification(found, "html" if report.suffix == ".html" else "md", report.stem)
    for name, content in files.items():
        path = report.parent / name
        with writing(path):
            write_atomic(path, content.decode())


def _print(found: Verification, *, quiet: bool) -> None:
    from benchmarks.report import verification as laid_out

    show(laid_out.RUN_HEADS, laid_out.run_rows(found), right=laid_out.RUN_HEADS[3:4])
    if not quiet:
        _print_details(found)
    tell()
    show(laid_out.POLICY_HEADS, laid_out.policy_rows(found), right=laid_out.POLICY_HEADS[1:])
    if not quiet:
        _print_rest(found)


def _print_details(found: Verification) -> None:
    from benchmarks.report.verification import change, details

    tell()
    for run in found.runs:
        for line in (*details(run), change(run)):
            if line:
                tell(f"{run.run.id}: {line}")


def _print_rest(found: Verification) -> None:
    from benchmarks.report.verification import HOW, arguments, in_short, missed

    for run in missed(found):
        tell(f"\nMiss in {run.run.id}: {run.advised.said} advised, {run.winner} measured.")
        for step in run.advised.path:
            tell(f"  {step.node}: {step.branch}")
        for method, node, strength, reason in arguments(run):
            tell(f"  {method}  {strength}  {node}  {reason}")
    tell()
    for sentence in (HOW, *in_short(found)):
        tell(sentence)
