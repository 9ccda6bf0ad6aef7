"""From grids to catchments: sparse weights made once, applied lazily to any number of time steps.

Choice of the scheme:

============ ==================================================================== =====================================
scheme       value of a unit                                                      for
============ ==================================================================== =====================================
conservative mean of all cells it touches, weighted by the area it shares with    fluxes and stores whose volume counts:
             each; the volume over the unit is that of the grid                   rain, snow, evapotranspiration, soils
bilinear     at its centroid, between the four nearest cell centres               smooth states on cells larger than the
                                                                                  unit: temperature, humidity, pressure
nearest      of the cell that holds its centroid                                  classes and flags, which have no mean
============ ==================================================================== =====================================

Bilinear and nearest use one point of the unit: they do not conserve volume, and miss values elsewhere in it.

Areas. Shared areas are exact (exactextract, Daniel Baston, finds the cells and the covered fractions). In a projected
reference system they are areas of its plane; in a geographic one they are areas on the ellipsoid (Lambert's
cylindrical equal-area projection). A plane that is far from equal-area, such as Mercator's, is the caller's choice to
make: reproject the grid if areas within one catchment differ much.

Scale. Weights are two numbers per unit and cell shared, whatever the length of the record. Data stay on disk until a
result is computed or written, and then at most a few blocks of time steps are in memory, one or two per thread. A year
of hourly 0.1 degree global grids is 8760 x 6.5 million cells, 227 GB in single precision: in blocks of 6 hours a worker
holds 156 MB at a time, so it streams through a laptop at the speed of its disk, and only (8760, unit) remains: 0.7 GB
for 10 000 catchments, which ``to_netcdf`` or ``to_zarr`` write block by block. Where the catchments lie in one region,
only the window that holds them is read. ``benchmarks/regrid_memory.py`` measures this.
"""

from dataclasses import dataclass
from functools import cached_property

import geopandas as gpd
import numpy as np
import scipy.sparse as sparse
import shapely
import xarray as xr
from exactextract import exact_extract
from exactextract.raster import NumPyRasterSource
from pyproj import CRS, Proj

from thalweg.basin.grid import FULL_CIRCLE, Grid, RegridError, name_of

COVERAGE_TOLERANCE = 1e-6  # share of a unit that may lie beyond the grid, for rounding of coordinates
EDGE_STEPS = 50  # vertices per cell put on straight edges before they are reprojected


@dataclass(frozen=True)
class Weights:
    """Contribution of each cell to each unit.

    Args:
        matrix: csr_matrix (unit, cell); rows sum to 1. Cells are counted row by row.
        unit: ids (unit,).
        area: of each unit (unit,), m2.
        scheme: conservative, bilinear or nearest.
        grid: the grid they apply to.
    """

    matrix: sparse.csr_matrix
    unit: np.ndarray
    area: np.ndarray
    scheme: str
    grid: Grid

    @cached_property
    def window(self):
        """Slices (rows, columns) that hold every cell with a weight."""
        rows, columns = np.unravel_index(np.unique(self.matrix.indices), self.grid.shape)
        return slice(rows.min(), rows.max() + 1), slice(columns.min(), columns.max() + 1)

    @cached_property
    def compact(self):
        """The matrix (unit, used cell), and the used cells' positions in the window."""
        used = np.unique(self.matrix.indices)
        rows, columns = np.unravel_index(used, self.grid.shape)
        down, across = self.window
        width = across.stop - across.start
        return self.matrix[:, used], (rows - down.start) * width + columns - across.start


def weights(grid, polygons, scheme="conservative"):
    """Weights that turn values on ``grid`` into values of ``polygons``.

    Polygons in another reference system are transformed to the grid's, with vertices added along their edges so that
    these keep their course. Longitudes may count from -180 or from 0, rows may run north or south.

    Args:
        grid: DataArray or Dataset with regular coordinates and a reference system (``grid.rio.crs``); values are not read.
        polygons: GeoDataFrame indexed by unit id.
        scheme: conservative, bilinear or nearest; see the module's table.

    Returns:
        Weights

    Raises:
        RegridError: no reference system, irregular coordinates, a unit that is empty, invalid or duplicated, or that
            the grid does not cover; the message names it and the share not covered.
    """
    if scheme not in SCHEMES:
        raise RegridError(f"unknown regridding scheme {scheme!r}; available: {', '.join(SCHEMES)}")
    target = Grid.of(grid)
    outlines = _outlines(target, polygons)
    _check_cover(target, outlines, name_of(grid))
    matrix, area = SCHEMES[scheme](target, outlines.to_numpy())
    total = np.asarray(matrix.sum(axis=1)).ravel()
    return Weights((sparse.diags(1 / total) @ matrix).tocsr(), outlines.index.to_numpy(dtype=str), area, scheme, target)


def apply(weights, data, minimum_share=1.0):
    """Values of units from values on the grid, lazily when ``data`` is a dask array.

    Dask arrays stay in their blocks along time; blocks along rows and columns are joined.

    Args:
        weights: as returned by :func:`weights`.
        data: DataArray (..., row, column) on the grid of the weights, usually (time, y, x). NaN and the value named by
            ``data.rio.nodata`` are holes.
        minimum_share: the share of a unit's weight that must have data. Where at least this much has, the rest is
            assumed equal to it (the weights are scaled up); if less has, the data are rejected. 1 rejects every
            hole, 0 accepts all and gives NaN where there are no data.

    Returns:
        DataArray (..., unit), float64, with the attributes of ``data``.

    Raises:
        RegridError: the data lie on another grid; or, when values are computed, too large a hole, naming unit, time and
            share.
    """
    weights.grid.check(data)
    y, x = weights.grid.dims
    rows, columns = weights.window
    inside = data.isel({y: rows, x: columns})
    if inside.chunks is not None:
        inside = inside.chunk({y: -1, x: -1})
    leading = [dim for dim in data.dims if dim not in (y, x)]
    sizes = tuple(data.sizes[dim] for dim in leading)
    steps = xr.DataArray(np.arange(np.prod(sizes, dtype=int)).reshape(sizes), dims=leading)
    matrix, cells = weights.compact
    nodata = data.rio.nodata
    labels = {dim: data[dim].values for dim in leading}
    name = name_of(data)

    def block(values, steps):
        result = np.empty((steps.size, len(weights.unit)))
        for position, (step, grid) in enumerate(zip(steps.ravel(), values.reshape(steps.size, -1))):
            result[position], share = _aggregate(matrix, grid[cells], nodata)
            lacking = share < minimum_share - COVERAGE_TOLERANCE
            if lacking.any():
                unit = int(np.argmax(lacking))
                at = zip(labels.items(), np.unravel_index(step, sizes))
                when = "".join(f" at {dim} {line[index]}" for (dim, line), index in at)
                raise RegridError(
                    f"grid {name} has data for {share[unit]:.2%} of unit {str(weights.unit[unit])!r}{when}, less than the "
                    f"{minimum_share:.2%} required; fill the holes or lower minimum_share"
                )
        return result.reshape(*steps.shape, -1)

    result = xr.apply_ufunc(
        block,
        inside,
        steps,
        input_core_dims=[[y, x], []],
        output_core_dims=[["unit"]],
        dask="parallelized",
        output_dtypes=[float],
        dask_gufunc_kwargs={"output_sizes": {"unit": len(weights.unit)}},
    )
    kept = {name: value for name, value in data.attrs.items() if name not in ("_FillValue", "grid_mapping")}
    crs_coordinates = [name for name in result.coords if name not in leading]
    return result.drop_vars(crs_coordinates).assign_coords(unit=weights.unit).assign_attrs(kept)


def _aggregate(matrix, values, nodata):
    """Values of units (unit,) from those of the used cells, and the share of each unit's weight that has data."""
    values = values.astype(float)
    known = np.isfinite(values)
    if nodata is not None:
        known &= values != nodata
    if known.all():
        return matrix @ values, np.ones(matrix.shape[0])
    share = matrix @ known
    total = matrix @ np.where(known, values, 0.0)
    return np.divide(total, share, out=np.full(len(share), np.nan), where=share > 0), share


def _outlines(grid, polygons):
    """The polygons in the grid's reference system: GeoSeries indexed by unit."""
    outlines = polygons.geometry
    if outlines.crs is None:
        raise RegridError("the polygons have no coordinate reference system; set it with polygons.set_crs")
    if outlines.index.has_duplicates:
        twice = outlines.index[outlines.index.duplicated()][0]
        raise RegridError(f"unit {twice!r} appears more than once; dissolve its polygons into one")
    empty = ~(shapely.area(outlines.to_numpy()) > 0)
    for what, wrong in (("has no area", empty), ("is not a valid polygon", ~outlines.is_valid)):
        if wrong.any():
            raise RegridError(f"unit {outlines.index[wrong][0]!r} {what}; correct it (shapely.make_valid may help)")
    same = CRS.from_user_input(outlines.crs) == grid.crs
    if same and not grid.crs.is_geographic:
        return outlines
    ends = outlines.to_crs(grid.crs)
    extents = [np.hypot(box[2] - box[0], box[3] - box[1]) for box in (outlines.total_bounds, ends.total_bounds)]
    cell = min(abs(step) for step in grid.step) * extents[0] / extents[1]
    outlines = outlines.segmentize(cell / EDGE_STEPS).to_crs(grid.crs)
    lost = ~np.isfinite(outlines.bounds.to_numpy()).all(axis=1)
    if lost.any():
        raise RegridError(
            f"unit {outlines.index[lost][0]!r} has no place in the grid's reference system {grid.crs.name!r}"
        )
    return outlines


def _check_cover(grid, outlines, name):
    west, south, east, north = grid.bounds
    whole = shapely.area(outlines.to_numpy())
    covered = sum(
        shapely.area(shapely.clip_by_rect(outlines.to_numpy(), west + turn, south, east + turn, north))
        for turn in grid.turns
    )
    beyond = 1 - covered / whole
    if beyond.max() > COVERAGE_TOLERANCE:
        first = int(np.argmax(beyond > COVERAGE_TOLERANCE))
        raise RegridError(
            f"grid {name} does not cover {beyond[first]:.4%} of unit {outlines.index[first]!r}: it spans "
            f"{west:g} to {east:g}, {south:g} to {north:g}; use a larger grid or omit the unit"
        )


def _conservative(grid, outlines):
    """Areas shared by units and cells, csr_matrix (unit, cell), and their sums."""
    rows, cells, shared = [], [], []
    reference = grid.crs.to_wkt()
    for turn in grid.turns:
        moved = shapely.transform(outlines, lambda points, turn=turn: points + np.array([turn, 0.0]))
        near = np.flatnonzero(shapely.intersects(moved, shapely.box(*grid.bounds)))
        if not len(near):
            continue
        source = NumPyRasterSource(np.zeros(grid.shape, np.uint8), *grid.bounds, srs_wkt=reference)
        frame = gpd.GeoDataFrame({"unit": near}, geometry=moved[near], crs=reference)
        for found in exact_extract(source, frame, ["cell_id", "coverage"], include_cols=["unit"]):
            unit, cell, fraction = (found["properties"][key] for key in ("unit", "cell_id", "coverage"))
            cell = _cell_numbers(grid, np.asarray(cell, dtype=int))
            cells.append(cell)
            shared.append(_shared_area(grid, moved[unit], cell, np.asarray(fraction, dtype=float)))
            rows.append(np.full(len(cell), unit))
    triplets = (np.concatenate(shared), (np.concatenate(rows), np.concatenate(cells)))
    matrix = sparse.csr_matrix(triplets, shape=(len(outlines), grid.shape[0] * grid.shape[1]))
    matrix.eliminate_zeros()
    return matrix, np.asarray(matrix.sum(axis=1)).ravel()


def _cell_numbers(grid, numbers):
    """Cells counted from the north-west corner, as exactextract does, to cells counted as the grid's rows and columns run."""
    row, column = np.unravel_index(numbers, grid.shape)
    across, down = grid.step
    row = row if down < 0 else grid.shape[0] - 1 - row
    column = column if across > 0 else grid.shape[1] - 1 - column
    return np.ravel_multi_index((row, column), grid.shape)


def _shared_area(grid, outline, cells, fraction):
    """Area that ``outline`` shares with each cell.

    On a geographic grid the area under a part of a cell depends on where in the cell it lies: cells cut by the outline
    are intersected with it once more on the equal-area plane.
    """
    across, down = (abs(step) for step in grid.step)
    if not grid.crs.is_geographic:
        return fraction * across * down * _metres(grid.crs) ** 2
    row, column = np.unravel_index(cells, grid.shape)
    x, y = grid.x[column], grid.y[row]
    corners = np.stack([x - across / 2, y - down / 2, x + across / 2, y + down / 2])
    west, south = _equal_area(grid.crs, corners[0], corners[1])
    east, north = _equal_area(grid.crs, corners[2], corners[3])
    area = (east - west) * (north - south)
    cut = np.flatnonzero((fraction > 0) & (fraction < 1))
    plane = shapely.transform(outline, lambda points: np.column_stack(_equal_area(grid.crs, *points.T)))
    left, _, right, _ = plane.bounds
    for line in np.unique(row[cut]):
        here = cut[row[cut] == line]
        strip = shapely.clip_by_rect(plane, left - 1, south[here[0]], right + 1, north[here[0]])
        boxes = shapely.box(west[here], south[here], east[here], north[here])
        area[here] = shapely.area(shapely.intersection(boxes, shapely.make_valid(strip)))
    return np.where(fraction > 0, area, 0.0)


def _equal_area(crs, longitude, latitude):
    """Degrees to metres on Lambert's cylindrical equal-area plane of the reference system's ellipsoid."""
    ellipsoid = crs.ellipsoid
    plane = Proj(proj="cea", a=ellipsoid.semi_major_metre, b=ellipsoid.semi_minor_metre)
    _, northing = plane(np.zeros(len(latitude)), np.clip(latitude, -90.0, 90.0))
    return np.radians(longitude) * ellipsoid.semi_major_metre, northing


def _metres(crs):
    """Metres in the length unit of a projected reference system."""
    return crs.axis_info[0].unit_conversion_factor


def _nearest(grid, outlines):
    """One cell per unit: the one that contains its centroid."""
    down, across = _positions(grid, outlines)
    row = np.clip(np.rint(down), 0, grid.shape[0] - 1)
    column = np.clip(np.rint(across), 0, grid.shape[1] - 1)
    return _matrix(grid, row[:, None], column[:, None], np.ones((len(outlines), 1))), _plane_area(grid, outlines)


def _bilinear(grid, outlines):
    """The four cells around each unit's centroid; in the outer half cell of the grid the two or one nearest."""
    down, across = _positions(grid, outlines)
    row, column = np.floor(down), np.floor(across)
    below, beside = down - row, across - column
    rows = np.stack([row, row, row + 1, row + 1], axis=1)
    columns = np.stack([column, column + 1, column, column + 1], axis=1)
    parts = np.stack([(1 - below) * (1 - beside), (1 - below) * beside, below * (1 - beside), below * beside], axis=1)
    columns = columns % grid.shape[1] if grid.circles else np.clip(columns, 0, grid.shape[1] - 1)
    return _matrix(grid, np.clip(rows, 0, grid.shape[0] - 1), columns, parts), _plane_area(grid, outlines)


def _positions(grid, outlines):
    """Fractional row and column of each unit's centroid."""
    centroid = shapely.centroid(outlines)
    x, y = shapely.get_x(centroid), shapely.get_y(centroid)
    across, down = grid.step
    if grid.crs.is_geographic:
        west = grid.bounds[0]
        x = west + (x - west) % FULL_CIRCLE
    return (y - grid.y[0]) / down, (x - grid.x[0]) / across


def _matrix(grid, rows, columns, parts):
    cells = np.ravel_multi_index((rows.astype(int), columns.astype(int)), grid.shape)
    units = np.repeat(np.arange(len(cells)), cells.shape[1])
    matrix = sparse.csr_matrix(
        (parts.ravel(), (units, cells.ravel())), shape=(len(cells), grid.shape[0] * grid.shape[1])
    )
    matrix.eliminate_zeros()
    return matrix


def _plane_area(grid, outlines):
    if not grid.crs.is_geographic:
        return shapely.area(outlines) * _metres(grid.crs) ** 2
    return shapely.area(shapely.transform(outlines, lambda points: np.column_stack(_equal_area(grid.crs, *points.T))))


SCHEMES = {"conservative": _conservative, "bilinear": _bilinear, "nearest": _nearest}
