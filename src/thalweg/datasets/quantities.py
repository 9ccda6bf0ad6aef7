"""Columns and attributes of users' tables as numbers in a known unit, checked to be possible."""

import numpy as np
import xarray as xr

from thalweg.basin.domain import DataError
from thalweg.basin.ranges import LEAVE_EMPTY, check_possible
from thalweg.datasets.tables import header_of, read_numbers, read_table
from thalweg.units import UnitError, convert, depth_per_day, parse_unit, spelled


def converted(values, name, unit, to, what):
    """Values in the unit ``to``; a depth of water without a time is the total of the day.

    Raises:
        UnitError: the message begins with ``what``, which names file and column.
    """
    if to == "mm/day":
        return depth_per_day(values, unit, what)
    return convert(values, unit, to, what)


def read_quantity(column, path, units, limits=False, mend=LEAVE_EMPTY):
    """A column with a unit in its header.

    Args:
        column: Series of str by line; its name is the header.
        path: file, for messages.
        units: name -> unit here; others keep theirs.
        limits: whether "<0.1" is allowed.
        mend: what to do where a value is missing, for messages.

    Returns:
        (name, unit here, values, censored): values and censored are arrays by row.

    Raises:
        DataError, UnitError: the message names file, line, column, the first wrong value and the remedy.
    """
    name, unit = header_of(column.name)
    label = f"column '{column.name}'"
    if unit is None:
        raise DataError(f"{path}: {label} has no unit; write '{name} [{units.get(name, 'unit')}]'")
    try:
        parse_unit(unit)
    except UnitError as error:
        raise UnitError(f"{path}, {label}: {error}") from error
    raw, below = read_numbers(column, path, limits=limits)
    to = units.get(name, spelled(unit))
    values = converted(raw, name, unit, to, f"{path}, {label}")
    check_possible(
        raw,
        unit,
        name,
        path,
        label,
        lambda here: f"line {column.index[here[0]]}",
        converted=values if name in units else None,
        mend=f"{mend}, or write '<' and the detection limit" if limits else mend,
    )
    return name, to, values, below


def read_attributes(path, identifier, units):
    """A table with a row per catchment or site.

    Args:
        path: the file.
        identifier: name of the column of ids.
        units: name -> unit here of known attributes.

    Returns:
        (DataFrame, Dataset): the table as texts; the columns with a unit (unit,), converted, and the others as labels.

    Raises:
        DataError, UnitError: if an id is there twice, or a number is missing or impossible.
    """
    raw = read_table(path, [identifier])
    twice = raw[identifier].duplicated()
    if twice.any():
        line = raw.index[twice][0]
        raise DataError(
            f"{path}, line {line}: {identifier} '{raw[identifier][line]}' appears more than once; keep one row"
        )
    dataset = xr.Dataset(coords={"unit": raw[identifier].to_numpy(dtype=str)})
    for column in raw.columns.drop(identifier):
        if header_of(column)[1] is None:
            dataset[column] = ("unit", raw[column].to_numpy(dtype=str), {"role": "label"})
            continue
        name, unit, values, _ = read_quantity(raw[column], path, units, mend="omit the row or the column")
        if np.isnan(values).any():
            line = raw.index[np.isnan(values)][0]
            raise DataError(
                f"{path}, line {line}: column '{column}' is empty; every {identifier} needs every attribute: write the "
                "value, or omit the row or the column"
            )
        dataset[name] = ("unit", values, {"units": unit, "long_name": name.replace("_", " ")})
    return raw, dataset
