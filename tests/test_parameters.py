"""Attribution: planted relations are found, null ones are not, and stability is what it is by hand."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy.stats import spearmanr

from conftest import make_domain
from thalweg.analysis.parameters import (
    attribute,
    attribute_all,
    familywise_null,
    intraclass_correlation,
    mean_rank_correlation,
    rank_correlations,
)
from thalweg.experiments.splits import make_splits
from thalweg.figures import parameter_correlations as figure
from thalweg.settings.blocks import PhysicsJob, ProcessModel, Split, Training, TrainingJob

TRAINING = Training()
HBV = TrainingJob(
    model=ProcessModel(label="", components=1, hidden=8),
    training=TRAINING,
    seeds=[0, 1, 2],
    validation_share=0.2,
    device="cpu",
)
PERIODS = {"train": ("2000-01-01", "2000-12-31"), "test": ("2001-01-01", "2001-05-14")}


@pytest.fixture(scope="module")
def domain():
    domain = make_domain(units=60, gauges=20)
    generator = np.random.default_rng(5)
    land = {"forest": ("unit", generator.random(60), {"units": "dimensionless"})}
    domain.attributes.update(xr.Dataset(land | {"flat": ("unit", np.ones(60), {"units": "dimensionless"})}))
    return domain


@pytest.fixture(scope="module")
def splits(domain):
    return make_splits(domain, Split(kind="temporal", **PERIODS))


def learned(domain, seed, noise=0.05, folds=1):
    """Three seeds: CFMAX falls with forest, FC follows nothing but is the same for all seeds, TT is noise."""
    generator = np.random.default_rng(seed)
    shape = (folds, 3, len(domain.unit_ids))
    forest = domain.attributes.forest.values
    values = {
        "CFMAX": 5 - 2 * forest + noise * generator.normal(size=shape),
        "FC": 300
        + np.broadcast_to(50 * generator.normal(size=shape[-1]), shape)
        + noise * generator.normal(size=shape),
        "TT": generator.normal(size=shape),
    }
    return xr.Dataset(
        {name: (("fold", "seed", "unit"), v) for name, v in values.items()}
        | {"volume_in": (("fold", "seed"), np.ones(shape[:2]))},
        coords={"fold": range(folds), "seed": [0, 1, 2], "unit": domain.unit_ids},
    )


def test_rank_correlations_are_those_of_scipy_with_ties():
    generator = np.random.default_rng(0)
    first, second = generator.integers(0, 5, (40, 3)).astype(float), generator.normal(size=(40, 2))
    expected = [[spearmanr(a, b).statistic for b in second.T] for a in first.T]
    assert rank_correlations(first, second) == pytest.approx(np.array(expected))
    assert rank_correlations(np.ones((40, 1)), second) == pytest.approx(0)


def test_icc_by_hand():
    """Shrout & Fleiss's own table: six targets, four judges, ICC(1,1) of 0.17."""
    ratings = np.array([[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]], float)
    assert intraclass_correlation(ratings) == pytest.approx(0.17, abs=0.005)
    assert intraclass_correlation(np.tile(np.arange(6.0)[:, None], 3)) == pytest.approx(1)
    assert np.isnan(intraclass_correlation(ratings[:, :1]))
    noise = np.random.default_rng(0).normal(size=(4000, 3))
    assert intraclass_correlation(noise) == pytest.approx(0, abs=0.03)


def test_rank_correlation_between_seeds():
    ranks = np.arange(10.0)
    assert mean_rank_correlation(np.stack([ranks, 2 * ranks, ranks**3], axis=1)) == pytest.approx(1)
    assert mean_rank_correlation(np.stack([ranks, -ranks], axis=1)) == pytest.approx(-1)
    assert np.isnan(mean_rank_correlation(ranks[:, None]))


def test_random_parameters_stay_within_the_null():
    """The familywise p of the strongest pair is below 0.05 in about one of twenty families, not in most."""
    found = 0
    for seed in range(60):
        generator = np.random.default_rng(seed)
        first, second = generator.normal(size=(50, 8)), generator.normal(size=(50, 12))
        strongest = np.abs(rank_correlations(first, second)).max()
        found += np.mean(familywise_null(first, second, 99, seed) >= strongest) < 0.05
    assert found <= 9


def test_a_planted_relation_is_found_and_nothing_else(domain, splits):
    table, stabilities = attribute(domain, splits, HBV, learned(domain, 0), 200)
    assert set(table.parameter) == {"CFMAX", "FC", "TT"}
    assert "flat" not in set(table.attribute)
    assert not {"latitude", "longitude"} & set(table.attribute)
    assert {"forest", "elevation", "aridity", "snow_share"} <= set(table.attribute)
    pair = table[(table.parameter == "CFMAX") & (table.attribute == "forest")].iloc[0]
    assert pair.correlation < -0.9
    assert pair.p_familywise == pytest.approx(1 / 201)
    assert pair.expected == -1
    assert (table[table.parameter != "CFMAX"].p_familywise > 0.05).all()
    drained = len(np.unique(domain.catchment_weights.indices))
    assert (table.units == drained).all()
    icc = table.groupby("parameter").icc_seeds.first()
    assert icc["FC"] > 0.99
    assert abs(icc["TT"]) < 0.3
    stability = stabilities["seeds"]
    assert stability["effect"] == pytest.approx(icc.median())
    assert stability["low"] <= stability["effect"] <= stability["high"]
    assert table.icc_folds.isna().all(), "one fold"
    assert list(stabilities) == ["seeds"]


def test_folds_are_raters_too(domain, splits):
    table, stabilities = attribute(domain, splits, HBV, learned(domain, 0, folds=2), 20)
    icc = table.groupby("parameter").icc_folds.first()
    assert icc["FC"] > 0.99
    assert icc["TT"] < 0.5
    assert stabilities["folds"]["effect"] == pytest.approx(icc.median())
    assert stabilities["folds"]["low"] <= icc.median() <= stabilities["folds"]["high"]


def test_evidence_counts_hypotheses_that_are_met(domain, splits):
    job = PhysicsJob(models={"met": HBV, "missed": HBV}, bootstrap_samples=100)
    wrong = learned(domain, 1)
    wrong["CFMAX"] = 10 - wrong.CFMAX
    table, rows = attribute_all(domain, splits, job, {"met": learned(domain, 0), "missed": wrong})
    assert set(table.model) == {"met", "missed"}
    effects = pd.DataFrame(rows).set_index(["model", "quantity"]).effect
    assert effects["met", "parameter_as_expected"] == 1
    assert effects["missed", "parameter_as_expected"] == 0
    assert effects["met", "parameter_stability_seeds"] > 0.9


def test_parameters_of_sampled_places_are_held_against_their_own_attributes(sites):
    """Of sampled places the units are the places'; known parameters are not results, and no climate is computed from their forcing."""
    job = HBV.model_copy(update={"training": Training(climate_attributes=False), "variables": {"nitrate": 1.0}})
    clay = sites.attributes.clay.values
    rate = xr.DataArray(np.broadcast_to(1 - clay, (2, 3, len(clay))), dims=("fold", "seed", "unit"))
    values = xr.Dataset({"rate": rate, "elevation": rate.assign_attrs(known=1)}, coords={"unit": sites.unit_ids})
    table, stabilities = attribute(sites, pd.DataFrame({"fold": [0]}), job, values, 50)
    assert set(table.parameter) == {"rate"} and set(table.attribute) == {"clay", "mean_discharge"}
    assert table.set_index("attribute").correlation["clay"] == pytest.approx(-1)
    assert (table.units == len(clay)).all() and set(stabilities) == {"seeds", "folds"}


def test_one_seed_has_no_stability(domain, splits):
    job = PhysicsJob(models={"hbv": HBV}, bootstrap_samples=20)
    _, rows = attribute_all(domain, splits, job, {"hbv": learned(domain, 0).isel(seed=[0])})
    assert [row["quantity"] for row in rows] == ["parameter_as_expected"]


def test_the_figure_frames_hypotheses_and_marks_what_is_beyond_chance(domain, splits, tmp_path):
    table, _ = attribute(domain, splits, HBV, learned(domain, 0), 100)
    table.assign(model="hbv").to_csv(tmp_path / "attribution.csv", index=False)
    drawn = figure.draw(tmp_path / "attribution.csv", labels={"hbv": "HBV"})
    heat, bars = drawn.axes[:2]
    assert heat.get_title(loc="left") == f"(a) HBV, {table.units[0]} units"
    assert len(heat.lines) == (table.p_familywise < 0.05).sum()
    assert [frame.get_linestyle() for frame in heat.patches] == ["-"], "CFMAX and forest, as expected"
    assert [bar.get_width() for bar in bars.patches] == pytest.approx(
        list(table.groupby("parameter", sort=False).icc_seeds.first())
    )
    with pytest.raises(ValueError, match="there are hbv"):
        figure.draw(tmp_path / "attribution.csv", models=["lstm"])


def test_the_figure_has_bars_of_seeds_and_circles_of_folds(domain, splits, tmp_path):
    table, _ = attribute(domain, splits, HBV, learned(domain, 0, folds=2), 20)
    table.assign(model="hbv").to_csv(tmp_path / "attribution.csv", index=False)
    bars = figure.draw(tmp_path / "attribution.csv").axes[1]
    by_parameter = table.groupby("parameter", sort=False)
    assert [bar.get_width() for bar in bars.patches] == pytest.approx(list(by_parameter.icc_seeds.first()))
    assert list(bars.lines[0].get_xdata()) == pytest.approx(list(by_parameter.icc_folds.first()))
    assert bars.get_xlabel() == "ICC [dimensionless]\nbars: seeds\ncircles: folds"
