"""What a model thinks of a place: parameters beside those of its neighbours, water balance, fluxes, elasticity."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import xarray as xr

from thalweg.basin.domain import DataError, spatial_domain
from thalweg.basin.observables import observable
from thalweg.basin.places import great_circle, vectors_of
from thalweg.library.model import Model, load

NEIGHBOURS = 8
SERIES = ("precipitation", "potential_evapotranspiration", "temperature")


@dataclass(frozen=True)
class Explanation:
    """What a model thinks of one place.

    Attributes:
        place: its id.
        model: in words.
        parameters: DataFrame by parameter that does not change in time: value (mean over members and components), spread (standard deviation over members),
            low, high, share (position between the bounds, 0 to 1), neighbours_low, neighbours_median, neighbours_high (quartiles
            of the nearest places of the domain), unit, meaning.
        balance: DataFrame by term: mean, unit; precipitation, evapotranspiration, discharge, change of storage and others.
        elasticity: DataFrame by input: percent of change of the mean prediction per percent of change of an input.
        fluxes: Dataset (time) of the process.
        prediction: Dataset (time), as returned by :meth:`~thalweg.library.model.Model.predict`, with the observation if there is one.
        outside: DataFrame of inputs outside the range seen in training.
        neighbours: ids of the nearest places.
    """

    place: str
    model: str
    parameters: pd.DataFrame
    balance: pd.DataFrame
    elasticity: pd.DataFrame
    fluxes: xr.Dataset
    prediction: xr.Dataset
    outside: pd.DataFrame
    neighbours: tuple[str, ...]

    def __str__(self):
        parts = [f"{self.place}: {self.model}"]
        if len(self.parameters):
            columns = ["value", "unit", "share", "spread", "neighbours_median", "low", "high", "meaning"]
            parts += ["Parameters (share: position between the bounds, 0 to 1)", self._table(self.parameters[columns])]
        parts += ["Means over the forcing", self._table(self.balance)]
        if len(self.elasticity):
            parts += ["Elasticity of the mean prediction (% per % of change)", self._table(self.elasticity)]
        if len(self.outside):
            parts += ["Inputs outside the range seen in training", self._table(self.outside.set_index("input"))]
        else:
            parts.append("All inputs lie within the range seen in training.")
        return "\n\n".join(parts) + "\n"

    @staticmethod
    def _table(frame):
        return frame.to_string(float_format=lambda value: f"{value:.4g}")


def explain(model, domain, place):
    """What a model thinks of a place.

    Args:
        model: :class:`~thalweg.library.model.Model`, its name or its file.
        domain: :class:`~thalweg.basin.domain.Domain`; places of the same domain are the neighbours.
        place: id.

    Returns:
        Explanation

    Raises:
        DataError: if there is no such place.
    """
    model = model if isinstance(model, Model) else load(model)
    if place not in domain.place_ids:
        raise DataError(
            f"{domain.name}/places: there is no place '{place}'; there are {', '.join(domain.place_ids[:10])}, ..."
        )
    nearest = _nearest(domain, place)
    local = _only(domain, [place])
    prediction = model.predict(local)
    name = model.variables[0]
    if name in domain.variables:
        observed = domain.observed[name].sel(place=[place]).transpose("place", "time")
        prediction["observed"] = (("place", "time"), observed.values, observed.attrs)
    fluxes = model.fluxes(local).isel(place=0, drop=True) if model.process is not None else xr.Dataset()
    return Explanation(
        place,
        model.description,
        _parameters(model, domain, place, nearest) if model.process is not None else pd.DataFrame(),
        _balance(model, local, prediction, fluxes),
        _percent(model.elasticity(local)) if _relative(prediction[name]) else _percent(pd.DataFrame(index=[place])),
        fluxes,
        prediction.isel(place=0, drop=True),
        model.outside(local),
        tuple(nearest),
    )


def _nearest(domain, place):
    others = [one for one in domain.place_ids if one != place]
    if not others or "latitude" not in domain.places:
        return others[:NEIGHBOURS]
    position = vectors_of(domain.places)
    distance = great_circle(position, position[list(domain.place_ids).index(place)])
    order = np.argsort(distance, kind="stable")
    return [domain.place_ids[i] for i in order if domain.place_ids[i] != place][:NEIGHBOURS]


def _only(domain, places):
    """The domain with some of its places; all units and reaches remain."""
    return replace(domain, places=domain.places.sel(place=places), observed=domain.observed.sel(place=places))


def _parameters(model, domain, place, nearest):
    """Parameters of the place beside those of its neighbours, each the mean over the units that drain to it."""
    some = _only(domain, [place, *nearest])
    seen = spatial_domain(some, model.job.model)
    values = model.parameters(some)
    if any(observable(name).gather != "unit" for name in model.variables):
        weights = seen.catchment_weights
    else:
        weights = np.eye(len(seen.unit_ids))[seen.place_units]
    rows = []
    for name, parameter in values.data_vars.items():
        at_places = np.asarray((weights @ parameter.values.T).T)  # (member, place)
        mean, low, high = at_places.mean(0), parameter.attrs["low"], parameter.attrs["high"]
        around = np.percentile(mean[1:], [25, 50, 75]) if len(mean) > 1 else np.full(3, np.nan)
        rows.append(
            {
                "parameter": name,
                "value": mean[0],
                "unit": parameter.attrs["units"],
                "spread": at_places[:, 0].std(),
                "low": low,
                "high": high,
                "share": (mean[0] - low) / (high - low),
                **dict(zip(("neighbours_low", "neighbours_median", "neighbours_high"), around)),
                "meaning": parameter.attrs["long_name"],
                "learned": not parameter.attrs["known"],
            }
        )
    return pd.DataFrame(rows).set_index("parameter")


def _balance(model, domain, prediction, fluxes):
    """Means of inputs, fluxes and prediction; for catchments also what remains of the water balance."""
    weights = domain.catchment_weights if "area" in domain.attributes else None
    rows = []
    for name in SERIES:
        if name in domain.forcing and weights is not None:
            mean = float((domain.forcing[name].values.mean(0) @ weights.T.toarray())[0])
            rows.append((name, mean, domain.forcing[name].attrs["units"], "forcing"))
    for name, flux in fluxes.data_vars.items():
        rows.append((name, float(flux.mean()), flux.attrs["units"], "process"))
    for name in (*model.variables, "observed"):
        if name in prediction:
            rows.append(
                (
                    f"{name} (prediction)" if name != "observed" else name,
                    float(prediction[name].mean()),
                    prediction[name].attrs["units"],
                    "place",
                )
            )
    means = {row[0]: row[1] for row in rows}
    if {"precipitation", "evapotranspiration", "runoff"} <= means.keys():
        rest = means["precipitation"] + means.get("exchange", 0.0) - means["evapotranspiration"] - means["runoff"]
        rows.append(
            (
                "change of storage",
                rest,
                f"mm/{domain.step}",
                f"precipitation {'+ exchange ' if 'exchange' in means else ''}- evapotranspiration - runoff",
            )
        )
    return pd.DataFrame(rows, columns=["term", "mean", "unit", "of"]).set_index("term")


def _relative(values):
    """Whether a change in percent has a meaning: not of a temperature in degC."""
    return "degC" not in values.attrs["units"]


def _percent(table):
    return table.T.rename_axis("input").set_axis(["elasticity"], axis=1)
