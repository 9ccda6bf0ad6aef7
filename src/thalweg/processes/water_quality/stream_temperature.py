"""Stream temperature: three source waters, then a reach in the open, after SNTEMP (Theurer et al. 1984) as Rahmani et al.
(2023, doi:10.1029/2023WR034420) made it differentiable.

The heat that a square metre of water at temperature T (degC) loses minus what it gains, in W/m2, is

    H(T) = A (T + 273.16)^4 - C T^2 + B T - D

with back radiation in A, evaporation E (m/s) and convection (its Bowen ratio) in B, C and D, conduction to the bed in B and D,
and short wave, long wave of sky and riparian vegetation and friction in D. H(Te) = 0 at the equilibrium temperature Te; around
it H = K1 (T - Te) - K2 (T - Te)^2. A reach of width W and length L with inflow Q0 at T0 and lateral inflow q per metre at Tl
is, in steady state (Theurer),

    b = q + K1 W / (rho c)        Te' = (q Tl + K1 W / (rho c) Te) / b        r = (1 + q L / Q0)^(-b / q)
    T = Te' - (Te' - T0) r / (1 + K2 / K1 (Te' - T0) (1 - r))

Three things differ from the released code: the budget is that of the real air temperature, friction is counted, and what
hides the sky radiates, vegetation and terrain alike. Three are added, which a river needs beyond a brook: a depth of water
that stores heat, through which the reach follows its steady temperature, inflow spread along the reach, and trees that are
bare in the cold season.
"""

from functools import cache
from typing import Any, NamedTuple

from thalweg.processes.implicit import root
from thalweg.processes.operations import clip, exp, log, maximum, power, sqrt, where
from thalweg.processes.process import Parameter, Process, State, Variable
from thalweg.processes.water_quality import flow_paths

KELVIN = 273.16
BACK_RADIATION = 5.4e-8  # W/m2/K4: A, 0.9526 of the constant of Stefan and Boltzmann
EMISSIVITY = 0.9526  # of what hides the sky
STEFAN_BOLTZMANN = 5.67e-8  # W/m2/K4
HEAT_CAPACITY = 1000.0 * 4184.0  # J/m3/K: rho c
LATENT_HEAT = 2495e6  # J/m3, at 0 degC
LATENT_SLOPE = 2.36e6  # J/m3/K
WEIGHT = 9805.0  # N/m3
BED_CONDUCTION = 1.65  # W/m2/K: conductivity 1.65 W/m/K over a metre
SMALLEST_DEFICIT = 0.1  # hPa, of vapour pressure
SMALLEST_DISCHARGE = 1e-6  # m3/s
SMALLEST_DEPTH = 0.001  # m
SMALLEST_WIDTH = 0.2  # m
FREEZING_RANGE = 0.2  # degC, over which water stops cooling
BARE, IN_LEAF = 5.0, 15.0  # degC of the soil at which trees have no leaves, and all of them
SECONDS = 86400.0
METRES = 1.0 / (1000.0 * SECONDS)  # m/s in a mm/day
LOG_10 = 2.302585092994046


class HeatBudget(NamedTuple):
    """Terms that determine the heat budget of open water, in W/m2 unless said otherwise; tensors or symbols."""

    shortwave: Any
    longwave_in: Any
    friction: Any
    evaporation: Any  # m/s
    bowen: Any  # 1/K: convection per evaporative heat and degree
    air_temperature: Any  # degC
    bed_temperature: Any  # degC

    @property
    def coefficients(self):
        """B, C and D of H(T) = A (T + 273.16)^4 - C T^2 + B T - D."""
        evaporation, bowen, air = self.evaporation, self.bowen, self.air_temperature
        b = evaporation * (bowen * (LATENT_HEAT + LATENT_SLOPE * air) - LATENT_SLOPE) + BED_CONDUCTION
        c = evaporation * bowen * LATENT_SLOPE
        d = self.shortwave + self.longwave_in + self.friction
        d = d + LATENT_HEAT * evaporation * (bowen * air - 1.0) + BED_CONDUCTION * self.bed_temperature
        return b, c, d

    def terms(self, temperature):
        """Each term at a water temperature, W/m2 into the water: dict by name. Their sum is -H."""
        latent = self.evaporation * (LATENT_HEAT - LATENT_SLOPE * temperature)
        return {
            "shortwave": self.shortwave,
            "longwave_in": self.longwave_in,
            "longwave_out": -BACK_RADIATION * (temperature + KELVIN) ** 4,
            "evaporation": -latent,
            "convection": -self.bowen * latent * (temperature - self.air_temperature),
            "bed_conduction": -BED_CONDUCTION * (temperature - self.bed_temperature),
            "friction": self.friction,
        }

    def loss(self, temperature):
        """H, the net heat that leaves water of this temperature, W/m2."""
        b, c, d = self.coefficients
        return BACK_RADIATION * (temperature + KELVIN) ** 4 - c * temperature * temperature + b * temperature - d


def saturation_vapour_pressure(temperature):
    """Over water, hPa, for degC (Magnus)."""
    return 6.108 * exp(17.26939 * temperature / (237.3 + temperature))


def heat_budget(
    air_temperature,
    vapour_pressure,
    shortwave_radiation,
    evaporation,
    cloudiness,
    riparian_shade,
    topographic_shade,
    albedo,
    elevation,
    bed_temperature,
    friction,
):
    """The heat budget of open water under a weather and a shade.

    Args:
        air_temperature, bed_temperature: degC.
        vapour_pressure: of the air, hPa.
        shortwave_radiation: at the ground above any shade, W/m2.
        evaporation: of the water, mm/day.
        cloudiness: share of the sky, 0 to 1.
        riparian_shade, topographic_shade: shares of the sky that vegetation hides, and terrain of the rest.
        albedo: of the water.
        elevation: m.
        friction: heat of the falling water, W/m2.

    Returns:
        HeatBudget
    """
    kelvin4 = (air_temperature + KELVIN) ** 4
    open_sky = (1.0 - riparian_shade) * (1.0 - topographic_shade)
    pressure = 1013.0 - 0.1055 * elevation
    deficit = maximum(saturation_vapour_pressure(air_temperature) - vapour_pressure, SMALLEST_DEFICIT)
    sky = (3.354939e-8 + 2.74995e-9 * sqrt(vapour_pressure)) * (1.0 + 0.17 * cloudiness * cloudiness) * kelvin4
    return HeatBudget(
        shortwave=(1.0 - albedo) * open_sky * shortwave_radiation,
        longwave_in=open_sky * sky + EMISSIVITY * STEFAN_BOLTZMANN * (1.0 - open_sky) * kelvin4,
        friction=friction,
        evaporation=evaporation * METRES,
        bowen=0.00061 * pressure / deficit,
        air_temperature=air_temperature,
        bed_temperature=bed_temperature,
    )


def equilibrium_temperature(budget):
    """Te in degC, at which a :class:`HeatBudget` has no net heat; it may be below 0. The gradient is implicit.

    H rises everywhere, and from 0 degC on by more than 4 W/m2 a degree by back radiation alone, which bounds Te.
    """
    _, _, gain = budget.coefficients
    return root(budget.loss, budget.air_temperature, -KELVIN, 0.25 * clip(gain, 0.0, None))


def thermal_exchange(budget, equilibrium, temperature):
    """K1 (W/m2/K) and K2 (W/m2/K2) with H = K1 (T - Te) - K2 (T - Te)^2 at ``temperature``, exactly.

    K2 = (K1 (T - Te) - H(T)) / (T - Te)^2 of Theurer, with the division done, so that it holds at T = Te.
    """
    b, c, _ = budget.coefficients
    kelvin, away = equilibrium + KELVIN, temperature - equilibrium
    first = 4.0 * BACK_RADIATION * kelvin**3 - 2.0 * c * equilibrium + b
    second = c - BACK_RADIATION * (6.0 * kelvin * kelvin + 4.0 * kelvin * away + away * away)
    return first, second


def reach_temperature(
    inflow_temperature, lateral_temperature, equilibrium, first, second, inflow, lateral_inflow, width, length
):
    """Temperature at the end of a steady reach, degC (Theurer).

    Args:
        inflow_temperature, lateral_temperature, equilibrium: T0, Tl and Te, degC.
        first, second: K1 (W/m2/K) and K2 (W/m2/K2); 0 for K2 is the first-order solution.
        inflow: Q0 at the upstream end, m3/s; at 0 the reach has the temperature Te'.
        lateral_inflow: q, m2/s; the solution is continuous at 0.
        width, length: m.
    """
    inflow = maximum(inflow, SMALLEST_DISCHARGE)
    exchange = first * width / HEAT_CAPACITY
    b = lateral_inflow + exchange
    mixed = (lateral_inflow * lateral_temperature + exchange * equilibrium) / b
    growth = lateral_inflow * length / inflow
    little = growth < 1e-3
    logarithm = where(
        little, 1.0 - growth * (0.5 - growth * (1.0 / 3.0 - 0.25 * growth)), log(1.0 + growth) / maximum(growth, 1e-3)
    )
    remaining = exp(-b * length / inflow * logarithm)
    away = mixed - inflow_temperature
    return mixed - away * remaining / (1.0 + second / first * away * (1.0 - remaining))


def above_freezing(temperature):
    """The temperature, kept above 0 degC smoothly: (T + sqrt(T^2 + s^2)) / 2 with s = 0.2 degC."""
    return 0.5 * (temperature + sqrt(temperature * temperature + FREEZING_RANGE * FREEZING_RANGE))


STATES = (
    State("surface_anomaly", 0.0, "delta_degC", "air temperature of the last days, minus its mean"),
    State("soil_anomaly", 0.0, "delta_degC", "air temperature of the last weeks, minus its mean"),
    State("subsurface_anomaly", 0.0, "delta_degC", "the soil's anomaly, delayed once more: a gamma-shaped window"),
    State("groundwater_anomaly", 0.0, "delta_degC", "air temperature of the last seasons, minus its mean"),
    State("stored_temperature", 10.0, "degC", "water of the reach"),
    *flow_paths.STATES,
)

PARAMETERS = (
    *flow_paths.PARAMETERS,
    Parameter("surface_window", 1.0, 15.0, "day", "memory of surface runoff for air temperature"),
    Parameter("subsurface_window", 5.0, 60.0, "day", "memory of each of the two stores of subsurface flow"),
    Parameter("groundwater_window", 100.0, 1000.0, "day", "memory of groundwater for air temperature"),
    Parameter(
        "catchment_offset",
        -8.0,
        3.0,
        "delta_degC",
        "air temperature at the source of surface and subsurface water minus local",
    ),
    Parameter(
        "groundwater_offset",
        -4.0,
        7.0,
        "delta_degC",
        "groundwater temperature minus its running mean of air temperature",
    ),
    Parameter("riparian_shade", 0.001, 0.95, "dimensionless", "share of the sky hidden by vegetation"),
    Parameter("bare_share", 0.0, 1.0, "dimensionless", "share of the riparian shade that falls with the leaves"),
    Parameter("topographic_shade", 0.001, 0.8, "dimensionless", "share of the rest hidden by terrain"),
    Parameter("albedo", 0.06, 0.1, "dimensionless", "of the water"),
    Parameter("cloudiness", 0.0, 1.0, "dimensionless", "mean share of the sky under cloud"),
    Parameter("evaporation_factor", 0.0, 2.0, "dimensionless", "evaporation of the water per potential"),
    Parameter("width_coefficient", 1.0, 25.0, "m", "width at 1 m3/s"),
    Parameter("width_exponent", 0.01, 0.6, "dimensionless", "growth of width with discharge"),
    Parameter(
        "exposure", -1.0, 3.0, "dimensionless", "log10 of the length in km over which the water is open to the sky"
    ),
    Parameter(
        "storage_depth", -2.3, 1.3, "dimensionless", "log10 of the depth in m of water that stores heat, at 1 m3/s"
    ),
    Parameter("depth_exponent", 0.0, 0.6, "dimensionless", "growth of that depth with discharge"),
    Parameter("lateral_share", 0.0, 0.99, "dimensionless", "share of discharge that joins along the reach"),
    Parameter("mean_air_temperature", -10.0, 30.0, "degC", "initial value of the running means"),
    Parameter("elevation", -100.0, 5000.0, "m", "of the site"),
    Parameter("slope", 1e-5, 0.02, "dimensionless", "of the channel"),
)

FORCINGS = (
    Variable("air_temperature", "degC", "mean of the day"),
    Variable("discharge", "m3/s", "mean of the day"),
    Variable("shortwave_radiation", "W/m2", "at the ground, without the clouds that are learned, mean of the day"),
    Variable("vapour_pressure", "hPa", "of the air"),
    Variable("potential_evapotranspiration", "mm/day", "potential evapotranspiration"),
)

FLUXES = (
    Variable("water_temperature", "degC", "of the water at the site"),
    Variable("equilibrium_temperature", "degC", "of open water under the day's weather"),
    Variable("inflow_temperature", "degC", "of the three source waters, mixed"),
    Variable("surface_temperature", "degC", "of surface runoff"),
    Variable("subsurface_temperature", "degC", "of subsurface flow"),
    Variable("groundwater_temperature", "degC", "of groundwater"),
    Variable("shortwave", "W/m2", "short wave into the water"),
    Variable("longwave_in", "W/m2", "long wave of sky and vegetation"),
    Variable("longwave_out", "W/m2", "back radiation"),
    Variable("evaporation", "W/m2", "latent heat"),
    Variable("convection", "W/m2", "sensible heat"),
    Variable("bed_conduction", "W/m2", "from the bed"),
    Variable("friction", "W/m2", "of the falling water"),
)


@cache
def stream_temperature():
    """The process, for the water at one site, with a step of one day.

    Returns:
        Process: states in degC and m3/s, first flux ``water_temperature`` in degC, terms of the heat budget at this
        temperature in W/m2 into the water.
    """

    def step(state, forcing, parameters):
        p = parameters
        air, discharge = forcing["air_temperature"], forcing["discharge"]
        flows, flow_state = flow_paths.split(discharge, state, p)

        # Source waters: air temperature, remembered
        anomaly = air - p["mean_air_temperature"]
        surface = state["surface_anomaly"] + (anomaly - state["surface_anomaly"]) / p["surface_window"]
        soil = state["soil_anomaly"] + (anomaly - state["soil_anomaly"]) / p["subsurface_window"]
        subsurface = state["subsurface_anomaly"] + (soil - state["subsurface_anomaly"]) / p["subsurface_window"]
        groundwater = state["groundwater_anomaly"] + (anomaly - state["groundwater_anomaly"]) / p["groundwater_window"]
        mean = p["mean_air_temperature"]
        sources = (
            above_freezing(mean + surface + p["catchment_offset"]),
            above_freezing(mean + subsurface + p["catchment_offset"]),
            above_freezing(mean + groundwater + p["groundwater_offset"]),
        )
        heat = sum(flow * temperature for flow, temperature in zip(flows, sources))
        inflow_temperature = (heat + SMALLEST_DISCHARGE * sources[2]) / (discharge + SMALLEST_DISCHARGE)

        # The reach, steady under the day's weather
        flow = discharge + SMALLEST_DISCHARGE
        width = p["width_coefficient"] * power(flow, p["width_exponent"]) + SMALLEST_WIDTH
        length = 1000.0 * exp(LOG_10 * p["exposure"])
        leaves = clip((mean + soil - BARE) / (IN_LEAF - BARE), 0.0, 1.0)
        budget = heat_budget(
            air,
            forcing["vapour_pressure"],
            forcing["shortwave_radiation"] * (1.0 - 0.65 * p["cloudiness"] * p["cloudiness"]),
            forcing["potential_evapotranspiration"] * p["evaporation_factor"],
            p["cloudiness"],
            p["riparian_shade"] * (1.0 - p["bare_share"] * (1.0 - leaves)),
            p["topographic_shade"],
            p["albedo"],
            p["elevation"],
            bed_temperature=sources[2],
            friction=WEIGHT * discharge * p["slope"] / width,
        )
        equilibrium = equilibrium_temperature(budget)
        first, second = thermal_exchange(budget, equilibrium, inflow_temperature)
        steady = reach_temperature(
            inflow_temperature,
            inflow_temperature,
            equilibrium,
            first,
            second,
            (1.0 - p["lateral_share"]) * flow,
            p["lateral_share"] * flow / length,
            width,
            length,
        )

        # The heat that the reach holds
        depth = exp(LOG_10 * p["storage_depth"]) * power(flow, p["depth_exponent"]) + SMALLEST_DEPTH
        rate = (first / HEAT_CAPACITY + flow / (width * length)) / depth
        kept = exp(-SECONDS * rate)
        stored = above_freezing(steady + (state["stored_temperature"] - steady) * kept)

        new_state = {
            "surface_anomaly": surface,
            "soil_anomaly": soil,
            "subsurface_anomaly": subsurface,
            "groundwater_anomaly": groundwater,
            "stored_temperature": stored,
            **flow_state,
        }
        fluxes = {
            "water_temperature": stored,
            "equilibrium_temperature": equilibrium,
            "inflow_temperature": inflow_temperature,
            "surface_temperature": sources[0],
            "subsurface_temperature": sources[1],
            "groundwater_temperature": sources[2],
            **budget.terms(stored),
        }
        return new_state, fluxes

    return Process(
        name="stream_temperature",
        source="Theurer et al. 1984; Rahmani et al. 2023",
        states=STATES,
        parameters=PARAMETERS,
        forcings=FORCINGS,
        fluxes=FLUXES,
        step=step,
    )
