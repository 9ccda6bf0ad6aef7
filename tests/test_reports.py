"""Tables and units as people have them, each read rightly or refused with the remedy; gauges are in test_reports_gauges."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from thalweg.basin.domain import DataError
from thalweg.basin.network import NetworkError
from thalweg.basin.ranges import RANGES, check_possible, missing_codes, range_of
from thalweg.cli import main
from thalweg.datasets import lumped, own_catchments, own_sites, relatives
from thalweg.datasets.tables import read_table
from thalweg.datasets.times import EVENING, read_times
from thalweg.experiments.splits import make_splits
from thalweg.settings.blocks import Split
from thalweg.units import COUNTS, UnitError, convert, depth_per_day, parse_unit

DAYS = pd.date_range("2001-01-01", periods=5)
PERIOD = ("2001-01-01", "2001-01-05")
ATTRIBUTES = """basin,name,area [km2],latitude [degree],longitude [degree],elevation [m]
mill,Mühle,40,51,-1,100
ford,Furt,50,51.2,-1.1,120
"""
SERIES = "time,precipitation [mm],temperature [degC],discharge [m3/s]\n" + "".join(
    f"{day:%Y-%m-%d},2.5,8.1,0.{4 + i}\n" for i, day in enumerate(DAYS)
)
FORD = SERIES.replace("0.4", "0.9")


@pytest.fixture
def catchments(tmp_path):
    """Writes a folder of catchments; texts or bytes replace the table or the series of the mill."""

    def write(attributes=ATTRIBUTES, mill=SERIES, ford=FORD):
        (tmp_path / "timeseries").mkdir(exist_ok=True)
        for name, content in {"attributes": attributes, "timeseries/mill": mill, "timeseries/ford": ford}.items():
            content = content if isinstance(content, bytes) else content.encode()
            (tmp_path / f"{name}.csv").write_bytes(content)
        return tmp_path

    return write


def read(folder):
    return own_catchments.build(folder, PERIOD, "oudin", minimum_days=1)


def refused(folder, sentence, error=DataError):
    with pytest.raises(error) as raised:
        read(folder)
    assert str(raised.value).removeprefix(f"{folder}/") == sentence


FORCING = "time,site,air_temperature [degC],discharge [m3/s]\n" + "".join(
    f"2012-05-0{day},{site},1{day},0.{day}\n" for day in range(1, 6) for site in ("mill", "weir")
)
SITES = "site,latitude [degree],elevation [m]\nmill,51.5,80\nweir,51.4,60\n"
SAMPLES = "time,site,d18O [permille],turbidity [NTU]\n2012-05-02,mill,-8.5,3\n2012-05-03,weir,-9.5,4\n"


@pytest.fixture
def sites(tmp_path):
    def write(forcing=FORCING, attributes=SITES, samples=SAMPLES):
        for name, content in {"forcing": forcing, "attributes": attributes, "samples": samples}.items():
            content = content if isinstance(content, bytes) else content.encode()
            (tmp_path / f"{name}.csv").write_bytes(content)
        return tmp_path

    return write


def sites_refused(folder, sentence, error=DataError):
    with pytest.raises(error) as raised:
        own_sites.build(folder)
    assert str(raised.value).removeprefix(f"{folder}/") == sentence


# One name twice


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        (
            "discharge [m3/s]\n",
            "discharge [m3/s],discharge [mm/day]\n",
            "'discharge' is there twice, with the units m3/s and mm/day",
        ),
        (
            "discharge [m3/s]\n",
            "discharge [m3/s],discharge [m3/s]\n",
            "'discharge' is there twice, with the units m3/s and m3/s",
        ),
        ("discharge [m3/s]\n", "discharge [m3/s],discharge\n", "'discharge' is there twice"),
    ],
)
def test_a_quantity_in_two_columns_is_refused(catchments, old, new, what):
    refused(catchments(mill=SERIES.replace(old, new)), f"timeseries/mill.csv: column {what}; keep one")


def test_an_area_in_two_units_is_refused(catchments):
    table = ATTRIBUTES.replace("elevation [m]", "area [mi2]")
    refused(catchments(table), "attributes.csv: column 'area' is there twice, with the units km2 and mi2; keep one")


def test_a_site_variable_in_two_columns_is_refused(sites):
    samples = SAMPLES.replace("turbidity [NTU]", "d18O [percent]")
    sites_refused(
        sites(samples=samples),
        "samples.csv: column 'd18O' is there twice, with the units permille and percent; keep one",
    )


def series_file(folder, change=lambda dataset: dataset, **encoding):
    """timeseries.nc beside attributes.csv, of two basins."""
    shape = ("time", "basin")
    values = {"precipitation": (2.5, "mm"), "temperature": (8.1, "degC"), "discharge": (0.5, "m3/s")}
    dataset = xr.Dataset(
        {name: (shape, np.full((5, 2), value), {"units": unit}) for name, (value, unit) in values.items()},
        coords={"time": DAYS, "basin": ["mill", "ford"]},
    )
    change(dataset).to_netcdf(folder / "timeseries.nc", engine="h5netcdf", **encoding)
    return folder


def with_value(name, value, position=(1, 0)):
    def change(dataset):
        dataset[name].values[position] = value
        return dataset

    return change


def test_a_basin_twice_in_netcdf_is_refused(catchments):
    folder = series_file(catchments(), lambda dataset: dataset.assign_coords(basin=["mill", "mill"]))
    refused(folder, "timeseries.nc: basin 'mill' is there twice; keep one")


def test_two_rows_of_a_day_are_refused(catchments):
    refused(
        catchments(mill=SERIES.replace("2001-01-03", "2001-01-02")),
        "timeseries/mill.csv, line 4: the series has more than one row for 2001-01-02; keep one row per day",
    )


def river(days, seed):
    generator = np.random.default_rng(seed)
    rain = np.where(generator.random(days) < 0.3, generator.gamma(1, 8, days), 0)
    return 0.3 * (np.convolve(rain, np.exp(-np.arange(60) / 12))[:days] / 12 + 0.05)


def pair(folder, discharge, areas, east=0.05, extra=("", "")):
    """Two catchments of 900 days at one latitude, with the discharge (m3/s) of each."""
    time = pd.date_range("2001-01-01", periods=900)
    (folder / "timeseries").mkdir()
    header, rows = "basin,area [km2],latitude [degree],longitude [degree]", []
    for i, (series, area) in enumerate(zip(discharge, areas)):
        rows.append(f"{'ab'[i]},{area},51,{i * east}" + (f",{extra[i]}" if any(extra) else ""))
        columns = {"precipitation [mm]": 3.0, "temperature [degC]": 8.0, "discharge [m3/s]": series}
        pd.DataFrame({"time": time.strftime("%Y-%m-%d"), **columns}).to_csv(
            folder / f"timeseries/{'ab'[i]}.csv", index=False
        )
    header += ",downstream" if any(extra) else ""
    (folder / "attributes.csv").write_text("\n".join([header, *rows]) + "\n")
    return own_catchments.build(folder, ("2001-01-01", "2003-06-18"), "oudin", minimum_days=1)


def inside(domain):
    return domain.places.inside.values.astype(str).tolist()


def test_two_ids_of_one_gauge_are_flagged_and_stay_on_one_side_of_a_split(tmp_path):
    domain, table = pair(tmp_path, [river(900, 1)] * 2, (50, 50))
    assert table.flag.tolist() == [f"same discharge as '{other}': one gauge under two ids?" for other in "ba"]
    assert inside(domain) == ["b", "a"]
    with pytest.raises(DataError, match="1 left out of training: drains a test gauge"):
        make_splits(domain, Split(kind="ungauged_places", folds=2, train=HALF, test=HALF, validation="none"))


PERIOD_3, HALF = ("2001-01-01", "2003-06-18"), ("2001-01-01", "2001-06-30")


def test_a_catchment_that_goes_with_a_larger_one_is_kept_on_its_side(tmp_path):
    small, other = river(900, 1), river(900, 2)
    domain, table = pair(tmp_path, [small, 2.5 * small + 0.3 * other], (50, 130))
    assert inside(domain) == ["b", ""]
    assert table.flag[0] == "seems to lie in 'b': never in training and test with it"


@pytest.mark.parametrize(
    ("second", "areas", "east"),
    [(2, (50, 130), 0.05), (1, (50, 130), 3.0)],
    ids=["other discharge", "far away"],
)
def test_neighbours_are_not_nested(tmp_path, second, areas, east):
    domain, _ = pair(tmp_path, [river(900, 1), 2.5 * river(900, second) + 0.1], areas, east)
    assert inside(domain) == ["", ""]


def test_gauges_downstream_that_are_stated_replace_the_guess(tmp_path):
    small = river(900, 1)
    domain, table = pair(tmp_path, [small, 2.5 * small + 0.1], (50, 130), extra=("", "a"))
    assert inside(domain) == ["", "a"]
    assert table.flag.tolist() == ["", ""]
    (tmp_path / "attributes.csv").write_text((tmp_path / "attributes.csv").read_text().replace(",a\n", ",c\n"))
    with pytest.raises(NetworkError, match=r"attributes.csv: reach 'b' drains to 'c', which is not in the network"):
        own_catchments.build(tmp_path, PERIOD_3, "oudin", minimum_days=1)


def test_sites_with_the_same_samples_are_flagged(sites):
    rows = [f"2012-05-0{day},{site},-8.{day},3\n" for day in range(1, 6) for site in ("mill", "weir")]
    _, table = own_sites.build(sites(samples=SAMPLES.splitlines()[0] + "\n" + "".join(rows)))
    assert table.flag.tolist() == [f"same samples as '{other}': one site under two ids?" for other in ("weir", "mill")]
    assert own_sites.build(sites())[1].flag.tolist() == ["", ""]


# Missing codes, infinities and what cannot be


@pytest.mark.parametrize("value", [-9999, 999999, 1e20, np.inf, np.float32(9.96921e36), -np.inf])
def test_undeclared_fill_values_in_netcdf_are_refused(catchments, value):
    folder = series_file(catchments(), with_value("discharge", value))
    with pytest.raises(DataError) as raised:
        read(folder)
    text = str(raised.value)
    assert text.startswith(f"{folder}/timeseries.nc, basin 'mill', 2001-01-02: variable 'discharge' is ")
    assert text.endswith("a code of a missing value; write NaN, or state it as _FillValue")


def test_a_declared_fill_value_is_missing(catchments):
    folder = series_file(catchments(), with_value("discharge", np.nan), encoding={"discharge": {"_FillValue": -9999.0}})
    assert read(folder)[1].days_with_discharge.tolist() == [4, 5]


def test_more_water_than_any_river_has_is_refused(catchments):
    refused(
        catchments(mill=SERIES.replace("0.5", "5000")),
        "timeseries/mill.csv, line 3: column 'discharge [m3/s]', as a depth over the catchment, is 5000 [m3/s], or 10800 "
        "mm/day; expected at most 2000 mm/day: correct the value or the unit, or leave it empty",
    )


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        (
            "-1,100",
            "-1,-9999",
            "column 'elevation [m]' is -9999, a code of a missing value; omit the row or the column",
        ),
        ("-1,100", "-1,-99", "column 'elevation [m]' is -99, a code of a missing value; omit the row or the column"),
        ("-1,100", "-1,1e20", "column 'elevation [m]' is 1e+20, a code of a missing value; omit the row or the column"),
        (
            "40,51",
            "40,151",
            "column 'latitude [degree]' is 151; expected at most 90 degree: correct the value or the unit, or omit the row or the column",
        ),
        (
            "40,51",
            "40000000,51",
            "column 'area [km2]' is 40000000; expected at most 7.2e+06 km2: correct the value or the unit, or omit the row or the column",
        ),
        (
            "40,51",
            "0,51",
            "column 'area [km2]' is 0; expected at least 1e-06 km2: correct the value or the unit, or omit the row or the column",
        ),
        (
            "-1,100",
            "400,100",
            "column 'longitude [degree]' is 400; expected at most 360 degree: correct the value or the unit, or omit the row or the column",
        ),
        (
            "-1,100",
            "-1,inf",
            "column 'elevation [m]' is 'inf'; expected a number (with a decimal point, not a comma), or nothing for a missing value",
        ),
        (
            "-1,100",
            "-1,",
            "column 'elevation [m]' is empty; every basin needs every attribute: write the value, or omit the row or the column",
        ),
    ],
)
def test_attributes_that_cannot_be_are_refused(catchments, old, new, sentence):
    refused(catchments(ATTRIBUTES.replace(old, new)), f"attributes.csv, line 2: {sentence}")


def test_a_share_in_percent_needs_its_unit(catchments):
    table = ATTRIBUTES.replace("elevation [m]", "forest_fraction [{}]")
    assert read(catchments(table.replace("{}", "percent").replace("120", "20")))[0].inputs == [
        "area",
        "forest_fraction",
    ]
    with pytest.raises(DataError, match=r"line 2: column 'forest_fraction .dimensionless.' is 100; expected at most"):
        read(catchments(table.replace("{}", "dimensionless")))


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        (
            ",11,",
            ",284.2,",
            "column 'air_temperature [degC]' is 284.2; expected at most 60 degC: correct the value or the unit, or leave it empty",
        ),
        (",11,", ",-9999,", "column 'air_temperature [degC]' is -9999, a code of a missing value; leave it empty"),
        (
            "0.1\n",
            "-0.1\n",
            "column 'discharge [m3/s]' is -0.1; expected at least 0 m3/s: correct the value or the unit, or leave it empty",
        ),
    ],
)
def test_forcing_of_sites_that_cannot_be_is_refused(sites, old, new, sentence):
    sites_refused(sites(forcing=FORCING.replace(old, new, 1)), f"forcing.csv, line 2: {sentence}")


def test_water_colder_than_ice_is_refused(sites):
    samples = SAMPLES.replace("d18O [permille]", "water_temperature [degC]")
    sites_refused(
        sites(samples=samples),
        "samples.csv, line 2: column 'water_temperature [degC]' is -8.5; expected at least -5 degC: correct the value or the "
        "unit, or leave it empty, or write '<' and the detection limit",
    )


@pytest.mark.parametrize(
    ("values", "name", "expected"),
    [
        ([-60, -99], "d2H", [0, 0]),
        ([-60, -99], None, [0, 0]),
        ([-99], None, [0]),
        ([0.5, 2, -99], None, [0, 0, 1]),
        ([0.5, 2, -999.0], "nitrate", [0, 0, 1]),
        ([-99, -98.5], "longitude", [0, 0]),
        ([2000, 9999], None, [0, 0]),
        ([0.5, 9999], None, [0, 1]),
        ([0.5, 9999], "discharge", [0, 1]),
        ([5000, 9999, 12000], "discharge", [0, 0, 0]),
        ([-9999, 1], "d18O", [1, 0]),
        ([1e19, 1e18], None, [1, 0]),
        ([np.nan, np.inf], None, [0, 1]),
        ([], None, []),
    ],
)
def test_a_code_is_one_where_nothing_like_it_was_measured(values, name, expected):
    assert missing_codes(values, name).tolist() == [bool(one) for one in expected]


def test_every_name_that_the_readers_know_has_a_range():
    for name in (*own_catchments.FORCING, "discharge", *own_catchments.REQUIRED, *own_sites.CANONICAL):
        limits = range_of(name)
        parse_unit(limits.unit)
        assert limits.low < limits.high, name
    assert all(limits.low <= 0 or name in ("area", "drainage_area", "air_pressure") for name, limits in RANGES.items())


def test_limits_are_in_the_unit_of_the_table():
    where = lambda here: f"line {here[0]}"  # noqa: E731
    check_possible([290.0], "kelvin", "air_temperature", "f.csv", "column 'x'", where)
    with pytest.raises(
        DataError, match=r"f.csv, line 0: column 'x' is 150 \[degF\], or 65.5556 degC; expected at most 60"
    ):
        check_possible([150.0], "degF", "air_temperature", "f.csv", "column 'x'", where)
    with pytest.raises(UnitError, match=r"f.csv, column 'x': unit 'mm'"):
        check_possible([1.0], "mm", "air_temperature", "f.csv", "column 'x'", where)


# Times


@pytest.mark.parametrize(
    "form",
    [
        "{:%Y-%m-%d}T00:00:00Z",
        "{:%Y-%m-%d} 09:00",
        "{:%Y-%m-%d}T12:00:00",
        "{:%Y-%m-%d} 00:00:00+00:00",
        "{:%Y-%m-%d}T00:00:00.000-05:00",
        "{:%Y/%m/%d}",
        "{:%Y%m%d}",
        "{0.year}-{0.month}-{0.day}",
        "{:%Y-%m-%d} 23:59",
    ],
)
def test_a_day_is_the_date_as_it_stands(catchments, form):
    series = SERIES
    for day in DAYS:
        series = series.replace(f"{day:%Y-%m-%d}", form.format(day))
    domain, table = read(catchments(mill=series))
    assert table.days_with_discharge.tolist() == [5, 5]
    np.testing.assert_allclose(domain.observed.discharge.sel(place="mill"), [0.4, 0.5, 0.6, 0.7, 0.8], rtol=1e-6)


def test_offsets_that_change_keep_the_local_day(catchments):
    series = SERIES.replace("2001-01-01", "2001-01-01T00:00+01:00").replace("2001-01-04", "2001-01-04T00:00+02:00")
    assert read(catchments(mill=series))[1].days_with_discharge.tolist() == [5, 5]


def test_evenings_of_universal_time_are_refused(catchments):
    series = SERIES
    for day in DAYS:
        series = series.replace(f"{day:%Y-%m-%d}", f"{day:%Y-%m-%d}T23:00Z")
    refused(
        catchments(mill=series),
        "timeseries/mill.csv, line 2: column 'time' is 23:00 in universal time, which is the next day east of Greenwich; write "
        "the day that is meant, as 2012-05-31",
    )


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2001-01", "a whole date like 2012-05-31: a month or a year is not a day"),
        ("2001", "a whole date like 2012-05-31: a month or a year is not a day"),
        ("2001/1", "a whole date like 2012-05-31: a month or a year is not a day"),
        ("2001-02-30", "a day of the standard calendar: convert the series to it"),
        ("01.02.2001", "a date like 2012-05-31"),
        ("1/2/2001", "a date like 2012-05-31"),
        ("2001-01-02 24:00", "a date like 2012-05-31"),
        ("2001-W01-1", "a date like 2012-05-31"),
        ("2001-001", "a date like 2012-05-31"),
        ("9999-12-31", "a date like 2012-05-31"),
        ("0001-01-01", "a date like 2012-05-31"),
        ("36892", "a date like 2012-05-31"),
    ],
)
def test_what_is_no_whole_date_is_refused(tmp_path, value, expected):
    column = pd.Series(["2001-01-01", value], index=[2, 3], name="time")
    with pytest.raises(DataError) as raised:
        read_times(column, "f.csv")
    assert str(raised.value) == f"f.csv, line 3: column 'time' is '{value}'; expected {expected}"


def test_part_of_a_date_is_no_sample(sites):
    sites_refused(
        sites(samples=SAMPLES.replace("2012-05-02", "2012-05")),
        "samples.csv, line 2: column 'time' is '2012-05'; expected a whole date like 2012-05-31: a month or a year is not a day",
    )


def test_samples_with_a_zone_are_of_their_day(sites):
    samples = SAMPLES.replace("2012-05-02", "2012-05-02T10:30:00Z").replace("2012-05-03", "2012-05-03 23:10:00+00:00")
    domain, _ = own_sites.build(sites(samples=samples))
    assert domain.observed.d18O.sel(place="weir", time="2012-05-03").item() == -9.5


@pytest.mark.parametrize(("hours", "step"), [((0, 12), "12"), ((0, 6), "6"), ((1, 2), "1"), ((0, 0.25), "0.25")])
def test_sub_daily_series_are_named_by_their_step(catchments, hours, step):
    header, *rows = SERIES.splitlines()
    twice = [row.replace(",", f"T{int(h):02d}:{round(h % 1 * 60):02d},", 1) for row in rows for h in hours]
    refused(
        catchments(mill="\n".join([header, *twice])),
        f"timeseries/mill.csv, line 3: the series has more than one row for 2001-01-01, with steps of {step} hours; own tables "
        "are daily: sum precipitation over the day, and take the mean of other variables",
    )


def test_noon_in_netcdf_is_the_day(catchments):
    folder = series_file(catchments(), lambda dataset: dataset.assign_coords(time=DAYS + pd.Timedelta(hours=12)))
    assert read(folder)[1].days_with_discharge.tolist() == [5, 5]


@pytest.mark.parametrize("calendar", ["noleap", "360_day", "julian", "all_leap"])
def test_other_calendars_are_named(catchments, calendar):
    def change(dataset):
        attrs = {"units": "days since 2001-01-01", "calendar": calendar}
        return dataset.assign_coords(time=("time", np.arange(5), attrs))

    refused(
        series_file(catchments(), change),
        f"timeseries.nc: variable 'time' has the calendar {calendar}; convert it to the standard one (xarray: "
        "convert_calendar('standard', align_on='date')), and fill the days that are missing then",
    )


def test_times_without_a_unit_are_refused(catchments):
    folder = series_file(
        catchments(), lambda dataset: dataset.assign_coords(time=("time", np.arange(5), {"units": "d"}))
    )
    with pytest.raises(
        DataError,
        match=r"timeseries.nc: variable 'time' has the unit 'd' and the type int64; write numbers of 'days since",
    ):
        read(folder)


def test_a_file_that_is_no_netcdf_is_refused(catchments):
    folder = catchments()
    (folder / "timeseries.nc").write_text("precipitation")
    with pytest.raises(DataError, match=r"timeseries.nc: cannot be read as netCDF-4 .*; convert it"):
        read(folder)


# Texts


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.encode("utf-8-sig"),
        lambda text: text.encode("utf-16"),
        lambda text: text.replace("\n", "\r\n").encode(),
        lambda text: text.replace("\n", "\r").encode(),
        lambda text: text.replace("\n", "\n\n").encode(),
        lambda text: ("# made by hand, in May\n" + text).encode(),
        lambda text: ("#" + text).encode(),
        lambda text: text.replace(",", ";").encode(),
        lambda text: text.replace(",", "\t").encode(),
        lambda text: ("sep=;\n" + text.replace(",", ";")).encode(),
        lambda text: text.replace("\n", ",,\n").encode(),
        lambda text: text.replace(",", " , ").encode(),
        lambda text: text.replace("mill", '"mill"').replace("time", '"time"').encode(),
        lambda text: text.replace(",", ";").replace(".", ",").encode(),
    ],
    ids=[
        "bom",
        "utf16",
        "crlf",
        "cr",
        "blank",
        "comment",
        "header-comment",
        "semicolon",
        "tab",
        "sep",
        "trailing",
        "spaces",
        "quotes",
        "decimal-comma",
    ],
)
def test_tables_of_all_programs_are_read_alike(catchments, change):
    domain, table = read(catchments(change(ATTRIBUTES), change(SERIES)))
    assert domain.place_ids.tolist() == ["mill", "ford"]
    assert table.name.tolist() == ["Mühle", "Furt"]
    np.testing.assert_allclose(domain.observed.discharge.sel(place="mill"), [0.4, 0.5, 0.6, 0.7, 0.8], rtol=1e-6)
    np.testing.assert_allclose(domain.forcing.precipitation, 2.5)
    assert domain.places.latitude.values.tolist() == [51, 51.2]


def test_latin_1_is_read_with_a_warning(catchments):
    with pytest.warns(UserWarning, match=r"attributes.csv, line 2: the text is not UTF-8; read as Windows-1252"):
        _, table = read(catchments(ATTRIBUTES.encode("latin-1")))
    assert table.name.tolist() == ["Mühle", "Furt"]
    with pytest.warns(UserWarning, match="timeseries/mill.csv, line 1"):
        domain, _ = read(catchments(mill=SERIES.replace("degC", "°C").encode("latin-1")))
    np.testing.assert_allclose(domain.forcing.temperature, 8.1, rtol=1e-6)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("", ": the table is empty; write a header with time and a row for each"),
        ("\n \n", ": the table is empty; write a header with time and a row for each"),
        (SERIES.splitlines()[0], ": the table has no rows; write one for each time"),
        (b"PK\x03\x04", ": the file is a spreadsheet or an archive, not text; save the table as CSV (UTF-8)"),
        (b"\xd0\xcf\x11\xe0", ": the file is a spreadsheet, not text; save the table as CSV (UTF-8)"),
        (b"\x1f\x8b\x08", ": the file is compressed, not text; save the table as CSV (UTF-8)"),
        (SERIES.encode("utf-16-le"), ": the file holds zero bytes and is not text; save the table as CSV (UTF-8)"),
        (b"time,a [mm]\n\x81,1\n", ", line 2: the text is not UTF-8; save the table as CSV (UTF-8)"),
        ("time,\n2001-01-01,1\n", ", line 2: 2 fields, but the header has 1; leave a missing value empty but keep its separator, and write numbers with a decimal point (a decimal comma needs semicolons between columns)"),
        ("time,,a [mm]\n2001-01-01,1,1\n", ": column 2 has no name; name it, or remove it"),
        ("time a\n2001-01-01 1\n", ": column 'time' is missing; available: time a; separate columns by commas, semicolons or tabs"),
        ('time,a [mm]\n2001-01-01,"1\n2001-01-02,1\n', ", line 2: a quotation mark is not closed; close it on the same line, or remove it"),
        ("time,a [mm]\n2001-01-01\n", ", line 2: 1 fields, but the header has 2; leave a missing value empty but keep its separator, and write numbers with a decimal point (a decimal comma needs semicolons between columns)"),
        ("time,a [mm]\n2001-01-01,1,5\n", ", line 2: 3 fields, but the header has 2; leave a missing value empty but keep its separator, and write numbers with a decimal point (a decimal comma needs semicolons between columns)"),
        ("time,a [mm]\n2001-01-01,1,\n", ", line 2: 3 fields, but the header has 2; leave a missing value empty but keep its separator, and write numbers with a decimal point (a decimal comma needs semicolons between columns)"),
        ("time;a [mm];b [mm]\n2001-01-01;1,5;1\n2001-01-02;1.5;1\n", ": line 2 has a number with a comma and line 3 one with a point; use one of them for decimals, and nothing between thousands"),
        ("time,a [mm]\n,1\n", ", line 2: column 'time' is empty; write its value, or drop the row"),
    ],
)  # fmt: skip
def test_what_is_no_table_is_refused(tmp_path, content, sentence):
    path = tmp_path / "f.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DataError) as raised:
        read_table(path, ["time"])
    assert str(raised.value) == f"{path}{sentence}"


def test_no_reader_of_users_falls_back_to_pandas(catchments):
    for content, sentence in (("", "the table is empty"), ("basin\n", "the table has no rows")):
        with pytest.raises(DataError, match=rf"attributes.csv: {sentence}"):
            read(catchments(content))


@pytest.mark.parametrize("name", ["NA", "nan", "null", "None", "N/A", "007", "1e5", "True", "-"])
def test_ids_are_texts(catchments, name):
    folder = catchments(ATTRIBUTES.replace("mill", name))
    if "/" in name:
        refused(folder, f"attributes.csv: basin '{name}' cannot be the name of a file; use letters and digits")
        return
    (folder / "timeseries/mill.csv").rename(folder / f"timeseries/{name}.csv")
    domain, table = read(folder)
    assert domain.place_ids.tolist() == [name, "ford"]
    assert table.place.tolist() == [name, "ford"]


def test_an_empty_id_is_named_by_its_line(catchments):
    refused(
        catchments(ATTRIBUTES.replace("ford,", ",")),
        "attributes.csv, line 3: column 'basin' is empty; write its value, or drop the row",
    )


# Units


@pytest.mark.parametrize(
    ("unit", "to", "factor"),
    [
        ("W m-2", "W/m**2", 1),
        ("MJ m-2 d-1", "W/m**2", 11.574074),
        ("mg l-1", "mg/l", 1),
        ("mg/m3", "mg/l", 1e-3),
        ("mmol/m3", "mmol/l", 1e-3),
        ("m-1", "1/m", 1),
        ("m3.s-1", "m3/s", 1),
        ("m³ s⁻¹", "m3/s", 1),
        ("hm3/day", "m3/s", 11.574074),
        ("CFU/100ml", "CFU/l", 10),
        ("MPN/100 mL", "MPN/l", 10),
        ("ntu", "NTU", 1),
        ("per mil", "dimensionless", 1e-3),
        ("mb", "hPa", 1),
        ("acre-ft/day", "m3/s", 0.014276496),
    ],
)
def test_units_of_files_are_converted(unit, to, factor):
    assert convert(1.0, unit, to) == pytest.approx(factor, rel=1e-6)


def test_a_mass_of_water_is_a_depth(catchments):
    assert depth_per_day(1e-5, "kg m-2 s-1", "x") == pytest.approx(0.864)
    assert depth_per_day(3.0, "kg/m2", "x") == pytest.approx(3.0)
    assert depth_per_day(3.0, "kg m-2 d-1", "x") == pytest.approx(3.0)
    series = SERIES.replace("precipitation [mm]", "precipitation [kg m-2 s-1]").replace("2.5", "2.8935185e-05")
    np.testing.assert_allclose(read(catchments(mill=series))[0].forcing.precipitation, 2.5, rtol=1e-6)
    forcing = FORCING.replace("discharge [m3/s]", "precipitation [kg m-2 s-1]").replace(",0.", ",0.0000")
    assert convert(1, "kg m-2 s-1", "kg/m**2/day") == pytest.approx(86400)
    assert forcing.count("kg m-2") == 1


@pytest.mark.parametrize(
    ("unit", "message"),
    [
        ("Mm3/day", "unit 'Mm3/day' is 'megameter ** 3 / day' to pint, which is hardly meant; write hm3 for a million m3, or km"),
        ("C", "unit 'C' is 'coulomb' to pint, which is hardly meant; write degC for degrees Celsius"),
        ("mm/D", "unit 'mm/D' is 'millimeter / debye' to pint, which is hardly meant; write day"),
        ("mg N/l", "unit 'mg N/l' is 'milligram * newton / liter' to pint, which is hardly meant; write mg/l, and name the substance in the name of the column"),
        ("ppt", "unit 'ppt' is 'picopint' to pint, which is hardly meant; write g/kg for parts per thousand, ng/l for parts per trillion"),
        ("MCM", "unit 'MCM' is unknown to pint; write hm3 for a million m3"),
        ("10^6 m3", "unit '10^6 m3' is unknown to pint; write the unit without a number, and multiply the values by it"),
        ("spoons", "unit 'spoons' is unknown to pint; write it in pint's form, for example 'mm/day'"),
    ],
)  # fmt: skip
def test_units_that_pint_would_misread_are_named(unit, message):
    with pytest.raises(UnitError) as raised:
        parse_unit(unit)
    assert str(raised.value) == message


def test_units_that_are_counts_of_a_method_compare_with_themselves_only(sites):
    domain, _ = own_sites.build(sites())
    assert domain.observed.turbidity.attrs["units"] == "NTU"
    with pytest.raises(UnitError, match=r"unit 'NTU' .* does not convert to 'FNU'"):
        convert(1.0, "NTU", "FNU")


def test_units_that_catchments_know_are_known_to_sites(sites):
    forcing = FORCING.replace("discharge [m3/s]", "shortwave_radiation [W m-2]")
    samples = SAMPLES.replace("d18O [permille]", "chlorophyll [mg/m3]").replace("-8.5", "8.5").replace("-9.5", "9.5")
    domain, _ = own_sites.build(sites(forcing=forcing, samples=samples))
    assert domain.forcing.shortwave_radiation.attrs["units"] == "W/m**2"
    assert domain.observed.chlorophyll.sel(place="mill", time="2012-05-02").item() == pytest.approx(8.5)
    daily = FORCING.replace("discharge [m3/s]", "precipitation [mm]")
    assert own_sites.build(sites(forcing=daily))[0].forcing.precipitation.attrs["units"] == "mm/day"


def test_a_detection_limit_is_above_zero(sites):
    sites_refused(
        sites(samples=SAMPLES.replace(",3\n", ",<0\n")),
        "samples.csv, line 2: column 'turbidity [NTU]' is '<0'; expected a number, or '<' and a detection limit (with a decimal "
        "point, not a comma), or nothing for a missing value",
    )


def test_the_page_states_the_limits_of_the_readers():
    page = " ".join((Path(__file__).parents[1] / "docs/guides/own_data.md").read_text().split())
    assert f"a correlation of the logarithms of {relatives.CORRELATION:g} or more" in page
    assert f"within {relatives.APART:g} km" in page
    assert f"discharge below {lumped.LEAST_RUNOFF:g} of precipitation" in page
    assert f"discharge of more than {RANGES['runoff'].high:g} mm/day" in page
    assert f"an hour from {EVENING}:00 in universal time" in page
    for unit in COUNTS:
        assert unit in page


# The command line


def test_the_command_line_ends_with_one_sentence(catchments, capsys):
    folder = catchments(mill="")
    settings = {
        "kind": "own_catchments",
        "folder": str(folder),
        "period": PERIOD,
        "potential_evapotranspiration": "oudin",
    }
    outputs = ["--output", f"{folder}/domain.nc", "--table", f"{folder}/table.csv"]
    with pytest.raises(SystemExit) as raised:
        main(["step", "domain", "mine", "--dataset", str(folder), "--settings", json.dumps(settings), *outputs])
    assert raised.value.code == 1
    assert capsys.readouterr().err.endswith(
        f": {folder}/timeseries/mill.csv: the table is empty; write a header with time and a row for each\n"
    )
