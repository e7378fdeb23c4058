"""How long work reports that it moves on."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Called with the phase, what is done of it, and how much there is in all."""

    def __call__(self, phase: str, done: int, total: int) -> None:
        """Report; cheap enough to be called after every batch and step."""
        ...


def silent(phase: str, done: int, total: int) -> None:
    """A progress that nobody watches."""
