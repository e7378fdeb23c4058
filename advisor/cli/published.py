"""``advisor verify --published``: the flowchart against comparisons that others published."""

from __future__ import annotations

from typing import TYPE_CHECKING

from advisor.cli.output import tell, tell_json
from advisor.cli.tables import show

if TYPE_CHECKING:
    from pathlib import Path

    from advisor.published import Judged, PublishedCheck, Rate

HEADS = ("case", "study", "recommended", "measured best", "outcome", "three questions")


def verify_published(flowchart: Path | None, *, as_json: bool, quiet: bool) -> None:
    """Print the published cases with what the flowchart says of them.

    Args:
        flowchart: a user's own; None is the built-in one.
        as_json: print JSON.
        quiet: print the table alone.
    """
    from advisor.flowchart import load_flowchart
    from advisor.published import check_published

    name = "the built-in one" if flowchart is None else flowchart.name
    found = check_published(load_flowchart(flowchart), name)
    if as_json:
        tell_json(found.model_dump_json(indent=2))
        return
    show(HEADS, [_row(one) for one in found.cases])
    if not quiet:
        tell()
        for sentence in sentences(found):
            tell(sentence)


def _row(one: Judged) -> tuple[str, ...]:
    said = f"{one.chosen} (tied: {', '.join(one.equals)})" if one.equals else one.chosen
    best = " or ".join(one.case.best)
    rule = f"{one.by_rule}: {_outcome(one.rule_hit)}"
    return one.case.id, one.case.study, said, best, _outcome(one.hit), rule


def _outcome(hit: bool) -> str:
    return "hit" if hit else "miss"


def sentences(found: PublishedCheck) -> list[str]:
    """The totals, and what they do not show."""
    tied = sum(one.hit and bool(one.equals) for one in found.cases)
    out_of_reach = [one.case.id for one in found.cases if not one.reachable]
    by_tie = (
        f" {tied} of these hits {'is' if tied == 1 else 'are'} the cheaper of equally strong "
        "methods."
        if tied
        else ""
    )
    return [
        f"Total: the flowchart ({found.flowchart}) hits {_rate(found.rate)}.{by_tie}",
        f"Three questions ({found.rule}) hit {_rate(found.rule_rate)}.",
        f"The flowchart alone hits {found.only_advisor}, the rule alone {found.only_rule}: "
        f"p = {found.p_value:.2f} by an exact sign test, which takes the cases as independent.",
        f"The flowchart holds no method of what was measured best in {len(out_of_reach)} cases: "
        f"{', '.join(out_of_reach) or 'none'}.",
        f"{found.in_sample} Before they were in view it hit {found.at_first} of "
        f"{len(found.cases)}.",
        "The intervals count each study as one trial. The cases are no random sample, and their "
        "conditions were read from abstracts and excerpts. Sources: --json.",
    ]


def _rate(rate: Rate) -> str:
    return (
        f"{rate.hits} of {rate.cases} (95 % interval {rate.low:.0%} to {rate.high:.0%}, "
        f"{rate.studies} studies)"
    )
