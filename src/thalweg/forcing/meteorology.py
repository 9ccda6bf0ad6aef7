"""Meteorological forcing that a dataset lacks, estimated from date, latitude, elevation and temperature.

The equations are those of FAO-56 (Allen et al. 1998, Crop evapotranspiration, FAO Irrigation and Drainage Paper 56);
saturation vapour pressure is pyet's (Vremec et al. 2024, doi:10.5194/gmd-17-7083-2024). Estimates are marked in the
attribute ``estimate`` of the variable; they are not measurements.
"""

import numpy as np
import pandas as pd

from thalweg.forcing.evapotranspiration import potential_evapotranspiration

SOLAR_CONSTANT = 0.0820  # MJ/m2/minute (FAO-56, equation 21)
STEFAN_BOLTZMANN = 4.903e-9  # MJ/K4/m2/day (FAO-56, equation 39)
WET_DAY = 1.0  # mm, more than this
WET_SKY = 0.5  # share of clear-sky radiation on a wet day: about 0.35 of that above the atmosphere, 0.7 on a dry day
HARGREAVES = 0.16  # 1/sqrt(K), interior regions (FAO-56, equation 50)
WATTS = 1e6 / 86400  # W/m2 in a MJ/m2/day
HECTOPASCAL = 10.0  # in a kPa
YEAR = 365.25  # days
DEW_POINT_DEPRESSION = (
    2.5  # K below the mean air temperature, of a humid temperate climate (compare FAO-56, equation 48)
)


def _sun(time, latitude):
    """Day of the year (time, 1), solar declination (time, 1), latitude (place,) and sunset hour angle (time, place), rad.

    FAO-56, equations 24 and 25; the hour angle is pi in polar day and 0 in polar night.
    """
    day = pd.DatetimeIndex(time).dayofyear.to_numpy(dtype=float)[:, None]
    declination = 0.409 * np.sin(2 * np.pi * day / 365 - 1.39)
    latitude = np.deg2rad(np.asarray(latitude, dtype=float))
    return day, declination, latitude, np.arccos(np.clip(-np.tan(latitude) * np.tan(declination), -1.0, 1.0))


def day_length(time, latitude):
    """Hours between sunrise and sunset (FAO-56, equation 34): array (time, place), hour.

    Args:
        time: dates (time,).
        latitude: degrees north (place,).
    """
    return 24 / np.pi * _sun(time, latitude)[-1]


def extraterrestrial_radiation(time, latitude):
    """Solar radiation at the top of the atmosphere, daily mean (FAO-56, equation 21): array (time, place), W/m2.

    Args:
        time: dates (time,).
        latitude: degrees north (place,).
    """
    day, declination, latitude, sunset = _sun(time, latitude)
    distance = 1 + 0.033 * np.cos(2 * np.pi * day / 365)
    height = sunset * np.sin(latitude) * np.sin(declination)
    height = height + np.cos(latitude) * np.cos(declination) * np.sin(sunset)
    return 1440 / np.pi * SOLAR_CONSTANT * distance * height * WATTS


def hourly_shares(time, latitude, longitude):
    """Share of the day's radiation above the atmosphere in each hour (FAO-56, equations 28 and 31 to 33): array (time, place).

    Args:
        time: ends of the hours (time,), UTC.
        latitude, longitude: degrees north and east (place,).

    The shares from midnight to midnight of solar time sum to 1; without sunrise they are 0.
    """
    middle = pd.DatetimeIndex(time) - pd.Timedelta(minutes=30)
    day, declination, latitude, sunset = _sun(middle, latitude)
    season = 2 * np.pi * (day - 81) / 364
    correction = 0.1645 * np.sin(2 * season) - 0.1255 * np.cos(season) - 0.025 * np.sin(season)  # hours
    clock = (middle.hour + middle.minute / 60).to_numpy()[:, None]
    angle = np.pi / 12 * ((clock + np.asarray(longitude, dtype=float) / 15 + correction) % 24 - 12)
    first, last = (np.clip(angle + half, -sunset, sunset) for half in (-np.pi / 24, np.pi / 24))

    def height(begin, end):
        high = np.cos(latitude) * np.cos(declination) * (np.sin(end) - np.sin(begin))
        return (end - begin) * np.sin(latitude) * np.sin(declination) + high

    whole = height(-sunset, sunset)
    return np.divide(height(first, last), whole, out=np.zeros_like(whole), where=whole > 0)


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
    longwave = STEFAN_BOLTZMANN * WATTS * (np.asarray(temperature) + 273.16) ** 4 * humidity * cloudiness
    return (1 - albedo) * np.asarray(solar) - longwave


def estimates(time, latitude, elevation, temperature, precipitation=None, source="forcing"):
    """Forcing of units that requires only the date, the coordinates and the mean air temperature.

    Args:
        time: dates (time,).
        latitude, elevation: degrees north and m (unit,).
        temperature: mean air temperature (time, unit), degC.
        precipitation: (time, unit), mm/day, if known: of clear-sky radiation, half reaches the ground on a wet day.
        source: file or domain, for messages.

    Returns:
        dict: name -> (dims, values (time, unit), attrs with units and estimate): shortwave_radiation [W/m**2] under a clear
        sky, less on wet days, potential_evapotranspiration [mm/day], day_length [hour], season_cosine and season_sine [dimensionless].
    """
    latitude = np.asarray(latitude, dtype=float)
    phase = 2 * np.pi * pd.DatetimeIndex(time).dayofyear.to_numpy(dtype=float)[:, None] / YEAR + 0 * latitude
    potential = potential_evapotranspiration("oudin", time, latitude, np.asarray(temperature), source=source)
    calendar = "from the day of the year"
    shortwave = clear_sky_radiation(time, latitude, elevation)
    sky = "under a clear sky, from date, latitude and elevation (FAO-56, equation 37): clouds are not in it"
    if precipitation is not None:
        shortwave = np.where(np.asarray(precipitation) > WET_DAY, WET_SKY * shortwave, shortwave)
        sky += f", but on days with more than {WET_DAY:g} mm of rain it is {WET_SKY:g} of that"
    return {
        name: (("time", "unit"), values, {"units": unit, "estimate": how})
        for name, values, unit, how in (
            (
                "shortwave_radiation",
                shortwave,
                "W/m**2",
                sky,
            ),
            (
                "potential_evapotranspiration",
                potential,
                "mm/day",
                "from date, latitude and mean air temperature (Oudin et al. 2005), by pyet",
            ),
            ("day_length", day_length(time, latitude), "hour", "from date and latitude (FAO-56, equation 34)"),
            ("season_cosine", np.cos(phase), "dimensionless", calendar),
            ("season_sine", np.sin(phase), "dimensionless", calendar),
        )
    }
