"""A catchment as in PRMS, the Precipitation-Runoff Modeling System (Leavesley et al. 1983, doi:10.3133/wri834238).

Seven stores and eighteen parameters, in the lumped form of Knoben et al. (2019, doi:10.5194/gmd-12-2463-2019): snow by
degree-days, interception, an impervious share with its own storage, a soil of two zones whose upper one sets the
contributing area, a subsurface reservoir and groundwater. A day goes from store to store downwards; evapotranspiration
is met from top to bottom, by each soil zone in proportion to its storage. The subsurface reservoir is stiff: its
outflow k3 S + k4 S^2 is taken at the end of the day (backward Euler, a quadratic equation), and its drainage by one
Newton step towards it. States in mm, fluxes in mm/day, a step of one day.

The groundwater sink leaves the catchment. It is a flux:

    P = E + Q + sink + change of the states
"""

from functools import cache

from thalweg.processes.operations import TINY, clip, minimum, power, sqrt, where
from thalweg.processes.process import Parameter, Process, State, Variable
from thalweg.processes.runoff.hbv import FORCINGS

STATES = (
    State("snowpack", 0.001, "mm", "snow, as water equivalent"),
    State("interception", 0.001, "mm", "water held by leaves"),
    State("impervious_store", 0.001, "mm", "water held by the impervious share"),
    State("recharge_zone", 0.001, "mm", "RECHR, upper zone of the soil"),
    State("lower_soil", 0.001, "mm", "SMAV, lower zone of the soil"),
    State("subsurface_store", 0.001, "mm", "RES, subsurface reservoir"),
    State("groundwater", 0.001, "mm", "GW, groundwater reservoir"),
)

PARAMETERS = (
    Parameter("tt", -3.0, 5.0, "degC", "threshold temperature of snow and melt"),
    Parameter("ddf", 0.0, 20.0, "mm/degC/day", "degree-day factor"),
    Parameter("alpha", 0.0, 1.0, "dimensionless", "share of rain on the pervious area that leaves intercept"),
    Parameter("beta", 0.0, 1.0, "dimensionless", "pervious share of the catchment"),
    Parameter("stor", 0.0, 5.0, "mm", "capacity of interception"),
    Parameter("retip", 0.0, 50.0, "mm", "capacity of the impervious store"),
    Parameter("fscn", 0.0, 1.0, "dimensionless", "minimum contributing share, as a share of scx"),
    Parameter("scx", 0.0, 1.0, "dimensionless", "maximum contributing share of the pervious area"),
    Parameter("flz", 0.005, 0.995, "dimensionless", "share of stot in the lower zone of the soil"),
    Parameter("stot", 20.0, 2000.0, "mm", "capacity of the soil", logarithmic=True),
    Parameter("cgw", 0.0, 20.0, "mm/day", "maximum direct recharge of groundwater"),
    Parameter("resmax", 1.0, 300.0, "mm", "storage at which the subsurface store drains k1", logarithmic=True),
    Parameter("k1", 0.0, 1.0, "mm/day", "drainage of the subsurface store to groundwater"),
    Parameter("k2", 1.0, 5.0, "dimensionless", "exponent of that drainage"),
    Parameter("k3", 0.0, 1.0, "1/day", "recession of subsurface flow, linear"),
    Parameter("k4", 0.0, 1.0, "1/mm/day", "recession of subsurface flow, quadratic"),
    Parameter("k5", 0.0, 1.0, "1/day", "recession of groundwater"),
    Parameter("k6", 0.0, 1.0, "1/day", "rate of the groundwater sink"),
)

FLUXES = (
    Variable("runoff", "mm/day", "surface flow, subsurface flow and baseflow"),
    Variable("evapotranspiration", "mm/day", "actual evapotranspiration, interception included"),
    Variable("baseflow", "mm/day", "BAS, flow of the groundwater"),
    Variable("interflow", "mm/day", "RAS, flow of the subsurface store"),
    Variable("surface_flow", "mm/day", "SAS + SRO, from the impervious share and the contributing area"),
    Variable("sink", "mm/day", "SNK, groundwater that leaves the catchment below ground"),
    Variable("recharge", "mm/day", "SEP + GAD, to groundwater"),
    Variable("snowmelt", "mm/day", "melt of the snowpack"),
)


def quadratic_outflow(storage, k3, k4):
    """Outflow over a day, mm/day, of a store in mm that drains k3 S + k4 S**2 at its end."""
    linear = 1.0 + k3
    return storage - 2.0 * storage / (linear + sqrt(linear * linear + 4.0 * k4 * storage))


def newton_outflow(storage, rate, exponent):
    """Outflow over a day, mm/day, of a store in mm that drains ``rate`` mm/day, a power of its storage.

    One Newton step of backward Euler from the morning's storage: never more than the storage, and stable for any rate.
    """
    return rate * storage / (storage + exponent * rate + TINY)


@cache
def prms():
    """The process.

    Returns:
        Process: states in mm, fluxes in mm/day.
    """

    def step(state, forcing, parameters):
        p = parameters
        precipitation, warmth = forcing["precipitation"], forcing["temperature"] - p["tt"]
        upper_capacity = (1.0 - p["flz"]) * p["stot"]
        lower_capacity = p["flz"] * p["stot"]

        # Snow
        rain = where(warmth > 0.0, precipitation, 0.0)
        snowpack = state["snowpack"] + (precipitation - rain)
        melt = minimum(snowpack, p["ddf"] * clip(warmth, 0.0, None))
        snowpack = snowpack - melt

        # Leaves and impervious area
        demand = forcing["potential_evapotranspiration"]
        pervious_rain, pervious_melt = p["beta"] * rain, p["beta"] * melt
        caught = p["alpha"] * pervious_rain
        interception = state["interception"] + caught
        throughfall = clip(interception - p["stor"], 0.0, None)
        interception = interception - throughfall
        interception_loss = minimum(interception, p["beta"] * demand)
        impervious = state["impervious_store"] + ((rain - pervious_rain) + (melt - pervious_melt))
        overflow = clip(impervious - p["retip"], 0.0, None)
        impervious = impervious - overflow
        impervious_loss = minimum(impervious, (1.0 - p["beta"]) * demand)
        demand = demand - interception_loss - impervious_loss

        # Soil
        upper, lower = state["recharge_zone"], state["lower_soil"]
        water = pervious_melt + (pervious_rain - caught) + throughfall
        contributing = p["scx"] * (p["fscn"] + (1.0 - p["fscn"]) * clip(upper / upper_capacity, 0.0, 1.0))
        saturation_excess = contributing * water
        upper = upper + (water - saturation_excess)
        drained = clip(upper - upper_capacity, 0.0, None)
        upper = upper - drained
        upper_loss = upper * clip(demand / upper_capacity, None, 1.0)
        upper, demand = upper - upper_loss, demand - upper_loss
        lower = lower + drained
        excess = clip(lower - lower_capacity, 0.0, None)
        lower = lower - excess
        lower_loss = lower * clip(demand / lower_capacity, None, 1.0)

        # Subsurface store and groundwater
        seepage = minimum(p["cgw"], excess)
        subsurface = state["subsurface_store"] + (excess - seepage)
        interflow = quadratic_outflow(subsurface, p["k3"], p["k4"])
        subsurface = subsurface - interflow
        drainage = newton_outflow(subsurface, p["k1"] * power(subsurface / p["resmax"], p["k2"]), p["k2"])
        groundwater = state["groundwater"] + seepage + drainage
        baseflow = p["k5"] * groundwater
        groundwater = groundwater - baseflow
        sink = p["k6"] * groundwater
        surface_flow = overflow + saturation_excess
        new_state = {
            "snowpack": snowpack,
            "interception": interception - interception_loss,
            "impervious_store": impervious - impervious_loss,
            "recharge_zone": upper,
            "lower_soil": lower - lower_loss,
            "subsurface_store": subsurface - drainage,
            "groundwater": groundwater - sink,
        }
        fluxes = {
            "runoff": surface_flow + interflow + baseflow,
            "evapotranspiration": interception_loss + impervious_loss + upper_loss + lower_loss,
            "baseflow": baseflow,
            "interflow": interflow,
            "surface_flow": surface_flow,
            "sink": sink,
            "recharge": seepage + drainage,
            "snowmelt": melt,
        }
        return new_state, fluxes

    return Process(
        name="prms",
        source="Leavesley et al. 1983; Knoben et al. 2019",
        states=STATES,
        parameters=PARAMETERS,
        forcings=FORCINGS,
        fluxes=FLUXES,
        step=step,
    )
