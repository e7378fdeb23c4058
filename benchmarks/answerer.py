"""Answers items with a model and what a prompting shows it."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.records import Response
from benchmarks.tasks.task import Item
from strategies.data import Prompt
from strategies.errors import DataError, NotApplicableError
from strategies.method import Prompter

if TYPE_CHECKING:
    from strategies.inference import Engine

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Asked:
    """An item as it is asked.

    Attributes:
        prompt: what of its prompt fits.
        context: its tokens.
        answers: tokens of every choice; () where an answer is generated.
        left_out: demonstrations and passages that the prompt had to lose.
    """

    item: Item
    prompt: Prompt
    context: list[int]
    answers: tuple[list[int], ...]
    left_out: int

    def response(self) -> Response:
        """What is known before there is an answer."""
        return Response(
            id=self.item.id,
            text="",
            prompt_tokens=len(self.context),
            demonstrations=self.prompt.demonstrations,
            passages=self.prompt.passages,
            truncated=self.left_out > 0,
            left_out=self.left_out,
        )


class StrategyAnswerer:
    """Answers items with a model and a prompting."""

    def __init__(
        self,
        engine: Engine,
        prompter: Prompter,
        max_new_tokens: int,
        stop: Sequence[str] = (),
        *,
        tuned: bool = False,
    ) -> None:
        """Compose what the model is with what it is shown.

        Args:
            engine: the loaded model.
            prompter: renders items.
            max_new_tokens: longest generated answer.
            stop: a generated answer ends before the first of these texts.
            tuned: whether the model was trained on such prompts. It has learned to end an answer
                then; others end before a blank line where prompts are plain text.
        """
        self._engine = engine
        self._prompter = prompter
        self._max_new_tokens = max_new_tokens
        self._stop = tuple(stop)
        self._tuned = tuned

    def answer(
        self, items: Sequence[Item], *, free: bool = False, known: Collection[str] = ()
    ) -> Iterator[Response]:
        """Answer items, each as soon as its batch is done.

        An item whose prompt does not fit into the model's context is shown fewer passages and
        demonstrations. One that does not fit even so is refused: its response has no text.

        Args:
            items: closed ones get the choice of highest likelihood, others a generated answer.
            free: generate also where a closed set of choices is given.
            known: ids of items that keep their place in a batch and get no response.

        Raises:
            NotApplicableError: an answer alone would fill the model's context.
            DataError: items name control tokens that the tokenizer cannot write as text.
        """
        closed = [item for item in items if item.choices and not free]
        opened = [item for item in items if not item.choices or free]
        for some, choose in ((closed, True), (opened, False)):
            if {item.id for item in some} - set(known):
                made = self._answer(some, known, choose=choose)
                yield from (response for response in made if response.id not in known)

    def _answer(
        self, items: Sequence[Item], known: Collection[str], *, choose: bool
    ) -> Iterator[Response]:
        start = time.perf_counter()
        asked, refused = self._asked(items, choose)
        yield from refused
        skip = {n for n, each in enumerate(asked) if each.item.id in known}
        if len(skip) == len(asked):
            return
        rendering = (time.perf_counter() - start) / len(items)
        answers = self._choose(asked, skip) if choose else self._generate(asked, skip)
        for response in answers:
            yield response.model_copy(update={"seconds": response.seconds + rendering})

    def _choose(self, asked: Sequence[_Asked], skip: Collection[int]) -> Iterator[Response]:
        """Pick the choice of highest log-likelihood."""
        contexts = [each.context for each in asked]
        for scores in self._engine.score(contexts, [each.answers for each in asked], skip):
            each = asked[scores.index]
            choices = each.item.choices or ()
            best = max(range(len(choices)), key=lambda i: scores.logprobs[i])
            # After a training that diverged they are no numbers, and JSON has no way to write that.
            known = all(map(math.isfinite, scores.logprobs))
            yield each.response().model_copy(
                update={
                    "text": choices[best],
                    "choice_logprobs": scores.logprobs if known else None,
                    "choice_is_greedy": scores.greedy if known else None,
                    "margin": _margin(scores.logprobs),
                    "seconds": scores.seconds,
                }
            )

    def _generate(self, asked: Sequence[_Asked], skip: Collection[int]) -> Iterator[Response]:
        """Generate greedily; prompts whose answers end alike share batches."""
        stops = [() if self._tuned else self._engine.renderer.stops(a.prompt) for a in asked]
        for stop in dict.fromkeys(stops):
            places = [n for n, own in enumerate(stops) if own == stop]
            skipped = {place for place, n in enumerate(places) if n in skip}
            contexts = [asked[n].context for n in places]
            ends = (*stop, *self._stop)
            for made in self._engine.generate(contexts, self._max_new_tokens, ends, skipped):
                yield (
                    asked[places[made.index]]
                    .response()
                    .model_copy(
                        update={
                            "text": made.text,
                            "output_tokens": len(made.tokens),
                            "margin": _finite(min(made.margins)),
                            "seconds": made.seconds,
                        }
                    )
                )

    def _asked(self, items: Sequence[Item], choose: bool) -> tuple[list[_Asked], list[Response]]:
        """The items as they are asked, and the responses of those that do not fit."""
        asked, refused, problems = [], [], []
        for item, prompt in zip(items, self._prompter.prompts(items), strict=True):
            try:
                made = self._fitted(item, prompt, item.choices or () if choose else ())
            except DataError as error:
                problems.append(f"item {item.id!r}: {error}")
                continue
            if isinstance(made, _Asked):
                asked.append(made)
            else:
                refused.append(made)
        if problems:
            raise DataError("\n".join(problems))
        return asked, refused

    def _fitted(self, item: Item, prompt: Prompt, choices: Sequence[str]) -> _Asked | Response:
        """An item with as much of its prompt as the model's context holds.

        Raises:
            NotApplicableError: the answer alone would fill the model's context.
        """
        for shorter in prompt.shortened():
            context, answers = self._engine.renderer.encode_choices(shorter, choices)
            # The last token of a choice is scored and never read.
            room = max(map(len, answers)) - 1 if choices else self._max_new_tokens
            most = self._engine.max_tokens - room
            if most < 1:
                raise NotApplicableError(
                    f"an answer may have {room} tokens, and the model's context holds "
                    f"{self._engine.max_tokens}"
                )
            if len(context) <= most:
                left_out = prompt.shown - shorter.shown
                return _Asked(item, shorter, context, tuple(answers), left_out)
        reason = (
            f"Item {item.id!r} has {len(context)} tokens with its instruction and nothing else "
            f"shown, and needs {room} more for an answer; the model's context holds "
            f"{self._engine.max_tokens}. Shorten it, or take a model with a longer context."
        )
        log.warning("%s", reason)
        return Response(
            id=item.id,
            text="",
            prompt_tokens=len(context),
            truncated=True,
            left_out=prompt.shown,
            refused=reason,
        )


def _margin(values: Sequence[float]) -> float | None:
    if len(values) < 2:
        return None
    first, second = sorted(values, reverse=True)[:2]
    return _finite(first - second)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
