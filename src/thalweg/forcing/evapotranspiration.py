"""Potential evapotranspiration, by pyet (Vremec et al. 2024, doi:10.5194/gmd-17-7083-2024).

The default, ``hargreaves`` (Hargreaves & Samani 1985), needs latitude and the daily extremes of temperature only, uses the
daily temperature range as a measure of cloudiness, and is the method of the published differentiable-HBV benchmarks, so
that numbers can be compared. ``oudin`` (Oudin et al. 2005) and ``hamon`` (Hamon 1961) need the mean temperature only, for
data without extremes. All of them are empirical and may respond to warming more than an energy budget would.
"""

import numpy as np
import pandas as pd
import xarray as xr

from thalweg.basin.domain import DataError

METHODS = ("hargreaves", "oudin", "hamon")


def potential_evapotranspiration(method, time, latitude, mean, minimum=None, maximum=None, source="forcing"):
    """Daily potential evapotranspiration.

    Args:
        method: one of ``METHODS``.
        time: dates (time,).
        latitude: degrees north (unit,).
        mean, minimum, maximum: air temperature (time, unit), degC; the extremes for ``hargreaves`` only.
        source: file or domain, for messages.

    Returns:
        numpy array (time, unit), mm/day, never negative.

    Raises:
        DataError: if the method is unknown or needs temperature extremes that the data lack.
    """
    import pyet

    if method not in METHODS:
        raise DataError(
            f"{source}: potential evapotranspiration method {method!r} is unknown; use one of {', '.join(METHODS)}"
        )
    units = np.arange(len(latitude))

    def array(values):
        return xr.DataArray(
            values, dims=("time", "unit"), coords={"time": pd.DatetimeIndex(time, name="time"), "unit": units}
        )

    radians = xr.DataArray(np.deg2rad(latitude), dims="unit", coords={"unit": units})
    if method == "hargreaves":
        if minimum is None or maximum is None:
            raise DataError(
                f"{source}: method 'hargreaves' needs minimum and maximum temperature; use 'oudin' or 'hamon'"
            )
        result = pyet.hargreaves(array(mean), array(maximum), array(minimum), lat=radians)
    else:
        result = getattr(pyet, method)(array(mean), lat=radians)
    return np.maximum(result.transpose("time", "unit").values, 0.0)
