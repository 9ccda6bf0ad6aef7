"""The canopy: Penman-Monteith, a leaf made a canopy, and HBV with it."""

import math

import numpy as np
import pytest
import torch

from thalweg.integrate import integrate
from thalweg.processes import penman_monteith as pm
from thalweg.processes.hbv import hbv
from thalweg.processes.hbv_canopy import hbv_canopy

DAYS, UNITS, COMPONENTS = 240, 3, 2


def number(value):
    return torch.tensor(float(value), dtype=torch.float64)


def weather(days=DAYS, units=UNITS):
    generator = torch.Generator().manual_seed(3)

    def random(power=1):
        return torch.rand(days, units, generator=generator, dtype=torch.float64) ** power

    season = -torch.cos(torch.arange(days, dtype=torch.float64) * 2 * math.pi / 365)[:, None]
    return {
        "precipitation": 25 * random(4),
        "temperature": 8 + 12 * season + 4 * random(),
        "net_radiation": 60 + 70 * season + 20 * random(),
        "shortwave_radiation": 150 + 90 * season + 30 * random(),
        "vapour_pressure_deficit": 0.05 + (0.6 + 0.5 * season) * random(),
        "day_length": (12 + 3 * season).expand(days, units).contiguous(),
    }


def drawn_parameters(seed=5, units=UNITS, components=COMPONENTS):
    generator = torch.Generator().manual_seed(seed)
    share = {p: 0.1 + 0.8 * torch.rand(units, components, generator=generator) for p in hbv_canopy().parameters}
    return {p.name: p.at(value.double()) for p, value in share.items()}


def moist(units, components):
    values = (9, 1, 400, 12, 30, 2)
    return {
        state.name: torch.full((units, components), float(value), dtype=torch.float64)
        for state, value in zip(hbv_canopy().states, values)
    }


def test_reference_evapotranspiration_of_fao_56():
    # Example 18 of FAO-56 (Brussels, 6 July): T 16.9 degC, deficit 0.589 kPa, P 100.1 kPa, Rn 13.28 MJ/m2/day, u2 2.078
    # m/s; the reference crop has g_a = u2 / 208 and g_c = 1 / 70 m/s, and evaporates 3.88 mm/day.
    latent = pm.latent_heat(
        number(13.28e6 / 86400), number(16.9), number(0.589), number(100.1), number(2.078 / 208), number(1 / 70)
    )
    assert pm.water_depth(latent).item() == pytest.approx(3.88, abs=0.03)


def test_constants_are_those_of_fao_56():
    assert pm.saturation_slope(number(30)).item() == pytest.approx(0.243, abs=5e-4)
    assert pm.psychrometric_constant(number(81.8)) == pytest.approx(0.054, abs=5e-4)


def test_a_wet_canopy_is_one_whose_conductance_has_no_limit():
    given = [number(v) for v in (300, 20, 1.0, 95, 0.02)]
    wet = pm.latent_heat(*given)
    assert pm.latent_heat(*given, number(1e9)).item() == pytest.approx(wet.item(), rel=1e-8)
    assert pm.latent_heat(*given, number(1e-9)).item() == pytest.approx(0, abs=1e-3)
    saturated = pm.latent_heat(number(300), number(20), number(0), number(95), number(0.02))
    slope, gamma = pm.saturation_slope(number(20)).item(), pm.psychrometric_constant(95)
    assert saturated.item() == pytest.approx(300 * slope / (slope + gamma))


def test_the_canopy_is_the_sum_of_its_layers():
    edges = torch.linspace(0, 4, 4001, dtype=torch.float64)
    middle = (edges[1:] + edges[:-1]) / 2
    layers = (torch.exp(-pm.EXTINCTION * middle) * 0.001).sum()
    assert pm.leaf_to_canopy(number(4)).item() == pytest.approx(layers.item(), rel=1e-6)


def dry_canopy(**changes):
    given = {"light": 1000, "energy": 350, "temperature": 18, "deficit": 1.0, "pressure": 97, "co2": 390, "stress": 1}
    given = {name: number(value) for name, value in (given | changes).items()}
    parameters = {"Vcmax25": number(60), "g1": number(3), "aerodynamic_conductance": number(0.03)}
    return pm.canopy_fluxes(parameters, number(4), **given)


def test_a_canopy_at_night_respires_and_hardly_transpires():
    night, day = dry_canopy(light=0, energy=0), dry_canopy()
    assert night["gross_uptake"].item() == pytest.approx(0, abs=1e-6)
    assert night["net_uptake"] < 0 < day["net_uptake"]
    assert night["canopy_conductance"] < 0.3 * day["canopy_conductance"]


def test_drought_closes_the_canopy_and_dry_air_makes_water_dear():
    dry, wet = dry_canopy(stress=0.2), dry_canopy()
    assert dry["latent_heat"] < wet["latent_heat"] and dry["net_uptake"] < wet["net_uptake"]
    humid, arid = dry_canopy(deficit=0.5), dry_canopy(deficit=2.5)
    assert humid["net_uptake"] / humid["latent_heat"] > arid["net_uptake"] / arid["latent_heat"]


def test_water_balance_closes():
    forcing, parameters = weather(80), drawn_parameters()
    names = ("runoff", "evapotranspiration", "transpiration", "interception_loss", "gross_uptake")
    with torch.no_grad():
        fluxes, end = integrate(hbv_canopy(), forcing, parameters, fluxes=names, backend="reference")
    waters = [state.name for state in hbv_canopy().states if state.unit == "mm"]
    start = sum(state.initial for state in hbv_canopy().states if state.unit == "mm")
    stored = sum(end[name] for name in waters) - start
    given = forcing["precipitation"].sum(0)[:, None]
    residual = given - stored - fluxes["runoff"].sum(0) - fluxes["evapotranspiration"].sum(0)
    assert residual.abs().max() < 0.01  # the soil keeps EPSILON when a day would empty it
    assert torch.equal(fluxes["evapotranspiration"], fluxes["transpiration"] + fluxes["interception_loss"])
    for name in ("transpiration", "interception_loss", "gross_uptake"):
        assert (fluxes[name] >= 0).all() and fluxes[name].mean() > 0


def test_leaves_fall_when_it_is_cold():
    uptake = {}
    for evergreen in (1.0, 0.05):
        parameters = drawn_parameters() | {"evergreen_share": number(evergreen), "leaf_out": number(8)}
        for warmth in (-2.0, 18.0):
            state = moist(UNITS, COMPONENTS) | {"warmth": number(warmth)}
            forcing = {name: number(value) for name, value in zip(hbv_canopy().forcing_names, (0, 8, 60, 150, 0.4, 12))}
            _, fluxes = hbv_canopy().step(state, forcing, parameters)
            uptake[evergreen, warmth] = fluxes["gross_uptake"]
    assert torch.equal(uptake[1.0, -2.0], uptake[1.0, 18.0])
    assert (uptake[0.05, -2.0] < 0.3 * uptake[1.0, -2.0]).all()
    assert (uptake[0.05, 18.0] > 0.98 * uptake[1.0, 18.0]).all()


START = {"soil_moisture": 160.0, "upper_zone": 120.0}
NAMES = ("runoff", "evapotranspiration", "net_uptake", "canopy_conductance")


@pytest.mark.long
def test_fused_and_reference_agree():
    forcing = weather(60)
    results = []
    for backend in ("fused", "reference"):
        parameters = {name: value.requires_grad_() for name, value in drawn_parameters().items()}
        fluxes, _ = integrate(hbv_canopy(), forcing, parameters, moist(UNITS, COMPONENTS), NAMES, backend)
        total = sum(value.mean() for value in fluxes.values())
        results.append((fluxes, torch.autograd.grad(total, list(parameters.values()))))
    for name in results[0][0]:
        torch.testing.assert_close(results[0][0][name], results[1][0][name], rtol=1e-8, atol=1e-10)
    for fused, reference in zip(results[0][1], results[1][1]):
        torch.testing.assert_close(fused, reference, rtol=1e-6, atol=1e-9)


def test_gradients_are_those_of_finite_differences():
    process, forcing = hbv_canopy(), {name: values[70:76] for name, values in weather(80, 1).items()}
    parameters = {name: value.requires_grad_() for name, value in drawn_parameters(units=1, components=1).items()}

    def total(given):
        state = moist(1, 1) | {name: torch.full((1, 1), value).double() for name, value in START.items()}
        fluxes, _ = integrate(process, forcing, given, state, NAMES[:3], backend="reference")
        return fluxes["runoff"].sum() + 2 * fluxes["evapotranspiration"].sum() + 0.1 * fluxes["net_uptake"].sum()

    gradients = torch.autograd.grad(total(parameters), list(parameters.values()), allow_unused=True)
    checked = set()
    for (name, value), gradient in zip(parameters.items(), gradients):
        step = 1e-5 * value.item()
        with torch.no_grad():
            difference = (total(parameters | {name: value + step}) - total(parameters | {name: value - step})).item()
        gradient = 0.0 if gradient is None else gradient.item()
        assert gradient == pytest.approx(difference / (2 * step), rel=1e-5, abs=1e-8), name
        checked |= {name} if gradient else set()
    assert checked >= set(parameters) - {"TT", "CFMAX", "CFR", "CWH"}  # warm days: the snow routine is HBV's


def test_hbv_still_is_made_of_its_routines():
    names = {p.name for p in hbv().parameters}
    assert names - {p.name for p in hbv_canopy().parameters} == {"LP", "BETAET"}
    assert np.isin(hbv().flux_names, hbv_canopy().flux_names).all()
