"""A user's own table of dissolved oxygen trains the oxygen process, from CSV files to scores."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr

from thalweg.cli import main
from thalweg.integrate import integrate
from thalweg.processes.water_quality.dissolved_oxygen import dissolved_oxygen

SITES = {"mill": (80.0, 0.6), "weir": (60.0, 1.2), "mouth": (20.0, 3.0)}  # elevation in m, mean discharge in m3/s
SPLIT = {
    "kind": "temporal",
    "variable": "dissolved_oxygen",
    "train": ["2012-01-01", "2013-06-30"],
    "test": ["2013-07-01", "2014-06-30"],
    "minimum_samples": 10,
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Three tables as in docs/own_sites.md, whose oxygen a known set of parameters made."""
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
    files = {name: f"{tmp_path}/{name}" for name in ("sites.nc", "splits.csv", "w.safetensors", "log.csv", "s.nc")}
    domain = {"kind": "own-sites", "folder": str(folder), "name": "river"}
    sites = ["--dataset", str(folder), "--output", files["sites.nc"], "--table", f"{tmp_path}/table.csv"]
    main(["step", "sites", *sites, "--settings", json.dumps(domain)])
    both = ["--sites", files["sites.nc"], "--splits", files["splits.csv"]]
    main(["step", "site_split", *both[:2], "--settings", json.dumps(SPLIT), "--output", files["splits.csv"]])
    job = {
        "model": {"kind": "process", "label": "", "process": "dissolved_oxygen"},
        "training": {"steps": 80, "learning_rate": 0.05, "window": "500 days", "spin_up": "30 days", "patience": 99},
        "variable": "dissolved_oxygen",
        "seeds": [0],
        "validation_share": 0.2,
        "device": "cpu",
    }
    run = [
        *both,
        "--settings",
        json.dumps(job),
        "--names",
        "river",
        "later",
        "oxygen",
        "--weights",
        files["w.safetensors"],
    ]
    main(["step", "site_train", *run, "--checkpoints", f"{tmp_path}/c", "--log", files["log.csv"]])
    outputs = ["--output", files["s.nc"], "--parameters", f"{tmp_path}/p.nc", "--internals", f"{tmp_path}/i.nc"]
    main(["step", "site_simulate", *run, *outputs])
    scored = json.dumps({"metrics": ["RMSE", "NSE"], "minimum_samples": 10})
    main(
        [
            "step",
            "site_score",
            "--simulation",
            files["s.nc"],
            "--study",
            "t",
            "--settings",
            scored,
            "--output",
            f"{tmp_path}/k.csv",
        ]
    )
    skill = pd.read_csv(tmp_path / "k.csv").groupby("metric").value.median()
    assert skill.NSE > 0.8
    assert skill.RMSE < 0.5
    with xr.open_dataset(files["s.nc"], engine="h5netcdf") as simulation:
        assert simulation.attrs["unit"] == "mg/l"
