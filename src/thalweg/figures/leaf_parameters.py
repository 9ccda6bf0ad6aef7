"""Vcmax and Jmax of leaves: fitted, published, and predicted for held-out groups of curves."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from thalweg.experiments.declared import Declared
from thalweg.figures.style import OBSERVED, OKABE_ITO, QUIET, WIDTH, legend_below, letter, note, number, styled

UNIT = "[µmol m$^{-2}$ s$^{-1}$]"
SYMBOLS = {"Vcmax": "V$_{cmax}$", "Jmax": "J$_{max}$", "Vcmax25": "V$_{cmax25}$"}
MODELS = {"mean": "mean", "plant_type": "plant type", "ridge": "ridge", "network": "network"}
COLOURS = dict(zip(MODELS, (QUIET, OKABE_ITO[2], OKABE_ITO[1], OKABE_ITO[0])))


FIGURE = Declared(
    of="leaf_parameters",
    reads={
        "fits_csv": "tables/leaf/{kind}/fits.csv",
        "parameters_csv": "tables/leaf/{kind}/parameters.csv",
        "skill_csv": "tables/leaf/{kind}/parameter_skill.csv",
    },
    given={"attribute": "leaf_attribute", "attribute_label": "leaf_attribute_label", "experiment": "leaf_experiment"},
    title="parameters of leaves",
    caption="Vcmax25 against an attribute, fitted and predicted by the network for held-out groups; predicted against "
    "fitted Vcmax25 with R2 and its 95 % interval over groups. Where the dataset has published fits, Vcmax and "
    "Jmax fitted here against these.",
)


@styled
def draw(fits_csv, parameters_csv, skill_csv, attribute, experiment, attribute_label=None):
    """Fits against published ones, where the data have them; Vcmax25 against an attribute; predicted against fitted Vcmax25.

    Args:
        fits_csv: parameters of every curve.
        parameters_csv: predicted ones where curves were held out.
        skill_csv: R2 of parameters with intervals, of :func:`thalweg.analysis.leaf.parameter_skill`.
        attribute: column of the fits.
        experiment: what was held out: curves, species or locations.
        attribute_label: name with unit for the axis.

    Returns:
        matplotlib Figure. Predictions are geometric means over seeds.
    """
    fits = pd.read_csv(fits_csv)
    fits = fits[fits.pathway == "C3"]
    parameters = pd.read_csv(parameters_csv)
    parameters = parameters[parameters.experiment == experiment]
    predicted = np.exp(np.log(parameters.set_index(["model", "curve"]).Vcmax25).groupby(level=[0, 1]).mean())
    skill = pd.read_csv(skill_csv)
    skill = skill[(skill.experiment == experiment) & (skill.parameter == "Vcmax25")].set_index("model")
    published = [name for name in ("Vcmax", "Jmax") if name in fits]
    figure = Figure(figsize=(WIDTH, 5.2 if published else 2.8), layout="constrained")
    panels = list(figure.subplots(2 if published else 1, 2).ravel())
    for position, (axes, name) in enumerate(zip(panels, published)):
        _published(axes, fits, name)
        letter(axes, position, f"{SYMBOLS[name]} at the temperature of measurement")
    axes = panels[len(published)]
    learned = predicted.get("network").reindex(fits.curve).to_numpy()
    axes.scatter(fits[attribute], fits.Vcmax25, s=12, facecolors="none", edgecolors=OBSERVED, linewidths=0.5, alpha=0.6)
    axes.scatter(fits[attribute], learned, s=8, color=COLOURS["network"], linewidths=0, alpha=0.7)
    axes.set(xlabel=attribute_label or attribute.replace("_", " "), ylabel=f"{SYMBOLS['Vcmax25']} {UNIT}")
    _logarithmic(axes.yaxis, axes.set_yscale)
    letter(axes, len(published), f"fitted, and by the network for held-out {experiment}")
    axes = panels[len(published) + 1]
    names = [name for name in MODELS if name in skill.index]
    for name in names:
        values = predicted[name].reindex(fits.curve).to_numpy()
        axes.scatter(fits.Vcmax25, values, s=8, color=COLOURS[name], linewidths=0, alpha=0.6)
    _identity(axes, fits.Vcmax25)
    axes.set(xlabel=f"fitted {SYMBOLS['Vcmax25']} {UNIT}", ylabel=f"predicted {UNIT}")
    letter(axes, len(published) + 1, f"predicted for held-out {experiment}")
    handles = [
        Line2D([], [], color=COLOURS[name], marker="o", linewidth=0, markersize=4, label=_stated(name, skill.loc[name]))
        for name in names
    ]
    circle = {"color": OBSERVED, "markerfacecolor": "none", "marker": "o", "linewidth": 0, "markersize": 4}
    legend_below(figure, [*handles, Line2D([], [], label="fitted to the curve itself", **circle)])
    return figure


def _stated(name, row):
    return f"{MODELS[name]}: R² {number(row.R2)} ({number(row.R2_low)} to {number(row.R2_high)})"


def _published(axes, fits, name):
    known = fits[fits[f"reference_{name}"].notna()]
    axes.scatter(known[f"reference_{name}"], known[name], s=8, color=OKABE_ITO[0], linewidths=0, alpha=0.6)
    _identity(axes, known[f"reference_{name}"])
    note(axes, f"{len(known)} curves")
    axes.set(xlabel=f"published fit {UNIT}", ylabel=f"fitted here {UNIT}")


def _identity(axes, values):
    axes.plot([values.min(), values.max()], [values.min(), values.max()], color="0.4", linewidth=0.8)
    _logarithmic(axes.xaxis, axes.set_xscale)
    _logarithmic(axes.yaxis, axes.set_yscale)


def _logarithmic(axis, set_scale):
    set_scale("log")
    axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_locator(NullLocator())
