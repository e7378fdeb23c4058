"""A report is run again from its folder, with nothing reused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from advisor.cli.app import app
from benchmarks.store import read_run
from strategies.errors import RunError
from strategies.home import home, make_fresh_home


def advisor(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_report_comes_out_again_to_the_last_bit(
    tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ADVISOR_HOME", str(make_fresh_home(tmp_path / "home")))
    run = tmp_path / "run"
    bench = ("bench", "ticket-triage", "--methods", "zero-shot,lora", "--model", tiny_model)
    small = ("--limit", 12, "--train-limit", 16, "--epochs", 1, "--out", run, "-q")
    assert advisor(*bench, *small).exit_code == 0
    again = tmp_path / "again"
    done = advisor("reproduce", run / "report.md", "--out", again, "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert {number["verdict"] for number in found["numbers"]} == {"exact"}
    assert found["same_answers"] == found["answers"] > 0
    assert all(result.arm.reused == () for result in read_run(again).arms)
    assert "Every number came out again" in (again / "reproduction.md").read_text()
    # A number that does not come out again has an exit code of its own.
    scores = json.loads((run / "arms" / "zero-shot-s0" / "arm.json").read_text())
    del scores["crc32"]
    scores["scores"]["accuracy"] += 0.5
    (run / "arms" / "zero-shot-s0" / "arm.json").write_text(json.dumps(scores))
    assert advisor("reproduce", run, "--out", again).exit_code == 9
    # Where this version computes an arm in another way, a number may move within noise.
    scores["scores"]["accuracy"] -= 0.5
    right = scores["scores"]["accuracy"] * 12
    scores |= {"fingerprint": "0" * 64}
    scores["scores"]["accuracy"] = (right + 1) / 12
    (run / "arms" / "zero-shot-s0" / "arm.json").write_text(json.dumps(scores))
    moved = advisor("reproduce", run, "--out", again, "--json")
    assert moved.exit_code == 0, moved.output
    verdicts = {(n["arm"], n["what"]): n["verdict"] for n in json.loads(moved.stdout)["numbers"]}
    assert verdicts["zero-shot-s0", "accuracy"] == "within noise"
    # Nor is the run itself, or another bench, taken for a repetition.
    itself = advisor("reproduce", run, "--out", run)
    assert "is no repetition" in str(itself.exception)
    # Nor is the repetition of another run.
    other = tmp_path / "other"
    shutil.copytree(run, other)
    plan = (other / "plan.yaml").read_text()
    (other / "plan.yaml").write_text(plan.replace("test: 12", "test: 11"))
    mixed = advisor("reproduce", other, "--out", again)
    assert "repeats another run" in str(mixed.exception)
    # Without its model's weights as they were, there is nothing to reproduce.
    changed = tmp_path / "changed"
    shutil.copytree(run, changed)
    manifest = json.loads((changed / "run.json").read_text())
    del manifest["crc32"]
    (changed / "run.json").write_text(json.dumps({**manifest, "model_sha256": "0" * 64}))
    refused = advisor("reproduce", changed, "--out", tmp_path / "never")
    assert isinstance(refused.exception, RunError)
    assert "rests on what is no longer as it was" in str(refused.exception)


def test_a_fresh_home_has_the_models_and_nothing_else(tmp_path: Path) -> None:
    (home() / "artifacts").mkdir()
    fresh = make_fresh_home(tmp_path / "fresh")
    assert {entry.name for entry in fresh.iterdir()} == {"models", "digests"}
    assert (fresh / "models").resolve() == (home() / "models").resolve()
    assert make_fresh_home(fresh) == fresh
