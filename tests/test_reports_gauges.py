"""Places and gauges as people have them: on a sphere, without observations, dry, negative; tables are in test_reports."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr

from conftest import make_domain
from thalweg.basin.domain import DataError
from thalweg.basin.places import great_circle, positions, unit_vectors
from thalweg.datasets import own_sites
from thalweg.evaluation.blocks import blocks_of
from thalweg.experiments.baselines import seasonal_cycle
from thalweg.experiments.run import make_task
from thalweg.experiments.splits import make_splits
from thalweg.learn.losses.log_likelihood import log_likelihood
from thalweg.learn.train import TrainingError, train
from thalweg.settings.blocks import Split, TrainingJob

# Places on a sphere


def placed(domain, latitude, longitude):
    there = {
        name: ("place", values, {"units": "degree"})
        for name, values in (("latitude", latitude), ("longitude", longitude))
    }
    return replace(domain, places=domain.places.assign(there))


@pytest.fixture(scope="module")
def gauges():
    return make_domain(units=9, days=366, gauges=8, seed=3).lumped()


YEAR = ("2000-01-01", "2000-12-31")


def regions(domain, folds=2):
    split = Split(kind="ungauged_regions", folds=folds, train=YEAR, test=YEAR, validation="none")
    table = make_splits(domain, split)
    return table[table.test].set_index("place").fold.loc[domain.place_ids].tolist(), table.nearest_training_km.tolist()


EAST = np.array([-0.2, -0.15, -0.1, -0.05, 0.55, 0.6, 0.65, 0.7])
NORTH = np.full(8, -17.0)


@pytest.mark.parametrize("middle", [180.0, -180.0, 0.0, 360.0, 179.9])
def test_regions_and_distances_do_not_know_the_date_line(gauges, middle):
    plain = regions(placed(gauges, NORTH, 40 + EAST))
    assert plain[0] in ([0] * 4 + [1] * 4, [1] * 4 + [0] * 4)
    for east in ((middle + EAST + 180) % 360 - 180, (middle + EAST) % 360):
        folds, distance = regions(placed(gauges, NORTH, east))
        assert folds == plain[0]
        np.testing.assert_allclose(distance, plain[1], atol=0.1)


def test_regions_near_a_pole_are_those_of_places_near_each_other(gauges):
    longitude = np.array([0, 90, 180, 270, 0, 1, 2, 3.0])
    latitude = np.array([89.9, 89.9, 89.9, 89.9, 75, 75, 75, 75])
    assert regions(placed(gauges, latitude, longitude))[0] in ([0] * 4 + [1] * 4, [1] * 4 + [0] * 4)


def test_distances_are_along_the_sphere():
    here, there = unit_vectors([60.0, 60.0, 0.0, 90.0], [0.0, 1.0, 0.0, 7.0]), unit_vectors([60.0], [0.0])
    np.testing.assert_allclose(great_circle(here, there), [0, 55.597, 6671.7, 3335.8], rtol=1e-4)
    assert great_circle(unit_vectors(0, 0), unit_vectors(0, 180)) == pytest.approx(np.pi * 6371)


def test_places_at_one_point_form_one_block_and_no_regions(gauges):
    one = placed(gauges, np.full(8, 10.0), np.array([0, 360, 0, 360, 0, 0, 0, 0.0]))
    assert len(set(blocks_of(one.places))) == 1
    with pytest.raises(DataError, match="the places, at 1 positions, do not form 2 regions; use fewer folds"):
        regions(one)
    single = one.places.isel(place=[0])
    assert len(blocks_of(single)) == 1
    assert np.isfinite(positions(single)).all()


def test_a_place_without_coordinates_is_named(gauges):
    longitude = np.where(np.arange(8) == 3, np.nan, 10.0 + np.arange(8))
    with pytest.raises(
        DataError, match=f"place '{gauges.place_ids[3]}' has no latitude or longitude; add them, or drop it"
    ):
        regions(placed(gauges, np.full(8, 10.0), longitude))


def test_blocks_do_not_know_the_date_line(gauges):
    generator = np.random.default_rng(2)
    latitude, longitude = generator.uniform(-3, 3, 90), generator.uniform(-3, 3, 90)

    def blocks(middle):
        east = (middle + longitude + 180) % 360 - 180
        return blocks_of(xr.Dataset({"latitude": ("place", latitude), "longitude": ("place", east)}))

    plain = blocks(20.0)
    assert len(set(plain)) == 6
    np.testing.assert_array_equal(blocks(180.0), plain)


# Gauges that cannot train


def observed(domain, change):
    values = domain.observed.discharge.values.copy()
    change(values)
    return replace(domain, observed=domain.observed.assign(discharge=domain.observed.discharge.copy(data=values)))


@pytest.fixture(scope="module")
def three():
    return make_domain(units=9, days=800, gauges=3, seed=1).lumped()


EARLY, LATE = ("2000-01-01", "2000-12-31"), ("2001-01-01", "2001-12-31")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (
            lambda values: values.__setitem__((slice(0, 366), 0), np.nan),
            "no value of 'discharge' in the training period",
        ),
        (lambda values: values.__setitem__((slice(0, 366), 0), 3.0), "'discharge' is constant in the training period"),
        (
            lambda values: values.__setitem__((slice(1, 366), 0), np.nan),
            "'discharge' is constant in the training period",
        ),
    ],
    ids=["began later", "constant", "one day"],
)
@pytest.mark.parametrize("validation", ["places", "period", "none"])
def test_a_gauge_that_cannot_train_is_tested_like_any_other(three, change, reason, validation):
    domain = observed(three, change)
    table = make_splits(domain, Split(kind="temporal", train=EARLY, test=LATE, validation=validation)).set_index(
        "place"
    )
    assert table.test.all()
    assert not table.train[domain.place_ids[0]] and not table.validation[domain.place_ids[0]]
    assert table.reason[domain.place_ids[0]] == f"left out of training: {reason}"
    assert (table.train | table.validation).sum() == 2


JOB = {
    "model": {"kind": "sequence", "label": "l", "hidden": 4},
    "training": {"steps": 5, "window": "60 days", "spin_up": "10 days", "validate_every": 5},
    "variables": {"discharge": 1.0},
    "seeds": [0],
    "validation_share": 0.15,
    "device": "cpu",
}


def job(**changed):
    return TrainingJob(**JOB | changed)


@pytest.mark.parametrize("loss", ["nse_batch", "kge", "nse_kge", "rmse_combination", "log_likelihood"])
def test_no_deviation_that_is_not_a_number_reaches_a_loss(three, loss):
    domain = observed(three, lambda values: values.__setitem__((slice(0, 366), 0), np.nan))
    domain = observed(domain, lambda values: np.maximum(values, 0.01, out=values))
    split = make_splits(domain, Split(kind="temporal", train=EARLY, test=LATE, validation="period"))
    split["train"] = True  # as a table of earlier versions has it
    task, _ = make_task(domain, split, job(training=JOB["training"] | {"loss": loss}))
    assert torch.isfinite(task.deviation["discharge"]).all()
    assert (task.deviation["discharge"] > 0).all()
    runoff = torch.rand(task.observed["discharge"].shape)
    assert torch.isfinite(task.loss(loss, {"discharge": runoff}, 0, torch.arange(3)))


def test_a_task_with_such_a_deviation_names_the_place(three):
    split = make_splits(three, Split(kind="temporal", train=EARLY, test=LATE, validation="period"))
    task, _ = make_task(three, split, job())
    with pytest.raises(
        TrainingError, match=f"'discharge' at place '{three.place_ids[1]}' has the standard deviation nan"
    ):
        replace(task, deviation={"discharge": torch.tensor([1.0, np.nan, 1.0])})


def test_a_loss_that_is_not_finite_at_one_place_names_it(three, tmp_path):
    split = make_splits(three, Split(kind="temporal", train=EARLY, test=LATE, validation="period"))
    settings = job(training=JOB["training"] | {"steps": 40})
    task, _ = make_task(three, split, settings)
    task.observed["discharge"][:, 1] = np.inf

    class Model(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.level = torch.nn.Parameter(torch.ones(3))

        def forward(self, window):
            return {"discharge": self.level.expand(window.sequence.shape[0] - window.spin_up, 3)}

    with pytest.raises(TrainingError) as raised:
        train(Model, task, settings.training, 0, tmp_path / "c.safetensors", label="run")
    text = str(raised.value)
    assert f"loss inf at place '{three.place_ids[1]}' and gradient norm" in text
    assert text.endswith("correct the forcing, attributes and observations there, or leave it out")


def test_the_only_gauge_cannot_validate(three):
    one = observed(three, lambda values: values.__setitem__((slice(0, 366), slice(0, 2)), np.nan))
    with pytest.raises(DataError) as raised:
        make_splits(one, Split(kind="temporal", train=EARLY, test=LATE))
    assert str(raised.value) == (
        f"{one.name}: fold 0 of temporal has one place to train, '{one.place_ids[2]}', and validation by places would take it; set "
        "validation to period or none"
    )
    assert make_splits(one, Split(kind="temporal", train=EARLY, test=LATE, validation="none")).train.sum() == 1


def test_extremes_of_few_years_say_so(three):
    with pytest.raises(
        DataError, match=r"3 left out: fewer than 10 water years with 330 days of discharge.*; change the periods"
    ):
        make_splits(three, Split(kind="extremes", train=EARLY, test=EARLY, validation="none"))


def test_a_differential_split_needs_two_water_years(three):
    with pytest.raises(DataError, match=r"has 0 whole water years .* divides at least 2; lengthen the period"):
        make_splits(three, Split(kind="differential", train=EARLY, test=EARLY, train_on="wet", validation="none"))


def test_validation_days_without_observations_are_named(three):
    domain = observed(three, lambda values: values.__setitem__((slice(300, 366), slice(None)), np.nan))
    split = make_splits(domain, Split(kind="temporal", train=EARLY, test=LATE, validation="period"))
    with pytest.raises(
        DataError, match=r"discharge was not observed at any validation place from 2000-11-07 to 2000-12-31"
    ):
        make_task(domain, split, job())


def test_infinite_observations_are_no_domain(three):
    with pytest.raises(DataError, match="variable 'discharge' is inf"):
        observed(three, lambda values: values.__setitem__((5, 1), np.inf))


# Variables that may be zero or negative


@pytest.mark.parametrize("loss", ["log_likelihood"])
def test_zeros_under_a_logarithmic_loss_are_named(three, loss):
    domain = observed(three, lambda values: np.maximum(values, 0.01, out=values).__setitem__((20, 1), 0.0))
    split = make_splits(domain, Split(kind="temporal", train=EARLY, test=LATE, validation="period"))
    with pytest.raises(DataError) as raised:
        make_task(domain, split, job(training=JOB["training"] | {"loss": loss}))
    assert str(raised.value) == (
        f"{domain.name}/observed: 'discharge' at '{domain.place_ids[1]}' is 0 on 2000-01-21, but training.loss 'log_likelihood' takes "
        "values above 0; use nse_batch, which takes any number, or correct the value"
    )
    assert log_likelihood.takes == "above 0"


@pytest.fixture
def isotopes(tmp_path):
    """Two sites for 400 days, isotopes sampled every tenth; the weir falls dry where ``dry``."""

    def build(dry=False, values=lambda day: -9 + np.sin(2 * np.pi * day / 365.25)):
        time = pd.date_range("2012-01-01", periods=400)
        forcing, samples = (
            ["time,site,discharge [m3/s],season_cosine [dimensionless],season_sine [dimensionless]"],
            ["time,site,d18O [permille]"],
        )
        for i, day in enumerate(time):
            for site in ("mill", "weir"):
                flow = 0 if dry and site == "weir" else 1 + 0.5 * np.sin(i / 9)
                forcing.append(f"{day:%Y-%m-%d},{site},{flow},1,0")
                if i % 10 == 0:
                    samples.append(f"{day:%Y-%m-%d},{site},{values(i):.3f}")
        for name, lines in (
            ("forcing", forcing),
            ("samples", samples),
            ("attributes", ["site,drainage_area [km2]", "mill,9", "weir,8"]),
        ):
            (tmp_path / f"{name}.csv").write_text("\n".join(lines) + "\n")
        return own_sites.build(tmp_path)[0]

    return build


SAMPLED = {
    "kind": "temporal",
    "train": ("2012-01-01", "2012-10-31"),
    "test": ("2012-11-01", "2013-02-03"),
    "variable": "d18O",
}
CURVE = {
    "model": {"kind": "process", "label": "c", "process": "concentration_discharge"},
    "variables": {"d18O": 1.0},
    "training": JOB["training"] | {"loss": "nse_batch", "climate_attributes": False},
}


def test_the_seasonal_cycle_of_isotopes_is_negative(isotopes):
    domain = isotopes()
    splits = make_splits(domain, Split(**SAMPLED, validation="period"))
    cycle = seasonal_cycle(domain, splits, "d18O", 1).variables["d18O"].simulated.values
    time = np.arange(400)
    np.testing.assert_allclose(cycle[0, 0, 0], -9 + np.sin(2 * np.pi * time / 365.25), atol=0.05)


def test_the_seasonal_cycle_of_concentrations_is_never_negative(isotopes):
    domain = isotopes(values=lambda day: max(0.0, -0.5 + np.sin(2 * np.pi * day / 365.25)))
    splits = make_splits(domain, Split(**SAMPLED, validation="period"))
    assert seasonal_cycle(domain, splits, "d18O", 1).variables["d18O"].simulated.values.min() == 0


def test_climate_indices_without_precipitation_say_what_to_set(isotopes):
    domain = isotopes()
    split = make_splits(domain, Split(**SAMPLED, validation="period"))
    with pytest.raises(
        DataError, match=r"climate indices need 'precipitation', which is missing; add it, or set training.climate"
    ):
        make_task(domain, split, job(variables={"d18O": 1.0}))


def test_a_curve_of_logarithms_refuses_isotopes(isotopes):
    domain = isotopes()
    split = make_splits(domain, Split(**SAMPLED, validation="period"))
    with pytest.raises(
        DataError,
        match=r"'d18O' at 'mill' is -9 on 2012-01-01, but process 'concentration_discharge' takes values at least 0",
    ):
        make_task(domain, split, job(**CURVE))


def test_a_dry_site_is_named_where_the_process_needs_its_mean_discharge(isotopes):
    domain = isotopes(dry=True, values=lambda day: 5 + np.sin(day))
    split = make_splits(domain, Split(**SAMPLED, validation="period"))
    with pytest.raises(
        DataError,
        match=r"'mean_discharge' of 'weir' is 0, but process concentration_discharge of d18O needs it above 0; leave",
    ):
        make_task(domain, split, job(**CURVE))


def test_samples_that_are_all_zero_have_no_curve(isotopes):
    domain = isotopes(values=lambda day: 0.0)
    split = make_splits(domain, Split(**SAMPLED, validation="period"))
    with pytest.raises(DataError, match="'d18O' is 0 at all training places"):
        make_task(domain, split, job(**CURVE))
