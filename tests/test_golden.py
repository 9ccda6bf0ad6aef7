"""The comparison with stored numbers finds what it should."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

import golden

DIGIT = 1 + 1e-12


def fill(folder, factor=1.0, seconds=1.0):
    """A results folder of a table, a split, a training log, a domain with groups, and what does not count."""
    generator = np.random.default_rng(0)
    values = generator.normal(0.5, 0.2, 30)
    values[3] = np.nan
    values[7] *= factor
    gauges = [f"0{i}" for i in range(30)]
    tables = {
        "tables/skill.csv": pd.DataFrame({"gauge": gauges, "metric": "NSE", "value": values}),
        "splits/delaware/temporal.csv": pd.DataFrame({"gauge": gauges, "train": True, "distance": 3 * values}),
        "models/delaware/temporal/hbv.csv": pd.DataFrame({"step": [5, 10], "loss": [0.5, 0.4], "seconds": seconds}),
        "tables/cost.csv": pd.DataFrame({"jobs": [2], "cpu_seconds": seconds, "peak_memory_MB": 100 * seconds}),
        "logs/a.csv": pd.DataFrame({"value": [seconds]}),
    }
    for name, table in tables.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        table.to_csv(folder / name, index=False)
    rain = xr.Dataset({"rain": (("time", "unit"), values.reshape(10, 3))}, coords={"unit": ["a", "b", "c"]})
    (folder / "domains").mkdir(exist_ok=True)
    xr.DataTree.from_dict({"/forcing": rain}).to_netcdf(folder / "domains/delaware.nc", engine="h5netcdf")
    return folder


@pytest.fixture
def stored(tmp_path):
    return golden.collect(fill(tmp_path / "old"))


def test_what_has_not_changed_agrees(tmp_path, stored):
    found = golden.collect(fill(tmp_path / "new"))
    assert golden.compare(stored, found, exact=True) == []
    assert golden.count(found) == "4 tables and 2 arrays of 1 files"
    assert found["domains/delaware.nc"]["forcing/rain"]["finite"] == 29
    assert found["tables/skill.csv"]["value"]["mean"] == pytest.approx(0.5, abs=0.2)
    assert "mean" not in found["tables/skill.csv"]["gauge"]


def test_the_twelfth_digit_counts_on_the_same_machine_alone(tmp_path, stored):
    found = golden.collect(fill(tmp_path / "new", factor=DIGIT))
    lines = golden.compare(stored, found, exact=True)
    assert [line.split(" changed")[0] for line in lines] == [
        "domains/delaware.nc: array 'forcing/rain'",
        "splits/delaware/temporal.csv: column 'distance'",
        "tables/skill.csv: column 'value'",
    ]
    assert f"mean {stored['tables/skill.csv']['value']['mean']!r} -> " in lines[2]
    assert golden.compare(stored, found, exact=False) == []


def test_elsewhere_data_must_agree_closer_than_what_was_trained(tmp_path, stored):
    found = golden.collect(fill(tmp_path / "new", factor=1.01))
    lines = golden.compare(stored, found, exact=False)
    assert {line.split(":")[0] for line in lines} == {"domains/delaware.nc", "splits/delaware/temporal.csv"}
    found = golden.collect(fill(tmp_path / "new", factor=20.0))
    lines = golden.compare(stored, found, exact=False)
    assert any(line.startswith("tables/skill.csv: column 'value' changed: ") for line in lines)


def test_a_change_of_order_or_text_is_found(tmp_path, stored):
    new = fill(tmp_path / "new")
    skill = pd.read_csv(new / "tables/skill.csv", dtype=str)
    skill["value"] = skill["value"].to_numpy()[::-1]
    skill["metric"] = "KGE"
    skill.to_csv(new / "tables/skill.csv", index=False)
    split = pd.read_csv(new / "splits/delaware/temporal.csv", dtype=str).assign(train=False)
    split.to_csv(new / "splits/delaware/temporal.csv", index=False)
    found = golden.collect(new)
    lines = golden.compare(stored, found, exact=True)
    assert [line.split(" changed")[0] for line in lines] == [
        "splits/delaware/temporal.csv: column 'train'",
        "tables/skill.csv: column 'metric'",
        "tables/skill.csv: column 'value'",
    ]
    assert [line.split(" changed")[0] for line in golden.compare(stored, found, exact=False)] == [
        "splits/delaware/temporal.csv: column 'train'"
    ]


@pytest.mark.parametrize("exact", [True, False])
def test_files_and_columns_that_come_or_go_are_reported(tmp_path, stored, exact):
    new = fill(tmp_path / "new")
    (new / "domains/delaware.nc").rename(new / "domains/thames.nc")
    pd.read_csv(new / "tables/skill.csv", dtype=str).assign(unit="m").to_csv(new / "tables/skill.csv", index=False)
    lines = golden.compare(stored, golden.collect(new), exact)
    assert lines[:3] == [
        "domains/delaware.nc: the file is missing",
        "domains/thames.nc: the file is unexpected",
        "tables/skill.csv: column 'unit' is new",
    ]
    assert lines[3].startswith("tables/skill.csv: table changed: columns ['gauge', 'metric', 'value'] -> ")
    assert len(lines) == 4


def test_time_and_memory_do_not_count(tmp_path, stored):
    assert golden.compare(stored, golden.collect(fill(tmp_path / "new", seconds=7.5)), exact=True) == []
    assert set(stored["tables/cost.csv"]) == {golden.TABLE, "jobs"}
    assert set(stored["models/delaware/temporal/hbv.csv"]) == {golden.TABLE, "step", "loss"}


def test_the_command_stores_and_compares(tmp_path, capsys, monkeypatch):
    old, new = fill(tmp_path / "old"), fill(tmp_path / "new", factor=DIGIT)
    file = ["--stored", str(tmp_path / "stored.json")]
    assert golden.main([str(old), *file, "--write"]) == 0
    machine, files = golden.read(tmp_path / "stored.json")
    assert (machine, files) == (golden.machine(), golden.collect(old))
    assert golden.main([str(old), *file]) == 0
    assert golden.main([str(new), *file]) == 1
    assert "Compared 4 tables and 2 arrays of 1 files, exactly." in capsys.readouterr().out
    monkeypatch.setattr(golden, "machine", lambda: machine | {"processor": "abacus"})
    assert golden.main([str(new), *file]) == 0
    assert f"processor {machine['processor']} -> abacus" in capsys.readouterr().out


def test_the_stored_numbers_are_of_every_kind():
    _, files = golden.read(golden.STORED)
    assert {name.split("/")[0] for name in files} == {"domains", "splits", "models", "simulations", "scores", "tables"}
    parts = {array.split("/")[0] for name in files if name.startswith("simulations/") for array in files[name]}
    assert {"simulated", "observed", "tested", "parameters", "internals"} <= parts
