"""One reach of a river: Muskingum-Cunge in finite volumes, which conserves mass with flow-dependent parameters.

The section is a power law, top width w = p d**q, so that cross-section A = p d**(q+1) / (q+1), and Manning's equation
with hydraulic radius d gives v = d**(2/3) S**0.5 / n (Bindas et al. 2024, doi:10.1029/2023WR035337). With
beta = (3q + 5) / (3q + 3) the discharge is Q = kappa V**beta for a reach that holds the volume V = A dx, and the
celerity dQ/dA = beta v is exact.

The volume V of the reach is the state, I and O are the mean inflow and outflow of a time step dt, L the lateral inflow:

    V_1 = V_0 + dt (I + L - O)                                            what flows in leaves or is stored
    V_theta = V_0 + theta dt (I + L - O)
    kappa V_theta**beta = X I + (1 - X) O                                 Muskingum's weighted discharge

With theta = 1/2 and constant K = V / Q this is the linear Muskingum scheme for means over steps. Four choices:

* theta rises above 1/2 where K is shorter than about half a step, just enough that the reach is not drawn below zero;
* X is Cunge's, (1 - D) / 2 with the cell Reynolds number D = d / ((q + 1) beta S dx), plus the excess of theta times the
  Courant number, so that numerical and physical diffusion agree (Cunge 1969; Ponce 1994);
* X is bounded so that outflow is not negative (kappa (V_0 + theta dt (I + L))**beta >= X I), and to [-1, 1/2];
* the equation for V_theta is y + G y**beta = 1 for the share y of the water there is that stays: one equation for all
  reaches and flows, solved in closed form to 1e-12 (:func:`drained`). The remaining error affects the rating curve,
  not the balance: V_1 takes the outflow as it is, so mass and steady discharge are exact.

Todini (2007, doi:10.5194/hess-11-1645-2007) corrects the volume of variable-parameter Muskingum-Cunge through its coefficients;
here volume is the variable. A lake (``lakes=True``) is a level pool with the same equation: outflow over a weir,
O = C (V / area)**1.5, X = 0.
"""

from functools import cache

import torch

from thalweg.processes.operations import clip, maximum, minimum, power, sqrt, where
from thalweg.processes.process import Parameter, Process, State, Variable

SMALLEST = 1e-3  # m3, and m3/s: below this nothing is divided by
LOWEST_WEIGHT = -1.0
WEIR = 1.5  # exponent of a broad-crested weir

PARAMETERS = (
    Parameter("roughness", 0.01, 0.3, "s/m**(1/3)", "Manning's n", logarithmic=True),
    Parameter("width_coefficient", 1.0, 200.0, "m**(1-q)", "p of the top width w = p d**q", logarithmic=True),
    Parameter("width_exponent", 0.0, 1.0, "dimensionless", "q: 0 is a rectangle, 1 a triangle"),
    Parameter("slope", 1e-4, 0.3, "dimensionless", "bed slope, S"),
    Parameter("length", 1.0, 1e6, "m", "of the reach, dx"),
)
LAKE = (
    Parameter("lake_area", 0.0, 1e12, "m**2", "surface of a lake; 0 for a river reach"),
    Parameter("weir_coefficient", 1.0, 1000.0, "m**1.5/s", "C of the outflow C h**1.5 over depth h above the sill"),
)
INFLOW = Variable("inflow", "m**3/s", "from the reaches upstream, mean of the step")
LATERAL_INFLOW = Variable("lateral_inflow", "m**3/s", "from the adjacent land, mean of the step")
DISCHARGE = Variable("discharge", "m**3/s", "through the downstream end, mean of the step")


def exponent(width_exponent):
    """beta: discharge grows with this power of the volume, and the wave is faster than the water by this factor."""
    return (3.0 * width_exponent + 5.0) / (3.0 * width_exponent + 3.0)


def rating(roughness, width_coefficient, width_exponent, slope, length):
    """kappa of Q = kappa V**beta, for V in m3 and Q in m3/s."""
    beta = exponent(width_exponent)
    shape = power((width_exponent + 1.0) / width_coefficient, beta - 1.0)
    return sqrt(slope) / roughness * shape / power(length, beta)


def depth(area, width_coefficient, width_exponent):
    """Depth in m of a flow of cross-section ``area`` in m2."""
    return power((width_exponent + 1.0) * area / width_coefficient, 1.0 / (width_exponent + 1.0))


def _storage(p, lakes):
    """Whether a lake (None if there are none), and beta and kappa of Q = kappa V**beta."""
    beta = exponent(p["width_exponent"])
    kappa = rating(p["roughness"], p["width_coefficient"], p["width_exponent"], p["slope"], p["length"])
    if not lakes:
        return None, beta, kappa
    lake = p["lake_area"] > 0.0
    weir = p["weir_coefficient"] / power(maximum(p["lake_area"], 1.0), WEIR)
    return lake, where(lake, WEIR, beta), where(lake, weir, kappa)


def _weights(volume, p, beta, kappa, dt):
    """theta, and Cunge's X between its bounds (without the one of positive outflow)."""
    q, filled = p["width_exponent"], clip(volume, SMALLEST, None)
    rate = dt * kappa * power(filled, beta - 1.0)  # share of the volume that flows out in a step
    theta = clip(1.0 - power(0.5 / (dt * kappa), 1.0 / beta) * power(filled, 1.0 / beta - 1.0), 0.5, None)
    height = depth(1.0 / p["length"], p["width_coefficient"], q) * power(filled, 1.0 / (q + 1.0))
    reynolds = height / ((q + 1.0) * beta * p["slope"] * p["length"])
    return theta, clip(0.5 - 0.5 * reynolds + (theta - 0.5) * beta * rate, LOWEST_WEIGHT, 0.5)


def steady_volume(parameters, inflow, lateral_inflow, time_step, iterations=50):
    """Volume at which a reach's outflow is its inflow, so that a march from it under constant forcing stays constant.

    Args:
        parameters: name -> tensor (reach,); may include those of lakes.
        inflow, lateral_inflow: tensors (reach,), m3/s.
        time_step: of the process, in seconds; Cunge's weight depends on it slightly.

    Returns:
        Tensor (reach,), m3, without gradient.
    """
    with torch.no_grad():
        lake, beta, kappa = _storage(parameters, "lake_area" in parameters)
        total = inflow + lateral_inflow
        weight = torch.zeros_like(total)
        for _ in range(iterations):
            volume = ((weight * inflow + (1 - weight) * total).clamp(min=0) / kappa) ** (1 / beta)
            theta, weight = _weights(volume, parameters, beta, kappa, time_step)
            if lake is not None:
                weight = torch.where(lake, 0.0, weight)
            most = kappa * (volume + theta * time_step * total) ** beta / inflow.clamp(min=SMALLEST)
            weight = torch.minimum(weight, most)
        return volume


def share_of_negative_coefficients(parameters, discharge, time_step, weight):
    """Share of reaches and steps at which the explicit Muskingum scheme with a fixed X would have a negative coefficient.

    Args:
        parameters: name -> tensor (reach,).
        discharge: tensor (time, reach), m3/s.
        time_step: in seconds.
        weight: X.
    """
    beta = exponent(parameters["width_exponent"])
    kappa = rating(
        *(parameters[name] for name in ("roughness", "width_coefficient", "width_exponent", "slope", "length"))
    )
    travel = (discharge.clamp(min=SMALLEST) / kappa) ** (1 / beta) / (beta * discharge.clamp(min=SMALLEST))
    negative = (time_step < 2 * travel * weight) | (time_step > 2 * travel * (1 - weight))
    return negative.double().mean().item()


def drained(strength, beta):
    """z = strength y**beta, the share of the water that leaves, where y + z = 1.

    Two steps of Halley's from y = (1 + strength)**(-1 / beta), which is right for weak and strong drainage and whose power
    is known. Errors, relative, at any strength and for beta up to 5/3: 0.13, 1.5e-4, 4e-13.
    """
    left = 1.0 / (1.0 + strength)
    y = power(left, 1.0 / beta)
    y = y * (1.0 + _halley(y, strength * left, beta))
    z = strength * power(y, beta)
    change = _halley(y, z, beta)
    return z * (1.0 + beta * change * (1.0 + 0.5 * (beta - 1.0) * change))


def _halley(y, z, beta):
    """Relative change of y towards y + z = 1, z growing with y**beta."""
    miss, rise = 1.0 - y - z, y + beta * z
    return miss * rise / (rise * rise + 0.5 * beta * (beta - 1.0) * z * miss)


@cache
def muskingum_cunge(time_step=3600.0, lakes=False):
    """The process of one reach.

    Args:
        time_step: in seconds.
        lakes: include the parameters of lakes; a reach whose ``lake_area`` is above 0 is one.

    Returns:
        Process: forcing and flux in m3/s, state ``volume`` in m3.
    """
    dt = float(time_step)

    def step(state, forcing, parameters):
        p = parameters
        volume, inflow, lateral = state["volume"], forcing["inflow"], forcing["lateral_inflow"]
        lake, beta, kappa = _storage(p, lakes)
        theta, weight = _weights(volume, p, beta, kappa, dt)
        water = volume + theta * dt * (inflow + lateral)
        most = kappa * power(clip(water, SMALLEST, None), beta) / clip(inflow, SMALLEST, None)
        weight = minimum(weight, most)
        if lakes:
            weight = where(lake, 0.0, weight)

        # All the water of the step, and the share of it that leaves.
        through = weight / (1.0 - weight) * inflow
        total = clip(water + theta * dt * through, SMALLEST, None)
        strength = theta * dt * kappa * power(total, beta - 1.0) / (1.0 - weight)
        discharge = total * drained(strength, beta) / (theta * dt) - through
        discharge = minimum(clip(discharge, 0.0, None), volume / dt + inflow + lateral)
        return {"volume": clip(volume + dt * (inflow + lateral - discharge), 0.0, None)}, {"discharge": discharge}

    def rest(forcing, parameters):
        return {"volume": steady_volume(parameters, forcing["inflow"], forcing["lateral_inflow"], dt)}

    return Process(
        name="muskingum_cunge",
        source="Cunge 1969; Todini 2007; Bindas et al. 2024",
        states=(State("volume", 0.0, "m**3", "water in the reach"),),
        parameters=PARAMETERS + (LAKE if lakes else ()),
        forcings=(INFLOW, LATERAL_INFLOW),
        fluxes=(DISCHARGE,),
        step=step,
        rest=rest,
    )


@cache
def linear_reservoir(time_step=3600.0):
    """A reach that drains in proportion to its water, V / k: the simplest delay; a chain of reaches is a Nash cascade.

    Args:
        time_step: in seconds.

    Returns:
        Process: forcing and flux in m3/s, state ``volume`` in m3, parameter ``residence_time`` in s.
    """
    dt = float(time_step)

    def step(state, forcing, parameters):
        residence = parameters["residence_time"]
        added = forcing["inflow"] + forcing["lateral_inflow"]
        theta = clip(1.0 - residence / dt, 0.5, None)  # as above: never drawn below zero
        discharge = (state["volume"] + theta * dt * added) / (residence + theta * dt)
        discharge = minimum(discharge, state["volume"] / dt + added)
        return {"volume": clip(state["volume"] + dt * (added - discharge), 0.0, None)}, {"discharge": discharge}

    def rest(forcing, parameters):
        return {"volume": parameters["residence_time"] * (forcing["inflow"] + forcing["lateral_inflow"])}

    return Process(
        name="linear_reservoir",
        source="Nash 1957",
        states=(State("volume", 0.0, "m**3", "water in the reach"),),
        parameters=(Parameter("residence_time", 60.0, 1e7, "s", "k"),),
        forcings=(INFLOW, LATERAL_INFLOW),
        fluxes=(DISCHARGE,),
        step=step,
        rest=rest,
    )
