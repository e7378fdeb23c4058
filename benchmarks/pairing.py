"""Item scores of several arms, aligned item by item, and the paired differences between them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from itertools import combinations, product
from math import comb
from statistics import fmean
from typing import Literal

from benchmarks import permutation, statistics
from benchmarks.permutation import Exact, SignificanceTest
from benchmarks.records import ItemScore
from benchmarks.results import Difference, Interval
from benchmarks.statistics import Noise, Outcomes, noise_between
from benchmarks.store import ArmResult
from benchmarks.tasks.languages import label_form

# ---------------------------------------------------------------- item scores


class ScoreTable:
    """Item scores of all arms, aligned on the items that count."""

    def __init__(self, arms: Sequence[ArmResult], metric: str) -> None:
        self.metric = metric
        self.macro = metric == "macro_f1"
        self.names = list(dict.fromkeys(result.arm.name for result in arms))
        self.arms = {n: [r for r in arms if r.arm.name == n] for n in self.names}
        self.finished = {
            name: [r for r in mine if r.arm.status == "finished" and r.scores]
            for name, mine in self.arms.items()
        }
        self.lines = {
            id(result): {score.id: score for score in result.scores}
            for mine in self.finished.values()
            for result in mine
        }
        # Whether the metric is a score of sums, and they were kept; older runs did not.
        self.summed = metric == "bleu" and all(
            metric in line.sums for lines in self.lines.values() for line in lines.values()
        )
        first: dict[str, ItemScore] = {}
        for scores in self.lines.values():
            for item, score in scores.items():
                if self._counts(score):
                    first.setdefault(item, score)
        # One order for all runs of a task, so that seeded resampling gives the same figures.
        self.ids = sorted(first)
        self.references = {item: first[item].reference for item in self.ids}
        self.asked = {item: (first[item].input_sha256, first[item].reference) for item in self.ids}
        self.groups = {item: first[item].group for item in self.ids}
        self.slices = {item: first[item].slices for item in self.ids}

    @property
    def scored(self) -> list[str]:
        """Names with at least one finished arm."""
        return [name for name in self.names if self.finished[name]]

    @property
    def complete(self) -> list[str]:
        """Names all of whose arms finished."""
        return [n for n in self.scored if len(self.finished[n]) == len(self.arms[n])]

    @property
    def unit_count(self) -> int:
        """How many units there are to resample."""
        return len(set(self.units(self.ids)))

    def is_floor(self, name: str) -> bool:
        """Whether this is a baseline without a language model."""
        return any(result.arm.floor for result in self.arms[name])

    def units(self, ids: Sequence[str]) -> list[int]:
        """The unit of every item: its group's, or its own."""
        keys = [
            ("item", item) if self.groups[item] is None else ("group", str(self.groups[item]))
            for item in ids
        ]
        places = {key: place for place, key in enumerate(dict.fromkeys(keys))}
        return [places[key] for key in keys]

    def item_by_item(self) -> ScoreTable:
        """The same with shares of right answers in the place of macro-F1."""
        plain = copy(self)
        plain.macro = False
        return plain

    def _counts(self, score: ItemScore) -> bool:
        return self.metric == "macro_f1" or score.metrics.get(self.metric) is not None

    def line(self, result: ArmResult, item: str) -> ItemScore | None:
        """How an item came out under one arm; None when the arm did not score it."""
        return self.lines[id(result)].get(item)

    def value(self, result: ArmResult, item: str) -> float:
        """An item's value; an item without an answer counts as 0."""
        score = self.line(result, item)
        if score is None:
            return 0.0
        if self.metric == "macro_f1":
            return _correct(score)
        return score.metrics.get(self.metric) or 0.0

    def values(self, name: str, ids: Sequence[str]) -> list[float]:
        """Per item, the mean over seeds."""
        return self._means(self.finished[name], ids)

    def _means(self, arms: Sequence[ArmResult], ids: Sequence[str]) -> list[float]:
        return [fmean(self.value(result, item) for result in arms) for item in ids]

    def unanswered(self, name: str) -> int:
        """Items for which some seed has no value, though other arms have one."""
        return sum(
            any(
                (score := self.line(result, item)) is None or not self._counts(score)
                for result in self.finished[name]
            )
            for item in self.ids
        )

    def labels(self) -> list[str]:
        """All labels and answers of any arm."""
        found = set(self.references.values())
        for scores in self.lines.values():
            found |= {score.prediction for score in scores.values()}
        return sorted({label_form(label) for label in found} | {""})

    def outcomes(self, name: str, ids: Sequence[str], labels: Sequence[str]) -> Outcomes:
        """What the statistics need of one method over some items."""
        return self._outcomes_of(self.finished[name], ids, labels)

    def score_of(self, result: ArmResult) -> float:
        """The score of one arm, an item without an answer counting as nothing right."""
        labels = self.labels() if self.macro else []
        return self._outcomes_of([result], self.ids, labels).score

    def noise(self, name: str, ids: Sequence[str], labels: Sequence[str]) -> Noise | None:
        """The noise of seeds in a method's score over some items; None where it has one seed."""
        seeds = len(self.finished[name])
        if seeds < 2:
            return None
        of_a_seed = statistics.noise_of(
            [self._outcomes_of([result], ids, labels).score for result in mine]
            for mine in self.finished.values()
        )
        return of_a_seed and of_a_seed.in_mean_of(seeds)

    def _outcomes_of(
        self, arms: Sequence[ArmResult], ids: Sequence[str], labels: Sequence[str]
    ) -> Outcomes:
        units = self.units(ids)
        if self.summed:
            sums = [[self._sums(arm, item) for item in ids] for arm in arms]
            return statistics.bleu_outcomes(sums, units)
        if not self.macro:
            return statistics.mean_outcomes(self._means(arms, ids), units)
        answers = [
            [label_form(score.prediction) if (score := self.line(arm, i)) else "" for i in ids]
            for arm in arms
        ]
        references = [label_form(self.references[item]) for item in ids]
        return statistics.macro_f1_outcomes(references, answers, labels, units)

    def _sums(self, arm: ArmResult, item: str) -> tuple[float, ...]:
        """An item's sums; without an answer all but the reference's length are 0."""
        line = self.line(arm, item)
        if line is not None:
            return line.sums[self.metric]
        others = (lines[item].sums for lines in self.lines.values() if item in lines)
        length = next((sums[self.metric][-1] for sums in others if self.metric in sums), 0.0)
        return (*(0.0,) * 9, length)

    def right_or_wrong(self, name: str, ids: Sequence[str]) -> bool:
        """Whether exact tests of right and wrong apply: one seed, 0 or 1, no groups, no F1."""
        return (
            not self.macro
            and len(self.finished[name]) == 1
            and len(set(self.units(ids))) == len(ids)
            and set(self.values(name, ids)) <= {0.0, 1.0}
        )


def _correct(score: ItemScore) -> float:
    accuracy = score.metrics.get("accuracy")
    if accuracy is not None:
        return accuracy
    return float(label_form(score.prediction) == label_form(score.reference))


# ---------------------------------------------------------------- differences


@dataclass(frozen=True)
class Side:
    """One side of a paired difference.

    Attributes:
        name: of the method.
        values: one an item, in the same order on both sides.
        outcomes: the same for the statistics.
        right_or_wrong: whether exact tests of right and wrong apply.
        noise: of the seeds that it is a mean of, if there are several.
    """

    name: str
    values: tuple[float, ...]
    outcomes: Outcomes
    right_or_wrong: bool
    noise: Noise | None = None


Family = Literal["methods", "floors", "runs", "slices"]
Pair = tuple[Side, Side]


def side_of(table: ScoreTable, name: str, ids: Sequence[str], labels: Sequence[str]) -> Side:
    """One side of a difference over some items; `labels` matter to macro-F1 alone."""
    return Side(
        name=name,
        values=tuple(table.values(name, ids)),
        outcomes=table.outcomes(name, ids, labels),
        right_or_wrong=table.right_or_wrong(name, ids),
        noise=table.noise(name, ids, labels),
    )


def all_differences(table: ScoreTable) -> list[Difference]:
    """All pairs of methods, and every method against every floor, of those that finished."""
    if not table.ids:
        return []
    labels = table.labels() if table.macro else []
    sides = {name: side_of(table, name, table.ids, labels) for name in table.complete}
    return differences_between(
        [side for name, side in sides.items() if not table.is_floor(name)],
        [side for name, side in sides.items() if table.is_floor(name)],
    )


def differences_between(methods: Sequence[Side], floors: Sequence[Side]) -> list[Difference]:
    """All pairs of methods, and every method against every floor, all corrected together."""
    pairs: list[tuple[Family, Pair]] = [
        *(("methods", pair) for pair in combinations(methods, 2)),
        *(("floors", pair) for pair in product(methods, floors)),
    ]
    return corrected_together(pairs)


def corrected_together(pairs: Sequence[tuple[Family, Pair]], untested: int = 0) -> list[Difference]:
    """Differences of pairs, of whatever family, corrected for the number of all of them.

    Args:
        pairs: to test.
        untested: further pairs that might have been tested; each counts as not separated.
    """
    tests = len(pairs) + untested
    tested = [_test(a, b) for _, (a, b) in pairs]
    corrected = permutation.decide([test for test, _ in tested], untested)
    unsafe = permutation.unsafe([test for test, _ in tested], untested)
    return [
        _difference(family, pair, test, p_holm, tests).model_copy(update={"safe": n not in unsafe})
        for n, ((family, pair), test, p_holm) in enumerate(
            zip(pairs, tested, corrected, strict=True)
        )
    ]


def differences_on_parts(
    parts: Sequence[Mapping[str, Side]], pairs: Collection[tuple[str, str]]
) -> list[tuple[int, Difference]]:
    """The differences of pairs on every part of the items, corrected for all pairs and parts.

    Args:
        parts: of the items; the same methods on each.
        pairs: of methods that are separated on all items. No others are tested, so that a report
            on equal methods makes no more false claims for its parts; which these are depends on
            the items, and so the correction is for all pairs that there are.

    Returns:
        The number of the part, and the difference on it.
    """
    wanted = [(number, part[a], part[b]) for number, part in enumerate(parts) for a, b in pairs]
    every = sum(comb(len(part), 2) for part in parts)
    tested: list[tuple[Family, Pair]] = [("slices", (a, b)) for _, a, b in wanted]
    found = corrected_together(tested, every - len(tested))
    return [(number, each) for (number, _, _), each in zip(wanted, found, strict=True)]


def interval_between(a: Side, b: Side) -> Interval:
    """Interval of a's score minus b's."""
    if a.right_or_wrong and b.right_or_wrong:
        low, high = statistics.tango_interval(*_discordant(a.values, b.values), len(a.values))
        return Interval(low=low, high=high, method="Tango score")
    noise = noise_between(a.noise, b.noise)
    low, high = statistics.difference_interval(a.outcomes, b.outcomes, noise)
    seeds = " and seeds" if noise else ""
    return Interval(low=low, high=high, method=f"paired jackknife{_of_groups(a)}{seeds}")


def interval_of_score(side: Side) -> Interval:
    """Interval of a method's score."""
    if side.right_or_wrong:
        low, high = statistics.wilson_interval(int(sum(side.values)), len(side.values))
        return Interval(low=low, high=high, method="Wilson score")
    low, high = statistics.score_interval(side.outcomes, side.noise)
    unit = "groups" if _of_groups(side) else "items"
    seeds = " and seeds" if side.noise else ""
    return Interval(low=low, high=high, method=f"jackknife of {unit}{seeds}")


def _test(a: Side, b: Side) -> tuple[SignificanceTest, str]:
    if a.right_or_wrong and b.right_or_wrong:
        p_value = statistics.mcnemar_exact(*_discordant(a.values, b.values))
        return Exact(p_value), "exact McNemar"
    noise = noise_between(a.noise, b.noise)
    if noise:
        p_value = statistics.seeded_p_value(a.outcomes, b.outcomes, noise)
        return Exact(p_value), f"t over {'groups' if _of_groups(a) else 'items'} and seeds"
    return permutation.paired(a.outcomes, b.outcomes), f"paired permutation{_of_groups(a)}"


def _of_groups(side: Side) -> str:
    return "" if side.outcomes.units == len(side.values) else " of groups"


def _difference(
    family: Family,
    pair: Pair,
    tested: tuple[SignificanceTest, str],
    p_holm: float,
    tests: int,
) -> Difference:
    a, b = pair
    test, name = tested
    differ = sum(x != y for x, y in zip(a.values, b.values, strict=True)) / len(a.values)
    return Difference(
        a=a.name,
        b=b.name,
        family=family,
        difference=a.outcomes.score - b.outcomes.score,
        interval=interval_between(a, b),
        p_value=test.p_value,
        p_bounds=test.bounds,
        p_holm=p_holm,
        test=name,
        items=len(a.values),
        discordance=differ,
        detectable=_detectable(a, b, differ, 1),
        detectable_corrected=_detectable(a, b, differ, tests),
    )


def _detectable(a: Side, b: Side, discordance: float, tests: int) -> float | None:
    if a.right_or_wrong and b.right_or_wrong:
        return statistics.detectable_difference(len(a.values), discordance, tests)
    noise = noise_between(a.noise, b.noise)
    error, freedom = statistics.difference_error(a.outcomes, b.outcomes, noise)
    return statistics.detectable_from_error(error, tests, freedom)


def _discordant(a: Sequence[float], b: Sequence[float]) -> tuple[int, int]:
    pairs = list(zip(a, b, strict=True))
    return sum(x > y for x, y in pairs), sum(y > x for x, y in pairs)
