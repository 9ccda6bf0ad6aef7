"""Trends of annual flow, simulated against observed."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from thalweg.analysis.trends import SUFFIXES, UNIT
from thalweg.evaluation.evidence import read_evidence
from thalweg.experiments.declared import Declared
from thalweg.figures.style import (
    MOST_LINES,
    WIDTH,
    colour_range,
    effect_of,
    letter,
    looks,
    number,
    stated,
    styled,
    wrap,
)

FLOWS = {"mean": "annual mean", "high": "98th percentile", "low": "10th percentile"}


FIGURE = Declared(
    of="long_tests",
    reads={"trends_csv": "table:trends", "evidence_csv": "table:trends:evidence"},
    given={"labels": "labels", "models": "drawn_trained"},
    title="trends of annual flow",
    caption="Sen's slopes of annual mean, high and low flow over the test period: simulated against observed, a point per "
    "gauge. The line is equality; points beyond the axes lie on their ends.",
)


@styled
def draw(trends_csv, evidence_csv, labels=None, models=None):
    """A row for mean, high and low flow, a column per model; a point per gauge.

    Args:
        trends_csv: table of :func:`thalweg.analysis.trends.flow_trends` with a column model.
        evidence_csv: rows of :func:`thalweg.analysis.trends.trend_evidence` of the same experiment.
        labels: model -> label, in the study's order.
        models: those drawn, of which the first four are; None for those of the table.

    Returns:
        matplotlib Figure. Panels state Spearman's rho over gauges; the line is equality. Axes hold 98 % of the slopes, and
        points beyond them lie on their ends.

    Raises:
        ValueError: when no gauge has enough complete years.
    """
    table, evidence = pd.read_csv(trends_csv, dtype={"place": str}), read_evidence(evidence_csv)
    models = list(table.model.unique() if models is None else models)[:MOST_LINES]
    table = table[table.model.isin(models)]
    if table.empty:
        raise ValueError(f"{trends_csv}: no gauge has trends of {', '.join(models)}; test more years")
    look = looks(models, labels)
    figure = Figure(figsize=(WIDTH * max(len(look), 2) / MOST_LINES, 5.6), layout="constrained")
    panels = figure.subplots(len(SUFFIXES), len(look), squeeze=False, sharex="row", sharey="row")
    for position, (axes, each) in enumerate(zip(panels[0], look.values())):
        letter(axes, position, wrap(each.label, 1.3))
    for row, (flow, suffix) in zip(panels, SUFFIXES.items()):
        slopes = table[table.flow == flow]
        low, high, _ = colour_range(slopes[["observed_slope", "simulated_slope"]].to_numpy(), 1, 99)
        margin = 0.03 * (high - low)
        for axes, (model, each) in zip(row, look.items()):
            points = slopes.loc[slopes.model == model, ["observed_slope", "simulated_slope"]].to_numpy()
            axes.scatter(
                *np.clip(points, low, high).T, s=8, linewidths=0, alpha=0.5, color=each.colour, marker=each.marker
            )
            axes.plot([low, high], [low, high], color="0.3", linewidth=0.8, zorder=1)
            axes.axhline(0, color="0.8", linewidth=0.6, zorder=0)
            axes.axvline(0, color="0.8", linewidth=0.6, zorder=0)
            correlation = effect_of(evidence, model, f"trend_correlation{suffix}")["effect"]
            stated(axes, f"ρ = {number(correlation)}, n = {len(points)}")
            axes.set(xlim=(low - margin, high + margin), ylim=(low - margin, high + margin), aspect="equal")
        row[0].set_ylabel(f"{FLOWS[flow]}, simulated\n[{UNIT}]", fontsize=7)
    for axes in panels[-1]:
        axes.set_xlabel(f"observed\n[{UNIT}]", fontsize=7)
    return figure
