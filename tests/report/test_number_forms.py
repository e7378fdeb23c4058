from __future__ import annotations

import pytest

from benchmarks.report import numbers


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (None, "–"),
        (0.0, "0 s"),
        (0.00001, "< 0.1 ms"),
        (0.0011, "1.1 ms"),
        (0.12, "120 ms"),
        (0.9997, "1 s"),
        (2.34, "2.3 s"),
        (9.97, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 min"),
        (155.0, "2 min 35 s"),
        (3599.7, "1 h"),
        (11_100.0, "3 h 5 min"),
        (86_399.0, "1 d"),
        (187_200.0, "2 d 4 h"),
    ],
)
def test_a_time_is_written_as_people_say_it(seconds: float | None, said: str) -> None:
    assert numbers.duration(seconds) == said


@pytest.mark.parametrize(
    ("size", "said"),
    [
        (None, "–"),
        (0, "0 B"),
        (999, "999 B"),
        (999_600, "1 MB"),
        (512_000_000, "512 MB"),
        (8_100_000_000, "8.1 GB"),
        # 23.5 GiB, as the machine of the committed runs has them.
        (25_232_932_864, "25 GB"),
        (2 * 10**12, "2 TB"),
    ],
)
def test_a_size_is_written_in_decimal_units(size: int | None, said: str) -> None:
    assert numbers.size(size) == said


@pytest.mark.parametrize(
    ("difference", "said"),
    [
        (0.13, "13 points"),
        (0.126, "13 points"),
        (0.055, "5.5 points"),
        (0.01, "1 point"),
        (0.0996, "10 points"),
        (0.0, "0 points"),
    ],
)
def test_a_difference_in_a_sentence_is_in_points(difference: float, said: str) -> None:
    assert numbers.said_points(difference) == said


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (None, "–"),
        (460_800, "460,800"),
        (134_515_008, "135 million"),
        (7_241_000_000, "7.2 billion"),
    ],
)
def test_parameters_are_counted_in_millions(count: int | None, said: str) -> None:
    assert numbers.parameters(count) == said
