"""Priors ranked on real discharge, and which of them the data tell apart.

After the critical-difference diagrams of Demšar (2006, Journal of Machine Learning Research 7, 1-30), with paired tests
corrected after Holm in the place of Nemenyi's, whose result would depend on which other models are in the pool (Benavoli et
al. 2016, Journal of Machine Learning Research 17(5), 1-10).
"""

from itertools import combinations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from thalweg.evaluation.statistics import as_score, read_skill
from thalweg.experiments.declared import Declared
from thalweg.figures.style import OKABE_ITO, QUIET, WIDTH, letter, number, styled
from thalweg.metrics.scores import METRICS

SIGNIFICANT = 0.05
COLOUR = OKABE_ITO[0]
BAR_STEP = 0.12  # between bars, of mean rank


FIGURE = Declared(
    of="ranked_processes",
    reads={"skill_csv": "skill", "comparison_csv": "comparison"},
    given={"labels": "labels", "models": "compared_processes"},
    title="ranking of priors",
    caption="Priors on observed discharge: mean ranks over gauges (1 is best), and the paired difference of each prior from "
    "the first with its 95 % interval over blocks of neighbouring gauges. Bars join priors that do not differ "
    "significantly (Wilcoxon's signed-rank test, p of 0.05 or more after Holm's correction for all models of the "
    "experiment); grey: not different from the first.",
)


@styled
def draw(skill_csv, comparison_csv, domain, experiment, models, metric="NSE", labels=None):
    """Mean ranks of models over gauges, and by how much each is behind the first at the same gauges.

    Args:
        skill_csv: skill table.
        comparison_csv: of :func:`thalweg.evaluation.statistics.compare`.
        domain, experiment: of the tables.
        models: names of the models to be ranked.
        metric: compared in both tables.
        labels: model -> label.

    Returns:
        matplotlib Figure. Ranks are of each gauge's mean over seeds and folds. Bars join models of which no two are told
        apart (corrected p of 0.05 or more); grey differences are those from which the first is not told apart.

    Raises:
        ValueError: when a model has no score in the experiment, or two were not compared.
    """
    values = _values(read_skill(skill_csv), skill_csv, domain, experiment, models, metric)
    pairs = _pairs(pd.read_csv(comparison_csv), comparison_csv, domain, experiment, models, metric)
    goodness = as_score(values, METRICS[metric])
    rank = goodness.rank(axis=1, ascending=False).mean().sort_values()
    order, places = list(rank.index), np.arange(len(rank))
    figure = Figure(figsize=(WIDTH, 1.0 + 0.28 * len(order)), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)

    left.hlines(places, 1, rank, color="0.85", linewidth=0.8)
    left.plot(rank, places, "o", color=COLOUR, markersize=5)
    for step, (first, last) in enumerate(_not_told_apart(order, pairs)):
        x = rank.max() + BAR_STEP * (step + 2)
        left.plot([x, x], [first - 0.25, last + 0.25], color="0.2", linewidth=2.5, solid_capstyle="butt")
    left.set_yticks(places, [(labels or {}).get(model, model) for model in order])
    left.set(ylim=(len(order) - 0.5, -0.5), xlabel=f"mean rank over {len(values)} gauges [dimensionless]")
    letter(left, 0, f"{domain}, {experiment}")

    name, unit = metric.replace("_", " "), METRICS[metric].unit
    for place, model in zip(places[1:], order[1:]):
        middle, low, high, p = pairs[model, order[0]]
        colour = COLOUR if p < SIGNIFICANT else QUIET
        right.errorbar(middle, place, xerr=[[middle - low], [high - middle]], fmt="o", color=colour, markersize=4)
    right.axvline(0, color="0.4", linewidth=0.8)
    right.tick_params(axis="y", length=0)
    right.set(xlabel=f"improvement of {name} over the first [{unit}]")
    letter(right, 1, f"paired differences; right, median {name}")
    for place, model in zip(places, order):
        right.annotate(
            number(values[model].median(), 3),
            (1.02, place),
            xycoords=("axes fraction", "data"),
            va="center",
            annotation_clip=False,
        )
    return figure


def _values(skill, source, domain, experiment, models, metric):
    """Each gauge's mean over seeds and folds: DataFrame (gauge, model) of the gauges that all models were tested on."""
    rows = skill[(skill.domain == domain) & (skill.experiment == experiment) & (skill.metric == metric)]
    rows = rows[rows.variable == "discharge"]
    lacking = sorted(set(models) - set(rows.model))
    if lacking:
        raise ValueError(f"{source}: {lacking[0]!r} has no {metric} in {domain}, {experiment}; leave it out of models")
    return rows.groupby(["place", "model"]).value.mean().unstack("model")[models].dropna()


def _pairs(table, source, domain, experiment, models, metric):
    """(model, reference) -> improvement over the reference, low and high of its interval, corrected p; in both directions."""
    rows = table[(table.domain == domain) & (table.experiment == experiment) & (table.metric == metric)]
    rows = rows[rows.variable == "discharge"]
    pairs = {}
    for row in rows.itertuples():
        pairs[row.model, row.reference] = (row.median_improvement, row.low, row.high, row.p_holm)
        pairs[row.reference, row.model] = (-row.median_improvement, -row.high, -row.low, row.p_holm)
    for pair in combinations(models, 2):
        if pair not in pairs:
            raise ValueError(
                f"{source}: {pair[0]!r} and {pair[1]!r} are not compared in {domain}, {experiment}, {metric}"
            )
    return pairs


def _not_told_apart(order, pairs):
    """Longest runs ``(first, last)`` of two or more places in the ranking of which no two are told apart."""
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
