"""Skill at ungauged places against the distance to the nearest gauge that trained: how much of it comes from near by."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullLocator
from scipy.stats import spearmanr

from thalweg.evaluation.blocks import read_blocks
from thalweg.evaluation.statistics import read_skill, summarise
from thalweg.figures.style import WIDTH, legend_below, letter, looks, number, styled
from thalweg.metrics.scores import METRICS

CLASSES = 6  # of distance, at most
LEAST_GAUGES = 8  # in a class: intervals of the median of fewer say little
LEAST = -0.5  # where the axis of skill begins at the lowest
LOWEST, ROOM = 0.02, 0.2  # otherwise it begins that much below this quantile, which leaves the legend its place
COMPACT = {"frameon": True, "edgecolor": "none", "handlelength": 1.8, "columnspacing": 1, "labelspacing": 0.3}


@styled
def draw(skill_csv, split_csvs, domain, models, metric="NSE", labels=None, domain_path=None):
    """A panel per experiment: medians of each model in classes of distance that hold equally many gauges.

    Args:
        skill_csv: skill table.
        split_csvs: experiment -> table of :func:`thalweg.experiments.splits.make_splits`, with ``nearest_training_km``.
        domain: which rows of the skill table.
        models: models drawn.
        metric: of :data:`thalweg.metrics.scores.METRICS`, one that is 1 at best.
        labels: model -> label, in the study's order.
        domain_path: file of the domain, of whose blocks of near gauges intervals are; without it of single gauges.

    Returns:
        matplotlib Figure. A bar is the 95 % bootstrap interval of the median of its class, a faint dot a
        gauge; the legend of a panel has the rank correlation of skill and distance over its gauges.

    Raises:
        ValueError: when a model has no skill in an experiment.
    """
    look = looks(models, labels)
    blocks = {domain: read_blocks(domain_path)} if domain_path else None
    skill = read_skill(skill_csv)
    skill = skill[(skill.domain == domain) & (skill.metric == metric) & skill.model.isin(models)]

    figure = Figure(figsize=(WIDTH if len(split_csvs) > 1 else 0.6 * WIDTH, 3.2), layout="constrained")
    panels = figure.subplots(1, len(split_csvs), sharey=True, squeeze=False)[0]
    for position, (axes, (experiment, path)) in enumerate(zip(panels, split_csvs.items(), strict=True)):
        rows = skill[skill.experiment == experiment].merge(_distances(path), on=["fold", "place"])
        missing = [model for model in models if rows[rows.model == model].value.isna().all()]
        if missing:
            raise ValueError(f"{skill_csv}: there is no {metric} of model {missing[0]!r} in {domain}/{experiment}")
        for model, each in look.items():
            _gauges(axes, rows[rows.model == model], each)
        _medians(axes, rows, look, blocks)
        axes.set(xscale="log", xlabel="distance to the nearest gauge that trained [km]")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_minor_locator(NullLocator())
        axes.grid(True, axis="y")
        axes.legend(loc="lower left", title="rank correlation", alignment="left", ncols=4, **COMPACT)
        letter(axes, position, f"{domain}, {experiment} ({rows.place.nunique()} gauges)")
    low = max(LEAST, skill[skill.experiment.isin(split_csvs)].value.quantile(LOWEST) - ROOM)
    panels[0].set(ylabel=f"{metric.replace('_', ' ')} [{METRICS[metric].unit}]", ylim=(low, 1))
    handles = [
        Line2D([], [], color=each.colour, linestyle=each.dashes, marker="o", markersize=3, label=each.label)
        for each in look.values()
    ]
    legend_below(figure, handles)
    return figure


def _distances(path):
    split = pd.read_csv(path, dtype={"place": str})
    return split.loc[split.test, ["fold", "place", "nearest_training_km"]]


def _gauges(axes, rows, look):
    """A dot per gauge, and the rank correlation for the legend."""
    gauges = rows.groupby("place")[["nearest_training_km", "value"]].mean().dropna()
    axes.scatter(gauges.nearest_training_km, gauges.value, s=3, color=look.colour, alpha=0.2, linewidths=0)
    correlation = spearmanr(*gauges.to_numpy().T).statistic
    axes.plot([], [], color=look.colour, linestyle=look.dashes, label=number(correlation))


def _medians(axes, rows, look, blocks):
    """The median of each class of distance, at the median distance in it."""
    distance = rows.groupby("place").nearest_training_km.mean()
    count = int(np.clip(len(distance) // LEAST_GAUGES, 1, CLASSES))
    classes = rows.place.map(pd.qcut(distance.rank(method="first"), count, labels=False))
    tables = [
        summarise(part, blocks=blocks).assign(distance=distance[part.place.unique()].median())
        for _, part in rows.groupby(classes)
    ]
    medians = pd.concat(tables)
    for order, (model, each) in enumerate(look.items()):
        table = medians[medians.model == model]
        aside = 1.03 ** (order - (len(look) - 1) / 2)
        axes.errorbar(
            table.distance * aside,
            table["median"],
            yerr=[table["median"] - table.low, table.high - table["median"]],
            color=each.colour,
            linestyle=each.dashes,
            marker="o",
            markersize=3.5,
            elinewidth=1,
        )
