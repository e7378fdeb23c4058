"""PEFT adapters as models: what they rest on, and merging them into it."""

from __future__ import annotations

import json
import re
import warnings
from pathlib import Path
from typing import Any

from strategies.errors import ModelError
from strategies.hashing import sha256_of_data
from strategies.model_files import digest_of_folder, has_weights

ADAPTER_CONFIG = "adapter_config.json"
_WEIGHTS = "adapter_model.safetensors"
# What of the config says where the base lies; the base has a digest of its own.
_PLACE = ("base_model_name_or_path", "revision")
# Kinds of peft 0.21 that leave the base's weights alone.
_BESIDE_THE_BASE = {
    "PROMPT_TUNING": "puts trained vectors before the prompt",
    "MULTITASK_PROMPT_TUNING": "puts trained vectors before the prompt",
    "P_TUNING": "puts trained vectors before the prompt",
    "CPT": "puts trained vectors before the prompt",
    "PREFIX_TUNING": "puts trained keys and values before the prompt",
    "CARTRIDGE": "puts trained keys and values before the prompt",
    "ADAPTION_PROMPT": "adds trained vectors to attention",
    "XLORA": "mixes adapters differently for each token",
    "POLY": "mixes adapters differently for each task",
    "LILY": "mixes adapters differently for each token",
    "SHADOW": "runs a network of its own beside the base",
}
_VOCABULARIES = ("tokenizer.json", "*.model", "vocab*", "*.spm", "*.tiktoken", "tekken.json")


def is_adapter(folder: Path) -> bool:
    """Whether a folder holds a PEFT adapter."""
    return (folder / ADAPTER_CONFIG).is_file()


def read_adapter_config(folder: Path) -> dict[str, Any]:
    """The config of an adapter that can be merged.

    Raises:
        ModelError: it cannot be read, its weights are no safetensors, or it cannot be merged.
    """
    path = folder / ADAPTER_CONFIG
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{path} is no JSON: {error}") from None
    if not isinstance(config, dict):
        raise ModelError(f"{path} must hold a JSON object, as peft writes it")
    if has_weights(folder):
        raise ModelError(
            f"{folder} holds a whole model and an adapter ({ADAPTER_CONFIG}), so that it is open "
            "which of them is meant. Move the adapter's files to a folder of their own."
        )
    if not (folder / _WEIGHTS).is_file():
        raise ModelError(
            f"{folder} holds an adapter without {_WEIGHTS}. Adapters are read as safetensors "
            "alone. Load one that you trust with peft and save it again with "
            "save_pretrained(folder, safe_serialization=True)."
        )
    reason = _why_not_merged(config)
    if reason:
        raise ModelError(
            f"The adapter in {folder} cannot be used: {reason}. An adapter has to be merged into "
            "the weights of its base, as LoRA, DoRA, AdaLoRA, IA3 or OFT can."
        )
    return config


def _why_not_merged(config: dict[str, Any]) -> str | None:
    kind, task = str(config.get("peft_type")), config.get("task_type")
    if kind in _BESIDE_THE_BASE:
        return f"its kind, {kind}, {_BESIDE_THE_BASE[kind]} and changes no weight"
    if task not in (None, "CAUSAL_LM"):
        return f"it was trained for {task}, and a language model is CAUSAL_LM"
    if config.get("alora_invocation_tokens"):
        return "it is an activated LoRA, which changes weights only after certain tokens"
    if config.get("arrow_config"):
        return "it routes each token to adapters of its own (Arrow)"
    if config.get("megatron_config"):
        return "it was made for Megatron's layers"
    return None


def digest_of_adapter(folder: Path, files: list[Path], base: str) -> str:
    """Digest over an adapter and its base.

    Where the base lies does not enter, so that a copy on another machine has the same digest.

    Args:
        folder: of the adapter.
        files: those that may be read.
        base: digest of the base.
    """
    config = read_adapter_config(folder)
    others = [file for file in files if file != folder / ADAPTER_CONFIG]
    return sha256_of_data(
        {
            "config": {key: value for key, value in config.items() if key not in _PLACE},
            "files": digest_of_folder(folder, others),
            "base": base,
        }
    )


def has_tokenizer(folder: Path) -> bool:
    """Whether a folder holds a tokenizer of its own."""
    return any(file.is_file() for pattern in _VOCABULARIES for file in folder.glob(pattern))


def merge_adapter(base: Any, folder: Path) -> Any:
    """The base with an adapter merged into its weights; every parameter can train again.

    Args:
        base: the loaded base model, in fp32.
        folder: of the adapter.

    Raises:
        ModelError: the adapter does not fit the base, or its kind cannot be merged.
    """
    from peft import PeftModel

    shapes = _shapes(folder)
    absent = _layers_that_lack(base, shapes)
    if absent:
        raise ModelError(
            f"The adapter in {folder} does not fit its base, which has no {', '.join(absent[:3])}"
        )
    try:
        _fit_vocabulary(base, shapes)
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            wrapped = PeftModel.from_pretrained(base, folder)
        missing = [str(w.message) for w in warned if "missing adapter keys" in str(w.message)]
        if missing:
            raise ModelError(f"The adapter in {folder} does not fit its base: {missing[0]:.300}")
        merged = wrapped.merge_and_unload()
    except (OSError, ValueError, RuntimeError, TypeError, AttributeError) as error:
        raise ModelError(
            f"The adapter in {folder} cannot be merged into its base: {error}"
        ) from error
    return merged.requires_grad_(True)  # peft froze the base


def _shapes(folder: Path) -> dict[str, list[int]]:
    """Shapes of an adapter's weights by their names."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(folder / _WEIGHTS, framework="pt") as weights:
            return {key: weights.get_slice(key).get_shape() for key in weights.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise ModelError(f"{folder / _WEIGHTS} cannot be read: {error}") from error


def _layers_that_lack(base: Any, shapes: dict[str, list[int]]) -> list[str]:
    """Layers by number, such as ``layers.30``, that an adapter has weights for and a base lacks.

    peft ignores such weights. Only the end of a layer's name is compared, because names of
    architectures change between versions and peft follows them.
    """
    found = (re.match(r"(?:.*?\.)?(\w+\.\d+)\.", key) for key in shapes)
    wanted = {match.group(1) for match in found if match}
    there = {".".join(name.split(".")[-2:]) for name, _ in base.named_modules()}
    return sorted(wanted - there)


def _fit_vocabulary(base: Any, shapes: dict[str, list[int]]) -> None:
    """Give the base as many embeddings as the adapter, where it brings its own."""
    name = next(n for n, m in base.named_modules() if m is base.get_input_embeddings())
    rows = {
        shape[0]
        for key, shape in shapes.items()
        if len(shape) == 2 and key.endswith((f"{name}.weight", f"{name}.base_layer.weight"))
    }
    if rows and rows != {base.get_input_embeddings().weight.shape[0]}:
        base.resize_token_embeddings(rows.pop(), mean_resizing=False)
