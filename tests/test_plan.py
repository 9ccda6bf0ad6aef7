"""The plan: which experiments and models of a study each job, analysis and figure is about."""

from pathlib import Path

import pytest

from thalweg.datasets import own_sites
from thalweg.experiments import plan
from thalweg.settings.blocks import TrainingJob
from thalweg.settings.files import compose, read, read_study

CONFIG = Path(__file__).parents[1] / "config"

EARLY, LATE = ("2001-01-01", "2005-12-31"), ("2006-01-01", "2015-12-31")
BOTH = (EARLY[0], LATE[1])
LATER = {"kind": "temporal", "train": EARLY, "test": LATE}
OPEN = {"train": BOTH, "test": BOTH}
WATER = {"variable": "water_temperature", "models": ["stream-temperature", "stream-lstm", "season"]}


def study(experiments, **more):
    """A study of own catchments, ``rivers``, and own sites, ``sites``."""
    domains = {
        "rivers": {"kind": "own_catchments", "folder": "rivers", "period": BOTH},
        "sites": {"kind": "own_sites", "folder": "sites"},
    }
    values = {"domains": domains, "experiments": experiments, **more}
    return compose([("the defaults", read(CONFIG / "config.yaml")), ("the test", values)])


@pytest.fixture
def both():
    """Gauges and sampled places in one study."""
    rivers = {
        "later": {**LATER, "models": ["hbv", "lstm", "hbv-river", "ensemble", "climatology"], "seeds": [4, 5]},
        "pub": {"kind": "ungauged_basins", "folds": 3, **OPEN, "validation": "none", "models": ["hbv", "lstm"]},
        "half": {**LATER, "training_share": 0.5, "models": ["hbv", "lstm"]},
        "floods": {"kind": "extremes", **OPEN, "models": ["lstm", "hbv"]},
    }
    sites = {
        "temperature": {**LATER, **WATER, "label": "later"},
        "elsewhere": {"kind": "ungauged_places", "folds": 2, **OPEN, **WATER},
        "nitrate": {**LATER, "variable": "nitrate", "models": ["nitrogen", "stream-lstm", "season"]},
    }
    return study({"rivers": rivers, "sites": sites})


def test_every_experiment_is_run_and_what_has_parameters_is_trained(both):
    runs = plan.runs(both)
    assert len(runs) == 11 + 9
    assert ("rivers", "later", "ensemble") in runs and ("sites", "nitrate", "season") in runs
    untrained = set(runs) - set(plan.trainings(both))
    assert {model for _, _, model in untrained} == {"ensemble", "climatology", "season"}
    assert plan.domains(both) == ["rivers", "sites"]


def test_what_is_about_discharge_does_not_hold_what_is_sampled(both):
    lists = (
        plan.main_experiments,
        plan.later_periods,
        plan.repeated_in_folds,
        plan.between_periods,
        plan.long_tests,
        plan.unseen_floods,
        plan.rivers,
        plan.mapped,
        plan.ranked_processes,
        plan.published,
    )
    found = {each.__name__: each(both) for each in lists}
    assert {run[0] for runs in found.values() for run in runs} == {"rivers"}
    assert found["main_experiments"] == [("rivers", "later"), ("rivers", "pub"), ("rivers", "floods")]
    assert found["later_periods"] == found["long_tests"] == found["rivers"] == [("rivers", "later")]
    assert found["repeated_in_folds"] == [("rivers", "pub")]
    assert found["unseen_floods"] == [("rivers", "floods")]
    assert plan.ungauged(both) == {"rivers": ["pub"]}


def test_what_is_sampled_does_not_hold_discharge(both):
    assert plan.sampled(both) == [("sites", name) for name in ("temperature", "elsewhere", "nitrate")]
    assert plan.sampled_variables(both) == [("sites", "water_temperature"), ("sites", "nitrate")]
    assert list(plan.about(both, "sites", "water_temperature")) == ["temperature", "elsewhere"]
    assert plan.baselines(both, "sites", ["temperature"]) == ["stream-lstm", "season"]
    assert plan.described_by_attributes(both) == [
        ("sites", "temperature", "stream-temperature"),
        ("sites", "nitrate", "nitrogen"),
    ]
    assert plan.heat_budgets(both) == [("sites", "temperature", "stream-temperature")]


def test_a_variable_recorded_continuously_is_neither_sampled_nor_discharge():
    snow = {**LATER, "variable": "snow_water_equivalent", "models": ["hbv"]}
    made = study({"rivers": {"snow": snow}})
    assert plan.runs(made) and not plan.sampled(made) and not plan.main_experiments(made)


def test_an_experiment_of_several_variables_is_about_the_first():
    several = {**LATER, "variable": {"discharge": 1.0, "water_temperature": 0.5}, "models": ["hbv"]}
    made = study({"rivers": {"both": several}})
    assert plan.main_experiments(made) == [("rivers", "both")] and not plan.sampled(made)
    assert plan.job(made, "rivers", "both", "hbv")["variables"] == {"discharge": 1.0, "water_temperature": 0.5}


def test_loads_need_a_network_of_the_sampled_places(both, monkeypatch):
    assert plan.load_balances(both) == [] and plan.on_networks(both) == []
    monkeypatch.setattr(own_sites, "has_network", lambda settings: True)
    assert plan.load_balances(both) == [("sites", "nitrate", "nitrogen")]
    assert plan.on_networks(both) == plan.sampled(both)
    assert not plan.has_network(both, "rivers")


def test_the_thames_is_a_network():
    default = read_study(CONFIG)
    assert plan.has_network(default, "thames") and not plan.has_network(default, "delaware")


def test_a_job_holds_the_settings_of_one_model_in_one_experiment(both):
    job = plan.job(both, "rivers", "later", "hbv")
    assert TrainingJob.model_validate(job).seeds == [4, 5]
    assert job["variables"] == {"discharge": 1.0} and job["model"]["label"] == ""
    assert plan.job(both, "rivers", "pub", "hbv")["validation_share"] == 0
    assert plan.job(both, "rivers", "pub", "hbv")["seeds"] == both.seeds
    nitrate = plan.job(both, "sites", "nitrate", "nitrogen")
    assert nitrate["training"]["logarithmic_attributes"] and nitrate["variables"] == {"nitrate": 1.0}
    for model in ("ensemble", "climatology"):
        job = plan.job(both, "rivers", "later", model)
        assert job["training"] == {} and TrainingJob.model_validate(job).seeds == [0]


def test_a_label_changes_no_split(both):
    settings = plan.split_settings(both, "sites", "temperature")
    assert "label" not in settings and "models" not in settings and settings["variable"] == "water_temperature"


def test_the_models_of_an_experiment_by_what_they_are(both):
    later = ("rivers", "later")
    assert plan.processes_of(both, *later) == ["hbv", "hbv-river"]
    assert plan.routed_models(both, *later) == ["hbv-river"]
    assert plan.compared_with_river(both, *later) == ["hbv-river", "hbv"]
    assert plan.drawn_trained(both, *later) == ["hbv", "lstm", "hbv-river"]
    assert plan.mapped(both) == [("rivers", "later", "hbv")] and plan.mapped_parameters(both, "hbv")[0] == "BETA"
    assert plan.shared_models(both, "rivers", ["later", "floods"]) == ["hbv", "lstm"]
    assert plan.reference(both, *later) == "lstm"
    assert plan.reference(both, "sites", "nitrate") == "stream-lstm"
    assert plan.reference(study({"rivers": {"later": {**LATER, "models": ["hbv"]}}}), *later) == ""


def test_figures_of_a_kind_are_of_one_experiment_for_each_domain(both):
    assert plan.hydrograph_experiments(both) == [("rivers", "later")]
    assert plan.mapped_experiments(both) == [("rivers", "later"), ("rivers", "pub")]
    assert plan.first_sampled(both) == [("sites", "temperature"), ("sites", "nitrate")]
    assert plan.first_of_each([("a", 1), ("a", 2), ("b", 3)]) == [("a", 1), ("b", 3)]
    assert plan.first_of_each([("a", 1, "x"), ("a", 2, "y"), ("a", 2, "z")], parts=2) == [("a", 1, "x"), ("a", 2, "y")]


def test_experiments_that_differ_in_how_much_they_train_on_are_a_series(both):
    assert plan.sparse(both) == {("rivers", "share"): {"later": 1.0, "half": 0.5}}
    assert plan.sparse(read_study(CONFIG)) == {
        ("delaware", "share"): {"gauges-15": 0.15, "gauges-40": 0.4, "gauges-100": 1.0},
    }


def test_a_loss_has_a_unit(both):
    assert plan.loss_unit(both, "rivers") == "dimensionless"
    made = study({"rivers": {"later": {**LATER, "models": ["hbv"]}}}, training={"loss": "rmse_combination"})
    assert plan.loss_unit(made, "rivers") == "mm/day"


def test_data_are_in_a_folder_of_the_dataset_or_of_ones_own(both, tmp_path):
    made = read_study(CONFIG)
    assert plan.folder(made, "thames") == "data/thames"
    assert plan.files(made, "thames") == "data/thames/dataset.json"
    assert plan.gridded(made) == ["cevennes-lez", "cevennes-cance"]
    assert plan.files(made, "cevennes-lez") == plan.files(made, "cevennes-cance") == "data/cevennes/dataset.json"
    assert plan.folder(both, "sites") == "sites"
    for name in ("samples.csv", "forcing.csv"):
        (tmp_path / name).touch()
    here = made.model_validate(
        {"domains": {"sites": {"kind": "own_sites", "folder": str(tmp_path)}}, "experiments": {}, "twin_priors": None}
    )
    assert plan.files(here, "sites") == [f"{tmp_path}/forcing.csv", f"{tmp_path}/samples.csv"]
