"""Readers of datasets: each is one file with its settings, here or elsewhere, and one step builds a domain with any of them."""

import inspect
import json
import subprocess
import sys

import pandas as pd
import pytest
import yaml

from conftest import ROOT
from thalweg.basin.domain import read_domain
from thalweg.cli import main
from thalweg.datasets import reader, settings_of
from thalweg.registry import RegistryError, names
from thalweg.schema import ConfigError, settings_from
from thalweg.storage.store import read_provenance

KINDS = names("dataset")
HEAVY = {"dask", "exactextract", "geopandas", "h5py", "pyet", "pyproj", "rasterio", "rioxarray", "shapely", "torch"}


@pytest.mark.parametrize("kind", KINDS)
def test_settings_stand_beside_the_reader(kind):
    settings = settings_of(kind)
    fields = settings.model_fields
    assert fields["kind"].default == kind
    assert settings.__doc__
    assert all(field.description for name, field in fields.items() if name != "kind")
    if "folder" in fields:
        assert "dataset" not in fields
    else:
        assert fields["dataset"].default in yaml.safe_load((ROOT / "config/datasets.yaml").read_text())
        if not any(field.is_required() for field in fields.values()):
            settings()
    arguments = list(inspect.signature(reader(kind).build).parameters)
    assert set(arguments[1:]) == set(fields) - {"kind", "dataset", "folder"}


def test_settings_are_read_without_what_building_needs():
    code = f"import sys; from thalweg.datasets import settings_of; [settings_of(kind) for kind in {KINDS}]; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not HEAVY & {name.split(".")[0] for name in done.stdout.split()}


def test_an_unknown_kind_says_what_to_write(tmp_path, monkeypatch):
    for name in ("camels_uk", "lumped"):  # the latter helps readers
        with pytest.raises(
            RegistryError, match=f"unknown dataset '{name}'; available: camels_us, caravan, .*package.module for"
        ):
            settings_of(name)
    with pytest.raises(RegistryError, match=r"no Python source of the module far\.away"):
        settings_of("far.away")
    with pytest.raises(ConfigError, match=r"minimum_dais: unknown key; allowed: .*minimum_days"):
        settings_from(settings_of("france"), json.dumps({"kind": "france", "minimum_dais": "3 days"}))
    (tmp_path / "needy").mkdir()
    (tmp_path / "needy/rivers.py").write_text("import a_library_that_is_not_there\n")
    (tmp_path / "needy/lakes.py").write_text("SETTINGS = None\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(RegistryError, match=r"importing needy\.rivers failed .*a_library_that_is_not_there"):
        settings_of("needy.rivers")
    with pytest.raises(RegistryError, match=r"lakes\.py has no build"):
        settings_of("needy.lakes")


OUTSIDE = '''
from typing import Literal

import pandas as pd
from conftest import make_domain
from thalweg.schema import Days, Period, Settings


class BrookSettings(Settings):
    """A brook."""

    kind: Literal["outside.brook"] = "outside.brook"
    folder: str
    period: Period
    gauges: int = 2
    minimum_days: Days = 3.0


SETTINGS = BrookSettings


def build(folder, period, gauges, minimum_days):
    assert (period, minimum_days) == (("2000-01-01", "2001-05-14"), 5.0)
    domain = make_domain(gauges=gauges)
    return domain, pd.DataFrame({"place": domain.place_ids, "kept": True})
'''


def test_a_reader_may_stand_outside_the_package(tmp_path, monkeypatch):
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/brook.py").write_text(OUTSIDE)
    (tmp_path / "brook.csv").write_text("time,flow\n")
    monkeypatch.syspath_prepend(tmp_path)
    period = ["2000-01-01", "2001-05-14"]
    settings = {
        "kind": "outside.brook",
        "folder": str(tmp_path),
        "period": period,
        "gauges": 3,
        "minimum_days": "5 days",
    }
    files = ["--output", f"{tmp_path}/domain.nc", "--table", f"{tmp_path}/table.csv"]
    main(["step", "domain", "brook", "--dataset", str(tmp_path), "--settings", json.dumps(settings), *files])
    places = read_domain(tmp_path / "domain.nc").place_ids
    assert pd.read_csv(tmp_path / "table.csv").place.tolist() == places.tolist()
    assert len(places) == 3
    record = read_provenance(tmp_path / "table.csv")
    assert "brook.csv" in record["datasets"]["brook"]["files"]
    assert record["settings"]["period"] == period


def test_a_fetched_dataset_is_named_with_its_record(susquehanna_folder, tmp_path):
    settings = {"kind": "susquehanna", "period": ["2001-01-01", "2003-12-31"], "minimum_days": "700 days"}
    files = ["--output", f"{tmp_path}/domain.nc", "--table", f"{tmp_path}/table.csv"]
    main(["step", "domain", "river", "--dataset", str(susquehanna_folder), "--settings", json.dumps(settings), *files])
    assert read_domain(tmp_path / "domain.nc").variables == ["discharge"]
    assert read_provenance(tmp_path / "table.csv")["datasets"]["river"]["name"] == "susquehanna"
