from __future__ import annotations

import json
import re
from html import unescape
from pathlib import Path

import pytest

from benchmarks.comparison import Wishes, compare
from benchmarks.records import Cost
from benchmarks.report import render
from benchmarks.report.verdict import items_needed
from benchmarks.results import Comparison, Difference, HourPrice, Interval
from tests.comparison.runs import Made, make_run

TRAINED = Cost(train_seconds=155.0, answer_seconds=4.0)
UNTRAINED = Cost(answer_seconds=2.0)
AHEAD = [1.0] * 190 + [0.0] * 10
BEHIND = [1.0] * 60 + [0.0] * 140
NEAR = [1.0] * 188 + [0.0] * 12


def compared(
    folder: Path, arms: list[Made], target: float | None = None, wishes: Wishes | None = None
) -> Comparison:
    advice = None
    if target is not None:
        answers = {"target_score": target}
        advice = json.dumps({"answers": answers, "ranked": [{"method": "lora"}]})
    run = make_run(folder, arms, recommendation=advice)
    return compare(run, None, wishes) if wishes else compare(run)


def markdown(comparison: Comparison) -> str:
    return unescape(render(comparison, "md")["report.md"].decode())


def verdict_of(comparison: Comparison) -> str:
    """The first paragraph under the first heading below the title."""
    return markdown(comparison).split("\n\n")[2]


def test_the_first_screen_is_question_verdict_table_picture_and_then_what_to_do(
    tmp_path: Path,
) -> None:
    arms = [
        Made("lora", AHEAD, cost=TRAINED),
        Made("zero-shot", BEHIND, cost=UNTRAINED),
    ]
    comparison = compared(tmp_path / "r", arms, target=0.8)
    text = markdown(comparison)
    page = unescape(render(comparison, "html")["report.html"].decode())
    for whole, marks in (
        (text, ("# Which", "**lora** scores", "| method |", "![score-against-cost]", "## What to")),
        (page, ("<h1>", "<strong>lora</strong> scores", "<table", "<img ", "<h2>What to do next")),
    ):
        places = [whole.index(mark) for mark in marks]
        assert places == sorted(places)
        evidence = ("Limits", "All paired differences", "Environment", "Hashes (SHA-256)")
        later = [whole.index(f"{name}\n" if whole is text else f">{name}<") for name in evidence]
        assert [places[-1], *later] == sorted([places[-1], *later])


def test_the_table_says_score_chance_target_and_cost_of_every_method(tmp_path: Path) -> None:
    arms = [Made("lora", AHEAD, cost=TRAINED), Made("zero-shot", BEHIND, cost=UNTRAINED)]
    text = markdown(compared(tmp_path / "r", arms, target=0.8))
    head = (
        "| method | accuracy (95 % interval) | chance of being the best | reaches 0.8 | time for "
        "1,000 answers | time to train and index |"
    )
    assert head in text
    # 4 s for 200 items are 20 s for 1,000.
    lora = next(line for line in text.splitlines() if line.startswith("| **lora** |"))
    assert lora.startswith("| **lora** | 0.950 (0.9")
    assert lora.endswith("| > 99 % | yes (> 99 %) | 20 s | 2 min 35 s |")
    assert re.search(r"<code>zero-shot</code> \| 0\.300 .* \| no \(< 1 %\) \| 10 s \| 0 s \|", text)


def test_with_a_price_the_table_is_in_dollars(tmp_path: Path) -> None:
    arms = [Made("lora", AHEAD, cost=TRAINED), Made("zero-shot", BEHIND, cost=UNTRAINED)]
    price = HourPrice(usd=36.0, name="box", source="a quote", date="2026-01-31")
    text = markdown(compared(tmp_path / "r", arms, wishes=Wishes(None, price)))
    assert "USD for 1,000 answers | USD to train and index |" in text
    # A hundredth of a dollar a second: 20 s and 155 s.
    assert "| 0.2 | 1.55 |" in text


def test_a_separated_leader_is_said_to_be_so_with_its_chance(tmp_path: Path) -> None:
    arms = [Made("zero-shot", AHEAD), Made("icl-random", BEHIND)]
    said = verdict_of(compared(tmp_path / "r", arms))
    assert said.startswith("**zero-shot** scores highest: accuracy 0.950 (")
    assert "with a chance of > 99 % of being the best" in said
    assert "and it is separated from every other method that finished" in said
    assert "weak point" not in said or "few items" in said


def test_a_leader_that_is_not_separated_is_never_called_equal(tmp_path: Path) -> None:
    arms = [Made("lora", AHEAD, cost=TRAINED), Made("zero-shot", NEAR, cost=UNTRAINED)]
    text = markdown(compared(tmp_path / "r", arms))
    said = text.split("\n\n")[2]
    assert "but this sample does not separate it from **zero-shot**" in said
    assert re.search(r"with a chance of \d\d % of being the best", said)
    first = text.partition("## Findings")[0]
    assert not re.search(r"\b(as good as|same as|equally|equivalent|tied|no difference)\b", first)
    assert "not separated is not equal" in first
    assert "**zero-shot** answers at the least cost" in first


def test_the_verdict_names_each_weakness(tmp_path: Path) -> None:
    arms = [
        Made("lora", [1.0] * 22 + [0.0] * 18, cost=TRAINED),
        Made("zero-shot", [0.0, 1.0] * 20, cost=UNTRAINED),
        Made("raft", status="failed"),
        Made("majority", [1.0] * 20 + [0.0] * 20, floor=True),
    ]
    said = verdict_of(compared(tmp_path / "r", arms, target=0.9))
    assert "**weak points:** no method is separated above the floor majority (0.500);" in said
    assert "no method reaches the target 0.9;" in said
    assert re.search(r"few items \(40: a lead below \d\d points can stay unseen\);", said)
    assert "only one seed was trained;" in said
    assert "no full result of raft." in said
    # One sentence: it ends once.
    assert len(re.findall(r"\.(?:\s|$)", said)) == 1


def test_an_untrained_run_is_not_blamed_for_one_seed(tmp_path: Path) -> None:
    arms = [Made("zero-shot", AHEAD, cost=UNTRAINED), Made("icl-random", BEHIND, cost=UNTRAINED)]
    first = markdown(compared(tmp_path / "r", arms)).partition("## Choosing")[0]
    assert "seed" not in first


@pytest.mark.parametrize(
    ("target", "said", "cell"),
    [
        (0.9, "no method reaches the target 0.9", "| no (<"),
        (0.8, "it reaches the target 0.8, but not with its whole interval", "| open ("),
        (0.5, None, "| yes ("),
    ],
)
def test_the_first_screen_says_who_reaches_the_target(
    tmp_path: Path, target: float, said: str | None, cell: str
) -> None:
    # Wilson's interval of 164 of 200 is .761 to .867.
    arms = [Made("zero-shot", [1.0] * 60 + [0.0] * 140), Made("lora", [1.0] * 164 + [0.0] * 36)]
    text = markdown(compared(tmp_path / "r", arms, target)).partition("## Findings")[0]
    (row,) = [line for line in text.splitlines() if line.startswith("| **lora**")]
    assert cell in row
    assert (said in text) if said else ("the target 0.5" not in text)


def test_a_floor_that_is_ahead_opens_the_verdict(tmp_path: Path) -> None:
    arms = [Made("zero-shot", [1.0, 0.0] * 20), Made("tfidf-lr", [1.0] * 40, floor=True)]
    comparison = compared(tmp_path / "r", arms)
    assert verdict_of(comparison).startswith(
        "**tfidf-lr**, a floor without a language model, is separated above"
    )
    assert "1. Start with the floor **tfidf-lr**" in markdown(comparison)


def test_a_floor_that_scores_higher_is_not_hidden_by_highest(tmp_path: Path) -> None:
    arms = [
        Made("zero-shot", [1.0] * 20 + [0.0] * 20),
        Made("majority", [0.0] * 19 + [1.0] * 21, floor=True),
    ]
    assert "scores highest of the methods" in verdict_of(compared(tmp_path / "r", arms))


def pair(difference: float, detectable: float | None) -> Difference:
    return Difference(
        a="lora", b="rag", family="methods", difference=difference,
        interval=Interval(low=-1, high=1, method="m"), p_value=0.5, p_holm=0.5, test="t",
        items=100, discordance=0.1, detectable=detectable, detectable_corrected=detectable,
    )  # fmt: skip


def test_the_items_that_would_show_a_lead_grow_with_the_square_of_the_ratio() -> None:
    assert items_needed(pair(0.1, 0.2)) == 400
    assert items_needed(pair(-0.1, 0.2)) == 400
    # 100 * (0.2 / 0.03)^2 = 4,444, of which two figures are kept, rounded up.
    assert items_needed(pair(0.03, 0.2)) == 4500
    assert items_needed(pair(0.0, 0.2)) is None
    assert items_needed(pair(0.1, None)) is None
