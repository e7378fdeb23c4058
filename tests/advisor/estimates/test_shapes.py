"""Shapes: parameters to the last one, and what cannot be read is said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from advisor.errors import EstimateError
from advisor.estimates.shapes import (
    FAMILIES,
    ModelShape,
    catalogue,
    load_shape,
    shape_by_hand,
    shape_of_config,
    targets,
)

# The totals that huggingface.co shows for the safetensors files, tied weights once; of Gemma 3
# from 4B on less the vision tower (416,866,032) and the projector.
PUBLISHED = [
    ("llama-2-7b", 6_738_415_616),
    ("llama-2-13b", 13_015_864_320),
    ("llama-2-70b", 68_976_648_192),
    ("llama-3-8b", 8_030_261_248),
    ("llama-3-70b", 70_553_706_496),
    ("llama-3.1-8b", 8_030_261_248),
    ("llama-3.1-70b", 70_553_706_496),
    ("llama-3.2-1b", 1_235_814_400),
    ("llama-3.2-3b", 3_212_749_824),
    ("qwen2.5-0.5b", 494_032_768),
    ("qwen2.5-1.5b", 1_543_714_304),
    ("qwen2.5-3b", 3_085_938_688),
    ("qwen2.5-7b", 7_615_616_512),
    ("qwen2.5-14b", 14_770_033_664),
    ("qwen2.5-32b", 32_763_876_352),
    ("qwen2.5-72b", 72_706_203_648),
    ("qwen3-0.6b", 596_049_920),
    ("qwen3-1.7b", 1_720_574_976),
    ("qwen3-4b", 4_022_468_096),
    ("qwen3-8b", 8_190_735_360),
    ("qwen3-14b", 14_768_307_200),
    ("qwen3-32b", 32_762_123_264),
    ("mistral-7b-v0.1", 7_241_732_096),
    ("mistral-7b-v0.3", 7_248_023_552),
    ("gemma-2-2b", 2_614_341_888),
    ("gemma-2-9b", 9_241_705_984),
    ("gemma-2-27b", 27_227_128_320),
    ("gemma-3-1b", 999_885_952),
    ("gemma-3-4b", 3_880_263_168),
    ("gemma-3-12b", 11_766_034_176),
    ("gemma-3-27b", 27_009_346_304),
    ("phi-3-mini", 3_821_079_552),
    ("phi-3-medium", 13_960_238_080),
    ("phi-3.5-mini", 3_821_079_552),
    ("phi-4", 14_659_507_200),
    ("phi-4-mini", 3_836_021_760),
    ("smollm2-135m", 134_515_008),
    ("smollm2-360m", 361_821_120),
    ("smollm2-1.7b", 1_711_376_384),
    ("gpt-neox-20b", 20_554_567_680),
    ("pythia-70m", 70_426_624),
    ("pythia-160m", 162_322_944),
    ("pythia-410m", 405_334_016),
    ("pythia-1b", 1_011_781_632),
    ("pythia-1.4b", 1_414_647_808),
    ("pythia-2.8b", 2_775_208_960),
    ("pythia-6.9b", 6_857_302_016),
    ("pythia-12b", 11_846_072_320),
    ("gpt2", 124_439_808),
    ("gpt2-xl", 1_557_611_200),
]


@pytest.mark.parametrize(("name", "parameters"), PUBLISHED)
def test_a_catalogued_shape_has_the_published_number_of_parameters(
    name: str, parameters: int
) -> None:
    assert catalogue()[name].parameters == parameters


def test_every_catalogued_shape_is_checked() -> None:
    assert {name for name, _ in PUBLISHED} == set(catalogue())


def test_every_family_has_a_catalogued_model() -> None:
    assert {shape.family for shape in catalogue().values()} == set(FAMILIES)


def _config(**changes: Any) -> dict[str, Any]:
    return {
        "model_type": "llama",
        "num_hidden_layers": 2,
        "hidden_size": 8,
        "num_attention_heads": 2,
        "intermediate_size": 16,
        "vocab_size": 10,
        **changes,
    }


def test_a_small_shape_is_counted_by_hand() -> None:
    # A layer: four 8 x 8, three 8 x 16, two norms of 8: 256 + 384 + 16. Twice, a last norm of 8,
    # embedding and output layer of 80 each.
    assert shape_of_config(_config(), "tiny").parameters == 2 * 656 + 8 + 160


@pytest.mark.parametrize(
    ("changes", "difference"),
    [
        ({"tie_word_embeddings": True}, -80),
        # Biases: 4 x 8 of attention in two layers.
        ({"attention_bias": True}, 2 * 32),
        ({"mlp_bias": True}, 2 * (16 + 16 + 8)),
        # Keys and values of one head: two 8 x 4 less in two layers.
        ({"num_key_value_heads": 1}, -2 * 2 * 32),
        # Biases of queries, keys, values alone; its own default of 32 key heads is overridden.
        ({"model_type": "qwen2", "num_key_value_heads": 2}, 2 * 24),
        # A norm of the width of a head for queries and one for keys.
        ({"model_type": "qwen3", "num_key_value_heads": 2, "head_dim": 4}, 2 * 8),
    ],
)
def test_what_config_json_says_is_counted(changes: dict[str, Any], difference: int) -> None:
    plain = shape_of_config(_config(), "tiny").parameters
    assert shape_of_config(_config(**changes), "tiny").parameters - plain == difference


def test_learned_positions_are_counted() -> None:
    config = {"model_type": "gpt2", "n_layer": 1, "n_embd": 4, "n_head": 1, "vocab_size": 5}
    short, long = (shape_of_config({**config, "n_positions": n}, "tiny") for n in (3, 10))
    assert long.parameters - short.parameters == 7 * 4


def test_a_shape_is_read_from_a_folder_or_a_file(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    file.write_text(json.dumps(_config()), encoding="utf-8")
    assert load_shape(str(tmp_path)) == load_shape(str(file))


def _adapter(folder: Path, base: str | None) -> Path:
    folder.mkdir()
    config = {"peft_type": "LORA", "base_model_name_or_path": base}
    (folder / "adapter_config.json").write_text(json.dumps(config), encoding="utf-8")
    return folder


def test_an_adapter_has_the_shape_of_its_base(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(_config()), encoding="utf-8")
    whole = load_shape(str(tmp_path))
    places = {"relative": "..", "absolute": str(tmp_path)}
    for name, base in places.items():
        found = load_shape(str(_adapter(tmp_path / name, base)))
        assert found.parameters == whole.parameters
    on_the_hub = _adapter(tmp_path / "hub", "meta-llama/Llama-2-7b-chat-hf")
    assert load_shape(str(on_the_hub)).name == "llama-2-7b"


@pytest.mark.parametrize("base", ["/not/here", "owner/unknown", None, "."])
def test_an_adapter_without_a_known_base_is_a_message(tmp_path: Path, base: str | None) -> None:
    named = "names no base model" if base in (None, ".") else f"is an adapter on '{base}'"
    with pytest.raises(EstimateError, match=named):
        load_shape(str(_adapter(tmp_path / "adapter", base)))


def test_the_shape_of_a_gguf_file_is_asked_for_by_name(tmp_path: Path) -> None:
    (tmp_path / "tiny.gguf").write_bytes(b"GGUF\xff\xfe")
    with pytest.raises(EstimateError, match=r"Name the model that it was made from"):
        load_shape(str(tmp_path / "tiny.gguf"))


def test_the_language_part_of_a_model_that_sees_is_read() -> None:
    text = {**_config(), "model_type": "gemma3_text", "vocab_size": None}
    seeing = {"model_type": "gemma3", "text_config": text, "vision_config": {}}
    assert shape_of_config(seeing, "sees").family == "gemma3_text"
    assert shape_of_config(seeing, "sees").vocab == 262208


@pytest.mark.parametrize(
    ("hub_id", "name"),
    [
        ("meta-llama/Llama-2-7b-chat-hf", "llama-2-7b"),
        ("meta-llama/Meta-Llama-3-8B-Instruct", "llama-3-8b"),
        ("mistralai/Mistral-7B-Instruct-v0.3", "mistral-7b-v0.3"),
        ("google/gemma-2-2b-it", "gemma-2-2b"),
        ("HuggingFaceTB/SmolLM2-135M-Instruct", "smollm2-135m"),
    ],
)
def test_a_hub_id_finds_its_shape(hub_id: str, name: str) -> None:
    assert load_shape(hub_id).name == name


def test_an_unknown_architecture_names_the_known_ones() -> None:
    with pytest.raises(EstimateError, match=r"'mamba' is not known.*llama, mistral.*--layers"):
        shape_of_config(_config(model_type="mamba"), "other")


def test_every_missing_key_is_named() -> None:
    config = _config(hidden_size=None, vocab_size=None)
    with pytest.raises(EstimateError, match=r"lacks hidden_size or n_embd, vocab_size"):
        shape_of_config(config, "broken")


def test_numbers_by_hand_are_taken() -> None:
    numbers = {"layers": 2, "hidden": 8, "heads": 2, "intermediate": 16, "vocab": 10}
    assert shape_by_hand({**numbers}).parameters == 2 * 656 + 8 + 160
    assert shape_by_hand({**numbers, "parameters": 5000}).parameters == 5000


def test_missing_numbers_are_named_at_once() -> None:
    with pytest.raises(EstimateError, match="--heads, --intermediate, --vocab"):
        shape_by_hand({"layers": 2, "hidden": 8})


@pytest.mark.parametrize("text", ["{", "[]", '{"model_type": 3}'])
def test_a_broken_config_is_a_message(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.json").write_text(text, encoding="utf-8")
    with pytest.raises(EstimateError):
        load_shape(str(tmp_path))


def test_targets_are_the_linear_weights_of_a_layer() -> None:
    shape = catalogue()["llama-2-7b"]
    assert [linear.name for linear in targets(shape, "attention")] == [
        "q_proj", "k_proj", "v_proj", "o_proj",
    ]  # fmt: skip
    assert len(targets(shape, "all-linear")) == 7
    assert [linear.name for linear in targets(shape, "v_proj, q_proj")] == ["v_proj", "q_proj"]
    with pytest.raises(EstimateError, match=r"lm_head: no target.*q_proj"):
        targets(shape, "q_proj,lm_head")


def _meta_parameters(shape: ModelShape, config: dict[str, Any]) -> int:
    """Parameters that transformers makes for a config, on the meta device."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    kind = config.pop("model_type")
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, **config))
    return sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.slow
@pytest.mark.parametrize("name", list(catalogue()))
def test_transformers_makes_as_many_parameters(name: str) -> None:
    from advisor.estimates.catalogues import mapping, own_text

    config = dict(mapping(own_text("models.yaml"), "models.yaml")["models"][name])
    config.setdefault("pad_token_id", None)
    shape = catalogue()[name]
    assert _meta_parameters(shape, config) == shape.parameters


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["llama", "gpt_neox", "qwen3", "gemma2", "gemma3_text"])
def test_transformers_counts_biases_alike(kind: str) -> None:
    config = _config(model_type=kind, attention_bias=True, num_key_value_heads=2, head_dim=4)
    config["pad_token_id"] = None
    shape = shape_of_config(config, "tiny")
    assert _meta_parameters(shape, dict(config)) == shape.parameters


LLAMA = {
    "model_type": "llama",
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 128,
    "vocab_size": 1000,
}
POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\nsize 700\n"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "is no JSON: .* Name a folder with a config.json"),
        ("{", "is no JSON"),
        ("[" * 100_000, "is no JSON"),
        (POINTER, "a pointer of git-lfs: run `git lfs pull`"),
        ("[1]", "must hold a JSON object"),
        (json.dumps(LLAMA | {"model_type": None}), 'has no "model_type"'),
        (json.dumps(LLAMA | {"model_type": "t5"}), "model_type 't5' is not known"),
        (json.dumps(LLAMA | {"hidden_size": "wide"}), "hidden: is 'wide'; expected a whole number"),
        (json.dumps(LLAMA | {"hidden_size": -64}), "hidden: is -64; it has to be greater than 0"),
        (
            json.dumps(LLAMA | {"num_attention_heads": 0}),
            "heads: is 0; it has to be greater than 0",
        ),
        (
            json.dumps(LLAMA | {"num_hidden_layers": 10**400}),
            "layers: is 1.*; it has to be at most",
        ),
        (json.dumps(LLAMA | {"vocab_size": None}), "lacks vocab_size"),
    ],
)
def test_a_config_that_cannot_be_used_is_named_with_what_is_wrong(
    tmp_path: Path, text: str, named: str
) -> None:
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(EstimateError, match=named) as refused:
        load_shape(str(tmp_path))
    assert str(refused.value).startswith(str(tmp_path / "config.json"))
    assert refused.value.exit_code == 4
