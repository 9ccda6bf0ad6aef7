"""Prediction intervals at held-out gauges: reliability and width."""

from statistics import NormalDist

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, NullLocator

from thalweg.experiments.declared import Declared
from thalweg.figures.style import MOST_LINES, WIDTH, legend_below, letter, looks, styled

METHODS = {  # method -> (label, dashes, marker)
    "conformal": ("conformal", "-", "o"),
    "mixture": ("mixture", (0, (1.2, 1.2)), "s"),
    "conformal mixture": ("conformal mixture", "-", "s"),
    "members": ("range of members", "", "x"),
}
TICKS = (0.1, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98)
MOST = 0.99  # coverage at the end of the axis
WIDTHS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100)


FIGURE = Declared(
    of="with_intervals",
    reads={"table_csv": "table:intervals"},
    given={"labels": "labels", "models": "compared_intervals"},
    title="prediction intervals",
    caption="Prediction intervals at held-out gauges: (a) share of the observations that they cover, mean over gauges, against the nominal "
    "one, and (b) width relative to the mean flow of a gauge, median over gauges, against the share that they cover: at the same coverage the "
    "lower curve is sharper. Axes of coverage are those of normal quantiles. Conformal intervals are calibrated at the gauges "
    "of other blocks; a mixture is simulated by an LSTM. Crosses: range of the members of an ensemble, at the coverage that it would have if "
    "the observation were one of them.",
    category="Uncertainty",
)


@styled
def draw(table_csv, domain, experiment, labels=None, models=None):
    """Observed against nominal coverage, and width against observed coverage, of every model and method.

    Args:
        table_csv: of :mod:`thalweg.analysis.intervals`.
        domain, experiment: of the table.
        labels: model -> label.
        models: those drawn, of which the first four are; None for those of the table.

    Returns:
        matplotlib Figure.

    Raises:
        ValueError: when the table has no interval of a model drawn.
    """
    table = pd.read_csv(table_csv)
    models = list(table.model.unique() if models is None else models)[:MOST_LINES]
    table = table[table.model.isin(models)]
    if table.empty:
        raise ValueError(
            f"{table_csv}: there is no interval of {', '.join(models)}; test at least 6 gauges in 2 blocks"
        )
    look = looks(models, {model: (labels or {}).get(model, model) for model in models})
    figure = Figure(figsize=(WIDTH, 3.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    for model, each in look.items():
        for method, (_, dashes, marker) in METHODS.items():
            rows = table[(table.model == model) & (table.method == method)].sort_values("level")
            style = {"color": each.colour, "linestyle": dashes, "marker": marker, "markersize": 4}
            left.plot(_spread(rows.level), _spread(rows.coverage), **style)
            right.plot(_spread(rows.coverage), rows.width, **style)
    ends = _spread([min(table.level.min(), table.coverage.min()) - 0.05, MOST])
    left.plot(ends, ends, color="0.4", linewidth=0.8, zorder=1)
    left.set(xlabel="nominal coverage [%]", ylabel="observed coverage [%]", ylim=ends)
    right.set(xlabel="observed coverage [%]", ylabel="width / mean flow [–]", yscale="log")
    for axis in (left.xaxis, left.yaxis, right.xaxis):
        axis.set_major_locator(FixedLocator(_spread(TICKS)))
        axis.set_major_formatter(lambda _, position: f"{100 * TICKS[position]:g}" if position is not None else "")
    right.yaxis.set_major_locator(FixedLocator(WIDTHS))
    right.yaxis.set_minor_locator(NullLocator())
    right.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    for position, (axes, text) in enumerate(
        ((left, f"{domain}, {experiment} ({table.places.max():.0f} gauges)"), (right, "width"))
    ):
        axes.set_xlim(ends)
        axes.grid(True)
        letter(axes, position, text)
    there = {method: METHODS[method] for method in METHODS if (table.method == method).any()}
    legend_below(
        figure,
        [Line2D([], [], color=each.colour, label=each.label) for each in look.values()]
        + [
            Line2D([], [], color="0.3", linestyle=dashes, marker=marker, markersize=4, label=text)
            for text, dashes, marker in there.values()
        ],
    )
    return figure


def _spread(coverage):
    """Normal quantiles that bound a share in the middle: positions on an axis."""
    return [NormalDist().inv_cdf((1 + share) / 2) for share in np.clip(coverage, 0.01, MOST)]
