"""What each variable and attribute can be on Earth, and the codes that stand for missing values in files.

Limits are wide: they refuse what is impossible (kelvin under degC, an area in m2 under km2), not what is rare. Values are
compared in the unit of the table, whatever unit the file has.
"""

from dataclasses import dataclass

import numpy as np

from thalweg.basin.domain import DataError
from thalweg.units import convert, parse_unit


@dataclass(frozen=True)
class Range:
    """Limits of a variable.

    ``codes``: whether -99, -999 and their like are always codes of missing values: not where such a value can be measured.
    """

    unit: str
    low: float
    high: float
    codes: bool = True


CONCENTRATION = Range("mg/l", 0, 1e5)
FRACTION = Range("dimensionless", 0, 1.0001)
DISCHARGE_DEPTH = Range("mm/day", 0, 2000)  # discharge over the catchment's area
RANGES = {
    "precipitation": Range("mm/day", 0, 2000),
    "temperature": Range("degC", -80, 60),
    "air_temperature": Range("degC", -80, 60),
    "mean_air_temperature": Range("degC", -60, 45),
    "minimum_temperature": Range("degC", -90, 60),
    "maximum_temperature": Range("degC", -80, 70),
    "water_temperature": Range("degC", -5, 60),
    "potential_evapotranspiration": Range("mm/day", 0, 50),
    "shortwave_radiation": Range("W/m**2", 0, 600),
    "net_shortwave_radiation": Range("W/m**2", -1, 600),
    "vapour_pressure": Range("hPa", 0, 80),
    "day_length": Range("hour", 0, 24),
    "wind_speed": Range("m/s", 0, 100),
    "relative_humidity": Range("dimensionless", 0, 1.1),
    "air_pressure": Range("hPa", 300, 1100),
    "cloudiness": FRACTION,
    "discharge": Range("m3/s", 0, 1e6),
    "mean_discharge": Range("m3/s", 0, 3e5),
    "runoff": DISCHARGE_DEPTH,
    **dict.fromkeys(("nitrate", "nitrite", "ammonium", "dissolved_organic_carbon"), CONCENTRATION),
    "dissolved_oxygen": Range("mg/l", 0, 60),
    **dict.fromkeys(("chlorophyll", "soluble_reactive_phosphorus", "total_phosphorus"), Range("ug/l", 0, 1e7)),
    "pH": Range("dimensionless", -2, 16),
    **dict.fromkeys(("d18O", "delta_18O", "oxygen_18"), Range("permille", -100, 50, codes=False)),
    **dict.fromkeys(("d2H", "dD", "delta_2H", "deuterium"), Range("permille", -600, 300, codes=False)),
    **dict.fromkeys(("d13C", "delta_13C", "d15N", "delta_15N"), Range("permille", -200, 200, codes=False)),
    "latitude": Range("degree", -90, 90),
    "longitude": Range("degree", -180, 360, codes=False),
    "area": Range("km2", 1e-6, 7.2e6),
    "drainage_area": Range("km2", 1e-6, 7.2e6),
    "elevation": Range("m", -450, 9000),
    "mean_elevation": Range("m", -450, 9000),
    "slope": Range("dimensionless", -1, 100),
    "length": Range("m", 0, 1e7),
    **dict.fromkeys(("clay", "silt", "sand", "porosity"), FRACTION),
}
ENDINGS = {"_fraction": FRACTION, "_share": FRACTION}

ALWAYS_CODES = (-9999.0, -99999.0, -999999.0, -9999.9, -9999.99, -32768.0, -2147483648.0, -2147483647.0)
NEGATIVE_CODES = (-99.0, -999.0, -99.9, -999.9, -99.99, -999.99)
POSITIVE_CODES = (9999.0, 99999.0, 999999.0, 9999.9, 999.9, 999.99, 9999.99, 32767.0)
FILL = 1e19  # nothing here is as large: 1e20, 9.97e36 and 3.4e38 are fill values of netCDF and of models
LEAVE_EMPTY = "leave it empty"
ALONE = 10.0  # a positive code is one if it is as many times the largest other value


def range_of(name):
    """The :class:`Range` of a variable or attribute; None if it is not known."""
    known = RANGES.get(name)
    return known or next((one for ending, one in ENDINGS.items() if name.endswith(ending)), None)


def missing_codes(values, name=None):
    """Which numbers are codes of missing values that were not declared.

    Numbers such as -9999 and those above 1e19 (and infinity) always are. A code that could be measured (-99, 9999) is one if
    nothing else in the series is like it: the others are never negative, or ten times smaller.

    Args:
        values: array of any shape, as written in the file, NaN where missing.
        name: of the variable; if its range is known and it cannot be negative, -99 and its like are always codes.

    Returns:
        bool array.
    """
    values = np.asarray(values, dtype=float)
    with np.errstate(invalid="ignore"):
        found = np.isinf(values) | (np.abs(values) >= FILL) | _equal(values, ALWAYS_CODES)
    known = None if name is None else range_of(name)
    if known is not None and not known.codes:
        return found
    negative, positive = _equal(values, NEGATIVE_CODES), _equal(values, POSITIVE_CODES)
    others = values[np.isfinite(values) & ~found & ~negative & ~positive]
    if known is not None or (len(others) and others.min() >= 0):
        found |= negative
    elif len(others):
        found |= negative & (np.abs(values) > ALONE * np.abs(others).max())
    if len(others):
        found |= positive & (values > ALONE * np.abs(others).max())
    return found


def _equal(values, codes):
    """Where values are one of the codes, in single or double precision."""
    return np.logical_or.reduce([values == code for code in codes] + [values == np.float32(code) for code in codes])


def check_possible(values, unit, name, path, label, where, converted=None, mend=LEAVE_EMPTY):
    """Raise DataError naming the first value that a variable or attribute cannot have; NaN passes.

    Args:
        values: array as written in the file.
        unit: that they are in.
        name: of the variable or attribute.
        path: file, for the message.
        label: the column or variable in the file's words, for the message.
        where: function of a position (a tuple) to a text that says where it is, such as ``line 3``.
        converted: the values in the unit of the name's :class:`Range`; if None, they are converted.
        mend: what to write where a value is missing, for the message.

    Raises:
        UnitError: if ``unit`` is not one of the variable.
    """
    values = np.asarray(values, dtype=float)
    codes = missing_codes(values, name)
    if codes.any():
        here = _first(codes)
        raise DataError(f"{path}, {where(here)}: {label} is {_number(values[here])}, a code of a missing value; {mend}")
    limits = range_of(name)
    if limits is None:
        return
    inside = convert(values, unit, limits.unit, what=f"{path}, {label}") if converted is None else converted
    with np.errstate(invalid="ignore"):
        wrong = (inside < limits.low) | (inside > limits.high)
    if not np.any(wrong):
        return
    here = _first(wrong)
    same = parse_unit(unit) == parse_unit(limits.unit)
    shown = "" if same else f" [{unit}], or {inside[here]:.6g} {limits.unit}"
    low = inside[here] < limits.low
    bound = f"at least {limits.low:g}" if low else f"at most {limits.high:g}"
    raise DataError(
        f"{path}, {where(here)}: {label} is {_number(values[here])}{shown}; expected {bound} {limits.unit}: correct the "
        f"value or the unit, or {mend}"
    )


def _number(value):
    """A number as short as it can be without loss of what distinguishes it."""
    return f"{value:.10g}"


def _first(where):
    return tuple(int(i) for i in np.argwhere(where)[0])
