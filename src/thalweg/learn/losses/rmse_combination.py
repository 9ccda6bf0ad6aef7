"""Root mean squared errors of discharge and of its logarithm."""

import torch


def rmse_combination(simulated, observed, deviation, share=0.25):
    """(1 - a) RMSE(Q) + a RMSE(log10(sqrt(Q + 1e-6) + 0.1)), a = 0.25 (Feng et al. 2022, doi:10.1029/2022WR032404).

    ``deviation`` is not used; it keeps the losses interchangeable.
    """
    valid = ~torch.isnan(observed)
    filled = torch.where(valid, observed, 1.0)
    masked = torch.where(valid, simulated, 1.0)

    def transform(flow):
        return torch.log10(torch.sqrt(flow.clamp(min=0) + 1e-6) + 0.1)

    def rmse(error):
        return torch.sqrt((error**2).sum() / valid.sum().clamp(min=1) + 1e-12)

    return (1 - share) * rmse(masked - filled) + share * rmse(transform(masked) - transform(filled))


rmse_combination.takes = "at least 0"
