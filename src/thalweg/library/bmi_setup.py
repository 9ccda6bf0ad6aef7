"""What a component with a Basic Model Interface is initialised from: model, domain, period and state."""

import struct
from dataclasses import replace

import numpy as np
import pandas as pd
from safetensors import SafetensorError

from thalweg.basin.domain import CENSORED, days_of, read_domain
from thalweg.learn import checkpoint
from thalweg.library.bmi_component import BmiError
from thalweg.library.data import catchments
from thalweg.library.model import load


def model_of(settings, folder, source):
    """The model, with only the member that the settings name."""
    path = folder / settings.model
    model = load(path if path.exists() else settings.model)
    if settings.member == "mean":
        return model
    members = {f"{fold}/{seed}": (fold, seed) for fold, seed in model.members}
    if settings.member not in members:
        raise BmiError(f"{source}: there is no member {settings.member!r}; there are mean, {', '.join(members)}")
    fold, seed = members[settings.member]
    return replace(model, header=model.header | {"scaling": {fold: model.header["scaling"][fold]}, "seeds": [seed]})


def domain_of(settings, folder, source):
    """The domain, with only the places that the settings name and what lies upstream of them."""
    if settings.catchments is not None:
        method = settings.potential_evapotranspiration
        more = {} if method is None else {"potential_evapotranspiration": method}
        domain = catchments(folder / settings.catchments, **more)
    else:
        domain = read_domain(folder / settings.domain)
    if settings.places is None:
        return domain
    unknown = [one for one in settings.places if one not in domain.place_ids]
    if unknown:
        raise BmiError(
            f"{source}: places: {domain.name} has no place '{unknown[0]}'; it has {', '.join(domain.place_ids[:10])}, ..."
        )
    return _upstream_of(domain, settings.places)


def _upstream_of(domain, chosen):
    """The domain of some places: units and reaches at or upstream of any of them, those of the first place's own reach first."""
    observed = domain.observed.sel(place=chosen)
    empty = [name for name in domain.variables if not observed[name].notnull().any()]
    observed = observed.drop_vars([one for name in empty for one in (name, name + CENSORED) if one in observed])
    some = replace(domain, places=domain.places.sel(place=chosen), observed=observed)
    own = some.place_units
    kept = np.union1d(some.catchment_units.indices, own[own >= 0])
    forcing, attributes = (group.isel(unit=kept) for group in (some.forcing, some.attributes))
    if some.network is None:
        return replace(some, forcing=forcing, attributes=attributes)
    reach = some.network.unit_reach.values.astype(str)[kept]
    nearest = str(some.places.reach.values[0])
    first = np.argsort(reach != nearest if nearest else kept != own[0], kind="stable")
    network = some.network.isel(unit=kept[first], reach=some.place_reaches)
    for name in ("downstream", "unit_reach"):
        inside = np.isin(network[name].values.astype(str), network.reach.values.astype(str))
        network[name] = network[name].where(inside, "")
    return replace(some, forcing=forcing.isel(unit=first), attributes=attributes.isel(unit=first), network=network)


def period_of(domain, start, end, source, known):
    """Beginnings of all steps and the end of the last (datetime64), and the position of the first in the forcing.

    ``known``: whether the state at the start is known, which may then lie after the forcing.
    """
    forcing = pd.DatetimeIndex(domain.forcing.time.values)
    every = pd.offsets.MonthBegin() if domain.step == "month" else pd.Timedelta(days=days_of(domain.step))
    first = forcing[0] if start is None else pd.Timestamp(start)
    last = max(forcing[-1], first) if end is None else pd.Timestamp(end)
    if end is not None and len(end) == 10 and domain.step == "hour":
        last += pd.Timedelta(hours=23)
    axis = pd.date_range(forcing[0], max(forcing[-1], last) + every, freq=every)
    begin, after = axis.searchsorted(first), axis.searchsorted(last, side="right")
    if begin >= len(axis) or axis[begin] != first or after <= begin or (begin > len(forcing) and not known):
        raise BmiError(
            f"{source}: the period {first} to {last} does not begin with a step of the forcing, {forcing[0]} to {forcing[-1]}, or the one "
            "after it, or ends before it begins; change start or end, or name a state"
        )
    return axis[begin : after + 1].values, int(begin)


def state_of(path):
    """Tensors and header of a state file."""
    try:
        tensors, header = checkpoint.load(path)
    except (OSError, SafetensorError, KeyError, TypeError, ValueError, struct.error) as error:
        raise BmiError(f"{path}: it is not a state file ({error}); name one that save_state has written") from error
    if "component" not in header:
        raise BmiError(f"{path}: it is not a state file; name one that save_state has written")
    return tensors, header
