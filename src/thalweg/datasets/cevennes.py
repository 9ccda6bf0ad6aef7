"""Cance and Lez: two French Mediterranean catchments, from 1 km grids to the rain of sub-catchments.

The grids come with the package hydro-smash (GPL-3; fetched as data, never imported), which keeps them in
``smash/factory/dataset``. All are in Lambert-93 (EPSG:2154), a plane on which areas here are 0.14 % smaller (Cance)
and 0.05 % larger (Lez) than on the ellipsoid.

What the files do not say, and how it was found out:

- Rain of the Cance is in tenths of a millimetre per hour (``prcp_conversion_factor`` of its setup file), of the Lez in
  millimetres per day. With these, the gauges discharge a plausible share of the rain (see the table of volumes).
- Potential evapotranspiration is in mm/day; the Lez's files state it, the Cance's interannual means are like them.
  Hourly values are a 24th of the day's.
- Flow directions count clockwise from 1, north: of the 16 ways to number eight neighbours in order, only this one has
  no cell that drains in a circle.
- Nodata is spelled differently from file to file, and each file's own is read. Discharge marks gaps by -99.
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

from thalweg.basin.domain import DataError, check_range, require
from thalweg.datasets import DATASET
from thalweg.schema import Area, Settings

FOLDER = "smash/factory/dataset"
FLOW_DIRECTIONS = "France_flwdir.tif"
BASINS = {"cance": "Cance", "lez": "Lez"}
EPSG = 2154
STEPS = {
    3600: ("h", "mm/hour"),
    86400: ("D", "mm/day"),
}  # seconds of a step -> pandas' name of it, unit of a depth per step
HOURS_PER_DAY = 24
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
    """The Cance and Lez catchments: rain grids to catchments."""

    kind: Literal["cevennes"] = "cevennes"
    dataset: str = Field("cevennes", description=DATASET)
    scheme: Literal["conservative", "bilinear", "nearest"] = Field(
        "conservative", description="regridding; conservative keeps the volume of rain"
    )
    maximum_subcatchment_area: Area = Field(
        "50 km2", validate_default=True, description="larger sub-catchments between gauges are split"
    )


SETTINGS = CevennesSettings


def build(folder, scheme="conservative", maximum_subcatchment_area=50.0):
    """Delineate the sub-catchments of both basins and aggregate rain and potential evapotranspiration to them.

    Grids are opened lazily and read once, a block of files at a time.

    Args:
        folder: where the dataset was unpacked.
        scheme: of :mod:`thalweg.basin.regrid`, for rain and potential evapotranspiration; descriptors are area means always.
        maximum_subcatchment_area: km2; larger sub-catchments between gauges are split.

    Returns:
        (DataTree, DataFrame, DataFrame): a group per basin, each with the groups of a domain (forcing, attributes,
        network, gauges); the delineated areas of all gauges beside the stated ones; and the volume of rain over each
        gauge's catchment by each scheme, beside the integral of the grid over the catchment. Time steps without a file
        are NaN in the forcing and counted in its attribute ``missing_steps``. ``attributes.geometry`` holds the outline
        of each unit as well-known text in EPSG:2154.

    Raises:
        DataError: naming file, variable and first offending value.
        RegridError: a grid does not cover a catchment or has holes in it.
    """
    import dask

    from thalweg.basin.delineate import delineate, read_flow_directions
    from thalweg.basin.regrid import SCHEMES, apply, weights

    root = Path(folder) / FOLDER
    flow = read_flow_directions(_existing(root / FLOW_DIRECTIONS))
    tree, areas, volumes = xr.DataTree(name="cevennes"), [], []
    for basin, name in BASINS.items():
        place = delineate(flow, _gauge_table(root / name), maximum_subcatchment_area)
        units = place.subcatchments
        grid = rain(folder, basin)
        by_scheme = {other: weights(grid, units, other) for other in SCHEMES}
        # Holes are refused in what is kept; the other schemes are for comparison only.
        lazy = [apply(w, grid, minimum_share=float(other == scheme)) for other, w in by_scheme.items()]
        *series, total = dask.compute(*lazy, grid.sum("time", skipna=False))
        depths = dict(zip(by_scheme, series))
        steps = pd.date_range(grid.time.values[0], grid.time.values[-1], freq=_setup(root / name)["step"])
        forcing = _forcing(folder, basin, depths[scheme], by_scheme[scheme], steps)
        gauges = _gauges(root / name, place, steps)
        for group, dataset in (
            ("forcing", forcing),
            ("attributes", _attributes(root / name, units, total)),
            ("network", _network(units)),
            ("gauges", gauges),
        ):
            tree[f"{basin}/{group}"] = xr.DataTree(dataset)
        tree[basin].attrs = {"domain": basin, "regridding": scheme, "crs": f"EPSG:{EPSG}"}
        areas.append(_area_table(place).assign(basin=basin))
        volumes.append(_volume_table(place, depths, total, gauges.discharge).assign(basin=basin))
    return tree, _basin_first(areas), _basin_first(volumes)


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
        DataError: naming the first day that has no grid.
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
    """What the basin's setup file says, with the step's name and the unit of a depth per step."""
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
                f"{file}: no date like {form} in the file's name; remove the file or name it after its date"
            )
        dates.append(found[1])
    if not files:
        raise DataError(f"{folder}: no grids; fetch the dataset again with 'thalweg fetch cevennes'")
    dates = pd.to_datetime(dates, format=form)
    if dates.has_duplicates:
        twice = int(np.argmax(dates.duplicated()))
        raise DataError(f"{files[twice]}: {dates[twice]} is there twice; keep one file")
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
                f"its kind has {shape} from {transform.c:g}, {transform.f:g}; all must lie on one grid"
            )
        return source.read(1, masked=True).astype(float).filled(np.nan)


@cache
def _epsg(text):
    """The code of a reference system; files spell the same one in several ways, and looking it up takes a while."""
    from rasterio import CRS

    return CRS.from_wkt(text).to_epsg()


def _gauge_table(root):
    path = _existing(root / "gauge_attributes.csv")
    table = pd.read_csv(path)
    require(table, ["code", "x", "y", "area"], path)
    check_range(table.area.values, "area", path, low=0)
    return table.set_index("code")


def _forcing(folder, basin, depth, scheme_weights, steps):
    """Rain and potential evapotranspiration of the units, every step there."""
    from thalweg.basin.regrid import apply

    potential = apply(scheme_weights, potential_evapotranspiration(folder, basin, steps)).compute()
    potential = potential.sel(time=steps.normalize()).assign_coords(time=steps)
    if depth.attrs["units"] == "mm/hour":
        potential = (potential / HOURS_PER_DAY).assign_attrs(
            units="mm/hour",
            long_name="potential evapotranspiration",
            comment="mean of the calendar day, spread evenly over its hours",
        )
    missing = steps.difference(depth.time.values)
    precipitation = depth.reindex(time=steps).assign_attrs(
        missing_steps=len(missing), missing_times=" ".join(step.isoformat() for step in missing)
    )
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
                    f"{file}: no reference system, and not the rows and columns of the rain; write one into it"
                )
            grid = grid.rio.write_crs(EPSG)
        variables[name] = (apply(weights(grid, units), grid), "1", f"{meaning}, mean of the 1 km grid")
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
    outline = {"units": "1", "long_name": "outline as well-known text, metres", "crs": f"EPSG:{EPSG}"}
    return dataset.assign(geometry=("unit", units.geometry.to_wkt().to_numpy(dtype=object), outline))


def _network(units):
    ids = units.index.to_numpy(dtype=str)
    reach = {
        "downstream": (units.downstream.to_numpy(dtype=str), None, "reach downstream, empty at an outlet"),
        "length": (units["length_m"].to_numpy(), "m", "length of the main channel, cell centre to cell centre"),
    }
    dataset = xr.Dataset(coords={"reach": _ids(units.index, "reach"), "unit": _ids(units.index, "sub-catchment")})
    for name, (values, unit, meaning) in reach.items():
        dataset[name] = ("reach", values, _described(meaning, unit))
    dataset["unit_reach"] = ("unit", ids, _described("reach that the sub-catchment drains to"))
    return dataset


def _gauges(root, place, steps):
    table = place.gauges
    position = table.geometry.to_crs("EPSG:4326")
    discharge = np.stack([_discharge(root / "qobs" / f"{gauge}.csv", steps) for gauge in table.index])
    variables = {
        "drainage_area": (table.stated_km2.astype(float), "km2", "drainage area, as stated"),
        "delineated_area": (
            table.delineated_km2.astype(float),
            "km2",
            "area of the cells that drain to the gauge's cell",
        ),
        "latitude": (position.y, "degree", "latitude of the gauge's cell"),
        "longitude": (position.x, "degree", "longitude of the gauge's cell"),
        "reach": (table.subcatchment.to_numpy(dtype=str), None, "reach at whose outlet the gauge stands"),
    }
    dataset = xr.Dataset(coords={"gauge": _ids(table.index, "gauge"), "time": steps})
    for name, (values, unit, meaning) in variables.items():
        dataset[name] = ("gauge", np.asarray(values), _described(meaning, unit))
    dataset["discharge"] = (("gauge", "time"), discharge, _described("observed discharge", "m3/s"))
    return dataset


def _described(meaning, unit=None):
    return {"long_name": meaning} | ({} if unit is None else {"units": unit})


def _ids(index, what):
    """Names of units, reaches or gauges as a coordinate."""
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


def _area_table(place):
    table = place.gauges
    return pd.DataFrame(
        {
            "gauge": table.index,
            "stated_area_km2": table.stated_km2.to_numpy(),
            "delineated_area_km2": table.delineated_km2.to_numpy(),
            "area_error": table.area_error.to_numpy(),
            "moved_m": table.moved.to_numpy(),
            "downstream_gauge": table.downstream.to_numpy(),
            "subcatchments": np.asarray(place.upstream.sum(axis=1), dtype=int).ravel(),
        }
    )


def _volume_table(place, depths, total, discharge):
    """Rain over each gauge's catchment by scheme, beside the integral of the summed grid over the catchment's outline."""
    area = place.subcatchments["area_km2"].to_numpy() * 1e6
    seconds = (discharge.time[1] - discharge.time[0]) / np.timedelta64(1, "s")
    rows = []
    for number, (gauge, outline) in enumerate(place.catchments.geometry.items()):
        upstream = place.upstream[number].toarray().ravel() * area
        integral = _area_integral(total, outline) / 1000
        observed = discharge.sel(gauge=gauge)
        runoff, gaps = float(observed.sum() * seconds) / upstream.sum() * 1000, int(observed.isnull().sum())
        for scheme, depth in depths.items():
            volume = float(depth.sum("time").values @ upstream) / 1000
            rain_depth = volume / upstream.sum() * 1000
            rows.append((gauge, scheme, rain_depth, volume, integral, volume / integral - 1, runoff, gaps))
    names = [
        "gauge",
        "scheme",
        "rain_mm",
        "volume_m3",
        "integral_m3",
        "relative_error",
        "discharge_mm",
        "discharge_gaps",
    ]
    return pd.DataFrame(rows, columns=names)


def _area_integral(field, outline):
    """Sum over cells of the value times the area shared with ``outline``, by intersecting every cell's square."""
    import shapely

    dx, dy = (abs(float(field[dim][1] - field[dim][0])) / 2 for dim in ("x", "y"))
    x, y = np.meshgrid(field.x, field.y)
    shared = shapely.area(shapely.intersection(shapely.box(x - dx, y - dy, x + dx, y + dy), outline))
    return float((field.values * shared).sum())


def _basin_first(tables):
    table = pd.concat(tables, ignore_index=True)
    return table[["basin", *(name for name in table if name != "basin")]]
