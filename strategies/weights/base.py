"""The model as it comes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from strategies.method import Weights


class BaseWeights(Weights):
    """Nothing is trained."""

    kind: Literal["base"] = "base"
    training: None = None

    def wrap(self, model: Any) -> Any:
        """See `Weights.wrap`; no parameter trains."""
        return model.requires_grad_(False)

    def save(self, model: Any, folder: Path) -> None:
        """See `Weights.save`; there is nothing to keep."""

    def load(self, base: Callable[[], Any], folder: Path | None) -> Any:
        """See `Weights.load`."""
        return base()
