"""Tokens: counted by a tokenizer.json where there is one, else estimated from bytes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from advisor.errors import EstimateError
from advisor.estimates.catalogues import user_text
from advisor.limited_files import json_data

# "One token generally corresponds to about 4 characters of English text": OpenAI's tokenizer page
# (platform.openai.com/tokenizer). Other languages and code take more.
BYTES_A_TOKEN = 4


@dataclass(frozen=True)
class TokenCount:
    """Tokens of texts.

    Attributes:
        how: which tokenizer counted, or that nothing did.
    """

    tokens: int
    how: str


@dataclass(frozen=True)
class PromptShape:
    """What a query shows the model, in tokens.

    Attributes:
        instruction: instruction and query.
        demonstrations: how many examples are shown.
        demonstration: question and answer of one.
        passages: how many retrieved passages are shown.
        passage: one of them.
        answer: what is generated.
    """

    instruction: int
    answer: int
    demonstrations: int = 0
    demonstration: int = 0
    passages: int = 0
    passage: int = 0

    def __post_init__(self) -> None:
        """Raise EstimateError for negative numbers, or no prompt at all."""
        wrong = [f"{name} {value}" for name, value in vars(self).items() if value < 0]
        if wrong:
            raise EstimateError(f"Tokens and counts cannot be negative: {', '.join(wrong)}.")
        if self.prompt_tokens < 1:
            raise EstimateError("A prompt needs at least one token: give --instruction.")

    @property
    def prompt_tokens(self) -> int:
        """All that the model reads for one query."""
        shown = self.demonstrations * self.demonstration + self.passages * self.passage
        return self.instruction + shown


def method_prompts(prompt: PromptShape) -> dict[str, PromptShape]:
    """The prompt of each way to adapt, from one that names all of its pieces.

    Tuned weights are shown neither demonstrations nor passages; retrieval passages alone;
    in-context learning demonstrations alone.
    """
    from dataclasses import replace

    plain = replace(prompt, demonstrations=0, passages=0)
    return {
        "icl": replace(prompt, passages=0),
        "rag": replace(prompt, demonstrations=0),
        "tuned": plain,
        "rag+tuned": replace(prompt, demonstrations=0),
    }


def count_tokens(texts: Sequence[str], tokenizer: Path | None) -> TokenCount:
    """Tokens of texts, without the special ones that a chat template adds.

    Args:
        texts: to count.
        tokenizer: a tokenizer.json, or a folder that holds one.

    Raises:
        EstimateError: a tokenizer was named, and its file cannot be read as one.
    """
    if tokenizer is None:
        return _from_bytes(texts, "no tokenizer given")
    path = tokenizer / "tokenizer.json" if tokenizer.is_dir() else tokenizer
    text = user_text(path)
    try:
        from tokenizers import Tokenizer
    except ImportError:
        return _from_bytes(texts, "the package 'tokenizers' is not installed")
    return TokenCount(_counted(Tokenizer, text, path, texts), f"counted by {path}")


@dataclass(frozen=True)
class ExampleTokens:
    """Tokens of labelled examples.

    Attributes:
        inputs: tokens of all inputs.
        outputs: tokens of all outputs.
        how: as in ``TokenCount``.
    """

    examples: int
    inputs: int
    outputs: int
    how: str

    @property
    def question(self) -> int:
        """Mean tokens of an input, rounded up."""
        return -(-self.inputs // self.examples)

    @property
    def answer(self) -> int:
        """Mean tokens of an output, rounded up."""
        return -(-self.outputs // self.examples)


def example_tokens(path: Path, tokenizer: Path | None) -> ExampleTokens:
    """Tokens of JSON lines with ``input`` and ``output``, or ``outputs``, whose first is taken.

    Raises:
        EstimateError: names the lines that lack them, or says that there is no line.
    """
    pairs, wrong = [], []
    for number, line in enumerate(user_text(path).splitlines(), start=1):
        if not line.strip():
            continue
        try:
            pairs.append(_pair(json_data(line)))
        except (ValueError, TypeError, LookupError):
            wrong.append(str(number))
    if wrong or not pairs:
        places = f"; {len(wrong)} lines lack them ({', '.join(wrong[:10])})" if wrong else ""
        raise EstimateError(f'{path}: every line needs "input" and "output"{places}.')
    inputs, outputs = (count_tokens(texts, tokenizer) for texts in zip(*pairs, strict=True))
    return ExampleTokens(len(pairs), inputs.tokens, outputs.tokens, inputs.how)


def _pair(line: Any) -> tuple[str, str]:
    output = line["output"] if "output" in line else line["outputs"][0]
    return str(line["input"]), output if isinstance(output, str) else json.dumps(output)


def corpus_tokens(path: Path, tokenizer: Path | None) -> TokenCount:
    """Tokens of a text file, or of all .txt and .md files below a folder.

    Raises:
        EstimateError: there is no such file, or it cannot be read.
    """
    if not path.is_dir():
        return count_tokens([user_text(path)], tokenizer)
    found = sorted(file for file in path.rglob("*") if file.suffix in (".txt", ".md"))
    if not found:
        raise EstimateError(f"{path} holds no .txt or .md file. Name another folder, or a file.")
    return count_tokens([user_text(file) for file in found], tokenizer)


def _counted(tokenizers: Any, definition: str, path: Path, texts: Sequence[str]) -> int:
    try:
        found = tokenizers.from_str(definition)
    except Exception as error:  # the package raises nothing narrower
        raise EstimateError(f"{path} is no tokenizer.json: {error}") from None
    return sum(len(found.encode(text, add_special_tokens=False).ids) for text in texts)


def _from_bytes(texts: Sequence[str], why: str) -> TokenCount:
    size = sum(len(text.encode()) for text in texts)
    tokens = -(-size // BYTES_A_TOKEN)
    return TokenCount(tokens, f"estimated at {BYTES_A_TOKEN} bytes a token: {why}")
