"""HBV whose recharge is a small network: one process is replaced by a learned function, all others are kept.

In HBV the share (SM / FC)^BETA of rain and melt passes the soil (:mod:`thalweg.processes.runoff.hbv`). Here the share is

    1 / (1 + exp(-(v_0 + sum_j v_j tanh(w_j0 + w_j1 SM / FC + w_j2 I / (I + 20 mm)))))

with I rain and melt of the day, after the idea of Feng et al. (2022, doi:10.1029/2022WR032404). It lies between 0 and
1, so water is conserved whatever the weights. The weights are parameters of the process, which a parameter network may
learn per unit, or once for all units. States in mm, fluxes in mm/day, a step of one day.
"""

from functools import cache

from thalweg.processes.operations import clip, exp, minimum, power
from thalweg.processes.process import Parameter, Process
from thalweg.processes.runoff.hbv import BETAET, CAPILLARY, FLUXES, FORCINGS, PARAMETERS, STATES, response, snow, stores

SCALE = 20.0  # mm/day, of rain and melt, at which its input is one half
LARGEST = 30.0  # of an exponent, which the bounds of the weights never reach: exponentials stay finite


def weights(hidden):
    """The network's weights as parameters: ``w_j_i`` of hidden value j by input i (0: bias), ``v_j`` of the result."""
    layer = [
        Parameter(f"w_{j}_{i}", -5.0, 5.0, "dimensionless", f"{meaning} in hidden value {j}")
        for j in range(1, hidden + 1)
        for i, meaning in enumerate(("bias", "weight of the soil's filled share", "weight of the water input"))
    ]
    result = [
        Parameter(f"v_{j}", -5.0, 5.0, "dimensionless", f"weight of hidden value {j} in the recharge share")
        for j in range(1, hidden + 1)
    ]
    return (*layer, Parameter("v_0", -6.0, 2.0, "dimensionless", "bias of the recharge share"), *result)


def sigmoid(x):
    """From 0 to 1, 1/2 at 0."""
    return 1.0 / (1.0 + exp(clip(-x, -LARGEST, LARGEST)))


def recharge_share(filled, water, p, hidden):
    """The network: share of the water that passes a soil whose share ``filled`` (0 to 1) holds water."""
    amount = water / (water + SCALE)
    total = p["v_0"]
    for j in range(1, hidden + 1):
        inner = p[f"w_{j}_0"] + p[f"w_{j}_1"] * filled + p[f"w_{j}_2"] * amount
        total = total + p[f"v_{j}"] * (2.0 * sigmoid(2.0 * inner) - 1.0)
    return sigmoid(total)


@cache
def hbv_neural(hidden=4):
    """HBV 1.1p with a network of ``hidden`` hidden values in the place of BETA.

    Returns:
        Process: states in mm, fluxes in mm/day.
    """

    def step(state, forcing, parameters):
        p = parameters
        snowpack, meltwater, rain, to_soil, melt = snow(state, forcing, p)
        water = rain + to_soil

        storage, lower = state["soil_moisture"], state["lower_zone"]
        recharge = water * recharge_share(clip(storage / p["FC"], 0.0, 1.0), water, p, hidden)
        storage = storage + (water - recharge)
        excess = clip(storage - p["FC"], 0.0, None)
        storage = storage - excess
        supply = clip(power(storage / (p["LP"] * p["FC"]), p["BETAET"]), 0.0, 1.0)
        evapotranspiration = minimum(storage, forcing["potential_evapotranspiration"] * supply)
        storage = storage - evapotranspiration
        rise = p["C"] * lower * (1.0 - clip(storage / p["FC"], None, 1.0))

        upper, lower, fluxes = response(state["upper_zone"], lower - rise, recharge + excess, p)
        new_state = {
            "snowpack": snowpack,
            "meltwater": meltwater,
            "soil_moisture": storage + rise,
            "upper_zone": upper,
            "lower_zone": lower,
        }
        fluxes |= {
            "evapotranspiration": evapotranspiration,
            "recharge": recharge + excess,
            "capillary_rise": rise,
            "snowmelt": melt,
        }
        return new_state, fluxes | stores(new_state)

    return Process(
        name="hbv_neural",
        source="Feng et al. 2022; Song et al. 2024",
        states=STATES,
        parameters=(*(p for p in PARAMETERS if p.name != "BETA"), BETAET, CAPILLARY, *weights(hidden)),
        forcings=FORCINGS,
        fluxes=FLUXES,
        step=step,
    )
