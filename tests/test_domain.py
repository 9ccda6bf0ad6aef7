"""The canonical form: what it refuses, how places and units hang together, and that files keep it."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from conftest import make_domain
from thalweg.basin.domain import GROUPS, DataError, Domain, check_dates, read_domain, sampled_units, step_of
from thalweg.basin.network import NetworkError
from thalweg.forcing.evapotranspiration import METHODS, potential_evapotranspiration
from thalweg.storage.store import provenance, write_netcdf
from thalweg.units import UnitError


def rebuilt(domain, **changes):
    parts = {name: getattr(domain, name) for name in GROUPS}
    return Domain("synthetic", **{**parts, **changes})


def test_round_trip(domain, tmp_path):
    write_netcdf(domain.to_tree(), tmp_path / "domain.nc", provenance())
    back = read_domain(tmp_path / "domain.nc")
    assert back.name == "synthetic"
    for group in GROUPS:
        xr.testing.assert_identical(getattr(back, group), getattr(domain, group))
    np.testing.assert_allclose(back.observed_runoff.values, domain.observed_runoff.values)
    assert (back.catchment_units != domain.catchment_units).nnz == 0
    assert back.forcing.precipitation.attrs["units"] == "mm/day"


def test_weights_are_shares_of_the_catchments_area(domain):
    weights = domain.catchment_weights.toarray()
    np.testing.assert_allclose(weights.sum(1), 1)
    assert (weights[0] > 0).sum() == 1
    assert (weights[-1] > 0).sum() == 3


def test_depth_and_volume_agree(domain):
    depth = domain.observed_runoff.values[1]
    volume = domain.observed.discharge.values[:, 1] * 86400
    np.testing.assert_allclose(depth / 1000 * domain.places.drainage_area.values[1] * 1e6, volume)


def test_lumping_keeps_the_water(domain):
    lumped = domain.lumped()
    rain = domain.catchment_weights @ domain.forcing.precipitation.values.T
    np.testing.assert_allclose(lumped.forcing.precipitation.values.T, rain)
    np.testing.assert_allclose(lumped.observed_runoff.values, domain.observed_runoff.values)
    np.testing.assert_allclose(lumped.catchment_weights.toarray(), np.eye(4))


def test_units_that_drain_nowhere_belong_to_no_place(domain):
    reach = domain.network.unit_reach.values.astype(object).copy()
    reach[0] = ""
    dry = rebuilt(domain, network=domain.network.assign(unit_reach=("unit", reach)))
    with pytest.raises(DataError, match="no unit drains to place 'g0'"):
        _ = dry.catchment_weights


def test_a_missing_variable_is_named(domain):
    with pytest.raises(DataError, match=r"synthetic/forcing.*'potential_evapotranspiration' is missing"):
        rebuilt(domain, forcing=domain.forcing.drop_vars("potential_evapotranspiration"))
    rebuilt(domain, forcing=domain.forcing.drop_vars("temperature"))  # which processes without snow do without


def test_a_wrong_unit_is_named(domain):
    forcing = domain.forcing.copy()
    forcing["precipitation"] = forcing.precipitation.assign_attrs(units="inch/day")
    with pytest.raises(DataError, match=r"'precipitation' has unit 'inch/day', expected 'mm/day'"):
        rebuilt(domain, forcing=forcing)


def test_a_negative_discharge_is_named(domain):
    observed = domain.observed.copy(deep=True)
    observed.discharge.values[7, 2] = -3.5
    with pytest.raises(DataError, match=r"synthetic/observed.*'discharge' is -3\.5 at position \(7, 2\)"):
        rebuilt(domain, observed=observed)


def test_gaps_are_refused_in_forcing_and_allowed_in_discharge(domain):
    observed = domain.observed.copy(deep=True)
    observed.discharge.values[0, 0] = np.nan
    rebuilt(domain, observed=observed)
    forcing = domain.forcing.copy(deep=True)
    forcing.temperature.values[3, 1] = np.nan
    with pytest.raises(DataError, match=r"'temperature' is nan at position \(3, 1\)"):
        rebuilt(domain, forcing=forcing)


def test_an_attribute_with_a_gap_is_named(domain):
    attributes = domain.attributes.copy(deep=True)
    attributes.slope.values[4] = np.nan
    with pytest.raises(DataError, match=r"synthetic/attributes: variable 'slope' is nan at position \(4,\)"):
        rebuilt(domain, attributes=attributes)


def test_what_catchments_lack_is_named(domain):
    with pytest.raises(DataError, match=r"synthetic/places: variable 'drainage_area' is missing"):
        rebuilt(domain, places=domain.places.drop_vars("drainage_area"))
    with pytest.raises(DataError, match=r"synthetic/attributes: variable 'area' is missing"):
        rebuilt(domain, attributes=domain.attributes.drop_vars("area"))


def test_groups_that_do_not_fit_together_are_named(domain):
    for change, message in (
        ({"observed": domain.observed.isel(time=slice(1, None))}, "observed: its times are not those of the forcing"),
        ({"observed": domain.observed.isel(place=[1, 0, 2, 3])}, "observed: its places are not those of the places"),
        (
            {"attributes": domain.attributes.isel(unit=slice(0, 3))},
            "attributes: its units are not those of the forcing",
        ),
        ({"network": domain.network.isel(unit=slice(0, 3))}, "network: its units are not those of the forcing"),
        ({"places": domain.places.drop_vars("reach")}, "places: variable 'reach' is missing"),
        ({"network": None}, "places: variable 'unit' is missing"),
        ({"observed": domain.observed.transpose("place", "time")}, r"'discharge' has dimensions \('place', 'time'\)"),
    ):
        with pytest.raises(DataError, match=message):
            rebuilt(domain, **change)
    with pytest.raises(DataError, match="unit 'sea' is not in the forcing"):
        rebuilt(domain, places=domain.places.assign(unit=("place", ["u0", "sea", "", "u2"])))
    with pytest.raises(NetworkError, match="'sea'"):
        rebuilt(domain, places=domain.places.assign(reach=("place", ["r0", "sea", "r7", "r11"])))


# Time steps


def stepped(frequency, unit, periods=36):
    """The synthetic domain with another step; depths of water are per that step."""
    domain = make_domain(days=periods)
    time = pd.date_range("2000-01-01", periods=periods, freq=frequency, name="time")
    forcing, observed = domain.forcing.assign_coords(time=time), domain.observed.assign_coords(time=time)
    for name in ("precipitation", "potential_evapotranspiration"):
        forcing[name] = forcing[name].assign_attrs(units=unit)
    return rebuilt(domain, forcing=forcing, observed=observed)


def test_a_day(domain):
    assert domain.step == "day"
    assert domain.step_days == 1
    assert domain.millimetres_per_step == 86.4


def test_an_hour():
    domain = stepped("h", "mm/hour")
    assert domain.step == "hour"
    assert domain.step_days == pytest.approx(1 / 24)
    assert domain.millimetres_per_step == pytest.approx(3.6)
    runoff = domain.observed_runoff
    assert runoff.attrs["units"] == "mm/hour"
    volume = domain.observed.discharge.values.T * 3600
    np.testing.assert_allclose(runoff.values / 1000 * domain.places.drainage_area.values[:, None] * 1e6, volume)


def test_a_month_is_as_long_as_it_is(tmp_path):
    domain = stepped("MS", "mm/month")
    assert domain.step == "month"
    assert domain.step_days == 30.4375
    days = np.round(domain.millimetres_per_step / 86.4, 9)
    assert days[:12].tolist() == [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
    assert days[13] == 28
    runoff = domain.observed_runoff
    assert runoff.dims == ("place", "time")
    assert runoff.attrs["units"] == "mm/month"
    volume = domain.observed.discharge.values.T * days * 86400
    np.testing.assert_allclose(runoff.values / 1000 * domain.places.drainage_area.values[:, None] * 1e6, volume)
    write_netcdf(domain.to_tree(), tmp_path / "domain.nc", provenance())
    back = read_domain(tmp_path / "domain.nc")
    assert back.step == "month"
    np.testing.assert_array_equal(back.observed_runoff, runoff)
    np.testing.assert_allclose(domain.lumped().observed_runoff, runoff)


def test_depths_are_per_step():
    with pytest.raises(DataError, match=r"'precipitation' has unit 'mm/day', expected 'mm/month'"):
        stepped("MS", "mm/day")
    with pytest.raises(DataError, match=r"'precipitation' has unit 'mm/month', expected 'mm/hour'"):
        stepped("h", "mm/month")
    with pytest.raises(DataError, match=r"a step is 0\.25 days; depths of water are per hour, day or month"):
        stepped("6h", "mm/day")


@pytest.mark.parametrize(
    ("frequency", "unit", "message"),
    [
        ("h", "mm/hour", r"leaves a gap after 2000-01-01 08:00:00 .*; hourly series must have every hour"),
        ("D", "mm/day", r"leaves a gap after 2000-01-09 .*; daily series must have every day"),
        ("MS", "mm/month", r"leaves a gap after 2000-09-01 .*; monthly series must have every month"),
    ],
)
def test_an_irregular_series_is_refused(frequency, unit, message):
    domain = stepped(frequency, unit)
    kept = np.delete(np.arange(36), 9)
    with pytest.raises(DataError, match=message):
        rebuilt(domain, forcing=domain.forcing.isel(time=kept), observed=domain.observed.isel(time=kept))


def test_the_step_is_that_of_most_steps():
    assert step_of(pd.DatetimeIndex(["2001-03-01"])) == "day"
    assert step_of(pd.date_range("2001-01-01", periods=5, freq="12h")) == "0.5 days"
    assert step_of(pd.DatetimeIndex(["2001-01-01", "2001-02-01", "2001-03-01", "2001-04-01"])) == "month"
    assert step_of(pd.DatetimeIndex(["2001-01-01", "2001-01-04", "2001-01-06", "2001-01-30"])) == "day"


# Places of several kinds


def test_a_gauge_and_a_sampling_site_in_one_domain(tmp_path):
    domain = make_domain(units=3, gauges=1)
    places = xr.Dataset(
        {
            "reach": ("place", ["r2", "", "r1"]),
            "unit": ("place", ["", "u0", "u1"]),
            "drainage_area": ("place", [200.0, np.nan, 90.0], {"units": "km2"}),
        },
        coords={"place": ["gauge", "sampling site", "both"]},
    )
    values = np.full((2, len(domain.forcing.time), 3), np.nan)
    values[0][:, [0, 2]] = 3.0
    values[1][::7, [1, 2]] = 4.0
    dims = ("time", "place")
    observed = xr.Dataset(
        {"discharge": (dims, values[0], {"units": "m3/s"}), "nitrate": (dims, values[1], {"units": "mg/l"})},
        coords={"time": domain.forcing.time, "place": places.place},
    )
    mixed = rebuilt(domain, places=places, observed=observed)
    write_netcdf(mixed.to_tree(), tmp_path / "domain.nc", provenance())
    for one in (mixed, read_domain(tmp_path / "domain.nc")):
        assert one.variables == ["discharge", "nitrate"]
        assert one.place_units.tolist() == [-1, 0, 1]
        assert one.catchment_units.toarray().tolist() == [[1, 1, 1], [1, 0, 0], [1, 1, 0]]
        assert one.place_reaches.tolist() == [0, 1, 2]
        np.testing.assert_allclose(one.catchment_weights.sum(1), 1)
        assert one.observed_runoff.notnull().any("time").values.tolist() == [True, False, True]
        assert one.observed_runoff.values[0, 0] == pytest.approx(3 * 86.4 / 200)


# Units that are their own places


IDS = ["upper", "side", "lower"]


def parts(days=30, seed=0):
    """Three sites on one river, one variable with a censored value: a dict of the groups."""
    generator = np.random.default_rng(seed)
    time = pd.date_range("2010-01-01", periods=days, name="time")
    values = np.full((days, 3), np.nan)
    values[::7] = generator.gamma(2, 2, values[::7].shape)
    flag = np.zeros((days, 3), int)
    flag[7, 1] = 1
    dims = ("time", "place")
    return {
        "forcing": xr.Dataset(
            {"air_temperature": (("time", "unit"), generator.normal(9, 5, (days, 3)), {"units": "degC"})},
            {"time": time, "unit": IDS},
        ),
        "attributes": xr.Dataset(
            {
                "elevation": ("unit", [90.0, 80.0, 40.0], {"units": "m"}),
                "latitude": ("unit", [51.7, 51.8, 51.5], {"units": "degree"}),
                "river": ("unit", ["Thames", "Thame", "Thames"], {"role": "label"}),
                "published": ("unit", [1.0, np.nan, 2.0], {"role": "reference", "units": "mg/l"}),
            },
            {"unit": IDS},
        ),
        "observed": xr.Dataset(
            {"nitrate": (dims, values, {"units": "mg/l"}), "nitrate_censored": (dims, flag)},
            {"time": time, "place": IDS},
        ),
        "network": xr.Dataset(
            {"downstream": ("unit", ["lower", "lower", ""]), "length": ("unit", [4e3, 9e3, np.nan], {"units": "m"})},
            {"unit": IDS},
        ),
    }


def sampled(**changed):
    return sampled_units("made", **{**parts(), **changed})


def test_what_networks_see_and_what_is_sampled():
    domain = sampled()
    assert domain.axis == "time"
    assert domain.variables == ["nitrate"]
    assert domain.inputs == ["elevation"]
    assert domain.place_units.tolist() == [0, 1, 2]
    assert domain.places.latitude.values.tolist() == [51.7, 51.8, 51.5]
    assert list(domain.river.downstream) == [2, 2, -1]
    assert np.argwhere(domain.censored("nitrate")).tolist() == [[7, 1]]


def test_the_order_of_a_network_does_not_matter():
    domain = sampled(network=parts()["network"].isel(unit=[2, 1, 0]))
    assert domain.catchment_units.toarray().tolist() == [[1, 0, 0], [0, 1, 0], [1, 1, 1]]


def test_a_variable_without_flags_is_never_censored():
    assert not sampled(observed=parts()["observed"].drop_vars("nitrate_censored")).censored("nitrate").any()


def test_sampled_units_survive_the_disk(tmp_path):
    for domain in (sampled(), sampled(network=None)):
        write_netcdf(domain.to_tree(), tmp_path / "domain.nc", provenance())
        back = read_domain(tmp_path / "domain.nc")
        assert back.name == "made"
        for group in GROUPS:
            if getattr(domain, group) is None:
                assert getattr(back, group) is None
            else:
                xr.testing.assert_identical(getattr(back, group), getattr(domain, group))


def test_a_file_that_lacks_a_group_is_refused(tmp_path):
    tree = sampled().to_tree()
    del tree["observed"]
    write_netcdf(tree, tmp_path / "domain.nc", provenance())
    with pytest.raises(DataError, match=r"domain.nc: group 'observed' is missing"):
        read_domain(tmp_path / "domain.nc")


def test_curves_march_along_points():
    groups = {name: group.drop_vars("time") for name, group in parts().items() if name in ("forcing", "observed")}
    renamed = {name: group.rename(time="point").assign_coords(point=np.arange(30)) for name, group in groups.items()}
    domain = sampled(**renamed, network=None)
    assert domain.axis == domain.step == "point"
    assert domain.step_days == 1


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
        (changed("observed", "nitrate", (), np.nan), "'nitrate' has no value"),
        (changed("observed", "nitrate_censored", (1, 0), 1), r"set at position \(1, 0\), where 'nitrate' has no value"),
        (without_unit("forcing", "air_temperature"), "'air_temperature' has no unit"),
        (without_unit("observed", "nitrate"), "'nitrate' has no unit"),
        (without_unit("attributes", "elevation"), "'elevation' has no unit"),
        (without_unit("network", "length"), "'length' has no unit"),
        ({"observed": parts(days=29)["observed"]}, "its times are not those of the forcing"),
        ({"attributes": parts()["attributes"].isel(unit=[1, 0, 2])}, "attributes: its units are not those"),
        ({"network": parts()["network"].drop_vars("length")}, "'length' is missing"),
        ({"observed": parts()["observed"].transpose("place", "time")}, "has dimensions"),
    ],
)
def test_what_cannot_be_is_refused_by_name(change, message):
    with pytest.raises(DataError, match=message):
        sampled(**change)


@pytest.mark.parametrize(("group", "dimension"), [("forcing", "unit"), ("places", "place")])
def test_an_id_that_is_there_twice_is_refused(domain, group, dimension):
    ids = getattr(domain, group)[dimension].values.copy()
    ids[1] = ids[0]
    with pytest.raises(DataError, match=f"synthetic/{group}: {dimension} '{ids[0]}' appears twice"):
        rebuilt(domain, **{group: getattr(domain, group).assign_coords({dimension: ids})})


def test_an_unknown_unit_names_its_variable():
    observed = parts()["observed"]
    observed.nitrate.attrs["units"] = "spoons"
    with pytest.raises(UnitError, match=r"made/observed: variable 'nitrate': unit 'spoons'"):
        sampled(observed=observed)


@pytest.mark.parametrize(
    ("index", "value", "name", "message"),
    [(2, "upper", "downstream", "cycle"), (0, "sea", "downstream", "'sea'"), (1, 0.0, "length", "'side' has length 0")],
)
def test_a_network_that_cannot_be_is_refused(index, value, name, message):
    with pytest.raises(NetworkError, match=message):
        sampled(**changed("network", name, index, value))


# Dates, and what is estimated


@pytest.mark.parametrize(
    ("days", "message"),
    [
        ([0, 1, 1, 2], "repeats after 2000-01-02"),
        ([0, 2, 1], "leaves a gap after 2000-01-01"),
        ([3, 2], "goes back after 2000-01-04"),
    ],
)
def test_dates_out_of_order(days, message):
    with pytest.raises(DataError, match=message):
        check_dates(pd.Timestamp("2000-01-01") + pd.to_timedelta(days, "D"), "file.csv")


@pytest.mark.parametrize("method", METHODS)
def test_potential_evapotranspiration_is_of_the_right_size(method):
    time = pd.date_range("2001-01-01", "2001-12-31")
    mean = 12 - 10 * np.cos(2 * np.pi * (np.arange(365) - 20) / 365)[:, None]
    result = potential_evapotranspiration(method, time, np.array([40.0]), mean, mean - 6, mean + 6)
    assert 500 < result.sum() < 1300
    assert result[180:200].mean() > 4 * result[:20].mean()


def test_hargreaves_anchor():
    """Allen et al. (1998), FAO-56 example 20 (Lyon, 45.72 N, July, 26.6 and 14.8 degC): about 5.0 mm/day."""
    result = potential_evapotranspiration(
        "hargreaves",
        pd.DatetimeIndex(["2001-07-15"]),
        np.array([45.72]),
        np.array([[20.7]]),
        np.array([[14.8]]),
        np.array([[26.6]]),
    )
    assert result[0, 0] == pytest.approx(5.0, abs=0.25)


def test_hargreaves_without_extremes_says_what_to_use():
    with pytest.raises(DataError, match="use 'oudin' or 'hamon'"):
        potential_evapotranspiration("hargreaves", pd.DatetimeIndex(["2001-07-15"]), np.array([45.0]), np.ones((1, 1)))


@pytest.mark.parametrize("step", ["h", "MS", "2D"])
def test_a_reader_of_days_refuses_other_steps(step):
    time = pd.date_range("2000-01-01", periods=30, freq=step)
    with pytest.raises(DataError, match="expected a day; use a series with a step of one day"):
        check_dates(time, "file.csv")
    if step != "2D":
        check_dates(time, "file.csv", step=None)
