"""A look at a model before anything runs with it: is all there, whole, and of the right kind?

It takes milliseconds for weights, of which headers and some values are read, and most of a second
for the tokenizer; neither torch nor transformers is imported. What it cannot see, such as a layer
of a wrong shape, is found when the model is loaded.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from strategies import adapters
from strategies.config_checks import check_config, language_part
from strategies.embedding import modules_of
from strategies.errors import ModelError, all_at_once
from strategies.model_files import read_files, refuse_other_weights_of_modules
from strategies.models import (
    PACKAGED,
    ResolvedModel,
    is_gguf,
    packaged_folder,
    refuse_incomplete,
)
from strategies.weight_checks import (
    Tensor,
    check_gguf_start,
    check_safetensors,
    read_object,
    tensors_of,
    what_it_is,
)

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_POINTER = "a pointer of git-lfs"
_MOST_POINTER_BYTES = 1024
_LAYER = re.compile(r"(?:^|\.)(?:layers|h|blocks)\.(\d+)\.")
_EMBEDDING = re.compile(r"(?:^|\.)(?:embed_tokens|wte|embed_in|word_embeddings)\.weight$")
# Architectures whose embeddings are narrower than their layers say so by one of these.
_OTHER_WIDTH = ("word_embed_proj_dim", "embedding_size", "embedding_dim")
_JSON_OF_TOKENIZER = ("tokenizer_config.json", "special_tokens_map.json", "added_tokens.json")
_NAMED_TOKENS = ("bos_token", "eos_token", "unk_token", "pad_token", "cls_token", "sep_token")
_LIKE_A_PATH = ("/", "./", "../", "~")


# ---------------------------------------------------------------- by name


def look_at_model(name: str) -> None:
    """Check the language model of a name as far as it is here; nothing is fetched or converted.

    Args:
        name: as `strategies.models.resolve` takes it.

    Raises:
        ModelError: all that is wrong with it, and what to do.
    """
    with _told_to_fetch_again(name):
        folder = _folder_here(name)
        if folder is not None:
            _look_at_folder(folder)


def _look_at_folder(folder: Path) -> None:
    if adapters.is_adapter(folder):
        _check_adapter(folder)
    else:
        refuse_incomplete(folder)
        if (folder / "config.json").is_file():
            check_language_folder(folder)
        else:
            raise ModelError(
                f"{folder} is a model of sentence-transformers, which embeds texts and writes "
                "none. Give a causal language model."
            )


def look_at_embedder(name: str) -> None:
    """As `look_at_model`, for the model that embeds texts."""
    with _told_to_fetch_again(name):
        folder = _folder_here(name)
        if folder is not None and not adapters.is_adapter(folder):
            refuse_incomplete(folder)
            check_embedder_folder(folder)


def look_at_fetched(model: ResolvedModel, embedder: ResolvedModel) -> None:
    """Check what was fetched or converted, which `look_at_model` could not see.

    Raises:
        ModelError: as there.
    """
    if not _was_here(model) and model.base is None:
        check_language_folder(model.path)
    if not _was_here(embedder):
        check_embedder_folder(embedder.path)


@contextmanager
def _told_to_fetch_again(name: str) -> Iterator[None]:
    """What is wrong with a packaged model is mended by fetching it again."""
    try:
        yield
    except ModelError as error:
        if name not in PACKAGED:
            raise
        raise ModelError(
            f"{error}\nIt is a packaged model. Fetch it again: advisor models remove {name} && "
            f"advisor models pull {name}"
        ) from None


def _was_here(model: ResolvedModel) -> bool:
    return model.name in PACKAGED or Path(model.name).expanduser().is_dir()


def _folder_here(name: str) -> Path | None:
    """The folder that a name stands for, None where it is to be fetched or converted first."""
    path = Path(name).expanduser()
    if name in PACKAGED:
        folder = packaged_folder(name)
        return folder if folder.is_dir() else None
    if is_gguf(name):
        check_gguf_start(path)
        return None
    if path.is_dir():
        return path.resolve()
    if path.exists():
        raise ModelError(_not_a_model(path))
    if name.startswith(_LIKE_A_PATH) or path.suffix.lower() == ".gguf":
        raise ModelError(
            f"Model {name}: there is no such folder or file. Give the folder of a model, a .gguf "
            "file, a hub id (owner/name), or one that is listed by: advisor models list"
        )
    return None


def _not_a_model(file: Path) -> str:
    kind = what_it_is(file) if file.is_file() else ""
    if file.suffix == ".safetensors":
        return f"{file} holds weights alone. Give its folder, with config.json and a tokenizer."
    if "GGUF" in kind:
        return f"{file} is a GGUF file without that ending. Rename it to {file.name}.gguf."
    return (
        f"{file} is {kind or 'a file'} and no model. A model is a folder with config.json, weights "
        "as safetensors and a tokenizer, or a .gguf file. Run: advisor models list"
    )


# ---------------------------------------------------------------- folders


def check_language_folder(folder: Path) -> None:
    """Check the folder of a whole causal language model.

    Raises:
        ModelError: all that is wrong with it.
    """
    _refuse_pointers(folder)
    config: dict[str, Any] = {}
    tensors: dict[str, Tensor] = {}
    tokens: list[Tokenizer] = []

    def read_config() -> None:
        config.update(read_object(folder / "config.json"))
        check_config(folder / "config.json", config)

    all_at_once(
        read_config,
        lambda: tensors.update(tensors_of(folder)),
        lambda: tokens.extend(_tokenizer(folder)),
        partial(_check_json, folder / "generation_config.json"),
    )
    part = language_part(config)
    all_at_once(
        lambda: _check_layers(folder, tensors, part),
        lambda: _check_embedding(folder, tensors, part),
        lambda: _check_vocabulary(folder, tokens, _rows(tensors) or part.get("vocab_size")),
    )


def check_embedder_folder(folder: Path) -> None:
    """Check the folder of a sentence-transformers model, or of one that is read as such.

    Raises:
        ModelError: all that is wrong with it.
    """
    _refuse_pointers(folder)
    refuse_other_weights_of_modules(folder)
    first = folder / modules_of(folder)[0]["path"]
    tensors: dict[str, Tensor] = {}
    tokens: list[Tokenizer] = []
    others = [file for file in read_files(folder) if file.suffix == ".safetensors"]
    all_at_once(
        lambda: read_object(first / "config.json"),
        lambda: tensors.update(tensors_of(first)),
        lambda: tokens.extend(_tokenizer(first)),
        *(partial(check_safetensors, file) for file in others if file.parent != first),
    )
    _check_vocabulary(first, tokens, _rows(tensors))


def _check_adapter(folder: Path) -> None:
    """The adapter's own files; its base is looked at where it lies beside or elsewhere here."""
    _refuse_pointers(folder)
    config = adapters.read_adapter_config(folder)
    named = str(config.get("base_model_name_or_path") or "")
    base = (folder / Path(named).expanduser()).resolve()
    steps: list[Callable[[], object]] = [
        partial(check_safetensors, folder / "adapter_model.safetensors")
    ]
    if adapters.has_tokenizer(folder):
        steps.append(lambda: list(_tokenizer(folder)))
    if named and base.is_dir() and not adapters.is_adapter(base):
        steps.append(partial(look_at_model, str(base)))
    all_at_once(*steps)


def _refuse_pointers(folder: Path) -> None:
    small = [f for f in read_files(folder) if f.stat().st_size <= _MOST_POINTER_BYTES]
    pointers = [file for file in small if what_it_is(file).startswith(_POINTER)]
    if pointers:
        names = ", ".join(str(file.relative_to(folder)) for file in pointers)
        raise ModelError(
            f"{folder}: {names} only points to content that git-lfs keeps elsewhere. Run `git lfs "
            f"pull` in {folder}, or download the files themselves."
        )


def _check_json(path: Path) -> None:
    if path.is_file():
        read_object(path)


# ---------------------------------------------------------------- weights and config


def _check_layers(folder: Path, tensors: Mapping[str, Tensor], config: Mapping[str, Any]) -> None:
    """Every layer that the config counts has some weights."""
    found = {int(match[1]) for match in map(_LAYER.search, tensors) if match}
    layers = config.get("num_hidden_layers", config.get("n_layer"))
    counted = range(layers if found and isinstance(layers, int) else 0)
    # No list of them all: a config may count billions.
    missing = list(islice((layer for layer in counted if layer not in found), 6))
    if missing:
        raise ModelError(
            f"{folder}: config.json counts {layers} layers, and the safetensors hold nothing of "
            f"layer {', '.join(map(str, missing[:5]))}{', …' if len(missing) > 5 else ''}. Files "
            "are missing, or config.json belongs to another model: download the folder again."
        )


def _check_embedding(
    folder: Path, tensors: Mapping[str, Tensor], config: Mapping[str, Any]
) -> None:
    """The embedding has the size that the config says."""
    embeddings = _embeddings(tensors)
    if len(embeddings) != 1:
        return
    ((name, tensor),) = embeddings.items()
    width = None if any(config.get(key) for key in _OTHER_WIDTH) else config.get("hidden_size")
    stated = (config.get("vocab_size"), width or config.get("n_embd"))
    wrong = [(said, real) for said, real in zip(stated, tensor.shape, strict=False) if said]
    if any(said != real for said, real in wrong):
        raise ModelError(
            f"{folder}: config.json says vocab_size {stated[0]} and a width of {stated[1]}, and "
            f"{name} is {' by '.join(map(str, tensor.shape))}. config.json and the weights belong "
            "to different models: take both from one place."
        )


def _embeddings(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor for name, tensor in tensors.items() if _EMBEDDING.search(name)}


def _rows(tensors: Mapping[str, Tensor]) -> int | None:
    """Rows of the embedding, None where it is not known which tensor it is."""
    shapes = [tensor.shape for tensor in _embeddings(tensors).values()]
    return shapes[0][0] if len(shapes) == 1 and shapes[0] else None


# ---------------------------------------------------------------- tokenizer


def _tokenizer(folder: Path) -> Iterator[Tokenizer]:
    """The tokenizer of a folder; nothing where it is in another format than tokenizer.json.

    Raises:
        ModelError: there is none, or it cannot be read.
    """
    if not adapters.has_tokenizer(folder):
        raise ModelError(
            f"{folder} holds no tokenizer. Copy the model's tokenizer.json and "
            "tokenizer_config.json into it."
        )
    all_at_once(*(partial(_check_json, folder / name) for name in _JSON_OF_TOKENIZER))
    path = folder / "tokenizer.json"
    if path.is_file():
        from tokenizers import Tokenizer

        try:
            yield Tokenizer.from_file(str(path))
        except Exception as error:  # tokenizers raises nothing narrower
            why = f"it is {kind}" if (kind := what_it_is(path)) else str(error)
            raise ModelError(
                f"{path}: the tokenizer cannot be loaded ({why}). Copy or download it again."
            ) from None


def _check_vocabulary(folder: Path, tokens: list[Tokenizer], rows: object) -> None:
    """Every token that a prompt may hold has a row of the embedding.

    Tokens that were added for images or the like, which no prompt holds, may lie beyond them.
    """
    if not tokens or type(rows) is not int:
        return
    (tokenizer,) = tokens
    size = tokenizer.get_vocab_size(with_added_tokens=False)
    added = tokenizer.get_added_tokens_decoder()
    if size > rows and len(set(range(rows, size)) - set(added)) > 0:
        raise ModelError(
            f"{folder / 'tokenizer.json'} has {size:,} tokens, and the model's embedding has "
            f"{rows:,} rows. The tokenizer belongs to another model: take the one that came with "
            "the weights."
        )
    wrong = [*_named_beyond(folder, tokenizer, rows), *_in_template_beyond(folder, added, rows)]
    if wrong:
        raise ModelError(
            f"{folder}: {', '.join(dict.fromkeys(wrong))} "
            f"{'has' if len(set(wrong)) == 1 else 'have'} no row in the model's embedding, which "
            f"has {rows:,}. Name tokens of the vocabulary in tokenizer_config.json, or resize the "
            "model (resize_token_embeddings) and save it again."
        )


def _named_beyond(folder: Path, tokenizer: Tokenizer, rows: int) -> Iterator[str]:
    path = folder / "tokenizer_config.json"
    config = read_object(path) if path.is_file() else {}
    for name in _NAMED_TOKENS:
        token = config.get(name)
        text = token.get("content") if isinstance(token, dict) else token
        if not isinstance(text, str):
            continue
        number = tokenizer.token_to_id(text)
        # transformers adds a token that is missing behind all others.
        if (tokenizer.get_vocab_size() if number is None else number) >= rows:
            yield f"{name} {text!r}"


def _in_template_beyond(folder: Path, added: Mapping[int, Any], rows: int) -> Iterator[str]:
    beyond = [token.content for number, token in added.items() if number >= rows]
    path = folder / "chat_template.jinja"
    if not beyond:
        return
    template = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    if not template and (folder / "tokenizer_config.json").is_file():
        template = str(read_object(folder / "tokenizer_config.json").get("chat_template") or "")
    yield from (f"{text!r} of the chat template" for text in beyond if text in template)
