"""What models are given: a domain as tensors, cut into windows of days."""

from dataclasses import dataclass

import numpy as np
import torch

FORCINGS = ("precipitation", "temperature", "potential_evapotranspiration")


@dataclass(frozen=True)
class Window:
    """Consecutive days: first the spin-up, then the days that count.

    Attributes:
        forcing: name -> tensor (time, unit), in the units of the domain.
        sequence: scaled forcing (time, unit, variable).
        attributes: scaled attributes (unit, attribute).
        spin_up: number of leading days without gradient or loss.
    """

    forcing: dict[str, torch.Tensor]
    sequence: torch.Tensor
    attributes: torch.Tensor
    spin_up: int


class Series:
    """A domain's forcing and attributes as tensors, for chosen units.

    Args:
        domain: the :class:`~thalweg.domain.Domain`.
        scaling: the :class:`~thalweg.learn.scaling.Scaling` of the training units.
        units: positions of the units to keep; None keeps all.
        dtype, device: of the tensors.
    """

    def __init__(self, domain, scaling, units=None, dtype=torch.float32, device="cpu"):
        units = np.arange(len(domain.unit_ids)) if units is None else np.asarray(units)

        def tensor(array):
            return torch.as_tensor(np.ascontiguousarray(array), dtype=dtype, device=device)

        self.forcing = {name: tensor(domain.forcing[name].values[:, units]) for name in FORCINGS}
        self.sequence = tensor(scaling.forcing_inputs(domain)[:, units])
        self.attributes = tensor(scaling.attribute_inputs(domain)[units])
        self.days = self.sequence.shape[0]

    def window(self, first, last, spin_up):
        """Days ``[first, last)`` with ``spin_up`` days before them.

        Where the record has too few days before ``first``, its own first days stand in for those missing, in order, so
        that the storages are filled by a plausible climate: with a record that begins at ``first`` and a spin-up of
        365 days, the first year is run once before it counts.
        """
        real = min(spin_up, first)
        repeated = torch.arange(spin_up - real) % self.days
        days = torch.cat([repeated, torch.arange(first - real, last)]).to(self.sequence.device)
        return Window(
            forcing={name: values[days] for name, values in self.forcing.items()},
            sequence=self.sequence[days],
            attributes=self.attributes,
            spin_up=spin_up,
        )


def aggregation(weights, dtype=torch.float32, device="cpu"):
    """A sparse (gauge, unit) matrix as a function from runoff (time, unit) to discharge depth (time, gauge)."""
    coo = weights.tocoo()
    indices = torch.as_tensor(np.stack([coo.row, coo.col]))
    values = torch.as_tensor(coo.data, dtype=dtype)
    matrix = torch.sparse_coo_tensor(indices, values, coo.shape, device=device, check_invariants=True).coalesce()
    return lambda runoff: torch.sparse.mm(matrix, runoff.T).T
