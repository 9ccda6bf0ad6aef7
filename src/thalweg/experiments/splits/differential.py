"""Train on the wetter, drier, colder or warmer half of each place's water years, test on the other (Klemes 1986)."""

from typing import Literal

import numpy as np
from pydantic import Field

from thalweg.basin.domain import DataError, require
from thalweg.experiments.splits.division import Division, kind
from thalweg.metrics.calendar import positions, water_year
from thalweg.schema import Settings

YEARS = {  # the half that trains: forcing whose mean ranks the years, and whether its larger half does
    "wet": ("precipitation", True),
    "dry": ("precipitation", False),
    "warm": ("temperature", True),
    "cold": ("temperature", False),
}


class Options(Settings):
    """Which half trains."""

    train_on: Literal["wet", "dry", "cold", "warm"] = Field(description="half of each gauge's years used for training")


@kind("same", Options, one_period=True)
def differential(candidates):
    """Every place is tested in the half of its years not used for training."""
    domain = candidates.domain
    variable, greater = YEARS[candidates.options.train_on]
    time = domain.forcing.time.values
    years = _whole_years(time, candidates.split.train, domain.step_days)
    if len(years) < 2:
        raise DataError(
            f"{domain.name}: {candidates.split.train[0]}..{candidates.split.train[1]} has {len(years)} whole water years "
            "(October to September), but a differential split divides at least 2; lengthen the period"
        )
    require(domain.forcing, [variable], f"{domain.name}/forcing")
    values = domain.catchment_weights @ domain.forcing[variable].values.T
    year = water_year(time)
    means = np.stack([values[:, year == one].mean(1) for one in years], axis=1)
    order = np.argsort(-means if greater else means, axis=1, kind="stable")
    half = len(years) // 2
    return Division(
        np.zeros(len(order), int),
        train_years=[sorted(years[i] for i in row[:half]) for row in order],
        test_years=[sorted(years[i] for i in row[len(years) - half :]) for row in order],
    )


def _whole_years(time, period, step_days):
    """The water years entirely within a period, by their number of steps (365 days, 12 months)."""
    years, count = np.unique(water_year(time[slice(*positions(time, *period))]), return_counts=True)
    return [int(year) for year, size in zip(years, count) if size >= int(365 / step_days + 0.01)]
