"""Estimates of radiation, humidity and day length, against the worked examples of FAO-56."""

import numpy as np
import pandas as pd
import pyet
import pytest
import xarray as xr

from thalweg.forcing import meteorology

SEPTEMBER = pd.DatetimeIndex(["2001-09-03"])
MAY = pd.DatetimeIndex(["2001-05-15"])
WATTS = 1e6 / 86400
YEAR = pd.date_range("2009-01-01", "2009-12-31")


def test_examples_8_and_9_radiation_and_day_length_at_20_degrees_south():
    assert meteorology.extraterrestrial_radiation(SEPTEMBER, [-20.0]).item() == pytest.approx(32.2 * WATTS, abs=0.6)
    assert meteorology.day_length(SEPTEMBER, [-20.0]).item() == pytest.approx(11.7, abs=0.05)


def test_radiation_and_day_length_agree_with_pyet():
    latitude = np.array([-35.0, 0.0, 51.7])
    radians = xr.DataArray(np.deg2rad(latitude), dims="place")
    expected = pyet.extraterrestrial_r(YEAR.rename("time"), radians).transpose("time", "place").values * WATTS
    np.testing.assert_allclose(meteorology.extraterrestrial_radiation(YEAR, latitude), expected, rtol=2e-3)
    for place, degrees in enumerate(latitude):
        hours = pyet.daylight_hours(YEAR, np.deg2rad(degrees))
        np.testing.assert_allclose(meteorology.day_length(YEAR, latitude)[:, place], hours, atol=0.01)


def test_polar_night_and_polar_day_are_dark_and_light():
    days = pd.DatetimeIndex(["2009-12-21", "2009-06-21"])
    np.testing.assert_allclose(meteorology.day_length(days, [80.0])[:, 0], [0, 24], atol=1e-9)
    radiation = meteorology.extraterrestrial_radiation(days, [80.0])[:, 0]
    assert radiation[0] == pytest.approx(0, abs=1e-9)
    assert 450 < radiation[1] < 550


def test_saturation_vapour_pressure_of_the_tables():
    np.testing.assert_allclose(
        meteorology.saturation_vapour_pressure([1.0, 15.0, 24.5, 35.0]), [6.57, 17.05, 30.75, 56.24], atol=0.02
    )


def test_examples_11_and_12_net_radiation_of_rio_de_janeiro():
    solar, arguments = np.array([[14.5 * WATTS]]), (MAY, [-22.9], [0.0])
    assert meteorology.clear_sky_radiation(*arguments).item() == pytest.approx(18.8 * WATTS, abs=1.5)
    net = meteorology.net_radiation(*arguments, np.array([[22.1]]), solar, np.array([[21.0]])).item()
    assert net == pytest.approx(7.6 * WATTS, abs=1.2)


def test_example_15_solar_radiation_from_the_temperature_range():
    estimate = meteorology.solar_radiation(pd.DatetimeIndex(["2001-07-15"]), [45.72], [200.0], [[14.8]], [[26.6]])
    assert estimate.item() == pytest.approx(22.3 * WATTS, abs=1.5)


def test_solar_radiation_is_bounded_by_the_clear_sky_and_by_zero():
    clear = meteorology.clear_sky_radiation(MAY, [45.0], [0.0])
    assert meteorology.solar_radiation(MAY, [45.0], [0.0], [[-20.0]], [[40.0]]) == clear
    assert meteorology.solar_radiation(MAY, [45.0], [0.0], [[10.0]], [[9.0]]) == 0


def test_higher_places_have_more_radiation():
    low, high = meteorology.clear_sky_radiation(MAY, [45.0, 45.0], [0.0, 2000.0])[0]
    assert high / low == pytest.approx(0.79 / 0.75)


def test_estimates_say_how_and_in_which_unit():
    temperature = np.full((len(YEAR), 2), 12.0)
    found = meteorology.estimates(YEAR, [51.7, 40.0], [60.0, 300.0], temperature)
    for dims, values, attrs in found.values():
        assert dims == ("time", "unit")
        assert values.shape == temperature.shape
        assert attrs["units"] and attrs["estimate"]
    radius = found["season_cosine"][1] ** 2 + found["season_sine"][1] ** 2
    np.testing.assert_allclose(radius, 1.0)
    assert abs(found["shortwave_radiation"][1][:, 0].argmax() - 171) < 5
    assert found["potential_evapotranspiration"][1].min() > 0


def test_half_of_clear_sky_radiation_reaches_the_ground_on_a_wet_day():
    time, air = pd.date_range("2001-06-01", periods=3), np.full((3, 1), 15.0)
    rain = np.array([[0.0], [1.0], [1.1]])
    clear, cloudy = (meteorology.estimates(time, [51.7], [60.0], air, p)["shortwave_radiation"] for p in (None, rain))
    np.testing.assert_allclose(cloudy[1] / clear[1], [[1.0], [1.0], [0.5]])
    assert "rain" in cloudy[2]["estimate"] and "clouds are not in it" in clear[2]["estimate"]


def test_hours_share_the_radiation_of_the_day():
    """Sums to one, none at night, largest around solar noon, which comes an hour earlier 15 degrees further east."""
    hours = pd.date_range("2014-09-15 01:00", periods=24, freq="h")
    shares = meteorology.hourly_shares(hours, [45.2, 45.2, -45.2], [0.0, 15.0, 0.0])
    np.testing.assert_allclose(shares.sum(0), 1.0, rtol=1e-12)
    assert (shares[hours.hour.isin([22, 23, 0, 1, 2, 3])] == 0).all()
    np.testing.assert_allclose(shares[:-1, 1], shares[1:, 0], atol=1e-3)
    assert hours[shares[:, 0].argmax()].hour in (12, 13)
    winter = meteorology.hourly_shares(
        pd.date_range("2014-12-21 01:00", periods=24, freq="h"), [80.0, 60.0], [0.0, 0.0]
    )
    assert (winter[:, 0] == 0).all() and winter[:, 1].sum() == pytest.approx(1)
