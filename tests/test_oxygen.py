"""Dissolved oxygen: saturation, reaeration, the sag, balances, limits."""

import math

import numpy as np
import pytest
import torch

from thalweg.integrate import integrate
from thalweg.processes.water_quality.dissolved_oxygen import dissolved_oxygen, pressure, reaeration_rate, saturation

PROCESS = dissolved_oxygen()
STREAM = {
    "elevation": 0.0, "mean_discharge": 2.0, "depth_coefficient": 0.5, "depth_exponent": 0.3,
    "velocity_coefficient": 0.2, "velocity_exponent": 0.3, "demand_supply": 0.0, "demand_decay": 0.35,
    "sediment_demand": 0.0, "photosynthesis_efficiency": 0.0, "greatest_photosynthesis": 10.0, "respiration": 0.0,
}  # fmt: skip
LIVING = STREAM | {
    "elevation": 300.0, "demand_supply": 1.5, "sediment_demand": 1.0, "photosynthesis_efficiency": 0.04, "respiration": 4.0,
}  # fmt: skip


def double(value):
    return torch.as_tensor(value, dtype=torch.float64)


def march(parameters, days=1, temperature=20.0, discharge=2.0, radiation=0.0, state=None, **options):
    forcing = {
        name: double(value).expand(days)[:, None]
        for name, value in zip(PROCESS.forcing_names, (temperature, discharge, radiation))
    }
    parameters = {name: double(value).reshape(1, 1) for name, value in parameters.items()}
    state = None if state is None else {name: double(value).reshape(1, 1) for name, value in state.items()}
    fluxes, end = integrate(PROCESS, forcing, parameters, state, fluxes=PROCESS.flux_names, **options)
    return {name: value[:, 0, 0] for name, value in fluxes.items()}, {name: v[0, 0] for name, v in end.items()}


def rate(temperature=20.0, parameters=STREAM, discharge=2.0):
    """k_2 of the stream, 1/day."""
    velocity = parameters["velocity_coefficient"] * double(discharge) ** parameters["velocity_exponent"]
    depth = parameters["depth_coefficient"] * double(discharge) ** parameters["depth_exponent"]
    return (reaeration_rate(velocity, depth) * 1.024 ** (temperature - 20)).item()


def seasons(days, seed=0):
    generator = np.random.default_rng(seed)
    season = np.sin(2 * np.pi * np.arange(days) / 365.25)
    return {
        "temperature": 9 + 12 * season,
        "discharge": np.exp(generator.normal(0, 1, days)),
        "radiation": 120 + 110 * season,
    }


def test_saturation_of_benson_and_krause():
    found = saturation(double([0.0, 5.0, 10.0, 15.0, 20.0, 25.0, 30.0]), 1.0)
    expected = [14.621, 12.771, 11.288, 10.084, 9.092, 8.263, 7.559]
    torch.testing.assert_close(found, double(expected), rtol=0, atol=1e-3)
    assert saturation(double(20.0), 0.9).item() == pytest.approx(8.16, abs=5e-3)
    # tables of the U.S. Geological Survey (Field Manual, 6.2): mg/l at 600 mmHg
    thin = saturation(double([0.0, 10.0, 20.0, 30.0]), 600 / 760)
    torch.testing.assert_close(thin, double([11.5, 8.9, 7.1, 5.9]), rtol=0, atol=0.05)
    # theta of the Standard Methods: 0.000716 at 20 degC, so 0.00034 more at half the pressure than without it
    vapour = math.exp(11.8571 - 3840.70 / 293.15 - 216961 / 293.15**2)
    share = saturation(double(20.0), 0.5) / saturation(double(20.0), 1.0) / ((0.5 - vapour) / (1 - vapour))
    assert share.item() == pytest.approx((1 - 0.0007155 * 0.5) / (1 - 0.0007155), rel=1e-7)
    assert pressure(double([0.0, 1000.0, 3000.0])).tolist() == pytest.approx([1.0, 0.8870, 0.6919], abs=2e-4)


@pytest.mark.parametrize(
    "velocity, depth, expected",
    [
        (0.5, 0.3, 5.32 * 0.5**0.67 * 0.3**-1.85),
        (0.1, 2.0, 3.93 * 0.1**0.5 * 2.0**-1.5),
        (1.2, 1.5, 5.026 * 1.2 * 1.5**-1.67),
    ],
    ids=["Owens-Gibbs", "O'Connor-Dobbins", "Churchill"],
)
def test_reaeration_is_each_formula_within_its_range(velocity, depth, expected):
    assert reaeration_rate(double(velocity), double(depth)).item() == pytest.approx(expected, rel=0.02)


def test_reaeration_has_no_jumps():
    velocity, depth = torch.meshgrid(
        torch.linspace(-3, 0.7, 400, dtype=torch.float64).exp(),
        torch.linspace(-2.5, 2, 4000).double().exp(),
        indexing="ij",
    )
    logarithm = reaeration_rate(velocity, depth).log()
    steps = logarithm.diff(dim=1) / depth.log().diff(dim=1)
    assert steps.diff(dim=1).abs().max() < 0.1  # the slope itself is continuous
    assert torch.isfinite(logarithm).all()


@pytest.mark.parametrize("decay", [0.1, 0.35, "as reaeration", "near reaeration"])
@pytest.mark.parametrize("backend", ["fused", "reference"])
def test_sag_of_streeter_and_phelps(decay, backend):
    """Day after day of the closed form, with the decay of the demand below, at and near the reaeration."""
    k2 = rate()
    decay = {"as reaeration": k2, "near reaeration": k2 * (1 + 1e-9)}.get(decay, decay)
    start = {"oxygen": 8.0, "biochemical_oxygen_demand": 6.0}
    days = np.arange(1, 15.0)
    found = [
        march(STREAM | {"demand_decay": decay}, int(day), state=start, backend=backend)[1]["oxygen"].item()
        for day in days
    ]
    saturated = saturation(double(20.0), 1.0).item()
    if abs(decay - k2) < 1e-6 * k2:
        sag = k2 * 6.0 * days * np.exp(-k2 * days)
    else:
        sag = decay * 6.0 / (k2 - decay) * (np.exp(-decay * days) - np.exp(-k2 * days))
    expected = saturated - sag - (saturated - 8.0) * np.exp(-k2 * days)
    assert found == pytest.approx(expected.tolist(), abs=1e-7)


def test_mean_of_the_day_is_that_of_the_solution():
    """Against many short parts of the day, each the closed form of the sag, supply and all."""
    p, k2 = LIVING, rate(12.0, LIVING)
    start = {"oxygen": 6.0, "biochemical_oxygen_demand": 5.0}
    fluxes, _ = march(p, 1, 12.0, 2.0, 150.0, start)
    time = (np.arange(20000) + 0.5) / 20000
    depth = 0.5 * 2.0**0.3
    decay = 0.35 * 1.047**-8
    demand = 1.5 / decay + (5.0 - 1.5 / decay) * np.exp(-decay * time)
    constant = (4 * 1.045**-8 + 1.08**-8 - 10 * (1 - np.exp(-0.04 * 150 / 10))) / depth
    saturated = saturation(double(12.0), pressure(double(300.0))).item()
    deficit, step = saturated - 6.0, 1 / 20000
    values = []
    for b in demand:
        middle = deficit + 0.5 * step * (decay * b + constant - k2 * deficit)
        deficit += step * (decay * b + constant - k2 * middle)
        values.append(saturated - middle)
    assert fluxes["dissolved_oxygen"].item() == pytest.approx(np.mean(values), abs=1e-6)


def test_at_rest_it_stays_and_reaches_it_from_anywhere():
    forcing = {"water_temperature": double(15.0), "discharge": double(2.0), "shortwave_radiation": double(100.0)}
    rest = PROCESS.rest(forcing, {name: double(value) for name, value in LIVING.items()})
    fluxes, end = march(LIVING, 3, 15.0, 2.0, 100.0, rest)
    assert fluxes["dissolved_oxygen"].tolist() == pytest.approx([rest["oxygen"].item()] * 3, abs=1e-10)
    _, late = march(LIVING, 200, 15.0, 2.0, 100.0, {"oxygen": 1.0, "biochemical_oxygen_demand": 30.0})
    for name, value in rest.items():
        assert late[name].item() == pytest.approx(value.item(), abs=1e-8)
        assert end[name].item() == pytest.approx(value.item(), abs=1e-10)


def test_without_life_and_demand_water_returns_to_saturation():
    fluxes, _ = march(STREAM, 100, 5.0, state={"oxygen": 2.0, "biochemical_oxygen_demand": 0.0})
    oxygen = fluxes["dissolved_oxygen"]
    assert (oxygen.diff() >= 0).all()
    assert oxygen[-1].item() == pytest.approx(12.771, abs=1e-3)
    warm, _ = march(STREAM, 100, 25.0, state={"oxygen": 14.0, "biochemical_oxygen_demand": 0.0})
    assert warm["dissolved_oxygen"][-1].item() == pytest.approx(8.263, abs=1e-3)


@pytest.mark.parametrize("sediment", [1.0, 200.0], ids=["ample", "exhausted"])
def test_oxygen_is_balanced_and_never_negative(sediment):
    parameters, weather = LIVING | {"sediment_demand": sediment}, seasons(400)
    fluxes, end = march(parameters, 400, **weather)
    gain = fluxes["reaeration"] + fluxes["photosynthesis"] - fluxes["oxygen_demand"] - fluxes["respiration"]
    assert 10.0 + gain.sum().item() == pytest.approx(end["oxygen"].item(), abs=1e-8)
    assert (fluxes["dissolved_oxygen"] >= 0).all() and end["oxygen"] >= 0
    assert (fluxes["oxygen_demand"] >= 0).all() and (fluxes["respiration"] >= 0).all()
    assert (fluxes["dissolved_oxygen"] == 0).any() == (sediment > 100)


def test_dry_frozen_and_dark_days_are_finite():
    weather = {
        "temperature": [0.0, -5.0, 20.0, 20.0],
        "discharge": [0.0, 0.0, 0.0, 2.0],
        "radiation": [0.0, 0.0, 300.0, 0.0],
    }
    parameters = {name: double(value).reshape(1, 1).requires_grad_() for name, value in LIVING.items()}
    forcing = {name: double(value)[:, None] for name, value in zip(PROCESS.forcing_names, weather.values())}
    for backend in ("fused", "reference"):
        fluxes, _ = integrate(PROCESS, forcing, parameters, fluxes=PROCESS.flux_names, backend=backend)
        gradients = torch.autograd.grad(sum(value.sum() for value in fluxes.values()), list(parameters.values()))
        assert all(torch.isfinite(value).all() for value in (*fluxes.values(), *gradients))
        assert fluxes["photosynthesis"].flatten()[[0, 1, 3]].tolist() == [0, 0, 0]
        assert fluxes["photosynthesis"].flatten()[2] > 0


def test_gradients_against_finite_differences():
    forcing = {name: double(v)[:, None] for name, v in zip(PROCESS.forcing_names, seasons(8).values())}
    names = list(LIVING)

    def function(oxygen, demand, *values):
        state = {"oxygen": oxygen, "biochemical_oxygen_demand": demand}
        fluxes, end = integrate(
            PROCESS, forcing, dict(zip(names, values)), state, fluxes=PROCESS.flux_names, backend="reference"
        )
        return (*fluxes.values(), end["oxygen"])

    inputs = [double(v).reshape(1, 1).requires_grad_() for v in (9.0, 3.0, *LIVING.values())]
    assert torch.autograd.gradcheck(function, inputs, eps=1e-5, rtol=1e-5, atol=1e-7)


@pytest.mark.long
def test_fused_and_reference_agree():
    results = []
    forcing = {name: double(v)[:, None] for name, v in zip(PROCESS.forcing_names, seasons(60).values())}
    for backend in ("fused", "reference"):
        parameters = {name: double(value).reshape(1, 1).requires_grad_() for name, value in LIVING.items()}
        fluxes, end = integrate(PROCESS, forcing, parameters, fluxes=("dissolved_oxygen",), backend=backend)
        oxygen = fluxes["dissolved_oxygen"]
        loss = (oxygen * torch.linspace(1, 2, 60).double()[:, None, None]).sum() + end["oxygen"].sum()
        results.append([oxygen.detach(), *torch.autograd.grad(loss, list(parameters.values()))])
    for found, expected in zip(*results):
        torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9 * expected.abs().max().item())


def test_two_parameters_are_found_again_from_samples():
    """Respiration and the efficiency of photosynthesis from one sample in five days, with noise."""
    days, weather = 365, seasons(365)
    truth, _ = march(LIVING, days, **weather)
    generator = torch.Generator().manual_seed(0)
    when = torch.arange(0, days, 5)
    samples = truth["dissolved_oxygen"][when] + 0.1 * torch.randn(len(when), generator=generator, dtype=torch.float64)
    bounds = {p.name: p for p in PROCESS.parameters}
    raw = {
        name: torch.zeros(1, 1, dtype=torch.float64, requires_grad=True)
        for name in ("respiration", "photosynthesis_efficiency")
    }
    forcing = {name: double(v)[:, None] for name, v in zip(PROCESS.forcing_names, weather.values())}
    fixed = {name: double(value).reshape(1, 1).requires_grad_() for name, value in LIVING.items()}
    optimiser = torch.optim.Adam(raw.values(), lr=0.1)
    for _ in range(150):
        learned = {
            name: bounds[name].low + (bounds[name].high - bounds[name].low) * torch.sigmoid(value)
            for name, value in raw.items()
        }
        fluxes, _ = integrate(PROCESS, forcing, fixed | learned, fluxes=("dissolved_oxygen",))
        loss = (fluxes["dissolved_oxygen"][when, 0, 0] - samples).square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert learned["respiration"].item() == pytest.approx(4.0, rel=0.05)
    assert learned["photosynthesis_efficiency"].item() == pytest.approx(0.04, rel=0.05)
