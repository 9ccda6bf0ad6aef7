"""Series that a user hands over, numpy, pandas or xarray, in the units of a process and checked."""

import difflib
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Real

import numpy as np
import pandas as pd
import xarray as xr

from thalweg.basin.domain import DataError
from thalweg.basin.ranges import RANGES
from thalweg.library.dates import DAY, TIME, at, check_steps, common_index, dated, parsed
from thalweg.units import convert, parse_quantity, parse_unit

BRACKETS = re.compile(r"\s*(?P<name>.*?)\s*[\[(](?P<unit>[^\])]*)[\])]\s*$")


@dataclass(frozen=True)
class Series:
    """Forcing of one or several units.

    Attributes:
        values: name -> array (time, unit), float64, in the units of the process.
        time: pandas Index of the steps: dates, or whole numbers where none were given.
        units: labels of the units; None for one unit without a label.
        dimension: name of the dimension of units.
    """

    values: dict[str, np.ndarray]
    time: pd.Index
    units: np.ndarray | None
    dimension: str = "unit"

    @property
    def count(self):
        """Number of units."""
        return 1 if self.units is None else len(self.units)

    def between(self, first, last):
        """The steps at the positions ``first`` to ``last``, last excluded."""
        values = {name: series[first:last] for name, series in self.values.items()}
        return Series(values, self.time[first:last], self.units, self.dimension)

    def array(self, values, time=None):
        """An array (time, unit) as (dimensions, values) of a variable of this axis: without a label, only (time,)."""
        if self.units is None:
            return (TIME,), values[:, 0]
        return (TIME, self.dimension), values

    def coordinates(self):
        """Coordinates of a Dataset of this axis."""
        return {TIME: self.time.rename(TIME)} | ({} if self.units is None else {self.dimension: self.units})


def read_forcing(forcing, variables, seconds, process):
    """The forcing of a process.

    Args:
        forcing: Dataset with the dimension ``time`` and at most one more, ``units`` in the attributes of every variable; or
            DataFrame with a row for every step, the unit in brackets in the name of a column, ``precipitation [mm]``; or a
            mapping of names to arrays (time,) or (time, unit), or to pandas or xarray objects of the same dates. Values without a
            unit are taken in that of the process. Dates may be text; of dates with a time zone the local time is kept.
        variables: forcings of the process, each a :class:`~thalweg.processes.Variable`.
        seconds: the length of its step; None where it does not matter.
        process: its name, for messages.

    Returns:
        Series

    Raises:
        DataError: if a forcing is missing, has another shape, is not finite, or the time axis has a gap; the message names
            variable and date.
        UnitError: if a unit is unknown or of another dimension.
    """
    if isinstance(forcing, xr.Dataset):
        columns, time = _from_dataset(forcing, process), forcing.indexes.get(TIME)
    elif isinstance(forcing, pd.DataFrame):
        columns, time = _from_frame(forcing, process)
    elif isinstance(forcing, Mapping):
        columns = {name: (values, None) for name, values in forcing.items()}
        time = common_index({one.name: forcing[one.name] for one in variables if one.name in forcing}, process)
    else:
        raise DataError(
            f"{process}: forcing is a {type(forcing).__name__}; give an xarray Dataset, a pandas DataFrame, or a dictionary of "
            f"arrays with the names {', '.join(one.name for one in variables)}"
        )
    wanted = {}
    for one in variables:
        if one.name not in columns:
            raise DataError(_missing(one, columns, process))
        values, unit = columns[one.name]
        what = f"{process}: forcing {one.name!r}"
        if unit is None and isinstance(forcing, xr.Dataset):
            warnings.warn(f"{what} states no units; taken as {one.unit}", stacklevel=4)
        wanted[one.name] = in_unit(numbers(values, what), unit, one.unit, what)
    return _checked(wanted, time, _units(forcing, wanted), seconds, process)


def steps_of(length, seconds, what):
    """A number of steps, or a text such as ``"365 days"``, as whole steps; DataError if it is neither."""
    text = isinstance(length, str)
    given = parse_quantity(length, "day") * DAY / (seconds or DAY) if text else length
    if not isinstance(given, Real) or not np.isfinite(given):
        raise DataError(f"{what} is {length!r}; give a whole number of steps, or a duration such as '365 days'")
    length = round(given) if text else given
    steps = round(length)
    if steps < 0 or abs(steps - length) > 1e-6:
        raise DataError(f"{what} is {length:g} steps; give a whole number of steps, or a duration such as '365 days'")
    return steps


def _from_dataset(forcing, process):
    if TIME not in forcing.dims:
        raise DataError(
            f"{process}: the Dataset has the dimensions {', '.join(map(str, forcing.dims))}; rename that of time to {TIME!r}"
        )
    return {name: (one, one.attrs.get("units")) for name, one in forcing.data_vars.items()}


def _from_frame(forcing, process):
    columns = {}
    for column in forcing.columns:
        match = BRACKETS.match(str(column))
        name, unit = (match["name"], match["unit"]) if match else (str(column), None)
        if name in columns:
            raise DataError(f"{process}: the table has two columns {name!r}; keep one of them")
        columns[name] = (forcing[column].to_numpy(), unit)
    time = forcing.index
    for name in (TIME, "date"):
        if name in columns and not isinstance(time, pd.DatetimeIndex):
            time = parsed(columns[name][0], f"{process}: column {name!r}")
    return columns, time


def _units(forcing, values):
    """(labels, dimension) of the units."""
    several = max(one.ndim for one in values.values()) > 1
    if isinstance(forcing, xr.Dataset):
        others = {d for name in values for d in forcing[name].dims} - {TIME}
        if len(others) > 1:
            raise DataError(
                f"the forcing has the dimensions {', '.join(sorted(map(str, others)))} beside {TIME}; at most one is possible: "
                "select one of each other, or stack them"
            )
        if others:
            dimension = others.pop()
            labels = forcing.indexes.get(dimension, np.arange(forcing.sizes[dimension]))
            return np.asarray(labels), dimension
        return None, "unit"
    if not several:
        return None, "unit"
    return np.arange(max(one.shape[1] for one in values.values() if one.ndim > 1)), "unit"


def _missing(variable, columns, process):
    close = difflib.get_close_matches(variable.name, map(str, columns), n=1, cutoff=0.5)
    hint = f"; rename {close[0]!r}?" if close else ""
    return (
        f"{process}: forcing {variable.name!r} [{variable.unit}] is missing; the forcing has "
        f"{', '.join(map(str, columns)) or 'nothing'}{hint}"
    )


def numbers(values, what):
    """Values as an array (time,) or (time, unit)."""
    if isinstance(values, xr.DataArray) and TIME in values.dims:
        values = values.transpose(TIME, ...)
    try:
        array = np.array(values, dtype=float)
    except (ValueError, TypeError) as error:
        raise DataError(f"{what} is not made of numbers ({error})") from error
    if array.ndim not in (1, 2):
        raise DataError(f"{what} has shape {array.shape}; expected (time,) or (time, unit)")
    return array


def in_unit(values, unit, to, what):
    """Values in another unit; a depth without a time is the total of a step."""
    if unit is None or unit == to:
        return values
    per_step = to.startswith("mm/") and parse_unit(unit).is_compatible_with(parse_unit("mm"))
    return np.asarray(convert(values, unit, "mm" if per_step else to, what))


def _checked(values, time, units, seconds, process):
    labels, dimension = units
    steps = {len(one) for one in values.values()}
    if len(steps) > 1 or not max(steps):
        lengths = ", ".join(f"{name} {len(one)}" for name, one in values.items())
        raise DataError(f"{process}: the forcings differ in length or are empty ({lengths} steps)")
    (count,) = steps
    time = pd.RangeIndex(count) if time is None or len(time) != count else dated(time, f"{process}: the index of time")
    full = {}
    for name, one in values.items():
        one = one[:, None] if one.ndim == 1 else one
        if one.shape[1] not in (1, 1 if labels is None else len(labels)):
            raise DataError(
                f"{process}: forcing {name!r} has {one.shape[1]} units, another one {len(labels)}; give all the same units"
            )
        full[name] = np.array(np.broadcast_to(one, (count, 1 if labels is None else len(labels))))
        wrong = ~np.isfinite(full[name])
        if wrong.any():
            first, unit = np.argwhere(wrong)[0]
            where = "" if labels is None else f" of {dimension} {labels[unit]}"
            raise DataError(
                f"{process}: forcing {name!r}{where} is {full[name][first, unit]:g} {at(time, first)} "
                f"({wrong.sum()} such values); fill the gaps first, a process needs its forcing at every step"
            )
        _check_range(name, full[name], time, process)
    check_steps(time, seconds, process)
    return Series(full, time, labels, dimension)


def _check_range(name, values, time, process):
    """Known forcings have possible values: a fill value, or another unit than stated, has not."""
    limits = RANGES.get(name)
    if limits is None:
        return
    wrong = (values < limits.low) | (values > limits.high)
    if wrong.any():
        first = int(np.argwhere(wrong)[0][0])
        raise DataError(
            f"{process}: forcing {name!r} is {values[wrong][0]:g} {at(time, first)} ({wrong.sum()} such values); possible are "
            f"{limits.low:g} to {limits.high:g} {limits.unit}: correct its unit, or fill in what is a mark of missing values"
        )
