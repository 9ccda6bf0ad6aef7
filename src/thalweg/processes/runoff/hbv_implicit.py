"""HBV with implicit storages: soil and both groundwater boxes by backward Euler, solved together.

The fluxes of HBV 1.1p (:mod:`thalweg.processes.runoff.hbv`) are taken at the storages of the end of the day instead of one after
another, as in Song et al. (2024, doi:10.5194/hess-28-3051-2024): no order of operations, and no water drawn from a store
that the same day's other fluxes have emptied. Snow is the same as in HBV: its fluxes are bounded by their stores, for
which the implicit and the explicit step agree. States in mm, fluxes in mm/day, a step of one day.

    S_1 = S_0 + I - I w(S_1) - E w_E(S_1) + C L_1 (1 - S_1 / FC)
    U_1 = U_0 + I w(S_1) - min(U_1, PERC) - K0 max(U_1 - UZL, 0) - K1 U_1
    L_1 = L_0 + min(U_1, PERC) - C L_1 (1 - S_1 / FC) - K2 L_1
"""

from dataclasses import replace
from functools import cache

from thalweg.processes.implicit import root
from thalweg.processes.operations import clip, minimum, power
from thalweg.processes.runoff.hbv import EPSILON, hbv, snow, stores

STEEPEST = 1e4  # slope of the evapotranspiration function at an empty soil, where BETAET < 1 makes it infinite


@cache
def hbv_implicit():
    """The process; parameters, states, forcings and fluxes of ``hbv()``. Water balances close to rounding.

    Returns:
        Process: states in mm, fluxes in mm/day.
    """

    def step(state, forcing, parameters):
        p = parameters
        snowpack, meltwater, rain, to_soil, melt = snow(state, forcing, p)
        potential = forcing["potential_evapotranspiration"]
        water = rain + to_soil

        # What is above field capacity when the day begins runs off: only a field capacity that changes leaves any.
        excess = clip(state["soil_moisture"] - p["FC"], 0.0, None)
        soil_before = state["soil_moisture"] - excess
        upper_before, lower_before = state["upper_zone"] + excess, state["lower_zone"]

        def fluxes_of(soil, upper, lower):
            share = clip(soil / p["FC"], 0.0, 1.0)
            recharge = water * power(share, p["BETA"])
            supply = clip(soil / (p["LP"] * p["FC"]), 0.0, 1.0)
            evapotranspiration = potential * minimum(power(supply, p["BETAET"]), STEEPEST * supply)
            rise = p["C"] * lower * (1.0 - share)
            percolation = minimum(upper, p["PERC"])
            quick_flow = p["K0"] * clip(upper - p["UZL"], 0.0, None)
            return recharge, evapotranspiration, rise, percolation, quick_flow, p["K1"] * upper, p["K2"] * lower

        def residual(upper, soil, lower):
            recharge, evapotranspiration, rise, percolation, quick_flow, interflow, baseflow = fluxes_of(
                soil, upper, lower
            )
            return (
                upper - upper_before - recharge + percolation + quick_flow + interflow,
                soil - soil_before - water + recharge + evapotranspiration - rise,
                lower - lower_before - percolation + rise + baseflow,
            )

        total = soil_before + upper_before + lower_before + water + EPSILON
        upper, soil, lower = root(
            residual,
            (upper_before, soil_before, lower_before),
            (0.0, 0.0, 0.0),
            (total, minimum(total, p["FC"]), total),
        )

        # Fluxes and storages are at least 0, and water is conserved to rounding, not to the tolerance: both groundwater boxes are
        # what their fluxes leave, and evapotranspiration, steep at an empty soil, is what the soil lacks.
        recharge, _, rise, percolation, quick_flow, interflow, baseflow = fluxes_of(soil, upper, lower)
        upper = clip(upper_before + recharge - percolation - quick_flow - interflow, 0.0, None)
        lower = clip(lower_before + percolation - rise - baseflow, 0.0, None)
        available = soil_before + (water - recharge) + rise
        evapotranspiration = clip(available - soil, 0.0, None)
        soil = available - evapotranspiration
        new_state = {
            "snowpack": snowpack,
            "meltwater": meltwater,
            "soil_moisture": soil,
            "upper_zone": upper,
            "lower_zone": lower,
        }
        fluxes = {
            "runoff": quick_flow + interflow + baseflow,
            "evapotranspiration": evapotranspiration,
            "quick_flow": quick_flow,
            "interflow": interflow,
            "baseflow": baseflow,
            "recharge": recharge + excess,
            "percolation": percolation,
            "capillary_rise": rise,
            "snowmelt": melt,
        }
        return new_state, fluxes | stores(new_state)

    return replace(hbv(), name="hbv_implicit", source="Song et al. 2024", step=step)
