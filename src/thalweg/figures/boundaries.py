"""Coasts and lakes behind maps, from the files of the ``map`` dataset (GSHHG 2.3.6, Wessel & Smith 1996).

``gshhsmeta_<resolution>.dat`` has one line per polygon: level (1 land, 2 lake, 3 island in a lake, 4 pond on it,
5 and 6 Antarctica), area in km2, number of points, southern and northern limit in degrees, offset and length of its
points in bytes, id. ``gshhs_<resolution>.dat`` holds the points, pairs (longitude, latitude) of little-endian 32-bit
floats.
"""

from pathlib import Path

import numpy as np
import shapely

RESOLUTIONS = ("i", "l")  # intermediate (1 km) and low (5 km); the finest that is there is used
LAND_LEVELS = (1, 3)
WATER_LEVELS = (2, 4)
FINEST = 1 / 1200  # of the box's longer side: detail that no map on a page shows


def read_boundaries(folder, extent):
    """Land and water polygons within a box.

    Args:
        folder: where the dataset was unpacked; the files are looked for below it.
        extent: west, south, east, north in degrees.

    Returns:
        list of (bool, array): whether the polygon is land, and its outline (point, 2) of longitude and latitude clipped
        to the box and simplified, in the order in which to draw them; polygons smaller than any detail are left out.

    Raises:
        FileNotFoundError: when the folder holds none of the files.
    """
    metadata, points = _files(folder)
    west, south, east, north = extent
    finest = FINEST * max(east - west, north - south)
    shapes = []
    for line in metadata.read_text().splitlines():
        level, _, _, lowest, highest, offset, length, _ = line.split()
        if float(lowest) > north or float(highest) < south or int(level) not in LAND_LEVELS + WATER_LEVELS:
            continue
        outline = np.fromfile(points, "<f4", int(length) // 4, offset=int(offset)).reshape(-1, 2)
        if outline[:, 0].min() > east or outline[:, 0].max() < west:
            continue
        clipped = shapely.clip_by_rect(shapely.make_valid(shapely.Polygon(outline)), *extent).simplify(finest)
        shapes += [
            (int(level), np.array(part.exterior.coords))
            for part in shapely.get_parts(clipped)
            if part.geom_type == "Polygon" and part.area > finest**2
        ]
    return [(level in LAND_LEVELS, outline) for level, outline in sorted(shapes, key=lambda shape: shape[0])]


def _files(folder):
    for resolution in RESOLUTIONS:
        for metadata in sorted(Path(folder).rglob(f"gshhsmeta_{resolution}.dat")):
            points = metadata.with_name(f"gshhs_{resolution}.dat")
            if points.exists():
                return metadata, points
    raise FileNotFoundError(
        f"{folder}: there is no gshhs_i.dat with gshhsmeta_i.dat, nor the pair for 'l'; fetch it with 'thalweg fetch map', "
        "or draw the figure without coasts"
    )
