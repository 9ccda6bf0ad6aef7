"""What a page keeps of the simulations of a domain: series within a limit of size, means of series, learned parameters."""

import warnings
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path

import numpy as np
import xarray as xr

from thalweg.basin.domain import Domain
from thalweg.basin.observables import observable, observations
from thalweg.experiments.simulation import read_simulated_and_parameters
from thalweg.explorer.pack import pack_series

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
    """Bytes that are left for series in the page; the first series that does not fit closes it.

    Attributes:
        left: bytes.
        refused: (domain, experiment, model) of the runs without series.
    """

    left: int
    refused: list = field(default_factory=list)

    def takes(self, text, run):
        if self.refused or len(text) > self.left:
            self.refused.append(run)
            return False
        self.left -= len(text)
        return True


def in_turn(experiments):
    """All (domain, experiment): the first experiment of every domain, then the second ones, and so on.

    Args:
        experiments: domain -> names of its experiments.
    """
    each = [[(domain, name) for name in names] for domain, names in experiments.items()]
    return [run for turn in zip_longest(*each) for run in turn if run is not None]


class Kept:
    """What is kept of a domain, experiment by experiment.

    Args:
        domain: :class:`~thalweg.basin.domain.Domain`.
    """

    def __init__(self, domain: Domain):
        self.domain, self.rows, self.series = domain, Rows(), []
        self.spans = {}  # variable -> first and last position of a simulated step

    def add(self, folder, experiment, models, room):
        """Read the simulations of an experiment.

        Args:
            folder: of the files ``<model>.nc``.
            experiment: its name.
            models: names, in the order in which their series are kept.
            room: :class:`Room`.

        Returns:
            list: names of the variables, in the order of the files.
        """
        variables = {}
        for model in models:
            simulated, parameters = read_simulated_and_parameters(Path(folder) / f"{model}.nc")
            for one in simulated:
                self._add(one, experiment, model, room, alone=one.attrs["variable"] not in variables)
                variables[one.attrs["variable"]] = None
            if parameters is not None:
                gather = observable(simulated[0].attrs["variable"]).gather
                add_parameters(self.rows, self.domain, gather, parameters, experiment, model)
        return list(variables)

    def _add(self, one, experiment, model, room, alone):
        """One simulated variable; ``alone`` is whether it is the first of its experiment, which also gives the forcing."""
        variable, first = one.attrs["variable"], self._position(one.time.values[0])
        values = mean_of_runs(one.simulated.values)
        found = np.flatnonzero(np.isfinite(values).any(0))
        add_means(self.rows, self.domain, one, values, first, experiment, model, alone)
        if not len(found):
            return
        start, end = found[0], found[-1] + 1
        text = pack_series(values[:, start:end], relative(variable))
        if room.takes(text, (self.domain.name, experiment, model)):
            span = (first + start, first + end)
            old = self.spans.setdefault(variable, span)
            self.spans[variable] = (min(old[0], span[0]), max(old[1], span[1]))
            self.series.append(entry(text, experiment, variable, model, one.attrs["unit"], *span))

    def _position(self, time):
        return int(np.searchsorted(self.domain.forcing.time.values, time))

    def with_observed(self):
        """All series, after them the observed ones over the steps that a model simulated."""
        observed = []
        for variable, (start, end) in self.spans.items():
            values = observations(self.domain, variable)
            text = pack_series(values.values[:, start:end], relative(variable))
            observed.append(entry(text, "", variable, "", values.attrs["units"], start, end))
        return [*self.series, *observed]


def relative(variable):
    """Whether a variable is stored with steps relative to its value."""
    return observable(variable).gather == "routed"


def entry(text, experiment, variable, model, unit, start, end):
    """A series of all places in the page; that of observations has neither experiment nor model."""
    names = {"experiment": experiment, "variable": variable, "model": model}
    return names | {
        "unit": unit,
        "first": int(start),
        "length": int(end - start),
        "relative": relative(variable),
        "data": text,
    }


def mean_of_runs(simulated):
    """Mean over the folds that test a place and over seeds: array (place, time) of (fold, seed, place, time)."""
    if simulated.shape[:2] == (1, 1):
        return simulated[0, 0]
    known = np.isfinite(simulated)
    count = known.sum((0, 1))
    total = np.where(known, simulated, 0).sum((0, 1), dtype=np.float64)
    return np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)


def add_means(rows, domain, one, simulated, first, experiment, model, alone):
    """Means over the steps on which a variable was both simulated and observed; of discharge with those of the forcing.

    Args:
        rows: :class:`Rows`.
        domain: :class:`~thalweg.basin.domain.Domain`.
        one: Dataset of a simulation.
        simulated: array (place, time), mean over folds and seeds.
        first: position of its first step in the record.
        experiment, model: names.
        alone: whether the means of observations and forcing are added too.
    """
    variable = one.attrs["variable"]
    both = np.isfinite(simulated) & np.isfinite(one.observed.values)
    water = relative(variable)
    factor = YEAR / domain.step_days if water else 1.0
    names = {"kind": "mean", "experiment": experiment, "variable": variable}
    names["unit"] = "mm/year" if water else one.attrs["unit"]

    def add(values, name, label, shared=True):
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = np.where(both, values, 0).sum(1, dtype=np.float64) / both.sum(1)
        rows.add(factor * mean, **names, name=name, label=label, model="" if shared else model)

    if alone:
        if water:
            weights = domain.catchment_weights
            for forcing, label in WATER.items():
                values = domain.forcing[forcing].values[first : first + simulated.shape[1]] @ weights.T
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
