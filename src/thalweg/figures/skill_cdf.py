"""Distribution of skill over gauges, by experiment and model."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from thalweg.evaluation.statistics import read_skill
from thalweg.experiments.declared import Declared
from thalweg.figures.style import WIDTH, colour_range, legend_below, letter, looks, number, styled
from thalweg.metrics.scores import METRICS

LEAST = -1.0  # where the axis of a metric that is 1 at best begins
MOST_COLUMNS = 3


FIGURE = Declared(
    of="overview",
    reads={"skill_csv": "skill"},
    given={"labels": "labels", "shown": "shown"},
    title="distribution of skill",
    caption="Distribution of the Nash-Sutcliffe efficiency over the tested gauges, by experiment and model. Thick lines: mean "
    "over seeds; thin lines: single seeds. Further right is better.",
)


@styled
def draw(skill_csv, metric="NSE", labels=None, shown=None):
    """A panel per domain and experiment: the share of gauges with less skill than each value.

    Args:
        skill_csv: skill table.
        metric: of :data:`thalweg.metrics.scores.METRICS`.
        labels: model -> label, in the study's order.
        shown: list of (domain, experiment, models) to draw; None draws all of discharge.

    Returns:
        matplotlib Figure. Thick lines are of each gauge's mean over seeds and folds, thin ones of single seeds. Each
        panel states the medians, and the share of gauges that lies left of its axis.

    Raises:
        ValueError: when no row has the metric.
    """
    skill = read_skill(skill_csv)
    skill = skill[skill.variable == "discharge"]
    there = skill.metric.unique()
    skill = skill[skill.metric == metric]
    if skill.empty:
        raise ValueError(f"{skill_csv}: no row has metric {metric!r}; there are {', '.join(there)}")
    if shown is not None:
        wanted = {(domain, experiment, model) for domain, experiment, models in shown for model in models}
        skill = skill[[row in wanted for row in zip(skill.domain, skill.experiment, skill.model)]]
    look = looks(skill.model.unique(), labels)
    limits = _limits(skill.value.to_numpy(), metric)

    groups = list(skill.groupby(["domain", "experiment"], sort=False))
    rows = -(-len(groups) // MOST_COLUMNS)
    columns = -(-len(groups) // rows)
    width = WIDTH if columns > 1 else 0.55 * WIDTH
    figure = Figure(figsize=(width, 2.5 * rows + 0.4), layout="constrained")
    panels = figure.subplots(rows, columns, sharey=True, squeeze=False).ravel()
    for axes in panels[len(groups) :]:
        axes.remove()
    for position, ((domain, experiment), group) in enumerate(groups):
        axes = panels[position]
        gauges = group.place.nunique()
        letter(axes, position, f"{domain}, {experiment} ({gauges} gauges)")
        for model, each in look.items():
            rows_of_model = group[group.model == model]
            if not rows_of_model.empty:
                _model(axes, rows_of_model, each, limits[0])
        axes.set(xlim=limits, ylim=(0, 1), xlabel=f"{metric.replace('_', ' ')} [{METRICS[metric].unit}]")
        axes.grid(True)
        if position % columns == 0:
            axes.set_ylabel("share of gauges below [dimensionless]")
        title = f"median (share below {limits[0]:.3g})".replace("-", "\N{MINUS SIGN}")
        axes.legend(
            loc="best",
            title=title,
            alignment="left",
            handlelength=2.2,
            labelspacing=0.3,
            frameon=True,
            edgecolor="none",
            framealpha=0.6,
        )
    legend_below(
        figure, [Line2D([], [], color=each.colour, linestyle=each.dashes, label=each.label) for each in look.values()]
    )
    return figure


def _limits(values, metric):
    if METRICS[metric].direction == "higher":
        return LEAST, 1.0
    first, last, _ = colour_range(values)
    return (0.0, last) if METRICS[metric].direction == "lower" else (first, last)


def _model(axes, rows, look, least):
    per_seed = rows.groupby(["seed", "place"], dropna=False).value.mean().unstack("seed")
    mean = rows.groupby("place").value.mean().dropna()
    if mean.empty:
        axes.plot([], [], color=look.colour, linestyle=look.dashes, label="no value")
        return
    if per_seed.shape[1] > 1:
        for _, values in per_seed.items():
            axes.plot(*_steps(values.dropna()), color=look.colour, linewidth=0.5, alpha=0.5)
    below = np.mean(mean < least)
    note = f" ({100 * below:.0f} %)" if below > 0 else ""
    axes.plot(*_steps(mean), color=look.colour, linestyle=look.dashes, label=number(mean.median()) + note)


def _steps(values):
    """The empirical distribution function as the corners of its steps."""
    ranked = np.sort(values)
    share = np.arange(len(ranked) + 1) / max(len(ranked), 1)
    return np.repeat(ranked, 2), np.repeat(share, 2)[1:-1]
