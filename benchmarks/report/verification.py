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
    Argument,
    Choice,
    Mean,
    Outcome,
    Summary,
    Verification,
    VerifiedRun,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing

RUN_HEADS = ("run", "advised", "best measured", "regret, points", "outcome", "target")
POLICY_HEADS = (
    "policy", "mean regret, points", "advisor minus it, points", "chose the same", "fell back",
    "hit", "not separated", "miss", "not tested",
)  # fmt: skip
FEWEST_TASKS = 6
"""Of fewer tasks that all point the same way, a sign test gives p = 2 / 2^5 = .06 or more."""
_FIGURE = "regret-by-run"
_SPLIT = "All items are of each task's test split, the only one that a bench scores."
HOW = (
    "Regret is what a choice cost against picking by measurement, in points of the run's primary "
    "metric. It is cross-fitted: the winner is picked on one random half of the items and "
    "compared on the other, both ways, over many splits, so near 0 or below measuring would not "
    "have picked better. All choices of a run are compared on the same items and halves, and only "
    "methods that the answers allow can win."
)
_OUTCOMES: tuple[Text, ...] = (
    "hit: what was chosen scores highest.",
    "not separated: something else does, but the run's paired test, after Holm's correction, does "
    "not separate the two.",
    "miss: it is separated from what scores highest, or was tried and gave no full result.",
    "not tested: the run holds no measurement that could contradict it.",
    "A verdict other than a method claims to be good enough, not best. So “no adaptation” (the "
    "plain prompt stands for it) and “no language model” (the best floor) are a hit where the "
    "target is reached, “not separated” where it is not but no allowed method is separated above, "
    "and otherwise a miss. “No method reaches” is a hit where the best allowed method misses the "
    "target, a miss where its whole interval reaches it, and “not separated” between; it has no "
    "regret.",
)
_MEANS = (
    "Means over tasks, of the means of their runs, with Student's 95 % intervals. A mean stands "
    "over the runs in which it is known. “Advisor minus it” is paired, run by run: below 0 the "
    "advisor did better. Only runs in which the two did not choose the same can tell them apart. "
    "“Fell back”: the plain prompt stood in, because the policy's method could not be used."
)
_RULES = (
    "How they choose. A method can be used where the answers allow it and the task does not refuse "
    "it. No policy but the advisor ends in a verdict, and its outcomes are of its method alone."
)
_CAPTION = (
    "Regret by run: filled, with its 95 % interval, the advisor; open, the policies. Left is "
    "better."
)
_MARKERS = ("o", "s", "^", "D", "v", "P", "X")
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
    return numbers.points_between(choice.regret.cross_fitted, choice.regret.interval)


def _policy_row(summary: Summary, runs: int) -> tuple[str, ...]:
    own = summary.policy == ADVISOR
    return (
        summary.policy,
        _mean(summary.regret, runs),
        _mean(summary.advisor_minus, runs),
        numbers.UNDEFINED if own else f"{summary.same} of {runs}",
        numbers.UNDEFINED if own else f"{summary.fell_back} of {runs}",
        *(str(number) for number in summary.outcomes.values()),
    )


def _mean(mean: Mean | None, runs: int) -> str:
    """A mean in points with its interval, and over how many runs where that is not all."""
    if mean is None:
        return numbers.UNDEFINED
    over = "" if mean.runs == runs else f", {_count(mean.runs, 'run')}"
    if mean.interval is None:
        return f"{numbers.points(mean.value)}{over}"
    return f"{numbers.points_between(mean.value, mean.interval)}{over}"


# ---------------------------------------------------------------- sentences


def in_short(verification: Verification) -> list[str]:
    """What came out, in sentences."""
    advisor, *policies = verification.summaries
    counts = ", ".join(f"{outcome_name(o)} {n}" for o, n in advisor.outcomes.items() if n)
    said = [f"The advice for {_count(len(verification.runs), 'run')}: {counts}."]
    if advisor.regret is not None:
        mean, runs = advisor.regret, advisor.regret.runs
        over = "" if runs == len(verification.runs) else f" over {_count(runs, 'run')}"
        said.append(f"The advisor's mean regret is {_mean(mean, runs)} points{over}.")
    signs = {
        -1: "lies wholly below 0 (the advisor did better) for",
        1: "lies wholly above 0 (the advisor did worse) for",
        0: f"contains 0, or the two differ in fewer than {FEWEST_TASKS} tasks, for",
    }
    for sign, where in signs.items():
        found = [p.policy for p in policies if p.advisor_minus and _side(p) == sign]
        if found:
            said.append(f"The interval of advisor minus policy {where}: {_list(found)}.")
    same = [p.policy for p in policies if p.same == len(verification.runs)]
    if same:
        said.append(f"In every run the same method was chosen by: {_list(same)}.")
    return [*said, *verification.notes]


def _side(policy: Summary) -> int:
    """-1 where the interval of advisor minus policy lies below 0, 1 where above, otherwise 0."""
    interval = policy.advisor_minus.interval if policy.advisor_minus else None
    if interval is None or policy.differing < FEWEST_TASKS:
        return 0
    return (interval.low > 0) - (interval.high < 0)


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
    if choice.method in run.rivals and choice.regret is None:
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
    return f"{choice.method or 'none'} {numbers.points(regret)}"


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
        axes.plot([100 * regret.interval.low, 100 * regret.interval.high], [at, at], color=color)
