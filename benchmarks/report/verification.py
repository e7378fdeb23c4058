"""A `Verification` laid out: the tables that the command line prints, and the report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

from benchmarks.report import numbers
from benchmarks.report.document import (
    Block,
    Bullets,
    Code,
    Figure,
    Heading,
    Paragraph,
    Strong,
    Table,
    Text,
)
from benchmarks.report.html import html_page
from benchmarks.report.markdown import markdown_text
from benchmarks.verification import (
    ADVISOR,
    FEWEST_TASKS,
    Argument,
    Choice,
    Mean,
    Outcome,
    Paired,
    Summary,
    Verification,
    VerifiedRun,
    simple_rules_as_good,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing

RUN_HEADS = ("run", "advised", "best measured", "regret, points", "outcome", "target")
POLICY_HEADS = (
    "policy", "mean regret", "advisor minus it", "advisor better", "same", "worse", "p (signs)",
    "chose the same", "hit", "not separated", "miss", "not tested", "fell back",
)  # fmt: skip
_FIGURE = "regret-by-run"
_SPLIT = "All items are of each task's test split, the only one that a bench scores."
HOW = (
    "Regret is what a choice cost against picking by measurement, in points of the run's primary "
    "metric. It is cross-fitted: the winner is picked on one random half of the items and "
    "compared on the other, both ways, over many splits. 0 says that measuring would not have "
    "picked better, as far as these items tell. “At most” is a one-sided 95 % upper bound: the "
    "largest that any method's true lead over the choice may be. All choices of a run are compared "
    "on the same items and halves, and only methods that the answers allow can win."
)
_OUTCOMES: tuple[Text, ...] = (
    "hit: what was chosen scores highest.",
    "not separated: something else does, but the run's paired test, after Holm's correction, does "
    "not separate the two.",
    "miss: it is separated from what scores highest, or was tried and gave no full result.",
    "not tested: the run holds no measurement that could contradict it, such as a full result of "
    "another method.",
    "A verdict other than a method claims to be good enough, not best. So “no adaptation” (the "
    "plain prompt stands for it) and “no language model” (the best floor) are a hit where the "
    "target is reached, “not separated” where it is not but no allowed method is separated above, "
    "and otherwise a miss. “No method reaches” is a hit where the best allowed method misses the "
    "target, a miss where its whole interval, widened for the number of methods, reaches it, and "
    "“not separated” between; it has no regret.",
)
_MEANS = (
    "Each run's regret is divided by the distance from its worst method to its best, of those that "
    "can win, so that runs of different metrics can be averaged: 0 % is the best method, 100 % the "
    "worst. The table shows means over tasks, of the means of their runs, over the runs in which "
    "the regret is known. “At most” is the mean of the runs' upper bounds. It holds the true mean "
    "with at least 95 % where errors are about normal, whether or not the runs depend on one "
    "another; the distances are taken as they were measured, and no bound is above 100 %. "
    "“Advisor minus it” is paired, run by run: below 0 the advisor did better. Beside it stands in "
    "how many runs the advisor's regret is the smaller, the same or the larger one, with an exact "
    f"sign test over tasks where {FEWEST_TASKS} or more differ."
)
_FALLBACKS = (
    "“Fell back”: the plain prompt stood in, because the policy's method could not be used. These "
    "runs are in its mean regret, and not among its outcomes."
)
_RULES = (
    "How they choose. A method can be used where the answers allow it and the task does not refuse "
    "it. No policy but the advisor ends in a verdict, and its outcomes are of its method alone."
)
_CAPTION = (
    "Regret by run: filled, the advisor, with a bar up to its one-sided 95 % upper bound; open, "
    "the policies. Left is better."
)
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
_MARGIN = 0.02
"""Of the axis of regrets, so that markers at 0 are whole."""
_ADVISOR_COLOR, _POLICY_COLOR = "#0072B2", "#666666"


def render_verification(
    verification: Verification, form: Literal["md", "html"], stem: str
) -> dict[str, bytes]:
    """The files of a report by relative name, the report itself first.

    The same verification gives the same bytes.

    Args:
        verification: what to lay out.
        form: ``md`` comes with its figure beside it; ``html`` is one file.
        stem: name of the report without its ending.
    """
    figures = _figures(verification)
    blocks = verification_blocks(verification, tuple(figures))
    if form == "html":
        return {f"{stem}.html": html_page(blocks, figures).encode()}
    folder = f"{stem}-figures"
    return {
        f"{stem}.md": markdown_text(blocks, folder).encode(),
        **{f"{folder}/{name}.svg": drawn for name, drawn in figures.items()},
    }


def verification_blocks(verification: Verification, figures: Sequence[str] = ()) -> list[Block]:
    """The blocks of a report.

    Args:
        verification: what to say.
        figures: names of the figures that were drawn.
    """
    about: Text = (
        "Flowchart: ", verification.flowchart, ", SHA-256 with its evidence ",
        Code(verification.flowchart_sha256), ". The advice is what it says today.",
    )  # fmt: skip
    return [
        Heading(1, "The advice, tested"),
        Paragraph(about),
        Heading(2, "In short"),
        Bullets(in_short(verification)),
        *_run_by_run(verification, figures),
        *_beside_policies(verification),
        *_misses(verification),
        *_changed(verification),
        *_provenance(verification),
    ]


# ---------------------------------------------------------------- tables


def run_rows(verification: Verification) -> list[tuple[str, ...]]:
    """A line a run, under `RUN_HEADS`."""
    return [_run_row(run, run.choice(ADVISOR)) for run in verification.runs]


def policy_rows(verification: Verification) -> list[tuple[str, ...]]:
    """A line for the advisor and for every policy, under `POLICY_HEADS`."""
    return [_policy_row(summary, len(verification.runs)) for summary in verification.summaries]


def _run_row(run: VerifiedRun, choice: Choice) -> tuple[str, ...]:
    stands_for = choice.method if choice.method not in (None, run.advised.said) else None
    winner = f"{run.winner} {numbers.score(run.score, run.interval)}" if run.winner else None
    return (
        run.run.id,
        f"{run.advised.said} ({stands_for})" if stands_for else run.advised.said,
        winner or numbers.UNDEFINED,
        _regret(choice),
        outcome_name(choice.outcome),
        _target(run, choice),
    )


def outcome_name(outcome: Outcome) -> str:
    """An outcome in words; that two are not separated does not make them equal."""
    return "not separated" if outcome == "tied" else outcome


def _target(run: VerifiedRun, choice: Choice) -> str:
    """The score that was called good enough, and whether what was advised reaches it."""
    if run.advised.target is None:
        return "none"
    said = {True: " reached", False: " missed", None: ""}
    return f"{run.advised.target:g}{said[choice.reached]}"


def _regret(choice: Choice) -> str:
    if choice.regret is None:
        return numbers.UNDEFINED
    return numbers.regret(choice.regret.cross_fitted, choice.regret.at_most)


def _policy_row(summary: Summary, runs: int) -> tuple[str, ...]:
    return (
        summary.policy,
        _mean(summary.regret, runs),
        *_beside(summary.beside, runs),
        numbers.UNDEFINED if summary.policy == ADVISOR else str(summary.same),
        *(str(number) for number in summary.outcomes.values()),
        numbers.UNDEFINED if summary.policy == ADVISOR else str(summary.fell_back),
    )


def _beside(beside: Paired | None, runs: int) -> tuple[str, ...]:
    if beside is None:
        return (numbers.UNDEFINED,) * 5
    return (
        f"{numbers.signed_share(beside.value)}{_over(beside.runs, runs)}",
        *(str(number) for number in (beside.better, beside.same, beside.worse)),
        numbers.UNDEFINED if beside.p_value is None else numbers.p_value(beside.p_value),
    )


def _mean(mean: Mean | None, runs: int) -> str:
    """A mean with its upper bound, in points too where they can be averaged."""
    if mean is None:
        return numbers.UNDEFINED
    said = numbers.regret(mean.value, mean.at_most, " %")
    points = f" ({numbers.regret(*mean.points)} points)" if mean.points else ""
    return f"{said}{points}{_over(mean.runs, runs)}"


def _over(known: int, runs: int) -> str:
    """Over how many runs a mean is, where that is not all."""
    return "" if known == runs else f", {_count(known, 'run')}"


# ---------------------------------------------------------------- sentences


def in_short(verification: Verification) -> list[str]:
    """What came out, in sentences; what weakens the headline stands in it."""
    return [
        _headline(verification),
        *_simple_rules(verification),
        *_mean_in_short(verification),
        *_told_apart(verification),
        *_fallbacks(verification),
        *verification.notes,
    ]


def _headline(verification: Verification) -> str:
    """The outcomes, and in how many runs they weigh little."""
    runs = verification.runs
    outcomes = verification.summaries[0].outcomes
    counts = ", ".join(f"{outcome_name(kind)} {count}" for kind, count in outcomes.items() if count)
    leads = [run.lead for run in runs if run.lead]
    named = [run.choice(ADVISOR).reached for run in runs if run.advised.target is not None]
    floors = [run.above_floor for run in runs if run.above_floor is not None]
    sampled = [run.in_sample for run in runs if run.in_sample is not None]
    weights = (
        f"The best method is separated from the next best in {sum(d.separated for d in leads)} of "
        f"{_count(len(leads), 'run')}.",
        f"A target was named in {_count(len(named), 'run')}, and what was advised reaches it in "
        f"{sum(reached is True for reached in named)}."
        if named
        else "No run names a target.",
        f"In {sum(not above for above in floors)} of {_count(len(floors), 'run')} no method is "
        "separated above the best floor without a language model."
        if floors
        else "No run has a floor without a language model.",
        f"{sum(sampled)} of {_count(len(runs), 'run')} {_are(sum(sampled))} in sample."
        if len(sampled) == len(runs)
        else "Which runs are in sample was not said.",
        f"{sum(run.seeds == 1 for run in runs)} of {_count(len(runs), 'run')} "
        f"{'has' if sum(run.seeds == 1 for run in runs) == 1 else 'have'} one seed.",
    )
    return f"The advice for {_count(len(runs), 'run')}: {counts}. {' '.join(weights)}"


def _simple_rules(verification: Verification) -> list[str]:
    """Which simple rules do as well as the advisor, those that measure apart."""
    found = simple_rules_as_good(verification)
    runs = len(verification.runs)
    rules = [_scored(p, runs) for p in found if p.kind == "answers"]
    measuring = [_scored(p, runs) for p in found if p.kind == "measurements"]
    said = []
    if rules:
        said.append(f"A simple rule does at least as well as the advisor here: {_list(rules)}.")
    if measuring:
        said.append(
            "A rule that looks at measurements does at least as well as the advisor here: "
            f"{_list(measuring)}."
        )
    return said


def _scored(policy: Summary, runs: int) -> str:
    regret = f"mean regret {100 * policy.regret.value:.1f} %, " if policy.regret else ""
    return f"“{policy.policy}” ({regret}hit {policy.outcomes['hit']} of {runs})"


def _mean_in_short(verification: Verification) -> list[str]:
    mean = verification.summaries[0].regret
    if mean is None:
        return []
    points = f" ({numbers.regret(*mean.points)} points)" if mean.points else ""
    over = "" if mean.runs == len(verification.runs) else f", over {_count(mean.runs, 'run')}"
    return [
        f"The advisor's mean regret is {numbers.regret(mean.value, mean.at_most, ' %')} of the way "
        f"from the best method to the worst{points}{over}."
    ]


def _told_apart(verification: Verification) -> list[str]:
    policies = [(p.policy, p.beside) for p in verification.summaries[1:] if p.beside]
    test = "a sign test over tasks that is not corrected for the number of policies"
    groups = {
        f"The advisor did better, by {test}, than": [
            name for name, b in policies if b.separated and b.value < 0
        ],
        f"The advisor did worse, by {test}, than": [
            name for name, b in policies if b.separated and b.value >= 0
        ],
        f"Not told apart from the advisor by a sign test over tasks, or different in fewer than "
        f"{FEWEST_TASKS} of them": [name for name, b in policies if not b.separated],
    }
    return [f"{said}: {_list(names)}." for said, names in groups.items() if names]


def _fallbacks(verification: Verification) -> list[str]:
    runs = len(verification.runs)
    mostly = [
        f"{policy.policy} ({policy.fell_back} of {runs})"
        for policy in verification.summaries[1:]
        if 2 * policy.fell_back > runs
    ]
    if not mostly:
        return []
    return [
        f"Most choices of these policies are the plain prompt, which stood in: {_list(mostly)}. "
        "Their mean regret says little of their own method."
    ]


def details(run: VerifiedRun) -> list[str]:
    """What the line of a run does not say."""
    choice = run.choice(ADVISOR)
    said = [choice.why] if choice.why else []
    if choice.behind is not None:
        behind = choice.behind
        by = numbers.points_between(behind.difference, behind.interval)
        said.append(
            f"{behind.a} minus {behind.b} is {by} points, p (Holm) "
            f"{numbers.p_value(behind.p_holm)}."
        )
    if choice.method in run.rivals and choice.regret is None and len(run.rivals) > 1:
        said.append(f"{_count(run.units, 'unit')} are too few to split, so regret is not known.")
    return [*said, *run.notes]


def change(run: VerifiedRun) -> str | None:
    """Where today's advice differs from the one that was kept with the run."""
    if run.stored is None or run.stored == run.advised.said:
        return None
    return f"{run.advised.said} today, {run.stored} when the run was planned."


def arguments(run: VerifiedRun) -> list[tuple[str, str, str, str]]:
    """What the flowchart had for and against the winner, then for and against its own choice.

    Returns:
        Method, node, strength and reason; a line without the middle two where nothing was said.
    """
    chosen = dict.fromkeys((run.winner, run.choice(ADVISOR).method))
    return [row for method in chosen if method for row in _argued(method, run.advised.arguments)]


def _argued(method: str, said: Sequence[Argument]) -> list[tuple[str, str, str, str]]:
    rows = [
        (method, a.node, f"{a.strength:+d}", f"{a.text} [{', '.join(a.evidence)}]")
        for a in said
        if a.method == method
    ]
    nothing = (method, numbers.UNDEFINED, numbers.UNDEFINED, "Nothing was said for or against it.")
    return rows or [nothing]


def missed(verification: Verification) -> list[VerifiedRun]:
    """The runs in which the advice was a miss."""
    return [run for run in verification.runs if run.choice(ADVISOR).outcome == "miss"]


# ---------------------------------------------------------------- sections


def _run_by_run(verification: Verification, figures: Sequence[str]) -> list[Block]:
    rows: list[list[Text]] = [[Code(name), *cells] for name, *cells in run_rows(verification)]
    lines: list[Text] = [
        [Code(run.run.id), f": {line}"] for run in verification.runs for line in details(run)
    ]
    return [
        Heading(2, "Run by run"),
        Paragraph(HOW),
        Table(RUN_HEADS, rows),
        *_listed("What the table does not say:", lines),
        *(Figure(name, _CAPTION) for name in figures),
        Paragraph("The outcomes:"),
        Bullets(_OUTCOMES),
    ]


def _beside_policies(verification: Verification) -> list[Block]:
    rules: list[Text] = [[Strong(s.policy), f": {s.rule}"] for s in verification.summaries]
    names = [summary.policy for summary in verification.summaries]
    chosen: list[list[Text]] = [
        [Code(run.run.id), *(_chosen(choice) for choice in run.choices)]
        for run in verification.runs
    ]
    unknown: list[Text] = [
        [Code(run.run.id), f", {choice.policy}: {choice.why or 'too few items to split.'}"]
        for run in verification.runs
        for choice in run.choices
        if choice.regret is None and choice.policy != ADVISOR
    ]
    return [
        Heading(2, "Beside fixed policies"),
        Paragraph(_MEANS),
        Table(POLICY_HEADS, policy_rows(verification), figures=True),
        Paragraph(_FALLBACKS),
        Paragraph(_RULES),
        Bullets(rules),
        Paragraph("What each chose in each run, with its cross-fitted regret in points:"),
        Table(["run", *names], chosen),
        *_listed("Without a known regret:", unknown),
    ]


def _listed(title: str, lines: Sequence[Text]) -> list[Block]:
    return [Paragraph(title), Bullets(lines)] if lines else []


def _chosen(choice: Choice) -> str:
    regret = choice.regret.cross_fitted if choice.regret else None
    return f"{choice.method or 'none'} {numbers.unsigned_points(regret)}"


def _misses(verification: Verification) -> list[Block]:
    runs = missed(verification)
    if not runs:
        return [Heading(2, "Misses"), Paragraph("There is none.")]
    return [Heading(2, "Misses"), *(block for run in runs for block in _miss(run))]


def _miss(run: VerifiedRun) -> list[Block]:
    path: list[Text] = [
        [Code(step.node), f": {step.question} {step.branch}"] for step in run.advised.path
    ]
    rows: list[list[Text]] = [
        [Code(method), Code(node), strength, reason]
        for method, node, strength, reason in arguments(run)
    ]
    return [
        Heading(3, run.run.id),
        Paragraph(f"Advised: {run.advised.said}. Best measured: {run.winner or 'none'}. The path:"),
        Bullets(path, ordered=True),
        Paragraph("What the flowchart had for and against the two:"),
        Table(["method", "node", "strength", "reason"], rows),
    ]


def _changed(verification: Verification) -> list[Block]:
    lines: list[Text] = [
        [Code(run.run.id), f": {line}"] for run in verification.runs if (line := change(run))
    ]
    stored = sum(run.stored is not None for run in verification.runs)
    same = f"Today's advice is the stored one in all {_count(stored, 'run')} that kept an advice."
    said: Block = Bullets(lines) if lines else Paragraph(same)
    return [Heading(2, "Today's advice and the stored one"), said] if stored else []


def _provenance(verification: Verification) -> list[Block]:
    head = [
        "run", "begun", "task", "metric", "model", "items", "units",
        "labels in the answers", "labels trained on", "task SHA-256", "plan SHA-256",
    ]  # fmt: skip
    rows = [_provenance_row(run) for run in verification.runs]
    return [Heading(2, "Runs"), Paragraph(_SPLIT), Table(head, rows)]


def _provenance_row(run: VerifiedRun) -> list[Text]:
    manifest, task = run.run, run.run.task
    return [
        Code(manifest.id),
        manifest.created,
        Code(task.id),
        task.metric,
        Code(manifest.model),
        str(run.items),
        str(run.units),
        numbers.count(run.advised.answers.get("labelled_examples")),
        numbers.count(task.train),
        Code(task.sha256),
        Code(manifest.plan_sha256),
    ]


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _are(number: int) -> str:
    return "is" if number == 1 else "are"


def _list(names: Sequence[str]) -> str:
    return "; ".join(names)


# ---------------------------------------------------------------- figure


def _figures(verification: Verification) -> dict[str, bytes]:
    if not any(choice.regret for run in verification.runs for choice in run.choices):
        return {}
    # matplotlib is slow to import, and the tables do not need it.
    from benchmarks.report.figures import svg

    return {_FIGURE: svg(lambda: _drawn(verification))}


def _drawn(verification: Verification) -> Drawing:
    from matplotlib.figure import Figure as Drawing

    runs, policies = verification.runs, [s.policy for s in verification.summaries]
    drawing = Drawing(figsize=(7.5, 1.6 + 0.5 * len(runs)), layout="constrained")
    axes = drawing.subplots()
    axes.axvline(0, color="#cccccc", lw=1, zorder=0)
    for border in range(1, len(runs)):
        axes.axhline(border - 0.5, color="#eeeeee", lw=1, zorder=0)
    for place, policy in enumerate(policies):
        # Markers apart in height, so that equal regrets do not hide one another.
        shift = 0.7 * (place / max(1, len(policies) - 1) - 0.5)
        _draw_policy(axes, [run.choice(policy) for run in runs], shift, _MARKERS[place])
    axes.set_yticks(range(len(runs)))
    axes.set_yticklabels([run.run.id for run in runs], parse_math=False)
    axes.set_ylim(len(runs) - 0.5, -0.5)
    axes.set_xlim(left=-_MARGIN * axes.get_xlim()[1])
    axes.set_xlabel("cross-fitted regret, points")
    drawing.legend(loc="outside right upper", frameon=False, fontsize=7)
    return drawing


def _draw_policy(axes: Axes, choices: Sequence[Choice], shift: float, marker: str) -> None:
    own = choices[0].policy == ADVISOR
    color = _ADVISOR_COLOR if own else _POLICY_COLOR
    known = [(at + shift, c.regret) for at, c in enumerate(choices) if c.regret is not None]
    axes.plot(
        [100 * regret.cross_fitted for _, regret in known],
        [at for at, _ in known],
        marker,
        color=color,
        mfc=color if own else "white",
        ms=5,
        label=choices[0].policy,
    )
    for at, regret in known if own else ():
        axes.plot([100 * regret.cross_fitted, 100 * regret.at_most], [at, at], color=color)
