"""Floods: the log-Pearson III distribution on maxima whose distribution is known, and classified years."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy.stats import norm

from thalweg.metrics.flood_frequency import MIN_YEARS, annual_maxima, flood, return_period, years_below

DAYS = pd.date_range("1980-10-01", "2000-09-30")


def record(maxima, day="02-01"):
    """Discharge of 1 mm/day but for one day a year: DataArray (gauge, time) of one gauge, years from 1981."""
    series = pd.Series(1.0, index=DAYS)
    for year, value in enumerate(maxima, 1981):
        series[f"{year}-{day}"] = value
    return xr.DataArray(series.to_numpy()[None], dims=("place", "time"), coords={"place": ["a"], "time": DAYS})


def symmetric(mean, deviation, count=15):
    """Maxima whose logarithms are symmetric, so that their skew is 0."""
    steps = norm.ppf((np.arange(count) + 0.5) / count)
    return 10 ** (mean + deviation * steps / steps.std(ddof=1))


@pytest.mark.parametrize("period", [2, 5, 25, 100])
def test_without_skew_the_quantile_is_that_of_the_normal_distribution(period):
    exact = 10 ** (1.2 + 0.3 * norm.ppf(1 - 1 / period))
    assert flood(symmetric(1.2, 0.3), period) == pytest.approx(exact, rel=1e-9)


def test_quantiles_of_log_normal_maxima_within_the_error_of_sampling():
    """The standard error of a normal quantile with known skew is sigma sqrt((1 + z^2 / 2) / n)."""
    generator = np.random.default_rng(0)
    mean, deviation, count = 1.0, 0.25, 4000
    maxima = 10 ** generator.normal(mean, deviation, count)
    for period in (2, 10, 50):
        z = norm.ppf(1 - 1 / period)
        error = deviation * np.sqrt((1 + z**2 / 2) / count)
        assert np.log10(flood(maxima, period)) == pytest.approx(mean + deviation * z, abs=5 * error)


def test_a_skewed_record_has_greater_rare_floods():
    steps = np.linspace(0, 3, 30)
    skewed = steps**2
    skewed = 10 ** (1 + 0.3 * (skewed - skewed.mean()) / skewed.std(ddof=1))
    assert flood(skewed, 100) > 1.2 * flood(symmetric(1.0, 0.3), 100)


def test_return_period_undoes_flood():
    maxima = 10 ** np.random.default_rng(1).normal(0.5, 0.4, 30)
    floods = [flood(maxima, period) for period in (2, 5, 10, 25)]
    np.testing.assert_allclose(return_period(maxima, floods), [2, 5, 10, 25], rtol=1e-6)


def test_short_records_have_no_distribution_and_dry_years_do_not_count():
    maxima = symmetric(1.0, 0.2, MIN_YEARS)
    assert np.isnan(flood(maxima[1:], 5))
    assert np.isnan(return_period(maxima[1:], [3.0, 4.0])).all()
    assert flood([*maxima, 0.0, np.nan], 5) == flood(maxima, 5)


def test_a_maximum_belongs_to_the_water_year_that_its_day_is_in():
    observed = record([])
    observed.loc["a", "1989-09-30"] = 7.0
    observed.loc["a", "1989-10-01"] = 9.0
    maxima = annual_maxima(observed).loc["a"]
    assert (maxima[1989], maxima[1990], maxima[1991]) == (7.0, 9.0, 1.0)
    observed.loc["a", "1990-01-01":"1990-03-31"] = np.nan
    assert np.isnan(annual_maxima(observed).loc["a", 1990]), "90 days of the year are missing"


def test_years_below_and_above_are_all_years_with_a_maximum():
    values = symmetric(1.0, 0.3, 20)
    observed = record(values)
    observed.loc["a", "1985-12-01":"1986-03-31"] = np.nan
    below, above = years_below(observed, ("1980-10-01", "2000-09-30"), 5)["a"]
    assert sorted(below + above) == [year for year in range(1981, 2001) if year != 1986]
    limit = flood(np.delete(values, 5), 5)
    assert above == [year for year, value in enumerate(values, 1981) if value >= limit and year != 1986]
    assert years_below(observed, ("1980-10-01", "1988-09-30"), 5)["a"] == ([], [])
