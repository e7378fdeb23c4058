"""A recommendation as people read it: its figures, and a Markdown decision record."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from advisor.estimates.memory import GIB, Range
from advisor.flowchart import citing
from advisor.language import ENGLISH, Language
from advisor.questionnaire import as_text, detail, questions
from advisor.recommend import LadderStep, RankedMethod, Recommendation
from advisor.sizing import MethodEstimate
from advisor.what_if import Confidence

if TYPE_CHECKING:
    from advisor.cases import Evidence

ESTIMATE_HEADS = (
    "method",
    "memory, GiB",
    "fits",
    "prompt tokens",
    "training",
    "USD per 1,000 queries",
    "USD a month",
)


def decision_record(
    advice: Recommendation, say: Language = ENGLISH, measured: Evidence | None = None
) -> str:
    """The recommendation as Markdown, the same bytes for the same recommendation.

    Args:
        advice: to be written down.
        say: the language of headings and of what is added to the chart's texts.
        measured: what finished runs say of it.
    """
    lines = [*_lines(advice, say)]
    if measured is not None:
        from advisor.cases import evidence_markdown

        lines += ["", *evidence_markdown(measured, say=say)]
    return "\n".join(lines) + "\n"


def _lines(advice: Recommendation, say: Language) -> Iterator[str]:
    yield from (f"# {say('Which adaptation method?')}", "", f"**{advice.text}**", "")
    if advice.decided_by:
        yield from (advice.decided_by, "")
    yield confidence_text(advice.confidence, say)
    yield from (f"\n> {say('Provisional: {why}', why=why)}" for why in advice.provisional)
    yield from _heading("What was answered", say)
    yield from (f"| {say('question')} | {say('answer')} |", "|---|---|")
    for name, value in advice.answers.items():
        question = say(questions()[name].description or name)
        yield f"| {question} | {_with_unit(name, value, say)} |"
    yield from _heading("Methods, best first", say)
    for place, ranked in enumerate(advice.ranked, start=1):
        yield from _method(place, ranked, say)
    yield from _heading("What each would take", say)
    yield from _estimates(advice, say)
    yield from _heading("The ladder", say)
    for place, step in enumerate(advice.ladder, start=1):
        yield f"{place}. {rung_text(step, say)}"
    for title, lines in lists(advice, say):
        yield from _heading(title, say)
        yield from (f"- {line}" for line in lines)
    yield from _heading("The way through the flowchart", say)
    yield from ("```mermaid", advice.mermaid, "```")
    yield from _heading("Evidence", say)
    yield from (say(_HOW_KNOWN), "")
    yield from (f"- **{claim}**: {text}" for claim, text in advice.claims.items())


_HOW_KNOWN = (
    "How a finding is known: seed, it stands in one of the four source documents; read, in the "
    "source itself; note, in an abstract or an excerpt, so check the number before leaning on it; "
    "measured and calculated, by us."
)


def _heading(title: str, say: Language) -> tuple[str, str, str]:
    return "", f"## {say(title)}", ""


def lists(advice: Recommendation, say: Language = ENGLISH) -> Iterator[tuple[str, list[str]]]:
    """What is said beside methods and ladder: titles with their lines, empty ones left out."""
    changes = [
        say(
            "{answer} {then} instead of {now}: {first}",
            answer=what.answer,
            then=what.then,
            now=what.now,
            first=say(what.first_then),
        )
        for what in advice.what_ifs
    ]
    unknown = [
        f"{u.question} ({', '.join(map(say, u.could_lead_to))})" for u in advice.unknown_that_matter
    ]
    found = {
        "To know": [*advice.notes, *_labels_text(advice, say)],
        "What would change the advice": changes,
        "Worth finding out": unknown,
        "Where costs break even": list(_break_even_texts(advice, say)),
    }
    yield from ((title, lines) for title, lines in found.items() if lines)


def confidence_text(firm: Confidence, say: Language = ENGLISH) -> str:
    """How often the advice stays the same, and what it becomes otherwise."""
    others = ", ".join(
        f"{say(name)} {share:.0%}" for name, share in firm.others.items() if share >= 0.005
    )
    if firm.complete and firm.completions == 1:
        return say("Confidence: nothing that is not known can change this advice.")
    text = (
        "Confidence: in {share} of all {number} completions of the unknown answers the advice is "
        "the same{others}."
        if firm.complete
        else "Confidence: in {share} of {number} drawn completions of the unknown answers the "
        "advice is the same{others}."
    )
    return say(
        text,
        share=f"{firm.share:.0%}",
        number=firm.completions,
        others=f" ({others})" if others else "",
    )


def rung_text(step: LadderStep, say: Language = ENGLISH) -> str:
    """A step of the ladder in a line."""
    if step.method is None:
        return step.do
    return say(
        "{do} Measure: {measure}. Stop when {stop_when}; otherwise {otherwise}.",
        **step.model_dump(exclude={"method"}),
    )


def _method(place: int, ranked: RankedMethod, say: Language) -> Iterator[str]:
    yield f"{place}. **{ranked.method}** ({strength_text(ranked, say)})"
    yield from (f"   - {say('cannot be used')}: {why}" for why in ranked.blockers)
    yield from (f"   - {say('for')}: {citing(r.text, r.evidence)}" for r in ranked.reasons_for)
    yield from (
        f"   - {say('against')}: {citing(r.text, r.evidence)}" for r in ranked.reasons_against
    )


def strength_text(ranked: RankedMethod, say: Language = ENGLISH) -> str:
    """The sum of its reasons, or that it is blocked."""
    if ranked.blockers:
        return say("blocked")
    return say("strength {strength}", strength=f"{ranked.strength:+d}")


def _with_unit(name: str, value: object, say: Language) -> str:
    if isinstance(value, bool):
        return say(as_text(value))
    if isinstance(value, str):
        return say.glossed(value)
    if isinstance(value, list):
        return ", ".join(map(say.glossed, value)) or say("none")
    unit = detail(questions()[name], "unit")
    # A share has no unit.
    bare = not unit or unit.startswith("share")
    return as_text(value) if bare else f"{as_text(value)} {say(unit)}"


# ---------------------------------------------------------------- figures


def estimate_rows(advice: Recommendation, say: Language = ENGLISH) -> list[tuple[str, ...]]:
    """What each usable method would take, a text a column of ``ESTIMATE_HEADS``."""
    return [
        _figures(ranked.method, ranked.estimate, say)
        for ranked in advice.ranked
        if not ranked.blockers
    ]


def _figures(method: str, estimate: MethodEstimate, say: Language) -> tuple[str, ...]:
    memory, training, cost = estimate.memory, estimate.training, estimate.cost
    shown = _range(memory.total.times(1 / GIB)) if memory else "–"
    return (
        method,
        f"{shown}, {say('4-bit weights')}" if estimate.bits == 4 else shown,
        say(estimate.fits) if estimate.fits else "–",
        f"{estimate.prompt_tokens:,}",
        _duration(training.total, say) if training else "–",
        _range(cost.per_1000_queries) if cost else "–",
        _range(cost.per_month) if cost else "–",
    )


def _range(values: Range) -> str:
    if values.low == values.high:
        return _short(values.likely)
    return f"{_short(values.likely)} ({_short(values.low)}–{_short(values.high)})"


def _short(value: float) -> str:
    """A number of three digits, thousands apart."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _duration(seconds: Range, say: Language) -> str:
    unit, length = next(
        (pair for pair in (("h", 3600), ("min", 60)) if seconds.likely >= pair[1]), ("s", 1)
    )
    return f"{_range(seconds.times(1 / length))} {say(unit)}"


def _estimates(advice: Recommendation, say: Language) -> Iterator[str]:
    yield "| " + " | ".join(say(head) for head in ESTIMATE_HEADS) + " |"
    yield "|---" * len(ESTIMATE_HEADS) + "|"
    yield from ("| " + " | ".join(row) + " |" for row in estimate_rows(advice, say))
    yield from ("", estimate_note(advice, say))
    first = next((r for r in advice.ranked if not r.blockers), None)
    if first is None or first.estimate.memory is None:
        return
    yield from ("", say("The parts of {method}:", method=first.method), "")
    yield f"| {say('part')} | {say('likely (low–high)')} |"
    yield "|---|---|"
    yield from (f"| {say(name)} | {amount} |" for name, amount in _parts(first.estimate, say))


def _parts(estimate: MethodEstimate, say: Language) -> Iterator[tuple[str, str]]:
    for part in estimate.memory.parts if estimate.memory else ():
        if part.at_peak:
            yield part.name, f"{_range(part.bytes.times(1 / GIB))} GiB"
    for timed in estimate.training.parts if estimate.training else ():
        yield timed.name, f"{_range(timed.seconds)} {say('s')}"
    for line in estimate.cost.lines if estimate.cost else ():
        monthly = line.monthly.high > 0
        amount = _range(line.monthly if monthly else line.a_query.times(1000))
        unit = say("USD a month" if monthly else "USD per 1,000 queries")
        yield line.name, f"{amount} {unit}"


def estimate_note(advice: Recommendation, say: Language = ENGLISH) -> str:
    """How the figures are to be read, and what was assumed for them."""
    read = say(
        "Likely (low–high), by arithmetic; memory of training, or of answering if nothing trains, "
        "in batches of one."
    )
    assumed = (one.split(": ") for one in advice.ranked[0].estimate.assumed)
    what = ", ".join(f"{say(name)}: {value}" for name, value in assumed)
    return f"{read} {say('Assumed: {what}.', what=what)}" if what else read


def _labels_text(advice: Recommendation, say: Language) -> Sequence[str]:
    labels = advice.labels
    if labels is None or not labels.missing:
        return ()
    if labels.cost_usd is None:
        return (say("Tuning lacks {missing} labelled examples.", missing=f"{labels.missing:,}"),)
    return (
        say(
            "Tuning lacks {missing} labelled examples, some {cost} USD.",
            missing=f"{labels.missing:,}",
            cost=_short(labels.cost_usd),
        ),
    )


def _break_even_texts(advice: Recommendation, say: Language) -> Iterator[str]:
    for even in advice.break_evens:
        if even.queries_a_month is not None:
            yield say(
                "{below} is cheaper than {above} below {number} queries a month.",
                below=even.below,
                above=even.above,
                number=_short(even.queries_a_month),
            )
