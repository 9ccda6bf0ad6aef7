"""Processes in the order of their median skill, and which of them the paired tests distinguish.

After the critical-difference diagrams of Demšar (2006, Journal of Machine Learning Research 7, 1-30), with medians for mean ranks
and paired tests corrected after Holm for Nemenyi's, whose result would depend on which other models are in the pool (Benavoli et
al. 2016, Journal of Machine Learning Research 17(5), 1-10).
"""

from itertools import combinations

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from thalweg.experiments.declared import Declared
from thalweg.figures.style import OKABE_ITO, QUIET, WIDTH, letter, styled
from thalweg.metrics.scores import METRICS

SIGNIFICANT = 0.05
COLOUR = OKABE_ITO[0]
BAR_STEP = 0.03  # between bars, as a share of the axis


FIGURE = Declared(
    of="ranked_processes",
    reads={"summary_csv": "summary", "comparison_csv": "comparison"},
    given={"labels": "labels", "models": "compared_processes"},
    title="ranking of priors",
    caption="Processes with parameters learned from attributes: median Nash-Sutcliffe efficiency and paired difference "
    "from the best, with 95 % intervals of the block bootstrap. Vertical bars join processes of which no two are "
    "distinguished by Wilcoxon's signed-rank test (p >= 0.05 after Holm's correction); grey: not distinguished "
    "from the best.",
)


@styled
def draw(summary_csv, comparison_csv, domain, experiment, models, metric="NSE", labels=None):
    """Medians of models over gauges, and the difference of each from the first at the same gauges.

    Args:
        summary_csv: of :func:`thalweg.evaluation.statistics.summarise`.
        comparison_csv: of :func:`thalweg.evaluation.statistics.compare`.
        domain, experiment: of the tables.
        models: names of the models to be compared.
        metric: compared in both tables.
        labels: model -> label.

    Returns:
        matplotlib Figure. Horizontal bars are 95 % intervals of the block bootstrap. Vertical bars join models of which no
        two are distinguished (corrected p of 0.05 or more); grey differences are those from which the first is not
        distinguished.

    Raises:
        ValueError: when a model has no score in the experiment, or two were not compared.
    """
    medians = _medians(pd.read_csv(summary_csv), summary_csv, domain, experiment, models, metric)
    pairs = _pairs(pd.read_csv(comparison_csv), comparison_csv, domain, experiment, models, metric)
    medians = medians.sort_values("median_distance")
    order, positions = list(medians.index), list(range(len(medians)))
    name, unit = metric.replace("_", " "), METRICS[metric].unit
    figure = Figure(figsize=(WIDTH, 1.0 + 0.28 * len(order)), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)

    for position, row in zip(positions, medians.itertuples()):
        _interval(left, row.median, row.low, row.high, position, COLOUR)
    for step, (first, last) in enumerate(_not_distinguished(order, pairs)):
        x = 1 + BAR_STEP * (step + 0.5)
        left.plot(
            [x, x],
            [first - 0.25, last + 0.25],
            color="0.2",
            linewidth=2.5,
            solid_capstyle="butt",
            transform=left.get_yaxis_transform(),
            clip_on=False,
        )
    left.set_yticks(positions, [(labels or {}).get(model, model) for model in order])
    gauges = f"{medians.places.min():.0f} gauges"
    left.set(ylim=(len(order) - 0.5, -0.5), xlabel=f"median {name} over {gauges} [{unit}]")
    letter(left, 0, f"{domain}, {experiment}")

    for position, model in zip(positions[1:], order[1:]):
        middle, low, high, p = pairs[model, order[0]]
        _interval(right, middle, low, high, position, COLOUR if p < SIGNIFICANT else QUIET)
    right.axvline(0, color="0.4", linewidth=0.8)
    right.tick_params(axis="y", length=0)
    right.set(xlabel=f"median paired difference of {name} [{unit}]")
    letter(right, 1, f"difference from {(labels or {}).get(order[0], order[0])}")
    for axes in (left, right):
        axes.grid(True, axis="x")
        axes.xaxis.set_major_locator(MaxNLocator(5))
    return figure


def _interval(axes, middle, low, high, position, colour):
    spread = [[middle - low], [high - middle]] if low == low else None
    axes.errorbar(middle, position, xerr=spread, fmt="o", color=colour, markersize=4, elinewidth=1.2)


def _of(table, domain, experiment, metric):
    rows = table[(table.domain == domain) & (table.experiment == experiment) & (table.metric == metric)]
    return rows[rows.variable == "discharge"]


def _medians(table, source, domain, experiment, models, metric):
    """Rows of the summary by model."""
    rows = _of(table, domain, experiment, metric).set_index("model")
    lacking = sorted(set(models) - set(rows["median"].dropna().index))
    if lacking:
        raise ValueError(f"{source}: {lacking[0]!r} has no {metric} in {domain}, {experiment}; leave it out of models")
    return rows.loc[list(models)]


def _pairs(table, source, domain, experiment, models, metric):
    """(model, reference) -> improvement over the reference, low and high of its interval, corrected p; in both directions."""
    pairs = {}
    for row in _of(table, domain, experiment, metric).itertuples():
        pairs[row.model, row.reference] = (row.median_improvement, row.low, row.high, row.p_holm)
        pairs[row.reference, row.model] = (-row.median_improvement, -row.high, -row.low, row.p_holm)
    for pair in combinations(models, 2):
        if pair not in pairs:
            raise ValueError(
                f"{source}: {pair[0]!r} and {pair[1]!r} are not compared in {domain}, {experiment}, {metric}"
            )
    return pairs


def _not_distinguished(order, pairs):
    """Longest runs ``(first, last)`` of two or more positions in the order of which no two are distinguished."""
    runs = []
    for first in range(len(order) - 1):
        last = first
        while last + 1 < len(order) and all(
            not pairs[model, order[last + 1]][3] < SIGNIFICANT for model in order[first : last + 1]
        ):
            last += 1
        if last > first and (not runs or last > runs[-1][1]):
            runs.append((first, last))
    return runs
