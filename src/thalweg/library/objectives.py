"""What a calibration makes small: one minus an efficiency, of flows or transformed flows, or a loss of the registry."""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from thalweg.registry import RegistryError, load, names

SMALL = 0.01  # of the mean observed flow, added before logarithms are taken (Pushpalatha et al. 2012)
TRANSFORMS = ("flow", "root", "log")


@dataclass(frozen=True)
class Objective:
    """A loss of every simulation.

    Attributes:
        name: as given.
        loss: function of simulated (time, start) and observed (time,) flow, both without gaps, to losses (start,), 0 at best.
        transform: of :data:`TRANSFORMS`, in which a likelihood is meant.
        efficiency: whether one minus the loss is a score.
    """

    name: str
    loss: Callable
    transform: str = "flow"
    efficiency: bool = True


def transformed(flow, observed, kind):
    """Flow, its square root, or the logarithm of flow and a hundredth of the mean observed flow."""
    if kind == "flow":
        return flow
    if kind == "root":
        return torch.sqrt(flow.clamp(min=1e-9))
    return torch.log(flow.clamp(min=0.0) + SMALL * observed.mean())


def squared_error(simulated, observed, kind):
    """Sum of squared errors of transformed flow, (start,)."""
    target = transformed(observed, observed, kind)
    return ((transformed(simulated, observed, kind) - target[:, None]) ** 2).sum(0)


def _one_minus_nse(kind):
    def loss(simulated, observed):
        target = transformed(observed, observed, kind)
        return squared_error(simulated, observed, kind) / ((target - target.mean()) ** 2).sum()

    return loss


def _one_minus_kge(relative):
    """Of 2009, or, if ``relative``, of 2012: the ratio of coefficients of variation."""

    def loss(simulated, observed):
        mean, mean_observed = simulated.mean(0), observed.mean()
        anomaly, anomaly_observed = simulated - mean, (observed - mean_observed)[:, None]
        spread = torch.sqrt((anomaly**2).mean(0) + 1e-12)
        spread_observed = torch.sqrt((anomaly_observed**2).mean())
        correlation = (anomaly * anomaly_observed).mean(0) / (spread * spread_observed)
        bias, variability = mean / mean_observed, spread / spread_observed
        if relative:
            variability = variability / bias.clamp(min=1e-6)
        return torch.sqrt((correlation - 1) ** 2 + (variability - 1) ** 2 + (bias - 1) ** 2 + 1e-12)

    return loss


EFFICIENCIES = {
    "NSE": Objective("NSE", _one_minus_nse("flow")),
    "sqrt_NSE": Objective("sqrt_NSE", _one_minus_nse("root"), "root"),
    "log_NSE": Objective("log_NSE", _one_minus_nse("log"), "log"),
    "KGE": Objective("KGE", _one_minus_kge(False)),
    "KGE_2012": Objective("KGE_2012", _one_minus_kge(True)),
}


def objective(name):
    """The objective of a name: of :data:`EFFICIENCIES`, or a loss of training, also one's own.

    Raises:
        RegistryError: the message lists all names.
    """
    try:
        if not isinstance(name, str):
            raise RegistryError("an objective is given by its name")
        if name in EFFICIENCIES:
            return EFFICIENCIES[name]
        function = load("loss", name)
    except RegistryError as error:
        raise RegistryError(
            f"objective {name!r} is unknown; use {', '.join(EFFICIENCIES)}, a loss ({', '.join(names('loss'))}) or "
            f"package.module:function ({error})"
        ) from error

    def loss(simulated, observed):
        target = observed.clamp(min=1e-6).log() if getattr(function, "logarithmic", False) else observed
        deviation = target.std()[None]
        return torch.stack([function(one[:, None], observed[:, None], deviation) for one in simulated.unbind(1)])

    return Objective(name, loss, "log" if getattr(function, "logarithmic", False) else "flow", efficiency=False)
