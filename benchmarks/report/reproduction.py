"""The report of a reproduction."""

from __future__ import annotations

from collections import Counter

from benchmarks.report import numbers
from benchmarks.report.document import Block, Bullets, Code, Heading, Paragraph, Strong, Table, Text
from benchmarks.report.markdown import markdown_text
from benchmarks.reproduction import Reproduction

# So much of a value tells two hashes apart.
_HASH = 40
_MEANING = (
    "exact: equal to the last bit.",
    "within noise: a metric moved of an arm that was trained, or that has another fingerprint and "
    "so is computed in another way, and the paired test of that seed does not separate the two "
    "runs after Holm's correction.",
    "not tested: another number of such an arm moved.",
    "differs: it moved and had to be exact, or the two runs are separated.",
    "missing: the repetition has no result.",
)


def reproduction_markdown(found: Reproduction) -> str:
    """The report as Markdown."""
    counts = Counter(number.verdict for number in found.numbers)
    listed = ", ".join(f"{verdict} {count}" for verdict, count in counts.items())
    in_short = _in_short(found)
    blocks: list[Block] = [
        Heading(1, f"Reproduction of {found.before}"),
        Paragraph([Strong(f"{in_short}:"), f" of {len(found.numbers)}, {listed}."]),
        Paragraph(
            f"{found.same_answers:,} of {found.answers:,} answers are the same, letter by letter."
        ),
        Heading(2, "What both rest on"),
        _changed(found),
        Heading(2, "Number by number"),
        Table(
            ["arm", "number", "before", "again", "verdict"],
            [
                [
                    Code(number.arm),
                    number.what,
                    _precise(number.before),
                    _precise(number.after),
                    number.verdict,
                ]
                for number in found.numbers
            ],
            figures=True,
        ),
        Bullets(_MEANING),
        Heading(2, "Method by method"),
        Table(
            ["method", "again minus before, points", "p (Holm)", "items that differ"],
            [
                [
                    Code(difference.a),
                    numbers.points_between(difference.difference, difference.interval),
                    numbers.p_value(difference.p_holm),
                    numbers.share(difference.discordance),
                ]
                for difference in found.differences
            ],
            figures=True,
        ),
    ]
    return markdown_text(blocks, "")


def _in_short(found: Reproduction) -> str:
    if not found.agrees:
        return "Not every number came out again"
    if any(number.verdict == "not tested" for number in found.numbers):
        return "Every number that was tested came out again, exactly or within noise"
    return "Every number came out again, exactly or within noise"


def _changed(found: Reproduction) -> Block:
    if not found.changed:
        return Paragraph("Plan, task, models, libraries, processor and code are the same.")
    rows: list[list[Text]] = [
        [each.of, Code(each.before[:_HASH]), Code(each.after[:_HASH])] for each in found.changed
    ]
    return Table(["not the same", "before", "again"], rows)


def _precise(value: float | None) -> str:
    return "–" if value is None else f"{value:.6g}"
