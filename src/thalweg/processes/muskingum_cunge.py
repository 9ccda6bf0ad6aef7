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
  reaches and flows, solved in closed form to 1e-8 (:func:`drained`). What is left of that error moves the rating curve,
  not the balance: V_1 takes the outflow as it is, so mass and steady states are exact.

Todini (2007, doi:10.5194/hess-11-1645-2007) mends the volume of variable-parameter Muskingum-Cunge by correcting its coefficients;
here volume is the variable. A lake (``lakes=True``) is a level pool with the same equation: outflow over a weir,
O = C (V / area)**1.5, X = 0.
"""

from functools import cache

from thalweg.processes.implicit import root
from thalweg.processes.operations import clip, maximum, minimum, power, sqrt, where
from thalweg.processes.process import Parameter, Process, State
from thalweg.processes.reach import FLUXES, FORCINGS

SMALLEST = 1e-3  # m3, and m3/s: below this nothing is divided by
LOWEST_WEIGHT = -1.0
WEIR = 1.5  # exponent of a broad-crested weir

PARAMETERS = (
    Parameter("roughness", 0.01, 0.3, "s/m**(1/3)", "Manning's n"),
    Parameter("width_coefficient", 1.0, 200.0, "m**(1-q)", "p of the top width w = p d**q"),
    Parameter("width_exponent", 0.0, 1.0, "dimensionless", "q: 0 is a rectangle, 1 a triangle"),
    Parameter("slope", 1e-4, 0.3, "dimensionless", "bed slope, S"),
    Parameter("length", 1.0, 1e6, "m", "of the reach, dx"),
)
LAKE = (
    Parameter("lake_area", 0.0, 1e12, "m**2", "surface of a lake; 0 for a river reach"),
    Parameter("weir_coefficient", 1.0, 1000.0, "m**1.5/s", "C of the outflow C h**1.5 over depth h above the sill"),
)


def exponent(width_exponent):
    """beta: discharge grows with this power of the volume, and the wave is so much faster than the water."""
    return (3.0 * width_exponent + 5.0) / (3.0 * width_exponent + 3.0)


def rating(roughness, width_coefficient, width_exponent, slope, length):
    """kappa of Q = kappa V**beta, for V in m3 and Q in m3/s."""
    beta = exponent(width_exponent)
    shape = power((width_exponent + 1.0) / width_coefficient, beta - 1.0)
    return sqrt(slope) / roughness * shape / power(length, beta)


def depth(area, width_coefficient, width_exponent):
    """Depth in m of a flow of cross-section ``area`` in m2."""
    return power((width_exponent + 1.0) * area / width_coefficient, 1.0 / (width_exponent + 1.0))


def drained(strength, beta):
    """z = strength y**beta, the share of the water that leaves, where y + z = 1.

    Halley's step from y = (1 + strength)**(-1 / beta), which is right for weak and strong drainage and whose power is known;
    then one of Newton's, with y**beta carried along to second order. Errors, relative, for beta up to 5/3: 1.5e-4 after
    Halley's, 1e-8 in z, of any strength.
    """
    left = 1.0 / (1.0 + strength)
    gone = strength * left
    y = power(left, 1.0 / beta)
    miss, rise = y - left, y + beta * gone
    y = y * (1.0 - miss * rise / (rise * rise - 0.5 * beta * (beta - 1.0) * gone * miss))
    z = strength * power(y, beta)
    change = (1.0 - y - z) / (y + beta * z)
    return z * (1.0 + beta * change * (1.0 + 0.5 * (beta - 1.0) * change))


@cache
def muskingum_cunge(time_step=3600.0, lakes=False):
    """The process of one reach.

    Args:
        time_step: in seconds.
        lakes: also take the parameters of lakes; a reach whose ``lake_area`` is above 0 is one.

    Returns:
        Process: forcing and flux in m3/s, state ``volume`` in m3.
    """
    dt = float(time_step)

    def curve(p):
        beta, kappa = exponent(p["width_exponent"]), rating(*(p[parameter.name] for parameter in PARAMETERS))
        if lakes:
            lake = p["lake_area"] > 0.0
            beta = where(lake, WEIR, beta)
            kappa = where(lake, p["weir_coefficient"] / power(maximum(p["lake_area"], 1.0), WEIR), kappa)
        return beta, kappa

    def weights(volume, inflow, lateral, p, beta, kappa):
        """theta and X."""
        q, length = p["width_exponent"], p["length"]

        # The rate at which the reach would drain, per step, and how far ahead its volume must be taken.
        filled = clip(volume, SMALLEST, None)
        rate = dt * kappa * power(filled, beta - 1.0)
        theta = clip(1.0 - power(0.5 / (dt * kappa), 1.0 / beta) * power(filled, 1.0 / beta - 1.0), 0.5, None)

        # Cunge's weight, within the bounds of positive outflow.
        height = depth(1.0 / length, p["width_coefficient"], q) * power(filled, 1.0 / (q + 1.0))
        diffusion = height / (2.0 * (q + 1.0) * p["slope"] * length)  # D / 2 times beta
        weight = 0.5 - diffusion / beta + (theta - 0.5) * beta * rate
        water = volume + theta * dt * (inflow + lateral)
        most = kappa * power(clip(water, SMALLEST, None), beta) / clip(inflow, SMALLEST, None)
        weight = minimum(clip(weight, LOWEST_WEIGHT, 0.5), most)
        if lakes:
            weight = where(p["lake_area"] > 0.0, 0.0, weight)
        return theta, weight

    def step(state, forcing, parameters):
        volume, inflow, lateral = state["volume"], forcing["inflow"], forcing["lateral_inflow"]
        beta, kappa = curve(parameters)
        theta, weight = weights(volume, inflow, lateral, parameters, beta, kappa)

        # All the water of the step, and the share of it that leaves.
        through = weight / (1.0 - weight) * inflow
        total = clip(volume + theta * dt * (inflow + lateral + through), SMALLEST, None)
        strength = theta * dt * kappa * power(total, beta - 1.0) / (1.0 - weight)
        discharge = total * drained(strength, beta) / (theta * dt) - through
        discharge = minimum(clip(discharge, 0.0, None), volume / dt + inflow + lateral)
        return {"volume": clip(volume + dt * (inflow + lateral - discharge), 0.0, None)}, {"discharge": discharge}

    def rest(forcing, parameters):
        dry = forcing["inflow"] + forcing["lateral_inflow"] <= 0.0
        inflow, lateral = forcing["inflow"], where(dry, 1.0, forcing["lateral_inflow"])
        beta, kappa = curve(parameters)

        def residual(volume):
            weight = weights(volume, inflow, lateral, parameters, beta, kappa)[1]
            return kappa * power(volume, beta) - inflow - (1.0 - weight) * lateral

        guess = power((inflow + lateral) / kappa, 1.0 / beta)
        return {"volume": where(dry, 0.0, root(residual, guess, 0.0 * guess, 2.0 * guess + SMALLEST))}

    return Process(
        name="muskingum_cunge",
        source="Cunge 1969; Todini 2007; Bindas et al. 2024",
        states=(State("volume", 0.0, "m**3", "water in the reach"),),
        parameters=PARAMETERS + (LAKE if lakes else ()),
        forcings=FORCINGS,
        fluxes=FLUXES,
        step=step,
        rest=rest,
    )
