"""A canopy against a flux tower: the year, the hours of the day, every day, and errors of days of models and baselines."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from thalweg.evaluation.statistics import read_skill
from thalweg.experiments.declared import Declared
from thalweg.figures.style import OBSERVED, OKABE_ITO, QUIET, WIDTH, letter, median_of, number, styled

FLUXES = {
    "latent_heat": ("latent heat", "W m$^{-2}$", 0),
    "net_exchange": ("net exchange of CO$_2$", "\N{GREEK SMALL LETTER MU}mol m$^{-2}$ s$^{-1}$", 1),
}
MODELS = {
    "canopy": "canopy, both fluxes",
    "canopy-latent-heat": "canopy, latent heat alone",
    "canopy-net-exchange": "canopy, net exchange alone",
    "canopy-daytime-mean": "canopy, daily step",
    "priestley-taylor": "Priestley-Taylor \N{MULTIPLICATION SIGN} factor",
    "oudin": "Oudin \N{MULTIPLICATION SIGN} factor",
    "perceptron": "perceptron",
    "climatology": "climatology",
}
DRAWN = {"canopy": "-", "canopy-latent-heat": "--", "canopy-net-exchange": ":", "climatology": "-."}
MONTHS = "JFMAMJJASOND"


FIGURE = Declared(
    of="canopy",
    reads={
        "daily_csv": "tables/canopy/daily.csv",
        "cycle_csv": "tables/canopy/cycle.csv",
        "skill_csv": "skill",
        "summary_csv": "summary",
    },
    title="canopy at a flux tower",
    caption="Latent heat and net exchange of CO2 of the canopy at the Davos flux tower in the test years, measured "
    "half-hours with light only. Columns: months, hours of the day from May to September, daily means. Bottom: "
    "root mean square error and bias of daily means; points are seeds.",
)


@styled
def draw(daily_csv, cycle_csv, skill_csv, summary_csv):
    """A row per flux: months, hours of the day from May to September, days as points; below, errors of days by model.

    Args:
        daily_csv, cycle_csv: tables of :func:`thalweg.analysis.canopy.run`.
        skill_csv: skill table, with the domain ``davos`` and its experiment ``days``.
        summary_csv: table of :func:`thalweg.evaluation.statistics.summarise`, which has the means over seeds.

    Returns:
        matplotlib Figure.
    """
    daily = pd.read_csv(daily_csv, parse_dates=["date"])
    cycle, skill, summary = pd.read_csv(cycle_csv), read_skill(skill_csv), pd.read_csv(summary_csv)
    skill = skill[(skill.domain == "davos") & (skill.experiment == "days") & (skill.metric == "RMSE")]
    figure = Figure(figsize=(WIDTH, 6.6), layout="constrained")
    upper, lower = figure.subfigures(2, 1, height_ratios=[2.2, 1])
    panels, errors = upper.subplots(2, 3), lower.subplots(1, 2, sharey=True)
    colours = dict(zip(DRAWN, OKABE_ITO))
    for row, (name, (title, unit, digits)) in enumerate(FLUXES.items()):
        days, hours = daily[daily.variable == name], cycle[cycle.variable == name]
        year, clock, points = panels[row]
        months = days.groupby(days.date.dt.month).mean(numeric_only=True).reindex(range(1, 13))
        for axes, table, x in ((year, months, months.index), (clock, hours, hours.hour)):
            axes.plot(x, table.measured, color=OBSERVED, marker="o", markersize=2, linewidth=0.8)
            for model, dashes in DRAWN.items():
                axes.plot(x, table[model], color=colours[model], linestyle=dashes)
            axes.axhline(0, color="0.85", linewidth=0.6, zorder=0)
        letter(year, 3 * row, title)
        letter(clock, 3 * row + 1, "May to September")
        letter(points, 3 * row + 2, f"{len(days)} days, {100 * days.share.mean():.0f} % measured")
        year.set(ylabel=f"{title}\n[{unit}]", xticks=range(1, 13), xticklabels=MONTHS, xlabel="month")
        clock.set(xlabel="hour of the day", xticks=range(6, 21, 3))
        points.scatter(days.measured, days.canopy, s=3, linewidths=0, alpha=0.4, color=colours["canopy"])
        ends = [days[["measured", "canopy"]].min().min(), days[["measured", "canopy"]].max().max()]
        points.plot(ends, ends, color="0.4", linewidth=0.8)
        points.set(xlabel=f"measured [{unit}]", ylabel="canopy, both fluxes")
        stated = {
            metric: {model: median_of(summary, "davos", "days", model, metric, name) for model in MODELS}
            for metric in ("RMSE", "bias")
        }
        _errors(errors[row], skill[skill.variable == name], stated, colours, digits)
        letter(errors[row], 6 + row, f"{title}, days")
        errors[row].set_xlabel(f"RMSE and bias [{unit}]")
    handles = [Line2D([], [], color=OBSERVED, marker="o", markersize=2, linewidth=0.8, label="measured")]
    handles += [Line2D([], [], color=colours[m], linestyle=dashes, label=MODELS[m]) for m, dashes in DRAWN.items()]
    upper.legend(handles=handles, loc="outside lower center", ncols=len(handles), columnspacing=1.0)
    return figure


def _errors(axes, skill, stated, colours, digits):
    """A bar per model, the mean over seeds, with a point per seed; models without a prediction have none."""
    largest = np.nanmax(list(stated["RMSE"].values()))
    for position, model in enumerate(reversed(MODELS)):
        error, bias = stated["RMSE"][model], stated["bias"][model]
        if not np.isfinite(error):
            continue
        colour = colours.get(model, QUIET)
        seeds = skill[skill.model == model].value
        axes.plot([0, error], [position] * 2, color=colour, linewidth=4, solid_capstyle="butt", alpha=0.6)
        axes.plot(seeds, [position] * len(seeds), "o", markersize=2.5, color=colour, linewidth=0)
        axes.text(
            max(seeds.max(), error) + 0.02 * largest,
            position,
            f"{number(error, digits)} (bias {'+' if bias > 0 else ''}{number(bias, digits)})",
            va="center",
            fontsize=6,
        )
    axes.set(yticks=range(len(MODELS)), yticklabels=[*MODELS.values()][::-1], ylim=(-0.6, len(MODELS) - 0.4))
    axes.set_xlim(0, 1.3 * largest)
