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
    "°n": "degree",
    "°e": "degree",
    **dict.fromkeys(("deg c", "deg_c", "degree_c", "degrees_c", "celsius", "degrees celsius", "oc"), "degree_Celsius"),
    "deg f": "degree_Fahrenheit",
    "per mil": "permille",
    "permil": "permille",
    "mb": "millibar",
    "acre-ft": "acre_foot",
    "acre-ft/day": "acre_foot / day",
    "mm/24h": "millimeter / day",
    "m3 d-1": "meter ** 3 / day",
}

# Counts of a method of measurement, each comparable with itself only: (unit, meaning).
COUNTS = {
    "NTU": "turbidity, nephelometric, white light",
    "FNU": "turbidity, nephelometric, infrared light",
    "FTU": "turbidity, formazin",
    "FAU": "turbidity, attenuation of infrared light",
    "psu": "salinity on the practical scale",
    "CFU": "colonies of bacteria",
    "MPN": "most probable number of bacteria",
    "PCU": "colour on the platinum-cobalt scale",
    "RFU": "fluorescence relative to a standard",
}

# Units of pint that users of the text rarely mean -> what to write.
MISREAD = {
    "megameter": "hm3 for a million m3, or km",
    "coulomb": "degC for degrees Celsius",
    "farad": "degF for degrees Fahrenheit",
    "debye": "day",
    "henry": "hour",
    "tesla": "t for tonnes",
    "picopint": "g/kg for parts per thousand, ng/l for parts per trillion",
    "millibarn": "mbar",
    "picoyear": "Pa",
    "boltzmann_constant": "K",
    "micronit": "dimensionless",
    "elementary_charge": "the unit without a number, and multiply the values by it",
}
UNKNOWN = {  # abbreviations of several meanings -> what to write
    "mcm": "hm3 for a million m3",
    "mgd": "Mgallon/day (US gallons)",
    "ppb": "ug/l or ug/kg",
    "pa": "Pa",
    "hpa": "hPa",
    "kpa": "kPa",
}
SUBSTANCE = "mg/l, and name the substance in the name of the column"  # for "mg N/l": N is newton
WATER_FLUX, WATER_MASS = "kg/m**2/day", "kg/m**2"  # of water: 1 mm/day and 1 mm


@cache
def registry():
    """The one pint registry of the study."""
    import pint

    units = pint.UnitRegistry(autoconvert_offset_to_baseunit=True)
    for name in COUNTS:
        units.define(f"{name} = [{name}]")
    return units


def spelled(unit):
    """A unit as spelled in files, with powers in the notation of pint.

    >>> spelled("W/m2"), spelled("m3 s-1"), spelled("mm/d"), spelled("CFU/100 mL")
    ('W/m**2', 'm**3 s**-1', 'mm/d', 'CFU/dl')
    """
    text = re.sub(r"/\s*100\s*m[lL]\b", "/dl", str(unit).strip())
    text = re.sub(r"(?<=[A-Za-z0-9])[.·](?=[A-Za-z])", "*", text)
    return re.sub(r"(?<=[A-Za-z])(-?[0-9])", r"**\1", text)


@cache
def parse_unit(text):
    """The pint unit of ``text``, accepting the spellings of real files and the names of :data:`COUNTS`.

    Raises:
        UnitError: if pint does not know the unit, or reads it as something that no river is measured in.
    """
    text = str(text).strip()
    names = {name.lower(): name for name in COUNTS}
    name = SPELLINGS.get(text.lower(), names.get(text.lower(), text))
    for spelling in (name, spelled(name)):
        try:
            unit = registry().parse_units(spelling)
        except Exception:  # pint raises errors of many types
            continue
        _check_reading(text, unit)
        return unit
    mend = UNKNOWN.get(text.lower(), "it in pint's form, for example 'mm/day'")
    if re.search(r"(?<![A-Za-z*^0-9-])[0-9]", text):
        mend = "the unit without a number, and multiply the values by it"
    raise UnitError(f"unit {text!r} is unknown to pint; write {mend}")


def _check_reading(text, unit):
    names = dict(unit._units)
    mend = next((MISREAD[name] for name in names if name in MISREAD), None)
    if "newton" in names and any(name.endswith("gram") for name in names):
        mend = SUBSTANCE
    if mend:
        raise UnitError(f"unit {text!r} is '{unit}' to pint, which is hardly meant; write {mend}")


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


def depth_per_day(values, unit, what):
    """Precipitation, evaporation or runoff in mm/day; a depth without a time is the total of the day.

    Args:
        values: number or array.
        unit: of a depth or a mass of water per area (1 kg/m2 is 1 mm), with or without a time.
        what: file and variable, for messages.

    Raises:
        UnitError: if ``unit`` is none of these.
    """
    try:
        parsed = parse_unit(unit)
    except UnitError as error:
        raise UnitError(f"{what}: {error}") from error
    for to in ("mm", WATER_MASS, WATER_FLUX):
        if parsed.is_compatible_with(parse_unit(to)):
            return convert(values, unit, to, what)
    return convert(values, unit, "mm/day", what)


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
    text = str(unit).replace("delta_degC", "K").replace("degC", "°C").replace("**", "")
    text = re.sub(r"(?<=[A-Za-z])[23](?!\d)", lambda digit: "²³"[int(digit[0]) - 2], text)
    return re.sub(r"\bu(?=g|mol)", "µ", text)
