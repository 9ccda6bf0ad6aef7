"""Losses on what was observed at gauges and sites.

Every loss takes (time, gauge) tensors of one unit (mm/day for discharge); days without observation are NaN. ``censored``, of the
same shape, is True where an observation stands for "no more than this"; only the losses of :data:`CENSORED` know of it.
"""

import torch

STABILITY = 0.1  # mm/day, or the unit of another series, added to each gauge's standard deviation (Kratzert et al. 2019, doi:10.5194/hess-23-5089-2019)


def nse_batch(simulated, observed, deviation):
    """Mean over days and gauges of (Qs - Qo)^2 / (sigma + 0.1)^2 (Kratzert et al. 2019).

    Args:
        simulated, observed: tensors (time, gauge).
        deviation: standard deviation of each gauge's observed discharge in the training period (gauge,).
    """
    valid = ~torch.isnan(observed)
    error = torch.where(valid, simulated - torch.nan_to_num(observed), 0.0) / (deviation + STABILITY)
    return (error**2).sum() / valid.sum().clamp(min=1)


def rmse_combination(simulated, observed, deviation, share=0.25):
    """(1 - a) RMSE(Q) + a RMSE(log10(sqrt(Q + 1e-6) + 0.1)), a = 0.25 (Feng et al. 2022, doi:10.1029/2022WR032404).

    ``deviation`` is not used; it is there so that losses can be exchanged.
    """
    valid = ~torch.isnan(observed)
    filled = torch.where(valid, observed, 1.0)
    masked = torch.where(valid, simulated, 1.0)

    def transform(flow):
        return torch.log10(torch.sqrt(flow.clamp(min=0) + 1e-6) + 0.1)

    def rmse(error):
        return torch.sqrt((error**2).sum() / valid.sum().clamp(min=1) + 1e-12)

    return (1 - share) * rmse(masked - filled) + share * rmse(transform(masked) - transform(filled))


def kge(simulated, observed, deviation):
    """Mean over gauges of 1 - KGE (Gupta et al. 2009, doi:10.1016/j.jhydrol.2009.08.003), each gauge by itself.

    ``deviation`` guards the gauges whose discharge hardly varies: it is the least standard deviation divided by.
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


def nse_kge(simulated, observed, deviation):
    """The sum of :func:`nse_batch` and :func:`kge`: squared errors alone leave the simulated variance too small.

    The best forecast in the squared error has a standard deviation of r times the observed (Gupta et al. 2009), so
    floods are damped; the second term asks for the observed variance and mean.
    """
    return nse_batch(simulated, observed, deviation) + kge(simulated, observed, deviation)


SMALLEST = 1e-6  # the least value whose logarithm is taken


def log_likelihood(simulated, observed, deviation, censored=None):
    """Negative log-likelihood of log-normal errors, without its constant: mean over samples of z^2 / 2, or -log Phi(-z).

    z = (ln S - ln O) / sigma. The second form is for samples below a detection limit O: any value under it will do (Tobin
    1958, doi:10.2307/1907382).

    Args:
        simulated, observed: tensors (time, site), above 0.
        deviation: sigma, standard deviation of each site's ln O in the training period (site,).
        censored: bool tensor (time, site); None where nothing is.
    """
    valid = ~torch.isnan(observed)
    filled = torch.where(valid, observed, 1.0).clamp(min=SMALLEST)
    z = (torch.log(simulated.clamp(min=SMALLEST)) - torch.log(filled)) / deviation
    z = torch.where(valid, z, 0.0)
    loss = 0.5 * z**2
    if censored is not None:
        loss = torch.where(censored, -torch.special.log_ndtr(-z), loss)
    return torch.where(valid, loss, 0.0).sum() / valid.sum().clamp(min=1)


LOSSES = {
    "nse_batch": nse_batch,
    "rmse_combination": rmse_combination,
    "kge": kge,
    "nse_kge": nse_kge,
    "log_likelihood": log_likelihood,
}
CENSORED = ("log_likelihood",)
