"""PEFT adapters as models: found with their base, hashed with it, merged into it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, PeftModel, PrefixTuningConfig, PromptTuningConfig, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from strategies import models
from strategies.embedding import resolve_embedder
from strategies.errors import ModelError
from strategies.method import registry
from strategies.models import import_architecture, load_config, load_model, load_tokenizer, resolve
from tests.tiny import make_tiny_gguf

# Of peft, which asks transformers for an attribute by its old name.
pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")
_IDS = torch.tensor([[5, 8, 13, 21, 34]])


@pytest.fixture
def base(tiny_model: Path, tmp_path: Path) -> Path:
    """A copy of a tiny model that a test may change."""
    return shutil.copytree(tiny_model, tmp_path / "base")


Make = Callable[..., Path]


@pytest.fixture
def make(base: Path, tmp_path: Path) -> Make:
    """Writes an adapter with random weights on the base, by peft."""

    def write(config: Any = None, named: str = "../base", rows: int | None = None) -> Path:
        model = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
        if rows:
            model.resize_token_embeddings(rows, mean_resizing=False)
        torch.manual_seed(1)
        config = config or LoraConfig(task_type="CAUSAL_LM", target_modules="all-linear")
        wrapped = get_peft_model(model, config)
        for parameter in wrapped.parameters():
            if parameter.requires_grad:
                torch.nn.init.normal_(parameter, std=0.3)
        folder = tmp_path / "adapter"
        wrapped.save_pretrained(folder, save_embedding_layers=bool(rows))
        _change_config(folder, base_model_name_or_path=named)
        return folder

    return write


def _change_config(folder: Path, **changes: Any) -> None:
    path = folder / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def _logits(model: Any) -> Any:
    with torch.no_grad():
        return model(_IDS).logits


@pytest.mark.parametrize(
    "config",
    [
        None,
        LoraConfig(task_type="CAUSAL_LM", target_modules=["q_proj"], use_dora=True),
        LoraConfig(target_modules=["v_proj"], modules_to_save=["lm_head"]),
    ],
    ids=["lora", "dora", "with a head of its own"],
)
def test_an_adapter_answers_as_its_base_with_peft_around_it(
    make: Make, base: Path, config: Any
) -> None:
    folder = make(config)
    plain = AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    untouched = _logits(plain)
    expected = _logits(PeftModel.from_pretrained(plain, folder).eval())
    found = _logits(load_model(resolve(str(folder)), "fp32", "cpu"))
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
    assert (found - untouched).abs().max() > 0.1


def test_an_adapter_is_merged_in_fp32_and_rounded_once(make: Make, tmp_path: Path) -> None:
    found = resolve(str(make()))
    load_model(found, "fp32", "cpu").save_pretrained(tmp_path / "whole")
    whole = AutoModelForCausalLM.from_pretrained(tmp_path / "whole", dtype=torch.bfloat16)
    model = load_model(found, "bf16", "cpu")
    for name, weight in whole.state_dict().items():
        assert torch.equal(model.state_dict()[name], weight), name
    for name, buffer in whole.named_buffers():  # positions are kept in fp32
        assert torch.equal(model.get_buffer(name), buffer), name


def test_the_digest_covers_the_adapter_and_its_base(make: Make, base: Path) -> None:
    folder = make()
    seen = [resolve(str(folder)).sha256]
    for file in (
        folder / "adapter_model.safetensors",
        base / "model.safetensors",
        base / "chat_template.jinja",
    ):
        file.write_bytes(file.read_bytes()[:-1] + b"\x01")
        seen.append(resolve(str(folder)).sha256)
    _change_config(folder, lora_alpha=99)
    seen.append(resolve(str(folder)).sha256)
    assert len(set(seen)) == len(seen)
    (folder / "README.md").write_text("new")
    assert resolve(str(folder)).sha256 == seen[-1]
    assert resolve(str(base)).sha256 not in seen


def test_where_the_base_lies_changes_no_digest(make: Make, base: Path, tmp_path: Path) -> None:
    folder = make()
    before = resolve(str(folder)).sha256
    moved = base.rename(tmp_path / "elsewhere")
    _change_config(folder, base_model_name_or_path=str(moved))
    assert resolve(str(folder)).sha256 == before


def test_the_size_of_an_adapter_counts_its_base(make: Make, base: Path) -> None:
    folder = make()
    own = sum(
        (folder / name).stat().st_size
        for name in ("adapter_config.json", "adapter_model.safetensors")
    )
    assert resolve(str(folder)).size_bytes == resolve(str(base)).size_bytes + own


def test_an_adapter_on_packaged_weights_of_another_machine_finds_them_here(
    make: Make, base: Path
) -> None:
    here = models.packaged_folder("smollm2-135m-instruct")
    here.parent.mkdir(parents=True)
    shutil.copytree(base, here)
    by_path = make(named=f"/home/somebody/.cache/adaptation-advisor/models/{here.name}")
    found = resolve(str(by_path))
    assert found.base is not None
    assert found.base.path == here
    _change_config(by_path, base_model_name_or_path="smollm2-135m-instruct")
    assert resolve(str(by_path)).sha256 == found.sha256


def test_an_adapter_may_rest_on_a_gguf_file_and_on_another_adapter(
    make: Make, tiny_model: Path, tmp_path: Path
) -> None:
    first = make().rename(tmp_path / "first")
    second = make(named="../first")
    found = resolve(str(second))
    assert found.base is not None
    assert found.base.base is not None
    assert found.whole.path == tmp_path / "base"
    alone, both = (load_model(resolve(str(f)), "fp32", "cpu") for f in (first, second))
    assert not torch.equal(_logits(alone), _logits(both))
    make_tiny_gguf(tmp_path / "tiny.gguf", tiny_model)
    _change_config(second, base_model_name_or_path="../tiny.gguf")
    on_gguf = resolve(str(second))
    assert on_gguf.base == resolve(str(tmp_path / "tiny.gguf"))
    assert load_tokenizer(on_gguf).encode("the sea")


def test_a_missing_base_is_named_with_where_to_write_its_path(make: Make) -> None:
    folder = make(named="/not/here/llama")
    with pytest.raises(ModelError, match=r"rests on '/not/here/llama'") as refused:
        resolve(str(folder))
    assert f'"base_model_name_or_path" of {folder}/adapter_config.json' in str(refused.value)
    _change_config(folder, base_model_name_or_path="owner/name", revision="v2")
    with pytest.raises(ModelError, match=r"rests on 'owner/name'.*owner/name@v2"):
        resolve(str(folder))
    _change_config(folder, base_model_name_or_path=None)
    with pytest.raises(ModelError, match="names no base model"):
        resolve(str(folder))


def test_an_adapter_that_rests_on_itself_is_refused(make: Make) -> None:
    with pytest.raises(ModelError, match="would rest on itself"):
        resolve(str(make(named="../adapter")))


@pytest.mark.parametrize("config", [PromptTuningConfig, PrefixTuningConfig])
def test_an_adapter_that_cannot_be_merged_is_refused_with_a_reason(make: Make, config: Any) -> None:
    folder = make(config(task_type="CAUSAL_LM", num_virtual_tokens=3))
    with pytest.raises(ModelError, match=r"before the prompt and changes no weight"):
        resolve(str(folder))


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"task_type": "SEQ_CLS"}, "trained for SEQ_CLS"),
        ({"alora_invocation_tokens": [5]}, "activated LoRA"),
        ({"megatron_config": {"a": 1}, "megatron_core": "os"}, "Megatron"),
    ],
)
def test_an_adapter_of_another_use_is_refused(
    make: Make, changes: dict[str, Any], reason: str
) -> None:
    folder = make()
    _change_config(folder, **changes)
    with pytest.raises(ModelError, match=reason):
        resolve(str(folder))


def test_adapter_weights_as_bin_are_refused(make: Make) -> None:
    folder = make()
    torch.save(load_file(folder / "adapter_model.safetensors"), folder / "adapter_model.bin")
    (folder / "adapter_model.safetensors").unlink()
    with pytest.raises(ModelError, match=r"without adapter_model\.safetensors"):
        resolve(str(folder))


def test_an_adapter_beside_a_whole_model_is_refused(make: Make, base: Path) -> None:
    folder = make()
    shutil.copy(base / "model.safetensors", folder)
    with pytest.raises(ModelError, match="a whole model and an adapter"):
        resolve(str(folder))


@pytest.mark.parametrize("text", ["{", "[]"])
def test_a_broken_adapter_config_is_named(make: Make, text: str) -> None:
    folder = make()
    (folder / "adapter_config.json").write_text(text)
    with pytest.raises(ModelError, match=r"adapter_config\.json"):
        resolve(str(folder))


def test_an_adapter_of_another_shape_is_refused(make: Make) -> None:
    folder = make()
    weights = load_file(folder / "adapter_model.safetensors")
    half = {name: weight[..., : weight.shape[-1] // 2] for name, weight in weights.items()}
    save_file({name: weight.contiguous() for name, weight in half.items()}, folder / "w")
    (folder / "w").replace(folder / "adapter_model.safetensors")
    with pytest.raises(ModelError, match="cannot be merged into its base"):
        load_model(resolve(str(folder)), "fp32", "cpu")


@pytest.mark.parametrize("change", ["of fewer layers", "of more layers"])
def test_an_adapter_for_a_model_of_other_depth_is_refused(make: Make, change: str) -> None:
    folder = make()
    file = folder / "adapter_model.safetensors"
    weights = load_file(file)
    second = {name: weight for name, weight in weights.items() if ".layers.1." in name}
    if change == "of fewer layers":
        weights = {name: weight for name, weight in weights.items() if name not in second}
    else:
        weights |= {n.replace(".layers.1.", ".layers.2."): w.clone() for n, w in second.items()}
    save_file(weights, file)
    with pytest.raises(ModelError, match="does not fit its base"):
        load_model(resolve(str(folder)), "fp32", "cpu")


def test_the_tokenizer_is_the_adapters_own_if_it_brings_one(make: Make, base: Path) -> None:
    folder = make()
    assert load_tokenizer(resolve(str(folder))).get_vocab().keys() >= {"<|im_end|>"}
    assert "<|new|>" not in load_tokenizer(resolve(str(folder))).get_vocab()
    own = AutoTokenizer.from_pretrained(base)
    own.add_special_tokens({"additional_special_tokens": ["<|new|>"]})
    own.save_pretrained(folder)
    found = load_tokenizer(resolve(str(folder)))
    assert "<|new|>" in found.get_vocab()
    assert found.chat_template == own.chat_template


def test_an_adapter_with_more_embeddings_than_its_base_is_merged(make: Make, base: Path) -> None:
    rows = AutoModelForCausalLM.from_pretrained(base).vocab_size + 3
    folder = make(rows=rows)
    model = load_model(resolve(str(folder)), "fp32", "cpu")
    saved = load_file(folder / "adapter_model.safetensors")
    (name,) = (name for name in saved if name.endswith("embed_tokens.weight"))
    assert torch.equal(model.get_input_embeddings().weight, saved[name])
    assert _logits(model).shape[-1] == rows


@pytest.mark.parametrize("method", ["lora", "full"])
def test_training_on_top_of_an_adapter_trains_the_merged_model(make: Make, method: str) -> None:
    model = load_model(resolve(str(make())), "fp32", "cpu")
    assert all(parameter.requires_grad for parameter in model.parameters())
    before = _logits(model)
    wrapped = registry().method(method).weights.wrap(model)
    torch.testing.assert_close(_logits(wrapped), before, atol=1e-5, rtol=1e-5)
    wrapped(_IDS, labels=_IDS).loss.backward()
    trained = {name for name, p in wrapped.named_parameters() if p.requires_grad}
    whole = {name for name, _ in wrapped.named_parameters()}
    assert trained == whole if method == "full" else all("lora_" in name for name in trained)
    assert all(p.grad is not None for p in wrapped.parameters() if p.requires_grad)


def test_the_architecture_of_an_adapter_is_that_of_its_base(make: Make) -> None:
    found = resolve(str(make()))
    import_architecture(found)
    assert load_config(found).model_type == "llama"


def test_an_adapter_is_no_embedder(make: Make) -> None:
    with pytest.raises(ModelError, match="is an adapter, which cannot be the embedder"):
        resolve_embedder(str(make()))
