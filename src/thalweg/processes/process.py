"""A process: a prior with declared states, parameters, forcings and fluxes, and one time step.

A process holds equations and nothing else. Time, devices, data and learning belong to the layers above.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Parameter:
    """A parameter that a network may learn, with its allowed range.

    ``logarithmic`` marks a range that spans orders of magnitude: a network then moves in it by factors.
    """

    name: str
    low: float
    high: float
    unit: str
    meaning: str
    logarithmic: bool = False

    def at(self, share):
        """The value a share (0 to 1) of the way through the range."""
        if self.logarithmic:
            return self.low * (self.high / self.low) ** share
        return self.low + share * (self.high - self.low)


@dataclass(frozen=True)
class State:
    """A storage carried from one step to the next."""

    name: str
    initial: float
    unit: str
    meaning: str


@dataclass(frozen=True)
class Variable:
    """A forcing read, or a flux produced, at every step."""

    name: str
    unit: str
    meaning: str


@dataclass(frozen=True)
class Process:
    """One prior.

    ``step(state, forcing, parameters) -> (state, fluxes)`` maps names to values of one time step. The values are
    tensors of any broadcastable shape, or symbols when an integrator traces the step, so the step uses the
    operators and the functions of :mod:`thalweg.processes.operations` only.

    ``rest(forcing, parameters) -> state``, if the process has one, returns the steady state under constant forcing.
    """

    name: str
    source: str
    states: tuple[State, ...]
    parameters: tuple[Parameter, ...]
    forcings: tuple[Variable, ...]
    fluxes: tuple[Variable, ...]
    step: Callable[[Mapping[str, Any], Mapping[str, Any], Mapping[str, Any]], tuple[dict, dict]]
    rest: Callable[[Mapping[str, Any], Mapping[str, Any]], dict] | None = None

    @property
    def parameter_names(self):
        return tuple(parameter.name for parameter in self.parameters)

    @property
    def state_names(self):
        return tuple(state.name for state in self.states)

    @property
    def forcing_names(self):
        return tuple(variable.name for variable in self.forcings)

    @property
    def flux_names(self):
        return tuple(variable.name for variable in self.fluxes)
