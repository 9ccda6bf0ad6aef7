"""Files are written whole or not at all, and carry their provenance."""

import json

import pandas as pd
import pytest
import xarray as xr

from thalweg.storage.store import atomic, provenance, read_provenance, write_netcdf, write_table


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("old")
    with pytest.raises(RuntimeError, match="killed"), atomic(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError("killed")
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["table.csv"]


def test_the_file_appears_only_when_complete(tmp_path):
    path = tmp_path / "new" / "file.txt"
    with atomic(path) as temporary:
        temporary.write_text("whole")
        assert not path.exists()
    assert path.read_text() == "whole"


def test_provenance_passes_from_file_to_file(tmp_path):
    sources = {"delaware": {"version": "2.0.4", "sha256": "4ae4"}}
    first = provenance({"period": ["1979", "1980"]}, sources=sources)
    write_netcdf(xr.Dataset({"a": ("x", [1.0, 2.0])}), tmp_path / "domain.nc", first)
    write_table(pd.DataFrame({"a": [1]}), tmp_path / "skill.csv", provenance(seed=[0], inputs=[tmp_path / "domain.nc"]))
    record = read_provenance(tmp_path / "skill.csv")
    assert record["datasets"] == sources
    assert record["seed"] == [0]
    assert {"commit", "packages", "settings", "python"} <= set(record)
    assert json.loads(json.dumps(record)) == record


def test_netcdf_has_units_and_conventions(tmp_path):
    data = xr.Dataset({"rain": ("time", [1.0], {"units": "mm/day"})})
    write_netcdf(data, tmp_path / "a.nc", provenance())
    with xr.open_dataset(tmp_path / "a.nc", engine="h5netcdf") as back:
        assert back.rain.attrs["units"] == "mm/day"
        assert back.attrs["Conventions"].startswith("CF-")
