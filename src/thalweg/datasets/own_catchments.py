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
from thalweg.schema import Period, Settings, quantity
from thalweg.units import UnitError

ATTRIBUTES = "attributes.csv"
DATASET = "timeseries.nc"
SERIES = "timeseries"
REQUIRED = {"area": "km2", "latitude": "degree", "longitude": "degree"}
LONGEST_ID = 200  # bytes, for the name of a file
DaysOrNone = quantity("days", 0)
EXTREMES = ("minimum_temperature", "maximum_temperature")


class OwnCatchmentsSettings(Settings):
    """Catchments of your own, from plain files with units (docs/guides/own_data.md)."""

    kind: Literal["own_catchments"] = "own_catchments"
    folder: str = Field(description="folder of attributes.csv and the series")
    period: Period | None = Field(None, description="first and last day used; null for all that every series covers")
    potential_evapotranspiration: Literal["given"] | Temperatures = Field(
        "given", description="method; given is that of the series; hargreaves needs daily temperature extremes"
    )
    minimum_days: DaysOrNone = Field(
        "730 days", validate_default=True, description=f"{MINIMUM_DAYS}; 0 days keeps those without discharge"
    )


SETTINGS = OwnCatchmentsSettings


def build(folder, period=None, potential_evapotranspiration="given", minimum_days=730):
    """Read user catchments.

    Args:
        folder: where ``attributes.csv`` and the series are.
        period: first and last day; None for all that every series covers.
        potential_evapotranspiration: "given" for the one in the series, or a method of
            :mod:`thalweg.forcing.evapotranspiration`.
        minimum_days: days of discharge that a catchment needs within the period to be kept; with 0 discharge may be missing.

    Returns:
        (Domain, DataFrame): the domain, which has no observations if there is no discharge, and the table of all catchments with their water balance and flags.

    Raises:
        DataError, UnitError: the message names file, variable, value and remedy.
    """
    folder = Path(folder)
    table, attributes = _attributes(folder / ATTRIBUTES)
    area = attributes.area.values
    ids = list(table.index)
    read = _read_netcdf if (folder / DATASET).exists() else _read_csv
    time, series = read(folder, ids, period, area, needed=["discharge"] if minimum_days else [])
    discharge = series.pop("discharge", np.full((len(time), len(ids)), np.nan)).T

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
    inside, flags = relatives(ids, *places, discharge) if np.isfinite(discharge).any() else (None, {})
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


def _within(times, period, path):
    """The days of a period, which a series must cover; without a period those of the series."""
    check_dates(times, path)
    if period is None:
        return times.rename("time")
    time = pd.date_range(*period, name="time")
    if times[0] > time[0] or times[-1] < time[-1]:
        raise DataError(
            f"{path}: series cover {times[0].date()} to {times[-1].date()}, but the period is {time[0].date()} to "
            f"{time[-1].date()}; shorten the period, or extend the series (discharge may have gaps, forcing may not)"
        )
    return time


def _read_netcdf(folder, ids, period, area, needed):
    path = folder / DATASET
    dataset = open_series(path)
    require(dataset, needed, path)
    known = list(dataset.basin.values)
    absent = [basin for basin in ids if basin not in known]
    if absent:
        raise DataError(
            f"{path}: basin '{absent[0]}' of {ATTRIBUTES} is missing; available: {', '.join(known[:10])}: add its series "
            "or drop its row"
        )
    time = _within(pd.DatetimeIndex(dataset.time.values), period, path)
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
    return time, series


def _read_csv(folder, ids, period, area, needed):
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
        _within(times, period, path)
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
        require(columns, needed, path)
        columns.setdefault("discharge", np.full(len(times), np.nan))
        names = names or list(columns)
        if set(columns) != set(names):
            differing = sorted(set(columns) ^ set(names))[0]
            raise DataError(f"{path}: variable '{differing}' is not in all files; every file needs the same columns")
        frames.append(pd.DataFrame(columns, index=times))
    time = _common(frames, ids, folder) if period is None else pd.date_range(*period, name="time")
    frames = [frame.reindex(time) for frame in frames]
    return time, {name: np.stack([frame[name].to_numpy() for frame in frames], axis=1) for name in names}


def _common(frames, ids, folder):
    """The days that all series cover."""
    firsts, lasts = [frame.index[0] for frame in frames], [frame.index[-1] for frame in frames]
    if max(firsts) > min(lasts):
        late, early = ids[int(np.argmax(firsts))], ids[int(np.argmin(lasts))]
        raise DataError(
            f"{folder / SERIES}: no day is in all series: that of '{early}' ends on {min(lasts).date()}, and that of '{late}' "
            f"begins on {max(firsts).date()}; drop one of them, or extend its series"
        )
    return pd.date_range(max(firsts), min(lasts), name="time")
