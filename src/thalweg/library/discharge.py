"""Observed discharge of one catchment, numpy, pandas or xarray, as a depth over the catchment."""

import numpy as np
import pandas as pd

from thalweg.basin.domain import MILLIMETRES_PER_DAY, DataError
from thalweg.basin.ranges import DISCHARGE_DEPTH, check_possible
from thalweg.library.dates import DAY, at, index_of
from thalweg.library.series import BRACKETS, in_unit, numbers
from thalweg.units import convert, parse_quantity, parse_unit

MISSING = "NaN marks a missing value"


def read_discharge(discharge, series, unit, seconds, area, stated=None):
    """Observed discharge of one catchment as a depth per step, on the days of its forcing.

    Args:
        discharge: DataArray, pandas Series or array (time,); NaN where there is no observation.
        series: the :class:`Series` of the forcing.
        unit: of the runoff of the process, such as mm/day.
        seconds: the length of a step.
        area: of the catchment, km2 or a text such as ``"127 km2"``; needed only for discharge as a volume per time.
        stated: the unit of the discharge, where neither its attributes nor its name state one; if None, ``unit``.

    Returns:
        array (time,)

    Raises:
        DataError: for discharge that is infinite, negative, above 2000 mm/day or a code of missing values, another length, no
            common days, or no area where one is needed; the message names date and value.
        UnitError: for a unit of another dimension.
    """
    name, attribute = getattr(discharge, "name", None), getattr(discharge, "attrs", {}).get("units")
    match = BRACKETS.match(str(name))
    stated = attribute or (match and match["unit"]) or stated or unit
    values = np.squeeze(numbers(discharge, "discharge"))
    if values.ndim > 1:
        raise DataError(
            f"discharge has shape {values.shape}; give that of one catchment, an array (time,) or one column"
        )
    index = index_of(discharge, "the index of discharge")
    if index is not None and type(index) is type(series.time):
        if not index.is_unique:
            raise DataError(
                f"discharge has two values {at(index, int(np.argmax(index.duplicated())))}; keep one of them"
            )
        values = pd.Series(values, index).reindex(series.time).to_numpy()
    if values.shape != (len(series.time),):
        raise DataError(
            f"discharge has shape {values.shape}, the forcing {len(series.time)} steps; give one value for each step, NaN where "
            "there is no observation, or a series with dates"
        )
    given = values
    if parse_unit(stated).is_compatible_with(parse_unit("m3/s")):
        if area is None:
            raise DataError(
                f"discharge is in {stated}: it becomes a depth over the catchment, so pass its area, such as area='127 km2'"
            )
        try:
            area = parse_quantity(area, "km2") if isinstance(area, str) else float(area)
        except TypeError as error:
            raise DataError(f"the area of the catchment is {area!r}; give a number of km2") from error
        if not area > 0:
            raise DataError(f"the area of the catchment is {area:g} km2; it must be above 0")
        values = convert(values, stated, "m3/s", "discharge") * MILLIMETRES_PER_DAY / area * seconds / DAY
    else:
        values = in_unit(values, stated, unit, "discharge")
    negative = values < 0
    if negative.any():
        first = int(np.flatnonzero(negative)[0])
        raise DataError(f"discharge is negative, {given[first]:g} {stated}, {at(series.time, first)}; {MISSING}")
    depth = DISCHARGE_DEPTH.unit
    limited = parse_unit(unit).is_compatible_with(parse_unit(depth))
    check_possible(
        given, stated, "runoff", "discharge of the catchment", "it", lambda here: at(series.time, here[0]),
        converted=convert(values, unit, depth, "discharge") if limited else np.zeros(len(values)), mend=MISSING,
    )  # fmt: skip
    if np.isnan(values).all():
        raise DataError("discharge has no value on the days of the forcing; check its dates")
    return values
