"""Splits: training and test places, as a table that is saved and read by all later steps.

Nested gauges never straddle training and test, except in ``inner_gauges``, which tests exactly this: trained at the last gauges
downstream, is discharge right upstream of them? Elsewhere, where a training gauge drains a test gauge, the training gauge (the larger
catchment) is left out of training; where a test gauge drains a gauge that remains in training, it is left out of
the test. Both are counted in the table, with the reason.

A gauge whose runoff in the training period is below precipitation minus potential evapotranspiration has lost water to
processes not in any rainfall-runoff model here, such as the diversions out of New York City's reservoirs. It does not
train or validate; it is tested like any other. Periods shorter than a year are not judged: the soil may store the water.

Nor does a place train or validate that has no value in the training period, or a gauge whose values there are all the same
(it was built later, or it is dry throughout): a loss relative to its variance would be undefined. It is tested likewise.
"""

import numpy as np
import pandas as pd

from thalweg.basin.domain import DataError
from thalweg.basin.observables import observable, observations
from thalweg.basin.places import SPLIT_SEED, great_circle, vectors_of
from thalweg.experiments.splits.division import Candidates
from thalweg.metrics.calendar import NO_YEAR, counted_days, positions
from thalweg.registry import load

YEAR = 365  # days, minimum to judge the balance of a catchment


def make_splits(domain, experiment):
    """The split of one experiment.

    Args:
        domain: the :class:`~thalweg.basin.domain.Domain`.
        experiment: a :class:`~thalweg.settings.blocks.Split`.

    Returns:
        DataFrame with a row per fold and place: fold, place, train, validation, test (bool), training_values, test_values
        (number of observations in the periods), reason, nearest_training_km, train_start, train_end, test_start, test_end, train_years,
        test_years. The last two are the water years (1999 ends on 30 September 1999) of the periods that count at this place,
        separated by blanks; empty for all days. Validation places do not train.

    Raises:
        DataError: if the variable was not observed, or a fold has no place left to train, validate or test.
    """
    generator = np.random.default_rng(SPLIT_SEED)
    position = vectors_of(domain.places) if {"latitude", "longitude"} <= set(domain.places.data_vars) else None
    places = domain.place_ids
    period = _shortened(experiment)
    there = np.any([observations(domain, name).notnull().values for name in experiment.variables], axis=0)
    counts = {
        part: there[:, slice(*positions(domain.forcing.time.values, *days))].sum(1)
        for part, days in (("train", period), ("test", experiment.test))
    }
    ever = there.any(1)  # elsewhere other variables are observed
    enough = {part: ever & (count >= experiment.minimum_values) for part, count in counts.items()}
    usable = np.flatnonzero(enough["train"] & enough["test"])
    routed = any(observable(name).gather == "routed" for name in experiment.variables)
    drains = _drains(domain) if routed else np.zeros((len(places), len(places)), bool)
    kind = load("split", experiment.kind)
    division = kind(Candidates(domain, experiment, experiment.options, usable, drains, generator))
    fold_of = np.full(len(places), -1)
    fold_of[usable] = division.fold_of[usable]
    train_years, test_years = (_years(years, len(places)) for years in (division.train_years, division.test_years))
    frames = []
    diverted = _diverted(domain, period) if routed else np.zeros(len(places), bool)
    silent = _silent(domain, experiment, period, train_years)
    for fold in range(experiment.tested_folds or experiment.folds):
        test = (fold_of == fold) & (test_years != NO_YEAR)
        train = enough["train"].copy() if kind.places == "same" else enough["train"] & ~test
        reason = np.select(
            [~ever, ~enough["train"], ~enough["test"]],
            ["not observed here", "too few training values", "too few test values"],
            "",
        )
        reason = reason.astype(object)
        if division.trains is not None:
            train &= division.trains
            reason[~train & ~test & (reason == "")] = division.reason
        reason[train & diverted] = "left out of training: runoff below precipitation minus potential evapotranspiration"
        train &= ~diverted & (train_years != NO_YEAR)
        reason[train & (silent != "")] = silent[train & (silent != "")]
        train &= silent == ""
        if kind.nested_apart:
            outside = train & drains[:, test].any(1)
            reason[outside] = "left out of training: drains a test gauge"
            train &= ~outside
            inside = test & drains[:, train].any(1)
            reason[inside] = "left out of the test: drains a training gauge"
            test &= ~inside
        if experiment.training_share < 1:
            order = np.random.default_rng([SPLIT_SEED, fold]).permutation(np.flatnonzero(train))
            unused = order[max(2, round(experiment.training_share * len(order))) :]
            reason[unused] = "left out of training: share of places"
            train[unused] = False
        validation = np.zeros(len(places), bool)
        if experiment.validation == "places":
            if train.sum() == 1:
                raise DataError(
                    f"{domain.name}: fold {fold} of {experiment.kind} has one place to train, '{places[train][0]}', and validation "
                    "by places would take it; set validation to period or none"
                )
            count = max(1, round(experiment.validation_share * train.sum()))
            validation[generator.choice(np.flatnonzero(train), min(count, train.sum()), replace=False)] = True
            train = train & ~validation
        for name, mask in (("train", train), ("test", test)):
            if not mask.any():
                raise DataError(_nowhere(domain, experiment, name, fold, period, reason))
        frames.append(
            pd.DataFrame(
                {
                    "fold": fold,
                    "place": places,
                    "train": train,
                    "validation": validation,
                    "test": test,
                    "training_values": counts["train"],
                    "test_values": counts["test"],
                    "reason": reason,
                    "nearest_training_km": _nearest(position, train | validation),
                }
            )
        )
    table = pd.concat(frames, ignore_index=True)
    for part, days in (("train", period), ("test", experiment.test)):
        table[f"{part}_start"], table[f"{part}_end"] = map(str, days)
    count = experiment.tested_folds or experiment.folds
    return table.assign(train_years=np.tile(train_years, count), test_years=np.tile(test_years, count))


def _nowhere(domain, experiment, name, fold, period, reason):
    """The message where no place is left to train or test."""
    why = "; ".join(f"{count} {text}" for text, count in pd.Series(reason[reason != ""]).value_counts().items())
    mends = ["use fewer folds"] * experiment.held_out + ["lower minimum_values"] * (experiment.minimum_values > 0)
    return (
        f"{domain.name}: fold {fold} of {experiment.kind} has no place to {name} with {experiment.minimum_values} values "
        f"of '{experiment.first}' in {period[0]}..{experiment.test[1]} ({why or 'none is left out'}); "
        f"{', '.join([*mends, 'change the periods'])} or add places"
    )


def _silent(domain, experiment, period, train_years):
    """Why each place cannot train: array of texts (place,), "" where it can."""
    rows = pd.DataFrame({"train_start": str(period[0]), "train_end": str(period[1]), "train_years": train_years})
    days = counted_days(rows, "train", domain.forcing.time.values).T
    some, varying = np.zeros(len(rows), bool), np.zeros(len(rows), bool)
    for name in experiment.variables:
        values = np.where(days, observations(domain, name).values, np.nan)
        there = np.isfinite(values)
        some |= there.any(1)
        low, high = np.where(there, values, np.inf).min(1), np.where(there, values, -np.inf).max(1)
        varying |= there.any(1) & ((high > low) | (not observable(name).continuous))
    constant = f"left out of training: '{experiment.first}' is constant in the training period"
    nothing = f"left out of training: no value of '{experiment.first}' in the training period"
    return np.select([~some, ~varying], [nothing, constant], "").astype(object)


def _nearest(position, trains):
    """Kilometres along the sphere from each place to the nearest that trains or validates (place,)."""
    if position is None:
        return np.nan
    nearest = np.full(len(position), np.inf)
    for there in position[trains]:
        nearest = np.fmin(nearest, great_circle(position, there))
    return nearest.round(1)


def _shortened(experiment):
    first, last = experiment.train
    if experiment.training_years is None:
        return experiment.train
    start = pd.Timestamp(last) + pd.Timedelta(days=1) - pd.DateOffset(years=experiment.training_years)
    return max(first, start.date()), last


def _years(chosen, count):
    """Water years that count at each place, as texts: array (place,)."""
    if chosen is None:
        return np.full(count, "", dtype=object)
    return np.array([" ".join(map(str, years)) or NO_YEAR for years in chosen], dtype=object)


def _diverted(domain, period):
    """True for gauges whose mean runoff over the period is below precipitation minus potential evapotranspiration."""
    if (pd.Timestamp(period[1]) - pd.Timestamp(period[0])).days < YEAR - 1:
        return np.zeros(len(domain.place_ids), bool)
    days = slice(*map(str, period))
    forcing = domain.forcing.sel(time=days)
    surplus = (forcing.precipitation - forcing.potential_evapotranspiration).values
    observed = domain.observed_runoff.sel(time=days)
    expected = observed.copy(data=domain.catchment_weights @ surplus.T).where(observed.notnull()).mean("time")
    return (observed.mean("time") < expected).values


def _drains(domain):
    """(place, place) matrix: True where the row's catchment contains the column's; equal ones contain each other."""
    units = domain.catchment_units
    shared = (units.multiply(domain.attributes.area.values) @ units.T).toarray()
    own = np.diag(shared)
    holds = shared >= own[None, :] * (1 - 1e-9)
    position = {place: i for i, place in enumerate(domain.place_ids)}
    if "inside" in domain.places:  # stated or guessed, where there is no network
        for inner, outer in enumerate(domain.places.inside.values.astype(str)):
            holds[[position[one] for one in outer.split("\n") if one in position], inner] = True
    np.fill_diagonal(holds, False)
    return holds
