"""The flowchart as Mermaid text, with the path of a walk lit."""

from __future__ import annotations

from collections.abc import Sequence

from advisor.flowchart import Flowchart, Step

_LIT = "fill:#ffe9a8,stroke:#b8860b,stroke-width:2px"


def draw(chart: Flowchart, steps: Sequence[Step] = ()) -> str:
    """A Mermaid ``flowchart``; the nodes and branches of the steps are lit."""
    lines = ["flowchart TD"]
    lines += [f'  {_name(node.id)}["{_quoted(node.question)}"]' for node in chart.nodes]
    lines.append('  end_(["advice"])')
    taken = {(step.node.id, step.branch.label) for step in steps}
    lit = []
    edges = [(node.id, branch) for node in chart.nodes for branch in node.branches]
    for number, (node, branch) in enumerate(edges):
        lines.append(f'  {_name(node)} -->|"{_quoted(branch.label)}"| {_name(branch.next)}')
        if (node, branch.label) in taken:
            lit.append(str(number))
    if steps:
        lines.append(f"  classDef lit {_LIT}")
        lines.append(f"  class {','.join(_name(step.node.id) for step in steps)} lit")
        lines.append(f"  linkStyle {','.join(lit)} stroke:#b8860b,stroke-width:3px")
    return "\n".join(lines)


def _name(node: str) -> str:
    # "end" is a word of Mermaid's own.
    return "end_" if node == "end" else node.replace("-", "_")


def _quoted(text: str) -> str:
    return text.replace('"', "#quot;")
