"""Leaves: what the data must be, fits against scipy, what networks learn, and the study."""

import argparse
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr
from scipy.optimize import least_squares

from conftest import dataset
from thalweg.analysis.leaf import folds_of, parameter_skill, recover, ridge, run_study
from thalweg.basin.domain import DataError, read_domain, sampled_units
from thalweg.cli.steps import leaf as verb
from thalweg.datasets import leaf, leaf_lce
from thalweg.evaluation.score import score
from thalweg.evaluation.statistics import check_skill
from thalweg.experiments.simulation import read_variables
from thalweg.learn.leaf import (
    MEASUREMENT_ERROR,
    PRIOR,
    TYPICAL,
    Curves,
    LeafNetwork,
    curves_of,
    fit,
    misfit,
    train,
)
from thalweg.processes.vegetation.photosynthesis import G1, JMAX_RATIO
from thalweg.settings.leaf import LeafStudy

LCE = Path(os.environ.get("THALWEG_MIRROR", Path(__file__).parents[1] / "../shared/mirror")) / "leaf-lce"
QUICK = LeafStudy(
    kinds=["leaf"], steps=10, folds=3, bootstrap=20, noise=[0], recovery_leaves=30, recovery_steps=5, hidden=4
)


@pytest.fixture(scope="session")
def leaf_folder():
    return dataset("leaf")


def made(curves=6, points=9, seed=0, noise=0.0, conductance=True):
    """Curves whose assimilation and conductance the equations made, from Vcmax25 that rises with an attribute."""
    generator = np.random.default_rng(seed)
    ci = np.linspace(40.0, 1400.0, points)[:, None] * np.ones(curves)
    forcing = {
        "intercellular_co2": ci,
        "co2": 1.3 * ci + 20.0,
        "absorbed_light": np.full_like(ci, 1500.0),
        "leaf_temperature": 25.0 + generator.uniform(-3, 3, (points, curves)),
        "pressure": np.full_like(ci, 100.0),
        "vapour_pressure_deficit": generator.uniform(0.8, 2.0, (points, curves)),
    }
    nitrogen = np.linspace(1.0, 3.0, curves)
    truth = {"Vcmax25": 30.0 * nitrogen, "Jmax25": 55.0 * nitrogen, "Rd25": 0.5 * nitrogen, "g1": 2.0 + nitrogen}
    tensors = {name: torch.as_tensor(values) for name, values in forcing.items()}
    blank = {name: torch.zeros(points, curves).double() for name in MEASUREMENT_ERROR}
    found = Curves(tensors, blank, "C3").predict({name: torch.as_tensor(v) for name, v in truth.items()})
    samples = {name: values.numpy() for name, values in found.items()}
    samples["assimilation"] = samples["assimilation"] + noise * generator.standard_normal(ci.shape)
    if not conductance:
        samples.pop("stomatal_conductance")
    ids = [f"c{i}" for i in range(curves)]
    groups = [
        xr.Dataset(
            {name: (("point", dimension), values, {"units": described[name][0]}) for name, values in group.items()},
            coords={"point": np.arange(points), dimension: ids},
        )
        for group, described, dimension in ((forcing, leaf.FORCING, "unit"), (samples, leaf.OBSERVED, "place"))
    ]
    label = {"role": "label"}
    attributes = xr.Dataset(
        {
            "leaf_nitrogen": ("unit", nitrogen, {"units": "percent"}),
            "pathway": ("unit", ["C3"] * curves, label),
            "species": ("unit", [f"s{i // 2}" for i in range(curves)], label),
        },
        coords={"unit": ids},
    )
    return sampled_units("made", groups[0], attributes, groups[1]), truth


def test_curves_of_the_dataset(leaf_folder):
    domain, table = leaf.build(leaf_folder)
    assert domain.axis == "point"
    assert domain.forcing.sizes == {"point": 180, "unit": 12}
    assert table.points.sum() == 1863
    assert domain.observed.assimilation.notnull().sum() == 1863
    assert (domain.attributes.kind == "A-Ci").sum() == 11
    assert domain.inputs == ["mean_leaf_temperature"]
    short = domain.forcing.sel(unit="curve 118").intercellular_co2.values
    assert (short[6:] == short[5]).all()


def test_conductance_of_the_dataset(leaf_folder):
    domain, table = leaf.build(leaf_folder, "stomatal_conductance")
    assert len(domain.place_ids) == 14
    assert table.left_out.sum() == 1
    assert (domain.observed.stomatal_conductance.values[domain.observed.stomatal_conductance.notnull()] > 0).all()
    assert "400" in domain.forcing.co2.attrs["estimate"]


def test_an_impossible_value_is_an_error_that_names_it(leaf_folder, tmp_path):
    folder = tmp_path / leaf.FOLDER
    shutil.copytree(leaf_folder / leaf.FOLDER, folder)
    table = pd.read_csv(folder / leaf.CURVES)
    table.loc[3, "Tleaf"] = 298.1
    table.to_csv(folder / leaf.CURVES, index=False)
    with pytest.raises(DataError, match=r"curve 5: variable 'leaf_temperature' is 298\.1"):
        leaf.build(tmp_path)
    table.drop(columns="Ci").to_csv(folder / leaf.CURVES, index=False)
    with pytest.raises(DataError, match="variable 'Ci' is missing"):
        leaf.build(tmp_path)


def test_short_curves_and_impossible_points_are_counted():
    table = pd.DataFrame({"curve": ["a"] * 6 + ["b"] * 5, "assimilation": [1.0] * 11})
    possible = pd.Series([False] + [True] * 5 + [False] + [True] * 4)
    curves, kept = leaf.select(table, possible, "here", "no good")
    assert list(curves) == ["a"]
    assert kept.points.tolist() == [5, 4]
    assert kept.left_out.tolist() == [1, 1]
    assert kept.used.tolist() == [True, False]
    assert kept.reason.tolist() == ["no good", "fewer than 5 points"]


@pytest.mark.skipif(not LCE.exists(), reason="needs leaf-lce in the folder that THALWEG_MIRROR names")
def test_leaf_carbon_exchange():
    domain, table = leaf_lce.build(LCE)
    assert len(domain.place_ids) == 598
    assert table.left_out.sum() == 20
    assert (domain.attributes.pathway == "C4").sum() == 43
    assert len(np.unique(domain.attributes.species)) == 96
    assert not {"reference_Vcmax", "species", "latitude"} & set(domain.inputs)
    ambient = domain.forcing.co2.where(domain.observed.stomatal_conductance.notnull().values)
    assert float(ambient.min()) >= 350
    assert float(ambient.max()) <= 450


def test_fits_find_the_parameters_that_made_the_curves():
    sites, truth = made()
    curves, _ = curves_of(sites, dtype=torch.float64)
    found = fit(curves)
    for name in ("Vcmax25", "Jmax25", "g1"):
        np.testing.assert_allclose(found[name], truth[name], rtol=0.03)


def test_fits_are_those_of_scipy():
    curves, _ = curves_of(made(curves=3, noise=0.4, conductance=False)[0], dtype=torch.float64)
    found = fit(curves)
    names = ["Vcmax25", "Jmax25", "Rd25"]
    for position in range(3):
        one = curves.take([position])

        def residuals(theta, one=one):
            given = {name: torch.as_tensor(np.exp([value])) for name, value in zip(names, theta)}
            error = (one.predict(given)["assimilation"] - one.samples["assimilation"])[:, 0].numpy()
            typical = np.log([TYPICAL["Vcmax25"], JMAX_RATIO * np.exp(theta[0]), TYPICAL["Rd25"]])
            prior = (theta - typical) / [PRIOR[name] for name in names]
            return np.concatenate([error / MEASUREMENT_ERROR["assimilation"], prior])

        expected = np.exp(least_squares(residuals, np.log([60.0, 100.0, 1.0]), xtol=1e-12, ftol=1e-12).x)
        np.testing.assert_allclose([found[name][position] for name in names], expected, rtol=2e-3)


def test_conductance_beside_measured_ci_teaches_g1_alone():
    curves, _ = curves_of(made()[0])
    network = LeafNetwork(curves.parameters, 0, 4)
    predicted = curves.predict(network(torch.zeros(curves.size, 0)))["stomatal_conductance"]
    (gradient,) = torch.autograd.grad(predicted.sum(), network.typical)
    names = [p.name for p in curves.parameters]
    assert gradient[names.index("g1")] != 0
    assert (np.delete(gradient.numpy(), names.index("g1")) == 0).all()


def test_a_network_starts_at_typical_values_and_stays_within_bounds():
    curves, _ = curves_of(made()[0])
    network = LeafNetwork(curves.parameters, 2, 4)
    for name, values in network(torch.randn(5, 2)).items():
        torch.testing.assert_close(values, torch.full((5,), TYPICAL[name]), rtol=1e-4, atol=0)
    with torch.no_grad():
        network.typical += 100.0
    high = network(torch.zeros(1, 2))["g1"].item()
    assert high == pytest.approx(G1["medlyn"].high, rel=1e-5)


def test_training_lowers_the_misfit_and_validation_curves_are_not_trained_on():
    curves, _ = curves_of(made()[0])
    attributes = torch.linspace(-1, 1, curves.size)[:, None]
    validation = np.arange(curves.size) == 2
    before = LeafNetwork(curves.parameters, 1, 4)
    with torch.no_grad():
        first = float(misfit(curves.predict(before(attributes)), curves.samples, curves.scales()))
    results = []
    for spoiled in (False, True):
        torch.manual_seed(0)
        network = LeafNetwork(curves.parameters, 1, 4)
        samples = {name: values.clone() for name, values in curves.samples.items()}
        if spoiled:
            samples["assimilation"][:, 2] += 1e-3
        given = Curves(curves.forcing, samples, "C3")
        found = train(network, given, attributes, 40, 0.05, validation)
        results.append(found["Vcmax25"])
        with torch.no_grad():
            last = float(misfit(curves.predict(network(attributes)), curves.samples, curves.scales()))
        assert last < 0.5 * first
    np.testing.assert_array_equal(*results)


def test_folds_hold_out_whole_groups_once():
    groups = np.array(["a", "a", "b", "c", "c", "c", "d", "e"])
    out = np.array(folds_of(groups, 3))
    assert (out.sum(0) == 1).all()
    for name in "abcde":
        assert (out[:, groups == name].any(1) == out[:, groups == name].all(1)).all()
    assert out.sum(1).max() <= 3


def test_ridge_finds_a_line_and_shrinks_noise():
    generator = np.random.default_rng(0)
    x = generator.standard_normal((60, 4))
    groups = np.arange(60) % 12
    line = ridge(x, 2.0 + x @ [1.0, -1.0, 0.5, 0.0], groups, x)
    np.testing.assert_allclose(line, 2.0 + x @ [1.0, -1.0, 0.5, 0.0], atol=0.02)
    noise = generator.standard_normal(60)
    assert np.std(ridge(x, noise, groups, x)) < 0.5 * np.std(noise)


def scored(simulations):
    return pd.concat([score(one, "leaf", ["RMSE", "bias"], 20) for one in simulations], ignore_index=True)


def test_the_study_scores_every_model_and_judges_parameters():
    domain, _ = made(curves=9, noise=0.2)
    simulations, tables = run_study(domain, QUICK.model_copy(update={"held_out": ["curves", "species", "locations"]}))
    skill = scored(simulations)
    check_skill(skill)
    assert set(skill.experiment) == {"points", "curves", "species"}
    assert set(skill.variable) == {"assimilation", "stomatal_conductance"}
    models = skill.groupby("experiment").model.unique()
    assert set(models["points"]) == {"least_squares", "network", "one_set"}
    assert set(models["species"]) == {"mean", "ridge", "network"}
    assert skill.value.notna().all()
    of_assimilation = skill[(skill.variable == "assimilation") & (skill.metric == "RMSE")]
    alone = of_assimilation[(of_assimilation.experiment == "points") & (of_assimilation.model == "least_squares")]
    assert alone.value.median() < 0.6
    judged = parameter_skill(tables["parameters"], 20)
    row = judged[(judged.experiment == "curves") & (judged.model == "ridge") & (judged.parameter == "Vcmax25")].iloc[0]
    assert row.R2 > 0.8
    assert row.R2_low <= row.R2 <= 1
    assert row.curves == row.groups == 9
    points = tables["points"]
    assert points[["assimilation_network", "assimilation_least_squares"]].notna().all(axis=None)
    held_out = points.groupby("curve").held_out.mean()
    assert held_out.between(0.15, 0.35).all()


def test_simulations_are_of_held_out_curves_and_points():
    """Every fold simulates the curves that it holds out; what trained and what is tested add up to what was measured."""
    simulations, _ = run_study(made(curves=9, noise=0.2)[0], QUICK)
    for one in simulations:
        there = one.observed.notnull()
        assert ((one.trained + one.tested) == there).all()
        simulated = one.simulated.notnull().any(["seed", "point"])
        assert (simulated == one.tested.any("point")).all()
    of_curves = [one for one in simulations if one.attrs["experiment"] == "curves"]
    assert all((one.tested.sum("fold") == one.observed.notnull()).all() for one in of_curves)


def test_no_held_out_sample_reaches_the_models():
    """Held-out points and curves changed beyond recognition leave all that is learned as it was."""
    sites, _ = made(curves=9, noise=0.2, conductance=False)
    settings = QUICK.model_copy(update={"held_out": []})
    points = run_study(sites, settings)[1]["points"]
    changed = sites.observed.copy(deep=True)
    changed["assimilation"].values[QUICK.every // 2 :: QUICK.every] *= -3.0
    again = run_study(replace(sites, observed=changed), settings)[1]["points"]
    for model in ("least_squares", "network"):
        np.testing.assert_allclose(points[f"assimilation_{model}"], again[f"assimilation_{model}"], atol=1e-4)


def test_known_leaves_are_recovered():
    table, leaves = recover(
        QUICK.model_copy(update={"recovery_steps": 80, "learning_rate": 0.05, "recovery_leaves": 40})
    )
    r2 = table.set_index("quantity").R2
    assert r2["Vcmax25"] > 0.95
    assert r2["assimilation"] > 0.95
    assert set(leaves.quantity) == {"Vcmax25", "stress_exponent"}


def test_the_verb_writes_what_can_be_read_again(leaf_folder, tmp_path):
    settings = QUICK.model_copy(update={"folds": 2, "steps": 3}).model_dump_json()
    parser = argparse.ArgumentParser()
    verb.arguments(parser)
    given = ["--kind", "leaf", "--dataset", str(leaf_folder), "--settings", settings, "--output", str(tmp_path)]
    given += ["--domain", str(tmp_path / "leaf.nc"), "--simulations", str(tmp_path / "simulations.nc")]
    verb.run(parser.parse_args(given))
    assert read_domain(tmp_path / "leaf.nc").variables == ["assimilation"]
    assert len(scored(read_variables(tmp_path / "simulations.nc"))) > 0
    for name in ("curves", "fits", "parameters", "parameter_skill", "points"):
        assert len(pd.read_csv(tmp_path / f"{name}.csv")) > 0
        assert (tmp_path / f"{name}.csv.provenance.json").exists()


def test_c4_curves_are_fitted_by_their_own_equations():
    curves = curves_of(made(curves=2)[0], dtype=torch.float64)[0]
    forcing = curves.forcing | {"intercellular_co2": 0.3 * curves.forcing["intercellular_co2"]}
    truth = {"Vcmax25": torch.tensor([20.0, 35.0]), "kp25": torch.tensor([0.1, 0.3]), "Rd25": torch.tensor([0.8, 1.0])}
    blank = {"assimilation": curves.samples["assimilation"]}
    samples = Curves(forcing, blank, "C4").predict({name: values.double() for name, values in truth.items()})
    found = fit(Curves(forcing, samples, "C4"))
    for name in ("Vcmax25", "kp25"):
        np.testing.assert_allclose(found[name], truth[name], rtol=0.05)
