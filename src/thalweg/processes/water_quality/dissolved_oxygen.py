"""Dissolved oxygen of a stream: reaeration against demand, photosynthesis and respiration.

Saturation is that of Benson & Krause (1984, doi:10.4319/lo.1984.29.3.0620) with the correction for pressure of the Standard
Methods (4500-O) and of the U.S. Geological Survey (2011, technical memorandum 2011.03),

    C(P) = C(1 atm) (P - u) (1 - theta P) / ((1 - u) (1 - theta)),    theta = 0.000975 - 1.426e-5 t + 6.436e-8 t^2

with u the vapour pressure in atm and t in degC; reaeration that of Owens et al. (1964), O'Connor & Dobbins (1958) and Churchill et al. (1962), each where it was
measured (Covar 1976) and blended where their ranges meet; depth H and velocity U are powers of discharge (Leopold &
Maddock 1953). Demand follows Streeter & Phelps (1925), metabolism Odum (1956). With B the biochemical oxygen demand and all
temperatures that of the water,

    dB/dt = l U / Q - k_d B
    dO/dt = k_2 (O_s - O) - k_d B + (GPP - ER - SOD) / H

where l, a constant load per length of river, is specified as l U / Q at mean discharge.

The model follows a parcel of water in a river that is uniform over a day's travel upstream: it begins the
day as the water at the site ended the day before. Within the day the coefficients are constant and the solution is exact. Where
there is no oxygen left, demand takes only what comes in.
"""

import math
from functools import cache

from thalweg.processes.operations import TINY, clip, exp, log, power
from thalweg.processes.process import Parameter, Process, State, Variable
from thalweg.processes.water_quality.load import in_chain, mean_decay, mean_rise

MIN_FLOW = 0.01  # of the mean discharge; with less a stream is a row of pools, no shallower
OVERLAP = 0.15  # of the logarithm of depth, within which one formula of reaeration gives way to the next

STATES = (
    State("oxygen", 10.0, "mg/l", "dissolved oxygen at the end of the day"),
    State("biochemical_oxygen_demand", 2.0, "mg/l", "ultimate biochemical oxygen demand at the end of the day"),
)

PARAMETERS = (
    Parameter("elevation", -400.0, 5000.0, "m", "elevation of the site, which sets the pressure"),
    Parameter("mean_discharge", 0.001, 200000.0, "m3/s", "mean discharge at the site"),
    Parameter("depth_coefficient", 0.05, 1.5, "m", "depth at 1 m3/s"),
    Parameter("depth_exponent", 0.1, 0.6, "dimensionless", "of discharge in depth"),
    Parameter("velocity_coefficient", 0.02, 1.0, "m/s", "velocity at 1 m3/s"),
    Parameter("velocity_exponent", 0.1, 0.6, "dimensionless", "of discharge in velocity"),
    Parameter("demand_supply", 0.0, 5.0, "mg/l/day", "oxygen demand that comes in along the river at mean discharge"),
    Parameter("demand_decay", 0.02, 1.5, "1/day", "decay of the oxygen demand at 20 degC"),
    Parameter("sediment_demand", 0.0, 5.0, "g/m**2/day", "oxygen demand of the bed at 20 degC"),
    Parameter(
        "photosynthesis_efficiency", 0.0, 0.1, "g/m**2/day/(W/m**2)", "oxygen produced per unit of light at low light"
    ),
    Parameter("greatest_photosynthesis", 1.0, 30.0, "g/m**2/day", "oxygen production at saturating light"),
    Parameter("respiration", 0.0, 15.0, "g/m**2/day", "respiration of the ecosystem at 20 degC"),
)

FORCINGS = (
    Variable("water_temperature", "degC", "water temperature"),
    Variable("discharge", "m3/s", "discharge"),
    Variable("shortwave_radiation", "W/m2", "solar radiation at the water, daily mean"),
)

FLUXES = (
    Variable("dissolved_oxygen", "mg/l", "mean of the day"),
    Variable("oxygen_saturation", "mg/l", "saturation at the day's temperature"),
    Variable("reaeration", "mg/l/day", "from the air, negative to it"),
    Variable("oxygen_demand", "mg/l/day", "taken by the decay of the demand in the water and by the bed"),
    Variable("photosynthesis", "mg/l/day", "gross primary production"),
    Variable("respiration", "mg/l/day", "respiration of the ecosystem, met"),
)


def saturation(temperature, pressure):
    """Saturation of oxygen in fresh water, mg/l.

    Args:
        temperature: of the water, degC, 0 to 40.
        pressure: atm.
    """
    kelvin = temperature + 273.15
    at_one = exp(
        -139.34411 + 1.575701e5 / kelvin - 6.642308e7 / kelvin**2 + 1.243800e10 / kelvin**3 - 8.621949e11 / kelvin**4
    )
    vapour = exp(11.8571 - 3840.70 / kelvin - 216961.0 / kelvin**2)  # atm
    theta = 0.000975 - 1.426e-5 * temperature + 6.436e-8 * temperature**2  # 1/atm, of the second virial coefficient
    return at_one * (pressure - vapour) * (1.0 - theta * pressure) / ((1.0 - vapour) * (1.0 - theta))


def pressure(elevation):
    """Pressure of the standard atmosphere, atm; elevation in m."""
    return power(1.0 - 2.25577e-5 * elevation, 5.25588)


def reaeration_rate(velocity, depth):
    """k_2 at 20 degC, 1/day; velocity in m/s, depth in m."""
    owens_gibbs = 5.32 * power(velocity, 0.67) / power(depth, 1.85)
    connor_dobbins = 3.93 * power(velocity, 0.5) / power(depth, 1.5)
    churchill = 5.026 * velocity / power(depth, 1.67)
    shallow = _share_below(depth / 0.61)
    fast = _share_below(depth / (3.45 * power(velocity, 2.5)))
    return shallow * owens_gibbs + (1.0 - shallow) * (fast * churchill + (1.0 - fast) * connor_dobbins)


def _share_below(ratio):
    """1 where the ratio is well below 1, 0 well above."""
    return 1.0 / (1.0 + exp(clip(log(ratio) / OVERLAP, -40.0, 40.0)))


def _warmed(theta, temperature):
    """theta^(T - 20)."""
    return exp(math.log(theta) * (temperature - 20.0))


@cache
def dissolved_oxygen():
    """The process at one site, a step of one day.

    Returns:
        Process: states and concentrations in mg/l, rates in mg/l/day.
    """

    def rates(forcing, p):
        temperature = clip(forcing["water_temperature"], 0.0, 40.0)
        relative = clip(forcing["discharge"] / p["mean_discharge"], MIN_FLOW, None)
        discharge = relative * p["mean_discharge"]
        depth = p["depth_coefficient"] * power(discharge, p["depth_exponent"])
        velocity = p["velocity_coefficient"] * power(discharge, p["velocity_exponent"])
        maximum = p["greatest_photosynthesis"]
        light = clip(forcing["shortwave_radiation"], 0.0, None)
        return {
            "saturation": saturation(temperature, pressure(p["elevation"])),
            "reaeration": reaeration_rate(velocity, depth) * _warmed(1.024, temperature),
            "decay": p["demand_decay"] * _warmed(1.047, temperature),
            "supply": p["demand_supply"] / power(relative, 1.0 - p["velocity_exponent"]),
            "sediment": p["sediment_demand"] * _warmed(1.08, temperature) / depth,
            "respiration": p["respiration"] * _warmed(1.045, temperature) / depth,
            "photosynthesis": maximum * (1.0 - exp(-p["photosynthesis_efficiency"] * light / maximum)) / depth,
        }

    def step(state, forcing, parameters):
        r = rates(forcing, parameters)
        before, demand_before = state["oxygen"], state["biochemical_oxygen_demand"]
        k2, decay, supply = r["reaeration"], r["decay"], r["supply"]

        demand = demand_before * exp(-decay) + supply * mean_decay(decay)
        decayed = decay * (demand_before * mean_decay(decay) + supply * mean_rise(decay))
        taken = decayed + r["sediment"] + r["respiration"]
        deficit = (
            (r["saturation"] - before) * exp(-k2)
            + (supply + r["sediment"] + r["respiration"] - r["photosynthesis"]) * mean_decay(k2)
            + (decay * demand_before - supply) * in_chain(decay, k2)
        )
        unbounded = r["saturation"] - deficit
        unbounded_mean = r["saturation"] - (unbounded - before + taken - r["photosynthesis"]) / k2
        oxygen, mean = clip(unbounded, 0.0, None), clip(unbounded_mean, 0.0, None)
        unmet = (oxygen - unbounded) + k2 * (mean - unbounded_mean)
        met = 1.0 - unmet / clip(taken, TINY, None)
        demand = demand + (1.0 - met) * decayed
        new_state = {"oxygen": oxygen, "biochemical_oxygen_demand": demand}
        fluxes = {
            "dissolved_oxygen": mean,
            "oxygen_saturation": r["saturation"],
            "reaeration": k2 * (r["saturation"] - mean),
            "oxygen_demand": met * (decayed + r["sediment"]),
            "photosynthesis": r["photosynthesis"],
            "respiration": met * r["respiration"],
        }
        return new_state, fluxes

    def rest(forcing, parameters):
        r = rates(forcing, parameters)
        taken = r["supply"] + r["sediment"] + r["respiration"] - r["photosynthesis"]
        return {
            "oxygen": clip(r["saturation"] - taken / r["reaeration"], 0.0, None),
            "biochemical_oxygen_demand": r["supply"] / r["decay"],
        }

    return Process(
        name="dissolved_oxygen",
        source="Streeter & Phelps 1925; Odum 1956; Covar 1976",
        states=STATES,
        parameters=PARAMETERS,
        forcings=FORCINGS,
        fluxes=FLUXES,
        step=step,
        rest=rest,
    )
