"""The likelihood of log-normal errors, with samples below a detection limit as censored."""

import torch

SMALLEST = 1e-6  # the minimum value whose logarithm is taken


def log_likelihood(simulated, observed, deviation, censored=None):
    """Negative log-likelihood of log-normal errors, without its constant: mean over samples of z^2 / 2, or -log Phi(-z).

    z = (ln S - ln O) / sigma. The second form is for samples below a detection limit O: any value below it fits equally (Tobin
    1958, doi:10.2307/1907382).

    Args:
        simulated, observed: tensors (time, site), above 0.
        deviation: sigma, standard deviation of each site's ln O in the training period (site,).
        censored: bool tensor (time, site); None if nothing is censored.
    """
    valid = ~torch.isnan(observed)
    filled = torch.where(valid, observed, 1.0).clamp(min=SMALLEST)
    z = (torch.log(simulated.clamp(min=SMALLEST)) - torch.log(filled)) / deviation
    z = torch.where(valid, z, 0.0)
    loss = 0.5 * z**2
    if censored is not None:
        loss = torch.where(censored, -torch.special.log_ndtr(-z), loss)
    return torch.where(valid, loss, 0.0).sum() / valid.sum().clamp(min=1)


log_likelihood.censored = True
log_likelihood.logarithmic = True
log_likelihood.takes = "above 0"
