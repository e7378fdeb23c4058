"""Sentence embeddings, computed once for every list of texts."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from strategies.hashing import sha256_of_data
from strategies.home import home
from strategies.models import ResolvedModel, resolve

if TYPE_CHECKING:
    import numpy as np

_BATCH = 64


class Embedder:
    """Turns texts into unit vectors, from the cache where they were embedded before.

    Attributes:
        model: the sentence-transformers model that is used.
        seconds: what the embeddings handed out so far cost when they were computed; reused
            ones count with the cost they once had.
    """

    def __init__(self, model: ResolvedModel, cache: Path) -> None:
        """An embedder that loads its model when the first text is not in the cache."""
        self.model = model
        self.seconds = 0.0
        self._cache = cache

    @property
    def sha256(self) -> str:
        """Digest of the embedding model."""
        return self.model.sha256

    @cached_property
    def _encoder(self) -> Any:
        from sentence_transformers import SentenceTransformer

        return SentenceTransformer(str(self.model.path), local_files_only=True)

    def load(self) -> None:
        """Load the model now, so that neither an index nor an answer is timed with it."""
        _ = self._encoder

    @cached_property
    def tokenizer(self) -> Any:
        """The model's tokenizer, without loading its weights."""
        from transformers import AutoTokenizer

        return AutoTokenizer.from_pretrained(self.model.path)

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
        stored, cost = self._cache / f"{key}.npy", self._cache / f"{key}.json"
        if stored.is_file() and cost.is_file():
            self.seconds += json.loads(cost.read_text())["seconds"]
            return np.asarray(np.load(stored, allow_pickle=False))
        self.load()
        start = time.perf_counter()
        vectors = self.embed_fresh(texts)
        seconds = time.perf_counter() - start
        self.seconds += seconds
        self._keep(stored, cost, vectors, seconds)
        return vectors

    def embed_fresh(self, texts: Sequence[str]) -> np.ndarray:
        """Like `embed`, but never from the cache: queries, whose cost is part of an answer's."""
        import numpy as np

        vectors = self._encoder.encode(
            list(texts), batch_size=_BATCH, normalize_embeddings=True, show_progress_bar=False
        )
        return np.asarray(vectors, dtype=np.float32)

    def _keep(self, stored: Path, cost: Path, vectors: np.ndarray, seconds: float) -> None:
        import numpy as np

        self._cache.mkdir(parents=True, exist_ok=True)
        part = stored.with_name(f"{stored.stem}.{os.getpid()}.part.npy")
        np.save(part, vectors, allow_pickle=False)
        part.replace(stored)
        note = cost.with_name(f"{cost.stem}.{os.getpid()}.part.json")
        note.write_text(json.dumps({"seconds": seconds}))
        note.replace(cost)


def load_embedder(name: str = "all-minilm-l6-v2") -> Embedder:
    """The embedder of that name: packaged, a sentence-transformers folder, or a hub id."""
    return Embedder(resolve(name), home() / "artifacts" / "embeddings")
