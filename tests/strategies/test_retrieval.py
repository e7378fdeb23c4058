"""Chunks, the index behind langchain's interface, and what RAFT shows in training."""

from __future__ import annotations

from pathlib import Path

import pytest

from strategies.data import Example, Passage, TaskData
from strategies.errors import DataError
from strategies.prompting.retrieval import RetrievalPrompting, cut, is_gold
from strategies.prompting.vector_store import FaissStore, LangchainEmbeddings
from tests.tiny import HashingEmbedder

CORPUS = tuple(
    Passage(id=f"doc{n}#part", title=f"Part {n}", text=f"{word} " * 12 + f"fact{n}")
    for n, word in enumerate(["apple", "brick", "cloud", "drum", "eagle", "fern"])
)
DATA = TaskData(instruction="Answer.", corpus=CORPUS)


def _question(word: str, n: int) -> Example:
    return Example(
        id=f"q{n}",
        input=f"which fact about {word}",
        outputs=(f"fact{n}",),
        passages=(f"doc{n}#part",),
    )


def test_no_chunk_is_longer_than_the_embedder_reads() -> None:
    long = (Passage(id="d#s", title="A title of five words", text="word " * 1_000),)
    embedder = HashingEmbedder()
    chunks = cut(long, RetrievalPrompting(chunk_tokens=200, overlap_tokens=5), embedder)
    assert len(chunks) > 15
    assert max(embedder.count_tokens(chunk.text) for chunk in chunks) <= embedder.max_tokens - 2
    assert all(chunk.text.startswith("A title of five words\n") for chunk in chunks)


def test_a_corpus_without_text_is_refused() -> None:
    with pytest.raises(DataError, match="no text"):
        cut((Passage(id="d", text="  "),), RetrievalPrompting(), HashingEmbedder())


def test_the_passage_that_answers_is_found_and_named() -> None:
    prompter = RetrievalPrompting(passages=1).prepare(DATA, HashingEmbedder(), 0)
    (prompt,) = prompter.prompts([_question("cloud", 2)])
    assert prompt.passages == ("doc2#part/0",)
    assert "fact2" in prompt.messages[-1].content


@pytest.mark.parametrize(
    ("chunk", "gold", "expected"),
    [
        ("doc#part/3", ("doc#part",), True),
        ("doc#part/3", ("doc",), True),
        ("doc#part/3", ("doc#other",), False),
        ("doc2#part/0", ("doc",), False),
    ],
)
def test_gold_is_a_section_or_a_whole_document(
    chunk: str, gold: tuple[str, ...], expected: bool
) -> None:
    assert is_gold(chunk, gold) is expected


def test_raft_shows_gold_to_its_share_of_the_examples_and_distractors_to_all() -> None:
    words = ["apple", "brick", "cloud", "drum", "eagle", "fern"]
    examples = [
        _question(word, n).model_copy(update={"id": f"{word}{copy}"})
        for n, word in enumerate(words)
        for copy in range(50)
    ]
    prompter = RetrievalPrompting(passages=2, oracle_share=0.8).prepare(DATA, HashingEmbedder(), 0)
    prompts = prompter.prompts(examples, training=True)
    with_gold = sum(
        any(is_gold(chunk, example.passages) for chunk in prompt.passages)
        for example, prompt in zip(examples, prompts, strict=True)
    )
    # 300 draws at .8: mean 240, standard deviation 6.9; four of those on either side.
    assert 212 <= with_gold <= 268
    assert all(len(prompt.passages) == 2 for prompt in prompts)
    places = {
        [is_gold(chunk, example.passages) for chunk in prompt.passages].index(True)
        for example, prompt in zip(examples, prompts, strict=True)
        if any(is_gold(chunk, example.passages) for chunk in prompt.passages)
    }
    assert places == {0, 1}


def test_a_saved_index_finds_the_same_and_holds_no_pickle(tmp_path: Path) -> None:
    embeddings = LangchainEmbeddings(HashingEmbedder())
    texts = [passage.text for passage in CORPUS]
    ids = [passage.id for passage in CORPUS]
    store = FaissStore.from_texts(texts, embeddings, ids=ids)
    store.save(tmp_path)
    again = FaissStore.load(tmp_path, embeddings)
    for query in ("apple fact0", "fern and eagle"):
        assert again.similarity_search(query, k=3) == store.similarity_search(query, k=3)
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".faiss", ".jsonl"]


def test_an_index_that_lost_a_document_is_refused(tmp_path: Path) -> None:
    embeddings = LangchainEmbeddings(HashingEmbedder())
    FaissStore.from_texts(["one", "two"], embeddings).save(tmp_path)
    documents = tmp_path / "documents.jsonl"
    documents.write_text(documents.read_text().splitlines()[0])
    with pytest.raises(DataError, match="2 vectors"):
        FaissStore.load(tmp_path, embeddings)


def test_an_index_is_built_once_and_keeps_the_time_it_took() -> None:
    first = RetrievalPrompting().prepare(DATA, HashingEmbedder(), 0)
    (again,) = [RetrievalPrompting().prepare(DATA, HashingEmbedder(), 0)]
    assert again.index_bytes == first.index_bytes > 0  # type: ignore[attr-defined]
    assert first.index_seconds > 0  # type: ignore[attr-defined]
