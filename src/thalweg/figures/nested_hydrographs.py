"""A flood on its way down one river: observed and simulated discharge at nested gauges."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from thalweg.basin.domain import read_domain
from thalweg.experiments.declared import Declared
from thalweg.figures.hydrographs import METRIC, draw_run, gauge_name, read_run, skill_at_gauges
from thalweg.figures.style import (
    MOST_LINES,
    OBSERVED,
    QUIET,
    WIDTH,
    dates,
    legend_below,
    letter,
    lines_of,
    looks,
    skill_above,
    styled,
    wrap,
)

TITLE = 3.8  # inch, beside the scores
MOST_GAUGES = 4


FIGURE = Declared(
    of="first_rivers",
    reads={"domain_path": "domain", "skill_csv": "skill", "simulations": "simulations:compared_with_river"},
    given={"labels": "labels"},
    title="a flood at nested gauges",
    caption="The largest flood of the test period at the gauge furthest downstream and its passage at gauges upstream. "
    "Dashed vertical lines mark observed peaks. The Nash-Sutcliffe efficiency is of the whole test. Gauges at "
    "which no model is better than the observed mean, as below reservoirs, are left out.",
)


@styled
def draw(domain_path, simulations, skill_csv, domain, experiment, labels=None, before=10, after=20):
    """A row per gauge, from the smallest to the largest catchment on one path down the river, around its largest flood.

    Args:
        domain_path: domain netCDF.
        simulations: model -> simulation netCDF of discharge, of which the first four are drawn.
        skill_csv: skill table, for the NSE of the whole test period.
        domain, experiment: which rows of it.
        labels: model -> label, in the study's order.
        before, after: days drawn before and after the largest observed discharge at the largest gauge.

    Returns:
        matplotlib Figure. The path is the one with the most gauges, of those where any model is better than the observed
        mean: below a reservoir, which no model knows, none is. A line is the mean over seeds (and folds), the band
        behind it their range. A dashed vertical line marks the observed peak.

    Raises:
        ValueError: when no gauge of the domain is simulated.
    """
    place = read_domain(domain_path)
    simulations = dict(list(simulations.items())[:MOST_LINES])
    skill = skill_at_gauges(skill_csv, domain, experiment, simulations).dropna()
    if skill.empty:
        raise ValueError(
            f"{skill_csv}: no gauge has {METRIC} of every model in {domain}/{experiment}; evaluate it first"
        )
    natural = skill.index[skill.max(axis=1) > 0]
    chosen = nested_gauges(place, set(natural if len(natural) else skill.index))
    runs = {model: read_run(path, chosen) for model, path in simulations.items()}
    first = next(iter(runs.values()))
    observed = first.observed.where(first.simulated.notnull().any(["fold", "seed", "place"]))
    time = _flood(observed.sel(place=chosen[-1]), before, after)
    look = looks(list(simulations), labels)

    figure = Figure(figsize=(WIDTH, 1.6 * len(chosen) + 0.7), layout="constrained")
    figure.suptitle(f"{domain}, {experiment}: a flood at gauges from upstream to downstream", x=0.01, ha="left")
    panels = figure.subplots(len(chosen), 1, sharex=True, squeeze=False)[:, 0]
    for position, (axes, gauge) in enumerate(zip(panels, chosen)):
        letter(axes, position, wrap(gauge_name(place, gauge), TITLE))
        for model, run in runs.items():
            draw_run(axes, run.sel(place=gauge, time=time), look[model])
        flow = observed.sel(place=gauge, time=time)
        axes.plot(time, flow, color=OBSERVED, linewidth=1.0, marker=".", markersize=3, zorder=4)
        if flow.notnull().any():
            axes.axvline(
                time[int(np.nanargmax(flow.values))], color=QUIET, linewidth=0.6, linestyle=(0, (2, 2)), zorder=0
            )
        axes.set_ylim(bottom=0)
        axes.set_ylabel("discharge\n[mm/day]")
        skill_above(axes, METRIC, look, {model: skill[model].get(gauge, np.nan) for model in look})
    dates(panels[-1], time[0], time[-1])
    figure.align_ylabels(panels)
    legend_below(figure, [Line2D([], [], color=OBSERVED, marker=".", markersize=3, label="observed"), *lines_of(look)])
    return figure


def nested_gauges(place, usable, most=MOST_GAUGES):
    """Gauges along the path down the river that passes the most of them, from upstream to downstream.

    Args:
        place: :class:`thalweg.basin.domain.Domain`.
        usable: ids of gauges that may be chosen.
        most: gauges at most; where there are more, the first, the last and those whose areas are most evenly apart.

    Returns:
        list of str.
    """
    area = {gauge: float(each) for gauge, each in zip(place.place_ids, place.places.drainage_area.values)}
    on_reach = {}
    for gauge, reach in zip(place.place_ids, place.river.positions(place.places.reach.values)):
        if gauge in usable and (reach not in on_reach or area[gauge] > area[on_reach[reach]]):
            on_reach[reach] = gauge
    paths = []
    for here in on_reach:
        path = []
        while here >= 0:
            if here in on_reach:
                path.append(on_reach[here])
            here = place.river.downstream[here]
        paths.append(path)
    path = max(paths, key=lambda gauges: (len(gauges), area[gauges[-1]] / area[gauges[0]]))
    if len(path) <= most:
        return path
    size = np.log([area[gauge] for gauge in path])
    wanted = np.linspace(size[0], size[-1], most)
    return [path[i] for i in sorted({int(np.abs(size - each).argmin()) for each in wanted})]


def _flood(observed, before, after):
    """The days around the largest discharge (time,)."""
    time = pd.DatetimeIndex(observed.time)
    peak = int(np.nanargmax(observed.values)) if observed.notnull().any() else 0
    return time[max(peak - before, 0) : peak + after + 1]
