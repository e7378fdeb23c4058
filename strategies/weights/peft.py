"""Parameter-efficient fine-tuning: low-rank adapters on a frozen base."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from strategies.method import Weights
from strategies.settings import TrainingSettings


class LoraWeights(Weights):
    """Low-rank adaptation (Hu et al. 2021, arXiv:2106.09685).

    Adapters sit on all linear layers but the output head (and those that none fits on), and the
    learning rate is about ten times that of full fine-tuning ("LoRA without regret", Thinking
    Machines 2025).

    Attributes:
        rank: r, inner dimension of the update.
        alpha: the update is scaled by alpha / r.
        dropout: on the adapter's input while training.
        target_modules: ``all-linear`` or names of modules.
    """

    kind: Literal["lora"] = "lora"
    rank: int = Field(default=16, ge=1, le=65_536)
    alpha: float = Field(default=32, gt=0, le=1e9)
    dropout: float = Field(default=0.0, ge=0, lt=1)
    target_modules: Literal["all-linear"] | tuple[str, ...] = "all-linear"
    training: TrainingSettings = TrainingSettings()

    def config(self) -> Any:
        """The same as peft's ``LoraConfig``."""
        from peft import LoraConfig, TaskType

        targets = self.target_modules
        return LoraConfig(
            task_type=TaskType.CAUSAL_LM,
            r=self.rank,
            lora_alpha=self.alpha,
            lora_dropout=self.dropout,
            target_modules=targets if isinstance(targets, str) else list(targets),
        )

    def wrap(self, model: Any) -> Any:
        """See `Weights.wrap`; B starts at 0, so the wrapped model answers like the base."""
        from peft import get_peft_model

        config = self.config()
        if self.target_modules == "all-linear":
            config.exclude_modules = _without_adapter(model) or None
        return get_peft_model(model, config)

    def save(self, model: Any, folder: Path) -> None:
        """See `Weights.save`; an ordinary PEFT checkpoint."""
        model.save_pretrained(folder)

    def load(self, base: Callable[[], Any], folder: Path | None) -> Any:
        """See `Weights.load`; the adapter is merged, so answering costs what the base costs."""
        from peft import PeftModel

        return PeftModel.from_pretrained(base(), folder).merge_and_unload()


def _without_adapter(model: Any) -> list[str]:
    """Linear layers that an adapter would break.

    Fast kernels of a state-space mixer (the one with the parameters A and D) take its output
    layer's weight past the layer, and a router of experts gives back more than a product.
    """
    from torch import nn

    found = []
    for name, module in model.named_modules():
        if isinstance(module, nn.Linear) and type(module).__name__.endswith("Router"):
            found.append(name)
        elif {"A_log", "D"} <= dict(module.named_parameters(recurse=False)).keys():
            found.append(f"{name}.out_proj")
    return found
