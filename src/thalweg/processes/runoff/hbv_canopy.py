"""HBV whose evapotranspiration is that of a canopy: photosynthesis opens the stomata, Penman-Monteith takes the water.

Snow, soil and response are those of HBV 1.1p (:mod:`thalweg.processes.runoff.hbv`); instead of potential evapotranspiration times a
function of soil moisture there are

- transpiration, Penman-Monteith (:mod:`thalweg.processes.vegetation.penman_monteith`) with the conductance of leaves whose Vcmax falls
  with the soil water of the morning (:mod:`thalweg.processes.vegetation.photosynthesis`);
- evaporation of intercepted rain, up to the Penman-Monteith rate of a wet canopy; while they are wet they do not
  transpire (Rutter et al. 1971, doi:10.1016/0002-1571(71)90034-3, for a day);
- phenology of deciduous and evergreen leaves from the temperature of the last weeks.

The step is a day; leaves are active in daylight, with means over the day length. States in mm, fluxes in mm/day.
"""

from dataclasses import replace
from functools import cache

from thalweg.processes.operations import clip, exp, minimum
from thalweg.processes.process import Parameter, Process, State, Variable
from thalweg.processes.runoff.hbv import CAPILLARY, FLUXES, PARAMETERS, STATES, response, snow, soil, stores
from thalweg.processes.vegetation.penman_monteith import canopy_fluxes, latent_heat, water_depth
from thalweg.processes.vegetation.photosynthesis import STRESS, water_stress

HOURS = 24.0
PRESSURE = 97.0  # kPa, of the air at about 360 m
CO2 = 380.0  # umol/mol
LIGHT = 2.05  # umol of photosynthetically active light per J of shortwave radiation
ALBEDO = 0.23  # assumed in the given net radiation
MEMORY = 21.0  # days, memory of buds and leaves for temperature
SPREAD = 1.5  # K, over which they open and fall
MIN_EVAPORATION = 0.01  # mm/day, of a wet canopy
CARBON = 12.011e-6 * 3600.0  # g m-2 hour-1 of C in a umol m-2 s-1

WARMTH = State("warmth", 0.0, "degC", "air temperature of the last weeks")

FORCINGS = (
    Variable("precipitation", "mm/day", "precipitation"),
    Variable("temperature", "degC", "mean air temperature"),
    Variable("net_radiation", "W/m**2", "net radiation, mean of the day"),
    Variable("shortwave_radiation", "W/m**2", "solar radiation at the ground, mean of the day"),
    Variable("vapour_pressure_deficit", "kPa", "vapour pressure deficit of the air"),
    Variable("day_length", "hour", "time from sunrise to sunset"),
)

CANOPY = (
    Parameter("Vcmax25", 20.0, 150.0, "umol/m**2/s", "maximum rate of carboxylation at 25 degC, of the top leaf"),
    Parameter("g1", 0.5, 8.0, "kPa**0.5", "slope of stomatal conductance (Medlyn)"),
    Parameter("leaf_area_index", 0.5, 8.0, "dimensionless", "in full leaf"),
    Parameter("evergreen_share", 0.0, 1.0, "dimensionless", "share of the leaves active in winter"),
    Parameter(
        "leaf_out", -2.0, 14.0, "degC", "temperature of the last weeks at which half of the other leaves are out"
    ),
    Parameter("aerodynamic_conductance", 0.005, 0.1, "m/s", "from the leaves to the air", logarithmic=True),
    Parameter("interception", 0.02, 0.6, "mm", "rain that a leaf area index of 1 holds in a day"),
    replace(STRESS, high=2.0, meaning="B, stress of leaves by soil moisture below field capacity"),
)

CANOPY_FLUXES = (
    Variable("transpiration", "mm/day", "water taken up from the soil by plants"),
    Variable("interception_loss", "mm/day", "rain that evaporates from leaves"),
    Variable("gross_uptake", "g/m**2/day", "carbon fixed by leaves"),
    Variable("net_uptake", "g/m**2/day", "carbon fixed by leaves minus their respiration in daylight"),
    Variable("canopy_conductance", "m/s", "of all leaves' stomata, in daylight"),
)


def active_leaves(warmth, parameters):
    """Active leaf area index, from the air temperature of the last weeks in degC and the parameters of CANOPY."""
    p = parameters
    out = 1.0 / (1.0 + exp((p["leaf_out"] - warmth) / SPREAD))
    return p["leaf_area_index"] * (p["evergreen_share"] + (1.0 - p["evergreen_share"]) * out)


@cache
def hbv_canopy():
    """The process; water balances close, interception included.

    Returns:
        Process: states in mm and degC, fluxes in mm/day, carbon in g m-2 day-1.
    """

    def step(state, forcing, parameters):
        p = parameters
        snowpack, meltwater, rain, to_soil, melt = snow(state, forcing, p)
        temperature, deficit = forcing["temperature"], forcing["vapour_pressure_deficit"]

        # Leaves and light
        warmth = state["warmth"] + (temperature - state["warmth"]) / MEMORY
        leaf_area_index = active_leaves(warmth, p)
        hours = clip(forcing["day_length"], 1.0, HOURS)
        shortwave = forcing["shortwave_radiation"] * HOURS / hours
        energy = forcing["net_radiation"] + (1.0 - ALBEDO) * (shortwave - forcing["shortwave_radiation"])
        energy = clip(energy, 0.0, None)

        # Canopy
        wet = latent_heat(energy, temperature, deficit, PRESSURE, p["aerodynamic_conductance"])
        wet = clip(water_depth(wet) * hours / HOURS, MIN_EVAPORATION, None)
        interception = minimum(rain, minimum(p["interception"] * leaf_area_index, wet))
        co2 = CO2 + 0.0 * temperature
        stress = water_stress(state["soil_moisture"] / p["FC"], p["stress_exponent"])
        canopy = canopy_fluxes(
            p, leaf_area_index, LIGHT * shortwave, energy, temperature, deficit, PRESSURE, co2, stress
        )
        demand = water_depth(canopy["latent_heat"]) * hours / HOURS * (1.0 - interception / wet)

        water = rain - interception + to_soil
        storage, lower, recharge, transpiration, rise = soil(
            state["soil_moisture"], state["lower_zone"], water, lambda storage: demand, p
        )
        upper, lower, fluxes = response(state["upper_zone"], lower, recharge, p)
        new_state = {
            "snowpack": snowpack,
            "meltwater": meltwater,
            "soil_moisture": storage,
            "upper_zone": upper,
            "lower_zone": lower,
            "warmth": warmth,
        }
        fluxes |= {
            "evapotranspiration": interception + transpiration,
            "recharge": recharge,
            "capillary_rise": rise,
            "snowmelt": melt,
            "transpiration": transpiration,
            "interception_loss": interception,
            "gross_uptake": canopy["gross_uptake"] * hours * CARBON,
            "net_uptake": canopy["net_uptake"] * hours * CARBON,
            "canopy_conductance": canopy["canopy_conductance"],
        }
        return new_state, fluxes | stores(new_state)

    return Process(
        name="hbv_canopy",
        source="Song et al. 2024; Monteith 1965; Aboelyazeed et al. 2023",
        states=(*STATES, WARMTH),
        parameters=(*(p for p in PARAMETERS if p.name != "LP"), CAPILLARY, *CANOPY),
        forcings=FORCINGS,
        fluxes=(*FLUXES, *CANOPY_FLUXES),
        step=step,
    )
