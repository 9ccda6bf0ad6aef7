"""What models are given: a domain as tensors, cut into windows of days."""

from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sparse
import torch

from thalweg.basin.domain import MILLIMETRES_PER_DAY
from thalweg.basin.network import River

SHORTEST = 50.0  # m, of a reach: a shorter one delays nothing
FLATTEST = 1e-4  # slope of a reach


@dataclass(frozen=True)
class Window:
    """Consecutive days: first the spin-up, then the days that count.

    Attributes:
        forcing: name -> tensor (time, unit), in the units of the domain.
        sequence: scaled forcing (time, unit, variable).
        attributes: scaled attributes (unit, attribute).
        spin_up: number of leading days without gradient or loss.
        drainage: the :class:`Drainage`, or :class:`Mean`, from units to gauges.
        known: name -> tensor (unit,), parameters of a process that need not be learned.
        places: positions of these units among all of the series; None where they are all of them.
        history: scaled forcing of the training period (unit, patch, day and variable), the same in every window; None at sites.
    """

    forcing: dict[str, torch.Tensor]
    sequence: torch.Tensor
    attributes: torch.Tensor
    spin_up: int
    drainage: object
    known: dict[str, torch.Tensor] | None = None
    places: torch.Tensor | None = None
    history: torch.Tensor | None = None


class Series:
    """A domain's forcing and attributes as tensors, for chosen units.

    Args:
        domain: the :class:`~thalweg.basin.domain.Domain`.
        scaling: the :class:`~thalweg.learn.scaling.Scaling` of the training units.
        gauges: positions of the gauges to give discharge at; None gives all, and keeps all units.
        dtype, device: of the tensors.
    """

    known = None
    history = None

    def __init__(self, domain, scaling, gauges=None, dtype=torch.float32, device="cpu"):
        units = np.arange(len(domain.unit_ids)) if gauges is None else np.unique(domain.gauge_weights[gauges].indices)

        def tensor(array):
            return torch.as_tensor(np.ascontiguousarray(array), dtype=dtype, device=device)

        self.forcing = {name: tensor(domain.forcing[name].values[:, units]) for name in domain.forcing.data_vars}
        self.sequence = tensor(scaling.forcing_inputs(domain)[:, units])
        self.attributes = tensor(scaling.attribute_inputs(domain)[units])
        if scaling.history_days is not None:
            self.history = tensor(scaling.history_inputs(domain)[units])
        self.days = self.sequence.shape[0]
        self.drainage = Drainage(
            domain, scaling, np.arange(len(domain.gauge_ids)) if gauges is None else gauges, units, tensor
        )

    def window(self, first, last, spin_up, units=None):
        """Days ``[first, last)`` with ``spin_up`` days before them, of all units or of those at some positions.

        Where the record has too few days before ``first``, its own first days stand in for those missing, in order, so
        that the storages are filled by a plausible climate: with a record that begins at ``first`` and a spin-up of
        365 days, the first year is run once before it counts.
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
            known=None if self.known is None else {name: chosen(values) for name, values in self.known.items()},
            places=units,
            history=None if self.history is None else chosen(self.history),
        )

    def window_of(self, gauges, first, last, spin_up):
        """A :meth:`window` that gives at least some gauges, and where they stand in what is simulated over it.

        Only the units that drain to them are simulated, unless runoff goes through the river, whose reaches need all.

        Returns:
            (Window, positions).
        """
        if self.drainage.river is not None or len(gauges) == self.drainage.count:
            return self.window(first, last, spin_up), gauges
        drainage, units = self.drainage.part(gauges.cpu().numpy())
        units = torch.as_tensor(units, device=self.sequence.device)
        return replace(self.window(first, last, spin_up, units), drainage=drainage), slice(None)


class Drainage:
    """How runoff of units becomes discharge of gauges: through reaches, or as the mean over each gauge's catchment.

    Args:
        domain: the :class:`~thalweg.basin.domain.Domain`.
        scaling: the :class:`~thalweg.learn.scaling.Scaling` of the training reaches.
        gauges, units: positions of those kept; the units are all that drain to the gauges, or more.
        tensor: function from array to tensor.

    Attributes:
        river: the :class:`~thalweg.basin.network.River` upstream of the gauges; None where the domain has no geometry of
            reaches, as for whole catchments. What follows belongs to it.
        reaches: positions of its reaches in the domain.
        geometry: ``length`` in m and ``slope``, tensors (reach,).
        reach_attributes: scaled, tensor (reach, attribute).
        gauge_reach: position of each gauge's reach, (gauge,).
        gauge_area: area of the units upstream of each gauge, tensor (gauge,), km2.
        outlets: positions of the reaches that drain to none.
    """

    def __init__(self, domain, scaling, gauges, units, tensor):
        self._weights = domain.gauge_weights[gauges][:, units]
        self._mean = Mean(self._weights, tensor)
        self.count, self.river, self._tensor = len(gauges), None, tensor
        if scaling.reach_mean is None:
            return
        whole = domain.river
        gauge_reach = domain.gauges.reach.values.astype(str)[gauges]
        unit_reach = domain.network.unit_reach.values.astype(str)[units]
        self.reaches = np.unique(whole.upstream(gauge_reach).indices)
        names = whole.reach[self.reaches]
        down = np.where(whole.downstream >= 0, whole.reach[whole.downstream], "")[self.reaches]
        self.river = River(names, np.where(np.isin(down, names), down, ""), whole.source)
        drained = np.flatnonzero(np.isin(unit_reach, names))
        area = domain.attributes.area.values[units]
        shape = (len(names), len(units))
        where = (self.river.positions(unit_reach[drained]), drained)
        self._collect = _sparse(sparse.csr_matrix((area[drained] / MILLIMETRES_PER_DAY, where), shape=shape), tensor)
        for name in ("length", "slope"):
            self.river.require_positive(name, domain.network[name].values[self.reaches])
        self.geometry = {
            "length": tensor(np.maximum(domain.network.length.values[self.reaches], SHORTEST)),
            "slope": tensor(np.maximum(domain.network.slope.values[self.reaches], FLATTEST)),
        }
        self.reach_attributes = tensor(scaling.reach_inputs(domain)[self.reaches])
        self.gauge_reach = torch.as_tensor(self.river.positions(gauge_reach))
        self.gauge_area = tensor(domain.gauge_units[gauges] @ domain.attributes.area.values)

    def mean(self, runoff):
        """Runoff (time, unit) as depth over each gauge's catchment (time, gauge), both in mm/day."""
        return self._mean.mean(runoff)

    def part(self, gauges):
        """The :class:`Mean` of some gauges, by position, and the positions of the units that drain to them."""
        weights = self._weights[gauges]
        units = np.unique(weights.indices)
        return Mean(weights[:, units], self._tensor), units

    def collect(self, runoff):
        """Runoff (time, unit) in mm/day as lateral inflow of the reaches (time, reach) in m3/s."""
        return torch.sparse.mm(self._collect, runoff.T).T

    def depth(self, discharge):
        """Discharge of the reaches (time, reach) in m3/s as depth over each gauge's catchment (time, gauge), mm/day."""
        return discharge[:, self.gauge_reach.to(discharge.device)] * MILLIMETRES_PER_DAY / self.gauge_area


class Mean:
    """The mean over each gauge's catchment: csr_matrix (gauge, unit) of shares, and the function from array to tensor.

    Where each gauge has one unit of its own, in the gauges' order, there is nothing to average.
    """

    river = None

    def __init__(self, weights, tensor):
        own = weights.shape[0] == weights.shape[1] and (weights != sparse.identity(len(weights.indptr) - 1)).nnz == 0
        self._weights = None if own else _sparse(weights, tensor)

    def mean(self, runoff):
        """Runoff (time, unit) as depth over each gauge's catchment (time, gauge), both in mm/day."""
        return runoff if self._weights is None else torch.sparse.mm(self._weights, runoff.T).T


def _sparse(matrix, tensor):
    coo = matrix.tocoo()
    values = tensor(coo.data)
    indices = torch.as_tensor(np.stack([coo.row, coo.col]), device=values.device)
    return torch.sparse_coo_tensor(indices, values, coo.shape, check_invariants=True).coalesce()
