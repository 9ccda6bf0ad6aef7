"""Maps of learned parameters and of their standard deviation over seeds."""

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from thalweg.basin.domain import read_domain
from thalweg.experiments.declared import Declared
from thalweg.experiments.simulation import read_simulation
from thalweg.figures.maps import base, coast_of, extent_of, height_over_width, panel_size, scale_bar
from thalweg.figures.style import colour_range, letter, styled

LARGEST_POINT = (6, 14)  # points, diameter of the largest unit's mark, on a crowded and on an empty map
ROOM = 150  # points that the marks of a row share
TALL = 1.5  # height over width of a map of which more fit side by side
MOST_WIDE, MOST_TALL = 3, 5  # side by side


FIGURE = Declared(
    of="mapped",
    reads={"domain_path": "domain", "simulation_path": "simulation", "map_folder": "data:map"},
    given={"names": "mapped_parameters"},
    title="learned parameters",
    caption="Learned parameters: mean over seeds and components, and standard deviation over seeds. A parameter that "
    "differs between seeds as much as between places is not identified by discharge.",
)


@styled
def draw(domain_path, simulation_path, names=None, map_folder=None):
    """For each parameter a map of its mean over folds and seeds and, below it, of its standard deviation over seeds.

    Args:
        domain_path: domain netCDF.
        simulation_path: simulation netCDF whose group ``parameters`` has a variable (fold, seed, unit) per parameter. The units
            are the domain's, or its places where a model runs on whole catchments.
        names: parameters drawn; all when None.
        map_folder: the unpacked ``map`` dataset; None draws no coast.

    Returns:
        matplotlib Figure. A point's diameter goes with the square root of its unit's area. The row of standard deviations
        (of the mean over folds) is left out when there is one seed. Colours run from the 2nd to the 98th percentile.

    Raises:
        ValueError: naming the first parameter or unit that is not there.
    """
    place = read_domain(domain_path)
    parameters = read_simulation(simulation_path, "parameters")
    names = list(parameters.data_vars) if names is None else list(names)
    for name in names:
        if name not in parameters:
            raise ValueError(
                f"{simulation_path}: variable {name!r} is missing; there are {', '.join(parameters.data_vars)}"
            )
    units = _places(place, parameters.unit.values.astype(str), simulation_path)
    spread = parameters.sizes["seed"] > 1

    extent = extent_of(units)
    coast = coast_of(map_folder, extent)
    most = MOST_TALL if height_over_width(extent) > TALL else MOST_WIDE
    blocks = -(-len(names) // most)
    columns = -(-len(names) // blocks)
    rows = blocks * (1 + spread)
    width, height = panel_size(extent, columns)
    figure = Figure(figsize=(columns * max(width, 1.3) + 0.6, rows * (height + 0.75) + 0.3), layout="compressed")
    panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    for position in range(blocks * columns):
        column, row = position % columns, position // columns * (1 + spread)
        if position >= len(names):
            for axes in panels[row : row + 1 + spread, column]:
                axes.remove()
            continue
        name = names[position]
        values, unit = parameters[name].mean("fold"), parameters[name].attrs.get("units", "unit not stated")
        title = name.replace("_", " ")
        _panel(panels[row, column], extent, coast, units, values.mean("seed"), "viridis", f"mean\n[{unit}]")
        letter(panels[row, column], position, title)
        if spread:
            below = panels[row + 1, column]
            _panel(below, extent, coast, units, values.std("seed"), "magma_r", f"standard deviation\n[{unit}]")
    scale_bar(panels[0, 0], extent)
    return figure


def _places(place, names, source):
    """Where the units of a parameter file lie: dataset (unit) of latitude, longitude and area."""
    for ids, dataset, area in (
        (place.unit_ids, place.attributes, "area"),
        (place.place_ids, place.places, "drainage_area"),
    ):
        position = {name: index for index, name in enumerate(ids)}
        if all(name in position for name in names):
            chosen = [position[name] for name in names]
            variables = {
                "latitude": dataset.latitude.values,
                "longitude": dataset.longitude.values,
                "area": dataset[area].values,
            }
            return xr.Dataset({name: ("unit", values[chosen]) for name, values in variables.items()})
    absent = str(next(name for name in names if name not in set(place.unit_ids)))
    raise ValueError(
        f"{source}: coordinate 'unit' has {absent!r}, which is no unit of {place.name}; "
        "draw the parameters on the domain they were learned on"
    )


def _panel(axes, extent, coast, units, values, colours, label):
    base(axes, extent, coast)
    first, last, extend = colour_range(values.values)
    largest = np.clip(ROOM / np.sqrt(len(units.area)), *LARGEST_POINT)
    diameter = largest * np.sqrt(units.area.values / units.area.values.max())
    order = np.argsort(-diameter)  # small units on top of large ones
    scatter = axes.scatter(
        units.longitude.values[order],
        units.latitude.values[order],
        c=values.values[order],
        s=np.maximum(diameter[order], 1) ** 2,
        cmap=colours,
        vmin=first,
        vmax=last,
        linewidths=0,
        zorder=2,
    )
    axes.label_outer()
    bar = axes.figure.colorbar(scatter, ax=axes, location="bottom", extend=extend, aspect=18, pad=0.03)
    bar.locator = MaxNLocator(4)
    bar.set_label(label)
