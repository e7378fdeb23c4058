"""Figures of a comparison as SVG: the same comparison gives the same bytes."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from benchmarks.report import numbers
from benchmarks.results import Comparison, Curve, Difference, Frontier

_STYLE = {
    # Without a fixed salt the ids inside an SVG differ from one rendering to the next.
    "svg.hashsalt": "adaptation-advisor",
    "svg.fonttype": "none",
    "font.family": ["sans-serif"],
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
}
# Okabe and Ito 2008: told apart with any colour vision.
_METHOD, _FLOOR, _LINE = "#0072B2", "#999999", "#D55E00"
_CYCLE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_AXES = {
    "total_seconds": "time to train, index and answer all test items",
    "latency_p50_seconds": "median time of one answer alone",
}
_FRONTIERS = {
    "total_seconds": "score-against-cost",
    "latency_p50_seconds": "score-against-latency",
}


def draw_figures(comparison: Comparison) -> dict[str, bytes]:
    """Figure name to SVG; a figure with nothing to show is left out."""
    drawings: dict[str, tuple[bool, Callable[[Comparison], Figure]]] = {
        **{
            _FRONTIERS[frontier.cost]: (True, partial(_score_against, frontier))
            for frontier in comparison.frontiers
        },
        "paired-differences": (bool(_of_leader(comparison)), _paired_differences),
        "training-curves": (bool(comparison.curves), _training_curves),
    }
    return {
        name: svg(partial(draw, comparison)) for name, (there, draw) in drawings.items() if there
    }


def svg(draw: Callable[[], Figure]) -> bytes:
    """A figure in the style of the house, the same bytes for the same figure."""
    with mpl.rc_context():
        # A matplotlibrc of the user's must not change a report.
        mpl.rcdefaults()
        mpl.rcParams.update(_STYLE)
        stream = io.BytesIO()
        metadata = {"Date": None, "Creator": None}
        draw().savefig(stream, format="svg", metadata=metadata, bbox_inches="tight")
        return stream.getvalue()


def _score_against(frontier: Frontier, comparison: Comparison) -> Figure:
    figure = Figure(figsize=(5.2, 3.4), layout="constrained")
    axes = figure.subplots()
    _draw_frontier(axes, frontier, comparison)
    axes.set_ylabel(comparison.run.task.metric, parse_math=False)
    return figure


def _draw_frontier(axes: Any, frontier: Frontier, comparison: Comparison) -> None:
    best = [point for point in frontier.points if point.efficient]
    axes.plot([p.cost_seconds for p in best], [p.score for p in best], ":", color=_LINE, zorder=1)
    for point in frontier.points:
        interval = comparison.method(point.name).interval
        color = _FLOOR if point.floor else _METHOD
        if interval is not None:
            ends = [interval.low, interval.high]
            axes.plot([point.cost_seconds] * 2, ends, color=color, alpha=0.35, lw=1)
        axes.plot(point.cost_seconds, point.score, "s" if point.floor else "o", color=color, ms=4)
    _time_axis(axes, [point.cost_seconds for point in frontier.points])
    axes.margins(x=0.15)
    axes.set_xlabel(_AXES[frontier.cost])
    _label(axes, frontier)


_LABEL_SIZE, _LABEL_LETTER = 8, 4.6
_PLACES = ((5, 3), (5, -9), (-5, 3), (-5, -9), (5, 12), (5, -18))
"""Where a label may stand beside its point, best first; in typographic points."""


def _label(axes: Any, frontier: Frontier) -> None:
    """Write the names beside their points, so that they cover one another as little as possible."""
    points = sorted(frontier.points, key=lambda point: -point.score)
    spots = [
        axes.transData.transform((point.cost_seconds, point.score)) * 72 / axes.figure.dpi
        for point in points
    ]
    taken = [(x - 3, y - 3, x + 3, y + 3) for x, y in spots]
    for point, (x, y) in zip(points, spots, strict=True):
        width = _LABEL_LETTER * len(point.name)
        boxes = [_label_box(x + right, y + up, width, left=right < 0) for right, up in _PLACES]
        free = [sum(_overlap(box, other) for other in taken) for box in boxes]
        place = free.index(min(free))
        taken.append(boxes[place])
        axes.annotate(
            point.name,
            (point.cost_seconds, point.score),
            textcoords="offset points",
            xytext=_PLACES[place],
            ha="right" if _PLACES[place][0] < 0 else "left",
            fontsize=_LABEL_SIZE,
            parse_math=False,
        )


_Box = tuple[float, float, float, float]


def _label_box(x: float, y: float, width: float, *, left: bool) -> _Box:
    start = x - width if left else x
    return start, y - 1, start + width, y + _LABEL_SIZE


def _overlap(one: _Box, other: _Box) -> float:
    """The area that two boxes share."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    return max(width, 0.0) * max(height, 0.0)


_TICKS = (0.001, 0.01, 0.1, 1, 10, 60, 600, 3600, 36_000, 864_000)
"""Seconds: times that people know."""


def _time_axis(axes: Any, seconds: Sequence[float]) -> None:
    """A logarithmic axis with ticks such as ``10 s`` and ``1 min``; linear when a time is 0."""
    if min(seconds) <= 0:
        return
    axes.set_xscale("log")
    low, high = min(seconds) / 2, max(seconds) * 2
    ticks = [tick for tick in _TICKS if low <= tick <= high]
    if ticks:
        axes.set_xticks(ticks, [numbers.duration(tick) for tick in ticks])
        axes.set_xticks([], minor=True)


def _of_leader(comparison: Comparison) -> list[Difference]:
    if comparison.leader is None:
        return []
    return comparison.against(comparison.leader)


def _paired_differences(comparison: Comparison) -> Figure:
    rows = sorted(_of_leader(comparison), key=lambda d: (d.difference, d.b), reverse=True)
    figure = Figure(figsize=(5.2, 0.8 + 0.3 * len(rows)), layout="constrained")
    axes = figure.subplots()
    axes.axvline(0, color="#cccccc", lw=1, zorder=0)
    for place, row in enumerate(rows):
        color = _FLOOR if comparison.method(row.b).floor else _METHOD
        ends = [100 * row.interval.low, 100 * row.interval.high]
        axes.plot(ends, [place, place], color=color, lw=1.5)
        filled = color if row.separated else "white"
        axes.plot(100 * row.difference, place, "o", color=color, mfc=filled, ms=5)
    axes.set_yticks(range(len(rows)))
    axes.set_yticklabels([row.b for row in rows], parse_math=False)
    axes.set_ylim(-0.6, len(rows) - 0.4)
    axes.set_xlabel(f"{comparison.leader} minus the other, points, 95 % interval", parse_math=False)
    return figure


def _training_curves(comparison: Comparison) -> Figure:
    figure = Figure(figsize=(5.2, 3.4), layout="constrained")
    axes = figure.subplots()
    for place, curve in enumerate(comparison.curves):
        color = _CYCLE[place % len(_CYCLE)]
        label = f"{curve.method} (seed {curve.seed})"
        axes.plot(*_losses(curve, "train_loss"), ":", color=color, lw=1)
        axes.plot(*_losses(curve, "validation_loss"), "-o", color=color, ms=3, label=label)
    axes.set_xlabel("step")
    axes.set_ylabel("loss per token (dotted: training, solid: validation)")
    for text in axes.legend(frameon=False, fontsize=7).get_texts():
        text.set_parse_math(False)
    return figure


def _losses(curve: Curve, field: str) -> tuple[Sequence[int], Sequence[float]]:
    known = [(p.step, getattr(p, field)) for p in curve.points if getattr(p, field) is not None]
    return [step for step, _ in known], [loss for _, loss in known]
