"""Learning at sampled places: splits, censored samples, what the task may see, baselines, scores, and a whole run of the steps."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from conftest import make_sites
from thalweg.basin.domain import DataError
from thalweg.cli import main
from thalweg.evaluation.score import score
from thalweg.experiments.baselines import climatology
from thalweg.experiments.models import build_model
from thalweg.experiments.run import make_task, simulate_experiment, train_experiment
from thalweg.experiments.simulation import read_simulation
from thalweg.experiments.splits import make_splits
from thalweg.learn.losses.log_likelihood import log_likelihood
from thalweg.learn.scaling import fit_scaling
from thalweg.learn.windows import Series, known_parameters
from thalweg.processes.water_quality.concentration_discharge import concentration_discharge
from thalweg.schema import ConfigError, settings_from, validated
from thalweg.settings.blocks import ClimatologyModel, ProcessModel, SequenceModel, Split, Training, TrainingJob
from thalweg.storage.store import write_netcdf

CURVE = ProcessModel(label="", process="concentration_discharge", components=1, hidden=32, layers=1)
UNIT = CURVE.model_copy(update={"network": "unit"})
LSTM = SequenceModel(label="", hidden=8)
TRAINING = Training(
    loss="log_likelihood",
    steps=150,
    learning_rate=0.03,
    window="600 days",
    spin_up="60 days",
    patience=99,
    climate_attributes=False,
    logarithmic_attributes=True,
)
TEMPORAL = Split(
    kind="temporal",
    variable="nitrate",
    train=("2000-01-01", "2001-12-31"),
    test=("2002-01-01", "2002-06-18"),
    minimum_values=20,
    validation="period",
)
OUT = TEMPORAL.model_copy(
    update={"kind": "ungauged_places", "folds": 3, "test": ("2000-01-01", "2001-12-31"), "validation": "places"}
)


def job(model=CURVE, training=TRAINING, seeds=(0,)):
    return TrainingJob(
        model=model,
        training=training,
        variables={"nitrate": 1.0},
        seeds=list(seeds),
        validation_share=0.2,
        device="cpu",
    )


def seasons(domain, splits, harmonics):
    """The simulation of the seasonal cycle of nitrate."""
    settings = ClimatologyModel(label="", harmonics=harmonics)
    return climatology(domain, splits, "nitrate", settings).variables["nitrate"]


def test_every_site_is_tested_once_and_never_trains_where_it_is(sites):
    splits = make_splits(sites, OUT)
    assert (splits.groupby("place").test.sum() == 1).all()
    assert not (splits.test & (splits.train | splits.validation)).any()
    assert not (splits.train & splits.validation).any()
    assert (splits[splits.test].nearest_training_km > 0).all()


def test_a_temporal_split_tests_the_sites_that_train(sites):
    splits = make_splits(sites, TEMPORAL)
    assert splits.train.all() and splits.test.all()
    assert (splits.training_values > 90).all() and (splits.test_values > 20).all()


def test_a_site_with_few_samples_is_left_out_with_the_reason(sites):
    thin = make_sites()
    thin.observed.nitrate[:700, 0] = np.nan
    splits = make_splits(thin, TEMPORAL).set_index("place")
    assert splits.reason["s0"] == "too few training values" and not splits.train["s0"] and not splits.test["s0"]
    with pytest.raises(DataError, match="'oxygen' was not observed; available: nitrate"):
        make_splits(sites, TEMPORAL.model_copy(update={"variable": "oxygen"}))
    with pytest.raises(DataError, match="no place to train with 500 values"):
        make_splits(sites, TEMPORAL.model_copy(update={"minimum_values": 500}))


def test_the_task_holds_no_sample_of_the_test(sites):
    changed = make_sites()
    changed.observed.nitrate[731:] = 777.0
    splits = make_splits(sites, TEMPORAL)
    tasks = [make_task(s, splits, job(CURVE))[0] for s in (sites, changed)]
    torch.testing.assert_close(tasks[0].observed, tasks[1].observed, equal_nan=True)
    torch.testing.assert_close(tasks[0].deviation, tasks[1].deviation)
    torch.testing.assert_close(tasks[0].series.sequence, tasks[1].series.sequence)
    fold = make_splits(sites, OUT).query("fold == 0")
    learns = (fold.train | fold.validation).values
    task, _ = make_task(sites, fold, job(CURVE))
    expected = np.where(np.arange(900)[:, None] < 731, sites.observed.nitrate.values[:, learns], np.nan)
    np.testing.assert_allclose(task.observed["nitrate"], expected, rtol=1e-6)
    task, _ = make_task(sites, fold, job(UNIT))  # which knows all units, but not what was observed there
    assert torch.isnan(task.observed["nitrate"][:, torch.tensor(fold.test.values)]).all()


def test_known_parameters_come_from_attributes_and_are_not_learned(sites):
    process = concentration_discharge("nitrate", "mg/l", 0.1, 100.0)
    assert known_parameters(process, sites) == ("mean_discharge",)
    task, scaling = make_task(sites, make_splits(sites, TEMPORAL), job(CURVE))
    model = build_model(CURVE, scaling, sites)
    given = model.parameters_of(task.series.window(0, 5, 0))[0]["mean_discharge"]
    np.testing.assert_allclose(given[:, 0], sites.attributes.mean_discharge, rtol=1e-6)
    other = make_sites()
    other.attributes.mean_discharge.attrs["units"] = "km2"
    with pytest.raises(ValueError, match=r"'mean_discharge' has unit 'km2', but process .* needs 'm3/s'"):
        known_parameters(process, other)
    with pytest.raises(ValueError, match=r"needs 'discharge'; available: air_temperature"):
        Series(_without(sites, "discharge"), _scaling(_without(sites, "discharge")), None, ["nitrate"], process)


def _without(sites, name):
    return replace(sites, forcing=sites.forcing.drop_vars(name))


def _scaling(sites):
    return fit_scaling(sites, np.arange(len(sites.unit_ids)), (0, 100), {"nitrate": 1.0}, climate=False)


def test_a_censored_sample_costs_nothing_below_its_limit_and_more_the_further_above():
    limit, deviation = torch.full((1, 1), 2.0), torch.ones(1)
    censored = torch.ones(1, 1, dtype=torch.bool)
    costs = [log_likelihood(torch.full((1, 1), s), limit, deviation, censored).item() for s in (0.01, 2.0, 4.0, 20.0)]
    assert costs[0] < 1e-6 and costs[1] == pytest.approx(np.log(2)) and costs[1] < costs[2] < costs[3]
    exact = [log_likelihood(torch.full((1, 1), s), limit, deviation).item() for s in (2.0, 2.0 * np.e)]
    assert exact == pytest.approx([0.0, 0.5])


def test_a_loss_that_takes_detection_limits_for_measured_is_refused_before_it_trains(sites):
    deaf = job(training=TRAINING.model_copy(update={"loss": "nse_batch"}))
    splits = make_splits(sites, TEMPORAL)
    with pytest.raises(
        DataError, match=r"synthetic/observed: 'nitrate' has values below .* 'nse_batch' .* use log_likelihood"
    ):
        make_task(sites, splits, deaf)
    measured = replace(sites, observed=sites.observed.drop_vars("nitrate_censored"))
    assert make_task(measured, splits, deaf)[0].censored == {}


def test_a_curve_is_recovered_from_attributes_and_carried_to_held_out_sites(tmp_path):
    sites = make_sites(count=12)
    splits = make_splits(sites, OUT)
    tensors, values, _ = train_experiment(sites, splits, job(), tmp_path, "key")
    result = simulate_experiment(sites, splits, job(), tensors, values)
    simulation, parameters, internals = result.variables["nitrate"], result.parameters, result.internals
    simulation.attrs.update(domain="synthetic", experiment="out", model="curve")
    skill = score(simulation, "test", ["NSE", "RMSE", "bias"], 20)
    assert skill[skill.metric == "NSE"].value.median() > 0.7
    truth = -0.2 - 0.5 * sites.attributes.clay.values
    learned = np.array([parameters.discharge_exponent.sel(fold=f, seed=0, unit=s) for f, s in _tested(splits)])
    expected = np.array([truth[list(sites.place_ids).index(s)] for _, s in _tested(splits)])
    assert np.corrcoef(learned, expected)[0, 1] > 0.8
    assert internals.nitrate.dims == ("unit", "time")
    assert (simulation.tested.values * simulation.trained.values).sum() == 0


def _tested(splits):
    rows = splits[splits.test]
    return list(zip(rows.fold, rows.place))


@pytest.mark.parametrize("model", [CURVE, UNIT, LSTM], ids=str)
def test_training_lowers_the_loss_and_the_same_seed_gives_the_same_numbers(sites, model, tmp_path):
    splits = make_splits(sites, TEMPORAL)
    short = job(model, TRAINING.model_copy(update={"steps": 20, "validate_every": 5, "schedule": "constant"}))
    first, _, log = train_experiment(sites, splits, short, tmp_path / "a", "key")
    again, _, _ = train_experiment(sites, splits, short, tmp_path / "b", "key")
    assert log.training_loss.iloc[-1] < log.training_loss.iloc[0]
    assert all(torch.equal(first[name], again[name]) for name in first)


def test_the_seasonal_cycle_of_a_held_out_site_is_that_of_the_others(sites):
    shifted = make_sites()
    shifted.observed.nitrate[:, 2] += 1000.0
    splits = make_splits(sites, OUT)
    fold = splits[(splits.place == "s2") & splits.test].fold.item()
    cycle = seasons(shifted, splits, 2).simulated.sel(fold=fold, place="s2")
    assert cycle.max() < 100
    own = seasons(shifted, make_splits(shifted, TEMPORAL), 2).simulated.sel(place="s2")
    assert own.min() > 900


def test_a_simulation_below_a_detection_limit_has_no_error(sites):
    splits = make_splits(sites, TEMPORAL)
    simulation = seasons(sites, splits, 1)
    simulation.attrs.update(domain="d", experiment="e", model="m")
    perfect = simulation.observed.values * np.where(simulation.censored.values > 0, 0.1, 1.0)
    simulation.simulated[0, 0] = perfect
    skill = score(simulation, "test", ["RMSE", "bias"], 5)
    np.testing.assert_allclose(skill.value, 0.0, atol=1e-6)
    simulation.simulated[0, 0] = perfect + 1.0
    above = score(simulation, "test", ["bias"], 5).value
    assert ((above > 0.2) & (above <= 1.0 + 1e-6)).all()


def test_a_configuration_that_cannot_be_is_refused():
    from thalweg.settings.study import Study

    later = TEMPORAL.model_copy(update={"test": TEMPORAL.train})
    with pytest.raises(ConfigError, match="overlaps the training period"):
        settings_from(Split, later.model_dump_json())
    years = {part: ("2009-03-01", "2010-01-01") for part in ("train", "test")}
    experiment = {**OUT.model_copy(update=years).model_dump(mode="json"), "label": "x", "models": ["own"]}
    own = {"kind": "process", "label": "x", "process": "air2stream", "network": "unit"}
    with pytest.raises(ConfigError, match="none for a held-out one"):
        validated(
            Study, {"domains": {"thames": {}}, "models": {"own": own}, "experiments": {"thames": {"out": experiment}}}
        )


def step(name, **options):
    """Run ``thalweg step NAME`` with options as text, lists or settings."""
    words = [[f"--{key}", *map(str, value if isinstance(value, list) else [value])] for key, value in options.items()]
    main(["step", name, *(word for option in words for word in option)])


def test_the_steps_take_sampled_places_to_scores(sites, tmp_path):
    write_netcdf(sites.to_tree(), tmp_path / "sites.nc", {})
    names, settings = ["synthetic", "later"], job(training=TRAINING.model_copy(update={"steps": 10}))
    weights, simulation, scores = (tmp_path / one for one in ("curve.safetensors", "curve.nc", "scores.csv"))
    both = {"domain": tmp_path / "sites.nc", "splits": tmp_path / "splits.csv"}
    step("split", domain=both["domain"], settings=TEMPORAL.model_dump_json(), output=both["splits"])
    run = {**both, "names": names, "settings": f'{{"curve": {settings.model_dump_json()}}}', "output": tmp_path}
    step("train", **run, checkpoints=tmp_path / "c")
    step("simulate", **run, weights=weights)
    few = {"metrics": ["NSE"], "minimum_days": 1, "sample_metrics": ["RMSE", "bias"], "minimum_samples": 10}
    step("score", simulations=simulation, study="t", settings=json.dumps(few), output=scores)
    tables = {name: tmp_path / f"{name}.csv" for name in ("skill", "summary", "comparison")}
    compared = {"bootstrap_samples": 50, "compared": ["NSE"], "sample_compared": ["RMSE"]}
    step("summarise", scores=[scores], **tables, settings=json.dumps(compared))
    summary = pd.read_csv(tmp_path / "summary.csv")
    assert set(summary.unit) == {"mg/l"} and (summary.places == 6).all()
    assert "discharge_exponent" in read_simulation(simulation, "parameters")
    assert read_simulation(simulation, "internals").nitrate.dims == ("unit", "time")


@pytest.mark.parametrize("model", [CURVE, UNIT, LSTM], ids=["net", "site", "lstm"])
def test_a_window_of_some_sites_gives_what_one_of_all_gives_there(sites, model):
    task, scaling = make_task(sites, make_splits(sites, TEMPORAL), job(model))
    torch.manual_seed(0)
    trained = build_model(model, scaling, sites).eval()
    some = torch.tensor([4, 1])
    part, columns = task.series.window_of(some, 100, 160, 30)
    with torch.no_grad():
        whole = trained(task.series.window(100, 160, 30))["nitrate"]
        torch.testing.assert_close(trained(part)["nitrate"][:, columns], whole[:, some])
