"""Splits: everyone is tested once, and nested gauges never straddle training and test."""

import numpy as np
import pytest

from conftest import make_domain
from thalweg.study.settings import Split
from thalweg.study.splits import make_splits

PERIOD = ("2000-01-01", "2000-12-31")


def split_of(kind, folds, **other):
    return Split(kind=kind, train=PERIOD, test=PERIOD, folds=folds, **other)


@pytest.fixture(scope="module")
def nested():
    return make_domain(units=60, gauges=30)


@pytest.mark.parametrize("kind", ["ungauged_basins", "ungauged_regions"])
def test_nested_gauges_never_straddle(nested, kind):
    table = make_splits(nested, split_of(kind, 3))
    units = nested.gauge_units.toarray() > 0
    for _, fold in table.groupby("fold"):
        fold = fold.set_index("gauge").loc[nested.gauge_ids]
        learns = (fold.train | fold.validation).values
        shared = units[learns][:, None, :] & units[fold.test.values][None]
        assert not shared.any()
        assert not (fold.train & fold.test).any()
        assert not (fold.train & fold.validation).any()
        left_out = ~(learns | fold.test.values)
        assert (fold.reason[left_out] != "").all()
    assert (table.groupby("gauge").test.sum() <= 1).all()
    assert table.reason.str.startswith("left out").any()


def test_every_gauge_belongs_to_one_fold(nested):
    table = make_splits(nested, split_of("ungauged_basins", 5))
    inside = table.reason.str.startswith("left out of the test")
    assert ((table.test | inside).groupby(table.gauge).sum() == 1).all()


def test_regions_are_farther_from_their_training_gauges_than_random_folds(nested):
    basins = make_splits(nested, split_of("ungauged_basins", 3))
    regions = make_splits(nested, split_of("ungauged_regions", 3))
    assert regions[regions.test].nearest_training_km.median() > basins[basins.test].nearest_training_km.median()


def test_the_split_is_the_same_every_time(nested):
    first, second = (make_splits(nested, split_of("ungauged_basins", 3)) for _ in range(2))
    assert first.equals(second)


def test_temporal_trains_and_tests_the_same_gauges(nested):
    split = Split(kind="temporal", train=PERIOD, test=("2001-01-01", "2001-05-01"), validation_share=0.2)
    table = make_splits(nested, split)
    assert table.test.all()
    assert (table.train | table.validation).all()
    assert table.validation.sum() == 6


def test_a_gauge_below_a_diversion_is_tested_but_does_not_train(nested):
    gauges = nested.gauges.copy(deep=True)
    gauges.discharge.values[0] *= 0.01
    diverted = type(nested)(nested.name, nested.forcing, nested.attributes, nested.network, gauges)
    row = make_splits(diverted, split_of("ungauged_regions", 2)).query("gauge == 'g0'")
    assert not (row.train | row.validation).any()
    assert row.test.any()
    assert row.reason.str.contains("potential evapotranspiration").any()


def test_distances_to_training_gauges_are_zero_for_training_gauges(nested):
    table = make_splits(nested, split_of("ungauged_basins", 3))
    assert (table[table.train].nearest_training_km == 0).all()
    assert np.isfinite(table.nearest_training_km).all()


def test_inner_gauges_are_tested_by_a_model_of_the_last_gauges_downstream(nested):
    table = make_splits(nested, split_of("inner_gauges", 1)).set_index("gauge").loc[nested.gauge_ids]
    units = nested.gauge_units.toarray() > 0
    learns = (table.train | table.validation).values
    for position in np.flatnonzero(table.test.values):
        holds = (units & units[position]).sum(1) == units[position].sum()
        larger = holds & (units.sum(1) > units[position].sum())
        assert larger[learns].any(), "a tested gauge lies upstream of one that trains"
    assert not (learns & table.test.values).any()
