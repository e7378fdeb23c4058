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
from strategies.weights.peft import LoraWeights

# Half of what an example of ticket-triage holds is an instruction that all share; of handbook-qa
# little is.
TASK, UNSHARED = "ticket-triage", "handbook-qa"
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


def _pairs(name: str, items: int) -> Pairs:
    task = load_task(name)
    data = task.data()
    examples = data.train[:items]
    prompting = registry().method("lora").prompting
    prompter = prompting.prepare(data, load_embedder("all-minilm-l6-v2"), 0)
    return list(zip(prompter.prompts(examples, training=True), examples, strict=True))


def _ours(kind: str, task: str) -> Callable[[Setting], Work]:
    def prepare(setting: Setting) -> Work:
        from strategies.training import TrainingJob, train

        resolved = resolve(setting.model)
        base = load_model(resolved, "fp32", resolve_device())
        job = TrainingJob(
            weights=_weights(kind),
            load_base=lambda: base,
            renderer=Renderer(load_tokenizer(resolved)),
            examples=_pairs(task, setting.items),
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


def _peer(kind: str, task: str, **changes: Any) -> Callable[[Setting], Work]:
    def prepare(setting: Setting) -> Work:
        from trl import SFTTrainer

        resolved = resolve(setting.model)
        tokenizer = load_tokenizer(resolved)
        model = load_model(resolved, "fp32", resolve_device())
        pairs = _pairs(task, setting.items)

        def work() -> list[JsonValue]:
            rows = sft_rows(Renderer(tokenizer), pairs, BATCH)
            with tempfile.TemporaryDirectory() as folder:
                trainer = SFTTrainer(
                    model=model,
                    args=sft_arguments(Path(folder), setting, rows, _SETTINGS, **changes),
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
    weights = registry().method(kind).weights
    return weights.config() if isinstance(weights, LoraWeights) else None


def sft_arguments(
    folder: Path,
    setting: Setting,
    rows: Any,
    settings: TrainingSettings,
    *,
    packing: bool = False,
    checkpointing: bool = False,
) -> Any:
    """Arguments that make TRL train as ours does.

    Args:
        folder: for checkpoints.
        setting: precision.
        rows: what is trained on.
        settings: how.
        packing: whether rows are joined, about as many as a batch holds to each.
        checkpointing: of gradients, as is TRL's default; it takes less memory and more time.
    """
    from trl import SFTConfig

    steps = -(-len(rows) // settings.batch_size) * settings.epochs
    joined = sum(map(len, rows["input_ids"])) * settings.batch_size // len(rows)
    return SFTConfig(
        output_dir=str(folder),
        learning_rate=settings.learning_rate,
        num_train_epochs=settings.epochs,
        per_device_train_batch_size=1 if packing else settings.batch_size,
        packing=packing,
        max_length=joined if packing else settings.max_tokens,
        completion_only_loss=True,
        train_sampling_strategy="sequential",
        gradient_checkpointing=checkpointing,
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


def _case(kind: str, how: str, task: str = TASK, **changes: Any) -> Case:
    packing = bool(changes.get("packing"))
    weights = {"lora": "LoRA", "full": "full fine-tuning"}[kind]
    with_or_without = "with" if changes.get("checkpointing") else "without"
    return Case(
        name=f"{kind}-{how}",
        title=f"{weights} on short examples ({task}), the peer {'' if packing else 'not '}packed",
        peer_is=f"TRL's `SFTTrainer`, {with_or_without} gradient checkpointing",
        goal=2,
        memory_goal=0.7,
        items=64,
        untimed="imports, loading",
        peer_batch_size=1 if packing else BATCH,
        sides={"peer": _peer(kind, task, **changes), "ours": _ours(kind, task)},
        agree=_not_comparable if packing else agree,
    )


CASES = (
    _case("lora", "unpacked"),
    _case("full", "unpacked"),
    _case("lora", "packed", packing=True),
    _case("full", "packed", packing=True),
    _case("lora", "unshared", UNSHARED),
    _case("lora", "checkpointed", checkpointing=True),
)
