"""What comes with a model of a stranger's and wants to run: refused before a bench begins."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from strategies import adapters
from strategies.chat_template import refuse_endless_template
from strategies.embedding import Embedder
from strategies.errors import ModelError
from strategies.models import ResolvedModel, load_config, load_tokenizer, own_code

_SETTINGS = ("config.json", "tokenizer_config.json")


def refuse_programs(model: ResolvedModel, embedder: ResolvedModel) -> None:
    """Check that neither model needs code of its own and that the chat template ends.

    Raises:
        ModelError: one does, or it does not.
    """
    if _names_code(model.path) or _names_code(model.whole.path):
        _refuse_own_code(model)
    if _names_code(embedder.path):
        # Its tokenizer is looked at as well as its config, and its weights are not read.
        load_config(embedder)
        _ = Embedder(embedder, embedder.path).tokenizer
    used = model
    while used.base is not None and not adapters.has_tokenizer(used.path):
        used = used.base
    # A GGUF file was converted to a folder that its user does not know.
    refuse_endless_template(used.path, used.name if used.from_gguf else str(used.path))


def _refuse_own_code(model: ResolvedModel) -> None:
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

    kind = load_config(model).model_type
    names = _read(model.whole.path / "config.json").get("auto_map") or {}
    if "AutoModelForCausalLM" in names and kind not in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES:
        raise ModelError(own_code(model.whole.path))
    load_tokenizer(model)


def _names_code(folder: Path) -> bool:
    """Whether a folder names classes of its own, which transformers may know as well."""
    return any("auto_map" in _read(folder / name) for name in _SETTINGS)


def _read(path: Path) -> dict[str, Any]:
    """A JSON object, {} where there is none: what is wrong with a file is told elsewhere."""
    with suppress(OSError, ValueError):
        value = json.loads(path.read_bytes())
        return value if isinstance(value, dict) else {}
    return {}
