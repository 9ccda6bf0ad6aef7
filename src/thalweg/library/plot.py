"""Figures of predictions and of what a model thinks of a place, made from memory."""

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from thalweg.basin.domain import DataError, Domain
from thalweg.figures.style import OBSERVED, OKABE_ITO, QUIET, WIDTH, dates, legend_below, letter, number, styled
from thalweg.library.scores import evaluate
from thalweg.registry import load
from thalweg.storage.store import write_netcdf, write_table
from thalweg.units import unit_text

SIMULATED, RAIN = OKABE_ITO[0], OKABE_ITO[4]
MOST_PLACES = 6
MINUS = "\N{MINUS SIGN}"
SHORT = {"potential_evapotranspiration": "potential evap."}
MOST_DAYS = 730  # of a hydrograph


@styled
def hydrographs(prediction, domain=None, places=None, period=None, variable=None):
    """Predicted and observed series, a panel per place.

    Args:
        prediction: Dataset as returned by :meth:`thalweg.library.model.Model.predict`.
        domain: :class:`~thalweg.basin.domain.Domain`; its observations are drawn where there are any.
        places: ids; by default the first six.
        period: first and last day; by default the last two years.
        variable: by default the first of the prediction.

    Returns:
        matplotlib Figure: lines are means over the members, bands the widest interval of the prediction. The Nash-Sutcliffe
        efficiency above a panel is that of the whole prediction.

    Raises:
        DataError: if a place is not in the prediction, or the period is empty.
    """
    name = variable or next(iter(prediction.data_vars))
    places = [str(one) for one in (prediction.place.values[:MOST_PLACES] if places is None else places)]
    unknown = [one for one in places if one not in prediction.place.values]
    if unknown:
        raise DataError(
            f"prediction: place '{unknown[0]}' is not in it; there are {', '.join(prediction.place.values[:10])}, ..."
        )
    shown = prediction.sel(place=places)
    shown = shown.sel(time=slice(*map(str, period))) if period else shown.isel(time=slice(-MOST_DAYS, None))
    if not shown.sizes["time"]:
        raise DataError(f"prediction: it has no day in {period[0]} to {period[1]}; it covers {_span(prediction)}")
    observed = _observed(domain, name, places, shown.time.values)
    skill = evaluate(prediction, domain, ["NSE"], variable=name).NSE if observed is not None else {}
    figure = Figure(figsize=(WIDTH, 0.6 + 1.35 * len(places)), layout="constrained")
    all_axes = figure.subplots(len(places), 1, sharex=True, squeeze=False)[:, 0]
    for i, (axes, place) in enumerate(zip(all_axes, places)):
        series = shown.sel(place=place)
        if f"{name}_lower" in series:
            low, high = (series[f"{name}_{end}"].sel(level=series.level.max()) for end in ("lower", "upper"))
            axes.fill_between(series.time, low, high, color=SIMULATED, alpha=0.2, linewidth=0)
        values = series[name].mean("member") if "member" in series.dims else series[name]
        axes.plot(series.time, values, color=SIMULATED, linewidth=1)
        if observed is not None:
            dense = np.isfinite(observed[i]).mean() > 0.3
            style = {"linewidth": 0.8} if dense else {"linestyle": "", "marker": "o", "markersize": 2.5}
            axes.plot(series.time, observed[i], color=OBSERVED, **style)
        text = f", NSE {number(skill[place])}" if place in skill and np.isfinite(skill[place]) else ""
        letter(axes, i, f"{place}{text}")
        axes.set_ylabel(unit_text(prediction[name].attrs.get("units", "")))
        dates(axes, series.time.values[0], series.time.values[-1])
    handles = [Line2D([], [], color=SIMULATED, label=f"predicted {name.replace('_', ' ')}")]
    if f"{name}_lower" in shown:
        level = f"{100 * float(shown.level.max()):g} % interval"
        handles.append(Patch(color=SIMULATED, alpha=0.2, linewidth=0, label=level))
    if observed is not None:
        handles.append(Line2D([], [], color=OBSERVED, linewidth=0.8, label="observed"))
    legend_below(figure, handles)
    return figure


def figure(kind, **arguments):
    """A figure of the study (``thalweg list figures``), made from memory or from files.

    Args:
        kind: its name, or ``package.module``.
        arguments: those of its ``draw``. Where it takes the path of a file, an object may stand for it: a
            :class:`~thalweg.basin.domain.Domain`, a Dataset or DataTree, a DataFrame, or a mapping of these.

    Returns:
        matplotlib Figure

    Raises:
        RegistryError: for an unknown figure.
        TypeError: for an argument that it does not take.
    """
    with tempfile.TemporaryDirectory(prefix="thalweg-") as folder:
        return load("figure", kind).draw(**{name: _file(one, Path(folder, name)) for name, one in arguments.items()})


def _file(value, path):
    """The path of a file with the content of an object; other values as they are."""
    if isinstance(value, dict):
        return {
            name: _file(one, path.with_name(f"{path.name}-{number}"))
            for number, (name, one) in enumerate(value.items())
        }
    if isinstance(value, Domain):
        value = value.to_tree()
    if isinstance(value, xr.Dataset | xr.DataTree):
        write_netcdf(value, path.with_suffix(".nc"), {})
        return path.with_suffix(".nc")
    if isinstance(value, pd.DataFrame):
        write_table(value, path.with_suffix(".csv"), {})
        return path.with_suffix(".csv")
    return value


@styled
def explanation(found):
    """What a model thinks of a place, in four panels: parameters beside the neighbours', balance, seasons, series.

    Args:
        found: :class:`~thalweg.library.explain.Explanation`.

    Returns:
        matplotlib Figure
    """
    figure = Figure(figsize=(WIDTH, 6.2), layout="constrained")
    figure.suptitle(f"{found.place}: {found.model}"[:110])
    grid = figure.add_gridspec(2, 2, height_ratios=(1.4, 1))
    _parameters(figure.add_subplot(grid[0, 0]), found.parameters)
    _balance(figure.add_subplot(grid[0, 1]), found)
    _seasons(figure.add_subplot(grid[1, 0]), found)
    _last_year(figure.add_subplot(grid[1, 1]), found)
    return figure


def _parameters(axes, table):
    letter(axes, 0, "parameters between their bounds")
    if table.empty:
        axes.text(0.5, 0.5, "a model without a process", ha="center", transform=axes.transAxes, color=QUIET)
        axes.set_axis_off()
        return
    at = np.arange(len(table))[::-1]
    share = {
        name: ((table[name] - table.low) / (table.high - table.low)) for name in ("neighbours_low", "neighbours_high")
    }
    width = (share["neighbours_high"] - share["neighbours_low"]).fillna(0)
    axes.barh(at, width, left=share["neighbours_low"].fillna(0), color="0.82", height=0.6)
    axes.plot(table.share, at, "o", markersize=4, color=SIMULATED)
    axes.errorbar(
        table.share, at, xerr=table.spread / (table.high - table.low), fmt="none", ecolor=SIMULATED, elinewidth=0.8
    )
    axes.set_yticks(at, [f"{name} = {row.value:.3g}" for name, row in table.iterrows()])
    axes.set_xlim(-0.02, 1.02)
    axes.set_xticks([0, 0.5, 1], ["lowest", "share of the range", "highest"])
    handles = [
        Line2D([], [], marker="o", linestyle="", markersize=4, color=SIMULATED, label="here, spread of members"),
        Patch(color="0.82", label="quartiles of neighbours"),
    ]
    axes.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.5, -0.07), ncols=2)


def _balance(axes, found):
    letter(axes, 1, "water balance" if "precipitation" in found.balance.index else "means")
    terms = found.balance
    wanted = [
        "precipitation",
        "potential_evapotranspiration",
        "evapotranspiration",
        "runoff",
        "baseflow",
        "change of storage",
    ]
    rows = terms.loc[[name for name in wanted if name in terms.index]]
    if rows.empty:
        rows = terms.head(6)
    at = np.arange(len(rows))[::-1]
    axes.barh(at, rows["mean"], color=[RAIN if of == "forcing" else SIMULATED for of in rows.of], height=0.6)
    axes.set_yticks(at, [name.replace("_", " ").replace("potential evap", "potential\nevap") for name in rows.index])
    axes.axvline(0, color="0.3", linewidth=0.6)
    axes.set_xlabel(unit_text(rows.unit.iloc[0]))
    what = next(iter(found.prediction.data_vars)).replace("_", " ")
    lines = [
        f"{'+' if value > 0 else MINUS}{abs(value):.1f} % for 1 % more {SHORT.get(name, name)}"
        for name, value in found.elasticity.elasticity.items()
    ]
    if lines:
        text = "\n".join([f"change of mean {what}:", *lines])
        axes.text(1, 0.03, text, transform=axes.transAxes, ha="right", fontsize=6.5)


def _seasons(axes, found):
    name = next(iter(found.prediction.data_vars))
    letter(axes, 2, f"mean year of {name.replace('_', ' ')}")
    month = found.prediction.time.dt.month
    for column, colour in (("observed", OBSERVED), (name, SIMULATED)):
        if column in found.prediction:
            known = found.prediction[column]
            axes.plot(
                range(1, 13),
                known.groupby(month).mean().reindex(month=range(1, 13)),
                color=colour,
                marker="o",
                markersize=2.5,
            )
    axes.set_xticks(range(1, 13), list("JFMAMJJASOND"))
    axes.set_ylabel(unit_text(found.prediction[name].attrs.get("units", "")))


def _last_year(axes, found):
    name = next(iter(found.prediction.data_vars))
    series = found.prediction.isel(time=slice(-366, None))
    letter(axes, 3, "the last year" + (" (black: observed)" if "observed" in series else ""))
    if f"{name}_lower" in series:
        low, high = (series[f"{name}_{end}"].sel(level=series.level.max()) for end in ("lower", "upper"))
        axes.fill_between(series.time, low, high, color=SIMULATED, alpha=0.2, linewidth=0)
    axes.plot(series.time, series[name], color=SIMULATED, linewidth=1)
    if "observed" in series:
        dense = float(series.observed.notnull().mean()) > 0.3
        axes.plot(
            series.time,
            series.observed,
            color=OBSERVED,
            **({"linewidth": 0.8} if dense else {"linestyle": "", "marker": "o", "markersize": 2.5}),
        )
    dates(axes, series.time.values[0], series.time.values[-1])
    axes.set_ylabel(unit_text(series[name].attrs.get("units", "")))


def _observed(domain, name, places, time):
    if domain is None or name not in domain.variables:
        return None
    observed = domain.observed[name].transpose("place", "time").reindex(place=places, time=time).values
    return observed if np.isfinite(observed).any() else None


def _span(prediction):
    first, last = (pd.Timestamp(prediction.time.values[i]).date() for i in (0, -1))
    return f"{first} to {last}"
