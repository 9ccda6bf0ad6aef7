"""Learned parameters against the attribute of the places that each follows most closely."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from thalweg.analysis.parameters import seen_units
from thalweg.basin.domain import read_domain, require
from thalweg.experiments.declared import Declared
from thalweg.experiments.simulation import read_simulation
from thalweg.figures.style import OKABE_ITO, WIDTH, letter, number, styled, wrap
from thalweg.units import unit_text

MOST_PAIRS = 6
MOST_COLUMNS = 3
WIDE = 50  # greatest over least value of an attribute with a unit from which its axis is logarithmic


FIGURE = Declared(
    of="first_described",
    reads={"attribution_csv": "table:parameters", "domain_path": "domain", "simulation_path": "simulation"},
    title="parameters against attributes",
    caption="Learned parameters against the attribute with the strongest rank correlation; points are means over folds "
    "and seeds, bars the range over seeds. p is for all pairs together. Where the parameter is computed from "
    "attributes, the correlation shows which of them the network uses, not a cause.",
)


@styled
def draw(attribution_csv, simulation_path, domain_path, pairs=None, labels=None):
    """A panel per pair: the learned parameter against the attribute, a point per unit with its range over seeds.

    Args:
        attribution_csv: table of :func:`thalweg.analysis.parameters.attribute_all`, with the model of the simulation.
        simulation_path: simulation netCDF whose group ``parameters`` has a variable (fold, seed, unit) per parameter.
        domain_path: domain netCDF, as the model sees it.
        pairs: [[parameter, attribute], ...]; when None, for each parameter the attribute of greatest absolute rank
            correlation, and of these the six strongest.
        labels: name of a parameter or attribute -> text on its axis.

    Returns:
        matplotlib Figure. A point is the mean over folds and seeds, the bar the range over seeds of the mean over
        folds. Each panel states Spearman's rho, its p by permutation for the whole family of pairs of the table, the number of
        units, and the bounds within which the parameter was learned.

    Raises:
        DataError: naming the first parameter or attribute that is not there.
        ValueError: when a unit of the parameters is not in the domain, or the table has no pair to draw.
    """
    domain, parameters = read_domain(domain_path), read_simulation(simulation_path, "parameters")
    parameters = parameters.assign_coords(unit=parameters.unit.values.astype(str))
    absent = [unit for unit in parameters.unit.values if unit not in set(domain.unit_ids)]
    if absent:
        raise ValueError(
            f"{simulation_path}: coordinate 'unit' has {str(absent[0])!r}, which is no unit of {domain.name}; "
            "draw the parameters on the domain that they were learned on"
        )
    units = domain.unit_ids[seen_units(domain, [read_simulation(simulation_path).attrs["variable"]])]
    parameters = parameters.sel(unit=units)
    attributes = domain.attributes.assign_coords(unit=domain.unit_ids).sel(unit=units)
    table = pd.read_csv(attribution_csv)
    table = table[(table.model == parameters.attrs["model"]) & table.attribute.isin(list(attributes))]
    if pairs is not None:
        require(parameters, [parameter for parameter, _ in pairs], simulation_path)
        require(attributes, [attribute for _, attribute in pairs], f"{domain_path}/attributes")
        table = table.set_index(["parameter", "attribute"]).loc[[tuple(pair) for pair in pairs]].reset_index()
    chosen = list((_strongest(table) if pairs is None else table).itertuples())
    if not chosen:
        raise ValueError(f"{attribution_csv}: no parameter of {parameters.attrs['model']} varies with an attribute")

    rows = -(-len(chosen) // MOST_COLUMNS)
    columns = -(-len(chosen) // rows)
    width = WIDTH if columns > 1 else 0.5 * WIDTH
    figure = Figure(figsize=(width, 2.4 * rows + 0.1), layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes in panels[len(chosen) :]:
        axes.remove()
    for position, (axes, pair) in enumerate(zip(panels, chosen)):
        each = parameters[pair.parameter]
        _points(axes, attributes[pair.attribute], each.mean("fold"))
        axes.set_xlabel(_label(attributes[pair.attribute], labels, width / columns - 0.5))
        axes.set_ylabel(_label(each, labels, 1.7))
        p = f"p = {number(pair.p_familywise, 3)}" if pair.p_familywise >= 0.001 else "p < 0.001"
        letter(axes, position, f"ρ = {number(pair.correlation)}, {p}\nn = {pair.units}{_bounds(each)}")
    return figure


def _strongest(table):
    """For each parameter the pair of greatest absolute correlation, strongest first."""
    table = table[table.correlation != 0]  # of a parameter that is the same everywhere
    order = table.correlation.abs().sort_values(ascending=False, kind="stable").index
    return table.loc[order].drop_duplicates("parameter").head(MOST_PAIRS)


def _points(axes, attribute, values):
    mean, low, high = (getattr(values, how)("seed").values for how in ("mean", "min", "max"))
    crowd = np.clip(60 / len(attribute), 0.35, 1)
    axes.errorbar(
        attribute.values,
        mean,
        yerr=[mean - low, high - mean] if values.sizes["seed"] > 1 else None,
        linestyle="",
        marker="o",
        markersize=2 + 2 * crowd,
        markeredgewidth=0,
        color=OKABE_ITO[0],
        ecolor="0.65",
        elinewidth=0.4 + 0.5 * crowd,
        alpha=0.4 + 0.6 * crowd,
    )
    least, greatest = attribute.values.min(), attribute.values.max()
    if least > 0 and greatest > WIDE * least and attribute.attrs["units"] != "dimensionless":
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    else:
        axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.grid(True)


def _label(variable, labels, inches):
    name = (labels or {}).get(variable.name, variable.name.replace("_", " "))
    return f"{wrap(name, inches)}\n[{unit_text(variable.attrs['units'])}]"


def _bounds(variable):
    if "low" not in variable.attrs or "high" not in variable.attrs:
        return ""
    return f", bounds {variable.attrs['low']:g} to {variable.attrs['high']:g}".replace("-", "\N{MINUS SIGN}")
