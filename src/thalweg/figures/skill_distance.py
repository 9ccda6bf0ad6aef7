"""Skill at held-out places against the distance to the nearest training place."""

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullLocator

from thalweg.evaluation.skill_tables import places_with_distance, read_distances, with_distance
from thalweg.evaluation.statistics import read_skill
from thalweg.experiments.declared import Declared
from thalweg.figures.style import MOST_LINES, WIDTH, legend_below, letter, looks, number, styled
from thalweg.metrics.scores import METRICS

LEAST = -0.5  # where the axis of skill begins at the lowest
LOWEST, ROOM = 0.02, 0.2  # otherwise it begins that much below this quantile, which leaves the legend its place
COMPACT = {"frameon": True, "edgecolor": "none", "handlelength": 1.8, "columnspacing": 1, "labelspacing": 0.3}


FIGURE = Declared(
    of="ungauged",
    reads={"table_csv": "table:distance", "skill_csv": "skill", "split_csvs": "splits:ungauged"},
    given={"labels": "labels"},
    title="skill and distance",
    caption="Nash-Sutcliffe efficiency at gauges without training data against the distance to the nearest training "
    "gauge: medians of classes of equally many gauges with 95 % intervals of the block bootstrap; faint dots are "
    "gauges. A decrease with distance means that skill is transferred from near gauges.",
)


@styled
def draw(table_csv, skill_csv, split_csvs, labels=None):
    """A panel per experiment: medians of each model in classes of distance that hold equally many places.

    Args:
        table_csv: of :func:`thalweg.evaluation.skill_tables.skill_by_distance`, of one domain and a metric that is 1 at best;
            its first four models are drawn.
        skill_csv: skill table.
        split_csvs: experiment -> table of :func:`thalweg.experiments.splits.make_splits`, with ``nearest_training_km``.
        labels: model -> label, in the study's order.

    Returns:
        matplotlib Figure. A bar is the 95 % bootstrap interval of the median of its class, a faint dot a
        place; the legend of a panel has the rank correlation of skill and distance over its places.

    Raises:
        ValueError: when a model has no skill in an experiment.
    """
    table, skill = pd.read_csv(table_csv), read_skill(skill_csv)
    domain, variable, metric = (table[name].iloc[0] for name in ("domain", "variable", "metric"))
    models = list(table.model.unique()[:MOST_LINES])
    look = looks(models, labels)
    skill = skill[(skill.domain == domain) & (skill.variable == variable)]
    splits = {experiment: read_distances(path) for experiment, path in split_csvs.items()}
    scores = with_distance(skill, splits, models, metric, f"{skill_csv}: {domain}")

    figure = Figure(figsize=(WIDTH if len(scores) > 1 else 0.6 * WIDTH, 3.2), layout="constrained")
    panels = figure.subplots(1, len(scores), sharey=True, squeeze=False)[0]
    for position, (axes, (experiment, rows)) in enumerate(zip(panels, scores.items(), strict=True)):
        medians = table[table.experiment == experiment]
        for order, (model, each) in enumerate(look.items()):
            _places(axes, rows[rows.model == model], each)
            _medians(axes, medians[medians.model == model], each, 1.03 ** (order - (len(look) - 1) / 2))
        axes.set(xscale="log", xlabel="distance to the nearest training place [km]")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_minor_locator(NullLocator())
        axes.grid(True, axis="y")
        axes.legend(loc="lower left", title="rank correlation", alignment="left", ncols=4, **COMPACT)
        letter(axes, position, f"{domain}, {experiment} ({rows.place.nunique()} places)")
    low = max(LEAST, pd.concat(rows.value for rows in scores.values()).quantile(LOWEST) - ROOM)
    panels[0].set(ylabel=f"{metric.replace('_', ' ')} [{METRICS[metric].unit}]", ylim=(low, 1))
    handles = [
        Line2D([], [], color=each.colour, linestyle=each.dashes, marker="o", markersize=3, label=each.label)
        for each in look.values()
    ]
    legend_below(figure, handles)
    return figure


def _places(axes, rows, look):
    """A dot per place."""
    places = places_with_distance(rows)
    axes.scatter(places.nearest_training_km, places.value, s=3, color=look.colour, alpha=0.2, linewidths=0)


def _medians(axes, table, look, aside):
    """The median of each class of distance, at the median distance in it, and the rank correlation for the legend."""
    axes.plot([], [], color=look.colour, linestyle=look.dashes, label=number(table.rank_correlation.iloc[0]))
    axes.errorbar(
        table.distance_km * aside,
        table["median"],
        yerr=[table["median"] - table.low, table.high - table["median"]],
        color=look.colour,
        linestyle=look.dashes,
        marker="o",
        markersize=3.5,
        elinewidth=1,
    )
