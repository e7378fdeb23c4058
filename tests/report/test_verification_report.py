from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest
from markdown_it import MarkdownIt

from benchmarks.report.document import Figure, Heading
from benchmarks.report.verification import (
    arguments,
    change,
    details,
    in_short,
    policy_rows,
    render_verification,
    run_rows,
    verification_blocks,
)
from benchmarks.verification import Advised, Argument, Passed, Verification, verify
from tests.comparison.runs import Made, Material, make_run

ARGUMENTS = (
    Argument(
        method="zero-shot", node="knowledge", text="It is | cheap.", strength=3, evidence=("E1",)
    ),
    Argument(method="lora", node="labels", text="Too few labels.", strength=-2, evidence=("E2",)),
    Argument(method="full", node="labels", text="Not of the two.", strength=-1, evidence=("E2",)),
)


def right(count: int, items: int = 40) -> list[float]:
    return [1.0] * count + [0.0] * (items - count)


def advised(*allowed: str, target: float | None = 0.5) -> Advised:
    return Advised(
        answers={"target_score": target, "labelled_examples": 1500},
        verdict="adapt",
        text="a text",
        recommended=allowed[0],
        allowed=allowed,
        path=(Passed(node="knowledge", question="Are facts needed?", branch="no"),),
        arguments=ARGUMENTS,
    )


def verification(folder: Path) -> Verification:
    """A miss (zero-shot was advised, lora is ahead by 25 of 40 items) and a hit."""
    arms = [Made("zero-shot", right(5)), Made("lora", right(30))]
    runs = [
        make_run(folder / name, arms, Material(task=name, run_id=name)) for name in ("one", "two")
    ]
    cases = [
        (runs[0], advised("zero-shot", "lora")),
        (runs[1], advised("lora", "zero-shot", target=0.8)),
    ]
    return verify(cases, "my | chart.yaml", "e" * 64)


def text_of(found: Verification) -> str:
    return render_verification(found, "md", "verification")["verification.md"].decode()


@pytest.mark.parametrize("form", ["md", "html"])
def test_rendering_the_same_verification_twice_gives_the_same_bytes(
    tmp_path: Path, form: str
) -> None:
    found = verification(tmp_path)
    again = Verification.model_validate_json(found.model_dump_json())
    first = render_verification(found, form, "v")  # type: ignore[arg-type]
    assert first == render_verification(again, form, "v")  # type: ignore[arg-type]
    assert next(iter(first)) == f"v.{form}"


def test_markdown_comes_with_its_figure_and_html_is_one_file(tmp_path: Path) -> None:
    found = verification(tmp_path)
    markdown = render_verification(found, "md", "v")
    assert list(markdown) == ["v.md", "v-figures/regret-by-run.svg"]
    assert b"(v-figures/regret-by-run.svg)" in markdown["v.md"]
    drawn = ElementTree.fromstring(markdown["v-figures/regret-by-run.svg"])
    words = {element.text for element in drawn.iter("{http://www.w3.org/2000/svg}text")}
    assert {"advisor", "always-RAG", "one", "two", "cross-fitted regret, points"} <= words
    assert list(render_verification(found, "html", "v")) == ["v.html"]


def test_without_a_known_regret_there_is_no_figure(tmp_path: Path) -> None:
    run = make_run(tmp_path / "r", [Made("zero-shot", right(1, 5)), Made("lora", right(4, 5))])
    found = verify([(run, advised("lora", "zero-shot"))], "a chart", "e" * 64)
    assert list(render_verification(found, "md", "v")) == ["v.md"]
    assert "5 units are too few to split, so regret is not known." in details(found.runs[0])
    assert not any(isinstance(block, Figure) for block in verification_blocks(found))


def test_a_line_a_run_names_advice_winner_regret_outcome_and_target(tmp_path: Path) -> None:
    one, two = run_rows(verification(tmp_path))
    assert one[:2] == ("one", "zero-shot")
    # Wilson's interval of 30 of 40; 25 of 40 items behind.
    assert one[2] == "lora 0.750 (0.598 to 0.858)"
    assert one[3].startswith("62.5, at most 7")
    assert one[4:] == ("miss", "0.5 missed")
    assert two[3:] == ("0.0, at most 0.0", "hit", "0.8 missed")


def test_a_line_a_policy_holds_means_counts_and_the_paired_difference(tmp_path: Path) -> None:
    rows = {row[0]: row for row in policy_rows(verification(tmp_path))}
    # The advisor: 62.5 and 0 points, the worst method and the best; always-LoRA: 0 and 0.
    assert rows["advisor"][1].startswith("50.0 %, at most 50.0 % (31.2, at most 3")
    assert rows["advisor"][2:] == ("–",) * 6 + ("1", "0", "1", "0", "–")
    assert rows["always-LoRA"][1] == "0.0 %, at most 0.0 % (0.0, at most 0.0 points)"
    assert rows["always-LoRA"][2:8] == ("+50.0 %", "0", "1", "1", "–", "1")
    assert rows["always-LoRA"][8:] == ("2", "0", "0", "0", "0")
    assert rows["always-RAG"][8:] == ("0", "0", "0", "0", "2")
    assert rows["best in hindsight: lora"][1] == rows["always-LoRA"][1]


def test_a_miss_is_listed_with_its_path_and_the_arguments_about_the_two(tmp_path: Path) -> None:
    text = text_of(verification(tmp_path))
    misses = text.split("## Misses")[1].split("## Runs")[0]
    assert "### one" in misses
    assert "### two" not in misses
    assert "1. <code>knowledge</code>: Are facts needed? no" in misses
    assert (
        "| <code>lora</code> | <code>labels</code> | -2 | Too few labels. &#91;E2&#93; |" in misses
    )
    assert "It is &#124; cheap." in misses
    assert "Not of the two." not in misses


def test_a_winner_of_which_nothing_was_said_is_listed_too(tmp_path: Path) -> None:
    arms = [Made("zero-shot", right(5)), Made("rag", right(30))]
    run = make_run(tmp_path / "r", arms)
    found = verify([(run, advised("zero-shot", "rag"))], "a chart", "e" * 64)
    assert arguments(found.runs[0])[0] == ("rag", "–", "–", "Nothing was said for or against it.")
    assert arguments(found.runs[0])[1][:3] == ("zero-shot", "knowledge", "+3")


def test_without_a_miss_the_report_says_so(tmp_path: Path) -> None:
    arms = [Made("zero-shot", right(5)), Made("lora", right(30))]
    run = make_run(tmp_path / "r", arms)
    found = verify([(run, advised("lora", "zero-shot"))], "a chart", "e" * 64)
    assert "## Misses\n\nThere is none." in text_of(found)


def test_a_mean_over_some_of_the_runs_says_over_how_many(tmp_path: Path) -> None:
    arms = [Made("zero-shot", right(5)), Made("lora", right(30))]
    runs = [make_run(tmp_path / "a", arms), make_run(tmp_path / "b", arms[:1])]
    found = verify([(run, advised("lora", "zero-shot")) for run in runs], "a chart", "e" * 64)
    assert found.summaries[0].regret is not None and found.summaries[0].regret.runs == 1
    (mean,) = [line for line in in_short(found) if line.startswith("The advisor's mean regret")]
    assert mean == (
        "The advisor's mean regret is 0.0 %, at most 0.0 % of the way from the best method to the "
        "worst (0.0, at most 0.0 points), over 1 run."
    )
    assert policy_rows(found)[0][1].endswith("points), 1 run")


def test_sentences_say_which_policies_the_runs_tell_apart(tmp_path: Path) -> None:
    said = in_short(verification(tmp_path))
    assert said[0].startswith("The advice for 2 runs: hit 1, miss 1.")
    # Two tasks tell nothing apart.
    undecided = next(line for line in said if "different in fewer than 6 of them" in line)
    assert "always-LoRA" in undecided
    assert not any("sign test over tasks that" in line for line in said)


def test_six_tasks_that_agree_tell_the_advisor_from_a_policy(tmp_path: Path) -> None:
    runs = []
    for number, task in enumerate(f"task-{number}" for number in range(6)):
        scores = {"zero-shot": 5 + number % 3, "lora": 30, "full": 31 + number % 2}
        arms = [Made(method, right(hits)) for method, hits in scores.items()]
        runs.append(make_run(tmp_path / task, arms, Material(task=task, run_id=task)))
    advice = advised("lora", "full", "zero-shot")
    found = verify([(run, advice) for run in runs], "a chart", "e" * 64)
    said = in_short(found)
    # zero-shot stands in for rag and icl-nearest, far behind; full is an item or two ahead.
    test = "by a sign test over tasks that is not corrected for the number of policies"
    assert f"The advisor did better, {test}, than: always-ICL; always-RAG." in said
    assert f"The advisor did worse, {test}, than: always-full; best in hindsight: full." in said
    rows = {row[0]: row for row in policy_rows(found)}
    # 2 / 2^6.
    assert rows["always-full"][3:7] == ("0", "0", "6", "0.031")


def test_the_first_lines_say_that_a_simple_rule_does_as_well(tmp_path: Path) -> None:
    arms = [Made("zero-shot", right(5)), Made("lora", right(30))]
    run = make_run(tmp_path / "r", arms)
    found = verify([(run, advised("lora", "zero-shot"))], "a chart", "e" * 64)
    assert in_short(found)[1:3] == [
        "A simple rule does at least as well as the advisor here: “always-LoRA” (mean regret "
        "0.0 %, hit 1 of 1); “retrieval if knowledge, else LoRA” (mean regret 0.0 %, hit 1 of 1).",
        "A rule that looks at measurements does at least as well as the advisor here: “RAG first, "
        "then tune” (mean regret 0.0 %, hit 1 of 1).",
    ]


def test_the_headline_carries_what_weakens_it(tmp_path: Path) -> None:
    arms = [
        Made("zero-shot", right(5)),
        Made("lora", right(30)),
        Made("full", right(29)),
        Made("majority", right(28), floor=True),
    ]
    runs = [make_run(tmp_path / n, arms, Material(task=n, run_id=n)) for n in ("one", "two")]
    targets = (0.9, None)
    cases = [
        (run, advised("lora", "full", "zero-shot", target=target))
        for run, target in zip(runs, targets, strict=True)
    ]
    assert in_short(verify(cases, "a chart", "e" * 64, in_sample={1}))[0] == (
        "The advice for 2 runs: hit 2. The best method is separated from the next best in 0 of 2 "
        "runs. A target was named in 1 run, and what was advised reaches it in 0. In 2 of 2 runs "
        "no method is separated above the best floor without a language model. 1 of 2 runs is in "
        "sample. 2 of 2 runs have one seed."
    )


def test_a_policy_of_fallbacks_is_called_that(tmp_path: Path) -> None:
    found = verification(tmp_path)
    said = next(line for line in in_short(found) if "stood in" in line)
    assert "always-ICL (2 of 2); always-RAG (2 of 2); always-full (2 of 2)" in said
    assert "Their mean regret says little of their own method." in said


def test_regrets_are_never_shown_below_zero_and_the_figure_begins_there(tmp_path: Path) -> None:
    ahead = right(11, 20)
    run = make_run(tmp_path / "r", [Made("lora", ahead), Made("full", ahead[::-1])])
    found = verify([(run, advised("lora", "full"))], "a chart", "e" * 64)
    shown = run_rows(found)[0][3]
    assert shown.startswith("0.0, at most ")
    files = render_verification(found, "md", "v")
    table = files["v.md"].decode().split("What each chose in each run")[1].split("##")[0]
    (row,) = [line for line in table.splitlines() if "lora 0.0" in line]
    assert "-" not in row.replace("run-1", "").replace("zero-shot", "")
    drawn = ElementTree.fromstring(files["v-figures/regret-by-run.svg"])
    words = [element.text or "" for element in drawn.iter("{http://www.w3.org/2000/svg}text")]
    # matplotlib writes a minus sign.
    assert not any(word.startswith("\u2212") for word in words)


def test_a_changed_advice_is_shown_beside_the_stored_one(tmp_path: Path) -> None:
    kept = '{"verdict": "no_adaptation", "ranked": [{"method": "zero-shot"}]}'
    run = make_run(tmp_path / "r", [Made("lora", right(30))], recommendation=kept)
    found = verify([(run, advised("lora"))], "a chart", "e" * 64)
    assert change(found.runs[0]) == "lora today, no adaptation when the run was planned."
    assert "lora today, no adaptation when the run was planned." in text_of(found)
    assert change(verification(tmp_path / "other").runs[0]) is None


def test_every_table_of_the_report_has_as_many_cells_as_heads(tmp_path: Path) -> None:
    text = text_of(verification(tmp_path))
    tokens = MarkdownIt("gfm-like", {"linkify": False}).parse(text)
    heads, cells = 0, []
    for token in tokens:
        if token.type == "thead_open":
            heads = 0
        heads += token.type == "th_open"
        if token.type == "tr_open":
            cells.append(0)
        if token.type == "td_open":
            cells[-1] += 1
        if token.type == "tr_close" and cells[-1]:
            assert cells[-1] == heads
    assert len(cells) > 10


def test_labels_of_the_answers_stand_beside_those_of_the_run(tmp_path: Path) -> None:
    text = text_of(verification(tmp_path)).split("## Runs")[1]
    assert "| 40 | 40 | 1,500 | 20 |" in text


def test_the_flowchart_is_named_and_hashed(tmp_path: Path) -> None:
    found = verification(tmp_path)
    first = verification_blocks(found)[0]
    assert isinstance(first, Heading)
    assert "my &#124; chart.yaml" in text_of(found)
    assert "e" * 64 in text_of(found)
