"""Prediction in ungauged basins (PUB): random folds of gauges, whose nested catchments never straddle training and test."""

from thalweg.experiments.splits.division import kind
from thalweg.experiments.splits.ungauged_places import ungauged_places


@kind("held_out")
def ungauged_basins(candidates):
    """The folds of :func:`ungauged_places`."""
    return ungauged_places(candidates)
