"""Learning rates: the first guess, the range test, and trainings that do not help."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, GPTNeoXConfig, LlamaConfig, Qwen2Config

from strategies.attempts import Check, has_fallen, train_until_improved
from strategies.learning_rate import lora_rate
from strategies.rate_search import choose_rate, chosen_rate
from strategies.search import Measured, Trial
from strategies.training import SpikeGuard, train
from strategies.training_record import Scored
from strategies.weights.full import FullWeights
from strategies.weights.peft import LoraWeights
from tests.strategies.test_training import training_job

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning")
NO_METRIC = Check(start=None, measure=lambda folder: Scored(value=None), repeat=True)
GOOD, BAD = Scored(value=1.0, items=(1.0,) * 50), Scored(value=0.0, items=(0.0,) * 50)


# Values worked out by hand from the formula of tinker-cookbook, hyperparam_utils.py.
@pytest.mark.parametrize(
    ("config", "rate"),
    [
        (LlamaConfig(hidden_size=576), 1.322e-3),
        (Qwen2Config(hidden_size=896), 5.321e-4),
        (LlamaConfig(hidden_size=4096), 2.857e-4),
        # No published fit: the lower of the two.
        (GPTNeoXConfig(hidden_size=512, num_attention_heads=8), 5.557e-4),
        (GPTNeoXConfig(hidden_size=6144, num_attention_heads=8), 2.080e-4),
    ],
)
def test_the_first_guess_follows_family_and_width(config: Any, rate: float) -> None:
    assert lora_rate(config) == pytest.approx(rate, rel=1e-3)
    assert LoraWeights().first_rate(config) == pytest.approx(rate, rel=1e-3)
    assert FullWeights().first_rate(config) == pytest.approx(rate / 10, rel=1e-3)


def trial(rate: float, nats: tuple[float, ...]) -> Trial:
    measured = Measured(value=sum(nats) / len(nats), items=nats)
    return Trial(point={"learning_rate": rate}, measured=measured, seconds=1.0)


def test_the_next_lower_rate_is_taken_within_one_standard_error() -> None:
    # Four items of one token: they differ by .1, .3, -.1 and .1, on average by .05 with a
    # standard error of .1 in the first pair, and by .25 with one of .0289 in the second.
    best = trial(1e-3, (1.0, 1.0, 1.0, 1.0))
    near = trial(2.5e-4, (1.0, 1.3, 0.8, 1.1))
    far = trial(2.5e-4, (1.2, 1.3, 1.2, 1.3))
    assert chosen_rate([best, near], [1, 1, 1, 1]) == 2.5e-4
    assert chosen_rate([best, far], [1, 1, 1, 1]) == 1e-3


def test_where_every_rate_diverged_the_lowest_is_taken() -> None:
    diverged = [
        Trial(point={"learning_rate": rate}, measured=Measured(value=None), seconds=1.0)
        for rate in (1e-3, 2.5e-4)
    ]
    assert chosen_rate(diverged, []) == 2.5e-4


def test_the_range_test_ends_with_a_rate_that_has_a_worse_neighbour_on_either_side(
    tiny_model: Path, tmp_path: Path
) -> None:
    job = training_job(tiny_model, learning_rate="auto", epochs=4, batch_size=2)
    choice = choose_rate(job, tmp_path / "scratch", tmp_path / "trial")
    losses = {trial.rate: trial.loss for trial in choice.trials if trial.loss is not None}
    assert len(losses) >= 3
    best = choice.best_rate
    assert best is not None
    assert choice.rate in (best, pytest.approx(best / 4))
    assert choice.margin is not None
    assert losses[best] + choice.margin == pytest.approx(sorted(losses.values())[1])
    assert choice.items == len(job.validation)
    assert not list(tmp_path.glob("trial/checkpoint-*"))


@pytest.mark.slow
def test_a_trial_is_the_beginning_of_the_whole_training(tiny_model: Path, tmp_path: Path) -> None:
    # 16 steps in all are fewer than the least that a trial takes: it is the training itself.
    job = training_job(tiny_model, learning_rate="auto", epochs=4, batch_size=2)
    choice = choose_rate(job, tmp_path / "scratch", tmp_path / "trial")
    for trial in choice.trials:
        whole = train(
            job.at_rate(trial.rate), tmp_path / f"c{trial.rate}", tmp_path / f"w{trial.rate}"
        )
        assert whole.best_loss == pytest.approx(trial.loss, abs=1e-5)


@pytest.mark.slow
def test_an_interrupted_range_test_ends_with_the_same_choice(
    tiny_model: Path, tmp_path: Path
) -> None:
    job = training_job(tiny_model, learning_rate="auto", epochs=2, batch_size=4)
    whole = choose_rate(job, tmp_path / "a", tmp_path / "trial")
    calls = 0

    def stop(phase: str, done: int, total: int) -> None:
        nonlocal calls
        calls += 1
        if calls == total + 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        choose_rate(job, tmp_path / "b", tmp_path / "trial", stop)
    assert len((tmp_path / "b" / "trials.jsonl").read_text().splitlines()) == 1
    parts = choose_rate(job, tmp_path / "b", tmp_path / "trial")
    assert [(t.rate, t.loss) for t in parts.trials] == [(t.rate, t.loss) for t in whole.trials]
    assert parts.rate == whole.rate


def test_validation_is_measured_before_the_first_step(tiny_model: Path, tmp_path: Path) -> None:
    job = training_job(tiny_model)
    trained = train(job, tmp_path / "c", tmp_path / "w")
    model = job.load_base()
    losses: list[torch.Tensor] = []
    for prompt, example in job.validation:
        context = job.renderer.encode(job.renderer.text(prompt))
        text = job.renderer.text(prompt) + example.output + job.renderer.ending
        ids = torch.tensor([job.renderer.encode(text)])
        with torch.no_grad():
            logits = model(ids).logits[0, :-1].log_softmax(-1)
        losses += [-logits[n - 1, ids[0, n]] for n in range(len(context), ids.shape[1])]
    assert trained.curve[0]["step"] == 0
    assert trained.start_loss == pytest.approx(float(torch.stack(losses).mean()), abs=1e-4)


def test_a_training_that_never_helps_is_repeated_twice_at_a_quarter_of_the_rate(
    tiny_model: Path, tmp_path: Path
) -> None:
    # The metric falls however low the rate is.
    check = Check(start=GOOD, measure=lambda folder: BAD, repeat=True)
    job = training_job(tiny_model, learning_rate=1e-3)
    outcome = train_until_improved(job, check, tmp_path, tmp_path / "weights")
    assert [a.rate for a in outcome.attempts] == pytest.approx([1e-3, 2.5e-4, 6.25e-5])
    assert [a.improved for a in outcome.attempts] == [False, False, False]
    losses = [a.best_loss for a in outcome.attempts]
    assert losses[outcome.kept] == min(loss for loss in losses if loss is not None)
    best = job.at_rate(outcome.attempts[outcome.kept].rate)
    train(best, tmp_path / "c", tmp_path / "alone")
    kept = load_file(tmp_path / "weights" / "model.safetensors")
    alone = load_file(tmp_path / "alone" / "model.safetensors")
    assert all(torch.equal(kept[name], alone[name]) for name in alone)


def test_a_rate_that_the_plan_fixes_is_not_lowered(tiny_model: Path, tmp_path: Path) -> None:
    check = Check(start=GOOD, measure=lambda folder: BAD, repeat=False)
    outcome = train_until_improved(
        training_job(tiny_model, learning_rate=1e-3), check, tmp_path, tmp_path / "weights"
    )
    assert [(a.rate, a.improved) for a in outcome.attempts] == [(1e-3, False)]


def shares(right: int, of: int) -> Scored:
    return Scored(value=right / of, items=(1.0,) * right + (0.0,) * (of - right))


@pytest.mark.parametrize(
    ("before", "after", "fallen"),
    [
        # One item of 100 less: a difference of .01 with a standard error of .01.
        (shares(100, 100), shares(99, 100), False),
        # Nine items less: .09 with a standard error of .0288.
        (shares(46, 100), shares(37, 100), True),
        (shares(46, 100), shares(60, 100), False),
        # Half of the items change, as many up as down but for two: .02 with one of .0710.
        (shares(50, 100), Scored(value=0.48, items=(0.0,) * 26 + (1.0,) * 48 + (0.0,) * 26), False),
        # The majority class: macro-F1 falls though as many items are right.
        (
            Scored(value=0.353, items=(1.0,) * 40 + (0.0,) * 60),
            Scored(value=0.124, items=(0.0,) * 20 + (1.0,) * 33 + (0.0,) * 47),
            True,
        ),
        (Scored(value=None), Scored(value=None), False),
    ],
)
def test_a_metric_has_fallen_if_it_lost_more_than_the_error_of_the_difference(
    before: Scored, after: Scored, fallen: bool
) -> None:
    assert has_fallen(before, after) == fallen


def test_a_loss_that_spikes_ends_the_training_which_is_repeated_lower(
    tiny_model: Path, tmp_path: Path
) -> None:
    job = training_job(tiny_model, learning_rate=30.0, epochs=20, batch_size=2)
    outcome = train_until_improved(job, NO_METRIC, tmp_path, tmp_path / "weights")
    assert outcome.attempts[0].spiked
    assert outcome.attempts[0].improved is False
    assert len(outcome.attempts) > 1


def logged(losses: list[float], every: int = 1) -> list[dict[str, float]]:
    return [{"step": every * n, "loss": loss} for n, loss in enumerate(losses, start=1)]


@pytest.mark.parametrize(
    ("history", "spiked"),
    [
        # The loss is 1 before training, so above 2 is high; a batch has two examples.
        (logged([0.2] * 9 + [50.0] * 5 + [0.2] * 10), False),
        (logged([0.2] * 9 + [2.1] * 6), True),
        (logged([2.1, 0.2] * 20), False),
        (logged([2.1] * 5), False),
        (logged([0.2, 2.1, 2.1], every=5), True),
        (logged([0.2, 2.1, 1.9], every=5), False),
        (logged([0.2, 2.1], every=20), True),
        (logged([0.2, math.nan]), True),
        ([{"step": 1, "loss": 0.2}, {"step": 1, "eval_loss": math.nan}], False),
    ],
)
def test_a_spike_is_a_high_loss_in_most_steps_of_twenty_examples(
    history: list[dict[str, float]], spiked: bool
) -> None:
    assert SpikeGuard(1.0, batch_size=2).spiked(history) is spiked


def test_one_wrong_label_in_a_small_training_set_is_no_spike(
    tiny_model: Path, tmp_path: Path
) -> None:
    job = training_job(tiny_model, learning_rate=3e-3, epochs=20, batch_size=2)
    train(job, tmp_path / "c", tmp_path / "sure")
    (prompt, example), *others = job.examples
    wrong = (prompt, example.model_copy(update={"outputs": ("zq",)}))
    sure = replace(
        job,
        load_base=lambda: AutoModelForCausalLM.from_pretrained(tmp_path / "sure", dtype="float32"),
        examples=[*job.examples, *others, wrong],
    )
    trained = train(sure.at_rate(1e-4), tmp_path / "d", tmp_path / "w")
    assert trained.start_loss is not None
    highest = max(point.get("train_loss", 0.0) for point in trained.curve)
    assert highest > 2 * trained.start_loss + 0.5
    assert not trained.spiked


def test_a_finished_training_does_not_go_on_after_an_interruption(
    tiny_model: Path, tmp_path: Path
) -> None:
    # It stops early, and is interrupted while its metric is measured.
    job = training_job(tiny_model, learning_rate=1.0, epochs=20, batch_size=2, patience=2)
    check = Check(start=GOOD, measure=lambda folder: GOOD, repeat=False)
    whole = train_until_improved(job, check, tmp_path / "a", tmp_path / "whole")

    def stop(folder: Path) -> float:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_until_improved(job, replace(check, measure=stop), tmp_path / "b", tmp_path / "parts")
    parts = train_until_improved(job, check, tmp_path / "b", tmp_path / "parts")
    assert [p["step"] for p in parts.trained.curve] == [p["step"] for p in whole.trained.curve]
    # Weights that were kept by a session that ended before they were published are lost.
    again = train_until_improved(job, check, tmp_path / "b", tmp_path / "again")
    assert [p["step"] for p in again.trained.curve] == [p["step"] for p in whole.trained.curve]
    first = load_file(tmp_path / "whole" / "model.safetensors")
    second = load_file(tmp_path / "again" / "model.safetensors")
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_nobody_knows_whether_a_training_without_validation_helped(
    tiny_model: Path, tmp_path: Path
) -> None:
    job = replace(training_job(tiny_model), validation=[])
    outcome = train_until_improved(job, NO_METRIC, tmp_path, tmp_path / "weights")
    assert [a.improved for a in outcome.attempts] == [None]
