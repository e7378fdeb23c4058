"""Every comparison with a peer, by name."""

from __future__ import annotations

from benchmarks.speed import choices, comparison, generation, training
from benchmarks.speed.case import Case

_MODULES = (choices, generation, training, comparison)
CASES: dict[str, Case] = {case.name: case for module in _MODULES for case in module.CASES}
