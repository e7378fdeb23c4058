"""How trained weights came about: which learning rates were tried, and whether training helped."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from strategies.data import Finite, Whole


class RateTrial(Finite):
    """A short training at one learning rate.

    Attributes:
        rate: peak rate of AdamW.
        loss: validation loss afterwards, nats per token; None where training diverged.
        seconds: wall time.
    """

    rate: float
    loss: float | None
    seconds: float


class RateChoice(Finite):
    """A learning rate settled by a range test on validation items.

    Attributes:
        first_guess: from the model's width and family.
        start_loss: validation loss before any step, nats per token; None in older records.
        rate: the one that was chosen: that of the lowest loss, or the next lower one if its loss
            is within one standard error.
        trials: in the order in which they were made.
        steps: optimiser steps of each trial.
        items: validation items that each trial was measured on.
        margin: by how much the lowest loss is below the second lowest, in nats per token; None
            with fewer than two rates that did not diverge.
        margin_error: standard error of `margin` over the validation items.
        seconds: wall time of the whole test, loading the model included.
    """

    first_guess: float
    start_loss: float | None = None
    rate: float
    trials: tuple[RateTrial, ...]
    steps: Whole
    items: Whole
    margin: float | None = None
    margin_error: float | None = None
    seconds: float = 0.0

    @property
    def best_rate(self) -> float | None:
        """The rate of the lowest loss; None where all diverged."""
        losses = {trial.rate: trial.loss for trial in self.trials if trial.loss is not None}
        return min(losses, key=lambda rate: losses[rate], default=None)


class Scored(Finite):
    """The task's metric on validation items.

    Attributes:
        value: over all of them; None where it is not defined.
        items: the value of each, in their order.
    """

    value: float | None
    items: tuple[float, ...] = ()


class Attempt(Finite):
    """One whole training.

    Attributes:
        rate: peak rate of AdamW.
        best_loss: lowest validation loss after the first step, nats per token; None where
            nothing was validated or no validation was reached.
        metric: the task's metric on validation items with the weights that were kept; None
            where it was not measured.
        spiked: whether the training loss jumped or was no longer a number.
        improved: whether validation is better than before the first step; None without a
            validation split.
        seconds: wall time.
    """

    rate: float
    best_loss: float | None
    metric: float | None
    spiked: bool
    improved: bool | None
    seconds: float


class TrainingRecord(Finite):
    """How trained weights came about.

    Attributes:
        choice: how the learning rate was settled; None where the plan fixes it, or where the
            first guess was taken because there are no validation items.
        validation_items: on which loss is measured.
        held_out: of those, how many were taken from the training split because the task has
            no validation split.
        metric_items: validation items on which the task's metric is measured.
        start_loss: validation loss before the first step, nats per token.
        start_metric: the task's metric on validation items before the first step.
        attempts: whole trainings; later ones repeat it at a lower rate.
        kept: place in `attempts` of the weights that were kept.
        left_out: training examples that were too long for the model.
    """

    choice: RateChoice | None = None
    validation_items: Whole = 0
    held_out: Whole = 0
    metric_items: Whole = 0
    start_loss: float | None = None
    start_metric: float | None = None
    attempts: tuple[Attempt, ...] = Field(min_length=1)
    kept: Whole = 0
    left_out: Whole = 0

    @model_validator(mode="after")
    def _kept_is_an_attempt(self) -> Self:
        if self.kept >= len(self.attempts):
            raise ValueError(f"kept is {self.kept}, and there are {len(self.attempts)} attempts")
        return self

    @property
    def improved(self) -> bool | None:
        """Whether the kept weights are better than the start; None where nobody knows."""
        return self.attempts[self.kept].improved

    @property
    def rate(self) -> float:
        """Learning rate of the kept weights."""
        return self.attempts[self.kept].rate
