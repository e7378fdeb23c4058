"""What a report says of training: how rates were settled, and whether training helped."""

from __future__ import annotations

from benchmarks.report import numbers
from benchmarks.report.document import Block, Bullets, Code, Heading, Paragraph, Strong, Table, Text
from benchmarks.results import Comparison, Training
from strategies.training_record import Attempt, RateChoice, TrainingRecord

# Fewer validation items than this leave a choice of a learning rate weak.
LEAST_VALIDATION_ITEMS = 100
NOT_IMPROVED = "training did not improve on the start"


def training_in_short(comparison: Comparison) -> list[Text]:
    """A sentence for each method whose training did not improve on the start."""
    names = [r.name for r in comparison.methods if r.unimproved]
    return [
        [
            Strong(f"{name}: {NOT_IMPROVED}"),
            ". Its score stands in the tables and counts against it in this run, but it says "
            "nothing about the method: no conclusion is drawn from it.",
        ]
        for name in names
    ]


def training_blocks(comparison: Comparison) -> list[Block]:
    """The section on training; empty where nothing was trained or nothing was recorded."""
    if not comparison.trainings:
        return []
    metric = comparison.run.task.metric
    return [
        Heading(2, "Training"),
        Paragraph(
            "Loss and metric on validation items, before the first step and with the weights "
            "that were kept; loss is in nats per token of the answers. A training whose loss "
            "does not fall, whose loss spikes, or whose metric falls by more than the standard "
            "error of the difference did not improve on the start. It is repeated at a quarter of "
            "its learning rate, at most twice, unless the plan fixes the rate."
        ),
        Table(
            ("method", "learning rate", "loss before", "loss after", f"{metric} before",
             f"{metric} after", "trainings", "improved"),
            [_row(training) for training in comparison.trainings],
            figures=True,
        ),
        Bullets([text for training in comparison.trainings for text in _remarks(training)]),
    ]  # fmt: skip


def _row(training: Training) -> list[Text]:
    record = training.record
    kept = record.attempts[record.kept]
    return [
        [Code(training.method), f", seed {training.seed}"],
        f"{kept.rate:.2g}",
        _figure(record.start_loss),
        _figure(kept.best_loss),
        _figure(record.start_metric),
        _figure(kept.metric),
        str(len(record.attempts)),
        {True: "yes", False: "no", None: "not known"}[record.improved],
    ]


def _remarks(training: Training) -> list[Text]:
    record = training.record
    remarks: list[Text] = [
        f"{training.method}, seed {training.seed}: {_how_settled(record)}{_weakness(record)}"
    ]
    if len(record.attempts) > 1:
        tried = ", ".join(_attempt(attempt) for attempt in record.attempts)
        remarks.append(f"{training.method}, seed {training.seed}: trained again at {tried}.")
    if record.left_out:
        examples = numbers.counted(record.left_out, "training example", "training examples")
        remarks.append(
            f"{training.method}, seed {training.seed}: left out {examples} longer than the model "
            "reads."
        )
    return remarks


def _attempt(attempt: Attempt) -> str:
    loss = "its loss spiked" if attempt.spiked else f"loss {_figure(attempt.best_loss)}"
    return f"{attempt.rate:.2g} ({loss}, metric {_figure(attempt.metric)})"


def _how_settled(record: TrainingRecord) -> str:
    if record.choice is None:
        if record.validation_items:
            return f"the plan fixes the learning rate, {record.attempts[0].rate:.2g}."
        return (
            f"there are no validation items, so the learning rate, {record.attempts[0].rate:.2g}, "
            "is the plan's or a guess by the model's width, and nothing checked it."
        )
    choice = record.choice
    tried = ", ".join(
        f"{trial.rate:.2g} ({'diverged' if trial.loss is None else f'{trial.loss:.3f}'})"
        for trial in sorted(choice.trials, key=lambda trial: trial.rate)
    )
    return (
        f"a range test of {choice.steps} steps a rate, {numbers.duration(choice.seconds)} in all, "
        f"tried {tried} and chose {choice.rate:.2g}; the first guess was {choice.first_guess:.2g}."
    )


def _weakness(record: TrainingRecord) -> str:
    """How much the choice of the rate can be trusted."""
    said = ""
    if record.held_out:
        held_out = numbers.counted(record.held_out, "training item was", "training items were")
        said += f" The task has no validation split, so {held_out} set aside for it."
    choice = record.choice
    if choice is None:
        return said
    if choice.items < LEAST_VALIDATION_ITEMS:
        items = numbers.counted(choice.items, "validation item", "validation items")
        said += f" It was chosen on {items}, which is few."
    return said + _margin(choice)


def _margin(choice: RateChoice) -> str:
    if choice.margin is None or choice.margin_error is None:
        return ""
    said = (
        f" The second lowest loss is {choice.margin:.3f} higher than the lowest, with a standard "
        f"error of {choice.margin_error:.3f}"
    )
    if choice.rate != choice.best_rate:
        return (
            f"{said}. The next lower rate was taken: its loss is within one standard error of the "
            "lowest, and a rate that is too high does more harm in the rest of a training."
        )
    sure = choice.margin > 2 * choice.margin_error
    return f"{said}." if sure else f"{said}: the two are not separated."


def _figure(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
