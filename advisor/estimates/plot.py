"""The costs of a month over its volume, as a figure."""

from __future__ import annotations

from pathlib import Path

from advisor.errors import EstimateError
from advisor.estimates.cost import BreakEven, MethodCost, monthly

_POINTS = 60


def plot_costs(costs: tuple[MethodCost, ...], evens: tuple[BreakEven, ...], path: Path) -> None:
    """Draw the likely cost of each way over the volume, its range, and the break-even volumes.

    Raises:
        EstimateError: matplotlib is not installed, or the file cannot be written.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise EstimateError(
            "--plot needs matplotlib. Install it: pip install 'adaptation-advisor[bench]'"
        ) from None
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    volumes = _volumes(evens)
    for cost in costs:
        ranges = [monthly((cost,), volume)[cost.method] for volume in volumes]
        (line,) = axes.plot(volumes, [r.likely for r in ranges], label=cost.method)
        low, high = [r.low for r in ranges], [r.high for r in ranges]
        axes.fill_between(volumes, low, high, alpha=0.12, color=line.get_color())
    for even in evens:
        if even.queries_a_month is not None:
            axes.axvline(even.queries_a_month, linewidth=0.6, linestyle=":", color="grey")
    axes.set(xscale="log", yscale="log", xlabel="queries a month", ylabel="US dollars a month")
    axes.legend(frameon=False)
    _save(figure, path)


def _volumes(evens: tuple[BreakEven, ...]) -> list[float]:
    """Volumes from 100 to a million, and ten times beyond every break-even volume."""
    marks = [even.queries_a_month for even in evens if even.queries_a_month]
    first, last = min([100.0, *(m / 10 for m in marks)]), max([1e6, *(m * 10 for m in marks)])
    step = (last / first) ** (1 / (_POINTS - 1))
    return [first * step**point for point in range(_POINTS)]


def _save(figure: object, path: Path) -> None:
    try:
        figure.savefig(path)  # type: ignore[attr-defined]
    except (OSError, ValueError) as error:
        raise EstimateError(f"{path} cannot be written as a figure: {error}. Try out.svg") from None
