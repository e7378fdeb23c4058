"""lm-eval owns the evaluation: an arm is one of its language models, a task one of its tasks.

The only file that imports lm_eval.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Protocol

from datasets import Dataset
from lm_eval.api.instance import Instance
from lm_eval.api.model import LM
from lm_eval.api.task import ConfigurableTask
from lm_eval.evaluator import evaluate

from benchmarks.records import ItemScore, Response
from benchmarks.tasks.metrics import METRICS, aggregate, score_item
from benchmarks.tasks.task import Item, Task

logging.getLogger("lm_eval").setLevel(logging.ERROR)

Value = float | None | tuple[str, str]


class Answers(Protocol):
    """Whatever answers items: a method made ready, or a floor."""

    def answer(self, items: Sequence[Item], *, free: bool = False) -> Iterator[Response]:
        """A response an item, in any order, each as soon as it is finished."""
        ...


def evaluate_arm(
    task: Task,
    answerer: Answers,
    known: Mapping[str, Response],
    record: Callable[[Response], None],
) -> tuple[dict[str, float | None], list[ItemScore]]:
    """Answer a task's test items through lm-eval, and score them.

    Args:
        task: what is asked.
        answerer: who answers.
        known: answers that exist already, by item id; they are not asked for again.
        record: told of every new answer as soon as it is finished.

    Returns:
        the aggregate of every metric, and the scores of every item in the order of the task.
    """
    scorer = _Scorer(task)
    found = evaluate(
        ArmLM(task, answerer, known, record),
        {task.id: scorer.lm_eval_task()},
        bootstrap_iters=0,
        log_samples=False,
    )
    results = found["results"][task.id]
    scores = {name: results[f"{name},none"] for name in (task.metric, *task.metrics)}
    return scores, [scorer.scores[item.id] for item in task.test]


class ArmLM(LM):
    """An arm as lm-eval sees it.

    It renders its own prompts: the demonstrations or passages that it shows are what is being
    compared. So it reads the item behind a request and leaves lm-eval's context alone. Scores
    come from `strategies.inference`, which encodes and cuts as lm-eval's ``HFLM`` does.
    """

    def __init__(
        self,
        task: Task,
        answerer: Answers,
        known: Mapping[str, Response],
        record: Callable[[Response], None],
    ) -> None:
        """See `evaluate_arm`."""
        super().__init__()
        self._items = {item.id: item for item in task.test}
        self._answerer = answerer
        self._answers = dict(known)
        self._record = record

    def loglikelihood(
        self, requests: list[Instance], disable_tqdm: bool = False
    ) -> list[tuple[float, bool]]:
        """Log-likelihood of the choice that each request asks about, and whether it is greedy."""
        self._answer(requests)
        found = []
        for request in requests:
            item, response = self._pair(request)
            choices = item.choices or ()
            place = choices.index(_continuation(request))
            chosen = choices[place] == response.text
            # A floor picks without likelihoods: all of it goes to what it picked.
            logprobs = response.choice_logprobs or {place: 0.0 if chosen else float("-inf")}
            greedy = response.choice_is_greedy or {place: chosen}
            found.append((logprobs[place], greedy[place]))
        return found

    def generate_until(self, requests: list[Instance], disable_tqdm: bool = False) -> list[str]:
        """The answer to each request."""
        self._answer(requests)
        return [self._pair(request)[1].text for request in requests]

    def loglikelihood_rolling(
        self, requests: list[Instance], disable_tqdm: bool = False
    ) -> list[float]:
        """Perplexity of whole documents has no prompt that a method could change.

        Raises:
            TypeError: always; `evaluate_arm` makes no such request.
        """
        raise TypeError("a method answers prompts; it has no perplexity of whole documents")

    def _pair(self, request: Instance) -> tuple[Item, Response]:
        name = request.doc["id"]
        return self._items[name], self._answers[name]

    def _answer(self, requests: Sequence[Instance]) -> None:
        wanted = dict.fromkeys(request.doc["id"] for request in requests)
        missing = [self._items[name] for name in wanted if name not in self._answers]
        for response in self._answerer.answer(missing) if missing else ():
            self._answers[response.id] = response
            self._record(response)


def _continuation(request: Instance) -> str:
    """The choice of a request; lm-eval puts the target delimiter before it."""
    return str(request.args[1])


class _Scorer:
    """A task as lm-eval's `ConfigurableTask`, and what became of each item."""

    def __init__(self, task: Task) -> None:
        self.scores: dict[str, ItemScore] = {}
        self._task = task
        self._items = {item.id: item for item in task.test}

    def lm_eval_task(self) -> ConfigurableTask:
        task = self._task
        config = {
            "task": task.id,
            "custom_dataset": self._dataset,
            "test_split": "test",
            "output_type": "multiple_choice" if task.closed else "generate_until",
            "doc_to_text": "input",
            "doc_to_target": "output",
            "target_delimiter": "",
            "process_results": self._process_results,
            "metric_list": [
                {
                    "metric": name,
                    "aggregation": partial(self._aggregate, name),
                    "higher_is_better": True,
                }
                for name in (task.metric, *task.metrics)
            ],
            "metadata": {"version": task.sha256[:12]},
        }
        if task.closed:
            config["doc_to_choice"] = "choices"
        else:
            config["generation_kwargs"] = {"until": [], "do_sample": False}
        return ConfigurableTask(config=config)

    def _dataset(self, **_: object) -> dict[str, Dataset]:
        rows = [
            {
                "id": item.id,
                "input": item.input,
                "output": item.output,
                "choices": list(item.choices or ()),
            }
            for item in self._task.test
        ]
        return {"test": Dataset.from_list(rows)}

    def _process_results(self, doc: dict[str, Any], results: Sequence[Any]) -> dict[str, Value]:
        item = self._items[doc["id"]]
        if self._task.closed:
            best = max(range(len(results)), key=lambda i: results[i][0])
            text = (item.choices or ())[best]
        else:
            text = results[0]
        values = score_item(self._task, item, text)
        self.scores[item.id] = ItemScore(
            id=item.id, group=item.group, metrics=values, reference=item.output, prediction=text
        )
        return {
            name: (item.id, text) if METRICS[name].needs_pairs else value
            for name, value in values.items()
        }

    def _aggregate(self, metric: str, values: Sequence[Value]) -> float | None:
        pairs = [value for value in values if isinstance(value, tuple)]
        if METRICS[metric].needs_pairs:
            items = [self._items[name] for name, _ in pairs]
            return aggregate(self._task, metric, items, [text for _, text in pairs])
        defined = [value for value in values if isinstance(value, float | int)]
        return sum(defined) / len(defined) if defined else None
