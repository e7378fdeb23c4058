"""What a strategy sees of a task: examples, passages and the instruction. Nothing heavy."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Need = Literal["train", "corpus"]
# Far above anything measured; beyond it a number comes from no run, and tables cannot show it.
Real = Annotated[float, Field(ge=-1e15, le=1e15)]
Whole = Annotated[int, Field(ge=0, le=10**18)]


class Frozen(BaseModel):
    """An immutable record that refuses fields it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Finite(Frozen):
    """A record without infinite or undefined numbers, which JSON cannot hold."""

    model_config = ConfigDict(allow_inf_nan=False)


class Example(Frozen):
    """One input with the answers that count as right.

    Attributes:
        id: unique within its task.
        input: the text the model has to act on.
        outputs: accepted answers; the first is the one to train on and to demonstrate.
        passages: ids of the gold passages, ``document`` or ``document#section``.
        choices: the closed set of answers to choose from, or None when the answer is open.
    """

    id: str
    input: str
    outputs: tuple[str, ...] = Field(min_length=1)
    passages: tuple[str, ...] = ()
    choices: tuple[str, ...] | None = None

    @property
    def output(self) -> str:
        """The answer to train on and to demonstrate."""
        return self.outputs[0]


class Passage(Frozen):
    """A piece of the corpus: a section of a document, before it is cut into chunks.

    Attributes:
        id: ``document`` or ``document#section``.
        title: what a reader would call it, "" when unknown.
        text: the passage itself.
    """

    id: str
    title: str = ""
    text: str


class TaskData(Frozen):
    """All that a method may learn from; the test split is not in it.

    Attributes:
        instruction: what to do, as it is put before every input.
        train: labelled examples to demonstrate or to train on.
        validation: labelled examples to stop training and to choose hyper-parameters on.
        corpus: passages to retrieve from.
        max_new_tokens: the longest answer that a method may generate.
    """

    instruction: str
    train: tuple[Example, ...] = ()
    validation: tuple[Example, ...] = ()
    corpus: tuple[Passage, ...] = ()
    max_new_tokens: int = Field(default=64, ge=1)

    def meets(self, need: Need) -> bool:
        """Whether there is something to train on, or something to retrieve from."""
        return bool(self.train if need == "train" else self.corpus)


class Message(Frozen):
    """One turn of a chat."""

    role: Literal["system", "user", "assistant"]
    content: str


class Prompt(Frozen):
    """What the model is shown for one example.

    Attributes:
        messages: the turns, the last one the user's.
        demonstrations: ids of the training examples shown.
        passages: ids of the chunks shown, best first, ``document#section/n``.
    """

    messages: tuple[Message, ...]
    demonstrations: tuple[str, ...] = ()
    passages: tuple[str, ...] = ()

    @property
    def shown(self) -> int:
        """Demonstrations and passages that are shown."""
        return len(self.demonstrations) + len(self.passages)

    def shorter(self) -> Prompt | None:
        """This prompt without what helps least; None where all that is left has to stay.

        Its first demonstration goes: the most similar one stands last, and the others are drawn
        at random. A prompting that shows other things returns prompts of a class of its own.
        """
        turns = 2 * len(self.demonstrations)
        head = len(self.messages) - turns - 1
        pairs = ["user", "assistant"] * len(self.demonstrations)
        if not turns or head < 0 or [m.role for m in self.messages[head:-1]] != pairs:
            return None
        kept = (*self.messages[:head], *self.messages[head + 2 :])
        return self.model_copy(update={"messages": kept, "demonstrations": self.demonstrations[1:]})

    def shortened(self) -> Iterator[Prompt]:
        """This prompt, then what is left of it as less and less is shown."""
        prompt: Prompt | None = self
        while prompt is not None:
            yield prompt
            prompt = prompt.shorter()
