"""Catchments from a grid of flow directions: the area that drains to each gauge, split into sub-catchments.

Every cell of a D8 grid drains to one of its eight neighbours. The sub-catchment of a gauge is the area that drains to it but to
no gauge further upstream (its incremental area); sub-catchments above a given area are split further. Upstream areas,
basins are those of pyflwdir (Eilander et al. 2021, Hydrology and Earth System Sciences 25, 5287).
"""

from collections import defaultdict
from dataclasses import dataclass

import geopandas as gpd
import numpy as np
import pandas as pd
import pyflwdir
import rasterio.features
import rasterio.transform
import rioxarray
from pyproj import CRS
from shapely.geometry import shape

from thalweg.basin.domain import DataError, require
from thalweg.basin.network import River

# Codes of a flow direction grid -> codes of pyflwdir (1 east, then powers of two clockwise; 0 drains nowhere).
CLOCKWISE_FROM_NORTH = {0: 0, 1: 64, 2: 128, 3: 1, 4: 2, 5: 4, 6: 8, 7: 16, 8: 32}
POWERS_OF_TWO = {code: code for code in (0, 1, 2, 4, 8, 16, 32, 64, 128)}
NO_DATA = 247  # of pyflwdir
SQUARE_METRES = 1e6  # in a km2


@dataclass(frozen=True)
class FlowDirections:
    """A grid of flow directions (row, column) with its coordinate reference system."""

    grid: pyflwdir.FlwdirRaster
    crs: CRS
    source: str

    def window(self, x, y, radius):
        """Flat indices of the cells at most ``radius`` cells from the cell that holds (x, y), nearest first.

        Returns:
            (array, array): indices of cells with a flow direction, and the distance of their centres to (x, y) in units
            of the coordinate reference system.
        """
        row, column = rasterio.transform.rowcol(self.grid.transform, x, y)
        rows, columns = np.mgrid[row - radius : row + radius + 1, column - radius : column + radius + 1]
        inside = (rows >= 0) & (rows < self.grid.shape[0]) & (columns >= 0) & (columns < self.grid.shape[1])
        cells = np.ravel_multi_index((rows[inside], columns[inside]), self.grid.shape)
        cells = cells[self.grid.mask[cells]]
        across, along = self.grid.xy(cells)
        distance = np.hypot(across - x, along - y)
        order = np.argsort(distance, kind="stable")
        return cells[order], distance[order]


@dataclass(frozen=True)
class Delineation:
    """Sub-catchments and the gauges at their outlets.

    ``subcatchments`` is indexed by id and has: ``downstream`` (id of the sub-catchment it drains to, ``""`` at an
    outlet), ``gauge`` (the next gauge at or below its outlet), ``area_km2``, ``length_m`` of its main channel and
    ``geometry``. The sub-catchment that ends at a gauge has the gauge's name; those cut off upstream of it within the
    same increment are ``<gauge>.1``, ``<gauge>.2``, ... going upstream.

    ``gauges`` is indexed by gauge and has: ``x``, ``y`` (centre of the cell it was moved to), ``moved`` (distance, in units
    of the coordinate reference system), ``stated_km2`` and ``delineated_km2``, ``area_error`` (relative),
    ``subcatchment``, ``downstream`` (the next gauge, ``""`` when there is none) and ``geometry``.
    """

    subcatchments: gpd.GeoDataFrame
    gauges: gpd.GeoDataFrame

    @property
    def upstream(self):
        """Which sub-catchments drain to each gauge: csr_matrix (gauge, sub-catchment) of 0 and 1."""
        river = River(self.subcatchments.index, self.subcatchments.downstream, "sub-catchments")
        return river.upstream(self.gauges.subcatchment)

    @property
    def catchments(self):
        """The whole catchment of each gauge, upstream gauges' included: GeoDataFrame indexed by gauge."""
        outlines = self.subcatchments.geometry.to_numpy()
        whole = [gpd.GeoSeries(outlines[row.indices]).union_all() for row in self.upstream]
        return gpd.GeoDataFrame(index=self.gauges.index, geometry=whole, crs=self.subcatchments.crs)


def read_flow_directions(path, codes=CLOCKWISE_FROM_NORTH):
    """Read a GeoTIFF of D8 flow directions.

    Args:
        path: the file; its nodata value marks cells outside.
        codes: meaning of its codes, code -> pyflwdir's code: CLOCKWISE_FROM_NORTH (1 north, 2 north-east ... 8
            north-west) or POWERS_OF_TWO (1 east, 2 south-east, 4 south ... 128 north-east).

    Returns:
        FlowDirections

    Raises:
        DataError: no coordinate reference system, a code that is not in ``codes``, or cells that drain in a circle (as
            they do when the codes are misread), naming the first.
    """
    with rioxarray.open_rasterio(path, masked=True) as raster:
        values, crs, transform = raster.squeeze("band", drop=True).values, raster.rio.crs, raster.rio.transform()
    if crs is None:
        raise DataError(f"{path}: no coordinate reference system; add one to the file (gdal_edit.py -a_srs)")
    known = np.isfinite(values)
    directions = np.full(values.shape, NO_DATA, np.uint8)
    for code, meaning in codes.items():
        directions[values == code] = meaning
    unknown = known & ~np.isin(values, list(codes))
    if unknown.any():
        row, column = np.argwhere(unknown)[0]
        raise DataError(
            f"{path}: flow direction {values[row, column]:g} at row {row}, column {column} is not one of "
            f"{', '.join(map(str, codes))}; pass the codes of this file"
        )
    crs = CRS.from_user_input(crs)
    grid = pyflwdir.from_array(directions, ftype="d8", transform=transform, latlon=crs.is_geographic)
    if not grid.isvalid:
        row, column = np.unravel_index(np.flatnonzero(grid.rank.ravel() == -1)[0], grid.shape)
        raise DataError(
            f"{path}: the cell at row {row}, column {column} drains in a circle; correct it, or pass the right codes"
        )
    return FlowDirections(grid, crs, str(path))


def delineate(flow, gauges, maximum_area=None, radius=1, tolerance=0.2):
    """The nested catchments of gauges, split into sub-catchments.

    A gauge's coordinates often miss the river of a coarse grid. Each gauge is moved to the cell, at most
    ``radius`` cells away, whose upstream area is nearest to the area stated for it; among equals the nearest cell.

    With ``maximum_area`` the cells of every increment are followed downstream, and where more than that would
    accumulate the largest tributary is cut off as a sub-catchment of its own, until the rest is small enough.

    Areas are those of the cells in the grid's coordinate reference system (on the ellipsoid when it is geographic).

    Args:
        flow: FlowDirections.
        gauges: DataFrame indexed by gauge name with ``x``, ``y`` [units of the grid's coordinate reference system] and
            ``area`` [km2].
        maximum_area: maximum area of a sub-catchment [km2]; if None, split at gauges only.
        radius: maximum displacement of a gauge [cells].
        tolerance: maximum relative error of the upstream area at a gauge.

    Returns:
        Delineation

    Raises:
        DataError: naming the gauge that is there twice, has no area or coordinates, lies outside the grid, has no fitting
            cell nearby, or shares a cell with another.
    """
    require(gauges, ["x", "y", "area"], "gauges")
    _check_gauges(gauges)
    outlets, table = _snap(flow, gauges, radius, tolerance)
    names = gauges.index.astype(str)
    gauge_at = dict(zip(outlets, names))
    increments = flow.grid.basins(idxs=outlets, ids=np.arange(1, len(outlets) + 1, dtype=np.uint32))
    ids = dict(gauge_at)
    if maximum_area is not None:
        for number, cuts in _cut(flow.grid, increments.ravel(), set(outlets), maximum_area).items():
            ids |= {cell: f"{names[number - 1]}.{position}" for position, cell in enumerate(cuts, start=1)}
    cells = np.array(list(ids))
    labels = flow.grid.basins(idxs=cells, ids=np.arange(1, len(cells) + 1, dtype=np.uint32))
    subcatchments = _outlines(flow, labels, list(ids.values()))

    below = flow.grid.idxs_ds[cells]
    flat = labels.ravel()
    downstream = np.where(below == cells, 0, flat[below])
    index = np.array(["", *ids.values()])
    subcatchments["downstream"] = index[downstream]
    subcatchments["gauge"] = names[increments.ravel()[cells] - 1]
    area = np.bincount(flat, weights=flow.grid.area.ravel(), minlength=len(cells) + 1)[1:]
    subcatchments["area_km2"] = area / SQUARE_METRES
    subcatchments["length_m"] = [_channel_length(flow, flat, cell) for cell in cells]

    table["subcatchment"] = names
    table["downstream"] = _next_gauge(subcatchments, names)
    order = ["downstream", "gauge", "area_km2", "length_m", "geometry"]
    return Delineation(subcatchments[order], table)


def _check_gauges(gauges):
    if not len(gauges):
        raise DataError("gauges: the table has no rows; write one for each gauge")
    names = gauges.index.astype(str)
    if names.duplicated().any():
        raise DataError(f"gauges: gauge '{names[names.duplicated()][0]}' is there twice; keep one row")
    for column, what in (("area", "area"), ("x", "coordinate x"), ("y", "coordinate y")):
        numbers = pd.to_numeric(gauges[column], errors="coerce").to_numpy(float)
        wrong = ~np.isfinite(numbers) | ((numbers <= 0) & (column == "area"))
        if wrong.any():
            value = gauges[column].iloc[int(np.argmax(wrong))]
            raise DataError(
                f"gauges: gauge '{names[wrong][0]}' has no {what} ({value}); write "
                + ("its upstream area in km2, above 0" if column == "area" else "a number")
                + ", or drop the gauge"
            )


def _snap(flow, gauges, radius, tolerance):
    """The cell of each gauge, and the table of its fit."""
    upstream_area = flow.grid.upstream_area("km2").ravel()
    outlets, rows = [], []
    for name, gauge in gauges.iterrows():
        cells, distance = flow.window(gauge.x, gauge.y, radius)
        if not len(cells):
            raise DataError(f"{flow.source}: gauge {name!r} at ({gauge.x:g}, {gauge.y:g}) lies outside the grid")
        best = np.argmin(np.abs(upstream_area[cells] - gauge.area))
        cell, found = cells[best], upstream_area[cells[best]]
        error = found / gauge.area - 1
        if abs(error) > tolerance:
            raise DataError(
                f"{flow.source}: gauge {name!r} drains {gauge.area:g} km2, but the best cell within {radius} of it "
                f"drains {found:g} km2; correct its coordinates or area, or increase radius or tolerance"
            )
        if cell in outlets:
            other = gauges.index[outlets.index(cell)]
            raise DataError(f"{flow.source}: gauges {other!r} and {name!r} fall on the same cell; drop one of them")
        outlets.append(cell)
        x, y = (float(value[0]) for value in flow.grid.xy(np.array([cell])))
        rows.append((x, y, distance[best], gauge.area, found, error))
    columns = ["x", "y", "moved", "stated_km2", "delineated_km2", "area_error"]
    table = gpd.GeoDataFrame(rows, columns=columns, index=gauges.index.astype(str).rename("gauge"))
    return outlets, table.set_geometry(gpd.points_from_xy(table.x, table.y, crs=flow.crs))


def _cut(grid, increments, outlets, maximum_area):
    """Cells at which increments are cut so that none exceeds ``maximum_area``: number of the increment -> cells, upwards."""
    area = grid.area.ravel() / SQUARE_METRES
    cuts = defaultdict(list)
    arriving = defaultdict(list)  # cell -> (area, cell) of the tributaries that reach it
    upstream_first = grid.idxs_seq[::-1]
    for cell in upstream_first[increments[upstream_first] > 0]:
        if area[cell] > maximum_area:
            raise DataError(
                f"a cell has {area[cell]:g} km2, sub-catchments at most {maximum_area:g} km2; increase the maximum"
            )
        tributaries = sorted(arriving.pop(cell, []))
        total = area[cell] + sum(part for part, _ in tributaries)
        while total > maximum_area:
            part, tributary = tributaries.pop()
            cuts[increments[cell]].append(tributary)
            total -= part
        if cell not in outlets:
            arriving[grid.idxs_ds[cell]].append((total, cell))
    return {number: cells[::-1] for number, cells in sorted(cuts.items())}


def _outlines(flow, labels, ids):
    """Polygons of labelled cells 1, 2, ...: GeoDataFrame indexed by ``ids``."""
    pieces = rasterio.features.shapes(labels.astype(np.int32), mask=labels > 0, transform=flow.grid.transform)
    geometry, label = zip(*((shape(outline), int(value)) for outline, value in pieces))
    frame = gpd.GeoDataFrame({"label": label}, geometry=list(geometry), crs=flow.crs).dissolve("label").sort_index()
    return frame.set_index(np.array(ids)).rename_axis("subcatchment")


def _channel_length(flow, labels, outlet):
    """Metres from the head of the main channel in the outlet's sub-catchment to the first cell below its outlet."""
    channel = [flow.grid.idxs_ds[outlet], outlet]
    while (above := flow.grid.idxs_us_main[channel[-1]]) >= 0 and labels[above] == labels[outlet]:
        channel.append(above)
    x, y = flow.grid.xy(np.array(channel))
    if flow.crs.is_geographic:
        return flow.crs.get_geod().line_length(x, y)
    return np.hypot(np.diff(x), np.diff(y)).sum()


def _next_gauge(subcatchments, names):
    """The next gauge downstream of each gauge, ``""`` when there is none."""
    below = subcatchments.downstream.loc[names]
    return ["" if target == "" else subcatchments.gauge[target] for target in below]
