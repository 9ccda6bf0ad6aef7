"""Splits: who trains and who is tested, as a table that is saved and read by everything after it.

Nested gauges never straddle training and test, but in ``inner_gauges``, which asks just that: trained at the last gauges
downstream, is discharge right upstream of them? Elsewhere, where a training gauge drains a test gauge, the training gauge (the larger
catchment) is left out of training; where a test gauge drains a gauge that remains in training, it is left out of
the test. Both are counted in the table, with the reason.

A gauge whose runoff in the training period is below precipitation less potential evapotranspiration has lost water to
something that no rainfall-runoff model here knows of, such as the diversions out of New York City's reservoirs. It does not
train or validate; it is tested like any other.
"""

import numpy as np
import pandas as pd
from scipy.cluster.vq import kmeans2

from thalweg.domain import DataError

KILOMETRES_PER_DEGREE = 111.2
SPLIT_SEED = 2023  # folds belong to the experiment, not to the seeds of the models


def make_splits(domain, experiment):
    """The split of one experiment.

    Args:
        domain: the :class:`~thalweg.domain.Domain`.
        experiment: a :class:`~thalweg.study.settings.Split`.

    Returns:
        DataFrame with a row per fold and gauge: fold, gauge, train, validation, test (bool), reason,
        nearest_training_km, train_start, train_end, test_start, test_end. Validation gauges do not train.

    Raises:
        DataError: when a fold has no gauge left to train, validate or test.
    """
    generator = np.random.default_rng(SPLIT_SEED)
    place = kilometres(domain.gauges)
    gauges = domain.gauge_ids
    units = domain.gauge_units
    drains = _drains(units, domain.attributes.area.values)
    fold_of = {
        "temporal": lambda: np.zeros(len(gauges), int),
        "inner_gauges": lambda: np.where((drains & ~drains.T).any(0), 0, -1),
        "ungauged_basins": lambda: generator.permutation(np.arange(len(gauges)) % experiment.folds),
        "ungauged_regions": lambda: _regions(place, experiment.folds, domain.name),
    }[experiment.kind]()
    frames = []
    diverted = _diverted(domain, experiment.train)
    for fold in range(experiment.folds):
        test = fold_of == fold
        train = np.ones(len(gauges), bool) if experiment.kind == "temporal" else ~test
        reason = np.full(len(gauges), "", dtype=object)
        reason[train & diverted] = "left out of training: runoff below precipitation less potential evapotranspiration"
        train &= ~diverted
        if experiment.kind in ("ungauged_basins", "ungauged_regions"):
            outside = train & drains[:, test].any(1)
            reason[outside] = "left out of training: drains a test gauge"
            train &= ~outside
            inside = test & drains[:, train].any(1)
            reason[inside] = "left out of the test: drains a training gauge"
            test &= ~inside
        validation = np.zeros(len(gauges), bool)
        if experiment.validation == "gauges":
            count = max(1, round(experiment.validation_share * train.sum()))
            validation[generator.choice(np.flatnonzero(train), count, replace=False)] = True
            train = train & ~validation
        for name, mask in (("train", train), ("test", test)):
            if not mask.any():
                raise DataError(
                    f"{domain.name}: fold {fold} of {experiment.kind} has no gauge to {name}; use fewer folds"
                )
        distance = np.linalg.norm(place[:, None] - place[None, train | validation], axis=-1)
        frames.append(
            pd.DataFrame(
                {
                    "fold": fold,
                    "gauge": gauges,
                    "train": train,
                    "validation": validation,
                    "test": test,
                    "reason": reason,
                    "nearest_training_km": distance.min(1).round(1),
                }
            )
        )
    table = pd.concat(frames, ignore_index=True)
    for part in ("train", "test"):
        table[f"{part}_start"], table[f"{part}_end"] = map(str, getattr(experiment, part))
    return table


def _diverted(domain, period):
    """True for gauges whose mean runoff over the period is below precipitation less potential evapotranspiration."""
    days = slice(*map(str, period))
    forcing = domain.forcing.sel(time=days)
    surplus = (forcing.precipitation - forcing.potential_evapotranspiration).values
    observed = domain.observed.sel(time=days)
    expected = observed.copy(data=domain.gauge_weights @ surplus.T).where(observed.notnull()).mean("time")
    return (observed.mean("time") < expected).values


def kilometres(gauges):
    """Places (gauge, 2) on a plane, km east and north, of a Dataset with latitude and longitude in degrees."""
    latitude, longitude = gauges.latitude.values, gauges.longitude.values
    east = longitude * np.cos(np.deg2rad(latitude.mean()))
    return KILOMETRES_PER_DEGREE * np.stack([east, latitude], axis=1)


def _regions(place, count, name):
    _, region = kmeans2(place, count, seed=SPLIT_SEED, minit="++", missing="raise")
    if len(np.unique(region)) < count:
        raise DataError(f"{name}: the gauges do not form {count} regions; use fewer folds")
    return region


def _drains(units, area):
    """(gauge, gauge) matrix: True where the row's catchment holds the column's; equal ones hold each other."""
    shared = (units.multiply(area) @ units.T).toarray()
    own = np.diag(shared)
    holds = shared >= own[None, :] * (1 - 1e-9)
    np.fill_diagonal(holds, False)
    return holds
