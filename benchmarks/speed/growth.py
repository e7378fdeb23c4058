"""How time and memory grow with items, labels, demonstrations and passages.

Each size runs in a process of its own; the stated curve is a straight line behind a constant.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.environment import peak_memory_bytes
from benchmarks.speed.case import Setting
from benchmarks.speed.side import engine_of
from benchmarks.store import read_record, write_record
from benchmarks.tasks.catalogue import load_task
from benchmarks.tasks.task import Task
from strategies.data import Example, Frozen, Passage, Prompt, TaskData
from strategies.device import set_threads
from strategies.embedding import Embedder, load_embedder
from strategies.inference import Engine
from strategies.prompting.demonstrations import DemonstrationPrompting
from strategies.prompting.instruction import InstructionPrompting
from strategies.prompting.retrieval import RetrievalPrompting

_TASK = "ticket-triage"
_STEPS = (1, 2, 5, 10)


class Size(Frozen):
    """What one size took."""

    size: int
    seconds: float
    peak_memory_bytes: int


class Grown(Frozen):
    """An axis at all its sizes."""

    axis: str
    setting: Setting
    sizes: tuple[Size, ...]


class Line(Frozen):
    """A straight line: constant, slope, and the share of the variance that it explains."""

    constant: float
    slope: float
    r_squared: float


@dataclass(frozen=True)
class Axis:
    """Something that may grow.

    Attributes:
        title: in the report.
        base: the smallest size; the largest is ten times that.
        prepare: loads and warms up at a size, then gives back the work to be timed.
    """

    title: str
    base: int
    prepare: Callable[[Setting, int], Callable[[], object]]


def line_through(xs: Sequence[float], ys: Sequence[float]) -> Line:
    """The least-squares line through points."""
    from scipy.stats import linregress

    found = linregress(xs, ys)
    return Line(
        constant=float(found.intercept),
        slope=float(found.slope),
        r_squared=float(found.rvalue) ** 2,
    )


def _score(
    setting: Setting, prompts: Sequence[Prompt], labels: Sequence[str]
) -> Callable[[], object]:
    engine = engine_of(setting)

    def work() -> object:
        encoded = [engine.renderer.encode_choices(prompt, labels) for prompt in prompts]
        return list(engine.score([c for c, _ in encoded], [answers for _, answers in encoded]))

    _warm_up(engine)
    return work


def _warm_up(engine: Engine) -> None:
    list(engine.score([[1, 2, 3]], [[[4, 5], [6]]]))


def _asked(task: Task, examples: Sequence[Example]) -> list[Prompt]:
    return InstructionPrompting().prepare(task.data(), load_embedder(), 0).prompts(examples)


def _items(setting: Setting, size: int) -> Callable[[], object]:
    task = load_task(_TASK)
    return _score(setting, _asked(task, task.test[:size]), task.labels or ())


def _labels(setting: Setting, size: int) -> Callable[[], object]:
    task = load_task(_TASK)
    return _score(setting, _asked(task, task.test[:16]), _words()[:size])


def _words() -> list[str]:
    """Words of the handbook, to be labels."""
    words = {
        word
        for passage in load_task("handbook-qa").corpus
        for word in passage.text.lower().split()
        if word.isalpha() and len(word) > 6
    }
    return sorted(words)


def _demonstrations(setting: Setting, size: int) -> Callable[[], object]:
    task = load_task(_TASK)
    prompting = DemonstrationPrompting(count=size, selection="nearest")
    prompter = prompting.prepare(task.data(), load_embedder(), 0)
    return _score(setting, prompter.prompts(task.test[:8]), task.labels or ())


def _passages(setting: Setting, size: int) -> Callable[[], object]:
    texts = [
        item.input
        for name in ("ticket-triage", "release-json", "handbook-reply", "handbook-qa")
        for item in load_task(name).test
    ]
    corpus = tuple(Passage(id=f"p{n}", text=text) for n, text in enumerate(texts[:size]))
    task = load_task(_TASK)
    data = TaskData(instruction=task.instruction, train=(), validation=(), corpus=corpus)
    # Empty and kept as long as the work, so that every passage is embedded.
    cache = tempfile.TemporaryDirectory()
    embedder = Embedder(load_embedder().model, Path(cache.name))
    embedder.load()

    def work() -> object:
        with cache:
            return RetrievalPrompting().prepare(data, embedder, 0).prompts(task.test[:16])

    return work


AXES = {
    "items": Axis("items to score among 12 labels", 15, _items),
    "labels": Axis("labels to score for 16 items", 20, _labels),
    "demonstrations": Axis("nearest demonstrations in each of 8 prompts", 2, _demonstrations),
    "passages": Axis("passages to embed, index and search for 16 items", 60, _passages),
}


def grow(name: str, setting: Setting, folder: Path, say: Callable[[str], None]) -> Grown:
    """An axis at all its sizes; what an earlier call measured is not repeated."""
    file = folder / f"growth-{name}.json"
    if file.exists() and (known := read_record(file, Grown)).setting == setting:
        return known
    sizes = []
    for step in _STEPS:
        sizes.append(_measured(name, setting.model_copy(update={"items": AXES[name].base * step})))
        say(f"{name} {sizes[-1].size}: {sizes[-1].seconds:.2f} s")
    grown = Grown(axis=name, setting=setting, sizes=tuple(sizes))
    write_record(file, grown)
    return grown


def _measured(name: str, setting: Setting) -> Size:
    with tempfile.TemporaryDirectory() as folder:
        given, out = Path(folder) / "setting.json", Path(folder) / "size.json"
        write_record(given, setting)
        command = [sys.executable, "-m", "benchmarks.speed.growth", name, str(given), str(out)]
        subprocess.run(command, check=True, capture_output=True)
        return read_record(out, Size)


def main(arguments: Sequence[str]) -> None:
    """Measure one size of one axis in this process."""
    name, given, out = arguments
    setting = read_record(Path(given), Setting)
    set_threads(setting.threads, seed=0)
    work = AXES[name].prepare(setting, setting.items)
    start = time.perf_counter()
    work()
    seconds = time.perf_counter() - start
    found = Size(size=setting.items, seconds=seconds, peak_memory_bytes=peak_memory_bytes())
    write_record(Path(out), found)


if __name__ == "__main__":
    main(sys.argv[1:])
