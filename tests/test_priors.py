"""The priors other than HBV: water balances, gradients, both integrators, limits and anchors of their equations."""

import math

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp

from thalweg.integrate import initial_state, integrate
from thalweg.processes.runoff.exp_hydro import bucket, drainage, exp_hydro, melted, smooth_step
from thalweg.processes.runoff.gr4j import gr4j
from thalweg.processes.runoff.hbv import hbv
from thalweg.processes.runoff.hbv_neural import hbv_neural, recharge_share
from thalweg.processes.runoff.prms import prms, quadratic_outflow
from thalweg.processes.runoff.sac_sma import capacities, distribute, percolation_demand, sac_sma
from thalweg.processes.runoff.xinanjiang import free_share, runoff_share, xinanjiang

PRIORS = {process.name: process for process in (gr4j(), exp_hydro(), xinanjiang(), sac_sma(), prms(), hbv_neural())}
every_prior = pytest.mark.parametrize("process", PRIORS.values(), ids=PRIORS)


def number(value):
    return torch.tensor(float(value), dtype=torch.float64)


def uniform(generator, low, high, *shape):
    return low + (high - low) * torch.rand(shape, generator=generator, dtype=torch.float64)


def weather(days, units, seed=0):
    """Winters with snow, a drought of 250 days in every 900, and storms of 300 mm."""
    generator = torch.Generator().manual_seed(seed)
    day = torch.arange(days, dtype=torch.float64)[:, None]
    season = torch.sin(day * (2 * torch.pi / 365.25))
    rain = uniform(generator, -25, 25, days, units).clamp(min=0) * uniform(generator, 0.4, 1, units)
    rain = torch.where(uniform(generator, 0, 1, days, units) < 0.002, 300.0, rain)
    return {
        "precipitation": rain * (day % 900 > 250),
        "temperature": 5 + 12 * season + uniform(generator, -6, 6, days, units),
        "potential_evapotranspiration": (2 + 2 * season) * uniform(generator, 0.2, 3, units),
    }


def drawn(process, *shape, seed=0, corners=False):
    """Parameters from their whole ranges, or each at one of its bounds."""
    generator = torch.Generator().manual_seed(seed)
    share = {p.name: uniform(generator, 0, 1, *shape) for p in process.parameters}
    return {p.name: p.at(share[p.name].round() if corners else share[p.name]) for p in process.parameters}


def imbalance(forcing, fluxes, start, end):
    """Water that came less water that left or stayed, mm, (unit, component)."""
    came = forcing["precipitation"].sum(0)[:, None] + sum(start.values())
    if "exchange" in fluxes:
        came = came + fluxes["exchange"].sum(0)
    left = fluxes["runoff"].sum(0) + fluxes["evapotranspiration"].sum(0) + sum(end.values())
    if "sink" in fluxes:
        left = left + fluxes["sink"].sum(0)
    return came - left


def check_water(process, forcing, parameters, backend="fused"):
    fluxes, end = integrate(process, forcing, parameters, fluxes=process.flux_names, backend=backend)
    like = fluxes["runoff"][0]
    start = initial_state(process, *like.shape, like.dtype)
    assert imbalance(forcing, fluxes, start, end).abs().max() < 1e-8
    for name, value in (fluxes | end).items():
        assert torch.isfinite(value).all(), name
        assert name == "exchange" or (value >= 0).all(), name
    assert (fluxes["runoff"] >= fluxes["baseflow"]).all()


def one_day(process, forcing, parameters, state):
    """Fluxes and states after a day, by name, as numbers."""
    given = (
        {n: torch.full((1, 1), float(v), dtype=torch.float64) for n, v in g.items()} for g in (forcing, parameters)
    )
    start = dict.fromkeys(process.state_names, 0.0) | state
    start = {name: torch.full((1, 1), float(value), dtype=torch.float64) for name, value in start.items()}
    fluxes, end = integrate(process, *given, start, process.flux_names, "reference")
    return {name: value.item() for name, value in (fluxes | end).items()}


def middle(process, **changes):
    return {p.name: p.at(0.5) for p in process.parameters} | changes


def warm(precipitation=0.0, potential=0.0):
    return {"precipitation": precipitation, "temperature": 15.0, "potential_evapotranspiration": potential}


@every_prior
def test_they_have_the_interface_of_hbv(process):
    assert process.forcing_names == hbv().forcing_names
    assert process.flux_names[:2] == ("runoff", "evapotranspiration")
    assert {"baseflow", "snowmelt"} <= set(process.flux_names)
    stores = ("snow_water_equivalent", "water_storage")
    assert all(variable.unit == "mm/day" for variable in process.fluxes if variable.name not in stores)
    assert all(state.unit == "mm" for state in process.states)
    assert all(p.low < p.high and (p.low > 0 or not p.logarithmic) for p in process.parameters)


@pytest.mark.long
@every_prior
@pytest.mark.parametrize("corners", [False, True], ids=["drawn", "at bounds"])
def test_water_balance_over_ten_years(process, corners):
    check_water(process, weather(3653, 40), drawn(process, 40, 5, corners=corners))


@every_prior
def test_water_balance_when_parameters_change_from_day_to_day(process):
    days, units = 60, 8
    check_water(process, weather(days, units), drawn(process, days, units, 3), backend="reference")


@pytest.mark.long
@every_prior
def test_fused_and_reference_agree(process):
    results = []
    for backend in ("fused", "reference"):
        given = [weather(120, 6, seed=3), drawn(process, 6, 2, seed=3), initial_state(process, 6, 2, torch.float64)]
        leaves = [tensor.requires_grad_() for group in given for tensor in group.values()]
        fluxes, end = integrate(process, *given, process.flux_names, backend)
        loss = weighted(fluxes, end).sum()
        results.append([*fluxes.values(), *end.values(), *torch.autograd.grad(loss, leaves, materialize_grads=True)])
    for fused, reference in zip(*results):
        scale = max(1e-3, reference.abs().max().item())
        assert torch.isfinite(reference).all()
        assert (fused - reference).abs().max().item() < 1e-9 * scale


def weighted(fluxes, end):
    """A loss of each unit in which every flux and state has a part."""
    generator = torch.Generator().manual_seed(1)
    total = 0.0
    for value in fluxes.values():
        total = total + (uniform(generator, 0, 1, len(value))[:, None, None] * value).sum((0, 2))
    for value in end.values():
        total = total + 0.01 * value.square().sum(1)
    return total


@every_prior
def test_gradients_are_those_of_finite_differences(process):
    """Every unit but the first has one parameter, or one state at the start, moved up or down a little."""
    names = [*process.parameter_names, *process.state_names]
    units = 1 + 2 * len(names)
    forcing = {name: value.repeat(1, units) for name, value in weather(90, 1, seed=8).items()}
    forcing["precipitation"] += 0.5
    values = drawn(process, 1, 1, seed=5) | {name: torch.full((1, 1), 3.0).double() for name in process.state_names}
    values = {name: value.repeat(units, 1) for name, value in values.items()}
    steps = {name: 1e-5 * max(abs(value[0].item()), 0.1) for name, value in values.items()}
    for place, name in enumerate(names):
        values[name][1 + 2 * place] += steps[name]
        values[name][2 + 2 * place] -= steps[name]
        values[name].requires_grad_()
    parameters, state = ({name: values[name] for name in g} for g in (process.parameter_names, process.state_names))
    loss = weighted(*integrate(process, forcing, parameters, state, process.flux_names, "reference"))
    gradients = torch.autograd.grad(loss[0], list(values.values()), materialize_grads=True)
    for place, (name, gradient) in enumerate(zip(values, gradients)):
        up, down = loss[1 + 2 * place].item(), loss[2 + 2 * place].item()
        assert gradient[0].item() == pytest.approx((up - down) / (2 * steps[name]), rel=1e-5, abs=1e-6), name


@pytest.mark.long
@every_prior
def test_gradients_stay_finite_in_single_precision_at_the_bounds(process):
    """Stores that stand empty or drain at once must not amplify what comes back from later days."""
    forcing = {name: value.float() for name, value in weather(500, 100, seed=4).items()}
    parameters = {name: value.float().requires_grad_() for name, value in drawn(process, 100, 4, corners=True).items()}
    runoff = integrate(process, forcing, parameters, backend="reference")[0]["runoff"]
    for name, gradient in zip(parameters, torch.autograd.grad(runoff.mean(), list(parameters.values()))):
        assert torch.isfinite(gradient).all(), name


@every_prior
def test_cold_precipitation_is_stored_and_melts(process):
    days = {
        "precipitation": torch.tensor([[10.0], [0.0]]),
        "temperature": torch.tensor([[-8.0], [20.0]]),
        "potential_evapotranspiration": torch.zeros(2, 1),
    }
    parameters = {p.name: torch.full((1, 1), p.at(0.5)) for p in process.parameters}
    fluxes, end = integrate(process, days, parameters, fluxes=("snowmelt",), backend="reference")
    # more melts than there is; in EXP-HYDRO's equation dN/dt = -min(N, rate) the last of it goes as exp(-t)
    left = 10.001 / math.e if process.name == "exp_hydro" else 0.0
    assert fluxes["snowmelt"][0].item() == 0
    assert fluxes["snowmelt"][1].item() == pytest.approx(10 - left, abs=0.01)
    assert end["snowpack"].item() == pytest.approx(left, abs=1e-5)


# EXP-HYDRO


def test_exp_hydro_by_hand():
    """A bucket 5 mm below its capacity without rain, one 10 mm above it with less supply than it drains, and a day's melt."""
    parameters = {"f": 0.02, "Smax": 100, "Qmax": 20, "Df": 2, "Tmax": 1, "Tmin": -1}
    day = one_day(exp_hydro(), warm(), parameters, {"catchment_store": 95})
    assert day["baseflow"] == pytest.approx(math.log(1 + 0.02 * 20 * math.exp(-0.02 * 5)) / 0.02, abs=1e-12)
    assert day["surface_flow"] == 0 and day["catchment_store"] == pytest.approx(95 - day["baseflow"])
    day = one_day(exp_hydro(), warm(15), parameters, {"catchment_store": 110})
    # x = S - Smax falls as dx/dt = 15 - 20 - x to 5 mm above the capacity at most: -5 + 15 exp(-t)
    assert day["catchment_store"] == pytest.approx(95 + 15 / math.e)
    assert day["baseflow"] == pytest.approx(20) and day["surface_flow"] == pytest.approx(-5 + 15 * (1 - 1 / math.e))
    day = one_day(exp_hydro(), warm(0, 4), parameters | {"Qmax": 0}, {"catchment_store": 50})
    assert (
        day["evapotranspiration"]
        == pytest.approx(50 * (1 - 0.98 / 1.02))
        == pytest.approx(50 * (1 - math.exp(-0.04)), abs=1e-3)
    )
    # 7 mm melt steadily, 3 mm a day; then 3 mm as exp(-t): of 4 mm 1 mm in a third of a day
    assert melted(number(7), number(3)).item() == pytest.approx(3)
    assert melted(number(4), number(3)).item() == pytest.approx(1 + 3 * (1 - math.exp(-2 / 3)))
    assert melted(number(2), number(0)).item() == 0


FLASHY = {
    "f": (0.1, 0.1, 0.05, 0.1, 0.02, 0.1, 0.002, 0.001),
    "Smax": (100.0, 150.0, 120.0, 300.0, 200.0, 100.0, 600.0, 100.0),
    "Qmax": (10.0, 20.0, 10.0, 50.0, 20.0, 50.0, 10.0, 50.0),
}


def differential_equation(rain, potential, p, store):
    """Flow of EXP-HYDRO's bucket by an adaptive method with tight tolerances, mm/day, (day, set)."""
    size, flow = len(store), []

    def rates(_, y, supply, demand):
        level = y[:size]
        drained = p["Qmax"] * np.exp(p["f"] * np.minimum(level - p["Smax"], 0))
        spilt = np.maximum(level - p["Smax"], 0)
        empty = level <= 0
        drained = np.where(empty, np.minimum(drained, supply), drained)
        evaporated = np.where(empty, 0, demand * np.minimum(level / p["Smax"], 1))
        return np.concatenate([supply - evaporated - drained - spilt, drained + spilt])

    settings = {"rtol": 1e-8, "atol": 1e-8, "max_step": 0.02}
    for day in zip(rain, potential):
        solved = solve_ivp(rates, (0, 1), np.concatenate([store, np.zeros(size)]), args=day, **settings)
        store = solved.y[:size, -1]
        flow.append(solved.y[size:, -1])
    return np.array(flow)


def test_exp_hydro_solves_its_differential_equation_on_flashy_catchments():
    """One step a day of the order rain, spill, evaporation, drainage had NSE -0.42 to 0.84 on such sets, and peaks up to 2.3 times."""
    generator = np.random.default_rng(1)
    days, size = 200, len(FLASHY["f"])
    rain = np.where(generator.random(days) < 0.2, generator.gamma(0.6, 40, days), 0)
    potential = generator.uniform(0, 6, days)
    p = {name: np.array(values) for name, values in FLASHY.items()}
    exact = differential_equation(rain, potential, p, 0.5 * p["Smax"])
    forcing = {
        "precipitation": torch.tensor(rain)[:, None].repeat(1, size),
        "temperature": torch.full((days, size), 15.0).double(),
        "potential_evapotranspiration": torch.tensor(potential)[:, None].repeat(1, size),
    }
    parameters = {q.name: torch.full((size, 1), q.at(0.5)).double() for q in exp_hydro().parameters}
    parameters |= {name: torch.tensor(value)[:, None] for name, value in p.items()}
    state = {"snowpack": torch.zeros(size, 1).double(), "catchment_store": 0.5 * parameters["Smax"]}
    found = integrate(exp_hydro(), forcing, parameters, state)[0]["runoff"][:, :, 0].numpy()
    nse = 1 - ((found - exact) ** 2).sum(0) / ((exact - exact.mean(0)) ** 2).sum(0)
    assert nse.min() > 0.9995
    assert found.max(0) / exact.max(0) == pytest.approx(1, abs=0.01)
    assert found.sum(0) == pytest.approx(exact.sum(0), rel=0.02)


def test_exp_hydro_bucket_is_exact_through_its_capacity():
    """Against 20 000 small steps: rising and falling through the capacity, staying on either side, running empty."""
    generator = torch.Generator().manual_seed(0)
    count, parts = 400, 20000
    p = {"f": 0.001 * 100 ** uniform(generator, 0, 1, count), "Qmax": uniform(generator, 10, 50, count)}
    p["Smax"] = uniform(generator, 100, 300, count)
    start = torch.cat([p["Smax"][:300] * uniform(generator, 0.8, 1.2, 300), uniform(generator, 0, 30, 100)])
    supply = uniform(generator, -40, 100, count).clamp(min=0)
    store, drained, spilt = start.clone(), 0.0, 0.0
    for _ in range(parts):
        flow = p["Qmax"] * torch.exp(p["f"] * (store - p["Smax"]).clamp(max=0)) / parts
        spill = (store - p["Smax"]).clamp(min=0) / parts
        flow = torch.minimum(flow, store + supply / parts)
        store = store + supply / parts - flow - spill
        drained, spilt = drained + flow, spilt + spill
    found = bucket(start, supply, p)
    for value, expected in zip(found, (store, drained, spilt)):
        torch.testing.assert_close(value, expected, rtol=0, atol=5e-3)
    torch.testing.assert_close(start + supply, sum(found), rtol=0, atol=1e-10)
    assert ((start < p["Smax"]) & (store > p["Smax"])).sum() > 20 < ((start > p["Smax"]) & (store < p["Smax"])).sum()
    assert (store < 1e-9).sum() > 5


def test_exp_hydro_drains_no_more_than_there_is():
    p = {"f": number(0.001), "Smax": number(120), "Qmax": number(30)}
    assert drainage(number(0), number(0), 1.0 + 0 * number(0), p).item() == 0
    assert drainage(number(0), number(7), 1.0 + 0 * number(0), p).item() == 7


def test_exp_hydro_parts_rain_and_snow_smoothly():
    assert smooth_step(number(0)).item() == 0.5
    assert smooth_step(number(0.1)).item() == pytest.approx((1 + math.tanh(0.5)) / 2)
    x = torch.tensor([-60.0, 60.0], requires_grad=True)
    assert torch.equal(smooth_step(x).detach().round(), torch.tensor([0.0, 1.0]))
    assert torch.isfinite(torch.autograd.grad(smooth_step(x).sum(), x)[0]).all()


# Xinanjiang


def test_xinanjiang_runoff_curve():
    for a in (-0.4, 0.0, 0.3):
        for b in (0.3, 1.0, 4.0):
            low = 0.5 - a
            assert runoff_share(number(0), a, b).item() == pytest.approx(0, abs=1e-2 if b < 1 else 1e-9)
            assert runoff_share(number(1), a, b).item() == pytest.approx(1, abs=1e-2 if b < 1 else 1e-9)
            for place in (low - 1e-9, low + 1e-9):
                assert runoff_share(number(place), a, b).item() == pytest.approx(low, abs=1e-7)
            rising = runoff_share(torch.linspace(0, 1, 200, dtype=torch.float64), a, b)
            assert (rising.diff() > 0).all()
    # the paper's two branches, and the single parabola where the lower one vanishes
    assert runoff_share(number(0.2), 0.1, 2.0).item() == pytest.approx(0.4 ** (1 - 2) * 0.2**2)
    assert runoff_share(number(0.7), 0.1, 2.0).item() == pytest.approx(1 - 0.6 ** (1 - 2) * 0.3**2)
    assert runoff_share(number(0.7), 0.49999, 0.3).item() == pytest.approx(1 - 0.3**0.3, abs=1e-4)


def test_xinanjiang_by_hand():
    parameters = middle(xinanjiang()) | {
        "aim": 0.1, "a": 0.1, "b": 2, "stot": 200, "fwm": 0.5, "flm": 0.8, "c": 0.2, "ex": 1.5, "ki": 0.3, "kg": 0.2,
        "ci": 0.5, "cg": 0.05,
    }  # fmt: skip
    state = {"tension_water": 70, "free_water": 36, "interflow_store": 4, "groundwater": 50}
    day = one_day(xinanjiang(), warm(20, 4), parameters, state)
    runoff = 18 * (1 - 0.3**2 / 0.6)
    surface = runoff * (1 - 0.64**1.5)
    free = 36 + runoff - surface
    area = 1 - (1 - free / 100) ** 1.5
    assert day["evapotranspiration"] == pytest.approx(4 * (70 + 18 - runoff) / 80)
    assert day["surface_flow"] == pytest.approx(2 + surface)
    assert day["interflow"] == pytest.approx(0.5 * (4 + 0.3 * free * area))
    assert day["recharge"] == pytest.approx(0.2 * (1 - 0.3 * area) * free * area)
    assert day["baseflow"] == pytest.approx(0.05 * (50 + day["recharge"]))
    assert day["tension_water"] == pytest.approx((70 + 18 - runoff) * (1 - 4 / 80))


def test_xinanjiang_limits():
    assert free_share(number(0), 1.5).item() == pytest.approx(0, abs=1e-12)
    assert free_share(number(1), 1.5).item() == pytest.approx(1, abs=1e-9)
    parameters = middle(xinanjiang(), stot=200, fwm=0.5, flm=0.8, c=0.15)
    dry = one_day(xinanjiang(), warm(0, 5), parameters, {"tension_water": 2})
    assert dry["evapotranspiration"] == pytest.approx(0.15 * 5)
    assert dry["runoff"] == 0
    sealed = one_day(xinanjiang(), warm(30), parameters | {"aim": 1}, {})
    assert sealed["runoff"] == pytest.approx(30)


# SAC-SMA


def sac(**changes):
    return middle(sac_sma(), pctim=0, smax=400, f1=0.2, f2=0.25, f3=0.5, f4=0.6, rexp=1.5) | changes


def test_sac_sma_capacities():
    given = capacities({name: number(value) for name, value in sac().items()})
    assert [value.item() for value in given] == pytest.approx([80, 80, 120, 72, 48])


def test_sac_sma_percolation_at_full_and_empty_lower_zones():
    base, capacity = 0.02 * 72 + 0.1 * 48, 240
    assert percolation_demand(number(0), capacity, base, 1.5)[0].item() == pytest.approx(base)
    assert percolation_demand(number(capacity), capacity, base, 1.5)[0].item() == pytest.approx(capacity)
    zperc = (120 + 48 * (1 - 0.1) + 72 * (1 - 0.02)) / base
    half = base * (1 + zperc * 0.5**2.5)
    deficit = number(120).requires_grad_()
    demand, slope = percolation_demand(deficit, capacity, base, 1.5)
    assert demand.item() == pytest.approx(half)
    assert slope.item() == pytest.approx(torch.autograd.grad(demand, deficit)[0].item())


def test_sac_sma_full_stores_stay_full():
    """Percolation into a full lower zone is what leaves it."""
    full = {
        "upper_tension": 80, "upper_free": 80, "lower_tension": 120, "lower_primary": 72, "lower_supplementary": 48,
    }  # fmt: skip
    day = one_day(sac_sma(), warm(50), sac(klzp=0.02, klzs=0.1, kuz=0), full)
    base = 0.02 * 72 + 0.1 * 48
    assert day["percolation"] == pytest.approx(base)
    assert day["baseflow"] == pytest.approx(base)
    assert day["surface_flow"] == pytest.approx(50 - base)
    assert {name: day[name] for name in full} == pytest.approx(full)


def test_sac_sma_empty_lower_zone_takes_a_full_upper_zone():
    day = one_day(sac_sma(), warm(), sac(pfree=0.25, kuz=0.5), {"upper_tension": 80, "upper_free": 80})
    assert day["percolation"] == pytest.approx(80)
    assert day["lower_tension"] == pytest.approx(60)
    assert day["lower_primary"] == pytest.approx(12) and day["lower_supplementary"] == pytest.approx(8)
    assert day["upper_tension"] == pytest.approx(80) and day["runoff"] == 0


def test_sac_sma_distributes_all_that_percolates():
    generator = torch.Generator().manual_seed(0)
    deficits = tuple(uniform(generator, 0, 1, 500) * (uniform(generator, 0, 1, 500) < 0.8) for _ in range(3))
    percolation = sum(deficits) * uniform(generator, 0, 1.2, 500).clamp(max=1)
    parts = distribute(percolation, deficits, uniform(generator, 0, 1, 500))
    torch.testing.assert_close(sum(parts), percolation)
    for part, deficit in zip(parts, deficits):
        assert (part >= 0).all() and (part <= deficit + 1e-9).all()
    parts = distribute(number(1), (number(50), number(3), number(1)), 0.4)
    assert [part.item() for part in parts] == pytest.approx([0.6, 0.3, 0.1])


def test_sac_sma_free_water_refills_tension_water():
    """Free and tension water end filled alike: 60 mm in 80 + 80 mm above, 120 mm in 240 mm below."""
    state = {"upper_tension": 10, "upper_free": 50, "lower_primary": 72, "lower_supplementary": 48}
    day = one_day(sac_sma(), warm(), sac(rexp=7, kuz=0, klzp=0, klzs=0), state | {"lower_tension": 0})
    percolated = 240 * 0.5**8 * 50 / 80 / (1 + 8 * 0.5**7 * 50 / 80)
    assert day["percolation"] == pytest.approx(percolated)
    assert day["upper_tension"] == pytest.approx((60 - percolated) / 2) == pytest.approx(day["upper_free"])
    assert day["lower_tension"] == pytest.approx((120 + percolated) / 2)


# PRMS


def test_prms_subsurface_flow_is_that_of_the_end_of_the_day():
    for k3, k4 in ((0.0, 0.0), (0.3, 0.0), (0.0, 0.7), (0.4, 0.05), (1.0, 1.0)):
        for storage in (0.0, 2.0, 300.0):
            outflow = quadratic_outflow(number(storage), k3, k4).item()
            end = storage - outflow
            assert outflow == pytest.approx(k3 * end + k4 * end**2, abs=1e-10)


def test_prms_by_hand():
    parameters = {
        "tt": 0, "ddf": 3, "alpha": 0.5, "beta": 0.8, "stor": 2, "retip": 1, "fscn": 0.2, "scx": 0.5, "flz": 0.6,
        "stot": 200, "cgw": 3, "resmax": 50, "k1": 0.5, "k2": 2, "k3": 0.1, "k4": 0.01, "k5": 0.1, "k6": 0.02,
    }  # fmt: skip
    state = {"recharge_zone": 60, "lower_soil": 115, "subsurface_store": 10, "groundwater": 40}
    day = one_day(prms(), warm(30, 5), parameters, state)
    water = 30 * 0.8 - 2
    surface = water * (0.1 + 0.4 * 60 / 80)
    upper = 60 + water - surface
    from_upper = 2 * upper / 80  # leaves and the impervious area evaporate 2 and 1 of the 5 mm
    from_lower = (2 - from_upper) * 115 / 120
    assert day["surface_flow"] == pytest.approx(5 + surface)
    assert day["evapotranspiration"] == pytest.approx(2 + 1 + from_upper + from_lower)
    assert day["recharge_zone"] == pytest.approx(upper - from_upper)
    assert day["lower_soil"] == pytest.approx(115 - from_lower)
    parameters |= {"stot": 100, "flz": 0.5}
    state |= {"recharge_zone": 50, "lower_soil": 50}
    day = one_day(prms(), warm(30, 0), parameters, state)
    excess = water * 0.5
    store = 10 + excess - 3
    end = (-1.1 + math.sqrt(1.1**2 + 0.04 * store)) / 0.02
    assert day["interflow"] == pytest.approx(store - end)
    rate = 0.5 * (end / 50) ** 2
    assert day["recharge"] == pytest.approx(3 + rate / (1 + 2 * rate / end))
    groundwater = 40 + day["recharge"]
    assert day["baseflow"] == pytest.approx(0.1 * groundwater)
    assert day["sink"] == pytest.approx(0.02 * 0.9 * groundwater)


# HBV with a network


def network(hidden=4, seed=0):
    generator = torch.Generator().manual_seed(seed)
    names = [p.name for p in hbv_neural(hidden).parameters if p.name.startswith(("w_", "v_"))]
    return {name: uniform(generator, -1, 1).requires_grad_() for name in names}


def test_hbv_neural_has_the_parameters_of_hbv_but_for_its_network():
    names = {p.name for p in hbv().parameters}
    assert names - {p.name for p in hbv_neural().parameters} == {"BETA"}
    assert set(network()) == {p.name for p in hbv_neural().parameters} - names
    assert len(network()) == 4 * 3 + 4 + 1 and len(network(2)) == 2 * 3 + 2 + 1


def test_hbv_neural_without_weights_passes_a_constant_share():
    zero = {name: 0.0 for name in network()}
    day = one_day(hbv_neural(), warm(10), middle(hbv_neural(), FC=200) | zero | {"v_0": -1}, {"soil_moisture": 100})
    assert day["recharge"] == pytest.approx(10 / (1 + math.e))
    rise = day["capillary_rise"]
    assert day["soil_moisture"] == pytest.approx(110 - 10 / (1 + math.e) + rise)


def test_hbv_neural_learns_the_recharge_of_hbv():
    weights = network()
    optimiser = torch.optim.Adam(weights.values(), lr=0.05)
    filled = torch.linspace(0, 1, 41, dtype=torch.float64)[:, None]
    water = torch.tensor([1.0, 10.0, 60.0], dtype=torch.float64)
    for _ in range(500):
        error = (recharge_share(filled, water, weights, 4) - filled**2).square().mean()
        optimiser.zero_grad()
        error.backward()
        optimiser.step()
    assert error.sqrt().item() < 0.03
    bounds = {p.name: p for p in hbv_neural().parameters}
    assert all(bounds[name].low <= value.item() <= bounds[name].high for name, value in weights.items())
