"""User catchments: series and attributes in plain files with units; docs/guides/own_data.md shows them.

``attributes.csv``
    one row per catchment, ``basin`` first; ``area [km2]``, ``latitude [degree]``, ``longitude [degree]`` and any other number
    with its unit in brackets; columns without brackets are text, of which ``name`` and ``region`` are kept.
``timeseries.nc`` or ``timeseries/<basin>.csv``
    daily series: variables (basin, time) with the attribute ``units``, or columns with the unit in brackets next to ``time``.
"""

import re
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import xarray as xr
from pydantic import Field

from thalweg.basin.domain import DataError, check_dates, check_range, require
from thalweg.datasets.lumped import (
    FORCING,
    MINIMUM_DAYS,
    Temperatures,
    add_potential_evapotranspiration,
    assemble,
    attribute_dataset,
    depth_per_day,
    forcing_dataset,
    ordered_extremes,
    spelled,
    volume_per_second,
)
from thalweg.schema import Days, Period, Settings
from thalweg.units import UnitError, convert, parse_unit

ATTRIBUTES = "attributes.csv"
DATASET = "timeseries.nc"
SERIES = "timeseries"
REQUIRED = {"area": "km2", "latitude": "degree", "longitude": "degree"}
DEPTHS = ("precipitation", "potential_evapotranspiration")
EXTREMES = ("minimum_temperature", "maximum_temperature")


class OwnCatchmentsSettings(Settings):
    """Catchments of your own, from plain files with units (docs/guides/own_data.md)."""

    kind: Literal["own_catchments"] = "own_catchments"
    folder: str = Field(description="folder of attributes.csv and the series")
    period: Period = Field(description="first and last day used")
    potential_evapotranspiration: Literal["given"] | Temperatures = Field(
        "given", description="method; given is that of the series; hargreaves needs daily temperature extremes"
    )
    minimum_days: Days = Field("730 days", validate_default=True, description=MINIMUM_DAYS)


SETTINGS = OwnCatchmentsSettings


def build(folder, period, potential_evapotranspiration="given", minimum_days=730):
    """Read user catchments.

    Args:
        folder: where ``attributes.csv`` and the series are.
        period: first and last day.
        potential_evapotranspiration: "given" for the one in the series, or a method of
            :mod:`thalweg.forcing.evapotranspiration`.
        minimum_days: days of discharge that a catchment needs within the period to be kept.

    Returns:
        (Domain, DataFrame): the domain, and the table of all catchments with their water balance and flags.

    Raises:
        DataError, UnitError: the message names file, variable, value and remedy.
    """
    folder = Path(folder)
    table, columns = read_attributes(folder / ATTRIBUTES)
    attributes = attribute_dataset(table, columns, folder / ATTRIBUTES)
    area = attributes.area.values
    check_range(area, "area", folder / ATTRIBUTES, low=1e-6)
    check_range(attributes.latitude.values, "latitude", folder / ATTRIBUTES, -90, 90)
    check_range(attributes.longitude.values, "longitude", folder / ATTRIBUTES, -180, 360)
    ids, time = list(table.index), pd.date_range(*period, name="time")
    read = _read_netcdf if (folder / DATASET).exists() else _read_csv
    series = read(folder, ids, time, area)
    discharge = series.pop("discharge").T

    exchanged = np.zeros(len(ids), int)
    if all(name in series for name in EXTREMES):
        *extremes, exchanged = ordered_extremes(*(series[name] for name in EXTREMES))
        series |= dict(zip(EXTREMES, extremes))
        series.setdefault("temperature", (extremes[0] + extremes[1]) / 2)
    for name in ("precipitation", "temperature"):
        if name not in series:
            raise DataError(f"{folder}: variable '{name}' is missing; available: {', '.join(series)}; add the series")
    how = "as given"
    if potential_evapotranspiration != "given":
        how = potential_evapotranspiration
        add_potential_evapotranspiration(series, how, time, attributes.latitude.values, folder)
    elif "potential_evapotranspiration" not in series:
        raise DataError(
            f"{folder}: variable 'potential_evapotranspiration' is missing; set potential_evapotranspiration to "
            f"{'hargreaves' if EXTREMES[0] in series else 'oudin'} to compute it"
        )
    summary = table[[label for label in ("name", "region") if label in table]].assign(
        latitude=attributes.latitude.values, longitude=attributes.longitude.values, drainage_area_km2=area
    )
    meanings = {"potential_evapotranspiration": f"potential evapotranspiration, {how}"}
    return assemble(
        folder.name,
        forcing_dataset(time, ids, series, folder, meanings),
        attributes,
        discharge,
        summary,
        minimum_days,
        {"minimum temperature above maximum on some days": exchanged > 0},
    )


def read_attributes(path):
    """The attribute table.

    Returns:
        (DataFrame, dict): the rows by basin; and name -> (column, its unit, unit here, meaning) of the numbers.

    Raises:
        DataError, UnitError: if the table, a column or a unit is missing, or a basin appears twice.
    """
    if not path.exists():
        raise DataError(f"{path}: the file is missing; write one row per catchment, as docs/guides/own_data.md shows")
    table = pd.read_csv(path, dtype={"basin": str, "name": str, "region": str})
    require(table, ["basin"], path)
    twice = table.basin[table.basin.duplicated()]
    if len(twice):
        raise DataError(f"{path}: basin '{twice.iloc[0]}' appears twice; basins must be unique")
    columns = {}
    for header in table.columns:
        name, unit = _named(header)
        if unit is None:
            continue
        _known(unit, f"{path}, column '{header}'")
        columns[name] = (header, spelled(unit), REQUIRED.get(name, spelled(unit)), name.replace("_", " "))
    for name, unit in REQUIRED.items():
        if name not in columns:
            raise DataError(f"{path}: column '{name} [{unit}]' is missing; available: {', '.join(table.columns)}")
    table = table.set_index("basin")
    for label in ("name", "region"):
        if label in table:
            table[label] = table[label].fillna("")
    return table, columns


def _named(header):
    """Name and unit of a header such as "area [km2]"; None if there is no unit."""
    found = re.fullmatch(r"\s*(.*?)\s*\[(.*)\]\s*", header)
    return (found[1], found[2]) if found else (header.strip(), None)


def _known(unit, what):
    try:
        parse_unit(spelled(unit))
    except UnitError as error:
        raise UnitError(f"{what}: {error}") from error


def _converted(values, name, unit, area, what):
    """A series in the unit of the study.

    Raises:
        DataError: if the name is not one used by the study.
        UnitError: if the unit is missing or of another dimension.
    """
    if name != "discharge" and name not in FORCING:
        raise DataError(f"{what}: unknown name; use one of discharge, {', '.join(FORCING)}, or omit it")
    if unit is None:
        raise UnitError(
            f"{what}: has no unit; write for example '{name} [{'m3/s' if name == 'discharge' else FORCING[name][0]}]'"
        )
    if name == "discharge":
        return volume_per_second(values, spelled(unit), area, what)
    if name in DEPTHS:
        return depth_per_day(values, spelled(unit), what)
    return convert(values, spelled(unit), FORCING[name][0], what)


def _within(times, time, path):
    check_dates(times, path)
    if times[0] > time[0] or times[-1] < time[-1]:
        raise DataError(
            f"{path}: series cover {times[0].date()} to {times[-1].date()}, but the period is {time[0].date()} to "
            f"{time[-1].date()}; shorten the period, or extend the series (discharge may have gaps, forcing may not)"
        )


def _read_netcdf(folder, ids, time, area):
    path = folder / DATASET
    with xr.open_dataset(path, engine="h5netcdf") as dataset:
        require(dataset, ["basin", "time", "discharge"], path)
        known = list(dataset.basin.values.astype(str))
        absent = [basin for basin in ids if basin not in known]
        if absent:
            raise DataError(f"{path}: basin '{absent[0]}' of {ATTRIBUTES} is missing; add its series or drop its row")
        _within(pd.DatetimeIndex(dataset.time.values), time, path)
        dataset = dataset.isel(basin=[known.index(basin) for basin in ids]).sel(time=time)
        series = {}
        for name, array in dataset.data_vars.items():
            if set(array.dims) != {"basin", "time"}:
                raise DataError(f"{path}: variable '{name}' has dimensions {array.dims}, expected ('basin', 'time')")
            values = array.transpose("time", "basin").values
            series[name] = _converted(values, name, array.attrs.get("units"), area, f"{path}, variable '{name}'")
    check_range(series["discharge"], "discharge", path, low=0)
    return series


def _read_csv(folder, ids, time, area):
    if not (folder / SERIES).is_dir():
        raise DataError(f"{folder}: neither {DATASET} nor a folder {SERIES} was found; put the series into one of them")
    frames, names = [], None
    for position, basin in enumerate(ids):
        path = folder / SERIES / f"{basin}.csv"
        if not path.exists():
            raise DataError(f"{path}: the file is missing; basin '{basin}' is in {ATTRIBUTES}: add it or drop the row")
        frame = pd.read_csv(path)
        require(frame, ["time"], path)
        try:
            times = pd.DatetimeIndex(pd.to_datetime(frame.pop("time"), format="ISO8601"))
        except ValueError as error:
            raise DataError(f"{path}: variable 'time' is invalid ({error}); write days as 2001-12-31") from None
        _within(times, time, path)
        columns = {}
        for header in frame.columns:
            name, unit = _named(header)
            what = f"{path}, column '{header}'"
            try:
                values = frame[header].to_numpy(float)
            except ValueError as error:
                raise DataError(f"{what}: {error}; write numbers, and leave missing values empty") from None
            columns[name] = _converted(values, name, unit, area[position], what)
        require(columns, ["discharge"], path)
        check_range(columns["discharge"], "discharge", path, low=0)
        names = names or list(columns)
        if set(columns) != set(names):
            differing = sorted(set(columns) ^ set(names))[0]
            raise DataError(f"{path}: variable '{differing}' is not in all files; every file needs the same columns")
        frames.append(pd.DataFrame(columns, index=times).reindex(time))
    return {name: np.stack([frame[name].to_numpy() for frame in frames], axis=1) for name in names}
