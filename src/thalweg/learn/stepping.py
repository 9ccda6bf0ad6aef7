"""Trained models run one step at a time, with the state between steps kept: for coupling, and for restarts.

Each step calls the parts that :mod:`thalweg.learn.networks` and :mod:`thalweg.learn.river` call over a whole window; no equation
stands here. A sequence of steps gives what the model gives over the window, to rounding. The one exception is the river: within a
step its lateral inflow rises or falls towards the next one (:func:`thalweg.integrate.disaggregate`), which is not known yet. The
discharge of the last step is therefore computed as at the end of a record, and once more, finally, when the next step is known.

Everything that a step needs besides weights and network is in the ``tensors`` of an object: storages, the memory of an LSTM and of the
unit hydrograph, the river, and parameters, so that a restart does not depend on how these were computed.
"""

from dataclasses import dataclass, field

import torch

from thalweg.basin.observables import observable
from thalweg.integrate import daily_means, disaggregate, initial_state, route, state_at_rest
from thalweg.learn import checkpoint
from thalweg.learn.networks import HYDROGRAPH_STEPS, ProcessModel, SequenceModel
from thalweg.processes.routing import unit_hydrograph


class SteppingError(ValueError):
    """A model that cannot be run one step at a time."""


@dataclass(frozen=True)
class Step:
    """What a model gives for one step.

    Attributes:
        places: observed variable -> tensor (place,), in the unit of the flux.
        units: flux or storage of the process -> tensor (unit,), means over components; ``delayed_runoff`` is runoff after the
            unit hydrograph.
        river: the :class:`RiverSteps`, after the step; None without a river.
    """

    places: dict[str, torch.Tensor]
    units: dict[str, torch.Tensor] = field(default_factory=dict)
    river: object = None


def stepping(model, window):
    """A trained model ready for its first step after the spin-up of a window.

    Args:
        model: in evaluation mode.
        window: its spin-up is run; of the steps after it only the mean matters, for the steady state of a process that has one.

    Returns:
        ProcessSteps or SequenceSteps

    Raises:
        SteppingError: if the model is of neither kind.
    """
    kinds = {ProcessModel: ProcessSteps, SequenceModel: SequenceSteps}
    for kind, steps in kinds.items():
        if isinstance(model, kind):
            with torch.no_grad():
                return steps(model, window)
    raise SteppingError(
        f"{type(model).__name__}: it cannot be run one step at a time; use one of {', '.join(one.__name__ for one in kinds)}"
    )


class Steps:
    """What all have: tensors, and of a model that ends in a river, the river's."""

    river = None

    def save(self):
        """All tensors by name, to be restored."""
        return self.tensors | (checkpoint.prefixed("river", self.river.tensors) if self.river is not None else {})

    def restore(self, tensors):
        """Go on from the tensors returned by :meth:`save`."""
        self.tensors = {name: one.clone() for name, one in tensors.items() if not name.startswith("river/")}
        if self.river is not None:
            self.river.restore(checkpoint.without_prefix("river", tensors))


class SequenceSteps(Steps):
    """An LSTM without a process, step by step."""

    forcing_names = ()
    recurrent = True

    def storages(self):
        """None: an LSTM has no storages."""
        return {}

    def __init__(self, model, window):
        self.model, self.drainage = model, window.drainage
        memory = None
        if window.spin_up:
            _, memory = model.network.advance(window.sequence[: window.spin_up], window.attributes)
        self.tensors = {"attributes": window.attributes} | _memory(model.network, memory, window)

    @torch.no_grad()
    def advance(self, forcing, sequence):
        """The next step; arguments and result as for :meth:`ProcessSteps.advance`."""
        output, memory = self.model.network.advance(sequence[None], self.tensors["attributes"], _pair(self.tensors))
        self.tensors |= _named(memory)
        return Step({name: values[0] for name, values in self.model.observed(output, self.drainage).items()})


class ProcessSteps(Steps):
    """A process with learned parameters, its unit hydrograph and its river, step by step.

    Attributes:
        forcing_names: forcing that the process reads.
        recurrent: whether an LSTM reads the scaled forcing too.
        river: :class:`RiverSteps`, None without a river.
    """

    def __init__(self, model, window):
        self.model, self.drainage = model, window.drainage
        self.forcing_names, self.recurrent = model.process.forcing_names, bool(model.dynamic)
        self.fluxes = model.process.flux_names
        static, extra = model.parameters_of(window)
        self.tensors = checkpoint.prefixed("parameter", static) | checkpoint.prefixed("extra", extra)
        state, daily, memory = None, {}, None
        if model.process.rest is not None:
            _, late = model.dynamic_over(window)
            state = model.at_rest(window, static, late)
        if self.recurrent:
            self.tensors["attributes"] = window.attributes
            if window.spin_up:
                output, memory = model.recurrent.advance(window.sequence[: window.spin_up], window.attributes)
                daily = model.dynamic_of(output)
            self.tensors |= _memory(model.recurrent, memory, window)
        routed = any(observable(name).gather == "routed" for name in model.variables)
        self.river = RiverSteps(model.river, self.drainage) if routed and model.river is not None else None
        units = len(window.attributes)
        if routed and model.routing != "none":
            self.tensors["delay"] = window.attributes.new_zeros(HYDROGRAPH_STEPS, units)
        if window.spin_up:
            forcing = {name: values[: window.spin_up] for name, values in window.forcing.items()}
            early, state = model.integrate(forcing, static | daily, state, self.fluxes)
        if state is None:
            state = initial_state(model.process, units, model.components)
        self.tensors |= checkpoint.prefixed("state", state)
        if routed:
            before = model.steps_before(window)
            for runoff in early["runoff"][len(early["runoff"]) - before :] if before else ():
                self._routed(runoff)

    def storages(self):
        """Storages of the process: name -> tensor (unit,), means over components."""
        return {name: values.mean(-1) for name, values in checkpoint.without_prefix("state", self.tensors).items()}

    @torch.no_grad()
    def advance(self, forcing, sequence):
        """The next step.

        Args:
            forcing: name -> tensor (unit,), of ``forcing_names``.
            sequence: scaled forcing, tensor (unit, variable); used if ``recurrent``.

        Returns:
            Step
        """
        model = self.model
        parameters = checkpoint.without_prefix("parameter", self.tensors)
        if self.recurrent:
            output, memory = model.recurrent.advance(sequence[None], self.tensors["attributes"], _pair(self.tensors))
            self.tensors |= _named(memory)
            parameters |= model.dynamic_of(output)
        state = checkpoint.without_prefix("state", self.tensors)
        now = {name: forcing[name][None] for name in self.forcing_names}
        fluxes, state = model.integrate(now, parameters, state, self.fluxes)
        self.tensors |= checkpoint.prefixed("state", state)
        units = self.storages() | {name: values[0] for name, values in fluxes.items()}
        places = {}
        for name in model.variables:
            kind = observable(name)
            if kind.gather == "routed":
                units["delayed_runoff"], places[name] = self._routed(units["runoff"])
            else:
                places[name] = self.drainage.gather(name, fluxes[kind.flux])[0]
        return Step(places, units, self.river)

    def _routed(self, runoff):
        """Runoff (unit,) delayed on the hillslope (unit,), and as discharge in mm per step at the places (place,)."""
        delayed = runoff[None]
        if "delay" in self.tensors:
            series = torch.cat([self.tensors["delay"], delayed])
            self.tensors["delay"] = series[1:]
            delayed = unit_hydrograph.route(series, self.tensors["extra/route_a"], self.tensors["extra/route_b"])[-1:]
        if self.river is None:
            return delayed[0], self.drainage.mean(delayed)[0]
        self.river.advance(self.drainage.collect(delayed)[0])
        return delayed[0], self.river.at_places(self.river.discharge)


class RiverSteps(Steps):
    """A river with learned roughness and section, step by step.

    Attributes:
        discharge: of the last step, as at the end of a record, tensor (time within the step, reach), m3/s.
        final: of the step before it, now that the last is known; None after the first step.
        volume: in the reaches at the end of the last step, tensor (reach,), m3.
    """

    def __init__(self, river, drainage):
        self.network, self.drainage = river, drainage
        with torch.no_grad():
            self.tensors = checkpoint.prefixed("parameter", river.parameters_of(drainage))
        self.discharge = self.final = self.volume = None

    @torch.no_grad()
    def advance(self, lateral):
        """The next step, with the lateral inflow (reach,) in m3/s, its mean. The river begins in the steady state of its first step."""
        parameters = checkpoint.without_prefix("parameter", self.tensors)
        process, river, steps = self.network.process, self.drainage.river, self.network.steps
        recent = lateral[None]
        if "recent" not in self.tensors:
            self.tensors |= checkpoint.prefixed("state", state_at_rest(process, river, lateral, parameters))
        else:
            recent = torch.cat([self.tensors["recent"], recent])
        inflow = disaggregate(recent, steps)
        state = checkpoint.without_prefix("state", self.tensors)
        if len(recent) > 1:
            self.final, state = route(process, river, inflow[-2 * steps : -steps], parameters, state)
            self.tensors |= checkpoint.prefixed("state", state)
        self.discharge, end = route(process, river, inflow[-steps:], parameters, state)
        self.volume = end["volume"]
        self.tensors["recent"] = recent[-2:]

    def at_places(self, discharge):
        """Discharge (time within the step, reach) as mean depth over each place's catchment (place,), mm per step."""
        return daily_means(self.drainage.depth(discharge), self.network.steps)[0]

    def at_reaches(self, discharge):
        """Mean of the step at every reach (reach,), m3/s."""
        return daily_means(discharge, self.network.steps)[0]


def _memory(network, memory, window):
    if memory is None:
        zero = window.attributes.new_zeros(1, len(window.attributes), network.lstm.hidden_size)
        memory = zero, zero.clone()
    return _named(memory)


def _named(memory):
    return dict(zip(("memory/hidden", "memory/cell"), memory))


def _pair(tensors):
    return tensors["memory/hidden"], tensors["memory/cell"]
