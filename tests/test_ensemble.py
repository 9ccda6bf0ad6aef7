"""Ensembles: every member counts once, whatever its number of seeds."""

import numpy as np
import pytest
import xarray as xr

from thalweg.experiments.ensemble import ensemble


def member(values, model="m", days=3):
    """A simulation of one fold and place with a seed for each value."""
    simulated = np.broadcast_to(np.asarray(values, float)[None, :, None, None], (1, len(values), 1, days)).copy()
    return xr.Dataset(
        {
            "simulated": (("fold", "seed", "place", "time"), simulated, {"units": "mm/day"}),
            "observed": (("place", "time"), np.ones((1, days))),
        },
        coords={"fold": [0], "seed": range(len(values)), "place": ["g"], "time": np.arange(days)},
        attrs={"model": model},
    )


def test_members_count_once_whatever_their_number_of_seeds():
    mean = ensemble([member([1.0, 3.0, 5.0]), member([7.0])])
    assert mean.simulated.dims == ("fold", "seed", "place", "time")
    assert mean.seed.values.tolist() == [0]
    np.testing.assert_allclose(mean.simulated, 5.0)
    assert mean.simulated.attrs["units"] == "mm/day"


def test_a_day_that_a_member_does_not_simulate_is_not_simulated():
    part = member([1.0])
    part.simulated[..., 0] = np.nan
    mean = ensemble([part, member([3.0])])
    assert np.isnan(mean.simulated.values[..., 0]).all()
    np.testing.assert_allclose(mean.simulated.values[..., 1:], 2.0)


def test_members_of_other_days_are_refused():
    with pytest.raises(ValueError, match="same folds, places and times"):
        ensemble([member([1.0], "a"), member([1.0], "b", days=4)])
