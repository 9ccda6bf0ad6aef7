"""Distribution of skill over gauges, by experiment and model."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from thalweg.evaluation.statistics import read_skill
from thalweg.experiments.declared import Declared
from thalweg.figures.style import (
    MOST_LINES,
    TALLEST,
    WIDTH,
    colour_range,
    legend_below,
    letter,
    lines_of,
    looks,
    median_of,
    number,
    statement,
    styled,
    wrap,
)
from thalweg.metrics.scores import METRICS

LEAST = -0.5  # where the axis of a metric that is 1 at best begins
MOST_COLUMNS, MORE_COLUMNS = 3, 4  # of up to nine panels, and of more


MIN_GAUGES = 20  # of a distribution

FIGURE = Declared(
    of="overview",
    reads={"skill_csv": "skill", "summary_csv": "summary"},
    given={"labels": "labels", "shown": "shown"},
    title="distribution of skill",
    caption="Distribution over gauges of the Nash-Sutcliffe efficiency, by experiment: the share of gauges with a smaller "
    "value, each gauge with its mean over seeds and folds. The height at which a line enters a panel is the share "
    "of gauges left of the axis. Experiments with at least 20 gauges; at most four models a panel.",
)


@styled
def draw(skill_csv, summary_csv, metric="NSE", labels=None, shown=None):
    """A panel per domain and experiment: the share of gauges with less skill than each value.

    Args:
        skill_csv: skill table.
        summary_csv: table of :func:`thalweg.evaluation.statistics.summarise`, which has the medians.
        metric: of :data:`thalweg.metrics.scores.METRICS`.
        labels: model -> label, in the study's order.
        shown: list of (domain, experiment, models) to draw, of each the first four models; None draws all of discharge.

    Returns:
        matplotlib Figure. A line is of each gauge's mean over seeds and folds; the height at which it enters the panel is
        the share of gauges left of the axis. Each panel states the medians.

    Raises:
        ValueError: when no row has the metric.
    """
    skill = read_skill(skill_csv)
    skill = skill[skill.variable == "discharge"]
    there = skill.metric.unique()
    skill = skill[skill.metric == metric]
    if skill.empty:
        raise ValueError(f"{skill_csv}: no row has metric {metric!r}; there are {', '.join(there)}")
    if shown is None:
        groups = skill.groupby(["domain", "experiment"], sort=False).model.unique()
        shown = [(*place, models) for place, models in groups.items()]
    shown = [(domain, experiment, list(models)[:MOST_LINES]) for domain, experiment, models in shown]
    shown = _many(shown, skill)
    wanted = {(domain, experiment, model) for domain, experiment, models in shown for model in models}
    skill = skill[[row in wanted for row in zip(skill.domain, skill.experiment, skill.model)]]
    look = looks(skill.model.unique(), labels)
    limits = _limits(skill.value.to_numpy(), metric)
    summary = pd.read_csv(summary_csv)

    groups = list(skill.groupby(["domain", "experiment"], sort=False))
    rows = -(-len(groups) // (MOST_COLUMNS if len(groups) <= 9 else MORE_COLUMNS))
    columns = -(-len(groups) // rows)
    width = WIDTH if columns > 1 else 0.55 * WIDTH
    below = 0.4 + 0.15 * (len(look) // 3)
    figure = Figure(figsize=(width, min(2.1 * rows, TALLEST - below) + below), layout="constrained")
    panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
    for axes in panels[len(groups) :]:
        axes.remove()
    for position, ((domain, experiment), group) in enumerate(groups):
        axes = panels[position]
        letter(axes, position, wrap(f"{domain}, {experiment}", (width - 0.7) / columns - 0.35))
        stated = []
        for (model, each), line in zip(look.items(), lines_of(look)):
            values = group[group.model == model].groupby("place").value.mean().dropna()
            if model in set(group.model):
                axes.plot(*_steps(values), color=each.colour, linestyle=each.dashes)
                median = median_of(summary, domain, experiment, model, metric)
                line.set_label(number(median) if len(values) else "no value")
                stated.append(line)
        axes.set(xlim=limits, ylim=(0, 1))
        axes.grid(True)
        axes.xaxis.set_major_locator(MaxNLocator(4))
        statement(axes, stated, f"median of\n{group.place.nunique()} gauges", loc="best")
        if position >= len(groups) - columns:
            axes.set_xlabel(f"{metric.replace('_', ' ')} [{METRICS[metric].unit}]")
            axes.tick_params(labelbottom=True)
    figure.supylabel("share of gauges [dimensionless]", fontsize=8)
    legend_below(figure, lines_of(look))
    return figure


def _many(shown, skill):
    """Those experiments that have enough gauges for a distribution; all where none has."""
    gauges = skill.groupby(["domain", "experiment"]).place.nunique().to_dict()
    return [one for one in shown if gauges.get(tuple(one[:2]), 0) >= MIN_GAUGES] or shown


def _limits(values, metric):
    if METRICS[metric].direction == "higher":
        return LEAST, 1.0
    first, last, _ = colour_range(values)
    return (0.0, last) if METRICS[metric].direction == "lower" else (first, last)


def _steps(values):
    """The empirical distribution function as the corners of its steps."""
    ranked = np.sort(values)
    share = np.arange(len(ranked) + 1) / max(len(ranked), 1)
    return np.repeat(ranked, 2), np.repeat(share, 2)[1:-1]
