"""Regridding: volumes, constants, holes, reference systems, laziness."""

import dask.array as da
import geopandas as gpd
import numpy as np
import pandas as pd
import pytest
import rioxarray  # noqa: F401
import shapely
import xarray as xr
from pyproj import Proj

from thalweg.basin.grid import RegridError
from thalweg.basin.regrid import SCHEMES, apply, weights

LAMBERT, DEGREES = "EPSG:2154", "EPSG:4326"
METRE_BOX = (800_000, 6_440_000, 830_000, 6_460_000)  # units lie here, beside the Rhone: about 4.3 E, 45.1 N


def make_grid(crs=LAMBERT, seed=0, steps=3):
    """Patchy rain on cells that fall across the units' edges."""
    if crs == LAMBERT:
        x, y = np.arange(797_130, 834_000, 1130.0), np.arange(6_463_900, 6_437_000, -970.0)
    else:
        x, y = np.arange(4.21, 4.75, 0.013), np.arange(45.28, 44.97, -0.011)
    values = np.random.default_rng(seed).gamma(0.5, 4.0, (steps, len(y), len(x)))
    time = pd.date_range("2014-11-14 20:00", periods=steps, freq="h")
    grid = xr.DataArray(
        values, {"time": time, "y": y, "x": x}, ("time", "y", "x"), name="rain", attrs={"units": "mm/hour"}
    )
    return grid.rio.write_crs(crs)


def make_units(count=12, seed=1):
    """Polygons that tile a box without gaps."""
    box = shapely.box(*METRE_BOX)
    points = np.random.default_rng(seed).uniform(METRE_BOX[:2], METRE_BOX[2:], (count, 2))
    cells = shapely.get_parts(shapely.voronoi_polygons(shapely.multipoints(points), extend_to=box))
    return gpd.GeoDataFrame(
        index=[f"u{i}" for i in range(count)], geometry=shapely.intersection(cells, box), crs=LAMBERT
    )


def shared_areas(grid, units):
    """Areas (unit, cell) shared by units and cells, m2, by intersecting everything on an equal-area plane."""
    x, y = (line.ravel() for line in np.meshgrid(grid.x, grid.y))
    dx, dy = abs(float(grid.x[1] - grid.x[0])) / 2, abs(float(grid.y[1] - grid.y[0])) / 2
    cells = gpd.GeoSeries(shapely.box(x - dx, y - dy, x + dx, y + dy), crs=grid.rio.crs)
    outlines = units.geometry
    if grid.rio.crs.is_geographic:
        plane = "+proj=laea +lat_0=45.1 +lon_0=4.5 +ellps=WGS84"
        cells, outlines = cells.segmentize(dx / 20).to_crs(plane), outlines.segmentize(20).to_crs(plane)
    return np.array([shapely.area(shapely.intersection(cells.values, outline)) for outline in outlines])


@pytest.mark.parametrize("crs", [LAMBERT, DEGREES])
def test_volume_is_conserved(crs):
    grid, units = make_grid(crs), make_units()
    shared = shared_areas(grid, units)
    expected = grid.values.reshape(3, -1) @ shared.T

    made = weights(grid, units)
    volume = apply(made, grid) * made.area

    np.testing.assert_allclose(made.area, shared.sum(axis=1), rtol=1e-6)
    np.testing.assert_allclose(volume.sum("unit"), expected.sum(axis=1), rtol=1e-6)
    np.testing.assert_allclose(volume, expected, rtol=1e-6)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("crs", [LAMBERT, DEGREES])
def test_constants_are_preserved(crs, scheme):
    grid, units = make_grid(crs), make_units()
    np.testing.assert_allclose(apply(weights(grid, units, scheme), xr.full_like(grid, 7.3)), 7.3, rtol=1e-14)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_order_of_units_does_not_matter(scheme):
    grid, units = make_grid(DEGREES), make_units()
    mixed = units.sample(frac=1, random_state=0)
    one, other = (apply(weights(grid, polygons, scheme), grid) for polygons in (units, mixed))
    assert list(other.unit) != list(one.unit)
    np.testing.assert_allclose(other.sel(unit=one.unit), one, rtol=1e-12)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_rows_may_run_north_or_south(scheme):
    grid, units = make_grid(), make_units()
    flipped = grid.isel(y=slice(None, None, -1))
    np.testing.assert_allclose(
        apply(weights(flipped, units, scheme), flipped), apply(weights(grid, units, scheme), grid), rtol=1e-12
    )


def test_bilinear_is_exact_where_the_field_is_linear():
    grid, units = make_grid(), make_units()
    slope = grid.isel(time=0, drop=True) * 0 + 2e-3 * grid.x - 1e-3 * grid.y
    expected = 2e-3 * units.centroid.x - 1e-3 * units.centroid.y
    np.testing.assert_allclose(apply(weights(grid, units, "bilinear"), slope), expected, rtol=1e-12)


def test_nearest_takes_the_cell_that_holds_the_centroid():
    grid, units = make_grid(), make_units()
    result = apply(weights(grid, units, "nearest"), grid)
    for unit, centre in units.centroid.items():
        expected = grid.sel(x=centre.x, y=centre.y, method="nearest")
        np.testing.assert_array_equal(result.sel(unit=unit), expected)


def test_attributes_and_dimensions():
    grid, units = make_grid(), make_units()
    result = apply(weights(grid, units), grid)
    assert result.dims == ("time", "unit")
    assert result.attrs == {"units": "mm/hour"}
    assert set(result.coords) == {"time", "unit"}
    members = xr.concat([grid, 2 * grid], "member")
    twice = apply(weights(grid, units), members)
    assert twice.dims == ("member", "time", "unit")
    np.testing.assert_allclose(twice[1], 2 * result)


# Global grids


def make_globe(first_longitude, cell=2.0):
    lon, lat = np.arange(first_longitude + cell / 2, first_longitude + 360, cell), np.arange(-90 + cell / 2, 90, cell)
    values = np.cos(np.radians(lat))[:, None] + np.sin(np.radians(lon)) / 3
    return xr.DataArray(values, {"lat": lat, "lon": lon}, ("lat", "lon"), name="rain").rio.write_crs(DEGREES)


def make_belt():
    """Boxes all around the Earth between 33 south and 57 north, one of them across Greenwich."""
    west = np.arange(-180, 180, 24.0)
    boxes = shapely.box(west, -33.0, west + 24, 57.0)
    return gpd.GeoDataFrame(index=[f"{w:g}" for w in west], geometry=boxes, crs=DEGREES)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_longitudes_may_count_from_zero(scheme):
    belt = make_belt()
    results = [apply(weights(globe, belt, scheme), globe) for globe in (make_globe(-180), make_globe(0))]
    np.testing.assert_allclose(*results, rtol=1e-12)


def test_area_of_a_belt_is_that_on_the_ellipsoid():
    plane = Proj(proj="cea", ellps="WGS84")
    expected = 2 * plane(180, 0)[0] * (plane(0, 57)[1] - plane(0, -33)[1])
    assert weights(make_globe(0), make_belt()).area.sum() == pytest.approx(expected, rel=1e-9)


def test_bilinear_goes_across_the_seam():
    globe = make_globe(0)
    unit = gpd.GeoDataFrame(index=["seam"], geometry=[shapely.box(-0.4, 9.6, 0.4, 10.4)], crs=DEGREES)
    ends = globe.sel(lat=[9, 11]).isel(lon=[0, -1]).mean()
    assert float(apply(weights(globe, unit, "bilinear"), globe)[0]) == pytest.approx(float(ends), rel=1e-12)


def test_columns_that_repeat_are_refused():
    globe = make_globe(0)
    twice = xr.concat([globe, globe.isel(lon=[0]).assign_coords(lon=[361.0])], "lon")
    with pytest.raises(RegridError, match="362 degrees"):
        weights(twice, make_belt())


# Holes


def test_hole_is_refused_with_unit_time_and_share():
    grid, units = make_grid(), make_units()
    shared = shared_areas(grid, units)
    cell = int(np.argmax(shared[4]))
    row, column = np.unravel_index(cell, grid.shape[1:])
    grid[1, row, column] = np.nan
    share = 1 - shared[4, cell] / shared[4].sum()
    with pytest.raises(
        RegridError, match=rf"'rain' has data for {share:.2%} of unit 'u4' at time 2014-11-14T21.* 100.00%"
    ):
        apply(weights(grid, units), grid)


def test_hole_is_filled_in_where_enough_is_known():
    grid, units = make_grid(), make_units()
    shared = shared_areas(grid, units)
    hole = np.random.default_rng(5).random(grid.shape) < 0.1
    holed = grid.where(~hole)
    known = ~hole.reshape(3, -1)
    expected = (grid.values.reshape(3, -1) * known) @ shared.T / (known @ shared.T)
    np.testing.assert_allclose(apply(weights(grid, units), holed, minimum_share=0.5), expected, rtol=1e-6)
    with pytest.raises(RegridError, match="lower minimum_share"):
        apply(weights(grid, units), holed, minimum_share=0.95)


def test_without_any_data_the_result_is_missing():
    grid, units = make_grid(), make_units()
    grid[1] = np.nan
    result = apply(weights(grid, units), grid, minimum_share=0)
    assert result[1].isnull().all() and result[[0, 2]].notnull().all()


def test_nodata_value_is_a_hole():
    grid, units = make_grid(), make_units()
    marked = grid.copy()
    marked[1, 5:7, 9:12] = -99
    missing = grid.copy()
    missing[1, 5:7, 9:12] = np.nan
    made = weights(grid, units)
    results = (apply(made, data, 0.1) for data in (marked.rio.write_nodata(-99), missing))
    np.testing.assert_array_equal(*results)


def test_holes_outside_the_units_do_not_matter():
    grid, units = make_grid(), make_units()
    edge = grid.copy()
    edge[:, 0], edge[:, :, -1] = np.nan, np.nan
    np.testing.assert_array_equal(apply(weights(grid, units), edge), apply(weights(grid, units), grid))


# What is refused


@pytest.mark.parametrize("scheme", SCHEMES)
def test_grid_that_does_not_cover_names_unit_and_share(scheme):
    grid = make_grid()
    units = gpd.GeoDataFrame(
        index=["inside", "half out"],
        geometry=[
            shapely.box(805_000, 6_445_000, 806_000, 6_446_000),
            shapely.box(790_000, 6_445_000, 803_130, 6_450_000),
        ],
        crs=LAMBERT,
    )
    west = float(grid.x[0]) - 565
    share = (west - 790_000) / 13_130
    with pytest.raises(RegridError, match=rf"does not cover {share:.4%} of unit 'half out'"):
        weights(grid, units, scheme)


def test_missing_reference_systems_are_refused():
    grid, units = make_grid(), make_units()
    with pytest.raises(RegridError, match=r"grid 'rain' has no coordinate reference system.*write_crs"):
        weights(grid.drop_vars("spatial_ref"), units)
    with pytest.raises(RegridError, match="polygons have no coordinate reference system"):
        weights(grid, units.set_crs(None, allow_override=True))


def test_irregular_grid_is_refused():
    grid = make_grid()
    bent = grid.assign_coords(x=np.where(grid.x > grid.x[7], grid.x + 300, grid.x))
    with pytest.raises(RegridError, match="not regular along x: from"):
        weights(bent, make_units())
    with pytest.raises(RegridError, match="one cell along y"):
        weights(grid.isel(y=[3]), make_units())


def test_grid_without_rows_and_columns_is_refused():
    with pytest.raises(RegridError, match="dimensions time, across, down"):
        weights(make_grid().rename(x="down", y="across"), make_units())


def test_weights_of_another_grid_are_refused():
    grid, units = make_grid(), make_units()
    made = weights(grid, units)
    with pytest.raises(RegridError, match=r"x 7.*at position 0, but the weights are for 7"):
        apply(made, grid.assign_coords(x=grid.x + 500))
    with pytest.raises(RegridError, match="compute weights for this grid"):
        apply(made, grid.isel(x=slice(3, None)))


def test_wrong_polygons_are_named():
    grid, units = make_grid(), make_units()
    with pytest.raises(RegridError, match="'u3' appears more than once"):
        weights(grid, pd.concat([units, units.loc[["u3"]]]))
    point = units.copy()
    point.loc["u2", "geometry"] = shapely.Point(810_000, 6_450_000)
    with pytest.raises(RegridError, match="'u2' has no area"):
        weights(grid, point)
    bow = units.copy()
    bow.loc["u5", "geometry"] = shapely.Polygon([(8e5, 6.44e6), (8.1e5, 6.451e6), (8.1e5, 6.44e6), (8e5, 6.45e6)])
    with pytest.raises(RegridError, match="'u5' is not a valid polygon"):
        weights(grid, bow)
    with pytest.raises(RegridError, match="conservative, bilinear, nearest"):
        weights(grid, units, "cubic")


# Laziness


def test_blocks_are_read_when_computed_and_only_those():
    values, units = make_grid(steps=12), make_units()
    read = []

    def block(block_info):
        first, last = block_info[None]["array-location"][0]
        read.append(first)
        return values.values[first:last]

    chunks = ((3,) * 4, values.shape[1:2], values.shape[2:])
    lazy = values.copy(data=da.map_blocks(block, chunks=chunks, dtype=float, meta=np.empty((0, 0, 0))))
    result = apply(weights(lazy, units), lazy)
    assert read == []
    assert result.chunks[0] == (3, 3, 3, 3)
    np.testing.assert_allclose(result.isel(time=slice(3, 6)), apply(weights(values, units), values)[3:6], rtol=1e-14)
    assert read == [3]


def test_blocks_in_space_are_joined():
    grid, units = make_grid(), make_units()
    made = weights(grid, units)
    np.testing.assert_allclose(apply(made, grid.chunk(time=2, y=7, x=5)), apply(made, grid), rtol=1e-14)


def test_hole_is_refused_when_computed():
    grid, units = make_grid(), make_units()
    grid[2, 12, 15] = np.nan
    result = apply(weights(grid, units), grid.chunk(time=1))
    assert result[:2].notnull().all()
    with pytest.raises(RegridError, match="time 2014-11-14T22"):
        result.compute()
