"""Learning at sites: splits, censored samples, what the task may see, baselines, scores, and a whole run of the verbs."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr
from thalweg.evaluation.site_score import score_sites
from thalweg.experiments.site_run import (
    build_site_model,
    make_site_task,
    simulate_site_experiment,
    site_climatology,
    train_site_experiment,
)
from thalweg.experiments.site_splits import make_site_splits
from thalweg.learn.site_windows import SiteSeries, known_parameters
from thalweg.settings.sites import (
    SiteJob,
    SiteProcessModel,
    Sites,
    SiteSequenceModel,
    SiteSplit,
)

from conftest import make_sites
from thalweg.analysis.loads import site_loads
from thalweg.basin.domain import DataError
from thalweg.cli import main
from thalweg.learn.losses.log_likelihood import log_likelihood
from thalweg.processes.water_quality.concentration_discharge import concentration_discharge
from thalweg.schema import ConfigError, settings_from
from thalweg.settings.blocks import Training
from thalweg.storage.store import write_netcdf

CURVE = SiteProcessModel(label="", process="concentration_discharge")
LSTM = SiteSequenceModel(label="", hidden=8, dropout=0.0)
TRAINING = Training(
    loss="log_likelihood",
    steps=150,
    learning_rate=0.03,
    window="600 days",
    spin_up="60 days",
    patience=99,
    climate_attributes=False,
)
TEMPORAL = SiteSplit(
    kind="temporal",
    variable="nitrate",
    train=("2000-01-01", "2001-12-31"),
    test=("2002-01-01", "2002-06-18"),
)
OUT = TEMPORAL.model_copy(
    update={"kind": "sites_out", "folds": 3, "test": ("2000-01-01", "2001-12-31"), "validation": "sites"}
)


def job(model=CURVE, training=TRAINING, seeds=(0,)):
    return SiteJob(
        model=model, training=training, variable="nitrate", seeds=list(seeds), validation_share=0.2, device="cpu"
    )


def test_every_site_is_tested_once_and_never_trains_where_it_is(sites):
    splits = make_site_splits(sites, OUT)
    assert (splits.groupby("site").test.sum() == 1).all()
    assert not (splits.test & (splits.train | splits.validation)).any()
    assert not (splits.train & splits.validation).any()
    assert (splits[splits.test].nearest_training_km > 0).all()


def test_a_temporal_split_tests_the_sites_that_train(sites):
    splits = make_site_splits(sites, TEMPORAL)
    assert splits.train.all() and splits.test.all()
    assert (splits.training_samples > 90).all() and (splits.test_samples > 20).all()


def test_a_site_with_few_samples_is_left_out_with_the_reason(sites):
    thin = make_sites()
    thin.samples.nitrate[:700, 0] = np.nan
    splits = make_site_splits(thin, TEMPORAL).set_index("site")
    assert splits.reason["s0"] == "too few samples" and not splits.train["s0"] and not splits.test["s0"]
    with pytest.raises(DataError, match="'oxygen' was not sampled; there are nitrate"):
        make_site_splits(sites, TEMPORAL.model_copy(update={"variable": "oxygen"}))
    with pytest.raises(DataError, match="no site to train with 500 samples"):
        make_site_splits(sites, TEMPORAL.model_copy(update={"minimum_samples": 500}))


def test_the_task_holds_no_sample_of_the_test(sites):
    changed = make_sites()
    changed.samples.nitrate[731:] = 777.0
    splits = make_site_splits(sites, TEMPORAL)
    tasks = [make_site_task(s, splits, CURVE, TRAINING, "nitrate", 0.2)[0] for s in (sites, changed)]
    torch.testing.assert_close(tasks[0].observed, tasks[1].observed, equal_nan=True)
    torch.testing.assert_close(tasks[0].deviation, tasks[1].deviation)
    torch.testing.assert_close(tasks[0].series.sequence, tasks[1].series.sequence)
    fold = make_site_splits(sites, OUT).query("fold == 0")
    task, _ = make_site_task(sites, fold, CURVE, TRAINING, "nitrate", 0.2)
    assert torch.isnan(task.observed[:, torch.tensor(fold.test.values)]).all()


def test_known_parameters_come_from_attributes_and_are_not_learned(sites):
    process = concentration_discharge("nitrate", "mg/l", 0.1, 100.0)
    assert known_parameters(process, sites) == ("mean_discharge",)
    task, scaling = make_site_task(sites, make_site_splits(sites, TEMPORAL), CURVE, TRAINING, "nitrate", 0.2)
    model = build_site_model(CURVE, scaling, sites, "nitrate")
    given = model.parameters_of(task.series.window(0, 5, 0))[0]["mean_discharge"]
    np.testing.assert_allclose(given[:, 0], sites.attributes.mean_discharge, rtol=1e-6)
    other = make_sites()
    other.attributes.mean_discharge.attrs["units"] = "km2"
    with pytest.raises(ValueError, match=r"'mean_discharge' has unit 'km2', but process .* wants 'm3/s'"):
        known_parameters(process, other)
    with pytest.raises(ValueError, match=r"needs 'discharge'; there are air_temperature"):
        SiteSeries(_without(sites, "discharge"), _scaling(_without(sites, "discharge")), None, process)


def _without(sites, name):
    return type(sites)(sites.name, sites.forcing.drop_vars(name), sites.attributes, sites.samples)


def _scaling(sites):
    from thalweg.learn.scaling import fit_site_scaling

    return fit_site_scaling(sites, np.arange(len(sites.site_ids)), (0, 100), 1.0)


def test_a_censored_sample_costs_nothing_below_its_limit_and_more_the_further_above():
    limit, deviation = torch.full((1, 1), 2.0), torch.ones(1)
    censored = torch.ones(1, 1, dtype=torch.bool)
    costs = [log_likelihood(torch.full((1, 1), s), limit, deviation, censored).item() for s in (0.01, 2.0, 4.0, 20.0)]
    assert costs[0] < 1e-6 and costs[1] == pytest.approx(np.log(2)) and costs[1] < costs[2] < costs[3]
    exact = [log_likelihood(torch.full((1, 1), s), limit, deviation).item() for s in (2.0, 2.0 * np.e)]
    assert exact == pytest.approx([0.0, 0.5])


def test_a_curve_is_recovered_from_attributes_and_carried_to_held_out_sites(tmp_path):
    sites = make_sites(count=12)
    splits = make_site_splits(sites, OUT)
    tensors, values, _ = train_site_experiment(sites, splits, job(), tmp_path, "key")
    simulation, parameters, internals = simulate_site_experiment(sites, splits, job(), tensors, values)
    simulation.attrs.update(domain="synthetic", experiment="out", model="curve")
    skill = score_sites(simulation, "test", ["NSE", "RMSE", "bias"], 20)
    assert skill[skill.metric == "NSE"].value.median() > 0.7
    truth = -0.2 - 0.5 * sites.attributes.clay.values
    learned = np.array([parameters.discharge_exponent.sel(fold=f, seed=0, site=s) for f, s in _tested(splits)])
    expected = np.array([truth[list(sites.site_ids).index(s)] for _, s in _tested(splits)])
    assert np.corrcoef(learned, expected)[0, 1] > 0.8
    assert internals.nitrate.dims == ("site", "time")
    assert (simulation.tested.values * simulation.trained.values).sum() == 0


def _tested(splits):
    rows = splits[splits.test]
    return list(zip(rows.fold, rows.site))


@pytest.mark.parametrize("model", [CURVE, CURVE.model_copy(update={"network": "site"}), LSTM], ids=str)
def test_training_lowers_the_loss_and_the_same_seed_gives_the_same_numbers(sites, model, tmp_path):
    splits = make_site_splits(sites, TEMPORAL)
    short = job(model, TRAINING.model_copy(update={"steps": 20, "validate_every": 5, "schedule": "constant"}))
    first, _, log = train_site_experiment(sites, splits, short, tmp_path / "a", "key")
    again, _, _ = train_site_experiment(sites, splits, short, tmp_path / "b", "key")
    assert log.training_loss.iloc[-1] < log.training_loss.iloc[0]
    assert all(torch.equal(first[name], again[name]) for name in first)


def test_the_seasonal_cycle_of_a_held_out_site_is_that_of_the_others(sites):
    shifted = make_sites()
    shifted.samples.nitrate[:, 2] += 1000.0
    splits = make_site_splits(sites, OUT)
    fold = splits[(splits.site == "s2") & splits.test].fold.item()
    cycle = site_climatology(shifted, splits, "nitrate", 2).simulated.sel(fold=fold, site="s2")
    assert cycle.max() < 100
    own = site_climatology(shifted, make_site_splits(shifted, TEMPORAL), "nitrate", 2).simulated.sel(site="s2")
    assert own.min() > 900


def test_a_simulation_below_a_detection_limit_has_no_error(sites):
    splits = make_site_splits(sites, TEMPORAL)
    simulation = site_climatology(sites, splits, "nitrate", 1)
    simulation.attrs.update(domain="d", experiment="e", model="m")
    perfect = simulation.observed.values * np.where(simulation.censored.values > 0, 0.1, 1.0)
    simulation.simulated[0, 0] = perfect
    skill = score_sites(simulation, "test", ["RMSE", "bias"], 5)
    np.testing.assert_allclose(skill.value, 0.0, atol=1e-6)
    simulation.simulated[0, 0] = perfect + 1.0
    above = score_sites(simulation, "test", ["bias"], 5).value
    assert ((above > 0.2) & (above <= 1.0 + 1e-6)).all()


def test_a_configuration_that_cannot_be_is_refused():
    with pytest.raises(ConfigError, match="none for a held-out one"):
        settings_from(
            Sites,
            json.dumps(
                {
                    "models": {"own": {"kind": "process", "label": "x", "process": "air2stream", "network": "site"}},
                    "experiments": {
                        "thames": {
                            "out": {
                                "kind": "sites_out",
                                "label": "x",
                                "variable": "water_temperature",
                                "train": ["2009-03-01", "2010-01-01"],
                                "test": ["2009-03-01", "2010-01-01"],
                                "folds": 2,
                                "models": ["own"],
                            }
                        }
                    },
                }
            ),
        )
    with pytest.raises(ConfigError, match="overlaps train"):
        settings_from(SiteSplit, TEMPORAL.model_copy(update={"test": TEMPORAL.train}).model_dump_json())


def test_the_verbs_take_sites_to_scores(sites, tmp_path):
    write_netcdf(sites.to_tree(), tmp_path / "sites.nc", {})
    names = ["--names", "synthetic", "later", "curve"]
    common = ["--sites", f"{tmp_path}/sites.nc", "--splits", f"{tmp_path}/splits.csv"]
    settings = job(training=TRAINING.model_copy(update={"steps": 10})).model_dump_json()
    paths = {name: f"{tmp_path}/{name}" for name in ("c", "log.csv", "s.nc", "p.nc", "i.nc", "scores.csv")}
    weights = ["--weights", f"{tmp_path}/w.safetensors"]
    main(
        [
            "step",
            "site_split",
            *common[:2],
            "--settings",
            TEMPORAL.model_dump_json(),
            "--output",
            f"{tmp_path}/splits.csv",
        ]
    )
    run = [*common, *names, "--settings", settings, *weights]
    main(["step", "site_train", *run, "--checkpoints", paths["c"], "--log", paths["log.csv"]])
    outputs = ["--output", paths["s.nc"], "--parameters", paths["p.nc"], "--internals", paths["i.nc"]]
    main(["step", "site_simulate", *run, *outputs])
    scored = json.dumps({"metrics": ["RMSE", "bias"], "minimum_samples": 10})
    scores = ["--output", paths["scores.csv"], "--settings", scored]
    main(["step", "site_score", "--simulation", paths["s.nc"], "--study", "t", *scores])
    tables = [f"--{name}={tmp_path}/{name}.csv" for name in ("skill", "summary", "comparison")]
    settings = json.dumps({"bootstrap_samples": 50, "compared": ["RMSE"]})
    main(["step", "summarise", "--scores", paths["scores.csv"], *tables, "--settings", settings])
    summary = pd.read_csv(tmp_path / "summary.csv")
    assert set(summary.unit) == {"mg/l"} and (summary.places == 6).all()


def on_a_river():
    """Sites s0 to s5 on one river: s0 and s1 join in s2, s2 and s3 in s4, which drains to s5."""
    sites = make_sites()
    network = xr.Dataset(
        {
            "downstream": ("site", ["s2", "s2", "s4", "s4", "s5", ""]),
            "length": ("site", [5e3, 8e3, 20e3, 1e3, 30e3, np.nan], {"units": "m"}),
        },
        coords={"site": sites.site_ids},
    )
    return type(sites)(sites.name, sites.forcing, sites.attributes, sites.samples, network)


def test_loads_balance_down_the_network():
    sites = on_a_river()
    nitrate = np.full(sites.forcing.discharge.shape, 5.0)
    width = {"width_coefficient": np.full(6, 8.0), "width_exponent": np.full(6, 0.4)}
    free = site_loads(sites, nitrate, {"uptake_velocity": np.zeros(6), **width}).set_index("site")
    expected = 5.0 * sites.forcing.discharge.values.mean(0) * 86.4 * 0.36525
    np.testing.assert_allclose(free.load, expected)
    np.testing.assert_allclose(free.arriving["s4"], expected[2] + expected[3])
    np.testing.assert_allclose(free.uptake, 0, atol=1e-6 * expected.max())
    np.testing.assert_allclose(free.delivered_share, 1)
    taken = site_loads(sites, nitrate, {"uptake_velocity": np.full(6, 0.1), **width}).set_index("site")
    width_of_s0 = 8.0 * sites.forcing.discharge.values[:, 0].mean() ** 0.4
    exponent = 0.1 * width_of_s0 * 5e3 / (86400 * sites.forcing.discharge.values[:, 0].mean())
    assert taken.uptake_share["s0"] == pytest.approx(1 - np.exp(-exponent), rel=1e-6)
    assert (taken.uptake[:-1] > 0).all() and taken.uptake["s5"] == pytest.approx(0, abs=1e-6)
    arriving = (taken.load - taken.uptake).groupby(taken.downstream).sum()
    np.testing.assert_allclose(taken.arriving["s4"], arriving["s4"])
    np.testing.assert_allclose(taken.load, taken.arriving + taken.gained)
    assert taken.delivered_share["s0"] < taken.delivered_share["s2"] < taken.delivered_share["s4"] < 1


def test_loads_pass_through_a_site_that_was_not_simulated():
    sites = on_a_river()
    nitrate = np.full(sites.forcing.discharge.shape, 5.0)
    nitrate[:, 2] = np.nan
    parameters = {
        "uptake_velocity": np.zeros(6),
        "width_coefficient": np.full(6, 8.0),
        "width_exponent": np.full(6, 0.4),
    }
    table = site_loads(sites, nitrate, parameters).set_index("site")
    assert "s2" not in table.index
    assert table.arriving["s4"] == pytest.approx(table.load["s0"] + table.load["s1"] + table.load["s3"])
    assert (table.delivered_share == 1).all()


def test_loads_need_a_network(sites):
    with pytest.raises(ValueError, match="stand on no network"):
        site_loads(sites, sites.forcing.discharge.values, {})


@pytest.mark.parametrize(
    "model", [CURVE, CURVE.model_copy(update={"network": "site"}), LSTM], ids=["net", "site", "lstm"]
)
def test_a_window_of_some_sites_gives_what_one_of_all_gives_there(sites, model):
    task, scaling = make_site_task(sites, make_site_splits(sites, TEMPORAL), model, TRAINING, "nitrate", 0.2)
    torch.manual_seed(0)
    trained = build_site_model(model, scaling, sites, "nitrate").eval()
    some = torch.tensor([4, 1])
    part, columns = task.series.window_of(some, 100, 160, 30)
    with torch.no_grad():
        whole = trained(task.series.window(100, 160, 30))
        torch.testing.assert_close(trained(part)[:, columns], whole[:, some])
