"""A flipped bit or a missing end of a run file is noticed, named, and costs what it hit alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.records import Arm, Response
from benchmarks.runner import resume
from benchmarks.store import Appender, read_lines, read_record, read_run, scan_lines, write_sealed
from strategies.checksums import sealed, unsealed
from strategies.errors import RunError
from tests.runner import material
from tests.runner.test_runner import answers, bench

ANSWER = Response(id="item-1", text="a “parcel”, late", prompt_tokens=7, seconds=0.25)


def test_a_checksum_is_the_last_field_and_comes_off_again() -> None:
    for text in ('{"a": 1, "b": "é"}', '{\n  "a": 1,\n  "b": {}\n}'):
        assert list(json.loads(sealed(text))) == ["a", "b", "crc32"]
        assert json.loads(unsealed(sealed(text).encode())) == json.loads(text)
    # Files of before there were checksums are read as they are.
    assert unsealed(b'{"a": 1}') == b'{"a": 1}'


@pytest.mark.fault("every single bit of an answer is flipped, one after the other")
def test_no_flipped_bit_changes_an_answer_unnoticed(tmp_path: Path) -> None:
    path = tmp_path / "responses.jsonl"
    with Appender(path, Response) as file:
        file.append(ANSWER)
    content = path.read_bytes()
    for place in range(8 * len(content)):
        flipped = bytearray(content)
        flipped[place // 8] ^= 1 << place % 8
        path.write_bytes(flipped)
        assert set(scan_lines(path, Response).records) <= {ANSWER}, place


@pytest.mark.fault("every single bit of a record is flipped, one after the other")
def test_no_flipped_bit_changes_a_record_unnoticed(tmp_path: Path) -> None:
    path, arm = tmp_path / "arm.json", Arm(name="lora", scores={"accuracy": 0.5})
    write_sealed(path, arm)
    content = path.read_bytes()
    for place in range(8 * len(content)):
        flipped = bytearray(content)
        flipped[place // 8] ^= 1 << place % 8
        path.write_bytes(flipped)
        try:
            found = read_record(path, Arm)
        except RunError as error:
            assert "arm.json is damaged" in str(error)
        else:
            assert found == arm, place


@pytest.mark.fault("a record is truncated")
def test_a_record_that_lost_its_end_is_named(tmp_path: Path) -> None:
    path, arm = tmp_path / "arm.json", Arm(name="lora")
    write_sealed(path, arm)
    content = path.read_bytes().rstrip()
    for end in range(len(content)):
        path.write_bytes(content[:end])
        with pytest.raises(RunError, match="is damaged"):
            read_record(path, Arm)


@pytest.mark.fault("a bit of an answer in a run is flipped")
def test_a_flipped_answer_is_named_and_answered_again(tmp_path: Path) -> None:
    whole = bench(tmp_path / "run", tmp_path / "store", "zero-shot", "lora")
    path = tmp_path / "run" / "arms" / "lora-s0" / "responses.jsonl"
    lines = path.read_bytes().split(b"\n")
    # Still JSON and still an answer, but another one.
    lines[4] = lines[4].replace(b'"seconds": 0.5', b'"seconds": 0.7')
    path.write_bytes(b"\n".join(lines))
    with pytest.raises(RunError, match="line 5: damaged, 11 other lines are good"):
        read_lines(path, Response)
    resume(tmp_path / "run", material.means(tmp_path / "store"))
    assert answers(read_run(tmp_path / "run")) == answers(whole)
    assert path.with_name("responses.jsonl.damaged").read_bytes() == lines[4] + b"\n"


@pytest.mark.fault("the record of an arm is damaged")
def test_a_damaged_arm_is_set_aside_and_keeps_its_answers(tmp_path: Path) -> None:
    whole = bench(tmp_path / "run", tmp_path / "store", "zero-shot", "lora")
    path = tmp_path / "run" / "arms" / "lora-s0" / "arm.json"
    path.write_bytes(path.read_bytes().replace(b'"status": "finished"', b'"status": "refused"'))
    with pytest.raises(RunError, match="its checksum does not fit"):
        read_run(tmp_path / "run")
    kept = path.with_name("responses.jsonl").read_bytes()
    resume(tmp_path / "run", material.means(tmp_path / "other-store"))
    again = read_run(tmp_path / "run")
    assert answers(again) == answers(whole)
    assert path.with_name("responses.jsonl").read_bytes() == kept
    assert path.with_name("arm.json.damaged").exists()


@pytest.mark.fault("the manifest of a run is damaged")
def test_a_damaged_manifest_ends_in_one_message(tmp_path: Path) -> None:
    bench(tmp_path / "run", tmp_path / "store", "zero-shot")
    path = tmp_path / "run" / "run.json"
    path.write_bytes(path.read_bytes().replace(b'"letters"', b'"lettres"'))
    for reader in (read_run, lambda run: resume(run, material.means(tmp_path / "store"))):
        with pytest.raises(RunError, match=r"run\.json is damaged: its checksum"):
            reader(tmp_path / "run")
