"""Names and links in a stranger's run folder lead nowhere outside of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import TypeAdapter, ValidationError
from typer.testing import CliRunner

from advisor.cli.app import app
from benchmarks.places import FolderName
from benchmarks.runner import resume
from benchmarks.sharding import merge
from benchmarks.store import arm_folder, read_run
from strategies.checksums import sealed
from strategies.errors import RunError
from tests.runner import material
from tests.runner.test_runner import bench
from tests.runner.test_sharding import part

HOSTILE = [
    "",
    ".",
    "..",
    "../../x",
    "/etc/passwd",
    "a/b",
    "a\\b",
    "a\0b",
    "a\nb",
    "x" * 256,
    "é" * 128,
]
NAMES = ["zero-shot-s0", "rag+lora-s12", "a b", "日本", "..a", "x" * 255]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_that_leads_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(FolderName).validate_python(name)
    with pytest.raises(RunError, match="is no arm of"):
        arm_folder(tmp_path, name)


@pytest.mark.parametrize("name", NAMES)
def test_a_plain_name_is_kept(tmp_path: Path, name: str) -> None:
    assert TypeAdapter(FolderName).validate_python(name) == name
    assert arm_folder(tmp_path, name).parent == tmp_path / "arms"


def changed(file: Path, **changes: object) -> None:
    """Change a record as a stranger can, who knows how to write the checksum."""
    record = json.loads(file.read_text(encoding="utf-8"))
    del record["crc32"]
    file.write_text(sealed(json.dumps(record | changes)), encoding="utf-8")


@pytest.mark.parametrize("field", ["arms", "plan_arms"])
@pytest.mark.parametrize("name", HOSTILE)
def test_a_run_whose_arms_lead_elsewhere_is_not_merged(
    tmp_path: Path, field: str, name: str
) -> None:
    run = tmp_path / "part-1"
    part(run, 1, 1, "zero-shot", "icl-random")
    changed(run / "run.json", **{field: [name]})
    before = {path for path in tmp_path.rglob("*") if "part-1" not in path.parts}
    words = ["merge", str(run), "--out", str(tmp_path / "deep" / "whole")]
    error = CliRunner().invoke(app, words).exception
    assert isinstance(error, RunError)
    assert f"{field}." in str(error)
    after = {path for path in tmp_path.rglob("*") if "part-1" not in path.parts}
    assert after <= before | {tmp_path / "deep"}


def test_a_run_whose_id_leads_elsewhere_is_not_reproduced(tmp_path: Path) -> None:
    bench(tmp_path / "run", tmp_path / "store", "zero-shot")
    changed(tmp_path / "run" / "run.json", id="../../x")
    with pytest.raises(RunError, match=r"run\.json is damaged: id: "):
        read_run(tmp_path / "run")


def test_an_arm_file_of_another_arm_is_damaged(tmp_path: Path) -> None:
    bench(tmp_path / "run", tmp_path / "store", "zero-shot", "icl-random")
    changed(tmp_path / "run" / "arms" / "zero-shot-s0" / "arm.json", name="icl-random")
    with pytest.raises(RunError, match="it is of arm 'icl-random-s0'"):
        read_run(tmp_path / "run")


LINKS = ["arms", "arms/zero-shot-s0", "arms/zero-shot-s0/log.txt", "lock", "recommendation.json"]


@pytest.mark.parametrize("place", LINKS)
def test_a_link_out_of_a_run_folder_is_neither_read_nor_written(tmp_path: Path, place: str) -> None:
    run, aside = tmp_path / "run", tmp_path / "aside"
    bench(run, tmp_path / "store", "zero-shot")
    if (run / place).exists():
        (run / place).rename(aside)
    else:
        aside.write_text("{}")
    (run / place).symlink_to(aside)
    before = aside.read_bytes() if aside.is_file() else None
    for read in (lambda: read_run(run), lambda: resume(run, material.means(tmp_path / "store"))):
        with pytest.raises(RunError, match=f"leads out of it: {place}"):
            read()
    assert before is None or aside.read_bytes() == before


def test_a_run_folder_behind_a_link_and_links_within_it_are_fine(tmp_path: Path) -> None:
    bench(tmp_path / "run", tmp_path / "store", "zero-shot")
    log = tmp_path / "run" / "arms" / "zero-shot-s0" / "log.txt"
    log.unlink(missing_ok=True)
    log.symlink_to("arm.json")
    (tmp_path / "linked").symlink_to(tmp_path / "run")
    assert read_run(tmp_path / "linked").manifest.arms == ("zero-shot-s0",)


def test_a_folder_with_a_backslash_is_not_made_a_run(tmp_path: Path) -> None:
    run = part(tmp_path / "part", 1, 1, "zero-shot")
    with pytest.raises(RunError, match=r"cannot be a run folder.*--out"):
        bench(tmp_path / "a\\b", tmp_path / "store", "zero-shot")
    with pytest.raises(RunError, match=r"cannot be a run folder.*--out"):
        merge([run], tmp_path / "a\\b")
