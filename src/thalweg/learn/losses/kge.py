"""The distance from the optimal Kling-Gupta efficiency."""

import torch

from thalweg.learn.losses._shared import STABILITY


def kge(simulated, observed, deviation):
    """Mean over gauges of 1 - KGE (Gupta et al. 2009, doi:10.1016/j.jhydrol.2009.08.003), for each gauge separately.

    ``deviation`` is the minimum divisor, for gauges whose discharge hardly varies.
    """
    valid = ~torch.isnan(observed)
    count = valid.sum(0).clamp(min=1)

    def moments(flow):
        mean = torch.where(valid, flow, 0.0).sum(0) / count
        anomaly = torch.where(valid, flow - mean, 0.0)
        return mean, anomaly, torch.sqrt((anomaly**2).sum(0) / count + 1e-12)

    mean_s, anomaly_s, sigma_s = moments(simulated)
    mean_o, anomaly_o, sigma_o = moments(torch.nan_to_num(observed))
    sigma_o = torch.maximum(sigma_o, 0.01 * (deviation + STABILITY))
    r = (anomaly_s * anomaly_o).sum(0) / count / (sigma_s * sigma_o)
    beta = mean_s / mean_o.clamp(min=1e-3)
    distance = torch.sqrt((r - 1) ** 2 + (sigma_s / sigma_o - 1) ** 2 + (beta - 1) ** 2 + 1e-12)
    seen = valid.sum(0) > 1
    return torch.where(seen, distance, 0.0).sum() / seen.sum().clamp(min=1)


kge.takes = "at least 0"  # the ratio of means
