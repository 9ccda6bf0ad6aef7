"""Sums over the network upstream of a reach: discharge without routing, and rivers in steady state."""

import torch


def accumulate(river, local):
    """Sum of ``local`` over each reach and everything upstream: of lateral inflow, discharge without travel time.

    Args:
        river: the :class:`~thalweg.basin.network.River`.
        local: tensor (..., reach).

    Returns:
        Tensor (..., reach), differentiable.
    """
    place = torch.empty(len(river.reach), dtype=torch.long)
    totals = []
    for level in river.levels:
        place[level] = torch.arange(len(level))
        totals.append(local[..., torch.as_tensor(level, device=local.device)])
    for number, level in enumerate(river.levels[:-1]):  # all that joins in a level is in the one before
        into = place[river.downstream[level]].to(local.device)
        totals[number + 1] = totals[number + 1].index_add(-1, into, totals[number])
    back = torch.argsort(torch.as_tensor(river.order, device=local.device))
    return torch.cat(totals, -1)[..., back]


def state_at_rest(process, river, lateral_inflow, parameters):
    """The state of every reach in steady state under constant lateral inflow.

    Args:
        process: a process of one reach that has a ``rest``.
        river: the :class:`~thalweg.basin.network.River`.
        lateral_inflow: tensor (reach,), m3/s, as the mean of a first year or of the days before the start.
        parameters: name -> tensor (reach,).

    Returns:
        name -> tensor (reach,), to start :func:`thalweg.integrate.river.route` from. Muskingum-Cunge's has no
        gradient, that of other processes has.

    Raises:
        ValueError: if the process does not define its steady state.
    """
    if process.rest is None:
        raise ValueError(f"{process.name}: does not define a steady state; pass the initial state instead")
    discharge = accumulate(river, lateral_inflow)
    return process.rest({"inflow": discharge - lateral_inflow, "lateral_inflow": lateral_inflow}, parameters)
