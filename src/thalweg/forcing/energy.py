"""Radiation and humidity that a canopy needs, for domains with temperature extremes only."""

import numpy as np

from thalweg.forcing import meteorology

HECTOPASCAL = 0.1  # kPa


def canopy_forcing(time, latitude, elevation, minimum, maximum, extremes=""):
    """Net and solar radiation, vapour pressure deficit and day length of every unit (FAO-56).

    Args:
        time: dates (time,).
        latitude, elevation: degrees north and m (unit,).
        minimum, maximum: air temperature (time, unit), degC.
        extremes: their derivation, if not measured, for the attribute ``estimate``.

    Returns:
        dict: variables of a forcing Dataset, (time, unit): ``net_radiation``, ``shortwave_radiation`` [W/m2],
        ``vapour_pressure_deficit`` [kPa], ``day_length`` [hour].
    """
    shortwave = meteorology.solar_radiation(time, latitude, elevation, minimum, maximum)
    pressure = meteorology.saturation_vapour_pressure(minimum)
    saturation = (pressure + meteorology.saturation_vapour_pressure(maximum)) / 2
    net = meteorology.net_radiation(time, latitude, elevation, (minimum + maximum) / 2, shortwave, pressure)
    day_length = meteorology.day_length(time, latitude)
    return {
        name: (
            ("time", "unit"),
            np.asarray(values),
            {"units": unit, "long_name": meaning, "estimate": estimate + extremes},
        )
        for name, values, unit, meaning, estimate in (
            (
                "net_radiation",
                net,
                "W/m**2",
                "net radiation, daily mean",
                "from solar radiation, temperature and humidity, all estimated (FAO-56, equations 38 to 40)",
            ),
            (
                "shortwave_radiation",
                shortwave,
                "W/m**2",
                "solar radiation at the ground, daily mean",
                "from date, latitude and the daily range of temperature (Hargreaves; FAO-56, equation 50)",
            ),
            (
                "vapour_pressure_deficit",
                HECTOPASCAL * (saturation - pressure),
                "kPa",
                "vapour pressure deficit, daily mean",
                "air is saturated at the minimum temperature (FAO-56, equations 12 and 48)",
            ),
            (
                "day_length",
                day_length,
                "hour",
                "from sunrise to sunset",
                "from date and latitude (FAO-56, equation 34)",
            ),
        )
    }
