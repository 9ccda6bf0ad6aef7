"""Learned parameters against the attribute of the sites that each follows most closely."""

from typing import NamedTuple

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator
from scipy.stats import spearmanr

from thalweg.basin.domain import require
from thalweg.basin.sites import read_sites
from thalweg.figures.site_series import unit_text
from thalweg.figures.style import OKABE_ITO, WIDTH, letter, number, styled, wrap

MOST_PAIRS = 6
MOST_COLUMNS = 3
FEWEST_SITES = 4
WIDE = 50  # greatest over least value of an attribute with a unit from which its axis is logarithmic


class Pair(NamedTuple):
    """A parameter, an attribute, and Spearman's correlation of the two over sites."""

    parameter: str
    attribute: str
    correlation: float


@styled
def draw(sites_path, parameters_path, pairs=None, labels=None):
    """A panel per pair: the learned parameter against the attribute, a point per site with its range over seeds.

    Args:
        sites_path: sites netCDF.
        parameters_path: netCDF with a variable (fold, seed, site) per parameter and attrs units, low, high, and known,
            which is 1 where it was not learned.
        pairs: [[parameter, attribute], ...]; when None, for each learned parameter the attribute of greatest absolute
            rank correlation, and of these the six strongest.
        labels: name of a parameter or attribute -> text on its axis.

    Returns:
        matplotlib Figure. A point is the mean over folds and seeds, the bar the range over seeds of the mean over
        folds. Each panel states Spearman's rho, the number of sites, and the bounds within which it was learned.

    Raises:
        DataError: naming the first parameter or attribute that is not there.
        ValueError: when a site of the parameters is not among the sites, or no learned parameter varies between sites.
    """
    sites = read_sites(sites_path)
    with xr.open_dataset(parameters_path, engine="h5netcdf") as file:
        parameters = file.assign_coords(site=file.site.values.astype(str)).load()
    absent = [str(site) for site in parameters.site.values if site not in set(sites.site_ids)]
    if absent:
        raise ValueError(
            f"{parameters_path}: coordinate 'site' has {absent[0]!r}, which is no site of {sites.name}; "
            "draw the parameters at the sites that they were learned at"
        )
    attributes = sites.attributes.assign_coords(site=sites.site_ids).sel(site=parameters.site)
    means = parameters.mean(["fold", "seed"], keep_attrs=True)
    if pairs is None:
        chosen = _strongest(means, attributes[sites.inputs], parameters_path)
    else:
        require(parameters, [parameter for parameter, _ in pairs], parameters_path)
        require(attributes, [attribute for _, attribute in pairs], f"{sites_path}/attributes")
        chosen = [Pair(*pair, _correlation(means[pair[0]], attributes[pair[1]])) for pair in pairs]

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
        known = int(np.isfinite(means[pair.parameter].values).sum())
        letter(axes, position, f"ρ = {number(pair.correlation)}, n = {known}\n{_bounds(each)}")
    return figure


def _strongest(means, attributes, source):
    """For each parameter the attribute that it follows most closely, strongest first."""
    best = []
    for parameter, values in means.data_vars.items():
        if values.attrs.get("known"):
            continue
        found = [Pair(parameter, name, _correlation(values, other)) for name, other in attributes.data_vars.items()]
        found = [pair for pair in found if np.isfinite(pair.correlation)]
        if found:
            best.append(max(found, key=lambda pair: abs(pair.correlation)))
    if not best:
        raise ValueError(
            f"{source}: no learned parameter varies between at least {FEWEST_SITES} sites whose attributes differ; "
            "there is nothing to draw"
        )
    return sorted(best, key=lambda pair: -abs(pair.correlation))[:MOST_PAIRS]


def _correlation(values, attribute):
    """Spearman's rho over the sites where both are known; NaN where one of them is constant or sites are few."""
    known = np.isfinite(values.values) & np.isfinite(attribute.values)
    values, attribute = values.values[known], attribute.values[known]
    if len(values) < FEWEST_SITES or np.ptp(values) == 0 or np.ptp(attribute) == 0:
        return np.nan
    return spearmanr(values, attribute).statistic


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
    return f"bounds {variable.attrs['low']:g} to {variable.attrs['high']:g}".replace("-", "\N{MINUS SIGN}")
