"""Greedy generation beside transformers' ``generate``, its prompts sorted by length."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from pydantic import JsonValue

from benchmarks.speed.case import CLOSE, Agreement, Case, Setting, Work
from benchmarks.speed.side import engine_of
from benchmarks.tasks.catalogue import load_task
from strategies.device import resolve_device
from strategies.embedding import load_embedder
from strategies.method import Prompting
from strategies.models import load_model, load_tokenizer, resolve
from strategies.prefix import common_beginning
from strategies.prompting.demonstrations import DemonstrationPrompting
from strategies.prompting.retrieval import RetrievalPrompting
from strategies.rendering import Renderer

NEW_TOKENS = 48


def prompts_of(task: str, prompting: Prompting, renderer: Renderer, items: int) -> list[list[int]]:
    """Tokens of the prompts of a task's first test items."""
    loaded = load_task(task)
    prompter = prompting.prepare(loaded.data(), load_embedder("all-minilm-l6-v2"), 0)
    prompts = prompter.prompts(loaded.test[:items])
    return [renderer.encode(renderer.text(prompt)) for prompt in prompts]


def ours(
    task: str, prompting: Prompting, new_tokens: int = NEW_TOKENS
) -> Callable[[Setting], Work]:
    """Our engine; answers are the tokens and their margins."""

    def prepare(setting: Setting) -> Work:
        engine = engine_of(setting)
        prompts = prompts_of(task, prompting, engine.renderer, setting.items)

        def work() -> list[JsonValue]:
            made = {each.index: each for each in engine.generate(prompts, new_tokens)}
            answers = [made[n] for n in range(len(prompts))]
            return [[list(each.tokens), list(each.margins)] for each in answers]

        list(engine.generate([[1, 2, 3]], 2))
        return work

    return prepare


def peer(
    task: str, prompting: Prompting, new_tokens: int = NEW_TOKENS
) -> Callable[[Setting], Work]:
    """Transformers' ``generate``; answers are the tokens."""

    def prepare(setting: Setting) -> Work:
        import torch

        resolved = resolve(setting.model)
        tokenizer = load_tokenizer(resolved)
        model = load_model(resolved, setting.precision, resolve_device())
        renderer = Renderer(tokenizer)
        prompts = prompts_of(task, prompting, renderer, setting.items)
        order = sorted(range(len(prompts)), key=lambda n: -len(prompts[n]))
        size = setting.peer_batch_size

        def answer(batch: list[list[int]], most: int) -> list[list[int]]:
            inputs = tokenizer.pad({"input_ids": batch}, padding_side="left", return_tensors="pt")
            with torch.inference_mode():
                out = model.generate(
                    **inputs.to(model.device),
                    max_new_tokens=most,
                    do_sample=False,
                    eos_token_id=sorted(renderer.stop_ids),
                    pad_token_id=tokenizer.pad_token_id,
                )
            return [_until_end(row, renderer) for row in out[:, len(inputs["input_ids"][0]) :]]

        def work() -> list[JsonValue]:
            answers: dict[int, list[int]] = {}
            for start in range(0, len(order), size):
                batch = order[start : start + size]
                made = answer([prompts[n] for n in batch], new_tokens)
                answers.update(zip(batch, made, strict=True))
            return [[[*answers[n]], []] for n in range(len(prompts))]

        answer([[1, 2, 3]], 2)
        return work

    return prepare


def _until_end(row: Any, renderer: Renderer) -> list[int]:
    tokens: list[int] = row.tolist()
    ends = [place for place, token in enumerate(tokens) if token in renderer.stop_ids]
    return tokens[: ends[0]] if ends else tokens


def agree(theirs: Sequence[JsonValue], mine: Sequence[JsonValue]) -> Agreement:
    """Whether the tokens are the same; where they part, how near the two best ones came."""
    unlike, near = [], []
    for n, (one, other) in enumerate(zip(theirs, mine, strict=True)):
        (first, _), (second, margins) = _answer(one), _answer(other)
        if first != second:
            unlike.append(n)
            near += [n] if margins[common_beginning(first, second)] < CLOSE else []
    return Agreement(items=len(mine), unlike=tuple(unlike), near=tuple(near))


def _answer(value: JsonValue) -> tuple[list[int], list[float]]:
    if not isinstance(value, list):
        raise TypeError("an answer is a list of tokens and a list of margins")
    tokens, margins = value
    if not isinstance(tokens, list) or not isinstance(margins, list):
        raise TypeError("an answer is a list of tokens and a list of margins")
    return [int(str(token)) for token in tokens], [float(str(margin)) for margin in margins]


def _case(name: str, title: str, goal: float, items: int, task: str, prompting: Prompting) -> Case:
    return Case(
        name=name,
        title=title,
        peer_is="transformers' `generate` on prompts sorted by length",
        goal=goal,
        items=items,
        sides={"peer": peer(task, prompting), "ours": ours(task, prompting)},
        agree=agree,
    )


CASES = (
    _case(
        "shots-8",
        "generating behind eight shots that all prompts share (release-json)",
        3,
        24,
        "release-json",
        DemonstrationPrompting(count=8, selection="balanced"),
    ),
    _case(
        "passages",
        "generating behind retrieved passages of mixed length (handbook-qa)",
        1.3,
        48,
        "handbook-qa",
        RetrievalPrompting(),
    ),
)
