"""Stream temperature: the heat budget, the reach, the whole step, and the baselines without a heat budget."""

import math

import pytest
import torch

from test_integrate import assert_close, run
from thalweg.integrate import integrate
from thalweg.processes.water_quality.air2stream import air2stream
from thalweg.processes.water_quality.logistic_air_water import logistic_air_water
from thalweg.processes.water_quality.stream_temperature import (
    BACK_RADIATION,
    HEAT_CAPACITY,
    KELVIN,
    equilibrium_temperature,
    heat_budget,
    reach_temperature,
    stream_temperature,
    thermal_exchange,
)

PROCESS = stream_temperature()
WEATHER = {
    "air_temperature": 20, "vapour_pressure": 12, "shortwave_radiation": 200, "evaporation": 3, "cloudiness": 0.3,
    "riparian_shade": 0.2, "topographic_shade": 0, "albedo": 0.1, "elevation": 300, "bed_temperature": 12, "friction": 0,
}  # fmt: skip


def number(value):
    return torch.tensor(float(value), dtype=torch.float64)


def budget_of(**changes):
    return heat_budget(**{name: number(value) for name, value in (WEATHER | changes).items()})


def inputs(process=PROCESS, units=8, components=1, days=60, seed=0, dtype=torch.float64):
    """Random weather through a winter and a spring, discharge with dry days, parameters anywhere in their bounds."""
    generator = torch.Generator().manual_seed(seed)

    def uniform(low, high, *shape):
        return low + (high - low) * torch.rand(shape, generator=generator, dtype=torch.float64)

    air = uniform(-15, 28, days, units)
    given = {
        "air_temperature": air,
        "discharge": (uniform(-4, 3, days, units).exp() - 0.1).clamp(min=0),
        "shortwave_radiation": uniform(50, 330, days, units),
        "vapour_pressure": 6.108 * torch.exp(17.3 * air / (237.3 + air)) * uniform(0.3, 1.0, days, units),
        "potential_evapotranspiration": uniform(-2, 6, days, units).clamp(min=0),
        "season_cosine": uniform(-1, 1, days, units),
        "season_sine": uniform(-1, 1, days, units),
    }
    parameters = {p.name: uniform(p.low, p.high, units, components) for p in process.parameters}
    state = {
        s.name: uniform(-5, 5, units, components) if "anomaly" in s.name else uniform(0, 20, units, components)
        for s in process.states
    }
    groups = ({name: given[name] for name in process.forcing_names}, parameters, state)
    return [{name: value.to(dtype) for name, value in group.items()} for group in groups]


def settings(process=PROCESS, **given):
    """Parameters at the middle of their bounds but for those given."""
    middle = {p.name: (p.low + p.high) / 2 for p in process.parameters} | given
    return {name: number(value).reshape(1, 1) for name, value in middle.items()}


def constant(process=PROCESS, days=400, **given):
    weather = {
        "air_temperature": 15, "discharge": 3, "shortwave_radiation": 200, "vapour_pressure": 9,
        "potential_evapotranspiration": 3, "season_cosine": 0.4, "season_sine": -0.3,
    }  # fmt: skip
    weather |= given
    return {name: torch.full((days, 1), float(weather[name]), dtype=torch.float64) for name in process.forcing_names}


def test_anchor_of_the_heat_budget():
    """Numbers worked out from the equations of Theurer et al. (1984), independently of this code."""
    budget = budget_of()
    b, c, d = budget.coefficients
    assert budget.bowen.item() == pytest.approx(0.05259524, abs=1e-8)
    assert budget.shortwave.item() == pytest.approx(144, abs=1e-12)
    assert budget.longwave_in.item() == pytest.approx(258.4244 + 79.7889, abs=1e-4)
    assert b.item() == pytest.approx(6.210682, abs=1e-6)
    assert c.item() == pytest.approx(0.00430989, abs=1e-8)
    assert d.item() == pytest.approx(506.50992, abs=1e-5)
    equilibrium = equilibrium_temperature(budget)
    first, _ = thermal_exchange(budget, equilibrium, number(14))
    assert equilibrium.item() == pytest.approx(18.704585, abs=1e-6)
    assert first.item() == pytest.approx(11.419745, abs=1e-6)


def anchor_reach(order, length=5000.0, lateral_inflow=0.0, inflow=2.0, lateral_temperature=14.0):
    budget = budget_of()
    equilibrium = equilibrium_temperature(budget)
    first, second = thermal_exchange(budget, equilibrium, number(14))
    second = second if order == 2 else 0.0 * second
    values = (14, lateral_temperature), (inflow, lateral_inflow, 10, length)
    temperatures, sizes = ([number(value) for value in group] for group in values)
    return reach_temperature(*temperatures, equilibrium, first, second, *sizes).item()


def march_down_the_reach(loss, length=5000.0, lateral_inflow=0.0, lateral_temperature=14.0, steps=4000):
    """rho c Q dT/dx = rho c q (Tl - T) - W H(T) by the classical Runge-Kutta scheme; Q0 2 m3/s, W 10 m, T0 14 degC."""

    def slope(x, temperature):
        gain = (
            lateral_inflow * (lateral_temperature - temperature) - 10 * loss(number(temperature)).item() / HEAT_CAPACITY
        )
        return gain / (2 + lateral_inflow * x)

    temperature, dx = 14.0, length / steps
    for i in range(steps):
        x = i * dx
        k1 = slope(x, temperature)
        k2 = slope(x + dx / 2, temperature + dx / 2 * k1)
        k3 = slope(x + dx / 2, temperature + dx / 2 * k2)
        k4 = slope(x + dx, temperature + dx * k3)
        temperature += dx / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    return temperature


def test_anchor_of_the_reach():
    assert anchor_reach(1) == pytest.approx(14.310308, abs=1e-6)
    assert anchor_reach(2) == pytest.approx(14.307561, abs=1e-6)
    assert march_down_the_reach(budget_of().loss, steps=200) == pytest.approx(14.307560, abs=1e-6)


def test_reach_with_lateral_inflow_against_integration():
    budget = budget_of()
    equilibrium = equilibrium_temperature(budget)
    first, _ = thermal_exchange(budget, equilibrium, number(14))
    given = {"length": 20000.0, "lateral_inflow": 2e-4, "lateral_temperature": 10.0}
    linear = march_down_the_reach(lambda t: first * (t - equilibrium), **given, steps=400)
    assert anchor_reach(1, **given) == pytest.approx(linear, abs=1e-8)
    whole = march_down_the_reach(budget.loss, **given, steps=400)
    assert abs(anchor_reach(2, **given) - whole) < 0.02
    assert abs(whole - 14) > 0.3


def test_reach_is_continuous_as_lateral_inflow_vanishes():
    values = [anchor_reach(2, lateral_inflow=q, lateral_temperature=5.0) for q in (0.0, 1e-14, 1e-9)]
    assert values[1] == pytest.approx(values[0], abs=1e-9)
    assert values[2] == pytest.approx(values[0], abs=1e-4)
    growth = 1e-3  # the series gives way to the logarithm where q L / Q0 is this
    sides = [
        anchor_reach(2, lateral_inflow=growth * 2 / 5000 * side, lateral_temperature=5.0)
        for side in (1 - 1e-9, 1 + 1e-9)
    ]
    assert sides[0] == pytest.approx(sides[1], abs=1e-9)


def test_reach_between_its_ends():
    equilibrium = equilibrium_temperature(budget_of()).item()
    for order in (1, 2):
        assert anchor_reach(order, length=1e-6) == pytest.approx(14, abs=1e-9)
        assert anchor_reach(order, length=1e8) == pytest.approx(equilibrium, abs=1e-9)
        assert anchor_reach(order, inflow=0.0) == pytest.approx(equilibrium, abs=1e-9)
    exchange = 11.419745 * 10 / HEAT_CAPACITY
    mixed = (1e-4 * 10 + exchange * equilibrium) / (1e-4 + exchange)
    headwater = anchor_reach(2, inflow=0.0, lateral_inflow=1e-4, lateral_temperature=10.0)
    assert headwater == pytest.approx(mixed, abs=1e-6)


@pytest.mark.parametrize("air", [-40, -5, 0, 20, 45])
@pytest.mark.parametrize("extreme", ["calm", "wind", "humid"])
def test_heat_balances_at_the_equilibrium_temperature(air, extreme):
    changes = {
        "calm": {"evaporation": 0, "shortwave_radiation": 0},
        "wind": {"evaporation": 20, "vapour_pressure": 0.1, "shortwave_radiation": 380},
        "humid": {"vapour_pressure": 120, "friction": 3000, "riparian_shade": 0.95},
    }[extreme]
    budget = budget_of(air_temperature=air, **changes)
    equilibrium = equilibrium_temperature(budget)
    assert sum(budget.terms(equilibrium).values()).abs().item() < 1e-8
    away = equilibrium + 3.0
    assert sum(budget.terms(away).values()).item() == pytest.approx(-budget.loss(away).item(), abs=1e-9)
    assert budget.loss(away) > 12.0
    first, second = thermal_exchange(budget, equilibrium, away)
    assert (3 * first - 9 * second).item() == pytest.approx(budget.loss(away).item(), rel=1e-9)


def test_gradients_of_the_equilibrium_temperature():
    def function(*values):
        return equilibrium_temperature(heat_budget(**dict(zip(WEATHER, values))))

    values = [(number(value) + 0.01).requires_grad_() for value in WEATHER.values()]
    assert torch.autograd.gradcheck(function, values, eps=1e-4, rtol=1e-5, atol=1e-9)


def test_open_water_comes_to_equilibrium_and_its_budget_to_zero():
    """Shallow and long under a constant weather: water has the equilibrium temperature, and the terms sum to nothing."""
    p = settings(exposure=3.0, storage_depth=-2.0, width_coefficient=25.0, lateral_share=0.0)
    fluxes, _ = integrate(PROCESS, constant(potential_evapotranspiration=1), p, fluxes=PROCESS.flux_names)
    last = {name: value[-1].item() for name, value in fluxes.items()}
    assert last["water_temperature"] == pytest.approx(last["equilibrium_temperature"], abs=1e-3)
    terms = ("shortwave", "longwave_in", "longwave_out", "evaporation", "convection", "bed_conduction", "friction")
    assert sum(last[name] for name in terms) == pytest.approx(0, abs=0.03)
    assert last["longwave_out"] == pytest.approx(-BACK_RADIATION * (last["water_temperature"] + KELVIN) ** 4, rel=1e-12)
    assert last["shortwave"] > 10 and last["evaporation"] < -5


def test_water_that_is_not_exposed_keeps_the_temperature_of_its_sources():
    p = settings(
        exposure=-1.0,
        width_coefficient=1.0,
        storage_depth=-2.0,
        groundwater_share=0.95,
        groundwater_offset=4.0,
        groundwater_window=300.0,
        catchment_offset=0.0,
        mean_air_temperature=8.0,
    )
    fluxes, _ = integrate(PROCESS, constant(days=2000, air_temperature=10, discharge=50), p, fluxes=PROCESS.flux_names)
    last = {name: value[-1].item() for name, value in fluxes.items()}
    assert last["surface_temperature"] == pytest.approx(10, abs=0.01)
    assert last["subsurface_temperature"] == pytest.approx(10, abs=0.01)
    assert last["groundwater_temperature"] == pytest.approx(14, abs=0.1)
    assert last["water_temperature"] == pytest.approx(last["inflow_temperature"], abs=0.05)
    assert 13 < last["inflow_temperature"] < 14


def test_deep_water_lags_behind_shallow_water():
    days = 730
    season = torch.sin(torch.arange(days, dtype=torch.float64) * (2 * math.pi / 365))[:, None]
    forcing = constant(days=days) | {"air_temperature": 15 + 10 * season}
    peaks = []
    for depth in (-2.0, 1.0):
        p = settings(storage_depth=depth, depth_exponent=0.0, exposure=2.5, width_coefficient=25.0)
        fluxes, _ = integrate(PROCESS, forcing, p, fluxes=PROCESS.flux_names)
        year = fluxes["water_temperature"][365:, 0, 0]
        peaks.append((year.argmax().item(), (year.max() - year.min()).item()))
    assert peaks[1][0] > peaks[0][0] + 10
    assert peaks[1][1] < 0.9 * peaks[0][1]


@pytest.mark.parametrize(
    "process",
    [pytest.param(PROCESS, marks=pytest.mark.long), logistic_air_water(), air2stream()],
    ids=lambda process: process.name,
)
def test_fused_agrees_with_the_reference(process):
    given = inputs(process)
    options = {"fluxes": process.flux_names, "checkpoint_days": 16}
    assert_close(run(process, given, "fused", **options), run(process, given, "reference", **options))


def test_gradients_of_the_step_against_finite_differences():
    forcing, parameters, state = inputs(units=1, days=3, seed=3)
    forcing["discharge"] += 0.05
    names = [*forcing, *parameters, *state]

    def function(*values):
        named = dict(zip(names, values))
        given = [{name: named[name] for name in group} for group in (forcing, parameters, state)]
        fluxes, _ = integrate(PROCESS, *given, fluxes=PROCESS.flux_names, backend="reference")
        return sum(share * fluxes[name].mean() for name, share in zip(PROCESS.flux_names, (50, *range(1, 13))))

    values = [value.clone().requires_grad_() for group in (forcing, parameters, state) for value in group.values()]
    assert torch.autograd.gradcheck(function, values, eps=1e-6, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("what", ["dry", "frozen", "flood"])
def test_dry_frozen_and_flooded_rivers_have_finite_temperatures_and_gradients(what, dtype):
    forcing, parameters, state = inputs(days=20, dtype=dtype)
    if what == "dry":
        forcing["discharge"] *= 0.0
        state |= {name: 0.0 * state[name] for name in ("groundwater_flow", "subsurface_flow")}
    elif what == "frozen":
        forcing["air_temperature"] -= 45.0
    else:
        forcing["discharge"] = 1e5 + forcing["discharge"]
    found = run(PROCESS, (forcing, parameters, state), "reference", fluxes=PROCESS.flux_names)
    for key, value in found.items():
        assert torch.isfinite(value).all(), key
    water = found["flux", "water_temperature"]
    assert (water >= 0).all()
    if what == "frozen":
        assert water[-1].mean() < 3.0


def test_a_dry_river_has_the_equilibrium_temperature():
    fluxes, _ = integrate(PROCESS, constant(discharge=0.0), settings(), fluxes=PROCESS.flux_names)
    water, equilibrium = (fluxes[name][-1].item() for name in ("water_temperature", "equilibrium_temperature"))
    assert water == pytest.approx(equilibrium, abs=0.05)


def test_air2stream_comes_to_its_steady_state():
    process = air2stream()
    p = {"a1": 2.0, "a2": 0.4, "a3": 0.5, "a4": 0.3, "a5": 3.0, "a6_cosine": 1.0, "a6_sine": 0.5, "a8": 0.2}
    forcing = constant(process, discharge=6.0)
    water = integrate(process, forcing, settings(process, mean_discharge=4.0, **p), fluxes=("water_temperature",))[0]
    season = 1.0 * 0.4 + 0.5 * -0.3
    expected = (2.0 + 0.4 * 15 + 1.5 * (3.0 + season)) / (0.5 + 1.5 * 0.2)
    assert water["water_temperature"][-1].item() == pytest.approx(expected, abs=1e-9)
    water = integrate(
        process,
        constant(process, air_temperature=-30),
        settings(process, **p | {"a5": 0.0}),
        fluxes=("water_temperature",),
    )[0]
    assert water["water_temperature"][-1].item() == 0.0


def test_air2stream_takes_a_day_by_backward_euler():
    process = air2stream()
    forcing, p, state = inputs(process, days=1)
    after = integrate(process, forcing, p, state, fluxes=("water_temperature",))[0]["water_temperature"][0]
    theta = (forcing["discharge"][0, :, None] / p["mean_discharge"]).clamp(min=1e-3)
    season = p["a6_cosine"] * forcing["season_cosine"][0, :, None] + p["a6_sine"] * forcing["season_sine"][0, :, None]
    slope = p["a1"] + p["a2"] * forcing["air_temperature"][0, :, None] - p["a3"] * after
    slope = (slope + theta * (p["a5"] + season - p["a8"] * after)) / theta ** p["a4"]
    above = after > 0
    assert above.float().mean() > 0.3
    torch.testing.assert_close((state["water_temperature"] + slope)[above], after[above], rtol=1e-9, atol=1e-9)


def test_logistic_curve():
    process = logistic_air_water()
    p = settings(process, window=3.0, lowest=1.0, range=24.0, steepness=0.2, inflection=12.0)
    for air, expected in ((12.0, 13.0), (-80.0, 1.0), (100.0, 25.0), (17.0, 1 + 24 / (1 + math.exp(-1)))):
        water = integrate(process, constant(process, air_temperature=air), p, fluxes=("water_temperature",))[0]
        assert water["water_temperature"][-1].item() == pytest.approx(expected, abs=1e-5)
