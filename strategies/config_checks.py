"""What config.json says of a model: is it a language model that can be run and trained here?"""

from __future__ import annotations

import ast
import difflib
import importlib.util
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from strategies.errors import ModelError

_CAUSAL = "MODEL_FOR_CAUSAL_LM_MAPPING_NAMES"
_ENCODER_DECODER = "MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES"
_ENCODER = "MODEL_FOR_MASKED_LM_MAPPING_NAMES"
# Tables of transformers, and what a model in one of them is. The first that fits is told.
_OTHER_KINDS = {
    "MODEL_FOR_SPEECH_SEQ_2_SEQ_MAPPING_NAMES": "a speech or audio model",
    "MODEL_FOR_CTC_MAPPING_NAMES": "a speech or audio model",
    "MODEL_FOR_AUDIO_CLASSIFICATION_MAPPING_NAMES": "a speech or audio model",
    "MODEL_FOR_TEXT_TO_WAVEFORM_MAPPING_NAMES": "a speech or audio model",
    _ENCODER_DECODER: "an encoder-decoder (sequence-to-sequence) model",
    "MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES": "a vision-language model",
    _ENCODER: "an encoder, which fills in masked words and does not write",
    "MODEL_MAPPING_NAMES": "no language model",
}
# Those that have an encoder, though transformers can also load their decoder alone.
_WITH_ENCODER = tuple(_OTHER_KINDS)[:5]
_TAKE = "Give a decoder-only language model, such as a Llama, Qwen, Mistral, Gemma or SmolLM"
# Heads of models that were trained for something else than writing.
_OTHER_HEADS = (
    "ForSequenceClassification", "ForTokenClassification", "ForQuestionAnswering",
    "ForMultipleChoice", "ForMaskedLM", "ForNextSentencePrediction", "RewardModel",
)  # fmt: skip
_SIZES = (
    "vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads",
    "num_key_value_heads", "intermediate_size", "head_dim", "max_position_embeddings",
    "n_embd", "n_layer", "n_head", "n_inner", "n_positions",
)  # fmt: skip
_DTYPES = ("float64", "float32", "float16", "bfloat16", "half", "float", "double", "auto")


def check_config(path: Path, config: Mapping[str, Any]) -> None:
    """Check what a config.json says of a language model; every problem is told.

    Raises:
        ModelError: it describes no causal language model, or one that cannot be.
    """
    problems = [*_kind_problems(config), *_size_problems(config), *_form_problems(config)]
    if problems:
        raise ModelError("\n".join(f"{path}: {problem}" for problem in problems))


# ---------------------------------------------------------------- which kind of model


@cache
def transformers_table(name: str) -> Mapping[str, str]:
    """A table of transformers from model_type to a class; empty where it cannot be read.

    It is read from the source, because importing it takes seconds.
    """
    found = importlib.util.find_spec("transformers")
    if found is None or found.origin is None:
        return {}
    try:
        source = Path(found.origin).parent / "models" / "auto" / "modeling_auto.py"
        return _tables(source.read_text(encoding="utf-8"))[name]
    except (OSError, SyntaxError, KeyError):
        return {}


@cache
def _tables(source: str) -> dict[str, dict[str, str]]:
    tables = {}
    for node in ast.parse(source).body:
        if not isinstance(node, ast.Assign) or not isinstance(node.targets[0], ast.Name):
            continue
        try:
            tables[node.targets[0].id] = dict(ast.literal_eval(node.value.args[0]))  # type: ignore[attr-defined]
        except (AttributeError, IndexError, ValueError, TypeError):
            continue  # Not a table, or one that is made of others.
    return tables


def _kind_problems(config: Mapping[str, Any]) -> Iterator[str]:
    kind, causal = config.get("model_type"), transformers_table(_CAUSAL)
    if not isinstance(kind, str) or not kind:
        yield (
            'it has no "model_type", which says how the model is built, such as "llama". Take the '
            "config.json that came with the weights."
        )
        return
    if not causal or "auto_map" in config:
        return  # Code of its own is refused where the model is loaded.
    if kind not in causal:
        yield _other_kind(kind)
        return
    listed = config.get("architectures")
    named = [str(name) for name in listed] if isinstance(listed, list) else []
    whole = _with_encoder(kind) if causal[kind] not in named else ""
    if _is_encoder(kind, config):
        yield f"{kind} is {_OTHER_KINDS[_ENCODER]}. {_TAKE}."
    elif whole:
        yield f"{kind} is {whole}. {_TAKE}."
    elif any(name.endswith(_OTHER_HEADS) for name in named):
        yield (
            f"the model is a {named[0]}: its last layer classifies and writes no text. Give the "
            "language model that it was made from."
        )


def _with_encoder(kind: str) -> str:
    """What a model with an encoder is, of whose decoder alone transformers can make a model."""
    decoder = transformers_table(_CAUSAL)[kind]
    for table in _WITH_ENCODER:
        if transformers_table(table).get(kind, decoder) != decoder:
            return _OTHER_KINDS[table]
    return ""


def _is_encoder(kind: str, config: Mapping[str, Any]) -> bool:
    masked = transformers_table(_ENCODER).get(kind, "").endswith("ForMaskedLM")
    return masked and not config.get("is_decoder")


def _other_kind(kind: str) -> str:
    for table, what in _OTHER_KINDS.items():
        if kind in transformers_table(table):
            return f"{kind} is {what}. {_TAKE}."
    near = difflib.get_close_matches(kind, transformers_table(_CAUSAL), 1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return (
        f"model_type {kind!r} is not known to transformers {version('transformers')}.{hint} A "
        "newer transformers may know it (pip install --upgrade transformers); else take another "
        "model."
    )


# ---------------------------------------------------------------- sizes and forms


def language_part(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """The part of a config that describes the language model."""
    text = config.get("text_config")
    return text if isinstance(text, dict) else config


def _size_problems(config: Mapping[str, Any]) -> Iterator[str]:
    part = language_part(config)
    for name in _SIZES:
        value = part.get(name)
        for each in value if isinstance(value, list) else [value]:
            if each is not None and (type(each) is not int or each < 1):
                yield f"{name} is {each!r} and must be a whole number of 1 or more."
                break
    pad, rows = part.get("pad_token_id"), part.get("vocab_size")
    if type(pad) is int and type(rows) is int and rows > 0 and not -rows <= pad < rows:
        yield (
            f"pad_token_id is {pad}, and the vocabulary has {rows:,} tokens, 0 to {rows - 1:,}. "
            "Name one of these, such as the eos_token_id."
        )


def _form_problems(config: Mapping[str, Any]) -> Iterator[str]:
    quantised = config.get("quantization_config")
    if quantised:
        how = quantised.get("quant_method") if isinstance(quantised, dict) else None
        yield (
            f"the weights are quantised ({how or 'quantization_config'}), and such weights are "
            "not read. Give the model in full precision, from which they were made, or a GGUF "
            "file of it."
        )
    for name in ("dtype", "torch_dtype"):
        value = config.get(name)
        known = isinstance(value, str) and value.removeprefix("torch.") in _DTYPES
        if value is not None and not known and not isinstance(value, dict):
            yield f"{name} is {value!r}; allowed: float32, float16, bfloat16. Correct it."
