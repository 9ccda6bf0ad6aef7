"""The Thames: the real tables, the domain built from them, and no forcing derived from predicted variables."""

import shutil
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from conftest import dataset
from thalweg.basin.domain import DataError
from thalweg.datasets import discharge_records, thames
from thalweg.datasets.thames import FOLDER, SAMPLES, VARIABLES

PERIOD = ("2008-01-01", "2013-02-28")
SHORT = ("2009-01-01", "2010-06-30")
HEADERS = [header for header, *_ in VARIABLES.values()]


@pytest.fixture(scope="module")
def folder():
    return dataset("thames")


@pytest.fixture(scope="module")
def built(folder):
    return thames.build(folder, PERIOD)


@pytest.fixture
def copy(folder, tmp_path):
    """A copy of the dataset that may be spoiled: (folder, path of the sample table, its text as a table)."""
    shutil.copytree(folder / FOLDER, tmp_path / FOLDER)
    path = tmp_path / FOLDER / SAMPLES
    return tmp_path, path, pd.read_csv(path, dtype=str, keep_default_na=False)


def column_of(table, header):
    return next(name for name in table.columns if " ".join(name.split()) == header)


def test_sites_and_samples_have_the_known_size(built):
    domain, table = built
    assert len(table) == 22
    assert table.kept.sum() == len(domain.place_ids) == 21
    assert domain.variables == list(VARIABLES)
    samples = domain.observed.notnull().sum()
    assert samples.water_temperature.item() == 4106
    assert samples.nitrate.item() == 4136
    assert samples.dissolved_organic_carbon.item() == 3126
    assert table.set_index("place").loc["thames_swinford", "water_temperature"] == 202


def test_units_are_converted_and_limits_flagged(built, folder):
    domain, _ = built
    raw = pd.read_csv(folder / FOLDER / SAMPLES, dtype=str, keep_default_na=False)
    row = raw[(raw.Site == "River Thame at Wheatley") & (raw.iloc[:, 1] == "03/03/2009")].iloc[0]
    here = domain.observed.sel(place="thame_wheatley", time="2009-03-03")
    assert row[column_of(raw, "Dissolved nitrate (mg l-1-NO3)")] == "34"
    assert here.nitrate.item() == pytest.approx(34 * 14.007 / 62.004)
    assert here.ammonium.item() == pytest.approx(0.2 * 14.007 / 18.039)
    assert row[column_of(raw, "Dissolved nitrite (mg l-1-NO2)")] == "<0.1"
    assert here.nitrite.item() == pytest.approx(0.1 * 14.007 / 46.005)
    assert here.nitrite_censored.item() == 1
    assert domain.censored("nitrite").sum() == 1318
    assert domain.censored("soluble_reactive_phosphorus").sum() == 17
    assert not domain.censored("nitrate").any()
    assert (domain.observed[[*VARIABLES]].drop_vars("water_temperature").min().to_array() > 0).all()


def test_what_cannot_be_is_set_aside_and_told(built):
    domain, table = built
    table = table.set_index("place")
    assert table.loc["jubilee_pococks_bridge", "values_set_aside"] == "water_temperature 118 on 2012-10-09"
    assert "dissolved_organic_carbon 0.01" in table.loc["cherwell_hampton_poyle", "values_set_aside"]
    assert domain.observed.water_temperature.max() < 25
    assert table.loc["jubilee_pococks_bridge", "reason"].startswith("flood-relief channel")


def test_discharge_is_the_gauges_where_there_is_one(built):
    domain, table = built
    gauged = table[table.discharge_source.str.startswith("gauge", na=False)].set_index("place")
    assert set(gauged.index) == {"thames_swinford", "evenlode_cassington", "cherwell_hampton_poyle", "ray_islip"}
    assert (gauged.discharge_nse > 0.999).all()
    assert domain.forcing.discharge.sel(unit="thames_swinford", time="2009-03-03").item() == pytest.approx(23.7)
    assert domain.attributes.drainage_area.sel(unit="ray_islip").item() == 290.1


def test_extended_discharge_predicts_days_left_out(built):
    domain, table = built
    extended = table[table.discharge_days_used > 0]
    assert len(extended) == 17
    assert extended.discharge_r2.median() > 0.93
    assert extended.discharge_nse.median() > 0.85
    assert (extended.discharge_r2 > 0.6).all()
    assert (domain.forcing.discharge > 0).all()
    assert domain.attributes.drainage_area.sel(unit="thames_runnymede").item() == pytest.approx(6650, rel=0.02)


def test_runoff_is_discharge_over_area(built):
    domain, _ = built
    depth = domain.forcing.discharge * 86.4 / domain.attributes.drainage_area
    np.testing.assert_allclose(domain.forcing.runoff, depth)
    assert 150 < domain.forcing.runoff.mean().item() * 365.25 < 450


def test_every_estimate_says_so(built):
    domain, _ = built
    assert all(variable.attrs.get("estimate") for variable in domain.forcing.data_vars.values())
    assert "does not state" in domain.forcing.air_temperature.attrs["estimate"]
    assert "approximate" in domain.attributes.latitude.attrs["estimate"]
    assert np.isclose(domain.forcing.season_cosine**2 + domain.forcing.season_sine**2, 1).all()


def test_the_network_follows_the_rivers(built):
    domain, _ = built
    river, ids = domain.river, list(domain.place_ids)
    assert [ids[i] for i in river.outlets] == ["thames_runnymede"]

    def below(site):
        target = river.downstream[ids.index(site)]
        return ids[target]

    main = ["hannington_wick", "newbridge", "swinford", "wallingford", "sonning", "runnymede"]
    for upper, lower in pairwise(main):
        assert below(f"thames_{upper}") == f"thames_{lower}"
    for site in ("evenlode_cassington", "cherwell_hampton_poyle", "ray_islip", "ock_abingdon", "thame_wheatley"):
        assert below(site) == "thames_wallingford"
    assert below("windrush_newbridge") == "thames_swinford"
    assert below("loddon_charvil") == "thames_runnymede"
    # What flows past a place is no less than what its tributaries bring: the lengths and order are checked by discharge.
    mean = domain.attributes.mean_discharge.to_series()
    for site in ("thames_newbridge", "thames_swinford", "thames_wallingford", "thames_sonning", "thames_runnymede"):
        above = [other for other in ids if other != "thames_runnymede" and below(other) == site]
        assert mean[site] > 0.8 * mean[above].sum()
    outlet = domain.attributes.distance_to_outlet.to_series()
    assert outlet["thames_hannington_wick"] == 179
    assert outlet["thames_runnymede"] == 0


def test_a_site_left_out_is_bridged_in_the_network(copy):
    where, path, table = copy
    table[table.Site != "River Thames at Wallingford"].to_csv(path, index=False)
    domain, described = thames.build(where, SHORT, minimum_samples=30)
    ids = list(domain.place_ids)
    assert "thames_wallingford" not in ids
    assert described.set_index("place").loc["thames_wallingford", "reason"] == "fewer than 30 days sampled"
    swinford = ids.index("thames_swinford")
    assert ids[domain.river.downstream[swinford]] == "thames_sonning"
    assert domain.network.length.values[swinford] == (46 + 31) * 1e3


def test_no_forcing_or_attribute_is_computed_from_what_is_predicted(copy):
    where, path, table = copy
    before, _ = thames.build(where, SHORT, minimum_samples=30)
    generator = np.random.default_rng(0)
    filled = table.Site != ""
    names = [column_of(table, header) for header in HEADERS]
    for name in names:
        table.loc[filled, name] = [f"{value:.3f}" for value in generator.uniform(2, 20, filled.sum())]
    table.to_csv(path, index=False)
    (where / FOLDER / "processed/timeseries_data.csv").unlink()
    after, _ = thames.build(where, SHORT, minimum_samples=30)
    xr.testing.assert_identical(before.forcing, after.forcing)
    xr.testing.assert_identical(before.attributes, after.attributes)
    xr.testing.assert_identical(before.network, after.network)
    for name in VARIABLES:
        assert not np.array_equal(before.observed[name], after.observed[name], equal_nan=True)


@pytest.mark.parametrize(
    ("header", "value", "message"),
    [
        ("Water temperature (C)", "warm", r"line 3: column 'Water temperature \(C\)' is 'warm'"),
        ("Ammonium (mg l-1-NH4)", "0,2", r"line 3: column 'Ammonium \(mg l-1-NH4\)' is '0,2'"),
        ("Mean daily river discharge (m3 s-1)", "<1", "line 3: column 'Mean daily river discharge"),
        ("Sampling date (dd/mm/yyyy)", "2009-03-09", "is '2009-03-09'; expected a date like 03/03/2009"),
        ("Sampling date (dd/mm/yyyy)", "03/03/2009", "was sampled on 03/03/2009 more than once"),
        ("Site", "River Styx", "is 'River Styx', which is not in the network"),
    ],
)
def test_a_spoiled_table_is_refused_by_line_and_column(copy, header, value, message):
    where, path, table = copy
    table.loc[1, column_of(table, header)] = value
    table.to_csv(path, index=False)
    with pytest.raises(DataError, match=message):
        thames.build(where, SHORT)


def test_missing_parts_are_refused_by_name(copy):
    where, path, table = copy
    table.drop(columns=column_of(table, "Chlorophyll-a (ug l-1)")).to_csv(path, index=False)
    with pytest.raises(DataError, match="'Chlorophyll-a"):
        thames.build(where, SHORT)
    table.to_csv(path, index=False)
    with pytest.raises(DataError, match=r"39008_gdf.csv: no value on 2016-09-13"):
        thames.build(where, ("2017-09-01", "2018-02-28"))


def test_a_gauge_file_of_another_unit_or_station_is_refused(copy):
    where, path, _ = copy
    gauge = path.parent / "39034_gdf.csv"
    text = gauge.read_text()
    gauge.write_text(text.replace("dataType,units,m3/s", "dataType,units,l/s"))
    with pytest.raises(DataError, match=r"39034_gdf.csv: 'dataType,units' is 'l/s'"):
        thames.build(where, SHORT)
    gauge.write_text(text.replace("station,id,39034", "station,id,39035"))
    with pytest.raises(DataError, match="'station,id' is '39035'"):
        thames.build(where, SHORT)
    gauge.unlink()
    with pytest.raises(DataError, match=r"39034_gdf.csv: the file is missing"):
        thames.build(where, SHORT)


def made_gauges(days=1500, seed=0):
    generator = np.random.default_rng(seed)
    pulses = generator.gamma(0.2, 5.0, (days, 3))
    return pd.DataFrame(pulses, pd.date_range("2005-01-01", periods=days, name="time")).ewm(span=15).mean() + 0.5


def test_record_extension_recovers_a_record_made_from_the_gauges():
    gauges = made_gauges()
    truth = 2.0 * gauges[0] ** 0.7 * gauges[2].ewm(span=60).mean() ** 0.4
    extension = discharge_records.extend(truth.iloc[700::7], gauges)
    np.testing.assert_allclose(extension.daily, truth, rtol=1e-6)
    assert extension.nse == pytest.approx(1)
    assert extension.used == len(truth.iloc[700::7])


def test_record_extension_sets_faults_aside():
    gauges = made_gauges()
    noise = np.random.default_rng(1).lognormal(0, 0.1, len(gauges))
    measured = (2.0 * gauges[0] ** 0.7 * noise).iloc[700::7]
    spoiled = measured.copy()
    spoiled.iloc[40] *= 20
    extension = discharge_records.extend(spoiled, gauges)
    assert extension.set_aside.index.tolist() == [spoiled.index[40]]
    assert extension.daily[spoiled.index[40]] == pytest.approx(measured.iloc[40], rel=0.5)


def test_what_the_gauges_miss_is_carried_between_days_measured():
    gauges = made_gauges()
    drift = np.exp(np.sin(np.arange(len(gauges)) / 60))
    truth = gauges[0] * drift
    extension = discharge_records.extend(truth.iloc[700::7], gauges)
    assert extension.carried > 0.9
    between = slice(700, 1490)
    error = np.log(extension.daily.iloc[between] / truth.iloc[between])
    assert error.std() < 0.4 * np.log(drift[between]).std()


def test_a_gap_is_filled_from_the_record_most_like_it():
    gauges = made_gauges().rename(columns=str)
    truth = 3 * gauges["1"] ** 1.3
    record = truth.where(np.arange(len(truth)) % 400 < 300)
    filled, related = discharge_records.relate(record, gauges)
    assert related == "1"
    np.testing.assert_allclose(filled, truth, rtol=0.02)


def test_base_flow_index_and_flashiness_of_known_records():
    steady = np.full(400, 3.0)
    assert discharge_records.base_flow_index(steady) == pytest.approx(1)
    assert discharge_records.flashiness(steady) == 0
    spikes = np.where(np.arange(400) % 10 == 0, 11.0, 1.0)
    assert discharge_records.base_flow_index(spikes) == pytest.approx(0.5, abs=0.01)
    assert discharge_records.flashiness(spikes) == pytest.approx(1.0, abs=0.02)
