from __future__ import annotations

from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as some

from advisor.flowchart import load_flowchart
from advisor.mermaid import draw
from benchmarks.report.document import Fence
from benchmarks.report.flowchart import flowchart_svg
from benchmarks.report.html import html_page
from benchmarks.report.markdown import markdown_text

SMALL = """flowchart TD
  a_["Are there labels?"]
  b_["Enough of them?"]
  end_(["advice"])
  a_ -->|"yes"| b_
  a_ -->|"no"| end_
  b_ -->|"yes, 5#48; and more"| end_
  classDef lit fill:#ffe9a8,stroke:#b8860b,stroke-width:2px
  class a_,b_ lit
  linkStyle 0,2 stroke:#b8860b,stroke-width:3px"""
HOSTILE = (
    "</text><script>alert(1)</script>",
    "]]><svg onload=alert(1)>",
    "#60;script#62;alert(1)#60;/script#62;",
    "&lt;b&gt; &#x3c;",
    "#0;#27;#8238;",
    "#9999999;",
)


def texts_of(svg: str) -> list[tuple[str, bool]]:
    """Each text of a picture, and whether it is bold."""
    root = ElementTree.fromstring(svg)
    return [
        (element.text or "", "font-weight" in element.attrib)
        for element in root.iter()
        if element.tag.endswith("text")
    ]


def test_the_way_that_was_taken_is_bold_and_the_other_branches_are_not() -> None:
    svg = flowchart_svg(SMALL)
    assert svg is not None
    texts = texts_of(svg)
    for bold in ("Are there labels?", "yes", "yes, 50 and more", "advice"):
        assert (bold, True) in texts
    # It skips the second node, so the number of the third stands beside it.
    assert ("no → 3", False) in texts


def test_html_shows_the_flowchart_as_a_picture_and_markdown_keeps_mermaid() -> None:
    page = html_page([Fence(SMALL, "mermaid")], {})
    assert "<svg" in page
    assert "flowchart TD" not in page
    assert f"```mermaid\n{SMALL}\n```" in markdown_text([Fence(SMALL, "mermaid")], "figures")


def test_the_flowchart_of_the_advisor_is_drawn_whole() -> None:
    chart = load_flowchart(None)
    svg = flowchart_svg(draw(chart))
    assert svg is not None
    said = "".join(text for text, _ in texts_of(svg)).replace(" ", "")
    for node in chart.nodes:
        assert node.question.replace(" ", "") in said
        for branch in node.branches:
            assert branch.label.replace(" ", "") in said


@pytest.mark.parametrize(
    "text",
    [
        "",
        "graph TD; A-->B",
        'flowchart TD\n  a_["x"]\n  click a_ "javascript:alert(1)"',
        'flowchart TD\n  a_["x"]\n  a_ -->|"y"| nowhere_',
    ],
)
def test_what_the_advisor_does_not_write_stays_text(text: str) -> None:
    assert flowchart_svg(text) is None
    assert "<pre" in html_page([Fence(text, "mermaid")], {})


def tags_of(svg: str) -> set[str]:
    return {element.tag.rpartition("}")[2] for element in ElementTree.fromstring(svg).iter()}


@pytest.mark.parametrize("label", HOSTILE)
def test_a_label_of_a_stranger_becomes_no_tag_of_the_picture(label: str) -> None:
    page = f'flowchart TD\n  a_["{label}"]\n  end_(["x"])\n  a_ -->|"{label}"| end_'
    svg = flowchart_svg(page)
    assert svg is not None
    assert tags_of(svg) == {"svg", "title", "desc", "rect", "path", "circle", "text"}
    assert "<script" not in svg


@given(some.text(alphabet=some.characters(exclude_characters='"'), max_size=60))
def test_any_label_gives_a_picture_of_the_usual_tags_or_none(label: str) -> None:
    svg = flowchart_svg(f'flowchart TD\n  a_["{label}"]')
    if svg is not None:
        assert tags_of(svg) <= {"svg", "title", "desc", "rect", "path", "circle", "text"}


def test_a_long_word_stays_within_its_box() -> None:
    svg = flowchart_svg(f'flowchart TD\n  a_["{"w" * 300}"]\n  b_["{"漢" * 100}"]')
    assert svg is not None
    # The box is 392 wide, so that a line of type of size 14 holds 52 letters at most.
    assert max(len(text) for text, _ in texts_of(svg)) <= 52
    assert max(len(text) for text, _ in texts_of(svg) if "漢" in text) <= 28
