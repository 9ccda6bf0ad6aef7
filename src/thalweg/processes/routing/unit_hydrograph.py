"""The gamma unit hydrograph: runoff delayed on its way to the outlet of a unit.

Ordinates w_i ~ t_i^(alpha-1) exp(-t_i/theta) at t_i = 0.5, 1.5, ... days, with alpha = a + 0.1 and theta = b + 0.5 days
(Feng et al. 2022), renormalised to a sum of one so that no water is lost. With 15 ordinates up to 64 % of the true
gamma mass lies beyond the kernel at the upper bounds, so a and b lose their textbook meaning there: report
:func:`mean_delay` instead. Where the step is an hour or a month, its days are such steps.
"""

import torch

from thalweg.processes.process import Parameter

PARAMETERS = (
    Parameter("route_a", 0.0, 2.9, "dimensionless", "shape of the gamma unit hydrograph, minus 0.1"),
    Parameter("route_b", 0.0, 6.5, "day", "scale of the gamma unit hydrograph, minus 0.5 days"),
)

ORDINATES = 15


def ordinates(a, b, length=ORDINATES):
    """Unit hydrograph ordinates.

    Args:
        a, b: tensors (unit,); b in days.
        length: number of daily ordinates.

    Returns:
        Tensor (unit, length), each row summing to 1.
    """
    alpha, theta = a[:, None] + 0.1, b[:, None] + 0.5
    time = torch.arange(length, dtype=a.dtype, device=a.device) + 0.5
    return torch.softmax((alpha - 1) * torch.log(time) - time / theta, dim=1)


def mean_delay(a, b, length=ORDINATES):
    """Mean delay in days of the truncated kernel: sum of w_i t_i, shape (unit,)."""
    time = torch.arange(length, dtype=a.dtype, device=a.device) + 0.5
    return ordinates(a, b, length) @ time


def route(runoff, a, b, length=ORDINATES):
    """Causal convolution of runoff with each unit's hydrograph.

    Args:
        runoff: tensor (time, unit), mm/day; before its first day there is none.
        a, b: tensors (unit,).

    Returns:
        Tensor (time, unit), mm/day.
    """
    weights = ordinates(a, b, length)
    padded = torch.nn.functional.pad(runoff.T, (length - 1, 0))
    units = runoff.shape[1]
    return torch.nn.functional.conv1d(padded[None], weights.flip(1)[:, None], groups=units)[0].T
