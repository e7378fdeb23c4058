"""A whole comparison of seven methods beside the script one would write for it.

The script: lm-eval's ``hf`` model answers, TRL's ``SFTTrainer`` trains, one thing after another.
It is given the same prompts, so that what is compared is how they are worked on.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import JsonValue

from benchmarks.plan import Limits, Plan
from benchmarks.speed.case import Agreement, Case, Setting, Work
from benchmarks.speed.training import lora_config, sft_arguments, sft_rows
from benchmarks.store import read_run, write_plan
from benchmarks.tasks.catalogue import load_task
from benchmarks.tasks.metrics import aggregate
from benchmarks.tasks.task import Task
from strategies.device import resolve_device
from strategies.embedding import load_embedder
from strategies.errors import ModelError
from strategies.home import HOME_VARIABLE, make_fresh_home
from strategies.method import Method, registry
from strategies.models import load_model, load_tokenizer, resolve
from strategies.rendering import Renderer

_TRAIN, _VALIDATION = 100, 24
_EMBEDDER = "all-minilm-l6-v2"
# Trained weights differ by rounding, and greedy answers with them; a score may move by this.
_SAME_SCORE = 0.05


@dataclass(frozen=True)
class Comparison:
    """Seven methods on one task.

    Attributes:
        task: a bundled one.
        untrained: names of methods that train nothing.
        lora: names of methods that answer with one adapter.
        full: names of methods that answer with the same fully tuned weights.
        peer_batch_size: of those that were tried, the one at which the peer answers fastest.
    """

    task: str
    untrained: tuple[str, ...]
    lora: tuple[str, ...]
    full: tuple[str, ...]
    peer_batch_size: int

    @property
    def methods(self) -> tuple[Method, ...]:
        """In the order in which scores are given."""
        return tuple(map(_method, (*self.untrained, *self.lora, *self.full)))


GENERATED = Comparison(
    task="handbook-qa",
    untrained=("zero-shot", "icl-random", "icl-nearest", "rag"),
    lora=("lora", "rag+lora"),
    full=("full",),
    peer_batch_size=16,
)
CHOSEN = Comparison(
    task="ticket-triage",
    untrained=("zero-shot", "icl-random", "icl-nearest"),
    lora=("lora", "icl-nearest+lora"),
    full=("full", "icl-nearest+full"),
    peer_batch_size=2,
)


_RATES = {"lora": 1e-3, "full": 1e-4}


def _method(name: str) -> Method:
    known = registry()
    if name in known.methods:
        method = known.method(name)
    else:
        shown, tuned = (known.method(part) for part in name.split("+"))
        method = Method(
            name=name,
            prompting=shown.prompting,
            weights=tuned.weights,
            train_prompting=tuned.prompting,
        )
    # The one validation is of the last weights, so none but these can be kept. The rate is fixed,
    # because the peer does not search for one.
    return method.with_training(
        epochs=1, validations_per_epoch=1, learning_rate=_RATES.get(method.weights.kind, "auto")
    )


def _ours(comparison: Comparison) -> Callable[[Setting], Work]:
    def prepare(setting: Setting) -> Work:
        plan = Plan(
            task=comparison.task,
            model=setting.model,
            methods=comparison.methods,
            floors=False,
            precision=setting.precision,
            threads=setting.threads,
            limits=Limits(train=_TRAIN, validation=_VALIDATION, test=setting.items),
            latency_items=1,
        )

        def work() -> list[JsonValue]:
            with tempfile.TemporaryDirectory() as folder:
                fresh = make_fresh_home(Path(folder) / "home")
                write_plan(Path(folder) / "plan.yaml", plan)
                out = Path(folder) / "run"
                bench = (sys.executable, "-m", "advisor.cli.app", "bench")
                subprocess.run(
                    [*bench, f"{folder}/plan.yaml", "--out", str(out), "--quiet"],
                    env={**os.environ, HOME_VARIABLE: str(fresh)},
                    check=True,
                    capture_output=True,
                )
                arms = {result.arm.name: result.arm for result in read_run(out).arms}
            return [next(iter(arms[method.name].scores.values())) for method in plan.methods]

        return work

    return prepare


def _peer(comparison: Comparison) -> Callable[[Setting], Work]:
    def prepare(setting: Setting) -> Work:
        def work() -> list[JsonValue]:
            limits = Limits(train=_TRAIN, validation=_VALIDATION, test=setting.items)
            task = load_task(comparison.task).cut(limits)
            with tempfile.TemporaryDirectory() as folder:
                os.environ[HOME_VARIABLE] = str(make_fresh_home(Path(folder) / "home"))
                return list(_Script(setting, comparison, task, Path(folder)).scores())

        return work

    return prepare


class _Script:
    """What an engineer writes who has lm-eval and TRL and an afternoon."""

    def __init__(self, setting: Setting, comparison: Comparison, task: Task, folder: Path) -> None:
        self.setting, self.comparison, self.task, self.folder = setting, comparison, task, folder
        self.model = resolve(setting.model)
        if self.model.base is not None:
            raise ModelError(f"{setting.model} is an adapter; the script tunes a whole model")
        self.renderer = Renderer(load_tokenizer(self.model))
        self.embedder = load_embedder(_EMBEDDER)

    def scores(self) -> list[float | None]:
        base = self._lm()
        found = [self._score(base, name) for name in self.comparison.untrained]
        del base
        self._train("lora")
        adapted = self._lm(peft=str(self.folder / "lora"))
        found += [self._score(adapted, name) for name in self.comparison.lora]
        del adapted
        self._train("full")
        tuned = self._lm(pretrained=str(self.folder / "full"))
        return found + [self._score(tuned, name) for name in self.comparison.full]

    def _lm(self, **changes: str) -> Any:
        from lm_eval.models.huggingface import HFLM

        given = {
            "pretrained": str(self.model.path),
            "tokenizer": str(self.model.path),
            "dtype": {"fp32": "float32", "bf16": "bfloat16"}[self.setting.precision],
            "device": resolve_device(),
            "batch_size": self.setting.peer_batch_size,
        }
        return HFLM(**(given | changes))

    def _score(self, lm: Any, name: str) -> float | None:
        prompting = _method(name).prompting
        prompter = prompting.prepare(self.task.data(), self.embedder, 0)
        prompts = [self.renderer.text(prompt) for prompt in prompter.prompts(self.task.test)]
        answer = self._choose if self.task.closed else self._generate
        return aggregate(self.task, self.task.metric, self.task.test, answer(lm, prompts))

    def _choose(self, lm: Any, prompts: Sequence[str]) -> list[str]:
        from lm_eval.api.instance import Instance

        choices = [item.choices or () for item in self.task.test]
        requests = [
            Instance("loglikelihood", {}, (prompt, self.renderer.continuation(choice)), n)
            for prompt, offered in zip(prompts, choices, strict=True)
            for n, choice in enumerate(offered)
        ]
        found = iter(lm.loglikelihood(requests, disable_tqdm=True))
        best = [max((next(found)[0], -n) for n in range(len(offered))) for offered in choices]
        return [offered[-n] for offered, (_, n) in zip(choices, best, strict=True)]

    def _generate(self, lm: Any, prompts: Sequence[str]) -> list[str]:
        from lm_eval.api.instance import Instance

        settings = {
            "until": [self.renderer.ending],
            "max_gen_toks": self.task.max_new_tokens,
            "do_sample": False,
        }
        requests = [
            Instance("generate_until", {}, (prompt, settings), n)
            for n, prompt in enumerate(prompts)
        ]
        return [text.strip() for text in lm.generate_until(requests, disable_tqdm=True)]

    def _train(self, kind: str) -> None:
        from trl import SFTTrainer

        tokenizer = load_tokenizer(self.model)
        method = _method(kind)
        data = self.task.data()
        prompter = method.prompting.prepare(data, self.embedder, 0)
        pairs = list(zip(prompter.prompts(data.train, training=True), data.train, strict=True))
        training = method.weights.training
        if training is None:
            raise TypeError(f"{kind} does not train")
        rows = sft_rows(Renderer(tokenizer), pairs, training.batch_size)
        trainer = SFTTrainer(
            model=load_model(self.model, "fp32", resolve_device()),
            args=sft_arguments(self.folder, self.setting, rows, training),
            train_dataset=rows,
            processing_class=tokenizer,
            peft_config=lora_config(kind),
        )
        trainer.train()
        trainer.save_model(str(self.folder / kind))


def agree(peer: Sequence[JsonValue], ours: Sequence[JsonValue]) -> Agreement:
    """How far the scores lie apart, method by method."""
    gaps = [abs(float(str(a)) - float(str(b))) for a, b in zip(peer, ours, strict=True)]
    unlike = tuple(n for n, gap in enumerate(gaps) if gap > _SAME_SCORE)
    return Agreement(items=len(gaps), unlike=unlike, largest_difference=max(gaps))


def _case(name: str, comparison: Comparison) -> Case:
    return Case(
        name=name,
        title=(
            f"a comparison of seven methods ({comparison.task}, {_TRAIN} training examples, one "
            "epoch), imports, loading and scoring included; ours validates as well"
        ),
        untimed="nothing",
        peer_is="a script around lm-eval's `hf` model and TRL's `SFTTrainer`",
        goal=2.5,
        items=40,
        peer_batch_size=comparison.peer_batch_size,
        sides={"peer": _peer(comparison), "ours": _ours(comparison)},
        agree=agree,
        pairs=3,
    )


CASES = (_case("seven-methods", GENERATED), _case("seven-methods-labels", CHOSEN))
