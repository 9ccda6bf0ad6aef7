"""What every map of a domain has: extent, axes in degrees at the right aspect, coast, rivers, scale bar."""

import numpy as np
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.ticker import FuncFormatter, MaxNLocator

from thalweg.figures.boundaries import read_boundaries
from thalweg.figures.style import LAND, QUIET, WATER, WIDTH

KILOMETRES_PER_DEGREE = 111.2  # along a meridian of a sphere of radius 6371 km
MARGIN = 0.06  # of the map's longer side
TALLEST = 4.2  # inch, half a page
RIVER_WIDTHS = (0.25, 2.2)  # points, of the smallest and the largest river


def extent_of(*places):
    """The box around all places, with a margin.

    Args:
        places: datasets with latitude and longitude in degrees.

    Returns:
        (west, south, east, north) in degrees.
    """
    longitude = np.concatenate([place.longitude.values for place in places])
    latitude = np.concatenate([place.latitude.values for place in places])
    west, east = np.nanmin(longitude), np.nanmax(longitude)
    south, north = np.nanmin(latitude), np.nanmax(latitude)
    margin = MARGIN * max(east - west, north - south, 0.01)
    return west - margin, south - margin, east + margin, north + margin


def aspect(extent):
    """Length of a degree of latitude over that of a degree of longitude, in the middle of the box."""
    return 1 / np.cos(np.deg2rad((extent[1] + extent[3]) / 2))


def height_over_width(extent):
    """Shape of the map on paper."""
    return (extent[3] - extent[1]) / (extent[2] - extent[0]) * aspect(extent)


def panel_size(extent, columns):
    """Width and height in inch of each of ``columns`` maps side by side: as wide as the page has room for, but no taller
    than half a page."""
    shape = height_over_width(extent)
    width = min((WIDTH - 0.6) / columns, TALLEST / shape)
    return width, width * shape


def base(axes, extent, coast=None):
    """Prepare ``axes`` as a map of ``extent``; ``coast`` is the list of :func:`read_boundaries` or None."""
    west, south, east, north = extent
    axes.set(xlim=(west, east), ylim=(south, north), xlabel="longitude [°]", ylabel="latitude [°]")
    axes.set_aspect(aspect(extent))
    axes.spines[["top", "right"]].set_visible(True)
    for axis, positive, negative in ((axes.xaxis, "E", "W"), (axes.yaxis, "N", "S")):
        axis.set_major_locator(MaxNLocator(3, steps=[1, 2, 5, 10]))
        axis.set_major_formatter(FuncFormatter(_degrees(positive, negative)))
    if coast is not None:
        axes.set_facecolor(WATER)
        colours = [LAND if land else WATER for land, _ in coast]
        shapes = PolyCollection(
            [outline for _, outline in coast], facecolors=colours, edgecolors="0.6", linewidths=0.3, zorder=0
        )
        axes.add_collection(shapes, autolim=False)


def _degrees(positive, negative):
    def label(value, _):
        return f"{abs(value):g}°{positive if value > 0 else negative if value < 0 else ''}"

    return label


def coast_of(folder, extent):
    """Boundaries within the box, or None when no folder is given."""
    return None if folder is None else read_boundaries(folder, extent)


def rivers(axes, domain, colour="#7AA6C2", values=None, **colouring):
    """Draw each reach as a line from its place to its downstream reach's, wider where it drains more.

    The places are the reaches' stated ones (the centroid of their units where no geometry is known), so the lines show
    how the river is connected, not its course.

    Args:
        axes: a map.
        domain: :class:`thalweg.basin.domain.Domain`.
        colour: of all lines, where there are no values.
        values: (reach,), shown in colours; a reach whose value is NaN is not drawn.
        colouring: ``cmap`` and ``norm`` of the values.

    Returns:
        matplotlib LineCollection, already on the axes.
    """
    network, river = domain.network, domain.river
    place = np.column_stack([network.longitude.values, network.latitude.values])
    drawn = river.downstream >= 0 if values is None else (river.downstream >= 0) & np.isfinite(values)
    joined = np.flatnonzero(drawn)
    area = network.drainage_area.values[joined]
    smallest, largest = RIVER_WIDTHS
    width = smallest + (largest - smallest) * np.sqrt(area / network.drainage_area.values.max()) if len(area) else []
    lines = LineCollection(
        np.stack([place[joined], place[river.downstream[joined]]], axis=1),
        linewidths=width,
        colors=colour if values is None else None,
        capstyle="round",
        zorder=1,
        **colouring,
    )
    if values is not None:
        lines.set_array(values[joined])
    axes.add_collection(lines, autolim=False)
    return lines


def scale_bar(axes, extent):
    """A bar of a round number of kilometres, about a quarter of the map wide, in the lower right corner."""
    west, south, east, north = extent
    per_degree = KILOMETRES_PER_DEGREE * np.cos(np.deg2rad(south + 0.05 * (north - south)))
    wanted = 0.3 * (east - west) * per_degree
    power = 10.0 ** np.floor(np.log10(wanted))
    length = max(step * power for step in (1, 2, 5) if step * power <= wanted)
    right, y = east - 0.05 * (east - west), south + 0.035 * (north - south)
    left = right - length / per_degree
    tick = 0.008 * (north - south)
    axes.plot(
        [left, left, right, right],
        [y + tick, y, y, y + tick],
        color="0.2",
        linewidth=0.8,
        solid_joinstyle="miter",
        zorder=4,
    )
    axes.text(
        (left + right) / 2, y + tick, f"{length:g} km", ha="center", va="bottom", fontsize=6.5, color="0.2", zorder=4
    )


def hollow(axes, places, label):
    """Mark places without a value."""
    axes.scatter(
        places.longitude,
        places.latitude,
        s=12,
        facecolors="white",
        edgecolors=QUIET,
        linewidths=0.6,
        zorder=2,
        label=label,
    )
