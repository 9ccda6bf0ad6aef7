"""Evapotranspiration of a canopy: Penman-Monteith, and scaling from leaf to canopy.

Penman-Monteith after Monteith (1965, Evaporation and environment, Symp. Soc. Exp. Biol. 19, 205-234), with the constants of
FAO-56 (Allen et al. 1998, equations 3, 8, 11 and 13):

    lambda E = (Delta R + rho c_p D g_a) / (Delta + gamma (1 + g_a / g_c))

lambda E latent heat and R available energy [W/m2], D vapour pressure deficit [kPa], Delta and gamma [kPa/K], g_a aerodynamic
and g_c canopy conductance [m/s]. The ratio is written without dividing by g_c, which is 0 where a canopy has no leaves.

The canopy is one big leaf: where nitrogen follows light down the canopy, every layer is a copy of the top leaf,
scaled by the light that reaches it (Sellers et al. 1992, doi:10.1016/0034-4257(92)90121-O). Assimilation and conductance of
the canopy are those of the top leaf times

    integral from 0 to L of exp(-k l) dl = (1 - exp(-k L)) / k

with leaf area index L and extinction k.
"""

from thalweg.processes.operations import clip, exp
from thalweg.processes.vegetation.photosynthesis import FREEZING, GAS_CONSTANT, leaf_fluxes, saturation_vapour_pressure

LATENT_HEAT = 2.45e6  # J/kg, of vaporisation
HEAT_CAPACITY = 1013.0  # J/kg/K, of moist air at constant pressure
DRY_AIR = 287.0  # J/kg/K
MOIST = 1.01  # virtual over actual temperature
WATER_RATIO = 0.622  # molecular weight of water vapour over that of dry air
KILOPASCAL = 1000.0  # Pa
SECONDS = 86400.0  # in a day

EXTINCTION = 0.5  # k, leaves at all angles
ABSORPTANCE = 0.85  # share of the light on a leaf that it absorbs


def saturation_slope(temperature):
    """Delta: how fast saturation vapour pressure rises with temperature, kPa/K, at degC (FAO-56, equation 13)."""
    return 4098.0 * saturation_vapour_pressure(temperature) / (temperature + 237.3) ** 2


def psychrometric_constant(pressure):
    """Gamma, kPa/K, at air pressure in kPa (FAO-56, equation 8)."""
    return HEAT_CAPACITY * pressure / (WATER_RATIO * LATENT_HEAT)


def latent_heat(energy, temperature, deficit, pressure, aerodynamic, canopy=None):
    """Latent heat of a canopy, W/m2.

    Args:
        energy: available energy: net radiation minus the ground heat flux, W/m2.
        temperature: of the air, degC.
        deficit: vapour pressure deficit of the air, kPa.
        pressure: of the air, kPa.
        aerodynamic: conductance from the leaves to the air above, m/s.
        canopy: conductance of all leaves' stomata, m/s, 0 or more; None where the leaves are wet.
    """
    density = KILOPASCAL * pressure / (DRY_AIR * MOIST * (temperature + FREEZING))
    slope, gamma = saturation_slope(temperature), psychrometric_constant(pressure)
    supply = slope * energy + density * HEAT_CAPACITY * deficit * aerodynamic
    if canopy is None:
        return supply / (slope + gamma)
    return supply * (canopy / ((slope + gamma) * canopy + gamma * aerodynamic))


def water_depth(latent_heat):
    """Latent heat in W/m2 as water, mm/day."""
    return latent_heat * SECONDS / LATENT_HEAT


def leaf_to_canopy(leaf_area_index):
    """Factor from a flux of the top leaf to that of the canopy: m2 of such leaves per m2 of ground."""
    return (1.0 - exp(-EXTINCTION * leaf_area_index)) / EXTINCTION


def velocity(conductance, temperature, pressure):
    """A conductance in mol m-2 s-1 in m/s, at air temperature in degC and pressure in kPa."""
    return conductance * GAS_CONSTANT * (temperature + FREEZING) / (KILOPASCAL * pressure)


def canopy_fluxes(parameters, leaf_area_index, light, energy, temperature, deficit, pressure, co2, stress):
    """Transpiration and uptake of a dry canopy; leaves have the temperature, CO2 and humidity of the air.

    Args:
        parameters: ``Vcmax25`` [umol m-2 s-1], ``g1`` [kPa**0.5], of the top leaf; ``aerodynamic_conductance`` [m/s].
        leaf_area_index: m2/m2.
        light: photosynthetically active, on the canopy, umol m-2 s-1.
        energy: available, W/m2.
        temperature: of the air, degC.
        deficit: vapour pressure deficit, kPa.
        pressure: kPa.
        co2: umol mol-1.
        stress: factor of Vcmax and of the residual conductance, 1 without water stress.

    Returns:
        dict: ``latent_heat`` [W/m2]; ``gross_uptake``, ``net_uptake`` of the leaves [umol m-2 s-1]; ``canopy_conductance``
        [m/s]; all per ground area.
    """
    absorbed = ABSORPTANCE * EXTINCTION * light
    leaf = leaf_fluxes(parameters, absorbed, temperature, pressure, co2, deficit, stress=stress)
    scale = leaf_to_canopy(leaf_area_index)
    conductance = velocity(leaf["stomatal_conductance"] * scale, temperature, pressure)
    aerodynamic = parameters["aerodynamic_conductance"]
    latent = latent_heat(clip(energy, 0.0, None), temperature, deficit, pressure, aerodynamic, conductance)
    return {
        "latent_heat": latent,
        "gross_uptake": (leaf["assimilation"] + leaf["respiration"]) * scale,
        "net_uptake": leaf["assimilation"] * scale,
        "canopy_conductance": conductance,
    }
