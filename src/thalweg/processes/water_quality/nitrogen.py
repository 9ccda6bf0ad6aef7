"""Nitrate and ammonium in a stream: stores of a catchment by flow path, wastewater, and loss on the way.

Three stores hold nitrate, of surface soil, subsurface and groundwater, each well mixed in a volume of water V that leaves
with the flow q of its path (:mod:`thalweg.processes.water_quality.flow_paths`); rates are r = k f(T) f(w), after BioRT-Flux-PIHM (Zhi et al.
2022, doi:10.5194/gmd-15-315-2022):

    dN/dt = I f_s - k f_l N - (q / V) N,    f = Q10^((T - 10) / 10) (2 w / (1 + w))^beta,    I = C (k V + q_mean)

so that C is the concentration under mean conditions. T and w are running means of air temperature and of discharge over its
mean; groundwater depends on neither (f = 1). The supply of the two soil stores is mineralised to ammonium first and then
nitrified. The loss k is denitrification, and plant uptake and removal by harvest. A day is a step of backward Euler, which
keeps stores positive and their mass. The loads, mixed, are joined by wastewater of constant load, never more concentrated than wastewater is,
and pass the river above the site in plug flow, with x = v L W / Q of :mod:`thalweg.processes.water_quality.load` for either step of

    ammonium -> nitrate -> lost

Loads are in kg/km2/day of nitrogen, which is mg/l times mm/day.
"""

import math
from dataclasses import replace
from functools import cache

from thalweg.processes.operations import TINY, clip, exp, log, minimum, power
from thalweg.processes.process import Parameter, Process, State, Variable
from thalweg.processes.water_quality import flow_paths
from thalweg.processes.water_quality.load import in_chain, relative_uptake

UNDILUTED = 40.0  # mg/l as N, of wastewater, and the maximum in a stream of wastewater only
MIN_DISCHARGE = 1e-6  # m3/s, in the rate of loss in the river

STATES = (
    *(replace(state, unit="mm/day") for state in flow_paths.STATES),
    State("soil_temperature", 10.0, "degC", "running mean of air temperature"),
    State("wetness", 1.0, "dimensionless", "running mean of discharge over its mean"),
    State("soil_ammonium", 20.0, "kg/km2", "ammonium in soils, as N"),
    State("surface_nitrate", 200.0, "kg/km2", "nitrate available to surface runoff, as N"),
    State("subsurface_nitrate", 1000.0, "kg/km2", "nitrate available to subsurface flow, as N"),
    State("groundwater_nitrate", 5000.0, "kg/km2", "nitrate in groundwater, as N"),
)

PARAMETERS = (
    *flow_paths.PARAMETERS,
    Parameter("mean_discharge", 0.001, 200000.0, "m3/s", "mean discharge at the site"),
    Parameter("drainage_area", 0.1, 5e6, "km2", "area that drains to the site"),
    Parameter("soil_memory", 1.0, 60.0, "day", "memory of soil temperature"),
    Parameter("wetness_memory", 1.0, 180.0, "day", "memory of wetness"),
    Parameter("surface_concentration", 0.0, 20.0, "mg/l", "nitrate of surface runoff in mean conditions"),
    Parameter("subsurface_concentration", 0.0, 20.0, "mg/l", "nitrate of subsurface flow in mean conditions"),
    Parameter("groundwater_concentration", 0.0, 20.0, "mg/l", "nitrate of groundwater in mean conditions"),
    Parameter("ammonium_concentration", 0.0, 0.5, "mg/l", "ammonium of soil water in mean conditions"),
    Parameter("surface_loss", 0.001, 0.2, "1/day", "in mean conditions"),
    Parameter("subsurface_loss", 0.0, 0.05, "1/day", "in mean conditions"),
    Parameter("groundwater_loss", 0.0, 0.002, "1/day", "denitrification in groundwater"),
    Parameter("surface_volume", 2.0, 100.0, "mm", "water that mixes with surface runoff"),
    Parameter("subsurface_volume", 10.0, 500.0, "mm", "water that mixes with subsurface flow"),
    Parameter("groundwater_volume", 50.0, 5000.0, "mm", "water that mixes with groundwater flow"),
    Parameter("nitrification", 0.02, 1.0, "1/day", "of ammonium in soils, at 10 degC"),
    Parameter("source_q10", 1.0, 4.0, "dimensionless", "Q10 of mineralisation and nitrification"),
    Parameter("loss_q10", 1.0, 4.0, "dimensionless", "Q10 of the losses"),
    Parameter("source_wetness", -1.0, 3.0, "dimensionless", "beta of mineralisation"),
    Parameter("loss_wetness", -1.0, 3.0, "dimensionless", "beta of the losses"),
    Parameter("wastewater_nitrate", 0.0, 10.0, "kg/km2/day", "nitrate of wastewater, as N"),
    Parameter("wastewater_ammonium", 0.0, 1.0, "kg/km2/day", "ammonium of wastewater, as N"),
    Parameter("uptake_velocity", 0.0, 0.1, "m/day", "v of nitrate in the river at 20 degC"),
    Parameter("nitrification_velocity", 0.0, 1.0, "m/day", "v of ammonium in the river at 20 degC"),
    Parameter("upstream_length", 1.0, 50.0, "km", "length of river upstream of the site"),
    Parameter("width_coefficient", 1.0, 25.0, "m", "width at 1 m3/s"),
    Parameter("width_exponent", 0.05, 0.6, "dimensionless", "of discharge in width"),
)

FORCINGS = (
    Variable("air_temperature", "degC", "mean air temperature"),
    Variable("discharge", "m3/s", "discharge"),
)

FLUXES = (
    Variable("nitrate", "mg/l", "concentration as N"),
    Variable("ammonium", "mg/l", "concentration as N"),
    Variable("uptake_share", "dimensionless", "share of the nitrogen that reached the river lost in it"),
    Variable("source", "kg/km2/day", "supply of the stores"),
    Variable("denitrification", "kg/km2/day", "loss of the stores"),
    Variable("surface_load", "kg/km2/day", "nitrate by surface runoff"),
    Variable("subsurface_load", "kg/km2/day", "nitrate by subsurface flow"),
    Variable("groundwater_load", "kg/km2/day", "nitrate by groundwater"),
    Variable("ammonium_load", "kg/km2/day", "ammonium of soils"),
    Variable("wastewater_load", "kg/km2/day", "nitrate and ammonium of wastewater"),
    Variable("uptake", "kg/km2/day", "loss in the river"),
    Variable("export", "kg/km2/day", "nitrate and ammonium that pass the site"),
)

PATHS = ("surface", "subsurface", "groundwater")


def store(before, supply, loss, flushing):
    """A store over a day of first-order loss and flushing, 1/day, by backward Euler: (remaining, lost, flushed)."""
    left = (before + supply) / (1.0 + loss + flushing)
    return left, loss * left, flushing * left


def _running_mean(before, value, memory):
    return before + (1.0 - exp(-1.0 / memory)) * (value - before)


def _flows_at_rest(runoff, p):
    groundwater = p["groundwater_share"] * runoff
    subsurface = p["subsurface_share"] * (runoff - groundwater)
    return {"surface": runoff - groundwater - subsurface, "subsurface": subsurface, "groundwater": groundwater}


def _supplies(p):
    """I of every path, kg/km2/day."""
    flows = _flows_at_rest(86.4 * p["mean_discharge"] / p["drainage_area"], p)
    return {
        path: p[f"{path}_concentration"] * (p[f"{path}_loss"] * p[f"{path}_volume"] + flows[path]) for path in PATHS
    }


def _factors(temperature, wetness, p):
    """f of the sources, of the losses and of nitrification."""
    warm = (temperature - 10.0) / 10.0
    wet = log(clip(2.0 * wetness / (1.0 + wetness), TINY, None))
    source, loss = log(p["source_q10"]) * warm, log(p["loss_q10"]) * warm
    return exp(source + p["source_wetness"] * wet), exp(loss + p["loss_wetness"] * wet), exp(source)


@cache
def nitrogen():
    """The process at one site, a step of one day.

    Returns:
        Process: concentrations in mg/l, loads in kg/km2/day, both as N.
    """

    def step(state, forcing, parameters):
        p, discharge = parameters, forcing["discharge"]
        runoff = 86.4 * discharge / p["drainage_area"]
        flow, flow_state = flow_paths.split(runoff, state, p)
        flow = dict(zip(PATHS, flow))
        temperature = _running_mean(state["soil_temperature"], forcing["air_temperature"], p["soil_memory"])
        wetness = _running_mean(state["wetness"], discharge / p["mean_discharge"], p["wetness_memory"])
        source_factor, loss_factor, nitrification_factor = _factors(temperature, wetness, p)

        # Soil: ammonium, then nitrate.
        supply = _supplies(p)
        to_soil = supply["surface"] + supply["subsurface"]
        mineralised = to_soil * source_factor
        held = p["nitrification"] * p["ammonium_concentration"] / clip(to_soil, TINY, None)  # of ammonium, 1/mm
        ammonium, nitrified, ammonium_load = store(
            state["soil_ammonium"],
            mineralised,
            p["nitrification"] * nitrification_factor,
            (flow["surface"] + flow["subsurface"]) * held,
        )
        nitrified_share = nitrified / clip(to_soil, TINY, None)
        left, lost, load = {}, {}, {}
        for path in PATHS:
            soil = path != "groundwater"
            left[path], lost[path], load[path] = store(
                state[f"{path}_nitrate"],
                supply[path] * nitrified_share if soil else supply[path],
                p[f"{path}_loss"] * loss_factor if soil else p[f"{path}_loss"],
                flow[path] / p[f"{path}_volume"],
            )

        # River: load that reaches it, and load that remains at the site.
        wastewater_nitrate = minimum(p["wastewater_nitrate"], UNDILUTED * runoff)
        wastewater_ammonium = minimum(p["wastewater_ammonium"], UNDILUTED * runoff)
        nitrate_in = load["surface"] + load["subsurface"] + load["groundwater"] + wastewater_nitrate
        ammonium_in = ammonium_load + wastewater_ammonium
        flowing = clip(discharge, MIN_DISCHARGE, None)
        width = p["width_coefficient"] * power(flowing, p["width_exponent"])
        activity = exp(math.log(1.047) * (clip(temperature, 0.0, None) - 20.0))
        per_velocity = relative_uptake(activity, width, 1000.0 * p["upstream_length"], flowing)
        uptake, oxidation = p["uptake_velocity"] * per_velocity, p["nitrification_velocity"] * per_velocity
        ammonium_out = ammonium_in * exp(-oxidation)
        nitrate_out = nitrate_in * exp(-uptake) + ammonium_in * oxidation * in_chain(oxidation, uptake)
        removed = nitrate_in + ammonium_in - nitrate_out - ammonium_out

        water = clip(runoff, TINY, None)
        new_state = {
            **flow_state,
            "soil_temperature": temperature,
            "wetness": wetness,
            "soil_ammonium": ammonium,
            **{f"{path}_nitrate": left[path] for path in PATHS},
        }
        fluxes = {
            "nitrate": nitrate_out / water,
            "ammonium": ammonium_out / water,
            "uptake_share": removed / clip(nitrate_in + ammonium_in, TINY, None),
            "source": mineralised + supply["groundwater"],
            "denitrification": lost["surface"] + lost["subsurface"] + lost["groundwater"],
            **{f"{path}_load": load[path] for path in PATHS},
            "ammonium_load": ammonium_load,
            "wastewater_load": wastewater_nitrate + wastewater_ammonium,
            "uptake": removed,
            "export": nitrate_out + ammonium_out,
        }
        return new_state, fluxes

    def rest(forcing, parameters):
        p = parameters
        flow = _flows_at_rest(86.4 * forcing["discharge"] / p["drainage_area"], p)
        wetness = forcing["discharge"] / p["mean_discharge"]
        source_factor, loss_factor, nitrification_factor = _factors(forcing["air_temperature"], wetness, p)
        supply = _supplies(p)
        to_soil = supply["surface"] + supply["subsurface"]
        nitrification = p["nitrification"] * nitrification_factor
        held = p["nitrification"] * p["ammonium_concentration"] / clip(to_soil, TINY, None)
        ammonium = to_soil * source_factor / (nitrification + (flow["surface"] + flow["subsurface"]) * held)
        nitrified_share = nitrification * ammonium / clip(to_soil, TINY, None)
        state = {
            "groundwater_flow": flow["groundwater"],
            "subsurface_flow": flow["subsurface"],
            "soil_temperature": forcing["air_temperature"] + 0.0 * ammonium,
            "wetness": wetness,
            "soil_ammonium": ammonium,
        }
        for path in PATHS:
            soil = path != "groundwater"
            supplied = supply[path] * nitrified_share if soil else supply[path]
            loss = p[f"{path}_loss"] * loss_factor if soil else p[f"{path}_loss"]
            state[f"{path}_nitrate"] = supplied / clip(loss + flow[path] / p[f"{path}_volume"], TINY, None)
        return state

    return Process(
        name="nitrogen",
        source="Zhi et al. 2022",
        states=STATES,
        parameters=PARAMETERS,
        forcings=FORCINGS,
        fluxes=FLUXES,
        step=step,
        rest=rest,
    )
