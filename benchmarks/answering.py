"""What answers items: a method made ready, or a floor."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Protocol

from benchmarks.records import Response
from benchmarks.tasks.task import Item


class Answerer(Protocol):
    """Answers the items of a task."""

    def answer(
        self, items: Sequence[Item], *, free: bool = False, known: Collection[str] = ()
    ) -> Iterator[Response]:
        """A response an item, in any order, each as soon as it is finished.

        Args:
            items: those with choices get one of them, others an open answer.
            free: answer openly also where choices are given.
            known: ids of those that were answered before and get no response. They are given all
                the same, so that what is batched with them comes out as it would have.
        """
        ...
