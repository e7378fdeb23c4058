"""Training beside TRL's ``SFTTrainer``, loss on the completion alone, on short examples."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pydantic import JsonValue

from benchmarks.speed.case import Agreement, Case, Setting, Work
from benchmarks.tasks.catalogue import load_task
from strategies.data import Example, Prompt
from strategies.device import resolve_device
from strategies.embedding import load_embedder
from strategies.method import Weights, registry
from strategies.models import load_model, load_tokenizer, resolve
from strategies.rendering import Renderer
from strategies.settings import TrainingSettings

TASK = "ticket-triage"
# Examples of an optimiser step; packed, about as many stand in one row.
BATCH = 8
_RATE = 2e-4
_SEED = 0
# Mean losses over a stretch of steps that differ by less are the same curve, rounding aside.
_SAME_LOSS = 0.02


_SETTINGS = TrainingSettings(
    learning_rate=_RATE, epochs=1, batch_size=BATCH, validations_per_epoch=1
)

Pairs = Sequence[tuple[Prompt, Example]]


def _weights(kind: str) -> Weights:
    return registry().method(kind).weights.model_copy(update={"training": _SETTINGS})


def _pairs(items: int) -> Pairs:
    task = load_task(TASK)
    data = task.data()
    examples = data.train[:items]
    prompting = registry().method("lora").prompting
    prompter = prompting.prepare(data, load_embedder("all-minilm-l6-v2"), 0)
    return list(zip(prompter.prompts(examples, training=True), examples, strict=True))


def _ours(kind: str) -> Callable[[Setting], Work]:
    def prepare(setting: Setting) -> Work:
        from strategies.training import TrainingJob, train

        resolved = resolve(setting.model)
        base = load_model(resolved, "fp32", resolve_device())
        job = TrainingJob(
            weights=_weights(kind),
            load_base=lambda: base,
            renderer=Renderer(load_tokenizer(resolved)),
            examples=_pairs(setting.items),
            validation=(),
            seed=_SEED,
            precision=setting.precision,
            device=resolve_device(),
        )

        def work() -> list[JsonValue]:
            with tempfile.TemporaryDirectory() as folder:
                trained = train(job, Path(folder) / "checkpoints", Path(folder) / "weights")
            return [point["train_loss"] for point in trained.curve if "train_loss" in point]

        return work

    return prepare


def _peer(kind: str, *, packing: bool) -> Callable[[Setting], Work]:
    def prepare(setting: Setting) -> Work:
        from trl import SFTTrainer

        resolved = resolve(setting.model)
        tokenizer = load_tokenizer(resolved)
        model = load_model(resolved, "fp32", resolve_device())
        pairs = _pairs(setting.items)

        def work() -> list[JsonValue]:
            rows = sft_rows(Renderer(tokenizer), pairs, BATCH)
            with tempfile.TemporaryDirectory() as folder:
                trainer = SFTTrainer(
                    model=model,
                    args=sft_arguments(
                        Path(folder), setting, len(rows), _SETTINGS, packing=packing
                    ),
                    train_dataset=rows,
                    processing_class=tokenizer,
                    peft_config=lora_config(kind),
                )
                trainer.train()
                trainer.save_model(str(Path(folder) / "weights"))
            return [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]

        return work

    return prepare


def sft_rows(renderer: Renderer, pairs: Pairs, batch_size: int) -> Any:
    """The same tokens as ours in the same order, as a data set for TRL."""
    from datasets import Dataset

    from strategies.training import encode_example, example_order

    encoded = [
        encode_example(renderer, prompt, example.output, _SETTINGS.max_tokens)
        for prompt, example in pairs
    ]
    order = example_order([len(row["input_ids"]) for row in encoded], batch_size, _SEED, 0)
    return Dataset.from_list(
        [
            {
                "input_ids": encoded[n]["input_ids"],
                "completion_mask": [int(label >= 0) for label in encoded[n]["labels"]],
            }
            for n in order
        ]
    )


def lora_config(kind: str) -> Any:
    """The adapter that our LoRA trains; None for full fine-tuning."""
    from peft import LoraConfig

    if kind != "lora":
        return None
    return LoraConfig(
        task_type="CAUSAL_LM", r=16, lora_alpha=32, lora_dropout=0.0, target_modules="all-linear"
    )


def sft_arguments(
    folder: Path,
    setting: Setting,
    examples: int,
    settings: TrainingSettings,
    *,
    packing: bool = False,
) -> Any:
    """Arguments that make TRL train as ours does, without gradient checkpointing."""
    from trl import SFTConfig

    steps = -(-examples // settings.batch_size) * settings.epochs
    return SFTConfig(
        output_dir=str(folder),
        learning_rate=settings.learning_rate,
        num_train_epochs=settings.epochs,
        per_device_train_batch_size=1 if packing else settings.batch_size,
        packing=packing,
        max_length=settings.max_tokens,
        completion_only_loss=True,
        train_sampling_strategy="sequential",
        gradient_checkpointing=False,
        warmup_steps=-(-steps // 10),
        lr_scheduler_type=settings.schedule,
        weight_decay=settings.weight_decay,
        bf16=setting.precision == "bf16",
        use_cpu=resolve_device() == "cpu",
        seed=_SEED,
        save_strategy="epoch",
        logging_steps=max(1, steps // 5),
        disable_tqdm=True,
        report_to="none",
    )


def agree(peer: Sequence[JsonValue], ours: Sequence[JsonValue]) -> Agreement:
    """How far the loss curves lie apart, stretch by stretch."""
    gaps = [abs(float(str(a)) - float(str(b))) for a, b in zip(peer, ours, strict=True)]
    unlike = tuple(n for n, gap in enumerate(gaps) if gap > _SAME_LOSS)
    return Agreement(items=len(gaps), unlike=unlike, largest_difference=max(gaps))


def _not_comparable(peer: Sequence[JsonValue], ours: Sequence[JsonValue]) -> Agreement:
    """A packed peer sorts its examples into other steps, so its curve is another one."""
    return Agreement(items=0)


def _case(kind: str, *, packing: bool) -> Case:
    how = "packed" if packing else "unpacked"
    name = {"lora": "LoRA", "full": "full fine-tuning"}[kind]
    return Case(
        name=f"{kind}-{how}",
        title=f"{name} on short examples ({TASK}), the peer {how}",
        peer_is="TRL's `SFTTrainer`, without gradient checkpointing",
        goal=2,
        memory_goal=0.7,
        items=96,
        peer_batch_size=1 if packing else BATCH,
        sides={"peer": _peer(kind, packing=packing), "ours": _ours(kind)},
        agree=_not_comparable if packing else agree,
    )


CASES = tuple(
    _case(kind, packing=packing) for packing in (False, True) for kind in ("lora", "full")
)
