"""Observed and simulated discharge at the gauges with the best, the median and the worst skill."""

from textwrap import shorten

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from thalweg.basin.domain import read_domain
from thalweg.evaluation.statistics import read_skill
from thalweg.experiments.declared import Declared
from thalweg.experiments.simulation import read_simulation
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

METRIC = "NSE"
RANKS = {"best": 1.0, "median": 0.5, "worst": 0.0}
RAIN = "#56B4E9"


FIGURE = Declared(
    of="hydrograph_experiments",
    reads={"domain_path": "domain", "skill_csv": "skill", "simulations": "simulations:leading"},
    given={"labels": "labels"},
    title="hydrographs",
    caption="Observed and simulated discharge at the gauges where the first model has its highest, median and lowest "
    "Nash-Sutcliffe efficiency: the last year of each gauge's test. Lines are means over seeds, bands their "
    "range; days that are not tested have no line. Bars from the top: precipitation over the catchment.",
)


@styled
def draw(domain_path, simulations, skill_csv, domain, experiment, labels=None, most_days=366):
    """A row per gauge: precipitation over its catchment from the top, and below it observed and simulated discharge.

    Args:
        domain_path: domain netCDF.
        simulations: model -> simulation netCDF of discharge, of which the first four are drawn. The gauges are ranked by
            the NSE of the first.
        skill_csv: skill table.
        domain, experiment: which rows of it.
        labels: model -> label, in the study's order.
        most_days: length of the period that is drawn, which ends with the last tested day of each gauge.

    Returns:
        matplotlib Figure. A line is the mean over seeds (and folds, where the gauge is tested in several), the band
        behind it their range. Days that are not tested have no line. Above a panel stands the NSE of the whole test.

    Raises:
        ValueError: when the first model has no NSE at any gauge.
    """
    place = read_domain(domain_path)
    simulations = dict(list(simulations.items())[:MOST_LINES])
    skill = skill_at_gauges(skill_csv, domain, experiment, simulations)
    chosen = _ranked(skill[next(iter(simulations))], skill_csv, f"{domain}/{experiment}")
    runs = {model: read_run(path, list(chosen.values())) for model, path in simulations.items()}
    look = looks(list(simulations), labels)

    figure = Figure(figsize=(WIDTH, 2.25 * len(chosen) + 0.7), layout="constrained")
    title = f"{domain}, {experiment}: gauges ranked by the NSE of {look[next(iter(simulations))].label}"
    figure.suptitle(wrap(title, WIDTH), x=0.01, ha="left")
    panels = figure.subplots(2 * len(chosen), 1, height_ratios=[1, 2.2] * len(chosen), squeeze=False)[:, 0]
    for position, (rank, gauge) in enumerate(chosen.items()):
        above, below = panels[2 * position : 2 * position + 2]
        time = last_days(next(iter(runs.values())).sel(place=gauge), place, most_days)
        letter(above, position, f"{rank}: {gauge_name(place, gauge)}")
        rain = catchment_precipitation(place, gauge, time)
        above.fill_between(time, rain, step="mid", color=RAIN, linewidth=0)
        above.set_ylim(max(rain.max() * 1.05, 1), 0)
        above.spines[["bottom"]].set_visible(False)
        above.tick_params(bottom=False, labelbottom=False)
        above.set_ylabel(f"precip.\n[mm/{place.step}]")
        above.set_xlim(time[0], time[-1])
        for model, run in runs.items():
            draw_run(below, run.sel(place=gauge).reindex(time=time), look[model])
        observed = next(iter(runs.values())).observed.sel(place=gauge).reindex(time=time)
        below.plot(time, observed, color=OBSERVED, linewidth=0.8, zorder=4)
        below.set_ylabel(f"discharge\n[mm/{place.step}]")
        below.set_ylim(bottom=min(0, below.get_ylim()[0]))
        below.axhline(0, color=QUIET, linewidth=0.4)
        skill_above(below, METRIC, look, {model: skill[model].get(gauge, np.nan) for model in look})
        dates(below, time[0], time[-1])
    figure.align_ylabels(panels)
    legend_below(figure, [Line2D([], [], color=OBSERVED, label="observed"), *lines_of(look)])
    return figure


def skill_at_gauges(skill_csv, domain, experiment, models):
    """NSE of discharge of some models, mean over seeds and folds: DataFrame (gauge, model)."""
    skill = read_skill(skill_csv)
    skill = skill[(skill.domain == domain) & (skill.experiment == experiment) & (skill.metric == METRIC)]
    skill = skill[skill.variable == "discharge"]
    return skill.groupby(["model", "place"]).value.mean().unstack("model").reindex(columns=list(models))


def gauge_name(place, gauge, longest=60):
    """Name, where there is one and up to ``longest`` letters of it, id and drainage area of a gauge."""
    station = place.places.sel(place=gauge)
    name = f"{shorten(station.name.item(), longest, placeholder=' …')}, " if "name" in place.places else ""
    return f"{name}{gauge}, {station.drainage_area.item():.0f} km²"


def _ranked(values, source, where):
    """The gauges at the ranks drawn, each once, best first."""
    ranked = values.dropna().sort_values()
    if ranked.empty:
        raise ValueError(f"{source}: model {values.name!r} has no {METRIC} at any gauge in {where}; evaluate it first")
    chosen = {}
    for rank, share in RANKS.items():
        gauge = ranked.index[round(share * (len(ranked) - 1))]
        if gauge not in chosen.values():
            chosen[rank] = gauge
    return chosen


def read_run(path, gauges):
    """A simulation at ``gauges``, in their order; ValueError names a gauge that is not there."""
    run = read_simulation(path)
    there = run.place.values.astype(str)
    missing = [gauge for gauge in gauges if gauge not in there]
    if missing:
        raise ValueError(f"{path}: variable 'simulated' has no place {missing[0]!r}; simulate again")
    return run.assign_coords(place=there).sel(place=gauges)


def last_days(run, place, most_days):
    """Every time step of the last days of a run (fold, seed, time) at one gauge, from a tested to a tested one."""
    tested = run.time.values[run.simulated.notnull().any(["fold", "seed"]).values]
    every = place.forcing.time.values
    steps = round(most_days / place.step_days)
    last = np.searchsorted(every, tested[-1]) + 1
    first = max(last - steps, np.searchsorted(every, tested[tested >= every[max(last - steps, 0)]][0]))
    return pd.DatetimeIndex(every[first:last])


def catchment_precipitation(place, gauge, time):
    """Mean over the catchment of a gauge (time,)."""
    weights = place.catchment_weights[[list(place.place_ids).index(gauge)]]
    return (weights @ place.forcing.precipitation.sel(time=time).values.T)[0]


def draw_run(axes, run, look):
    """Draw one model at one gauge, simulated (fold, seed, time): its mean and its range over seeds."""
    runs = run.simulated.mean("fold")
    if run.sizes["seed"] > 1:
        lowest, highest = runs.min("seed"), runs.max("seed")
        axes.fill_between(run.time, lowest, highest, color=look.colour, alpha=0.25, linewidth=0)
    axes.plot(run.time, runs.mean("seed"), color=look.colour, linestyle=look.dashes, linewidth=0.9)
