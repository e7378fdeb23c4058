"""Cost: sums done by hand, break-even volumes, prices of one's own."""

from __future__ import annotations

import datetime
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from advisor.errors import EstimateError
from advisor.estimates.cost import (
    Means,
    MethodCost,
    Workload,
    break_evens,
    estimate_costs,
    monthly,
)
from advisor.estimates.gpus import find_gpu
from advisor.estimates.memory import Range
from advisor.estimates.prices import load_prices
from advisor.estimates.setup import Setup
from advisor.estimates.shapes import load_shape
from advisor.estimates.time import answering_time, training_time
from advisor.estimates.tokens import PromptShape

PROMPT = PromptShape(200, 100, 8, 150, 4, 250)
WORKLOAD = Workload(PROMPT, 10_000, train_tokens=900_000, corpus_tokens=1_000_000)
MEANS = Means(load_shape("qwen2.5-7b"), Setup(), find_gpu("L40S"), load_prices())


def costs(workload: Workload = WORKLOAD, means: Means = MEANS) -> dict[str, MethodCost]:
    return {cost.method: cost for cost in estimate_costs(workload, means)}


def test_hosted_tokens_cost_what_the_price_list_says() -> None:
    """1,400 tokens of prompt at .40 and 100 of answer at 1.60 a million are .00072 dollars."""
    hosted = MEANS.prices.price("hosted_million_tokens", "gpt-4.1-mini")
    icl = costs(means=replace(MEANS, hosted=hosted))["icl"]
    assert icl.a_query.likely == pytest.approx(1400 * 0.4e-6 + 100 * 1.6e-6)
    assert icl.per_1000_queries.likely == pytest.approx(0.72)
    assert icl.per_month.likely == pytest.approx(7.2)


def test_retrieval_pays_for_embedding_and_index() -> None:
    """A million tokens at .02, a twelfth of it a month and twice more; 4,000 vectors of 6 KiB."""
    rag = costs(replace(WORKLOAD, reindexings=2))["rag"]
    lines = {line.name: line for line in rag.lines}
    assert lines["embedding"].monthly.likely == pytest.approx(0.02 * (2 + 1 / 12))
    assert lines["embedding"].a_query.likely == pytest.approx(200 * 0.02e-6)
    assert lines["index"].monthly.likely == pytest.approx(4000 * 1536 * 4 / 1e9 * 0.06)


def test_tuning_pays_for_gpu_hours_as_often_as_it_is_repeated() -> None:
    tuned = costs(replace(WORKLOAD, retrainings=3, months=6))["tuned"]
    once = training_time(MEANS.shape, MEANS.setup, MEANS.gpu, 900_000).total.likely
    training = next(line for line in tuned.lines if line.name == "training")
    assert training.monthly.likely == pytest.approx(once / 3600 * 1.9512 * (3 + 1 / 6))


def test_an_own_gpu_is_paid_by_the_second_or_all_month() -> None:
    asked = Setup(method="inference", sequence=200, output_tokens=100)
    seconds = answering_time(MEANS.shape, asked, MEANS.gpu).total.likely
    tuned = costs()["tuned"]
    assert tuned.a_query.likely == pytest.approx(seconds * 1.9512 / 3600)
    always = costs(replace(WORKLOAD, always_on=True))["tuned"]
    assert always.a_query.likely == 0
    assert always.fixed.likely == pytest.approx(730 * 1.9512 + tuned.fixed.likely)


def test_a_way_that_shows_nothing_is_left_out() -> None:
    bare = replace(WORKLOAD, prompt=replace(PROMPT, demonstrations=0), train_tokens=0)
    assert list(costs(bare)) == ["rag"]
    with pytest.raises(EstimateError, match="nothing to compare"):
        costs(replace(bare, prompt=PromptShape(10, 1)))


def priced(name: str, fixed: float, a_query: float) -> MethodCost:
    f, q = Range.same(fixed), Range.same(a_query)
    return MethodCost(name, (), f, q, f, q)


@pytest.mark.parametrize(
    ("first", "second", "volume", "below", "above"),
    [
        # 10 + .01 q = 2 + .05 q at 200.
        ((10, 0.01), (2, 0.05), 200, "b", "a"),
        ((2, 0.05), (10, 0.01), 200, "a", "b"),
        ((1, 0.01), (2, 0.05), None, "a", "a"),
        ((2, 0.05), (1, 0.05), None, "b", "b"),
        ((2, 0.05), (2, 0.01), None, "b", "b"),
    ],
)
def test_break_even_is_where_the_lines_cross(
    first: tuple[float, float],
    second: tuple[float, float],
    volume: float | None,
    below: str,
    above: str,
) -> None:
    (even,) = break_evens((priced("a", *first), priced("b", *second)))
    assert even.queries_a_month == (None if volume is None else pytest.approx(volume))
    assert (even.below, even.above) == (below, above)


amounts = st.floats(0, 1e4, allow_subnormal=False)


@given(amounts, amounts, amounts, amounts)
def test_who_is_cheaper_below_and_above_is_so(f1: float, v1: float, f2: float, v2: float) -> None:
    both = (priced("a", f1, v1), priced("b", f2, v2))
    (even,) = break_evens(both)
    volume = even.queries_a_month
    if volume is None or not 1e-3 < volume < 1e9:
        return
    for queries, cheaper in ((volume / 2, even.below), (volume * 2, even.above)):
        at = monthly(both, queries)
        assert at[cheaper].likely <= min(r.likely for r in at.values()) * (1 + 1e-9)


@given(st.integers(1, 10**7), st.integers(1, 10**6))
@settings(deadline=None)
def test_more_queries_never_cost_less(queries: int, added: int) -> None:
    few = costs(replace(WORKLOAD, queries_a_month=queries))
    many = costs(replace(WORKLOAD, queries_a_month=queries + added))
    for name, cost in few.items():
        assert many[name].per_month.likely >= cost.per_month.likely
        assert many[name].per_1000_queries.likely <= cost.per_1000_queries.likely * (1 + 1e-9)


def test_numbers_that_cannot_be_are_named() -> None:
    with pytest.raises(EstimateError, match="queries_a_month is 0, retrainings is -1"):
        replace(WORKLOAD, queries_a_month=0, retrainings=-1)


# ---------------------------------------------------------------- prices


def test_every_price_has_a_day_and_a_source() -> None:
    known = load_prices()
    kinds = (getattr(known, kind) for kind in type(known).model_fields)
    for price in (price for kind in kinds for price in kind.values()):
        assert price.date > datetime.date(2022, 1, 1)
        assert "https://" in price.source


def test_a_price_of_ones_own_goes_first(tmp_path: Path) -> None:
    file = tmp_path / "prices.yaml"
    file.write_text(
        "gpu_hour: {l40s: {usd: 1, date: 2026-10-01, source: quote}}\n"
        "storage_gb_month: {disk: {usd: 0.1, date: 2026-10-01, source: quote}}\n",
        encoding="utf-8",
    )
    known = load_prices(file)
    assert known.price("gpu_hour", "L40S").usd == 1
    assert known.price("storage_gb_month").usd == 0.1
    assert known.price("gpu_hour", "H100") == load_prices().price("gpu_hour", "H100")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("gpu_hour: {L4: {usd: -1, date: 2026-10-01}}", r"usd: .*; .*source: is missing"),
        ("gpus: {}", "gpus: is no known field; allowed: gpu_hour"),
        ("- 1", "must be a mapping"),
        ("a: [", "is no YAML"),
        ("1: {}", "prices"),
    ],
)
def test_a_broken_price_file_is_a_message(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "prices.yaml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(EstimateError, match=message):
        load_prices(file)


def test_a_missing_price_says_how_to_give_it() -> None:
    with pytest.raises(EstimateError, match=r"no gpu_hour price for H200.*--prices"):
        costs(means=replace(MEANS, gpu=find_gpu("H200")))
