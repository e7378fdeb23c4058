"""Numbers in the evidence that this project computed are what computing them gives."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from advisor.flowchart import load_flowchart
from benchmarks.statistics import mcnemar_power

RUNS = sorted((Path(__file__).parents[2] / "reports" / "runs").glob("*/comparison.json"))
# A run with six methods and two floors tests 25 pairs or so.
PAIRS = 25


def _numbers(text: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", text)]


@pytest.fixture(scope="module")
def stated() -> list[int]:
    """150 15 17 20 23 40 50 50 25 29 150 2 7 2 10: items, points and shares in their order."""
    return _numbers(load_flowchart().claims["OURS-POWER"].finding)


@pytest.mark.parametrize(("items", "tests", "place"), [(150, 1, 1), (150, PAIRS, 3), (50, 1, 8)])
def test_the_points_that_right_and_wrong_answers_resolve_have_eighty_percent_power(
    stated: list[int], items: int, tests: int, place: int
) -> None:
    low, high = stated[place], stated[place + 1]
    for points, discordance in ((low, 0.4), (high, 0.5)):
        # To whole points: the next lower one has less power, the next higher one has more.
        assert mcnemar_power(items, (points - 1) / 100, discordance, tests) < 0.8
        assert mcnemar_power(items, (points + 1) / 100, discordance, tests) > 0.8


def test_the_committed_runs_resolve_what_the_evidence_says(stated: list[int]) -> None:
    assert len(RUNS) == 8
    found = [json.loads(path.read_text()) for path in RUNS]
    for right_and_wrong, places in ((True, (1, 2, 3, 4)), (False, (11, 12, 13, 14))):
        runs = [
            run
            for run in found
            if (run["differences"][0]["test"] == "exact McNemar") == right_and_wrong
        ]
        for key, (low, high) in (
            ("typical_detectable", places[:2]),
            ("typical_detectable_corrected", places[2:]),
        ):
            points = [round(100 * run[key]) for run in runs]
            assert (min(points), max(points)) == (stated[low], stated[high]), (key, points)
