"""HBV: snow, soil, two response boxes (Bergström 1976; Seibert & Vis 2012), in the differentiable form.

The equations and their order follow Feng et al. (2022, doi:10.1029/2022WR032404) for HBV 1.0 and Song et al. (2024,
doi:10.5194/hess-28-3051-2024) for the capillary rise of HBV 1.1p. States in mm, fluxes in mm per step, a step of one day;
with a step of an hour the rates, which keep their unit per day, act for a twenty-fourth of it.
The partition of precipitation is a hard threshold, so TT has no gradient from it; melt and refreezing give it one.
Without a temperature there is no snow routine: all precipitation is rain.
"""

from dataclasses import replace
from functools import cache

from thalweg.processes.operations import clip, minimum, power, where
from thalweg.processes.process import Parameter, Process, State, Variable

EPSILON = 1e-5  # mm left in a store that a step would empty

STATES = (
    State("snowpack", 0.001, "mm", "snow, as water equivalent"),
    State("meltwater", 0.001, "mm", "liquid water held in the snow"),
    State("soil_moisture", 0.001, "mm", "soil water"),
    State("upper_zone", 0.001, "mm", "upper groundwater box"),
    State("lower_zone", 0.001, "mm", "lower groundwater box"),
)

FORCINGS = (
    Variable("precipitation", "mm/day", "precipitation"),
    Variable("temperature", "degC", "mean air temperature"),
    Variable("potential_evapotranspiration", "mm/day", "potential evapotranspiration"),
)

FLUXES = (
    Variable("runoff", "mm/day", "Q0 + Q1 + Q2"),
    Variable("evapotranspiration", "mm/day", "actual evapotranspiration"),
    Variable("quick_flow", "mm/day", "Q0, near-surface flow"),
    Variable("interflow", "mm/day", "Q1, flow of the upper zone"),
    Variable("baseflow", "mm/day", "Q2, flow of the lower zone"),
    Variable("recharge", "mm/day", "soil to upper zone"),
    Variable("percolation", "mm/day", "upper to lower zone"),
    Variable("capillary_rise", "mm/day", "lower zone to soil (0 in HBV 1.0)"),
    Variable("snowmelt", "mm/day", "melt of the snowpack"),
    Variable("snow_water_equivalent", "mm", "snow and the water held in it, at the end of the step"),
    Variable("water_storage", "mm", "water in all stores, at the end of the step"),
)
RATES = ("K0", "K1", "K2", "PERC", "CFMAX", "C")  # per day
STEPS_PER_DAY = {"day": 1, "hour": 24}

PARAMETERS = (
    Parameter("BETA", 1.0, 6.0, "dimensionless", "shape of the recharge function"),
    Parameter("FC", 50.0, 1000.0, "mm", "field capacity"),
    Parameter("K0", 0.05, 0.9, "1/day", "recession of near-surface flow"),
    Parameter("K1", 0.01, 0.5, "1/day", "recession of the upper zone"),
    Parameter("K2", 0.001, 0.2, "1/day", "recession of the lower zone"),
    Parameter("LP", 0.2, 1.0, "dimensionless", "soil moisture, as a share of FC, above which ET is potential"),
    Parameter("PERC", 0.0, 10.0, "mm/day", "maximum percolation"),
    Parameter("UZL", 0.0, 100.0, "mm", "upper-zone threshold of near-surface flow"),
    Parameter("TT", -2.5, 2.5, "degC", "threshold temperature of snow and melt"),
    Parameter("CFMAX", 0.5, 10.0, "mm/degC/day", "degree-day factor"),
    Parameter("CFR", 0.0, 0.1, "dimensionless", "refreezing factor"),
    Parameter("CWH", 0.0, 0.2, "dimensionless", "water-holding share of the snowpack"),
)

BETAET = Parameter("BETAET", 0.3, 5.0, "dimensionless", "shape of the evapotranspiration function")
SNOW_STATES = ("snowpack", "meltwater")
SNOW = (*SNOW_STATES, "TT", "CFMAX", "CFR", "CWH", "temperature", "snowmelt", "snow_water_equivalent")
CAPILLARY = Parameter("C", 0.0, 1.0, "1/day", "capillary rise from the lower zone (HBV 1.1p)")


def snow(state, forcing, parameters):
    """The snow routine: (snowpack, meltwater) at the end of the day in mm, (rain, to_soil, melt) in mm/day.

    Without a temperature all precipitation is rain, see :func:`without_snow`.
    """
    p = parameters
    snowpack, meltwater = state["snowpack"], state["meltwater"]
    if "temperature" not in forcing:
        return snowpack, meltwater, forcing["precipitation"], 0.0, 0.0
    precipitation, temperature = forcing["precipitation"], forcing["temperature"]
    rain = where(temperature >= p["TT"], precipitation, 0.0)
    snowpack = snowpack + (precipitation - rain)
    warmth = temperature - p["TT"]
    melt = minimum(clip(p["CFMAX"] * warmth, 0.0, None), snowpack)
    meltwater, snowpack = meltwater + melt, snowpack - melt
    refreezing = minimum(clip(p["CFR"] * p["CFMAX"] * (-warmth), 0.0, None), meltwater)
    snowpack, meltwater = snowpack + refreezing, meltwater - refreezing
    to_soil = clip(meltwater - p["CWH"] * snowpack, 0.0, None)
    return snowpack, meltwater - to_soil, rain, to_soil, melt


def without_snow(process):
    """A process with this snow routine for domains without temperature: all precipitation is rain, and there is no snow store."""

    def kept(variables):
        return tuple(one for one in variables if one.name not in SNOW)

    def step(state, forcing, parameters):
        results = process.step({**state, **dict.fromkeys(SNOW_STATES, 0.0)}, forcing, parameters)
        return tuple({name: value for name, value in result.items() if name not in SNOW} for result in results)

    parts = {part: kept(getattr(process, part)) for part in ("states", "parameters", "forcings", "fluxes")}
    return replace(process, step=step, **parts)


def soil(storage, lower, water, evapotranspiration, parameters, capillary_rise=True):
    """The soil routine.

    Args:
        storage, lower: soil moisture and lower zone at its beginning, mm.
        water: rain and melt that reach the soil, mm/day.
        evapotranspiration: function of the soil moisture after recharge, mm, to the evapotranspiration, mm/day.
        parameters: of HBV.
        capillary_rise: as in :func:`hbv`.

    Returns:
        (soil moisture, lower zone) at its end in mm, (recharge, evapotranspiration, capillary rise) in mm/day.
    """
    p = parameters
    wetness = clip(power(storage / p["FC"], p["BETA"]), 0.0, 1.0)
    recharge = water * wetness
    storage = storage + (water - recharge)
    excess = clip(storage - p["FC"], 0.0, None)
    storage = storage - excess
    drawn = minimum(storage, evapotranspiration(storage))
    storage = clip(storage - drawn, EPSILON, None)
    if capillary_rise:
        deficit = 1.0 - clip(storage / p["FC"], None, 1.0)
        rise = minimum(lower, p["C"] * lower * deficit)
        storage = clip(storage + rise, EPSILON, None)
        lower = clip(lower - rise, EPSILON, None)
    else:
        rise = 0.0 * lower
    return storage, lower, recharge + excess, drawn, rise


def response(upper, lower, recharge, parameters):
    """The response routine: (upper zone, lower zone) at the end of the day in mm, its fluxes in mm/day by name."""
    p = parameters
    upper = upper + recharge
    percolation = minimum(upper, p["PERC"])
    upper = upper - percolation
    quick_flow = p["K0"] * clip(upper - p["UZL"], 0.0, None)
    upper = upper - quick_flow
    interflow = p["K1"] * upper
    upper = upper - interflow
    lower = lower + percolation
    baseflow = p["K2"] * lower
    lower = lower - baseflow
    return (
        upper,
        lower,
        {
            "runoff": quick_flow + interflow + baseflow,
            "quick_flow": quick_flow,
            "interflow": interflow,
            "baseflow": baseflow,
            "percolation": percolation,
        },
    )


def stores(state):
    """Snow water equivalent and the water in all stores, mm, of a state."""
    snow_water = state["snowpack"] + state["meltwater"]
    ground = state["soil_moisture"] + state["upper_zone"] + state["lower_zone"]
    return {"snow_water_equivalent": snow_water, "water_storage": snow_water + ground}


@cache
def hbv(capillary_rise=True, shaped_evapotranspiration=True, time_step="day", snow_routine=True):
    """The HBV process.

    Args:
        capillary_rise: HBV 1.1p, water rises from the lower zone to a soil in deficit; False is HBV 1.0.
        shaped_evapotranspiration: learn the exponent BETAET; False fixes it at 1, the classical 12-parameter HBV.
        time_step: ``"day"`` or ``"hour"``.
        snow_routine: False where there is no temperature.

    Returns:
        Process: states in mm, fluxes in mm per step.

    Raises:
        ValueError: for any other time step.
    """
    if time_step not in STEPS_PER_DAY:
        raise ValueError(
            f"hbv runs with a step of {' or '.join(STEPS_PER_DAY)}, not {time_step}, which is too long for its storages; "
            "choose a process with that step, or supply daily forcing"
        )
    steps = STEPS_PER_DAY[time_step]

    def step(state, forcing, parameters):
        p = parameters
        if steps > 1:
            p = {name: value / steps if name in RATES else value for name, value in parameters.items()}
        snowpack, meltwater, rain, to_soil, melt = snow(state, forcing, p)

        def evapotranspiration(storage):
            supply = storage / (p["LP"] * p["FC"])
            if shaped_evapotranspiration:
                supply = power(supply, p["BETAET"])
            return forcing["potential_evapotranspiration"] * clip(supply, 0.0, 1.0)

        storage, lower, recharge, drawn, rise = soil(
            state["soil_moisture"], state["lower_zone"], rain + to_soil, evapotranspiration, p, capillary_rise
        )
        upper, lower, fluxes = response(state["upper_zone"], lower, recharge, p)
        new_state = {
            "snowpack": snowpack,
            "meltwater": meltwater,
            "soil_moisture": storage,
            "upper_zone": upper,
            "lower_zone": lower,
        }
        fluxes |= {
            "evapotranspiration": drawn,
            "recharge": recharge,
            "capillary_rise": rise,
            "snowmelt": melt,
            **stores(new_state),
        }
        return new_state, fluxes

    parameters = PARAMETERS
    if shaped_evapotranspiration:
        parameters += (BETAET,)
    if capillary_rise:
        parameters += (CAPILLARY,)
    process = Process(
        name="hbv",
        source="Feng et al. 2022; Song et al. 2024",
        states=STATES,
        parameters=parameters,
        forcings=_of_step(FORCINGS, time_step),
        fluxes=_of_step(FLUXES, time_step),
        step=step,
    )
    return process if snow_routine else without_snow(process)


def _of_step(variables, time_step):
    """Variables whose depths per day are depths per step."""
    return tuple(replace(one, unit=one.unit.replace("mm/day", f"mm/{time_step}")) for one in variables)
