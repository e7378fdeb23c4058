"""What answers items: a method made ready, or a floor."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from benchmarks.records import Response
from benchmarks.tasks.task import Item


class Answerer(Protocol):
    """Answers the items of a task."""

    def answer(self, items: Sequence[Item], *, free: bool = False) -> Iterator[Response]:
        """A response an item, in any order, each as soon as it is finished.

        Args:
            items: those with choices get one of them, others an open answer.
            free: answer openly also where choices are given.
        """
        ...
