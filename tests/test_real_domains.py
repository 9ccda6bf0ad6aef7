"""The real domains, and what their builders say of bad files."""

import shutil

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from thalweg.basin.domain import DataError
from thalweg.basin.network import NetworkError
from thalweg.datasets import delaware, susquehanna
from thalweg.units import UnitError

YEARS = ("1979-01-01", "1980-12-31")


@pytest.fixture(scope="module")
def built(delaware_folder):
    return delaware.build(delaware_folder, YEARS)


def test_delaware_has_the_known_size(built):
    domain, table = built
    assert len(domain.unit_ids) == 765
    assert len(domain.network.reach) == 456
    assert len(domain.river.outlets) == 6
    assert float(domain.attributes.area.sum()) == pytest.approx(33285, abs=1)
    assert len(table) == 168
    assert table.kept.sum() == 96
    assert (table.days_with_discharge == 731).sum() == 101


def test_delaware_wet_and_dry_year(built):
    rain = built[0].forcing.precipitation.mean("unit").groupby("time.year").sum()
    assert rain.sel(year=1979).item() == pytest.approx(1408, abs=1)
    assert rain.sel(year=1980).item() == pytest.approx(912, abs=1)
    temperature = built[0].forcing.temperature
    assert -30 < temperature.min() < temperature.max() < 40


def test_delaware_areas_of_kept_gauges_agree(built):
    domain, table = built
    area = domain.catchment_units @ domain.attributes.area.values
    stated = domain.places.drainage_area.values
    assert np.abs(area / stated - 1).max() <= 0.2
    assert table[~table.kept].reason.str.len().min() > 10
    np.testing.assert_allclose(area, domain.network.drainage_area.sel(reach=domain.places.reach.values).values)


def test_delaware_runoff_ratio_is_plausible(built):
    domain, _ = built
    rain = domain.catchment_weights @ domain.forcing.precipitation.values.T
    ratio = domain.observed_runoff.sum("time").values / rain.sum(1)
    assert 0.4 < np.median(ratio) < 0.65


@pytest.fixture
def copy(delaware_folder, tmp_path):
    shutil.copytree(delaware_folder / "pywatershed", tmp_path / "pywatershed")
    return tmp_path


def edit(folder, file, change):
    path = folder / delaware.FOLDER / file
    with xr.open_dataset(path, engine="h5netcdf", decode_timedelta=False) as dataset:
        changed = change(dataset.load())
    path.unlink()
    changed.to_netcdf(path, engine="h5netcdf")


def set_value(name, where, value):
    def change(dataset):
        dataset[name].values[where] = value
        return dataset

    return change


@pytest.mark.parametrize(
    ("file", "change", "error", "message"),
    [
        ("prcp.nc", lambda d: d.rename(prcp="rain"), DataError, r"prcp\.nc.*'prcp' is missing"),
        ("prcp.nc", set_value("prcp", (5, 3), -1.0), DataError, r"prcp\.nc.*'prcp' is -25\.4 at position \(5, 3\)"),
        ("tmax.nc", set_value("tmax", (0, 0), np.nan), DataError, r"tmax\.nc.*'tmax' is nan at position \(0, 0\)"),
        ("tmin.nc", lambda d: d.isel(time=[0, 2, 1]), DataError, r"tmin\.nc.*'time'.*after 1979-01-01"),
        ("prcp.nc", lambda d: d.isel(time=[0, 1, 1]), DataError, r"prcp\.nc.*repeats after 1979-01-02"),
        ("drb_2yr_gage_poi_obs.nc", set_value("discharge", (4, 9), -2.0), DataError, r"obs\.nc.*'discharge' is -0\.05"),
        ("parameters_dis_both.nc", set_value("tosegment", 0, 1), NetworkError, "cycle"),
        ("parameters_dis_both.nc", set_value("tosegment", 0, 999), DataError, r"'tosegment' is 999"),
    ],
)
def test_bad_files_are_refused_by_name(copy, file, change, error, message):
    edit(copy, file, change)
    with pytest.raises(error, match=message):
        delaware.build(copy, YEARS)


def test_extremes_of_temperature_in_the_wrong_order_are_exchanged(copy, built):
    """Hargreaves takes the root of their difference, which was NaN."""
    forcing = built[0].forcing

    def exchange(dataset, name, other):
        dataset[name].values[5, 3] = other.values[5, 3] * 1.8 + 32  # the files are in degF
        return dataset

    edit(copy, "tmin.nc", lambda d: exchange(d, "tmin", forcing.maximum_temperature))
    edit(copy, "tmax.nc", lambda d: exchange(d, "tmax", forcing.minimum_temperature))
    domain, _ = delaware.build(copy, YEARS)
    for name in forcing.data_vars:
        np.testing.assert_allclose(domain.forcing[name], forcing[name], rtol=1e-5, atol=1e-5, err_msg=name)


def test_a_unit_that_cannot_convert_is_named(copy):
    edit(copy, "prcp.nc", lambda d: d.assign(prcp=d.prcp.assign_attrs(units="kelvin")))
    with pytest.raises(UnitError, match=r"prcp\.nc.*'prcp'.*'kelvin'"):
        delaware.build(copy, YEARS)


def test_units_in_another_order_give_the_same_domain(copy, built):
    order = np.random.default_rng(0).permutation(765)
    edit(copy, "prcp.nc", lambda d: d.isel(nhm_id=order))
    domain, _ = delaware.build(copy, YEARS)
    xr.testing.assert_equal(domain.forcing.precipitation, built[0].forcing.precipitation)


def test_susquehanna(susquehanna_folder):
    domain, table = susquehanna.build(susquehanna_folder, ("1984-01-01", "2020-12-31"))
    assert domain.forcing.sizes == {"time": 13515, "unit": 18}
    assert table.kept.all()
    assert len(table) == 6
    rain = domain.forcing.precipitation.mean("unit").resample(time="YE").sum()
    assert 850 < rain.min() < rain.max() < 1800  # mm a year: centimetres were converted
    marietta = domain.places.drainage_area.sel(place="Sb6_2").item()
    assert marietta == pytest.approx(67314, rel=0.02)  # 25 990 square miles at Marietta
    ratio = domain.observed_runoff.sel(time=slice("1985", "2020")).sum("time") / (
        domain.catchment_weights @ domain.forcing.precipitation.sel(time=slice("1985", "2020")).values.T
    ).sum(1)
    assert ((ratio > 0.35) & (ratio < 0.65)).all()


def test_susquehanna_names_a_missing_column(susquehanna_folder, tmp_path):
    shutil.copytree(susquehanna_folder / susquehanna.FOLDER, tmp_path / susquehanna.FOLDER)
    path = tmp_path / susquehanna.FOLDER / susquehanna.PRECIPITATION[0]
    pd.read_csv(path, index_col=0).drop(columns="Sb3_1").to_csv(path)
    with pytest.raises(DataError, match=r"prcp.*'Sb3_1' is missing"):
        susquehanna.build(tmp_path, ("1984-01-01", "1990-12-31"))
