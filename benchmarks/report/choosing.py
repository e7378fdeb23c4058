"""Tables for someone who has to choose: good enough, likely the best, worth its cost."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.report import numbers
from benchmarks.report.document import (
    Block,
    Bullets,
    Code,
    Heading,
    Inline,
    Paragraph,
    Strong,
    Table,
    Text,
)
from benchmarks.results import Comparison, GoodEnough, HourPrice, MethodResult, ParetoPoint

_HOUR_SECONDS = 3600


def choosing_blocks(comparison: Comparison) -> list[Block]:
    """The section on choosing a method; [] where nothing can be compared."""
    blocks = [
        *good_enough_blocks(comparison),
        *chance_blocks(comparison),
        *pareto_blocks(comparison),
    ]
    return [Heading(2, "Choosing a method"), *blocks] if blocks else []


def good_enough_blocks(comparison: Comparison) -> list[Block]:
    """Which methods are shown to be less than a margin behind the best, cheapest first."""
    margin = comparison.margin
    if margin is None:
        return []
    limit = f"{100 * margin.margin:g}"
    if not margin.methods:
        return [
            Heading(3, "Good enough?"),
            Paragraph(
                f"Whether a method is less than {limit} points behind the best cannot be tested: "
                "that takes two full results, and a score that is a function of the items' values."
            ),
        ]
    named = "before the run" if margin.planned else "after the run, for this report"
    head = ["method", "score", f"good enough within {limit} points", "p (Holm)"]
    rows: list[list[Text]] = [
        [
            _named(comparison.method(each.name)),
            numbers.score(comparison.method(each.name).score),
            _good_enough(each),
            numbers.p_value(each.p_holm),
        ]
        for each in margin.methods
    ]
    return [
        Heading(3, "Good enough?"),
        Paragraph(
            f"A method is good enough if it is less than {limit} points behind the best; the "
            f"margin was named {named}. The best is not known, only what led on these items, so "
            "each method is tested against every other one, floors too, and is good enough only "
            "if it is against all of them (intersection-union): this needs no correction for "
            "having picked the leader. The p-values are one-sided and corrected by Holm's method, "
            "so that at most 5 % of reports call a method good enough that is not. “At most … "
            "behind” is a 95 % bound for one method alone. “Not shown” does not mean that a method "
            "is worse. Cheapest first."
        ),
        Table(head, rows, figures=True),
    ]


def good_enough_in_short(comparison: Comparison) -> list[Text]:
    """A sentence on the cheapest method that is good enough; [] when no margin was named."""
    margin = comparison.margin
    if margin is None or not margin.methods:
        return []
    limit = f"{100 * margin.margin:g}"
    shown = [each for each in margin.methods if each.shown]
    if not shown:
        return [f"No method is shown to be less than {limit} points behind the best."]
    cheapest = shown[0]
    return [
        [
            "The cheapest method that is good enough within ", f"{limit} points is ",
            Strong(cheapest.name), " (floor)" * comparison.method(cheapest.name).floor,
            f": at most {numbers.said_points(cheapest.behind)} behind.",
        ]
    ]  # fmt: skip


def _good_enough(found: GoodEnough) -> str:
    bound = numbers.unsigned_points(found.behind)
    return f"yes (at most {bound} behind)" if found.shown else f"not shown (up to {bound} behind)"


def chance_blocks(comparison: Comparison) -> list[Block]:
    """How likely each method is the best and reaches the target."""
    known = [r for r in comparison.methods if r.probability_best is not None]
    if not known:
        return []
    seeds = " and seeds" if len(comparison.seeds) > 1 else ""
    reaching = (
        " The chance of reaching the target is of each method by itself, shrunk toward the target."
        if comparison.target is not None
        else ""
    )
    rows: list[list[Text]] = [[_named(r), numbers.unsigned_points(r.expected_loss)] for r in known]
    return [
        Heading(3, "Which is likely the best?"),
        Paragraph(
            "The chances above are of true scores, given these items: how the methods would rank "
            f"if every item of this kind were asked. They are about samples of items{seeds}, given "
            "the weights that were trained, and about no other task. Scores are shrunk toward one "
            "another by as much as sampling error explains of how far they lie apart, on the "
            "assumption that true scores scatter about a mean by some ten points. The expected "
            f"loss is by how much the best is better than the method, on average.{reaching}"
        ),
        Table(["method", "expected loss of choosing it, points"], rows, figures=True),
    ]


def chance(value: float | None) -> str:
    """A chance in whole per cent; never certain, as it was drawn from a sample."""
    if value is None:
        return numbers.UNDEFINED
    if value < 0.01:
        return "< 1 %"
    return "> 99 %" if value > 0.99 else f"{100 * value:.0f} %"


def pareto_blocks(comparison: Comparison) -> list[Block]:
    """Score against what is paid once and for a thousand answers, in dollars where known."""
    points = comparison.pareto
    if not points:
        return []
    price = comparison.hour_price
    worth = [point for point in points if point.efficient]
    other = [point for point in points if not point.efficient]
    return [
        Heading(3, "Score for money" if price else "Score for time"),
        Paragraph(
            "Worth a look is a method of which no other is at least as good in all three of score, "
            "cost of answers and cost of training and indexing, and better in one; all three as "
            "measured, without their uncertainty. Cheapest answers first."
        ),
        Bullets(
            [
                ["Worth a look: ", *_listed(worth), "."],
                *(
                    [["Another is at least as good in all three: ", *_listed(other), "."]]
                    if other
                    else []
                ),
                _price_said(price, comparison),
            ]
        ),
    ]


def _listed(points: Sequence[ParetoPoint]) -> list[Inline]:
    return [
        piece
        for place, point in enumerate(points)
        for piece in (", " if place else "", Code(point.name), " (floor)" * point.floor)
    ]


def paid(seconds: float | None, price: HourPrice | None) -> str:
    """What a time costs in dollars, or the time itself where no price is known."""
    if seconds is None:
        return numbers.UNDEFINED
    if price is None:
        return numbers.duration(seconds)
    dollars = seconds / _HOUR_SECONDS * price.usd
    return "< 0.001" if 0 < dollars < 0.001 else numbers.significant(dollars)


def _price_said(price: HourPrice | None, comparison: Comparison) -> Text:
    machine = comparison.run.environment.gpu or comparison.run.environment.cpu
    if price is None:
        said: Sequence[str | Code] = (
            "No price is known of the machine of this run, so times stand here. With a price per "
            "hour: ", Code("advisor report RUN --gpu NAME --prices FILE"), ".",
        )  # fmt: skip
        return said
    return (
        f"An hour of {price.name} costs {price.usd:g} USD ({price.source}, {price.date}). The "
        f"times are of {machine}; the dollars are right if that is what was named, and for time "
        "that is used, not for time that a rented machine idles."
    )


def _named(method: MethodResult | ParetoPoint) -> Text:
    return [Code(method.name), " (floor)"] if method.floor else Code(method.name)
