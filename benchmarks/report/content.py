"""What a report says, section by section, as blocks without markup."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from benchmarks.permutation import RISK
from benchmarks.records import CurvePoint, Environment
from benchmarks.report import numbers
from benchmarks.report.advice import advice_blocks, question_blocks
from benchmarks.report.agreement import agreement_blocks, agreement_columns
from benchmarks.report.choosing import choosing_blocks, good_enough_in_short
from benchmarks.report.document import (
    Block,
    Bullets,
    Code,
    Fence,
    Figure,
    Heading,
    Inline,
    Paragraph,
    Strong,
    Table,
    Text,
    excerpt,
)
from benchmarks.report.training import NOT_IMPROVED, training_blocks, training_in_short
from benchmarks.report.verdict import first_screen, next_steps
from benchmarks.results import MATTERS, Comparison, Curve, Difference, Flip, Flips, MethodResult
from benchmarks.slices import LEAST_ITEMS
from benchmarks.tasks.metrics import METRICS

_ANSWER_LENGTH = 200
_INPUT_LENGTH = 280
_SLICE_LENGTH = 60
_CAPTIONS = {
    "score-against-cost": "Score against the time to train, index and answer all test items. "
    "Circles are methods, squares are floors, bars are 95 % intervals; along the dotted line "
    "nothing is both cheaper and better.",
    "score-against-latency": "Score against the time of one answer alone, drawn in the same way.",
    "paired-differences": "The leader minus every other method, on the same items. Filled: "
    "separated after Holm's correction; open: not. Grey: floors without a language model.",
    "training-curves": "Training and validation loss of the trained methods.",
}
_STANDINGS = {
    "leader": "leader",
    "tied": "not separated from the leader",
    "behind": "behind",
    "ahead": "ahead of the leader",
}


def report_blocks(comparison: Comparison, figures: Sequence[str]) -> list[Block]:
    """The blocks of a report.

    Args:
        comparison: what to say.
        figures: names of the figures that were drawn.
    """
    sections: tuple[Callable[[Comparison], list[Block]], ...] = (
        first_screen,
        lambda c: _drawn_figures(figures, "score-against-cost"),
        _next,
        _findings,
        choosing_blocks,
        _limits,
        lambda c: _results(c, figures),
        lambda c: _costs(c, figures),
        _slices,
        _flips,
        question_blocks,
        advice_blocks,
        _advice_tested,
        _methods,
        training_blocks,
        lambda c: _drawn_figures(figures, "training-curves"),
        _all_differences,
        _environment,
        _reproduce,
        _cite,
    )
    title = Heading(1, f"Which adaptation method for “{comparison.run.task.title}”?")
    return [title, *(block for section in sections for block in section(comparison))]


def _drawn_figures(figures: Sequence[str], *names: str) -> list[Block]:
    return [Figure(name, _CAPTIONS[name]) for name in names if name in figures]


def _next(comparison: Comparison) -> list[Block]:
    steps = next_steps(comparison)
    return [Heading(2, "What to do next"), Bullets(steps, ordered=True)] if steps else []


def _findings(comparison: Comparison) -> list[Block]:
    found = [
        *training_in_short(comparison),
        *good_enough_in_short(comparison),
        *_floor(comparison),
        *_tested_in_short(comparison),
    ]
    return [Heading(2, "Findings"), Bullets(found)] if found else []


def _tested_in_short(comparison: Comparison) -> list[Text]:
    advice = comparison.advice
    if advice is None or advice.recommended is None:
        return []
    said: list[Inline] = [
        "The advice before the measurement was ",
        Strong(advice.recommended),
        ". ",
    ]
    if advice.regret is None:
        return [[*said, " ".join(advice.notes)]]
    estimate, at_most = advice.regret.cross_fitted, advice.regret.at_most
    regret = f"{numbers.said_points(estimate)}, at most {numbers.said_points(at_most)}"
    return [[*said, f"Its cross-fitted regret ({advice.compared}) is {regret}."]]


def _floor(comparison: Comparison) -> list[Text]:
    if comparison.best_floor is None or comparison.leader is None:
        return []
    floor = comparison.method(comparison.best_floor)
    said: list[Inline] = [
        "The best floor without a language model is ", Strong(floor.name),
        f" with {numbers.score(floor.score, floor.interval)}. ",
    ]  # fmt: skip
    if comparison.above_floor:
        above = ", ".join(comparison.above_floor)
        return [[*said, f"Separated above it: {above}."]]
    ahead = f", and it is separated above {comparison.leader}" if floor.standing == "ahead" else ""
    verdict = f"No method is separated above it{ahead}{_need(comparison)}"
    if any(r.unimproved for r in comparison.methods):
        verdict = (
            "No method is separated above it, but not every training improved on the start, so "
            "this does not mean that no language model is needed."
        )
    against = [d for d in comparison.against(comparison.leader) if d.b == floor.name]
    margins = [
        f" {d.a} minus {d.b}: {numbers.points_between(d.difference, d.interval)} points before "
        "correction for the number of pairs."
        for d in against
    ]
    done = ("finished", "refused")
    missing = [m.name for m in comparison.methods if not m.floor and m.status not in done]
    left = f" Without a full result: {', '.join(missing)}." if missing else ""
    return [[*said, Strong(verdict), *margins, left]]


def _need(comparison: Comparison) -> str:
    """Whether a sample in which nothing is above the best floor shows no need of a model.

    It does not where it leaves room for a lead that matters: to miss one is not to rule it out.
    """
    may_be = comparison.may_matter([m.name for m in comparison.methods if not m.floor])
    if may_be is None:
        return (
            f", and the 95 % intervals of all leads over it end below {100 * MATTERS:g} points: "
            "this sample shows no need for a language model."
        )
    missed = may_be.detectable_corrected
    below = (
        f", and a lead below {numbers.said_points(missed)} is found in fewer than 80 % of such "
        "samples"
        if missed
        else ""
    )
    return (
        f", but there are too few items to tell ({comparison.items}) whether a language model is "
        f"needed: {may_be.a} may lead it by up to "
        f"{numbers.said_points(may_be.interval.high)}{below}."
    )


def _resolution(comparison: Comparison) -> str:
    if comparison.typical_detectable is None:
        return "The smallest difference that this sample can show is not defined here."
    one = numbers.said_points(comparison.typical_detectable)
    corrected = comparison.typical_detectable_corrected
    many = "not defined" if corrected is None else numbers.said_points(corrected)
    return (
        f"The smallest difference that this sample finds with 80 % power is {one} for one "
        f"pair of methods (median over pairs), {many} after correction for all pairs. Smaller "
        "true differences may exist and stay unseen."
    )


# ---------------------------------------------------------------- results


def _methods(comparison: Comparison) -> list[Block]:
    rows: list[list[Text]] = [
        [Code(r.name), r.summary, "; ".join(f"{part}: {what}" for part, what in r.parts.items())]
        for r in comparison.methods
        if r.parts
    ]
    trained = [
        f"{curve.method}, seed {curve.seed}: {curve.points[-1].epoch:.2g} epochs were trained"
        + (f", the weights of epoch {best.epoch:.2g} were kept" if best else "")
        + "."
        for curve in comparison.curves
        for best in [_kept(curve)]
    ]
    return [
        Heading(2, "Methods"),
        Table(["method", "what it does", "settings"], rows),
        *([Bullets(trained)] if trained else []),
    ]


def _kept(curve: Curve) -> CurvePoint | None:
    """The point of lowest validation loss after the start, which is kept; None without any."""
    validated = [p for p in curve.points if p.step > 0 and p.validation_loss is not None]
    return min(validated, key=lambda p: p.validation_loss or 0.0) if validated else None


def _results(comparison: Comparison, figures: Sequence[str]) -> list[Block]:
    intro = (
        f"Primary metric: {comparison.run.task.metric}. In brackets stand 95 % intervals, each for "
        "one figure. Differences are paired on the same items. Their p-values are corrected by "
        "Holm's method over all pairs of methods and of a method and a floor together; "
        "“separated” means below 0.05 after it, so an interval that leaves 0 out is not yet a "
        "separation. A dash is an undefined figure."
    )
    columns = [
        "format kept: share of answers in the asked format; where labels are chosen by likelihood, "
        "of answers that were generated freely beside them, not of those that were scored.",
        "recall at k: share of the items with known gold passages that were shown one of them.",
        "spread over seeds: standard deviation of the score, in points.",
    ]
    metrics = (comparison.run.task.metric, *comparison.run.task.metrics)
    known = [f"{name}: {METRICS[name].summary}." for name in metrics if name in METRICS]
    return [
        Heading(2, "Results"),
        Paragraph(intro),
        _score_table(comparison),
        Bullets([*columns, *known]),
        *_other_metrics(comparison),
        *agreement_blocks(comparison),
        *_without_result(comparison),
        *_drawn_figures(figures, "paired-differences"),
    ]


def _score_table(comparison: Comparison) -> Table:
    head = [
        "method", "standing", "score", "minus leader, points", "p (Holm)", "format kept",
        "recall at k", "spread over seeds",
    ]  # fmt: skip
    against = (
        {d.b: d.seen_from(d.b) for d in comparison.against(comparison.leader)}
        if comparison.leader
        else {}
    )
    rows = [_score_row(result, against.get(result.name)) for result in comparison.methods]
    return Table(head, rows, figures=True)


def _score_row(result: MethodResult, difference: Difference | None) -> list[Text]:
    kind = " (floor)" if result.floor else ""
    standing = _STANDINGS.get(result.standing or "", result.status)
    if result.unimproved:
        standing = f"{standing}; {NOT_IMPROVED}"
    return [
        [Code(result.name), kind],
        standing,
        numbers.score(result.score, result.interval),
        numbers.points_between(difference.difference, difference.interval)
        if difference
        else numbers.UNDEFINED,
        _p_holm(difference) if difference else numbers.UNDEFINED,
        numbers.share(result.format_validity),
        numbers.share(result.recall_at_k),
        numbers.unsigned_points(result.seed_spread),
    ]


def _other_metrics(comparison: Comparison) -> list[Block]:
    names = comparison.run.task.metrics
    if not names:
        return []
    rows: list[list[Text]] = [
        [Code(r.name), *(numbers.score(r.scores.get(name)) for name in names)]
        for r in comparison.methods
        if r.scores
    ]
    return [Paragraph("Further metrics:"), Table(["method", *names], rows, figures=True)]


def _without_result(comparison: Comparison) -> list[Block]:
    rows: list[list[Text]] = [
        [
            Code(result.name),
            f"{problem.status}, seed {problem.seed}",
            [problem.kind + ": " if problem.kind else "", Code(excerpt(problem.message, 300))],
        ]
        for result in comparison.methods
        for problem in result.problems
    ]
    if not rows:
        return []
    return [
        Paragraph(
            "Without a full result. A failure counts against its method: it has no score, it "
            "cannot lead, and it is not left out."
        ),
        Table(["method", "what happened", "why"], rows),
    ]


# ---------------------------------------------------------------- slices


def _slices(comparison: Comparison) -> list[Block]:
    if not comparison.slices:
        return []
    plain = comparison.run.task.metric == "macro_f1"
    intro = (
        f"{'Share of right answers' if plain else comparison.run.task.metric} on parts of the "
        "test items. Only pairs of methods that are separated on all items are tested on slices "
        f"of {LEAST_ITEMS} items and more, corrected by Holm's method for all pairs on all of "
        "these together: a report on equal methods makes no more claims for its slices, and where "
        "methods differ, at most 5 % of reports say something false of any slice."
    )
    kinds = dict.fromkeys(each.by for each in comparison.slices)
    return [
        Heading(2, "By slice"),
        Paragraph(intro),
        *(block for by in kinds for block in _slices_by(by, comparison)),
        *_separated_on_slices(comparison),
    ]


def _slices_by(by: str, comparison: Comparison) -> list[Block]:
    mine = [each for each in comparison.slices if each.by == by]
    names = [m.name for m in comparison.methods if m.name in mine[0].scores]
    rows: list[list[Text]] = [
        [
            Code(excerpt(each.value, _SLICE_LENGTH)),
            str(each.items),
            *(numbers.score(each.scores[name]) for name in names),
        ]
        for each in mine
    ]
    smaller = comparison.slices_left_out.get(by, 0)
    note = [Paragraph(f"{smaller} more with fewer items are left out.")] if smaller else []
    return [Table([by, "items", *names], rows, figures=True), *note]


def _separated_on_slices(comparison: Comparison) -> list[Block]:
    separated = [
        (each, difference)
        for each in comparison.slices
        for difference in each.differences
        if difference.separated
    ]
    tested = sum(len(each.differences) for each in comparison.slices)
    if not separated:
        return [Paragraph(f"Of {tested} tests of a pair on a slice none separates the two.")]
    rows: list[list[Text]] = [
        [
            f"{each.by}: {excerpt(each.value, _SLICE_LENGTH)}",
            [Code(d.a), " − ", Code(d.b)],
            numbers.points_between(d.difference, d.interval),
            _p_holm(d),
        ]
        for each, d in separated
    ]
    return [
        Paragraph(f"Of {tested} tests of a pair on a slice these separate the two:"),
        Table(["slice", "pair", "difference, points", "p (Holm)"], rows, figures=True),
    ]


# ---------------------------------------------------------------- costs


def _costs(comparison: Comparison, figures: Sequence[str]) -> list[Block]:
    head = [
        "method", "training", "index", "answers", "items/s", "p50", "p95", "peak memory",
        "trained parameters", "artifact", "prompt tokens", "output tokens", "reused",
    ]  # fmt: skip
    rows = [_cost_row(result) for result in comparison.methods if result.items]
    if not rows:
        return []
    intro = (
        f"Measured, never estimated, and true of {_machines(comparison)} only. “answers” and "
        f"items/s: all {comparison.items} test items in batches, encoding and search included; p50 "
        f"and p95: the latency of one item alone, over {comparison.latency_items} items, in a "
        "process that has loaded its model and keeps in memory what all prompts begin with; "
        "tokens: mean per item; peak memory: of the arm's process, libraries included, the larger "
        "of training and answering (on a GPU, what torch took of the GPU's memory). Work taken "
        "from the store (last column) keeps the cost it had when it was first done. With several "
        "seeds, times are means and sizes are the largest."
    )
    return [
        Heading(2, "Costs"),
        Paragraph(intro),
        Table(head, rows, figures=True),
        *_cheap(comparison),
        *_drawn_figures(figures, "score-against-latency"),
    ]


def _machines(comparison: Comparison) -> str:
    if comparison.run.executor == "local":
        return "the machine named below"
    return "the machines of a Ray cluster, begun from the one named below, arms side by side,"


def _cost_row(result: MethodResult) -> list[Text]:
    cost = result.cost
    return [
        Code(result.name),
        numbers.duration(cost.train_seconds),
        numbers.duration(cost.index_seconds),
        numbers.duration(cost.answer_seconds),
        numbers.significant(cost.items_per_second),
        numbers.duration(cost.latency_p50_seconds),
        numbers.duration(cost.latency_p95_seconds),
        numbers.size(cost.peak_memory_bytes),
        numbers.parameters(cost.trainable_parameters),
        numbers.size(cost.artifact_bytes),
        numbers.significant(cost.prompt_tokens),
        numbers.significant(cost.output_tokens),
        ", ".join(result.reused) or numbers.UNDEFINED,
    ]


def _cheap(comparison: Comparison) -> list[Block]:
    kinds = {
        "total_seconds": "training, indexing and answering the test split",
        "latency_p50_seconds": "the time of one answer alone",
    }
    said: list[Text] = [
        f"By {kinds[frontier.cost]}, nothing is both cheaper and better than: "
        + ", ".join(point.name for point in frontier.points if point.efficient)
        + "."
        for frontier in comparison.frontiers
    ]
    return [Bullets(said)] if said else []


# ---------------------------------------------------------------- flips


def _flips(comparison: Comparison) -> list[Block]:
    if not comparison.flips:
        return []
    labelled = any(f.agreement for f in comparison.flips)
    rows: list[list[Text]] = [
        [
            Code(f.method), str(f.fixed), str(f.broken), str(f.unchanged),
            *(agreement_columns(f.agreement) if labelled else []),
        ]
        for f in comparison.flips
    ]  # fmt: skip
    head = ["method", "fixed", "broken", "unchanged", *(["same label", "kappa"] * labelled)]
    baseline = comparison.flips[0].baseline
    intro = (
        f"Items on which a method does better (fixed) or worse (broken) than {baseline}. The "
        "examples are those that changed most, in order of their id; they are real answers."
    )
    if labelled:
        intro += (
            f" “Same label”: share of items that the method and {baseline} label alike, right or "
            "wrong, and Cohen's kappa of the two, which is that agreement beyond chance."
        )
    return [
        Heading(2, "What each method fixed and broke"),
        Paragraph(intro),
        Table(head, rows, figures=True),
        *(block for flips in comparison.flips for block in _examples(flips)),
    ]


def _examples(flips: Flips) -> list[Block]:
    rows = [
        *(_example("fixed", flip) for flip in flips.fixed_examples),
        *(_example("broken", flip) for flip in flips.broken_examples),
    ]
    if not rows:
        return []
    head = ["", "item", "input", "accepted answer", flips.baseline, flips.method]
    return [Heading(3, flips.method), Table(head, rows)]


def _example(kind: str, flip: Flip) -> list[Text]:
    return [
        kind,
        Code(flip.id),
        numbers.UNDEFINED if flip.input is None else Code(excerpt(flip.input, _INPUT_LENGTH)),
        Code(excerpt(flip.reference, _ANSWER_LENGTH)),
        [Code(excerpt(flip.before, _ANSWER_LENGTH)), f" ({flip.before_value:.2g})"],
        [Code(excerpt(flip.after, _ANSWER_LENGTH)), f" ({flip.after_value:.2g})"],
    ]


# ---------------------------------------------------------------- advice against measurement


def _advice_tested(comparison: Comparison) -> list[Block]:
    advice = comparison.advice
    if advice is None:
        return []
    rows: list[list[Text]] = [
        ["recommended", _named(comparison, advice.recommended)],
        ["best measured, of the methods that the answers allow", _named(comparison, advice.winner)],
        ["methods that the answers allow", ", ".join(advice.allowed) or numbers.UNDEFINED],
    ]
    if advice.regret is not None:
        regret = advice.regret
        picks = sorted(regret.wins.items(), key=lambda pick: (-pick[1], pick[0]))
        rows += [
            ["cross-fitted regret, points", numbers.regret(regret.cross_fitted, regret.at_most)],
            ["naive regret, points (biased upward)", numbers.unsigned_points(regret.naive)],
            ["picked on a half", ", ".join(f"{n} {numbers.share(s)}" for n, s in picks if s)],
        ]
    explained = (
        "Regret is what following the advice cost against picking by measurement. The naive "
        "figure compares on the items that picked the winner, so luck counts as skill. The "
        "cross-fitted figure picks the winner on one random half of the items and compares on "
        "the other, both ways, over many splits; at 0, measuring would not have picked better as "
        "far as these items tell. “At most” is a one-sided 95 % upper bound: the largest that any "
        "method's true lead over the advised one may be."
    )
    return [
        Heading(2, "Recommended against measured"),
        Paragraph(explained),
        Table(["", ""], rows),
        *(Paragraph(note) for note in advice.notes),
    ]


def _named(comparison: Comparison, name: str | None) -> Text:
    if name is None:
        return numbers.UNDEFINED
    result = next((r for r in comparison.methods if r.name == name), None)
    if result is None:
        return [Code(name), " (not in this run)"]
    return [Code(name), f" {numbers.score(result.score, result.interval)}"]


# ---------------------------------------------------------------- all pairs


def _all_differences(comparison: Comparison) -> list[Block]:
    if not comparison.differences:
        return []
    head = [
        "pair", "difference, points", "p", "p (Holm)", "items that differ",
        "smallest detectable, points", "the same, corrected", "test", "interval",
    ]  # fmt: skip
    rows = [_difference_row(difference) for difference in comparison.differences]
    intro = (
        "The first method minus the second, on the same items. “Items that differ” have another "
        "value under the two. “Smallest detectable” is the true difference that this sample would "
        "find in 80 % of samples, uncorrected and at the strictest level of the correction."
        f"{_drawn(comparison)}"
    )
    return [Heading(2, "All paired differences"), Paragraph(intro), Table(head, rows, figures=True)]


def _drawn(comparison: Comparison) -> str:
    """How p-values were drawn; "" where all are exact."""
    pairs = [*comparison.differences, *(d for each in comparison.slices for d in each.differences)]
    if not any(d.p_bounds and d.p_bounds[0] < d.p_bounds[1] for d in pairs):
        return ""
    open_ = sum(not d.safe for d in pairs)
    said = (
        " P-values of permutation tests come from random draws, and draws went on until more of "
        "them could not change which pairs are separated after Holm's correction; with a chance of "
        f"at most {100 * RISK:g} % for one p-value its bounds are wrong."
    )
    if not open_:
        return said
    return (
        f"{said} {numbers.counted(open_, 'difference', 'differences')} marked “not settled” could "
        "not be decided so with the most draws that are made."
    )


def _p_holm(difference: Difference) -> str:
    settled = "" if difference.safe else " (not settled)"
    return f"{numbers.p_value(difference.p_holm)}{settled}"


def _difference_row(difference: Difference) -> list[Text]:
    return [
        [Code(difference.a), " − ", Code(difference.b)],
        numbers.points_between(difference.difference, difference.interval),
        numbers.p_value(difference.p_value),
        _p_holm(difference),
        numbers.share(difference.discordance),
        numbers.unsigned_points(difference.detectable),
        numbers.unsigned_points(difference.detectable_corrected),
        difference.test,
        difference.interval.method,
    ]


# ---------------------------------------------------------------- limits and provenance


def _limits(comparison: Comparison) -> list[Block]:
    task = comparison.run.task
    cuts = {k: v for k, v in comparison.limits.model_dump().items() if v is not None}
    cut = (
        "The splits were cut to at most "
        + ", ".join(f"{value} {split}" for split, value in cuts.items())
        + " items, in a fixed order."
        if cuts
        else "The splits were used whole."
    )
    said: list[str] = [
        *comparison.notes,
        f"One frozen split: {task.train} training, {task.validation} validation, {task.test} test "
        f"items and {task.corpus} passages. {cut}",
        _resolution(comparison),
        *_truncated(comparison),
        f"Times and memory are of {_machines(comparison)}, and of whatever else was done there.",
        f"The scores are about {task.id} and {comparison.run.model}; another model, another data "
        "size or another task can turn the order.",
    ]
    return [Heading(2, "Limits"), Bullets(list(dict.fromkeys(said)))]


def _truncated(comparison: Comparison) -> list[str]:
    cut = [f"{r.name} {r.truncated}" for r in comparison.methods if r.truncated]
    if not cut:
        return ["No prompt had to be cut to fit the model's context."]
    return [f"Prompts cut to fit the model's context: {', '.join(cut)}."]


def _environment(comparison: Comparison) -> list[Block]:
    table = environment_table(comparison.run.environment)
    return [Heading(2, "Environment"), table, *_hashes(comparison)]


def environment_table(env: Environment) -> Table:
    """The machine and the libraries that numbers come from."""
    libraries = ", ".join(f"{name} {version}" for name, version in sorted(env.libraries.items()))
    rows: list[list[Text]] = [
        ["processor", f"{env.cpu}, {env.cores} cores, {env.threads} threads"],
        ["memory", numbers.size(env.memory_bytes)],
        ["GPU", env.gpu or "none"],
        ["precision", env.precision],
        ["system", env.platform],
        ["Python", env.python],
        ["libraries", libraries],
    ]
    return Table(["", ""], rows)


def _hashes(comparison: Comparison) -> list[Block]:
    run = comparison.run
    hashes = {
        "plan": run.plan_sha256,
        f"task {run.task.id}": run.task.sha256,
        f"model {run.model}": run.model_sha256,
        "embedder": run.embedder_sha256,
    }
    for result in comparison.methods:
        for seed, fingerprint in zip(result.seeds, result.fingerprints, strict=True):
            hashes[f"fingerprint of {result.name}, seed {seed.seed}"] = fingerprint
    rows: list[list[Text]] = [[of, Code(value)] for of, value in hashes.items() if value]
    return [Heading(2, "Hashes (SHA-256)"), Table(["of", ""], rows)]


def _reproduce(comparison: Comparison) -> list[Block]:
    commit = comparison.run.commit
    at: list[Block] = [Paragraph(["Code at commit ", Code(commit), "."])] if commit else []
    return [
        Heading(2, "Reproduce"),
        Paragraph("The run was made by this command:"),
        Fence(comparison.run.command, "sh"),
        Paragraph(
            "Its plan with nothing left open lies in the run folder. From there, into a new "
            "folder; a task that is read from public files finds them by --data-dir:"
        ),
        Fence("advisor bench plan.yaml --out ../again", "sh"),
        *at,
    ]


def _cite(comparison: Comparison) -> list[Block]:
    run = comparison.run
    year = run.created[:4]
    key = "".join(letter for letter in run.id if letter.isalnum())
    compared = _bibtex(f"{run.task.id} with {run.model}")
    entry = (
        f"@misc{{advisor{key},\n"
        f"  title  = {{Adaptation methods compared on {compared}}},\n"
        f"  author = {{{{Adaptation Advisor}}}},\n"
        f"  year   = {{{year}}},\n"
        f"  note   = {{Run {_bibtex(run.id)}, plan SHA-256 {run.plan_sha256}, "
        f"task SHA-256 {run.task.sha256}}}\n"
        "}"
    )
    source: Text = f"Task data: {run.task.source.rstrip('.') or 'no source stated'}. Licence: " + (
        run.task.licence or "not stated"
    )
    return [Heading(2, "Cite"), Fence(entry, "bibtex"), Paragraph(source)]


def _bibtex(text: str) -> str:
    """Text in which BibTeX and LaTeX find no command."""
    return "".join(f"\\{letter}" if letter in "_%#&${}" else letter for letter in text)
