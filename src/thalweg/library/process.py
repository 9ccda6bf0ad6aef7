"""A process alone: parameters in, fluxes out, without a network, a study or a line of torch."""

import difflib
import inspect
import warnings

import numpy as np
import pandas as pd
import torch
import xarray as xr

import thalweg
from thalweg import processes, registry
from thalweg.basin.domain import DataError
from thalweg.integrate import initial_state, integrate
from thalweg.library.dates import DAY, TIME
from thalweg.library.series import read_forcing, steps_of
from thalweg.processes import Process
from thalweg.processes.routing import unit_hydrograph

STATE = "state_"  # what precedes the name of a state in a Dataset
LAG = "lag"  # dimension of the runoff that is still on its way
WAITING = "runoff_before"  # the name of that state
STEPS = {"hour": 3600.0, "day": DAY}
MEMORY = unit_hydrograph.ORDINATES - 1
BOUNDS = ("warn", "error", "ignore")
INTEGRATORS = (None, "fused", "reference")


class ParameterError(ValueError):
    """A parameter, state or setting that is unknown, misshapen or impossible; the message names it, its value and what is allowed."""


def process(name, **options):
    """A process to be run or calibrated by itself.

    Args:
        name: of a process of the package, ``package.module:function`` of one of your own, or a
            :class:`~thalweg.processes.Process`.
        options: of the function of the process, such as ``time_step="hour"`` or ``snow_routine=False``.

    Returns:
        RunnableProcess

    Raises:
        thalweg.registry.RegistryError: if there is no such process; the message lists those there are.
        ParameterError: if the process does not have an option or its value, or needs one that is missing.

    >>> gr4j = process("gr4j", snow_routine=False)
    >>> gr4j.parameters[["unit", "low", "high"]]
            unit   low    high
    name
    X1        mm  20.0  2000.0
    X2    mm/day -10.0    10.0
    X3        mm   5.0   300.0
    X4       day   0.5     4.0
    """
    if isinstance(name, Process):
        return RunnableProcess(name, {}, DAY if name.states else None)
    if not isinstance(name, str):
        raise ParameterError(f"process is {name!r}; give the name of a process, such as 'hbv', or a Process")
    function = registry.load("process", name)
    signature = inspect.signature(function)
    try:
        arguments = signature.bind(**options)
    except TypeError as error:
        known = ", ".join(signature.parameters) or "none"
        raise ParameterError(f"process {name!r}: {error}; its options are: {known}") from error
    arguments.apply_defaults()
    try:
        built = processes.get(name, **options)
    except ValueError as error:
        raise ParameterError(f"process {name!r}: {error}") from error
    step = arguments.arguments.get("time_step", "day")
    return RunnableProcess(built, options, STEPS.get(step, step) if built.states else None)


class RunnableProcess:
    """A process and what it needs to run; made by :func:`process`.

    Attributes:
        name, source: of the process, and of its equations.
        options: those that differ from the default.
        parameters: DataFrame by name: unit, low, high, default (the middle of the range), meaning.
        routing: the same of the two parameters of the unit hydrograph; empty for a process without runoff.
        forcing, fluxes, states: DataFrames by name: unit and meaning, of states also the initial value.
        step: length of a time step in seconds; None for a process without states, whose steps are independent.
    """

    def __init__(self, built, options, step):
        self.process, self.options, self.step = built, dict(options), step
        self.name, self.source = built.name, built.source
        self.parameters = _parameter_table(built.parameters)
        self.routing = _parameter_table(unit_hydrograph.PARAMETERS if "runoff" in built.flux_names else ())
        if len(self.routing) and step != DAY:
            self.routing.loc["route_b", "unit"] = "steps"
        self.forcing, self.fluxes = (_table(v, ("unit", "meaning")) for v in (built.forcings, built.fluxes))
        self.states = _table(built.states, ("unit", "initial", "meaning"))

    def __repr__(self):
        options = "".join(f", {key}={value!r}" for key, value in self.options.items())
        lines = [f"process({self.name!r}{options})  {self.source}"]
        for title, table in (("forcing", self.forcing), ("fluxes", self.fluxes), ("states", self.states)):
            lines.append(f"  {title}: " + ", ".join(f"{name} [{unit}]" for name, unit in table.unit.items()))
        lines.append("  parameters:")
        wide = max(map(len, self.parameters.index), default=0)
        for name, row in self.parameters.iterrows():
            lines.append(f"    {name:{wide}}  {row.low:g} to {row.high:g} {row.unit}: {row.meaning}")
        if len(self.routing):
            lines.append(f"  routed by a unit hydrograph where {' and '.join(self.routing.index)} are given")
        return "\n".join(lines)

    def run(self, forcing, parameters=None, state=None, spin_up=0, bounds="warn", integrator=None):
        """March through the steps of the forcing, in double precision.

        Args:
            forcing: xarray Dataset with the dimension ``time`` and at most one more for units; pandas DataFrame; or a
                dictionary of arrays (time,) or (time, unit). Units that are stated, in attributes or in brackets in the names
                of columns, are converted; others are those of ``forcing``.
            parameters: name -> number, array (unit,), or array (time, unit) for a parameter that changes in time; a pandas
                Series or a Dataset works too. Those not given have their default, the middle of the range. With
                ``route_a`` and ``route_b``, runoff is also delayed by a gamma unit hydrograph.
            state: where the run starts: the result of a former run, which is then continued exactly, or name -> value of the
                states that differ from their initial values. If None, the initial values; the steady state under the mean
                forcing for a process that defines one.
            spin_up: leading steps that are run but not returned: a number, or a duration such as ``"365 days"``.
            bounds: what happens where a parameter lies outside its range: ``"warn"``, ``"error"`` or ``"ignore"``.
            integrator: ``"fused"``, compiled (the default), or ``"reference"``, a loop for equations that cannot be compiled.

        Returns:
            Dataset: every flux, ``discharge`` if it was routed (both in mm per step), and the final states as
            ``state_<name>``, with units and long names; dimensions (time,), or (time, unit) if the forcing has units.

        Raises:
            DataError, UnitError: for forcing that is missing, has gaps, or has another unit or step.
            ParameterError: for parameters, states and an integrator that are unknown or have another shape.
        """
        if integrator not in INTEGRATORS:
            raise ParameterError(f"integrator is {integrator!r}; use 'fused' or 'reference'")
        series = self.read(forcing)
        first = steps_of(spin_up, self.step, "spin_up")
        if first >= len(series.time):
            raise DataError(
                f"{self.name}: a spin-up of {first} steps leaves nothing of {len(series.time)} steps of forcing"
            )
        given, routed = self._given(parameters, series, bounds)
        tensors = {name: torch.from_numpy(values) for name, values in series.values.items()}
        start, waiting = self._start(state, tensors, given, series)
        with torch.no_grad():
            fluxes, last = integrate(self.process, tensors, given, start, self.process.flux_names, integrator)
            fluxes = {name: values[..., 0] for name, values in fluxes.items()}
            if "runoff" in fluxes:
                runoff = torch.cat([waiting, fluxes["runoff"]])
                waiting = runoff[-MEMORY:]
                if routed:
                    fluxes["discharge"] = unit_hydrograph.route(runoff, *routed)[MEMORY:]
        return self._dataset(fluxes, last, waiting, series, first)

    def calibrate(self, forcing, discharge, **settings):
        """Fit the parameters to the discharge of one catchment; see :func:`thalweg.library.calibrate.calibrate`."""
        from thalweg.library.calibrate import calibrate

        return calibrate(self, forcing, discharge, **settings)

    def read(self, forcing):
        """The forcing as a :class:`~thalweg.library.series.Series` in the units of the process, checked."""
        return read_forcing(forcing, self.process.forcings, self.step, self.name)

    def at_rest(self, forcing, parameters):
        """The steady state under the mean of the forcing: name -> tensor; None for a process that defines none."""
        if self.process.rest is None:
            return None
        mean = {name: values.mean(0)[:, None] for name, values in forcing.items()}
        return self.process.rest(mean, {name: v.mean(0) if v.ndim == 3 else v for name, v in parameters.items()})

    def checked(self, parameters, names, bounds="warn"):
        """Raise ParameterError for an unknown name, and act on values outside their bounds; ``parameters`` are numbers or arrays."""
        if bounds not in BOUNDS:
            raise ParameterError(f"bounds is {bounds!r}; use one of {', '.join(BOUNDS)}")
        table = pd.concat([one for one in (self.parameters, self.routing) if len(one)])
        for name, value in parameters.items():
            if name not in names:
                close = difflib.get_close_matches(str(name), names, n=1)
                raise ParameterError(
                    f"{self.name}: parameter {name!r} is unknown; "
                    + (f"did you mean {close[0]!r}? " if close else "")
                    + f"It has {', '.join(names)}"
                )
            row, values = table.loc[name], self.floats("parameter", name, value)
            if not np.isfinite(values).all():
                raise ParameterError(
                    f"{self.name}: parameter {name!r} is {values[~np.isfinite(values)][0]:g}; give a number"
                )
            outside = (values < row.low) | (values > row.high)
            if outside.any() and bounds != "ignore":
                text = (
                    f"{self.name}: parameter {name!r} is {values[outside].flat[0]:g} {row.unit}, outside its range of "
                    f"{row.low:g} to {row.high:g}"
                )
                if bounds == "error":
                    raise ParameterError(f"{text}; choose a value inside, or bounds='warn'")
                warnings.warn(text, stacklevel=4)

    def named(self, values, what):
        """Values by name: those given, {} for None; ParameterError for anything without names."""
        if values is None:
            return {}
        if not hasattr(values, "items"):
            raise ParameterError(f"{self.name}: {what} is {values!r}; give a dictionary of names and values")
        return values

    def floats(self, kind, name, value):
        """A value of a parameter or state as an array; ParameterError if it is not made of numbers."""
        try:
            return np.asarray(value, dtype=float)
        except (TypeError, ValueError) as error:
            raise ParameterError(f"{self.name}: {kind} {name!r} is {value!r}; give a number or an array") from error

    def _given(self, parameters, series, bounds):
        """(name -> tensor (unit, 1) or (time, unit, 1), the two tensors (unit,) of the hydrograph or None)."""
        given = {str(name): value for name, value in self.named(parameters, "parameters").items()}
        names = [*self.parameters.index, *self.routing.index]
        shaped = {name: self._shaped(name, value, series) for name, value in given.items()}
        self.checked(shaped, names, bounds)
        tensors = {}
        for name, row in self.parameters.iterrows():
            values = shaped[name] if name in shaped else np.full(series.count, row.default)
            tensors[name] = torch.from_numpy(values)[..., None]
        routes = [name for name in self.routing.index if name in shaped]
        if len(routes) == 1:
            missing = next(name for name in self.routing.index if name not in shaped)
            raise ParameterError(
                f"{self.name}: {routes[0]!r} is given but not {missing!r}; the unit hydrograph needs both"
            )
        for name in routes:
            if shaped[name].ndim > 1:
                raise ParameterError(f"{self.name}: {name!r} cannot change in time; give one value for each unit")
        return tensors, [torch.from_numpy(shaped[name]) for name in routes] or None

    def _shaped(self, name, value, series):
        if isinstance(value, xr.DataArray):
            value = value.transpose(*(d for d in (TIME, series.dimension) if d in value.dims), ...)
        elif isinstance(value, pd.Series) and series.units is not None:
            value = value.reindex(series.units)
        values = self.floats("parameter", name, value)
        units, steps = series.count, len(series.time)
        if values.shape in ((), (1,), (units,)):
            return np.array(np.broadcast_to(values, units))
        if values.shape == (steps, units) or (units == 1 and values.shape == (steps,)):
            return np.ascontiguousarray(values.reshape(steps, units))
        raise ParameterError(
            f"{self.name}: parameter {name!r} has shape {values.shape}; give a number, ({units},) for the units, or "
            f"({steps}, {units}) for every step"
        )

    def _start(self, state, forcing, parameters, series):
        """(name -> tensor (unit, 1), runoff before the first step (lag, unit))."""
        waiting = np.zeros((MEMORY, series.count))
        start = self.at_rest(forcing, parameters) if state is None else None
        start = start or initial_state(self.process, series.count, 1, torch.float64)
        if isinstance(state, xr.Dataset):
            state = {str(name).removeprefix(STATE): state[name] for name in state if str(name).startswith(STATE)}
            missing = [name for name in self.process.state_names if name not in state]
            if missing:
                raise ParameterError(f"{self.name}: the state has no {missing[0]!r}; pass a result of this process")
        for name, value in self.named(state, "state").items():
            if name == WAITING:
                waiting = self.floats("state", name, value.transpose(LAG, ...) if hasattr(value, "dims") else value)
                if waiting.shape not in ((MEMORY,), (MEMORY, 1), (MEMORY, series.count)):
                    raise ParameterError(
                        f"{self.name}: state {name!r} has shape {waiting.shape}; give ({MEMORY},), or ({MEMORY}, {series.count})"
                    )
                waiting = waiting.reshape(MEMORY, -1)
                continue
            if name not in self.process.state_names:
                raise ParameterError(
                    f"{self.name}: state {name!r} is unknown; the states are {', '.join(self.process.state_names)}"
                )
            values = self.floats("state", name, value)
            if values.shape not in ((), (series.count,)) or not np.isfinite(values).all():
                raise ParameterError(
                    f"{self.name}: state {name!r} has shape {values.shape} or is not finite; give a number, or ({series.count},) "
                    "for the units"
                )
            start[name] = torch.from_numpy(np.array(np.broadcast_to(values, series.count)))[:, None]
        return start, torch.from_numpy(np.array(np.broadcast_to(waiting, (MEMORY, series.count))))

    def _dataset(self, fluxes, last, waiting, series, first):
        kept, known = series.between(first, len(series.time)), self.fluxes
        data = {}
        for name, values in fluxes.items():
            if name in known.index:
                unit, meaning = known.loc[name, ["unit", "meaning"]]
            else:
                unit, meaning = known.unit["runoff"], "runoff at the outlet, delayed by the gamma unit hydrograph"
            data[name] = (*kept.array(values[first:].numpy()), {"units": unit, "long_name": meaning})
        units = () if series.units is None else (series.dimension,)
        for name, row in self.states.iterrows():
            values = last[name][:, 0].numpy()
            attributes = {"units": row.unit, "long_name": f"{row.meaning}, after the last step"}
            data[STATE + name] = (units, values if units else values[0], attributes)
        if "runoff" in fluxes:
            attributes = {"units": known.unit["runoff"], "long_name": "runoff of the last steps, still on its way"}
            data[STATE + WAITING] = ((LAG, *units), waiting.numpy() if units else waiting[:, 0].numpy(), attributes)
        about = {"process": self.name, "source": self.source, "thalweg": thalweg.__version__}
        about |= {f"option_{key}": str(value) for key, value in self.options.items()}
        return xr.Dataset(data, kept.coordinates(), about)


def _parameter_table(parameters):
    table = pd.DataFrame(
        [(p.name, p.unit, p.low, p.high, p.at(0.5), p.meaning) for p in parameters],
        columns=["name", "unit", "low", "high", "default", "meaning"],
    )
    return table.set_index("name")


def _table(variables, columns):
    rows = [(one.name, *(getattr(one, column) for column in columns)) for one in variables]
    return pd.DataFrame(rows, columns=["name", *columns]).set_index("name")
