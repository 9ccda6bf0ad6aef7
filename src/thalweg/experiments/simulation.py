"""The simulation file: output of every estimator, and input of scores, figures and analyses.

A netCDF tree. Its root holds the (first) variable of the experiment, each further variable is a group ``also/<variable>`` of the same
form:

======================= ========================= =================================================================
simulated               fold, seed, place, time   NaN at places that the fold does not test
observed                place, time               in the same unit; discharge as depth over the drainage area
censored                place, time               1 where the observation is a detection limit; only if there are any
quantile                fold, seed, level, ...    of the simulated distribution at (place, time), below which a share ``level``
                                                  lies; only of a model that simulates one
trained, tested         fold, place, time         1 where an observation was used in training or validation, or counts
                                                  in the test
======================= ========================= =================================================================

An attribute ``minimum_values`` is the minimum number of tested values for a metric, if it differs from the study's. The
group ``parameters`` (fold, seed, unit or reach) and the group ``internals`` (unit, time) exist for a process.
"""

from dataclasses import dataclass

import numpy as np
import xarray as xr

from thalweg.basin.domain import CENSORED, DataError
from thalweg.basin.observables import observable, observations
from thalweg.metrics.calendar import counted_days

PARTS = ("parameters", "internals")
QUANTILES = (
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    0.75,
    0.9,
    0.95,
    0.975,
)  # of a simulated distribution: intervals of 50, 80, 90 and 95 %


@dataclass(frozen=True)
class Simulation:
    """One model in one experiment.

    Attributes:
        variables: name -> Dataset of that variable, the first being the one of the file's root.
        parameters: Dataset; None for a model without a process.
        internals: Dataset of fluxes; None if they are not kept.
    """

    variables: dict[str, xr.Dataset]
    parameters: xr.Dataset | None = None
    internals: xr.Dataset | None = None

    def to_tree(self, **names):
        """The file's content; ``names`` (domain, experiment, model) go to the attributes of every group."""
        first, *others = self.variables
        groups = {"/": self.variables[first], **{f"/also/{name}": self.variables[name] for name in others}}
        groups |= {f"/{name}": getattr(self, name) for name in PARTS if getattr(self, name) is not None}
        return xr.DataTree.from_dict({path: one.assign_attrs(one.attrs | names) for path, one in groups.items()})


def simulation_of(domain, splits, variable, seeds, days, simulated, quantiles=None):
    """A simulation with the observations and masks of those used in training and in the test.

    Args:
        domain, splits: of the experiment.
        variable: the simulated variable.
        seeds: labels of the second dimension.
        days: positions ``(first, last)`` of the simulated days in the record, last excluded.
        simulated: array (fold, seed, place, time), NaN at places that the fold does not test. For a variable that is recorded
            continuously, values outside the test become NaN too.
        quantiles: array (fold, seed, level, place, time) of a simulated distribution at :data:`QUANTILES`, with NaN likewise; None
            for a model without one.

    Returns:
        Dataset of the form in the module's table.
    """
    time = domain.forcing.time.values
    window, folds = slice(*days), sorted(splits.fold.unique())
    values = observations(domain, variable)
    observed, unit = values.values[:, window], values.attrs["units"]
    masks = {"trained": [], "tested": []}
    for i, fold in enumerate(folds):
        split = splits[splits.fold == fold].set_index("place").loc[domain.place_ids]
        for name, part, rows in (
            ("trained", "train", (split.train | split.validation).values),
            ("tested", "test", split.test.values),
        ):
            counts = counted_days(split, part, time)[window].T & rows[:, None]
            masks[name].append((counts & np.isfinite(observed)).astype(np.int8))
            if part == "test" and observable(variable).continuous:
                simulated[i, :, ~counts] = np.nan
                if quantiles is not None:
                    quantiles[i][:, :, ~counts] = np.nan
    data = {
        "simulated": (
            ("fold", "seed", "place", "time"),
            simulated,
            {"units": unit, "long_name": f"simulated {variable.replace('_', ' ')}"},
        ),
        "observed": (
            ("place", "time"),
            observed,
            {"units": unit, "long_name": f"observed {variable.replace('_', ' ')}"},
        ),
        **{name: (("fold", "place", "time"), np.stack(mask)) for name, mask in masks.items()},
    }
    coordinates = {"fold": folds, "seed": list(seeds), "place": domain.place_ids, "time": time[window]}
    if variable + CENSORED in domain.observed:
        data["censored"] = (("place", "time"), domain.censored(variable)[window].T.astype(np.int8))
    if quantiles is not None:
        meaning = f"quantiles of simulated {variable.replace('_', ' ')}"
        data["quantile"] = (
            ("fold", "seed", "level", "place", "time"),
            quantiles,
            {"units": unit, "long_name": meaning},
        )
        coordinates["level"] = list(QUANTILES)
    return xr.Dataset(
        data,
        coords=coordinates,
        attrs={"variable": variable, "unit": unit},
    )


def read_simulation(path, part=None):
    """The simulation of an experiment's (first) variable; or a ``part`` of the file: ``parameters``, ``internals``, a further variable.

    Raises:
        DataError: if the file has no such part.
    """
    with xr.open_datatree(path, engine="h5netcdf") as tree:
        name = part if part is None or part in PARTS else f"also/{part}"
        if name is not None and name not in tree.groups and f"/{name}" not in tree.groups:
            raise DataError(f"{path}: no {part}; the file has {', '.join(tree.groups)}")
        return (tree if name is None else tree[name]).to_dataset().load()


def read_variables(path):
    """All simulations of a file, a list of Datasets: every variable, of every model and experiment that it holds."""
    with xr.open_datatree(path, engine="h5netcdf") as tree:
        return [node.to_dataset().load() for node in tree.subtree if "simulated" in node.data_vars]


def estimates(simulations):
    """The file of an estimator that simulates several experiments and models at once, as for leaves and the canopy.

    Args:
        simulations: list of Datasets of the root's form, with attributes experiment, model and variable.

    Returns:
        DataTree: a group ``<experiment>/<model>/<variable>`` for each.
    """
    groups = {f"/{s.attrs['experiment']}/{s.attrs['model']}/{s.attrs['variable']}": s for s in simulations}
    return xr.DataTree.from_dict(groups)


def simulated_discharge(simulation, domain):
    """Simulated discharge of a model, as forcing of another domain (:meth:`~thalweg.basin.domain.Domain.with_forcing`).

    Args:
        simulation: Dataset of discharge, of this module's form.
        domain: in which it was simulated.

    Returns:
        Dataset (time, unit) with ``discharge`` in m3/s, mean over the seeds and over the folds that test a place; its units are the
        places that were simulated at every time.
    """
    depth = simulation.simulated.mean(("fold", "seed")).transpose("time", "place").dropna("place")
    time = np.isin(domain.forcing.time.values, simulation.time.values)
    per_step = np.broadcast_to(domain.millimetres_per_step, len(time))[time]
    area = domain.places.drainage_area.sel(place=depth.place).values
    values = depth.values * area / per_step[:, None]
    return xr.Dataset(
        {"discharge": (("time", "unit"), values, {"units": "m3/s", "long_name": "simulated discharge"})},
        coords={"time": simulation.time.values, "unit": depth.place.values},
    )
