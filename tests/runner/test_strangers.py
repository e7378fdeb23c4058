"""Names and links in a stranger's run folder lead nowhere outside of it."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest
from pydantic import TypeAdapter, ValidationError
from typer.testing import CliRunner

from advisor.cli.app import app
from benchmarks import store
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


@pytest.mark.parametrize("place", ["plan.yaml", "arms/zero-shot-s0/scores.jsonl", "x"])
def test_a_pipe_in_a_run_folder_is_refused_and_not_waited_for(tmp_path: Path, place: str) -> None:
    run = tmp_path / "run"
    bench(run, tmp_path / "store", "zero-shot")
    (run / place).unlink(missing_ok=True)
    os.mkfifo(run / place)
    for read in (lambda: read_run(run), lambda: resume(run, material.means(tmp_path / "store"))):
        with pytest.raises(RunError, match=f"{place} is neither a file nor a folder"):
            read()


FILES = ["plan.yaml", "recommendation.json", "arms/zero-shot-s0/scores.jsonl"]


@pytest.mark.parametrize("place", [*FILES, "arms/zero-shot-s0/arm.json"])
def test_a_folder_in_the_place_of_a_file_of_a_run_is_named(tmp_path: Path, place: str) -> None:
    run = tmp_path / "run"
    bench(run, tmp_path / "store", "zero-shot")
    (run / place).unlink(missing_ok=True)
    (run / place).mkdir()
    with pytest.raises(RunError, match=f"{place}.* is a folder, and a file belongs there"):
        read_run(run)


@pytest.mark.parametrize("place", ["run.json", "arms/zero-shot-s0/responses.jsonl"])
def test_a_file_of_a_run_that_is_too_large_is_not_read(
    tmp_path: Path, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    bench(run, tmp_path / "store", "zero-shot")
    monkeypatch.setattr(store, "RECORD_LIMIT_BYTES", 50_000)
    monkeypatch.setattr(store, "LINES_LIMIT_BYTES", 50_000)
    os.truncate(run / place, 50_001)
    with pytest.raises(RunError, match=f"{place} is larger than 50,000 bytes"):
        read_run(run)


ATTEMPT = {
    "rate": 1e-4, "best_loss": 1.0, "metric": None, "spiked": False, "improved": True,
    "seconds": 1.0,
}  # fmt: skip


@pytest.mark.parametrize(
    ("training", "said"),
    [
        ({"attempts": []}, "training.attempts: is empty"),
        ({"attempts": [ATTEMPT], "kept": 1}, "kept is 1, and there are 1 attempts"),
        ({"attempts": [ATTEMPT], "kept": -1}, "training.kept: is -1"),
    ],
)
def test_a_training_that_kept_no_attempt_is_damaged(
    tmp_path: Path, training: dict[str, object], said: str
) -> None:
    bench(tmp_path / "run", tmp_path / "store", "zero-shot")
    changed(tmp_path / "run" / "arms" / "zero-shot-s0" / "arm.json", training=training)
    with pytest.raises(RunError, match=said):
        read_run(tmp_path / "run")


def test_a_score_beyond_all_measures_is_damaged(tmp_path: Path) -> None:
    run = tmp_path / "run"
    bench(run, tmp_path / "store", "zero-shot")
    scores = run / "arms" / "zero-shot-s0" / "scores.jsonl"
    first, *others = scores.read_text(encoding="utf-8").splitlines()
    line = json.loads(first)
    del line["crc32"]
    line["metrics"] = dict.fromkeys(line["metrics"], 1e308)
    scores.write_text("\n".join([sealed(json.dumps(line)), *others, ""]), encoding="utf-8")
    with pytest.raises(RunError, match=r"scores\.jsonl line 1: damaged"):
        read_run(run)


def test_a_run_that_lists_an_arm_twice_is_damaged(tmp_path: Path) -> None:
    bench(tmp_path / "run", tmp_path / "store", "zero-shot")
    changed(tmp_path / "run" / "run.json", arms=["zero-shot-s0", "zero-shot-s0"])
    with pytest.raises(RunError, match="arms are listed twice: zero-shot-s0"):
        read_run(tmp_path / "run")


def test_a_record_with_thousands_of_slips_is_refused_in_one_short_message(tmp_path: Path) -> None:
    bench(tmp_path / "run", tmp_path / "store", "zero-shot")
    point = {"step": 1, "epoch": "x"}
    changed(tmp_path / "run" / "arms" / "zero-shot-s0" / "arm.json", curve=[point] * 20_000)
    begun = time.monotonic()
    with pytest.raises(RunError, match="and 19,980 more problems") as caught:
        read_run(tmp_path / "run")
    assert time.monotonic() - begun < 20
    assert len(str(caught.value)) < 3_000


def test_a_number_too_long_to_be_written_is_refused(tmp_path: Path) -> None:
    bench(tmp_path / "run", tmp_path / "store", "zero-shot")
    arm = tmp_path / "run" / "arms" / "zero-shot-s0" / "arm.json"
    arm.write_text('{"seed": ' + "9" * 5_000 + "}", encoding="utf-8")
    with pytest.raises(RunError, match=r"arm\.json is damaged: .*no JSON"):
        read_run(tmp_path / "run")
