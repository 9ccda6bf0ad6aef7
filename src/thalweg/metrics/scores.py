"""Metrics of simulated against observed discharge.

Every metric takes two arrays (time,), daily and in the same unit (mm/day over the gauge's catchment), drops the days
on which either is NaN, and returns a float. It returns NaN where it is not defined, as its docstring says, and where
fewer than ``minimum_days`` days remain.

Flow duration curves are compared as two separately sorted series: the lowest 30 % and the highest 2 % of each.
"""

from functools import wraps
from typing import NamedTuple

import numpy as np

from thalweg.registry import load

MINIMUM_DAYS = 365  # days on which both series are known
LOW_SHARE = 0.3  # lowest flows of a duration curve (Yilmaz et al. 2008)
HIGH_SHARE = 0.02  # highest flows of a duration curve (Yilmaz et al. 2008)
MIDDLE = (0.2, 0.7)  # exceedance probabilities of the middle segment (Yilmaz et al. 2008)
LOW_OFFSET = 1e-4  # mm/day added to the sum that FLV_linear divides by, for rivers that fall dry
LOG_FLOOR = 1e-6  # mm/day, the minimum flow whose logarithm is taken; also keeps logarithmic ratios finite
PEAK_DISTANCE = 100  # days between peaks that count as two (Gauch et al. 2021)
PEAK_WINDOW = 3  # days around an observed peak in which the simulated one is looked for


def known_days(simulated, observed):
    """Positions of the days on which both series are known.

    Returns:
        (array, array, array): positions in time (day,), simulated (day,) and observed (day,) without NaN.

    Raises:
        ValueError: if the series differ in length, are not one-dimensional, or one is infinite.
    """
    simulated, observed = np.asarray(simulated, dtype=float), np.asarray(observed, dtype=float)
    if simulated.ndim != 1 or simulated.shape != observed.shape:
        raise ValueError(
            f"simulated has shape {simulated.shape} and observed {observed.shape}; metrics compare two series (time,) "
            "of equal length: select one gauge and the same days"
        )
    for name, series in (("simulated", simulated), ("observed", observed)):
        if np.isinf(series).any():
            first = int(np.flatnonzero(np.isinf(series))[0])
            raise ValueError(
                f"{name} discharge is {series[first]} at position {first}; an infinite flow has no skill: "
                "look for a diverged training or a division by zero, or mark the day as missing with NaN"
            )
    day = np.flatnonzero(~(np.isnan(simulated) | np.isnan(observed)))
    return day, simulated[day], observed[day]


def _over_known_days(metric):
    """Call ``metric`` with series without NaN; return NaN if they are shorter than ``minimum_days``."""

    @wraps(metric)
    def over_known_days(simulated, observed, minimum_days=MINIMUM_DAYS):
        day, simulated, observed = known_days(simulated, observed)
        if len(day) < max(minimum_days, 1):
            return np.nan
        return float(metric(simulated, observed))

    del over_known_days.__wrapped__  # help() shows the signature that callers use
    return over_known_days


@_over_known_days
def nse(simulated, observed):
    """Nash-Sutcliffe efficiency, 1 - sum((s - o)^2) / sum((o - mean(o))^2).

    1 is perfect, 0 is as good as the observed mean. NaN when the observed flow is constant.
    Nash & Sutcliffe (1970), doi:10.1016/0022-1694(70)90255-6.
    """
    if np.ptp(observed) == 0:
        return np.nan
    return 1 - np.sum((simulated - observed) ** 2) / np.sum((observed - observed.mean()) ** 2)


@_over_known_days
def kge(simulated, observed):
    """Kling-Gupta efficiency of 2009, 1 - sqrt((r - 1)^2 + (alpha - 1)^2 + (beta - 1)^2).

    r is the linear correlation (0 for a constant simulation, without any variation), alpha = std(s) / std(o) and
    beta = mean(s) / mean(o). 1 is perfect, 1 - sqrt(2) = -0.41 the observed mean. NaN when the observed flow is
    constant. Gupta et al. (2009), doi:10.1016/j.jhydrol.2009.08.003.
    """
    if np.ptp(observed) == 0:
        return np.nan
    correlation, variability = _correlation(simulated, observed), np.std(simulated) / np.std(observed)
    return _distance_from_ideal(correlation, variability, simulated.mean() / observed.mean())


@_over_known_days
def kge_2012(simulated, observed):
    """Modified Kling-Gupta efficiency, 1 - sqrt((r - 1)^2 + (gamma - 1)^2 + (beta - 1)^2).

    Like the efficiency of 2009 with the ratio of coefficients of variation gamma = (std(s) / mean(s)) / (std(o) / mean(o))
    instead of alpha, so that bias does not count twice. NaN when the observed flow is constant or the mean
    simulated flow is zero. Kling et al. (2012), doi:10.1016/j.jhydrol.2012.01.011.
    """
    if np.ptp(observed) == 0 or simulated.mean() == 0:
        return np.nan
    variation = (np.std(simulated) / simulated.mean()) / (np.std(observed) / observed.mean())
    return _distance_from_ideal(_correlation(simulated, observed), variation, simulated.mean() / observed.mean())


def _correlation(simulated, observed):
    return 0.0 if np.ptp(simulated) == 0 else np.corrcoef(simulated, observed)[0, 1]


def _distance_from_ideal(*components):
    return 1 - np.sqrt(np.sum((np.array(components) - 1) ** 2))


@_over_known_days
def rmse(simulated, observed):
    """Root-mean-square error, sqrt(mean((s - o)^2)), in the unit of the series."""
    return np.sqrt(np.mean((simulated - observed) ** 2))


@_over_known_days
def bias(simulated, observed):
    """Mean error, mean(s) - mean(o), in the unit of the series; positive if the model overestimates."""
    return simulated.mean() - observed.mean()


@_over_known_days
def pbias(simulated, observed):
    """Percent bias, 100 sum(s - o) / sum(o); positive if the model overestimates.

    NaN when no water was observed. The sign follows Yilmaz et al. (2008); Moriasi et al. (2007) use the opposite.
    """
    return _percent_bias(simulated, observed)


@_over_known_days
def beta_nse(simulated, observed):
    """Bias term of the decomposed NSE, (mean(s) - mean(o)) / std(o); 0 is best.

    NaN when the observed flow is constant. Gupta et al. (2009), doi:10.1016/j.jhydrol.2009.08.003.
    """
    if np.ptp(observed) == 0:
        return np.nan
    return (simulated.mean() - observed.mean()) / np.std(observed)


@_over_known_days
def fhv(simulated, observed):
    """Bias of the highest 2 % of flows, 100 sum(s - o) / sum(o) over the top of both sorted series, in percent.

    Yilmaz et al. (2008), doi:10.1029/2007WR006716.
    """
    return _percent_bias(_segments(simulated)[2], _segments(observed)[2])


@_over_known_days
def flv_linear(simulated, observed):
    """Bias of the lowest 30 % of flows, 100 sum(s - o) / (sum(o) + 1e-4), in percent: the variant of dMG and hydroDL.

    Linear, of the volume: not comparable with :func:`flv_log`. The offset is dMG's, hydroDL has none. Feng et al.
    (2020), doi:10.1029/2019WR026793.
    """
    return _percent_bias(_segments(simulated)[0], _segments(observed)[0], LOW_OFFSET)


@_over_known_days
def flv_log(simulated, observed):
    """Bias of the lowest 30 % of flows in logarithms, in percent: the variant of Yilmaz and NeuralHydrology.

    -100 (S - O) / (O + 1e-6), where S = sum(ln s - ln min(s)) over the low segment and O likewise, flows below
    1e-6 mm/day counted as 1e-6. It measures the shape of the recession below the low segment's top, not its volume: a
    simulation that is a multiple of the observed flow scores 0. Yilmaz et al. (2008), doi:10.1029/2007WR006716.
    """
    simulated, observed = (np.log(np.maximum(_segments(flow)[0], LOG_FLOOR)) for flow in (simulated, observed))
    if len(observed) == 0:
        return np.nan
    simulated, observed = np.sum(simulated - simulated.min()), np.sum(observed - observed.min())
    return -100 * (simulated - observed) / (observed + LOG_FLOOR)


@_over_known_days
def fms(simulated, observed):
    """Bias of the slope of the flow duration curve's middle, between exceedances 0.2 and 0.7, in percent.

    100 (S - O) / (O + 1e-6), where S = ln s(0.2) - ln s(0.7) and O likewise, flows below 1e-6 mm/day counted as 1e-6;
    negative when the simulated curve is too flat. Yilmaz et al. (2008), doi:10.1029/2007WR006716.
    """
    simulated, observed = _middle_slope(simulated), _middle_slope(observed)
    return 100 * (simulated - observed) / (observed + LOG_FLOOR)


@_over_known_days
def rmse_low(simulated, observed):
    """Root-mean-square error between the lowest 30 % of both sorted series (hydroDL), in the unit of the series."""
    return _segment_rmse(simulated, observed, 0)


@_over_known_days
def rmse_mid(simulated, observed):
    """Root-mean-square error between ranks 30 to 98 % of both sorted series (hydroDL), in the unit of the series."""
    return _segment_rmse(simulated, observed, 1)


@_over_known_days
def rmse_high(simulated, observed):
    """Root-mean-square error between the highest 2 % of both sorted series (hydroDL), in the unit of the series."""
    return _segment_rmse(simulated, observed, 2)


def _segments(flow):
    """The lowest 30 %, the middle and the highest 2 % of a series, each in ascending order."""
    ranked = np.sort(flow)
    low, high = round(LOW_SHARE * len(flow)), round((1 - HIGH_SHARE) * len(flow))
    return ranked[:low], ranked[low:high], ranked[high:]


def _percent_bias(simulated, observed, offset=0.0):
    total = observed.sum() + offset
    return np.nan if total == 0 else 100 * np.sum(simulated - observed) / total


def _segment_rmse(simulated, observed, segment):
    simulated, observed = _segments(simulated)[segment], _segments(observed)[segment]
    return np.sqrt(np.mean((simulated - observed) ** 2)) if len(observed) else np.nan


def _middle_slope(flow):
    falling = np.log(np.maximum(np.sort(flow)[::-1], LOG_FLOOR))
    upper, lower = (min(round(share * len(flow)), len(flow) - 1) for share in MIDDLE)
    return falling[upper] - falling[lower]


def peak_timing(simulated, observed, minimum_days=MINIMUM_DAYS):
    """Mean absolute time between observed peaks and the simulated peaks nearest to them, in days.

    An observed peak rises by more than the standard deviation of the observed flow and is 100 days or more from a
    larger one. Its simulated peak is the same day when that is a local maximum of the simulation, and otherwise the
    day of maximum flow within three days before and after, so an error is never above 3. Peaks with a missing day in
    that window are left out. NaN when no peak is left. Gauch et al. (2021), doi:10.5194/hess-25-2045-2021, appendix.
    """
    from scipy.signal import find_peaks  # takes a second to import, and no other metric needs it

    day, simulated, observed = known_days(simulated, observed)
    if len(day) < max(minimum_days, 1):
        return np.nan
    errors = []
    for peak in find_peaks(observed, distance=PEAK_DISTANCE, prominence=np.std(observed))[0]:
        first, last = peak - PEAK_WINDOW, peak + PEAK_WINDOW
        if first < 0 or last >= len(day) or day[last] - day[first] != 2 * PEAK_WINDOW:
            continue
        if simulated[peak] > max(simulated[peak - 1], simulated[peak + 1]):
            errors.append(0)
        else:
            errors.append(abs(int(np.argmax(simulated[first : last + 1])) - PEAK_WINDOW))
    return float(np.mean(errors)) if errors else np.nan


class Metric(NamedTuple):
    """A metric and its meaning: ``direction`` is ``higher``, ``lower`` or ``closer`` (to ``best``, from both sides).

    The unit ``mm/day`` is that of discharge; of other series their own unit.
    """

    function: callable
    unit: str
    best: float
    direction: str


class Metrics(dict):
    """Metrics by name; external ones as ``package.module:function``.

    Such a function takes (simulated, observed, minimum_days), like those here, and declares itself: ``function.metric`` is its
    ``(unit, best, direction)``.
    """

    def __missing__(self, name):
        if ":" not in name:
            raise KeyError(f"metric {name!r} is unknown; available: {', '.join(self)}, or package.module:function")
        function = load("metric", name)
        if not hasattr(function, "metric"):
            raise KeyError(
                f"metric {name!r} does not declare itself; set {function.__name__}.metric = (unit, best, direction)"
            )
        return Metric(function, *function.metric)

    def __contains__(self, name):
        return super().__contains__(name) or (":" in name and bool(self[name]))


METRICS = Metrics(
    {
        "NSE": Metric(nse, "dimensionless", 1.0, "higher"),
        "KGE": Metric(kge, "dimensionless", 1.0, "higher"),
        "KGE_2012": Metric(kge_2012, "dimensionless", 1.0, "higher"),
        "FHV": Metric(fhv, "percent", 0.0, "closer"),
        "FLV_linear": Metric(flv_linear, "percent", 0.0, "closer"),
        "FLV_log": Metric(flv_log, "percent", 0.0, "closer"),
        "FMS": Metric(fms, "percent", 0.0, "closer"),
        "PBIAS": Metric(pbias, "percent", 0.0, "closer"),
        "beta_NSE": Metric(beta_nse, "dimensionless", 0.0, "closer"),
        "bias": Metric(bias, "mm/day", 0.0, "closer"),
        "RMSE": Metric(rmse, "mm/day", 0.0, "lower"),
        "RMSE_low": Metric(rmse_low, "mm/day", 0.0, "lower"),
        "RMSE_mid": Metric(rmse_mid, "mm/day", 0.0, "lower"),
        "RMSE_high": Metric(rmse_high, "mm/day", 0.0, "lower"),
        "peak_timing": Metric(peak_timing, "day", 0.0, "lower"),
    }
)


def evaluate(simulated, observed, names=tuple(METRICS), minimum_days=MINIMUM_DAYS):
    """The named metrics of one gauge.

    Args:
        simulated: discharge (time,), mm/day.
        observed: discharge (time,), mm/day.
        names: metrics of :data:`METRICS`.
        minimum_days: days on which both series must be known.

    Returns:
        dict: metric name -> value, NaN where it is not defined.

    Raises:
        KeyError: the message names the first unknown metric and those available.
        ValueError: from :func:`known_days`.
    """
    return {name: METRICS[name].function(simulated, observed, minimum_days) for name in names}
