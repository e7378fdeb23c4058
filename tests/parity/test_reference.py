"""Our answers beside plain transformers' and lm-eval's own ``hf`` model, item by item, in fp32."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM

from benchmarks.answerer import StrategyAnswerer
from benchmarks.records import Response
from benchmarks.tasks.catalogue import load_task
from benchmarks.tasks.task import Task
from strategies.inference import Engine
from strategies.method import registry
from strategies.models import ResolvedModel, load_model, load_tokenizer, resolve
from strategies.rendering import Renderer
from strategies.settings import TrainingSettings
from strategies.training import TrainingJob, train
from tests.tiny import HashingEmbedder

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.filterwarnings("ignore"),
]
CLOSE = 1e-3  # two tokens nearer than this may swap places under another order of summation
NEW_TOKENS = 40


@pytest.fixture(scope="module")
def model() -> ResolvedModel:
    return resolve("smollm2-135m-instruct")


@pytest.fixture(scope="module")
def adapter(model: ResolvedModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A LoRA adapter after a few steps on real examples."""
    task, method = load_task("release-json"), registry().method("lora")
    settings = TrainingSettings(learning_rate=1e-3, epochs=1, batch_size=4)
    weights = method.weights.model_copy(update={"training": settings})
    examples = task.train[:24]
    prompter = method.prompting.prepare(task.data(), HashingEmbedder(), 0)
    pairs = list(zip(prompter.prompts(examples, training=True), examples, strict=True))
    job = TrainingJob(
        weights, _base(model), Renderer(load_tokenizer(model)), pairs, [], 0, "fp32", "cpu"
    )
    folder = tmp_path_factory.mktemp("adapter")
    train(job, folder / "checkpoints", folder / "weights")
    return folder / "weights"


def _base(model: ResolvedModel) -> Callable[[], Any]:
    return lambda: load_model(model, "fp32", "cpu")


def _ours(loaded: Any, model: ResolvedModel, task: Task, items: int) -> dict[str, Response]:
    prompter = registry().method("zero-shot").prompting.prepare(task.data(), HashingEmbedder(), 0)
    answerer = StrategyAnswerer(Engine(loaded, load_tokenizer(model)), prompter, NEW_TOKENS)
    return {response.id: response for response in answerer.answer(task.test[:items])}


def _context(model: ResolvedModel, task: Task, item: Any) -> str:
    text: str = load_tokenizer(model).apply_chat_template(
        [
            {"role": "system", "content": task.instruction.strip()},
            {"role": "user", "content": item.input},
        ],
        tokenize=False,
        add_generation_prompt=True,
    )
    return text


@pytest.mark.parametrize("adapted", [False, True])
def test_generated_answers_equal_plain_transformers(
    model: ResolvedModel, adapter: Path, adapted: bool
) -> None:
    from peft import PeftModel

    task, tokenizer = load_task("release-json"), load_tokenizer(model)
    reference = _base(model)()
    loaded = _base(model)()
    if adapted:
        # The reference keeps the adapter apart; ours is merged.
        reference = PeftModel.from_pretrained(reference, adapter).eval()
        loaded = registry().method("lora").weights.load(_base(model), adapter).eval()
    ours = _ours(loaded, model, task, 20)
    differing = []
    for item in task.test[:20]:
        ids = tokenizer(_context(model, task, item), return_tensors="pt", add_special_tokens=False)
        out = reference.generate(**ids, max_new_tokens=NEW_TOKENS, do_sample=False)
        text = tokenizer.decode(out[0, ids["input_ids"].shape[1] :], skip_special_tokens=True)
        if ours[item.id].text != text.strip():
            differing.append((item.id, ours[item.id].margin))
    assert [entry for entry in differing if entry[1] >= CLOSE] == []


def test_label_scores_equal_lm_evals_own_model(model: ResolvedModel) -> None:
    task = load_task("ticket-triage")
    loaded = _base(model)()
    ours = _ours(loaded, model, task, 10)
    reference = HFLM(pretrained=loaded, tokenizer=load_tokenizer(model), batch_size=4)
    for item in task.test[:10]:
        context = _context(model, task, item)
        # lm-eval scores the template's last newline with every label; training never covers it.
        assert context.endswith("assistant\n")
        texts = [(context, label) for label in task.labels]
        requests = [
            Instance("loglikelihood", {}, pair, n)
            for n, pair in enumerate([(context.rstrip(), "\n"), *texts])
        ]
        with torch.inference_mode():
            (newline, greedy), *theirs = reference.loglikelihood(requests, disable_tqdm=True)
        mine = ours[item.id]
        expected = [score - newline for score, _ in theirs]
        assert mine.choice_logprobs == pytest.approx(expected, abs=1e-3)
        assert [greedy and each for each in mine.choice_is_greedy or ()] == [g for _, g in theirs]


def test_labels_that_begin_another_score_the_end_as_plain_transformers_does(
    model: ResolvedModel,
) -> None:
    task = load_task("ticket-triage")
    labels = ("1", "10", "refund", "refund late")
    asked = task.test[0].model_copy(update={"choices": labels, "outputs": ("10",)})
    loaded, tokenizer = _base(model)(), load_tokenizer(model)
    mine = _ours(loaded, model, task.model_copy(update={"test": (asked,)}), 1)[asked.id]
    start = tokenizer(_context(model, task, asked))["input_ids"]
    for label, score, greedy in zip(
        labels, mine.choice_logprobs or (), mine.choice_is_greedy or (), strict=True
    ):
        answer = tokenizer(f"{label}<|im_end|>")["input_ids"]
        with torch.inference_mode():
            logits = loaded(input_ids=torch.tensor([[*start, *answer]])).logits[0].float()
        at = logits[len(start) - 1 : -1].log_softmax(-1)
        expected = sum(float(at[n, token]) for n, token in enumerate(answer))
        assert score == pytest.approx(expected, abs=1e-3)
        assert greedy == (at.argmax(-1).tolist() == answer)
