"""Elasticities of runoff of trained models, against each other and against those of Fu's curve."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from thalweg.evaluation.evidence import read_evidence
from thalweg.experiments.declared import Declared
from thalweg.figures.style import MOST_LINES, WIDTH, colour_range, effect_of, letter, looks, note, number, styled, wrap

PRECIPITATION, POTENTIAL = "elasticity_precipitation", "elasticity_potential_evapotranspiration"
FU = "fu_elasticity_precipitation"
SYMBOLS = {PRECIPITATION: r"$\epsilon_P$", POTENTIAL: r"$\epsilon_{PET}$"}
LINE = {"color": "0.3", "linewidth": 0.8, "zorder": 1}


FIGURE = Declared(
    of="trained_in_time",
    reads={"elasticity_csv": "table:elasticity", "evidence_csv": "table:elasticity:evidence"},
    given={"labels": "labels", "models": "drawn_trained"},
    title="elasticity of runoff",
    caption="Elasticities of simulated runoff; a point per gauge, mean over seeds. Upper row: to potential "
    "evapotranspiration against to precipitation; the line is a sum of 1, as of every Budyko curve; shaded: wrong "
    "signs. Lower row: to precipitation against that of Fu's curve through the observed water balance.",
)


@styled
def draw(elasticity_csv, evidence_csv, labels=None, models=None):
    """Two panels per model, a point per gauge: the two elasticities, and that to precipitation against Fu's.

    Args:
        elasticity_csv: table of :func:`thalweg.analysis.elasticity.respond_all`.
        evidence_csv: rows of :func:`thalweg.analysis.elasticity.response_evidence` of the same experiment.
        labels: model -> label, in the study's order.
        models: of which the first four with both elasticities are drawn; None for those of the table.

    Returns:
        matplotlib Figure. Points are means over seeds. The line of the upper panels is eps_P + eps_PET = 1, on which all of
        Fu's curves lie whatever their w; the shaded half planes hold wrong signs. These panels state the median of
        abs(eps_P + eps_PET - 1) and the share of gauges with a wrong sign. The line of the lower panels is equality; they
        state Spearman's rho and the number of gauges.

    Raises:
        ValueError: when no model has both elasticities.
    """
    table, evidence = pd.read_csv(elasticity_csv, dtype={"place": str}), read_evidence(evidence_csv)
    models = list(table.model.unique()) if models is None else list(models)
    means = table[table.model.isin(models)].groupby(["model", "place"])[[PRECIPITATION, POTENTIAL, FU]].mean()
    means = means.dropna(subset=[PRECIPITATION, POTENTIAL])
    if means.empty:
        raise ValueError(
            f"{elasticity_csv}: none of {', '.join(models)} has elasticities; draw models that have weights"
        )
    drawn = [model for model in models if model in means.index.unique("model")][:MOST_LINES]
    means = means.loc[drawn]
    look = looks(drawn, labels)
    x, y = (_limits(means[name]) for name in (PRECIPITATION, POTENTIAL))

    columns = max(len(look), 2)
    figure = Figure(figsize=(WIDTH * columns / MOST_LINES, 3.9), layout="constrained")
    panels = figure.subplots(2, len(look), squeeze=False, sharey="row")
    for position, (model, each) in enumerate(look.items()):
        above, below = panels[:, position]
        points = means.loc[model]
        _plane(above, points, each, x, y)
        deviation, wrong = (
            effect_of(evidence, model, name)["effect"] for name in ("elasticity_sum_deviation", "sign_violations")
        )
        note(above, f"median deviation {number(deviation)}\nwrong sign {100 * wrong:.0f} %", 0.03, "bottom")
        _against_fu(below, points, each, x)
        rank = effect_of(evidence, model, "elasticity_to_budyko")
        known = (
            f"ρ = {number(rank['effect'])}, n = {rank['n']:.0f}"
            if np.isfinite(rank["effect"])
            else "too few gauges for ρ"
        )
        note(below, known, 0.97, "top")
        letter(above, position, wrap(each.label, 1.3))
    for axes, name in zip(panels[:, 0], (POTENTIAL, PRECIPITATION)):
        axes.set_ylabel(f"{SYMBOLS[name]} [dimensionless]")
    return figure


def _limits(values):
    """Most of the values, 0 and 1 or -1 with them."""
    low, high, _ = colour_range(values.to_numpy(), 1, 99)
    low, high = min(low, 0), max(high, 0)
    margin = 0.05 * (high - low)
    return low - margin, high + margin


def _points(axes, x, y, look):
    axes.scatter(x, y, s=8, linewidths=0, alpha=0.6, color=look.colour, marker=look.marker, zorder=2)
    axes.grid(True)


def _plane(axes, points, look, x, y):
    axes.axvspan(x[0], 0, color="0.93", zorder=0)
    axes.axhspan(0, y[1], color="0.93", zorder=0)
    axes.plot(x, [1 - value for value in x], **LINE)
    _points(axes, points[PRECIPITATION], points[POTENTIAL], look)
    axes.set(xlim=x, ylim=y, xlabel=f"{SYMBOLS[PRECIPITATION]} [dimensionless]")


def _against_fu(axes, points, look, x):

    points = points.dropna(subset=[FU])
    axes.plot(x, x, **LINE)
    _points(axes, points[FU], points[PRECIPITATION], look)
    fu = _limits(points[FU]) if len(points) else x
    axes.set(xlim=fu, ylim=x, xlabel=f"{SYMBOLS[PRECIPITATION]} of Fu's curve\n[dimensionless]")
