"""Inputs of models: a domain as tensors, cut into windows of time."""

from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sparse
import torch

from thalweg.basin.domain import DataError
from thalweg.basin.network import River
from thalweg.basin.observables import observable, observable_at
from thalweg.units import parse_unit

SHORTEST = 50.0  # m, of a reach: a shorter one has no delay
FLATTEST = 1e-4  # slope of a reach


@dataclass(frozen=True)
class Window:
    """Consecutive steps (days, mostly): first the spin-up, then the evaluated steps.

    Attributes:
        forcing: name -> tensor (time, unit), in the units of the domain.
        sequence: scaled forcing (time, unit, variable).
        attributes: scaled attributes (unit, attribute).
        spin_up: number of leading steps without gradient or loss.
        drainage: the :class:`Drainage` from units to places.
        known: name -> tensor (unit,), parameters of a process that need not be learned.
        units: positions of these units among all of the series; None if all.
        history: scaled forcing of the training period (unit, patch, day and variable), the same in every window; None if no
            network needs it.
    """

    forcing: dict[str, torch.Tensor]
    sequence: torch.Tensor
    attributes: torch.Tensor
    spin_up: int
    drainage: object
    known: dict[str, torch.Tensor]
    units: torch.Tensor | None = None
    history: torch.Tensor | None = None


def known_parameters(process, domain):
    """Names of the process's parameters that are attributes of the same name and unit.

    Raises:
        DataError: if an attribute has a parameter's name but another unit, or a value of 0 or below where the parameter must
            be above 0.
    """
    known = []
    for parameter in process.parameters:
        if parameter.name in domain.attributes and domain.attributes[parameter.name].attrs.get("role") is None:
            stated = domain.attributes[parameter.name].attrs["units"]
            if parse_unit(stated) != parse_unit(parameter.unit):
                raise DataError(
                    f"{domain.name}/attributes: '{parameter.name}' has unit '{stated}', but process {process.name} needs "
                    f"'{parameter.unit}'; convert it with thalweg.units.convert, or rename it so that the parameter is learned"
                )
            values = domain.attributes[parameter.name].values
            if parameter.low > 0 and (values <= 0).any():
                position = int(np.argmax(values <= 0))
                raise DataError(
                    f"{domain.name}/attributes: '{parameter.name}' of '{domain.unit_ids[position]}' is {values[position]:g}, but process "
                    f"{process.name} needs it above 0; leave the place out, or choose another process"
                )
            known.append(parameter.name)
    return tuple(known)


class Series:
    """A domain's forcing and attributes as tensors, for the units that some places need.

    Args:
        domain: the :class:`~thalweg.basin.domain.Domain`.
        scaling: the :class:`~thalweg.learn.scaling.Scaling` of the training units.
        places: positions of the places to simulate; if None, all places and all units.
        variables: what is simulated there, names in ``domain.observed``.
        process: the process to be run, which sets the forcing and known parameters kept; if None, all forcing.
        dtype, device: of the tensors.

    Raises:
        DataError: if the domain lacks forcing that the process needs, or has it in another unit.
    """

    def __init__(
        self, domain, scaling, places=None, variables=("discharge",), process=None, dtype=torch.float32, device="cpu"
    ):
        def tensor(array):
            return torch.as_tensor(np.ascontiguousarray(array), dtype=dtype, device=device)

        if process is not None:
            _check_forcing(domain, process)
        self.drainage = Drainage(domain, scaling, places, variables, tensor)
        units = self.drainage.units
        names = domain.forcing.data_vars if process is None else process.forcing_names
        self.forcing = {name: tensor(domain.forcing[name].values[:, units]) for name in names}
        self.sequence = tensor(scaling.forcing_inputs(domain)[:, units])
        self.attributes = tensor(scaling.attribute_inputs(domain)[units])
        self.history = tensor(scaling.history_inputs(domain)[units]) if scaling.history_period is not None else None
        known = () if process is None else known_parameters(process, domain)
        self.known = {name: tensor(domain.attributes[name].values[units].astype(float)) for name in known}
        self.days = self.sequence.shape[0]

    def window(self, first, last, spin_up, units=None):
        """Steps ``[first, last)`` with ``spin_up`` steps before them, of all units or of those at some positions.

        Where the record has too few steps before ``first``, its own first steps are used for those missing, in order, so
        that the storages are filled by a plausible climate: with a record that begins at ``first`` and a spin-up of
        365 days, the first year is run once before evaluation.
        """
        real = min(spin_up, first)
        repeated = torch.arange(spin_up - real) % self.days
        days = torch.cat([repeated, torch.arange(first - real, last)]).to(self.sequence.device)

        def chosen(values):
            return values if units is None else values[units]

        def cut(values):
            return values[days] if units is None else values[days].index_select(1, units)

        return Window(
            forcing={name: cut(values) for name, values in self.forcing.items()},
            sequence=cut(self.sequence),
            attributes=chosen(self.attributes),
            spin_up=spin_up,
            drainage=self.drainage,
            known={name: chosen(values) for name, values in self.known.items()},
            units=units,
            history=None if self.history is None else chosen(self.history),
        )

    def window_of(self, places, first, last, spin_up):
        """A :meth:`window` that simulates at least the given places, and their positions in its output.

        Only the units that they need are simulated, unless runoff goes through the river, whose reaches need all.

        Returns:
            (Window, positions).
        """
        if self.drainage.river is not None or len(places) == self.drainage.count:
            return self.window(first, last, spin_up), places
        drainage, units = self.drainage.part(places.cpu().numpy())
        units = torch.as_tensor(units, device=self.sequence.device)
        return replace(self.window(first, last, spin_up, units), drainage=drainage), slice(None)


def _check_forcing(domain, process):
    source = f"{domain.name}/forcing"
    missing = [name for name in process.forcing_names if name not in domain.forcing]
    if missing:
        raise DataError(
            f"{source}: process {process.name} needs '{missing[0]}'; available: "
            f"{', '.join(domain.forcing.data_vars)}: add it, or choose another process"
        )
    for variable in process.forcings:
        stated = domain.forcing[variable.name].attrs["units"]
        if parse_unit(stated) != parse_unit(variable.unit):
            raise DataError(
                f"{source}: '{variable.name}' has unit '{stated}', but process {process.name} needs '{variable.unit}'; "
                "convert it with thalweg.units.convert, or choose a process of the domain's time step"
            )


class Gathering:
    """From fluxes of units to places: means over catchments, and the places' own units.

    Args:
        weights: csr_matrix (place, unit), share of each unit in a place's catchment; None if nothing is gathered upstream.
        own: position of each place's own unit among the units (place,), None if nothing is observed in a unit itself.
        units: number of units.
        tensor: function from array to tensor.

    Where each place has one unit of its own, in the places' order, there is nothing to gather.
    """

    river = None

    def __init__(self, weights, own, units, tensor):
        self._weights, self._own = None, None
        if weights is not None and not _identity(weights):
            self._weights = _sparse(weights, tensor)
        if own is not None and not np.array_equal(own, np.arange(units)):
            self._own = torch.as_tensor(own)

    def mean(self, values):
        """A flux of the units (time, unit) as the area mean over each place's catchment (time, place).

        Parameters of a distribution (time, unit, ...) are taken from the place's unit, which is its catchment.
        """
        if self._weights is None:
            return values
        if values.ndim == 2:
            return torch.sparse.mm(self._weights, values.T).T
        units = values.transpose(0, 1)
        return torch.sparse.mm(self._weights, units.flatten(1)).unflatten(1, units.shape[1:]).transpose(0, 1)

    def gather(self, variable, values):
        """A flux of the units (time, unit) for comparison with an observed variable (time, place)."""
        if observable(variable).gather != "unit":
            return self.mean(values)
        return values if self._own is None else values.index_select(1, self._own.to(values.device))


class Drainage(Gathering):
    """Mapping from fluxes of units to observed variables at places.

    Variables are routed through reaches, means over catchments, or those of the place's own unit.

    Args:
        domain: the :class:`~thalweg.basin.domain.Domain`.
        scaling: the :class:`~thalweg.learn.scaling.Scaling` of the training reaches.
        places: positions of those kept; if None, all places and all units.
        variables: names of the observed variables.
        tensor: function from array to tensor.

    Attributes:
        units: positions of the units kept in the domain.
        count: number of places.
        river: the :class:`~thalweg.basin.network.River` upstream of the places; None where nothing is routed or the domain has no
            geometry of reaches, as for whole catchments. What follows belongs to it.
        reaches: positions of its reaches in the domain.
        geometry: ``length`` in m and ``slope``, tensors (reach,).
        reach_attributes: scaled, tensor (reach, attribute).
        place_reach: position of each place's reach, (place,).
        place_area: area of the units upstream of each place, tensor (place,), km2.
        step_hours: length of a step.
        outlets: positions of the reaches that drain to none.
    """

    def __init__(self, domain, scaling, places, variables, tensor):
        chosen = np.arange(len(domain.place_ids)) if places is None else np.asarray(places)
        ways = {observable(name).gather for name in variables}
        upstream = domain.catchment_weights[chosen] if ways - {"unit"} else None
        for name in domain.observed.data_vars.keys() & set(variables):
            nowhere = domain.observed[name].notnull().any(domain.axis).values & ~observable_at(domain, name)
            if nowhere[chosen].any():
                raise DataError(
                    f"{domain.name}/places: '{name}' is observed at place '{domain.place_ids[chosen][nowhere[chosen]][0]}', which "
                    f"is {'in no unit' if observable(name).gather == 'unit' else 'on no reach'}; add it"
                )
        # A place where a variable cannot be observed is assigned an arbitrary unit or reach, whose values are not used.
        own = np.maximum(domain.place_units[chosen], 0) if "unit" in ways else None
        self.units = np.arange(len(domain.unit_ids)) if places is None else _needed(upstream, own)
        position = np.full(len(domain.unit_ids), -1)
        position[self.units] = np.arange(len(self.units))
        self._upstream = None if upstream is None else upstream[:, self.units]
        self._place_unit = None if own is None else position[own]
        super().__init__(self._upstream, self._place_unit, len(self.units), tensor)
        self.count, self._tensor = len(chosen), tensor
        if scaling.reach_mean is None or "routed" not in ways or domain.step == "month":
            return
        whole = domain.river
        place_reach = domain.places.reach.values.astype(str)[chosen]
        place_reach = np.where(place_reach == "", max(place_reach), place_reach)
        unit_reach = domain.network.unit_reach.values.astype(str)[self.units]
        self.reaches = np.unique(whole.upstream(place_reach).indices)
        names = whole.reach[self.reaches]
        down = np.where(whole.downstream >= 0, whole.reach[whole.downstream], "")[self.reaches]
        self.river = River(names, np.where(np.isin(down, names), down, ""), whole.source)
        drained = np.flatnonzero(np.isin(unit_reach, names))
        area = domain.attributes.area.values[self.units]
        shape = (len(names), len(self.units))
        where = (self.river.positions(unit_reach[drained]), drained)
        self._depth = domain.millimetres_per_step
        self._collect = _sparse(sparse.csr_matrix((area[drained] / self._depth, where), shape=shape), tensor)
        for name in ("length", "slope"):
            self.river.require_positive(name, domain.network[name].values[self.reaches])
        self.geometry = {
            "length": tensor(np.maximum(domain.network.length.values[self.reaches], SHORTEST)),
            "slope": tensor(np.maximum(domain.network.slope.values[self.reaches], FLATTEST)),
        }
        self.reach_attributes = tensor(scaling.reach_inputs(domain)[self.reaches])
        self.place_reach = torch.as_tensor(self.river.positions(place_reach))
        self.place_area = tensor(domain.catchment_units[chosen] @ domain.attributes.area.values)
        self.step_hours = 24 * domain.step_days

    def part(self, places):
        """The :class:`Gathering` of some places, by position, and the positions of the units that they need."""
        upstream = None if self._upstream is None else self._upstream[places]
        own = None if self._place_unit is None else self._place_unit[places]
        if upstream is None:
            return Gathering(None, np.arange(len(own)), len(own), self._tensor), own
        units = _needed(upstream, own)
        position = np.full(len(self.units), -1)
        position[units] = np.arange(len(units))
        return Gathering(upstream[:, units], None if own is None else position[own], len(units), self._tensor), units

    def collect(self, runoff):
        """Runoff (time, unit) in mm per step as lateral inflow of the reaches (time, reach) in m3/s."""
        return torch.sparse.mm(self._collect, runoff.T).T

    def depth(self, discharge):
        """Discharge of the reaches (time, reach) in m3/s as depth over each place's catchment (time, place), mm per step."""
        return discharge[:, self.place_reach.to(discharge.device)] * self._depth / self.place_area


def _needed(upstream, own):
    """Positions of the units that lie upstream of places or are their own: array (unit,), ascending."""
    parts = ([] if upstream is None else [upstream.indices]) + ([] if own is None else [own])
    return np.unique(np.concatenate(parts))


def _identity(weights):
    rows, columns = weights.shape
    return rows == columns and (weights != sparse.identity(rows)).nnz == 0


def _sparse(matrix, tensor):
    coo = matrix.tocoo()
    values = tensor(coo.data)
    indices = torch.as_tensor(np.stack([coo.row, coo.col]), device=values.device)
    return torch.sparse_coo_tensor(indices, values, coo.shape, check_invariants=True).coalesce()
