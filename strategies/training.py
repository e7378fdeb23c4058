"""The one path by which all weights are trained: transformers' Trainer.

Loss on the answer alone, warm-up and schedule, gradient clipping, early stopping on
validation with the best checkpoint kept, resume from the last whole checkpoint. Validation is
measured before the first step, too, and a loss that spikes ends the training.
"""

from __future__ import annotations

import gc
import logging
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import Sampler
from transformers import EarlyStoppingCallback, Trainer, TrainerCallback, TrainingArguments
from transformers.trainer_pt_utils import get_length_grouped_indices

from strategies.checked_files import kept_json, write_json
from strategies.checkpoints import last_whole_checkpoint, seal
from strategies.data import Example, Prompt
from strategies.errors import DataError
from strategies.method import Weights
from strategies.models import context_length
from strategies.prefix import Prefix, attends_fully, common_beginning
from strategies.progress import Progress, silent
from strategies.rendering import Renderer, padded
from strategies.settings import Precision, TrainingSettings

log = logging.getLogger(__name__)
_IGNORED = -100  # label that torch's cross entropy leaves out
# Tokens of a micro-batch, padding included: bounds memory; larger ones gain nothing on a CPU.
_TOKENS_PER_MICRO_BATCH = {"cpu": 4_096, "cuda": 32_768}
# Reading a beginning apart goes over all weights once more: with two rows of 75 tokens a step of
# full fine-tuning took a tenth longer so.
_LEAST_TOKENS_SPARED = 128
_ELAPSED, _START = "elapsed.json", "start.json"
# A training loss this much above the validation loss at the start is high: the factor, and the
# least difference in nats per token. A spike is a high loss in most steps of the last so many
# examples: one batch of two has a high loss whenever a label is wrong and the model knows better.
_SPIKE_FACTOR, _SPIKE_NATS, _SPIKE_EXAMPLES = 2.0, 0.5, 20


@dataclass(frozen=True)
class TrainingJob:
    """What to train, on what.

    Attributes:
        weights: which parameters train, and how.
        load_base: loads the base model in fp32, on the device.
        renderer: how prompts become tokens.
        examples: training prompts with their examples.
        validation: the same for early stopping; may be empty.
        seed: of the order of examples, of dropout and of new parameters.
        precision: bf16 trains under autocast; parameters and optimiser stay fp32.
        device: ``cpu`` or ``cuda``.
    """

    weights: Weights
    load_base: Callable[[], Any]
    renderer: Renderer
    examples: Sequence[tuple[Prompt, Example]]
    validation: Sequence[tuple[Prompt, Example]]
    seed: int
    precision: Precision
    device: str

    @property
    def settings(self) -> TrainingSettings:
        """The weights' training settings."""
        settings = self.weights.training
        if settings is None:
            raise TypeError(f"{self.weights.kind} weights do not train")
        return settings

    @property
    def rate(self) -> float:
        """The learning rate, which has to be settled."""
        rate = self.settings.learning_rate
        if rate == "auto":
            raise TypeError("the learning rate is settled before training begins")
        return rate

    def at_rate(self, rate: float) -> TrainingJob:
        """The same job with another learning rate."""
        settings = self.settings.model_copy(update={"learning_rate": rate})
        return replace(self, weights=self.weights.model_copy(update={"training": settings}))


@dataclass(frozen=True)
class Trained:
    """What training leaves behind, beside the saved weights.

    Attributes:
        seconds: wall time over all resumed parts, validation and checkpoints included.
        trainable_parameters: parameters that changed.
        curve: points with ``step``, ``epoch`` and ``train_loss``, ``validation_loss`` or
            ``learning_rate`` where they were measured; step 0 is before training.
        spiked: whether a spike of the training loss ended it.
        left_out: training examples that were too long.
    """

    seconds: float
    trainable_parameters: int
    curve: list[dict[str, float]] = field(default_factory=list)
    spiked: bool = False
    left_out: int = 0

    @property
    def start_loss(self) -> float | None:
        """Validation loss before the first step; None without validation examples."""
        return next((p["validation_loss"] for p in self.curve if p["step"] == 0), None)

    @property
    def best_loss(self) -> float | None:
        """Lowest validation loss after the first step; None where none was measured."""
        losses = [
            point["validation_loss"]
            for point in self.curve
            if point["step"] > 0 and "validation_loss" in point
        ]
        return min(filter(math.isfinite, losses), default=None)


def fit_example(
    renderer: Renderer, prompt: Prompt, answer: str, max_tokens: int
) -> dict[str, list[int]] | None:
    """Tokens of a prompt with its answer, and labels that leave the prompt out.

    Neither the instruction, the input nor the answer is ever cut: where the whole is too long,
    demonstrations and passages are left out (`Prompt.shorter`).

    Returns:
        ``input_ids`` and ``labels`` of equal length, at most max_tokens; None where even the
        shortest prompt is too long.

    Raises:
        DataError: a text names a control token that the tokenizer cannot write as text.
    """
    for shown in prompt.shortened():
        prompt_ids, (answer_ids,) = renderer.encode_answers(shown, [answer])
        answer_ids = [*answer_ids, *renderer.end_ids]
        if len(prompt_ids) + len(answer_ids) <= max_tokens:
            return {
                "input_ids": prompt_ids + answer_ids,
                "labels": [_IGNORED] * len(prompt_ids) + answer_ids,
            }
    return None


def encode_example(
    renderer: Renderer, prompt: Prompt, answer: str, max_tokens: int
) -> dict[str, list[int]]:
    """See `fit_example`.

    Raises:
        DataError: the example does not fit.
    """
    row = fit_example(renderer, prompt, answer, max_tokens)
    if row is None:
        raise DataError(f"an example has more than {max_tokens} tokens. Shorten it or leave it out")
    return row


class LeftPaddingCollator:
    """Pads on the left, so that answers end together and logits are needed only there.

    What all prompts of a batch begin with is taken out, to be read once, where that spares enough.
    """

    def __init__(self, pad_token_id: int, *, share: bool) -> None:
        """Pad with this token; it is masked. Share beginnings if the model can."""
        self._pad = pad_token_id
        self._share = share

    def __call__(self, rows: Sequence[dict[str, list[int]]]) -> dict[str, Any]:
        """One batch of examples.

        Returns:
            ``shared_ids`` (1, beginning), ``input_ids`` and ``position_ids`` (rows, longest rest),
            ``attention_mask`` (rows, beginning + longest rest), ``labels`` (rows, longest answer
            + 1).
        """
        shared = self._beginning(rows)
        rest = [row["input_ids"][len(shared) :] for row in rows]
        width = max(len(ids) for ids in rest)
        seen = [1] * len(shared)
        mask = torch.tensor([[*seen, *padded([1] * len(ids), width, 0)] for ids in rest])
        labels = torch.tensor(
            [padded(row["labels"][len(shared) :], width, _IGNORED) for row in rows]
        )
        answer = int((labels != _IGNORED).sum(-1).max())
        return {
            "shared_ids": torch.tensor([shared], dtype=torch.long),
            "input_ids": torch.tensor([padded(ids, width, self._pad) for ids in rest]),
            "attention_mask": mask,
            "position_ids": (mask.cumsum(-1) - 1).clamp(min=0)[:, -width:],
            "labels": labels[:, -(answer + 1) :],
            "logits_to_keep": min(answer + 1, width),
        }

    def _beginning(self, rows: Sequence[dict[str, list[int]]]) -> list[int]:
        """What the prompts begin with alike, but for the last token, whose logits are needed."""
        ends = [max(0, row["labels"].count(_IGNORED) - 1) for row in rows]
        prompts = sorted(row["input_ids"][:end] for row, end in zip(rows, ends, strict=True))
        length = common_beginning(prompts[0], prompts[-1])
        worth = self._share and length * (len(rows) - 1) >= _LEAST_TOKENS_SPARED
        return prompts[0][:length] if worth else []


def read_beginning(model: Any, batch: dict[str, Any]) -> dict[str, Any]:
    """A batch whose shared beginning was read, with gradients; its KV cache serves every row."""
    inputs = dict(batch)
    shared = inputs.pop("shared_ids")
    if shared.numel():
        base = model.get_base_model() if hasattr(model, "get_base_model") else model
        read = base.get_decoder()(input_ids=shared, use_cache=True).past_key_values
        prefix = Prefix.of(read, shared[0].tolist())
        inputs["past_key_values"] = prefix.cache(len(inputs["input_ids"]), model.config)
    return inputs


def train(
    job: TrainingJob, checkpoints: Path, folder: Path, progress: Progress = silent
) -> Trained:
    """Train a model and save what was trained.

    Args:
        job: what to train.
        checkpoints: where resumable state lies while training goes on; a folder left by an
            interrupted run of the same job is continued. Whoever keeps the weights removes it.
        folder: where the trained weights are saved.
        progress: told of every optimiser step.
    """
    model = trainable_model(job)
    trainable = sum(p.numel() for p in model.parameters() if p.requires_grad)
    examples = encoded(job, job.examples, model)
    validation = encoded(job, job.validation, model)
    clock = _Clock(checkpoints, progress)
    trainer = SeededTrainer(
        model=model,
        args=training_arguments(job, examples, validation, checkpoints),
        train_dataset=examples,
        eval_dataset=validation or None,
        data_collator=collator(job, model),
        callbacks=[clock, *_early_stopping(job.settings, bool(validation))],
    )
    start = _start_loss(trainer, checkpoints) if validation else None
    guard = SpikeGuard(start, job.settings.batch_size)
    trainer.add_callback(guard)
    trainer.train(resume_from_checkpoint=last_whole_checkpoint(checkpoints))
    folder.mkdir(parents=True, exist_ok=True)
    job.weights.save(trainer.model, folder)
    history = trainer.state.log_history
    return Trained(
        seconds=clock.seconds(),
        trainable_parameters=trainable,
        curve=_curve(start, history),
        spiked=guard.spiked(history),
        left_out=len(job.examples) - len(examples),
    )


def trainable_model(job: TrainingJob) -> Any:
    """The base model with what the job trains made trainable, before the first step."""
    base = job.load_base()
    torch.manual_seed(job.seed)
    model = job.weights.wrap(base)
    if job.precision == "bf16":
        round_frozen(model)
    return model


def collator(job: TrainingJob, model: Any) -> LeftPaddingCollator:
    """What makes batches of a job's examples."""
    pad = job.renderer.tokenizer.pad_token_id
    return LeftPaddingCollator(pad, share=attends_fully(model))


def _start_loss(trainer: SeededTrainer, checkpoints: Path) -> float:
    """Validation loss before the first step, measured once however often training is resumed."""
    path = checkpoints / _START
    known = kept_json(path)
    if known is None:
        path.parent.mkdir(parents=True, exist_ok=True)
        known = {"validation_loss": mean_loss(trainer.validation_losses())}
        write_json(path, known)
    return float(known["validation_loss"])


@dataclass(frozen=True)
class ItemLoss:
    """Loss of one example: nats summed over the tokens of its answer, and their number."""

    nats: float
    tokens: int


def mean_loss(losses: Sequence[ItemLoss]) -> float:
    """Nats per token over all tokens of all answers."""
    return sum(loss.nats for loss in losses) / sum(loss.tokens for loss in losses)


def release_memory() -> None:
    """Give back what finished trainings hold: a trainer and its model refer to each other."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def round_frozen(model: Any) -> None:
    """Round the frozen weights of linear layers to bf16 once, as autocast does at every step.

    A weight that is shared with the embeddings stays: autocast leaves those alone.
    """
    embeddings = model.get_input_embeddings().weight
    for module in model.modules():
        if not isinstance(module, torch.nn.Linear) or module.weight is embeddings:
            continue
        if not any(parameter.requires_grad for parameter in module.parameters()):
            module.to(torch.bfloat16)


class SeededTrainer(Trainer):
    """A Trainer whose order of examples follows from seed and epoch, so that it can resume.

    The beginning that a batch shares is read once, with gradients: every row's loss flows back
    through it. Validation loss is the mean over tokens, not over batches.
    """

    def evaluate(self, *args: Any, **kwargs: Any) -> dict[str, float]:
        """Measure and log the validation loss, nats per token."""
        metrics = {"eval_loss": mean_loss(self.validation_losses())}
        self.log(metrics)
        handler = self.callback_handler
        self.control: Any = handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    def validation_losses(self) -> list[ItemLoss]:
        """The loss of every validation example, in their order."""
        rows = self.eval_dataset
        order = sorted(range(len(rows)), key=lambda n: len(rows[n]["input_ids"]))
        size = self.args.per_device_eval_batch_size
        losses: dict[int, ItemLoss] = {}
        self.model.eval()
        for first in range(0, len(order), size):
            chosen = order[first : first + size]
            batch = self._prepare_inputs(self.data_collator([rows[n] for n in chosen]))
            losses |= zip(chosen, self._losses(batch), strict=True)
        return [losses[n] for n in range(len(rows))]

    def _losses(self, batch: dict[str, Any]) -> list[ItemLoss]:
        labels = batch.pop("labels")[:, 1:]
        with torch.no_grad(), self.accelerator.autocast():
            logits = self.model(**read_beginning(self.model, batch)).logits[:, :-1]
            nats = torch.nn.functional.cross_entropy(
                logits.float().transpose(1, 2),
                labels,
                ignore_index=_IGNORED,
                reduction="none",
            ).sum(-1)
        tokens = (labels != _IGNORED).sum(-1)
        return [ItemLoss(*pair) for pair in zip(nats.tolist(), tokens.tolist(), strict=True)]

    def compute_loss(self, model: Any, inputs: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        """The mean loss over the answers of a batch."""
        # One autocast around both, so that weights are rounded once for the two.
        with self.accelerator.autocast():
            batch = read_beginning(self.accelerator.unwrap_model(model), inputs)
            return super().compute_loss(model, batch, *args, **kwargs)

    def _get_train_sampler(self, train_dataset: Any = None) -> Sampler[int]:
        rows = train_dataset if train_dataset is not None else self.train_dataset
        lengths = [len(row["input_ids"]) for row in rows]
        step = self.args.per_device_train_batch_size * self.args.gradient_accumulation_steps
        return _ByLength(lengths, step, self.args.seed)


class _ByLength(Sampler[int]):
    """Mixes examples anew every epoch, those of similar length in one batch."""

    def __init__(self, lengths: Sequence[int], batch_size: int, seed: int) -> None:
        self._lengths, self._batch_size, self._seed = list(lengths), batch_size, seed
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        self._epoch = epoch

    def __len__(self) -> int:
        return len(self._lengths)

    def __iter__(self) -> Iterator[int]:
        return iter(example_order(self._lengths, self._batch_size, self._seed, self._epoch))


def example_order(lengths: Sequence[int], batch_size: int, seed: int, epoch: int) -> list[int]:
    """Places of the examples in the order in which an epoch, the first being 0, reads them."""
    generator = torch.Generator().manual_seed(seed * 1_000_003 + epoch)
    order: list[int] = get_length_grouped_indices(lengths, batch_size, generator=generator)
    return order


def encoded(
    job: TrainingJob, pairs: Sequence[tuple[Prompt, Example]], model: Any
) -> list[dict[str, list[int]]]:
    """Examples as tokens; those that are too long for the job or the model are left out.

    Raises:
        DataError: none fits, or some cannot be encoded.
    """
    longest = min(job.settings.max_tokens, context_length(model.config))
    rows, problems, left_out = [], [], []
    for prompt, example in pairs:
        try:
            row = fit_example(job.renderer, prompt, example.output, longest)
        except DataError as error:
            problems.append(f"example {example.id!r}: {error}")
            continue
        rows += [row] if row else []
        left_out += [] if row else [example.id]
    if problems:
        raise DataError("\n".join(problems))
    if left_out and not rows:
        raise DataError(
            f"None of {len(pairs)} examples fits into {longest} tokens, the first being "
            f"{left_out[0]!r}. Shorten inputs or answers, or take a model with a longer context"
        )
    if left_out:
        log.warning(
            "%d of %d examples have more than %d tokens and are left out, the first being %r",
            *(len(left_out), len(pairs), longest, left_out[0]),
        )
    return rows


def _early_stopping(settings: TrainingSettings, validated: bool) -> list[TrainerCallback]:
    return [EarlyStoppingCallback(settings.patience)] if validated else []


def _micro_batch(settings: TrainingSettings, longest: int, device: str) -> int:
    """The largest divisor of the batch size whose padded tokens keep within the bound."""
    room = _rows_that_fit(longest, device)
    sizes = [n for n in range(1, settings.batch_size + 1) if settings.batch_size % n == 0]
    return max(n for n in sizes if n <= room or n == 1)


def _rows_that_fit(longest: int, device: str) -> int:
    return max(1, _TOKENS_PER_MICRO_BATCH[device] // longest)


def _longest(rows: Sequence[dict[str, list[int]]]) -> int:
    return max((len(row["input_ids"]) for row in rows), default=1)


def training_arguments(
    job: TrainingJob,
    examples: list[dict[str, list[int]]],
    validation: list[dict[str, list[int]]],
    folder: Path,
    *,
    keep: bool = True,
) -> TrainingArguments:
    """The whole training of a job as transformers' Trainer takes it.

    Args:
        job: its learning rate is settled.
        examples: as tokens.
        validation: as tokens; may be empty.
        folder: for checkpoints.
        keep: whether to validate, write checkpoints and end with the best of them.
    """
    settings = job.settings
    steps = steps_per_epoch(job, examples)
    every = validate_every(job, examples)
    micro = _micro_batch(settings, _longest(examples), job.device)
    arguments = TrainingArguments(
        output_dir=str(folder),
        learning_rate=job.rate,
        num_train_epochs=settings.epochs,
        per_device_train_batch_size=micro,
        per_device_eval_batch_size=_rows_that_fit(_longest(validation), job.device),
        gradient_accumulation_steps=settings.batch_size // micro,
        warmup_steps=math.ceil(settings.warmup_share * steps * settings.epochs),
        lr_scheduler_type=settings.schedule,
        weight_decay=settings.weight_decay,
        max_grad_norm=settings.max_gradient_norm,
        bf16=job.precision == "bf16",
        use_cpu=job.device == "cpu",
        seed=job.seed,
        data_seed=job.seed,
        prediction_loss_only=True,
        logging_steps=max(1, every // 5),
        # A loss that is no number must be seen, not replaced by the mean of the others.
        logging_nan_inf_filter=False,
        disable_tqdm=True,
        report_to="none",
        remove_unused_columns=False,
        dataloader_pin_memory=job.device == "cuda",
        **(_checkpointing(every, bool(validation)) if keep else {"save_strategy": "no"}),
    )
    # One GPU a process: transformers would spread a batch over all it sees.
    arguments._n_gpu = min(1, arguments.n_gpu)
    return arguments


def _checkpointing(every: int, validated: bool) -> dict[str, Any]:
    return {
        "eval_strategy": "steps" if validated else "no",
        "eval_steps": every,
        "save_steps": every,
        "save_total_limit": 2,
        "load_best_model_at_end": validated,
        "metric_for_best_model": "eval_loss" if validated else None,
        "restore_callback_states_from_checkpoint": True,
    }


def steps_per_epoch(job: TrainingJob, examples: Sequence[object]) -> int:
    """Optimiser steps in which all examples are read once."""
    return math.ceil(len(examples) / job.settings.batch_size)


def validate_every(job: TrainingJob, examples: Sequence[object]) -> int:
    """Optimiser steps from one validation to the next."""
    return max(1, steps_per_epoch(job, examples) // job.settings.validations_per_epoch)


class SpikeGuard(TrainerCallback):
    """Ends a training whose loss spikes or is no longer a number."""

    def __init__(self, start: float | None, batch_size: int) -> None:
        """Watch a training.

        Args:
            start: its validation loss before the first step, nats per token.
            batch_size: examples per optimiser step.
        """
        self._most = math.inf if start is None else max(start * _SPIKE_FACTOR, start + _SPIKE_NATS)
        self._steps = math.ceil(_SPIKE_EXAMPLES / batch_size)

    def spiked(self, history: Sequence[dict[str, Any]]) -> bool:
        """Whether a training with this history spiked."""
        losses: list[float] = []  # of every step: an entry is the mean since the one before
        for entry in history:
            if "loss" in entry:
                losses += [entry["loss"]] * (entry["step"] - len(losses))
        if not all(map(math.isfinite, losses)):
            return True
        high = [loss > self._most for loss in losses]
        return any(
            sum(high[max(0, n - self._steps) : n]) * 2 > self._steps
            for n in range(1, len(high) + 1)
        )

    def on_log(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Stop at the first spike."""
        if self.spiked(state.log_history):
            control.should_training_stop = True


class _Clock(TrainerCallback):
    """Reports steps, seals checkpoints, and keeps the training time across interruptions."""

    def __init__(self, checkpoints: Path, progress: Progress) -> None:
        self._file = checkpoints / _ELAPSED
        self._progress = progress
        self._before = float((kept_json(self._file) or {"seconds": 0.0})["seconds"])
        self._start = time.perf_counter()

    def seconds(self) -> float:
        return self._before + time.perf_counter() - self._start

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self._progress("training", state.global_step, state.max_steps)

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        seal(Path(args.output_dir) / f"checkpoint-{state.global_step}")
        write_json(self._file, {"seconds": self.seconds()})


def _curve(start: float | None, history: Sequence[dict[str, Any]]) -> list[dict[str, float]]:
    points = [] if start is None else [{"step": 0, "epoch": 0.0, "validation_loss": start}]
    names = {"loss": "train_loss", "eval_loss": "validation_loss", "learning_rate": "learning_rate"}
    for entry in history:
        measured = {new: float(entry[old]) for old, new in names.items() if old in entry}
        if measured:
            points.append({"step": entry["step"], "epoch": float(entry["epoch"]), **measured})
    return points
