"""The first screen of a report: the verdict in one sentence, the methods, what to do next."""

from __future__ import annotations

from benchmarks.pareto import ANSWERS
from benchmarks.report import numbers
from benchmarks.report.choosing import chance, paid
from benchmarks.report.document import Block, Code, Heading, Inline, Paragraph, Strong, Table, Text
from benchmarks.report.training import NOT_IMPROVED
from benchmarks.results import MATTERS, Comparison, Difference, MethodResult


def first_screen(comparison: Comparison) -> list[Block]:
    """The verdict and the table of methods; a shard or an empty run has the verdict alone."""
    blocks: list[Block] = [Heading(2, "In short"), Paragraph(verdict(comparison))]
    if comparison.leader is None:
        return blocks
    return [*blocks, _methods(comparison), Paragraph(_legend(comparison))]


# ---------------------------------------------------------------- the verdict


def verdict(comparison: Comparison) -> Text:
    """Who is best, how surely, and what is weak about it."""
    run = comparison.run
    if run.plan_arms:
        elsewhere = ", ".join(arm for arm in run.plan_arms if arm not in run.arms)
        return [
            Strong("A shard of a plan, in which nothing is compared: "),
            f"it lacks {elsewhere}. Merge the shards: ", Code("advisor merge RUN..."),
        ]  # fmt: skip
    if comparison.leader is None:
        return "No method finished, so there is nothing to compare."
    best = comparison.method(comparison.leader)
    weak = weaknesses(comparison)
    parts = "; ".join(weak)
    said: list[Inline] = [
        *_floor_ahead(comparison),
        Strong(best.name),
        *_level_with(best, comparison),
    ]
    return [
        *said,
        f" scores highest{_of_methods(comparison)}: {run.task.metric} ",
        f"{numbers.score(best.score, best.interval)} on {comparison.items} test items",
        _chance_said(best),
        *_against_others(best, comparison),
        *(["; ", Strong(f"weak point{'s' * (len(weak) > 1)}:"), f" {parts}."] if weak else ["."]),
    ]


def _floor_ahead(comparison: Comparison) -> list[Inline]:
    if comparison.best_floor is None:
        return []
    floor = comparison.method(comparison.best_floor)
    if floor.standing != "ahead":
        return []
    return [
        Strong(floor.name),
        ", a floor without a language model, is separated above every method that could be "
        f"chosen: {comparison.run.task.metric} {numbers.score(floor.score, floor.interval)}; "
        "of the methods ",
    ]


def _of_methods(comparison: Comparison) -> str:
    """Says that floors are left out, where one of them scores higher still."""
    best = comparison.method(comparison.leader or "")
    above = any(
        r.floor and r.score is not None and best.score is not None and r.score > best.score
        for r in comparison.methods
    )
    return " of the methods" if above and not _floor_ahead(comparison) else ""


def _level_with(best: MethodResult, comparison: Comparison) -> list[Inline]:
    """The methods whose measured score is exactly the leader's."""
    same = [
        r.name
        for r in comparison.methods
        if not r.floor and r.name != best.name and r.standing and r.score == best.score
    ]
    return [", with ", Strong(", ".join(same)), " at the same measured score,"] if same else []


def _chance_said(best: MethodResult) -> str:
    if best.probability_best is None:
        return ""
    return f", with a chance of {chance(best.probability_best)} of being the best"


def _against_others(best: MethodResult, comparison: Comparison) -> list[Inline]:
    failed = {r.name for r in comparison.methods if r.unimproved}
    others = [name for name in comparison.tied[1:] if name not in failed]
    if others:
        return [", but this sample does not separate it from ", Strong(", ".join(others))]
    scored = [r for r in comparison.methods if r.standing and not r.floor]
    if not any(r.name not in (best.name, *failed) for r in scored):
        return [", but no other method has a score to compare it with"]
    trained = " and whose training, if any, improved on the start" if failed else ""
    return [f", and it is separated from every other method that finished{trained}"]


def weaknesses(comparison: Comparison) -> list[str]:
    """What makes the verdict weak, as short phrases; [] when nothing of it was found."""
    best = comparison.method(comparison.leader or "")
    missed = comparison.typical_detectable_corrected
    return [
        *_floor_level(comparison),
        *_target_missed(best, comparison),
        *(
            [
                f"few items ({comparison.items}: a lead below {numbers.said_points(missed)} can "
                "stay unseen)"
            ]
            if missed is not None and missed > MATTERS
            else []
        ),
        *(["only one seed was trained"] if one_seed(comparison) else []),
        *_unimproved(comparison),
        *_without_result(comparison),
    ]


def _unimproved(comparison: Comparison) -> list[str]:
    names = [r.name for r in comparison.methods if r.unimproved]
    return [f"the training of {', '.join(names)} did not improve on the start"] if names else []


def one_seed(comparison: Comparison) -> bool:
    """Whether something was trained, and once only."""
    trained = any(r.cost.train_seconds and not r.floor for r in comparison.methods)
    return len(comparison.seeds) == 1 and trained


def _floor_level(comparison: Comparison) -> list[str]:
    """The best floor, where the leader is not separated above it and it is not ahead."""
    name = comparison.best_floor
    if name is None or comparison.leader in comparison.above_floor:
        return []
    floor = comparison.method(name)
    if floor.standing == "ahead":
        return []
    who = "no method is" if not comparison.above_floor else "it is not"
    return [f"{who} separated above the floor {name} ({numbers.score(floor.score)})"]


def _target_missed(best: MethodResult, comparison: Comparison) -> list[str]:
    target = comparison.target
    if target is None or best.score is None:
        return []
    if best.score < target:
        none = not any(r.score is not None and r.score >= target for r in comparison.methods)
        who = "no method reaches" if none else "it misses"
        return [f"{who} the target {target:g}"]
    if best.interval is None or best.interval.low < target:
        return [f"it reaches the target {target:g}, but not with its whole interval"]
    return []


def _without_result(comparison: Comparison) -> list[str]:
    done = ("finished", "refused")
    missing = [m.name for m in comparison.methods if not m.floor and m.status not in done]
    return [f"no full result of {', '.join(missing)}"] if missing else []


# ---------------------------------------------------------------- the table


def _methods(comparison: Comparison) -> Table:
    target = comparison.target
    paid_in = "USD" if comparison.hour_price else "time"
    head = [
        "method",
        f"{comparison.run.task.metric} (95 % interval)",
        "chance of being the best",
        *([f"reaches {target:g}"] if target is not None else []),
        f"{paid_in} for {ANSWERS:,} answers",
        f"{paid_in} to train and index",
    ]
    return Table(head, [_row(r, comparison) for r in comparison.methods], figures=True)


def _row(result: MethodResult, comparison: Comparison) -> list[Text]:
    name: list[Inline] = [
        Strong(result.name) if result.name == comparison.leader else Code(result.name),
        " (floor)" if result.floor else "",
        f" ({NOT_IMPROVED})" if result.unimproved else "",
    ]
    score = numbers.score(result.score, result.interval)
    point = next((p for p in comparison.pareto if p.name == result.name), None)
    costs = [point.thousand_seconds, point.once_seconds] if point else [None, None]
    target = comparison.target
    return [
        name,
        score if result.score is not None else f"{numbers.UNDEFINED} ({result.status})",
        chance(result.probability_best),
        *([_reaches(result, target)] if target is not None else []),
        *(paid(seconds, comparison.hour_price) for seconds in costs),
    ]


def _reaches(result: MethodResult, target: float) -> str:
    """Whether a score reaches the target, and with what chance."""
    if result.score is None:
        return numbers.UNDEFINED
    within = result.interval
    if within is not None and within.low >= target:
        said = "yes"
    elif within is not None and within.high < target:
        said = "no"
    else:
        said = "open"
    likely = result.probability_target
    return said if likely is None else f"{said} ({chance(likely)})"


def _legend(comparison: Comparison) -> str:
    env = comparison.run.environment
    reaching = (
        " “Reaches”: yes or no where the whole interval lies on one side, open elsewhere; with "
        "the chance that the true score reaches it."
        if comparison.target is not None
        else ""
    )
    return (
        "Chances are about other items of this kind, given the weights that were trained."
        f"{reaching} Costs are as measured on {env.gpu or env.cpu}; answers in batches. A floor "
        "is a baseline without a language model."
    )


# ---------------------------------------------------------------- what to do next

_UNLIKELY = 20
"""More items than so many times the sample are hardly ever labelled for one decision."""


def next_steps(comparison: Comparison) -> list[Text]:
    """What to do with this result, most urgent first."""
    if comparison.run.plan_arms:
        return []
    failed = [r.name for r in comparison.methods if r.status in ("failed", "partial", "pending")]
    unimproved = [r.name for r in comparison.methods if r.unimproved]
    steps: list[Text] = []
    if failed:
        steps.append(
            [f"Finish {', '.join(failed)}: ", Code("advisor bench --resume RUN"), "."],
        )
    if comparison.leader is None:
        return steps
    best = comparison.method(comparison.leader)
    steps += [*_choice(best, comparison), *_on_target(best, comparison)]
    if one_seed(comparison):
        steps.append(
            [
                "Train with three seeds before saying anything of a trained method in general: ",
                Code("--seeds 0,1,2"),
                ".",
            ]
        )
    if unimproved:
        steps.append(
            f"Mend the training of {', '.join(unimproved)} before judging it: see Training."
        )
    return steps


def _choice(best: MethodResult, comparison: Comparison) -> list[Text]:
    floor = comparison.best_floor
    if floor is not None and not comparison.above_floor:
        return [
            ["Start with the floor ", Strong(floor), ": it needs no language model, and no method "
             "is shown to be better. ", *_more_items(best, comparison, floor)]
        ]  # fmt: skip
    others = [n for n in comparison.tied[1:] if not comparison.method(n).unimproved]
    if not others:
        return [["Take ", Strong(best.name), " if its score and its cost suit you."]]
    tied = [p for p in comparison.pareto if p.name in (best.name, *others)]
    cheapest = min(tied, key=lambda p: (p.thousand_seconds, p.once_seconds), default=None)
    steps: list[Text] = [
        [
            "Decide between ",
            Strong(", ".join([best.name, *others])),
            ": not separated is not equal. ",
            *_more_items(best, comparison, others[0]),
        ]
    ]
    if cheapest and comparison.margin is None:
        steps.append(
            [
                "Of these, ", Strong(cheapest.name), " answers at the least cost. If a few points "
                "behind the best are good enough, test who is: ",
                Code("advisor report RUN --margin 3"), ".",
            ]
        )  # fmt: skip
    return steps


def _more_items(best: MethodResult, comparison: Comparison, other: str) -> list[Inline]:
    pair = next((d for d in comparison.against(best.name) if d.b == other), None)
    needed = None if pair is None else items_needed(pair)
    if pair is None or pair.difference <= 0:
        return []
    if needed is None or needed > _UNLIKELY * pair.items:
        return [
            f"The measured lead of {best.name} over {other} is too small "
            f"({numbers.said_points(pair.difference)}) for any usual number of items to settle it."
        ]
    return [
        f"If {best.name} truly leads {other} by the {numbers.said_points(pair.difference)} that "
        f"were measured, about {numbers.count(needed)} test items show it with 80 % power."
    ]


def items_needed(pair: Difference) -> int | None:
    """Items that show the measured difference with 80 % power, as rounded as such a guess is.

    The smallest difference that is found falls with the root of the number of items.
    """
    if pair.detectable_corrected is None or not pair.difference:
        return None
    needed = pair.items * (pair.detectable_corrected / abs(pair.difference)) ** 2
    if needed > 10**9:
        return None
    step = 10 ** max(len(str(int(needed))) - 2, 0)
    return int(-(-needed // step) * step)


def _on_target(best: MethodResult, comparison: Comparison) -> list[Text]:
    target = comparison.target
    if target is None:
        return [
            [
                "Name the score that is good enough, so that a run can say who reaches it: ",
                Code("target_score"),
                " among the answers.",
            ]
        ]
    scored = [r for r in comparison.methods if r.score is not None]
    if any(r.interval is not None and r.interval.low >= target for r in scored):
        sure = [r.name for r in scored if r.interval is not None and r.interval.low >= target]
        return [[Strong(", ".join(sure)), f" reach {target:g} with the whole interval."]]
    if any(r.score is not None and r.score >= target for r in scored):
        return [f"Measure on more items before relying on {target:g}: no interval lies above it."]
    gap = target - (best.score or 0.0)
    return [
        f"The best method is {numbers.said_points(gap)} below {target:g}. Read what it gets wrong "
        "(below), then measure a larger model or more training examples, or lower the target."
    ]
