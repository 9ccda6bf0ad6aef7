"""Losses, scaling, windows, models and the training loop."""

import copy
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from conftest import make_domain
from thalweg.basin.network import NetworkError
from thalweg.experiments.baselines import climatology
from thalweg.experiments.models import build_model
from thalweg.experiments.run import make_task, simulate_experiment, train_experiment
from thalweg.experiments.splits import make_splits
from thalweg.integrate import integrate
from thalweg.learn import checkpoint
from thalweg.learn.scaling import fit_scaling
from thalweg.learn.train import TrainingError, learning_rate, train
from thalweg.learn.windows import Series
from thalweg.metrics.calendar import counted_days
from thalweg.processes.routing.unit_hydrograph import route
from thalweg.processes.runoff.hbv import hbv
from thalweg.registry import load, names
from thalweg.settings.blocks import ClimatologyModel, ProcessModel, SequenceModel, Split, Training, TrainingJob

LOSSES = {
    name: load("loss", name) for name in names("loss")
}  # of values; those of distributions are in test_mixture_head.py
LOSSES = {name: loss for name, loss in LOSSES.items() if not hasattr(loss, "mixture")}
PERIOD = ("2000-01-01", "2000-12-31")
LATER = ("2001-01-01", "2001-05-14")
TRAINING = Training(steps=12, window="200 days", spin_up="60 days", validate_every=4)
HBV = ProcessModel(label="", components=2, hidden=8)
LSTM = SequenceModel(label="", hidden=8)


def job(model=HBV, training=TRAINING, seeds=(0,), share=0.2, **other):
    return TrainingJob(
        model=model, training=training, seeds=list(seeds), validation_share=share, **{"device": "cpu", **other}
    )


def with_discharge(domain, change):
    """The domain with an observed discharge (time, place) that ``change`` has altered in place."""
    observed = domain.observed.copy(deep=True)
    change(observed.discharge.values)
    return replace(domain, observed=observed)


def scaling_of(domain, days, units=None):
    return fit_scaling(domain, range(len(domain.unit_ids)) if units is None else units, days, {"discharge": 1.0})


def temporal(domain, **other):
    return make_splits(domain, Split(kind="temporal", train=PERIOD, test=LATER, validation_share=0.3, **other))


# Losses


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_is_least_for_the_truth_ignores_gaps_and_has_right_gradients(name):
    torch.manual_seed(0)
    observed = torch.rand(50, 3, dtype=torch.float64) + 0.2
    deviation = observed.std(0)
    truth = LOSSES[name](observed, observed, deviation)
    assert truth < 1e-5
    simulated = (observed + 0.3 * torch.rand_like(observed)).requires_grad_()
    assert LOSSES[name](simulated, observed, deviation) > truth
    gaps = observed.clone()
    gaps[10:20, 1] = torch.nan
    loss = LOSSES[name](simulated, gaps, deviation)
    loss.backward()
    assert torch.isfinite(simulated.grad).all()
    assert (simulated.grad[10:20, 1] == 0).all()
    assert torch.autograd.gradcheck(lambda s: LOSSES[name](s, gaps, deviation), simulated)


def test_nse_batch_weighs_gauges_alike():
    """Errors of one deviation count alike in a wet and a dry gauge (up to the 0.1 mm/day)."""
    observed = torch.rand(100, 1, dtype=torch.float64)
    wet = LOSSES["nse_batch"](101 * observed, 100 * observed, 100 * observed.std(0))
    dry = LOSSES["nse_batch"](10.1 * observed, 10 * observed, 10 * observed.std(0))
    assert wet == pytest.approx(dry.item(), rel=0.1)


def test_kge_loss_is_one_minus_kge():
    torch.manual_seed(1)
    observed, simulated = torch.rand(200, 1, dtype=torch.float64), torch.rand(200, 1, dtype=torch.float64) * 1.5
    s, o = simulated[:, 0].numpy(), observed[:, 0].numpy()
    r = np.corrcoef(s, o)[0, 1]
    expected = np.sqrt((r - 1) ** 2 + (s.std() / o.std() - 1) ** 2 + (s.mean() / o.mean() - 1) ** 2)
    assert LOSSES["kge"](simulated, observed, observed.std(0)).item() == pytest.approx(expected, rel=1e-6)


# Scaling and leakage


def test_scaling_knows_training_units_and_days_only(domain):
    scaling = scaling_of(domain, (0, 100), [0, 1, 2])
    changed = copy.deepcopy(domain)
    changed.forcing.precipitation.values[100:] *= 7
    changed.forcing.precipitation.values[:, 5:] *= 7
    changed.attributes.elevation.values[3:] += 1000
    assert scaling_of(changed, (0, 100), [0, 1, 2]) == scaling
    changed.attributes.elevation.values[0] += 1
    assert scaling_of(changed, (0, 100), [0, 1, 2]) != scaling


@pytest.mark.parametrize("model", [HBV, LSTM], ids=["process", "sequence"])
def test_held_out_gauges_and_days_cannot_leak(model, tmp_path):
    """Weights and scaling do not change when everything that is held out changes: gauges, test days, their land."""
    domain = make_domain(units=24, gauges=12)
    table = make_splits(domain, Split(kind="ungauged_basins", train=PERIOD, test=LATER, folds=3))
    table = table[table.fold == 0]
    learns = (table.train | table.validation).values
    units = np.unique(domain.catchment_weights[learns].indices)
    others = np.setdiff1d(np.arange(24), units)
    days = len(pd.date_range(*PERIOD))
    assert len(others) > 0

    changed = copy.deepcopy(domain)
    changed.observed.discharge.values[:, ~learns] *= 3
    changed.observed.discharge.values[days:] = 99.0
    changed.attributes.elevation.values[others] += 500
    for name in changed.forcing.data_vars:
        changed.forcing[name].values[:, others] += 1.0
        changed.forcing[name].values[days:] += 5.0

    def weights(of, folder):
        tensors, values, _ = train_experiment(of, table, job(model), folder, "key")
        return tensors, values

    (first, scaling), (second, other) = weights(domain, tmp_path / "one"), weights(changed, tmp_path / "two")
    assert scaling == other
    assert all(torch.equal(first[name], second[name]) for name in first)


# Windows


def test_a_window_without_days_before_it_repeats_the_first_days(domain):
    series = Series(domain, scaling_of(domain, (0, 100)))
    window = series.window(0, 30, 50)
    rain = torch.as_tensor(domain.forcing.precipitation.values, dtype=torch.float32)
    assert torch.equal(window.forcing["precipitation"], torch.cat([rain[:50], rain[:30]]))
    partly = series.window(20, 30, 50)
    assert torch.equal(partly.forcing["precipitation"], torch.cat([rain[:30], rain[:30]]))
    real = series.window(60, 80, 50)
    assert torch.equal(real.forcing["precipitation"], rain[10:80])


def test_drainage_is_the_weighted_mean_over_catchments(domain):
    runoff = torch.rand(10, 12)
    expected = runoff.numpy() @ domain.catchment_weights.toarray().T
    drainage = Series(domain, scaling_of(domain, (0, 100))).drainage
    np.testing.assert_allclose(drainage.mean(runoff).numpy(), expected, rtol=1e-5)
    assert drainage.river is None


@pytest.mark.parametrize(
    "settings", [HBV, HBV.model_copy(update={"dynamic": ["BETA"]}), LSTM], ids=["static", "daily", "lstm"]
)
@pytest.mark.parametrize("lumped", [False, True])
def test_simulating_the_units_of_some_gauges_gives_what_simulating_all_gives_there(domain, settings, lumped):
    domain = domain.lumped() if lumped else domain
    scaling = scaling_of(domain, (0, 300))
    series = Series(domain, scaling, dtype=torch.float64)
    model = build_model(settings, scaling, domain).double().eval()
    some = torch.tensor([3, 1])
    window, columns = series.window_of(some, 100, 200, 50)
    assert window.attributes.shape[0] < len(domain.unit_ids)
    whole = model(series.window(100, 200, 50))["discharge"][:, some]
    torch.testing.assert_close(model(window)["discharge"][:, columns], whole, rtol=1e-10, atol=1e-12)
    window, columns = series.window_of(torch.arange(len(domain.place_ids)), 100, 200, 50)
    assert window.units is None


def test_only_the_years_of_a_gauge_that_train_are_seen():
    """What is observed in other years changes neither weights nor scaling."""
    domain = make_domain(units=6, days=6 * 366, gauges=4)
    period = ("2000-10-01", "2005-09-30")
    split = make_splits(
        domain, Split(kind="differential", train=period, test=period, train_on="wet", validation="none")
    )
    unseen = ~counted_days(split, "train", domain.forcing.time.values)
    assert unseen.any() and not unseen.all()

    def disturb(discharge):
        discharge[unseen] = 999.0

    (task, scaling), (other, scaling_there) = (
        make_task(one, split, job(share=0)) for one in (domain, with_discharge(domain, disturb))
    )
    torch.testing.assert_close(task.observed, other.observed, equal_nan=True)
    torch.testing.assert_close(task.deviation, other.deviation)
    assert task.days == task.validation_days
    assert scaling == scaling_there


@pytest.mark.parametrize("dynamic", [(), ("BETA", "BETAET")])
def test_a_process_model_is_the_process_with_its_parameters_and_the_hydrograph(domain, dynamic):
    scaling = scaling_of(domain, (0, 365))
    torch.manual_seed(0)
    model = build_model(HBV.model_copy(update={"dynamic": list(dynamic)}), scaling, domain)
    window = Series(domain, scaling).window(100, 160, 80)
    with torch.no_grad():
        result = model(window)["discharge"]
        static, routing = model.parameters_of(window)
        if dynamic:
            early, late = model.dynamic_over(window)
            static = static | {name: torch.cat([early[name], late[name]]) for name in late}
        fluxes, _ = integrate(hbv(), window.forcing, static, backend="reference")
        expected = route(fluxes["runoff"].mean(-1), routing["route_a"], routing["route_b"])[80:]
    torch.testing.assert_close(result, window.drainage.mean(expected), rtol=1e-4, atol=1e-5)
    assert result.shape == (60, len(domain.place_ids))
    for parameter in hbv().parameters:
        values = static[parameter.name]
        assert parameter.low <= values.min() <= values.max() <= parameter.high


RIVER = HBV.model_copy(update={"routing": "river"})


def test_a_routed_model_sends_the_water_of_the_units_through_the_reaches():
    domain = make_domain(geometry=True)
    scaling = scaling_of(domain, (0, 365))
    torch.manual_seed(0)
    model = build_model(RIVER, scaling, domain)
    window = Series(domain, scaling).window(100, 400, 80)
    with torch.no_grad():
        result = model(window)["discharge"]
        runoff, before = model.runoff(window)
        discharge, first, last, lateral = model.river.march(runoff, window.drainage)
    assert result.shape == (300, len(domain.place_ids))
    volume = 6 * 3600 * (lateral.double().sum() - discharge[:, window.drainage.river.outlets].double().sum())
    stored = last.double().sum() - first.double().sum()
    assert abs(volume - stored) < 1e-6 * 6 * 3600 * lateral.double().sum()
    # What the gauges see is delayed and spread, but nearly the same water as without a river.
    mean = window.drainage.mean(runoff[before:])
    torch.testing.assert_close(result.mean(0), mean.mean(0), rtol=0.02, atol=0)
    assert result.std(0).sum() < mean.std(0).sum()


def test_gradients_reach_the_river_and_the_land():
    domain = make_domain(geometry=True)
    scaling = scaling_of(domain, (0, 365))
    model = build_model(RIVER, scaling, domain)
    model(Series(domain, scaling).window(100, 200, 80))["discharge"].square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in model.parameters())


def test_a_river_upstream_of_some_gauges_is_a_part_of_the_whole():
    """Discharge at a gauge is the same whether the rest of the network is there or not."""
    domain = make_domain(geometry=True)
    scaling = scaling_of(domain, (0, 365))
    torch.manual_seed(1)
    model = build_model(RIVER, scaling, domain).eval()
    with torch.no_grad():
        whole = model(Series(domain, scaling).window(100, 160, 80))["discharge"]
        part = model(Series(domain, scaling, places=[1, 3]).window(100, 160, 80))["discharge"]
    torch.testing.assert_close(part, whole[:, [1, 3]], rtol=1e-5, atol=1e-6)


def test_a_river_without_geometry_is_refused_before_it_trains(domain):
    with pytest.raises(ValueError, match="routing is river, but the reaches"):
        build_model(RIVER, scaling_of(domain, (0, 365)), domain)
    broken = make_domain(geometry=True)
    broken.network.length.values[0] = 0.0
    with pytest.raises(NetworkError, match="reach 'r0' has length 0"):
        Series(broken, scaling_of(broken, (0, 365)))


def test_no_routing_is_the_sum_of_runoff(domain):
    scaling = scaling_of(domain, (0, 365))
    model = build_model(HBV.model_copy(update={"routing": "none"}), scaling, domain)
    window = Series(domain, scaling).window(100, 160, 80)
    with torch.no_grad():
        expected = window.drainage.mean(model.fluxes(window, ("runoff",))["runoff"])
        torch.testing.assert_close(model(window)["discharge"], expected)


def test_a_dynamic_parameter_must_exist(domain):
    scaling = scaling_of(domain, (0, 365))
    with pytest.raises(ValueError, match="'GAMMA' is unknown to process hbv; available: BETA"):
        build_model(HBV.model_copy(update={"dynamic": ["GAMMA"]}), scaling, domain)


# Training


@pytest.mark.parametrize(
    "model", [HBV, LSTM, HBV.model_copy(update={"network": "none"})], ids=["process", "lstm", "one"]
)
@pytest.mark.parametrize(
    "loss", [name for name, loss in LOSSES.items() if not hasattr(loss, "censored")]
)  # see test_sampled_places.py
def test_training_lowers_the_loss(domain, model, loss, tmp_path):
    settings = TRAINING.model_copy(update={"loss": loss, "steps": 20, "patience": 99, "schedule": "constant"})
    task, scaling = make_task(domain, temporal(domain), job(model, settings))
    _, log = train(lambda: build_model(model, scaling, domain), task, settings, 0, tmp_path / "c.safetensors")
    assert log[-1]["training_loss"] < log[0]["training_loss"]
    assert [row["step"] for row in log] == [4, 8, 12, 16, 20]


@pytest.mark.parametrize("optimiser", ["adam", "adadelta"])
@pytest.mark.parametrize("model", [HBV.model_copy(update={"dropout": 0.2}), LSTM], ids=["process", "lstm"])
def test_a_run_interrupted_at_every_step_gives_the_bits_of_an_unbroken_one(domain, model, optimiser, tmp_path):
    settings = TRAINING.model_copy(update={"optimiser": optimiser, "checkpoint_every": 0.0, "places_per_step": 2})
    task, scaling = make_task(domain, temporal(domain), job(model, settings))

    def run(path, stop=None):
        return train(lambda: build_model(model, scaling, domain), task, settings, 3, path, stop=stop)

    unbroken, log = run(tmp_path / "unbroken.safetensors")

    def interrupt(step):
        raise KeyboardInterrupt

    for _ in range(settings.steps):
        try:
            broken, broken_log = run(tmp_path / "broken.safetensors", interrupt)
        except KeyboardInterrupt:
            torch.manual_seed(12345)
    broken, broken_log = run(tmp_path / "broken.safetensors", interrupt)
    assert all(torch.equal(a, b) for a, b in zip(unbroken.state_dict().values(), broken.state_dict().values()))
    cost = {"seconds", "cpu_seconds", "peak_memory_MB"}
    strip = [{k: v for k, v in row.items() if k not in cost} for row in log]
    assert strip == [{k: v for k, v in row.items() if k not in cost} for row in broken_log]


SCRIPT = """
import sys, torch
sys.path.insert(0, {tests!r})
from test_learning import *
torch.set_num_threads(1)
domain = make_domain()
settings = TRAINING.model_copy(update=dict(steps=60, patience=99, checkpoint_every=0.0))
tensors, _, _ = train_experiment(domain, temporal(domain), job(HBV, settings, [0, 1]), sys.argv[1], "key")
checkpoint.save(sys.argv[2], tensors, {{}})
"""


def test_a_killed_process_resumes_to_the_same_bits(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(tests=str(Path(__file__).parent)))

    def start(name):
        command = [
            sys.executable,
            str(script),
            str(tmp_path / f"{name}-checkpoints"),
            str(tmp_path / f"{name}.safetensors"),
        ]
        return subprocess.Popen(command, stderr=subprocess.DEVNULL)

    assert start("unbroken").wait() == 0
    killed = 0
    for _ in range(3):
        process = start("broken")
        before = {path: path.stat().st_mtime_ns for path in tmp_path.glob("broken-checkpoints/*/*")}
        deadline = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < deadline:
            if any(p.stat().st_mtime_ns != before.get(p) for p in tmp_path.glob("broken-checkpoints/*/fold*")):
                time.sleep(0.05)
                break
            time.sleep(0.005)
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
            killed += 1
        process.wait()
    assert killed >= 1
    assert start("broken").wait() == 0
    unbroken, _ = checkpoint.load(tmp_path / "unbroken.safetensors")
    broken, _ = checkpoint.load(tmp_path / "broken.safetensors")
    assert set(unbroken) == set(broken)
    assert all(torch.equal(unbroken[name], broken[name]) for name in unbroken)


def test_a_checkpoint_of_other_settings_is_not_resumed(domain, tmp_path):
    splits = temporal(domain)
    more = HBV.model_copy(update={"components": 3})
    first, again, other = (
        train_experiment(domain, splits, job(model), tmp_path, "key")[0] for model in (HBV, HBV, more)
    )
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert len(list(tmp_path.iterdir())) == 2
    assert {t.shape for t in other.values()} != {t.shape for t in first.values()}


def test_training_that_never_is_finite_stops_and_says_what_to_do(domain, tmp_path):
    task, scaling = make_task(domain, temporal(domain), job())
    task.observed["discharge"][:] = torch.inf
    with pytest.raises(TrainingError, match=r"not finite; lower training\.learning_rate"):
        train(
            lambda: build_model(HBV, scaling, domain),
            task,
            TRAINING.model_copy(update={"steps": 50}),
            0,
            tmp_path / "c.safetensors",
        )


def test_learning_rate_falls_on_a_cosine():
    settings = TRAINING.model_copy(update={"learning_rate": 1.0, "steps": 100})
    rates = [learning_rate(settings, step) for step in range(101)]
    assert rates[0] == 1.0
    assert rates[-1] == pytest.approx(0.05)
    assert (np.diff(rates) < 0).all()


# Experiments


def test_simulation_is_of_tested_gauges_and_days_only(domain, tmp_path):
    splits = make_splits(domain, Split(kind="ungauged_basins", train=PERIOD, test=LATER, folds=2))
    for model in (HBV, LSTM):
        tensors, values, _ = train_experiment(domain, splits, job(model, seeds=[0, 1]), tmp_path, "key")
        result = simulate_experiment(domain, splits, job(model, seeds=[0, 1]), tensors, values)
        simulation = result.variables["discharge"]
        shape = dict(fold=2, seed=2, place=4, time=len(pd.date_range(*LATER)))
        assert dict(simulation.sizes) == shape
        for i, (_, fold) in enumerate(splits.groupby("fold")):
            known = simulation.simulated.isel(fold=i).notnull().all(("seed", "time")).values
            assert (known == fold.set_index("place").loc[domain.place_ids].test.values).all()
        assert (result.parameters is None) == (model is LSTM)
    assert simulation.observed.values == pytest.approx(domain.observed_runoff.sel(time=slice(*LATER)).values)


def test_climatology_uses_the_past_of_the_gauge_or_that_of_others():
    domain = make_domain(days=1000)
    later = ("2001-01-01", "2001-12-31")
    table = make_splits(domain, Split(kind="temporal", train=PERIOD, test=later))

    def disturb(discharge):
        discharge[366:] = 1e6

    def mean_of(domain, table):
        settings = ClimatologyModel(label="", smoothing="31 days")
        return climatology(domain, table, "discharge", settings).variables["discharge"].simulated

    first, second = mean_of(domain, table), mean_of(with_discharge(domain, disturb), table)
    np.testing.assert_array_equal(first.values, second.values)
    mean = domain.observed_runoff.sel(time=slice(*PERIOD)).mean("time").values
    np.testing.assert_allclose(first.values[0, 0].mean(-1), mean, rtol=0.05)
    folds = make_splits(domain, Split(kind="ungauged_basins", train=PERIOD, test=PERIOD, folds=2))
    unseen = mean_of(domain, folds)
    for i, (_, fold) in enumerate(folds.groupby("fold")):
        fold = fold.set_index("place").loc[domain.place_ids]
        others = domain.observed_runoff.sel(time=slice(*PERIOD)).values[(fold.train | fold.validation).values].mean()
        assert unseen.isel(fold=i, seed=0).values[fold.test.values].mean() == pytest.approx(others, rel=0.05)


def test_synthetic_truth_is_recovered(tmp_path):
    """Discharge made by HBV with parameters that follow from attributes: a model learns to predict unseen years, and
    finds the baseflow recession that made them."""
    domain = make_domain(units=30, days=1095, gauges=30, seed=4)
    slope = torch.as_tensor(domain.attributes.slope.values, dtype=torch.float64)
    relative = ((slope - slope.mean()) / slope.std())[:, None]
    truth = {p.name: torch.full((30, 1), p.low + 0.4 * (p.high - p.low), dtype=torch.float64) for p in hbv().parameters}
    truth["K2"] = 0.05 * torch.exp(0.6 * relative.clamp(-2, 2))
    truth["FC"] = 200 * torch.exp(0.5 * relative.clamp(-2, 2))
    forcing = {n: torch.as_tensor(domain.forcing[n].values) for n in hbv().forcing_names}
    fluxes, _ = integrate(hbv(), forcing, truth)
    weights = domain.catchment_weights
    depth = weights @ fluxes["runoff"][:, :, 0].T.numpy()
    discharge = depth * domain.places.drainage_area.values[:, None] / 86.4
    observed = domain.observed.assign(discharge=(("time", "place"), discharge.T, {"units": "m3/s"}))
    domain = replace(domain, observed=observed)
    split = Split(
        kind="temporal", train=("2001-01-01", "2001-12-31"), test=("2002-01-01", "2002-12-30"), validation_share=0.1
    )
    settings = Training(steps=200, patience=99, learning_rate=0.02)
    model = ProcessModel(label="", components=1, hidden=32)
    splits = make_splits(domain, split)
    tensors, values, _ = train_experiment(domain, splits, job(model, settings), tmp_path, "key")
    result = simulate_experiment(domain, splits, job(model, settings), tensors, values)
    simulation = result.variables["discharge"]
    error = ((simulation.simulated[0, 0] - simulation.observed) ** 2).mean("time") / simulation.observed.var("time")
    assert 1 - np.median(error) > 0.9
    learned = result.parameters.K2.values[0, 0]
    assert np.corrcoef(np.log(learned), np.log(truth["K2"][:, 0].numpy()))[0, 1] > 0.6
