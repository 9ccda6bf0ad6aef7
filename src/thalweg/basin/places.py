"""Places of gauges and sites on a plane, and the seed of random draws among them."""

import numpy as np

KILOMETRES_PER_DEGREE = 111.2
SPLIT_SEED = 2023  # folds belong to the experiment, not to the seeds of the models


def kilometres(gauges):
    """Places (gauge, 2) on a plane, km east and north, of a Dataset with latitude and longitude in degrees."""
    latitude, longitude = gauges.latitude.values, gauges.longitude.values
    east = longitude * np.cos(np.deg2rad(latitude.mean()))
    return KILOMETRES_PER_DEGREE * np.stack([east, latitude], axis=1)
