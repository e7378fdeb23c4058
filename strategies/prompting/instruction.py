"""Instruction only: zero-shot, and the plain rendering for adapters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from strategies.data import Example, Message, Prompt, TaskData
from strategies.embedding import Embedder
from strategies.method import Prompter, Prompting


class InstructionPrompting(Prompting):
    """The instruction, then the input; nothing else is shown."""

    kind: Literal["instruction"] = "instruction"

    @property
    def seeded(self) -> bool:
        """See `Prompting.seeded`."""
        return False

    def prepare(self, data: TaskData, embedder: Embedder, seed: int) -> Prompter:
        """See `Prompting.prepare`; nothing is drawn and nothing is embedded."""
        return _InstructionPrompter(data.instruction)


class _InstructionPrompter:
    def __init__(self, instruction: str) -> None:
        self._system = Message(role="system", content=instruction.strip())

    def prompts(self, examples: Sequence[Example], *, training: bool = False) -> list[Prompt]:
        return [
            Prompt(messages=(self._system, Message(role="user", content=example.input)))
            for example in examples
        ]
