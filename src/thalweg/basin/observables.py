"""Observed variables: one row for each that is not simply the flux of the same name at its own unit.

A new variable needs no row if a process has a flux of its name and unit and the place is the unit
itself, as for water temperature or nitrate. A variable gathered from a catchment has a row here.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from thalweg.basin.domain import DataError
from thalweg.units import parse_unit


@dataclass(frozen=True)
class Observable:
    """How an observed variable is compared with a process.

    Attributes:
        flux: of the process.
        gather: ``"routed"``: from all units upstream, delayed by the unit hydrograph and the river; ``"mean"``: the area mean of
            the units upstream; ``"unit"``: the place's own unit.
        continuous: recorded at (nearly) every step, as at a gauge; otherwise samples, whose simulation is also useful
            between them.
    """

    flux: str
    gather: Literal["routed", "mean", "unit"] = "unit"
    continuous: bool = False


OBSERVABLES = {
    "discharge": Observable("runoff", "routed", continuous=True),
    "snow_water_equivalent": Observable("snow_water_equivalent", "mean", continuous=True),
    "evapotranspiration": Observable("evapotranspiration", "mean", continuous=True),
    "water_storage": Observable("water_storage", "mean", continuous=True),
}


def observable(variable):
    """The :class:`Observable` of a variable; one without a row is the flux of its name at the place's own unit."""
    return OBSERVABLES.get(variable, Observable(variable))


def observations(domain, variable):
    """Observations, in the unit of the flux that they are compared with.

    Args:
        domain: :class:`~thalweg.basin.domain.Domain`.
        variable: name in ``domain.observed``; discharge becomes a depth over the drainage area, in mm per step.

    Returns:
        DataArray (place, time).

    Raises:
        DataError: if the domain has no such observations.
    """
    if variable not in domain.variables:
        raise DataError(
            f"{domain.name}/observed: '{variable}' was not observed; available: {', '.join(domain.variables)}: "
            "use one of them as the experiment's variable"
        )
    if observable(variable).gather == "routed":
        return domain.observed_runoff
    values = domain.observed[variable].transpose("place", domain.axis)
    return values.copy(data=np.ascontiguousarray(values.values))


def observable_at(domain, variable):
    """Whether a variable could be observed, and so be simulated, at each place: bool array (place,).

    Discharge needs a reach of the network, a variable of a unit needs a unit.
    """
    gather = observable(variable).gather
    if gather == "unit":
        return domain.place_units >= 0
    if gather == "routed" and domain.network is not None:
        return domain.places.reach.values.astype(str) != ""
    return np.ones(len(domain.places.place), bool)


def check_flux(process, variable, unit, source):
    """Raise unless a process has the flux that a variable is compared with, in the variable's unit.

    Args:
        process: :class:`~thalweg.processes.Process`.
        variable, unit: what was observed, as returned by :func:`observations`.
        source: domain, for the message.

    Raises:
        ValueError: the message names the process, the variable and the remedy.
    """
    flux = {one.name: one for one in process.fluxes}.get(observable(variable).flux)
    if flux is None:
        raise DataError(
            f"process {process.name} does not predict '{variable}', only {', '.join(process.flux_names)}; "
            "choose another process or variable for this experiment"
        )
    if parse_unit(flux.unit) != parse_unit(unit):
        mend = "convert it with thalweg.units.convert"
        if observable(variable).gather == "routed":
            mend = "choose a process of the domain's time step, or sum the domain to the step of the process"
        raise DataError(
            f"{source}/observed: '{variable}' has unit '{unit}', but {flux.name} of process {process.name} has '{flux.unit}'; {mend}"
        )
