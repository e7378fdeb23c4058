"""The gold passages as if retrieval never missed: what a model can read, apart from finding it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from strategies.data import Example, Prompt, TaskData
from strategies.embedding import Embedder
from strategies.method import Prompter
from strategies.prompting.retrieval import RetrievalPrompter, RetrievalPrompting


class GoldPrompting(RetrievalPrompting):
    """The instruction, the gold passage of the input, then the input; for measuring alone.

    An input without a gold passage is shown what retrieval finds.
    """

    kind: Literal["gold"] = "gold"  # type: ignore[assignment]

    def prepare(self, data: TaskData, embedder: Embedder, seed: int) -> Prompter:
        """See `Prompting.prepare`."""
        return _GoldPrompter(self, data, embedder, seed)


class _GoldPrompter(RetrievalPrompter):
    def prompts(self, examples: Sequence[Example], *, training: bool = False) -> list[Prompt]:
        """See `Prompter.prompts`."""
        found = self._search([example.input for example in examples], self._config.passages)
        return [
            self._render(example, self.gold_of(example) or hits)
            for example, hits in zip(examples, found, strict=True)
        ]
