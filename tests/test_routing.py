"""Reach processes and their march down a river network."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from conftest import make_domain
from thalweg.analysis.twin_river import recover
from thalweg.basin.network import River
from thalweg.integrate import integrate
from thalweg.integrate.river import route
from thalweg.processes import Parameter, Process, State
from thalweg.processes.operations import sqrt
from thalweg.processes.routing import muskingum_cunge as reach
from thalweg.processes.routing.muskingum_cunge import linear_reservoir, muskingum_cunge

HOURLY = muskingum_cunge(3600.0)


def confluences(reaches=60, seed=0, straight=4):
    """A random river: every reach drains to one of the ``straight`` before it."""
    generator = np.random.default_rng(seed)
    down = [""] + [f"r{generator.integers(max(0, i - straight), i)}" for i in range(1, reaches)]
    return River([f"r{i}" for i in range(reaches)], down)


def line(reaches):
    return River([str(i) for i in range(reaches)], [*(str(i) for i in range(1, reaches)), ""])


def parameters_of(reaches, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)

    def uniform(low, high):
        return (low + (high - low) * torch.rand(reaches, generator=generator, dtype=torch.float64)).to(dtype)

    return {
        "roughness": uniform(0.02, 0.15),
        "width_coefficient": uniform(5, 40),
        "width_exponent": uniform(0.05, 0.9),
        "slope": 10 ** uniform(-3.7, -1.5),
        "length": uniform(500, 12000),
    }


def alike(reaches, **values):
    return {name: torch.full((reaches,), value, dtype=torch.float64) for name, value in values.items()}


def storms(steps, reaches, seed=1, dtype=torch.float64, base=0.02):
    generator = torch.Generator().manual_seed(seed)
    on = torch.rand(steps, 1, generator=generator, dtype=torch.float64) < 0.1
    return (base + 5.0 * on * torch.rand(steps, reaches, generator=generator, dtype=torch.float64)).to(dtype)


def test_anchor_of_the_section():
    """Discharge 50 m3/s, n 0.03, slope 0.001, p 21, q 0.5: depth, width, velocity and exact celerity."""
    n, p, q, slope = (torch.tensor(value, dtype=torch.float64) for value in (0.03, 21.0, 0.5, 0.001))
    length = torch.tensor(1000.0, dtype=torch.float64)
    beta = reach.exponent(q)
    volume = (50.0 / reach.rating(n, p, q, slope, length)) ** (1 / beta)
    depth = reach.depth(volume / length, p, q)
    velocity = 50.0 / (volume / length)
    found = [depth, p * depth**q, velocity, beta * velocity]
    torch.testing.assert_close(
        torch.stack(found), torch.tensor([1.75630, 27.8303, 1.534420, 2.216385], dtype=torch.float64), rtol=1e-5, atol=0
    )


@pytest.mark.parametrize("dtype, limit", [(torch.float32, 1e-6), (torch.float64, 1e-13)])
@pytest.mark.parametrize("step", [3600.0, 86400.0])
def test_a_year_of_storms_conserves_mass_and_never_runs_dry_below_zero(dtype, limit, step):
    river = confluences(150)
    lateral = storms(365 * 24 if step == 3600.0 else 365, 150, dtype=dtype, base=0.0)
    discharge, state = route(muskingum_cunge(step), river, lateral, parameters_of(150, dtype=dtype))
    given = step * lateral.double().sum()
    left = step * discharge[:, river.outlets].double().sum()
    assert abs(given - left - state["volume"].double().sum()) / given < limit
    assert discharge.min() >= 0
    assert state["volume"].min() >= 0


@pytest.mark.parametrize("step", [900.0, 3600.0, 86400.0])
def test_steady_state_is_exact_from_the_start(step):
    river = confluences()
    lateral = storms(1, 60).expand(200, 60)
    parameters = parameters_of(60)
    expected = torch.as_tensor(river.accumulate(lateral[0].numpy()))
    volume = reach.steady_volume(parameters, expected - lateral[0], lateral[0], step)
    discharge, _ = route(muskingum_cunge(step), river, lateral, parameters, {"volume": volume})
    torch.testing.assert_close(discharge, expected.expand(200, 60), rtol=1e-9, atol=0)


def test_fused_and_reference_agree_with_gradients():
    river, steps = confluences(40), 30
    results = []
    for backend in ("reference", "fused"):
        parameters = {name: value.requires_grad_() for name, value in parameters_of(40).items()}
        lateral = storms(steps, 40).requires_grad_()
        start = {"volume": torch.full((40,), 5e3, dtype=torch.float64, requires_grad=True)}
        discharge, state = route(HOURLY, river, lateral, parameters, start, backend=backend, checkpoint_steps=7)
        loss = (discharge * torch.linspace(1, 2, steps, dtype=torch.float64)[:, None]).sum() + state[
            "volume"
        ].sum() / 1e4
        tensors = [lateral, *parameters.values(), start["volume"]]
        results.append([discharge.detach(), state["volume"].detach(), *torch.autograd.grad(loss, tensors)])
    for expected, found in zip(*results):
        torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9 * expected.abs().max().item())


def test_gradients_against_finite_differences_on_a_confluence_with_a_lake():
    river = River(["a", "b", "lake", "mouth"], ["lake", "lake", "mouth", ""])
    process = muskingum_cunge(3600.0, lakes=True)
    parameters = parameters_of(4) | {
        "lake_area": torch.tensor([0.0, 0.0, 5e5, 0.0], dtype=torch.float64),
        "weir_coefficient": torch.full((4,), 20.0, dtype=torch.float64),
    }
    names = ["roughness", "width_coefficient", "width_exponent", "weir_coefficient"]
    lateral = storms(6, 4, base=0.5)
    volume = reach.steady_volume(parameters, torch.ones(4, dtype=torch.float64), lateral[0], 3600.0)

    def function(lateral, volume, *values):
        discharge, state = route(process, river, lateral, parameters | dict(zip(names, values)), {"volume": volume})
        return discharge.sum(0), state["volume"] / 1e4

    inputs = [t.clone().requires_grad_() for t in (lateral, volume, *(parameters[name] for name in names))]
    assert torch.autograd.gradcheck(function, inputs, eps=1e-5, rtol=1e-4, atol=1e-6)


def test_the_order_of_reaches_does_not_matter():
    river, order = confluences(), np.random.default_rng(3).permutation(60)
    lateral, parameters = storms(50, 60), parameters_of(60)
    expected, _ = route(HOURLY, river, lateral, parameters)
    names = np.array(river.reach)
    down = np.array([names[i] if i >= 0 else "" for i in river.downstream])
    shuffled = River(names[order], down[order])
    found, _ = route(HOURLY, shuffled, lateral[:, order], {name: v[order] for name, v in parameters.items()})
    torch.testing.assert_close(found, expected[:, order], rtol=1e-12, atol=1e-12)


def test_results_do_not_depend_on_the_number_of_threads():
    river, lateral, parameters = confluences(700, straight=300), storms(20, 700), parameters_of(700)
    threads = torch.get_num_threads()
    found = []
    try:
        for number in (1, 2):
            torch.set_num_threads(number)
            leaf = lateral.clone().requires_grad_()
            discharge, _ = route(HOURLY, river, leaf, parameters)
            found.append((discharge.detach(), *torch.autograd.grad(discharge.square().sum(), leaf)))
    finally:
        torch.set_num_threads(threads)
    assert all(torch.equal(a, b) for a, b in zip(*found))


def test_small_waves_on_a_large_flow_are_those_of_linear_muskingum():
    """Against a dense solve of the classical coefficients, with K and X of the flow that the wave rides on."""
    steps, base, dt = 120, 100.0, 3600.0
    parameters = alike(1, roughness=0.035, width_coefficient=20.0, width_exponent=0.3, slope=0.001, length=9000.0)
    inflow = base + 1e-4 * base * torch.exp(-((torch.arange(steps, dtype=torch.float64) - 30) ** 2) / 50)
    zero = torch.zeros(1, dtype=torch.float64)
    volume = reach.steady_volume(parameters, zero + base, zero, dt)
    fluxes, _ = integrate(
        muskingum_cunge(dt),
        {"inflow": inflow[:, None], "lateral_inflow": 0 * inflow[:, None]},
        {name: value[:, None] for name, value in parameters.items()},
        {"volume": volume[:, None]},
        fluxes=("discharge",),
    )
    beta = reach.exponent(parameters["width_exponent"])
    storage = (volume / (beta * base)).item()  # K, the travel time of the wave
    depth = reach.depth(volume / 9000.0, parameters["width_coefficient"], parameters["width_exponent"])
    weight = (0.5 - depth / (2 * 1.3 * beta * 0.001 * 9000.0)).item()
    scale = 2 * storage * (1 - weight) + dt
    c1, c2, c3 = (dt - 2 * storage * weight) / scale, (dt + 2 * storage * weight) / scale, 1 - 2 * dt / scale
    expected = [base]
    for before, now in pairwise(inflow):
        expected.append(c1 * now.item() + c2 * before.item() + c3 * expected[-1])
    found = fluxes["discharge"][:, 0, 0]
    assert 0 < weight < 0.5 and storage > dt / 2
    torch.testing.assert_close(
        found - base, torch.tensor(expected, dtype=torch.float64) - base, rtol=0, atol=2e-7 * base
    )


def test_a_small_wave_travels_and_spreads_as_hayami_says():
    """Delay and variance of a pulse over 100 km: L / c and 2 D L / c**3 of the advection-diffusion equation."""
    reaches, length, base, dt, steps = 50, 2000.0, 100.0, 900.0, 400
    parameters = alike(reaches, roughness=0.035, width_coefficient=30.0, width_exponent=0.2, slope=5e-4, length=length)
    lateral = torch.zeros(steps, reaches, dtype=torch.float64)
    time = torch.arange(steps, dtype=torch.float64) * dt
    pulse = torch.exp(-((time - 20 * dt) ** 2) / (2 * (4 * dt) ** 2))
    lateral[:, 0] = base + 1e-3 * base * pulse
    flow = torch.full((reaches,), base, dtype=torch.float64)
    volume = reach.steady_volume(parameters, flow, 0 * flow, dt)
    discharge, _ = route(muskingum_cunge(dt), line(reaches), lateral, parameters, {"volume": volume})

    def moments(series):
        share = (series - base) / (series - base).sum()
        mean = (share * time).sum()
        return mean, (share * (time - mean) ** 2).sum()

    first, last = moments(discharge[:, 0]), moments(discharge[:, -1])
    beta = reach.exponent(parameters["width_exponent"])[0]
    area = volume[-1] / length
    celerity = beta * base / area
    width = 1.2 * area / reach.depth(area, parameters["width_coefficient"][0], parameters["width_exponent"][0])
    diffusivity = base / (2 * width * 5e-4)
    distance = (reaches - 1) * length
    torch.testing.assert_close(last[0] - first[0], distance / celerity, rtol=0.01, atol=0)
    torch.testing.assert_close(last[1] - first[1], 2 * diffusivity * distance / celerity**3, rtol=0.05, atol=0)


@pytest.mark.parametrize("share", [0.1, 10.0])
def test_a_linear_reservoir_drains_with_its_residence_time(share):
    """The exact solution of dV/dt = L - V / k from an empty store, at steps both short and long compared with k."""
    steps, dt = 200, 3600.0
    process = linear_reservoir(dt)
    lateral = torch.full((steps, 1), 3.0, dtype=torch.float64)
    residence = torch.tensor([dt / share], dtype=torch.float64)
    discharge, state = route(process, line(1), lateral, {"residence_time": residence})
    time = (torch.arange(steps, dtype=torch.float64) + 0.5) * dt
    exact = 3.0 * (1 - torch.exp(-time / residence))
    assert (discharge >= 0).all() and (discharge <= 3.0 + 1e-9).all()
    if share < 1:
        torch.testing.assert_close(discharge[:, 0], exact, rtol=0, atol=0.01)
    torch.testing.assert_close(3.0 * steps * dt - dt * discharge.sum(), state["volume"].sum(), rtol=1e-12, atol=1e-6)


def test_a_lake_holds_water_back_and_conserves_it():
    river = River(["in", "lake", "out"], ["lake", "out", ""])
    parameters = parameters_of(3) | {
        "lake_area": torch.tensor([0.0, 2e7, 0.0], dtype=torch.float64),
        "weir_coefficient": torch.full((3,), 30.0, dtype=torch.float64),
    }
    lateral = torch.zeros(500, 3, dtype=torch.float64)
    lateral[:24, 0] = 100.0
    with_lake, held = route(muskingum_cunge(3600.0, lakes=True), river, lateral, parameters)
    without, _ = route(
        muskingum_cunge(3600.0, lakes=True), river, lateral, parameters | {"lake_area": torch.zeros(3).double()}
    )
    assert with_lake[:, 2].max() < 0.5 * without[:, 2].max()
    balance = 3600 * (lateral.sum() - with_lake[:, 2].sum()) - held["volume"].sum()
    assert abs(balance) < 1e-6 * 3600 * lateral.sum()


def test_single_precision_drifts_little_in_thirty_days():
    river = confluences(200, straight=20)
    runs = [
        route(HOURLY, river, storms(720, 200, dtype=dtype), parameters_of(200, dtype=dtype))[0].double()
        for dtype in (torch.float32, torch.float64)
    ]
    error = (runs[0] - runs[1]).norm() / runs[1].norm()
    assert error < 1e-5


def test_published_steps_and_reaches_would_have_negative_coefficients():
    """2 km, one hour, X 0.3: of floods, K is mostly too short for the explicit scheme (ours bounds them)."""
    parameters = alike(1, roughness=0.03, width_coefficient=21.0, width_exponent=0.5, slope=0.001, length=2000.0)
    share = reach.share_of_negative_coefficients(parameters, torch.tensor([[50.0]]).double(), 3600.0, 0.3)
    assert share == 1.0
    long = alike(1, roughness=0.03, width_coefficient=21.0, width_exponent=0.5, slope=0.001, length=8000.0)
    assert reach.share_of_negative_coefficients(long, torch.tensor([[50.0]]).double(), 3600.0, 0.3) == 0.0


def test_what_does_not_fit_the_network_is_refused_by_name():
    river, lateral, parameters = line(3), storms(5, 3), parameters_of(3)
    with pytest.raises(ValueError, match="'slope' is missing"):
        route(HOURLY, river, lateral, {name: v for name, v in parameters.items() if name != "slope"})
    with pytest.raises(ValueError, match="'length' has shape"):
        route(HOURLY, river, lateral, parameters | {"length": parameters["length"][:2]})
    with pytest.raises(ValueError, match="lateral_inflow has shape"):
        route(HOURLY, river, lateral[:, :2], parameters)
    with pytest.raises(ValueError, match="unknown backend 'fuse'"):
        route(HOURLY, river, lateral, parameters, backend="fuse")
    with pytest.raises(ValueError, match="checkpoint_steps is 0"):
        route(HOURLY, river, lateral, parameters, checkpoint_steps=0)
    with pytest.raises(ValueError, match="nothing to march"):
        route(HOURLY, river, lateral[:0], parameters)


def test_an_infinite_slope_at_an_empty_store_spoils_no_other_gradient():
    """Narrow levels march together; a lane whose window is empty must add nothing, not 0 times infinity."""

    def step(state, forcing, parameters):
        flow = parameters["rate"] * sqrt(state["volume"])
        left = state["volume"] + forcing["inflow"] + forcing["lateral_inflow"] - flow
        return {"volume": left}, {"discharge": flow}

    process = Process(
        name="orifice",
        source="here",
        states=(State("volume", 0.0, "m**3", "water"),),
        parameters=(Parameter("rate", 0.01, 0.5, "m**1.5/s", "C"),),
        forcings=(reach.INFLOW, reach.LATERAL_INFLOW),
        fluxes=(reach.DISCHARGE,),
        step=step,
    )
    gradients = []
    for backend in ("reference", "fused"):
        rate = torch.full((20,), 0.3, dtype=torch.float64, requires_grad=True)
        start = {"volume": torch.ones(20, dtype=torch.float64)}
        discharge, _ = route(process, line(20), storms(60, 20, base=1.0), {"rate": rate}, start, backend=backend)
        gradients.append(torch.autograd.grad(discharge.sum(), rate)[0])
    torch.testing.assert_close(*gradients)


@pytest.mark.long
def test_a_known_river_is_recovered_from_discharge_but_roughness_and_width_only_together():
    domain = make_domain(units=60, gauges=24, geometry=True, days=240)
    table, reaches = recover(domain, (0, 120), [0], steps=150, river_step=3.0)
    table = table.set_index(["variant", "quantity"])
    assert table.median_NSE.min() > 0.99
    assert table.median_relative_error["section known", "roughness"] < 0.15
    together = table.median_relative_error["all learned"]
    assert together["celerity"] < 0.5 * together[["roughness", "width_coefficient"]].max()
    assert set(reaches.quantity) == {"roughness", "width_coefficient", "width_exponent", "celerity"}
