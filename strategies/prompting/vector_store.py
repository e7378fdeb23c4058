"""A FAISS index behind langchain-core's `VectorStore`; saved as FAISS and JSON, never pickle.

The only file that imports langchain and faiss.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Self

import faiss
import numpy as np
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.vectorstores import VectorStore
from langchain_text_splitters import RecursiveCharacterTextSplitter

from strategies.embedding import Embedder
from strategies.errors import DataError

_INDEX, _DOCUMENTS = "index.faiss", "documents.jsonl"


class LangchainEmbeddings(Embeddings):
    """Our embedder as langchain knows embedders; documents are cached, queries are not."""

    def __init__(self, embedder: Embedder) -> None:
        """Wrap an embedder."""
        self.embedder = embedder

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        """Unit vectors of documents."""
        vectors: list[list[float]] = self.embedder.embed(texts).tolist()
        return vectors

    def embed_query(self, text: str) -> list[float]:
        """The unit vector of one query."""
        return self.embed_queries([text])[0]

    def embed_queries(self, texts: list[str]) -> list[list[float]]:
        """Unit vectors of many queries at once."""
        vectors: list[list[float]] = self.embedder.embed_fresh(texts).tolist()
        return vectors


class FaissStore(VectorStore):
    """Exact inner-product search; with unit vectors that is cosine similarity."""

    def __init__(self, embedding: LangchainEmbeddings) -> None:
        """An empty store; its dimension is that of the first vectors added."""
        self._embedding = embedding
        self._index: Any = None
        self._documents: list[Document] = []

    @property
    def embeddings(self) -> Embeddings:
        """What texts and queries are embedded with."""
        return self._embedding

    def add_texts(
        self,
        texts: Iterable[str],
        metadatas: list[dict[str, Any]] | None = None,
        *,
        ids: list[str] | None = None,
        **kwargs: Any,
    ) -> list[str]:
        """Embed and add texts; returns their ids, random ones where none are given."""
        texts = list(texts)
        if not texts:
            return []
        ids = ids or [uuid.uuid4().hex for _ in texts]
        vectors = np.asarray(self._embedding.embed_documents(texts), dtype=np.float32)
        if self._index is None:
            self._index = faiss.IndexFlatIP(vectors.shape[1])
        self._index.add(vectors)
        self._documents += [
            Document(id=id_, page_content=text, metadata=metadata)
            for id_, text, metadata in zip(ids, texts, metadatas or [{}] * len(texts), strict=True)
        ]
        return ids

    def similarity_search(self, query: str, k: int = 4, **kwargs: Any) -> list[Document]:
        """The k documents most similar to a query, best first."""
        return self.search_batch([query], k)[0]

    def search_batch(self, queries: Sequence[str], k: int) -> list[list[Document]]:
        """For every query its k most similar documents, best first; fewer if there are fewer."""
        if self._index is None:
            return [[] for _ in queries]
        vectors = np.asarray(self._embedding.embed_queries(list(queries)), dtype=np.float32)
        _, found = self._index.search(vectors, min(k, len(self._documents)))
        return [[self._documents[i] for i in row] for row in found]

    @classmethod
    def from_texts(
        cls,
        texts: list[str],
        embedding: Embeddings,
        metadatas: list[dict[str, Any]] | None = None,
        *,
        ids: list[str] | None = None,
        **kwargs: Any,
    ) -> Self:
        """A store that holds these texts."""
        store = cls(_ours(embedding))
        store.add_texts(texts, metadatas, ids=ids)
        return store

    def save(self, folder: Path) -> int:
        """Write the index and its documents; returns the bytes written."""
        folder.mkdir(parents=True, exist_ok=True)
        faiss.write_index(self._index, str(folder / _INDEX))
        lines = (
            json.dumps({"id": d.id, "text": d.page_content, "metadata": d.metadata})
            for d in self._documents
        )
        (folder / _DOCUMENTS).write_text("\n".join(lines), encoding="utf-8")
        return sum((folder / name).stat().st_size for name in (_INDEX, _DOCUMENTS))

    @classmethod
    def load(cls, folder: Path, embedding: Embeddings) -> Self:
        """The store that `save` wrote.

        Raises:
            DataError: index and documents do not belong together.
        """
        store = cls(_ours(embedding))
        store._index = faiss.read_index(str(folder / _INDEX))
        lines = (folder / _DOCUMENTS).read_text(encoding="utf-8").splitlines()
        for line in lines:
            kept = json.loads(line)
            store._documents.append(
                Document(id=kept["id"], page_content=kept["text"], metadata=kept["metadata"])
            )
        if store._index.ntotal != len(lines):
            raise DataError(
                f"{folder}: the index holds {store._index.ntotal} vectors, {_DOCUMENTS} "
                f"{len(lines)} documents. Delete the folder; it is built again."
            )
        return store


def _ours(embedding: Embeddings) -> LangchainEmbeddings:
    if not isinstance(embedding, LangchainEmbeddings):
        raise TypeError("FaissStore embeds with LangchainEmbeddings(embedder)")
    return embedding


def split(text: str, chunk_tokens: int, overlap_tokens: int, embedder: Embedder) -> list[str]:
    """Cut a text at paragraphs, lines, sentences or words into chunks of at most so many tokens."""
    splitter = RecursiveCharacterTextSplitter(
        separators=["\n\n", "\n", ". ", " ", ""],
        chunk_size=chunk_tokens,
        chunk_overlap=overlap_tokens,
        length_function=embedder.count_tokens,
    )
    chunks: list[str] = splitter.split_text(text)
    return chunks
