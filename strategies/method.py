"""The one idea: a method is a prompting (what the model is shown) and a weights (what it is).

Config types here import nothing heavy; torch, langchain and faiss are imported when a
prompting is prepared or a weights is trained.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Protocol, Self

from pydantic import BeforeValidator, Field, SerializeAsAny, model_validator

from strategies.data import Example, Frozen, Need, Prompt, TaskData
from strategies.errors import UserError
from strategies.settings import TrainingSettings

if TYPE_CHECKING:
    from strategies.embedding import Embedder

ENTRY_POINT_GROUP = "adaptation_advisor.strategies"


class Prompter(Protocol):
    """A prompting made ready for one task.

    One that keeps an index says what it takes: ``index_seconds`` of wall time and
    ``index_bytes``, as attributes.
    """

    def prompts(self, examples: Sequence[Example], *, training: bool = False) -> list[Prompt]:
        """The prompts of some examples, in their order.

        Args:
            examples: items to answer, or training examples.
            training: True when the prompts are rendered for training, where an example must
                not be its own demonstration and gold passages may be shown.
        """
        ...


class Prompting(Frozen, ABC):
    """What the model is shown. A subclass is one file and one registration.

    ``kind`` is fixed by a subclass as a ``Literal``; ``text_version`` changes whenever the
    rendered text of any prompt changes, because answers depend on it.
    """

    kind: str
    needs: ClassVar[frozenset[Need]] = frozenset()
    text_version: ClassVar[int] = 1

    @property
    def seeded(self) -> bool:
        """Whether what an item is shown depends on the seed; else one seed is enough."""
        return True

    @abstractmethod
    def prepare(self, data: TaskData, embedder: Embedder, seed: int) -> Prompter:
        """Make this prompting ready for a task: draw demonstrations, build the index."""


class Weights(Frozen, ABC):
    """What the model is. A subclass says which parameters train and how they are kept.

    ``training`` is None for weights that are used as they come.
    """

    kind: str
    training: TrainingSettings | None = None

    @abstractmethod
    def wrap(self, model: Any) -> Any:
        """The model with exactly the parameters trainable that this weights trains."""

    def first_rate(self, config: Any) -> float:
        """A first guess of the learning rate for a model of this configuration."""
        from strategies.learning_rate import lora_rate

        return lora_rate(config)

    @abstractmethod
    def save(self, model: Any, folder: Path) -> None:
        """Write what was trained to a folder, safetensors only."""

    @abstractmethod
    def load(self, base: Callable[[], Any], folder: Path | None) -> Any:
        """The model to answer with.

        Args:
            base: loads the base model; call it at most once.
            folder: what `save` wrote, or None for weights that do not train.
        """


def _look_up(kinds: str) -> Callable[[object], object]:
    def validate(value: object) -> object:
        if not isinstance(value, dict):
            return value
        known: dict[str, type[Frozen]] = getattr(registry(), kinds)
        kind = value.get("kind")
        if not isinstance(kind, str) or kind not in known:
            said = repr(kind)[:60]
            raise ValueError(f"kind {said} is unknown; known: {', '.join(sorted(known))}")
        return known[kind].model_validate(value)

    return validate


AnyPrompting = Annotated[SerializeAsAny[Prompting], BeforeValidator(_look_up("promptings"))]
AnyWeights = Annotated[SerializeAsAny[Weights], BeforeValidator(_look_up("weights"))]


class Method(Frozen):
    """A prompting composed with a weights.

    Attributes:
        name: how tables call it, such as ``rag+lora``.
        summary: one line for people.
        prompting: what the model is shown when it answers.
        weights: what the model is.
        train_prompting: how training examples are rendered; None means like `prompting`.
    """

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9+._-]*$")
    summary: str = ""
    prompting: AnyPrompting
    weights: AnyWeights
    train_prompting: AnyPrompting | None = None

    @model_validator(mode="after")
    def _train_prompting_needs_training(self) -> Self:
        if self.train_prompting is not None and self.weights.training is None:
            raise ValueError(f"{self.name}: train_prompting is set, but its weights do not train")
        return self

    @property
    def trains(self) -> bool:
        """Whether weights have to be trained before this method can answer."""
        return self.weights.training is not None

    @property
    def rendered_for_training(self) -> Prompting:
        """The prompting by which training examples are rendered."""
        return self.train_prompting or self.prompting

    @property
    def needs(self) -> frozenset[Need]:
        """What a task must bring for this method."""
        if not self.trains:
            return self.prompting.needs
        train: Need = "train"
        return self.prompting.needs | self.rendered_for_training.needs | {train}

    def with_training(self, **changes: float | str) -> Method:
        """This method with some of its training settings changed; the same if nothing trains."""
        settings = self.weights.training
        if settings is None:
            return self
        changed = TrainingSettings.model_validate(settings.model_dump() | changes)
        weights = self.weights.model_copy(update={"training": changed})
        return self.model_copy(update={"weights": weights})

    def missing(self, data: TaskData) -> list[Need]:
        """The needs that a task does not meet, sorted; empty when the method can run."""
        return sorted(need for need in self.needs if not data.meets(need))


class Registry:
    """Everything that can be composed; filled by `register` functions alone."""

    def __init__(self) -> None:
        """An empty registry."""
        self.promptings: dict[str, type[Prompting]] = {}
        self.weights: dict[str, type[Weights]] = {}
        self.methods: dict[str, Method] = {}

    def add_prompting(self, prompting: type[Prompting]) -> None:
        """Make a prompting known under its ``kind``."""
        self._add(self.promptings, prompting.model_fields["kind"].default, prompting)

    def add_weights(self, weights: type[Weights]) -> None:
        """Make a weights known under its ``kind``."""
        self._add(self.weights, weights.model_fields["kind"].default, weights)

    def add_method(self, method: Method) -> None:
        """Make a composition known under its name."""
        self._add(self.methods, method.name, method)

    def method(self, name: str) -> Method:
        """The method of that name.

        Raises:
            UserError: there is none.
        """
        if name not in self.methods:
            known = ", ".join(sorted(self.methods))
            raise UserError(f"Method {name!r} is unknown. Known: {known}. Run: advisor methods")
        return self.methods[name]

    @staticmethod
    def _add(shelf: dict[str, Any], name: str, thing: object) -> None:
        if name in shelf:
            raise UserError(f"{name!r} is registered twice. Give one of the two another name.")
        shelf[name] = thing


@cache
def registry() -> Registry:
    """What the built-in and the installed plug-ins register, each through an entry point.

    A plug-in declares ``[project.entry-points."adaptation_advisor.strategies"]`` with a
    function that takes the `Registry`; the built-in strategies use the same hook.
    """
    known = Registry()
    for entry in sorted(entry_points(group=ENTRY_POINT_GROUP), key=lambda e: e.name != "builtin"):
        entry.load()(known)
    return known
