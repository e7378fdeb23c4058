"""lm-eval scores our tasks and its own under any answerer; nothing known is asked again."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

import pytest
import yaml

from benchmarks.evaluation import evaluate_arm, installed_task
from benchmarks.plan import Limits
from benchmarks.records import Response
from benchmarks.tasks.catalogue import load_task
from benchmarks.tasks.task import Item, Splits, Task, TaskSpec, build_task
from strategies.errors import DataError

pytestmark = pytest.mark.filterwarnings("ignore")


class AlwaysFirst:
    """Picks the first choice, or says "four"."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def answer(
        self, items: Sequence[Item], *, free: bool = False, known: Collection[str] = ()
    ) -> Iterator[Response]:
        for item in items:
            if item.id in known:
                continue
            self.asked.append(item.id)
            if item.choices:
                scores = tuple(-1.0 - n for n in range(len(item.choices)))
                greedy = (True,) + (False,) * (len(item.choices) - 1)
                yield Response(
                    id=item.id,
                    text=item.choices[0],
                    choice_logprobs=scores,
                    choice_is_greedy=greedy,
                )
            else:
                yield Response(id=item.id, text="four")


def _colours() -> Task:
    items = tuple(
        Item(id=f"i{n}", input=f"thing {n}", outputs=("red" if n < 3 else "blue",))
        for n in range(4)
    )
    spec = TaskSpec(
        id="colours",
        title="Colours",
        kind="classification",
        instruction="Sort.",
        labels=("red", "blue"),
        metric="accuracy",
        metrics=("macro_f1",),
    )
    return build_task(spec, Splits(test=items), "0" * 64)


def test_scores_are_what_a_hand_calculation_gives() -> None:
    scores, items = evaluate_arm(_colours(), AlwaysFirst(), {}, lambda response: None)
    # Red is right 3 times of 4: F1 of red 2*3/(4+3), of blue 0.
    assert scores == {"accuracy": 0.75, "macro_f1": pytest.approx((6 / 7 + 0) / 2)}
    assert [item.metrics["accuracy"] for item in items] == [1.0, 1.0, 1.0, 0.0]
    assert items[3].reference == "blue"
    assert items[3].prediction == "red"


def test_what_is_known_is_not_asked_again_and_what_is_new_is_recorded() -> None:
    answerer, recorded = AlwaysFirst(), []
    known = {"i3": Response(id="i3", text="blue")}
    scores, _ = evaluate_arm(_colours(), answerer, known, recorded.append)
    assert answerer.asked == ["i0", "i1", "i2"]
    assert [response.id for response in recorded] == ["i0", "i1", "i2"]
    assert scores["accuracy"] == 1.0


class Refusing(AlwaysFirst):
    """Refuses every item of which the first choice is right."""

    def answer(
        self, items: Sequence[Item], *, free: bool = False, known: Collection[str] = ()
    ) -> Iterator[Response]:
        for response in super().answer(items, free=free, known=known):
            item = next(item for item in items if item.id == response.id)
            if response.text in item.outputs:
                yield Response(id=item.id, text="", truncated=True, refused="too long")
            else:
                yield response


def test_an_item_that_was_refused_is_wrong_and_stands_for_no_label() -> None:
    scores, items = evaluate_arm(_colours(), Refusing(), {}, lambda response: None)
    # The one answer is "red" and wrong: neither label has a true positive.
    assert scores == {"accuracy": 0.0, "macro_f1": 0.0}
    assert [item.prediction for item in items] == ["", "", "", "red"]


def test_an_item_of_lm_evals_task_that_was_refused_is_wrong(tmp_path: Path) -> None:
    task = load_task(_installed(tmp_path)).cut(Limits(test=4))
    scores, items = evaluate_arm(task, Refusing(), {}, lambda response: None)
    refused = [item for item in items if item.prediction == ""]
    assert [item.id for item in refused] == [i.id for i in task.test if i.output != "many"]
    assert all(item.metrics == {"acc": 0.0, "acc_norm": 0.0} for item in refused)
    assert scores["acc"] == 0.0


def _installed(folder: Path, **config: object) -> str:
    rows = [
        {"question": f"What is {n} and {n}?", "choices": [str(2 * n), "many"], "answer": n % 2}
        for n in range(1, 7)
    ]
    data = folder / "rows.jsonl"
    data.write_text("\n".join(json.dumps(row) for row in rows))
    settings = {
        "task": "sums",
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"train": str(data), "test": str(data)}},
        "training_split": "train",
        "test_split": "test",
        "doc_to_text": "Question: {{question}}\nAnswer:",
        "doc_to_choice": "choices",
        "doc_to_target": "answer",
        "output_type": "multiple_choice",
        "metric_list": [{"metric": "acc"}, {"metric": "acc_norm"}],
        **config,
    }
    file = folder / "sums.yaml"
    file.write_text(yaml.safe_dump(settings))
    return f"lm-eval:{file}"


def test_a_task_in_lm_evals_format_runs_under_a_method(tmp_path: Path) -> None:
    task = load_task(_installed(tmp_path)).cut(Limits(test=4))
    first = next(item for item in task.train if item.id == "train-0")
    assert first.input == "Question: What is 1 and 1?\nAnswer:"
    assert first.output == "many"
    assert task.data().meets("train")
    assert not task.data().meets("corpus")
    scores, items = evaluate_arm(task, AlwaysFirst(), {}, lambda response: None)
    right = [float(item.reference != "many") for item in items]
    assert [item.metrics["acc"] for item in items] == right
    assert scores["acc"] == pytest.approx(sum(right) / 4)
    assert [item.id for item in items] == [item.id for item in task.test]


def test_a_generating_task_in_lm_evals_format_keeps_its_stop_texts(tmp_path: Path) -> None:
    name = _installed(
        tmp_path,
        output_type="generate_until",
        doc_to_choice=None,
        doc_to_target="four",
        generation_kwargs={"until": ["\n\n"], "max_gen_toks": 7},
        metric_list=[{"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}],
    )
    task = load_task(name)
    assert task.stop == ("\n\n",)
    assert task.max_new_tokens == 7
    scores, _ = evaluate_arm(task, AlwaysFirst(), {}, lambda response: None)
    assert scores == {"exact_match": 1.0}


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        ({"output_type": "loglikelihood_rolling", "doc_to_choice": None}, "no prompt"),
        ({"metric_list": [{"metric": "f1"}]}, "mean over items"),
    ],
)
def test_a_task_that_no_method_can_answer_is_refused_with_the_reason(
    tmp_path: Path, config: dict[str, object], reason: str
) -> None:
    with pytest.raises(DataError, match=reason):
        installed_task(_installed(tmp_path, **config))


@pytest.mark.slow
def test_an_unknown_task_of_lm_eval_is_refused() -> None:
    with pytest.raises(DataError, match="cannot load 'no_such_task_anywhere'"):
        installed_task("lm-eval:no_such_task_anywhere")


def test_an_lm_eval_file_that_is_missing_is_refused() -> None:
    with pytest.raises(DataError, match="cannot be read"):
        installed_task("lm-eval:no_such_task_anywhere.yaml")
