"""Errors of annual flood peaks by return period."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import PercentFormatter

from thalweg.analysis.flood_peaks import CLASSES
from thalweg.experiments.declared import Declared
from thalweg.figures.style import MOST_LINES, WIDTH, legend_below, looks, styled

SPREAD = 0.5  # of the width of a class, over which its models are spread


FIGURE = Declared(
    of="unseen_floods",
    reads={"peaks_csv": "table:flood_peaks"},
    given={"labels": "labels", "models": "drawn_trained"},
    title="flood peaks",
    caption="Median relative error of annual flood peaks by return period, with 95 % intervals of the block bootstrap. "
    "Return periods are those of a log-Pearson III distribution of the annual maxima of each gauge's whole "
    "record.",
)


@styled
def draw(peaks_csv, labels=None, models=None):
    """The median error of peaks of each class of return period, a point per model with its interval.

    Args:
        peaks_csv: table of :func:`thalweg.analysis.flood_peaks.errors_by_class`.
        labels: model -> label, in the study's order.
        models: those drawn, of which the first four are; None for those of the table.

    Returns:
        matplotlib Figure. Bars are 95 % intervals of the block bootstrap; below the classes stand the numbers of peaks and of
        gauges, which are those of the first model.

    Raises:
        ValueError: when there is no peak of a model drawn.
    """
    table = pd.read_csv(peaks_csv)
    models = list(table.model.unique() if models is None else models)[:MOST_LINES]
    table = table[table.model.isin(models)]
    if table.empty:
        raise ValueError(f"{peaks_csv}: there is no peak of {', '.join(models)}; test whole water years")
    look = looks(models, labels)
    classes = [name for name in CLASSES if name in set(table.return_period)]
    figure = Figure(figsize=(0.75 * WIDTH, 3.2), layout="constrained")
    axes = figure.subplots()
    axes.axhline(0, color="0.3", linewidth=0.8, zorder=1)
    aside = np.linspace(-SPREAD, SPREAD, len(look) + 2)[1:-1]
    for shift, (model, each) in zip(aside, look.items()):
        rows = table[table.model == model].set_index("return_period").reindex(classes)
        spread = [rows.median_error - rows.low, rows.high - rows.median_error]
        axes.errorbar(
            np.arange(len(classes)) + shift,
            rows.median_error,
            yerr=spread,
            fmt=each.marker,
            markersize=4,
            elinewidth=1,
            color=each.colour,
        )
    first = table[table.model == next(iter(look))].set_index("return_period").reindex(classes)
    counts = [
        f"{name}\n{peaks:.0f} peaks,\n{gauges:.0f} gauges"
        for name, peaks, gauges in zip(classes, first.peaks.fillna(0), first.places.fillna(0))
    ]
    axes.set_xticks(range(len(classes)), counts)
    axes.set(xlabel="return period [years]", ylabel="median error of peaks [%]", xlim=(-0.5, len(classes) - 0.5))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0, symbol=""))
    axes.grid(True, axis="y")
    legend_below(
        figure,
        [
            Line2D([], [], marker=each.marker, markersize=4, linewidth=1, color=each.colour, label=each.label)
            for each in look.values()
        ],
    )
    return figure
