"""SAC-SMA, the Sacramento soil moisture accounting, with a degree-day snow store (Burnash et al. 1973; Burnash 1995).

Tension and free water in an upper and a lower zone, with the eleven parameters of Knoben et al. (2019,
doi:10.5194/gmd-12-2463-2019): all capacities are shares of one. Rain and melt come from the snow routine of
:mod:`thalweg.processes.runoff.hbv`. Percolation follows the demand of the lower zone,

    (Pbase + (L - Pbase) (D / L)^(1 + rexp)) UZF / UZFWM,    Pbase = LZFPM klzp + LZFSM klzs

with L the capacity and D the deficit of the lower zone; this is Pbase (1 + zperc ...) with zperc = (L - Pbase) / Pbase,
so that the demand of an empty lower zone is its capacity. A day goes: outflow of the lower zone, rain and melt,
percolation, surface flow and interflow, evapotranspiration, exchange of tension and free water. Percolation takes one
Newton step towards the deficit of the day's end, since the demand is stiff, and fits into the deficit that the outflow
has widened. States in mm, fluxes in mm/day, a step of one day.
"""

from functools import cache

from thalweg.processes.operations import TINY, clip, maximum, minimum, power
from thalweg.processes.process import Parameter, Process, State, Variable
from thalweg.processes.runoff.hbv import FORCINGS, snow
from thalweg.processes.runoff.hbv import PARAMETERS as HBV_PARAMETERS
from thalweg.processes.runoff.hbv import STATES as HBV_STATES

STATES = (
    *HBV_STATES[:2],  # snow
    State("upper_tension", 0.001, "mm", "UZTW, upper-zone tension water"),
    State("upper_free", 0.001, "mm", "UZFW, upper-zone free water"),
    State("lower_tension", 0.001, "mm", "LZTW, lower-zone tension water"),
    State("lower_primary", 0.001, "mm", "LZFP, lower-zone primary free water"),
    State("lower_supplementary", 0.001, "mm", "LZFS, lower-zone supplementary free water"),
)

PARAMETERS = (
    Parameter("pctim", 0.0, 1.0, "dimensionless", "impervious share of the catchment"),
    Parameter("smax", 20.0, 2000.0, "mm", "capacity of all stores", logarithmic=True),
    Parameter("f1", 0.005, 0.995, "dimensionless", "share of smax that is upper tension water"),
    Parameter("f2", 0.005, 0.995, "dimensionless", "share of the rest that is upper free water"),
    Parameter("f3", 0.005, 0.995, "dimensionless", "share of the lower zone that is tension water"),
    Parameter("f4", 0.005, 0.995, "dimensionless", "share of the lower free water that is primary"),
    Parameter("kuz", 0.0, 1.0, "1/day", "recession of upper free water"),
    Parameter("rexp", 0.0, 7.0, "dimensionless", "exponent of percolation, minus 1"),
    Parameter("pfree", 0.0, 1.0, "dimensionless", "share of percolation that goes directly to free water"),
    Parameter("klzp", 0.0, 1.0, "1/day", "recession of primary free water"),
    Parameter("klzs", 0.0, 1.0, "1/day", "recession of supplementary free water"),
    *HBV_PARAMETERS[-4:],  # snow
)

FLUXES = (
    Variable("runoff", "mm/day", "surface flow, interflow and baseflow"),
    Variable("evapotranspiration", "mm/day", "actual evapotranspiration"),
    Variable("baseflow", "mm/day", "flow of primary and supplementary free water"),
    Variable("interflow", "mm/day", "flow of upper free water"),
    Variable("surface_flow", "mm/day", "from the impervious share and a full upper zone"),
    Variable("percolation", "mm/day", "upper to lower zone"),
    Variable("snowmelt", "mm/day", "melt of the snowpack"),
)


def capacities(p):
    """Capacities in mm: upper tension and free water; lower tension, primary and supplementary free water."""
    upper_tension = p["f1"] * p["smax"]
    rest = p["smax"] - upper_tension
    upper_free = p["f2"] * rest
    lower = rest - upper_free
    lower_tension = p["f3"] * lower
    lower_free = lower - lower_tension
    primary = p["f4"] * lower_free
    return upper_tension, upper_free, lower_tension, primary, lower_free - primary


def percolation_demand(deficit, capacity, base, rexp):
    """Percolation demand of the lower zone at a full upper zone, mm/day, for its deficit in mm, and the slope; ``base`` is Pbase."""
    share = deficit / capacity
    reserve = (capacity - base) * power(share, rexp)
    return base + reserve * share, (1.0 + rexp) * reserve / capacity


def distribute(percolation, deficits, pfree):
    """Percolation of at most the sum of the deficits (tension, primary, supplementary; mm) into these three.

    The share ``pfree`` goes to the free stores, to each by its deficit, the rest to tension water, as far as they fit.
    """
    tension, primary, supplementary = deficits
    free = minimum(maximum(pfree * percolation, percolation - tension), primary + supplementary)
    to_primary = free * primary / (primary + supplementary + TINY)
    return percolation - free, to_primary, free - to_primary


@cache
def sac_sma():
    """The process.

    Returns:
        Process: states in mm, fluxes in mm/day.
    """

    def step(state, forcing, parameters):
        p = parameters
        snowpack, meltwater, rain, to_soil, melt = snow(state, forcing, p)
        water = rain + to_soil
        impervious = p["pctim"] * water
        UZTWM, UZFWM, LZTWM, LZFPM, LZFSM = capacities(p)
        LZFM = LZFPM + LZFSM
        LZM = LZTWM + LZFM

        # Outflow of the lower zone
        lower_tension, primary, supplementary = (
            state[name] for name in ("lower_tension", "lower_primary", "lower_supplementary")
        )
        deficit = clip(LZM - (lower_tension + primary + supplementary), 0.0, None)
        baseflow_primary, baseflow_supplementary = p["klzp"] * primary, p["klzs"] * supplementary
        primary, supplementary = primary - baseflow_primary, supplementary - baseflow_supplementary

        # Rain and melt, percolation, outflow of the upper zone
        upper_tension = state["upper_tension"] + (water - impervious)
        above = clip(upper_tension - UZTWM, 0.0, None)
        upper_tension = upper_tension - above
        upper_free = state["upper_free"] + above
        demand, slope = percolation_demand(deficit, LZM, p["klzp"] * LZFPM + p["klzs"] * LZFSM, p["rexp"])
        demand = demand / (1.0 + slope * clip(upper_free / UZFWM, None, 1.0))
        deficits = tuple(
            clip(capacity - storage, 0.0, None)
            for capacity, storage in ((LZTWM, lower_tension), (LZFPM, primary), (LZFSM, supplementary))
        )
        percolation = upper_free * clip(demand / maximum(upper_free, UZFWM), None, 1.0)
        percolation = minimum(percolation, deficits[0] + deficits[1] + deficits[2])
        upper_free = upper_free - percolation
        to_tension, to_primary, to_supplementary = distribute(percolation, deficits, p["pfree"])
        lower_tension = lower_tension + to_tension
        primary, supplementary = primary + to_primary, supplementary + to_supplementary
        above = clip(upper_free - UZFWM, 0.0, None)
        upper_free = upper_free - above
        interflow = p["kuz"] * upper_free
        upper_free = upper_free - interflow

        # Evapotranspiration
        demand = forcing["potential_evapotranspiration"]
        from_tension = upper_tension * clip(demand / UZTWM, None, 1.0)
        from_free = minimum(upper_free, demand - from_tension)
        demand = demand - from_tension - from_free
        from_lower = lower_tension * clip(demand / maximum(lower_tension, LZTWM), None, 1.0)
        upper_tension, upper_free = upper_tension - from_tension, upper_free - from_free
        lower_tension = lower_tension - from_lower

        # Free water moves to tension water until both are filled alike
        moved = clip((upper_free * UZTWM - upper_tension * UZFWM) / (UZTWM + UZFWM), 0.0, None)
        upper_tension, upper_free = upper_tension + moved, upper_free - moved
        free = primary + supplementary
        moved = clip((free * LZTWM - lower_tension * LZFM) / LZM, 0.0, None)
        share = moved / (free + TINY)
        from_primary, from_supplementary = share * primary, share * supplementary
        lower_tension = lower_tension + from_primary + from_supplementary
        primary, supplementary = primary - from_primary, supplementary - from_supplementary

        surface_flow = impervious + above
        baseflow = baseflow_primary + baseflow_supplementary
        new_state = {
            "snowpack": snowpack,
            "meltwater": meltwater,
            "upper_tension": upper_tension,
            "upper_free": upper_free,
            "lower_tension": lower_tension,
            "lower_primary": primary,
            "lower_supplementary": supplementary,
        }
        fluxes = {
            "runoff": surface_flow + interflow + baseflow,
            "evapotranspiration": from_tension + from_free + from_lower,
            "baseflow": baseflow,
            "interflow": interflow,
            "surface_flow": surface_flow,
            "percolation": percolation,
            "snowmelt": melt,
        }
        return new_state, fluxes

    return Process(
        name="sac_sma",
        source="Burnash et al. 1973; Knoben et al. 2019",
        states=STATES,
        parameters=PARAMETERS,
        forcings=FORCINGS,
        fluxes=FLUXES,
        step=step,
    )
