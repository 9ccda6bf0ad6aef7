"""Errors of annual flood peaks, by return period.

The peak of a tested water year is its maximum observed daily discharge. Its return period is that in the log-Pearson III
distribution of the gauge's observed annual maxima over the whole record (:mod:`thalweg.metrics.flood_frequency`); peaks
of 25 years and more lie in the tail of records of a few decades, and are one class. The simulated peak is the maximum simulated
discharge within three days of the observed one, so that a flood a day late is an error of timing, not of magnitude.
"""

import numpy as np
import pandas as pd

from thalweg.analysis.question import answered, read_daily
from thalweg.evaluation.blocks import block_bootstrap, block_labels
from thalweg.evaluation.evidence import compared
from thalweg.experiments.declared import Declared
from thalweg.experiments.simulation import read_simulation
from thalweg.metrics.calendar import water_year
from thalweg.metrics.flood_frequency import MIN_DAYS, annual_maxima, return_period
from thalweg.metrics.scores import PEAK_WINDOW

EDGES = (2, 5, 10, 25)  # years
CLASSES = ("below 2", "2 to 5", "5 to 10", "10 to 25", "above 25")
RARE = 5  # years, minimum return period of peaks in the evidence
COLUMNS = ("model", "return_period", "peaks", "places", "median_error", "low", "high", "median_absolute_error")


ANALYSIS = Declared(
    of="unseen_floods",
    reads={"domain_path": "domain", "simulations": "simulations:models_of"},
    given={"settings": "question_settings"},
    title="flood peaks",
    caption="Relative errors of annual flood peaks by model and return period (years): the maximum simulated discharge within three "
    "days of the observed peak divided by that peak, minus 1. Medians over peaks, with the 95 % interval of a bootstrap of blocks of "
    "neighbouring gauges, and the numbers of peaks and gauges.",
    category="Questions",
    tables=("", "evidence"),
)


def analyse(domain_path, simulations, settings, domain, experiment):
    """Errors of peaks of every model and class of return period, and their evidence; see :func:`peak_errors`."""
    basin = read_daily(domain_path)
    errors = [
        peak_errors(read_simulation(path), basin.observed_runoff).assign(model=name)
        for name, path in simulations.items()
    ]
    errors, blocks = pd.concat(errors, ignore_index=True), block_labels(basin.places)
    table = errors_by_class(errors, blocks, settings["bootstrap_samples"])
    rows = peak_evidence(errors, blocks, settings["reference"], settings["bootstrap_samples"])
    return answered(table, rows, domain, experiment)


def peak_errors(simulation, observed):
    """The error of every tested annual peak.

    Args:
        simulation: Dataset of discharge: simulated (fold, seed, place, time) and observed (place, time), mm/day, NaN on days that are
            not tested or were not observed.
        observed: DataArray (place, time) of the whole record, mm/day.

    Returns:
        DataFrame with a row per gauge and tested water year with enough days: place, year, return_period (years), error and
        absolute_error: simulated over observed peak minus 1, and its absolute value, each the mean over seeds and folds.
        Peaks without flow, and those of gauges without a fitted distribution, have no row.
    """
    maxima = annual_maxima(observed)
    years = water_year(simulation.time.values)
    seen = simulation.observed.values.astype(float)
    runs = simulation.simulated.values.reshape(-1, *seen.shape)
    known = np.isfinite(seen) & np.isfinite(runs).any(0)
    rows = []
    for position, gauge in enumerate(simulation.place.values.astype(str)):
        days = np.flatnonzero(known[position])
        for year in np.unique(years[days]):
            within = days[years[days] == year]
            if len(within) < MIN_DAYS:
                continue
            day = within[seen[position, within].argmax()]
            peak = seen[position, day]
            if peak <= 0:
                continue
            near = slice(max(day - PEAK_WINDOW, 0), day + PEAK_WINDOW + 1)
            errors = np.fmax.reduce(runs[:, position, near], axis=1) / peak - 1
            errors = errors[np.isfinite(errors)]
            rows.append((gauge, year, peak, errors.mean(), np.abs(errors).mean()))
    table = pd.DataFrame(rows, columns=["place", "year", "return_period", "error", "absolute_error"])
    for gauge, peaks in table.groupby("place").return_period:
        table.loc[peaks.index, "return_period"] = return_period(maxima.loc[gauge].values, peaks.to_numpy())
    return table.dropna(subset="return_period").reset_index(drop=True)


def return_class(years):
    """The class of each return period (any shape): its position in :data:`CLASSES`."""
    return np.digitize(years, EDGES)


def errors_by_class(errors, blocks, samples):
    """Errors of peaks by class of return period.

    Args:
        errors: as returned by :func:`peak_errors`, with a column model.
        blocks: Series of the label of each gauge's block, by place.
        samples: resamples of blocks.

    Returns:
        DataFrame with the columns :data:`COLUMNS`: by model and class, the number of peaks and of their gauges; over
        peaks, the median error with its 95 % interval by the block bootstrap, and the median absolute error (dimensionless).
    """
    rows = []
    for model, peaks in errors.groupby("model", sort=False):
        for position, group in peaks.groupby(return_class(peaks.return_period)):
            low, high = block_bootstrap(group.error, blocks.loc[group.place], np.median, samples)
            rows.append(
                {
                    "model": model,
                    "return_period": CLASSES[position],
                    "peaks": len(group),
                    "places": group.place.nunique(),
                    "median_error": group.error.median(),
                    "low": low,
                    "high": high,
                    "median_absolute_error": group.absolute_error.median(),
                }
            )
    return pd.DataFrame(rows, columns=COLUMNS)


def peak_evidence(errors, blocks, reference, samples):
    """Evidence of peaks of a return period of 5 years and more, ``peak_error_above_5_years``.

    For each model the median over gauges of a gauge's mean absolute error; against the reference the *improvement*, the
    error of the reference minus that of the model: positive means that the model is better.

    Args:
        errors, blocks, samples: as in :func:`errors_by_class`.
        reference: model that the others are compared with, if it is one of them.

    Returns:
        list of dict: rows of evidence without domain and experiment.
    """
    rare = errors[errors.return_period >= RARE]
    values = rare.groupby(["place", "model"]).absolute_error.mean().unstack()[rare.model.unique()]
    rows = compared(
        values,
        blocks.loc[values.index].to_numpy(),
        reference,
        np.median,
        samples,
        quantity=f"peak_error_above_{RARE}_years",
        unit="dimensionless",
        test="median of mean absolute relative errors of peaks",
    )
    return [_as_improvement(row) if row["reference"] else row for row in rows]


def _as_improvement(row):
    effect, low, high = row["effect"], row["low"], row["high"]
    test = row["test"].replace("paired difference", "paired improvement")
    return row | {"effect": -effect, "low": -high, "high": -low, "test": test}
