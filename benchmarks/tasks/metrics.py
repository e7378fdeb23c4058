"""Metrics: what an answer is worth. Pure: text in, number out; nothing heavy at import.

An item's value lies in [0, 1]; None is undefined, and an undefined value is left out of a mean.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from benchmarks.tasks import sql
from benchmarks.tasks.languages import (
    case_language,
    fold,
    fold_case,
    is_english,
    label_form,
    letter_units,
    spaced,
    units,
    without_punctuation,
)
from benchmarks.tasks.task import Item, Task

Texts = Sequence[str]
ItemValue = Callable[[Task, Item, str], float | None]
Aggregate = Callable[[Task, Sequence[Item], Texts], float | None]

_ARTICLES = re.compile(r"\b(a|an|the)\b")


@dataclass(frozen=True)
class Metric:
    """A way to score answers.

    Attributes:
        name: how tables call it.
        summary: one line for people.
        item: the value of one answer; None where only a set of answers has one.
        aggregate: the value of a set of answers; None when there is nothing to score.
        needs_pairs: True when `aggregate` is not the mean of the items' values, so that a
            comparison has to resample pairs of reference and answer.
        sums: what of an answer is summed over items before a score is taken of it, if anything.
    """

    name: str
    summary: str
    item: ItemValue
    aggregate: Aggregate
    needs_pairs: bool = False
    sums: Callable[[Item, str], tuple[float, ...]] | None = None


def item_sums(task: Task, item: Item, text: str) -> dict[str, tuple[float, ...]]:
    """What of one answer is summed under the task's metrics that are scores of sums."""
    metrics = [METRICS[name] for name in (task.metric, *task.metrics)]
    return {metric.name: metric.sums(item, text) for metric in metrics if metric.sums}


def score_item(task: Task, item: Item, text: str) -> dict[str, float | None]:
    """The value of one answer under each metric of the task, the primary metric first."""
    return {name: METRICS[name].item(task, item, text) for name in (task.metric, *task.metrics)}


def aggregate(task: Task, metric: str, items: Sequence[Item], texts: Texts) -> float | None:
    """The value of a set of answers under one metric.

    Args:
        task: what the items belong to.
        metric: a name in `METRICS`.
        items: what was asked.
        texts: the answers, in the same order.

    Returns:
        A number in [0, 1], or None when there is nothing to score.
    """
    return METRICS[metric].aggregate(task, items, texts)


def squad_normal_form(text: str, language: str = "", *, english: bool = True) -> str:
    """Lower case, without punctuation, articles and surplus white space.

    Beyond ASCII, a text is folded first (`benchmarks.tasks.languages.fold`), punctuation is
    Unicode's category P, and each character of a script without spaces is a word.

    Args:
        text: an answer.
        language: tag of its language; it decides how the letter i is lowered.
        english: whether English articles are left out.

    Source: evaluate-v2.0.py, Rajpurkar et al. 2018, arXiv:1806.03822.
    """
    bare = without_punctuation(fold_case(text, language))
    return " ".join(units(_ARTICLES.sub(" ", bare) if english else bare))


def token_f1(prediction: str, reference: str, language: str = "") -> float:
    """F1 of the words that two texts share, after SQuAD's normalisation.

    Source: evaluate-v2.0.py, Rajpurkar et al. 2018, arXiv:1806.03822.
    """
    predicted, wanted = (form.split() for form in _squad_forms(prediction, reference, language))
    if not predicted or not wanted:
        return float(predicted == wanted)
    return _f1(Counter(predicted), Counter(wanted))


def exact_match(prediction: str, reference: str, language: str = "") -> bool:
    """Whether two texts are the same after SQuAD's normalisation.

    Source: evaluate-v2.0.py, Rajpurkar et al. 2018, arXiv:1806.03822.
    """
    predicted, wanted = _squad_forms(prediction, reference, language)
    return predicted == wanted


def contains_answer(prediction: str, reference: str, language: str = "") -> bool:
    """Whether all words of the reference stand in the prediction, in order and together."""
    text, wanted = _squad_forms(prediction, reference, language)
    if not wanted:
        wanted, text = fold_case(reference).strip(), " ".join(fold_case(prediction).split())
    return f" {wanted} " in f" {text} "


def _squad_forms(prediction: str, reference: str, language: str) -> tuple[str, str]:
    casing = case_language(language, prediction, reference)
    english = is_english(language, reference)
    return (
        squad_normal_form(prediction, casing, english=english),
        squad_normal_form(reference, casing, english=english),
    )


def parse_structure(text: str) -> dict[str, Any] | list[Any] | None:
    """The JSON object or list that a text is, or None when the text is anything else."""
    try:
        value = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict | list) else None


def _first(opening: str, text: str) -> Any:
    """The JSON value that begins at the first bracket of this kind in a text, or None."""
    start = text.find(opening)
    decoder = json.JSONDecoder(parse_constant=_refuse_constant)
    try:
        return decoder.raw_decode(text, start)[0] if start >= 0 else None
    except (ValueError, RecursionError):
        return None


def field_f1(prediction: str, reference: str) -> float | None:
    """F1 of the fields (path and value) that two JSON objects, or two lists, share.

    The prediction is the first JSON object in its text, the first list where the reference is
    one: whether anything stands around it is `json_validity`'s to say. Order within a list does
    not count, nor do letter case, white space and the typographic form of a text value. None when
    the reference is neither an object nor a list.
    """
    wanted = parse_structure(reference)
    if wanted is None:
        return None
    predicted = _first("{" if isinstance(wanted, dict) else "[", prediction)
    return 0.0 if predicted is None else _f1(Counter(_fields(predicted)), Counter(_fields(wanted)))


def macro_f1(predictions: Sequence[str], references: Sequence[str], labels: Sequence[str]) -> float:
    """Unweighted mean of the labels' F1, over labels that occur as reference or prediction.

    A prediction that is no label is a miss for its reference and a label of nobody.

    Source: definition of scikit-learn's ``f1_score(average="macro")``.
    """
    occurring = sorted((set(predictions) & set(labels)) | set(references))
    return _mean([_label_f1(label, predictions, references) for label in occurring])


def _label_f1(label: str, predictions: Sequence[str], references: Sequence[str]) -> float:
    pairs = list(zip(predictions, references, strict=True))
    hits = sum(prediction == reference == label for prediction, reference in pairs)
    mentions = sum((prediction == label) + (reference == label) for prediction, reference in pairs)
    return 2 * hits / mentions if mentions else 0.0


def _f1(predicted: Counter[Any], wanted: Counter[Any]) -> float:
    shared = sum((predicted & wanted).values())
    total = predicted.total() + wanted.total()
    # Two objects without fields are the same object.
    return 2 * shared / total if total else 1.0


def _fields(value: Any, path: str = "") -> list[tuple[str, object]]:
    if isinstance(value, dict) and value:
        pairs = [(fold(key), inner) for key, inner in value.items()]
        return [leaf for key, inner in pairs for leaf in _fields(inner, f"{path}.{key}")]
    if isinstance(value, list) and value:
        return [leaf for inner in value for leaf in _fields(inner, f"{path}[]")]
    return [(path, _leaf(value))]


def _leaf(value: Any) -> object:
    if isinstance(value, str):
        return ("text", " ".join(fold_case(value).split()))
    if isinstance(value, bool) or value is None:
        return ("constant", value)
    if isinstance(value, int | float):
        return ("number", value)
    return ("empty", type(value).__name__)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _best(value: Callable[[str, str, str], float | None]) -> ItemValue:
    def item_value(task: Task, item: Item, text: str) -> float | None:
        values = [value(text, output, task.language) for output in item.outputs]
        defined = [float(found) for found in values if found is not None]
        return max(defined, default=None)

    return item_value


def _accuracy(task: Task, item: Item, text: str) -> float:
    return float(label_form(text) in {label_form(output) for output in item.outputs})


def _undefined(task: Task, item: Item, text: str) -> None:
    return None


def _field_f1(prediction: str, reference: str, language: str) -> float | None:
    return field_f1(prediction, reference)


def _valid_json(task: Task, item: Item, text: str) -> float:
    # A list is valid where the right answers are lists.
    wanted = {type(parse_structure(output)) for output in item.outputs}
    found = parse_structure(text.strip())
    return float(isinstance(found, list if wanted == {list} else dict))


def _checks(task: Task, item: Item, text: str) -> float | None:
    checks = (*task.checks, *item.checks)
    return _mean([float(check.holds(text)) for check in checks]) if checks else None


def _execution_match(task: Task, item: Item, text: str) -> float | None:
    if task.database is None:
        return None
    wanted = [(query, sql.rows(task.database, query)) for query in item.outputs]
    runnable = [(query, result) for query, result in wanted if result is not None]
    if not runnable:
        return None
    found = sql.rows(task.database, sql.statement(text))
    if found is None:
        return 0.0
    return float(
        any(sql.same_rows(found, rows, ordered=sql.is_ordered(query)) for query, rows in runnable)
    )


def _sentence_bleu(task: Task, item: Item, text: str) -> float:
    import sacrebleu

    score: float = sacrebleu.sentence_bleu(spaced(text), list(map(spaced, item.outputs))).score
    # Rounding inside sacrebleu lets a perfect score end just above 100.
    return min(score / 100, 1.0)


def _bleu_sums(item: Item, text: str) -> tuple[float, ...]:
    """Matches of order 1 to 4, n-grams of order 1 to 4, tokens of the answer, of the reference.

    What a token is follows from the text alone, so sums of any items may be added.
    """
    import sacrebleu

    found = sacrebleu.sentence_bleu(spaced(text), list(map(spaced, item.outputs)))
    return (*map(float, (*found.counts, *found.totals)), float(found.sys_len), float(found.ref_len))


class _RougeTokenizer:
    """Words of any script; ASCII texts are split by rouge_score's own tokenizer.

    That one keeps a to z and 0 to 9 alone, so it finds no word in another script.
    """

    def __init__(self, language: str, *, english: bool) -> None:
        from rouge_score.tokenizers import DefaultTokenizer

        self._language = language
        self._english = english
        self._ascii = DefaultTokenizer(use_stemmer=english)

    def tokenize(self, text: str) -> list[str]:
        folded = fold_case(text, self._language)
        if folded.isascii():
            return list(self._ascii.tokenize(folded))
        words = letter_units(folded)
        return [stem for word in words for stem in self._stem(word)] if self._english else words

    def _stem(self, word: str) -> list[str]:
        return list(self._ascii.tokenize(word)) if word.isascii() and word.isalnum() else [word]


@cache
def _rouge_scorer(language: str, *, english: bool) -> Any:
    from rouge_score.rouge_scorer import RougeScorer

    return RougeScorer(["rougeL"], tokenizer=_RougeTokenizer(language, english=english))


def _rouge_l(task: Task, item: Item, text: str) -> float:
    english = is_english(task.language, "\n".join(item.outputs))
    casing = case_language(task.language, text, *item.outputs)
    scorer = _rouge_scorer(casing, english=english)
    return float(scorer.score_multi(list(item.outputs), text)["rougeL"].fmeasure)


def _mean_of(value: ItemValue) -> Aggregate:
    def mean(task: Task, items: Sequence[Item], texts: Texts) -> float | None:
        values = [value(task, item, text) for item, text in zip(items, texts, strict=True)]
        defined = [found for found in values if found is not None]
        return _mean(defined) if defined else None

    return mean


def _macro_f1(task: Task, items: Sequence[Item], texts: Texts) -> float | None:
    if not items:
        return None
    answers, references = map(label_form, texts), (label_form(item.output) for item in items)
    return macro_f1(list(answers), list(references), list(map(label_form, task.labels)))


def _corpus_bleu(task: Task, items: Sequence[Item], texts: Texts) -> float | None:
    import sacrebleu

    if not items:
        return None
    most = max(len(item.outputs) for item in items)
    # sacrebleu takes None where an item has fewer references than the others.
    streams = [
        [spaced(item.outputs[n]) if n < len(item.outputs) else None for item in items]
        for n in range(most)
    ]
    score: float = sacrebleu.corpus_bleu(list(map(spaced, texts)), streams).score
    # Rounding inside sacrebleu lets a perfect score end just above 100.
    return min(score / 100, 1.0)


def _by_mean(name: str, summary: str, item: ItemValue) -> Metric:
    return Metric(name, summary, item, _mean_of(item))


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        _by_mean("accuracy", "share of answers that are an accepted answer", _accuracy),
        Metric("macro_f1", "mean F1 of the labels", _undefined, _macro_f1, needs_pairs=True),
        _by_mean("exact_match", "equal after SQuAD's normalisation", _best(exact_match)),
        _by_mean("token_f1", "F1 of shared words, SQuAD's normalisation", _best(token_f1)),
        _by_mean("answer_contained", "an answer stands in the text", _best(contains_answer)),
        _by_mean("field_f1", "F1 of the JSON object's fields", _best(_field_f1)),
        _by_mean(
            "json_validity",
            "the text is a JSON object, nothing else",
            _valid_json,
        ),
        _by_mean("checks", "share of the item's checks that hold", _checks),
        _by_mean("execution_match", "the SQL returns the same rows", _execution_match),
        Metric(
            "bleu", "corpus BLEU / 100 (sacrebleu)", _sentence_bleu, _corpus_bleu, True, _bleu_sums
        ),
        _by_mean("rouge_l", "ROUGE-L F1, stemmed (rouge_score)", _rouge_l),
    )
}
