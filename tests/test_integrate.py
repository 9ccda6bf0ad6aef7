"""The integrators: the fused backend against the reference, and both against finite differences."""

import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit

from thalweg.integrate import TraceError, initial_state, integrate, lanes
from thalweg.integrate.trace import adjoint, trace
from thalweg.processes import Parameter, Process, State, Variable
from thalweg.processes.operations import clip, exp, log, maximum, minimum, power, sqrt, where
from thalweg.processes.runoff.hbv import hbv

HBV = hbv()
DYNAMIC = ("BETA", "K0", "BETAET")


def random_inputs(process=HBV, units=5, components=3, days=60, dynamic=DYNAMIC, seed=0, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)

    def uniform(low, high, *shape):
        return (low + (high - low) * torch.rand(shape, generator=generator, dtype=torch.float64)).to(dtype)

    forcing = {
        "precipitation": uniform(-20, 20, days, units).clamp(min=0),
        "temperature": uniform(-10, 20, days, units),
        "potential_evapotranspiration": uniform(0, 5, days, units),
    }
    parameters = {
        p.name: uniform(p.low, p.high, *((days,) if p.name in dynamic else ()), units, components)
        for p in process.parameters
    }
    state = {name: uniform(0, 60, units, components) for name in process.state_names}
    return forcing, parameters, state


def run(process, inputs, backend, fluxes=None, **options):
    """Fluxes, final states, and the gradients of a weighted sum of both to every input, in one dictionary."""
    leaves = [{name: tensor.clone().requires_grad_() for name, tensor in given.items()} for given in inputs]
    fluxes, state = integrate(process, *leaves, fluxes=fluxes or process.flux_names, backend=backend, **options)
    generator = torch.Generator().manual_seed(1)
    loss = sum(
        (torch.rand(value.shape, generator=generator, dtype=torch.float64).to(value) * value).sum()
        for value in (*fluxes.values(), *state.values())
    )
    names = [("gradient", name) for given in leaves for name in given]
    tensors = [tensor for given in leaves for tensor in given.values()]
    gradients = torch.autograd.grad(loss, tensors, materialize_grads=True)
    values = {("flux", name): value.detach() for name, value in fluxes.items()}
    values |= {("state", name): value.detach() for name, value in state.items()}
    return values | dict(zip(names, gradients))


def assert_close(found, expected, relative=1e-12, gradient=1e-10):
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        limit = gradient if key[0] == "gradient" else relative
        scale = max(1e-3, value.abs().max().item())
        assert found[key].shape == value.shape
        assert torch.isfinite(value).all(), f"{key}: the reference itself is not finite"
        error = (found[key] - value).abs().max().item() / scale
        assert error < limit, f"{key}: relative error {error:.1e}"


def both(inputs, process=HBV, **options):
    assert_close(run(process, inputs, "fused", **options), run(process, inputs, "reference", **options))


@pytest.mark.parametrize("seed", range(4))
def test_random_parameters(seed):
    both(random_inputs(seed=seed))


@pytest.mark.parametrize("bound", ["low", "high"])
def test_parameters_at_their_bounds(bound):
    forcing, parameters, state = random_inputs()
    for p in HBV.parameters:
        parameters[p.name] = torch.full_like(parameters[p.name], getattr(p, bound))
    both((forcing, parameters, state))


@pytest.mark.parametrize(
    "name, change",
    [
        ("dry", {"precipitation": 0.0, "potential_evapotranspiration": 6.0}),
        ("frozen", {"temperature": -20.0}),
        ("no evaporation", {"potential_evapotranspiration": 0.0}),
        ("temperature at the threshold", {"temperature": 0.0}),
    ],
)
@pytest.mark.parametrize("storage", [0.0, 1e-5, None])
def test_dry_frozen_empty_and_ties(name, change, storage):
    forcing, parameters, state = random_inputs(days=20)
    for variable, value in change.items():
        forcing[variable] = torch.full_like(forcing[variable], value)
    parameters["TT"][:2] = 0.0
    parameters["LP"][1] = 1.0
    parameters["PERC"][2] = 0.0
    parameters["UZL"][3] = 0.0
    if storage is not None:
        state = {key: torch.full_like(value, storage) for key, value in state.items()}
    state["soil_moisture"][4] = parameters["FC"][4]
    both((forcing, parameters, state))


@pytest.mark.parametrize(
    "units, components, days, checkpoint_days",
    [(1, 1, 1, 32), (3, 2, 1, 1), (5, 3, 37, 7), (5, 3, 37, 1), (70, 1, 9, 4), (9, 16, 32, 8)],
)
def test_sizes_and_checkpoints(units, components, days, checkpoint_days):
    both(random_inputs(units=units, components=components, days=days), checkpoint_days=checkpoint_days)


def test_more_components_than_a_block_has_lanes():
    both(reservoir_inputs(units=3, components=70), RESERVOIR, mean_components=True)


@pytest.mark.long
def test_ten_thousand_days():
    both(random_inputs(units=2, components=1, days=10_000))


def test_gradients_against_finite_differences():
    forcing, parameters, state = random_inputs(units=2, components=1, days=6, seed=5)
    forcing["precipitation"] += 5.0  # an empty store is a kink
    names, tensors = zip(*[(name, t) for given in (forcing, parameters, state) for name, t in given.items()])
    generator = torch.Generator().manual_seed(2)
    weights = torch.rand(len(HBV.flux_names) + len(HBV.states), generator=generator, dtype=torch.float64)

    def function(*values):
        named = dict(zip(names, values))
        chosen = [{name: named[name] for name in given} for given in (forcing, parameters, state)]
        fluxes, final = integrate(HBV, *chosen, fluxes=HBV.flux_names)
        return sum(w * value.sin().sum() for w, value in zip(weights, (*fluxes.values(), *final.values())))

    assert torch.autograd.gradcheck(function, [t.requires_grad_() for t in tensors], eps=1e-6, atol=1e-5)


def test_threads_and_repeats_give_the_same_bits():
    inputs = random_inputs(units=90, components=4)
    threads = torch.get_num_threads()
    results = []
    try:
        for number in (1, 1, 2, 3):
            torch.set_num_threads(number)
            results.append(run(HBV, inputs, "fused"))
            assert torch.get_num_threads() == number
    finally:
        torch.set_num_threads(threads)
    for other in results[1:]:
        assert all(torch.equal(other[key], value) for key, value in results[0].items())


def test_a_unit_does_not_depend_on_its_neighbours():
    forcing, parameters, state = random_inputs(units=50, components=3)
    whole = run(HBV, (forcing, parameters, state), "fused")
    part = run(
        HBV,
        (
            {name: value[:, 30:] for name, value in forcing.items()},
            {name: value[..., 30:, :] for name, value in parameters.items()},
            {name: value[30:] for name, value in state.items()},
        ),
        "fused",
    )
    for name in HBV.flux_names:
        assert torch.equal(whole["flux", name][:, 30:], part["flux", name])


@pytest.mark.long
def test_float32_against_float64_over_three_years():
    fluxes, options = ("runoff",), {"mean_components": True}
    inputs = random_inputs(units=8, components=4, days=1095, dynamic=())
    single = [{name: value.float() for name, value in given.items()} for given in inputs]
    inputs = [{name: value.double() for name, value in given.items()} for given in single]
    found = run(HBV, single, "fused", fluxes, **options)
    expected = run(HBV, inputs, "reference", fluxes, **options)
    runoff, exact = found["flux", "runoff"].double(), expected["flux", "runoff"]
    assert runoff.shape == (1095, 8)
    assert (runoff - exact).abs().max() < 1e-4 * exact.mean()
    for name in HBV.parameter_names:
        gradient, exact = found["gradient", name].double(), expected["gradient", name]
        assert (gradient - exact).abs().max() < 2e-3 * exact.abs().max(), name


# A process small enough to compile in a moment


def reservoir(step=None, **changes):
    def linear(state, forcing, parameters):
        storage = state["storage"] + forcing["rain"]
        outflow = parameters["k"] * maximum(storage, parameters["dead"])
        return {"storage": storage - outflow}, {"outflow": outflow, "rain": forcing["rain"], "nothing": 0.0}

    described = {
        "name": "reservoir",
        "source": "a linear store",
        "states": (State("storage", 1.0, "mm", ""),),
        "parameters": (Parameter("k", 0.1, 0.9, "1/day", ""), Parameter("dead", 0.0, 1.0, "mm", "")),
        "forcings": (Variable("rain", "mm/day", ""),),
        "fluxes": (
            Variable("outflow", "mm/day", ""),
            Variable("rain", "mm/day", ""),
            Variable("nothing", "mm/day", ""),
        ),
        "step": step or linear,
    }
    return Process(**(described | changes))


RESERVOIR = reservoir()


def reservoir_inputs(days=11, units=4, components=2, dead=1.0):
    generator = torch.Generator().manual_seed(3)
    rain = torch.rand(days, units, generator=generator, dtype=torch.float64)
    k = torch.rand(units, components, generator=generator, dtype=torch.float64)
    return {"rain": rain}, {"k": k, "dead": torch.full_like(k, dead)}, {"storage": torch.ones_like(k)}


@pytest.mark.parametrize("mean_components", [False, True])
def test_constant_and_passed_on_fluxes(mean_components):
    both(reservoir_inputs(), RESERVOIR, mean_components=mean_components)


@pytest.mark.parametrize("backend", ["reference", "fused"])
def test_tie_gives_half_to_each(backend):
    """outflow = k max(storage, dead) with storage = dead."""
    forcing, parameters, state = reservoir_inputs(days=1, units=1, components=1)
    forcing["rain"].zero_()
    leaves = parameters["dead"].requires_grad_(), state["storage"].requires_grad_()
    outflow = integrate(RESERVOIR, forcing, parameters, state, ("outflow",), backend)[0]["outflow"]
    for gradient in torch.autograd.grad(outflow.sum(), leaves):
        assert gradient.item() == 0.5 * parameters["k"].item()


def test_only_the_gradients_asked_for():
    forcing, parameters, state = reservoir_inputs()
    parameters["k"].requires_grad_()
    fluxes, _ = integrate(RESERVOIR, forcing, parameters, state, ("outflow", "rain"))
    assert set(fluxes) == {"outflow", "rain"}
    fluxes["outflow"].sum().backward()
    assert parameters["k"].grad.abs().sum() > 0
    assert parameters["dead"].grad is None and forcing["rain"].grad is None
    (gradient,) = torch.autograd.grad(
        integrate(RESERVOIR, forcing, parameters, state, ())[1]["storage"].sum(), parameters["k"]
    )
    assert gradient.shape == parameters["k"].shape


def test_no_graph_without_gradients():
    forcing, parameters, state = reservoir_inputs()
    parameters["k"].requires_grad_()
    with torch.no_grad():
        fluxes, final = integrate(RESERVOIR, forcing, parameters, state, ("outflow",))
    assert fluxes["outflow"].grad_fn is None and final["storage"].grad_fn is None
    assert torch.equal(state["storage"], torch.ones_like(state["storage"])), "the initial state was overwritten"


def test_inputs_need_not_be_contiguous():
    forcing, parameters, state = reservoir_inputs()
    strided = (
        {"rain": forcing["rain"].T.contiguous().T},
        {"k": parameters["k"].T.contiguous().T, "dead": torch.ones((), dtype=torch.float64).expand(4, 2)},
        state,
    )
    expected = integrate(RESERVOIR, forcing, parameters, state, ("outflow",))[0]["outflow"]
    assert torch.equal(integrate(RESERVOIR, *strided, ("outflow",))[0]["outflow"], expected)


def test_missing_values_are_not_hidden():
    forcing, parameters, state = reservoir_inputs()
    forcing["rain"][5, 2] = float("nan")
    for backend in ("reference", "fused"):
        outflow = integrate(RESERVOIR, forcing, parameters, state, ("outflow",), backend)[0]["outflow"]
        assert torch.isnan(outflow[5:, 2]).all()
        assert torch.isfinite(outflow[:, [0, 1, 3]]).all() and torch.isfinite(outflow[:5]).all()


def test_initial_state():
    state = initial_state(HBV, 3, 2, torch.float64)
    assert state["soil_moisture"].shape == (3, 2) and (state["soil_moisture"] == 0.001).all()


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda f, p, s: p.pop("k"), "parameter 'k' is missing"),
        (lambda f, p, s: f.update(rain=f["rain"][:, :3]), "parameter 'k' has shape"),
        (lambda f, p, s: s.update(storage=s["storage"][:1]), r"state 'storage' has shape \(1, 2\), expected \(4, 2\)"),
        (lambda f, p, s: p.update(k=p["k"].float()), "parameter 'k' is torch.float32"),
        (lambda f, p, s: f.update(rain=f["rain"][:0]), "nothing to march over 0 days"),
    ],
)
def test_inputs_that_do_not_fit(change, message):
    inputs = reservoir_inputs()
    change(*inputs)
    with pytest.raises(ValueError, match=message):
        integrate(RESERVOIR, *inputs, ("outflow",))


# What cannot be traced


def _branches(state, forcing, parameters):
    if state["storage"] > 1:
        return state, {}
    return state, {}


@pytest.mark.parametrize(
    "step, message",
    [
        (_branches, r"a Python condition \(if"),
        (lambda s, f, p: (s, {"outflow": torch.sin(s["storage"])}), "torch's sin"),
        (lambda s, f, p: (s, {"outflow": s["storage"].relu()}), r"attribute \.relu"),
        (lambda s, f, p: (s, {"outflow": s["storage"] ** p["k"]}), r"\*\* with the exponent"),
        (lambda s, f, p: (s, {"outflow": s["storage"] * torch.ones(2)}), "multiply with a Tensor|torch's mul"),
        (lambda s, f, p: (s, {"outflow": float(s["storage"])}), r"float\(\)"),
        (lambda s, f, p: (s, {"outflow": s["storage"] + (s["storage"] > 1)}), "add whose argument 2 is not a number"),
        (lambda s, f, p: (s, {"outflow": s["storage"][0]}), "indexing"),
    ],
)
def test_what_cannot_be_traced_is_named(step, message):
    with pytest.raises(TraceError, match=message) as error:
        trace(reservoir(step))
    assert f"{__file__}:{step.__code__.co_firstlineno}" in str(error.value) or step is _branches
    assert "backend='reference'" in str(error.value)


def test_clip_takes_numbers():
    with pytest.raises(TypeError, match="use minimum or maximum"):
        clip(torch.ones(1), 0.0, torch.ones(1))


# Functions of one lane


@pytest.mark.parametrize("dtype, wide", [("float32", np.float64), ("float64", np.longdouble)])
@pytest.mark.parametrize("name", ["exp", "log"])
def test_exp_and_log_to_the_last_place(name, dtype, wide):
    function = getattr(lanes, f"{name}_{dtype}")

    @njit
    def mapped(values):
        return np.array([function(value) for value in values])

    exact = getattr(np, name)
    largest = np.log(np.finfo(dtype).max) * 0.999
    points = np.linspace(-largest * 0.98, largest, 20_001)
    for values in (points, points / largest):
        values = (np.exp(values) if name == "log" else values).astype(dtype)
        expected = exact(values.astype(wide))
        unit = np.spacing(np.maximum(np.abs(expected).astype(dtype), np.finfo(dtype).tiny))
        assert np.max(np.abs(mapped(values).astype(wide) - expected) / unit) < 2
    with np.errstate(all="ignore"):
        special = np.array([0, 1, np.inf, -np.inf, np.nan, 1e-40, 1000, -1000], dtype)
        np.testing.assert_allclose(mapped(special), exact(special), rtol=3e-7 if dtype == "float32" else 1e-15)


# Random processes

_OPERATIONS = {
    "add": lambda a, b, c: a + b,
    "subtract": lambda a, b, c: a - b,
    "multiply": lambda a, b, c: clip(a * b, -4.0, 4.0),
    "divide": lambda a, b, c: a / (b * b + 0.5),
    "number": lambda a, b, c: 0.7 - 0.3 * a,
    "negative": lambda a, b, c: -a,
    "exp": lambda a, b, c: exp(clip(a, -3.0, 1.0)),
    "log": lambda a, b, c: log(clip(a, 0.1, None)),
    "sqrt": lambda a, b, c: sqrt(a**2 + 0.1),
    "power": lambda a, b, c: clip(power(clip(a, 0.0, 2.0), b), None, 3.0),
    "minimum": lambda a, b, c: minimum(a, b),
    "maximum": lambda a, b, c: maximum(a, 0.25),
    "where": lambda a, b, c: where((a > b) & ~(b <= c) | (a == c), b, c),
    "where number": lambda a, b, c: where(a != 0.5, a, 1.5),
}

_random_steps = st.lists(
    st.tuples(st.sampled_from(sorted(_OPERATIONS)), st.integers(0, 30), st.integers(0, 30), st.integers(0, 30)),
    min_size=1,
    max_size=25,
)


def random_process(recipe):
    def step(state, forcing, parameters):
        values = [state["storage"], forcing["rain"], parameters["k"], parameters["dead"]]
        for name, *arguments in recipe:
            values.append(_OPERATIONS[name](*(values[i % len(values)] for i in arguments)))
        return {"storage": clip(values[-1], -3.0, 3.0)}, {"outflow": values[-1] + 0.5 * values[-2]}

    return reservoir(step, fluxes=(Variable("outflow", "mm/day", ""),))


_TORCH = {
    "add": torch.add,
    "subtract": torch.sub,
    "multiply": torch.mul,
    "divide": torch.div,
    "negative": torch.neg,
    "exp": torch.exp,
    "log": torch.log,
    "sqrt": torch.sqrt,
    "minimum": torch.minimum,
    "maximum": torch.maximum,
    "clip": torch.clamp,
    "clip_low": torch.maximum,
    "clip_high": torch.minimum,
    "where": torch.where,
    "less": torch.lt,
    "less_equal": torch.le,
    "greater": torch.gt,
    "greater_equal": torch.ge,
    "equal": torch.eq,
    "not_equal": torch.ne,
    "and": torch.logical_and,
    "or": torch.logical_or,
    "not": torch.logical_not,
}


def evaluate(graph, inputs):
    """The values of all nodes, by tensors."""
    values = []
    for node, (operation, arguments) in enumerate(graph.nodes):
        if operation == "input":
            values.append(inputs[node])
        elif operation == "constant":
            values.append(torch.tensor(arguments[0], dtype=torch.float64))
        else:
            values.append(_TORCH[operation](*(values[argument] for argument in arguments)))
    return values


@settings(max_examples=150, deadline=None, derandomize=True)
@given(_random_steps, st.integers(0, 100))
def test_random_graphs_and_their_adjoints(recipe, seed):
    """Evaluated by tensors: the graph is the step, its adjoint is autograd's."""
    process = random_process(recipe)
    traced = trace(process)
    generator = torch.Generator().manual_seed(seed)
    nodes = {**traced.state, **traced.forcing, **traced.parameters}
    # coarse values, so that ties happen
    inputs = {name: (torch.rand(50, generator=generator) * 8).round().double() / 4 for name in nodes}
    leaves = {name: value.requires_grad_() for name, value in inputs.items()}
    state, fluxes = process.step(leaves, leaves, leaves)
    weights = torch.rand(2, 50, generator=generator, dtype=torch.float64)
    loss = (weights[0] * state["storage"] + weights[1] * fluxes["outflow"]).sum()
    expected = torch.autograd.grad(loss, list(leaves.values()), materialize_grads=True)

    graph = traced.graph
    seeds = [graph.add("input", "seed", name) for name in ("storage", "outflow")]
    results = [traced.new_state["storage"], traced.fluxes["outflow"]]
    gradients = adjoint(graph, list(zip(results, seeds)), list(nodes.values()))
    given = {node: inputs[name].detach() for name, node in nodes.items()}
    given |= {symbol.node: weight for symbol, weight in zip(seeds, weights)}
    values = evaluate(graph, given)
    torch.testing.assert_close(values[results[1]], fluxes["outflow"].detach(), rtol=1e-12, atol=1e-12)
    for (name, node), gradient in zip(nodes.items(), expected):
        found = values[gradients[node].node] if node in gradients else torch.zeros(50, dtype=torch.float64)
        torch.testing.assert_close(
            found.expand(50), gradient, rtol=1e-10, atol=1e-10 * (1 + gradient.abs().max()), msg=name
        )


@pytest.mark.long
@settings(max_examples=4, deadline=None, derandomize=True)
@given(_random_steps)
def test_random_processes_compiled(recipe):
    both(reservoir_inputs(days=5, dead=0.5), random_process(recipe), checkpoint_days=2)


# Compiled kernels on disk

_SCRIPT = """
import sys
sys.path.insert(0, {tests!r})
from test_integrate import RESERVOIR, integrate, reservoir_inputs
print(integrate(RESERVOIR, *reservoir_inputs(), ("outflow",))[0]["outflow"].sum().item())
"""


def _started(folder):
    return subprocess.Popen(
        [sys.executable, "-c", _SCRIPT.format(tests=os.path.dirname(__file__))],
        env={**os.environ, "THALWEG_CACHE": str(folder)},
        stdout=subprocess.PIPE,
        text=True,
    )


def test_processes_share_the_cache(tmp_path):
    expected = integrate(RESERVOIR, *reservoir_inputs(), ("outflow",))[0]["outflow"].sum().item()
    for number in (2, 1):  # at once with nothing there, then from what they left
        for process in [_started(tmp_path) for _ in range(number)]:
            assert float(process.communicate()[0]) == expected and process.returncode == 0
        assert len(list(tmp_path.glob("*.py"))) == 1
        assert list(tmp_path.glob("__pycache__/*.nbc"))
    stored = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.nb*")}
    process = _started(tmp_path)
    assert float(process.communicate()[0]) == expected
    assert stored == {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.nb*")}, "compiled again"


def test_cache_that_cannot_be_written(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("THALWEG_CACHE", str(tmp_path / "file" / "folder"))
    unseen = random_process([("add", 0, 1, 0)] * 7)
    with pytest.raises(OSError, match="THALWEG_CACHE"):
        integrate(unseen, *reservoir_inputs(), ("outflow",))
