"""Parameters of leaves learned through the equations of photosynthesis, and fitted curve by curve.

A network maps attributes of a curve to the parameters of :func:`thalweg.processes.vegetation.photosynthesis.leaf`; the equations give
assimilation and conductance at every point; their errors train the network. If the same curves are predicted at other
points, every curve has its own offset, penalised by its square, so that curves share information.

Where CO2 between the cells was measured, assimilation follows from it, and conductance from the modelled assimilation and CO2 at
the surface (it then teaches g1 alone); elsewhere both follow from CO2 at the surface by the implicit root.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import nn

from thalweg.learn import optimisers
from thalweg.learn.networks import perceptron
from thalweg.processes.vegetation.photosynthesis import G1, JMAX_RATIO, RESIDUAL_CONDUCTANCE, leaf, medlyn

TYPICAL = {
    "Vcmax25": 50.0,
    "Jmax25": 100.0,
    "Rd25": 1.0,
    "g1": 4.0,
    "kp25": 0.5,
    "stress_exponent": 0.5,
}  # initial values
PRIOR = {
    "Vcmax25": 1.0,
    "Jmax25": 0.5,
    "Rd25": 1.0,
    "g1": 1.0,
    "kp25": 1.0,
}  # deviation of logarithms; Jmax25 from its usual ratio
MEASUREMENT_ERROR = {"assimilation": 0.5, "stomatal_conductance": 0.02}  # umol m-2 s-1, mol m-2 s-1
ITERATIONS, TOLERANCE, STUCK = 40, 1e-6, 1e4  # of the fit: relative gain and damping at which a curve is done
DIFFERENCE = 1e-6  # of logarithms, for the fit's derivatives
VARIABLES = ("assimilation", "stomatal_conductance")
OFFSET_PENALTY, PRIOR_WEIGHT = 0.01, 0.01  # added to a mean squared error relative to the variance
WEIGHT_DECAY = 0.01
VALIDATE_EVERY = 5  # steps
TINY = 1e-6


@dataclass(frozen=True)
class Curves:
    """Curves of one pathway as tensors: name -> (point, curve), samples NaN where nothing was measured."""

    forcing: dict
    samples: dict
    pathway: str

    @cached_property
    def process(self):
        """The process whose parameters are learned."""
        return leaf(self.pathway, "given_ci" if "intercellular_co2" in self.forcing else "medlyn")

    @cached_property
    def parameters(self):
        """The learned parameters: those of the process, and g1 if conductance was measured together with CO2."""
        known = "stomatal_conductance" in self.samples and "g1" not in self.process.parameter_names
        return self.process.parameters + ((G1["medlyn"],) if known else ())

    @property
    def size(self):
        """Number of curves."""
        return next(iter(self.forcing.values())).shape[1]

    def take(self, curves):
        """The selected curves; positions or bool (curve,)."""
        return Curves(
            {name: values[:, curves] for name, values in self.forcing.items()},
            {name: values[:, curves] for name, values in self.samples.items()},
            self.pathway,
        )

    def only(self, keep):
        """Samples only where ``keep``, bool (point, curve), holds."""
        gone = torch.tensor(float("nan"))
        samples = {name: torch.where(keep, values, gone.to(values)) for name, values in self.samples.items()}
        return Curves(self.forcing, samples, self.pathway)

    def predict(self, parameters):
        """Simulated values: name of a sample -> tensor (point, curve).

        Args:
            parameters: name -> tensor (curve,).
        """
        _, fluxes = self.process.step({}, self.forcing, parameters)
        if "stomatal_conductance" not in fluxes and "stomatal_conductance" in self.samples:
            forcing, g0 = self.forcing, RESIDUAL_CONDUCTANCE[self.pathway]
            net, deficit = fluxes["assimilation"].detach(), forcing["vapour_pressure_deficit"]
            fluxes |= {"stomatal_conductance": medlyn(net, forcing["co2"], deficit, g0, parameters["g1"])}
        return {name: fluxes[name] for name in self.samples}

    def scales(self):
        """Standard deviation of each variable's samples as compared, the divisor of errors: name -> float."""
        return {name: float(_compared(name, values[~values.isnan()]).std()) for name, values in self.samples.items()}


def curves_of(domain, pathway="C3", dtype=torch.float32):
    """The curves of one pathway of a :class:`~thalweg.basin.domain.Domain` of leaves.

    Returns:
        (Curves, positions): positions of the curves among the units.
    """
    positions = np.flatnonzero(domain.attributes.pathway.values == pathway)

    def tensors(dataset, names):
        return {name: torch.as_tensor(dataset[name].values[:, positions], dtype=dtype) for name in names}

    names = [name for name in VARIABLES if name in domain.observed]
    return Curves(
        tensors(domain.forcing, domain.forcing.data_vars), tensors(domain.observed, names), pathway
    ), positions


class LeafNetwork(nn.Module):
    """Parameters of curves from their attributes: positive, between the bounds of each, on a scale of logarithms.

    Args:
        parameters: of the process, each with a name and bounds.
        inputs: number of attributes; 0 learns one parameter set for all.
        hidden: width of the one hidden layer.
        curves: number of curves with their own offset; 0 for none.
    """

    def __init__(self, parameters, inputs, hidden, curves=0):
        super().__init__()
        self.parameters_learned = parameters
        self.network = perceptron(inputs, hidden, 1, len(parameters)) if inputs else None
        if inputs:
            nn.init.zeros_(self.network[-1].weight)
            nn.init.zeros_(self.network[-1].bias)
        share = [np.log(TYPICAL[p.name] / p.low) / np.log(p.high / p.low) for p in parameters]
        self.typical = nn.Parameter(torch.tensor([np.log(s / (1 - s)) for s in share], dtype=torch.float32))
        self.offset = nn.Parameter(torch.zeros(curves, len(parameters))) if curves else None

    def forward(self, attributes):
        """name -> tensor (curve,), in the parameter's unit; attributes (curve, input), scaled."""
        raw = self.typical.expand(len(attributes), -1)
        if self.network is not None:
            raw = raw + self.network(attributes)
        if self.offset is not None:
            raw = raw + self.offset
        share = torch.sigmoid(raw)
        return {
            p.name: p.low * torch.exp(share[:, i] * float(np.log(p.high / p.low)))
            for i, p in enumerate(self.parameters_learned)
        }


def misfit(predicted, samples, scales):
    """Mean squared error over the samples of each variable, divided by its scale squared, summed over variables.

    Conductance counts by its logarithm, for it spans three orders of magnitude.
    """
    total = 0.0
    for name, observed in samples.items():
        known = ~observed.isnan()
        if known.any():
            values, wanted = _compared(name, predicted[name][known]), _compared(name, observed[known])
            total = total + ((values - wanted) / scales[name]).square().mean()
    return total


def _compared(name, values):
    return values.log() if name == "stomatal_conductance" else values


def train(network, curves, attributes, steps, rate, validation=None):
    """Train a network on the samples of ``curves`` with Adam, whose rate falls to zero by a cosine.

    Args:
        network: a :class:`LeafNetwork`.
        curves: :class:`Curves`.
        attributes: tensor (curve, input).
        steps, rate: of the optimiser.
        validation: bool array (curve,): curves that are not trained on; the weights with the lowest loss on them are kept.

    Returns:
        Parameters learned: name -> array (curve,).
    """
    kept = np.ones(curves.size, bool) if validation is None else ~validation
    training, seen = curves.take(np.flatnonzero(kept)), attributes[kept]
    scales = training.scales()
    shared = [p for name, p in network.named_parameters() if name != "offset"]
    groups = [{"params": shared, "weight_decay": WEIGHT_DECAY}]
    if network.offset is not None:
        groups.append({"params": [network.offset], "weight_decay": 0.0})
    optimiser = optimisers.AdamW(groups, lr=rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    best, weights = np.inf, None
    for step in range(steps + 1):
        if validation is not None and (step % VALIDATE_EVERY == 0 or step == steps):
            with torch.no_grad():
                watched = curves.take(np.flatnonzero(validation))
                loss = float(misfit(watched.predict(network(attributes[validation])), watched.samples, scales))
            if loss < best:
                best, weights = loss, {name: value.clone() for name, value in network.state_dict().items()}
        if step == steps:
            break
        optimiser.zero_grad()
        parameters = network(seen)
        loss = misfit(training.predict(parameters), training.samples, scales)
        names = list(parameters)
        theta = torch.stack([parameters[name].log() for name in names], dim=1)
        loss = loss + PRIOR_WEIGHT * _prior(theta, names).square().mean()
        if network.offset is not None:
            loss = loss + OFFSET_PENALTY * network.offset.square().mean()
        loss.backward()
        optimiser.step()
        schedule.step()
    if weights is not None:
        network.load_state_dict(weights)
    return learned(network, attributes)


def learned(network, attributes):
    """The network's parameters for curves: name -> array (curve,)."""
    with torch.no_grad():
        return {name: values.numpy().astype(float) for name, values in network(attributes).items()}


def fit(curves, starts=((1.0, 1.0), (0.5, 2.0), (2.0, 0.5))):
    """Parameters of each curve separately, by least squares of the same equations with a weak prior.

    The prior (PRIOR) determines what the points do not constrain, such as Jmax25 of a curve that is enzyme-limited
    throughout. All curves are fitted at once, each with its own damping (Levenberg-Marquardt on logarithms of the
    parameters), from several starts, of which the best is kept, for a curve may have two minima. g1 with a measured ci
    follows in closed form.

    Args:
        curves: :class:`Curves`, float64.
        starts: factors of the first guesses of Vcmax25 and Jmax25.

    Returns:
        name -> array (curve,): g1 is NaN where a curve has no conductance.
    """
    given_ci = "g1" not in curves.process.parameter_names
    variables = ["assimilation"] if given_ci else list(curves.samples)
    fitted = [p for p in curves.parameters if not (given_ci and p.name == "g1")]
    names = [p.name for p in fitted]
    lanes = curves.take(np.tile(np.arange(curves.size), len(starts)))
    height = lanes.samples["assimilation"].nan_to_num(nan=-np.inf).amax(0).clamp(min=1.0) / 12.0
    guess = {name: torch.full_like(height, TYPICAL[name]) for name in names}
    for name, factors in zip(("Vcmax25", "Jmax25"), zip(*starts)):
        if name in guess:
            guess[name] = guess[name] * height * torch.tensor(factors).to(height).repeat_interleave(curves.size)

    def residuals(theta):
        given = {name: theta[:, i].exp() for i, name in enumerate(names)}
        given.setdefault("g1", torch.full_like(height, TYPICAL["g1"]))
        predicted = lanes.predict(given)
        errors = [(predicted[n] - lanes.samples[n]).T.nan_to_num() / MEASUREMENT_ERROR[n] for n in variables]
        return torch.cat([*errors, _prior(theta, names)], dim=1)

    low, high = (torch.tensor([getattr(p, end) for p in fitted], dtype=height.dtype).log() for end in ("low", "high"))
    theta = torch.stack([guess[name].log() for name in names], dim=1).clamp(low, high)
    with torch.no_grad():
        theta, cost = _levenberg_marquardt(residuals, theta, low, high)
    best = cost.reshape(len(starts), -1).argmin(0)
    theta = theta.reshape(len(starts), curves.size, -1)[best, torch.arange(curves.size)]
    found = {name: theta[:, i].exp() for i, name in enumerate(names)}
    if given_ci and "stomatal_conductance" in curves.samples:
        found["g1"] = _slope(curves, found)
    return {name: values.numpy() for name, values in found.items()}


def _prior(theta, names):
    """Deviations from typical values in units of PRIOR: tensor (curve, parameter)."""
    columns = []
    for i, name in enumerate(names):
        typical = np.log(TYPICAL[name])
        if name == "Jmax25":
            typical = np.log(JMAX_RATIO) + theta[:, names.index("Vcmax25")]
        columns.append((theta[:, i] - typical) / PRIOR[name])
    return torch.stack(columns, dim=1)


def _levenberg_marquardt(residuals, theta, low, high):
    """Least squares in every lane at once: (theta (lane, parameter), cost (lane,))."""
    damping = torch.full_like(theta[:, 0], 0.01)
    current = residuals(theta)
    cost = current.square().sum(1)
    done = torch.zeros_like(cost, dtype=torch.bool)
    for _ in range(ITERATIONS):
        columns = []
        for i in range(theta.shape[1]):
            shift = torch.zeros_like(theta)
            shift[:, i] = DIFFERENCE
            columns.append((residuals(theta + shift) - current) / DIFFERENCE)
        jacobian = torch.stack(columns, dim=2)
        normal = jacobian.mT @ jacobian
        diagonal = torch.diag_embed(damping[:, None] * normal.diagonal(dim1=1, dim2=2))
        step = torch.linalg.solve(normal + diagonal, -(jacobian.mT @ current[:, :, None]))[:, :, 0]
        proposed = (theta + step).clamp(low, high)
        new = residuals(proposed)
        new_cost = new.square().sum(1)
        better = new_cost < cost
        done |= torch.where(better, cost - new_cost < TOLERANCE * cost, damping > STUCK)
        theta = torch.where(better[:, None], proposed, theta)
        current = torch.where(better[:, None], new, current)
        cost = torch.where(better, new_cost, cost)
        damping = torch.where(better, damping / 5.0, damping * 4.0).clamp(min=1e-9)
        if done.all():
            break
    return theta, cost


def _slope(curves, parameters):
    """g1 of each curve by least squares, in which conductance is linear; NaN without conductance: tensor (curve,)."""
    known = ~curves.samples["stomatal_conductance"].isnan()
    like = parameters["Vcmax25"]
    without, with_one = (
        curves.predict(parameters | {"g1": torch.full_like(like, g1)})["stomatal_conductance"] for g1 in (0.0, 1.0)
    )
    slope = torch.where(known, with_one - without, 0.0)
    rest = torch.where(known, curves.samples["stomatal_conductance"] - without, 0.0)
    value = (slope * rest).sum(0) / slope.square().sum(0).clamp(min=TINY**2)
    bounds = G1["medlyn"]
    return torch.where(known.any(0), value.clamp(bounds.low, bounds.high), float("nan"))
