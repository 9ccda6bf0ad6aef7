"""A user's own table of dissolved oxygen trains the oxygen process, from CSV files to scores."""

import json

import numpy as np
import pandas as pd
import pytest
import torch

from thalweg.basin.domain import read_domain
from thalweg.cli import main
from thalweg.evaluation.score import score
from thalweg.experiments.run import simulate_experiment, train_experiment
from thalweg.experiments.splits import make_splits
from thalweg.integrate import integrate
from thalweg.processes.water_quality.dissolved_oxygen import dissolved_oxygen
from thalweg.settings.blocks import Split, TrainingJob

SITES = {"mill": (80.0, 0.6), "weir": (60.0, 1.2), "mouth": (20.0, 3.0)}  # elevation in m, mean discharge in m3/s
SPLIT = Split(
    kind="temporal",
    variable="dissolved_oxygen",
    train=("2012-01-01", "2013-06-30"),
    test=("2013-07-01", "2014-06-30"),
    validation="period",
    validation_share=0.2,
    minimum_values=10,
)
JOB = TrainingJob(
    model={
        "kind": "process",
        "label": "",
        "process": "dissolved_oxygen",
        "components": 1,
        "hidden": 32,
        "layers": 1,
        "routing": "none",
    },
    training={
        "steps": 80,
        "learning_rate": 0.05,
        "window": "500 days",
        "spin_up": "30 days",
        "patience": 99,
        "climate_attributes": False,
        "logarithmic_attributes": True,
    },
    variables={"dissolved_oxygen": 1.0},
    seeds=[0],
    validation_share=0.2,
    device="cpu",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Three tables as in docs/guides/own_data.md, whose oxygen a known set of parameters made."""
    folder = tmp_path_factory.mktemp("river")
    generator, time = np.random.default_rng(1), pd.date_range("2012-01-01", "2014-06-30")
    season = np.cos(2 * np.pi * (time.dayofyear.values - 200) / 365.25)[:, None]
    mean = np.array([discharge for _, discharge in SITES.values()])
    forcing = {
        "water_temperature [degC]": 11 + 7 * season + generator.normal(0, 1, (len(time), 3)),
        "discharge [m3/s]": mean * np.exp(0.5 * generator.normal(0, 1, (len(time), 3)) - 0.4 * season),
        "shortwave_radiation [W/m2]": 140 + 110 * season + np.zeros((len(time), 3)),
    }
    process = dissolved_oxygen()
    given = {name.split()[0]: torch.tensor(values) for name, values in forcing.items()}
    known = {"elevation": [e for e, _ in SITES.values()], "mean_discharge": given["discharge"].mean(0).tolist()}
    parameters = {
        p.name: torch.tensor(known.get(p.name, [float(p.at(0.35))] * 3), dtype=torch.float64)[:, None]
        for p in process.parameters
    }
    oxygen = integrate(process, given, parameters, fluxes=("dissolved_oxygen",))[0]["dissolved_oxygen"][..., 0]
    oxygen = oxygen.numpy() + generator.normal(0, 0.1, oxygen.shape)
    rows = pd.MultiIndex.from_product([time.date, SITES], names=["time", "site"])
    pd.DataFrame({n: v.reshape(-1) for n, v in forcing.items()}, rows).to_csv(folder / "forcing.csv")
    places = {"elevation [m]": known["elevation"], "latitude [degree]": [51.5, 51.4, 51.3]}
    pd.DataFrame({"site": list(SITES), **places}).to_csv(folder / "attributes.csv", index=False)
    samples = pd.DataFrame({"dissolved_oxygen [mg/l]": oxygen.reshape(-1).round(2)}, rows)
    weekly = np.repeat(np.arange(len(time)) % 7 == 0, 3)
    samples[weekly].to_csv(folder / "samples.csv")
    return folder


@pytest.mark.long
def test_a_table_of_oxygen_trains_the_process(folder, tmp_path):
    settings = {"kind": "own_sites", "folder": str(folder), "name": "river"}
    files = ["--output", f"{tmp_path}/domain.nc", "--table", f"{tmp_path}/table.csv"]
    main(["step", "domain", "river", "--dataset", str(folder), "--settings", json.dumps(settings), *files])
    domain = read_domain(tmp_path / "domain.nc")
    assert pd.read_csv(tmp_path / "table.csv").place.tolist() == domain.place_ids.tolist() == list(SITES)
    splits = make_splits(domain, SPLIT)
    tensors, values, _ = train_experiment(domain, splits, JOB, tmp_path / "checkpoints", [])
    tree = simulate_experiment(domain, splits, JOB, tensors, values).to_tree(domain="river", experiment="", model="")
    simulation = tree.to_dataset()
    assert simulation.attrs["unit"] == "mg/l"
    skill = score(simulation, "made", ["RMSE", "NSE"], 10).groupby("metric").value.median()
    assert skill.NSE > 0.8
    assert skill.RMSE < 0.5
