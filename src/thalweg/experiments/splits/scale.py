"""Train at catchments of some areas, test at others."""

import numpy as np
from pydantic import Field

from thalweg.basin.domain import require
from thalweg.experiments.splits.division import Division, kind
from thalweg.schema import Area, Settings


class Options(Settings):
    """Which areas."""

    train_areas: tuple[Area, Area] = Field(description="smallest and largest area of training catchments")
    test_areas: tuple[Area, Area] = Field(description="smallest and largest area of test catchments")


@kind("apart", Options)
def scale(candidates):
    """Gauges with an area in one range are tested, those in the other are used for training."""
    require(candidates.domain.places, ["drainage_area"], f"{candidates.domain.name}/places")
    area = candidates.domain.places.drainage_area.values
    options = candidates.options
    return Division(
        np.where(_within(area, options.test_areas), 0, -1),
        trains=_within(area, options.train_areas),
        reason="left out: area in neither range",
    )


def _within(area, limits):
    return (area >= limits[0]) & (area < limits[1])
