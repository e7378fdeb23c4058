"""Choice scoring beside lm-eval's ``hf`` model: 77 labels, and four options behind five shots."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pydantic import JsonValue

from benchmarks.speed.case import CLOSE, Agreement, Case, Setting, Work
from benchmarks.speed.side import engine_of
from benchmarks.tasks.catalogue import default_data_dir, load_task
from strategies.data import Message, Prompt
from strategies.device import resolve_device
from strategies.embedding import load_embedder
from strategies.errors import DataError
from strategies.models import load_tokenizer, resolve
from strategies.prompting.instruction import InstructionPrompting
from strategies.rendering import Renderer

EMBEDDER = "all-minilm-l6-v2"
_SHOTS = 5
# The fastest of those that were tried on two items, 154 rows as long as all others; trying them on
# 32 items would take the peer half an hour a size.
_PEER_BATCH_SIZE = {"labels-77": 2}

Pair = tuple[str, tuple[str, ...]]


def labels_of_banking77(renderer: Renderer, items: int) -> list[Pair]:
    """The prompts that a bench gives the model, which list the 77 intents."""
    return pairs_of_task("banking77", renderer, items)


def pairs_of_task(name: str, renderer: Renderer, items: int) -> list[Pair]:
    """The zero-shot prompts of a task's first test items, with their choices."""
    task = load_task(name)
    asked = task.test[:items]
    prompts = InstructionPrompting().prepare(task.data(), load_embedder(EMBEDDER), 0).prompts(asked)
    texts = map(renderer.text, prompts)
    return [(text, item.choices or ()) for text, item in zip(texts, asked, strict=True)]


def labels_behind_a_short_prompt(renderer: Renderer, items: int) -> list[Pair]:
    """Prompts of some 35 tokens that do not list the intents: least for us to save."""
    task = load_task("banking77")
    prompts = [
        Prompt(
            messages=(
                Message(role="system", content="Name the intent of the bank customer's question."),
                Message(role="user", content=item.input),
            )
        )
        for item in task.test[:items]
    ]
    return [
        (renderer.text(prompt), item.choices or ())
        for prompt, item in zip(prompts, task.test, strict=False)
    ]


def options_behind_five_shots(renderer: Renderer, items: int) -> list[Pair]:
    """Questions of OpenBookQA as plain text behind five answered ones, and four options each."""
    rows = _rows(default_data_dir(), "general_icl/openbook_qa.jsonl")
    shots = "".join(f"{_asked(row)} {row['choices'][row['gold']]}\n\n" for row in rows[:_SHOTS])
    asked = rows[_SHOTS : _SHOTS + items]
    return [(shots + _asked(row), tuple(f" {c}" for c in row["choices"])) for row in asked]


def _asked(row: dict[str, Any]) -> str:
    return f"Question: {row['query']}\nAnswer:"


def _rows(folder: Path | None, name: str) -> list[dict[str, Any]]:
    if folder is None or not (folder / name).is_file():
        raise DataError(f"{name} is not there. Name its folder: ADVISOR_DATA_DIR=FOLDER")
    lines = (folder / name).read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def encode_pair_as_lm_eval(
    renderer: Renderer, context: str, continuations: Sequence[str]
) -> tuple[list[int], list[list[int]]]:
    """Tokens of a context and of each continuation, split as in ``TemplateLM._encode_pair``.

    White space at the end of the context is scored with the continuation, so that both sides of
    a comparison score the same tokens. A bench splits otherwise: see `Renderer.encode_answers`.
    """
    first = renderer.encode(context.rstrip())
    wholes = (renderer.encode(f"{context}{continuation}") for continuation in continuations)
    return first, [whole[len(first) :] for whole in wholes]


def ours(pairs: Callable[[Renderer, int], list[Pair]]) -> Callable[[Setting], Work]:
    """Our engine; an answer is the log-likelihoods of an item's choices."""

    def prepare(setting: Setting) -> Work:
        engine = engine_of(setting)
        asked = pairs(engine.renderer, setting.items)

        def work() -> list[JsonValue]:
            encoded = [encode_pair_as_lm_eval(engine.renderer, *each) for each in asked]
            scored = engine.score([c for c, _ in encoded], [answers for _, answers in encoded])
            found = {scores.index: scores for scores in scored}
            return [list(found[n].logprobs) for n in range(len(asked))]

        list(engine.score([[1, 2, 3]], [[[4, 5], [6]]]))
        return work

    return prepare


def peer(pairs: Callable[[Renderer, int], list[Pair]]) -> Callable[[Setting], Work]:
    """lm-eval's ``hf`` model; an answer is the log-likelihoods of an item's choices."""

    def prepare(setting: Setting) -> Work:
        from lm_eval.api.instance import Instance
        from lm_eval.models.huggingface import HFLM

        resolved = resolve(setting.model)
        dtype = {"fp32": "float32", "bf16": "bfloat16"}[setting.precision]
        lm = HFLM(
            pretrained=str(resolved.path),
            dtype=dtype,
            device=resolve_device(),
            batch_size=setting.peer_batch_size,
            trust_remote_code=False,
        )
        asked = pairs(Renderer(load_tokenizer(resolved)), setting.items)

        def instances(asked: Sequence[Pair]) -> list[Any]:
            return [
                Instance("loglikelihood", {}, (context, answer), n)
                for context, answers in asked
                for n, answer in enumerate(answers)
            ]

        def work() -> list[JsonValue]:
            scores = iter(lm.loglikelihood(instances(asked), disable_tqdm=True))
            return [[next(scores)[0] for _ in answers] for _, answers in asked]

        lm.loglikelihood(instances([("a b", (" c",))]), disable_tqdm=True)
        return work

    return prepare


def agree(theirs: Sequence[JsonValue], mine: Sequence[JsonValue]) -> Agreement:
    """Whether the same choice is best, and how far the log-likelihoods lie apart."""
    unlike, near, largest = [], [], 0.0
    for n, (one, other) in enumerate(zip(theirs, mine, strict=True)):
        if not isinstance(one, list) or not isinstance(other, list):
            raise TypeError("an answer is a list of log-likelihoods")
        pairs = [(float(str(a)), float(str(b))) for a, b in zip(one, other, strict=True)]
        largest = max(largest, *(abs(a - b) for a, b in pairs))
        if _best([a for a, _ in pairs]) != _best([b for _, b in pairs]):
            unlike.append(n)
            first, second = sorted((a for a, _ in pairs), reverse=True)[:2]
            near += [n] if first - second < CLOSE else []
    return Agreement(
        items=len(mine), unlike=tuple(unlike), near=tuple(near), largest_difference=largest
    )


def _best(values: Sequence[float]) -> int:
    return max(range(len(values)), key=values.__getitem__)


def _case(name: str, title: str, goal: float, pairs: Callable[[Renderer, int], list[Pair]]) -> Case:
    return Case(
        name=name,
        title=title,
        peer_is="lm-eval's `hf` model",
        goal=goal,
        # Fewer items make a ratio that an unlucky prompt can move, and none to be claimed.
        items=32,
        sides={"peer": peer(pairs), "ours": ours(pairs)},
        agree=agree,
        peer_batch_size=_PEER_BATCH_SIZE.get(name),
    )


CASES = (
    _case(
        "labels-77",
        "scoring the 77 labels of BANKING77, which the prompt lists",
        10,
        labels_of_banking77,
    ),
    _case(
        "labels-77-short",
        "the same behind a prompt that does not list them",
        10,
        labels_behind_a_short_prompt,
    ),
    _case(
        "options-4",
        "scoring four options behind five shots (OpenBookQA)",
        8,
        options_behind_five_shots,
    ),
)
