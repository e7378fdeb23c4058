"""The comparison with peers: what counts as the same answer, and a whole run on a tiny model."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks.speed import choices, generation, growth, startup, training
from benchmarks.speed.__main__ import main
from benchmarks.speed.pairs import Measured
from benchmarks.store import read_record


def test_another_best_choice_is_unlike_and_near_when_the_two_best_are() -> None:
    peer = [[-1.0, -2.0], [-1.0, -1.0005], [-1.0, -3.0]]
    ours = [[-1.0, -2.0], [-1.0005, -1.0], [-3.0, -1.0]]
    found = choices.agree(peer, ours)
    assert (found.unlike, found.near) == ((1, 2), (1,))
    assert found.largest_difference == pytest.approx(2.0)


def test_another_text_is_unlike_and_near_when_two_tokens_were() -> None:
    peer = [[[5, 6], []], [[5, 6], []], [[5], []]]
    ours = [[[5, 7], [1e-4, 0.5]], [[5, 8], [0.5, 1e-4]], [[5], [0.5, 0.5]]]
    found = generation.agree(peer, ours)
    assert (found.items, found.unlike, found.near) == (3, (0, 1), (1,))


def test_a_loss_curve_is_unlike_where_it_leaves_the_peers() -> None:
    found = training.agree([2.0, 1.0], [2.001, 1.5])
    assert found.unlike == (1,)
    assert found.largest_difference == pytest.approx(0.5)


def test_a_line_goes_through_points_on_a_line() -> None:
    line = growth.line_through([1, 2, 5], [3.0, 5.0, 11.0])
    assert (line.constant, line.slope, line.r_squared) == pytest.approx((1, 2, 1))


def test_a_command_is_timed_five_times_and_once_for_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    busy = (sys.executable, "-c", "sum(range(3_000_000))")
    monkeypatch.setattr(startup, "COMMANDS", {"nothing": ("true",), "busy": busy})
    found = startup.measure_starts(tmp_path, "a")
    assert [len(each.cpu_seconds) for each in found.commands] == [5, 5]
    assert found.commands[1].median > found.commands[0].median
    assert startup.measure_starts(tmp_path, "a") == found
    assert startup.measure_starts(tmp_path, "b").code_sha256 == "b"


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("case", ["shots-8", "passages", "lora-unpacked", "full-unpacked"])
def test_peer_and_ours_agree_on_a_tiny_model(
    case: str, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmarks.speed.__main__.resolve_precision", lambda wanted: "fp32")
    monkeypatch.setattr("benchmarks.speed.startup.COMMANDS", {"nothing": ("true",)})
    given = ["--cases", case, "--pairs", "1", "--items", "8", "--model", str(tiny_model)]
    given.append("--growth")
    main([*given, "--out", str(tmp_path)])
    (pair,) = read_record(tmp_path / f"{case}-fp32.json", Measured).pairs
    assert pair.agreement.items > 0
    assert not pair.agreement.unlike
    assert case in (tmp_path / "figures" / "ratios.svg").read_text(encoding="utf-8")
    before = (tmp_path / "report.md").read_bytes()
    main([*given, "--out", str(tmp_path)])
    assert (tmp_path / "report.md").read_bytes() == before
