"""The flowchart as Mermaid text, with the path of a walk lit."""

from __future__ import annotations

import re
from collections.abc import Sequence

from advisor.drawing.labels import shortened
from advisor.drawing.order import taken
from advisor.flowchart import END, Flowchart, Step
from advisor.language import ENGLISH, Language

_LIT = "fill:#ffe9a8,stroke:#b8860b,stroke-width:2px"
# Mermaid refuses a text of more than 50,000 characters (its maxTextSize).
_MOST_CHARACTERS = 200
# Other signs of ASCII could be markup: a quote ends a label, a backtick begins Markdown, "#" an
# entity, "style:" loses a semicolon, and "1." or "-" at the beginning is taken for a list.
_MARKUP = re.compile(r"[^A-Za-z0-9 ,.?()/'%+\x80-\U0010ffff-]|^[+-]|(?<=[0-9])[.)]")


def draw(chart: Flowchart, steps: Sequence[Step] = (), say: Language = ENGLISH) -> str:
    """A Mermaid ``flowchart``; the nodes and branches of the steps are lit."""
    lines = ["flowchart TD"]
    lines += [f'  {_name(node.id)}["{_quoted(node.question)}"]' for node in chart.nodes]
    lines.append(f'  {_name(END)}(["{_quoted(say("advice"))}"])')
    ways = taken(steps)
    lit = []
    edges = [(node, place) for node in chart.nodes for place in range(len(node.branches))]
    for number, (node, place) in enumerate(edges):
        branch = node.branches[place]
        lines.append(f'  {_name(node.id)} -->|"{_quoted(branch.label)}"| {_name(branch.next)}')
        if ways.get(node.id) == place:
            lit.append(str(number))
    if steps:
        lines.append(f"  classDef lit {_LIT}")
        lines.append(f"  class {','.join(map(_name, ways))} lit")
        lines.append(f"  linkStyle {','.join(lit)} stroke:#b8860b,stroke-width:3px")
    return "\n".join(lines)


def _name(node: str) -> str:
    # Mermaid has words of its own, such as "end" and "class"; none has an underscore.
    return node.replace("-", "_") if "-" in node else f"{node}_"


def _quoted(text: str) -> str:
    """The text as Mermaid shows it, never empty: an empty label is a syntax error."""
    line = shortened(text, _MOST_CHARACTERS) or " "
    return _MARKUP.sub(lambda found: f"#{ord(found[0])};", line)
