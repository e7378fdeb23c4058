"""One plan on several machines: each runs a shard of it, and the shards are merged into one run."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.plan import Plan
from benchmarks.records import Arm, RunManifest
from benchmarks.store import (
    Run,
    RunFolder,
    arm_folder,
    keep_inputs,
    recommendation_text,
    recorded_inputs,
    refuse_other_content,
)
from strategies.errors import RunError, UserError

_COPIED = ("arm.json", "responses.jsonl", "free.jsonl", "latency.jsonl", "scores.jsonl", "log.txt")


@dataclass(frozen=True)
class Shard:
    """One of so many parts of a plan.

    Attributes:
        number: which, from 1.
        of: how many there are.
    """

    number: int
    of: int

    @classmethod
    def parse(cls, text: str) -> Shard:
        """The shard that a text such as ``2/3`` names.

        Raises:
            UserError: it names none.
        """
        number, _, of = text.partition("/")
        if not (number.isdecimal() and of.isdecimal() and 1 <= int(number) <= int(of)):
            raise UserError(f"--shard {text}: give which part of how many, such as 2/3")
        return cls(int(number), int(of))


def in_shard(arms: Sequence[Arm], plan: Plan, shard: Shard) -> tuple[Arm, ...]:
    """The arms of a shard, in their order; those that share trained weights stay together.

    Raises:
        UserError: there are fewer parts than shards, and this one would be empty.
    """
    parts = parts_of(arms, plan)
    mine = [arm for part in parts[shard.number - 1 :: shard.of] for arm in part]
    if not mine:
        raise UserError(
            f"The plan has {len(parts)} parts, so shard {shard.number}/{shard.of} is empty. "
            f"Use no more than {len(parts)} shards."
        )
    return tuple(arm for arm in arms if arm in mine)


def parts_of(arms: Sequence[Arm], plan: Plan) -> list[tuple[Arm, ...]]:
    """The arms that can be done apart from each other; those that share weights stay together."""
    trained = {
        method.name: method.weights.model_dump_json() for method in plan.methods if method.trains
    }
    parts: dict[tuple[str, int], list[Arm]] = {}
    for arm in arms:
        parts.setdefault((trained.get(arm.name, arm.name), arm.seed), []).append(arm)
    return [tuple(part) for part in parts.values()]


def refuse_shard(run: Run) -> None:
    """Check that a run holds all that its plan asks for.

    Raises:
        RunError: it is a shard.
    """
    if run.manifest.plan_arms:
        raise RunError(f"{run.manifest.id} is a shard. Merge the shards: advisor merge RUN...")


def merge(shards: Sequence[Run], folder: Path, command: str = "") -> None:
    """One run folder with the arms of all shards of a plan, as if one machine had run them.

    It appears whole or not at all.

    Args:
        shards: finished or not; an arm that is pending can be gone on with in the merged run.
        folder: does not exist yet or is empty.
        command: that merges them, for the report.

    Raises:
        RunError: the runs are no shards of one plan, have an arm twice, or leave arms out, each of
            which is listed; or the folder holds something.
    """
    manifests = [run.manifest for run in shards]
    problems = [*_differences(manifests), *_repeated(manifests), *_missing(manifests)]
    if problems:
        raise RunError("These runs cannot be merged:\n" + "\n".join(f"  {p}" for p in problems))
    folder = folder.resolve()
    # It is replaced, so nothing of anybody else's may be in it.
    refuse_other_content(folder, hidden=False)
    draft = folder.with_name(f".{folder.name}.merging")
    shutil.rmtree(draft, ignore_errors=True)
    manifest = _merged(manifests, folder, command)
    advice = next(filter(None, (recommendation_text(run.path) for run in shards)), None)
    with RunFolder.create(draft, shards[0].plan, manifest, advice):
        for run in shards:
            for name in run.manifest.arms:
                _copy(arm_folder(run.path, name), arm_folder(draft, name))
        inputs = next(filter(None, (recorded_inputs(run.path) for run in shards)), None)
        if inputs:
            keep_inputs(draft, inputs)
    shutil.rmtree(folder, ignore_errors=True)
    draft.replace(folder)


def _merged(manifests: Sequence[RunManifest], folder: Path, command: str) -> RunManifest:
    """What is said of the whole; machines and commits that differ are all named."""
    first = manifests[0]
    processors = dict.fromkeys(manifest.environment.cpu for manifest in manifests)
    commits = dict.fromkeys(manifest.commit for manifest in manifests if manifest.commit)
    return first.model_copy(
        update={
            "id": folder.name,
            "arms": first.plan_arms,
            "plan_arms": (),
            "command": command,
            "commit": " and ".join(commits) or None,
            "environment": first.environment.model_copy(update={"cpu": " and ".join(processors)}),
        }
    )


def _copy(source: Path, target: Path) -> None:
    target.mkdir(parents=True)
    for name in _COPIED:
        if (source / name).is_file():
            shutil.copyfile(source / name, target / name)


def _differences(manifests: Sequence[RunManifest]) -> list[str]:
    """What must be alike and is not: answers of one run have to be comparable."""
    seen: dict[str, list[str | None]] = {
        "plan": [manifest.plan_sha256 for manifest in manifests],
        "task": [manifest.task.sha256 for manifest in manifests],
        "model": [manifest.model_sha256 for manifest in manifests],
        "embedder": [manifest.embedder_sha256 for manifest in manifests],
        "GPU": [manifest.environment.gpu for manifest in manifests],
        "libraries": [str(manifest.environment.libraries) for manifest in manifests],
        "arms of the plan": [", ".join(manifest.plan_arms) for manifest in manifests],
    }
    return [
        f"{manifest.id} has another {what} than {manifests[0].id}"
        for what, values in seen.items()
        for manifest, value in zip(manifests, values, strict=True)
        if value != values[0]
    ]


def _repeated(manifests: Sequence[RunManifest]) -> list[str]:
    owners: dict[str, list[str]] = {}
    for manifest in manifests:
        for arm in manifest.arms:
            owners.setdefault(arm, []).append(manifest.id)
    return [f"{arm} is in {' and in '.join(ids)}" for arm, ids in owners.items() if len(ids) > 1]


def _missing(manifests: Sequence[RunManifest]) -> list[str]:
    if not manifests[0].plan_arms:
        return [f"{manifests[0].id} is no shard: it was run without --shard"]
    there = {arm for manifest in manifests for arm in manifest.arms}
    return [f"{arm} is in none of them" for arm in manifests[0].plan_arms if arm not in there]
