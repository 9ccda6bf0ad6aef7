"""Meteorological forcing that a dataset lacks, estimated from date, latitude, elevation and temperature by pyet.

Each estimate is an equation of FAO-56 (Allen et al. 1998, Crop evapotranspiration, FAO Irrigation and Drainage Paper 56), as
pyet (Vremec et al. 2024, doi:10.5194/gmd-17-7083-2024) has it. What was estimated is said in the attribute ``estimate`` of the
variable: an estimate is not a measurement.
"""

import numpy as np
import pandas as pd
import xarray as xr

HARGREAVES = 0.16  # 1/sqrt(K), interior regions (FAO-56, equation 50)
WATTS = 1e6 / 86400  # W/m2 in a MJ/m2/day
HECTOPASCAL = 10.0  # in a kPa


def _places(time, latitude):
    import pyet

    radians = xr.DataArray(np.deg2rad(np.asarray(latitude, dtype=float)), dims="place")
    dates = pd.DatetimeIndex(time, name="time")
    return pyet, dates, radians


def extraterrestrial_radiation(time, latitude):
    """Solar radiation at the top of the atmosphere, daily mean (FAO-56, equation 21): array (time, place), W/m2.

    Args:
        time: dates (time,).
        latitude: degrees north (place,).
    """
    pyet, dates, radians = _places(time, latitude)
    return np.asarray(pyet.extraterrestrial_r(dates, radians).transpose("time", "place")) * WATTS


def clear_sky_radiation(time, latitude, elevation):
    """Solar radiation under a clear sky, daily mean (FAO-56, equation 37): array (time, place), W/m2.

    Args:
        time: dates (time,).
        latitude, elevation: degrees north and m (place,).
    """
    return extraterrestrial_radiation(time, latitude) * (0.75 + 2e-5 * np.asarray(elevation, dtype=float))


def solar_radiation(time, latitude, elevation, minimum, maximum):
    """Solar radiation from the daily temperature range, daily mean (Hargreaves; FAO-56, equation 50): (time, place), W/m2.

    Args:
        time: dates (time,).
        latitude, elevation: degrees north and m (place,).
        minimum, maximum: air temperature (time, place), degC.

    Never above clear-sky radiation.
    """
    span = np.sqrt(np.maximum(np.asarray(maximum) - np.asarray(minimum), 0.0))
    estimate = HARGREAVES * span * extraterrestrial_radiation(time, latitude)
    return np.minimum(estimate, clear_sky_radiation(time, latitude, elevation))


def saturation_vapour_pressure(temperature):
    """Over water (FAO-56, equation 11), hPa, for air temperature in degC of any shape."""
    import pyet

    return np.asarray(pyet.calc_e0(np.asarray(temperature, dtype=float))) * HECTOPASCAL


def net_radiation(time, latitude, elevation, temperature, solar, vapour_pressure, albedo=0.23):
    """Net radiation of a grassed surface, daily mean (FAO-56, equations 38 to 40): array (time, place), W/m2.

    Args:
        time: dates (time,).
        latitude, elevation: degrees north and m (place,).
        temperature: mean air temperature (time, place), degC.
        solar: solar radiation (time, place), W/m2.
        vapour_pressure: actual, (time, place), hPa.
        albedo: of the surface.
    """
    clear = np.maximum(clear_sky_radiation(time, latitude, elevation), 1.0)
    cloudiness = 1.35 * np.clip(np.asarray(solar) / clear, 0.3, 1.0) - 0.35
    humidity = 0.34 - 0.14 * np.sqrt(np.asarray(vapour_pressure) / HECTOPASCAL)
    longwave = 4.903e-9 * WATTS * (np.asarray(temperature) + 273.16) ** 4 * humidity * cloudiness
    return (1 - albedo) * np.asarray(solar) - longwave
