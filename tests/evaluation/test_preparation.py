"""Making an arm: the learning rate is settled once for all seeds, and what it took is recorded."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.plan import Plan
from benchmarks.preparing import Prepared, prepare_arm, split_off
from benchmarks.records import Response
from benchmarks.store import ArtifactStore
from benchmarks.tasks.task import Item, Task
from strategies.method import Method, registry
from strategies.progress import silent
from strategies.weights.full import FullWeights
from tests.tiny import HashingEmbedder

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")
LABELS = ("red", "blue")


@pytest.fixture(autouse=True)
def _hashing_embedder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.preparing.load_embedder", lambda name: HashingEmbedder())


def colours(train: int = 24, validation: int = 8) -> Task:
    def items(split: str, count: int) -> tuple[Item, ...]:
        return tuple(
            Item(
                id=f"{split}-{n}",
                input=f"the {'sea' if n % 2 else 'tomato'} number {n}",
                outputs=(LABELS[n % 2],),
                choices=LABELS,
            )
            for n in range(count)
        )

    return Task(
        id="colours",
        title="Colours",
        kind="classification",
        instruction="Answer with red or blue.",
        labels=LABELS,
        metric="accuracy",
        sha256="0" * 64,
        max_new_tokens=4,
        train=items("train", train),
        validation=items("validation", validation),
        test=items("test", 4),
    )


def full(**training: float | str) -> Method:
    method = registry().method("full")
    assert isinstance(method.weights, FullWeights)
    return method.with_training(epochs=2, batch_size=4, max_tokens=64, **training)


def prepared(
    model: Path, task: Task, method: Method, seed: int, artifacts: ArtifactStore
) -> Prepared:
    plan = Plan(task=task.id, model=str(model), methods=(method,), precision="fp32", threads=1)
    return prepare_arm(plan, task, method, seed, artifacts, silent)


def test_all_seeds_of_a_method_share_one_range_test(tiny_model: Path, tmp_path: Path) -> None:
    artifacts = ArtifactStore(tmp_path / "artifacts")
    made = [prepared(tiny_model, colours(), full(), seed, artifacts) for seed in (0, 1)]
    records = [one.training for one in made]
    assert (
        len([path for path in (tmp_path / "artifacts" / "rates").iterdir() if path.is_dir()]) == 1
    )
    first, second = records
    assert first is not None
    assert second is not None
    assert first.choice == second.choice
    assert first.choice is not None
    assert first.attempts[0].rate == second.attempts[0].rate == first.choice.rate
    # The range test is a cost of training, whoever made it.
    for one, record in zip(made, records, strict=True):
        assert record is not None
        trained = sum(attempt.seconds for attempt in record.attempts)
        assert one.cost.train_seconds == pytest.approx(first.choice.seconds + trained)


def test_loss_and_metric_are_measured_before_and_after_training(
    tiny_model: Path, tmp_path: Path
) -> None:
    made = prepared(tiny_model, colours(), full(), 0, ArtifactStore(tmp_path))
    record = made.training
    assert record is not None
    assert (record.validation_items, record.metric_items, record.held_out) == (8, 8, 0)
    assert made.curve[0].step == 0
    assert made.curve[0].validation_loss == pytest.approx(record.start_loss)
    # Half of the items are red: a model that prefers one label has .5 before it is trained.
    assert record.start_metric is not None
    assert record.attempts[record.kept].metric is not None


def test_a_rate_that_the_plan_fixes_is_neither_searched_nor_lowered(
    tiny_model: Path, tmp_path: Path
) -> None:
    made = prepared(tiny_model, colours(), full(learning_rate=3e-4), 0, ArtifactStore(tmp_path))
    assert made.training is not None
    assert made.training.choice is None
    assert [attempt.rate for attempt in made.training.attempts] == [3e-4]
    assert not (tmp_path / "rates").exists()


def test_answers_after_a_training_that_diverged_can_be_written_and_read(
    tiny_model: Path, tmp_path: Path
) -> None:
    method = full(learning_rate=100.0)
    made = prepared(tiny_model, colours(), method, 0, ArtifactStore(tmp_path))
    assert made.training is not None
    assert made.training.improved is False
    test = colours().test
    for free in (False, True):
        answers = list(made.answerer.answer(test, free=free))
        assert len(answers) == len(test)
        for answer in answers:
            assert Response.model_validate_json(answer.model_dump_json()) == answer


@pytest.mark.slow
def test_without_a_validation_split_a_fifth_of_the_training_items_stands_in(
    tiny_model: Path, tmp_path: Path
) -> None:
    made = prepared(tiny_model, colours(validation=0), full(), 0, ArtifactStore(tmp_path))
    assert made.training is not None
    assert (made.training.held_out, made.training.validation_items) == (5, 5)
    assert made.training.choice is not None
    assert made.training.choice.items == 5


def test_with_too_few_items_to_split_the_first_guess_is_taken_and_nobody_knows_if_it_helped(
    tiny_model: Path, tmp_path: Path
) -> None:
    task = colours(train=8, validation=0)
    made = prepared(tiny_model, task, full(), 0, ArtifactStore(tmp_path))
    record = made.training
    assert record is not None
    assert (record.choice, record.improved, record.validation_items) == (None, None, 0)
    # A tenth of 5e-4 x (2000 / 32)^.781, as the tiny model is a Llama of width 32.
    assert record.attempts[0].rate == pytest.approx(1.263e-3, rel=1e-3)


def test_items_of_a_group_are_set_aside_together() -> None:
    items = [
        Item(id=f"i{n}", input=f"text {n}", outputs=("a",), group=f"g{n // 4}") for n in range(40)
    ]
    train, aside = split_off(items, 0.2)
    assert len(train) + len(aside) == 40
    assert 8 <= len(aside) <= 12
    assert not {item.group for item in train} & {item.group for item in aside}


def test_something_is_left_to_train_on_where_all_items_share_a_group() -> None:
    items = [Item(id=f"i{n}", input=f"text {n}", outputs=("a",), group="g") for n in range(30)]
    assert split_off(items, 0.2) == (items, [])
