"""The time axis of series that a user hands over: dates, or numbers of steps, that follow each other without a gap."""

import numpy as np
import pandas as pd
import xarray as xr

from thalweg.basin.domain import DataError

TIME = "time"
DAY = 86400.0  # seconds


def index_of(values, what):
    """The index of time of a series, as :func:`dated`; None for an array, and for a pandas object that only counts its rows."""
    index = None
    if isinstance(values, pd.Series | pd.DataFrame):
        index = values.index
    elif isinstance(values, xr.DataArray):
        index = values.indexes.get(TIME)
    return None if index is None or isinstance(index, pd.RangeIndex) else dated(index, what)


def common_index(series, process):
    """The index of time of a mapping of series; those that have one must have the same, since values are taken in their order."""
    first = time = None
    for name, values in series.items():
        index = index_of(values, f"{process}: the index of forcing {name!r}")
        if index is None:
            continue
        if time is None:
            first, time = name, index
        elif not time.equals(index):
            common = min(len(time), len(index))
            differ = np.flatnonzero(np.asarray(time[:common] != index[:common]))
            position = int(differ[0]) if len(differ) else common
            here, there = (at(one, position) if position < len(one) else "missing" for one in (time, index))
            raise DataError(
                f"{process}: forcings {first!r} and {name!r} have different dates: value {position + 1} is {here} in the one and {there} in the other; "
                "give series of the same dates, such as the columns of one table"
            )
    return time


def dated(index, what):
    """An index of time without a time zone, with dates for text and periods; numbers count steps and stay as they are."""
    if isinstance(index, pd.PeriodIndex):
        index = index.to_timestamp()
    if not isinstance(index, pd.DatetimeIndex | xr.CFTimeIndex) and not pd.api.types.is_numeric_dtype(index.dtype):
        index = parsed(index, what)
    if isinstance(index, pd.DatetimeIndex) and index.tz is not None:
        index = index.tz_localize(None)
    if index.hasnans:
        raise DataError(f"{what} has no date at step {int(np.argmax(index.isna()))}; give every step its date")
    return index


def parsed(values, what):
    """Values as dates."""
    if pd.api.types.is_numeric_dtype(values):
        raise DataError(f"{what} is not made of dates but of numbers; write them such as 2001-01-31")
    try:
        return pd.DatetimeIndex(pd.to_datetime(values))
    except (ValueError, TypeError) as error:
        raise DataError(f"{what} is not made of dates ({error}); write them such as 2001-01-31") from error


def check_steps(time, seconds, process):
    """Steps follow each other without a gap, and are of the length for which the process is written."""
    if seconds is None or pd.api.types.is_numeric_dtype(time.dtype) or len(time) < 2:
        return
    lengths = pd.to_timedelta(np.diff(time.to_numpy())).total_seconds().to_numpy()
    wrong = np.abs(lengths - seconds) > 1
    if wrong.any():
        first = int(np.flatnonzero(wrong)[0])
        if wrong.all():
            raise DataError(
                f"{process}: the forcing has a step of {_duration(np.median(lengths))}, the process one of {_duration(seconds)}; "
                "resample the forcing, or choose another time step of the process where it has that option"
            )
        raise DataError(
            f"{process}: {at(time, first)} and {at(time, first + 1)} are neighbours in the forcing; steps of {_duration(seconds)} must follow each "
            "other without a gap and without repeating"
        )


def _duration(seconds):
    for unit, length in (("days", DAY), ("hours", 3600), ("minutes", 60)):
        if abs(seconds) >= length:
            return f"{seconds / length:g} {unit if seconds != length else unit[:-1]}"
    return f"{seconds:g} seconds"


def at(time, position):
    """Where in time, for a message."""
    stamp = time[position]
    if pd.api.types.is_numeric_dtype(time.dtype):
        return f"at step {stamp}"
    return f"on {str(stamp).removesuffix(' 00:00:00')}"
