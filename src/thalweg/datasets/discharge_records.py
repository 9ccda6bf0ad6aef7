"""Daily discharge where it was measured on some days only, and numbers that describe a record of discharge.

Record extension: the logarithm of discharge at a site is a sum of the logarithms of discharge at gauges nearby and of
their exponential means, which represent the slower flow of groundwater, with weights that are never negative (so that
more water at the gauges never means less at the site; Lawson and Hanson 1974, Solving Least Squares Problems). A share of what
the residual on the days measured is carried to the days between them by linear interpolation, ending ``MEMORY`` days
before the first and after the last of them; the share, between 0 and 1, is the one that best predicts days left out: near 1
in a river fed by groundwater, near 0 in a flashy one.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

MEANS = (10, 60, 250)  # days
MEMORY = 30  # days
OUTLIER = 5.0  # robust standard deviations
MIN_FLOW = 1e-3  # m3/s, added to discharge before its logarithm is taken where it may be 0
RATIO = 3.0  # of measured to expected discharge; below it no value is an outlier
MEDIAN_DEVIATION = 1.4826  # standard deviation of a normal distribution over its median absolute deviation


@dataclass(frozen=True)
class Extension:
    """A daily record derived from the days measured.

    ``daily``: Series (time,), m3/s. ``used``, ``set_aside``: number of days measured that were used, and the Series of those
    that differ from the value predicted by the others by more than a factor of 3 and 5 robust standard deviations (mostly
    faults of the record; but possibly a flood of a small river only). ``carried``: the share of the residual that is
    carried on. ``r2``: of the logarithm; ``nse``: Nash-Sutcliffe efficiency of discharge; both for each day measured, left
    out in turn.
    """

    daily: pd.Series
    used: int
    set_aside: pd.Series
    carried: float
    r2: float
    nse: float


def extend(measured, gauges):
    """Daily discharge at a site from days measured and from gauges nearby.

    Args:
        measured: Series (day,) of discharge at the site, m3/s, above 0.
        gauges: DataFrame (time, gauge) of daily discharge, m3/s, above 0 and without gaps; starting years before the first
            day measured, so that the slow means have settled.

    Returns:
        Extension: on the days of ``gauges``.
    """
    predictors = _predictors(gauges)
    measured = np.log(measured[measured.index.isin(gauges.index)])
    days, at = _days(measured.index), predictors.loc[measured.index].to_numpy()
    logarithm = measured.to_numpy()
    error, carried = _left_out(days, logarithm, at)
    spread = MEDIAN_DEVIATION * np.median(np.abs(error - np.median(error)))
    used = np.abs(error) <= max(OUTLIER * spread, np.log(RATIO))
    set_aside, days, logarithm, at = np.exp(measured[~used]), days[used], logarithm[used], at[used]
    if not used.all():
        error, carried = _left_out(days, logarithm, at)
    total, missed = _predict(days, logarithm, at, _days(gauges.index), predictors.to_numpy())
    return Extension(
        daily=pd.Series(np.exp(total + carried * missed), predictors.index, name="discharge"),
        used=len(logarithm),
        set_aside=set_aside,
        carried=carried,
        r2=_efficiency(logarithm - error, logarithm),
        nse=_efficiency(np.exp(logarithm - error), np.exp(logarithm)),
    )


def _predictors(gauges):
    means = [gauges, *(gauges.ewm(span=days).mean() for days in MEANS)]
    return np.log(pd.concat(means, axis=1, keys=range(len(means))))


def _days(index):
    return (pd.DatetimeIndex(index) - pd.Timestamp(0)).days.to_numpy()


def _predict(days, logarithm, at, wanted, predictors):
    """The fitted sum of logarithms on the requested days, and its residual between the days measured: arrays (wanted,).

    Args:
        days, logarithm, at: numbers of the days measured, logarithm of discharge (day,), predictors (day, predictor).
        wanted, predictors: numbers of the requested days (wanted,), predictors (wanted, predictor).
    """
    from scipy.optimize import nnls

    # The constant is the difference of two weights, so that it alone may be negative.
    weights, _ = nnls(np.column_stack([np.ones(len(at)), -np.ones(len(at)), at]), logarithm)
    constant, weights = weights[0] - weights[1], weights[2:]
    missed = np.r_[0.0, logarithm - constant - at @ weights, 0.0]
    knots = np.r_[days[0] - MEMORY, days, days[-1] + MEMORY]
    return constant + predictors @ weights, np.interp(wanted, knots, missed)


def _left_out(days, logarithm, at):
    """Error of each day measured when predicted from the others, and the carried share that minimises it."""
    found = []
    for day in range(len(days)):
        others = np.arange(len(days)) != day
        found.append(_predict(days[others], logarithm[others], at[others], days[[day]], at[[day]]))
    total, missed = (np.concatenate(part) for part in zip(*found, strict=True))
    error = logarithm - total
    carried = float(np.clip((error @ missed) / max(missed @ missed, 1e-12), 0.0, 1.0))
    return error - carried * missed, carried


def _efficiency(predicted, measured):
    return float(1 - ((predicted - measured) ** 2).sum() / ((measured - measured.mean()) ** 2).sum())


def relate(record, others):
    """A record whose gaps are filled from the most similar other record.

    Maintenance of variance, type 1 (MOVE.1; Hirsch 1982, doi:10.1029/WR018i004p01081), of the logarithms.

    Args:
        record: Series (time,) of discharge with gaps, m3/s, not negative.
        others: DataFrame (time, site) of discharge without gaps, m3/s, not negative.

    Returns:
        (Series, name): the record without gaps, and the site used.
    """
    logarithm, logarithms = np.log(record + MIN_FLOW), np.log(others + MIN_FLOW)
    known = record.notna()
    related = logarithms[known].corrwith(logarithm[known]).idxmax()
    x, y = logarithms[related], logarithm[known]
    guess = np.exp(y.mean() + (x - x[known].mean()) * y.std() / x[known].std()) - MIN_FLOW
    return record.fillna(guess.clip(lower=0.0)), related


def base_flow_index(discharge):
    """Share of base flow by smoothed minima of 5 days (Gustard et al. 1992, Institute of Hydrology report 108).

    Args:
        discharge: array (time,), daily and without gaps, of any unit.

    Returns:
        float between 0 and 1.
    """
    discharge = np.asarray(discharge, dtype=float)
    blocks = discharge[: len(discharge) // 5 * 5].reshape(-1, 5)
    minima, days = blocks.min(1), blocks.argmin(1) + 5 * np.arange(len(blocks))
    turning = 1 + np.flatnonzero(0.9 * minima[1:-1] < np.minimum(minima[:-2], minima[2:]))
    if len(turning) < 2:
        return float(discharge.min() / discharge.mean())
    first, last = days[turning[[0, -1]]]
    between = np.arange(first, last + 1)
    base = np.minimum(np.interp(between, days[turning], minima[turning]), discharge[between])
    return float(base.sum() / discharge[between].sum())


def flashiness(discharge):
    """Richards-Baker index: sum of the changes from day to day over the sum of discharge (Baker et al. 2004,
    doi:10.1111/j.1752-1688.2004.tb01046.x).

    Args:
        discharge: array (time,), daily and without gaps, of any unit.
    """
    discharge = np.asarray(discharge, dtype=float)
    return float(np.abs(np.diff(discharge)).sum() / discharge[1:].sum())
