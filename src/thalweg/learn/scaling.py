"""Normalisation: network inputs have mean 0 and deviation 1 over the training units and the training period only."""

from dataclasses import asdict, dataclass, field, replace

import numpy as np
import pandas as pd

from thalweg.basin.domain import DataError

REACH_LOGARITHMS = {"slope": 1e-5, "drainage_area": 1.0, "width": 0.1}  # taken as logarithms, of at least this value
WIDE = 30.0  # ratio of maximum to minimum value of an attribute that is taken as a logarithm
PATCH_DAYS = 73  # days of forcing in a patch of history: a fifth of a year, so that patches keep to the seasons
MAX_PATCHES = 25  # of a history, the last of the training period
HIGH_PRECIPITATION = 5.0  # times the mean: a day of high precipitation (Addor et al. 2017)
LOW_PRECIPITATION = 1.0  # mm/day, below it a day is dry
SNOW_TEMPERATURE = 0.0  # degC; precipitation below it counts as snow in the climate attributes


CLIMATE = (
    "precipitation",
    "temperature",
    "potential_evapotranspiration",
)  # network inputs if all three are present


@dataclass(frozen=True)
class Scaling:
    """Means and deviations of attributes (attribute,) and forcing (variable,), with the names they belong to.

    Periods are first and last date, so that a domain that begins on another day gives the same numbers.
    """

    attributes: tuple[str, ...]
    attribute_mean: list[float]
    attribute_deviation: list[float]
    forcing: tuple[str, ...]
    forcing_mean: list[float]
    forcing_deviation: list[float]
    target_mean: dict[str, float]  # of each observed variable: the scale of a model without a process
    climate_period: tuple[str, str] | None = None  # whose climate indices are attributes
    history_period: tuple[str, str] | None = None  # the training period, whose forcing a transformer reads
    reach_mean: list[float] | None = None
    reach_deviation: list[float] | None = None
    logarithms: dict[str, float] = field(default_factory=dict)  # attributes taken as logarithms, of at least this value

    def to_dict(self):
        return asdict(self)

    def attribute_inputs(self, domain):
        """Scaled attributes of every unit of ``domain``: array (unit, attribute)."""
        values = _attribute_values(domain, self.attributes, self.climate_period, self.logarithms)
        return (values - np.array(self.attribute_mean)) / np.array(self.attribute_deviation)

    def reach_inputs(self, domain):
        """Scaled attributes of every reach of ``domain``: array (reach, attribute)."""
        return (reach_attributes(domain) - np.array(self.reach_mean)) / np.array(self.reach_deviation)

    def forcing_inputs(self, domain, days=slice(None)):
        """Scaled forcing: array (time, unit, variable)."""
        values = np.stack([domain.forcing[name].values[days] for name in self.forcing], axis=-1)
        return (values - np.array(self.forcing_mean)) / np.array(self.forcing_deviation)

    @property
    def history_patches(self):
        """Number of whole patches of :data:`PATCH_DAYS` in the history, at most :data:`MAX_PATCHES`."""
        if self.history_period is None:
            return 0
        first, last = (np.datetime64(day) for day in self.history_period)
        return min((int((last - first) / np.timedelta64(1, "D")) + 1) // PATCH_DAYS, MAX_PATCHES)

    def history_inputs(self, domain):
        """Scaled forcing of the last days of the training period: array (unit, patch, day and variable)."""
        last, days = positions_of(domain, self.history_period)[1], self.history_patches * PATCH_DAYS
        values = self.forcing_inputs(domain, slice(last - days, last)).transpose(1, 0, 2)
        return values.reshape(len(values), self.history_patches, PATCH_DAYS * len(self.forcing))


def positions_of(domain, period):
    """Positions ``(start, stop)`` of the days of a period ``(first, last)`` in the forcing, stop excluded.

    Raises:
        DataError: if the domain does not cover the period.
    """
    time = pd.DatetimeIndex(domain.forcing.time.values)
    first, last = (pd.Timestamp(day) for day in period)
    if first.normalize() < time[0].normalize() or last.normalize() > time[-1].normalize():
        raise DataError(
            f"{domain.name}/forcing: it covers {time[0].date()} to {time[-1].date()}, but the inputs of the network are computed "
            f"from {first.date()} to {last.date()}; include forcing of that period"
        )
    return int(time.searchsorted(first)), int(time.searchsorted(last, side="right"))


def transferred(scaling, domain, period=None):
    """The scaling for a domain that does not cover the years in which it computes climate indices and reads histories.

    Args:
        scaling: of a trained model.
        domain: another :class:`~thalweg.basin.domain.Domain`.
        period: first and last date used where the domain does not cover those of the training; None for its whole forcing.

    Raises:
        DataError: if a history is too short for the model.
    """
    time = domain.forcing.time.values
    period = tuple(map(str, period or (pd.Timestamp(time[0]), pd.Timestamp(time[-1]))))
    names = ("climate_period", "history_period")
    changed = {one: period for one in names if getattr(scaling, one) and not _covers(domain, getattr(scaling, one))}
    other = replace(scaling, **changed)
    if other.history_patches != scaling.history_patches:
        raise DataError(
            f"{domain.name}/forcing: the model reads the forcing of {' to '.join(scaling.history_period)}; include these years"
        )
    return other


def _covers(domain, period):
    try:
        positions_of(domain, period)
    except DataError:
        return False
    return True


def _period(domain, days):
    time = domain.forcing.time.values
    return tuple(str(pd.Timestamp(time[day])) for day in (days[0], days[1] - 1))


def climate_attributes(domain, period):
    """The nine climate indices of Addor et al. (2017, doi:10.5194/hess-21-5293-2017) of each unit over a period.

    They are computed from the training period: climate means over a whole record would leak the years a model is
    tested on. A duration is the mean length of spells, in days, 0 where there is none; frequencies are shares of days. Of months
    only the means, aridity, seasonality and the share of snow are used; the last two need a temperature.

    Returns:
        dict: name -> array (unit,).

    Raises:
        DataError: without precipitation or potential evapotranspiration.
    """
    names = [name for name in CLIMATE if name in domain.forcing or name != "temperature"]
    missing = [name for name in names if name not in domain.forcing]
    if missing:
        raise DataError(
            f"{domain.name}/forcing: climate indices need '{missing[0]}', which is missing; add it, or set "
            "training.climate_attributes to false"
        )
    window = domain.forcing[names].isel(time=slice(*positions_of(domain, period)))
    if domain.step == "hour":
        daily = window.resample(time="1D")
        window = daily.sum().assign({name: daily.mean()[name] for name in names if name == "temperature"})
    rain = window.precipitation.values
    demand = window.potential_evapotranspiration.values.mean(0)
    mean = np.maximum(rain.mean(0), 1e-6)
    indices = {
        "mean_precipitation": rain.mean(0),
        "mean_potential_evapotranspiration": demand,
        "aridity": demand / mean,
    }
    if "temperature" in window:
        temperature = window.temperature.values
        indices["precipitation_seasonality"] = _seasonality(window.time.dt.dayofyear.values, rain / mean, temperature)
        indices["snow_share"] = (rain * (temperature < SNOW_TEMPERATURE)).mean(0) / mean
    if domain.step == "month":
        return indices
    high, low = rain >= HIGH_PRECIPITATION * mean, rain < LOW_PRECIPITATION
    return indices | {
        "high_precipitation_frequency": high.mean(0),
        "high_precipitation_duration": _duration(high),
        "low_precipitation_frequency": low.mean(0),
        "low_precipitation_duration": _duration(low),
    }


def _seasonality(day_of_year, rain, temperature):
    """Amplitude of the annual wave of relative precipitation, in phase with temperature's (Woods 2009): arrays (unit,).

    Positive with most precipitation in the warm season, negative with most in the cold one, near 0 without a season.
    """
    angle = 2 * np.pi * day_of_year / 365.25
    waves = np.stack([np.cos(angle), np.sin(angle)])
    of_rain, of_temperature = (
        2 * waves @ values / len(angle) for values in (rain - 1.0, temperature - temperature.mean(0))
    )
    return (of_rain * of_temperature).sum(0) / np.maximum(np.linalg.norm(of_temperature, axis=0), 1e-6)


def _duration(spell):
    """Mean length of the spells in a mask (time, unit), in steps: array (unit,)."""
    begins = spell[:1].sum(0) + (spell[1:] & ~spell[:-1]).sum(0)
    return spell.sum(0) / np.maximum(begins, 1)


def _attribute_values(domain, names, climate_period, logarithms=None):
    climate = climate_attributes(domain, climate_period) if climate_period is not None else {}
    columns = [climate[name] if name in climate else domain.attributes[name].values for name in names]
    for name, minimum in (logarithms or {}).items():
        columns[names.index(name)] = np.log(np.maximum(columns[names.index(name)], minimum))
    return np.stack(columns, axis=-1).astype(float)


def reach_attributes(domain):
    """Inputs from which roughness and section are learned: array (reach, attribute); None if the reaches have no geometry."""
    network = domain.network
    if network is None or any(
        name not in network for name in ("length", "slope", "width", "drainage_area", "elevation")
    ):
        return None
    columns = [np.log10(np.maximum(network[name].values, low)) for name, low in REACH_LOGARITHMS.items()]
    return np.stack([*columns, network.elevation.values], axis=-1)


def fit_scaling(domain, units, days, target_mean, climate=True, logarithmic=False, history=False):
    """Scaling from the training units and days.

    Args:
        domain: the :class:`~thalweg.basin.domain.Domain`.
        units: positions of the training units.
        days: positions ``(first, last)`` of the training period, last excluded.
        target_mean: mean of each observed variable at the training places in the period, in the unit of comparison.
        climate: add :func:`climate_attributes`.
        logarithmic: take attributes above 0 that span orders of magnitude among the training units, such as drainage areas,
            as logarithms.
        history: keep the period, for a transformer that reads its forcing.

    Returns:
        Scaling

    Raises:
        DataError: if a history is needed and the domain's step is not a day.
    """
    if history and domain.step != "day":
        raise DataError(
            f"{domain.name}: a transformer needs patches of {PATCH_DAYS} days, but the step is {domain.step}; use network: attributes"
        )
    period = _period(domain, days)
    climate_period = period if climate else None
    names = list(domain.inputs)
    if climate:
        names += list(climate_attributes(domain, period))
    values = _attribute_values(domain, names, climate_period)[units]
    logarithms = {}
    if logarithmic:
        low, high = values.min(0), values.max(0)
        logarithms = {name: float(a) for name, a, b in zip(names, low, high) if a > 0 and b > WIDE * a}
        values = _attribute_values(domain, names, climate_period, logarithms)[units]
    reaches = reach_attributes(domain)
    if reaches is not None:
        used = np.isin(domain.network.reach.values, np.unique(domain.network.unit_reach.values[units]))
        reaches = reaches[used]
    seen = CLIMATE if all(name in domain.forcing for name in CLIMATE) else tuple(domain.forcing.data_vars)
    forcing = np.stack([domain.forcing[name].values[days[0] : days[1], units] for name in seen], axis=-1)
    return Scaling(
        attributes=tuple(names),
        attribute_mean=values.mean(0).tolist(),
        attribute_deviation=_safe(values.std(0)).tolist(),
        forcing=seen,
        forcing_mean=forcing.mean((0, 1)).tolist(),
        forcing_deviation=_safe(forcing.std((0, 1))).tolist(),
        target_mean={name: float(mean) for name, mean in target_mean.items()},
        climate_period=climate_period,
        history_period=period if history else None,
        reach_mean=None if reaches is None else reaches.mean(0).tolist(),
        reach_deviation=None if reaches is None else _safe(reaches.std(0)).tolist(),
        logarithms=logarithms,
    )


def _safe(deviation):
    """A deviation to divide by: 1 for variables constant over the training units."""
    return np.where(deviation > 1e-9, deviation, 1.0)
