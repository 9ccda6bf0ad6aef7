"""Observed and simulated series at places of low, median and high error."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from thalweg.basin.domain import read_domain, require
from thalweg.evaluation.statistics import read_skill, unit_of
from thalweg.experiments.declared import Declared
from thalweg.experiments.simulation import read_simulation
from thalweg.figures.style import (
    MOST_LINES,
    OBSERVED,
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
from thalweg.metrics.scores import METRICS
from thalweg.units import unit_text

RANKS = {"lower quartile": 0.25, "median": 0.5, "upper quartile": 0.75, "worst": 1.0}
LINEAR = ("water_temperature",)  # what is drawn on a linear axis; all else is a concentration
REQUIRED = ("simulated", "observed", "tested", "trained")
USES = ("held-out sample", "training sample", "unused sample")
FILLED, OPEN, NEITHER = OBSERVED, "white", "0.75"
PANEL_HEIGHT = 1.5  # inch
MOST_DAYS, YEAR = 1461, 366  # drawn
CROWDED = 400  # samples in a panel above which marks shrink


FIGURE = Declared(
    of="first_sampled",
    reads={"domain_path": "domain", "skill_csv": "skill", "simulations": "simulations:models_of"},
    given={"labels": "sampled_labels"},
    title="samples and simulations",
    caption="Samples and simulations at the places where the error of the first model is the lower quartile, the median, "
    "the upper quartile and the largest. Lines are means over seeds, bands their range. Filled samples were held "
    "out, open ones used in training or validation, grey ones in neither; triangles mark samples below the "
    "detection limit.",
)


@styled
def draw(domain_path, skill_csv, simulations, labels=None, metric="RMSE", most_days=None):
    """A row per place: the models as lines, held-out samples as filled marks, training samples as open ones.

    Args:
        domain_path: domain netCDF.
        skill_csv: skill table. Places are ranked by the first model's ``metric`` of the simulation's variable in its experiment.
        simulations: model -> simulation netCDF of one experiment (:mod:`thalweg.experiments.simulation`), of which the
            first four are drawn.
        labels: model -> label, in the study's order.
        metric: of :data:`thalweg.metrics.scores.METRICS`.
        most_days: the last days of the sampled period that are drawn; None for four years, or one of a variable with a strong
            season, such as water temperature, whose lines otherwise lie on each other.

    Returns:
        matplotlib Figure. A line is the mean over seeds (and folds, where a place is tested in several), the band behind
        it their range; the number above a panel is the model's metric at the place. Triangles are samples below the
        detection limit, drawn at the limit.

    Raises:
        ValueError: when a model has no skill, or a simulation lacks a place or an attribute.
        DataError: when a simulation lacks a variable.
    """
    domain, simulations = read_domain(domain_path), dict(list(simulations.items())[:MOST_LINES])
    first = next(iter(simulations))
    about = _attributes(simulations[first])
    where = about["domain"], about["experiment"]
    skill = {model: skill_at_places(skill_csv, metric, model, *where, about["variable"]) for model in simulations}
    chosen = _ranked(skill[first], metric)
    runs = {model: _read(path, list(chosen.values())) for model, path in simulations.items()}
    samples = runs[first]
    time = pd.DatetimeIndex(samples.time[samples.observed.notnull().any("place")])
    logarithmic = about["variable"] not in LINEAR
    time = pd.date_range(time[0], time[-1])[-(most_days or (MOST_DAYS if logarithmic else YEAR)) :]
    look = looks(list(simulations), labels)
    name = wrap(about["variable"].replace("_", " "), 0.85 * PANEL_HEIGHT)

    figure = Figure(figsize=(WIDTH, PANEL_HEIGHT * len(chosen) + 0.9), layout="constrained")
    figure.suptitle(
        f"{where[0]}, {where[1].replace('_', ' ')}: places ranked by the {metric} of {look[first].label}",
        x=0.01,
        ha="left",
    )
    panels = figure.subplots(len(chosen), 1, sharex=True, squeeze=False)[:, 0]
    uses = set()
    for position, (axes, (rank, place)) in enumerate(zip(panels, chosen.items())):
        letter(axes, position, f"{rank}: {place_name(domain, place)}")
        values = {model: skill[model].get(place, np.nan) for model in look}
        for model, each in look.items():
            _line(axes, runs[model].sel(place=place, time=time), each)
        uses |= _samples(axes, samples.sel(place=place, time=time))
        axes.set_ylabel(f"{name}\n[{unit_text(about['unit'])}]")
        if logarithmic:
            _concentrations(axes)
        axes.grid(True, axis="y")
        title = f"{metric} [{unit_text(unit_of(metric, about['unit']))}]"
        skill_above(axes, title, look, values, decimals(list(values.values())))
    dates(panels[-1], time[0], time[-1])
    figure.align_ylabels(panels)
    legend_below(figure, [*lines_of(look), *_marks_used(uses)])
    return figure


def skill_at_places(skill_csv, metric, model=None, domain=None, experiment=None, variable=None):
    """A model's skill at each place, mean over seeds and folds: Series (place,).

    Args:
        skill_csv: skill table.
        metric: of its column.
        model, domain, experiment, variable: which rows; None where the table has only one.

    Raises:
        ValueError: when no row is left, or a column that was not named has several values.
    """
    skill = read_skill(skill_csv)
    skill = skill[skill.metric == metric]
    wanted_rows = {"domain": domain, "experiment": experiment, "variable": variable, "model": model}
    for column, wanted in wanted_rows.items():
        there = list(map(str, skill[column].unique()))
        if wanted is None and len(there) > 1:
            raise ValueError(f"{skill_csv}: {metric} is there of {column} {', '.join(there)}; name one of them")
        if wanted is not None:
            skill = skill[skill[column] == wanted]
        if skill.empty:
            there = ", ".join(there) or "none"
            raise ValueError(f"{skill_csv}: there is no {metric} of {column} {wanted!r}; there is of {there}")
    skill = skill.groupby("place").value.mean().dropna()
    if skill.empty:
        raise ValueError(f"{skill_csv}: {metric} of model {model!r} is defined at no place; lengthen the test period")
    return skill


def place_name(domain, place):
    """The name of a place, or else of its unit, or its id where neither is stated."""
    position = list(domain.place_ids).index(place)
    if "name" in domain.places:
        return str(domain.places["name"].values[position])
    unit = domain.place_units[position]
    return str(domain.attributes["name"].values[unit]) if "name" in domain.attributes and unit >= 0 else place


def decimals(values):
    """Decimals in which figures state values of this size: two from 0.1 to 100, none above, more below."""
    largest = np.nanmax(np.abs(values))
    if not 0 < largest < 100:
        return 0 if largest else 2
    return max(int(1 - np.floor(np.log10(largest))), 2)


def _attributes(path):
    about = read_simulation(path).attrs
    for name in ("domain", "experiment", "variable", "unit"):
        if name not in about:
            raise ValueError(f"{path}: attribute {name!r} is missing; simulate again")
    return about


def _ranked(values, metric):
    """The places at the ranks drawn, each once, smallest error first."""
    score = METRICS[metric]
    error = -values if score.direction == "higher" else (values - score.best).abs()
    ranked = error.sort_values().index
    chosen = {}
    for rank, share in RANKS.items():
        position = round(share * (len(ranked) - 1))
        if ranked[position] not in chosen.values():
            chosen[f"{rank} ({position + 1} of {len(ranked)})"] = ranked[position]
    return chosen


def _read(path, chosen):
    """A simulation at the chosen places, NaN in the folds that do not test them."""
    run = read_simulation(path)
    require(run, REQUIRED, path)
    there = run.place.values.astype(str)
    missing = [place for place in chosen if place not in there]
    if missing:
        raise ValueError(f"{path}: variable 'simulated' has no place {missing[0]!r}; simulate again")
    run = run.assign_coords(place=there).sel(place=chosen)
    if "censored" not in run:
        run["censored"] = run.observed.isnull() & False
    tests = (run.tested > 0).any("time")
    run["simulated"] = run.simulated.where(tests)
    run["tested"] = (run.tested > 0).any("fold")
    run["trained"] = ((run.trained > 0) & tests).any("fold")
    return run


def _line(axes, run, look):
    runs = run.simulated.mean("fold")
    if run.sizes["seed"] > 1:
        axes.fill_between(run.time, runs.min("seed"), runs.max("seed"), color=look.colour, alpha=0.25, linewidth=0)
    axes.plot(run.time, runs.mean("seed"), color=look.colour, linestyle=look.dashes, linewidth=0.9)


def _samples(axes, run):
    """Draw the samples of one place; returns which (use, censored) were there."""
    known = run.observed.notnull().values
    use = np.select([run.tested.values, run.trained.values], USES[:2], USES[2])
    size = 2.6 if known.sum() <= CROWDED else 1.4
    drawn = set()
    for name in reversed(USES):  # held-out samples on top
        for censored in (False, True):
            chosen = known & (use == name) & ((run.censored.values > 0) == censored)
            if chosen.any():
                mark = _mark(name, censored, size)
                mark.set_data(run.time.values[chosen], run.observed.values[chosen])
                axes.add_line(mark)
                drawn.add((name, censored))
    axes.autoscale_view()
    return drawn


def _mark(use, censored, size=3.2):
    held_out = use == USES[0]
    return Line2D(
        [],
        [],
        linestyle="",
        marker="v" if censored else "o",
        markersize=size + 0.6 * censored,
        markerfacecolor=dict(zip(USES, (FILLED, OPEN, NEITHER)))[use],
        markeredgecolor=OBSERVED if use != USES[2] else "0.5",
        markeredgewidth=0.4,
        zorder=5 if held_out else 4,
        label=use,
    )


def _marks_used(drawn):
    """Legend entries of the marks drawn: the uses, and the triangle, which may be filled or open as they are."""
    handles = [_mark(use, False) for use in USES if any(use == name for name, _ in drawn)]
    censored = next((use for use in USES if (use, True) in drawn), None)
    if censored is not None:
        handles.append(_mark(censored, True))
        handles[-1].set_label("below detection limit")
    return handles


def _concentrations(axes):
    """A logarithmic axis over the samples and the mean lines, with plain numbers at its ticks."""
    values = np.concatenate([np.asarray(line.get_ydata(), dtype=float) for line in axes.lines])
    values = values[np.isfinite(values) & (values > 0)]
    low, high = values.min(), values.max()
    axes.set_yscale("log")
    axes.set_ylim(low / (high / low) ** 0.06, high * (high / low) ** 0.06)
    axes.yaxis.set_major_locator(
        MaxNLocator(4) if high < 5 * low else LogLocator(subs=(1, 2, 5) if high < 50 * low else (1, 3))
    )
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_locator(NullLocator())
