"""Signatures of a hydrograph: model-free indices of one series of daily discharge.

Those of CAMELS, except for the slope, which is of logarithms (Addor et al. 2017, doi:10.5194/hess-21-5293-2017, Table 3,
and 2018, doi:10.1029/2018WR022606) and the flashiness index of Richards and Baker. Every signature takes discharge
(time,), daily, in mm/day over the catchment, NaN where unknown, and returns a float; NaN where it is not defined.
Quantiles are interpolated linearly between days.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd

ALPHA = 0.925  # of the baseflow filter
REFLECTED = 30  # days mirrored at both ends, and the minimum length of a record without gaps (Ladson et al. 2013)
SLOPE_BETWEEN = (0.33, 0.66)  # exceedance probabilities (Sawicz et al. 2011)
LOG_FLOOR = 1e-6  # mm/day, the minimum flow whose logarithm is taken
HIGH, LOW = 9, 0.2  # times the median (Clausen & Biggs 2000) and the mean (Olden & Poff 2003)
MIN_DAYS = 330  # with discharge, for a year's half-flow date
DAYS_PER_YEAR = 365.25


def mean_flow(discharge):
    """Mean discharge, mm/day."""
    return np.mean(_known(discharge)) if len(_known(discharge)) else np.nan


def low_flow(discharge):
    """Q5 of CAMELS: discharge that 5 % of the days stay below, mm/day."""
    return _quantile(discharge, 0.05)


def high_flow(discharge):
    """Q95 of CAMELS: discharge that 5 % of the days exceed, mm/day."""
    return _quantile(discharge, 0.95)


def flow_duration_slope(discharge):
    """Slope of the flow duration curve, (ln q(0.33) - ln q(0.66)) / (0.66 - 0.33), with q(p) exceeded on a share p of the days.

    Steep where flow varies much. Flows below 1e-6 mm/day count as 1e-6. Dimensionless. Sawicz et al. (2011),
    doi:10.5194/hess-15-2895-2011, eq. 3.
    """
    upper, lower = SLOPE_BETWEEN
    high, low = (np.log(max(_quantile(discharge, 1 - share), LOG_FLOOR)) for share in SLOPE_BETWEEN)
    return (high - low) / (lower - upper)


def baseflow_index(discharge):
    """Share of the baseflow of Lyne & Hollick's filter (1979) in discharge, standardised after Ladson et al. (2013).

    Each of three passes, forward, backward, forward, splits off the quick flow f of a series q,

        f(t) = 0.925 f(t - 1) + 0.9625 (q(t) - q(t - 1)),

    leaves q - f where f > 0 and q elsewhere, and passes it on. Each pass begins with all flow quick, 30 days before the record,
    whose ends are mirrored: constant flow for a few years is baseflow except for a hundredth. Records without gaps of more than
    30 days are filtered separately. Dimensionless; NaN without such a record or without flow.
    doi:10.7158/13241583.2013.11465417.
    """
    discharge = np.asarray(discharge, float)
    edges = np.flatnonzero(np.diff(np.isfinite(discharge), prepend=False, append=False))
    records = [discharge[first:last] for first, last in edges.reshape(-1, 2) if last - first > REFLECTED]
    total = sum(record.sum() for record in records)
    return sum(_baseflow(record).sum() for record in records) / total if total > 0 else np.nan


def _baseflow(record):
    from scipy.signal import lfilter

    flow = np.pad(record, REFLECTED, mode="reflect")
    for step in (1, -1, 1):
        flow = flow[::step]
        quick, _ = lfilter([(1 + ALPHA) / 2], [1, -ALPHA], np.diff(flow, prepend=flow[:1]), zi=flow[:1])
        flow = np.where(quick > 0, flow - quick, flow)[::step]
    return flow[REFLECTED:-REFLECTED]


def flashiness(discharge):
    """Flashiness index, sum |q(t) - q(t - 1)| / sum q(t) over the days whose day before is known.

    Dimensionless; NaN without flow. Baker et al. (2004), doi:10.1111/j.1752-1688.2004.tb01046.x, eq. 1.
    """
    discharge = np.asarray(discharge, float)
    change = np.abs(np.diff(discharge))
    known = np.isfinite(change)
    total = discharge[1:][known].sum()
    return change[known].sum() / total if total > 0 else np.nan


def high_flow_days(discharge):
    """Days a year with more than nine times the median flow, day/year. Clausen & Biggs (2000), doi:10.1016/S0022-1694(00)00306-1."""
    known = _known(discharge)
    return DAYS_PER_YEAR * np.mean(known > HIGH * np.median(known)) if len(known) else np.nan


def low_flow_days(discharge):
    """Days a year with less than a fifth of the mean flow, day/year. Olden & Poff (2003), doi:10.1002/rra.700."""
    known = _known(discharge)
    return DAYS_PER_YEAR * np.mean(known < LOW * np.mean(known)) if len(known) else np.nan


def half_flow_day(discharge, time):
    """Days after 1 October by which half of a water year's discharge has run off; the mean over water years, day.

    Years with discharge on fewer than 330 days, or without flow, are not counted. Court (1962), doi:10.1029/JZ067i011p04335.

    Args:
        discharge: (time,), mm/day.
        time: days (time,).
    """
    days = pd.DatetimeIndex(time)
    series = pd.Series(np.asarray(discharge, float), index=days)
    halves = []
    for year, part in series.groupby(np.asarray(days.year + (days.month >= 10))):
        if part.count() >= MIN_DAYS and part.sum() > 0:
            reached = part.fillna(0).cumsum() >= part.sum() / 2
            halves.append((reached.idxmax() - pd.Timestamp(year - 1, 10, 1)).days)
    return np.mean(halves) if halves else np.nan


def _known(discharge):
    discharge = np.asarray(discharge, float)
    return discharge[np.isfinite(discharge)]


def _quantile(discharge, share):
    known = _known(discharge)
    return np.quantile(known, share) if len(known) else np.nan


class Signature(NamedTuple):
    """A signature of the registry; ``dated`` if its function also needs the days."""

    function: callable
    unit: str
    dated: bool = False


SIGNATURES = {
    "mean_flow": Signature(mean_flow, "mm/day"),
    "low_flow": Signature(low_flow, "mm/day"),
    "high_flow": Signature(high_flow, "mm/day"),
    "flow_duration_slope": Signature(flow_duration_slope, "dimensionless"),
    "baseflow_index": Signature(baseflow_index, "dimensionless"),
    "flashiness": Signature(flashiness, "dimensionless"),
    "half_flow_day": Signature(half_flow_day, "day", dated=True),
    "high_flow_days": Signature(high_flow_days, "day/year"),
    "low_flow_days": Signature(low_flow_days, "day/year"),
}


def signatures(discharge, time):
    """All signatures of one gauge.

    Args:
        discharge: (time,), mm/day, NaN where unknown.
        time: days (time,).

    Returns:
        dict: name in :data:`SIGNATURES` -> float, NaN where it is not defined.
    """
    return {
        name: float(signature.function(discharge, time) if signature.dated else signature.function(discharge))
        for name, signature in SIGNATURES.items()
    }
