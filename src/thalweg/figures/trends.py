"""Trends of annual flow, simulated against observed."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from thalweg.analysis.trends import SUFFIXES, UNIT
from thalweg.evaluation.evidence import spearman
from thalweg.experiments.declared import Declared
from thalweg.figures.style import WIDTH, colour_range, legend_below, letter, looks, number, styled

MOST_MODELS = 4
TITLES = {
    "mean": "annual mean flow",
    "high": "high flow (98th percentile)",
    "low": "low flow (10th percentile)",
}


FIGURE = Declared(
    of="long_tests",
    reads={"trends_csv": "table:trends"},
    given={"labels": "drawn_labels", "models": "drawn_trained"},
    title="trends of annual flow",
    caption="Sen's slopes of annual mean, high and low flow over the test period: simulated against observed, a point per "
    "gauge and model. Panels state Spearman's rho over gauges; the line is equality, and points beyond the axes lie "
    "on their ends.",
)


@styled
def draw(trends_csv, labels=None, models=None):
    """A panel for mean, high and low flow; a point per gauge and model.

    Args:
        trends_csv: table of :func:`thalweg.analysis.trends.flow_trends` with a column model.
        labels: model -> label, in the study's order.
        models: those drawn, of which the first four are; None for all.

    Returns:
        matplotlib Figure. Panels state Spearman's rho over gauges of each model; the line is equality. Axes hold 98 % of the
        slopes, and points beyond them lie on their ends.

    Raises:
        ValueError: when no gauge has enough complete years.
    """
    table = pd.read_csv(trends_csv, dtype={"place": str})
    models = list(table.model.unique() if models is None else models)[:MOST_MODELS]
    table = table[table.model.isin(models)]
    if table.empty:
        raise ValueError(f"{trends_csv}: no gauge has trends of {', '.join(models)}; test more years")
    look = looks(models, labels)
    figure = Figure(figsize=(WIDTH, 2.9), layout="constrained")
    for position, (axes, flow) in enumerate(zip(figure.subplots(1, 3), SUFFIXES)):
        slopes = table[table.flow == flow]
        low, high, _ = colour_range(slopes[["observed_slope", "simulated_slope"]].to_numpy(), 1, 99)
        notes = []
        for model, each in look.items():
            points = slopes[slopes.model == model]
            shown = np.clip(points[["observed_slope", "simulated_slope"]].to_numpy(), low, high)
            axes.scatter(*shown.T, s=8, linewidths=0, alpha=0.5, color=each.colour)
            rho = spearman(points.observed_slope, points.simulated_slope) if len(points) > 2 else np.nan
            notes.append(_dot(number(rho), each.colour))
        axes.plot([low, high], [low, high], color="0.3", linewidth=0.8, zorder=1)
        axes.axhline(0, color="0.8", linewidth=0.6, zorder=0)
        axes.axvline(0, color="0.8", linewidth=0.6, zorder=0)
        axes.legend(
            handles=notes,
            title="ρ over gauges",
            alignment="left",
            loc="upper left",
            frameon=True,
            edgecolor="none",
            framealpha=0.7,
            handletextpad=0.1,
        )
        margin = 0.03 * (high - low)
        axes.set(xlim=(low - margin, high + margin), ylim=(low - margin, high + margin), aspect="equal")
        axes.set(xlabel=f"observed [{UNIT}]")
        letter(axes, position, TITLES[flow])
        if position == 0:
            axes.set_ylabel(f"simulated [{UNIT}]")
    legend_below(figure, [_dot(each.label, each.colour) for each in look.values()])
    return figure


def _dot(label, colour):
    return Line2D([], [], linestyle="", marker="o", markersize=3.5, markeredgewidth=0, color=colour, label=label)
