"""Fluxes within processes that were not used in training, against estimates from observations."""

import pandas as pd
from matplotlib.figure import Figure

from thalweg.evaluation.evidence import read_evidence
from thalweg.experiments.declared import Declared
from thalweg.figures.style import (
    MOST_LINES,
    QUIET,
    WIDTH,
    dot,
    dots_of,
    effect_of,
    legend_below,
    letter,
    looks,
    number,
    stated,
    styled,
    wrap,
)

TRIVIAL = {"evapotranspiration": "budyko_evapotranspiration"}
ROWS = {  # flux -> column of the estimate, axis of the flux, axis of the estimate
    "evapotranspiration": (
        "balance_evapotranspiration",
        "simulated evapotranspiration\n[mm/day]",
        "P \N{MINUS SIGN} Q observed [mm/day]",
    ),
    "baseflow_index": (
        "filtered_baseflow_index",
        "simulated baseflow index\n[dimensionless]",
        "of filtered discharge\n[dimensionless]",
    ),
}


FIGURE = Declared(
    of="processes_in_time",
    reads={"untrained_csv": "table:internal_fluxes", "evidence_csv": "table:internal_fluxes:evidence"},
    given={"labels": "labels", "models": "drawn_trained"},
    title="internal fluxes",
    caption="Internal fluxes not used in training; a point per gauge, mean over seeds. Evapotranspiration against "
    "precipitation minus observed runoff (grey: Budyko's curve); baseflow index against that of observed "
    "discharge by the filter of Lyne and Hollick.",
)


@styled
def draw(untrained_csv, evidence_csv, labels=None, models=None):
    """Evapotranspiration against the water balance, baseflow index against the filter's: a column per model, a point per gauge.

    Args:
        untrained_csv: table of :func:`thalweg.analysis.internal_fluxes.inner_fluxes_of_all`.
        evidence_csv: rows of :func:`thalweg.analysis.internal_fluxes.untrained_evidence` of the same experiment.
        labels: model -> label, in the study's order.
        models: those drawn, of which the first four that have such fluxes are; None for those of the table.

    Returns:
        matplotlib Figure. Points are means over seeds, grey ones those of Budyko's curve. Panels state Spearman's rho over
        gauges, in the first panel that of Budyko's curve too; the line is equality.

    Raises:
        ValueError: when no gauge has both a water balance and a simulated evapotranspiration.
    """
    table, evidence = pd.read_csv(untrained_csv, dtype={"place": str}), read_evidence(evidence_csv)
    there = list(table.model.unique())
    models = there if models is None else [model for model in models if model in there]
    models = models[:MOST_LINES]
    table = table[table.model.isin(models)]
    if table.dropna(subset=["evapotranspiration", "balance_evapotranspiration"]).empty:
        raise ValueError(f"{untrained_csv}: no gauge has both a water balance and a simulated evapotranspiration")
    look = looks(models, labels)
    means = table.groupby(["model", "place"]).mean(numeric_only=True)

    figure = Figure(figsize=(WIDTH * max(len(look), 2) / MOST_LINES, 4.0), layout="constrained")
    panels = figure.subplots(len(ROWS), len(look), squeeze=False, sharex="row", sharey="row")
    for position, (axes, each) in enumerate(zip(panels[0], look.values())):
        letter(axes, position, wrap(each.label, 1.3))
    for row, (flux, (target, simulated, estimated)) in zip(panels, ROWS.items()):
        known = means[[target, flux]].dropna()
        for axes, (model, each) in zip(row, look.items()):
            points = means.loc[model]
            if flux in TRIVIAL:
                axes.scatter(points[target], points[TRIVIAL[flux]], s=6, linewidths=0, color=QUIET, alpha=0.6)
            axes.scatter(
                points[target], points[flux], s=8, linewidths=0, alpha=0.6, color=each.colour, marker=each.marker
            )
            if len(known):
                ends = [known.min().min(), known.max().max()]
                axes.plot(ends, ends, color="0.3", linewidth=0.8, zorder=1)
            text = f"ρ = {number(effect_of(evidence, model, f'{flux}_rank_correlation')['effect'])}"
            if flux in TRIVIAL and axes is row[0]:
                trivial = effect_of(evidence, "budyko", f"{flux}_rank_correlation")
                text += f" (Budyko {number(trivial['effect'])})"
            stated(axes, text if points[flux].notna().any() else "the process has none")
            axes.grid(True)
            axes.set_xlabel(estimated, fontsize=7)
        row[0].set_ylabel(simulated, fontsize=7)
    legend_below(figure, [*dots_of(look), dot("Budyko's curve", QUIET)])
    return figure
