"""The advice's flowchart as a picture: Mermaid in, SVG out, for a page that runs no script.

Only what the advisor writes is read: nodes with a quoted label, labelled arrows and what is lit.
The nodes stand below one another in their order, each with its branches, so that the picture can
be read on a telephone too.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from xml.etree import ElementTree

from advisor.drawing.labels import Font, text_width, wrapped
from strategies.visible import one_line

_NODE = re.compile(r'(\w+)(?:\["([^"]*)"\]|\(\["([^"]*)"\]\))')
_EDGE = re.compile(r'(\w+) -->(?:\|"([^"]*)"\|)? (\w+)')
_LIT_NODES = re.compile(r"^\s*class ([\w,]+) lit$", re.MULTILINE)
_LIT_EDGES = re.compile(r"^\s*linkStyle (\d{1,6}(?:,\d{1,6})*) ", re.MULTILINE)
_WITHOUT_PICTURE = re.compile(r"flowchart TD|(?:classDef lit|class|linkStyle) .*|")
_ENTITY = re.compile(r"#(\d{1,7});")

_WIDTH, _LEFT, _PAD, _GAP = 440, 46, 10, 18
_SIZE, _LINE_HEIGHT = 14, 19
_MOST_NODES = 200
_INK, _GREY, _RULE = "#1a1a1a", "#59636e", "#aab2bb"
_LIT, _LIT_TINT = "#b45309", "#fff3d6"


@dataclass
class _Branch:
    label: str
    to: str
    lit: bool = False


@dataclass
class _Node:
    number: int
    label: str
    lit: bool = False
    branches: list[_Branch] = field(default_factory=list)


def flowchart_svg(mermaid: str) -> str | None:
    """An ``<svg>`` element of a flowchart; None when the text is none that the advisor writes.

    Every text goes through an XML writer, so nothing in a label becomes markup.
    """
    nodes = _read(mermaid)
    if not nodes:
        return None
    lit = [node for node in nodes.values() if node.lit]
    svg = ElementTree.Element("svg")
    title = ElementTree.SubElement(svg, "title")
    title.text = "The flowchart; the way of the given answers is highlighted"
    described = ElementTree.SubElement(svg, "desc")
    described.text = " ".join(f"{n.label} {_taken(n)}".strip() for n in lit) or title.text
    spots: list[tuple[int, bool]] = []
    y = 2
    for node in nodes.values():
        spots.append((y + _PAD + _LINE_HEIGHT // 2, node.lit))
        y = _draw_node(svg, node, nodes, y) + _GAP
    _draw_way(svg, list(nodes.values()), spots)
    height = y - _GAP + 2
    svg.attrib.update(
        {
            "xmlns": "http://www.w3.org/2000/svg",
            "class": "flowchart",
            "role": "img",
            "width": str(_WIDTH),
            "viewBox": f"0 0 {_WIDTH} {height}",
            "font-family": "system-ui, sans-serif",
            "font-size": str(_SIZE),
        }
    )
    return ElementTree.tostring(svg, encoding="unicode")


def _taken(node: _Node) -> str:
    return "".join(f"{branch.label}." for branch in node.branches if branch.lit)


# ---------------------------------------------------------------- reading


def _read(mermaid: str) -> dict[str, _Node] | None:
    """The nodes by name in their order; None when a line is none that the advisor writes."""
    nodes: dict[str, _Node] = {}
    edges: list[tuple[str, _Branch]] = []
    for line in map(str.strip, mermaid.splitlines()):
        if found := _NODE.fullmatch(line):
            label = _label(found[2] if found[2] is not None else found[3])
            nodes[found[1]] = _Node(len(nodes) + 1, label)
        elif found := _EDGE.fullmatch(line):
            edges.append((found[1], _Branch(_label(found[2] or ""), found[3])))
        elif not _WITHOUT_PICTURE.fullmatch(line):
            return None
    known = all(name in nodes and branch.to in nodes for name, branch in edges)
    if len(nodes) > _MOST_NODES or not known:
        return None
    _light(mermaid, nodes, edges)
    for name, branch in edges:
        nodes[name].branches.append(branch)
    return nodes


def _light(mermaid: str, nodes: dict[str, _Node], edges: list[tuple[str, _Branch]]) -> None:
    """Light the nodes and branches of the way, and where its last branch leads."""
    for found in _LIT_EDGES.finditer(mermaid):
        for _, branch in (edges[p] for p in map(int, found[1].split(",")) if p < len(edges)):
            branch.lit = True
            nodes[branch.to].lit = True
    for found in _LIT_NODES.finditer(mermaid):
        for name in found[1].split(","):
            if name in nodes:
                nodes[name].lit = True


def _label(text: str) -> str:
    """What a quoted label shows: characters stand in it as ``#34;`` too."""
    return one_line(_ENTITY.sub(_character, text))


def _character(match: re.Match[str]) -> str:
    code = int(match[1])
    return chr(code) if code < 0x110000 else match[0]


# ---------------------------------------------------------------- drawing


def _draw_node(svg: ElementTree.Element, node: _Node, nodes: dict[str, _Node], top: int) -> int:
    """Draw a box with its branches; where it ends."""
    width = _WIDTH - _LEFT - 2
    box = ElementTree.SubElement(svg, "rect")
    y = top + _PAD
    for line in _wrapped(node.label, width - 2 * _PAD, bold=node.lit):
        y += _LINE_HEIGHT
        _text(svg, (_LEFT + _PAD, y - 5), line, bold=node.lit)
    for branch in node.branches:
        target = nodes[branch.to]
        skips = "" if target.number == node.number + 1 else f" → {target.number}"
        mark = "▶" if branch.lit else "·"
        y += 3
        lines = _wrapped(branch.label + skips, width - 2 * _PAD - 18, bold=branch.lit)
        for place, line in enumerate(lines):
            y += _LINE_HEIGHT
            if place == 0:
                _text(svg, (_LEFT + _PAD, y - 5), mark, color=_LIT if branch.lit else _GREY)
            where = (_LEFT + _PAD + 18, y - 5)
            _text(svg, where, line, bold=branch.lit, color=_INK if branch.lit else _GREY)
    bottom = y + _PAD
    box.attrib.update(
        {
            "x": str(_LEFT), "y": str(top), "width": str(width), "height": str(bottom - top),
            "rx": "6", "fill": _LIT_TINT if node.lit else "#ffffff",
            "stroke": _LIT if node.lit else _RULE, "stroke-width": "1.5",
        }
    )  # fmt: skip
    return bottom


def _draw_way(svg: ElementTree.Element, nodes: list[_Node], spots: list[tuple[int, bool]]) -> None:
    """The line beside the boxes from one lit node to the next, and the nodes' numbers."""
    x = 20
    lit = [y for y, shines in spots if shines]
    ends = lit if lit else [spots[0][0], spots[-1][0]]
    ElementTree.SubElement(
        svg,
        "path",
        {
            "d": f"M{x},{ends[0]} V{ends[-1]}",
            "stroke": _LIT if lit else _RULE,
            "stroke-width": "4" if lit else "2",
        },
    )
    for node, (y, shines) in zip(nodes, spots, strict=True):
        fill, line = (_LIT, _LIT) if shines else ("#ffffff", _RULE)
        ElementTree.SubElement(
            svg,
            "circle",
            {"cx": str(x), "cy": str(y), "r": "13", "fill": fill, "stroke": line},
        )
        color = "#ffffff" if shines else _GREY
        _text(svg, (x, y + 5), str(node.number), bold=shines, color=color, middle=True)


def _text(
    svg: ElementTree.Element,
    where: tuple[int, int],
    text: str,
    *,
    bold: bool = False,
    color: str = _INK,
    middle: bool = False,
) -> None:
    about = {"x": str(where[0]), "y": str(where[1]), "fill": color}
    if bold:
        about["font-weight"] = "bold"
    if middle:
        about["text-anchor"] = "middle"
    ElementTree.SubElement(svg, "text", about).text = text


def _wrapped(text: str, width: float, *, bold: bool) -> list[str]:
    font = Font(_SIZE, bold)
    return wrapped(text, width, lambda line: text_width(line, font)) or [""]
