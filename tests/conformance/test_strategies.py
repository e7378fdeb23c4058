"""Every registered prompting and weights, built in or from a plug-in, keeps the same promises."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from strategies.data import Example, Passage, TaskData
from strategies.inference import Engine
from strategies.method import Method, registry
from strategies.models import ResolvedModel, load_model, load_tokenizer
from strategies.rendering import Renderer
from strategies.settings import TrainingSettings
from strategies.training import TrainingJob, train
from tests.tiny import HashingEmbedder

METHODS = sorted(registry().methods)
TRAINED = [name for name in METHODS if registry().methods[name].trains]


def _data() -> TaskData:
    train = tuple(
        Example(
            id=f"train-{n}",
            input=f"the {thing} number {n}",
            outputs=(colour,),
            choices=("red", "blue"),
            passages=("colours#red" if colour == "red" else "colours#blue",),
        )
        for n, (thing, colour) in enumerate(
            [("sky", "blue"), ("tomato", "red"), ("sea", "blue")] * 3
        )
    )
    corpus = (
        Passage(
            id="colours#red", title="Red things", text="a ripe tomato and a fire engine are red"
        ),
        Passage(id="colours#blue", title="Blue things", text="the sky over the sea is blue today"),
        Passage(id="other#maybe", title="Other things", text="yes no maybe one two three"),
    )
    return TaskData(
        instruction="Sort the message. Answer with red or blue.",
        train=train,
        validation=train[:2],
        corpus=corpus,
        max_new_tokens=4,
    )


def _method(name: str) -> Method:
    return registry().methods[name]


@pytest.mark.parametrize("name", METHODS)
def test_a_method_survives_a_round_trip_through_json(name: str) -> None:
    method = _method(name)
    assert Method.model_validate_json(method.model_dump_json()) == method


@pytest.mark.parametrize("name", METHODS)
def test_a_prompt_ends_with_the_user_and_holds_instruction_and_input(name: str) -> None:
    data = _data()
    prompter = _method(name).prompting.prepare(data, HashingEmbedder(), 0)
    item = Example(id="test-0", input="the blue sea", outputs=("blue",))
    (prompt,) = prompter.prompts([item])
    assert prompt.messages[-1].role == "user"
    assert prompt.messages[-1].content.endswith(item.input)
    assert data.instruction in prompt.messages[0].content


@pytest.mark.parametrize("name", METHODS)
def test_the_same_seed_gives_the_same_prompts_alone_and_in_a_batch(name: str) -> None:
    data = _data()
    items = [
        Example(id=f"test-{n}", input=e.input, outputs=("red",)) for n, e in enumerate(data.train)
    ]
    first = _method(name).prompting.prepare(data, HashingEmbedder(), 1).prompts(items)
    again = _method(name).prompting.prepare(data, HashingEmbedder(), 1)
    assert [again.prompts([item])[0] for item in items] == first


@pytest.mark.parametrize("name", METHODS)
def test_no_training_example_is_its_own_demonstration(name: str) -> None:
    data = _data()
    prompter = _method(name).rendered_for_training.prepare(data, HashingEmbedder(), 0)
    for example, prompt in zip(
        data.train, prompter.prompts(data.train, training=True), strict=True
    ):
        assert example.id not in prompt.demonstrations


@pytest.mark.parametrize("name", METHODS)
def test_the_answer_never_stands_in_the_prompt_of_a_test_item(name: str) -> None:
    prompter = _method(name).prompting.prepare(_data(), HashingEmbedder(), 0)
    secret = Example(id="test-0", input="what is it", outputs=("xylophone",))
    (prompt,) = prompter.prompts([secret])
    assert all("xylophone" not in message.content for message in prompt.messages)


@pytest.mark.parametrize("name", METHODS)
def test_a_method_that_misses_what_it_needs_says_so(name: str) -> None:
    bare = TaskData(instruction="Sort.")
    assert set(_method(name).missing(bare)) == set(_method(name).needs)
    assert _method(name).missing(_data()) == []


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("name", TRAINED)
def test_trained_weights_lower_the_loss_and_answer_the_same_when_loaded_again(
    name: str, tiny_model: Path, tmp_path: Path
) -> None:
    data, method = _data(), _method(name)
    settings = TrainingSettings(learning_rate=5e-3, epochs=6, batch_size=4, max_tokens=128)
    weights = method.weights.model_copy(update={"training": settings})
    resolved = ResolvedModel("tiny", tiny_model, "0")
    tokenizer = load_tokenizer(resolved)
    prompter = method.rendered_for_training.prepare(data, HashingEmbedder(), 0)
    prompts = prompter.prompts(data.train, training=True)
    pairs = list(zip(prompts, data.train, strict=True))

    def base() -> torch.nn.Module:
        model: torch.nn.Module = load_model(resolved, "fp32", "cpu")
        return model

    job = TrainingJob(weights, base, Renderer(tokenizer), pairs, pairs, 0, "fp32", "cpu")
    trained = train(job, tmp_path / "checkpoints", tmp_path / "weights")
    losses = [point["validation_loss"] for point in trained.curve if "validation_loss" in point]
    assert min(losses) < losses[0]
    assert 0 < trained.trainable_parameters <= sum(p.numel() for p in base().parameters())
    assert not list((tmp_path / "weights").rglob("*.bin"))

    def answers() -> list[str]:
        model = weights.load(base, tmp_path / "weights").eval()
        engine = Engine(model, tokenizer)
        encoded = [engine.renderer.encode(engine.renderer.text(prompt)) for prompt in prompts]
        return [made.text for made in engine.generate(encoded, 4)]

    assert answers() == answers()
