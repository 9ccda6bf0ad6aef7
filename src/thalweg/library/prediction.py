"""Predictions as Datasets with units and calibrated intervals."""

import numpy as np
import pandas as pd
import xarray as xr

from thalweg.basin.observables import observable
from thalweg.experiments.model_file import ModelFileError
from thalweg.metrics import conformal


def dataset_of(model, domain, simulated, outside, members, levels):
    """A prediction as a Dataset; see :meth:`thalweg.library.model.Model.predict`.

    Args:
        model: :class:`~thalweg.library.members.Members`.
        domain: that is predicted.
        simulated: variable -> array (member, place, time), in the unit of training.
        outside: place -> number of inputs outside the range seen in training.
        members: whether each member is kept.
        levels: probabilities of intervals.
    """
    coords = {"place": domain.place_ids, "time": domain.forcing.time.values}
    if members:
        coords |= {name: ("member", [m[i] for m in model.members]) for i, name in enumerate(("fold", "seed"))}
    data = {}
    for name, values in simulated.items():
        unit, factor = model.setting.units[name], 1.0
        if observable(name).gather == "routed":
            per_step = np.broadcast_to(domain.millimetres_per_step, values.shape[-1])
            factor, unit = domain.places.drainage_area.values[:, None] / per_step, "m3/s"
        attrs = {"units": unit, "long_name": f"simulated {name.replace('_', ' ')}"}
        mean = values.mean(0)
        data[name] = (
            (("member", "place", "time"), values * factor, attrs)
            if members
            else (("place", "time"), mean * factor, attrs)
        )
        fitted = (model.header["intervals"] or {}).get(name)
        if fitted and levels:
            for end, limit in zip(("lower", "upper"), _limits(model, values, fitted, levels)):
                text = f"{end} limit of the interval of {name.replace('_', ' ')}"
                data[f"{name}_{end}"] = (
                    ("level", "place", "time"),
                    (limit * factor).astype(np.float32),
                    {"units": unit, "long_name": text},
                )
            coords["level"] = list(levels)
    count = pd.Series(outside, dtype=int).reindex(domain.place_ids, fill_value=0)
    text = "number of inputs outside the range seen in training"
    data["inputs_outside"] = ("place", count.to_numpy(int), {"units": "1", "long_name": text})
    about = {
        "model": model.source,
        "thalweg": model.header["thalweg"],
        "trained_on": model.header["training"]["domain"],
    }
    return xr.Dataset(data, coords=coords, attrs=about)


def _limits(model, values, fitted, levels):
    """Limits (level, place, time) of calibrated intervals; a member is the mean of a seed's folds, as in the calibration."""
    absent = [level for level in levels if level not in fitted["levels"]]
    if absent:
        there = ", ".join(f"{level:g}" for level in fitted["levels"])
        raise ModelFileError(f"{model.source}: it has no interval of {absent[0]:g}; it has {there}")
    seeds = np.array([seed for _, seed in model.members])
    members = np.stack([values[seeds == seed].mean(0) for seed in model.header["seeds"]])
    chosen = [fitted["levels"].index(level) for level in levels]
    return [limit[chosen] for limit in conformal.intervals(members, fitted)]
