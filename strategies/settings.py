"""Settings that change a result, as data: training, decoding, precision. Nothing heavy."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from strategies.data import Finite

Precision = Literal["fp32", "bf16"]

# More of anything countable than a run can do; larger numbers are slips of the pen.
MOST = 10**9

# Raised whenever the same job may train other weights than before (`strategies.training`).
TRAINING_VERSION = 5
# Raised whenever another learning rate may be settled than before (`strategies.rate_search`).
RATE_SEARCH_VERSION = 2
# Raised whenever the same weights may give other answers than before (`strategies.inference`).
INFERENCE_VERSION = 5


class TrainingSettings(Finite):
    """How weights are trained; one path uses them all (`strategies.training`).

    Attributes:
        learning_rate: peak learning rate of AdamW; ``auto`` settles it for the model and the task
            (`strategies.learning_rate`).
        epochs: passes over the training examples; early stopping may end sooner.
        batch_size: examples per optimiser step.
        warmup_share: share of all steps over which the rate rises from 0.
        schedule: how it falls afterwards.
        weight_decay: AdamW's decoupled weight decay.
        max_gradient_norm: gradients are clipped to this L2 norm.
        max_tokens: an example longer than this loses passages and demonstrations; one that does
            not fit even so is left out.
        validations_per_epoch: how often validation loss is measured and a checkpoint written.
        patience: validations without improvement after which training stops.
    """

    learning_rate: Annotated[float, Field(gt=0, le=100)] | Literal["auto"] = "auto"
    epochs: int = Field(default=5, ge=1, le=1_000)
    batch_size: int = Field(default=2, ge=1, le=100_000)
    warmup_share: float = Field(default=0.1, ge=0, lt=1)
    schedule: Literal["linear", "cosine", "constant_with_warmup"] = "cosine"
    weight_decay: float = Field(default=0.0, ge=0, le=10)
    max_gradient_norm: float = Field(default=1.0, gt=0, le=1e9)
    max_tokens: int = Field(default=1024, ge=8, le=10_000_000)
    validations_per_epoch: int = Field(default=2, ge=1, le=1_000)
    patience: int = Field(default=3, ge=1, le=1_000_000)
