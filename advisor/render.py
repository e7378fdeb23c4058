"""A recommendation as a Markdown decision record."""

from __future__ import annotations

from collections.abc import Iterator

from advisor.flowchart import citing
from advisor.questionnaire import as_text, detail, questions, takes_many
from advisor.recommend import RankedMethod, Recommendation

_HOW_KNOWN = (
    "How a finding is known: seed, it stands in one of the four source documents; read, in the "
    "source itself; note, in an abstract or an excerpt, so check the number before leaning on it; "
    "measured and calculated, by us."
)


def decision_record(advice: Recommendation) -> str:
    """The recommendation as Markdown, the same bytes for the same recommendation."""
    return "\n".join(_lines(advice)) + "\n"


def _lines(advice: Recommendation) -> Iterator[str]:
    yield from ("# Which adaptation method?", "", f"**{advice.text}**", "")
    yield from (f"> Provisional: {why}" for why in advice.provisional)
    yield from ("", "## What was answered", "", "| question | answer |", "|---|---|")
    for name, value in advice.answers.items():
        yield f"| {questions()[name].description} | {_with_unit(name, value)} |"
    yield from ("", "## Methods, best first", "")
    for place, ranked in enumerate(advice.ranked, start=1):
        yield from _method(place, ranked)
    yield from ("", "## The ladder", "")
    for place, step in enumerate(advice.ladder, start=1):
        yield f"{place}. {step.do}" + (
            f" Measure {step.measure}. Stop when {step.stop_when}; otherwise {step.otherwise}."
            if step.method
            else ""
        )
    if advice.notes:
        yield from ("", "## To know", "", *(f"- {note}" for note in advice.notes))
    if advice.what_ifs:
        yield from ("", "## What would change the advice", "")
        for what in advice.what_ifs:
            yield f"- {what.answer} {what.then} instead of {what.now}: {what.first_then}"
    if advice.unknown_that_matter:
        yield from ("", "## Worth finding out", "")
        for unknown in advice.unknown_that_matter:
            yield f"- {unknown.question} ({', '.join(unknown.could_lead_to)})"
    yield from ("", "## The way through the flowchart", "", "```mermaid", advice.mermaid, "```")
    yield from ("", "## Evidence", "", _HOW_KNOWN, "")
    yield from (f"- **{claim}**: {text}" for claim, text in advice.claims.items())


def _method(place: int, ranked: RankedMethod) -> Iterator[str]:
    memory = f", at least {ranked.memory_gib:g} GiB" if ranked.memory_gib is not None else ""
    strength = "blocked" if ranked.blockers else f"strength {ranked.strength:+d}"
    yield f"{place}. **{ranked.method}** ({strength}{memory})"
    yield from (f"   - cannot be used: {why}" for why in ranked.blockers)
    yield from (f"   - for: {citing(r.text, r.evidence)}" for r in ranked.reasons_for)
    yield from (f"   - against: {citing(r.text, r.evidence)}" for r in ranked.reasons_against)


def _with_unit(name: str, value: object) -> str:
    unit = detail(questions()[name], "unit")
    # A share has no unit, and what is chosen from a list needs none.
    bare = not unit or unit.startswith("share") or takes_many(questions()[name])
    return as_text(value) if bare else f"{as_text(value)} {unit}"
