"""lm-eval owns the evaluation: an arm is one of its language models, a task one of its tasks.

The only file that imports lm_eval.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import lm_eval.utils
from datasets import Dataset
from jinja2 import Environment
from jinja2.sandbox import SandboxedEnvironment
from lm_eval.api.instance import Instance
from lm_eval.api.metrics import mean as lm_eval_mean
from lm_eval.api.model import LM
from lm_eval.api.registry import METRIC_REGISTRY
from lm_eval.api.task import ConfigurableTask
from lm_eval.evaluator import evaluate
from lm_eval.tasks import TaskManager

from benchmarks.answering import Answerer
from benchmarks.records import ItemScore, Response
from benchmarks.tasks.foreign_code import LM_EVAL, TaskFile, file_named, read_task_file
from benchmarks.tasks.metrics import METRICS, aggregate, item_sums, score_item
from benchmarks.tasks.task import Item, Task
from strategies.errors import DataError, UserError
from strategies.hashing import sha256_of_data, sha256_of_file
from strategies.visible import one_line

logging.getLogger("lm_eval").setLevel(logging.ERROR)

_SAID_CHARACTERS = 300


def _in_a_sandbox(templates: Environment) -> Environment:
    """An environment for the templates of task files, out of which none can reach Python."""
    made = SandboxedEnvironment(
        loader=templates.loader,
        undefined=templates.undefined,
        keep_trailing_newline=templates.keep_trailing_newline,
    )
    made.filters.update(templates.filters)
    return made


# lm-eval itself renders templates in an environment in which they can call anything.
lm_eval.utils.env = _in_a_sandbox(lm_eval.utils.env)

Value = float | None | tuple[str, str]
Scores = dict[str, float | None]


def evaluate_arm(
    task: Task,
    answerer: Answerer,
    known: Mapping[str, Response],
    record: Callable[[Response], None],
) -> tuple[Scores, list[ItemScore]]:
    """Answer a task's test items through lm-eval, and score them.

    Args:
        task: what is asked.
        answerer: who answers.
        known: answers that exist already, by item id; they are not asked for again.
        record: told of every new answer as soon as it is finished.

    Returns:
        the aggregate of every metric, and the scores of every item in the order of the task.
    """
    installed = task.id.startswith(LM_EVAL)
    order = sorted(task.test, key=_index) if installed else list(task.test)
    lm = ArmLM(order, answerer, known, record)
    return _evaluate_installed(task, lm) if installed else _evaluate_ours(task, lm)


def _evaluate_ours(task: Task, lm: ArmLM) -> tuple[Scores, list[ItemScore]]:
    scorer = _Scorer(task, lm.answers)
    found = evaluate(lm, {task.id: scorer.lm_eval_task()}, bootstrap_iters=0, log_samples=False)
    results = found["results"][task.id]
    scores = {name: results[f"{name},none"] for name in (task.metric, *task.metrics)}
    return scores, [scorer.scores[item.id] for item in task.test]


class ArmLM(LM):
    """An arm as lm-eval sees it.

    It renders its own prompts: the demonstrations or passages that it shows are what is being
    compared. So it reads the item behind a request and leaves lm-eval's context alone. Scores
    come from `strategies.inference`; where they differ from those of lm-eval's ``HFLM``, see
    design/0014.
    """

    def __init__(
        self,
        order: Sequence[Item],
        answerer: Answerer,
        known: Mapping[str, Response],
        record: Callable[[Response], None],
    ) -> None:
        """See `evaluate_arm`.

        Args:
            order: the items as lm-eval numbers them.
            answerer: who answers.
            known: answers that exist already, by item id.
            record: told of every new answer.
        """
        super().__init__()
        self.order = order
        self.answers = dict(known)
        self._answerer = answerer
        self._record = record

    def loglikelihood(
        self, requests: list[Instance], disable_tqdm: bool = False
    ) -> list[tuple[float, bool]]:
        """Log-likelihood of the choice that each request asks about, and whether it is greedy."""
        self._answer(requests)
        return [self._score(request) for request in requests]

    def generate_until(self, requests: list[Instance], disable_tqdm: bool = False) -> list[str]:
        """The answer to each request."""
        self._answer(requests)
        return [self.answers[self._item(request).id].text for request in requests]

    def loglikelihood_rolling(
        self, requests: list[Instance], disable_tqdm: bool = False
    ) -> list[float]:
        """Perplexity of whole documents has no prompt that a method could change.

        Raises:
            TypeError: always; tasks that ask for it are refused when they are loaded.
        """
        raise TypeError("a method answers prompts; it has no perplexity of whole documents")

    def _score(self, request: Instance) -> tuple[float, bool]:
        item = self._item(request)
        response = self.answers[item.id]
        chosen = (item.choices or ())[request.idx] == response.text
        if response.refused:
            # Without an answer, an item counts as wrong: all goes to a choice that is.
            wrong = [n for n, choice in enumerate(item.choices or ()) if choice not in item.outputs]
            return (0.0 if request.idx in wrong[:1] else float("-inf")), False
        if response.choice_logprobs is None or response.choice_is_greedy is None:
            # A floor picks without likelihoods: all of it goes to what it picked.
            return (0.0 if chosen else float("-inf")), chosen
        return response.choice_logprobs[request.idx], response.choice_is_greedy[request.idx]

    def _item(self, request: Instance) -> Item:
        number: int = request.doc_id
        return self.order[number]

    def _answer(self, requests: Sequence[Instance]) -> None:
        wanted = {item.id: item for item in map(self._item, requests)}
        if wanted.keys() <= self.answers.keys():
            return
        before = frozenset(self.answers)
        for response in self._answerer.answer(list(wanted.values()), known=before):
            self.answers[response.id] = response
            self._record(response)


class _Scorer:
    """A task as lm-eval's `ConfigurableTask`, and what became of each item."""

    def __init__(self, task: Task, answers: Mapping[str, Response]) -> None:
        self.scores: dict[str, ItemScore] = {}
        self._answers = answers
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
        if self._answers[item.id].refused:
            text = ""
        elif self._task.closed:
            best = max(range(len(results)), key=lambda i: results[i][0])
            text = (item.choices or ())[best]
        else:
            text = results[0]
        values = score_item(self._task, item, text)
        self.scores[item.id] = ItemScore(
            id=item.id,
            group=item.group,
            slices=dict(item.slices),
            metrics=values,
            reference=item.output,
            references=item.outputs,
            prediction=text,
            input_sha256=sha256_of_data(item.input),
            sums=item_sums(self._task, item, text),
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


# ---------------------------------------------------------------- tasks of lm-eval's own


def installed_task(name: str) -> Task:
    """A task that comes with lm-eval, as methods see tasks.

    Args:
        name: ``lm-eval:NAME``, or ``lm-eval:FILE.yaml`` for a file in its format.

    Raises:
        DataError: lm-eval has no such task, cannot load its data, or asks for what a method
            cannot give.
        UntrustedCodeError: the file names code that was not trusted.
    """
    found, own = _load_installed(name), task_file(name)
    with _named(name):
        reason = _why_unusable(found)
        if reason:
            raise DataError(f"Task {name} cannot be run under a method: {reason}")
        return _as_task(name, found, own)


@contextmanager
def _named(name: str) -> Iterator[None]:
    """Turn what goes wrong in a stranger's templates, data or options into a message."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        # lm-eval, datasets and Jinja raise errors of many kinds, some without a common base.
        said = one_line(f"{type(error).__name__}: {error}")
        raise DataError(
            f"lm-eval cannot load {name.removeprefix(LM_EVAL)!r}: {said[:_SAID_CHARACTERS]}. Its "
            "data may have to be fetched from a hub; run: lm-eval ls tasks"
        ) from error


def _as_task(name: str, found: ConfigurableTask, own: TaskFile | None) -> Task:
    test = _items(found, "test", found.eval_docs)
    train = _items(found, "train", found.training_docs() if found.has_training_docs() else ())
    splits = (found.config.validation_split, found.config.test_split)
    apart = found.has_validation_docs() and found.has_test_docs() and splits[0] != splits[1]
    validation = _items(found, "validation", found.validation_docs() if apart else ())
    metrics = _means(found)
    settings = found.config.generation_kwargs or {}
    return Task(
        id=name,
        title=f"lm-eval task {found.config.task}",
        kind="generation" if found.OUTPUT_TYPE == "generate_until" else "multiple-choice",
        instruction=str(found.config.description or "").strip() or "Answer the following.",
        metric=metrics[0],
        metrics=metrics[1:],
        max_new_tokens=int(settings.get("max_gen_toks", 256)),
        stop=tuple(settings.get("until") or ()) if found.OUTPUT_TYPE == "generate_until" else (),
        source=f"lm-eval, {found.config.dataset_path or 'local data'}",
        sha256=sha256_of_data(
            [
                [
                    item.model_dump(mode="json", exclude={"slices"})
                    for item in (*test, *train, *validation)
                ],
                [sha256_of_file(file) for file in (own.read_files if own else ())],
            ]
        ),
        train=train,
        validation=validation,
        test=test,
    )


def task_file(name: str) -> TaskFile | None:
    """What the file of a task ``lm-eval:FILE.yaml`` says, read without importing any code.

    Returns:
        None for any other task.

    Raises:
        DataError: the file, or one that it includes, is missing or cannot be used.
    """
    file = file_named(name)
    return None if file is None else read_task_file(file, METRIC_REGISTRY)


def _load_installed(name: str) -> ConfigurableTask:
    own = task_file(name)
    wanted = name.removeprefix(LM_EVAL)
    with _named(name):
        found = _by_name(wanted) if own is None else _of_file(own)
    if len(found) != 1:
        raise DataError(
            f"{wanted!r} is a group of {len(found)} tasks: {', '.join(found)}. Take one."
        )
    return next(iter(found.values()))


def _by_name(name: str) -> dict[str, ConfigurableTask]:
    manager = TaskManager()
    if name not in manager.task_index:
        # lm-eval would take it for the path of a file, and import what that names.
        raise KeyError("no task of that name comes with lm-eval")
    return dict(manager.load([name])["tasks"])


def _of_file(own: TaskFile) -> dict[str, ConfigurableTask]:
    own.refuse_untrusted()
    manager = TaskManager(include_defaults=False)
    # Without code, lm-eval gets what we read and no file in which it could find some.
    return dict(manager.load([str(own.path) if own.code else own.config])["tasks"])


def _why_unusable(task: ConfigurableTask) -> str:
    """Why methods cannot answer this task, "" when they can."""
    if task.OUTPUT_TYPE not in ("multiple_choice", "generate_until", "loglikelihood"):
        return f"it asks for {task.OUTPUT_TYPE}, which has no prompt that a method could change"
    if getattr(task, "multiple_input", False):
        return "it scores several inputs against one answer; a method answers one input"
    if not _means(task):
        return "none of its metrics is a mean over items, so items cannot be compared in pairs"
    return ""


def _means(task: ConfigurableTask) -> tuple[str, ...]:
    means = (name for name, how in task.aggregation().items() if how is lm_eval_mean)
    return tuple(name for name in means if name != "acc_mutual_info")


def _items(task: ConfigurableTask, split: str, docs: Iterable[Any]) -> tuple[Item, ...]:
    return tuple(
        Item(
            id=f"{split}-{number}",
            input=str(task.doc_to_text(doc)),
            outputs=_targets(task, doc),
            choices=_choices(task, doc),
        )
        for number, doc in enumerate(docs)
    )


def _choices(task: ConfigurableTask, doc: Any) -> tuple[str, ...] | None:
    if task.OUTPUT_TYPE == "multiple_choice":
        return tuple(str(choice).strip() for choice in task.doc_to_choice(doc))
    return _targets(task, doc) if task.OUTPUT_TYPE == "loglikelihood" else None


def _targets(task: ConfigurableTask, doc: Any) -> tuple[str, ...]:
    target = task.doc_to_target(doc)
    targets = target if isinstance(target, list) else [target]
    if task.OUTPUT_TYPE == "multiple_choice":
        choices = task.doc_to_choice(doc)
        targets = [choices[t] if isinstance(t, int) else t for t in targets]
    return tuple(str(target).strip() for target in targets)


def _index(item: Item) -> int:
    return int(item.id.rsplit("-", 1)[1])


def _evaluate_installed(task: Task, lm: ArmLM) -> tuple[Scores, list[ItemScore]]:
    found = _load_installed(task.id)
    name = str(found.config.task)
    done = evaluate(
        lm,
        {name: found},
        samples={name: [_index(item) for item in lm.order]},
        bootstrap_iters=0,
        log_samples=True,
    )
    samples = done["samples"][name]
    # Where a task has several filters, its first one counts, as its author ordered them.
    kept = samples[0]["filter"]
    scores = {
        metric: done["results"][name][f"{metric},{kept}"] for metric in (task.metric, *task.metrics)
    }
    by_index = {sample["doc_id"]: sample for sample in samples if sample["filter"] == kept}
    return scores, [_item_score(task, item, lm, by_index[_index(item)]) for item in task.test]


def _item_score(task: Task, item: Item, lm: ArmLM, sample: Mapping[str, Any]) -> ItemScore:
    return ItemScore(
        id=item.id,
        group=item.group,
        metrics={name: float(sample[name]) for name in (task.metric, *task.metrics)},
        reference=item.output,
        references=item.outputs,
        prediction=lm.answers[item.id].text,
        input_sha256=sha256_of_data(item.input),
    )
