"""A small task and a plan for it, with everything resolved; no model is needed."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from benchmarks.fingerprint import Setting
from benchmarks.plan import Plan
from benchmarks.records import Environment
from benchmarks.runner import Means, Resolved
from benchmarks.store import ArtifactStore
from benchmarks.tasks.task import Item, Task
from strategies.data import Passage
from strategies.method import registry

LABELS = ("billing", "delivery")
ROOT = Path(__file__).resolve().parents[2]
FAKE_WORKER = (sys.executable, str(Path(__file__).with_name("fake_worker.py")))


def task(items: int = 12, corpus: bool = False) -> Task:
    return Task(
        id="letters",
        title="Letters",
        kind="classification",
        instruction="Sort the letter.",
        labels=LABELS,
        metric="accuracy",
        sha256=os.environ.get("FAKE_TASK_SHA256", "0" * 64),
        train=tuple(_item(f"train-{n}", n % 3 == 0) for n in range(9)),
        validation=(_item("validation-0", False),),
        test=tuple(_item(f"test-{n}", n % 2 == 0) for n in range(items)),
        corpus=(Passage(id="book#a", text="A parcel takes two days."),) if corpus else (),
    )


def _item(name: str, billing: bool) -> Item:
    label = LABELS[0] if billing else LABELS[1]
    return Item(id=name, input=f"{name} asks about {label}", outputs=(label,), choices=LABELS)


def plan(*methods: str, floors: bool = False, **changes: object) -> Plan:
    known = registry()
    chosen = tuple(known.method(name) for name in methods or ("zero-shot", "lora"))
    fields = {"precision": "fp32", "threads": 1, "latency_items": 2, **changes}
    return Plan(task="letters", methods=chosen, floors=floors, **fields)


def setting(**changes: object) -> Setting:
    values = {
        "model_sha256": "1" * 64,
        "embedder_sha256": "2" * 64,
        "precision": "fp32",
        "threads": 1,
        "device": "cpu",
        "libraries": {"torch": "2.13.0"},
    }
    return Setting(**{**values, **changes})


def environment() -> Environment:
    return Environment(
        python="3.11.7",
        platform="Linux",
        cpu="a processor",
        cores=1,
        threads=1,
        memory_bytes=1024,
        gpu=None,
        precision="fp32",
        libraries={"torch": "2.13.0"},
    )


def resolve(wanted: Plan) -> Resolved:
    """What `benchmarks.runner.resolve` does, without a model."""
    items = int(os.environ.get("FAKE_ITEMS", "12"))
    return Resolved(plan=wanted, task=task(items), setting=setting(), environment=environment())


def means(store: Path, **changes: object) -> Means:
    fields = {
        "artifacts": ArtifactStore(store),
        "worker": FAKE_WORKER,
        "variables": {"PYTHONPATH": str(ROOT)},
        "resolver": resolve,
    }
    return Means(**{**fields, **changes})
