"""What goes around the march: sums over the network, rivers at rest, steps within the day, parts."""

from itertools import product

import numpy as np
import pytest
import torch
from scipy.optimize import brentq

from test_routing import alike, confluences, line, parameters_of, storms
from thalweg.basin.network import NetworkError, River
from thalweg.integrate import accumulate, daily_means, disaggregate, integrate, route, stack, state_at_rest
from thalweg.integrate.river import Blocks
from thalweg.processes.routing import muskingum_cunge as reach
from thalweg.processes.routing.muskingum_cunge import LAKE, PARAMETERS, drained, linear_reservoir, muskingum_cunge

DT = 3600.0


@pytest.mark.parametrize("beta", [1.05, 4 / 3, 1.5, 5 / 3])
def test_drainage_in_closed_form(beta):
    strength = np.logspace(-9, 9, 301)
    exact = [g * brentq(lambda y: y + g * y**beta - 1, 0, 1, xtol=1e-300, rtol=1e-15) ** beta for g in strength]  # noqa: B023
    for dtype, limit in ((torch.float64, 1e-12), (torch.float32, 3e-7)):
        found = drained(torch.tensor(strength, dtype=dtype), torch.tensor(beta, dtype=dtype)).double()
        np.testing.assert_allclose(found, exact, rtol=limit)


@pytest.mark.parametrize("kind", ["muskingum_cunge", "lakes", "linear_reservoir"])
def test_a_river_at_rest_stays_there(kind):
    river = confluences()
    generator = torch.Generator().manual_seed(5)
    lakes = torch.where(torch.rand(60, generator=generator) < 0.2, 2e6, 0.0).double()
    process, parameters = {
        "muskingum_cunge": (muskingum_cunge(DT), parameters_of(60)),
        "lakes": (
            muskingum_cunge(DT, lakes=True),
            parameters_of(60) | {"lake_area": lakes, "weir_coefficient": torch.full((60,), 30.0).double()},
        ),
        "linear_reservoir": (linear_reservoir(DT), {"residence_time": torch.full((60,), 5e3).double()}),
    }[kind]
    lateral = storms(1, 60)[0]
    lateral[::3] = 0.0
    state = state_at_rest(process, river, lateral, parameters)
    discharge, after = route(process, river, lateral.expand(300, 60), parameters, state)
    expected = accumulate(river, lateral)
    torch.testing.assert_close(discharge, expected.expand(300, 60), rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(after, state, rtol=1e-8, atol=1e-3)


def test_sums_over_the_network():
    river = confluences(80, straight=30)
    local = torch.rand(3, 80, dtype=torch.float64, requires_grad=True)
    total = accumulate(river, local)
    expected = np.array([river.accumulate(row) for row in local.detach().numpy()])
    np.testing.assert_allclose(total.detach().numpy(), expected, rtol=1e-13)
    (gradient,) = torch.autograd.grad(total.sum(), local)
    upstream = river.upstream(river.reach).toarray()  # every reach counts once in each reach at or below it
    np.testing.assert_array_equal(gradient[0].numpy(), upstream.sum(0))


@pytest.mark.parametrize("dtype, limit", [(torch.float32, 3e-7), (torch.float64, 1e-15)])
@pytest.mark.parametrize("shape", ["constant", "linear"])
@pytest.mark.parametrize("days", [1, 2, 40])
def test_steps_keep_the_volume_of_every_day(dtype, limit, shape, days):
    generator = torch.Generator().manual_seed(0)
    daily = (torch.rand(days, 7, generator=generator, dtype=torch.float64) ** 4 * 50).to(dtype)
    daily[::3] = 0
    for steps in (1, 8, 24, 96):
        values = disaggregate(daily, steps, shape)
        assert values.shape == (days * steps, 7) and values.min() >= 0 and values.max() <= daily.max()
        torch.testing.assert_close(daily_means(values, steps), daily, rtol=10 * limit, atol=0)


def test_steps_of_a_steady_rise_are_a_line():
    daily = torch.arange(10, dtype=torch.float64)[:, None]
    inner = disaggregate(daily, 24)[24:-24, 0]
    torch.testing.assert_close(inner.diff(), torch.full_like(inner[1:], 1 / 24))
    with pytest.raises(ValueError, match="'cubic'"):
        disaggregate(daily, 24, "cubic")


def test_parts_of_a_network():
    river = confluences(500, straight=40)
    last = river.subtrees(20)
    roots, counts = np.unique(last, return_counts=True)
    assert (last[roots] == roots).all()
    inside = np.flatnonzero(last != np.arange(500))
    np.testing.assert_array_equal(last[inside], last[river.downstream[inside]])  # connected
    assert (counts[river.downstream[roots] >= 0] >= 20).all()


@pytest.mark.parametrize("length", [0.0, -3.0, float("nan")])
def test_a_reach_without_length_is_refused(length):
    river = River(["a", "b", "c"], ["c", "c", ""], "network.nc")
    river.require_positive("length", [1.0, 2.0, 3.0])
    with pytest.raises(NetworkError, match=r"network.nc: reach 'b' has length"):
        river.require_positive("length", [1.0, length, 3.0])


def test_gradients_reach_a_headwater_through_the_network():
    """A loss at the outlet alone, to the roughness of the headwaters, against finite differences."""
    river, steps = confluences(12, straight=3), 40
    lateral, parameters = storms(steps, 12, base=0.3), parameters_of(12)
    start = state_at_rest(muskingum_cunge(DT), river, lateral[0], parameters)
    headwaters = np.setdiff1d(np.arange(12), river.downstream)

    def outlet(roughness):
        return route(muskingum_cunge(DT), river, lateral, parameters | {"roughness": roughness}, start)[0][
            :, river.outlets
        ]

    roughness = parameters["roughness"].clone().requires_grad_()
    weights = torch.linspace(0, 1, steps, dtype=torch.float64)[:, None]
    (gradient,) = torch.autograd.grad((outlet(roughness) * weights).sum(), roughness)
    for here in headwaters:
        step = torch.zeros(12, dtype=torch.float64)
        step[here] = 1e-6
        with torch.no_grad():
            difference = (outlet(roughness + step) - outlet(roughness - step)) * weights / 2e-6
        torch.testing.assert_close(gradient[here], difference.sum(), rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("dtype, limit", [(torch.float32, 1e-6), (torch.float64, 1e-14)])
def test_parameters_at_their_bounds_in_drought_and_flood(dtype, limit):
    """All corners of the parameters, empty and full reaches, no flow and enormous ones: finite, not negative, closed."""
    bounds = [(p.low, p.high) for p in PARAMETERS] + [(0.0, 1e3, 1e9), (LAKE[1].low, LAKE[1].high)]
    cases = torch.tensor(
        list(product(*bounds, (0.0, 1e-4, 1.0, 1e11), (0.0, 1e-8, 1.0, 1e5), (0.0, 10.0))), dtype=dtype
    )
    *values, volume, inflow, lateral = cases.T.contiguous()
    process, on = muskingum_cunge(DT, lakes=True), torch.tensor([1, 0, 1, 1, 0, 0], dtype=dtype)[:, None]
    parameters = {name: v[:, None].requires_grad_() for name, v in zip(process.parameter_names, values)}
    forcing = {"inflow": (on * inflow).requires_grad_(), "lateral_inflow": (on.flip(0) * lateral).requires_grad_()}
    start = {"volume": volume[:, None].requires_grad_()}
    fluxes, state = integrate(process, forcing, parameters, start, fluxes=("discharge",))
    discharge = fluxes["discharge"][..., 0]
    assert discharge.min() >= 0 and state["volume"].min() >= 0
    given = DT * (forcing["inflow"] + forcing["lateral_inflow"]).double().sum(0) + volume.double()
    left = given - DT * discharge.double().sum(0) - state["volume"][:, 0].double()
    assert (left.abs() <= limit * given).all()
    inputs = [*parameters.values(), *forcing.values(), *start.values()]
    for gradient in torch.autograd.grad(discharge.sum() + 1e-4 * state["volume"].sum(), inputs):
        assert torch.isfinite(gradient).all()


@pytest.mark.parametrize("slope", [5e-4, 3e-3])
@pytest.mark.parametrize("length, step", [(2000.0, 900.0), (2000.0, 3600.0), (10000.0, 3600.0), (20000.0, 3600.0)])
def test_waves_travel_and_spread_alike_on_reaches_and_steps_of_any_length(slope, length, step):
    """Delay and variance of a pulse over 100 km against Hayami's, at Courant numbers of 0.3 to 6.

    theta, which keeps short reaches above zero, spreads by 2 K dt (theta - 1/2) a reach; X takes that back up to what
    diffusion does. At 2 km, one hour and the steeper slope there is less diffusion than that: the wave spreads too much.
    """
    base, distance, q = 100.0, 100e3, 0.2
    reaches, steps = round(distance / length), round(500 * 3600 / step)
    parameters = alike(reaches, roughness=0.035, width_coefficient=30.0, width_exponent=q, slope=slope, length=length)
    time = (torch.arange(steps, dtype=torch.float64) + 0.5) * step
    lateral = torch.zeros(steps, reaches, dtype=torch.float64)
    lateral[:, 0] = base + 0.1 * torch.exp(-((time - 72e3) ** 2) / (2 * 14400.0**2))
    flow = torch.zeros(reaches, dtype=torch.float64)
    flow[0] = base
    process, river = muskingum_cunge(step), line(reaches)
    start = state_at_rest(process, river, flow, parameters)
    discharge, _ = route(process, river, lateral, parameters, start)

    def moments(series):
        share = (series - base) / (series - base).sum()
        mean = (share * time).sum()
        return mean, (share * (time - mean) ** 2).sum()

    (begin, narrow), (end, wide) = moments(discharge[:, 0]), moments(discharge[:, -1])
    area = start["volume"][-1] / length
    celerity = (3 * q + 5) / (3 * q + 3) * base / area
    width = (1 + q) * area / reach.depth(area, 30.0, torch.tensor(q).double())
    diffusivity, distance = base / (2 * width * slope), (reaches - 1) * length
    assert abs((end - begin) * celerity / distance - 1) < 1e-3
    theta = 1 - (0.5 * area * length / (step * base)) ** ((3 * q + 3) / (3 * q + 5))
    spread = (reaches - 1) * 2 * (length / celerity) * step * max(0.0, theta - 0.5)
    physical = 2 * diffusivity * distance / celerity**3
    assert (spread > physical) == (slope == 3e-3 and length / step < 1)
    assert abs((wide - narrow) / max(spread, physical) - 1) < 5e-3


@pytest.fixture
def short_windows(monkeypatch):
    monkeypatch.setattr(stack, "CALL", 0.5)
    stack.pieces.cache_clear()
    yield
    stack.pieces.cache_clear()


@pytest.mark.parametrize("straight, steps", [(1, 13), (3, 23), (8, 31)])
def test_stacks_of_narrow_levels_are_the_reference(short_windows, straight, steps):
    """With many windows and one that is left over, checkpoints within windows, and final states in the loss."""
    river, results = confluences(50, straight=straight), []
    blocks = Blocks(river)
    deepest = int(blocks.depth.max())
    assert deepest > 1 and len(blocks.reaches) < len(river.levels)
    assert len(stack.pieces(steps, deepest)) == 2 or stack.pieces(steps, deepest)[0].count > 3
    for backend in ("reference", "fused"):
        parameters = {name: value.requires_grad_() for name, value in parameters_of(50).items()}
        lateral = storms(steps, 50).requires_grad_()
        start = {"volume": torch.linspace(0, 5e4, 50, dtype=torch.float64, requires_grad=True)}
        discharge, state = route(muskingum_cunge(DT), river, lateral, parameters, start, backend, checkpoint_steps=3)
        loss = (discharge * torch.linspace(1, 2, steps).double()[:, None]).sum() + state["volume"].square().sum() / 1e9
        tensors = [lateral, *parameters.values(), start["volume"]]
        results.append([discharge.detach(), state["volume"].detach(), *torch.autograd.grad(loss, tensors)])
    for expected, found in zip(*results):
        torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9 * expected.abs().max().item())


@pytest.mark.parametrize("steps, depth", [(1, 2), (7, 64), (240, 10), (997, 3), (8760, 9)])
def test_windows_take_every_step_of_every_level_once(steps, depth):
    behind, taken = np.arange(depth), np.zeros((depth, steps), int)
    for piece in stack.pieces(steps, depth):
        for call in range(piece.calls):
            starts, *_ = piece.windows(call, behind)
            for level in np.flatnonzero(starts >= 0):
                window = slice(starts[level], starts[level] + piece.length)
                assert level == 0 or (taken[level - 1, window] == 1).all(), "what flows in is not there yet"
                taken[level, window] += 1
    assert (taken == 1).all()
