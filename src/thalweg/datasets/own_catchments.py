"""User catchments: series and attributes in plain files with units; docs/guides/own_data.md shows them.

``attributes.csv``
    one row per catchment, ``basin`` first; ``area [km2]``, ``latitude [degree]``, ``longitude [degree]`` and any other number
    with its unit in brackets; columns without brackets are text, of which ``name`` and ``region`` are kept, and
    ``downstream``, the next gauge downstream, says which catchments lie in which.
``timeseries.nc`` or ``timeseries/<basin>.csv``
    daily series: variables (basin, time) with the attribute ``units``, or columns with the unit in brackets next to ``time``.
"""

from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import xarray as xr
from pydantic import Field

from thalweg.basin.domain import MILLIMETRES_PER_DAY, DataError, check_dates, require
from thalweg.basin.ranges import LEAVE_EMPTY, RANGES, check_possible
from thalweg.datasets.lumped import (
    FORCING,
    MINIMUM_DAYS,
    Temperatures,
    add_potential_evapotranspiration,
    assemble,
    forcing_dataset,
    ordered_extremes,
    volume_per_second,
)
from thalweg.datasets.netcdf import open_series
from thalweg.datasets.quantities import converted, read_attributes
from thalweg.datasets.relatives import relatives, stated
from thalweg.datasets.tables import header_of, read_numbers, read_table
from thalweg.datasets.times import daily, read_times
from thalweg.schema import Days, Period, Settings
from thalweg.units import UnitError

ATTRIBUTES = "attributes.csv"
DATASET = "timeseries.nc"
SERIES = "timeseries"
REQUIRED = {"area": "km2", "latitude": "degree", "longitude": "degree"}
LONGEST_ID = 200  # bytes, for the name of a file
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
    table, attributes = _attributes(folder / ATTRIBUTES)
    area = attributes.area.values
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
    places = (attributes[one].values for one in ("latitude", "longitude", "area"))
    inside, flags = relatives(ids, *places, discharge)
    if "downstream" in table:
        inside = stated(ids, table.downstream.to_numpy(str), folder / ATTRIBUTES)
        flags = {text: where for text, where in flags.items() if text.startswith("same")}
    meanings = {"potential_evapotranspiration": f"potential evapotranspiration, {how}"}
    return assemble(
        folder.name,
        forcing_dataset(time, ids, series, folder, meanings),
        attributes,
        discharge,
        summary,
        minimum_days,
        {"minimum temperature above maximum on some days": exchanged > 0, **flags},
        inside=inside,
    )


def _attributes(path):
    """The attribute table: (DataFrame of texts by basin, Dataset (unit,) of the numbers)."""
    raw, dataset = read_attributes(path, "basin", REQUIRED)
    for name, unit in REQUIRED.items():
        if dataset.get(name, xr.DataArray()).attrs.get("units") is None:
            raise DataError(f"{path}: column '{name} [{unit}]' is missing; available: {', '.join(raw.columns)}")
    labels = [name for name, values in dataset.data_vars.items() if values.attrs.get("role") == "label"]
    return raw.set_index("basin"), dataset.drop_vars(labels)


def _converted(values, name, unit, area, path, label, where, mend=LEAVE_EMPTY):
    """A series in the unit of the study, all of whose values are possible.

    Args:
        values: as in the file, the catchments on the last axis, or of one catchment.
        name, unit: of the variable.
        area: km2.
        path, label, where, mend: file, column or variable, a function from a position to its place, and what to write for
            a missing value, for messages.

    Raises:
        DataError: if the name is not one used by the study, or a value is impossible.
        UnitError: if the unit is missing or of another dimension.
    """
    what = f"{path}, {label}"
    if name != "discharge" and name not in FORCING:
        raise DataError(f"{what}: unknown name; use one of discharge, {', '.join(FORCING)}, or omit it")
    to = RANGES[name].unit
    if unit is None:
        raise UnitError(f"{what}: has no unit; write for example '{name} [{to}]'")
    if name != "discharge":
        inside = converted(values, name, unit, to, what)
        check_possible(values, unit, name, path, label, where, inside, mend)
        return inside
    inside = volume_per_second(values, unit, area, what)
    check_possible(values, unit, name, path, label, where, inside, mend)
    depth = inside * MILLIMETRES_PER_DAY / area
    check_possible(values, unit, "runoff", path, f"{label}, as a depth over the catchment,", where, depth, mend)
    return inside


def _within(times, time, path):
    check_dates(times, path)
    if times[0] > time[0] or times[-1] < time[-1]:
        raise DataError(
            f"{path}: series cover {times[0].date()} to {times[-1].date()}, but the period is {time[0].date()} to "
            f"{time[-1].date()}; shorten the period, or extend the series (discharge may have gaps, forcing may not)"
        )


def _read_netcdf(folder, ids, time, area):
    path = folder / DATASET
    dataset = open_series(path)
    require(dataset, ["discharge"], path)
    known = list(dataset.basin.values)
    absent = [basin for basin in ids if basin not in known]
    if absent:
        raise DataError(
            f"{path}: basin '{absent[0]}' of {ATTRIBUTES} is missing; available: {', '.join(known[:10])}: add its series "
            "or drop its row"
        )
    _within(pd.DatetimeIndex(dataset.time.values), time, path)
    dataset = dataset.isel(basin=[known.index(basin) for basin in ids]).sel(time=time)
    series = {}
    for name, array in dataset.data_vars.items():
        label, values = f"variable '{name}'", array.transpose("time", "basin").values
        series[name] = _converted(
            values,
            name,
            array.attrs.get("units"),
            area,
            path,
            label,
            lambda here: f"basin '{ids[here[1]]}', {time[here[0]].date()}",
            "write NaN, or state it as _FillValue",
        )
    return series


def _read_csv(folder, ids, time, area):
    if not (folder / SERIES).is_dir():
        raise DataError(f"{folder}: neither {DATASET} nor a folder {SERIES} was found; put the series into one of them")
    frames, names = [], None
    for position, basin in enumerate(ids):
        if Path(basin).name != basin or len(basin.encode()) > LONGEST_ID:
            raise DataError(
                f"{folder / ATTRIBUTES}: basin '{basin}' cannot be the name of a file; use letters and digits"
            )
        path = folder / SERIES / f"{basin}.csv"
        if not path.exists():
            raise DataError(f"{path}: the file is missing; basin '{basin}' is in {ATTRIBUTES}: add it or drop the row")
        frame = read_table(path, ["time"])
        times = daily(read_times(frame.time, path), path)
        _within(times, time, path)
        columns = {}
        for header in frame.columns.drop("time"):
            name, unit = header_of(header)
            values, _ = read_numbers(frame[header], path)
            columns[name] = _converted(
                values,
                name,
                unit,
                area[position],
                path,
                f"column '{header}'",
                lambda here, lines=frame.index: f"line {lines[here[0]]}",
            )
        require(columns, ["discharge"], path)
        names = names or list(columns)
        if set(columns) != set(names):
            differing = sorted(set(columns) ^ set(names))[0]
            raise DataError(f"{path}: variable '{differing}' is not in all files; every file needs the same columns")
        frames.append(pd.DataFrame(columns, index=times).reindex(time))
    return {name: np.stack([frame[name].to_numpy() for frame in frames], axis=1) for name in names}
