"""The likelihood of a mixture of asymmetric Laplace distributions, for a network with a mixture head."""

import torch

from thalweg.learn.asymmetric_laplace import log_density


def cmal(mixture, observed, deviation):
    """Negative log-likelihood, mean over days and gauges (Klotz et al. 2022, doi:10.5194/hess-26-1673-2022).

    A factor in the unit of the variable adds a constant to it, so that gauges need no weights.

    Args:
        mixture: tensor (time, gauge, 4, component) of :mod:`thalweg.learn.asymmetric_laplace`.
        observed: tensor (time, gauge).
        deviation: not used; it keeps the losses interchangeable.
    """
    valid = ~torch.isnan(observed)
    values = log_density(mixture, torch.where(valid, observed, 0.0))
    return -torch.where(valid, values, 0.0).sum() / valid.sum().clamp(min=1)


cmal.mixture = True
