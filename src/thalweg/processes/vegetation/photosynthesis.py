"""Leaf photosynthesis: Farquhar, von Caemmerer & Berry (1980, doi:10.1007/BF00386231), coupled to stomata.

Assimilation is the smoothed minimum of the enzyme-limited and light-limited rates; C4 leaves after Collatz et al. (1992,
doi:10.1071/PP9920519). Constants and temperature responses are those of FATES as Aboelyazeed et al. (2023,
doi:10.5194/bg-20-2671-2023) made it differentiable, with one change: the Michaelis-Menten constants and the compensation
point are partial pressures, stated for the pressure at sea level, so that a leaf on a mountain has less CO2 for the same mole
fraction. Stomata after Medlyn et al. (2011, doi:10.1111/j.1365-2486.2010.02375.x) or Ball, Woodrow & Berry (1987).

Assimilation in umol m-2 s-1, conductance to water vapour in mol m-2 s-1, CO2 in umol mol-1, temperature of the leaf in degC,
pressure and vapour pressure deficit in kPa, light in umol m-2 s-1.
"""

import math
from functools import cache

from thalweg.processes.implicit import root
from thalweg.processes.operations import clip, exp, maximum, power, sqrt
from thalweg.processes.process import Parameter, Process, Variable

GAS_CONSTANT = 8.314462618  # J/mol/K
FREEZING = 273.15  # K
REFERENCE = 298.15  # K
SEA_LEVEL = 101.325  # kPa

KC25 = 404.9  # umol/mol, Michaelis-Menten constant of Rubisco for CO2
KO25 = 278.4  # mmol/mol, for O2
COMPENSATION25 = 42.75  # umol/mol, CO2 compensation point without respiration
OXYGEN = 209.0  # mmol/mol

# Activation energy, deactivation energy [J/mol], entropy [J/mol/K]; the first alone rises without a peak.
RESPONSES = {
    "Kc": (79430.0, None, None),
    "Ko": (36380.0, None, None),
    "compensation": (37830.0, None, None),
    "Vcmax": (65330.0, 149250.0, 485.0),
    "Jmax": (43540.0, 152040.0, 495.0),
    "Rd": (46390.0, 150650.0, 490.0),
}

JMAX_RATIO = 1.67  # Jmax25 / Vcmax25, where it is not learned
RD_RATIO = {"C3": 0.015, "C4": 0.025}  # Rd25 / Vcmax25, where it is not learned
KP_RATIO = 0.02  # C4: kp25 [mol/m2/s] / Vcmax25 [umol/m2/s], where it is not learned

CURVATURE_LIGHT = 0.7
CURVATURE = 0.999
NOT_PHOTOSYNTHETIC = 0.15  # share of absorbed light
QUANTUM_YIELD_C4 = 0.05  # mol CO2 per mol of absorbed light
STOMATA_RATIO, BOUNDARY_RATIO = 1.6, 1.4  # conductance to water vapour / to CO2
RESIDUAL_CONDUCTANCE = {"C3": 0.01, "C4": 0.04}  # g0, mol/m2/s, of a leaf without water stress
MIN_DEFICIT = 0.05  # kPa, in the stomatal functions
MIN_CO2 = 1.0  # umol/mol at the leaf's surface, in the stomatal functions
LEAK = 0.01  # share of the residual conductance left in a leaf without water, which bounds ci
TINY = 1e-20  # keeps the gradient of a square root finite at the compensation point
OPEN, CLOSED = -0.66, -2.55  # MPa, soil water potential at which stomata are fully open and closed

VCMAX25 = Parameter("Vcmax25", 3.0, 300.0, "umol/m**2/s", "maximum rate of carboxylation at 25 degC")
JMAX25 = Parameter("Jmax25", 5.0, 500.0, "umol/m**2/s", "maximum rate of electron transport at 25 degC")
RD25 = Parameter("Rd25", 0.01, 8.0, "umol/m**2/s", "respiration in the light at 25 degC")
KP25 = Parameter("kp25", 0.02, 5.0, "mol/m**2/s", "initial slope of the CO2 response of a C4 leaf at 25 degC")
G1 = {
    "medlyn": Parameter("g1", 0.2, 12.0, "kPa**0.5", "slope of stomatal conductance (Medlyn)"),
    "ball_berry": Parameter("g1", 1.0, 25.0, "dimensionless", "slope of stomatal conductance (Ball-Berry)"),
}
STRESS = Parameter("stress_exponent", 0.05, 5.0, "dimensionless", "B, exponent of the soil's water retention")

LEAF = (
    Variable("absorbed_light", "umol/m**2/s", "photosynthetically active light absorbed by the leaf"),
    Variable("leaf_temperature", "degC", "temperature of the leaf"),
    Variable("pressure", "kPa", "air pressure"),
)
GIVEN_CI = Variable("intercellular_co2", "umol/mol", "CO2 between the cells of the leaf")
SURFACE = (
    Variable("co2", "umol/mol", "CO2 at the leaf's surface"),
    Variable("vapour_pressure_deficit", "kPa", "between leaf and air"),
)
SOIL = Variable("soil_moisture_share", "dimensionless", "soil water, as a share of saturation")

FLUXES = (
    Variable("assimilation", "umol/m**2/s", "net uptake of CO2"),
    Variable("stomatal_conductance", "mol/m**2/s", "to water vapour"),
    Variable("intercellular_co2", "umol/mol", "CO2 between the cells of the leaf"),
    Variable("rubisco_limited", "umol/m**2/s", "enzyme-limited gross uptake"),
    Variable("light_limited", "umol/m**2/s", "light-limited gross uptake"),
    Variable("respiration", "umol/m**2/s", "dark respiration"),
)


def temperature_response(temperature, activation, deactivation=None, entropy=None):
    """Rate at a temperature relative to 25 degC: Arrhenius, with a peak if a deactivation energy is provided.

    Args:
        temperature: of the leaf, degC.
        activation, deactivation: J/mol.
        entropy: J/mol/K.
    """
    kelvin = temperature + FREEZING
    rise = exp(activation / (GAS_CONSTANT * REFERENCE) * (1.0 - REFERENCE / kelvin))
    if deactivation is None:
        return rise
    at_reference = 1.0 + math.exp((REFERENCE * entropy - deactivation) / (GAS_CONSTANT * REFERENCE))
    return rise * at_reference / (1.0 + exp((entropy * kelvin - deactivation) / (GAS_CONSTANT * kelvin)))


def rates(temperature, parameters, pathway="C3"):
    """Rates of a leaf at its temperature.

    Args:
        temperature: of the leaf, degC.
        parameters: ``Vcmax25`` and, if known or learned, ``Jmax25`` and ``Rd25``, umol m-2 s-1, and ``kp25``,
            mol m-2 s-1; without them they are JMAX_RATIO, RD_RATIO and KP_RATIO times ``Vcmax25``.
        pathway: ``"C3"`` or ``"C4"``.

    Returns:
        dict: ``Vcmax``, ``Rd`` [umol m-2 s-1]; C3: ``Jmax`` [umol m-2 s-1], ``Km`` and ``compensation`` [umol mol-1 at sea
        level]; C4: ``kp`` [mol m-2 s-1].
    """
    vcmax25 = parameters["Vcmax25"]
    jmax25 = parameters["Jmax25"] if "Jmax25" in parameters else JMAX_RATIO * vcmax25
    rd25 = parameters["Rd25"] if "Rd25" in parameters else RD_RATIO[pathway] * vcmax25
    if pathway == "C4":
        kp25 = parameters["kp25"] if "kp25" in parameters else KP_RATIO * vcmax25
        doubling = exp(0.1 * math.log(2.0) * (temperature - 25.0))
        cut = (1.0 + exp(0.2 * (15.0 - temperature))) * (1.0 + exp(0.3 * (temperature - 40.0)))
        return {
            "Vcmax": vcmax25 * doubling / cut,
            "Rd": rd25 * doubling / (1.0 + exp(1.3 * (temperature - 55.0))),
            "kp": kp25 * doubling,
        }
    response = {name: temperature_response(temperature, *values) for name, values in RESPONSES.items()}
    return {
        "Vcmax": vcmax25 * response["Vcmax"],
        "Jmax": jmax25 * response["Jmax"],
        "Rd": rd25 * response["Rd"],
        "Km": KC25 * response["Kc"] * (1.0 + OXYGEN / (KO25 * response["Ko"])),
        "compensation": COMPENSATION25 * response["compensation"],
    }


def smooth_minimum(a, b, curvature=CURVATURE):
    """The smaller root x of curvature x**2 - (a + b) x + a b = 0: the smaller of two rates, rounded where they meet."""
    difference = a - b
    discriminant = difference * difference + 4.0 * (1.0 - curvature) * a * b
    return (a + b - sqrt(discriminant + TINY)) / (2.0 * curvature)


def electron_transport(absorbed_light, jmax):
    """J, umol m-2 s-1, from absorbed light and Jmax, both in umol m-2 s-1."""
    return smooth_minimum(0.5 * (1.0 - NOT_PHOTOSYNTHETIC) * absorbed_light, jmax, CURVATURE_LIGHT)


def assimilation(ci, absorbed_light, leaf_temperature, pressure, parameters, pathway="C3", stress=1.0):
    """Net assimilation, umol m-2 s-1; see :func:`uptake`."""
    return uptake(ci, absorbed_light, leaf_temperature, pressure, parameters, pathway, stress)["assimilation"]


def uptake(ci, absorbed_light, leaf_temperature, pressure, parameters, pathway="C3", stress=1.0):
    """Uptake of CO2 at a given CO2 between the cells.

    Args:
        ci: umol mol-1.
        absorbed_light: umol m-2 s-1.
        leaf_temperature: degC.
        pressure: kPa.
        parameters: see :func:`rates`.
        pathway: ``"C3"`` or ``"C4"``.
        stress: factor of Vcmax, 1 without water stress.

    Returns:
        dict: ``assimilation``, net; ``rubisco_limited``, ``light_limited``, gross; ``respiration``, all umol m-2 s-1.
    """
    rate = rates(leaf_temperature, parameters, pathway)
    vcmax = rate["Vcmax"] * stress
    if pathway == "C4":
        rubisco = smooth_minimum(vcmax, rate["kp"] * ci)
        light = QUANTUM_YIELD_C4 * absorbed_light
    else:
        ci = ci * (pressure / SEA_LEVEL)
        above = ci - rate["compensation"]
        rubisco = vcmax * above / (ci + rate["Km"])
        transport = electron_transport(absorbed_light, rate["Jmax"])
        light = transport * above / (4.0 * ci + 8.0 * rate["compensation"])
    return {
        "assimilation": smooth_minimum(rubisco, light) - rate["Rd"],
        "rubisco_limited": rubisco,
        "light_limited": light,
        "respiration": rate["Rd"],
    }


def medlyn(net, co2, vapour_pressure_deficit, g0, g1):
    """Stomatal conductance g0 + 1.6 (1 + g1 / sqrt(D)) A / ca; g0 where uptake is not positive.

    Args:
        net: assimilation, umol m-2 s-1.
        co2: at the leaf's surface, umol mol-1.
        vapour_pressure_deficit: kPa; raised to at least MIN_DEFICIT.
        g0: mol m-2 s-1.
        g1: kPa**0.5.

    Returns:
        mol m-2 s-1 of water vapour.
    """
    deficit = clip(vapour_pressure_deficit, MIN_DEFICIT, None)
    return g0 + STOMATA_RATIO * (1.0 + g1 / sqrt(deficit)) * clip(net, 0.0, None) / co2


def ball_berry(net, co2, relative_humidity, g0, g1):
    """Stomatal conductance g0 + g1 h A / ca; g0 where uptake is not positive; see :func:`medlyn`.

    Args:
        relative_humidity: h, at the leaf's surface, dimensionless.
        g1: dimensionless.
    """
    return g0 + g1 * relative_humidity * clip(net, 0.0, None) / co2


def saturation_vapour_pressure(temperature):
    """kPa over water at a temperature in degC; Tetens' formula as in Allen et al. (1998), equation 11."""
    return 0.6108 * exp(17.27 * temperature / (temperature + 237.3))


def water_stress(soil_moisture_share, exponent):
    """Share of unstressed Vcmax and g0 that soil water allows, 0 to 1: linear in its potential between CLOSED and OPEN.

    Args:
        soil_moisture_share: soil water as a share of saturation, 0 to 1.
        exponent: B, of the retention curve psi = OPEN * share**-B.
    """
    share = clip(soil_moisture_share, 0.01, 1.0)
    potential = maximum(OPEN * power(share, -exponent), CLOSED + 0.0 * share)
    return clip((CLOSED - potential) / (CLOSED - OPEN), 0.0, 1.0)


def intercellular_co2(net_uptake, conductance, surface, co2, highest):
    """CO2 between the cells, at which diffusion balances uptake: an implicit root, ci = cs - 1.6 A / gs.

    Args:
        net_uptake: function of ci [umol mol-1] to net assimilation A [umol m-2 s-1], rising.
        conductance: function of A to stomatal conductance gs to water vapour [mol m-2 s-1].
        surface: function of A to CO2 at the leaf's surface cs [umol mol-1]; with a boundary layer cs = ca - 1.4 A / gb.
        co2: where the search begins, in the air or at the surface, umol mol-1.
        highest: ci of a leaf that respires alone, or where it neither gains nor loses, umol mol-1.

    Returns:
        umol mol-1.
    """

    def residual(ci):
        net = net_uptake(ci)
        return ci - surface(net) + STOMATA_RATIO * net / conductance(net)

    return root(residual, 0.7 * co2, 0.0, highest + 1.0)


def leaf_fluxes(
    parameters,
    absorbed_light,
    leaf_temperature,
    pressure,
    co2,
    vapour_pressure_deficit,
    pathway="C3",
    stomata="medlyn",
    stress=1.0,
    boundary_conductance=None,
):
    """Uptake and conductance of a leaf with coupled stomata.

    Args:
        parameters: see :func:`rates`, and ``g1``.
        absorbed_light: umol m-2 s-1.
        leaf_temperature: degC.
        pressure, vapour_pressure_deficit: kPa; the deficit between leaf and air.
        co2: umol mol-1; at the leaf's surface, or in the air if a boundary conductance is provided.
        pathway: ``"C3"`` or ``"C4"``.
        stomata: ``"medlyn"`` or ``"ball_berry"``.
        stress: factor of Vcmax and g0, 1 without water stress.
        boundary_conductance: of the leaf's boundary layer to water vapour, mol m-2 s-1.

    Returns:
        dict: the names of FLUXES.
    """
    g0 = RESIDUAL_CONDUCTANCE[pathway] * (LEAK + (1.0 - LEAK) * stress)

    def at(ci):
        return uptake(ci, absorbed_light, leaf_temperature, pressure, parameters, pathway, stress)

    def surface(net):
        return co2 if boundary_conductance is None else co2 - BOUNDARY_RATIO * net / boundary_conductance

    def conductance(net):
        at_surface = clip(surface(net), MIN_CO2, None)
        if stomata == "medlyn":
            return medlyn(net, at_surface, vapour_pressure_deficit, g0, parameters["g1"])
        humidity = clip(1.0 - vapour_pressure_deficit / saturation_vapour_pressure(leaf_temperature), 0.0, 1.0)
        return ball_berry(net, at_surface, humidity, g0, parameters["g1"])

    rate = rates(leaf_temperature, parameters, pathway)
    highest = surface(-rate["Rd"]) + STOMATA_RATIO * rate["Rd"] / g0
    if pathway == "C3":
        highest = maximum(highest, rate["compensation"] * SEA_LEVEL / pressure)
    ci = intercellular_co2(lambda ci: at(ci)["assimilation"], conductance, surface, co2, highest)
    fluxes = at(ci)
    return fluxes | {"stomatal_conductance": conductance(fluxes["assimilation"]), "intercellular_co2": ci}


@cache
def leaf(pathway="C3", stomata="medlyn", soil_water=False):
    """The process of one leaf, whose step is one measurement; it has no state.

    Args:
        pathway: ``"C3"`` or ``"C4"``, which has kp25 instead of Jmax25.
        stomata: ``"medlyn"`` or ``"ball_berry"``, with CO2 at the leaf's surface as forcing; ``"given_ci"``, with CO2
            between the cells as forcing, which leaves no stomata to learn.
        soil_water: Vcmax and g0 fall with soil water, by the exponent B.

    Returns:
        Process: assimilation in umol m-2 s-1 comes first among its fluxes.
    """

    def step(state, forcing, parameters):
        light, temperature, pressure = (forcing[variable.name] for variable in LEAF)
        stress = water_stress(forcing[SOIL.name], parameters[STRESS.name]) if soil_water else 1.0
        if stomata == "given_ci":
            return {}, uptake(forcing[GIVEN_CI.name], light, temperature, pressure, parameters, pathway, stress)
        co2, deficit = (forcing[variable.name] for variable in SURFACE)
        return {}, leaf_fluxes(parameters, light, temperature, pressure, co2, deficit, pathway, stomata, stress)

    given = stomata == "given_ci"
    learned = (VCMAX25, JMAX25, RD25) if pathway == "C3" else (VCMAX25, KP25, RD25)
    return Process(
        name=f"leaf_{pathway}_{stomata}",
        source="Farquhar et al. 1980; Aboelyazeed et al. 2023",
        states=(),
        parameters=learned + (() if given else (G1[stomata],)) + ((STRESS,) if soil_water else ()),
        forcings=LEAF + ((GIVEN_CI,) if given else SURFACE) + ((SOIL,) if soil_water else ()),
        fluxes=tuple(f for f in FLUXES if not given or f.name not in ("stomatal_conductance", "intercellular_co2")),
        step=step,
    )
