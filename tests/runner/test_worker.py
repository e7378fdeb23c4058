from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.environment import (
    FURTHER_LIBRARIES,
    LIBRARIES,
    allowed_cores,
    changes,
    collect,
    peak_memory_bytes,
)
from benchmarks.records import Response
from benchmarks.tasks.task import Item
from benchmarks.worker import failure_of, format_validity, percentile, recall_at_k
from strategies.errors import ModelError
from tests.runner import material


def asked(name: str, *gold: str) -> Item:
    return Item(id=name, input="?", outputs=("a",), passages=gold)


def shown(name: str, *passages: str) -> Response:
    return Response(id=name, text="a", passages=passages)


@pytest.mark.parametrize("count", [1, 2, 3, 20, 21])
@pytest.mark.parametrize("share", [0, 50, 95, 100])
def test_percentiles_agree_with_numpy(count: int, share: float) -> None:
    values = np.random.default_rng(count).exponential(size=count)
    assert percentile(list(values), share) == pytest.approx(np.percentile(values, share))


def test_a_percentile_of_nothing_is_undefined() -> None:
    assert percentile([], 50) is None


def test_recall_counts_a_chunk_of_a_gold_document_or_section() -> None:
    items = [
        asked("1", "book#pay"),
        asked("2", "book"),
        asked("3", "book#pay"),
        asked("4", "para7"),
        asked("5"),
    ]
    responses = [
        shown("1", "other#x/0", "book#pay/2"),
        shown("2", "book#ship/0"),
        shown("3", "book#payroll/0", "bookshop#pay/0"),
        shown("4", "para71/0", "para7/0"),
        shown("5", "book#pay/0"),
    ]
    assert recall_at_k(items, responses) == pytest.approx(3 / 4)


def test_recall_is_undefined_where_nothing_was_shown() -> None:
    assert recall_at_k([asked("1", "book")], [shown("1")]) is None
    assert recall_at_k([asked("1")], [shown("1", "book/0")]) is None


def test_format_validity_is_the_share_of_exact_choices() -> None:
    task = material.task(4)
    texts = [" billing\n", "delivery", "It is billing", "Billing"]
    free = [Response(id=f"test-{n}", text=text) for n, text in enumerate(texts)]
    assert format_validity(task, free, ()) == pytest.approx(2 / 4)
    assert format_validity(task, (), free) is None


def test_format_validity_of_an_extraction_is_valid_json() -> None:
    task = material.task(3).model_copy(update={"kind": "extraction"})
    texts = ['{"a": 1}', "{'a': 1}", "none"]
    answers = [Response(id=f"test-{n}", text=text) for n, text in enumerate(texts)]
    assert format_validity(task, (), answers) == pytest.approx(1 / 3)


def test_a_failure_keeps_its_kind_and_its_traceback() -> None:
    try:
        raise KeyError("colour")
    except KeyError as error:
        failure = failure_of(error)
    assert failure.kind == "KeyError"
    assert "colour" in failure.message
    assert "test_worker.py" in failure.traceback
    assert failure_of(MemoryError()).kind == "out-of-memory"
    assert failure_of(ModelError("no such model")).kind == "user-error"


def test_the_environment_names_the_machine() -> None:
    found = collect("fp32", threads=3)
    assert (found.precision, found.threads) == ("fp32", 3)
    assert found.cpu
    assert found.memory_bytes > 2**20
    assert 1 <= found.cores == allowed_cores()
    assert set(found.libraries) <= {*LIBRARIES, *FURTHER_LIBRARIES}
    assert found.libraries["torch"]


def test_a_change_names_what_differs_alone() -> None:
    then = {"torch": "2.13.0", "scipy": "1.17.1", "GPU": None}
    assert changes(then, then) == []
    now = {"torch": "2.14.0", "GPU": None, "ray": "2.50.0"}
    assert changes(then, now) == [
        "torch: 2.13.0 -> 2.14.0",
        "scipy: 1.17.1 -> None",
        "ray: None -> 2.50.0",
    ]


def test_peak_memory_is_in_bytes() -> None:
    """The same figure as VmHWM, which Linux counts in KiB (proc(5))."""
    status = Path("/proc/self/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    high_water = int(line.split()[1]) * 1024
    assert peak_memory_bytes() == pytest.approx(high_water, rel=0.05)
