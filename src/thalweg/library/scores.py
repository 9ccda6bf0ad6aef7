"""Predictions against observations, place by place."""

import numpy as np
import pandas as pd

from thalweg.basin.domain import DataError
from thalweg.basin.observables import observable, observations
from thalweg.metrics.calendar import counted_days
from thalweg.metrics.scores import evaluate as evaluate_series
from thalweg.units import UnitError, parse_unit

CONTINUOUS, SAMPLED = ("NSE", "KGE", "PBIAS"), ("RMSE", "bias", "NSE")  # metrics by default


def evaluate(prediction, domain, metrics=None, *, split=None, variable=None, minimum_values=100):
    """Metrics of a prediction at every place that was observed.

    Args:
        prediction: Dataset as returned by :meth:`thalweg.library.model.Model.predict`, or read from its file.
        domain: :class:`~thalweg.basin.domain.Domain` with the observations.
        metrics: names (``thalweg list metrics``) or ``package.module:function``; by default NSE, KGE and PBIAS of a variable
            recorded continuously, and RMSE, bias and NSE of samples.
        split: only the tested places and days of this split.
        variable: by default the first of the prediction that was observed.
        minimum_values: common to both series that a metric needs; fewer give NaN.

    Returns:
        DataFrame: a row per place with the metrics, ``values`` (number compared) and, for intervals, the share of
        observations inside, ``coverage_<level>``. Discharge is compared as depth, in mm per step.

    Raises:
        DataError: if nothing in the prediction was observed, or places or units differ.
    """
    predicted = [name for name in prediction.data_vars if name in domain.variables]
    name = variable or next(iter(predicted), None)
    if name not in predicted:
        raise DataError(
            f"{domain.name}/observed: '{name or ', '.join(map(str, prediction.data_vars))}' was not both predicted and observed; "
            f"observed are {', '.join(domain.variables) or 'no variables'}: add the observations"
        )
    metrics = list(metrics or (CONTINUOUS if observable(name).continuous else SAMPLED))
    places = [place for place in prediction.place.values.astype(str) if place in set(domain.place_ids)]
    if not places:
        raise DataError(
            f"{domain.name}/places: none of the predicted places is here; the first predicted is '{prediction.place.values[0]}'"
        )
    prediction = prediction.sel(place=places, time=np.intersect1d(prediction.time, domain.forcing.time))
    observed = observations(domain, name).transpose("place", "time").sel(place=places, time=prediction.time)
    counted = _counted(split, places, prediction.time.values)
    simulated = _as_observed(prediction[name], domain, places, observed.attrs["units"])
    if "member" in simulated.dims:
        simulated = simulated.mean("member")
    limits = {end: prediction.get(f"{name}_{end}") for end in ("lower", "upper")}
    limits = {
        end: _as_observed(one, domain, places, observed.attrs["units"])
        for end, one in limits.items()
        if one is not None
    }
    rows = []
    for i, place in enumerate(places):
        series = np.where(counted[i], observed.values[i], np.nan)
        one = simulated.sel(place=place).values
        row = {"place": place, **evaluate_series(one, series, metrics, minimum_values)}
        both = np.isfinite(one) & np.isfinite(series)
        row["values"] = int(both.sum())
        for j, level in enumerate(limits["lower"].level.values if len(limits) == 2 else ()):
            low, high = (limits[end].sel(place=place).values[j][both] for end in ("lower", "upper"))
            inside = (series[both] >= low) & (series[both] <= high)
            row[f"coverage_{level:g}"] = inside.mean() if len(inside) else np.nan
        rows.append(row)
    return pd.DataFrame(rows).set_index("place")


def _counted(split, places, time):
    """Days of the test at each place: bool (place, time); all without a split."""
    if split is None:
        return np.ones((len(places), len(time)), bool)
    counts = np.zeros((len(places), len(time)), bool)
    for _, fold in split.groupby("fold"):
        rows = fold.set_index("place").reindex(places)
        tested = rows.test.fillna(False).to_numpy(bool)
        if tested.any():
            counts[tested] |= counted_days(rows[tested], "test", time).T
    return counts


def _as_observed(values, domain, places, unit):
    """A prediction in the unit of the observations; discharge in m3/s becomes a depth over the drainage area."""
    stated = values.attrs.get("units", "")
    if parse_unit(stated) == parse_unit(unit):
        return values
    if not parse_unit(stated).is_compatible_with(parse_unit("m3/s")):
        raise UnitError(f"prediction: variable '{values.name}' has unit '{stated}', expected '{unit}' or m3/s")
    time = np.isin(domain.forcing.time.values, values.time.values)
    per_step = np.broadcast_to(domain.millimetres_per_step, len(time))[time]
    area = domain.places.drainage_area.sel(place=places).values
    return (values.transpose(..., "place", "time") * per_step / area[:, None]).assign_attrs(units=unit)
