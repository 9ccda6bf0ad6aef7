"""Implicit equations: roots, their gradients, and HBV by backward Euler."""

import pytest
import torch

from test_integrate import assert_close, random_inputs, run
from thalweg.integrate import TraceError, integrate
from thalweg.integrate.trace import trace
from thalweg.processes import Parameter, Process, State, Variable
from thalweg.processes.implicit import root
from thalweg.processes.operations import exp, power, where
from thalweg.processes.runoff.hbv import hbv
from thalweg.processes.runoff.hbv_implicit import hbv_implicit

IMPLICIT = hbv_implicit()


def process_of(step, states=("store",)):
    return Process(
        name="implicit",
        source="here",
        states=tuple(State(name, 1.0, "mm", "water") for name in states),
        parameters=(Parameter("k", 0.01, 0.9, "1/day", "rate"), Parameter("b", 0.3, 4.0, "dimensionless", "exponent")),
        forcings=(Variable("rain", "mm/day", "rain"),),
        fluxes=(Variable("runoff", "mm/day", "outflow"),),
        step=step,
    )


def scalar(state, forcing, parameters):
    water = state["store"] + forcing["rain"]
    store = root(lambda x: x + parameters["k"] * power(x, parameters["b"]) - water, water, 0.0, water)
    return {"store": store}, {"runoff": water - store}


def coupled(state, forcing, parameters):
    """Two stores that drain into each other, after a scalar root whose result they need."""
    new, _ = scalar(state, forcing, parameters)
    k, b = parameters["k"], parameters["b"]

    def residual(x, y):
        return (
            x + k * power(x, b) - 0.1 * y - state["other"] - new["store"] * 0.1,
            y + 0.1 * y - k * power(x, b) + where(y > 1.0, 0.5 * (y - 1.0), 0.0) - state["third"],
        )

    x, y = root(residual, (state["other"], state["third"]), (0.0, 0.0), (1e4, 1e4))
    return {"store": 0.9 * new["store"], "other": x, "third": y}, {"runoff": k * power(x, b) + y}


SCALAR = process_of(scalar)
COUPLED = process_of(coupled, ("store", "other", "third"))


def inputs(process, units=7, components=3, days=30, dtype=torch.float64, seed=0):
    generator = torch.Generator().manual_seed(seed)

    def uniform(low, high, *shape):
        return (low + (high - low) * torch.rand(shape, generator=generator, dtype=torch.float64)).to(dtype)

    return (
        {"rain": uniform(-5, 10, days, units).clamp(min=0)},
        {p.name: uniform(p.low, p.high, units, components) for p in process.parameters},
        {name: uniform(0.1, 10, units, components) for name in process.state_names},
    )


@pytest.mark.parametrize("process", [SCALAR, COUPLED], ids=["scalar", "coupled"])
@pytest.mark.parametrize("days", [1, 30])
def test_fused_agrees_with_the_reference(process, days):
    given = inputs(process, days=days)
    assert_close(run(process, given, "fused", checkpoint_days=7), run(process, given, "reference"))


@pytest.mark.parametrize("process", [SCALAR, COUPLED], ids=["scalar", "coupled"])
def test_gradients_against_finite_differences(process):
    forcing, parameters, state = inputs(process, units=2, components=2, days=4)
    forcing["rain"] += 1.0
    tensors = [*forcing.values(), *parameters.values(), *state.values()]
    names = [*forcing, *parameters, *state]

    def function(*values):
        named = dict(zip(names, values))
        given = [{name: named[name] for name in group} for group in (forcing, parameters, state)]
        fluxes, final = integrate(process, *given)
        return fluxes["runoff"].sum() + sum(value.square().sum() for value in final.values())

    assert torch.autograd.gradcheck(function, [t.clone().requires_grad_() for t in tensors], rtol=1e-5, atol=1e-7)


def test_a_root_by_hand():
    """x + k x**2 = c has the root (sqrt(1 + 4 k c) - 1) / 2 k, its derivative by c is 1 / (1 + 2 k x)."""
    k = torch.tensor([0.1, 0.5, 3.0], dtype=torch.float64)
    c = torch.tensor([2.0, 0.0, 50.0], dtype=torch.float64, requires_grad=True)
    x = root(lambda x: x + k * x * x - c, c, 0.0, 100.0)
    expected = ((1 + 4 * k * c).sqrt() - 1) / (2 * k)
    torch.testing.assert_close(x, expected, rtol=1e-14, atol=1e-14)
    (slope,) = torch.autograd.grad(x.sum(), c)
    torch.testing.assert_close(slope, 1 / (1 + 2 * k * expected.detach()), rtol=1e-12, atol=0)


def test_a_steep_and_a_flat_residual_are_bracketed():
    """Newton alone leaves the bracket from both starts."""
    zero = torch.zeros(1, dtype=torch.float64)
    steep = root(lambda x: exp(20.0 * x) - 1e3, zero - 3.0, -5.0, 5.0)
    torch.testing.assert_close(steep, torch.log(zero + 1e3) / 20)
    flat = root(lambda x: x / (1.0 + x * x) ** 0.5 + 0.5, zero + 4.0, -5.0, 5.0)
    torch.testing.assert_close(flat, zero - 0.5 / 0.75**0.5)


def test_no_change_of_sign_gives_nan_in_both_backends_and_in_that_lane_alone():
    def step(state, forcing, parameters):
        store = root(lambda x: x - state["store"] - forcing["rain"], state["store"], 0.0, 5.0)
        return {"store": 0.5 * store}, {"runoff": store}

    process = process_of(step)
    rain = torch.tensor([[1.0, 50.0]], dtype=torch.float64)
    parameters = {p.name: torch.full((2, 1), p.low, dtype=torch.float64) for p in process.parameters}
    for backend in ("fused", "reference"):
        runoff = integrate(process, {"rain": rain}, parameters, backend=backend)[0]["runoff"]
        assert runoff[0, 0, 0] == 2.0
        assert runoff[0, 1, 0].isnan()


def test_a_root_within_a_root_is_refused_with_its_line():
    def step(state, forcing, parameters):
        outer = root(lambda x: x - root(lambda y: y - x, x, 0.0, 9.0), state["store"], 0.0, 9.0)
        return {"store": outer}, {"runoff": outer}

    with pytest.raises(TraceError, match=r"test_implicit\.py:\d+: a root inside"):
        trace(process_of(step))


def bounds(seed):
    """Inputs whose parameters stand at random bounds."""
    forcing, parameters, state = random_inputs(IMPLICIT, units=40, components=4, days=200, dynamic=(), seed=seed)
    generator = torch.Generator().manual_seed(seed)
    for p in IMPLICIT.parameters:
        high = torch.rand(parameters[p.name].shape, generator=generator) < 0.5
        parameters[p.name] = torch.where(high, p.high, p.low).double()
    return forcing, parameters, {name: value * (value > 20) for name, value in state.items()}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("seed", range(3))
def test_backward_euler_is_solved_everywhere_and_conserves_water(seed, dtype):
    given = [{name: value.to(dtype) for name, value in group.items()} for group in bounds(seed)]
    fluxes, state = integrate(IMPLICIT, *given, fluxes=IMPLICIT.flux_names)
    assert all(torch.isfinite(value).all() for value in (*fluxes.values(), *state.values()))
    assert all((value >= 0).all() for value in state.values())
    assert [name for name, value in fluxes.items() if (value < 0).any()] == []
    stored = sum(state.values()) - sum(given[2].values())
    balance = given[0]["precipitation"].sum(0)[:, None] - stored
    balance = balance - fluxes["runoff"].sum(0) - fluxes["evapotranspiration"].sum(0)
    assert balance.abs().max() < {torch.float32: 2e-2, torch.float64: 1e-9}[dtype]


def test_backward_euler_holds_at_the_end_of_the_day():
    """The fluxes are those of the storages at the end: the equations, not the solver."""
    forcing, p, state = random_inputs(IMPLICIT, days=1, dynamic=())
    fluxes, end = integrate(IMPLICIT, forcing, p, state, fluxes=IMPLICIT.flux_names)
    soil, upper, lower = end["soil_moisture"], end["upper_zone"], end["lower_zone"]
    expected = {
        "quick_flow": p["K0"] * (upper - p["UZL"]).clamp(min=0),
        "interflow": p["K1"] * upper,
        "baseflow": p["K2"] * lower,
        "percolation": torch.minimum(upper, p["PERC"]),
        "capillary_rise": p["C"] * lower * (1 - soil / p["FC"]),
        "evapotranspiration": forcing["potential_evapotranspiration"][0, :, None]
        * (soil / (p["LP"] * p["FC"])).clamp(max=1) ** p["BETAET"],
    }
    for name, value in expected.items():
        torch.testing.assert_close(fluxes[name][0], value, rtol=0, atol=1e-9)


@pytest.mark.long
def test_implicit_hbv_fused_and_reference_agree():
    given = random_inputs(IMPLICIT, days=25)
    assert_close(run(IMPLICIT, given, "fused", checkpoint_days=8), run(IMPLICIT, given, "reference"))


def test_implicit_and_explicit_hbv_are_close_where_storages_change_slowly():
    forcing, parameters, state = random_inputs(days=365, dynamic=())
    parameters |= {"K0": 0.0 * parameters["K0"], "K1": 0.05 * parameters["K1"], "C": 0.0 * parameters["C"]}
    forcing["precipitation"] *= 0.2
    runoff = [integrate(p, forcing, parameters, state)[0]["runoff"].mean(0) for p in (hbv(), IMPLICIT)]
    torch.testing.assert_close(runoff[0], runoff[1], rtol=0.05, atol=0.02)
