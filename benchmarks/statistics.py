"""Intervals, paired tests, correction and regret: pure and seeded, by scipy and statsmodels.

A method's item scores are held as sums per *unit*, because every score in use is a function of
sums: a mean, or macro-F1 of the counts of each label. A unit is what is resampled: an item, or
all items of a group when items share a document. So one jackknife, one permutation test and one
cross-fitted regret serve all metrics, clustered or not.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.proportion import (
    confint_proportions_2indep,
    proportion_confint,
    proportions_ztest,
)

from benchmarks.results import ALPHA

Floats = NDArray[np.float64]
CONFIDENCE = 1 - ALPHA
POWER = 0.8
BATCH = 500
REGRET_DRAWS = 1000
REGRET_SPLITS = 100
_ROUNDING = 1e-9
_FEW_EXPECTED = 5
_STEADY = 10
"""So many numbers of items in a row must have the power that is asked for."""
SMALLEST_SPLIT = 10
"""Fewer units than this are not split into halves: a winner picked on four items says nothing."""


@dataclass(frozen=True)
class Outcomes:
    """How one method came out, as sums per unit; never changed after it is made.

    Attributes:
        sums: (units, columns); the columns are those of `fold`.
        fold: ``mean`` has the columns value and count; ``macro_f1`` has true positives,
            predicted and true count of every label, ``bleu`` matches and n-grams of order 1 to 4
            and the lengths of answer and reference, one block after the other per seed.
        seeds: how many blocks ``macro_f1`` and ``bleu`` average over; 1 for ``mean``.
    """

    sums: Floats
    fold: Literal["mean", "macro_f1", "bleu"] = "mean"
    seeds: int = 1

    @property
    def units(self) -> int:
        """How many units can be resampled."""
        return int(self.sums.shape[0])

    @property
    def score(self) -> float:
        """The score over all units."""
        return float(self.fold_totals(self.sums.sum(axis=0)))

    def fold_totals(self, totals: Floats) -> Floats:
        """Scores of totals of shape (..., columns); nan where nothing was counted."""
        if self.fold == "mean":
            return _ratio(totals[..., 0], totals[..., 1])
        if self.fold == "bleu":
            each: Floats = _bleu(totals.reshape(*totals.shape[:-1], self.seeds, 10)).mean(axis=-1)
            return each
        blocks = totals.reshape(*totals.shape[:-1], self.seeds, 3, -1)
        hits, predicted, true = (blocks[..., row, :] for row in range(3))
        present = (predicted + true) > 0
        f1 = np.where(present, _ratio(2 * hits, predicted + true), 0.0)
        macro: Floats = _ratio(f1.sum(axis=-1), present.sum(axis=-1)).mean(axis=-1)
        return macro


def mean_outcomes(values: Sequence[float], units: Sequence[int]) -> Outcomes:
    """Outcomes of a metric that is the mean of its item values.

    Args:
        values: one value an item.
        units: which unit each item belongs to, 0, 1, 2 …
    """
    columns = np.column_stack([np.asarray(values, float), np.ones(len(values))])
    return Outcomes(_sum_by_unit(columns, units))


def macro_f1_outcomes(
    references: Sequence[str],
    predictions: Sequence[Sequence[str]],
    labels: Sequence[str],
    units: Sequence[int],
) -> Outcomes:
    """Outcomes of macro-F1, averaged over seeds.

    Args:
        references: the right label of every item.
        predictions: for every seed, the predicted label of every item.
        labels: all labels that occur in references or in predictions of any method compared.
        units: which unit each item belongs to, 0, 1, 2 …
    """
    true = _one_hot(references, labels)
    blocks = []
    for answers in predictions:
        predicted = _one_hot(answers, labels)
        blocks += [true * predicted, predicted, true]
    return Outcomes(_sum_by_unit(np.hstack(blocks), units), "macro_f1", len(predictions))


def bleu_outcomes(sums: Sequence[Sequence[Sequence[float]]], units: Sequence[int]) -> Outcomes:
    """Outcomes of corpus BLEU, averaged over seeds.

    Args:
        sums: for every seed and item ten figures: matches and n-grams of order 1 to 4, tokens of
            the answer and of the reference.
        units: which unit each item belongs to, 0, 1, 2 …
    """
    columns = np.hstack([np.asarray(seed, float) for seed in sums])
    return Outcomes(_sum_by_unit(columns, units), "bleu", len(sums))


def _bleu(totals: Floats) -> Floats:
    """Corpus BLEU in [0, 1] of totals of shape (..., 10), smoothed as sacrebleu's default is.

    Source: Papineni et al. 2002; Post 2018 (sacrebleu, smoothing ``exp``).
    """
    matches, grams = totals[..., :4], totals[..., 4:8]
    answer, reference = totals[..., 8], totals[..., 9]
    unmatched = np.cumsum((matches == 0) & (grams > 0), axis=-1)
    counted = np.where(matches > 0, matches, 0.5**unmatched)
    precisions = _ratio(counted, grams)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = np.exp(np.log(precisions).mean(axis=-1))
        brevity = np.exp(np.minimum(0.0, 1 - reference / answer))
    scored = (grams > 0).all(axis=-1) & (matches > 0).any(axis=-1)
    found: Floats = np.where(scored, np.minimum(1.0, brevity * mean), 0.0)
    return found


def repeated(outcomes: Outcomes, seeds: int) -> Outcomes:
    """The same outcomes with every seed's block repeated, so that seeds of two methods match.

    Raises:
        ValueError: `seeds` is not a multiple of the seeds there are.
    """
    times, rest = divmod(seeds, outcomes.seeds)
    if rest:
        raise ValueError(f"{seeds} is not a multiple of {outcomes.seeds} seeds")
    if outcomes.fold == "mean" or times == 1:
        return outcomes
    return Outcomes(np.tile(outcomes.sums, (1, times)), outcomes.fold, seeds)


def wilson_interval(successes: int, trials: int) -> tuple[float, float]:
    """Wilson's score interval of a proportion.

    Source: Wilson 1927; by statsmodels.
    """
    low, high = proportion_confint(successes, trials, alpha=ALPHA, method="wilson")
    return float(low), float(high)


@cache
def mcnemar_exact(only_a: int, only_b: int) -> float:
    """Two-sided p-value of McNemar's exact conditional test.

    Args:
        only_a: items that only method a got right.
        only_b: items that only method b got right.

    Source: McNemar 1947; by statsmodels.
    """
    if only_a + only_b == 0:
        return 1.0
    return min(1.0, float(mcnemar([[0, only_a], [only_b, 0]], exact=True).pvalue))


@cache
def tango_interval(only_a: int, only_b: int, items: int) -> tuple[float, float]:
    """Score interval of a paired difference of proportions, a minus b.

    Args:
        only_a: items that only method a got right.
        only_b: items that only method b got right.
        items: all items, concordant ones too.

    Source: Tango 1998, Statistics in Medicine 17:891-908, equations 13 to 16.
    """
    z = float(stats.norm.ppf((1 + CONFIDENCE) / 2))
    estimate = (only_a - only_b) / items

    def excess(difference: float, sign: int) -> float:
        return _tango_score(only_a, only_b, items, difference) - sign * z

    edge = 1 - 1e-12
    low, high = -1.0, 1.0
    if excess(-edge, 1) > 0 and estimate > -1:
        low = float(optimize.brentq(excess, -edge, estimate, args=(1,)))
    if excess(edge, -1) < 0 and estimate < 1:
        high = float(optimize.brentq(excess, estimate, edge, args=(-1,)))
    return low, high


def mean_interval(values: Sequence[float]) -> tuple[float, float] | None:
    """Student's interval of a mean of values in [-1, 1]; None where they do not vary.

    Source: Student 1908; by scipy.
    """
    if len(values) < 2 or np.ptp(values) < _ROUNDING:
        return None
    found = stats.ttest_1samp(values, 0.0).confidence_interval(CONFIDENCE)
    return max(-1.0, float(found.low)), min(1.0, float(found.high))


@dataclass(frozen=True)
class Noise:
    """What moves a score besides the items: another seed would have trained another adapter.

    Attributes:
        variance: of a score, or of a difference of scores.
        freedom: degrees of freedom of that variance, at least 1.
    """

    variance: float
    freedom: int

    def in_mean_of(self, seeds: int) -> Noise:
        """The noise in a mean over so many seeds."""
        return Noise(self.variance / seeds, self.freedom)


def noise_of(methods: Iterable[Collection[float]]) -> Noise | None:
    """The noise of a seed, taken to be alike in all methods; None where none has two.

    Alone the two or three seeds of a method say so little of their variance that a small one by
    chance would pass for a separation: in simulated comparisons of four equal methods 13 % of
    the reports claimed one.

    Args:
        methods: for every method the scores of its seeds.
    """
    several = [list(scores) for scores in methods if len(scores) > 1]
    if not several:
        return None
    freedom = sum(len(scores) - 1 for scores in several)
    squares = sum(float(np.var(scores)) * len(scores) for scores in several)
    return Noise(squares / freedom, freedom)


def noise_between(a: Noise | None, b: Noise | None) -> Noise | None:
    """The noise in a difference; both sides may rest on one estimate of its variance."""
    known = [noise for noise in (a, b) if noise]
    if not known:
        return None
    return Noise(sum(n.variance for n in known), min(n.freedom for n in known))


def score_interval(outcomes: Outcomes, noise: Noise | None = None) -> tuple[float, float]:
    """Interval of one method's score, from what leaving out each unit does to it.

    A unit that is right and one that is wrong, neither of which is there, keep it from shrinking
    where nearly all units came out alike.

    Args:
        outcomes: of the method.
        noise: of seeds; without it the claim is about the seeds that ran.

    Returns:
        Lower and upper end; 0 and 1 for a single unit.

    Source: Tukey 1958 (jackknife); Agresti and Coull 1998, The American Statistician 52:119-126;
    Satterthwaite 1946, Biometrics Bulletin 2:110-114.
    """
    if outcomes.units < 2:
        return 0.0, 1.0
    centre, items = score_level(outcomes)
    error, freedom = combined_error(items, noise)
    half = float(stats.t.ppf((1 + CONFIDENCE) / 2, freedom)) * error
    return max(0.0, centre - half), min(1.0, centre + half)


def difference_interval(
    a: Outcomes, b: Outcomes, noise: Noise | None = None
) -> tuple[float, float]:
    """Interval of a's score minus b's, from what leaving out each unit does to it.

    Two units that are not there, one favouring each side by the square root of a half of what a
    discordant unit weighs, keep it from shrinking where few units differ. For scores of right and
    wrong it is the interval of Agresti and Min with a t quantile. In simulated comparisons it
    holds the truth as often as it says, where bootstraps (percentile, BCa) often did not.

    Args:
        a: one method.
        b: another over the same units.
        noise: of seeds; without it the claim is about the seeds that ran.

    Returns:
        Lower and upper end; -1 and 1 for a single unit.

    Source: Tukey 1958 (jackknife); Agresti and Min 2005, Statistics in Medicine 24:729-740.
    """
    if a.units < 2:
        return -1.0, 1.0
    centre, error, freedom = _difference(a, b, noise)
    half = float(stats.t.ppf((1 + CONFIDENCE) / 2, freedom)) * error
    return max(-1.0, centre - half), min(1.0, centre + half)


def seeded_p_value(a: Outcomes, b: Outcomes, noise: Noise) -> float:
    """Two-sided p-value of a's score minus b's over items and over seeds; 1 for a single unit.

    A permutation of items would take the seeds that ran for all there are.

    Source: Satterthwaite 1946, Biometrics Bulletin 2:110-114.
    """
    if a.units < 2:
        return 1.0
    centre, error, freedom = _difference(a, b, noise)
    return min(1.0, 2 * float(stats.t.sf(abs(centre) / error, freedom)))


def _difference(a: Outcomes, b: Outcomes, noise: Noise | None) -> tuple[float, float, float]:
    """Centre, standard error and degrees of freedom of a's score minus b's."""
    units, values = a.units, pseudo_differences(a, b)
    squares = float((values**2).sum())
    # Mean square of the discordant units; a weighted one, so that none need be called concordant.
    weight = float((values**4).sum()) / squares if squares > 0 else 1.0
    centre = float(values.sum()) / (units + 2)
    variance = (squares + weight - (units + 2) * centre**2) / (units + 1)
    return centre, *combined_error(Noise(variance / (units + 2), units - 1), noise)


def combined_error(items: Noise, seeds: Noise | None) -> tuple[float, float]:
    """Standard error and Satterthwaite's degrees of freedom of two independent parts."""
    parts = [items, *([seeds] if seeds else [])]
    total = sum(part.variance for part in parts)
    spread = sum(part.variance**2 / part.freedom for part in parts)
    return math.sqrt(total), total**2 / spread if spread > 0 else float(items.freedom)


def pseudo_differences(a: Outcomes, b: Outcomes) -> Floats:
    """Jackknife pseudo-values of a's score minus b's, one a unit; for a mean, its differences."""
    whole, left_out = a.score - b.score, _left_out(a) - _left_out(b)
    values: Floats = a.units * whole - (a.units - 1) * left_out
    # What is left of a difference of equal scores is rounding.
    return np.where(np.abs(values) < _ROUNDING, 0.0, values)


def _left_out(outcomes: Outcomes) -> Floats:
    """The score without each unit, one a unit."""
    return outcomes.fold_totals(outcomes.sums.sum(axis=0) - outcomes.sums)


def unpaired_interval(a: Outcomes, b: Outcomes) -> tuple[float, float]:
    """Interval of b's score minus a's, where they saw different items.

    An item that is right and one that is wrong, neither of which is there, are added to each
    side, so that a few items that all came out alike do not pass for certainty.

    Args:
        a: over some units.
        b: over others, drawn apart from them.

    Returns:
        -1 and 1 where either has a single unit.

    Source: Welch 1947, Biometrika 34:28-35, on jackknife pseudo-values; Agresti and Caffo 2000,
    The American Statistician 54:280-288.
    """
    if min(a.units, b.units) < 2:
        return -1.0, 1.0
    (before, of_a), (after, of_b) = score_level(a), score_level(b)
    error, freedom = combined_error(of_a, of_b)
    difference = after - before
    half = float(stats.t.ppf((1 + CONFIDENCE) / 2, freedom)) * error
    return max(-1.0, difference - half), min(1.0, difference + half)


def unpaired_error(a: Outcomes, b: Outcomes) -> float:
    """Standard error of the difference of two scores on different items."""
    return (
        combined_error(score_level(a)[1], score_level(b)[1])[0]
        if min(a.units, b.units) > 1
        else 0.0
    )


def unpaired_proportions(
    right_a: int, items_a: int, right_b: int, items_b: int
) -> tuple[tuple[float, float], float, str]:
    """Interval, p-value and its test of b's share of right answers minus a's, on different items.

    Where fewer than five right or five wrong answers are expected of either, the test is exact.

    Source: Newcombe 1998, Statistics in Medicine 17:873-890, method 10; the pooled score test, by
    statsmodels; Fisher 1935, by scipy; Cochran 1954, Biometrics 10:417-451, for which of them.
    """
    low, high = confint_proportions_2indep(
        right_b, items_b, right_a, items_a, method="newcomb", compare="diff", alpha=ALPHA
    )
    rights, items = np.array([right_b, right_a]), np.array([items_b, items_a])
    table = np.column_stack([rights, items - rights])
    if min(items) * min(table.sum(axis=0)) < _FEW_EXPECTED * sum(items):
        p_value, test = stats.fisher_exact(table).pvalue, "Fisher's exact test"
    else:
        p_value, test = proportions_ztest(rights, items)[1], "score test of two proportions"
    return (float(low), float(high)), float(p_value), test


def score_level(outcomes: Outcomes) -> tuple[float, Noise]:
    """A score and its noise over two units and more, drawn to 1/2 by two that are not there."""
    units = outcomes.units
    values = units * outcomes.score - (units - 1) * _left_out(outcomes)
    centre = (float(values.sum()) + 1) / (units + 2)
    variance = (float((values**2).sum()) + 1 - (units + 2) * centre**2) / (units + 1)
    return centre, Noise(max(variance, 0.0) / (units + 2), units - 1)


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values corrected for their number, in the same order.

    Source: Holm 1979. Not by statsmodels, whose ``multipletests`` collects the garbage of the whole
    process at every call: a third of the time of ``make simulate``. A test compares the two.
    """
    ascending = np.argsort(p_values, kind="stable")
    raised = np.asarray(p_values)[ascending] * np.arange(len(p_values), 0, -1)
    corrected = np.empty(len(p_values))
    corrected[ascending] = np.minimum(np.maximum.accumulate(raised), 1)
    return [float(p) for p in corrected]


def mcnemar_power(items: int, difference: float, discordance: float, tests: int = 1) -> float:
    """Chance that McNemar's exact test separates two methods, over samples of items.

    Args:
        items: paired items.
        difference: of two proportions, at most the discordance.
        discordance: share of items on which the two methods differ, above 0.
        tests: how many tests share the 5 % (Bonferroni, the first step of Holm).

    Source: Duffy 1984, Journal of Chronic Diseases 37:369-374: the exact unconditional power. The
    approximation of Connor 1987 promises up to four points more than the exact test has.
    """
    likely = stats.binom.ppf([1e-9, 1 - 1e-9], items, discordance)
    discordant = np.arange(max(1, int(likely[0])), int(likely[1]) + 1)
    # As many of the discordant items, or more, must be one method's for p < alpha.
    fewest = stats.binom.isf(ALPHA / tests / 2, discordant, 0.5) + 1
    fewest += stats.binom.sf(fewest - 1, discordant, 0.5) >= ALPHA / tests / 2
    share = (1 + difference / discordance) / 2
    found = stats.binom.sf(fewest - 1, discordant, share)
    found += stats.binom.cdf(discordant - fewest, discordant, share)
    return float(stats.binom.pmf(discordant, items, discordance) @ found)


@cache
def detectable_difference(items: int, discordance: float, tests: int = 1) -> float | None:
    """Smallest difference of two proportions that McNemar's exact test finds with 80 % power.

    Args:
        items: paired items.
        discordance: share of items on which the two methods differ.
        tests: how many tests share the 5 % (Bonferroni, the first step of Holm).

    Returns:
        The difference in [0, 1]; None when even a difference as large as the discordance,
        the largest there can be, would be missed.
    """

    def excess(difference: float) -> float:
        return mcnemar_power(items, difference, discordance, tests) - POWER

    if discordance <= 0 or excess(discordance) < 0:
        return None
    return float(optimize.brentq(excess, 0.0, discordance, xtol=1e-5))


@cache
def items_needed(difference: float, discordance: float, tests: int = 1) -> int | None:
    """Paired items with which McNemar's exact test finds a difference with 80 % power.

    With more items the power rises, but for small steps down where one more discordant item
    does not yet allow for another error. It is 80 % for this number and for the next nine. Above a
    thousand items the search goes in steps of two in a thousand.

    Args:
        difference: of two proportions, above 0.
        discordance: share of items on which the two methods differ.
        tests: how many tests share the 5 % (Bonferroni, the first step of Holm).

    Returns:
        None when the difference is larger than the discordance allows.

    Source: the search starts at the formula of Connor 1987, Biometrics 43:207-211.
    """
    if difference > discordance:
        return None
    z_alpha, z_power = _quantiles(tests)
    spread = z_alpha * math.sqrt(discordance) + z_power * math.sqrt(discordance - difference**2)
    roughly = (spread / difference) ** 2
    items, step = max(1, math.floor(0.9 * roughly)), max(1, round(roughly / 500))
    enough = 0
    while enough < _STEADY:
        found = mcnemar_power(items, difference, discordance, tests) >= POWER
        enough = enough + 1 if found else 0
        items += step
    return items - _STEADY * step


def detectable_from_error(
    standard_error: float, tests: int = 1, freedom: float = math.inf
) -> float | None:
    """Smallest difference found with 80 % power, given the standard error of the difference.

    Args:
        standard_error: over items, and over seeds where there are several.
        tests: how many tests share the 5 % (Bonferroni, the first step of Holm).
        freedom: degrees of freedom of the standard error.

    Returns:
        None when the standard error is 0: nothing varied, so nothing is known.
    """
    if standard_error <= 0:
        return None
    return sum(_quantiles(tests, freedom)) * standard_error


def difference_error(a: Outcomes, b: Outcomes, noise: Noise | None = None) -> tuple[float, float]:
    """Jackknife standard error of a's score minus b's, and its degrees of freedom.

    Args:
        a: one method.
        b: another over the same units.
        noise: of seeds; without it the claim is about the seeds that ran.

    Returns:
        Without noise the items are taken for many (infinite degrees of freedom); an error of 0.0
        for a single unit.

    Source: Efron and Tibshirani 1993, section 11.5; Satterthwaite 1946.
    """
    if a.units < 2:
        return 0.0, math.inf
    items = float(np.var(pseudo_differences(a, b))) / (a.units - 1)
    if noise is None:
        return math.sqrt(items), math.inf
    return combined_error(Noise(items, a.units - 1), noise)


@dataclass(frozen=True)
class Regret:
    """What following the advice cost against picking by measurement, as a share of the score.

    Attributes:
        naive: best score minus the recommended method's, on the same items; biased upward.
        cross_fitted: the winner picked on one half and compared on the other, both ways,
            averaged over splits; near 0 or below when nothing better can be told apart.
        low: lower end of the bootstrap interval of `cross_fitted`.
        high: upper end.
        wins: method to the share of halves on which it was picked.
    """

    naive: float
    cross_fitted: float
    low: float
    high: float
    wins: dict[str, float]


def cross_fitted_regret(
    outcomes: Mapping[str, Outcomes], recommended: str, seed: int = 0
) -> Regret | None:
    """Regret of the recommended method against the measured winner, without optimism.

    Methods that tie on a half share the pick, so their order does not matter.

    Args:
        outcomes: the methods that may win, `recommended` among them, over the same units.
        recommended: the method that was advised.
        seed: of the halves and the bootstrap.

    Returns:
        None when there are fewer than `SMALLEST_SPLIT` units.
    """
    found = regret_without_interval(outcomes, recommended, seed)
    if found is None:
        return None
    names, methods, halves = _contest(outcomes, seed)
    place = names.index(recommended)

    def regret(weights: Floats) -> Floats:
        return _mean_over_splits(_picks_and_scores(methods, halves, weights), place)

    low, high = _percentiles(regret, methods[0].units, seed)
    return replace(found, low=low, high=high)


def regret_without_interval(
    outcomes: Mapping[str, Outcomes], recommended: str, seed: int = 0
) -> Regret | None:
    """As `cross_fitted_regret`, a thousand times faster, its interval being nan."""
    if outcomes[recommended].units < SMALLEST_SPLIT:
        return None
    names, methods, halves = _contest(outcomes, seed)
    once = np.ones((1, methods[0].units))
    picks, compared = _picks_and_scores(methods, halves, once)
    scores = {name: outcomes[name].score for name in names}
    return Regret(
        naive=max(scores.values()) - scores[recommended],
        cross_fitted=float(_mean_over_splits((picks, compared), names.index(recommended))[0]),
        low=math.nan,
        high=math.nan,
        wins={name: float(share) for name, share in zip(names, picks.mean((0, 1)), strict=True)},
    )


def _contest(
    outcomes: Mapping[str, Outcomes], seed: int
) -> tuple[list[str], list[Outcomes], Floats]:
    """Names in order, their outcomes, and the halves on which the winner is picked."""
    names = sorted(outcomes)
    methods = [outcomes[name] for name in names]
    return names, methods, _random_halves(methods[0].units, np.random.default_rng(seed))


def _random_halves(units: int, rng: np.random.Generator) -> Floats:
    first = np.arange(units) < units // 2
    return np.array([rng.permutation(first) for _ in range(REGRET_SPLITS)], float)


def _picks_and_scores(
    methods: Sequence[Outcomes], halves: Floats, weights: Floats
) -> tuple[Floats, Floats]:
    """Who is picked on a half and how all score on the other: (draws, 2 · splits, methods)."""
    flat = (weights[:, None, :] * halves).reshape(-1, weights.shape[1])
    shape = (len(weights), len(halves))
    first, second = [], []
    for method in methods:
        totals = np.repeat(weights @ method.sums, len(halves), axis=0)
        one = flat @ method.sums
        first.append(method.fold_totals(one).reshape(shape))
        second.append(method.fold_totals(totals - one).reshape(shape))
    on_first, on_second = np.stack(first, -1), np.stack(second, -1)
    picked_by = np.concatenate([on_first, on_second], axis=1)
    compared_on = np.concatenate([on_second, on_first], axis=1)
    best = picked_by >= picked_by.max(axis=-1, keepdims=True) - 1e-12
    # On a half of which no unit was drawn nobody can be picked.
    picks = np.where(np.isnan(picked_by), np.nan, best)
    return picks / np.maximum(1, best.sum(axis=-1, keepdims=True)), compared_on


def _mean_over_splits(picks_and_scores: tuple[Floats, Floats], place: int) -> Floats:
    picks, scores = picks_and_scores
    regrets = (picks * scores).sum(axis=-1) - scores[..., place]
    # Where a single unit was drawn no split has two halves: nothing better can be told apart.
    means: Floats = np.nansum(regrets, axis=1) / np.maximum(1, (~np.isnan(regrets)).sum(axis=1))
    return means


def _percentiles(statistic: Any, units: int, seed: int) -> tuple[float, float]:
    result = stats.bootstrap(
        (np.arange(units),),
        lambda index, axis: statistic(_counts(index, units)),
        n_resamples=REGRET_DRAWS,
        batch=BATCH // 20,
        confidence_level=CONFIDENCE,
        method="percentile",
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return float(result.low), float(result.high)


def _counts(index: NDArray[np.int64], width: int) -> Floats:
    """How often each unit was drawn: (..., drawn) indices to (..., width) counts."""
    rows = index.reshape(-1, index.shape[-1]).astype(np.int64)
    flat = rows + width * np.arange(len(rows))[:, None]
    counts = np.bincount(flat.ravel(), minlength=width * len(rows))
    shaped: Floats = counts.reshape(*index.shape[:-1], width).astype(float)
    return shaped


def _sum_by_unit(columns: Floats, units: Sequence[int]) -> Floats:
    sums = np.zeros((max(units) + 1, columns.shape[1]))
    np.add.at(sums, np.asarray(units), columns)
    return sums


def _one_hot(answers: Sequence[str], labels: Sequence[str]) -> Floats:
    place = {label: column for column, label in enumerate(labels)}
    hot = np.zeros((len(answers), len(labels)))
    hot[np.arange(len(answers)), [place[answer] for answer in answers]] = 1
    return hot


def _ratio(numerator: Floats, denominator: Any) -> Floats:
    numerator, denominator = np.asarray(numerator, float), np.asarray(denominator, float)
    undefined = np.full(np.broadcast(numerator, denominator).shape, np.nan)
    ratio: Floats = np.divide(numerator, denominator, out=undefined, where=denominator > 0)
    return ratio


def _quantiles(tests: int, freedom: float = math.inf) -> tuple[float, float]:
    alpha = ALPHA / max(1, tests)
    return float(stats.t.ppf(1 - alpha / 2, freedom)), float(stats.t.ppf(POWER, freedom))


def _tango_score(only_a: int, only_b: int, items: int, difference: float) -> float:
    """Standardised distance of the observed from an assumed difference, restricted ML variance."""
    linear = -only_a - only_b + (2 * items - only_a + only_b) * difference
    constant = -only_b * difference * (1 - difference)
    root = math.sqrt(max(0.0, linear**2 - 8 * items * constant))
    share = (root - linear) / (4 * items)
    variance = items * (2 * share + difference * (1 - difference))
    gap = only_a - only_b - items * difference
    return gap / math.sqrt(max(variance, 1e-300))
