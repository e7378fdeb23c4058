"""The report of a simulation: what was promised, what was counted, what does not hold."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from matplotlib.figure import Figure as Drawing

from benchmarks.report.document import Block, Fence, Figure, Heading, Paragraph, Strong, Table, Text
from benchmarks.report.figures import svg
from benchmarks.report.markdown import markdown_text
from benchmarks.simulation.checks import WATCHED
from benchmarks.simulation.draws import Kind, World
from benchmarks.simulation.findings import (
    ESTIMATE_OFF,
    FEW_PAIRS,
    LEAST,
    MOST,
    MOST_OFF,
    Calibrated,
    Counted,
    Estimated,
    Finding,
    Regretted,
)
from benchmarks.store import write_atomic

_FIGURES = "figures"


def write_report(folder: Path, findings: Sequence[Finding], draws: int, seed: int) -> Path:
    """Write ``report.md`` and its figure; its path."""
    counted = [each for each in findings if isinstance(each, Counted)]
    covered = [each for each in counted if each.case.question == "coverage"]
    claimed = [each for each in counted if each.case.question == "false positives"]
    of_slices = [each for each in counted if each.case.question == "false claims of slices"]
    scored = [each for each in counted if each.case.question == "coverage of a score"]
    alarmed = [each for each in counted if each.case.question == "false alarms"]
    regretted = [each for each in findings if isinstance(each, Regretted)]
    (folder / _FIGURES).mkdir(parents=True, exist_ok=True)
    (folder / _FIGURES / "coverage.svg").write_bytes(svg(lambda: _drawn(covered)))
    blocks: list[Block] = [
        Heading(1, "How often a report is right, by simulation"),
        Paragraph(
            f"Comparisons were drawn whose truth is known, {draws:,} of each kind, seed {seed}, "
            "and given to the code that tests, corrects and computes intervals for a report. "
            "“Holds” is no where chance alone would give such a count in fewer than 1 of 100 "
            "simulations."
        ),
        Paragraph(_in_short(findings)),
        Heading(2, "False claims"),
        Paragraph(
            "All methods and floors are equally good. Counted are reports that call any two "
            "different, on all items or on any slice; 5 % may."
        ),
        _table("reports with a false claim", claimed),
        Paragraph(
            "The first of six methods is better, on the first of four slices alone. Counted are "
            "reports that call two methods different on a slice on which they are alike; 5 % may."
        ),
        _table("reports with a false claim of a slice", of_slices),
        Heading(2, "False alarms"),
        Paragraph(
            f"A method as good as ever answers fresh items, and is held against {WATCHED} "
            "items of a run. Counted are alarms; 5 % may be."
        ),
        _table("alarms", alarmed),
        Heading(2, "Coverage"),
        Paragraph(
            f"Counted are 95 % intervals of a difference that hold the true one: {LEAST:.0%} and "
            f"more should, and no more than {MOST:.0%} where {FEW_PAIRS} or more single items are "
            "expected to differ. With fewer, in groups and over seeds an interval may be wider "
            "than it says, and those that are seen to be are called wide."
        ),
        Figure("coverage", "Share of intervals that hold the truth, by items expected to differ."),
        _table("intervals with the truth", covered),
        Paragraph(
            "The same of 95 % intervals of one method's score. In groups and over seeds they may "
            "be wide."
        ),
        _table("intervals with the truth", scored),
        Heading(2, "Regret among equals"),
        Paragraph(
            "Seven methods that are equally good: whichever was advised, its regret is 0. Means "
            "with standard errors, in points."
        ),
        _regrets(regretted),
        *_choosing(findings),
        Heading(2, "Simulate it again"),
        Fence("make simulate", "bash"),
    ]
    report = folder / "report.md"
    write_atomic(report, markdown_text(blocks, _FIGURES))
    return report


def _choosing(findings: Sequence[Finding]) -> list[Block]:
    """What a report says to someone who has to choose."""
    worse = [
        f for f in findings if isinstance(f, Counted) and f.case.question == "false good enough"
    ]
    calibrated = [f for f in findings if isinstance(f, Calibrated)]
    estimated = [f for f in findings if isinstance(f, Estimated)]
    return [
        Heading(2, "Good enough"),
        Paragraph(
            "All methods but the first are worse than it by exactly the margin (in right answers; "
            "the margin is in the score). Counted are reports that call any of them good enough; "
            "5 % may."
        ),
        _table("reports with a false claim", worse),
        Heading(2, "Chances"),
        Paragraph(
            "How good the methods truly are is drawn anew for every comparison. Of all methods "
            "whose stated chance was alike, so many truly were the best, or truly reached the "
            f"target. A stated chance may be off by {100 * MOST_OFF:.0f} points, chance aside. "
            "“Off” is the mean distance."
        ),
        Table(
            ["chance", *_ABOUT, "stated → came true (of)", "off, points", "holds"],
            [_calibrated_row(each) for each in calibrated],
        ),
        Heading(2, "Estimates of what is known"),
        Paragraph(
            "Means with standard errors. They may be off by "
            f"{ESTIMATE_OFF:g}, chance aside. The expected loss is that of choosing what leads."
        ),
        Table(
            ["estimate of", *_ABOUT, "mean", "truth", "holds"],
            [_estimated_row(each) for each in estimated],
        ),
    ]


def _calibrated_row(finding: Calibrated) -> list[Text]:
    bins = [
        f"{100 * each.mean:.0f} % → {100 * each.true.share:.0f} % ({each.true.draws:,})"
        for each in finding.bins
    ]
    return [
        finding.case.question,
        *_about(finding.case.world),
        "; ".join(bins),
        f"{100 * finding.off:.1f}",
        _yes(finding.holds),
    ]


def _estimated_row(finding: Estimated) -> list[Text]:
    estimate = finding.estimate
    return [
        finding.case.question,
        *_about(finding.case.world),
        f"{estimate.mean:.4f} ± {estimate.error:.4f}",
        f"{finding.truth:.4f}",
        _yes(finding.holds),
    ]


def _in_short(findings: Sequence[Finding]) -> list[str | Strong]:
    broken = sum(not each.holds for each in findings)
    wide = sum(isinstance(each, Counted) and each.holds and each.wide for each in findings)
    return [
        Strong("All hold." if not broken else f"{broken} do not hold."),
        f" {len(findings)} promises were put to the test. In {wide} of them the intervals are "
        "wider than they say, where they may be.",
    ]


def _about(world: World) -> list[Text]:
    return [
        world.kind,
        f"{world.items:,}",
        f"{world.discordance:g}",
        f"{world.discordant_pairs:g}",
        str(world.slices),
    ]


_ABOUT = ["scores", "items", "discordance", "items expected to differ", "slices"]


def _table(what: str, findings: Sequence[Counted]) -> Table:
    rows = [
        [
            *_about(each.case.world),
            f"{each.case.world.methods - each.case.world.floors} + {each.case.world.floors}",
            f"{100 * _apart(each.case.world):.3g}",
            _share(each),
            "yes, wide" if each.holds and each.wide else _yes(each.holds),
        ]
        for each in findings
    ]
    head = [*_ABOUT, "methods + floors", "true difference, points", what, "holds"]
    return Table(head, rows, figures=True)


def _apart(world: World) -> float:
    return world.difference or world.lift or world.behind


def _share(finding: Counted) -> str:
    low, high = finding.count.interval
    return f"{finding.count.share:.1%} ({low:.1%} to {high:.1%})"


def _regrets(findings: Sequence[Regretted]) -> Table:
    rows = [
        [
            *_about(each.case.world),
            *(
                f"{100 * m.mean:+.2f} ± {100 * m.error:.2f}"
                for m in (each.cross_fitted, each.naive)
            ),
            _yes(each.holds),
        ]
        for each in findings
    ]
    return Table([*_ABOUT, "cross-fitted", "naive", "holds"], rows, figures=True)


def _yes(holds: bool) -> Text:
    return "yes" if holds else Strong("no")


def _drawn(findings: Sequence[Counted]) -> Drawing:
    figure = Drawing(figsize=(6.4, 3.2), layout="constrained")
    axes = figure.subplots()
    for kind, mark in zip(get_args(Kind), "os^vDPX", strict=True):
        mine = [each for each in findings if each.case.world.kind == kind]
        axes.plot(
            [each.case.world.discordant_pairs for each in mine],
            [each.count.share for each in mine],
            mark,
            label=kind,
            alpha=0.7,
        )
    axes.axhline(0.95, color="#999999", linewidth=0.8)
    axes.axhspan(LEAST, MOST, color="#999999", alpha=0.2)
    axes.set_xscale("log")
    axes.set_xlabel("items expected to differ")
    axes.set_ylabel("intervals that hold the truth")
    figure.legend(loc="outside right upper")
    return figure
