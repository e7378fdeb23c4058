"""Sentence embeddings, computed once for every list of texts."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from strategies.artifacts import CheckedFolders
from strategies.data import Frozen
from strategies.errors import ModelError
from strategies.hashing import sha256_of_data
from strategies.home import home
from strategies.model_files import refuse_other_weights_of_modules
from strategies.models import ResolvedModel, Say, is_gguf, nothing, resolve, why_not

if TYPE_CHECKING:
    import numpy as np

_BATCH = 64
_MODULES = "modules.json"
_VECTORS = "vectors.npy"


class _Spent(Frozen):
    """What embedding some texts took."""

    seconds: float


class Embedder:
    """Turns texts into unit vectors, from the cache where they were embedded before.

    Attributes:
        model: the sentence-transformers model that is used.
        seconds: what the embeddings handed out so far cost when they were computed; reused
            ones count with the cost they once had.
    """

    def __init__(self, model: ResolvedModel, cache: Path) -> None:
        """An embedder that loads its model when the first text is not in the cache.

        Args:
            model: the sentence-transformers model.
            cache: folder below which the embeddings of texts are kept.
        """
        self.model = model
        self.seconds = 0.0
        self._cache = CheckedFolders(cache, _Spent)

    @property
    def sha256(self) -> str:
        """Digest of the embedding model."""
        return self.model.sha256

    @cached_property
    def _encoder(self) -> Any:
        from sentence_transformers import SentenceTransformer

        try:
            return SentenceTransformer(
                str(self.model.path),
                local_files_only=True,
                trust_remote_code=False,
                model_kwargs={"use_safetensors": True},
            )
        except (OSError, ValueError, ImportError) as error:
            what = f"{self.model.path} cannot be loaded as an embedder"
            raise ModelError(why_not(self.model.path, what, error)) from error

    def load(self) -> None:
        """Load the model now, so that neither an index nor an answer is timed with it."""
        _ = self._encoder

    @cached_property
    def tokenizer(self) -> Any:
        """The model's tokenizer, without loading its weights.

        Raises:
            ModelError: it cannot be loaded, or needs code of its own.
        """
        from transformers import AutoTokenizer

        folder = self.model.path / modules_of(self.model.path)[0]["path"]
        try:
            return AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
        except (OSError, ValueError, ImportError) as error:
            what = f"The tokenizer in {folder} cannot be loaded"
            raise ModelError(why_not(folder, what, error)) from error

    @cached_property
    def max_tokens(self) -> int:
        """Tokens the model reads of a text, its two special tokens included; more is cut."""
        return int(self._encoder.max_seq_length)

    def count_tokens(self, text: str) -> int:
        """Tokens of a text, special tokens not counted."""
        return len(self.tokenizer.tokenize(text))

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        """Unit vectors of texts that will be needed again: a corpus, a training set.

        Returns:
            float32 array of shape (len(texts), dimensions); rows have L2 norm 1.
        """
        import numpy as np

        key = sha256_of_data({"model": self.sha256, "texts": list(texts)})

        def make(draft: Path) -> _Spent:
            self.load()
            start = time.perf_counter()
            vectors = self.embed_fresh(texts)
            seconds = time.perf_counter() - start
            np.save(draft / _VECTORS, vectors, allow_pickle=False)
            return _Spent(seconds=seconds)

        kept = self._cache.obtain("embeddings", key, make)
        self.seconds += kept.cost.seconds
        return np.asarray(np.load(kept.path / _VECTORS, allow_pickle=False))

    def embed_fresh(self, texts: Sequence[str]) -> np.ndarray:
        """Like `embed`, but never from the cache: queries, whose cost is part of an answer's."""
        import numpy as np

        vectors = self._encoder.encode(
            list(texts), batch_size=_BATCH, normalize_embeddings=True, show_progress_bar=False
        )
        return np.asarray(vectors, dtype=np.float32)


def load_embedder(name: str = "all-minilm-l6-v2") -> Embedder:
    """The embedder of that name: packaged, a sentence-transformers folder, or a hub id."""
    return Embedder(resolve_embedder(name), home() / "artifacts")


def resolve_embedder(name: str, say: Say = nothing) -> ResolvedModel:
    """Find an embedder, as `resolve` finds a model; it has to be whole and as safetensors.

    Raises:
        ModelError: it cannot be found, fetched or trusted.
    """
    whole = "An embedder is packaged, a sentence-transformers folder or a hub id of one."
    if is_gguf(name):
        raise ModelError(f"{name} is a GGUF file, which cannot be the embedder. {whole}")
    found = resolve(name, say)
    if found.base is not None:
        raise ModelError(
            f"{name} is an adapter, which cannot be the embedder. {whole} Merge it into its base "
            "with peft (merge_and_unload) and save the whole."
        )
    foreign = [
        module["type"]
        for module in modules_of(found.path)
        if not str(module["type"]).startswith("sentence_transformers.")
    ]
    if foreign:
        raise ModelError(
            f"{found.path / _MODULES} names {', '.join(foreign)}, which is no part of "
            "sentence-transformers; code that comes with a model is never run"
        )
    refuse_other_weights_of_modules(found.path)
    return found


def modules_of(folder: Path) -> list[dict[str, Any]]:
    """The parts of a sentence-transformers model; a plain transformers folder is one part."""
    path = folder / _MODULES
    if not path.is_file():
        return [{"path": "", "type": "sentence_transformers.models.Transformer"}]
    try:
        modules = json.loads(path.read_text(encoding="utf-8"))
        return [{"path": str(m.get("path", "")), "type": m["type"]} for m in modules]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ModelError(
            f"{path} must list modules, each with a type, as sentence-transformers writes it: "
            f"{error!r}"
        ) from None
