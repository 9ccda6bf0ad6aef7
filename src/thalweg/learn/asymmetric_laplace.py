"""Countable mixtures of asymmetric Laplace distributions (CMAL; Klotz et al. 2022, doi:10.5194/hess-26-1673-2022).

A mixture is a tensor (..., 4, component): along the dimension before the last its rows are

- location m, in the unit of the variable;
- scale b > 0, in the same unit;
- asymmetry tau, the probability of values below m, in (0, 1);
- logarithm of the weight; weights sum to 1 over components.

One component has the density tau (1 - tau) / b exp(-(y - m) / b (tau - [y < m])) (Yu & Zhang 2005,
doi:10.1080/03610920500199018): a Laplace distribution where tau is 0.5, and a long tail of high values where it is small.
"""

import torch

PARAMETERS = 4  # of a component
HALVINGS = 40  # of the interval of a quantile


def log_density(mixture, values):
    """Logarithm of the density (...) at values (...), by a sum of exponentials that cannot overflow."""
    location, scale, tau, log_weight = mixture.unbind(-2)
    error = (values[..., None] - location) / scale
    penalty = torch.where(error < 0, (tau - 1) * error, tau * error)
    return torch.logsumexp(log_weight + torch.log(tau) + torch.log1p(-tau) - torch.log(scale) - penalty, -1)


def distribution(mixture, values):
    """Probability (...) of values below those given (...)."""
    location, scale, tau, log_weight = mixture.unbind(-2)
    error = (values[..., None] - location) / scale
    below = tau * torch.exp((1 - tau) * error.clamp(max=0))
    above = 1 - (1 - tau) * torch.exp(-tau * error.clamp(min=0))
    return (log_weight.exp() * torch.where(error < 0, below, above)).sum(-1)


def mean(mixture):
    """Expected value (...): of one component m + b (1 - 2 tau) / (tau (1 - tau))."""
    location, scale, tau, log_weight = mixture.unbind(-2)
    return (log_weight.exp() * (location + scale * (1 - 2 * tau) / (tau * (1 - tau)))).sum(-1)


def quantile(mixture, probability):
    """The value (...) below which a probability (a number in (0, 1)) lies, by bisection of the distribution function.

    The quantile of a mixture lies between the smallest and the largest of those of its components.
    """
    location, scale, tau, _ = mixture.unbind(-2)
    lower = location + scale / (1 - tau) * torch.log((probability / tau).clamp(max=1))
    upper = location - scale / tau * torch.log(((1 - probability) / (1 - tau)).clamp(max=1))
    own = torch.where(probability < tau, lower, upper)
    low, high = own.amin(-1), own.amax(-1)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        less = distribution(mixture, middle) < probability
        low, high = torch.where(less, middle, low), torch.where(less, high, middle)
    return (low + high) / 2
