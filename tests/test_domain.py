"""The canonical form: what it refuses, how gauges and units hang together, and that files keep it."""

import numpy as np
import pandas as pd
import pytest

from thalweg.basin.domain import GROUPS, DataError, Domain, check_dates, read_domain
from thalweg.forcing.evapotranspiration import METHODS, potential_evapotranspiration
from thalweg.storage.store import provenance, write_netcdf


def rebuilt(domain, **changes):
    parts = {name: getattr(domain, name) for name in GROUPS}
    return Domain("synthetic", **{**parts, **changes})


def test_round_trip(domain, tmp_path):
    write_netcdf(domain.to_tree(), tmp_path / "domain.nc", provenance())
    back = read_domain(tmp_path / "domain.nc")
    assert back.name == "synthetic"
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
    volume = domain.observed.discharge.values[1] * 86400
    np.testing.assert_allclose(depth / 1000 * domain.places.drainage_area.values[1] * 1e6, volume)


def test_lumping_keeps_the_water(domain):
    lumped = domain.lumped()
    rain = domain.catchment_weights @ domain.forcing.precipitation.values.T
    np.testing.assert_allclose(lumped.forcing.precipitation.values.T, rain)
    np.testing.assert_allclose(lumped.observed_runoff.values, domain.observed_runoff.values)
    np.testing.assert_allclose(lumped.catchment_weights.toarray(), np.eye(4))


def test_units_that_drain_nowhere_belong_to_no_gauge(domain):
    reach = domain.network.unit_reach.values.astype(object).copy()
    reach[0] = ""
    dry = rebuilt(domain, network=domain.network.assign(unit_reach=("unit", reach)))
    with pytest.raises(DataError, match="no unit drains to gauge 'g0'"):
        _ = dry.catchment_weights


def test_a_missing_variable_is_named(domain):
    with pytest.raises(DataError, match=r"synthetic/forcing.*'temperature' is missing"):
        rebuilt(domain, forcing=domain.forcing.drop_vars("temperature"))


def test_a_wrong_unit_is_named(domain):
    forcing = domain.forcing.copy()
    forcing["precipitation"] = forcing.precipitation.assign_attrs(units="inch/day")
    with pytest.raises(DataError, match=r"'precipitation' has unit 'inch/day', expected 'mm/day'"):
        rebuilt(domain, forcing=forcing)


def test_a_negative_discharge_is_named(domain):
    gauges = domain.places.copy(deep=True)
    gauges.discharge.values[2, 7] = -3.5
    with pytest.raises(DataError, match=r"synthetic/gauges.*'discharge' is -3\.5 at position \(2, 7\)"):
        rebuilt(domain, places=gauges)


def test_gaps_are_refused_in_forcing_and_allowed_in_discharge(domain):
    gauges = domain.places.copy(deep=True)
    gauges.discharge.values[0, 0] = np.nan
    rebuilt(domain, places=gauges)
    forcing = domain.forcing.copy(deep=True)
    forcing.temperature.values[3, 1] = np.nan
    with pytest.raises(DataError, match=r"'temperature' is nan at position \(3, 1\)"):
        rebuilt(domain, forcing=forcing)


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
