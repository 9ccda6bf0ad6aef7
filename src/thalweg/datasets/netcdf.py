"""Reading netCDF files that people write: every error names file, variable and remedy."""

import numpy as np
import pandas as pd
import xarray as xr

from thalweg.basin.domain import DataError, require
from thalweg.datasets.times import daily

CALENDARS = ("standard", "gregorian", "proleptic_gregorian")


def open_series(path):
    """The daily series of a netCDF file.

    Returns:
        Dataset (basin, time): in memory, ids as texts, times as days.

    Raises:
        DataError: if the file cannot be read, its calendar is not the standard one, an id or a day is there twice, or a
            variable has other dimensions or is no number.
    """
    try:
        with xr.open_dataset(path, engine="h5netcdf", decode_times=False) as file:
            dataset = file.load()
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError) as error:
        raise DataError(
            f"{path}: cannot be read as netCDF-4 ({str(error).splitlines()[0]}); convert it, for example with nccopy -k nc4"
        ) from None
    require(dataset, ["basin", "time"], path)
    for name in ("basin", "time"):
        if dataset[name].dims != (name,):
            raise DataError(f"{path}: variable '{name}' has dimensions {dataset[name].dims}, expected ('{name}',)")
    days = _days(dataset.time, path)
    ids = _ids(dataset.basin.values)
    twice = pd.Index(ids)[pd.Index(ids).duplicated()]
    if len(twice):
        raise DataError(f"{path}: basin '{twice[0]}' is there twice; keep one")
    for name, array in dataset.data_vars.items():
        if set(array.dims) != {"basin", "time"}:
            raise DataError(
                f"{path}: variable '{name}' has dimensions {array.dims}, expected ('basin', 'time'); omit it or change it"
            )
        if array.dtype.kind not in "fiu":
            raise DataError(f"{path}: variable '{name}' is of type {array.dtype}; write numbers, NaN where missing")
        if "units" in array.attrs:
            array.attrs["units"] = str(array.attrs["units"])
    return dataset.assign_coords(basin=np.asarray(ids, str), time=days)


def _ids(values):
    texts = [one.decode("utf-8", "replace") if isinstance(one, bytes) else str(one) for one in values]
    return [text.strip("\0 ") for text in texts]


def _days(time, path):
    """Days of a coordinate of numbers with a unit such as "days since 2001-01-01"."""
    calendar = str(time.attrs.get("calendar", "standard")).lower()
    if calendar not in CALENDARS:
        raise DataError(
            f"{path}: variable 'time' has the calendar {calendar}; convert it to the standard one (xarray: "
            "convert_calendar('standard', align_on='date')), and fill the days that are missing then"
        )
    if " since " not in str(time.attrs.get("units")) or time.dtype.kind not in "fiu":
        raise DataError(
            f"{path}: variable 'time' has the unit '{time.attrs.get('units')}' and the type {time.dtype}; write numbers of "
            "'days since 2001-01-01'"
        )
    try:
        times = pd.DatetimeIndex(xr.decode_cf(time.to_dataset(name="time_")).time.values)
    except Exception as error:  # xarray raises errors of many types
        raise DataError(
            f"{path}: variable 'time' with the unit '{time.attrs.get('units')}' is invalid "
            f"({str(error).splitlines()[0]}); write 'days since 2001-01-01'"
        ) from None
    if times.isna().any():
        raise DataError(f"{path}: variable 'time' has no value at position {times.isna().argmax()}; fill it")
    if times.empty:
        raise DataError(f"{path}: variable 'time' is empty; write the series")
    clock = times - times.normalize()
    return daily(
        pd.DataFrame(
            {"day": times.normalize(), "hour": clock / pd.Timedelta(hours=1), "universal": False},
            index=[f"position {i}" for i in range(len(times))],
        ),
        path,
    )
