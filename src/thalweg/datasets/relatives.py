"""Catchments that seem to lie inside one another, or to be one and the same, from areas, places and discharge.

Own tables have no river network. A catchment inside another drains through its gauge: it is smaller, its gauge is near, it
carries no more water, and its discharge goes with that of the larger one. Two ids with the same record are one gauge.
"""

import numpy as np

from thalweg.basin.network import River
from thalweg.basin.places import great_circle, unit_vectors

CORRELATION = 0.85  # of the logarithm of daily discharge
COMMON = 365  # days of discharge in both records
SAME = 30  # days on which the records of one gauge under two ids agree, if they vary
APART = 5.0  # km between the places of one gauge under two ids
LENGTH = 1.27, 0.6  # km: length of a catchment's river over its area in km2 (Hack 1957)
STRAIGHT = 0.5  # of that length: the greatest distance between two gauges of one catchment
ALLOWANCE = 1.1  # for errors of areas, places and discharge
FLOOR = 0.01  # of the mean, added to discharge before its logarithm is taken


def relatives(ids, latitude, longitude, area, discharge):
    """Which catchments seem to lie in which others.

    Args:
        ids: of the catchments.
        latitude, longitude, area: degrees and km2 (unit,).
        discharge: m3/s, array (unit, time), NaN where missing.

    Returns:
        (inside, flags): ids of the catchments that each lies in, one a line, array (unit,); flag -> bool (unit,). Of two
        records that are the same and at one place, each lies in the other.
    """
    vectors = unit_vectors(latitude, longitude)
    logarithm = _logarithm(discharge)
    outer = [[] for _ in ids]
    flags = {}

    def flag(text, position):
        flags.setdefault(text, np.zeros(len(ids), bool))[position] = True

    for small in range(len(ids)):
        distance = great_circle(vectors, vectors[small])
        reach = STRAIGHT * LENGTH[0] * area ** LENGTH[1]
        near = (distance <= reach) & (area >= area[small] / ALLOWANCE)
        same = _same(discharge, small)
        for large in np.flatnonzero(near | same):
            if large == small:
                continue
            if same[large]:
                if large == np.flatnonzero(same & (np.arange(len(ids)) != small))[0]:
                    flag(f"same discharge as '{ids[large]}': one gauge under two ids?", small)
                if distance[large] <= APART:
                    outer[small].append(str(ids[large]))
            elif area[large] > area[small] and _goes_with(logarithm, discharge, small, large):
                flag(f"seems to lie in '{ids[large]}': never in training and test with it", small)
                outer[small].append(str(ids[large]))
    return np.array(["\n".join(one) for one in outer]), flags


def stated(ids, downstream, source):
    """Which catchments lie in which others by the gauge downstream of each: as :func:`relatives` returns it.

    Args:
        ids, downstream: of the catchments, and of the next gauge downstream, "" where there is none.
        source: file, for messages.

    Raises:
        NetworkError: if a gauge downstream is not among the ids, or drains in a circle.
    """
    upstream = River(ids, downstream, source).upstream(ids).toarray() > 0
    np.fill_diagonal(upstream, False)
    return np.array(["\n".join(np.asarray(ids, str)[row]) for row in upstream.T])


def _logarithm(discharge):
    with np.errstate(invalid="ignore", divide="ignore"):
        there = np.isfinite(discharge)
        mean = np.where(there, discharge, 0).sum(1) / np.maximum(there.sum(1), 1)
        return np.log(discharge + FLOOR * mean[:, None])


def _same(discharge, position):
    """Where the others' records are equal to one on all common days, and vary (unit,)."""
    own = discharge[position]
    common = np.isfinite(discharge) & np.isfinite(own)
    equal = (np.abs(discharge - own) <= 1e-9 * np.abs(own)) | ~common
    days = np.flatnonzero(np.isfinite(own))
    varies = len(days) and np.ptp(own[days]) > 0
    return equal.all(1) & (common.sum(1) >= SAME) & varies


def _goes_with(logarithm, discharge, small, large):
    """Whether a record could be that of a river upstream of another gauge."""
    common = np.isfinite(logarithm[small]) & np.isfinite(logarithm[large])
    if common.sum() < COMMON:
        return False
    one, other = logarithm[small][common], logarithm[large][common]
    if np.ptp(one) == 0 or np.ptp(other) == 0:
        return False
    less = discharge[small][common].mean() <= ALLOWANCE * discharge[large][common].mean()
    return less and np.corrcoef(one, other)[0, 1] >= CORRELATION
