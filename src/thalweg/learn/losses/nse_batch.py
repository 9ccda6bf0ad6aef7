"""The mean squared error in units of each gauge's variance."""

import torch

from thalweg.learn.losses._shared import STABILITY


def nse_batch(simulated, observed, deviation):
    """Mean over days and gauges of (Qs - Qo)^2 / (sigma + 0.1)^2 (Kratzert et al. 2019, doi:10.5194/hess-23-5089-2019).

    Args:
        simulated, observed: tensors (time, gauge).
        deviation: standard deviation of each gauge's observed discharge in the training period (gauge,).
    """
    valid = ~torch.isnan(observed)
    error = torch.where(valid, simulated - torch.nan_to_num(observed), 0.0) / (deviation + STABILITY)
    return (error**2).sum() / valid.sum().clamp(min=1)
