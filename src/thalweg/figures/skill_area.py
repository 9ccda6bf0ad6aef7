"""Skill of models against the drainage area of the gauge, and the effect of routing through the river."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from thalweg.analysis.river import AREA_CLASSES, area_class
from thalweg.basin.domain import read_domain
from thalweg.evaluation.statistics import read_skill
from thalweg.experiments.declared import Declared
from thalweg.figures.style import MOST_LINES, QUIET, WIDTH, legend_below, letter, looks, styled, wrap
from thalweg.metrics.scores import METRICS

LEAST = -0.5  # where the axis of skill begins at the lowest
FARTHEST = 92  # percentile of the differences' sizes that the axis reaches to


FIGURE = Declared(
    of="first_rivers",
    reads={"domain_path": "domain", "skill_csv": "skill", "by_area_csv": "table:river:skill"},
    given={"labels": "labels", "models": "compared_with_river"},
    title="skill and drainage area",
    caption="Nash-Sutcliffe efficiency against drainage area, and the difference of the routed model from each other one. "
    "Faint points: gauges, mean over seeds. Large points: medians of gauges below 100, from 100 to 1000 and above "
    "1000 km2, with 95 % intervals of the block bootstrap.",
)


@styled
def draw(domain_path, skill_csv, by_area_csv, domain, experiment, models, metric="NSE", labels=None):
    """Above, the skill at each gauge against its drainage area; below, that of the first model minus that of each other.

    Args:
        domain_path: domain netCDF.
        skill_csv: skill table.
        by_area_csv: table of :func:`thalweg.analysis.river.skill_by_area` after the column routed.
        domain, experiment: which rows of both.
        models: models of which the first four are drawn, the routed one first.
        metric: of :data:`thalweg.metrics.scores.METRICS`, one that is 1 at best.
        labels: model -> label, in the study's order.

    Returns:
        matplotlib Figure. A faint point is a gauge's mean over seeds and folds; a large one is the median of a class of
        area, with its 95 % interval.

    Raises:
        ValueError: naming the first model without skill.
    """
    place, models = read_domain(domain_path), list(models)[:MOST_LINES]
    area = dict(zip(place.place_ids, place.places.drainage_area.values))
    skill = read_skill(skill_csv)
    skill = skill[(skill.domain == domain) & (skill.experiment == experiment) & (skill.metric == metric)]
    skill = skill[skill.variable == "discharge"]
    skill = skill.groupby(["model", "place"]).value.mean().unstack("model")
    for model in models:
        if model not in skill or skill[model].isna().all():
            raise ValueError(
                f"{skill_csv}: no {metric} of model {model!r} in {domain}/{experiment}; there is of {', '.join(skill)}"
            )
    look = looks(models, labels)
    size = np.array([area[gauge] for gauge in skill.index])
    routed, others = models[0], models[1:]
    difference = skill[others].rsub(skill[routed], axis=0)
    unit = METRICS[metric].unit
    classes = pd.read_csv(by_area_csv)
    classes = classes[(classes.routed == routed) & (classes.metric == metric)].set_index(["model", "area_class"])

    figure = Figure(figsize=(WIDTH, 5.2 if others else 2.9), layout="constrained")
    panels = figure.subplots(1 + bool(others), 1, sharex=True, squeeze=False)[:, 0]
    for model in models:
        _points(panels[0], size, skill[model].to_numpy(), look[model])
    _medians(panels[0], size, look, classes, ["median", "low", "high"])
    low = max(LEAST, skill[models].min(axis=None) - 0.05)
    panels[0].set(ylim=(low, 1), ylabel=f"{metric} [{unit}]")
    below = int((skill[models] < low).to_numpy().sum())
    note = f"; {below} values lie below the axis" if below else ""
    letter(panels[0], 0, f"{domain}, {experiment}: {metric} at {len(skill)} gauges{note}")
    if others:
        panels[1].axhline(0, color=QUIET, linewidth=0.8)
        for model in others:
            _points(panels[1], size, difference[model].to_numpy(), look[model])
        rest = {model: each for model, each in look.items() if model != routed}
        _medians(panels[1], size, rest, classes, ["improvement", "improvement_low", "improvement_high"])
        reach = 1.05 * np.nanpercentile(np.abs(difference), FARTHEST)
        beyond = int((difference.abs() > reach).to_numpy().sum())
        note = f"; {beyond} values lie off the axis" if beyond else ""
        panels[1].set(ylim=(-reach, reach), ylabel=f"difference of {metric} [{unit}]")
        letter(
            panels[1], 1, wrap(f"{look[routed].label} minus each other model (above 0: routing is better){note}", WIDTH)
        )
    panels[-1].set(xscale="log", xlabel="drainage area [km²]")
    for axes in panels:
        for first, _ in list(AREA_CLASSES.values())[1:]:
            axes.axvline(first, color="0.85", linewidth=0.6, zorder=0)
    handles = [
        Line2D([], [], color=each.colour, marker=each.marker, markersize=4, linewidth=1.3, label=each.label)
        for each in look.values()
    ]
    legend_below(figure, handles)
    return figure


def _points(axes, size, values, look):
    """A faint point per gauge."""
    axes.scatter(size, values, s=7, color=look.colour, marker=look.marker, alpha=0.3, linewidths=0, zorder=1)


def _medians(axes, size, look, table, columns):
    """The median of each class of drainage area with its interval, the models beside each other, within the gauges' areas."""
    classes = area_class(size)
    for order, (model, each) in enumerate(look.items()):
        rows = (
            table.loc[model]
            .reindex([name for name in AREA_CLASSES if (classes == name).any()])
            .dropna(subset=columns[0])
        )
        ends = [(size[classes == name].min(), size[classes == name].max()) for name in rows.index]
        at = [first * (last / first) ** ((order + 1) / (len(look) + 1)) for first, last in ends]
        middle, low, high = (rows[column] for column in columns)
        axes.errorbar(
            at,
            middle,
            yerr=[(middle - low).fillna(0), (high - middle).fillna(0)],  # none of a single block
            linestyle="",
            marker=each.marker,
            markersize=5,
            markeredgecolor="white",
            markeredgewidth=0.5,
            elinewidth=1.3,
            color=each.colour,
            zorder=3,
        )
