"""Retrieval-augmented generation: the passages most similar to the question are shown."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, Self

from pydantic import Field, model_validator

from strategies.artifacts import CheckedFolders
from strategies.data import Example, Frozen, Message, Need, Passage, Prompt, TaskData
from strategies.embedding import Embedder
from strategies.errors import DataError
from strategies.hashing import sha256_of_data
from strategies.home import home
from strategies.method import Prompter, Prompting

if TYPE_CHECKING:
    from strategies.prompting.vector_store import FaissStore


class RetrievalPrompting(Prompting):
    """The instruction, k retrieved passages, then the input.

    Attributes:
        passages: k, passages a prompt.
        chunk_tokens: longest chunk, title included, in tokens of the embedder; never more than
            the embedder reads.
        overlap_tokens: tokens that neighbouring chunks of one section share.
        oracle_share: None shows in training what retrieval finds, as at inference. A share p
            trains as RAFT does (Zhang et al. 2024, arXiv:2403.10131): p of the examples see
            their gold passage among retrieved distractors, the others distractors alone.
    """

    kind: Literal["retrieval"] = "retrieval"
    passages: int = Field(default=2, ge=1, le=100_000)
    chunk_tokens: int = Field(default=200, ge=16, le=1_000_000)
    overlap_tokens: int = Field(default=20, ge=0, le=1_000_000)
    oracle_share: float | None = Field(default=None, ge=0, le=1)
    needs: ClassVar[frozenset[Need]] = frozenset({"corpus"})

    @model_validator(mode="after")
    def _overlap_is_shorter_than_a_chunk(self) -> Self:
        if self.overlap_tokens >= self.chunk_tokens:
            raise ValueError(
                f"overlap_tokens is {self.overlap_tokens}; it must be below chunk_tokens, "
                f"{self.chunk_tokens}"
            )
        return self

    @property
    def seeded(self) -> bool:
        """See `Prompting.seeded`; only the mixture shown in training depends on the seed."""
        return False

    def prepare(self, data: TaskData, embedder: Embedder, seed: int) -> Prompter:
        """See `Prompting.prepare`; the seed decides which training examples lack their gold."""
        return RetrievalPrompter(self, data, embedder, seed)


class RetrievalPrompter:
    """An index over a task's corpus, and the prompts it gives.

    Attributes:
        chunks: what is indexed.
        index_seconds: wall time of chunking, embedding and indexing; an index that was built
            before counts with the time it once took.
        index_bytes: size of the index and its texts on disk.
    """

    def __init__(
        self, config: RetrievalPrompting, data: TaskData, embedder: Embedder, seed: int
    ) -> None:
        """Cut, embed and index the corpus."""
        self._config = config
        self._seed = seed
        self._instruction = Message(role="system", content=data.instruction.strip())
        embedder.load()
        start = time.perf_counter()
        self.chunks = cut(data.corpus, config, embedder)
        chunking = time.perf_counter() - start
        self._store, kept = _indexed(self.chunks, embedder)
        self.index_seconds = chunking + kept.seconds
        self.index_bytes = kept.bytes

    def prompts(self, examples: Sequence[Example], *, training: bool = False) -> list[Prompt]:
        """See `Prompter.prompts`."""
        # Distractors are drawn from a few more than are shown, so that gold can be left out.
        wanted = self._config.passages + 4 if training else self._config.passages
        found = self._search([example.input for example in examples], wanted)
        return [
            self._render(example, self._shown(example, hits), self._needed(example))
            if training
            else self._render(example, hits)
            for example, hits in zip(examples, found, strict=True)
        ]

    def _search(self, queries: list[str], count: int) -> list[list[Passage]]:
        by_id = {chunk.id: chunk for chunk in self.chunks}
        found = self._store.search_batch(queries, count)
        return [[by_id[hit.id] for hit in hits if hit.id] for hits in found]

    def _shown(self, example: Example, found: list[Passage]) -> list[Passage]:
        """What a training example is shown: as found, or RAFT's mixture of gold and distractors."""
        share, count = self._config.oracle_share, self._config.passages
        gold = self.gold_of(example)
        if share is None or not gold:
            return found[:count]
        draw = random.Random(f"{self._seed}:{example.id}")
        distractors = [hit for hit in found if not is_gold(hit.id, example.passages)]
        if draw.random() >= share:
            return distractors[:count]
        shown = [*gold, *distractors[: count - 1]]
        draw.shuffle(shown)
        return shown

    def gold_of(self, example: Example) -> list[Passage]:
        """The gold chunk that holds an accepted answer, else the first; [] where there is none."""
        gold = [chunk for chunk in self.chunks if is_gold(chunk.id, example.passages)]
        return [_best(gold, example)] if gold else []

    def _needed(self, example: Example) -> tuple[str, ...]:
        """Gold passages that a training prompt gives up last; none where it shows what is found."""
        return () if self._config.oracle_share is None else example.passages

    def _render(
        self, example: Example, shown: Sequence[Passage], needed: Sequence[str] = ()
    ) -> Prompt:
        return PassagePrompt.of(self._instruction, example.input, shown, needed)


class PassagePrompt(Prompt):
    """A prompt of numbered passages and a question.

    Attributes:
        texts: the passages as they are shown.
        question: what follows them.
        needed: ids of passages, sections or documents that are given up last.
    """

    texts: tuple[Passage, ...]
    question: str
    needed: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        instruction: Message,
        question: str,
        shown: Sequence[Passage],
        needed: Sequence[str] = (),
    ) -> PassagePrompt:
        """The prompt that shows some passages, best first unless they were mixed."""
        numbered = (f"[{n}] {passage.text}" for n, passage in enumerate(shown, start=1))
        asked = Message(role="user", content="\n\n".join([*numbered, question]))
        return cls(
            messages=(instruction, asked),
            passages=tuple(passage.id for passage in shown),
            texts=tuple(shown),
            question=question,
            needed=tuple(needed),
        )

    def shorter(self) -> Prompt | None:
        """See `Prompt.shorter`; the last of the passages that are not needed goes first."""
        if not self.texts:
            return super().shorter()
        spare = [n for n, each in enumerate(self.texts) if not is_gold(each.id, self.needed)]
        gone = spare[-1] if spare else len(self.texts) - 1
        kept = (*self.texts[:gone], *self.texts[gone + 1 :])
        return PassagePrompt.of(self.messages[0], self.question, kept, self.needed)


def _indexed(chunks: Sequence[Passage], embedder: Embedder) -> tuple[FaissStore, _IndexCost]:
    """The index over chunks, built once for the same chunks and embedder, and what it took."""
    from strategies.prompting.vector_store import FaissStore, LangchainEmbeddings

    embeddings = LangchainEmbeddings(embedder)
    key = sha256_of_data(
        {"embedder": embedder.sha256, "chunks": [[chunk.id, chunk.text] for chunk in chunks]}
    )

    def make(draft: Path) -> _IndexCost:
        spent, start = embedder.seconds, time.perf_counter()
        ids = [chunk.id for chunk in chunks]
        store = FaissStore.from_texts([chunk.text for chunk in chunks], embeddings, ids=ids)
        size = store.save(draft)
        seconds = max(time.perf_counter() - start, embedder.seconds - spent)
        return _IndexCost(seconds=seconds, bytes=size)

    kept = CheckedFolders(home() / "artifacts", _IndexCost).obtain("indexes", key, make)
    return FaissStore.load(kept.path, embeddings), kept.cost


class _IndexCost(Frozen):
    """What building an index took."""

    seconds: float
    bytes: int


def _best(gold: Sequence[Passage], example: Example) -> Passage:
    """The gold chunk that holds an accepted answer, else the first."""
    answers = [answer.casefold() for answer in example.outputs]
    holding = (c for c in gold if any(answer in c.text.casefold() for answer in answers))
    return next(holding, gold[0])


def is_gold(shown: str, gold: Sequence[str]) -> bool:
    """Whether a chunk ``document#section/n`` or a passage belongs to a gold document or section."""
    section = shown.rsplit("/", 1)[0]
    return any(part in gold for part in (shown, section, section.split("#", 1)[0]))


def cut(corpus: Sequence[Passage], config: RetrievalPrompting, embedder: Embedder) -> list[Passage]:
    """Chunks of a corpus, each headed by its title, none longer than the embedder reads.

    Returns:
        passages with ids ``document#section/n``, n from 0, in the order of the corpus.

    Raises:
        DataError: the corpus holds no text.
    """
    from strategies.prompting.vector_store import split

    # Two of the tokens that the embedder reads are its own, for start and end.
    limit = min(config.chunk_tokens, embedder.max_tokens - 2)
    chunks = []
    for passage in corpus:
        title = _shortened(passage.title, limit // 4, embedder)
        room = limit - embedder.count_tokens(title)
        overlap = min(config.overlap_tokens, room // 2)
        for number, text in enumerate(split(passage.text, room, overlap, embedder)):
            headed = f"{title}\n{text}" if title else text
            chunks.append(Passage(id=f"{passage.id}/{number}", title=title, text=headed))
    if not chunks:
        raise DataError("The corpus holds no text. Put .md, .txt or .jsonl files into it.")
    return chunks


def _shortened(title: str, limit: int, embedder: Embedder) -> str:
    words = title.split()
    while words and embedder.count_tokens(" ".join(words)) > limit:
        words.pop()
    return " ".join(words)
