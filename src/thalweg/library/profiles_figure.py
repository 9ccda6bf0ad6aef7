"""The calibration of one catchment: hydrographs of its periods, where the starts ended, and profiles of the likelihood."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from thalweg.figures.style import OBSERVED, OKABE_ITO, QUIET, WIDTH, dates, legend_below, letter, note, number, styled
from thalweg.units import unit_text

LONGEST = 1096  # steps of a period that are drawn, its last ones
COLUMNS = 4  # panels of profiles in a row
HIGHEST = 4  # thresholds up to which a deviance is drawn
SIMULATED = OKABE_ITO[0]


@styled
def draw(calibration):
    """Draw a calibration.

    Args:
        calibration: object with ``title``, ``objective`` (texts), ``simulation`` (Dataset of discharge and observed, one unit),
            ``periods`` (name -> bool of its steps), ``scores`` (DataFrame by period, with NSE and KGE), ``spread`` (DataFrame by
            parameter, with unit), ``shares`` (parameter -> array of the starts, place within its range), ``losses`` (start,),
            ``profiles`` (a :class:`~thalweg.library.profile.Profile`) or None.

    Returns:
        Figure
    """
    periods, profiles = list(calibration.periods), calibration.profiles
    names = list(profiles.intervals.index) if profiles else []
    rows = -(-len(names) // COLUMNS)
    heights = [1.6] * len(periods) + [1.8] + [1.4] * rows
    figure = Figure(figsize=(WIDTH, sum(heights) + 0.9), layout="constrained")
    grid = figure.add_gridspec(len(heights), COLUMNS, height_ratios=heights)
    figure.suptitle(f"{calibration.title}, calibrated on {calibration.objective}", x=0.01, ha="left")
    for position, name in enumerate(periods):
        _hydrograph(figure.add_subplot(grid[position, :]), position, name, calibration)
    _starts(figure.add_subplot(grid[len(periods), :]), len(periods), calibration)
    for position, name in enumerate(names):
        axes = figure.add_subplot(grid[len(periods) + 1 + position // COLUMNS, position % COLUMNS])
        _profile(axes, name, profiles, calibration.spread.unit[name])
        if position % COLUMNS == 0:
            axes.set_ylabel("deviance")
    handles = [Line2D([], [], color=OBSERVED, label="observed"), Line2D([], [], color=SIMULATED, label="simulated")]
    if names:
        handles.append(Line2D([], [], color=QUIET, linestyle=":", label=f"{profiles.level:.0%} interval"))
    legend_below(figure, handles)
    return figure


def _hydrograph(axes, position, name, calibration):
    simulation, counted = calibration.simulation, calibration.periods[name]
    last = int(np.flatnonzero(counted)[-1]) + 1
    first = max(int(np.flatnonzero(counted)[0]), last - LONGEST)
    part = simulation.isel(time=slice(first, last))
    time = part.indexes["time"]
    axes.plot(time, part.observed.to_numpy().ravel(), color=OBSERVED, linewidth=0.8)
    axes.plot(time, part.discharge.to_numpy().ravel(), color=SIMULATED, linewidth=0.8)
    axes.set_ylim(bottom=0)
    axes.set_ylabel(f"discharge\n[{unit_text(simulation.discharge.attrs['units'])}]")
    if time.inferred_type == "datetime64":
        dates(axes, time[0], time[-1])
    else:
        axes.set_xlim(time[0], time[-1])
    score = calibration.scores.loc[name]
    letter(axes, position, f"{name}: NSE {number(score.NSE)}, KGE {number(score.KGE)}")


def _starts(axes, position, calibration):
    """Where every start ended within the range of each parameter; the darker, the better."""
    place = np.arange(len(calibration.shares))
    shares = np.stack(list(calibration.shares.values()))
    worse = calibration.losses - calibration.losses.min()
    worst = np.quantile(worse, 0.9) or 1.0
    for start in np.argsort(-worse):
        fade = min(worse[start] / worst, 1.0)
        axes.plot(
            place, shares[:, start], color=SIMULATED, alpha=1 - 0.85 * fade, linewidth=0.9, marker="o", markersize=2.5
        )
    axes.set_xticks(place, list(calibration.shares), rotation=0 if len(place) < 10 else 45)
    axes.set(ylim=(-0.05, 1.05), xlim=(-0.3, len(place) - 0.7), ylabel="place within\nthe range")
    axes.grid(True, axis="x")
    letter(axes, position, f"the {len(calibration.losses)} starts, the best darkest")


def _profile(axes, name, profiles, unit):
    table = profiles.table[profiles.table.parameter == name]
    interval, threshold = profiles.intervals.loc[name], profiles.threshold
    axes.plot(table.value, table.deviance, color=SIMULATED, marker="o", markersize=2.5)
    axes.axhline(threshold, color=QUIET, linestyle=":")
    axes.axvspan(interval.low, interval.high, color="0.93", zorder=0)
    near = table[table.deviance <= HIGHEST * threshold].value
    low, high = min(near.min(), interval.low), max(near.max(), interval.high)
    margin = 0.15 * (high - low)
    axes.set(ylim=(0, HIGHEST * threshold), xlim=(low - margin, high + margin))
    axes.set_xlabel(f"{name} [{unit_text(unit)}]")
    ends = interval.low_is_bound, interval.high_is_bound
    if any(ends):
        note(axes, "no bound" if all(ends) else f"no {'lower' if ends[0] else 'upper'} bound")
