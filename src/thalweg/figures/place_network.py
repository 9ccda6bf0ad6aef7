"""The network of sampled places: position, downstream place, discharge, and skill."""

import numpy as np
from matplotlib import colormaps
from matplotlib.collections import LineCollection
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from thalweg.basin.domain import read_domain, require
from thalweg.evaluation.statistics import read_skill, unit_of
from thalweg.experiments.declared import Declared
from thalweg.figures.maps import TALLEST, base, coast_of, extent_of, height_over_width, hollow, scale_bar
from thalweg.figures.series import decimals, place_name, skill_at_places, unit_text
from thalweg.figures.style import LETTER_WIDTH, OKABE_ITO, WIDTH, colour_range, number, styled
from thalweg.metrics.scores import METRICS

RIVER = "#7AA6C2"
DIAMETERS = (4, 15)  # points, of the marks of no discharge and of the largest
SMALL_DIAMETERS = (3, 9)  # on a map without numbers
BAR_WIDTH = 0.75  # inch
MOST_LABELS = 40  # places; more are drawn without numbers
LABEL_SIZE = 6.5  # points
GAP = 1.0  # points between a mark and its number
FARTHER = (0, 2, 4, 8, 13, 19, 26)  # points that a number may be moved away from its mark
DIRECTIONS = 24


FIGURE = Declared(
    of="first_on_networks",
    reads={"domain_path": "domain", "skill_csv": "skill", "map_folder": "data:map"},
    given={"labels": "sampled_labels", "model": "first_model", "variable": "first_variable"},
    title="network of sampled places",
    caption="Sampled places, the next place downstream, mean discharge, and error. Lines join places; they are not the "
    "courses of the rivers.",
)


@styled
def draw(
    domain_path, skill_csv=None, model=None, metric="RMSE", experiment=None, variable=None, labels=None, map_folder=None
):
    """A map of the places with lines to the place downstream, their numbers explained below.

    Args:
        domain_path: domain netCDF in which every unit is a place of its own (:func:`thalweg.basin.domain.sampled_units`), with
            latitude, longitude [degree] and mean_discharge [m3/s] as attributes.
        skill_csv: skill table; None draws all places in one colour.
        model, experiment, variable: which rows of it; None where it has only one.
        metric: of :data:`thalweg.metrics.scores.METRICS`.
        labels: model -> label.
        map_folder: the unpacked ``map`` dataset; None draws no coast.

    Returns:
        matplotlib Figure. Places are numbered from the headwaters down each river. Those without skill are hollow.

    Raises:
        DataError: when an attribute is missing.
        ValueError: when the table has no row of the model.
        FileNotFoundError: when ``map_folder`` holds no coast.
    """
    domain = read_domain(domain_path)
    places = domain.attributes
    require(places, ["latitude", "longitude", "mean_discharge"], f"{domain_path}/attributes")
    skill = None
    if skill_csv is not None:
        skill = skill_at_places(skill_csv, metric, model, domain.name, experiment, variable)
        skill = skill.reindex(domain.place_ids).to_numpy()
    order = _downstream_order(domain)
    numbered = len(order) <= MOST_LABELS

    west, south, east, north = extent_of(places)
    extent = west, south - 0.06 * (north - south), east, north  # room for the scale bar
    names = _key(domain, order, skill) if numbered else []
    columns = _columns(names)
    map_width = WIDTH - 0.6 - BAR_WIDTH * (skill is not None)
    map_height = min(map_width * height_over_width(extent), TALLEST)
    height = map_height + 0.75 + 0.12 * -(-len(names) // columns) + 0.1 * bool(names)
    figure = Figure(figsize=(WIDTH, height), layout="compressed")
    axes = figure.subplots()
    base(axes, extent, coast_of(map_folder, extent))
    lines = _lines(axes, domain)
    diameter = _diameters(places.mean_discharge.values, places.mean_discharge.values)
    if skill is None:
        _marks(axes, places, diameter, color=OKABE_ITO[4])
    else:
        unit = _stated_unit(skill_csv, domain.name, experiment, variable)
        title = _title(metric, (labels or {}).get(model, model), experiment, unit)
        _coloured(axes, places, diameter, skill, metric, title)
    scale_bar(axes, extent)
    _discharge_legend(axes, places.mean_discharge)
    if names:
        figure.legend(
            handles=[Line2D([], [], linestyle="", label=name) for name in names],
            loc="outside lower center",
            ncols=columns,
            handlelength=0,
            handletextpad=0,
            labelspacing=0.15,
            columnspacing=1.2,
            fontsize=LABEL_SIZE,
        )
        _numbers(figure, axes, places, order, diameter, lines)
    return figure


def _downstream_order(domain):
    """Positions of the places from the headwaters down, river after river; from west to east without a network."""
    if domain.network is None:
        return np.argsort(domain.attributes.longitude.values)
    river = domain.river
    joining = {position: [] for position in range(-1, len(river.reach))}
    for position, target in enumerate(river.downstream):
        joining[target].append(position)
    discharge = domain.attributes.mean_discharge.values
    order = []

    def visit(position):
        for above in sorted(joining[position], key=lambda each: -discharge[each]):
            visit(above)
        order.append(position)

    for outlet in sorted(joining[-1], key=lambda each: -discharge[each]):
        visit(outlet)
    return np.array(order)


def _key(domain, order, skill):
    names = [place_name(domain, place) for place in domain.place_ids]
    values = [""] * len(names)
    if skill is not None:
        digits = decimals(skill)
        values = [f" ({number(value, digits)})" if np.isfinite(value) else "" for value in skill]
    return [f"{place + 1:\N{FIGURE SPACE}>2}  {names[each]}{values[each]}" for place, each in enumerate(order)]


def _columns(names):
    """The most columns in which the key fits the page."""
    for columns in range(len(names), 1, -1):
        rows = -(-len(names) // columns)
        longest = [max(map(len, names[first : first + rows])) for first in range(0, len(names), rows)]
        if sum(longest) * LETTER_WIDTH * LABEL_SIZE / 8 + 0.12 * columns < WIDTH:
            return columns
    return 1


def _lines(axes, domain):
    """Lines to the downstream places: array (line, end, 2) of longitude and latitude."""
    if domain.network is None:
        return np.zeros((0, 2, 2))
    place = np.column_stack([domain.attributes.longitude.values, domain.attributes.latitude.values])
    downstream = domain.river.downstream
    joined = np.flatnonzero(downstream >= 0)
    lines = np.stack([place[joined], place[downstream[joined]]], axis=1)
    axes.add_collection(LineCollection(lines, linewidths=1.4, colors=RIVER, capstyle="round", zorder=1), autolim=False)
    for start, end in lines:
        if not np.allclose(start, end):
            axes.annotate(
                "",
                xy=start + 0.62 * (end - start),
                xytext=start + 0.38 * (end - start),
                arrowprops={"arrowstyle": "-|>", "color": RIVER, "linewidth": 0, "mutation_scale": 11},
                zorder=1,
            )
    return lines


def _diameters(shown, discharge):
    """Diameters in points of the marks of ``shown`` among all places' ``discharge``."""
    least, most = DIAMETERS if len(discharge) <= MOST_LABELS else SMALL_DIAMETERS
    return least + (most - least) * np.sqrt(shown / discharge.max())


def _stated_unit(skill_csv, domain, experiment, variable):
    rows = read_skill(skill_csv)
    for column, wanted in {"domain": domain, "experiment": experiment, "variable": variable}.items():
        rows = rows if wanted is None else rows[rows[column] == wanted]
    return rows.unit.iloc[0]


def _title(metric, model, experiment, unit):
    what = ", ".join(
        [f"{metric} of {model}" if model else metric, *([experiment.replace("_", " ")] if experiment else [])]
    )
    return f"{what} [{unit_text(unit_of(metric, unit))}]"


def _marks(axes, places, diameter, **colouring):
    """Draw the places, the largest first."""
    order = np.argsort(-diameter)
    if "c" in colouring:
        colouring["c"] = colouring["c"][order]
    return axes.scatter(
        places.longitude.values[order],
        places.latitude.values[order],
        s=diameter[order] ** 2,
        edgecolors="0.15",
        linewidths=0.5,
        zorder=3,
        **colouring,
    )


def _coloured(axes, places, diameter, skill, metric, title):
    """Draw the places in the colours of their skill, with the colours' bar."""
    known = np.isfinite(skill)
    if not known.all():
        hollow(axes, places.isel(unit=~known), "place without a value")
    colours, norm, extend = _colours(metric, skill[known])
    marks = _marks(axes, places.isel(unit=known), diameter[known], c=skill[known], cmap=colours, norm=norm)
    bar = axes.figure.colorbar(marks, ax=axes, location="right", extend=extend, aspect=30, pad=0.02)
    bar.set_label(title)


def _colours(metric, skill):
    if METRICS[metric].direction == "closer":
        _, last, extend = colour_range(np.abs(skill - METRICS[metric].best), 0, 95)
        return colormaps["PuOr"], Normalize(-last, last), "both" if extend == "max" else "neither"
    first, last, extend = colour_range(skill, 5, 95)
    return colormaps["viridis_r" if METRICS[metric].direction == "lower" else "viridis"], Normalize(first, last), extend


def _discharge_legend(axes, discharge):
    """Marks of the smallest, the median and the largest mean discharge, above the map."""
    shown = np.unique([_round(value) for value in np.quantile(discharge.values, [0, 0.5, 1])])
    diameter = _diameters(shown, discharge.values)
    unit = unit_text(discharge.attrs["units"])
    handles = [
        Line2D(
            [], [], linestyle="", marker="o", markersize=size, color="0.85", markeredgecolor="0.15", label=f"{value:g}"
        )
        for value, size in zip(shown, diameter)
    ]
    extra, _ = axes.get_legend_handles_labels()
    axes.legend(
        handles=[Line2D([], [], linestyle="", label=f"mean discharge [{unit}]"), *handles, *extra],
        loc="lower left",
        bbox_to_anchor=(0, 1),
        ncols=len(handles) + len(extra) + 1,
        handletextpad=0.5,
        columnspacing=1.2,
        borderaxespad=0.3,
    )


def _round(value):
    """``value`` to one significant digit."""
    return float(f"{value:.1g}")


def _numbers(figure, axes, places, order, diameter, lines):
    """Write the number of each place next to its mark."""
    figure.draw_without_rendering()
    points = 72 / figure.dpi
    at = axes.transData.transform(np.column_stack([places.longitude.values, places.latitude.values])) * points
    segments = axes.transData.transform(lines.reshape(-1, 2)).reshape(lines.shape) * points
    box = axes.bbox.extents * points
    text = [str(place + 1) for place in range(len(order))]
    size = np.array([[0.64 * LABEL_SIZE * len(each), 0.85 * LABEL_SIZE] for each in text])
    centre = place_labels(at[order], diameter[order] / 2, size, segments, box)
    for each, name, position in zip(order, text, centre):
        offset = position - at[each]
        far = np.hypot(*offset) > diameter[each] / 2 + np.hypot(*size[0]) + FARTHER[2]
        axes.annotate(
            name,
            xy=(places.longitude.values[each], places.latitude.values[each]),
            xytext=offset,
            textcoords="offset points",
            ha="center",
            va="center",
            fontsize=LABEL_SIZE,
            zorder=5,
            arrowprops={
                "arrowstyle": "-",
                "color": "0.4",
                "linewidth": 0.4,
                "shrinkA": 0,
                "shrinkB": diameter[each] / 2,
            }
            if far
            else None,
        )


def place_labels(at, radius, size, segments, box):
    """Centres of labels next to round marks, clear of marks, lines, other labels and the edge, as near as they can be.

    A greedy search over DIRECTIONS and distances FARTHER, the most crowded label first; all in points.

    Args:
        at: centres of the marks (label, 2).
        radius: of the marks (label,).
        size: width and height of the labels (label, 2).
        segments: lines to keep clear of (line, end, 2).
        box: left, bottom, right, top.

    Returns:
        array (label, 2).
    """
    at, size = np.asarray(at, dtype=float), np.asarray(size, dtype=float)
    along = np.linspace(0, 1, 60)[None, :, None]
    line_points = (segments[:, :1] + along * (segments[:, 1:] - segments[:, :1])).reshape(-1, 2)
    angle = 2 * np.pi * np.arange(DIRECTIONS) / DIRECTIONS
    direction = np.column_stack([np.cos(angle), np.sin(angle)])
    distance = np.hypot(*(at[:, None] - at[None]).transpose(2, 0, 1))
    crowd = (distance < 40).sum(1)
    centre = np.full(at.shape, np.nan)
    for each in np.argsort(-crowd, kind="stable"):
        half = size[each] / 2
        reach = np.minimum(*(half / np.maximum(np.abs(direction), 1e-9)).T)  # from a label's centre to its edge
        steps = radius[each] + GAP + reach + np.array(FARTHER)[:, None]
        candidates = at[each] + steps[..., None] * direction
        candidates = candidates.reshape(-1, 2)
        cost = np.repeat(np.array(FARTHER) / 4.0, DIRECTIONS)
        cost += 100 * _outside(candidates, half, box)
        placed = np.isfinite(centre[:, 0])
        cost += 40 * (_gaps(candidates, half, at) < radius[:, None] + GAP / 4).sum(0)
        cost += 4 * (_gaps(candidates, half, line_points) < GAP).sum(0)
        cost += 60 * (_gaps(candidates, half + size[placed, None] / 2, centre[placed]) < GAP).sum(0)
        centre[each] = candidates[np.argmin(cost)]
    return centre


def _gaps(candidates, half, things):
    """Distance of each thing (n, 2) from the rectangle of half size ``half`` around each candidate: (n, candidate)."""
    away = np.abs(candidates[None] - things[:, None]) - half
    return np.hypot(*np.maximum(away, 0).transpose(2, 0, 1))


def _outside(candidates, half, box):
    return ((candidates - half < box[:2]) | (candidates + half > box[2:])).any(-1)
