"""The report of a simulation: what was promised, what was counted, what does not hold."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from matplotlib.figure import Figure as Drawing

from benchmarks.report.document import (
    Block,
    Bullets,
    Fence,
    Figure,
    Heading,
    Paragraph,
    Strong,
    Table,
    Text,
)
from benchmarks.report.figures import svg
from benchmarks.report.markdown import markdown_text
from benchmarks.simulation.checks import WATCHED, Limits
from benchmarks.simulation.draws import GROUPED, SEEDED, Kind, World
from benchmarks.simulation.findings import (
    ESTIMATE_OFF,
    FEW,
    FEW_STATED,
    MOST_OFF,
    Calibrated,
    Counted,
    Estimated,
    Finding,
    Question,
    Regretted,
)
from benchmarks.simulation.sequential import (
    CLAIMS,
    FALSE_REJECTION,
    MISSED,
    MISSES,
    OVERSIGHTS,
    WIDTH,
    Sequential,
)
from benchmarks.store import write_atomic

_FIGURES = "figures"


def write_report(folder: Path, findings: Sequence[Finding], limits: Limits, seed: int) -> Path:
    """Write ``report.md`` and its figure; its path."""
    covered = _of(findings, "coverage")
    (folder / _FIGURES).mkdir(parents=True, exist_ok=True)
    (folder / _FIGURES / "coverage.svg").write_bytes(svg(lambda: _drawn(covered)))
    blocks: list[Block] = [
        Heading(1, "How often a report is right, by simulation"),
        Paragraph(_in_short(findings)),
        *_refuted(findings),
        *_method(limits, seed),
        *_claims(findings),
        *_coverages(findings),
        *_verified(findings),
        *_regretted(findings),
        *_choosing(findings),
        *_excused(findings),
        Heading(2, "Simulate it again"),
        Fence("make simulate", "bash"),
    ]
    report = folder / "report.md"
    write_atomic(report, markdown_text(blocks, _FIGURES))
    return report


def _of(findings: Sequence[Finding], question: Question) -> list[Counted]:
    return [f for f in findings if isinstance(f, Counted) and f.case.question == question]


def _refuted(findings: Sequence[Finding]) -> list[Block]:
    """What is refuted, and what is not settled; nothing where all is well."""
    blocks: list[Block] = []
    for said, mine in (
        ("Refuted:", [each for each in findings if not each.holds]),
        ("Not settled:", [f for f in findings if isinstance(f, Counted) and not f.settled]),
    ):
        if mine:
            listed = "; ".join(_named(each) for each in mine)
            blocks.append(Paragraph(f"{said} {listed}."))
    return blocks


def _named(finding: Finding) -> str:
    world = finding.case.world
    name = f"{finding.case.question} ({world.kind}, {world.items:,} items, "
    name += f"discordance {world.discordance:g}"
    if world.rate != World.model_fields["rate"].default:
        name += f", rate {world.rate:g}"
    if _apart(world):
        name += f", {100 * _apart(world):.3g} points apart"
    name += ")"
    return f"{name}: {finding.count.share:.1%}" if isinstance(finding, Counted) else name


def _method(limits: Limits, seed: int) -> list[Block]:
    return [
        Heading(2, "How a promise is put to the test"),
        Paragraph(
            "Comparisons are drawn whose truth is known, and given to the code that tests, "
            f"corrects and computes intervals for a report (seed {seed}). A promise about a rate "
            "is decided by Wald's sequential probability ratio test: comparisons are drawn until "
            f"it decides, {limits.of_a_promise:,} at most."
        ),
        Table(
            ["promise", "kept at", "refuted at"],
            [
                ["false claims, false alarms, bounds below the truth", *_limits(CLAIMS)],
                ["95 % intervals hold the truth", *_limits(MISSES, of_hits=True)],
                ["95 % intervals are not too wide", *_limits(WIDTH, of_hits=True)],
                ["differences with 80 % power are missed", *_limits(OVERSIGHTS)],
            ],
        ),
        Paragraph(
            f"What is kept with nothing to spare passes with {1 - FALSE_REJECTION:.1%} "
            f"probability, and what errs as often as the last column says is refuted with "
            f"{1 - MISSED:.0%}. In between nothing is certain: a false-claim rate of 6 % passes "
            "two times of three. The shares in the tables come from draws that ended at a "
            "decision, so those near a limit lean a little to its far side."
        ),
        Paragraph(
            f"Means and chances are held against the truth over {limits.of_means:,} comparisons; "
            "they are wrong where chance alone would give such a distance in fewer than 1 of 100 "
            "simulations."
        ),
    ]


def _limits(test: Sequential, *, of_hits: bool = False) -> list[Text]:
    """The rates at which a promise is kept and refuted, or those of what it does not count."""
    rates = (test.kept, test.refuted)
    return [f"{100 * (1 - rate if of_hits else rate):.0f} %" for rate in rates]


def _claims(findings: Sequence[Finding]) -> list[Block]:
    return [
        Heading(2, "False claims"),
        Paragraph(
            "All methods and floors are equally good. Counted are reports that call any two "
            "different, on all items or on any slice; 5 % may."
        ),
        _table("reports with a false claim", _of(findings, "false positives")),
        Paragraph(
            "The first of six methods is better, on the first of four slices alone. Counted are "
            "reports that call two methods different on a slice on which they are alike; 5 % may."
        ),
        _table("reports with a false claim of a slice", _of(findings, "false claims of slices")),
        Heading(2, "False alarms"),
        Paragraph(
            f"A method as good as ever answers fresh items, and is held against {WATCHED} "
            "items of a run. Counted are alarms; 5 % may be."
        ),
        _table("alarms", _of(findings, "false alarms")),
        Heading(2, "Power"),
        Paragraph(
            "Two methods differ by what a report says it finds with 80 % power. Counted are "
            "reports that do not separate them; 20 % may be. The difference is in right answers."
        ),
        _table("reports that miss it", _of(findings, "differences missed")),
    ]


def _coverages(findings: Sequence[Finding]) -> list[Block]:
    return [
        Heading(2, "Coverage"),
        Paragraph(
            "Counted are 95 % intervals of a difference that hold the true one. Where fewer than "
            f"{FEW} single items are expected to differ, in groups and over seeds an interval may "
            "be wider than it says, and those that are seen to be are called wide."
        ),
        Figure("coverage", "Share of intervals that hold the truth, by items expected to differ."),
        _table("intervals with the truth", _of(findings, "coverage")),
        Paragraph(
            "The same of 95 % intervals of one method's score. They may be wide in groups, over "
            f"seeds, and where fewer than {FEW} right or fewer than {FEW} wrong answers are "
            "expected."
        ),
        _table("intervals with the truth", _of(findings, "coverage of a score")),
    ]


def _verified(findings: Sequence[Finding]) -> list[Block]:
    return [
        Heading(2, "Outcomes of verify"),
        Paragraph(
            "One of five methods was advised. It is a hit where it scores highest, a miss where "
            "the highest score is separated from its own, and otherwise not separated. First the "
            "advised method is as good as the others, or 5 points better than each. Counted are "
            "misses; 5 % may be."
        ),
        _table("misses", _of(findings, "false misses")),
        Paragraph(
            "Then another is 20 points better. Counted are hits; 5 % may be. A small sample says "
            "“not separated” there, which claims nothing."
        ),
        _table("hits", _of(findings, "false hits")),
    ]


def _regretted(findings: Sequence[Finding]) -> list[Block]:
    return [
        Heading(2, "Regret among equals"),
        Paragraph(
            "Seven methods that are equally good: whichever was advised, its regret is 0. Means "
            "with standard errors, in points. The last column but one is the mean that would be "
            "called wrong with 90 % probability."
        ),
        _regrets([each for each in findings if isinstance(each, Regretted)]),
        Heading(2, "Upper bounds of regret"),
        Paragraph(
            "The advised method is truly worse than another one. Counted are reports whose “at "
            "most” is below its true regret; 5 % may be."
        ),
        _table("bounds below the truth", _of(findings, "regret bounds")),
    ]


def _excused(findings: Sequence[Finding]) -> list[Block]:
    wide = [f for f in findings if isinstance(f, Counted) and f.wide and f.may_be_wide]
    few = [f for f in wide if f.case.world.kind not in (*GROUPED, *SEEDED)]
    listed = [
        f"Intervals wider than they say, because few items differ or few answers are right or "
        f"wrong ({len(few)}): {_listed(few)}.",
        "Intervals wider than they say, in groups or over seeds, whose number is small and whose "
        f"noise is counted in the items too ({len(wide) - len(few)}): "
        f"{_listed([f for f in wide if f not in few])}.",
        "Coverage of counts goes up and down with their size (Brown, Cai and DasGupta 2001). By "
        "enumerating all outcomes, Tango's interval holds a difference of 2 points in 93.6 % at "
        "150 items and a discordance of .04, and Wilson's a rate of .05 in 93.9 % at 30 items. "
        "Both are between what is kept and what is refuted.",
        "Tests, bounds and margins may err less often than in 5 %: few items, Holm's correction "
        "and the worst case that a margin is held against make them careful. Only too many errors "
        "are refuted.",
        "Chances may be off by 5 points and estimates by .01 on average. A chance stated fewer "
        f"than {FEW_STATED} times shows nothing and is not judged.",
        "Permutation tests draw 1,999 arrangements here. A report draws until the decision is "
        "safe.",
        "Not drawn here: the verdict that no method reaches the target. A miss there rests on the "
        "interval of the best score, widened for the number of methods; the tests draw it.",
        "Not drawn here: scores that are macro-F1 or BLEU at base rates far from .5, with several "
        "seeds or in groups.",
    ]
    return [
        Heading(2, "What is excused"),
        Paragraph("Some departures are allowed, and some things are not drawn:"),
        Bullets(listed),
    ]


def _listed(findings: Sequence[Counted]) -> str:
    return "; ".join(_named(each) for each in findings) or "none"


def _choosing(findings: Sequence[Finding]) -> list[Block]:
    """What a report says to someone who has to choose."""
    calibrated = [f for f in findings if isinstance(f, Calibrated)]
    estimated = [f for f in findings if isinstance(f, Estimated)]
    return [
        Heading(2, "Good enough"),
        Paragraph(
            "All methods but the first are worse than it by exactly the margin (in right answers; "
            "the margin is in the score). Counted are reports that call any of them good enough; "
            "5 % may."
        ),
        _table("reports with a false claim", _of(findings, "false good enough")),
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
            f"{ESTIMATE_OFF:g}, chance aside; the last column but one is the error that would be "
            "called one with 90 % probability. The expected loss is that of choosing what leads."
        ),
        Table(
            ["estimate of", *_ABOUT, "mean", "truth", "found out", "holds"],
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
        "; ".join(bins) or "none stated",
        f"{100 * finding.off:.1f}" if finding.judged else "–",
        _yes(finding.holds) if finding.judged else "not judged",
    ]


def _estimated_row(finding: Estimated) -> list[Text]:
    estimate = finding.estimate
    return [
        finding.case.question,
        *_about(finding.case.world),
        f"{estimate.mean:.4f} ± {estimate.error:.4f}",
        f"{finding.truth:.4f}",
        f"{finding.found_out:.3f}",
        _yes(finding.holds),
    ]


def _in_short(findings: Sequence[Finding]) -> list[str | Strong]:
    broken = sum(not each.holds for each in findings)
    counted = [each for each in findings if isinstance(each, Counted)]
    open_ = sum(each.holds and not each.settled for each in counted)
    wide = sum(each.holds and each.wide is True for each in counted)
    silent = sum(isinstance(each, Calibrated) and not each.judged for each in findings)
    number = len(findings) - silent
    if broken:
        first = f"{broken} of {number} promises do not hold."
    elif open_:
        first = f"{number - open_} of {number} promises hold, and {open_} are not settled."
    else:
        first = f"All {number} promises hold."
    unsaid = f" In {silent} more cases no chance is stated, as there are too few groups."
    return [
        Strong(first),
        f"{unsaid * bool(silent)} In {wide} of the promises the intervals are wider than they say, "
        "where they may be. What was excused is listed at the end.",
    ]


def _about(world: World) -> list[Text]:
    return [
        world.kind,
        f"{world.items:,}",
        f"{world.rate:g}",
        f"{world.discordance:g}",
        f"{world.discordant_pairs:g}",
        str(world.slices),
    ]


_ABOUT = ["scores", "items", "rate", "discordance", "items expected to differ", "slices"]


def _table(what: str, findings: Sequence[Counted]) -> Table:
    rows = [
        [
            *_about(each.case.world),
            f"{each.case.world.methods - each.case.world.floors} + {each.case.world.floors}",
            f"{100 * _apart(each.case.world):.3g}",
            f"{each.count.share:.1%}",
            f"{each.count.draws:,}",
            _verdict(each),
        ]
        for each in findings
    ]
    head = [*_ABOUT, "methods + floors", "true difference, points", what, "of", "holds"]
    return Table(head, rows, figures=True)


def _apart(world: World) -> float:
    return world.difference or world.lift or world.behind


def _verdict(finding: Counted) -> Text:
    if finding.holds and not finding.settled:
        return Strong("not settled")
    return "yes, wide" if finding.holds and finding.wide else _yes(finding.holds)


def _regrets(findings: Sequence[Regretted]) -> Table:
    rows = [
        [
            *_about(each.case.world),
            *(
                f"{100 * m.mean:+.2f} ± {100 * m.error:.2f}"
                for m in (each.cross_fitted, each.naive)
            ),
            f"{100 * each.found_out:.2f}",
            _yes(each.holds),
        ]
        for each in findings
    ]
    return Table([*_ABOUT, "cross-fitted", "naive", "found out", "holds"], rows, figures=True)


def _yes(holds: bool) -> Text:
    return "yes" if holds else Strong("no")


def _drawn(findings: Sequence[Counted]) -> Drawing:
    figure = Drawing(figsize=(6.4, 3.2), layout="constrained")
    axes = figure.subplots()
    for kind, mark in zip(get_args(Kind), "os^v<DPX*", strict=True):
        mine = [each for each in findings if each.case.world.kind == kind]
        axes.plot(
            [each.case.world.discordant_pairs for each in mine],
            [each.count.share for each in mine],
            mark,
            label=kind,
            alpha=0.7,
        )
    axes.axhline(1 - MISSES.kept, color="#999999", linewidth=0.8)
    axes.axhspan(1 - MISSES.refuted, 1 - WIDTH.refuted, color="#999999", alpha=0.2)
    axes.set_xscale("log")
    axes.set_xlabel("items expected to differ")
    axes.set_ylabel("intervals that hold the truth")
    figure.legend(loc="outside right upper")
    return figure
