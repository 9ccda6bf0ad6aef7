"""Networks that learn the parameters of a process, and an LSTM without a process."""

import torch
from torch import nn

from thalweg.basin.domain import DataError
from thalweg.basin.observables import observable
from thalweg.integrate import integrate
from thalweg.learn import asymmetric_laplace
from thalweg.learn.encoders import ParameterTransformer
from thalweg.learn.scaling import PATCH_DAYS
from thalweg.processes.routing import unit_hydrograph

HYDROGRAPH_STEPS = unit_hydrograph.ORDINATES - 1  # steps before a window whose runoff arrives in it
RIVER_DAYS = 20  # days before a window that fill the river
MIN_SCALE = 1e-3  # of a mixture's components, as a share of the mean observation
MIN_ASYMMETRY = 0.02  # probability of values on either side of a component's location
INITIAL_FORGET_BIAS = 3.0  # keeps an LSTM's memory open at the start of training (Kratzert et al. 2019)


def perceptron(inputs, hidden, layers, outputs, dropout=0.0):
    """A multilayer perceptron (..., inputs) -> (..., outputs)."""
    blocks = []
    for _ in range(layers):
        blocks += [nn.Linear(inputs, hidden), nn.Tanh(), nn.Dropout(dropout)]
        inputs = hidden
    return nn.Sequential(*blocks, nn.Linear(inputs, outputs))


class Recurrent(nn.Module):
    """An LSTM over scaled forcing and attributes, with a linear head: (time, unit, ...) -> (time, unit, outputs)."""

    def __init__(self, inputs, hidden, outputs, dropout=0.0):
        super().__init__()
        self.lstm = nn.LSTM(inputs, hidden)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(hidden, outputs)
        with torch.no_grad():
            self.lstm.bias_hh_l0[hidden : 2 * hidden] = INITIAL_FORGET_BIAS

    def forward(self, window):
        """Outputs of the spin-up (without gradient) and of the evaluated days: two tensors (time, unit, outputs)."""
        state, early = None, None
        if window.spin_up:
            with torch.no_grad():
                early, state = self.advance(window.sequence[: window.spin_up], window.attributes)
        late, _ = self.lstm(self._inputs(window.sequence[window.spin_up :], window.attributes), state)
        return early, self.head(self.dropout(late))

    def advance(self, sequence, attributes, state=None):
        """Outputs of some steps, without dropout, and the state after them.

        Args:
            sequence: scaled forcing, tensor (time, unit, variable).
            attributes: scaled, tensor (unit, attribute).
            state: hidden and cell state before, two tensors (1, unit, hidden); None at the beginning.

        Returns:
            (tensor (time, unit, outputs), state).
        """
        values, state = self.lstm(self._inputs(sequence, attributes), state)
        return self.head(values), state

    @staticmethod
    def _inputs(sequence, attributes):
        return torch.cat([sequence, attributes.expand(sequence.shape[0], -1, -1)], dim=-1)


class SequenceModel(nn.Module):
    """An LSTM from forcing and attributes to the observed variables: the baseline without a process.

    Args:
        variables: names of the observed variables.
        forcings, attributes: number of inputs of each kind.
        hidden, dropout: of the LSTM.
        scale: name -> mean of the observations at the training places, the unit of the output before rescaling.
        outputs: of the network for each variable.
    """

    def __init__(self, variables, forcings, attributes, hidden, dropout, scale, outputs=1):
        super().__init__()
        self.variables = tuple(variables)
        self.network = Recurrent(forcings + attributes, hidden, outputs * len(self.variables), dropout)
        self.scale = scale

    def forward(self, window):
        """Simulated observables on the evaluated steps, never negative: name -> tensor (time, place)."""
        _, output = self.network(window)
        return self.observed(output, window.drainage)

    def observed(self, output, drainage):
        """Outputs of the network (time, unit, output) as observables: name -> tensor (time, place)."""
        return {
            name: drainage.gather(name, self.scale[name] * nn.functional.softplus(output[..., i]))
            for i, name in enumerate(self.variables)
        }


class MixtureModel(SequenceModel):
    """An LSTM to a distribution of each observed variable: a countable mixture of asymmetric Laplace distributions.

    After Klotz et al. (2022, doi:10.5194/hess-26-1673-2022). It is trained by the loss ``cmal``; its simulated value is the
    distribution's mean, which minimises squared errors, and not negative.

    Args:
        settings: arguments of :class:`SequenceModel`.
        components: of the mixture.
    """

    def __init__(self, *settings, components):
        super().__init__(*settings, outputs=asymmetric_laplace.PARAMETERS * components)

    def distribution(self, window):
        """Mixtures on the evaluated steps: name -> tensor (time, place, 4, component) of :mod:`thalweg.learn.asymmetric_laplace`."""
        _, output = self.network(window)
        return self._mixtures(output, window.drainage)

    def observed(self, output, drainage):
        """Outputs of the network as means of the mixtures: name -> tensor (time, place)."""
        mixtures = self._mixtures(output, drainage).items()
        return {name: asymmetric_laplace.mean(mixture).clamp(min=0.0) for name, mixture in mixtures}

    def _mixtures(self, output, drainage):
        output = output.unflatten(-1, (len(self.variables), asymmetric_laplace.PARAMETERS, -1))
        return {
            name: drainage.gather(name, _mixture(output[:, :, i], self.scale[name]))
            for i, name in enumerate(self.variables)
        }

    def quantiles(self, window, probabilities):
        """Quantiles on the evaluated steps, never negative: name -> tensor (probability, time, place)."""
        return {
            name: torch.stack([asymmetric_laplace.quantile(mixture, one).clamp(min=0.0) for one in probabilities])
            for name, mixture in self.distribution(window).items()
        }


def _mixture(output, unit):
    """Outputs of a network (..., 4, component) as a mixture; ``unit`` is that of location and scale before rescaling."""
    location, scale, tau, weight = output.unbind(-2)
    return torch.stack(
        [
            unit * nn.functional.softplus(location),
            unit * (nn.functional.softplus(scale) + MIN_SCALE),
            MIN_ASYMMETRY + (1 - 2 * MIN_ASYMMETRY) * torch.sigmoid(tau),
            torch.log_softmax(weight, -1),
        ],
        -2,
    )


class LearnedProcess(nn.Module):
    """A process whose parameters are learned (differentiable parameter learning, Tsai et al. 2021; Feng et al. 2022).

    A network gives every unit ``components`` parallel parameter sets; the process runs with each, and its fluxes are their mean.
    A process that defines its steady state starts there, and keeps gradients through the spin-up: its memory may be longer.

    Args:
        process: the :class:`~thalweg.processes.Process`.
        forcings, attributes: number of network inputs of each kind.
        components: parallel parameter sets.
        network: ``"attributes"`` for a perceptron on unit attributes, ``"transformer"`` for one on attributes and forcing
            history, ``"none"`` for one learned set for all units, ``"unit"`` for a separate set for each of ``units``.
        hidden, layers, dropout: of the networks.
        dynamic: names of parameters that an LSTM on forcing and attributes predicts for each day.
        integrator: backend of :func:`thalweg.integrate.integrate`.
        known: names of parameters taken from ``window.known``.
        extra: further :class:`~thalweg.processes.Parameter` of each unit, one value for all components.
        units: number of units, for ``network="unit"``.
        patches: number of patches of history, for ``network="transformer"``.
    """

    def __init__(
        self,
        process,
        forcings,
        attributes,
        components,
        network,
        hidden,
        layers,
        dropout,
        dynamic=(),
        integrator="fused",
        known=(),
        extra=(),
        units=0,
        patches=0,
    ):
        super().__init__()
        unknown = [name for name in dynamic if name not in process.parameter_names]
        if unknown:
            raise DataError(
                f"dynamic parameter {unknown[0]!r} is unknown to process {process.name}; available: {', '.join(process.parameter_names)}"
            )
        self.process, self.components, self.integrator = process, components, integrator
        self.known, self.extra = tuple(known), tuple(extra)
        self.dynamic = [p for p in process.parameters if p.name in dynamic]
        self.static = [p for p in process.parameters if p.name not in (*dynamic, *known)]
        outputs = len(self.static) * components + len(self.extra)
        if network == "attributes":
            self.network = perceptron(attributes, hidden, layers, outputs, dropout)
        elif network == "transformer":
            self.network = ParameterTransformer(
                outputs, patches, PATCH_DAYS * forcings, attributes, hidden, layers, dropout
            )
        else:
            self.constant = nn.Parameter(0.1 * torch.randn((units, outputs) if network == "unit" else outputs))
        if self.dynamic:
            self.recurrent = Recurrent(forcings + attributes, hidden, len(self.dynamic) * components, dropout)

    def parameters_of(self, window):
        """Parameters in their units.

        Returns:
            (static, extra): name -> tensor (unit, component); name -> tensor (unit,).
        """
        units = window.attributes.shape[0]
        network = getattr(self, "network", None)
        if isinstance(network, ParameterTransformer):
            raw = network(window.attributes, window.history)
        elif network is not None:
            raw = network(window.attributes)
        elif self.constant.ndim == 2 and window.units is not None:
            raw = self.constant[window.units]
        else:
            raw = self.constant.expand(units, -1)
        share = torch.sigmoid(raw)
        extra = {p.name: p.at(share[:, i]) for i, p in enumerate(self.extra)}
        share = share[:, len(self.extra) :].reshape(units, len(self.static), self.components)
        static = {p.name: p.at(share[:, i]).contiguous() for i, p in enumerate(self.static)}
        given = {name: window.known[name][:, None].repeat(1, self.components) for name in self.known}
        return static | given, extra

    def dynamic_over(self, window):
        """Dynamic parameters in the spin-up and on the evaluated days, as for :meth:`dynamic_of`; without any, two empty dicts."""
        if not self.dynamic:
            return {}, {}
        early, late = self.recurrent(window)
        return self.dynamic_of(early) if early is not None else {}, self.dynamic_of(late)

    def dynamic_of(self, output):
        """Outputs of the LSTM (time, unit, value) as parameters in their units: name -> tensor (time, unit, component)."""
        share = torch.sigmoid(output).unflatten(-1, (len(self.dynamic), self.components))
        return {p.name: p.at(share[:, :, i]).contiguous() for i, p in enumerate(self.dynamic)}

    def fluxes(self, window, names):
        """Fluxes of the evaluated days, means over components: name -> tensor (time, unit)."""
        return self._march(window, names, self.parameters_of(window)[0])[1]

    def _march(self, window, names, static):
        early_daily, daily = self.dynamic_over(window)
        state, early = self.at_rest(window, static, daily), None
        if window.spin_up:
            with torch.set_grad_enabled(torch.is_grad_enabled() and state is not None):
                forcing = {name: values[: window.spin_up] for name, values in window.forcing.items()}
                early, state = self.integrate(forcing, {**static, **early_daily}, state, names)
        forcing = {name: values[window.spin_up :] for name, values in window.forcing.items()}
        late, _ = self.integrate(forcing, {**static, **daily}, state, names)
        return early, late

    def at_rest(self, window, static, daily):
        """The steady state under the window's mean forcing; None if a process does not define it."""
        if self.process.rest is None:
            return None
        mean = {name: values.mean(0)[:, None] for name, values in window.forcing.items()}
        return self.process.rest(mean, static | {name: values.mean(0) for name, values in daily.items()})

    def integrate(self, forcing, parameters, state, names):
        """March the process: :func:`thalweg.integrate.integrate`, fluxes averaged over components."""
        return integrate(
            self.process, forcing, parameters, state, fluxes=names, backend=self.integrator, mean_components=True
        )


class ProcessModel(LearnedProcess):
    """A learned process and the mapping from its fluxes to the observed variables.

    Discharge is runoff delayed by a gamma unit hydrograph with learned shape and, optionally, a river; other variables
    are fluxes of the process, gathered as defined in :mod:`thalweg.basin.observables`.

    Args:
        variables: names of the observed variables.
        routing: of discharge: ``"none"``, ``"unit_hydrograph"``, or ``"river"`` for the hydrograph and then the network of reaches.
        river: the :class:`~thalweg.learn.river.RiverNetwork` of the last.
        settings: arguments of :class:`LearnedProcess`.
    """

    def __init__(self, variables, *settings, routing="unit_hydrograph", river=None, **more):
        self.variables = tuple(variables)
        routed = any(observable(name).gather == "routed" for name in self.variables)
        super().__init__(*settings, extra=unit_hydrograph.PARAMETERS if routed else (), **more)
        self.routing, self.river = routing if routed else "none", river

    def forward(self, window):
        """Simulated observables on the evaluated steps: name -> tensor (time, place), in the unit of the flux."""
        static, extra = self.parameters_of(window)
        names = tuple(dict.fromkeys(observable(name).flux for name in self.variables))
        early, late = self._march(window, names, static)
        return {name: self._observed(name, window, early, late, extra) for name in self.variables}

    def _observed(self, name, window, early, late, extra):
        kind = observable(name)
        if kind.gather != "routed":
            return window.drainage.gather(name, late[kind.flux])
        runoff, before = self._delayed(window, early, late, extra)
        if self.river is None:
            return window.drainage.mean(runoff[before:])
        return self.river(runoff, window.drainage, before)

    def runoff(self, window):
        """Runoff at the outlet of each unit.

        Returns:
            (runoff, before): tensor (time, unit), mm per step, of the evaluated steps and some before them; the number before.
        """
        static, extra = self.parameters_of(window)
        return self._delayed(window, *self._march(window, ("runoff",), static), extra)

    def steps_before(self, window):
        """Number of steps of the spin-up whose runoff arrives in the evaluated steps, or fills the river before them."""
        memory = 0 if self.routing == "none" else HYDROGRAPH_STEPS
        if self.routing == "river":
            memory += round(24 * RIVER_DAYS / window.drainage.step_hours)
        return min(memory, window.spin_up)

    def _delayed(self, window, early, late, extra):
        before = self.steps_before(window)
        runoff = late["runoff"]
        if before:
            runoff = torch.cat([early["runoff"][-before:], runoff])
        if self.routing != "none":
            runoff = unit_hydrograph.route(runoff, extra["route_a"], extra["route_b"])
        return runoff, before
