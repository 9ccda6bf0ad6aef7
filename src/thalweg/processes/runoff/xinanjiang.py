"""Xinanjiang with a degree-day snow store.

Runoff follows a double parabolic curve (Jayawardena & Zhou 2000, doi:10.1016/S0022-1694(99)00173-0): tension water
fills unevenly over the catchment, and two branches of the curve meet where it fills the share 0.5 - a of its capacity.
A free-water store then parts runoff into surface flow, interflow and groundwater (Zhao 1992,
doi:10.1016/0022-1694(92)90096-E). Parameters are those of Knoben et al. (2019, doi:10.5194/gmd-12-2463-2019), with b of
at least 0.1 and ex of at least 1, below which the curves' slopes are infinite at a full store. Rain and melt come from the snow
routine of :mod:`thalweg.processes.runoff.hbv`. A day goes from store to store downwards; what is above a store's capacity runs
off. States in mm, fluxes in mm/day, a step of one day.
"""

from functools import cache

from thalweg.processes.operations import clip, maximum, minimum, power, where
from thalweg.processes.process import Parameter, Process, State, Variable
from thalweg.processes.runoff.hbv import FORCINGS, snow
from thalweg.processes.runoff.hbv import PARAMETERS as HBV_PARAMETERS
from thalweg.processes.runoff.hbv import STATES as HBV_STATES

STATES = (
    *HBV_STATES[:2],  # snow
    State("tension_water", 0.001, "mm", "W, soil water that only evaporation takes"),
    State("free_water", 0.001, "mm", "S, soil water that drains"),
    State("interflow_store", 0.001, "mm", "SI, interflow on its way"),
    State("groundwater", 0.001, "mm", "SG, groundwater"),
)

PARAMETERS = (
    Parameter("aim", 0.0, 1.0, "dimensionless", "impervious share of the catchment"),
    Parameter(
        "a", -0.49, 0.49, "dimensionless", "place of the inflection of the runoff curve, 0.5 - a of the capacity"
    ),
    Parameter("b", 0.1, 10.0, "dimensionless", "exponent of the runoff curve", logarithmic=True),
    Parameter("stot", 20.0, 2000.0, "mm", "capacity for tension and free water", logarithmic=True),
    Parameter("fwm", 0.01, 0.99, "dimensionless", "share of stot that is tension water"),
    Parameter("flm", 0.01, 0.99, "dimensionless", "share of the tension water above which ET is potential"),
    Parameter("c", 0.01, 0.99, "dimensionless", "minimum share of potential ET"),
    Parameter("ex", 1.0, 10.0, "dimensionless", "exponent of the free-water curve", logarithmic=True),
    Parameter("ki", 0.0, 1.0, "1/day", "rate from free water to interflow"),
    Parameter("kg", 0.0, 1.0, "1/day", "rate from free water to groundwater"),
    Parameter("ci", 0.0, 1.0, "1/day", "recession of interflow"),
    Parameter("cg", 0.0, 1.0, "1/day", "recession of groundwater"),
    *HBV_PARAMETERS[-4:],  # snow
)

FLUXES = (
    Variable("runoff", "mm/day", "surface flow, interflow and baseflow"),
    Variable("evapotranspiration", "mm/day", "actual evapotranspiration"),
    Variable("baseflow", "mm/day", "QG, flow of the groundwater"),
    Variable("interflow", "mm/day", "QI, flow of the interflow store"),
    Variable("surface_flow", "mm/day", "QS, from the impervious share and water that does not enter free water"),
    Variable("recharge", "mm/day", "RG, free water to groundwater"),
    Variable("snowmelt", "mm/day", "melt of the snowpack"),
)


def runoff_share(share, a, b):
    """Share of the water that runs off where tension water fills ``share`` (0 to 1) of its capacity."""
    low = 0.5 - a
    is_low = share <= low
    curve = power(where(is_low, share / low, (1.0 - share) / (1.0 - low)), b)
    return where(is_low, low * curve, 1.0 - (1.0 - low) * curve)


def free_share(share, ex):
    """Share of the area where free water reaches the top, where it fills ``share`` (0 to 1) of its capacity."""
    return 1.0 - power(1.0 - share, ex)


@cache
def xinanjiang():
    """The process.

    Returns:
        Process: states in mm, fluxes in mm/day.
    """

    def step(state, forcing, parameters):
        p = parameters
        snowpack, meltwater, rain, to_soil, melt = snow(state, forcing, p)
        water = rain + to_soil
        impervious = p["aim"] * water
        water = water - impervious
        tension_capacity = p["fwm"] * p["stot"]
        free_capacity = p["stot"] - tension_capacity

        # Tension water
        tension, potential = state["tension_water"], forcing["potential_evapotranspiration"]
        runoff = water * runoff_share(clip(tension / tension_capacity, 0.0, 1.0), p["a"], p["b"])
        tension = tension + (water - runoff)
        above = clip(tension - tension_capacity, 0.0, None)
        tension, runoff = tension - above, runoff + above
        supply = maximum(clip(tension / (p["flm"] * tension_capacity), None, 1.0), p["c"])
        evapotranspiration = minimum(tension, potential * supply)
        tension = tension - evapotranspiration

        # Free water
        free = state["free_water"]
        surface = runoff * free_share(clip(free / free_capacity, 0.0, 1.0), p["ex"])
        free = free + (runoff - surface)
        above = clip(free - free_capacity, 0.0, None)
        free, surface = free - above, surface + above
        area = free_share(clip(free / free_capacity, 0.0, 1.0), p["ex"])
        to_interflow = p["ki"] * free * area
        free = free - to_interflow
        recharge = p["kg"] * free * area
        free = free - recharge

        interflow_store = state["interflow_store"] + to_interflow
        interflow = p["ci"] * interflow_store
        groundwater = state["groundwater"] + recharge
        baseflow = p["cg"] * groundwater
        surface_flow = impervious + surface
        new_state = {
            "snowpack": snowpack,
            "meltwater": meltwater,
            "tension_water": tension,
            "free_water": free,
            "interflow_store": interflow_store - interflow,
            "groundwater": groundwater - baseflow,
        }
        fluxes = {
            "runoff": surface_flow + interflow + baseflow,
            "evapotranspiration": evapotranspiration,
            "baseflow": baseflow,
            "interflow": interflow,
            "surface_flow": surface_flow,
            "recharge": recharge,
            "snowmelt": melt,
        }
        return new_state, fluxes

    return Process(
        name="xinanjiang",
        source="Jayawardena & Zhou 2000; Zhao 1992",
        states=STATES,
        parameters=PARAMETERS,
        forcings=FORCINGS,
        fluxes=FLUXES,
        step=step,
    )
