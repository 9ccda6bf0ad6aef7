"""Regular grids: where their cells lie, and the checks that data pass before they are regridded."""

from dataclasses import dataclass

import numpy as np
import rioxarray  # noqa: F401  (the accessor .rio)
from pyproj import CRS
from rioxarray.exceptions import MissingSpatialDimensionError

SPACING_TOLERANCE = 1e-3  # of a cell: coordinates in single precision are uneven by this much
FULL_CIRCLE = 360.0


class RegridError(ValueError):
    """A grid that cannot be regridded to these polygons; the message names the fault and the remedy."""


@dataclass(frozen=True)
class Grid:
    """A regular grid: the centres of its rows and columns, the names of its dimensions, its reference system."""

    x: np.ndarray
    y: np.ndarray
    dims: tuple[str, str]
    crs: CRS

    @classmethod
    def of(cls, data):
        """The grid on which an xarray object lies; RegridError names what is missing."""
        dims = _spatial_dimensions(data)
        if data.rio.crs is None:
            raise RegridError(
                f"grid {name_of(data)} has no coordinate reference system; set it with grid.rio.write_crs('EPSG:4326') "
                "or the one documented by its source"
            )
        for dim in dims:
            _check_spacing(data[dim].values, dim, name_of(data))
        y, x = (data[dim].values.astype(float) for dim in dims)
        grid = cls(x, y, dims, CRS.from_user_input(data.rio.crs))
        west, _, east, _ = grid.bounds
        if grid.crs.is_geographic and east - west > FULL_CIRCLE + SPACING_TOLERANCE * abs(grid.step[0]):
            raise RegridError(
                f"grid {name_of(data)} spans {east - west:g} degrees of longitude, so that cells overlap; drop "
                f"the columns that repeat (grid.isel({dims[1]}=slice(...)))"
            )
        return grid

    @property
    def shape(self):
        return len(self.y), len(self.x)

    @property
    def step(self):
        """Signed cell size (x, y): y is negative where rows run southwards."""
        return tuple((line[-1] - line[0]) / (len(line) - 1) for line in (self.x, self.y))

    @property
    def bounds(self):
        """Outer edges (west, south, east, north)."""
        dx, dy = (abs(step) / 2 for step in self.step)
        return self.x.min() - dx, self.y.min() - dy, self.x.max() + dx, self.y.max() + dy

    @property
    def circles(self):
        """Whether the columns go all around the Earth."""
        west, _, east, _ = self.bounds
        return self.crs.is_geographic and abs(east - west - FULL_CIRCLE) < SPACING_TOLERANCE * abs(self.step[0])

    @property
    def turns(self):
        """Displacement of polygons along x to match the grid, which may count longitudes from -180 or from 0."""
        return (-FULL_CIRCLE, 0.0, FULL_CIRCLE) if self.crs.is_geographic else (0.0,)

    def check(self, data):
        """Raise RegridError unless ``data`` lies on this grid."""
        for dim, line in zip(self.dims, (self.y, self.x)):
            if dim not in data.dims or data.sizes[dim] != len(line):
                raise RegridError(
                    f"grid {name_of(data)} has dimensions {dict(data.sizes)}, but the weights are for {self.dims[0]} "
                    f"{self.shape[0]}, {self.dims[1]} {self.shape[1]}; compute weights for this grid"
                )
            off = np.abs(data[dim].values - line) > SPACING_TOLERANCE * abs(line[1] - line[0])
            if off.any():
                first = int(np.argmax(off))
                raise RegridError(
                    f"grid {name_of(data)} has {dim} {data[dim].values[first]:g} at position {first}, but the weights are for "
                    f"{line[first]:g}; compute weights for this grid"
                )


def name_of(data):
    """A grid's name for messages."""
    return repr(getattr(data, "name", None) or "without a name")


def _spatial_dimensions(data):
    """Names of the rows' and the columns' dimension."""
    for y, x in (("lat", "lon"), ("latitude", "longitude")):
        if {y, x} <= set(data.dims):
            return y, x
    try:
        return data.rio.y_dim, data.rio.x_dim
    except MissingSpatialDimensionError as error:
        raise RegridError(
            f"grid {name_of(data)} has dimensions {', '.join(map(str, data.dims))}, none of which are rows and columns; "
            "rename them to y and x, or name them with grid.rio.set_spatial_dims"
        ) from error


def _check_spacing(line, dim, name):
    if len(line) < 2:
        raise RegridError(f"grid {name} has one cell along {dim}: its size is unknown; use a grid of at least 2 by 2")
    steps = np.diff(line.astype(float))
    mean = steps.mean()
    uneven = np.flatnonzero(~(np.abs(steps - mean) <= SPACING_TOLERANCE * abs(mean)))
    if mean == 0 or len(uneven):
        first = uneven[0] if len(uneven) else 0
        raise RegridError(
            f"grid {name} is not regular along {dim}: from {line[first]:g} to {line[first + 1]:g}, elsewhere steps of "
            f"{mean:g}; interpolate it to a regular grid first"
        )
