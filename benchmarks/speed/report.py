"""The report of the pairs: a table, a figure, what agreed, the machine."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure as Drawing

from benchmarks.records import Environment
from benchmarks.report import numbers
from benchmarks.report.content import environment_table
from benchmarks.report.document import Block, Code, Fence, Figure, Heading, Paragraph, Table, Text
from benchmarks.report.figures import svg
from benchmarks.report.markdown import markdown_text
from benchmarks.speed.case import CLOSE
from benchmarks.speed.cases import CASES
from benchmarks.speed.growth import AXES, Grown, line_through
from benchmarks.speed.pairs import Measured
from benchmarks.speed.startup import GOALS, Starts
from benchmarks.store import read_record, write_atomic

_FIGURES = "figures"
_HOW = (
    "Peer and ours run one after the other, each in a process of its own, in changing order, on "
    "the same model, data, precision and threads. A ratio is the peer's seconds over ours; the "
    "median of the pairs stands with their range. Where the peer scores or generates, its batch "
    "size is the one at which it is fastest on these items, found by doubling. “Code” is the "
    "beginning of the SHA-256 of this project's code when a row was measured."
)


def write_report(folder: Path) -> Path:
    """Write ``report.md`` and its figure from the pairs in a folder; its path."""
    measured, grown = _measured(folder), _grown(folder)
    timed = [each for each in measured if CASES[each.case].goal is not None]
    (folder / _FIGURES).mkdir(exist_ok=True)
    (folder / _FIGURES / "ratios.svg").write_bytes(svg(lambda: _ratios(timed)))
    if grown:
        (folder / _FIGURES / "growth.svg").write_bytes(svg(lambda: _curves(grown)))
    environment = read_record(folder / "environment.json", Environment)
    report = folder / "report.md"
    starts = read_record(folder / "startup.json", Starts)
    write_atomic(report, markdown_text(_blocks(measured, grown, starts, environment), _FIGURES))
    return report


def _measured(folder: Path) -> list[Measured]:
    """What was measured, in the order of the cases, the machine's precision before fp32."""
    files = [folder / f"{name}-{kind}.json" for name in CASES for kind in ("bf16", "fp32")]
    return [read_record(file, Measured) for file in files if file.exists()]


def _grown(folder: Path) -> list[Grown]:
    files = [folder / f"growth-{name}.json" for name in AXES]
    return [read_record(file, Grown) for file in files if file.exists()]


def _blocks(
    measured: Sequence[Measured],
    grown: Sequence[Grown],
    starts: Starts,
    environment: Environment,
) -> list[Block]:
    return [
        Heading(1, "Speed beside the scripts people use today"),
        Paragraph(_HOW),
        _speed_table([each for each in measured if CASES[each.case].goal is not None]),
        Figure("ratios", "The peer's time over ours, every pair; the line is the goal."),
        Heading(2, "The same answers"),
        Paragraph(
            "An answer is unlike when another choice is best, when another text was generated, or "
            "when a training loss differs by more than 0.02. Near: of those, the two best lie "
            f"closer than {CLOSE:g}. Numbered are the items of the first pair, from 0. Differences "
            "are the largest of a log-likelihood or a loss."
        ),
        _agreement_table(measured),
        *_growth(grown),
        Heading(2, "Start-up"),
        Table(
            ["command", "processor seconds, median of five after a first", "goal"],
            [
                [Code(each.command), f"{each.median:.2f}", GOALS.get(each.command, "")]
                for each in starts.commands
            ],
            figures=True,
        ),
        Heading(2, "Environment"),
        environment_table(environment),
        Heading(2, "Measure it again"),
        Fence("make speed", "bash"),
    ]


def _speed_table(measured: Sequence[Measured]) -> Table:
    head = ["what", "peer", "precision", "items", "pairs", "peer s", "ours s", "times faster"]
    head += ["goal", "our memory / peer's", "goal", "not timed", "code"]
    rows: list[list[Text]] = []
    for each in measured:
        case, pairs = CASES[each.case], each.pairs
        ratios = [pair.ratio for pair in pairs]
        size = each.setting.peer_batch_size
        rows.append(
            [
                case.title,
                case.peer_is + (f", batches of {size}" if size else ""),
                each.setting.precision,
                str(each.setting.items),
                str(len(pairs)),
                numbers.significant(statistics.median(pair.peer.seconds for pair in pairs)),
                numbers.significant(statistics.median(pair.ours.seconds for pair in pairs)),
                f"{statistics.median(ratios):.1f} ({min(ratios):.1f} to {max(ratios):.1f})",
                numbers.significant(case.goal),
                f"{statistics.median(pair.memory_ratio for pair in pairs):.2f}",
                numbers.significant(case.memory_goal),
                case.untimed,
                Code(each.setting.code_sha256[:8]),
            ]
        )
    return Table(head, rows, figures=True)


def _agreement_table(measured: Sequence[Measured]) -> Table:
    head = ["what", "precision", "items", "unlike", "of those near", "largest difference"]
    rows = [
        [
            CASES[each.case].title,
            each.setting.precision,
            str(found.items),
            _listed(found.unlike),
            _listed(found.near),
            numbers.significant(found.largest_difference),
        ]
        for each in measured
        for found in [each.pairs[0].agreement]
    ]
    return Table(head, rows, figures=True)


def _listed(items: Sequence[int]) -> str:
    return f"{len(items)}: {', '.join(map(str, items))}" if items else "0"


def _growth(grown: Sequence[Grown]) -> list[Block]:
    if not grown:
        return []
    rows: list[list[Text]] = []
    for each in grown:
        sizes = [size.size for size in each.sizes]
        seconds = line_through(sizes, [size.seconds for size in each.sizes])
        memory = line_through(sizes, [size.peak_memory_bytes / 2**20 for size in each.sizes])
        rows.append(
            [
                AXES[each.axis].title,
                f"{sizes[0]} to {sizes[-1]}",
                *(
                    f"{numbers.significant(line.constant)} + {line.slope:.3g} n"
                    f" (R² {line.r_squared:.3f})"
                    for line in (seconds, memory)
                ),
            ]
        )
    return [
        Heading(2, "How it grows"),
        Paragraph("Straight lines through four sizes, each in a process of its own."),
        Table(["what grows", "n", "seconds", "peak memory, MiB"], rows, figures=True),
        Figure("growth", "Seconds by size, and the straight lines."),
    ]


def _curves(grown: Sequence[Grown]) -> Drawing:
    figure = Drawing(figsize=(3.2 * len(grown), 2.8), layout="constrained")
    panels = figure.subplots(1, len(grown), squeeze=False)[0]
    for axes, each in zip(panels, grown, strict=True):
        sizes = [size.size for size in each.sizes]
        seconds = [size.seconds for size in each.sizes]
        line = line_through(sizes, seconds)
        axes.plot(sizes, seconds, "o", color="#0072B2")
        axes.plot(sizes, [line.constant + line.slope * n for n in sizes], color="#D55E00")
        axes.set_xlabel(each.axis)
        axes.set_ylim(bottom=0)
    panels[0].set_ylabel("seconds")
    return figure


def _ratios(measured: Sequence[Measured]) -> Drawing:
    figure = Drawing(figsize=(6.4, 0.6 + 0.42 * len(measured)), layout="constrained")
    axes = figure.subplots()
    for place, each in enumerate(measured):
        axes.plot(
            [pair.ratio for pair in each.pairs], [place] * len(each.pairs), "o", color="#0072B2"
        )
        goal = CASES[each.case].goal
        if goal is not None:
            axes.plot([goal, goal], [place - 0.3, place + 0.3], color="#D55E00")
    labels = [f"{each.case}, {each.setting.precision}" for each in measured]
    axes.set_yticks(range(len(measured)), labels)
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.axvline(1, color="#999999", linewidth=0.8)
    axes.set_xlabel("times faster than the peer")
    return figure
