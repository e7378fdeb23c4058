"""Activations a token and layer, against what autograd saves in transformers' own models.

The bytes of one layer and one token are a difference of differences: models of two and three
layers, batches of two sizes. So weights, masks and all that is made once cancel.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import pytest

from advisor.estimates.activations import layer_bytes
from advisor.estimates.setup import Setup
from advisor.estimates.shapes import shape_of_config

# Of PEFT and transformers about each other.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:fan_in_fan_out"),
    pytest.mark.filterwarnings("ignore:.*gradient_checkpointing:FutureWarning"),
]

SEQUENCE = 24
CONFIG: dict[str, Any] = {
    "hidden_size": 64,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "intermediate_size": 160,
    "vocab_size": 48,
    "max_position_embeddings": 64,
    "pad_token_id": 0,
}
FAMILIES: dict[str, dict[str, Any]] = {
    "llama": {},
    "qwen2": {},
    "qwen3": {},
    "gemma3_text": {},
    "phi3": {},
    "gpt_neox": {"num_key_value_heads": 4},
    "gpt2": {"num_key_value_heads": 4},
}


def config_of(family: str, layers: int) -> dict[str, Any]:
    config = {**CONFIG, **FAMILIES[family], "num_hidden_layers": layers}
    if family == "gpt2":
        names = ("n_embd", "n_head", "n_layer", "n_positions", "n_inner", "vocab_size")
        sizes = dict(zip(names, (64, 4, layers, 64, 160, 48), strict=True))
        # Dropout leaves the CPU's fused attention, and keeps its mask in another type there.
        off = {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0}
        return {"model_type": family, **sizes, **off}
    if family == "gpt_neox":
        config = {k: v for k, v in config.items() if k not in ("head_dim", "num_key_value_heads")}
    return {"model_type": family, **config}


def make_model(family: str, layers: int, setup: Setup) -> Any:
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    config = config_of(family, layers)
    made = AutoConfig.for_model(config.pop("model_type"), **config)
    model = AutoModelForCausalLM.from_config(made, attn_implementation=setup.attention)
    model = model.to(torch.float32 if setup.base_bytes == 4 else torch.bfloat16)
    model.train()
    return _with_adapters(model, setup)


def _with_adapters(model: Any, setup: Setup) -> Any:
    import peft

    if setup.method == "full":
        return model
    task: dict[str, Any] = {"task_type": "CAUSAL_LM"}
    if setup.method == "prompt-tuning":
        config: Any = peft.PromptTuningConfig(num_virtual_tokens=1, **task)
    elif setup.method == "ia3":
        modules = ["k_proj", "v_proj", "down_proj"]
        config = peft.IA3Config(target_modules=modules, feedforward_modules=["down_proj"], **task)
    else:
        names = setup.targets
        modules_of: Any = names if names == "all-linear" else names.split(",")
        config = peft.LoraConfig(
            r=setup.rank, target_modules=modules_of, use_dora=setup.dora, **task
        )
    return peft.get_peft_model(model, config)


def saved_bytes(model: Any, batch: int, setup: Setup) -> int:
    """Bytes of all storages, but the parameters', that autograd saves in one forward pass."""
    import torch

    parameters = {p.untyped_storage().data_ptr() for p in model.parameters()}
    seen: dict[int, Any] = {}

    def keep(tensor: Any) -> Any:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in parameters:
            seen[storage.data_ptr()] = storage
        return tensor

    tokens = torch.ones((batch, SEQUENCE), dtype=torch.long)
    mask = torch.ones_like(tokens)
    mask[0, :3] = 0
    mixed = setup.precision == "bf16-mixed"
    autocast = torch.autocast("cpu", dtype=torch.bfloat16) if mixed else nullcontext()
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor), autocast:
        model(input_ids=tokens, attention_mask=mask, use_cache=False)
    return sum(storage.nbytes() for storage in seen.values())


def measured_layer_bytes(family: str, setup: Setup) -> float:
    """Of one token, virtual ones counted."""
    two, three = (make_model(family, layers, setup) for layers in (2, 3))
    few, many = (
        saved_bytes(three, batch, setup) - saved_bytes(two, batch, setup) for batch in (2, 6)
    )
    tokens = SEQUENCE + (1 if setup.method == "prompt-tuning" else 0)
    return (many - few) / (4 * tokens)


FULL, LORA = Setup(method="full"), Setup(rank=4)
CASES = [
    *(("llama", Setup(method="full", precision=p)) for p in ("fp32", "bf16-mixed", "bf16")),
    *(("llama", Setup(rank=4, precision=p)) for p in ("fp32", "bf16-mixed", "bf16")),
    ("llama", Setup(rank=4, targets="q_proj,v_proj")),
    ("llama", Setup(rank=4, dora=True, targets="q_proj,v_proj")),
    ("llama", Setup(method="ia3")),
    ("llama", Setup(method="prompt-tuning", virtual_tokens=1)),
    ("llama", Setup(method="full", attention="eager")),
    ("llama", Setup(rank=4, attention="eager")),
    *((family, FULL) for family in FAMILIES),
    *((family, LORA) for family in FAMILIES),
]


@pytest.mark.parametrize(("family", "setup"), CASES)
def test_a_layer_keeps_what_autograd_saves_within_one_percent(family: str, setup: Setup) -> None:
    setup = replace(setup, sequence=SEQUENCE)
    shape = shape_of_config(config_of(family, 2), family)
    masks = shape.layout.dropouts * shape.hidden
    measured = measured_layer_bytes(family, setup)
    assert layer_bytes(shape, setup) - masks == pytest.approx(measured, rel=0.01)
