"""Curves of assimilation over CO2: measured, and modelled where points were held out."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from thalweg.experiments.declared import Declared
from thalweg.figures.style import OBSERVED, OKABE_ITO, WIDTH, legend_below, number, styled

MODELS = {
    "least_squares": ("curve fitted alone", OKABE_ITO[1], "--"),
    "network": ("network", OKABE_ITO[0], "-"),
}
COLUMNS = 4


FIGURE = Declared(
    of="leaf_curves",
    reads={"points_csv": "tables/leaf/{kind}/points.csv", "fits_csv": "tables/leaf/{kind}/fits.csv"},
    title="A-Ci curves",
    caption="Net assimilation against intercellular CO2, curves from the smallest to the largest Vcmax25. Lines: each "
    "curve fitted alone, and the network shared by all curves. Intercellular CO2 is itself computed from measured "
    "assimilation.",
)


@styled
def draw(points_csv, fits_csv, panels=8):
    """A panel per curve, from the smallest to the largest Vcmax25, evenly spaced among the C3 curves of a dataset.

    Args:
        points_csv: measured and modelled points, of :func:`thalweg.analysis.leaf.run_study`.
        fits_csv: parameters of every curve.
        panels: number of curves drawn.

    Returns:
        matplotlib Figure. Open circles were held out: no model was trained on them.
    """
    points = pd.read_csv(points_csv)
    fits = pd.read_csv(fits_csv).set_index("curve")
    if "kind" in fits:
        fits = fits[fits.kind == "A-Ci"]
    order = fits[fits.index.isin(points.curve)].sort_values("Vcmax25")
    chosen = order.iloc[np.unique(np.linspace(0, len(order) - 1, panels).round().astype(int))]
    rows = -(-len(chosen) // COLUMNS)
    figure = Figure(figsize=(WIDTH, 1.75 * rows + 0.5), layout="constrained")
    grid = figure.subplots(rows, COLUMNS, squeeze=False)
    for axes, (curve, fit) in zip(grid.ravel(), chosen.iterrows()):
        _panel(axes, points[points.curve == curve].sort_values("intercellular_co2"))
        name = fit.species if "species" in fit and isinstance(fit.species, str) else curve
        where = fit.location if "location" in fit else f"{fit.mean_leaf_temperature:.0f} °C"
        axes.set_title(f"{name}\n{where}, V$_{{cmax25}}$ {number(fit.Vcmax25, 0)}", loc="left", fontsize=7)
    for axes in grid.ravel()[len(chosen) :]:
        axes.set_axis_off()
    for axes in grid[:, 0]:
        axes.set_ylabel("net assimilation\n[µmol m$^{-2}$ s$^{-1}$]")
    for axes in grid[-1]:
        axes.set_xlabel("c$_i$ [µmol mol$^{-1}$]")
    circle = {"color": OBSERVED, "marker": "o", "linewidth": 0, "markersize": 3.5}
    handles = [Line2D([], [], label="training point", **circle)]
    handles += [Line2D([], [], label="held-out point", markerfacecolor="white", **circle)]
    handles += [Line2D([], [], color=c, linestyle=dashes, label=label) for label, c, dashes in MODELS.values()]
    legend_below(figure, handles)
    return figure


def _panel(axes, points):
    size = 12 if len(points) < 40 else 4
    for held_out, face in ((False, OBSERVED), (True, "white")):
        part = points[points.held_out == held_out]
        axes.scatter(
            part.intercellular_co2,
            part.assimilation,
            s=size,
            facecolors=face,
            edgecolors=OBSERVED,
            linewidths=0.6,
            zorder=2 + held_out,
        )
    for model, (_, colour, dashes) in MODELS.items():
        axes.plot(
            points.intercellular_co2,
            points[f"assimilation_{model}"],
            color=colour,
            linestyle=dashes,
            linewidth=1,
            zorder=4,
        )
    axes.axhline(0, color="0.85", linewidth=0.6, zorder=0)
    axes.set_xlim(left=0)
