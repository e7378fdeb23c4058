"""What can be told apart is said before anything is run."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner, Result

from advisor.cli.app import app
from benchmarks.statistics import detectable_difference, items_needed, mcnemar_power
from strategies.errors import UserError


def power(*options: str) -> Result:
    return CliRunner().invoke(app, ["power", *options])


def test_the_items_that_show_a_difference_have_the_power_that_is_asked_for() -> None:
    # Connor's formula says 155 and 264, of which the exact test has .76 and .78.
    for tests, least in ((1, 155), (10, 264)):
        items = items_needed(0.1, 0.2, tests)
        assert items is not None
        assert least < items < 1.1 * least
        assert all(mcnemar_power(n, 0.1, 0.2, tests) >= 0.8 for n in range(items, items + 10))
        assert mcnemar_power(items - 1, 0.1, 0.2, tests) < 0.8
    assert items_needed(0.3, 0.2) is None


@pytest.mark.parametrize("items", [60, 150, 1000])
def test_as_many_items_as_a_difference_needs_show_that_difference(items: int) -> None:
    seen = detectable_difference(items, 0.3, tests=21)
    assert seen is not None
    assert items_needed(seen, 0.3, tests=21) == pytest.approx(items, rel=0.1)


def test_more_methods_and_floors_leave_less_to_be_seen() -> None:
    alone = json.loads(power("--json").stdout)
    many = json.loads(power("--methods", "7", "--floors", "3", "--json").stdout)
    assert (alone["pairs"], many["pairs"]) == (1, 42)
    for one, other in zip(alone["rows"], many["rows"], strict=True):
        assert one["detectable"] == other["detectable"]
        corrected = other["detectable_corrected"]
        assert corrected is None or corrected > one["detectable"]


def test_a_wanted_difference_gets_its_items() -> None:
    shown = power("--difference", "10", "--discordance", "0.05,0.2").stdout.splitlines()
    assert shown[0].split("\t")[-1] == "items that show 10 points"
    assert [line.split("\t")[-1] for line in shown[1:]] == ["–", "168"]


@pytest.mark.parametrize("wrong", ["0", "1.5", "x", "0.1,,0.2", ""])
def test_shares_that_are_none_are_named(wrong: str) -> None:
    found = power("--discordance", wrong)
    assert isinstance(found.exception, UserError)
    assert f"--discordance {wrong}" in str(found.exception)
