"""What a bench rests on is looked at before the first method runs."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from advisor.cli.app import app
from strategies.errors import DataError, ModelError, StorageError, UserError
from strategies.home import check_home, check_out, home

BENCH = ("bench", "ticket-triage", "--methods", "zero-shot", "--limit", "4")
EMBEDDER = "all-minilm-l6-v2"


@pytest.fixture
def broken_model(tiny_model: Path, tmp_path: Path) -> Path:
    folder = Path(shutil.copytree(tiny_model, tmp_path / "model"))
    (folder / "model.safetensors").write_bytes(b"cut")
    return folder


@pytest.mark.fault("the model of a bench, a probe or a look at it is damaged")
@pytest.mark.parametrize(
    "command",
    [
        (*BENCH, "--out", "run", "--model"),
        ("probe", "ticket-triage", "--out", "run", "--model"),
        ("models", "info"),
    ],
)
def test_a_command_ends_before_anything_runs_with_a_damaged_model(
    command: tuple[str, ...], broken_model: Path, tmp_path: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "advisor.cli.app", *command, str(broken_model)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )
    assert done.returncode == 4, done.stderr
    assert done.stderr.strip() == (  # the bar of a probe ends with an empty line
        f"{broken_model}/model.safetensors: the safetensors are damaged or not whole (header too "
        "small; it has 3 bytes). Copy or download it again."
    )
    assert not list(tmp_path.glob("run/arms")) + list(tmp_path.glob("run/probe.json"))


def test_a_task_a_model_and_an_embedder_that_cannot_be_used_are_told_together(
    broken_model: Path, tmp_path: Path
) -> None:
    from benchmarks.plan import Plan
    from benchmarks.runner import resolve
    from strategies.method import registry

    plan = Plan(
        task=str(tmp_path / "nowhere"),
        model=str(broken_model),
        embedder="./nothing",
        methods=(registry().method("zero-shot"),),
    )
    with pytest.raises(DataError) as refused:
        resolve(plan)
    task, model, embedder = str(refused.value).splitlines()
    assert "nowhere' is neither a known task nor a folder" in task
    assert model.startswith(f"{broken_model}/model.safetensors: ")
    assert embedder.startswith("Model ./nothing: there is no such folder")


def test_an_unknown_method_is_told_with_a_task_and_a_model_that_are_nowhere() -> None:
    arguments = ["bench", "no-task", "--methods", "magic", "--model", "./nowhere"]
    error = CliRunner().invoke(app, arguments).exception
    assert isinstance(error, UserError)
    assert error.exit_code == 2
    method, task, model = str(error).splitlines()
    assert method.startswith("--methods magic: magic is unknown")
    assert task.startswith("Task 'no-task' is neither")
    assert model.startswith("Model ./nowhere: there is no such folder")


# ---------------------------------------------------------------- the home


def _home(monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    monkeypatch.setenv("ADVISOR_HOME", path)


@pytest.mark.fault("ADVISOR_HOME is a file, lies below one, or cannot be made")
@pytest.mark.parametrize(
    ("place", "why"),
    [
        ("file", "a file is in its place"),
        ("file/below", "a file is in its place"),
        ("~nobody-of-that-name/x", "Could not determine home directory"),
        ("/proc/advisor", "No such file or directory"),
    ],
)
def test_a_home_that_cannot_be_made_is_one_message(
    place: str, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.chdir(tmp_path)
    _home(monkeypatch, place)
    for command in (("models", "list"), BENCH):
        error = CliRunner().invoke(app, list(command)).exception
        assert isinstance(error, StorageError)
        assert error.exit_code == 6
        assert str(error).startswith(f"ADVISOR_HOME is {place}, where models and results are kept")
        assert why in str(error)
        assert "set ADVISOR_HOME to another folder" in str(error)


@pytest.mark.fault("a file lies in the place of a folder of ADVISOR_HOME")
@pytest.mark.parametrize("name", ["models", "digests", "artifacts", "downloads"])
def test_a_file_in_the_home_in_place_of_a_folder_is_named(name: str) -> None:
    (home() / name).touch()
    with pytest.raises(StorageError, match=f"{home() / name} is not a folder"):
        check_home()


@pytest.mark.fault("the disk of ADVISOR_HOME or of --out is full, read-only or closed")
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EDQUOT])
def test_a_home_or_a_run_folder_that_cannot_be_written_is_told_before_a_bench(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(**_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("strategies.home.tempfile.TemporaryFile", fails)
    with pytest.raises(StorageError, match=os.strerror(number)):
        check_home()
    error = CliRunner().invoke(app, [*BENCH, "--out", str(tmp_path / "a" / "run")]).exception
    assert isinstance(error, StorageError)
    assert f"{tmp_path / 'a' / 'run'} cannot be written: {os.strerror(number)}" in str(error)
    assert "Nothing was run" in str(error)
    assert not (tmp_path / "a").exists()


def _no_room() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))


@pytest.mark.fault("the disk of ADVISOR_HOME is full")
def test_a_home_without_room_is_told_and_nothing_is_left_there(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from strategies.home import check_home; check_home()"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        preexec_fn=_no_room,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "StorageError: ADVISOR_HOME is" in done.stderr
    assert "its disk is full" in done.stderr
    assert list(home().iterdir()) == []


def test_a_home_is_made_with_its_parents_and_may_be_relative_or_unset(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    _home(monkeypatch, "not/yet/here")
    check_home()
    assert home() == tmp_path / "not" / "yet" / "here"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    _home(monkeypatch, "")
    assert home().is_relative_to(tmp_path / "cache")
    monkeypatch.delenv("ADVISOR_HOME")
    check_home()
    check_out(tmp_path / "runs" / "mine")
    assert not (tmp_path / "runs").exists()


def test_a_model_that_is_nowhere_ends_a_bench_before_its_folder_is_made(tmp_path: Path) -> None:
    arguments = [*BENCH, "--out", str(tmp_path / "run"), "--model", "./nowhere"]
    error = CliRunner().invoke(app, arguments).exception
    assert isinstance(error, ModelError)
    assert not (tmp_path / "run").exists()
