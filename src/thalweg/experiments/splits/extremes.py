"""Train on the water years whose largest flood is below a return period, test on those above."""

from typing import Annotated

import numpy as np
from pydantic import Field

from thalweg.basin.observables import observations
from thalweg.experiments.splits.division import Division, kind
from thalweg.metrics.flood_frequency import MIN_DAYS, MIN_YEARS, years_below
from thalweg.schema import Settings


class Options(Settings):
    """Threshold between the years."""

    return_period: Annotated[float, Field(gt=1)] = Field(
        5, description="return period of the limiting flood in years, from a log-Pearson III distribution of each gauge"
    )


@kind("same", Options, one_period=True)
def extremes(candidates):
    """Every gauge is tested in its years of large floods."""
    domain = candidates.domain
    classes = years_below(observations(domain, "discharge"), candidates.split.train, candidates.options.return_period)
    chosen = [classes[place] for place in domain.place_ids]
    return Division(
        np.zeros(len(chosen), int),
        trains=np.array([bool(row[0]) for row in chosen]),
        train_years=[row[0] for row in chosen],
        test_years=[row[1] for row in chosen],
        reason=f"left out: fewer than {MIN_YEARS} water years with {MIN_DAYS} days of discharge, or no year below the limit",
    )
