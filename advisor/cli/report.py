"""``advisor report``: lays a run out as a report that can be cited."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from advisor.cli.output import tell
from advisor.cli.writing import writing
from strategies.visible import shown

if TYPE_CHECKING:
    from benchmarks.comparison import Wishes
    from benchmarks.store import Run


class ReportFormat(StrEnum):
    """What a report can be written as."""

    md = "md"
    html = "html"
    json = "json"


def report(
    run: Annotated[Path, typer.Argument(help="Run folder, as `advisor bench` made it.")],
    form: Annotated[
        ReportFormat, typer.Option("--format", "-f", help="What to write.")
    ] = ReportFormat.md,
    out: Annotated[
        Path | None,
        typer.Option(help="File to write; without it, report.<format> in the run folder."),
    ] = None,
    data_dir: Annotated[
        Path | None, typer.Option(help="Where a recipe finds its public files.")
    ] = None,
    *,
    margin: Annotated[
        float | None,
        typer.Option(help="Good enough is at most so many points behind the best."),
    ] = None,
    gpu: Annotated[
        str | None,
        typer.Option(help="Machine of the run, by its name among the prices; shows dollars."),
    ] = None,
    prices: Annotated[
        Path | None, typer.Option(help="YAML with prices of your own; they go first.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing.")] = False,
) -> None:
    """Write the report of a run: the verdict, what to do next, then all evidence for it.

    The same run gives the same bytes. Markdown comes with its figures in a folder beside it;
    HTML is one file; JSON holds every figure.

    For example:

      advisor report runs/ticket-triage

      advisor report runs/ticket-triage --format html --out report.html

      advisor report runs/ticket-triage --margin 3 --gpu H100
    """
    from benchmarks.tasks.extra import need_the_extra

    need_the_extra("advisor report", "scipy", "statsmodels", "matplotlib")
    check_margin(margin)
    for path in write_report(run, form, out, data_dir, _wishes(margin, gpu, prices)):
        if not quiet:
            tell(shown(path))


def check_margin(points: float | None) -> None:
    """Refuse a margin that no score can be behind by.

    Raises:
        BadParameter: it is not above 0 and below 100.
    """
    if points is not None and not 0 < points < 100:
        raise typer.BadParameter(f"--margin {points:g}: give points above 0 and below 100")


def _wishes(margin: float | None, gpu: str | None, prices: Path | None) -> Wishes:
    from advisor.estimates.prices import load_prices
    from benchmarks.comparison import Wishes
    from benchmarks.results import HourPrice

    if gpu is None and prices is not None:
        raise typer.BadParameter("--prices: name the machine of the run too, with --gpu")
    if gpu is None:
        return Wishes(margin)
    price = load_prices(prices).price("gpu_hour", gpu)
    day = price.date.isoformat()
    return Wishes(margin, HourPrice(usd=price.usd, name=gpu, source=price.source, date=day))


def write_report(
    folder: Path,
    form: ReportFormat = ReportFormat.md,
    out: Path | None = None,
    data_dir: Path | None = None,
    wishes: Wishes | None = None,
) -> list[Path]:
    """Write the report of a run folder and its ``comparison.json``.

    Args:
        folder: a run folder, finished or not.
        form: what to write.
        out: file to write; None is ``report.<form>`` in the run folder.
        data_dir: where a recipe finds its public files.
        wishes: a margin, a price; None takes the margin of the plan and shows seconds.

    Returns:
        The files of the report, the report itself first.

    Raises:
        RunError: it is no run folder, or it is damaged.
        AdvisorError: a file cannot be written.
    """
    from benchmarks.comparison import NO_WISHES, compare
    from benchmarks.report import render
    from benchmarks.store import read_run, write_atomic, write_record

    run = read_run(folder)
    comparison = compare(run, inputs_of(run, data_dir), wishes or NO_WISHES)
    with writing(folder / "comparison.json"):
        write_record(folder / "comparison.json", comparison)
    target = out or folder / f"report.{form}"
    written: list[Path] = []
    for name, content in render(comparison, form.value, target.stem).items():
        path = target.parent / name if written else target
        with writing(path):
            write_atomic(path, content.decode())
        written.append(path)
    return written


def inputs_of(run: Run, data_dir: Path | None = None) -> dict[str, str] | None:
    """Test item id to its input; None when neither the task as it was nor the run folder has them.

    The run may be a stranger's: nothing that its plan names is imported. The inputs of a task of
    lm-eval's come from the run folder, which keeps them.
    """
    from advisor.cli.bench import use_data_dir
    from benchmarks.store import recorded_inputs
    from benchmarks.tasks.foreign_code import LM_EVAL
    from benchmarks.worker import read_cut
    from strategies.errors import UserError

    if run.plan.task.startswith(LM_EVAL):
        return recorded_inputs(run.path)
    use_data_dir(data_dir)
    try:
        task = read_cut(run.plan)
    except UserError:
        # Where the folder has none either, the comparison says that the examples lack them.
        return recorded_inputs(run.path)
    if task.sha256 != run.manifest.task.sha256:
        return recorded_inputs(run.path)
    return {item.id: item.input for item in task.test}
