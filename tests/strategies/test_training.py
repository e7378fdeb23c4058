"""Training: what carries loss, early stopping, and going on after an interruption."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, FalconH1Config, Llama4TextConfig, LlamaConfig

from strategies.checked_files import kept_json, write_json
from strategies.checkpoints import last_whole_checkpoint, seal
from strategies.data import Example, Message, Prompt
from strategies.errors import DataError
from strategies.method import registry
from strategies.models import ResolvedModel, load_model, load_tokenizer
from strategies.rendering import Renderer
from strategies.settings import TrainingSettings
from strategies.training import (
    LeftPaddingCollator,
    TrainingJob,
    encode_example,
    read_beginning,
    train,
)
from strategies.weights.full import FullWeights
from strategies.weights.peft import LoraWeights
from tests.tiny import SHAPE

_SHAPE = {
    "vocab_size": 400,
    **SHAPE,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "pad_token_id": 0,
}
pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")
PAIRS = [
    (
        Prompt(messages=(Message(role="user", content=f"the sea number {n}"),)),
        Example(id=f"e{n}", input="", outputs=("blue" if n % 2 else "a ripe red tomato",)),
    )
    for n in range(8)
]


def training_job(folder: Path, **settings: Any) -> TrainingJob:
    resolved = ResolvedModel("tiny", folder, "0")
    chosen = {"learning_rate": 1e-3, "epochs": 3, "batch_size": 4, "max_tokens": 64, **settings}
    weights = FullWeights(training=TrainingSettings(**chosen))
    return TrainingJob(
        weights=weights,
        load_base=lambda: load_model(resolved, "fp32", "cpu"),
        renderer=Renderer(load_tokenizer(resolved)),
        examples=PAIRS,
        validation=PAIRS[:2],
        seed=3,
        precision="fp32",
        device="cpu",
    )


def test_left_padded_loss_equals_the_mean_over_answer_tokens_one_example_at_a_time(
    tiny_model: Path,
) -> None:
    job = training_job(tiny_model)
    model = job.load_base()
    rows = [encode_example(job.renderer, prompt, e.output, 64) for prompt, e in PAIRS[:4]]
    with torch.no_grad():
        batch = LeftPaddingCollator(job.renderer.tokenizer.pad_token_id, share=False)(rows)
        ours = float(model(**read_beginning(model, batch)).loss)
        losses = []
        for row in rows:
            ids = torch.tensor([row["input_ids"]])
            logits = model(ids).logits[0, :-1].log_softmax(-1)
            wanted = torch.tensor(row["labels"][1:])
            places = (wanted != -100).nonzero().flatten()
            losses += [-float(logits[place, wanted[place]]) for place in places]
    assert ours == pytest.approx(sum(losses) / len(losses), abs=1e-5)


@pytest.mark.parametrize("weights", ["full", "lora"])
def test_a_shared_beginning_is_read_once_and_changes_no_gradient(
    tiny_model: Path, weights: str
) -> None:
    job = training_job(tiny_model)
    rows = [encode_example(job.renderer, prompt, e.output, 64) for prompt, e in PAIRS[:4]] * 4
    gradients = []
    for share in (False, True):
        batch = LeftPaddingCollator(job.renderer.tokenizer.pad_token_id, share=share)(rows)
        assert (batch["shared_ids"].shape[1] > 8) == share
        torch.manual_seed(0)
        chosen = registry().method(weights).weights
        model = chosen.wrap(job.load_base())
        model(**read_beginning(model, batch)).loss.backward()
        gradients.append({n: p.grad for n, p in model.named_parameters() if p.grad is not None})
    apart, shared = gradients
    assert apart.keys() == shared.keys()
    for name, gradient in apart.items():
        assert torch.allclose(shared[name], gradient, atol=1e-5), name


def test_rounding_frozen_weights_once_changes_no_loss(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lora = registry().method("lora").weights
    job = training_job(tiny_model)
    settings = job.settings.model_copy(update={"epochs": 1})
    weights = lora.model_copy(update={"training": settings})
    rounding = replace(job, weights=weights, precision="bf16")
    once = train(rounding, tmp_path / "a", tmp_path / "1")
    monkeypatch.setattr("strategies.training.round_frozen", lambda model: None)
    always = train(rounding, tmp_path / "b", tmp_path / "2")
    assert once.curve == always.curve
    one, other = (load_file(tmp_path / name / "adapter_model.safetensors") for name in "12")
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_an_interrupted_training_goes_on_to_the_same_weights(
    tiny_model: Path, tmp_path: Path
) -> None:
    whole = train(training_job(tiny_model), tmp_path / "a", tmp_path / "whole")

    def stop(phase: str, done: int, total: int) -> None:
        if done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(training_job(tiny_model), tmp_path / "b", tmp_path / "parts", stop)
    assert last_whole_checkpoint(tmp_path / "b") is not None
    seen: list[int] = []
    parts = train(
        training_job(tiny_model),
        tmp_path / "b",
        tmp_path / "parts",
        lambda phase, done, total: seen.append(done),
    )
    assert seen[0] > 1
    first = load_file(tmp_path / "whole" / "model.safetensors")
    second = load_file(tmp_path / "parts" / "model.safetensors")
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert [p["step"] for p in parts.curve] == [p["step"] for p in whole.curve]


def checkpoint(folder: Path, step: int, best: int | None = None) -> Path:
    made = folder / f"checkpoint-{step}"
    made.mkdir()
    state = {"best_model_checkpoint": str(folder / f"checkpoint-{best}") if best else None}
    (made / "trainer_state.json").write_text(json.dumps(state))
    (made / "optimizer.pt").write_bytes(bytes(range(200)))
    (made / "training_args.bin").write_bytes(b"a pickle")
    return made


def test_a_torn_checkpoint_is_removed_and_the_one_before_it_taken(tmp_path: Path) -> None:
    seal(checkpoint(tmp_path, 2))
    checkpoint(tmp_path, 4)
    assert last_whole_checkpoint(tmp_path) == str(tmp_path / "checkpoint-2")
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint-2"]
    # A pickle that nothing reads is not kept.
    assert not (tmp_path / "checkpoint-2" / "training_args.bin").exists()


def test_a_flipped_bit_in_a_checkpoint_costs_that_checkpoint(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for step in (2, 4):
        seal(checkpoint(tmp_path, step))
    damaged = tmp_path / "checkpoint-4" / "optimizer.pt"
    damaged.write_bytes(damaged.read_bytes()[:100] + b"\x00" + damaged.read_bytes()[101:])
    assert last_whole_checkpoint(tmp_path) == str(tmp_path / "checkpoint-2")
    assert [str(damaged) in note for note in caplog.messages] == [True]


@pytest.mark.parametrize("content", [b"", b"{}", b'{"seconds": 9.0}\n'])
def test_the_training_time_so_far_is_not_taken_from_a_damaged_note(
    tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "elapsed.json"
    write_json(path, {"seconds": 5.0})
    assert kept_json(path) == {"seconds": 5.0}
    path.write_bytes(content)
    assert kept_json(path) is None
    assert not path.exists()


def test_without_the_best_checkpoint_training_begins_anew(tmp_path: Path) -> None:
    for step in (2, 4):
        seal(checkpoint(tmp_path, step, best=2))
    assert last_whole_checkpoint(tmp_path) == str(tmp_path / "checkpoint-4")
    (tmp_path / "checkpoint-2" / "optimizer.pt").unlink()
    assert last_whole_checkpoint(tmp_path) is None
    assert list(tmp_path.iterdir()) == []


def test_training_stops_when_validation_no_longer_improves(
    tiny_model: Path, tmp_path: Path
) -> None:
    # A rate that destroys the model makes every later validation worse than the first.
    job = training_job(
        tiny_model, learning_rate=1.0, epochs=20, patience=2, validations_per_epoch=1
    )
    trained = train(job, tmp_path / "checkpoints", tmp_path / "weights")
    validated = [p["step"] for p in trained.curve if "validation_loss" in p]
    assert validated[-1] < 40
    losses = [p["validation_loss"] for p in trained.curve if "validation_loss" in p]
    best = losses.index(min(losses))
    assert len(losses) - 1 - best == 2


def test_an_interruption_does_not_lengthen_the_patience(tiny_model: Path, tmp_path: Path) -> None:
    job = training_job(
        tiny_model, learning_rate=1.0, epochs=20, patience=3, validations_per_epoch=1
    )
    whole = train(job, tmp_path / "a", tmp_path / "whole")
    last = int(whole.curve[-1]["step"])

    def stop(phase: str, done: int, total: int) -> None:
        if done == last - 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(job, tmp_path / "b", tmp_path / "parts", stop)
    parts = train(job, tmp_path / "b", tmp_path / "parts")
    assert [p["step"] for p in parts.curve] == [p["step"] for p in whole.curve]


def _widths(job: TrainingJob, folder: Path) -> list[int]:
    """Tokens of every example that training reads."""
    widths: list[int] = []
    collate = LeftPaddingCollator.__call__

    def watched(self: LeftPaddingCollator, rows: Any) -> Any:
        widths.extend(len(row["input_ids"]) for row in rows)
        return collate(self, rows)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LeftPaddingCollator, "__call__", watched)
        train(job, folder / "c", folder / "w")
    return widths


def test_an_example_longer_than_the_models_context_is_left_out_and_counted(
    tiny_model: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    long = Prompt(messages=(Message(role="user", content="the sea is blue " * 400),))
    job = training_job(tiny_model, max_tokens=4096, epochs=1)
    job = replace(job, examples=[(long, PAIRS[0][1]), *PAIRS[1:3]], validation=())
    widths = _widths(job, tmp_path)
    assert len(widths) == 2
    assert max(widths) < 60
    assert "1 of 3 examples have more than 512 tokens" in caplog.text


def test_examples_of_which_none_fits_are_refused_by_name(tiny_model: Path, tmp_path: Path) -> None:
    long = Prompt(messages=(Message(role="user", content="the sea is blue " * 400),))
    job = training_job(tiny_model, max_tokens=4096, epochs=1)
    job = replace(job, examples=[(long, PAIRS[0][1])], validation=())
    with pytest.raises(DataError, match=f"first being '{PAIRS[0][1].id}'"):
        train(job, tmp_path / "c", tmp_path / "w")


@pytest.mark.parametrize(
    ("config", "without"),
    [
        (
            FalconH1Config(
                **_SHAPE,
                mamba_d_ssm=64,
                mamba_n_heads=8,
                mamba_d_head=8,
                mamba_d_state=8,
                mamba_n_groups=1,
            ),
            {"mamba.out_proj"},
        ),
        (
            Llama4TextConfig(**_SHAPE, num_local_experts=2, interleave_moe_layer_step=1),
            {"feed_forward.router"},
        ),
        (LlamaConfig(**_SHAPE), set()),
    ],
    ids=lambda value: type(value).__name__,
)
def test_adapters_sit_on_every_linear_layer_that_takes_one(config: Any, without: set[str]) -> None:
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config)
    layer = re.compile(r"model\.layers\.\d+\.")
    linear = {
        layer.sub("", name)
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.Linear) and name != "lm_head"
    }
    wrapped = LoraWeights().wrap(model)
    adapted = {
        layer.sub("", name.removeprefix("base_model.model.").removesuffix(".lora_A.default"))
        for name, _ in wrapped.named_modules()
        if name.endswith(".lora_A.default")
    }
    assert linear - adapted == without
    ids = torch.tensor([[5, 6, 7, 8]])
    loss = wrapped(input_ids=ids, labels=ids).loss
    loss.backward()
    assert loss.isfinite()
