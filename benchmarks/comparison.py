"""A run becomes a Comparison: scores with intervals, paired differences, costs, flips, regret.

Everything a report says is computed here; `benchmarks.report` only lays it out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median, stdev
from typing import Any, Literal

from benchmarks import statistics
from benchmarks.agreement import agreement, clustering
from benchmarks.chances import chance_of_reaching, chances_of_being_best
from benchmarks.margins import good_enough
from benchmarks.pairing import (
    Pair,
    ScoreTable,
    Side,
    all_differences,
    corrected_together,
    interval_of_score,
    side_of,
)
from benchmarks.pareto import pareto_points
from benchmarks.portable import all_without_folders, portable, without_folders
from benchmarks.records import Cost, RunManifest
from benchmarks.results import (
    Advice,
    Agreement,
    CommonMethod,
    Comparison,
    Curve,
    Difference,
    Flip,
    Flips,
    Frontier,
    FrontierPoint,
    HourPrice,
    Interval,
    Margin,
    MethodResult,
    Problem,
    Regret,
    RunsComparison,
    SeedScore,
    Standing,
    Status,
    Training,
)
from benchmarks.slices import slices_of
from benchmarks.store import ArmResult, Run
from benchmarks.tasks.foreign_code import LM_EVAL
from benchmarks.tasks.languages import label_form
from strategies.data import Frozen
from strategies.errors import RunError
from strategies.method import Method

BASELINE = "zero-shot"
EXAMPLES = 3
"""Items shown of what a method fixed, and as many of what it broke."""
SAME_SCORE = 1e-6


# ---------------------------------------------------------------- comparing


@dataclass(frozen=True)
class Wishes:
    """What a reader wants to know besides.

    Attributes:
        margin: points by which a method may be behind the best; None takes the plan's.
        hour_price: what an hour of the machine costs; None shows seconds.
    """

    margin: float | None = None
    hour_price: HourPrice | None = None


NO_WISHES = Wishes()


def compare(
    run: Run, inputs: Mapping[str, str] | None = None, wishes: Wishes = NO_WISHES
) -> Comparison:
    """The comparison of a run, finished or not; of a shard, the results alone.

    Args:
        run: what was read from its folder.
        inputs: test item id to its input, for the examples; None leaves inputs out.
        wishes: what is asked besides.
    """
    table = ScoreTable(run.arms, run.manifest.task.metric)
    # In a shard the best that there is, floors too, may be elsewhere.
    whole = not run.manifest.plan_arms
    differences = all_differences(table) if whole else []
    results = [_result(name, run, table) for name in table.names]
    sides = _complete_sides(table, results) if whole else []
    results = _with_chances(results, sides, _target(run))
    leader = _leader(results) if whole else None
    results = [_placed(result, leader, differences) for result in results]
    floor = best_of([r for r in results if r.floor]) if whole else None
    by_answer = run.manifest.task.kind == "classification"
    slices, left_out = slices_of(table, differences, by_answer=by_answer)
    pairs = [d for d in differences if d.family == "methods"]
    return Comparison(
        run=portable(run.manifest),
        seeds=run.plan.seeds,
        limits=run.plan.limits,
        latency_items=min(run.plan.latency_items, len(table.ids)),
        recommendation=all_without_folders(run.recommendation),
        methods=tuple(sorted(results, key=_order)),
        leader=leader,
        tied=_tied(results, leader),
        best_floor=floor,
        above_floor=_above(floor, differences),
        differences=tuple(differences),
        items=len(table.ids),
        units=table.unit_count,
        target=_target(run),
        margin=_margin(run, wishes, results, sides),
        hour_price=wishes.hour_price,
        typical_detectable=_median(d.detectable for d in pairs),
        typical_detectable_corrected=_median(d.detectable_corrected for d in pairs),
        frontiers=_frontiers(results),
        pareto=pareto_points(results),
        flips=_flips(table, inputs, labelled=by_answer),
        slices=slices,
        slices_left_out=left_out,
        advice=_advice(run, table, results) if whole else None,
        curves=_curves(run.arms),
        trainings=_trainings(run.arms),
        notes=all_without_folders(_notes(run, table, results, inputs)),
    )


def compare_runs(run_a: Run, run_b: Run, metric: str | None = None) -> RunsComparison:
    """Two runs of one task, paired on the same items only.

    Args:
        run_a: what is compared with.
        run_b: what is compared.
        metric: one that both measured; None is the task's primary one.

    Raises:
        RunError: the runs are of different tasks or metrics, or share no items or no
            finished method.
    """
    _refuse_different_tasks(run_a.manifest, run_b.manifest)
    metric = metric or run_a.manifest.task.metric
    a, b = tables_of((run_a, run_b), metric)
    shared = [item for item in a.ids if item in b.asked]
    same = [item for item in shared if a.asked[item] == b.asked[item]]
    names = [name for name in a.complete if name in b.complete]
    if not same or not names:
        raise RunError(
            f"The runs {run_a.manifest.id} and {run_b.manifest.id} share {len(same)} items and "
            f"{len(names)} finished methods. A comparison needs at least one of each: run the "
            "same methods on the same task with `advisor bench`."
        )
    return RunsComparison(
        run_a=portable(run_a.manifest),
        run_b=portable(run_b.manifest),
        metric=metric,
        items=len(same),
        only_a=len(a.ids) - len(shared),
        only_b=len(b.ids) - len(shared),
        changed=len(shared) - len(same),
        methods=tuple(_common_methods(a, b, same, names)),
        methods_only_a=tuple(name for name in a.names if name not in b.names),
        methods_only_b=tuple(name for name in b.names if name not in a.names),
        notes=(
            *_run_differences(portable(run_a.manifest), portable(run_b.manifest)),
            *(note for run, table in ((run_a, a), (run_b, b)) for note in _not_full(run, table)),
        ),
    )


# ---------------------------------------------------------------- results


def _result(name: str, run: Run, table: ScoreTable) -> MethodResult:
    arms, finished = table.arms[name], table.finished[name]
    scores = [_seed_score(result, table, name) for result in arms]
    known = [s.score for s in scores if s.score is not None]
    score = fmean(known) if known else None
    method = next((m for m in run.plan.methods if m.name == name), None)
    return MethodResult(
        name=name,
        summary=method.summary if method else "",
        parts=_parts(method) if method else {},
        floor=table.is_floor(name),
        status=_status([result.arm.status for result in arms]),
        score=score,
        interval=_score_interval(name, score, table),
        seeds=tuple(scores),
        seed_spread=stdev(known) if len(known) > 1 else None,
        scores=_all_scores(finished, table.metric, score),
        agreement=_with_references(name, table)
        if run.manifest.task.kind == "classification"
        else None,
        clustering=clustering(table.values(name, table.ids), table.units(table.ids))
        if finished and table.ids
        else None,
        format_validity=_mean(r.arm.format_validity for r in finished),
        recall_at_k=_mean(r.arm.recall_at_k for r in finished),
        items=len(table.ids) if finished else 0,
        unanswered=table.unanswered(name),
        truncated=sum(
            response.truncated and not response.refused
            for r in finished
            for response in r.responses
        ),
        unimproved=any(r.arm.training and r.arm.training.improved is False for r in finished),
        cost=_cost([r.arm.cost for r in finished]),
        reused=tuple(sorted({what for r in finished for what in r.arm.reused})),
        fingerprints=tuple(r.arm.fingerprint for r in arms),
        problems=tuple(_problem(r) for r in arms if r.arm.status != "finished"),
    )


def _seed_score(result: ArmResult, table: ScoreTable, name: str) -> SeedScore:
    """The aggregate that lm-eval computed, unless unanswered items have to count against it."""
    score = result.arm.scores.get(table.metric) if result in table.finished[name] else None
    if score is not None and table.unanswered(name) and not table.macro:
        score = table.score_of(result)
    return SeedScore(seed=result.arm.seed, status=result.arm.status, score=score)


def _score_interval(name: str, score: float | None, table: ScoreTable) -> Interval | None:
    if score is None or not table.ids:
        return None
    side = side_of(table, name, table.ids, table.labels() if table.macro else [])
    if abs(side.outcomes.score - score) > SAME_SCORE:
        return None
    return interval_of_score(side)


def _all_scores(
    finished: Sequence[ArmResult], primary: str, score: float | None
) -> dict[str, float | None]:
    names = dict.fromkeys(name for result in finished for name in result.arm.scores)
    scores = {name: _mean(result.arm.scores.get(name) for result in finished) for name in names}
    return scores | {primary: score} if finished else scores


def _parts(method: Method) -> dict[str, str]:
    """What a method is made of, with every setting that is not unset."""
    parts: dict[str, Frozen] = {"prompting": method.prompting, "weights": method.weights}
    if method.train_prompting is not None:
        parts["prompting in training"] = method.train_prompting
    if method.weights.training is not None:
        parts["training"] = method.weights.training
    return {name: _settings(part) for name, part in parts.items()}


def _settings(part: Frozen) -> str:
    values = part.model_dump(mode="json", exclude={"training"})
    kind = values.pop("kind", "")
    listed = ", ".join(f"{key} {value}" for key, value in values.items() if value is not None)
    return ": ".join(text for text in (kind, listed) if text)


def _status(statuses: Sequence[str]) -> Status:
    if "finished" in statuses:
        return "finished" if set(statuses) == {"finished"} else "partial"
    order: tuple[Status, ...] = ("failed", "pending", "skipped", "refused")
    return next(status for status in order if status in statuses)


def _problem(result: ArmResult) -> Problem:
    arm = result.arm
    failure = arm.failure
    return Problem(
        seed=arm.seed,
        status=arm.status,
        kind=failure.kind if failure else "",
        message=without_folders(failure.message if failure else arm.reason),
    )


def _cost(costs: Sequence[Cost]) -> Cost:
    """Mean over seeds; sizes and memory are the largest, so that they stay whole numbers."""
    if not costs:
        return Cost()
    largest = ("peak_memory_bytes", "trainable_parameters", "artifact_bytes")
    values: dict[str, Any] = {}
    for field in Cost.model_fields:
        known = [value for cost in costs if (value := getattr(cost, field)) is not None]
        if known:
            values[field] = max(known) if field in largest else fmean(known)
    return Cost(**values)


def _leader(results: Sequence[MethodResult]) -> str | None:
    return best_of([result for result in results if not result.floor])


def best_of(results: Sequence[MethodResult]) -> str | None:
    """The best full result; the cheaper one of equals, then the name decides."""
    full = [r for r in results if r.status == "finished" and r.score is not None]
    return min(full, key=lambda result: _order(result)[1:]).name if full else None


def _order(result: MethodResult) -> tuple[bool, bool, float, float, str]:
    score = -1.0 if result.score is None else result.score
    incomplete = result.status != "finished"
    seconds = _total_seconds(result.cost)
    cost = float("inf") if seconds is None else seconds
    return (result.floor, incomplete, -score, cost, result.name)


def _placed(
    result: MethodResult, leader: str | None, differences: Sequence[Difference]
) -> MethodResult:
    """The result with its standing against the leader."""
    standing: Standing | None = None
    if result.name == leader:
        standing = "leader"
    for difference in differences:
        if {leader, result.name} == {difference.a, difference.b}:
            standing = _standing(difference.seen_from(result.name))
    return result.model_copy(update={"standing": standing})


def _standing(difference: Difference) -> Standing:
    if not difference.separated:
        return "tied"
    return "ahead" if difference.difference > 0 else "behind"


def _tied(results: Sequence[MethodResult], leader: str | None) -> tuple[str, ...]:
    if leader is None:
        return ()
    tied = [r for r in results if r.standing == "tied" and not r.floor]
    return (leader, *(r.name for r in sorted(tied, key=_order)))


def _above(floor: str | None, differences: Sequence[Difference]) -> tuple[str, ...]:
    return tuple(
        d.a
        for d in differences
        if d.family == "floors" and d.b == floor and d.separated and d.difference > 0
    )


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None


def _median(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None


# ---------------------------------------------------------------- chances, margin, agreement


def _complete_sides(table: ScoreTable, results: Sequence[MethodResult]) -> list[Side]:
    """What finished; [] where scores are no functions of what is known of the items."""
    if not table.ids or any(r.score is not None and r.interval is None for r in results):
        return []
    labels = table.labels() if table.macro else []
    return [side_of(table, name, table.ids, labels) for name in table.complete]


def _target(run: Run) -> float | None:
    """The score that was called good enough before the run."""
    answers = (run.recommendation or {}).get("answers", run.manifest.task.answers)
    target = answers.get("target_score") if isinstance(answers, Mapping) else None
    return float(target) if isinstance(target, int | float) else None


def _with_chances(
    results: Sequence[MethodResult], sides: Sequence[Side], target: float | None
) -> list[MethodResult]:
    """The results with what the sample says of being the best and of reaching the target."""
    chances = chances_of_being_best(sides)
    reaching = (
        {side.name: chance_of_reaching(side, target) for side in sides}
        if target is not None
        else {}
    )
    return [
        result.model_copy(
            update={
                "probability_best": chances[result.name].best if result.name in chances else None,
                "expected_loss": chances[result.name].loss if result.name in chances else None,
                "probability_target": reaching.get(result.name),
            }
        )
        for result in results
    ]


def _margin(
    run: Run, wishes: Wishes, results: Sequence[MethodResult], sides: Sequence[Side]
) -> Margin | None:
    """Who is good enough, cheapest first; nothing is said of a training that did not improve."""
    asked = wishes.margin or run.plan.margin
    if asked is None or run.manifest.plan_arms:
        return None
    cheapest = sorted(results, key=lambda result: _order(result)[3:])
    candidates = [result.name for result in cheapest if not result.unimproved]
    found = {each.name: each for each in good_enough(sides, asked / 100, candidates)}
    return Margin(
        margin=asked / 100,
        planned=asked == run.plan.margin,
        methods=tuple(found[name] for name in candidates if name in found),
    )


def _labels_of(result: ArmResult, table: ScoreTable) -> list[str]:
    lines = (table.line(result, item) for item in table.ids)
    return ["" if line is None else label_form(line.prediction) for line in lines]


def _with_references(name: str, table: ScoreTable) -> Agreement | None:
    """How a method's labels agree with the right ones, mean over seeds."""
    right = [label_form(table.references[item]) for item in table.ids]
    if not right or not table.finished[name]:
        return None
    found = [agreement(_labels_of(result, table), right) for result in table.finished[name]]
    kappas = [each.kappa for each in found]
    return Agreement(
        same=fmean(each.same for each in found), kappa=None if None in kappas else _mean(kappas)
    )


# ---------------------------------------------------------------- cost


def _frontiers(results: Sequence[MethodResult]) -> tuple[Frontier, ...]:
    costs: dict[Literal["total_seconds", "latency_p50_seconds"], dict[str, float | None]] = {
        "total_seconds": {r.name: _total_seconds(r.cost) for r in results},
        "latency_p50_seconds": {r.name: r.cost.latency_p50_seconds for r in results},
    }
    frontiers = [Frontier(cost=cost, points=_points(results, of)) for cost, of in costs.items()]
    return tuple(frontier for frontier in frontiers if frontier.points)


def _total_seconds(cost: Cost) -> float | None:
    """Seconds to train, to index and to answer the test split once."""
    if cost.answer_seconds is None:
        return None
    return (cost.train_seconds or 0.0) + (cost.index_seconds or 0.0) + cost.answer_seconds


def _points(
    results: Sequence[MethodResult], costs: Mapping[str, float | None]
) -> tuple[FrontierPoint, ...]:
    known = [
        (r, cost, r.score)
        for r in results
        if r.status == "finished" and r.score is not None and (cost := costs[r.name]) is not None
    ]
    places = [(cost, score) for _, cost, score in known]
    return tuple(
        FrontierPoint(
            name=result.name,
            floor=result.floor,
            cost_seconds=cost,
            score=score,
            efficient=not any(_dominates(other, (cost, score)) for other in places),
        )
        for result, cost, score in sorted(known, key=lambda point: (point[1], point[0].name))
    )


def _dominates(other: tuple[float, float], point: tuple[float, float]) -> bool:
    return other != point and other[0] <= point[0] and other[1] >= point[1]


# ---------------------------------------------------------------- flips


def _flips(
    table: ScoreTable, inputs: Mapping[str, str] | None, *, labelled: bool
) -> tuple[Flips, ...]:
    if BASELINE not in table.scored:
        return ()
    return tuple(
        _flips_of(name, table, inputs or {}).model_copy(
            update={"agreement": _between(BASELINE, name, table) if labelled else None}
        )
        for name in table.scored
        if name != BASELINE and not table.is_floor(name)
    )


def _flips_of(name: str, table: ScoreTable, inputs: Mapping[str, str]) -> Flips:
    before, after = table.values(BASELINE, table.ids), table.values(name, table.ids)
    changes = {item: new - old for item, old, new in zip(table.ids, before, after, strict=True)}
    fixed = [item for item, change in changes.items() if change > 0]
    broken = [item for item, change in changes.items() if change < 0]

    def examples(items: Sequence[str]) -> tuple[Flip, ...]:
        clearest = sorted(items, key=lambda item: (-abs(changes[item]), item))[:EXAMPLES]
        return tuple(_flip(item, name, table, inputs) for item in clearest)

    return Flips(
        method=name,
        baseline=BASELINE,
        fixed=len(fixed),
        broken=len(broken),
        unchanged=len(changes) - len(fixed) - len(broken),
        fixed_examples=examples(fixed),
        broken_examples=examples(broken),
    )


def _between(one: str, other: str, table: ScoreTable) -> Agreement | None:
    """How the labels of two methods agree, by their first seeds."""
    labels = [_labels_of(table.finished[name][0], table) for name in (one, other)]
    return agreement(*labels) if table.ids else None


def _flip(item: str, name: str, table: ScoreTable, inputs: Mapping[str, str]) -> Flip:
    """An example; with several seeds the answers are the first seed's, the values are means."""
    lines = [table.line(table.finished[which][0], item) for which in (BASELINE, name)]
    before, after = ("" if line is None else line.prediction for line in lines)
    return Flip(
        id=item,
        input=inputs.get(item),
        reference=table.references[item],
        before=before,
        after=after,
        before_value=table.values(BASELINE, [item])[0],
        after_value=table.values(name, [item])[0],
    )


# ---------------------------------------------------------------- advice


def _advice(run: Run, table: ScoreTable, results: Sequence[MethodResult]) -> Advice | None:
    if run.recommendation is None:
        return None
    without_model = run.recommendation.get("verdict") == "no_language_model"
    floor = best_of([r for r in results if r.floor])
    ranked = allowed_by(run.recommendation)
    allowed = [r for r in results if r.name in ranked and not r.floor]
    if without_model:
        allowed += [r for r in results if r.name == floor]
        ranked = [floor] if floor else []
    ran = [name for name in ranked if name in {r.name for r in allowed}]
    recommended = ranked[0] if ranked else None
    compared = ran[0] if ran else None
    winner = best_of([r for r in allowed if not r.unimproved])
    regret, notes = _regret(compared, allowed, table)
    if without_model and floor:
        notes = (f"The advice was to use no language model; {floor} stands for it.", *notes)
    elif recommended and compared and recommended != compared:
        notes = (f"{recommended} was recommended first but is not in this run.", *notes)
    return Advice(
        recommended=recommended,
        compared=compared,
        allowed=tuple(r.name for r in allowed),
        winner=winner,
        regret=regret,
        notes=notes,
    )


def allowed_by(recommendation: Mapping[str, Any]) -> list[str]:
    """Names of the ranking that nothing blocks, best first."""
    return [
        str(entry.get("method") or entry.get("name"))
        for entry in recommendation.get("ranked", [])
        if not entry.get("blockers")
    ]


def _regret(
    compared: str | None, allowed: Sequence[MethodResult], table: ScoreTable
) -> tuple[Regret | None, tuple[str, ...]]:
    if compared is None:
        return None, ("No recommended method is in this run, so the advice is not tested.",)
    finished = [r for r in allowed if r.name in table.complete and r.score is not None]
    if any(r.unimproved for r in finished if r.name == compared):
        return None, (
            f"{compared} was recommended, and its training did not improve on the start. So this "
            "run says nothing about the advice.",
        )
    full = [r.name for r in finished if not r.unimproved]
    if compared not in full:
        return None, (
            f"{compared} was recommended and has no full result here. That counts against the "
            "advice, and no regret can be computed.",
        )
    if len(full) == 1:
        return None, (
            "No other method that the answers allow has a full result, so the advice is not "
            "tested.",
        )
    regret = measured_regret(compared, full, table)
    if regret is None:
        return None, (f"{table.unit_count} items are too few to split into halves.",)
    return regret, ()


def measured_regret(name: str, rivals: Sequence[str], table: ScoreTable) -> Regret | None:
    """Cross-fitted regret of a method and its upper bound; None with too few units to split.

    Args:
        name: whose regret; one of `rivals`.
        rivals: the methods that may win, each with a full result.
        table: item scores of the run.
    """
    labels = table.labels() if table.macro else []
    outcomes = {rival: table.outcomes(rival, table.ids, labels) for rival in rivals}
    noises = {rival: table.noise(rival, table.ids, labels) for rival in rivals}
    found = statistics.cross_fitted_regret(outcomes, name, noises)
    if found is None:
        return None
    return Regret(
        naive=found.naive,
        cross_fitted=max(0.0, found.cross_fitted),
        at_most=found.at_most,
        wins=found.wins,
    )


# ---------------------------------------------------------------- curves, notes


def _curves(arms: Sequence[ArmResult]) -> tuple[Curve, ...]:
    return tuple(
        Curve(method=result.arm.name, seed=result.arm.seed, points=result.arm.curve)
        for result in arms
        if result.arm.curve
    )


def _trainings(arms: Sequence[ArmResult]) -> tuple[Training, ...]:
    return tuple(
        Training(method=result.arm.name, seed=result.arm.seed, record=result.arm.training)
        for result in arms
        if result.arm.training
    )


def _notes(
    run: Run,
    table: ScoreTable,
    results: Sequence[MethodResult],
    inputs: Mapping[str, str] | None,
) -> tuple[str, ...]:
    notes = [
        _seed_note(run.plan.seeds),
        *_group_notes(table, results),
        *_score_notes(results, table),
        *_gold_notes(run),
        *run.manifest.task.notes,
        *_refused_notes(run),
    ]
    pending = [r.name for r in results if r.status == "pending"]
    if pending:
        notes.append(f"The run is not finished: {', '.join(pending)} have not run yet.")
    if inputs is None:
        notes.append(
            "The run folder keeps no inputs of this task of lm-eval's, so examples come without "
            "them."
            if run.plan.task.startswith(LM_EVAL)
            else "The task's items could not be read again, so examples come without inputs."
        )
    return tuple(notes)


def _seed_note(seeds: Sequence[int]) -> str:
    if len(seeds) > 1:
        return (
            f"Trained and drawn methods ran with {len(seeds)} seeds; item scores are means over "
            "seeds, and where several finished, intervals and tests take them for a sample of all "
            "seeds. Regret is estimated from these seeds; its upper bound counts others too."
        )
    return (
        "One seed: a claim about a trained method is about this one trained adapter or model. "
        "Another seed would train another; how much that moves the score was not measured."
    )


def _gold_notes(run: Run) -> list[str]:
    if run.manifest.task.train_with_gold != 0:
        return []
    return [
        f"{method.name} was trained on passages as they were found: no training item names its "
        "gold passage, so none could be put among distractors."
        for method in run.plan.methods
        if getattr(method.train_prompting, "oracle_share", None) is not None
    ]


def _refused_notes(run: Run) -> list[str]:
    """How many inputs no prompt of a method could hold."""
    refused: Counter[str] = Counter()
    for result in run.arms:
        if result.arm.status == "finished":
            refused[result.arm.name] += sum(1 for each in result.responses if each.refused)
    return [
        f"{name}: {number} {'answer is' if number == 1 else 'answers are'} missing and "
        f"{'counts' if number == 1 else 'count'} as wrong: the input alone does not fit into the "
        "model's context. responses.jsonl names each and its length."
        for name, number in refused.items()
        if number
    ]


def _group_notes(table: ScoreTable, results: Sequence[MethodResult]) -> list[str]:
    if table.unit_count == len(table.ids):
        return []
    notes = [
        f"The {len(table.ids)} items form {table.unit_count} groups that share a source; groups "
        "are resampled, not items."
    ]
    known = [(r.name, r.clustering) for r in results if r.clustering]
    if known:
        listed = "; ".join(
            f"{name} {found.correlation:.2f}, {found.design_effect:.2f}, "
            f"{found.effective_items:.0f}"
            for name, found in known
        )
        notes.append(
            "How alike the items of one group come out (intraclass correlation, one-way random "
            "effects), the design effect 1 + (m − 1) · ICC, and how many independent items the "
            f"{len(table.ids)} are worth for a method's score: {listed}."
        )
    return notes


def _score_notes(results: Sequence[MethodResult], table: ScoreTable) -> list[str]:
    notes = [
        f"{r.name}: {r.unanswered} of {r.items} items have no value though other methods have "
        "one; they count as 0."
        for r in results
        if r.unanswered
    ]
    if any(r.score is not None and r.interval is None for r in results):
        notes.append(
            f"{table.metric} of a set of answers is not a function of per-item values; its score "
            "has no interval, and differences are of the mean item value."
        )
    return notes


# ---------------------------------------------------------------- two runs


def _refuse_different_tasks(a: RunManifest, b: RunManifest) -> None:
    if (a.task.id, a.task.metric) != (b.task.id, b.task.metric):
        raise RunError(
            f"Run {a.id} is of task {a.task.id} ({a.task.metric}), run {b.id} of {b.task.id} "
            f"({b.task.metric}). Only runs of one task and one metric can be paired."
        )


def tables_of(runs: Sequence[Run], metric: str) -> list[ScoreTable]:
    """Tables of runs that are compared; what not all of them kept is used of none."""
    tables = [ScoreTable(run.arms, metric) for run in runs]
    summed = all(table.summed for table in tables)
    for table in tables:
        table.summed = summed
    return tables


def _common_methods(
    a: ScoreTable, b: ScoreTable, ids: Sequence[str], names: Sequence[str]
) -> list[CommonMethod]:
    labels = sorted({*a.labels(), *b.labels()}) if a.macro else []
    pairs: list[Pair] = [
        (side_of(b, name, ids, labels), side_of(a, name, ids, labels)) for name in names
    ]
    differences = corrected_together([("runs", pair) for pair in pairs])
    return [
        CommonMethod(
            name=difference.a,
            score_a=before.outcomes.score,
            score_b=after.outcomes.score,
            difference=difference,
        )
        for (after, before), difference in zip(pairs, differences, strict=True)
    ]


def _not_full(run: Run, table: ScoreTable) -> list[str]:
    """A sentence on each method of a run that cannot be compared."""
    return [
        f"{name} has no full result in {run.manifest.id}: "
        f"{_status([result.arm.status for result in table.arms[name]])}."
        for name in table.names
        if name not in table.complete
    ]


def _run_differences(a: RunManifest, b: RunManifest) -> tuple[str, ...]:
    """Sentences on what differs between the runs besides the methods."""
    values = {
        "model": (a.model, b.model),
        "model SHA-256": (a.model_sha256, b.model_sha256),
        "embedder SHA-256": (a.embedder_sha256, b.embedder_sha256),
        "task SHA-256": (a.task.sha256, b.task.sha256),
        "number of training items": (a.task.train, b.task.train),
        "precision": (a.environment.precision, b.environment.precision),
        "processor": (a.environment.cpu, b.environment.cpu),
        "GPU": (a.environment.gpu or "none", b.environment.gpu or "none"),
    }
    return tuple(
        f"The {name} differs: {one} and {other}."
        for name, (one, other) in values.items()
        if one != other
    )
