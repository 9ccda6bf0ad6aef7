"""Skill of each model on the river map."""

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.colors import BoundaryNorm, Normalize
from matplotlib.figure import Figure

from thalweg.basin.domain import read_domain
from thalweg.evaluation.statistics import read_skill
from thalweg.experiments.declared import Declared
from thalweg.figures.maps import base, coast_of, extent_of, height_over_width, hollow, panel_size, rivers, scale_bar
from thalweg.figures.style import OKABE_ITO, colour_range, letter, looks, median_of, number, styled, wrap
from thalweg.metrics.scores import METRICS

STEPS = np.linspace(0, 1, 6)  # classes of a metric that is 1 at best and 0 at the mean
WORSE = OKABE_ITO[1]  # below 0
MOST_MODELS = 4
TALL = 1.2  # height over width of a map of which four stand side by side, otherwise two


FIGURE = Declared(
    of="mapped_experiments",
    reads={"domain_path": "domain", "skill_csv": "skill", "summary_csv": "summary", "map_folder": "data:map"},
    given={"labels": "labels", "models": "leading"},
    title="map of skill",
    caption="Nash-Sutcliffe efficiency at the tested gauges, mean over seeds and folds. Blue lines join the centroids of "
    "connected reaches; they are not the courses of the rivers.",
)


@styled
def draw(domain_path, skill_csv, summary_csv, domain, experiment, models, metric="NSE", labels=None, map_folder=None):
    """A map per model: the river network, and each gauge coloured by its skill (mean over seeds and folds).

    Args:
        domain_path: domain netCDF.
        skill_csv: skill table.
        summary_csv: table of :func:`thalweg.evaluation.statistics.summarise`, which has the medians.
        domain, experiment: which rows of both.
        models: names, of which the first four have a panel each.
        metric: of :data:`thalweg.metrics.scores.METRICS`.
        labels: model -> label, in the study's order.
        map_folder: the unpacked ``map`` dataset; None draws no coast.

    Returns:
        matplotlib Figure. Gauges without a value are hollow.

    Raises:
        ValueError: when the table has no row of a model.
        FileNotFoundError: when ``map_folder`` holds no coast.
    """
    place, summary, models = read_domain(domain_path), pd.read_csv(summary_csv), list(models)[:MOST_MODELS]
    skill = read_skill(skill_csv)
    skill = skill[(skill.domain == domain) & (skill.experiment == experiment) & (skill.metric == metric)]
    skill = skill[skill.variable == "discharge"]
    for model in models:
        if model not in set(skill.model):
            raise ValueError(
                f"{skill_csv}: there is no {metric} of model {model!r} in {domain}/{experiment}; "
                f"there is of {', '.join(skill.model.unique()) or 'none'}"
            )
    values = skill.groupby(["model", "place"]).value.mean().unstack("model").reindex(place.place_ids)[models]
    mapping = _colours(metric, values.to_numpy())

    mapped = "longitude" in place.network  # whole catchments have no reaches to draw
    extent = extent_of(place.network, place.places) if mapped else extent_of(place.places)
    coast = coast_of(map_folder, extent)
    columns = min(len(models), MOST_MODELS if height_over_width(extent) > TALL else 2)
    rows = -(-len(models) // columns)
    width, height = panel_size(extent, columns)
    incomplete = bool(values.isna().any(axis=None))
    names = {model: wrap(f"    {look.label}", max(width, 1.6))[4:] for model, look in looks(models, labels).items()}
    lines = max(name.count("\n") for name in names.values()) + 2
    size = columns * max(width, 1.7) + 0.6, rows * (height + 0.16 * lines + 0.05) + 1.0 + 0.25 * incomplete
    figure = Figure(figsize=size, layout="compressed")
    panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    for axes in panels.ravel()[len(models) :]:
        axes.remove()
    for position, model in enumerate(models):
        axes = panels.ravel()[position]
        base(axes, extent, coast)
        if mapped:
            rivers(axes, place)
        scatter = _gauges(axes, place.places, values[model].to_numpy(), mapping)
        median = number(median_of(summary, domain, experiment, model, metric))
        letter(axes, position, f"{names[model]}\nmedian {median}, {values[model].count()} gauges")
        axes.label_outer()
    scale_bar(panels[0, 0], extent)
    if incomplete:
        figure.legend(*_first_legend(panels.ravel()[: len(models)]), loc="outside lower right")
    unit = METRICS[metric].unit
    bar = figure.colorbar(
        scatter,
        ax=list(panels.ravel()[: len(models)]),
        location="bottom",
        shrink=0.6 if columns > 1 else 1,
        aspect=40,
        pad=0.02,
        extend=mapping["extend"],
    )
    bar.set_label(f"{metric.replace('_', ' ')} [{unit}], {domain}, {experiment}")
    return figure


def _first_legend(panels):
    for axes in panels:
        handles, names = axes.get_legend_handles_labels()
        if handles:
            return handles, names
    return [], []


def _colours(metric, values):
    """Colour map, norm and open ends for a metric: classes above 0, one colour below; or a scale around its best value."""
    if METRICS[metric].direction == "higher":
        colours = colormaps["viridis"].with_extremes(under=WORSE)
        return {"cmap": colours, "norm": BoundaryNorm(STEPS, colours.N), "extend": "min"}
    if METRICS[metric].direction == "lower":
        _, last, extend = colour_range(values, 0, 95)
        return {"cmap": colormaps["viridis_r"], "norm": Normalize(0, last), "extend": extend}
    _, last, extend = colour_range(np.abs(values), 0, 95)
    return {
        "cmap": colormaps["PuOr"],
        "norm": Normalize(-last, last),
        "extend": "both" if extend == "max" else "neither",
    }


def _gauges(axes, gauges, values, mapping):
    known = np.isfinite(values)
    if (~known).any():
        hollow(axes, gauges.isel(place=~known), "gauge without a value")
    order = np.flatnonzero(known)[np.argsort(-values[known])]  # the worst on top
    return axes.scatter(
        gauges.longitude.values[order],
        gauges.latitude.values[order],
        c=values[order],
        cmap=mapping["cmap"],
        norm=mapping["norm"],
        s=16,
        edgecolors="0.15",
        linewidths=0.35,
        zorder=3,
    )
