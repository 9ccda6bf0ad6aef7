"""The steps of the workflow on one small domain: sampled places to verdict-ready tables, ensembles, several variables at once."""

import json
import shutil

import pandas as pd
import pytest

from thalweg.cli import main
from thalweg.experiments.simulation import read_simulation, read_variables
from thalweg.settings.blocks import Split, Training
from thalweg.storage.store import write_netcdf

TRAINING = Training(
    steps=4,
    window="200 days",
    spin_up="60 days",
    climate_attributes=False,
    logarithmic_attributes=True,
    loss="nse_batch",
)
CURVE = {
    "kind": "process",
    "label": "",
    "process": "concentration_discharge",
    "components": 1,
    "hidden": 8,
    "layers": 1,
}
SEASON = {"kind": "climatology", "label": "", "harmonics": 2}
LATER = Split(
    kind="temporal",
    variable="nitrate",
    train=("2000-01-01", "2001-12-31"),
    test=("2002-01-01", "2002-06-18"),
    validation="period",
    validation_share=0.2,
    minimum_values=10,
)
SCORED = {"metrics": ["NSE", "KGE"], "minimum_days": 100, "sample_metrics": ["RMSE", "NSE"], "minimum_samples": 10}


def job(model, **more):
    """Settings of one model of an experiment."""
    training = TRAINING.model_dump(mode="json") | {"loss": "log_likelihood"} if model["kind"] == "process" else {}
    values = {"model": model, "training": training, "variables": {"nitrate": 1.0}, "seeds": [0]}
    return values | {"validation_share": 0.2, "device": "cpu"} | more


@pytest.fixture
def folder(sites, tmp_path):
    """A folder with a domain and its split."""
    write_netcdf(sites.to_tree(), tmp_path / "domain.nc", {})
    settings = ["--settings", LATER.model_dump_json(), "--output", f"{tmp_path}/splits.csv"]
    main(["step", "split", "--domain", f"{tmp_path}/domain.nc", *settings])
    return tmp_path


def simulate(folder, *weights, **jobs):
    """Run the step simulate; what it writes by model."""
    data = ["--domain", f"{folder}/domain.nc", "--splits", f"{folder}/splits.csv", "--weights", *weights]
    main(
        [
            "step",
            "simulate",
            *data,
            "--settings",
            json.dumps(jobs),
            "--names",
            "synthetic",
            "later",
            "--output",
            str(folder),
        ]
    )
    return {name: f"{folder}/{name}.nc" for name in jobs}


def train(folder, output=None, **jobs):
    """Run the step train; weights and logs are next to the domain unless told otherwise."""
    data = [
        "--domain",
        f"{folder}/domain.nc",
        "--splits",
        f"{folder}/splits.csv",
        "--checkpoints",
        f"{folder}/checkpoints",
    ]
    names = ["--names", "synthetic", "later", "--output", str(output or folder)]
    main(["step", "train", *data, "--settings", json.dumps(jobs), *names])


def score(folder, *names):
    """Run the step score; the file it writes."""
    path = f"{folder}/scores.csv"
    settings = ["--study", "t", "--settings", json.dumps(SCORED), "--output", path]
    main(["step", "score", "--simulations", *(f"{folder}/{name}.nc" for name in names), *settings])
    return path


def test_sampled_places_are_taken_to_tables_by_the_steps_of_gauges(folder):
    weights = f"{folder}/curve.safetensors"
    train(folder, curve=job(CURVE))
    mean = {"kind": "ensemble", "label": "", "members": ["curve", "season"]}
    made = simulate(
        folder, weights, mean=job(mean), curve=job(CURVE), season=job(SEASON)
    )  # the ensemble is named first
    curve, season = made["curve"], made["season"]

    assert read_simulation(curve, "parameters").discharge_exponent.dims == ("fold", "seed", "unit")
    assert read_simulation(curve, "internals").nitrate.dims == ("unit", "time")
    mean = read_simulation(f"{folder}/mean.nc")
    assert mean.attrs["model"] == "mean" and mean.attrs["variable"] == "nitrate"
    members = (read_simulation(curve).simulated + read_simulation(season).simulated) / 2
    assert abs(mean.simulated - members).max() < 1e-5

    scores = [score(folder, "curve", "season", "mean")]
    tables = [f"--{name}={folder}/{name}.csv" for name in ("skill", "summary", "comparison")]
    settings = json.dumps({"bootstrap_samples": 50, "compared": ["KGE"], "sample_compared": ["RMSE"]})
    domains = ["--domains", f"synthetic={folder}/domain.nc"]
    main(["step", "summarise", "--scores", *scores, *domains, *tables, "--settings", settings])
    summary = pd.read_csv(folder / "summary.csv")
    assert set(summary.metric) == {"RMSE", "NSE"} and (summary.places == 6).all()
    assert set(summary.unit[summary.metric == "RMSE"]) == {"mg/l"} and set(summary.variable) == {"nitrate"}
    assert set(pd.read_csv(folder / "comparison.csv").metric) == {"RMSE"}


def test_a_model_that_fails_leaves_what_the_others_have_learned(folder, capsys):
    """Their weights are those of a job of their own, also when the job is run again after the mend, without training again."""
    broken = job(CURVE, variables={"discharge": 1.0})
    other = job(CURVE | {"hidden": 9})
    with pytest.raises(SystemExit):
        train(folder, curve=job(CURVE), broken=broken, other=other)
    assert "broken: synthetic/observed: " in capsys.readouterr().err
    assert not (folder / "broken.safetensors").exists()
    assert set(pd.read_csv(folder / "other.csv").model) == {"other"}

    checkpoints = {path: path.stat().st_mtime_ns for path in folder.glob("checkpoints/*/*/*.safetensors")}
    assert len(checkpoints) == 2
    train(folder, folder / "again", curve=job(CURVE), other=other)
    assert {path: path.stat().st_mtime_ns for path in folder.glob("checkpoints/*/*/*.safetensors")} == checkpoints
    train(folder, folder / "alone", other=other)
    shutil.rmtree(folder / "checkpoints")
    train(folder, folder / "anew", other=other)
    kept = (folder / "other.safetensors").read_bytes()
    assert all((folder / name / "other.safetensors").read_bytes() == kept for name in ("again", "alone", "anew"))


def test_what_a_training_used_is_in_its_log(folder):
    train(folder, curve=job(CURVE))
    last = pd.read_csv(folder / "curve.csv").iloc[-1]
    assert last.cpu_seconds > 0 and last.seconds > 0 and 50 < last.peak_memory_MB < 10_000


def test_a_climatology_and_an_ensemble_are_of_all_variables_of_an_experiment(sites, folder):
    observed = sites.observed.assign(ammonium=sites.observed.nitrate.copy(data=0.1 * sites.observed.nitrate.values))
    both = type(sites)(sites.name, sites.forcing, sites.attributes, sites.network, sites.places, observed)
    write_netcdf(both.to_tree(), folder / "domain.nc", {})
    weights = {"variables": {"nitrate": 1.0, "ammonium": 0.5}}
    mean = {"kind": "ensemble", "label": "", "members": ["season"]}
    simulate(folder, season=job(SEASON, **weights), mean=job(mean, **weights))
    found = {part.attrs["variable"]: part for part in read_variables(f"{folder}/mean.nc")}
    assert list(found) == ["nitrate", "ammonium"]
    assert found["ammonium"].attrs["model"] == "mean"
    assert set(pd.read_csv(score(folder, "mean")).variable) == {"nitrate", "ammonium"}
