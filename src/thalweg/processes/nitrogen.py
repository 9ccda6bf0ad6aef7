"""Nitrate and ammonium in a stream: stores of a catchment by flow path, wastewater, and uptake on the way.

A soil store of ammonium is fed by mineralisation; what nitrifies goes, with the nitrate of fertiliser and deposition, to
three stores of nitrate, of surface soil, subsurface and groundwater (source stores by flow path and rates r = k f(T) f(w) as in
BioRT-Flux-PIHM, Zhi et al. 2022, doi:10.5194/gmd-15-315-2022). Each store is well mixed in a volume of water V and leaves with
the flow q of its path (:mod:`thalweg.processes.flow_paths`):

    dN/dt = I - k f(T) f(w) N - (q / V) N,    f(T) = Q10^((T_soil - 20) / 10),    f(w) = (2 w / (1 + w))^beta

T_soil and w are running means of air temperature and of discharge over its mean. Rates are constant within a day, and days
solved exactly. Groundwater has neither seasons nor, with a large V, a short memory. The loss k is denitrification, and what
plants take up and harvest takes away. The three loads, mixed, are joined by wastewater of constant load, never
more concentrated than wastewater is, and pass the river above the site in plug flow:

    ammonium -> nitrate -> lost,    x = v L W / Q for either step    (:mod:`thalweg.processes.load`)

Loads are in kg/km2/day of nitrogen, which is mg/l times mm/day.
"""

import math
from dataclasses import replace
from functools import cache

from thalweg.processes import flow_paths
from thalweg.processes.load import in_chain, mean_decay, mean_rise, relative_uptake
from thalweg.processes.operations import TINY, clip, exp, log, minimum, power
from thalweg.processes.process import Parameter, Process, State, Variable

UNDILUTED = 40.0  # mg/l as N, of wastewater, and the most that a stream of nothing else can have
LEAST_DISCHARGE = 1e-6  # m3/s, in the rate of uptake

STATES = (
    *(replace(state, unit="mm/day") for state in flow_paths.STATES),
    State("soil_temperature", 10.0, "degC", "running mean of air temperature"),
    State("wetness", 1.0, "dimensionless", "running mean of discharge over its mean"),
    State("soil_ammonium", 10.0, "kg/km2", "ammonium in soils, as N"),
    State("surface_nitrate", 200.0, "kg/km2", "nitrate that surface runoff meets, as N"),
    State("subsurface_nitrate", 1000.0, "kg/km2", "nitrate that subsurface flow meets, as N"),
    State("groundwater_nitrate", 5000.0, "kg/km2", "nitrate in groundwater, as N"),
)

PARAMETERS = (
    *flow_paths.PARAMETERS,
    Parameter("mean_discharge", 0.001, 200000.0, "m3/s", "mean discharge at the site"),
    Parameter("soil_memory", 1.0, 90.0, "day", "memory of soil temperature"),
    Parameter("wetness_memory", 1.0, 120.0, "day", "memory of wetness"),
    Parameter("mineralisation", 0.0, 20.0, "kg/km2/day", "of organic nitrogen, at 20 degC and mean wetness"),
    Parameter("fertiliser", 0.0, 20.0, "kg/km2/day", "nitrate of fertiliser and deposition, less crops' share"),
    Parameter("nitrification", 0.02, 1.0, "1/day", "at 20 degC"),
    Parameter("surface_input", 0.0, 0.8, "dimensionless", "share of the input that the surface store gets"),
    Parameter("groundwater_input", 0.0, 1.0, "dimensionless", "share of the rest that groundwater gets"),
    Parameter("surface_loss", 0.0, 0.1, "1/day", "at 20 degC and mean wetness"),
    Parameter("subsurface_loss", 0.0, 0.05, "1/day", "at 20 degC and mean wetness"),
    Parameter("groundwater_loss", 0.0, 0.002, "1/day", "denitrification in groundwater"),
    Parameter("surface_volume", 2.0, 100.0, "mm", "water that mixes with surface runoff"),
    Parameter("subsurface_volume", 10.0, 500.0, "mm", "water that mixes with subsurface flow"),
    Parameter("groundwater_volume", 50.0, 5000.0, "mm", "water that mixes with groundwater flow"),
    Parameter("ammonium_volume", 20.0, 2000.0, "mm", "volume of the ammonium store; large where soils hold it"),
    Parameter("source_q10", 1.0, 4.0, "dimensionless", "Q10 of mineralisation and nitrification"),
    Parameter("loss_q10", 1.0, 4.0, "dimensionless", "Q10 of the losses"),
    Parameter("source_wetness", -1.0, 2.0, "dimensionless", "beta of mineralisation"),
    Parameter("loss_wetness", -1.0, 4.0, "dimensionless", "beta of the losses"),
    Parameter("wastewater_nitrate", 0.0, 10.0, "kg/km2/day", "nitrate of wastewater, as N"),
    Parameter("wastewater_ammonium", 0.0, 2.0, "kg/km2/day", "ammonium of wastewater, as N"),
    Parameter("uptake_velocity", 0.0, 0.5, "m/day", "v of nitrate in the river at 20 degC"),
    Parameter("nitrification_velocity", 0.0, 2.0, "m/day", "v of ammonium in the river at 20 degC"),
    Parameter("upstream_length", 1.0, 100.0, "km", "length of river that the water has come along"),
    Parameter("width_coefficient", 1.0, 25.0, "m", "width at 1 m3/s"),
    Parameter("width_exponent", 0.05, 0.6, "dimensionless", "of discharge in width"),
)

FORCINGS = (
    Variable("air_temperature", "degC", "mean air temperature"),
    Variable("discharge", "m3/s", "discharge"),
    Variable("runoff", "mm/day", "discharge over drainage area"),
)

FLUXES = (
    Variable("nitrate", "mg/l", "concentration as N"),
    Variable("ammonium", "mg/l", "concentration as N"),
    Variable("uptake_share", "dimensionless", "share of the nitrogen that reached the river lost in it"),
    Variable("source", "kg/km2/day", "mineralisation, fertiliser and deposition"),
    Variable("denitrification", "kg/km2/day", "loss of the stores"),
    Variable("surface_load", "kg/km2/day", "nitrate by surface runoff"),
    Variable("subsurface_load", "kg/km2/day", "nitrate by subsurface flow"),
    Variable("groundwater_load", "kg/km2/day", "nitrate by groundwater"),
    Variable("ammonium_load", "kg/km2/day", "ammonium of soils"),
    Variable("wastewater_load", "kg/km2/day", "nitrate and ammonium of wastewater"),
    Variable("uptake", "kg/km2/day", "loss in the river"),
    Variable("export", "kg/km2/day", "nitrate and ammonium that pass the site"),
)


def store(before, supply, loss, flushing):
    """A store over a day of first-order loss and flushing, 1/day: (what is left, lost, flushed)."""
    rate = loss + flushing
    mean = before * mean_decay(rate) + supply * mean_rise(rate)
    return before * exp(-rate) + supply * mean_decay(rate), loss * mean, flushing * mean


def _running_mean(before, value, memory):
    return before + (1.0 - exp(-1.0 / memory)) * (value - before)


@cache
def nitrogen():
    """The process at one site, a step of one day.

    Returns:
        Process: concentrations in mg/l, loads in kg/km2/day, both as N.
    """

    def rates(soil_temperature, wetness, p):
        warm = (soil_temperature - 20.0) / 10.0
        wet = log(clip(2.0 * wetness / (1.0 + wetness), TINY, None))
        growth = exp(log(p["source_q10"]) * warm)
        decline = exp(log(p["loss_q10"]) * warm + p["loss_wetness"] * wet)
        return {
            "mineralisation": p["mineralisation"] * growth * exp(p["source_wetness"] * wet),
            "nitrification": p["nitrification"] * growth,
            "surface_loss": p["surface_loss"] * decline,
            "subsurface_loss": p["subsurface_loss"] * decline,
        }

    def shares(p):
        surface = p["surface_input"]
        groundwater = (1.0 - surface) * p["groundwater_input"]
        return surface, 1.0 - surface - groundwater, groundwater

    def step(state, forcing, parameters):
        p, discharge, runoff = parameters, forcing["discharge"], forcing["runoff"]
        paths, flows = flow_paths.split(runoff, state, p)
        surface_flow, subsurface_flow, groundwater_flow = paths
        temperature = _running_mean(state["soil_temperature"], forcing["air_temperature"], p["soil_memory"])
        wetness = _running_mean(state["wetness"], discharge / p["mean_discharge"], p["wetness_memory"])
        r = rates(temperature, wetness, p)

        ammonium, nitrified, ammonium_load = store(
            state["soil_ammonium"],
            r["mineralisation"],
            r["nitrification"],
            (surface_flow + subsurface_flow) / p["ammonium_volume"],
        )
        available = p["fertiliser"] + nitrified
        to_surface, to_subsurface, to_groundwater = shares(p)
        surface, surface_lost, surface_load = store(
            state["surface_nitrate"],
            to_surface * available,
            r["surface_loss"],
            surface_flow / p["surface_volume"],
        )
        subsurface, subsurface_lost, subsurface_load = store(
            state["subsurface_nitrate"],
            to_subsurface * available,
            r["subsurface_loss"],
            subsurface_flow / p["subsurface_volume"],
        )
        groundwater, groundwater_lost, groundwater_load = store(
            state["groundwater_nitrate"],
            to_groundwater * available,
            p["groundwater_loss"],
            groundwater_flow / p["groundwater_volume"],
        )

        # The river: what reaches it, and what is left of it at the site.
        wastewater_nitrate = minimum(p["wastewater_nitrate"], UNDILUTED * runoff)
        wastewater_ammonium = minimum(p["wastewater_ammonium"], UNDILUTED * runoff)
        nitrate_in = surface_load + subsurface_load + groundwater_load + wastewater_nitrate
        ammonium_in = ammonium_load + wastewater_ammonium
        flowing = clip(discharge, LEAST_DISCHARGE, None)
        width = p["width_coefficient"] * power(flowing, p["width_exponent"])
        activity = exp(math.log(1.047) * (clip(temperature, 0.0, None) - 20.0))
        per_velocity = activity * relative_uptake(1.0, width, 1000.0 * p["upstream_length"], flowing)
        uptake = p["uptake_velocity"] * per_velocity
        oxidation = p["nitrification_velocity"] * per_velocity
        ammonium_out = ammonium_in * exp(-oxidation)
        nitrate_out = nitrate_in * exp(-uptake) + ammonium_in * oxidation * in_chain(oxidation, uptake)
        lost = nitrate_in + ammonium_in - nitrate_out - ammonium_out

        water = clip(runoff, TINY, None)
        new_state = {
            **flows,
            "soil_temperature": temperature,
            "wetness": wetness,
            "soil_ammonium": ammonium,
            "surface_nitrate": surface,
            "subsurface_nitrate": subsurface,
            "groundwater_nitrate": groundwater,
        }
        fluxes = {
            "nitrate": nitrate_out / water,
            "ammonium": ammonium_out / water,
            "uptake_share": lost / clip(nitrate_in + ammonium_in, TINY, None),
            "source": p["fertiliser"] + r["mineralisation"],
            "denitrification": surface_lost + subsurface_lost + groundwater_lost,
            "surface_load": surface_load,
            "subsurface_load": subsurface_load,
            "groundwater_load": groundwater_load,
            "ammonium_load": ammonium_load,
            "wastewater_load": wastewater_nitrate + wastewater_ammonium,
            "uptake": lost,
            "export": nitrate_out + ammonium_out,
        }
        return new_state, fluxes

    def rest(forcing, parameters):
        p, runoff = parameters, forcing["runoff"]
        groundwater_flow = p["groundwater_share"] * runoff
        subsurface_flow = p["subsurface_share"] * (runoff - groundwater_flow)
        surface_flow = runoff - groundwater_flow - subsurface_flow
        wetness = forcing["discharge"] / p["mean_discharge"]
        r = rates(forcing["air_temperature"], wetness, p)
        ammonium = r["mineralisation"] / (r["nitrification"] + (surface_flow + subsurface_flow) / p["ammonium_volume"])
        available = p["fertiliser"] + r["nitrification"] * ammonium
        to_surface, to_subsurface, to_groundwater = shares(p)

        def stored(share, loss, flow, volume):
            return share * available / clip(loss + flow / volume, TINY, None)

        return {
            "groundwater_flow": groundwater_flow,
            "subsurface_flow": subsurface_flow,
            "soil_temperature": forcing["air_temperature"] + 0.0 * available,
            "wetness": wetness,
            "soil_ammonium": ammonium,
            "surface_nitrate": stored(to_surface, r["surface_loss"], surface_flow, p["surface_volume"]),
            "subsurface_nitrate": stored(to_subsurface, r["subsurface_loss"], subsurface_flow, p["subsurface_volume"]),
            "groundwater_nitrate": stored(
                to_groundwater, p["groundwater_loss"], groundwater_flow, p["groundwater_volume"]
            ),
        }

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
