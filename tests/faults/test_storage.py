"""A disk that fills up ends in one message, and the run goes on when there is room again."""

from __future__ import annotations

import errno
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from advisor.cli import app
from benchmarks.store import read_run
from benchmarks.worker import failure_of
from strategies.errors import storage_trouble
from tests.runner import material
from tests.runner.test_runner import answers

BENCH = [sys.executable, "-m", "tests.runner.bench_process"]
ITEMS = {**os.environ, "FAKE_ITEMS": "60", "PYTHONPATH": str(material.ROOT)}


def _small_files() -> None:
    """No file may grow beyond some 25 answers, as on a disk that is nearly full."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (6_000, 6_000))


def _bench(folder: Path, store: Path, *, full: bool = False) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*BENCH, str(folder), str(store)],
        env=ITEMS,
        preexec_fn=_small_files if full else None,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.fault("the disk is full in the middle of a run")
@pytest.mark.slow
def test_a_run_on_a_full_disk_goes_on_when_there_is_room(tmp_path: Path) -> None:
    assert _bench(tmp_path / "whole", tmp_path / "store-a").returncode == 0
    _bench(tmp_path / "run", tmp_path / "store-b", full=True)
    stopped = read_run(tmp_path / "run")
    for result in stopped.arms:
        assert result.arm.failure is not None
        assert result.arm.failure.kind == "storage"
        assert "make room" in result.arm.failure.message
        # What was answered before is kept, and no answer is there in part.
        assert 10 < len(result.responses) < 60
    assert _bench(tmp_path / "run", tmp_path / "store-b").returncode == 0
    assert answers(read_run(tmp_path / "run")) == answers(read_run(tmp_path / "whole"))


@pytest.mark.fault("a file cannot be written: no room, a quota, a read-only disk")
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EDQUOT])
def test_trouble_with_the_disk_is_one_message_and_an_exit_code(
    number: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails() -> None:
        raise OSError(number, os.strerror(number), "runs/mine/run.json")

    monkeypatch.setattr(app, "app", fails)
    with pytest.raises(SystemExit) as ended:
        app.main()
    assert ended.value.code == 6
    said = capsys.readouterr().err
    assert said.startswith(f"runs/mine/run.json: {os.strerror(number)}. What was written before")
    assert said.count("\n") == 1


@pytest.mark.parametrize("number", [errno.ENAMETOOLONG, errno.ELOOP, errno.ENOTDIR, errno.EISDIR])
def test_a_name_that_no_file_can_have_is_one_message(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], number: int
) -> None:
    def fails() -> None:
        raise OSError(number, os.strerror(number), "x" * 5_000)

    monkeypatch.setattr(app, "app", fails)
    with pytest.raises(SystemExit) as ended:
        app.main()
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert said == f"{'x' * 60}…: {os.strerror(number)}. Give the name of another file or folder.\n"


def test_a_bug_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails() -> None:
        raise FileNotFoundError(errno.ENOENT, "No such file", "a.json")

    monkeypatch.setattr(app, "app", fails)
    with pytest.raises(FileNotFoundError):
        app.main()
    assert storage_trouble(FileNotFoundError(errno.ENOENT, "No such file")) is None
    assert failure_of(FileNotFoundError("a.json")).kind == "FileNotFoundError"
