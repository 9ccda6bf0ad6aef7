"""Learned roughness on the river network, against the dataset's and by stream order."""

import numpy as np
import pandas as pd
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullFormatter, NullLocator

from thalweg.analysis.roughness import ALL, MAJOR_STREAMS, MINOR_STREAMS, of_reaches, strahler
from thalweg.basin.domain import read_domain
from thalweg.experiments.declared import Declared
from thalweg.experiments.simulation import read_simulation
from thalweg.figures.maps import base, coast_of, extent_of, height_over_width, rivers, scale_bar
from thalweg.figures.style import OKABE_ITO, QUIET, WIDTH, colour_range, letter, number, styled

COLOURS = "viridis"
TICKS = (0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.15, 0.2, 0.3)
TALLEST = 5.0  # inch
UNIT = "s/m$^{1/3}$"


FIGURE = Declared(
    of="first_routed",
    reads={
        "domain_path": "domain",
        "simulation_path": "simulation",
        "roughness_csv": "table:river:roughness",
        "map_folder": "data:map",
    },
    title="learned roughness",
    caption="Learned Manning's n, mean over seeds and folds: on the network (grey: no gauge downstream; lines join "
    "centroids), against the n of the dataset, and by Strahler order with the range of natural streams (Chow "
    "1959, table 5-6).",
)


@styled
def draw(domain_path, simulation_path, roughness_csv, map_folder=None):
    """The network coloured by learned Manning's n, learned n against the dataset's, and learned n by stream order.

    Args:
        domain_path: domain netCDF.
        simulation_path: simulation netCDF of a routed model, with ``roughness`` (fold, seed, reach) in the group ``parameters``.
        roughness_csv: table of :func:`thalweg.analysis.roughness.roughness_by_order` with a column model, which has the
            medians and the rank correlation.
        map_folder: the unpacked ``map`` dataset; None draws no coast.

    Returns:
        matplotlib Figure. Drawn is the mean over folds and seeds. Lines are wider where more area drains, and grey where
        no gauge lies downstream, so that nothing is learned. Shaded behind the stream orders is the range of natural
        streams (Chow 1959, table 5-6).

    Raises:
        ValueError: when the parameters have no roughness.
    """
    place = read_domain(domain_path)
    parameters = read_simulation(simulation_path, "parameters")
    if "roughness" not in parameters:
        raise ValueError(f"{simulation_path}: variable 'roughness' is missing; the model has no river")
    roughness = parameters.roughness.mean(["fold", "seed"])
    learned = np.full(len(place.river.reach), np.nan)
    learned[place.river.positions(roughness.reach.values)] = roughness.values

    table = pd.read_csv(roughness_csv, dtype={"stream_order": str})
    table = table[table.model == parameters.attrs["model"]].set_index("stream_order")

    extent = extent_of(place.network)
    shape = height_over_width(extent)
    height = min(TALLEST, 0.55 * WIDTH * shape)
    figure = Figure(figsize=(WIDTH, height + 0.9), layout="constrained")
    grid = figure.add_gridspec(2, 2, width_ratios=[min(height / shape, 0.55 * WIDTH), 0.42 * WIDTH])
    _map(figure.add_subplot(grid[:, 0]), place, learned, extent, coast_of(map_folder, extent))
    correlation = table.rank_correlation_dataset[ALL]
    _stated(figure.add_subplot(grid[0, 1]), learned, of_reaches(place, "manning_n"), correlation)
    _orders(figure.add_subplot(grid[1, 1]), learned, strahler(place.river), table.learned)
    return figure


def _map(axes, place, learned, extent, coast):
    base(axes, extent, coast)
    first, last, extend = colour_range(learned)
    rivers(axes, place, colour="0.75")
    lines = rivers(axes, place, values=learned, cmap=COLOURS, norm=LogNorm(first, last))
    scale_bar(axes, extent)
    letter(axes, 0, f"{place.name}: learned Manning's n")
    bar = axes.figure.colorbar(lines, ax=axes, location="bottom", extend=extend, aspect=25, pad=0.02)
    bar.set_label(f"Manning's n [{UNIT}]")
    _plain(bar.ax.xaxis)


def _stated(axes, learned, stated, correlation):
    known = np.isfinite(learned) & np.isfinite(stated)
    letter(axes, 1, "learned against the dataset's n")
    axes.set(xlabel=f"dataset's n [{UNIT}]", ylabel=f"learned n [{UNIT}]")
    if not known.any():
        axes.text(0.5, 0.5, "the dataset states no n", transform=axes.transAxes, ha="center", color=QUIET)
        return
    axes.scatter(stated[known], learned[known], s=6, color=OKABE_ITO[0], alpha=0.5, linewidths=0)
    both = np.concatenate([stated[known], learned[known]])
    ends = np.array([both.min() / 1.1, both.max() * 1.1])
    axes.plot(ends, ends, color=QUIET, linewidth=0.8)
    axes.set(xscale="log", yscale="log", xlim=ends, ylim=ends)
    _plain(axes.xaxis, axes.yaxis)
    text = f"rank correlation {number(correlation)}\n{known.sum()} reaches"
    axes.text(0.97, 0.04, text, transform=axes.transAxes, ha="right", va="bottom", fontsize=7)


def _orders(axes, learned, order, medians):
    known = np.isfinite(learned)
    orders = np.unique(order[known])
    values = [learned[known & (order == each)] for each in orders]
    axes.axhspan(*MINOR_STREAMS, color="0.94", linewidth=0, zorder=0)
    axes.axhspan(*MAJOR_STREAMS, color="0.88", linewidth=0, zorder=0)
    jitter = np.random.default_rng(0)
    for each, column in zip(orders, values):
        x = each + jitter.uniform(-0.25, 0.25, len(column))
        axes.scatter(x, column, s=5, color=OKABE_ITO[0], alpha=0.35, linewidths=0)
        axes.plot([each - 0.32, each + 0.32], [medians[str(each)]] * 2, color=OKABE_ITO[1], linewidth=1.6)
    letter(axes, 2, "by stream order; median in orange")
    axes.set(yscale="log", xlabel="stream order (Strahler)", ylabel=f"learned n [{UNIT}]")
    axes.set_xticks(orders, [f"{each}\n({len(column)} reaches)" for each, column in zip(orders, values)])
    axes.set_ylim(min(axes.get_ylim()[0], 0.017), max(axes.get_ylim()[1], 0.2))
    axes.text(
        0.02,
        0.03,
        "natural streams (Chow 1959): dark major, light minor",
        transform=axes.transAxes,
        fontsize=6,
        color="0.35",
    )
    _plain(axes.yaxis)


def _plain(*axes):
    """Ticks at round numbers, written without powers, on a logarithmic axis."""
    for axis in axes:
        axis.set_major_locator(FixedLocator(TICKS))
        axis.set_major_formatter("{x:g}")
        axis.set_minor_locator(NullLocator())
        axis.set_minor_formatter(NullFormatter())
