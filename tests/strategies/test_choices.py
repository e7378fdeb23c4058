"""Which sets of choices need the end of the answer to be told apart."""

from __future__ import annotations

import pytest

from strategies.choices import begins_another


@pytest.mark.parametrize(
    ("continuations", "expected"),
    [
        ([[1], [1, 0]], True),
        ([[5, 6, 7], [4], [5, 6]], True),
        ([[1], [1, 5], [1, 2, 3]], True),
        ([[], [1]], True),
        ([[1], [2], [3, 1]], False),
        ([[1, 2], [1, 3]], False),
        # Two labels of the same tokens tie, with or without an end.
        ([[1, 2], [1, 2], [3]], False),
    ],
)
def test_a_beginning_of_a_longer_choice_is_found(
    continuations: list[list[int]], expected: bool
) -> None:
    assert begins_another(continuations) is expected
    assert begins_another(continuations[::-1]) is expected
