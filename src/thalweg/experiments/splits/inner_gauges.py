"""Train at the last gauges downstream, test at those upstream of them: is discharge right inside a catchment?"""

import numpy as np

from thalweg.experiments.splits.division import Division, kind


@kind("apart", nested_apart=False)
def inner_gauges(candidates):
    """Gauges inside another's catchment are tested."""
    drains = candidates.drains
    return Division(np.where((drains & ~drains.T).any(0), 0, -1))
