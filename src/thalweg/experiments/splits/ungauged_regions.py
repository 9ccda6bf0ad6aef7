"""Prediction in ungauged regions (PUR): folds of nearby places, or the seven groups of hydrologic units of the United States."""

from typing import Literal

import numpy as np
from pydantic import Field

from thalweg.basin.domain import DataError, require
from thalweg.basin.places import SPLIT_SEED, positions
from thalweg.experiments.splits.division import Division, kind
from thalweg.schema import Settings

HYDROLOGIC_UNITS = ((1, 2), (3, 6), (4, 5, 7), (9, 10), (8, 11, 12, 13), (14, 15, 16, 18), (17,))  # Feng et al. (2023)


class Options(Settings):
    """Definition of a region."""

    regions: Literal["distance", "hydrologic_units"] = Field(
        "distance",
        description="distance: clusters of neighbouring places; hydrologic_units: the seven groups of hydrologic units of the United States (folds: 7)",
    )

    def check(self, split):
        """Raise ValueError unless the folds fit."""
        if self.regions == "hydrologic_units" and split.folds != len(HYDROLOGIC_UNITS):
            raise ValueError(f"folds is {split.folds}, but the groups of hydrologic units are {len(HYDROLOGIC_UNITS)}")


@kind("held_out", Options)
def ungauged_regions(candidates):
    """Every usable place is in the fold of its region."""
    domain = candidates.domain
    if candidates.options.regions == "hydrologic_units":
        return Division(_hydrologic_units(domain))
    fold_of = np.full(len(candidates.drains), -1)
    require(domain.places, ["latitude", "longitude"], f"{domain.name}/places")
    if not len(candidates.usable):
        return Division(fold_of)
    places = domain.place_ids[candidates.usable]
    lost = np.isnan(domain.places.latitude.values + domain.places.longitude.values)[candidates.usable]
    if lost.any():
        raise DataError(
            f"{domain.name}/places: place '{places[lost][0]}' has no latitude or longitude; add them, or drop it"
        )
    position = positions(domain.places.isel(place=candidates.usable))
    fold_of[candidates.usable] = _clusters(position, candidates.split.folds, domain.name)
    return Division(fold_of)


def _clusters(position, count, name):
    """The region of each position, a cluster of neighbours."""
    from scipy.cluster.vq import ClusterError, kmeans2

    different = len(np.unique(position, axis=0))
    refused = f"{name}: the places, at {different} positions, do not form {count} regions; use fewer folds"
    if different < count:
        raise DataError(refused)
    try:
        _, region = kmeans2(position, count, seed=SPLIT_SEED, minit="++", missing="raise")
    except ClusterError:
        raise DataError(refused) from None
    if len(np.unique(region)) < count:
        raise DataError(refused)
    return region


def _hydrologic_units(domain):
    """The group of :data:`HYDROLOGIC_UNITS` that each gauge's region belongs to."""
    if "region" not in domain.places:
        raise DataError(f"{domain.name}/places: variable 'region' is missing; use regions: distance")
    group = {unit: i for i, units in enumerate(HYDROLOGIC_UNITS) for unit in units}
    regions = domain.places.region.values.astype(str)
    unknown = [region for region in regions if not region.isdigit() or int(region) not in group]
    if unknown:
        raise DataError(
            f"{domain.name}/places: region '{unknown[0]}' is not a hydrologic unit of two digits; use regions: distance"
        )
    return np.array([group[int(region)] for region in regions])
