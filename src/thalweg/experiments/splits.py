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

from thalweg.basin.domain import DataError
from thalweg.basin.places import SPLIT_SEED, kilometres
from thalweg.metrics.calendar import NO_YEAR, water_year
from thalweg.metrics.flood_frequency import years_below
from thalweg.settings.blocks import HELD_OUT, SAME_GAUGES

HYDROLOGIC_UNITS = ((1, 2), (3, 6), (4, 5, 7), (9, 10), (8, 11, 12, 13), (14, 15, 16, 18), (17,))  # Feng et al. (2023)
YEARS = {  # the half that trains: forcing whose mean ranks the years, and whether its greater half does
    "wet": ("precipitation", True),
    "dry": ("precipitation", False),
    "warm": ("temperature", True),
    "cold": ("temperature", False),
}


def make_splits(domain, experiment):
    """The split of one experiment.

    Args:
        domain: the :class:`~thalweg.basin.domain.Domain`.
        experiment: a :class:`~thalweg.settings.blocks.Split`.

    Returns:
        DataFrame with a row per fold and gauge: fold, gauge, train, validation, test (bool), reason,
        nearest_training_km, train_start, train_end, test_start, test_end, train_years, test_years. The last two are the
        water years (1999 ends on 30 September 1999) of the periods that count at this gauge, separated by blanks;
        empty for all days. Validation gauges do not train.

    Raises:
        DataError: when a fold has no gauge left to train, validate or test.
    """
    generator = np.random.default_rng(SPLIT_SEED)
    place = kilometres(domain.gauges)
    gauges = domain.gauge_ids
    area = domain.gauges.drainage_area.values
    units = domain.gauge_units
    drains = _drains(units, domain.attributes.area.values)
    fold_of = {
        "inner_gauges": lambda: np.where((drains & ~drains.T).any(0), 0, -1),
        "ungauged_basins": lambda: generator.permutation(np.arange(len(gauges)) % experiment.folds),
        "ungauged_regions": lambda: (
            _regions(place, experiment.folds, domain.name)
            if experiment.regions == "distance"
            else _hydrologic_units(domain)
        ),
        "scale": lambda: np.where(_within(area, experiment.test_areas), 0, -1),
    }.get(experiment.kind, lambda: np.zeros(len(gauges), int))()
    train_years, test_years = _years(domain, experiment)
    frames = []
    period = _shortened(experiment)
    diverted = _diverted(domain, period)
    for fold in range(experiment.tested_folds or experiment.folds):
        test = (fold_of == fold) & (test_years != NO_YEAR)
        train = np.ones(len(gauges), bool) if experiment.kind in SAME_GAUGES else ~test
        reason = np.full(len(gauges), "", dtype=object)
        if experiment.kind == "scale":
            train &= _within(area, experiment.train_areas)
            reason[~train & ~test] = "left out: area in neither range"
        reason[train & diverted] = "left out of training: runoff below precipitation less potential evapotranspiration"
        train &= ~diverted & (train_years != NO_YEAR)
        if experiment.kind in (*HELD_OUT, "scale"):
            outside = train & drains[:, test].any(1)
            reason[outside] = "left out of training: drains a test gauge"
            train &= ~outside
            inside = test & drains[:, train].any(1)
            reason[inside] = "left out of the test: drains a training gauge"
            test &= ~inside
        if experiment.training_share < 1:
            order = np.random.default_rng([SPLIT_SEED, fold]).permutation(np.flatnonzero(train))
            unused = order[max(2, round(experiment.training_share * len(order))) :]
            reason[unused] = "left out of training: share of gauges"
            train[unused] = False
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
    for part, days in (("train", period), ("test", experiment.test)):
        table[f"{part}_start"], table[f"{part}_end"] = map(str, days)
    count = experiment.tested_folds or experiment.folds
    return table.assign(train_years=np.tile(train_years, count), test_years=np.tile(test_years, count))


def _shortened(experiment):
    first, last = experiment.train
    if experiment.training_years is None:
        return experiment.train
    start = pd.Timestamp(last) + pd.Timedelta(days=1) - pd.DateOffset(years=experiment.training_years)
    return max(first, start.date()), last


def _within(area, limits):
    return (area >= limits[0]) & (area < limits[1])


def _whole_years(time, period):
    """The water years that lie wholly within a period."""
    days = pd.date_range(*map(str, period))
    days = days[days.isin(pd.DatetimeIndex(time))]
    years, count = np.unique(water_year(days), return_counts=True)
    return [int(year) for year, size in zip(years, count) if size >= 365]


def _years(domain, experiment):
    """Water years that train and that are tested at each gauge, as texts: two arrays (gauge,)."""
    gauges = domain.gauge_ids
    if experiment.kind == "differential":
        variable, greater = YEARS[experiment.train_on]
        years = _whole_years(domain.forcing.time.values, experiment.train)
        values = domain.gauge_weights @ domain.forcing[variable].values.T
        year = water_year(domain.forcing.time.values)
        means = np.stack([values[:, year == one].mean(1) for one in years], axis=1)
        order = np.argsort(-means if greater else means, axis=1, kind="stable")
        half = len(years) // 2
        chosen = [
            (sorted(years[i] for i in row[:half]), sorted(years[i] for i in row[len(years) - half :])) for row in order
        ]
    elif experiment.kind == "extremes":
        classes = years_below(domain.observed, experiment.train, experiment.return_period)
        chosen = [classes[gauge] for gauge in gauges]
    else:
        chosen = None
    if chosen is None:
        return np.full(len(gauges), "", dtype=object), np.full(len(gauges), "", dtype=object)
    return tuple(
        np.array([" ".join(map(str, row[part])) or NO_YEAR for row in chosen], dtype=object) for part in (0, 1)
    )


def _hydrologic_units(domain):
    """The group of :data:`HYDROLOGIC_UNITS` that each gauge's region belongs to."""
    if "region" not in domain.gauges:
        raise DataError(f"{domain.name}/gauges: variable 'region' is missing; use regions: distance")
    group = {unit: i for i, units in enumerate(HYDROLOGIC_UNITS) for unit in units}
    regions = domain.gauges.region.values.astype(str)
    unknown = [region for region in regions if not region.isdigit() or int(region) not in group]
    if unknown:
        raise DataError(
            f"{domain.name}/gauges: region '{unknown[0]}' is not a hydrologic unit of two digits; use regions: distance"
        )
    return np.array([group[int(region)] for region in regions])


def _diverted(domain, period):
    """True for gauges whose mean runoff over the period is below precipitation less potential evapotranspiration."""
    days = slice(*map(str, period))
    forcing = domain.forcing.sel(time=days)
    surplus = (forcing.precipitation - forcing.potential_evapotranspiration).values
    observed = domain.observed.sel(time=days)
    expected = observed.copy(data=domain.gauge_weights @ surplus.T).where(observed.notnull()).mean("time")
    return (observed.mean("time") < expected).values


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
