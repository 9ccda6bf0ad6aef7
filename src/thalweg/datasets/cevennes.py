"""Cance and Lez: two French Mediterranean catchments, a domain of sub-catchments from 1 km grids.

Each catchment is a domain: the Lez daily, August 2012 to July 2013; the Cance hourly, September 2014 to January 2015. Sub-catchments
are delineated from flow directions, rain and potential evapotranspiration regridded to them, and three nested gauges observe
discharge. Small as they are, they take one path from gridded data to a tested model; three gauges of one river in one season say
little of which model is better. The dataset has no air temperature, so that processes run without snow here.

The grids come with the package hydro-smash (GPL-3; fetched as data, never imported), which keeps them in
``smash/factory/dataset``. All are in Lambert-93 (EPSG:2154), a plane on which areas here are 0.14 % smaller (Cance)
and 0.05 % larger (Lez) than on the ellipsoid.

Facts missing from the files, and their derivation:

- Rain of the Cance is in tenths of a millimetre per hour (``prcp_conversion_factor`` of its setup file), of the Lez in
  millimetres per day. With these, the gauges discharge a plausible share of the rain (see the table of volumes).
- Potential evapotranspiration is in mm/day; the Lez's files state it, the Cance's interannual means of each calendar day are like
  them. To hours it is spread by the elevation of the sun, so that there is none at night and the day keeps its sum.
- One hour of the Cance has no grid of rain (2014-12-19 00:00, dry before and after). Such gaps of up to three steps are interpolated
  and named in the attributes of the forcing.
- Flow directions count clockwise from 1, north: of the 16 ways to number eight neighbours in order, only this one has
  no cell that drains in a circle.
- Nodata values differ between files; each file's own value is used. Discharge marks gaps by -99.
- Times are those of the file names; the package reads them as the end of a step.
- The Lez's rain repeats blocks of about 8 km: its 1 km grid holds no finer detail.
- Units of the descriptors are not stated, except by their range (shares of the area between 0 and 1). The Lez's carry
  no reference system; they have the rows and columns of its rain.
"""

import re
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import xarray as xr
import yaml
from pydantic import Field

from thalweg.basin.domain import DataError, Domain, check_range, require
from thalweg.datasets import DATASET
from thalweg.forcing.meteorology import hourly_shares
from thalweg.schema import Area, Settings

FOLDER = "smash/factory/dataset"
FLOW_DIRECTIONS = "France_flwdir.tif"
BASINS = {"cance": "Cance", "lez": "Lez"}
EPSG = 2154
STEPS = {
    3600: ("h", "mm/hour"),
    86400: ("D", "mm/day"),
}  # seconds of a step -> pandas' name of it, unit of a depth per step
LONGEST_GAP = 3  # time steps without a grid of rain that are interpolated
MISSING_DISCHARGE = -99.0
FILES_PER_BLOCK = 128  # grids read together: 1.6 MB here
DESCRIPTORS = {
    "slope": ("slope", "slope of the land"),
    "dd": ("drainage_density", "drainage density"),
    "drainage_density": ("drainage_density", "drainage density"),
    "karst": ("karst_fraction", "share of the area on karst"),
    "woodland": ("woodland_fraction", "share of the area under woodland"),
    "urban": ("urban_fraction", "share of the area built over"),
    "soil_water_storage": ("soil_water_storage", "storage capacity of the soil"),
}


class CevennesSettings(Settings):
    """One of two French Mediterranean catchments, regridded from 1 km."""

    kind: Literal["cevennes"] = "cevennes"
    dataset: str = Field("cevennes", description=DATASET)
    catchment: Literal["cance", "lez"] = Field(description="catchment; cance has hourly data, lez daily")
    scheme: Literal["conservative", "bilinear", "nearest"] = Field(
        "conservative", description="regridding scheme; conservative preserves the volume of rain"
    )
    maximum_subcatchment_area: Area = Field(
        "50 km2",
        validate_default=True,
        description="maximum area of a sub-catchment; larger ones between gauges are split",
    )


SETTINGS = CevennesSettings
GRIDDED = True


def build(folder, catchment, scheme="conservative", maximum_subcatchment_area=50.0):
    """Delineate the sub-catchments of a catchment and regrid rain and potential evapotranspiration to them.

    Grids are opened lazily and read once, a block of files at a time.

    Args:
        folder: where the dataset was unpacked.
        catchment: ``"cance"`` or ``"lez"``.
        scheme: of :mod:`thalweg.basin.regrid`, for rain and potential evapotranspiration; descriptors are area means always.
        maximum_subcatchment_area: km2; maximum area of a sub-catchment; larger ones between gauges are split.

    Returns:
        (Domain, DataFrame): units are sub-catchments, each with the reach of its name, places the gauges; the attribute ``geometry``
        is the outline of each unit as well-known text in EPSG:2154. And a row for each gauge: delineated and stated area, and
        rain and discharge over its catchment, with the relative error of the volume of rain by each scheme, against the integral
        of the grid over the catchment's outline.

    Raises:
        DataError: the message names file, variable and first offending value.
        RegridError: a grid does not cover the catchment or has holes in it.
    """
    import dask

    from thalweg.basin.delineate import delineate, read_flow_directions
    from thalweg.basin.regrid import SCHEMES, apply, weights

    root = Path(folder) / FOLDER
    flow = read_flow_directions(_existing(root / FLOW_DIRECTIONS))
    root = root / BASINS[catchment]
    place = delineate(flow, _gauge_table(root), maximum_subcatchment_area)
    units = place.subcatchments
    grid = rain(folder, catchment)
    by_scheme = {other: weights(grid, units, other) for other in SCHEMES}
    # Holes are rejected in the data kept; the other schemes are for comparison only.
    lazy = [apply(w, grid, minimum_share=float(other == scheme)) for other, w in by_scheme.items()]
    *series, total = dask.compute(*lazy, grid.sum("time", skipna=False))
    depths = dict(zip(by_scheme, series))
    steps = pd.date_range(grid.time.values[0], grid.time.values[-1], freq=_setup(root)["step"])
    attributes = _attributes(root, units, total)
    forcing = _forcing(folder, catchment, depths[scheme], by_scheme[scheme], steps, attributes)
    places, observed = _gauges(root, place, steps)
    domain = Domain(f"cevennes-{catchment}", forcing, attributes, _network(units), places, observed)
    return domain, _table(place, depths, scheme, total, observed.discharge)


def rain(folder, basin):
    """Rain on the 1 km grid, lazily: DataArray (time, y, x), mm/hour (Cance) or mm/day (Lez)."""
    root = Path(folder) / FOLDER / BASINS[basin]
    setup = _setup(root)
    grid = _open_grids(*_dated(root / "prcp", r"(\d{12})", "%Y%m%d%H%M"), "precipitation")
    return (grid * setup["prcp_conversion_factor"]).assign_attrs(
        units=setup["unit"], long_name="precipitation", comment="times as in the file names: the end of each step"
    )


def potential_evapotranspiration(folder, basin, times):
    """Potential evapotranspiration on the 1 km grid, lazily: DataArray (time, y, x), mm/day.

    Where the dataset has means of each calendar day over the years (Cance), ``time`` are the days of ``times``.

    Raises:
        DataError: the message names the first day without a grid.
    """
    root = Path(folder) / FOLDER / BASINS[basin]
    days = pd.DatetimeIndex(times).normalize().unique()
    pattern, form = (r"(\d{4})_", "%m%d") if _setup(root)["daily_interannual_pet"] else (r"(\d{12})", "%Y%m%d%H%M")
    files, dates = _dated(root / "pet", pattern, form)
    by_day = dict(zip(dates.strftime(form), files))
    for day in days:
        if day.strftime(form) not in by_day:
            raise DataError(
                f"{root / 'pet'}: no potential evapotranspiration for {day:%Y-%m-%d}; fetch the dataset again"
            )
    grid = _open_grids([by_day[day.strftime(form)] for day in days], days, "potential_evapotranspiration")
    return grid.assign_attrs(units="mm/day", long_name="potential evapotranspiration")


def _setup(root):
    """Contents of the basin's setup file, with the step's name and the unit of a depth per step."""
    path = _existing(root / f"setup_{root.name}.yaml")
    setup = yaml.safe_load(path.read_text())
    if setup.get("dt") not in STEPS:
        raise DataError(
            f"{path}: variable 'dt' is {setup.get('dt')!r}; expected {' or '.join(map(str, STEPS))} seconds"
        )
    step, unit = STEPS[setup["dt"]]
    return {"prcp_conversion_factor": 1.0, "daily_interannual_pet": False, **setup, "step": step, "unit": unit}


def _existing(path):
    if not path.exists():
        raise DataError(f"{path}: not found; fetch the dataset with 'thalweg fetch cevennes'")
    return path


def _dated(folder, pattern, form):
    """Files of a folder with the date in their names, in order: (list of Path, DatetimeIndex)."""
    files = sorted(_existing(folder).rglob("*.tif"), key=lambda file: file.name)
    dates = []
    for file in files:
        found = re.search(pattern, file.name)
        if found is None:
            raise DataError(
                f"{file}: no date like {form} in the file's name; remove the file or rename it to include its date"
            )
        dates.append(found[1])
    if not files:
        raise DataError(f"{folder}: no grids; fetch the dataset again with 'thalweg fetch cevennes'")
    dates = pd.to_datetime(dates, format=form)
    if dates.has_duplicates:
        twice = int(np.argmax(dates.duplicated()))
        raise DataError(f"{files[twice]}: {dates[twice]} appears twice; keep one file")
    return files, dates


def _open_grids(files, times, name):
    """GeoTIFFs of one grid as a lazy DataArray (time, y, x), holes as NaN; each file is checked when it is read."""
    import dask.array as da
    import rioxarray

    with rioxarray.open_rasterio(files[0]) as first:
        y, x, transform = first.y.values, first.x.values, first.rio.transform()
    names = np.array([str(file) for file in files])

    def read(index):
        return np.stack([_read_grid(names[i], (len(y), len(x)), transform) for i in index])

    index = da.arange(len(files), chunks=FILES_PER_BLOCK)
    chunks = (index.chunks[0], (len(y),), (len(x),))
    data = index.map_blocks(read, dtype=float, chunks=chunks, new_axis=[1, 2], meta=np.empty((0, 0, 0)))
    coordinates = {"time": pd.DatetimeIndex(times), "y": y, "x": x}
    return xr.DataArray(data, coordinates, ("time", "y", "x"), name=name).rio.write_crs(EPSG)


def _read_grid(file, shape, transform):
    import rasterio

    with rasterio.open(file) as source:
        if source.crs is None or _epsg(source.crs.to_wkt()) != EPSG:
            raise DataError(f"{file}: reference system is {source.crs}, expected EPSG:{EPSG}; reproject the file")
        if source.shape != shape or not source.transform.almost_equals(transform):
            raise DataError(
                f"{file}: {source.shape} cells from {source.transform.c:g}, {source.transform.f:g}, but the first file of "
                f"its kind has {shape} from {transform.c:g}, {transform.f:g}; all must share one grid"
            )
        return source.read(1, masked=True).astype(float).filled(np.nan)


@cache
def _epsg(text):
    """The code of a reference system; files spell it in several ways, and the lookup is slow."""
    from rasterio import CRS

    return CRS.from_wkt(text).to_epsg()


def _gauge_table(root):
    path = _existing(root / "gauge_attributes.csv")
    table = pd.read_csv(path)
    require(table, ["code", "x", "y", "area"], path)
    check_range(table.area.values, "area", path, low=0)
    return table.set_index("code")


def _forcing(folder, basin, depth, scheme_weights, steps, attributes):
    """Rain and potential evapotranspiration of the units, at every step."""
    from thalweg.basin.regrid import apply

    hourly = depth.attrs["units"] == "mm/hour"
    days = (
        (steps - pd.Timedelta(minutes=30)) if hourly else steps
    ).normalize()  # an hour by its middle: stamps are ends
    potential = apply(scheme_weights, potential_evapotranspiration(folder, basin, days)).compute()
    potential = potential.sel(time=days).assign_coords(time=steps)
    if hourly:
        how = "mean of the calendar day over the years, spread over its hours as the radiation above the atmosphere"
        potential = (
            potential * hourly_shares(steps, attributes.latitude.values, attributes.longitude.values)
        ).assign_attrs(
            units="mm/hour", long_name="potential evapotranspiration", estimate=f"{how} (FAO-56, equation 28)"
        )
    missing = steps.difference(depth.time.values)
    precipitation = depth.reindex(time=steps).interpolate_na("time", limit=LONGEST_GAP).assign_attrs(depth.attrs)
    if len(missing):
        precipitation.attrs |= {
            "missing_times": " ".join(step.isoformat() for step in missing),
            "estimate": "interpolated between the steps before and after where there is no grid (missing_times)",
        }
    return xr.Dataset({"precipitation": precipitation, "potential_evapotranspiration": potential})


def _attributes(root, units, rain_grid):
    import rioxarray

    from thalweg.basin.regrid import apply, weights

    place = units.geometry.centroid.to_crs("EPSG:4326")
    variables = {
        "area": (units["area_km2"], "km2", "area of the sub-catchment on the plane of EPSG:2154"),
        "latitude": (place.y, "degree", "latitude of the centroid"),
        "longitude": (place.x, "degree", "longitude of the centroid"),
    }
    for file in sorted(_existing(root / "descriptor").glob("*.tif")):
        name, meaning = DESCRIPTORS.get(file.stem, (file.stem, file.stem))
        with rioxarray.open_rasterio(file, masked=True) as source:
            grid = source.squeeze("band", drop=True).load().rename(name)
        if grid.rio.crs is None:
            if not all(np.array_equal(grid[dim], rain_grid[dim]) for dim in ("y", "x")):
                raise DataError(
                    f"{file}: no reference system, and not the rows and columns of the rain; add one to the file"
                )
            grid = grid.rio.write_crs(EPSG)
        variables[name] = (apply(weights(grid, units), grid), "dimensionless", f"{meaning}, mean of the 1 km grid")
    dataset = xr.Dataset(
        {
            name: ("unit", np.asarray(values), {"units": unit, "long_name": meaning})
            for name, (values, unit, meaning) in variables.items()
        },
        coords={"unit": _ids(units.index, "sub-catchment")},
    )
    for name in ("slope", "drainage_density", "soil_water_storage"):
        if name in dataset:
            dataset[name].attrs["comment"] = "the dataset does not state the unit"
    outline = {"role": "label", "long_name": "outline as well-known text, metres", "crs": f"EPSG:{EPSG}"}
    return dataset.assign(geometry=("unit", units.geometry.to_wkt().to_numpy(dtype=object), outline))


def _network(units):
    ids = units.index.to_numpy(dtype=str)
    length = units["length_m"].where(units["length_m"] > 0).to_numpy()  # a single cell at the edge of the grid has none
    reach = {
        "downstream": (units.downstream.to_numpy(dtype=str), None, "reach downstream, empty at an outlet"),
        "length": (length, "m", "length of the main channel, cell centre to cell centre"),
    }
    dataset = xr.Dataset(coords={"reach": _ids(units.index, "reach"), "unit": _ids(units.index, "sub-catchment")})
    for name, (values, unit, meaning) in reach.items():
        dataset[name] = ("reach", values, _described(meaning, unit))
    dataset["unit_reach"] = ("unit", ids, _described("reach that the sub-catchment drains to"))
    return dataset


def _gauges(root, place, steps):
    """The gauges and their discharge: Dataset (place,), Dataset (time, place)."""
    table = place.gauges
    position = table.geometry.to_crs("EPSG:4326")
    variables = {
        "drainage_area": (table.stated_km2.astype(float), "km2", "drainage area, as stated"),
        "delineated_area": (
            table.delineated_km2.astype(float),
            "km2",
            "area of the cells that drain to the gauge's cell",
        ),
        "latitude": (position.y, "degree", "latitude of the gauge's cell"),
        "longitude": (position.x, "degree", "longitude of the gauge's cell"),
        "reach": (table.subcatchment.to_numpy(dtype=str), None, "reach at whose outlet the gauge is"),
    }
    ids = xr.Variable("place", table.index.to_numpy(dtype=str), {"long_name": "id of the gauge"})
    places = xr.Dataset(
        {
            name: ("place", np.asarray(values), _described(meaning, unit))
            for name, (values, unit, meaning) in variables.items()
        },
        coords={"place": ids},
    )
    discharge = np.stack([_discharge(root / "qobs" / f"{gauge}.csv", steps) for gauge in table.index], axis=1)
    observed = xr.Dataset(
        {"discharge": (("time", "place"), discharge, _described("observed discharge", "m3/s"))},
        coords={"time": steps, "place": ids},
    )
    return places, observed


def _described(meaning, unit=None):
    return {"long_name": meaning} | ({} if unit is None else {"units": unit})


def _ids(index, what):
    """Names of units or reaches as a coordinate."""
    return xr.Variable(
        {"sub-catchment": "unit"}.get(what, what), index.to_numpy(dtype=str), {"long_name": f"id of the {what}"}
    )


def _discharge(path, steps):
    """Discharge at ``steps`` (step,), m3/s: a file is the time of its first value, then a value per step."""
    values = pd.read_csv(_existing(path))
    try:
        start = pd.to_datetime(values.columns[0], format="%Y%m%d%H%M" if len(values.columns[0]) == 12 else "%Y%m%d")
    except ValueError as error:
        raise DataError(
            f"{path}: the first line is {values.columns[0]!r}, expected the time of the first value"
        ) from error
    series = values.iloc[:, 0].to_numpy(dtype=float)
    series = np.where(series == MISSING_DISCHARGE, np.nan, series)
    check_range(series, "discharge", path, low=0)
    return pd.Series(series, pd.date_range(start, periods=len(series), freq=steps.freq)).reindex(steps).to_numpy()


def _table(place, depths, scheme, total, discharge):
    """A row for each gauge: its areas, and rain by scheme and as the integral of the summed grid over its outline."""
    gauges = place.gauges
    position = gauges.geometry.to_crs("EPSG:4326")
    upstream = place.upstream @ np.diag(place.subcatchments["area_km2"].to_numpy() * 1e6)  # m2
    area = upstream.sum(axis=1)
    seconds = np.diff(discharge.time.values[:2])[0] / np.timedelta64(1, "s")
    volume = {name: upstream @ depth.sum("time").values / 1000 for name, depth in depths.items()}
    integral = np.array([_area_integral(total, outline) / 1000 for outline in place.catchments.geometry])
    return pd.DataFrame(
        {
            "place": gauges.index,
            "latitude": position.y.to_numpy(),
            "longitude": position.x.to_numpy(),
            "stated_area_km2": gauges.stated_km2.to_numpy(),
            "delineated_area_km2": gauges.delineated_km2.to_numpy(),
            "area_error": gauges.area_error.to_numpy(),
            "moved_m": gauges.moved.to_numpy(),
            "downstream_place": gauges.downstream.to_numpy(),
            "subcatchments": np.asarray(place.upstream.sum(axis=1), dtype=int).ravel(),
            "rain_mm": volume[scheme] / area * 1000,
            "discharge_mm": discharge.sum("time").values * seconds / area * 1000,
            "discharge_gaps": discharge.isnull().sum("time").values,
            **{f"rain_error_{name}": values / integral - 1 for name, values in volume.items()},
        }
    )


def _area_integral(field, outline):
    """Sum over cells of the value times the area shared with ``outline``, by intersecting every cell's square."""
    import shapely

    dx, dy = (abs(float(field[dim][1] - field[dim][0])) / 2 for dim in ("x", "y"))
    x, y = np.meshgrid(field.x, field.y)
    shared = shapely.area(shapely.intersection(shapely.box(x - dx, y - dy, x + dx, y + dy), outline))
    return float((field.values * shared).sum())
