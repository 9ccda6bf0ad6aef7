"""Loads of nitrate down a network of sampled places."""

import numpy as np
import pytest
import xarray as xr

from conftest import make_sites
from thalweg.analysis.loads import loads
from thalweg.basin.domain import sampled_units


def on_a_river():
    """Sites s0 to s5 on one river: s0 and s1 join in s2, s2 and s3 in s4, which drains to s5."""
    sites = make_sites()
    network = xr.Dataset(
        {
            "downstream": ("unit", ["s2", "s2", "s4", "s4", "s5", ""]),
            "length": ("unit", [5e3, 8e3, 20e3, 1e3, 30e3, np.nan], {"units": "m"}),
        },
        coords={"unit": sites.unit_ids},
    )
    return sampled_units(sites.name, sites.forcing, sites.attributes, sites.observed, network)


def test_loads_balance_down_the_network():
    sites = on_a_river()
    nitrate = np.full(sites.forcing.discharge.shape, 5.0)
    width = {"width_coefficient": np.full(6, 8.0), "width_exponent": np.full(6, 0.4)}
    free = loads(sites, nitrate, {"uptake_velocity": np.zeros(6), **width}).set_index("place")
    expected = 5.0 * sites.forcing.discharge.values.mean(0) * 86.4 * 0.36525
    np.testing.assert_allclose(free.load, expected)
    np.testing.assert_allclose(free.arriving["s4"], expected[2] + expected[3])
    np.testing.assert_allclose(free.uptake, 0, atol=1e-6 * expected.max())
    np.testing.assert_allclose(free.delivered_share, 1)
    taken = loads(sites, nitrate, {"uptake_velocity": np.full(6, 0.1), **width}).set_index("place")
    width_of_s0 = 8.0 * sites.forcing.discharge.values[:, 0].mean() ** 0.4
    exponent = 0.1 * width_of_s0 * 5e3 / (86400 * sites.forcing.discharge.values[:, 0].mean())
    assert taken.uptake_share["s0"] == pytest.approx(1 - np.exp(-exponent), rel=1e-6)
    assert (taken.uptake[:-1] > 0).all() and taken.uptake["s5"] == pytest.approx(0, abs=1e-6)
    arriving = (taken.load - taken.uptake).groupby(taken.downstream).sum()
    np.testing.assert_allclose(taken.arriving["s4"], arriving["s4"])
    np.testing.assert_allclose(taken.load, taken.arriving + taken.gained)
    assert taken.delivered_share["s0"] < taken.delivered_share["s2"] < taken.delivered_share["s4"] < 1


def test_loads_pass_through_a_site_that_was_not_simulated():
    sites = on_a_river()
    nitrate = np.full(sites.forcing.discharge.shape, 5.0)
    nitrate[:, 2] = np.nan
    parameters = {
        "uptake_velocity": np.zeros(6),
        "width_coefficient": np.full(6, 8.0),
        "width_exponent": np.full(6, 0.4),
    }
    table = loads(sites, nitrate, parameters).set_index("place")
    assert "s2" not in table.index
    assert table.arriving["s4"] == pytest.approx(table.load["s0"] + table.load["s1"] + table.load["s3"])
    assert (table.delivered_share == 1).all()


def test_loads_need_a_network(sites):
    with pytest.raises(ValueError, match="are on no network"):
        loads(sites, sites.forcing.discharge.values, {})
