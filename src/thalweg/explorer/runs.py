"""What a page keeps of the simulations of a domain: series within a limit of size, means of series, learned parameters."""

import warnings
from dataclasses import dataclass, field

import numpy as np
import xarray as xr

from thalweg.basin.domain import Domain
from thalweg.basin.observables import observable, observations
from thalweg.explorer.pack import COARSE, FINE, pack_series

YEAR = 365.25  # days
WATER = {"precipitation": "precipitation", "potential_evapotranspiration": "potential evapotranspiration"}


@dataclass
class Rows:
    """Tables of one domain: a description of each row, and its value at every place (NaN where there is none).

    Attributes:
        descriptions: list of dict with kind (score, parameter, mean), experiment, variable, model ("" for all), name, unit.
        values: list of array (place,).
    """

    descriptions: list = field(default_factory=list)
    values: list = field(default_factory=list)

    def add(self, values, **description):
        """Add a row unless it has no value at any place."""
        if np.isfinite(values).any():
            self.descriptions.append(description)
            self.values.append(np.asarray(values, dtype=np.float64))


@dataclass
class Room:
    """Bytes that are left for series in the page.

    Attributes:
        left: bytes.
        share: bytes of a run whose series are stored finely.
        refused: (domain, experiment, model) of the runs without series.
    """

    left: float
    share: float = 0.0
    refused: list = field(default_factory=list)

    def takes(self, size, run):
        """Whether a series of a run fits; it then has its room."""
        if size > self.left:
            self.refused.append(run)
            return False
        self.left -= size
        return True


def in_turn(experiments):
    """All (domain, experiment, model) in the order in which their series are kept.

    The first experiments of all domains are before the second ones, and within these the first models before the second ones.

    Args:
        experiments: domain -> experiment -> names of models.
    """
    runs = [
        ((i, k), (domain, experiment, model))
        for domain, one in experiments.items()
        for i, (experiment, models) in enumerate(one.items())
        for k, model in enumerate(models)
    ]
    return [run for _, run in sorted(runs, key=lambda item: item[0])]


class Kept:
    """What is kept of a domain, run by run.

    Args:
        domain: :class:`~thalweg.basin.domain.Domain`.

    Attributes:
        rows: :class:`Rows`.
        variables: experiment -> names of its variables.
    """

    def __init__(self, domain: Domain):
        self.domain, self.rows, self.variables = domain, Rows(), {}
        self.series, self.spans = [], {}  # variable -> first and last position of a simulated step

    def add(self, path, experiment, model, room):
        """Read a simulation.

        Args:
            path: of its file.
            experiment, model: names.
            room: :class:`Room`.
        """
        simulated, parameters = read_series_and_parameters(path)
        known = self.variables.setdefault(experiment, [])
        for one in simulated:
            self._add(one, experiment, model, room, first=one.attrs["variable"] not in known)
        known += [one.attrs["variable"] for one in simulated if one.attrs["variable"] not in known]
        if parameters is not None:
            gather = observable(simulated[0].attrs["variable"]).gather
            add_parameters(self.rows, self.domain, gather, parameters, experiment, model)

    def _add(self, one, experiment, model, room, first):
        """One simulated variable; the ``first`` one of an experiment also gives the means of observations and forcing."""
        variable = one.attrs["variable"]
        begin = int(np.searchsorted(self.domain.forcing.time.values, one.time.values[0]))
        values = mean_of_runs(one.simulated.values)
        add_means(self.rows, self.domain, one, values, begin, experiment, model, first)
        found = np.flatnonzero(np.isfinite(values).any(0))
        if not len(found):
            return
        values = values[:, found[0] : found[-1] + 1]
        text, precision = self._packed(values, variable, room)
        span = (begin + int(found[0]), begin + int(found[-1]) + 1)
        low, high = self.spans.get(variable, (span[0], span[0]))
        whole = (min(low, span[0]), max(high, span[1]))
        more = (whole[1] - whole[0] - (high - low)) / values.shape[1]  # observations that it brings along
        if room.takes(len(text) * (1 + more), (self.domain.name, experiment, model)):
            self.spans[variable] = whole
            self.series.append(entry(text, precision, experiment, variable, model, one.attrs["unit"], *span))

    def _packed(self, values, variable, room):
        """Series as text, finely if they are small, and their precision."""
        text = pack_series(values, relative(variable), FINE)
        return (text, FINE) if len(text) <= room.share else (pack_series(values, relative(variable), COARSE), COARSE)

    def with_observed(self, room):
        """All series, after them the observed ones over the steps that a model simulated."""
        observed = []
        for variable, (start, end) in self.spans.items():
            values = observations(self.domain, variable)
            text, precision = self._packed(values.values[:, start:end], variable, room)
            observed.append(entry(text, precision, "", variable, "", values.attrs["units"], start, end))
        return [*self.series, *observed]


def relative(variable):
    """Whether a variable is stored with steps relative to its value."""
    return observable(variable).gather == "routed"


def entry(text, precision, experiment, variable, model, unit, start, end):
    """A series of all places in the page; that of observations has neither experiment nor model."""
    names = {"experiment": experiment, "variable": variable, "model": model}
    return names | {
        "unit": unit,
        "first": start,
        "length": end - start,
        "step": precision.relative if relative(variable) else 0,
        "error": 50
        * (precision.relative if relative(variable) else precision.linear),  # % of the value or the range, at most
        "data": text,
    }


def read_series_and_parameters(path):
    """What a page needs of a file of :mod:`thalweg.experiments.simulation`, read once.

    Returns:
        (list of Dataset, Dataset or None): ``simulated`` and ``observed`` of every variable; the group ``parameters``.
    """
    with xr.open_datatree(path, engine="h5netcdf") as tree:
        found = [node.to_dataset() for node in tree.subtree if "simulated" in node.data_vars]
        series = [one[["simulated", "observed"]].load() for one in found]
        return series, tree["parameters"].to_dataset().load() if "parameters" in tree.children else None


def mean_of_runs(simulated):
    """Mean over the folds that test a place and over seeds: array (place, time) of (fold, seed, place, time)."""
    if simulated.shape[:2] == (1, 1):
        return simulated[0, 0]
    known = np.isfinite(simulated)
    count = known.sum((0, 1))
    total = np.where(known, simulated, 0).sum((0, 1), dtype=np.float64)
    return np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)


def add_means(rows, domain, one, simulated, begin, experiment, model, first):
    """Means over the steps on which a variable was both simulated and observed; of discharge with those of the forcing.

    At a place that is not tested, observations and forcing are averaged over the observed steps on which any place is tested.

    Args:
        rows: :class:`Rows`.
        domain: :class:`~thalweg.basin.domain.Domain`.
        one: Dataset of a simulation.
        simulated: array (place, time), mean over folds and seeds.
        begin: position of its first step in the record.
        experiment, model: names.
        first: whether the means of observations and forcing are added too.
    """
    variable = one.attrs["variable"]
    both = np.isfinite(simulated) & np.isfinite(one.observed.values)
    observed = np.isfinite(one.observed.values) & np.isfinite(simulated).any(0)
    water = relative(variable)
    factor = YEAR / domain.step_days if water else 1.0
    names = {"kind": "mean", "experiment": experiment, "variable": variable}
    names["unit"] = "mm/year" if water else one.attrs["unit"]

    def add(values, name, label, shared=True):
        days = np.where(both.any(1, keepdims=True), both, observed) if shared else both
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = np.where(days, values, 0).sum(1, dtype=np.float64) / days.sum(1)
        rows.add(factor * mean, **names, name=name, label=label, model="" if shared else model)

    if first:
        if water:
            weights = domain.catchment_weights
            for forcing, label in WATER.items():
                values = domain.forcing[forcing].values[begin : begin + simulated.shape[1]] @ weights.T
                add(np.asarray(values).T, forcing, label)
        add(one.observed.values, "observed", f"observed {variable.replace('_', ' ')}")
    add(simulated, "simulated", f"simulated {variable.replace('_', ' ')}", shared=False)


def add_parameters(rows, domain, gather, parameters, experiment, model):
    """Learned parameters at every place, means over folds and seeds; of a catchment the area mean of its units.

    Args:
        rows: :class:`Rows`.
        domain: :class:`~thalweg.basin.domain.Domain`.
        gather: of :class:`~thalweg.basin.observables.Observable`.
        parameters: Dataset (fold, seed, unit or reach).
        experiment, model: names.
    """
    weights = _weights(domain, gather, parameters)
    for name, values in parameters.data_vars.items():
        if values.attrs.get("known") or values.ndim != 3:
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # units that no fold describes are NaN
            mean = np.nanmean(values.values, axis=(0, 1))
        description = {"kind": "parameter", "experiment": experiment, "variable": "", "model": model, "name": name}
        description |= {"label": name.replace("_", " "), "unit": values.attrs.get("units", "")}
        description["meaning"] = values.attrs.get("long_name", "")
        bounds = {end: float(values.attrs[end]) for end in ("low", "high") if end in values.attrs}
        rows.add(weights[values.dims[-1]](mean), **description, **bounds)


def _weights(domain, gather, parameters: xr.Dataset):
    """Function of the values of units, and of those of reaches, each returning the values at places: dict by dimension."""
    units = parameters.unit.values.astype(str)
    found = {}
    if gather != "unit" and np.array_equal(units, domain.unit_ids):
        catchments = domain.catchment_weights
        found["unit"] = lambda values: catchments @ values
    else:
        position = {name: i for i, name in enumerate(units)}
        at_units = [domain.unit_ids[unit] if unit >= 0 else None for unit in domain.place_units]
        there = np.array([position.get(name, -1) for name in (at_units if gather == "unit" else domain.place_ids)])
        found["unit"] = lambda values: _taken(values, there)
    if "reach" in parameters.coords:
        along = {name: i for i, name in enumerate(parameters.reach.values.astype(str))}
        reaches = np.array([along.get(name, -1) for name in domain.places.reach.values.astype(str)])
        found["reach"] = lambda values: _taken(values, reaches)
    return found


def _taken(values, positions):
    return np.where(positions >= 0, values[positions], np.nan)
