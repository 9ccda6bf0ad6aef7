"""Rain from the 1 km grid to sub-catchments: the wettest time step as two maps, and the whole record."""

import geopandas as gpd
import numpy as np
import pandas as pd
from matplotlib.collections import PatchCollection
from matplotlib.colors import Normalize
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from matplotlib.ticker import MaxNLocator
from shapely.geometry.polygon import orient

from thalweg.basin.domain import read_domain
from thalweg.datasets.cevennes import rain
from thalweg.experiments.declared import Declared
from thalweg.figures.style import OBSERVED, OKABE_ITO, WIDTH, letter, styled

KILOMETRE = 1000.0  # metres
RAIN = "YlGnBu"  # light to dark, also for readers with colour blindness
MARGIN = 2  # km around the catchment
MAP_WIDTH, TALLEST_MAP, MAP_LABELS, SERIES_HEIGHT = 2.9, 3.9, 0.6, 2.5  # inch
GAUGE_COLOURS = (OBSERVED, *OKABE_ITO[1:])


FIGURE = Declared(
    of="gridded",
    reads={"domain_path": "domain", "dataset_folder": "dataset"},
    given={"catchment": "catchment"},
    title="regridded precipitation",
    caption="Rain on the 1 km grid in the wettest time step and the mean of each sub-catchment delineated from the flow "
    "directions; below, rain over the catchment and discharge at its gauges.",
)


@styled
def draw(domain_path, dataset_folder, catchment):
    """The rain grid of the wettest time step and the mean of each sub-catchment; rain and discharge below.

    The wettest step is that with the largest rain over the whole catchment.

    Args:
        domain_path: netCDF of the regridded domain.
        dataset_folder: the unpacked ``cevennes`` dataset, for the grid.
        catchment: cance or lez.

    Returns:
        matplotlib Figure.

    Raises:
        DataError: when the dataset is not there.
    """
    domain = read_domain(domain_path)
    forcing, attributes, gauges = domain.forcing, domain.attributes, domain.places
    units = gpd.GeoSeries.from_wkt(
        attributes.geometry.values.astype(str), index=attributes.unit.values, crs=attributes.geometry.attrs["crs"]
    )
    area = attributes.area.values
    mean = forcing.precipitation.weighted(attributes.area).mean("unit")
    wettest = mean.time[int(mean.values.argmax())].values
    grid = rain(dataset_folder, catchment).sel(time=wettest).compute()
    unit = forcing.precipitation.attrs["units"]

    west, south, east, north = units.total_bounds
    map_height = min(MAP_WIDTH * (north - south) / (east - west), TALLEST_MAP) + MAP_LABELS
    figure = Figure(figsize=(WIDTH, map_height + SERIES_HEIGHT), layout="constrained")
    rows = figure.add_gridspec(2, 1, height_ratios=(map_height, SERIES_HEIGHT))
    maps = rows[0].subgridspec(1, 2).subplots(sharex=True, sharey=True)
    series = rows[1].subgridspec(2, 1, height_ratios=(1, 1.4), hspace=0).subplots(sharex=True)
    colours = _maps(maps, grid, forcing.precipitation.sel(time=wettest).values, units, gauges)
    figure.colorbar(colours, ax=maps, shrink=0.85, pad=0.02, label=f"rain [{unit}]")
    form = "%Y-%m-%d" if unit == "mm/day" else "%Y-%m-%d %H:%M"
    when = pd.Timestamp(wettest).strftime(form)
    letter(maps[0], 0, f"1 km grid, {when}")
    letter(maps[1], 1, f"mean of {len(units)} sub-catchments, {when}")
    missing = pd.DatetimeIndex(forcing.precipitation.attrs.get("missing_times", "").split())
    _series(series, mean, missing, wettest, unit, domain)
    letter(
        series[0], 2, f"rain over the {area.sum():.0f} km² of the {catchment.capitalize()}, and discharge of its gauges"
    )
    return figure


def _maps(axes, grid, depths, units, gauges):
    west, south, east, north = units.total_bounds / KILOMETRE
    shown = grid.sel(x=slice((west - MARGIN) * KILOMETRE, (east + MARGIN) * KILOMETRE)).sel(
        y=slice((north + MARGIN) * KILOMETRE, (south - MARGIN) * KILOMETRE)
    )
    colour = {"cmap": RAIN, "norm": Normalize(0, float(shown.max()))}
    colours = axes[0].pcolormesh(shown.x / KILOMETRE, shown.y / KILOMETRE, shown.values, rasterized=True, **colour)
    patches = PatchCollection([PathPatch(_path(unit)) for unit in units], edgecolor="none", **colour)
    patches.set_array(depths)
    axes[1].add_collection(patches)
    place = gpd.GeoSeries.from_xy(gauges.longitude, gauges.latitude, crs="EPSG:4326").to_crs(units.crs)
    for panel in axes:
        outlines = [PathPatch(_path(unit)) for unit in units]
        for shade, width in (("white", 2.0), ("0.15", 0.8)):  # a dark line that shows on dark rain
            panel.add_collection(PatchCollection(outlines, facecolor="none", edgecolor=shade, linewidth=width))
        for x, y, colour in zip(place.x / KILOMETRE, place.y / KILOMETRE, GAUGE_COLOURS):
            panel.plot(x, y, "^", color=colour, markeredgecolor="white", markeredgewidth=0.6, markersize=7, zorder=4)
        panel.set_aspect("equal")
        panel.set(xlim=(west - MARGIN, east + MARGIN), ylim=(south - MARGIN, north + MARGIN))
        panel.set_xlabel("easting, Lambert-93 [km]")
        panel.xaxis.set_major_locator(MaxNLocator(4, integer=True))
        panel.spines[["top", "right"]].set_visible(True)
    axes[0].set_ylabel("northing, Lambert-93 [km]")
    return colours


def _path(outline):
    """A polygon or multipolygon [m] as one path in km; holes run the other way and stay open."""
    parts = [orient(part) for part in getattr(outline, "geoms", [outline])]
    rings = [ring for part in parts for ring in (part.exterior, *part.interiors)]
    return Path.make_compound_path(*(Path(np.asarray(ring.coords) / KILOMETRE, closed=True) for ring in rings))


def _series(axes, mean, missing, wettest, unit, domain):
    above, below = axes
    step = (mean.time[1] - mean.time[0]).values
    above.fill_between(mean.time, mean.values, step="pre", color=OKABE_ITO[0], linewidth=0)
    above.invert_yaxis()
    above.set(ylim=(float(mean.max()) * 1.05, 0), ylabel=f"rain\n[{unit}]")
    above.tick_params(bottom=False, labelbottom=False)
    above.spines["bottom"].set_visible(False)
    for time in missing:
        above.axvspan(time - step, time, color="0.75", linewidth=0)
    if len(missing):
        above.text(
            0.995, 0.05, f"no grid for {len(missing)} of {mean.size} time steps", ha="right", transform=above.transAxes
        )
    for gauge, colour in zip(domain.place_ids, GAUGE_COLOURS):
        label = f"{gauge}, {float(domain.places.drainage_area.sel(place=gauge)):g} km²"
        below.plot(mean.time, domain.observed.discharge.sel(place=gauge), color=colour, linewidth=0.9, label=label)
    below.set(ylabel="discharge\n[m³/s]", xlim=(mean.time.values[0], mean.time.values[-1]))
    below.set_ylim(bottom=0)
    locator = AutoDateLocator()
    below.xaxis.set_major_locator(locator)
    below.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    below.legend(loc="upper right", title="gauge (triangle above), stated area")
    for panel in axes:
        panel.axvline(wettest, color="0.5", linewidth=0.6, dashes=(4, 2), zorder=0)
    below.set_xlabel("time")
