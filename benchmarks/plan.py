"""A plan: which methods run on which task with which model. A person can edit the YAML."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from strategies.data import Finite
from strategies.hashing import sha256_of_data
from strategies.method import Method
from strategies.settings import Precision

# Baselines without a language model, cheapest first; `benchmarks.floors` makes them.
FLOORS = ("majority", "copy", "tfidf-lr", "nearest-answer", "best-sentence")


# As many items as nobody has: beyond it a number is a slip.
MANY = 10**9


class Limits(Finite):
    """How much of each split is used; None is all. Cuts take the first items of a seeded order."""

    train: int | None = Field(default=None, ge=1, le=MANY)
    validation: int | None = Field(default=None, ge=1, le=MANY)
    test: int | None = Field(default=None, ge=1, le=MANY)


class Plan(Finite):
    """What a bench will do.

    Attributes:
        task: id of a bundled task or recipe, path of a task folder, or ``lm-eval:NAME``.
        model: name of a packaged model, local folder, GGUF file or hub id.
        methods: what is compared; names are unique.
        floors: whether the baselines without a language model run too.
        seeds: one run of every method a seed; untrained, seedless methods run once.
        precision: of weights and arithmetic; ``auto`` is resolved before anything runs.
        limits: cuts of the splits.
        latency_items: items answered one at a time to measure latency; 0 skips it.
        max_new_tokens: overrides the task's longest answer.
        budget_minutes: no new method starts after this wall time, and one that still runs ten
            minutes later is ended; None is no limit.
        threads: torch threads; None takes the number of physical cores allowed.
        fresh_items: file of items that stand for the task's test split; None takes that.
        margin: points of the primary score by which a method may be behind the best and still be
            good enough; None asks no such question.
    """

    schema_version: Literal[1] = 1
    task: str
    model: str = "smollm2-135m-instruct"
    embedder: str = "all-minilm-l6-v2"
    methods: tuple[Method, ...] = Field(min_length=1)
    floors: bool = True
    seeds: tuple[Annotated[int, Field(ge=0, lt=2**32)], ...] = Field(default=(0,), min_length=1)
    precision: Precision | Literal["auto"] = "auto"
    limits: Limits = Limits()
    latency_items: int = Field(default=20, ge=0, le=MANY)
    max_new_tokens: int | None = Field(default=None, ge=1, le=1_000_000)
    budget_minutes: float | None = Field(default=None, gt=0, le=10_000_000)
    threads: int | None = Field(default=None, ge=1, le=10_000)
    fresh_items: str | None = None
    margin: float | None = Field(default=None, gt=0, lt=100)

    @property
    def sha256(self) -> str:
        """Hash of all that it says, of fresh items and a margin where there are any."""
        unused = {name for name in ("fresh_items", "margin") if getattr(self, name) is None}
        return sha256_of_data(self.model_dump(mode="json", exclude=unused))

    @model_validator(mode="after")
    def _names_are_unique(self) -> Self:
        names = [method.name for method in self.methods]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"methods named twice: {', '.join(twice)}")
        taken = sorted({*names} & {*FLOORS})
        if taken:
            raise ValueError(f"a floor is called like this method: {', '.join(taken)}")
        if len(set(self.seeds)) != len(self.seeds):
            raise ValueError("a seed is listed twice")
        return self
