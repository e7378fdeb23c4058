"""Every comparison with a peer, by name."""

from __future__ import annotations

from benchmarks.speed import choices, comparison, generation, parity, training
from benchmarks.speed.case import Case

_MODULES = (choices, generation, training, comparison, parity)
CASES: dict[str, Case] = {case.name: case for module in _MODULES for case in module.CASES}
