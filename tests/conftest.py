"""Every test has a home of its own, and none reaches the network."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

# Tiny models gain nothing from threads, and spinning ones slow each other down.
os.environ.setdefault("OMP_NUM_THREADS", "1")


def _share_cores(worker: int, workers: int) -> None:
    """Keep this worker of pytest-xdist, and all that it starts, to cores of its own.

    Two processes that compute on the same two cores, each with two threads, take several times
    as long as one after the other.
    """
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, cores[worker::workers] or cores)


if "PYTEST_XDIST_WORKER" in os.environ:
    _share_cores(
        int(os.environ["PYTEST_XDIST_WORKER"].removeprefix("gw")),
        int(os.environ["PYTEST_XDIST_WORKER_COUNT"]),
    )


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--fault-report FILE`` writes a table of the faults that were tried."""
    parser.addoption("--fault-report", type=Path, help="Markdown table of the faults tried")


class FaultReport:
    """Tells of every test that is marked with the fault it stages."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.faults: dict[str, str] = {}
        self.rows: list[tuple[str, str, str]] = []

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for item in items:
            marker = item.get_closest_marker("fault")
            if marker:
                self.faults[item.nodeid] = marker.args[0]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.nodeid in self.faults and (report.when == "call" or report.failed):
            name = report.nodeid.partition("::test_")[2].partition("[")[0].replace("_", " ")
            row = (self.faults[report.nodeid], name, report.outcome)
            if row not in self.rows:
                self.rows.append(row)

    def pytest_sessionfinish(self, exitstatus: int) -> None:
        if exitstatus == pytest.ExitCode.INTERRUPTED:
            return
        lines = [
            "# What was done to runs, and what came of it",
            "",
            "Made by `make faults`. Each line is a test that stages the fault and compares with "
            "an undisturbed run, or with the message and the exit code that are promised.",
            "",
            "| fault | what is held to | |",
            "|---|---|---|",
            *(f"| {fault} | {held} | {outcome} |" for fault, held, outcome in self.rows),
        ]
        self.path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def pytest_configure(config: pytest.Config) -> None:
    """Add the report where one is asked for."""
    path = config.getoption("--fault-report")
    if path:
        config.pluginmanager.register(FaultReport(path))


@pytest.fixture(autouse=True)
def _own_home(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.node.get_closest_marker("slow"):
        return
    tmp_path: Path = request.getfixturevalue("tmp_path")
    monkeypatch.setenv("ADVISOR_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a two-layer random chat model."""
    from tests.tiny import make_tiny_model

    return make_tiny_model(tmp_path_factory.mktemp("tiny-chat"))


@pytest.fixture(scope="session")
def plain_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same without a chat template."""
    from tests.tiny import make_tiny_model

    return make_tiny_model(tmp_path_factory.mktemp("tiny-plain"), chat=False)
