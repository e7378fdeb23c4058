from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks.records import Arm
from benchmarks.runner import arms_of, refuse_if_nothing_runs, resume, run, why_refused
from benchmarks.store import Run, RunFolder, arm_folder, read_run
from strategies.errors import NotApplicableError, RunError
from strategies.method import registry
from tests.runner import material

BENCH = [sys.executable, str(Path(__file__).with_name("bench_process.py"))]


class Notes:
    """A watcher that remembers."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def started(self, arm: Arm, number: int, total: int) -> None:
        self.lines.append(f"{number}/{total} {arm.folder}")

    def noted(self, arm: Arm, text: str) -> None:
        self.lines.append(f"{arm.folder}: {text}")

    def advanced(self, arm: Arm, phase: str, done: int, total: int) -> None:
        self.lines.append(f"{phase} {done}/{total}")

    def ended(self, arm: Arm) -> None:
        self.lines.append(f"{arm.folder} {arm.status}")


def bench(folder: Path, store: Path, *methods: str, **changes: object) -> Run:
    run(material.resolve(material.plan(*methods)), folder, material.means(store, **changes))
    return read_run(folder)


def faulty(arm: str, fault: str) -> dict[str, str]:
    return {"PYTHONPATH": str(material.ROOT), "FAKE_FAULT": f"{arm}:{fault}"}


def answers(done: Run) -> dict[str, list[tuple[str, str]]]:
    """What a comparison sees of a run, timings aside."""
    return {
        result.arm.folder: [
            (result.arm.status, str(result.arm.scores)),
            ("validity", str(result.arm.format_validity)),
            *sorted((response.id, response.text) for response in result.responses),
            *sorted((response.id, response.text) for response in result.free),
            *((score.id, str(score.metrics)) for score in result.scores),
        ]
        for result in done.arms
    }


def test_what_a_worker_warns_of_reaches_the_user_and_what_libraries_say_the_log(
    tmp_path: Path,
) -> None:
    notes = Notes()
    done = bench(
        tmp_path / "run",
        tmp_path / "store",
        "zero-shot",
        variables=faulty("zero-shot-s0", "warn"),
        watcher=notes,
    )
    assert done.arms[0].arm.status == "finished"
    assert "zero-shot-s0: weights is damaged: made again" in notes.lines
    assert not [line for line in notes.lines if "library" in line]
    log = (arm_folder(done.path, "zero-shot-s0") / "log.txt").read_text()
    assert "weights is damaged: made again" in log
    assert "a library's remark" in log


# ---------------------------------------------------------------- what runs


def test_cheap_arms_come_first_and_shared_weights_follow_each_other() -> None:
    names = ("rag+lora", "full", "lora", "zero-shot", "icl-random", "rag")
    plan = material.plan(*names, floors=True)
    resolved = material.resolve(plan).__class__(
        plan=plan,
        task=material.task(corpus=True),
        setting=material.setting(),
        environment=material.environment(),
    )
    assert [arm.name for arm in arms_of(resolved)] == [
        "majority",
        "tfidf-lr",
        "nearest-answer",
        "zero-shot",
        "icl-random",
        "rag",
        "lora",
        "rag+lora",
        "full",
    ]


def test_what_draws_nothing_runs_at_the_first_seed_only() -> None:
    resolved = material.resolve(material.plan("icl-random", "lora", floors=True, seeds=(4, 5)))
    folders = [arm.folder for arm in arms_of(resolved)]
    assert folders.count("lora-s4") == folders.count("lora-s5") == 1
    assert folders.count("icl-random-s4") == folders.count("icl-random-s5") == 1
    assert [name for name in folders if name.startswith("majority")] == ["majority-s4"]


def test_a_method_without_its_needs_is_refused_with_a_reason(tmp_path: Path) -> None:
    done = bench(tmp_path / "run", tmp_path / "store", "zero-shot", "rag")
    arms = {result.arm.name: result.arm for result in done.arms}
    assert arms["rag"].status == "refused"
    assert "a corpus to retrieve from" in arms["rag"].reason
    assert arms["zero-shot"].status == "finished"


def test_a_plan_of_which_nothing_can_run_is_refused_before_it_starts() -> None:
    with pytest.raises(NotApplicableError, match=r"rag: needs .*\n.*raft: needs"):
        refuse_if_nothing_runs(material.plan("rag", "raft"), material.task())
    assert why_refused(registry().method("rag"), material.task(corpus=True)) == ""


# ---------------------------------------------------------------- a run


def test_a_run_leaves_answers_scores_and_costs(tmp_path: Path) -> None:
    notes = Notes()
    done = bench(tmp_path / "run", tmp_path / "store", "zero-shot", "lora", watcher=notes)
    assert [result.arm.status for result in done.arms] == ["finished", "finished"]
    zero_shot = done.arms[0]
    # Items 0 to 11: right where the number divides by 3 (0, 3, 6, 9) and where the first
    # choice happens to be right (even numbers): 0 2 3 4 6 8 9 10.
    assert zero_shot.arm.scores == {"accuracy": pytest.approx(8 / 12)}
    assert sum(score.metrics["accuracy"] or 0 for score in zero_shot.scores) == 8
    # Free answers are a label for the four right ones alone.
    assert zero_shot.arm.format_validity == pytest.approx(4 / 12)
    assert len(zero_shot.responses) == len(zero_shot.free) == 12
    assert [response.id for response in zero_shot.latency] == ["test-0", "test-1"]
    cost = zero_shot.arm.cost
    assert cost.answer_seconds == pytest.approx(12 * 0.5)
    assert cost.items_per_second == pytest.approx(2.0)
    assert cost.prompt_tokens == 7
    assert cost.train_seconds == 3.0
    assert (cost.peak_memory_bytes or 0) > 10 * 2**20
    assert "1/2 zero-shot-s0" in notes.lines
    assert "answering 12/12" in notes.lines
    assert notes.lines[-1] == "lora-s0 finished"


def test_what_libraries_print_goes_to_the_log(tmp_path: Path) -> None:
    bench(tmp_path / "run", tmp_path / "store", "zero-shot")
    log = (tmp_path / "run" / "arms" / "zero-shot-s0" / "log.txt").read_text()
    assert "a library prints to standard output" in log


def test_a_folder_with_a_run_is_not_overwritten(tmp_path: Path) -> None:
    bench(tmp_path / "run", tmp_path / "store", "zero-shot")
    with pytest.raises(RunError, match="advisor bench --resume"):
        bench(tmp_path / "run", tmp_path / "store", "zero-shot")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("mine")
    with pytest.raises(RunError, match=r"thesis\.txt"):
        bench(tmp_path / "mine", tmp_path / "store", "zero-shot")


def test_two_writers_of_one_run_are_kept_apart(tmp_path: Path) -> None:
    bench(tmp_path / "run", tmp_path / "store", "zero-shot")
    with (
        RunFolder.open(tmp_path / "run"),
        pytest.raises(RunError, match=f"process {os.getpid()}"),
    ):
        resume(tmp_path / "run", material.means(tmp_path / "store"))
    assert read_run(tmp_path / "run").arms[0].arm.status == "finished"


def test_what_is_no_run_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"no run\.json"):
        read_run(tmp_path)
    with pytest.raises(RunError, match=r"no run\.json"):
        resume(tmp_path / "none", material.means(tmp_path / "store"))


# ---------------------------------------------------------------- failures


@pytest.mark.parametrize(
    ("fault", "status", "kind", "message"),
    [
        ("kill", "failed", "killed", "SIGKILL, as the system does when memory runs out"),
        ("exit", "failed", "crashed", "exit code 7"),
        ("memory", "failed", "out-of-memory", "9 GiB wanted"),
        ("fire", "failed", "RuntimeError", "fire happened"),
    ],
)
def test_a_failing_worker_fails_its_arm_alone(
    tmp_path: Path, fault: str, status: str, kind: str, message: str
) -> None:
    variables = faulty("zero-shot-s0", fault)
    done = bench(tmp_path / "run", tmp_path / "store", variables=variables)
    first, second = done.arms
    assert (first.arm.status, second.arm.status) == (status, "finished")
    assert first.arm.failure is not None
    assert first.arm.failure.kind == kind
    assert message in first.arm.failure.message
    assert len(first.responses) == 3


@pytest.mark.parametrize(("fault", "times"), [("none", 1), ("kill", 1), ("orphan", 2)])
def test_libraries_are_imported_once_unless_the_process_that_holds_them_dies(
    tmp_path: Path, fault: str, times: int
) -> None:
    note = tmp_path / "preloaded.txt"
    variables = {**faulty("zero-shot-s0", fault), "FAKE_PRELOADED": str(note)}
    if fault == "none":
        del variables["FAKE_FAULT"]
    done = bench(tmp_path / "run", tmp_path / "store", variables=variables)
    assert len(note.read_text().split()) == times
    assert done.arms[1].arm.status == "finished"
    # A worker whose parent was killed ends at once, so that none is left that nobody watches.
    assert (done.arms[0].arm.status == "failed") == (fault != "none")


def test_a_method_that_refuses_while_it_works_is_refused(tmp_path: Path) -> None:
    variables = faulty("lora-s0", "refuse")
    done = bench(tmp_path / "run", tmp_path / "store", "lora", variables=variables)
    assert done.arms[0].arm.status == "refused"
    assert done.arms[0].arm.reason == "this task is not for it"


def test_resume_does_what_failed_and_repeats_no_finished_arm(tmp_path: Path) -> None:
    note = tmp_path / "prepared.txt"
    variables = {**faulty("lora-s0", "kill"), "FAKE_PREPARED": str(note)}
    bench(tmp_path / "run", tmp_path / "store", variables=variables)
    del variables["FAKE_FAULT"]
    resume(tmp_path / "run", material.means(tmp_path / "store", variables=variables))
    undisturbed = bench(tmp_path / "other", tmp_path / "store-2")
    assert answers(read_run(tmp_path / "run")) == answers(undisturbed)
    assert note.read_text().split() == ["zero-shot-s0", "lora-s0", "lora-s0"]
    # The three answers given before the kill were kept as they were, not asked again.
    lines = (tmp_path / "run" / "arms" / "lora-s0" / "responses.jsonl").read_text().splitlines()
    assert len(lines) == 12


def test_a_damaged_line_of_a_finished_arm_is_answered_again(tmp_path: Path) -> None:
    before = bench(tmp_path / "run", tmp_path / "store", "zero-shot")
    path = tmp_path / "run" / "arms" / "zero-shot-s0" / "responses.jsonl"
    lines = path.read_bytes().split(b"\n")
    lines[4] = lines[4][:9]
    path.write_bytes(b"\n".join(lines))
    with pytest.raises(RunError, match="line 5"):
        read_run(tmp_path / "run")
    resume(tmp_path / "run", material.means(tmp_path / "store"))
    assert answers(read_run(tmp_path / "run")) == answers(before)


def test_a_run_cannot_be_resumed_with_another_model_or_library(tmp_path: Path) -> None:
    bench(tmp_path / "run", tmp_path / "store", "zero-shot")

    def other(plan):
        found = material.resolve(plan)
        setting = material.setting(model_sha256="9" * 64)
        environment = found.environment.model_copy(update={"libraries": {"torch": "2.14.0"}})
        return type(found)(found.plan, found.task, setting, environment)

    means = material.means(tmp_path / "store", resolver=other)
    changed = f"begun:\n  model: {'1' * 64} -> {'9' * 64}\n  torch: 2.13.0 -> 2.14.0\n"
    with pytest.raises(RunError, match=changed):
        resume(tmp_path / "run", means)


def test_a_run_whose_plan_was_edited_cannot_be_resumed(tmp_path: Path) -> None:
    bench(tmp_path / "run", tmp_path / "store", "zero-shot")
    path = tmp_path / "run" / "plan.yaml"
    path.write_text(path.read_text().replace("latency_items: 2", "latency_items: 3"))
    with pytest.raises(RunError, match=r"plan\.yaml: .*\n.*advisor bench .*--out"):
        resume(tmp_path / "run", material.means(tmp_path / "store"))


def test_a_run_of_code_that_answers_otherwise_cannot_be_resumed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench(tmp_path / "run", tmp_path / "store", "zero-shot")
    monkeypatch.setattr("benchmarks.fingerprint.INFERENCE_VERSION", 99)
    with pytest.raises(RunError, match="zero-shot-s0: this version trains, answers or scores"):
        resume(tmp_path / "run", material.means(tmp_path / "store"))


# ---------------------------------------------------------------- budget and reuse


def test_arms_beyond_the_budget_are_skipped_and_can_be_resumed(tmp_path: Path) -> None:
    resolved = material.resolve(material.plan(budget_minutes=1e-9))
    run(resolved, tmp_path / "run", material.means(tmp_path / "store"))
    arms = [result.arm for result in read_run(tmp_path / "run").arms]
    assert {arm.status for arm in arms} == {"skipped"}
    assert "budget of 1e-09 minutes" in arms[0].reason
    resume(tmp_path / "run", material.means(tmp_path / "store"), budget_minutes=60)
    assert {r.arm.status for r in read_run(tmp_path / "run").arms} == {"finished"}


def test_answers_are_reused_across_runs_with_the_cost_they_once_had(tmp_path: Path) -> None:
    first = bench(tmp_path / "one", tmp_path / "store")
    nobody = {"worker": (sys.executable, "-c", "raise SystemExit(9)")}
    second = bench(tmp_path / "two", tmp_path / "store", **nobody)
    assert answers(second) == answers(first)
    for before, after in zip(first.arms, second.arms, strict=True):
        assert after.arm.cost == before.arm.cost
        assert after.arm.reused == ("answers",)
        assert after.latency == before.latency


def test_other_accepted_answers_are_scored_without_answering_again(tmp_path: Path) -> None:
    first = bench(tmp_path / "one", tmp_path / "store", "zero-shot")
    note = tmp_path / "prepared.txt"
    resolved = material.resolve(material.plan("zero-shot"))
    task = resolved.task.model_copy(update={"sha256": "f" * 64})
    changed = type(resolved)(resolved.plan, task, resolved.setting, resolved.environment)
    variables = {
        "PYTHONPATH": str(material.ROOT),
        "FAKE_PREPARED": str(note),
        "FAKE_TASK_SHA256": task.sha256,
    }
    run(changed, tmp_path / "two", material.means(tmp_path / "store", variables=variables))
    second = read_run(tmp_path / "two")
    assert not note.exists()
    assert answers(second) == answers(first)
    assert second.arms[0].arm.fingerprint != first.arms[0].arm.fingerprint
    assert second.arms[0].arm.cost == first.arms[0].arm.cost


def test_a_damaged_store_is_not_believed(tmp_path: Path) -> None:
    first = bench(tmp_path / "one", tmp_path / "store", "zero-shot")
    (stored,) = (tmp_path / "store" / "answers").glob("*/responses.jsonl")
    stored.write_text(stored.read_text().replace("billing", "delivery"))
    second = bench(tmp_path / "two", tmp_path / "store", "zero-shot")
    assert answers(second) == answers(first)
    assert second.arms[0].arm.reused == ()


# ---------------------------------------------------------------- kill -9 and Ctrl-C


def start(folder: Path, store: Path) -> subprocess.Popen[bytes]:
    variables = {
        **os.environ,
        "PYTHONPATH": str(material.ROOT),
        "FAKE_PAUSE_SECONDS": "0.02",
    }
    return subprocess.Popen([*BENCH, str(folder), str(store)], env=variables)


def finish(folder: Path, store: Path) -> Run:
    assert start(folder, store).wait(60) == 0
    return read_run(folder)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
def test_kill_9_at_a_random_moment_loses_no_finished_answer(tmp_path: Path, seed: int) -> None:
    undisturbed = bench(tmp_path / "calm", tmp_path / "calm-store")
    folder, store = tmp_path / "run", tmp_path / "store"
    bench_process = start(folder, store)
    time.sleep(random.Random(seed).uniform(0.2, 3.5))
    bench_process.send_signal(signal.SIGKILL)
    bench_process.wait()
    kept = [path.read_bytes() for path in sorted(folder.glob("arms/*/responses.jsonl"))]
    done = finish(folder, store)
    assert answers(done) == answers(undisturbed)
    after = [path.read_bytes() for path in sorted(folder.glob("arms/*/responses.jsonl"))]
    for before in kept:
        whole = before[: before.rfind(b"\n") + 1]
        assert any(now.startswith(whole) for now in after)


def test_ctrl_c_stops_the_worker_and_leaves_a_run_to_resume(tmp_path: Path) -> None:
    folder, store = tmp_path / "run", tmp_path / "store"
    bench_process = start(folder, store)
    first = folder / "arms" / "zero-shot-s0" / "responses.jsonl"
    wait_until(lambda: first.exists() and first.read_bytes().count(b"\n") >= 2)
    bench_process.send_signal(signal.SIGINT)
    assert bench_process.wait(20) == 130
    given = first.read_bytes()
    time.sleep(0.2)
    assert first.read_bytes() == given, "the worker still writes"
    assert [r.arm.status for r in read_run(folder).arms] == ["pending", "pending"]
    undisturbed = bench(tmp_path / "calm", tmp_path / "calm-store")
    assert answers(finish(folder, store)) == answers(undisturbed)


def test_a_worker_ends_when_its_bench_is_killed(tmp_path: Path) -> None:
    folder, store = tmp_path / "run", tmp_path / "store"
    bench_process = start(folder, store)
    first = folder / "arms" / "zero-shot-s0" / "responses.jsonl"
    wait_until(lambda: first.exists() and first.read_bytes().count(b"\n") >= 1)
    bench_process.kill()
    bench_process.wait()
    time.sleep(0.3)
    given = first.read_bytes()
    time.sleep(0.3)
    assert first.read_bytes() == given
    assert given.count(b"\n") < 12


def wait_until(holds, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.01)


def test_a_task_that_changes_while_a_run_goes_on_fails_the_arms_that_see_it(tmp_path: Path) -> None:
    changed = {"PYTHONPATH": str(material.ROOT), "FAKE_TASK_SHA256": "1" * 64}
    found = bench(tmp_path / "run", tmp_path / "store", "zero-shot", variables=changed)
    failure = found.arms[0].arm.failure
    assert failure is not None and failure.kind == "user-error"
    assert "has changed since the run began" in failure.message


def test_a_task_that_can_no_longer_be_read_fails_the_arm_with_the_reason(tmp_path: Path) -> None:
    broken = {"PYTHONPATH": str(material.ROOT), "FAKE_ITEMS": "no number"}
    found = bench(tmp_path / "run", tmp_path / "store", "zero-shot", variables=broken)
    failure = found.arms[0].arm.failure
    assert failure is not None and failure.kind == "ValueError"
    assert "no number" in failure.message and "Traceback" in failure.traceback
