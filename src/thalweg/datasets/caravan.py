"""Caravan: catchments of the world in one layout, with ERA5-Land forcing.

Kratzert et al. (2023, doi:10.1038/s41597-023-01975-w); data at doi:10.5281/zenodo.6522634 (netCDF) and
doi:10.5281/zenodo.15530021 (CSV); extensions have the same layout. The files read, anywhere below the folder, are
``timeseries/netcdf/<source>/<gauge>.nc`` or ``timeseries/csv/<source>/<gauge>.csv`` and
``attributes/<source>/attributes_other_<source>.csv`` (with ``attributes_hydroatlas_<source>.csv`` if present).

Notes on the data:

- The potential evapotranspiration of ERA5-Land is implausible in many catchments, with means of 10 mm/day and more
  (Clerc-Schwarzenbach et al. 2024, doi:10.5194/hess-28-4219-2024), and is never used. Later versions carry that of FAO
  Penman-Monteith; where it is missing it is computed by the same method from the radiation, humidity and wind in the file.
- Precipitation is ERA5-Land's too: models fit less well than with the forcing of the national datasets (same paper).
- Days are of the gauge's local standard time; those of the extension MultiMet are of UTC.
- Discharge is a depth over the area of the catchment's polygon, which is in ``attributes_other``.
- Some gauges appear in several sources: the core before extensions, only the first of those at one place and of one area
  is kept.
- Every source has its own terms, in ``licenses/<source>``; the table names the file.
"""

import re
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import xarray as xr
from pydantic import Field

from thalweg.basin.domain import DataError, check_dates, check_range, require
from thalweg.basin.places import EARTH_RADIUS, unit_vectors
from thalweg.basin.ranges import FILL
from thalweg.datasets import DATASET
from thalweg.datasets.lumped import (
    MINIMUM_DAYS,
    PLAUSIBLE_MEAN,
    add_potential_evapotranspiration,
    assemble,
    attribute_dataset,
    forcing_dataset,
    ordered_extremes,
    volume_per_second,
)
from thalweg.datasets.tables import read_written
from thalweg.forcing import meteorology
from thalweg.schema import Days, Period, Settings, Share, quantity
from thalweg.units import convert

CORE = ("camels", "camelsaus", "camelsbr", "camelscl", "camelsgb", "hysets", "lamah")
METHODS = ("penman_monteith", "hargreaves", "oudin", "hamon")
ERA5_LAND = ("potential_evaporation_sum", "potential_evaporation_sum_ERA5_LAND")
PENMAN_MONTEITH = "potential_evaporation_sum_FAO_PENMAN_MONTEITH"
WIND_AT_2_METRES = 4.87 / np.log(67.8 * 10 - 5.42)  # of the wind at 10 m (FAO-56, equation 47)
CODING = {"units", "calendar", "_FillValue", "missing_value", "scale_factor", "add_offset"}  # of a variable of netCDF
MEGAJOULES = 86400e-6  # MJ/m2/day in a W/m2

# Column: the unit that Caravan documents; files may state another.
SERIES = {
    "total_precipitation_sum": "mm",
    "temperature_2m_mean": "degC",
    "temperature_2m_min": "degC",
    "temperature_2m_max": "degC",
    "dewpoint_temperature_2m_mean": "degC",
    "surface_net_solar_radiation_mean": "W/m2",
    "surface_net_thermal_radiation_mean": "W/m2",
    "surface_pressure_mean": "kPa",
    "u_component_of_wind_10m_mean": "m/s",
    "v_component_of_wind_10m_mean": "m/s",
    "streamflow": "mm/d",
}
POTENTIAL = dict.fromkeys((PENMAN_MONTEITH, *ERA5_LAND), "mm")

PLACE = {
    "area": ("area", "km2", "km2", "area of the catchment's polygon"),
    "latitude": ("gauge_lat", "degree", "degree", "latitude of the gauge"),
    "longitude": ("gauge_lon", "degree", "degree", "longitude of the gauge"),
}
# HydroATLAS: name here -> (column, unit, unit here, meaning); Linke et al. (2019, doi:10.1038/s41597-019-0300-6).
ATTRIBUTES = {
    "elevation": ("ele_mt_sav", "m", "m", "mean elevation"),
    "slope": ("slp_dg_sav", "decidegree", "degree", "mean slope"),
    "forest_fraction": ("for_pc_sse", "percent", "dimensionless", "share of the area under forest"),
    "cropland_fraction": ("crp_pc_sse", "percent", "dimensionless", "share of the area under crops"),
    "urban_fraction": ("urb_pc_sse", "percent", "dimensionless", "share of the area built over"),
    "glacier_fraction": ("gla_pc_sse", "percent", "dimensionless", "share of the area under ice"),
    "permafrost_fraction": ("prm_pc_sse", "percent", "dimensionless", "share of the area with permafrost"),
    "karst_fraction": ("kar_pc_sse", "percent", "dimensionless", "share of the area on karst"),
    "clay_fraction": ("cly_pc_sav", "percent", "dimensionless", "share of clay in the soil"),
    "silt_fraction": ("slt_pc_sav", "percent", "dimensionless", "share of silt in the soil"),
    "sand_fraction": ("snd_pc_sav", "percent", "dimensionless", "share of sand in the soil"),
    "water_table_depth": ("gwt_cm_sav", "cm", "m", "depth of the water table"),
}


class CaravanSettings(Settings):
    """Caravan and its extensions: catchments of the world with ERA5-Land forcing."""

    kind: Literal["caravan"] = "caravan"
    dataset: str = Field("caravan-sample", description=DATASET)
    period: Period = Field(("1981-10-01", "2020-09-30"), validate_default=True, description="first and last day used")
    potential_evapotranspiration: Literal["penman_monteith", "hargreaves", "oudin", "hamon"] = Field(
        "penman_monteith",
        description="method; penman_monteith is that of the files, or computed from their radiation, humidity and wind where they lack it; that of ERA5-Land is implausible and not used",
    )
    attributes: list[str] | None = Field(
        None, description="attributes of HydroATLAS that networks use; null for all in the tables"
    )
    sources: Literal["all"] | list[str] = Field(
        "all", description="all, or names of source datasets, such as camels, hysets"
    )
    duplicate_distance: quantity("km", 0) = Field(
        "1 km",
        validate_default=True,
        description="distance below which gauges of two sources with similar area are duplicates",
    )
    duplicate_area: Share = Field(0.1, description="maximum relative difference between the areas of such gauges")
    minimum_days: Days = Field("730 days", validate_default=True, description=MINIMUM_DAYS)


SETTINGS = CaravanSettings


def build(
    folder,
    period,
    potential_evapotranspiration="penman_monteith",
    attributes=None,
    sources="all",
    duplicate_distance=1.0,
    duplicate_area=0.1,
    minimum_days=730,
):
    """Read Caravan, its extensions, or a part of it.

    Args:
        folder: where it was unpacked; extensions may be next to the core.
        period: first and last day.
        potential_evapotranspiration: penman_monteith (the file's, else computed), or a method of
            :mod:`thalweg.forcing.evapotranspiration`.
        attributes: names in ``ATTRIBUTES``; if None, all in the tables. Area, latitude and longitude are always included.
        sources: "all" or names such as "camels", "hysets".
        duplicate_distance, duplicate_area: gauges of two sources are one if they are at most this many km apart and their
            areas differ by at most this share.
        minimum_days: days of discharge that a catchment needs within the period to be kept.

    Returns:
        (Domain, DataFrame): gauges carry the source as ``region``. The table has country, time zone, licence, the
        catchment of which each is a duplicate, the origin of potential evapotranspiration, flags and the water balance.

    Raises:
        DataError, UnitError: the message names file, variable and first offending value.
    """
    folder = Path(folder)
    if potential_evapotranspiration not in METHODS:
        raise DataError(
            f"{folder}: potential evapotranspiration {potential_evapotranspiration!r} is not one of {', '.join(METHODS)}; "
            "that of ERA5-Land is implausible"
        )
    table = _tables(folder, sources)
    files = _files(folder, table)
    if attributes is None:
        complete = set(table.columns[table.notna().all()])
        attributes = [name for name, (column, *_) in ATTRIBUTES.items() if column in complete]
    unknown = [name for name in attributes if name not in ATTRIBUTES]
    if unknown:
        raise DataError(f"{folder}: attribute '{unknown[0]}' is unknown; available: {', '.join(ATTRIBUTES)}")
    chosen = attribute_dataset(table, PLACE | {name: ATTRIBUTES[name] for name in attributes}, folder)

    ids, time = list(table.index), pd.date_range(*period, name="time")
    series = {name: np.full((len(time), len(ids)), np.nan, np.float32) for name in (*SERIES, PENMAN_MONTEITH)}
    era5_land, zones = np.full(len(ids), np.nan), np.full(len(ids), "local", dtype=object)
    left_out = np.full(len(ids), "", dtype=object)
    first_of = find_duplicates(table, duplicate_distance, duplicate_area)
    for position, name in enumerate(ids):
        if name in first_of.index:
            left_out[position] = f"the same gauge as {first_of[name]}"
        if name not in files:
            left_out[position] = "no file of series"
            continue
        frame, zones[position] = read_series(files[name])
        if frame.index[0] > time[0] or frame.index[-1] < time[-1]:
            left_out[position] = f"forcing is of {frame.index[0].date()} to {frame.index[-1].date()} only"
        frame = frame.reindex(time)
        for column in series:
            if column in frame:
                series[column][:, position] = frame[column]
        older = [column for column in ERA5_LAND if column in frame]
        era5_land[position] = frame[older[0]].mean() if older else np.nan

    minimum, maximum, exchanged = ordered_extremes(series["temperature_2m_min"], series["temperature_2m_max"])
    forcing = {
        "precipitation": series["total_precipitation_sum"],
        "temperature": series["temperature_2m_mean"],
        "minimum_temperature": minimum,
        "maximum_temperature": maximum,
        "net_shortwave_radiation": series["surface_net_solar_radiation_mean"],
        "vapour_pressure": meteorology.saturation_vapour_pressure(series["dewpoint_temperature_2m_mean"]),
    }
    given = np.isfinite(series[PENMAN_MONTEITH]).all(0) & (potential_evapotranspiration == "penman_monteith")
    if potential_evapotranspiration == "penman_monteith":
        forcing["potential_evapotranspiration"] = np.where(given, series[PENMAN_MONTEITH], penman_monteith(series))
    else:
        add_potential_evapotranspiration(
            forcing, potential_evapotranspiration, time, table.gauge_lat.to_numpy(), folder
        )

    area = table.area.to_numpy(float)
    summary = pd.DataFrame(
        {
            "name": table.gauge_name,
            "region": table.source,
            "country": table.country,
            "latitude": table.gauge_lat.astype(float),
            "longitude": table.gauge_lon.astype(float),
            "drainage_area_km2": area,
            "time_zone": zones,
            "licence": table.source.map({source: _licence(folder, source) for source in table.source.unique()}),
            "duplicate_of": first_of.reindex(ids).fillna("").to_numpy(),
            "potential_evapotranspiration_is": np.where(
                given, "the file's", f"computed, {potential_evapotranspiration}"
            ),
            "era5_land_mm_day": era5_land,
        },
        index=ids,
    )
    high = PLAUSIBLE_MEAN[1]
    flags = {
        f"potential evapotranspiration of ERA5-Land above {high:g} mm/day, not used": era5_land > high,
        "minimum temperature above maximum on some days": exchanged > 0,
    }
    method = potential_evapotranspiration.replace("_", "-")
    return assemble(
        "caravan",
        forcing_dataset(
            time, ids, forcing, folder, {"potential_evapotranspiration": f"potential evapotranspiration, {method}"}
        ),
        chosen,
        volume_per_second(series["streamflow"], "mm/day", area, str(folder)).T,
        summary,
        minimum_days,
        flags,
        left_out,
        "days are of local standard time",
    )


def penman_monteith(series):
    """Reference evapotranspiration (FAO-56, equation 6) of ERA5-Land's daily means, mm/day, never negative.

    Saturation is that of the mean temperature and the heat flux to the soil zero, as in Caravan.

    Args:
        series: column of ``SERIES`` -> array (time, catchment), in the units there.
    """
    import pyet

    array = partial(xr.DataArray, dims=("time", "unit"))
    radiation = series["surface_net_solar_radiation_mean"] + series["surface_net_thermal_radiation_mean"]
    wind = np.hypot(series["u_component_of_wind_10m_mean"], series["v_component_of_wind_10m_mean"]) * WIND_AT_2_METRES
    result = pyet.pm_fao56(
        array(series["temperature_2m_mean"]),
        array(wind),
        rn=array(radiation * MEGAJOULES),
        pressure=array(series["surface_pressure_mean"]),
        ea=array(pyet.calc_e0(series["dewpoint_temperature_2m_mean"])),
    )
    return np.maximum(result.values, 0.0)


def read_series(path):
    """The series of one gauge, netCDF or CSV.

    Returns:
        (DataFrame, str): ``SERIES`` and the available ``POTENTIAL`` by day, in the units there; the time zone of days.

    Raises:
        DataError, UnitError: the message names file, variable and first offending value.
    """
    if path.suffix == ".nc":
        dataset = _columns(path)
        frame = dataset.to_dataframe()
        stated = dict(re.findall(r"^\s*([^:\n]+):.*\[(.+)\]\s*$", dataset.attrs.get("Units", ""), re.MULTILINE))
        zone = dataset.attrs.get("Timezone", "local")
    else:
        frame = _dated(read_written(path), path)
        stated, zone = {}, "local"
    check_dates(frame.index, path)
    columns = {}
    for name, unit in (SERIES | POTENTIAL).items():
        if name in frame:
            found = stated.get(name, stated.get(re.sub(r"_(mean|min|max|sum)$", "", name), unit))
            columns[name] = convert(frame[name].to_numpy(), found, unit, what=f"{path}, variable '{name}'")
    for name in ("total_precipitation_sum", "streamflow"):
        check_range(columns[name], name, path, low=0, high=FILL)
    return pd.DataFrame(columns, index=frame.index), zone


def _dated(frame, path):
    """The numbers of a CSV file by day."""
    require(frame, ["date", *SERIES], path)
    if frame.empty:
        raise DataError(f"{path}: the table has no rows; unpack it again")
    days = pd.to_datetime(frame.date, errors="coerce", format="ISO8601")
    if days.isna().any():
        line = int(days.isna().argmax())
        raise DataError(
            f"{path}, line {line + 2}: column 'date' is '{frame.date[line]}'; expected a date like 2012-05-31"
        )
    for name in (SERIES | POTENTIAL).keys() & set(frame.columns):
        numbers = pd.to_numeric(frame[name], errors="coerce")
        wrong = numbers.isna() & frame[name].notna()
        if wrong.any():
            line = int(wrong.argmax())
            raise DataError(f"{path}, line {line + 2}: column '{name}' is '{frame[name][line]}'; expected a number")
        frame[name] = numbers
    return frame.set_index(pd.DatetimeIndex(days, name="date"))


def _columns(path):
    """The variables read from a netCDF file, as a Dataset (date,); opening all 39 variables would take ten times as long."""
    import h5py

    with h5py.File(path) as file:
        require(file, ["date", *SERIES], path)
        names = ["date", *(name for name in SERIES | POTENTIAL if name in file)]
        coded = {name: ("date", file[name][:], _attributes(file[name], CODING)) for name in names}
        attributes = _attributes(file, {"Units", "Timezone"})
    return xr.decode_cf(xr.Dataset(coded, attrs=attributes))


def _attributes(item, names):
    """Attributes of a file or variable; some are arrays of one, and texts bytes."""
    found = {name: np.ravel(item.attrs[name])[0] for name in names & set(item.attrs)}
    return {name: value.decode() if isinstance(value, bytes) else value for name, value in found.items()}


def find_duplicates(table, distance, area):
    """Gauges that are also in another source.

    Args:
        table: DataFrame by gauge id with source, gauge_lat, gauge_lon [degree] and area [km2].
        distance: maximum distance of the gauges, km.
        area: maximum difference of the areas, as a share of the larger.

    Returns:
        Series: id of the gauge to drop -> id of the one to keep, which is in the earlier source: the core's first, in
        the order of ``CORE``, then the others by name.
    """
    from scipy.spatial import cKDTree

    rank = table.source.map(lambda source: (CORE.index(source) if source in CORE else len(CORE), source))
    table = table.loc[rank.sort_values(kind="stable").index]
    points = unit_vectors(table.gauge_lat, table.gauge_lon)
    near = cKDTree(EARTH_RADIUS * points).query_pairs(distance, output_type="ndarray")
    near = near[np.lexsort(near.T[::-1])]
    areas, sources, ids = table.area.to_numpy(float), table.source.to_numpy(), table.index.to_numpy()
    dropped = {}
    for first, second in near:
        alike = abs(areas[first] - areas[second]) <= area * max(areas[first], areas[second])
        if alike and sources[first] != sources[second] and ids[first] not in dropped:
            dropped.setdefault(ids[second], ids[first])
    return pd.Series(dropped, dtype=object)


def _tables(folder, sources):
    """The attribute tables of all sources by gauge id, with the source."""
    paths = {
        path.stem.removeprefix("attributes_other_"): path for path in sorted(folder.rglob("attributes_other_*.csv"))
    }
    if not paths:
        raise DataError(
            f"{folder}: no table attributes_other_<source>.csv was found in or below the folder; fetch or unpack the dataset"
        )
    wanted = list(paths) if sources == "all" else list(sources)
    frames = []
    for source in wanted:
        if source not in paths:
            raise DataError(f"{folder}: source '{source}' is missing; available: {', '.join(paths)}")
        frame = _table(paths[source])
        require(frame, ["gauge_lat", "gauge_lon", "area", "gauge_name", "country"], paths[source])
        check_range(frame.area.to_numpy(float), "area", paths[source], low=1e-6)
        bare = frame.index[frame[["gauge_lat", "gauge_lon", "area"]].isna().any(axis=1)]
        if len(bare):
            raise DataError(
                f"{paths[source]}: gauge '{bare[0]}' has no area or coordinates; complete its row or drop it"
            )
        hydroatlas = paths[source].with_name(f"attributes_hydroatlas_{source}.csv")
        if hydroatlas.exists():
            frame = frame.join(_table(hydroatlas).drop(columns="area", errors="ignore"))
        frames.append(frame.assign(source=source))
    table = pd.concat(frames)
    twice = table.index[table.index.duplicated()]
    if len(twice):
        raise DataError(f"{folder}: gauge '{twice[0]}' appears twice in the attribute tables; gauge ids must be unique")
    return table


def _table(path):
    frame = read_written(path, dtype={"gauge_id": str, "gauge_name": str, "country": str})
    require(frame, ["gauge_id"], path)
    return frame.set_index("gauge_id")


def _files(folder, table):
    """Gauge id -> file of its series; netCDF goes before CSV."""
    ids = set(table.index)
    found = {}
    for suffix in ("csv", "nc"):
        found |= {path.stem: path for path in folder.rglob(f"*.{suffix}") if path.stem in ids}
    if not found:
        raise DataError(
            f"{folder}: no series timeseries/*/<source>/<gauge>.nc or .csv was found; unpack them next to the tables"
        )
    return found


def _licence(folder, source):
    found = sorted(path for path in folder.rglob(f"licenses/{source}/*") if path.is_file())
    return str(found[0].relative_to(folder)) if found else "not in the folder: see the dataset's record"
