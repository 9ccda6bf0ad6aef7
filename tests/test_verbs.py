"""Verbs for people: predict without discharge, evaluate, explain, plot, train, list."""

import warnings

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import thalweg
from thalweg.basin.domain import DataError
from thalweg.cli import main
from thalweg.library.data import DataWarning
from thalweg.storage.store import write_netcdf

DAYS = 800


def folder_of(folder, discharge=("mill",), ids=("mill", "ford", "weir")):
    """A folder of own catchments; only those named have discharge."""
    (folder / "timeseries").mkdir(parents=True)
    generator = np.random.default_rng(0)
    rows = {"basin": ids, "area [km2]": [40.0, 120.0, 15.0], "latitude [degree]": [48.1, 48.2, 48.3]}
    rows |= {
        "longitude [degree]": [7.1, 7.2, 7.3],
        "elevation [m]": [300, 420, 800],
        "slope [dimensionless]": [0.05, 0.1, 0.2],
    }
    pd.DataFrame(rows).to_csv(folder / "attributes.csv", index=False)
    time = pd.date_range("2001-01-01", periods=DAYS)
    for number, basin in enumerate(ids):
        rain = generator.gamma(0.4, 8.0, DAYS)
        mean = 9 - 9 * np.cos(2 * np.pi * time.dayofyear / 365) + generator.normal(0, 2, DAYS)
        table = {"time": time, "precipitation [mm]": rain.round(2), "minimum_temperature [degC]": (mean - 5).round(2)}
        table |= {"maximum_temperature [degC]": (mean + 5).round(2)}
        if basin in discharge:
            table["discharge [m3/s]"] = (0.3 + pd.Series(rain).rolling(5, min_periods=1).mean() / 10).round(3)
        pd.DataFrame(table)[number * 10 :].to_csv(folder / "timeseries" / f"{basin}.csv", index=False)
    return folder


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    return folder_of(tmp_path_factory.mktemp("own") / "rivers")


@pytest.fixture(scope="module")
def trained(own, tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "hbv.safetensors"
    data = ["--catchments", str(own), "--potential-evapotranspiration", "hargreaves"]
    short = ["steps=4", "window=200 days", "spin_up=60 days", "components=2", "hidden=8", "validate_every=2"]
    main(
        [
            "train",
            "hbv",
            *data,
            "--train",
            "2001",
            "2001",
            "--test",
            "2002",
            "2002",
            "--set",
            *short,
            "--set-split",
            "validation=none",
            "--output",
            str(path),
        ]
    )
    return path


def test_catchments_need_neither_discharge_nor_a_period(own, tmp_path):
    rivers = thalweg.catchments(own, potential_evapotranspiration="hargreaves")
    assert list(rivers.place_ids) == ["mill", "ford", "weir"]
    assert str(rivers.forcing.time.values[0])[:10] == "2001-01-21"  # the latest beginning
    assert rivers.observed.discharge.notnull().any("time").values.tolist() == [True, False, False]
    none = thalweg.catchments(
        folder_of(tmp_path / "none", ()), ("2001-03", "2002"), potential_evapotranspiration="oudin"
    )
    assert none.variables == [] and none.forcing.sizes["time"] == 671
    with pytest.raises(DataError, match="'discharge' was not observed"):
        thalweg.split(none, "temporal", train=("2001", "2001"), test=("2002", "2002"), variable="discharge")
    with pytest.raises(DataError, match="variable 'discharge' is missing"):
        thalweg.catchments(tmp_path / "none", potential_evapotranspiration="oudin", minimum_days="300 days")
    apart = folder_of(tmp_path / "apart")
    table = pd.read_csv(apart / "timeseries" / "weir.csv")
    table.assign(time=pd.date_range("2010-01-01", periods=len(table))).to_csv(
        apart / "timeseries" / "weir.csv", index=False
    )
    with pytest.raises(
        DataError,
        match="no day is in all series: that of 'mill' ends on 2003-03-11, and that of 'weir' begins on 2010-01-01",
    ):
        thalweg.catchments(apart, potential_evapotranspiration="oudin")


def test_predict_evaluate_explain_and_plot_from_the_command_line(own, trained, tmp_path, capsys):
    data = ["--catchments", str(own), "--potential-evapotranspiration", "hargreaves"]
    for name in ("flow.nc", "flow.csv"):
        main(["predict", "--model", str(trained), *data, "--output", str(tmp_path / name)])
    assert "discharge of 3 places, 780 steps" in capsys.readouterr().out
    flow, table = xr.open_dataset(tmp_path / "flow.nc"), pd.read_csv(tmp_path / "flow.csv")
    assert flow.discharge.notnull().all() and flow.discharge.attrs["units"] == "m3/s"
    np.testing.assert_allclose(
        table[table.place == "ford"]["discharge [m3/s]"], flow.discharge.sel(place="ford"), rtol=1e-5
    )
    main(["evaluate", str(tmp_path / "flow.nc"), *data, "--output", str(tmp_path / "scores.csv")])
    scores = pd.read_csv(tmp_path / "scores.csv").set_index("place")
    assert np.isfinite(scores.NSE["mill"]) and np.isnan(scores.NSE["ford"])
    main(["explain", "--model", str(trained), *data, "--place", "mill", "--output", str(tmp_path / "mill")])
    names = {path.name for path in (tmp_path / "mill").iterdir()}
    assert {
        "explanation.txt",
        "explanation.png",
        "explanation.pdf",
        "parameters.csv",
        "balance.csv",
        "fluxes.nc",
    } <= names
    main(
        [
            "plot",
            "hydrographs",
            "--prediction",
            str(tmp_path / "flow.nc"),
            *data,
            "--output",
            str(tmp_path / "flow.png"),
        ]
    )
    assert (tmp_path / "flow.png").stat().st_size > 10_000
    capsys.readouterr()
    with pytest.raises(SystemExit):
        main(["predict", "--model", "nothing", *data, "--output", str(tmp_path / "x.nc")])
    assert "there is no model 'nothing'" in capsys.readouterr().err


@pytest.mark.parametrize(
    "kind", ["datasets", "models", "weights", "processes", "losses", "metrics", "splits", "figures", "analyses"]
)
def test_lists_name_and_explain(kind, capsys):
    main(["list", kind])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) >= (1 if kind == "weights" else 4)
    assert all(len(line.split(maxsplit=1)) == 2 for line in lines)


def test_weights_of_the_package_are_complete():
    """Each has scores, terms of its data and a card; those for ungauged basins have calibrated intervals."""
    from thalweg.storage.installed import weights, weights_names

    for name in weights_names():
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # the equations are those of the training
            model = thalweg.load(name)
        assert not model.scores.empty and all(one["licence"] for one in model.header["training"]["datasets"].values())
        assert weights(name).with_suffix(".md").read_text() == model.card()
        if name.endswith("ungauged"):
            assert model.header["intervals"]["discharge"]["places"] > 400


def test_a_catchment_that_is_left_out_and_a_doubtful_one_are_said(tmp_path):
    folder = folder_of(tmp_path / "rivers")
    table = pd.read_csv(folder / "timeseries" / "ford.csv")
    table.loc[100, "precipitation [mm]"] = np.nan
    table.to_csv(folder / "timeseries" / "ford.csv", index=False)
    with pytest.warns(DataWarning, match="left out: 'ford': precipitation has 1 days without a value"):
        rivers = thalweg.catchments(folder, potential_evapotranspiration="hargreaves")
    assert list(rivers.place_ids) == ["mill", "weir"]


def test_a_model_of_a_study_is_exported_with_its_card(own, trained, tmp_path):
    """Export reads weights, domain and split of a results folder; without held-out places there are no intervals."""
    rivers = thalweg.catchments(own, potential_evapotranspiration="hargreaves")
    split = thalweg.split(rivers, "temporal", train=("2001", "2001"), test=("2002", "2002"), validation="none")
    for part, name in (("models/own/later", "hbv.safetensors"), ("domains", "own.nc"), ("splits/own", "later.csv")):
        (tmp_path / part).mkdir(parents=True)
        target = tmp_path / part / name
        if name.endswith("nc"):
            write_netcdf(rivers.to_tree(), target, {})
        elif name.endswith("csv"):
            split.to_csv(target, index=False)
        else:
            target.write_bytes(trained.read_bytes())
    main(["export", "own/later/hbv", "--results", str(tmp_path), "--output", str(tmp_path / "out.safetensors")])
    model = thalweg.load(tmp_path / "out.safetensors")
    assert not model.scores.empty and model.header["intervals"] is None
    assert (tmp_path / "out.md").read_text() == model.card()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["evaluate", "none.nc", "--catchments", "OWN"], "none.nc"),
        (["predict", "--model", "OWN", "--catchments", "OWN", "--output", "x.nc"], "it is not a model file"),
        (["predict", "--model", "MODEL", "--catchments", "nowhere", "--output", "x.nc"], "nowhere"),
        (
            ["predict", "--model", "MODEL", "--catchments", "OWN", "--period", "soon", "later", "--output", "x.nc"],
            "is no day, month or year",
        ),
        (
            ["predict", "--model", "MODEL", "--sites", "OWN", "--period", "2001", "2002", "--output", "x.nc"],
            "cannot be given for sites",
        ),
        (
            [
                "train",
                "hbv",
                "--catchments",
                "OWN",
                "--train",
                "2001",
                "2001",
                "--set",
                "dynamic=[BETA",
                "--output",
                "x.safetensors",
            ],
            "the value is no YAML",
        ),
        (
            [
                "train",
                "hbv",
                "--catchments",
                "OWN",
                "--train",
                "2001",
                "2001",
                "--set-split",
                "validation",
                "--output",
                "x.safetensors",
            ],
            "--set-split validation: write key=value",
        ),
        (["plot", "explorer", "--prediction", "x.nc", "--output", "x.html"], "needs --results"),
        (
            ["explain", "--model", "MODEL", "--catchments", "OWN", "--place", "sea", "--output", "x"],
            "there is no place 'sea'",
        ),
        (["export", "hbv", "--results", "nowhere", "--output", "x.safetensors"], "domain/experiment/model"),
    ],
)
def test_wrong_words_end_in_a_sentence(words, message, own, trained, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    words = [{"OWN": str(own), "MODEL": str(trained)}.get(word, word) for word in words]
    more = ["--potential-evapotranspiration", "hargreaves"] if "--catchments" in words else []
    with pytest.raises(SystemExit) as end:
        main([*words, *more])
    assert end.value.code == 1 and message in capsys.readouterr().err
