"""Floods of a return period: a log-Pearson III distribution of each gauge's own annual maxima.

The base distribution of Bulletin 17B and 17C (England et al. 2018, doi:10.3133/tm4B5), fitted by the moments of the
logarithms with the station's skew; without their regional skew, historical floods and test for low outliers. Maxima are
of daily mean discharge over the water year, which ends on 30 September of the year that names it.
"""

import numpy as np
import pandas as pd

from thalweg.metrics.calendar import water_year

MIN_DAYS = 330  # with discharge, for a year's maximum
MIN_YEARS = 10  # to fit a distribution


def annual_maxima(observed, period=None):
    """Maximum daily discharge of each water year.

    Args:
        observed: DataArray (gauge, time), mm/day, NaN where not observed.
        period: (first day, last day); if None, all days.

    Returns:
        DataFrame (gauge, water year); NaN for a year with fewer than :data:`MIN_DAYS` days, or the same duration in steps.
    """
    if period is not None:
        observed = observed.sel(time=slice(*map(str, period)))
    series = pd.DataFrame(observed.values.T, columns=observed.place.values.astype(str))
    years = series.groupby(water_year(observed.time.values))
    step = np.median(np.diff(observed.time.values)) / np.timedelta64(1, "D") if observed.time.size > 1 else 1.0
    return years.max().where(years.count() >= int(MIN_DAYS / step)).T


def flood(maxima, return_period):
    """The discharge that a year's maximum exceeds once in ``return_period`` years on average.

    Args:
        maxima: annual maxima (year,), in any unit; NaN and years without flow are not counted.
        return_period: years.

    Returns:
        float, in the unit of the maxima; NaN for fewer than :data:`MIN_YEARS` years.
    """
    from scipy.stats import pearson3

    logarithms = _logarithms(maxima)
    if len(logarithms) < MIN_YEARS:
        return np.nan
    return float(10 ** pearson3.ppf(1 - 1 / return_period, *_moments(logarithms)))


def return_period(maxima, discharge):
    """The return period in years of discharges (any shape), in the distribution of annual maxima (year,); NaN likewise."""
    from scipy.stats import pearson3

    logarithms = _logarithms(maxima)
    discharge = np.asarray(discharge, float)
    if len(logarithms) < MIN_YEARS:
        return np.full(discharge.shape, np.nan)
    with np.errstate(divide="ignore"):
        exceeded = pearson3.sf(np.log10(discharge), *_moments(logarithms))
        return 1 / exceeded


def _logarithms(maxima):
    maxima = np.asarray(maxima, float)
    return np.log10(maxima[np.isfinite(maxima) & (maxima > 0)])


def _moments(logarithms):
    from scipy.stats import skew

    return skew(logarithms, bias=False), logarithms.mean(), max(logarithms.std(ddof=1), 1e-9)


def years_below(observed, period, return_period):
    """Water years whose largest flood stays below a return period, and those in which it does not.

    Args:
        observed: DataArray (gauge, time), mm/day.
        period: (first day, last day) of the years that are classified; the distribution is that of the same years.
        return_period: years.

    Returns:
        dict: gauge -> (list of years below, list of years at or above). Both are empty if a distribution cannot be
        fitted; a year without enough days is in neither.
    """
    maxima = annual_maxima(observed, period)
    years = {}
    for gauge, row in maxima.iterrows():
        limit = flood(row.values, return_period)
        known = row.dropna()
        if np.isnan(limit):
            years[gauge] = [], []
        else:
            years[gauge] = (
                [int(year) for year in known.index[known < limit]],
                [int(year) for year in known.index[known >= limit]],
            )
    return years
