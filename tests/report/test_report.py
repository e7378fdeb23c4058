from __future__ import annotations

import json
import re
import subprocess
import sys
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as some
from markdown_it import MarkdownIt

from advisor.cli.report import ReportFormat, write_report
from benchmarks.comparison import compare
from benchmarks.records import Cost, CurvePoint, Failure
from benchmarks.report import numbers, render
from benchmarks.report.document import Code, Fence, Heading, Paragraph, Table, visible
from benchmarks.report.html import html_page
from benchmarks.report.markdown import escape, markdown_text
from benchmarks.results import Comparison
from tests.comparison.runs import Made, Material, make_run

HOSTILE = [
    "a | b || c",
    "`code` ``` fence",
    "<script>alert(1)</script>",
    "<!-- comment --> </code></td></table>",
    "line one\nline two\r\n\n# heading\n| x | y |\n|---|---|",
    "\x1b[31mred\x1b[0m \x07 \x00",
    "```mermaid\ngraph TD; A-->B\n```",
    "![x](http://evil.example/x.png) [y](javascript:alert(1))",
    "https://evil.example www.evil.example someone@evil.example @someone",
    "\\| \\\\| &lt;b&gt; &#124;",
    "**bold** __bold__ ~~gone~~ $x^2$ _a_",
    "\u202egnp.exe\u200b \u2028",
    "- item\n1. item\n> quote\n    code",
    "{{ template }} {% raw %} ]]>",
]


def rich_run(folder: Path, answers: list[str] | None = None) -> Comparison:
    """A run with every kind of thing that a report shows."""
    said = answers or HOSTILE
    hostile_lora = [said[place % len(said)] for place in range(40)]
    cost = Cost(
        train_seconds=61.0,
        answer_seconds=4.0,
        peak_memory_bytes=2**30,
        latency_p50_seconds=0.1,
        latency_p95_seconds=0.2,
        items_per_second=10.0,
    )
    curve = (
        CurvePoint(step=1, epoch=0.5, train_loss=2.0, validation_loss=2.2),
        CurvePoint(step=2, epoch=1.0, train_loss=1.0, validation_loss=1.5),
    )
    failure = Failure(kind="RuntimeError", message="<b>boom</b> | `x`\nsecond line")
    arms = [
        Made("zero-shot", [1.0, 0.0] * 20, cost=Cost(answer_seconds=2.0)),
        Made("lora", [0.0] + [1.0] * 39, predictions=hostile_lora, cost=cost, curve=curve),
        Made("raft", status="failed", failure=failure),
        Made("majority", [1.0] * 10 + [0.0] * 30, floor=True),
    ]
    advice = {
        "answers": {"task_kind": "qa", "eval_items": None, "behaviour": ["tone | style"]},
        "verdict": "Try <i>lora</i>",
        "ranked": [
            {
                "method": "lora",
                "strength": 3,
                "reasons_for": [{"text": "cheap | <b>", "evidence": ["TML25"]}],
                "memory_gib": 0.29,
            },
            {"method": "raft", "blockers": ["memory"]},
        ],
        "path": [{"node": "end", "question": "Why?", "branch": "yes", "evidence": ["S1"]}],
        "ladder": [
            {"do": "Label 10 examples."},
            {
                "do": "Run lora.",
                "method": "lora",
                "measure": "score",
                "stop_when": "it is 0.8 or more",
                "otherwise": "climb to full",
            },
        ],
        "what_ifs": [
            {
                "answer": "labelled_examples",
                "now": "50",
                "then": "500",
                "first_now": "lora",
                "first_then": "full",
            }
        ],
        "unknown_that_matter": [{"question": "How many?", "could_lead_to": ["lora", "rag"]}],
        "notes": ["no entry of a known kind", 3],
        "mermaid": "flowchart TD\n  a --> b",
    }
    run = make_run(folder, arms, Material(title="Letters | <b>&"), json.dumps(advice))
    return compare(run, {f"item-{n:03}": said[n % len(said)] for n in range(40)})


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))


def tags_of(page: str) -> list[tuple[str, dict[str, str | None]]]:
    parser = Tags()
    parser.feed(page)
    return parser.seen


def as_html(markdown: str) -> str:
    """GitHub-flavoured rendering by a parser that is not ours; raw HTML passes through."""
    return MarkdownIt("gfm-like", {"linkify": False, "html": True}).render(markdown)


@pytest.mark.slow
@pytest.mark.parametrize("form", ["md", "html", "json"])
def test_rendering_the_same_run_twice_gives_the_same_bytes(tmp_path: Path, form: str) -> None:
    comparison = rich_run(tmp_path / "r")
    again = Comparison.model_validate_json(comparison.model_dump_json())
    first, second = render(comparison, form), render(again, form)  # type: ignore[arg-type]
    assert first == second
    assert next(iter(first)) == f"report.{form}"


@pytest.mark.slow
def test_another_process_with_another_hash_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    comparison = rich_run(tmp_path / "r")
    stored = tmp_path / "comparison.json"
    stored.write_text(comparison.model_dump_json())
    code = (
        "import hashlib, pathlib, sys\n"
        "from benchmarks.report import render\n"
        "from benchmarks.results import Comparison\n"
        "found = Comparison.model_validate_json(pathlib.Path(sys.argv[1]).read_text())\n"
        "files = render(found, 'md')\n"
        "print(hashlib.sha256(b''.join(files.values())).hexdigest())\n"
    )
    hashes = {
        subprocess.run(
            [sys.executable, "-c", code, str(stored)],
            capture_output=True,
            text=True,
            check=True,
            env={"PYTHONHASHSEED": seed, "PATH": "", "HOME": str(tmp_path)},
        ).stdout
        for seed in ("1", "2")
    }
    assert len(hashes) == 1


def test_hostile_answers_add_no_row_and_no_cell_to_a_markdown_table() -> None:
    table = Table(["a", "b"], [[Code(text), text] for text in HOSTILE])
    page = as_html(markdown_text([table], "figures"))
    seen = [tag for tag, _ in tags_of(page)]
    assert seen.count("tr") == len(HOSTILE) + 1
    assert seen.count("td") == 2 * len(HOSTILE)
    assert set(seen) == {"table", "thead", "tbody", "tr", "th", "td", "code"}


def test_hostile_answers_add_no_tag_to_html() -> None:
    blocks = [Heading(1, HOSTILE[2]), Table(["a"], [[Code(text)] for text in HOSTILE])]
    seen = tags_of(html_page([*blocks, Fence(HOSTILE[3])], {}))
    assert "script" not in {tag for tag, _ in seen}
    assert [tag for tag, _ in seen].count("td") == len(HOSTILE)
    assert not [name for _, attrs in seen for name in attrs if name.startswith("on")]


@given(some.text())
def test_any_text_in_a_markdown_cell_reads_back_as_itself(text: str) -> None:
    page = as_html(markdown_text([Table(["a", "b"], [["x", Code(text)]])], "figures"))
    cell = re.search(r"<td><code>(.*)</code></td>", page, re.DOTALL)
    assert cell is not None
    assert unescape(cell[1]) == visible(text)


@given(some.text())
def test_any_text_in_a_markdown_cell_becomes_no_tag(text: str) -> None:
    page = as_html(markdown_text([Table(["a"], [[text]])], "figures"))
    assert {tag for tag, _ in tags_of(page)} <= {"table", "thead", "tbody", "tr", "th", "td"}


@given(some.text(alphabet="`~\n a"))
def test_no_text_ends_its_own_fence(text: str) -> None:
    page = as_html(markdown_text([Fence(text, "mermaid"), Heading(2, "after")], "figures"))
    assert [tag for tag, _ in tags_of(page)] == ["pre", "code", "h2"]


def test_links_mentions_and_images_of_answers_stay_text() -> None:
    for text in HOSTILE:
        assert {tag for tag, _ in tags_of(as_html(f"x {escape(text)}"))} <= {"p"}
        assert not re.search(r"@|://|www\.", escape(text))


def test_a_line_cannot_begin_a_list_or_underline_a_heading() -> None:
    for start in ("- a", "+ a", "1. a", "2) a", "===", "---", " - a"):
        page = as_html(markdown_text([Paragraph("above"), Paragraph(start)], "figures"))
        assert [tag for tag, _ in tags_of(page)] == ["p", "p"]


def test_control_and_direction_characters_are_made_visible() -> None:
    assert visible("a\x1b[31mb\x00\u202e\n") == "a\\x1b[31mb\\x00\\u202e⏎"
    assert visible("\ud800") == "\\ud800"


def test_the_markdown_report_has_every_part(tmp_path: Path) -> None:
    text = render(rich_run(tmp_path / "r"), "md")["report.md"].decode()
    headings = re.findall(r"^## (.*)$", text, re.MULTILINE)
    assert headings == [
        "In short",
        "What to do next",
        "Findings",
        "Choosing a method",
        "Limits",
        "Results",
        "Costs",
        "What each method fixed and broke",
        "Question",
        "Recommendation before the measurement",
        "Recommended against measured",
        "Methods",
        "All paired differences",
        "Environment",
        "Hashes (SHA-256)",
        "Reproduce",
        "Cite",
    ]
    assert "```mermaid\nflowchart TD\n  a --> b\n```" in text
    for said in (
        "<code>end</code>: Why? — yes &#91;S1&#93;",
        "**lora** (strength 3, at least 311 MB). for: cheap &#124; &lt;b&gt; &#91;TML25&#93;",
        "cannot be used: memory",
        "Run lora. Measure: score. Stop when it is 0.8 or more; otherwise climb to full.",
        "<code>labelled_examples</code> 500 instead of 50: full instead of lora",
        "How many? It could lead to: lora, rag.",
    ):
        assert said in text, said
    assert "One seed: a claim about a trained method" in text
    assert "advisor bench plan.yaml" in text
    assert "keeps the cost it had when it was first done" in text
    assert "RuntimeError" in text
    assert "| <code>eval_items</code> | not known |" in text


def test_the_whole_markdown_report_renders_to_expected_tags_only(tmp_path: Path) -> None:
    text = render(rich_run(tmp_path / "r"), "md")["report.md"].decode()
    seen = {tag for tag, _ in tags_of(as_html(text))}
    layout = {"h1", "h2", "h3", "p", "ul", "ol", "li", "strong", "code", "pre", "img"}
    assert seen <= layout | {"table", "thead", "tbody", "tr", "th", "td"}
    assert "\x1b" not in text


def test_a_failed_method_is_shown_with_a_dash_and_never_a_zero(tmp_path: Path) -> None:
    text = render(rich_run(tmp_path / "r"), "md")["report.md"].decode()
    results = text.split("## Results")[1].splitlines()
    row = next(line for line in results if line.startswith("| <code>raft</code>"))
    assert row == "| <code>raft</code> | failed | – | – | – | – | – | – |"


def test_html_is_one_file_that_loads_and_runs_nothing(tmp_path: Path) -> None:
    files = render(rich_run(tmp_path / "r"), "html")
    assert list(files) == ["report.html"]
    seen = tags_of(files["report.html"].decode())
    assert not {"script", "link", "iframe", "object"} & {tag for tag, _ in seen}
    sources = [attrs["src"] for tag, attrs in seen if tag == "img"]
    assert len(sources) == 4
    assert all(source and source.startswith("data:image/svg+xml;base64,") for source in sources)


def test_json_is_the_whole_comparison(tmp_path: Path) -> None:
    comparison = rich_run(tmp_path / "r", ["plain"])
    content = render(comparison, "json")["report.json"]
    assert Comparison.model_validate_json(content) == comparison


def test_figures_are_svg_with_text_and_without_a_date(tmp_path: Path) -> None:
    files = render(rich_run(tmp_path / "r"), "md", stem="letters")
    figures = {name: content for name, content in files.items() if name.endswith(".svg")}
    assert set(figures) == {
        "letters-figures/score-against-cost.svg",
        "letters-figures/score-against-latency.svg",
        "letters-figures/paired-differences.svg",
        "letters-figures/training-curves.svg",
    }
    for content in figures.values():
        ElementTree.fromstring(content)
        assert b"<text" in content
        assert b"<dc:date>" not in content
    assert b">lora</text>" in figures["letters-figures/score-against-cost.svg"]


def test_a_run_without_results_still_has_a_report(tmp_path: Path) -> None:
    run = make_run(tmp_path / "r", [Made("zero-shot", status="pending")])
    files = render(compare(run), "md")
    assert list(files) == ["report.md"]
    assert b"No method finished, so there is nothing to compare." in files["report.md"]


def floor_line(folder: Path, method: list[float], floor: list[float]) -> str:
    """What the report says, in short, of the best floor."""
    arms = [Made("zero-shot", method), Made("majority", floor, floor=True)]
    report = render(compare(make_run(folder, arms)), "md")["report.md"].decode()
    lines = report.partition("## Findings")[2].partition("##")[0].splitlines()
    (line,) = [line for line in lines if "The best floor without a language model" in line]
    return line


def test_no_need_for_a_language_model_is_shown_where_a_lead_that_matters_is_ruled_out(
    tmp_path: Path,
) -> None:
    # Tango's interval of 4 items that one, and 12 that the other alone got right, of 200, ends
    # at 0; of none at all it ends at z² / (n + z²) = .019.
    level = [1.0] * 100 + [0.0] * 100
    for place, method in enumerate((level, [1.0] * 88 + [0.0] * 12 + [1.0] * 4 + [0.0] * 96)):
        line = floor_line(tmp_path / str(place), method, level)
        assert "this sample shows no need for a language model.**" in line
        assert "end below 10 points" in line


def test_too_few_items_are_not_said_to_show_no_need_for_a_language_model(tmp_path: Path) -> None:
    # The cut of `make demo`: 40 items, a few points apart, either way.
    for place, hits in enumerate((18, 22)):
        line = floor_line(
            tmp_path / str(place), [0.0, 1.0] * 20, [1.0] * hits + [0.0] * (40 - hits)
        )
        assert "too few items to tell (40) whether a language model is needed" in line
        assert "shows no need" not in line
        assert "in fewer than 80 % of such samples" in line


def test_an_observed_lead_that_is_not_separated_shows_no_absence_of_need(tmp_path: Path) -> None:
    # 6 of 100 items ahead: p = .03 by McNemar, .09 for three pairs. The lead may be real.
    arms = [
        Made("lora", [1.0] * 59 + [0.0] * 41),
        Made("zero-shot", [0.0, 1.0] * 50),
        Made("majority", [1.0] * 6 + [0.0] * 6 + [1.0] * 47 + [0.0] * 41, floor=True),
    ]
    report = render(compare(make_run(tmp_path / "r", arms)), "md")["report.md"].decode()
    assert "too few items to tell" in report
    assert "shows no need" not in report


def test_nothing_in_a_citation_is_a_command_of_latex(tmp_path: Path) -> None:
    run = make_run(tmp_path / "r", [Made("zero-shot", [1.0])], Material(task="a_b%c"))
    assert "compared on a\\_b\\%c with" in render(compare(run), "md")["report.md"].decode()


def test_figures_are_written_with_their_units_and_dashes() -> None:
    assert numbers.score(None) == "–"
    assert numbers.points(-0.0001) == "0.0"
    assert numbers.points(0.1234) == "+12.3"
    assert numbers.p_value(0.0004) == "< 0.001"
    assert numbers.significant(1234.5) == "1,234"
    assert numbers.significant(0.01234) == "0.0123"


@pytest.mark.slow
def test_writing_a_report_leaves_its_files_and_the_comparison(tmp_path: Path) -> None:
    rich_run(tmp_path / "r", ["plain"])
    written = write_report(tmp_path / "r", ReportFormat.md, tmp_path / "out" / "letters.md")
    assert written[0] == tmp_path / "out" / "letters.md"
    assert all(path.is_file() for path in written)
    assert "letters-figures/score-against-cost.svg" in written[0].read_text()
    assert (tmp_path / "r" / "comparison.json").is_file()
    before = [path.read_bytes() for path in written]
    again = write_report(tmp_path / "r", ReportFormat.md, tmp_path / "out" / "letters.md")
    assert [path.read_bytes() for path in again] == before


def test_a_method_that_ran_alone_is_not_called_separated_from_others(tmp_path: Path) -> None:
    arms = [Made("lora", [1.0, 0.0] * 6), Made("majority", [0.0] * 12, floor=True)]
    text = render(compare(make_run(tmp_path / "r", arms)), "md")["report.md"].decode()
    assert "**lora** scores highest" in text
    assert ", but no other method has a score to compare it with" in text
    assert "separated from every other" not in text


def test_the_memory_of_a_ranking_says_what_it_counts(tmp_path: Path) -> None:
    old = {"method": "lora", "memory_gib": 0.29}
    new = {"method": "lora", "estimate": {"memory": {"total": {"likely": 2.0 * 2**30}}}}
    said = []
    for place, entry in enumerate((old, new, {"method": "lora"})):
        advice = json.dumps({"ranked": [entry]})
        run = make_run(tmp_path / str(place), [Made("lora", [1.0] * 12)], recommendation=advice)
        said.append(render(compare(run), "md")["report.md"].decode())
    assert ["without activations, logits and libraries" in text for text in said] == [
        True,
        False,
        False,
    ]
    # advisor.sizing sums weights, activations, logits and on a GPU the CUDA context.
    assert ["activations, logits and a KV cache" in text for text in said] == [False, True, False]
    assert "some 2.1 GB" in said[1]
    assert "Memory is" not in said[2]


def test_latency_is_not_said_to_be_over_more_items_than_there_are(tmp_path: Path) -> None:
    arms = [Made("zero-shot", [1.0, 0.0] * 6)]
    text = render(compare(make_run(tmp_path / "r", arms)), "md")["report.md"].decode()
    assert "one item alone, over 12 items" in text


def test_a_floor_that_is_separated_above_the_leader_is_said_to_be(tmp_path: Path) -> None:
    arms = [
        Made("zero-shot", [1.0, 0.0] * 20),
        Made("tfidf-lr", [1.0] * 40, floor=True),
    ]
    text = render(compare(make_run(tmp_path / "r", arms)), "md")["report.md"].decode()
    in_short = text.partition("## Findings")[2].partition("##")[0]
    assert "**No method is separated above it, and it is separated above zero-shot, and" in in_short
    assert "this sample shows no need for a language model.**" in in_short


def test_a_prompt_that_fits_no_context_is_missing_and_not_called_cut(tmp_path: Path) -> None:
    arms = [Made("zero-shot", [0.0] + [1.0] * 9, refused=1, truncated=1)]
    text = render(compare(make_run(tmp_path / "r", arms)), "md")["report.md"].decode()
    assert "zero-shot: 1 answer is missing and counts as wrong:" in text
    assert "Prompts cut to fit" not in text
