"""Units at the boundary: the pint registry and the checks of incoming data.

Inside the study every tensor is in hydrological units (mm/day, degC, m3/s, m, s); nothing below the boundary
carries units. Everything that enters (files, configuration) is converted here.
"""

import re
from functools import cache

import numpy as np


class UnitError(ValueError):
    """A value or variable whose unit is missing, unknown or of the wrong dimension."""


# Spellings in real files that pint does not parse.
SPELLINGS = {
    "": "dimensionless",
    "1": "dimensionless",
    "-": "dimensionless",
    "none": "dimensionless",
    "decimal fraction": "dimensionless",
    "dec. fraction": "dimensionless",
    "in": "inch",
    "inches": "inch",
    "cfs": "foot ** 3 / second",
    "ft3 s-1": "foot ** 3 / second",
    "m3 s-1": "meter ** 3 / second",
    "m3/s": "meter ** 3 / second",
    "cms": "meter ** 3 / second",
    "mm d-1": "millimeter / day",
    "mi2": "mile ** 2",
    "km2": "kilometer ** 2",
    "m2": "meter ** 2",
    "w/m2": "watt / meter ** 2",
    "ft3/s": "foot ** 3 / second",
    "degree_fahrenheit": "degree_Fahrenheit",
    "degree_celsius": "degree_Celsius",
    "degf": "degree_Fahrenheit",
    "degc": "degree_Celsius",
    "degrees fahrenheit": "degree_Fahrenheit",
    "angular degrees": "degree",
    "degrees north": "degree",
    "degrees east": "degree",
    "degrees_north": "degree",
    "degrees_east": "degree",
    "degree_north": "degree",
    "degree_east": "degree",
    "fraction/day": "1 / day",
    "seconds / meter ** (1/3)": "second / meter ** (1/3)",
}


@cache
def registry():
    """The one pint registry of the study."""
    import pint

    return pint.UnitRegistry(autoconvert_offset_to_baseunit=True)


def parse_unit(text):
    """The pint unit of ``text``, accepting the spellings of real files.

    Raises:
        UnitError: if pint does not know the unit.
    """
    name = SPELLINGS.get(str(text).strip().lower(), str(text).strip())
    try:
        return registry().parse_units(name)
    except Exception as error:
        raise UnitError(f"unit {text!r} is unknown to pint; write it in pint's form, for example 'mm/day'") from error


def convert(values, unit, to, what="value"):
    """``values`` (array or scalar) converted from ``unit`` to ``to``, as a plain numpy array or float.

    Args:
        values: number or array in ``unit``.
        unit: the unit of the source.
        to: the target unit.
        what: file and variable, for the error message.

    Raises:
        UnitError: if the units do not have the same dimension.
    """
    try:
        source, target = parse_unit(unit), parse_unit(to)
    except UnitError as error:
        raise UnitError(f"{what}: {error}") from error
    if not source.is_compatible_with(target):
        raise UnitError(
            f"{what}: unit {unit!r} ({source.dimensionality}) does not convert to {to!r} "
            f"({target.dimensionality}); correct the unit attribute or use the right variable"
        )
    magnitude = registry().Quantity(np.asarray(values, dtype=float), source).to(target).magnitude
    return float(magnitude) if np.ndim(magnitude) == 0 else magnitude


def parse_quantity(text, to):
    """A configuration value such as ``"365 days"`` or ``"100 km2"`` as a float in the unit ``to``.

    Raises:
        UnitError: if ``text`` is not a number with a unit, or its unit has another dimension than ``to``.
    """
    words = str(text).strip().split(maxsplit=1)
    try:
        number = float(words[0])
    except (ValueError, IndexError) as error:
        raise UnitError(f"{text!r} is not a quantity; write a number and a unit, for example '365 days'") from error
    if len(words) == 1:
        raise UnitError(f"{text!r} has no unit; write for example '{text} {to}'")
    return convert(number, words[1], to, what=repr(text))


def unit_text(unit):
    """A unit as written in figures and pages: "°C" for degC, "K" for its differences, "m³/s" for m3/s, "W/m²" for W/m**2."""
    text = str(unit).replace("delta_degC", "K").replace("degC", "°C").replace("**(", "^(").replace("**", "")
    text = re.sub(r"(?<=[A-Za-z])[23](?!\d)", lambda digit: "²³"[int(digit[0]) - 2], text)
    return re.sub(r"\bu(?=g|mol)", "µ", text)
