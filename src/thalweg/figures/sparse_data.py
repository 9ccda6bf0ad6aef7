"""Skill of models against the amount of training data: share of the catchments, or years of record."""

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from thalweg.experiments.declared import Declared
from thalweg.figures.style import MOST_LINES, WIDTH, legend_below, letter, looks, styled
from thalweg.metrics.scores import METRICS

SWEEPS = {  # name -> (label of the axis, what a level is multiplied by on it)
    "share": ("share of the training catchments [%]", 100),
    "years": ("length of the training period [year]", 1),
}
APART = 0.035  # between the models at one level, as a part of it: the axis is logarithmic


FIGURE = Declared(
    of="sparse",
    reads={"table_csv": "table:training_data"},
    given={"labels": "labels"},
    title="skill with sparse data",
    caption="Median Nash-Sutcliffe efficiency against the amount of training data, with 95 % intervals of the block "
    "bootstrap. Smaller training sets are subsets of larger ones; all points of a panel are of the same gauges.",
)


@styled
def draw(table_csv, labels=None):
    """A panel per sweep: the median of each model against the level, with its 95 % interval.

    Args:
        table_csv: of :func:`thalweg.evaluation.skill_tables.skill_by_training_data`, of one domain and metric; its first
            four models are drawn.
        labels: model -> label, in the study's order.

    Returns:
        matplotlib Figure. Every point of a panel is of the same places: those with a value of each model at each level.
    """
    table = pd.read_csv(table_csv)
    domain, metric = table.domain.iloc[0], table.metric.iloc[0]
    look = looks(table.model.unique()[:MOST_LINES], labels)
    sweeps = list(table.groupby("sweep", sort=False))

    figure = Figure(figsize=(WIDTH if len(sweeps) > 1 else 0.6 * WIDTH, 3.0), layout="constrained")
    panels = figure.subplots(1, len(sweeps), sharey=True, squeeze=False)[0]
    for position, (axes, (name, rows_of_sweep)) in enumerate(zip(panels, sweeps, strict=True)):
        label, factor = SWEEPS[name]
        for number, (model, each) in enumerate(look.items()):
            aside = (1 + APART) ** (number - (len(look) - 1) / 2)
            rows = rows_of_sweep[rows_of_sweep.model == model].sort_values("level")
            axes.errorbar(
                factor * rows.level * aside,
                rows["median"],
                yerr=[rows["median"] - rows.low, rows.high - rows["median"]],
                color=each.colour,
                linestyle=each.dashes,
                marker="o",
                markersize=3,
                elinewidth=0.8,
            )
        ticks = sorted(set(factor * rows_of_sweep.level))
        axes.set(xscale="log", xlabel=label)
        axes.xaxis.set_major_locator(FixedLocator(ticks))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.grid(True, axis="y")
        letter(axes, position, f"{domain} ({rows_of_sweep.places.max()} places)")
    panels[0].set_ylabel(f"median {metric.replace('_', ' ')} [{METRICS[metric].unit}]")
    handles = [
        Line2D([], [], color=each.colour, linestyle=each.dashes, marker="o", markersize=3, label=each.label)
        for each in look.values()
    ]
    legend_below(figure, handles)
    return figure
