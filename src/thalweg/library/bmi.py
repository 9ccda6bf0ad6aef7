"""Trained models with a Basic Model Interface (BMI 2.0), so that NextGen, PyMT and others can drive them step by step.

:class:`BmiThalweg` is a runoff model with its river, if it has one; :class:`BmiRiver` the river alone, for runoff of another model.
Each is initialised with a YAML file of :class:`~thalweg.settings.bmi.BmiSettings`. Names, units and examples are in docs/guides/bmi.md.
"""

import hashlib
from pathlib import Path

import numpy as np
import torch

import thalweg
from thalweg.basin.domain import MILLIMETRES_PER_DAY
from thalweg.basin.observables import observable, observable_at
from thalweg.learn import checkpoint
from thalweg.learn.stepping import RiverSteps, stepping
from thalweg.library.bmi_component import BmiError, Component, Value
from thalweg.library.bmi_grid import places, reaches, units
from thalweg.library.bmi_setup import domain_of, model_of, period_of, state_of
from thalweg.schema import validated
from thalweg.settings.bmi import BmiSettings
from thalweg.settings.files import read

FORMAT = 1  # of state files
DELAYED = "unit__delayed_runoff"
STANDARD = {
    ("unit", "precipitation"): "atmosphere_water__precipitation_leq-volume_flux",
    ("unit", "temperature"): "atmosphere_bottom_air__temperature",
    ("unit", "potential_evapotranspiration"): "land_surface_water__potential_evaporation_volume_flux",
    ("unit", "runoff"): "land_surface_water__runoff_volume_flux",
    ("unit", "evapotranspiration"): "land_surface_water__evaporation_volume_flux",
    ("unit", "baseflow"): "land_surface_water__baseflow_volume_flux",
    ("unit", "snowmelt"): "snowpack__melt_volume_flux",
    ("unit", "snow_water_equivalent"): "snowpack__liquid-equivalent_depth",
    ("place", "discharge"): "basin_outlet_water_x-section__volume_flow_rate",
    ("reach", "discharge"): "channel_water_x-section__volume_flow_rate",
    ("reach", "volume"): "channel_water__volume",
}  # CSDMS standard names; other variables are <grid>__<name>


def named(grid, name):
    """The name of a variable of a grid in the interface."""
    return STANDARD.get((grid, name), f"{grid}__{name}")


class _Trained(Component):
    """What both components share: configuration, period, and files of states."""

    def initialize(self, config_file):
        """Read a configuration file, run the spin-up or read a state, and be ready for the first step.

        Raises:
            ConfigError: for an unknown key or an impossible value.
            BmiError: for a period that the forcing does not begin, an unknown member, or a state of another model.
            ModelFileError, DataError, UnitError, FileNotFoundError: as for :func:`thalweg.load` and :meth:`Model.predict`.

        Warns:
            PredictionWarning: as :meth:`Model.predict`, except with a state, which has the parameters in it.
        """
        self.finalize()
        path = Path(config_file)
        settings = validated(BmiSettings, read(path), str(path))
        self.settings, self.source, folder = settings, path, path.parent
        state = None if settings.state is None else folder / settings.state
        self.model = model_of(settings, folder, path)
        self.domain = domain_of(settings, folder, path)
        self.seen, self.scalings = self.model.prepared(self.domain)
        if state is None:
            self.model.warned(self.seen, self.scalings)
        start = state_of(state)[1]["time"] if state is not None and settings.start is None else settings.start
        self.times, self.first = period_of(self.domain, start, settings.end, path, known=state is not None)
        self.steps = {}
        for i, series, trained in self.model.trained_members(self.seen, self.scalings):
            self.steps[self.model.members[i]] = self._steps_of(trained, series, state is not None)
            drainage = series.drainage
        self._declare(drainage)
        self._begin()
        if state is not None:
            self.load_state(state)
            if self.done:
                raise BmiError(
                    f"{path}: start is {self.times[0]}, but {state} is a state at {self.times[self.done]}; leave out start"
                )

    def get_component_name(self):
        self._initialised()
        return f"thalweg {self.model.job.model.label}"

    def save_state(self, path):
        """Write all that the next step depends on, and the outputs of the last: one safetensors file, whole or not at all.

        Inputs that were set for the next step are not part of it.
        """
        self._initialised()
        tensors = {f"output/{name}": torch.from_numpy(one.values) for name, one in self.outputs.items()}
        for (fold, seed), steps in self.steps.items():
            tensors |= checkpoint.prefixed(f"{fold}/{seed}", steps.save())
        checkpoint.save(path, tensors, self._identity() | {"time": str(self.times[self.done])})

    def load_state(self, path):
        """Go on from a file written by :meth:`save_state`, exactly as if there had been no interruption.

        Raises:
            BmiError: if it is no such file, of another model, member or units, or of a time outside the period.
        """
        self._initialised()
        tensors, header = state_of(path)
        for name, value in self._identity().items():
            if name != "thalweg" and header.get(name) != value:
                raise BmiError(
                    f"{path}: {name} of the state is {_short(header.get(name))}, and of {self.source} {_short(value)}; use a state of "
                    "this model and domain, or start with a spin-up"
                )
        done = np.flatnonzero(self.times == np.datetime64(header["time"]))
        if not len(done):
            raise BmiError(
                f"{path}: it is a state at {header['time']}, outside the period {self.times[0]} to {self.times[-1]}; change start and end"
            )
        for (fold, seed), steps in self.steps.items():
            steps.restore(checkpoint.without_prefix(f"{fold}/{seed}", tensors))
        for name, one in self.outputs.items():
            one.values[:] = tensors[f"output/{name}"].numpy()
        self.done = int(done[0])
        self._begin()

    def _identity(self):
        weights = hashlib.sha256()
        for fold, seed in self.steps:
            for name, tensor in sorted(checkpoint.without_prefix(f"{fold}/{seed}", self.model.tensors).items()):
                weights.update(name.encode() + np.ascontiguousarray(tensor.numpy()).tobytes())
        return {
            "format": FORMAT,
            "thalweg": thalweg.__version__,
            "component": type(self).__name__,
            "weights": weights.hexdigest(),
            "members": [list(member) for member in self.steps],
            **{f"ids of every {grid.name}": [str(one) for one in grid.ids] for grid in self.grids},
        }

    def _place_discharge(self, depth):
        """Depth over catchments, mm per step, as discharge (place,), m3/s, as :meth:`Model.predict` returns it."""
        first = min(self.done, len(self.times) - 2)
        days = np.diff(self.times[first : first + 2])[0] / np.timedelta64(1, "D")
        return depth * (self.domain.places.drainage_area.values / (MILLIMETRES_PER_DAY * days))

    def _declare_river(self, drainage):
        unit, place = self.grids
        reach = reaches(self.seen, drainage.river, unit)
        self.grids.append(reach)
        for grid, name, text in (
            (reach, "discharge", "m3/s"),
            (reach, "volume", "m3"),
            (reach, "discharge_of_previous_step", "m3/s"),
            (place, "discharge_of_previous_step", "m3/s"),
        ):
            self.outputs[named(grid.name, name)] = Value.on(grid, text)

    def _write_river(self, rivers):
        self._write("reach", "discharge", [one.at_reaches(one.discharge) for one in rivers])
        self._write("reach", "volume", [one.volume for one in rivers])
        if rivers[0].final is not None:
            self._write("reach", "discharge_of_previous_step", [one.at_reaches(one.final) for one in rivers])
            final = _mean([one.at_places(one.final) for one in rivers])
            self._write("place", "discharge_of_previous_step", self._place_discharge(final))

    def _write(self, grid, name, values):
        one = self.outputs[named(grid, name)]
        one.values[:] = _mean(values) if isinstance(values, list) else values
        if grid == "place":
            one.values[~observable_at(self.seen, name.removesuffix("_of_previous_step"))] = np.nan


class BmiThalweg(_Trained):
    """A trained runoff model, with its unit hydrograph and its river if it has them.

    Inputs are the forcing of the units, taken from the domain unless they are set for the coming step; outputs are observed variables at
    places, fluxes and storages of units, and discharge and water of reaches. Outputs are means over the members.
    """

    def _steps_of(self, trained, series, restored):
        if restored:
            return stepping(trained, series.window(0, 1, 0))
        spin_up = self.model.job.training.spin_up if self.settings.spin_up is None else self.settings.spin_up
        last = min(self.first + len(self.times) - 1, series.days)
        return stepping(trained, series.window(self.first, last, round(spin_up / self.domain.step_days)))

    def _declare(self, drainage):
        self.grids = [units(self.seen), places(self.domain)]
        unit, place = self.grids
        some = next(iter(self.steps.values()))
        of_network = self.scalings[self.model.members[0][0]].forcing if some.recurrent else ()
        self.forcing = {}  # name in the domain -> name in the interface
        for name in dict.fromkeys((*some.forcing_names, *of_network)):
            self.forcing[name] = named("unit", name)
            self.inputs[self.forcing[name]] = Value.on(unit, self.seen.forcing[name].attrs["units"])
        for name in self.model.variables:
            text = "m3/s" if observable(name).gather == "routed" else self.model.setting.units[name]
            self.outputs[named("place", name)] = Value.on(place, text)
        self.of_units = {}
        if self.model.process is not None:
            known = {one.name: one.unit for one in (*self.model.process.states, *self.model.process.fluxes)}
            if any(observable(name).gather == "routed" for name in self.model.variables):
                known["delayed_runoff"] = known["runoff"]
            self.of_units = {name: named("unit", name) for name in known}
            self.outputs |= {self.of_units[name]: Value.on(unit, text) for name, text in known.items()}
            for name in some.storages():
                self._write("unit", name, [steps.storages()[name] for steps in self.steps.values()])
        if some.river is not None:
            self._declare_river(drainage)

    def _begin(self):
        position = self.first + self.done
        for name, there in self.forcing.items():
            values = self.seen.forcing[name].values
            self.inputs[there].values[:] = values[position] if position < len(values) else np.nan

    def _advance(self):
        given = {name: self.inputs[there].values for name, there in self.forcing.items()}
        forcing = {name: torch.as_tensor(values, dtype=torch.float32) for name, values in given.items()}
        found = []
        for (fold, _), steps in self.steps.items():
            sequence = _sequence(self.scalings[fold], given) if steps.recurrent else None
            found.append(steps.advance(forcing, sequence))
        for name in self.model.variables:
            values = _mean([one.places[name] for one in found])
            routed = observable(name).gather == "routed"
            self._write("place", name, self._place_discharge(values) if routed else values)
        for name in self.of_units:
            self._write("unit", name, [one.units[name] for one in found])
        if found[0].river is not None:
            self._write_river([one.river for one in found])


class BmiRiver(_Trained):
    """The river of a trained model alone: runoff of units to discharge of reaches and places.

    The input is runoff at the outlets of the units, in mm per step, 0 until it is set; it remains until it is set again. The river
    begins in the steady state of the first step's runoff.
    """

    def _steps_of(self, trained, series, restored):
        if getattr(trained, "river", None) is None or series.drainage.river is None:
            raise BmiError(
                f"{self.source}: model {self.settings.model} has no river; name one that was trained with routing: river"
            )
        return RiverSteps(trained.river, series.drainage)

    def _declare(self, drainage):
        self.grids = [units(self.seen), places(self.domain)]
        unit, place = self.grids
        self.inputs[DELAYED] = Value(unit, f"mm/{self.domain.step}", np.zeros(len(unit.ids)))
        self.outputs[named("place", "discharge")] = Value.on(place, "m3/s")
        self._declare_river(drainage)

    def _begin(self):
        """The runoff of the last step remains."""

    def _advance(self):
        runoff = torch.as_tensor(self.inputs[DELAYED].values, dtype=torch.float32)
        rivers = list(self.steps.values())
        for one in rivers:
            one.advance(one.drainage.collect(runoff[None])[0])
        depth = _mean([one.at_places(one.discharge) for one in rivers])
        self._write("place", "discharge", self._place_discharge(depth))
        self._write_river(rivers)


def _mean(values):
    """Mean over members (point,), as :meth:`Model.predict` takes it."""
    return np.stack([one.numpy() for one in values]).mean(0)


def _sequence(scaling, given):
    values = np.stack([given[name] for name in scaling.forcing], axis=-1)
    scaled = (values - np.array(scaling.forcing_mean)) / np.array(scaling.forcing_deviation)
    return torch.as_tensor(scaled, dtype=torch.float32)


def _short(value):
    text = str(value)
    return text if len(text) <= 40 else f"{text[:37]}..."
