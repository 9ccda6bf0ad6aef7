"""Photosynthesis: anchors, limits, gradients, and the same step traced."""

from dataclasses import replace

import pytest
import torch

from thalweg.integrate import integrate
from thalweg.processes.process import State
from thalweg.processes.vegetation.photosynthesis import (
    RESPONSES,
    SEA_LEVEL,
    assimilation,
    ball_berry,
    electron_transport,
    leaf,
    leaf_fluxes,
    medlyn,
    rates,
    saturation_vapour_pressure,
    smooth_minimum,
    temperature_response,
    uptake,
    water_stress,
)

RANGES = {
    "absorbed_light": (0.0, 2000.0),
    "leaf_temperature": (-5.0, 45.0),
    "pressure": (60.0, 102.0),
    "intercellular_co2": (10.0, 2000.0),
    "co2": (50.0, 2000.0),
    "vapour_pressure_deficit": (0.0, 6.0),
    "soil_moisture_share": (0.0, 1.0),
}


def number(value):
    return torch.tensor([value], dtype=torch.float64)


def drawn(process, points=40, leaves=5, seed=0):
    """Forcing (point, leaf) over RANGES and parameters (leaf,) over their bounds."""
    generator = torch.Generator().manual_seed(seed)

    def uniform(low, high, *shape):
        return low + (high - low) * torch.rand(shape, generator=generator, dtype=torch.float64)

    forcing = {v.name: uniform(*RANGES[v.name], points, leaves) for v in process.forcings}
    return forcing, {p.name: uniform(p.low, p.high, leaves) for p in process.parameters}


def test_anchor_of_a_leaf_whose_ci_is_given():
    found = uptake(number(280.0), number(1500.0), number(25.0), SEA_LEVEL, {"Vcmax25": number(62.0)})
    assert found["rubisco_limited"].item() == pytest.approx(14.87512, abs=5e-6)
    assert found["light_limited"].item() == pytest.approx(15.93215, abs=5e-6)
    assert found["respiration"].item() == pytest.approx(0.930, abs=1e-12)
    assert found["assimilation"].item() == pytest.approx(13.76978, abs=5e-6)
    assert electron_transport(number(1500.0), number(1.67 * 62.0)).item() == pytest.approx(98.17828, abs=5e-6)


def test_anchor_of_a_leaf_coupled_to_its_stomata_and_of_its_implicit_gradient():
    vcmax25 = number(60.0).requires_grad_()

    def coupled(value):
        given = {"Vcmax25": value, "g1": number(4.45)}
        return leaf_fluxes(given, number(1500.0), number(25.0), SEA_LEVEL, number(400.0), number(1.5))

    found = coupled(vcmax25)
    assert found["intercellular_co2"].item() == pytest.approx(316.7237, abs=5e-5)
    assert found["assimilation"].item() == pytest.approx(14.71668, abs=5e-6)
    assert found["stomatal_conductance"].item() == pytest.approx(0.2827537, abs=1e-7)
    (slope,) = torch.autograd.grad(found["assimilation"].sum(), vcmax25)
    assert slope.item() == pytest.approx(0.237789164, abs=1e-9)


@pytest.mark.parametrize(("temperature", "expected"), [(10.0, 0.28374), (25.0, 1.0), (35.0, 1.30270), (40.0, 1.08877)])
def test_anchors_of_the_temperature_response(temperature, expected):
    found = temperature_response(number(temperature), *RESPONSES["Vcmax"]).item()
    assert found == pytest.approx(expected, abs=1.5e-5)


def test_smooth_minimum_solves_its_quadratic_and_lies_below_both():
    a, b = torch.tensor([-2.0, 0.0, 5.0, 40.0]).double(), torch.tensor([3.0, 7.0, 5.0, 0.5]).double()
    x = smooth_minimum(a, b, 0.7)
    torch.testing.assert_close(0.7 * x * x - (a + b) * x + a * b, 0.0 * a, rtol=0, atol=1e-8)
    assert (x <= torch.minimum(a, b) + 1e-9).all()


@pytest.mark.parametrize("pathway", ["C3", "C4"])
def test_in_the_dark_a_leaf_respires_and_stomata_keep_their_residual_conductance(pathway):
    given = {"Vcmax25": number(60.0), "g1": number(4.0)}
    found = leaf_fluxes(given, number(0.0), number(25.0), SEA_LEVEL, number(400.0), number(1.5), pathway)
    rd = {"C3": 0.9, "C4": 1.5}[pathway]
    assert found["assimilation"].item() == pytest.approx(-rd, rel=1e-3)
    assert found["stomatal_conductance"].item() == {"C3": 0.01, "C4": 0.04}[pathway]
    assert found["intercellular_co2"].item() == pytest.approx(
        400 + 1.6 * rd / found["stomatal_conductance"].item(), rel=1e-3
    )


def test_at_the_compensation_point_only_respiration_is_left_and_gradients_are_finite():
    ci = (rates(number(25.0), {"Vcmax25": number(60.0)})["compensation"]).requires_grad_()
    vcmax25 = number(60.0).requires_grad_()
    net = assimilation(ci, number(1500.0), number(25.0), SEA_LEVEL, {"Vcmax25": vcmax25})
    assert net.item() == pytest.approx(-0.9, abs=1e-9)
    slopes = torch.autograd.grad(net.sum(), (ci, vcmax25))
    assert all(torch.isfinite(slope).all() for slope in slopes)


def test_below_the_compensation_point_a_root_is_still_found():
    """Hot, in air almost without CO2: photorespiration raises ci above that of the air."""
    given = {"Vcmax25": number(250.0), "Rd25": number(0.01), "g1": number(4.0)}
    found = leaf_fluxes(given, number(1500.0), number(45.0), SEA_LEVEL, number(20.0), number(4.0))
    assert 20 < found["intercellular_co2"].item() < 120


def test_a_mountain_leaf_takes_up_less_at_the_same_mole_fraction():
    low, high = (
        assimilation(number(250.0), number(1500.0), number(25.0), pressure, {"Vcmax25": number(60.0)}).item()
        for pressure in (SEA_LEVEL, 70.0)
    )
    assert high < 0.85 * low


def test_stomata():
    assert medlyn(number(10.0), number(400.0), number(1.0), 0.01, 4.0).item() == pytest.approx(
        0.01 + 1.6 * 5 * 10 / 400
    )
    assert ball_berry(number(10.0), number(400.0), 0.7, 0.01, 9.0).item() == pytest.approx(0.01 + 9 * 0.7 * 10 / 400)
    assert medlyn(number(-2.0), number(400.0), number(0.0), 0.01, 4.0).item() == 0.01
    assert saturation_vapour_pressure(number(20.0)).item() == pytest.approx(2.338, abs=5e-4)


def test_water_stress_by_hand_and_at_its_ends():
    share = torch.tensor([1.0, 0.5, 0.001]).double()
    found = water_stress(share, torch.tensor(1.0).double())
    torch.testing.assert_close(found, torch.tensor([1.0, (2.55 - 0.66 / 0.5) / (2.55 - 0.66), 0.0]).double())


def test_a_boundary_layer_lowers_uptake_and_diffusion_balances_it():
    given = {"Vcmax25": number(60.0), "g1": number(4.0)}
    air = (number(1500.0), number(25.0), SEA_LEVEL, number(400.0), number(1.5))
    free = leaf_fluxes(given, *air)
    layered = leaf_fluxes(given, *air, boundary_conductance=number(0.5))
    assert layered["assimilation"].item() < free["assimilation"].item()
    supplied = (400.0 - layered["intercellular_co2"]) / (1.4 / 0.5 + 1.6 / layered["stomatal_conductance"])
    torch.testing.assert_close(layered["assimilation"], supplied, rtol=1e-9, atol=0)


@pytest.mark.parametrize("pathway", ["C3", "C4"])
@pytest.mark.parametrize("stomata", ["medlyn", "ball_berry", "given_ci"])
def test_every_form_gives_finite_fluxes_and_gradients_against_finite_differences(pathway, stomata):
    process = leaf(pathway, stomata, soil_water=True)
    forcing, parameters = drawn(process)
    _, fluxes = process.step({}, forcing, parameters)
    assert set(fluxes) == set(process.flux_names)
    assert all(torch.isfinite(values).all() for values in fluxes.values())
    assert process.flux_names[0] == "assimilation"

    forcing, parameters = drawn(process, points=3, leaves=2, seed=1)
    forcing = {name: 0.5 * values + 0.5 * sum(RANGES[name]) / 2 for name, values in forcing.items()}

    def function(*values):
        return process.step({}, forcing, dict(zip(parameters, values)))[1]["assimilation"]

    values = [value.clone().requires_grad_() for value in parameters.values()]
    assert torch.autograd.gradcheck(function, values, eps=1e-4, rtol=1e-5, atol=1e-6)


@pytest.mark.long
def test_the_traced_leaf_agrees_with_tensors():
    """A store of carbon around the leaf, so that it can be marched by the compiled kernels."""
    process = leaf("C3", "medlyn", soil_water=True)

    def step(state, forcing, parameters):
        _, fluxes = process.step({}, forcing, parameters)
        return {"carbon": state["carbon"] + fluxes["assimilation"]}, fluxes

    marched = replace(process, states=(State("carbon", 0.0, "umol/m**2", "taken up"),), step=step)
    forcing, parameters = drawn(process)
    results = []
    for backend in ("fused", "reference"):
        given = {name: values[:, None].clone().requires_grad_() for name, values in parameters.items()}
        fluxes, state = integrate(marched, forcing, given, fluxes=process.flux_names, backend=backend)
        gradients = torch.autograd.grad(state["carbon"].sum(), list(given.values()))
        results.append([*fluxes.values(), *gradients])
    for a, b in zip(*results):
        torch.testing.assert_close(a, b, rtol=1e-8, atol=1e-8)
