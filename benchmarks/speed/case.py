"""What a comparison with a peer is, and what one side of it brings back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import JsonValue

from strategies.data import Frozen
from strategies.settings import Precision

SideName = Literal["peer", "ours"]
# Two answers whose scores lie closer may swap places under another order of summation.
CLOSE = 1e-3


class Setting(Frozen):
    """What both sides share.

    Attributes:
        model: packaged model or folder.
        precision: of the arithmetic.
        threads: of torch.
        items: how many items are answered or trained on.
        device: name of the GPU, or ``cpu``.
        libraries: versions of what both sides work with.
        code_sha256: digest of this project's code.
        peer_batch_size: the one at which the peer is fastest.
    """

    model: str
    precision: Precision
    threads: int
    items: int
    device: str
    libraries: dict[str, str]
    code_sha256: str
    peer_batch_size: int = 0


class Outcome(Frozen):
    """What one side of a pair brings back.

    Attributes:
        seconds: wall time of the work; imports, loading and a warm-up are left out.
        peak_memory_bytes: of the side's process, all of it.
        answers: one an item, as the case compares them.
    """

    seconds: float
    peak_memory_bytes: int
    answers: tuple[JsonValue, ...]


class Agreement(Frozen):
    """How far the answers of two sides agree.

    Attributes:
        items: compared.
        unlike: items whose answers differ.
        near: those of the unlike whose best two lie closer than `CLOSE`.
        largest_difference: of the numbers that are compared; None where texts are.
    """

    items: int
    unlike: tuple[int, ...] = ()
    near: tuple[int, ...] = ()
    largest_difference: float | None = None


Work = Callable[[], Sequence[JsonValue]]


@dataclass(frozen=True)
class Case:
    """Something that both sides do.

    Attributes:
        name: for the command line.
        title: what is done, in the report.
        peer_is: the peer, in the report.
        goal: least ratio of the peer's time to ours; None where only the answers matter.
        items: how many, by default.
        sides: load and warm up, then give back the work to be timed.
        agree: compares the peer's answers with ours.
        memory_goal: most ratio of our peak memory to the peer's; None where none is set.
        untimed: what of both sides is left out of the time.
        pairs: how many, where it is not the number asked for.
        peer_batch_size: the peer's; None lets the fastest be found.
    """

    name: str
    title: str
    peer_is: str
    goal: float | None
    items: int
    sides: dict[SideName, Callable[[Setting], Work]]
    agree: Callable[[Sequence[JsonValue], Sequence[JsonValue]], Agreement]
    memory_goal: float | None = None
    untimed: str = "imports, loading, a warm-up"
    pairs: int | None = None
    peer_batch_size: int | None = None
