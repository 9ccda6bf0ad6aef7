"""Squared errors, and the distance from the optimal Kling-Gupta efficiency."""

from thalweg.learn.losses.kge import kge
from thalweg.learn.losses.nse_batch import nse_batch


def nse_kge(simulated, observed, deviation):
    """The sum of ``nse_batch`` and ``kge``: squared errors alone leave the simulated variance too small.

    The best forecast in the squared error has a standard deviation of r times the observed (Gupta et al. 2009), so
    floods are damped; the second term rewards the observed variance and mean.
    """
    return nse_batch(simulated, observed, deviation) + kge(simulated, observed, deviation)


nse_kge.takes = "at least 0"
