"""Curves of an analysis by matplotlib: what changes from layer to layer, or along a way, in one picture."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from ogive.backends.analysis.chart import NoNumbersError
from ogive.compiler.analysis.frame.result import AnalysisResult

# the columns of each analysis that are drawn beside each other, those that are 0 nowhere on a scale of powers
CURVES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "coordinate_check": ("slope", "slope_standard"),
        "criticality": ("variance_in", "variance", "gradient"),
        "guidance": ("cka",),
        "prune_regimes": ("loss",),
    }
)
WIDE = 100.0  # from which ratio on the scale is one of powers
MOST_LABELS = 40


def plotted(result: AnalysisResult) -> bytes:
    """A picture as PNG. Raises NoNumbersError where a column has no numbers."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    columns = CURVES.get(result.analysis, (result.chart,) if result.chart else ())
    rows = [row for row in result.rows if row.path]
    series = {name: [result.number(row.fields.get(name)) for row in rows] for name in columns}
    series = {name: values for name, values in series.items() if any(value is not None for value in values)}
    if not series:
        raise NoNumbersError(f"`{result.analysis}` has no numbers to draw: its table is `-o report.html`")
    figure = Figure(figsize=(7, 4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for name, values in series.items():
        points = [(at, float(value)) for at, value in enumerate(values) if value is not None]
        axes.plot(
            [at for at, _ in points],
            [value for _, value in points],
            marker="o",
            markersize=3,
            label=name.replace("_", " "),
        )
    if _powers(list(series.values())):
        axes.set_yscale("log")
    if len(rows) <= MOST_LABELS:
        axes.set_xticks(range(len(rows)), [row.path for row in rows], rotation=90, fontsize=7)
    axes.set_title(f"{result.analysis} of {result.model}" + (f" at {result.at_sizes}" if result.sizes else ""))
    figure.legend(loc="outside lower center", ncols=len(series), frameon=False)
    axes.grid(alpha=0.3)
    made = io.BytesIO()
    figure.savefig(made, format="png", dpi=150, metadata={"Software": None})  # the same result gives the same file
    return made.getvalue()


def _powers(series: Sequence[Sequence[float | None]]) -> bool:
    values = [abs(value) for each in series for value in each if value is not None]
    positive = all(value > 0 for each in series for value in each if value is not None)
    return positive and max(values) > WIDE * min(values)
