"""Whether a run that was done again gives the numbers of the first one."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import replace
from typing import Literal

from benchmarks.comparison import compare_runs
from benchmarks.records import Arm
from benchmarks.results import Difference
from benchmarks.store import ArmResult, Run
from strategies.data import Frozen

Verdict = Literal["exact", "within noise", "not tested", "differs", "missing"]


class Hash(Frozen):
    """Something that both runs rest on."""

    of: str
    before: str
    after: str


class Number(Frozen):
    """One number of a report, before and again.

    Attributes:
        arm: method or floor, and seed.
        what: metric, format validity or recall at k.
        before: None where it is undefined.
        after: the same.
        verdict: ``exact`` means equal to the last bit; ``within noise`` is said of metrics of
            arms that `may_move` alone, when the paired test does not separate the two runs;
            ``not tested`` is another number of theirs that moved; ``missing`` has no result.
    """

    arm: str
    what: str
    before: float | None
    after: float | None
    verdict: Verdict


class Reproduction(Frozen):
    """A report held against its own repetition.

    Attributes:
        before: id of the run that was reported.
        after: id of its repetition.
        changed: what both rest on and is not the same; none, and even answers may be expected
            to be equal.
        same_answers: item answers that are equal, letter by letter.
        answers: item answers in all.
        numbers: of every finished arm.
        differences: method by method, the repetition minus the first run.
    """

    before: str
    after: str
    changed: tuple[Hash, ...]
    same_answers: int
    answers: int
    numbers: tuple[Number, ...]
    differences: tuple[Difference, ...]

    @property
    def agrees(self) -> bool:
        """Whether every number came out again."""
        return not any(number.verdict in ("differs", "missing") for number in self.numbers)


def reproduction(before: Run, after: Run) -> Reproduction:
    """Number by number, what came out again.

    Raises:
        RunError: the runs are of different tasks, or share no finished method.
    """
    again = {result.arm.folder: result for result in after.arms}
    finished = [result for result in before.arms if result.arm.status == "finished"]
    movable = may_move(before, after)
    noise = _within_noise(before, after, movable)
    numbers = [
        number
        for result in finished
        for number in _numbers(
            result.arm, again.get(result.arm.folder), noise, result.arm.folder in movable
        )
    ]
    texts = [
        (response.text, other.get(response.id))
        for result in finished
        for other in [_texts(again.get(result.arm.folder))]
        for response in result.responses
    ]
    return Reproduction(
        before=before.manifest.id,
        after=after.manifest.id,
        changed=tuple(_changed(before, after)),
        same_answers=sum(one == other for one, other in texts),
        answers=len(texts),
        numbers=tuple(numbers),
        differences=tuple(m.difference for m in compare_runs(before, after).methods),
    )


def may_move(before: Run, after: Run) -> set[str]:
    """Arms whose numbers need not come out to the last bit.

    Training may round in another order; and where an arm's fingerprint is another one, this
    version, its libraries or its threads compute the arm in another way.
    """
    trained = {method.name for method in before.plan.methods if method.trains}
    arms = {result.arm.folder for result in before.arms if result.arm.name in trained}
    return arms | _other_fingerprints(before, after).keys()


def _other_fingerprints(before: Run, after: Run) -> dict[str, tuple[str, str]]:
    """Arms of both runs whose fingerprints differ, and these."""
    prints = {result.arm.folder: result.arm.fingerprint for result in after.arms}
    both = {
        arm.folder: (arm.fingerprint, prints[arm.folder])
        for arm in (result.arm for result in before.arms)
        if arm.folder in prints
    }
    return {folder: pair for folder, pair in both.items() if pair[0] != pair[1]}


def _within_noise(before: Run, after: Run, movable: Set[str]) -> set[tuple[str, str]]:
    """Those arms and metrics whose two runs the paired test, seed by seed, does not separate."""
    task = before.manifest.task
    found = set()
    for seed in before.plan.seeds:
        one, other = (_of_seed(run, seed) for run in (before, after))
        arms = {name for name in _both_finished(one, other) if f"{name}-s{seed}" in movable}
        for metric in (task.metric, *task.metrics):
            if arms:
                compared = compare_runs(one, other, metric).methods
                found |= {
                    (f"{m.name}-s{seed}", metric)
                    for m in compared
                    if m.name in arms and not m.difference.separated
                }
    return found


def _of_seed(run: Run, seed: int) -> Run:
    arms = tuple(result for result in run.arms if result.arm.seed == seed)
    return replace(run, arms=arms)


def _both_finished(one: Run, other: Run) -> set[str]:
    names = [{r.arm.name for r in run.arms if r.arm.status == "finished"} for run in (one, other)]
    return names[0] & names[1]


def _texts(result: ArmResult | None) -> dict[str, str]:
    return {response.id: response.text for response in result.responses} if result else {}


def _numbers(
    before: Arm, again: ArmResult | None, noise: set[tuple[str, str]], movable: bool
) -> list[Number]:
    after = again.arm if again and again.arm.status == "finished" else None
    now = _values(after) if after else {}

    def verdict(what: str, value: float | None) -> Verdict:
        if after is None:
            return "missing"
        if value == now.get(what):
            return "exact"
        if (before.folder, what) in noise:
            return "within noise"
        return "differs" if what in before.scores or not movable else "not tested"

    return [
        Number(
            arm=before.folder,
            what=what,
            before=value,
            after=now.get(what),
            verdict=verdict(what, value),
        )
        for what, value in _values(before).items()
    ]


def _values(arm: Arm) -> dict[str, float | None]:
    beside = {"format kept": arm.format_validity, "recall at k": arm.recall_at_k}
    return {**arm.scores, **{what: value for what, value in beside.items() if value is not None}}


def _changed(one: Run, other: Run) -> list[Hash]:
    before, after = one.manifest, other.manifest
    # How long a run may take changes none of its numbers.
    plans = [run.plan.model_copy(update={"budget_minutes": None}).sha256 for run in (one, other)]
    seen = {
        "plan": (plans[0], plans[1]),
        "task": (before.task.sha256, after.task.sha256),
        "model": (before.model_sha256, after.model_sha256),
        "embedder": (before.embedder_sha256, after.embedder_sha256),
        "processor": (before.environment.cpu, after.environment.cpu),
        "GPU": (before.environment.gpu or "none", after.environment.gpu or "none"),
        "Python": (before.environment.python, after.environment.python),
    }
    names = sorted({*before.environment.libraries, *after.environment.libraries})
    for name in names:
        seen[name] = tuple(  # type: ignore[assignment]
            manifest.environment.libraries.get(name, "none") for manifest in (before, after)
        )
    changed = [Hash(of=of, before=x, after=y) for of, (x, y) in seen.items() if x != y]
    changed += [
        Hash(of=f"fingerprint of {folder}", before=x, after=y)
        for folder, (x, y) in _other_fingerprints(one, other).items()
    ]
    if before.commit != after.commit or not before.commit or "changes" in before.commit:
        # Without a commit, or with changes to it, nothing says that the code is the same.
        codes = [commit or "not known" for commit in (before.commit, after.commit)]
        changed.append(Hash(of="code", before=codes[0], after=codes[1]))
    return changed
