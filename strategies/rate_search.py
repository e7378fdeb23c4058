"""A range test: short trainings at several learning rates, compared on validation items.

A trial is the beginning of the whole training at one rate, with the same warm-up, schedule and
validations. A short training of its own, decay included, would make high rates look better than
they are: in the whole training the rate stays high for longer. (Smith 2017, arXiv:1506.01186,
section 3.3, raises the rate within one run, which says nothing about validation loss.)
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from strategies.progress import Progress, silent
from strategies.search import Measured, Point, Search, Trial, best_trial, geometric
from strategies.training import (
    ItemLoss,
    SeededTrainer,
    SpikeGuard,
    TrainingJob,
    collator,
    encoded,
    mean_loss,
    release_memory,
    steps_per_epoch,
    trainable_model,
    training_arguments,
    validate_every,
)
from strategies.training_record import RateChoice, RateTrial

# Neighbouring rates differ by this factor, and at most so many are tried.
_FACTOR, _MOST_TRIALS = 4.0, 6
# A trial takes a fifth of all steps of the whole training, within these bounds.
_SHARE, _LEAST_STEPS, _MOST_STEPS = 0.2, 20, 100
# Validation items of a trial: their standard error is what a choice has to be judged by.
_MOST_ITEMS = 200
_RATE = "learning_rate"


def choose_rate(
    job: TrainingJob, scratch: Path, folder: Path, progress: Progress = silent
) -> RateChoice:
    """Settle the learning rate of a job by a range test.

    Args:
        job: its learning rate is not looked at; it has validation items.
        scratch: where trials are recorded, so that an interrupted test can be resumed.
        folder: for the files of a trial; nothing of them is kept.
        progress: told of every optimiser step.
    """
    start = time.perf_counter()
    trainings = _ShortTrainings(job, folder, progress)
    search = Search(scratch / "trials.jsonl")
    first = job.weights.first_rate(trainings.model.config)
    # A rate at which the model only gets worse is too high, however it compares with others.
    propose = geometric(_RATE, first, _FACTOR, _MOST_TRIALS, below=trainings.start_loss)
    trials = search.run(propose, trainings.measure)
    earlier = sum(trial.seconds for trial in trials) - trainings.seconds
    choice = _choice(first, trials, trainings, earlier + time.perf_counter() - start)
    del trainings
    release_memory()
    return choice


class _ShortTrainings:
    """Trains one model again and again, each time from the same start."""

    def __init__(self, job: TrainingJob, folder: Path, progress: Progress) -> None:
        self._job, self._folder, self._progress = job, folder, progress
        self.model = trainable_model(job)
        self._examples = encoded(job, job.examples, self.model)
        self._validation = encoded(job, job.validation[:_MOST_ITEMS], self.model)
        self._start = {
            name: parameter.detach().to("cpu", copy=True)
            for name, parameter in self.model.named_parameters()
            if parameter.requires_grad
        }
        whole = steps_per_epoch(job, self._examples) * job.settings.epochs
        self.steps = min(max(math.ceil(_SHARE * whole), _LEAST_STEPS), _MOST_STEPS, whole)
        self._every = validate_every(job, self._examples)
        self.tokens = [sum(label >= 0 for label in row["labels"]) for row in self._validation]
        self.seconds = 0.0
        self._start_loss: float | None = None

    def start_loss(self) -> float:
        """Validation loss before any step, nats per token."""
        if self._start_loss is None:
            self._rewind()
            self._start_loss = mean_loss(self._trainer(self._job.at_rate(1.0)).validation_losses())
        return self._start_loss

    def measure(self, point: Point) -> Measured:
        """Lowest validation loss of a short training, nats per token; its items are in nats."""
        began = time.perf_counter()
        self._rewind()
        job = self._job.at_rate(float(point[_RATE]))
        guard = SpikeGuard(self.start_loss(), job.settings.batch_size)
        trainer = self._trainer(job)
        short = _Short(trainer, self.steps, self._every, self._progress)
        trainer.add_callback(guard)
        trainer.add_callback(short)
        trainer.train()
        self.seconds += time.perf_counter() - began
        if guard.spiked(trainer.state.log_history) or not short.best:
            return Measured(value=None)
        return Measured(value=mean_loss(short.best), items=tuple(loss.nats for loss in short.best))

    def _trainer(self, job: TrainingJob) -> SeededTrainer:
        return SeededTrainer(
            model=self.model,
            args=training_arguments(
                job, self._examples, self._validation, self._folder, keep=False
            ),
            train_dataset=self._examples,
            eval_dataset=self._validation,
            data_collator=collator(job, self.model),
        )

    def _rewind(self) -> None:
        import torch

        parameters = dict(self.model.named_parameters())
        with torch.no_grad():
            for name, value in self._start.items():
                parameters[name].copy_(value)
                parameters[name].grad = None


class _Short(TrainerCallback):
    """Ends a training after some steps, and keeps its best validation until then."""

    def __init__(self, trainer: SeededTrainer, steps: int, every: int, progress: Progress) -> None:
        self.best: list[ItemLoss] = []
        self._trainer, self._steps, self._every = trainer, steps, every
        self._progress = progress

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        step = state.global_step
        # A phase of its own for every rate, so that the time left is that of this trial.
        self._progress(f"learning rate {args.learning_rate:.2g}", step, self._steps)
        if step % self._every == 0 or step == self._steps:
            losses = self._trainer.validation_losses()
            loss = mean_loss(losses)
            if math.isfinite(loss) and (not self.best or loss < mean_loss(self.best)):
                self.best = losses
        if step == self._steps:
            control.should_training_stop = True


def _choice(
    first: float, trials: Sequence[Trial], trainings: _ShortTrainings, seconds: float
) -> RateChoice:
    best = best_trial(trials)
    second = best_trial([trial for trial in trials if trial is not best])
    margin, error = _margin(best, second, trainings.tokens) if best and second else (None, None)
    return RateChoice(
        first_guess=first,
        start_loss=trainings.start_loss(),
        rate=chosen_rate(trials, trainings.tokens),
        trials=tuple(
            RateTrial(rate=_rate(t), loss=t.measured.value, seconds=t.seconds) for t in trials
        ),
        steps=trainings.steps,
        items=len(trainings.tokens),
        margin=margin,
        margin_error=error,
        seconds=seconds,
    )


def chosen_rate(trials: Sequence[Trial], tokens: Sequence[int]) -> float:
    """The rate of the lowest loss, or the next lower rate if its loss is within one standard error.

    A trial sees the beginning of a training only. Later on, a high rate does more harm and a low
    one catches up. The rule of one standard error is Breiman et al. 1984, Classification and
    Regression Trees, section 3.4.3.
    """
    best = best_trial(trials)
    if best is None:  # every rate diverged: the lowest of them is the least harmful
        return min(_rate(trial) for trial in trials)
    lower = [t for t in trials if t.measured.items and _rate(t) < _rate(best)]
    if lower:
        neighbour = max(lower, key=_rate)
        margin, error = _margin(best, neighbour, tokens)
        if error is not None and margin <= error:
            return _rate(neighbour)
    return _rate(best)


def _rate(trial: Trial) -> float:
    return float(trial.point[_RATE])


def _margin(best: Trial, second: Trial, tokens: Sequence[int]) -> tuple[float, float | None]:
    """By how much the best loss is lower, nats per token, and its standard error over items.

    A ratio of two sums over items: its error comes from each item's deviation from the ratio.
    Source: Cochran 1977, Sampling Techniques, section 2.11.
    """
    pairs = zip(second.measured.items, best.measured.items, strict=True)
    differences = [worse - better for worse, better in pairs]
    total, items = sum(tokens), len(tokens)
    margin = sum(differences) / total
    if items < 2:
        return margin, None
    squares = sum((d - margin * t) ** 2 for d, t in zip(differences, tokens, strict=True))
    return margin, math.sqrt(squares * items / (items - 1)) / total
