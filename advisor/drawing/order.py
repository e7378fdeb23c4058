"""In which order a chart is read: its layers, the numbers of its nodes, and the way that is lit."""

from __future__ import annotations

from collections.abc import Sequence
from graphlib import TopologicalSorter

from advisor.flowchart import END, Flowchart, Node, Step
from advisor.language import ENGLISH, Language


def layers(chart: Flowchart) -> list[list[Node]]:
    """The nodes by the longest way from the start, so that every branch leads to a later layer.

    Within a layer they stand below the nodes that lead to them, else as in the chart.
    """
    before = _predecessors(chart)
    depth: dict[str, int] = {}
    for name in TopologicalSorter(before).static_order():
        depth[name] = max((depth[other] + 1 for other in before[name]), default=0)
    found: list[list[Node]] = [[] for _ in range(max(depth.values()) + 1)]
    for node in chart.nodes:
        found[depth[node.id]].append(node)
    offset: dict[str, float] = {}
    for layer in found:
        above = {node.id: [offset[name] for name in before[node.id]] for node in layer}
        layer.sort(key=lambda node: sum(above[node.id]) / max(len(above[node.id]), 1))
        offset |= {node.id: at - (len(layer) - 1) / 2 for at, node in enumerate(layer)}
    return found


def _predecessors(chart: Flowchart) -> dict[str, list[str]]:
    before: dict[str, list[str]] = {node.id: [] for node in chart.nodes}
    for node in chart.nodes:
        for name in dict.fromkeys(branch.next for branch in node.branches if branch.next != END):
            before[name].append(node.id)
    return before


def numbers(chart: Flowchart, say: Language = ENGLISH) -> dict[str, str]:
    """What a node is called in a drawing: its number, and "advice" for the end."""
    nodes = [node for layer in layers(chart) for node in layer]
    places = {node.id: str(place) for place, node in enumerate(nodes, start=1)}
    return {**places, END: say("advice")}


def taken(steps: Sequence[Step]) -> dict[str, int]:
    """The place of the branch taken, by the id of its node, in the order of the steps."""
    # Of branches that are alike in all, the first is the one that a walk takes.
    return {step.node.id: step.node.branches.index(step.branch) for step in steps}
