"""Prediction intervals at held-out gauges: reliability, width and interval score."""

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, NullLocator, PercentFormatter

from thalweg.experiments.declared import Declared
from thalweg.figures.style import MOST_LINES, WIDTH, legend_below, letter, looks, styled

METHODS = {  # method -> (suffix of the label, dashes, marker)
    "conformal": ("conformal", "-", "o"),
    "mixture": ("mixture", (0, (1.2, 1.2)), "s"),
    "conformal mixture": ("conformal mixture", "-", "s"),
    "members": ("range of members", "", "x"),
}
PANELS = {  # column -> label of the axis
    "coverage": "observed coverage [%]",
    "width": "median width / mean flow [–]",
    "interval_score": "median interval score / mean flow [–]",
}


FIGURE = Declared(
    of="with_intervals",
    reads={"table_csv": "table:intervals"},
    given={"labels": "labels", "models": "compared_intervals"},
    title="prediction intervals",
    caption="Prediction intervals at held-out gauges against their nominal coverage: (a) share of the observations within (mean over gauges; a "
    "calibrated interval lies on the diagonal), (b) width and (c) interval score, both relative to the mean flow of a gauge, medians over "
    "gauges; lower is better. Conformal intervals are calibrated at the gauges of other blocks. Crosses: range of the members of an "
    "ensemble, at the coverage that it would have if the observation were one of them.",
    category="Uncertainty",
)


@styled
def draw(table_csv, domain, experiment, labels=None, models=None):
    """Three panels against the nominal coverage: observed coverage, width and interval score of every model and method.

    Args:
        table_csv: of :mod:`thalweg.analysis.intervals`.
        domain, experiment: of the table.
        labels: model -> label, in the study's order.
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
            f"{table_csv}: there is no interval of {', '.join(models)}; test at least 6 gauges in 3 blocks"
        )
    look = looks(models, labels)
    figure = Figure(figsize=(WIDTH, 3.0), layout="constrained")
    panels = figure.subplots(1, len(PANELS))
    handles = []
    for model, each in look.items():
        for method, (text, dashes, marker) in METHODS.items():
            rows = table[(table.model == model) & (table.method == method)].sort_values("level")
            if rows.empty:
                continue
            style = {"color": each.colour, "linestyle": dashes, "marker": marker, "markersize": 3.5}
            for axes, column in zip(panels, PANELS):
                axes.plot(100 * rows.level, rows[column] * (100 if column == "coverage" else 1), **style)
            handles.append(Line2D([], [], label=f"{each.label}, {text}", **style))
    levels = sorted(set(100 * table[table.method != "members"].level))
    panels[0].plot([0, 100], [0, 100], color="0.4", linewidth=0.8, zorder=1)
    panels[0].set_ylim(0, 100)
    panels[0].yaxis.set_major_formatter(PercentFormatter(decimals=0, symbol=""))
    titles = f"{domain}, {experiment} ({table.places.max():.0f} gauges)", "width", "interval score"
    for position, (axes, (column, text)) in enumerate(zip(panels, PANELS.items())):
        axes.set(xlabel="nominal coverage [%]", ylabel=text, xlim=(min(20, 100 * table.level.min() - 5), 100))
        axes.xaxis.set_major_locator(FixedLocator(levels))
        axes.xaxis.set_major_formatter(PercentFormatter(decimals=0, symbol=""))
        if column != "coverage":
            axes.set_yscale("log")
            axes.yaxis.set_major_locator(FixedLocator([0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100]))
            axes.yaxis.set_minor_locator(NullLocator())
            axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.grid(True)
        letter(axes, position, titles[position])
    legend_below(figure, handles)
    return figure
