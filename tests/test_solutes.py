"""Nitrogen, loads down a river network, and concentration as a function of discharge."""

import numpy as np
import pytest
import torch

from thalweg.basin.network import River
from thalweg.integrate import integrate, route, state_at_rest
from thalweg.processes.water_quality.concentration_discharge import concentration_discharge
from thalweg.processes.water_quality.load import (
    carried,
    in_chain,
    mean_decay,
    mean_rise,
    reach_of_load,
    relative_uptake,
)
from thalweg.processes.water_quality.nitrogen import nitrogen

NITROGEN, REACH = nitrogen(), reach_of_load()
KNOWN = {"mean_discharge": 3.0, "drainage_area": 500.0}
STORES = ("soil_ammonium", "surface_nitrate", "subsurface_nitrate", "groundwater_nitrate")


def double(value):
    return torch.as_tensor(value, dtype=torch.float64)


def some(process, sites=1, seed=0, **values):
    """Parameters within their bounds, the given ones fixed."""
    generator = torch.Generator().manual_seed(seed)
    drawn = {
        p.name: p.low + (p.high - p.low) * (0.1 + 0.8 * torch.rand(sites, 1, generator=generator, dtype=torch.float64))
        for p in process.parameters
    }
    return drawn | {name: torch.full((sites, 1), value, dtype=torch.float64) for name, value in values.items()}


def weather(days, sites=1, seed=0):
    generator = np.random.default_rng(seed)
    season = np.cos(2 * np.pi * (np.arange(days)[:, None] - 20) / 365.25)
    noise = np.zeros((days, sites))
    for day in range(1, days):
        noise[day] = 0.9 * noise[day - 1] + 0.35 * generator.normal(size=sites)
    return {
        "air_temperature": double(10 - 8 * season + generator.normal(0, 3, (days, sites))),
        "discharge": double(3 * np.exp(0.5 * season + noise)),
        "season_cosine": double(np.broadcast_to(season, (days, sites)).copy()),
        "season_sine": double(
            np.broadcast_to(np.sin(2 * np.pi * np.arange(days)[:, None] / 365.25), (days, sites)).copy()
        ),
    }


def forcing_of(process, days, sites=1, **values):
    series = weather(days, sites)
    return {name: values.get(name, series[name]) for name in process.forcing_names}


def tree(reaches=40, seed=0):
    generator = np.random.default_rng(seed)
    return River(
        [f"r{i}" for i in range(reaches)],
        ["", *(f"r{generator.integers(max(0, i - 5), i)}" for i in range(1, reaches))],
    )


def reaches(river, seed=0):
    generator = torch.Generator().manual_seed(seed)
    count = len(river.reach)
    return {
        "uptake": torch.rand(count, generator=generator, dtype=torch.float64),
        "residence_time": 0.1 + 2 * torch.rand(count, generator=generator, dtype=torch.float64),
    }


def test_means_of_decay_are_their_integrals_and_smooth():
    x = double([0.0, 1e-12, 1e-6, 0.05, 0.1 - 1e-12, 0.1, 0.3, 2.0, 50.0, 1e9]).requires_grad_()
    exact = x.detach().clamp(min=1e-300)
    first = -torch.expm1(-exact) / exact
    second = torch.where(exact < 1e-2, 0.5 - exact / 6 + exact**2 / 24 - exact**3 / 120, (1 - first) / exact)
    torch.testing.assert_close(mean_decay(x), first, rtol=1e-13, atol=0)
    torch.testing.assert_close(
        mean_rise(x).detach()[[0, 1, 2, 5, 6, 7, 8]], second[[0, 1, 2, 5, 6, 7, 8]], rtol=1e-12, atol=0
    )
    for function, at_0 in ((mean_decay, -1 / 2), (mean_rise, -1 / 6)):
        (slope,) = torch.autograd.grad(function(x).sum(), x)
        assert slope[0].item() == pytest.approx(at_0)
        assert slope[4].item() == pytest.approx(slope[5].item(), rel=1e-10)
        assert torch.isfinite(slope).all()


def test_a_chain_with_equal_rates_is_the_limit():
    a = double([0.2, 0.2, 3.0, 0.0])
    b = double([0.2, 0.2 + 1e-9, 1.0, 0.0])
    expected = [np.exp(-0.2), np.exp(-0.2), (np.exp(-3) - np.exp(-1)) / (1 - 3), 1.0]
    assert in_chain(a, b).tolist() == pytest.approx(expected, rel=1e-8)
    torch.testing.assert_close(in_chain(a, b), in_chain(b, a))


def test_uptake_of_a_reach_is_none_and_all_at_its_limits():
    velocity, width, discharge = double([0.0, 0.1, 0.1, 10.0]), 20.0, 5.0
    x = relative_uptake(velocity, width, double([1e4, 1e4, 1e9, 1e9]), discharge)
    left = carried(double(100.0), double(0.0), x)
    assert left.tolist() == pytest.approx([100.0, 100 * np.exp(-0.1 / (5 * 86400 / (20 * 1e4))), 0.0, 0.0], abs=1e-9)
    halves = carried(carried(double(100.0), double(15.0), x / 2), double(15.0), x / 2)
    torch.testing.assert_close(halves, carried(double(100.0), double(30.0), x))


def test_loads_at_rest_are_those_of_the_triangular_system():
    river = tree()
    parameters, lateral = reaches(river), 1 + torch.rand(40, generator=torch.Generator().manual_seed(1)).double()
    adjacency = torch.zeros(40, 40, dtype=torch.float64)
    for reach, below in enumerate(river.downstream):
        if below >= 0:
            adjacency[below, reach] = 1
    kept = torch.exp(-parameters["uptake"])
    system = torch.eye(40, dtype=torch.float64) - kept[:, None] * adjacency
    expected = torch.linalg.solve(system, mean_decay(parameters["uptake"]) * lateral)
    start = {"stored": expected * parameters["residence_time"]}
    discharge, state = route(REACH, river, lateral.expand(5, 40), parameters, start)
    torch.testing.assert_close(discharge, expected.expand(5, 40))
    torch.testing.assert_close(state["stored"], start["stored"])
    late, _ = route(REACH, river, lateral.expand(200, 40), parameters)
    torch.testing.assert_close(late[-1], expected)


def test_loads_are_conserved_down_the_network_where_nothing_is_taken_up():
    river = tree()
    lateral = torch.rand(100, 40, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    parameters = reaches(river)
    still = parameters | {"uptake": torch.zeros(40, dtype=torch.float64)}
    discharge, state = route(REACH, river, lateral, still)
    assert (discharge[:, river.outlets].sum() + state["stored"].sum()).item() == pytest.approx(
        lateral.sum().item(), rel=1e-12
    )
    start = state_at_rest(REACH, river, lateral[0], still)
    at_rest, _ = route(REACH, river, lateral[:1], still, start)
    torch.testing.assert_close(at_rest[0], double(river.accumulate(lateral[0].numpy())))
    fluxes, state = integrate(
        REACH,
        {"inflow": lateral, "lateral_inflow": lateral.flip(0)},
        {name: value[:, None] for name, value in parameters.items()},
        fluxes=REACH.flux_names,
    )
    out = fluxes["discharge"].sum() + fluxes["uptake"].sum() + state["stored"].sum()
    assert out.item() == pytest.approx(2 * lateral.sum().item(), rel=1e-12)


def test_gradients_of_loads_down_the_network():
    river = tree(6)
    parameters = reaches(river)
    lateral = torch.rand(4, 6, generator=torch.Generator().manual_seed(3), dtype=torch.float64)

    def function(lateral, uptake, residence_time, stored):
        given = {"uptake": uptake, "residence_time": residence_time}
        discharge, state = route(REACH, river, lateral, given, {"stored": stored}, backend="reference")
        return discharge, state["stored"]

    inputs = [lateral, *parameters.values(), torch.ones(6, dtype=torch.float64)]
    assert torch.autograd.gradcheck(function, [v.clone().requires_grad_() for v in inputs], rtol=1e-6, atol=1e-9)


def test_nitrogen_is_balanced():
    """Source and wastewater, less what is lost in soils and in the river, less export, is what stores gain."""
    sites, days = 20, 1500
    parameters = some(NITROGEN, sites, **KNOWN)
    fluxes, state = integrate(NITROGEN, forcing_of(NITROGEN, days, sites), parameters, fluxes=NITROGEN.flux_names)
    total = {name: value.sum(0) for name, value in fluxes.items()}
    before = sum(s.initial for s in NITROGEN.states if s.name in STORES)
    gain = sum(state[name] for name in STORES) - before
    balance = total["source"] + total["wastewater_load"] - total["denitrification"] - total["uptake"] - total["export"]
    torch.testing.assert_close(balance, gain, rtol=0, atol=1e-6)
    load = sum(total[f"{name}_load"] for name in ("surface", "subsurface", "groundwater", "ammonium", "wastewater"))
    torch.testing.assert_close(load, total["uptake"] + total["export"])
    runoff = 86.4 * forcing_of(NITROGEN, days, sites)["discharge"][..., None] / 500.0
    torch.testing.assert_close((fluxes["nitrate"] + fluxes["ammonium"]) * runoff, fluxes["export"])
    assert all((value >= -1e-12).all() for value in (*fluxes.values(), *(state[name] for name in STORES)))


def test_nitrogen_at_rest_stays_and_has_the_concentrations_it_is_told():
    parameters = some(
        NITROGEN, **KNOWN, surface_concentration=8.0, subsurface_concentration=8.0, groundwater_concentration=8.0,
        ammonium_concentration=0.0, wastewater_nitrate=0.0, wastewater_ammonium=0.0, uptake_velocity=0.0,
    )  # fmt: skip
    mean = {"air_temperature": double([[10.0]]), "discharge": double([[3.0]])}
    forcing = {name: value.expand(50, 1) for name, value in mean.items()}
    start = NITROGEN.rest(mean, parameters)
    fluxes, end = integrate(NITROGEN, forcing, parameters, start, fluxes=NITROGEN.flux_names)
    assert fluxes["nitrate"].flatten().tolist() == pytest.approx([8.0] * 50, rel=1e-9)
    for name, value in start.items():
        torch.testing.assert_close(end[name], value)


def test_wastewater_is_diluted_by_discharge_and_no_stronger_than_itself():
    clean = {f"{path}_concentration": 0.0 for path in ("surface", "subsurface", "groundwater", "ammonium")}
    parameters = some(
        NITROGEN, **KNOWN, **clean, wastewater_nitrate=2.0, uptake_velocity=0.0, nitrification_velocity=0.0
    )
    empty = {s.name: torch.full((1, 1), 0.0 if s.name in STORES else s.initial).double() for s in NITROGEN.states}
    discharge = double([0.0, 0.01, 1.0, 2.0, 10.0])[:, None]
    forcing = {"air_temperature": torch.full((5, 1), 10.0).double(), "discharge": discharge}
    fluxes, _ = integrate(NITROGEN, forcing, parameters, empty, ("nitrate",), "reference")
    expected = [0.0, 40.0, *(2.0 / (86.4 * q / 500) for q in (1.0, 2.0, 10.0))]
    assert fluxes["nitrate"].flatten().tolist() == pytest.approx(expected)


def test_uptake_in_the_river_is_none_and_all_at_its_limits():
    forcing = forcing_of(NITROGEN, 30)
    found = {}
    for velocity in (0.0, 1e4):
        parameters = some(NITROGEN, **KNOWN, uptake_velocity=velocity, nitrification_velocity=velocity)
        found[velocity], _ = integrate(NITROGEN, forcing, parameters, fluxes=NITROGEN.flux_names)
    assert found[0.0]["uptake_share"].abs().max() < 1e-12
    assert found[1e4]["uptake_share"].flatten().tolist() == pytest.approx([1.0] * 30)
    assert (found[1e4]["nitrate"] < 1e-9).all() and (found[0.0]["nitrate"] > 0.1).all()


def test_warm_and_wet_soils_lose_more():
    names = ("air_temperature", "discharge")
    parameters = some(NITROGEN, **KNOWN, loss_q10=2.0, loss_wetness=1.0, source_q10=1.0, source_wetness=0.0)
    lost = {}
    for values in ((5.0, 3.0), (25.0, 3.0), (5.0, 9.0)):
        forcing = {name: torch.full((1, 1), value).double() for name, value in zip(names, values)}
        start = NITROGEN.rest({"air_temperature": double([[5.0]]), "discharge": double([[3.0]])}, parameters)
        start |= {"soil_temperature": double([[values[0]]]), "wetness": double([[values[1] / 3.0]])}
        fluxes, _ = integrate(NITROGEN, forcing, parameters, start, ("denitrification",), "reference")
        lost[values] = fluxes["denitrification"].item()
    assert lost[25.0, 3.0] > 1.2 * lost[5.0, 3.0]
    assert lost[5.0, 9.0] > 1.05 * lost[5.0, 3.0]


def test_dry_and_frozen_days_are_finite():
    forcing = {
        "air_temperature": double([-30.0, -30.0, 35.0, 5.0])[:, None],
        "discharge": double([0.0, 0.0, 0.0, 1e-9])[:, None],
    }
    parameters = {name: value.requires_grad_() for name, value in some(NITROGEN, **KNOWN).items()}
    fluxes, _ = integrate(NITROGEN, forcing, parameters, fluxes=NITROGEN.flux_names, backend="reference")
    gradients = torch.autograd.grad(sum(v.sum() for v in fluxes.values()), list(parameters.values()), allow_unused=True)
    assert all(torch.isfinite(v).all() for v in (*fluxes.values(), *(g for g in gradients if g is not None)))


def test_gradients_of_nitrogen_against_finite_differences():
    forcing, parameters = forcing_of(NITROGEN, 6), some(NITROGEN, **KNOWN)

    def function(*values):
        given = dict(zip(parameters, values[: len(parameters)]))
        state = dict(zip(NITROGEN.state_names, values[len(parameters) :]))
        fluxes, end = integrate(NITROGEN, forcing, given, state, fluxes=("nitrate", "export"), backend="reference")
        return fluxes["nitrate"].sum(0), fluxes["export"].sum(0), end["surface_nitrate"], end["soil_ammonium"]

    start = [torch.full((1, 1), s.initial or 0.3, dtype=torch.float64) for s in NITROGEN.states]
    inputs = [value.clone().requires_grad_() for value in (*parameters.values(), *start)]
    assert torch.autograd.gradcheck(function, inputs, eps=1e-6, rtol=1e-5, atol=1e-7)


def test_fused_nitrogen_is_the_reference():
    forcing, parameters = forcing_of(NITROGEN, 80, 3), some(NITROGEN, 3, **KNOWN)
    found, end = integrate(NITROGEN, forcing, parameters, fluxes=NITROGEN.flux_names, backend="fused")
    expected, state = integrate(NITROGEN, forcing, parameters, fluxes=NITROGEN.flux_names, backend="reference")
    for name, value in (expected | state).items():
        torch.testing.assert_close((found | end)[name], value, rtol=1e-10, atol=1e-12)


@pytest.mark.long
def test_gradients_of_fused_nitrogen_are_those_of_the_reference():
    forcing, results = forcing_of(NITROGEN, 80, 3), []
    for backend in ("fused", "reference"):
        parameters = {name: value.requires_grad_() for name, value in some(NITROGEN, 3, **KNOWN).items()}
        fluxes, _ = integrate(NITROGEN, forcing, parameters, fluxes=("nitrate", "ammonium"), backend=backend)
        loss = fluxes["nitrate"].square().sum() + fluxes["ammonium"].sum()
        results.append(torch.autograd.grad(loss, list(parameters.values())))
    for found, expected in zip(*results):
        torch.testing.assert_close(found, expected, rtol=1e-8, atol=1e-9 * expected.abs().max().item())


def test_the_slope_of_concentration_with_discharge_is_found_by_least_squares():
    process, truth = concentration_discharge("dissolved_organic_carbon", "mg/l", 0.5, 50.0), {
        "mean_discharge": 3.0, "log_concentration": np.log(4.0), "discharge_exponent": 0.35, "anomaly_exponent": 0.0,
        "season_sine_coefficient": -0.2, "season_cosine_coefficient": 0.1, "memory": 10.0,
    }  # fmt: skip
    forcing = forcing_of(process, 730)
    fluxes, _ = integrate(
        process,
        forcing,
        {name: double([[value]]) for name, value in truth.items()},
        fluxes=("dissolved_organic_carbon",),
    )
    logarithm = np.log(fluxes["dissolved_organic_carbon"][:, 0, 0].numpy()) + np.random.default_rng(0).normal(
        0, 0.05, 730
    )
    columns = [
        np.ones(730),
        np.log(forcing["discharge"][:, 0] / 3.0),
        forcing["season_sine"][:, 0],
        forcing["season_cosine"][:, 0],
    ]
    found = np.linalg.lstsq(np.stack(columns, 1), logarithm, rcond=None)[0]
    assert found == pytest.approx([np.log(4.0), 0.35, -0.2, 0.1], abs=0.02)


def test_rising_water_is_told_from_falling():
    process = concentration_discharge("turbidity", "mg/l", 1.0, 100.0)
    parameters = some(process, mean_discharge=3.0, anomaly_exponent=0.8, memory=10.0)
    discharge = double([3.0] * 50 + [9.0] * 200 + [3.0])[:, None]
    forcing = {"discharge": discharge, "season_cosine": 0 * discharge, "season_sine": 0 * discharge}
    fluxes, _ = integrate(process, forcing, parameters, fluxes=("turbidity",))
    series = fluxes["turbidity"].flatten()
    power_law = 3 ** parameters["discharge_exponent"].item()
    kept = np.exp(-0.1)  # of the anomaly, by the end of its first day
    assert (series[50] / series[49]).item() == pytest.approx(power_law * 3 ** (0.8 * kept))
    assert (series[249] / series[49]).item() == pytest.approx(power_law, rel=1e-6)
    assert (series[250] / series[49]).item() == pytest.approx(3 ** (-0.8 * kept), rel=1e-6)


def test_the_regression_in_both_backends_with_gradients():
    process = concentration_discharge("nitrate", "mg/l", 0.1, 30.0)
    assert process.fluxes[0].name == "nitrate" and process.fluxes[0].unit == "mg/l"
    forcing = forcing_of(process, 40, 2, discharge=torch.cat([torch.zeros(1, 2).double(), weather(39, 2)["discharge"]]))
    results = []
    for backend in ("fused", "reference"):
        parameters = {name: value.requires_grad_() for name, value in some(process, 2, mean_discharge=3.0).items()}
        fluxes, state = integrate(process, forcing, parameters, fluxes=("nitrate",), backend=backend)
        assert torch.isfinite(fluxes["nitrate"]).all()
        gradients = torch.autograd.grad(fluxes["nitrate"].square().sum(), list(parameters.values()))
        results.append([fluxes["nitrate"].detach(), *(v.detach() for v in state.values()), *gradients])
    for found, expected in zip(*results):
        torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)
