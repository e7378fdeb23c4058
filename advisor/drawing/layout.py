"""Where the cards of a drawn flowchart stand, and how the lines between them run.

Cards stand in layers. From the right edge of a row its line runs down beside the card, across the
gap below the layer, and into the card that it leads to; a line that passes layers does so right of
all cards. So no line crosses a card, and lines that lie upon each other lead to the same card.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from advisor.drawing.cards import QUESTION, SAID, Card, Text, block, end_card, node_card
from advisor.drawing.effects import moves
from advisor.drawing.order import layers, numbers
from advisor.flowchart import END, Flowchart, Node
from advisor.language import ENGLISH, Language

# Lines run down at multiples of this beside cards, and halfway between two of them into cards: so
# none runs down upon one that leads elsewhere. Cards are odd multiples wide for the same reason.
_GRID = 12
_WIDE, _SLIM, _END = 65 * _GRID, 35 * _GRID, 9 * _GRID
_MARGIN = 2 * _GRID
# From the lowest line in a gap to the cards below: room for an arrow.
_ARROW = 30

Point = tuple[float, float]


@dataclass(frozen=True)
class Layout:
    """A chart with all its places.

    Attributes:
        width: with margins, in px.
        height: likewise.
        heading: what stands above the cards.
        cards: by id of the node; ``END`` is the last.
        routes: corners of the line of a branch, by id of the node and place of the branch.
    """

    width: float
    height: float
    heading: tuple[Text, ...]
    cards: dict[str, Card]
    routes: dict[tuple[str, int], tuple[Point, ...]]


@dataclass(frozen=True)
class _Columns:
    """What stands or runs where from left to right, in px.

    Attributes:
        depth: layer of a card.
        entries: where lines run into a card.
        exits: where lines run down beside a card, by it and the card that they lead to.
        lanes: where lines to a card pass layers.
    """

    depth: Mapping[str, int]
    entries: Mapping[str, float]
    exits: Mapping[tuple[str, str], float]
    lanes: Mapping[str, float]

    def goal(self, layer: int, target: str) -> float:
        """Where a line that crosses the gap below a layer goes on."""
        near = self.depth[target] == layer + 1
        return self.entries[target] if near else self.lanes[target]

    def crossing(self, layer: int) -> list[str]:
        """The cards that the lines across the gap below a layer lead to, from top to bottom."""
        starts: dict[str, list[float]] = {}
        for (name, target), x in self.exits.items():
            if self.depth[name] == layer:
                starts.setdefault(target, []).append(x)
        for target, x in self.lanes.items():
            if self.depth[target] == layer + 1:
                starts.setdefault(target, []).append(x)

        def fewest_crossings(target: str) -> tuple[bool, float]:
            # A line that turns right passes below those that start farther right, and so on.
            start = max(starts[target])
            leftward = self.goal(layer, target) < start
            return leftward, start if leftward else -start

        return sorted(starts, key=fewest_crossings)


def lay_out(chart: Flowchart, title: str, notes: Sequence[str], say: Language = ENGLISH) -> Layout:
    """The places of all cards and lines.

    Args:
        chart: a checked flowchart.
        title: stands above it.
        notes: paragraphs between the two.
        say: the language of what is added to the chart's own texts.
    """
    width = _card_width(chart)
    titled, down = block([title], (_MARGIN, _MARGIN), width, QUESTION)
    noted, down = block(notes, (_MARGIN, down), width, SAID)
    levels = [*([node.id for node in layer] for layer in layers(chart)), [END]]
    cards = _side_by_side(chart, levels, say)
    columns = _columns(chart, levels, cards)
    tracks: dict[tuple[int, str], float] = {}
    for layer, level in enumerate(levels):
        down += _ARROW
        cards |= {name: cards[name].moved(0, down) for name in level}
        down = max(cards[name].box.bottom for name in level)
        for target in columns.crossing(layer):
            down += _GRID
            tracks[layer, target] = down
    routes = {
        (node.id, place): _route(node, place, cards, columns, tracks)
        for node in chart.nodes
        for place in range(len(node.branches))
    }
    right = max(x for route in routes.values() for x, _ in route)
    right = max(right, *(card.box.right for card in cards.values()))
    return Layout(right + _MARGIN, down + _MARGIN, (*titled, *noted), cards, routes)


def _card_width(chart: Flowchart) -> int:
    """Wide where rows have something to say beside their label."""
    said = any(moves(effect) for node in chart.nodes for effect in node.all_effects())
    return _WIDE if said else _SLIM


def _side_by_side(
    chart: Flowchart, levels: Sequence[Sequence[str]], say: Language
) -> dict[str, Card]:
    """The cards at their place from left to right, each layer in the middle; all at the top."""
    names, width = numbers(chart, say), _card_width(chart)
    cards = {node.id: node_card(node, names, width, say) for node in chart.nodes}
    cards[END] = end_card(names[END], _END)
    # The same room for lines beside all cards keeps those of a chain straight below each other.
    beside = _GRID * (max(len(_targets(node)) for node in chart.nodes) + 2)
    room = {name: int(card.box.width) + beside for name, card in cards.items()}
    widest = max(sum(room[name] for name in level) for level in levels)
    for level in levels:
        spare = widest - sum(room[name] for name in level)
        x = _MARGIN + spare // (2 * _GRID) * _GRID
        for name in level:
            cards[name] = cards[name].moved(x, 0)
            x += room[name]
    return cards


def _targets(node: Node) -> list[str]:
    """Where a node leads; a line nearer to the card starts lower, and so crosses none."""
    return list(dict.fromkeys(branch.next for branch in node.branches))[::-1]


def _columns(
    chart: Flowchart, levels: Sequence[Sequence[str]], cards: Mapping[str, Card]
) -> _Columns:
    depth = {name: layer for layer, level in enumerate(levels) for name in level}
    exits = {
        (node.id, target): cards[node.id].box.right + _GRID * (place + 1)
        for node in chart.nodes
        for place, target in enumerate(_targets(node))
    }
    far = [target for name, target in exits if depth[target] > depth[name] + 1]
    ordered = sorted(dict.fromkeys(far), key=depth.__getitem__)
    beyond = max([*exits.values(), *(card.box.right for card in cards.values())]) + _GRID
    return _Columns(
        depth=depth,
        entries={name: card.box.middle[0] for name, card in cards.items()},
        exits=exits,
        lanes={target: beyond + _GRID * place for place, target in enumerate(ordered)},
    )


def _route(
    node: Node,
    place: int,
    cards: Mapping[str, Card],
    columns: _Columns,
    tracks: Mapping[tuple[int, str], float],
) -> tuple[Point, ...]:
    """The corners of the line of a branch, from its row to the card that it leads to."""
    row, target = cards[node.id].rows[place].box, node.branches[place].next
    first, last = columns.depth[node.id], columns.depth[target] - 1
    x, entry = columns.exits[node.id, target], columns.entries[target]
    points = [(row.right, row.middle[1]), (x, row.middle[1]), (x, tracks[first, target])]
    if last > first:
        lane = columns.lanes[target]
        points += [(lane, tracks[first, target]), (lane, tracks[last, target])]
    points += [(entry, tracks[last, target]), (entry, cards[target].box.y)]
    return tuple(points)
