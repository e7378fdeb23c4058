"""A drawing shows the whole chart and exactly the way that was walked, whatever the labels say."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import matplotlib
import pytest
from fontTools.ttLib import TTFont
from hypothesis import given, settings
from hypothesis import strategies as st

from advisor import mermaid
from advisor.drawing import svg
from advisor.drawing.cards import Box
from advisor.drawing.effects import in_words
from advisor.drawing.labels import Font, plain, shortened, text_width, wrapped
from advisor.drawing.layout import Layout, lay_out
from advisor.drawing.order import layers, numbers
from advisor.drawing.outline import as_text, outline, rows
from advisor.flowchart import END, Branch, Condition, Flowchart, Node, Step, load_flowchart
from advisor.questionnaire import load_answers

CHART = load_flowchart()
EXAMPLES = sorted(Path(__file__).parents[2].glob("examples/answers-*.yaml"))
SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = (
    'say "yes"',
    "<script>alert(1)</script> & &amp;",
    "`code` #1; #quot; [b] (c) {d} |e|",
    "two\nlines\tand \x1b[31mred\x00",
    "1. a list",
    "12) a list",
    "- a list",
    "style: #a; %%{init: 1}%% $$x$$",
    "end",
    "",
    "\ud800 half a pair",
    "日本語の、ラベル（括弧）",
)


def _chart(
    ways: dict[str, list[tuple[str, str]]], start: str = "a", question: str = "?", says: Any = None
) -> Any:
    """A chart out of each node's branches: label, and where it leads; all say the same."""
    when = {"answer": "tasks", "at_least": 2}
    effects = [{**says, "evidence": ["X"]}] if says else []
    nodes = [
        {
            "id": name,
            "question": question,
            "effects": [{**effect, "when": when} for effect in effects],
            "branches": [
                {"label": label, "next": target, "effects": effects}
                | ({"when": when} if place + 1 < len(branches) else {"otherwise": True})
                for place, (label, target) in enumerate(branches)
            ],
        }
        for name, branches in ways.items()
    ]
    return Flowchart.model_validate(
        {"methods": ["zero-shot"], "start": start, "nodes": nodes, "claims": {}}
    )


def _walk(chart: Flowchart, choose: Callable[[Node], Branch]) -> list[Step]:
    """A walk that takes the branch that is chosen at each node."""
    nodes, here, steps = {node.id: node for node in chart.nodes}, chart.start, []
    while here != END:
        branch = choose(nodes[here])
        steps.append(Step(node=nodes[here], branch=branch, effects=branch.effects))
        here = branch.next
    return steps


TEXTS = st.one_of(
    st.sampled_from(HOSTILE),
    st.text(max_size=40),
    st.text(st.sampled_from("漢字カナ、。（）MWil .<&"), max_size=400),
)
METHODS = st.lists(TEXTS.filter(bool), min_size=1, max_size=4)
EFFECTS = st.one_of(
    st.none(),
    st.builds(lambda names: {"for": names, "strength": 2, "reason": "r"}, METHODS),
    st.builds(lambda names: {"block": names, "reason": "r"}, METHODS),
    st.builds(lambda text: {"note": text}, TEXTS.filter(bool)),
)


@st.composite
def walks(draw: st.DrawFn) -> tuple[Flowchart, list[Step]]:
    """A chart without circles of which every node can be reached, and a walk through it."""
    count = draw(st.integers(1, 9))
    names = [*(f"n{place}" for place in range(count)), END]
    targets: list[list[str]] = [[] for _ in range(count)]
    for place in range(1, count):
        targets[draw(st.integers(0, place - 1))].append(names[place])
    for place, onward in enumerate(targets):
        later = st.sampled_from(names[place + 1 :])
        onward.extend(draw(st.lists(later, min_size=1, max_size=4)))
    ways = {
        name: [(draw(TEXTS), target) for target in onward]
        for name, onward in zip(names, targets, strict=False)
    }
    shuffled = draw(st.permutations(list(ways)))
    chart = _chart({name: ways[name] for name in shuffled}, "n0", draw(TEXTS), draw(EFFECTS))
    # Branches that are alike in all cannot be told apart, and a walk takes the first.
    choices = st.integers(0, 100)
    return chart, _walk(chart, lambda node: node.branches[draw(choices) % len(node.branches)])


def _places(steps: list[Step]) -> set[tuple[str, str]]:
    return {(s.node.id, str(s.node.branches.index(s.branch))) for s in steps}


def _example(file: Path) -> list[Step]:
    return CHART.walk(load_answers(file))


# ---------------------------------------------------------------- texts


@pytest.mark.parametrize(
    ("face", "font"), [("DejaVuSans", Font(1)), ("DejaVuSans-Bold", Font(1, bold=True))]
)
def test_no_letter_is_wider_than_its_estimate(face: str, font: Font) -> None:
    file = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / f"{face}.ttf"
    with TTFont(file) as measured:
        glyphs, advances = measured.getBestCmap(), measured["hmtx"]
        units = measured["head"].unitsPerEm
        letters = [*range(0x20, 0x7F), *range(0xA1, 0x180), *range(0x391, 0x3CA), 0x2192, 0x2026]
        letters += [code for code in range(0x410, 0x450) if code in glyphs]
        widths = {
            chr(code): advances[glyphs[code]][0] / units for code in letters if code in glyphs
        }
    assert len(widths) > 400
    assert [char for char, width in widths.items() if text_width(char, font) < width] == []


def test_a_japanese_letter_fills_its_square_and_a_combining_mark_takes_no_room() -> None:
    assert text_width("漢字、", Font(10)) == 30
    assert text_width("e\u0301", Font(10)) == text_width("é", Font(10)) == text_width("e", Font(10))


@pytest.mark.parametrize(
    ("text", "width", "lines"),
    [
        ("aa bb cc", 5, ["aa bb", "cc"]),
        ("aa bb", 3, ["aa", "bb"]),
        ("abcdefg hi", 3, ["abc", "def", "g", "hi"]),
        ("社内文書、知識", 4, ["社内文", "書、知識"]),
        ("文書（知識）", 3, ["文書", "（知", "識）"]),
        ("GPUを使う", 4, ["GPUを", "使う"]),
        ("", 4, []),
    ],
)
def test_lines_break_where_a_reader_expects_it(text: str, width: int, lines: list[str]) -> None:
    assert wrapped(text, width, len) == lines


@given(TEXTS, st.integers(1, 30))
def test_lines_keep_to_their_width_and_lose_nothing(text: str, width: int) -> None:
    lines = wrapped(text, width, len)
    assert all(0 < len(line) <= max(width, 1) for line in lines)
    assert "".join("".join(lines).split()) == "".join(plain(text).split())


def test_what_is_cut_ends_with_an_ellipsis_at_the_end_of_a_word() -> None:
    assert shortened("one  two\nthree", 13) == "one two three"
    assert shortened("one two three", 12) == "one two…"
    assert shortened("abcdefghijkl", 5) == "abcd…"


def test_a_condition_is_put_in_words() -> None:
    condition = Condition.model_validate(
        {
            "all": [
                {"answer": "knowledge", "in": ["static", "changing"]},
                {"any": [{"answer": "tasks", "at_least": 2}, {"answer": "classes", "below": 1500}]},
                {"not": {"answer": "behaviour", "contains": "tone"}},
                {"answer": "data_may_leave", "is": False},
                {"answer": "current_score", "at_least_answer": "target_score"},
            ]
        }
    )
    assert in_words(condition) == (
        "knowledge is static/changing and (tasks is at least 2 or classes is below 1,500) and "
        "not (behaviour has tone) and data_may_leave is no and "
        "current_score is at least target_score"
    )


# ---------------------------------------------------------------- order


def test_a_node_stands_below_all_that_lead_to_it() -> None:
    chart = _chart(
        {
            "d": [("", END)],
            "b": [("", "c"), ("", "d")],
            "c": [("", "d"), ("", END)],
            "a": [("", "d"), ("", "e"), ("", "b")],
            "e": [("", "c")],
        }
    )
    # By hand: the longest ways from a are b 1, e 1, c 2, d 3.
    assert [[node.id for node in layer] for layer in layers(chart)] == [
        ["a"],
        ["b", "e"],
        ["c"],
        ["d"],
    ]
    assert numbers(chart) == {"a": "1", "b": "2", "e": "3", "c": "4", "d": "5", "end": "advice"}


def test_a_node_stands_on_the_side_of_those_that_lead_to_it() -> None:
    chart = _chart(
        {
            "a": [("", "left"), ("", "right")],
            "left": [("", "below-left")],
            "right": [("", "below-right")],
            "below-right": [("", END)],
            "below-left": [("", END)],
        }
    )
    assert [node.id for node in layers(chart)[2]] == ["below-left", "below-right"]


# ---------------------------------------------------------------- the outline


def test_the_outline_says_all_that_the_chart_says() -> None:
    lines, names = as_text(outline(CHART)).splitlines(), numbers(CHART)
    for node in CHART.nodes:
        assert f"{names[node.id]}. {node.question}" in lines
        for branch in node.branches:
            assert f"   {branch.label} → {names[branch.next]}" in lines
        for effect in node.all_effects():
            said = effect.reason or effect.text or effect.note or effect.first or effect.provisional
            cited = f"[{', '.join(effect.evidence)}]"
            found = [line for line in lines if str(said)[:150] in line and line.endswith(cited)]
            assert any(", ".join(effect.methods) in line for line in found)
    assert not [line for line in lines if "▶" in line]


@pytest.mark.parametrize(
    ("says", "line"),
    [
        ({"for": ["a", "b"], "strength": 2, "reason": "Why."}, "+2 a, b: Why. [X]"),
        ({"against": ["a"], "strength": 3, "reason": "Why."}, "-3 a: Why. [X]"),
        ({"block": ["a"], "reason": "Why."}, "x a: Why. [X]"),
        ({"verdict": "no_adaptation", "text": "None."}, "verdict no_adaptation: None. [X]"),
        ({"note": "Know."}, "note: Know. [X]"),
        ({"first": "Do."}, "do first: Do. [X]"),
        ({"provisional": "Few."}, "provisional: Few. [X]"),
    ],
)
def test_every_kind_of_effect_is_told_by_its_first_word(says: Any, line: str) -> None:
    text = as_text(outline(_chart({"a": [("yes", END)]}, says=says)))
    assert text.endswith(
        f"1. ?\n   yes → advice\n      {line}\n   on every branch\n"
        f"      if tasks is at least 2, then {line}\n\nAdvice\n"
    )


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda path: path.stem)
def test_the_outline_marks_what_was_passed_and_said_alone(file: Path) -> None:
    steps = _example(file)
    lines = [line for line in outline(CHART, steps) if line.lit]
    questions = [
        line.text.split(". ", 1)[1] for line in lines if line.depth == 0 and "." in line.text
    ]
    labels = [line.text.rsplit(" → ")[0] for line in lines if line.depth == 1 and "→" in line.text]
    assert questions == [step.node.question for step in steps]
    assert labels == [step.branch.label for step in steps]
    assert len([line for line in lines if line.depth == 2]) == sum(len(s.effects) for s in steps)
    marked = [row for row in as_text(outline(CHART, steps)).splitlines() if row.startswith("▶ ")]
    assert len(marked) == len(lines)


def test_on_a_terminal_long_lines_are_folded_at_their_indent() -> None:
    chart = _chart(
        {"a": [("twenty letters or so", END)]}, question="質問応答に社内の知識が必要ですか"
    )
    printed = [row for row, _ in rows(outline(chart, _walk(chart, lambda n: n.branches[0])), 24)]
    # A Japanese letter takes two columns of a terminal.
    assert printed[-6:] == [
        "▶ 1. 質問応答に社内の知",
        "  識が必要ですか",
        "▶    twenty letters or",
        "     so → advice",
        "",
        "▶ Advice",
    ]


@given(walks())
@settings(deadline=None, max_examples=50)
def test_no_label_gives_a_terminal_an_order(walk: tuple[Flowchart, list[Step]]) -> None:
    text = as_text(outline(*walk))
    assert text.encode()
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f]", text)


# ---------------------------------------------------------------- Mermaid

NODE_LINE = re.compile(r'  (\w+)\["([^"]*)"\]')
EDGE_LINE = re.compile(r'  (\w+) -->\|"([^"]*)"\| (\w+)')
# Mermaid's manual: in a label these need an entity, "#" a number and ";"; a list begins so.
UNSAFE = re.compile(r'["<>&`\[\]{}|*_~$:\\]|#(?!\d+;)|^[-+]|^\d+[.)]')


def _decoded(label: str) -> str:
    return re.sub(r"#(\d+);", lambda found: chr(int(found[1])), label).strip()


def _mermaid(chart: Flowchart, steps: list[Step]) -> tuple[list[Any], list[Any], list[str]]:
    first, *lines = mermaid.draw(chart, steps).split("\n")
    assert first == "flowchart TD"
    nodes, edges = len(chart.nodes), sum(len(node.branches) for node in chart.nodes)
    assert lines[nodes] == '  end_(["advice"])'
    drawn = [NODE_LINE.fullmatch(line) for line in lines[:nodes]]
    led = [EDGE_LINE.fullmatch(line) for line in lines[nodes + 1 : nodes + 1 + edges]]
    return drawn, led, lines[nodes + 1 + edges :]


@given(walks())
@settings(deadline=None, max_examples=100)
def test_mermaid_shows_every_label_and_lights_the_walk(
    walk: tuple[Flowchart, list[Step]],
) -> None:
    chart, steps = walk
    drawn, led, lighting = _mermaid(chart, steps)
    branches = [(n, place) for n in chart.nodes for place in range(len(n.branches))]
    texts = [*(found[2] for found in drawn), *(found[2] for found in led)]
    meant = [*(n.question for n in chart.nodes), *(n.branches[p].label for n, p in branches)]
    assert [_decoded(text) for text in texts] == [shortened(text, 200).strip() for text in meant]
    assert [text for text in texts if UNSAFE.search(text) or not text] == []
    lit = _places(steps)
    edges = [str(i) for i, (n, place) in enumerate(branches) if (n.id, str(place)) in lit]
    assert lighting[1] == f"  class {','.join(f'{s.node.id}_' for s in steps)} lit"
    assert lighting[2].startswith(f"  linkStyle {','.join(edges)} stroke")


@pytest.mark.parametrize("word", ["class", "style", "graph", "subgraph", "click", "default"])
def test_no_node_of_mermaid_is_called_by_one_of_its_own_words(word: str) -> None:
    chart = _chart({word: [("yes", f"{word}-b"), ("no", END)], f"{word}-b": [("x", END)]}, word)
    drawn, led, _ = _mermaid(chart, [])
    assert [found[1] for found in drawn] == [f"{word}_", f"{word}_b"]
    assert [found[3] for found in led] == [f"{word}_b", "end_", "end_"]


def test_a_long_chart_stays_below_the_length_that_mermaid_refuses() -> None:
    ways = {f"n{i}": [("x" * 10_000, f"n{i + 1}" if i < 29 else END)] * 2 for i in range(30)}
    assert len(mermaid.draw(_chart(ways, "n0", "y" * 10_000))) < 50_000


# ---------------------------------------------------------------- SVG


def _text_box(text: Any) -> Box:
    """Where a text is drawn, with room for accents above and tails below."""
    font = Font(float(text.get("font-size")), bold=text.get("font-weight") == "bold")
    x, y = float(text.get("x")), float(text.get("y"))
    return Box(x, y - font.size, text_width(text.text, font), 1.25 * font.size)


def _overlap(one: Box, other: Box) -> bool:
    beside = one.right <= other.x or other.right <= one.x
    return not (beside or one.bottom <= other.y or other.bottom <= one.y)


def _inside(inner: Box, outer: Box) -> bool:
    level = outer.x <= inner.x and inner.right <= outer.right
    return level and outer.y <= inner.y and inner.bottom <= outer.bottom


def _rectangle(group: Any) -> Box:
    rect = group.find(f"{SVG}rect")
    return Box(*(float(rect.get(name)) for name in ("x", "y", "width", "height")))


def _segments(layout: Layout) -> Iterator[tuple[tuple[str, int], Box]]:
    """The straight parts of each line, as boxes without height or width."""
    for branch, points in layout.routes.items():
        for (ax, ay), (bx, by) in pairwise(points):
            yield branch, Box(min(ax, bx), min(ay, by), abs(ax - bx), abs(ay - by))


def _check_the_svg(chart: Flowchart, steps: list[Step]) -> None:
    root = ElementTree.fromstring(svg.draw(chart, steps).encode())
    page = Box(*map(float, str(root.get("viewBox")).split()))
    cards = {str(g.get("data-node")): g for g in root.findall(f"{SVG}g[@data-node]")}
    assert set(cards) == {END, *(node.id for node in chart.nodes)}
    boxes = [(_text_box(text), text) for text in root.iter(f"{SVG}text")]
    assert [b for (a, b), (c, d) in combinations(boxes, 2) if _overlap(a, c)] == []
    for card in cards.values():
        assert _inside(_rectangle(card), page)
        for text in card.iter(f"{SVG}text"):
            assert _inside(_text_box(text), _rectangle(card))
    for one, other in combinations(cards.values(), 2):
        assert not _overlap(_rectangle(one), _rectangle(other))
    for node in chart.nodes:
        groups = cards[node.id].findall(f"{SVG}g[@data-branch]")
        assert [g.get("data-branch") for g in groups] == [str(i) for i in range(len(node.branches))]
        assert _letters(node.question) in _letters(*cards[node.id].itertext())
        for group, branch in zip(groups, node.branches, strict=True):
            assert _letters(branch.label) in _letters(*(t.text for t in group.iter(f"{SVG}text")))
    _check_what_is_lit(root, chart, steps)


def _letters(*texts: Any) -> str:
    """Texts without the spaces at which lines may break, as far as they are drawn."""
    return "".join("".join(shortened("".join(texts), 10_000)).split())[:250]


def _check_what_is_lit(root: Any, chart: Flowchart, steps: list[Step]) -> None:
    lit = [g for g in root.iter(f"{SVG}g") if "lit" in str(g.get("class")).split()]
    edges = {(g.get("data-from"), g.get("data-branch")): g.get("data-to") for g in lit}
    assert {g.get("data-node") for g in lit} - {None} == (
        {END, *(step.node.id for step in steps)} if steps else set()
    )
    walked = {(name, place) for name, place in edges if name}
    assert walked == _places(steps)
    assert len([g for g in lit if "branch" in str(g.get("class")).split()]) == len(steps)
    for edge in root.findall(f"{SVG}g[@data-to]"):
        line = edge.find(f"{SVG}path")
        thick = float(line.get("stroke-width")) > 3 and line.get("stroke") == "#b45309"
        assert thick == ((edge.get("data-from"), edge.get("data-branch")) in walked)


@pytest.mark.parametrize("file", [None, *EXAMPLES], ids=lambda p: p.stem if p else "no answers")
def test_the_svg_of_the_built_in_chart_is_whole_and_nothing_overlaps(file: Path | None) -> None:
    _check_the_svg(CHART, _example(file) if file else [])


@given(walks())
@settings(deadline=None, max_examples=100)
def test_the_svg_of_any_chart_is_whole_and_nothing_overlaps(
    walk: tuple[Flowchart, list[Step]],
) -> None:
    _check_the_svg(*walk)


@given(walks())
@settings(deadline=None, max_examples=60)
def test_lines_lead_from_rows_to_cards_cross_none_and_lie_on_none_that_leads_elsewhere(
    walk: tuple[Flowchart, list[Step]],
) -> None:
    chart, _ = walk
    layout = lay_out(chart, "Title", ["Note"])
    leads = {(n.id, i): branch.next for n in chart.nodes for i, branch in enumerate(n.branches)}
    assert set(layout.routes) == set(leads)
    for (name, place), points in layout.routes.items():
        row, target = layout.cards[name].rows[place].box, layout.cards[leads[name, place]].box
        assert points[0] == (row.right, row.middle[1])
        assert points[-1] == (target.middle[0], target.y)
        assert all((a[0] == b[0]) != (a[1] == b[1]) for a, b in pairwise(points))
    parts = list(_segments(layout))
    for branch, part in parts:
        assert not [name for name, card in layout.cards.items() if _crosses(part, card.box)], branch
    for (one, a), (other, b) in combinations(parts, 2):
        if leads[one] != leads[other]:
            assert not _lies_on(a, b), (one, other)


def test_lines_do_not_cross_where_they_need_not() -> None:
    chart = _chart(
        {
            "a": [("1", "right"), ("2", "middle"), ("3", "left")],
            **{name: [("on", END)] for name in ("left", "middle", "right")},
        }
    )
    parts = list(_segments(lay_out(chart, "Title", [])))
    leads = {(n.id, i): branch.next for n in chart.nodes for i, branch in enumerate(n.branches)}
    first = [(leads[branch], part) for branch, part in parts if branch[0] == "a"]
    assert [1 for (a, one), (b, two) in combinations(first, 2) if a != b and _meet(one, two)] == []


def test_the_lines_of_a_chain_stay_beside_its_cards_and_enter_them_below_each_other() -> None:
    layout = lay_out(
        _chart({"a": [("", "b")] * 3, "b": [("", "c"), ("", "c")], "c": [("", END)]}), "", []
    )
    (right,) = {card.box.right for name, card in layout.cards.items() if name != END}
    assert {max(x for x, _ in points) for points in layout.routes.values()} == {right + 12}
    assert len({card.box.middle[0] for card in layout.cards.values()}) == 1


def test_a_card_says_which_methods_each_row_is_about() -> None:
    says = {"against": ["lora", "full"], "strength": 3, "reason": "Why."}
    drawn = svg.draw(_chart({"a": [("yes", END)]}, says=says))
    texts = {str(text.text) for text in ElementTree.fromstring(drawn).iter(f"{SVG}text")}
    assert {"-3 lora, full", "if tasks is at least 2, then -3 lora, full"} <= texts
    assert "-3 lora, full: Why. [X]" in drawn


def _meet(one: Box, other: Box) -> bool:
    level = one.x <= other.right and other.x <= one.right
    return level and one.y <= other.bottom and other.y <= one.bottom


def _crosses(line: Box, card: Box) -> bool:
    beside = line.right <= card.x or card.right <= line.x
    return not (beside or line.bottom <= card.y or card.bottom <= line.y)


def _lies_on(one: Box, other: Box) -> bool:
    """Whether two straight lines share more than a point."""
    across = min(one.right, other.right) - max(one.x, other.x)
    down = min(one.bottom, other.bottom) - max(one.y, other.y)
    return (across > 0 and down == 0) or (down > 0 and across == 0)


@pytest.mark.parametrize("label", HOSTILE)
def test_a_hostile_label_is_only_a_text_of_the_svg(label: str) -> None:
    chart = _chart({"a": [(label, END), ("other", END)]}, question=label)
    drawn = svg.draw(chart, _walk(chart, lambda node: node.branches[0]))
    tags = {
        element.tag.removeprefix(SVG) for element in ElementTree.fromstring(drawn.encode()).iter()
    }
    assert tags == {"svg", "title", "desc", "rect", "g", "path", "text"}
    assert html.escape(plain(label)) in drawn


def test_a_drawing_has_the_same_bytes_twice() -> None:
    again = load_flowchart()
    for draw in (svg.draw, mermaid.draw, lambda *walk: as_text(outline(*walk))):
        assert draw(CHART, _example(EXAMPLES[0])) == draw(
            again, again.walk(load_answers(EXAMPLES[0]))
        )


def test_the_svg_says_its_way_to_those_who_cannot_see_it() -> None:
    chart = _chart({"a": [("yes", "b"), ("no", END)], "b": [("fine", END)]}, question="So?")
    root = ElementTree.fromstring(svg.draw(chart, _walk(chart, lambda node: node.branches[0])))
    named = {element.get("id"): element.text for element in root}
    title, description = str(root.get("aria-labelledby")).split()
    assert named[title] == "Decision flowchart"
    assert named[description] == "The way of the given answers: 1. So? yes; 2. So? fine; advice."
