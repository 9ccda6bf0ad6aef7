"""Scores of intervals and of distributions that are given by quantiles. All have the unit of the variable, and lower is better."""

import numpy as np


def interval_score(lower, upper, observed, level):
    """Width of an interval plus 2 / alpha times the distance of an observation outside it, alpha = 1 - level.

    Winkler (1972), doi:10.1080/01621459.1972.10481224, in the form of Gneiting & Raftery (2007), doi:10.1198/016214506000001437,
    equation 43.

    Args:
        lower, upper, observed: arrays of one shape.
        level: probability of the interval.

    Returns:
        array of that shape.
    """
    outside = np.maximum(lower - observed, 0) + np.maximum(observed - upper, 0)
    return upper - lower + 2 / (1 - level) * outside


def crps(quantiles, probabilities, observed):
    """Continuous ranked probability score of a distribution given by some quantiles.

    It is twice the integral of the quantile score over probabilities (Gneiting & Ranjan 2011, doi:10.1198/jbes.2010.08110,
    equation 13), by the trapezoidal rule, with a score of 0 at probabilities 0 and 1: an approximation, the same for all distributions
    that are given at the same probabilities.

    Args:
        quantiles: (probability, ...).
        probabilities: (probability,), ascending, in (0, 1).
        observed: (...).

    Returns:
        array (...).
    """
    probabilities = np.asarray(probabilities)
    shaped = probabilities.reshape(-1, *[1] * np.ndim(observed))
    error = observed - quantiles
    scores = np.maximum(shaped * error, (shaped - 1) * error)
    width = np.diff([0.0, *probabilities, 1.0])
    weight = (width[:-1] + width[1:]) / 2
    return 2 * np.tensordot(weight, scores, axes=1)
