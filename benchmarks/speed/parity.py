"""The bundled tasks, whole, beside the slow reference: one prompt at a time, nothing shared."""

from __future__ import annotations

from benchmarks.speed import choices, generation
from benchmarks.speed.case import Case
from benchmarks.tasks.catalogue import bundled_tasks
from benchmarks.tasks.task import TaskSpec
from strategies.prompting.instruction import InstructionPrompting
from strategies.rendering import Renderer

_ITEMS = 150


def _case(spec: TaskSpec) -> Case:
    if spec.labels:

        def pairs(renderer: Renderer, items: int) -> list[choices.Pair]:
            return choices.pairs_of_task(spec.id, renderer, items)

        peer, ours, agree = choices.peer(pairs), choices.ours(pairs), choices.agree
        reference = "lm-eval's `hf` model, one at a time"
    else:
        shown, tokens = InstructionPrompting(), spec.max_new_tokens
        peer = generation.peer(spec.id, shown, tokens)
        ours = generation.ours(spec.id, shown, tokens)
        agree = generation.agree
        reference = "transformers' `generate`, one at a time"
    return Case(
        name=f"parity-{spec.id}",
        title=f"the whole test split of {spec.id}, zero-shot",
        peer_is=reference,
        goal=None,
        items=_ITEMS,
        pairs=1,
        peer_batch_size=1,
        sides={"peer": peer, "ours": ours},
        agree=agree,
    )


CASES = tuple(_case(spec) for spec in bundled_tasks())
