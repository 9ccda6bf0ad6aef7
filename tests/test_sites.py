"""The canonical form of sites: what it accepts, what it refuses, and that it survives the disk."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from thalweg.basin.sites import Sites, read_sites

from thalweg.basin.domain import DataError
from thalweg.basin.network import NetworkError
from thalweg.storage.store import provenance, write_netcdf
from thalweg.units import UnitError

IDS = ["upper", "side", "lower"]


def parts(days=30, seed=0):
    """Three sites on one river, one variable with a censored sample: a dict of the groups."""
    generator = np.random.default_rng(seed)
    coords = {"time": pd.date_range("2010-01-01", periods=days, name="time"), "site": IDS}
    values = np.full((days, 3), np.nan)
    values[::7] = generator.gamma(2, 2, values[::7].shape)
    flag = np.zeros((days, 3), int)
    flag[7, 1] = 1
    dims = ("time", "site")
    return {
        "forcing": xr.Dataset(
            {"air_temperature": (dims, generator.normal(9, 5, (days, 3)), {"units": "degC"})}, coords
        ),
        "attributes": xr.Dataset(
            {
                "elevation": ("site", [90.0, 80.0, 40.0], {"units": "m"}),
                "latitude": ("site", [51.7, 51.8, 51.5], {"units": "degree"}),
                "river": ("site", ["Thames", "Thame", "Thames"], {"role": "label"}),
                "published": ("site", [1.0, np.nan, 2.0], {"role": "reference", "units": "mg/l"}),
            },
            {"site": IDS},
        ),
        "samples": xr.Dataset({"nitrate": (dims, values, {"units": "mg/l"}), "nitrate_censored": (dims, flag)}, coords),
        "network": xr.Dataset(
            {"downstream": ("site", ["lower", "lower", ""]), "length": ("site", [4e3, 9e3, np.nan], {"units": "m"})},
            {"site": IDS},
        ),
    }


def build(**changed):
    return Sites("made", **{**parts(), **changed})


def test_what_networks_see_and_what_is_sampled():
    sites = build()
    assert sites.axis == "time"
    assert sites.variables == ["nitrate"]
    assert sites.inputs == ["elevation"]
    assert list(sites.river.downstream) == [2, 2, -1]
    assert np.argwhere(sites.censored("nitrate")).tolist() == [[7, 1]]


def test_a_variable_without_flags_is_never_censored():
    samples = parts()["samples"].drop_vars("nitrate_censored")
    assert not build(samples=samples).censored("nitrate").any()


def test_sites_survive_the_disk(tmp_path):
    sites = build()
    write_netcdf(sites.to_tree(), tmp_path / "sites.nc", provenance())
    back = read_sites(tmp_path / "sites.nc")
    assert back.name == "made"
    for group in ("forcing", "attributes", "samples", "network"):
        xr.testing.assert_identical(getattr(back, group), getattr(sites, group))
    alone = build(network=None)
    write_netcdf(alone.to_tree(), tmp_path / "alone.nc", provenance())
    assert read_sites(tmp_path / "alone.nc").network is None


def test_a_file_without_samples_is_refused(tmp_path):
    tree = build().to_tree()
    del tree["samples"]
    write_netcdf(tree, tmp_path / "sites.nc", provenance())
    with pytest.raises(DataError, match=r"sites.nc: group 'samples' is missing"):
        read_sites(tmp_path / "sites.nc")


def test_curves_march_along_points():
    groups = {name: dataset.drop_vars("time") for name, dataset in parts().items() if name in ("forcing", "samples")}
    renamed = {
        name: dataset.rename(time="point").assign_coords(point=np.arange(30)) for name, dataset in groups.items()
    }
    assert build(**renamed, network=None).axis == "point"


def changed(group, name, index, value):
    dataset = parts()[group].copy(deep=True)
    dataset[name].values[index] = value
    return {group: dataset}


def without_unit(group, name):
    dataset = parts()[group].copy(deep=True)
    del dataset[name].attrs["units"]
    return {group: dataset}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (changed("forcing", "air_temperature", (3, 1), np.nan), r"'air_temperature' is nan at position \(3, 1\)"),
        (changed("attributes", "elevation", 2, np.nan), "'elevation' is nan"),
        (changed("samples", "nitrate", (), np.nan), "'nitrate' has no sample"),
        (changed("samples", "nitrate_censored", (1, 0), 1), r"set at position \(1, 0\), where 'nitrate' has no value"),
        (without_unit("samples", "nitrate"), "'nitrate' states no unit"),
        (without_unit("attributes", "elevation"), "'elevation' states no unit"),
        ({"samples": parts(days=29)["samples"]}, "its sites or times are not those of the forcing"),
        ({"attributes": parts()["attributes"].isel(site=[1, 0, 2])}, "attributes: its sites are not those"),
        ({"network": parts()["network"].isel(site=[1, 0, 2])}, "network: its sites are not those"),
        ({"network": parts()["network"].drop_vars("length")}, "'length' is missing"),
        ({"samples": parts()["samples"].transpose("site", "time")}, "has dimensions"),
    ],
)
def test_what_cannot_be_is_refused_by_name(change, message):
    with pytest.raises(DataError, match=message):
        build(**change)


def test_a_site_that_is_there_twice_is_refused():
    doubled = {name: group.assign_coords(site=["upper", "lower", "lower"]) for name, group in parts().items()}
    with pytest.raises(DataError, match="'lower' is there twice"):
        Sites("made", **doubled)


def test_a_day_that_is_missing_is_refused():
    groups = {name: parts()[name].drop_sel(time="2010-01-05") for name in ("forcing", "samples")}
    with pytest.raises(DataError, match="leaves a gap after 2010-01-04"):
        build(**groups)


def test_an_unknown_unit_names_its_variable():
    samples = parts()["samples"]
    samples.nitrate.attrs["units"] = "spoons"
    with pytest.raises(UnitError, match=r"made/samples: variable 'nitrate': unit 'spoons'"):
        build(samples=samples)


@pytest.mark.parametrize(
    ("index", "value", "name", "message"),
    [(2, "upper", "downstream", "cycle"), (0, "sea", "downstream", "'sea'"), (1, 0.0, "length", "'side' has length 0")],
)
def test_a_network_that_cannot_be_is_refused(index, value, name, message):
    with pytest.raises(NetworkError, match=message):
        build(**changed("network", name, index, value))
