"""Grids of the Basic Model Interface: the units, places and reaches of a domain as points."""

from dataclasses import dataclass

import numpy as np

NO_EDGES = np.zeros((0, 2), int)


@dataclass(eq=False)
class Grid:
    """Points with a position and, for the reaches of a river, edges to the point downstream.

    Attributes:
        name: ``unit``, ``place`` or ``reach``.
        ids: of the points, array (point,).
        longitude, latitude: degree, arrays (point,); NaN where the domain has no positions.
        edges: positions of the upper and lower end, array (edge, 2).
    """

    name: str
    ids: np.ndarray
    longitude: np.ndarray
    latitude: np.ndarray
    edges: np.ndarray


def _position(dataset, count):
    return [
        dataset[name].values.astype(float) if name in dataset else np.full(count, np.nan)
        for name in ("longitude", "latitude")
    ]


def units(domain):
    """The units of a domain."""
    return Grid("unit", np.asarray(domain.unit_ids), *_position(domain.attributes, len(domain.unit_ids)), NO_EDGES)


def places(domain):
    """The places of a domain."""
    return Grid("place", np.asarray(domain.place_ids), *_position(domain.places, len(domain.place_ids)), NO_EDGES)


def reaches(domain, river, unit):
    """The reaches of a river, at the mean position of the units that drain to each; one without units, near its neighbours."""
    reach = domain.network.unit_reach.values.astype(str)
    weights = domain.attributes.area.values
    upper = np.flatnonzero(river.downstream >= 0)
    edges = np.stack([upper, river.downstream[upper]], 1)
    there = np.isin(reach, river.reach)
    at = river.positions(reach[there])
    total = np.bincount(at, weights[there], len(river.reach))
    position = []
    for values in (unit.longitude, unit.latitude):
        with np.errstate(invalid="ignore"):
            mean = np.bincount(at, (weights * values)[there], len(river.reach)) / total
        position.append(_filled(mean, edges))
    return Grid("reach", np.asarray(river.reach), *position, edges)


def _filled(values, edges):
    """Values (reach,) with those that are missing from a neighbour up or down the river, as far as there is one."""
    for _ in range(len(values)):
        missing = np.isnan(values)
        for here, other in (edges.T, edges.T[::-1]):
            take = missing[here] & ~np.isnan(values[other])
            values[here[take]] = values[other[take]]
        if not np.isnan(values).any() or np.array_equal(missing, np.isnan(values)):
            break
    return values
