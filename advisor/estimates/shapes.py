"""Shapes of decoder-only language models: from a config.json, the catalogue, or by hand.

A shape knows every weight matrix of its layers, so that parameters are counted, not guessed.
Source of the layouts: the modelling files of transformers 5 (``modeling_llama.py`` and the like).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache, cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from pydantic import Field, ValidationError

from advisor.errors import EstimateError, ModelFileError
from advisor.estimates.catalogues import Entry, mapping, own_text, user_data_text
from advisor.limited_files import FileError, json_data
from advisor.wording import plain_problems

Norm = Literal["rms", "gemma", "layer"]
Block = Literal["attention", "mlp"]


class Linear(NamedTuple):
    """One linear weight of a layer: ``d_out`` by ``d_in``."""

    name: str
    block: Block
    d_in: int
    d_out: int
    bias: bool

    @property
    def parameters(self) -> int:
        """Weight and bias."""
        return self.d_in * self.d_out + self.d_out * self.bias


class Family(NamedTuple):
    """What all models of a transformers ``model_type`` share.

    Attributes:
        norms: of the width of the model, in one layer.
        norm_inputs: how many of these read a tensor of their own.
        kept: tensors of the feed-forward width that its non-linear part keeps for the backward
            pass: gate, its activation and the up projection; a plain one its input; GPT-2's
            ``gelu_new`` is computed step by step and keeps four.
        dropouts: of one layer's output, in training; each keeps a mask.
        qkv_bias: whether queries, keys and values have biases; None: config.json says.
        output_bias: the same for the projection after attention.
        mlp_bias: the same for the feed-forward layers.
        defaults: what transformers takes for a key that config.json leaves out.
    """

    norm: Norm = "rms"
    norms: int = 2
    norm_inputs: int = 2
    kept: int = 3
    dropouts: int = 0
    qkv_bias: bool | None = False
    output_bias: bool | None = False
    mlp_bias: bool | None = False
    gated: bool = True
    fused: bool = False
    qk_norm: bool = False
    learned_positions: bool = False
    tied: bool = False
    defaults: Mapping[str, int] = MappingProxyType({})


_GEMMA = Family(
    norm="gemma",
    norms=4,
    norm_inputs=4,
    qkv_bias=None,
    output_bias=None,
    tied=True,
    defaults={"heads": 8, "kv_heads": 4, "head_dim": 256},
)
_NEOX = Family(
    norm="layer", norm_inputs=1, kept=1, qkv_bias=None, output_bias=None, mlp_bias=True, gated=False
)

FAMILIES: dict[str, Family] = {
    "llama": Family(qkv_bias=None, output_bias=None, mlp_bias=None),
    "mistral": Family(defaults={"kv_heads": 8}),
    "qwen2": Family(qkv_bias=True, defaults={"kv_heads": 32}),
    "qwen3": Family(
        qkv_bias=None,
        output_bias=None,
        qk_norm=True,
        defaults={"kv_heads": 32, "head_dim": 128},
    ),
    "gemma2": _GEMMA,
    "gemma3_text": _GEMMA._replace(qk_norm=True, defaults={**_GEMMA.defaults, "vocab": 262208}),
    "phi3": Family(fused=True),
    "gpt_neox": _NEOX._replace(fused=True),
    "gpt2": _NEOX._replace(
        norm_inputs=2,
        kept=4,
        dropouts=2,
        qkv_bias=True,
        output_bias=True,
        fused=True,
        learned_positions=True,
        tied=True,
    ),
}
# GPT-2's config.json has names of its own.
_KEYS: dict[str, tuple[str, ...]] = {
    "layers": ("num_hidden_layers", "n_layer"),
    "hidden": ("hidden_size", "n_embd"),
    "heads": ("num_attention_heads", "n_head"),
    "kv_heads": ("num_key_value_heads",),
    "head_dim": ("head_dim",),
    "intermediate": ("intermediate_size", "n_inner"),
    "vocab": ("vocab_size",),
    "positions": ("max_position_embeddings", "n_positions"),
}
_POINTER = "version https://git-lfs"
_BIAS_DEFAULT = {"gpt_neox": True}


class ModelShape(Entry):
    """What decides the size of a decoder-only language model.

    Attributes:
        family: the ``model_type`` of transformers.
        hidden: width of the residual stream.
        intermediate: width of the feed-forward layer.
        positions: longest sequence the model was made for, in tokens; None: not known.
        tied: the output layer shares the embedding's weights.
        stated_parameters: given by hand; taken instead of the count.
    """

    name: str
    family: str
    layers: int = Field(gt=0, le=10_000)
    hidden: int = Field(gt=0, le=10**6)
    heads: int = Field(gt=0, le=10**5)
    kv_heads: int = Field(gt=0, le=10**5)
    head_dim: int = Field(gt=0, le=10**6)
    intermediate: int = Field(gt=0, le=10**7)
    vocab: int = Field(gt=0, le=10**9)
    positions: int | None = Field(default=None, gt=0, le=10**12)
    tied: bool
    qkv_bias: bool = False
    output_bias: bool = False
    mlp_bias: bool = False
    final_softcap: bool = False
    attention_softcap: bool = False
    stated_parameters: int | None = Field(default=None, gt=0, le=10**18)

    @property
    def layout(self) -> Family:
        """What it shares with its family."""
        return FAMILIES[self.family]

    @property
    def query_width(self) -> int:
        """Heads times the width of a head."""
        return self.heads * self.head_dim

    @property
    def kv_width(self) -> int:
        """Width of the keys of one token in one layer, and of its values."""
        return self.kv_heads * self.head_dim

    # Kept, as hundreds of estimates of one shape ask for them; stated parameters do not enter.
    @cached_property
    def linears(self) -> tuple[Linear, ...]:
        """The linear weights of one layer, in the order of the modelling file."""
        return (*_attention(self), *_feed_forward(self))

    @cached_property
    def layer_linear_parameters(self) -> int:
        """Weights, without biases, of the linear layers of all layers: what 4-bit holds."""
        return self.layers * sum(linear.d_in * linear.d_out for linear in self.linears)

    @property
    def embedding_parameters(self) -> int:
        """Of the input embedding and, where it has weights of its own, the output layer."""
        return self.vocab * self.hidden * (1 if self.tied else 2)

    @cached_property
    def counted_parameters(self) -> int:
        """Every parameter, tied weights once."""
        norm = self.hidden * (2 if self.layout.norm == "layer" else 1)
        layer = sum(linear.parameters for linear in self.linears)
        layer += self.layout.norms * norm + (2 * self.head_dim if self.layout.qk_norm else 0)
        learned = (self.positions or 0) * self.hidden if self.layout.learned_positions else 0
        return self.layers * layer + norm + self.embedding_parameters + learned

    @property
    def parameters(self) -> int:
        """The stated number, or else the count."""
        return self.stated_parameters or self.counted_parameters

    @property
    def matmul_parameters(self) -> int:
        """Parameters that multiply every token: all but the input embedding's own.

        A tied embedding multiplies as the output layer. Source: Kaplan et al. 2020,
        arXiv:2001.08361, section 2.1, which leaves embeddings out.
        """
        looked_up = 0 if self.tied else self.vocab * self.hidden
        return self.parameters - looked_up

    @cached_property
    def widest_linear(self) -> int:
        """Weights of the largest linear weight of a layer."""
        return max(linear.d_in * linear.d_out for linear in self.linears)


def _attention(shape: ModelShape) -> tuple[Linear, ...]:
    d, q, k = shape.hidden, shape.query_width, shape.kv_width
    bias, out = shape.qkv_bias, shape.output_bias
    if shape.layout.fused:
        joint, output = {
            "phi3": ("qkv_proj", "o_proj"),
            "gpt_neox": ("query_key_value", "dense"),
            "gpt2": ("c_attn", "attn.c_proj"),
        }[shape.family]
        return (
            Linear(joint, "attention", d, q + 2 * k, bias),
            Linear(output, "attention", q, d, out),
        )
    return (
        Linear("q_proj", "attention", d, q, bias),
        Linear("k_proj", "attention", d, k, bias),
        Linear("v_proj", "attention", d, k, bias),
        Linear("o_proj", "attention", q, d, out),
    )


def _feed_forward(shape: ModelShape) -> tuple[Linear, ...]:
    d, f, bias = shape.hidden, shape.intermediate, shape.mlp_bias
    if shape.family == "phi3":
        up = (Linear("gate_up_proj", "mlp", d, 2 * f, bias),)
        return (*up, Linear("down_proj", "mlp", f, d, bias))
    if shape.layout.gated:
        gate = Linear("gate_proj", "mlp", d, f, bias)
        return gate, gate._replace(name="up_proj"), Linear("down_proj", "mlp", f, d, bias)
    names = {"gpt_neox": ("dense_h_to_4h", "dense_4h_to_h"), "gpt2": ("c_fc", "mlp.c_proj")}
    wide, narrow = names[shape.family]
    return Linear(wide, "mlp", d, f, bias), Linear(narrow, "mlp", f, d, bias)


def targets(shape: ModelShape, names: str) -> tuple[Linear, ...]:
    """Linear weights of a layer that a PEFT method wraps.

    Args:
        shape: of the model.
        names: ``all-linear``, ``attention``, ``mlp``, or module names set apart by commas.

    Raises:
        EstimateError: a name that no linear weight of this model has.
    """
    if names == "all-linear":
        return shape.linears
    if names in ("attention", "mlp"):
        return tuple(linear for linear in shape.linears if linear.block == names)
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    known = {linear.name: linear for linear in shape.linears}
    wrong = [name for name in wanted if name not in known]
    if wrong or not wanted:
        raise EstimateError(
            f"{', '.join(wrong) or 'nothing'}: no target module of {shape.name}. Allowed: "
            f"all-linear, attention, mlp, or of {', '.join(known)}."
        )
    return tuple(known[name] for name in dict.fromkeys(wanted))


# ---------------------------------------------------------------- where a shape comes from


def load_shape(model: str) -> ModelShape:
    """Shape of a model: a folder with config.json, such a file, or a name of the catalogue.

    An adapter (a folder with adapter_config.json) has the shape of the base that it names.

    Raises:
        EstimateError: it is none of these, or its architecture is not known.
        ModelFileError: its config.json cannot be read, or describes no such model.
    """
    path = Path(model)
    if (path / "adapter_config.json").is_file():
        return _shape_of_base(path)
    if path.suffix.lower() == ".gguf":
        raise EstimateError(
            f"{model}: the shape of a GGUF file is not read. Name the model that it was made from: "
            "a folder with config.json or a name of the catalogue."
        )
    if path.is_dir():
        path = path / "config.json"
    if path.is_file():
        return _shape_of_file(path)
    known = catalogue()
    name = _plain_name(model)
    if name in known:
        return known[name]
    raise EstimateError(
        f"{model!r} is neither a folder with config.json, nor such a file, nor in the catalogue: "
        f"{', '.join(known)}. Or give its numbers: --layers, --hidden, --heads, --intermediate "
        "and --vocab."
    )


def _shape_of_file(path: Path) -> ModelShape:
    config, name = _json(path), path.parent.name or str(path)
    if not config.get("model_type"):
        raise ModelFileError(
            f'{path} has no "model_type", which says how the model is built, such as "llama". Take '
            "the config.json that came with the weights."
        )
    try:
        return shape_of_config(config, name)
    except EstimateError as error:
        raise ModelFileError(f"{path}: {str(error).removeprefix(f'{name}: ')}") from None


def _shape_of_base(adapter: Path) -> ModelShape:
    """Shape of an adapter's base, which lies beside the adapter, elsewhere, or in the catalogue."""
    config = adapter / "adapter_config.json"
    named = str(_json(config).get("base_model_name_or_path") or "")
    local = adapter / Path(named).expanduser()
    if not named or local.resolve() == adapter.resolve():
        raise EstimateError(f"{config} names no base model as base_model_name_or_path.")
    try:
        return load_shape(str(local) if local.exists() else named)
    except (EstimateError, RecursionError) as error:
        raise EstimateError(f"{adapter} is an adapter on {named!r}: {error}") from None


def _plain_name(model: str) -> str:
    """Name in the catalogue of a Hub id: ``meta-llama/Meta-Llama-3-8B-Instruct``."""
    name = model.lower().rsplit("/", 1)[-1].removeprefix("meta-")
    parts = (part for part in name.split("-") if part not in ("instruct", "it", "pt", "hf", "chat"))
    return "-".join(parts)


@cache
def catalogue() -> dict[str, ModelShape]:
    """The built-in models by name, from models.yaml."""
    models = mapping(own_text("models.yaml"), "models.yaml")["models"]
    return {name: shape_of_config(config, name) for name, config in models.items()}


def shape_of_config(config: dict[str, Any], name: str) -> ModelShape:
    """Shape that a transformers config.json describes.

    Of a model that also sees, the language part alone is read.

    Raises:
        EstimateError: its ``model_type`` is not known, or keys are missing.
    """
    if isinstance(config.get("text_config"), dict):
        outer = config
        config = {"model_type": str(outer.get("model_type")) + "_text", **outer["text_config"]}
    family = str(config.get("model_type"))
    if family not in FAMILIES:
        raise EstimateError(
            f"{name}: model_type {family!r} is not known. Known: {', '.join(FAMILIES)}. Give its "
            "numbers instead: --layers, --hidden, --heads, --intermediate and --vocab, and "
            "--parameters where it is not built like Llama."
        )
    sizes = _sizes(config, FAMILIES[family])
    missing = [" or ".join(_KEYS[key]) for key in _NEEDED if sizes.get(key) is None]
    if missing:
        raise EstimateError(f"{name}: config.json lacks {', '.join(missing)}.")
    return _checked(
        name=name,
        family=family,
        **sizes,
        tied=config.get("tie_word_embeddings", FAMILIES[family].tied),
        **_biases(config, family),
        final_softcap=bool(config.get("final_logit_softcapping")),
        attention_softcap=bool(config.get("attn_logit_softcapping")),
    )


_NEEDED = ("layers", "hidden", "heads", "intermediate", "vocab")


def _sizes(config: dict[str, Any], family: Family) -> dict[str, Any]:
    sizes: dict[str, Any] = {}
    for key, names in _KEYS.items():
        found = next((config[n] for n in names if config.get(n) is not None), None)
        sizes[key] = found if found is not None else family.defaults.get(key)
    if sizes["kv_heads"] is None:
        sizes["kv_heads"] = sizes["heads"]
    known = all(type(sizes[key]) is int and sizes[key] for key in ("hidden", "heads"))
    if sizes["head_dim"] is None and known:
        sizes["head_dim"] = sizes["hidden"] // sizes["heads"]
    if sizes["intermediate"] is None and family.learned_positions and sizes["hidden"]:
        sizes["intermediate"] = 4 * sizes["hidden"]
    return sizes


def _biases(config: dict[str, Any], name: str) -> dict[str, bool]:
    family, default = FAMILIES[name], _BIAS_DEFAULT.get(name, False)
    attention = bool(config.get("attention_bias", default))
    mlp = bool(config.get("mlp_bias", False))
    return {
        "qkv_bias": attention if family.qkv_bias is None else family.qkv_bias,
        "output_bias": attention if family.output_bias is None else family.output_bias,
        "mlp_bias": mlp if family.mlp_bias is None else family.mlp_bias,
    }


def shape_by_hand(numbers: dict[str, int | None]) -> ModelShape:
    """A shape built like Llama from numbers that a person gives.

    Args:
        numbers: layers, hidden, heads, intermediate and vocab, each needed; kv_heads and
            head_dim, else those of attention without groups; parameters, else counted.

    Raises:
        EstimateError: lists every number that is missing.
    """
    given = {name: number for name, number in numbers.items() if number is not None}
    missing = [f"--{name}" for name in _NEEDED if name not in given]
    if missing:
        raise EstimateError(f"A model by hand also needs {', '.join(missing)}.")
    heads, hidden = given["heads"], given["hidden"]
    return _checked(
        name="by hand",
        family="llama",
        **{name: given[name] for name in _NEEDED},
        kv_heads=given.get("kv_heads", heads),
        head_dim=given.get("head_dim", hidden // heads if heads else 0),
        tied=False,
        stated_parameters=given.get("parameters"),
    )


def _checked(**values: Any) -> ModelShape:
    try:
        return ModelShape(**values)
    except ValidationError as error:
        raise EstimateError(
            f"{values['name']}: {'; '.join(plain_problems(error, ModelShape))}"
        ) from None


def _json(path: Path) -> dict[str, Any]:
    again = "Name a folder with a config.json as transformers writes it."
    try:
        text = user_data_text(path)
        values = json_data(text)
    except FileError as error:
        if text.startswith(_POINTER):
            again = "It is a pointer of git-lfs: run `git lfs pull` in its folder."
        raise ModelFileError(f"{path} is no JSON: {error}. {again}") from None
    except EstimateError as error:
        raise ModelFileError(str(error)) from None
    if not isinstance(values, dict):
        raise ModelFileError(f"{path} must hold a JSON object. {again}")
    return values
