"""The real worker with light parts: it answers by a rule, and fails where it is told to.

``FAKE_FAULT`` names an arm and what befalls it there, such as ``lora-s0:kill``.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import time
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from benchmarks.plan import Plan
from benchmarks.records import Arm, Cost, ItemScore, Response
from benchmarks.tasks.metrics import aggregate, score_item
from benchmarks.tasks.task import Item, Task
from benchmarks.worker import Parts, Ready, main
from strategies.errors import NotApplicableError
from strategies.progress import Progress
from tests.runner import material

PAUSE_SECONDS = float(os.environ.get("FAKE_PAUSE_SECONDS", "0"))


class RuleAnswerer:
    """Right on every third item, whatever is asked."""

    def __init__(self, fault: str) -> None:
        self.fault = fault

    def answer(
        self, items: Sequence[Item], *, free: bool = False, known: Collection[str] = ()
    ) -> Iterator[Response]:
        for number, item in enumerate(item for item in items if item.id not in known):
            time.sleep(PAUSE_SECONDS)
            if self.fault and number == 3:
                befall(self.fault)
            right = int(item.id.rpartition("-")[2]) % 3 == 0
            text = item.output if right else "no label" if free else item.choices[0]
            yield Response(id=item.id, text=text, prompt_tokens=7, seconds=0.5)


_RAISED = {
    "memory": MemoryError("9 GiB wanted"),
    "refuse": NotApplicableError("this task is not for it"),
}


def befall(fault: str) -> None:
    if fault == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if fault == "orphan":
        os.kill(os.getppid(), signal.SIGKILL)
        return
    if fault == "stop":
        os.killpg(0, signal.SIGSTOP)
        return
    if fault == "warn":
        logging.getLogger("strategies.checked_files").warning("weights is damaged: made again")
        logging.getLogger("a_library").warning("a library's remark")
        return
    if fault == "nap":
        time.sleep(9)
        return
    if fault == "endless":
        time.sleep(600)
    if fault == "ask":
        input("Do you wish to run the custom code? [y/N] ")
    if fault == "exit":
        os._exit(7)
    raise _RAISED.get(fault, RuntimeError(f"{fault} happened"))


def preload(plan: Plan) -> None:
    note = os.environ.get("FAKE_PRELOADED")
    if note:
        with Path(note).open("a") as file:
            file.write("preloaded\n")


def prepare(plan: Plan, task: Task, arm: Arm, progress: Progress) -> Ready:
    sys.stdout.write("a library prints to standard output\n")
    note = os.environ.get("FAKE_PREPARED")
    if note:
        with Path(note).open("a") as file:
            file.write(f"{arm.folder}\n")
    progress("training", 1, 1)
    name, _, fault = os.environ.get("FAKE_FAULT", "").partition(":")
    cost = Cost(train_seconds=3.0, trainable_parameters=5)
    return Ready(RuleAnswerer(fault if name == arm.folder else ""), cost=cost)


def evaluate(task, answerer, known, record):
    texts = {name: response.text for name, response in known.items()}
    missing = [item for item in task.test if item.id not in texts]
    for response in answerer.answer(missing) if missing else ():
        record(response)
        texts[response.id] = response.text
    ordered = [texts[item.id] for item in task.test]
    scores = {task.metric: aggregate(task, task.metric, task.test, ordered)}
    items = [
        ItemScore(
            id=item.id,
            metrics=score_item(task, item, text),
            reference=item.output,
            prediction=text,
        )
        for item, text in zip(task.test, ordered, strict=True)
    ]
    return scores, items


if __name__ == "__main__":
    light = Parts(
        preload=preload,
        load=lambda plan: material.resolve(plan).task,
        prepare=prepare,
        evaluate=evaluate,
    )
    sys.exit(main(sys.argv[1:], light))
