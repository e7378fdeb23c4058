"""Builds a model without its weights, as transformers would, to see whether it can be loaded.

This takes seconds, nearly all of them to import transformers, so a model that passed is remembered.
"""

from __future__ import annotations

from importlib.metadata import version

from strategies.errors import ModelError
from strategies.hashing import sha256_of_data
from strategies.home import home
from strategies.models import ResolvedModel, load_config, load_tokenizer
from strategies.weight_checks import Tensor, tensors_of


def check_that_it_builds(model: ResolvedModel) -> None:
    """Check that transformers takes the config and the tokenizer, and that the weights fit.

    Raises:
        ModelError: it does not, or a weight has another shape than the config asks for.
    """
    passed = sha256_of_data([model.sha256, version("transformers"), version("tokenizers")])
    note = home() / "built" / passed
    if note.is_file():
        return
    _refuse_other_shapes(model, _shapes_wanted(model))
    _load_tokenizer(model)
    note.parent.mkdir(exist_ok=True)
    note.touch()


def _shapes_wanted(model: ResolvedModel) -> dict[str, tuple[int, ...]]:
    """Shapes of the weights that the config asks for, by name; empty where that is not known."""
    import torch
    from transformers import AutoModelForCausalLM

    try:
        with torch.device("meta"):
            built = AutoModelForCausalLM.from_config(load_config(model), trust_remote_code=False)
    except Exception as error:  # A config of a stranger can raise anything.
        if "trust_remote_code" in str(error) or "meta" in str(error):
            return {}  # Told where it is loaded; or it cannot be built without its weights.
        raise _cannot(model, "config.json", error) from error
    return {name: tuple(weight.shape) for name, weight in built.state_dict().items()}


def _refuse_other_shapes(model: ResolvedModel, wanted: dict[str, tuple[int, ...]]) -> None:
    """Weights under other names are left to transformers, which renames some when it loads."""
    there: dict[str, Tensor] = tensors_of(model.whole.path)
    wrong = [name for name in wanted if name in there and there[name].shape != wanted[name]]
    if wrong:
        name = wrong[0]
        raise ModelError(
            f"{model.whole.path}: config.json asks for {_by(wanted[name])} in {name}, and the "
            f"safetensors hold {_by(there[name].shape)}"
            f"{f'; so it is with {len(wrong)} weights' if len(wrong) > 1 else ''}. config.json and "
            "the weights belong to different models: take both from one place."
        )


def _load_tokenizer(model: ResolvedModel) -> None:
    try:
        load_tokenizer(model)
    except ModelError:
        raise
    except Exception as error:
        raise _cannot(model, "the tokenizer", error) from error


def _cannot(model: ResolvedModel, what: str, error: Exception) -> ModelError:
    reason = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, KeyError):
        reason = f"{reason} is not known"
    return ModelError(
        f"{model.whole.path}: transformers {version('transformers')} cannot use {what}: {reason}. "
        "Correct it, or download the folder again."
    )


def _by(shape: tuple[int, ...]) -> str:
    return " by ".join(map(str, shape)) or "one value"
