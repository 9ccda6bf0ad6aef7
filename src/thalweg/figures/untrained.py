"""Fluxes inside processes that no observation trained, against what observations say of them."""

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from thalweg.experiments.declared import Declared
from thalweg.figures.style import QUIET, WIDTH, legend_below, letter, looks, number, styled

TRIVIAL = {"evapotranspiration": "budyko_evapotranspiration"}
PANELS = {
    "evapotranspiration": ("balance_evapotranspiration", "evapotranspiration", "P \N{MINUS SIGN} Q observed", "mm/day"),
    "baseflow_index": ("filtered_baseflow_index", "baseflow index", "of observed discharge, filtered", "dimensionless"),
}


FIGURE = Declared(
    of="processes_in_time",
    reads={"untrained_csv": "table:internal_fluxes"},
    given={"labels": "drawn_labels", "models": "drawn_trained"},
    title="internal fluxes",
    caption="Fluxes that were not used in training, a point per gauge and process, mean over seeds. Evapotranspiration "
    "against precipitation minus observed runoff, grey by the curve of Budyko; share of baseflow in runoff against "
    "the baseflow index of observed discharge by the filter of Lyne and Hollick. Processes without a store for "
    "baseflow are absent from the second panel.",
)


@styled
def draw(untrained_csv, labels=None, models=None):
    """Evapotranspiration against the water balance and baseflow index against the filter's, a point per gauge and model.

    Args:
        untrained_csv: table of :func:`thalweg.analysis.internal_fluxes.inner_fluxes_of_all`.
        labels: model -> label, in the study's order.
        models: those drawn; None for all.

    Returns:
        matplotlib Figure. Points are means over seeds, grey ones those of Budyko's curve. Panels state Spearman's rho over
        gauges of each model that has the flux; the line is equality.

    Raises:
        ValueError: when no gauge has both a water balance and a simulated evapotranspiration.
    """
    table = pd.read_csv(untrained_csv, dtype={"place": str})
    table = table if models is None else table[table.model.isin(models)]
    if table.dropna(subset=["evapotranspiration", "balance_evapotranspiration"]).empty:
        raise ValueError(f"{untrained_csv}: no gauge has both a water balance and a simulated evapotranspiration")
    drawn = table.model.unique()
    look = looks(drawn, labels)
    means = table.groupby(["model", "place"]).mean(numeric_only=True)

    figure = Figure(figsize=(WIDTH, 3.7), layout="constrained")
    for position, (axes, (flux, (target, name, against, unit))) in enumerate(
        zip(figure.subplots(1, 2), PANELS.items())
    ):
        notes = []
        if flux in TRIVIAL:
            gauges = means.groupby("place")[[target, TRIVIAL[flux]]].first().dropna()
            axes.scatter(gauges[target], gauges[TRIVIAL[flux]], s=8, linewidths=0, color=QUIET, alpha=0.6)
            notes.append(_note("Budyko", gauges[target], gauges[TRIVIAL[flux]], QUIET))
        for model, each in look.items():
            points = means.loc[model][[target, flux]].dropna()
            if len(points):
                axes.scatter(points[target], points[flux], s=8, linewidths=0, alpha=0.6, color=each.colour)
                notes.append(_note(each.label, points[target], points[flux], each.colour))
        known = means[[target, flux]].dropna()
        if len(known):
            ends = [known.min().min(), known.max().max()]
            axes.plot(ends, ends, color="0.3", linewidth=0.8, zorder=1)
        axes.legend(
            handles=notes,
            title="ρ over gauges",
            alignment="left",
            loc="best",
            frameon=True,
            edgecolor="none",
            framealpha=0.7,
            handletextpad=0.1,
        )
        axes.grid(True)
        letter(axes, position, name)
        axes.set(xlabel=f"{against} [{unit}]", ylabel=f"simulated [{unit}]")
    legend_below(figure, [_dot(each.label, each.colour) for each in look.values()] + [_dot("Budyko's curve", QUIET)])
    return figure


def _dot(label, colour):
    return Line2D([], [], linestyle="", marker="o", markersize=3.5, markeredgewidth=0, color=colour, label=label)


def _note(name, target, simulated, colour):
    from scipy.stats import spearmanr

    rho = spearmanr(target, simulated).statistic if len(target) > 2 else float("nan")
    return _dot(number(rho), colour)
