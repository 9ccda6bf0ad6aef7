"""CAMELS-US: catchments of the contiguous United States with little human influence.

Newman et al. (2015, doi:10.5194/hess-19-209-2015) and Addor et al. (2017, doi:10.5194/hess-21-5293-2017); data at
doi:10.5065/D6MW2F4D. Two forms are read:

text
    the published folders ``basin_mean_forcing/<product>``, ``usgs_streamflow`` and the tables ``camels_*.txt``, wherever
    below the dataset's folder;
netCDF
    ``timeseries.nc`` with (basin, time): Daymet forcing and discharge as a depth, with the same tables.

Facts missing from the files, and their derivation:

- Depths of discharge relate to the area in the header of the forcing files, not to ``area_gages2``, to which the attribute
  ``q_mean`` relates. The two areas agree within 2 % in most catchments, and differ by more than 5 % in a tenth of them,
  up to a factor of 5: some headers leave out land that does not contribute. The netCDF form has no headers: the area is
  recovered as ``area_gages2 * q_mean / mean depth`` over the years of the attribute, 1989-10-01 to 2009-09-30. Discharge in
  m3/s is then the gauge's own in both forms. In one catchment, 02381600, the stated area seems wrong (10 km2
  against 26): runoff per stated area would be 87 % of precipitation.
- Shortwave radiation is the mean over daylight; times the day's length it becomes the mean of the day.
- On some winter days of some mountain catchments the minimum temperature exceeds the maximum; the two are exchanged.
- In the netCDF form precipitation is capped at 200 mm/day, which a few hurricanes exceeded.
- The "maximum temperature" of the products NLDAS and Maurer is the mean, and so is their minimum.
- The attributes of climate are of 1989-2009: a model with these attributes has seen those years, whatever its training period.
"""

from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import xarray as xr
from pydantic import Field

from thalweg.basin.domain import MILLIMETRES_PER_DAY, DataError, check_dates, check_range, require
from thalweg.datasets import DATASET
from thalweg.datasets.lumped import (
    MINIMUM_DAYS,
    Temperatures,
    add_potential_evapotranspiration,
    assemble,
    attribute_dataset,
    forcing_dataset,
    ordered_extremes,
)
from thalweg.schema import Days, Period, Settings
from thalweg.units import convert

SERIES = "timeseries.nc"
BENCHMARK = "basins_531.txt"
TABLES = ("clim", "geol", "hydro", "name", "soil", "topo", "vege")
ATTRIBUTE_YEARS = slice("1989-10-01", "2009-09-30")
AREA_TOLERANCE = 0.05  # relative difference of the two areas above which a catchment is flagged
PRECIPITATION_LIMIT = 200.0  # mm/day, of the netCDF form
PRODUCTS = {"daymet": "cida", "nldas": "nldas", "maurer": "maurer"}  # forcing product -> its name in file names
MISSING = -999.0

# The 27 attributes of Kratzert et al. (2019, doi:10.5194/hess-23-5089-2019): name here -> (column, unit, unit here, meaning).
KRATZERT_2019 = {
    "mean_precipitation_1989_2009": ("p_mean", "mm/day", "mm/day", "mean precipitation"),
    "mean_potential_evapotranspiration_1989_2009": (
        "pet_mean",
        "mm/day",
        "mm/day",
        "mean potential evapotranspiration",
    ),
    "aridity_1989_2009": ("aridity", "1", "dimensionless", "potential evapotranspiration over precipitation"),
    "precipitation_seasonality_1989_2009": (
        "p_seasonality",
        "1",
        "dimensionless",
        "seasonality and timing of precipitation; positive with a peak in summer",
    ),
    "snow_fraction_1989_2009": ("frac_snow", "1", "dimensionless", "share of precipitation on days below 0 degC"),
    "high_precipitation_frequency_1989_2009": (
        "high_prec_freq",
        "day/year",
        "day/year",
        "days with five times the mean precipitation or more",
    ),
    "high_precipitation_duration_1989_2009": ("high_prec_dur", "day", "day", "mean length of such events"),
    "low_precipitation_frequency_1989_2009": ("low_prec_freq", "day/year", "day/year", "days below 1 mm"),
    "low_precipitation_duration_1989_2009": ("low_prec_dur", "day", "day", "mean length of dry periods"),
    "elevation": ("elev_mean", "m", "m", "mean elevation"),
    "slope": ("slope_mean", "m/km", "dimensionless", "mean slope, rise over run"),
    "area": ("area_gages2", "km2", "km2", "catchment area, GAGES-II"),
    "forest_fraction": ("frac_forest", "1", "dimensionless", "share of the area under forest"),
    "maximum_leaf_area_index": ("lai_max", "1", "dimensionless", "maximum monthly leaf area index"),
    "leaf_area_index_range": ("lai_diff", "1", "dimensionless", "maximum minus minimum monthly leaf area index"),
    "maximum_vegetation_fraction": ("gvf_max", "1", "dimensionless", "maximum monthly green vegetation fraction"),
    "vegetation_fraction_range": (
        "gvf_diff",
        "1",
        "dimensionless",
        "maximum minus minimum monthly vegetation fraction",
    ),
    "depth_to_bedrock": ("soil_depth_pelletier", "m", "m", "depth to bedrock, 50 m at most"),
    "soil_depth": ("soil_depth_statsgo", "m", "m", "soil depth, 1.5 m at most"),
    "soil_porosity": ("soil_porosity", "1", "dimensionless", "volumetric porosity of the soil"),
    "soil_conductivity": ("soil_conductivity", "cm/hour", "cm/hour", "saturated hydraulic conductivity of the soil"),
    "soil_water_capacity": ("max_water_content", "m", "m", "maximum water content of the soil"),
    "sand_fraction": ("sand_frac", "percent", "dimensionless", "share of sand in the soil"),
    "silt_fraction": ("silt_frac", "percent", "dimensionless", "share of silt in the soil"),
    "clay_fraction": ("clay_frac", "percent", "dimensionless", "share of clay in the soil"),
    "carbonate_rock_fraction": ("carbonate_rocks_frac", "1", "dimensionless", "share of carbonate sedimentary rocks"),
    "geological_permeability": (
        "geol_permeability",
        "1",
        "dimensionless",
        "decimal logarithm of the subsurface permeability in m2",
    ),
}
ATTRIBUTES = KRATZERT_2019 | {
    "geological_porosity": (
        "geol_porostiy",
        "1",
        "dimensionless",
        "porosity of the subsurface",
    ),  # the table's spelling
    "root_depth_50": ("root_depth_50", "m", "m", "depth above which half of the roots are"),
    "land_cover_dominance": ("dom_land_cover_frac", "1", "dimensionless", "share of the commonest land cover"),
    "geology_dominance": ("glim_1st_class_frac", "1", "dimensionless", "share of the commonest geological class"),
}
PLACE = {
    "latitude": ("gauge_lat", "degree", "degree", "latitude of the gauge"),
    "longitude": ("gauge_lon", "degree", "degree", "longitude of the gauge"),
}

COLUMNS = {  # of the text form, spelled alike in lower case -> (name, unit)
    "dayl(s)": ("day_length", "s"),
    "prcp(mm/day)": ("precipitation", "mm/day"),
    "srad(w/m2)": ("shortwave_radiation", "W/m**2"),
    "tmax(c)": ("maximum_temperature", "degC"),
    "tmin(c)": ("minimum_temperature", "degC"),
    "vp(pa)": ("vapour_pressure", "Pa"),
}
VARIABLES = {  # of the netCDF form -> name
    "precipitation": "precipitation",
    "day_length": "day_length",
    "minimum_air_temperature": "minimum_temperature",
    "maximum_air_temperature": "maximum_temperature",
    "shortwave_radiation": "shortwave_radiation",
    "vapour_pressure": "vapour_pressure",
}
UNITS = {
    "day_length": "hour",
    "precipitation": "mm/day",
    "shortwave_radiation": "W/m**2",
    "maximum_temperature": "degC",
    "minimum_temperature": "degC",
    "vapour_pressure": "hPa",
}


class CamelsUsSettings(Settings):
    """CAMELS-US: catchments of the contiguous United States."""

    kind: Literal["camels_us"] = "camels_us"
    dataset: str = Field("camels-us", description=DATASET)
    period: Period = Field(("1980-10-01", "2010-09-30"), validate_default=True, description="first and last day used")
    potential_evapotranspiration: Temperatures = Field(
        "hargreaves",
        description="method, computed by pyet; hargreaves uses the daily temperature range, which only daymet has",
    )
    attributes: list[str] = Field(
        list(KRATZERT_2019),
        description="attributes that networks use; by default the 27 of Kratzert et al. (2019), of which those of climate are means of 1989-2009",
    )
    catchments: Literal["all", "benchmark"] | list[str] = Field(
        "all", description="all; benchmark, those of the published 531 that are in the dataset; or a list of ids"
    )
    product: Literal["daymet", "nldas", "maurer"] = Field(
        "daymet", description="forcing product; the netCDF form has daymet only"
    )
    rescale_discharge: bool = Field(
        True,
        description="true: discharge depth per stated area, for water balances; false: per area of the forcing files, as in published benchmarks",
    )
    minimum_days: Days = Field("730 days", validate_default=True, description=MINIMUM_DAYS)


SETTINGS = CamelsUsSettings
PUBLISHED_TESTS = (
    ("1989-10-01", "1999-09-30"),
    ("1995-10-01", "2010-09-30"),
)  # of scores in thalweg.evaluation.published


def build(
    folder,
    period,
    potential_evapotranspiration="hargreaves",
    attributes=tuple(KRATZERT_2019),
    catchments="all",
    product="daymet",
    rescale_discharge=True,
    minimum_days=730,
):
    """Read CAMELS-US.

    Args:
        folder: folder of the dataset, in either form.
        period: first and last day.
        potential_evapotranspiration: method of :mod:`thalweg.forcing.evapotranspiration`.
        attributes: names in ``ATTRIBUTES``; area, latitude and longitude are always included.
        catchments: "all", "benchmark" (those of the list of 531 that are present) or ids.
        product: of the text form: daymet, nldas or maurer.
        rescale_discharge: relate depths of discharge to ``area_gages2``: multiply them by ``q_mean`` over the mean depth of
            1989-10-01 to 2009-09-30. Otherwise they stay as in published benchmarks, per the forcing files' area.
            Discharge in m3/s is the same either way.
        minimum_days: days of discharge that a catchment needs within the period to be kept.

    Returns:
        (Domain, DataFrame): gauges carry the hydrologic region (HUC-02) as ``region``. The table has both areas
        [km2], their ratio (by which depths were multiplied when ``rescaled``), flags and the water balance.

    Raises:
        DataError, UnitError: the message names file, variable and first offending value.
    """
    folder = Path(folder)
    columns = _attribute_columns(attributes, folder)
    table = _tables(folder)
    if (folder / SERIES).exists():
        if product != "daymet":
            raise DataError(
                f"{folder / SERIES}: contains the product daymet, not {product!r}; use the text form for it"
            )
        read, known = _read_netcdf, _netcdf_ids(folder)
    else:
        read, known = _read_text, sorted(_files(folder, f"*_lump_{PRODUCTS[product]}_forcing_leap.txt"))
    ids = _chosen(folder, catchments, known)
    absent = [name for name in ids if name not in table.index]
    if absent:
        raise DataError(
            f"{folder}: catchment '{absent[0]}' is not in camels_topo.txt; fetch the attribute tables again"
        )
    table = table.loc[ids]

    time, forcing, discharge, forcing_area, left_out = read(folder, ids, period, product, table)
    extremes = ordered_extremes(forcing.pop("minimum_temperature"), forcing.pop("maximum_temperature"))
    forcing["temperature"] = (extremes[0] + extremes[1]) / 2
    if product == "daymet":
        forcing["minimum_temperature"], forcing["maximum_temperature"] = extremes[:2]
    forcing["shortwave_radiation"] *= forcing["day_length"] / 24
    latitude = table.gauge_lat.to_numpy(float)
    add_potential_evapotranspiration(forcing, potential_evapotranspiration, time, latitude, f"{folder} ({product})")

    stated_area = table.area_gages2.to_numpy(float)
    ratio = forcing_area / stated_area
    apart = np.abs(ratio - 1) > AREA_TOLERANCE
    heavy = (forcing["precipitation"] >= PRECIPITATION_LIMIT).any(0) & (read is _read_netcdf)
    summary = pd.DataFrame(
        {
            "name": table.gauge_name,
            "region": table.huc_02,
            "latitude": latitude,
            "longitude": table.gauge_lon.to_numpy(float),
            "drainage_area_km2": stated_area if rescale_discharge else forcing_area,
            "stated_area_km2": stated_area,
            "forcing_area_km2": forcing_area,
            "area_ratio": ratio,
            "rescaled": apart & rescale_discharge,
            "days_with_temperatures_exchanged": extremes[2],
        },
        index=ids,
    )
    flags = {
        f"area of the forcing files differs from the stated area by more than {AREA_TOLERANCE:.0%}": apart,
        "minimum temperature above maximum on some days": (extremes[2] > 0) & (product == "daymet"),
        f"precipitation at the limit of {PRECIPITATION_LIMIT:g} mm/day": heavy,
    }
    comment = (
        f"{int(apart.sum())} of {len(ids)} catchments have two areas that differ by more than {AREA_TOLERANCE:.0%}; "
    )
    comment += f"depths relate to {'area_gages2' if rescale_discharge else 'the area of the forcing files'}"
    meanings = {
        "temperature": "mean of the daily extremes of air temperature",
        "potential_evapotranspiration": f"potential evapotranspiration, {potential_evapotranspiration}",
    }
    return assemble(
        "camels-us",
        forcing_dataset(time, ids, forcing, folder, meanings),
        attribute_dataset(table, columns, folder),
        discharge,
        summary,
        minimum_days,
        flags,
        left_out,
        comment,
    )


def _attribute_columns(names, folder):
    columns = {}
    for name in names:
        if name not in ATTRIBUTES:
            published = {column: ours for ours, (column, *_) in ATTRIBUTES.items()}
            hint = f"it is '{published[name]}' here" if name in published else f"available: {', '.join(ATTRIBUTES)}"
            raise DataError(
                f"{folder}: attribute '{name}' is not allowed as an input of networks ({hint}); signatures of discharge "
                "are prediction targets, and classes are not numbers"
            )
        columns[name] = ATTRIBUTES[name]
    return {"area": ATTRIBUTES["area"], **PLACE, **columns}


def _tables(folder):
    """All attribute tables side by side, by id."""
    frames = []
    for kind in TABLES:
        paths = sorted(folder.rglob(f"camels_{kind}.txt"))
        if not paths:
            raise DataError(
                f"{folder}: camels_{kind}.txt was not found in or below the folder; put the attribute tables there"
            )
        frame = pd.read_csv(paths[0], sep=";", dtype={"gauge_id": str, "huc_02": str})
        require(frame, ["gauge_id"], paths[0])
        frames.append(frame.set_index("gauge_id"))
    table = pd.concat(frames, axis=1)
    require(table, ["gauge_lat", "gauge_lon", "area_gages2", "q_mean", "huc_02", "gauge_name"], folder)
    for name in ("area_gages2", "q_mean"):
        check_range(table[name].to_numpy(float), name, folder, low=0)
    return table


def _files(folder, pattern):
    """Gauge id -> file, for the files below a folder; the id is the part before the first underscore."""
    return {path.name.split("_")[0]: path for path in sorted(folder.rglob(pattern))}


def _chosen(folder, catchments, known):
    if not known:
        raise DataError(
            f"{folder}: neither {SERIES} nor a forcing file of the product was found; fetch the dataset again"
        )
    if catchments == "all":
        return list(known)
    if catchments == "benchmark":
        path = folder / BENCHMARK
        if not path.exists():
            raise DataError(f"{path}: the list of the 531 benchmark catchments is missing; add it, one id per line")
        listed = set(path.read_text().split())
        return [name for name in known if name in listed]
    absent = [name for name in catchments if name not in set(known)]
    if absent:
        raise DataError(f"{folder}: catchment '{absent[0]}' is missing; ids have eight digits, as in {known[0]!r}")
    return list(catchments)


def _netcdf_ids(folder):
    with xr.open_dataset(folder / SERIES, engine="h5netcdf") as dataset:
        require(dataset, ["basin", "time", "discharge", *VARIABLES], folder / SERIES)
        return list(dataset.basin.values.astype(str))


def _read_netcdf(folder, ids, period, product, table):
    path = folder / SERIES
    with xr.open_dataset(path, engine="h5netcdf", cache=False) as dataset:
        check_dates(dataset.time.values, path)
        depth = _variable(dataset, "discharge", ids, "mm/day", path)
        check_range(depth, "discharge", path, low=0)
        whole = pd.DatetimeIndex(dataset.time.values)
        known = _positions(whole, ATTRIBUTE_YEARS.start, ATTRIBUTE_YEARS.stop, path)
        dates = _positions(whole, *period, path)
        mean = _mean(depth[:, known])
        area = table.area_gages2.to_numpy(float) * table.q_mean.to_numpy(float) / mean
        lacking = ~(np.isfinite(area) & (area > 0))
        years = f"{ATTRIBUTE_YEARS.start} to {ATTRIBUTE_YEARS.stop}"
        left_out = np.where(lacking, f"no discharge or no attribute q_mean in {years}, so no area", "")
        area = np.where(lacking, table.area_gages2.to_numpy(float), area)
        forcing = {
            name: _variable(dataset.isel(time=dates), variable, ids, UNITS[name], path).T
            for variable, name in VARIABLES.items()
        }
    discharge = depth[:, dates] * (area / MILLIMETRES_PER_DAY)[:, None]
    return whole[dates], forcing, discharge, area, left_out


def _variable(dataset, name, ids, unit, path):
    """(basin, time) of the chosen catchments in ``unit``, single precision as the file's rounding allows."""
    known = {basin: position for position, basin in enumerate(dataset.basin.values.astype(str))}
    array = dataset[name].transpose("basin", "time")
    if ids != list(known):
        array = array.isel(basin=[known[basin] for basin in ids])
    values = array.values.astype(np.float32)
    stated = array.attrs.get("units", "")
    return convert(values, stated, unit, what=f"{path}, variable '{name}'").astype(np.float32)


def _mean(depth):
    """Mean of the days with a value (basin,); NaN where there is none."""
    there = np.isfinite(depth)
    return np.where(there, depth, 0).sum(1, dtype=float) / np.where(there.any(1), there.sum(1), np.nan)


def _positions(time, first, last, path):
    positions = np.flatnonzero((time >= pd.Timestamp(first)) & (time <= pd.Timestamp(last)))
    if not len(positions):
        raise DataError(f"{path}: no day between {first} and {last}; available: {time[0].date()} to {time[-1].date()}")
    return slice(positions[0], positions[-1] + 1)


def _read_text(folder, ids, period, product, table):
    time = pd.date_range(*period, name="time")
    forcing_files = _files(folder, f"*_lump_{PRODUCTS[product]}_forcing_leap.txt")
    flow_files = _files(folder, "*_streamflow_qc.txt")
    shape = len(time), len(ids)
    forcing = {name: np.full(shape, np.nan, np.float32) for name in UNITS}
    discharge = np.full(shape[::-1], np.nan, np.float32)
    area, left_out = np.empty(len(ids)), np.full(len(ids), "", dtype=object)
    for column, name in enumerate(ids):
        series, area[column] = read_forcing(forcing_files[name])
        if series.index[0] > time[0] or series.index[-1] < time[-1]:
            left_out[column] = f"forcing is of {series.index[0].date()} to {series.index[-1].date()} only"
        series = series.reindex(time)
        for variable in UNITS:
            forcing[variable][:, column] = series[variable]
        if name in flow_files:
            discharge[column] = read_discharge(flow_files[name]).reindex(time)
        else:
            left_out[column] = "no file of discharge"
    return time, forcing, discharge, area, left_out


def read_forcing(path):
    """A forcing file of the text form.

    Returns:
        (DataFrame, float): the series of ``UNITS`` by day, and the catchment area of the header, km2.

    Raises:
        DataError: if the header, a column or a day is invalid.
    """
    with open(path, encoding="utf-8") as file:
        header = [next(file, "").strip() for _ in range(4)]
    try:
        area = convert(float(header[2]), "m**2", "km2")
    except ValueError:
        raise DataError(f"{path}: line 3 is {header[2]!r}; expected the catchment area in m2") from None
    names = [name.lower() for name in header[3].split()]
    require(names, ["year", "mnth", "day", *COLUMNS], path)
    frame = pd.read_csv(path, sep=r"\s+", skiprows=4, header=None, names=names)
    time = _dates(frame.year, frame.mnth, frame.day, path)
    series = pd.DataFrame(
        {
            name: convert(frame[column].to_numpy(float), unit, UNITS[name], what=f"{path}, column '{column}'")
            for column, (name, unit) in COLUMNS.items()
        },
        index=time,
    )
    check_range(series.precipitation.values, "prcp(mm/day)", path, low=0)
    return series, area


def read_discharge(path):
    """A discharge file of the text form: Series by day, m3/s; NaN where it is missing (-999)."""
    frame = pd.read_csv(path, sep=r"\s+", header=None, names=["place", "year", "month", "day", "flow", "quality"])
    flow = frame.flow.to_numpy(float)
    flow = np.where(flow == MISSING, np.nan, flow)
    check_range(flow, "discharge", path, low=0)
    return pd.Series(convert(flow, "ft3 s-1", "m3/s", what=str(path)), _dates(frame.year, frame.month, frame.day, path))


def _dates(year, month, day, path):
    try:
        time = pd.DatetimeIndex(pd.to_datetime({"year": year, "month": month, "day": day}), name="time")
    except ValueError as error:
        raise DataError(f"{path}: invalid dates ({error}); expected year, month and day") from None
    check_dates(time, path)
    return time
