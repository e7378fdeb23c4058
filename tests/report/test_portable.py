"""A report names no folder of the computer that it was written on."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.comparison import compare, compare_runs
from benchmarks.portable import portable_command, without_folders
from benchmarks.records import Cost, Failure, Response
from benchmarks.report import render
from benchmarks.runner import Origin, run
from benchmarks.store import (
    Appender,
    ArtifactStore,
    Lock,
    Run,
    read_run,
    write_atomic,
)
from tests.runner import material


@pytest.fixture
def told(tmp_path: Path) -> Run:
    """A run all of whose records tell where it was made."""
    plan = material.plan("zero-shot", "icl-random").model_copy(
        update={"model": str(tmp_path / "models" / "tiny.gguf")}
    )
    origin = Origin(
        command=f"advisor bench {tmp_path}/plan.yaml --out={tmp_path}/run",
        recommendation=f'{{"answers": {{"model": "{tmp_path}/models/tiny.gguf"}}}}',
    )
    run(material.resolve(plan), tmp_path / "run", material.means(tmp_path / "store"), origin)
    found = read_run(tmp_path / "run")
    first, *others = found.arms
    failure = Failure(
        kind="storage", message=f"{tmp_path}/run/arms: no room left; see '{tmp_path}'"
    )
    failed = first.arm.model_copy(update={"status": "failed", "failure": failure})
    task = found.manifest.task.model_copy(
        update={"id": f"lm-eval:{tmp_path}/t.yaml", "source": f"lm-eval, {tmp_path}/data"}
    )
    manifest = found.manifest.model_copy(update={"task": task})
    return replace(found, manifest=manifest, arms=(replace(first, arm=failed), *others))


@pytest.mark.parametrize("form", ["md", "html", "json"])
def test_a_report_holds_no_absolute_path(tmp_path: Path, told: Run, form: str) -> None:
    text = b"".join(render(compare(told), form).values()).decode()
    assert str(tmp_path) not in text
    for kept in ("tiny.gguf", "lm-eval:t.yaml", "plan.yaml", "no room left"):
        assert kept in text


def test_a_comparison_of_runs_holds_no_absolute_path(tmp_path: Path, told: Run) -> None:
    other = told.manifest.model_copy(update={"model": str(tmp_path / "models" / "other.gguf")})
    found = compare_runs(told, replace(told, manifest=other))
    assert str(tmp_path) not in found.model_dump_json()
    assert "other.gguf" in found.model_dump_json()


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("/home/me/models/tiny holds no config.json", "tiny holds no config.json"),
        ("see '/home/My User/a b'.", "see 'a b'."),
        ("file:///home/me/a.txt (/home/me/b.txt)", "a.txt (b.txt)"),
        ("https://a.example/b/c, 1/2, and/or, a/b/c, ../x/y, ./x/y, ~/x/y", None),
    ],
)
def test_the_last_part_of_an_absolute_path_stands_for_it(text: str, shown: str | None) -> None:
    assert without_folders(text) == (text if shown is None else shown)


def test_a_command_can_be_typed_elsewhere() -> None:
    words = ["advisor", "bench", "/w/plans/p.yaml", "--out=/other/run", "--model", "/m/x y"]
    shown = "advisor bench plans/p.yaml --out=run --model 'x y'"
    assert portable_command(words, Path("/w")) == shown


# ---------------------------------------------------------------- rights of files


def _appended(folder: Path) -> Path:
    with Appender(folder / "lines.jsonl", Response) as file:
        file.append(Response(id="a", text="b"))
    return folder / "lines.jsonl"


def _written(folder: Path) -> Path:
    write_atomic(folder / "record.json", "{}")
    return folder / "record.json"


def _locked(folder: Path) -> Path:
    Lock(folder / "lock").release()
    return folder / "lock"


def _published(folder: Path) -> Path:
    made = ArtifactStore(folder).obtain("answers", "0" * 64, lambda draft: Cost())
    return made.path / "manifest.json"


def _published_folder(folder: Path) -> Path:
    return _published(folder).parent


@pytest.mark.parametrize("umask", [0o077, 0o022, 0o002])
@pytest.mark.parametrize("make", [_appended, _written, _locked, _published, _published_folder])
def test_what_is_written_honours_the_umask(
    tmp_path: Path, make: Callable[[Path], Path], umask: int
) -> None:
    before = os.umask(umask)
    try:
        made = make(tmp_path)
    finally:
        os.umask(before)
    usual = 0o777 if made.is_dir() else 0o666
    assert made.stat().st_mode & 0o777 == usual & ~umask
