"""Places of gauges and sites on the sphere, and the seed of random draws among them."""

import numpy as np

EARTH_RADIUS = 6371.0  # km
SPLIT_SEED = 2023  # folds belong to the experiment, not to the seeds of the models
COMPACT, POLAR = 5.0, 70.0  # degrees from the middle, and of latitude, for a plane
DIGITS = 9  # of unit vectors, about 6 mm: longitudes 0 and 360 are one place


def unit_vectors(latitude, longitude):
    """Places as points on the unit sphere, array (place, 3).

    Args:
        latitude, longitude: degrees (place,); longitudes may be from -180 or to 360.
    """
    latitude, longitude = (np.deg2rad(np.asarray(one, dtype=float)) for one in (latitude, longitude))
    east = np.cos(latitude)
    return np.stack([east * np.cos(longitude), east * np.sin(longitude), np.sin(latitude)], axis=-1)


def vectors_of(places):
    """The :func:`unit_vectors` of a Dataset with latitude and longitude in degrees, rounded so that equal places are equal."""
    return np.round(unit_vectors(places.latitude.values, places.longitude.values), DIGITS) + 0.0


def great_circle(here, there):
    """Kilometres along the sphere between unit vectors (..., 3), which are broadcast against each other."""
    chord = np.linalg.norm(here - there, axis=-1)
    return 2 * EARTH_RADIUS * np.arcsin(np.clip(chord / 2, 0.0, 1.0))


def positions(places):
    """Places as points, km, for clusters of neighbours: their straight distances are nearly those along the sphere.

    Where all lie within :data:`COMPACT` degrees of their middle, and not near a pole, they are points of a plane (place, 2):
    degrees east times the cosine of the mean latitude, and degrees north. Elsewhere they are points in space (place, 3),
    which have no date line and no pole.
    """
    vectors = vectors_of(places)
    middle = vectors.mean(0)
    far = great_circle(vectors, middle / max(np.linalg.norm(middle), 1e-12)).max()
    latitude = np.asarray(places.latitude.values, dtype=float)
    if far > EARTH_RADIUS * np.deg2rad(COMPACT) or np.abs(latitude).max() > POLAR:
        return EARTH_RADIUS * vectors
    east = (places.longitude.values - np.rad2deg(np.arctan2(middle[1], middle[0])) + 180) % 360 - 180
    plane = np.stack([east * np.cos(np.deg2rad(latitude.mean())), latitude], axis=1)
    return np.round(EARTH_RADIUS * np.deg2rad(plane), 6)
