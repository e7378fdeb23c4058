"""A plan that is run in shards and merged is the same run."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from advisor.cli.app import app
from advisor.cli.bench import show_report
from benchmarks.comparison import compare
from benchmarks.drift import leader_of
from benchmarks.report import render
from benchmarks.runner import Origin, arms_of, resume, run
from benchmarks.sharding import Shard, in_shard, merge
from benchmarks.store import Run, read_run
from benchmarks.verification import verify
from strategies.errors import RunError, UserError
from tests.runner import material
from tests.runner.test_runner import answers, bench, faulty

METHODS = ("zero-shot", "icl-random", "lora", "full")


def part(folder: Path, number: int, of: int, *methods: str, **changes: object) -> Run:
    """One shard, with a store of its own, as another machine has it."""
    means = material.means(folder.with_name(f"{folder.name}-store"), **changes)
    origin = Origin(shard=Shard(number, of))
    run(material.resolve(material.plan(*(methods or METHODS))), folder, means, origin)
    return read_run(folder)


@pytest.mark.parametrize("of", [2, pytest.param(3, marks=pytest.mark.slow)])
def test_shards_that_are_merged_give_the_undisturbed_run(tmp_path: Path, of: int) -> None:
    whole = bench(tmp_path / "whole", tmp_path / "store", *METHODS)
    parts = [part(tmp_path / f"part-{n}", n, of) for n in range(1, of + 1)]
    merge(parts, tmp_path / "merged")
    merged = read_run(tmp_path / "merged")
    assert answers(merged) == answers(whole)
    assert merged.manifest.arms == whole.manifest.arms
    one, other = compare(whole), compare(merged)
    assert one.differences == other.differences
    assert [result.name for result in one.methods] == [result.name for result in other.methods]


def test_every_arm_is_in_one_shard_beside_those_that_share_its_weights() -> None:
    plan = material.plan("zero-shot", "lora", "full", "rag+lora", seeds=(0, 1))
    arms = arms_of(material.resolve(plan))
    shards = [in_shard(arms, plan, Shard(number, 3)) for number in (1, 2, 3)]
    assert sorted(arm.folder for shard in shards for arm in shard) == sorted(
        arm.folder for arm in arms
    )
    for seed in (0, 1):
        (place,) = [
            number
            for number, shard in enumerate(shards)
            if f"lora-s{seed}" in [arm.folder for arm in shard]
        ]
        if any(arm.folder == f"rag+lora-s{seed}" for arm in arms):
            assert f"rag+lora-s{seed}" in [arm.folder for arm in shards[place]]


def test_a_shard_without_an_arm_is_refused() -> None:
    plan = material.plan("zero-shot")
    with pytest.raises(UserError, match="1 parts, so shard 2/2 is empty"):
        in_shard(arms_of(material.resolve(plan)), plan, Shard(2, 2))


def test_a_shard_is_resumed_without_the_arms_of_others(tmp_path: Path) -> None:
    broken = part(tmp_path / "part", 1, 2, variables=faulty("zero-shot-s0", "kill"))
    assert [result.arm.status for result in broken.arms] == ["failed", "finished"]
    resume(tmp_path / "part", material.means(tmp_path / "part-store"))
    assert [r.arm.status for r in read_run(tmp_path / "part").arms] == ["finished"] * 2
    assert len(list((tmp_path / "part" / "arms").iterdir())) == 2


def test_the_report_of_a_shard_compares_nothing_and_says_so(tmp_path: Path) -> None:
    shard = part(tmp_path / "part", 1, 2)
    found = compare(shard)
    assert (found.leader, found.best_floor, found.differences) == (None, None, ())
    said = render(found, "md")["report.md"].decode()
    assert "A shard of a plan, in which nothing is compared" in said
    assert "it lacks icl-random-s0, full-s0" in said
    assert "scores highest" not in said
    for refuses in (leader_of, lambda run: verify([(run, None)], "", "")):
        with pytest.raises(RunError, match="part is a shard"):
            refuses(shard)


def test_a_shard_of_refused_methods_alone_is_done(tmp_path: Path) -> None:
    refused = part(tmp_path / "part", 2, 2, "zero-shot", "rag")
    assert [result.arm.status for result in refused.arms] == ["refused"]
    show_report(refused.path, Console(quiet=True))


def test_a_folder_with_hidden_files_of_others_is_not_merged_into(tmp_path: Path) -> None:
    parts = [part(tmp_path / f"part-{n}", n, 2) for n in (1, 2)]
    mine = tmp_path / "mine"
    (mine / ".git").mkdir(parents=True)
    with pytest.raises(RunError, match=r"holds other files \(\.git\)"):
        merge(parts, mine)
    assert [entry.name for entry in mine.iterdir()] == [".git"]
    (mine / ".git").rmdir()
    merge(parts, mine)
    assert len(read_run(mine).arms) == len(METHODS)


def test_a_merge_into_the_folder_where_one_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = [part(tmp_path / f"part-{n}", n, 2) for n in (1, 2)]
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    merge(parts, Path())
    assert read_run(tmp_path / "here").manifest.id == "here"


def test_what_cannot_be_merged_is_listed(tmp_path: Path) -> None:
    one, two = (part(tmp_path / f"part-{n}", n, 2) for n in (1, 2))
    other = part(tmp_path / "other", 2, 2, "zero-shot", "lora")
    with pytest.raises(RunError) as found:
        merge([one, other], tmp_path / "a")
    assert "other has another plan than part-1" in str(found.value)
    with pytest.raises(RunError, match="is in none of them"):
        merge([one], tmp_path / "b")
    with pytest.raises(RunError, match="is in part-1 and in part-1"):
        merge([one, one, two], tmp_path / "c")
    whole = bench(tmp_path / "whole", tmp_path / "store", *METHODS)
    with pytest.raises(RunError, match="run without --shard"):
        merge([whole], tmp_path / "d")
    assert not any((tmp_path / name).exists() for name in "abcd")
    with pytest.raises(RunError, match="holds a run already"):
        merge([one, two], tmp_path / "whole")


def test_a_merge_that_fails_half_way_leaves_nothing_and_can_be_called_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = [part(tmp_path / f"part-{n}", n, 2) for n in (1, 2)]
    copied: list[str] = []

    def fails(source: str, target: str) -> None:
        copied.append(source)
        if len(copied) == 7:
            raise OSError(errno.ENOSPC, "No space left on device")
        copy(source, target)

    copy = shutil.copyfile
    monkeypatch.setattr(shutil, "copyfile", fails)
    with pytest.raises(OSError, match="No space"):
        merge(parts, tmp_path / "merged")
    assert not (tmp_path / "merged").exists()
    monkeypatch.undo()
    merge(parts, tmp_path / "merged", "advisor merge part-1 part-2")
    merged = read_run(tmp_path / "merged")
    assert merged.manifest.command == "advisor merge part-1 part-2"
    assert all(result.arm.status == "finished" for result in merged.arms)


@pytest.mark.parametrize("wrong", ["0/2", "3/2", "2", "a/b", "1/0", "-1/2"])
def test_a_shard_that_is_none_is_explained(wrong: str) -> None:
    with pytest.raises(UserError, match="give which part of how many"):
        Shard.parse(wrong)


@pytest.mark.slow
def test_merging_on_the_command_line_writes_a_report(tmp_path: Path) -> None:
    folders = [str(part(tmp_path / f"part-{n}", n, 2).path) for n in (1, 2)]
    out = tmp_path / "merged"
    done = CliRunner().invoke(app, ["merge", *folders, "--out", str(out), "-q"])
    assert done.exit_code == 0, done.output
    assert done.stdout.strip() == str(out / "report.md")
    assert (out / "comparison.json").is_file()
