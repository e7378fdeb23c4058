"""Every comparison with a peer, by name."""

from __future__ import annotations

from benchmarks.speed import choices, generation, training
from benchmarks.speed.case import Case

CASES: dict[str, Case] = {
    case.name: case for module in (choices, generation, training) for case in module.CASES
}
