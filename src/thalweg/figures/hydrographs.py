"""Observed and simulated discharge at the best, the median and the worst gauge."""

import numpy as np
import pandas as pd
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from thalweg.basin.domain import read_domain
from thalweg.evaluation.statistics import read_skill
from thalweg.experiments.declared import Declared
from thalweg.experiments.simulation import read_simulation
from thalweg.figures.style import OBSERVED, QUIET, WIDTH, legend_below, letter, looks, number, styled

METRIC = "NSE"
RANKS = {"best": 1.0, "median": 0.5, "worst": 0.0}


FIGURE = Declared(
    of="hydrograph_experiments",
    reads={"domain_path": "domain", "skill_csv": "skill", "simulations": "simulations:drawn"},
    given={"labels": "labels"},
    title="hydrographs",
    caption="Observed and simulated discharge at gauges whose Nash-Sutcliffe efficiency under the first model is the upper "
    "quartile, the median and the lower quartile. Lines: mean over seeds; bands: their range.",
)


@styled
def draw(domain_path, simulations, skill_csv, domain, experiment, labels=None, most_days=731):
    """A row per gauge: precipitation over its catchment from the top, and below it observed and simulated discharge.

    Args:
        domain_path: domain netCDF.
        simulations: model -> simulation netCDF of discharge. The gauges are ranked by the
            NSE of the first model.
        skill_csv: skill table.
        domain, experiment: which rows of it.
        labels: model -> label, in the study's order.
        most_days: the last days of the simulated period that are drawn.

    Returns:
        matplotlib Figure. A line is the mean over seeds (and folds, where the gauge is tested in several), the band
        behind it their range.

    Raises:
        ValueError: when the first model has no NSE at any gauge.
    """
    place = read_domain(domain_path)
    skill = read_skill(skill_csv)
    skill = skill[(skill.domain == domain) & (skill.experiment == experiment) & (skill.metric == METRIC)]
    skill = skill[skill.variable == "discharge"]
    skill = skill.groupby(["model", "place"]).value.mean().unstack("model").reindex(columns=list(simulations))
    chosen = _ranked(skill[next(iter(simulations))], skill_csv, f"{domain}/{experiment}")
    runs = {model: read_run(path, list(chosen.values())) for model, path in simulations.items()}
    time = pd.DatetimeIndex(next(iter(runs.values())).time)[-round(most_days / place.step_days) :]
    rain = _catchment_precipitation(place, list(chosen.values()), time)
    look = looks(list(simulations), labels)

    figure = Figure(figsize=(WIDTH, 2.2 * len(chosen) + 0.8), layout="constrained")
    figure.suptitle(
        f"{domain}, {experiment}: gauges ranked by the NSE of {look[next(iter(simulations))].label}", x=0.01, ha="left"
    )
    panels = figure.subplots(2 * len(chosen), 1, sharex=True, height_ratios=[1, 2] * len(chosen), squeeze=False)[:, 0]
    for position, (rank, gauge) in enumerate(chosen.items()):
        above, below = panels[2 * position : 2 * position + 2]
        station = place.places.sel(place=gauge)
        name = f"{station.name.item()}, " if "name" in place.places else ""
        letter(above, position, f"{rank}: {name}{gauge}, {station.drainage_area.item():.0f} km²")
        above.bar(time, rain[gauge], width=place.step_days, color="#56B4E9")
        above.set_ylim(max(rain.max(axis=None) * 1.05, 1), 0)
        above.spines[["bottom"]].set_visible(False)
        above.tick_params(bottom=False)
        above.set_ylabel(f"precipitation\n[mm/{place.step}]")
        for model, run in runs.items():
            draw_run(below, run.sel(place=gauge, time=time), look[model], skill[model].get(gauge, np.nan))
        observed = next(iter(runs.values())).observed.sel(place=gauge, time=time)
        below.plot(time, observed, color=OBSERVED, linewidth=0.8, zorder=4)
        below.set_ylabel(f"discharge\n[mm/{place.step}]")
        below.set_ylim(bottom=min(0, below.get_ylim()[0]))
        below.axhline(0, color=QUIET, linewidth=0.4)
        below.legend(loc="upper right", ncols=len(runs), frameon=True, edgecolor="none")
    locator = AutoDateLocator(maxticks=10)
    panels[-1].xaxis.set_major_locator(locator)
    panels[-1].xaxis.set_major_formatter(ConciseDateFormatter(locator))
    panels[-1].set_xlabel("date")
    panels[-1].set_xlim(time[0], time[-1])
    figure.align_ylabels(panels)
    handles = [Line2D([], [], color=each.colour, linestyle=each.dashes, label=each.label) for each in look.values()]
    legend_below(figure, [Line2D([], [], color=OBSERVED, label="observed"), *handles])
    return figure


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
    """A simulation at ``gauges``, in their order, on the days that it has; ValueError names a gauge that is not there."""
    run = read_simulation(path)
    there = run.place.values.astype(str)
    missing = [gauge for gauge in gauges if gauge not in there]
    if missing:
        raise ValueError(f"{path}: variable 'simulated' has no place {missing[0]!r}; simulate again")
    run = run.assign_coords(place=there).sel(place=gauges)
    return run.sel(time=run.simulated.notnull().any(["fold", "seed", "place"]))


def _catchment_precipitation(place, gauges, time):
    weights = place.catchment_weights[[list(place.place_ids).index(gauge) for gauge in gauges]]
    rain = place.forcing.precipitation.sel(time=time).values
    return pd.DataFrame(rain @ weights.T, index=time, columns=gauges)


def draw_run(axes, run, look, skill):
    """Draw one model at one gauge, simulated (fold, seed, time): its mean, its range over seeds, and its skill as label."""
    runs = run.simulated.mean("fold")
    mean, lowest, highest = runs.mean("seed"), runs.min("seed"), runs.max("seed")
    label = f"{METRIC} {number(skill)}" if np.isfinite(skill) else f"no {METRIC}"
    if run.sizes["seed"] > 1:
        axes.fill_between(run.time, lowest, highest, color=look.colour, alpha=0.25, linewidth=0)
    axes.plot(run.time, mean, color=look.colour, linestyle=look.dashes, linewidth=0.9, label=label)
