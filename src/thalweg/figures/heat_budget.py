"""The heat budget of a stream through the mean year, and the temperatures that it drives."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from thalweg.basin.domain import read_domain, require
from thalweg.experiments.declared import Declared
from thalweg.experiments.simulation import read_simulation
from thalweg.figures.series import place_name, skill_at_places
from thalweg.figures.style import DASHES, OBSERVED, OKABE_ITO, QUIET, WIDTH, letter, styled
from thalweg.units import unit_text

# Each line as the fluxes that it is the sum of: W/m2 into the water.
TERMS = {
    "short wave": ["shortwave"],
    "long wave, in and out": ["longwave_in", "longwave_out"],
    "evaporation, convection": ["evaporation", "convection"],
    "bed conduction, friction": ["bed_conduction", "friction"],
}
TEMPERATURES = {"water_temperature": "water, simulated", "equilibrium_temperature": "equilibrium"}
FLUXES = [flux for fluxes in TERMS.values() for flux in fluxes]
WINDOW = 31  # days of the running mean
YEAR = pd.date_range("2001-01-01", "2001-12-31")  # any year without a leap day
MONTHS = "JFMAMJJASOND"


FIGURE = Declared(
    of="heat_budgets",
    reads={"domain_path": "domain", "simulation_path": "simulation", "skill_csv": "skill"},
    title="heat budget",
    caption="Heat budget of the water through the mean year at the place of median error: terms into the water and their "
    "sum, and air, equilibrium and water temperature, as running means over 31 days. Only water temperature was "
    "observed; the radiation is estimated.",
)


@styled
def draw(simulation_path, domain_path, skill_csv=None, place=None, metric="RMSE"):
    """Above, the terms of the heat budget and their sum through the mean year; below, the temperatures.

    Args:
        simulation_path: simulation netCDF whose group ``internals`` has the fluxes of stream temperature (unit, time): the
            terms of its heat budget, positive into the water [W/m2], water_temperature and equilibrium_temperature [degC].
        domain_path: domain netCDF with air_temperature [degC] as forcing.
        skill_csv: skill table, from which the place of median ``metric`` is drawn. Where the simulation states a domain,
            experiment and model, those are its rows.
        place: id of the place drawn, instead.
        metric: of the skill table.

    Returns:
        matplotlib Figure. Lines are running means over 31 days of the mean of each day of the year (29 February left
        out). Points are the mean of all samples on the same day of the year.

    Raises:
        ValueError: when neither a place nor a skill table is given, the place has no internals, or they are shorter than
            a year.
        DataError: naming the first flux that is not there.
    """
    domain = read_domain(domain_path)
    internals = read_simulation(simulation_path, "internals")
    require(internals, [*FLUXES, *TEMPERATURES], simulation_path)
    unit = {place: domain.unit_ids[each] for place, each in zip(domain.place_ids, domain.place_units) if each >= 0}
    internals = internals.assign_coords(unit=internals.unit.values.astype(str))
    known = set(internals.unit.values[internals.shortwave.notnull().any("time").values])
    there = [name for name in domain.place_ids if unit.get(name) in known]
    if place is None:
        place = _median_place(skill_csv, metric, internals.attrs, there, simulation_path)
    if place not in there:
        raise ValueError(
            f"{simulation_path}: variable 'shortwave' has no value at place {place!r}; there are {', '.join(there[:20])}"
        )
    run = internals.sel(unit=unit[place])
    terms = {name: _mean_year(sum(run[flux] for flux in fluxes), simulation_path) for name, fluxes in TERMS.items()}

    figure = Figure(figsize=(WIDTH, 4.6), layout="constrained")
    figure.suptitle(f"{domain.name}: {place_name(domain, place)}", x=0.01, ha="left")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[1.25, 1])
    above.axhline(0, color=QUIET, linewidth=0.5)
    for (name, values), colour, dashes in zip(terms.items(), OKABE_ITO, DASHES):
        above.plot(YEAR, values, color=colour, linestyle=dashes, label=name)
    net = sum(terms.values())
    above.plot(YEAR, net, color=OBSERVED, linewidth=2, label="net")
    above.set_ylabel(f"heat into the water\n[{unit_text(run.shortwave.attrs['units'])}]")
    letter(above, 0, "terms of the heat budget, above 0 where they warm the water")

    air = domain.forcing.air_temperature.assign_coords(unit=domain.unit_ids).sel(unit=unit[place])
    series = {"air": air, **{label: run[name] for name, label in TEMPERATURES.items()}}
    for (name, values), colour, dashes in zip(series.items(), (QUIET, OKABE_ITO[0], OKABE_ITO[1]), ("-", *DASHES)):
        values = _mean_year(values, simulation_path)
        below.plot(YEAR, values, color=colour, linestyle=dashes, label=name)
    if "water_temperature" in domain.observed:
        observed = domain.observed.water_temperature.assign_coords(place=domain.place_ids)
        sampled = _calendar_mean(observed.sel(place=place))
        below.plot(
            YEAR,
            sampled,
            linestyle="",
            marker="o",
            markersize=2,
            markerfacecolor="none",
            markeredgecolor=OBSERVED,
            markeredgewidth=0.4,
            label="water, sampled",
            zorder=1,
        )
    below.set_ylabel(f"temperature\n[{unit_text(air.attrs['units'])}]")
    letter(below, 1, "temperatures")
    for axes in (above, below):
        axes.grid(True)
        axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))
        axes.tick_params(axis="x", which="minor", length=0, labelsize=7)
    _months(below)
    figure.align_ylabels([above, below])
    return figure


def _median_place(skill_csv, metric, about, there, source):
    """The middle one of the places that have internals, ranked by their skill."""
    if skill_csv is None:
        raise ValueError(
            f"{source}: which place is to be drawn? Give 'place', or 'skill_csv' for the one of median skill"
        )
    rows = {name: about.get(name) for name in ("model", "domain", "experiment")}
    skill = skill_at_places(skill_csv, metric, **rows, variable="water_temperature")
    ranked = skill.reindex(there).dropna().sort_values()
    if ranked.empty:
        raise ValueError(f"{skill_csv}: no place with a {metric} has internals in {source}; simulate again")
    return ranked.index[(len(ranked) - 1) // 2]


def _calendar_mean(values):
    """Mean of each day of the year (365,), NaN on days without a value; 29 February is left out."""
    series = pd.Series(values.values, index=pd.DatetimeIndex(values.time.values))
    mean = series.groupby([series.index.month, series.index.day]).mean()
    return mean.reindex(pd.MultiIndex.from_arrays([YEAR.month, YEAR.day])).to_numpy()


def _mean_year(values, source):
    """Running mean (365,) over WINDOW days of the mean of each day of the year, around the turn of the year."""
    mean = _calendar_mean(values)
    if np.isnan(mean).any():
        first = YEAR[np.isnan(mean)][0]
        raise ValueError(f"{source}: no value on any {first:%d %B}; a mean year needs a whole year: simulate longer")
    half = WINDOW // 2
    return np.convolve(np.concatenate([mean[-half:], mean, mean[:half]]), np.ones(WINDOW) / WINDOW, "valid")


def _months(axes):
    """The initials of the months between ticks at their first days."""
    first = [day for day in YEAR if day.day == 1]
    axes.set_xticks([*first, YEAR[-1]], labels=[])
    axes.set_xticks([day + pd.Timedelta(days=14) for day in first], labels=list(MONTHS), minor=True)
    axes.set_xlim(YEAR[0], YEAR[-1])
    axes.set_xlabel("month")
