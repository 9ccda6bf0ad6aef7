"""Units are converted at the boundary, and wrong ones are refused by name."""

import pytest

from thalweg.units import UnitError, convert, parse_quantity


@pytest.mark.parametrize(
    ("value", "unit", "to", "expected"),
    [
        (1.0, "inches", "mm", 25.4),
        (32.0, "degree_fahrenheit", "degC", 0.0),
        (212.0, "degF", "degC", 100.0),
        (1.0, "acres", "km2", 0.004046872609874),
        (1.0, "cfs", "m3/s", 0.028316846592),
        (1.0, "mi2", "km2", 2.589988110336),
        (1.0, "ft3 s-1", "m3 s-1", 0.028316846592),
    ],
)
def test_units_of_real_files(value, unit, to, expected):
    assert convert(value, unit, to) == pytest.approx(expected, abs=1e-9)


def test_a_unit_of_another_dimension_is_refused_with_what_and_both_units():
    with pytest.raises(UnitError, match=r"prcp\.nc.*'km2'.*'mm'"):
        convert([1.0], "km2", "mm", what="prcp.nc, variable 'prcp'")


def test_an_unknown_unit_is_refused_with_its_name():
    with pytest.raises(UnitError, match=r"file\.nc.*'furlongs per hogshead'"):
        convert(1.0, "furlongs per hogshead", "mm", what="file.nc")


@pytest.mark.parametrize("text", ["365", "days", "", "12 km2", "x days"])
def test_a_quantity_needs_a_number_and_a_unit_of_time(text):
    with pytest.raises(UnitError):
        parse_quantity(text, "days")


def test_quantities():
    assert parse_quantity("1 year", "days") == pytest.approx(365.25)
    assert parse_quantity("2 weeks", "days") == 14
