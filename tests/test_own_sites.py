"""A user's own tables: a small made-up river in which dissolved oxygen was sampled."""

import numpy as np
import pandas as pd
import pytest

from thalweg.basin.domain import DataError
from thalweg.basin.network import NetworkError
from thalweg.datasets import own_sites
from thalweg.datasets.tables import read_numbers
from thalweg.units import UnitError

FORCING = "time,site,air_temperature [degF],discharge [l/s]\n" + "".join(
    f"2012-05-{day:02d},{site},{50 + day},{flow}\n"
    for day in range(1, 11)
    for site, flow in (("mill", 500), ("weir", 900))
)
ATTRIBUTES = """site,latitude [degree],elevation [m],drainage_area [ha],kind
mill,51.5,80,2000,gravel
weir,51.4,60,4000,clay
"""
SAMPLES = """time,site,dissolved_oxygen [ug/l],ammonium [mg/l],colour [hazen]
2012-05-02 10:30,mill,9500,<0.05,1
2012-05-03,weir,8100,0.2,
2012-05-09,mill,9900,,3
"""
NETWORK = """site,downstream,length [km]
weir,,
mill,weir,4.5
"""
TABLES = {
    "forcing": FORCING,
    "attributes": ATTRIBUTES,
    "samples": SAMPLES.replace("[hazen]", "[m]"),
    "network": NETWORK,
}


@pytest.fixture
def write(tmp_path):
    def put(**changed):
        for name, text in {**TABLES, **changed}.items():
            (tmp_path / f"{name}.csv").write_text(text)
        return tmp_path

    return put


def test_a_table_of_oxygen_becomes_a_domain(write):
    domain, table = own_sites.build(write(), name="brook")
    assert domain.name == "brook"
    assert domain.place_ids.tolist() == ["mill", "weir"]
    oxygen = domain.observed.dissolved_oxygen
    assert oxygen.attrs["units"] == "mg/l"
    assert oxygen.sel(place="mill", time="2012-05-02").item() == pytest.approx(9.5)
    assert int(oxygen.notnull().sum()) == 3
    assert domain.observed.ammonium.sel(place="mill", time="2012-05-02").item() == pytest.approx(0.05)
    assert domain.censored("ammonium").sum() == 1
    assert domain.observed.colour.attrs["units"] == "m"
    assert table.set_index("place").loc["mill", ["dissolved_oxygen", "ammonium_censored"]].tolist() == [2, 1]


def test_units_are_converted_and_what_is_missing_is_estimated(write):
    domain, _ = own_sites.build(write())
    forcing = domain.forcing
    assert forcing.air_temperature.sel(unit="mill", time="2012-05-04").item() == pytest.approx(54 / 1.8 - 32 / 1.8)
    np.testing.assert_allclose(forcing.discharge.sel(unit="weir"), 0.9)
    np.testing.assert_allclose(forcing.runoff.sel(unit="mill"), 0.5 * 86.4 / 20)
    for name in ("vapour_pressure", "shortwave_radiation", "potential_evapotranspiration", "day_length"):
        assert forcing[name].attrs["estimate"]
    assert domain.attributes.mean_discharge.values.tolist() == pytest.approx([0.5, 0.9])
    assert "kind" not in domain.inputs
    assert domain.network.length.values[0] == 4500
    assert domain.river.downstream.tolist() == [1, -1]


def test_what_is_given_is_not_estimated(write):
    given = FORCING.replace("[l/s]\n", "[l/s],vapour_pressure [kPa]\n")
    header, rows = given.split("\n", 1)
    forcing = own_sites.build(write(forcing=header + "\n" + rows.replace("\n", ",1.1\n")))[0].forcing
    np.testing.assert_allclose(forcing.vapour_pressure, 11.0)
    assert "estimate" not in forcing.vapour_pressure.attrs


def test_sites_need_not_stand_on_one_river(write):
    folder = write()
    (folder / "network.csv").unlink()
    assert own_sites.build(folder)[0].network is None


def spoiled(name, old, new):
    assert old in TABLES[name]
    return {name: TABLES[name].replace(old, new, 1)}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (spoiled("samples", "8100", "eight"), r"samples.csv, line 3: column 'dissolved_oxygen \[ug/l\]' is 'eight'"),
        (
            spoiled("samples", "0.2", "0,2"),
            r"samples.csv, line 3: 6 fields, but the header has 5; leave a missing value empty but keep its separator",
        ),
        (
            spoiled("samples", "8100", "-1"),
            r"samples.csv, line 3: column 'dissolved_oxygen .ug/l.' is -1 .*; expected at least 0 mg/l.* or write '<'",
        ),
        (spoiled("samples", "dissolved_oxygen [ug/l]", "dissolved_oxygen"), "has no unit; write 'dissolved_oxygen"),
        (
            spoiled("samples", "2012-05-09,mill", "2012-05-02,mill"),
            "line 4: site 'mill' has more than one row for 2012-05-02",
        ),
        (spoiled("samples", "2012-05-03,weir", "2012-05-03,ford"), "line 3: site 'ford' is not in attributes.csv"),
        (spoiled("samples", "2012-05-03", "2012-06-03"), "2012-06-03 is not a day of forcing.csv"),
        (spoiled("samples", "2012-05-03", "3rd of May"), "line 3: column 'time' is '3rd of May'"),
        (spoiled("samples", "time,site", "time,place"), "'site' is missing"),
        (spoiled("forcing", "2012-05-04,weir,54,900\n", ""), "of site 'weir' is missing on 2012-05-04"),
        (
            spoiled("forcing", "2012-05-04,weir", "2012-05-03,weir"),
            "line 9: site 'weir' has more than one row for 2012-05-03",
        ),
        (spoiled("forcing", "54,900", "54,"), r"'discharge' of site 'weir' is missing on 2012-05-04"),
        (spoiled("forcing", "54,900", "54,<900"), r"is '<900'; expected a number \("),
        (spoiled("attributes", "weir,51.4,60", "weir,51.4,"), r"line 3: column 'elevation \[m\]' is empty"),
        (spoiled("attributes", "weir", "mill"), "line 3: site 'mill' appears more than once"),
        (spoiled("network", "mill,weir,4.5\n", ""), "site 'mill' must have one row here"),
        (spoiled("network", "length [km]", "distance [km]"), r"'length \[m\]' is missing"),
    ],
)
def test_a_spoiled_table_is_refused_with_the_mend(write, change, message):
    with pytest.raises(DataError, match=message):
        own_sites.build(write(**change))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            spoiled("samples", "[ug/l]", "[degC]"),
            r"samples.csv, column 'dissolved_oxygen \[degC\]': unit 'degC' .* does not",
        ),
        (spoiled("samples", "[ug/l]", "[spoons]"), r"column 'dissolved_oxygen \[spoons\]': unit 'spoons' is unknown"),
        (
            spoiled("samples", "colour [m]", "colour [spoons]"),
            r"column 'colour \[spoons\]': unit 'spoons' is unknown",
        ),
        (spoiled("attributes", "[ha]", "[m]"), r"attributes.csv, column 'drainage_area \[m\]'"),
    ],
)
def test_a_wrong_unit_names_file_and_column(write, change, message):
    with pytest.raises(UnitError, match=message):
        own_sites.build(write(**change))


def test_a_network_with_a_cycle_is_refused(write):
    with pytest.raises(NetworkError, match="cycle"):
        own_sites.build(write(**spoiled("network", "weir,,", "weir,mill,1")))


def test_a_missing_table_says_what_to_write(tmp_path):
    with pytest.raises(DataError, match=r"attributes.csv: the file is missing; write a table with the columns site"):
        own_sites.build(tmp_path)


def test_an_empty_table_is_refused(write):
    with pytest.raises(DataError, match=r"samples.csv: the table has no rows"):
        own_sites.build(write(samples="time,site,dissolved_oxygen [mg/l]\n"))


def test_text_that_is_a_number_a_gap_or_a_limit_and_text_that_is_none():
    column = pd.Series([" 1.5", "NA", "", "1e-3", "< 0.1"], index=range(2, 7), name="x")
    values, below = read_numbers(column, "table", limits=True)
    np.testing.assert_array_equal(values, [1.5, np.nan, np.nan, 1e-3, 0.1])
    assert below.tolist() == [False, False, False, False, True]
    for text in ("inf", "1_000", "true", "<", "<low"):
        with pytest.raises(DataError, match="line 2: column 'x'"):
            read_numbers(pd.Series([text], index=[2], name="x"), "table", limits=True)
