"""Elasticities of runoff of trained models, against each other and against those of Fu's curve."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from thalweg.evaluation.evidence import ROUNDING
from thalweg.experiments.declared import Declared
from thalweg.figures.style import WIDTH, colour_range, letter, looks, number, styled, wrap

MOST_COLUMNS = 4
PRECIPITATION, POTENTIAL = "elasticity_precipitation", "elasticity_potential_evapotranspiration"
FU = "fu_elasticity_precipitation"
SYMBOLS = {PRECIPITATION: r"$\epsilon_P$", POTENTIAL: r"$\epsilon_{PET}$"}
LINE = {"color": "0.3", "linewidth": 0.8, "zorder": 1}


FIGURE = Declared(
    of="trained_in_time",
    reads={"elasticity_csv": "table:elasticity"},
    given={"labels": "drawn_labels", "models": "drawn_trained"},
    title="elasticity of runoff",
    caption="Elasticities of simulated runoff to precipitation and potential evapotranspiration, a point per gauge, mean over "
    "seeds. On the line their sum is 1; shaded are wrong signs. Right: elasticity to precipitation against that of "
    "the curve of Fu through the observed water balance.",
)


@styled
def draw(elasticity_csv, labels=None, models=None):
    """Two panels per model, a point per gauge: the two elasticities, and that to precipitation against Fu's.

    Args:
        elasticity_csv: table of :func:`thalweg.analysis.elasticity.respond_all`.
        labels: model -> label, in the study's order.
        models: those drawn; None for all.

    Returns:
        matplotlib Figure. Points are means over seeds. The line of the first panel is eps_P + eps_PET = 1, on which all of
        Fu's curves lie whatever their w; the shaded half planes hold wrong signs. The panel states the median of
        abs(eps_P + eps_PET - 1) and the share of gauges with a wrong sign. The line of the second panel is equality; it
        states Spearman's rho and the number of gauges.

    Raises:
        ValueError: when no model drawn has both elasticities.
    """
    table = pd.read_csv(elasticity_csv, dtype={"place": str})
    models = list(table.model.unique()) if models is None else models
    means = table[table.model.isin(models)].groupby(["model", "place"])[[PRECIPITATION, POTENTIAL, FU]].mean()
    means = means.dropna(subset=[PRECIPITATION, POTENTIAL])
    if means.empty:
        raise ValueError(
            f"{elasticity_csv}: none of {', '.join(models)} has elasticities; draw models that have weights"
        )
    drawn = means.index.unique("model")
    look = looks(drawn, labels)
    x, y = (_limits(means[name]) for name in (PRECIPITATION, POTENTIAL))

    columns = min(len(look), MOST_COLUMNS)
    blocks = -(-len(look) // columns)
    figure = Figure(figsize=(WIDTH * max(columns, 2) / MOST_COLUMNS, 3.9 * blocks), layout="constrained")
    panels = figure.subplots(2 * blocks, columns, squeeze=False)
    for position, (model, each) in enumerate(look.items()):
        row, column = divmod(position, columns)
        points = means.loc[model]
        _plane(panels[2 * row, column], points, each, x, y)
        _against_fu(panels[2 * row + 1, column], points, each, x)
        for axes, name in ((panels[2 * row, column], POTENTIAL), (panels[2 * row + 1, column], PRECIPITATION)):
            if column == 0:
                axes.set_ylabel(f"{SYMBOLS[name]} [dimensionless]")
        letter(panels[2 * row, column], position, wrap(each.label, 1.4))
    for axes in panels.reshape(blocks, 2, columns)[-1, :, len(look) - columns * (blocks - 1) :].ravel():
        axes.remove()
    return figure


def _limits(values):
    """Most of the values, 0 and 1 or -1 with them."""
    low, high, _ = colour_range(values.to_numpy(), 1, 99)
    low, high = min(low, 0), max(high, 0)
    margin = 0.05 * (high - low)
    return low - margin, high + margin


def _points(axes, x, y, look):
    axes.scatter(x, y, s=8, linewidths=0, alpha=0.6, color=look.colour, zorder=2)
    axes.grid(True)


def _plane(axes, points, look, x, y):
    axes.axvspan(x[0], 0, color="0.93", zorder=0)
    axes.axhspan(0, y[1], color="0.93", zorder=0)
    axes.plot(x, [1 - value for value in x], **LINE)
    _points(axes, points[PRECIPITATION], points[POTENTIAL], look)
    axes.set(xlim=x, ylim=y, xlabel=f"{SYMBOLS[PRECIPITATION]} [dimensionless]")
    deviation = (points[PRECIPITATION] + points[POTENTIAL] - 1).abs().median()
    wrong = np.mean((points[PRECIPITATION] < -ROUNDING) | (points[POTENTIAL] > ROUNDING))
    _note(axes, f"median deviation {number(deviation)}\nwrong sign {100 * wrong:.0f} %", height=0.17)


def _against_fu(axes, points, look, x):
    from scipy.stats import spearmanr

    points = points.dropna(subset=[FU])
    axes.plot(x, x, **LINE)
    _points(axes, points[FU], points[PRECIPITATION], look)
    fu = _limits(points[FU]) if len(points) else x
    axes.set(xlim=fu, ylim=x, xlabel=r"$\epsilon_P$, Fu [dimensionless]")
    rho = spearmanr(points[FU], points[PRECIPITATION]).statistic if len(points) > 2 else np.nan
    _note(axes, f"ρ = {number(rho)}, n = {len(points)}")


def _note(axes, text, height=0.97):
    axes.text(0.03, height, text, transform=axes.transAxes, va="top", fontsize=6, zorder=3)
