"""Intervals of statistics over spatially dependent places.

Errors of nearby places are correlated, so resampling single places makes intervals too narrow. Here whole blocks of
nearby places are drawn with replacement (the block bootstrap: Künsch 1989, doi:10.1214/aos/1176347265; in space Hall 1985,
doi:10.1016/0304-4149(85)90212-1). With a handful of blocks even these intervals are somewhat narrow.
"""

import warnings

import numpy as np
import pandas as pd
import xarray as xr

from thalweg.basin.places import SPLIT_SEED, positions

CONFIDENCE = 0.95
SAMPLES = 2000
PLACES_PER_BLOCK = 15
MIN_BLOCKS = 5


def blocks_of(places):
    """Blocks of nearby places, for :func:`block_bootstrap`.

    Args:
        places: Dataset (place,) or (unit,), with latitude and longitude in degrees and labels ``region`` if there are any.

    Returns:
        array (place,) of labels: the regions, if every place has one and there are at least five; otherwise clusters
        of places by k-means, about one per 15 places and at least five, fewer only if fewer positions differ. A place
        without coordinates, such as a curve of gas exchange, is a separate block.
    """
    if "region" in places:
        region = places.region.values.astype(str)
        if np.all(region != "") and len(np.unique(region)) >= MIN_BLOCKS:
            return region
    (dimension,) = places.sizes.keys() - {"time"}
    label = -1 - np.arange(places.sizes[dimension])
    if not {"latitude", "longitude"} <= set(places.variables):
        return label
    known = np.flatnonzero(np.isfinite(places.latitude.values) & np.isfinite(places.longitude.values))
    if len(known):
        label[known] = _clusters(positions(places.isel({dimension: known})))
    return label


def _clusters(position):
    """The cluster of each position (place, 2 or 3), km."""
    from scipy.cluster.vq import kmeans2

    wanted = max(MIN_BLOCKS, round(len(position) / PLACES_PER_BLOCK))
    count = min(wanted, len(np.unique(position, axis=0)))
    if count == len(position):
        return np.arange(count)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="One of the clusters is empty")
        return kmeans2(position, count, seed=SPLIT_SEED, minit="++")[1]


def block_labels(places):
    """Labels of :func:`blocks_of` by place id, a Series."""
    return pd.Series(blocks_of(places), index=places.place.values.astype(str))


def read_blocks(path):
    """The :func:`block_labels` of the places of a domain's file."""
    with xr.open_dataset(path, group="places", engine="h5netcdf") as places:
        return block_labels(places)


def block_bootstrap(values, blocks, statistic=np.median, samples=SAMPLES, seed=0):
    """95 % percentile interval of a statistic over places, by resampling whole blocks.

    Args:
        values: (place,), or (place, column) for a statistic of several; places with NaN are left out.
        blocks: label of each place's block (place,).
        statistic: function of resampled values, of the shape of ``values`` except for the number of places, to a number.
        samples: resamples; each draws as many blocks as there are.
        seed: of the resampling.

    Returns:
        (float, float): low and high; NaN if fewer than two blocks have values.

    Raises:
        ValueError: if there is not one label per place.
    """
    values, blocks = np.asarray(values, dtype=float), np.asarray(blocks)
    if blocks.shape != values.shape[:1]:
        raise ValueError(f"values has shape {values.shape} and blocks {blocks.shape}; pass one block label per place")
    known = ~np.isnan(values).any(axis=tuple(range(1, values.ndim)))
    values, blocks = values[known], blocks[known]
    labels, block = np.unique(blocks, return_inverse=True)
    if len(labels) < 2:
        return np.nan, np.nan
    draws = np.random.default_rng(seed).integers(len(labels), size=(samples, len(labels)))
    if statistic is np.median and values.ndim == 1:
        resampled = _medians(values, block, draws)
    else:
        members = [values[block == label] for label in range(len(labels))]
        resampled = [statistic(np.concatenate([members[label] for label in draw])) for draw in draws]
    tail = 100 * (1 - CONFIDENCE) / 2
    low, high = np.percentile(resampled, [tail, 100 - tail])
    return float(low), float(high)


def _medians(values, block, draws):
    """Median of the values of the blocks (position of each value's) in every draw (sample, block), without copying them."""
    order = np.argsort(values)
    ordered = values[order]
    times = np.stack(
        [np.bincount(draw, minlength=draws.shape[1]) for draw in draws]
    )  # number of times a block is in a draw
    last = np.cumsum(times[:, block[order]], axis=1)  # place of each value's last copy among all, sorted
    count = last[:, -1]

    def at(place):
        return ordered[(last <= place[:, None]).sum(axis=1)]

    return (at((count - 1) // 2) + at(count // 2)) / 2
