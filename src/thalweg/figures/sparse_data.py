"""Skill of models against how much they are trained on: the share of the catchments, or years of record."""

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from thalweg.evaluation.blocks import read_blocks
from thalweg.evaluation.statistics import read_skill, summarise
from thalweg.figures.style import WIDTH, legend_below, letter, looks, styled
from thalweg.metrics.scores import METRICS

SWEEPS = {  # name -> (label of the axis, what a level is multiplied by on it)
    "share": ("share of the training catchments [%]", 100),
    "years": ("length of the training period [year]", 1),
}
APART = 0.035  # between the models at one level, as a part of it: the axis is logarithmic


@styled
def draw(skill_csv, domain, sweeps, models, metric="NSE", labels=None, domain_path=None):
    """A panel per sweep: the median of each model against the level, with its 95 % interval.

    Args:
        skill_csv: skill table.
        domain: which rows of it.
        sweeps: of :data:`SWEEPS`, name -> {experiment: level}; a level is a share (0 to 1) or a number of years.
        models: models drawn.
        metric: of :data:`thalweg.metrics.scores.METRICS`.
        labels: model -> label, in the study's order.
        domain_path: file of the domain, of whose blocks of near gauges intervals are; without it of single gauges.

    Returns:
        matplotlib Figure. Every point of a panel is of the same gauges: those with a value of each model at each level.

    Raises:
        ValueError: when a model has no skill at a level, or no gauge has a value of all.
    """
    look = looks(models, labels)
    blocks = {domain: read_blocks(domain_path)} if domain_path else None
    skill = read_skill(skill_csv)
    skill = skill[(skill.domain == domain) & (skill.metric == metric) & skill.model.isin(models)]

    figure = Figure(figsize=(WIDTH if len(sweeps) > 1 else 0.6 * WIDTH, 3.0), layout="constrained")
    panels = figure.subplots(1, len(sweeps), sharey=True, squeeze=False)[0]
    for position, (axes, (name, levels)) in enumerate(zip(panels, sweeps.items(), strict=True)):
        label, factor = SWEEPS[name]
        same = _same_gauges(skill[skill.experiment.isin(levels)], levels, models, f"{skill_csv}: {domain}")
        medians = summarise(same, blocks=blocks).set_index(["model", "experiment"])
        order = sorted(levels, key=levels.get)
        for number, (model, each) in enumerate(look.items()):
            aside = (1 + APART) ** (number - (len(look) - 1) / 2)
            rows = medians.loc[[(model, experiment) for experiment in order]]
            axes.errorbar(
                [factor * levels[experiment] * aside for experiment in order],
                rows["median"],
                yerr=[rows["median"] - rows.low, rows.high - rows["median"]],
                color=each.colour,
                linestyle=each.dashes,
                marker="o",
                markersize=3,
                elinewidth=0.8,
            )
        ticks = sorted({factor * level for level in levels.values()})
        axes.set(xscale="log", xlabel=label)
        axes.xaxis.set_major_locator(FixedLocator(ticks))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.grid(True, axis="y")
        letter(axes, position, f"{domain} ({same.place.nunique()} gauges)")
    panels[0].set_ylabel(f"median {metric.replace('_', ' ')} [{METRICS[metric].unit}]")
    handles = [
        Line2D([], [], color=each.colour, linestyle=each.dashes, marker="o", markersize=3, label=each.label)
        for each in look.values()
    ]
    legend_below(figure, handles)
    return figure


def _same_gauges(skill, levels, models, source):
    """Rows of the gauges that have a value of every model in every experiment."""
    present = skill.dropna(subset="value").groupby(["experiment", "model", "place"]).size().unstack("place")
    wanted = pd.MultiIndex.from_product([levels, models])
    missing = wanted.difference(present.index)
    if len(missing):
        experiment, model = missing[0]
        raise ValueError(f"{source}: there is no skill of model {model!r} in {experiment!r}; leave it out or score it")
    gauges = present.columns[present.loc[wanted].notna().all()]
    if gauges.empty:
        raise ValueError(f"{source}: no gauge has a value of every model in all of {', '.join(levels)}")
    return skill[skill.place.isin(gauges)]
