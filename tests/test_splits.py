"""Splits: everyone is tested once, and nested gauges never straddle training and test."""

from dataclasses import replace

import numpy as np
import pytest

from conftest import make_domain
from thalweg.basin.domain import DataError
from thalweg.experiments.splits import make_splits
from thalweg.metrics.calendar import counted_days, read_splits, water_year
from thalweg.settings.blocks import Split

PERIOD = ("2000-01-01", "2000-12-31")


def split_of(kind, folds, **other):
    return Split(kind=kind, train=PERIOD, test=PERIOD, folds=folds, **other)


@pytest.fixture(scope="module")
def nested():
    return make_domain(units=60, gauges=30)


@pytest.mark.parametrize("kind", ["ungauged_basins", "ungauged_regions"])
def test_nested_gauges_never_straddle(nested, kind):
    table = make_splits(nested, split_of(kind, 3))
    units = nested.catchment_units.toarray() > 0
    for _, fold in table.groupby("fold"):
        fold = fold.set_index("place").loc[nested.place_ids]
        learns = (fold.train | fold.validation).values
        shared = units[learns][:, None, :] & units[fold.test.values][None]
        assert not shared.any()
        assert not (fold.train & fold.test).any()
        assert not (fold.train & fold.validation).any()
        left_out = ~(learns | fold.test.values)
        assert (fold.reason[left_out] != "").all()
    assert (table.groupby("place").test.sum() <= 1).all()
    assert table.reason.str.startswith("left out").any()


def test_every_gauge_belongs_to_one_fold(nested):
    table = make_splits(nested, split_of("ungauged_basins", 5))
    inside = table.reason.str.startswith("left out of the test")
    assert ((table.test | inside).groupby(table.place).sum() == 1).all()


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
    observed = nested.observed.copy(deep=True)
    observed.discharge.values[:, 0] *= 0.01
    diverted = replace(nested, observed=observed)
    row = make_splits(diverted, split_of("ungauged_regions", 2)).query("place == 'g0'")
    assert not (row.train | row.validation).any()
    assert row.test.any()
    assert row.reason.str.contains("potential evapotranspiration").any()


def test_distances_to_training_gauges_are_zero_for_training_gauges(nested):
    table = make_splits(nested, split_of("ungauged_basins", 3))
    assert (table[table.train].nearest_training_km == 0).all()
    assert np.isfinite(table.nearest_training_km).all()


def test_inner_gauges_are_tested_by_a_model_of_the_last_gauges_downstream(nested):
    table = make_splits(nested, split_of("inner_gauges", 1)).set_index("place").loc[nested.place_ids]
    units = nested.catchment_units.toarray() > 0
    learns = (table.train | table.validation).values
    for position in np.flatnonzero(table.test.values):
        holds = (units & units[position]).sum(1) == units[position].sum()
        larger = holds & (units.sum(1) > units[position].sum())
        assert larger[learns].any(), "a tested gauge lies upstream of one that trains"
    assert not (learns & table.test.values).any()


@pytest.fixture(scope="module")
def years():
    """Seven gauges of their own catchments over 12 water years."""
    return make_domain(units=15, days=12 * 366, gauges=7).lumped()


WHOLE = ("2000-10-01", "2011-09-30")


@pytest.mark.parametrize(
    ("train_on", "variable", "greater"), [("wet", "precipitation", True), ("cold", "temperature", False)]
)
def test_a_differential_split_trains_on_one_half_of_each_gauges_years_and_tests_on_the_other(
    years, train_on, variable, greater
):
    split = Split(kind="differential", train=WHOLE, test=WHOLE, train_on=train_on, validation="none")
    table = make_splits(years, split)
    time = years.forcing.time.values
    trains, tests = (counted_days(table, part, time) for part in ("train", "test"))
    assert not (trains & tests).any()
    values = years.forcing[variable].values
    for gauge in range(len(table)):
        there, elsewhere = values[trains[:, gauge], gauge].mean(), values[tests[:, gauge], gauge].mean()
        assert (there > elsewhere) == greater
    assert (trains.sum(0) // 365 == 5).all() and (tests.sum(0) // 365 == 5).all()


def test_extremes_train_below_the_return_period_and_test_above(years):
    split = Split(kind="extremes", train=WHOLE, test=WHOLE, return_period=4, validation="none")
    table = make_splits(years, split)
    time = years.forcing.time.values
    trains, tests = (counted_days(table, part, time) for part in ("train", "test"))
    observed = years.observed_runoff.values.T
    for gauge in np.flatnonzero(table.test.values):
        below, above = (
            [observed[(water_year(time) == year), gauge].max() for year in np.unique(water_year(time)[days[:, gauge]])]
            for days in (trains, tests)
        )
        assert max(below) < min(above)


def test_subsets_of_training_gauges_are_nested_and_tested_alike(nested):
    tables = {
        share: make_splits(
            nested, split_of("ungauged_basins", 3, training_share=share, tested_folds=1, validation="none")
        )
        for share in (0.2, 0.5, 1.0)
    }
    used = {share: set(table.place[table.train]) for share, table in tables.items()}
    assert used[0.2] < used[0.5] < used[1.0]
    assert len(used[0.5]) == round(0.5 * len(used[1.0]))
    assert all(table.test.equals(tables[1.0].test) for table in tables.values())
    assert set(tables[1.0].fold) == {0}


def test_only_the_last_years_of_the_training_period_are_used(years):
    split = Split(
        kind="temporal", train=("2000-10-01", "2008-09-30"), test=("2008-10-01", "2011-09-30"), training_years=2
    )
    table = make_splits(years, split)
    assert set(table.train_start) == {"2006-10-01"}
    assert set(table.train_end) == {"2008-09-30"}


def test_scale_trains_on_small_catchments_and_tests_large_ones(nested):
    area = nested.places.drainage_area.values
    middle = float(np.median(area))
    table = make_splits(
        nested, split_of("scale", 1, train_areas=("0 km2", f"{middle} km2"), test_areas=(f"{middle} km2", "1e9 km2"))
    )
    assert (area[(table.train | table.validation).values] < middle).all()
    assert (area[table.test.values] >= middle).all()


def test_hydrologic_units_are_the_regions(nested):
    numbers = np.resize([1, 3, 4, 9, 8, 14, 17], len(nested.place_ids))
    regions = np.array([f"{number:02d}" for number in numbers])
    domain = replace(nested, places=nested.places.assign(region=("place", regions)))
    table = make_splits(domain, split_of("ungauged_regions", 7, regions="hydrologic_units"))
    for _, fold in table[table.test].groupby("fold"):
        assert len(set(numbers[np.isin(domain.place_ids, fold.place)])) == 1
    with pytest.raises(DataError, match="region"):
        make_splits(nested, split_of("ungauged_regions", 7, regions="hydrologic_units"))


def test_a_split_survives_its_file(years, tmp_path):
    split = Split(kind="differential", train=WHOLE, test=WHOLE, train_on="dry")
    table = make_splits(years, split)
    table.to_csv(tmp_path / "split.csv", index=False)
    assert read_splits(tmp_path / "split.csv").equals(table.astype({"train_years": object, "test_years": object}))


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "differential"},
        {"kind": "scale"},
        {"kind": "temporal", "train_on": "wet"},
        {"kind": "ungauged_basins", "folds": 3, "tested_folds": 4},
        {"kind": "ungauged_regions", "folds": 3, "regions": "hydrologic_units"},
    ],
)
def test_splits_that_cannot_be_are_refused(wrong):
    with pytest.raises(ValueError):
        Split(train=PERIOD, test=PERIOD, **wrong)
