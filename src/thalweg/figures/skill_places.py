"""Skill of models and baselines at the places of each experiment."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from thalweg.evaluation.statistics import read_skill, unit_of
from thalweg.experiments.declared import Declared
from thalweg.figures.series import decimals, unit_text
from thalweg.figures.style import QUIET, WIDTH, letter, looks, number, styled, wrap
from thalweg.metrics.scores import METRICS

BETTER = {"lower": "lower is better", "higher": "higher is better", "closer": "best at {best:g}"}
MOST_COLUMNS = 3
FARTHEST = 97  # percentile of the worst model's values to which the axis reaches
STRETCH = 1.6  # it reaches to the last value where that is no farther than this factor beyond
LOWEST = -0.5  # where the axis of a metric that is 1 at best begins at the lowest
ROW_HEIGHT = 0.3  # inch, of one model
SPREAD = 0.27  # of its points, up and down, as a share of that
DASHED = (0, (3, 1.5))
SMALL = 6.5  # points, of numbers


FIGURE = Declared(
    of="sampled_variables",
    reads={"skill_csv": "skill", "summary_csv": "summary"},
    given={"labels": "sampled_labels", "experiments": "panels", "baselines": "baselines_about"},
    title="skill at sampled places",
    caption="Error at every sampled place by experiment and model; baselines are hollow and dashed. Numbers: medians over "
    "places with 95 % intervals of the block bootstrap, the best in bold (the table of paired tests says which "
    "differences exceed chance). Axes differ between panels.",
)


@styled
def draw(skill_csv, summary_csv, domain, variable, experiments, labels=None, metric="RMSE", baselines=()):
    """A panel per experiment, a row per model: its skill at every place, the median over places and its 95 % interval.

    Args:
        skill_csv: skill table.
        summary_csv: table of :func:`thalweg.evaluation.statistics.summarise`, which has the medians and intervals.
        domain, variable: which rows of both.
        experiments: experiment -> {"label": title of its panel}, in the order of panels.
        labels: model -> label, in the study's order.
        metric: of :data:`thalweg.metrics.scores.METRICS`.
        baselines: models drawn hollow, below the others.

    Returns:
        matplotlib Figure. A point is a place's mean over seeds and folds, the box runs from the lower to the upper
        quartile. Each row states its median and interval, the best in bold, and, where there are any, how many places lie beyond
        the axis.

    Raises:
        ValueError: naming the first experiment without a value of the metric.
    """
    skill, summary = (
        table[(table.domain == domain) & (table.variable == variable) & (table.metric == metric)]
        for table in (read_skill(skill_csv), pd.read_csv(summary_csv))
    )
    for name in experiments:
        if skill[skill.experiment == name].value.notna().sum() == 0:
            there = ", ".join(skill.experiment.unique()) or "none"
            raise ValueError(f"{skill_csv}: no {metric} of experiment {name!r} in {domain}; there is of {there}")
    skill = skill[skill.experiment.isin(list(experiments))]
    look = looks(skill.model.unique(), labels)
    order = [*(model for model in look if model not in baselines), *(model for model in look if model in baselines)]
    summary = summary.set_index(["experiment", "model"])
    better = BETTER[METRICS[metric].direction].format(best=METRICS[metric].best)

    rows = -(-len(experiments) // MOST_COLUMNS)
    columns = -(-len(experiments) // rows)
    width = WIDTH if columns > 1 else 0.6 * WIDTH
    titles = {name: wrap(f"    {entry['label']}", (width - 1.2) / columns)[4:] for name, entry in experiments.items()}
    lines = max(title.count("\n") for title in titles.values())
    height = rows * (ROW_HEIGHT * len(order) + 0.75 + 0.14 * lines) + 0.35
    figure = Figure(figsize=(width, height), layout="constrained")
    panels = figure.subplots(rows, columns, sharey=True, squeeze=False).ravel()
    for axes in panels[len(experiments) :]:
        axes.remove()
    for position, name in enumerate(experiments):
        axes = panels[position]
        values = skill[skill.experiment == name].groupby(["model", "place"]).value.mean().unstack("model")
        limits = _limits([values[model].dropna().to_numpy() for model in values], metric)
        count = int(values.notna().any(axis=1).sum())
        letter(axes, position, f"{titles[name]}\n({count} places)")
        best = summary.loc[name].median_distance.idxmin()
        digits = decimals(summary.loc[name][["median", "low", "high"]])
        for row, model in enumerate(order):
            if model in values and values[model].notna().any():
                _row(axes, row, values[model].dropna().to_numpy(), look[model], model in baselines, limits)
                _state(axes, row, values[model], summary.loc[(name, model)], limits, digits, model == best)
            else:
                axes.text(0.02, row, "no value", transform=axes.get_yaxis_transform(), va="center", color=QUIET)
        if 0 < len(set(order) & set(baselines)) < len(order):
            axes.axhline(
                sum(model not in baselines for model in order) - 0.5, color=QUIET, linewidth=0.5, dashes=(3, 2)
            )
        unit = unit_text(unit_of(metric, skill[skill.experiment == name].unit.iloc[0]))
        axes.set_xlabel(f"{metric.replace('_', ' ')} [{unit}]\n({better})")
        axes.set(xlim=limits, ylim=(len(order) - 0.4, -0.7))
        axes.xaxis.set_major_locator(MaxNLocator(4))
        axes.grid(True, axis="x")
    for axes in panels[: len(experiments) : columns]:
        axes.set_yticks(range(len(order)), [look[model].label for model in order])
    for axes in panels[: len(experiments)]:
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
    figure.legend(handles=_legend(bool(set(order) & set(baselines))), loc="outside lower center", ncols=4)
    return figure


def _limits(models, metric):
    """Where the axis runs, with the best value and all medians inside; ``models`` holds the values of each."""
    models = [values for values in models if len(values)]
    score = METRICS[metric]
    if score.direction == "higher":
        lowest = min(np.percentile(values, 100 - FARTHEST) for values in models)
        return min(max(lowest, LOWEST), *(np.median(values) for values in models), score.best) - 0.05, score.best
    away = [np.abs(values - score.best) for values in models]
    reach, last = max(np.percentile(values, FARTHEST) for values in away), max(values.max() for values in away)
    reach = 1.05 * (last if last <= STRETCH * reach else reach) or 1.0
    return (score.best if score.direction == "lower" else score.best - reach), score.best + reach


def _row(axes, row, values, look, baseline, limits):
    inside = values[(values >= limits[0]) & (values <= limits[1])]
    spread = np.random.default_rng(row).uniform(-SPREAD, SPREAD, len(inside))
    marks = {"facecolors": "none", "linewidths": 0.5} if baseline else {"facecolors": look.colour, "linewidths": 0}
    size, opacity = np.clip([220 / len(values), 20 / len(values)], [2, 0.4], [12, 0.8])
    axes.scatter(inside, row + spread, s=size, alpha=opacity, edgecolors=look.colour, zorder=1, **marks)
    first, last = np.percentile(values, [25, 75])
    box = {"facecolor": (1, 1, 1, 0.5), "edgecolor": "0.25", "linewidth": 0.7, "zorder": 2}
    axes.barh(row, last - first, left=first, height=2.3 * SPREAD, linestyle=DASHED if baseline else "-", **box)


def _state(axes, row, values, summary, limits, digits, best):
    """The median with its interval, and at the right end both in numbers, in bold where no other model's median is better."""
    known = np.isfinite(summary.low)
    interval = [[summary["median"] - summary.low], [summary.high - summary["median"]]] if known else None
    axes.errorbar(
        summary["median"],
        row,
        xerr=interval,
        color="black",
        marker="|",
        markersize=9,
        markeredgewidth=1.5,
        elinewidth=1.1,
        capsize=1.8,
        capthick=0.8,
        zorder=4,
    )
    text = number(summary["median"], digits)
    if known:
        text += f"\n{number(summary.low, digits)} to {number(summary.high, digits)}"
    across = axes.get_yaxis_transform()
    weight = "bold" if best else "normal"
    axes.text(1.02, row, text, transform=across, va="center", fontsize=SMALL, linespacing=1, weight=weight)
    beyond = int(((values < limits[0]) | (values > limits[1])).sum())
    if beyond:
        axes.text(
            1, row + 0.42, f"{beyond} beyond", transform=across, ha="right", va="center", fontsize=5.5, color="0.3"
        )


def _legend(baselines):
    handles = [
        Line2D([], [], color="0.4", marker="o", markersize=3, linestyle="", label="place"),
        Patch(facecolor="white", edgecolor="0.25", linewidth=0.7, label="quartiles"),
        Line2D([], [], color="black", marker="|", markersize=9, markeredgewidth=1.8, label="median, 95 % interval"),
    ]
    if baselines:
        handles.append(Patch(facecolor="none", edgecolor="0.25", linewidth=0.7, linestyle=DASHED, label="baseline"))
    return handles
