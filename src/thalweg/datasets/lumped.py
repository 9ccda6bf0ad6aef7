"""Lumped catchments: each is one unit, one reach and one gauge.

The readers of large-sample datasets supply series and attributes as arrays in the units of ``UNITS``; :func:`assemble` builds
the domain and the table that lists, for every catchment, its properties, doubtful values and reason for exclusion.
"""

from typing import Literal

import numpy as np
import pandas as pd
import xarray as xr

from thalweg.basin.domain import MILLIMETRES_PER_DAY, DataError, Domain, check_range
from thalweg.basin.ranges import RANGES
from thalweg.forcing import evapotranspiration
from thalweg.units import UnitError, convert, depth_per_day, parse_unit

# Forcing that catchments can have: name -> meaning; units and limits are those of :data:`thalweg.basin.ranges.RANGES`.
FORCING = {
    "precipitation": "precipitation",
    "temperature": "mean air temperature",
    "minimum_temperature": "minimum air temperature",
    "maximum_temperature": "maximum air temperature",
    "potential_evapotranspiration": "potential evapotranspiration",
    "shortwave_radiation": "solar radiation at the ground, mean of the day",
    "net_shortwave_radiation": "solar radiation minus reflected radiation, mean of the day",
    "vapour_pressure": "vapour pressure",
    "day_length": "time between sunrise and sunset",
}
PLAUSIBLE_MEAN = (0.3, 8.0)  # mm/day: mean potential evapotranspiration over years
LEAST_RUNOFF = 0.001  # of precipitation; with less, most often the area has another unit

Temperatures = Literal["hargreaves", "oudin", "hamon"]  # methods that need only temperature
MINIMUM_DAYS = "observed discharge that a catchment needs within the period"


def volume_per_second(values, unit, area, what):
    """Discharge in m3/s, from a flow or from a depth (per day) over the catchment.

    Args:
        values: discharge in ``unit``, the catchments on the last axis.
        unit: of flow, depth or depth per time.
        area: of the catchments, km2.
        what: file and variable, for messages.

    Raises:
        UnitError: if ``unit`` is none of these.
    """
    try:
        flow = parse_unit(unit).is_compatible_with(parse_unit("m3/s"))
    except UnitError as error:
        raise UnitError(f"{what}: {error}") from error
    if flow:
        return convert(values, unit, "m3/s", what)
    return depth_per_day(values, unit, what) * np.asarray(area) / MILLIMETRES_PER_DAY


def ordered_extremes(minimum, maximum):
    """Minimum and maximum temperature, exchanged where the minimum exceeds the maximum.

    Returns:
        (minimum, maximum, days): arrays (time, catchment), and the days exchanged (catchment,).
    """
    exchanged = (minimum > maximum).sum(0)
    return np.minimum(minimum, maximum), np.maximum(minimum, maximum), exchanged


def add_potential_evapotranspiration(forcing, method, time, latitude, source):
    """Compute potential evapotranspiration by a method of :mod:`thalweg.forcing.evapotranspiration` into ``forcing``.

    Args:
        forcing: variable name -> array (time, catchment), in the units of ``FORCING``.
        method: its name.
        time, latitude: dates (time,) and degrees north (catchment,).
        source: file or folder, for messages.

    Raises:
        DataError: if temperature or the extremes that the method needs are missing.
    """
    if "temperature" not in forcing:
        raise DataError(f"{source}: method {method!r} needs temperature, which is missing; add the series")
    extremes = (forcing.get(name) for name in ("minimum_temperature", "maximum_temperature"))
    forcing["potential_evapotranspiration"] = evapotranspiration.potential_evapotranspiration(
        method, time, latitude, forcing["temperature"], *extremes, source=source
    )


def forcing_dataset(time, ids, values, source, meanings=None):
    """Forcing as a Dataset (time, unit) in single precision, checked for impossible values.

    Args:
        time: dates (time,).
        ids: of the catchments.
        values: name in ``FORCING`` -> array (time, catchment); NaN passes.
        source: file or folder, for messages.
        meanings: name -> long name, instead of the one in ``FORCING``.

    Raises:
        DataError: the message names source, variable and the first value out of range.
    """
    variables = {}
    for name, array in values.items():
        limits = RANGES[name]
        check_range(array, name, source, limits.low, limits.high)
        attrs = {"units": limits.unit, "long_name": (meanings or {}).get(name, FORCING[name])}
        variables[name] = (("time", "unit"), np.ascontiguousarray(array, np.float32), attrs)
    return xr.Dataset(variables, coords={"time": pd.DatetimeIndex(time, name="time"), "unit": np.asarray(ids, str)})


def attribute_dataset(table, columns, source):
    """Attributes as a Dataset (unit,), converted and checked to be complete.

    Args:
        table: DataFrame of the catchments by id.
        columns: name -> (column of the table, its unit, unit here, meaning).
        source: file or folder, for messages.

    Raises:
        DataError, UnitError: the message names the first missing column or catchment without a value.
    """
    attributes = xr.Dataset(coords={"unit": table.index.to_numpy(dtype=str)})
    for name, (column, stated, unit, meaning) in columns.items():
        if column not in table:
            raise DataError(
                f"{source}: attribute '{column}' is missing; available: {', '.join(map(str, table.columns))}"
            )
        numbers = pd.to_numeric(table[column], errors="coerce")
        if numbers.isna().any():
            gap = table.index[numbers.isna()][0]
            raise DataError(
                f"{source}: attribute '{column}' of catchment '{gap}' is '{table[column][gap]}', and of "
                f"{int(numbers.isna().sum()) - 1} more; it must be a number: omit the attribute or the catchments"
            )
        values = convert(numbers.to_numpy(), stated, unit, what=f"{source}, attribute '{column}'")
        attributes[name] = ("unit", values, {"units": unit, "long_name": meaning})
    return attributes


def assemble(
    name, forcing, attributes, discharge, table, minimum_days, flags=(), left_out=None, comment="", inside=None
):
    """The domain of lumped catchments and the table of all of them.

    Args:
        name: of the domain.
        forcing: Dataset (time, unit).
        attributes: Dataset (unit) with area, latitude and longitude.
        discharge: m3/s, array (unit, time).
        table: DataFrame by id with name, latitude, longitude and drainage_area_km2, and any other columns;
            ``region``, if present, is passed to the places.
        minimum_days: days of discharge that a catchment needs to be kept.
        flags: dict, doubtful property -> where, bool (unit,).
        left_out: reasons (unit,), "" if none.
        comment: treatment of discharge.
        inside: ids of the catchments that each seems to lie in, one a line (unit,); None if not looked for.

    Returns:
        (Domain, DataFrame): the catchments kept; and every catchment with its water balance, flags and reason.

    Raises:
        DataError: if no catchment can be kept or a value is impossible.
    """
    time = forcing.time
    days = np.isfinite(discharge).sum(1)
    reason = _reasons(forcing, days, minimum_days, left_out)
    kept = reason == "kept"
    table = table.rename_axis("place").reset_index()
    table["days_with_discharge"] = days
    balance = _water_balance(forcing, discharge, table.drainage_area_km2.to_numpy())
    table = pd.concat([table, balance], axis=1)
    table["flag"] = _joined({**dict(flags), **_doubts(balance)}, len(table))
    table["kept"], table["reason"] = kept, reason
    if not kept.any():
        raise DataError(
            f"{name}: none of {len(table)} catchments can be kept; the first, '{table.place[0]}', was left out: {reason[0]}"
        )
    if not kept.all():
        forcing, attributes, discharge = forcing.isel(unit=kept), attributes.isel(unit=kept), discharge[kept]
    rows = table[kept]
    ids = rows.place.to_numpy(dtype=str)
    network = xr.Dataset(
        {"downstream": ("reach", np.full(len(ids), "")), "unit_reach": ("unit", ids)},
        coords={"reach": ids, "unit": ids},
    )
    texts = {label: rows[label].to_numpy(dtype=str) for label in ("name", "region") if label in rows}
    if inside is not None:
        texts["inside"] = np.asarray(inside, dtype=str)[kept]
    places = xr.Dataset(
        {
            **{label: ("place", values) for label, values in texts.items()},
            "reach": ("place", ids),
            **{
                place: ("place", rows[place].to_numpy(float), {"units": "degree"})
                for place in ("latitude", "longitude")
            },
            "drainage_area": (
                "place",
                rows.drainage_area_km2.to_numpy(float),
                {"units": "km2", "long_name": "area that discharge is related to"},
            ),
        },
        coords={"place": ids},
    )
    attrs = {"units": "m3/s", "long_name": "observed discharge", "comment": comment}
    observed = xr.Dataset(coords={"time": time, "place": ids})
    if np.isfinite(discharge).any():
        observed["discharge"] = (("time", "place"), np.ascontiguousarray(discharge.T, np.float32), attrs)
    return Domain(name, forcing, attributes, network, places, observed), table


def _reasons(forcing, days, minimum_days, left_out):
    """Why each catchment is left out, or "kept"."""
    reason = np.full(len(days), "", dtype=object) if left_out is None else np.asarray(left_out, dtype=object).copy()
    for variable, series in forcing.data_vars.items():
        gaps = np.isnan(series.values).sum(0)
        for position in np.flatnonzero((gaps > 0) & (reason == "")):
            reason[position] = f"{variable} has {gaps[position]} days without a value"
    reason[(reason == "") & (days < minimum_days)] = f"fewer than {minimum_days:g} days of discharge"
    reason[reason == ""] = "kept"
    return reason


def _water_balance(forcing, discharge, area):
    """Means over the days with discharge, mm/day, and their ratio."""
    observed = np.isfinite(discharge)
    count = np.maximum(observed.sum(1), 1)
    means = {
        f"{name}_mm_day": np.where(observed.T, forcing[name].values, 0).sum(0, dtype=float) / count
        for name in ("precipitation", "potential_evapotranspiration")
    }
    runoff = np.where(observed, discharge, 0).sum(1, dtype=float) / count * MILLIMETRES_PER_DAY / area
    ratio = runoff / np.where(means["precipitation_mm_day"] > 0, means["precipitation_mm_day"], np.nan)
    balance = pd.DataFrame({**means, "runoff_mm_day": runoff, "runoff_ratio": ratio})
    balance[~observed.any(1)] = np.nan
    return balance


def _doubts(balance):
    """Properties that are impossible or rare in real catchments."""
    low, high = PLAUSIBLE_MEAN
    potential = balance.potential_evapotranspiration_mm_day
    return {
        "more discharge than precipitation": balance.runoff_ratio.to_numpy() > 1,
        f"discharge below {LEAST_RUNOFF:g} of precipitation": (
            (balance.runoff_ratio < LEAST_RUNOFF) & (balance.runoff_ratio > 0)
        ).to_numpy(),
        f"mean potential evapotranspiration outside {low:g} to {high:g} mm/day": (
            (potential < low) | (potential > high)
        ).to_numpy(),
    }


def _joined(flags, size):
    texts = np.full(size, "", dtype=object)
    for text, where in flags.items():
        for position in np.flatnonzero(where):
            texts[position] += ("; " if texts[position] else "") + text
    return texts
