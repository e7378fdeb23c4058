"""Full fine-tuning: every parameter trains."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from strategies.method import Weights
from strategies.settings import TrainingSettings


class FullWeights(Weights):
    """Every parameter trains; what is kept is a whole model."""

    kind: Literal["full"] = "full"
    training: TrainingSettings = TrainingSettings()

    def wrap(self, model: Any) -> Any:
        """See `Weights.wrap`."""
        return model.requires_grad_(True)

    def first_rate(self, config: Any) -> float:
        """See `Weights.first_rate`."""
        from strategies.learning_rate import FULL_TO_LORA, lora_rate

        return FULL_TO_LORA * lora_rate(config)

    def save(self, model: Any, folder: Path) -> None:
        """See `Weights.save`; an ordinary transformers folder."""
        model.save_pretrained(folder)

    def load(self, base: Callable[[], Any], folder: Path | None) -> Any:
        """See `Weights.load`; the base model is not needed."""
        import torch
        from transformers import AutoModelForCausalLM

        return AutoModelForCausalLM.from_pretrained(
            folder, dtype=torch.float32, trust_remote_code=False
        )
