"""Greedy generation beside transformers' ``generate``, its prompts sorted by length."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pydantic import JsonValue

from benchmarks.speed.case import CLOSE, Agreement, Case, Setting, Work
from benchmarks.speed.side import engine_of
from benchmarks.tasks.catalogue import load_task
from strategies.embedding import load_embedder
from strategies.method import Prompting
from strategies.prompting.demonstrations import DemonstrationPrompting
from strategies.prompting.retrieval import RetrievalPrompting
from strategies.rendering import Renderer

NEW_TOKENS = 48


def _prompts(task: str, prompting: Prompting, renderer: Renderer, items: int) -> list[list[int]]:
    loaded = load_task(task)
    prompter = prompting.prepare(loaded.data(), load_embedder("all-minilm-l6-v2"), 0)
    prompts = prompter.prompts(loaded.test[:items])
    return [renderer.encode(renderer.text(prompt)) for prompt in prompts]


def _ours(task: str, prompting: Prompting) -> Callable[[Setting], Work]:
    def prepare(setting: Setting) -> Work:
        engine = engine_of(setting)
        prompts = _prompts(task, prompting, engine.renderer, setting.items)

        def work() -> list[JsonValue]:
            made = {each.index: each for each in engine.generate(prompts, NEW_TOKENS)}
            return [[made[n].text, made[n].margin] for n in range(len(prompts))]

        list(engine.generate([[1, 2, 3]], 2))
        return work

    return prepare


def _peer(task: str, prompting: Prompting) -> Callable[[Setting], Work]:
    def prepare(setting: Setting) -> Work:
        import torch

        engine = engine_of(setting)
        model, tokenizer = engine.model, engine.tokenizer
        prompts = _prompts(task, prompting, engine.renderer, setting.items)
        order = sorted(range(len(prompts)), key=lambda n: -len(prompts[n]))
        size = setting.peer_batch_size

        def answer(batch: list[list[int]], most: int) -> list[str]:
            inputs = tokenizer.pad({"input_ids": batch}, padding_side="left", return_tensors="pt")
            with torch.inference_mode():
                out = model.generate(
                    **inputs.to(model.device),
                    max_new_tokens=most,
                    do_sample=False,
                    eos_token_id=sorted(engine.renderer.stop_ids),
                    pad_token_id=tokenizer.pad_token_id,
                )
            new = out[:, inputs["input_ids"].shape[1] :]
            return [text.strip() for text in tokenizer.batch_decode(new, skip_special_tokens=True)]

        def work() -> list[JsonValue]:
            texts: dict[int, str] = {}
            for start in range(0, len(order), size):
                batch = order[start : start + size]
                answers = answer([prompts[n] for n in batch], NEW_TOKENS)
                texts.update(zip(batch, answers, strict=True))
            return [[texts[n], None] for n in range(len(prompts))]

        answer([[1, 2, 3]], 2)
        return work

    return prepare


def agree(peer: Sequence[JsonValue], ours: Sequence[JsonValue]) -> Agreement:
    """Whether the texts are the same; where they are not, how near the two best tokens came."""
    unlike, near = [], []
    for n, (theirs, mine) in enumerate(zip(peer, ours, strict=True)):
        if not isinstance(theirs, list) or not isinstance(mine, list):
            raise TypeError("an answer is a text with its margin")
        if theirs[0] != mine[0]:
            unlike.append(n)
            near += [n] if float(str(mine[1])) < CLOSE else []
    return Agreement(items=len(ours), unlike=tuple(unlike), near=tuple(near))


def _case(name: str, title: str, goal: float, task: str, prompting: Prompting) -> Case:
    return Case(
        name=name,
        title=title,
        peer_is="transformers' `generate` on prompts sorted by length",
        goal=goal,
        items=48,
        peer_batch_sizes=(4, 16),
        sides={"peer": _peer(task, prompting), "ours": _ours(task, prompting)},
        agree=agree,
    )


CASES = (
    _case(
        "shots-8",
        "generating behind eight shots that all prompts share (release-json)",
        3,
        "release-json",
        DemonstrationPrompting(count=8, selection="balanced"),
    ),
    _case(
        "passages",
        "generating behind retrieved passages of mixed length (handbook-qa)",
        1.3,
        "handbook-qa",
        RetrievalPrompting(),
    ),
)
