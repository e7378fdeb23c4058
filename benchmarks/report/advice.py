"""The question, its answers and the recommendation, laid out from the advisor's own JSON.

`benchmarks` does not know the advisor's types, so what it wrote is read by its keys; what a key
does not hold is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from benchmarks.report import numbers
from benchmarks.report.document import (
    Block,
    Bullets,
    Code,
    Fence,
    Heading,
    Paragraph,
    Strong,
    Table,
    Text,
)
from benchmarks.results import Comparison

Entry = Mapping[str, Any]

_RANKING = (
    "The ranking. Strength is the sum of reasons for minus reasons against, each 1 (weak) to 3 "
    "(decisive)."
)
_MEMORY = (
    "Memory is an estimate of the peak at usual precisions in batches of one: weights, gradients "
    "and optimiser, activations, logits and a KV cache as far as they are there at that moment, "
    "what the allocator holds beside them and, on a GPU, the CUDA context."
)
_LEAST_MEMORY = (
    "“At least” is of weights, gradients and optimiser alone, as older versions estimated: without "
    "activations, logits and libraries."
)
_MEASURED = "What a process really took stands under Costs."


def question_blocks(comparison: Comparison) -> list[Block]:
    """The task that was measured and the answers to the questionnaire."""
    task = comparison.run.task
    rows: list[list[Text]] = [
        ["run", [Code(comparison.run.id), f", begun {comparison.run.created}"]],
        ["task", [Code(task.id), f" ({task.kind})"]],
        ["test items", str(comparison.items)],
        ["primary metric", task.metric],
        ["model", Code(comparison.run.model)],
        ["source", task.source or "not stated"],
        ["licence", task.licence or "not stated"],
    ]
    return [
        Heading(2, "Question"),
        Table(["", ""], rows),
        *_answers(comparison),
    ]


def _answers(comparison: Comparison) -> list[Block]:
    advised = (comparison.recommendation or {}).get("answers")
    answers = advised if isinstance(advised, Mapping) else comparison.run.task.answers
    if not answers:
        return []
    whose = (
        "Answers to the questionnaire:"
        if isinstance(advised, Mapping)
        else "What the task says of itself, in the questionnaire's terms:"
    )
    rows: list[list[Text]] = [[Code(str(key)), _plain(value)] for key, value in answers.items()]
    return [Paragraph(whose), Table(["question", "answer"], rows)]


def advice_blocks(comparison: Comparison) -> list[Block]:
    """What the advisor recommended before anything ran, and the path that led there."""
    advice = comparison.recommendation
    if advice is None:
        return []
    parts: tuple[tuple[str, str, Callable[[Entry], Text], bool], ...] = (
        ("path", "The path, node by node:", _passed, True),
        ("ranked", _about_ranking(_entries(advice.get("ranked"))), _ranked, True),
        ("ladder", "Start simple, climb only when the number says so:", _rung, True),
        ("what_ifs", "What would change the advice:", _what_if, False),
        ("unknown_that_matter", "Not known, and worth finding out:", _unknown, False),
        ("notes", "To know:", _plain, False),
    )
    blocks: list[Block] = [Heading(2, "Recommendation before the measurement")]
    said = advice.get("text") or advice.get("verdict")
    if said:
        blocks.append(Paragraph(Strong(_plain(said))))
    blocks += [
        Paragraph(f"Provisional: {_plain(why)}") for why in _entries(advice.get("provisional"))
    ]
    drawn = str(advice.get("mermaid") or "").strip()
    blocks += [Fence(drawn, "mermaid")] if drawn else []
    for key, title, line, ordered in parts:
        entries = _entries(advice.get(key))
        if entries:
            blocks += [Paragraph(title), Bullets([_line(e, line) for e in entries], ordered)]
    claims = advice.get("claims")
    if isinstance(claims, Mapping) and claims:
        lines: list[Text] = [[Strong(str(c)), f": {_plain(t)}"] for c, t in claims.items()]
        blocks += [Paragraph("The evidence cited:"), Bullets(lines, False)]
    return blocks


def _about_ranking(ranked: Sequence[object]) -> str:
    """What the figures of a ranking are, of those that it holds."""
    methods = [entry for entry in ranked if isinstance(entry, Mapping)]
    likely = any(_likely_bytes(method) is not None for method in methods)
    least = any(method.get("memory_gib") is not None for method in methods)
    said = [_MEMORY] * likely + [_LEAST_MEMORY] * least
    return " ".join([_RANKING, *said, *([_MEASURED] if said else [])])


def _line(entry: object, line: Callable[[Entry], Text]) -> Text:
    return line(entry) if isinstance(entry, Mapping) else _plain(entry)


def _passed(step: Entry) -> Text:
    said = f"{_said(step, 'question')} — {_said(step, 'branch')}{_cited(step)}"
    return [Code(_said(step, "node")), f": {said}"]


def _ranked(method: Entry) -> Text:
    blockers = _entries(method.get("blockers"))
    parts = [
        *(f"cannot be used: {_plain(why)}" for why in blockers),
        *(f"for: {_plain(why)}" for why in _entries(method.get("reasons_for"))),
        *(f"against: {_plain(why)}" for why in _entries(method.get("reasons_against"))),
    ]
    about = [] if blockers else [f"strength {_said(method, 'strength')}"]
    if method.get("memory_gib") is not None:
        about.append(f"at least {_gibibytes(method['memory_gib'])}")
    likely = _likely_bytes(method)
    if likely is not None:
        about.append(f"some {numbers.size(likely)}")
    return [Strong(_said(method, "method")), f" ({', '.join(about)}). ", "; ".join(parts)]


def _gibibytes(value: object) -> str:
    if isinstance(value, int | float) and abs(value) < 2**40:
        return numbers.size(value * 2**30)
    return _plain(value)


def _likely_bytes(method: Entry) -> float | None:
    found: object = method
    for key in ("estimate", "memory", "total", "likely"):
        found = found.get(key) if isinstance(found, Mapping) else None
    return found if isinstance(found, int | float) else None


def _rung(step: Entry) -> Text:
    if not step.get("method"):
        return _said(step, "do")
    return (
        f"{_said(step, 'do')} Measure: {_said(step, 'measure')}. "
        f"Stop when {_said(step, 'stop_when')}; otherwise {_said(step, 'otherwise')}."
    )


def _what_if(change: Entry) -> Text:
    return [
        Code(_said(change, "answer")),
        f" {_said(change, 'then')} instead of {_said(change, 'now')}: ",
        f"{_said(change, 'first_then')} instead of {_said(change, 'first_now')}",
    ]


def _unknown(unknown: Entry) -> Text:
    return f"{_said(unknown, 'question')} It could lead to: {_said(unknown, 'could_lead_to')}."


def _said(entry: Entry, key: str) -> str:
    return _plain(entry.get(key))


def _cited(entry: Entry) -> str:
    return f" [{_plain(entry['evidence'])}]" if entry.get("evidence") else ""


def _entries(value: object) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else []


def _plain(value: object) -> str:
    if value is None:
        return "not known"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return f"{_plain(value.get('text'))}{_cited(value)}"
    if isinstance(value, list | tuple):
        return ", ".join(_plain(inner) for inner in value) or "none"
    return str(value)
