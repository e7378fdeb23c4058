"""Whether a run that was done again gives the numbers of the first one."""

from __future__ import annotations

from typing import Literal

from benchmarks.comparison import compare_runs
from benchmarks.records import Arm, RunManifest
from benchmarks.results import Difference
from benchmarks.store import ArmResult, Run
from strategies.data import Frozen

Verdict = Literal["exact", "within noise", "differs", "missing"]


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
        verdict: ``exact`` means equal to the last bit; ``within noise`` is said of trained weights
            alone, when the paired test does not separate the two runs; ``missing`` has no result.
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
        return all(number.verdict in ("exact", "within noise") for number in self.numbers)


def reproduction(before: Run, after: Run) -> Reproduction:
    """Number by number, what came out again.

    Raises:
        RunError: the runs are of different tasks, or share no finished method.
    """
    again = {result.arm.folder: result for result in after.arms}
    found = compare_runs(before, after)
    separated = {method.name for method in found.methods if method.difference.separated}
    trained = {method.name for method in before.plan.methods if method.trains}
    noisy = trained - separated
    finished = [result for result in before.arms if result.arm.status == "finished"]
    numbers = [
        number
        for result in finished
        for number in _numbers(result.arm, again.get(result.arm.folder), result.arm.name in noisy)
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
        changed=tuple(_changed(before.manifest, after.manifest)),
        same_answers=sum(one == other for one, other in texts),
        answers=len(texts),
        numbers=tuple(numbers),
        differences=tuple(method.difference for method in found.methods),
    )


def _texts(result: ArmResult | None) -> dict[str, str]:
    return {response.id: response.text for response in result.responses} if result else {}


def _numbers(before: Arm, again: ArmResult | None, noisy: bool) -> list[Number]:
    after = again.arm if again and again.arm.status == "finished" else None
    then, now = _values(before), _values(after) if after else {}
    return [
        Number(
            arm=before.folder,
            what=what,
            before=value,
            after=now.get(what),
            verdict=_verdict(value, now.get(what), noisy) if after else "missing",
        )
        for what, value in then.items()
    ]


def _values(arm: Arm) -> dict[str, float | None]:
    beside = {"format kept": arm.format_validity, "recall at k": arm.recall_at_k}
    return {**arm.scores, **{what: value for what, value in beside.items() if value is not None}}


def _verdict(before: float | None, after: float | None, noisy: bool) -> Verdict:
    if before == after:
        return "exact"
    return "within noise" if noisy and None not in (before, after) else "differs"


def _changed(before: RunManifest, after: RunManifest) -> list[Hash]:
    seen = {
        "plan": (before.plan_sha256, after.plan_sha256),
        "task": (before.task.sha256, after.task.sha256),
        "model": (before.model_sha256, after.model_sha256),
        "embedder": (before.embedder_sha256, after.embedder_sha256),
        "processor": (before.environment.cpu, after.environment.cpu),
        "GPU": (before.environment.gpu or "none", after.environment.gpu or "none"),
        "Python": (before.environment.python, after.environment.python),
        "code": (before.commit or "not known", after.commit or "not known"),
    }
    names = sorted({*before.environment.libraries, *after.environment.libraries})
    for name in names:
        seen[name] = tuple(  # type: ignore[assignment]
            manifest.environment.libraries.get(name, "none") for manifest in (before, after)
        )
    return [Hash(of=of, before=one, after=two) for of, (one, two) in seen.items() if one != two]
