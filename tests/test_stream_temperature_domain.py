"""Stream temperature in the United States: a small made-up copy of the layout, and the real tables where they are at hand."""

import os

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from conftest import DATA, dataset
from thalweg.basin.domain import DataError
from thalweg.datasets import stream_temperature
from thalweg.datasets.stream_temperature import AIR, ATTRIBUTES, DAMS, DISCHARGE, LAND, MONTHS, NUMBERS, PLACES, WATER

PERIOD = ("2016-10-01", "2020-09-30")
SITES = ["sm1", "sm2", "md3", "lg4"]


def write(folder, days=200):
    """Four sites in the dataset's layout, of which lg4 is tidal; sm2 has a short and a long gap of discharge."""
    generator = np.random.default_rng(0)
    time = pd.date_range("2016-10-01", periods=days)
    dates = pd.DataFrame({"Date": [f"{d.month}/{d.day}/{d.year}" for d in time], "MonYr": time.strftime("%Y%m")})
    flow = np.exp(generator.normal(1, 0.5, (days, 1)) + np.array([0.0, 1.0, 2.0, 3.0])).round(3).astype(object)
    flow[10:12, 1] = flow[50:90, 1] = ""
    flow[5, 3] = -4.0
    series = {
        WATER: generator.uniform(0, 25, (days, 4)).round(1),
        AIR: generator.uniform(-5, 30, (days, 4)).round(1),
        DISCHARGE: flow,
    }
    for file, values in series.items():
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        pd.concat([dates, pd.DataFrame(values, columns=SITES)], axis=1).to_csv(path, index=False)
    land = {column: generator.uniform(10, 60, 4) for column, *_ in ATTRIBUTES.values()}
    land.update({f"{month}_TMP7100_DEGC": generator.uniform(0, 20, 4) for month in MONTHS})
    (folder / LAND).parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame({"Site": SITES, **land}).to_csv(folder / LAND, index=False)
    pd.DataFrame(
        {"ID": SITES, "RAW_DIS_NEAREST_DAM": [-999, 0.0, 3.0, 1.0], "RAW_DIS_NEAREST_MAJ_DAM": [-999, -999, 9.0, 1.0]}
    ).to_csv(folder / DAMS, index=False)
    numbers = [f"'0110447{i}" for i in range(4)]
    pd.DataFrame({"ID": SITES, "site": numbers}).to_csv(folder / NUMBERS, index=False)
    # In another order, as the sites of the dataset need not be.
    pd.DataFrame({0: [44, 43, 42, 41], 1: [-84, -83, -82, -81], 2: numbers[::-1]}).to_csv(
        folder / PLACES, index=False, header=False
    )
    return time


@pytest.fixture
def made(tmp_path):
    time = write(tmp_path)
    return tmp_path, (time[0], time[-1])


def test_units_places_and_dams(made):
    folder, period = made
    domain, _ = stream_temperature.build(folder, period)
    raw = pd.read_csv(folder / DISCHARGE)
    np.testing.assert_allclose(domain.forcing.discharge.sel(unit="md3"), raw.md3 * 0.028316846592)
    np.testing.assert_allclose(
        domain.forcing.runoff, domain.forcing.discharge * 86.4 / domain.attributes.drainage_area, rtol=1e-12
    )
    land = pd.read_csv(folder / LAND).set_index("Site")
    expected = land.PPTAVG_SITE[["sm1", "sm2", "md3"]] * 10 / 365.25
    np.testing.assert_allclose(domain.attributes.mean_precipitation, expected, rtol=1e-3)
    np.testing.assert_allclose(domain.attributes.snow_share, land.SNOW_PCT_PRECIP[:3] / 100)
    np.testing.assert_allclose(domain.attributes.reservoir_storage, land.STOR_NID_2009[:3])
    assert domain.attributes.latitude.values.tolist() == [41, 42, 43]
    assert domain.attributes.dam_upstream.values.tolist() == [0, 1, 1]
    np.testing.assert_allclose(domain.attributes.dam_distance_logarithm, np.log([1001, 1, 4]))
    assert domain.attributes.major_dam_upstream.values.tolist() == [0, 0, 1]
    assert domain.variables == ["water_temperature"]
    assert domain.network is None


def test_gaps_of_discharge_are_filled_and_told(made):
    folder, period = made
    domain, table = stream_temperature.build(folder, period)
    table = table.set_index("place")
    assert table.loc["sm2", "discharge_missing_share"] == pytest.approx(42 / 200)
    assert table.loc["sm2", "discharge_filled"].startswith("2 days interpolated; 40 days from site ")
    raw = pd.read_csv(folder / DISCHARGE).sm2.to_numpy() * 0.028316846592
    filled = domain.forcing.discharge.sel(unit="sm2").values
    np.testing.assert_allclose(filled[10:12], np.interp([10, 11], [9, 12], raw[[9, 12]]))
    known = np.isfinite(raw)
    np.testing.assert_allclose(filled[known], raw[known])


def test_tidal_and_undescribed_sites_are_left_out(made):
    folder, period = made
    land = pd.read_csv(folder / LAND)
    land[land.Site != "sm1"].to_csv(folder / LAND, index=False)
    domain, table = stream_temperature.build(folder, period)
    assert domain.place_ids.tolist() == ["sm2", "md3"]
    reasons = table.set_index("place").reason
    assert reasons["lg4"] == "tidal: negative discharge"
    assert reasons["sm1"] == f"no row in {LAND}"


def test_withheld_discharge_does_not_read_the_gauge(made):
    folder, period = made
    before, _ = stream_temperature.build(folder, period, discharge="withheld")
    raw = pd.read_csv(folder / DISCHARGE)
    raw[["sm1", "sm2", "md3"]] = np.random.default_rng(1).uniform(1, 90, (len(raw), 3)).round(2)
    raw.to_csv(folder / DISCHARGE, index=False)
    after, _ = stream_temperature.build(folder, period, discharge="withheld")
    xr.testing.assert_identical(before.forcing, after.forcing)
    xr.testing.assert_identical(before.attributes, after.attributes)
    assert (before.forcing.discharge.std("time") < 1e-12).all()
    assert "withheld" in before.forcing.runoff.attrs["estimate"]


@pytest.mark.parametrize("discharge", ["observed", "withheld"])
def test_nothing_is_computed_from_water_temperature(made, discharge):
    folder, period = made
    before, _ = stream_temperature.build(folder, period, discharge=discharge)
    raw = pd.read_csv(folder / WATER)
    raw[SITES] = np.random.default_rng(1).uniform(0, 25, (len(raw), 4)).round(1)
    raw.to_csv(folder / WATER, index=False)
    after, _ = stream_temperature.build(folder, period, discharge=discharge)
    xr.testing.assert_identical(before.forcing, after.forcing)
    xr.testing.assert_identical(before.attributes, after.attributes)
    assert not before.observed.equals(after.observed)


def test_mean_runoff_has_the_limits_of_the_water_balance():
    assert stream_temperature.mean_runoff(1000.0, 1000.0) == pytest.approx(1000 - 1000 / np.sqrt(2))
    assert stream_temperature.mean_runoff(1000.0, 1e6) == pytest.approx(0, abs=1e-2)
    assert stream_temperature.mean_runoff(1000.0, 1.0) == pytest.approx(999, abs=1e-2)


@pytest.mark.parametrize(
    ("file", "change", "message"),
    [
        (WATER, lambda text: text.replace("10/3/2016,", "3.10.2016,"), "line 4: column 'Date' is '3.10.2016'"),
        (WATER, lambda text: text.replace("10/3/2016,", "10/2/2016,"), "'time' repeats after 2016-10-02"),
        (WATER, lambda text: text.replace("md3", "md9"), "its sites or days are not those of"),
        (AIR, lambda text: text.replace("10/3/2016,201610,", "10/3/2016,201610,cold"), "column 'sm1' is 'cold"),
        (LAND, lambda text: text.replace("DRAIN_SQKM", "AREA"), "'DRAIN_SQKM' is missing"),
    ],
)
def test_a_spoiled_table_is_refused_by_name(made, file, change, message):
    folder, period = made
    text = (folder / file).read_text()
    assert change(text) != text
    (folder / file).write_text(change(text))
    with pytest.raises(DataError, match=message):
        stream_temperature.build(folder, period)


def test_a_period_outside_the_data_is_refused(made):
    with pytest.raises(DataError, match=r"not within the data's 2016-10-01\.\."):
        stream_temperature.build(made[0], PERIOD)


def test_a_missing_file_names_the_command(made):
    (made[0] / DAMS).unlink()
    with pytest.raises(DataError, match="thalweg fetch stream-temperature"):
        stream_temperature.build(*made)


@pytest.fixture(scope="module")
def real():
    if not os.environ.get("THALWEG_MIRROR") and not (DATA / "stream-temperature").exists():
        pytest.skip("needs the dataset 'stream-temperature', which 'thalweg fetch stream-temperature' gets")
    return stream_temperature.build(dataset("stream-temperature"), PERIOD)


def test_the_real_tables_have_the_known_size(real):
    domain, table = real
    assert len(table) == 410
    assert len(domain.place_ids) == 405
    assert set(table.place[table.reason.str.startswith("tidal")]) == {"sm55", "lg58", "lg69", "lg152"}
    assert domain.observed.water_temperature.notnull().mean().item() == pytest.approx(0.982, abs=1e-3)
    assert table.discharge_filled.str.contains("from site").sum() == 3


def test_the_real_water_balance_is_plausible(real):
    domain, _ = real
    yearly = domain.forcing.runoff.mean("time") * 365.25
    assert 450 < yearly.median().item() < 650
    estimate = stream_temperature.mean_runoff(
        domain.attributes.mean_precipitation, domain.forcing.potential_evapotranspiration.mean("time")
    )
    assert np.corrcoef(np.log(estimate), np.log(yearly))[0, 1] > 0.7
