"""The question, its answers and the recommendation, laid out from the advisor's own JSON.

`benchmarks` does not know the advisor's types, so what it wrote is read by its keys, and a key
that is not there leaves its part out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.report.document import (
    Block,
    Bullets,
    Code,
    Fence,
    Heading,
    Inline,
    Paragraph,
    Strong,
    Table,
    Text,
)
from benchmarks.results import Comparison

_NAMES = ("method", "name", "node", "id", "step", "change", "question", "answer", "key")
"""Keys whose value names an entry, and so comes first in its line."""


def question_blocks(comparison: Comparison) -> list[Block]:
    """The task that was measured and the answers to the questionnaire."""
    task = comparison.run.task
    rows: list[list[Text]] = [
        ["task", [Code(task.id), f" ({task.kind})"]],
        ["test items", str(comparison.items)],
        ["primary metric", task.metric],
        ["model", Code(comparison.run.model)],
        ["source", task.source or "not stated"],
        ["licence", task.licence or "not stated"],
    ]
    return [
        Heading(2, "Question"),
        Paragraph(f"Which way of adapting {comparison.run.model} fits “{task.title}” best?"),
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
    parts: tuple[tuple[str, str, bool], ...] = (
        ("ranked", "Ranking:", True),
        ("ladder", "Start simple, climb only when the number says so:", True),
        ("what_ifs", "What would change the advice:", False),
        ("notes", "To know:", False),
    )
    blocks: list[Block] = [Heading(2, "Recommendation before the measurement")]
    said = advice.get("text") or advice.get("verdict")
    if said:
        blocks.append(Paragraph(Strong(_plain(said))))
    blocks += [
        Paragraph(f"Provisional: {_plain(why)}") for why in _entries(advice.get("provisional"))
    ]
    blocks += _path(advice)
    for key, title, ordered in parts:
        entries = _entries(advice.get(key))
        if entries:
            blocks += [Paragraph(title), Bullets([_line(e) for e in entries], ordered)]
    claims = advice.get("claims")
    if isinstance(claims, Mapping) and claims:
        lines: list[Text] = [[Strong(str(c)), f": {_plain(t)}"] for c, t in claims.items()]
        blocks += [Paragraph("The evidence cited:"), Bullets(lines, False)]
    return blocks


def _path(advice: Mapping[str, Any]) -> list[Block]:
    steps = _entries(advice.get("path"))
    drawn = advice.get("mermaid")
    blocks: list[Block] = []
    if isinstance(drawn, str) and drawn.strip():
        blocks.append(Fence(drawn.strip(), "mermaid"))
    elif steps:
        blocks.append(Fence(mermaid_chain([_short(step) for step in steps]), "mermaid"))
    if steps:
        blocks += [Paragraph("The path, node by node:"), Bullets([_line(s) for s in steps], True)]
    return blocks


def mermaid_chain(labels: Sequence[str]) -> str:
    """A Mermaid flowchart of one node after the other; a label cannot end its own quotes."""
    nodes = [f'  n{place}["{_mermaid_label(label)}"]' for place, label in enumerate(labels)]
    arrows = [f"  n{place} --> n{place + 1}" for place in range(len(labels) - 1)]
    return "\n".join(["flowchart TD", *nodes, *arrows])


def _mermaid_label(label: str) -> str:
    # Mermaid writes a character as #NUMBER; and reads everything else between quotes as text.
    return "".join(
        letter if letter.isalnum() or letter in " .,-+/=%()" else f"#{ord(letter)};"
        for letter in " ".join(label.split())
    )


def _entries(value: object) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else []


def _line(entry: object) -> Text:
    """An entry in one line: its name, then what else it says."""
    if not isinstance(entry, Mapping):
        return _plain(entry)
    name = next((key for key in _NAMES if entry.get(key)), None)
    said: list[Inline] = [Strong(_plain(entry[name]))] if name else []
    rest = [
        f"{str(key).replace('_', ' ')}: {_plain(value)}"
        for key, value in entry.items()
        if key != name and value not in (None, "", [], {}, ())
    ]
    if said and rest:
        said.append(" — ")
    return [*said, "; ".join(rest)]


def _short(entry: object) -> str:
    if not isinstance(entry, Mapping):
        return _plain(entry)
    shown = [entry[key] for key in (*_NAMES, "answer", "outcome") if entry.get(key)]
    return ": ".join(_plain(value) for value in shown[:2]) or _plain(entry)


def _plain(value: object) -> str:
    if value is None:
        return "not known"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping) and value.get("text"):
        cited = f" [{_plain(value['evidence'])}]" if value.get("evidence") else ""
        return f"{_plain(value['text'])}{cited}"
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_plain(inner)}" for key, inner in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(_plain(inner) for inner in value) or "none"
    return str(value)
