"""Baselines without a model: the mean of the calendar day, or a seasonal cycle."""

import numpy as np
import pandas as pd

from thalweg.basin.observables import observations
from thalweg.experiments.simulation import Simulation, simulation_of
from thalweg.metrics.calendar import counted_days, period


def climatology(domain, splits, variable, settings):
    """The mean of each calendar day, smoothed, or a seasonal cycle fitted to samples, as set in the settings.

    Args:
        domain, splits: of the experiment.
        variable: the observed variable.
        settings: :class:`~thalweg.settings.blocks.ClimatologyModel`.

    Returns:
        Simulation: with one seed, 0.
    """
    if settings.harmonics is None:
        return calendar_mean(domain, splits, variable, settings.smoothing)
    return seasonal_cycle(domain, splits, variable, settings.harmonics)


def calendar_mean(domain, splits, variable, smoothing):
    """Mean per calendar day over the training period.

    At a training or validation place, and at every place if training and test period differ, its own mean; at a held-out place,
    the mean over the others. The calendar is smoothed by a circular running mean of ``smoothing`` days; that of months is
    not smoothed.
    """
    time = pd.DatetimeIndex(domain.forcing.time.values)
    monthly = domain.step == "month"
    calendar, count = (time.month, 12) if monthly else (time.dayofyear, 366)
    width = 1 if monthly else round(smoothing)
    folds = sorted(splits.fold.unique())
    days = period(splits, "test", time)
    observed = pd.DataFrame(observations(domain, variable).values.T, index=time, columns=domain.place_ids)
    simulated = np.full((len(folds), 1, observed.shape[1], days[1] - days[0]), np.nan, dtype=np.float32)
    for i, fold in enumerate(folds):
        split = splits[splits.fold == fold].set_index("place").loc[domain.place_ids]
        first, last = period(split, "train", time)
        disjoint = last <= days[0] or first >= days[1]
        seen = (split.train | split.validation).values | disjoint
        past = observed.where(counted_days(split, "train", time) & seen).iloc[first:last]
        mean = (
            past.groupby(calendar[first:last]).mean().reindex(range(1, count + 1)).interpolate(limit_direction="both")
        )
        smooth = pd.concat([mean] * 3).rolling(width, center=True).mean().iloc[count : 2 * count]
        smooth = smooth.T.fillna(smooth.mean(axis=1)).T
        window = smooth.loc[calendar[slice(*days)]].values.T
        simulated[i, 0, split.test.values] = window[split.test.values]
    return Simulation({variable: simulation_of(domain, splits, variable, [0], days, simulated)})


def seasonal_cycle(domain, splits, variable, harmonics):
    """The seasonal cycle of the training samples as a Fourier series, by least squares of the untransformed samples.

    At a sampled training place it is its own; at a held-out place, that of all training places together. It is never negative
    unless a sample that it is fitted to is (isotopes, temperatures).
    """
    time = pd.DatetimeIndex(domain.forcing.time.values)
    angle = 2 * np.pi * time.dayofyear.values / 365.25
    terms = [f(k * angle) for k in range(1, harmonics + 1) for f in (np.cos, np.sin)]
    design = np.stack([np.ones(len(time)), *terms], axis=1)
    observed = observations(domain, variable).values.T
    folds = sorted(splits.fold.unique())
    simulated = np.full((len(folds), 1, observed.shape[1], len(time)), np.nan, dtype=np.float32)
    for i, fold in enumerate(folds):
        split = splits[splits.fold == fold].set_index("place").loc[domain.place_ids]
        first, last = period(split, "train", time)
        seen = (split.train | split.validation).values
        past = np.where(counted_days(split, "train", time) & seen, observed, np.nan)[first:last]
        for place in np.flatnonzero(split.test.values):
            own = seen[place] and np.isfinite(past[:, place]).any()
            columns = [place] if own else np.flatnonzero(seen)
            rows, _ = np.nonzero(np.isfinite(past[:, columns]))
            values = past[:, columns][np.isfinite(past[:, columns])]
            fitted = np.linalg.lstsq(design[first:last][rows], values, rcond=None)[0]
            simulated[i, 0, place] = np.maximum(design @ fitted, 0.0 if values.min() >= 0 else -np.inf)
    return Simulation({variable: simulation_of(domain, splits, variable, [0], (0, len(time)), simulated)})
